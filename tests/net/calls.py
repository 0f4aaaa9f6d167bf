# SPDX-License-Identifier: ISC
"""The system calls of handlers, by stage, held against the table that allows them."""

import os
import re
import signal
import subprocess

from socks import check
from world import DEADLINE_S, WORLD, Handler, eventually, libc, run, sys_call


AT_IGNORE, AT_SYSINFO_EHDR = 1, 33
PTRACE_TRACEME, PTRACE_DETACH = 0, 17
STRACE = ["strace", "-f", "-n", "-qq", "-e", "raw=all", "-e", "signal=none"]

names = dict(
    (int(number), name)
    for name, number in re.findall(r"#define __NR_(\w+) (\d+)", run("gcc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"))
)
STAGES = "CVBARUL"  # the bits of sandbox/syscalls.h: connect, resolve, bind, associate, relaying, datagrams, lookups
CLONES = "clone", "clone3", "fork", "vfork"


class Traced(Handler):
    """A handler under strace, whose calls can be asked for when it is over."""

    def __init__(self, *options, inject=None, as_user=None, **popen):
        self.calls = f"{WORLD}/calls-{Handler.count + 1}"
        before = [*STRACE, "-o", self.calls, *(["-e", f"inject={inject}"] if inject else []), *(["-u", as_user] if as_user else [])]
        super().__init__(*options, before=before, **popen)

    def handler_pid(self):
        """Not strace's."""

        def child():
            with open(f"/proc/{self.pid}/task/{self.pid}/children", encoding="ascii") as children:
                return children.read().split()

        return int(eventually(child, "it is started")[0])

    @staticmethod
    def stops_and_goes_on(pid):
        """SIGSTOP, and SIGCONT when it has stopped."""
        os.kill(pid, signal.SIGSTOP)

        def state():
            with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
                return stat.read().rpartition(")")[2].split()[0]

        eventually(lambda: state() in "tT", "it has stopped")
        os.kill(pid, signal.SIGCONT)


class Clockless(Handler):
    """A handler whose kernel has no clock in the vDSO, under strace."""

    def __init__(self, *options, **popen):
        super().__init__(*options, preexec_fn=lambda: sys_call(libc.ptrace, PTRACE_TRACEME, 0, 0, 0), **popen)
        self.calls = f"{WORLD}/calls-{Handler.count}"
        os.waitpid(self.pid, 0)  # at its exec
        hide_vdso(self.pid)
        sys_call(libc.ptrace, PTRACE_DETACH, self.pid, 0, signal.SIGSTOP)
        self.strace = subprocess.Popen([*STRACE, "-o", self.calls, "-p", str(self.pid)])
        eventually(self.is_traced, "strace has it")
        os.kill(self.pid, signal.SIGCONT)

    def is_traced(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            return f"TracerPid:\t{self.strace.pid}\n" in status.read()

    def over(self, status=0):
        super().over(status)
        self.strace.wait(DEADLINE_S)


def hide_vdso(pid):
    """Overwrite its entry in the auxiliary vector, which lies on the new stack."""
    with open(f"/proc/{pid}/auxv", "rb") as file:
        vector = file.read()
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps:
        start, end = (int(word, 16) for word in re.search(r"^(\S+)-(\S+) .*\[stack\]$", maps.read(), re.MULTILINE).groups())
    with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
        memory.seek(start)
        stack = memory.read(end - start)
        entry = next(at for at in range(0, len(vector), 16) if int.from_bytes(vector[at : at + 8], "little") == AT_SYSINFO_EHDR)
        memory.seek(start + stack.index(vector) + entry)
        memory.write(AT_IGNORE.to_bytes(8, "little"))


def events(path):
    """The calls in a log of strace in the order in which they began: process, number, name, arguments, result."""
    found, unfinished = [], {}
    with open(path, encoding="utf-8", errors="replace") as log:
        for line in log:
            # "PID [NUMBER] NAME(ARGUMENTS) = RESULT"; where another process came between, "PID [NUMBER] NAME(ARGUMENTS
            # <unfinished ...>" and later "PID [NUMBER] <... NAME resumed>) = RESULT".
            match = re.match(r"(\d+) +\[ *(\d+)\] (<\.\.\. )?(\w+)[( ]([^)<]*)(.*)", line)
            if not match:
                continue
            pid, number, is_resumed, name, arguments, result = match.groups()
            if is_resumed:
                if pid in unfinished:
                    unfinished.pop(pid)[-1] = result
                continue
            words = [int(word, 16) for word in re.findall(r"0x[0-9a-f]+|\d+", arguments)]
            found.append([int(pid), int(number), name, (words + [0] * 6)[:6], result])
            if "<unfinished" in result:
                unfinished[pid] = found[-1]
    return found


def bits(stages):
    return sum(1 << STAGES.index(letter) for letter in stages)


def letters(mask):
    return "".join(letter for bit, letter in enumerate(STAGES) if mask >> bit & 1)


def made(h):
    """The calls of a handler that is over: the stages that it was in, those that are its own, number, arguments, and
    whether the lock denied it. h.stages are the stages that it enters, one after the other, with a letter for each bit; and
    h.branch those of a process that it starts in one of them, from the first one on. Its own are those of one
    letter: of several commands that may be asked for, the one that is."""
    entered, plans = {}, {}
    for pid, number, name, words, result in events(h.calls):
        stages, plan = entered.setdefault(pid, []), plans.setdefault(pid, h.stages)
        if stages:
            own = "".join(stage for stage in plan if len(stage) == 1)
            yield stages[:], own, number, words, " EPERM " in result and "INJECTED" not in result
        answer = re.search(r"= (0x[0-9a-f]+|0)( |$)", result)
        if not answer:
            continue
        if name in CLONES:
            child = int(answer[1], 16)
            entered[child], plans[child] = stages[:], h.branch if stages else h.stages
        elif name == "seccomp":
            check(tuple(plan[: len(stages)]), tuple(stages))
            assert len(stages) < len(plan), f"{h.calls}: a stage after {plan}"
            stages.append(plan[len(stages)])


def against_the_table(handlers, wanted):
    """What the lock denied; what was called and stands in no row; and of the wanted stages the rows that nothing has used:
    "NAME in STAGES: ARGUMENTS", "NAME in STAGE, way N"."""
    denied, lines = [], []
    for h in handlers:
        for stages, own, number, words, was_denied in made(h):
            denied += [names[number]] if was_denied else []
            asked = " ".join(f"{word:x}" for word in words)
            lines += [f"{bits(stage)} {bits(own)} {number} {asked}\n" for stage in stages]  # every filter is asked
    said = run(os.environ["SYSCALLS"], str(bits(wanted)), text="".join(lines))
    calls, rows = [], []
    for kind, number, stages, rest in re.findall(r"^(call|row) (\d+) stages (\d+) (.*)$", said, re.MULTILINE):
        between = ": " if kind == "call" else ", "
        (calls if kind == "call" else rows).append(f"{names[int(number)]} in {letters(int(stages))}{between}{rest}")
    return denied, calls, rows


def prove(commands):
    """Hold what the sessions of these commands call against the table of the stages in $STAGES."""
    stages = os.environ["STAGES"]
    denied, calls, rows = against_the_table([h for command in commands for h in command.handlers], stages)
    first = {stages[0] for stages in (command.stages for command in commands)}
    # Of sandbox/syscalls.h, beside the table; in the stage in which passwords are asked for.
    kills = [call for call in calls if call.startswith("kill ")]
    check({re.sub("f+[0-9a-f]{2,4} ", "GROUP ", call) for call in kills},
          {f"kill in {stage}: GROUP 9 0" for stage in first if len(stage) == 1})
    calls = [call for call in calls if call not in kills]
    if os.environ["LIBC"] == "musl":
        # Since 1.2.4 it tries TCP Fast Open before connect(2), which is denied.
        fast_open = [call for call in calls if re.fullmatch(r"setsockopt in [VL]: \w+ 6 1e|sendmsg in \w+: \w+ \w+ 20004000", call)]
        check(([call for call in calls if call not in fast_open], set(denied)), ([], {call.split()[0] for call in fast_open}))
        of_1_2_4 = "socket in {}, way 3", "socket in {}, way 4", "recvmsg in {}, way 1", "sendmsg in {}, way 1"
        fork = ("gettid in {}, way 1",), ("set_tid_address in {}, way 1",)  # since 1.2.5, and before
        assert any(set(rows) <= {row.format(stage) for row in of_1_2_4 + other for stage in stages} for other in fork), rows
    else:
        # What nscd, and the host's addresses, are asked on.
        wanted = {f"socket in {stage}: {what} 0" for stage in first | {"L"} & set(stages) for what in ("1 80801", "10 80003")}
        check(set(calls), wanted)
        check((set(denied), rows), ({"socket"}, []))

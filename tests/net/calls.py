# SPDX-License-Identifier: ISC
"""Compares the system calls that handlers make in each sandbox stage with the table of filters."""

import os
import re
import signal
import subprocess

from prefork import Prefork, status_of
from socks import check
from world import DEADLINE_S, WORLD, Handler, eventually, libc, run, sys_call


AT_IGNORE, AT_SYSINFO_EHDR = 1, 33
PTRACE_TRACEME, PTRACE_DETACH = 0, 17
STRACE = ["strace", "-f", "-n", "-qq", "-e", "raw=all", "-e", "signal=none"]

macros = run("gcc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null")
names = {int(number): name for name, number in re.findall(r"#define __NR_(\w+) (\d+)", macros)}
# The stages, by their bits in sandbox/syscalls.h. A set of stages is a string with their names.
STAGES = ["connect", "resolve", "bind", "associate", "relaying", "datagrams", "accept", "zygote"]


class Traced(Handler):
    """A handler under strace."""

    def __init__(self, *options, inject=None, as_user=None, **popen):
        self.calls = f"{WORLD}/calls-{Handler.count + 1}"
        before = [*STRACE, "-o", self.calls]
        before += ["-e", f"inject={inject}"] if inject else []
        before += ["-u", as_user] if as_user else []
        super().__init__(*options, before=before, **popen)

    def handler_pid(self):
        """Returns the process id of strace's child."""

        def child():
            with open(f"/proc/{self.pid}/task/{self.pid}/children", encoding="ascii") as children:
                return children.read().split()

        return int(eventually(child, "the handler's start")[0])

    @staticmethod
    def stop_and_continue(pid):
        """Sends SIGSTOP, waits until the process has stopped, and sends SIGCONT."""
        os.kill(pid, signal.SIGSTOP)

        def state():
            with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
                return stat.read().rpartition(")")[2].split()[0]

        eventually(lambda: state() in "tT", "the process stops")
        os.kill(pid, signal.SIGCONT)


class Clockless(Handler):
    """A handler under strace that finds no vDSO, and so calls clock_gettime(2)."""

    def __init__(self, *options, **popen):
        trace_me = lambda: sys_call(libc.ptrace, PTRACE_TRACEME, 0, 0, 0)
        super().__init__(*options, preexec_fn=trace_me, **popen)
        self.calls = f"{WORLD}/calls-{Handler.count}"
        os.waitpid(self.pid, 0)  # its execve()
        hide_vdso(self.pid)
        sys_call(libc.ptrace, PTRACE_DETACH, self.pid, 0, signal.SIGSTOP)
        self.strace = subprocess.Popen([*STRACE, "-o", self.calls, "-p", str(self.pid)])
        eventually(self.is_traced, "strace attaches")
        os.kill(self.pid, signal.SIGCONT)

    def is_traced(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            return f"TracerPid:\t{self.strace.pid}\n" in status.read()

    def wait_exit(self, status=0):
        super().wait_exit(status)
        self.strace.wait(DEADLINE_S)


class TracedPrefork(Prefork):
    """A supervisor, its zygote and their children under a strace that is none of their parents.
    STAGES are those of the zygote, and those that a child enters after it has left the zygote's."""

    def __init__(self, *options, stages, **popen):
        self.calls, self.stages = f"{WORLD}/calls-prefork-{Prefork.count + 1}", stages
        super().__init__(*options, before=[*STRACE, "-D", "-o", self.calls], **popen)
        self.strace = int(eventually(lambda: status_of(self.pid)["TracerPid"].strip("0"), "strace"))

    def wait_exit(self, status=0):
        super().wait_exit(status)
        os.waitpid(self.strace, 0)  # it is an orphan, and this process is PID 1


def hide_vdso(pid):
    """Overwrites the vDSO's entry in the auxiliary vector, which is on the new stack."""
    with open(f"/proc/{pid}/auxv", "rb") as file:
        vector = file.read()
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps:
        found = re.search(r"^(\S+)-(\S+) .*\[stack\]$", maps.read(), re.MULTILINE)
    start, end = (int(word, 16) for word in found.groups())
    keys = [int.from_bytes(vector[at : at + 8], "little") for at in range(0, len(vector), 16)]
    with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
        memory.seek(start)
        stack = memory.read(end - start)
        memory.seek(start + stack.index(vector) + 16 * keys.index(AT_SYSINFO_EHDR))
        memory.write(AT_IGNORE.to_bytes(8, "little"))


def events(path):
    """Returns the calls in a log of strace, in the order in which they began: process, number,
    name, arguments, result."""
    found, unfinished = [], {}
    with open(path, encoding="utf-8", errors="replace") as log:
        for line in log:
            # "PID [NUMBER] NAME(ARGUMENTS) = RESULT". If another process is traced in between:
            # "PID [NUMBER] NAME(ARGUMENTS <unfinished ...>" and later
            # "PID [NUMBER] <... NAME resumed>) = RESULT".
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
    return sum(1 << STAGES.index(stage) for stage in stages.split())


def stages_of(mask):
    return " ".join(stage for bit, stage in enumerate(STAGES) if mask >> bit & 1)


def calls_in_stages(h):
    """Yields the calls of a handler that has ended: the stages that it has entered, the stages of
    the command that it serves, the call's number and arguments, and whether the sandbox denied it.

    h.stages are the sets of stages that a handler enters, in order. The stages of the command are
    the sets of one stage; a set of several is entered while several commands are possible. A child
    of the zygote inherits its stages, and then leaves the stage "zygote". Processes that execute
    another program, or this one for a single connection, are not examined."""
    entered, forked = {}, set()
    own = " ".join(stage for stage in h.stages if stage in STAGES)
    if h.stages[0].endswith(" zygote"):
        own += " accept zygote"
    for pid, number, name, words, result in events(h.calls):
        stages = entered.setdefault(pid, [])
        if stages:
            yield stages[:], own, number, words, " EPERM " in result and "INJECTED" not in result
        if name == "clone" and (child := re.search("= (0x[0-9a-f]+)", result)):
            forked.add(int(child[1], 16))
            entered[int(child[1], 16)] = stages[:]
        elif name == "execve" and pid in forked:
            entered[pid] = None
        elif stages is not None and name == "seccomp" and re.search(r"= 0( |$)", result):
            if pid in forked and stages[-1:] and stages[-1].endswith(" zygote"):
                stages[-1] = stages[-1].removesuffix(" zygote")
                continue
            assert len(stages) < len(h.stages), f"{h.calls}: a stage after {h.stages}"
            stages.append(h.stages[len(stages)])


def compare_with_table(handlers, wanted):
    """Returns the names of denied calls; the calls without a row; and the unused rows of the WANTED
    stages: "NAME in STAGES: ARGUMENTS", "NAME in STAGE, way N"."""
    denied, lines = [], []
    for h in handlers:
        for stages, own, number, words, was_denied in calls_in_stages(h):
            denied += [names[number]] if was_denied else []
            arguments = " ".join(f"{word:x}" for word in words)
            # The filters of all entered stages apply.
            lines += [f"{bits(stage)} {bits(own)} {number} {arguments}\n" for stage in stages]
    said = run(os.environ["SYSCALLS"], str(bits(wanted)), text="".join(lines))
    calls, rows = [], []
    line = re.compile(r"^(call|row) (\d+) stages (\d+) (.*)$", re.MULTILINE)
    for kind, number, stages, rest in line.findall(said):
        text = f"{names[int(number)]} in {stages_of(int(stages))}"
        if kind == "call":
            calls.append(f"{text}: {rest}")
        else:
            rows.append(f"{text}, {rest}")
    return denied, calls, rows


def prove(commands):
    """Checks the sessions of these commands against the table of the stages in $STAGES."""
    stages = os.environ["STAGES"]
    handlers = [h for command in commands for h in getattr(command, "handlers", [command])]
    denied, calls, rows = compare_with_table(handlers, stages)
    first = {stages[0] for stages in (command.stages for command in commands)}
    # A separate rule (sandbox/syscalls.h) allows kill(2) in the stage of authentication.
    kills = [call for call in calls if call.startswith("kill ")]
    check({re.sub("f+[0-9a-f]{2,4} ", "GROUP ", call) for call in kills},
          {f"kill in {stage}: GROUP 9 0" for stage in first if stage in STAGES})
    calls = [call for call in calls if call not in kills]
    check((calls, denied, rows), ([], [], []))

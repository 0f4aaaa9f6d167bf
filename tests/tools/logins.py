# SPDX-License-Identifier: ISC
"""Logins (RFC 1929), and searches of processes for secrets. For scripts in a world."""

import collections
import contextlib
import ctypes
import os
import re
import select
import shutil
import socket
import subprocess

import world
from socks import CHOSEN, DEADLINE_S, GREETING, Endpoint, accept, check, escaped, login, request
from world import Handler, STDSOCKS, eventually, is_waiting, libc, listeners, port_of, sys_call

OFFER = b"\x05\x01\x02"  # RFC 1928 s3: a greeting with method 2, username/password
OFFER_BOTH = b"\x05\x02\x00\x02"
CHOSEN_2 = b"\x05\x02"  # method 2
NO_METHOD = b"\x05\xff"
ACCEPTED, REJECTED = b"\x01\x00", b"\x01\x01"  # RFC 1929 s2
GENERAL_FAILURE = b"\x05\x01\x00\x01" + bytes(6)
NOT_ALLOWED = b"\x05\x02\x00\x01" + bytes(6)

USERS = "/run/users"
PROGRAM = "/run/program"
# No eight bytes of these occur anywhere else.
SECRET, OTHER = b"kXq7vRw2-Zp9mLt4bNs8y", b"Hd3Jf6Gu1-Qe5Wc0oTi7x"

# A command before the handler that removes "allow to any" (world.py) from its arguments.
NO_RULE = ["sh", "-c", 'program=$1; shift 3; exec "$program" "$@"', "sh"]

STDSOCKS = world.STDSOCKS = shutil.copy(STDSOCKS, "/run/handler")  # executable for all users

(UPSTREAM,) = listeners("127.0.0.1")
REQUEST = request("127.0.0.1", port_of(UPSTREAM))


def users(text, path=USERS, mode=0o600):
    """Writes a passwords file. Returns the option that names it."""
    with open(path, "wb") as file:
        file.write(text)
    os.chmod(path, mode)
    return "-o", f"users {path}"


def program(script, path=PROGRAM, words=""):
    """Writes a checkpassword program. Returns the option that names it."""
    if script is not None:
        with open(path, "w", encoding="utf-8") as file:
            file.write(script)
        os.chmod(path, 0o755)
    return "-o", f"checkpassword {path} {words}"


def begin(options, sent, answer, cuts=(), **handler):
    """Starts a handler, sends SENT and checks the answer."""
    h = Handler(*options, **handler)
    h.client.send(sent, cuts)
    check(h.client.recv(len(answer)), answer)
    return h


def run_to_end(options, sent, **handler):
    """Starts a handler, sends SENT and FIN, and waits for its end. Returns it, and the answer."""
    h = Handler(*options, **handler)
    h.client.send(sent)
    h.client.fin()
    end = h.client.end()
    h.client.close()
    h.process.wait(DEADLINE_S)
    return h, end


def relays(h):
    """Accepts the connection upstream, and closes both ends in order."""
    upstream = accept(UPSTREAM)
    upstream.fin()
    check(h.client.end(), (b"", "fin"))
    h.client.close()
    upstream.close()


def served(h):
    """Checks that the client gets its reply and a connection, which ends in order."""
    check(h.client.recv(10)[:4], b"\x05\x00\x00\x01")
    relays(h)


def ends_with(h, answer, status=0, **fields):
    """Checks that the client gets ANSWER and FIN, that the record has FIELDS, and that the handler
    made no connection."""
    check(h.client.end(), (answer, "fin"))
    h.client.close()
    h.ended(status, **fields)
    assert not is_waiting(UPSTREAM), "the handler has connected upstream"
    UPSTREAM.settimeout(DEADLINE_S)
    return h


def login_failed(name, **fields):
    """Returns the fields of the record of a failed login: the handler has read no request."""
    absent = dict.fromkeys(("COMMAND", "DST", "REPLY"))
    return {"END": "login-failed", "CLOSED_BY": "stdsocks", "USER": name} | absent | fields


def answers(options, sent, answer, status=0, cuts=(), fin=False, popen=None, **fields):
    """Starts a handler, sends SENT, and checks the rest with ends_with()."""
    h = Handler(*options, **popen or {})
    h.client.send(sent, cuts)
    if fin:
        h.client.fin()
    return ends_with(h, answer, status, **fields)


def is_rejected(options, sent, name, status=0, cuts=(), ends=None, **fields):
    """Checks that the login in SENT fails."""
    fields = login_failed(name, **fields)
    return answers(options, sent, CHOSEN_2 + REJECTED, status, cuts, popen={"ends": ends}, **fields)


def is_served(options, sent, answer, user, cuts=(), **popen):
    """Checks that a client that sends SENT is served as USER."""
    h = begin(options, sent, answer, cuts, **popen)
    served(h)
    h.ended(END="closed", REPLY="0", USER=user)


def logs_in(options, name, secret, **popen):
    """Returns true if this login succeeds. Checks the reply and the record in both cases."""
    h = begin(options, OFFER + login(name, secret) + REQUEST, CHOSEN_2, **popen)
    status = h.client.recv(2)
    if status == ACCEPTED:
        served(h)
        h.ended(END="closed", REPLY="0", USER=escaped(name))
        return True
    check(status, REJECTED)
    ends_with(h, b"", **login_failed(escaped(name)))
    return False


class BlockingProgram:
    """A checkpassword program that waits for the exit status that it shall have."""

    def __init__(self):
        for fifo in "/run/begun", "/run/status":
            os.mkfifo(fifo)
            shutil.chown(fifo, "stdsocks")  # the handler, and so the program, runs as this user
        self.options = program("#!/bin/sh\necho >/run/begun\n"
                               'read -r status </run/status\nexit "$status"\n')

    def wait_begun(self):
        with open("/run/begun", encoding="ascii") as begun:
            begun.read()

    def exit(self, status):
        with open("/run/status", "w", encoding="ascii") as file:
            file.write(f"{status}\n")


def refuses_service(options, pattern, secrets=(), **popen):
    """Checks that clients get a failure, and that the log and --check have the reason."""
    done = subprocess.run([STDSOCKS, "-f", "/dev/null", *options, "--check"], capture_output=True,
                          text=True, check=False, **popen)
    said = done.stderr
    check((done.returncode, done.stdout), (78, ""))
    assert re.search(pattern, said), f"--check prints: {said}"
    assert all("; " in line for line in said.splitlines()), said
    for sent, answer in (
        (GREETING + REQUEST, CHOSEN + GENERAL_FAILURE),
        (OFFER_BOTH + REQUEST, CHOSEN + GENERAL_FAILURE),
        (OFFER + login(b"alice", b"secret") + REQUEST, CHOSEN_2 + REJECTED),
        (b"\x05\x01\x01", NO_METHOD),
    ):
        h = answers(("-f", "/dev/null", *options), sent, answer, 78, popen=popen, END="failed")
        assert re.search(pattern, h.log_text()), f"the handler logs: {h.log_text()}"
        said += h.log_text()
    for secret in secrets:
        assert secret not in said, f"a secret is shown: {said}"


# Processes


def processes():
    """Returns the ids of all processes of this world except this script and zombies."""
    alive = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
                if pid != "1" and stat.read().rpartition(")")[2].split()[0] not in "ZX":
                    alive.append(int(pid))
    return alive


def nothing_runs():
    eventually(lambda: not processes(), "the end of all processes")


def holds(data, secrets):
    """Returns true if DATA contains eight bytes of a secret."""
    return any(secret[at : at + 8] in data for secret in secrets for at in range(len(secret) - 7))


EMPTY = bytes(4096)


def in_memory(pid, *secrets):
    """Returns true if a part of a secret is in the readable memory of this process."""
    searched = 0
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps:
        lines = maps.read().splitlines()
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in lines:
            start, end = (int(word, 16) for word in line.split()[0].split("-"))
            if line.split()[1][0] != "r" or "[v" in line:  # [vvar], [vdso], [vsyscall]
                continue
            memory.seek(start)
            data = memory.read(end - start)
            check(len(data), end - start)
            searched += len(data)
            # Pages of zeros, which are most of them, are skipped to save time.
            pages = (data[at : at + len(EMPTY)] for at in range(0, len(data), len(EMPTY)))
            if holds(b"".join(page for page in pages if page != EMPTY), secrets):
                return True
    assert searched > 65536, searched
    return False


def in_proc(*secrets):
    """Returns true if a part of a secret is in the arguments or environment of any process."""
    found = False
    for pid in ["1", *map(str, processes())]:
        for name in "cmdline", "environ":
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                with open(f"/proc/{pid}/{name}", "rb") as file:
                    found = found or holds(file.read(), secrets)
    return found


def dumps(pid):
    """Returns the limits of a core dump, and the owner of the files in /proc/PID, which is root if
    the process is not dumpable (proc(5))."""
    with open(f"/proc/{pid}/limits", encoding="ascii") as limits:
        cores = re.search(r"^Max core file size +(\S+) +(\S+)", limits.read(), re.MULTILINE)
    return cores.groups(), os.stat(f"/proc/{pid}/environ").st_uid


Call = collections.namedtuple("Call", "pid name rest")


def calls(path):
    """Returns the calls in a log of strace -f: (process, system call, arguments and result)."""
    with open(path, encoding="utf-8", errors="replace") as log:
        lines = re.findall(r"^(\d+) +(\w+)\((.*)", log.read(), re.MULTILINE)
    return [Call(*line) for line in lines]


def shows(said, *secrets):
    """Returns true if a part of a secret is in the trace, as text or as hexadecimal bytes."""
    digits = re.findall(r"^((?:[0-9a-f]{2} )*[0-9a-f]{2}) *# ", said, re.MULTILINE)
    return holds(said.encode(), secrets) or holds(bytes.fromhex("".join(digits)), secrets)


# Users of AF_UNIX sockets

ADA, BAB, NAMELESS = 4001, 4002, 4003


def accounts():
    with open("/etc/passwd", "a", encoding="utf-8") as passwd:
        passwd.write(f"ada:x:{ADA}:{ADA}::/:/bin/false\nbab:x:{BAB}:{BAB}::/:/bin/false\n")


def is_allowed(ends, options, user, sent=GREETING, answer=CHOSEN):
    """Returns true if the rules among the options allow the request; the record has the user."""
    h = begin(options, sent + REQUEST, answer, ends=ends, before=NO_RULE)
    reply = h.client.recv(10)
    if reply[1] == 0:
        relays(h)
        h.ended(END="closed", USER=user)
        return True
    check(reply, NOT_ALLOWED)
    ends_with(h, b"", END="refused", USER=user, REPLY="2")
    return False


# Instructions

ADDR_NO_RANDOMIZE = 0x0040000
PTRACE_TRACEME, PTRACE_SINGLESTEP, PTRACE_SYSCALL, PTRACE_SETOPTIONS = 0, 9, 24, 0x4200
PTRACE_O_TRACESYSGOOD, PTRACE_O_EXITKILL = 1, 1 << 20


def ptrace(operation, pid, data=0):
    sys_call(libc.ptrace, *map(ctypes.c_long, (operation, pid, 0, data)))


def instructions(options, name, secret):
    """Returns the number of instructions from the method to the answer to this login. When a second
    begins, the kernel's function for the clock has some more, so this is the least of two runs."""
    return min(count_instructions(options, name, secret) for _ in range(2))


def count_instructions(options, name, secret):
    ends = socket.socketpair()
    client = Endpoint(ends[0])
    client.send(OFFER + login(name, secret) + REQUEST)

    def prepare():
        """The addresses are not random, because functions of the C library depend on them."""
        sys_call(libc.personality, ctypes.c_ulong(ADDR_NO_RANDOMIZE))
        ptrace(PTRACE_TRACEME, 0)

    h = Handler(*options, trace=False, ends=ends, preexec_fn=prepare)
    os.waitpid(h.pid, 0)  # its execve()
    ptrace(PTRACE_SETOPTIONS, h.pid, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)

    answered = select.poll()
    answered.register(client.sock, select.POLLIN)

    def until(answer, mode):
        """Continues until the client has this answer. Returns the number of stops."""
        mode, pid = ctypes.c_long(mode), ctypes.c_long(h.pid)
        for count in range(10000000):
            if answered.poll(0):
                check(client.recv(2), answer)
                return count
            sys_call(libc.ptrace, mode, pid, ctypes.c_long(0), ctypes.c_long(0))
            status = os.waitpid(h.pid, 0)[1]
            assert os.WIFSTOPPED(status), status
        raise AssertionError("no answer")

    until(CHOSEN_2, PTRACE_SYSCALL)
    count = until(REJECTED, PTRACE_SINGLESTEP)
    h.process.kill()
    h.process.wait()
    return count

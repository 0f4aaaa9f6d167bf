# SPDX-License-Identifier: ISC
"""Logins (RFC 1929), and looks into processes, to see where a secret has gone. For scripts in a world."""

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

OFFER = b"\x05\x01\x02"  # RFC 1928 s3: one method, "username/password"
OFFER_BOTH = b"\x05\x02\x00\x02"
ASKED = b"\x05\x02"
NO_METHOD = b"\x05\xff"
RIGHT, WRONG = b"\x01\x00", b"\x01\x01"  # RFC 1929 s2
REFUSED = b"\x05\x01\x00\x01" + bytes(6)
NOT_ALLOWED = b"\x05\x02\x00\x01" + bytes(6)

USERS = "/run/users"
PROGRAM = "/run/program"
SECRET, OTHER = b"kXq7vRw2-Zp9mLt4bNs8y", b"Hd3Jf6Gu1-Qe5Wc0oTi7x"  # no eight bytes of them are anywhere else

# A command before the handler that takes "allow to any" out of its arguments (world.py).
NO_RULE = ["sh", "-c", 'program=$1; shift 3; exec "$program" "$@"', "sh"]

STDSOCKS = world.STDSOCKS = shutil.copy(STDSOCKS, "/run/stdsocks")  # where users other than root can start it

(UPSTREAM,) = listeners("127.0.0.1")
REQUEST = request("127.0.0.1", port_of(UPSTREAM))


def users(text, path=USERS, mode=0o600):
    """A file of users, and the option that names it."""
    with open(path, "wb") as file:
        file.write(text)
    os.chmod(path, mode)
    return "-o", f"users {path}"


def program(script, path=PROGRAM, words=""):
    """A checkpassword program, and the option that names it."""
    if script is not None:
        with open(path, "w", encoding="utf-8") as file:
            file.write(script)
        os.chmod(path, 0o755)
    return "-o", f"checkpassword {path} {words}"


def begun(options, sent, answer, cuts=(), **handler):
    """A handler whose client has sent this and got this answer."""
    h = Handler(*options, **handler)
    h.client.send(sent, cuts)
    check(h.client.recv(len(answer)), answer)
    return h


def finished(options, sent, **handler):
    """A handler that is over after its client sent this and FIN; and all that the client got."""
    h = Handler(*options, **handler)
    h.client.send(sent)
    h.client.fin()
    end = h.client.end()
    h.client.close()
    h.process.wait(DEADLINE_S)
    return h, end


def relays(h):
    """The client has a connection, which ends in order."""
    upstream = accept(UPSTREAM)
    upstream.fin()
    check(h.client.end(), (b"", "fin"))
    h.client.close()
    upstream.close()


def served(h):
    """The client gets its reply and a connection, which ends in order."""
    check(h.client.recv(10)[:4], b"\x05\x00\x00\x01")
    relays(h)


def is_over(h, answer, status=0, **fields):
    """The client gets this answer and FIN, the record has these fields, and there was no connection
    to upstream."""
    check(h.client.end(), (answer, "fin"))
    h.client.close()
    h.ended(status, **fields)
    assert not is_waiting(UPSTREAM), "there was a connection to upstream"
    UPSTREAM.settimeout(DEADLINE_S)
    return h


def rejected(name, **fields):
    """The fields of the record of a login that has failed: no request behind it was read."""
    nothing = dict.fromkeys(("COMMAND", "DST", "REPLY"))
    return {"END": "login-failed", "CLOSED_BY": "stdsocks", "USER": name} | nothing | fields


def gets(options, sent, answer, status=0, cuts=(), fin=False, popen=None, **fields):
    """As is_over(), for a new client that sends this."""
    h = Handler(*options, **popen or {})
    h.client.send(sent, cuts)
    if fin:
        h.client.fin()
    return is_over(h, answer, status, **fields)


def is_rejected(options, sent, name, status=0, cuts=(), ends=None, **fields):
    """The login that this client sends fails."""
    fields = rejected(name, **fields)
    return gets(options, sent, ASKED + WRONG, status, cuts, popen={"ends": ends}, **fields)


def is_served(options, sent, answer, user, cuts=(), **popen):
    """The client that sends this gets this answer, its reply and a connection, as this user."""
    h = begun(options, sent, answer, cuts, **popen)
    served(h)
    h.ended(END="closed", REPLY="0", USER=user)


def enters(options, name, secret, **popen):
    """Whether this login is right. Whichever it is, all that has to follow is checked."""
    h = begun(options, OFFER + login(name, secret) + REQUEST, ASKED, **popen)
    status = h.client.recv(2)
    if status == RIGHT:
        served(h)
        h.ended(END="closed", REPLY="0", USER=escaped(name))
        return True
    check(status, WRONG)
    is_over(h, b"", **rejected(escaped(name)))
    return False


class Waiting:
    """A checkpassword program that tells when it has begun, and waits for its exit status."""

    def __init__(self):
        for fifo in "/run/begun", "/run/status":
            os.mkfifo(fifo)
            shutil.chown(fifo, "stdsocks")  # the user that the handler, and so the program, becomes
        self.options = program('#!/bin/sh\necho >/run/begun\nread -r status </run/status\nexit "$status"\n')

    def has_begun(self):
        with open("/run/begun", encoding="ascii") as begun:
            begun.read()

    def exits(self, status):
        with open("/run/status", "w", encoding="ascii") as file:
            file.write(f"{status}\n")


def serves_no_client(options, pattern, secrets=(), **popen):
    """With this configuration no client is served, each is told so, and --check prints the reason."""
    done = subprocess.run([STDSOCKS, "-f", "/dev/null", *options, "--check"], capture_output=True, text=True,
                          check=False, **popen)
    said = done.stderr
    check((done.returncode, done.stdout), (78, ""))
    assert re.search(pattern, said), f"--check says: {said}"
    assert all("; " in line for line in said.splitlines()), said
    for sent, answer, end in ((GREETING + REQUEST, CHOSEN + REFUSED, "failed"),
                              (OFFER_BOTH + REQUEST, CHOSEN + REFUSED, "failed"),
                              (OFFER + login(b"alice", b"secret") + REQUEST, ASKED + WRONG, "failed"),
                              (b"\x05\x01\x01", NO_METHOD, "failed")):
        h = gets(("-f", "/dev/null", *options), sent, answer, 78, popen=popen, END=end)
        assert re.search(pattern, h.said()), f"the handler says: {h.said()}"
        said += h.said()
    for secret in secrets:
        assert secret not in said, f"a secret is told: {said}"


# Processes


def processes():
    """All of this world but this script; those that have ended, and wait for it to see that, are none."""
    alive = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
                if pid != "1" and stat.read().rpartition(")")[2].split()[0] not in "ZX":
                    alive.append(int(pid))
    return alive


def nothing_runs():
    eventually(lambda: not processes(), "no process is left")


def holds(data, secrets):
    """Whether eight bytes of a secret are in it: that tells that it, or most of it, is there."""
    return any(secret[at : at + 8] in data for secret in secrets for at in range(len(secret) - 7))


EMPTY = bytes(4096)


def in_memory(pid, *secrets):
    """Whether a part of a secret is anywhere in what this process can read or write."""
    looked_at = 0
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            start, end = (int(word, 16) for word in line.split()[0].split("-"))
            if line.split()[1][0] != "r" or "[v" in line:  # [vvar], [vdso], [vsyscall]
                continue
            memory.seek(start)
            data = memory.read(end - start)
            check(len(data), end - start)
            looked_at += len(data)
            # No secret has a zero byte, and most pages have nothing else.
            pages = (data[at : at + len(EMPTY)] for at in range(0, len(data), len(EMPTY)))
            if holds(b"".join(page for page in pages if page != EMPTY), secrets):
                return True
    assert looked_at > 65536, looked_at
    return False


def in_public(*secrets):
    """Whether a part of one is in the arguments or the environment of any process."""
    found = False
    for pid in ["1", *map(str, processes())]:
        for name in "cmdline", "environ":
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                with open(f"/proc/{pid}/{name}", "rb") as file:
                    found = found or holds(file.read(), secrets)
    return found


def dumps(pid):
    """The limits of its core dump, and who owns its files in /proc: root where a process cannot be
    dumped, or read by its equals (proc(5))."""
    with open(f"/proc/{pid}/limits", encoding="ascii") as limits:
        cores = re.search(r"^Max core file size +(\S+) +(\S+)", limits.read(), re.MULTILINE)
    return cores.groups(), os.stat(f"/proc/{pid}/environ").st_uid


Call = collections.namedtuple("Call", "pid name rest")


def calls(path):
    """Of strace -f -o PATH: (process, system call, its arguments and result), in order."""
    with open(path, encoding="utf-8", errors="replace") as log:
        lines = re.findall(r"^(\d+) +(\w+)\((.*)", log.read(), re.MULTILINE)
    return [Call(*line) for line in lines]


def tells(said, *secrets):
    """Whether a part of one is in this trace, or among the bytes that it shows."""
    digits = re.findall(r"^((?:[0-9a-f]{2} )*[0-9a-f]{2}) *# ", said, re.MULTILINE)
    return holds(said.encode(), secrets) or holds(bytes.fromhex("".join(digits)), secrets)


# Users whom the kernel knows

ADA, BAB, NAMELESS = 4001, 4002, 4003


def accounts():
    with open("/etc/passwd", "a", encoding="utf-8") as passwd:
        passwd.write(f"ada:x:{ADA}:{ADA}::/:/bin/false\nbab:x:{BAB}:{BAB}::/:/bin/false\n")


def is_allowed(ends, options, user, sent=GREETING, answer=CHOSEN):
    """Whether the rules among the options, and no others, serve this; the record names the user."""
    h = begun(options, sent + REQUEST, answer, ends=ends, before=NO_RULE)
    reply = h.client.recv(10)
    if reply[1] == 0:
        relays(h)
        h.ended(END="closed", USER=user)
        return True
    check(reply, NOT_ALLOWED)
    is_over(h, b"", END="refused", USER=user, REPLY="2")
    return False


# Steps

PTRACE_TRACEME, PTRACE_SINGLESTEP, PTRACE_SYSCALL, PTRACE_SETOPTIONS = 0, 9, 24, 0x4200
PTRACE_O_TRACESYSGOOD, PTRACE_O_EXITKILL = 1, 1 << 20


def ptrace(what, pid, data=0):
    sys_call(libc.ptrace, *map(ctypes.c_long, (what, pid, 0, data)))


def steps(options, name, secret):
    """How many instructions lie between the method and the answer to this login."""
    ends = socket.socketpair()
    client = Endpoint(ends[0])
    client.send(OFFER + login(name, secret) + REQUEST)
    h = Handler(*options, trace=False, ends=ends, preexec_fn=lambda: ptrace(PTRACE_TRACEME, 0))
    os.waitpid(h.pid, 0)  # its execve()
    ptrace(PTRACE_SETOPTIONS, h.pid, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)

    answered = select.poll()
    answered.register(client.sock, select.POLLIN)

    def until(answer, how):
        """Continue, stop by stop, until the client has this answer; return the number of stops."""
        how, pid = ctypes.c_long(how), ctypes.c_long(h.pid)
        for count in range(10000000):
            if answered.poll(0):
                check(client.recv(2), answer)
                return count
            sys_call(libc.ptrace, how, pid, ctypes.c_long(0), ctypes.c_long(0))
            status = os.waitpid(h.pid, 0)[1]
            assert os.WIFSTOPPED(status), status
        raise AssertionError("no answer")

    until(ASKED, PTRACE_SYSCALL)
    count = until(WRONG, PTRACE_SINGLESTEP)
    h.process.kill()
    h.process.wait()
    return count

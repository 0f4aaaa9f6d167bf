# SPDX-License-Identifier: ISC
"""Prefork mode: a supervisor with listening sockets, its zygote, and their children."""

import os
import signal
import socket
import subprocess
import time

from socks import CHOSEN, DEADLINE_S, GREETING, Endpoint, accept, check, listener, request
from world import STDSOCKS, WORLD, Handler, eventually, port_of


def children(pid):
    """Returns the PIDs of the child processes."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as pids:
            return [int(word) for word in pids.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def syscall(pid):
    """Returns the number of the system call that the process waits in, or a word."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            if stat.read().rpartition(")")[2].split()[0] == "Z":
                return "gone"
        with open(f"/proc/{pid}/syscall", encoding="ascii") as file:
            return file.read().split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "gone"


def status_of(pid):
    """Returns the fields of proc_pid_status(5)."""
    with open(f"/proc/{pid}/status", encoding="ascii") as lines:
        return dict(line.rstrip("\n").split(":\t", 1) for line in lines)


ACCEPT4 = {"x86_64": "288", "aarch64": "242", "riscv64": "242"}[os.uname().machine]
KILL = {"x86_64": "62", "aarch64": "129", "riscv64": "129"}[os.uname().machine]


class Prefork:
    """A supervisor on standard input, or with FDS on descriptors from 3 on."""

    count = 0

    def __init__(self, *options, listening=None, fds=(), before=(), rules=("allow to any",),
                 **popen):
        Prefork.count += 1
        self.log = f"{WORLD}/prefork-{Prefork.count}.log"
        self.listening = listening or (fds and fds[0]) or listener()
        # A zygote that reads a file that has just changed is soon replaced by another one.
        for path in " ".join(options).split():
            if os.path.isfile(path):
                eventually(lambda path=path: time.time() - os.stat(path).st_ctime > 0.05, path)
        flags = [word for line in (*rules, *Handler.usual) for word in ("-o", line)]
        if fds:
            # The shell is replaced by the supervisor, so its PID is the supervisor's.
            moves = " ".join(f"{3 + i}<&{sock.fileno()}" for i, sock in enumerate(fds))
            before = ["bash", "-c", f'LISTEN_PID=$$ LISTEN_FDS={len(fds)} exec "$@" {moves}', "sh",
                      *before]
            passed = [sock.fileno() for sock in fds]
            popen = {"stdin": subprocess.DEVNULL, "pass_fds": passed} | popen
        with open(self.log, "wb") as log:
            popen = {"stdin": self.listening, "stdout": subprocess.DEVNULL, "stderr": log} | popen
            self.process = subprocess.Popen([*before, STDSOCKS, *flags, *options], **popen)
        self.pid = self.process.pid

    def log_text(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def zygote(self):
        """Returns the PID of the zygote, the child of the supervisor that has forked children."""
        return eventually(lambda: next(
            (pid for pid in children(self.pid)
             if any(syscall(child) == ACCEPT4 for child in children(pid))), None), "a zygote")

    def ready(self, number=8):
        """Waits until NUMBER children wait for a connection. Returns their PIDs."""
        def waiting():
            pids = [pid for zygote in children(self.pid) for pid in children(zygote)
                    if syscall(pid) == ACCEPT4]
            return pids if len(pids) == number else None

        return eventually(waiting, f"{number} ready children")

    def client(self):
        one = socket.socket(self.listening.family)
        one.settimeout(DEADLINE_S)
        one.connect(self.listening.getsockname())
        return Endpoint(one)

    def connect(self, listening, host="127.0.0.1"):
        """CONNECT to HOST and the port of LISTENING. Returns the two ends."""
        one = self.client()
        one.send(GREETING + request(host, port_of(listening)))
        check(one.recv(2), CHOSEN)
        check(one.recv(10)[:2], b"\x05\x00")
        return one, accept(listening)

    def serves(self, listening):
        """Checks that a connection is served."""
        close(works(self.connect(listening)))

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, status=0):
        self.signal(signal.SIGTERM)
        self.wait_exit(status)

    def wait_exit(self, status=0):
        check(self.process.wait(DEADLINE_S), status)


def works(pair):
    """Checks that bytes pass in both directions."""
    for here, there in pair, pair[::-1]:
        here.send(b"still there")
        check(there.recv(11), b"still there")
    return pair


def close(pair):
    for end in pair:
        end.close()

# SPDX-License-Identifier: ISC
"""Connections to a booted systemd for the tests of stdsocksctl, and a terminal emulator."""

import fcntl
import json
import os
import pty
import select
import socket
import struct
import termios
import time

import pyte

from booted import eventually, instances, say, shown
from socks import CHOSEN, DEADLINE_S, GREETING, Endpoint, check

NOBODY = "setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"


def ctl(*words, status=0):
    return say("stdsocksctl", *words, status=status)


def objects(said):
    """Parses those lines that are JSON objects."""
    return [json.loads(line) for line in said.splitlines() if line[0] == "{"]


def listed(*words):
    """Returns {unit: object}, in the order of "list"."""
    return {row["unit"]: row for row in objects(ctl("list", "--json", *words))}


def columns(row, *names):
    """Returns these fields of an object, with None for a missing field."""
    return [row.get(name) for name in names]


class Connection:
    """A client, its unit, and the process of that. If TITLE is given, the process is "titled", and
    shows this title. If not, it is a handler that has answered the client's greeting."""

    def __init__(self, where=("127.0.0.1", 1080), title=None):
        if isinstance(where, str):
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(where)
        else:
            sock = socket.create_connection(where, DEADLINE_S)
        self.endpoint = Endpoint(sock)
        if title is None:
            self.endpoint.send(GREETING)
            check(self.endpoint.recv(2), CHOSEN)
        else:
            check(self.endpoint.recv(1), b"\n")
            self.show(title)
        self.port = 0 if isinstance(where, str) else sock.getsockname()[1]
        client = f"-{os.getpid()}-{os.getuid()}" if isinstance(where, str) else f":{self.port}"
        (self.unit,) = (unit for unit in units() if unit.endswith(f"{client}.service"))
        self.pid = int(shown(self.unit, "MainPID"))

    def show(self, title):
        """Changes the title of "titled"."""
        self.endpoint.send(title + b"\0")
        check(self.endpoint.recv(1), b"\n")

    def close(self):
        self.endpoint.close()
        eventually(lambda: self.unit not in units(), f"the end of {self.unit}")


def titled(what):
    """Returns the title of a process that serves a client."""
    return b"stdsocks: 127.0.0.1 " + what


def state_of(pid):
    """Returns the letter of /proc/PID/stat, or None if there is no process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            return stat.read().rpartition(") ")[2][0]
    except (FileNotFoundError, ProcessLookupError):
        return None


def has_ended(pid):
    """Returns true also if the parent has not waited for the process yet."""
    return state_of(pid) in (None, "Z")


def units():
    return instances("--state=active")


class Terminal:
    """A shell in a terminal emulator."""

    def __init__(self, rows=24, columns=100, readline=False):
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.said = b""
        env = {"PATH": os.environ["PATH"], "TERM": "xterm", "PS1": "ready> ", "LC_ALL": "C"}
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            more = [] if readline else ["--noediting"]
            os.execve("/bin/bash", ["bash", "--norc", "--noprofile", *more, "-i"], env)
        self.resize(rows, columns)
        self.wait("ready>")
        self.before = self.modes()

    def resize(self, rows, columns):
        self.screen.resize(rows, columns)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def text(self):
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    def read(self):
        if select.select([self.fd], [], [], 0.05)[0]:
            said = os.read(self.fd, 65536)
            self.said += said
            self.stream.feed(said)

    def wait(self, text=None, true=None):
        """Waits until the screen shows TEXT, or until TRUE() returns true."""
        deadline = time.monotonic() + DEADLINE_S
        while not (true() if true else text in self.text()):
            assert time.monotonic() < deadline, f"not shown: {text}\n{self.text()}"
            self.read()

    def keys(self, text):
        os.write(self.fd, text.encode())

    def modes(self):
        return termios.tcgetattr(self.fd)

    def foreground(self):
        """Returns the foreground process group."""
        return struct.unpack("i", fcntl.ioctl(self.fd, termios.TIOCGPGRP, bytes(4)))[0]

    def run(self, line, shows):
        """Types a command line, and waits until the screen shows this text."""
        self.said = b""
        self.keys(line + "\n")
        self.wait(shows)

    def ready(self):
        """Waits for the prompt."""
        self.wait(true=lambda: self.said.rstrip().endswith(b"ready>"))

    def back(self, status):
        """Waits for the prompt, and checks the command's status and that the terminal was reset."""
        self.ready()
        assert b"\x1b[?25h\x1b[?1049l" in self.said[-400:], self.said[-400:]
        assert not self.screen.cursor.hidden
        self.screen.reset()
        self.run("echo status=$?", f"status={status}")
        check(self.modes(), self.before)

    def end(self):
        self.keys("exit\n")
        os.waitpid(self.pid, 0)
        os.close(self.fd)

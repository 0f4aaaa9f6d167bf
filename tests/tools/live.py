# SPDX-License-Identifier: ISC
"""Connections of a booted systemd for the operator's tool, and a terminal to look at it.

A connection here is one whose handshake has not gone on, so that its handler says nothing: what its
unit's status is, is told in its place.
"""

import fcntl
import json
import os
import pty
import select
import socket
import struct
import subprocess
import termios
import time

import pyte

from booted import eventually, instances, say, shown
from socks import CHOSEN, DEADLINE_S, GREETING, Endpoint, check

CGROUPS = "/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"
# The sender is systemd-notify or its parent. It ends when systemd has read the message.
ENTER_AND_TELL = """for procs; do echo $$ >"$procs"; done 2>/dev/null
systemd-notify "--status=$STATUS"
exit"""
NOBODY = "setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"


def ctl(*words, status=0):
    return say("stdsocksctl", *words, status=status)


def objects(said):
    """Those of the lines that are JSON."""
    return [json.loads(line) for line in said.splitlines() if line[0] == "{"]


def listed(*words):
    """Unit to object, in the order of the list."""
    return {one["unit"]: one for one in objects(ctl("list", "--json", *words))}


def columns(row, *names):
    """These fields of an object, None for those that it has not."""
    return [row.get(name) for name in names]


def tell(unit, status):
    """Say for the unit's handler what its status is: systemd knows a process's unit by its cgroup."""
    procs = [f"{root}{shown(unit, 'ControlGroup')}/cgroup.procs" for root in CGROUPS]
    env = {**os.environ, "NOTIFY_SOCKET": "/run/systemd/notify", "STATUS": os.fsdecode(status)}
    check(subprocess.run(["sh", "-c", ENTER_AND_TELL, "sh", *procs], env=env).returncode, 0)
    # systemd 252 takes the backslashes for its own.
    check(shown(unit, "StatusText").replace("\\", ""), status.decode().replace("\\", ""))


class Connection:
    """A client whose greeting was answered, its unit, and perhaps a status."""

    def __init__(self, where=("127.0.0.1", 1080), status=None):
        if isinstance(where, str):
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(where)
        else:
            sock = socket.create_connection(where, DEADLINE_S)
        self.peer = Endpoint(sock)
        self.peer.send(GREETING)
        check(self.peer.recv(2), CHOSEN)
        self.port = 0 if isinstance(where, str) else sock.getsockname()[1]
        end = f"-{os.getpid()}-{os.getuid()}.service" if isinstance(where, str) else f":{self.port}.service"
        (self.unit,) = (unit for unit in units() if unit.endswith(end))
        if status is not None:
            tell(self.unit, status)

    def close(self):
        self.peer.close()
        eventually(lambda: self.unit not in units(), f"the end of {self.unit}")


def units():
    return instances("--state=active")


class Terminal:
    """A shell on a terminal, and what is to be seen on it."""

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
        """Until the text is to be seen, or something is true of what is."""
        deadline = time.monotonic() + DEADLINE_S
        while not (true() if true else text in self.text()):
            assert time.monotonic() < deadline, f"never: {text}\n{self.text()}"
            self.read()

    def keys(self, text):
        os.write(self.fd, text.encode())

    def modes(self):
        return termios.tcgetattr(self.fd)

    def foreground(self):
        """The process group that has the terminal."""
        return struct.unpack("i", fcntl.ioctl(self.fd, termios.TIOCGPGRP, bytes(4)))[0]

    def run(self, line, sees):
        """Type a command line, and wait for what it shows."""
        self.said = b""
        self.keys(line + "\n")
        self.wait(sees)

    def ready(self):
        """Wait until the shell asks for a command."""
        self.wait(true=lambda: self.said.rstrip().endswith(b"ready>"))

    def back(self, status):
        """Wait until the shell is back, with the terminal as it was; its command ended with this status."""
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

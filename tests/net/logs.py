# SPDX-License-Identifier: ISC
"""The logs of a world: readers in the place of journald and of syslogd, and the real ones."""

import contextlib
import os
import re
import shutil
import socket
import subprocess

from world import DEADLINE_S, WORLD, eventually, write

JOURNAL, SYSLOG = "/run/systemd/journal/socket", "/dev/log"


class Reader:
    """A datagram socket at a path, read when the test asks."""

    def __init__(self, path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.path = path
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(path)
        os.chmod(path, 0o666)

    def one(self):
        """The next datagram."""
        self.sock.settimeout(DEADLINE_S)
        return self.sock.recv(65536)

    def all(self):
        """What has come so far."""
        self.sock.settimeout(0)
        datagrams = []
        with contextlib.suppress(BlockingIOError):
            while True:
                datagrams.append(self.sock.recv(65536))
        return datagrams

    def record(self):
        """The fields of the only datagram that has come so far."""
        (datagram,) = self.all()
        return fields(datagram)

    def fill(self):
        """Make it take no more."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.connect(self.path)
            with contextlib.suppress(BlockingIOError):
                while True:
                    sender.send(b"FULL=1\n")


def fields(datagram):
    """The fields of a datagram of the journal's native protocol, each of which is one line."""
    assert datagram.endswith(b"\n"), datagram
    found = {}
    for line in datagram[:-1].split(b"\n"):
        name, equals, value = line.decode("ascii").partition("=")
        assert equals and re.fullmatch("[A-Z][A-Z0-9_]{0,63}", name), line
        assert name not in found, line
        assert value.isprintable(), line
        found[name] = value
    return found


class Syslogd:
    """A real syslogd on /dev/log: busybox's or rsyslogd."""

    def __init__(self, name):
        self.log = f"{WORLD}/messages.log"
        command = {"busybox": self.busybox, "rsyslogd": self.rsyslogd}[name]()
        with open(f"{WORLD}/{name}.log", "wb") as log:
            subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        eventually(lambda: os.path.exists(SYSLOG), f"{name} listens")

    def busybox(self):
        return ["busybox", "syslogd", "-n", "-O", self.log]

    def rsyslogd(self):
        program = shutil.which("rsyslogd")
        # Where its modules are when it was only unpacked: beside it.
        modules = os.path.join(os.path.dirname(program), f"../lib/{os.uname().machine}-linux-gnu/rsyslog/")
        write(f"{WORLD}/rsyslog.conf",
              f'module(load="imuxsock")\n*.* action(type="omfile" file="{self.log}" template="RSYSLOG_DebugFormat")\n')
        return [program, "-n", "-f", f"{WORLD}/rsyslog.conf", "-i", f"{WORLD}/rsyslog.pid", "-M", modules]

    def said(self, text):
        """The log, once this text is in it."""

        def found():
            with contextlib.suppress(FileNotFoundError), open(self.log, encoding="utf-8") as log:
                said = log.read()
                return said if text in said else None

        return eventually(found, f"the log says {text}")

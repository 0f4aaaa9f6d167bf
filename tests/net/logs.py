# SPDX-License-Identifier: ISC
"""Replacements of journald and syslogd for tests, and real syslog daemons."""

import contextlib
import itertools
import os
import pathlib
import re
import shutil
import socket
import subprocess

from world import WORLD, eventually, write

JOURNAL, SYSLOG = "/run/systemd/journal/socket", "/dev/log"


class Reader:
    """A datagram socket with a path, or "@NAME" for an abstract one. Read by the test only."""

    FILLING = b"FULL=1\n"

    def __init__(self, where):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        if where.startswith("@"):
            self.sock.bind("\0" + where[1:])
            return
        os.makedirs(os.path.dirname(where), exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(where)
        self.sock.bind(where)
        os.chmod(where, 0o666)

    def all(self):
        """All datagrams received so far."""
        self.sock.settimeout(0)
        datagrams = []
        with contextlib.suppress(BlockingIOError):
            while True:
                datagrams.append(self.sock.recv(65536))
        return datagrams

    def record(self):
        """The fields of the only datagram received so far."""
        (datagram,) = self.all()
        return fields(datagram)

    def fill(self):
        """Fill the queue of the socket. Returns the number of datagrams."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.connect(self.sock.getsockname())
            for count in itertools.count():
                try:
                    sender.send(self.FILLING)
                except BlockingIOError:
                    return count


def fields(datagram):
    """Parse a datagram of the journal's native protocol, in which each field must be one line."""
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
    """A real syslogd on /dev/log: busybox's or rsyslogd. rsyslogd also writes its two usual formats
    to the files OLD and NEW, without and with a year."""

    OLD, NEW = f"{WORLD}/old.log", f"{WORLD}/new.log"

    def __init__(self, name):
        self.log = f"{WORLD}/messages.log"
        write(self.log, "")
        command = {"busybox": self.busybox, "rsyslogd": self.rsyslogd}[name]()
        with open(f"{WORLD}/{name}.log", "wb") as log:
            subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        eventually(lambda: os.path.exists(SYSLOG), f"{name} listens")

    def busybox(self):
        return ["busybox", "syslogd", "-n", "-O", self.log]

    def rsyslogd(self):
        program = shutil.which("rsyslogd")
        # The modules of a package that is only unpacked.
        modules = os.path.join(os.path.dirname(program),
                               f"../lib/{os.uname().machine}-linux-gnu/rsyslog/")
        formats = {"DebugFormat": self.log, "TraditionalFileFormat": self.OLD,
                   "FileFormat": self.NEW}
        write(f"{WORLD}/rsyslog.conf", 'module(load="imuxsock")\n' + "".join(
            f'*.* action(type="omfile" file="{path}" template="RSYSLOG_{name}")\n'
            for name, path in formats.items()))
        return [program, "-n", "-f", f"{WORLD}/rsyslog.conf", "-i", f"{WORLD}/rsyslog.pid", "-M",
                modules]

    def wait_text(self, text):
        """Wait until this text is in the log. Returns the log."""
        log = pathlib.Path(self.log)
        eventually(lambda: text in log.read_text(encoding="utf-8"), f"the log has {text}")
        return log.read_text(encoding="utf-8")

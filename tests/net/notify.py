# SPDX-License-Identifier: ISC
"""A replacement of systemd as the reader of $NOTIFY_SOCKET."""

import os
import re
import socket
import struct
import time

from logs import Reader
from world import DEADLINE_S, Handler, listeners

PAUSE_S = 1  # before the first message, and between two


class Manager(Reader):
    """A datagram socket with a path, or "@NAME" for an abstract one, that receives credentials."""

    FILLING = b"STATUS=full"

    def __init__(self, where="/run/notify"):
        super().__init__(where)
        self.where = where
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)

    def handler(self, *options, **popen):
        """Start a handler with this $NOTIFY_SOCKET."""
        return Handler(*options, env=notify_env(self.where), **popen)

    def next(self, pid=None, within_s=DEADLINE_S):
        """The text of the next message, or None. PID is the required sender, as with systemd."""
        self.sock.settimeout(within_s)
        try:
            message, ancillary, _, _ = self.sock.recvmsg(65536, 256)
        except (BlockingIOError, TimeoutError):
            return None
        ((_, _, credentials),) = ancillary
        assert pid in (None, struct.unpack("iII", credentials)[0]), "another process sent it"
        start, text = message[:7], message[7:].decode("ascii")
        assert start == b"STATUS=" and text.isprintable(), message
        return text

    def silent(self, span_s=2.5 * PAUSE_S):
        """Whether no message comes for SPAN_S seconds."""
        return self.next(within_s=span_s) is None

    def says(self, pattern, **kwargs):
        """Match the next message. Returns the groups of PATTERN."""
        text = self.next(**kwargs)
        match = text and re.fullmatch(pattern, text)
        assert match, f"{text!r} is not {pattern}"
        return match.groups()


def watched():
    """Returns a manager, a handler that notifies it, and upstream's socket."""
    manager = Manager()
    (listening,) = listeners("127.0.0.1")
    h = manager.handler()
    return manager, h, h.connected("127.0.0.1", listening)


def notify_env(path, **more):
    """An environment with this NOTIFY_SOCKET."""
    return {**os.environ, "NOTIFY_SOCKET": path, **more}


def settles(manager, pattern):
    """Read messages up to the first without a rate, and match that."""
    deadline = time.monotonic() + DEADLINE_S
    while "/s," in (text := manager.next()):
        assert time.monotonic() < deadline, "each message has a rate"
    assert re.fullmatch(pattern, text), f"{text!r} is not {pattern}"

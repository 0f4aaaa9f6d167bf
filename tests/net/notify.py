# SPDX-License-Identifier: ISC
"""Who wants to know what a connection is, in systemd's place: the reader of $NOTIFY_SOCKET."""

import os
import re
import socket
import struct
import time

from logs import Reader
from world import DEADLINE_S, Handler, listeners

PAUSE_S = 1  # before the first message, and between two


class Manager(Reader):
    """A datagram socket at a path, or "@NAME" for one without, which knows the senders."""

    FILLING = b"STATUS=full"

    def __init__(self, where="/run/notify"):
        super().__init__(where)
        self.where = where
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)

    def handler(self, *options, **popen):
        """A handler that knows of it."""
        return Handler(*options, env=notify_env(self.where), **popen)

    def next(self, pid=None, within_s=DEADLINE_S):
        """The next message's text; or None. PID is who has to have sent it, as systemd demands."""
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
        """Whether no message comes for so long."""
        return self.next(within_s=span_s) is None

    def says(self, pattern, **kwargs):
        """The next message, which has to match; its groups."""
        text = self.next(**kwargs)
        match = text and re.fullmatch(pattern, text)
        assert match, f"{text!r} is not {pattern}"
        return match.groups()


def watched():
    """A manager, a handler that knows of it, and the upstream's end of its connection."""
    manager = Manager()
    (listening,) = listeners("127.0.0.1")
    h = manager.handler()
    return manager, h, h.connected("127.0.0.1", listening)


def notify_env(where, **more):
    """The environment of one that is told where to send."""
    return {**os.environ, "NOTIFY_SOCKET": where, **more}


def settles(manager, pattern):
    """Messages until one says no rate; that one has to match."""
    deadline = time.monotonic() + DEADLINE_S
    while "/s," in (text := manager.next()):
        assert time.monotonic() < deadline, "it never settles"
    assert re.fullmatch(pattern, text), f"{text!r} is not {pattern}"

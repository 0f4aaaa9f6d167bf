# SPDX-License-Identifier: ISC
"""UDP ASSOCIATE in a world: a handler, its client's datagrams, and whom they go to."""

import time

from datagrams import *
from socks import CHOSEN, GREETING, check, request, request_name
from world import Handler, has


class Association(Datagrams, Handler):
    """One handler, and the socket from which its client sends datagrams."""

    def __init__(self, *options, dst=("0.0.0.0", 0), reply=0, sock=None, rules=("allow to any at any",), **popen):
        super().__init__("-o", "command udp", *options, rules=rules, **popen)
        host, port = dst
        self.client.send(GREETING + (request_name if isinstance(host, bytes) else request)(host, port, UDP_ASSOCIATE))
        check(self.client.recv(2), CHOSEN)
        self.asked_s = time.monotonic()
        check(self.answer(), reply)
        self.relay = place(self.bound)[:2]
        if reply == 0:
            self.sock = sock or udp(self.relay[0])

    def lookups(self):
        """The process that looks names up."""
        with open(f"/proc/{self.pid}/task/{self.pid}/children", encoding="ascii") as children:
            (pid,) = children.read().split()
        return int(pid)

    def over_with(self, status=0, drops=None, **fields):
        """The client leaves; what the record says, and which datagrams were DROPPED."""
        self.client.close()
        record = self.ended(status, **{"END": "closed", "CLOSED_BY": "client", **fields})
        has(record, DROPPED_FOR=drops)
        counts = [int(word.split()[1]) for word in (drops or "x 0").split(", ")]
        has(record, DROPPED=str(sum(counts)))
        return record

# SPDX-License-Identifier: ISC
"""UDP ASSOCIATE in a world: a handler, its client's datagrams, and whom they go to."""

import re
import time

from datagrams import UDP_ASSOCIATE, Datagrams, parse_address, udp
from socks import CHOSEN, GREETING, check, request, request_name
from world import WORLD, Handler, check_fields

CALLS = f"{WORLD}/calls"


class Association(Datagrams, Handler):
    """One handler, and the socket from which its client sends datagrams."""

    def __init__(self, *options, dst=("0.0.0.0", 0), reply=0, sock=None, rules=("allow to any at any",), **popen):
        super().__init__("-o", "command udp", *options, rules=rules, **popen)
        host, port = dst
        self.client.send(GREETING + (request_name if isinstance(host, bytes) else request)(host, port, UDP_ASSOCIATE))
        check(self.client.recv(2), CHOSEN)
        self.requested_s = time.monotonic()
        check(self.read_reply(), reply)
        self.relay = parse_address(self.bound)[:2]
        if reply == 0:
            self.sock = sock or udp(self.relay[0])

    def lookups(self):
        """The process that looks names up."""
        (pid,) = children(self.pid)
        return pid

    def unserved(self, said="", **fields):
        """The client had the reply 01; the handler has failed, and its record has these fields."""
        self.ends(status=71, END="failed", REPLY="1", **fields)
        assert said in self.log_text(), self.log_text()

    def over_with(self, status=0, drops=None, **fields):
        """The client leaves; what the record says, and which datagrams were DROPPED."""
        self.client.close()
        record = self.ended(status, **{"END": "closed", "CLOSED_BY": "client", **fields})
        check_fields(record, DROPPED_FOR=drops)
        counts = [int(word.split()[1]) for word in (drops or "x 0").split(", ")]
        check_fields(record, DROPPED=str(sum(counts)))
        return record


def traced(call):
    """The command under which an association's calls of one system call are written to CALLS."""
    return ["strace", "-f", "-qq", "-e", f"trace={call}", "-o", CALLS]


def calls(pattern):
    """The lines of CALLS in which the pattern is found."""
    with open(CALLS, encoding="ascii") as lines:
        return [line for line in lines if re.search(pattern, line)]


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as pids:
        return [int(pid) for pid in pids.read().split()]

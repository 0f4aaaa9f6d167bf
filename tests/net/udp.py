# SPDX-License-Identifier: ISC
"""A handler that serves UDP ASSOCIATE, with the datagram socket of its client."""

import re

from datagrams import UDP_ASSOCIATE, Datagrams, parse_address, udp
from socks import CHOSEN, GREETING, check, request, request_name
from world import WORLD, Handler, check_fields

CALLS = f"{WORLD}/calls"


class Association(Datagrams, Handler):
    """A handler, the client's TCP connection, and the socket of the client's datagrams."""

    def __init__(self, *options, dst=("0.0.0.0", 0), reply=0, sock=None,
                 rules=("allow to any at any",), **popen):
        super().__init__("-o", "command udp", *options, rules=rules, **popen)
        host, port = dst
        encode = request_name if isinstance(host, bytes) else request
        self.client.send(GREETING + encode(host, port, UDP_ASSOCIATE))
        check(self.client.recv(2), CHOSEN)
        check(self.read_reply(), reply)
        self.relay = parse_address(self.bound)[:2]
        if reply == 0:
            self.sock = sock or udp(self.relay[0])

    def fails(self, text="", **fields):
        """After reply 01 the handler exits with status 71, this text in its log and this record."""
        self.ends(status=71, END="failed", REPLY="1", **fields)
        assert text in self.log_text(), self.log_text()

    def close_and_check(self, status=0, drops=None, **fields):
        """Close the client's connection, and check the record and DROPPED_FOR. Returns the
        record."""
        self.client.close()
        record = self.ended(status, **{"END": "closed", "CLOSED_BY": "client", **fields})
        check_fields(record, DROPPED_FOR=drops)
        counts = [int(word.split()[1]) for word in (drops or "x 0").split(", ")]
        check_fields(record, DROPPED=str(sum(counts)))
        return record


def traced(call):
    """The strace command that writes each use of one system call to CALLS."""
    return ["strace", "-f", "-qq", "-e", f"trace={call}", "-o", CALLS]


def calls(pattern):
    """The lines of CALLS that match PATTERN."""
    with open(CALLS, encoding="ascii") as lines:
        return [line for line in lines if re.search(pattern, line)]


def queries():
    """The bytes that wait in each UDP socket that is connected to a name server over IPv4."""
    with open("/proc/net/udp", encoding="ascii") as lines:
        rows = [line.split() for line in lines][1:]
    return [int(row[4].split(":")[1], 16) for row in rows if row[2].endswith(":0035")]


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as pids:
        return [int(pid) for pid in pids.read().split()]

# SPDX-License-Identifier: ISC
"""UDP ASSOCIATE in a world: a handler, its client's datagrams, and whom they go to."""

import contextlib
import ipaddress
import select
import socket
import struct
import time

from socks import CHOSEN, DEADLINE_S, GREETING, check, request
from world import Handler, has, request_name

UDP_ASSOCIATE = 3
SIZE_MAX = 65507  # of a datagram over IPv4: 65535 less the headers of IP and UDP


def udp(host="127.0.0.1", port=0):
    """A UDP socket there."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((host, port))
    sock.settimeout(DEADLINE_S)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    return sock


def at(sock):
    return sock.getsockname()[:2]


def header(host, port, rsv=0, frag=0):
    """RFC 1928 s7; a name of whatever bytes is HOST as bytes."""
    where = request_name(host, port) if isinstance(host, bytes) else request(host, port)
    return struct.pack(">HB", rsv, frag) + where[3:]


def parted(datagram):
    """The address, port and data of what has come through an association."""
    check(datagram[:3], b"\0\0\0")
    size = {1: 4, 4: 16}[datagram[3]]
    host, port = datagram[4 : 4 + size], datagram[4 + size : 6 + size]
    return str(ipaddress.ip_address(host)), *struct.unpack(">H", port), datagram[6 + size :]


class Association(Handler):
    """One handler, and the socket from which its client sends datagrams."""

    def __init__(self, *options, dst=("0.0.0.0", 0), reply=0, sock=None, rules=("allow to any at any",), **popen):
        super().__init__("-o", "command udp", *options, rules=rules, **popen)
        host, port = dst
        self.client.send(GREETING + (request_name if isinstance(host, bytes) else request)(host, port, UDP_ASSOCIATE))
        check(self.client.recv(2), CHOSEN)
        self.asked_s = time.monotonic()
        check(self.answer(), reply)
        size = {1: 4, 4: 16}[self.bound[0]]
        host = str(ipaddress.ip_address(self.bound[1 : 1 + size]))
        self.relay = (host, struct.unpack(">H", self.bound[1 + size :])[0])
        if reply == 0:
            self.sock = sock or udp(host)

    def send(self, to, data=b"x", **options):
        """DATA to a socket, or to (HOST, PORT)."""
        host, port = to if isinstance(to, tuple) else at(to)
        self.sock.sendto(header(host, port, **options) + data, self.relay)

    def recv(self):
        """What comes next: host, port, data."""
        datagram, source = self.sock.recvfrom(1 << 17)
        check(source[:2], self.relay)
        return parted(datagram)

    def echo(self, server, data=b"question", to=None):
        """There and back; from where it reached the server."""
        self.send(to or server, data)
        got, source = server.recvfrom(1 << 17)
        check(got, data)
        server.sendto(b"re: " + data[: SIZE_MAX - 32], source)
        check(self.recv(), (*at(server), b"re: " + data[: SIZE_MAX - 32]))
        return source[:2]

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


def silent(sock):
    """Whether nothing has come, now that all that was to come has come elsewhere."""
    return not select.select([sock], [], [], 0)[0]


def is_free(where):
    """Whether a UDP address can be bound."""
    with contextlib.suppress(OSError):
        udp(*where).close()
        return True
    return False

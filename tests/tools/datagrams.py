# SPDX-License-Identifier: ISC
"""Datagrams of UDP ASSOCIATE (RFC 1928 s7), beside socks.py."""

import contextlib
import ipaddress
import select
import socket
import struct

from socks import DEADLINE_S, check, request, request_name

UDP_ASSOCIATE = 3
UDP_SEGMENT = 103  # udp(7)
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


def parse_address(where):
    """Of ATYP, address and port: host, port, and what is behind them."""
    size = {1: 4, 4: 16}[where[0]]
    host, port = where[1 : 1 + size], where[1 + size : 3 + size]
    return str(ipaddress.ip_address(host)), *struct.unpack(">H", port), where[3 + size :]


def parse_datagram(datagram):
    """The address, port and data of what has come through an association."""
    check(datagram[:3], b"\0\0\0")
    return parse_address(datagram[3:])


class Datagrams:
    """Those of a client: self.sock is where it sends them from, self.relay where to."""

    def send(self, to, data=b"x", **options):
        """DATA to a socket, or to (HOST, PORT)."""
        host, port = to if isinstance(to, tuple) else at(to)
        self.sock.sendto(header(host, port, **options) + data, self.relay)

    def recv(self):
        """What comes next: host, port, data."""
        datagram, source = self.sock.recvfrom(1 << 17)
        check(source[:2], self.relay)
        return parse_datagram(datagram)

    def echo(self, server, data=b"question", to=None):
        """There and back; from where it reached the server."""
        self.send(to or server, data)
        got, source = server.recvfrom(1 << 17)
        check(got, data)
        server.sendto(b"re: " + data[: SIZE_MAX - 32], source)
        check(self.recv(), (*at(server), b"re: " + data[: SIZE_MAX - 32]))
        return source[:2]


def send_gso(sock, to, datagrams):
    """Sends all in one message, which the kernel parts for sockets that take datagrams only."""
    sock.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, len(datagrams[0]))
    sock.sendto(b"".join(datagrams), to)
    sock.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 0)


def silent(sock):
    """Whether nothing has come, now that all that was to come has come elsewhere."""
    return not select.select([sock], [], [], 0)[0]


def is_free(where):
    """Whether a UDP address can be bound."""
    with contextlib.suppress(OSError):
        udp(*where).close()
        return True
    return False

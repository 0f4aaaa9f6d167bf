# SPDX-License-Identifier: ISC
"""UDP sockets, and the datagrams of UDP ASSOCIATE (RFC 1928 s7)."""

import contextlib
import ipaddress
import select
import socket
import struct

from socks import DEADLINE_S, check, request, request_name

UDP_ASSOCIATE = 3
UDP_SEGMENT = 103  # udp(7)
SIZE_MAX = 65507  # of a datagram over IPv4: 65535 minus the headers of IP and UDP


def udp(host="127.0.0.1", port=0):
    """Returns a UDP socket that is bound to this address."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((host, port))
    sock.settimeout(DEADLINE_S)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    return sock


def at(sock):
    return sock.getsockname()[:2]


def header(host, port, rsv=0, frag=0):
    """Returns the header of RFC 1928 s7. If HOST is bytes, it is a name."""
    where = request_name(host, port) if isinstance(host, bytes) else request(host, port)
    return struct.pack(">HB", rsv, frag) + where[3:]


def parse_address(where):
    """Parses ATYP, address and port. Returns host, port, and the bytes that follow."""
    size = {1: 4, 4: 16}[where[0]]
    host, port = where[1 : 1 + size], where[1 + size : 3 + size]
    return str(ipaddress.ip_address(host)), *struct.unpack(">H", port), where[3 + size :]


def parse_datagram(datagram):
    """Parses a datagram from an association. Returns host, port and data."""
    check(datagram[:3], b"\0\0\0")
    return parse_address(datagram[3:])


class Datagrams:
    """A client's side of an association: self.sock, and the relay's address, self.relay."""

    def send(self, to, data=b"x", **options):
        """Sends DATA to a socket, or to (HOST, PORT)."""
        host, port = to if isinstance(to, tuple) else at(to)
        self.sock.sendto(header(host, port, **options) + data, self.relay)

    def recv(self):
        """Receives a datagram. Returns host, port and data."""
        datagram, source = self.sock.recvfrom(1 << 17)
        check(source[:2], self.relay)
        return parse_datagram(datagram)

    def echo(self, server, data=b"question", to=None):
        """Checks that the server gets DATA, and the client its answer. Returns the relay's address
        towards the server."""
        self.send(to or server, data)
        got, source = server.recvfrom(1 << 17)
        check(got, data)
        server.sendto(b"re: " + data[: SIZE_MAX - 32], source)
        check(self.recv(), (*at(server), b"re: " + data[: SIZE_MAX - 32]))
        return source[:2]


def send_gso(sock, to, datagrams):
    """Sends all datagrams, which have one size, in one GSO batch."""
    sock.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, len(datagrams[0]))
    sock.sendto(b"".join(datagrams), to)
    sock.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 0)


def silent(sock):
    """Returns true if nothing has arrived. Call it after the other sockets have got theirs."""
    return not select.select([sock], [], [], 0)[0]


def is_free(where):
    """Returns true if this UDP address can be bound."""
    with contextlib.suppress(OSError):
        udp(*where).close()
        return True
    return False

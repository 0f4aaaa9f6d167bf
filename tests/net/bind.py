# SPDX-License-Identifier: ISC
"""BIND: handlers that wait for an inbound connection, and remote hosts. For scripts in a world."""

import socket
import struct

from socks import CHOSEN, DEADLINE_S, GREETING, Endpoint, check, close_in_order, meanwhile, pattern
from socks import request, request_name
from world import Handler, network_of

BIND = 2
FTP = 21  # FTP clients request this port; the server connects from another one, often 20
LISTEN_BACKLOG = 16  # src/net/listen.h; the kernel queues one connection more
GRANTED, REJECTED = (bytes([0, code]) for code in (0x5A, 0x5B))  # version 4


class Binding(Handler):
    """A handler for BIND."""

    def __init__(self, *options, version=5, commands="command bind", **how):
        self.version = version
        super().__init__("-o", commands, "-o", "version 4 5", *options, **how)

    def connect(self, host, port):
        """Requests CONNECT instead. Returns the reply's code."""
        super().send_request(host, port)
        return self.read_reply()

    def send_request(self, host, port=FTP, payload=b""):
        if self.version == 4:
            self.client.send(request4(host, port) + payload)
            return
        encode = request_name if isinstance(host, bytes) else request
        self.client.send(GREETING + encode(host, port, BIND) + payload)
        check(self.client.recv(2), CHOSEN)

    def gets_reply(self, host, port):
        """Checks that the client gets a reply with "succeeded" and this address."""
        wanted = request(host, port)[3:]
        if self.version == 4:
            wanted = GRANTED + wanted[-2:] + wanted[1:5]
        else:
            wanted = b"\x05\0\0" + wanted
        check(self.client.recv(len(wanted)), wanted)

    def binds(self, host, port=FTP, payload=b""):
        """Requests BIND for HOST. Returns the bound address of the first reply."""
        self.send_request(host, port, payload)
        if self.version == 4:
            reply = self.client.recv(8)
            check(reply[:2], GRANTED)
            return socket.inet_ntoa(reply[4:]), int.from_bytes(reply[2:4], "big")
        reply = self.client.recv(4)
        check(reply[:3], b"\x05\0\0")
        family, size = {1: (socket.AF_INET, 4), 4: (socket.AF_INET6, 16)}[reply[3]]
        address = self.client.recv(size)
        return socket.inet_ntop(family, address), int.from_bytes(self.client.recv(2), "big")

    def listening(self):
        """Returns the address of the handler's listening socket, or None."""
        for fd, link in self.descriptors().items():
            if fd > 2 and link.startswith("socket:"):
                with self.take(fd) as sock:
                    if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                        return sock.getsockname()[:2]
        return None

    def accepts(self, where, host=None):
        """Connects from HOST, and checks the second reply. Returns the remote host's end."""
        remote = inbound(where, host)
        self.gets_reply(*remote.sock.getsockname()[:2])
        return remote

    def serves(self, remote, size=1, **fields):
        """Client and remote host exchange SIZE bytes and close; the record has these fields."""
        exchange(self, remote, size)
        self.ended(**{"END": "closed", **fields})

    def waits(self):
        """Checks that the client gets neither the second reply nor FIN."""
        assert self.client.open_and_silent(), "the client got a byte or an end"

    def is_refused(self, reply, status=0, **fields):
        """Checks that the client gets a refusal and FIN, and that the record has FIELDS."""
        wanted = REJECTED + bytes(6) if self.version == 4 else bytes([5, reply, 0, 1]) + bytes(6)
        usual = {"END": "refused", "CLOSED_BY": "stdsocks", "REPLY": str(reply), "REACHED": None}
        return self.ends(wanted, status, **usual | fields)


def split_fields(named):
    """Splits keyword arguments into fields of a record, which are upper case, and the others."""
    fields = {name: value for name, value in named.items() if name.isupper()}
    return fields, {name: value for name, value in named.items() if name not in fields}


def bind_for(host, *options, port=FTP, payload=b"", **how):
    """Starts a handler that waits for HOST. Returns it, and the bound address."""
    h = Binding(*options, **how)
    return h, h.binds(host, port, payload)


def served(host, *options, port=FTP, remote=None, size=1, **named):
    """Checks that BIND for HOST succeeds: REMOTE, by default the client's host, connects, both send
    SIZE bytes, and the record has these fields. Returns the bound address."""
    fields, how = split_fields(named)
    h, where = bind_for(host, *options, port=port, **how)
    h.serves(h.accepts(where, remote), size, **fields)
    return where


def refused(reply, host, *options, port=FTP, status=0, **named):
    """Checks the reply to BIND for HOST, and the fields of the record. Returns the handler."""
    fields, how = split_fields(named)
    h = Binding(*options, **how)
    h.send_request(host, port)
    h.is_refused(reply, status, **fields)
    return h


def request4(host, port=FTP, userid=b"", command=BIND):
    """Returns a request of SOCKS 4, or of 4A if HOST is bytes, a name."""
    is_name = isinstance(host, bytes)
    where, name = (b"\0\0\0\1", host + b"\0") if is_name else (socket.inet_aton(host), b"")
    return struct.pack(">BBH", 4, command, port) + where + userid + b"\0" + name


def inbound(where, host=None):
    """Connects to WHERE, from HOST if given. Returns the remote host's end."""
    with network_of(host):
        return Endpoint(
            socket.create_connection(where, DEADLINE_S, source_address=host and (host, 0)))


def is_reset(where, host=None):
    """Returns true if an inbound connection is reset, during or after connect(2)."""
    try:
        return inbound(where, host).end() == (b"", "reset")
    except ConnectionResetError:
        return True


def exchange(h, remote, size=1):
    """Client and remote host send each other SIZE bytes at the same time, and close."""
    data = pattern(size)
    with meanwhile(h.client.send, data), meanwhile(remote.send, data[::-1]):
        check(remote.recv(size), data)
        check(h.client.recv(size), data[::-1])
    close_in_order(h.client, remote)
    h.client.close()
    remote.close()


def is_closed(where, host=None):
    """Returns true if no socket listens at WHERE any more."""
    try:
        inbound(where, host).close()
    except ConnectionRefusedError:
        return True
    return False

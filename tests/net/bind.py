# SPDX-License-Identifier: ISC
"""BIND: a handler that waits for a call, and those who call. For scripts in a world."""

import socket
import struct

from socks import CHOSEN, DEADLINE_S, GREETING, Endpoint, check, close_in_order, meanwhile, pattern
from socks import request, request_name
from world import Handler

BIND = 2
FTP = 21  # what clients of FTP say; the call comes from another port, 20 with many servers
LISTEN_BACKLOG = 16  # src/net/listen.h; the kernel keeps one call more
GRANTED, REJECTED = (bytes([0, code]) for code in (0x5A, 0x5B))  # version 4


class Binding(Handler):
    """A handler, of which BIND is asked."""

    def __init__(self, *options, version=5, commands="command bind", **how):
        self.version = version
        super().__init__("-o", commands, "-o", "version 4 5", *options, **how)

    def connect(self, host, port):
        """Ask for CONNECT instead; return the reply's code."""
        super().ask(host, port)
        return self.answer()

    def ask(self, host, port=FTP, payload=b""):
        if self.version == 4:
            self.client.send(request4(host, port) + payload)
            return
        wanted = request_name(host, port, BIND) if isinstance(host, bytes) else request(host, port, BIND)
        self.client.send(GREETING + wanted + payload)
        check(self.client.recv(2), CHOSEN)

    def hears(self, host, port):
        """The client's next message is a reply, and says "succeeded" and this address."""
        wanted = request(host, port)[3:]
        if self.version == 4:
            wanted = GRANTED + wanted[-2:] + wanted[1:5]
        else:
            wanted = b"\x05\0\0" + wanted
        check(self.client.recv(len(wanted)), wanted)

    def binds(self, host, port=FTP, payload=b""):
        """Ask for the call of HOST; answer where it may call to, of which the first reply tells."""
        self.ask(host, port, payload)
        if self.version == 4:
            reply = self.client.recv(8)
            check(reply[:2], GRANTED)
            return socket.inet_ntoa(reply[4:]), int.from_bytes(reply[2:4], "big")
        reply = self.client.recv(4)
        check(reply[:3], b"\x05\0\0")
        family, size = {1: (socket.AF_INET, 4), 4: (socket.AF_INET6, 16)}[reply[3]]
        return socket.inet_ntop(family, self.client.recv(size)), int.from_bytes(self.client.recv(2), "big")

    def listening(self):
        """Where it listens, as the kernel has it; or None."""
        for fd, link in self.descriptors().items():
            if fd > 2 and link.startswith("socket:"):
                with self.take(fd) as sock:
                    if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                        return sock.getsockname()[:2]
        return None

    def called(self, where, host=None):
        """The peer calls, from HOST; its end, after the second reply."""
        caller = call(where, host)
        self.hears(*caller.sock.getsockname()[:2])
        return caller

    def serves(self, caller, size=1, **fields):
        """Client and caller exchange SIZE bytes and end; the record has these fields."""
        exchange(self, caller, size)
        self.ended(**{"END": "closed", **fields})

    def waits(self):
        """The second reply has not come."""
        assert self.client.open_and_silent(), "a byte or an end"

    def turned_down(self, reply, status=0, **fields):
        """Nothing but a refusal and FIN comes, in whichever version, and the record is right."""
        wanted = REJECTED + bytes(6) if self.version == 4 else bytes([5, reply, 0, 1]) + bytes(6)
        usual = {"END": "refused", "CLOSED_BY": "stdsocks", "REPLY": str(reply), "REACHED": None}
        return self.ends(wanted, status, **usual | fields)


def apart(named):
    """Of keyword arguments: the fields of a record, whose names are upper case, and the others."""
    fields = {name: value for name, value in named.items() if name.isupper()}
    return fields, {name: value for name, value in named.items() if name not in fields}


def expecting(host, *options, port=FTP, payload=b"", **how):
    """A handler that waits for the call of HOST, and where HOST may call to."""
    h = Binding(*options, **how)
    return h, h.binds(host, port, payload)


def served(host, *options, port=FTP, caller=None, size=1, **named):
    """BIND for HOST succeeds: CALLER, or the client's own host, connects, both send SIZE bytes, and
    the record has these fields. Returns the address that was bound."""
    fields, how = apart(named)
    h, where = expecting(host, *options, port=port, **how)
    h.serves(h.called(where, caller), size, **fields)
    return where


def refused(reply, host, *options, port=FTP, status=0, **named):
    """BIND for HOST has this reply, and the record these fields. Returns the handler."""
    fields, how = apart(named)
    h = Binding(*options, **how)
    h.ask(host, port)
    h.turned_down(reply, status, **fields)
    return h


def request4(host, port=FTP, userid=b"", command=BIND):
    """The request of SOCKS 4, or of 4A for a name, which is HOST as bytes."""
    where, name = (b"\0\0\0\1", host + b"\0") if isinstance(host, bytes) else (socket.inet_aton(host), b"")
    return struct.pack(">BBH", 4, command, port) + where + userid + b"\0" + name


def call(where, host=None):
    return Endpoint(socket.create_connection(where, DEADLINE_S, source_address=host and (host, 0)))


def is_reset(where, host=None):
    """Whether who calls is reset, before or after it may call itself connected."""
    try:
        return call(where, host).end() == (b"", "reset")
    except ConnectionResetError:
        return True


def exchange(h, caller, size=1):
    """Both get what the other one sends, at the same time, and then the end."""
    data = pattern(size)
    with meanwhile(h.client.send, data), meanwhile(caller.send, data[::-1]):
        check(caller.recv(size), data)
        check(h.client.recv(size), data[::-1])
    close_in_order(h.client, caller)
    h.client.close()
    caller.close()


def is_refused(where, host=None):
    """Whether nobody listens there any more."""
    try:
        call(where, host).close()
    except ConnectionRefusedError:
        return True
    return False

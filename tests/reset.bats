#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# A client that leaves before it is served: a reset, and the full close of an AF_UNIX socket or of
# pipes, end the handler at once; a FIN does not.

load helper
load net/world

prelude <<'PY'
import os

from dns import Server, answer
from logins import BlockingProgram
from prefork import Prefork, children
from socks import CHOSEN, GREETING, accept, check, is_idle, login, pattern, request, request_name
from world import Handler, bound, connection, connection_as, eventually, port_of

BIND, RESOLVE, RESOLVE_PTR = 2, 0xF0, 0xF1
OFFER, CHOSEN_2 = b"\x05\x01\x02", b"\x05\x02"
KINDS = {"inet": "104", "unix": None, "pipes": "32"}  # and the errno of a client that leaves
LONG = "-o", "timeout handshake 60s", "-o", "timeout connect 60s"
AHEAD = pattern(50000)  # fits into a pipe


class Client:
    """A handler and its client, of one of three kinds."""

    def __init__(self, kind, *options):
        self.kind = kind
        if kind == "pipes":
            its_stdin, self.stdin = os.pipe()
            self.stdout, its_stdout = os.pipe()
            self.h = Handler(*LONG, *options, stdin=its_stdin, stdout=its_stdout)
            os.close(its_stdin)
            os.close(its_stdout)
        else:
            ends = connection() if kind == "inet" else connection_as(LISTENING, 0)
            self.h = Handler(*LONG, *options, ends=ends)

    def send(self, data):
        if self.kind == "pipes":
            check(os.write(self.stdin, data), len(data))
        else:
            self.h.client.send(data)

    def recv(self, size):
        if self.kind != "pipes":
            return self.h.client.recv(size)
        return b"".join(os.read(self.stdout, 1) for _ in range(size))

    def asks(self, message, chosen=CHOSEN):
        """Sends the message after a greeting, and more bytes ahead."""
        self.send((OFFER if chosen == CHOSEN_2 else GREETING) + message + AHEAD)
        check(self.recv(2), chosen)
        return self

    def fin(self):
        if self.kind == "pipes":
            os.close(self.stdin)
            self.stdin = None
        else:
            self.h.client.fin()

    def leave(self):
        if self.kind == "inet":
            self.h.client.reset()
        elif self.kind == "unix":
            self.h.client.close()
        else:
            os.close(self.stdout)
            if self.stdin is not None:
                os.close(self.stdin)

    def is_gone(self, **fields):
        """Leaves, and checks that the handler ends long before its timeouts."""
        self.leave()
        wanted = {"END": "client-gone", "CLOSED_BY": "client", "ERRNO": KINDS[self.kind]}
        record = self.h.ended(**wanted | fields)
        assert int(record["STDSOCKS_TOTAL_USEC"]) < 50e6, record


LISTENING = bound()
PY

setup() {
    need_world
}

@test "reset: ends the handler at once during the handshake, a lookup and a connect" {
    need_wire
    world <<'PY'
from wire import Wire, drop
wire = Wire()
wire.actions["192.0.2.1"] = drop
server = Server({})
for kind in KINDS:
    one = Client(kind)
    one.send(GREETING[:1])
    one.h.titled(".* handshake")
    one.is_gone(COMMAND=None, REPLY=None)
    for command, options in (1, ()), (RESOLVE, ("-o", "command resolve")):
        name = f"{kind}-{command}.test"
        one = Client(kind, *options).asks(request_name(name.encode(), 80, command))
        server.expect(name)
        one.is_gone(COMMAND={1: "CONNECT"}.get(command, "RESOLVE"), DST=name, REPLY=None)
    one = Client(kind, "-o", "command resolve").asks(request("127.0.0.9", 0, RESOLVE_PTR))
    eventually(lambda: server.queries[-1].startswith("PTR "), "a query for PTR records")
    one.is_gone(COMMAND="RESOLVE_PTR", REPLY=None)
    wire.syns.clear()
    one = Client(kind).asks(request("192.0.2.1", 80))
    eventually(wire.tried, "SYN is on its way")
    one.is_gone(COMMAND="CONNECT", DST="192.0.2.1", REPLY=None)
PY
}

@test "reset: ends the handler at once while BIND or checkpassword waits" {
    world <<'PY'
waiting = BlockingProgram()
for kind in KINDS:
    one = Client(kind, "-o", "command bind").asks(request("127.0.0.1", 21, BIND))
    check(one.recv(10)[:4], b"\x05\x00\x00\x01")
    one.is_gone(COMMAND="BIND", REPLY="0", REACHED=None)
    for command in "connect", "resolve", "udp":
        one = Client(kind, *waiting.options, "-o", f"command {command}")
        one.asks(login(b"alice", b"secret"), CHOSEN_2)
        waiting.wait_begun()
        one.is_gone(USER="alice", COMMAND=None)
PY
}

@test "reset: a FIN ends no handler, and the bytes before it arrive" {
    need_wire
    world <<'PY'
from wire import Wire
wire = Wire()
listening = wire.listener("192.0.2.1")
wire.delays_s["192.0.2.1"] = 1
waiting = BlockingProgram()
queries = []
server = Server({"late.test": lambda server, query, asker: queries.append((query, asker))})

def connected(one, upstream):
    check(one.recv(10)[:4], b"\x05\x00\x00\x01")
    check(upstream.end(), (AHEAD, "fin"))
    upstream.close()
    check(one.h.process.wait(20), 0)
    one.h.ended(END="closed", CLOSED_BY="client", BYTES_UP=str(len(AHEAD)))

for kind in KINDS:
    one = Client(kind).asks(request_name(b"late.test", port_of(listening)))
    eventually(lambda: len(queries) >= 2, "the queries for A and AAAA arrive")
    one.fin()
    assert is_idle(one.h.pid), "uses CPU after FIN"
    for query, asker in queries:
        server.sock.sendto(answer(query, ["192.0.2.1"]), asker)
    queries.clear()
    connected(one, accept(listening))  # a second later
    one = Client(kind, *waiting.options).asks(
        login(b"alice", b"secret") + request("192.0.2.1", port_of(listening)), CHOSEN_2)
    waiting.wait_begun()
    one.fin()
    assert is_idle(one.h.pid), "uses CPU after FIN"
    waiting.exit(0)
    check(one.recv(2), b"\x01\x00")
    connected(one, accept(listening))
PY
}

@test "reset: ends the handler at once if it comes after a FIN" {
    world <<'PY'
server = Server({})
for kind, error in ("inet", "32"), ("unix", None):
    name = f"{kind}.test"
    one = Client(kind).asks(request_name(name.encode(), 80))
    server.expect(name)
    one.fin()
    assert is_idle(one.h.pid), "uses CPU after FIN"
    one.is_gone(DST=name, ERRNO=error)
PY
}

@test "reset: ends a child of prefork mode at once" {
    world <<'PY'
server = Server({})
p = Prefork(*LONG)
zygote = p.zygote()
pids = set(p.ready())
clients = [p.client() for _ in range(20)]
for one in clients:
    one.send(GREETING + request_name(b"silent.test", 80) + AHEAD)
    check(one.recv(2), CHOSEN)
eventually(lambda: server.queries.count("A silent.test") >= 20, "20 lookups")
for one in clients:
    one.reset()
eventually(lambda: p.log_text().count(": client disconnected during the handshake (Conn") == 20,
           "20 records")
eventually(lambda: len(children(zygote)) == 8, "only children that wait are left")
PY
}

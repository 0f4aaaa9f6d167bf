#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The client's reply after a name server's right, slow, malformed or missing answer. tests/dial.bats
# tests names with several addresses; tests/conversation.bats and tests/unit/addr.c, invalid names.

load helper
load net/world

prelude <<'PY'
import signal, time

from dns import Dnsmasq, SERVFAIL, Server, broken, slow
from socks import CHOSEN, GREETING, check, request_name
from world import Handler, is_waiting, listeners, port_of, write

def reaches(name, host, **fields):
    """Checks that CONNECT to NAME connects to HOST. Returns the record."""
    (listening,) = listeners(host)
    with listening:
        h = Handler()
        upstream = h.connected(name, listening)
        return h.closed(upstream, REPLY="0", DST=name.decode(), REACHED=host, ERRNO=None, **fields)

def unresolved(name, *options):
    """Checks that CONNECT to NAME gets the reply 04 without a connection. Returns the record."""
    h = Handler(*options)
    check(h.connect(name, 80), 4)
    check(h.bound, b"\x01" + bytes(6))
    return h.refused(REPLY="4", DST=name.decode(), DST_PORT="80", REACHED=None, CONNECT_USEC=None,
                     BYTES_UP="0", BYTES_DOWN="0")
PY

setup() {
    need_world
}

@test "dns: sends one A and one AAAA query for a name with addresses of one family" {
    need dnsmasq
    world <<'PY'
server = Dnsmasq(hosts=["127.0.0.1 four.test", "::1 six.test"])
for name, host in (b"four.test", "127.0.0.1"), (b"six.test", "::1"):
    assert int(reaches(name, host)["STDSOCKS_RESOLVE_USEC"]) > 0
check(server.queries(), ["A four.test", "A six.test", "AAAA four.test", "AAAA six.test"])
PY
}

@test "dns: connects to the address that answers if a name has one of each family [RFC 8305]" {
    need dnsmasq
    world <<'PY'
server = Dnsmasq(hosts=["127.0.0.1 both.test", "::1 both.test"])
for host in "127.0.0.1", "::1":
    reaches(b"both.test", host)
PY
}

@test "dns: follows a chain of aliases without more queries [RFC 1034 3.6.2]" {
    need dnsmasq
    world <<'PY'
aliases = "--cname=a.test,b.test", "--cname=b.test,c.test", "--cname=c.test,d.test"
server = Dnsmasq(*aliases, hosts=["127.0.0.1 d.test"])
reaches(b"a.test", "127.0.0.1")
check(server.queries(), ["A a.test", "AAAA a.test"])
PY
}

@test "dns: accepts names in capitals and with a final dot [RFC 1034 3.1]" {
    need dnsmasq
    world <<'PY'
server = Dnsmasq(hosts=["127.0.0.1 four.test"])
for name in b"FOUR.Test", b"four.test.":
    reaches(name, "127.0.0.1")
PY
}

@test "dns: replies 04 if a name does not exist or has no address [RFC 1928 6]" {
    need dnsmasq
    world <<'PY'
server = Dnsmasq("--txt-record=text.test,hello")
for name in b"none.test", b"text.test":
    unresolved(name)
check(server.queries(), ["A none.test", "A text.test", "AAAA none.test", "AAAA text.test"])
PY
}

@test "dns: replies 04 if the server fails or refuses to answer [RFC 1928 6]" {
    need dnsmasq
    world <<'PY'
server = Dnsmasq()  # it refuses names outside .test
write("/etc/resolv.conf", "nameserver 127.0.0.1\n" * 2 + "options timeout:1 attempts:1\n")
unresolved(b"example.com")
assert "A example.com" in server.queries()
PY
    world <<'PY'
server = Server({"fails.test": SERVFAIL})
write("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
unresolved(b"fails.test")
assert "A fails.test" in server.queries
PY
}

@test "dns: replies 04 at the handshake's deadline if no server answers" {
    world <<'PY'
server = Server({})
record = unresolved(b"silent.test", "-o", "timeout handshake 500ms")
assert 500000 <= int(record["STDSOCKS_TOTAL_USEC"]), record
assert int(record["STDSOCKS_RESOLVE_USEC"]) < 2500000, record
assert "A silent.test" in server.queries
PY
}

@test "dns: the handshake's deadline does not begin again with the lookup" {
    world <<'PY'
server = Server({})
h = Handler("-o", "timeout handshake 1s")
h.client.send(GREETING)
check(h.client.recv(2), CHOSEN)
time.sleep(0.6)  # a slow client
h.client.send(request_name(b"silent.test", 80))
check(h.read_reply(), 4)
record = h.refused(REPLY="4")
assert int(record["STDSOCKS_RESOLVE_USEC"]) < 900000, record
PY
}

@test "dns: replies 04 if no name server listens" {
    world <<'PY'
unresolved(b"name.test", "-o", "timeout handshake 500ms")
PY
}

@test "dns: queries the second name server if the first one does not listen" {
    need dnsmasq
    world <<'PY'
write("/etc/resolv.conf", "nameserver 127.0.0.2\nnameserver 127.0.0.1\n")
server = Dnsmasq(hosts=["127.0.0.1 four.test"])
reaches(b"four.test", "127.0.0.1")
PY
}

@test "dns: waits for a late answer" {
    world <<'PY'
server = Server({"slow.test": slow(0.4, ["127.0.0.1"])})
assert int(reaches(b"slow.test", "127.0.0.1")["STDSOCKS_RESOLVE_USEC"]) >= 390000
check(sorted(server.queries), ["A slow.test", "AAAA slow.test"])
PY
}

@test "dns: ends at once on SIGTERM and SIGINT during a lookup" {
    world <<'PY'
server = Server({})
for number in signal.SIGTERM, signal.SIGINT:
    h = Handler()
    began_s = time.monotonic()
    h.send_request(b"%d.silent.test" % number, 80)
    server.expect(f"{number:d}.silent.test")
    h.process.send_signal(number)
    h.wait_exit()
    assert time.monotonic() - began_s < 3
    h.ended(END="terminated", CLOSED_BY="stdsocks", DST=f"{number:d}.silent.test", REPLY=None)
PY
}

@test "dns: connects to a name with fifty addresses if one of them accepts" {
    need dnsmasq
    world <<'PY'
hosts = [f"127.0.0.{i}" for i in range(129, 179)]
server = Dnsmasq(hosts=[f"{host} fifty.test" for host in hosts])
listening = listeners(*hosts)
h = Handler()
check(h.connect(b"fifty.test", port_of(listening[0])), 0)
(reached,) = (host for host, sock in zip(hosts, listening) if is_waiting(sock))
h.close_client()
h.ended(END="closed", REACHED=reached)
PY
    world <<'PY'
# 29 addresses fill a datagram of 512 bytes (RFC 1035 s4.2.1).
server = Server({"thirty.test": [f"127.0.0.{i}" for i in range(129, 158)]})
reaches(b"thirty.test", "127.0.0.157")
PY
}

@test "dns: connects to a name from /etc/hosts without a query" {
    world <<'PY'
server = Server({})
write("/etc/hosts", "127.0.0.1 localhost\n127.0.0.77 printer printer.example\n")
for name in b"printer", b"printer.example":
    reaches(name, "127.0.0.77")
check(server.queries, [])
PY
}

@test "dns: sends no query for an address that the client sends as a name" {
    world <<'PY'
server = Server({})
for host in "127.0.0.1", "::1":
    reaches(host.encode(), host, RESOLVE_USEC=None)
check(server.queries, [])
PY
}

@test "dns: replies 04 and connects nowhere if all answers are malformed" {
    world <<'PY'
def name_loops(query, right):
    """An answer whose name, and whose alias's target, is a compression pointer to itself."""
    pointer = b"\xc0" + bytes([len(query)])
    header = right[:6] + b"\x00\x01" + right[8:12] + query[12:]
    yield header + pointer + b"\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x02" + pointer

def alias_loops(query, right):
    header = right[:6] + b"\x00\x01" + right[8:12] + query[12:]
    yield header + b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x02\xc0\x0c"

server = Server({
    "empty.test": broken(lambda query, right: [b""]),
    "short.test": broken(lambda query, right: [right[:i] for i in range(12)]),
    "junk.test": broken(lambda query, right: [query[:2] + bytes(range(256))]),
    "other-id.test": broken(lambda query, right: [bytes([right[0] ^ 1]) + right[1:]]),
    "no-response.test": broken(lambda query, right: [query]),
    "cut.test": broken(lambda query, right: [right[:-15]]),
    "long.test": broken(lambda query, right: [right[:6] + b"\xff\xff" + right[8:12] + query[12:]
                                              + b"\xc0" * 400]),
    "name-loops.test": broken(name_loops),
    "alias-loops.test": broken(alias_loops),
})
(listening,) = listeners("127.0.0.1")
handlers = []
for name in server.table:
    h = Handler("-o", "timeout handshake 1s")
    h.send_request(name.encode(), port_of(listening))
    handlers.append((name, h))
for name, h in handlers:
    got = h.read_reply()
    assert got == 4, (name, got)
    h.refused(REPLY="4", REACHED=None)
assert not is_waiting(listening)
PY
}

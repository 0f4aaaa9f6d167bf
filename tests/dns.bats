#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Names: what the resolver's answers, right, slow, broken or missing, come to for the client.

load helper
load net/world

prelude <<'PY'
import signal, time

from dns import Dnsmasq, SERVFAIL, Server, broken, slow
from socks import CHOSEN, GREETING, check, request_name
from world import CLOSED_PORT, Handler, is_waiting, listeners, port_of, write
PY

setup() {
    need_world
}

@test "dns: a name is reached, and asked for once, when it has IPv4 addresses only" {
    need dnsmasq
    world <<'PY'
server = Dnsmasq(hosts=["127.0.0.1 four.test"])
(listening,) = listeners("127.0.0.1")
h = Handler()
h.connected(b"four.test", listening).close()
h.gone()
h.ended(END="closed", REPLY="0", DST="four.test", REACHED="127.0.0.1", ERRNO=None)
assert int(h.record()["STDSOCKS_RESOLVE_USEC"]) > 0
check(server.queries(), ["A four.test", "AAAA four.test"])
PY
}

@test "dns: a name is reached, and asked for once, when it has IPv6 addresses only" {
    need dnsmasq
    world <<'PY'
server = Dnsmasq(hosts=["::1 six.test"])
(listening,) = listeners("::1")
h = Handler()
h.connected(b"six.test", listening).close()
h.gone()
h.ended(END="closed", REPLY="0", DST="six.test", REACHED="::1")
check(server.queries(), ["A six.test", "AAAA six.test"])
PY
}

@test "dns: a name with both families is reached when only one of them answers [RFC 8305]" {
    need dnsmasq
    world <<'PY'
server = Dnsmasq(hosts=["127.0.0.1 both.test", "::1 both.test"])
for host in "127.0.0.1", "::1":
    (listening,) = listeners(host)
    h = Handler()
    h.connected(b"both.test", listening).close()
    listening.close()
    h.gone()
    h.ended(END="closed", REPLY="0", REACHED=host)
PY
}

@test "dns: an alias is followed when it leads over others [RFC 1034 3.6.2]" {
    need dnsmasq
    world <<'PY'
server = Dnsmasq("--cname=a.test,b.test", "--cname=b.test,c.test", "--cname=c.test,d.test", hosts=["127.0.0.1 d.test"])
(listening,) = listeners("127.0.0.1")
h = Handler()
h.connected(b"a.test", listening).close()
h.gone()
h.ended(END="closed", DST="a.test", REACHED="127.0.0.1")
check(server.queries(), ["A a.test", "AAAA a.test"])
PY
}

@test "dns: a name is the same when it is in capitals or ends in a dot [RFC 1034 3.1]" {
    need dnsmasq
    world <<'PY'
server = Dnsmasq(hosts=["127.0.0.1 four.test"])
for name in b"FOUR.Test", b"four.test.":
    (listening,) = listeners("127.0.0.1")
    h = Handler()
    h.connected(name, listening).close()
    listening.close()
    h.gone()
    h.ended(END="closed", DST=name.decode())
PY
}

@test "dns: the reply is 04 when there is no such name [RFC 1928 6]" {
    need dnsmasq
    world <<'PY'
server = Dnsmasq(hosts=["127.0.0.1 four.test"])
h = Handler()
check(h.connect(b"none.test", 80), 4)
check(h.bound, b"\x01" + bytes(6))
h.refused(REPLY="4", DST="none.test", DST_PORT="80", REACHED=None, CONNECT_USEC=None, BYTES_UP="0", BYTES_DOWN="0")
check(server.queries(), ["A none.test", "AAAA none.test"])
PY
}

@test "dns: the reply is 04 when the name has no address [RFC 1928 6]" {
    need dnsmasq
    world <<'PY'
server = Dnsmasq("--txt-record=text.test,hello")
h = Handler()
check(h.connect(b"text.test", 80), 4)
h.refused(REPLY="4", REACHED=None)
check(server.queries(), ["A text.test", "AAAA text.test"])
PY
}

@test "dns: the reply is 04 when the server fails or refuses to answer [RFC 1928 6]" {
    need dnsmasq
    world <<'PY'
server = Dnsmasq()  # which refuses what is not in .test
write("/etc/resolv.conf", "nameserver 127.0.0.1\nnameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
h = Handler()
check(h.connect(b"example.com", 80), 4)
h.refused(REPLY="4", DST="example.com")
assert "A example.com" in server.queries()
PY
    world <<'PY'
server = Server({"fails.test": SERVFAIL})
write("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
h = Handler()
check(h.connect(b"fails.test", 80), 4)
h.refused(REPLY="4")
assert "A fails.test" in server.queries
PY
}

@test "dns: the handshake's deadline ends the lookup with 04 when no server answers" {
    world <<'PY'
server = Server({})
h = Handler("-o", "timeout handshake 500ms")
check(h.connect(b"silent.test", 80), 4)
record = h.refused(REPLY="4", REACHED=None)
assert 500000 <= int(record["STDSOCKS_TOTAL_USEC"]), record
assert int(record["STDSOCKS_RESOLVE_USEC"]) < 2500000, record
assert h.took_s < 2.5, h.took_s
assert "A silent.test" in server.queries
PY
}

@test "dns: the handshake's deadline does not begin again with the lookup" {
    world <<'PY'
server = Server({})
h = Handler("-o", "timeout handshake 1s")
h.client.send(GREETING)
check(h.client.recv(2), CHOSEN)
time.sleep(0.6)  # what the client does wrong, not a synchronisation
h.client.send(request_name(b"silent.test", 80))
h.asked_s = time.monotonic()
check(h.answer(), 4)
record = h.refused(REPLY="4")
assert int(record["STDSOCKS_RESOLVE_USEC"]) < 900000, record
PY
}

@test "dns: the reply is 04 when nothing listens where the server should be" {
    world <<'PY'
h = Handler("-o", "timeout handshake 500ms")
check(h.connect(b"name.test", 80), 4)
h.refused(REPLY="4")
PY
}

@test "dns: the other server is asked when the first one is not there" {
    need dnsmasq
    world <<'PY'
write("/etc/resolv.conf", "nameserver 127.0.0.2\nnameserver 127.0.0.1\n")
server = Dnsmasq(hosts=["127.0.0.1 four.test"])
(listening,) = listeners("127.0.0.1")
h = Handler()
h.connected(b"four.test", listening).close()
h.gone()
h.ended(END="closed")
PY
}

@test "dns: a name is reached when its answer comes late, but in time" {
    world <<'PY'
server = Server({"slow.test": slow(0.4, ["127.0.0.1"])})
(listening,) = listeners("127.0.0.1")
h = Handler()
h.connected(b"slow.test", listening).close()
h.gone()
assert int(h.ended(END="closed")["STDSOCKS_RESOLVE_USEC"]) >= 390000
check(sorted(server.queries), ["A slow.test", "AAAA slow.test"])
PY
}

@test "dns: the handler ends at once when it is told to stop during the lookup" {
    world <<'PY'
server = Server({})
for number in signal.SIGTERM, signal.SIGINT:
    h = Handler()
    h.ask(b"%d.silent.test" % number, 80)
    server.expect(f"{number:d}.silent.test")
    h.process.send_signal(number)
    h.over()
    assert time.monotonic() - h.asked_s < 3
    h.ended(END="terminated", CLOSED_BY="stdsocks", DST=f"{number:d}.silent.test", REPLY=None)
PY
}

@test "dns: the second address is taken when the first one refuses [RFC 8305 5]" {
    world <<'PY'
server = Server({"mixed.test": ["127.0.0.129", "127.0.0.130"]})
(listening,) = listeners("127.0.0.130")
h = Handler()
h.connected(b"mixed.test", listening).close()
h.gone()
h.ended(END="closed", REPLY="0", REACHED="127.0.0.130", ERRNO=None)
check(sorted(server.queries), ["A mixed.test", "AAAA mixed.test"])
PY
}

@test "dns: a name is asked for once when all its addresses refuse" {
    world <<'PY'
server = Server({"dead.test": ["127.0.0.129", "127.0.0.130", "::1"]})
h = Handler()
check(h.connect(b"dead.test", CLOSED_PORT), 5)
h.refused(REPLY="5", REACHED=None, ERRNO="111")
check(sorted(server.queries), ["A dead.test", "AAAA dead.test"])
PY
}

@test "dns: a name with fifty addresses is reached when all of them but one refuse" {
    need dnsmasq
    world <<'PY'
server = Dnsmasq(hosts=["127.0.0.%d fifty.test" % i for i in range(129, 179)])
listening = listeners(*("127.0.0.%d" % i for i in range(129, 179)))
h = Handler()
check(h.connect(b"fifty.test", port_of(listening[0])), 0)
(reached,) = (i for i, sock in enumerate(listening, 129) if is_waiting(sock))
h.gone()
h.ended(END="closed", REACHED=f"127.0.0.{reached}")
PY
    world <<'PY'
# As many as one datagram of 512 bytes holds (RFC 1035 s4.2.1).
server = Server({"thirty.test": ["127.0.0.%d" % i for i in range(129, 158)]})
(listening,) = listeners("127.0.0.157")
h = Handler()
h.connected(b"thirty.test", listening).close()
h.gone()
h.ended(END="closed", REACHED="127.0.0.157")
PY
}

@test "dns: a name from /etc/hosts is reached without a query" {
    world <<'PY'
server = Server({})
write("/etc/hosts", "127.0.0.1 localhost\n127.0.0.77 printer printer.example\n")
(listening,) = listeners("127.0.0.77")
for name in b"printer", b"printer.example":
    h = Handler()
    h.connected(name, listening).close()
    h.gone()
    h.ended(END="closed", DST=name.decode(), REACHED="127.0.0.77")
check(server.queries, [])
PY
}

@test "dns: an address is not looked up when the client sends it as a name" {
    world <<'PY'
server = Server({})
for host in "127.0.0.1", "::1":
    (listening,) = listeners(host)
    h = Handler()
    h.connected(host.encode(), listening).close()
    h.gone()
    h.ended(END="closed", DST=host, REACHED=host, RESOLVE_USEC=None)
check(server.queries, [])
PY
}

@test "dns: what is no host name is refused with 04, neither looked up nor dialled" {
    world <<'PY'
server = Server({})
(listening,) = listeners("0.0.0.0")
names = [
    b"127.1", b"0x7f000001", b"2130706433", b"017700000001", b"0", b"0x0", b"0x", b"127.0.0.0x1",
    b"127.0.0.1\0.example.com", b"127.0.0.1\0", b"\0", b"::1%lo", b"[::1]", b"127.0.0.1 ", b" 127.0.0.1",
    b"a\nb.test", b"a\tb.test", b"\x1b[31m.test", b"a b.test", b"a\x7f.test", b"a..test", b".test", b".", b"..",
    b"caf\xc3\xa9.test", b"\xff" * 255, b"a" * 64 + b".test", b".".join([b"a" * 50] * 5), b"a/b.test",
    b"a@b.test", b"localhost:80", b"127.0.0.1:80", b"*.test", b"%n%s.test",
]
handlers = []
for name in names:
    h = Handler()
    h.ask(name, port_of(listening))
    handlers.append(h)
for name, h in zip(names, handlers):
    assert h.answer() == 4, name
    h.refused(REPLY="4", RESOLVE_USEC=None, CONNECT_USEC=None, REACHED=None)
check(server.queries, [])
assert not is_waiting(listening)
PY
}

@test "dns: the reply is 04, and nothing is dialled, when all answers are broken" {
    world <<'PY'


def name_loops(query, right):
    """A compression pointer to itself, as the answer's name and as an alias's target."""
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
    "long.test": broken(lambda query, right: [right[:6] + b"\xff\xff" + right[8:12] + query[12:] + b"\xc0" * 400]),
    "name-loops.test": broken(name_loops),
    "alias-loops.test": broken(alias_loops),
})
(listening,) = listeners("127.0.0.1")
handlers = []
for name in server.table:
    h = Handler("-o", "timeout handshake 1s")
    h.ask(name.encode(), port_of(listening))
    handlers.append((name, h))
for name, h in handlers:
    got = h.answer()
    assert got == 4, (name, got)
    h.refused(REPLY="4", REACHED=None)
assert not is_waiting(listening)
PY
}

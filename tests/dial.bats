#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# From addresses to one connection: the race, its clock, its source, and the truth about its failure.

load helper
load net/world

setup() {
    need_world
}

@test "dial: families take turns, at once and to the end, when every address refuses [RFC 8305 4, 5]" {
    need_wire
    world <<'PY'
from dns import *
from wire import *
wire = Wire()
six, four = [f"2001:db8::{i}" for i in range(1, 7)], [f"192.0.2.{i}" for i in range(1, 4)]
server = Server({"many.test": six + four})
h = Handler()
check(h.connect(b"many.test", CLOSED_PORT), 5)
# Eight times 250 ms would be two seconds.
assert int(h.refused(REPLY="5", ERRNO="111")["STDSOCKS_CONNECT_USEC"]) < 1000000
check(wire.tried(), [six[0], four[0], six[1], four[1], six[2], four[2], *six[3:]])
PY
}

@test "dial: the next address is tried 250 ms later when the first is silent [RFC 8305 5, 8]" {
    need_wire
    world <<'PY'
from dns import *
from wire import *
wire = Wire()
wire.fates["192.0.2.1"] = drop
server = Server({"half-dead.test": ["192.0.2.1", "192.0.2.2"]})
listening = wire.listener("192.0.2.2")
h = Handler()
h.connected(b"half-dead.test", listening).close()
check(wire.tried(), ["192.0.2.1", "192.0.2.2"])
h.gone()
record = h.ended(END="closed", REPLY="0", REACHED="192.0.2.2", ERRNO=None)
assert 250000 <= int(record["STDSOCKS_CONNECT_USEC"]) < 1000000, record
PY
}

@test "dial: the other family is tried 250 ms later when IPv6 is silent [RFC 8305 5]" {
    need_wire
    world <<'PY'
from dns import *
from wire import *
wire = Wire()
for i in range(1, 5):
    wire.fates[f"2001:db8::{i}"] = drop
server = Server({"broken6.test": ["2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::4", "192.0.2.1"]})
listening = wire.listener("192.0.2.1")
h = Handler()
h.connected(b"broken6.test", listening).close()
check(wire.tried(), ["2001:db8::1", "192.0.2.1"])
h.gone()
record = h.ended(END="closed", REPLY="0", REACHED="192.0.2.1")
assert 250000 <= int(record["STDSOCKS_CONNECT_USEC"]) < 1000000, record
PY
}

@test "dial: the next address is tried at once on a refusal when an earlier one is silent [RFC 8305 5]" {
    need_wire
    world <<'PY'
from dns import *
from wire import *
wire = Wire()
hosts = [f"192.0.2.{i}" for i in range(1, 8)]
wire.fates[hosts[0]] = drop
server = Server({"mixed.test": hosts})
listening = wire.listener(hosts[-1])
h = Handler()
h.connected(b"mixed.test", listening).close()
check(wire.tried(), hosts)
h.gone()
# 250 ms for the silent one; six times that would be 1.5 seconds.
record = h.ended(END="closed", REACHED=hosts[-1])
assert 250000 <= int(record["STDSOCKS_CONNECT_USEC"]) < 1000000, record
PY
}

@test "dial: an address that cannot be tried costs no time when others are silent [RFC 8305 5]" {
    need_wire
    world <<'PY'
from dns import *
from wire import *
wire = Wire()
six, four = [f"2001:db8::{i}" for i in range(1, 6)], [f"192.0.2.{i}" for i in range(1, 6)]
wire.fates |= {host: drop for host in four[:4]}
server = Server({"mixed.test": six + four})
listening = wire.listener(four[4])
h = Handler("-o", f"source {wire.near_ip}")  # which IPv6 cannot have
h.connected(b"mixed.test", listening).close()
check(wire.tried(), four)
h.gone()
# One second for four silent ones, and not 250 ms more for each that failed in between.
record = h.ended(END="closed", REACHED=four[4])
assert 1000000 <= int(record["STDSOCKS_CONNECT_USEC"]) < 1700000, record
PY
}

@test "dial: the first attempt still wins when it answers after the second has begun [RFC 8305 5]" {
    need_wire
    world <<'PY'
from dns import *
from wire import *
wire = Wire()
wire.delays_s["192.0.2.1"] = 0.4
wire.fates["192.0.2.2"] = drop
server = Server({"slow.test": ["192.0.2.1", "192.0.2.2"]})
listening = wire.listener("192.0.2.1")
h = Handler()
upstream = h.connected(b"slow.test", listening)
check(wire.tried(), ["192.0.2.1", "192.0.2.2"])
wire.delays_s.clear()
upstream.close()
h.gone()
h.ended(END="closed", REPLY="0", REACHED="192.0.2.1")
PY
}

@test "dial: a second address is left alone when the first one answers [RFC 8305 5]" {
    need_wire
    world <<'PY'
from dns import *
from wire import *
wire = Wire()
server = Server({"two.test": ["192.0.2.1", "192.0.2.2"]})
listening = wire.listener("192.0.2.1")
h = Handler()
h.connected(b"two.test", listening).close()
h.gone()
h.ended(END="closed", REACHED="192.0.2.1")
check(wire.tried(), ["192.0.2.1"])
PY
}

@test "dial: nothing of the losers is left when one has won" {
    need_wire
    world <<'PY'
from dns import *
from wire import *


def connections():
    """State and destination of each TCP socket that leads over the wire."""
    found = []
    for family in "tcp", "tcp6":
        with open(f"/proc/net/{family}", encoding="ascii") as table:
            found += [(line.split()[3], line.split()[2]) for line in table if CLOSED in line.split()[2]]
    return found


wire = Wire()
listening = wire.listener("192.0.2.2")
CLOSED = ":%04X" % port_of(listening)
wire.fates |= {host: drop for host in ("2001:db8::1", "2001:db8::2", "192.0.2.1")}
server = Server({"four.test": ["2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2"]})
h = Handler()
h.ask(b"four.test", port_of(listening))
eventually(lambda: len(connections()) == 3, "three attempts run")
check({state for state, _ in connections()}, {"02"})  # SYN_SENT
check(h.answer(), 0)
check(connections(), [("01", "020200C0" + CLOSED)])
assert len(h.descriptors()) == 5, h.descriptors()  # three standard ones, the signals', the connection
PY
}

@test "dial: the connect deadline ends it with 04 when nothing answers [RFC 1928 6]" {
    need_wire
    world <<'PY'
from dns import *
from wire import *
wire = Wire()
wire.fates |= {"192.0.2.1": drop, "192.0.2.2": drop, "192.0.2.3": drop}
server = Server({"dead.test": ["192.0.2.1", "192.0.2.2", "192.0.2.3"]})
for host in "192.0.2.1", b"dead.test":
    h = Handler("-o", "timeout connect 400ms")
    check(h.connect(host, 80), 4)
    record = h.refused(REPLY="4", ERRNO="110", REACHED=None)
    assert 400000 <= int(record["STDSOCKS_CONNECT_USEC"]) < 2000000, record
check(wire.tried(), ["192.0.2.1", "192.0.2.2"])
PY
}

@test "dial: the handshake's deadline ends it with 04 when the connect deadline is later" {
    need_wire
    world <<'PY'
from wire import *
wire = Wire()
wire.fates["192.0.2.1"] = drop
h = Handler("-o", "timeout handshake 400ms", "-o", "timeout connect 10s")
check(h.connect("192.0.2.1", 80), 4)
record = h.refused(REPLY="4", ERRNO="110")
assert 400000 <= int(record["STDSOCKS_TOTAL_USEC"]), record
assert int(record["STDSOCKS_CONNECT_USEC"]) < 2000000, record
PY
}

@test "dial: the handler ends at once when it is told to stop during the attempt" {
    need_wire
    world <<'PY'
from wire import *
wire = Wire()
wire.fates["192.0.2.1"] = drop
for number in signal.SIGTERM, signal.SIGINT:
    wire.syns.clear()
    h = Handler()
    h.ask("192.0.2.1", 80)
    eventually(wire.tried, "a SYN")
    h.process.send_signal(number)
    h.over()
    assert time.monotonic() - h.asked_s < 3
    h.ended(END="terminated", CLOSED_BY="stdsocks", REPLY=None, REACHED=None)
PY
}

@test "dial: the reply tells what this host says: 05, 03, 04, 02 [RFC 1928 6]" {
    world <<'PY'
ip("route add unreachable 192.0.2.4", "route add prohibit 192.0.2.2", "route add unreachable 2001:db8::4",
   "route add prohibit 2001:db8::2", "route add blackhole 192.0.2.6", "route add blackhole 2001:db8::6")
for host, reply, number in [
    ("127.0.0.1", 5, 111), ("::1", 5, 111),  # ECONNREFUSED
    ("192.0.2.3", 3, 101), ("2001:db8::3", 3, 101),  # ENETUNREACH: there is no route
    ("192.0.2.4", 4, 113), ("2001:db8::4", 4, 113),  # EHOSTUNREACH
    ("192.0.2.2", 2, 13), ("2001:db8::2", 2, 13),  # EACCES
    ("255.255.255.255", 3, 101), ("ff02::1", 3, 101),
    ("fe80::1", 3, 22), ("192.0.2.6", 3, 22), ("2001:db8::6", 3, 22),  # EINVAL: no interface is said; and nothing goes there
]:
    h = Handler()
    got = h.connect(host, CLOSED_PORT)
    assert got == reply, (host, got, reply)
    check(h.bound, b"\x01" + bytes(6))
    h.refused(REPLY=str(reply), ERRNO=str(number), REACHED=None, DST=host)
PY
}

@test "dial: IPv4 is reached when the host has no IPv6" {
    world <<'PY'
from dns import *
sysctl("ipv6/conf/all/disable_ipv6", "1")
server = Server({"both.test": ["2001:db8::1", "2001:db8::2", "127.0.0.1"]})
(listening,) = listeners("127.0.0.1")
h = Handler()
h.connected(b"both.test", listening).close()
h.gone()
h.ended(END="closed", REACHED="127.0.0.1")
PY
}

@test "dial: the reply is 03, and nobody's failure but the network's, when IPv6 is switched off [RFC 1928 6]" {
    world <<'PY'
for device in "all", "lo":
    sysctl(f"ipv6/conf/{device}/disable_ipv6", "1")
for host in "::1", "2001:db8::1":
    h = Handler()
    check(h.connect(host, CLOSED_PORT), 3)
    h.refused(REPLY="3", ERRNO="101", REACHED=None)  # ENETUNREACH
PY
}

@test "dial: the attempt that got furthest gives the reply when all fail differently [RFC 1928 6]" {
    need_wire
    world <<'PY'
from itertools import permutations
from dns import *
from wire import *
wire = Wire()
wire.fates["192.0.2.1"] = drop
refuses, silent_, unreachable, prohibited, no_route = "192.0.2.2", "192.0.2.1", "192.0.2.4", "192.0.2.5", "198.51.100.1"
ip(f"route add unreachable {unreachable}", f"route add prohibit {prohibited}")
ranks = [(refuses, 5), (unreachable, 4), (prohibited, 2), (no_route, 3)]
table, replies = {}, {}
for (further, reply), (nearer, _) in permutations(ranks, 2):
    if ranks.index((further, reply)) < [host for host, _ in ranks].index(nearer):
        for order in (further, nearer), (nearer, further):
            name = f"n{len(table)}.test"
            table[name], replies[name] = list(order), reply
for order in (refuses, silent_), (silent_, refuses):
    name = f"n{len(table)}.test"
    table[name], replies[name] = list(order), 5
server = Server(table)
handlers = {}
for name in table:
    handlers[name] = Handler("-o", "timeout connect 500ms")
    handlers[name].ask(name.encode(), CLOSED_PORT)
for name, h in handlers.items():
    got = h.answer()
    assert got == replies[name], (table[name], got, replies[name])
    h.refused(REPLY=str(got))
PY
}

@test "dial: an IPv4-mapped address does not lead to IPv4 [RFC 4291 2.5.5.2]" {
    world <<'PY'
(listening,) = listeners("0.0.0.0")
for host in "::ffff:127.0.0.1", "::ffff:0.0.0.0":
    h = Handler()
    check(h.connect(host, port_of(listening)), 3)
    h.refused(REPLY="3", ERRNO="101", REACHED=None)
assert not is_waiting(listening)
PY
}

@test "dial: the record names the loopback when 0.0.0.0 or :: has led there" {
    world <<'PY'
for host, reached in ("0.0.0.0", "127.0.0.1"), ("::", "::1"):
    (listening,) = listeners(reached)
    h = Handler()
    h.connected(host, listening).close()
    h.gone()
    h.ended(END="closed", DST=host, REACHED=reached)
PY
}

@test "dial: the reply is 05 when the connection has met itself" {
    world <<'PY'
ENDS = [connection() for _ in range(2)]  # while there are ports
sysctl("ipv4/ip_local_port_range", "40000 40000")
for host in "127.0.0.1", "::1":
    with socket.create_connection((host, 40000)) as itself:  # else this test shows nothing
        check(itself.getsockname(), itself.getpeername())
        itself.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    h = Handler(ends=ENDS.pop())
    check(h.connect(host, 40000), 5)
    h.refused(REPLY="5", ERRNO="111", REACHED=None)
PY
}

@test "dial: connections leave from the address when there is a source" {
    world <<'PY'
ip("address add fd00::7/128 dev lo nodad")
for source, host in ("127.0.0.7", "127.0.0.1"), ("fd00::7", "::1"):
    (listening,) = listeners(host)
    h = Handler("-o", f"source {source}")
    upstream = h.connected(host, listening)
    check(upstream.sock.getpeername()[0], source)
    check(h.bound, request(*upstream.sock.getpeername()[:2])[3:])  # BND is the source
    upstream.close()
    h.gone()
    h.ended(END="closed", REACHED=host)
PY
}

@test "dial: both families have their source when there are two" {
    world <<'PY'
ip("address add fd00::7/128 dev lo nodad")
for source, host in ("127.0.0.7", "127.0.0.1"), ("fd00::7", "::1"):
    (listening,) = listeners(host)
    h = Handler("-o", "source fd00::7", "-o", "source 127.0.0.7")
    check(h.connected(host, listening).sock.getpeername()[0], source)
PY
}

@test "dial: the other family is out of reach, with 03, when there is a source for one" {
    world <<'PY'
from dns import *
server = Server({"both.test": ["::1", "127.0.0.1"]})
listening = dict(zip(("127.0.0.1", "::1"), listeners("127.0.0.1", "::1")))
port = port_of(listening["::1"])
for source, other in ("127.0.0.1", "::1"), ("::1", "127.0.0.1"):
    h = Handler("-o", f"source {source}")
    check(h.connect(other, port), 3)
    h.refused(REPLY="3", ERRNO="101")
    h = Handler("-o", f"source {source}")
    h.connected(b"both.test", listening[source]).close()
    h.gone()
    h.ended(END="closed", REACHED=source)
assert not any(map(is_waiting, listening.values()))
PY
}

@test "dial: the reply is 01 and the operator is told when the source cannot be had" {
    world <<'PY'
(listening,) = listeners("127.0.0.1")
for source in "192.0.2.1", "device nowhere0":
    h = Handler("-o", f"source {source}")
    check(h.connect("127.0.0.1", port_of(listening)), 1)
    check(h.client.end(), (b"", "fin"))
    h.client.close()
    h.ended(71, END="failed", REPLY="1", ERRNO="99", REACHED=None)  # EADDRNOTAVAIL
assert not is_waiting(listening)
PY
}

# The kernel takes a network's broadcast address for a source, and goes from another.
@test "dial: nothing is relayed when the connection left from elsewhere" {
    world <<'PY'
ip("address add 192.0.2.5/24 brd 192.0.2.255 dev lo")
(listening,) = listeners("192.0.2.5")
h = Handler("-o", "source 192.0.2.255")
check(h.connect("192.0.2.5", port_of(listening)), 1)
check(h.client.end(), (b"", "fin"))
h.client.close()
h.ended(71, END="failed", REPLY="1", ERRNO="99", REACHED=None)
PY
}

@test "dial: nothing is reached when the mark needs a privilege that the handler lacks" {
    world <<'PY'
(listening,) = listeners("127.0.0.1")
h = Handler("-o", "source mark 7", user=65534, group=65534, extra_groups=[])
check(h.connect("127.0.0.1", port_of(listening)), 1)
h.client.close()
h.ended(71, END="failed", REPLY="1", ERRNO="99", REACHED=None)
assert not is_waiting(listening)
PY
}

@test "dial: a source address does not run out of ports when the destinations differ" {
    world <<'PY'
sysctl("ipv4/ip_local_port_range", "40000 40003")
hosts = [f"127.0.0.{i}" for i in range(1, 13)]
handlers = []
for host, listening in zip(hosts, listeners(*hosts, port=30000)):
    h = Handler("-o", "source 127.0.0.99", ends=socket.socketpair())
    handlers.append((h, h.connected(host, listening)))
ports = {upstream.sock.getpeername()[1] for _, upstream in handlers}
assert ports <= {40000, 40001, 40002, 40003}, ports
PY
}

@test "dial: connections leave by the device when there is one" {
    need_wire
    world <<'PY'
from wire import *
wire, other = Wire(), Wire("other", "198.51.100", "2001:db8:1:")
# Both lead to 192.0.2.1; the other is the worse.
ip("route add 192.0.2.0/24 dev other metric 500")
with other.far:
    ip("address add 192.0.2.1/32 dev other")
here, there = wire.listener("192.0.2.1", 7000), other.listener("192.0.2.1", 7000)
h = Handler()
h.connected("192.0.2.1", here).close()
h.gone()
h = Handler("-o", "source device other")
check(h.connected("192.0.2.1", there).sock.getpeername()[0], "198.51.100.200")
check((len(wire.syns), len(other.syns)), (1, 1))
PY
}

@test "dial: connections carry the mark when there is one" {
    need_wire
    world <<'PY'
from wire import *
wire, other = Wire(), Wire("other", "198.51.100", "2001:db8:1:")
ip("rule add fwmark 4294967295 table 77", "route add default dev other table 77")
with other.far:
    ip("address add 192.0.2.1/32 dev other", "route add 192.0.2.200/32 dev other")
here, there = wire.listener("192.0.2.1", 7000), other.listener("192.0.2.1", 7000)
h = Handler()
h.connected("192.0.2.1", here).close()
h.gone()
h = Handler("-o", "source mark 4294967295")
h.connected("192.0.2.1", there)
check((len(wire.syns), len(other.syns)), (1, 1))
check(h.upstream().getsockopt(socket.SOL_SOCKET, socket.SO_MARK) & 0xFFFFFFFF, 4294967295)
PY
}

@test "dial: both sockets lose no time and notice a peer that vanished when the relay runs" {
    world <<'PY'
TCP, SOL = socket.IPPROTO_TCP, socket.SOL_SOCKET
for host in "127.0.0.1", "::1":
    (listening,) = listeners(host)
    h = Handler(ends=connection(*listeners(host)))
    upstream = h.connected(host, listening)
    upstream.send(b"x")
    check(h.client.recv(1), b"x")  # the relay runs
    for sock in h.take(0), h.upstream():
        check(sock.getsockopt(TCP, socket.TCP_NODELAY), 1)
        check(sock.getsockopt(SOL, socket.SO_KEEPALIVE), 1)
        check(sock.getsockopt(TCP, socket.TCP_KEEPIDLE), 60)
        check(sock.getsockopt(TCP, socket.TCP_KEEPINTVL), 60)
        check(sock.getsockopt(TCP, socket.TCP_KEEPCNT), 2)
        check(sock.getsockopt(TCP, socket.TCP_USER_TIMEOUT), 0)  # it would end who only does not read
PY
}

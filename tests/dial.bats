#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Connecting to one of several addresses: order, delays, source, and the reply after a failure.

load helper
load net/world

prelude <<'PY'
import socket, struct

from dns import Server
from socks import CHOSEN, GREETING, check, request
from wire import Wire, drop, icmp
from world import CLOSED_PORT, Handler, connection, eventually, ip, is_waiting, listeners, port_of
from world import relaying, sysctl
PY

setup() {
    need_world
}

@test "dial: alternates between the families if every address refuses [RFC 8305 4, 5]" {
    wired <<'PY'
wire = Wire()
six, four = [f"2001:db8::{i}" for i in range(1, 7)], [f"192.0.2.{i}" for i in range(1, 4)]
server = Server({"many.test": six + four})
record = Handler().connect_fails(b"many.test", CLOSED_PORT, 5, 111)
assert int(record["STDSOCKS_CONNECT_USEC"]) < 2000000, record  # less than 8 times 250 ms
check(wire.tried(), [six[0], four[0], six[1], four[1], six[2], four[2], *six[3:]])
check(sorted(server.queries), ["A many.test", "AAAA many.test"])
PY
}

@test "dial: tries addresses in the order and with the delays of RFC 8305 5, 8" {
    wired <<'PY'
wire = Wire()
FOUR, SIX = [f"192.0.2.{i}" for i in range(1, 8)], [f"2001:db8::{i}" for i in range(1, 8)]
# Addresses, their actions, the addresses tried (the last one answers), least and most ms, options
RACES = {
    "the next address is tried 250 ms later when the first is silent":
        (FOUR[:2], {FOUR[0]: drop}, FOUR[:2], 250, 1000),
    "the other family is tried 250 ms later when IPv6 is silent":
        ([*SIX[:4], FOUR[0]], {host: drop for host in SIX}, [SIX[0], FOUR[0]], 250, 1000),
    # With 250 ms for each refusal it would take 1.75 s.
    "the next address is tried at once on a refusal when an earlier one is silent":
        (FOUR, {FOUR[0]: drop}, FOUR, 250, 1000),
    # With 250 ms for each error it would take 1 s.
    "the next address is tried at once when ICMP answers the first":
        ([SIX[0], FOUR[0], SIX[1], FOUR[1], FOUR[2]],
         {SIX[0]: icmp(1), FOUR[0]: icmp(13), SIX[1]: icmp(0), FOUR[1]: icmp(1)},
         [SIX[0], FOUR[0], SIX[1], FOUR[1], FOUR[2]], 0, 750),
    # With 250 ms for each IPv6 address, which has no source, it would take 2.25 s.
    "an address that cannot be tried costs no time when others are silent":
        ([*SIX[:5], *FOUR[:5]], {host: drop for host in FOUR[:4]}, FOUR[:5], 1000, 1700,
         "-o", f"source {wire.near_ip}"),
    "a second address is left alone when the first one answers": (FOUR[:2], {}, FOUR[:1], 0, 1000),
}
Server({f"race{i}.test": race[0] for i, race in enumerate(RACES.values())})
for i, (case, (_, actions, tried, from_ms, below_ms, *options)) in enumerate(RACES.items()):
    wire.actions = actions
    for _ in range(3):  # a busy machine may delay some
        wire.syns.clear()
        with wire.listener(tried[-1]) as listening:
            h = Handler(*options)
            h.connected(b"race%d.test" % i, listening).close()
        h.close_client()
        record = h.ended(END="closed", REPLY="0", REACHED=tried[-1], ERRNO=None)
        took_us = int(record["STDSOCKS_CONNECT_USEC"])
        check((case, wire.tried()), (case, tried))
        assert took_us >= from_ms * 1000, (case, took_us)
        if took_us < below_ms * 1000:
            break
    else:
        raise AssertionError((case, took_us))
PY
}

@test "dial: keeps the first attempt open while the second runs [RFC 8305 5]" {
    wired <<'PY'
wire = Wire()
wire.delays_s["192.0.2.1"] = 0.4
wire.actions["192.0.2.2"] = drop
server = Server({"slow.test": ["192.0.2.1", "192.0.2.2"]})
listening = wire.listener("192.0.2.1")
h, upstream = relaying(b"slow.test", listening)
check(wire.tried(), ["192.0.2.1", "192.0.2.2"])
wire.delays_s.clear()
h.closed(upstream, REPLY="0", REACHED="192.0.2.1")
PY
}

@test "dial: closes all other attempts when one has succeeded" {
    wired <<'PY'
wire = Wire()
def connections():
    """Returns state and destination of each TCP socket with this port."""
    found = []
    for family in "tcp", "tcp6":
        with open(f"/proc/net/{family}", encoding="ascii") as table:
            rows = [line.split() for line in table]
            found += [(row[3], row[2]) for row in rows if PORT in row[2]]
    return found

listening = wire.listener("192.0.2.2")
PORT = ":%04X" % port_of(listening)
wire.actions |= {host: drop for host in ("2001:db8::1", "2001:db8::2", "192.0.2.1")}
server = Server({"four.test": ["2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2"]})
h = Handler()
h.send_request(b"four.test", port_of(listening))
eventually(lambda: len(connections()) == 3, "three attempts")
check({state for state, _ in connections()}, {"02"})  # SYN_SENT
check(h.read_reply(), 0)
check(connections(), [("01", "020200C0" + PORT)])
# The standard ones, signalfd, /etc/hosts, /etc/resolv.conf, and the connection.
assert len(h.descriptors()) == 8, h.descriptors()
PY
}

@test "dial: replies 04 at the connect deadline [RFC 1928 6]" {
    wired <<'PY'
wire = Wire()
wire.actions |= {"192.0.2.1": drop, "192.0.2.2": drop, "192.0.2.3": drop}
server = Server({"dead.test": ["192.0.2.1", "192.0.2.2", "192.0.2.3"]})
for host in "192.0.2.1", b"dead.test":
    record = Handler("-o", "timeout connect 400ms").connect_fails(host, 80, 4, 110)
    assert 400000 <= int(record["STDSOCKS_CONNECT_USEC"]) < 8000000, record
check(wire.tried(), ["192.0.2.1", "192.0.2.2"])
PY
}

@test "dial: replies 04 at the handshake's deadline if that is earlier than the connect deadline" {
    wired <<'PY'
wire = Wire()
wire.actions["192.0.2.1"] = drop
h = Handler("-o", "timeout handshake 600ms", "-o", "timeout connect 10s")
h.client.send(GREETING)
check(h.client.recv(2), CHOSEN)
assert h.client.open_and_silent(0.2)
h.client.send(request("192.0.2.1", 80))
check(h.client.recv(10), b"\x05\x04\x00\x01" + bytes(6))
record = h.refused(REPLY="4", ERRNO="110")
total_us = int(record["STDSOCKS_TOTAL_USEC"])
assert total_us >= 600000, record
assert int(record["STDSOCKS_CONNECT_USEC"]) <= total_us - 200000, record  # the client used 0.2 s
PY
}

@test "dial: replies 05, 03, 04 or 02 according to this host's error [RFC 1928 6]" {
    world <<'PY'
for kind, host in ("unreachable", 4), ("prohibit", 2), ("blackhole", 6):
    ip(f"route add {kind} 192.0.2.{host}", f"route add {kind} 2001:db8::{host}")
for host, reply, number in [
    ("127.0.0.1", 5, 111), ("::1", 5, 111),  # ECONNREFUSED
    ("192.0.2.3", 3, 101), ("2001:db8::3", 3, 101),  # ENETUNREACH: there is no route
    ("192.0.2.4", 4, 113), ("2001:db8::4", 4, 113),  # EHOSTUNREACH
    ("192.0.2.2", 2, 13), ("2001:db8::2", 2, 13),  # EACCES
    ("255.255.255.255", 3, 101), ("ff02::1", 3, 101),
    ("::ffff:7f00:1", 3, 101), ("::ffff:0:0", 3, 101),  # RFC 4291 s2.5.5.2
    ("fe80::1", 3, 22), ("192.0.2.6", 3, 22), ("2001:db8::6", 3, 22),  # EINVAL: no scope; blackhole
]:
    h = Handler()
    h.connect_fails(host, CLOSED_PORT, reply, number, COMMAND="CONNECT", DST=host,
                    RESOLVE_USEC=None, BYTES_UP=None, BYTES_DOWN=None,
                    MESSAGE_ID="dabd9aa38022419e8b57bfe5028c7661")
    check(h.bound, b"\x01" + bytes(6))
PY
}

@test "dial: connects over IPv4, and replies 03 for IPv6, if IPv6 is disabled [RFC 1928 6]" {
    world <<'PY'
for device in "all", "lo":
    sysctl(f"ipv6/conf/{device}/disable_ipv6", "1")
server = Server({"both.test": ["2001:db8::1", "2001:db8::2", "127.0.0.1"]})
(listening,) = listeners("127.0.0.1")
h = Handler()
h.closed(h.connected(b"both.test", listening), REACHED="127.0.0.1")
for host in "::1", "2001:db8::1":
    Handler().connect_fails(host, CLOSED_PORT, 3, 101)  # ENETUNREACH
PY
}

@test "dial: replies with the error of the attempt that got furthest [RFC 1928 6]" {
    wired <<'PY'
wire = Wire()
from itertools import combinations, permutations
wire.actions["192.0.2.1"] = drop
refuses, silent, unreachable, prohibited = (f"192.0.2.{host}" for host in (2, 1, 4, 5))
no_route = "198.51.100.1"
ip(f"route add unreachable {unreachable}", f"route add prohibit {prohibited}")
ranks = [(refuses, 5), (unreachable, 4), (prohibited, 2), (no_route, 3)]
cases = [(order, reply) for (further, reply), (nearer, _) in combinations(ranks, 2)
         for order in permutations((further, nearer))]
cases += [(order, 5) for order in permutations((refuses, silent))]
server = Server({f"n{i}.test": list(order) for i, (order, _) in enumerate(cases)})
handlers = []
for i in range(len(cases)):
    handlers.append(Handler("-o", "timeout connect 500ms"))
    handlers[-1].send_request(b"n%d.test" % i, CLOSED_PORT)
for h, (order, reply) in zip(handlers, cases):
    got = h.read_reply()
    assert got == reply, (order, got, reply)
    h.refused(REPLY=str(got))
PY
}

@test "dial: records the loopback address that 0.0.0.0 and :: connect to" {
    world <<'PY'
for host, reached in ("0.0.0.0", "127.0.0.1"), ("::", "::1"):
    (listening,) = listeners(reached)
    h = Handler()
    h.closed(h.connected(host, listening), DST=host, REACHED=reached)
PY
}

@test "dial: replies 05 if the socket has connected to itself" {
    world <<'PY'
ENDS = [connection() for _ in range(2)]  # before the range of ports shrinks
sysctl("ipv4/ip_local_port_range", "40000 40000")
for host in "127.0.0.1", "::1":
    with socket.create_connection((host, 40000)) as itself:  # the kernel does that
        check(itself.getsockname(), itself.getpeername())
        itself.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    Handler(ends=ENDS.pop()).connect_fails(host, 40000, 5, 111)
PY
}

@test "dial: connects from the configured source of each family" {
    world <<'PY'
ip("address add fd00::7/128 dev lo nodad")
for source, host in ("127.0.0.7", "127.0.0.1"), ("fd00::7", "::1"):
    (listening,) = listeners(host)
    for sources in (source,), ("fd00::7", "127.0.0.7"):
        options = (word for each in sources for word in ("-o", f"source {each}"))
        h, upstream = relaying(host, listening, *options)
        check(upstream.sock.getpeername()[0], source)
        check(h.bound, request(*upstream.sock.getpeername()[:2])[3:])  # BND is the source
        h.closed(upstream, REACHED=host)
PY
}

@test "dial: replies 03 for an address of a family without a configured source" {
    world <<'PY'
server = Server({"both.test": ["::1", "127.0.0.1"]})
listening = dict(zip(("127.0.0.1", "::1"), listeners("127.0.0.1", "::1")))
port = port_of(listening["::1"])
for source, other in ("127.0.0.1", "::1"), ("::1", "127.0.0.1"):
    Handler("-o", f"source {source}").connect_fails(other, port, 3, 101)
    h = Handler("-o", f"source {source}")
    h.closed(h.connected(b"both.test", listening[source]), REACHED=source)
assert not any(map(is_waiting, listening.values()))
PY
}

@test "dial: replies 01 and connects nowhere if the source is unusable" {
    need_root
    world <<'PY'
ip("address add 192.0.2.5/24 brd 192.0.2.255 dev lo")
listening = dict(zip(("127.0.0.1", "192.0.2.5"), listeners("127.0.0.1", "192.0.2.5")))
for source, host, options in (
    ("198.51.100.1", "127.0.0.1", {}),
    ("device nowhere0", "127.0.0.1", {}),
    # The kernel accepts a broadcast address as source, and uses another one.
    ("192.0.2.255", "192.0.2.5", {}),
    # SO_MARK requires a privilege.
    ("mark 7", "127.0.0.1", {"user": 65534, "group": 65534, "extra_groups": []}),
):
    h = Handler("-o", f"source {source}", **options)
    check((source, h.connect(host, port_of(listening[host]))), (source, 1))
    h.ends(status=71, END="failed", REPLY="1", ERRNO="99", REACHED=None)  # EADDRNOTAVAIL
assert not is_waiting(listening["127.0.0.1"])
PY
}

@test "dial: uses a port of the source address again for another destination" {
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

@test "dial: connects over the device and with the mark of the source" {
    wired <<'PY'
wire = Wire()
other = Wire("other", "198.51.100", "2001:db8:1:")
# Both routes lead to 192.0.2.1; "other" has the worse metric, and the table of the mark.
ip("route add 192.0.2.0/24 dev other metric 500", "rule add fwmark 4294967295 table 77",
   "route add default dev other table 77")
with other.far:
    ip("address add 192.0.2.1/32 dev other", "route add 192.0.2.200/32 dev other")
here, there = wire.listener("192.0.2.1", 7000), other.listener("192.0.2.1", 7000)
h = Handler()
h.closed(h.connected("192.0.2.1", here))
h, upstream = relaying("192.0.2.1", there, "-o", "source device other")
check(upstream.sock.getpeername()[0], "198.51.100.200")
check((len(wire.syns), len(other.syns)), (1, 1))
h, _ = relaying("192.0.2.1", there, "-o", "source mark 4294967295")
check((len(wire.syns), len(other.syns)), (1, 2))
check(h.upstream().getsockopt(socket.SOL_SOCKET, socket.SO_MARK) & 0xFFFFFFFF, 4294967295)
PY
}

@test "dial: sets TCP_NODELAY and keepalive on both sockets" {
    world <<'PY'
TCP, SOL = socket.IPPROTO_TCP, socket.SOL_SOCKET
for host in "127.0.0.1", "::1":
    (listening,) = listeners(host)
    h, upstream = relaying(host, listening, ends=connection(*listeners(host)))
    upstream.send(b"x")
    check(h.client.recv(1), b"x")  # the relay runs
    for sock in h.take(0), h.upstream():
        check(sock.getsockopt(TCP, socket.TCP_NODELAY), 1)
        check(sock.getsockopt(SOL, socket.SO_KEEPALIVE), 1)
        check(sock.getsockopt(TCP, socket.TCP_KEEPIDLE), 60)
        check(sock.getsockopt(TCP, socket.TCP_KEEPINTVL), 60)
        check(sock.getsockopt(TCP, socket.TCP_KEEPCNT), 2)
        # A timeout would end a connection whose other side does not read.
        check(sock.getsockopt(TCP, socket.TCP_USER_TIMEOUT), 0)
PY
}

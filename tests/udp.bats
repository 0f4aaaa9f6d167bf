#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# UDP ASSOCIATE (RFC 1928 s4, s7): which datagrams are passed on, and which are dropped.

load helper
load net/world

prelude <<'PY'
import contextlib, re, signal, socket, struct, threading, time

from datagrams import Datagrams, SIZE_MAX, UDP_ASSOCIATE, at, header, is_free, parse_address
from datagrams import send_gso
from datagrams import silent, udp
from dns import NXDOMAIN, REFUSED, Server, after, answer, question
from socks import CHOSEN, DEADLINE_S, GREETING, Piped, check, listener, pattern, request
from udp import Association, calls, queries, traced
from wire import Wire
from world import CLOSED_PORT, Handler, STDSOCKS, connection, eventually, check_fields, ip
from world import listeners
from world import port_of, run, write
PY

setup() {
    need_world
}

@test "udp: datagrams pass unchanged in both directions, by IPv4, IPv6 and name [RFC 1928 s7]" {
    world <<'PY'
write("/etc/hosts", "127.0.0.1 four.test\n::1 six.test\n")
a = Association()
four, six = udp(), udp("::1")
check(a.relay[0], "127.0.0.1")
for data in b"", b"x", pattern(1472), pattern(65000):
    for server in four, six:
        a.echo(server, data)
    a.echo(four, data, to=(b"four.test", at(four)[1]))
    a.echo(six, data, to=(b"six.test", at(six)[1]))
check(a.echo(four), a.echo(four))  # always from the same port
up = 4 * (0 + 1 + 1472 + 65000) + 2 * 8
record = a.close_and_check(BYTES_UP=str(up), BYTES_DOWN=str(up + 18 * 4), DATAGRAMS_UP="18",
                           DATAGRAMS_DOWN="18", DROPPED="0",
                     COMMAND="UDP ASSOCIATE", DST="0.0.0.0", REPLY="0", BOUND="127.0.0.1",
                     BOUND_PORT=str(a.relay[1]),
                     DESTINATIONS="2", REACHED="127.0.0.1", REACHED_PORT=str(at(four)[1]))
assert "dropped" not in a.log_text(), a.log_text()
PY
}

@test "udp: the longest datagrams pass in both directions, and a longer one is dropped" {
    world <<'PY'
a = Association()
server = udp()
longest = pattern(SIZE_MAX - 10)
a.send(server, longest)
got, source = server.recvfrom(1 << 17)
check(got, longest)
server.sendto(longest, source)
check(a.recv(), (*at(server), longest))
server.sendto(pattern(SIZE_MAX - 9), source)  # with its header it exceeds a datagram
server.sendto(b"next", source)
check(a.recv()[2], b"next")
a.close_and_check(drops="oversized 1")
PY
}

@test "udp: only a destination of the client can answer, from the same address and port" {
    world <<'PY'
a = Association()
one, other, stranger = udp(), udp(), udp()
source = a.echo(one)
check(a.echo(other), source)
stranger.sendto(b"forged", source)
udp("127.0.0.2", at(one)[1]).sendto(b"forged", source)  # the port of one, at another address
one.sendto(b"right", source)
check(a.recv(), (*at(one), b"right"))
assert silent(a.sock)
a.close_and_check(drops="unasked 2", DATAGRAMS_DOWN="3")
PY
}

@test "udp: the first datagram fixes the client's port, and other senders are ignored" {
    world <<'PY'
a = Association()
server, before, stranger, elsewhere = udp(), udp("127.0.0.2"), udp(), udp("127.0.0.2")
before.sendto(header(*at(server)) + b"not the client's address", a.relay)
a.sock.sendto(b"no header", a.relay)
a.echo(server)
for sock in stranger, elsewhere:
    sock.sendto(header(*at(server)) + b"stranger", a.relay)
    sock.sendto(b"", a.relay)
a.echo(server)
for sock in server, before, stranger, elsewhere, a.sock:
    assert silent(sock)
a.close_and_check(drops="stranger 5, malformed 1")
# Other senders get no answer, for any address and any content.
ip("addr add 192.0.2.1/24 dev lo", "addr add 192.0.2.3/24 dev lo")
a = Association()
ports = [udp(host) for host in ("127.0.0.1", "127.0.0.3", "192.0.2.1", "192.0.2.3")]
server = udp()
for sock in ports[1:]:
    for data in b"", b"x", header(*at(server)) + b"x", bytes(1000):
        with contextlib.suppress(OSError):
            sock.sendto(data, a.relay)
a.echo(server)
for sock in ports:
    assert silent(sock)
a.close_and_check(drops="stranger 12")
PY
}

@test "udp: the relay socket is bound to the address that the client reached, and to no other" {
    world <<'PY'
a = Association(ends=connection(listener("::1")), dst=("::", 0))
check(a.relay[0], "::1")
a.echo(udp())
a.echo(udp("::1"))
a.close_and_check()
# An IPv4 client of a socket for both families, and of one for all IPv4 addresses.
both = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
for listening, host in (both, "127.0.0.1"), (socket.create_server(("", 0)), "127.0.0.7"), \
        (socket.create_server(("", 0)), "127.0.0.8"):
    client = socket.create_connection((host, port_of(listening)), DEADLINE_S, ("127.0.0.9", 0))
    a = Association(ends=(client, listening.accept()[0]), sock=udp("127.0.0.9"))
    check(a.relay[0], host)
    assert not is_free(a.relay)
    assert host == "127.0.0.1" or is_free(("127.0.0.1", a.relay[1]))
    a.echo(udp())
    a.close_and_check(CLIENT="127.0.0.9", BOUND=host)
# For a client on AF_UNIX or pipes, the relay is at 127.0.0.1.
a = Association(ends=socket.socketpair())
check(a.relay[0], "127.0.0.1")
server = udp()
a.echo(server)
a.close_and_check(CLIENT="unix")
with Piped([STDSOCKS, "-o", "command udp", "-o", "allow to any at any"]) as piped:
    piped.send(GREETING + request("0.0.0.0", 0, UDP_ASSOCIATE))
    check(piped.recv(5), CHOSEN + b"\x05\0\0")
    piped_client = Datagrams()
    piped_client.sock, piped_client.relay = udp(), parse_address(piped.recv(7))[:2]
    piped_client.echo(server)
    piped.close_stdin()
    check(piped.status(), 0)
PY
}

@test "udp: the request's DST must be the client's address, and its port is fixed [RFC 1928 s4]" {
    world <<'PY'
own, other, server = udp(), udp(), udp()
for host in "0.0.0.0", "127.0.0.1", b"127.0.0.1", "::ffff:127.0.0.1":
    a = Association(dst=(host, at(own)[1]), sock=own)
    other.sendto(header(*at(server)) + b"stranger", a.relay)
    a.echo(server)
    a.close_and_check(drops="stranger 1")
for host in "127.0.0.1", "::", b"0", b"":  # PySocks sends a name "0"
    a = Association(dst=(host, 0))
    a.echo(server)
    a.close_and_check(DST=host if type(host) is str else "0.0.0.0")
for host, reply in ("127.0.0.2", 2), ("::1", 2), ("8.8.8.8", 2), (b"localhost", 8), \
        (b"example.com", 8):
    a = Association(dst=(host, at(own)[1]), reply=reply)
    a.refused(REPLY=str(reply), DATAGRAMS_UP=None, DROPPED=None)
    assert "or 0.0.0.0)" in a.log_text(), a.log_text()
PY
}

@test "udp: a malformed datagram is dropped and counted, and does not fix the port [RFC 1928 s7]" {
    world <<'PY'
a = Association()
server = udp()
whole = header(*at(server)) + b"data"
wrong = [b"", *(whole[:size] for size in range(1, 10)), header(*at(server), rsv=1) + b"x",
         header(*at(server), rsv=256) + b"x", *(whole[:3] + kind + whole[4:]
                                                for kind in (b"\0", b"\2", b"\5")),
         b"\0\0\0\x03\xff" + b"a" * 200, b"\0\0\0\x04" + bytes(17), header("127.0.0.1", 0) + b"x",
         header(b"localhost", 0) + b"x"]
other = udp()
for data in wrong:
    other.sendto(data, a.relay)
for number in 1, 2, 0x7F, 0x80, 0xFF:
    a.send(server, b"part", frag=number)
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
# From port 0, to which no answer can be sent.
raw.sendto(struct.pack(">HHHH", 0, a.relay[1], 8 + len(whole), 0) + whole, ("127.0.0.1", 0))
a.echo(server)
assert silent(server)
a.close_and_check(drops="malformed 20, fragment 5", DATAGRAMS_UP="1")
PY
}

@test "udp: a denied datagram is dropped with a suggested rule, and the association goes on" {
    world <<'PY'
server, denied = udp(), udp()
a = Association("-o", f"deny port {at(denied)[1]}", "-o", "allow command udp to any", rules=())
for _ in range(3):
    a.send(denied)
a.echo(server)
assert silent(denied)
suggestion = f"allow from 127.0.0.1 command udp to 127.0.0.1 port {at(denied)[1]}"
a.close_and_check(drops="denied 3", RULE="-o", REMEDY=suggestion)
assert "3 datagrams dropped (denied 3, first denial by -o)" in a.log_text(), a.log_text()
a = Association("-o", suggestion, rules=())
a.echo(denied)
a.send(server)
a.echo(denied)
a.close_and_check(drops="denied 1", RULE="end of the rules")
a = Association(rules=())  # the built-in rules
a.send(server)
a.send(("10.0.0.1", 53))
a.send(("224.0.0.1", 53))
a.send(("255.255.255.255", 53))
a.close_and_check(drops="denied 4", RULE="built-in 4")
PY
}

@test "udp: reply 07 unless the command is configured, and 07 for CONNECT if it is not" {
    world <<'PY'
h = Handler()
h.client.send(GREETING + request("0.0.0.0", 0, UDP_ASSOCIATE))
check(h.client.recv(12), CHOSEN + b"\x05\x07\0\x01" + bytes(6))
h.refused(REPLY="7", COMMAND="UDP ASSOCIATE", DATAGRAMS_UP=None)
(listening,) = listeners("127.0.0.1")
h = Handler("-o", "command udp")
check(h.connect("127.0.0.1", port_of(listening)), 7)
h.refused()
# Version 4 has no UDP ASSOCIATE.
h = Handler("-o", "version 4 5", "-o", "command connect udp")
h.client.send(b"\x04\x03" + bytes(2) + bytes([127, 0, 0, 1]) + b"\0")
check(h.client.recv(8)[:2], b"\0\x5b")
h.refused(REPLY="7")
PY
}

@test "udp: an ICMP error, a missing route and a broadcast address do not end the association" {
    world <<'PY'
a = Association()
server = udp()
for _ in range(3):
    a.send(("127.0.0.1", CLOSED_PORT))
    a.echo(server)
a.send(("192.0.2.1", 53))
a.send(("255.255.255.255", 53))
a.send(("2001:db8::1", 53))
a.send(("::ffff:127.0.0.1", at(server)[1]))
a.echo(server)
port = a.sock.getsockname()[1]
source = a.echo(server)
a.sock.close()  # the client's port is closed for some time
for _ in range(3):
    server.sendto(b"lost", source)
a.sock = udp("127.0.0.1", port)
a.send(server)
server.recvfrom(100)
server.sendto(b"found", source)
while (data := a.recv()[2]) == b"lost":
    pass
check(data, b"found")
assert silent(server)
a.close_and_check(drops="unsent 4")
PY
}

@test "udp: the end of the TCP connection ends the association" {
    world <<'PY'
server = udp()
for how in "close", "fin", "reset":
    a = Association()
    a.echo(server)
    assert not is_free(a.relay)
    a.client.send(b"ignored")
    a.echo(server)
    getattr(a.client, how)()
    a.ended(CLOSED_BY="client", END="reset" if how == "reset" else "closed")
    assert is_free(a.relay)
    a.send(server)
assert silent(server)
PY
}

@test "udp: datagrams received before the end are passed on, for each way to end" {
    world <<'PY'
def filled(*options):
    """Returns a stopped association and its server. More than a batch waits in each direction."""
    a, server = Association(*options), udp()
    source = a.echo(server)
    a.process.send_signal(signal.SIGSTOP)
    for i in range(100):
        a.send(server, b"up %d" % i)
        server.sendto(b"down %d" % i, source)
    return a, server

def passed_on(a, server, **fields):
    a.process.send_signal(signal.SIGCONT)
    a.ended(DATAGRAMS_UP="101", DATAGRAMS_DOWN="101", DROPPED="0", **fields)
    check([server.recv(100) for _ in range(100)], [b"up %d" % i for i in range(100)])
    check([a.recv()[2] for _ in range(100)], [b"down %d" % i for i in range(100)])

for how in "close", "fin", "reset":
    a, server = filled()
    getattr(a.client, how)()
    passed_on(a, server, CLOSED_BY="client")
a, server = filled()
a.terminate()
passed_on(a, server, END="terminated")
idle, lifetime = filled("-o", "timeout idle 2s"), filled("-o", "timeout lifetime 2s")
time.sleep(2.1)  # both timeouts expire
passed_on(*idle, END="idle-timeout")
passed_on(*lifetime, END="lifetime")
PY
}

@test "udp: datagrams that wait for a lookup are sent if it is answered before the end" {
    world <<'PY'
may_answer = threading.Event()
late = after(lambda: may_answer.wait(DEADLINE_S), ["127.0.0.1"])
SLOW = [f"slow{number}.test" for number in range(8)]
names, server = Server({name: late for name in SLOW}), udp()
port = at(server)[1]
for slow, stop in (SLOW[:4], "terminate"), (SLOW[4:], "close"):
    may_answer.clear()
    a = Association()
    for name in slow:
        a.send((name.encode(), port), name.encode())
    eventually(lambda: {f"A {name}" for name in slow} <= set(names.queries), "all queries arrive")
    with a.stopped():
        may_answer.set()
        eventually(lambda: len(queries()) == 8 and all(queries()), "all answers arrive")
        a.send((stop.encode() + b".test", port))
        if stop == "terminate":
            a.terminate()
        else:
            a.client.close()
    a.ended(DATAGRAMS_UP="4", DROPPED_FOR="unresolved 1")
    check(sorted(server.recv(100).decode() for _ in slow), slow)
# No lookup starts after the end.
assert not any("terminate" in query for query in names.queries), names.queries
PY
}

@test "udp: a destination that cannot be sent to is not counted, and may not answer" {
    need strace
    world <<'PY'
a = Association(before=traced("sendmmsg"))
send_gso(a.sock, a.relay, [header("2001:db8::1", 53) + b"x"] * 64)
six = udp("::1")
source = a.echo(six)
ip("addr add 2001:db8::1/128 dev lo nodad")
udp("2001:db8::1", 53).sendto(b"unasked", source)
a.echo(six)
a.close_and_check(drops="unasked 1, unsent 64", DATAGRAMS_UP="2", DESTINATIONS="1", REACHED="::1",
                  REACHED_PORT=str(at(six)[1]))
check(len(calls("ENETUNREACH")), 1)
a = Association()
a.send(("2001:db8:1::1", 53))
a.close_and_check(drops="unsent 1", DESTINATIONS="0", REACHED=None)
PY
}

@test "udp: datagrams that the kernel drops for want of buffers are counted" {
    world <<'PY'
a, server, answering = Association(), udp(), udp()
source = a.echo(answering)
with a.stopped():
    for _ in range(8000):
        a.send(server, b"")
        answering.sendto(b"", source)

def unread():
    with open("/proc/net/udp", encoding="ascii") as lines:
        # sl, address, port, address, port, state, tx, rx
        rows = [re.split("[ :]+", line.strip()) for line in lines][1:]
    return sum(int(row[7], 16) for row in rows if int(row[2], 16) in (a.relay[1], source[1]))

eventually(lambda: not unread(), "the handler has read all datagrams")
a.client.close()
record = a.ended()
up, down = int(record["STDSOCKS_DATAGRAMS_UP"]), int(record["STDSOCKS_DATAGRAMS_DOWN"])
assert 0 < up < 8000 and 0 < down < 8000, record
check_fields(record, DROPPED=str(16002 - up - down), DROPPED_FOR=f"overflow {16002 - up - down}")
PY
}

@test "udp: the idle timeout, the lifetime and SIGTERM end an association" {
    world <<'PY'
server = udp()
idle, lifetime = Association("-o", "timeout idle 800ms"), Association("-o", "timeout lifetime 1s")
began_s = time.monotonic()
while time.monotonic() < began_s + 1.7:
    idle.echo(server)
    lifetime.send(udp())
stranger = udp()
while idle.process.poll() is None:
    stranger.sendto(b"x", idle.relay)  # does not restart the idle timeout
    time.sleep(0.02)
for a, end in (idle, "idle-timeout"), (lifetime, "lifetime"):
    check(a.client.end(), (b"", "fin"))
    a.ended(END=end, CLOSED_BY="stdsocks")
a = Association()
a.echo(server)
a.terminate()
check(a.client.end(), (b"", "fin"))
a.ended(END="terminated", CLOSED_BY="stdsocks")
# If both timeouts have expired, END names the earlier one.
idle = Association("-o", "timeout idle 1s", "-o", "timeout lifetime 1300ms", rules=["deny"])
lifetime = Association("-o", "timeout idle 1300ms", "-o", "timeout lifetime 1s", rules=["deny"])
with idle.stopped(), lifetime.stopped():
    idle.send(server)
    lifetime.send(server)
    time.sleep(1.4)
idle.ended(END="idle-timeout", CLOSED_BY="stdsocks", DROPPED_FOR="denied 1")
lifetime.ended(END="lifetime", CLOSED_BY="stdsocks", DROPPED_FOR="denied 1")
PY
}

@test "udp: dropped datagrams do not delay the timeouts" {
    world <<'PY'
rows = []
rules = "deny to 127.0.0.1", "allow to any at any"  # 192.0.2.1 has no route
for timer, host in ("idle", "127.0.0.1"), ("lifetime", "127.0.0.1"), ("idle", "192.0.2.1"):
    a = Association("-o", f"timeout {timer} 1500ms", rules=rules)
    rows.append((a, host, {"idle": "idle-timeout"}.get(timer, timer)))
while any(a.process.poll() is None for a, *_ in rows):
    for a, host, _ in rows:
        with contextlib.suppress(ConnectionRefusedError):
            send_gso(a.sock, a.relay, [header(host, 9)] * 64)
for a, _, end in rows:
    record = a.ended(END=end, CLOSED_BY="stdsocks", DATAGRAMS_UP="0")
    assert 1500000 <= int(record["STDSOCKS_TOTAL_USEC"]) < 15000000, record
PY
}

@test "udp: --hex shows the reply, and the end of input ends the association" {
    run timeout 20 "$STDSOCKS" --hex -o 'command udp' <<<'05 01 00  05 03 00 01 00 00 00 00 00 00'
    [[ $status == 0 && $output == *'REP succeeded'*'BND.ADDR 127.0.0.1'*'BND.PORT '* ]]
    [[ $output == *'UDP ASSOCIATE 0.0.0.0:0 on 127.0.0.1:'* ]]
    [[ $output == *': closed by client, 0 bytes up, 0 down, '* ]]
}

@test "udp: \"source\" sets the address that datagrams leave from, and excludes the other family" {
    world <<'PY'
server, six = udp(), udp("::1")
a = Association("-o", "source 127.0.0.5")
check(a.echo(server)[0], "127.0.0.5")
a.send(six)
a.echo(server)
assert silent(six)
a.close_and_check(drops="unsent 1")
for source in "192.0.2.77", "127.255.255.255":  # a broadcast address can be bound, but not used
    Association("-o", f"source {source}", reply=1).fails("cannot use the configured source")
PY
}

@test "udp: datagrams leave by the device or with the mark of \"source\"" {
    need_wire
    world <<'PY'
wire, other = Wire(), Wire("other", "198.51.100", "2001:db8:1:")
ip("route add 192.0.2.0/24 dev other metric 500", "route add 2001:db8::/64 dev other metric 2000",
   "route add 192.0.2.0/24 dev other table 77", "route add 2001:db8::/64 dev other table 77",
   "rule add fwmark 7 table 77")
run("ip", "-6", "rule", "add", "fwmark", "7", "table", "77")
with other.far:
    ip("address add 192.0.2.1/32 dev other", "address add 2001:db8::1/128 dev other nodad")
with wire.far:  # routes to the addresses that are answered from here
    ip("route add 198.51.100.200/32 dev wire", "route add 2001:db8:1::8000/128 dev wire")
for host in "192.0.2.1", "2001:db8::1":
    with wire.far:
        by_wire = udp(host)
    with other.far:
        by_other = udp(host, at(by_wire)[1])
    for source, server, elsewhere in ([], by_wire, by_other), \
            (["-o", "source device other"], by_other, by_wire), \
            (["-o", "source mark 7"], by_other, by_wire):
        a = Association(*source)
        left_from = a.echo(server)
        check(left_from[0],
              {(by_wire, 4): "192.0.2.200", (by_wire, 6): "2001:db8::8000",
               (by_other, 4): "198.51.100.200",
               (by_other, 6): "2001:db8:1::8000"}[server, 6 if ":" in host else 4])
        assert silent(elsewhere), "a datagram has left by the other device, too"
        if server is by_other:  # the answer of the same address and port through the other device
            elsewhere.sendto(b"by wire", left_from)
            if "mark" in source[1]:
                check(a.recv()[2], b"by wire")
        a.echo(server)
        assert silent(a.sock)
        a.close_and_check(DATAGRAMS_UP="2")
PY
}

@test "udp: an association keeps 1024 destinations and replaces the least recently used one" {
    world <<'PY'
MAX = 1024
a = Association()
server, last = udp(), udp()
source = a.echo(server)
def fill(count):
    for number in range(count):
        a.send((f"127.1.{number >> 8}.{number & 255}", 9))
        if number % 16 == 15:
            a.sock.sendto(header("127.0.0.1", 9, frag=1), a.relay)
            time.sleep(0.001)
fill(MAX - 1)
server.sendto(b"still known", source)
check(a.recv(), (*at(server), b"still known"))
fill(MAX - 1)
a.echo(last)  # replaces the oldest, so the first of fill() is now the oldest
fill(MAX - 1)
server.sendto(b"forgotten", source)
last.sendto(b"known", source)
check(a.recv(), (*at(last), b"known"))
a.client.close()
record = a.ended()
assert "unasked 1" in record["STDSOCKS_DROPPED_FOR"], record
PY
}

@test "udp: a name is looked up once, and not at all if no address could be allowed" {
    world <<'PY'
names = Server({"echo.test": ["127.0.0.1"], "denied.test": ["127.0.0.1"], "no.test": NXDOMAIN,
                "both.test": ["127.0.0.2", "127.0.0.1"]})
server = udp()
port = at(server)[1]
a = Association("-o", f"allow to echo.test at any port {port}",
                "-o", "allow to both.test at 127.0.0.1", rules=())
for _ in range(8):
    a.send((b"echo.test", port), b"early")
for _ in range(8):
    check(server.recvfrom(100)[0], b"early")
for _ in range(300):
    a.echo(server, to=(b"echo.test", port))
a.echo(server, to=(b"both.test", port))  # goes to the first allowed address
for _ in range(3):
    a.send((b"denied.test", port))
a.echo(server, to=(b"echo.test", port))
check(sorted(names.queries), ["A both.test", "A echo.test", "AAAA both.test", "AAAA echo.test"])
assert silent(server)
record = a.close_and_check(drops="denied 3", RULE="end of the rules")
check(record["STDSOCKS_REMEDY"], f"allow from 127.0.0.1 command udp to denied.test port {port}")
# Names that do not exist, and invalid names.
names.queries.clear()
a = Association()
a.send((b"no.test", 53))
eventually(lambda: len(names.queries) == 2, "the query arrives")
for name in b"no.test", b"127.1", b"a b", b"", b"\xff" * 255:
    a.send((name, 53))
a.echo(server, to=(b"echo.test", port))
a.close_and_check(drops="unresolved 6")
check(sorted(names.queries), ["A echo.test", "A no.test", "AAAA echo.test", "AAAA no.test"])
PY
}

@test "udp: lookups delay nothing else; 64 run at a time, with 8 datagrams each" {
    world <<'PY'
MAX = 64
SLOW = [f"slow{number}.test" for number in range(MAX)]
may_answer = threading.Event()
late = after(lambda: may_answer.wait(DEADLINE_S), ["127.0.0.1"])
names = Server({"echo.test": ["127.0.0.1"], **{name: late for name in SLOW}})
server = udp()
port = at(server)[1]
a = Association()
for number, name in enumerate(SLOW[:-1]):
    for _ in range(9 if number % 8 == 0 else 1):  # 9 are one more than can wait
        a.send((name.encode(), port), name.encode())
    a.echo(server)  # the handler keeps up
check(len(queries()), 2 * (MAX - 1))
a.echo(server, to=(b"echo.test", port))
a.send((SLOW[-1].encode(), port), SLOW[-1].encode())
a.send((b"too-many.test", port))
a.echo(server)
assert not any("too-many" in query for query in names.queries), names.queries
may_answer.set()
wanted = [name for number, name in enumerate(SLOW) for _ in range(8 if number % 8 == 0 else 1)]
got = [server.recvfrom(100)[0].decode() for _ in wanted]
check(sorted(got), sorted(wanted))
a.send((b"echo.test", port), b"last")
check(server.recvfrom(100)[0], b"last")
a.close_and_check(drops="unresolved 9")
PY
}

@test "udp: 200 lookups may start at once, and then 50 a second" {
    world <<'PY'
COUNT = 400
write("/etc/hosts", "".join(f"127.0.0.1 name{number}.test\n" for number in range(COUNT)))
server = udp()
began_s = time.monotonic()
a = Association()
for number in range(COUNT):
    a.send((b"name%d.test" % number, CLOSED_PORT))
    if number % 50 == 49:
        a.echo(server)  # the handler keeps up
took_s = time.monotonic() - began_s
a.client.close()
record = a.ended()
up = int(record["STDSOCKS_DATAGRAMS_UP"]) - COUNT // 50
assert 200 <= up <= 201 + 50 * took_s, (up, took_s)
check_fields(record, DROPPED_FOR=f"unresolved {COUNT - up}")
PY
}

@test "udp: a lookup without an answer ends after all attempts, and the association goes on" {
    world <<'PY'
write("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:2\n")
names = Server({"refused.test": REFUSED})
server = udp()
a = Association()
a.send((b"silent.test", 53))
names.expect("silent.test")
began_s = time.monotonic()
a.send((b"refused.test", 53))
a.echo(server)
eventually(lambda: not queries(), "the lookups end")
assert 1.5 < time.monotonic() - began_s < 10
check(names.queries.count("A silent.test"), 2)
a.send((b"silent.test", 53))  # the result is kept
a.send((b"silent-too.test", 53))  # this lookup lasts until the association ends
eventually(lambda: "A silent-too.test" in names.queries, "the query arrives")
a.echo(server)
check(names.queries.count("A silent.test"), 2)
a.close_and_check(drops="unresolved 4")
PY
}

@test "udp: names are looked up without another process" {
    need_root
    need prlimit setpriv
    world <<'PY'
Server({"echo.test": ["127.0.0.1"]})
server = udp()
# The user has no other processes.
alone = "prlimit", "--nproc=0", "setpriv", "--reuid=61234", "--clear-groups", "--"
a = Association(before=alone)
a.echo(server, to=(b"echo.test", at(server)[1]))
a.close_and_check()
PY
}

@test "udp: a batch keeps its order and its datagrams, for any sizes" {
    world <<'PY'
a = Association()
one, other = udp(), udp("::1")

def there_and_back(*sizes, to=(one,)):
    """Send datagrams of these sizes at once, to the servers TO in turn, and all back at once."""
    sent = [(to[i % len(to)], bytes([i % 256]) * size) for i, size in enumerate(sizes)]
    with a.stopped():
        for server, data in sent:
            a.send(server, data)
    got, sources = {server: [] for server in to}, {}
    for server, _ in sent:
        data, sources[server] = server.recvfrom(1 << 17)
        got[server].append(data)
    for server in to:
        check(got[server], [data for target, data in sent if target is server])
    with a.stopped():
        for server, data in sent:
            server.sendto(data, sources[server])
    back = [a.recv() for _ in sent]
    for server in to:
        check([data for *source, data in back if tuple(source) == at(server)], got[server])

def all_sizes():
    there_and_back(*[1000] * 70)
    there_and_back(*[1000] * 40, to=(one, other))
    there_and_back(1000, 1000, 999, 1000, 1000, 0, 0, 1, 1, 2, 1, 1452, 1452, 1453, 1453, 1452, 0)
    there_and_back(*[1430, 1430, 1430, 1200] * 10)
    there_and_back(*range(40), *range(40, 0, -1))
    there_and_back(*[20000, 20000, 1, 1, 20000])

all_sizes()
ip("link set lo mtu 1300")  # the kernel fragments some datagrams
all_sizes()
a.close_and_check()
PY
}

@test "udp: datagrams that the kernel coalesces are passed on one by one, each with its header" {
    need strace
    world <<'PY'
a = Association(before=traced("recvmmsg"))

def there_and_back(server, count, size, last):
    data = [bytes([i % 256]) * size for i in range(count - 1)] + [b"z" * last]
    send_gso(a.sock, a.relay, [header(*at(server)) + payload for payload in data])
    got = [server.recvfrom(1 << 17) for _ in data]
    check([payload for payload, _ in got], data)
    if last > 0:
        send_gso(server, got[0][1], data)
        check([a.recv() for _ in data], [(*at(server), payload) for payload in data])

for server in udp(), udp("::1"):
    for sizes in (2, 1, 1), (2, 500, 1), (64, 1, 1), (64, 900, 900), (48, 1200, 7), \
            (3, 20000, 20000):
        there_and_back(server, *sizes)
    there_and_back(server, 2, 1, 0)
lines = calls("SOL_UDP, cmsg_type=(0x68|UDP_GRO)")
# From three sockets: the client's, and one to destinations of each family.
check(len({line.split("(")[1].split(",")[0] for line in lines}), 3)
a.close_and_check()
PY
}

@test "udp: datagrams longer than the path MTU are sent one by one, and all others in batches" {
    need strace
    world <<'PY'
ip("link set lo mtu 1300")
a = Association(before=traced("sendmmsg"))
server = udp()
a.echo(server)
for size in 1400, 1400, 1000:
    with a.stopped():
        for i in range(8):
            a.send(server, bytes([i]) * size)
    check([server.recv(1 << 17) for _ in range(8)], [bytes([i]) * size for i in range(8)])
a.close_and_check()
lines = calls("SOL_UDP, cmsg_type=(0x67|UDP_SEGMENT)")
check([line.rpartition(" = ")[2].split()[0] for line in lines], ["-1", "-1", "1"])
PY
}

@test "udp: needs 10 descriptors, and replies 01 with fewer" {
    world <<'PY'
few = lambda count: ("prlimit", f"--nofile={count}", "--")
a = Association(before=few(10))
a.echo(udp())
a.close_and_check()
Association(before=few(9), reply=1).fails(ERRNO="24")
PY
}

@test "udp: datagrams to a name are dropped if no descriptor is left, and the association goes on" {
    world <<'PY'
few = lambda count: ("prlimit", f"--nofile={count}", "--")

def half(server, query, source):
    """Answers only queries for IPv4 addresses."""
    if question(query)[1] == 1:
        server.sock.sendto(answer(query, ["127.0.0.1"]), source)

MANY = [b"half%d.test" % number for number in range(200)]
Server({"four.test": ["127.0.0.1"], "six.test": ["::1"], **{name.decode(): half for name in MANY}})
four, six = udp(), udp("::1")
# A lookup has a socket for each family.
for count, names in (10, ""), (11, "four.test"), (12, "four.test six.test"):
    a = Association(before=few(count))
    for name, server in ("four.test", four), ("six.test", six):
        to = name.encode(), at(server)[1]
        if name in names:
            a.echo(server, to=to)
        else:
            a.send(to)
        a.echo(server)
    a.close_and_check(drops=f"unresolved {2 - len(names.split())}" if count < 12 else None)
# Lookups that wait for their second family use all descriptors but one.
a = Association(before=few(21), rules=("deny to 127.0.0.1", "allow to any at any"))
names = iter(MANY)

def is_full():
    a.send((next(names), 53))
    a.echo(six)
    return len(queries()) == 10

eventually(is_full, "the lookups use the descriptors")
is_full()
a.client.close()
a.ended(END="closed", CLOSED_BY="client", DROPPED=str(len(MANY) - len(list(names))))
PY
}

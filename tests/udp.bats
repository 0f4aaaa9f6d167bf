#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# UDP ASSOCIATE (RFC 1928 s4, s7): whose datagrams are passed on, where to, and what comes back.

load helper
load net/world

prelude <<'PY'
import contextlib, errno, os, re, signal, socket, struct, threading, time

from datagrams import Datagrams, SIZE_MAX, UDP_ASSOCIATE, at, header, is_free
from datagrams import parse_address, send_gso, silent, udp
from dns import NXDOMAIN, Server, after
from notify import Manager, notify_env
from socks import CHOSEN, DEADLINE_S, GREETING, Piped, check, listener, pattern, request
from udp import Association, calls, children, traced
from wire import Wire
from world import CLOSED_PORT, Handler, STDSOCKS, connection, eventually, check_fields, ip, listeners
from world import port_of, run, write
PY

setup() {
    need_world
}

@test "udp: there and back, by IPv4, IPv6 and name, byte for byte [RFC 1928 s7]" {
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
check(a.echo(four), a.echo(four))  # one port, for all of them
up = 4 * (0 + 1 + 1472 + 65000) + 2 * 8
record = a.over_with(BYTES_UP=str(up), BYTES_DOWN=str(up + 18 * 4), DATAGRAMS_UP="18", DATAGRAMS_DOWN="18", DROPPED="0",
                     COMMAND="UDP ASSOCIATE", DST="0.0.0.0", REPLY="0", BOUND="127.0.0.1", BOUND_PORT=str(a.relay[1]),
                     DESTINATIONS="2", REACHED="127.0.0.1", REACHED_PORT=str(at(four)[1]))
assert "dropped" not in a.log_text(), a.log_text()
PY
}

@test "udp: the longest datagrams of both directions, and one byte more" {
    world <<'PY'
a = Association()
server = udp()
longest = pattern(SIZE_MAX - 10)
a.send(server, longest)
got, source = server.recvfrom(1 << 17)
check(got, longest)
server.sendto(longest, source)
check(a.recv(), (*at(server), longest))
server.sendto(pattern(SIZE_MAX - 9), source)  # no room for it and its header in one
server.sendto(b"next", source)
check(a.recv()[2], b"next")
a.over_with(drops="oversized 1")
PY
}

@test "udp: answers come from who was sent to, and from nobody else" {
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
a.over_with(drops="unasked 2", DATAGRAMS_DOWN="3")
PY
}

@test "udp: the client's first datagram fixes its port; others' are dropped, and nobody else gets a byte" {
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
a.over_with(drops="stranger 5, malformed 1")
# Nothing answers a stranger, whatever its address is and whatever it sends.
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
a.over_with(drops="stranger 12")
PY
}

@test "udp: the relay is at the address that the client reached, and at no other" {
    world <<'PY'
a = Association(ends=connection(listener("::1")), dst=("::", 0))
check(a.relay[0], "::1")
a.echo(udp())
a.echo(udp("::1"))
a.over_with()
# A client of IPv4 on a socket for both families; on one for all addresses.
both = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
for listening, host in (both, "127.0.0.1"), (socket.create_server(("", 0)), "127.0.0.7"), \
        (socket.create_server(("", 0)), "127.0.0.8"):
    where = host, port_of(listening)
    client = socket.create_connection(where, DEADLINE_S, source_address=("127.0.0.9", 0))
    a = Association(ends=(client, listening.accept()[0]), sock=udp("127.0.0.9"))
    check(a.relay[0], host)
    assert not is_free(a.relay)
    assert host == "127.0.0.1" or is_free(("127.0.0.1", a.relay[1]))
    a.echo(udp())
    a.over_with(CLIENT="127.0.0.9", BOUND=host)
# Of a Unix socket, and of pipes, it is on loopback.
a = Association(ends=socket.socketpair())
check(a.relay[0], "127.0.0.1")
server = udp()
a.echo(server)
a.over_with(CLIENT="unix")
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

@test "udp: DST of the request is the client's own address, and its port is fixed by it [RFC 1928 s4]" {
    world <<'PY'
mine, other, server = udp(), udp(), udp()
for host in "0.0.0.0", "127.0.0.1", b"127.0.0.1", "::ffff:127.0.0.1":
    a = Association(dst=(host, at(mine)[1]), sock=mine)
    other.sendto(header(*at(server)) + b"stranger", a.relay)
    a.echo(server)
    a.over_with(drops="stranger 1")
for host in "127.0.0.1", "::", b"0", b"":  # PySocks sends a name "0"
    a = Association(dst=(host, 0))
    a.echo(server)
    a.over_with(DST=host if type(host) is str else "0.0.0.0")
for host, reply in ("127.0.0.2", 2), ("::1", 2), ("8.8.8.8", 2), (b"localhost", 8), (b"example.com", 8):
    a = Association(dst=(host, at(mine)[1]), reply=reply)
    a.refused(REPLY=str(reply), DATAGRAMS_UP=None, DROPPED=None)
    assert "0.0.0.0 would do" in a.log_text(), a.log_text()
PY
}

@test "udp: what is malformed is dropped and counted, and fixes nothing [RFC 1928 s7]" {
    world <<'PY'
a = Association()
server = udp()
whole = header(*at(server)) + b"data"
wrong = [b"", *(whole[:size] for size in range(1, 10)), header(*at(server), rsv=1) + b"x",
         header(*at(server), rsv=256) + b"x", *(whole[:3] + kind + whole[4:] for kind in (b"\0", b"\2", b"\5")),
         b"\0\0\0\x03\xff" + b"a" * 200, b"\0\0\0\x04" + bytes(17), header("127.0.0.1", 0) + b"x",
         header(b"localhost", 0) + b"x"]
other = udp()
for data in wrong:
    other.sendto(data, a.relay)
for number in 1, 2, 0x7F, 0x80, 0xFF:
    a.send(server, b"part", frag=number)
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
raw.sendto(struct.pack(">HHHH", 0, a.relay[1], 8 + len(whole), 0) + whole, ("127.0.0.1", 0))  # from port 0: no answer could go there
a.echo(server)
assert silent(server)
a.over_with(drops="malformed 20, fragment 5", DATAGRAMS_UP="1")
PY
}

@test "udp: through the rules, with the remedy of the first denial; the association goes on" {
    world <<'PY'
server, denied = udp(), udp()
a = Association("-o", f"deny port {at(denied)[1]}", "-o", "allow command udp to any", rules=())
for _ in range(3):
    a.send(denied)
a.echo(server)
assert silent(denied)
remedy = f"allow from 127.0.0.1 command udp to 127.0.0.1 port {at(denied)[1]}"
a.over_with(drops="denied 3", RULE="-o", REMEDY=remedy)
assert "3 datagrams dropped (denied 3, the first denied one by -o)" in a.log_text(), a.log_text()
a = Association("-o", remedy, rules=())
a.echo(denied)
a.send(server)
a.echo(denied)
a.over_with(drops="denied 1", RULE="end of the rules")
a = Association(rules=())  # the built-in ones
a.send(server)
a.send(("10.0.0.1", 53))
a.send(("224.0.0.1", 53))
a.send(("255.255.255.255", 53))
a.over_with(drops="denied 4", RULE="built-in 4")
PY
}

@test "udp: 07 unless it is configured, and then CONNECT only if it is, too" {
    world <<'PY'
h = Handler()
h.client.send(GREETING + request("0.0.0.0", 0, UDP_ASSOCIATE))
check(h.client.recv(12), CHOSEN + b"\x05\x07\0\x01" + bytes(6))
h.refused(REPLY="7", COMMAND="UDP ASSOCIATE", DATAGRAMS_UP=None)
(listening,) = listeners("127.0.0.1")
h = Handler("-o", "command udp")
check(h.connect("127.0.0.1", port_of(listening)), 7)
h.refused()
# Version 4 has no such command.
h = Handler("-o", "version 4 5", "-o", "command connect udp")
h.client.send(b"\x04\x03" + bytes(2) + bytes([127, 0, 0, 1]) + b"\0")
check(h.client.recv(8)[:2], b"\0\x5b")
h.refused(REPLY="7")
PY
}

@test "udp: an ICMP error, a way that is not there and a broadcast end nothing" {
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
a.sock.close()  # the client's own port is closed for a while
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
a.over_with(drops="unsent 4")
PY
}

@test "udp: the end of the client's connection is the end of all, at once" {
    world <<'PY'
server = udp()
for how in "close", "fin", "reset":
    a = Association()
    a.echo(server)
    assert not is_free(a.relay)
    a.client.send(b"what comes here now means nothing")
    a.echo(server)
    getattr(a.client, how)()
    a.ended(CLOSED_BY="client", END="reset" if how == "reset" else "closed")
    assert is_free(a.relay)
    a.send(server)
assert silent(server)
# Nothing is left: no process for names either.
def running():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            if pid != "1" and stat.read().rpartition(")")[2].split()[0] != "Z":
                return True
    return False
eventually(lambda: not running(), "no process is left")
PY
}

@test "udp: what had come when it ends is passed on, in both directions, however it ends" {
    world <<'PY'
def filled(*options):
    """An association that is stopped, and its server; more than a batch waits in each direction."""
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
time.sleep(2.1)  # both timers run out
passed_on(*idle, END="idle-timeout")
passed_on(*lifetime, END="lifetime")
PY
}

@test "udp: names that were answered by the end get what has waited for them" {
    need dnsmasq
    world <<'PY'
let = threading.Event()
late = after(lambda: let.wait(DEADLINE_S), ["127.0.0.1"])
SLOW = [f"slow{number}.test" for number in range(8)]
names, server = Server({name: late for name in SLOW}), udp()
port = at(server)[1]
for slow_ones, stop in (SLOW[:4], "terminate"), (SLOW[4:], "close"):
    let.clear()
    a = Association()
    for name in slow_ones:
        a.send((name.encode(), port), name.encode())
    eventually(lambda: {f"A {name}" for name in slow_ones} <= set(names.queries), "all are asked for")
    with a.stopped():
        let.set()
        eventually(lambda: not children(a.lookups()), "all are answered")
        a.send((stop.encode() + b".test", port))
        if stop == "terminate":
            a.terminate()
        else:
            a.client.close()
    a.ended(DATAGRAMS_UP="4", DROPPED_FOR="unresolved 1")
    check(sorted(server.recv(100).decode() for _ in slow_ones), slow_ones)
assert not any("terminate" in query for query in names.queries), names.queries  # after the end nothing is asked for
PY
}

@test "udp: where nothing could be sent is no destination, costs little, and may not answer" {
    need strace
    world <<'PY'
a = Association(before=traced("sendmmsg"))
send_gso(a.sock, a.relay, [header("2001:db8::1", 53) + b"x"] * 64)
six = udp("::1")
source = a.echo(six)
ip("addr add 2001:db8::1/128 dev lo nodad")
udp("2001:db8::1", 53).sendto(b"unasked", source)
a.echo(six)
a.over_with(drops="unasked 1, unsent 64", DATAGRAMS_UP="2", DESTINATIONS="1", REACHED="::1", REACHED_PORT=str(at(six)[1]))
check(len(calls("ENETUNREACH")), 1)
a = Association()
a.send(("2001:db8:1::1", 53))
a.over_with(drops="unsent 1", DESTINATIONS="0", REACHED=None)
PY
}

@test "udp: what the kernel has no room for is counted" {
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

eventually(lambda: not unread(), "the handler has read what there was room for")
a.client.close()
record = a.ended()
up, down = int(record["STDSOCKS_DATAGRAMS_UP"]), int(record["STDSOCKS_DATAGRAMS_DOWN"])
assert 0 < up < 8000 and 0 < down < 8000, record
check_fields(record, DROPPED=str(16002 - up - down), DROPPED_FOR=f"overflow {16002 - up - down}")
PY
}

@test "udp: idle, lifetime, SIGTERM" {
    world <<'PY'
server = udp()
idle, lifetime = Association("-o", "timeout idle 800ms"), Association("-o", "timeout lifetime 1s")
began_s = time.monotonic()
while time.monotonic() < began_s + 1.7:
    idle.echo(server)
    lifetime.send(udp())
stranger = udp()
while idle.process.poll() is None:
    stranger.sendto(b"x", idle.relay)  # does not keep it
    time.sleep(0.02)
for a, end in (idle, "idle-timeout"), (lifetime, "lifetime"):
    check(a.client.end(), (b"", "fin"))
    a.ended(END=end, CLOSED_BY="stdsocks")
a = Association()
a.echo(server)
a.terminate()
check(a.client.end(), (b"", "fin"))
a.ended(END="terminated", CLOSED_BY="stdsocks")
# Of two timers that have run out, the one that did so first.
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

@test "udp: timers and status wait for no pause of what is not passed on" {
    world <<'PY'
rows = []
rules = "deny to 127.0.0.1", "allow to any at any"  # and there is no route to the other host
for timer, host in ("idle", "127.0.0.1"), ("lifetime", "127.0.0.1"), ("idle", "192.0.2.1"):
    manager = Manager(f"@{timer} {host}")
    a = Association("-o", f"timeout {timer} 1500ms", rules=rules, env=notify_env(manager.where))
    rows.append((a, manager, host, {"idle": "idle-timeout"}.get(timer, timer)))
while any(a.process.poll() is None for a, *_ in rows):
    for a, _, host, _ in rows:
        with contextlib.suppress(ConnectionRefusedError):
            send_gso(a.sock, a.relay, [header(host, 9)] * 64)
for a, manager, host, end in rows:
    record = a.ended(END=end, CLOSED_BY="stdsocks", DATAGRAMS_UP="0")
    assert 1500000 <= int(record["STDSOCKS_TOTAL_USEC"]) < 15000000, record
    assert manager.sock.recv(4096, socket.MSG_DONTWAIT).startswith(b"STATUS="), (end, host)
PY
}

@test "udp: --hex shows the reply, and the end of the text ends it" {
    run timeout 20 "$STDSOCKS" --hex -o 'command udp' <<<'05 01 00  05 03 00 01 00 00 00 00 00 00'
    [[ $status == 0 && $output == *'REP succeeded'*'BND.ADDR 127.0.0.1'*'BND.PORT '* && $output == *'UDP ASSOCIATE 0.0.0.0:0 on 127.0.0.1:'*': closed by client, 0 bytes up, 0 down, '* ]]
}

@test "udp: source is where datagrams come from, and one family excludes the other" {
    world <<'PY'
server, six = udp(), udp("::1")
a = Association("-o", "source 127.0.0.5")
check(a.echo(server)[0], "127.0.0.5")
a.send(six)
a.echo(server)
assert silent(six)
a.over_with(drops="unsent 1")
for source in "192.0.2.77", "127.255.255.255":  # the broadcast address can be bound, and is no source
    Association("-o", f"source {source}", reply=1).unserved("no such source")
PY
}

@test "udp: datagrams leave by the device, or with the mark, of the source, and by the device alone others come" {
    need_wire
    world <<'PY'
wire, other = Wire(), Wire("other", "198.51.100", "2001:db8:1:")
ip("route add 192.0.2.0/24 dev other metric 500", "route add 2001:db8::/64 dev other metric 2000",
   "route add 192.0.2.0/24 dev other table 77", "route add 2001:db8::/64 dev other table 77", "rule add fwmark 7 table 77")
run("ip", "-6", "rule", "add", "fwmark", "7", "table", "77")
with other.far:
    ip("address add 192.0.2.1/32 dev other", "address add 2001:db8::1/128 dev other nodad")
with wire.far:  # a way to where the answers of the others go
    ip("route add 198.51.100.200/32 dev wire", "route add 2001:db8:1::8000/128 dev wire")
for host in "192.0.2.1", "2001:db8::1":
    with wire.far:
        by_wire = udp(host)
    with other.far:
        by_other = udp(host, at(by_wire)[1])
    for source, server, elsewhere in ([], by_wire, by_other), (["-o", "source device other"], by_other, by_wire), \
            (["-o", "source mark 7"], by_other, by_wire):
        a = Association(*source)
        where = a.echo(server)
        check(where[0], {(by_wire, 4): "192.0.2.200", (by_wire, 6): "2001:db8::8000", (by_other, 4): "198.51.100.200",
                         (by_other, 6): "2001:db8:1::8000"}[server, 6 if ":" in host else 4])
        assert silent(elsewhere), "it has gone the other way, too"
        if server is by_other:  # from the same address and port, by the other device
            elsewhere.sendto(b"by wire", where)
            if "mark" in source[1]:
                check(a.recv()[2], b"by wire")
        a.echo(server)
        assert silent(a.sock)
        a.over_with(DATAGRAMS_UP="2")
PY
}

@test "udp: 1024 destinations at a time; of the one unused for longest no answer is taken" {
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
a.echo(last)  # the one too many: the oldest is now the first of those
fill(MAX - 1)
server.sendto(b"forgotten", source)
last.sendto(b"known", source)
check(a.recv(), (*at(last), b"known"))
a.client.close()
record = a.ended()
assert "unasked 1" in record["STDSOCKS_DROPPED_FOR"], record
PY
}

@test "udp: a name is looked up once, whatever is sent to it, and not at all if no address could be allowed" {
    need dnsmasq
    world <<'PY'
names = Server({"echo.test": ["127.0.0.1"], "denied.test": ["127.0.0.1"], "no.test": NXDOMAIN,
                "both.test": ["127.0.0.2", "127.0.0.1"]})
server = udp()
port = at(server)[1]
a = Association("-o", f"allow to echo.test at any port {port}", "-o", "allow to both.test at 127.0.0.1", rules=())
for _ in range(8):
    a.send((b"echo.test", port), b"early")
for _ in range(8):
    check(server.recvfrom(100)[0], b"early")
for _ in range(300):
    a.echo(server, to=(b"echo.test", port))
a.echo(server, to=(b"both.test", port))  # the first address that is allowed
for _ in range(3):
    a.send((b"denied.test", port))
a.echo(server, to=(b"echo.test", port))
check(sorted(names.queries), ["A both.test", "A echo.test", "AAAA both.test", "AAAA echo.test"])
assert silent(server)
record = a.over_with(drops="denied 3", RULE="end of the rules")
check(record["STDSOCKS_REMEDY"], f"allow from 127.0.0.1 command udp to denied.test port {port}")
# Names that do not exist, and those that are none.
names.queries.clear()
a = Association()
a.send((b"no.test", 53))
eventually(lambda: len(names.queries) == 2, "it is asked for")
for name in b"no.test", b"127.1", b"a b", b"", b"\xff" * 255:
    a.send((name, 53))
a.echo(server, to=(b"echo.test", port))
a.over_with(drops="unresolved 6")
check(sorted(names.queries), ["A echo.test", "A no.test", "AAAA echo.test", "AAAA no.test"])
PY
}

@test "udp: a slow name holds up neither addresses nor other names; 8 at a time, with 8 datagrams each" {
    need dnsmasq
    world <<'PY'
SLOW = [f"slow{number}.test" for number in range(8)]
let = threading.Event()
late = after(lambda: let.wait(DEADLINE_S), ["127.0.0.1"])
names = Server({"echo.test": ["127.0.0.1"], **{name: late for name in SLOW}})
server = udp()
port = at(server)[1]
a = Association()
for name in SLOW[:7]:
    for _ in range(9):  # one more than wait
        a.send((name.encode(), port), name.encode())
a.echo(server)
a.echo(server, to=(b"echo.test", port))
for _ in range(8):
    a.send((SLOW[7].encode(), port), SLOW[7].encode())
a.send((b"too-many.test", port))
a.echo(server)
assert not any("too-many" in query for query in names.queries), names.queries
let.set()
got = sorted(server.recvfrom(100)[0].decode() for _ in range(64))
check(got, sorted(SLOW * 8))
a.send((b"echo.test", port), b"last")
check(server.recvfrom(100)[0], b"last")
a.over_with(drops="unresolved 8")
PY
}

# The time is that limit of the handler.
@test "udp: a lookup without an answer is over after 5 seconds, and the association goes on" {
    need dnsmasq
    world <<'PY'
names = Server({})
server = udp()
a = Association()
a.send((b"silent.test", 53))
names.expect("silent.test")
began_s = time.monotonic()
a.echo(server)
check(len(children(a.lookups())), 1)
eventually(lambda: not children(a.lookups()), "the lookup is over")
assert 4 < time.monotonic() - began_s < 20
a.send((b"silent-too.test", 53))  # waits as long as the association lasts
eventually(lambda: "A silent-too.test" in names.queries, "it is asked for")
a.echo(server)
a.over_with(drops="unresolved 2")
PY
}

@test "udp: the end of the process for names is the end of the association, and the operator is told" {
    world <<'PY'
a = Association()
a.echo(udp())
os.kill(a.lookups(), signal.SIGKILL)
a.ends(status=71, END="failed", CLOSED_BY="stdsocks", ERRNO=str(errno.ECHILD))
assert "the process that looks names up has ended" in a.log_text(), a.log_text()
# Without it there is no association, but 01; the user has no other processes.
nobodys = "prlimit", "--nproc=0", "setpriv", "--reuid=61234", "--clear-groups", "--"
Association(before=nobodys, reply=1).unserved("no process to look names up", ERRNO="11")
PY
}

@test "udp: what comes in one go goes in its order, each datagram for itself, whatever the sizes" {
    world <<'PY'
a = Association()
one, other = udp(), udp("::1")

def there_and_back(*sizes, to=(one,)):
    """All of them at once, in turn to each of TO, and back at once."""
    sent = [(to[i % len(to)], bytes([i % 256]) * size) for i, size in enumerate(sizes)]
    with a.stopped():
        for server, data in sent:
            a.send(server, data)
    got, sources = {server: [] for server in to}, {}
    for server, _ in sent:
        data, sources[server] = server.recvfrom(1 << 17)
        got[server].append(data)
    for server in to:
        check(got[server], [data for where, data in sent if where is server])
    with a.stopped():
        for server, data in sent:
            server.sendto(data, sources[server])
    back = [a.recv() for _ in sent]
    for server in to:
        check([data for *where, data in back if tuple(where) == at(server)], got[server])

def all_sizes():
    there_and_back(*[1000] * 70)
    there_and_back(*[1000] * 40, to=(one, other))
    there_and_back(1000, 1000, 999, 1000, 1000, 0, 0, 1, 1, 2, 1, 1452, 1452, 1453, 1453, 1452, 0)
    there_and_back(*[1430, 1430, 1430, 1200] * 10)
    there_and_back(*range(40), *range(40, 0, -1))
    there_and_back(*[20000, 20000, 1, 1, 20000])

all_sizes()
ip("link set lo mtu 1300")  # the kernel parts some of them
all_sizes()
a.over_with()
PY
}

@test "udp: datagrams that the kernel gives as one go on each for itself, with its own header" {
    need strace
    world <<'PY'
a = Association(before=traced("recvmmsg"))

def there_and_back(server, count, size, last):
    data = [bytes([i % 256]) * size for i in range(count - 1)] + [b"z" * last]
    send_gso(a.sock, a.relay, [header(*at(server)) + one for one in data])
    got = [server.recvfrom(1 << 17) for _ in data]
    check([one for one, _ in got], data)
    if last > 0:
        send_gso(server, got[0][1], data)
        check([a.recv() for _ in data], [(*at(server), one) for one in data])

for server in udp(), udp("::1"):
    for sizes in (2, 1, 1), (2, 500, 1), (64, 1, 1), (64, 900, 900), (48, 1200, 7), (3, 20000, 20000):
        there_and_back(server, *sizes)
    there_and_back(server, 2, 1, 0)
lines = calls("SOL_UDP, cmsg_type=(0x68|UDP_GRO)")
check(len({line.split("(")[1].split(",")[0] for line in lines}), 3)  # both directions and families
a.over_with()
PY
}

@test "udp: what is too long for a way goes there one by one, and everything else together" {
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
a.over_with()
lines = calls("SOL_UDP, cmsg_type=(0x67|UDP_SEGMENT)")
check([line.rpartition(" = ")[2].split()[0] for line in lines], ["-1", "-1", "1"])
PY
}

@test "udp: the status says what was passed on" {
    world <<'PY'
manager = Manager("@udp")
a = Association(env=notify_env("@udp"))
a.echo(udp(), pattern(3412))
said = manager.sock.recv(4096).decode()
assert re.fullmatch(r"STATUS=127\.0\.0\.1 -> UDP ASSOCIATE 0\.0\.0\.0:0, 3\.4K up, 3\.4K down, ([\d.]+K/s, )?\d+s", said), said
a.over_with()
PY
}

@test "udp: 8 descriptors are enough, and with fewer it is 01" {
    world <<'PY'
a = Association(before=("prlimit", "--nofile=8", "--"))  # a journal would be one more
a.echo(udp())
a.over_with()
Association(before=("prlimit", "--nofile=7", "--"), reply=1).unserved(ERRNO="24")
PY
}

#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# BIND, where it is configured: who may call, where, for how long, and only once; in both versions.

load helper
load net/world

prelude <<'PY'
import contextlib, re, signal, socket, subprocess, threading, time

from bind import BIND, Binding, FTP, LISTEN_BACKLOG, call, exchange, expecting, is_refused, is_reset
from bind import refused, request4, served
from dns import Server
from logs import JOURNAL, Reader, fields
from socks import CHOSEN, GREETING, MIB, Piped, check, half_close, meanwhile, passes, pattern
from socks import is_idle, request
from wire import Wire
from world import STDSOCKS, eventually, ip, listeners, port_of, sysctl, unnamed, write
PY

# Of a sanitized build: conversation.bats tells why.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0

setup() {
    need_world
}

# -- Who is served.

@test "bind: two replies, where to call and who has called, and then the bytes [RFC 1928 6]" {
    world <<'PY'
MANY = 24 * MIB
for version, host, size in (5, "127.0.0.1", MANY), (5, "::1", 100), (4, "127.0.0.1", MANY), \
        (5, b"127.0.0.1", 100), (4, b"127.0.0.1", 100):
    h, where = expecting(host, version=version)
    check(where[0], host if isinstance(host, str) else host.decode())
    check(h.listening(), where)
    h.waits()
    h.serves(h.called(where), size, CLOSED_BY="client", REPLY="0", BYTES_UP=str(size),
             BYTES_DOWN=str(size))
PY
}

@test "bind: each address of a name of the first one's family may call; version 4 takes IPv4 ones" {
    world <<'PY'
ip("address add 2001:db8::1/128 dev lo nodad", "address add 2001:db8::2/128 dev lo nodad")
Server({"four.test": ["127.0.0.4", "127.0.0.5"], "six.test": ["2001:db8::1", "2001:db8::2"], "both.test": ["::1", "127.0.0.1"]})
for name, callers in (b"four.test", ("127.0.0.4", "127.0.0.5")), (b"six.test", ("2001:db8::1", "2001:db8::2")), (b"both.test", ("::1",)):
    for caller in callers:
        served(name, caller=caller, DST=name.decode(), REACHED=caller)
# Version 4 has room for IPv4 only.
served(b"both.test", caller="127.0.0.1", version=4)
refused(8, b"six.test", version=4)
four = [f"127.0.3.{n}" for n in range(1, 41)]
six = [f"2001:db8::{n}" for n in range(1, 41)]
names = [f"{one} many.test\n" for one in four] + [f"{one} mixed.test\n" for one in [*six, four[0]]]
write("/etc/hosts", "".join(names))
for caller in four:
    served(b"many.test", caller=caller, REACHED=caller)
served(b"mixed.test", caller=four[0], version=4)
# The refusal names an address that version 4 has room for.
remedy = "allow from 127.0.0.1 command bind to mixed.test at 127.0.3.1 port 21"
rules = ["allow to mixed.test at 2001:db8::/64"]
refused(2, b"mixed.test", rules=rules, version=4, RULE="end of the rules", REMEDY=remedy)
refused(8, b"::1", "-o", "deny to any", rules=(), version=4, RULE=None)
PY
}

@test "bind: the other family is faced when there is no way to the first one's" {
    world <<'PY'
write("/etc/hosts", "127.0.0.1 both.test\n::1 both.test\n")
for source in "127.0.0.1", "::1":  # which has no way to the other family
    check(served(b"both.test", "-o", f"source {source}")[0], source)
PY
}

@test "bind: a client on a Unix socket, and one on pipes, are served" {
    world <<'PY'
for ends in socket.socketpair(), None:
    served("127.0.0.1", ends=ends, size=1000)
with Piped([STDSOCKS, "-o", "allow to any", "-o", "command bind"]) as piped:
    piped.send(GREETING + request("127.0.0.1", FTP, BIND) + b"up")
    check(piped.recv(6), CHOSEN + b"\x05\0\0\x01")
    where = piped.recv(6)
    caller = call(("127.0.0.1", int.from_bytes(where[4:], "big")))
    check(piped.recv(10), b"\x05\0\0" + request(*caller.sock.getsockname())[3:])
    check(caller.recv(2), b"up")
    passes(caller, piped, b"down")
    piped.close_stdin()
    check(caller.end(), (b"", "fin"))
    caller.fin()
    check(piped.end(), b"")
    check(piped.status(), 0)
PY
}

# -- Where.

@test "bind: where to call is the address that faces the peer when the host has several" {
    need_wire
    world <<'PY'
wires = Wire(), Wire("other", "198.51.100", "2001:db8:1:")
for wire, four, six in zip(wires, ("192.0.2", "198.51.100"), ("2001:db8:", "2001:db8:1:")):
    for peer, here in (f"{four}.1", f"{four}.200"), (f"{six}:1", f"{six}:8000"):
        h, where = expecting(peer)
        check(where[0], here)
        with wire.far:
            caller = call(where, peer)
        h.hears(*caller.sock.getsockname()[:2])
        h.serves(caller, 1000, BOUND=here, BOUND_PORT=str(where[1]), REACHED=peer)
    check(wire.syns, [])  # and nobody was called to learn that
PY
}

@test "bind: where to call is the source when there is one, and by its device and mark alone" {
    need_wire
    world <<'PY'
wire, other = Wire(), Wire("other", "198.51.100", "2001:db8:1:")
ip("address add 192.0.2.201/24 dev wire", "route add 192.0.2.0/24 dev other metric 500", "rule add fwmark 7 table 77",
   "route add 192.0.2.0/24 dev other table 77")
with other.far:
    ip("address add 192.0.2.1/32 dev other", "route add 198.51.100.200/32 dev other src 192.0.2.1")
for source, here, way in ("192.0.2.201", "192.0.2.201", wire), ("device other", "198.51.100.200", other), \
        ("mark 7", "198.51.100.200", other):
    h, where = expecting("192.0.2.1", "-o", f"source {source}")
    check(where[0], here)
    with way.far:
        caller = call(where, "192.0.2.1")
    h.hears(*caller.sock.getsockname())
    h.serves(caller, BOUND=here)
h, where = expecting("192.0.2.1", "-o", "source device other")
with wire.far:
    ip("route add 198.51.100.200/32 dev wire src 192.0.2.1")
    assert is_refused(where, "192.0.2.1"), "called by another device"
refused(3, "2001:db8::1", "-o", "source 192.0.2.201", ERRNO="101", BOUND=None)
PY
}

@test "bind: the reply tells why no call is possible: 01 (no source), 02, 03, 04 [RFC 1928 6]" {
    world <<'PY'
ip("route add unreachable 192.0.2.4", "route add prohibit 192.0.2.2")
unreachable = "192.0.2.3", "2001:db8::3", "::ffff:127.0.0.1", "fe80::1", "ff02::1"
replies = {3: unreachable, 4: ["192.0.2.4"], 2: ["192.0.2.2"]}
for reply, hosts in replies.items():
    for host in hosts:
        refused(reply, host, BOUND=None, CONNECT_USEC=None)
failed = {"status": 71, "END": "failed", "ERRNO": "99", "BOUND": None}
for version in 4, 5:
    for source in "192.0.2.1", "device nowhere0":
        refused(1, "127.0.0.1", "-o", f"source {source}", version=version, **failed)
sysctl("ipv4/ip_local_port_range", "40000 40000")
ends = socket.socketpair()
taken = socket.create_server(("127.0.0.1", 40000))
refused(1, "127.0.0.1", ends=ends, **failed)
PY
}

# -- Who may call.

@test "bind: a stranger is reset, and the peer is still waited for" {
    world <<'PY'
for version, peer, strangers in (5, "127.0.0.1", ("127.0.0.2", "127.1.0.1")), (4, "127.0.0.9", ("127.0.0.1",)), \
        (5, "::1", ("2001:db8::7",)):
    if ":" in peer:
        ip("address add 2001:db8::7/128 dev lo nodad")
    h, where = expecting(peer, version=version)
    for host in strangers * 3:
        assert is_reset(where, host), host
    h.waits()
    h.serves(h.called(where, peer), REACHED=peer)
PY
}

@test "bind: who calls again is refused, and so is who has called meanwhile" {
    world <<'PY'
h, where = expecting("127.0.0.1")
with h.stopped():
    callers = [call(where, host) for host in ("127.0.0.2", "127.0.0.1", "127.0.0.1", "127.0.0.2")]
h.hears(*callers[1].sock.getsockname())
for other in callers[0], callers[2], callers[3]:
    check(other.end(), (b"", "reset"))
assert is_refused(where)
assert len(h.descriptors()) == 5, h.descriptors()  # three standard ones, the signals', the connection
h.serves(callers[1])
# A call that is over before the handler looks is a call all the same.
h, where = expecting("127.0.0.1")
with h.stopped():
    caller = call(where)
    caller.send(b"a whole file")
    caller.close()
h.client.recv(10)
check(h.client.end(), (b"a whole file", "fin"))
h.gone()
h.ended(BYTES_DOWN="12")
PY
}

@test "bind: nobody may be meant by 0.0.0.0 or ::, by address, by name, in both versions" {
    world <<'PY'
Server({"any.test": ["0.0.0.0", "::"], "some.test": ["0.0.0.0", "127.0.0.1"]})
for version, host in (5, "0.0.0.0"), (5, "::"), (5, b"0.0.0.0"), (5, b"any.test"), (4, "0.0.0.0"), (4, b"any.test"):
    h = refused(2, host, version=version, BOUND=None, RULE=None)
    assert "(only a peer may call whose address or name the client has said)" in h.said()
refused(2, "0.0.0.0", rules=(), RULE=None)  # no rule would help
served(b"some.test", caller="127.0.0.1")
PY
}

# -- For how long.

@test "bind: 04 when nobody has called in time, which begins with the first reply" {
    world <<'PY'
for version in 4, 5:
    h, _ = expecting("127.0.0.1", "-o", "timeout bind 400ms", version=version)
    record = h.turned_down(4, ERRNO="110")
    assert 400000 <= int(record["STDSOCKS_CONNECT_USEC"]) < 15000000, record
    assert "refused, host unreachable (nobody has called in time), " in h.said()
over = threading.Event()


def strangers():
    while not over.is_set():
        with contextlib.suppress(OSError):
            call(where, "127.0.0.2").close()


# Strangers that keep calling do not make it longer.
h, where = expecting("127.0.0.1", "-o", "timeout bind 1s")
with meanwhile(strangers), meanwhile(strangers):
    record = h.turned_down(4, ERRNO="110")
    over.set()
assert 1000000 <= int(record["STDSOCKS_CONNECT_USEC"]) < 15000000, record
assert "(nobody but strangers has called in time)" in h.said()
h, where = expecting("127.0.0.1", "-o", "timeout handshake 1s")
h.client.open_and_silent(1.2)  # the handshake's time has nothing to do with it
h.serves(h.called(where))
PY
}

@test "bind: a call that came in time is taken though the handler looks late, and one that came late is not" {
    world <<'PY'
h, where = expecting("127.0.0.1", "-o", "timeout bind 1s")
with h.stopped():
    strangers = [call(where, "127.0.0.2") for _ in range(LISTEN_BACKLOG)]
    caller = call(where)
    time.sleep(1.1)  # what the test is about, not a synchronisation
h.hears(*caller.sock.getsockname())
for stranger in strangers:
    check(stranger.end(), (b"", "reset"))
h.serves(caller)
h, where = expecting("127.0.0.1", "-o", "timeout bind 500ms")
h.client.recv(10)
assert is_refused(where)
PY
}

@test "bind: a client that vanishes is noticed while the call is waited for, too" {
    world <<'PY'
TCP, SOL = socket.IPPROTO_TCP, socket.SOL_SOCKET
h, _ = expecting("127.0.0.1")
with h.take(0) as sock:
    eventually(lambda: sock.getsockopt(TCP, socket.TCP_KEEPCNT) == 2, "it has keepalive")
    check(sock.getsockopt(SOL, socket.SO_KEEPALIVE), 1)
    check(sock.getsockopt(TCP, socket.TCP_KEEPIDLE), 60)
    check(sock.getsockopt(TCP, socket.TCP_KEEPINTVL), 60)
PY
}

@test "bind: it ends at once when it is told to stop" {
    world <<'PY'
for number in signal.SIGTERM, signal.SIGINT:
    h, where = expecting("127.0.0.1")
    h.process.send_signal(number)
    h.ends(END="terminated", CLOSED_BY="stdsocks", REPLY="0", REACHED=None,
           MESSAGE_ID="dabd9aa38022419e8b57bfe5028c7661")
    assert re.search(r" BIND 127\.0\.0\.1:21 on 127\.0\.0\.1:\d+: told to stop, ended, \d", h.said()), h.said()
    assert is_refused(where)
PY
}

# -- What the client does meanwhile.

@test "bind: bytes that the client sends before the call are the peer's first ones" {
    world <<'PY'
for version in 4, 5:
    for size in 1, 1000, 300000:  # more than is kept; the rest waits in the kernel
        h, where = expecting("127.0.0.1", payload=b"<", version=version)
        with meanwhile(h.client.send, pattern(size)):
            h.waits()
            if size > 262144:
                assert is_idle(h.pid), "it spins with a full buffer"
            caller = h.called(where)
            check(caller.recv(1 + size), b"<" + pattern(size))
        exchange(h, caller)
PY
}

@test "bind: a client that has ended its direction gets what the peer sends, and nothing spins meanwhile" {
    world <<'PY'
for ends in None, socket.socketpair():
    h, where = expecting("127.0.0.1", payload=b"last", ends=ends)
    h.client.fin()
    h.waits()
    assert is_idle(h.pid), "it spins"
    caller = h.called(where)
    check(caller.end(), (b"last", "fin"))
    caller.send(pattern(MIB))
    half_close(caller, h.client, pattern(MIB))
    h.gone()
    h.ended(END="closed", CLOSED_BY="client", BYTES_UP="4", BYTES_DOWN=str(MIB))
PY
}

@test "bind: it ends at once when the client resets, or nobody is left to hear" {
    world <<'PY'
def reset(h):
    h.client.reset()


def close(h):
    h.client.close()


for how, ends, error in (reset, None, "104"), (close, socket.socketpair(), None):
    for payload in b"", b"pipelined":
        if payload and ends:
            ends = socket.socketpair()
        h, where = expecting("127.0.0.1", payload=payload, ends=ends)
        if payload and not ends:
            h.client.acknowledged()
        how(h)
        h.ended(END="client-gone", CLOSED_BY="client", REPLY="0", ERRNO=error, REACHED=None,
                MESSAGE_ID="dabd9aa38022419e8b57bfe5028c7661")
        assert re.search(r": gone before it was served(, \d| \()", h.said()), h.said()
        assert is_refused(where)
with Piped([STDSOCKS, "-o", "allow to any", "-o", "command bind"]) as piped:
    piped.send(GREETING + request("127.0.0.1", FTP, BIND))
    piped.recv(12)
    assert is_idle(piped.process.pid)
    piped.close_stdout()
    check(piped.status(), 0)
PY
}

# -- Rules, and what is not configured.

@test "bind: 07, or 5B, unless it is configured, and then CONNECT only if it is, too" {
    world <<'PY'
for version in 4, 5:
    for commands in "command connect", "command connect resolve":
        refused(7, "127.0.0.1", version=version, commands=commands, COMMAND="BIND", BOUND=None)
(listening,) = listeners("127.0.0.1")
h = Binding()
check(h.connect("127.0.0.1", port_of(listening)), 7)
h.refused(REPLY="7", REACHED=None, COMMAND="CONNECT")
served("127.0.0.1", commands="command connect bind resolve")
h = Binding(commands="command connect bind resolve")
h.serves(h.connected("127.0.0.1", listening))
PY
}

@test "bind: the rules judge the peer; a refusal names the line that opens it" {
    world <<'PY'
ip("address add 8.8.8.8 dev lo")
Server({"one.test": ["127.0.0.7"], "in.test": ["10.0.0.1", "127.0.0.7"]})


def denied(host, port, rule, remedy, *rules, version=5):
    refused(2, host, port=port, rules=rules, version=version, RULE=rule, REMEDY=remedy, BOUND=None)
    # With the line that the refusal names.
    caller = "127.0.0.7" if host == b"one.test" else None
    served(host, port=port, rules=[remedy], version=version, caller=caller)


end = "end of the rules"
denied("127.0.0.1", 21, "built-in 4", "allow from 127.0.0.1 command bind to 127.0.0.1 port 21")
denied("127.0.0.1", 21, "built-in 4", "allow from 127.0.0.1 command bind to 127.0.0.1 port 21", version=4)
denied("127.0.0.1", 0, "built-in 4", "allow from 127.0.0.1 command bind to 127.0.0.1")
denied("::1", 21, end, "allow from 127.0.0.1 command bind to ::1 port 21", "allow command connect to any")
denied("127.0.0.1", 21, end, "allow from 127.0.0.1 command bind to 127.0.0.1 port 21", "allow command bind to 127.0.0.2")
denied("127.0.0.1", 21, "-o", "allow from 127.0.0.1 command bind to 127.0.0.1 port 21", "deny command bind", "allow to any")
denied(b"one.test", 21, end, "allow from 127.0.0.1 command bind to one.test at 127.0.0.7 port 21", "allow to one.test")
# Public peers are within reach of a local client, as they are for CONNECT.
served("8.8.8.8", rules=(), caller="8.8.8.8")
# Who is allowed is one of the name's addresses, and the other one is a stranger.
h, where = expecting(b"in.test", rules=["allow to in.test at 127.0.0.7"])
ip("address add 10.0.0.1 dev lo")
assert is_reset(where, "10.0.0.1")
exchange(h, h.called(where, "127.0.0.7"))
refused(2, "127.0.0.1", port=0, rules=["allow command bind to any at any port 20-21"], RULE=end)
PY
}

@test "bind: version 4 is no way round a password" {
    world <<'PY'
write("/run/users", "alice:secret\n", 0o600)
for userid in b"", b"alice":
    h = Binding("-o", "users /run/users", version=4)
    h.client.send(request4("127.0.0.1", userid=userid))
    h.turned_down(2, BOUND=None, USERID=userid.decode())
h = Binding("-o", "users /run/users")
h.client.send(b"\x05\x01\x02" + b"\x01\x05alice\x06secret" + request("127.0.0.1", FTP, BIND))
check(h.client.recv(4), b"\x05\x02\x01\x00")
check(h.client.recv(4), b"\x05\0\0\x01")
where = socket.inet_ntoa(h.client.recv(4)), int.from_bytes(h.client.recv(2), "big")
exchange(h, h.called(where))
h.ended(USER="alice", END="closed")
PY
}

# -- What is told of it.

@test "bind: the record has who was asked for, where it could call, from where it did, and how long that took" {
    world <<'PY'
journal = Reader(JOURNAL)
write("/etc/hosts", "127.0.0.5 ftp.test\n")
h, where = expecting(b"ftp.test", trace=False)
h.client.open_and_silent(0.3)
caller = h.called(where, "127.0.0.5")
port, client_port = port_of(caller.sock), port_of(h.client.sock)
exchange(h, caller, 10)
h.over()
(datagram,) = journal.all()
record = fields(datagram)
took = {name: int(record.pop(f"STDSOCKS_{name}_USEC")) for name in ("RESOLVE", "CONNECT", "TOTAL")}
assert 200000 <= took["CONNECT"] <= took["TOTAL"], took
message = record.pop("MESSAGE")
wanted = (rf"127\.0\.0\.1:{client_port} BIND ftp\.test:21 at 127\.0\.0\.5 on {where[0]}:{where[1]}: closed by client, "
          r"10 bytes up, 10 down, \d+\.\d{3} s")
assert re.fullmatch(wanted, message), message
check(record, unnamed({
    "PRIORITY": "5", "SYSLOG_FACILITY": "3", "SYSLOG_IDENTIFIER": "stdsocks",
    "MESSAGE_ID": "676b8ea6ab824ca18b7b99a8399ac688", "CLIENT": "127.0.0.1", "CLIENT_PORT": str(client_port),
    "COMMAND": "BIND", "DST": "ftp.test", "DST_PORT": "21", "BOUND": where[0], "BOUND_PORT": str(where[1]),
    "REACHED": "127.0.0.5", "REACHED_PORT": str(port), "REPLY": "0", "BYTES_UP": "10", "BYTES_DOWN": "10",
    "END": "closed", "CLOSED_BY": "client",
}))
PY
}

@test "bind: --hex shows both replies field by field, in both versions, and then the peer's bytes" {
    world <<'PY'
for version, typed, reply in (5, b"05 01 00  05 02 00 01 7f000001 0015", "BND"), (4, b"04 02 0015 7f000001 00", "DST"):
    with subprocess.Popen([STDSOCKS, "-o", "allow to any", "-o", "command bind", "-o", "version 4 5", "--hex", "--trace"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as h:
        h.stdin.write(typed + b"\n")
        h.stdin.close()
        lines = []
        while not lines or not re.search("BND.PORT" if version == 5 else "DSTIP", lines[-1]):
            lines.append(h.stdout.readline().decode())
        (port,) = (int(line.split()[-1]) for line in lines if "PORT " in line)
        caller = call(("127.0.0.1", port))
        caller.send(b"\x05\0\0\x01 no reply\n" + b"\x00\x5a")
        caller.close()
        rest = h.stdout.read().decode().splitlines()
        said = h.stderr.read().decode()
    check(h.returncode, 0)
    ports = [int(line.split()[-1]) for line in rest if "PORT " in line]
    check(len(ports), 1)
    both = re.findall(r"PORT (\d+)", said)
    check([int(number) for number in both], [21, port, *ports])  # the request, both replies
    names = [line.split("# ")[1].split()[0] for line in rest]
    check(names, (["VER", "REP", "RSV", "ATYP", "BND.ADDR", "BND.PORT"] if version == 5 else ["VN", "CD", "DSTPORT", "DSTIP"]) +
          [r'"\x05\x00\x00\x01'])
    check(rest[-1], "05 00 00 01 20 6e 6f 20 72 65 70 6c 79 0a 00 5a  # " + r'"\x05\x00\x00\x01 no reply\n\x00Z"')
PY
}

@test "bind: 6 descriptors are enough, and with fewer it is 01" {
    world <<'PY'
limit = lambda count: ("prlimit", f"--nofile={count}", "--")
served("127.0.0.1", before=limit(6))  # a journal would be one more: stdsocks(8), FILES
for count in 4, 5:
    refused(1, "127.0.0.1", before=limit(count), status=71, END="failed", ERRNO="24")
PY
}

#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# BIND in both versions: which hosts may connect, to which address and for how long, and the rules.

load helper
load net/world

prelude <<'PY'
import contextlib, re, signal, socket, subprocess, threading, time

from bind import BIND, Binding, FTP, LISTEN_BACKLOG, bind_for, exchange, inbound, is_closed
from bind import is_reset, refused, request4, served
from dns import Server
from logs import JOURNAL, Reader, fields
from socks import CHOSEN, GREETING, MIB, Piped, check, half_close, meanwhile, passes, pattern
from socks import is_idle, request
from wire import Wire
from world import STDSOCKS, eventually, ip, listeners, port_of, sysctl, full_names, there, write
PY

# A leak check takes longer than a handler runs.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0

setup() {
    need_world
}

# -- Service

@test "bind: replies with the bound address, then with the remote one, and relays [RFC 1928 6]" {
    world <<'PY'
MANY = 24 * MIB
for version, host, size in (5, "127.0.0.1", MANY), (5, "::1", 100), (4, "127.0.0.1", MANY), \
        (5, b"127.0.0.1", 100), (4, b"127.0.0.1", 100):
    h, where = bind_for(host, version=version)
    check(where[0], host if isinstance(host, str) else host.decode())
    check(h.listening(), where)
    h.waits()
    h.serves(h.accepts(where), size, CLOSED_BY="client", REPLY="0", BYTES_UP=str(size),
             BYTES_DOWN=str(size))
PY
}

@test "bind: accepts a name's addresses of the first one's family; in version 4, of IPv4" {
    world <<'PY'
ip("address add 2001:db8::1/128 dev lo nodad", "address add 2001:db8::2/128 dev lo nodad")
names = {"four.test": ["127.0.0.4", "127.0.0.5"], "six.test": ["2001:db8::1", "2001:db8::2"],
         "both.test": ["::1", "127.0.0.1"]}
Server(names)
for name, addresses in names.items():
    for remote in addresses if name != "both.test" else addresses[:1]:
        served(name.encode(), remote=remote, DST=name, REACHED=remote)
# A request of version 4 can only contain an IPv4 address.
served(b"both.test", remote="127.0.0.1", version=4)
refused(8, b"six.test", version=4)
four = [f"127.0.3.{n}" for n in range(1, 41)]
six = [f"2001:db8::{n}" for n in range(1, 41)]
lines = [f"{ip} many.test\n" for ip in four] + [f"{ip} mixed.test\n" for ip in [*six, four[0]]]
write("/etc/hosts", "".join(lines))
for remote in four:
    served(b"many.test", remote=remote, REACHED=remote)
served(b"mixed.test", remote=four[0], version=4)
# The suggested rule has an IPv4 address.
suggested = "allow from 127.0.0.1 command bind to mixed.test at 127.0.3.1 port 21"
rules = ["allow to mixed.test at 2001:db8::/64"]
refused(2, b"mixed.test", rules=rules, version=4, RULE="end of the rules", REMEDY=suggested)
refused(8, b"::1", "-o", "deny to any", rules=(), version=4, RULE=None)
PY
}

@test "bind: binds in the other family if there is no route in the name's first one" {
    world <<'PY'
write("/etc/hosts", "127.0.0.1 both.test\n::1 both.test\n")
for source in "127.0.0.1", "::1":  # so that there is no route in the other family
    check(served(b"both.test", "-o", f"source {source}")[0], source)
PY
}

@test "bind: serves clients on AF_UNIX sockets and on pipes" {
    world <<'PY'
for ends in socket.socketpair(), None:
    served("127.0.0.1", ends=ends, size=1000)
with Piped([STDSOCKS, "-o", "allow to any", "-o", "command bind"]) as piped:
    piped.send(GREETING + request("127.0.0.1", FTP, BIND) + b"up")
    check(piped.recv(6), CHOSEN + b"\x05\0\0\x01")
    where = piped.recv(6)
    remote = inbound(("127.0.0.1", int.from_bytes(where[4:], "big")))
    check(piped.recv(10), b"\x05\0\0" + request(*remote.sock.getsockname())[3:])
    check(remote.recv(2), b"up")
    passes(remote, piped, b"down")
    piped.close_stdin()
    check(remote.end(), (b"", "fin"))
    remote.fin()
    check(piped.end(), b"")
    check(piped.status(), 0)
PY
}

# -- The bound address

@test "bind: binds the address that routes to the remote host if this host has several" {
    need_wire
    world <<'PY'
wires = Wire(), Wire("other", "198.51.100", "2001:db8:1:")
for wire, four, six in zip(wires, ("192.0.2", "198.51.100"), ("2001:db8:", "2001:db8:1:")):
    for host, local in (f"{four}.1", f"{four}.200"), (f"{six}:1", f"{six}:8000"):
        h, where = bind_for(host)
        check(where[0], local)
        with wire.far:
            remote = inbound(where, host)
        h.gets_reply(*remote.sock.getsockname()[:2])
        h.serves(remote, 1000, BOUND=local, BOUND_PORT=str(where[1]), REACHED=host)
    check(wire.syns, [])  # the handler connects to no host to find its address
PY
}

@test "bind: binds the configured source, or the address that routes by its device or mark" {
    need_wire
    world <<'PY'
wire, other = Wire(), Wire("other", "198.51.100", "2001:db8:1:")
ip("address add 192.0.2.201/24 dev wire", "route add 192.0.2.0/24 dev other metric 500",
   "rule add fwmark 7 table 77", "route add 192.0.2.0/24 dev other table 77")
with other.far:
    ip("address add 192.0.2.1/32 dev other", "route add 198.51.100.200/32 dev other src 192.0.2.1")
for source, local, used in (
    ("192.0.2.201", "192.0.2.201", wire),
    ("device other", "198.51.100.200", other),
    ("mark 7", "198.51.100.200", other),
):
    h, where = bind_for("192.0.2.1", "-o", f"source {source}")
    check(where[0], local)
    with used.far:
        remote = inbound(where, "192.0.2.1")
    h.gets_reply(*remote.sock.getsockname())
    h.serves(remote, BOUND=local)
h, where = bind_for("192.0.2.1", "-o", "source device other")
with wire.far:
    ip("route add 198.51.100.200/32 dev wire src 192.0.2.1")
    assert is_closed(where, "192.0.2.1"), "connected over another device"
refused(3, "2001:db8::1", "-o", "source 192.0.2.201", ERRNO="101", BOUND=None)
PY
}

@test "bind: replies 01 if the source is unusable, and 02, 03 or 04 by the route [RFC 1928 6]" {
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

# -- Remote hosts

@test "bind: resets a connection from another host, and keeps waiting" {
    world <<'PY'
ip("address add 2001:db8::7/128 dev lo nodad")
for version, host, others in (
    (5, "127.0.0.1", ("127.0.0.2", "127.1.0.1")),
    (4, "127.0.0.9", ("127.0.0.1",)),
    (5, "::1", ("2001:db8::7",)),
):
    h, where = bind_for(host, version=version)
    for other in others * 3:
        assert is_reset(where, other), other
    h.waits()
    h.serves(h.accepts(where, host), REACHED=host)
PY
}

@test "bind: accepts one connection, and resets those that were queued with it" {
    world <<'PY'
h, where = bind_for("127.0.0.1")
with h.stopped():
    remotes = [inbound(where, f"127.0.0.{n}") for n in (2, 1, 1, 2)]
h.gets_reply(*remotes[1].sock.getsockname())
for other in remotes[0], remotes[2], remotes[3]:
    check(other.end(), (b"", "reset"))
assert is_closed(where)
# The standard ones, signalfd, /etc/hosts, /etc/resolv.conf, and the connection.
assert len(h.descriptors()) == 8, h.descriptors()
h.serves(remotes[1])
# The connection may have ended before the handler accepts it.
h, where = bind_for("127.0.0.1")
with h.stopped():
    remote = inbound(where)
    remote.send(b"a whole file")
    remote.close()
h.client.recv(10)
check(h.client.end(), (b"a whole file", "fin"))
h.close_client()
h.ended(BYTES_DOWN="12")
PY
}

@test "bind: replies 02 to 0.0.0.0 and ::, by address and by name, in both versions" {
    world <<'PY'
Server({"any.test": ["0.0.0.0", "::"], "some.test": ["0.0.0.0", "127.0.0.1"]})
for version, host in ((5, "0.0.0.0"), (5, "::"), (5, b"0.0.0.0"), (5, b"any.test"),
                      (4, "0.0.0.0"), (4, b"any.test")):
    h = refused(2, host, version=version, BOUND=None, RULE=None)
    assert "(BIND needs the address or name of the remote host that may connect)" in h.log_text()
refused(2, "0.0.0.0", rules=(), RULE=None)  # no rule could allow it
served(b"some.test", remote="127.0.0.1")
PY
}

# -- Deadlines

@test "bind: replies 04 if no inbound connection arrives within the bind timeout" {
    world <<'PY'
for version in 4, 5:
    h, _ = bind_for("127.0.0.1", "-o", "timeout bind 400ms", version=version)
    record = h.is_refused(4, ERRNO="110")
    assert 400000 <= int(record["STDSOCKS_CONNECT_USEC"]) < 15000000, record
    assert "refused, host unreachable (no host has connected in time), " in h.log_text()
over = threading.Event()

def others():
    while not over.is_set():
        with contextlib.suppress(OSError):
            inbound(where, "127.0.0.2").close()

# Connections from other hosts do not extend the time.
h, where = bind_for("127.0.0.1", "-o", "timeout bind 1s")
with meanwhile(others), meanwhile(others):
    record = h.is_refused(4, ERRNO="110")
    over.set()
assert 1000000 <= int(record["STDSOCKS_CONNECT_USEC"]) < 15000000, record
assert "(only other hosts have connected in time)" in h.log_text()
h, where = bind_for("127.0.0.1", "-o", "timeout handshake 1s")
h.client.open_and_silent(1.2)  # the handshake timeout does not apply
h.serves(h.accepts(where))
PY
}

@test "bind: accepts a connection that was queued in time, and none after the deadline" {
    world <<'PY'
h, where = bind_for("127.0.0.1", "-o", "timeout bind 1s")
with h.stopped():
    others = [inbound(where, "127.0.0.2") for _ in range(LISTEN_BACKLOG)]
    remote = inbound(where)
    time.sleep(1.1)  # the deadline passes
h.gets_reply(*remote.sock.getsockname())
for other in others:
    check(other.end(), (b"", "reset"))
h.serves(remote)
h, where = bind_for("127.0.0.1", "-o", "timeout bind 500ms")
h.client.recv(10)
assert is_closed(where)
PY
}

@test "bind: sets keepalive on the client's connection while it waits" {
    world <<'PY'
TCP, SOL = socket.IPPROTO_TCP, socket.SOL_SOCKET
h, _ = bind_for("127.0.0.1")
with h.take(0) as sock:
    eventually(lambda: sock.getsockopt(TCP, socket.TCP_KEEPCNT) == 2, "keepalive")
    check(sock.getsockopt(SOL, socket.SO_KEEPALIVE), 1)
    check(sock.getsockopt(TCP, socket.TCP_KEEPIDLE), 60)
    check(sock.getsockopt(TCP, socket.TCP_KEEPINTVL), 60)
PY
}

@test "bind: ends at once on SIGTERM and SIGINT" {
    world <<'PY'
for number in signal.SIGTERM, signal.SIGINT:
    h, where = bind_for("127.0.0.1")
    h.process.send_signal(number)
    h.ends(END="terminated", CLOSED_BY="stdsocks", REPLY="0", REACHED=None,
           MESSAGE_ID="dabd9aa38022419e8b57bfe5028c7661")
    ended = r" BIND 127\.0\.0\.1:21 on 127\.0\.0\.1:\d+: terminated by signal, \d"
    assert re.search(ended, h.log_text()), h.log_text()
    assert is_closed(where)
PY
}

# -- The client while the handler waits

@test "bind: sends the bytes that the client sent early to the remote host first" {
    world <<'PY'
for version in 4, 5:
    for size in 1, 1000, 300000:  # the last one is more than the handler's buffer
        h, where = bind_for("127.0.0.1", payload=b"<", version=version)
        with meanwhile(h.client.send, pattern(size)):
            h.waits()
            if size > 262144:
                assert is_idle(h.pid), "uses CPU with a full buffer"
            remote = h.accepts(where)
            check(remote.recv(1 + size), b"<" + pattern(size))
        exchange(h, remote)
PY
}

@test "bind: relays to a client that has sent FIN, and uses no CPU while it waits" {
    world <<'PY'
for ends in None, socket.socketpair():
    h, where = bind_for("127.0.0.1", payload=b"last", ends=ends)
    h.client.fin()
    h.waits()
    assert is_idle(h.pid), "uses CPU after FIN"
    remote = h.accepts(where)
    check(remote.end(), (b"last", "fin"))
    remote.send(pattern(MIB))
    half_close(remote, h.client, pattern(MIB))
    h.close_client()
    h.ended(END="closed", CLOSED_BY="client", BYTES_UP="4", BYTES_DOWN=str(MIB))
PY
}

@test "bind: ends at once if the client resets or closes its connection" {
    world <<'PY'
def reset(h):
    h.client.reset()

def close(h):
    h.client.close()

for how, ends, error in (reset, None, "104"), (close, socket.socketpair(), None):
    for payload in b"", b"pipelined":
        if payload and ends:
            ends = socket.socketpair()
        h, where = bind_for("127.0.0.1", payload=payload, ends=ends)
        if payload and not ends:
            h.client.acknowledged()
        how(h)
        h.ended(END="client-gone", CLOSED_BY="client", REPLY="0", ERRNO=error, REACHED=None,
                MESSAGE_ID="dabd9aa38022419e8b57bfe5028c7661")
        ended = r": client disconnected during the handshake(, \d| \()"
        assert re.search(ended, h.log_text()), h.log_text()
        assert is_closed(where)
with Piped([STDSOCKS, "-o", "allow to any", "-o", "command bind"]) as piped:
    piped.send(GREETING + request("127.0.0.1", FTP, BIND))
    piped.recv(12)
    assert is_idle(piped.process.pid)
    piped.close_stdout()
    check(piped.status(), 0)
PY
}

# -- Rules and configuration

@test "bind: replies 07 or 5B unless BIND is configured, and to CONNECT unless that is, too" {
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

@test "bind: evaluates the rules for the remote host, and the suggested rule allows it" {
    world <<'PY'
there("8.8.8.8")
Server({"one.test": ["127.0.0.7"], "in.test": ["10.0.0.1", "127.0.0.7"]})

def denied(host, port, rule, suggested, *rules, version=5):
    fields = {"RULE": rule, "REMEDY": suggested, "BOUND": None}
    refused(2, host, port=port, rules=rules, version=version, **fields)
    # The suggested rule allows it.
    remote = "127.0.0.7" if host == b"one.test" else None
    served(host, port=port, rules=[suggested], version=version, remote=remote)

end = "end of the rules"
bind, local = "allow from 127.0.0.1 command bind", "127.0.0.1"
denied(local, 21, "built-in 4", f"{bind} to 127.0.0.1 port 21")
denied(local, 21, "built-in 4", f"{bind} to 127.0.0.1 port 21", version=4)
denied(local, 0, "built-in 4", f"{bind} to 127.0.0.1")
denied("::1", 21, end, f"{bind} to ::1 port 21", "allow command connect to any")
denied(local, 21, end, f"{bind} to 127.0.0.1 port 21", "allow command bind to 127.0.0.2")
denied(local, 21, "-o", f"{bind} to 127.0.0.1 port 21", "deny command bind", "allow to any")
denied(b"one.test", 21, end, f"{bind} to one.test at 127.0.0.7 port 21", "allow to one.test")
# The built-in rules allow a local client public hosts, as with CONNECT.
served("8.8.8.8", rules=(), remote="8.8.8.8")
# The rule allows one of the name's addresses; connections from the other one are reset.
h, where = bind_for(b"in.test", rules=["allow to in.test at 127.0.0.7"])
ip("address add 10.0.0.1 dev lo")
assert is_reset(where, "10.0.0.1")
exchange(h, h.accepts(where, "127.0.0.7"))
refused(2, "127.0.0.1", port=0, rules=["allow command bind to any at any port 20-21"], RULE=end)
PY
}

@test "bind: requires the password in version 4, too" {
    world <<'PY'
write("/run/users", "alice:secret\n", 0o600)
for userid in b"", b"alice":
    h = Binding("-o", "users /run/users", version=4)
    h.client.send(request4("127.0.0.1", userid=userid))
    h.is_refused(2, BOUND=None, USERID=userid.decode())
h = Binding("-o", "users /run/users")
h.client.send(b"\x05\x01\x02" + b"\x01\x05alice\x06secret" + request("127.0.0.1", FTP, BIND))
check(h.client.recv(4), b"\x05\x02\x01\x00")
check(h.client.recv(4), b"\x05\0\0\x01")
where = socket.inet_ntoa(h.client.recv(4)), int.from_bytes(h.client.recv(2), "big")
exchange(h, h.accepts(where))
h.ended(USER="alice", END="closed")
PY
}

# -- Record and hex mode

@test "bind: records the requested, bound and connected address, and how long it waited" {
    world <<'PY'
journal = Reader(JOURNAL)
write("/etc/hosts", "127.0.0.5 ftp.test\n")
h, where = bind_for(b"ftp.test", trace=False)
h.client.open_and_silent(0.3)
remote = h.accepts(where, "127.0.0.5")
port, client_port = port_of(remote.sock), port_of(h.client.sock)
exchange(h, remote, 10)
h.wait_exit()
(datagram,) = journal.all()
record = fields(datagram)
took = {name: int(record.pop(f"STDSOCKS_{name}_USEC")) for name in ("RESOLVE", "CONNECT", "TOTAL")}
assert 200000 <= took["CONNECT"] <= took["TOTAL"], took
message = record.pop("MESSAGE")
wanted = (rf"127\.0\.0\.1:{client_port} BIND ftp\.test:21 at 127\.0\.0\.5 "
          rf"on {where[0]}:{where[1]}: closed by client, 10 bytes up, 10 down, \d+\.\d{{3}} s")
assert re.fullmatch(wanted, message), message
check(record, full_names({
    "PRIORITY": "5", "SYSLOG_FACILITY": "3", "SYSLOG_IDENTIFIER": "stdsocks",
    "MESSAGE_ID": "676b8ea6ab824ca18b7b99a8399ac688", "CLIENT": "127.0.0.1",
    "CLIENT_PORT": str(client_port), "COMMAND": "BIND", "DST": "ftp.test", "DST_PORT": "21",
    "BOUND": where[0], "BOUND_PORT": str(where[1]), "REACHED": "127.0.0.5",
    "REACHED_PORT": str(port), "REPLY": "0", "BYTES_UP": "10", "BYTES_DOWN": "10",
    "END": "closed", "CLOSED_BY": "client", "RESOLVER": "/etc/hosts",
}))
PY
}

@test "bind: hex mode annotates both replies, in both versions, and shows the remote host's bytes" {
    world <<'PY'
PIPES = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
for text, reply in (
    (b"05 01 00  05 02 00 01 7f000001 0015", ["VER", "REP", "RSV", "ATYP", "BND.ADDR", "BND.PORT"]),
    (b"04 02 0015 7f000001 00", ["VN", "CD", "DSTPORT", "DSTIP"]),
):
    command = [STDSOCKS, "-o", "allow to any", "-o", "command bind", "-o", "version 4 5"]
    with subprocess.Popen([*command, "--hex", "--trace"], **PIPES) as h:
        h.stdin.write(text + b"\n")
        h.stdin.close()
        lines = []
        while not lines or not re.search(reply[-1], lines[-1]):
            lines.append(h.stdout.readline().decode())
        (port,) = (int(line.split()[-1]) for line in lines if "PORT " in line)
        remote = inbound(("127.0.0.1", port))
        remote.send(b"\x05\0\0\x01 no reply\n" + b"\x00\x5a")
        remote.close()
        rest = h.stdout.read().decode().splitlines()
        said = h.stderr.read().decode()
    check(h.returncode, 0)
    ports = [int(line.split()[-1]) for line in rest if "PORT " in line]
    check(len(ports), 1)
    both = re.findall(r"PORT (\d+)", said)
    check([int(number) for number in both], [21, port, *ports])  # the request, both replies
    names = [line.split("# ")[1].split()[0] for line in rest]
    check(names, [*reply, r'"\x05\x00\x00\x01'])
    check(rest[-1], "05 00 00 01 20 6e 6f 20 72 65 70 6c 79 0a 00 5a  # "
          r'"\x05\x00\x00\x01 no reply\n\x00Z"')
PY
}

@test "bind: needs 9 descriptors, and replies 01 with fewer" {
    world <<'PY'
limit = lambda count: ("prlimit", f"--nofile={count}", "--")
served("127.0.0.1", before=limit(9))  # stdsocks(8), FILES
for count in 4, 5, 6, 7:
    refused(1, "127.0.0.1", before=limit(count), status=71, END="failed", ERRNO="24")
h, where = bind_for("127.0.0.1", before=limit(8))  # no descriptor is left for the connection
assert is_reset(where)
h.is_refused(1, 71, END="failed", ERRNO="24")
PY
}

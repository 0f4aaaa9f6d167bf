#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The record of a connection: what it says, where it goes, and what a client cannot make of it.

load helper
load net/world

prelude <<'PY'
import os, re, socket, subprocess, time

from logs import JOURNAL, Reader, SYSLOG, Syslogd, fields
from socks import CHOSEN, DEADLINE_S, GREETING, Peer, check, close_in_order, request
from world import CLOSED_PORT, Handler, WORLD, connection, eventually, has, listeners, port_of
from world import unnamed, write

(LISTENING,) = listeners("127.0.0.1")

def refused(*options, host="127.0.0.1", port=CLOSED_PORT, reply=5, status=0, **handler):
    """A handler that is over: it refused a request, and its client got nothing but that."""
    h = Handler(*options, **handler)
    check((host, h.connect(host, port)), (host, reply))
    check(h.client.end(), (b"", "fin"))
    h.client_port = port_of(h.client.sock)
    h.gone(status)
    return h
PY

setup() {
    need_world
}

# Where it goes

@test "record: the journal gets all of it in one datagram when there is a journal" {
    world <<'PY'
journal, syslog = Reader(JOURNAL), Reader(SYSLOG)
write("/etc/hosts", "127.0.0.1 here.test\n")
h = Handler(trace=False)
port = port_of(LISTENING)
upstream = h.connected(b"here.test", LISTENING)
h.client.send(b"question")
upstream.recv(8)
upstream.send(b"the answer")
upstream.fin()
check(h.client.end(), (b"the answer", "fin"))
client_port = str(port_of(h.client.sock))
h.gone()
record = journal.record()
took = {name: int(record.pop(f"STDSOCKS_{name}_USEC")) for name in ("RESOLVE", "CONNECT", "TOTAL")}
assert 0 < took["RESOLVE"] + took["CONNECT"] <= took["TOTAL"] < 20000000, took
message = record.pop("MESSAGE")
wanted = (rf"127\.0\.0\.1:{client_port} CONNECT here\.test:{port} at 127\.0\.0\.1: closed by upstream, "
          r"8 bytes up, 10 down, \d+\.\d{3} s")
assert re.fullmatch(wanted, message), message
check(record, unnamed({
    "PRIORITY": "5", "SYSLOG_FACILITY": "3", "SYSLOG_IDENTIFIER": "stdsocks",
    "MESSAGE_ID": "676b8ea6ab824ca18b7b99a8399ac688", "CLIENT": "127.0.0.1", "CLIENT_PORT": client_port,
    "COMMAND": "CONNECT", "DST": "here.test", "DST_PORT": str(port), "REACHED": "127.0.0.1",
    "REACHED_PORT": str(port), "REPLY": "0", "BYTES_UP": "8", "BYTES_DOWN": "10", "END": "closed",
    "CLOSED_BY": "upstream",
}))
check((h.said(), syslog.all()), ("", []))
PY
}

@test "record: there is exactly one whatever the client has sent" {
    world <<'PY'
journal = Reader(JOURNAL)
for sent in (b"", b"\x05", GREETING, GREETING + b"\x05", b"GET / HTTP/1.0\r\n\r\n", b"\x04\x01", b"\x05\x01\x02",
             GREETING + request("127.0.0.1", CLOSED_PORT), GREETING + request("127.0.0.1", 80, 2),
             GREETING + b"\x05\x01\x00\x07"):
    h = Handler(trace=False)
    h.client.send(sent)
    h.client.fin()
    check(h.client.end()[1], "fin")
    h.over()
    has(journal.record(), CLIENT="127.0.0.1", PRIORITY="5")
    check(h.said(), "")
PY
}

@test "record: every mistake of the configuration is an error in the journal, and on standard error if that is a file" {
    world <<'PY'
journal = Reader(JOURNAL)
ours, stream = socket.socketpair()  # as the journal's own stream is
for options in {"stderr": stream}, {}:
    h = refused("-o", "allow to", "-o", "nonsense", trace=False, reply=1, status=78, **options)
    rule, keyword, record = (fields(datagram) for datagram in journal.all())
    has(rule, PRIORITY="3", MESSAGE='-o: no value after "to"; use an address, a prefix such as 10.0.0.0/8, loopback, private, '
        "link-local, public, any, a host name or .suffix")
    check((keyword["PRIORITY"], keyword["MESSAGE"][:32]), ("3", '-o: unknown keyword "nonsense"; '))
    has(record, PRIORITY="3", END="failed", REPLY="1", MESSAGE_ID="a66266082a8545b7938a1f45230389d4")
    assert "the configuration is wrong; stdsocks --check tells where" in record["MESSAGE"], record
stream.close()
check(ours.recv(1), b"")
check(h.said(), "".join(f"stdsocks: {mistake['MESSAGE']}\n" for mistake in (rule, keyword)))
PY
}

@test "record: a refusal names the rule, and the line that would allow it" {
    world <<'PY'
journal = Reader(JOURNAL)
write(f"{WORLD}/rules", "\n# these\ndeny to 127.0.0.0/8 port 9\n")
os.chmod(f"{WORLD}/rules", 0o644)
refused("-f", f"{WORLD}/rules", trace=False, rules=(), reply=2)
record = journal.record()
remedy = "allow from 127.0.0.1 to 127.0.0.1 port 9"
has(record, END="refused", REPLY="2", RULE=f"{WORLD}/rules:3", REMEDY=remedy, CLOSED_BY="stdsocks")
wanted = (r"127\.0\.0\.1:\d+ CONNECT 127\.0\.0\.1:9: refused, connection not allowed by ruleset by "
          rf"{re.escape(WORLD)}/rules:3, \d+\.\d{{3}} s; to allow it: {remedy}")
assert re.fullmatch(wanted, record["MESSAGE"]), record
PY
}

@test "record: syslog gets one line when there is no journal [RFC 3164 4.1]" {
    world <<'PY'
syslog = Reader(SYSLOG)
h = refused(trace=False)
(datagram,) = syslog.all()
wanted = (rf"<29>stdsocks\[{h.pid}\]: 127\.0\.0\.1:{h.client_port} "
          r"CONNECT 127\.0\.0\.1:9: refused, connection refused, \d+\.\d{3} s")
assert re.fullmatch(wanted, datagram.decode()), datagram
check(h.said(), "")
PY
}

@test "record: busybox's syslogd writes it, and rsyslogd takes it apart, as it is meant" {
    need busybox rsyslogd
    world <<'PY'
def asked():
    """The PID of a handler whose record has a name that is harmful if it is not escaped."""
    return refused(trace=False, host=b"%n%s\n\x1b[2J", port=80, reply=4).pid

syslogd = Syslogd("busybox")
line = syslogd.said(f"stdsocks[{asked()}]: ").splitlines()[-1]
assert " daemon.notice stdsocks[" in line, line
assert r" CONNECT %n%s\n\x1b[2J:80: refused, host unreachable (no host name), " in line, line
os.unlink(SYSLOG)
syslogd = Syslogd("rsyslogd")
pid = asked()
said = syslogd.said(f"rawmsg: '<29>stdsocks[{pid}]")
assert re.search(rf"PRI: 29,\nsyslogtag 'stdsocks\[{pid}\]:', programname: 'stdsocks'", said), said
assert re.search(r"^msg: ' 127\.0\.0\.1:\d+ CONNECT %n%s\\n\\x1b\[2J:80: refused, host unreachable", said, re.M), said
PY
}

@test "record: standard error gets it when there is no log, when it is a terminal, and with --trace" {
    world <<'PY'
import pty

LINE = r"stdsocks: 127\.0\.0\.1:\d+ CONNECT 127\.0\.0\.1:9: refused, .* s\r?\n"

alone = refused(trace=False).said()
assert re.fullmatch(LINE, alone), alone
journal = Reader(JOURNAL)
master, slave = pty.openpty()
refused(trace=False, stderr=slave)
terminal = os.read(master, 4096).decode()
assert re.fullmatch(LINE, terminal), terminal
traced = refused().said()
check(len(re.findall(f"^{LINE}", traced, re.M)), 1)
assert "STDSOCKS_END=refused\n" in traced, traced
check(journal.all(), [])
PY
}

@test "record: the client gets no byte of it when standard error is its socket" {
    world <<'PY'
for make in (lambda: None), (lambda: Reader(JOURNAL)):
    journal = make()
    for trace in False, True:
        refused(trace=trace, stderr=subprocess.STDOUT)
        if journal:
            has(journal.record(), END="refused")
PY
}

@test "record: upstream gets no byte of it when standard error is closed" {
    world <<'PY'
for trace in False, True:
    h = Handler(trace=trace, before=["sh", "-c", 'exec "$0" "$@" 2>&-'])
    upstream = h.connected("127.0.0.1", LISTENING)
    h.client.fin()
    check(upstream.end(), (b"", "fin"))
    upstream.close()
    check(h.client.end(), (b"", "fin"))
    h.over()
PY
}

@test "record: the journal gets it when it was full and makes room in time" {
    world <<'PY'
journal = Reader(JOURNAL)
for _ in range(3):  # a busy machine may make this test too late, but not every time
    journal.fill()
    h = Handler(trace=False)
    upstream = h.connected("127.0.0.1", LISTENING)
    close_in_order(h.client, upstream)
    # All that it has to wait for now is the journal.
    eventually(lambda: h.state() in "SZ", "the handler waits, or has ended")
    datagrams = journal.all()
    h.over()
    datagrams += journal.all()
    if not h.said():
        break
(record,) = (record for record in map(fields, datagrams) if "FULL" not in record)
has(record, END="closed")
check(h.said(), "")
PY
}

# Over 5 s: the patience of the handler, SINK_PATIENCE_S, is ten seconds.
@test "record: standard error gets it, after ten seconds, when the journal stays full" {
    world <<'PY'
journal = Reader(JOURNAL)
journal.fill()
handlers = [Handler(trace=False), Handler(trace=False, stderr=subprocess.STDOUT)]
for h in handlers:
    h.connect("127.0.0.1", CLOSED_PORT)
since_s = time.monotonic()
for h in handlers:
    check(h.client.end(), (b"", "fin"))  # not one byte to the client, either
    h.client.close()
for h in handlers:
    h.over()
assert 9.9 < time.monotonic() - since_s < 40
assert re.fullmatch(r"stdsocks: .* refused, .* s\n", handlers[0].said()), handlers[0].said()
check({fields(datagram).get("FULL") for datagram in journal.all()}, {"1"})
PY
}

@test "record: standard error gets it when the journal goes away in the meantime" {
    world <<'PY'
journal = Reader(JOURNAL)
h = Handler(trace=False)
upstream = h.connected("127.0.0.1", LISTENING)
journal.sock.close()
upstream.fin()
check(h.client.end(), (b"", "fin"))
h.gone()
assert re.fullmatch(r"stdsocks: .* closed by upstream, .* s\n", h.said()), h.said()
PY
}

# tests/unit/record.c has names with every byte, and so has journal.bats, for a real journald; the
# test of syslog above has one.
@test "record: a name stays one harmless field when it is meant to be more, the longest, or empty" {
    world <<'PY'
journal = Reader(JOURNAL)
for name, shown in {
    b"\nMESSAGE\n\x01\0\0\0\0\0\0\0x\n": r"\nMESSAGE\n\x01\x00\x00\x00\x00\x00\x00\x00x\n",
    b"\xff" * 255: r"\xff" * 255,
    b"": "",
}.items():
    refused(trace=False, host=name, port=80, reply=4)
    record = journal.record()
    has(record, PRIORITY="5", REPLY="4", DST=shown)
    assert not name or f" CONNECT {shown}:80: refused, " in record["MESSAGE"], record
PY
}

# What it says of the end

@test "record: the end is closed or reset, by the side that was first" {
    world <<'PY'
for leave, end, number in (Peer.fin, "fin", None), (Peer.reset, "reset", "104"):  # ECONNRESET
    for first in "client", "upstream":
        h = Handler()
        upstream = h.connected("127.0.0.1", LISTENING)
        one, other = (h.client, upstream) if first == "client" else (upstream, h.client)
        leave(one)
        check(other.end(), (b"", end))
        if leave == Peer.fin:
            other.fin()
            check(one.end(), (b"", "fin"))
        h.ended(END="reset" if number else "closed", CLOSED_BY=first, ERRNO=number,
                MESSAGE_ID="676b8ea6ab824ca18b7b99a8399ac688")
PY
}

@test "record: the end is client-gone when the client leaves before it is served" {
    world <<'PY'
ends = connection()
Peer(ends[0]).reset()
h = Handler(ends=(socket.socket(), ends[1]))  # gone before there was a handler
h.ended(END="client-gone", CLOSED_BY="client", CLIENT="unknown", REPLY=None)
for leave in Peer.close, Peer.reset:
    h = Handler()
    h.client.send(GREETING[:1])
    h.client.acknowledged()
    # It has seen its client once it listens for signals.
    eventually(lambda: "anon_inode:[signalfd]" in h.descriptors().values(), "the handler runs")
    leave(h.client)
    h.ended(END="client-gone", CLOSED_BY="client", CLIENT="127.0.0.1", REPLY=None)
PY
}

@test "record: the end is handshake-timeout, after that time, when the client is silent at any stage" {
    world <<'PY'
waiting = []
for sent in b"", b"\x05", GREETING, GREETING + request("127.0.0.1", 80)[:-1]:
    h = Handler("-o", "timeout handshake 500ms")
    h.client.send(sent)
    waiting.append((h, CHOSEN if len(sent) >= 3 else b""))
for h, answer in waiting:
    check(h.client.end(), (answer, "fin"))
    h.client.close()
    record = h.ended(END="handshake-timeout", CLOSED_BY="stdsocks", REPLY=None)
    assert 500000 <= int(record["STDSOCKS_TOTAL_USEC"]) < 8000000, record
PY
}

@test "record: the end is failed, the reply 01 and the status 71 when there is no descriptor left" {
    IS_STATIC=$(is_static && echo yes) world <<'PY'
import resource

def few(descriptors):
    limit = descriptors, descriptors
    return {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limit)}

# A build with the leak sanitizer would want descriptors of its own.
os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
journal = Reader(JOURNAL)
# The resolver of the GNU C library calls it a name that does not exist.
for host in ("127.0.0.1", "name.test") if os.environ["IS_STATIC"] else ("127.0.0.1",):
    h = refused(host=host, reply=1, status=71, **few(4))
    h.ended(71, END="failed", CLOSED_BY="stdsocks", REPLY="1", ERRNO="24",  # EMFILE
            MESSAGE_ID="a66266082a8545b7938a1f45230389d4")
refused(trace=False, reply=1, status=71, **few(5))
has(journal.record(), END="failed", PRIORITY="3", MESSAGE_ID="a66266082a8545b7938a1f45230389d4")
PY
}

@test "record: every word for an end is tested here, in relay.bats, faults.bats, auth.bats or sessions.txt" {
    local word words
    words=$(sed -nE 's/^\tX\([A-Z0-9_]+, "([a-z0-9-]+)", .*/\1/p' "$ROOT/src/record/record.h")
    (($(wc -w <<<"$words") >= 14))
    for word in $words; do
        grep -qE "END=\"?$word\"?|\| $word\$" "$ROOT"/tests/{record,relay,faults,auth}.bats "$ROOT/tests/vectors/sessions.txt" ||
            fail "END=$word is not tested"
    done
}

@test "record: the client is named by its kind when it has no address" {
    world <<'PY'
h = Handler(ends=socket.socketpair())
upstream = h.connected("127.0.0.1", LISTENING)
upstream.fin()
check(h.client.end(), (b"", "fin"))
h.client.fin()
h.ended(END="closed", CLIENT="unix", CLIENT_PORT=None)
assert re.search(r"^stdsocks: unix CONNECT 127\.0\.0\.1:", h.said(), re.M), h.said()
h = Handler(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
answer, _ = h.process.communicate(GREETING + request("127.0.0.1", CLOSED_PORT), DEADLINE_S)
check(answer, CHOSEN + b"\x05\x05\x00\x01" + bytes(6))
h.ended(END="refused", CLIENT="stdio", CLIENT_PORT=None)
PY
}

#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The record of a connection: what it says, where it goes, and what a client cannot make of it.

load helper
load net/world

setup() {
    need_world
}

# Where it goes

@test "record: the journal gets all of it in one datagram when there is a journal" {
    world <<'PY'
from logs import *
journal, syslog = Reader(JOURNAL), Reader(SYSLOG)
write("/etc/hosts", "127.0.0.1 here.test\n")
(listening,) = listeners("127.0.0.1")
h = Handler(trace=False)
port = port_of(listening)
upstream = h.connected(b"here.test", listening)
h.client.send(b"question")
upstream.recv(8)
upstream.send(b"the answer")
upstream.fin()
check(h.client.end(), (b"the answer", "fin"))
client_port = str(port_of(h.client.sock))
h.gone()
(datagram,) = journal.all()
record = fields(datagram)
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

@test "record: fields that there is nothing to say for are left out when the client is refused" {
    world <<'PY'
from logs import *
journal = Reader(JOURNAL)
h = Handler(trace=False)
check(h.connect("::1", CLOSED_PORT), 5)
check(h.client.end(), (b"", "fin"))
h.gone()
(datagram,) = journal.all()
record = fields(datagram)
assert re.search(r" CONNECT \[::1\]:9: refused, connection refused, \d+\.\d{3} s$", record["MESSAGE"]), record
names = "CLIENT CLIENT_PORT COMMAND DST DST_PORT REPLY BYTES_UP BYTES_DOWN CONNECT_USEC TOTAL_USEC END CLOSED_BY"
check(set(record), {f"STDSOCKS_{name}" for name in names.split()} | {
    "MESSAGE", "MESSAGE_ID", "PRIORITY", "SYSLOG_FACILITY", "SYSLOG_IDENTIFIER", "ERRNO"})
has(record, MESSAGE_ID="dabd9aa38022419e8b57bfe5028c7661", PRIORITY="5", DST="::1", DST_PORT="9", REPLY="5",
    BYTES_UP="0", BYTES_DOWN="0", END="refused", CLOSED_BY="stdsocks", ERRNO="111")
PY
}

@test "record: there is exactly one whatever the client has sent" {
    world <<'PY'
from logs import *
journal = Reader(JOURNAL)
for sent in (b"", b"\x05", GREETING, GREETING + b"\x05", b"GET / HTTP/1.0\r\n\r\n", b"\x04\x01", b"\x05\x01\x02",
             GREETING + request("127.0.0.1", CLOSED_PORT), GREETING + request("127.0.0.1", 80, 2),
             GREETING + b"\x05\x01\x00\x07"):
    h = Handler(trace=False)
    h.client.send(sent)
    h.client.fin()
    check(h.client.end()[1], "fin")
    h.over()
    (datagram,) = journal.all()
    has(fields(datagram), CLIENT="127.0.0.1", PRIORITY="5")
    check(h.said(), "")
PY
}

@test "record: every mistake of the configuration is an error in the journal when standard error is a socket" {
    world <<'PY'
from logs import *
journal = Reader(JOURNAL)
ours, stream = socket.socketpair()  # as the journal's own stream is
h = Handler("-o", "allow to", "-o", "nonsense", trace=False, stderr=stream)
stream.close()
check(h.connect("127.0.0.1", CLOSED_PORT), 1)
check(h.client.end(), (b"", "fin"))
h.client.close()
h.over(78)
rule, keyword, record = (fields(datagram) for datagram in journal.all())
has(rule, PRIORITY="3", MESSAGE='-o: nothing follows "to"; an address, a prefix such as 10.0.0.0/8, loopback, private, '
    "link-local, public, any, a host name or .suffix would do")
check((keyword["PRIORITY"], keyword["MESSAGE"][:33]), ("3", '-o: no such keyword: "nonsense"; '))
has(record, PRIORITY="3", END="failed", REPLY="1", MESSAGE_ID="a66266082a8545b7938a1f45230389d4")
assert "the configuration is wrong; stdsocks --check tells where" in record["MESSAGE"], record
check(ours.recv(1), b"")
PY
}

@test "record: a mistake is on standard error and in the journal when standard error is a file" {
    world <<'PY'
from logs import *
journal = Reader(JOURNAL)
h = Handler("-o", "nonsense", trace=False)
check(h.connect("127.0.0.1", CLOSED_PORT), 1)
h.client.close()
h.over(78)
mistake, record = (fields(datagram) for datagram in journal.all())
has(mistake, PRIORITY="3")
check(h.said(), f"stdsocks: {mistake['MESSAGE']}\n")
has(record, END="failed")
PY
}

@test "record: a refusal names the rule, and the line that would allow it" {
    world <<'PY'
from logs import *
journal = Reader(JOURNAL)
write(f"{WORLD}/rules", "\n# these\ndeny to 127.0.0.0/8 port 9\n")
h = Handler("-f", f"{WORLD}/rules", trace=False, rules=())
check(h.connect("127.0.0.1", CLOSED_PORT), 2)
check(h.client.end(), (b"", "fin"))
h.client.close()
h.over()
(datagram,) = journal.all()
record = fields(datagram)
remedy = "allow from 127.0.0.1 to 127.0.0.1 port 9"
has(record, END="refused", REPLY="2", RULE=f"{WORLD}/rules:3", REMEDY=remedy, CLOSED_BY="stdsocks")
wanted = (r"127\.0\.0\.1:\d+ CONNECT 127\.0\.0\.1:9: refused, connection not allowed by ruleset by "
          rf"{re.escape(WORLD)}/rules:3, \d+\.\d{{3}} s; to allow it: {remedy}")
assert re.fullmatch(wanted, record["MESSAGE"]), record
PY
}

@test "record: a real journald keeps it, and finds it by its fields" {
    need journalctl
    [[ -x /lib/systemd/systemd-journald ]] || lacks systemd-journald
    world <<'PY'
from logs import *
journald = Journald()
h = Handler(trace=False)
check(h.connect(b"MESSAGE=x\n\x1b[2J", 443), 4)
check(h.client.end(), (b"", "fin"))
h.gone()
(record,) = eventually(lambda: journald.read("MESSAGE_ID=dabd9aa38022419e8b57bfe5028c7661"), "the record")
has(record, CLIENT="127.0.0.1", DST=r"MESSAGE=x\n\x1b[2J", DST_PORT="443", REPLY="4", END="refused", PRIORITY="5",
    SYSLOG_IDENTIFIER="stdsocks")
check((record["_PID"], record["_TRANSPORT"]), (str(h.pid), "journal"))
assert r" CONNECT MESSAGE=x\n\x1b[2J:443: refused, host unreachable (no host name), " in record["MESSAGE"], record
check(len(journald.read("STDSOCKS_END=refused")), 1)
check(journald.read("STDSOCKS_END=closed"), [])
PY
}

@test "record: syslog gets one line when there is no journal [RFC 3164 4.1]" {
    world <<'PY'
from logs import *
syslog = Reader(SYSLOG)
h = Handler(trace=False)
h.connect("127.0.0.1", CLOSED_PORT)
client_port = port_of(h.client.sock)
h.gone()
(datagram,) = syslog.all()
wanted = (rf"<29>stdsocks\[{h.pid}\]: 127\.0\.0\.1:{client_port} CONNECT 127\.0\.0\.1:9: refused, "
          r"connection refused, \d+\.\d{3} s")
assert re.fullmatch(wanted, datagram.decode()), datagram
check(h.said(), "")
PY
}

@test "record: busybox's syslogd writes it when that is what listens" {
    need busybox
    world <<'PY'
from logs import *
syslogd = Syslogd("busybox")
h = Handler(trace=False)
h.connect(b"%n%s\n\x1b[2J", 80)
h.gone()
line = syslogd.said(f"stdsocks[{h.pid}]: ").splitlines()[-1]
assert " daemon.notice stdsocks[" in line, line
assert r" CONNECT %n%s\n\x1b[2J:80: refused, host unreachable (no host name), " in line, line
PY
}

@test "record: rsyslogd takes it apart as it is meant when that is what listens" {
    need rsyslogd
    world <<'PY'
from logs import *
syslogd = Syslogd("rsyslogd")
h = Handler(trace=False)
h.connect(b"%n%s\n\x1b[2J", 80)
h.gone()
said = syslogd.said(f"rawmsg: '<29>stdsocks[{h.pid}]")
assert re.search(rf"PRI: 29,\nsyslogtag 'stdsocks\[{h.pid}\]:', programname: 'stdsocks'", said), said
assert re.search(r"^msg: ' 127\.0\.0\.1:\d+ CONNECT %n%s\\n\\x1b\[2J:80: refused, host unreachable", said, re.M), said
PY
}

@test "record: standard error gets one line when there is neither journal nor syslog" {
    world <<'PY'
h = Handler(trace=False)
h.connect("127.0.0.1", CLOSED_PORT)
h.gone()
said = h.said()
assert re.fullmatch(r"stdsocks: 127\.0\.0\.1:\d+ CONNECT 127\.0\.0\.1:9: refused, .* s\n", said), said
PY
}

@test "record: standard error gets it when it is a terminal, journal or not" {
    world <<'PY'
from logs import *
import pty
journal = Reader(JOURNAL)
master, slave = pty.openpty()
h = Handler(trace=False, stderr=slave)
h.connect("127.0.0.1", CLOSED_PORT)
h.gone()
said = os.read(master, 4096).decode()
assert re.fullmatch(r"stdsocks: 127\.0\.0\.1:\d+ CONNECT 127\.0\.0\.1:9: refused, .* s\r\n", said), said
check(journal.all(), [])
PY
}

@test "record: standard error gets it, and its fields, when --trace is given, journal or not" {
    world <<'PY'
from logs import *
journal = Reader(JOURNAL)
h = Handler()
h.connect("127.0.0.1", CLOSED_PORT)
h.refused(REPLY="5")
check(len(re.findall(r"^stdsocks: 127\.0\.0\.1:.*: refused, ", h.said(), re.M)), 1)
check(journal.all(), [])
PY
}

@test "record: the client gets no byte of it when standard error is its socket" {
    world <<'PY'
from logs import *
for trace in False, True:
    h = Handler(trace=trace, stderr=subprocess.STDOUT)
    check(h.connect("127.0.0.1", CLOSED_PORT), 5)
    check(h.client.end(), (b"", "fin"))
    h.gone()
journal = Reader(JOURNAL)
for trace in False, True:
    h = Handler(trace=trace, stderr=subprocess.STDOUT)
    check(h.connect("127.0.0.1", CLOSED_PORT), 5)
    check(h.client.end(), (b"", "fin"))
    h.gone()
    (datagram,) = journal.all()
    has(fields(datagram), END="refused")
PY
}

@test "record: upstream gets no byte of it when standard error is closed" {
    world <<'PY'
(listening,) = listeners("127.0.0.1")
for trace in False, True:
    h = Handler(trace=trace, before=["sh", "-c", 'exec "$0" "$@" 2>&-'])
    upstream = h.connected("127.0.0.1", listening)
    h.client.fin()
    check(upstream.end(), (b"", "fin"))
    upstream.close()
    check(h.client.end(), (b"", "fin"))
    h.over()
PY
}

@test "record: the journal gets it when it was full and makes room in time" {
    world <<'PY'
from logs import *
journal = Reader(JOURNAL)
(listening,) = listeners("127.0.0.1")
for _ in range(3):  # a busy machine may make this test too late, but not every time
    journal.fill()
    h = Handler(trace=False)
    upstream = h.connected("127.0.0.1", listening)
    h.client.fin()
    check(upstream.end(), (b"", "fin"))
    upstream.fin()
    check(h.client.end(), (b"", "fin"))
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

@test "record: standard error gets it, after ten seconds, when the journal stays full" {
    world <<'PY'
from logs import *
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
assert 9.9 < time.monotonic() - since_s < 14
assert re.fullmatch(r"stdsocks: .* refused, .* s\n", handlers[0].said()), handlers[0].said()
check({fields(datagram).get("FULL") for datagram in journal.all()}, {"1"})
PY
}

@test "record: standard error gets it when the journal goes away in the meantime" {
    world <<'PY'
from logs import *
journal = Reader(JOURNAL)
h = Handler(trace=False)
(listening,) = listeners("127.0.0.1")
upstream = h.connected("127.0.0.1", listening)
journal.sock.close()
upstream.fin()
check(h.client.end(), (b"", "fin"))
h.gone()
assert re.fullmatch(r"stdsocks: .* closed by upstream, .* s\n", h.said()), h.said()
PY
}

# What a client cannot make of it

@test "record: a name stays one harmless field when it is meant to be more" {
    world <<'PY'
from logs import *
journal, syslog = Reader(JOURNAL), Reader(SYSLOG)
names = {
    b"a\nMESSAGE=x\nPRIORITY=0": r"a\nMESSAGE=x\nPRIORITY=0",
    b"MESSAGE=x": "MESSAGE=x",
    b"\nMESSAGE\n\x01\0\0\0\0\0\0\0x\n": r"\nMESSAGE\n\x01\x00\x00\x00\x00\x00\x00\x00x\n",
    b"\x1b]0;title\x07\x1b[2J\x9b31m": r"\x1b]0;title\x07\x1b[2J\x9b31m",
    b"%n%s%x%1$*1$d": "%n%s%x%1$*1$d",
    b"\r\n<0>kernel: panic": r"\r\n<0>kernel: panic",
    b"\\x41\"'\\": r"\\x41\"'" + r"\\",
    b"": "",
    b"\0" * 255: r"\x00" * 255,
    b"\xff" * 255: r"\xff" * 255,
    b"\n" * 255: r"\n" * 255,
    "caf\u00e9\u202e.test".encode(): r"caf\xc3\xa9\xe2\x80\xae.test",
}
for name, shown in names.items():
    for path in JOURNAL, SYSLOG, None:
        with contextlib.suppress(FileNotFoundError):
            os.rename(JOURNAL, JOURNAL + "-away") if path != JOURNAL else os.rename(JOURNAL + "-away", JOURNAL)
        with contextlib.suppress(FileNotFoundError):
            os.rename(SYSLOG, SYSLOG + "-away") if path is None else os.rename(SYSLOG + "-away", SYSLOG)
        h = Handler(trace=False)
        h.ask(name, 80)
        reply = h.answer()
        assert reply in (1, 4), (name, reply)
        h.gone()
        got = journal.all(), syslog.all(), h.said()
        if path == JOURNAL:
            ((datagram,), others, said) = got
            check((others, said), ([], ""))
            record = fields(datagram)
            has(record, PRIORITY="5", REPLY=str(reply), **({"DST": shown} if name else {}))
            assert not name or f" CONNECT {shown}:80: refused, " in record["MESSAGE"], record
        elif path == SYSLOG:
            (others, (line,), said) = got
            check((others, said), ([], ""))
            assert line.decode("ascii").isprintable(), line
        else:
            check(got[:2], ([], []))
            assert got[2].isascii() and got[2].removesuffix("\n").isprintable(), got[2]
PY
}

# What it says of the end

@test "record: the end is closed, by whoever was first, when both sides close" {
    world <<'PY'
(listening,) = listeners("127.0.0.1")
for first in "client", "upstream":
    h = Handler()
    upstream = h.connected("127.0.0.1", listening)
    one, other = (h.client, upstream) if first == "client" else (upstream, h.client)
    one.fin()
    check(other.end(), (b"", "fin"))
    other.fin()
    check(one.end(), (b"", "fin"))
    h.ended(END="closed", CLOSED_BY=first, ERRNO=None, MESSAGE_ID="676b8ea6ab824ca18b7b99a8399ac688")
PY
}

@test "record: the end is reset, by whoever did it, when one side resets" {
    world <<'PY'
(listening,) = listeners("127.0.0.1")
for first in "client", "upstream":
    h = Handler()
    upstream = h.connected("127.0.0.1", listening)
    one, other = (h.client, upstream) if first == "client" else (upstream, h.client)
    one.reset()
    check(other.end(), (b"", "reset"))
    h.ended(END="reset", CLOSED_BY=first, ERRNO="104")  # ECONNRESET
PY
}

@test "record: the end is idle-timeout, half-closed-timeout or lifetime when that timer ran out" {
    world <<'PY'
(listening,) = listeners("127.0.0.1")
for timer, end in ("idle", "idle-timeout"), ("half-closed", "half-closed-timeout"), ("lifetime", "lifetime"):
    h = Handler("-o", f"timeout {timer} 200ms")
    upstream = h.connected("127.0.0.1", listening)
    if timer == "half-closed":
        h.client.fin()
        check(upstream.end()[0], b"")
    check(h.client.end()[1], "reset")
    record = h.ended(END=end, CLOSED_BY="stdsocks", REPLY="0")
    assert int(record["STDSOCKS_TOTAL_USEC"]) >= 200000, record
PY
}

@test "record: the end is terminated when the handler was told to stop" {
    world <<'PY'
(listening,) = listeners("127.0.0.1")
h = Handler()  # while it hears the greeting
h.client.send(GREETING)
check(h.client.recv(2), CHOSEN)
h.terminate()
h.ended(END="terminated", CLOSED_BY="stdsocks", REPLY=None)
h = Handler()  # while it relays
upstream = h.connected("127.0.0.1", listening)
h.terminate()
check((upstream.end()[1], h.client.end()[1]), ("reset", "reset"))
h.ended(END="terminated", CLOSED_BY="stdsocks", REPLY="0")
PY
}

@test "record: the end is refused when the request was" {
    world <<'PY'
for sent, reply, command in (request("127.0.0.1", CLOSED_PORT), 5, "CONNECT"), (request("127.0.0.1", 80, 2), 7, "BIND"):
    h = Handler()
    h.client.send(GREETING + sent)
    check(h.client.recv(2), CHOSEN)
    h.asked_s = 0
    check(h.answer(), reply)
    h.refused(REPLY=str(reply), COMMAND=command, MESSAGE_ID="dabd9aa38022419e8b57bfe5028c7661")
PY
}

@test "record: the end is not-socks5 or no-method when the greeting is not for us" {
    world <<'PY'
for greeting, end in (b"GET / HTTP/1.0\r\n", "not-socks5"), (b"\x04\x01", "not-socks5"), (b"\x05\x01\x02", "no-method"):
    h = Handler()
    h.client.send(greeting)
    check(h.client.end(), (b"\x05\xff", "fin"))
    h.client.close()
    h.ended(END=end, CLOSED_BY="stdsocks", REPLY=None, COMMAND=None, DST=None)
PY
}

@test "record: the end is client-gone when the client leaves before it is served" {
    world <<'PY'
ends = connection()
Peer(ends[0]).reset()
h = Handler(ends=(socket.socket(), ends[1]))  # gone before there was a handler
h.ended(END="client-gone", CLOSED_BY="client", CLIENT="unknown", REPLY=None)
for sent in b"", b"\x05", GREETING, GREETING + request("127.0.0.1", 80)[:-1]:
    for leave in Peer.close, Peer.reset:
        h = Handler()
        h.client.send(sent)
        h.client.acknowledged()
        # It has seen its client once it listens for signals.
        eventually(lambda: "anon_inode:[signalfd]" in h.descriptors().values(), "the handler runs")
        leave(h.client)
        h.ended(END="client-gone", CLOSED_BY="client", CLIENT="127.0.0.1", REPLY=None)
PY
}

@test "record: the end is handshake-timeout when the client is silent" {
    world <<'PY'
for sent in b"", b"\x05", GREETING, GREETING + request("127.0.0.1", 80)[:-1]:
    h = Handler("-o", "timeout handshake 200ms")
    h.client.send(sent)
    check(h.client.end()[0], CHOSEN if len(sent) >= 3 else b"")
    h.client.close()
    h.ended(END="handshake-timeout", CLOSED_BY="stdsocks", REPLY=None)
PY
}

@test "record: the end is failed when a lookup has no descriptor left" {
    case $(file -b "$STDSOCKS") in
    *static*) ;;
    *) skip "glibc's resolver calls it a name that does not exist" ;;
    esac
    world <<'PY'
import resource
os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
h = Handler(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (4, 4)))
check(h.connect("name.test", 80), 1)
h.client.close()
h.ended(71, END="failed", REPLY="1", ERRNO="24")  # EMFILE
PY
}

@test "record: the end is failed, the reply 01 and the status 71 when there is no descriptor left" {
    world <<'PY'
import resource
from logs import *
# A build with the leak sanitizer would want descriptors of its own.
os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
journal = Reader(JOURNAL)
h = Handler(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (4, 4)))
check(h.connect("127.0.0.1", CLOSED_PORT), 1)
check(h.client.end(), (b"", "fin"))
h.client.close()
h.ended(71, END="failed", CLOSED_BY="stdsocks", REPLY="1", ERRNO="24",  # EMFILE
        MESSAGE_ID="a66266082a8545b7938a1f45230389d4")
h = Handler(trace=False, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (5, 5)))
check(h.connect("127.0.0.1", CLOSED_PORT), 1)
check(h.client.end(), (b"", "fin"))
h.client.close()
h.over(71)
(datagram,) = journal.all()
has(fields(datagram), END="failed", PRIORITY="3", MESSAGE_ID="a66266082a8545b7938a1f45230389d4")
PY
}

@test "record: every word for an end is tested here, in faults.bats or in auth.bats" {
    local word words
    words=$(sed -nE 's/^\tX\([A-Z0-9_]+, "([a-z0-9-]+)", .*/\1/p' "$ROOT/src/record/record.h")
    (($(wc -w <<<"$words") >= 14))
    for word in $words; do
        grep -qE "END=\"?$word\"?|, \"$word\"\)" "$ROOT"/tests/{record,faults,auth}.bats ||
            fail "END=$word is not tested"
    done
}

# What it counts

@test "record: the bytes are exact in both directions when there are ten million" {
    world <<'PY'
(listening,) = listeners("127.0.0.1")
h = Handler()
upstream = h.connected("127.0.0.1", listening)
UP, DOWN = 10000001, 9999999
with meanwhile(h.client.send, pattern(UP)), meanwhile(upstream.send, pattern(DOWN)):
    with meanwhile(upstream.recv, UP):
        h.client.recv(DOWN)
h.client.close()
upstream.close()
h.ended(END="closed", BYTES_UP=str(UP), BYTES_DOWN=str(DOWN))
PY
}

@test "record: the client is named by its kind when it has no address" {
    world <<'PY'
(listening,) = listeners("127.0.0.1")
h = Handler(ends=socket.socketpair())
upstream = h.connected("127.0.0.1", listening)
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

#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The record of a connection: its fields, the log that gets it, and escaping.

load helper
load net/world

prelude <<'PY'
import os, re, socket, subprocess, time

from logs import JOURNAL, Reader, SYSLOG, Syslogd, fields
from socks import CHOSEN, DEADLINE_S, GREETING, Endpoint, check, close_in_order, escaped, login
from socks import request, request_name
from world import CLOSED_PORT, Handler, WORLD, connection, eventually, check_fields, listeners
from world import port_of
from world import full_names, write

(LISTENING,) = listeners("127.0.0.1")

def refused(*options, host="127.0.0.1", port=CLOSED_PORT, reply=5, status=0, **handler):
    """Returns a handler that has refused a request and exited. Its client got only the reply."""
    h = Handler(*options, **handler)
    check((host, h.connect(host, port)), (host, reply))
    check(h.client.end(), (b"", "fin"))
    h.client_port = port_of(h.client.sock)
    h.close_client(status)
    return h
PY

setup() {
    need_world
}

# The log that gets it

@test "record: the journal gets all fields in one datagram, and nothing else gets the record" {
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
h.close_client()
record = journal.record()
us = {name: int(record.pop(f"STDSOCKS_{name}_USEC")) for name in ("RESOLVE", "CONNECT", "TOTAL")}
assert 0 < us["RESOLVE"] + us["CONNECT"] <= us["TOTAL"] < 20000000, us
message = record.pop("MESSAGE")
wanted = (rf"127\.0\.0\.1:{client_port} CONNECT here\.test:{port} at 127\.0\.0\.1: "
          r"closed by upstream, 8 bytes up, 10 down, \d+\.\d{3} s")
assert re.fullmatch(wanted, message), message
check(record, full_names({
    "PRIORITY": "5", "SYSLOG_FACILITY": "3", "SYSLOG_IDENTIFIER": "stdsocks",
    "MESSAGE_ID": "676b8ea6ab824ca18b7b99a8399ac688", "CLIENT": "127.0.0.1",
    "CLIENT_PORT": client_port,
    "COMMAND": "CONNECT", "DST": "here.test", "DST_PORT": str(port), "REACHED": "127.0.0.1",
    "REPLY": "0", "BYTES_UP": "8", "BYTES_DOWN": "10", "END": "closed",
    "CLOSED_BY": "upstream", "RESOLVER": "/etc/hosts",
}))
check((h.log_text(), syslog.all()), ("", []))
PY
}

@test "record: there is exactly one record for any input of the client" {
    world <<'PY'
journal = Reader(JOURNAL)
for sent in (GREETING, GREETING + b"\x05", b"\x05\x01\x02", b"\x05\x00",
             GREETING + request("127.0.0.1", CLOSED_PORT), GREETING + request("127.0.0.1", 80, 2),
             GREETING + b"\x05\x01\x00\x07"):
    h = Handler(trace=False)
    h.client.send(sent)
    h.client.fin()
    check(h.client.end()[1], "fin")
    h.wait_exit()
    check_fields(journal.record(), CLIENT="127.0.0.1", PRIORITY="5")
    check(h.log_text(), "")
PY
}

@test "record: without a valid greeting, the priority is info" {
    world <<'PY'
journal = Reader(JOURNAL)
version_4 = b"\x04\x01\0\x09\x7f\0\0\x01joe\0"
for sent, options in (
    (b"", ()), (b"\x05", ()), (b"\x05\x02\x00", ()), (b"\x04\x01", ()),
    (b"GET / HTTP/1.0\r\n\r\n", ()), (version_4, ()), (version_4[:-1], ("-o", "version 4 5")),
    (b"\x04\x01\0\x09\x7f\0\0\x01" + 256 * b"u" + b"\0", ("-o", "version 4 5")),
):
    h = Handler(*options, trace=False)
    h.client.send(sent)
    h.client.fin()
    check(h.client.end()[1], "fin")
    h.wait_exit()
    check_fields(journal.record(), PRIORITY="6", MESSAGE_ID="dabd9aa38022419e8b57bfe5028c7661")
h = Handler("-o", "version 4 5", trace=False)
h.client.send(version_4)
h.client.end()
h.wait_exit()
check_fields(journal.record(), PRIORITY="5", REPLY="5")
for how in "timeout", "signal":
    h = Handler("-o", "timeout handshake " + ("1ms" if how == "timeout" else "1h"), trace=False)
    if how == "signal":
        h.titled(".* handshake")
        h.terminate()
    h.wait_exit()
    check_fields(journal.record(), PRIORITY="6",
                 END="handshake-timeout" if how == "timeout" else "terminated")
PY
}

@test "record: the journal and a standard error that is a file get each configuration error" {
    world <<'PY'
journal = Reader(JOURNAL)
ours, stream = socket.socketpair()  # as systemd's stream to the journal
for options in {"stderr": stream}, {}:
    h = refused("-o", "allow to", "-o", "nonsense", trace=False, reply=1, status=78, **options)
    rule, keyword, record = (fields(datagram) for datagram in journal.all())
    message = ('-o: no value after "to"; use an address, a prefix such as 10.0.0.0/8, loopback, '
               "private, link-local, public, any, a host name or .suffix")
    check_fields(rule, PRIORITY="3", MESSAGE=message)
    check((keyword["PRIORITY"], keyword["MESSAGE"][:32]),
          ("3", '-o: unknown keyword "nonsense"; '))
    check_fields(record, PRIORITY="3", END="failed", REPLY="1",
                 MESSAGE_ID="a66266082a8545b7938a1f45230389d4")
    assert "invalid configuration; run stdsocks --check to find" in record["MESSAGE"], record
stream.close()
check(ours.recv(1), b"")
check(h.log_text(), "".join(f"stdsocks: {error['MESSAGE']}\n" for error in (rule, keyword)))
PY
}

@test "record: a denial has the rule and the suggested rule" {
    world <<'PY'
journal = Reader(JOURNAL)
write(f"{WORLD}/rules", "\n# these\ndeny to 127.0.0.0/8 port 9\n")
os.chmod(f"{WORLD}/rules", 0o644)
refused("-f", f"{WORLD}/rules", trace=False, rules=(), reply=2)
record = journal.record()
suggestion = "allow from 127.0.0.1 to 127.0.0.1 port 9"
check_fields(record, END="refused", REPLY="2", RULE=f"{WORLD}/rules:3", CLOSED_BY="stdsocks")
wanted = (r"127\.0\.0\.1:\d+ CONNECT 127\.0\.0\.1:9: refused, connection not allowed by ruleset by "
          rf"{re.escape(WORLD)}/rules:3, \d+\.\d{{3}} s; to allow it: {suggestion}")
assert re.fullmatch(wanted, record["MESSAGE"]), record
PY
}

@test "record: syslog gets one line if there is no journal [RFC 3164 4.1]" {
    world <<'PY'
syslog = Reader(SYSLOG)
h = refused(trace=False)
(datagram,) = syslog.all()
wanted = (rf"<29>stdsocks\[{h.pid}\]: 127\.0\.0\.1:{h.client_port} "
          r"CONNECT 127\.0\.0\.1:9: refused, connection refused, \d+\.\d{3} s")
assert re.fullmatch(wanted, datagram.decode()), datagram
check(h.log_text(), "")
PY
}

@test "record: a client's text in a line for syslog is quoted, and imitates no other line" {
    world <<'PY'
syslog = Reader(SYSLOG)

def line(*messages, options=()):
    """Returns the line about a client that sends these messages, without address and time."""
    h = Handler(*options, trace=False)
    h.client.send(b"".join(messages))
    h.client.end()
    h.wait_exit()
    (datagram,) = syslog.all()
    return re.fullmatch(r"<29>stdsocks\[\d+\]: 127\.0\.0\.1:\d+ (.*), \d+\.\d{3} s",
                        datagram.decode("ascii"))[1]

served = b"alice CONNECT bank.example:443: closed by client, 5 bytes up, 5 down, 1.000 s"
password = "-o", "checkpassword /bin/false"
for name in served, b'" CONNECT a:1: closed by client', b"a\nb", bytes(range(255)), b"", b"::1":
    quoted = f'"{escaped(name)}"'
    check(line(b"\5\1\2", login(name, b"x"), options=password),
          f"user {quoted}: authentication failed")
    if name != b"::1":
        check(line(GREETING, request_name(name, 443)),
              f"CONNECT {quoted}:443: refused, host unreachable (not a host name)")
check(line(b"\5\1\2", login(b"a.B-c_9@x", b"x"), options=password),
      "user a.B-c_9@x: authentication failed")
check(line(GREETING, request_name(b"::1", CLOSED_PORT)),
      f'CONNECT "::1":{CLOSED_PORT}: refused, connection refused')
check(line(GREETING, request_name(b"127.0.0.1", CLOSED_PORT)),
      f"CONNECT 127.0.0.1:{CLOSED_PORT}: refused, connection refused")
PY
}

@test "record: the syslogd of busybox and rsyslogd parse the line" {
    need busybox rsyslogd
    world <<'PY'
def hostile():
    """The PID of a handler whose record has a name that must be escaped."""
    return refused(trace=False, host=b"%n%s\n\x1b[2J", port=80, reply=4).pid

syslogd = Syslogd("busybox")
line = syslogd.wait_text(f"stdsocks[{hostile()}]: ").splitlines()[-1]
assert " daemon.notice stdsocks[" in line, line
assert r' CONNECT "%n%s\n\x1b[2J":80: refused, host unreachable (not a host name), ' in line, line
os.unlink(SYSLOG)
syslogd = Syslogd("rsyslogd")
pid = hostile()
text = syslogd.wait_text(f"rawmsg: '<29>stdsocks[{pid}]")
assert re.search(rf"PRI: 29,\nsyslogtag 'stdsocks\[{pid}\]:', programname: 'stdsocks'", text), text
message = r'127\.0\.0\.1:\d+ CONNECT "%n%s\\n\\x1b\[2J":80: refused, host unreachable'
assert re.search(rf"^msg: ' {message}", text, re.M), text
PY
}

@test "record: goes to standard error without a log, on a terminal, and with --trace" {
    world <<'PY'
import pty

LINE = r"stdsocks: 127\.0\.0\.1:\d+ CONNECT 127\.0\.0\.1:9: refused, .* s\r?\n"

alone = refused(trace=False).log_text()
assert re.fullmatch(LINE, alone), alone
journal = Reader(JOURNAL)
master, slave = pty.openpty()
refused(trace=False, stderr=slave)
terminal = os.read(master, 4096).decode()
assert re.fullmatch(LINE, terminal), terminal
traced = refused().log_text()
check(len(re.findall(f"^{LINE}", traced, re.M)), 1)
assert "STDSOCKS_END=refused\n" in traced, traced
check(journal.all(), [])
PY
}

@test "record: the client gets no byte of it if standard error is its socket" {
    world <<'PY'
for open_journal in (lambda: None), (lambda: Reader(JOURNAL)):
    journal = open_journal()
    for trace in False, True:
        refused(trace=trace, stderr=subprocess.STDOUT)
        if journal:
            check_fields(journal.record(), END="refused")
PY
}

@test "record: upstream gets no byte of it if standard error is closed" {
    world <<'PY'
for trace in False, True:
    h = Handler(trace=trace, before=["sh", "-c", 'exec "$0" "$@" 2>&-'])
    upstream = h.connected("127.0.0.1", LISTENING)
    h.client.fin()
    check(upstream.end(), (b"", "fin"))
    upstream.close()
    check(h.client.end(), (b"", "fin"))
    h.wait_exit()
PY
}

@test "record: a full journal gets it once there is room" {
    world <<'PY'
journal = Reader(JOURNAL)
for _ in range(3):  # on a busy machine the journal may be read too late, but not each time
    journal.fill()
    h = Handler(trace=False)
    upstream = h.connected("127.0.0.1", LISTENING)
    close_in_order(h.client, upstream)
    # The handler can now wait only for the journal. journald finds a title that is always equal.
    eventually(lambda: h.state() in "SZ", "the handler waits, or has ended")
    assert h.title() in ("stdsocks: 127.0.0.1 ended", ""), h.title()
    datagrams = journal.all()
    h.wait_exit()
    datagrams += journal.all()
    if not h.log_text():
        break
(record,) = (record for record in map(fields, datagrams) if "FULL" not in record)
check_fields(record, END="closed")
check(h.log_text(), "")
PY
}

# Takes over 5 s: the handler waits 10 s for the journal.
@test "record: standard error gets it after 10 s if the journal stays full" {
    world <<'PY'
journal = Reader(JOURNAL)
journal.fill()
handlers = [Handler(trace=False), Handler(trace=False, stderr=subprocess.STDOUT)]
for h in handlers:
    h.connect("127.0.0.1", CLOSED_PORT)
since_s = time.monotonic()
for h in handlers:
    check(h.client.end(), (b"", "fin"))  # the client gets no byte of the record
    h.client.close()
for h in handlers:
    h.wait_exit()
assert 9.9 < time.monotonic() - since_s < 40
assert re.fullmatch(r"stdsocks: .* refused, .* s\n", handlers[0].log_text()), handlers[0].log_text()
check({fields(datagram).get("FULL") for datagram in journal.all()}, {"1"})
PY
}

@test "record: standard error gets it if the journal goes away during the connection" {
    world <<'PY'
journal = Reader(JOURNAL)
h = Handler(trace=False)
upstream = h.connected("127.0.0.1", LISTENING)
journal.sock.close()
upstream.fin()
check(h.client.end(), (b"", "fin"))
h.close_client()
assert re.fullmatch(r"stdsocks: .* closed by upstream, .* s\n", h.log_text()), h.log_text()
PY
}

# The end reason

@test "record: END is closed or reset, and CLOSED_BY the side that was first" {
    world <<'PY'
# ECONNRESET
for leave, end, number in (Endpoint.fin, "fin", None), (Endpoint.reset, "reset", "104"):
    for first in "client", "upstream":
        h = Handler()
        upstream = h.connected("127.0.0.1", LISTENING)
        one, other = (h.client, upstream) if first == "client" else (upstream, h.client)
        leave(one)
        check(other.end(), (b"", end))
        if leave == Endpoint.fin:
            other.fin()
            check(one.end(), (b"", "fin"))
        h.ended(END="reset" if number else "closed", CLOSED_BY=first, ERRNO=number,
                MESSAGE_ID="676b8ea6ab824ca18b7b99a8399ac688")
PY
}

@test "record: END is client-gone if the client leaves before it is served" {
    world <<'PY'
ends = connection()
Endpoint(ends[0]).reset()
h = Handler(ends=(socket.socket(), ends[1]))  # reset before the handler started
h.ended(END="client-gone", CLOSED_BY="client", CLIENT="unknown", REPLY=None)
for leave in Endpoint.close, Endpoint.reset:
    h = Handler()
    h.client.send(GREETING[:1])
    h.client.acknowledged()
    # It reads from the client after it has opened its signalfd.
    eventually(lambda: "anon_inode:[signalfd]" in h.descriptors().values(), "the handler runs")
    leave(h.client)
    h.ended(END="client-gone", CLOSED_BY="client", CLIENT="127.0.0.1", REPLY=None)
PY
}

@test "record: END is handshake-timeout if the client is silent at any point of the handshake" {
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

@test "record: END is failed, REPLY 1 and the status 71 if no descriptor is left" {
    world <<'PY'
import itertools, resource

def few(descriptors):
    limit = descriptors, descriptors
    return {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limit)}

# The leak check of a sanitized build needs descriptors.
os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
journal = Reader(JOURNAL)
best_effort = "-o", "sandbox best-effort"
for host, (count, options) in itertools.product(("127.0.0.1", "name.test"),
                                                ((4, ()), (6, best_effort))):
    h = refused(*options, host=host, reply=1, status=71, **few(count))
    h.ended(71, END="failed", CLOSED_BY="stdsocks", REPLY="1", ERRNO="24",  # EMFILE
            MESSAGE_ID="a66266082a8545b7938a1f45230389d4")
refused(trace=False, reply=1, status=71, **few(5))
check_fields(journal.record(), END="failed", PRIORITY="3",
             MESSAGE_ID="a66266082a8545b7938a1f45230389d4")
PY
}

@test "record: a suite or sessions.txt expects every end reason of record.h" {
    local word words
    words=$(sed -nE 's/^\tX\([A-Z0-9_]+, "([a-z0-9-]+)", .*/\1/p' "$ROOT/src/record/record.h")
    (($(wc -w <<<"$words") >= 14))
    for word in $words; do
        grep -qE "END=\"?$word\"?|\| $word\$" "$ROOT"/tests/{record,relay,faults,auth}.bats \
            "$ROOT/tests/vectors/sessions.txt" ||
            fail "END=$word is not tested"
    done
}

@test "record: CLIENT is \"unix\" or \"stdio\" if the client has no address" {
    world <<'PY'
h = Handler(ends=socket.socketpair())
upstream = h.connected("127.0.0.1", LISTENING)
upstream.fin()
check(h.client.end(), (b"", "fin"))
h.client.fin()
h.ended(END="closed", CLIENT="unix", CLIENT_PORT=None)
assert re.search(r"^stdsocks: unix CONNECT 127\.0\.0\.1:", h.log_text(), re.M), h.log_text()
h = Handler(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
answer, _ = h.process.communicate(GREETING + request("127.0.0.1", CLOSED_PORT), DEADLINE_S)
check(answer, CHOSEN + b"\x05\x05\x00\x01" + bytes(6))
h.ended(END="refused", CLIENT="stdio", CLIENT_PORT=None)
PY
}

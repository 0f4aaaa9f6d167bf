#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Signals, clocks and timeouts: which of them end a connection, and when.

load helper
load net/world

prelude <<'PY'
import contextlib, os, signal, threading, time

from dns import Server, answer
from logs import JOURNAL, Reader, fields
from socks import CHOSEN, DEADLINE_S, FILL_MAX, GREETING, MIB, accept, both_reset, check, half_close
from socks import meanwhile, passes, pattern, ran_ns
from storm import ENDING, HARMLESS, LISTENING, PORT, REQUEST, child, finish, hang_up, raining
from storm import refused, timed, waiting
from world import CLOSED_PORT, Ended, Handler, eventually, check_fields, port_of, relaying, write
PY

# The leak check of a sanitized build takes longer than a test.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0

setup() {
    need_world
}

# SIGSTOP and SIGCONT

@test "storm: goes on after SIGSTOP and SIGCONT before the greeting and during the relay" {
    world <<'PY'
h = waiting()
with h.stopped():
    h.client.send(GREETING + REQUEST + b"question")
    h.client.acknowledged()
check(h.client.recv(12)[:4], CHOSEN + b"\x05\x00")
upstream = accept(LISTENING)
check(upstream.recv(8), b"question")
for _ in range(20):
    with h.stopped():
        h.client.send(pattern(50000))
        upstream.send(pattern(40000))
    check(upstream.recv(50000), pattern(50000))
    check(h.client.recv(40000), pattern(40000))
with h.stopped():
    h.client.fin()
    upstream.fin()
check(upstream.end(), (b"", "fin"))
check(h.client.end(), (b"", "fin"))
h.ended(END="closed", BYTES_UP="1000008", BYTES_DOWN="800000")
PY
}

@test "storm: goes on after SIGSTOP and SIGCONT during a lookup or a connect" {
    need_wire
    world <<'PY'
from wire import Wire
queries = []
server = Server({"late.test": lambda _server, query, asker: queries.append((query, asker))})
h = Handler()
h.send_request(b"late.test", PORT)
eventually(lambda: len(queries) >= 2, "the queries for A and AAAA arrive")
with h.stopped():
    for query, asker in queries:
        server.sock.sendto(answer(query, ["127.0.0.1"]), asker)
check(h.read_reply(), 0)
finish(h)

wire = Wire()
listening = wire.listener("192.0.2.1")
wire.delays_s["192.0.2.1"] = 0.3
h = Handler()
h.send_request("192.0.2.1", port_of(listening))
eventually(wire.tried, "SYN is on its way")
with h.stopped():
    upstream = accept(listening)
check(h.read_reply(), 0)
h.closed(upstream)
PY
}

@test "storm: goes on after SIGSTOP and SIGCONT after a refusal or with a full journal" {
    world <<'PY'
h = refused()
eventually(lambda: h.state() == "S", "the handler waits for its client")
with h.stopped():
    h.client.send(pattern(100000))
h.close_client()
h.ended(END="refused")

journal = Reader(JOURNAL)
journal.fill()
h = Handler(trace=False)
h.connect("127.0.0.1", CLOSED_PORT)
h.client.end()
h.client.close()
eventually(lambda: h.state() in "SZ", "the handler waits for the journal, or has ended")
datagrams = []
with contextlib.suppress(Ended), h.stopped():
    datagrams += journal.all()  # makes room
h.wait_exit()
datagrams += journal.all()
ends = [fields(datagram).get("STDSOCKS_END") for datagram in datagrams]
check(ends.count("refused") + h.log_text().count("refused"), 1)
PY
}

@test "storm: a deadline that passes while the handler is stopped ends it at once" {
    need_wire
    world <<'PY'
from wire import Wire, drop
wire = Wire()
wire.actions["192.0.2.1"] = drop
server = Server({})
SPAN_S = 3  # of each timeout, except that after a refusal, which is 2 s

def asks(host, option, arrived):
    h = Handler("-o", option)
    h.send_request(host, 80)
    eventually(arrived, "the query or the SYN is on its way")
    return h

def relays(option, half_closed=False):
    h, upstream = relaying("127.0.0.1", LISTENING, "-o", option)
    if half_closed:
        half_close(upstream, h.client)
    h.upstream_end = upstream
    return h

starts = {
    "handshake-timeout": lambda: waiting("-o", f"timeout handshake {SPAN_S}s"),
    "connect": lambda: asks("192.0.2.1", f"timeout connect {SPAN_S}s", wire.tried),
    "lookup": lambda: asks(b"silent.test", f"timeout handshake {SPAN_S}s", lambda: server.queries),
    "refused": refused,
    "idle-timeout": lambda: relays(f"timeout idle {SPAN_S}s"),
    "half-closed-timeout": lambda: relays(f"timeout half-closed {SPAN_S}s", True),
    "lifetime": lambda: relays(f"timeout lifetime {SPAN_S}s"),
}
handlers = {}
for end, start in starts.items():
    handlers[end] = h = start()
    eventually(lambda: h.state() == "S", "it waits")
    h.stop()
time.sleep(SPAN_S + 0.2)  # all deadlines pass
for end, h in handlers.items():
    since_s = time.monotonic()
    h.go_on()
    if end in ("connect", "lookup"):
        check(h.read_reply(), 4)
        check(h.client.end(), (b"", "fin"))
        h.client.close()
    h.wait_exit()
    took_s = time.monotonic() - since_s
    # A timeout that restarted would take at least this time.
    assert took_s < (2 if end == "refused" else SPAN_S), (end, took_s)
    check_fields(h.record(), END="refused" if end in ("connect", "lookup") else end)
PY
}

@test "storm: bytes that came while the handler was stopped are delivered after the idle timeout" {
    world <<'PY'
h, upstream = relaying("127.0.0.1", LISTENING, "-o", "timeout idle 1500ms")
with h.stopped():
    h.client.send(pattern(50000))
    upstream.send(pattern(40000))
    time.sleep(1.7)
check(upstream.recv(50000), pattern(50000))
check(h.client.recv(40000), pattern(40000))
both_reset(h.client, upstream)
h.ended(END="idle-timeout", BYTES_UP="50000", BYTES_DOWN="40000")
PY
}

# Many signals

@test "storm: thousands of ignored signals lose no byte" {
    world <<'PY'
SIZE = 16 * MIB
h, upstream = relaying("127.0.0.1", LISTENING)
with raining(h, *HARMLESS, signal.SIGSTOP, signal.SIGCONT) as count, meanwhile(h.client.send,
                                                                               pattern(SIZE)):
    with meanwhile(upstream.send, pattern(SIZE)[::-1]), meanwhile(lambda: check(upstream.recv(SIZE),
                                                                                pattern(SIZE))):
        check(h.client.recv(SIZE), pattern(SIZE)[::-1])
    eventually(lambda: count() > 5000, "5000 signals")
finish(h, upstream)
check_fields(h.record(), BYTES_UP=str(SIZE), BYTES_DOWN=str(SIZE))
PY
}

@test "storm: thousands of ignored signals move no deadline" {
    world <<'PY'
server = Server({})
h = waiting("-o", "timeout handshake 1s")
with raining(h, *HARMLESS):
    h.client.send(GREETING[:1])
    timed(h, "handshake-timeout", 1)
h, upstream = relaying("127.0.0.1", LISTENING, "-o", "timeout idle 1s")
with raining(h, *HARMLESS):
    timed(h, "idle-timeout", 1)
h = Handler("-o", "timeout handshake 1s")
h.send_request(b"silent.test", 80)
with raining(h, *HARMLESS):
    check(h.read_reply(), 4)
    h.client.close()
    timed(h, "refused", 1)
PY
}

# Signals that end the handler

@test "storm: SIGHUP terminates the session in every phase" {
    need_wire
    world <<'PY'
from wire import Wire, drop
wire = Wire()
wire.actions["192.0.2.1"] = drop
server = Server({})
h = waiting()
hang_up(h)
h.ended(END="terminated", CLOSED_BY="stdsocks", REPLY=None)
for host, arrived in (b"silent.test", lambda: server.queries), ("192.0.2.1", wire.tried):
    h = Handler()
    h.send_request(host, 80)
    eventually(arrived, "the query or the SYN is on its way")
    hang_up(h)
    h.ended(END="terminated", CLOSED_BY="stdsocks", REPLY=None)
h, upstream = relaying("127.0.0.1", LISTENING)
hang_up(h)
both_reset(h.client, upstream)
h.ended(END="terminated", CLOSED_BY="stdsocks", REPLY="0")
h = refused()
hang_up(h)
h.ended(END="refused", REPLY="5")
PY
}

@test "storm: SIGHUP is ignored if nohup has started the handler" {
    world <<'PY'
queries = []
server = Server({"late.test": lambda _server, query, asker: queries.append((query, asker))})
h = Handler(before=["nohup"])
eventually(lambda: h.state() == "S", "the handler waits for its client")
hang_up(h)
h.send_request(b"late.test", PORT)
eventually(lambda: len(queries) >= 2, "the queries for A and AAAA arrive")
hang_up(h)
for query, asker in queries:
    server.sock.sendto(answer(query, ["127.0.0.1"]), asker)
check(h.read_reply(), 0)
hang_up(h)
finish(h)
PY
}

@test "storm: a signal ends the session with a record or has no effect, unless it is a fault" {
    world <<'PY'
ENDS = {signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGALRM, signal.SIGTERM,
        signal.SIGXCPU}
FAULTS = {signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV,
          signal.SIGSYS, signal.SIGTRAP}
STOPS = {signal.SIGKILL, signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
server = Server({"one.test": ["127.0.0.1"]})
for host in "127.0.0.1", b"one.test":
    h, upstream = relaying(host, LISTENING)
    passes(h.client, upstream, b"x")  # waits until it relays
    for number in set(range(1, 65)) - ENDS - FAULTS - STOPS:
        os.kill(h.pid, number)
    passes(h.client, upstream, b"x")
    h.closed(upstream, BYTES_UP="2")
for number in ENDS:
    h, upstream = relaying("127.0.0.1", LISTENING)
    passes(h.client, upstream, b"x")
    h.process.send_signal(number)
    both_reset(h.client, upstream)
    h.ended(END="terminated", CLOSED_BY="stdsocks", BYTES_UP="1")
PY
}

@test "storm: SIGTERM kills the handler if signalfd4 has failed" {
    need strace
    world <<'PY'
server = Server({"one.test": ["127.0.0.1"]})
for host in "127.0.0.1", b"one.test":
    fault = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=signalfd4:error=EMFILE"]
    h, upstream = relaying(host, LISTENING, before=fault)
    passes(h.client, upstream, b"x")
    os.kill(child(h), signal.SIGTERM)
    h.client.end()
    upstream.end()
    h.process.wait(DEADLINE_S)
    assert h.process.returncode in (-signal.SIGTERM, 128 + signal.SIGTERM), h.process.returncode
PY
}

# Inherited signal masks and dispositions

@test "storm: deadlines and signals work with every signal blocked or ignored by the parent" {
    world <<'PY'
server = Server({"one.test": ["127.0.0.1"]})

def block():
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())

def ignore():
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)

def both():
    block()
    ignore()

for before in block, ignore, both:
    h = Handler("-o", "timeout handshake 500ms", preexec_fn=before, restore_signals=False)
    record = h.connect_fails(b"silent.test", 80, 4, 110)
    assert 500000 <= int(record["STDSOCKS_TOTAL_USEC"]) < 8000000, record
    for host in "127.0.0.1", b"one.test":
        h, upstream = relaying(host, LISTENING, preexec_fn=before, restore_signals=False)
        for number in signal.SIGUSR1, signal.SIGCHLD, signal.SIGPIPE:
            h.process.send_signal(number)
        passes(h.client, upstream, pattern(100000))
        h.terminate()
        both_reset(h.client, upstream)
        h.ended(END="terminated")
    h, upstream = relaying("127.0.0.1", LISTENING, preexec_fn=before, restore_signals=False)
    h.client.close()
    check(upstream.end(), (b"", "fin"))
    upstream.send(b"answer")
    assert upstream.reset_after_fin()
    h.ended(END="reset", CLOSED_BY="client")
PY
}

# Clocks

# clocks OFFSET - check each timeout in a time namespace whose monotonic clock is OFFSET seconds
# ahead, or has just begun if OFFSET is "start".
clocks() {
    unshare --time true 2>/dev/null || lacks 'time namespaces' || return
    OFFSET=$1 world <<'PY'
offset = os.environ["OFFSET"]
offset = -int(time.monotonic()) if offset == "start" else int(offset)
before = ["unshare", "--time", "--fork", "--kill-child", f"--monotonic={offset}"]
server = Server({"one.test": ["127.0.0.1"]})

timed(Handler("-o", "timeout handshake 300ms", before=before), "handshake-timeout", 0.3)
h = Handler("-o", "timeout handshake 400ms", before=before)
check(h.connect(b"silent.test", 80), 4)
h.client.close()
timed(h, "refused", 0.4)
h, upstream = relaying(b"one.test", LISTENING, "-o", "timeout idle 300ms", before=before)
passes(h.client, upstream, pattern(300000))
timed(h, "idle-timeout", 0.3)
options = "-o", "timeout lifetime 700ms", "-o", "timeout idle none"
h, upstream = relaying("127.0.0.1", LISTENING, *options, before=before)
timed(h, "lifetime", 0.7)
h = Handler(before=before)  # with the default timeouts
check(h.connect("127.0.0.1", PORT), 0)
finish(h)
PY
}

@test "storm: every deadline is kept if the clock has just begun, or is 10 or 100 years ahead" {
    clocks start
    clocks 315360000
    clocks 3153600000
}

# Slow and stalled streams

@test "storm: the lifetime ends a relay that is never idle" {
    world <<'PY'
def flood(end):
    with contextlib.suppress(OSError):
        while True:
            end.sock.sendall(pattern(MIB))

def drain(end):
    with contextlib.suppress(OSError):
        while end.sock.recv(MIB):
            pass

handlers = []
for _ in range(3):
    h = Handler("-o", "timeout lifetime 1s")
    ends = h.client, h.connected("127.0.0.1", LISTENING)
    for end in ends:
        for function in flood, drain:
            threading.Thread(target=function, args=(end,), daemon=True).start()
    handlers.append(h)
for h in handlers:
    record = h.ended(END="lifetime", CLOSED_BY="stdsocks")
    assert 1000000 <= int(record["STDSOCKS_TOTAL_USEC"]) < 10000000, record
PY
}

@test "storm: bytes in one direction restart the idle timeout while the other is stalled" {
    world <<'PY'
def stays_open(h, slow, stalled):
    """SLOW sends a byte every 100 ms; the stream from STALLED to SLOW is full."""
    sent = stalled.fill()
    for i in range(25):
        passes(slow, stalled, bytes([i]))
        time.sleep(0.1)
    with meanwhile(stalled.fin):
        check(slow.end(), (pattern(sent), "fin"))
    half_close(slow, stalled)
    h.ended(END="closed")

pattern(FILL_MAX)
first, first_upstream = relaying("127.0.0.1", LISTENING, "-o", "timeout idle 2s")
second, second_upstream = relaying("127.0.0.1", LISTENING, "-o", "timeout idle 2s")
with meanwhile(stays_open, first, first.client, first_upstream):
    stays_open(second, second_upstream, second.client)
PY
}

@test "storm: every byte arrives in order if each is a segment, in both directions at once" {
    world <<'PY'
SIZE = 5000
h, upstream = relaying("127.0.0.1", LISTENING)
cuts = range(1, SIZE)
with meanwhile(h.client.send, pattern(SIZE), cuts), meanwhile(upstream.send, pattern(SIZE)[::-1],
                                                              cuts):
    check(upstream.recv(SIZE), pattern(SIZE))
    check(h.client.recv(SIZE), pattern(SIZE)[::-1])
finish(h, upstream)
PY
}

@test "storm: a byte every 50 ms does not extend the handshake timeout" {
    world <<'PY'
write("/run/users", "alice:secret\n", 0o600)
for message in b"\x05\xff" + bytes(255), b"\x05\x01\x02\x01\x05alice\xff" + bytes(255):
    h = Handler("-o", "timeout handshake 1s", "-o", "users /run/users")
    with contextlib.suppress(OSError):
        for byte in message:
            h.client.send(bytes([byte]))
            time.sleep(0.05)
    record = h.ended(END="handshake-timeout", CLOSED_BY="stdsocks")
    assert 1000000 <= int(record["STDSOCKS_TOTAL_USEC"]) < 8000000, record
PY
}

@test "storm: a relay that is stalled in both directions uses no CPU until the idle timeout" {
    world <<'PY'
pattern(FILL_MAX)
h, upstream = relaying("127.0.0.1", LISTENING, "-o", "timeout idle 2s")
up, down = h.client.fill(), upstream.fill()
before = ran_ns(h.pid)
h.client.wait_broken()
upstream.wait_broken()
os.waitid(os.P_PID, h.pid, os.WEXITED | os.WNOWAIT)
assert ran_ns(h.pid) - before < 20e6, ran_ns(h.pid) - before  # two ticks of a 100 Hz clock
for end, sent in (h.client, down), (upstream, up):
    data, how = end.end()
    check(how, "reset")
    check(data, pattern(sent)[: len(data)])
h.ended(END="idle-timeout", CLOSED_BY="stdsocks")
PY
}

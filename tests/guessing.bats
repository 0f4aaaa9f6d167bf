#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Guessing of passwords: when a refused login is answered.

bats_require_minimum_version 1.5.0
load helper
load net/world

prelude <<'PY'
import concurrent.futures, time

from logins import ACCEPTED, CHOSEN_2, OFFER, REJECTED, REQUEST, program, served, users
from prefork import Prefork
from socks import check, is_idle, login, pattern
from world import Handler, bound, connection_as, eventually

Handler.usual = ()  # a refused login is answered after the default time
ALICE = users(b"alice:secret\n")
WRONG = login(b"alice", b"wrong")

def delay_s(client, message):
    """Sends a login that is refused. Returns the time until the answer."""
    client.send(OFFER)
    check(client.recv(2), CHOSEN_2)
    start_s = time.monotonic()
    client.send(message)
    check(client.end(), (REJECTED, "fin"))
    took_s = time.monotonic() - start_s
    client.close()
    return took_s

def is_answered_after(span_s, options, message, status=0, **fields):
    """Checks when a refused login is answered, and the record. Returns that."""
    h = Handler(*options)
    took_s = delay_s(h.client, message)
    assert span_s <= took_s < span_s + 0.9, (options, message, took_s)
    return h.ended(status, **{"END": "login-failed", "CLOSED_BY": "stdsocks"} | fields)

def waits(*options, **how):
    """Returns a handler that waits before it answers a refused login."""
    h = Handler(*ALICE, *options, **how)
    h.client.send(OFFER + WRONG)
    check(h.client.recv(2), CHOSEN_2)
    eventually(lambda: h.state() == "S", "it waits")
    return h
PY

setup() {
    need_world
}

# The time of the answer

@test "guessing: a refused login is answered after 1 second, whatever the cause" {
    world <<'PY'
slow = program("#!/bin/sh\nsleep 0.4\nexit 1\n", "/run/slow")
fails = program("#!/bin/sh\nexit 2\n", "/run/fails")
invalid = "-f", "/dev/null", "-o", "users /run/users", "-o", "no such keyword"
causes = [
    (ALICE, WRONG, {"USER": "alice"}),
    (ALICE, login(b"unknown", b"secret"), {"USER": "unknown"}),
    (ALICE, login(b"alice", b""), {"USER": "alice"}),
    (ALICE, login(b"alice", b"secret\0"), {"USER": "alice"}),
    (ALICE, login(b"alice", b"secret", version=2), {"USER": None}),
    (slow, login(b"alice", b"secret"), {"USER": "alice"}),
    (fails, WRONG, {"USER": "alice", "END": "failed", "status": 71}),
    (invalid, WRONG, {"USER": "alice", "END": "failed", "status": 78}),
]
with concurrent.futures.ThreadPoolExecutor(len(causes)) as pool:
    for done in [pool.submit(is_answered_after, 1, *cause[:2], **cause[2]) for cause in causes]:
        done.result()
# An accepted login is answered at once.
h = Handler(*ALICE)
start_s = time.monotonic()
h.client.send(OFFER + login(b"alice", b"secret") + REQUEST)
check(h.client.recv(4), CHOSEN_2 + ACCEPTED)
assert time.monotonic() - start_s < 0.9
served(h)
PY
}

@test "guessing: the time is that of the configuration, and at most that of the handshake" {
    world <<'PY'
for span_s, span in (0, "none"), (0.3, "300ms"):
    options = *ALICE, "-o", f"timeout refused-login {span}"
    is_answered_after(span_s, options, WRONG, USER="alice")
# The time of the handshake counts from the start of the process.
options = *ALICE, "-o", "timeout refused-login 365d", "-o", "timeout handshake 700ms"
record = is_answered_after(0, options, WRONG, USER="alice")
assert 0.7e6 <= int(record["STDSOCKS_TOTAL_USEC"]) < 1.6e6, record
# A slow program delays the answer by its own time, which is not added.
slow = program("#!/bin/sh\nsleep 0.4\nexit 1\n")
is_answered_after(0.4, (*slow, "-o", "timeout refused-login 1ms"), WRONG, USER="alice")
PY
}

@test "guessing: the time does not restart after SIGCONT, and bytes use no CPU meanwhile" {
    world <<'PY'
h = waits("-o", "timeout refused-login 1500ms")
start_s = time.monotonic()
h.client.send(pattern(50000))
h.client.fin()
assert is_idle(h.pid), "uses CPU after bytes and FIN"
with h.stopped():
    time.sleep(0.7)
check(h.client.recv(2), REJECTED)
assert time.monotonic() - start_s < 1.9
h.ended(END="login-failed", CLOSED_BY="stdsocks", USER="alice")
PY
}

@test "guessing: a reset during the wait ends the handler, and the login counts as refused" {
    world <<'PY'
LONG = "-o", "timeout refused-login 8s"
wanted = {"END": "login-failed", "CLOSED_BY": "client", "USER": "alice"}
h = waits(*LONG)
h.client.reset()
record = h.ended(**wanted, ERRNO="104")
assert int(record["STDSOCKS_TOTAL_USEC"]) < 7e6, record
assert "user alice: authentication failed (Conn" in h.log_text(), h.log_text()

h = waits(*LONG, ends=connection_as(bound(), 0))
h.client.close()
record = h.ended(**wanted, ERRNO=None)
assert int(record["STDSOCKS_TOTAL_USEC"]) < 7e6, record

h = waits(*LONG)
h.terminate()
check(h.client.end()[0], b"")
h.ended(END="terminated", CLOSED_BY="stdsocks", USER="alice")
PY
}

@test "guessing: a refused login is answered after 1 second in prefork mode, too" {
    world <<'PY'
for options in ALICE, program("#!/bin/sh\nexit 1\n"):
    p = Prefork(*options)
    p.zygote()
    took_s = delay_s(p.client(), WRONG)
    assert 1 <= took_s < 1.9, took_s
    p.stop()
p = Prefork(*ALICE, "-o", "timeout refused-login 60s", "-o", "timeout handshake 60s")
one = p.client()
one.send(OFFER + WRONG)
check(one.recv(2), CHOSEN_2)
one.reset()
eventually(lambda: "user alice: authentication failed (Conn" in p.log_text(), "a record")
PY
}

#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Guessing of passwords: the time at which a refused login is answered, and the examples for
# fail2ban and nftables.

bats_require_minimum_version 1.5.0
load helper
load net/world

prelude <<'PY'
import concurrent.futures, os, socket, time

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

# fail2ban and nftables

@test "guessing: fail2ban's filter finds each failed login in syslog, and no forged address" {
    need fail2ban-regex rsyslogd
    FAIL2BAN=$PEERS/fail2ban/usr/lib/python3/dist-packages
    export FAIL2BAN
    world <<'PY'
from guesses import NAMES, banned
from logs import Syslogd
from socks import listener, request
from world import CLOSED_PORT

Handler.usual = ("timeout refused-login none",)
syslogd = Syslogd("rsyslogd")
accepts = program("#!/bin/sh\nexit 0\n")
expected, handlers = [], []

def client_at(host):
    """Returns a connection from this address, which is to be banned."""
    expected.append(host)
    with listener(host) as listening:
        where = listening.getsockname()[:2]
        client = socket.create_connection(where, source_address=(host, 0))
        return client, listening.accept()[0]

def sends(message, *options, **how):
    """Starts a handler that logs to syslog, and sends a login or more."""
    h = Handler(*options, trace=False, **how)
    handlers.append(h)
    h.client.send(OFFER + message)
    h.client.fin()
    h.client.end()
    h.client.close()

for number, name in enumerate(NAMES, 2):
    wrong = login(name, b"wrong")
    sends(wrong, *ALICE, ends=client_at(f"127.0.0.{number}"))
    sends(wrong, *ALICE, ends=connection_as(bound(), 0))
    if not name or 0 in name:
        continue
    # These logins are accepted.
    handlers.append(Handler(*accepts, trace=False))
    handlers[-1].client.send(OFFER + wrong + REQUEST)
    check(handlers[-1].client.recv(4), CHOSEN_2 + ACCEPTED)
    served(handlers[-1])
    sends(wrong + request("127.0.0.1", CLOSED_PORT), *accepts)
    sends(wrong + REQUEST, *accepts, rules=["deny"])
    sends(wrong, *accepts)
sends(WRONG, *ALICE, ends=client_at("::1"))
sends(login(b"alice", b"wrong", version=2), *ALICE, ends=client_at("127.0.1.1"))
h = Handler(*ALICE, "-o", "timeout refused-login 60s", trace=False, ends=client_at("127.0.1.2"))
handlers.append(h)
h.client.send(OFFER + WRONG)
check(h.client.recv(2), CHOSEN_2)
h.client.reset()
for h in handlers:
    h.wait_exit()
for path in syslogd.OLD, syslogd.NEW:
    def lines():
        with open(path, encoding="utf-8") as log:
            return [line for line in log if " stdsocks[" in line]
    eventually(lambda: len(lines()) == len(handlers), f"{len(handlers)} records in {path}")
    check(banned(path), sorted(expected))
PY
}

@test "guessing: fail2ban accepts the jail in the comment of its filter" {
    need fail2ban-client
    local config=$BATS_TEST_TMPDIR/config
    cp -r "$PEERS/fail2ban/etc/fail2ban" "$config"
    rm -f "$config"/jail.d/*
    cp "$ROOT/units/stdsocks.fail2ban" "$config/filter.d/stdsocks.conf"
    sed -n 's/^#\t//p' "$ROOT/units/stdsocks.fail2ban" >"$config/jail.d/stdsocks.conf"
    PYTHONPATH=$PEERS/fail2ban/usr/lib/python3/dist-packages run -0 fail2ban-client -c "$config" -d
    [[ $output == *"'addjournalmatch', '_UID=993', 'STDSOCKS_END=login-failed'"* ]]
    [[ $output == *"['start', 'stdsocks']"* ]]
}

@test "guessing: the nftables example limits new and simultaneous connections of a client" {
    need nft
    need_wire
    RULES=$ROOT/units/stdsocks.nft world <<'PY'
import contextlib
from socks import Endpoint
from wire import Wire
from world import ip, run

wire = Wire()
with wire.far:
    ip("address add 2001:db8:0:1::1/64 dev wire nodad")
ip("route add 2001:db8:0:1::/64 dev wire")
listening = socket.create_server(("::", 1080), family=socket.AF_INET6, dualstack_ipv6=True)
near = {False: wire.near_ip, True: "2001:db8::8000"}

def connects(source):
    """Connects from a far address. Returns the socket; or None if SYN is dropped or reset."""
    with wire.far, contextlib.suppress(TimeoutError, ConnectionRefusedError):
        return socket.create_connection((near[":" in source], 1080), 0.5, (source, 0))
    return None

def load(old, new):
    with open(os.environ["RULES"], encoding="ascii") as file:
        text = file.read()
    check(text.count(old), 2)
    run("nft", "-f", "-", text=text.replace(old, new))

run("nft", "-f", os.environ["RULES"])
load("20/second burst 200", "1/hour burst 3")
for first, same, other in (("192.0.2.1", "192.0.2.1", "192.0.2.2"),
                           ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1")):
    assert all(connects(first) for _ in range(3)), first
    assert not connects(same), same
    assert connects(other), other
load("over 500", "over 2")
for first, same, other in (("192.0.2.1", "192.0.2.1", "192.0.2.2"),
                           ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1")):
    kept = [connects(first), connects(same)]
    assert all(kept) and not connects(same), same
    assert connects(other), other
    Endpoint(kept[0]).reset()
    assert eventually(lambda: connects(same), "another connection"), same
for _ in range(5):
    socket.create_connection(("127.0.0.1", 1080)).close()
PY
}

#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The handshake: the handler's answers to valid, invalid and incomplete messages.
#
# Most conversations are in vectors/sessions.txt. vectors/run.py runs each of them with all bytes in
# one segment, with one byte a segment, and cut at every byte.

load helper
load net/world

prelude <<'PY'
import contextlib, subprocess

from socks import CHOSEN, GREETING, accept, check, dial, listener, pattern, request
PY

# A leak check takes longer than a handler runs, and this suite runs two thousand handlers.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0

# sessions MODE GROUP... - run these conversations.
sessions() {
    STDSOCKS=$STDSOCKS timeout 80 "$PYTHON" "$ROOT/tests/vectors/run.py" "$@"
}

# ended_all COUNT - wait until COUNT handlers have ended, and check that each status is 0.
ended_all() {
    eventually has_ended "$1"
    ! grep -E '^(exit|signal) ' "$LOG" | grep -vE '^exit [0-9]+ 0$' || fail 'a status is not 0'
}

has_ended() {
    (($(grep -cE '^(exit|signal) ' "$LOG") == $1))
}

@test "conversation: serves a client whose bytes arrive in several segments [RFC 1928 3, 4, 6]" {
    sessions split served
}

@test "conversation: exits with 0 and records the reason after FIN or RST at any byte" {
    sessions fin served
    sessions reset served
}

@test "conversation: answers 05 FF to an unacceptable greeting, and connects nowhere [RFC 1928 3]" {
    sessions split version methods
}

@test "conversation: replies with the reason to an invalid request [RFC 1928 4, 6]" {
    sessions split reserved commands types ports refused mapped
}

@test "conversation: answers each message of messages.txt as expected" {
    sessions split messages
}

@test "conversation: replies 04, without a lookup, to an invalid host name [RFC 1035 2.3.4]" {
    need_world
    world <<PY
from world import Handler
from dns import Server
server = Server({})
subprocess.run(["$PYTHON", "$ROOT/tests/vectors/run.py", "split", "names"], check=True)
check(server.queries, [])
# The server gets a query for a valid name.
h = Handler("-o", "timeout handshake 200ms")
h.connect("host.example", 80)
assert server.queries, "no query for a valid name"
PY
}

@test "conversation: replies 02, 03 or 04 according to the network's error [RFC 1928 6]" {
    need_world
    world <<PY
from world import run
for kind, host in ("unreachable", 1), ("prohibit", 2), ("blackhole", 3):
    run("ip", "route", "add", kind, f"192.0.2.{host}")
subprocess.run(["$PYTHON", "$ROOT/tests/vectors/run.py", "split", "routes"], check=True)
PY
}

@test "conversation: this suite runs every group of sessions" {
    local group
    while read -r group; do
        grep -qE "split.* $group\\b|split\", \"$group\"" "$BATS_TEST_FILENAME" ||
            fail "not run: $group" || return
    done < <(sed -n 's/^\[\([a-z]*\)\].*/\1/p' "$ROOT/tests/vectors/sessions.txt" | sort -u)
}

@test "conversation: replies only when the connection is established" {
    launch
    python <<'PY'
# The queue of the listener is full, so the first SYN is dropped; the next follows a second later.
with listener() as listening:
    listening.listen(0)
    first = dial("%s %d" % listening.getsockname())
    client = dial()
    client.send(GREETING + request(*listening.getsockname()))
    check(client.recv(2), CHOSEN)
    assert client.open_and_silent(0.3)
    accept(listening)
    reply = client.recv(10)
    check(reply[:4], b"\x05\x00\x00\x01")
    check(reply[4:], request(*accept(listening).sock.getpeername())[4:])
client.close()
PY
    ended END=closed REPLY=0
}

@test "conversation: exits with 0 for arbitrary input" {
    launch
    python <<'PY'
pieces = [
    b"", b"\0", b"\xff" * 70000, b"\0" * 70000, pattern(70000), b"\x05" * 70000,
    b"\x05\xff" + b"\x02" * 70000, b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.2\r\n", b"\x16\x03\x01\x02\x00" + pattern(512),
    GREETING + b"\xff" * 70000, GREETING + b"\x05\xff\xff\xff" * 9000,
    GREETING + b"\x05\x01\x00\x03\x00" * 9000, GREETING + b"GET / HTTP/1.1\r\n\r\n",
    GREETING * 20000,
]
for piece in pieces:
    for last in "fin", "close", "reset":
        client = dial()
        with contextlib.suppress(OSError):
            client.send(piece)
            getattr(client, last)()
            if last == "fin":
                got, _ = client.end()
                assert got[:1] in (b"", b"\x05") and len(got) <= 12, f"{piece[:20]!r}: {got!r}"
        client.close()
print(3 * len(pieces))
PY
    ended_all 45
}

@test "conversation: exits with 0 and writes a record if any byte of the handshake is changed" {
    need_world
    world <<'PY'
from world import Handler, is_waiting, listeners, port_of
# A changed request may have any destination; this network has only a loopback.
(listening,) = listeners("127.0.0.1")
port = port_of(listening)
count = 0
for host in "127.0.0.1", "localhost", "::1":
    right = GREETING + request(host, port)
    for at, byte in enumerate(right):
        handlers = []
        for other in {0, 0xFF, byte ^ 1} - {byte}:
            h = Handler("-o", "timeout handshake 100ms", "-o", "timeout half-closed 100ms")
            with contextlib.suppress(OSError):
                h.client.send(right[:at] + bytes([other]) + right[at + 1 :])
                h.client.fin()
            handlers.append((h, other))
        for h, other in handlers:
            h.wait_exit()
            case = f"{right.hex(' ')}, byte {at} is {other:02x}"
            assert "STDSOCKS_END" in h.record(), f"no record: {case}"
            h.client.close()
            is_waiting(listening)  # removes a connection
            count += 1
assert count > 120, count
PY
}

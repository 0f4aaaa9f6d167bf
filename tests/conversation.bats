#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The handshake, byte by byte: what the handler answers to what, and what it never does.
#
# Most of them are in vectors/sessions.txt; vectors/run.py leads each of those conversations with the
# bytes in one segment, one byte a segment, and cut at every byte.

load helper
load net/world

prelude <<'PY'
import contextlib, subprocess

from socks import CHOSEN, GREETING, accept, check, dial, listener, pattern, request
PY

# Of a sanitized build: looking for leaks takes longer than the whole life of a process that ends
# with its connection, and there are two thousand here.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0

# sessions WAY GROUP... - lead these conversations.
sessions() {
    STDSOCKS=$STDSOCKS timeout 80 "$PYTHON" "$ROOT/tests/vectors/run.py" "$@"
}

# ended_all COUNT - so many handlers have ended, each with status 0.
ended_all() {
    eventually has_ended "$1"
    ! grep -E '^(exit|signal) ' "$LOG" | grep -vE '^exit [0-9]+ 0$' || fail 'not all with status 0'
}

has_ended() {
    (($(grep -cE '^(exit|signal) ' "$LOG") == $1))
}

@test "conversation: a client is served, however its bytes are cut [RFC 1928 3, 4, 6]" {
    sessions split served
}

@test "conversation: status is 0 and the record tells when the client ends or resets at any byte" {
    sessions fin served
    sessions reset served
}

@test "conversation: a greeting that cannot be served gets 05 FF, and nothing goes upstream [RFC 1928 3]" {
    sessions split version methods
}

@test "conversation: a request that cannot be served gets its reply code [RFC 1928 4, 6; RFC 4291 2.5.5.2]" {
    sessions split reserved commands types ports refused mapped
}

@test "conversation: every message of messages.txt gets its answer" {
    sessions split messages
}

@test "conversation: 04, and no lookup, when the name is no host name [RFC 1035 2.3.4]" {
    need_world
    world <<PY
from world import Handler
from dns import Server
server = Server({})
subprocess.run(["$PYTHON", "$ROOT/tests/vectors/run.py", "split", "names"], check=True)
check(server.queries, [])
# A name that is one would have been seen.
h = Handler("-o", "timeout handshake 200ms")
h.connect("host.example", 80)
assert server.queries, "the name server is not asked at all"
PY
}

@test "conversation: 02, 03 or 04 when the network says no, as it says it [RFC 1928 6]" {
    need_world
    world <<PY
from world import run
for kind, host in ("unreachable", 1), ("prohibit", 2), ("blackhole", 3):
    run("ip", "route", "add", kind, f"192.0.2.{host}")
subprocess.run(["$PYTHON", "$ROOT/tests/vectors/run.py", "split", "routes"], check=True)
PY
}

@test "conversation: every group of sessions is led by this suite" {
    local group
    while read -r group; do
        grep -qE "split.* $group\\b|split\", \"$group\"" "$BATS_TEST_FILENAME" || fail "not led: $group" || return
    done < <(sed -n 's/^\[\([a-z]*\)\].*/\1/p' "$ROOT/tests/vectors/sessions.txt" | sort -u)
}

@test "conversation: the reply waits until the connection is there" {
    launch
    python <<'PY'
# A listener whose queue is full drops SYN; the kernel sends the next one a second later.
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

@test "conversation: status is 0 whatever a stranger sends" {
    launch
    python <<'PY'
pieces = [
    b"", b"\0", b"\xff" * 70000, b"\0" * 70000, pattern(70000), b"\x05" * 70000, b"\x05\xff" + b"\x02" * 70000,
    b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"\x16\x03\x01\x02\x00" + pattern(512),
    GREETING + b"\xff" * 70000, GREETING + b"\x05\xff\xff\xff" * 9000, GREETING + b"\x05\x01\x00\x03\x00" * 9000,
    GREETING + b"GET / HTTP/1.1\r\n\r\n", GREETING * 20000,
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

@test "conversation: status is 0 whatever byte of the handshake is another one" {
    need_world
    world <<'PY'
from world import Handler, is_waiting, listeners, port_of
# Changed requests lead anywhere: this world has a loopback and nothing else.
(listening,) = listeners("127.0.0.1")
port = port_of(listening)
count = 0
for asked in request("127.0.0.1", port), request("localhost", port), request("::1", port):
    right = GREETING + asked
    for at, byte in enumerate(right):
        handlers = []
        for other in {0, 0xFF, byte ^ 1} - {byte}:
            h = Handler("-o", "timeout handshake 100ms", "-o", "timeout half-closed 100ms")
            with contextlib.suppress(OSError):
                h.client.send(right[:at] + bytes([other]) + right[at + 1 :])
                h.client.fin()
            handlers.append((h, other))
        for h, other in handlers:
            h.over()
            assert "STDSOCKS_END" in h.record(), f"no record: {right.hex(' ')}, byte {at} is {other:02x}"
            h.client.close()
            is_waiting(listening)  # no longer then
            count += 1
assert count > 120, count
PY
}

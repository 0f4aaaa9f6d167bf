#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The relay: every byte, FIN and RST, as client and upstream see them.

load helper

prelude <<'PY'
import contextlib, os, signal, sys, time

from socks import CHOSEN, DEADLINE_S, GREETING, MIB, Piped, accept, both_reset, check
from socks import close_in_order, dial, gone, half_close, handler, listener, meanwhile, pair, passes
from socks import pattern, request, is_idle

def sides():
    """The two sides of a new connection, beginning with the one that $FIRST names."""
    client, upstream = pair()
    return (client, upstream) if os.environ["FIRST"] == "client" else (upstream, client)

def opened():
    piped = Piped(sys.argv[1:])
    return piped, piped.open()
PY

# both_ways [KEY=VALUE]... <SCRIPT - run the script twice at the same time, and check these fields
# of the record: if only the handler has the client's socket, and if another process has it, too
# (-k), as PID 1 has.
both_ways() {
    FIRSTS=client from_each_side "$@"
}

# from_each_side [KEY=VALUE]... <SCRIPT - as both_ways, once with the client and once with upstream
# as the first side. In the fields, BYTES_FIRST and BYTES_SECOND are the bytes that this side sends,
# and "first" and "second" stand for the names of the sides.
from_each_side() {
    local script first hold name failed=0 fields
    local -A running
    local -A names=([client]='UP DOWN client upstream' [upstream]='DOWN UP upstream client')
    script=$(cat)
    for first in ${FIRSTS:-client upstream}; do
        for hold in '' -k; do
            # shellcheck disable=SC2086 # zero words or one
            LAUNCH=$first$hold launch $hold "${RELAY_OPTIONS[@]}"
            FIRST=$first python <<<"$script" 3>&- &
            running[$first$hold]=$!
        done
    done
    for name in "${!running[@]}"; do
        read -r -a first <<<"${names[${name%-k}]}"
        fields=("${@/#BYTES_FIRST=/BYTES_${first[0]}=}")
        fields=("${fields[@]/#BYTES_SECOND=/BYTES_${first[1]}=}")
        fields=("${fields[@]/%=first/=${first[2]}}")
        fields=("${fields[@]/%=second/=${first[3]}}")
        if ! wait "${running[$name]}" || ! LOG=$(log "$name") ended "${fields[@]}"; then
            echo "this is the run with $name as the first side" >&2
            failed=1
        fi
    done
    return "$failed"
}

setup() {
    RELAY_OPTIONS=()
}

@test "relay: each side gets the other's bytes and FIN if both close in order" {
    both_ways BYTES_UP=8 BYTES_DOWN=6 CLOSED_BY=client END=closed <<'PY'
client, upstream = pair()
passes(client, upstream, b"question")
passes(upstream, client, b"answer")
close_in_order(client, upstream)
PY
}

@test "relay: bytes arrive from one side after the other has closed its half" {
    from_each_side BYTES_FIRST=8 BYTES_SECOND=1000000 CLOSED_BY=first END=closed <<'PY'
first, second = sides()
first.send(b"question")
half_close(first, second, b"question")
with meanwhile(second.send, pattern(1000000)):
    check(first.recv(1000000), pattern(1000000))
assert first.open_and_silent()
half_close(second, first)
PY
}

@test "relay: payload behind the request is delivered once, after the reply" {
    both_ways BYTES_UP=9 BYTES_DOWN=0 <<'PY'
client, upstream = pair(payload=b"pipelined")
check(upstream.recv(9), b"pipelined")
assert upstream.open_and_silent()
close_in_order(client, upstream)
PY
}

@test "relay: 3 MB of payload behind the request are delivered" {
    both_ways BYTES_UP=3000000 <<'PY'
with listener() as listening:
    client = dial()
    with meanwhile(client.send, GREETING + request(*listening.getsockname()) + pattern(3000000)):
        upstream = accept(listening)
        check(upstream.recv(3000000), pattern(3000000))
half_close(client, upstream)
upstream.fin()
check(client.end()[0][:4], CHOSEN + b"\x05\x00")
PY
}

@test "relay: RST of one side resets the other after the bytes received before" {
    from_each_side BYTES_FIRST=100000 CLOSED_BY=first END=reset <<'PY'
first, second = sides()
first.send(pattern(100000))
first.acknowledged()
first.reset()
check(second.end(), (pattern(100000), "reset"))
PY
}

@test "relay: RST resets the other side if that has closed its half" {
    from_each_side CLOSED_BY=second END=reset <<'PY'
first, second = sides()
half_close(first, second)
passes(second, first, b"answer")
second.reset()
check(first.end(), (b"", "reset"))
PY
}

@test "relay: bytes and FIN of a side that closes at once reach the other" {
    from_each_side BYTES_FIRST=100000 BYTES_SECOND=0 CLOSED_BY=first END=closed <<'PY'
first, second = sides()
first.send(pattern(100000))
first.close()
check(second.end(), (pattern(100000), "fin"))
second.close()
PY
}

@test "relay: a side that sends to a closed side is reset" {
    from_each_side CLOSED_BY=first END=reset <<'PY'
first, second = sides()
first.close()
check(second.end(), (b"", "fin"))
second.send(b"answer")
assert second.reset_after_fin()
PY
}

@test "relay: bytes that were acknowledged before RST arrive if the other side reads late" {
    from_each_side END=reset <<'PY'
first, second = sides()
sent = first.fill()
acknowledged = sent - first.unacknowledged()
first.reset()
assert is_idle(handler(), share=0.1), "the handler spins after RST"
data, how = second.end()
check(how, "reset")
assert acknowledged <= len(data) <= sent, f"{acknowledged} acknowledged, {len(data)} delivered"
check(data, pattern(len(data)))
PY
}

@test "relay: 25 MB arrive in each direction if one side reads only after its own upload" {
    from_each_side BYTES_UP=25000000 BYTES_DOWN=25000000 END=closed <<'PY'
first, second = sides()
data = pattern(25000000)
with meanwhile(first.send, data), meanwhile(second.send, data):
    check(second.recv(len(data)), data)
    check(first.recv(len(data)), data)
close_in_order(first, second)
PY
}

@test "relay: a relay that is stalled in both directions uses no CPU and loses no byte" {
    both_ways END=closed <<'PY'
client, upstream = pair()
up, down = client.fill(), upstream.fill()
assert is_idle(handler()), "a stalled relay uses CPU"
with meanwhile(client.fin), meanwhile(upstream.fin):
    with meanwhile(lambda: check(upstream.end(), (pattern(up), "fin"))):
        check(client.end(), (pattern(down), "fin"))
PY
}

@test "relay: a silent relay uses no CPU, also if half-closed" {
    both_ways END=closed <<'PY'
client, upstream = pair()
assert is_idle(handler())
half_close(client, upstream)
assert is_idle(handler()), "a half-closed relay uses CPU"
half_close(upstream, client)
PY
}

@test "relay: a closed side uses no CPU while the other side reads late" {
    from_each_side CLOSED_BY=second END=closed <<'PY'
first, second = sides()
half_close(second, first)
sent = first.fill()
first.close()  # both halves of this socket are now closed, so poll(2) always returns POLLHUP
assert is_idle(handler()), "POLLHUP makes the handler spin"
check(second.end(), (pattern(sent), "fin"))
PY
}

@test "relay: urgent data arrives in line and uses no CPU afterwards" {
    both_ways BYTES_UP=5 BYTES_DOWN=5 END=closed <<'PY'
client, upstream = pair()
for sender, receiver in ((client, upstream), (upstream, client)):
    sender.send(b"ab")
    sender.urgent(b"X")
    check(receiver.recv(3), b"abX")
    assert is_idle(handler()), "urgent data makes the handler spin"
    passes(sender, receiver, b"cd")
close_in_order(client, upstream)
PY
}

@test "relay: urgent data arrives in line behind the request and as its last byte" {
    for payload in abX ''; do
        both_ways BYTES_UP=${#payload} END=closed <<PY
with listener() as listening:
    client = dial()
    message = GREETING + request(*listening.getsockname()) + b"$payload"
    client.send(message[:-1])
    client.urgent(message[-1:])
    upstream = accept(listening)
check(upstream.recv(${#payload}), b"$payload")
half_close(client, upstream)
upstream.fin()
check(client.end()[0][:4], CHOSEN + b"\x05\x00")
PY
    done
}

@test "relay: the answer arrives if the client closed its half before the reply" {
    both_ways BYTES_UP=8 BYTES_DOWN=6 CLOSED_BY=client END=closed <<'PY'
with listener() as listening:
    client = dial()
    client.send(GREETING + request(*listening.getsockname()) + b"question")
    client.fin()
    upstream = accept(listening)
check(upstream.end(), (b"question", "fin"))
upstream.send(b"answer")
upstream.fin()
data, how = client.end()
check((data[:4], data[12:], how), (CHOSEN + b"\x05\x00", b"answer", "fin"))
PY
}

@test "relay: half-closes pass on with IPv6 and from an AF_UNIX client" {
    for listen in ::1 "$BATS_TEST_TMPDIR/socks"; do
        launch -l "$listen"
        python <<'PY'
client, upstream = pair(host="::1" if "::1" in os.environ["PROXY"] else "127.0.0.1")
client.send(b"question")
half_close(client, upstream, b"question")
upstream.send(b"answer")
half_close(upstream, client, b"answer")
PY
        ended BYTES_UP=8 BYTES_DOWN=6 CLOSED_BY=client END=closed
    done
}

@test "relay: bytes and FIN of an AF_UNIX client that closes at once reach upstream" {
    launch -l "$BATS_TEST_TMPDIR/socks"
    python <<'PY'
client, upstream = pair()
client.send(pattern(100000))
client.close()
check(upstream.end(), (pattern(100000), "fin"))
upstream.close()
PY
    ended BYTES_UP=100000 BYTES_DOWN=0 CLOSED_BY=client END=closed
}

# If the handler itself ends a connection, both sides must get RST. A FIN would look like the end of
# a complete answer.

@test "relay: both sides are reset if neither sends for the idle timeout" {
    RELAY_OPTIONS=(-- -o 'timeout idle 1s')
    both_ways CLOSED_BY=stdsocks REPLY=0 END=idle-timeout <<'PY'
start = time.monotonic()
client, upstream = pair()
both_reset(client, upstream)
assert time.monotonic() - start >= 0.99
PY
}

@test "relay: the idle timeout restarts if either side sends" {
    RELAY_OPTIONS=(-- -o 'timeout idle 2s')
    from_each_side BYTES_FIRST=1 BYTES_SECOND=0 CLOSED_BY=stdsocks REPLY=0 END=idle-timeout <<'PY'
first, second = sides()
time.sleep(0.3)  # the silence before the byte must not count
since_s = time.monotonic()
passes(first, second, b".")
both_reset(first, second)
assert time.monotonic() - since_s >= 1.99
PY
}

@test "relay: both sides are reset at the half-closed timeout" {
    RELAY_OPTIONS=(-- -o 'timeout half-closed 300ms')
    from_each_side CLOSED_BY=stdsocks REPLY=0 END=half-closed-timeout <<'PY'
first, second = sides()
assert first.open_and_silent(0.5)  # a longer silence before the half-close does not count
start = time.monotonic()
half_close(first, second)
check(first.end(), (b"", "reset"))
assert time.monotonic() - start >= 0.29
assert second.reset_after_fin()
PY
}

@test "relay: both sides are reset at the end of the lifetime while bytes flow" {
    RELAY_OPTIONS=(-- -o 'timeout lifetime 1s')
    both_ways CLOSED_BY=stdsocks REPLY=0 END=lifetime <<'PY'
start = time.monotonic()
client, upstream = pair()
with meanwhile(lambda: check(upstream.end()[1], "reset")):
    try:
        while time.monotonic() < start + DEADLINE_S:
            client.send(b"x" * 1000)
        raise AssertionError("no RST")
    except ConnectionResetError:
        pass
assert time.monotonic() - start >= 0.99
PY
}

@test "relay: SIGTERM and SIGINT end it with RST to both sides" {
    for signal in SIGTERM SIGINT; do
        both_ways BYTES_UP=8 CLOSED_BY=stdsocks REPLY=0 END=terminated <<PY
client, upstream = pair(payload=b"question")
check(upstream.recv(8), b"question")
os.kill(handler(), signal.$signal)
both_reset(client, upstream)
PY
    done
}

@test "relay: SIGTERM ends it while both directions are stalled" {
    both_ways CLOSED_BY=stdsocks REPLY=0 END=terminated <<'PY'
client, upstream = pair()
client.fill(), upstream.fill()
os.kill(handler(), signal.SIGTERM)
check(client.end()[1], "reset")
check(upstream.end()[1], "reset")
PY
}

# A refusal is followed by FIN, and not by the RST that close(2) with unread input sends.

@test "relay: the refusal arrives if 200 KB behind the request are unread" {
    both_ways <<'PY'
client = dial()
client.send(GREETING + request("127.0.0.1", 9, command=7) + pattern(200000))
refused = handler()
check(client.end(), (CHOSEN + b"\x05\x07\x00\x01" + bytes(6), "fin"))
client.fin()
gone(refused)
check(client.error(), 0)  # no RST after the FIN, for which some kernels would drop unread input
PY
}

@test "relay: a refused client that never stops sending cannot keep the handler" {
    both_ways <<'PY'
client = dial()
client.send(GREETING + request("127.0.0.1", 9, command=7))
check(client.recv(12), CHOSEN + b"\x05\x07\x00\x01" + bytes(6))
handled = handler()
with contextlib.suppress(ConnectionResetError, BrokenPipeError, TimeoutError):
    client.sock.settimeout(1)
    deadline = time.monotonic() + DEADLINE_S
    while os.path.exists(f"/proc/{handled}") and time.monotonic() < deadline:
        client.send(pattern(MIB))
PY
}

# piped <SCRIPT - run a script that calls opened(), which starts a handler between two pipes and
# returns them and upstream.
piped() {
    python "${HANDLER[@]}"
}

@test "relay: half-closes pass on from a pipe on standard input and to one on standard output" {
    piped <<'PY'
piped, upstream = opened()
piped.send(b"question")
piped.close_stdin()
check(upstream.end(), (b"question", "fin"))
passes(upstream, piped, b"answer")
upstream.fin()
check(piped.end(), b"")
check(piped.status(), 0)
# Upstream closes its half first.
piped, upstream = opened()
upstream.send(b"welcome")
upstream.fin()
check(piped.end(), b"welcome")
piped.send(b"question")
piped.close_stdin()
check(upstream.end(), (b"question", "fin"))
check(piped.status(), 0)
PY
}

@test "relay: inherited pipes stay blocking, also if the handler is killed" {
    piped <<'PY'
piped, upstream = opened()
passes(piped, upstream, b"question")
check(piped.non_blocking(), [])
piped.process.kill()
piped.status()
check(piped.non_blocking(), [])
PY
}

@test "relay: 25 MB arrive through a pipe while the other pipe is full" {
    piped <<'PY'
piped, upstream = opened()
data = pattern(25000000)
upstream.send(data[:10000])
piped.wait_unread(10000)  # a partly filled pipe has no room for a whole buffer
with meanwhile(upstream.send, data[10000:]), meanwhile(piped.send, data):
    check(upstream.recv(len(data)), data)
    assert is_idle(piped.process.pid), "a full pipe makes the handler spin"
    check(piped.recv(len(data)), data)
piped.close_stdin()
check(upstream.end(), (b"", "fin"))
upstream.fin()
check(piped.status(), 0)
PY
}

@test "relay: bytes before upstream's RST arrive through a pipe; a closed pipe resets upstream" {
    piped <<'PY'
piped, upstream = opened()
upstream.send(pattern(10000))
upstream.acknowledged()
upstream.reset()
check(piped.end(), pattern(10000))
check(piped.status(), 0)
piped, upstream = opened()
piped.close_stdout()
check(upstream.end(), (b"", "reset"))
check(piped.status(), 0)
PY
}

@test "relay: files on standard input and output are read and written to their end" {
    upstream answer-after-eof
    {
        printf '\5\1\0\5\1\0\1\x7f\0\0\1%b' \
            "$(printf '\\x%02x\\x%02x' $((UPSTREAM / 256)) $((UPSTREAM % 256)))"
        head -c 300000 /dev/zero
    } >"$BATS_TEST_TMPDIR/input"
    timeout "$WAIT_S" "$STDSOCKS" -o "allow to any" <"$BATS_TEST_TMPDIR/input" \
        >"$BATS_TEST_TMPDIR/output"
    [[ $(tail -c +13 "$BATS_TEST_TMPDIR/output") == \
        "bytes=300000 sha256=$(head -c 300000 /dev/zero | sha256sum | cut -c 1-64)" ]]
}

@test "relay: upstream's last bytes arrive before its RST if both halves were closed" {
    both_ways BYTES_DOWN=300000 CLOSED_BY=upstream END=reset <<'PY'
client, upstream = pair()
upstream.send(pattern(300000))
upstream.fin()
sent = client.fill()  # upstream reads nothing, so the handler still has bytes of the client
client.fin()
upstream.reset()
check(client.recv(300000), pattern(300000))
PY
}

@test "relay: the lifetime ends a reset that waits for a reader" {
    RELAY_OPTIONS=(-- -o 'timeout lifetime 2s')
    both_ways END=reset <<'PY'
client, upstream = pair()
upstream.send(pattern(1000000))
upstream.acknowledged()
upstream.reset()
gone(handler())
PY
}

@test "relay: the client gets FIN without a reply if another process holds its socket" {
    launch -k -- -o 'timeout handshake 1s'
    python <<'PY'
check(dial().end(), (b"", "fin"))
client = dial()
client.send(GREETING[:2])
client.fin()
check(client.end(), (b"", "fin"))
client = dial()
client.send(GREETING)
check(client.recv(2), CHOSEN)
os.kill(handler(), signal.SIGTERM)
check(client.end(), (b"", "fin"))
PY
}

#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The relay, seen from both of its ends at once: every byte, every FIN and every RST.
#
# Where it matters, the same script runs twice: with the client's socket in the handler's hands
# only, and with a duplicate held elsewhere (-k), as PID 1 holds one.

load helper

# both_ways [KEY=VALUE]... <SCRIPT - run it both ways, at the same time; each has such a record.
both_ways() {
    local script hold failed=0
    local -A running
    script=$(cat)
    for hold in '' -k; do
        # shellcheck disable=SC2086 # no word, or one
        LAUNCH=launch$hold launch $hold "${RELAY_OPTIONS[@]}"
        python <<<"$script" 3>&- &
        running[launch$hold]=$!
    done
    for hold in launch launch-k; do
        if ! wait "${running[$hold]}" || ! LOG=$(log "$hold") ended "$@"; then
            echo "so it was with $hold" >&2
            failed=1
        fi
    done
    return "$failed"
}

setup() {
    RELAY_OPTIONS=()
}

@test "relay: each end gets the other's bytes and FIN when both close in order" {
    both_ways BYTES_UP=8 BYTES_DOWN=6 CLOSED_BY=client END=closed <<'PY'
client, upstream = pair()
client.send(b"question")
check(upstream.recv(8), b"question")
upstream.send(b"answer")
check(client.recv(6), b"answer")
client.fin()
check(upstream.end(), (b"", "fin"))
upstream.fin()
check(client.end(), (b"", "fin"))
PY
}

@test "relay: upstream's answer arrives when the client has closed its half before" {
    both_ways BYTES_UP=8 BYTES_DOWN=1000000 CLOSED_BY=client END=closed <<'PY'
client, upstream = pair()
client.send(b"question")
client.fin()
check(upstream.end(), (b"question", "fin"))
with meanwhile(upstream.send, pattern(1000000)):
    check(client.recv(1000000), pattern(1000000))
assert client.open_and_silent()
upstream.fin()
check(client.end(), (b"", "fin"))
PY
}

@test "relay: the client's upload arrives when upstream has closed its half before" {
    both_ways BYTES_UP=1000000 BYTES_DOWN=7 CLOSED_BY=upstream END=closed <<'PY'
client, upstream = pair()
upstream.send(b"welcome")
upstream.fin()
check(client.end(), (b"welcome", "fin"))
with meanwhile(client.send, pattern(1000000)):
    check(upstream.recv(1000000), pattern(1000000))
assert upstream.open_and_silent()
client.fin()
check(upstream.end(), (b"", "fin"))
PY
}

@test "relay: payload behind the request is delivered once, after success" {
    both_ways BYTES_UP=9 BYTES_DOWN=0 <<'PY'
client, upstream = pair(payload=b"pipelined")
check(upstream.recv(9), b"pipelined")
assert upstream.open_and_silent()
client.fin()
check(upstream.end(), (b"", "fin"))
upstream.fin()
check(client.end(), (b"", "fin"))
PY
}

@test "relay: payload behind the request is delivered whole when it fills every buffer" {
    both_ways BYTES_UP=3000000 <<'PY'
with listener() as listening:
    client = dial()
    with meanwhile(client.send, GREETING + request(*listening.getsockname()) + pattern(3000000)):
        upstream = accept(listening)
        check(upstream.recv(3000000), pattern(3000000))
client.fin()
check(upstream.end(), (b"", "fin"))
upstream.fin()
check(client.end()[0][:4], CHOSEN + b"\x05\x00")
PY
}

@test "relay: the client's RST becomes RST upstream, after the bytes received before" {
    both_ways BYTES_UP=100000 CLOSED_BY=client END=reset <<'PY'
client, upstream = pair()
client.send(pattern(100000))
client.acknowledged()
client.reset()
check(upstream.end(), (pattern(100000), "reset"))
PY
}

@test "relay: upstream's RST becomes RST to the client, after the bytes received before" {
    both_ways BYTES_DOWN=100000 CLOSED_BY=upstream END=reset <<'PY'
client, upstream = pair()
upstream.send(pattern(100000))
upstream.acknowledged()
upstream.reset()
check(client.end(), (pattern(100000), "reset"))
PY
}

@test "relay: RST becomes RST when the other end has closed its half" {
    both_ways CLOSED_BY=upstream END=reset <<'PY'
client, upstream = pair()
client.fin()
check(upstream.end(), (b"", "fin"))
upstream.send(b"answer")
check(client.recv(6), b"answer")
upstream.reset()
check(client.end(), (b"", "reset"))
PY
}

@test "relay: the client's bytes and FIN reach upstream when it has closed at once" {
    both_ways BYTES_UP=100000 BYTES_DOWN=0 CLOSED_BY=client END=closed <<'PY'
client, upstream = pair()
client.send(pattern(100000))
client.close()
check(upstream.end(), (pattern(100000), "fin"))
upstream.close()
PY
}

@test "relay: upstream is reset when it sends to a client that has closed both halves" {
    both_ways CLOSED_BY=client END=reset <<'PY'
client, upstream = pair()
client.close()
check(upstream.end(), (b"", "fin"))
upstream.send(b"answer")
assert upstream.reset_after_fin()
PY
}

@test "relay: the client is reset when it sends to an upstream that has closed both halves" {
    both_ways CLOSED_BY=upstream END=reset <<'PY'
client, upstream = pair()
upstream.close()
check(client.end(), (b"", "fin"))
client.send(b"question")
assert client.reset_after_fin()
PY
}

# A reader that is late, a writer that is gone: what the proxy's kernel had acknowledged must arrive.
late_reader() {
    both_ways END=reset <<PY
client, upstream = pair()
sent = $1.fill()
acknowledged = sent - $1.unacknowledged()
$1.reset()
assert rests(handler(), share=0.1), "a reset peer makes the handler spin"
data, how = $2.end()
check(how, "reset")
assert acknowledged <= len(data) <= sent, f"{acknowledged} acknowledged, {len(data)} delivered"
check(data, pattern(len(data)))
PY
}

@test "relay: all bytes received before the client's RST arrive when upstream reads late" {
    late_reader client upstream
}

@test "relay: all bytes received before upstream's RST arrive when the client reads late" {
    late_reader upstream client
}

# 25 MB each way: the flooded end reads nothing until its own upload has arrived.
flooded() {
    both_ways BYTES_UP=25000000 BYTES_DOWN=25000000 END=closed <<PY
client, upstream = pair()
data = pattern(25000000)
with meanwhile($1.send, data), meanwhile($2.send, data):
    check($2.recv(len(data)), data)
    check($1.recv(len(data)), data)
client.fin()
check(upstream.end(), (b"", "fin"))
upstream.fin()
check(client.end(), (b"", "fin"))
PY
}

@test "relay: an upload of 25 MB completes when the client reads nothing and upstream floods" {
    flooded client upstream
}

@test "relay: a download of 25 MB completes when upstream reads nothing and the client floods" {
    flooded upstream client
}

@test "relay: no CPU is used when both directions are stalled, and nothing is lost" {
    both_ways END=closed <<'PY'
client, upstream = pair()
up, down = client.fill(), upstream.fill()
assert rests(handler()), "a stalled relay uses CPU"
with meanwhile(client.fin), meanwhile(upstream.fin):
    with meanwhile(lambda: check(upstream.end(), (pattern(up), "fin"))):
        check(client.end(), (pattern(down), "fin"))
PY
}

@test "relay: no CPU is used when both ends are silent" {
    both_ways END=closed <<'PY'
client, upstream = pair()
assert rests(handler())
client.fin()
check(upstream.end(), (b"", "fin"))
assert rests(handler()), "a half-closed relay uses CPU"
upstream.fin()
check(client.end(), (b"", "fin"))
PY
}

@test "relay: a closed client does not spin the handler when upstream reads late" {
    both_ways CLOSED_BY=upstream END=closed <<'PY'
client, upstream = pair()
upstream.fin()
check(client.end(), (b"", "fin"))
up = client.fill()
client.close()  # both halves of this socket are now shut: POLLHUP for ever
assert rests(handler()), "POLLHUP makes the handler spin"
check(upstream.end(), (pattern(up), "fin"))
PY
}

@test "relay: a closed upstream does not spin the handler when the client reads late" {
    both_ways CLOSED_BY=client END=closed <<'PY'
client, upstream = pair()
client.fin()
check(upstream.end(), (b"", "fin"))
down = upstream.fill()
upstream.close()
assert rests(handler()), "POLLHUP makes the handler spin"
check(client.end(), (pattern(down), "fin"))
PY
}

@test "relay: urgent data arrives in line and does not spin the handler" {
    both_ways BYTES_UP=5 BYTES_DOWN=5 END=closed <<'PY'
client, upstream = pair()
for sender, receiver in ((client, upstream), (upstream, client)):
    sender.send(b"ab")
    sender.urgent(b"X")
    check(receiver.recv(3), b"abX")
    assert rests(handler()), "urgent data makes the handler spin"
    sender.send(b"cd")
    check(receiver.recv(2), b"cd")
client.fin()
check(upstream.end(), (b"", "fin"))
upstream.fin()
check(client.end(), (b"", "fin"))
PY
}

@test "relay: urgent data behind the request arrives in line" {
    both_ways BYTES_UP=3 END=closed <<'PY'
with listener() as listening:
    client = dial()
    client.send(GREETING + request(*listening.getsockname()) + b"ab")
    client.urgent(b"X")
    upstream = accept(listening)
check(upstream.recv(3), b"abX")
client.fin()
check(upstream.end(), (b"", "fin"))
upstream.fin()
check(client.end()[0][:4], CHOSEN + b"\x05\x00")
PY
}

@test "relay: the answer arrives when the client has closed its half before the reply" {
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

@test "relay: IPv6 on both sides and its half-closes work as IPv4's" {
    launch -l ::1
    python <<'PY'
client, upstream = pair(host="::1")
client.send(b"question")
client.fin()
check(upstream.end(), (b"question", "fin"))
upstream.send(b"answer")
upstream.fin()
check(client.end(), (b"answer", "fin"))
PY
    ended BYTES_UP=8 BYTES_DOWN=6 CLOSED_BY=client END=closed
}

@test "relay: an AF_UNIX client's half-close is passed on, and upstream's" {
    launch -l "$BATS_TEST_TMPDIR/socks"
    python <<'PY'
client, upstream = pair()
client.send(b"question")
client.fin()
check(upstream.end(), (b"question", "fin"))
upstream.send(b"answer")
upstream.fin()
check(client.end(), (b"answer", "fin"))
PY
    ended BYTES_UP=8 BYTES_DOWN=6 CLOSED_BY=client END=closed
}

@test "relay: an AF_UNIX client's bytes and FIN reach upstream when it has closed at once" {
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

# What the handler itself ends must not look like an orderly end, which would pass for a whole answer.

@test "relay: both ends are reset when neither has sent for the idle timeout" {
    RELAY_OPTIONS=(-- -o 'timeout idle 300ms')
    both_ways CLOSED_BY=stdsocks END=idle-timeout <<'PY'
start = time.monotonic()
client, upstream = pair()
check(client.end(), (b"", "reset"))
check(upstream.end(), (b"", "reset"))
assert time.monotonic() - start >= 0.29
PY
}

@test "relay: the idle timeout starts again when either end sends" {
    launch -- -o 'timeout idle 1s'
    python <<'PY'
client, upstream = pair()
for sender, receiver in ((client, upstream), (upstream, client)):
    for _ in range(4):
        time.sleep(0.2)
        sender.send(b".")
        check(receiver.recv(1), b".")
check(client.end(), (b"", "reset"))
check(upstream.end(), (b"", "reset"))
PY
    ended BYTES_UP=4 BYTES_DOWN=4 CLOSED_BY=stdsocks END=idle-timeout
}

@test "relay: both ends are reset when both directions stall for the idle timeout" {
    RELAY_OPTIONS=(-- -o 'timeout idle 2s')
    both_ways CLOSED_BY=stdsocks END=idle-timeout <<'PY'
pattern(FILL_MAX)  # made before the clock runs
client, upstream = pair()
up, down = client.fill(), upstream.fill()
client.wait_broken()
upstream.wait_broken()
for end, sent in ((client, down), (upstream, up)):
    data, how = end.end()
    check(how, "reset")
    check(data, pattern(sent)[: len(data)])
PY
}

@test "relay: both ends are reset when one has closed its half and the other stays silent" {
    RELAY_OPTIONS=(-- -o 'timeout half-closed 300ms')
    for first in client upstream; do
        both_ways CLOSED_BY=stdsocks END=half-closed-timeout <<PY
client, upstream = pair()
start = time.monotonic()
$first.fin()
other = upstream if $first is client else client
check(other.end(), (b"", "fin"))
check($first.end(), (b"", "reset"))
assert time.monotonic() - start >= 0.29
assert other.reset_after_fin()
PY
    done
}

@test "relay: the half-closed timeout starts with the half-close when a longer silence came before" {
    RELAY_OPTIONS=(-- -o 'timeout half-closed 1s')
    both_ways BYTES_UP=0 BYTES_DOWN=6 CLOSED_BY=client END=closed <<'PY'
client, upstream = pair()
assert client.open_and_silent(1.5)
client.fin()
check(upstream.end(), (b"", "fin"))
upstream.send(b"answer")
check(client.recv(6), b"answer")
upstream.fin()
check(client.end(), (b"", "fin"))
PY
}

@test "relay: both ends are reset at the end of the lifetime though bytes flow" {
    RELAY_OPTIONS=(-- -o 'timeout lifetime 300ms')
    both_ways CLOSED_BY=stdsocks END=lifetime <<'PY'
start = time.monotonic()
client, upstream = pair()
with meanwhile(lambda: check(upstream.end()[1], "reset")):
    try:
        while time.monotonic() < start + DEADLINE_S:
            client.send(b"x" * 1000)
        raise AssertionError("no RST")
    except ConnectionResetError:
        pass
assert time.monotonic() - start >= 0.29
PY
}

@test "relay: a signal ends it in order, with RST to both ends" {
    for signal in SIGTERM SIGINT; do
        both_ways BYTES_UP=8 CLOSED_BY=stdsocks END=terminated <<PY
client, upstream = pair(payload=b"question")
check(upstream.recv(8), b"question")
os.kill(handler(), signal.$signal)
check(client.end(), (b"", "reset"))
check(upstream.end(), (b"", "reset"))
PY
    done
}

@test "relay: a signal ends it when both directions are stalled" {
    both_ways CLOSED_BY=stdsocks END=terminated <<'PY'
client, upstream = pair()
client.fill(), upstream.fill()
os.kill(handler(), signal.SIGTERM)
check(client.end()[1], "reset")
check(upstream.end()[1], "reset")
PY
}

# A refusal is followed by FIN, and not by the RST that a close() upon unread input would send.

@test "relay: the refusal arrives when 200 KB behind the request are unread" {
    both_ways <<'PY'
client = dial()
client.send(GREETING + request("127.0.0.1", 9, command=7) + pattern(200000))
refused = handler()
check(client.end(), (CHOSEN + b"\x05\x07\x00\x01" + bytes(6), "fin"))
client.fin()
gone(refused)
check(client.error(), 0)  # no RST came behind the FIN: some kernels drop unread input then
PY
}

@test "relay: a refused client that never stops sending does not keep the handler" {
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

# Standard input and output as two pipes, whose other ends the script keeps as well.

@test "relay: the end of a pipe on standard input is a half-close" {
    python "${HANDLER[@]}" <<'PY'
with Piped(sys.argv[1:]) as piped:
    upstream = piped.open()
    piped.send(b"question")
    piped.close_stdin()
    check(upstream.end(), (b"question", "fin"))
    upstream.send(b"answer")
    check(piped.recv(6), b"answer")
    upstream.fin()
    check(piped.end(), b"")
    check(piped.status(), 0)
PY
}

@test "relay: upstream's half-close ends a pipe on standard output, and the other goes on" {
    python "${HANDLER[@]}" <<'PY'
with Piped(sys.argv[1:]) as piped:
    upstream = piped.open()
    upstream.send(b"welcome")
    upstream.fin()
    check(piped.end(), b"welcome")
    piped.send(b"question")
    piped.close_stdin()
    check(upstream.end(), (b"question", "fin"))
    check(piped.status(), 0)
PY
}

@test "relay: inherited pipes stay blocking, when it runs and when it is killed" {
    python "${HANDLER[@]}" <<'PY'
with Piped(sys.argv[1:]) as piped:
    upstream = piped.open()
    piped.send(b"question")
    check(upstream.recv(8), b"question")
    check(piped.non_blocking(), [])
    piped.process.kill()
    piped.status()
    check(piped.non_blocking(), [])
PY
}

@test "relay: 25 MB through a pipe arrive when the other pipe is full" {
    python "${HANDLER[@]}" <<'PY'
data = pattern(25000000)
with Piped(sys.argv[1:]) as piped:
    upstream = piped.open()
    upstream.send(data[:10000])
    piped.wait_unread(10000)  # a pipe that is part full has room, but not for a whole buffer
    with meanwhile(upstream.send, data[10000:]), meanwhile(piped.send, data):
        check(upstream.recv(len(data)), data)
        assert rests(piped.process.pid), "a full pipe makes the handler spin"
        check(piped.recv(len(data)), data)
    piped.close_stdin()
    check(upstream.end(), (b"", "fin"))
    upstream.fin()
    check(piped.status(), 0)
PY
}

@test "relay: upstream is reset when the reader of standard output has gone" {
    python "${HANDLER[@]}" <<'PY'
with Piped(sys.argv[1:]) as piped:
    upstream = piped.open()
    piped.close_stdout()
    check(upstream.end(), (b"", "reset"))
    check(piped.status(), 0)
PY
}

@test "relay: files on standard input and output are read and written whole" {
    upstream answer-after-eof
    {
        printf '\5\1\0\5\1\0\1\x7f\0\0\1%b' "$(printf '\\x%02x\\x%02x' $((UPSTREAM / 256)) $((UPSTREAM % 256)))"
        head -c 300000 /dev/zero
    } >"$BATS_TEST_TMPDIR/input"
    timeout "$WAIT_S" "$STDSOCKS" -o "allow to any" <"$BATS_TEST_TMPDIR/input" >"$BATS_TEST_TMPDIR/output"
    [[ $(tail -c +13 "$BATS_TEST_TMPDIR/output") == \
        "bytes=300000 sha256=$(head -c 300000 /dev/zero | sha256sum | cut -c 1-64)" ]]
}

@test "relay: the record is one line on standard error when that is not the client" {
    launch
    python <<'PY'
client, upstream = pair()
client.fin()
upstream.fin()
check(client.end(), (b"", "fin"))
PY
    ended
    (($(grep -cE '^stdsocks: 127\.0\.0\.1:[0-9]+ CONNECT 127\.0\.0\.1:[0-9]+: closed by client, 0 bytes up, 0 down, [0-9.]+ s$' "$LOG") == 1))
}

@test "relay: upstream's last bytes arrive before its RST when both halves were closed before" {
    both_ways BYTES_DOWN=300000 CLOSED_BY=upstream END=reset <<'PY'
client, upstream = pair()
upstream.send(pattern(300000))
upstream.fin()
sent = client.fill()  # upstream reads nothing: the handler still holds the client's bytes
client.fin()
upstream.reset()
check(client.recv(300000), pattern(300000))
PY
}

@test "relay: the lifetime ends a reset that waits for a reader" {
    RELAY_OPTIONS=(-- -o 'timeout lifetime 700ms')
    both_ways END=reset <<'PY'
client, upstream = pair()
upstream.send(pattern(1000000))
upstream.acknowledged()
upstream.reset()
gone(handler())
PY
}

@test "relay: urgent data before the reply arrives in line" {
    both_ways BYTES_UP=0 <<'PY'
with listener() as listening:
    client = dial()
    message = GREETING + request(*listening.getsockname())
    client.send(message[:-1])
    client.urgent(message[-1:])  # the request is whole only with it
    upstream = accept(listening)
client.fin()
check(upstream.end(), (b"", "fin"))
upstream.fin()
check(client.end()[0][:4], CHOSEN + b"\x05\x00")
PY
}

@test "relay: the client gets FIN without a reply when a duplicate is held" {
    launch -k -- -o 'timeout handshake 300ms'
    python <<'PY'
client = dial()
check(client.end(), (b"", "fin"))
PY
    launch -k
    python <<'PY'
client = dial()
client.send(GREETING[:2])
client.fin()
check(client.end(), (b"", "fin"))
PY
    launch -k
    python <<'PY'
client = dial()
client.send(GREETING)
check(client.recv(2), CHOSEN)
os.kill(handler(), signal.SIGTERM)
check(client.end(), (b"", "fin"))
PY
}

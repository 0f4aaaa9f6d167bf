#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The keyword "rate": limits the bytes per second in one direction.

load helper

prelude <<'PY'
import sys, time

from socks import MIB, Piped, check, close_in_order, meanwhile, pair, pattern
PY

# measure UP DOWN - send in both directions at once, and check the bytes per second of each
# receiver: within a tenth of this limit, or, for "fast", at least twice the highest limit of this
# suite.
measure() {
    python "$@" <<'PY'
FIRST = 512 * 1024  # the initial burst is not measured

def receive(receiver, size, results, name):
    receiver.recv(FIRST)
    since_s = time.monotonic()
    data = receiver.recv(size - FIRST)
    results[name] = len(data) / (time.monotonic() - since_s)
    check(data, pattern(size)[FIRST:])

def limit(word):
    return None if word == "fast" else int(word)

rates = {name: limit(word) for name, word in zip(("up", "down"), sys.argv[1:])}
sizes = {name: int(rate * 2) + FIRST if rate else 24 * MIB for name, rate in rates.items()}
pattern(24 * MIB)
for attempt in range(3):  # a busy machine can make a transfer slow, but nothing makes it too fast
    client, upstream = pair()
    results = {}
    with meanwhile(receive, upstream, sizes["up"], results, "up"):
        with meanwhile(receive, client, sizes["down"], results, "down"):
            with meanwhile(client.send, pattern(sizes["up"])):
                upstream.send(pattern(sizes["down"]))
    client.close()
    upstream.close()
    print(results)
    for name, rate in rates.items():
        assert not rate or results[name] <= rate * 1.1, f"{name}: {results[name]}, not {rate}"
    if all(results[name] >= (rate * 0.9 if rate else 4e6) for name, rate in rates.items()):
        raise SystemExit
raise AssertionError(f"too slow: {results}")
PY
}

@test "rate: a rate limits its own direction within a tenth, and not the other one" {
    launch -- -o 'rate down 2M'
    measure fast 2000000
    launch -- -o 'rate up 2M'
    measure 2000000 fast
    launch -- -o 'rate up 2000K' -o 'rate down 1000000'
    measure 2000000 1000000
}

# Truncated to 32 bits, 4294968K would be 704 bytes per second.
@test "rate: nothing is limited if the rate is none, not set, or above 4 GB a second" {
    launch -- -o 'rate up 10K' -o 'rate up none' -o 'rate down 10K' -o 'rate down none'
    measure fast fast
    launch
    measure fast fast
    launch -- -o 'rate up 4294968K' -o 'rate down 1000G'
    measure fast fast
}

@test "rate: the smallest rate does not delay the handshake and a short answer" {
    launch -- -o 'rate up 10K' -o 'rate down 10K'
    python <<'PY'
since_s = time.monotonic()
client, upstream = pair(b"question")
check(upstream.recv(8), b"question")
upstream.send(b"the answer")
check(client.recv(10), b"the answer")
close_in_order(upstream, client)
assert time.monotonic() - since_s < 8
PY
    ended END=closed BYTES_UP=8 BYTES_DOWN=10
}

@test "rate: a client on AF_UNIX or pipes is served with a rate" {
    launch -l "$BATS_TEST_TMPDIR/socks" -- -o 'rate down 1M' -o 'rate up 500G'
    measure fast fast
    python "$STDSOCKS" <<'PY'
with Piped([sys.argv[1], "-o", "allow to any", "-o", "rate down 1M",
            "-o", "rate up 500G"]) as piped:
    upstream = piped.open()
    piped.send(b"question")
    check(upstream.recv(8), b"question")
    upstream.send(pattern(10000))
    check(piped.recv(10000), pattern(10000))
    upstream.close()
    piped.close_stdin()
    check(piped.status(), 0)
PY
}

@test "rate: the idle and half-closed timeouts do not end a transfer that the rate delays" {
    launch -- -o 'rate down 200K' -o 'timeout idle 1s' -o 'timeout half-closed 1s'
    python <<'PY'
client, upstream = pair()
client.fin()
check(upstream.end(), (b"", "fin"))
with meanwhile(upstream.send, pattern(500000)):
    check(client.recv(500000), pattern(500000))
upstream.fin()
check(client.end(), (b"", "fin"))
PY
    ended END=closed BYTES_DOWN=500000
}

#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Failing networks on both sides: ICMP errors, lost packets, and hosts that vanish.

load helper
load net/world

prelude <<'PY'
import contextlib, socket, threading

from socks import CHOSEN, DEADLINE_S, GREETING, MIB, Endpoint, check, close_in_order, meanwhile
from socks import passes, pattern, request
from wire import Wire, drop, icmp
from world import CLOSED_PORT, Handler, eventually, listeners, port_of, relaying
PY

setup() {
    need_world
}

@test "faults: replies according to the ICMP error for the attempt [RFC 1928 6]" {
    wired <<'PY'
wire = Wire()
replies = {  # by ICMP code: (reply, errno)
    # RFC 1812 s5.2.7.1
    "192.0.2.%d": {0: (3, 101), 1: (4, 113), 2: (5, 92), 3: (5, 111), 7: (4, 112), 8: (3, 64),
                   9: (3, 101), 10: (4, 113), 13: (4, 113)},
    # RFC 4443 s3.1
    "2001:db8::%d": {0: (3, 101), 1: (2, 13), 3: (4, 113), 4: (5, 111), 5: (2, 13)},
}
for form, codes in replies.items():
    for i, (code, (reply, number)) in enumerate(codes.items(), 1):
        host = form % i
        wire.actions[host] = icmp(code)
        Handler().connect_fails(host, 80, reply, number)
PY
}

@test "faults: keeps a connection after ICMP errors for its destination [RFC 1122 4.2.3.9]" {
    wired <<'PY'
wire = Wire()
for host in "192.0.2.1", "2001:db8::1":
    listening = wire.listener(host)
    h, upstream = relaying(host, listening)
    for code in 1, 3:
        answered = threading.Event()

        def once(packet):
            """Answers the first packet with ICMP, and lets the next ones pass."""
            del wire.actions[host]
            answered.set()
            return icmp(code)(packet)

        wire.actions[host] = once
        h.client.send(b"question")
        assert answered.wait(DEADLINE_S)
        check(upstream.recv(8), b"question")
    h.closed(upstream, BYTES_UP="16")
PY
}

@test "faults: relays every byte in both directions if both wires lose and reorder packets" {
    wired <<'PY'
wire = Wire()
near = Wire("clients", "198.51.100", "2001:db8:1:", seed=2)
listening = wire.listener("192.0.2.1")
h, upstream = relaying("192.0.2.1", listening, ends=near.client())
for each in near, wire:
    each.loss, each.reordered = 0.02, 0.05
SIZE = 1500000
up, down = pattern(SIZE), pattern(SIZE)[::-1]
with meanwhile(h.client.send, up), meanwhile(upstream.send, down), \
        meanwhile(lambda: check(upstream.recv(SIZE), up)):
    check(h.client.recv(SIZE), down)
close_in_order(h.client, upstream)
h.ended(END="closed", CLOSED_BY="client", BYTES_UP=str(SIZE), BYTES_DOWN=str(SIZE))
assert near.lost_count > 20 and wire.lost_count > 20, (near.lost_count, wire.lost_count)
PY
}

@test "faults: completes the handshake if the client's wire loses and reorders packets" {
    wired <<'PY'
wire = Wire()
near = Wire("clients", "198.51.100", "2001:db8:1:", seed=3)
(listening,) = listeners("127.0.0.1")
h = Handler(ends=near.client())
near.loss, near.reordered = 0.1, 0.3
wanted = GREETING + request("127.0.0.1", port_of(listening)) + pattern(500)
h.client.send(wanted, cuts=range(1, len(wanted)))
check(h.client.recv(6), CHOSEN + b"\x05\x00\x00\x01")
h.client.recv(6)
upstream = Endpoint(listening.accept()[0])
check(upstream.recv(500), pattern(500))
upstream.close()
h.client.close()
h.ended(END="closed", BYTES_UP="500")
PY
}

@test "faults: continues a transfer after the wire was cut for a while" {
    wired <<'PY'
wire = Wire()
listening = wire.listener("192.0.2.1")
h, upstream = relaying("192.0.2.1", listening)
SIZE = 4 * MIB
with meanwhile(h.client.send, pattern(SIZE)):
    upstream.recv(65536)
    wire.is_cut = True
    lost_count = wire.lost_count
    eventually(lambda: wire.lost_count >= lost_count + 3, "lost retransmissions")
    wire.is_cut = False
    check(upstream.recv(SIZE - 65536), pattern(SIZE)[65536:])
upstream.close()
h.client.close()
h.ended(END="closed", BYTES_UP=str(SIZE))
PY
}

@test "faults: ends at the idle timeout if one side has vanished with data in flight" {
    wired <<'PY'
wire = Wire()
near = Wire("clients", "198.51.100", "2001:db8:1:")
idle = "-o", "timeout idle 500ms"
h, upstream = relaying("192.0.2.1", wire.listener("192.0.2.1"), *idle)
wire.is_cut = True
h.client.send(pattern(100000))
check(h.client.end(), (b"", "reset"))
record = h.ended(END="idle-timeout", CLOSED_BY="stdsocks", BYTES_DOWN="0")
assert 500000 <= int(record["STDSOCKS_TOTAL_USEC"]) < 5000000, record
h, upstream = relaying("127.0.0.1", *listeners("127.0.0.1"), *idle, ends=near.client())
near.is_cut = True
with contextlib.suppress(ConnectionResetError, BrokenPipeError):
    while True:
        upstream.send(pattern(MIB))
h.ended(END="idle-timeout", CLOSED_BY="stdsocks")
PY
}

@test "faults: ends if the client vanishes within a message or before the reply" {
    wired <<'PY'
near = Wire("clients", "198.51.100", "2001:db8:1:")

def asks(start, *options):
    """Returns a handler that has received a greeting and the start of a request."""
    h = Handler(*options, ends=near.client())
    h.client.send(GREETING + start)
    check(h.client.recv(2), CHOSEN)
    h.client.acknowledged()
    return h

wanted = request("127.0.0.1", CLOSED_PORT)
h = asks(wanted[:-1])
near.actions["198.51.100.1"] = drop  # drops the handler's packets
h.client.send(wanted[-1:])
h.ended(END="refused", REPLY="5")
near.actions.clear()
h = asks(b"\x05\x01", "-o", "timeout handshake 500ms")
near.is_cut = True
h.ended(END="handshake-timeout", CLOSED_BY="stdsocks", REPLY=None)
PY
}

# The timeout takes minutes; the test shortens it through a duplicate of the socket.
@test "faults: resets the other side after the keepalive timeout of a vanished client or upstream" {
    wired <<'PY'
wire = Wire()
near = Wire("clients", "198.51.100", "2001:db8:1:")
listening = wire.listener("192.0.2.1")
for side in "upstream", "client":
    h, upstream = relaying("192.0.2.1", listening, ends=near.client())
    passes(h.client, upstream, b"x")  # the relay runs
    gone, left, its_wire, sock = {
        "client": (h.client, upstream, near, h.take(0)),
        "upstream": (upstream, h.client, wire, h.upstream()),
    }[side]
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 300)
    its_wire.is_cut = True
    left.send(b"anyone?")
    check(left.end(), (b"", "reset"))
    h.ended(END="vanished", CLOSED_BY=side, ERRNO="110", REPLY="0")  # ETIMEDOUT
    its_wire.is_cut = False
PY
}

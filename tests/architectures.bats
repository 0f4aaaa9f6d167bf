#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The handler on other architectures, under qemu-user. That has no seccomp, so a program evaluates
# the filters, and the names of the system calls of sessions are compared with the table. "make
# check" builds the programs for each architecture whose compiler is installed.

load helper
load net/world

ARCHITECTURES=(aarch64 riscv64)

prelude <<'PY'
from bind import Binding
from datagrams import at, udp
from dns import Server
from emulated import ASSOCIATE, BEFORE, BIND, CONNECT, DATAGRAMS, EMULATOR, OPTIONS, RELAYING
from emulated import RESOLVE, not_allowed
from prefork import Prefork
from socks import CHOSEN, GREETING, check, half_close, listener, passes, pattern, request_name
from udp import Association
from world import Handler, eventually
PY

setup() {
    local architecture
    for architecture in "${ARCHITECTURES[@]}"; do
        need "qemu-$architecture" "$architecture-linux-gnu-gcc"
    done
}

# emulated <SCRIPT - run the script in a world for each architecture. $BUILT_FOR has its programs.
emulated() {
    local architecture script
    need_world
    script=$(cat)
    for architecture in "${ARCHITECTURES[@]}"; do
        echo "$architecture:"
        export ARCHITECTURE=$architecture BUILT_FOR=$ROOT/build/$architecture
        STDSOCKS=$BUILT_FOR/stdsocks world <<<"$script"
    done
}

@test "architectures: the filters give the same verdicts on each architecture" {
    local architecture
    for architecture in "${ARCHITECTURES[@]}"; do
        "qemu-$architecture" "$ROOT/build/$architecture/unit/sandbox" verdicts
        "qemu-$architecture" "$ROOT/build/$architecture/unit/syscalls" programs
    done
}

@test "architectures: CONNECT relays until both sides have closed, in either order" {
    emulated <<'PY'
Server({"upstream.test": ["127.0.0.1"]})
listening = listener()
for host, first in ("127.0.0.1", "client"), (b"upstream.test", "upstream"):
    h = Handler(*OPTIONS, before=BEFORE)
    upstream = h.connected(host, listening)
    ends = (h.client, upstream) if first == "client" else (upstream, h.client)
    passes(*ends, b"question")
    half_close(*ends)
    passes(*ends[::-1], pattern(100000))
    half_close(*ends[::-1])
    upstream.close()
    sent = "8", "100000"
    up, down = sent if first == "client" else sent[::-1]
    h.ended(COMMAND="CONNECT", REPLY="0", BYTES_UP=up, BYTES_DOWN=down, CLOSED_BY=first,
            END="closed", REACHED="127.0.0.1")
    check(not_allowed(h, CONNECT, RELAYING), set())
PY
}

@test "architectures: RESOLVE answers" {
    emulated <<'PY'
Server({"four.test": ["192.0.2.1"]})
h = Handler(*OPTIONS, "-o", "command resolve", before=BEFORE)
h.client.send(GREETING + request_name(b"four.test", 0, 0xF0))
check(h.client.recv(2), CHOSEN)
check(h.client.recv(10), b"\x05\0\0\1" + bytes([192, 0, 2, 1, 0, 0]))
h.ends(COMMAND="RESOLVE", END="closed")
check(not_allowed(h, RESOLVE), set())
PY
}

@test "architectures: BIND relays to the remote host, without IP_BIND_ADDRESS_NO_PORT" {
    emulated <<'PY'
h = Binding(*OPTIONS, before=BEFORE)
where = h.binds("127.0.0.1")
h.serves(h.accepts(where), 1000, COMMAND="BIND", REACHED="127.0.0.1")
check(not_allowed(h, BIND, RELAYING), set())
PY
}

@test "architectures: UDP ASSOCIATE passes datagrams on" {
    emulated <<'PY'
Server({"server.test": ["127.0.0.1"]})
server = udp()
a = Association(*OPTIONS, before=BEFORE)
a.echo(server)
a.echo(server, to=(b"server.test", at(server)[1]))
a.close_and_check(COMMAND="UDP ASSOCIATE", DATAGRAMS_UP="2", DATAGRAMS_DOWN="2",
                  REACHED="127.0.0.1")
check(not_allowed(a, ASSOCIATE, DATAGRAMS), set())
PY
}

@test "architectures: prefork mode serves a connection" {
    emulated <<'PY'
p = Prefork(*OPTIONS, "-o", "prefork ready 1", before=EMULATOR)
p.ready(1)
p.serves(listener())
eventually(lambda: ": closed by client, 11 bytes up, 11 down" in p.log_text(), "the record")
p.stop()
PY
}

#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The table of system calls that the sandbox allows, compared with the calls that connections make.

load helper
load net/world

prelude <<'PY'
import contextlib

from calls import prove
from commands import Associate, Bind, Connect, Resolve, alone, closed, limits, names, passwords
from commands import pipes, records, reply, resets, side_by_side, waits_for
from dns import Dnsmasq
from socks import GREETING, check
from world import CLOSED_PORT, write

SOURCES = "-o", "source 127.0.0.2", "-o", "source mark 7", "-o", "source device lo"
PY

# traced STAGES <SCRIPT - world. The script runs sessions, and ends with prove(), which compares
# their calls with the table of these stages.
traced() {
    need_root
    need_world
    need strace dnsmasq gcc
    ! sanitized || skip "sanitizers make other calls"
    STAGES=$1 SYSCALLS=${UNITS:-$ROOT/build/unit}/syscalls
    export STAGES SYSCALLS
    world
}

@test "calls: CONNECT and its relay make exactly the system calls of the table" {
    traced 'connect relaying' <<'PY'
def fails(command, **popen):
    h = command.begin(**popen)
    h.connect("127.0.0.1", CLOSED_PORT)
    h.close_client()

def records_of_both(command):
    """Logs the records of a refusal, and of a relay while the journal is full."""
    reader = records(command)
    fails(command, trace=False)
    h, upstream = command.connected("127.0.0.1", trace=False)
    reader.fill()
    closed(h, upstream, lambda: waits_for(reader, h))

def settings(command):
    """Uses sources, rates, IPv6, the handler's own address, and a closed port."""
    command.serve("127.0.0.1", *SOURCES, "-o", "rate up 10K", "-o", "rate down 10K")
    command.serve("::1")
    for host in "127.0.0.1", "::1":
        h = command.begin()
        h.connect(host, h.client.sock.getpeername()[1])
        h.close_client()
    fails(command)
    # The second stage fails.
    h = command.begin(inject="seccomp:error=EPERM:when=2")
    command.ask(h, "127.0.0.1")
    command.accept().close()
    h.wait_exit(71)

def shared():
    stages = "connect resolve", "connect", "relaying"
    return Connect("-o", "command connect resolve", stages=stages)

commands = alone(Connect, shared)
steps = limits, names, passwords, records_of_both, settings, pipes, resets
commands += side_by_side(Connect, *steps)
prove(commands)
PY
}

@test "calls: RESOLVE makes exactly the system calls of the table" {
    traced resolve <<'PY'
def shared():
    return Resolve("-o", "command connect resolve", stages=("connect resolve", "resolve"))

commands = alone(Resolve, shared) + side_by_side(Resolve, limits, names, passwords, records, pipes)
reverse = Resolve(number=0xF1)
commands.append(reverse)
Dnsmasq(hosts=["10.1.2.3 four.test", "2001:db8::7 six.test"], address="127.0.0.3")
write("/etc/resolv.conf", "nameserver 127.0.0.3\n")
for host in "127.0.0.1", "10.1.2.3", "2001:db8::7":
    reverse.serve(host)
prove(commands)
PY
}

@test "calls: BIND makes exactly the system calls of the table" {
    traced bind <<'PY'
def settings(command):
    """Uses sources, rates, IPv6, a connection from another host first, and no connection."""
    command.serve("127.0.0.1", *SOURCES, "-o", "rate up 10K", "-o", "rate down 10K")
    command.serve("::1")
    h = command.begin()
    command.ask(h, "127.0.0.1")
    where = reply(h.client.recv)
    with contextlib.suppress(ConnectionResetError):  # the reset may come before connect(2) ends
        check(command.inbound(where, "127.0.0.9").end(), (b"", "reset"))
    remote = command.inbound(where)
    reply(h.client.recv)
    closed(h, remote)
    h = command.begin("-o", "timeout bind 1ms")
    command.ask(h, "127.0.0.1")
    h.client.end()
    h.close_client()
    h = command.begin(inject="seccomp:error=EPERM:when=2")
    command.ask(h, "127.0.0.1")
    with contextlib.suppress(ConnectionResetError):
        command.inbound(reply(h.client.recv)).close()
    h.wait_exit(71)

def shared():
    return Bind("-o", "command connect bind", stages=("connect bind", "bind", "relaying"))

steps = limits, names, passwords, settings, records, pipes, resets
commands = alone(Bind, shared) + side_by_side(Bind, *steps)
prove(commands)
PY
}

@test "calls: UDP ASSOCIATE and its datagrams make exactly the system calls of the table" {
    traced 'associate datagrams' <<'PY'
def settings(command):
    """Uses sources, IPv6, and a second stage that fails."""
    command.serve("127.0.0.1", *SOURCES)
    command.serve(b"localhost", "-o", "source device lo")
    command.serve("::1")
    h = command.begin(inject="seccomp:error=EPERM:when=2")
    h.client.send(GREETING + command.request(None))
    h.client.end()
    h.client.close()
    h.wait_exit(71)

def shared():
    stages = "connect associate", "associate", "datagrams"
    return Associate("-o", "command connect udp", stages=stages)

commands = alone(Associate, shared)
commands += side_by_side(Associate, limits, names, passwords, settings, records,
                         pipes)
prove(commands)
PY
}

@test "calls: this suite covers every stage of the sandbox" {
    local proved
    proved=$(sed -n "s/^ *traced '*\([a-z ]*\)'* <<.*/\1/p" "$BATS_TEST_FILENAME")
    "$PYTHON" - "$proved" "$("${UNITS:-$ROOT/build/unit}/syscalls")" <<'PY'
import sys
stages = "connect", "resolve", "bind", "associate", "relaying", "datagrams"
proved = set(sys.argv[1].split())
possible = {stage for bit, stage in enumerate(stages) if int(sys.argv[2]) >> bit & 1}
assert proved == possible, (proved, possible)
PY
}

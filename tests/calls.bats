#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The table of system calls that the sandbox allows, compared with the calls that connections make.

load helper
load net/world

prelude <<'PY'
import contextlib, os, signal

from calls import TracedPrefork, prove
from commands import Associate, Bind, Connect, Resolve, alone, closed, limits, names, passwords
from commands import pipes, records, reply, resets, side_by_side, waits_for
from dns import Dnsmasq
from logs import JOURNAL, Reader
from prefork import ACCEPT4, children, close, syscall
from socks import GREETING, check, listener
from world import CLOSED_PORT, eventually, ip, write

SOURCES = "-o", "source 127.0.0.2", "-o", "source mark 7", "-o", "source device lo"

def routes(command):
    """Uses a rule that depends on the route to the destination."""
    ip("address add 192.0.2.1/32 dev lo")
    command.serve("192.0.2.1", rules=("allow to loopback",))
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
steps = limits, names, passwords, records_of_both, settings, pipes, resets, routes
commands += side_by_side(Connect, *steps)
prove(commands)
PY
}

@test "calls: RESOLVE makes exactly the system calls of the table" {
    traced resolve <<'PY'
def shared():
    return Resolve("-o", "command connect resolve", stages=("connect resolve", "resolve"))

commands = alone(Resolve, shared)
commands += side_by_side(Resolve, limits, names, passwords, records, pipes, routes)
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

steps = limits, names, passwords, settings, records, pipes, resets, routes
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
commands += side_by_side(Associate, limits, names, passwords, settings, records, pipes, routes)
prove(commands)
PY
}

@test "calls: prefork mode makes exactly the system calls of the table before a connection" {
    traced 'accept zygote' <<'PY'
journal = Reader(JOURNAL)
write("/run/conf", "allow to any\nprefork ready 1\n")
p = TracedPrefork("-f", "/run/conf", rules=(), stages=("connect accept zygote", "relaying"))
upstream = listener()
p.serves(upstream)
# The connection has ended when it is accepted.
(pid,) = p.ready(1)
os.kill(pid, signal.SIGSTOP)
p.client().reset()
os.kill(pid, signal.SIGCONT)
# More processes are ready after a burst, and end later.
pairs = [p.connect(upstream) for _ in range(6)]
for pair in pairs:
    close(pair)
states = lambda: [syscall(pid) for pid in children(p.zygote())]
eventually(lambda: states().count(ACCEPT4) > 1, "more ready processes")
p.ready(1)
# The files have changed: the supervisor serves the connection.
zygote = p.zygote()
os.kill(zygote, signal.SIGSTOP)
write("/run/conf", "allow to any\nprefork ready 1\n\n")
p.serves(upstream)
os.kill(zygote, signal.SIGCONT)
p.ready(1)
p.stop()
prove([p])
PY
}

@test "calls: this suite covers every stage of the sandbox" {
    local proved
    proved=$(sed -n "s/^ *traced '*\([a-z ]*\)'* <<.*/\1/p" "$BATS_TEST_FILENAME")
    "$PYTHON" - "$proved" "$("${UNITS:-$ROOT/build/unit}/syscalls")" <<'PY'
import sys
stages = ["connect", "resolve", "bind", "associate", "relaying", "datagrams", "accept", "zygote"]
proved = set(sys.argv[1].split())
possible = {stage for bit, stage in enumerate(stages) if int(sys.argv[2]) >> bit & 1}
assert proved == possible, (proved, possible)
PY
}

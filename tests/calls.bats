#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The system calls that connections really make, against the table of those that they may make.

load helper
load net/world

prelude <<'PY'
import re

from calls import Clockless, prove
from commands import Associate, Bind, Connect, Resolve, alone, closed, names, passwords, pipes, records
from commands import reply, resets, side_by_side, traced, waits_for
from dns import Dnsmasq
from notify import Manager, settles, told
from socks import GREETING, check
from world import CLOSED_PORT, eventually, write

SOURCES = "-o", "source 127.0.0.2", "-o", "source mark 7", "-o", "source device lo"
PY

# traced STAGES <SCRIPT - world; the table of these stages is what the script's sessions call. The script ends
# with prove(), whose argument has the sessions.
traced() {
    need_root
    need_world
    need strace dnsmasq gcc
    ! sanitized || skip "a sanitizer makes calls of its own"
    STAGES=$1 SYSCALLS=${UNITS:-$ROOT/build/unit}/syscalls
    is_static && LIBC=musl || LIBC=gnu
    export STAGES SYSCALLS LIBC
    world
}

@test "calls: the table is what is called for CONNECT and in its relay, nothing more and nothing less" {
    traced CR <<'PY'
def fails(command, **popen):
    h = command.begin(**popen)
    h.connect("127.0.0.1", CLOSED_PORT)
    h.gone()

def records_of_both(command):
    """Of a refusal, and of a relay that has to wait for a journal that is full."""
    reader = records(command)
    fails(command, trace=False)
    h, upstream = command.connected("127.0.0.1", trace=False)
    reader.fill()
    closed(h, upstream, lambda: waits_for(reader, h))

def statuses(command):
    """A service manager reads the status, has no room for it, has gone, and was never there."""
    manager = Manager()
    h, upstream = command.connected("127.0.0.1", env=told(manager.where))
    settles(manager, ".*")
    manager.fill()
    for error in "EAGAIN", "ECONNREFUSED":
        h.client.send(b"more")
        check(upstream.recv(4), b"more")
        wanted = re.compile(rf"sendto\(.* {error} ")
        eventually(lambda: wanted.search(traced(h)), "it has tried to say more")
        manager.sock.close()
    closed(h, upstream)
    for where in manager.where, "@nobody":
        command.serve("127.0.0.1", env=told(where, SYSTEMD_EXEC_PID="1"))
    command.serve("127.0.0.1", env=told(Manager().where, SYSTEMD_EXEC_PID="1"))

def ways(command):
    """Sources; what the kernel calls our own; IPv6; nobody there."""
    command.serve("127.0.0.1", *SOURCES, "-o", "rate up 10K", "-o", "rate down 10K")
    command.serve("::1")
    for host in "127.0.0.1", "::1":
        h = command.begin()
        h.connect(host, h.client.sock.getpeername()[1])
        h.gone()
    fails(command)
    # The second stage cannot be had.
    h = command.begin(inject="seccomp:error=EPERM:when=2")
    command.ask(h, "127.0.0.1")
    command.accept().close()
    h.over(71)

def shared():
    return Connect("-o", "command connect resolve", stages=("CV", "C", "R"))

commands = alone(Connect, shared)
commands += side_by_side(Connect, names, passwords, records_of_both, statuses, ways, pipes, resets)
prove(commands)
PY
}

@test "calls: the table is what is called for RESOLVE, nothing more and nothing less" {
    traced V <<'PY'
def shared():
    return Resolve("-o", "command connect resolve", stages=("CV", "V"))

commands = alone(Resolve, shared) + side_by_side(Resolve, names, passwords, records, pipes)
reverse = Resolve(number=0xF1)
commands.append(reverse)
Dnsmasq(hosts=["10.1.2.3 four.test", "2001:db8::7 six.test"], address="127.0.0.3")
write("/etc/resolv.conf", "nameserver 127.0.0.3\n")
for host in "127.0.0.1", "10.1.2.3", "2001:db8::7":
    reverse.serve(host)
prove(commands)
PY
}

@test "calls: the table is what is called for BIND, nothing more and nothing less" {
    traced B <<'PY'
def ways(command):
    """Sources; IPv6; a stranger first; nobody."""
    command.serve("127.0.0.1", *SOURCES, "-o", "rate up 10K", "-o", "rate down 10K")
    command.serve("::1")
    h = command.begin()
    command.ask(h, "127.0.0.1")
    where = reply(h.client.recv)
    check(command.call(where, "127.0.0.9").end(), (b"", "reset"))
    caller = command.call(where)
    reply(h.client.recv)
    closed(h, caller)
    h = command.begin("-o", "timeout bind 1ms")
    command.ask(h, "127.0.0.1")
    h.client.end()
    h.gone()
    h = command.begin(inject="seccomp:error=EPERM:when=2")
    command.ask(h, "127.0.0.1")
    command.call(reply(h.client.recv)).close()
    h.over(71)

def shared():
    return Bind("-o", "command connect bind", stages=("CB", "B", "R"))

commands = alone(Bind, shared) + side_by_side(Bind, names, passwords, ways, records, pipes, resets)
prove(commands)
PY
}

# A lookup without an answer takes the 5 seconds of the handler.
@test "calls: the table is what is called for UDP ASSOCIATE, its datagrams and their names, nothing more and nothing less" {
    traced AUL <<'PY'
def ways(command):
    """Sources; IPv6; a service manager; without close_range; the second stage cannot be had."""
    command.serve("127.0.0.1", *SOURCES)
    command.serve("::1")
    command.serve("127.0.0.1", env=told(Manager().where))
    command.serve("127.0.0.1", inject="close_range:error=ENOSYS")
    h = command.begin(inject="seccomp:error=EPERM:when=2")
    h.client.send(GREETING + command.request(None))
    h.client.end()
    h.client.close()
    h.over(71)

def shared():
    command = Associate("-o", "command connect udp", stages=("CA", "A", "U"))
    command.branch = "CA", "A", "L"
    return command

commands = alone(Associate, shared)
commands += side_by_side(Associate, names, passwords, ways, records, pipes)
commands[0].serve(b"localhost", how=Clockless)
prove(commands)
PY
}

@test "calls: every stage that a session can be in is one of these" {
    local proved
    proved=$(sed -n 's/^ *traced \([A-Z]*\) <<.*/\1/p' "$BATS_TEST_FILENAME")
    "$PYTHON" - "$proved" "$("${UNITS:-$ROOT/build/unit}/syscalls")" <<'PY'
import sys
proved = set("".join(sys.argv[1].split()))
possible = {letter for bit, letter in enumerate("CVBARUL") if int(sys.argv[2]) >> bit & 1}
assert proved == possible, (proved, possible)
PY
}

#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# A session in which one system call fails. As a rule a selection is run, in which each call of each
# session fails once, and each kind of call with each of six errors in some session; INJECT=all runs
# every call with every error.

load helper
load net/world

prelude <<'PY'
import contextlib, fcntl, os, socket

from inject import SESSIONS, matrix, memcheck, side_by_side
from socks import CHOSEN, GREETING, Endpoint, Piped, check, close_in_order, meanwhile, pattern
from socks import request
from world import Handler, STDSOCKS, connection, eventually, listeners, port_of, sysctl

up, down = pattern(300000), pattern(300000)[::-1]

def tiny(*socks):
    for sock in socks:
        for name in socket.SO_SNDBUF, socket.SO_RCVBUF:
            sock.setsockopt(socket.SOL_SOCKET, name, 1)

def both_ways(h, upstream, size):
    """All of it at once, and then both ends."""
    with meanwhile(h.client.send, up[:size]), meanwhile(upstream.send, down[:size]):
        with meanwhile(lambda: check(upstream.recv(size), up[:size])):
            check(h.client.recv(size), down[:size])
    close_in_order(h.client, upstream)
    h.ended(END="closed", BYTES_UP=str(size), BYTES_DOWN=str(size))

def fill(sock):
    """What the client has not read yet is in the way of the first answer; how much that is."""
    sent = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            sent += sock.send(bytes(65536), socket.MSG_DONTWAIT)
    return sent

def answered_late(h, size, listening):
    """The handler has its answer ready, and the client reads only then."""
    h.client.send(GREETING + request("127.0.0.1", port_of(listening)) + up[:1000])
    eventually(lambda: "stdsocks sends method" in h.log_text() and h.state() == "S", "it waits for room")
    check(h.client.recv(size), bytes(size))
    check(h.client.recv(6), CHOSEN + b"\x05\x00\x00\x01")
    h.client.recv(6)
    upstream = Endpoint(listening.accept()[0])
    check(upstream.recv(1000), up[:1000])
    upstream.close()
    h.ends(END="closed", BYTES_UP="1000")
PY

if [[ ${INJECT:-} == all ]]; then
    export BATS_TEST_TIMEOUT=600 WORLD_S=590
fi

setup() {
    need_world
    need strace
}

# matrix SESSION [ERROR]... - one of inject.py's sessions, with these errors, or with all.
matrix() {
    WORDS=$* world <<'PY'
kind, *errors = os.environ["WORDS"].split()
matrix(kind, errors)
PY
}

@test "inject: the reply and the record are correct when a call fails with EINTR, EAGAIN or ENOMEM: a session with an IPv4 address" {
    matrix literal EINTR EAGAIN ENOMEM
}

@test "inject: the reply and the record are correct when a call fails with EMFILE, ECONNRESET or ENOBUFS: a session with an IPv4 address" {
    matrix literal EMFILE ECONNRESET ENOBUFS
}

@test "inject: the reply and the record are correct when a call fails with EINTR or EAGAIN: a session with a name of two addresses" {
    matrix name EINTR EAGAIN
}

@test "inject: the reply and the record are correct when a call fails with ENOMEM, EMFILE, ECONNRESET or ENOBUFS: a session with a name of two addresses" {
    matrix name ENOMEM EMFILE ECONNRESET ENOBUFS
}

@test "inject: the reply and the record are correct when any one system call fails: a session with a file of users" {
    matrix login
}

@test "inject: the reply and the record are correct when any one system call fails: a session with a checkpassword program" {
    matrix program
}

@test "inject: the reply and the record are correct when any one system call fails: a session on pipes" {
    matrix pipes
}

@test "inject: the reply and the record are correct when any one system call fails: a session on AF_UNIX with a journal" {
    matrix journal
}

@test "inject: the reply and the record are correct when any one system call fails: a session with the client as standard error" {
    matrix inetd
}

@test "inject: no memory is used that is not there or was not written, in these sessions" {
    need valgrind
    ! grep -qa __asan_init "$STDSOCKS" || skip "the handler is built with a sanitizer, which sees that itself"
    world <<'PY'
kinds = list(enumerate(kind for kind in SESSIONS if kind != "program"))  # valgrind 3.19 has no pidfd_open(2)
for pair in kinds[0::2], kinds[1::2]:
    side_by_side([(memcheck, *each) for each in pair])
PY
}

# Short reads and writes: strace could only lie about them, so what bytes go through is small.

@test "inject: all bytes arrive both ways when buffers of AF_UNIX or TCP are as small as can be" {
    world <<'PY'
(listening,) = listeners("127.0.0.1")

def through(ends, size):
    tiny(*ends)
    h = Handler(ends=ends)
    both_ways(h, h.connected("127.0.0.1", listening), size)

through(socket.socketpair(), 300000)
for name in "tcp_rmem", "tcp_wmem":
    sysctl(f"ipv4/{name}", "4096 4096 4096")
tiny(listening)
through(connection(), 12000)
PY
}

@test "inject: all bytes arrive both ways when pipes hold a page and are read byte by byte" {
    world <<'PY'
F_SETPIPE_SZ = 1031
(listening,) = listeners("127.0.0.1")
piped = Piped([STDSOCKS, "-o", "allow to any"])
for fd in piped.stdin, piped.stdout:
    check(fcntl.fcntl(fd, F_SETPIPE_SZ, 1), 4096)
upstream = piped.open()
size = 20000

def byte_by_byte(read, wanted):
    check(b"".join(read(1) for _ in wanted), wanted)

with meanwhile(piped.send, up[:size]), meanwhile(upstream.send, down[:size]):
    with meanwhile(byte_by_byte, upstream.recv, up[:size]):
        byte_by_byte(piped.recv, down[:size])
piped.close_stdin()
os.close(piped.its_stdin)
check(upstream.end(), (b"", "fin"))
upstream.close()
check(piped.end(), b"")
check(piped.status(), 0)
PY
}

@test "inject: the handshake is answered whole when the client's window is closed at first" {
    world <<'PY'
(listening,) = listeners("127.0.0.1")
for ends in connection(), socket.socketpair():
    size = fill(ends[1])
    answered_late(Handler(ends=ends), size, listening)
PY
}

#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Sessions in which one system call fails. After each of these faults the reply and the record must
# describe the outcome, and no byte may be lost silently. By default each call of each session fails
# once, and each kind of call with each of six errors in some session. With INJECT=all every call
# fails with every error.

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
    """Sends SIZE bytes in both directions at once, and closes both."""
    with meanwhile(h.client.send, up[:size]), meanwhile(upstream.send, down[:size]):
        with meanwhile(lambda: check(upstream.recv(size), up[:size])):
            check(h.client.recv(size), down[:size])
    close_in_order(h.client, upstream)
    h.ended(END="closed", BYTES_UP=str(size), BYTES_DOWN=str(size))

def fill(sock):
    """Fill the socket, so that the first reply has to wait. Returns the number of bytes."""
    sent = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            sent += sock.send(bytes(65536), socket.MSG_DONTWAIT)
    return sent

def answered_late(h, size, listening):
    """The client reads only after the handler has blocked on its reply."""
    h.client.send(GREETING + request("127.0.0.1", port_of(listening)) + up[:1000])
    eventually(lambda: "stdsocks sends method" in h.log_text() and h.state() == "S", "it waits")
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

# matrix SESSION [ERROR]... - run a session of inject.py with these errors, or with all.
matrix() {
    WORDS=$* world <<'PY'
kind, *errors = os.environ["WORDS"].split()
matrix(kind, errors)
PY
}

@test "inject: a session to an IPv4 address survives EINTR, EAGAIN or ENOMEM from any system call" {
    matrix literal EINTR EAGAIN ENOMEM
}

@test "inject: a session to an IPv4 address survives EMFILE, ECONNRESET or ENOBUFS from any call" {
    matrix literal EMFILE ECONNRESET ENOBUFS
}

@test "inject: a session to a name with two addresses survives EINTR or EAGAIN from any call" {
    matrix name EINTR EAGAIN
}

@test "inject: a session to a name survives ENOMEM, EMFILE, ECONNRESET or ENOBUFS from any call" {
    matrix name ENOMEM EMFILE ECONNRESET ENOBUFS
}

@test "inject: a session with a passwords file survives the failure of any system call" {
    matrix login
}

@test "inject: a session with a checkpassword program survives the failure of any system call" {
    matrix program
}

@test "inject: a session on pipes survives the failure of any system call" {
    matrix pipes
}

@test "inject: a session on AF_UNIX with a journal survives the failure of any system call" {
    matrix journal
}

@test "inject: a session with the client as standard error survives the failure of any call" {
    matrix inetd
}

@test "inject: no session reads memory that is unallocated or uninitialised" {
    need valgrind
    ! grep -qa __asan_init "$STDSOCKS" ||
        skip "the handler is built with a sanitizer, which sees that itself"
    world <<'PY'
# valgrind 3.19 has no pidfd_open(2)
kinds = list(enumerate(kind for kind in SESSIONS if kind != "program"))
for pair in kinds[0::2], kinds[1::2]:
    side_by_side([(memcheck, *each) for each in pair])
PY
}

# Short reads and writes. strace cannot inject them, so the buffers are small.

@test "inject: all bytes arrive in both directions if the buffers of AF_UNIX or TCP are minimal" {
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

@test "inject: all bytes arrive in both directions if pipes hold a page and are read byte by byte" {
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

@test "inject: the whole handshake is sent if the client's window is closed at first" {
    world <<'PY'
(listening,) = listeners("127.0.0.1")
for ends in connection(), socket.socketpair():
    size = fill(ends[1])
    answered_late(Handler(ends=ends), size, listening)
PY
}

# SPDX-License-Identifier: ISC
"""A raw SOCKS client, and both ends of a proxied connection in one process.

Each wait fails after DEADLINE_S. $PROXY is the address of the proxy, "HOST PORT" or "/PATH". $LOG
is the file to which launch writes "start PID".
"""

import contextlib
import errno
import fcntl
import functools
import hashlib
import ipaddress
import os
import re
import select
import socket
import struct
import subprocess
import termios
import threading
import time

DEADLINE_S = 20
MIB = 1 << 20
FILL_MAX = 48 * MIB  # more than fits into the buffers of two connections and a handler

GREETING = b"\x05\x01\x00"  # RFC 1928 s3: version, one method, "no authentication required"
CHOSEN = b"\x05\x00"
CONNECT = 1


def request(host, port, command=CONNECT):
    """The request of RFC 1928 s4 for a literal address or a name."""
    try:
        address = ipaddress.ip_address(host)
        kind = b"\x01" if address.version == 4 else b"\x04"
        where = kind + address.packed
    except ValueError:
        where = b"\x03" + bytes([len(host)]) + host.encode()
    return bytes([5, command, 0]) + where + struct.pack(">H", port)


def request_name(name, port, command=CONNECT):
    """The request of RFC 1928 s4 for a name, which may be any bytes."""
    return bytes([5, command, 0, 3, len(name)]) + name + struct.pack(">H", port)


def escaped(name):
    """Returns the name escaped as in a record: stdsocks(8), RECORD."""
    short = {9: r"\t", 10: r"\n", 13: r"\r", 34: r"\"", 92: r"\\"}
    plain = {byte: chr(byte) for byte in range(32, 127)} | short
    return "".join(plain.get(byte, f"\\x{byte:02x}") for byte in name)


def login(name, secret, version=1):
    """The message of RFC 1929 s2."""
    return bytes([version, len(name)]) + name + bytes([len(secret)]) + secret


@functools.cache
def pattern(size):
    """Returns SIZE pseudo-random bytes. A shorter pattern is a prefix of a longer one."""
    return hashlib.shake_128(b"stdsocks").digest(size)


class Endpoint:
    """A connected stream socket of the test."""

    def __init__(self, sock):
        self.sock = sock
        sock.settimeout(DEADLINE_S)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data, cuts=()):
        """Sends DATA; a new segment begins at each offset of CUTS."""
        for start, end in zip((0, *cuts), (*cuts, len(data))):
            self.sock.sendall(data[start:end])

    def urgent(self, byte):
        self.sock.send(byte, socket.MSG_OOB)

    def recv(self, size):
        """Reads exactly SIZE bytes."""
        data = bytearray()
        while len(data) < size:
            piece = self.sock.recv(min(size - len(data), MIB))
            assert piece, f"FIN after {len(data)} of {size} bytes: {bytes(data[:64])!r}"
            data += piece
        return bytes(data)

    def end(self):
        """Reads to the end of the stream. Returns (bytes, "fin") or (bytes, "reset")."""
        data = bytearray()
        try:
            while piece := self.sock.recv(MIB):
                data += piece
        except ConnectionResetError:
            return bytes(data), "reset"
        return bytes(data), "fin"

    def error(self):
        return self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def wait_broken(self):
        """Waits, without reading, for RST, or for FIN if this end has sent FIN."""
        poll = select.poll()
        poll.register(self.sock, 0)
        assert poll.poll(DEADLINE_S * 1000), "the connection stays open"

    def reset_after_fin(self):
        """Waits, and returns true if RST arrived after FIN, which recv() does not report."""
        self.wait_broken()
        return self.error() == errno.EPIPE

    def open_and_silent(self, span_s=0.2):
        """Returns true if no byte, FIN or RST arrives within SPAN_S seconds."""
        return not select.select([self.sock], [], [], span_s)[0]

    def acknowledged(self):
        """Waits until TCP has acknowledged every byte that was sent."""
        deadline = time.monotonic() + DEADLINE_S
        while self.unacknowledged():
            assert time.monotonic() < deadline, "bytes stay unacknowledged"
            time.sleep(0.001)

    def unacknowledged(self):
        return struct.unpack("i", fcntl.ioctl(self.sock, termios.TIOCOUTQ, bytes(4)))[0]

    def fill(self):
        """Sends bytes of the pattern until all buffers are full. Returns how many were sent."""
        data = memoryview(pattern(FILL_MAX))
        sent = 0
        while select.select([], [self.sock], [], 0.2)[1]:
            assert sent < len(data), "the buffers of this stream do not fill"
            with contextlib.suppress(BlockingIOError):
                sent += self.sock.send(data[sent : sent + MIB], socket.MSG_DONTWAIT)
        return sent

    def fin(self):
        self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        self.sock.close()

    def reset(self):
        """Closes the connection with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


def dial(where=None):
    """Connects to "HOST PORT" or "/PATH"; by default to the proxy."""
    host, *port = (where or os.environ["PROXY"]).split()
    if not port:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(DEADLINE_S)
        sock.connect(host)
        return Endpoint(sock)
    return Endpoint(socket.create_connection((host, int(port[0])), DEADLINE_S))


def listener(host="127.0.0.1", port=0):
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    sock.bind((host, port))
    sock.listen()
    sock.settimeout(DEADLINE_S)
    return sock


def accept(listening):
    return Endpoint(listening.accept()[0])


def passes(sender, receiver, data):
    """Checks that the receiver gets DATA, which the sender sends."""
    sender.send(data)
    check(receiver.recv(len(data)), data)


def half_close(sender, receiver, data=b""):
    """Shuts the sender's direction down, and checks that the receiver reads DATA and FIN."""
    sender.fin()
    check(receiver.end(), (data, "fin"))


def close_in_order(first, second):
    """Shuts down FIRST's direction, then SECOND's; each reads the other's FIN and nothing else."""
    half_close(first, second)
    half_close(second, first)


def both_reset(first, second):
    """Checks that each end reads RST and nothing else."""
    for end in first, second:
        check(end.end(), (b"", "reset"))


def open_through(client, host, port, payload=b"", command=CONNECT):
    """Sends greeting, request and PAYLOAD in one segment. Returns the reply (RFC 1928 s6)."""
    client.send(GREETING + request(host, port, command) + payload)
    assert client.recv(2) == CHOSEN
    return reply_of(client)


def reply_of(client):
    """Reads one reply."""
    reply = client.recv(4)
    return reply + client.recv({1: 4, 4: 16}[reply[3]] + 2)


def pair(payload=b"", host="127.0.0.1"):
    """Opens a connection through the proxy. Returns its ends, (client, upstream)."""
    with listener(host) as listening:
        client = dial()
        reply = open_through(client, host, listening.getsockname()[1], payload)
        assert reply[:3] == b"\x05\x00\x00", f"refused: {reply.hex(' ')}"
        upstream = accept(listening)
    # RFC 1928 s6: BND is the proxy's address of the connection to the destination.
    check(reply[3:], request(*upstream.sock.getpeername()[:2])[3:])
    return client, upstream


class Piped:
    """A handler between two pipes. This process also keeps the ends open that it inherits."""

    def __init__(self, command):
        self.its_stdin, self.stdin = os.pipe()
        self.stdout, self.its_stdout = os.pipe()
        self.process = subprocess.Popen(command, stdin=self.its_stdin, stdout=self.its_stdout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def open(self):
        """Sends CONNECT for a listener of the test. Returns the upstream end."""
        with listener() as listening:
            self.send(GREETING + request(*listening.getsockname()))
            check(self.recv(6), CHOSEN + b"\x05\x00\x00\x01")
            self.recv(6)
            return accept(listening)

    def send(self, data):
        data = memoryview(data)
        while data:
            data = data[os.write(self.stdin, data) :]

    def recv(self, size):
        data = bytearray()
        while len(data) < size:
            readable = select.select([self.stdout], [], [], DEADLINE_S)[0]
            assert readable, f"{len(data)} of {size} bytes"
            data += os.read(self.stdout, size - len(data))
        return bytes(data)

    def wait_unread(self, size):
        """Waits until SIZE bytes are in the pipe of standard output."""
        deadline = time.monotonic() + DEADLINE_S
        while struct.unpack("i", fcntl.ioctl(self.stdout, termios.FIONREAD, bytes(4)))[0] < size:
            assert time.monotonic() < deadline, "the bytes do not arrive"
            time.sleep(0.001)

    def end(self):
        """Closes this process's copy of the writing end, and reads until EOF."""
        os.close(self.its_stdout)
        data = bytearray()
        while select.select([self.stdout], [], [], DEADLINE_S)[0]:
            if not (piece := os.read(self.stdout, MIB)):
                return bytes(data)
            data += piece
        raise AssertionError("no EOF on standard output")

    def close_stdin(self):
        os.close(self.stdin)

    def close_stdout(self):
        os.close(self.its_stdout)
        os.close(self.stdout)

    def status(self):
        return self.process.wait(DEADLINE_S)

    def non_blocking(self):
        """Returns which of the two inherited file descriptions have O_NONBLOCK set."""
        both = {"stdin": self.its_stdin, "stdout": self.its_stdout}
        return [name for name, fd in both.items() if not os.get_blocking(fd)]


@contextlib.contextmanager
def meanwhile(function, *arguments):
    """Runs FUNCTION in a thread during the block, and raises its exception after the block."""
    raised = []

    def body():
        try:
            function(*arguments)
        except BaseException as error:  # raised again below
            raised.append(error)

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    yield
    thread.join(DEADLINE_S)
    assert not thread.is_alive(), f"{function.__name__} did not end"
    if raised:
        raise raised[0]


def handler():
    """Returns the process id of the handler that launch started last."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        with open(os.environ["LOG"], encoding="utf-8", errors="replace") as log:
            if pids := re.findall(r"^start (\d+)$", log.read(), re.MULTILINE):
                return int(pids[-1])
        assert time.monotonic() < deadline, "launch has started no handler"
        time.sleep(0.01)


def gone(pid):
    """Waits until this process has ended and launch has reaped it."""
    deadline = time.monotonic() + DEADLINE_S
    while os.path.exists(f"/proc/{pid}"):
        assert time.monotonic() < deadline, "the handler does not end"
        time.sleep(0.01)


def ran_ns(pid):
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as schedstat:
        return int(schedstat.read().split()[0])


def is_idle(pid, share=0.0, span_s=0.2):
    """Returns true when PID has used at most SHARE of a CPU during SPAN_S seconds."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        before = ran_ns(pid)
        time.sleep(span_s)  # the span of the measurement
        if ran_ns(pid) - before <= share * span_s * 1e9:
            return True
    return False


def check(got, wanted):
    """Asserts that GOT equals WANTED. The message shows long bytes by their length and digest."""
    assert got == wanted, f"got {brief(got)}, not {brief(wanted)}"


def brief(value):
    if isinstance(value, tuple):
        return "(" + ", ".join(map(brief, value)) + ")"
    if isinstance(value, bytes) and len(value) > 64:
        digest = hashlib.sha256(value).hexdigest()[:16]
        return f"{len(value)} bytes, sha256 {digest}, from {value[:16]!r}"
    return repr(value)

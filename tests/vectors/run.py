#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""run.py WAY GROUP...: run the sessions of sessions.txt with the real handler, over TCP.

WAY "split" sends the bytes of a session in one segment, in segments of one byte, and in two
segments, split at every byte. Each segment is sent after the handler has read the previous one.
The result must be the same each time. WAYs "fin" and "reset" end the client's side after every
part of the handshake. The group "messages" is made from messages.txt; "messages4" has its
messages of SOCKS 4.

$STDSOCKS is the handler, $VERSIONS its configuration line for the versions. The handler is
started as inetd starts it: the accepted socket is standard input and output, and SIGPIPE is not
ignored. Standard error, with --trace, goes to a file.
"""

import concurrent.futures
import contextlib
import fcntl
import itertools
import os
import re
import select
import signal
import socket
import struct
import sys
import termios
import time

from socks import DEADLINE_S, Endpoint, check, request

FOLDER = os.path.dirname(os.path.abspath(__file__))
HANDLER = os.environ["STDSOCKS"]
VERSIONS = os.environ.get("VERSIONS", "version 5")
WORKERS = 4
WRONG_MAX = 2  # of a worker: then it stops
SIZE_MAX = 96  # a longer conversation, which has a long name in it, is cut at every seventh byte
HELLO = "05 01 00", "05 00"  # RFC 1928 s3
NOWHERE = bytes([0, 1, 0, 0, 0, 0, 0, 0])  # RFC 1928 s6: RSV, and the BND of a refusal

TOKEN = re.compile(r'\s+|#.*|"((?:[^"\\]|\\.)*)"|(\$[A-Z]+)|([0-9A-Fa-f]{2})')
ESCAPE = re.compile(r"\\(?:x(..)|(.))")
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "0": "\0", '"': '"', "\\": "\\"}


def unescape(match):
    return chr(int(match[1], 16)) if match[1] else ESCAPES[match[2]]


def template(text):
    """Return hex text as a list of bytes and of the names of placeholders."""
    parts, at = [], 0
    while at < len(text):
        token = TOKEN.match(text, at)
        assert token, f"no hex text: {text[at:]!r}"
        at = token.end()
        if token[1] is not None:
            parts.append(ESCAPE.sub(unescape, token[1]).encode("latin-1"))
        elif token[2]:
            parts.append(token[2])
        elif token[3]:
            parts.append(bytes.fromhex(token[3]))
    return parts


def fill(parts, values):
    return b"".join(part if isinstance(part, bytes) else values[part] for part in parts)


class Session:
    """Templates: the messages to send, and the expected answers."""

    def __init__(self, group, name):
        self.group = group
        self.name = name
        self.turns = []  # of (messages of the client, what the handler answers to them)
        self.payload = []
        self.answer = []
        self.end = None

    def add(self, client, server):
        """Add a message of the client and its answer."""
        self.turns.append((template(client), template(server)))

    def client(self):
        return [part for messages, _ in self.turns for part in messages]

    def server(self):
        return [part for _, answers in self.turns for part in answers]

    def answered(self, sent, values):
        """Return the shortest possible answer to the first SENT bytes of the client."""
        got, size = b"", 0
        for messages, answers in self.turns:
            size += len(fill(messages, values))
            texts = {part for part in answers if isinstance(part, str)}
            if sent >= size and not {"$BND", "$BOUND"} & texts:
                got += fill(answers, values)
        return got


def read_sessions():
    sessions = []
    with open(f"{FOLDER}/sessions.txt", encoding="utf-8") as file:
        text = re.sub(r"^#.*\n", "", file.read(), flags=re.MULTILINE)
    for row in re.sub(r"\n +", " ", text).split("\n"):
        if row:
            sessions.append(session_of(*row.split(" | ")))
    return sessions


def session_of(head, client, server, end, payload="", answer=""):
    """Parse a row of sessions.txt."""
    session = Session(*re.fullmatch(r"\[(\w+)\] (.*)", head).groups())
    if client.startswith("request "):
        session.add(*HELLO)
        client = client.removeprefix("request ")
    for turn in itertools.zip_longest(client.split(";"), server.split(";"), fillvalue=""):
        session.add(*turn)
    session.end = end.strip()
    session.payload, session.answer = template(payload), template(answer)
    return session


def read_messages():
    """Return the sessions of messages.txt that need no upstream: bytes that are no greeting or no
    request, and requests that are refused."""
    sessions = []
    with open(f"{FOLDER}/messages.txt", encoding="utf-8") as file:
        rows = [line.split("|", 2) for line in file if line[0] not in "#\n"]
    for kind, verdict, text in rows:
        kind, (verdict, *values) = kind.strip(), verdict.split()
        if kind == "request4" and not text.lstrip().startswith("04"):
            continue  # a message of another version
        group = "messages4" if kind == "request4" else "messages"
        session = Session(group, f"{kind} {text.strip()}")
        server, session.end = expected(kind, verdict, values)
        if kind == "request":
            session.add(*HELLO)
        session.add(text, server)
        if session.end:
            sessions.append(session)
    return sessions


def expected(kind, verdict, values):
    """Return the handler's answer to a message and the end; ("", None) if it needs an upstream."""
    if kind != "login" and verdict == "MORE":
        return "", "client-gone"
    match kind, verdict:
        case "methods", "BAD":
            return "05 ff", "not-socks5"
        case "methods", "DONE":
            return ("05 00", "client-gone") if "00" in values else ("05 ff", "no-method")
        case "request", "BAD":
            return f"05 {values[0]} $NOWHERE", "refused"
        case "request", "DONE" if values[0] != "01":
            return "05 07 $NOWHERE", "refused"
        case "request4", ("BAD" | "DONE") if verdict == "BAD" or values[0] != "01":
            return "00 5b 00 00 00 00 00 00", "refused"
    return "", None


def unread(sock):
    """Return the number of bytes that have arrived at a socket and were not read."""
    return struct.unpack("i", fcntl.ioctl(sock, termios.FIONREAD, bytes(4)))[0]


def arrived(sock):
    """Return the number of bytes that a socket has received: tcpi_bytes_received."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 136)
    return struct.unpack_from("Q", info, 128)[0]


class Place:
    """The sockets of one worker: a listener for the client, an upstream in each family on the same
    port, and a port that refuses connections in both."""

    def __init__(self):
        self.proxy = socket.create_server(("127.0.0.1", 0))
        self.upstreams = self.both(listen=True)
        self.refusing = self.both(listen=False)
        self.values = {
            "$PORT": struct.pack(">H", self.upstreams[0].getsockname()[1]),
            "$REFUSING": struct.pack(">H", self.refusing[0].getsockname()[1]),
            "$NOWHERE": NOWHERE,
        }

    @staticmethod
    def both(listen):
        while True:
            socks = [socket.socket(family) for family in (socket.AF_INET, socket.AF_INET6)]
            socks[0].bind(("127.0.0.1", 0))
            with contextlib.suppress(OSError):  # another one has the port in the other family
                socks[1].bind(("::1", socks[0].getsockname()[1]))
                for sock in socks if listen else ():
                    sock.listen()
                    sock.setblocking(False)
                return socks
            for sock in socks:
                sock.close()

    def accept(self):
        """Return a queued connection to the upstream, or None."""
        for sock in self.upstreams:
            with contextlib.suppress(BlockingIOError):
                return Endpoint(sock.accept()[0])
        return None


class Run:
    """A handler and a session with it."""

    def __init__(self, place, session):
        self.place, self.session = place, session
        self.values = dict(place.values)
        self.client = Endpoint(socket.create_connection(place.proxy.getsockname()))
        self.theirs = place.proxy.accept()[0]  # kept, to see what the handler has read
        self.stderr = os.memfd_create("stderr")
        actions = [(os.POSIX_SPAWN_DUP2, self.theirs.fileno(), fd) for fd in (0, 1)]
        actions.append((os.POSIX_SPAWN_DUP2, self.stderr, 2))
        self.pid = os.posix_spawn(
            HANDLER,
            [HANDLER, "-f", "/dev/null", "-o", "allow to any", "-o", VERSIONS, "--trace"],
            os.environ,
            file_actions=actions,
            setsigdef=[signal.SIGPIPE],
        )
        self.pidfd = os.pidfd_open(self.pid)
        self.status = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.status is None:
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
            self.wait()
        for fd in self.pidfd, self.stderr:
            os.close(fd)
        self.theirs.close()
        self.client.close()

    def is_over(self, timeout_s=0.0):
        return bool(select.select([self.pidfd], [], [], timeout_s)[0])

    def wait(self):
        assert self.is_over(DEADLINE_S), "the handler does not end"
        self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def send(self, data, cuts):
        """Send one segment up to each cut, when the handler has read the previous one."""
        for start, end in zip((0, *cuts), (*cuts, len(data))):
            try:
                self.client.send(data[start:end])
            except ConnectionError:
                assert self.is_over(DEADLINE_S), "the handler has closed and does not end"
                return
            deadline = time.monotonic() + DEADLINE_S
            while end < len(data) and not self.has_read(end) and not self.is_over():
                assert time.monotonic() < deadline, f"{unread(self.theirs)} bytes stay unread"
                time.sleep(0.0001)

    def has_read(self, size):
        return arrived(self.theirs) >= size and not unread(self.theirs)

    def upstream(self):
        """Wait for the connection to the upstream."""
        waiting = [sock.fileno() for sock in self.place.upstreams]
        select.select([*waiting, self.pidfd], [], [], DEADLINE_S)
        upstream = self.place.accept()
        assert upstream, f"no connection; the client got {self.client.sock.recv(64).hex(' ')}"
        return upstream

    def serve(self, upstream):
        """Relay the payload up and the answer down, and close both sides."""
        parts = self.session.payload, self.session.answer
        payload, answer = (fill(part, self.values) for part in parts)
        self.values["$BND"] = bound(upstream.sock)
        self.values["$BOUND"] = bound_ipv4(upstream.sock)
        if payload:
            check(upstream.recv(1), payload[:1])
            # It was not sent on before the client was told.
            assert unread(self.client.sock) >= len(fill(self.session.server(), self.values))
            check(upstream.recv(len(payload) - 1), payload[1:])
        upstream.send(answer)
        wanted = fill(self.session.server(), self.values) + answer
        check(self.client.recv(len(wanted)), wanted)
        self.client.fin()
        check(upstream.end(), (b"", "fin"))
        upstream.close()
        check(self.client.end(), (b"", "fin"))

    def split(self, cuts):
        """Send all bytes in segments that end at CUTS. The result must always be the same."""
        data = fill(self.session.client() + self.session.payload, self.values)
        self.send(data, cuts)
        self.theirs.close()
        if self.session.end == "closed":
            self.serve(self.upstream())
        else:
            if self.session.end == "client-gone":
                self.client.fin()
            check(self.client.end(), (fill(self.session.server(), self.values), "fin"))
        self.over(self.session.end)

    def fin(self, size):
        """Send only the first bytes, and then FIN."""
        self.send(fill(self.session.client(), self.values)[:size], ())
        self.theirs.close()
        self.client.fin()
        check(self.client.end(), (self.session.answered(size, self.values), "fin"))
        self.over("client-gone")

    def reset(self, size):
        """Send only the first bytes, and then RST. The handler may have read them or not."""
        self.send(fill(self.session.client(), self.values)[:size], ())
        self.theirs.close()
        self.client.reset()
        self.over("client-gone")

    def over(self, end):
        """Check that the handler exits with status 0, has written one record, and has left no
        connection to the upstream."""
        self.client.close()
        self.wait()
        check(self.status, 0)
        said = os.pread(self.stderr, 1 << 16, 0)
        check(re.findall(rb"^STDSOCKS_END=(.*)$", said, re.MULTILINE), [end.encode()])
        check(len(re.findall(rb"^MESSAGE_ID=", said, re.MULTILINE)), 1)
        assert not self.place.accept(), "a connection came upstream"


def bound(sock):
    """Return the remote address of a connection in the form of RFC 1928 s6."""
    return request(*sock.getpeername()[:2])[3:]


def bound_ipv4(sock):
    """Return the address as SOCKS 4 writes it: 0.0.0.0 for IPv6."""
    host, port = sock.getpeername()[:2]
    ipv4 = bytes(4) if sock.family == socket.AF_INET6 else socket.inet_aton(host)
    return struct.pack(">H", port) + ipv4


def ways(way, session, values):
    """Return the methods of Run, with arguments, that a session is run with."""
    size = len(fill(session.client(), values))
    if way != "split":
        return [(way, end) for end in range(size)]
    size += len(fill(session.payload, values))
    cuts = range(1, size, 1 if size <= SIZE_MAX else 7)
    return [("split", ()), ("split", range(1, size)), *(("split", (cut,)) for cut in cuts)]


def work(turns):
    """Run sessions with sockets of their own; return the failures."""
    place, wrong = Place(), []
    for session, (method, argument) in turns:
        try:
            with Run(place, session) as run:
                getattr(run, method)(argument)
        except (AssertionError, OSError) as error:
            wrong.append(f"[{session.group}] {session.name}: {method} {argument}: {error}")
            if len(wrong) == WRONG_MAX:
                break
            while stray := place.accept():
                stray.close()
    return wrong


def main(way, *groups):
    sessions = [one for one in read_sessions() + read_messages() if one.group in groups]
    assert {one.group for one in sessions} == set(groups), "a group has no session"
    values = {"$PORT": b"pp", "$REFUSING": b"rr", "$NOWHERE": NOWHERE}
    turns = [(one, how) for one in sessions for how in ways(way, one, values)]
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        wrong = sum(pool.map(work, (turns[first::WORKERS] for first in range(WORKERS))), [])
    print(f"{len(sessions)} sessions, {len(turns)} conversations, {len(wrong)} wrong")
    print(*wrong, sep="\n")
    return 1 if wrong else 0


sys.exit(main(*sys.argv[1:]))

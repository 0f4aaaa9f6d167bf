# SPDX-License-Identifier: ISC
"""Sessions of each command, under strace. The functions here run with every command.

Together with tests/calls.bats, which has the sessions of single commands, they must use every row
of the table of system calls in sandbox/syscalls.c.
"""

import concurrent.futures
import contextlib
import ipaddress
import os
import re
import signal
import socket
import subprocess
import threading

from calls import Clockless, Traced
from dns import Dnsmasq, Server, answer
from logs import JOURNAL, SYSLOG, Reader
from slots import create_files
from socks import CHOSEN, DEADLINE_S, GREETING, Endpoint, check, passes, pattern, request
from world import WORLD, eventually, ip, request_name, write

NAME_SERVER = "nameserver 127.0.0.1\n"


def reply(recv):
    """Reads a successful reply. Returns its address."""
    check(recv(3), b"\x05\x00\x00")
    size = {1: 4, 4: 16}[recv(1)[0]]
    return str(ipaddress.ip_address(recv(size))), int.from_bytes(recv(2), "big")


class Command:
    """A command, and the stages of its handlers (calls.py)."""

    starting = threading.Lock()  # Handler.count is shared

    def __init__(self, number, *options, stages):
        self.number, self.options, self.stages = number, options, stages
        self.handlers = []

    def begin(self, *options, how=Traced, **popen):
        with self.starting:
            h = how(*self.options, *options, **popen)
        h.stages = self.stages
        self.handlers.append(h)
        return h

    def request(self, host, port=0):
        wanted = request_name(host, port) if isinstance(host, bytes) else request(host, port)
        return wanted[:1] + bytes([self.number]) + wanted[2:]

    def ask(self, h, host):
        h.client.send(GREETING + self.request(host))
        check(h.client.recv(2), CHOSEN)

    def finish(self, h, meanwhile=None):
        """Reads the reply, and ends the session. Calls MEANWHILE after the client has closed."""
        raise NotImplementedError

    def unanswered(self):
        """Requests a name for which the name server sends no answer in time."""
        h = self.begin("-o", "timeout handshake 500ms")
        self.ask(h, b"silent.test")
        h.client.end()
        h.close_client()

    def serve(self, host, *options, **popen):
        h = self.begin(*options, **popen)
        self.ask(h, host)
        self.finish(h)


class Stream(Command):
    """A command with a connection, on which a few bytes are sent in each direction."""

    def other_end(self, h):
        """Returns the end of the connection that is not the client's."""
        raise NotImplementedError

    def relayed(self, h):
        """Relays bytes in both directions. Returns the other end."""
        other = self.other_end(h)
        passes(h.client, other, b"up")
        passes(other, h.client, b"down")
        return other

    def finish(self, h, meanwhile=None):
        closed(h, self.relayed(h), meanwhile)

    def connected(self, host, *options, **popen):
        """Returns a handler that relays, and the other end."""
        h = self.begin(*options, **popen)
        self.ask(h, host)
        return h, self.relayed(h)


class Connect(Stream):
    """CONNECT to a listener for both families."""

    def __init__(self, *options, stages=("connect", "relaying")):
        super().__init__(1, *options, stages=stages)
        self.listening = socket.create_server(("::", 0), family=socket.AF_INET6,
                                              dualstack_ipv6=True)
        self.listening.settimeout(DEADLINE_S)

    def request(self, host, port=None):
        return super().request(host, self.listening.getsockname()[1] if port is None else port)

    def accept(self):
        return Endpoint(self.listening.accept()[0])

    def other_end(self, h):
        reply(h.client.recv)
        return self.accept()


class Resolve(Command):
    """RESOLVE, or RESOLVE_PTR with its number."""

    def __init__(self, *options, number=0xF0, stages=("resolve",)):
        super().__init__(number, *(options or ("-o", "command resolve")), stages=stages)

    def finish(self, h, meanwhile=None):
        check(h.client.recv(2), b"\x05\x00")
        check(h.client.end()[1], "fin")
        closed(h, h.client, meanwhile)


class Bind(Stream):
    """BIND with an inbound connection."""

    remote = None
    remotes = {b"many.test": "127.0.1.1", b"long.test": "127.0.2.1"}  # others: the bound address

    def __init__(self, *options, stages=("bind", "relaying")):
        super().__init__(2, *(options or ("-o", "command bind")), stages=stages)

    def ask(self, h, host):
        self.remote = host if isinstance(host, str) else self.remotes.get(host)
        super().ask(h, host)

    def inbound(self, where, host=None):
        """Connects to the bound address, from HOST or from the requested host."""
        source = host or self.remote or where[0], 0
        return Endpoint(socket.create_connection(where, DEADLINE_S, source_address=source))

    def other_end(self, h):
        remote = self.inbound(reply(h.client.recv))
        reply(h.client.recv)
        return remote


class Associate(Command):
    """UDP ASSOCIATE with a datagram to a server for both families, and its answer."""

    def __init__(self, *options, stages=("associate", "datagrams")):
        super().__init__(3, *(options or ("-o", "command udp")), stages=stages)
        self.server = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self.server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.server.bind(("::", 0))
        self.server.settimeout(DEADLINE_S)

    def request(self, host, port=0):
        return super().request("0.0.0.0")

    def ask(self, h, host):
        super().ask(h, host)
        self.where = reply(h.client.recv)
        family = socket.AF_INET6 if ":" in self.where[0] else socket.AF_INET
        self.client = socket.socket(family, socket.SOCK_DGRAM)
        self.client.settimeout(DEADLINE_S)
        self.send(host, b"up")

    def send(self, host, data):
        port = self.server.getsockname()[1]
        to = request_name(host, port) if isinstance(host, bytes) else request(host, port)
        self.client.sendto(bytes(3) + to[3:] + data, self.where)

    def finish(self, h, meanwhile=None):
        data, source = self.server.recvfrom(100)
        check(data, b"up")
        # The answer may leave from another address, and is dropped then; so it is not read.
        self.server.sendto(b"down", source)
        closed(h, h.client, meanwhile)

    def unanswered(self):
        h = self.begin()
        self.ask(h, b"silent.test")
        closed(h, h.client)


def closed(h, upstream, meanwhile=None):
    upstream.close()
    h.client.close()
    if meanwhile:
        meanwhile()
    h.wait_exit()


def traced(h):
    with open(h.calls, encoding="utf-8", errors="replace") as log:
        return log.read()


def side_by_side(kind, *steps):
    """Runs each step with a new command, three at a time. Returns the commands."""
    commands = [kind() for _ in steps]
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(step, command) for step, command in zip(steps, commands)]:
            done.result()
    return commands


def alone(kind, shared):
    """Runs sessions without a vDSO, and of SHARED, for which several commands are configured."""
    clockless, among_others = kind(), shared()
    clockless.serve("127.0.0.1", how=Clockless)
    for host in "127.0.0.1", b"localhost":
        among_others.serve(host)
    return [clockless, among_others]


def records(command):
    """Writes records to standard error, syslog, the journal, and the journal while it is full.
    Returns the journal's reader."""
    for log in None, SYSLOG, JOURNAL:
        reader = log and Reader(log)
        command.serve("127.0.0.1", trace=False)
    reader.fill()
    h = command.begin(trace=False)
    command.ask(h, "127.0.0.1")
    command.finish(h, lambda: waits_for(reader, h))
    return reader


def waits_for(reader, h):
    """Waits until the handler waits for a full journal, and reads the journal."""
    waiting = re.compile(r" setsockopt\(\w+, 0x1, 0x15,")  # SO_SNDTIMEO
    eventually(lambda: waiting.search(traced(h)), "the handler waits for the journal")
    reader.all()


def names(command):
    """Looks names up over IPv4, IPv6 and TCP and in /etc/hosts, also without an answer, and while
    the process is stopped."""
    queried, go_on = threading.Event(), threading.Event()

    def late(server, query, source):
        def send():
            go_on.wait()
            server.sock.sendto(answer(query, ["127.0.0.1"]), source)

        queried.set()
        threading.Thread(target=send, daemon=True).start()

    many = [f"127.0.1.{n}" for n in range(1, 30)]
    server = Server({"both.test": ["127.0.0.1", "::1"], "late.test": late, "many.test": many})
    for host in b"both.test", b"many.test", b"localhost":
        command.serve(host)
    h = command.begin()
    command.ask(h, b"late.test")
    queried.wait(DEADLINE_S)
    h.stop_and_continue(h.handler_pid())
    go_on.set()
    command.finish(h)
    command.unanswered()
    h = command.begin()
    command.ask(h, b"silent.test")
    server.expect("silent.test")
    os.kill(h.handler_pid(), signal.SIGTERM)
    h.wait_exit()
    for address in "127.0.0.2", "::1":  # the answer is truncated, so the query is repeated over TCP
        Dnsmasq(address=address, hosts=[f"127.0.2.{n} long.test" for n in range(1, 100)])
        write("/etc/resolv.conf", f"nameserver {address}\n")
        command.serve(b"long.test")
    ip("address add fe80::1/64 dev lo nodad")
    Server({"local.test": ["127.0.0.1"]}, address="fe80::1%lo")
    write("/etc/resolv.conf", "nameserver fe80::1%lo\n")
    command.serve(b"local.test")
    write("/etc/resolv.conf", NAME_SERVER)
    command.serve(b"both.test")
    command.serve(b"both.test", as_user="nobody")


def resets(command):
    """Resets the connection of each side while bytes wait in the handler."""
    for first, other in (0, 1), (1, 0):
        h, upstream = command.connected("127.0.0.1")
        ends = h.client, upstream
        ends[other].sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        # Does not block: with a closed window, TCP sends probes.
        with contextlib.suppress(BlockingIOError):
            for _ in range(5):
                ends[first].sock.send(pattern(65536), socket.MSG_DONTWAIT)
        ends[first].reset()
        eventually(lambda: h.state() != "R", "the handler waits")
        ends[other].sock.settimeout(DEADLINE_S)
        with contextlib.suppress(ConnectionResetError):
            while ends[other].sock.recv(65536):
                pass
        ends[other].close()
        h.wait_exit()


def pipes(command):
    """Runs sessions on pipes, and in hex mode, which starts two processes."""
    its_stdin, stdin = os.pipe()
    stdout, its_stdout = os.pipe()
    h = command.begin(stdin=its_stdin, stdout=its_stdout)
    os.close(its_stdin)
    os.close(its_stdout)
    os.write(stdin, GREETING + command.request("127.0.0.1") + b"up")
    if isinstance(command, Connect):
        upstream = command.accept()
        check(upstream.recv(2), b"up")
        upstream.close()
    if isinstance(command, Bind):
        recv = lambda size: os.read(stdout, size)
        check(recv(2), CHOSEN)
        remote = command.inbound(reply(recv))
        check(remote.recv(2), b"up")
        remote.close()
    os.close(stdin)
    h.wait_exit()
    os.close(stdout)
    text = f"{WORLD}/text"
    write(text, (GREETING + command.request("127.0.0.1")).hex())
    with open(text, encoding="ascii") as file:
        h = command.begin("--hex", "-o", "timeout bind 1ms", stdin=file, stdout=subprocess.DEVNULL)
    if isinstance(command, Connect):
        command.accept().close()
    h.wait_exit()


def limits(command):
    """Counts connections of the client's address."""
    create_files()
    command.serve("127.0.0.1", "-o", "limit from 100")


def passwords(command):
    """Uses a checkpassword program that accepts, one that does not end, and one without a login;
    the client of the second one waits, or resets."""
    script = "#!/bin/sh\nread -r x <&3\ntest \"$1\" = right || exec sleep 60\n"
    write("/run/program", script, 0o755)
    for word, timeout in ("right", "30s"), ("late", "2s"):
        h = command.begin("-o", f"checkpassword /run/program {word}",
                          "-o", f"timeout handshake {timeout}")
        h.client.send(b"\x05\x01\x02" + b"\x01\x01a\x01b")
        h.client.fin()
        h.client.end()
        h.client.close()
        h.wait_exit()
    h = command.begin("-o", "checkpassword /run/program late")
    h.client.send(b"\x05\x01\x02" + b"\x01\x01a\x01b")
    check(h.client.recv(2), b"\x05\x02")
    h.client.reset()
    h.wait_exit()
    command.serve("127.0.0.1", "-o", "checkpassword /run/program right", "-o", "auth none password")

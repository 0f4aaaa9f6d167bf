# SPDX-License-Identifier: ISC
"""Sessions of each command, under strace: what all of them do in the same way is done with each of them.

Every way that a handler has to make a call of sandbox/syscalls.c is to be here, or in tests/calls.bats where it is the way of one
command.
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
from socks import CHOSEN, DEADLINE_S, GREETING, Endpoint, check, passes, pattern, request
from world import WORLD, eventually, ip, request_name, write

NAME_SERVER = "nameserver 127.0.0.1\n"


def reply(recv):
    """Where it is that the next reply, which is a success, tells of."""
    check(recv(3), b"\x05\x00\x00")
    size = {1: 4, 4: 16}[recv(1)[0]]
    return str(ipaddress.ip_address(recv(size))), int.from_bytes(recv(2), "big")


class Command:
    """A command, as handlers serve it: their STAGES, and those of the process that they start, as calls.py has them."""

    branch = ()
    starting = threading.Lock()  # handlers are numbered

    def __init__(self, number, *options, stages):
        self.number, self.options, self.stages = number, options, stages
        self.handlers = []

    def begin(self, *options, how=Traced, **popen):
        with self.starting:
            h = how(*self.options, *options, **popen)
        h.stages, h.branch = self.stages, self.branch
        self.handlers.append(h)
        return h

    def request(self, host, port=0):
        wanted = request_name(host, port) if isinstance(host, bytes) else request(host, port)
        return wanted[:1] + bytes([self.number]) + wanted[2:]

    def ask(self, h, host):
        h.client.send(GREETING + self.request(host))
        check(h.client.recv(2), CHOSEN)

    def finish(self, h, meanwhile=None):
        """From the reply, which is a success, to the end, before which MEANWHILE is done."""
        raise NotImplementedError

    def asker(self, h):
        """The process that looks names up."""
        return h.handler_pid()

    def unanswered(self):
        """A name that nobody answers for."""
        h = self.begin("-o", "timeout handshake 500ms")
        self.ask(h, b"silent.test")
        h.client.end()
        h.gone()

    def serve(self, host, *options, **popen):
        h = self.begin(*options, **popen)
        self.ask(h, host)
        self.finish(h)


class Stream(Command):
    """A connection, which has a few bytes in each direction."""

    def other_end(self, h):
        """The one that is not the client's."""
        raise NotImplementedError

    def relayed(self, h):
        """The other end, when bytes have gone both ways."""
        other = self.other_end(h)
        passes(h.client, other, b"up")
        passes(other, h.client, b"down")
        return other

    def finish(self, h, meanwhile=None):
        closed(h, self.relayed(h), meanwhile)

    def connected(self, host, *options, **popen):
        """A handler that has it, and the other end."""
        h = self.begin(*options, **popen)
        self.ask(h, host)
        return h, self.relayed(h)


class Connect(Stream):
    """To a listener of both families."""

    def __init__(self, *options, stages=("C", "R")):
        super().__init__(1, *options, stages=stages)
        self.listening = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        self.listening.settimeout(DEADLINE_S)

    def request(self, host, port=None):
        return super().request(host, self.listening.getsockname()[1] if port is None else port)

    def accept(self):
        return Endpoint(self.listening.accept()[0])

    def other_end(self, h):
        reply(h.client.recv)
        return self.accept()


class Resolve(Command):
    """RESOLVE, or with its number RESOLVE_PTR."""

    def __init__(self, *options, number=0xF0, stages=("V",)):
        super().__init__(number, *(options or ("-o", "command resolve")), stages=stages)

    def finish(self, h, meanwhile=None):
        check(h.client.recv(2), b"\x05\x00")
        check(h.client.end()[1], "fin")
        closed(h, h.client, meanwhile)


class Bind(Stream):
    """The peer calls."""

    peer = None
    peers = {b"many.test": "127.0.1.1", b"long.test": "127.0.2.1"}  # who does not call from where it is called

    def __init__(self, *options, stages=("B", "R")):
        super().__init__(2, *(options or ("-o", "command bind")), stages=stages)

    def ask(self, h, host):
        self.peer = host if isinstance(host, str) else self.peers.get(host)
        super().ask(h, host)

    def call(self, where, host=None):
        return Endpoint(socket.create_connection(where, DEADLINE_S, source_address=(host or self.peer or where[0], 0)))

    def other_end(self, h):
        caller = self.call(reply(h.client.recv))
        reply(h.client.recv)
        return caller


class Associate(Command):
    """A datagram for the host that is asked for, where one of both families waits for it, and what it answers."""

    branch = "A", "L"

    def __init__(self, *options, stages=("A", "U")):
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
        self.client = socket.socket(socket.AF_INET6 if ":" in self.where[0] else socket.AF_INET, socket.SOCK_DGRAM)
        self.client.settimeout(DEADLINE_S)
        self.send(host, b"up")

    def send(self, host, data):
        port = self.server.getsockname()[1]
        to = request_name(host, port) if isinstance(host, bytes) else request(host, port)
        self.client.sendto(bytes(3) + to[3:] + data, self.where)

    def finish(self, h, meanwhile=None):
        data, source = self.server.recvfrom(100)
        check(data, b"up")
        self.server.sendto(b"down", source)  # which is dropped when it comes from another address than that was sent to
        closed(h, h.client, meanwhile)

    def asker(self, h):
        """The process that has a lookup to do: of the one that has them all."""

        def grandchild():
            pids = [h.handler_pid()]
            for _ in range(2):
                with open(f"/proc/{pids[0]}/task/{pids[0]}/children", encoding="ascii") as children:
                    pids = children.read().split()
                if not pids:
                    return None
            return int(pids[0])

        return eventually(grandchild, "it has begun")

    def unanswered(self):
        h = self.begin()
        self.ask(h, b"silent.test")
        lookups = self.asker(h)
        eventually(lambda: not os.path.exists(f"/proc/{lookups}"), "the lookup is given up")
        closed(h, h.client)


def closed(h, upstream, meanwhile=None):
    upstream.close()
    h.client.close()
    if meanwhile:
        meanwhile()
    h.over()


def traced(h):
    with open(h.calls, encoding="utf-8", errors="replace") as log:
        return log.read()


def goes_on(command, h):
    """It is stopped in a wait, and waits again."""
    h.stops_and_goes_on(command.asker(h))
    return " restart_syscall(" in traced(h)


def side_by_side(kind, *steps):
    """Takes each step with a command of its own, three at a time. Returns the commands."""
    commands = [kind() for _ in steps]
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(step, command) for step, command in zip(steps, commands)]:
            done.result()
    return commands


def alone(kind, shared):
    """A kernel without a clock in the vDSO; and SHARED, where several commands may be asked for."""
    clockless, among_others = kind(), shared()
    clockless.serve("127.0.0.1", how=Clockless)
    for host in "127.0.0.1", b"localhost":
        among_others.serve(host)
    return [clockless, among_others]


def records(command):
    """Where the record goes: standard error, syslog, the journal, and the journal when it is full; the journal's reader."""
    for log in None, SYSLOG, JOURNAL:
        reader = log and Reader(log)
        command.serve("127.0.0.1", trace=False)
    reader.fill()
    h = command.begin(trace=False)
    command.ask(h, "127.0.0.1")
    command.finish(h, lambda: waits_for(reader, h))
    return reader


def waits_for(reader, h):
    """It waits for a journal that is full, and then has room."""
    eventually(lambda: re.search(r" setsockopt\(\w+, 0x1, 0x15,", traced(h)), "it waits for the journal: SO_SNDTIMEO")
    reader.all()


def names(command):
    """Over IPv4 and IPv6 to the name server, from the hosts' file, when the process was stopped meanwhile, without an answer."""
    asked, go_on = threading.Event(), threading.Event()

    def late(server, query, asker):
        def send():
            go_on.wait()
            server.sock.sendto(answer(query, ["127.0.0.1"]), asker)

        asked.set()
        threading.Thread(target=send, daemon=True).start()

    many = [f"127.0.1.{n}" for n in range(1, 30)]
    server = Server({"both.test": ["127.0.0.1", "::1"], "late.test": late, "many.test": many})
    for host in b"both.test", b"many.test", b"localhost":
        command.serve(host)
    h = command.begin()
    command.ask(h, b"late.test")
    asked.wait(DEADLINE_S)
    eventually(lambda: goes_on(command, h), "it waits again for what it was waiting for")
    go_on.set()
    command.finish(h)
    command.unanswered()
    h = command.begin()
    command.ask(h, b"silent.test")
    server.expect("silent.test")
    os.kill(h.handler_pid(), signal.SIGTERM)
    h.over()
    for address in "127.0.0.2", "::1":  # a long answer, which is asked for again over TCP
        Dnsmasq(address=address, hosts=[f"127.0.2.{n} long.test" for n in range(1, 60)])
        write("/etc/resolv.conf", f"nameserver {address}\n")
        command.serve(b"long.test")
    ip("address add fe80::1/64 dev lo nodad")
    Server({"local.test": ["127.0.0.1"]}, address="fe80::1%lo")
    write("/etc/resolv.conf", "nameserver fe80::1%lo\n")
    command.serve(b"local.test")
    write("/etc/resolv.conf", NAME_SERVER)
    command.serve(b"both.test")
    # Nobody's, who had no user to look up before.
    for host in b"both.test", "127.0.0.1":
        command.serve(host, as_user="nobody")
    command.serve(b"both.test", inject="brk:error=ENOMEM", as_user="nobody")


def resets(command):
    """Of either side, after bytes that wait."""
    for first, other in (0, 1), (1, 0):
        h, upstream = command.connected("127.0.0.1")
        ends = h.client, upstream
        ends[other].sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        # If there is no room, not all of it: TCP would probe a window that stays shut.
        with contextlib.suppress(BlockingIOError):
            for _ in range(5):
                ends[first].sock.send(pattern(65536), socket.MSG_DONTWAIT)
        ends[first].reset()
        eventually(lambda: h.state() != "R", "it moves")
        ends[other].sock.settimeout(DEADLINE_S)
        with contextlib.suppress(ConnectionResetError):
            while ends[other].sock.recv(65536):
                pass
        ends[other].close()
        h.over()


def pipes(command):
    """Pipes; hex text, which is translated by two more processes."""
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
        caller = command.call(reply(recv))
        check(caller.recv(2), b"up")
        caller.close()
    os.close(stdin)
    h.over()
    os.close(stdout)
    text = f"{WORLD}/text"
    write(text, (GREETING + command.request("127.0.0.1")).hex())
    with open(text, encoding="ascii") as file:
        h = command.begin("--hex", "-o", "timeout bind 1ms", stdin=file, stdout=subprocess.DEVNULL)
    if isinstance(command, Connect):
        command.accept().close()
    h.over()


def passwords(command):
    """The checkpassword program: right, asked in vain, never asked."""
    write("/run/program", "#!/bin/sh\nread -r x <&3\ntest \"$1\" = right || exec sleep 60\n", 0o755)
    for word, timeout in ("right", "30s"), ("late", "2s"):
        options = f"checkpassword /run/program {word}", f"timeout handshake {timeout}"
        h = command.begin(*(word for option in options for word in ("-o", option)))
        h.client.send(b"\x05\x01\x02" + b"\x01\x01a\x01b")
        h.client.fin()
        h.client.end()
        h.client.close()
        h.over()
    command.serve("127.0.0.1", "-o", "checkpassword /run/program right", "-o", "auth none password")

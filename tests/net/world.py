# SPDX-License-Identifier: ISC
"""A world for one test, and one handler in it.

Imported by a script that is PID 1 of network, mount and PID namespaces of its own. Here /run is
empty and everybody's, /dev has the bare minimum, /etc is a copy that may be written to, and the network is a
loopback. What is started and made here ends with the script.
"""

import contextlib
import ctypes
import os
import re
import signal
import socket
import subprocess
import time

from socks import CHOSEN, DEADLINE_S, GREETING, Endpoint, check, listener, request, request_name

STDSOCKS = os.environ["STDSOCKS"]
WORLD = os.environ["WORLD"]  # a folder that is the test's own

libc = ctypes.CDLL(None, use_errno=True)
MS_BIND, MS_REC = 0x1000, 0x4000
CLONE_NEWNET = 0x40000000
RTF_LOCAL = 0x80000000  # linux/ipv6_route.h
SYS_PIDFD_GETFD = 438  # the same on every architecture


def sys_call(function, *arguments):
    result = function(*arguments)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def mount(what, where, kind=None, flags=0, options=None):
    words = [word and word.encode() for word in (what, where, kind)]
    sys_call(libc.mount, *words, ctypes.c_ulong(flags), options and options.encode())


def run(*command, text=None):
    """Standard output of a command that succeeds; TEXT is its standard input."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


def ip(*lines):
    """ip(8), one command a line. Waits for the local routes to IPv6 addresses of lo, which the kernel adds later."""
    run("ip", "-batch", "-", text="\n".join(lines) + "\n")
    added = re.findall(r"^addr(?:ess)? add ([^ /]*:[^ /]*)/\d+ dev lo\b", "\n".join(lines), re.MULTILINE)
    wanted = {socket.inet_pton(socket.AF_INET6, address).hex() for address in added}
    if wanted:
        eventually(lambda: wanted <= local_routes(), f"local routes to {added}")


def local_routes():
    """The IPv6 addresses to which this network has a local route, in hexadecimal."""
    with open("/proc/thread-self/net/ipv6_route", encoding="ascii") as routes:
        rows = [line.split() for line in routes]
    return {row[0] for row in rows if int(row[8], 16) & RTF_LOCAL}


def eventually(condition, what):
    """Wait until CONDITION() is true; answer what it said."""
    deadline = time.monotonic() + DEADLINE_S
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not within {DEADLINE_S} s: {what}"
        time.sleep(0.005)
    return answer


def write(path, text, mode=None):
    """A new file, with this mode if any; a symbolic link in its place is not followed."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    if mode is not None:
        os.chmod(path, mode)


def sysctl(name, value):
    with open(f"/proc/sys/net/{name}", "w", encoding="ascii") as file:
        file.write(value)


# Networks


class Network:
    """A network namespace: the present one, or a new one; "with" goes there for a while."""

    def __init__(self, new=False):
        self.outer = []
        if new:
            with HERE:
                sys_call(libc.unshare, CLONE_NEWNET)
                self.fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
                ip("link set lo up")
        else:
            self.fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY)

    def __enter__(self):
        self.outer.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY))
        sys_call(libc.setns, self.fd, CLONE_NEWNET)

    def __exit__(self, *_):
        outer = self.outer.pop()
        sys_call(libc.setns, outer, CLONE_NEWNET)
        os.close(outer)


def isolate():
    """Make this mount namespace a machine of its own."""
    mount("tmpfs", "/run", "tmpfs", 0, "mode=777")
    for folder in ("upper", "work", "dev"):
        os.mkdir(f"/run/{folder}")
    mount("overlay", "/etc", "overlay", 0, "lowerdir=/etc,upperdir=/run/upper,workdir=/run/work")
    for name in ("null", "zero", "random", "urandom", "tty", "net/tun"):
        if os.path.exists(f"/dev/{name}"):
            os.makedirs(os.path.dirname(f"/run/dev/{name}"), exist_ok=True)
            with open(f"/run/dev/{name}", "w", encoding="ascii"):
                mount(f"/dev/{name}", f"/run/dev/{name}", None, MS_BIND)
    os.makedirs("/run/dev/pts")
    mount("devpts", "/run/dev/pts", "devpts", 0, "newinstance,ptmxmode=0666")
    os.symlink("pts/ptmx", "/run/dev/ptmx")
    mount("/run/dev", "/dev", None, MS_BIND | MS_REC)
    ip("link set lo up")
    for name in ("/etc/group", "/etc/passwd"):
        with open(name, encoding="utf-8") as file:
            write(name, file.read())  # the root of a user namespace may not write to the file of the real one
    write("/etc/nsswitch.conf", "hosts: files dns\n")
    write("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")
    write("/etc/resolv.conf", "nameserver 127.0.0.1\n")


isolate()
HERE = Network()


# The handler


class Ended(Exception):
    """There is nothing left to be stopped."""


class Handler:
    """One handler, with its client and its record."""

    count = 0

    def __init__(self, *options, trace=True, ends=None, before=(), rules=("allow to any",), **popen):
        """ENDS are the client's socket and the handler's, else there is a new connection on the
        loopback; BEFORE is a command that starts it; RULES stand in front of those in OPTIONS.
        Standard error is a file, which teardown() shows when the test fails."""
        Handler.count += 1
        self.log = f"{WORLD}/handler-{Handler.count}.log"
        client, accepted = ends or connection()
        self.client = Endpoint(client)
        flags = [*(word for rule in rules for word in ("-o", rule)), *(["--trace"] if trace else [])]
        with accepted, open(self.log, "wb") as log:
            popen = {"stdin": accepted, "stdout": accepted, "stderr": log} | popen
            self.process = subprocess.Popen([*before, STDSOCKS, *flags, *options], **popen)
        self.pid = self.process.pid

    def log_text(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def send_request(self, host, port):
        """Send greeting and request at once. A name of whatever bytes is HOST as bytes."""
        wanted = request_name(host, port) if isinstance(host, bytes) else request(host, port)
        self.client.send(GREETING + wanted)
        self.requested_s = time.monotonic()
        check(self.client.recv(2), CHOSEN)

    def read_reply(self):
        """The reply of RFC 1928 s6, its second byte; and after how many seconds it came."""
        reply = self.client.recv(4)
        self.took_s = time.monotonic() - self.requested_s
        self.bound = reply[3:] + self.client.recv({1: 4, 4: 16}[reply[3]] + 2)
        check(reply[:1] + reply[2:3], b"\x05\x00")
        return reply[1]

    def connect(self, host, port):
        self.send_request(host, port)
        return self.read_reply()

    def connected(self, host, listening):
        """Connect, and answer the other end, from LISTENING."""
        check(self.connect(host, listening.getsockname()[1]), 0)
        return Endpoint(listening.accept()[0])

    def ends(self, last=b"", status=0, **fields):
        """The client reads LAST and FIN, and closes; the handler ends, with this record."""
        check(self.client.end(), (last, "fin"))
        self.client.close()
        return self.ended(status, **fields)

    def refused(self, **fields):
        """After a refusal: nothing but FIN comes, and the record is right."""
        return self.ends(END="refused", CLOSED_BY="stdsocks", **fields)

    def connect_fails(self, host, port, reply, number, **fields):
        """CONNECT has this reply, and the record this errno. Returns the record."""
        check((host, self.connect(host, port)), (host, reply))
        return self.refused(REPLY=str(reply), ERRNO=str(number), REACHED=None, **fields)

    def closed(self, upstream, **fields):
        """Upstream closes, and then the client; the record has these fields."""
        upstream.close()
        self.client.close()
        return self.ended(END="closed", **fields)

    def close_client(self, status=0):
        """The client closes, and the handler ends."""
        self.client.close()
        self.wait_exit(status)

    def wait_exit(self, status=0):
        check(self.process.wait(DEADLINE_S), status)

    def record(self):
        """The record on standard error, where --trace puts it, as names and values."""
        return dict(re.findall(r"^([A-Z][A-Z_]*)=(.*)$", self.log_text(), re.MULTILINE))

    def ended(self, status=0, **fields):
        """It is over, and its record has these fields, STDSOCKS_ being understood."""
        self.wait_exit(status)
        record = self.record()
        check_fields(record, **fields)
        return record

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def stop(self):
        """Stop the handler, or strace which has it."""
        self.process.send_signal(signal.SIGSTOP)
        eventually(lambda: self.state() in "TZ", "it is stopped, or over")
        if self.state() == "Z":
            raise Ended

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    @contextlib.contextmanager
    def stopped(self):
        self.stop()
        yield
        self.go_on()

    def state(self):
        """One letter, of proc_pid_stat(5): R runs, S sleeps, Z is over."""
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as stat:
            return stat.read().rpartition(")")[2].split()[0]

    def status(self, pid=None):
        """Names and values of proc_pid_status(5): its own, or those of a process that it has started."""
        with open(f"/proc/{pid or self.pid}/status", encoding="ascii") as lines:
            return dict(line.rstrip("\n").split(":\t", 1) for line in lines)

    def descriptors(self):
        """What it has open: number and link."""
        found = {}
        for fd in os.listdir(f"/proc/{self.pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                found[int(fd)] = os.readlink(f"/proc/{self.pid}/fd/{fd}")
        return found

    def take(self, fd):
        """Its descriptor as ours: the same socket."""
        pidfd = os.pidfd_open(self.pid)
        taken = sys_call(libc.syscall, SYS_PIDFD_GETFD, pidfd, fd, 0)
        os.close(pidfd)
        return socket.socket(fileno=taken)

    def upstream(self):
        """Its socket to the destination, as ours."""
        for fd, link in self.descriptors().items():
            if fd > 2 and link.startswith("socket:"):
                sock = self.take(fd)
                if sock.family != socket.AF_UNIX:
                    return sock
                sock.close()
        raise AssertionError("there is no connection")


def relaying(host, listening, *options, **how):
    """A handler whose client is connected to HOST, where LISTENING accepts; and the other end."""
    h = Handler(*options, **how)
    return h, h.connected(host, listening)


def connection(listening=None):
    """A new TCP connection: the client's end and the other."""
    with listening or listener() as sock:
        client = socket.create_connection(sock.getsockname()[:2], DEADLINE_S)
        return client, sock.accept()[0]


def full_names(fields):
    """STDSOCKS_ is understood but before ERRNO, MESSAGE and their like."""
    plain = ("ERRNO", "MESSAGE", "MESSAGE_ID", "PRIORITY", "SYSLOG_IDENTIFIER", "SYSLOG_FACILITY")
    return {name if name in plain else f"STDSOCKS_{name}": value for name, value in fields.items()}


def check_fields(record, **fields):
    """Check some fields of a record; None: there is no such field."""
    wanted = full_names(fields)
    check({name: record.get(name) for name in wanted}, wanted)


CLOSED_PORT = 9  # nothing of a world listens here


def port_of(sock):
    return sock.getsockname()[1]


def listeners(*hosts, port=0):
    """One listener a host, all on one port."""
    socks = []
    for host in hosts:
        socks.append(listener(host, port))
        port = port_of(socks[-1])
    return socks


def bound(path="/run/socks"):
    """A listening AF_UNIX socket, open to everybody."""
    if path[0] == "/" and os.path.exists(path):
        os.unlink(path)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    if path[0] == "/":
        os.chmod(path, 0o777)
    listening.listen()
    return listening


def connection_as(listening, uid):
    """A connection that this user has made: both ends."""
    client = socket.socket(socket.AF_UNIX)
    os.seteuid(uid)
    try:
        client.connect(listening.getsockname())
    finally:
        os.seteuid(0)
    return client, listening.accept()[0]


def is_waiting(sock):
    """Whether somebody has connected to a listener and was not accepted yet."""
    sock.settimeout(0)
    with contextlib.suppress(BlockingIOError):
        sock.accept()[0].close()
        return True
    return False

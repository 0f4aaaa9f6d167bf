# SPDX-License-Identifier: ISC
"""Sets up the namespaces of a test, and starts handlers in them.

Imported by a script that is PID 1 of its own network, mount and PID namespaces. /run is empty and
writable for every user, /dev has a few devices, /etc is a writable overlay, and the network has
only a loopback interface.
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
WORLD = os.environ["WORLD"]  # a directory of this test

libc = ctypes.CDLL(None, use_errno=True)
MS_BIND, MS_REC = 0x1000, 0x4000
CLONE_NEWNET = 0x40000000
RTF_LOCAL = 0x80000000  # linux/ipv6_route.h
SYS_PIDFD_GETFD = 438  # on every architecture


def sys_call(function, *arguments):
    result = function(*arguments)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def mount(source, target, kind=None, flags=0, options=None):
    words = [word and word.encode() for word in (source, target, kind)]
    sys_call(libc.mount, *words, ctypes.c_ulong(flags), options and options.encode())


def run(*command, text=None):
    """Run a command, which must succeed, with TEXT as standard input. Returns its standard
    output."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


def ip(*lines):
    """Run ip(8) commands, one per line. Waits for the local routes of IPv6 addresses of lo, which
    the kernel adds asynchronously."""
    run("ip", "-batch", "-", text="\n".join(lines) + "\n")
    added = re.findall(r"^addr(?:ess)? add ([^ /]*:[^ /]*)/\d+ dev lo\b", "\n".join(lines), re.M)
    wanted = {socket.inet_pton(socket.AF_INET6, address).hex() for address in added}
    if wanted:
        eventually(lambda: wanted <= local_routes(), f"local routes to {added}")


def local_routes():
    """The IPv6 addresses with a local route in this network namespace, in hexadecimal."""
    with open("/proc/thread-self/net/ipv6_route", encoding="ascii") as routes:
        rows = [line.split() for line in routes]
    return {row[0] for row in rows if int(row[8], 16) & RTF_LOCAL}


def eventually(condition, description):
    """Wait until CONDITION() returns a true value, and return that."""
    deadline = time.monotonic() + DEADLINE_S
    while not (result := condition()):
        assert time.monotonic() < deadline, f"not within {DEADLINE_S} s: {description}"
        time.sleep(0.005)
    return result


def write(path, text, mode=None):
    """Replace a file or a symbolic link by a new file, with this mode if MODE is given."""
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
    """A network namespace, the current one or a new one. "with" enters it for a block."""

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
    """Mount private versions of /run, /etc and /dev."""
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
            write(name, file.read())  # the overlay's original belongs to the real root
    write("/etc/nsswitch.conf", "hosts: files dns\n")
    write("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")
    write("/etc/resolv.conf", "nameserver 127.0.0.1\n")


isolate()
HERE = Network()
NETWORKS = {}  # of the addresses that there() has added


def there(*hosts):
    """Make these addresses those of another host, in a network namespace behind a veth pair. An
    address of lo would be one of this host."""
    if not NETWORKS:
        far = Network(new=True)
        ip(f"link add near type veth peer name far netns /proc/{os.getpid()}/fd/{far.fd}",
           "link set near up", "address add 192.0.2.201/32 dev near",
           "address add 2001:db8:1::1/128 dev near nodad")
        with far:
            ip("link set far up", "route add default dev far", "route add ::/0 dev far")
    else:
        far = next(iter(NETWORKS.values()))
    NETWORKS.update({host: far for host in hosts})
    with far:
        ip(*(f"address add {host} dev far{' nodad' * (':' in host)}" for host in hosts))
    ip(*(f"route add {host} dev near" for host in hosts))


def network_of(host):
    """The network of an address of there(). For another address, the current one."""
    return NETWORKS.get(host, contextlib.nullcontext())


# The handler


class Ended(Exception):
    """The handler had ended before it could be stopped."""


class Handler:
    """A handler under test with its client."""

    count = 0
    usual = ("timeout refused-login none",)  # lines for every handler

    def __init__(self, *options, trace=True, ends=None, before=(), rules=("allow to any",),
                 **popen):
        """Start a handler with OPTIONS. ENDS are the sockets of client and handler, by default a
        new loopback connection. BEFORE is a command that executes the handler. RULES are evaluated
        before those in OPTIONS. Standard error is a file, which teardown() shows if the test
        fails."""
        Handler.count += 1
        self.log = f"{WORLD}/handler-{Handler.count}.log"
        client, accepted = ends or connection()
        self.client = Endpoint(client)
        flags = [*(word for line in (*rules, *self.usual) for word in ("-o", line)),
                 *(["--trace"] if trace else [])]
        with accepted, open(self.log, "wb") as log:
            popen = {"stdin": accepted, "stdout": accepted, "stderr": log} | popen
            self.process = subprocess.Popen([*before, STDSOCKS, *flags, *options], **popen)
        self.pid = self.process.pid

    def log_text(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def send_request(self, host, port):
        """Send greeting and request at once. HOST is an address, or a name as bytes."""
        message = request_name(host, port) if isinstance(host, bytes) else request(host, port)
        self.client.send(GREETING + message)
        check(self.client.recv(2), CHOSEN)

    def read_reply(self):
        """Read the reply of RFC 1928 s6, and set bound. Returns the reply code."""
        reply = self.client.recv(4)
        self.bound = reply[3:] + self.client.recv({1: 4, 4: 16}[reply[3]] + 2)
        check(reply[:1] + reply[2:3], b"\x05\x00")
        return reply[1]

    def connect(self, host, port):
        self.send_request(host, port)
        return self.read_reply()

    def connected(self, host, listening):
        """CONNECT to HOST and the port of LISTENING. Returns upstream's socket."""
        check(self.connect(host, listening.getsockname()[1]), 0)
        return Endpoint(listening.accept()[0])

    def ends(self, last=b"", status=0, **fields):
        """The client reads LAST and FIN, and closes. Checks status and record."""
        check(self.client.end(), (last, "fin"))
        self.client.close()
        return self.ended(status, **fields)

    def refused(self, **fields):
        """The client of a refused request reads FIN. Checks the record."""
        return self.ends(END="refused", CLOSED_BY="stdsocks", **fields)

    def connect_fails(self, host, port, reply, number, **fields):
        """CONNECT fails with this reply, and the record has this errno. Returns the record."""
        check((host, self.connect(host, port)), (host, reply))
        return self.refused(REPLY=str(reply), ERRNO=str(number), REACHED=None, **fields)

    def closed(self, upstream, **fields):
        """Upstream closes, and then the client. Checks the record."""
        upstream.close()
        self.client.close()
        return self.ended(END="closed", **fields)

    def close_client(self, status=0):
        """Close the client's connection, and wait until the handler exits."""
        self.client.close()
        self.wait_exit(status)

    def wait_exit(self, status=0):
        check(self.process.wait(DEADLINE_S), status)

    def record(self):
        """The fields of the record that --trace writes to standard error, with STDSOCKS_REMEDY for
        the suggested rule at the end of the message."""
        text = self.log_text()
        text = re.sub(r"; to allow it: (.*)$", r"\nSTDSOCKS_REMEDY=\1", text, flags=re.MULTILINE)
        return dict(re.findall(r"^([A-Z][A-Z_]*)=(.*)$", text, re.MULTILINE))

    def ended(self, status=0, **fields):
        """Wait for the exit, and check these fields of the record, without STDSOCKS_. Returns the
        record."""
        self.wait_exit(status)
        record = self.record()
        check_fields(record, **fields)
        return record

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def stop(self):
        """Stop the handler, or the strace that runs it. Raises Ended if it has exited."""
        self.process.send_signal(signal.SIGSTOP)
        eventually(lambda: self.state() in "TZ", "it is stopped or has exited")
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
        """The letter of proc_pid_stat(5): R running, S sleeping, T stopped, Z exited."""
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as stat:
            return stat.read().rpartition(")")[2].split()[0]

    def status(self):
        """The fields of proc_pid_status(5)."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as lines:
            return dict(line.rstrip("\n").split(":\t", 1) for line in lines)

    def title(self):
        """The process title or, before the first title, the command line."""
        with open(f"/proc/{self.pid}/cmdline", "rb") as line:
            return line.read().rstrip(b"\0").replace(b"\0", b" ").decode("ascii")

    def titled(self, pattern):
        """Wait until PATTERN matches the title. Returns its groups."""
        return eventually(lambda: re.fullmatch(pattern, self.title()), pattern).groups()

    def descriptors(self):
        """Its open descriptors: number and link."""
        found = {}
        for fd in os.listdir(f"/proc/{self.pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                found[int(fd)] = os.readlink(f"/proc/{self.pid}/fd/{fd}")
        return found

    def take(self, fd):
        """Duplicate a socket of the handler."""
        return take(self.pid, fd)

    def upstream(self):
        """Duplicate the handler's socket to the destination."""
        for fd, link in self.descriptors().items():
            if fd > 2 and link.startswith("socket:"):
                sock = self.take(fd)
                if sock.family != socket.AF_UNIX:
                    return sock
                sock.close()
        raise AssertionError("there is no connection")


def take(pid, fd):
    """Duplicate a socket of a process."""
    pidfd = os.pidfd_open(pid)
    taken = sys_call(libc.syscall, SYS_PIDFD_GETFD, pidfd, fd, 0)
    os.close(pidfd)
    return socket.socket(fileno=taken)


def relaying(host, listening, *options, **how):
    """Returns a handler that relays to HOST and the port of LISTENING, and upstream's socket."""
    h = Handler(*options, **how)
    return h, h.connected(host, listening)


def connection(listening=None):
    """Make a TCP connection. Returns the client's socket and the accepted one."""
    with listening or listener() as sock:
        client = socket.create_connection(sock.getsockname()[:2], DEADLINE_S)
        return client, sock.accept()[0]


def full_names(fields):
    """Add STDSOCKS_ to the names of fields, except to those of journald such as MESSAGE."""
    plain = ("ERRNO", "MESSAGE", "MESSAGE_ID", "PRIORITY", "SYSLOG_IDENTIFIER", "SYSLOG_FACILITY")
    return {name if name in plain else f"STDSOCKS_{name}": value for name, value in fields.items()}


def check_fields(record, **fields):
    """Check some fields of a record. None means that the record has no such field."""
    wanted = full_names(fields)
    check({name: record.get(name) for name in wanted}, wanted)


CLOSED_PORT = 9  # no test listens here


def port_of(sock):
    return sock.getsockname()[1]


def listeners(*hosts, port=0):
    """A listener for each host, of this one or those of there(), all on one port."""
    socks = []
    for host in hosts:
        with network_of(host):
            socks.append(listener(host, port))
        port = port_of(socks[-1])
    return socks


def bound(path="/run/socks"):
    """A listening AF_UNIX socket that every user can connect to."""
    if path[0] == "/" and os.path.exists(path):
        os.unlink(path)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    if path[0] == "/":
        os.chmod(path, 0o777)
    listening.listen()
    return listening


def connection_as(listening, uid):
    """Connect as this user. Returns the client's socket and the accepted one."""
    client = socket.socket(socket.AF_UNIX)
    os.seteuid(uid)
    try:
        client.connect(listening.getsockname())
    finally:
        os.seteuid(0)
    return client, listening.accept()[0]


def is_waiting(sock):
    """Whether a connection waits in the queue of a listener. Accepts and closes it."""
    sock.settimeout(0)
    with contextlib.suppress(BlockingIOError):
        sock.accept()[0].close()
        return True
    return False

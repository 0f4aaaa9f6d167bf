#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Resource limits of the process, and unusual descriptors: the client gets a correct reply, or the
# handler exits with a record.

load helper
load net/world

prelude <<'PY'
import contextlib, errno, fcntl, itertools, os, re, resource, select, shutil, socket, stat
import subprocess

import world
from dns import Server
from limits import LISTENING, LOGIN, OFFER, PORT, REQUEST, GENERAL_FAILURE, limited, one_record
from limits import outcome
from logs import JOURNAL, Reader, fields
from socks import CHOSEN, DEADLINE_S, GREETING, Endpoint, accept, check, half_close, meanwhile
from socks import passes
from socks import pattern, request_name, is_idle
from world import CLOSED_PORT, Handler, STDSOCKS, connection, eventually, listeners, port_of, write
PY

# The leak check of a sanitized build takes longer than a test.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0

setup() {
    need_world
}

# need_address_space - skip the test if AddressSanitizer determines the size of the process.
need_address_space() {
    ! sanitized || skip 'AddressSanitizer needs terabytes of addresses and a larger stack'
}

# Limits

@test "limits: a client is served or gets reply 01 with any number of descriptors" {
    world <<'PY'
server = Server({"one.test": ["127.0.0.1"]})
write("/run/users", "alice:secret\n", 0o600)
NAME = request_name(b"one.test", PORT)
kinds = {  # with the minimum
    "literal": (8, (), GREETING, REQUEST),
    "name": (8, (), GREETING, NAME),  # the query for the other family is not needed
    "hosts": (8, (), GREETING, request_name(b"localhost", PORT)),
    "users": (8, ("-o", "users /run/users"), OFFER + LOGIN, REQUEST),
    "checkpassword": (10, ("-o", "checkpassword /bin/true"), OFFER + LOGIN, REQUEST),
    "best-effort": (8, ("-o", "sandbox best-effort"), GREETING, REQUEST),
    "best-effort name": (8, ("-o", "sandbox best-effort"), GREETING, NAME),
}
for kind, (enough, options, *sent) in kinds.items():
    for count in range(3, 12):
        for hard in (True, False) if kind == "literal" else (True,):
            h = Handler(*options, preexec_fn=limited(resource.RLIMIT_NOFILE, count, hard))
            result = outcome(h, b"".join(sent))
            permitted = ["served"] if count >= enough else ["refused", "not loaded"]
            assert result in permitted, (kind, count, hard, result, h.log_text())
PY
}

@test "limits: a lookup needs a descriptor for each family, or the reply is 01" {
    world <<'PY'
RESOLVE = 0xF0
server = Server({"four.test": ["127.0.0.1"], "six.test": ["::1"], "none.test": []})
wanted = {b"four.test": {7: 1, 8: 0, 9: 0}, b"six.test": {7: 1, 8: 1, 9: 0},
          b"none.test": {7: 1, 8: 1, 9: 4}}
for name, replies in wanted.items():
    for count, reply in replies.items():
        # Without Landlock, 7 descriptors are enough until the lookup.
        h = Handler("-o", "command resolve", "-o", "sandbox best-effort",
                    preexec_fn=limited(resource.RLIMIT_NOFILE, count))
        h.client.send(GREETING + request_name(name, 0, RESOLVE))
        check(h.client.recv(4)[2:], bytes([5, reply]))
        h.client.end()
        h.client.close()
        if reply == 1:
            h.ended(71, END="failed", REPLY="1", ERRNO="24")
        else:
            h.ended(REPLY=str(reply))
PY
}

@test "limits: the journal gets the record if a descriptor is left, else standard error does" {
    world <<'PY'
journal = Reader(JOURNAL)
for count in range(3, 10):
    h = Handler(trace=False, preexec_fn=limited(resource.RLIMIT_NOFILE, count))
    result = outcome(h, GREETING + REQUEST, record=False)
    ends = [fields(datagram)["STDSOCKS_END"] for datagram in journal.all()]
    if result == "not loaded":
        continue
    lines = re.findall(r"^stdsocks: .*(closed by client|system failure)", h.log_text(), re.M)
    check(len(ends) + len(lines), 1)
    check(ends == [], count == 3)
    check("closed" in ends, result == "served")
check(result, "served")
PY
}

@test "limits: every address of a name is tried in turn if there are few descriptors" {
    world <<'PY'
hosts = [f"127.0.0.{i}" for i in range(10, 31)]
server = Server({"many.test": hosts})
for count in 8, 9, 10:
    for last in hosts[-1], hosts[10], hosts[0]:
        (listening,) = listeners(last)
        h = Handler(preexec_fn=limited(resource.RLIMIT_NOFILE, count))
        h.closed(h.connected(b"many.test", listening), REACHED=last)
        listening.close()
    h = Handler(preexec_fn=limited(resource.RLIMIT_NOFILE, count))
    h.connect_fails(b"many.test", CLOSED_PORT, 5, 111)
PY
}

@test "limits: reply 01 if no descriptor is left for the address that would answer" {
    need_wire
    world <<'PY'
from wire import Wire, drop
wire = Wire(far_count=9)
hosts = [f"192.0.2.{i}" for i in range(1, 10)]
server = Server({"many.test": hosts})
for host in hosts[:-1]:
    wire.actions[host] = drop
listening = wire.listener(hosts[-1])
h = Handler("-o", "timeout connect 1500ms", preexec_fn=limited(resource.RLIMIT_NOFILE, 9))
check(h.connect(b"many.test", port_of(listening)), 1)
h.ends(status=71, END="failed", REPLY="1", ERRNO="24")
PY
}

# smallest RESOURCE HIGHEST - with every size from the smallest with which the handler starts, the
# client is served or refused; with HIGHEST it is served.
smallest() {
    RESOURCE=$1 HIGHEST=$2 world <<'PY'
RESOURCE = getattr(resource, os.environ["RESOURCE"])
HIGHEST = int(os.environ["HIGHEST"])
server = Server({"one.test": ["127.0.0.1"]})

def starts(size):
    started = subprocess.run([STDSOCKS, "--version"], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL,
                             preexec_fn=limited(RESOURCE, size), check=False)
    return started.returncode == 0

PAGE = resource.getpagesize()
low, high = 0, HIGHEST // PAGE  # in pages: too small, large enough
assert starts(high * PAGE)
while high - low > 1:
    middle = (low + high) // 2
    low, high = (low, middle) if starts(middle * PAGE) else (middle, high)
sizes = [high + i for i in range(16)] + [high + i for i in range(16, 1000, 200)]
for size in [*sizes, HIGHEST // PAGE]:
    for message in REQUEST, request_name(b"one.test", PORT):
        h = Handler(trace=False, preexec_fn=limited(RESOURCE, size * PAGE))
        result = outcome(h, GREETING + message)
        about = size * PAGE, result, h.log_text()
        permitted = ["served", "refused", *(["killed", "not loaded"] if size == high else [])]
        assert result in permitted, about
        assert result == "served" or size * PAGE < HIGHEST, about
PY
}

@test "limits: a client is served or gets reply 01 with any size of the address space" {
    need_address_space
    smallest RLIMIT_AS $(($(is_static && echo 24 || echo 64) << 20))
}

@test "limits: a client is served or gets reply 01 with any size of the data segment" {
    need_address_space
    smallest RLIMIT_DATA $((64 << 20))
}

@test "limits: every program that lacks address space writes a message" {
    need_address_space
    CHECKPASSWORD=$(realpath -m "${CHECKPASSWORD:-$ROOT/build/stdsocks-checkpassword}") \
        STDSOCKSCTL=$STDSOCKSCTL IS_STATIC=$(is_static && echo yes) world <<'PY'
from prefork import Prefork

def run_with(size, *command):
    return subprocess.run(command, capture_output=True, text=True, check=False,
                          preexec_fn=limited(resource.RLIMIT_AS, size))

STEP = 100 << 10
smallest = next(size for size in itertools.count(STEP, STEP)
                if run_with(size, "/bin/true").returncode == 0)
check_udp = STDSOCKS, "--check", "-f", "/dev/null", "-o", "command udp"
commands = [check_udp, [os.environ["CHECKPASSWORD"], "--help"]]
if os.path.exists(os.environ["STDSOCKSCTL"]):
    commands.append([os.environ["STDSOCKSCTL"], "report"])
for command in commands:
    for size in [*range(smallest, 24 << 20, 20 * STEP), 24 << 20]:
        ran = run_with(size, *command)
        assert ran.returncode >= 0 and (ran.stdout or ran.stderr), (command, size, ran)
if os.environ["IS_STATIC"]:
    small = 8 << 20
    WHY = "cannot map memory for the configuration: Out of memory; raise the limit of the address"
    assert WHY in run_with(small, *check_udp).stderr
    h = Handler(preexec_fn=limited(resource.RLIMIT_AS, small))
    check(h.connect("127.0.0.1", PORT), 1)
    h.ends(status=78, END="failed")
    assert WHY in h.log_text(), h.log_text()
    p = Prefork(preexec_fn=limited(resource.RLIMIT_AS, small))
    one = p.client()
    one.send(GREETING + REQUEST)
    check(one.recv(4)[2:], b"\x05\x01")
    assert WHY in p.log_text(), p.log_text()
    p.stop()
    # Enough for the configuration, but not for an association.
    h = Handler("-o", "command connect udp", preexec_fn=limited(resource.RLIMIT_AS, 16 << 20))
    check(h.connect("127.0.0.1", PORT), 1)
    h.ends(status=71, END="failed")
    assert "cannot map memory for UDP ASSOCIATE; raise" in h.log_text(), h.log_text()
PY
}

@test "limits: a stack of 64 KB is enough for a session and its record" {
    need_address_space
    world <<'PY'
server = Server({"one.test": ["127.0.0.1"]})
for size in range(64 << 10, 256 << 10, 16 << 10):
    for message in REQUEST, request_name(b"one.test", PORT):
        h = Handler(trace=False, env={}, preexec_fn=limited(resource.RLIMIT_STACK, size))
        check(outcome(h, GREETING + message), "served")
        assert "closed by client" in h.log_text(), h.log_text()
PY
}

@test "limits: only checkpassword needs a process, and the login fails without one" {
    need_root
    need setpriv prlimit
    world <<'PY'
program = shutil.copy(STDSOCKS, "/run/handler")  # executable for other users than root
world.STDSOCKS = program
# A random user has no other processes, also not of a parallel run of this test.
OTHER = str(100000 + int.from_bytes(os.urandom(3), "big"))
login = "-o", "checkpassword /bin/true"
for count in 0, 1:
    before = ["setpriv", f"--reuid={OTHER}", "--clear-groups", "prlimit",
              f"--nproc={count}:{count}"]
    check(outcome(Handler(before=before), GREETING + REQUEST), "served")
    h = Handler(*login, before=before)
    check(outcome(h, OFFER + LOGIN + REQUEST), "refused")
    assert "cannot start a process for the checkpassword program" in h.log_text(), h.log_text()
before[-1] = "--nproc=2:2"
check(outcome(Handler(*login, before=before), OFFER + LOGIN + REQUEST), "served")
PY
}

@test "limits: the client gets its reply if standard error is a full file or a broken pipe" {
    world <<'PY'
MAY_NOT_GROW = {"preexec_fn": limited(resource.RLIMIT_FSIZE, 0)}
for trace in False, True:
    h = Handler(trace=trace, **MAY_NOT_GROW)
    check(outcome(h, GREETING + REQUEST, record=False), "served")
    check(h.log_text(), "")
read_end, write_end = os.pipe()
os.close(read_end)
for options in {"stderr": write_end}, MAY_NOT_GROW:
    h = Handler("-o", "nonsense", trace=False, **options)
    check(h.connect("127.0.0.1", PORT), 1)
    h.ends(status=78)
PY
}

@test "limits: upstream is reset if standard output reaches the limit of a file's size" {
    world <<'PY'
with open("/run/output", "wb") as output:
    read_end, write_end = os.pipe()
    h = Handler(stdin=read_end, stdout=output, preexec_fn=limited(resource.RLIMIT_FSIZE, 5000))
    os.write(write_end, GREETING + REQUEST)
    upstream = accept(LISTENING)
    upstream.send(pattern(20000))
    check(upstream.end(), (b"", "reset"))
    h.wait_exit()
with open("/run/output", "rb") as output:
    check(output.read()[12:], pattern(5000 - 12))
PY
}

# Descriptors that are left open

@test "limits: 1,100 inherited descriptors are closed before the first byte is read" {
    world <<'PY'
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
files = [os.open("/dev/null", os.O_RDONLY) for _ in range(1000)]
read_end, write_end = os.pipe()
ours, theirs = socket.socketpair()
high = [fcntl.fcntl(write_end, fcntl.F_DUPFD, at) for at in (1500, most // 2, most - 1)]
spare = [*files, *(os.dup(fd) for fd in (write_end, theirs.fileno()) for _ in range(50)), *high]
assert len(spare) > 1100
h = Handler(pass_fds=spare)
for fd in [write_end, *spare]:
    os.close(fd)
theirs.close()
# The pipe and the socket reach their end before the client has sent a byte.
assert select.select([read_end], [], [], DEADLINE_S)[0]
check(os.read(read_end, 1), b"")
ours.settimeout(DEADLINE_S)
check(ours.recv(1), b"")
eventually(lambda: h.state() == "S", "the handler waits for its client")
assert max(h.descriptors()) < 8, h.descriptors()
check(outcome(h, GREETING + REQUEST), "served")
assert int(h.record()["STDSOCKS_TOTAL_USEC"]) < 5000000
PY
}

@test "limits: a client is served if all descriptors up to the limit are inherited" {
    need_root
    world <<'PY'
spare = [os.open("/dev/null", os.O_RDONLY) for _ in range(1100)]
h = Handler(pass_fds=spare, preexec_fn=limited(resource.RLIMIT_NOFILE, 64))
assert outcome(h, GREETING + REQUEST) in ("served", "not loaded")
PY
}

# Descriptors 0, 1 and 2

@test "limits: serves, or reports the error, whichever of descriptors 0, 1 and 2 are closed" {
    world <<'PY'
journal = Reader(JOURNAL)

def messages():
    return [fields(datagram)["MESSAGE"] for datagram in journal.all()]

for closed in itertools.product((False, True), repeat=3):
    numbers = [number for number in range(3) if closed[number]]
    options = {"trace": False, "preexec_fn": lambda: [os.close(number) for number in numbers]}
    h = Handler(**options)
    if closed[0] or closed[1]:
        check(h.client.end()[0], b"")
        h.wait_exit(64)
        check([line.split(";")[0] for line in messages()], ["standard input or output is closed"])
    else:
        check(outcome(h, GREETING + REQUEST, record=False), "served")
        check([fields(datagram)["STDSOCKS_END"] for datagram in journal.all()], ["closed"])
    if not numbers:
        continue
    # With an error in the configuration, too, no byte for the client goes to the journal.
    serves = numbers == [2]
    h = Handler("-o", "nonsense", **options)
    h.client.send(GREETING + REQUEST)
    check(h.client.end()[0], CHOSEN + GENERAL_FAILURE if serves else b"")
    h.client.close()
    h.wait_exit(78 if serves else 64)
    first, *_, last = messages()
    assert first.startswith('-o: unknown keyword "nonsense"'), first
    assert ("invalid configuration" if serves else "input or output is closed") in last, last
PY
}

@test "limits: input and output can be two connections, each with its own FIN and RST" {
    world <<'PY'
def two(**options):
    """Start a handler between two connections. Returns it, the client's reading end, and
    upstream."""
    input_pair, (output, its_output) = connection(), connection()
    h = Handler(**options, ends=input_pair, stdout=its_output)
    its_output.close()
    reader = Endpoint(output)
    h.client.send(GREETING + REQUEST)
    check(reader.recv(12)[:4], CHOSEN + b"\x05\x00")
    return h, reader, accept(LISTENING)

h, reader, upstream = two()
passes(h.client, upstream, pattern(300000))
passes(upstream, reader, pattern(200000))
half_close(h.client, upstream)
upstream.send(b"answer")
half_close(upstream, reader, b"answer")
h.ended(END="closed", CLOSED_BY="client", BYTES_UP="300000", BYTES_DOWN="200006")

h, reader, upstream = two()
h.terminate()
for end in h.client, reader, upstream:
    check(end.end(), (b"", "reset"))
h.ended(END="terminated")

h, reader, upstream = two()
upstream.send(b"last")
upstream.reset()
check(reader.end(), (b"last", "reset"))
h.ended(END="reset", CLOSED_BY="upstream")
PY
}

@test "limits: input can be a pipe and output a connection, and the reverse" {
    world <<'PY'
read_end, write_end = os.pipe()
h = Handler(stdin=read_end)
os.close(read_end)
os.write(write_end, GREETING + REQUEST + b"question")
os.close(write_end)
check(h.client.recv(12)[:4], CHOSEN + b"\x05\x00")
upstream = accept(LISTENING)
check(upstream.end(), (b"question", "fin"))
upstream.send(b"answer")
half_close(upstream, h.client, b"answer")
h.ended(END="closed", BYTES_UP="8", BYTES_DOWN="6", CLIENT="stdio")

read_end, write_end = os.pipe()
h = Handler(stdout=write_end)
os.close(write_end)
h.client.send(GREETING + REQUEST + b"question")
h.client.fin()
upstream = accept(LISTENING)
check(upstream.end(), (b"question", "fin"))
upstream.send(b"answer")
upstream.fin()
with open(read_end, "rb") as output:
    check(output.read()[12:], b"answer")
h.ended(END="closed", BYTES_UP="8", BYTES_DOWN="6")
PY
}

@test "limits: any kind of standard input ends with status 0 and one record within the timeout" {
    world <<'PY'
_read_end, pipe_end = os.pipe()
epoll, ready = select.epoll(), os.eventfd(1)
watching = select.epoll()
watching.register(ready, select.EPOLLIN)
write("/run/file", "")
inputs = {
    "a directory": (os.open("/run", os.O_RDONLY), {"END": "client-gone", "ERRNO": "21"}),
    "/dev/null": (os.open("/dev/null", os.O_RDONLY), {"END": "client-gone", "ERRNO": None}),
    "/dev/zero": (os.open("/dev/zero", os.O_RDONLY), {"END": "not-socks5"}),
    "an empty file": (os.open("/run/file", os.O_RDONLY), {"END": "client-gone", "ERRNO": None}),
    "a file to write to": (os.open("/run/file", os.O_WRONLY), {"END": "client-gone", "ERRNO": "9"}),
    "a pipe to write to": (pipe_end, {"END": "handshake-timeout"}),
    "an eventfd of 0": (os.eventfd(0), {"END": "handshake-timeout"}),
    "an eventfd that begins a greeting": (os.eventfd(0x0105), {"END": "refused", "REPLY": "1"}),
    "an epoll of nothing": (epoll.fileno(), {"END": "handshake-timeout"}),
    "an epoll that is ready": (watching.fileno(), {"END": "client-gone", "ERRNO": "22"}),
}
for name, (fd, expected) in inputs.items():
    h = Handler("-o", "timeout handshake 200ms", stdin=fd)
    h.client.end()
    one_record(name, h, CLIENT="stdio", **expected)
PY
}

@test "limits: any kind of standard output ends with status 0 and one record" {
    need_root
    world <<'PY'
(listening,) = listeners("127.0.0.1")
write("/run/file", "")
os.mknod("/run/full", 0o666 | stat.S_IFCHR, os.makedev(1, 7))  # as /dev/full
read_end, broken = os.pipe()
os.close(read_end)
udp, unix = socket.socket(type=socket.SOCK_DGRAM), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
outputs = {
    "a file to read": (os.open("/run/file", os.O_RDONLY), "9"),
    "a directory": (os.open("/run", os.O_RDONLY), "9"),
    "a broken pipe": (broken, "32"),
    "a listening socket": (listening, "32"),
    "an unconnected socket": (socket.socket(), None),
    "UDP": (udp, "89"),
    "an AF_UNIX datagram socket": (unix, "107"),
    "a device that is full": (os.open("/run/full", os.O_WRONLY), "28"),
}
for name, (output, number) in outputs.items():
    h = Handler(stdout=output)
    h.client.send(GREETING + REQUEST)
    h.client.end()
    one_record(name, h, END="client-gone", ERRNO=number)
PY
}

@test "limits: serves if writing to standard error fails" {
    need_root
    world <<'PY'
read_end, broken = os.pipe()
os.close(read_end)
os.mknod("/run/full", 0o666 | stat.S_IFCHR, os.makedev(1, 7))  # as /dev/full
opened = [os.open(path, flags) for path, flags in (
    ("/run/full", os.O_WRONLY), ("/dev/null", os.O_RDONLY), ("/run", os.O_RDONLY))]
for error in *opened, broken:
    for trace in True, False:
        h = Handler(trace=trace, stderr=error)
        check(outcome(h, GREETING + REQUEST, record=False), "served")
PY
}

@test "limits: waits one second for a standard error that is a full pipe, and then serves" {
    world <<'PY'
read_end, full = os.pipe()
os.set_blocking(full, False)
with contextlib.suppress(BlockingIOError):
    while True:
        os.write(full, bytes(4096))
for blocking in False, True:
    os.set_blocking(full, blocking)
    for trace in True, False:
        h = Handler(trace=trace, stderr=full)
        check(outcome(h, GREETING + REQUEST, record=False), "served")
PY
}

@test "limits: serves on pipes with O_NONBLOCK" {
    world <<'PY'
(in_read, in_write), (out_read, out_write) = os.pipe(), os.pipe()
for fd in in_read, out_write:
    os.set_blocking(fd, False)
h = Handler(stdin=in_read, stdout=out_write)
os.close(out_write)
os.write(in_write, GREETING[:1])
os.write(in_write, GREETING[1:] + REQUEST)
upstream = accept(LISTENING)
SIZE = 1000000
with meanwhile(upstream.send, pattern(SIZE)), open(out_read, "rb") as output, \
        open(in_write, "wb", buffering=0) as sent:
    eventually(lambda: is_idle(h.pid), "the pipe is full, and the handler waits")
    sent.write(b"question")
    check(upstream.recv(8), b"question")
    sent.close()
    check(output.read(12 + SIZE)[12:], pattern(SIZE))
    check(upstream.end(), (b"", "fin"))
    upstream.fin()
    check(output.read(), b"")
h.ended(END="closed", BYTES_UP="8", BYTES_DOWN=str(SIZE))
assert not os.get_blocking(in_read)
PY
}

@test "limits: a connection that has failed or was never made ends with status 0 and its record" {
    world <<'PY'
def reset():
    client, accepted = connection()
    Endpoint(client).reset()
    eventually(lambda: select.select([accepted], [], [], 0)[0], "RST comes")
    return accepted

def refused():
    """A socket whose connect() has failed, with the error still pending."""
    sock = socket.socket()
    sock.setblocking(False)
    assert sock.connect_ex(("127.0.0.1", CLOSED_PORT)) == errno.EINPROGRESS
    eventually(lambda: select.select([], [sock], [], 0)[1], "RST comes")
    return sock

def unix_gone():
    ours, its = socket.socketpair()
    ours.close()
    return its

for name, make in {"reset": reset, "refused": refused, "new": socket.socket, "AF_UNIX": unix_gone,
                   "new AF_UNIX": lambda: socket.socket(socket.AF_UNIX)}.items():
    h = Handler(ends=(socket.socket(), make()))
    one_record(name, h, END="client-gone", CLOSED_BY="client", REPLY=None)
PY
}

@test "limits: serves the bytes of a client that sent FIN before the handler started" {
    world <<'PY'
client, accepted = connection()
client.sendall(GREETING + REQUEST + pattern(50000))
client.shutdown(socket.SHUT_WR)
Endpoint(client).acknowledged()
h = Handler(ends=(client, accepted))
check(h.client.recv(12)[:4], CHOSEN + b"\x05\x00")
upstream = accept(LISTENING)
check(upstream.end(), (pattern(50000), "fin"))
upstream.close()
check(h.client.end(), (b"", "fin"))
h.ended(END="closed", BYTES_UP="50000")
PY
}

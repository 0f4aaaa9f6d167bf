#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Prefork mode under systemd: stdsocks-prefork.socket and stdsocks-prefork.service.

bats_require_minimum_version 1.5.0
load helper
load systemd/booted

prelude <<'PY'
import contextlib, itertools, json, os, resource, select, signal, socket, threading, time

from booted import BEGAN, answered, client, configure, eventually, login, over, record_of, records
from booted import say, served, shown, status_of, strangers, through, works
from socks import CHOSEN, DEADLINE_S, GREETING, accept, check, dial, meanwhile, open_through
from socks import pattern, request

UNIT = "stdsocks-prefork.service"


def status(connections=0, ready=8):
    """Wait until the service reports these numbers."""
    text = f"{connections} connections, {ready} processes ready"
    eventually(lambda: shown(UNIT, "StatusText") == text, text)


def state(word):
    eventually(lambda: shown(UNIT, "ActiveState") == word, word)


def supervisor():
    return int(shown(UNIT, "MainPID"))


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as pids:
        return [int(word) for word in pids.read().split()]


def zygote():
    return eventually(lambda: next(filter(children, children(supervisor())), None), "a zygote")


def start(unit):
    # After a stop, systemd 257 removes the folders of PrivateTmp= in a process, "(sd-rmrf)", that
    # has the listening socket for some milliseconds; then the start fails.
    eventually(lambda: os.system(f"systemctl start {unit}") == 0, unit)


def has_accepted(pid):
    """Whether a child of the zygote does not wait for a connection."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError), \
            open(f"/proc/{pid}/cmdline", encoding="ascii") as title:
        return title.read().rstrip("\0") not in ("stdsocks: zygote", "stdsocks: ready", "")
    return False


def json_lines(*command):
    return [json.loads(line) for line in say(*command).splitlines()]


def greets():
    one = client()
    one.send(GREETING)
    return one


def is_silent(one, span_s=0.05):
    """Check that this client receives nothing. select(2) is limited to 1,024 descriptors."""
    with select.epoll() as poll:
        poll.register(one.sock, select.EPOLLIN)
        check(poll.poll(span_s), [])


def queued(count):
    """Returns clients that wait in the queue of the socket."""
    clients = [greets() for _ in range(count)]
    for one in clients:
        is_silent(one)
    return clients


def are_served(clients):
    for one in clients:
        check(one.recv(2), CHOSEN)
        one.close()


def logs_in(secret, answer):
    """Check the answer to a login of alice with this password."""
    one = client()
    one.send(login(b"alice", secret))
    check(one.recv(4), b"\5\2\1" + answer)
    one.close()


class Transfers:
    """COUNT connections that transfer in both directions during the block."""

    PIECE = pattern(1 << 14)

    def __init__(self, count):
        self.is_over = threading.Event()
        self.pairs = [served() for _ in range(count)]
        self.stack = contextlib.ExitStack()

    def send(self, source):
        while not self.is_over.wait(0.05):  # limits the load
            source.send(self.PIECE)
        source.fin()

    def receive(self, target):
        """Check all pieces up to FIN."""
        count = 0
        while target.sock.recv(1, socket.MSG_PEEK):
            check(target.recv(len(self.PIECE)), self.PIECE)
            count += 1
        assert count > 1, count

    def __enter__(self):
        for ends in self.pairs:
            for end, function in itertools.product(ends, (self.send, self.receive)):
                self.stack.enter_context(meanwhile(function, end))
        return self

    def __exit__(self, *exception):
        self.is_over.set()
        self.stack.__exit__(*exception)
PY

export BATS_TEST_TIMEOUT=180
# shellcheck disable=SC2034 # booted.bash reads it
SOCKET=stdsocks-prefork.socket
DROP_INS=/usr/local/share/doc/stdsocks/drop-ins

# none_runs - stop the service, for the next test, and succeed if no connection is left.
none_runs() {
    inside systemctl stop stdsocks-prefork.service 2>/dev/null
    ! inside pgrep -x stdsocks >/dev/null
}

# need_limits - skip the test if the container cannot limit memory and processes.
need_limits() {
    inside sh -c 'cd /sys/fs/cgroup && { test -w memory/memory.limit_in_bytes &&
        test -w pids/tasks || grep -qw memory cgroup.controllers; }' 2>/dev/null ||
        lacks 'write permission for cgroups of memory and pids'
}

# has_score TENTHS - check that the score of systemd-analyze is at most TENTHS.
has_score() {
    local output
    output=$(inside systemd-analyze security --offline=true --no-pager --threshold="$1" \
        stdsocks-prefork.service) || fail "more than $1: $output"
}

@test "systemd prefork: the first connection starts the service, whose status counts connections" {
    [[ $(inside systemctl is-active stdsocks-prefork.service) == inactive ]]
    python_inside <<'PY'
pairs = [served() for _ in range(3)]
state("active")
status(3)
port = pairs[0][0].sock.getsockname()[1]
for pair in pairs:
    works(pair)
    over(pair)
status(0)
record = record_of(port)
check([record[name] for name in ("STDSOCKS_END", "STDSOCKS_COMMAND", "_UID")],
      ["closed", "CONNECT", say("id", "-u", "stdsocks").strip()])
one = client("::1")
over((one, through(one, "::1", "::1")))
PY
}

@test "systemd prefork: the kernel can be asked for routes" {
    configure 'allow to loopback'
    python_inside <<'PY'
one = client()
port = one.sock.getsockname()[1]
check(open_through(one, "203.0.113.9", 80)[1], 2)
one.close()
record = record_of(port)
check((record.get("STDSOCKS_RULE"), record.get("ERRNO")), ("end of the rules", None))
PY
}

@test "systemd prefork: the score of systemd-analyze is at most 1.3, and 1.2 for TCP only" {
    has_score 13
    inside cat $DROP_INS/prefork-tcp.conf | drop_in stdsocks-prefork.service
    has_score 12
    python_inside <<'PY'
pair = served()
works(pair)
assert os.stat(f"/proc/{zygote()}/ns/user").st_ino != os.stat("/proc/1/ns/user").st_ino
port = pair[0].sock.getsockname()[1]
over(pair)
check(record_of(port, "END"), ["closed"])
PY
}

@test "systemd prefork: no process has capabilities, and children cannot send messages to systemd" {
    python_inside <<'PY'
def score(pid):
    with open(f"/proc/{pid}/oom_score_adj", encoding="ascii") as file:
        return int(file.read())

pairs = [served() for _ in range(3)]
status(3)
own, parent = supervisor(), zygote()
pids = [own, parent, *children(parent)]
check(len(pids), 13)
for pid in pids:
    words = status_of(pid)
    check([words[name] for name in ("NoNewPrivs", "Seccomp", "CapBnd", "CapPrm", "CapAmb")],
          ["1", "2", "0" * 16, "0" * 16, "0" * 16])
    check(words["Uid"].split(), [say("id", "-u", "stdsocks").strip()] * 4)
    check(os.stat(f"/proc/{pid}/ns/mnt").st_ino != os.stat("/proc/1/ns/mnt").st_ino, True)
    eventually(lambda: score(pid) == (500 if pid in pids[2:] else 0), "the score")
    with open(f"/proc/{pid}/environ", encoding="ascii") as environ:
        assert ("/run/systemd/notify" in environ.read()) == (pid == own), pid
lines = [line.split() for line in say("ss", "-Hxnp").splitlines()]
(notify,) = (words[5] for words in lines if words[4] == "/run/systemd/notify")
check([words for words in lines if words[7] == notify and "stdsocks" in words[8]], [])
PY
}

# Takes over 5 s on a busy machine: 100 transfers go on during six starts.
@test "systemd prefork: reload, upgrade, stop and start break no transfer, and lose no client" {
    configure 'allow to any' 'prefork connections 108'
    python_inside <<'PY'
import shutil

PROGRAM = "/usr/local/bin/stdsocks"


def inode(pid):
    return os.stat(f"/proc/{pid}/exe").st_ino


def serves():
    pair = served()
    works(pair)
    over(pair)


with Transfers(100):
    status(100)
    own, old = supervisor(), inode(supervisor())
    # The limit is reached, so a client waits in each case.
    full = [served() for _ in range(8)]
    status(108, 0)
    clients = queued(3)
    shutil.copy2(PROGRAM, f"{PROGRAM}.new")
    os.rename(f"{PROGRAM}.new", PROGRAM)
    say("systemctl", "reload", UNIT)
    eventually(lambda: inode(supervisor()) == os.stat(PROGRAM).st_ino, "the new program")
    assert inode(supervisor()) != old
    check(supervisor(), own)
    state("active")
    for one in clients:
        is_silent(one)  # connections are counted across the reload
    over(full.pop())
    are_served(clients)
    serves()
    full.append(served())
    status(108, 0)
    # After a stop, those that go on are not counted, so all that wait are served.
    clients = queued(3)
    say("systemctl", "stop", UNIT)
    are_served(clients)
    say("systemctl", "stop", UNIT)
    clients = [greets() for _ in range(20)]
    say("systemctl", "start", UNIT)
    are_served(clients)
    say("systemctl", "restart", UNIT)
    serves()
    # Nothing is accepted while the socket is stopped.
    say("systemctl", "stop", "stdsocks-prefork.socket")
    check(shown(UNIT, "ActiveState"), "inactive")
    try:
        raise AssertionError(client())
    except ConnectionRefusedError:
        say("systemctl", "start", "stdsocks-prefork.socket")
    serves()
    for pair in full:
        works(pair)
        over(pair)
PY
}

@test "systemd prefork: the service exits when idle, and the next connection starts it again" {
    configure 'allow to any' 'prefork idle-exit 1ms'
    python_inside <<'PY'
for _ in range(30):
    are_served([greets()])
state("inactive")
check(shown(UNIT, "Result"), "success")
check(shown("stdsocks-prefork.socket", "ActiveState"), "active")
configure("prefork idle-exit 300ms")
pair = served()
time.sleep(0.5)
works(pair)
check(shown(UNIT, "ActiveState"), "active")
over(pair)
state("inactive")
PY
}

@test "systemd prefork: a connection has a process group of its own, with which it is listed" {
    python_inside <<'PY'
def listed():
    return sorted(row["pid"] for row in json_lines("stdsocksctl", "list", "--json"))

pairs = [served() for _ in range(3)]
status(3)
pids = sorted(pid for pid in children(zygote()) if has_accepted(pid))
check((len(pids), listed()), (3, pids))
for pid in children(zygote()):
    check(os.getpgid(pid), pid if pid in pids else supervisor())
assert say("stdsocksctl", "list").endswith("\n8 ready\n")
# The children of an earlier zygote, and of an earlier supervisor.
old = zygote()
configure("timeout idle 1h")
eventually(lambda: zygote() != old, "another zygote")
check(listed(), pids)
say("systemctl", "stop", UNIT)
check(listed(), pids)
pair = served()
status(1)
check(len(listed()), 4)
for pair in [*pairs, pair]:
    works(pair)
check(len(json_lines("stdsocksctl", "stop", "--json", UNIT)), 4)
check(listed(), [])
PY
    configure 'auth password' 'checkpassword /bin/sh -c "sleep 60"'
    python_inside <<'PY'
one = client()
one.send(login(b"alice"))
check(one.recv(2), b"\5\2")
(row,) = json_lines("stdsocksctl", "list", "--json")
eventually(lambda: children(row["pid"]), "the program")
check(json_lines("stdsocksctl", "stop", "--json", "--all")[0]["pid"], row["pid"])
PY
}

@test "systemd prefork: clients without a valid greeting leave one record together" {
    python_inside <<'PY'
found = strangers(200)
assert len(found) <= 21, found  # on a busy machine, journald may not find the unit of a process
status(0)
say("systemctl", "stop", UNIT)
(report,) = records("MESSAGE_ID=9ce4f6e7e9b34520b5e1d0bc916eeaac")
check(report["MESSAGE"].split(": ")[0],
      "connections that ended before a valid SOCKS greeting in the last minute")
assert 0 < int(report["MESSAGE"].split(": ")[1]) <= 200, report
text = say("journalctl", "-q", "-x", BEGAN, f"MESSAGE_ID={report['MESSAGE_ID']}")
assert "-- Subject: Clients left before they sent a valid SOCKS greeting" in text, text
PY
}

@test "systemd prefork: journald drops none of many records" {
    put_there /etc/systemd/journald.conf.d/test.conf <<<$'[Journal]\nRateLimitBurst=10'
    inside systemctl restart systemd-journald
    python_inside <<'PY'
ports = {str(answered(GREETING + request("127.0.0.1", 9), CHOSEN + b"\5\5")) for _ in range(200)}
found = records("STDSOCKS_DST_PORT=9", count=200)
check({record["STDSOCKS_CLIENT_PORT"] for record in found}, ports)
PY
    inside rm /etc/systemd/journald.conf.d/test.conf
    inside systemctl restart systemd-journald
}

@test "systemd prefork: a changed file holds for the next connection" {
    secrets root:stdsocks 640 alice:secret
    python_inside <<'PY'
over(served())
for secret in "first", "second", "third":
    configure("users /etc/stdsocks/users\ntimeout refused-login none")
    with open("/etc/stdsocks/new", "w", encoding="ascii") as users:
        users.write(f"alice:{secret}\n")
    os.chown("/etc/stdsocks/new", 0, os.stat("/etc/stdsocks/users").st_gid)
    os.chmod("/etc/stdsocks/new", 0o640)
    os.rename("/etc/stdsocks/new", "/etc/stdsocks/users")
    logs_in(secret.encode(), b"\0")
    logs_in(b"wrong", b"\1")
    configure("")
    over(served())
    configure("no such setting")
    for _ in range(5):
        answered(GREETING + request("127.0.0.1", 9), CHOSEN + b"\5\1")
    configure("")
    over(served())
for name in "/etc/hosts", "/etc/resolv.conf":
    with open(name, encoding="ascii") as old, open(f"{name}.new", "w", encoding="ascii") as new:
        new.write(old.read() + "# new\n")
with open("/etc/hosts.new", "a", encoding="ascii") as new:
    new.write("127.0.0.1 new.test\n")
for name in "/etc/hosts", "/etc/resolv.conf":
    os.rename(f"{name}.new", name)
    one = client()
    over((one, through(one, "new.test" if name == "/etc/hosts" else "localhost")))
PY
}

@test "systemd prefork: passwords come from a file, a credential or a program" {
    logs_in() {
        configure 'allow to any' "$@"
        python_inside <<<'logs_in(b"wonderland", b"\0"); logs_in(b"looking-glass", b"\1")'
    }
    secrets root:stdsocks 640 alice:wonderland
    logs_in 'users /etc/stdsocks/users' || fail 'a file'
    secrets root:stdsocks 640 "alice:$(openssl passwd -6 wonderland)"
    logs_in 'checkpassword /usr/local/bin/stdsocks-checkpassword /etc/stdsocks/users' ||
        fail 'a program'
    secrets root:root 600 alice:wonderland
    inside systemctl stop stdsocks-prefork.service
    inside sed 's/stdsocks@/stdsocks-prefork/' $DROP_INS/credentials.conf |
        drop_in stdsocks-prefork.service
    logs_in 'users credential:users' || fail 'a credential'
}

@test "systemd prefork: a client on AF_UNIX is served by rules for its user" {
    inside cat $DROP_INS/unix.conf | drop_in stdsocks-prefork.socket
    inside systemctl restart stdsocks-prefork.socket
    configure 'allow user root from unix to any' 'allow from loopback to any'
    python_inside <<'PY'
one = dial("/run/stdsocks.socket")
works((one, through(one)))
works(served())
PY
}

@test "systemd prefork: \"source mark\" needs the three lines that the unit names" {
    configure 'allow to any' 'source mark 7'
    python_inside <<<'answered(GREETING + request("127.0.0.1", 9), CHOSEN + b"\5\1")'
    inside systemctl stop stdsocks-prefork.service
    {
        echo '[Service]'
        inside sed -n '/source mark/,/^# stdsocks/s/^#\t//p' \
            /usr/local/lib/systemd/system/stdsocks-prefork.service
    } | drop_in stdsocks-prefork.service
    python_inside <<'PY'
pair = served()
works(pair)
own = [pid for pid in children(zygote()) if has_accepted(pid)]
check([status_of(pid)["CapEff"] for pid in own], ["0" * 16])
PY
}

# Takes over 5 s on a busy machine: 2,000 is the limit of the installed service.
@test "systemd prefork: 2,000 simultaneous connections are served, and one more when one ends" {
    ! sanitized || skip 'AddressSanitizer needs more memory'
    inside cat $DROP_INS/prefork-shared-address.conf | drop_in stdsocks-prefork.service
    python_inside <<'PY'
resource.setrlimit(resource.RLIMIT_NOFILE, (10000, 10000))
COUNT = 2000
with socket.create_server(("127.0.0.1", 0), backlog=COUNT) as listening:
    listening.settimeout(DEADLINE_S)
    clients = [client() for _ in range(COUNT)]
    for one in clients:
        one.send(GREETING + request("127.0.0.1", listening.getsockname()[1]))
    for one in clients:
        check(one.recv(12)[:5], CHOSEN + b"\x05\x00\x00")
    upstreams = [accept(listening) for _ in clients]
    status(COUNT, 0)
    check(shown(UNIT, "TasksCurrent"), str(COUNT + 2))
    used = int(shown(UNIT, "MemoryCurrent"))
    assert used < COUNT * 200_000 < int(shown(UNIT, "MemoryMax")), used
    one = greets()
    is_silent(one, 0.2)
    clients.pop().reset()
    are_served([one])
    for end in clients + upstreams:
        end.close()
status(0)
PY
}

@test "systemd prefork: whichever process is killed under load, no other connection is lost" {
    python_inside <<'PY'
lost = []
is_over = threading.Event()


def load():
    while not is_over.is_set():
        try:
            one = greets()
            are_served([one])
        except (AssertionError, OSError) as error:
            lost.append(error)


def victims():
    """Yields a process of each kind, and how many clients lose their connection with it."""
    yield zygote(), 0
    yield supervisor(), 0
    yield eventually(lambda: next((pid for pid in children(zygote()) if not has_accepted(pid)),
                                  None), "a ready process"), 1
    yield zygote(), 0


with Transfers(20), meanwhile(load):
    for pid, most in victims():
        count = len(lost)
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: not os.path.exists(f"/proc/{pid}"), "it has ended")
        for _ in range(5):
            over(served())
        state("active")
        assert len(lost) <= count + most, lost
    is_over.set()
pairs = [served() for _ in range(3)]
status(3)
victim = next(pid for pid in children(zygote()) if has_accepted(pid))
os.kill(victim, signal.SIGKILL)
ended = eventually(lambda: [pair for pair in pairs if select.select([pair[0].sock], [], [], 0)[0]],
                   "its end")
check(len(ended), 1)
for pair in pairs:
    if pair not in ended:
        works(pair)
# The ready process may have ended by itself before it was killed.
eventually(lambda: "by signal 9; the connection that it served is lost" in
           say("journalctl", "-q", "-o", "cat", BEGAN, "SYSLOG_IDENTIFIER=stdsocks"), "a message")
PY
}

@test "systemd prefork: a checkpassword program that exceeds the limits ends alone" {
    need_limits
    drop_in stdsocks-prefork.service <<<$'[Service]\nMemoryMax=64M'
    put_there /etc/stdsocks/checker <<'END'
#!/usr/bin/python3
enough = bytearray(200 << 20)
END
    inside chmod 755 /etc/stdsocks/checker
    python_inside <<'PY'
pairs = [served() for _ in range(3)]
own = supervisor()
configure("checkpassword /etc/stdsocks/checker")
one = client()
one.send(login(b"mallory"))
assert one.end()[0] in (b"\5\2", b"\5\2\1\1")
configure("")
for pair in pairs:
    works(pair)
works(served())
check(supervisor(), own)
PY
}

@test "systemd prefork: drop-ins/prefork-connections.conf raises all limits" {
    names() { inside systemctl show -P "$1" stdsocks-prefork.service; }
    [[ $(names TasksMax) == 4100 && $(names MemoryMax) == $((2 << 30)) ]]
    inside cat $DROP_INS/prefork-connections.conf | drop_in stdsocks-prefork.service
    [[ $(names TasksMax) == 20100 && $(names MemoryMax) == $((10 << 30)) ]]
    python_inside <<'PY'
works(served())
with open(f"/proc/{supervisor()}/cmdline", encoding="ascii") as line:
    check(line.read().split("\0")[1:3], ["-o", "prefork connections 10000"])
PY
}

@test "systemd prefork: either socket stops the other, and connections go on until they are ended" {
    python_inside <<'PY'
first = served()
start("stdsocks.socket")
check(shown(UNIT, "ActiveState"), "inactive")
second = served()
start("stdsocks-prefork.socket")
check(shown("stdsocks.socket", "ActiveState"), "inactive")
third = served()
state("active")
for pair in first, second, third:
    works(pair)
say("systemctl", "stop", "stdsocks-prefork.socket")
check(shown(UNIT, "ActiveState"), "inactive")
units = [json.loads(line)["unit"] for line in say("stdsocksctl", "list", "--json").splitlines()]
check([unit.partition("@")[0] for unit in units], [UNIT, "stdsocks", UNIT])
say("systemctl", "kill", UNIT)
for pair in first, third:
    check(pair[0].end(), (b"", "reset"))
works(second)
say("stdsocksctl", "stop", "--all")
check(second[0].end(), (b"", "reset"))
start("stdsocks-prefork.socket")
PY
}

@test "systemd prefork: connections of both modes and of the hardened unit count together" {
    inside cat "${DROP_INS%/*}/stdsocks-hardened.conf" | drop_in stdsocks@.service
    configure 'allow to any' 'limit from 2'
    python_inside <<'PY'
def slots():
    lines = say("lslocks", "--noheadings", "--output", "PATH").splitlines()
    return sum(line.startswith("/run/stdsocks/slots-") for line in lines)


def exceeds():
    check(open_through(client(), "127.0.0.1", 9)[:2], b"\x05\x02")


first = served()
start("stdsocks.socket")
second = served()
check(slots(), 2)
exceeds()
over(first)
eventually(lambda: slots() == 1, "the first one ends")
third = served()
start("stdsocks-prefork.socket")
exceeds()
works(second)
works(third)
PY
}

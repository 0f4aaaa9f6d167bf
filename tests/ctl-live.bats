#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# stdsocksctl list, top and stop, with a systemd that is booted for this suite.

bats_require_minimum_version 1.5.0
load helper
load systemd/booted

prelude <<'PY'
import atexit, datetime, glob, os, re, signal, socket, subprocess, termios, threading, time

from booted import Association, client, eventually, login, say, shown, works
from datagrams import parse_address, udp
from live import Connection, NOBODY, Terminal, columns, ctl, has_ended, listed, objects, state_of
from live import titled, units
from socks import CHOSEN, DEADLINE_S, GREETING, Endpoint, accept, check, escaped, listener
from socks import meanwhile, open_through, reply_of, request
PY

# The handlers wait for a request while a test runs.
# shellcheck disable=SC2034 # booted.bash reads it
CONFIGURATION=('allow to any' 'timeout handshake 1h')

setup_file() {
    boot_and_start
}

# live <SCRIPT - python_inside, if python3-pyte is installed.
live() {
    inside "$PYTHON" -c 'import pyte' || lacks python3-pyte || return
    python_inside
}

# live_titled <SCRIPT - live, with instances that show the titles of the test.
live_titled() {
    drop_in stdsocks@.service <<<$'[Service]\nExecStart=\nExecStart=/opt/stdsocks-tests/titled'
    live
}

@test "list: shows client, port, age, memory and CPU time as the kernel counts them" {
    live <<'PY'
TICK_US = 1_000_000 // os.sysconf("SC_CLK_TCK")

def now_us():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000

gone = Connection()
gone.close()
for host in "127.0.0.1", "::1":
    one = Connection((host, 1080))
    before = now_us()
    found = listed()[one.unit]
    after = now_us()
    check(columns(found, "client", "client_port", "pid"), [host, one.port, one.pid])
    with open(f"/proc/{one.pid}/stat", encoding="ascii") as stat:
        start = int(stat.read().rpartition(") ")[2].split()[19]) * TICK_US
    assert before <= start + found["age_usec"] <= after, (before, start, found, after)

    def as_the_kernel_counts():
        found = columns(listed()[one.unit], "memory", "cpu_usec")
        with open(f"/proc/{one.pid}/smaps_rollup", encoding="ascii") as lines:
            (pss,) = (int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        # stdsocksctl itself can share libraries, which makes the share of the handler smaller.
        return abs(found[0] - 1024 * pss) <= 205 * pss \
            and found[1] == time.clock_gettime_ns(~one.pid << 3 | 2) // 1000

    eventually(as_the_kernel_counts, "the same memory and CPU")
    now = datetime.datetime.fromisoformat(found["time"][:-1] + "+00:00").timestamp()
    assert abs(now - time.time()) < 60
    # Unknown values are missing in the object, and dashes in the table.
    unknown = "user", "command", "dst", "dst_port", "bytes_up", "rate"
    check(columns(found, *unknown), [None] * len(unknown))
    for words in "list", "report":
        check([line for line in ctl(words).splitlines() if line.endswith(" ")], [])
    titles, row = (line.split() for line in ctl("list").splitlines())
    check(titles, "CLIENT USER COMMAND DESTINATION UP DOWN RATE AGE MEMORY CPU PID UNIT".split())
    check(row[:7], [host, "-", "-", "-", "-", "-", "-"])
    assert re.fullmatch("[0-9]+s", row[7]), row
    check(row[10:], [str(one.pid), one.unit])
    one.close()
check(ctl("list").split(), titles)
check(ctl("list", "--json"), "")
PY
}

@test "list, stop: identify an AF_UNIX client by its user id, in other units, too" {
    put_there /run/systemd/system/stdsocks-other.socket \
        <<<$'[Socket]\nListenStream=/run/other.socket\nAccept=yes'
    inside cp /usr/local/lib/systemd/system/stdsocks@.service \
        /run/systemd/system/stdsocks-other@.service
    inside systemctl daemon-reload
    inside systemctl start stdsocks-other.socket
    live <<'PY'
one = Connection("/run/other.socket")
check(listed(), {})
found = listed("--unit", "stdsocks-other@*.service")[one.unit]
names = "client", "client_uid", "client_pid", "client_port"
check(columns(found, *names), ["unix", 0, os.getpid(), None])
for clause, count in (("unix", 1), ("unix:0", 1), ("unix:1", 0), ("any", 1), ("127.0.0.1", 0),
                      ("stdio", 0)):
    check(len(listed("--unit", "stdsocks*@*", "from", clause)), count)
# A unit that is named need not match the pattern.
assert one.unit in ctl("stop", one.unit.removesuffix(".service"))
check(one.endpoint.end()[0], b"")
PY
    inside systemctl stop stdsocks-other.socket
}

@test "list: shows user, destination, bytes and rate of the title, and systemd's client" {
    live_titled <<'PY'
names = "client", "user", "command", "dst", "dst_port", "bytes_up", "bytes_down", "rate"
one = Connection(title=b"x")
for title, row, line in (
        (b"127.0.0.1 alice -> example.com:443 3.4K up 12.1M down 1.2M/s",
         ["alice", "CONNECT", "example.com", 443, 3400, 12100000, 1200000],
         "alice connect example.com:443 3.4K 12.1M 1.2M/s"),
        (b"127.0.0.1 -> [2001:db8::1]:80 1 down",
         [None, "CONNECT", "2001:db8::1", 80, 0, 1, 0],
         "- connect [2001:db8::1]:80 0 1 0/s"),
        (b'127.0.0.1 "a b" -> UDP ASSOCIATE "a%b":1 connecting',
         ["a b", "UDP ASSOCIATE", "a%b", 1, None, None, None], r'"a\x20b" udp "a%b":1 - - -'),
        (b"127.0.0.1 bob -> exampl...", ["bob", *[None] * 6], "bob - - - - -"),
        (b"127.0.0.1 handshake", [None] * 7, "- - - - - -"),
        (b"192.0.2.1 -> example.com:80",
         [None, "CONNECT", "example.com", 80, 0, 0, 0], "- connect example.com:80 0 0 0/s")):
    one.show(b"stdsocks: " + title)
    check((title, columns(listed()[one.unit], *names)), (title, ["127.0.0.1", *row]))
    said = " ".join(ctl("list").splitlines()[1].split())
    assert said.startswith(f"127.0.0.1 {line} "), said
PY
}

@test "list, stop: use the title of a handler with a logged-in user" {
    secrets root:root 600 $'caf\303\251 b:secret'
    configure 'allow to any' 'users /etc/stdsocks/users' 'auth none password'
    live <<'PY'
def served(greeting, chosen):
    """Opens a connection. Returns its ends, and the upstream port."""
    with listener() as listening:
        end = client()
        where = listening.getsockname()[1]
        end.send(greeting + request("127.0.0.1", where))
        check(end.recv(len(chosen) + 10)[: len(chosen) + 2], chosen + b"\5\0")
        return end, accept(listening), where

(one, upstream, where), (other, elsewhere, _) = (
    served(login("caf\u00e9 b".encode(), b"secret"), b"\5\2\1\0"), served(GREETING, CHOSEN))
one.send(b"x" * 1500)
check(upstream.recv(1500), b"x" * 1500)
upstream.send(b"y" * 123456)
check(one.recv(123456), b"y" * 123456)

def handler_shows():
    return [row for row in listed().values()
            if columns(row, "bytes_up", "bytes_down", "rate") == [1500, 123000, 0]]

(found,) = eventually(handler_shows, "the title with all bytes, at a rate of 0")
check(columns(found, "client", "client_port", "user", "dst", "dst_port"),
      ["127.0.0.1", one.sock.getsockname()[1], r"caf\xc3\xa9 b", "127.0.0.1", where])
for name in "caf\u00e9 b", found["user"]:
    check(list(listed("user", name, "to", "127.0.0.0/8", "port", str(where))), [found["unit"]])
for name in "cafxc3xa9 b", "caf\u00e9":
    check(listed("user", name), {})
assert ctl("stop", "user", "caf\u00e9 b", "port", str(where)).count(found["unit"]) == 1
check([end.end() for end in (one, upstream)], [(b"", "reset")] * 2)
works((other, elsewhere))
PY
}

@test "list, top, stop: select associations and BIND by command, with their bytes" {
    configure 'allow to any at any' 'command connect bind udp'
    live <<'PY'
association, waits, bound = Association(), client(), client()
association.echo(udp(), b"x" * 900)
for one in waits, bound:
    where = parse_address(open_through(one, "127.0.0.1", 21, command=2)[3:])[:2]
remote = Endpoint(socket.create_connection(where, DEADLINE_S))
reply_of(bound)
remote.send(b"y" * 99)
check(bound.recv(99), b"y" * 99)
clients = {"udp": association.client, "waits": waits, "bound": bound}
ports = {name: one.sock.getsockname()[1] for name, one in clients.items()}
names = "command", "dst", "dst_port", "bytes_up", "bytes_down"

def shows(*rows):
    found = {row["client_port"]: columns(row, *names) for row in listed().values()}
    return found == dict(zip(ports.values(), rows))

eventually(lambda: shows(["UDP ASSOCIATE", "0.0.0.0", 0, 900, 904],
                         ["BIND", "127.0.0.1", 21, None, None],
                         ["BIND", "127.0.0.1", 21, 0, 99]), "three titles")
for command, ends in ("udp", ["udp"]), ("bind", ["waits", "bound"]), ("connect", []):
    check([row["client_port"] for row in listed("command", command).values()],
          [ports[name] for name in ends])
    for words in ("list",), ("top",):
        check(" ".join(ctl(*words, "command", command).split()).count(f" - {command} "), len(ends))
check([row["client_port"] for row in listed("--sort", "command").values()],
      [ports[name] for name in ("waits", "bound", "udp")])
ctl("stop", "command", "udp")
association.client.end()
ctl("stop", "command", "bind")
for one in waits, bound, remote:
    one.end()
check(listed(), {})
PY
}

@test "list: prints only printable ASCII for any title, and shows the connection" {
    live_titled <<'PY'
one = Connection(title=b"")
users = b"\x1b[2J\x1b]0;owned\x07", b"a\nb", "\u202e".encode(), b"\x7f", b"a\\x1b[2J", b'"'
titles = [titled(user + b" -> a:1 1 up 2 down") for user in users]
quoted = [titled(b'"' + escaped(user).encode() + b'" -> a:1') for user in users]
for title in (*titles, *quoted, b"stdsocks: ready", b"x" * 4000, b"stdsocks: " + 4090 * b"x",
              b"\x1b[2J", b""):
    one.show(title)
    for words in ("list",), ("list", "--json"), ("top",):
        said = ctl(*words)
        assert re.fullmatch("([ -~]*\n)*", said), said
        check(len(said.splitlines()), 3 if words == ("top",) else 1 if words[1:] else 2)
check(columns(listed()[one.unit], "client", "user"), ["127.0.0.1", None])
PY
}

@test "list: sorts by a key, unknown values last, and filters by clauses" {
    live_titled <<'PY'
titles = {"a": titled(b"zoe -> www.example.com:443 1.0K up 2.0M down 5/s"),
          "b": titled(b'"dom\\\\bob" -> 10.1.2.3:22 999 up 2.1M down'),
          "c": titled(b"-> [2001:db8::1]:443 1.0M up 2 down 1.0K/s"), "d": b"x",
          "e": titled(b'"dom\\\\\\\\bob" -> [::1]:1 1 up 1 down 1/s')}
connections = {name: Connection(("::1" if name == "d" else "127.0.0.1", 1080), title)
               for name, title in titles.items()}
names_of = {connection.unit: name for name, connection in connections.items()}

def lists(order, *words):
    check((words, "".join(names_of[unit] for unit in listed(*words))), (words, order))

for key, order in (("client", "abced"), ("user", "ebacd"), ("dst", "bcead"), ("up", "cabed"),
                   ("down", "baced"), ("rate", "caebd"), ("age", "abcde")):
    lists(order, "--sort", key)
lists("abcde")
for key in "memory", "cpu_usec":
    numbers = [one[key] for one in listed("--sort", key.removesuffix("_usec")).values()]
    check(numbers, sorted(numbers, reverse=True))
    check(len(numbers), 5)
for words, found in (
    ("user zoe", "a"), ("user any", "abe"), ("to .example.com", "a"), ("to 10.0.0.0/8", "b"),
    ("port 443", "ac"), ("port 1-1000", "abce"), ("to 2001:db8::/32", "c"), ("from ::1", "d"),
    ("from loopback", "abcde"), ("from 127.0.0.0/8 port 22", "b"), ("user dom\\bob", "b"),
    ("user zo", ""), ("to example.com", ""),
):
    lists(found, *words.split())
    lists(found, words)
PY
}

@test "list: shows five hundred connections, to root and to others" {
    live <<'PY'
many = [socket.create_connection(("127.0.0.1", 1080), DEADLINE_S) for _ in range(500)]
ports = {one.getsockname()[1] for one in many}
# NConnections first: to list the units often takes PID 1 longer.
eventually(lambda: shown("stdsocks.socket", "NConnections") == "500", "500 connections")
eventually(lambda: len(units()) == 500, "500 units")
for prefix in (), NOBODY:
    found = objects(say(*prefix, "stdsocksctl", "list", "--json"))
    check({one["client_port"] for one in found}, ports)
    check(len(found), 500)
    ages = [one["age_usec"] for one in found]
    assert ages == sorted(ages, reverse=True) and ages[-1] > 0
    check(len(say(*prefix, "stdsocksctl", "list").splitlines()), 501)
check(len(ctl("stop", "--all").splitlines()), 501)
check(ctl("list", "--json"), "")
for one in many:
    check(one.recv(1), b"")
PY
}

@test "list: shows connections that start and end meanwhile correctly or not at all" {
    live <<'PY'
stays = Connection()
others = set()

def open_and_close(done):
    """Opens and closes connections, ten at a time, and waits for each handler."""
    alive = []
    while not done.is_set():
        alive.append(client())
        alive[-1].send(GREETING)
        check(alive[-1].recv(2), CHOSEN)
        if len(alive) > 10:
            alive.pop(0).close()
    for one in alive:
        one.close()

done = threading.Event()
command = "stdsocksctl", "list", "--json"
with meanwhile(open_and_close, done):
    lists = [subprocess.run(command, capture_output=True, text=True, timeout=60) for _ in range(20)]
    done.set()
for run in lists:
    check((run.returncode, run.stderr), (0, ""))
    found = objects(run.stdout)
    check(found[0]["unit"], stays.unit)  # the oldest
    assert all(0 < row["age_usec"] < 80e6 and row["client"] == "127.0.0.1" for row in found), found
    others |= {one["unit"] for one in found[1:]}
assert others
PY
}

@test "list, stop: do not take a checkpassword program for a connection" {
    configure 'auth password' 'checkpassword /bin/sh -c "sleep 60"'
    live <<'PY'
one = client()
one.send(login(b"alice"))

def has_program():
    rows = list(listed().values())
    assert len(rows) <= 1, rows
    for row in rows:
        with open(f"/proc/{row['pid']}/task/{row['pid']}/children", encoding="ascii") as children:
            return children.read().split() and row
    return None

row = eventually(has_program, "a checkpassword program")
check(columns(row, "client", "client_port"), ["127.0.0.1", one.sock.getsockname()[1]])
check([row["pid"] for row in objects(ctl("stop", "--json", "--all"))], [row["pid"]])
eventually(lambda: not units(), "the end of the unit")
PY
}

@test "list, top, stop: use the titles of prefork mode, whatever the state of the unit" {
    # A service with fixed titles has the place of the installed one.
    inside rm /usr/local/lib/systemd/system/stdsocks-prefork.service
    inside systemctl daemon-reload
    live <<'PY'
UNIT = "stdsocks-prefork.service"
MAIN = """
for title in zygote ready ready ready; do
    (exec -a "stdsocks: $title" sleep infinity) &
done
set -m # with a process group for each
for title in '192.0.2.7 alice -> example.com:443 3.4K up' '2001:db8::7 handshake' 'x y'; do
    (exec -a "stdsocks: $title" sleep infinity) &
done
exec -a 'stdsocks' sleep infinity"""
say("systemd-run", "--quiet", f"--unit={UNIT}", "--slice=stdsocks.slice", "-p", "KillMode=process",
    "bash", "-c", MAIN)

def pids():
    """Returns the processes of the unit."""
    procs = glob.glob(f"/sys/fs/cgroup/**/stdsocks.slice/{UNIT}/cgroup.procs", recursive=True)
    with open(procs[0], encoding="ascii") as lines:
        return {int(line) for line in lines}

def end():
    for pid in pids():
        os.kill(pid, signal.SIGKILL)

def shows(*clients):
    found = sorted((row["unit"], row.get("client", "")) for row in objects(ctl("list", "--json")))
    return found == [(UNIT, client) for client in clients]

atexit.register(end)
eventually(lambda: ctl("list").endswith("\n3 ready\n"), "three waiting processes")
eventually(lambda: shows("", "192.0.2.7", "2001:db8::7"), "three connections")
check(len(pids()), 8)
assert ctl("top").startswith("3 connections, 3 ready, 0/s, ")
(alice,) = objects(ctl("list", "--json", "user", "alice"))
check(columns(alice, "dst", "bytes_up", "bytes_down", "client_port"),
      ["example.com", 3400, 0, None])
assert alice["pid"] in pids()
one = Connection()
check(len(objects(ctl("list", "--json"))), 4)
assert one.unit in ctl("stop", "from", "loopback")
said = ctl("stop", "to", "example.com")
assert f" {alice['pid']} " in said and "ready" not in said, said
assert has_ended(alice["pid"])
assert shows("", "2001:db8::7")
# Only the supervisor ends.
say("systemctl", "stop", UNIT)
say("systemctl", "is-active", UNIT, status=3)
check(len(pids()), 6)
assert shows("", "2001:db8::7")
check(len(objects(ctl("stop", "--json", UNIT))), 2)
assert ctl("list").endswith("\n3 ready\n")
check(ctl("stop", UNIT, status=1), f"stdsocksctl: {UNIT}: not an open connection\n")
end()
atexit.unregister(end)
eventually(lambda: shows() and "ready" not in ctl("list"), "an empty list")
PY
}

@test "list: counts the connections of each user and client, beside the limits of stdsocks.conf" {
    live <<'PY'
MAIN = """
for title in '192.0.2.7 alice -> a.test:1' '192.0.2.7 alice -> a.test:2' \\
    '192.0.2.8 bob -> a.test:1' '2001:db8::7 handshake' \\
    '2001:db8::1:0:0:7 alice -> a.test:3' '2001:db8:0:1::7 handshake' 'unix root -> a.test:1'; do
    (exec -a "stdsocks: $title" sleep infinity) &
done
exec -a 'stdsocks' sleep infinity"""
say("systemd-run", "--quiet", "--unit=fixed.service", "--slice=stdsocks.slice", "bash", "-c", MAIN)
atexit.register(lambda: say("systemctl", "stop", "fixed.service"))
UNITS = "--unit", "*[dk]*.service"  # also stdsocks@*

def by(key, *words):
    """Returns the names, counts and limits of a table, which are those of the objects, too."""
    heading, *lines = ctl("list", "--by", key, *UNITS, *words).splitlines()
    check(heading.split(), [key.upper(), "CONNECTIONS", "LIMIT"])
    rows = [line.split() for line in lines]
    found = objects(ctl("list", "--by", key, "--json", *UNITS, *words))
    check([[one.get(key, "-"), str(one["connections"]), str(one.get("limit", "-"))]
           for one in found], rows)
    return rows

eventually(lambda: len(objects(ctl("list", "--json", *UNITS))) == 7, "the titles")
one = Connection()  # in the mode that has no default
check(by("client"), [["192.0.2.7", "2", "500"], ["2001:db8::/64", "2", "500"],
                     ["127.0.0.1", "1", "-"], ["192.0.2.8", "1", "500"],
                     ["2001:db8:0:1::/64", "1", "500"], ["unix", "1", "-"]])
check(by("client", "user", "alice"), [["192.0.2.7", "2", "500"], ["2001:db8::/64", "1", "500"]])
check(by("user"), [["-", "3", "-"], ["alice", "3", "-"], ["bob", "1", "-"], ["root", "1", "-"]])
with open("/etc/stdsocks/other.conf", "w", encoding="ascii") as file:
    file.write("no such line\nlimit from 0\nlimit user 7 # each\nlimit user 1 bob\nlimit from 30")
check([row[1:] for row in by("user", "--config", "/etc/stdsocks/other.conf")],
      [["3", "-"], ["3", "7"], ["1", "1"], ["1", "7"]])
check([row[2] for row in by("client", "--config", "/etc/stdsocks/other.conf")],
      ["30", "30", "30", "30", "30", "-"])
check([row[2] for row in by("client", "--config", "/no/such/file")][:3], ["500", "500", "-"])
one.close()
PY
    configure 'limit from none'
    [[ $(inside stdsocksctl list --by client --unit fixed.service) == *LIMIT ]]
    run -66 inside stdsocksctl list --by user --config /dev
    run -77 inside setpriv --reuid=nobody --clear-groups stdsocksctl list --by user \
        --config /etc/shadow
    [[ $output == 'stdsocksctl: cannot read the limits: /etc/shadow: Permission denied' ]]
}

@test "list: needs no answer of systemd or dbus-daemon" {
    live <<'PY'
one = Connection()
hidden = "unshare", "--mount", "sh", "-c", """
    mount -t tmpfs tmpfs /run/dbus && chmod 0 /run/systemd/private && "$@"
    status=$?; chmod 777 /run/systemd/private; exit $status""", "sh"
for prefix in (), NOBODY:
    assert one.unit in say(*hidden, *prefix, "stdsocksctl", "list")
PY
}

@test "list: reads cgroups of version 2" {
    live <<'PY'
one = Connection()
# If the controllers are of version 1, systemd uses the other hierarchy as well.
unified = "/sys/fs/cgroup/unified"
bound = f"test ! -d {unified} || mount --bind {unified} /sys/fs/cgroup; exec stdsocksctl list"
assert one.unit in say("unshare", "--mount", "sh", "-c", bound)
PY
}

@test "stop: ends exactly the selected connections, and prints them" {
    live_titled <<'PY'
titles = {"a": titled(b"alice -> www.example.com:443 1 up 2 down"),
          "b": titled(b"bob -> www.example.com:80 1 up 2 down"),
          "c": titled(b"bob -> 10.1.2.3:22 1 up 2 down"), **dict.fromkeys("defg", b"x")}
live = {name: Connection(("::1" if name == "d" else "127.0.0.1", 1080), title)
        for name, title in titles.items()}

def left():
    """Returns true if the connections that have not been stopped are open."""
    return sorted(units()) == sorted(one.unit for one in live.values())

def stops(words, names, *more):
    found = objects(ctl("stop", "--json", *more, *words.split()))
    check([row["unit"] for row in found], [live[name].unit for name in names])

stops("user alice", "a", "--dry-run")
# Of several units, those that exist are ended, in any order; the others are reported.
for words, ends in (
    (("--dry-run", live["a"].unit, "stdsocks@none"), "a"),
    ((live["f"].unit, "stdsocks@none.service", live["g"].unit.removesuffix(".service")), "fg"),
):
    check(len(units()), 7)
    said = ctl("stop", "--json", *words, status=1)
    check({row["unit"] for row in objects(said)}, {live[name].unit for name in ends})
    assert re.search("^stdsocksctl: stdsocks@none(.service)?: not an open connection$", said,
                     re.MULTILINE), said
del live["f"], live["g"]
eventually(left, "the end of two units")
for words, names in (("user alice", "a"), ("to 10.0.0.0/8", "c"), ("from ::1", "d"),
                     (live["e"].unit, "e")):
    stops(words, names)
    for name in names:
        ended = live.pop(name)
        assert has_ended(ended.pid)
        check(ended.endpoint.end()[0], b"")
    eventually(left, "the end of a unit")
# Connections that have ended, and other units, are reported.
for words in ("user", "alice"), ("to", "10.0.0.0/8"):
    check(ctl("stop", *words, status=1), "stdsocksctl: no open connection matches\n")
for words in (ended.unit,), ("dbus.service",), (ended.unit, "dbus.service"):
    wanted = "".join(f"stdsocksctl: {word}: not an open connection\n" for word in words)
    check(ctl("stop", *words, status=1), wanted)
say("systemctl", "is-active", "stdsocks.socket")
row = ctl("stop", "--all").splitlines()[1].split()
check((row[:4], row[-1]), (["127.0.0.1", "bob", "connect", "www.example.com:80"], live["b"].unit))
check(live["b"].endpoint.end()[0], b"")
ctl("stop", "--all", status=1)
PY
}

@test "list, top, stop: ignore units that are not connections, for any pattern" {
    live <<'PY'
one = Connection()
for pattern in "*", "stdsocks*", "*.s*":
    check(list(listed("--unit", pattern)), [one.unit])
    assert ctl("top", "--unit", pattern).startswith("1 connection, "), pattern
ctl("stop", "--unit", "stdsocks*", "--all")
eventually(lambda: not units(), "the end of the unit")
for unit in "stdsocks.socket", "stdsocks.slice":
    say("systemctl", "is-active", unit)
PY
}

@test "list, stop: take the value of a clause as one word, quoted or escaped" {
    live_titled <<'PY'
one = Connection(title=titled(b'"a b" -> a.example:1 1 up 2 down'))
other = Connection(title=titled(b"alice -> a.example:1 1 up 2 down"))
for words in ("user", "a b"), ("user", r"a\x20b"), ('user "a b"',), ("to a.example user", "a b"):
    check((words, list(listed(*words))), (words, [one.unit]))
check(list(listed("user", "alice to any")), [])
for words in (("",), (" ",), ("#x",), ("\r",), ("user", ""), ("user", " "), ("user", "alice", ""),
              ("user", "alice", "#x"), ("user", '"alice"')):
    said = ctl("stop", *words, status=64)
    assert said.startswith("stdsocksctl stop: "), said
    check(len(units()), 2)
check([row["unit"] for row in objects(ctl("stop", "--json", "user", "a b"))], [one.unit])
eventually(lambda: units() == [other.unit], "the end of the unit")
PY
}

@test "list, stop: find a connection's process whatever it does" {
    put_there /run/acts.py <<'PY'
import ctypes, os, signal, sys, threading, time

libc = ctypes.CDLL(None)
act = sys.stdin.readline().strip()
threading.Thread(target=time.sleep, args=(1000,)).start()
if act == "comm":
    libc.prctl(15, b") Z 1 1 (", 0, 0, 0)
elif act == "double fork" and os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
elif act == "namespace":
    libc.unshare(0x20000000)  # CLONE_NEWPID
    if os.fork() == 0:  # PID 1 of the namespace is not ended by a signal without a handler
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
print("done", flush=True)
if act == "thread":
    libc.syscall({"x86_64": 60}.get(os.uname().machine, 93), 0)  # exit(2) of the first thread
time.sleep(1000)
PY
    drop_in stdsocks@.service <<END
[Service]
CapabilityBoundingSet=~
NoNewPrivileges=no
ExecStart=
ExecStart=$PYTHON /run/acts.py
END
    live <<'PY'
def rows_of(unit):
    return [row for row in objects(ctl("list", "--json")) if row["unit"] == unit]

def enter_cgroup_below(unit, pid):
    for pattern in "", "*/":
        for folder in glob.glob(f"/sys/fs/cgroup/{pattern}stdsocks.slice/{unit}"):
            os.mkdir(f"{folder}/below.service")
            with open(f"{folder}/below.service/cgroup.procs", "w", encoding="ascii") as procs:
                procs.write(str(pid))

for act in "nothing", "comm", "double fork", "namespace", "thread", "stopped", "cgroup":
    one = client()
    one.send(act.encode() + b"\n")
    check(one.recv(5), b"done\n")
    (unit,) = units()
    pid = int(shown(unit, "MainPID"))
    if act == "stopped":
        os.kill(pid, signal.SIGSTOP)
    if act == "cgroup":
        enter_cgroup_below(unit, pid)
    wanted = {"stopped": "T", "thread": "Z"}.get(act, "S")
    eventually(lambda: state_of(pid) == wanted, f"{act}: {wanted}")
    found = [row["pid"] for row in rows_of(unit)]
    assert pid in found and len(found) == 1 + (act == "double fork"), (act, found, pid)
    # When the first process has ended, systemd ends the other.
    assert 1 <= len(objects(ctl("stop", "--json", unit))) <= len(found), act
    eventually(lambda: not units(), f"{act}: the end of the unit")
    one.close()
PY
}

@test "list, stop: find a process in prefork mode that has a false title" {
    inside rm -f /usr/local/lib/systemd/system/stdsocks-prefork.service
    inside systemctl daemon-reload
    live <<'PY'
UNIT = "stdsocks-prefork.service"
MAIN = """
(exec -a 'stdsocks: zygote' sleep infinity) &
(exec -a 'stdsocks: ready' sleep infinity) &
(exec setsid bash -c 'exec -a "stdsocks: ready" sleep infinity') &
set -m
for title in 'stdsocks: ready' 'stdsocks: zygote' sshd '' 'stdsocks: 192.0.2.7 ended'; do
    (exec -a "$title" sleep infinity) &
done
# A program that a connection has started.
(exec bash -c 'set -m; sleep infinity & exec -a "stdsocks: 192.0.2.9 handshake" sleep infinity') &
set +m
exec -a 'stdsocks' sleep infinity"""
say("systemd-run", "--quiet", f"--unit={UNIT}", "--slice=stdsocks.slice", "bash", "-c", MAIN)
atexit.register(subprocess.run, ["systemctl", "stop", UNIT])

def shown_clients():
    """Returns the client of each connection, or ""."""
    return sorted(row.get("client", "") for row in objects(ctl("list", "--json")))

wanted = ["", "", "", "", "", "192.0.2.7", "192.0.2.9"]
eventually(lambda: shown_clients() == wanted, f"the clients {wanted}")
eventually(lambda: ctl("list").endswith("\n1 ready\n"), "a waiting process")
check(len(objects(ctl("stop", "--json", "--all"))), 7)
# The program is a connection when the process that has started it has ended.
eventually(lambda: shown_clients() == [""], "the program")
ctl("stop", UNIT)
check(shown_clients(), [])
PY
}

@test "stop: ends a process with SIGKILL if SIGTERM does not end it within 15 s" {
    live_titled <<'PY'
import ctypes

PTRACE_SEIZE, PTRACE_INTERRUPT = 0x4206, 0x4207
one, other = (Connection(title=titled(b"handshake")) for _ in range(2))
libc = ctypes.CDLL(None)
for request_ in PTRACE_SEIZE, PTRACE_INTERRUPT:
    check(libc.ptrace(request_, one.pid, None, None), 0)
eventually(lambda: state_of(one.pid) == "t", "the stop")
began = time.monotonic()
said = ctl("stop", "--all")
took_s = time.monotonic() - began
assert 15 <= took_s < 20, took_s
assert f"process {one.pid} of {one.unit} did not end within 15 s; sending SIGKILL\n" in said, said
for connection in one, other:
    assert f" {connection.pid} " in said and has_ended(connection.pid), said
assert f"process {other.pid}" not in said
PY
}

@test "stop: does not signal another process that has got the PID meanwhile" {
    need strace
    ! sanitized || skip 'LeakSanitizer does not work under strace'
    live_titled <<'PY'
one = Connection(title=titled(b"handshake"))
say("mount", "-o", "remount,bind,rw", "/proc/sys")
slow = "strace", "-qq", "-o", "/dev/null", "-e", "inject=pidfd_open:delay_enter=3000000"
stop = subprocess.Popen([*slow, "stdsocksctl", "stop", "--all"], stderr=subprocess.PIPE)

def opens_pidfd():
    """Returns true if the child of strace has read the list, and waits in pidfd_open(2)."""
    with open(f"/proc/{stop.pid}/task/{stop.pid}/children", encoding="ascii") as children:
        (child,) = children.read().split() or [None]
    if not child:
        return False
    with open(f"/proc/{child}/syscall", encoding="ascii") as call:
        return call.read().startswith("434 ")

eventually(opens_pidfd, "pidfd_open")
os.kill(one.pid, signal.SIGKILL)
eventually(lambda: not os.path.exists(f"/proc/{one.pid}"), "the end of the process")
with open("/proc/sys/kernel/ns_last_pid", "w", encoding="ascii") as last:
    last.write(str(one.pid - 1))
other = subprocess.Popen(["sleep", "60"])
check(other.pid, one.pid)
check(stop.communicate()[1], b"stdsocksctl: no open connection matches\n")
check((stop.returncode, other.poll()), (1, None))
other.kill()
other.wait()
PY
}

@test "stop: exits with 77 for an ordinary user, who can list everything" {
    live_titled <<'PY'
one = Connection(title=titled(b"alice -> www.example.com:443 1 up 2 down"))
nobody = *NOBODY, "stdsocksctl"
(row,) = objects(say(*nobody, "list", "--json"))
(same,) = listed().values()
for varies in "time", "age_usec", "cpu_usec", "memory":
    row.pop(varies, None), same.pop(varies, None)
check(row, same)
assert "1 connection, 0/s" in say(*nobody, "top")
said = say(*nobody, "stop", "user", "alice", status=77)
check(said, f"stdsocksctl: cannot stop process {one.pid} of {one.unit}: "
            "Operation not permitted\n")
check(units(), [one.unit])
one.show(b"x")
PY
}

@test "top: redraws, sorts by key, follows the window size, and quits with q" {
    live_titled <<'PY'
titles = (titled(b"zoe -> b.example:1 1.0K up 2.0M down 5/s"),
          titled(b"bob -> a.example:1 999 up 2.1M down 2.0K/s"))
connections = [Connection(title=title) for title in titles]
t = Terminal(24, 140)
t.run("stdsocksctl top --interval 0.1", "2 connections, 2.0K/s")
t.wait(true=lambda: "zoe" in t.screen.display[2] and "bob" in t.screen.display[3])
assert t.screen.cursor.hidden and t.screen.display[1].startswith("CLIENT "), t.text()
check(t.modes()[3] & (termios.ECHO | termios.ICANON), 0)
for key, name, first in (("r", "rate", "bob"), ("U", "up", "zoe"), ("d", "dst", "bob"),
                         ("x", "dst", "bob"), ("a", "age", "zoe")):
    t.keys(key)
    t.wait(true=lambda: f"by {name} " in t.screen.display[0] and first in t.screen.display[2])
# The screen shows changes, and not the connections that have ended.
connections[0].show(titled(b"zoe -> b.example:1 1.1K up 2.0M down"))
t.wait(true=lambda: "1.1K" in t.screen.display[2]
       and "2 connections, 2.0K/s" in t.screen.display[0])
connections[1].close()
t.wait(true=lambda: "1 connection, 0/s" in t.text() and "bob" not in t.text())
# The longer line is erased.
assert t.screen.display[2].rstrip().endswith(connections[0].unit), t.text()
t.keys("q")
t.back(0)
# Escape sequences of other keys are ignored, and the key after them is not.
t.run("stdsocksctl top --interval 3600 --sort up", "1 connection, 0/s")
for sequence in "\x1b[D", "\x1bOD", "\x1b[1;5D", "\x1b[[D", "\x1b[3~":
    t.said = b""
    t.keys(sequence + " ")
    t.wait(true=lambda: b"by " in t.said)
    assert b"by up " in t.said and b"by down" not in t.said, (sequence, t.said)
t.keys("\x1bq")
t.back(0)
# The space bar and a new window size redraw at once.
t.run("stdsocksctl top --interval 3600", "1 connection, 0/s")
more = [Connection(title=b"x") for _ in range(12)]
t.keys(" ")
t.wait("13 connections")
t.resize(8, 49)
t.wait(true=lambda: t.screen.display[0].startswith("13 connections")
       and t.screen.display[7].startswith("127.0.0.1 "))
for line, start in zip(t.screen.display[1:], ("CLIENT ", *["127.0.0.1 "] * 6)):
    assert line.startswith(start) and not line.endswith(" "), t.text()  # up to the last column
t.resize(30, 140)
t.wait(true=lambda: t.screen.display[14].startswith("127.0.0.1")
       and more[-1].unit in t.screen.display[14])
# An erase sequence after a full line would erase its last character on some terminals.
assert not re.search(rb"(?<!\n)(?<!\x1b\[H)\x1b\[[JK]", t.said), t.said
check(t.screen.display[15].strip(), "")
t.keys("q")
t.back(0)
t.run("stdsocksctl top --interval 0.1 --count 2", "13 connections")
t.back(0)
t.end()
PY
}

@test "top: restores the terminal when a signal ends or stops it" {
    live <<'PY'
t = Terminal()

def start():
    t.run("stdsocksctl top --interval 3600", "0 connections")
    t.wait(true=lambda: t.modes() != t.before)

for name in "INT", "TERM", "HUP", "QUIT":
    start()
    if name == "INT":
        t.keys("\x03")
    else:
        os.kill(t.foreground(), getattr(signal, f"SIG{name}"))
    t.back(128 + getattr(signal, f"SIG{name}"))
# SIGTSTP from Ctrl-Z, which top handles, and SIGSTOP, which it cannot.
start()
for stop in range(2):
    if stop == 0:
        t.keys("\x1a")
    else:
        os.kill(t.foreground(), signal.SIGSTOP)
    t.ready()
    assert b"Stopped" in t.said
    check(t.modes(), t.before)
    check(t.screen.cursor.hidden, stop == 1)
    t.screen.reset()
    t.run("fg", "0 connections")
    t.wait(true=lambda: t.modes() != t.before and t.screen.cursor.hidden)
t.keys("q")
t.back(0)
t.end()
PY
}

@test "top: prints the list repeatedly if standard output is not a terminal" {
    live_titled <<'PY'
one = Connection(title=titled(b"alice -> www.example.com:443 1 up 2 down 1.0K/s"))
check(len(ctl("top").splitlines()), 3)
said = ctl("top", "--count", "3", "--interval", "0.1")
rounds = said.split("\n\n")
check(len(rounds), 3)
for said in rounds:
    head, titles, row = said.splitlines()
    assert re.fullmatch(r"1 connection, 1\.0K/s(, [0-9.]+[KM] memory)?, by age", head), head
    check((titles.split()[0], row.split()[-1]), ("CLIENT", one.unit))
rows = objects(ctl("top", "--json", "--count", "3", "--interval", "0.1"))
check([row["unit"] for row in rows], [one.unit] * 3)
# The same on a terminal without escape sequences, and with --json.
t = Terminal(24, 200)
for line, shows in (("TERM=dumb stdsocksctl top", "1 connection,"),
                    ("stdsocksctl top --json", f'"unit":"{one.unit}"')):
    t.run(line, shows)
    t.ready()
    assert b"\x1b[?" not in t.said
    t.screen.reset()
for term, bold in ("dumb", False), ("xterm", True):
    t.said = b""
    t.run(f"TERM={term} stdsocksctl list; TERM={term} stdsocksctl top --count 1 | cat", "by age")
    t.ready()
    check((term, b"\x1b[1m" in t.said), (term, bold))
t.end()
PY
}

@test "list, top, stop: report a write error, and end when the reader has gone" {
    live <<'PY'
one = Connection()

def status_of(pipeline):
    """Returns the exit status of the first command."""
    command = "bash", "-c", f"{pipeline}; exit ${{PIPESTATUS[0]}}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.run(command, **quiet, timeout=60).returncode

for words in ("list", "list --json", "top", "top --count 1000 --interval 0.1",
              "stop --dry-run --all"):
    said = say("sh", "-c", f"stdsocksctl {words} >/dev/full", status=74)
    check(said, "stdsocksctl: standard output: No space left on device\n")
    # With the default action of SIGPIPE, and ignored.
    for pipe, status in ("", 128 + signal.SIGPIPE), ("trap '' PIPE;", 74):
        assert status_of(f"{pipe} stdsocksctl {words} --sort age | true") in (status, 0), words
long = "stdsocksctl top --count 1000000 --interval 0.1"
check(status_of(f"{long} | head -n 1"), 128 + signal.SIGPIPE)
PY
}

@test "list, top, stop: exit with 64 and end nothing if the command line is wrong" {
    local words says
    while IFS='|' read -r words says; do
        # shellcheck disable=SC2086 # words
        run -64 "$STDSOCKSCTL" $words
        [[ $output == "stdsocksctl"*": $says"* ]] || fail "$words: $output"
    done <<'END'
lists|
list --no-such-option|
list --sort size|
list --sort|
list --by command|
list --by|
list nonsense|
list user|
list user alice to|
list from nowhere/8|
top --interval 0|
top --interval nan|
top --interval 2x|
top --interval 86401|
top --count 0|
top --count -1|
top --count 4294967296|
list at any|
stop|
stop port 99999999|
stop --dry-run|no connection selected
stop --all user alice|--all and a filter given
stop --all stdsocks@1.service|--all and units given
stop user alice stdsocks@1.service|units and a filter given
stop stdsocks@1.service user alice|units and a filter given
stop user alice stdsocks@1|units and a filter given
END
    run -64 "$STDSOCKSCTL"
    # An empty filter does not select all.
    for words in '' ' ' '#x' '#' $'\r' '""'; do
        run -64 "$STDSOCKSCTL" stop "$words"
        run -64 "$STDSOCKSCTL" stop user alice "$words"
        run -64 "$STDSOCKSCTL" list "$words"
    done
}

@test "list, top, stop: exit with 69 if systemd is not running" {
    need unshare
    need_root || return
    local words
    # with_empty_run PREPARATION COMMAND...
    with_empty_run() {
        timeout 60 unshare --mount \
            sh -c "mount -t tmpfs tmpfs /run && $1 && exec \"\$@\"" sh "${@:2}"
    }
    for words in list top 'stop --all'; do
        # shellcheck disable=SC2086 # words
        run -69 with_empty_run true "$STDSOCKSCTL" $words
        [[ $output == 'stdsocksctl: systemd is not running on this host' ]]
        # With the folder of a booted systemd, but without cgroups.
        # shellcheck disable=SC2086
        run -71 with_empty_run \
            'mkdir -p /run/systemd/system && mount -t tmpfs none /sys/fs/cgroup' \
            "$STDSOCKSCTL" $words
        [[ $output == 'stdsocksctl: cannot read /sys/fs/cgroup: '* ]]
    done
}

@test "list, top, stop, log, report: the manual has every option of --help" {
    need mandoc col
    local manual command help options
    manual=$(mandoc -T ascii "$ROOT/man/stdsocksctl.8" | col -b)
    for command in list top stop log report; do
        help=$("$STDSOCKSCTL" "$command" --help)
        [[ $help == *$'\nFILTER is clauses of an access rule. See stdsocksctl(8).'* ]] ||
            fail "$command" || return
        options=$(grep -oE -- '--[a-z-]+' <<<"$help" | grep -vxE -- '--(help|usage)' | sort -u)
        [[ $options == *--json* ]]
        for option in $options; do
            grep -qF -- "$option" <<<"$manual" || fail "$command $option" || return
        done
    done
}

@test "completion: completes commands, options, their values, clauses and units" {
    local line words said file=$BATS_TEST_TMPDIR/a
    complete_line() {
        bash -c 'load() { . "$0"; }; load; COMP_LINE=$1 COMP_POINT=${#1}
            _stdsocksctl stdsocksctl "${1##*[ =]}"; echo "${COMPREPLY[*]}"' \
            "$ROOT/src/stdsocksctl/completion.bash" "$1"
    }
    [[ " $(complete_line 'stdsocksctl ') " == *' list '* ]]
    while IFS='|' read -r line words; do
        said=$(complete_line "stdsocksctl $line")
        [[ $said == "$words" ]] || fail "$line: $said" || return
    done <<'END'
li|list
top --i|--interval=
list --i|
list --sort=m|memory
list --sort m|memory
list --by c|client
list --by=u|user
stop user alice t|to
stop user alice to lo|loopback
stop --dry-run u|user
log --json |from user command to at port
log -f t|to
log -n |
log -n 5 t|to
log --reply 2 t|to
log user --json an|any
log user --reply 2 an|any
log port |
log user from t|to
log --end refused,re|refused,reset refused,refused
log --end=refused,res|refused,reset
log --reply 2,|2,0 2,1 2,2 2,3 2,4 2,5 2,6 2,7 2,8
list from unix,lo|unix,loopback
END
    mkdir "$file dir"
    touch "$file file"
    [[ $(complete_line "stdsocksctl log -D $file") == "$file dir" ]]
    [[ $(complete_line "stdsocksctl log --directory=$file") == "$file dir" ]]
    [[ $(complete_line "stdsocksctl report --output $file") == *"$file file"* ]]
    live <<'PY'
one = Connection()
t = Terminal(24, 200, readline=True)
t.run("source /usr/local/share/bash-completion/completions/stdsocksctl; echo is=there", "is=there")
t.keys("stdsocksctl list --js\tfrom ::1\n")
t.wait("stdsocksctl list --json from ::1")
for so_far in "stdso", "stdsocks@", one.unit[:10], one.unit[:-9]:  # readline splits at "@" and ":"
    t.screen.reset()
    t.keys(f"stdsocksctl stop {so_far}\t--dry-run\n")
    t.wait(f"stdsocksctl stop {one.unit} --dry-run")
    t.wait(true=lambda: sum(one.unit in line for line in t.screen.display) >= 2)
t.keys("stdsocksctl list --sort=da\x7f\x7fds\t--json\n")
t.wait("stdsocksctl list --sort=dst --json")
t.screen.reset()
t.keys("stdsocksctl log --directory /va\tlib\n")  # no blank follows: the path may continue
t.wait("stdsocksctl log --directory /var/lib")
check(units(), [one.unit])
t.end()
PY
}

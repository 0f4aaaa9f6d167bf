#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# stdsocksctl list, top and stop, on a real systemd that was booted for it.

bats_require_minimum_version 1.5.0
load helper
load systemd/booted

prelude <<'PY'
import contextlib, datetime, os, re, signal, socket, subprocess, termios, threading, time

from booted import Association, client, eventually, login, records, say, shown, works
from datagrams import parse_address, udp
from live import Connection, NOBODY, Terminal, columns, ctl, listed, objects, set_status, units
from socks import CHOSEN, DEADLINE_S, GREETING, Endpoint, accept, check, listener, meanwhile
from socks import open_through, reply_of, request
PY

# A handler waits for its client's request as long as a test takes, and others may tell its status.
# shellcheck disable=SC2034 # booted.bash reads it
CONFIGURATION=('allow to any' 'timeout handshake 1h')

setup_file() {
    boot_and_start || return
    can_boot || return 0
    put_there /etc/systemd/system/stdsocks@.service.d/told.conf <<<$'[Service]\nNotifyAccess=all'
    inside systemctl daemon-reload
}

# live <SCRIPT - python_inside, if that has a terminal emulator.
live() {
    inside "$PYTHON" -c 'import pyte' || lacks python3-pyte || return
    python_inside
}

@test "list: client, port, age, memory and CPU are those that systemd has" {
    live <<'PY'
gone = Connection()
gone.close()
records(f"STDSOCKS_CLIENT_PORT={gone.port}")
for host in "127.0.0.1", "::1":
    one = Connection((host, 1080))
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    found = listed()[one.unit]
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    check((found["client"], found["client_port"]), (host, one.port))
    since = int(shown(one.unit, "ActiveEnterTimestampMonotonic"))
    assert before <= since + found["age_usec"] <= after, (before, since, found, after)

    def as_systemd_counts():
        found = columns(listed()[one.unit], "memory", "cpu_usec")
        has = (shown(one.unit, name) for name in ("MemoryCurrent", "CPUUsageNSec"))
        memory, cpu = (None if value == "[not set]" else int(value) for value in has)
        return found == [memory, cpu if cpu is None else cpu // 1000]

    eventually(as_systemd_counts, "the same memory and CPU")
    assert abs(datetime.datetime.fromisoformat(found["time"][:-1] + "+00:00").timestamp() - time.time()) < 60
    # What is not known is left out of the object, and is a dash in the table.
    check([name for name in ("user", "command", "dst", "dst_port", "bytes_up", "rate") if name in found], [])
    for words in "list", "report":  # a report's last title is empty
        check([line for line in ctl(words).splitlines() if line.endswith(" ")], [])
    titles, row = (line.split() for line in ctl("list").splitlines())
    check(titles, "CLIENT USER COMMAND DESTINATION UP DOWN RATE AGE MEMORY CPU UNIT".split())
    check(row[:7], [host, "-", "-", "-", "-", "-", "-"])
    assert re.fullmatch("[0-9]+s", row[7]) and row[10] == one.unit, row
    one.close()
check(ctl("list").split(), titles)
check(ctl("list", "--json"), "")
PY
}

@test "list, stop: a Unix socket's client is its number, in another unit too, and a unit that is named is meant" {
    # Its connections are instances of a template of its own.
    put_there /run/systemd/system/stdsocks-other.socket <<<$'[Socket]\nListenStream=/run/other.socket\nAccept=yes'
    inside cp /usr/local/lib/systemd/system/stdsocks@.service /run/systemd/system/stdsocks-other@.service
    inside systemctl daemon-reload
    inside systemctl start stdsocks-other.socket
    live <<'PY'
one = Connection("/run/other.socket")
check(listed(), {})
found = listed("--unit", "stdsocks-other@*.service")[one.unit]
check(columns(found, "client", "client_uid", "client_pid", "client_port"), ["unix", 0, os.getpid(), None])
for clause, count in ("unix", 1), ("unix:0", 1), ("unix:1", 0), ("any", 1), ("127.0.0.1", 0), ("stdio", 0):
    check(len(listed("--unit", "stdsocks*@*", "from", clause)), count)
# Whatever the pattern is by default.
assert one.unit in ctl("stop", one.unit.removesuffix(".service"))
check(one.endpoint.end()[0], b"")
PY
    inside systemctl stop stdsocks-other.socket
}

@test "list: user, destination, bytes and rate are what the handler says, and the client whom systemd has accepted" {
    live <<'PY'
one = Connection()
for status, row, line in (
        (b"127.0.0.1 alice -> example.com:443, 3.4K up, 12.1M down, 1.2M/s, 3m",
         ["127.0.0.1", "alice", "example.com", 443, 3400, 12100000, 1200000], "127.0.0.1 alice connect example.com:443 3.4K 12.1M 1.2M/s"),
        (b"127.0.0.1 -> [2001:db8::1]:80, 0 up, 1 down, 4s",
         ["127.0.0.1", None, "2001:db8::1", 80, 0, 1, 0], "127.0.0.1 - connect [2001:db8::1]:80 0 1 0/s"),
        (b"192.0.2.1 -> example.com:80, 0 up, 1 down, 4s",
         ["127.0.0.1", None, "example.com", 80, 0, 1, 0], "127.0.0.1 - connect example.com:80 0 1 0/s")):
    set_status(one.unit, status)
    check(columns(listed()[one.unit], "client", "user", "dst", "dst_port", "bytes_up", "bytes_down", "rate"), row)
    check(ctl("list").splitlines()[1].split()[:7], line.split())
PY
}

@test "list, stop: a connection that was logged in and moves bytes is what its handler says it is" {
    secrets root:root 600 $'caf\303\251 b:secret'
    configure 'allow to any' 'users /etc/stdsocks/users' 'auth none password'
    live <<'PY'
def served(greeting, chosen):
    """A client whose connection stands, its upstream's end, and that one's port."""
    with listener() as listening:
        peer = client()
        where = listening.getsockname()[1]
        peer.send(greeting + request("127.0.0.1", where))
        check(peer.recv(len(chosen) + 10)[: len(chosen) + 2], chosen + b"\5\0")
        return peer, accept(listening), where

(one, upstream, where), (other, elsewhere, _) = (
    served(login("caf\u00e9 b".encode(), b"secret"), b"\5\2\1\0"), served(GREETING, CHOSEN))
one.send(b"x" * 1500)
check(upstream.recv(1500), b"x" * 1500)
upstream.send(b"y" * 123456)
check(one.recv(123456), b"y" * 123456)

def told():
    return [one for one in listed().values() if columns(one, "dst_port", "rate") == [where, 0]]

(found,) = eventually(told, "what the handler says, when nothing moves any more")
check(columns(found, "client", "client_port", "user", "dst", "bytes_up", "bytes_down"),
      ["127.0.0.1", one.sock.getsockname()[1], r"caf\xc3\xa9 b", "127.0.0.1", 1500, 123000])
for name in "caf\u00e9 b", found["user"]:
    check(list(listed("user", name, "to", "127.0.0.0/8", "port", str(where))), [found["unit"]])
for name in "cafxc3xa9 b", "caf\u00e9":
    check(listed("user", name), {})
assert ctl("stop", "user", "caf\u00e9 b", "port", str(where)).count(found["unit"]) == 1
check([end.end() for end in (one, upstream)], [(b"", "reset")] * 2)
works((other, elsewhere))
PY
}

@test "list, top, stop: an association and a BIND are found by their commands, and moving is what they have passed on" {
    configure 'allow to any at any' 'command connect bind udp'
    live <<'PY'
association, waits, called = Association(), client(), client()
association.echo(udp(), b"x" * 900)
for one in waits, called:
    where = parse_address(open_through(one, "127.0.0.1", 21, command=2)[3:])[:2]
caller = Endpoint(socket.create_connection(where, DEADLINE_S))
reply_of(called)
caller.send(b"y" * 99)
check(called.recv(99), b"y" * 99)
ports = {name: one.sock.getsockname()[1] for name, one in (("udp", association.client), ("waits", waits), ("called", called))}
eventually(lambda: sum("command" in one for one in listed().values()) == 2, "what two of them say")
found = {one["client_port"]: one for one in listed().values()}
for name, row in (("udp", ["UDP ASSOCIATE", "0.0.0.0", 0, 900, 904]), ("called", ["BIND", "127.0.0.1", 21, 0, 99]), ("waits", [None] * 5)):
    check(columns(found[ports[name]], "command", "dst", "dst_port", "bytes_up", "bytes_down"), row)
for command, name in ("udp", "udp"), ("bind", "called"):
    (one,) = listed("command", command).values()
    check(one["client_port"], ports[name])
    for words in ("list",), ("top",):
        assert f" - {command} " in " ".join(ctl(*words, "command", command).split()), words
check([one["client_port"] for one in listed("--sort", "command").values()], [ports[name] for name in ("called", "udp", "waits")])
check(listed("command", "connect"), {})
for command, ends in ("udp", [association.client]), ("bind", [called, caller]):
    ctl("stop", "command", command)
    for one in ends:
        one.end()
check([one["client_port"] for one in listed().values()], [ports["waits"]])
waits.reset()
PY
}

@test "list: whatever a status is, what is written is lines of printable ASCII" {
    live <<'PY'
one = Connection()
for status in (b"127.0.0.1 \x1b[2J\x1b]0;owned\x07 -> a:1, 1 up, 2 down, 3s", b"127.0.0.1 a\nb -> a:1, 1 up, 2 down, 3s",
               "127.0.0.1 \u202e -> a:1, 1 up, 2 down, 3s".encode(), b"127.0.0.1 \x7f -> a:1, 1 up, 2 down, 3s",
               b"127.0.0.1 a\\x1b[2J -> b:1, 1 up, 2 down, 3s", b'127.0.0.1 " -> b:1, 1 up, 2 down, 3s', b"x" * 4000):
    with contextlib.suppress(AssertionError):  # systemd shows it in another way, or will not have it
        set_status(one.unit, status)
    for words in ("list",), ("list", "--json"), ("top",):
        said = ctl(*words)
        assert re.fullmatch("([ -~]*\n)*", said), said
        check(len(said.splitlines()), 3 if words == ("top",) else 1 if words[1:] else 2)
check(listed()[one.unit].get("user"), None)
PY
}

# Between handler and tool systemd 252 takes one of two backslashes away; others may leave both.
@test "list: is sorted by a key, what is not known last, and filtered by clauses, none of which matches that" {
    live <<'PY'
says = {"a": b"127.0.0.1 zoe -> www.example.com:443, 1.0K up, 2.0M down, 5/s, 1s", "b": b"127.0.0.1 dom\\\\bob -> 10.1.2.3:22, 999 up, 2.1M down, 1s",
        "c": b"127.0.0.1 -> [2001:db8::1]:443, 1.0M up, 2 down, 1.0K/s, 1s", "d": None,
        "e": b"127.0.0.1 dom\\\\\\\\bob -> [::1]:1, 1 up, 1 down, 1/s, 1s"}
connections = {name: Connection(("::1" if name == "d" else "127.0.0.1", 1080), status) for name, status in says.items()}
names_of = {connection.unit: name for name, connection in connections.items()}


def lists(order, *words):
    check((words, "".join(names_of[unit] for unit in listed(*words))), (words, order))


for key, order in (("client", "abced"), ("user", "ebacd"), ("dst", "bcead"), ("up", "cabed"), ("down", "baced"), ("rate", "caebd"), ("age", "abcde")):
    lists(order, "--sort", key)
lists("abcde")
for key in "memory", "cpu_usec":
    numbers = [one.get(key, -1) for one in listed("--sort", key.removesuffix("_usec")).values()]
    check(numbers, sorted(numbers, reverse=True))
    check(len(numbers), 5)
for words, found in (("user zoe", "a"), ("user any", "abe"), ("to .example.com", "a"), ("to 10.0.0.0/8", "b"), ("port 443", "ac"),
                     ("port 1-1000", "abce"), ("to 2001:db8::/32", "c"), ("from ::1", "d"), ("from loopback", "abcde"),
                     ("from 127.0.0.0/8 port 22", "b"), ("user dom\\bob", "be"), ("user zo", ""), ("to example.com", "")):
    lists(found, *words.split())
    lists(found, words)
PY
}

@test "list: five hundred connections are there whole, for root and through the bus for others" {
    live <<'PY'
many = [socket.create_connection(("127.0.0.1", 1080), DEADLINE_S) for _ in range(500)]
ports = {one.getsockname()[1] for one in many}
eventually(lambda: shown("stdsocks.socket", "NConnections") == "500", "all of them")  # asked for often, it costs PID 1 least
eventually(lambda: len(units()) == 500, "all of them")
for who in (), NOBODY:
    found = objects(say(*who, "stdsocksctl", "list", "--json"))
    check({one["client_port"] for one in found}, ports)
    check(len(found), 500)
    ages = [one["age_usec"] for one in found]
    assert ages == sorted(ages, reverse=True) and ages[-1] > 0
    check(len(say(*who, "stdsocksctl", "list").splitlines()), 501)
check(len(ctl("stop", "--all").splitlines()), 501)
check(units(), [])
for one in many:
    check(one.recv(1), b"")
PY
}

@test "list: those that come and go meanwhile are there or not, and nothing else" {
    live <<'PY'
stays = Connection()
others = set()


def come_and_go(enough):
    """Ten at a time, no faster than they are served."""
    alive = []
    while not enough.is_set():
        alive.append(client())
        alive[-1].send(GREETING)
        check(alive[-1].recv(2), CHOSEN)
        if len(alive) > 10:
            alive.pop(0).close()
    for one in alive:
        one.close()


enough = threading.Event()
with meanwhile(come_and_go, enough):
    lists = [subprocess.run(["stdsocksctl", "list", "--json"], capture_output=True, text=True, timeout=60) for _ in range(20)]
    enough.set()
for done in lists:
    check((done.returncode, done.stderr), (0, ""))
    found = objects(done.stdout)
    check(found[0]["unit"], stays.unit)  # the oldest
    assert all(0 < one["age_usec"] < 80e6 and one["client"] == "127.0.0.1" for one in found), found
    others |= {one["unit"] for one in found[1:]}
assert others
PY
}

@test "list: root needs no dbus-daemon, and others are told that there is none" {
    live <<'PY'
one = Connection()
hidden = "unshare", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs /run/dbus && exec "$@"', "sh"
assert one.unit in say(*hidden, "stdsocksctl", "list")
said = say(*hidden, *NOBODY, "stdsocksctl", "list", status=69)
check(said, "stdsocksctl: systemd cannot be asked: no system bus: No such file or directory\n")
PY
}

@test "stop: ends those that are meant, says which, and no other" {
    live <<'PY'
says = {"a": b"127.0.0.1 alice -> www.example.com:443, 1 up, 2 down, 1s", "b": b"127.0.0.1 bob -> www.example.com:80, 1 up, 2 down, 1s",
        "c": b"127.0.0.1 bob -> 10.1.2.3:22, 1 up, 2 down, 1s", **dict.fromkeys("defg")}
live = {name: Connection(("::1" if name == "d" else "127.0.0.1", 1080), status) for name, status in says.items()}


def stops(words, names, *more):
    check([one["unit"] for one in objects(ctl("stop", "--json", *more, *words.split()))], [live[name].unit for name in names])


stops("user alice", "a", "--dry-run")
# Of several units, those that are there end, and the others are told; in which order is not held against it.
for words, ends in (("--dry-run", live["a"].unit, "stdsocks@none"), "a"), ((live["f"].unit, "stdsocks@none.service", live["g"].unit.removesuffix(".service")), "fg"):
    check(len(units()), 7)
    said = ctl("stop", "--json", *words, status=1)
    check({row["unit"] for row in objects(said)}, {live[name].unit for name in ends})
    assert "stdsocksctl: stdsocks@none.service: no such connection\n" in said, said
del live["f"], live["g"]
check(sorted(units()), sorted(one.unit for one in live.values()))
for words, names in ("user alice", "a"), ("to 10.0.0.0/8", "c"), ("from ::1", "d"), (live["e"].unit, "e"):
    stops(words, names)
    for name in names:
        ended = live.pop(name)
        check(ended.endpoint.end()[0], b"")  # at once: stop has waited for it
    check(sorted(units()), sorted(one.unit for one in live.values()))
# What is not there, or is none of them, is not ended.
for words in ("user", "alice"), ("to", "10.0.0.0/8"):
    check(ctl("stop", *words, status=1), "stdsocksctl: no such connection\n")
for words in (ended.unit,), ("dbus.service",), (ended.unit, "dbus.service"):
    check(ctl("stop", *words, status=1), "".join(f"stdsocksctl: {word}: no such connection\n" for word in words))
say("systemctl", "is-active", "stdsocks.socket")
row = ctl("stop", "--all").splitlines()[1].split()
check((row[:4], row[-1]), (["127.0.0.1", "bob", "connect", "www.example.com:80"], live["b"].unit))
check(live["b"].endpoint.end()[0], b"")
ctl("stop", "--all", status=1)
PY
}

@test "list, top, stop: nothing but a connection is one, whatever the pattern" {
    live <<'PY'
one = Connection()
for pattern in "*", "stdsocks*", "*.s*":
    check(list(listed("--unit", pattern)), [one.unit])
    assert ctl("top", "--unit", pattern).startswith("1 connection, "), pattern
ctl("stop", "--unit", "stdsocks*", "--all")
check(units(), [])
for unit in "stdsocks.socket", "stdsocks.slice":
    say("systemctl", "is-active", unit)
PY
}

@test "list, stop: what stands behind a clause is one word, as it is or as it is shown" {
    live <<'PY'
one = Connection(status=b"127.0.0.1 a b -> a.example:1, 1 up, 2 down, 1s")
other = Connection(status=b"127.0.0.1 alice -> a.example:1, 1 up, 2 down, 1s")
for words in ("user", "a b"), ("user", r"a\x20b"), ('user "a b"',), ("to a.example user", "a b"):
    check((words, list(listed(*words))), (words, [one.unit]))
check(list(listed("user", "alice to any")), [])
for words in ("",), (" ",), ("#x",), ("\r",), ("user", ""), ("user", " "), ("user", "alice", ""), ("user", "alice", "#x"), ("user", '"alice"'):
    said = ctl("stop", *words, status=64)
    assert said.startswith("stdsocksctl stop: "), said
    check(len(units()), 2)
check([row["unit"] for row in objects(ctl("stop", "--json", "user", "a b"))], [one.unit])
check(units(), [other.unit])
PY
}

@test "stop: waits until all of a connection has ended" {
    drop_in stdsocks@.service <<<$'[Service]\nExecStopPost=+/bin/sh -c "sleep 0.5; echo over >/run/%N.over"'
    live <<'PY'
connections = [Connection() for _ in range(3)]
check(len(ctl("stop", "--all").splitlines()), 4)
for one in connections:
    with open(f"/run/{one.unit.removesuffix('.service')}.over", encoding="ascii") as over:
        check(over.read(), "over\n")
PY
}

@test "stop: an ordinary user sees everything, ends nothing, and is told why" {
    live <<'PY'
one = Connection(status=b"127.0.0.1 alice -> www.example.com:443, 1 up, 2 down, 1s")
nobody = *NOBODY, "stdsocksctl"
(row,) = objects(say(*nobody, "list", "--json"))
(same,) = listed().values()
for varies in "time", "age_usec", "cpu_usec", "memory":
    row.pop(varies, None), same.pop(varies, None)
check(row, same)
assert "1 connection, 0/s" in say(*nobody, "top")
said = say(*nobody, "stop", "user", "alice", status=77)
assert re.fullmatch("stdsocksctl: not permitted: .*root.*polkit.*manage-units\n", said), said
check(units(), [one.unit])
one.endpoint.send(request("127.0.0.1", 9))  # it is still served: nothing listens there
check(one.endpoint.recv(2), b"\x05\x05")
PY
}

@test "top: is drawn again, sorted by a key, as large as the window, and quits with q" {
    live <<'PY'
says = b"127.0.0.1 zoe -> b.example:1, 1.0K up, 2.0M down, 5/s, 1s", b"127.0.0.1 bob -> a.example:1, 999 up, 2.1M down, 2.0K/s, 1s"
connections = [Connection(status=status) for status in says]
t = Terminal(24, 140)
t.run("stdsocksctl top --interval 0.1", "2 connections, 2.0K/s")
t.wait(true=lambda: "zoe" in t.screen.display[2] and "bob" in t.screen.display[3])
assert t.screen.cursor.hidden and t.screen.display[1].startswith("CLIENT "), t.text()
check(t.modes()[3] & (termios.ECHO | termios.ICANON), 0)
for key, name, first in ("r", "rate", "bob"), ("U", "up", "zoe"), ("d", "dst", "bob"), ("x", "dst", "bob"), ("a", "age", "zoe"):
    t.keys(key)
    t.wait(true=lambda: f"by {name} " in t.screen.display[0] and first in t.screen.display[2])
# What has changed is seen, what has gone is gone.
set_status(connections[0].unit, b"127.0.0.1 zoe -> b.example:1, 1.1K up, 2.0M down, 1s")
t.wait(true=lambda: "1.1K" in t.screen.display[2] and "2 connections, 2.0K/s" in t.screen.display[0])
connections[1].close()
t.wait(true=lambda: "1 connection, 0/s" in t.text() and "bob" not in t.text())
assert t.screen.display[2].rstrip().endswith(connections[0].unit), t.text()  # nothing of the longer line is left
t.keys("q")
t.back(0)
# What an arrow, a function key or the Linux console's F4 sends is no key, but what follows is.
t.run("stdsocksctl top --interval 3600 --sort up", "1 connection, 0/s")
for sequence in "\x1b[D", "\x1bOD", "\x1b[1;5D", "\x1b[[D", "\x1b[3~":
    t.said = b""
    t.keys(sequence + " ")
    t.wait(true=lambda: b"by " in t.said)
    assert b"by up " in t.said and b"by down" not in t.said, (sequence, t.said)
t.keys("\x1bq")
t.back(0)
# The window's size is heard at once, and so is the space bar.
t.run("stdsocksctl top --interval 3600", "1 connection, 0/s")
more = [Connection() for _ in range(12)]
t.keys(" ")
t.wait("13 connections")
t.resize(8, 49)
t.wait(true=lambda: t.screen.display[0].startswith("13 connections") and t.screen.display[7].startswith("127.0.0.1 "))
for line, start in zip(t.screen.display[1:], ("CLIENT ", *["127.0.0.1 "] * 6)):
    assert line.startswith(start) and not line.endswith(" "), t.text()  # the last column, too
t.resize(30, 140)
t.wait(true=lambda: t.screen.display[14].startswith("127.0.0.1") and more[-1].unit in t.screen.display[14])
# Some terminals erase the last character of a full line when they are told to behind it.
assert not re.search(rb"(?<!\n)(?<!\x1b\[H)\x1b\[[JK]", t.said), t.said
check(t.screen.display[15].strip(), "")
t.keys("q")
t.back(0)
t.run("stdsocksctl top --interval 0.1 --count 2", "13 connections")
t.back(0)
t.end()
PY
}

@test "top: leaves the terminal as it was when a signal ends or stops it" {
    live <<'PY'
t = Terminal()


def shown():
    t.run("stdsocksctl top --interval 3600", "0 connections")
    t.wait(true=lambda: t.modes() != t.before)


for name in "INT", "TERM", "HUP", "QUIT":
    shown()
    if name == "INT":
        t.keys("\x03")
    else:
        os.kill(t.foreground(), getattr(signal, f"SIG{name}"))
    t.back(128 + getattr(signal, f"SIG{name}"))
# Ctrl-Z, and on with it; then stopped by somebody who does not ask.
shown()
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

@test "top: where there is no terminal it is rounds of a list" {
    live <<'PY'
one = Connection(status=b"127.0.0.1 alice -> www.example.com:443, 1 up, 2 down, 1.0K/s, 1s")
check(len(ctl("top").splitlines()), 3)
said = ctl("top", "--count", "3", "--interval", "0.1")
rounds = said.split("\n\n")
check(len(rounds), 3)
for said in rounds:
    head, titles, row = said.splitlines()
    assert re.fullmatch(r"1 connection, 1\.0K/s(, [0-9.]+[KM] memory)?, by age", head), head
    check((titles.split()[0], row.split()[-1]), ("CLIENT", one.unit))
check([row["unit"] for row in objects(ctl("top", "--json", "--count", "3", "--interval", "0.1"))], [one.unit] * 3)
# As on a terminal that knows no escape sequences, or where JSON is asked for.
t = Terminal(24, 200)
for line, sees in ("TERM=dumb stdsocksctl top", "1 connection,"), ("stdsocksctl top --json", f'"unit":"{one.unit}"'):
    t.run(line, sees)
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

@test "list, top: output that cannot be written is told, and a reader who goes is no reason to go on" {
    live <<'PY'
one = Connection()
for words in "list", "list --json", "top", "top --count 1000 --interval 0.1", "stop --dry-run --all":
    said = say("sh", "-c", f"stdsocksctl {words} >/dev/full", status=74)
    check(said, "stdsocksctl: standard output: No space left on device\n")
    # With SIGPIPE as it is, and ignored.
    for pipe, status in ("", 128 + signal.SIGPIPE), ("trap '' PIPE;", 74):
        done = subprocess.run(["bash", "-c", f"{pipe} stdsocksctl {words} --sort age | true; exit ${{PIPESTATUS[0]}}"], stderr=subprocess.DEVNULL, timeout=60)
        assert done.returncode in (status, 0), (words, done)
done = subprocess.run(["bash", "-c", "stdsocksctl top --count 1000000 --interval 0.1 | head -n 1; exit ${PIPESTATUS[0]}"], stdout=subprocess.DEVNULL, timeout=60)
check(done.returncode, 128 + signal.SIGPIPE)
PY
}

@test "list, top, stop: a wrong command line is told, with status 64, and nothing is ended" {
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
stop --dry-run|which connections?
stop --all user alice|either --all or a filter
stop --all stdsocks@1.service|either --all or units
stop user alice stdsocks@1.service|either units or a filter
stop stdsocks@1.service user alice|either units or a filter
stop user alice stdsocks@1|either units or a filter
END
    run -64 "$STDSOCKSCTL"
    # A filter that says nothing is not one that all pass.
    for words in '' ' ' '#x' '#' $'\r' '""'; do
        run -64 "$STDSOCKSCTL" stop "$words"
        run -64 "$STDSOCKSCTL" stop user alice "$words"
        run -64 "$STDSOCKSCTL" list "$words"
    done
}

@test "list, top, stop: where no systemd runs they say so, with status 69" {
    need unshare
    need_root || return
    local words
    for words in list top 'stop --all'; do
        # shellcheck disable=SC2086 # words
        run -69 timeout 60 unshare --mount sh -c 'mount -t tmpfs tmpfs /run && exec "$@"' sh "$STDSOCKSCTL" $words
        [[ $output == 'stdsocksctl: there is no systemd here' ]]
        # It was booted, and is silent.
        # shellcheck disable=SC2086
        run -69 timeout 60 unshare --mount sh -c 'mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system && exec "$@"' sh "$STDSOCKSCTL" $words
        [[ $output == 'stdsocksctl: systemd cannot be asked: no system bus: '* ]]
    done
}

@test "list, top, stop, log, report: every option is in the manual, and --help says the same of a filter" {
    need mandoc col
    local manual command help options
    manual=$(mandoc -T ascii "$ROOT/man/stdsocksctl.8" | col -b)
    for command in list top stop log report; do
        help=$("$STDSOCKSCTL" "$command" --help)
        [[ $help == *$'\nFILTER is clauses of an access rule. See stdsocksctl(8).'* ]] || fail "$command" || return
        options=$(grep -oE -- '--[a-z-]+' <<<"$help" | grep -vxE -- '--(help|usage)' | sort -u)
        [[ $options == *--json* ]]
        for option in $options; do
            grep -qF -- "$option" <<<"$manual" || fail "$command $option" || return
        done
    done
}

@test "completion: commands, options, their values, clauses and units, as bash asks for them" {
    local line words
    complete_line() {
        bash -c 'load() { . "$0"; }; load; COMP_LINE=$1 COMP_POINT=${#1}; _stdsocksctl stdsocksctl "${1##*[ =]}"; echo "${COMPREPLY[*]}"' \
            "$ROOT/src/stdsocksctl/completion.bash" "$1"
    }
    [[ " $(complete_line 'stdsocksctl ') " == *' list '* ]]
    while IFS='|' read -r line words; do
        [[ $(complete_line "stdsocksctl $line") == "$words" ]] || fail "$line: $(complete_line "stdsocksctl $line")" || return
    done <<'END'
li|list
top --i|--interval=
list --i|
list --sort=m|memory
list --sort m|memory
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
    mkdir "$BATS_TEST_TMPDIR/a dir"
    touch "$BATS_TEST_TMPDIR/a file"
    [[ $(complete_line "stdsocksctl log -D $BATS_TEST_TMPDIR/a") == "$BATS_TEST_TMPDIR/a dir" ]]
    [[ $(complete_line "stdsocksctl log --directory=$BATS_TEST_TMPDIR/a") == "$BATS_TEST_TMPDIR/a dir" ]]
    [[ $(complete_line "stdsocksctl report --output $BATS_TEST_TMPDIR/a") == *"$BATS_TEST_TMPDIR/a file"* ]]
    live <<'PY'
one = Connection()
t = Terminal(24, 200, readline=True)
t.run("source /usr/local/share/bash-completion/completions/stdsocksctl; echo is=there", "is=there")
t.keys("stdsocksctl list --js\tfrom ::1\n")
t.wait("stdsocksctl list --json from ::1")
for so_far in "stdso", "stdsocks@", one.unit[:10], one.unit[:-9]:  # the shell cuts at "@" and ":"
    t.screen.reset()
    t.keys(f"stdsocksctl stop {so_far}\t--dry-run\n")
    t.wait(f"stdsocksctl stop {one.unit} --dry-run")
    t.wait(true=lambda: sum(one.unit in line for line in t.screen.display) >= 2)
t.keys("stdsocksctl list --sort=da\x7f\x7fds\t--json\n")
t.wait("stdsocksctl list --sort=dst --json")
t.screen.reset()
t.keys("stdsocksctl log --directory /va\tlib\n")  # a name that goes on, not a word that has ended
t.wait("stdsocksctl log --directory /var/lib")
check(units(), [one.unit])
t.end()
PY
}

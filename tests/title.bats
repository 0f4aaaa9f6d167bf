#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The process title, which ps(1) shows in place of the handler's command line.

load helper
load net/world

prelude <<'PY'
import os, re, socket, time

from bind import Binding
from socks import GREETING, accept, check, escaped, listener, pattern, request, request_name
from udp import Association, udp
from world import Handler, connection, eventually, listeners, port_of, relaying, run, write

PAUSE_S = 1  # the minimum time between two titles while bytes move


def silent_name_server():
    """Returns the socket of a name server that sends no answer."""
    write("/etc/resolv.conf", "nameserver 127.0.0.1\n")
    return udp("127.0.0.1", 53)


def stat(pid, field):
    """A field of /proc/PID/stat, by its number in proc_pid_stat(5)."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as line:
        return int(line.read().rpartition(")")[2].split()[field - 3])


ARG_START, ENV_END = 48, 51
PY

setup() {
    need_world
}

@test "title: shows the handshake, the request, then the bytes and their rate" {
    world <<'PY'
names = silent_name_server()
h = Handler()
h.titled(r"stdsocks: 127\.0\.0\.1 handshake")
h.send_request(b"slow.test", 443)
h.titled(r"stdsocks: 127\.0\.0\.1 -> slow\.test:443 connecting")
(listening,) = listeners("127.0.0.1")
start = rf"stdsocks: 127\.0\.0\.1 -> 127\.0\.0\.1:{port_of(listening)}"
since_s = time.monotonic()
h, upstream = relaying("127.0.0.1", listening)
h.titled(start)
h.client.send(pattern(3412))
upstream.recv(3412)
upstream.send(pattern(121999))
h.client.recv(121999)
(rate,) = h.titled(rf"{start} 3\.4K up 121K down (\d+(?:\.\d)?K)/s")
took_s = time.monotonic() - since_s
assert took_s >= PAUSE_S, took_s
# The rate is that of all bytes since the start of the relay, rounded down.
assert 125411 / took_s / 1.05 <= float(rate[:-1]) * 1000 + 1000, (rate, took_s)
assert float(rate[:-1]) <= 125.411, rate
h.titled(rf"{start} 3\.4K up 121K down")
upstream.close()
h.close_client()
PY
}

@test "title: changes at most once a second while bytes move" {
    world <<'PY'
(listening,) = listeners("127.0.0.1")
h, upstream = relaying("127.0.0.1", listening)
h.titled(".*(?<! connecting)")
titles, since_s = [], time.monotonic()
while len(titles) < 2:
    upstream.send(pattern(5000))
    h.client.recv(5000)
    time.sleep(0.01)  # a slow sender
    title = h.title()
    if title.endswith("/s") and title not in titles:
        titles.append(title)
took_s = time.monotonic() - since_s
assert took_s >= 1.9 * PAUSE_S, (took_s, titles)
assert all(re.search(r":\d+ [\d.]+[KM] down [\d.]+[KM]/s$", title) for title in titles), titles
PY
}

@test "title: does not wake the process while no bytes move" {
    world <<'PY'
(listening,) = listeners("127.0.0.1")
handlers = [relaying("127.0.0.1", listening), (Association(rules=["allow to any"]), None)]

def asleep(h):
    eventually(lambda: h.state() == "S", "it sleeps")
    return h.status()["voluntary_ctxt_switches"]

slept = [asleep(h) for h, _ in handlers]
time.sleep(1.5 * PAUSE_S)  # an observation
check([asleep(h) for h, _ in handlers], slept)
# Bytes that move later are shown at once.
h, upstream = handlers[0]
h.client.send(b"x")
h.titled(r".* 1 up")
PY
}

@test "title: shows each command, and version 4" {
    world <<'PY'
start = r"stdsocks: 127\.0\.0\.1 -> "
h = Binding()
where = h.binds("127.0.0.1", 21)
h.titled(start + r"BIND 127\.0\.0\.1:21 connecting")
inbound = socket.create_connection(where)
h.read_reply()
h.titled(start + r"BIND 127\.0\.0\.1:21")
inbound.sendall(pattern(1000))
h.client.recv(1000)
h.titled(start + r"BIND 127\.0\.0\.1:21 1\.0K down( .*/s)?")
a = Association(rules=["allow to any"])
a.titled(start + r"UDP ASSOCIATE 0\.0\.0\.0:0")
a.echo(udp(), pattern(3412))
a.titled(start + r"UDP ASSOCIATE 0\.0\.0\.0:0 3\.4K up 3\.4K down( .*/s)?")
names = silent_name_server()
for message, text in [
    (request_name(b"slow.test", 0, 0xF0), r"RESOLVE slow\.test:0"),
    (request("127.0.0.9", 0, 0xF1), r"RESOLVE_PTR 127\.0\.0\.9:0"),
]:
    h = Handler("-o", "command resolve")
    h.client.send(GREETING + message)
    h.titled(f"{start}{text} connecting")
(listening,) = listeners("127.0.0.1")
port = port_of(listening)
h = Handler("-o", "version 4")
h.client.send(b"\x04\x01" + port.to_bytes(2, "big") + b"\x7f\0\0\1joe\0")
upstream = accept(listening)
h.titled(start + rf"127\.0\.0\.1:{port}")
PY
}

@test "title: shows client and destination in each of their forms" {
    world <<'PY'
write("/etc/hosts", "127.0.0.1 Some.test\n")
four, six = listeners("127.0.0.1", "::1")
port = port_of(four)
for how, host, listening, text in [
    ({}, "::1", six, f"127.0.0.1 -> [::1]:{port}"),
    ({}, b"Some.test", four, f"127.0.0.1 -> Some.test:{port}"),
    ({}, b"0::1", six, f"127.0.0.1 -> [::1]:{port}"),
    ({"ends": connection(listener("::1"))}, "127.0.0.1", four, f"::1 -> 127.0.0.1:{port}"),
    ({"ends": socket.socketpair()}, "127.0.0.1", four, f"unix -> 127.0.0.1:{port}"),
]:
    h = Handler(**how)
    h.titled("stdsocks: " + re.escape(text.split()[0]) + " handshake")
    upstream = h.connected(host, listening)
    h.titled("stdsocks: " + re.escape(text))
its_stdin, stdin = os.pipe()
stdout, its_stdout = os.pipe()
h = Handler(stdin=its_stdin, stdout=its_stdout)
h.titled("stdsocks: stdio handshake")
PY
}

@test "title: quotes the user's name, and has no password" {
    world <<'PY'
write("/run/anybody", "#!/bin/sh\n", 0o755)
(listening,) = listeners("127.0.0.1")
end = f" -> 127.0.0.1:{port_of(listening)}"
every = bytes(range(1, 256))
names = b"a -> b:1\nstdsocks: c", b"\x1b]0;t\x07\x9b31m%n\\\"'", every
shown = {b"alice": "alice"} | {name: f'"{escaped(name)}"' for name in names}
for name, text in shown.items():
    h = Handler("-o", "checkpassword /run/anybody", env={**os.environ, "ROOM": "x" * 2000})
    login = b"\x01" + bytes([len(name)]) + name + b"\x0fopen-sesame-key"
    h.client.send(b"\x05\x01\x02" + login + request("127.0.0.1", port_of(listening)))
    check(h.client.recv(6), b"\x05\x02\x01\x00\x05\x00")
    upstream = accept(listening)
    h.titled(re.escape(f"stdsocks: 127.0.0.1 {text}{end}"))
    for name in "cmdline", "environ":
        with open(f"/proc/{h.pid}/{name}", "rb") as file:
            assert b"sesame" not in file.read()
PY
}

@test "title: has the room of arguments and environment, and is cut at its end" {
    world <<'PY'
host = ".".join(["x" * 60] * 4)
write("/etc/hosts", f"127.0.0.1 {host}\n")
(listening,) = listeners("127.0.0.1")
text = f"stdsocks: 127.0.0.1 -> {host}:{port_of(listening)}"

def behind(pid, size):
    """The string behind the environment, to which AT_EXECFN points: the path of the program."""
    with open(f"/proc/{pid}/auxv", "rb") as file:
        words = memoryview(file.read()).cast("N").tolist()
    with open(f"/proc/{pid}/mem", "rb") as memory:
        memory.seek(dict(zip(words[::2], words[1::2]))[31])
        return memory.read(size)

Handler.usual = ()
program = os.environ["STDSOCKS"]
arguments = len(f"{program} -o allow to any ")
missing = len(text) + 1 - arguments - len("A= ")
for size in None, 0, missing - 5, missing - 1, missing, missing + 1, missing + 3000:
    h = Handler(trace=False, env={} if size is None else {"A": "x" * size})
    upstream = h.connected(host.encode(), listening)
    room = stat(h.pid, ENV_END) - stat(h.pid, ARG_START)
    check(room, arguments + (0 if size is None else size + len("A= ")))
    if room > len(text):
        h.titled(re.escape(text))
    else:
        (start,) = h.titled(r"(.* -> .*)\.\.\.")  # a number is not cut
        assert text.startswith(start) and room - 8 < len(start + "...") < room, (start, room)
    check(behind(h.pid, len(program) + 1), program.encode() + b"\0")
PY
}

@test "title: the environment and the configuration are read before it" {
    world <<'PY'
# A checkpassword program gets the environment.
write("/run/program", '#!/bin/sh\n[ "$GIVEN" = value ] && exec "$@"\n', 0o755)
h = Handler("-o", "checkpassword /run/program", env={**os.environ, "GIVEN": "value"})
h.titled(r"stdsocks: 127\.0\.0\.1 handshake")
h.client.send(b"\x05\x01\x02\x01\x01a\x01b")
check(h.client.recv(4), b"\x05\x02\x01\x00")
h.client.close()
os.mkdir("/run/credentials")
write("/run/credentials/users", "alice:secret\n", 0o640)
h = Handler("-o", "users credential:users",
            env={**os.environ, "CREDENTIALS_DIRECTORY": "/run/credentials"})
h.titled(r"stdsocks: 127\.0\.0\.1 handshake")
h.client.send(b"\x05\x01\x02\x01\x05alice\x06secret")
check(h.client.recv(4), b"\x05\x02\x01\x00")
h.client.close()
# A denial names the option or the file of its rule.
path = "/run/" + "long/" * 20
os.makedirs(path)
write(f"{path}conf", "timeout idle 1h\ndeny port 9\nallow to any\n")
for rules, place in ((), f"{path}conf:2"), (("deny port 9",), "-o"):
    h = Handler("-f", f"{path}conf", "-o", "timeout idle 2h", rules=rules)
    h.titled(r"stdsocks: 127\.0\.0\.1 handshake")
    check(h.connect("127.0.0.1", 9), 2)
    h.refused(RULE=place, REMEDY="allow from 127.0.0.1 to 127.0.0.1 port 9")
PY
}

@test "title: ps and top show it to every user" {
    need ps top
    world <<'PY'
(listening,) = listeners("127.0.0.1")
h, upstream = relaying("127.0.0.1", listening)
title = f"stdsocks: 127.0.0.1 -> 127.0.0.1:{port_of(listening)}"
nobody = "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"
check(run(*nobody, "ps", "-o", "args=", "-p", str(h.pid)), f"{title}\n")
said = run(*nobody, "env", "TERM=dumb", "top", "-b", "-c", "-w", "200", "-n", "1", "-p", str(h.pid))
assert title in said, said
PY
}

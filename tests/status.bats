#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The status texts of a running connection, which the handler sends to $NOTIFY_SOCKET.

load helper
load net/world

prelude <<'PY'
import contextlib, os, re, socket, threading, time

from notify import Manager, PAUSE_S, settles, notify_env, watched
from socks import CHOSEN, GREETING, accept, check, listener, meanwhile, pattern, request
from world import CLOSED_PORT, Handler, connection, eventually, listeners, port_of, write
PY

setup() {
    need_world
}

# The text and the time of status messages

@test "status: a message with addresses, bytes and rates comes 1 s after the relay begins" {
    world <<'PY'
manager = Manager()
(listening,) = listeners("127.0.0.1")
since_s = time.monotonic()
h = manager.handler()
upstream = h.connected("127.0.0.1", listening)
h.client.send(pattern(3412))
upstream.recv(3412)
upstream.send(pattern(121999))
h.client.recv(121999)
(rate,) = manager.says(rf"127\.0\.0\.1 -> 127\.0\.0\.1:{port_of(listening)}, 3\.4K up, 121K down, (\d+(?:\.\d)?K)/s, \ds", pid=h.pid)
took_s = time.monotonic() - since_s
assert took_s >= PAUSE_S, took_s
# The first rate is that of all bytes since the start of the relay.
assert 125411 / took_s / 1.05 <= float(rate[:-1]) * 1000 + 1000 and float(rate[:-1]) <= 125.411, (rate, took_s)
manager.says(r".*, 3\.4K up, 121K down, \ds", pid=h.pid)
upstream.close()
h.close_client()
assert manager.silent(0)
PY
}

@test "status: a connection that ends within 1 s, or is refused, sends no message" {
    world <<'PY'
manager = Manager()
(listening,) = listeners("127.0.0.1")
begun_s = time.monotonic()
h = manager.handler()
upstream = h.connected("127.0.0.1", listening)
upstream.close()
h.client.close()
h.wait_exit()
h = manager.handler()
check(h.connect("127.0.0.1", CLOSED_PORT), 5)
h.close_client()
took_s = time.monotonic() - begun_s
# No relay begins, although the connection lasts longer than a second.
h = manager.handler()
h.client.send(GREETING)
check(h.client.recv(2), CHOSEN)
assert manager.silent(), "a message was sent before the relay"
h.close_client()
assert took_s >= PAUSE_S or manager.silent(0)
PY
}

@test "status: at most one message a second is sent while bytes move" {
    world <<'PY'
manager = Manager()
(listening,) = listeners("127.0.0.1")
since_s = time.monotonic()
h = manager.handler("-o", "rate down 4M")
upstream = h.connected("127.0.0.1", listening)

def feed():
    with contextlib.suppress(OSError):
        while True:
            upstream.sock.sendall(pattern(1 << 20))

def drain():
    with contextlib.suppress(OSError):
        while h.client.sock.recv(1 << 20):
            pass

for body in feed, drain:
    threading.Thread(target=body, daemon=True).start()
downs = []
for n in range(1, 5):
    down, unit = manager.says(r".*, 0 up, ([\d.]+)([KM]) down, [\d.]+[KM]/s, \d+s", pid=h.pid)
    took_s = time.monotonic() - since_s
    assert took_s >= n * PAUSE_S, (n, took_s)
    downs.append(float(down) * {"K": 1e3, "M": 1e6}[unit])
check(downs, sorted(set(downs)))
h.terminate()
h.wait_exit()
PY
}

@test "status: no message is sent and the handler does not wake while nothing moves" {
    world <<'PY'
manager, h, upstream = watched()
manager.says(r".*, 0 up, 0 down, \d+s", pid=h.pid)
eventually(lambda: h.state() == "S", "it sleeps")
slept = h.status()["voluntary_ctxt_switches"]
assert manager.silent()
check(h.status()["voluntary_ctxt_switches"], slept)
# Bytes that move later are reported at once, because the previous message is old enough.
h.client.send(b"x")
upstream.recv(1)
manager.says(r".*, 1 up, 0 down, \d+s", pid=h.pid, within_s=PAUSE_S * 5)
# No message is sent if only the age in the text would differ.
upstream.send(pattern(5000000))
h.client.recv(5000000)
settles(manager, r".*, 1 up, 5\.0M down, \d+s")
assert manager.silent(1.5 * PAUSE_S)  # in which one byte is less than one a second
upstream.send(b"y")
h.client.recv(1)
assert manager.silent()
h.client.send(pattern(99999))
upstream.recv(99999)
settles(manager, r".*, 100K up, 5\.0M down, \d+s")
# The end of one direction causes no message.
h.client.fin()
check(upstream.end(), (b"", "fin"))
assert manager.silent()
upstream.close()
h.wait_exit()
PY
}

@test "status: the last message after a transfer has its final counts" {
    world <<'PY'
manager, h, upstream = watched()
sent = 0
for total, shown in (700, "700"), (1000, r"1\.0K"), (250000, "250K"), (99999999, r"99\.9M"):
    with meanwhile(h.client.send, pattern(total)[sent:]):
        check(upstream.recv(total - sent), pattern(total)[sent:])
    sent = total
    settles(manager, rf".*, {shown} up, 0 down, \d+s")
    assert manager.silent(1.5)
upstream.close()
h.close_client()
PY
}

@test "status: client and destination are shown in each of their forms" {
    world <<'PY'
manager = Manager()
write("/etc/hosts", "127.0.0.1 Some.test\n")
four, six = listeners("127.0.0.1", "::1")
port = port_of(four)
client, accepted = connection(listener("::1"))
forms = [
    ({}, "127.0.0.1", four, f"127.0.0.1 -> 127.0.0.1:{port}"),
    ({}, "::1", six, f"127.0.0.1 -> [::1]:{port}"),
    ({}, b"Some.test", four, f"127.0.0.1 -> Some.test:{port}"),
    ({}, b"127.0.0.1", four, f"127.0.0.1 -> 127.0.0.1:{port}"),
    ({}, b"0::1", six, f"127.0.0.1 -> [::1]:{port}"),
    ({"ends": (client, accepted)}, "127.0.0.1", four, f"::1 -> 127.0.0.1:{port}"),
    ({"ends": socket.socketpair()}, "127.0.0.1", four, f"unix -> 127.0.0.1:{port}"),
]
wanted, handlers = {}, []
for how, host, listening, start in forms:
    h = manager.handler(**how)
    handlers.append((h, h.connected(host, listening)))
    wanted[h.pid] = start + ", 0 up, 0 down, "
its_stdin, stdin = os.pipe()
stdout, its_stdout = os.pipe()
h = manager.handler(stdin=its_stdin, stdout=its_stdout)
os.close(its_stdin), os.close(its_stdout)
os.write(stdin, GREETING + request("127.0.0.1", port))
handlers.append((h, accept(four)))
wanted[h.pid] = f"stdio -> 127.0.0.1:{port}, 0 up, 0 down, "
texts = [manager.next() for _ in handlers]
check(sorted(re.sub(r"\d+s$", "", text) for text in texts), sorted(wanted.values()))
for h, upstream in handlers:
    h.process.kill()
PY
}

@test "status: a user name is escaped, and the destination follows the last arrow" {
    world <<'PY'
manager = Manager()
(listening,) = listeners("127.0.0.1")
write("/run/anybody", "#!/bin/sh\n")
os.chmod("/run/anybody", 0o755)
behind = f" -> 127.0.0.1:{port_of(listening)}, 0 up, 0 down, "
names = {
    b"alice": "alice",
    b"a -> b:1, 5 up": "a%20->%20b:1,%205%20up",
    b"x\nSTATUS=y\nREADY=1\nMAINPID=1": "x%0aSTATUS=y%0aREADY=1%0aMAINPID=1",
    "caf\u00e9\u202e".encode(): "caf%c3%a9%e2%80%ae",
    b"\x1b]0;t\x07\x9b31m%n%s": "%1b]0;t%07%9b31m%25n%25s",
    b"\\\"'": "%5c%22'",
    b"\xff" * 255: "%ff" * 255,
    b"\n" * 255: "%0a" * 255,
}
every = bytes(range(1, 256))
names[every] = "".join(chr(b) if 32 < b < 127 and chr(b) not in '%"\\' else f"%{b:02x}" for b in every)
handlers, wanted = [], []
for name, shown in names.items():
    h = manager.handler("-o", "checkpassword /run/anybody", "-o", "auth password")
    h.client.send(b"\x05\x01\x02\x01" + bytes([len(name)]) + name + b"\x01x" + request("127.0.0.1", port_of(listening)))
    check(h.client.recv(6), b"\x05\x02\x01\x00\x05\x00")
    handlers.append((h, accept(listening)))
    wanted.append(f"127.0.0.1 {shown}{behind}")
texts = [manager.next() for _ in handlers]
check(sorted(re.sub(r"\d+s$", "", text) for text in texts), sorted(wanted))
for h, upstream in handlers:
    h.process.kill()
PY
}

# The socket to which messages are sent

@test "status: the socket can have a path or an abstract name" {
    need_root
    world <<'PY'
(listening,) = listeners("127.0.0.1")
longest = "/run/" + "p" * 102  # 107 and a NUL
for where in "/run/notify", "@stdsocks/test", "@x", "/x", longest, "@" + "n" * 106:
    manager = Manager(where)
    h = manager.handler()
    upstream = h.connected("127.0.0.1", listening)
    manager.says(r"127\.0\.0\.1 -> .*, 0 up, 0 down, \d+s", pid=h.pid)
    check(h.status()["Seccomp"], "2")  # it was connected before the lock
    upstream.close()
    h.close_client()
PY
}

@test "status: an unusable NOTIFY_SOCKET is ignored, and no descriptor stays open" {
    world <<'PY'
(listening,) = listeners("127.0.0.1")
stream = socket.socket(socket.AF_UNIX)
stream.bind("/run/stream")
stream.listen()
os.chmod("/run/stream", 0o777)
deaf = Manager("/run/closed")
deaf.sock.close()
write("/run/file", "")
h = Handler()
upstream = h.connected("127.0.0.1", listening)
count = len(h.descriptors())
upstream.close()
h.close_client()
Manager("/run/relative"), os.chdir("/run")
for where in ("", "/", "@", "x", "relative", "./relative", "/nowhere/at/all", "/run", "/run/file", "/run/stream", "/run/closed",
              "@nobody", "vsock:2:1", "/run/" + "p" * 103, "@" + "n" * 107, "/" * 5000, "\x7f\u00ff", "unix:/run/relative"):
    h = Handler(env=notify_env(where))
    upstream = h.connected("127.0.0.1", listening)
    check((where, len(h.descriptors())), (where, count))
    upstream.send(b"down")
    check(h.client.recv(4), b"down")
    upstream.close()
    h.client.close()
    h.ended(END="closed", BYTES_DOWN="4")
PY
}

# systemd sets SYSTEMD_EXEC_PID to the process that it started. inetd passes its own NOTIFY_SOCKET to
# the handlers that it starts. If they sent messages there, systemd would log a warning for each.
@test "status: no message goes to the manager of the process that started the handler" {
    world <<'PY'
manager = Manager()
(listening,) = listeners("127.0.0.1")
for pid in "1", "", "x", str(os.getpid()):
    h = Handler(env=notify_env(manager.where, SYSTEMD_EXEC_PID=pid))
    others = h, h.connected("127.0.0.1", listening)
h = Handler(env=notify_env(manager.where), before=["sh", "-c", 'SYSTEMD_EXEC_PID=$$ exec "$@"', "sh"])
upstream = h.connected("127.0.0.1", listening)
manager.says(r".*, 0 up, 0 down, \d+s", pid=h.pid)
assert manager.silent(1)
PY
}

@test "status: a full socket does not delay the relay, and the message follows later" {
    world <<'PY'
manager = Manager()
(listening,) = listeners("127.0.0.1")
full = manager.fill()
h = manager.handler()
upstream = h.connected("127.0.0.1", listening)
until_s = time.monotonic() + 2.5 * PAUSE_S
while time.monotonic() < until_s:  # across two messages that do not fit
    since_s = time.monotonic()
    h.client.send(b"ping")
    check(upstream.recv(4), b"ping")
    upstream.send(b"pong")
    check(h.client.recv(4), b"pong")
    assert time.monotonic() - since_s < 10
for _ in range(full):
    check(manager.next(), "full")
settles(manager, r".*, [\d.]+K up, [\d.]+K down, \d+s")
h.client.close()
upstream.close()
h.ended(END="closed")
PY
}

@test "status: the connection goes on if the socket goes away" {
    world <<'PY'
manager, h, upstream = watched()
manager.says(r".*, 0 up, 0 down, \d+s", pid=h.pid)
manager.sock.close()
until_s = time.monotonic() + 2.5 * PAUSE_S
while time.monotonic() < until_s:
    h.client.send(b"ping")
    check(upstream.recv(4), b"ping")
upstream.send(pattern(1000000))
check(h.client.recv(1000000), pattern(1000000))
def sleeps():
    slept = h.status()["voluntary_ctxt_switches"]
    time.sleep(1.5 * PAUSE_S)  # an observation, not a synchronisation
    return h.status()["voluntary_ctxt_switches"] == slept
eventually(sleeps, "nothing wakes it any more")
h.client.close()
upstream.close()
h.ended(END="closed", BYTES_DOWN="1000000")
PY
}

@test "status: the timeouts are kept while messages are sent" {
    world <<'PY'
manager = Manager()
(listening,) = listeners("127.0.0.1")
for timer, span_s, end in ("idle", 1, "idle-timeout"), ("half-closed", 1.5, "half-closed-timeout"), ("lifetime", 2.5, "lifetime"):
    since_s = time.monotonic()
    h = manager.handler("-o", f"timeout {timer} {int(span_s * 1000)}ms")
    upstream = h.connected("127.0.0.1", listening)
    if timer == "half-closed":
        h.client.fin()
    if timer == "lifetime":
        with contextlib.suppress(OSError):
            while True:
                upstream.sock.sendall(b"x")
                h.client.sock.recv(1)
                time.sleep(0.01)  # a slow talker
    check(h.client.end()[1], "reset")
    took_s = time.monotonic() - since_s
    assert took_s >= span_s, took_s
    record = h.ended(END=end)
    assert span_s * 1e6 <= int(record["STDSOCKS_TOTAL_USEC"]) <= (span_s + 5) * 1e6, record
PY
}

#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Limits of client addresses and of users, over all processes and both modes.

load helper
load net/world

prelude <<'PY'
import concurrent.futures, os, signal, subprocess

from prefork import Prefork, close
from slots import FILES, connected, create_files, ends_of, exceeds, granted, held, limited
from slots import replied, upstream
from socks import CHOSEN, DEADLINE_S, GREETING, accept, check, listener, login, request
from world import STDSOCKS, Handler, bound, connection_as, eventually, ip, port_of, write

LOGIN = b"\x05\x01\x02"
LOGGED_IN = b"\x05\x02\x01\x00"

def kill(h):
    """Kills a handler, after which its slots are free."""
    before = held()
    h.process.kill()
    h.process.wait(DEADLINE_S)
    assert held() < before, (held(), before)
PY

setup() {
    need_world
}

@test "slots: connection N + 1 of an address is refused, until one has ended or was killed" {
    world <<'PY'
create_files()
handlers = [limited("from 3") for _ in range(3)]
pairs = [(h, granted(h)) for h in handlers]
check(held(), 3)
exceeds(limited("from 3"), "limit from 3")
kill(handlers[0])
more = limited("from 3")
pairs.append((more, granted(more)))
exceeds(limited("from 3"), "limit from 3")
for h, other in pairs[1:]:
    h.closed(other)
check(held(), 0)
PY
}

@test "slots: of 200 connections at once, a limit of 50 permits exactly 50" {
    world <<'PY'
create_files()
write("/run/users", "alice:secret\n", 0o600)
os.chown("/run/users", *os.stat(FILES[0])[4:6])
login_first = LOGIN + login(b"alice", b"secret")
for limit, lines, before, answer in (
        ("from 50", (), GREETING, CHOSEN),
        ("user 50", ("-o", "users /run/users", "-o", "limit from none"), login_first, LOGGED_IN)):
    p = Prefork("-o", f"limit {limit}", *lines)
    ends = []
    def one_reply(_):
        one = p.client()
        ends.append(one)
        return replied(one, before, answer)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(one_reply, range(200)))
    check((replies.count(0), replies.count(2)), (50, 150))
    check(held(), 50)
    for end in *ends, *(accept(upstream) for _ in range(50)):
        end.close()
    eventually(lambda: held() == 0, "the connections end")
    p.stop()
PY
}

@test "slots: the user of a login has a limit, and each user has slots of their own" {
    world <<'PY'
create_files()
write("/run/users", "alice:secret\nbob:secret\ncarol:secret\n", 0o600)
LIMITS = "user 1", "user 2 bob,dave", "user none carol"
def start():
    return limited(*LIMITS, more=("-o", "users /run/users"))
def does(check_it, user, *limit):
    return check_it(start(), *limit, LOGIN + login(user, b"secret"), LOGGED_IN)

others = [does(granted, user) for user in (b"alice", b"bob", b"bob", b"carol", b"carol")]
check(held(), 3)
does(exceeds, b"alice", "limit user 1")
does(exceeds, b"bob", "limit user 2")
others.append(does(granted, b"carol"))
# A wrong password takes no slot, and its answer does not show the limit.
h = start()
h.client.send(LOGIN + login(b"alice", b"wrong"))
check(h.client.end()[0], b"\x05\x02\x01\x01")
h.client.close()
h.ended(END="login-failed")
PY
}

@test "slots: the user of a Unix socket has a limit, with both versions, and no address has" {
    world <<'PY'
create_files()
listening = bound()
def start(uid):
    return limited("user 1", "from 1", more=("-o", "version 4 5"),
                   ends=connection_as(listening, uid))

others = [granted(start(0)), granted(start(65534))]
check(held(), 2)
exceeds(start(65534), "limit user 1")
h = start(0)
h.client.send(b"\x04\x01" + port_of(upstream).to_bytes(2, "big") + b"\x7f\0\0\1\0")
check(h.client.recv(8)[:2], b"\x00\x5b")
h.refused(REPLY="2")
assert "(limit user 1)" in h.log_text()
# Without a user there is no limit.
for _ in range(2):
    others.append(granted(limited("user 1", "from none")))
PY
}

@test "slots: an IPv6 prefix of 64 bits counts as one client, and a mapped address as IPv4" {
    world <<'PY'
create_files()
ip(*(f"address add 2001:db8:0:{n}/128 dev lo nodad" for n in ("1::1", "1::2", "1:2::3", "2::1")))
six, both = listener("2001:db8:0:1::1"), listener("::")
def start(source, listening=six, to=None):
    return limited("from 1", ends=ends_of(listening, source, to))

others = [granted(start("2001:db8:0:1::1"))]
for source in "2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:1:2::3":
    exceeds(start(source), "limit from 1")
others.append(granted(start("2001:db8:0:2::1")))
others.append(granted(start("::1", both, ("::1", port_of(both)))))
others.append(granted(start("127.0.0.1", listener())))
exceeds(start("127.0.0.1", both, ("127.0.0.1", port_of(both))), "limit from 1")
others.append(granted(start("127.0.0.2", both, ("127.0.0.1", port_of(both)))))
check(held(), 5)
PY
}

@test "slots: every command has a slot until its process ends" {
    world <<'PY'
create_files()
def start():
    return limited("from 1", more=("-o", "command connect bind udp resolve"))

NONE = "0.0.0.0"
for command in 2, 3:  # BIND, UDP ASSOCIATE
    h = start()
    h.client.send(GREETING + request("127.0.0.1" if command == 2 else NONE, 0, command))
    check(h.client.recv(12)[:4], CHOSEN + b"\x05\x00")
    check(held(), 1)
    exceeds(start(), "limit from 1")
    h.terminate()
    h.wait_exit()
for _ in range(2):  # RESOLVE
    h = start()
    h.client.send(GREETING + request("127.0.0.1", 0, 0xF0))
    check(h.client.recv(4)[:4], CHOSEN + b"\x05\x00")
    h.client.close()
    h.wait_exit()
# A stopped process still has it.
h = start()
other = granted(h)
h.stop()
exceeds(start(), "limit from 1")
h.go_on()
h.closed(other)
check(held(), 0)
PY
}

@test "slots: a client above the limit has one second for its request" {
    world <<'PY'
create_files()
h = limited("from 1")
other = granted(h)
late = limited("from 1", more=("-o", "timeout handshake 20s"))
check(late.client.end(), (b"", "fin"))
record = late.ended(END="handshake-timeout")
check(1000000 <= int(record["STDSOCKS_TOTAL_USEC"]) < 10000000, True)
assert ": handshake timeout (limit from 1), " in late.log_text(), late.log_text()
# A shorter timeout still applies.
short = limited("from 1", more=("-o", "timeout handshake 100ms"))
check(short.client.end(), (b"", "fin"))
record = short.ended(END="handshake-timeout")
check(int(record["STDSOCKS_TOTAL_USEC"]) < 1000000, True)
PY
}

@test "slots: a checkpassword program gets no descriptor of the files" {
    world <<'PY'
create_files()
write("/run/program", "#!/bin/sh\nls -l /proc/self/fd >/run/seen/fds\ncat <&3 >/dev/null\n", 0o755)
os.mkdir("/run/seen", 0o777)
os.chmod("/run/seen", 0o777)
lines = "-o", "checkpassword /run/program"
other = granted(limited("user 1", "from 1", more=lines), LOGIN + login(b"a", b"b"), LOGGED_IN)
check(held(), 2)
p = Prefork(*lines, "-o", "limit user 1", "-o", "limit from 2")
for seen in range(2):
    with open("/run/seen/fds", encoding="ascii") as fds:
        text = fds.read()
    assert "/dev/null" in text and "slots" not in text, text
    os.unlink("/run/seen/fds")
    if seen == 0:
        check(replied(p.client(), LOGIN + login(b"c", b"b"), LOGGED_IN), 0)
        close((accept(upstream),))
p.stop()
PY
}

@test "slots: a full limit is tried slot by slot, and half of one needs few system calls" {
    need strace
    world <<'PY'
create_files()

def traced():
    """Starts a handler under strace."""
    calls = f"{os.environ['WORLD']}/calls-{Handler.count}"
    return calls, limited("from 50", trace=False,
                          before=["strace", "-f", "-e", "trace=fcntl", "-o", calls])

def locks(calls):
    with open(calls, encoding="ascii") as lines:
        return lines.read().count("F_SETLK")

def fill(count):
    for h in [limited("from 50") for _ in range(count)]:
        granted(h)

calls, h = traced()
other = granted(h)
check(locks(calls), 1)
fill(25)
calls, h = traced()
other = granted(h)
# Each attempt finds a free slot with a probability of 1/2.
assert 1 <= locks(calls) <= 24, locks(calls)
fill(23)
calls, h = traced()
check(replied(h.client), 2)
h.client.close()
h.wait_exit()
check(locks(calls), 50)
PY
}

@test "slots: both modes count together" {
    world <<'PY'
create_files()
p = Prefork("-o", "limit from 2")
pair = p.connect(upstream)
h = limited("from 2")
other = granted(h)
check(held(), 2)
check(replied(p.client()), 2)
exceeds(limited("from 2"), "limit from 2")
close(pair)
eventually(lambda: held() == 1, "the slot is free")
pair = p.connect(upstream)
exceeds(limited("from 2"), "limit from 2")
assert "(limit from 2)" in p.log_text()
p.stop()
PY
}

@test "slots: no client is served without the files, and --check says so" {
    world <<'PY'
def fails(error, path, advice, *limits, mode=None):
    h = limited(*limits, more=("-o", "sandbox best-effort"))
    check(h.client.sock.send(GREETING + request("127.0.0.1", port_of(upstream))), 13)
    check(h.client.recv(4), CHOSEN + b"\x05\x01")
    h.ends(status=71, last=bytes(1) + b"\x01" + bytes(6), END="failed", REPLY="1")
    assert f"cannot count connections with {path}; " in h.log_text(), h.log_text()
    checked = check_it(*limits)
    check((checked.returncode, checked.stdout), (78, ""))
    assert f"{path}: {error}; {advice}" in checked.stderr, checked.stderr

def check_it(*limits):
    lines = [word for limit in limits for word in ("-o", f"limit {limit}")]
    return subprocess.run([STDSOCKS, *lines, "--check"], capture_output=True, text=True,
                          check=False)

CREATE = 'run "systemd-tmpfiles --create stdsocks.conf" to create it'
for limit in "from 1", "user 1", "user 1 alice":
    fails("No such file or directory", FILES[0], CREATE, limit)
create_files()
for limit in "from 1", "user 1":
    check(check_it(limit).returncode, 0)
os.chown(FILES[2], 0, 0)
fails("Permission denied", FILES[2], CREATE, "from 1")
# The default of prefork mode needs them, too, if there is the folder.
check(check_it().returncode, 78)
check(check_it("from none").returncode, 0)
create_files("fifteen bytes..")
fails("it has fewer than 16 bytes", FILES[0], "write random bytes to it", "from 1")
create_files("sixteen bytes...")
check(check_it("from 1").returncode, 0)
os.chmod(FILES[3], 0o604)
checked = check_it("from 1")
check((checked.returncode, checked.stderr),
      (78, f"{FILES[3]}: other users can lock it; run chmod 600\n"))
PY
}

@test "slots: prefork mode permits 500 connections of one address by default" {
    world <<'PY'
for has_files in False, True:
    if has_files:
        create_files()
    p = Prefork("-o", "timeout handshake 1h")
    ends = [p.client() for _ in range(500)]
    for end in ends:
        end.send(GREETING)
    for end in ends:
        check(end.recv(2), CHOSEN)
    one = p.client()
    check(replied(one), 2)
    one.close()
    ends.pop().close()
    pair = connected(p)
    eventually(lambda: "(limit from 500)" in p.log_text(), "the record")
    if has_files:
        check(held(), 500)
    close(pair)
    for end in ends:
        end.close()
    p.stop()
PY
}

@test "slots: limit from none lifts the default of prefork mode, and 501 are served" {
    world <<'PY'
p = Prefork("-o", "limit from none", "-o", "timeout handshake 1h")
ends = [p.client() for _ in range(501)]
for end in ends[:-1]:
    end.send(GREETING)
    check(end.recv(2), CHOSEN)
check(replied(ends[-1]), 0)
p.stop()
PY
}

@test "slots: prefork mode needs the files for a configured limit, or if there is the folder" {
    world <<'PY'
def refuses(path, *options):
    p = Prefork(*options)
    check(replied(p.client()), 1)
    eventually(lambda: f"cannot count connections with {path}; " in p.log_text(), "the record")
    p.stop()

refuses(FILES[0], "-o", "limit from 500")
refuses(FILES[0], "-o", "limit user 500")
create_files()
os.unlink(FILES[1])
refuses(FILES[1])
PY
}

@test "slots: connections count after the zygote, the supervisor and the configuration changed" {
    world <<'PY'
write("/run/conf", "timeout handshake 1h\n")
for has_files in False, True:
    if has_files:
        create_files()
        write("/run/conf", "limit from 2\n")
    p = Prefork("-f", "/run/conf", rules=("allow to any",))
    if not has_files:
        # The default is 500, so all but two are taken by connections that send nothing.
        silent = [p.client() for _ in range(498)]
        for end in silent:
            end.send(GREETING)
            check(end.recv(2), CHOSEN)
    pairs = [p.connect(upstream) for _ in range(2)]
    check(replied(p.client()), 2)
    zygote = p.zygote()
    os.kill(zygote, signal.SIGKILL)
    eventually(lambda: p.zygote() != zygote, "another zygote")
    check(replied(p.client()), 2)
    zygote = p.zygote()
    p.process.send_signal(signal.SIGHUP)
    eventually(lambda: p.zygote() != zygote, "another supervisor")
    check(replied(p.client()), 2)
    close(pairs.pop())
    pairs.append(connected(p))
    check(replied(p.client()), 2)
    for pair in pairs:
        close(pair)
    p.stop()
PY
}

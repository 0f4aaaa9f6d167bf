#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Prefork mode: standard input, or the descriptors of $LISTEN_FDS, are listening sockets.

load helper
load net/world

prelude <<'PY'
import contextlib, os, signal, socket, subprocess, threading, time

from logs import JOURNAL, SYSLOG, Reader, fields
from prefork import ACCEPT4, KILL, Prefork, children, close, status_of, syscall, works
from socks import CHOSEN, DEADLINE_S, GREETING, accept, check, listener, login, request
from socks import request_name
from world import STDSOCKS, bound, eventually, libc, port_of, run, sys_call, take, write

upstream = listener()

def method(p, greeting=GREETING):
    """Returns the answer to a greeting."""
    one = p.client()
    one.send(greeting)
    answer = one.recv(2)
    one.close()
    return answer

def is_served_next(waiting, pairs):
    """Ends a connection, after which the waiting client is served. The others go on."""
    close(pairs.pop())
    check(waiting.recv(2), CHOSEN)
    for pair in pairs:
        close(works(pair))

def ticks(pids):
    """Returns the CPU time that processes have used, in clock ticks. Some may have ended."""
    used = 0
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), \
                open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            used += sum(map(int, stat.read().rpartition(")")[2].split()[11:13]))
    return used
PY

setup() {
    need_world
    ! sanitized || export SANITIZED=yes
}

@test "prefork: serves connections of a listening standard input, each with a process of its own" {
    world <<'PY'
p = Prefork()
pids = p.ready()
pairs = [p.connect(upstream) for _ in range(20)]
for pair in pairs:
    works(pair)
p.ready()
check(len(children(p.zygote())), 28)
for pair in pairs:
    close(pair)
eventually(lambda: len(children(p.zygote())) == 8, "the processes end")
eventually(lambda: p.log_text().count("closed by") == 20, "20 records")
p.stop()
PY
}

@test "prefork: serves every descriptor of LISTEN_FDS" {
    world <<'PY'
socks = [listener(), listener("::1"), listener()]
p = Prefork(fds=socks)
for _ in range(3):
    for sock in socks:
        p.listening = sock
        p.serves(upstream)
p.stop()
PY
}

@test "prefork: serves with any kind of standard output and standard error" {
    world <<'PY'
listening = listener()
with open("/run/both", "wb") as both:
    for files in {"stderr": listening, "stdout": listening}, \
            {"stderr": subprocess.DEVNULL}, {"stdout": both, "stderr": both}:
        p = Prefork(listening=listening, **files)
        p.serves(upstream)
        p.stop()
    for closed in "<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-":
        p = Prefork(fds=[listening], before=["sh", "-c", f'exec "$@" {closed}', "sh"])
        p.serves(upstream)
        p.stop()
with open("/run/both", encoding="utf-8") as both:
    check(both.read().count("closed by"), 1)
PY
}

@test "prefork: serves 16 descriptors of LISTEN_FDS, and reports an error if there are more" {
    world <<'PY'
socks = [listener() for _ in range(17)]
p = Prefork(fds=socks[:16])
for sock in socks[0], socks[15]:
    p.listening = sock
    p.serves(upstream)
p.stop()
p = Prefork(fds=socks)
p.wait_exit(64)
assert "LISTEN_FDS has more than 16 sockets; " in p.log_text(), p.log_text()
PY
}

@test "prefork: serves AF_UNIX, and logs the user who has connected" {
    world <<'PY'
p = Prefork(listening=bound("/run/socks"), rules=("allow user nobody to any",))
os.seteuid(65534)
one = p.client()
os.seteuid(0)
one.send(GREETING + request("127.0.0.1", port_of(upstream)))
check(one.recv(12)[:4], CHOSEN + b"\x05\x00")
close((one, accept(upstream)))
eventually(lambda: "nobody" in p.log_text(), "the record")
one = p.client()  # root, whom no rule allows
one.send(GREETING + request("127.0.0.1", port_of(upstream)))
check(one.recv(12)[:4], CHOSEN + b"\x05\x02")
p.stop()
PY
}

@test "prefork: serves all commands and both versions" {
    world <<'PY'
p = Prefork("-o", "command connect bind udp resolve", "-o", "version 4 5")
p.serves(upstream)
one = p.client()
one.send(b"\x04\x01" + port_of(upstream).to_bytes(2, "big") + b"\x7f\0\0\1joe\0")
check(one.recv(2), b"\x00\x5a")
close((one, accept(upstream)))
for command, host in (3, b"0.0.0.0"), (0xF0, b"localhost"), (2, b"127.0.0.1"):
    one = p.client()
    one.send(GREETING + request_name(host, 0, command))
    check((command, one.recv(4)), (command, CHOSEN + b"\x05\x00"))
    one.close()
p.stop()
PY
}

@test "prefork: verifies passwords with users and with a checkpassword program" {
    world <<'PY'
write("/run/users", "alice:secret\n", 0o644)
os.chmod("/run/users", 0o640)
os.chown("/run/users", 0, 0)
write("/run/program", "#!/bin/sh\nIFS= read -r x <&3; exit 1\n", 0o755)
for options, answer in (["-o", "users /run/users"], b"\x01\x00"), \
        (["-o", "checkpassword /bin/true"], b"\x01\x00"), \
        (["-o", "checkpassword /run/program"], b"\x01\x01"):
    p = Prefork(*options)
    for _ in range(3):
        one = p.client()
        one.send(b"\x05\x01\x02" + login(b"alice", b"secret"))
        check((options, one.recv(4)), (options, b"\x05\x02" + answer))
        one.close()
    p.stop()
PY
}

@test "prefork: reports how many connections have ended before a valid greeting" {
    world <<'PY'
journal = Reader(JOURNAL)
write("/run/conf", "allow to any\nprefork idle-exit 200ms\n")
p = Prefork("-f", "/run/conf", rules=())

def strangers(count):
    for number in range(count):
        one = p.client()
        one.send(b"GET / HTTP/1.0\r\n\r\n" if number % 2 else b"\x05\x01")
        one.fin()
        one.end()
        one.close()

def report():
    lines = [fields(datagram) for datagram in journal.all()]
    ends = sorted(line["PRIORITY"] for line in lines if "STDSOCKS_END" in line)
    check(ends, ["5"] + ["6"] * COUNT)
    (line,) = (line for line in lines if line.get("MESSAGE_ID") == ID)
    check(line["PRIORITY"], "5")
    return line["MESSAGE"]

COUNT, ID = 7, "9ce4f6e7e9b34520b5e1d0bc916eeaac"
pair = p.connect(upstream)
strangers(3)
old, late = p.zygote(), p.client()
eventually(lambda: len(children(old)) == 10, "they have ended")
write("/run/conf", "allow to any\nprefork idle-exit 201ms\n")
eventually(lambda: old not in children(p.pid), "another zygote")
p.ready()
late.close()
strangers(3)
close(pair)
p.wait_exit()
check(report(), "connections that ended before a valid SOCKS greeting in the last minute: 7")
PY
}

@test "prefork: \"connections\" limits them; further clients wait in the kernel's queue" {
    world <<'PY'
p = Prefork("-o", "prefork connections 5", "-o", "prefork ready 3")
p.ready(3)
pairs = [p.connect(upstream) for _ in range(5)]
waiting = p.client()
waiting.send(GREETING)
(zygote,) = children(p.pid)
check(len(children(zygote)), 5)
assert waiting.open_and_silent()
is_served_next(waiting, pairs)
p.stop()
PY
}

@test "prefork: the limit holds when the zygote is replaced or the program is executed again" {
    world <<'PY'
write("/run/conf", "allow to any\nprefork connections 4\n")
p = Prefork("-f", "/run/conf", rules=())
pairs = [p.connect(upstream) for _ in range(4)]
waiting = p.client()
waiting.send(GREETING)

def processes():
    own = children(p.pid)
    return set(own).union(*map(children, own))

for number in range(6):
    before = processes()
    if number % 2:
        p.signal(signal.SIGHUP)
    else:
        # A zygote that reads no file, or an empty one, has the default limit.
        write("/run/new", f"allow to any\nprefork connections 4\n# {number}\n")
        os.rename("/run/new", "/run/conf")
    eventually(lambda: processes() - before, "a new zygote")
    check(waiting.open_and_silent(0.1), True)
is_served_next(waiting, pairs)
p.stop()
PY
}

@test "prefork: more children are ready after a burst, at most 64, and fewer later" {
    world <<'PY'
p = Prefork("-o", "prefork ready 2")
p.ready(2)
clients = [p.client() for _ in range(100)]
for one in clients:
    one.send(GREETING)
for one in clients:
    check(one.recv(2), CHOSEN)

def count():
    return sum(syscall(pid) == ACCEPT4 for pid in children(p.zygote()))

assert 2 < eventually(count, "ready children") <= 64
for one in clients:
    one.close()
p.ready(2)
p.stop()
PY
}

@test "prefork: exits after \"idle-exit\" without a connection, but not before" {
    world <<'PY'
p = Prefork("-o", "prefork idle-exit 500ms")
pair = p.connect(upstream)
time.sleep(0.8)
check(p.process.poll(), None)
works(pair)
began_s = time.monotonic()
close(pair)
p.wait_exit()
assert time.monotonic() - began_s >= 0.5
check(p.log_text().count("ended by"), 0)
p = Prefork("-o", "prefork idle-exit none")
p.ready()
time.sleep(0.3)
check(p.process.poll(), None)
p.stop()
PY
}

@test "prefork: a connection that arrives while the idle service exits is served" {
    world <<'PY'
listening, served = listener(), 0
stop = threading.Event()

def restart():
    """A super-server: starts the service while a connection waits."""
    while not stop.is_set():
        Prefork("-o", "prefork idle-exit 1ms", listening=listening).wait_exit()

thread = threading.Thread(target=restart)
thread.start()
for _ in range(100):
    one = socket.create_connection(listening.getsockname(), DEADLINE_S)
    one.sendall(GREETING)
    check(one.recv(2), CHOSEN)
    one.close()
stop.set()
thread.join()
PY
}

@test "prefork: a changed file holds for the next connection" {
    world <<'PY'
write("/run/conf", "allow to any\n")
write("/run/users", "alice:secret\n", 0o640)
p = Prefork("-f", "/run/conf", rules=())
p.ready()
check(method(p), CHOSEN)
open_pair = p.connect(upstream)

password = "users /run/users\nallow to any\n"
for change in [
    lambda text: write("/run/conf", text),
    lambda text: (write("/run/conf.new", text), os.rename("/run/conf.new", "/run/conf")),
]:
    for _ in range(5):
        change(password)
        check(method(p), b"\x05\xff")
        change("allow to any\n")
        check(method(p), CHOSEN)
with open("/run/conf", "w", encoding="ascii") as file:  # in place
    file.write(password)
check(method(p, b"\x05\x01\x02"), b"\x05\x02")
write("/run/users", "bob:other\n", 0o640)
one = p.client()
one.send(b"\x05\x01\x02" + login(b"bob", b"other"))
check(one.recv(4), b"\x05\x02\x01\x00")
works(open_pair)  # it is not affected
close(open_pair)
p.ready()
p.stop()
PY
}

@test "prefork: a change behind symbolic links holds for the next connection" {
    world <<'PY'
for number, text in (1, "allow to any\n"), (2, "version 4\nallow to any\n"):
    os.mkdir(f"/run/{number}")
    write(f"/run/{number}/conf", text)
os.symlink("1", "/run/data")
os.mkdir("/run/etc")
os.symlink("/run/data/conf", "/run/etc/conf")
p = Prefork("-f", "/run/etc/conf", rules=())
for _ in range(5):
    for number, answer in (1, CHOSEN), (2, b"\x05\xff"):
        os.symlink(str(number), "/run/new")
        os.rename("/run/new", "/run/data")
        check((number, method(p)), (number, answer))
p.stop()
PY
}

@test "prefork: with an invalid configuration, each client is refused, and the service goes on" {
    world <<'PY'
write("/run/conf", "allow to any\n")
p = Prefork("-f", "/run/conf", rules=())
check(method(p), CHOSEN)
write("/run/conf", "alow to any\n")
for _ in range(20):
    one = p.client()
    one.send(GREETING + request("127.0.0.1", port_of(upstream)))
    check(one.recv(4), CHOSEN + b"\x05\x01")
    one.close()
eventually(lambda: "exited with status 78" in p.log_text(), "the status")
assert "invalid configuration" in p.log_text(), p.log_text()
write("/run/conf", "allow to any\n")
p.serves(upstream)
p.stop()
PY
}

@test "prefork: SIGHUP executes the program again; connections go on" {
    world <<'PY'
p = Prefork()
pair = p.connect(upstream)
zygote = p.zygote()
p.signal(signal.SIGHUP)
eventually(lambda: zygote not in children(p.pid) and p.ready(), "a new zygote")
works(pair)
p.serves(upstream)
check(p.process.poll(), None)
close(pair)
p.stop()
PY
}

@test "prefork: SIGTERM ends the service; connections go on, and none in the queue is lost" {
    world <<'PY'
listening = listener()
p = Prefork(listening=listening)
pair = p.connect(upstream)
p.stop()
works(pair)
waiting = socket.create_connection(listening.getsockname(), DEADLINE_S)
waiting.sendall(GREETING)
p = Prefork(listening=listening)
check(waiting.recv(2), CHOSEN)
works(pair)
close(pair)
p.stop()
PY
}

@test "prefork: when the service has ended, no process has its listening sockets" {
    world <<'PY'
port = 0
for _ in range(20):
    listening = listener(port=port)
    port = listening.getsockname()[1]
    p = Prefork("-o", "prefork ready 30", listening=listening)
    p.ready(30)
    listening.close()
    p.stop()
PY
}

@test "prefork: no connection is lost if files change while the service is executed again" {
    world <<'PY'
write("/run/conf", "allow to any\n")
listening = listener()
p = Prefork("-f", "/run/conf", listening=listening, rules=())
p.ready()  # before that, SIGHUP would end it
stop = threading.Event()

def disturb():
    for number in range(100):
        write("/run/conf.new", f"allow to any\n# {number}\n")
        os.rename("/run/conf.new", "/run/conf")
        p.signal(signal.SIGHUP)
        time.sleep(0.01)
    stop.set()

thread = threading.Thread(target=disturb)
thread.start()
while not stop.is_set():
    check(method(p), CHOSEN)
thread.join()
p.stop()
PY
}

@test "prefork: if a process is killed, only its connection ends" {
    world <<'PY'
p = Prefork()
p.ready()
for turn in range(3):
    pair = p.connect(upstream)
    zygote = p.zygote()
    ready = p.ready()
    if turn == 0:
        os.kill(ready[0], signal.SIGKILL)
        p.ready()
    elif turn == 1:
        os.kill(zygote, signal.SIGKILL)
        eventually(lambda: all(syscall(pid) == "gone" for pid in ready), "they have ended")
    else:
        (victim,) = set(children(zygote)) - set(ready)
        other = p.connect(upstream)
        os.kill(victim, signal.SIGKILL)
        check(pair[0].end(), (b"", "fin"))
        eventually(lambda: "ended by signal 9; the connection" in p.log_text(), "a message")
        pair = other
    close(works(pair))
    p.serves(upstream)
    eventually(lambda: children(p.zygote()) == p.ready(), "all connections have ended")
p.stop()
PY
}

@test "prefork: if the supervisor is killed, relays go on and ready processes exit" {
    world <<'PY'
listening = listener()
p = Prefork(listening=listening)
pair = p.connect(upstream)
ready = p.ready()
p.signal(signal.SIGKILL)
p.process.wait()
eventually(lambda: all(syscall(pid) == "gone" for pid in ready), "they have ended")
works(pair)
waiting = socket.create_connection(listening.getsockname(), DEADLINE_S)
waiting.sendall(GREETING)
p = Prefork(listening=listening)
check(waiting.recv(2), CHOSEN)
works(pair)
p.stop()
PY
}

@test "prefork: systemd is told when the service is ready, reloads and stops" {
    world <<'PY'
sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sock.bind("/run/notify")
sock.settimeout(DEADLINE_S)

def receive(wanted):
    while wanted not in (text := sock.recv(1000).decode()):
        pass
    return text

p = Prefork(env=os.environ | {"NOTIFY_SOCKET": "/run/notify"})
assert receive("READY=1").startswith("READY=1\nSTATUS=0 connections, 8 processes ready")
for pid in [p.zygote(), *p.ready()]:
    with open(f"/proc/{pid}/environ", encoding="ascii") as environ:
        assert "/run/notify" not in environ.read(), pid
pair = p.connect(upstream)
receive("STATUS=1 connections")
close(pair)
receive("STATUS=0 connections")
p.signal(signal.SIGHUP)
assert "MONOTONIC_USEC=" in receive("RELOADING=1")
receive("READY=1")
p.signal(signal.SIGTERM)
receive("STOPPING=1")
p.wait_exit()
PY
}

@test "prefork: a supervisor that is not root, or has no capabilities, works like another" {
    world <<'PY'
def score(pid):
    with open(f"/proc/{pid}/oom_score_adj", encoding="ascii") as file:
        return file.read()

nobody = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
for before in nobody, ["setpriv", "--bounding-set=-all,+setuid,+setgid,+dac_read_search"]:
    p = Prefork(before=["choom", "-n", "100", "--", *before])
    p.serves(upstream)
    wanted = ["100\n"] * 2 + ["500\n"] * 8
    eventually(lambda: [score(pid) for pid in (p.pid, p.zygote(), *p.ready())] == wanted, "scores")
    zygote = p.zygote()
    p.signal(signal.SIGHUP)
    eventually(lambda: zygote not in children(p.pid) and p.ready(), "a new zygote")
    p.serves(upstream)
    p.stop()
PY
}

@test "prefork: a ready process is in the sandbox, has few descriptors, and cannot fork" {
    world <<'PY'
def title(pid):
    with open(f"/proc/{pid}/cmdline", encoding="ascii") as text:
        return text.read().rstrip("\0")

p = Prefork()
for pid in p.ready():
    status = status_of(pid)
    names = "NoNewPrivs", "Seccomp", "Seccomp_filters", "CapEff"
    check([status[name].split()[0] for name in names], ["1", "2", "2", "0" * 16])
    assert "0" not in status["Uid"].split()
    with open(f"/proc/{pid}/limits", encoding="ascii") as limits:
        has_limit = any(line.startswith("Max address space") and "67108864" in line
                        for line in limits)
    check(has_limit, not os.environ.get("SANITIZED"))  # sanitizers reserve terabytes
    with open(f"/proc/{pid}/oom_score_adj", encoding="ascii") as score:
        check(score.read(), "500\n")
    check(title(pid), "stdsocks: ready")
check(title(p.zygote()), "stdsocks: zygote")
def score(pid):
    with open(f"/proc/{pid}/oom_score_adj", encoding="ascii") as file:
        return file.read()

for pid in p.pid, p.zygote():  # the zygote has that of its children while it forks them
    eventually(lambda: score(pid) == "0\n", "the score")
p.stop()
PY
}

@test "prefork: a process that is not needed any more serves a connection that it has accepted" {
    need strace
    world <<'PY'
p = Prefork("-o", "prefork ready 2")
p.ready(2)
clients = [p.client() for _ in range(12)]
for one in clients:
    one.send(GREETING)
for one in clients:
    check(one.recv(2), CHOSEN)
close(clients)
zygote = p.zygote()
with subprocess.Popen(["strace", "-qq", "-o", "/run/strace", "-e", "trace=kill", "-e",
                       "inject=kill:delay_enter=500000", "-p", str(zygote)]) as tracer:
    eventually(lambda: syscall(zygote) == KILL, "the first signal")
    served = [p.client() for _ in children(zygote)]  # all processes accept
    for one in served:
        one.send(GREETING)
        check(one.recv(2), CHOSEN)
    time.sleep(0.6)
    tracer.terminate()
p.ready(2)
for one in served:
    assert one.open_and_silent(0)
p.stop()
PY
}

@test "prefork: processes that cannot accept a connection do not spin" {
    world <<'PY'
def only_ready(pids):
    """Returns 4 processes if all of them wait for a connection."""
    titles = []
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), \
                open(f"/proc/{pid}/cmdline", encoding="ascii") as text:
            titles.append(text.read().rstrip("\0"))
    return titles == ["stdsocks: ready"] * 4 and pids

def unblock(p):
    """As another process that has the socket."""
    p.listening.setblocking(False)
    for _ in range(20):  # until each process has returned to accept4(2)
        p.serves(upstream)

for disturb in unblock, lambda p: p.listening.shutdown(socket.SHUT_RDWR):
    p = Prefork("-o", "prefork ready 4")
    p.ready(4)
    (zygote,) = children(p.pid)
    disturb(p)
    pids = eventually(lambda: only_ready(children(zygote)), "4 processes wait")
    before = ticks(pids)
    time.sleep(1)
    used = ticks(pids) - before
    assert used < 10, used
    p.stop()
PY
}

@test "prefork: a checkpassword program starts with no blocked signals" {
    world <<'PY'
write("/run/program", "#!/bin/sh\nIFS= read -r x <&3; sleep 0.1 & wait; exec \"$@\"\n", 0o755)
p = Prefork("-o", "checkpassword /run/program")
one = p.client()
one.send(b"\x05\x01\x02" + login(b"alice", b"secret"))
check(one.recv(4), b"\x05\x02\x01\x00")
one.close()
p.stop()
PY
}

@test "prefork: the zygote is replaced also if a link between a path and its file changes" {
    world <<'PY'
for number, text in (1, "allow to any\n"), (2, "version 4\nallow to any\n"):
    os.mkdir(f"/run/{number}")
    write(f"/run/{number}/conf", text)
os.symlink("1", "/run/data")
os.mkdir("/run/etc")
os.symlink("/run/data/conf", "/run/etc/conf")
p = Prefork("-f", "/run/etc/conf", rules=())
p.ready()
zygote = p.zygote()
os.symlink("2", "/run/new")
os.rename("/run/new", "/run/data")
check(method(p), b"\x05\xff")
eventually(lambda: zygote not in children(p.pid) and p.ready(), "a new zygote")
check(method(p), b"\x05\xff")
p.stop()
PY
}

@test "prefork: no client is served by an old configuration if the supervisor cannot serve it" {
    world <<'PY'
write("/run/conf", "allow to any\nprefork ready 64\n")
# More descriptors than this limit cannot be on their way (unix(7), ETOOMANYREFS).
nobody = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "prlimit",
          "--nofile=32:32"]
p = Prefork("-f", "/run/conf", rules=(), before=nobody)
p.ready(64)
stopped = p.zygote(), p.pid
for pid in stopped:
    os.kill(pid, signal.SIGSTOP)
write("/run/conf", "deny to any\n")
clients = [p.client() for _ in range(60)]
for one in clients:
    one.send(GREETING + request("127.0.0.1", port_of(upstream)))
eventually(lambda: p.log_text().count("the supervisor cannot take it") > 20, "refusals")
for pid in stopped:
    os.kill(pid, signal.SIGCONT)
for one in clients:
    check(one.recv(3), CHOSEN + b"\x05")
    assert one.recv(1) in b"\x01\x02"
p.stop()
PY
}

@test "prefork: with a passwords file that cannot be read, each client is refused" {
    world <<'PY'
write("/run/users", "alice:secret\n", 0o600)
nobody = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
p = Prefork("-o", "users /run/users", before=nobody)
p.ready()
zygote = p.zygote()
for _ in range(5):
    check(method(p, b"\x05\x01\x02"), b"\x05\x02")
time.sleep(0.2)
check(p.zygote(), zygote)
os.chown("/run/users", 65534, 65534)
one = p.client()
one.send(b"\x05\x01\x02" + login(b"alice", b"secret"))
check(one.recv(4), b"\x05\x02\x01\x00")
p.stop()
PY
}

@test "prefork: the service goes on if its program cannot be executed again, and logs that" {
    world <<'PY'
write("/run/conf", "allow to any\n")
run("cp", STDSOCKS, "/run/program")
copy = ["sh", "-c", 'shift; exec /run/program "$@"', "sh"]
p = Prefork("-f", "/run/conf", rules=(), before=copy)
p.ready()
zygote = p.zygote()
os.unlink("/run/program")
p.signal(signal.SIGHUP)
eventually(lambda: zygote not in children(p.pid) and p.ready(), "a new zygote")
assert "cannot execute this program again: No such file" in p.log_text(), p.log_text()
p.serves(upstream)
os.kill(p.zygote(), signal.SIGSTOP)
write("/run/conf", "deny to any\n")
check(p.client().end(), (b"", "fin"))
assert "for a connection: No such file or directory; the connection" in p.log_text(), p.log_text()
p.stop()
PY
}

@test "prefork: if the user may not see a file, each connection gets a new process that reads it" {
    world <<'PY'
for folder in "/run/first", "/run/second":
    os.mkdir(folder, 0o700)
write("/run/first/users", "alice:secret\n", 0o600)
write("/run/second/users", "bob:secret\n", 0o600)
os.symlink("first", "/run/secret")
p = Prefork("-o", "users /run/secret/users")

def verifies(good, bad):
    for user, answer in (good, b"\x01\x00"), (bad, b"\x01\x01"):
        one = p.client()
        one.send(b"\x05\x01\x02" + login(user, b"secret"))
        check((user, one.recv(4)), (user, b"\x05\x02" + answer))
        one.close()

p.ready()
zygote = p.zygote()
for _ in range(5):
    verifies(b"alice", b"bob")
os.symlink("second", "/run/new")
os.rename("/run/new", "/run/secret")
verifies(b"bob", b"alice")
with open("/run/second/users", "w", encoding="ascii") as file:
    file.write("eve:secret\n")
verifies(b"eve", b"bob")
os.rename("/run/second", "/run/third")
os.rename("/run/first", "/run/second")
verifies(b"alice", b"eve")
p.ready()
check(p.zygote(), zygote)
p.stop()
PY
}

@test "prefork: a reason to refuse clients is examined for each connection" {
    world <<'PY'
p = Prefork("-o", "checkpassword /run/program")
p.ready()
one = p.client()
one.send(b"\x05\x01\x02" + login(b"alice", b"secret"))
check(one.recv(3), b"\x05\x02\x01")
assert one.recv(1) != b"\0"
write("/run/program", "#!/bin/sh\nexit 0\n", 0o755)
one = p.client()
one.send(b"\x05\x01\x02" + login(b"alice", b"secret"))
check(one.recv(4), b"\x05\x02\x01\x00")
p.stop()
PY
}

@test "prefork: two writes within a tick of the kernel's clock do not hide the second one" {
    world <<'PY'
def put(secret):
    with open("/run/conf", "w", encoding="ascii") as file:
        file.write(f"version {secret}\nallow to any\n")

put(4)
p = Prefork("-f", "/run/conf", rules=())
for _ in range(20):
    put(4)
    method(p)  # until the zygote is replaced
    put(5)
    check(method(p), CHOSEN)
p.stop()
PY
}

@test "prefork: a configuration that cannot be seen any more is not used any more" {
    world <<'PY'
os.mkdir("/run/etc")
write("/run/etc/conf", "allow to any\n")
p = Prefork("-f", "/run/etc/conf", rules=())
p.serves(upstream)
os.symlink("conf", "/run/etc/new")
os.rename("/run/etc/new", "/run/etc/conf")  # ELOOP
check(p.client().end()[0][:2], b"")
one = p.client()
one.send(GREETING + request("127.0.0.1", port_of(upstream)))
check(one.recv(4), CHOSEN + b"\x05\x01")
p.stop()
PY
}

@test "prefork: processes that checkpassword programs leave behind are not counted as connections" {
    world <<'PY'
LEAVES = "setsid sleep 1000 </dev/null >/dev/null 2>&1 3<&- &\nexit 0\n"
write("/run/program", "#!/bin/sh\n" + LEAVES, 0o755)
p = Prefork("-o", "checkpassword /run/program", "-o", "prefork connections 3",
            "-o", "prefork ready 1", "-o", "prefork idle-exit 500ms")
for _ in range(4):
    one = p.client()
    one.send(b"\x05\x01\x02" + login(b"alice", b"secret"))
    check(one.recv(4), b"\x05\x02\x01\x00")
    one.close()
p.wait_exit()
PY
}

@test "prefork: a busy listening socket, or one that was shut down, does not starve the others" {
    world <<'PY'
socks = [listener(), listener(), listener()]
p = Prefork("-o", "prefork ready 1", fds=socks)
p.listening = socks[1]
p.serves(upstream)
socks[0].shutdown(socket.SHUT_RDWR)
for _ in range(5):
    for p.listening in socks[1:]:
        p.serves(upstream)
p.stop()
PY
}

@test "prefork: the service goes on if its standard error is a full or a closed pipe" {
    world <<'PY'
for is_closed in False, True:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(4096))
    os.set_blocking(writer, True)
    p = Prefork(stderr=writer)
    os.close(writer)
    p.ready()
    if is_closed:
        os.close(reader)
    for _ in range(3):
        zygote = p.zygote()
        os.kill(p.ready()[0], signal.SIGKILL)
        p.ready()
        os.kill(zygote, signal.SIGKILL)
        eventually(lambda: zygote not in children(p.pid) and p.ready(), "a new zygote")
        p.serves(upstream)
    p.stop()
PY
}

@test "prefork: if processes cannot be started, reports that once, and serves clients later" {
    world <<'PY'
# The limit of processes of a user whom no other process has: supervisor, zygote, three children.
other = 10000 + int.from_bytes(os.urandom(2), "big") * 5 // 6
p = Prefork(before=["setpriv", f"--reuid={other}", "--clear-groups", "prlimit", "--nproc=5:64"])
p.ready(3)
clients = [p.client() for _ in range(5)]
for one in clients:
    one.send(GREETING)
for one in clients[:3]:
    check(one.recv(2), CHOSEN)
FAILED = "cannot start a process, with 3 running; raise TasksMax= or ulimit -u, or lower "
eventually(lambda: FAILED in p.log_text(), "the report")
for one in clients[:2]:
    one.close()
for one in clients[3:]:
    check(one.recv(2), CHOSEN)
check(p.log_text().count("cannot start a process"), 1)
p.stop()
PY
}

@test "prefork: while its files change, no connection is lost or served by an older configuration" {
    world <<'PY'
write("/run/conf", "allow to any\n")
p = Prefork("-f", "/run/conf", rules=())
p.ready()
lost, is_over = [], threading.Event()

def load():
    while not is_over.is_set():
        try:
            check(method(p)[:1], b"\x05")
        except (AssertionError, OSError) as error:
            lost.append(error)

threads = [threading.Thread(target=load) for _ in range(4)]
for thread in threads:
    thread.start()
for turn in range(60):
    version, answer = (("version 4", b"\x05\xff"), ("version 5", CHOSEN))[turn % 2]
    write("/run/new", f"{version}\nallow to any\n")
    os.rename("/run/new", "/run/conf")
    check((turn, method(p)), (turn, answer))
is_over.set()
for thread in threads:
    thread.join()
check(lost, [])
p.stop()
PY
}

@test "prefork: --hex, --explain and --check are not affected by a listening standard input" {
    world <<'PY'
socks = listener()
for options, status, text in (["--explain", "from 10.0.0.1 to 1.1.1.1 port 80"], 0, b"allow"), \
        (["--check"], 0, b""), (["--hex"], 0, b"disconnected"):
    result = subprocess.run([STDSOCKS, *options], stdin=socks, capture_output=True, check=False,
                            timeout=DEADLINE_S)
    check((options, result.returncode), (options, status))
    assert text in result.stdout + result.stderr, result
PY
}

@test "prefork: each process has its own log socket, which ends with it" {
    world <<'PY'
journal = Reader(JOURNAL)
p = Prefork()
first, other = p.ready()[:2]
log = take(first, 3)
check(log.getpeername(), JOURNAL)
assert os.stat(f"/proc/{first}/fd/3") != os.stat(f"/proc/{other}/fd/3")
sys_call(libc.connect, log.fileno(), bytes(16), 16)  # AF_UNSPEC: it is not connected any more
served, records = 0, []
while syscall(first) == ACCEPT4:  # until it is its turn
    p.serves(upstream)
    served += 1
eventually(lambda: p.log_text().count("closed by") == 1, "a record on standard error")
eventually(lambda: records.extend(journal.all()) or len(records) == served - 1, "other records")
p.stop()
PY
}

@test "prefork: records go to a log daemon that has started, or was restarted" {
    world <<'PY'
os.makedirs(os.path.dirname(JOURNAL))
p = Prefork()
p.serves(upstream)
eventually(lambda: p.log_text().count("closed by") == 1, "a record on standard error")
for daemon in SYSLOG, SYSLOG, JOURNAL, JOURNAL, JOURNAL:
    p.ready()
    reader = Reader(daemon)
    p.serves(upstream)
    eventually(reader.all, "a record")
check(p.log_text().count("\n"), 1)
p.stop()
PY
}

@test "prefork: a signal that no process expects has no effect on any" {
    world <<'PY'
p = Prefork()
pair = p.connect(upstream)
zygote, ready = p.zygote(), p.ready()
(serving,) = set(children(zygote)) - set(ready)
numbers = {signal.SIGUSR2, signal.SIGPIPE, signal.SIGVTALRM, signal.SIGPROF, signal.SIGIO,
           signal.SIGPWR, signal.SIGSTKFLT, *range(32, 65)}
for pid in p.pid, zygote, serving, ready[0]:
    # It ends a process that is ready but not needed, and no other.
    for number in numbers if pid == ready[0] else numbers | {signal.SIGUSR1}:
        os.kill(pid, number)
works(pair)
p.serves(upstream)
check((p.zygote(), p.process.poll()), (zygote, None))
close(pair)
p.stop()
assert "by signal" not in p.log_text(), p.log_text()
PY
}

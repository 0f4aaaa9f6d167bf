#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The system calls that connections really make, against the table of those that they may make.

load helper
load net/world

# Every way that the handler has to make a call of the table: what is not called here, the table is not to have.
@test "calls: the table of each stage is what was called there, nothing more and nothing less" {
    need_world
    need strace dnsmasq gcc
    ! sanitized || skip "a sanitizer makes calls of its own"
    SYSCALLS=${UNITS:-$ROOT/build/unit}/syscalls
    [[ $(file -b "$STDSOCKS") == *static* ]] && LIBC=musl || LIBC=gnu
    export SYSCALLS LIBC
    world <<'PY'
from calls import *
from dns import *
from logs import *
from notify import *

handlers = []

def begin(*options, how=Traced, **popen):
    h = how(*options, **popen)
    handlers.append(h)
    return h

def relayed(h, host, listening):
    upstream = h.connected(host, listening)
    h.client.send(b"up")
    check(upstream.recv(2), b"up")
    upstream.send(b"down")
    check(h.client.recv(4), b"down")
    return upstream

def traced(h):
    with open(h.calls, encoding="utf-8", errors="replace") as log:
        return log.read()

def goes_on(h):
    """It is stopped in a wait, and waits again."""
    h.stops_and_goes_on()
    return " restart_syscall(" in traced(h)

def closed(h, upstream):
    upstream.close()
    h.client.close()
    h.over()

def late(server, query, asker):
    """Answer when the handler has been stopped and goes on."""
    asked.set()
    def send():
        go_on.wait()
        server.sock.sendto(answer(query, ["127.0.0.1"]), asker)
    threading.Thread(target=send, daemon=True).start()

asked, go_on = threading.Event(), threading.Event()
server = Server({"both.test": ["127.0.0.1", "::1"], "late.test": late, "many.test": [f"127.0.1.{n}" for n in range(1, 30)]})
four, six = listeners("127.0.0.1", "::1")

# Where the record goes: standard error, syslog, the journal, and the journal when it is full; before a relay and after it.
for log in None, SYSLOG, JOURNAL:
    reader = log and Reader(log)
    h = begin(trace=False)
    closed(h, relayed(h, "127.0.0.1", four))
    h = begin(trace=False)
    h.connect("127.0.0.1", CLOSED_PORT)
    h.gone()
for asks in True, False:
    reader.fill()
    h = begin(trace=False)
    if asks:
        h.connect("127.0.0.1", CLOSED_PORT)
        h.client.close()
    else:
        upstream = relayed(h, "127.0.0.1", four)
        upstream.close()
        h.client.close()
    h.over()
    reader.all()
# Who wants to know the status: there is room for it, none, and nobody any more; or there never was anybody.
manager = Manager()
h = begin(env=told(manager.where))
upstream = relayed(h, "127.0.0.1", four)
settles(manager, ".*")
manager.fill()
for error in "EAGAIN", "ECONNREFUSED":
    h.client.send(b"more")
    check(upstream.recv(4), b"more")
    eventually(lambda: re.search(rf"sendto\(.* {error} ", traced(h)), "it has tried to say more")
    manager.sock.close()
closed(h, upstream)
for where in manager.where, "@nobody":
    h = begin(env=told(where, SYSTEMD_EXEC_PID="1"))
    closed(h, relayed(h, "127.0.0.1", four))
h = begin(env=told(Manager().where, SYSTEMD_EXEC_PID="1"))
closed(h, relayed(h, "127.0.0.1", four))
# Names, over IPv4 and IPv6 to the name server, from the hosts' file, when the process was stopped meanwhile, and without an answer.
h = begin()
closed(h, relayed(h, b"both.test", six))
h = begin()
h.connect(b"many.test", CLOSED_PORT)
h.gone()
h = begin()
closed(h, relayed(h, b"localhost", six))
h = begin()
h.ask(b"late.test", port_of(four))
asked.wait(DEADLINE_S)
eventually(lambda: goes_on(h), "it waits again for what it was waiting for")
go_on.set()
check(h.answer(), 0)
closed(h, accept(four))
h = begin("-o", "timeout handshake 500ms")
h.connect(b"silent.test", 80)
h.gone()
h = begin()
h.ask(b"silent.test", 80)
server.seen.clear()
server.seen.wait(DEADLINE_S)
os.kill(h.handler_pid(), signal.SIGTERM)
h.over()
for address in "127.0.0.2", "::1":  # a long answer, which is asked for again over TCP
    Dnsmasq(address=address, hosts=[f"127.0.2.{n} long.test" for n in range(1, 60)])
    write("/etc/resolv.conf", f"nameserver {address}\n")
    h = begin()
    h.connect(b"long.test", CLOSED_PORT)
    h.gone()
ip("address add fe80::1/64 dev lo nodad")
Server({"local.test": ["127.0.0.1"]}, address="fe80::1%lo")
write("/etc/resolv.conf", "nameserver fe80::1%lo\n")
h = begin()
closed(h, relayed(h, b"local.test", four))
write("/etc/resolv.conf", "nameserver 127.0.0.1\n")
h = begin()
closed(h, relayed(h, b"both.test", six))
# Nobody's, who had no user to look up before.
for host, listening in (b"both.test", six), ("127.0.0.1", four):
    h = begin(as_user="nobody")
    closed(h, relayed(h, host, listening))
h = begin(inject="brk:error=ENOMEM", as_user="nobody")
closed(h, relayed(h, b"both.test", six))
# Sources; what the kernel calls our own; IPv6.
h = begin("-o", "source 127.0.0.2", "-o", "source mark 7", "-o", "source device lo", "-o", "rate up 10K", "-o", "rate down 10K")
closed(h, relayed(h, "127.0.0.1", four))
h = begin()
closed(h, relayed(h, "::1", six))
for host in "127.0.0.1", "::1":
    h = begin()
    h.connect(host, h.client.sock.getpeername()[1])
    h.gone()
# Pipes; hex text, which is translated by two more processes.
its_stdin, stdin = os.pipe()
stdout, its_stdout = os.pipe()
h = begin(stdin=its_stdin, stdout=its_stdout)
os.close(its_stdin), os.close(its_stdout)
os.write(stdin, GREETING + request("127.0.0.1", port_of(four)) + b"up")
upstream = accept(four)
check(upstream.recv(2), b"up")
os.close(stdin)
upstream.close()
h.over()
for port in port_of(four), CLOSED_PORT:
    text = GREETING + request("127.0.0.1", port)
    with open(f"{WORLD}/text", "w", encoding="ascii") as file:
        file.write(text.hex())
    with open(f"{WORLD}/text", encoding="ascii") as file:
        h = begin("--hex", stdin=file, stdout=subprocess.DEVNULL)
    if port != CLOSED_PORT:
        accept(four).close()
    h.over()
# Resets, of either side, after bytes that wait; and of us, when the second stage cannot be had.
for first, other in (0, 1), (1, 0):
    h = begin()
    ends = h.client, relayed(h, "127.0.0.1", four)
    ends[other].sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    ends[first].send(pattern(300000))
    ends[first].reset()
    eventually(lambda: h.state() != "R", "it moves")
    ends[other].sock.settimeout(DEADLINE_S)
    with contextlib.suppress(ConnectionResetError):
        while ends[other].sock.recv(65536):
            pass
    ends[other].close()
    h.over()
h = begin(inject="seccomp:error=EPERM:when=2")
h.ask("127.0.0.1", port_of(four))
accept(four).close()
h.over(71)
# The checkpassword program: right, asked in vain, never asked.
write("/run/program", "#!/bin/sh\nread -r x <&3\ntest \"$1\" = right || exec sleep 60\n")
os.chmod("/run/program", 0o755)
offer, login = b"\x05\x01\x02", b"\x01\x01a\x01b"
for word in "right", "late":
    h = begin("-o", f"checkpassword /run/program {word}", "-o", "timeout handshake 2s")
    h.client.send(offer + login)
    h.client.end()
    h.client.close()
    h.over()
h = begin("-o", "checkpassword /run/program right", "-o", "auth none password")
closed(h, relayed(h, "127.0.0.1", four))
# A kernel without a clock in the vDSO.
h = begin(how=Clockless)
closed(h, relayed(h, "127.0.0.1", four))

denied, calls, rows = against_the_table([h.calls for h in handlers])
in_vain = {"AF_UNIX": "socket stage 1 1 80801 0", "AF_NETLINK": "socket stage 1 10 80003 0"}  # of nscd, and of the host's addresses
later = ["socket stage 1 way 3", "socket stage 1 way 4", "recvmsg stage 1 way 1", "sendmsg stage 1 way 1"]  # of musl since 1.2.4
(kill,) = (call for call in calls if call.startswith("kill "))  # of guard/syscalls.h, beside the table
assert re.fullmatch("kill stage 1 f+[0-9a-f]{2,4} 9 0", kill), kill
calls.remove(kill)
if os.environ["LIBC"] == "musl":
    check((calls, denied), ([], []))
    assert set(rows) <= set(later), rows
else:
    check(set(calls), set(in_vain.values()))
    check(set(denied), {"socket"})
    check(rows, [])
PY
}

#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The lock, from outside: that it is there in a live connection, and what happens where it cannot be.

load helper
load net/world

setup() {
    need_world
}

@test "lock: where several commands are configured, there is a stage more: that of the one that was asked for" {
    world <<'PY'
from bind import *
from dns import *
from udp import Association, udp

def filters(h, pid=None):
    return int(h.status(pid)["Seccomp_filters"])

server = Server({})
(listening,) = listeners("127.0.0.1")
NUMBERS = {"connect": 1, "bind": BIND, "resolve": 0xF0}
ALL = "connect bind udp resolve"
for command, words, known in ((command, *way) for command in NUMBERS for way in ((command, 1), (ALL, 2))):
    h = Handler("-o", f"command {words}")
    h.client.send(GREETING)
    check(h.client.recv(2), CHOSEN)
    check(filters(h), 1)
    server.seen.clear()
    h.client.send(request_name(b"silent.test", 80, NUMBERS[command]))
    assert server.seen.wait(DEADLINE_S), "the name is not looked up"
    check(filters(h), known)
    h.terminate()
    h.ended(END="terminated")

def relays(h, upstream, wanted):
    h.client.send(b"x")
    check(upstream.recv(1), b"x")
    check(filters(h), wanted)
    upstream.close()
    h.gone()

for alone, stages in (True, 1), (False, 2):
    h = Handler("-o", f"command {'connect' if alone else ALL}")
    relays(h, h.connected("127.0.0.1", listening), stages + 1)
    h = Binding(served=f"command {'bind' if alone else ALL}")
    where = h.binds("127.0.0.1")
    check(filters(h), stages)
    relays(h, h.called(where), stages + 1)
    h = Association("-o", f"command {'udp' if alone else ALL}")
    check(filters(h), stages + 1)
    h.echo(udp())
    eventually(lambda: filters(h, h.lookups()) == stages + 1, "the process for names is locked in")
    h.over_with()
PY
}

@test "lock: nobody is served when the stage of the command that was asked for cannot be had" {
    need strace
    world <<'PY'
from bind import *
from udp import Association

(listening,) = listeners("127.0.0.1")
SHARED = "-o", "command connect resolve"
before = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=seccomp:error=EPERM:when=2"]

h = Handler(*SHARED, before=before)
check(h.connect("127.0.0.1", port_of(listening)), 1)
check(h.client.end(), (b"", "fin"))
h.client.close()
h.over(71)
has(h.record(), END="failed", REPLY="1", ERRNO="1", COMMAND="CONNECT", REACHED=None)
assert "(no further stage of the sandbox, for want of seccomp)" in h.said(), h.said()
assert not is_waiting(listening)

def resolved(*options):
    h = Handler(*SHARED, *options, before=before)
    h.client.send(GREETING + request("127.0.0.1", 0, 0xF0))
    check(h.client.recv(2), CHOSEN)
    reply = h.client.recv(10)[1]
    check(h.client.end(), (b"", "fin"))
    h.client.close()
    return h, reply

h, reply = resolved()
h.over(71)
has(h.record(), END="failed", REPLY="1", ERRNO="1", COMMAND="RESOLVE")
check(reply, 1)
h = Binding(served="command connect bind", before=before)
h.ask("127.0.0.1")
h.turned_down(1, 71, END="failed", ERRNO="1", BOUND=None)
# Of an association: its command's, and that of its datagrams.
for words in "connect udp", "udp":
    a = Association("-o", f"command {words}", before=before, reply=1)
    check(a.client.end(), (b"", "fin"))
    a.client.close()
    a.ended(71, END="failed", REPLY="1", ERRNO="1", COMMAND="UDP ASSOCIATE", BOUND=None, DATAGRAMS_UP=None)
    assert "(no further stage of the sandbox, for want of seccomp)" in a.said(), a.said()
h, reply = resolved("-o", "sandbox best-effort")
check(reply, 0)
h.ended(END="closed")
h = Handler(*SHARED, "-o", "sandbox best-effort", before=before)
h.connected("127.0.0.1", listening).close()
h.client.close()
h.ended(END="closed")
PY
}

@test "lock: both stages are in force while a connection is relayed, the first one before the first byte" {
    world <<'PY'
def status(h):
    words = h.status()
    return {name: words[name] for name in ("NoNewPrivs", "Seccomp", "Seccomp_filters")}

(listening,) = listeners("127.0.0.1")
h = Handler()
eventually(lambda: status(h)["Seccomp"] == "2", "the first stage")
check(status(h), {"NoNewPrivs": "1", "Seccomp": "2", "Seccomp_filters": "1"})
upstream = h.connected("127.0.0.1", listening)
h.client.send(b"x")
check(upstream.recv(1), b"x")
check(status(h), {"NoNewPrivs": "1", "Seccomp": "2", "Seccomp_filters": "2"})
PY
}

@test "lock: who was started as root is the user stdsocks before the first byte, without groups and capabilities" {
    world <<'PY'
import pwd

def identity(h):
    words = h.status()
    return [words[name].split() for name in ("Uid", "Gid", "Groups")], [int(words[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")]

(listening,) = listeners("127.0.0.1")
for user, options in ("stdsocks", ()), ("nobody", ("-o", "user nobody")):
    ids = pwd.getpwnam(user)
    wanted = [[str(ids.pw_uid)] * 4, [str(ids.pw_gid)] * 4, []], [0] * 4
    h = Handler(*options, extra_groups=[4, 27])
    eventually(lambda: h.status()["Seccomp"] == "2", "the first stage")
    check(identity(h), wanted)
    upstream = h.connected("127.0.0.1", listening)
    h.client.send(b"x")
    check(upstream.recv(1), b"x")
    check(identity(h), wanted)
    upstream.close()
    h.gone()
PY
}

@test "lock: a mark's capability is all that is kept, until the connection stands" {
    need setpriv
    world <<'PY'
from bind import *
from udp import Association, udp

NET_ADMIN = 1 << 12

def capabilities(h, pid=None):
    words = h.status(pid)
    return {int(words[name], 16) for name in ("CapPrm", "CapEff", "CapAmb")}

(listening,) = listeners("127.0.0.1")
ambient = ["setpriv", "--reuid=nobody", "--clear-groups", "--inh-caps=+net_admin", "--ambient-caps=+net_admin"]
for before, kept in ([], {NET_ADMIN, 0}), (ambient, {NET_ADMIN}):
    for handler in Handler, Binding:
        h = handler("-o", "source mark 7", before=before)
        eventually(lambda: h.status()["Seccomp"] == "2", "the first stage")
        check(capabilities(h), kept)
        if handler is Binding:
            where = h.binds("127.0.0.1")
            check(capabilities(h), kept)
            upstream = h.called(where)
        else:
            upstream = h.connected("127.0.0.1", listening)
        h.client.send(b"x")
        check(upstream.recv(1), b"x")
        check(capabilities(h), {0})
        upstream.close()
        h.gone()
    a = Association("-o", "source mark 7", before=before)
    a.echo(udp())
    check(capabilities(a), {0})
    eventually(lambda: capabilities(a, a.lookups()) == {0}, "the process for names has none")
    a.over_with()
PY
}

@test "lock: a mark's capability is not kept for a lookup" {
    need setpriv
    world <<'PY'
from dns import *
NET_ADMIN = 1 << 12

server = Server({})
ambient = ["setpriv", "--reuid=nobody", "--clear-groups", "--inh-caps=+net_admin", "--ambient-caps=+net_admin"]
for words, command, before, kept in (("connect resolve", 1, [], NET_ADMIN), ("connect resolve", 0xF0, [], 0), ("resolve", 0xF0, [], 0),
                                     ("connect resolve", 0xF0, ambient, 0), ("resolve", 0xF0, ambient, 0)):
    server.seen.clear()
    h = Handler("-o", "source mark 7", "-o", f"command {words}", before=before)
    h.client.send(GREETING + request_name(b"silent.test", 80, command))
    assert server.seen.wait(DEADLINE_S), "the name is not looked up"
    check(int(h.status()["CapPrm"], 16), kept)
    h.terminate()
    h.over()
PY
}

@test "lock: nobody is served as root, and the record says why, when there is no other user to be" {
    need setpriv
    world <<'PY'
(listening,) = listeners("127.0.0.1")
with open("/etc/passwd", "a", encoding="ascii") as users:
    users.write("toor:x:0:64999::/:/bin/false\nstays:x:4294967295:64999::/:/bin/false\n")
    users.write("group-stays:x:64999:4294967295::/:/bin/false\ngroup-root:x:64999:0::/:/bin/false\n")

def unserved(why, *options, **how):
    h = Handler(*options, **how)
    check(h.connect("127.0.0.1", port_of(listening)), 1)
    check(h.client.end(), (b"", "fin"))
    h.client.close()
    h.over(71)
    has(h.record(), END="failed", REPLY="1")
    assert f'started as root, and cannot become {why}; "user NAME" takes another, "sandbox best-effort" stays root' in h.said(), h.said()

unserved("no-such: no such user", "-o", "user no-such")
for user in "toor", "stays", "group-stays", "group-root":
    unserved(f"{user}: that is root, too", "-o", f"user {user}")
    said = run(STDSOCKS, "--check", "-f", "/dev/null", "-o", f"user {user}")
    assert f"user: {user}: that is root, too; a process that is started as root serves nobody" in said, said
unserved("stdsocks: Operation not permitted", before=["unshare", "--user", "--map-root-user"])
unserved("stdsocks: Operation not permitted", before=["setpriv", "--bounding-set=-setuid", "--inh-caps=-setuid"])
unserved('stdsocks: no CAP_NET_ADMIN for "source mark" (systemd: CapabilityBoundingSet=)', "-o", "source mark 7",
         before=["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"])
assert not is_waiting(listening)
h = Handler("-o", "user no-such", "-o", "sandbox best-effort")
h.connected("127.0.0.1", listening)
check(os.stat(f"/proc/{h.pid}").st_uid, 0)
check(h.status()["CapEff"], "0" * 16)  # but without what could be given up
PY
}

@test "lock: nobody is served, and the record says why, when a part of it cannot be had" {
    need strace
    world <<'PY'
(listening,) = listeners("127.0.0.1")
for call, part in (("seccomp", "seccomp"), ("landlock_restrict_self", "Landlock"), ("landlock_create_ruleset", "Landlock"),
                   ("landlock_add_rule", "Landlock")):
    h = Handler(before=["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject={call}:error=EPERM"])
    check(h.connect("127.0.0.1", port_of(listening)), 1)
    check(h.client.end(), (b"", "fin"))
    h.client.close()
    h.over(71)
    has(h.record(), END="failed", REPLY="1")
    wanted = f'no sandbox, for want of {part}: Operation not permitted; "sandbox best-effort" serves without'
    assert wanted in h.said(), h.said()
assert not is_waiting(listening)
PY
}

@test "lock: a connection is not relayed when the last stage cannot be had" {
    need strace
    world <<'PY'
from bind import *

def cut(h, upstream):
    check(upstream.end()[1], "reset")
    h.over(71)
    has(h.record(), END="failed", BYTES_UP="0", BYTES_DOWN="0", ERRNO="1")
    assert "(no further stage of the sandbox, for want of seccomp)" in h.said(), h.said()

(listening,) = listeners("127.0.0.1")
for words, last in ("connect", 2), ("connect resolve", 3), ("bind", 2), ("connect bind", 3):
    before = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject=seccomp:error=EPERM:when={last}"]
    if "bind" in words:
        h = Binding(served=f"command {words}", before=before)
        cut(h, call(h.binds("127.0.0.1")))
    else:
        h = Handler("-o", f"command {words}", before=before)
        h.ask("127.0.0.1", port_of(listening))
        cut(h, accept(listening))
PY
}

@test "lock: with sandbox best-effort a connection is served with what there is" {
    need strace
    world <<'PY'
(listening,) = listeners("127.0.0.1")
for call in "seccomp", "landlock_restrict_self":
    h = Handler("-o", "sandbox best-effort", before=["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject={call}:error=EPERM"])
    upstream = h.connected("127.0.0.1", listening)
    upstream.close()
    h.client.close()
    h.ended(END="closed")
PY
}

@test "lock: a kernel without Landlock is enough" {
    need strace
    world <<'PY'
(listening,) = listeners("127.0.0.1")
h = Handler(before=["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=landlock_create_ruleset:error=ENOSYS"])
h.connected("127.0.0.1", listening).close()
h.client.close()
h.ended(END="closed")
PY
}

@test "lock: descriptors that were left open are closed, and none is left for the relay but the manual's" {
    world <<'PY'
(listening,) = listeners("127.0.0.1")
spare = [os.open("/dev/null", os.O_RDONLY) for _ in range(20)]
h = Handler(pass_fds=spare)
upstream = h.connected("127.0.0.1", listening)
h.client.send(b"x")
check(upstream.recv(1), b"x")
found = h.descriptors()
assert set(found) == {0, 1, 2, 3, 4} and found[0] == found[1] and found[2] == h.log, found
check(sorted(found[fd].split(":")[0] for fd in (0, 3, 4)), ["anon_inode", "socket", "socket"])
PY
}

@test "lock: nothing is on the client's stream when the handler aborts, or finds its stack smashed" {
    need gdb
    world <<'PY'
(listening,) = listeners("127.0.0.1")
for death in "abort", "__stack_chk_fail":
    for relays in False, True:
        h = Handler(trace=False, stderr=subprocess.STDOUT)  # the client's own socket, as inetd has it
        upstream = h.connected("127.0.0.1", listening) if relays else None
        if relays:
            h.client.send(b"x")
            check(upstream.recv(1), b"x")
        else:
            h.client.send(GREETING)
            check(h.client.recv(2), CHOSEN)
        gdb = ["gdb", "-nx", "-q", "-batch", "-p", str(h.pid), "-ex", "handle all nostop noprint pass", "-ex", f"call (void){death}()"]
        said = subprocess.run(gdb, capture_output=True, text=True, check=False).stderr
        if 'No symbol "abort"' in said:  # the static handler has nothing that calls it
            h.process.kill()
        assert h.process.wait(DEADLINE_S) != 0, said
        check(h.client.end()[0], b"")
        h.client.close()
        if relays:
            check(upstream.end()[0], b"")
            upstream.close()
PY
}

@test "lock: nobody is asked for a password that lets nobody in, when a part of it cannot be had" {
    need strace
    world <<'PY'
write("/run/program", "#!/bin/sh\necho asked >/run/asked\n")
os.chmod("/run/program", 0o755)
h = Handler("-o", "checkpassword /run/program", before=["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=seccomp:error=EPERM"])
h.client.send(b"\x05\x01\x02\x01\x01a\x01b")
check(h.client.end(), (b"\x05\x02\x01\x01", "fin"))
h.client.close()
h.over(71)
assert not os.path.exists("/run/asked")
PY
}

@test "lock: what was left open is closed where close_range is not to be had" {
    need strace
    world <<'PY'
from udp import Association, udp

(listening,) = listeners("127.0.0.1")
spare = [os.open("/dev/null", os.O_RDONLY) for _ in range(20)]
before = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=close_range:error=ENOSYS"]
h = Handler(pass_fds=spare, before=before)
upstream = h.connected("127.0.0.1", listening)
h.client.send(b"x")
check(upstream.recv(1), b"x")
with open(f"/proc/{h.pid}/task/{h.pid}/children", encoding="ascii") as children:
    (pid,) = children.read().split()
check(sorted(os.listdir(f"/proc/{pid}/fd")), ["0", "1", "2", "3", "4"])
a = Association(before=before)
a.echo(udp())
with open(f"/proc/{a.pid}/task/{a.pid}/children", encoding="ascii") as children:
    (a.pid,) = map(int, children.read().split())  # not strace's
eventually(lambda: sorted(os.listdir(f"/proc/{a.lookups()}/fd")) == ["0", "2"], "the process for names has nothing of ours")
PY
}

@test "lock: a client whose connection is standard error is not served where that cannot be silenced" {
    world <<'PY'
(listening,) = listeners("127.0.0.1")
for mounted in b"/dev/null", b"/run/dev/null":
    sys_call(libc.umount2, mounted, 0)
os.unlink("/dev/null")
h = Handler(trace=False, stderr=subprocess.STDOUT)
check(h.connect("127.0.0.1", port_of(listening)), 1)
check(h.client.end(), (b"", "fin"))
h.client.close()
h.over(71)
PY
}

@test "lock: a file of the resolver's that cannot be found is no matter" {
    world <<'PY'
(listening,) = listeners("127.0.0.1")
os.mkdir("/run/closed", 0o700)
os.unlink("/etc/hosts")
for there in "/run/closed/hosts", "hosts", "/dev/null/hosts":
    os.symlink(there, "/etc/hosts")
    h = Handler()
    h.connected("127.0.0.1", listening).close()
    h.client.close()
    h.ended(END="closed")
    os.unlink("/etc/hosts")
PY
}

@test "lock: a name server is reached by a link-local address with the interface's name" {
    world <<'PY'
from dns import *
ip("address add fe80::1/64 dev lo nodad")
Server({"local.test": ["127.0.0.1"]}, address="fe80::1%lo")
write("/etc/resolv.conf", "nameserver fe80::1%lo\n")
(listening,) = listeners("127.0.0.1")
h = Handler()
h.connected(b"local.test", listening).close()
h.gone()
PY
}

#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The sandbox of a live connection, and the result if a part of it is unavailable.

load helper
load net/world

prelude <<'PY'
import contextlib, os, re, subprocess

from bind import BIND, Binding, is_reset, refused
from datagrams import udp
from dns import Server
from socks import CHOSEN, DEADLINE_S, GREETING, accept, check, passes, request, request_name
from udp import Association, children
from world import Handler, STDSOCKS, eventually, is_waiting, libc, listeners, port_of, run, sys_call
from world import write

NET_ADMIN, NET_RAW = 1 << 12, 1 << 13
AMBIENT = ["setpriv", "--reuid=nobody", "--clear-groups",
           "--inh-caps=+net_admin,+net_raw", "--ambient-caps=+net_admin,+net_raw"]
RESOLVE = 0xF0
NEXT_STAGE = "cannot enter the next stage of the sandbox: seccomp: Operation not permitted"
(listening,) = listeners("127.0.0.1")


def without(*capabilities):
    """The setpriv command that runs a program without these capabilities."""
    removed = ",".join(f"-{capability}" for capability in capabilities)
    return ["setpriv", f"--bounding-set={removed}", f"--inh-caps={removed}"]


def injected(fault):
    """The strace command that injects this fault."""
    return ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject={fault}"]


def relays(h, upstream=None):
    """Wait until the handler relays. Returns upstream's socket."""
    upstream = upstream or h.connected("127.0.0.1", listening)
    passes(h.client, upstream, b"x")
    return upstream


def served(*options, lacks=None, **popen):
    """The client is served, and the record has this text for what the process lacks."""
    h = Handler(*options, **popen)
    h.connected("127.0.0.1", listening).close()
    h.client.close()
    h.ended(END="closed", SANDBOX=lacks)


def fails(h, last=b"", text="", **fields):
    """The client gets LAST and FIN. The handler exits with status 71, this text in its log and this
    record."""
    h.ends(last, status=71, **{"END": "failed", **fields})
    assert text in h.log_text(), h.log_text()


def unserved(text="", *options, **popen):
    """CONNECT gets reply 01 without a connection, and the log has this text."""
    h = Handler(*options, **popen)
    check(h.connect("127.0.0.1", port_of(listening)), 1)
    fails(h, text=text, REPLY="1", COMMAND="CONNECT", REACHED=None)
    assert not is_waiting(listening)
    listening.settimeout(DEADLINE_S)
PY

setup() {
    need_world
    need strace setpriv
}

@test "sandbox: the stage of the requested command is added if several are configured" {
    world <<'PY'
def filters(h):
    return int(h.status()["Seccomp_filters"])

server = Server({})
NUMBERS = {"connect": 1, "bind": BIND, "resolve": RESOLVE}
ALL = "connect bind udp resolve"
rows = [(command, *row) for command in NUMBERS for row in ((command, 1), (ALL, 2))]
for number, (command, words, stages) in enumerate(rows):
    h = Handler("-o", f"command {words}")
    h.client.send(GREETING)
    check(h.client.recv(2), CHOSEN)
    check(filters(h), 1)
    h.client.send(request_name(b"%d.test" % number, 80, NUMBERS[command]))
    server.expect(f"{number}.test")
    check(filters(h), stages)
    h.terminate()
    h.ended(END="terminated")

def tightened(h, upstream, stages):
    relays(h, upstream)
    check(filters(h), stages)
    h.closed(upstream)

for alone, stages in (True, 1), (False, 2):
    h = Handler("-o", f"command {'connect' if alone else ALL}")
    tightened(h, h.connected("127.0.0.1", listening), stages + 1)
    h = Binding(commands=f"command {'bind' if alone else ALL}")
    bound = h.binds("127.0.0.1")
    check(filters(h), stages)
    tightened(h, h.accepts(bound), stages + 1)
    h = Association("-o", f"command {'udp' if alone else ALL}")
    check(filters(h), stages + 1)
    h.echo(udp())
    h.send((b"%d.udp.test" % stages, 80))
    server.expect(f"{stages}.udp.test")  # lookups are in the same stage
    check(filters(h), stages + 1)
    h.close_and_check(drops="unresolved 1")
PY
}

@test "sandbox: the handler has its filters and no privileges before it reads the first byte" {
    world <<'PY'
import pwd

def state(h):
    words, names = h.status(), ("Uid", "Gid", "Groups", "NoNewPrivs", "Seccomp", "Seccomp_filters")
    capabilities = {int(words[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")}
    return [words[name].split() for name in names], capabilities

for user, options in ("stdsocks", ()), ("nobody", ("-o", "user nobody")):
    ids = pwd.getpwnam(user)
    user_and_group = [[str(ids.pw_uid)] * 4, [str(ids.pw_gid)] * 4]
    h = Handler(*options, extra_groups=[4, 27])
    eventually(lambda: h.status()["Seccomp"] == "2", "the first stage")
    check(state(h), ([*user_and_group, [], ["1"], ["2"], ["1"]], {0}))
    upstream = relays(h)
    check(state(h), ([*user_and_group, [], ["1"], ["2"], ["2"]], {0}))
    h.closed(upstream)
PY
}

@test "sandbox: with \"source mark\" only CAP_NET_RAW stays, until the connection is made" {
    world <<'PY'
def capabilities(h):
    words = h.status()
    return {int(words[name], 16) for name in ("CapPrm", "CapEff", "CapAmb")}

for before in [], AMBIENT:
    for handler in Handler, Binding:
        h = handler("-o", "source mark 7", before=before)
        eventually(lambda: h.status()["Seccomp"] == "2", "the first stage")
        check(capabilities(h), {NET_RAW, 0})
        if handler is Binding:
            bound = h.binds("127.0.0.1")
            check(capabilities(h), {NET_RAW, 0})
            upstream = h.accepts(bound)
        else:
            upstream = h.connected("127.0.0.1", listening)
        relays(h, upstream)
        check(capabilities(h), {0})
        h.closed(upstream)
    a = Association("-o", "source mark 7", before=before)
    a.echo(udp())
    check(capabilities(a), {0})
    a.close_and_check()
PY
}

@test "sandbox: with \"source mark\" CAP_NET_ADMIN stays if CAP_NET_RAW is not enough or missing" {
    world <<'PY'
for before, kept in (without("net_raw"), NET_ADMIN), (without("net_admin"), NET_RAW), \
        (injected("setsockopt:error=EPERM:when=2"), NET_ADMIN):  # SO_MARK, before Linux 5.17
    h = Handler("-o", "source mark 7", before=before)

    def words(h=h):
        """The fields of proc_pid_status(5), of strace's last child if there is one."""
        with contextlib.suppress(FileNotFoundError), \
                open(f"/proc/{[h.pid, *children(h.pid)][-1]}/status", encoding="ascii") as lines:
            return dict(line.rstrip("\n").split(":\t", 1) for line in lines)
        return {}

    eventually(lambda: words().get("Seccomp") == "2", "the first stage")
    check((before, int(words()["CapPrm"], 16)), (before, kept))
    relays(h)
    h.close_client()
PY
}

@test "sandbox: with \"source mark\" no capability stays for a RESOLVE" {
    world <<'PY'
server = Server({})
BOTH = "connect resolve"
rows = [(BOTH, 1, [], NET_RAW), (BOTH, RESOLVE, [], 0), ("resolve", RESOLVE, [], 0),
        (BOTH, RESOLVE, AMBIENT, 0), ("resolve", RESOLVE, AMBIENT, 0)]
for number, (words, command, before, kept) in enumerate(rows):
    h = Handler("-o", "source mark 7", "-o", f"command {words}", before=before)
    h.client.send(GREETING + request_name(b"%d.test" % number, 80, command))
    server.expect(f"{number}.test")
    check(int(h.status()["CapPrm"], 16), kept)
    h.terminate()
    h.wait_exit()
PY
}

@test "sandbox: a handler that cannot leave root refuses service, and its record has the reason" {
    world <<'PY'
with open("/etc/passwd", "a", encoding="ascii") as users:
    users.write("toor:x:0:64999::/:/bin/false\nstays:x:4294967295:64999::/:/bin/false\n")
    users.write("group-stays:x:64999:4294967295::/:/bin/false\n")
    users.write("group-root:x:64999:0::/:/bin/false\n")

def stays_root(why, *options, **popen):
    advice = 'set "user" to another user, or "sandbox best-effort" to serve nevertheless'
    unserved(f"started as root and cannot become {why}; {advice}", *options, **popen)

stays_root("no-such: no such user", "-o", "user no-such")
for user in "toor", "stays", "group-stays", "group-root":
    stays_root(f"{user}: its user or group ID is that of root", "-o", f"user {user}")
    output = run(STDSOCKS, "--check", "-f", "/dev/null", "-o", f"user {user}")
    why = "its user or group ID is that of root; a process that is started as root refuses service"
    assert f"user: {user}: {why}" in output, output
stays_root("stdsocks: Operation not permitted", before=["unshare", "--user", "--map-root-user"])

stays_root("stdsocks: Operation not permitted", before=without("setuid"))
stays_root('stdsocks: "source mark" needs CAP_NET_RAW (systemd: CapabilityBoundingSet=)',
           "-o", "source mark 7", before=without("net_admin", "net_raw"))
h = Handler("-o", "user no-such", "-o", "sandbox best-effort")
h.connected("127.0.0.1", listening)
check(os.stat(f"/proc/{h.pid}").st_uid, 0)
check(h.status()["CapEff"], "0" * 16)  # it drops the capabilities in any case
PY
}

@test "sandbox: a handler refuses service if a part or a stage is unavailable, with the reason" {
    world <<'PY'
for fault, part in (("seccomp", "seccomp"), ("landlock_restrict_self", "Landlock"),
                    ("landlock_create_ruleset", "Landlock")):
    why = f"cannot enter the sandbox: {part}: Operation not permitted"
    unserved(f'{why}; set "sandbox best-effort" to serve without',
             before=injected(f"{fault}:error=EPERM"))

# The stage of the requested command.
SHARED = "-o", "command connect resolve"
EFFORT = "-o", "sandbox best-effort"
WHY = ("(cannot enter the next stage of the sandbox: seccomp: Operation not permitted; "
       'set "sandbox best-effort" to serve without)')
second = injected("seccomp:error=EPERM:when=2")

def resolved(*options):
    h = Handler(*SHARED, *options, before=second)
    h.client.send(GREETING + request("127.0.0.1", 0, RESOLVE))
    check(h.client.recv(2), CHOSEN)
    return h, h.client.recv(10)[1]

unserved(WHY, *SHARED, before=second)
h, reply = resolved()
check(reply, 1)
fails(h, REPLY="1", ERRNO="1", COMMAND="RESOLVE")
refused(1, "127.0.0.1", commands="command connect bind", before=second, status=71, END="failed",
        ERRNO="1", BOUND=None)
# The stages of an association: of its command, and of its datagrams.
for words in "connect udp", "udp":
    a = Association("-o", f"command {words}", before=second, reply=1)
    fails(a, text=WHY, REPLY="1", ERRNO="1", COMMAND="UDP ASSOCIATE", BOUND=None, DATAGRAMS_UP=None)
h, reply = resolved(*EFFORT)
check(reply, 0)
h.ends(END="closed")
served(*SHARED, *EFFORT, before=second, lacks=NEXT_STAGE)

# Without the last stage, relaying, both sides are reset.
for words, last in ("connect", 2), ("connect resolve", 3), ("bind", 2), ("connect bind", 3):
    before = injected(f"seccomp:error=EPERM:when={last}")
    if "bind" in words:
        h = Binding(commands=f"command {words}", before=before)
        assert is_reset(h.binds("127.0.0.1"))
    else:
        h = Handler("-o", f"command {words}", before=before)
        h.send_request("127.0.0.1", port_of(listening))
        check(accept(listening).end()[1], "reset")
    h.ended(71, END="failed", BYTES_UP="0", BYTES_DOWN="0", ERRNO="1")
    assert WHY in h.log_text(), h.log_text()
PY
}

@test "sandbox: best-effort serves without a part, and the record names it" {
    world <<'PY'
served(lacks=None)
for fault, part in ("seccomp:error=EPERM:when=1", "seccomp"), \
        ("landlock_restrict_self:error=EPERM", "Landlock"):
    served("-o", "sandbox best-effort", before=injected(fault),
           lacks=f"cannot enter the sandbox: {part}: Operation not permitted")
served("-o", "sandbox best-effort", "-o", "user no-such",
       lacks="started as root and cannot become no-such: no such user")
# Of several parts, the last one.
served("-o", "sandbox best-effort", before=injected("seccomp:error=EPERM"), lacks=NEXT_STAGE)
PY
}

@test "sandbox: without Landlock clients are served, and the record and --check say so" {
    world <<'PY'
for error in "ENOSYS", "EOPNOTSUPP":
    before = injected(f"landlock_create_ruleset:error={error}")
    output = run(*before, STDSOCKS, "--check", "-f", "/dev/null", "-o", "user nobody")
    found = re.search(", Landlock not available: (.*); the kernel or SystemCallFilter=", output)
    served(before=before, lacks=f"no Landlock: {found[1]}")  # the C libraries' texts differ
output = run(*injected("landlock_create_ruleset:error=EPERM"), STDSOCKS, "--check",
             "-f", "/dev/null", "-o", "user nobody")
assert ", Landlock not available: Operation not permitted; no client is served" in output, output
PY
}

@test "sandbox: inherited descriptors are closed, with and without close_range" {
    world <<'PY'
spare = [os.open("/dev/null", os.O_RDONLY) for _ in range(20)]
h = Handler(pass_fds=spare)
relays(h)
found = h.descriptors()
check([found[fd].split(":")[0] for fd in sorted(found)],
      ["socket", "socket", h.log, "socket", "anon_inode", "/etc/hosts", "/etc/resolv.conf",
       "socket"])
assert max(found) == 7 and found[0] == found[1], found
# The limit keeps the loop that replaces close_range(2) short.
without = ["prlimit", "--nofile=256", *injected("close_range:error=ENOSYS")]
h = Handler(pass_fds=spare, before=without)
relays(h)
(h.pid,) = children(h.pid)  # instead of the PID of strace
check(sorted(h.descriptors()), list(range(8)))
PY
}

@test "sandbox: a handler that aborts or has its stack overwritten writes nothing to the client" {
    need gdb
    world <<'PY'
for death in "abort", "__stack_chk_fail":
    for in_relay in False, True:
        h = Handler(trace=False, stderr=subprocess.STDOUT)  # the client's socket, as with inetd
        if in_relay:
            upstream = relays(h)
        else:
            h.client.send(GREETING)
            check(h.client.recv(2), CHOSEN)
        gdb = ["gdb", "-nx", "-q", "-batch", "-p", str(h.pid),
               "-ex", "handle all nostop noprint pass", "-ex", f"call (void){death}()"]
        errors = subprocess.run(gdb, capture_output=True, text=True, check=False).stderr
        if 'No symbol "abort"' in errors:  # a static handler without calls of abort()
            h.process.kill()
        assert h.process.wait(DEADLINE_S) != 0, errors
        check(h.client.end()[0], b"")
        h.client.close()
        if in_relay:
            check(upstream.end()[0], b"")
            upstream.close()
PY
}

@test "sandbox: the checkpassword program is not started if a part of the sandbox is unavailable" {
    world <<'PY'
write("/run/program", "#!/bin/sh\ntouch /run/started\n", 0o755)
h = Handler("-o", "checkpassword /run/program", before=injected("seccomp:error=EPERM"))
h.client.send(b"\x05\x01\x02\x01\x01a\x01b")
fails(h, b"\x05\x02\x01\x01")
assert not os.path.exists("/run/started")
PY
}

@test "sandbox: a client is refused if standard error is its socket and cannot be replaced" {
    world <<'PY'
for mounted in b"/dev/null", b"/run/dev/null":
    sys_call(libc.umount2, mounted, 0)
os.unlink("/dev/null")
h = Handler(trace=False, stderr=subprocess.STDOUT)
check(h.connect("127.0.0.1", port_of(listening)), 1)
h.ends(status=71)
PY
}

@test "sandbox: an /etc/hosts that cannot be opened is ignored" {
    world <<'PY'
os.mkdir("/run/closed", 0o700)
os.unlink("/etc/hosts")
for target in "/run/closed/hosts", "hosts", "/dev/null/hosts":
    os.symlink(target, "/etc/hosts")
    served()
    os.unlink("/etc/hosts")
PY
}

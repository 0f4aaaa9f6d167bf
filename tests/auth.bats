#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Authentication: by a file of users, by a checkpassword program, or by the user that the kernel
# knows; and the places where a password never appears. tests/unit/users.c proves the form of a line
# of the file, and which logins are right.

# shellcheck disable=SC2154 # run sets output
bats_require_minimum_version 1.5.0
load helper
load net/world

prelude <<'PY'
import contextlib, os, re, resource, shutil, signal, socket, subprocess

from logins import ADA, ASKED, BAB, NAMELESS, NOT_ALLOWED, NOT_SERVED, NO_RULE, OFFER, OFFER_BOTH
from logins import OTHER, PROGRAM, REFUSED, REQUEST, RIGHT, SECRET, STDSOCKS, UPSTREAM, USERS
from logins import WRONG, Waiting, accounts, begun, calls, dumps, enters, finished, gets, holds
from logins import in_memory, in_public, is_allowed, is_over, is_rejected, is_served
from logins import serves_no_client
from logins import nothing_runs, processes, program, rejected, served, steps, tells, users
from socks import CHOSEN, DEADLINE_S, GREETING, Peer, accept, check, login, request
from world import CLOSED_PORT, Handler, bound, called, connection, eventually, run

ALICE = users(b"alice:secret\n")  # the options; a test may write other users into the file
LOGIN = OFFER + login(b"alice", b"secret")
NOBODY = {"user": 65534, "group": 65534, "extra_groups": []}  # for Popen
UNLIMITED = resource.RLIM_INFINITY, resource.RLIM_INFINITY
CRASHING = NOBODY | {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_CORE, UNLIMITED)}
PY

CHECKPASSWORD=$(realpath -m "${CHECKPASSWORD:-$ROOT/build/stdsocks-checkpassword}")
export CHECKPASSWORD

# Of a sanitized build: looking for leaks takes longer than the whole life of a process that ends
# with its connection, and there are a thousand here.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0

setup() {
    umask 022 # or the handler takes no configuration of a test
    need_world
}

# The file of users

@test "auth: a right login is served, and the record names the user [RFC 1929 2]" {
    world <<'PY'
right = {
    b"alice": b"secret",
    b" a name ": b"  a b\t c ",
    b"\xff\xfe\x01\x7f": "p\u00e4ssw\u00f6rd".encode(),
    b"n" * 255: bytes(range(1, 10)) + bytes(range(11, 256)) + b"!",  # any byte but NUL and newline
}
lines = b"\r\n".join(name + b":" + secret for name, secret in right.items())
options = users(b"# who may\r\n\r\n" + lines)
assert run(STDSOCKS, "-f", "/dev/null", *options, "--check").startswith("sandbox: ")
for name, secret in right.items():
    assert enters(options, name, secret), (name, secret)
    for wrong in secret[:-1], secret[1:]:
        assert not enters(options, name, wrong), (name, wrong)
h = Handler(*options)  # step by step
for sent, answer in (OFFER, ASKED), (login(b"alice", b"secret"), RIGHT), (REQUEST, b""):
    h.client.send(sent)
    check(h.client.recv(len(answer)), answer)
served(h)
h.ended(END="closed", USER="alice", DST="127.0.0.1")
line = r"^stdsocks: 127\.0\.0\.1:\d+ user alice CONNECT 127\.0\.0\.1:"
assert re.search(line, h.said(), re.M), h.said()
PY
}

@test "auth: 01 01, and the end, when name or password is wrong, empty or another's [RFC 1929 2]" {
    world <<'PY'
options = users(b"alice:secret\nbob:other-secret\n# carol:hidden\n\n"
                b"erin:one\nfrank:se:cret\nerin:one\n")
for name, secret in (
    (b"alice", b"wrong"), (b"mallory", b"secret"), (b"alice", b"other-secret"), (b"bob", b"secret"),
    (b"", b"secret"), (b"alice", b""), (b"", b""), (b"alice:secret", b""), (b"alice", b":secret"),
    (b"# carol", b"hidden"), (b"carol", b"hidden"), (b"*", b"*"), (b"\xff" * 255, b"\xff" * 255),
    (b"alice\nbob", b"secret"), (b"alice", b"secret\nbob:other-secret"), (b"alice", b"secret\r"),
    (b"alice", b"secre"), (b"alice", b"secret\0"), (b"alice\0", b"secret"), (b"Alice", b"secret"),
    (b"frank:se", b"cret"), (b"erin", b"one"),
):
    assert not enters(options, name, secret), (name, secret)
assert enters(options, b"alice", b"secret")
assert enters(options, b"frank", b"se:cret")
# A name that stands twice belongs to no user, and --check names its line.
done = subprocess.run([STDSOCKS, "-f", "/dev/null", *options, "--check"], capture_output=True,
                      text=True, check=False)
assert re.match(r"/run/users:7: duplicate user, who cannot log in; .*\n$", done.stderr), done.stderr
check(done.returncode, 78)
PY
}

@test "auth: a login is understood however its bytes are cut" {
    world <<'PY'
right, wrong = LOGIN + REQUEST, OFFER + login(b"alice", b"wrong!") + REQUEST
for cuts in [[cut] for cut in range(1, len(right))] + [range(1, len(right))]:
    is_served(ALICE, right, ASKED + RIGHT, "alice", cuts)
    is_rejected(ALICE, wrong, "alice", cuts=cuts)
PY
}

@test "auth: the record tells, and nothing is answered, when a login ends at any byte" {
    world <<'PY'
unknown = {"USER": None, "REPLY": None}
for end in range(len(OFFER), len(LOGIN)):
    gets(ALICE, LOGIN[:end], ASKED, fin=True, END="client-gone", CLOSED_BY="client", **unknown)
options = *ALICE, "-o", "timeout handshake 100ms"
for end in len(OFFER), len(OFFER) + 4, len(LOGIN) - 1:
    gets(options, LOGIN[:end], ASKED, END="handshake-timeout", CLOSED_BY="stdsocks", **unknown)
PY
}

@test "auth: 01 01 when the version of a login is not 1, or it is a request [RFC 1929 2]" {
    world <<'PY'
for version in 0, 2, 4, 5, 255:
    for sent in login(b"alice", b"secret", version) + REQUEST, bytes([version]):
        is_rejected(ALICE, OFFER + sent, None)
for sent in OFFER + REQUEST, OFFER + GREETING + REQUEST, OFFER_BOTH + REQUEST:
    is_rejected(ALICE, sent, None)
PY
}

@test "auth: client, record and trace are alike for a wrong password and an unknown user" {
    world <<'PY'
options = users(b"alice:secret\nbob:other-secret\n")

def seen(name, secret):
    """All that client and record get, but for the name, the port and the time."""
    h, end = finished(options, OFFER + login(name, secret) + REQUEST)
    h.over()
    client_port = h.record()["STDSOCKS_CLIENT_PORT"]
    said = re.sub(r"\d+\.\d{3} s$|(?<=TOTAL_USEC=)\d+", "", h.said(), flags=re.M)
    said = re.sub("".join(f"{byte:02x} " for byte in name) + " *", "", said)
    return end, said.replace(client_port, "PORT").replace(name.decode(), "NAME")

wrong = seen(b"alice", b"wrong!")
check(wrong[0], (ASKED + WRONG, "fin"))
assert "login-failed" in wrong[1]
check(seen(b"carol", b"wrong!"), wrong)
check(seen(b"carol", b"secret"), wrong)
PY
}

@test "auth: the system calls are the same for a wrong password and an unknown user" {
    need strace
    world <<'PY'
strace = ["strace", "-f", "-qq", "-o", "/run/strace"]

def made(name, secret, options):
    client, accepted = connection()
    client.sendall(OFFER + login(name, secret) + REQUEST)
    client.shutdown(socket.SHUT_WR)
    Peer(client).acknowledged()
    h = Handler(*options, trace=False, ends=(client, accepted), before=strace)
    check(h.client.end(), (ASKED + WRONG, "fin"))
    h.over()
    return [call.name for call in calls("/run/strace")]

options = users(b"alice:secret\nbob:other-secret\n")
wrong = made(b"alice", b"wrong!", options)
assert len(wrong) > 20, wrong
for name, secret in (b"carol", b"wrong!"), (b"carol", b"secret"), (b"bob", b"secret"), (b"alice", b"secres"):
    check(made(name, secret, options), wrong)
PY
}

@test "auth: the number of instructions is the same for every wrong login" {
    ! sanitized || skip "counted for a build without sanitizer"
    world <<'PY'
# Each step switches between two processes: on one CPU, and before others, that is quick.
with contextlib.suppress(PermissionError):
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
options = users(b"alice:secret\ncarol:other1\n")
wrong = steps(options, b"xxxxx", b"secret")  # no such user
assert wrong > 1000, wrong
for name, secret in (
    (b"alice", b"Xecret"),  # from the first byte on
    (b"carol", b"otherX"),  # another line, the last byte only
    (b"alicX", b"secret"),
):
    check((name, secret, steps(options, name, secret)), (name, secret, wrong))
# It may depend on the lengths that the client sends, and not on those in the file.
longer = users(b"alice:" + b"s" * 255 + b"\ncarol:c\n")
check(steps(longer, b"alice", b"wrong!"), steps(longer, b"xxxxx", b"xxxxxx"))
PY
}

# Methods

@test "auth: 05 FF when a password is required, and the method is not offered [RFC 1928 3]" {
    world <<'PY'
for options in ALICE, program("#!/bin/sh\nexit 0\n"):
    for methods in b"\x00", b"\x01", b"\x00\x01\x03\x80\xfe\xff", b"", bytes(255):
        sent = bytes([5, len(methods)]) + methods + REQUEST
        h = gets(options, sent, NOT_SERVED, **rejected(None, END="no-method"))
        assert "(a password is required)" in h.said(), h.said()
nothing_runs()
PY
}

@test "auth: the password is preferred when either method may be chosen" {
    world <<'PY'
options = *ALICE, "-o", "auth none password"
for offer in OFFER, OFFER_BOTH, b"\x05\x02\x02\x00", b"\x05\xff" + bytes(254) + b"\x02":
    is_served(options, offer + login(b"alice", b"secret") + REQUEST, ASKED + RIGHT, "alice")
    is_rejected(options, offer + login(b"alice", b"wrong") + REQUEST, "alice")
is_served(options, GREETING + REQUEST, CHOSEN, None)
for methods in b"\x01", b"\x03\x80":
    h = gets(options, bytes([5, len(methods)]) + methods + REQUEST, NOT_SERVED, END="no-method")
    assert "password" not in h.said(), h.said()
PY
}

@test "auth: no password is requested, and no file read, when auth is none" {
    world <<'PY'
for options in ALICE, ("-o", "users /run/missing"), program(None, "/run/missing"):
    options = *options, "-o", "auth none"
    is_served(options, OFFER_BOTH + REQUEST, CHOSEN, None)
    gets(options, LOGIN, NOT_SERVED, END="no-method", USER=None)
PY
}

# Configurations that serve no client

@test "auth: serves no client, with status 78, if the file of users cannot be trusted or read" {
    world <<'PY'
right = b"alice:s3cret\n"
for mode, pattern in {
    0o604: "all users can read its secrets; run chmod o-r",
    0o644: "all users can read its secrets; run chmod o-r",
    0o602: "all users can write to it; run chmod o-w",
    0o666: "all users can ",
}.items():
    serves_no_client(users(right, mode=mode), pattern, ["s3cret"])
os.symlink(USERS, "/run/link")
serves_no_client(("-o", "users /run/link"), "all users can ")
for mode in 0o600, 0o400, 0o640, 0o660:
    assert enters(users(right, mode=mode), b"alice", b"s3cret")
assert enters(("-o", "users /run/link"), b"alice", b"s3cret")
users(right)
serves_no_client(("-o", "users /run/users"), "/run/users: Permission denied", **NOBODY)
serves_no_client(("-o", "users /run/missing"), "/run/missing: No such file")
serves_no_client(("-o", "users /run"), "/run: Is a directory")
serves_no_client(("-o", "users /dev/null"), "no user in the file")
serves_no_client(("-o", "users users"), "users needs an absolute path or a credential")
for auth in "password", "none password":
    serves_no_client(("-o", f"auth {auth}"), "auth requires passwords, but none are configured")
PY
}

@test "auth: serves no client, and names each mistake in the file with its line, but no secret" {
    world <<'PY'
for text, pattern in {
    b"": "empty",
    b"# alice:s3cret\n#\r\n": "no user in the file",
    b"alice:s3cret\nbob:s3cret\0\n": ":2: NUL byte in line",
    b"\0" * 100: ":1: NUL byte in line",
    b"alice:" + b"s" * (1 << 20): "too large",
    b"alice:s3cret\ns3cret\n\n# fine\n:s3cret\nbob:\nerin:" + b"s3cret" * 43:
        ":2: no colon in line(.|\n)*:5: invalid user name(.|\n)*:6: invalid secret(.|\n)*:7: invalid secret",
}.items():
    serves_no_client(users(text), pattern, ["s3cret", "erin"])
PY
}

@test "auth: 64 KB of users are read, and not a byte more" {
    world <<'PY'
first, last = b"alice:secret\n", b"bob:" + b"other" * 51  # 255
for size, end in (65536, b""), (65536, b"\n"), (65537, b""), (65537, b"\n"):
    filling = size - len(first + last + end)
    lines = b"#" + b"x" * (filling % 100 + 98) + b"\n"
    lines += (b"#" + b"x" * 98 + b"\n") * ((filling - len(lines)) // 100)
    text = first + lines + last + end
    check(len(text), size)
    options = users(text)
    if size > 65536:
        serves_no_client(options, "file too large; use at most 64 KB")
        continue
    assert enters(options, b"alice", b"secret")
    assert enters(options, b"bob", b"other" * 51)
    assert not enters(options, b"bob", b"other" * 50 + b"othe")
many = b"".join(b"u%d:s%d\n" % (n, n) for n in range(4500))
assert 65000 > len(many) > 50000
options = users(many)
assert enters(options, b"u4499", b"s4499") and not enters(options, b"u4499", b"s4498")
PY
}

@test "auth: the users come from a systemd credential" {
    world <<'PY'
options = "-o", "users credential:people"
os.mkdir("/run/credentials")
os.environ["CREDENTIALS_DIRECTORY"] = "/run/credentials"
serves_no_client(options, "/run/credentials/people: No such file")
users(b"alice:secret\n", "/run/credentials/people", 0o400)
assert enters(options, b"alice", b"secret")
assert not enters(options, b"alice", b"wrong")
users(b"alice:secret\n", "/run/credentials/people", 0o444)
serves_no_client(options, "all users can read its secrets")
os.environ["CREDENTIALS_DIRECTORY"] = "/" + "x" * 5000
serves_no_client(options, "people")
del os.environ["CREDENTIALS_DIRECTORY"]
serves_no_client(options, "no systemd credential \"people\"; set LoadCredential=")
for name in "", "../users", "a/b":
    serves_no_client(("-o", f"users credential:{name}"), "invalid credential")
PY
}

@test "auth: each connection reads the file again" {
    world <<'PY'
assert enters(ALICE, b"alice", b"secret")
users(b"alice:changed\n")
assert not enters(ALICE, b"alice", b"secret")
assert enters(ALICE, b"alice", b"changed")
h = begun(ALICE, OFFER, ASKED)  # and only for a new one
users(b"alice:other\n")
h.client.send(login(b"alice", b"changed") + REQUEST)
check(h.client.recv(2), RIGHT)
served(h)
PY
}

# A checkpassword program

@test "auth: checkpassword gets name, password and time, and inherits no other descriptor" {
    world <<'PY'
program("""
import os, sys, resource
question = os.read(3, 4096)
end = os.read(3, 4096)
fds = {}
for fd in os.listdir("/proc/self/fd"):
    try:
        fds[int(fd)] = os.readlink("/proc/self/fd/" + fd)
    except FileNotFoundError:  # of listdir() itself
        pass
fds[3] = fds[3].split(":")[0]
cores = resource.getrlimit(resource.RLIMIT_CORE)
with open("/run/told", "w") as told:
    print(repr((question, end, fds, sys.argv[1:], cores)), file=told)
""", "/run/probe.py")
options = "-o", 'checkpassword /usr/bin/python3 -IS /run/probe.py "two words" last'
for name, secret in (b"alice", b"secret"), (b"n" * 255, b"s" * 255), (b"\xff\n:", b" \r\n\x01 "):
    for popen in {}, {"pass_fds": [UPSTREAM.fileno()]}, {"stderr": subprocess.STDOUT}:
        h = begun(options, OFFER + login(name, secret) + REQUEST, ASKED + RIGHT, **popen)
        served(h)
        h.over()
        with open("/run/told", encoding="utf-8") as told:
            question, end, fds, arguments, cores = eval(told.read())
        said = re.escape(name + b"\0" + secret + b"\0")
        assert re.fullmatch(said + rb"[0-9A-Za-z:.+-]*\0", question), question
        check(end, b"")
        said = "/dev/null" if "stderr" in popen else h.log
        check(fds, {0: "/dev/null", 1: "/dev/null", 2: said, 3: "pipe"})
        check(arguments, ["two words", "last", "/bin/true"])
        check(cores, (0, 0))
PY
}

@test "auth: the process for checkpassword starts before the client's first byte is read" {
    need strace
    world <<'PY'
strace = ["strace", "-f", "-qq", "-o", "/run/strace"]
options = program("#!/bin/sh\nexit 0\n")

def made(sent, options):
    finished(options, sent, before=strace)
    return calls("/run/strace")

nowhere = request("127.0.0.1", CLOSED_PORT)
whole = LOGIN + nowhere
found = made(whole, options)
first = found[0].pid
check((found[0].name, sum(call.name == "execve" for call in found if call.pid == first)), ("execve", 1))
forks = [n for n, call in enumerate(found) if call.pid == first and call.name in ("clone", "clone3", "fork", "vfork")]
check(len(forks), 1)
hears = [n for n, call in enumerate(found)
         if call.pid == first and call.name in ("recvfrom", "recvmsg", "read", "recv", "readv") and call.rest.startswith("0,")]
assert hears and forks[0] < hears[0], (forks, hears)
others = [call for call in found if call.pid != first]
executed = next(n for n, call in enumerate(others) if call.name == "execve")
assert PROGRAM in others[executed].rest, others[executed]
for call in others[:executed]:  # it touches nothing of the client's
    assert call.name not in ("recvfrom", "recvmsg", "read", "recv", "sendto", "write", "writev"), call
# It executes nothing without a login that checkpassword can understand: none with a NUL.
for sent in (b"", OFFER, whole[:10], GREETING + nowhere, OFFER + login(b"alice", b"secret", 2),
             *(OFFER + login(name, secret) for name, secret in (
                 (b"", b"secret"), (b"alice", b""), (b"alice\0", b"secret"), (b"\0", b"secret"),
                 (b"alice\0secret\0", b"x"), (b"alice", b"sec\0ret"), (b"alice", b"\0")))):
    check(sum(call.name == "execve" for call in made(sent, options)), 1)
# A file of users needs no process at all.
found = made(whole, ALICE)
check({call.pid for call in found}, {found[0].pid})
PY
}

@test "auth: stdsocks-checkpassword is a checkpassword program" {
    need_root
    need mkpasswd
    world <<'PY'
lines = []
secrets = {b"yescrypt": b"correct horse", b"bcrypt": b"battery:staple", b"sha512crypt": b"s" * 200}
for method, secret in secrets.items():
    rounds = {b"yescrypt": "1", b"bcrypt": "4", b"sha512crypt": "1000"}[method]
    hashed = run("mkpasswd", "-s", "-m", method.decode(), "-R", rounds, text=secret.decode())
    lines.append(method + b":" + hashed.strip().encode() + b"\n")
users(b"".join(lines), "/run/hashed")
shutil.chown("/run/hashed", "stdsocks")  # the user that the handler, and so the program, becomes
options = "-o", f"checkpassword {os.environ['CHECKPASSWORD']} /run/hashed"
for name, secret in secrets.items():
    assert enters(options, name, secret), name
    for wrong in secret[:-1], secret + b"x", b"", secret + b"\0":
        assert not enters(options, name, wrong), (name, wrong)
os.chmod("/run/hashed", 0o644)
sent = OFFER + login(b"bcrypt", secrets[b"bcrypt"]) + REQUEST
h = is_rejected(options, sent, "bcrypt", status=71, END="failed")
assert "(checkpassword: exit status 111)" in h.said(), h.said()
assert "chmod o-rw /run/hashed" in h.said(), h.said()
nothing_runs()
PY
}

@test "auth: the checkpassword program of stdsocks.conf(5) checks passwords" {
    need htpasswd
    EXAMPLE=$(sed -n '/^#!\/bin\/sh$/,/^}$/ { s/\\e/\\/g; p; }' "$ROOT/man/stdsocks.conf.5")
    export EXAMPLE
    world <<'PY'
example = os.environ["EXAMPLE"].replace("/etc/stdsocks/htpasswd", "/run/htpasswd") + "\n"
check(len(example.splitlines()), 6)
options = program(example)
users(b"", "/run/htpasswd")
secrets = {b"alice": b"secret", b"bob": b" a b\\n:$HOME'\"", b"carol": b"-v"}
for name, secret in secrets.items():
    run("htpasswd", "-iBC", "4", "/run/htpasswd", name.decode(), text=secret.decode())
shutil.chown("/run/htpasswd", "stdsocks")
for name, secret in secrets.items():
    assert enters(options, name, secret), name
    for wrong in b"wrong", secret + b"\n", secret + b"\n" + secret, b"\n" + secret, secret + b" ":
        assert not enters(options, name, wrong), (name, wrong)
for name in (b"mallory", b"alice\nsecret", b"alice\n", b"ali\nce", b"-D", b"alice\\", b" alice",
             b"alice ", b"$(exit 0)", b"alice:", b"\nalice"):
    assert not enters(options, name, b"secret"), name
nothing_runs()
PY
}

@test "auth: exit status 0 of checkpassword accepts a login, and 1 rejects it" {
    world <<'PY'
assert enters(program("#!/bin/sh\nexit 0\n"), b"alice", b"secret")
assert not enters(program("#!/bin/sh\nexit 1\n"), b"alice", b"secret")
assert enters(program("#!/bin/sh\ntest \"$1\" = a && exec \"$2\"\n", words="a"), b"alice", b"secret")
assert enters(program("#!/bin/sh\ncat <&3 >/run/got\n"), b"alice", b"secret")
assert enters(program("#!/bin/sh\nexec 3<&-\nexit 0\n"), b"alice", b"secret")
# A parent that ignores SIGCHLD changes no answer, and the program ignores and blocks no signal.
ignore = {"preexec_fn": lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN)}
assert not enters(program("#!/bin/sh\nexit 1\n"), b"alice", b"secret", **ignore)
options = program("#!/bin/sh\ngrep -E '^Sig(Blk|Ign)' /proc/self/status >/run/told\n")
assert enters(options, b"alice", b"secret", **ignore)
assert enters(options, b"alice", b"secret")
with open("/run/told", encoding="ascii") as told:
    blocked, ignored = (int(line.split()[1], 16) for line in told)
# Signals 32 and 33, of the C library, may be ignored by the process that runs the tests.
check((blocked, ignored & 0x7fffffff), (0, 0))
nothing_runs()
PY
}

@test "auth: 01 01, END=failed and 71 when checkpassword fails" {
    world <<'PY'
for script, why in {
    "#!/bin/sh\nexit 2\n": "exit status 2",
    "#!/bin/sh\nexit 111\n": "exit status 111",
    "#!/bin/sh\nexit 255\n": "exit status 255",
    "#!/bin/sh\nkill -KILL $$\n": "exit status 137",
    "#!/missing/interpreter\n": "exit status 127",
    "": "exit status 127",
}.items():
    h = is_rejected(program(script), LOGIN + REQUEST, "alice", status=71, END="failed")
    assert f"(checkpassword: {why})" in h.said(), h.said()
# It was there when the connection began.
h = begun(program("#!/bin/sh\nexit 0\n"), OFFER, ASKED)
os.unlink(PROGRAM)
h.client.send(LOGIN.removeprefix(OFFER) + REQUEST)
is_over(h, WRONG, 71, **rejected("alice", END="failed"))
nothing_runs()
PY
}

@test "auth: serves no client, with status 78, if checkpassword is no program" {
    world <<'PY'
serves_no_client(program(None, "/run/missing"), 'cannot execute "/run/missing"; use the path')
os.mkdir("/run/folder")
serves_no_client(program(None, "/run/folder"), "cannot execute")
program("#!/bin/sh\nexit 0\n")
os.chmod(PROGRAM, 0o644)
serves_no_client(program(None), "cannot execute")
serves_no_client(("-o", "checkpassword program"), "checkpassword needs an absolute path")
serves_no_client(("-o", "checkpassword"), "checkpassword needs an absolute path")
PY
}

@test "auth: a checkpassword program that never ends is killed at the handshake's deadline" {
    world <<'PY'
wanted = {"CLOSED_BY": "stdsocks", "USER": "alice", "REPLY": None}
for script in ("exec sleep 1000", "trap '' TERM HUP INT\nwhile :; do :; done", "sleep 1000\nexit 0",
               "cat <&3 >/dev/null\nexec sleep 1000"):
    options = *program(f"#!/bin/sh\n{script}\n"), "-o", "timeout handshake 500ms"
    h = gets(options, LOGIN + REQUEST, ASKED, END="handshake-timeout", **wanted)
    assert 500000 <= int(h.record()["STDSOCKS_TOTAL_USEC"]) < 10000000, h.said()
    nothing_runs()
# The processes that it has started end with it when the handler is terminated, too.
options = *program("#!/bin/sh\nsleep 1000\nexit 0\n"), "-o", "timeout handshake 60s"
h = begun(options, LOGIN + REQUEST, ASKED)
eventually(lambda: len(processes()) == 3, "the program and its sleep run")
h.terminate()
check(h.client.end(), (b"", "fin"))
h.ended(END="terminated", **wanted)
nothing_runs()
PY
}

@test "auth: the process for checkpassword has ended when the relay starts" {
    world <<'PY'
options = *program("#!/bin/sh\nexit 0\n"), "-o", "auth none password"
for sent, answer in (LOGIN, ASKED + RIGHT), (GREETING, CHOSEN):
    h = begun(options, sent + REQUEST, answer)
    check(h.client.recv(10)[:2], b"\x05\x00")
    upstream = accept(UPSTREAM)
    check(processes(), [h.pid])
    check([fd for fd, link in h.descriptors().items() if link.startswith("pipe:") or "pidfd" in link], [])
    upstream.fin()
    check(h.client.end(), (b"", "fin"))
    h.gone()
PY
}

@test "auth: no process is left when the client leaves, or the handler ends, during a login" {
    world <<'PY'
waiting = Waiting()
whole = LOGIN + REQUEST
gone = {"END": "client-gone", "CLOSED_BY": "client"}
for sent in b"", OFFER[:1], OFFER, whole[:8]:
    for leave in Peer.close, Peer.reset:
        h = Handler(*waiting.options)
        h.client.send(sent)
        h.client.acknowledged()
        eventually(lambda: len(processes()) == 2, "the process is split off")
        leave(h.client)
        h.ended(**gone)
        nothing_runs()
for leave in Peer.fin, Peer.close, Peer.reset:  # while checkpassword runs
    h = begun(waiting.options, whole[:-1], ASKED)
    waiting.has_begun()
    leave(h.client)
    waiting.exits(0)
    h.ended(**gone, USER="alice")
    nothing_runs()
for sent in OFFER, whole:
    for number in signal.SIGTERM, signal.SIGINT, signal.SIGKILL:
        h = begun((*waiting.options, "-o", "timeout handshake 60s"), sent, ASKED)
        if sent == whole:
            waiting.has_begun()
        check(len(processes()), 2)
        h.process.send_signal(number)
        check(h.client.end()[0], b"")
        h.client.close()
        if number == signal.SIGKILL:
            h.over(-9)
        else:
            h.ended(END="terminated", CLOSED_BY="stdsocks", REPLY=None)
        nothing_runs()
PY
}

# Where the password never is

@test "auth: a password is in no arguments and no environment while checkpassword runs" {
    world <<'PY'
waiting = Waiting()
with subprocess.Popen(["sh", "-c", "read -r _", SECRET], stdin=subprocess.PIPE) as control:  # it is found if it is there
    eventually(lambda: in_public(SECRET), "the control has it")
    control.stdin.close()
h = begun(waiting.options, OFFER + login(b"alice", SECRET) + REQUEST, ASKED)
waiting.has_begun()
check(len(processes()), 2)
assert not in_public(SECRET)
waiting.exits(0)
check(h.client.recv(2), RIGHT)
served(h)
h.over()
assert not holds(h.said().encode(), [SECRET])
PY
}

@test "auth: a password is neither in the record nor in the trace, however the login ends" {
    world <<'PY'
def said_after(options, sent, trace=True):
    return finished(options, sent + request("127.0.0.1", CLOSED_PORT), trace=trace)[0].said()

def tells_nothing(options, sent):
    for trace in True, False:
        said = said_after(options, sent, trace)
        assert "STDSOCKS_END" in said or not trace, said
        assert not tells(said, SECRET, OTHER), said

options = users(b"alice:" + SECRET + b"\nbob:" + OTHER + b"\n")
whole = login(b"alice", SECRET)
assert tells(said_after(options, OFFER + login(SECRET, b"wrong")), SECRET)  # a name is shown, and found
assert tells(said_after(options, OFFER + b"\x01\x05alice\x01x" + SECRET), SECRET) is False
tells_nothing(options, OFFER + whole)
tells_nothing(options, OFFER + login(b"alice", OTHER))
for version in 0, 2, 5:
    tells_nothing(options, OFFER + login(b"alice", SECRET, version))
for sent in SECRET, b"\x02" + SECRET, b"\x00\x00" + SECRET:
    tells_nothing(options, OFFER + sent)
for script in "exit 0", "exit 1", "exit 2":
    tells_nothing(program(f"#!/bin/sh\n{script}\n"), OFFER + whole)
for end in range(len(whole)):
    h = gets(options, OFFER + whole[:end], ASKED, fin=True, END="client-gone")
    assert not tells(h.said(), SECRET, OTHER), h.said()
# A login is not in the trace either where none is expected.
for options, sent in (
    (options, whole),  # no greeting
    (options, OFFER + whole + whole),
    (("-o", "auth none"), OFFER_BOTH + whole),
    ((*options, "-o", "auth none password"), GREETING + whole),
    (("-o", "users /run/missing"), OFFER_BOTH + whole),
):
    tells_nothing(options, sent)
PY
}

@test "auth: no secret is in the memory of a handler that relays" {
    ! sanitized || skip "a sanitizer keeps copies of its own"
    world <<'PY'
text = b"alice:" + SECRET + b"\nbob:" + OTHER + b"\n"
by_users, by_program = users(text), program("#!/bin/sh\nexit 0\n")
whole = OFFER + login(b"alice", SECRET)

def has_read():
    with contextlib.suppress(OSError, AssertionError):  # a process that starts maps and unmaps
        return in_memory(h.pid, OTHER)

def relays(sent, answer=b"", early=b""):
    """The handler relays after this, and has no secret; its upstream."""
    h.client.send(sent + REQUEST + early)
    check(h.client.recv(len(answer) + 10)[:-6], answer + b"\x05\x00\x00\x01")
    upstream = accept(UPSTREAM)
    check(upstream.recv(len(early)), early)
    upstream.send(b"question")
    check(h.client.recv(8), b"question")
    assert not in_memory(h.pid, SECRET, OTHER), (options, trace)
    return upstream

# What lies there before is found.
options, trace = by_users, True
h = Handler(*options)
eventually(has_read, "the users are read")
h.client.send(whole[:-1])
h.client.acknowledged()
eventually(lambda: in_memory(h.pid, SECRET), "the login is heard")
relays(whole[-1:], ASKED + RIGHT)
h.process.kill()

for cut, trace in (False, True), (True, False):
    for options, sent, answer in (
        (by_users, whole, ASKED + RIGHT),
        (by_program, whole, ASKED + RIGHT),
        ((*by_users, "-o", "auth none password"), GREETING, CHOSEN),
    ):
        h = begun(options, sent, answer, range(1, len(sent)) if cut else (), trace=trace)
        if sent != GREETING:
            assert not in_memory(h.pid, SECRET, OTHER), (options, trace)
        relays(b"", early=b"early").fin()
        check(h.client.end(), (b"", "fin"))
        h.gone()
PY
}

@test "auth: no secret is in the memory of a handler whose refused client stays connected" {
    ! sanitized || skip "a sanitizer keeps copies of its own"
    world <<'PY'
by_users = users(b"alice:" + SECRET + b"\nbob:" + OTHER + b"\n")
whole = OFFER + login(b"alice", SECRET)
kept = []
for what, options, sent, answer in (
    ("wrong", by_users, OFFER + login(b"bob", SECRET), ASKED + WRONG),
    ("wrong, says the program", program("#!/bin/sh\nexit 1\n"), whole, ASKED + WRONG),
    ("nobody can tell", program("#!/bin/sh\nexit 2\n"), whole, ASKED + WRONG),
    ("empty name", by_users, OFFER + login(b"", SECRET), ASKED + WRONG),
    ("wrong version", by_users, OFFER + login(b"alice", SECRET, 2), ASKED + WRONG),
    ("no such method", by_users, GREETING, NOT_SERVED),
    ("not SOCKS 5", by_users, b"GET /", NOT_SERVED),
):
    h = Handler(*options)
    h.client.send(sent)
    check(h.client.end(), (answer, "fin"))
    if in_memory(h.pid, SECRET, OTHER):
        kept.append(what)
    h.client.close()
    h.process.wait(DEADLINE_S)
check(kept, [])
PY
}

@test "auth: a handler that has passwords is not dumped, nor readable by its own user" {
    world <<'PY'
by_users, by_program = users(b"nobody:" + SECRET + b"\n"), program("#!/bin/sh\nexit 0\n")
os.chown(USERS, 65534, 65534)
os.mkdir("/run/cores")
os.chmod("/run/cores", 0o777)
other = subprocess.Popen(["sleep", "60"], cwd="/run/cores", **CRASHING)
able = ("unlimited", "unlimited"), 65534
eventually(lambda: dumps(other.pid) == able, "another program")  # this one could
other.send_signal(signal.SIGSEGV)
dumped = os.WCOREDUMP(os.waitpid(other.pid, 0)[1])
for options in by_users, by_program:
    h = begun(options, OFFER_BOTH, ASKED, cwd="/run/cores", **CRASHING)
    pids = processes()
    check((len(pids), h.pid in pids), (2 if options == by_program else 1, True))
    for pid in pids:
        check(dumps(pid), (("0", "0"), 0))
        command = ["cat", f"/proc/{pid}/mem", f"/proc/{pid}/environ"]
        done = subprocess.run(command, capture_output=True, check=False, **NOBODY)
        check(done.stderr.count(b"Permission denied"), 2)
    h.process.send_signal(signal.SIGSEGV)
    check(os.WCOREDUMP(os.waitpid(h.pid, 0)[1]), False)
    check(h.client.end()[0], b"")
    nothing_runs()
print("a core was written of the first one" if dumped else "no core is written here at all")
PY
}

@test "auth: a handler with a broken configuration does not expose the secrets either" {
    ! sanitized || skip "a sanitizer keeps copies of its own"
    world <<'PY'
for text, more in (b"alice:" + SECRET + b"\n", ["-o", "bogus"]), (b"alice:" + SECRET + b"\nmistake\n", []):
    users(text)
    os.chown(USERS, 65534, 65534)
    h = begun(("-o", f"users {USERS}", *more), GREETING, CHOSEN, **CRASHING)
    if in_memory(h.pid, SECRET):
        check(dumps(h.pid), (("0", "0"), 0))
    h.client.send(REQUEST)
    check(h.client.end(), (REFUSED, "fin"))
    assert not in_memory(h.pid, SECRET), text
    h.gone(78)
PY
}

# Users that the kernel knows; tests/rules.bats has the rules for them

@test "auth: SO_PEERCRED is accepted in place of a password on AF_UNIX" {
    world <<'PY'
accounts()
listening = bound()
rules = "-o", "allow user ada to any", "-o", "auth password"
for options in (*users(b"ada:secret\nbob:other\n"), *rules), (*program("#!/bin/sh\nexit 0\n"), *rules):
    assert is_allowed(called(listening, ADA), options, "ada")
    assert not is_allowed(called(listening, BAB), options, "bab")
    assert not is_allowed(called(listening, NAMELESS), options, None)
    # A login takes precedence over the user that the kernel knows.
    assert is_allowed(called(listening, BAB), options, "ada", OFFER + login(b"ada", b"secret"), ASKED + RIGHT)
    assert is_allowed(called(listening, BAB), options, "ada", OFFER_BOTH + login(b"ada", b"secret"), ASKED + RIGHT)
    assert not is_allowed(called(listening, ADA), options, "bob", OFFER + login(b"bob", b"other"), ASKED + RIGHT)
    nothing_runs()
# A wrong password is refused even then.
options = *users(b"ada:secret\n"), *rules
sent = OFFER_BOTH + login(b"ada", b"wrong") + REQUEST
is_rejected(options, sent, "ada", ends=called(listening, ADA))
PY
}

@test "auth: a pair of sockets, TCP and pipes have no user, and need the password" {
    world <<'PY'
accounts()
rule = "-o", "allow user any to any", "-o", "allow from unix:0 to any"
assert not is_allowed(socket.socketpair(), rule, None)
assert not is_allowed(connection(), rule, None)
options = *ALICE, *rule
for ends in socket.socketpair, connection:
    gets(options, GREETING, NOT_SERVED, popen={"ends": ends()}, END="no-method", USER=None)
    assert is_allowed(ends(), options, "alice", LOGIN, ASKED + RIGHT)
for options, answer in (rule, CHOSEN + NOT_ALLOWED), (options, NOT_SERVED):
    h = Handler(*options, stdin=subprocess.PIPE, stdout=subprocess.PIPE, before=NO_RULE)
    check(h.process.communicate(GREETING + REQUEST, DEADLINE_S)[0], answer)
    check(h.record().get("STDSOCKS_USER"), None)
PY
}

@test "auth: an AF_UNIX client is its user behind s6-ipcserver and systemd-socket-activate" {
    need s6-ipcserver systemd-socket-activate curl
    local command where=localhost$BATS_TEST_TMPDIR/socks
    local fetch=(curl -sS --max-time "$WAIT_S" --proxy)
    cd "$BATS_TEST_TMPDIR" || return
    (umask 077 && echo alice:secret >users)
    printf 'auth password\nusers %s\nallow from unix:%s user %s to any\n' "$PWD/users" "$(id -u)" \
        "$(id -un)" >conf
    web
    for command in s6-ipcserver 'systemd-socket-activate --accept --inetd -l'; do
        # shellcheck disable=SC2086 # words
        start server $command "$PWD/socks" "$STDSOCKS" --trace -f "$PWD/conf"
        wait_path "$PWD/socks"
        "${fetch[@]}" "socks5h://$where" -o page "http://127.0.0.1:$WEB/100000"
        wait_line "$(log web)" "^GET bytes=100000 sha256=$(sha256sum <page | cut -c 1-64)\$"
        wait_line "$(log server)" "^STDSOCKS_USER=$(id -un)\$"
        # With a password it is that user, and the rules do not allow alice.
        run -97 "${fetch[@]}" "socks5h://alice:secret@$where" "http://127.0.0.1:$WEB/1"
        wait_line "$(log server)" '^STDSOCKS_USER=alice$'
        rm socks
    done
}

@test "auth: curl logs in with its password" {
    need curl
    web
    (umask 077 && echo 'alice:p:a ss' >"$BATS_TEST_TMPDIR/users")
    launch -- -o "users $BATS_TEST_TMPDIR/users"
    curl -sS --max-time "$WAIT_S" --proxy "socks5h://${PROXY/ /:}" --proxy-user 'alice:p:a ss' -o /dev/null \
        "http://127.0.0.1:$WEB/100000"
    ended END=closed USER=alice
    run -97 curl -sS --max-time "$WAIT_S" --proxy "socks5h://${PROXY/ /:}" --proxy-user 'alice:p' "http://127.0.0.1:$WEB/1"
    wait_line "$LOG" '^STDSOCKS_END=login-failed$'
    run -97 curl -sS --max-time "$WAIT_S" --proxy "socks5h://${PROXY/ /:}" "http://127.0.0.1:$WEB/1"
    wait_line "$LOG" '^STDSOCKS_END=no-method$'
}

# By hand

@test "auth: the messages of a login typed with --hex are annotated" {
    upstream sink
    (umask 077 && echo alice:secret >"$BATS_TEST_TMPDIR/users")
    typed() {
        printf '05 01 02  01 05 "alice" 06 "%s"  05 01 00 01 7f000001 %04x' "$1" "$UPSTREAM" |
            timeout "$WAIT_S" "$STDSOCKS" -f /dev/null -o 'allow to any' -o "users $BATS_TEST_TMPDIR/users" --hex \
                2>"$(log hex)"
    }
    run -0 typed secret
    [[ $(printf '%s\n' "${lines[@]##*# }" | head -n 8) == "VER 5
METHOD username/password
VER 1
STATUS success
VER 5
REP succeeded
RSV 0
ATYP IPv4" ]] || fail "$output"
    grep -q 'user alice CONNECT' "$(log hex)"
    run -0 typed wrong!
    [[ $(printf '%s\n' "${lines[@]##*# }") == "VER 5
METHOD username/password
VER 1
STATUS failure" ]] || fail "$output"
    grep -q 'user alice: login failed' "$(log hex)"
}

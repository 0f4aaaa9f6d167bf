#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Authentication: with a passwords file, a checkpassword program, or SO_PEERCRED; and the places
# where a password must not appear. tests/unit/users.c tests which lines and logins are valid.

# shellcheck disable=SC2154 # run sets output
bats_require_minimum_version 1.5.0
load helper
load net/world

prelude <<'PY'
import contextlib, os, re, resource, shutil, signal, socket, subprocess

from logins import ACCEPTED, ADA, BAB, CHOSEN_2, GENERAL_FAILURE, NAMELESS, NOT_ALLOWED, NO_METHOD
from logins import NO_RULE, OFFER, OFFER_BOTH, OTHER, PROGRAM, REJECTED, REQUEST, SECRET, STDSOCKS
from logins import UPSTREAM, USERS, BlockingProgram, accounts, answers, begin, calls, dumps
from logins import ends_with, holds, in_memory, in_proc, instructions, is_allowed, is_rejected
from logins import is_served, login_failed, logs_in, nothing_runs, processes, program
from logins import refuses_service, run_to_end, served, shows, users
from socks import CHOSEN, DEADLINE_S, GREETING, Endpoint, accept, check, login, request
from world import CLOSED_PORT, Handler, bound, connection_as, connection, eventually, run

ALICE = users(b"alice:secret\n")  # options; a test may write the file anew
LOGIN = OFFER + login(b"alice", b"secret")
NOBODY = {"user": 65534, "group": 65534, "extra_groups": []}  # for Popen
UNLIMITED = resource.RLIM_INFINITY, resource.RLIM_INFINITY
CRASHING = NOBODY | {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_CORE, UNLIMITED)}
PY

CHECKPASSWORD=$(realpath -m "${CHECKPASSWORD:-$ROOT/build/stdsocks-checkpassword}")
export CHECKPASSWORD

# A leak check takes longer than a handler runs, and this suite runs a thousand handlers.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0

setup() {
    umask 022 # the handler rejects a configuration that others can write to
    need_world
}

# The passwords file

@test "auth: accepts the right password, and records the user [RFC 1929 2]" {
    world <<'PY'
right = {
    b"alice": b"secret",
    b" a name ": b"  a b\t c ",
    b"\xff\xfe\x01\x7f": "p\u00e4ssw\u00f6rd".encode(),
    b"n" * 255: bytes(range(1, 10)) + bytes(range(11, 256)) + b"!",  # all bytes but NUL and newline
}
lines = b"\r\n".join(name + b":" + secret for name, secret in right.items())
options = users(b"# a comment\r\n\r\n" + lines)
assert run(STDSOCKS, "-f", "/dev/null", *options, "--check").startswith("sandbox: ")
for name, secret in right.items():
    assert logs_in(options, name, secret), (name, secret)
    for wrong in secret[:-1], secret[1:]:
        assert not logs_in(options, name, wrong), (name, wrong)
h = Handler(*options)  # step by step
for sent, answer in (OFFER, CHOSEN_2), (login(b"alice", b"secret"), ACCEPTED), (REQUEST, b""):
    h.client.send(sent)
    check(h.client.recv(len(answer)), answer)
served(h)
h.ended(END="closed", USER="alice", DST="127.0.0.1")
line = r"^stdsocks: 127\.0\.0\.1:\d+ user alice CONNECT 127\.0\.0\.1:"
assert re.search(line, h.log_text(), re.M), h.log_text()
PY
}

@test "auth: answers 01 01 and FIN if the name or the password is wrong [RFC 1929 2]" {
    world <<'PY'
options = users(b"alice:secret\nbob:other-secret\n\nerin:one\nerin:one\n")
for name, secret in (
    (b"alice", b"wrong"), (b"mallory", b"secret"), (b"alice", b"other-secret"), (b"bob", b"secret"),
    (b"", b"secret"), (b"alice", b""), (b"", b""), (b"\xff" * 255, b"\xff" * 255),
    (b"alice", b"secret\0"), (b"alice\0", b"secret"), (b"erin", b"one"),
):
    assert not logs_in(options, name, secret), (name, secret)
assert logs_in(options, b"alice", b"secret")
# No user can log in with a name that occurs twice; --check reports its line.
done = subprocess.run([STDSOCKS, "-f", "/dev/null", *options, "--check"], capture_output=True,
                      text=True, check=False)
assert re.match(r"/run/users:5: duplicate user, who cannot log in; .*\n$", done.stderr), done.stderr
check(done.returncode, 78)
PY
}

@test "auth: reads a login whose bytes arrive in several segments" {
    world <<'PY'
right, wrong = LOGIN + REQUEST, OFFER + login(b"alice", b"wrong!") + REQUEST
for cuts in [[cut] for cut in range(1, len(right))] + [range(1, len(right))]:
    is_served(ALICE, right, CHOSEN_2 + ACCEPTED, "alice", cuts)
    is_rejected(ALICE, wrong, "alice", cuts=cuts)
PY
}

@test "auth: sends no answer, and records the reason, if a login is incomplete" {
    world <<'PY'
absent = {"USER": None, "REPLY": None}
for end in range(len(OFFER), len(LOGIN)):
    answers(ALICE, LOGIN[:end], CHOSEN_2, fin=True, END="client-gone", CLOSED_BY="client", **absent)
options = *ALICE, "-o", "timeout handshake 100ms"
for end in len(OFFER), len(OFFER) + 4, len(LOGIN) - 1:
    answers(options, LOGIN[:end], CHOSEN_2, END="handshake-timeout", CLOSED_BY="stdsocks", **absent)
PY
}

@test "auth: answers 01 01 if the login's version is not 1 or it is a request [RFC 1929 2]" {
    world <<'PY'
for version in 0, 2, 4, 5, 255:
    for sent in login(b"alice", b"secret", version) + REQUEST, bytes([version]):
        is_rejected(ALICE, OFFER + sent, None)
for sent in OFFER + REQUEST, OFFER + GREETING + REQUEST, OFFER_BOTH + REQUEST:
    is_rejected(ALICE, sent, None)
PY
}

@test "auth: client, record and trace do not show whether a wrong login has a known user name" {
    world <<'PY'
options = users(b"alice:secret\nbob:other-secret\n")

def visible(name, secret):
    """Returns the answer and the log, without the name, the port and the time."""
    h, end = run_to_end(options, OFFER + login(name, secret) + REQUEST)
    h.wait_exit()
    client_port = h.record()["STDSOCKS_CLIENT_PORT"]
    said = re.sub(r"\d+\.\d{3} s$|(?<=TOTAL_USEC=)\d+", "", h.log_text(), flags=re.M)
    said = re.sub("".join(f"{byte:02x} " for byte in name) + " *", "", said)
    return end, said.replace(client_port, "PORT").replace(name.decode(), "NAME")

wrong = visible(b"alice", b"wrong!")
check(wrong[0], (CHOSEN_2 + REJECTED, "fin"))
assert "login-failed" in wrong[1]
check(visible(b"carol", b"wrong!"), wrong)
check(visible(b"carol", b"secret"), wrong)
PY
}

@test "auth: makes the same system calls for a wrong password and for an unknown user" {
    need strace
    world <<'PY'
strace = ["strace", "-f", "-qq", "-o", "/run/strace"]

def calls_for(name, secret):
    client, accepted = connection()
    client.sendall(OFFER + login(name, secret) + REQUEST)
    client.shutdown(socket.SHUT_WR)
    Endpoint(client).acknowledged()
    h = Handler(*options, trace=False, ends=(client, accepted), before=strace)
    check(h.client.end(), (CHOSEN_2 + REJECTED, "fin"))
    h.wait_exit()
    return [call.name for call in calls("/run/strace")]

options = users(b"alice:secret\nbob:other-secret\n")
wrong = calls_for(b"alice", b"wrong!")
assert len(wrong) > 20, wrong
for name, secret in ((b"carol", b"wrong!"), (b"carol", b"secret"), (b"bob", b"secret"),
                     (b"alice", b"secres")):
    check(calls_for(name, secret), wrong)
PY
}

@test "auth: executes the same number of instructions for every wrong login" {
    ! sanitized || skip "the count is for builds without sanitizers"
    world <<'PY'
# Each instruction switches between two processes, which is faster on one CPU with priority.
with contextlib.suppress(PermissionError):
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
options = users(b"alice:secret\ncarol:other1\n")
wrong = instructions(options, b"xxxxx", b"secret")  # no such user
assert wrong > 1000, wrong
for name, secret in (
    (b"alice", b"Xecret"),  # the first byte differs
    (b"carol", b"otherX"),  # the last byte of another line differs
    (b"alicX", b"secret"),
):
    check((name, secret, instructions(options, name, secret)), (name, secret, wrong))
# The number may depend on the lengths that the client sends, but not on those in the file.
longer = users(b"alice:" + b"s" * 255 + b"\ncarol:c\n")
check(instructions(longer, b"alice", b"wrong!"), instructions(longer, b"xxxxx", b"xxxxxx"))
PY
}

# Methods

@test "auth: answers 05 FF if a required password is not offered [RFC 1928 3]" {
    world <<'PY'
for options in ALICE, program("#!/bin/sh\nexit 0\n"):
    for methods in b"\x00", b"\x01", b"\x00\x01\x03\x80\xfe\xff", b"", bytes(255):
        sent = bytes([5, len(methods)]) + methods + REQUEST
        h = answers(options, sent, NO_METHOD, **login_failed(None, END="no-method"))
        assert "(a password is required)" in h.log_text(), h.log_text()
nothing_runs()
PY
}

@test "auth: chooses username/password if both methods are allowed and offered" {
    world <<'PY'
options = *ALICE, "-o", "auth none password"
for offer in OFFER, OFFER_BOTH, b"\x05\x02\x02\x00", b"\x05\xff" + bytes(254) + b"\x02":
    sent = offer + login(b"alice", b"secret") + REQUEST
    is_served(options, sent, CHOSEN_2 + ACCEPTED, "alice")
    is_rejected(options, offer + login(b"alice", b"wrong") + REQUEST, "alice")
is_served(options, GREETING + REQUEST, CHOSEN, None)
for methods in b"\x01", b"\x03\x80":
    h = answers(options, bytes([5, len(methods)]) + methods + REQUEST, NO_METHOD, END="no-method")
    assert "password" not in h.log_text(), h.log_text()
PY
}

@test "auth: requests no password and opens no passwords file if auth is none" {
    world <<'PY'
for options in ALICE, ("-o", "users /run/missing"), program(None, "/run/missing"):
    options = *options, "-o", "auth none"
    is_served(options, OFFER_BOTH + REQUEST, CHOSEN, None)
    answers(options, LOGIN, NO_METHOD, END="no-method", USER=None)
PY
}

# Configurations that serve no client

@test "auth: exits with 78 if the passwords file is unreadable or accessible to others" {
    world <<'PY'
right = b"alice:s3cret\n"
for mode, pattern in {
    0o604: "all users can read its secrets; run chmod o-r",
    0o644: "all users can read its secrets; run chmod o-r",
    0o602: "all users can write to it; run chmod o-w",
    0o666: "all users can ",
}.items():
    refuses_service(users(right, mode=mode), pattern, ["s3cret"])
os.symlink(USERS, "/run/link")
refuses_service(("-o", "users /run/link"), "all users can ")
for mode in 0o600, 0o400, 0o640, 0o660:
    assert logs_in(users(right, mode=mode), b"alice", b"s3cret")
assert logs_in(("-o", "users /run/link"), b"alice", b"s3cret")
users(right)
refuses_service(("-o", "users /run/users"), "/run/users: Permission denied", **NOBODY)
refuses_service(("-o", "users /run/missing"), "/run/missing: No such file")
refuses_service(("-o", "users /run"), "/run: Is a directory")
refuses_service(("-o", "users /dev/null"), "no user in the file")
refuses_service(("-o", "users users"), "users needs an absolute path or a credential")
for auth in "password", "none password":
    refuses_service(("-o", f"auth {auth}"), "auth requires passwords, but none are configured")
PY
}

@test "auth: reports each invalid line of the passwords file, but no secret" {
    world <<'PY'
for text, pattern in {
    b"": "empty",
    b"# alice:s3cret\n#\r\n": "no user in the file",
    b"alice:s3cret\nbob:s3cret\0\n": ":2: NUL byte in line",
    b"\0" * 100: ":1: NUL byte in line",
    b"alice:" + b"s" * (1 << 20): "too large",
    b"alice:s3cret\ns3cret\n\n# fine\n:s3cret\nbob:\nerin:" + b"s3cret" * 43:
        ":2: no colon in line(.|\n)*:5: invalid user name(.|\n)*"
        ":6: invalid secret(.|\n)*:7: invalid secret",
}.items():
    refuses_service(users(text), pattern, ["s3cret", "erin"])
PY
}

@test "auth: reads a passwords file of 64 KiB, and rejects a larger one" {
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
        refuses_service(options, "file too large; use at most 64 KB")
        continue
    assert logs_in(options, b"alice", b"secret")
    assert logs_in(options, b"bob", b"other" * 51)
    assert not logs_in(options, b"bob", b"other" * 50 + b"othe")
many = b"".join(b"u%d:s%d\n" % (n, n) for n in range(4500))
assert 65000 > len(many) > 50000
options = users(many)
assert logs_in(options, b"u4499", b"s4499") and not logs_in(options, b"u4499", b"s4498")
PY
}

@test "auth: reads the users from a systemd credential" {
    world <<'PY'
options = "-o", "users credential:people"
os.mkdir("/run/credentials")
os.environ["CREDENTIALS_DIRECTORY"] = "/run/credentials"
refuses_service(options, "/run/credentials/people: No such file")
users(b"alice:secret\n", "/run/credentials/people", 0o400)
assert logs_in(options, b"alice", b"secret")
assert not logs_in(options, b"alice", b"wrong")
users(b"alice:secret\n", "/run/credentials/people", 0o444)
refuses_service(options, "all users can read its secrets")
os.environ["CREDENTIALS_DIRECTORY"] = "/" + "x" * 5000
refuses_service(options, "people")
del os.environ["CREDENTIALS_DIRECTORY"]
refuses_service(options, "no systemd credential \"people\"; set LoadCredential=")
for name in "", "../users", "a/b":
    refuses_service(("-o", f"users credential:{name}"), "invalid credential")
PY
}

@test "auth: reads the passwords file again for each connection" {
    world <<'PY'
assert logs_in(ALICE, b"alice", b"secret")
users(b"alice:changed\n")
assert not logs_in(ALICE, b"alice", b"secret")
assert logs_in(ALICE, b"alice", b"changed")
h = begin(ALICE, OFFER, CHOSEN_2)  # it has read the file
users(b"alice:other\n")
h.client.send(login(b"alice", b"changed") + REQUEST)
check(h.client.recv(2), ACCEPTED)
served(h)
PY
}

# A checkpassword program

@test "auth: passes name, password and timestamp to checkpassword, and no other descriptor" {
    world <<'PY'
program("""
import os, sys, resource
message = os.read(3, 4096)
end = os.read(3, 4096)
fds = {}
for fd in os.listdir("/proc/self/fd"):
    try:
        fds[int(fd)] = os.readlink("/proc/self/fd/" + fd)
    except FileNotFoundError:  # the descriptor of listdir()
        pass
fds[3] = fds[3].split(":")[0]
cores = resource.getrlimit(resource.RLIMIT_CORE)
with open("/run/report", "w") as report:
    print(repr((message, end, fds, sys.argv[1:], cores)), file=report)
""", "/run/probe.py")
options = "-o", 'checkpassword /usr/bin/python3 -IS /run/probe.py "two words" last'
for name, secret in (b"alice", b"secret"), (b"n" * 255, b"s" * 255), (b"\xff\n:", b" \r\n\x01 "):
    for popen in {}, {"pass_fds": [UPSTREAM.fileno()]}, {"stderr": subprocess.STDOUT}:
        h = begin(options, OFFER + login(name, secret) + REQUEST, CHOSEN_2 + ACCEPTED, **popen)
        served(h)
        h.wait_exit()
        with open("/run/report", encoding="utf-8") as report:
            message, end, fds, arguments, cores = eval(report.read())
        wanted = re.escape(name + b"\0" + secret + b"\0")
        assert re.fullmatch(wanted + rb"[0-9A-Za-z:.+-]*\0", message), message
        check(end, b"")
        stderr = "/dev/null" if "stderr" in popen else h.log
        check(fds, {0: "/dev/null", 1: "/dev/null", 2: stderr, 3: "pipe"})
        check(arguments, ["two words", "last", "/bin/true"])
        check(cores, (0, 0))
PY
}

@test "auth: starts the process for checkpassword before it reads the client's first byte" {
    need strace
    world <<'PY'
strace = ["strace", "-f", "-qq", "-o", "/run/strace"]
options = program("#!/bin/sh\nexit 0\n")

RECEIVE = "recvfrom", "recvmsg", "read", "recv", "readv"
SEND = "sendto", "write", "writev"

def calls_for(sent, options):
    run_to_end(options, sent, before=strace)
    return calls("/run/strace")

def executed(found):
    return [n for n, call in enumerate(found) if call.name == "execve"]

refused = request("127.0.0.1", CLOSED_PORT)
whole = LOGIN + refused
found = calls_for(whole, options)
first = found[0].pid
own = [call for call in found if call.pid == first]
check(executed(own), [0])
forks = [n for n, call in enumerate(own) if call.name in ("clone", "clone3", "fork", "vfork")]
reads = [n for n, call in enumerate(own) if call.name in RECEIVE and call.rest.startswith("0,")]
check(len(forks), 1)
assert forks[0] < reads[0], (forks, reads)
others = [call for call in found if call.pid != first]
program_at = executed(others)[0]
assert PROGRAM in others[program_at].rest, others[program_at]
for call in others[:program_at]:  # the process uses no socket before the program
    assert call.name not in RECEIVE + SEND, call
# The program is executed only for a complete login without NUL bytes.
for sent in (b"", OFFER, whole[:10], GREETING + refused, OFFER + login(b"alice", b"secret", 2),
             *(OFFER + login(name, secret) for name, secret in (
                 (b"", b"secret"), (b"alice", b""), (b"alice\0", b"secret"), (b"\0", b"secret"),
                 (b"alice\0secret\0", b"x"), (b"alice", b"sec\0ret"), (b"alice", b"\0")))):
    check(len(executed(calls_for(sent, options))), 1)
# With a passwords file there is no other process.
found = calls_for(whole, ALICE)
check({call.pid for call in found}, {found[0].pid})
PY
}

@test "auth: accepts and rejects logins with stdsocks-checkpassword" {
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
shutil.chown("/run/hashed", "stdsocks")  # the handler, and so the program, runs as this user
options = "-o", f"checkpassword {os.environ['CHECKPASSWORD']} /run/hashed"
for name, secret in secrets.items():
    assert logs_in(options, name, secret), name
    for wrong in secret[:-1], secret + b"x", b"", secret + b"\0":
        assert not logs_in(options, name, wrong), (name, wrong)
os.chmod("/run/hashed", 0o644)
sent = OFFER + login(b"bcrypt", secrets[b"bcrypt"]) + REQUEST
h = is_rejected(options, sent, "bcrypt", status=71, END="failed")
assert "(checkpassword: exit status 111)" in h.log_text(), h.log_text()
assert "chmod o-rw /run/hashed" in h.log_text(), h.log_text()
nothing_runs()
PY
}

@test "auth: accepts and rejects logins with the example program of stdsocks.conf(5)" {
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
    assert logs_in(options, name, secret), name
    for wrong in b"wrong", secret + b"\n", secret + b"\n" + secret, b"\n" + secret, secret + b" ":
        assert not logs_in(options, name, wrong), (name, wrong)
for name in (b"mallory", b"alice\nsecret", b"alice\n", b"ali\nce", b"-D", b"alice\\", b" alice",
             b"alice ", b"$(exit 0)", b"alice:", b"\nalice"):
    assert not logs_in(options, name, b"secret"), name
nothing_runs()
PY
}

@test "auth: accepts a login if checkpassword exits with 0, and rejects it if with 1" {
    world <<'PY'
assert logs_in(program("#!/bin/sh\nexit 0\n"), b"alice", b"secret")
assert not logs_in(program("#!/bin/sh\nexit 1\n"), b"alice", b"secret")
script = "#!/bin/sh\ntest \"$1\" = a && exec \"$2\"\n"
assert logs_in(program(script, words="a"), b"alice", b"secret")
assert logs_in(program("#!/bin/sh\ncat <&3 >/run/got\n"), b"alice", b"secret")
assert logs_in(program("#!/bin/sh\nexec 3<&-\nexit 0\n"), b"alice", b"secret")
# The answer is right if the handler's parent ignores SIGCHLD; the program inherits no signal state.
ignore = {"preexec_fn": lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN)}
assert not logs_in(program("#!/bin/sh\nexit 1\n"), b"alice", b"secret", **ignore)
options = program("#!/bin/sh\ngrep -E '^Sig(Blk|Ign)' /proc/self/status >/run/report\n")
assert logs_in(options, b"alice", b"secret", **ignore)
assert logs_in(options, b"alice", b"secret")
with open("/run/report", encoding="ascii") as report:
    blocked, ignored = (int(line.split()[1], 16) for line in report)
# The process that runs the tests may ignore signals 32 and 33, of the C library.
check((blocked, ignored & 0x7fffffff), (0, 0))
nothing_runs()
PY
}

@test "auth: answers 01 01, records END=failed and exits with 71 if checkpassword fails" {
    world <<'PY'
for script, reason in {
    "#!/bin/sh\nexit 2\n": "exit status 2",
    "#!/bin/sh\nexit 111\n": "exit status 111",
    "#!/bin/sh\nexit 255\n": "exit status 255",
    "#!/bin/sh\nkill -KILL $$\n": "exit status 137",
    "#!/missing/interpreter\n": "exit status 127",
    "": "exit status 127",
}.items():
    h = is_rejected(program(script), LOGIN + REQUEST, "alice", status=71, END="failed")
    assert f"(checkpassword: {reason})" in h.log_text(), h.log_text()
# The program is removed during the connection.
h = begin(program("#!/bin/sh\nexit 0\n"), OFFER, CHOSEN_2)
os.unlink(PROGRAM)
h.client.send(LOGIN.removeprefix(OFFER) + REQUEST)
ends_with(h, REJECTED, 71, **login_failed("alice", END="failed"))
nothing_runs()
PY
}

@test "auth: exits with 78 if checkpassword is not executable" {
    world <<'PY'
refuses_service(program(None, "/run/missing"), 'cannot execute "/run/missing"; use the path')
os.mkdir("/run/folder")
refuses_service(program(None, "/run/folder"), "cannot execute")
program("#!/bin/sh\nexit 0\n")
os.chmod(PROGRAM, 0o644)
refuses_service(program(None), "cannot execute")
refuses_service(("-o", "checkpassword program"), "checkpassword needs an absolute path")
refuses_service(("-o", "checkpassword"), "checkpassword needs an absolute path")
PY
}

@test "auth: kills checkpassword and its children at the handshake's deadline" {
    world <<'PY'
wanted = {"CLOSED_BY": "stdsocks", "USER": "alice", "REPLY": None}
for script in ("exec sleep 1000", "trap '' TERM HUP INT\nwhile :; do :; done", "sleep 1000\nexit 0",
               "cat <&3 >/dev/null\nexec sleep 1000"):
    options = *program(f"#!/bin/sh\n{script}\n"), "-o", "timeout handshake 500ms"
    h = answers(options, LOGIN + REQUEST, CHOSEN_2, END="handshake-timeout", **wanted)
    assert 500000 <= int(h.record()["STDSOCKS_TOTAL_USEC"]) < 10000000, h.log_text()
    nothing_runs()
# The program and its children are also killed when the handler is terminated.
options = *program("#!/bin/sh\nsleep 1000\nexit 0\n"), "-o", "timeout handshake 60s"
h = begin(options, LOGIN + REQUEST, CHOSEN_2)
eventually(lambda: len(processes()) == 3, "the program and its sleep run")
h.terminate()
check(h.client.end(), (b"", "fin"))
h.ended(END="terminated", **wanted)
nothing_runs()
PY
}

@test "auth: ends the process for checkpassword before the relay starts" {
    world <<'PY'
options = *program("#!/bin/sh\nexit 0\n"), "-o", "auth none password"
for sent, answer in (LOGIN, CHOSEN_2 + ACCEPTED), (GREETING, CHOSEN):
    h = begin(options, sent + REQUEST, answer)
    check(h.client.recv(10)[:2], b"\x05\x00")
    upstream = accept(UPSTREAM)
    check(processes(), [h.pid])
    links = h.descriptors().values()
    check([link for link in links if link.startswith("pipe:") or "pidfd" in link], [])
    upstream.fin()
    check(h.client.end(), (b"", "fin"))
    h.close_client()
PY
}

@test "auth: leaves no process behind if the client or the handler ends during a login" {
    world <<'PY'
waiting = BlockingProgram()
whole = LOGIN + REQUEST
gone = {"END": "client-gone", "CLOSED_BY": "client"}
for sent in b"", OFFER[:1], OFFER, whole[:8]:
    for leave in Endpoint.close, Endpoint.reset:
        h = Handler(*waiting.options)
        h.client.send(sent)
        h.client.acknowledged()
        eventually(lambda: len(processes()) == 2, "the process for checkpassword")
        leave(h.client)
        h.ended(**gone)
        nothing_runs()
for leave in Endpoint.fin, Endpoint.close, Endpoint.reset:  # while checkpassword runs
    h = begin(waiting.options, whole[:-1], CHOSEN_2)
    waiting.wait_begun()
    leave(h.client)
    if leave != Endpoint.reset:  # a reset ends the program, too
        waiting.exit(0)
    h.ended(**gone, USER="alice")
    nothing_runs()
for sent in OFFER, whole:
    for number in signal.SIGTERM, signal.SIGINT, signal.SIGKILL:
        h = begin((*waiting.options, "-o", "timeout handshake 60s"), sent, CHOSEN_2)
        if sent == whole:
            waiting.wait_begun()
        check(len(processes()), 2)
        h.process.send_signal(number)
        check(h.client.end()[0], b"")
        h.client.close()
        if number == signal.SIGKILL:
            h.wait_exit(-9)
        else:
            h.ended(END="terminated", CLOSED_BY="stdsocks", REPLY=None)
        nothing_runs()
PY
}

# Places where a password must not appear

@test "auth: no arguments or environment contain the password while checkpassword runs" {
    world <<'PY'
waiting = BlockingProgram()
# The search finds the secret in the arguments of a control process.
with subprocess.Popen(["sh", "-c", "read -r _", SECRET], stdin=subprocess.PIPE) as control:
    eventually(lambda: in_proc(SECRET), "the secret in the arguments")
    control.stdin.close()
h = begin(waiting.options, OFFER + login(b"alice", SECRET) + REQUEST, CHOSEN_2)
waiting.wait_begun()
check(len(processes()), 2)
assert not in_proc(SECRET)
waiting.exit(0)
check(h.client.recv(2), ACCEPTED)
served(h)
h.wait_exit()
assert not holds(h.log_text().encode(), [SECRET])
PY
}

@test "auth: no record or trace contains a password, however the login ends" {
    world <<'PY'
def log_of(options, sent, trace=True):
    return run_to_end(options, sent + request("127.0.0.1", CLOSED_PORT), trace=trace)[0].log_text()

def shows_no_secret(options, sent):
    for trace in True, False:
        said = log_of(options, sent, trace)
        assert "STDSOCKS_END" in said or not trace, said
        assert not shows(said, SECRET, OTHER), said

options = users(b"alice:" + SECRET + b"\nbob:" + OTHER + b"\n")
whole = login(b"alice", SECRET)
assert shows(log_of(options, OFFER + login(SECRET, b"wrong")), SECRET)  # names are shown
assert shows(log_of(options, OFFER + b"\x01\x05alice\x01x" + SECRET), SECRET) is False
shows_no_secret(options, OFFER + whole)
shows_no_secret(options, OFFER + login(b"alice", OTHER))
for version in 0, 2, 5:
    shows_no_secret(options, OFFER + login(b"alice", SECRET, version))
for sent in SECRET, b"\x02" + SECRET, b"\x00\x00" + SECRET:
    shows_no_secret(options, OFFER + sent)
for script in "exit 0", "exit 1", "exit 2":
    shows_no_secret(program(f"#!/bin/sh\n{script}\n"), OFFER + whole)
for end in range(len(whole)):
    h = answers(options, OFFER + whole[:end], CHOSEN_2, fin=True, END="client-gone")
    assert not shows(h.log_text(), SECRET, OTHER), h.log_text()
# A login that arrives in place of another message is not shown either.
for options, sent in (
    (options, whole),  # no greeting
    (options, OFFER + whole + whole),
    (("-o", "auth none"), OFFER_BOTH + whole),
    ((*options, "-o", "auth none password"), GREETING + whole),
    (("-o", "users /run/missing"), OFFER_BOTH + whole),
):
    shows_no_secret(options, sent)
PY
}

@test "auth: keeps no secret in memory when it relays" {
    ! sanitized || skip "sanitizers keep copies"
    world <<'PY'
text = b"alice:" + SECRET + b"\nbob:" + OTHER + b"\n"
by_users, by_program = users(text), program("#!/bin/sh\nexit 0\n")
whole = OFFER + login(b"alice", SECRET)

def has_read():
    with contextlib.suppress(OSError, AssertionError):  # the maps change while a process starts
        return in_memory(h.pid, OTHER)

def relays(sent, answer=b"", early=b""):
    """Checks that the handler relays after SENT and has no secret. Returns the upstream end."""
    h.client.send(sent + REQUEST + early)
    check(h.client.recv(len(answer) + 10)[:-6], answer + b"\x05\x00\x00\x01")
    upstream = accept(UPSTREAM)
    check(upstream.recv(len(early)), early)
    upstream.send(b"question")
    check(h.client.recv(8), b"question")
    assert not in_memory(h.pid, SECRET, OTHER), (options, trace)
    return upstream

# The search finds the secrets before the handshake is complete.
options, trace = by_users, True
h = Handler(*options)
eventually(has_read, "the users are read")
h.client.send(whole[:-1])
h.client.acknowledged()
eventually(lambda: in_memory(h.pid, SECRET), "the login is received")
relays(whole[-1:], CHOSEN_2 + ACCEPTED)
h.process.kill()

for cut, trace in (False, True), (True, False):
    for options, sent, answer in (
        (by_users, whole, CHOSEN_2 + ACCEPTED),
        (by_program, whole, CHOSEN_2 + ACCEPTED),
        ((*by_users, "-o", "auth none password"), GREETING, CHOSEN),
    ):
        h = begin(options, sent, answer, range(1, len(sent)) if cut else (), trace=trace)
        if sent != GREETING:
            assert not in_memory(h.pid, SECRET, OTHER), (options, trace)
        relays(b"", early=b"early").fin()
        check(h.client.end(), (b"", "fin"))
        h.close_client()
PY
}

@test "auth: keeps no secret in memory when it has refused a client that stays connected" {
    ! sanitized || skip "sanitizers keep copies"
    world <<'PY'
by_users = users(b"alice:" + SECRET + b"\nbob:" + OTHER + b"\n")
whole = OFFER + login(b"alice", SECRET)
kept = []
for case, options, sent, answer in (
    ("wrong password", by_users, OFFER + login(b"bob", SECRET), CHOSEN_2 + REJECTED),
    ("program rejects", program("#!/bin/sh\nexit 1\n"), whole, CHOSEN_2 + REJECTED),
    ("program fails", program("#!/bin/sh\nexit 2\n"), whole, CHOSEN_2 + REJECTED),
    ("empty name", by_users, OFFER + login(b"", SECRET), CHOSEN_2 + REJECTED),
    ("wrong version", by_users, OFFER + login(b"alice", SECRET, 2), CHOSEN_2 + REJECTED),
    ("no such method", by_users, GREETING, NO_METHOD),
    ("not SOCKS 5", by_users, b"GET /", NO_METHOD),
):
    h = Handler(*options)
    h.client.send(sent)
    check(h.client.end(), (answer, "fin"))
    if in_memory(h.pid, SECRET, OTHER):
        kept.append(case)
    h.client.close()
    h.process.wait(DEADLINE_S)
check(kept, [])
PY
}

@test "auth: dumps no core, and is unreadable for its own user, while it has passwords" {
    world <<'PY'
by_users, by_program = users(b"nobody:" + SECRET + b"\n"), program("#!/bin/sh\nexit 0\n")
os.chown(USERS, 65534, 65534)
os.mkdir("/run/cores")
os.chmod("/run/cores", 0o777)
other = subprocess.Popen(["sleep", "60"], cwd="/run/cores", **CRASHING)
unprotected = ("unlimited", "unlimited"), 65534
eventually(lambda: dumps(other.pid) == unprotected, "a control process that can be dumped")
other.send_signal(signal.SIGSEGV)
dumped = os.WCOREDUMP(os.waitpid(other.pid, 0)[1])
for options in by_users, by_program:
    h = begin(options, OFFER_BOTH, CHOSEN_2, cwd="/run/cores", **CRASHING)
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
print("the control process was dumped" if dumped else "this host writes no core dumps")
PY
}

@test "auth: protects the secrets if the configuration has an error, too" {
    ! sanitized || skip "sanitizers keep copies"
    world <<'PY'
for end, more in (b"", ["-o", "bogus"]), (b"mistake\n", []):
    text = b"alice:" + SECRET + b"\n" + end
    users(text)
    os.chown(USERS, 65534, 65534)
    h = begin(("-o", f"users {USERS}", *more), GREETING, CHOSEN, **CRASHING)
    if in_memory(h.pid, SECRET):
        check(dumps(h.pid), (("0", "0"), 0))
    h.client.send(REQUEST)
    check(h.client.end(), (GENERAL_FAILURE, "fin"))
    assert not in_memory(h.pid, SECRET), text
    h.close_client(78)
PY
}

# Users of AF_UNIX sockets; tests/rules.bats tests rules for them

@test "auth: accepts SO_PEERCRED in place of a password on AF_UNIX" {
    world <<'PY'
accounts()
listening = bound()
rules = "-o", "allow user ada to any", "-o", "auth password"
logged_in = CHOSEN_2 + ACCEPTED
for method in users(b"ada:secret\nbob:other\n"), program("#!/bin/sh\nexit 0\n"):
    options = *method, *rules
    assert is_allowed(connection_as(listening, ADA), options, "ada")
    assert not is_allowed(connection_as(listening, BAB), options, "bab")
    assert not is_allowed(connection_as(listening, NAMELESS), options, None)
    # A login takes precedence over SO_PEERCRED.
    ada = login(b"ada", b"secret")
    assert is_allowed(connection_as(listening, BAB), options, "ada", OFFER + ada, logged_in)
    assert is_allowed(connection_as(listening, BAB), options, "ada", OFFER_BOTH + ada, logged_in)
    bob = OFFER + login(b"bob", b"other")
    assert not is_allowed(connection_as(listening, ADA), options, "bob", bob, logged_in)
    nothing_runs()
# So a wrong password is rejected.
options = *users(b"ada:secret\n"), *rules
sent = OFFER_BOTH + login(b"ada", b"wrong") + REQUEST
is_rejected(options, sent, "ada", ends=connection_as(listening, ADA))
PY
}

@test "auth: requires a password on socket pairs, TCP and pipes, which have no user" {
    world <<'PY'
accounts()
rule = "-o", "allow user any to any", "-o", "allow from unix:0 to any"
assert not is_allowed(socket.socketpair(), rule, None)
assert not is_allowed(connection(), rule, None)
options = *ALICE, *rule
for ends in socket.socketpair, connection:
    answers(options, GREETING, NO_METHOD, popen={"ends": ends()}, END="no-method", USER=None)
    assert is_allowed(ends(), options, "alice", LOGIN, CHOSEN_2 + ACCEPTED)
for options, answer in (rule, CHOSEN + NOT_ALLOWED), (options, NO_METHOD):
    h = Handler(*options, stdin=subprocess.PIPE, stdout=subprocess.PIPE, before=NO_RULE)
    check(h.process.communicate(GREETING + REQUEST, DEADLINE_S)[0], answer)
    check(h.record().get("STDSOCKS_USER"), None)
PY
}

@test "auth: gets the user of an AF_UNIX client behind s6-ipcserver and systemd-socket-activate" {
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
        # With a password the user is alice, whom the rules do not allow.
        run -97 "${fetch[@]}" "socks5h://alice:secret@$where" "http://127.0.0.1:$WEB/1"
        wait_line "$(log server)" '^STDSOCKS_USER=alice$'
        rm socks
    done
}

@test "auth: curl logs in with its password, and fails with a wrong one or none" {
    need curl
    web
    (umask 077 && echo 'alice:p:a ss' >"$BATS_TEST_TMPDIR/users")
    launch -- -o "users $BATS_TEST_TMPDIR/users"
    local fetch=(curl -sS --max-time "$WAIT_S" --proxy "socks5h://${PROXY/ /:}")
    "${fetch[@]}" --proxy-user 'alice:p:a ss' -o /dev/null "http://127.0.0.1:$WEB/100000"
    ended END=closed USER=alice
    run -97 "${fetch[@]}" --proxy-user 'alice:p' "http://127.0.0.1:$WEB/1"
    wait_line "$LOG" '^STDSOCKS_END=login-failed$'
    run -97 "${fetch[@]}" "http://127.0.0.1:$WEB/1"
    wait_line "$LOG" '^STDSOCKS_END=no-method$'
}

# Hex mode

@test "auth: hex mode annotates the messages of a login" {
    upstream sink
    (umask 077 && echo alice:secret >"$BATS_TEST_TMPDIR/users")
    typed() {
        printf '05 01 02  01 05 "alice" 06 "%s"  05 01 00 01 7f000001 %04x' "$1" "$UPSTREAM" |
            timeout "$WAIT_S" "$STDSOCKS" -f /dev/null -o 'allow to any' \
                -o "users $BATS_TEST_TMPDIR/users" --hex 2>"$(log hex)"
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
    grep -q 'user alice: authentication failed' "$(log hex)"
}

#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# SOCKS 4 and 4A, which need "version 4" and cannot replace a password.

load helper
load net/world

prelude <<'PY'
import socket, struct

from logins import ADA, BAB, NAMELESS, NO_METHOD, NO_RULE, REQUEST, UPSTREAM, accounts
from logins import nothing_runs, program, users
from socks import CHOSEN, GREETING, accept, check, escaped, half_close, login
from world import Handler, bound, connection_as, is_waiting, port_of, write

BOTH = "-o", "version 4 5"
REJECTED, OTHER_USER = (bytes([0, code]) + bytes(6) for code in (0x5B, 0x5D))


def request4(userid=b"", host="127.0.0.1", port=port_of(UPSTREAM), command=1):
    """The request of SOCKS 4, or of 4A for a name."""
    try:
        where, name = socket.inet_aton(host), b""
    except OSError:
        where, name = b"\0\0\0\1", host.encode() + b"\0"
    return struct.pack(">BBH", 4, command, port) + where + userid + b"\0" + name


def started(sent, *options, **popen):
    """Start a handler, and send this to it."""
    h = Handler(*options, **popen)
    h.client.send(sent)
    return h


def served4(h, **fields):
    check(h.client.recv(2), b"\x00\x5a")
    h.client.recv(6)
    upstream = accept(UPSTREAM)
    half_close(upstream, h.client)
    upstream.close()
    h.client.close()
    h.ended(END="closed", **fields)


def refused4(h, answer=REJECTED, **fields):
    h.ends(answer, **{"END": "refused", "CLOSED_BY": "stdsocks", "REPLY": "2", **fields})
    assert not is_waiting(UPSTREAM), "there was a connection to upstream"
PY

export VERSIONS='version 4 5'
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 # conversation.bats tells why

# sessions MODE GROUP... - run these conversations of vectors/sessions.txt.
sessions() {
    STDSOCKS=$STDSOCKS timeout 80 "$PYTHON" "$ROOT/tests/vectors/run.py" "$@"
}

@test "socks4: a client is served or gets 5B for every way to split its messages" {
    sessions split served4 refused4 messages4
}

@test "socks4: a client that ends or resets at any byte leaves status 0 and its record" {
    sessions fin served4
    sessions reset served4
}

@test "socks4: a version that is not configured gets 05 FF at its first byte" {
    need_world
    world <<'PY'
for options, sent in (
    (("-o", "version 5"), request4()), ((), request4()), (("-o", "version 4"), GREETING + REQUEST),
    (("-o", "version 5"), b"\x04"), (("-o", "version 4"), b"\x05"), (("-o", "version 4"), b"G"),
    (BOTH, b"\x06"), (BOTH, b"\0"),
):
    h = started(sent, *options)
    h.ends(NO_METHOD, END="not-socks5", CLOSED_BY="stdsocks")
    assert not is_waiting(UPSTREAM)
served4(started(request4(), "-o", "version 4"), REPLY="0")
PY
}

@test "socks4: no request of version 4 avoids a required password" {
    need_world
    world <<'PY'
for options in (*users(b"alice:secret\n"), *BOTH), (*program("#!/bin/sh\nexit 0\n"), *BOTH), \
        (*users(b"alice:secret\n"), *BOTH, "-o", "auth password", "-o", "allow user alice to any"):
    for userid in b"", b"alice", b"alice:secret", b"alice\nsecret", b"u" * 255:
        for sent in request4(userid), request4(userid, "localhost"), \
                request4(userid) + login(b"alice", b"secret") + REQUEST:
            refused4(started(sent, *options), USER=None, USERID=escaped(userid))
    nothing_runs()
# If a client may choose, a user id is still no login.
options = *users(b"alice:secret\n"), "-o", "auth none password", *BOTH
served4(started(request4(b"alice"), *options), USER=None, USERID="alice")
h = started(request4(b"alice"), *options, "-o", "allow user alice to any", before=NO_RULE)
refused4(h, RULE="end of the rules")
PY
}

@test "socks4: replies 5D if the user ID is not the user of the AF_UNIX client" {
    need_world
    world <<'PY'
accounts()
listening = bound()
options = *BOTH, "-o", "allow user ada to any", "-o", "auth password", *users(b"bob:secret\n")
for userid, uid, answer in (b"", ADA, None), (b"ada", ADA, None), (b"bab", ADA, OTHER_USER), \
        (b"adam", ADA, OTHER_USER), (b"ad", ADA, OTHER_USER), (b"ada", BAB, OTHER_USER), \
        (b"bab", BAB, REJECTED), (b"ada", NAMELESS, REJECTED):
    h = started(request4(userid), *options, ends=connection_as(listening, uid), before=NO_RULE)
    if answer:
        refused4(h, answer)
    else:
        served4(h, USER="ada")
PY
}

@test "socks4: a user id or name of 255 bytes is read, and one of 256 gets 5B" {
    need_world
    world <<'PY'
for userid in b"u" * 255, bytes(range(1, 256)):
    served4(started(request4(userid), *BOTH), USERID=escaped(userid))
for sent in request4(b"u" * 256), request4(b"", "n" * 256), b"\x04" + b"A" * 600:
    refused4(started(sent, *BOTH), REPLY="1", DST=None)
refused4(started(request4(b"", "n" * 255), *BOTH), REPLY="4", DST="n" * 255)
PY
}

@test "socks4: rules match the name of 4A, and the record has the reply code of version 5" {
    need_world
    world <<'PY'
rules = *BOTH, "-o", "allow to localhost at any", "-o", "deny"
for host, reply in ("localhost", None), ("127.0.0.1", "2"), ("other.test", "2"):
    h = started(request4(b"", host), *rules, before=NO_RULE)
    if reply:
        refused4(h, REPLY=reply)
    else:
        served4(h)
PY
}

@test "socks4: 5B and reply 01 if the configuration or the user to become is wrong" {
    need_world
    world <<'PY'
# With an error in the configuration, the configured versions are unknown, and both are answered.
write("/run/invalid", "version 4\nallow too any\n")
write("/run/neither", "version 4 6\n")
why = {"user": "started as root and cannot become no-such-user",
       "conf": "invalid configuration"}
for kind, status, *options in ("user", 71, "-o", "version 4 5", "-o", "user no-such-user"), \
        ("conf", 78, "-f", "/run/invalid"), ("conf", 78, "-f", "/run/neither"), \
        ("user", 71, "-o", "version 5", "-o", "user no-such-user"):
    h = started(request4(), *options)
    h.ends(REJECTED, status=status, END="failed", REPLY="1", USERID="")
    assert why[kind] in h.log_text()
    h = started(GREETING + REQUEST, *options)
    h.ends(CHOSEN + b"\x05\x01\0\x01" + bytes(6), status=status, END="failed", REPLY="1")
assert not is_waiting(UPSTREAM)
PY
}

@test "socks4: --hex and --trace show its messages, and name it if only version 5 is configured" {
    local options out=$BATS_TEST_TMPDIR/out err=$BATS_TEST_TMPDIR/err
    for options in "$VERSIONS" 'version 5'; do
        printf '04 01 00 50 00 00 00 01 "bob" 00 "127.1" 00' |
            "$STDSOCKS" -f /dev/null -o "$options" --hex --trace >"$out" 2>"$err"
        grep -qx 'client sends SOCKS 4 request:' "$err"
        grep -qE '# USERID "bob"$' "$err"
        [[ $options == "$VERSIONS" ]] || continue
        grep -qE '^5b +# CD request rejected or failed$' "$out"
        grep -qE '# DOMAIN "127.1"$' "$err"
        grep -qx 'stdsocks sends SOCKS 4 reply:' "$err"
    done
    grep -qxF 'STDSOCKS_END=not-socks5' "$err"
    ! grep -q 'METHODS' "$err" || fail 'parsed as a greeting of version 5'
}

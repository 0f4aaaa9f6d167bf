#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The options --hex and --trace.

load helper
load net/world

prelude <<'PY'
import os, signal, subprocess

from socks import DEADLINE_S, accept, check

# The command for hex text, and the options of Popen for its pipes.
COMMAND = [os.environ["STDSOCKS"], "-f", "/dev/null", "-o", "allow to any", "--hex", "--trace"]
PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
         "text": True}

def type_in(handler, text):
    handler.stdin.write(text + "\n")
    handler.stdin.flush()
PY

export STDSOCKS
PAD=$(printf '%45s' '')
GREETING='05 01 00'

# hex TEXT [OPTION]... - run --hex with this input, and set $OUT and $ERR to the paths of its
# output. The status must be $STATUS (0).
hex() {
    local status=0
    OUT=$BATS_TEST_TMPDIR/out ERR=$BATS_TEST_TMPDIR/err
    timeout 60 "$STDSOCKS" -f /dev/null -o "allow to any" --hex "${@:2}" \
        < <(printf '%s' "$1") >"$OUT" 2>"$ERR" || status=$?
    ((status == ${STATUS:-0})) || fail "status $status: $1"
}

# is FILE <TEXT - check that the file has this text.
is() {
    diff -u "$1" - || fail "${1##*/} differs"
}

# to_upstream - print a request for 127.0.0.1 and upstream's port.
to_upstream() {
    printf '05 01 00 01 7f000001 %04x' "$UPSTREAM"
}

# bytes [FILE] - print the bytes of hex text without quotes, two digits per line.
bytes() {
    sed 's/#.*//' "$@" | grep -oE '[0-9a-f]{2}' || true
}

@test "hex: the command in the README shows a served connection" {
    need_world
    world <<'PY'
from world import listeners, there
from dns import Server
Server({"example.com": ["1.2.3.4"]})
there("1.2.3.4")
(listening,) = listeners("1.2.3.4", port=80)
typed = """printf '05 01 00  05 01 00 03 0b "example.com" 00 50' | "$STDSOCKS" --hex"""
with subprocess.Popen(typed, shell=True, stdout=subprocess.PIPE, text=True) as shell:
    upstream = accept(listening)
    check(upstream.end(), (b"", "fin"))
    port = upstream.sock.getpeername()[1].to_bytes(2, "big")
    upstream.close()
    check(shell.stdout.read().splitlines(), [f"{bytes:49}# {comment}" for bytes, comment in (
        ("05", "VER 5"),
        ("00", "METHOD no authentication required"),
        ("05", "VER 5"),
        ("00", "REP succeeded"),
        ("00", "RSV 0"),
        ("01", "ATYP IPv4"),
        ("c0 00 02 c9", "BND.ADDR 192.0.2.201"),
        (port.hex(" "), f"BND.PORT {int.from_bytes(port, 'big')}"),
    )])
check(shell.returncode, 0)
PY
}

@test "hex: shows a refusal, and exits with status 0" {
    hex "$GREETING  05 01 00 03 09 \"127.0.0.1\" 00 00"
    is "$OUT" <<END
05 $PAD # VER 5
00 $PAD # METHOD no authentication required
05 $PAD # VER 5
05 $PAD # REP connection refused
00 $PAD # RSV 0
01 $PAD # ATYP IPv4
00 00 00 00                                      # BND.ADDR 0.0.0.0
00 00                                            # BND.PORT 0
END
}

@test "hex: shows bytes from upstream as hex and as text, in a form that --hex reads again" {
    upstream echo
    hex "$GREETING $(to_upstream) \"GET \\\"/\\\" # HTTP\\r\\n\\r\\n\" 00 ff"
    is <(sed '1,/# BND\.PORT/d' "$OUT") <<'END'
47 45 54 20 22 2f 22 20 23 20 48 54 54 50 0d 0a  # "GET \"/\" # HTTP\r\n"
0d 0a 00 ff                                      # "\r\n\x00\xff"
END
    cp "$OUT" "$BATS_TEST_TMPDIR/first"
    hex "$GREETING $(to_upstream)
$(<"$BATS_TEST_TMPDIR/first")"
    is <(bytes <(sed '1,/# BND\.PORT/d' "$OUT")) < <(bytes "$BATS_TEST_TMPDIR/first")
}

@test "hex: 200,000 bytes come back unchanged" {
    local data
    data=$(head -c 200000 /dev/urandom | od -An -v -tx1)
    upstream echo
    hex "$GREETING $(to_upstream) $data"
    cmp <(bytes <(sed '1,/# BND\.PORT/d' "$OUT")) <(bytes <<<"$data")
}

@test "hex: shows each answer before the rest of the input is typed" {
    upstream echo
    python <<'PY'
def lines(count):
    return [handler.stdout.readline().split("#")[1].strip() for _ in range(count)]

with subprocess.Popen(COMMAND, **PIPES) as handler:
    type_in(handler, "05 01 00")
    check(lines(2), ["VER 5", "METHOD no authentication required"])
    type_in(handler, "05 01 00 01 7f 00 00 01 # the port follows")
    type_in(handler, f"{int(os.environ['UPSTREAM']):04x}")
    check(lines(6)[:2], ["VER 5", "REP succeeded"])
    type_in(handler, '"one"')
    check(lines(1), ['"one"'])
    type_in(handler, '"two"')
    check(lines(1), ['"two"'])
    handler.stdin.close()
    check(handler.stdout.read(), "")
check(handler.returncode, 0)
PY
}

@test "hex: ends without a leftover process if upstream closes or at SIGTERM" {
    python <<'PY'
with subprocess.Popen(COMMAND, **PIPES) as handler:
    type_in(handler, "05 01 02")
    check(handler.stdout.read().count("\n"), 2)
    check(handler.wait(DEADLINE_S), 0)  # while standard input is open
with subprocess.Popen(COMMAND, start_new_session=True, **PIPES) as handler:
    type_in(handler, "05 01 00")
    handler.stdout.readline()  # waits until it serves
    handler.send_signal(signal.SIGTERM)
    check(handler.wait(DEADLINE_S), 0)
    assert "STDSOCKS_END=terminated\n" in handler.stderr.read()
    try:
        os.killpg(handler.pid, 0)
        raise AssertionError("a process is left")
    except ProcessLookupError:
        pass
PY
}

@test "hex: ends if the reader of its output has gone" {
    upstream source 10000000
    # shellcheck disable=SC2016 # for the other shell
    run timeout 30 bash -c \
        'printf %s "$1" | "$STDSOCKS" -f /dev/null -o "allow to any" --hex 2>/dev/null |
            head -n 1' - "$GREETING $(to_upstream)"
    ((status == 0))
    [[ $output == "05 $PAD # VER 5" ]]
}

@test "hex: an incomplete greeting is no error, and gets no answer" {
    local text
    for text in '' '# nothing' '05' '05 01'; do
        hex "$text"
        [[ ! -s $OUT ]] || fail "an answer to: $text"
        grep -qF 'client disconnected during the handshake' "$ERR" || fail "no record: $text"
    done
}

# fails_at TEXT LOCATION REASON - --hex reports one error with this location and reason, and exits
# with status 64.
fails_at() {
    STATUS=64 hex "$1" || return
    grep -qE "^stdsocks: standard input:$2: .*$3" "$ERR" || fail "$1: $(<"$ERR")"
    (($(grep -c 'standard input:' "$ERR") == 1 && $(wc -l <"$ERR") <= 2)) || fail "$1: $(<"$ERR")"
}

# tests/unit/hex.c has every kind of error.
@test "hex: reports an error with its line and column, and exits with status 64" {
    upstream sink
    fails_at 'GET /' 1:1 'hex digit'
    fails_at '05 01 00 05 01 0g' 1:17 'incomplete byte'
    grep -qF '# METHOD no authentication required' "$OUT" # the bytes before the error are sent
    fails_at '05 "open' 1:9 'not closed'
    fails_at "$GREETING $(to_upstream)
$(printf '00 %.0s' {1..3000})
$(printf '%s\n' {10..99})
05 zz" 93:4 'hex digit'
}

# tests/unit/annotate.c has the text of each message.
@test "trace: shows every message in order, and then the record" {
    hex "$GREETING  05 01 00 03 09 \"127.0.0.1\" 00 00" --trace
    local ending='refused, connection refused (port 0), [0-9.]* s$'
    is <(grep -vE '^[0-9a-f ]{48} # |^STDSOCKS_' "$ERR") <<END
client sends greeting:
stdsocks sends method:
client sends request:
stdsocks sends reply:
$(grep "^stdsocks: stdio CONNECT 127\.0\.0\.1:0: $ending" "$ERR")
$(grep -E '^MESSAGE_ID=[0-9a-f]{32}$' "$ERR")
END
    is <(sed -n '/sends reply/,/^stdsocks:/p' "$ERR" | sed '1d;$d') < <(tail -n 6 "$OUT")
    grep -qxF '31 32 37 2e 30 2e 30 2e 31                       # DST.ADDR "127.0.0.1"' "$ERR"
    grep -qxF 'STDSOCKS_END=refused' "$ERR"
}

@test "trace: shows an incomplete or malformed message as its bytes" {
    hex "$GREETING  05 01 00 03 0c \"example.com\" 00 50" --trace
    [[ $(<"$ERR") == *'client sends request:'*'# LEN 12'*'STDSOCKS_END=client-gone'* ]]
    hex '"GET / HTTP/1.1\r\n"' --trace
    grep -qF 'unsupported protocol version' "$ERR"
    sed 's/#.*//' "$ERR" | tr -d ' \n' | grep -qF '474554202f20485454502f312e310d0a'
}

@test "trace: standard output has only the bytes that the server sends" {
    printf '\5\1\0\5\2\0\1\177\0\0\1\0\120' |
        "$STDSOCKS" -f /dev/null -o "allow to any" --trace 2>"$BATS_TEST_TMPDIR/err" |
        cmp - <(printf '\5\0\5\7\0\1\0\0\0\0\0\0')
    grep -qxF 'stdsocks sends reply:' "$BATS_TEST_TMPDIR/err"
}

@test "trace: a name with control characters is escaped, and cannot forge a field" {
    hex "$GREETING 05 01 00 03 1b \"\\x1b[2J\\nSTDSOCKS_END=closed\\r\\x9b\\0\" 00 50" --trace
    ! LC_ALL=C grep -q '[^[:print:]]' "$ERR" || fail 'not printable'
    (($(grep -c '^STDSOCKS_END=' "$ERR") == 1))
    grep -qF 'STDSOCKS_DST=\x1b[2J\nSTDSOCKS_END=closed\r\x9b\x00' "$ERR"
}

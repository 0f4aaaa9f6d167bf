#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# --hex and --trace as a person types them, and what comes back.

bats_require_minimum_version 1.5.0
load helper
load net/world

export STDSOCKS
PAD=$(printf '%45s' '')
GREETING='05 01 00'

# hex TEXT [OPTION]... - what --hex makes of the text: its output, its messages, its status.
hex() {
    OUT=$BATS_TEST_TMPDIR/out ERR=$BATS_TEST_TMPDIR/err
    STATUS=0
    printf '%s' "$1" | timeout 60 "$STDSOCKS" -f /dev/null -o "allow to any" --hex "${@:2}" >"$OUT" 2>"$ERR" || STATUS=$?
}

# is FILE - its content is that of standard input.
is() {
    diff -u "$1" - || fail "${1##*/} differs"
}

# port PORT - its two bytes.
port() {
    printf '%04x' "$1"
}

# to_upstream - the request for 127.0.0.1 and upstream's port.
to_upstream() {
    printf '05 01 00 01 7f000001 %s' "$(port "$UPSTREAM")"
}

# bytes [FILE] - the bytes that hex text without quotes stands for, two digits each.
bytes() {
    sed 's/#.*//' "$@" | grep -oE '[0-9a-f]{2}' || true
}

# reply_end FILE - the number of the line that ends the reply, BND.PORT.
reply_end() {
    grep -nF '# BND.PORT' "$1" | cut -d : -f 1
}

@test "hex: what the README says to type comes back as a served connection" {
    need_world
    world <<'PY'
from dns import Server
Server({"example.com": ["1.2.3.4"]})
ip("address add 1.2.3.4 dev lo")
(listening,) = listeners("1.2.3.4", port=80)
typed = """printf '05 01 00  05 01 00 03 0b "example.com" 00 50' | "$STDSOCKS" --hex"""
with subprocess.Popen(typed, shell=True, stdout=subprocess.PIPE, text=True) as shell:
    upstream = accept(listening)
    check(upstream.end(), (b"", "fin"))
    port = upstream.sock.getpeername()[1].to_bytes(2, "big")
    upstream.close()
    check(shell.stdout.read().splitlines(), [f"{bytes:49}# {meaning}" for bytes, meaning in (
        ("05", "VER 5"),
        ("00", "METHOD no authentication required"),
        ("05", "VER 5"),
        ("00", "REP succeeded"),
        ("00", "RSV 0"),
        ("01", "ATYP IPv4"),
        ("01 02 03 04", "BND.ADDR 1.2.3.4"),
        (port.hex(" "), f"BND.PORT {int.from_bytes(port, 'big')}"),
    )])
check(shell.returncode, 0)
PY
}

@test "hex: a refusal is shown, and the status is 0" {
    hex "$GREETING  05 01 00 03 09 \"127.0.0.1\" 00 00"
    ((STATUS == 0))
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

@test "hex: 05 FF is shown when the version is not 5" {
    hex '"GET / HTTP/1.1\r\n\r\n"'
    ((STATUS == 0))
    is "$OUT" <<END
05 $PAD # VER 5
ff $PAD # METHOD no acceptable methods
END
    grep -qF 'no version of SOCKS that is spoken here' "$ERR"
}

@test "hex: the same bytes are the same however they are written" {
    local text
    for text in '05 01 00 05 02 00 03 01 "a" 00 50' '05010005020003016100 50' $'05 01\t00\r\n05 02 00\n03 01 61 0050\n' \
        $'05 # VER\n01 00 # "methods"\n05 02 00 03 01 "\\x61" "\\0P" # done' '"\x05\x01\0\x05\x02\0\x03\x01a\0P"'; do
        hex "$text"
        ((STATUS == 0)) || fail "status $STATUS: $text"
        [[ $(bytes "$OUT" | tr '\n' ' ') == '05 00 05 07 00 01 00 00 00 00 00 00 ' ]] || fail "other bytes: $text"
    done
}

@test "hex: what upstream sends is shown with what is printable of it" {
    upstream echo
    hex "$GREETING $(to_upstream) \"GET / HTTP/1.0\\r\\n\\r\\n\" 00 ff"
    ((STATUS == 0))
    is <(sed "1,$(reply_end "$OUT")d" "$OUT") <<'END'
47 45 54 20 2f 20 48 54 54 50 2f 31 2e 30 0d 0a  # "GET / HTTP/1.0\r\n"
0d 0a 00 ff                                      # "\r\n\x00\xff"
END
}

@test "hex: the output can be typed in again" {
    upstream echo
    hex "$GREETING $(to_upstream) \"a \\\"quoted\\\" # word \\\\ and \\x00\\x7f\\xff\\n\""
    cp "$OUT" "$BATS_TEST_TMPDIR/first"
    hex "$GREETING $(to_upstream)
$(<"$BATS_TEST_TMPDIR/first")"
    ((STATUS == 0))
    is <(bytes <(sed "1,$(reply_end "$OUT")d" "$OUT")) < <(bytes "$BATS_TEST_TMPDIR/first")
}

@test "hex: 200,000 bytes come back whole" {
    local data
    data=$(head -c 200000 /dev/urandom | od -An -v -tx1)
    upstream echo
    hex "$GREETING $(to_upstream) $data"
    ((STATUS == 0))
    cmp <(bytes <(sed "1,$(reply_end "$OUT")d" "$OUT")) <(bytes <<<"$data")
}

@test "hex: BND is shown in its family when the destination is IPv6" {
    start upstream "$PYTHON" "$TOOLS/upstream.py" --listen ::1 echo
    wait_line "$(log upstream)" '^[0-9]+$'
    UPSTREAM=$(head -n 1 "$(log upstream)")
    hex "$GREETING 05 01 00 04 0000000000000000 0000000000000001 $(port "$UPSTREAM")"
    ((STATUS == 0))
    grep -qxF "04 $PAD # ATYP IPv6" "$OUT"
    grep -qxF '00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01  # BND.ADDR ::1' "$OUT"
}

@test "hex: answers come while the rest is not typed yet" {
    upstream echo
    python <<'PY'
def lines(count):
    return [handler.stdout.readline().split("#")[1].strip() for _ in range(count)]

def typed(text):
    handler.stdin.write(text + "\n")
    handler.stdin.flush()

command = [os.environ["STDSOCKS"], "-f", "/dev/null", "-o", "allow to any", "--hex"]
with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as handler:
    typed("05 01 00")
    check(lines(2), ["VER 5", "METHOD no authentication required"])
    typed("05 01 00 01 7f 00 00 01 # the port follows")
    typed(f"{int(os.environ['UPSTREAM']):04x}")
    check(lines(6)[:2], ["VER 5", "REP succeeded"])
    typed('"one"')
    check(lines(1), ['"one"'])
    typed('"two"')
    check(lines(1), ['"two"'])
    handler.stdin.close()
    check(handler.stdout.read(), "")
check(handler.returncode, 0)
PY
}

@test "hex: it ends when the server has closed, though more could be typed" {
    python <<'PY'
command = [os.environ["STDSOCKS"], "-f", "/dev/null", "-o", "allow to any", "--hex"]
with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as handler:
    handler.stdin.write("05 01 02\n")
    handler.stdin.flush()
    check(handler.stdout.read().count("\n"), 2)
    check(handler.wait(DEADLINE_S), 0)
PY
}

@test "hex: a signal ends it with its record, and leaves nothing behind" {
    python <<'PY'
command = [os.environ["STDSOCKS"], "-f", "/dev/null", "-o", "allow to any", "--hex", "--trace"]
pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
with subprocess.Popen(command, text=True, start_new_session=True, **pipes) as process:
    process.stdin.write("05 01 00\n")
    process.stdin.flush()
    process.stdout.readline()  # it serves
    process.send_signal(signal.SIGTERM)
    check(process.wait(DEADLINE_S), 0)
    assert "STDSOCKS_END=terminated\n" in process.stderr.read()
    try:
        os.killpg(process.pid, 0)
        raise AssertionError("something of it still runs")
    except ProcessLookupError:
        pass
PY
}

@test "trace: a message that stays a part is shown when the client has gone" {
    run "$STDSOCKS" -f /dev/null -o "allow to any" --hex --trace <<<'05 01 00  05 01 00 03 0c "example.com" 00 50'
    [[ $output == *'client sends request:'*'# LEN 12'*'STDSOCKS_END=client-gone'* ]]
}

@test "hex: what stands before a mistake is sent" {
    run -64 "$STDSOCKS" -f /dev/null -o "allow to any" --hex <<<'05 01 00 05 01 0g'
    [[ $output == *'# METHOD no authentication required'* && $output == *'1:17: '* ]]
}

@test "hex: it ends when the reader of its output has gone" {
    upstream source 10000000
    # shellcheck disable=SC2016 # for the other shell
    run timeout 30 bash -c 'printf %s "$1" | "$STDSOCKS" -f /dev/null -o "allow to any" --hex 2>/dev/null | head -n 1' - \
        "$GREETING $(to_upstream)"
    ((status == 0))
    [[ $output == "05 $PAD # VER 5" ]]
}

@test "hex: a beginning is no mistake, and gets no answer" {
    local text
    for text in '' '# nothing' '05' '05 01'; do
        hex "$text"
        ((STATUS == 0)) || fail "status $STATUS: $text"
        [[ ! -s $OUT ]] || fail "an answer to: $text"
        grep -qF 'gone before it was served' "$ERR" || fail "no record: $text"
    done
}

# mistake TEXT PLACE WHAT - the text is wrong there, the message says what, and the status is 64.
mistake() {
    hex "$1"
    ((STATUS == 64)) || fail "status $STATUS: $1"
    grep -qE "^stdsocks: standard input:$2: .*$3" "$ERR" || fail "$1: $(<"$ERR")"
}

@test "hex: a mistake is named with its line and column, and the status is 64" {
    mistake '05 01 0g' 1:8 'half a byte'
    mistake '05 01 0' 1:8 'half a byte'
    mistake '05 0x01' 1:5 'half a byte'
    mistake 'GET /' 1:1 'hex digit'
    mistake $'05 01 00\n05 01 00 03 0b example.com' 2:17 'half a byte'
    mistake $'# one\n\n\t05,01' 3:4 'hex digit'
    mistake '05 "open' 1:9 'no end'
    mistake $'05 "a\n"' 1:6 'no end'
    mistake '"\q"' 1:3 'escape'
    mistake '"\x0"' 1:5 'hex digit'
}

@test "hex: a mistake far behind is named where it is" {
    upstream sink
    mistake "$GREETING $(to_upstream)
$(printf '00 %.0s' {1..3000})
$(printf '%s\n' {10..99})
05 zz" 93:4 'hex digit'
}

@test "hex: a mistake is the only thing said on standard error besides the record" {
    hex 'zz'
    (($(grep -c 'standard input:' "$ERR") == 1))
    (($(wc -l <"$ERR") <= 2))
}

@test "trace: every message is shown in order, and then the record" {
    hex "$GREETING  05 01 00 03 09 \"127.0.0.1\" 00 00" --trace
    ((STATUS == 0))
    is <(head -n 24 "$ERR") <<END
client sends methods:
05 $PAD # VER 5
01 $PAD # NMETHODS 1
00 $PAD # METHODS no authentication required
stdsocks sends method:
05 $PAD # VER 5
00 $PAD # METHOD no authentication required
client sends request:
05 $PAD # VER 5
01 $PAD # CMD CONNECT
00 $PAD # RSV 0
03 $PAD # ATYP domain name
09 $PAD # LEN 9
31 32 37 2e 30 2e 30 2e 31                       # DST.ADDR "127.0.0.1"
00 00                                            # DST.PORT 0
stdsocks sends reply:
05 $PAD # VER 5
05 $PAD # REP connection refused
00 $PAD # RSV 0
01 $PAD # ATYP IPv4
00 00 00 00                                      # BND.ADDR 0.0.0.0
00 00                                            # BND.PORT 0
$(sed -n 23p "$ERR" | grep '^stdsocks: stdio CONNECT 127\.0\.0\.1:0: refused, connection refused (port 0), [0-9.]* s$')
$(sed -n 24p "$ERR" | grep -E '^MESSAGE_ID=[0-9a-f]{32}$')
END
    grep -qxF 'STDSOCKS_END=refused' "$ERR"
}

@test "trace: what is no message is shown as it came" {
    hex '"GET / HTTP/1.1\r\n"' --trace
    sed 's/#.*//' "$ERR" | tr -d ' \n' | grep -qF '474554202f20485454502f312e310d0a'
    hex "$GREETING 05 01 00 09 \"xyz\"" --trace
    sed 's/#.*//' "$ERR" | tr -d ' \n' | grep -qF '05010009'
    grep -qF 'REP address type not supported' "$ERR"
    ! grep -qF 'DST.PORT' "$ERR" || fail 'a port behind an address that has no length'
}

@test "trace: standard output has the server's bytes and nothing else" {
    printf '\5\1\0\5\2\0\1\177\0\0\1\0\120' | "$STDSOCKS" -f /dev/null -o "allow to any" --trace 2>"$BATS_TEST_TMPDIR/err" |
        cmp - <(printf '\5\0\5\7\0\1\0\0\0\0\0\0')
    grep -qxF 'stdsocks sends reply:' "$BATS_TEST_TMPDIR/err"
}

@test "trace: a name cannot speak to the terminal or forge a field" {
    hex "$GREETING 05 01 00 03 1b \"\\x1b[2J\\nSTDSOCKS_END=closed\\r\\x9b\\0\" 00 50" --trace
    ((STATUS == 0))
    ! LC_ALL=C grep -q '[^[:print:]]' "$ERR" || fail 'not printable'
    (($(grep -c '^STDSOCKS_END=' "$ERR") == 1))
    grep -qF 'STDSOCKS_DST=\x1b[2J\nSTDSOCKS_END=closed\r\x9b\x00' "$ERR"
}

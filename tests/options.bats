#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The command line, the configuration file, and the messages when they or the descriptors are wrong.

# shellcheck disable=SC2154 # run sets stderr and stderr_lines
bats_require_minimum_version 1.5.0
load helper

prelude <<'PY'
import os, socket, subprocess, sys

from socks import CHOSEN, DEADLINE_S, GREETING, Peer, accept, check, dial, listener, request
PY

export STDSOCKS
FILE=stdsocks.conf

setup() {
    umask 022 # or the handler takes no configuration of a test
    cd "$BATS_TEST_TMPDIR" || return
}

# usage PATTERN [ARGUMENT]... - the status is 64, and the one line, with advice, matches.
usage() {
    run -64 --separate-stderr "$STDSOCKS" "${@:2}" </dev/null
    [[ $stderr =~ $1 ]] || fail "said: $stderr" || return
    ((${#stderr_lines[@]} == 1 && ${#lines[@]} == 0)) || fail "said: $stderr; to the client: $output" || return
    [[ $stderr == 'stdsocks: '* && $stderr == *'; '* ]] || fail "no advice: $stderr"
}

# wrong PATTERN [ARGUMENT]... - the configuration is wrong, whether it is checked or used. --trace
# keeps the record on standard error where a journal runs.
wrong() {
    run -78 --separate-stderr "$STDSOCKS" "${@:2}" --check </dev/null
    [[ $stderr =~ $1 && $stderr == *'; '* ]] || fail "said: $stderr" || return
    local said=$stderr
    run -78 --separate-stderr "$STDSOCKS" --trace "${@:2}" </dev/null
    [[ $stderr == "stdsocks: ${said//$'\n'/$'\n'stdsocks: }"$'\n'"stdsocks: stdio: gone before it was served, "* ]] ||
        fail "checked: $said; served: $stderr"
}

# right [ARGUMENT]... - the configuration is right, and --check says what the host gives.
right() {
    run -0 "$STDSOCKS" "$@" --check </dev/null
    [[ ${lines[0]} =~ ^'sandbox: seccomp is '[a-z\ ]+', Landlock '[a-z0-9\ ]+$ && ${#lines[@]} == 2 &&
        ${lines[1]} == 'user: '* ]] || fail "said: $output"
}

# listed - words, sorted, in one line.
listed() {
    sort -u | tr '\n' ' '
}

@test "options: --help and stdsocks(8) name every option, and no others" {
    local option accepted help source=$ROOT/src/stdsocks/options.c
    help=$("$STDSOCKS" --help)
    accepted=$(
        sed -n 's/^[[:space:]]*{"\([a-z-]*\)", \(no\|required\)_argument,.*/--\1/p' "$source"
        sed -n 's/.*getopt_long(argc, argv, ":\([A-Za-z:]*\)".*/\1/p' "$source" | grep -o '[A-Za-z]' | sed 's/^/-/'
    )
    (($(wc -w <<<"$accepted") >= 7)) || fail "not found in options.c: $accepted"
    [[ $(listed <<<"$accepted") == "$(sed -n 's/^  \(-[^ ]*\) .*/\1/p' <<<"$help" | listed)" ]] ||
        fail "accepted: $accepted"
    for option in $accepted; do
        [[ $("$STDSOCKS" "$option" '#' --help 2>&1 </dev/null) != *'unknown option'* ]] || fail "not accepted: $option"
        sed '/^$/,$d' <<<"$help" | grep -qF -- "$option" || fail "not in the usage lines: $option"
        grep -qE "Fl ${option#-}( |$)" "$ROOT/man/stdsocks.8" || fail "not in stdsocks(8): $option"
    done
}

@test "options: --help and --version go to standard output, with status 0" {
    run -0 --separate-stderr "$STDSOCKS" -f /missing -o wrong --hex --help </dev/null
    [[ ${lines[0]} == 'usage: stdsocks '* && -z ${stderr:-} ]]
    ((${#lines[@]} < 24)) # one screen
    ! awk 'length > 80' <<<"$output" | grep . || fail 'wider than a terminal'
    run -0 --separate-stderr "$STDSOCKS" --version
    [[ $output =~ ^stdsocks\ [0-9]+\.[0-9]+\.[0-9]+$ && -z ${stderr:-} ]]
}

@test "options: status 64, with advice, when the command line is wrong" {
    usage 'unknown option --verbose;' --verbose
    usage 'unknown option -v;' --trace -v
    usage 'unknown option --hexadecimal;' --hexadecimal
    usage 'missing argument after -f;' -f
    usage 'missing argument after -o;' --trace -o
    usage 'unexpected argument 1080;' --trace 1080
    usage 'unexpected argument x;' -- x
    usage 'unexpected argument ;' ''
    usage 'unknown option -' -é
    usage 'unknown option -x' -xy
    usage 'unknown option -x' --trace -xo 'timeout idle 2h'
    usage 'missing argument after (-o|-no);|unknown option -n' -no
    usage '[-][-]hex=1;' --hex=1
    # shellcheck disable=SC2046 # words
    usage 'more than 64' $(printf -- '-o #%d ' {1..65})
    # shellcheck disable=SC2046
    right -f /dev/null $(printf -- '-o #%d ' {1..64})
    # Control characters of an argument are escaped.
    usage 'unknown option --\\x1b\[2J\\nforged;' $'--\e[2J\nforged'
    usage 'unexpected argument \\x1b\[2J\\nforged;' $'\e[2J\nforged'
}

@test "options: status 64, and an explanation, on a terminal, but mistakes come first" {
    need script
    run script -qec "'$STDSOCKS' -f /dev/null" typescript </dev/null
    ((status == 64))
    [[ $output == *'standard input is a terminal'* ]]
    [[ $output == *'systemd-socket-activate --accept --inetd'* && $output == *'stdsocks --hex'* ]]
    ! awk 'length > 82' <<<"$output" | grep . || fail 'wider than a terminal' # with CR
    run script -qec "'$STDSOCKS' -o nonsense" typescript </dev/null
    ((status == 78))
    [[ $output == *'unknown keyword "nonsense"'* && $output != *terminal* ]]
}

@test "options: status 64, with advice, when descriptor 0 or 1 is closed, but not for 2" {
    local arguments closed
    for arguments in '-f /dev/null' '-f /dev/null --trace' "-o 'timeout idle 1h'"; do
        for closed in '<&-' '>&-' '<&- >&-'; do
            run -64 --separate-stderr bash -c "\"\$STDSOCKS\" $arguments </dev/null $closed"
            [[ $stderr == *'standard input or output is closed; start it '* ]] ||
                fail "$arguments $closed said: $stderr" || return
        done
    done
    run -64 bash -c "\"\$STDSOCKS\" -f /dev/null <&- >&- 2>&-"
    run -64 --separate-stderr bash -c "\"\$STDSOCKS\" --nonsense <&-"
    [[ $stderr == *'unknown option'* ]]
    # Without descriptor 2 it serves.
    printf '\5\1\2' | "$STDSOCKS" -f /dev/null 2>&- | cmp - <(printf '\5\377')
}

@test "options: a mistake is reported when standard output and error are one pipe or file" {
    run -64 bash -c "\"\$STDSOCKS\" --nonsense </dev/null 2>&1"
    [[ $output == *'unknown option --nonsense;'* ]]
    run -78 bash -c "\"\$STDSOCKS\" -o nonsense </dev/null 2>&1"
    [[ $output == *'unknown keyword "nonsense";'* ]]
    run -64 bash -c "\"\$STDSOCKS\" --nonsense </dev/null >both 2>&1"
    grep -qF 'unknown option' both
}

@test "options: status 64, with advice, when standard input is no connection" {
    python <<'PY'
def refused(sock, *words):
    handler = subprocess.run([os.environ["STDSOCKS"], "-f", "/dev/null", "--trace"],
                             stdin=sock, stdout=sock, stderr=subprocess.PIPE, timeout=DEADLINE_S)
    check(handler.returncode, 64)
    said = handler.stderr.decode()
    for word in "stdsocks: standard input ", "; ", *words:
        assert word in said, f"no {word!r} in {said!r}"
    check(said.count("\n"), 1)

for host in "127.0.0.1", "::1":
    refused(listener(host), "a listening socket", "Accept=yes", "nowait")
unix = socket.socket(socket.AF_UNIX)
unix.bind(os.path.join(os.path.dirname(sys.argv[0]), "socket"))
unix.listen()
refused(unix, "a listening socket")
for family, host in (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"):
    udp = socket.socket(family, socket.SOCK_DGRAM)
    udp.bind((host, 0))
    refused(udp, "no stream socket", "ListenStream=")
    udp.connect(udp.getsockname()[:2])
    refused(udp, "no stream socket")
for kind in socket.SOCK_DGRAM, socket.SOCK_SEQPACKET:
    refused(socket.socketpair(socket.AF_UNIX, kind)[0], "no stream socket")
PY
}

@test "options: no byte reaches the client when standard error is its socket" {
    echo nonsense >"$FILE"
    python <<'PY'
def said(status, *options, sent=b""):
    """What the client gets when its socket is all three descriptors."""
    with listener() as listening:
        client = dial("%s %d" % listening.getsockname())
        accepted = accept(listening).sock
    client.send(sent)
    client.fin()
    handler = subprocess.Popen([os.environ["STDSOCKS"], *options], stdin=accepted, stdout=accepted, stderr=accepted)
    accepted.close()
    got = client.end()
    check(handler.wait(DEADLINE_S), status)
    return got

check(said(64, "--nonsense"), (b"", "fin"))
check(said(78, "-o", "nonsense"), (b"", "fin"))
check(said(78, "-f", "/missing"), (b"", "fin"))
check(said(78, "-f", "stdsocks.conf"), (b"", "fin"))
for trace in (), ("--trace",):
    check(said(0, "-f", "/dev/null", *trace), (b"", "fin"))
    check(said(0, "-f", "/dev/null", *trace, sent=GREETING), (CHOSEN, "fin"))
    check(said(0, "-f", "/dev/null", *trace, sent=b"GET / HTTP/1.1\r\n\r\n"), (b"\x05\xff", "fin"))
    check(said(0, "-f", "/dev/null", *trace, sent=GREETING + request("127.0.0.1", 0)),
          (CHOSEN + b"\x05\x05\x00\x01" + bytes(6), "fin"))
PY
}

@test "options: status 78 when the file cannot be read" {
    mkdir folder
    ln -s loop loop
    head -c 1048577 /dev/zero | tr '\0' '#' >large
    wrong '^/missing/file: No such file or directory; ' -f /missing/file
    wrong '^folder: Is a directory; ' -f folder
    wrong '^loop: .*; ' -f loop
    wrong '^/dev/null/x: Not a directory; ' -f /dev/null/x
    wrong "^large: file too large; .*1 MB" -f large
    if ((EUID == 0)); then
        wrong '^/proc/self/mem: (I/O|Input/output) error; ' -f /proc/self/mem
    else
        touch secret
        chmod 000 secret
        wrong '^secret: Permission denied; ' -f secret
    fi
}

@test "options: a file of 1 MB is read to its end" {
    {
        head -c 1048560 /dev/zero | tr '\0' '\n'
        printf 'timeout idle 2h\n'
    } >"$FILE"
    right -f "$FILE"
    truncate -s -3 "$FILE"
    echo '2x' >>"$FILE"
    (($(wc -c <"$FILE") == 1048576))
    wrong "^$FILE:1048561: invalid duration \"2x\"; " -f "$FILE"
}

@test "options: a file may be blank, or have CRs or no newline at its end, but not be empty" {
    local text
    : >"$FILE"
    wrong "^$FILE: file is empty; " -f "$FILE"
    for text in '\n' 'timeout idle 2h' '# Windows\r\n\r\ntimeout idle 2h # one\r\n'; do
        # shellcheck disable=SC2059 # the escapes are what it is for
        printf "$text" >"$FILE"
        right -f "$FILE"
    done
    printf 'timeout idle 2h\ntimeout idle 2' >"$FILE"
    wrong "^$FILE:2: invalid duration \"2\"; " -f "$FILE"
}

@test "options: the file may be a pipe, but not a FIFO that nobody writes to" {
    "$STDSOCKS" --check -f <(echo 'timeout idle 2h')
    run -78 "$STDSOCKS" --check -f <(echo '# some' && echo 'nonsense')
    [[ $output == *':2: unknown keyword "nonsense"'* ]]
    mkfifo fifo
    run timeout 10 "$STDSOCKS" --check -f fifo
    ((status != 124))
    # Nor one that a writer has opened without writing: a read waits for 1 s.
    exec {writer}<>fifo
    run -78 timeout 10 "$STDSOCKS" --check -f fifo
    exec {writer}>&-
    [[ $output == 'fifo: Operation timed out; '* || $output == 'fifo: Connection timed out; '* ]]
}

@test "options: every mistake is named, with file and line" {
    cat >"$FILE" <<'END'
# a comment
tiemout idle 2h

timeout idle 2h # right
timeout idle two-hours
source 192.0.2
	timeout   handshake   none
timeout "idle 2h
END
    local line said="[^"$'\n'"]+" pattern='^'
    for line in "$FILE:2: unknown keyword \"tiemout\"; " "$FILE:5: invalid duration \"two-hours\"; " \
        "$FILE:6: invalid source address \"192.0.2\"; " "$FILE:7: invalid duration \"none\"; " \
        "$FILE:8: quote not closed; " '-o: unknown keyword "x"; ' '-o: timeout needs two arguments; '; do
        pattern+=$line$said$'\n'
    done
    wrong "${pattern%$'\n'}\$" -f "$FILE" -o x -o 'timeout idle 1s' -o timeout
}

@test "options: a mistake of any length, and each of a thousand, is reported in whole lines" {
    local word
    word=$(printf '\001%.0s' {1..1000})
    wrong "^-o: unknown keyword \"(\\\\x01)+.*\"; use [a-z ,]+\$" -o "$word"
    wrong '^-o: line too long; ' -o "$(printf 'x%.0s' {1..2000})"
    printf 'nonsense-%d\n' {1..1000} >"$FILE"
    run -78 "$STDSOCKS" --check -f "$FILE"
    ((${#lines[@]} >= 20))
    word="^$FILE:[0-9]+: unknown keyword \"nonsense-[0-9]+\"; use [a-z ,]+\$"
    ! grep -vE "$word" <<<"$output" || fail 'half a line'
}

@test "options: later lines of -o override earlier ones and the file" {
    echo 'timeout handshake 1ms' >early.conf
    echo 'timeout handshake 1h' >late.conf
    python <<'PY'
def handler(*options):
    ours, theirs = socket.socketpair()
    command = [os.environ["STDSOCKS"], "--trace", *options]
    return Peer(ours), subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL)

def gives_up_at_once(*options):
    client, process = handler(*options)
    check(client.end(), (b"", "fin"))
    check(process.wait(DEADLINE_S), 0)

def waits(*options):
    client, process = handler(*options)
    assert client.open_and_silent(0.1), f"not with {options}"
    client.send(GREETING)
    check(client.recv(2), CHOSEN)
    client.close()
    check(process.wait(DEADLINE_S), 0)

short, long = ("-o", "timeout handshake 1ms"), ("-o", "timeout handshake 1h")
gives_up_at_once(*long, *short)
gives_up_at_once("-f", "early.conf")
gives_up_at_once("-f", "late.conf", *short)
gives_up_at_once(*short, "-f", "late.conf")
waits(*short, *long)
waits("-f", "early.conf", *long)
waits(*long, "-f", "early.conf")
waits("-f", "early.conf", "-f", "late.conf")
PY
}

@test "options: --check says what the host gives, with status 0, when all is right" {
    echo 'timeout idle 2h' >"$FILE"
    right "-f$FILE" '-otimeout idle 3h' # an argument may follow its letter at once
    right -f /dev/null -o 'user nobody'
    [[ ${lines[1]} == 'user: nobody is there, for a process that is started as root' ]]
    right -f /dev/null -o 'user no-such'
    [[ ${lines[1]} == 'user: no-such: no such user; a process that is started as root serves nobody' ]]
    right -f /dev/null
    right -f /dev/null -o 'timeout idle 2h' -o 'source 192.0.2.1' -o 'source device eth0' -o 'source mark 7' -o ''
}

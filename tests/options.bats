#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The command line, the configuration file, and the messages about errors in them.

# shellcheck disable=SC2154 # run sets stderr and stderr_lines
bats_require_minimum_version 1.5.0
load helper

prelude <<'PY'
import os, socket, subprocess

from socks import CHOSEN, DEADLINE_S, GREETING, Endpoint, accept, check, dial, listener, request
PY

export STDSOCKS
FILE=stdsocks.conf

setup() {
    umask 022 # the handler refuses a configuration that others can write to
    cd "$BATS_TEST_TMPDIR" || return
}

# usage PATTERN [ARGUMENT]... - the command line gives status 64 and one line with advice that
# matches.
usage() {
    run -64 --separate-stderr "$STDSOCKS" "${@:2}" </dev/null
    [[ $stderr =~ $1 ]] || fail "standard error: $stderr" || return
    ((${#stderr_lines[@]} == 1 && ${#lines[@]} == 0)) ||
        fail "standard error: $stderr; standard output: $output" || return
    [[ $stderr == 'stdsocks: '* && $stderr == *'; '* ]] || fail "no advice: $stderr"
}

# invalid PATTERN [ARGUMENT]... - --check and a session give status 78 and the same matching errors.
# --trace keeps the record on standard error if there is a journal.
invalid() {
    run -78 --separate-stderr "$STDSOCKS" "${@:2}" --check </dev/null
    [[ $stderr =~ $1 && $stderr == *'; '* ]] || fail "standard error: $stderr" || return
    local errors=$stderr
    run -78 --separate-stderr "$STDSOCKS" --trace "${@:2}" </dev/null
    errors="stdsocks: ${errors//$'\n'/$'\n'stdsocks: }"
    [[ $stderr == "$errors"$'\n'"stdsocks: stdio: client disconnected during the handshake, "* ]] ||
        fail "--check: $errors; session: $stderr"
}

# valid [ARGUMENT]... - --check accepts the configuration, and reports sandbox and user.
valid() {
    run -0 "$STDSOCKS" "$@" --check </dev/null
    [[ ${lines[0]} =~ ^'sandbox: seccomp '[a-z\ ]+', Landlock '[a-z0-9\ ]+$ &&
        ${#lines[@]} == 2 && ${lines[1]} == 'user: '* ]] || fail "standard output: $output"
}

# one_line <WORDS - print the words sorted in one line.
one_line() {
    sort -u | tr '\n' ' '
}

@test "options: --help and stdsocks(8) name exactly the accepted options" {
    local option accepted help source=$ROOT/src/stdsocks/options.c
    help=$("$STDSOCKS" --help)
    accepted=$(
        sed -n 's/^[[:space:]]*{"\([a-z-]*\)", \(no\|required\)_argument,.*/--\1/p' "$source"
        sed -n 's/.*getopt_long(argc, argv, ":\([A-Za-z:]*\)".*/\1/p' "$source" |
            grep -o '[A-Za-z]' | sed 's/^/-/'
    )
    (($(wc -w <<<"$accepted") >= 7)) || fail "not found in options.c: $accepted"
    [[ $(one_line <<<"$accepted") == "$(sed -n 's/^  \(-[^ ]*\) .*/\1/p' <<<"$help" | one_line)" \
        ]] ||
        fail "accepted: $accepted"
    for option in $accepted; do
        [[ $("$STDSOCKS" "$option" '#' --help 2>&1 </dev/null) != *'unknown option'* ]] ||
            fail "not accepted: $option"
        sed '/^$/,$d' <<<"$help" | grep -qF -- "$option" || fail "not in the usage lines: $option"
        grep -qE "Fl ${option#-}( |$)" "$ROOT/man/stdsocks.8" || fail "not in stdsocks(8): $option"
    done
}

@test "options: --help and --version write to standard output and exit with status 0" {
    run -0 --separate-stderr "$STDSOCKS" -f /missing -o wrong --hex --help </dev/null
    [[ ${lines[0]} == 'usage: stdsocks '* && -z ${stderr:-} ]]
    ((${#lines[@]} < 24)) # fits a terminal
    ! awk 'length > 80' <<<"$output" | grep . || fail 'wider than a terminal'
    run -0 --separate-stderr "$STDSOCKS" --version
    [[ $output =~ ^stdsocks\ [0-9]+\.[0-9]+\.[0-9]+$ && -z ${stderr:-} ]]
}

@test "options: an error of the command line gives status 64 and says what to do" {
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
    valid -f /dev/null $(printf -- '-o #%d ' {1..64})
    # Control characters of an argument are escaped.
    usage 'unknown option --\\x1b\[2J\\nforged;' $'--\e[2J\nforged'
    usage 'unexpected argument \\x1b\[2J\\nforged;' $'\e[2J\nforged'
}

@test "options: a terminal as standard input gives status 64 and an explanation" {
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

@test "options: a closed descriptor 0 or 1 gives status 64, a closed 2 does not" {
    local arguments closed
    for arguments in '-f /dev/null' '-f /dev/null --trace' "-o 'timeout idle 1h'"; do
        for closed in '<&-' '>&-' '<&- >&-'; do
            run -64 --separate-stderr bash -c "\"\$STDSOCKS\" $arguments </dev/null $closed"
            [[ $stderr == *'standard input or output is closed; start stdsocks '* ]] ||
                fail "$arguments $closed: standard error: $stderr" || return
        done
    done
    run -64 bash -c "\"\$STDSOCKS\" -f /dev/null <&- >&- 2>&-"
    run -64 --separate-stderr bash -c "\"\$STDSOCKS\" --nonsense <&-"
    [[ $stderr == *'unknown option'* ]]
    # A closed descriptor 2 is no error.
    printf '\5\1\2' | "$STDSOCKS" -f /dev/null 2>&- | cmp - <(printf '\5\377')
}

@test "options: an error is reported if standard output and error are one pipe or file" {
    run -64 bash -c "\"\$STDSOCKS\" --nonsense </dev/null 2>&1"
    [[ $output == *'unknown option --nonsense;'* ]]
    run -78 bash -c "\"\$STDSOCKS\" -o nonsense </dev/null 2>&1"
    [[ $output == *'unknown keyword "nonsense";'* ]]
    run -64 bash -c "\"\$STDSOCKS\" --nonsense </dev/null >both 2>&1"
    grep -qF 'unknown option' both
}

@test "options: a standard input that is not a stream connection gives status 64" {
    python <<'PY'
def refused(sock, *words):
    handler = subprocess.run([os.environ["STDSOCKS"], "-f", "/dev/null", "--trace"],
                             stdin=sock, stdout=sock, stderr=subprocess.PIPE, timeout=DEADLINE_S)
    check(handler.returncode, 64)
    text = handler.stderr.decode()
    for word in "stdsocks: standard input ", "; ", *words:
        assert word in text, f"no {word!r} in {text!r}"
    check(text.count("\n"), 1)

for family, host in (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"):
    udp = socket.socket(family, socket.SOCK_DGRAM)
    udp.bind((host, 0))
    refused(udp, "not a stream socket", "ListenStream=")
    udp.connect(udp.getsockname()[:2])
    refused(udp, "not a stream socket")
for kind in socket.SOCK_DGRAM, socket.SOCK_SEQPACKET:
    refused(socket.socketpair(socket.AF_UNIX, kind)[0], "not a stream socket")
PY
}

@test "options: no message reaches a client whose socket is standard error" {
    echo nonsense >"$FILE"
    python <<'PY'
def received(status, *options, sent=b""):
    """The bytes that the client gets if its socket is all three descriptors."""
    with listener() as listening:
        client = dial("%s %d" % listening.getsockname())
        accepted = accept(listening).sock
    client.send(sent)
    client.fin()
    handler = subprocess.Popen([os.environ["STDSOCKS"], *options], stdin=accepted, stdout=accepted,
                               stderr=accepted)
    accepted.close()
    got = client.end()
    check(handler.wait(DEADLINE_S), status)
    return got

for status, *options in (64, "--nonsense"), (78, "-o", "nonsense"), (78, "-f", "/missing"), \
        (78, "-f", "stdsocks.conf"):
    check(received(status, *options), (b"", "fin"))
for trace in (), ("--trace",):
    for sent, answer in (b"", b""), (GREETING, CHOSEN), (b"GET / HTTP/1.1\r\n\r\n", b"\x05\xff"), \
            (GREETING + request("127.0.0.1", 0), CHOSEN + b"\x05\x05\x00\x01" + bytes(6)):
        check(received(0, "-f", "/dev/null", *trace, sent=sent), (answer, "fin"))
PY
}

@test "options: a configuration file that cannot be read gives status 78" {
    mkdir folder
    ln -s loop loop
    head -c 1048577 /dev/zero | tr '\0' '#' >large
    invalid '^/missing/file: No such file or directory; ' -f /missing/file
    invalid '^folder: Is a directory; ' -f folder
    invalid '^loop: .*; ' -f loop
    invalid '^/dev/null/x: Not a directory; ' -f /dev/null/x
    invalid "^large: file too large; .*1 MB" -f large
    if ((EUID == 0)); then
        invalid '^/proc/self/mem: (I/O|Input/output) error; ' -f /proc/self/mem
    else
        touch secret
        chmod 000 secret
        invalid '^secret: Permission denied; ' -f secret
    fi
}

@test "options: a file of 1 MB is read to its end" {
    {
        head -c 1048560 /dev/zero | tr '\0' '\n'
        printf 'timeout idle 2h\n'
    } >"$FILE"
    valid -f "$FILE"
    truncate -s -3 "$FILE"
    echo '2x' >>"$FILE"
    (($(wc -c <"$FILE") == 1048576))
    invalid "^$FILE:1048561: invalid duration \"2x\"; " -f "$FILE"
}

@test "options: a file can be blank or have CRs, but not be empty" {
    local text
    : >"$FILE"
    invalid "^$FILE: file is empty; " -f "$FILE"
    for text in '\n' 'timeout idle 2h' '# Windows\r\n\r\ntimeout idle 2h # one\r\n'; do
        # shellcheck disable=SC2059 # the text has escapes
        printf "$text" >"$FILE"
        valid -f "$FILE"
    done
    printf 'timeout idle 2h\ntimeout idle 2' >"$FILE"
    invalid "^$FILE:2: invalid duration \"2\"; " -f "$FILE"
}

@test "options: the file can be a pipe; a FIFO without a writer's data is an error, not a hang" {
    "$STDSOCKS" --check -f <(echo 'timeout idle 2h')
    run -78 "$STDSOCKS" --check -f <(echo '# some' && echo 'nonsense')
    [[ $output == *':2: unknown keyword "nonsense"'* ]]
    mkfifo fifo
    run timeout 10 "$STDSOCKS" --check -f fifo
    ((status != 124))
    # The same holds for a FIFO whose writer writes nothing: a read waits for 1 s.
    exec {writer}<>fifo
    run -78 timeout 10 "$STDSOCKS" --check -f fifo
    exec {writer}>&-
    [[ $output == 'fifo: Operation timed out; '* || $output == 'fifo: Connection timed out; '* ]]
}

@test "options: every error in the configuration is reported with its location" {
    cat >"$FILE" <<'END'
# a comment
tiemout idle 2h

timeout idle 2h # valid
timeout idle two-hours
source 192.0.2
	timeout   handshake   none
timeout "idle 2h
END
    local line rest="[^"$'\n'"]+" pattern='^'
    for line in "$FILE:2: unknown keyword \"tiemout\"; " \
        "$FILE:5: invalid duration \"two-hours\"; " \
        "$FILE:6: invalid source address \"192.0.2\"; " "$FILE:7: invalid duration \"none\"; " \
        "$FILE:8: quote not closed; " '-o: unknown keyword "x"; ' \
            '-o: timeout needs two arguments; '; do
        pattern+=$line$rest$'\n'
    done
    invalid "${pattern%$'\n'}\$" -f "$FILE" -o x -o 'timeout idle 1s' -o timeout
}

@test "options: errors of any length and number are reported in whole lines" {
    local word
    word=$(printf '\001%.0s' {1..1000})
    invalid "^-o: unknown keyword \"(\\\\x01)+.*\"; use [a-z ,]+\$" -o "$word"
    invalid '^-o: line too long; ' -o "$(printf 'x%.0s' {1..2000})"
    printf 'nonsense-%d\n' {1..1000} >"$FILE"
    run -78 "$STDSOCKS" --check -f "$FILE"
    ((${#lines[@]} >= 20))
    word="^$FILE:[0-9]+: unknown keyword \"nonsense-[0-9]+\"; use [a-z ,]+\$"
    ! grep -vE "$word" <<<"$output" || fail 'half a line'
}

@test "options: later -o lines override earlier ones and the file" {
    echo 'timeout handshake 1ms' >early.conf
    echo 'timeout handshake 1h' >late.conf
    python <<'PY'
def handler(*options):
    ours, theirs = socket.socketpair()
    command = [os.environ["STDSOCKS"], "--trace", *options]
    return Endpoint(ours), subprocess.Popen(command, stdin=theirs, stdout=theirs,
                                        stderr=subprocess.DEVNULL)

def times_out_at_once(*options):
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
early, late = ("-f", "early.conf"), ("-f", "late.conf")
for options in (*long, *short), early, (*late, *short), (*short, *late):
    times_out_at_once(*options)
for options in (*short, *long), (*early, *long), (*long, *early), (*early, *late):
    waits(*options)
PY
}

@test "options: --check reports the sandbox and the user with status 0" {
    echo 'timeout idle 2h' >"$FILE"
    valid "-f$FILE" '-otimeout idle 3h' # an argument can follow its letter directly
    valid -f /dev/null -o 'user nobody'
    [[ ${lines[1]} == 'user: nobody exists (used if the process is started as root)' ]]
    valid -f /dev/null -o 'user no-such'
    local error='no such user; a process that is started as root refuses service'
    [[ ${lines[1]} == "user: no-such: $error, unless \"sandbox best-effort\" is set" ]]
    valid -f /dev/null
    valid -f /dev/null -o 'timeout idle 2h' -o 'source 192.0.2.1' -o 'source device eth0' -o \
        'source mark 7' -o ''
}

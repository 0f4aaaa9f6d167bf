# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# For all suites: starts processes, waits for their output, and ends them in teardown.

ROOT=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)
STDSOCKS=$(realpath -m "${STDSOCKS:-$ROOT/build/stdsocks}")
STDSOCKSCTL=$(realpath -m "${STDSOCKSCTL:-$ROOT/build/stdsocksctl}")
PEERS=$(realpath -m "${PEERS:-$ROOT/build/peers}")
BUILT=${BUILT:-$ROOT/build/tests}
TOOLS=$ROOT/tests/tools
PYTHON=/usr/bin/python3
WAIT_S=${WAIT_S:-20}

PATH=$PATH:/usr/sbin:/sbin
for folder in "$PEERS"/*/usr/sbin "$PEERS"/*/usr/bin; do
    PATH=$PATH:$folder
done
unset folder LAUNCH
unset {http,https,all,no}_proxy {HTTP,HTTPS,ALL,NO}_PROXY
export PATH LC_ALL=C PYTHONPATH=$TOOLS PYTHONDONTWRITEBYTECODE=1
export BATS_TEST_TIMEOUT=90

# The handler and its first options. With --trace, it writes its record to standard error, first as
# one line, then with one field on each line. The rule allows the suites' servers on the loopback.
HANDLER=("$STDSOCKS" --trace -o "allow to any" -o "timeout refused-login none")

# A handler that root starts runs as this user, and fails without it.
((EUID)) || getent passwd stdsocks >/dev/null || {
    echo 'missing: the user stdsocks; "make check-deps" creates it' >&2
    exit 1
}

declare -gA RUNNING=() # -g: bats loads this file in a function
declare -ga WITHIN=()  # a command before those that start runs, such as nsenter

fail() {
    printf '%s\n' "$*" >&2
    return 1
}

# need COMMAND... - skip the test if a command is missing. With REQUIRE_ALL=1, fail, unless this
# release of Debian does not have the command (tests/deps).
need() {
    local command missing=()
    for command; do
        command -v "$command" >/dev/null || missing+=("$command")
    done
    ((${#missing[@]})) || return 0
    printf '%s\n' "${missing[@]}" | grep -qvxFf <(cat "$PEERS/absent" 2>/dev/null) ||
        skip "missing: ${missing[*]}"
    lacks "${missing[*]}"
}

# lacks NAME - skip the test because NAME is missing. With REQUIRE_ALL=1, fail.
lacks() {
    [[ ${REQUIRE_ALL:-0} != 1 ]] || fail "missing: $1" || return
    skip "missing: $1"
}

# need_root - skip the test for other users.
need_root() {
    ((EUID == 0)) || lacks root
}

# sanitized - succeed if the handler is built with a sanitizer.
sanitized() {
    grep -qa __asan_init "$STDSOCKS"
}

# is_static - succeed if the handler needs no shared library.
is_static() {
    [[ $(file -b "$STDSOCKS") == *static* ]]
}

# start NAME COMMAND... - run the command in the background, in its own process group, until
# teardown or the next start of NAME. Its output is in $(log NAME), shown if the test fails.
start() {
    local name=$1
    shift
    stop "$name"
    : >"$(log "$name")"
    STDSOCKS_TEST=$BATS_TEST_TMPDIR setsid "${WITHIN[@]}" "$@" \
        </dev/null >>"$(log "$name")" 2>&1 3>&- &
    RUNNING[$name]=$!
}

# stop NAME - kill the process group.
stop() {
    local pid=${RUNNING[$1]:-}
    unset "RUNNING[$1]"
    [[ $pid ]] || return 0
    # The group does not exist before setsid has run.
    kill -KILL -- "-$pid" 2>/dev/null || kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
}

log() {
    printf '%s/%s.log' "$BATS_TEST_TMPDIR" "$1"
}

# eventually COMMAND... - repeat the command until it succeeds, for at most WAIT_S seconds.
eventually() {
    local deadline=$((SECONDS + WAIT_S))
    until "$@"; do
        ((SECONDS <= deadline)) || fail "not within $WAIT_S s: $*" || return
        sleep 0.02
    done
}

# wait_line FILE REGEX - wait until a line of FILE matches.
wait_line() {
    eventually grep -qsE -- "$2" "$1"
}

# wait_listening PORT - wait, without connecting, until a TCP socket listens on this port.
wait_listening() {
    local listening
    listening=$(printf ':%04X [0-9A-F]+:0000 0A ' "$1")
    eventually "${WITHIN[@]}" grep -qsE "$listening" /proc/net/tcp /proc/net/tcp6
}

# wait_path PATH - wait until an AF_UNIX socket listens at this path.
wait_path() {
    eventually grep -qsE "^[^ ]+ [^ ]+ [^ ]+ 00010000 .* $1\$" /proc/net/unix
}

# free_port - print an unused TCP port below the ephemeral ones.
free_port() {
    local port
    while :; do
        port=$((20000 + SRANDOM % 12000))
        grep -qE "$(printf ':%04X ' "$port")" /proc/net/tcp /proc/net/tcp6 || break
    done
    echo "$port"
}

# upstream BEHAVIOUR [SIZE] - start upstream.py; its port is $UPSTREAM.
upstream() {
    start upstream "$PYTHON" "$TOOLS/upstream.py" "$@"
    wait_line "$(log upstream)" '^[0-9]+$'
    UPSTREAM=$(head -n 1 "$(log upstream)")
    export UPSTREAM
}

# web [ADDRESS] - start web.py; its port is $WEB.
# shellcheck disable=SC2034 # the suites read it
web() {
    start web "$PYTHON" "$TOOLS/web.py" "$@"
    wait_line "$(log web)" '^[0-9]+$'
    WEB=$(head -n 1 "$(log web)")
}

# launch [OPTION]... [-- ARGUMENT]... - start launch (tools/launch.c) with these options; it runs
# the handler with these arguments. $PROXY is its address, $LOG the log of both. $LAUNCH is the name
# for start, "launch" by default.
launch() {
    local name=${LAUNCH:-launch} options=()
    [[ -x $BUILT/launch ]] || fail "there is no $BUILT/launch" || return
    while (($#)) && [[ $1 != -- ]]; do
        options+=("$1")
        shift
    done
    start "$name" "$BUILT/launch" "${options[@]}" "${HANDLER[@]}" "${@:2}"
    LOG=$(log "$name")
    wait_line "$LOG" '^listening '
    PROXY=$(sed -n 's/^listening //p' "$LOG")
    export PROXY LOG
}

# ended [KEY=VALUE]... - wait until the first handler has ended, and check that its status is 0, and
# that its record has these fields (names without STDSOCKS_).
ended() {
    local field
    wait_line "$LOG" '^(exit|signal) '
    grep -qE '^exit [0-9]+ 0$' "$LOG" || fail "$(grep -E '^(exit|signal) ' "$LOG")" || return
    for field; do
        grep -qxF -- "STDSOCKS_$field" "$LOG" || fail "the record has no $field" || return
    done
}

# prelude <SCRIPT - set the first lines, mostly imports, of each Python script of the suite.
prelude() {
    read -r -d '' PRELUDE || true # read fails at the end of the file
}

# python <SCRIPT [ARGUMENT]... - run the script after the prelude, for at most 60 seconds.
python() {
    local script
    script=$(mktemp "$BATS_TEST_TMPDIR/script.XXXXXX")
    {
        printf '%s\n' "${PRELUDE-}"
        cat
    } >"$script"
    timeout 60 "$PYTHON" "$script" "$@"
}

teardown() {
    local name file pids
    for name in "${!RUNNING[@]}"; do
        stop "$name"
    done
    # Processes that left their group still have STDSOCKS_TEST in their environment.
    pids=$(grep -lszxF -- "STDSOCKS_TEST=$BATS_TEST_TMPDIR" /proc/[0-9]*/environ | cut -d / -f 3)
    # shellcheck disable=SC2086 # one word each
    [[ -z $pids ]] || kill -KILL $pids 2>/dev/null || true
    [[ -z ${BATS_TEST_COMPLETED:-} && -z ${BATS_TEST_SKIPPED:-} ]] || return 0
    for file in "$BATS_TEST_TMPDIR"/*.log; do
        [[ -s $file ]] && printf -- '--- %s\n%s\n' "${file##*/}" "$(tail -n 60 "$file")"
    done
    return 0
}

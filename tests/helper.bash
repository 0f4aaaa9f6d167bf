# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# What every suite uses: it starts things, waits for what they say, and leaves nothing behind.

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
unset folder LAUNCH NOTIFY_SOCKET SYSTEMD_EXEC_PID http_proxy https_proxy all_proxy no_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY
export PATH LC_ALL=C PYTHONPATH=$TOOLS PYTHONDONTWRITEBYTECODE=1
export BATS_TEST_TIMEOUT=90

# The handler as the suites run it: with --trace its record is on standard error, in one line and
# then, one a line, in fields. It lets everybody go everywhere: to their own upstreams on loopback.
HANDLER=("$STDSOCKS" --trace -o "allow to any")

# Root's handler becomes this user; without it nobody is served.
((EUID)) || getent passwd stdsocks >/dev/null || {
    echo 'missing: the user stdsocks; "make check-deps" makes it' >&2
    exit 1
}

declare -gA RUNNING=() # -g: bats loads this file in a function
declare -ga WITHIN=()  # what start puts before a command: where it is to run

fail() {
    printf '%s\n' "$*" >&2
    return 1
}

# need COMMAND... - skip the test, naming what is missing; with REQUIRE_ALL=1 that is a failure, unless this
# release of Debian does not have it (tests/deps).
need() {
    local command missing=()
    for command; do
        command -v "$command" >/dev/null || missing+=("$command")
    done
    ((${#missing[@]})) || return 0
    printf '%s\n' "${missing[@]}" | grep -qvxFf <(cat "$PEERS/absent" 2>/dev/null) || skip "missing: ${missing[*]}"
    lacks "${missing[*]}"
}

# lacks WHAT - skip the test, naming what is missing; with REQUIRE_ALL=1 that is a failure.
lacks() {
    [[ ${REQUIRE_ALL:-0} != 1 ]] || fail "missing: $1" || return
    skip "missing: $1"
}

# need_root - skip the test for other users.
need_root() {
    ((EUID == 0)) || lacks root
}

# sanitized - the handler is built with a sanitizer, whose own memory and calls are in the way.
sanitized() {
    grep -qa __asan_init "$STDSOCKS"
}

# is_static - the handler needs no shared library.
is_static() {
    [[ $(file -b "$STDSOCKS") == *static* ]]
}

# start NAME COMMAND... - run it beside the test, in a process group of its own, until teardown (or
# until another NAME is started). What it says goes to $(log NAME), shown when the test fails.
start() {
    local name=$1
    shift
    stop "$name"
    : >"$(log "$name")"
    STDSOCKS_TEST=$BATS_TEST_TMPDIR setsid "${WITHIN[@]}" "$@" </dev/null >>"$(log "$name")" 2>&1 3>&- &
    RUNNING[$name]=$!
}

# stop NAME - end it, and whatever it started and left in its process group.
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

# eventually COMMAND... - until it succeeds, for WAIT_S seconds.
eventually() {
    local deadline=$((SECONDS + WAIT_S))
    until "$@"; do
        ((SECONDS <= deadline)) || fail "not within $WAIT_S s: $*" || return
        sleep 0.02
    done
}

# wait_line FILE REGEX - until a line of FILE matches.
wait_line() {
    eventually grep -qsE -- "$2" "$1"
}

# wait_listening PORT - until something listens on this TCP port; seen without connecting to it.
wait_listening() {
    eventually "${WITHIN[@]}" grep -qsE "$(printf ':%04X [0-9A-F]+:0000 0A ' "$1")" /proc/net/tcp /proc/net/tcp6
}

# wait_path PATH - until something listens on this AF_UNIX socket.
wait_path() {
    eventually grep -qsE "^[^ ]+ [^ ]+ [^ ]+ 00010000 .* $1\$" /proc/net/unix
}

# free_port - print a TCP port, below those that the kernel hands out, which nothing uses.
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

# launch [OPTION]... [-- ARGUMENT]... - start the handler under launch, with launch's options and
# then the handler's arguments. $PROXY says where it listens, $LOG is the log of both. Two at a time
# need two names, in $LAUNCH.
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

# ended [KEY=VALUE]... - the first handler that launch started has ended with status 0, and its
# record has these fields (their names without STDSOCKS_).
ended() {
    local field
    wait_line "$LOG" '^(exit|signal) '
    grep -qE '^exit [0-9]+ 0$' "$LOG" || fail "$(grep -E '^(exit|signal) ' "$LOG")" || return
    for field; do
        grep -qxF -- "STDSOCKS_$field" "$LOG" || fail "the record has no $field" || return
    done
}

# prelude <SCRIPT - what each Python script of the suite begins with, mostly its imports.
prelude() {
    read -r -d '' PRELUDE || true # there is no delimiter
}

# python <SCRIPT [ARGUMENT]... - run the script behind the prelude, for at most 60 seconds.
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
    # What left its process group still has our mark in its environment.
    pids=$(grep -lszxF -- "STDSOCKS_TEST=$BATS_TEST_TMPDIR" /proc/[0-9]*/environ | cut -d / -f 3)
    # shellcheck disable=SC2086 # one word each
    [[ -z $pids ]] || kill -KILL $pids 2>/dev/null || true
    [[ -z ${BATS_TEST_COMPLETED:-} && -z ${BATS_TEST_SKIPPED:-} ]] || return 0
    for file in "$BATS_TEST_TMPDIR"/*.log; do
        [[ -s $file ]] && printf -- '--- %s\n%s\n' "${file##*/}" "$(tail -n 60 "$file")"
    done
    return 0
}

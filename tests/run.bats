#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The scripts around the suites: tests/run, which starts them and finds leftovers, and tests/deps.

load helper

setup() {
    need unshare pgrep
    SLEEP="sleep 1234567.$$" # no other run has this number
}

# suite <BODY - write a suite with one test.
suite() {
    {
        echo "load $ROOT/tests/helper"
        echo '@test "inner" {'
        cat
        echo '}'
    } >"$BATS_TEST_TMPDIR/inner.bats"
}

# inner COMMAND... - run that suite through COMMAND, without variables that bats exports.
inner() {
    # shellcheck disable=SC2016 # for the shell inside
    "$@" env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin TMPDIR="$BATS_TEST_TMPDIR" STDSOCKS="$STDSOCKS" \
        bash -c 'cd "$1" && tests/run --jobs 1 "$2"' - "$ROOT" "$BATS_TEST_TMPDIR/inner.bats" 2>&1
}

# inner_run STATUS REGEX - run that suite. Fails unless it exits with STATUS, a line of its output
# matches REGEX, and it leaves no file behind.
inner_run() {
    local status=0 output
    output=$(inner) || status=$?
    [[ $status == "$1" ]] || fail "status $status: $output" || return
    grep -qE "$2" <<<"$output" || fail "$output" || return
    [[ $(cd "$BATS_TEST_TMPDIR" && echo *) == inner.bats ]] || fail "$(ls "$BATS_TEST_TMPDIR")"
}

@test "run: passes if a suite passes and leaves nothing behind" {
    suite <<<'true'
    inner_run 0 '^ok 1 inner'
}

@test "run: fails if a test fails" {
    suite <<<'false'
    inner_run 1 '^not ok 1 inner'
}

@test "run: refuses a handler that does not exist, and a TMPDIR that other users cannot reach" {
    need_root
    suite <<<'true'
    STDSOCKS=absent inner_run 1 '^run: absent does not exist; use'
    chmod 700 "$BATS_TEST_TMPDIR"
    inner_run 1 '^run: other users cannot read .*/tree/'
}

@test "run: names a leftover process, and ends it" {
    local clean=
    ((EUID)) || clean='env -i' # root's run finds it without RUN_MARK, too
    suite <<<"setsid $clean $SLEEP >/dev/null 2>&1 3>&- &"
    inner_run 1 '^# run: still runs: [0-9]+ '"$SLEEP"
    [[ -z $(pgrep -f "$SLEEP") ]]
}

# gone - succeed if the suite has ended, and no file of its run is left.
gone() {
    [[ ! $(pgrep -f "$SLEEP") && $(cd "$BATS_TEST_TMPDIR" && echo *) == inner.bats ]]
}

@test "run: ends the suite and removes its files, even if it is killed" {
    local signal
    suite <<<"$SLEEP"
    for signal in TERM KILL; do
        inner >/dev/null 3>&- &
        eventually pgrep -f "$SLEEP"
        kill "-$signal" "$(pgrep -f "tests/run --jobs 1 $BATS_TEST_TMPDIR/inner.bats")"
        eventually gone
    done
}

@test "run: names a leftover mount" {
    need_root
    suite <<'END'
        mkdir "$HOME/mounted"
        mount -t tmpfs tmpfs "$HOME/mounted"
END
    inner_run 1 '^# run: still mounted: .*/mounted$'
}

@test "run: names a leftover file, and removes it" {
    suite <<'END'
        echo text >"$TMPDIR/a file"
END
    inner_run 1 '^# run: left behind: .*/a file$'
}

@test "run: names a leftover file in /tmp, and removes it" {
    suite <<<"touch /tmp/$$.\$RUN_MARK"
    inner_run 1 "^# run: left behind: /tmp/$$\\."
    [[ $(echo /tmp/$$.*) == "/tmp/$$.*" ]]
}

@test "run: names a leftover cgroup, and removes it" {
    local cgroup
    need_root
    cgroup=$(findmnt -rn -t cgroup,cgroup2 -o TARGET | head -n 1)
    [[ $cgroup ]] || lacks 'a hierarchy of cgroups'
    cgroup+=/test.$BASHPID
    suite <<<"mkdir -p $cgroup.\$RUN_MARK/inside"
    inner_run 1 "^# run: left behind: $cgroup\\."
    [[ $(echo "$cgroup".*) == "$cgroup.*" ]]
}

@test "run: hides the journal of this machine" {
    need_root
    suite <<<'[[ ! -e /run/systemd/journal/socket ]]'
    # shellcheck disable=SC2016 # for the shell inside
    inner unshare --mount bash -c 'journal=/run/systemd/journal
        mkdir -p $journal && mount -t tmpfs tmpfs $journal && touch $journal/socket && exec "$@"' -
}

# Stubs in PATH end the script early if it does not refuse.
@test "run: tests/deps refuses a folder PEERS with other files, and accepts an empty one" {
    local peers=$BATS_TEST_TMPDIR/peers bin=$BATS_TEST_TMPDIR/bin program
    mkdir "$peers" "$bin"
    for program in getent useradd dpkg-query apt-get; do
        printf '#!/bin/sh\nexit 99\n' >"$bin/$program"
        chmod 755 "$bin/$program"
    done
    PATH=$bin:$PATH PEERS=$peers run "$ROOT/tests/deps"
    ((status == 99))
    [[ -e $peers/absent ]]
    PATH=$bin:$PATH PEERS=$peers run "$ROOT/tests/deps"
    ((status == 99))
    rm "$peers/absent"
    touch "$peers/mine"
    PATH=$bin:$PATH PEERS=$peers run "$ROOT/tests/deps"
    [[ $status == 64 && $output == "deps: PEERS=$peers has other files; use an empty folder" ]]
    [[ $(ls "$peers") == mine ]]
}

@test "run: tests/debian13 and tests/coverage refuse wrong arguments" {
    run timeout 10 "$ROOT/tests/debian13" --root
    [[ $status == 64 && $output == 'debian13: --root needs a folder; see --help' ]]
    run timeout 10 "$ROOT/tests/coverage"
    [[ $status == 64 && $output == 'usage: coverage SUITE...' ]]
    run timeout 10 "$ROOT/tests/coverage" tests/absent.bats
    [[ $status == 64 && $output == 'coverage: tests/absent.bats does not exist' ]]
}

@test "run: tests/lint-lines reports long lines and comments that clang-format damaged" {
    local long
    long=$(printf 'x%.0s' {1..101})
    mkdir "$BATS_TEST_TMPDIR/lint"
    cd "$BATS_TEST_TMPDIR/lint"
    printf '%s\n' "$long" "| $long |" >table.md
    cat >comments.c <<'EOF'
/* A comment of
 *several lines. */
const char *text = "/* not a comment";
int *pointer;
void f(void)
{
	if (pointer) /* a comment after code, on
			two lines */
		*pointer = 0;
	unsigned
		number; /* a comment after a declaration */
}
EOF
    run "$ROOT/tests/lint-lines" table.md comments.c
    [[ $status == 1 && $(cut -d : -f 1,2 <<<"$output" | sort | paste -s -d ' ') == \
        'comments.c:10 comments.c:2 comments.c:7 table.md:1' ]]
}

@test "run: tests/lint-python reports Python that it does not see" {
    local here='cat <<' # this suite is linted, too
    printf '%s\n' "python3 -c '" "$here-'PY'" "$here'PYTHON'" "$here'PY' || true" PY \
        >"$BATS_TEST_TMPDIR/script.bash"
    "$PYTHON" -c 'import pyflakes' || lacks python3-pyflakes
    run "$ROOT/tests/lint-python" "$BATS_TEST_TMPDIR/script.bash"
    [[ $status == 1 && $(cut -d : -f 2 <<<"$output" | paste -s) == $'1\t2\t3' ]]
}

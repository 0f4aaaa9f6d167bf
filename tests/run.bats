#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# What tests/run adds to bats: the suites' surroundings, and the search for what they left behind.

load helper

setup() {
    need parallel unshare pgrep
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

# inner COMMAND... - run that suite through COMMAND, without what the bats around it exports.
inner() {
    # shellcheck disable=SC2016 # for the shell inside
    "$@" env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin TMPDIR="$BATS_TEST_TMPDIR" STDSOCKS="$STDSOCKS" \
        bash -c 'cd "$1" && tests/run "$2"' - "$ROOT" "$BATS_TEST_TMPDIR/inner.bats" 2>&1
}

# inner_run STATUS REGEX - run that suite; a line of the output matches REGEX.
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

@test "run: names a process that is left behind, and ends it" {
    local clean=
    ((EUID)) || clean='env -i' # not even its environment tells that it is ours
    suite <<<"setsid $clean sleep 1234567 >/dev/null 2>&1 3>&- &"
    inner_run 1 '^# run: still runs: [0-9]+ sleep 1234567'
    [[ -z $(pgrep -f 'sleep 1234567') ]]
}

@test "run: names a mount that is left behind" {
    need_root
    suite <<'END'
        mkdir "$HOME/mounted"
        mount -t tmpfs tmpfs "$HOME/mounted"
END
    inner_run 1 '^# run: still mounted: .*/mounted$'
}

@test "run: names a file that is left behind, and removes it" {
    suite <<'END'
        echo text >"$TMPDIR/a file"
END
    inner_run 1 '^# run: left behind: .*/a file$'
}

@test "run: names a cgroup that is left behind" {
    local cgroup failed=0
    need_root
    cgroup=$(findmnt -rn -t cgroup,cgroup2 -o TARGET | head -n 1)
    [[ $cgroup ]] || lacks 'a hierarchy of cgroups'
    suite <<<"mkdir $cgroup/test.$BASHPID.\$RUN_MARK"
    inner_run 1 "^# run: left behind: $cgroup/test\\.$BASHPID\\." || failed=1
    rmdir "$cgroup/test.$BASHPID".*
    ((failed == 0))
}

@test "run: hides the journal of this machine" {
    need_root
    suite <<<'[[ ! -e /run/systemd/journal/socket ]]'
    # shellcheck disable=SC2016 # for the shell inside
    inner unshare --mount bash -c 'mkdir -p /run/systemd/journal && mount -t tmpfs tmpfs /run/systemd/journal &&
        touch /run/systemd/journal/socket && exec "$@"' -
}

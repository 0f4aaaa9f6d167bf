#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# README.md, and the table of clients, which tests/clients-table writes from results of the tests.

bats_require_minimum_version 1.5.0
load helper

setup() {
    TABLE=$BATS_TEST_TMPDIR/clients.md
    printf '%s\n' before '<!-- from here: make clients -->' '| old |' '<!-- to here -->' after \
        >"$TABLE"
    export PEERS=$BATS_TEST_TMPDIR
    mkdir "$PEERS/two"
    echo 2.0-1 >"$PEERS/two/version"
}

# written <TAP - write the table, and print its rows. Sets "STATUS" to the exit status.
written() {
    STATUS=0
    "$ROOT/tests/clients-table" "$TABLE" >"$BATS_TEST_TMPDIR/passed-on" || STATUS=$?
    [[ $(sed -n '1p;$p' "$TABLE") == $'before\nafter' ]]
    sed '1,/^<!-- from/d; /^<!-- to/,$d' "$TABLE" | tail -n +3
}

@test "readme: the table of clients has a row for each test of a client, and no other row" {
    "$ROOT/tests/clients-table" --check "$ROOT/tests/clients.md" "$ROOT"/tests/clients*.bats
}

@test "readme: tests of one client, version and command share a row" {
    written <<'TAP' >"$BATS_TEST_TMPDIR/rows"
1..4
ok 1 clients: two: 4a connect: a thing
ok 2 clients: one (two): 5 udp: another
ok 3 clients: two: 4a connect: a third
ok 4 clients: two: 4, 4a connect: a fourth
TAP
    diff - "$BATS_TEST_TMPDIR/rows" <<'END'
| two | two 2.0-1 | 4a | connect | a thing; a third; a fourth | passed |
| one | two 2.0-1 | 5 | udp | another | passed |
| two | two 2.0-1 | 4 | connect | a fourth | passed |
END
    ((STATUS == 0))
}

@test "readme: the last column names checks that failed or were not run" {
    written <<'TAP' >"$BATS_TEST_TMPDIR/rows"
1..4
ok 1 clients: two: 4 connect: a thing
not ok 2 clients: two: 4 connect: another # timeout after 90s
# | more | that was said |
ok 3 clients: three: 5 bind: a third # skip missing: three
not ok 4 clients: two: 5 bind: a fourth
TAP
    diff - "$BATS_TEST_TMPDIR/rows" <<'END'
| two | two 2.0-1 | 4 | connect | a thing; another | failed: another |
| three | three ? | 5 | bind | a third | not run: a third |
| two | two 2.0-1 | 5 | bind | a fourth | failed: a fourth |
END
    ((STATUS == 1))
    grep -qxF '# | more | that was said |' "$BATS_TEST_TMPDIR/passed-on"
}

@test "readme: the table is not written if two tests have the same title" {
    run -1 --separate-stderr "$ROOT/tests/clients-table" "$TABLE" <<'TAP'
1..2
not ok 1 clients: two: 5 connect: a thing
ok 2 clients: two: 5 connect: a thing
TAP
    # shellcheck disable=SC2154 # run has set it
    [[ $stderr == 'clients-table: two tests have this title: clients: two: 5 connect: a thing' ]]
    grep -qxF '| old |' "$TABLE"
}

@test "readme: clients-table fails if results are missing or a version is unknown" {
    written <<<$'1..2\nok 1 clients: two: 5 connect: a thing'
    ((STATUS == 1))
    written <<<$'1..1\nok 1 clients: three: 5 connect: a thing'
    ((STATUS == 1))
}

@test "readme: --check names a test without a row and a row without a test" {
    local error="clients-table: $TABLE"
    written <<<$'1..1\nok 1 clients: one (two): 5 connect: a thing'
    echo '@test "clients: one (two): 5 connect: a thing" {' >"$BATS_TEST_TMPDIR/suite"
    "$ROOT/tests/clients-table" --check "$TABLE" "$BATS_TEST_TMPDIR/suite"
    echo '@test "clients: two: 5 connect: a thing" {' >>"$BATS_TEST_TMPDIR/suite"
    run ! "$ROOT/tests/clients-table" --check "$TABLE" "$BATS_TEST_TMPDIR/suite"
    [[ $output == "$error lacks the row: two | two | 5 | connect | a thing" ]]
    run ! "$ROOT/tests/clients-table" --check "$TABLE" /dev/null
    [[ $output == "$error has a row without a test: one | two | 5 | connect | a thing" ]]
}

# example COMMAND - print the lines below "$ COMMAND" in README.md, without the indentation.
example() {
    awk -v "start=    \$ $1" 'index($0, start) == 1 { found = 1; next }
        !/^    [^$]/ { found = 0 }
        found { print substr($0, 5) }' "$ROOT/README.md"
}

@test "readme: the example of --explain has the output of stdsocks" {
    local line question
    line=$(grep -F -- '$ stdsocks --explain' "$ROOT/README.md")
    question=${line#*\'}
    diff <(example 'stdsocks --explain') <("$STDSOCKS" -f /dev/null --explain "${question%\'}")
}

# rows FILE HEADING - print the rows of the first table below a heading.
rows() {
    awk -v "heading=## $2" '/^## / { found = $0 == heading } found && /^\|/ { print; seen = 1 }
        seen && !/^\|/ { exit }' "$1"
}

@test "readme: the table of section Speed is the summary in tests/bench/results.md" {
    run -0 rows "$ROOT/README.md" Speed
    [[ $output == *microsocks* ]]
    diff <(echo "$output") <(rows "$ROOT/tests/bench/results.md" Summary)
}

@test "readme: README.md has at most 200 lines" {
    (($(wc -l <"$ROOT/README.md") <= 200))
}

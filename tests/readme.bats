#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The README's table of clients: that it is the one that a run of their tests writes.

bats_require_minimum_version 1.5.0
load helper

setup() {
    README=$BATS_TEST_TMPDIR/README.md
    printf '%s\n' before '<!-- from here: make clients -->' '| old |' '<!-- to here -->' after >"$README"
    export PEERS=$BATS_TEST_TMPDIR
    mkdir "$PEERS/two"
    echo 2.0-1 >"$PEERS/two/version"
}

# written <TAP - the table's lines, and in $STATUS what the program said.
written() {
    STATUS=0
    "$ROOT/tests/clients-table" "$README" >"$BATS_TEST_TMPDIR/passed-on" || STATUS=$?
    [[ $(sed -n '1p;$p' "$README") == $'before\nafter' ]]
    sed '1,/^<!-- from/d; /^<!-- to/,$d' "$README" | tail -n +3
}

@test "readme: the table of clients has a row for each of their tests, and no other" {
    "$ROOT/tests/clients-table" --check "$ROOT/README.md" "$ROOT"/tests/clients*.bats
}

@test "readme: tests of the same client, version and command are one row of the table of clients" {
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

@test "readme: what failed or did not run is named in the table of clients" {
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

@test "readme: two tests with one name write no table" {
    run -1 --separate-stderr "$ROOT/tests/clients-table" "$README" <<'TAP'
1..2
not ok 1 clients: two: 5 connect: a thing
ok 2 clients: two: 5 connect: a thing
TAP
    # shellcheck disable=SC2154 # run has set it
    [[ $stderr == 'clients-table: two tests have this name: clients: two: 5 connect: a thing' ]]
    grep -qxF '| old |' "$README"
}

@test "readme: a run that was cut short, and a client of no known version, are seen" {
    written <<<$'1..2\nok 1 clients: two: 5 connect: a thing'
    ((STATUS == 1))
    written <<<$'1..1\nok 1 clients: three: 5 connect: a thing'
    ((STATUS == 1))
}

@test "readme: a row that no test writes and a test without a row are seen" {
    written <<<$'1..1\nok 1 clients: one (two): 5 connect: a thing'
    echo '@test "clients: one (two): 5 connect: a thing" {' >"$BATS_TEST_TMPDIR/suite"
    "$ROOT/tests/clients-table" --check "$README" "$BATS_TEST_TMPDIR/suite"
    echo '@test "clients: two: 5 connect: a thing" {' >>"$BATS_TEST_TMPDIR/suite"
    run ! "$ROOT/tests/clients-table" --check "$README" "$BATS_TEST_TMPDIR/suite"
    [[ $output == 'clients-table: not in the README: two | two | 5 | connect | a thing' ]]
    run ! "$ROOT/tests/clients-table" --check "$README" /dev/null
    [[ $output == 'clients-table: in the README, and no test writes it: one | two | 5 | connect | a thing' ]]
}

#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The fuzzers' inputs, replayed without a fuzzer; that a finding is told; and what python3-socksio,
# written by others, says of the same messages.

load helper

REPLAYS=$(realpath -m "${REPLAYS:-$ROOT/build/replay}")

@test "fuzz: every harness replays its corpus, of 20 inputs at least, and all invariants hold" {
    local source name inputs
    for source in "$ROOT"/tests/fuzz/corpus/*.txt; do
        name=$(basename "$source" .txt)
        echo "# $name"
        [[ -x $REPLAYS/$name ]] || fail "missing: $REPLAYS/$name, which make check builds" || return
        inputs=$(timeout 60 "$REPLAYS/$name" "$source") || fail "$name: $inputs" || return
        ((${inputs% inputs} >= 20)) || fail "$name: $inputs" || return
    done
    [[ $(cd "$ROOT/tests/fuzz/corpus" && echo *) == \
        "config.txt hex.txt messages.txt rules.txt session.txt" ]]
}

# broken_harness FILE - a harness in which two bytes, the first of them '!', break something.
broken_harness() {
    cat >"$1" <<'END'
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 1 && data[0] == '!')
		abort();
	return 0;
}
END
}

@test "fuzz: a replay ends with the signal of what is broken" {
    need gcc
    broken_harness "$BATS_TEST_TMPDIR/broken.c"
    gcc -D_GNU_SOURCE -I"$ROOT/src" -I"$ROOT/tests/fuzz" -o "$BATS_TEST_TMPDIR/broken" \
        "$BATS_TEST_TMPDIR/broken.c" "$ROOT"/tests/fuzz/replay.c "$ROOT"/src/text/hex.c "$ROOT"/src/wire/writer.c
    printf '21\n' >"$BATS_TEST_TMPDIR/right.txt"
    printf '# comment\n00\n2100\n' >"$BATS_TEST_TMPDIR/wrong.txt"
    run "$BATS_TEST_TMPDIR/broken" "$BATS_TEST_TMPDIR/right.txt"
    [[ $status == 0 && $output == "1 inputs" ]]
    run "$BATS_TEST_TMPDIR/broken" "$BATS_TEST_TMPDIR/wrong.txt"
    ((status == 134))
}

# find_it FUZZER COMPILER... - the fuzzer finds the mistake; tests/fuzz/run says where, and fails.
find_it() {
    local programs=$BATS_TEST_TMPDIR/programs path said failed=0
    mkdir "$programs"
    broken_harness "$BATS_TEST_TMPDIR/broken.c"
    "${@:2}" -o "$programs/broken" "$BATS_TEST_TMPDIR/broken.c"
    said=$(timeout 80 "$ROOT/tests/fuzz/run" --programs "$programs" \
        --work "$BATS_TEST_TMPDIR/fuzzed" --fuzzer "$1" --seconds 40 broken) || failed=$?
    ((failed == 1)) || fail "$said" || return
    [[ $said =~ broken:\ [0-9,]+\ executions,\ [0-9,]+/s,\ a\ finding\;\ [0-9,]+\ in\ all ]] ||
        fail "$said" || return
    path=$(sed -n 's/^  to see it again: [^ ]* //p' <<<"$said")
    [[ -f $path && $(head -c 1 "$path") == '!' ]] || fail "$said" || return
    [[ -s $BATS_TEST_TMPDIR/fuzzed/broken/total ]]
}

@test "fuzz: a finding of libFuzzer ends the run with its path and status 1" {
    need clang python3
    find_it libfuzzer clang -fsanitize=fuzzer
}

@test "fuzz: a finding of AFL++ ends the run with its path and status 1" {
    need afl-fuzz python3
    find_it afl env AFL_QUIET=1 afl-clang-fast -fsanitize=fuzzer
}

@test "fuzz: the end of a run, even a violent one, is the end of its fuzzers" {
    need clang python3 setpriv
    local programs=$BATS_TEST_TMPDIR/programs pid=$BATS_TEST_TMPDIR/pid
    mkdir "$programs"
    clang -fsanitize=fuzzer -x c -DPID="\"$pid\"" -o "$programs/endless" - <<'END'
#include <stdio.h>
#include <unistd.h>
int LLVMFuzzerTestOneInput(const unsigned char *data, unsigned long size)
{
	FILE *file = fopen(PID, "wx");
	if (file && fprintf(file, "%d\n", (int)getpid()) > 0)
		fclose(file);
	return data && size > (1 << 30);
}
END
    start run "$ROOT/tests/fuzz/run" --programs "$programs" --work "$BATS_TEST_TMPDIR/fuzzed" endless
    eventually test -s "$pid"
    [[ -e /proc/$(cat "$pid") ]]
    kill -KILL "${RUNNING[run]}"
    eventually test ! -e "/proc/$(cat "$pid")"
}

@test "fuzz: python3-socksio and we read each other's messages, but for what is explained [RFC 1928, 1929]" {
    "$PYTHON" -c 'import socksio' 2>/dev/null || need python3-socksio
    timeout 60 "$PYTHON" "$ROOT/tests/fuzz/oracle.py" "$REPLAYS/batch" 5000
    timeout 60 "$PYTHON" "$ROOT/tests/fuzz/oracle.py" "$REPLAYS/batch" 5000 "$SRANDOM"
}

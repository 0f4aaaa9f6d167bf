#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The fuzzers' corpora, replayed without a fuzzer; the report of a finding; comparisons of parsers
# with python3-socksio and python3-dnspython. DNS_MESSAGES=100000 compares that many messages of DNS
# and takes a few minutes.

load helper

[[ -z ${DNS_MESSAGES:-} ]] || export BATS_TEST_TIMEOUT=1800
REPLAYS=$(realpath -m "${REPLAYS:-$ROOT/build/replay}")

@test "fuzz: the inputs of each corpus, 20 or more, break no invariant" {
    local source name inputs
    for source in "$ROOT"/tests/fuzz/corpus/*.txt; do
        name=$(basename "$source" .txt)
        echo "# $name"
        [[ -x $REPLAYS/$name ]] || fail "missing: $REPLAYS/$name, which make check builds" || return
        inputs=$(timeout 60 "$REPLAYS/$name" "$source") || fail "$name: $inputs" || return
        ((${inputs% inputs} >= 20)) || fail "$name: $inputs" || return
    done
    [[ $(cd "$ROOT/tests/fuzz/corpus" && echo *) == \
        "config.txt dns.txt hex.txt hosts.txt messages.txt resolv_conf.txt rules.txt session.txt" ]]
}

# broken_harness FILE - write a harness that aborts on an input of two bytes or more that starts
# with '!'.
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

@test "fuzz: a replay that breaks an invariant ends by SIGABRT" {
    need gcc
    broken_harness "$BATS_TEST_TMPDIR/broken.c"
    gcc -D_GNU_SOURCE -I"$ROOT/src" -I"$ROOT/tests/fuzz" -o "$BATS_TEST_TMPDIR/broken" \
        "$BATS_TEST_TMPDIR/broken.c" "$ROOT"/tests/fuzz/replay.c \
        "$ROOT"/src/text/hex.c "$ROOT"/src/wire/writer.c
    printf '21\n' >"$BATS_TEST_TMPDIR/valid.txt"
    printf '# comment\n00\n2100\n' >"$BATS_TEST_TMPDIR/invalid.txt"
    run "$BATS_TEST_TMPDIR/broken" "$BATS_TEST_TMPDIR/valid.txt"
    [[ $status == 0 && $output == "1 inputs" ]]
    run "$BATS_TEST_TMPDIR/broken" "$BATS_TEST_TMPDIR/invalid.txt"
    ((status == 134))
}

# finds FUZZER COMPILER... - the fuzzer finds the abort of the broken harness; tests/fuzz/run fails
# and prints the path of the input.
finds() {
    local programs=$BATS_TEST_TMPDIR/programs path report failed=0
    mkdir "$programs"
    broken_harness "$BATS_TEST_TMPDIR/broken.c"
    "${@:2}" -o "$programs/broken" "$BATS_TEST_TMPDIR/broken.c"
    report=$(timeout 80 "$ROOT/tests/fuzz/run" --programs "$programs" \
        --work "$BATS_TEST_TMPDIR/fuzzed" --fuzzer "$1" --seconds 40 broken) || failed=$?
    ((failed == 1)) || fail "$report" || return
    [[ $report =~ broken:\ [0-9,]+\ executions,\ [0-9,]+/s,\ a\ finding\;\ [0-9,]+\ in\ total ]] ||
        fail "$report" || return
    path=$(sed -n 's/^  to repeat it: [^ ]* //p' <<<"$report")
    [[ -f $path && $(head -c 1 "$path") == '!' ]] || fail "$report" || return
    [[ -s $BATS_TEST_TMPDIR/fuzzed/broken/total ]]
}

@test "fuzz: a finding of libFuzzer ends the run with status 1 and the path of its input" {
    need clang python3
    finds libfuzzer clang -fsanitize=fuzzer
}

@test "fuzz: a finding of AFL++ ends the run with status 1 and the path of its input" {
    need afl-fuzz python3
    finds afl env AFL_QUIET=1 afl-clang-fast -fsanitize=fuzzer
}

@test "fuzz: the fuzzers end if tests/fuzz/run is killed" {
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
    start run "$ROOT/tests/fuzz/run" --programs "$programs" --work "$BATS_TEST_TMPDIR/fuzzed" \
        endless
    eventually test -s "$pid"
    [[ -e /proc/$(cat "$pid") ]]
    kill -KILL "${RUNNING[run]}"
    eventually test ! -e "/proc/$(cat "$pid")"
}

@test "fuzz: python3-socksio reads and writes the same messages as the parsers [RFC 1928, 1929]" {
    "$PYTHON" -c 'import socksio' 2>/dev/null || need python3-socksio
    timeout 60 "$PYTHON" "$ROOT/tests/fuzz/oracle.py" "$REPLAYS/batch" 5000
    timeout 60 "$PYTHON" "$ROOT/tests/fuzz/oracle.py" "$REPLAYS/batch" 5000 "$SRANDOM"
}

@test "fuzz: python3-dnspython reads the same answers as wire/dns [RFC 1035, 6891]" {
    "$PYTHON" -c 'import dns' 2>/dev/null || need python3-dnspython
    local seed
    for seed in 1035 "$SRANDOM"; do
        echo "# seed $seed"
        "$PYTHON" "$ROOT/tests/fuzz/dns_oracle.py" "$REPLAYS/dns_batch" \
            "$ROOT/tests/fuzz/corpus/dns.txt" "${DNS_MESSAGES:-3000}" "$seed"
    done
}

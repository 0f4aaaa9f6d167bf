#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The programs of "make bench": measures of the program bench, the server that only forks, and the
# tables.

load helper

prelude <<'PY'
import os, pathlib, socket, subprocess, sys, time

BUILT = os.environ["BUILT"]
sys.path.insert(0, f"{os.environ['ROOT']}/tests/bench")

def measured(*arguments):
    """Returns the figures of a measure of the server that only forks."""
    with socket.create_server(("127.0.0.1", 0)) as listener, \
            subprocess.Popen([f"{BUILT}/bench/fork"], stdin=listener) as server:
        try:
            port = str(listener.getsockname()[1])
            output = subprocess.run([f"{BUILT}/bench/bench", *arguments, "fork", port, "0"],
                                    stdout=subprocess.PIPE, check=True, text=True).stdout
        finally:
            server.kill()
    return [float(line) for line in output.split()]
PY

setup() {
    export ROOT BUILT
}

@test "bench: measures a burst, a rate and round trips of the server that only forks" {
    python <<'PY'
for measure in ["burst", "-s", "50"], ["rate", "-s", "8", "-t", "100"], ["pingpong", "-t", "50"]:
    figure, = measured(*measure)
    assert figure > 0, measure
PY
}

@test "bench: setup -i and -g start no connection before the end of the interval or the pause" {
    python <<'PY'
start_s = time.monotonic()
assert len(measured("setup", "-i", "20000", "-n", "10")) == 10
assert time.monotonic() - start_s > 0.2
start_s = time.monotonic()
assert len(measured("setup", "-g", "20000", "-n", "10")) == 10
assert time.monotonic() - start_s > 0.2
PY
}

@test "bench: the tables have multiples of microsocks, and of a second handler in each mode" {
    cat >"$BATS_TEST_TMPDIR/results.tsv" <<'END'
measure	role	contestant	unit	value	low	high
paced_p50	handler	a	us	400	390	410
paced_p50	handler	b	us	200	190	210
paced_p50	prefork	a-prefork	us	150	140	160
paced_p50	prefork	b-prefork	us	100	90	150
paced_p50	peer	microsocks	us	50	50	51
burst_20	peer	microsocks	ms	8	8	8
END
    python "$BATS_TEST_TMPDIR/results.tsv" >"$BATS_TEST_TMPDIR/tables" <<'PY'
import table
print(*table.tables(table.Results(sys.argv[1])), sep="\n")
PY
    sed '/^$/d; /^The mark/,$d' "$BATS_TEST_TMPDIR/tables" | diff - /dev/fd/3 3<<'END'
## Figures
|               |   a |   b | a-prefork | b-prefork | microsocks |  a/b | a-prefork/b-prefork |
|---------------|----:|----:|----------:|----------:|-----------:|-----:|--------------------:|
| paced p50, us | 400 | 200 |       150 |       100 |       50.0 | 2.00 |              1.50 ~ |
| burst 20, ms  |   - |   - |         - |         - |       8.00 |      |                     |
## Multiples of microsocks
|           |    a |    b | a-prefork | b-prefork |
|-----------|-----:|-----:|----------:|----------:|
| paced p50 | 8.00 | 4.00 |      3.00 |      2.00 |
| burst 20  |      |      |           |           |
END
}

@test "bench: --write replaces the first table of section Speed, and nothing else, in README.md" {
    mkdir -p "$BATS_TEST_TMPDIR/tests/bench"
    printf '%s\n' '| other |' '## Speed' '' text '' '| old |' '|---|' '| 1 |' '' '| more |' \
        >"$BATS_TEST_TMPDIR/README.md"
    printf 'measure\trole\tcontestant\tunit\tvalue\tlow\thigh\n%s\n' \
        $'burst_20\tpeer\tmicrosocks\tms\t8\t8\t8' >"$BATS_TEST_TMPDIR/results.tsv"
    python "$BATS_TEST_TMPDIR" <<'PY'
import table
place = pathlib.Path(sys.argv[1])
table.write(table.Results(place / "results.tsv"), place)
PY
    grep -v '|  |$' "$BATS_TEST_TMPDIR/README.md" | diff - /dev/fd/3 3<<'END'
| other |
## Speed

text

|  | microsocks |
| --- | --- |
| 20 / 100 at once, last reply, ms | 8.00 / - |

| more |
END
    grep -qxF -- "- Machine: $(nproc) processors ($(uname -m)), Linux $(uname -r)" \
        "$BATS_TEST_TMPDIR/tests/bench/results.md"
}

#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# stdsocksctl log and report, with journals from tools/records.py.

load helper

prelude <<'PY'
import json, sys

from socks import check

def reported():
    with open(sys.argv[1], encoding="utf-8") as report:
        return json.load(report)
PY

setup_file() {
    export JOURNALS=$BATS_FILE_TMPDIR/journals
    need /lib/systemd/systemd-journal-remote journalctl
    mkdir "$JOURNALS"
    journal some 2000
    journal one 1
    journal hostile 20 --hostile
}

# journal NAME COUNT [OPTION]... - make $JOURNALS/NAME, a directory with COUNT records.
journal() {
    mkdir "$JOURNALS/$1"
    "$PYTHON" "$TOOLS/records.py" "${@:2}" |
        /lib/systemd/systemd-journal-remote -o "$JOURNALS/$1/$1.journal" - 2>"$JOURNALS/$1.log"
}

# forged NAME RECORD... - make $JOURNALS/NAME from records, each a word with fields, separated by
# blanks and without "STDSOCKS_".
forged() {
    local time=1763629200000000 record fields
    mkdir "$JOURNALS/$1"
    for record in "${@:2}"; do
        read -ra fields <<<"$record"
        printf '%s\n' "__REALTIME_TIMESTAMP=$((time += 1000000))" "__MONOTONIC_TIMESTAMP=$time" \
            _BOOT_ID=abababababababababababababababab \
            MESSAGE_ID=676b8ea6ab824ca18b7b99a8399ac688 "${fields[@]/#/STDSOCKS_}" ''
    done | /lib/systemd/systemd-journal-remote -o "$JOURNALS/$1/$1.journal" - 2>"$JOURNALS/$1.log"
}

# sum_of NAME - print the sum of this metric on standard input.
sum_of() {
    awk -v "name=$1" 'index($0, name) == 1 { sum += $2 } END { print sum }'
}

# ctl COMMAND NAME [ARGUMENT]... - run stdsocksctl on $JOURNALS/NAME.
ctl() {
    timeout 60 "$STDSOCKSCTL" "$1" -D "$JOURNALS/$2" "${@:3}"
}

# reported NAME [OPTION]... <SCRIPT - run the script with the output of report --json for NAME.
reported() {
    ctl report "$1" --json "${@:2}" >"$BATS_TEST_TMPDIR/report" || return
    python "$BATS_TEST_TMPDIR/report"
}

# with_gnuplot LINE - replace gnuplot by a script that runs LINE in place of plotting.
with_gnuplot() {
    need gnuplot || return
    mkdir "$BATS_TEST_TMPDIR/bin"
    # shellcheck disable=SC2016 # a variable of the script
    printf '#!/bin/sh\n[ "$1" = --version ] || %s\n' "$1" >"$BATS_TEST_TMPDIR/bin/gnuplot"
    chmod +x "$BATS_TEST_TMPDIR/bin/gnuplot"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

# gives STATUS COMMAND... - check the status, and put the output and errors into $said.
gives() {
    local status=0
    said=$("${@:2}" 2>&1 </dev/null) || status=$?
    [[ $status == "$1" ]] || fail "status $status, not $1: ${*:2}: $said"
}

@test "log: prints one line a record, in columns that awk can cut" {
    ctl log some >"$BATS_TEST_TMPDIR/lines"
    [[ $(wc -l <"$BATS_TEST_TMPDIR/lines") == 2000 ]]
    [[ $(TZ=UTC ctl log some -n 2000 | head -n 1 | tr -s ' ') == \
        "2025-11-20T09:00:00 192.0.2.1 - host504.example.com:22 0 closed 6.5K 3.2K 1.435 -" ]]
    [[ -z $(awk 'NF != 10 { print }' "$BATS_TEST_TMPDIR/lines") ]]
}

@test "log --json: prints the fields that journalctl prints" {
    ctl log some --json >"$BATS_TEST_TMPDIR/ours"
    journalctl -q -D "$JOURNALS/some" -o json >"$BATS_TEST_TMPDIR/theirs"
    python "$BATS_TEST_TMPDIR/ours" "$BATS_TEST_TMPDIR/theirs" <<'PY'
import datetime, json
names = {"_HOSTNAME": "host", "_SYSTEMD_UNIT": "unit", "_PID": "pid",
         "ERRNO": "errno"}
ours, theirs = ([json.loads(line) for line in open(path)] for path in sys.argv[1:])
check(len(ours), len(theirs))
for ours, theirs in zip(ours, theirs):
    wanted = {}
    for field, value in theirs.items():
        if field in names or field.startswith("STDSOCKS_"):
            name = names.get(field, field.removeprefix("STDSOCKS_").lower())
            wanted[name] = value if type(ours.get(name)) is str else int(value)
    when = datetime.datetime.fromisoformat(ours.pop("time").replace("Z", "+00:00"))
    check(round(when.timestamp() * 1e6), int(theirs["__REALTIME_TIMESTAMP"]))
    check(ours, wanted)
PY
}

@test "log: selects records by filter, reply, end, time and number" {
    local all=$BATS_TEST_TMPDIR/all
    ctl log some --json >"$all"
    chosen() { # COUNTED-LINES ARGUMENT...
        local want
        want=$(grep -cE "$1" "$all")
        [[ $want -gt 0 && $(ctl log some "${@:2}" | wc -l) == "$want" ]] || fail "not $want: ${*:2}"
    }
    chosen '"user":"user1"' user user1
    chosen '"user":"user[12]".*"dst_port":443' user user1,user2 port 443
    chosen '"dst":"host1[.]example' to host1.example.com
    chosen '"dst":".*example.com"' to .example.com
    chosen '"client":"192.0.2.[45]"' from 192.0.2.4/31
    chosen '"reply":[25],' --reply 2,5
    chosen '"end":"(reset|failed)"' --end reset,failed
    chosen '"reply":5.*"end":"refused"' --end refused --reply 5
    [[ $(ctl log some --since @1763629300 | wc -l) == 1900 ]]
    [[ $(ctl log some --until @1763629300 | wc -l) == 101 ]]
    [[ $(ctl log some --since 2025-11-20T09:01:00Z --until "2025-11-20T09:01:59Z" | wc -l) == 60 ]]
    export TZ=Europe/Berlin
    [[ $(ctl log some --since '2025-11-20 10:33' --until '2025-11-21' | wc -l) == 20 ]]
    [[ $(ctl log some --since -1h | wc -l) == 0 ]]
    [[ $(ctl log some --since @0 | wc -l) == 2000 ]]
    [[ $(ctl log some --until @0 | wc -l) == 0 ]]
    cmp <(ctl log some user user1 | tail -n 7) <(ctl log some -n 7 user user1)
    cmp <(ctl log some) <(ctl log some -n 5000)
    [[ $(ctl log some -n 0 | wc -l) == 0 ]]
}

@test "log, report: exit with 64 and advice if the command line is wrong" {
    local words says
    while IFS='|' read -r words says; do
        eval "gives 64 ctl $words" || return
        # shellcheck disable=SC2053 # a pattern
        [[ $said == *$says* ]] || fail "$words: $said" || return
    done <<'END'
log some --since tomorrowish|invalid --since "tomorrowish"; use 2026-11-20
log some --since 2025-02-31
log some --since 2025-11-20 --until 2025-11-19
log some --since @1 --until @0
log some --reply x
log some --reply 0,9
log some --reply 99
log some --end blah|use closed, reset,*, failed
log some --end 'a b'
log some -n -1
log some -f --until now
log some -f --until @0
log some too example.com
log some --file x
report some --top 0
report some --html --json
report some --prometheus --since -1h|--since must be a fixed time
report some --prometheus --since yesterday
END
    gives 66 "$STDSOCKSCTL" log --file "$JOURNALS/some/some.journal" --file "$BATS_TEST_TMPDIR/none"
    [[ $said == *"$BATS_TEST_TMPDIR/none: No such file"* ]]
    echo text >"$BATS_TEST_TMPDIR/text"
    gives 66 "$STDSOCKSCTL" log --file "$JOURNALS/some/some.journal" --file "$BATS_TEST_TMPDIR/text"
    [[ $said == *"$BATS_TEST_TMPDIR/text: "* ]]
    gives 66 "$STDSOCKSCTL" log -D "$BATS_TEST_TMPDIR/none"
}

@test "log, report: report a write error, but not a reader that has closed the pipe" {
    local form
    for form in log 'log --json' report 'report --json' 'report --prometheus'; do
        gives 74 bash -c "\"\$0\" $form -D '$JOURNALS/some' >/dev/full" "$STDSOCKSCTL"
    done
    gives 74 ctl report some --output "$BATS_TEST_TMPDIR/none/report"
    [[ -z $(ctl log some 2>&1 >/dev/null | head -n 0) ]]
    { ctl log some 2>"$BATS_TEST_TMPDIR/said"; } | head -n 1 >/dev/null
    [[ ! -s $BATS_TEST_TMPDIR/said ]]
}

@test "log, report: escape hostile text from the journal" {
    local form words
    for form in log 'log --json' report 'report --json' \
        'report --prometheus --since 2025-11-20' 'report --html'; do
        read -ra words <<<"$form"
        ctl "${words[0]}" hostile "${words[@]:1}" >"$BATS_TEST_TMPDIR/said" || fail "$form: $?"
        ! grep -qaP '[^\x20-\x7e\n\t]' "$BATS_TEST_TMPDIR/said" || fail "raw bytes: $form"
    done
    [[ $(ctl log hostile | wc -l) == 20 ]]
    ctl log hostile --json >"$BATS_TEST_TMPDIR/objects"
    python "$BATS_TEST_TMPDIR/objects" <<'PY'
for row in map(json.loads, open(sys.argv[1])):
    check((row["user"][:8], "total_usec" in row, "bytes_down" in row), ("<img src", False, False))
PY
}

@test "report --json: its numbers match the records" {
    ctl log some --json >"$BATS_TEST_TMPDIR/log"
    ctl report some --json --top 3 >"$BATS_TEST_TMPDIR/report"
    python "$BATS_TEST_TMPDIR/log" "$BATS_TEST_TMPDIR/report" <<'PY'
import collections, json
records = [json.loads(line) for line in open(sys.argv[1])]
report = json.load(open(sys.argv[2]))
check(report["connections"], len(records))
check(sum(report["outcomes"].values()), len(records))
check(report["outcomes"]["served"], sum(one.get("reply") == 0 for one in records))
check(report["outcomes"]["host"], sum(one["end"] == "failed" for one in records))
for name in "bytes_up", "bytes_down":
    check(report[name], sum(one.get(name, 0) for one in records))
    check(sum(stretch[name] for stretch in report["timeline"]), report[name])
ends = collections.Counter(one["end"] for one in records)
check({name: n for name, n in report["ends"].items() if n}, dict(ends))
for reply in report["replies"][:-1]:
    check(reply["connections"], sum(one.get("reply") == reply["reply"] for one in records))
check(len(report["timeline"]) <= 120, True)
counts = [stretch[outcome] for stretch in report["timeline"] for outcome in report["outcomes"]]
check(sum(counts), len(records))
for party, word in ("users", "user"), ("destinations", "dst"), ("clients", "client"):
    most = collections.Counter(one[word] for one in records if word in one)
    shown = report[party]["by_connections"]
    check(shown["exact"], True)
    check([one["connections"] for one in shown["top"]], [n for _, n in most.most_common(3)])
    check(all(one["connections"] == most[one["name"]] for one in shown["top"]), True)
    top = sum(one["connections"] for one in shown["top"])
    check(shown["others"]["connections"], most.total() - top)
    by_bytes = collections.Counter()
    for one in records:
        by_bytes[one.get(word)] += one.get("bytes_up", 0) + one.get("bytes_down", 0)
    del by_bytes[None]
    check([one["name"] for one in report[party]["by_bytes"]["top"]],
          [name for name, _ in by_bytes.most_common(3)])
rules = report["rules"]["top"] + [report["rules"]["others"]]
check(sum(one["connections"] for one in rules), sum("rule" in one for one in records))
for span in "resolve", "connect", "total":
    values = sorted(one[span + "_usec"] for one in records if span + "_usec" in one)
    numbers = [report[span][name] for name in ("connections", "sum_usec", "max_usec")]
    check(numbers, [len(values), sum(values), values[-1]])
    for percent in 50, 90, 99:
        exact = values[-(-len(values) * percent // 100) - 1]
        error = abs(report[span][f"p{percent}_usec"] - exact)
        assert error <= exact / 128 + 1, (span, percent, exact)
PY
}

@test "log, report: show an association's first datagram destination" {
    forged associations \
        'REPLY=0 DST=0.0.0.0 DST_PORT=0 DESTINATIONS=2 REACHED=192.0.2.53 REACHED_PORT=53' \
        'REPLY=0 DST=0.0.0.0 DST_PORT=0 DESTINATIONS=0' \
        'REPLY=0 DST=a.test DST_PORT=443 REACHED=192.0.2.53 REACHED_PORT=443'
    [[ $(ctl log associations | awk '{ print $4 }' | xargs) == \
        '192.0.2.53:53 0.0.0.0:0 a.test:443' ]]
    [[ $(ctl log associations to 192.0.2.53 | wc -l) == 2 ]]
    [[ $(ctl log associations to 192.0.2.53 port 53 | awk '{ print $4 }') == 192.0.2.53:53 ]]
    [[ $(ctl log associations to 0.0.0.0 | wc -l) == 1 ]]
    [[ $(ctl log associations --json to 192.0.2.53 port 53) == \
        *'"dst":"0.0.0.0"'*'"reached":"192.0.2.53"'*'"destinations":2'* ]]
    reported associations <<<'top = reported()["destinations"]["by_connections"]["top"]
check(sorted(one["name"] for one in top), ["0.0.0.0", "192.0.2.53", "a.test"])'
}

@test "report: prints tables, and --output replaces the file" {
    umask 022
    ctl report some --output "$BATS_TEST_TMPDIR/report"
    cmp "$BATS_TEST_TMPDIR/report" <(ctl report some)
    grep -qE '^2,000 connections that ended from 2025-11-20T' "$BATS_TEST_TMPDIR/report"
    grep -qE '^served  ' "$BATS_TEST_TMPDIR/report"
    [[ $(stat -c %a "$BATS_TEST_TMPDIR/report") == 644 ]]
    [[ $(echo "$BATS_TEST_TMPDIR"/report*) == "$BATS_TEST_TMPDIR/report" ]]
    [[ $(ctl report some --since now) == "0 connections; 0 bytes up, 0 down" ]]
}

@test "report: --output writes to a FIFO, and through a symbolic link" {
    local dir=$BATS_TEST_TMPDIR/dir
    mkdir "$dir"
    mkfifo "$dir/fifo"
    cat "$dir/fifo" >"$dir/read" 3>&- &
    ctl report some --output "$dir/fifo"
    wait $!
    [[ -p $dir/fifo ]]
    ln -s file "$dir/link"
    echo old >"$dir/file"
    ctl report some --output "$dir/link"
    [[ -L $dir/link ]]
    ctl report some | tee >(cmp - "$dir/read") | cmp - "$dir/file"
    [[ $(cd "$dir" && echo *) == 'fifo file link read' ]]
}

@test "report --prometheus: promtool accepts the metrics" {
    local name
    need promtool
    for name in some one hostile; do
        ctl report "$name" --prometheus --since 2025-11-20 >"$BATS_TEST_TMPDIR/metrics"
        promtool check metrics <"$BATS_TEST_TMPDIR/metrics" || fail "$name"
    done
    ctl report some --prometheus --since 2025-11-20 >"$BATS_TEST_TMPDIR/metrics"
    [[ $(sum_of stdsocks_connections_total <"$BATS_TEST_TMPDIR/metrics") == 2000 ]]
    [[ $(sum_of 'stdsocks_connect_seconds_bucket{le="0.01"}' <"$BATS_TEST_TMPDIR/metrics") == \
        $(ctl log some --json | grep -oP '"connect_usec":\K\d+' | awk '$1 <= 10000' | wc -l) ]]
    # The default is since today.
    [[ $(ctl report some --prometheus | sum_of stdsocks_connections_total) == 0 ]]
}

@test "report --html: the page fits its width, has plots, loads nothing and runs no script" {
    local name
    need chromium gnuplot
    ctl report some --html --since now >"$BATS_TEST_TMPDIR/none.html"
    for name in some one hostile; do
        ctl report "$name" --html >"$BATS_TEST_TMPDIR/$name.html"
    done
    python "$BATS_TEST_TMPDIR" <<'PY'
from page import inspect
PLOTS = {"some.html": 3, "one.html": 3, "hostile.html": 3, "none.html": 0}
for (name, width), page in inspect(sys.argv[1], PLOTS, (1280, 360)).items():
    check((name, width, page["wrong"], page["plots"]), (name, width, [], PLOTS[name]))
    assert page["title"].startswith("stdsocks: connections"), (name, page["title"])
    assert name != "hostile.html" or "<img src=x onerror=" in page["text"], page["text"]
PY
}

@test "report: its memory does not grow with the number of records" {
    # The limit is for writable memory; mapped pages of the journal do not count.
    ! grep -qa __asan_init "$STDSOCKSCTL" || skip "sanitizers use more memory"
    journal many 10000 --destinations 20000
    (ulimit -d 10240 && ctl report many --json >"$BATS_TEST_TMPDIR/report")
    python "$BATS_TEST_TMPDIR/report" <<'PY'
import json
destinations = json.load(open(sys.argv[1]))["destinations"]["by_connections"]
check(destinations["exact"], False)
assert destinations["short_by_at_most"] <= 10000 / 4096, destinations["short_by_at_most"]
check(destinations["others"]["connections"] > 6667, True)
PY
}

@test "log: exits with 66 and names a journal that it may not read" {
    local dir=$BATS_TEST_TMPDIR/dir
    mkdir "$dir"
    cp "$JOURNALS/one/one.journal" "$dir"
    local become=()
    [[ $UID != 0 ]] || become=(setpriv --reuid 65534 --regid 65534 --clear-groups)
    nobody() { "${become[@]}" "$BATS_FILE_TMPDIR/ctl" "$@"; }
    cp "$STDSOCKSCTL" "$BATS_FILE_TMPDIR/ctl"
    # Not with -R: suites that run at the same time have files there, too.
    chmod a+rx "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/{file,test} "$BATS_FILE_TMPDIR"{,/ctl} \
        "$BATS_TEST_TMPDIR" "$dir"
    chmod 0 "$dir/one.journal"
    gives 66 nobody log --file "$dir/one.journal"
    [[ $said == *"$dir/one.journal: Permission denied"* && $said != *systemd-journal* ]] ||
        fail "$said"
    gives 66 nobody log -D "$dir"
    [[ $said == *"$dir"* && $said != *systemd-journal* ]] || fail "$said"
}

@test "log: prints progress no wider than the terminal" {
    # The records do not fit into a pipe; while it is full, a line of progress becomes due.
    python "$STDSOCKSCTL" "$JOURNALS/some" <<'PY'
import fcntl, os, pty, struct, subprocess, termios, time
controller, terminal = pty.openpty()
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 20, 0, 0))
command = [sys.argv[1], "log", "-D", sys.argv[2], "--json"]
log = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=terminal)
os.close(terminal)
log.stdout.read(150000)  # the program has read the clock
time.sleep(0.5)  # longer than the interval of progress lines
log.stdout.read()
check(log.wait(), 0)
said = os.read(controller, 65536).decode()
assert "records" in said, said
assert all(len(line) < 20 for line in said.replace("\x1b[K", "").split("\r")), said
PY
}

@test "report: keeps long names apart, up to the length of a record" {
    local long
    long=$(printf 'x%.0s' {1..300})
    forged long "REPLY=0 DST=$long"{1,2,2,"$long$long$long"}
    reported long <<'PY'
shown = reported()["destinations"]["by_connections"]
rows = [(len(one["name"]), one["connections"]) for one in shown["top"]]
check((shown["exact"], rows), (True, [(301, 2), (301, 1), (1023, 1)]))
PY
}

@test "report: does not count the wait of BIND as time to connect" {
    forged waits "REPLY=0 COMMAND="{'BIND CONNECT_USEC=60000000','CONNECT CONNECT_USEC=1000'}
    reported waits <<<'connect = reported()["connect"]
check((connect["connections"], connect["max_usec"]), (1, 1000))'
}

@test "report: omits forged numbers, rules of served requests, and times of none" {
    forged forged 'REPLY=256 DST_PORT=65536 END=closed' 'REPLY=255 DST_PORT=65535' \
        'REPLY=0 RULE=a:1' 'REPLY=2 RULE=a:2'
    [[ $(ctl log forged --json | grep -o '"\(reply\|dst_port\)":[0-9]*' | xargs) == \
        'dst_port:65535 reply:255 reply:0 reply:2' ]]
    reported forged <<<'check([one["name"] for one in reported()["rules"]["top"]], ["a:2"])
check(reported()["connect"], {"connections": 0})'
}

@test "report: counts the rule that denied datagrams of a served association" {
    forged denied 'REPLY=0 COMMAND='{'UDP DESTINATIONS='{0,2}' RULE=a:1','UDP DESTINATIONS=2'} \
        'REPLY=0 COMMAND=CONNECT RULE=a:2'
    reported denied <<<'rules = reported()["rules"]["top"]
check([(one["name"], one["connections"]) for one in rules], [("a:1", 2)])
check(reported()["outcomes"]["served"], 4)'
    # The text is right for every command.
    ctl report denied | grep -qE '^served .* the request succeeded$'
}

@test "report: counts BIND as served if it had an inbound connection" {
    forged binds 'COMMAND=BIND REPLY=0 REACHED=192.0.2.7 REACHED_PORT=20 END='{closed,terminated} \
        'COMMAND=BIND REPLY=0 END='{terminated,client-gone,failed} \
        'COMMAND=BIND REPLY=4 END=refused' 'COMMAND=CONNECT END=client-gone' \
        'COMMAND=RESOLVE_PTR REPLY=0 END=closed'
    reported binds <<<'check(reported()["outcomes"],
      {"served": 3, "denied": 0, "unreachable": 1, "client": 3, "host": 1})'
}

@test "report: states the error of approximate numbers, or nothing if it is 0" {
    local records
    mapfile -t records < <(seq 5000 | sed 's/.*/REPLY=2 RULE=a:& DST=host&/')
    forged rules "${records[@]}"
    ctl report rules >"$BATS_TEST_TMPDIR/report"
    grep -q 'approximate: .*up to 1 too small' "$BATS_TEST_TMPDIR/report"
    grep -q 'approximate: more than 4096)' "$BATS_TEST_TMPDIR/report"
    [[ $(grep -c 'up to 0' "$BATS_TEST_TMPDIR/report") == 0 ]]
    # --prometheus ignores --top: it prints all rules that are counted, and the sum of the others.
    ctl report rules --prometheus --since @0 --top 1 >"$BATS_TEST_TMPDIR/metrics"
    [[ $(grep -c '^stdsocks_denied_by_rule_total{rule="a:' "$BATS_TEST_TMPDIR/metrics") == 4096 ]]
    [[ $(sum_of stdsocks_denied_by_rule_total <"$BATS_TEST_TMPDIR/metrics") == 5000 ]]
    grep -qx 'stdsocks_denied_by_rule_total{rule="other"} 904' "$BATS_TEST_TMPDIR/metrics"
}

@test "report --html: the plot of latencies rises at the values" {
    forged two 'REPLY=0 CONNECT_USEC='{1000,10000000}
    with_gnuplot "tee $BATS_TEST_TMPDIR/script | $(command -v gnuplot) \"\$@\""
    ctl report two --html >"$BATS_TEST_TMPDIR/page"
    python "$BATS_TEST_TMPDIR/page" "$BATS_TEST_TMPDIR/script" <<'PY'
import re
page, script = (open(path).read() for path in sys.argv[1:])
# In the wide plot, whose y grows downwards, the line is at 50 % from 1 ms to 10 s.
page = page.replace("rgb( 59, 143, 209)", "#3b8fd1").replace('"', "'")
path = re.findall(r"<path stroke='#3b8fd1' +d='M([^']*)'", page)[0]
points = [tuple(map(float, point.split(","))) for point in re.findall(r"-?[\d.]+,-?[\d.]+", path)]
bottom, top = max(y for _, y in points), min(y for _, y in points)
level = [x for x, y in points if abs((bottom - y) / (bottom - top) - 0.5) < 0.02]
whole = max(x for x, _ in points) - min(x for x, _ in points)
assert max(level) - min(level) > 0.7 * whole, points
check(points[0][1], bottom)
# Without bytes there is no axis with "1 B".
check(script.count("'1 B'"), 0)
PY
}

@test "report --output: keeps mode and owner, and leaves no file after a signal" {
    local dir=$BATS_TEST_TMPDIR/dir
    mkdir "$dir"
    echo old >"$dir/report"
    chmod 600 "$dir/report"
    [[ $UID != 0 ]] || chown 65534:65534 "$dir/report"
    ctl report some --output "$dir/report"
    [[ $(stat -c %a "$dir/report") == 600 ]]
    [[ $UID != 0 || $(stat -c %u:%g "$dir/report") == 65534:65534 ]]
    echo old >"$dir/report"
    # shellcheck disable=SC2016 # a variable of the script
    with_gnuplot 'kill -TERM $PPID'
    gives 143 "$STDSOCKSCTL" report -D "$JOURNALS/some" --html --output "$dir/report"
    [[ $(cd "$dir" && echo *) == report && $(<"$dir/report") == old ]]
}

@test "report: reports errors of the output first, and what gnuplot prints" {
    # The journal does not exist, which would be another error.
    local none=$BATS_TEST_TMPDIR/none
    gives 74 "$STDSOCKSCTL" report -D "$none" --output "$none/report"
    gives 69 env PATH=/nowhere "$STDSOCKSCTL" report --html -D "$BATS_TEST_TMPDIR/none"
    [[ $said == *'gnuplot-nox'* ]]
    with_gnuplot '{ echo "no such terminal" >&2; exit 1; }'
    gives 71 "$STDSOCKSCTL" report -D "$JOURNALS/some" --html
    [[ $said == *'no such terminal'* ]]
}

@test "report --json: exits with 71 and prints no partial object without memory" {
    local memory status whole=0 short=0
    ! grep -qa __asan_init "$STDSOCKSCTL" || skip "sanitizers use more memory"
    # Begins with less memory than the program needs to start, and stops after some successes.
    for ((memory = 2000; whole < 4 && memory < 20000; memory += 125)); do
        status=0
        (ulimit -d "$memory" && ctl report some --json --top 1000) \
            >"$BATS_TEST_TMPDIR/report" 2>/dev/null || status=$?
        if ((status == 0)); then
            "$PYTHON" -m json.tool "$BATS_TEST_TMPDIR/report" >/dev/null
            whole=$((whole + 1))
        else
            [[ ! -s $BATS_TEST_TMPDIR/report ]] || fail "$memory: $status"
        fi
        ((status != 71)) || short=1
    done
    ((whole && short))
}

@test "log, report: exit with 69 if systemd is not running" {
    local command
    need_root || return
    for command in log report; do
        gives 69 unshare --mount bash -c "mount -t tmpfs none /run
            mount -t tmpfs none /var/log
            \"\$0\" $command" "$STDSOCKSCTL"
        [[ $said == *'is systemd running?'* ]] || fail "$said"
    done
}

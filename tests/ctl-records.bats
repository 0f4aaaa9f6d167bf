#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# stdsocksctl log and report, on journals that were made for them.

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

# journal NAME COUNT [OPTION]... - $JOURNALS/NAME, a directory with that many records.
journal() {
    mkdir "$JOURNALS/$1"
    "$PYTHON" "$TOOLS/records.py" "${@:2}" |
        /lib/systemd/systemd-journal-remote -o "$JOURNALS/$1/$1.journal" - 2>"$JOURNALS/$1.log"
}

# forged NAME - $JOURNALS/NAME of records that are on standard input, a line each: fields, parted by blanks.
forged() {
    local time=1763629200000000 fields
    mkdir "$JOURNALS/$1"
    while read -ra fields; do
        printf '%s\n' "__REALTIME_TIMESTAMP=$((time += 1000000))" "__MONOTONIC_TIMESTAMP=$time" \
            _BOOT_ID=abababababababababababababababab MESSAGE_ID=676b8ea6ab824ca18b7b99a8399ac688 "${fields[@]}" ''
    done | /lib/systemd/systemd-journal-remote -o "$JOURNALS/$1/$1.journal" - 2>"$JOURNALS/$1.log"
}

# ctl COMMAND NAME [ARGUMENT]... - of that journal.
ctl() {
    timeout 60 "$STDSOCKSCTL" "$1" -D "$JOURNALS/$2" "${@:3}"
}

# reported NAME [OPTION]... <SCRIPT - the argument of the script is a file with what report --json says of that journal.
reported() {
    ctl report "$1" --json "${@:2}" >"$BATS_TEST_TMPDIR/report" || return
    python "$BATS_TEST_TMPDIR/report"
}

# with_gnuplot LINE - from now on in this test, gnuplot answers --version, and does that instead of plotting.
with_gnuplot() {
    need gnuplot || return
    mkdir "$BATS_TEST_TMPDIR/bin"
    # shellcheck disable=SC2016 # its shell's
    printf '#!/bin/sh\n[ "$1" = --version ] || %s\n' "$1" >"$BATS_TEST_TMPDIR/bin/gnuplot"
    chmod +x "$BATS_TEST_TMPDIR/bin/gnuplot"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

# gives STATUS COMMAND... - it ends so, and what it says, both ways, is $said.
gives() {
    local status=0
    said=$("${@:2}" 2>&1 </dev/null) || status=$?
    [[ $status == "$1" ]] || fail "status $status, not $1: ${*:2}: $said"
}

@test "log: a line a record, in columns that awk cuts" {
    ctl log some >"$BATS_TEST_TMPDIR/lines"
    [[ $(wc -l <"$BATS_TEST_TMPDIR/lines") == 2000 ]]
    [[ $(TZ=UTC ctl log some -n 2000 | head -n 1 | tr -s ' ') == "2025-11-20T09:00:00 192.0.2.1 - host504.example.com:22 0 closed 6.5K 3.2K 1.435 -" ]]
    [[ -z $(awk 'NF != 10 { print }' "$BATS_TEST_TMPDIR/lines") ]]
}

@test "log --json: the fields of the record, as journalctl has them" {
    ctl log some --json >"$BATS_TEST_TMPDIR/ours"
    journalctl -q -D "$JOURNALS/some" -o json >"$BATS_TEST_TMPDIR/theirs"
    python "$BATS_TEST_TMPDIR/ours" "$BATS_TEST_TMPDIR/theirs" <<'PY'
import datetime, json
names = {"_HOSTNAME": "host", "_SYSTEMD_UNIT": "unit", "ERRNO": "errno"}
ours, theirs = ([json.loads(line) for line in open(path)] for path in sys.argv[1:])
check(len(ours), len(theirs))
for one, other in zip(ours, theirs):
    want = {names.get(name, name.removeprefix("STDSOCKS_").lower()): value for name, value in other.items() if name in names or name.startswith("STDSOCKS_")}
    want = {name: value if type(one.get(name)) is str else int(value) for name, value in want.items()}
    when = datetime.datetime.fromisoformat(one.pop("time").replace("Z", "+00:00"))
    check(round(when.timestamp() * 1e6), int(other["__REALTIME_TIMESTAMP"]))
    check(one, want)
PY
}

@test "log: filters, replies, ends, times and numbers choose" {
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
    [[ $(TZ=Europe/Berlin ctl log some --since '2025-11-20 10:33' --until '2025-11-21' | wc -l) == 20 ]]
    [[ $(ctl log some --since -1h | wc -l) == 0 ]]
    [[ $(ctl log some --since @0 | wc -l) == 2000 ]]
    [[ $(ctl log some --until @0 | wc -l) == 0 ]]
    cmp <(ctl log some user user1 | tail -n 7) <(ctl log some -n 7 user user1)
    cmp <(ctl log some) <(ctl log some -n 5000)
    [[ $(ctl log some -n 0 | wc -l) == 0 ]]
}

@test "log, report: a wrong command line is told, and what would do" {
    local words says
    while IFS='|' read -r words says; do
        eval "gives 64 ctl $words" || return
        # shellcheck disable=SC2053 # a pattern
        [[ $said == *$says* ]] || fail "$words: $said" || return
    done <<'END'
log some --since tomorrowish|--since "tomorrowish" is no time; these are: 2026-11-20
log some --since 2025-02-31
log some --since 2025-11-20 --until 2025-11-19
log some --since @1 --until @0
log some --reply x
log some --reply 0,9
log some --reply 99
log some --end blah|none of closed, reset,*, failed
log some --end 'a b'
log some -n -1
log some -f --until now
log some -f --until @0
log some too example.com
log some --file x
report some --top 0
report some --html --json
report some --prometheus --since -1h|a time that stays
report some --prometheus --since yesterday
END
    gives 66 "$STDSOCKSCTL" log --file "$JOURNALS/some/some.journal" --file "$BATS_TEST_TMPDIR/none"
    [[ $said == *"$BATS_TEST_TMPDIR/none: No such file"* ]]
    echo text >"$BATS_TEST_TMPDIR/text"
    gives 66 "$STDSOCKSCTL" log --file "$JOURNALS/some/some.journal" --file "$BATS_TEST_TMPDIR/text"
    [[ $said == *"$BATS_TEST_TMPDIR/text: "* ]]
    gives 66 "$STDSOCKSCTL" log -D "$BATS_TEST_TMPDIR/none"
}

@test "log, report: what cannot be written is told, and a reader that goes is not" {
    local form
    for form in log 'log --json' report 'report --json' 'report --prometheus'; do
        gives 74 bash -c "\"\$0\" $form -D '$JOURNALS/some' >/dev/full" "$STDSOCKSCTL"
    done
    gives 74 ctl report some --output "$BATS_TEST_TMPDIR/none/report"
    [[ -z $(ctl log some 2>&1 >/dev/null | head -n 0) ]]
    { ctl log some 2>"$BATS_TEST_TMPDIR/said"; } | head -n 1 >/dev/null
    [[ ! -s $BATS_TEST_TMPDIR/said ]]
}

@test "log, report: nothing that anybody wrote into the journal is more than a text" {
    local form words
    for form in log 'log --json' report 'report --json' 'report --prometheus --since 2025-11-20' 'report --html'; do
        read -ra words <<<"$form"
        ctl "${words[0]}" hostile "${words[@]:1}" >"$BATS_TEST_TMPDIR/said" || fail "$form: $?"
        ! grep -qaP '[^\x20-\x7e\n\t]' "$BATS_TEST_TMPDIR/said" || fail "raw bytes: $form"
    done
    [[ $(ctl log hostile | wc -l) == 20 ]]
    [[ $(ctl log hostile --json | "$PYTHON" -c 'import json, sys; print({(one["user"][:8], "total_usec" in one, "bytes_down" in one) for one in map(json.loads, sys.stdin)})') == "{('<img src', False, False)}" ]]
}

@test "report --json: its figures are those of the records" {
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
    check(report[name], sum(one[name] for one in records))
    check(sum(stretch[name] for stretch in report["timeline"]), report[name])
check({name: n for name, n in report["ends"].items() if n}, dict(collections.Counter(one["end"] for one in records)))
for reply in report["replies"][:-1]:
    check(reply["connections"], sum(one.get("reply") == reply["reply"] for one in records))
check(len(report["timeline"]) <= 120, True)
check(sum(sum(stretch[outcome] for outcome in report["outcomes"]) for stretch in report["timeline"]), len(records))
for party, word in ("users", "user"), ("destinations", "dst"), ("clients", "client"):
    most = collections.Counter(one[word] for one in records if word in one)
    shown = report[party]["by_connections"]
    check(shown["exact"], True)
    check([one["connections"] for one in shown["top"]], [n for _, n in most.most_common(3)])
    check(all(one["connections"] == most[one["name"]] for one in shown["top"]), True)
    check(shown["others"]["connections"], most.total() - sum(one["connections"] for one in shown["top"]))
    by_bytes = collections.Counter()
    for one in records:
        by_bytes[one.get(word)] += one["bytes_up"] + one["bytes_down"]
    del by_bytes[None]
    check([one["name"] for one in report[party]["by_bytes"]["top"]], [name for name, _ in by_bytes.most_common(3)])
check(sum(one["connections"] for one in report["rules"]["top"] + [report["rules"]["others"]]), sum("rule" in one for one in records))
for span in "resolve", "connect", "total":
    values = sorted(one[span + "_usec"] for one in records if span + "_usec" in one)
    check((report[span]["connections"], report[span]["sum_usec"], report[span]["max_usec"]), (len(values), sum(values), values[-1]))
    for percent in 50, 90, 99:
        exact = values[-(-len(values) * percent // 100) - 1]
        assert abs(report[span][f"p{percent}_usec"] - exact) <= exact / 128 + 1, (span, percent, exact)
PY
}

@test "log, report: the destination of an association is where its datagrams went first" {
    local asked='STDSOCKS_REPLY=0 STDSOCKS_DST=0.0.0.0 STDSOCKS_DST_PORT=0'
    printf '%s\n' "$asked STDSOCKS_DESTINATIONS=2 STDSOCKS_REACHED=192.0.2.53 STDSOCKS_REACHED_PORT=53" \
        "$asked STDSOCKS_DESTINATIONS=0" \
        'STDSOCKS_REPLY=0 STDSOCKS_DST=a.test STDSOCKS_DST_PORT=443 STDSOCKS_REACHED=192.0.2.53 STDSOCKS_REACHED_PORT=443' | forged associations
    [[ $(ctl log associations | awk '{ print $4 }' | xargs) == '192.0.2.53:53 0.0.0.0:0 a.test:443' ]]
    [[ $(ctl log associations to 192.0.2.53 | wc -l) == 2 ]]
    [[ $(ctl log associations to 192.0.2.53 port 53 | awk '{ print $4 }') == 192.0.2.53:53 ]]
    [[ $(ctl log associations to 0.0.0.0 | wc -l) == 1 ]]
    [[ $(ctl log associations --json to 192.0.2.53 port 53) == *'"dst":"0.0.0.0"'*'"reached":"192.0.2.53"'*'"destinations":2'* ]]
    reported associations <<<'top = reported()["destinations"]["by_connections"]["top"]
check(sorted(one["name"] for one in top), ["0.0.0.0", "192.0.2.53", "a.test"])'
}

@test "report: tables for people, and --output replaces the file" {
    umask 022
    ctl report some --output "$BATS_TEST_TMPDIR/report"
    cmp "$BATS_TEST_TMPDIR/report" <(ctl report some)
    grep -qE '^2,000 connections that ended from 2025-11-20T' "$BATS_TEST_TMPDIR/report"
    grep -qE '^served  ' "$BATS_TEST_TMPDIR/report"
    [[ $(stat -c %a "$BATS_TEST_TMPDIR/report") == 644 ]]
    [[ $(echo "$BATS_TEST_TMPDIR"/report*) == "$BATS_TEST_TMPDIR/report" ]]
    [[ $(ctl report some --since now) == "0 connections; 0 bytes up, 0 down" ]]
}

@test "report: --output writes into what is no file, and behind a symbolic link" {
    local place=$BATS_TEST_TMPDIR/place
    mkdir "$place"
    mkfifo "$place/fifo"
    cat "$place/fifo" >"$place/read" 3>&- &
    ctl report some --output "$place/fifo"
    wait $!
    [[ -p $place/fifo ]]
    ln -s file "$place/link"
    echo old >"$place/file"
    ctl report some --output "$place/link"
    [[ -L $place/link ]]
    ctl report some | tee >(cmp - "$place/read") | cmp - "$place/file"
    [[ $(cd "$place" && echo *) == 'fifo file link read' ]]
}

@test "report --prometheus: promtool finds nothing wrong" {
    local name
    need promtool
    for name in some one hostile; do
        ctl report "$name" --prometheus --since 2025-11-20 >"$BATS_TEST_TMPDIR/metrics"
        promtool check metrics <"$BATS_TEST_TMPDIR/metrics" || fail "$name"
    done
    ctl report some --prometheus --since 2025-11-20 >"$BATS_TEST_TMPDIR/metrics"
    [[ $(awk '/^stdsocks_connections_total/ { sum += $2 } END { print sum }' "$BATS_TEST_TMPDIR/metrics") == 2000 ]]
    [[ $(sed -n 's/^stdsocks_connect_seconds_bucket{le="0.01"} //p' "$BATS_TEST_TMPDIR/metrics") == \
        $(ctl log some --json | grep -oP '"connect_usec":\K\d+' | awk '$1 <= 10000' | wc -l) ]]
    # By default from today on.
    [[ $(ctl report some --prometheus | awk '/^stdsocks_connections_total/ { sum += $2 } END { print sum }') == 0 ]]
}

@test "report --html: a browser finds a page that fits, with plots, that loads and runs nothing" {
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

@test "report: its own memory does not grow with the records" {
    # Pages of the journal are the kernel's to keep or drop; what counts is what it could write to.
    ! grep -qa __asan_init "$STDSOCKSCTL" || skip "a sanitizer's memory is in the way"
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

@test "log: a named journal that may not be read is named, with 66" {
    local place=$BATS_TEST_TMPDIR/place
    mkdir "$place"
    cp "$JOURNALS/one/one.journal" "$place"
    local become=()
    [[ $UID != 0 ]] || become=(setpriv --reuid 65534 --regid 65534 --clear-groups)
    nobody() { "${become[@]}" "$BATS_FILE_TMPDIR/ctl" "$@"; }
    cp "$STDSOCKSCTL" "$BATS_FILE_TMPDIR/ctl"
    # Only the directories on the way: suites that run at the same time have files there, too.
    chmod a+rx "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/{file,test} "$BATS_FILE_TMPDIR"{,/ctl} \
        "$BATS_TEST_TMPDIR" "$place"
    chmod 0 "$place/one.journal"
    gives 66 nobody log --file "$place/one.journal"
    [[ $said == *"$place/one.journal: Permission denied"* && $said != *systemd-journal* ]] || fail "$said"
    gives 66 nobody log -D "$place"
    [[ $said == *"$place"* && $said != *systemd-journal* ]] || fail "$said"
}

@test "log: progress on a terminal is no wider than that" {
    # The records do not fit into a pipe: while it is full, the time for a line of progress comes.
    python "$STDSOCKSCTL" "$JOURNALS/some" <<'PY'
import fcntl, os, pty, struct, subprocess, termios, time
controller, terminal = pty.openpty()
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 20, 0, 0))
log = subprocess.Popen([sys.argv[1], "log", "-D", sys.argv[2], "--json"], stdout=subprocess.PIPE, stderr=terminal)
os.close(terminal)
log.stdout.read(150000)  # it has looked at the clock
time.sleep(0.5)  # which is to pass on the clock
log.stdout.read()
check(log.wait(), 0)
said = os.read(controller, 65536).decode()
assert "records" in said, said
assert all(len(line) < 20 for line in said.replace("\x1b[K", "").split("\r")), said
PY
}

@test "report: names that differ late are two, and as long as a record has them" {
    local long
    long=$(printf 'x%.0s' {1..300})
    printf 'STDSOCKS_REPLY=0 STDSOCKS_DST=%s\n' "${long}1" "${long}2" "${long}2" "$long$long$long$long" | forged long
    reported long <<'PY'
report = reported()
shown = report["destinations"]["by_connections"]
check((shown["exact"], [(len(one["name"]), one["connections"]) for one in shown["top"]]), (True, [(301, 2), (301, 1), (1023, 1)]))
PY
}

@test "report: how long a call was waited for is no time to connect" {
    printf 'STDSOCKS_REPLY=0 STDSOCKS_COMMAND=%s STDSOCKS_CONNECT_USEC=%s\n' BIND 60000000 CONNECT 1000 | forged waits
    reported waits <<<'check((reported()["connect"]["connections"], reported()["connect"]["max_usec"]), (1, 1000))'
}

@test "report: forged numbers, rules of what was served, and times of nothing are left out" {
    printf '%s\n' 'STDSOCKS_REPLY=256 STDSOCKS_DST_PORT=65536 STDSOCKS_END=closed' \
        'STDSOCKS_REPLY=255 STDSOCKS_DST_PORT=65535' 'STDSOCKS_REPLY=0 STDSOCKS_RULE=a:1' 'STDSOCKS_REPLY=2 STDSOCKS_RULE=a:2' | forged forged
    [[ $(ctl log forged --json | grep -o '"\(reply\|dst_port\)":[0-9]*' | xargs) == 'dst_port:65535 reply:255 reply:0 reply:2' ]]
    reported forged <<<'check(([one["name"] for one in reported()["rules"]["top"]], reported()["connect"]), (["a:2"], {"connections": 0}))'
}

@test "report: the rule that denied datagrams counts, of an association that was served" {
    printf 'STDSOCKS_REPLY=0 STDSOCKS_COMMAND=%s\n' 'UDP STDSOCKS_DESTINATIONS=0 STDSOCKS_RULE=a:1' \
        'UDP STDSOCKS_DESTINATIONS=2 STDSOCKS_RULE=a:1' 'UDP STDSOCKS_DESTINATIONS=2' 'CONNECT STDSOCKS_RULE=a:2' | forged denied
    reported denied <<<'check([(one["name"], one["connections"]) for one in reported()["rules"]["top"]], [("a:1", 2)])
check(reported()["outcomes"]["served"], 4)'
    # In words that are true of every command.
    ctl report denied | grep -qE '^served .* got what it asked for$'
}

@test "report: BIND was served when somebody has called" {
    local called='STDSOCKS_REACHED=192.0.2.7 STDSOCKS_REACHED_PORT=20'
    printf 'STDSOCKS_COMMAND=%s\n' "BIND STDSOCKS_REPLY=0 STDSOCKS_END=closed $called" "BIND STDSOCKS_REPLY=0 STDSOCKS_END=terminated $called" \
        'BIND STDSOCKS_REPLY=0 STDSOCKS_END=terminated' 'BIND STDSOCKS_REPLY=0 STDSOCKS_END=client-gone' \
        'BIND STDSOCKS_REPLY=4 STDSOCKS_END=refused' 'RESOLVE_PTR STDSOCKS_REPLY=0 STDSOCKS_END=closed' \
        'CONNECT STDSOCKS_END=client-gone' 'BIND STDSOCKS_REPLY=0 STDSOCKS_END=failed' | forged calls
    reported calls <<<'check(reported()["outcomes"], {"served": 3, "denied": 0, "unreachable": 1, "client": 3, "host": 1})'
}

@test "report: what is approximate is too small by a number, or that is not said" {
    seq 5000 | sed 's/.*/STDSOCKS_REPLY=2 STDSOCKS_RULE=a:& STDSOCKS_DST=host&/' | forged rules
    ctl report rules >"$BATS_TEST_TMPDIR/report"
    grep -q 'approximate: .*up to 1 too small' "$BATS_TEST_TMPDIR/report"
    grep -q 'approximate: there are more than 4096)' "$BATS_TEST_TMPDIR/report"
    [[ $(grep -c 'up to 0' "$BATS_TEST_TMPDIR/report") == 0 ]]
    # Prometheus gets all of them that are counted, whatever --top is, and the sum of the rest.
    ctl report rules --prometheus --since @0 --top 1 >"$BATS_TEST_TMPDIR/metrics"
    [[ $(grep -c '^stdsocks_denied_by_rule_total{rule="a:' "$BATS_TEST_TMPDIR/metrics") == 4096 ]]
    [[ $(awk '/^stdsocks_denied_by_rule_total/ { sum += $2 } END { print sum }' "$BATS_TEST_TMPDIR/metrics") == 5000 ]]
    grep -qx 'stdsocks_denied_by_rule_total{rule="other"} 904' "$BATS_TEST_TMPDIR/metrics"
}

@test "report --html: the plot of latencies rises where the values are" {
    printf 'STDSOCKS_REPLY=0 STDSOCKS_CONNECT_USEC=%s\n' 1000 10000000 | forged two
    with_gnuplot "tee $BATS_TEST_TMPDIR/script | $(command -v gnuplot) \"\$@\""
    ctl report two --html >"$BATS_TEST_TMPDIR/page"
    python "$BATS_TEST_TMPDIR/page" "$BATS_TEST_TMPDIR/script" <<'PY'
import re
page, script = (open(path).read() for path in sys.argv[1:])
# Of the wide plot: down the page is a greater y. It is as long at 50 % as from 1 ms to 10 s.
path = re.findall(r"<path stroke='#3b8fd1' +d='M([^']*)'", page.replace("rgb( 59, 143, 209)", "#3b8fd1").replace('"', "'"))[0]
points = [tuple(map(float, point.split(","))) for point in re.findall(r"-?[\d.]+,-?[\d.]+", path)]
bottom, top = max(y for _, y in points), min(y for _, y in points)
level = [x for x, y in points if abs((bottom - y) / (bottom - top) - 0.5) < 0.02]
whole = max(x for x, _ in points) - min(x for x, _ in points)
assert max(level) - min(level) > 0.7 * whole, points
check(points[0][1], bottom)
# No bytes: no axis of one byte.
check(script.count("'1 B'"), 0)
PY
}

@test "report --output: mode and owner stay, and a signal leaves nothing behind" {
    local place=$BATS_TEST_TMPDIR/place
    mkdir "$place"
    echo old >"$place/report"
    chmod 600 "$place/report"
    [[ $UID != 0 ]] || chown 65534:65534 "$place/report"
    ctl report some --output "$place/report"
    [[ $(stat -c %a "$place/report") == 600 ]]
    [[ $UID != 0 || $(stat -c %u:%g "$place/report") == 65534:65534 ]]
    echo old >"$place/report"
    # shellcheck disable=SC2016 # its shell's
    with_gnuplot 'kill -TERM $PPID'
    gives 143 "$STDSOCKSCTL" report -D "$JOURNALS/some" --html --output "$place/report"
    [[ $(cd "$place" && echo *) == report && $(<"$place/report") == old ]]
}

@test "report: what would fail in the end is told before the pass, and what gnuplot says is shown" {
    # A journal that is not there would be told first, if it were looked at first.
    gives 74 "$STDSOCKSCTL" report -D "$BATS_TEST_TMPDIR/none" --output "$BATS_TEST_TMPDIR/none/report"
    gives 69 env PATH=/nowhere "$STDSOCKSCTL" report --html -D "$BATS_TEST_TMPDIR/none"
    [[ $said == *'gnuplot-nox'* ]]
    with_gnuplot '{ echo "no such terminal" >&2; exit 1; }'
    gives 71 "$STDSOCKSCTL" report -D "$JOURNALS/some" --html
    [[ $said == *'no such terminal'* ]]
}

@test "report --json: without memory, 71 and not a part of an object" {
    local memory status whole=0 short=0
    ! grep -qa __asan_init "$STDSOCKSCTL" || skip "a sanitizer's memory is in the way"
    # From less than it can start with, until it has succeeded a few times.
    for ((memory = 2000; whole < 4 && memory < 20000; memory += 125)); do
        status=0
        (ulimit -d "$memory" && ctl report some --json --top 1000) >"$BATS_TEST_TMPDIR/report" 2>/dev/null || status=$?
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

@test "log, report: without systemd that is said, with status 69" {
    local command
    need_root || return
    for command in log report; do
        gives 69 unshare --mount bash -c "mount -t tmpfs none /run && mount -t tmpfs none /var/log && \"\$0\" $command" "$STDSOCKSCTL"
        [[ $said == *'is there no systemd here?'* ]] || fail "$said"
    done
}

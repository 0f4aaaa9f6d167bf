#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# --explain: the rule that decides about a connection, the reason, and the suggested rule. No
# connection is made.

# shellcheck disable=SC2154 # run sets stderr
bats_require_minimum_version 1.5.0
load helper
load net/world

prelude <<'PY'
import re, subprocess

from dns import NXDOMAIN, Server
from rules import Watch, asks, from_ip, from_pair, from_path, here, lines
from socks import check
from world import STDSOCKS, is_waiting, listeners, port_of, run, there
PY

export STDSOCKS

setup() {
    umask 022 # the handler rejects a configuration that others can write to
    cd "$BATS_TEST_TMPDIR" || return
}

# explain QUESTION [OPTION]... - put the answer into $output. Check that the status is 0, and that
# standard error is empty.
explain() {
    run -0 --separate-stderr "$STDSOCKS" -f /dev/null "${@:2}" --explain "$1" </dev/null
    [[ -z $stderr ]] || fail "error: $stderr"
}

# decides allow|deny LOCATION QUESTION [OPTION]... - check the answer and its rule.
decides() {
    local verb=allowed
    [[ $1 == allow ]] || verb=denied
    explain "${@:3}"
    [[ ${lines[-1]} == "$1" && $'\n'$output$'\n' == *$'\n'"  $verb by $2"$'\n'* ]] ||
        fail "not $verb by $2: $output"
}

# is <TEXT - compare the answer with the text.
is() {
    diff - <(printf '%s\n' "$output")
}

# questions STATUS COUNT [PATTERN] <QUESTIONS - check the status, the number of answers, and
# standard error, which is empty if the status is 0.
questions() {
    run "-$1" --separate-stderr "$STDSOCKS" -f /dev/null --explain -
    [[ $(grep -cxE 'allow|deny' <<<"$output") == "$2" ]] || fail "answers: $output" || return
    # shellcheck disable=SC2053 # a pattern
    [[ $stderr == ${3-*} && ($1 != 0 || -z $stderr) ]] || fail "error: $stderr"
}

# no_question TEXT PATTERN - check status 64, an empty standard output, and one line of advice.
no_question() {
    run -64 --separate-stderr "$STDSOCKS" -f /dev/null --explain "$1" </dev/null
    [[ -z $output && $stderr =~ $2 && $stderr == '--explain: '*'; '* && $stderr != *$'\n'* ]] ||
        fail "output: $output; error: $stderr"
}

@test "explain: prints the rules up to the one that decides, with the reason for each" {
    explain 'from 9.9.9.9 to 8.8.8.8 port 80'
    is <<'END'
from 9.9.9.9 to 8.8.8.8 port 80
 at 8.8.8.8 (public)
  built-in 1: deny port 25
    no: "port" does not match
  built-in 2: allow from loopback,private,link-local,unix,stdio to public
    no: "from" does not match
  built-in 3: allow user any to public
    no: "user" does not match
  built-in 4: deny
    yes: denied
  denied by built-in 4
  to allow it: allow from 9.9.9.9 to 8.8.8.8 port 80
deny
END
    explain 'from 10.0.0.7 to 8.8.8.8 port 80'
    is <<'END'
from 10.0.0.7 to 8.8.8.8 port 80
 at 8.8.8.8 (public)
  built-in 1: deny port 25
    no: "port" does not match
  built-in 2: allow from loopback,private,link-local,unix,stdio to public
    yes: allowed
  allowed by built-in 2
allow
END
}

@test "explain: evaluates the rules of -o first, then those of the file, and then denies" {
    printf '# one\n\ntimeout idle 1h\nallow to 9.9.9.9   # three\n  deny user alice\n' >conf
    explain 'to 8.8.8.8 port 80' -o 'deny from 10.0.0.0/8' -o 'timeout idle 2h' \
        -o 'allow command connect to 8.8.4.4' -o 'allow to any at 9.9.9.9' \
        -o 'allow port 81 to 9.9.9.9 user bob' -f conf
    is <<'END'
to 8.8.8.8 port 80
 at 8.8.8.8 (public)
  -o: deny from 10.0.0.0/8
    no: "from" does not match
  -o: allow command connect to 8.8.4.4
    no: "to" does not match
  -o: allow to any at 9.9.9.9
    no: "at" does not match
  -o: allow port 81 to 9.9.9.9 user bob
    no: "port" does not match
  conf:4: allow to 9.9.9.9   # three
    no: "to" does not match
  conf:5:   deny user alice
    no: "user" does not match
  denied by end of the rules
  to allow it: allow from stdio to 8.8.8.8 port 80
deny
END
    explain 'user alice to 8.8.8.8 port 80' -f conf
    [[ $output == *$'\n  conf:5:   deny user alice\n    yes: denied\n  denied by conf:5\n'* ]]
}

@test "explain: accepts a client of every kind, and its user" {
    local row rule verb location
    # Without a rule in the last column, the built-in rules apply.
    while IFS='|' read -r verb location row rule; do
        decides "$verb" "$location" "$row to 8.8.8.8 port 80" ${rule:+-o "$rule"} || return
    done <<'END'
allow|built-in 2|
allow|built-in 2|from 127.0.0.1
allow|built-in 2|from ::ffff:10.1.2.3
allow|built-in 2|from fe80::1
allow|built-in 2|from unix
allow|built-in 2|from stdio
deny|built-in 4|from 9.9.9.9
deny|built-in 4|from 2002:a00:1::1
deny|built-in 4|from ::ffff:9.9.9.9
allow|built-in 3|from 9.9.9.9 user alice
allow|-o|from unix:0|allow user root
allow|-o|from unix:0|allow from unix:0
deny|end of the rules|from unix:0|allow from unix:1
deny|end of the rules|from unix|allow from unix:0
deny|end of the rules|from unix|allow user any
deny|end of the rules|from unix:54321|allow user any
deny|end of the rules|from unix:0 user alice|allow user root
allow|-o|user alice from unix:0|allow user alice
END
    decides deny 'built-in 1' 'from 9.9.9.9 user alice to 8.8.8.8 port 25'
    decides deny 'built-in 4' 'from 9.9.9.9 user alice to 127.0.0.1 port 80'
}

@test "explain: prints each address with its embedded address and class" {
    local row host shown answer
    for row in \
        '8.8.8.8|8.8.8.8 (public)' '10.0.0.1|10.0.0.1 (private)' '127.0.0.1|127.0.0.1 (loopback)' \
        '169.254.169.254|169.254.169.254 (link-local)' '198.18.0.1|198.18.0.1 (special)' \
        '0.0.0.0|0.0.0.0 (loopback)' '::|:: (loopback)' '2606:4700:0::1|2606:4700::1 (public)' \
        '::ffff:127.0.0.1|::ffff:7f00:1, which reaches 127.0.0.1 (loopback)' \
        '2002:808:808::1|2002:808:808::1, which reaches 8.8.8.8 (public)' \
        '2001::f5ff:fffe|2001::f5ff:fffe, which reaches 10.0.0.1 (private)'; do
        host=${row%%|*} shown=${row#*|}
        explain "to $host port 80"
        [[ ${lines[1]} == " at $shown" ]] || fail "$host: ${lines[1]}" || return
        answer=deny
        [[ $shown != *'(public)' ]] || answer=allow
        [[ ${lines[-1]} == "$answer" ]] || fail "$output" || return
    done
}

@test "explain: the suggested rule allows the denied request" {
    local question suggested
    for question in 'from 9.9.9.9 to 8.8.8.8 port 80' 'from unix to 127.0.0.1 port 65535' \
        'from unix:0 to ::1 port 22' 'from fe80::1 to 8.8.8.8 port 25' 'to 2002:7f00:1:: port 80' \
        'to 0.0.0.0 port 80' 'to ff02::1 port 80' 'from 9.9.9.9 user alice to 8.8.8.8 port 25'; do
        explain "$question"
        suggested=$(sed -n 's/^  to allow it: //p' <<<"$output")
        [[ ${lines[-1]} == deny && $suggested == allow\ * ]] || fail "$output" || return
        decides allow -o "$question" -o "$suggested"
        decides allow -o "$question" -o "$suggested" -o deny
    done
}

@test "explain: allows a name at public addresses only if the rule does not say at which" {
    need_world
    world <<'PY' >answers
server = Server({"inner.test": ["fc00::1"], "public.test": ["8.8.8.8"],
                 "both.test": ["127.0.0.1", "8.8.8.8"]})
command = [STDSOCKS, "-f", "/dev/null", "-o", "allow to .test", "--explain"]
print(run(*command, "-", text="to inner.test port 80\nto Public.TEST. port 80\n"), end="")
names = "Public.TEST", "inner.test"
check(sorted(server.queries), [f"{kind} {name}" for kind in ("A", "AAAA") for name in names])
both = run(*command, "to both.test port 80")
for lines in (" at 8.8.8.8 (public)\n  -o: allow to .test\n    yes: allowed\n  allowed by -o\n",
              " at 127.0.0.1 (loopback)\n  -o: allow to .test\n    no: without "):
    assert lines in both, both
assert both.endswith("\nallow\n"), both
PY
    output=$(<answers)
    is <<'END'
to inner.test port 80
  -o: allow to .test
    maybe: depends on the address
  resolved by 127.0.0.1
 at fc00::1 (private)
  -o: allow to .test
    no: without "at", a name is allowed at public addresses only
  denied by end of the rules
  to allow it: allow from stdio to inner.test at fc00::1 port 80
deny
to Public.TEST. port 80
  -o: allow to .test
    maybe: depends on the address
  resolved by 127.0.0.1
 at 8.8.8.8 (public)
  -o: allow to .test
    yes: allowed
  allowed by -o
allow
END
}

@test "explain: resolves a name only if the rules need its address, and never connects" {
    need_world
    need_wire
    world <<'PY'
watch = Watch()
there("8.8.8.8")
(listening,) = listeners("8.8.8.8")
port = port_of(listening)
server = Server({"public.test": ["8.8.8.8"], "none.test": NXDOMAIN, "empty.test": []})

def explained(question, *rules):
    return run(STDSOCKS, "-f", "/dev/null", *lines(*rules), "--explain", question).splitlines()

for question, rules, answer in [
    ("to public.test port 25", [], "deny"),
    ("from 9.9.9.9 to public.test port 80", [], "deny"),
    ("to public.test port 80", ["deny to .test", "allow to any"], "deny"),
    ("to public.test port 80", ["allow to other.test"], "deny"),
    ("to public.test port 80", ["allow to any"], "allow"),
    ("to 8.8.8.8 port 80", [], "allow"),
]:
    check(explained(question, *rules)[-1], answer)
    check(watch.seen(), [])
check(server.queries, [])

said = explained(f"to public.test port {port}")
check(said[-1], "allow")
assert " at 8.8.8.8 (public)" in said, said
check(sorted(server.queries), ["A public.test", "AAAA public.test"])
check(explained(f"to 8.8.8.8 port {port}")[-1], "allow")
for name in "none.test", "empty.test":
    said = explained(f"to {name} port 80")
    assert said[-1] == "unknown" and said[-2].startswith("  not found: "), said
    for expected in "allow", "deny":
        command = [STDSOCKS, "-f", "/dev/null", "--explain", f"{expected} to {name} port 80"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        check(done.returncode, 78)
        wanted = f"expected {expected}, but the answer is unknown: "
        assert done.stderr.startswith(wanted), done.stderr
check(watch.connects(), [])
assert not is_waiting(listening)
PY
}

@test "explain: gives the answer, rule and suggested rule that a connection gets" {
    need_world
    need_wire
    world <<'PY'
hosts = ["8.8.8.8", "10.0.0.1", "2002:808:808::1", "192.168.0.1", "fc00::1", "127.0.0.1", "::1"]
here("9.9.9.9", "10.0.0.7")
there(*hosts[:5])
listening = listeners(*hosts)
hosts += ["0.0.0.0", "64:ff9b::a00:1"]
for sock in listening:
    sock.listen(1000)
port = port_of(listening[0])
names = {f"n{i}.test": [host] for i, host in enumerate(hosts)}
names["both.test"] = ["10.0.0.1", "8.8.8.8"]
server = Server(names)
clients = {"unix": from_pair, "unix:0": lambda: from_path(0), "9.9.9.9": lambda: from_ip("9.9.9.9"),
           "10.0.0.7": lambda: from_ip("10.0.0.7", "::")}
for rules in [
    [], ["allow to .test"], ["allow to both.test at any", "deny to .test", "allow to private"],
    ["deny to 10.0.0.0/8", "allow"], ["allow from 10.0.0.0/8,unix:0 to any"],
    ["allow to n1.test at 10.0.0.0/8", "allow user root", "deny from unix", "allow to 2000::/3"],
    ["deny to private,loopback", "allow to any port 1-65535"],
]:
    questions, outcomes = [], []
    for number, (client, ends) in enumerate(clients.items()):
        for host in (hosts + [name.encode() for name in names])[number % 2 :: 2]:
            reply, record = asks(host, port, *rules, ends=ends())
            text = host if isinstance(host, str) else host.decode()
            outcomes.append((reply == 2, record.get("RULE"), record.get("REMEDY")))
            verb = "deny" if reply == 2 else "allow"
            questions.append(f"{verb} from {client} to {text} port {port}")
    said = run(STDSOCKS, "-f", "/dev/null", *lines(*rules), "--explain", "-",
               text="\n".join(questions) + "\n")
    answers = re.split(r"^(?:allow|deny)\n", said, flags=re.MULTILINE)[:-1]
    rows = zip(questions, outcomes, answers, strict=True)
    for question, (denied, rule, suggested), answer in rows:
        assert answer.startswith(question + "\n"), (question, answer)
        if denied:
            check(re.findall(r"^  denied by (.*)", answer, re.MULTILINE)[-1], rule)
            check(re.findall(r"^  to allow it: (.*)", answer, re.MULTILINE)[-1], suggested)
PY
}

@test "explain: exits with 0 after an expected answer, and with 78 after another one" {
    explain 'allow to 8.8.8.8 port 80'
    [[ ${lines[0]} == 'allow to 8.8.8.8 port 80' && ${lines[-1]} == allow ]] || fail "$output"
    explain 'deny to 10.0.0.1 port 80'
    [[ ${lines[-1]} == deny ]] || fail "$output" || return
    run -78 --separate-stderr "$STDSOCKS" -f /dev/null --explain 'deny to 8.8.8.8 port 80'
    [[ $stderr == 'expected deny, but the answer is allow: deny to 8.8.8.8 port 80' &&
        ${lines[-1]} == allow ]] ||
        fail "$output $stderr" || return
    questions 78 4 <<<$'allow to 10.0.0.1 port 80\nallow to 8.8.8.8 port 80\ndeny to 8.8.8.8 port 80
allow to 8.8.8.8 port 81'
    [[ ${stderr_lines[0]} == 'expected allow, but the answer is deny: allow to 10.0.0.1 port 80' &&
        ${stderr_lines[1]} == 'expected deny, '* && ${#stderr_lines[@]} == 2 ]] || fail "$stderr"
}

@test "explain: reads questions from standard input, without comments, empty lines and CRs" {
    questions 0 3 <<<$'# what may be\n\nallow to 8.8.8.8 port 80\n \t \n  # more
\tdeny  to 10.0.0.1\tport "80"  # never\nto 127.0.0.1 port 1'
    [[ $output == $'allow to 8.8.8.8 port 80\n'* ]] || fail "$output" || return
    [[ $output != *'what may be'* && $output != *'# more'* ]] || fail "$output" || return
    questions 0 2 <<<$'# a comment\r\n\r\nallow to 8.8.8.8 port 80\r\ndeny to 10.0.0.1 port 80\r'
    questions 0 0 </dev/null
    questions 0 1 < <(printf 'allow to 8.8.8.8 port 80')
}

@test "explain: exits with 64 and reports the number of each line that is not a question" {
    local long
    questions 64 3 $'standard input:3: *; *\nexpected allow, *' <<<$'allow to 8.8.8.8 port 80\n
nonsense\nallow to 10.0.0.1 port 80\ndeny to 10.0.0.1 port 80'
    questions 64 1 <<<$'allow to 10.0.0.1 port 80\nnonsense'
    questions 64 1 'standard input:1: NUL byte or *' \
        < <(printf 'allow to 8.8.8.8 port 80\0\nto 8.8.8.8 port 80\n')
    questions 64 0 'standard input:1: *' < <(printf '  \0# x\n')
    printf -v long '%-1024s' 'allow to 8.8.8.8 port 80'
    explain "$long"
    questions 0 1 <<<"$long"
    no_question "$long " 'line too long'
    questions 64 1 'standard input:1: line too long; *' \
        <<<"$long "$'\nallow to 8.8.8.8 port 80'
    questions 64 0 'standard input:1: line too long; *' \
        < <(head -c 3000000 /dev/zero | tr '\0' a)
}

@test "explain: exits with 64 and an example if a question is invalid" {
    local question
    for question in '' allow 'to 8.8.8.8' 'port 80' '# to 8.8.8.8 port 80'; do
        no_question "$question" 'no destination or no port in the question; ask, for example: '
    done
    no_question 'to 8.8.8.8 port 80 "' 'quote not closed'
    for question in 'to 8.8.8.8 port '{,0,65536,http,80-81,-1,'""'} \
        'To 8.8.8.8 port 80' {'allow allow',perhaps}' to 8.8.8.8 port 80' \
        'to 8.8.8.8 port 80 deny' 'to '{'""',a..b,.example.com,127.1,0x7f000001}' port 80' \
        'to '{::1%lo,8.8.8.8:80,'[::1]',10.0.0.0/8}' port 80' \
        "to $(printf 'a%.0s' {1..64}).test port 80" "to $(printf 'abcd.%.0s' {1..60})test port 80" \
        'from '{nobody,any,10.0.0.0/8,'""',unixx,fe80::1%lo,127.1}' to 8.8.8.8 port 80' \
        'from unix:'{,root,4294967296}' to 8.8.8.8 port 80' \
        'command '{binds,1}' to 8.8.8.8 port 80' 'to 8.8.8.8 at 8.8.8.8 port 80'; do
        no_question "$question" 'cannot parse clause ".*"; ask, for example: '
    done
    # The handler ignores the port of a lookup.
    no_question 'command resolve to 8.8.8.8 port 443' \
        'a lookup has no port; ask, for example: command resolve to example.com'
    no_question 'port 443 to 8.8.8.8 command resolve' 'a lookup has no port; '
    run -64 "$STDSOCKS" -f /dev/null --explain
    run -64 "$STDSOCKS" -f /dev/null --explain to 8.8.8.8 port 80
    explain 'port 80 command connect to 8.8.8.8 user alice from 9.9.9.9'
    [[ ${lines[-1]} == allow ]]
    explain 'command resolve to 8.8.8.8'
    [[ ${lines[-1]} == allow ]]
}

@test "explain: escapes control characters of the question" {
    questions 64 1 <<<$'to \e[31m.test port 80\nuser \e]0;x\a to 8.8.8.8 port 80'
    ! grep -P '[\x00-\x08\x0b-\x1f\x7f]' <<<"$stderr$output" || fail 'control characters'
}

@test "explain: exits with 78 and no answer if the configuration has an error" {
    printf 'allow to any\nallow too any\n' >conf
    printf 'allow to any\n' >writable
    chmod o+w writable
    local file question said
    while IFS='|' read -r file question said; do
        run -78 --separate-stderr "$STDSOCKS" -f "$file" --explain "$question" \
            <<<'to 8.8.8.8 port 80'
        [[ -z $output && $stderr == *"$said"* ]] || fail "$file, $question: $output $stderr"
    done <<'END'
conf|to 8.8.8.8 port 80|conf:2: unknown clause "too"; |
conf|-|conf:2: unknown clause "too"; |
conf|nonsense|conf:2: unknown clause "too"; |
nowhere|to 8.8.8.8 port 80|nowhere|
writable|to 8.8.8.8 port 80|all users can write to it|
END
}

@test "explain: fails if a question cannot be read or an answer cannot be written" {
    local input
    for input in '</' '<&-'; do
        run --separate-stderr bash -c "\"\$STDSOCKS\" -f /dev/null --explain - $input"
        ((status != 0)) && [[ -n $stderr ]] || fail "$input: status $status $stderr" || return
    done
    # shellcheck disable=SC2016 # for the other shell
    run -71 bash -c '"$STDSOCKS" -f /dev/null --explain "to 8.8.8.8 port 80" >/dev/full'
}

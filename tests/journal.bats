#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Connections in systemctl status, journalctl and stdsocksctl log.

bats_require_minimum_version 1.5.0
load helper
load systemd/booted

prelude <<'PY'
import json, os, re, subprocess, sys

from booted import Association, BEGAN, answered, client, eventually, login, over, pid_of, record_of
from booted import records, say, served, shown, status_of, strangers, unit_of
from datagrams import udp
from socks import CHOSEN, GREETING, accept, check, escaped, listener, pattern, request
from socks import request_name
PY

@test "journal: systemctl status and systemd-cgls show the titles of live connections" {
    python_inside <<'PY'
one, upstream = served()
other, other_upstream = served()
upstream.send(pattern(121000))
one.recv(121000)
start = "stdsocks: 127.0.0.1 -> 127.0.0.1"
wanted = {f"{start}:{upstream.sock.getsockname()[1]} 121K down",
          f"{start}:{other_upstream.sock.getsockname()[1]}"}
for command in ("systemctl", "status", "stdsocks@*"), ("systemd-cgls", "-u", "stdsocks.slice"):
    titles = lambda: set(re.findall(r'-\d+ "?(stdsocks: [^"\n]*)', say(*command)))
    eventually(lambda: titles() == wanted, f"{titles()} is not {wanted}")
# The process has no privileges, and is in its sandbox.
words = status_of(pid_of(one))
check([words["Seccomp"], words["CapEff"], words["Uid"].split()[1]],
      ["2", "0" * 16, say("id", "-u", "stdsocks").strip()])
check(shown(unit_of(one), "NotifyAccess"), "none")
PY
}

@test "journal: all fields of the manual arrive, of served and of refused connections" {
    local names
    names=$(sed -n 's/^\.It Ev //p' "$ROOT/man/stdsocks.8" | tr -d ' ' | tr , '\n' |
        grep -E '^(STDSOCKS_|ERRNO|MESSAGE_ID)')
    (($(wc -l <<<"$names") >= 20))
    configure 'auth none password' 'version 4 5' 'command connect bind udp' 'timeout bind 1ms' \
        'users /etc/stdsocks/users' 'deny port 4712' 'allow to any at any'
    secrets stdsocks:stdsocks 600 alice:secret
    # shellcheck disable=SC2086 # one word each
    python_inside $names <<'PY'
seen = set()

def arrives(port, **wanted):
    """Check these fields of the record of the client with this port. Returns the record."""
    record = record_of(port)
    seen.update(record)
    check({name: record.get(name if name == "ERRNO" else f"STDSOCKS_{name}") for name in wanted},
          wanted)
    return record

with listener() as listening:
    port = listening.getsockname()[1]
    one = client()
    at = one.sock.getsockname()[1]
    one.send(login(b"alice", b"secret") + request("localhost", port))
    check(one.recv(8)[:6], b"\x05\x02\x01\x00\x05\x00")
    one.recv(6)
    upstream = accept(listening)
    pid = pid_of(one)
one.send(b"question")
upstream.recv(8)
upstream.send(b"the answer")
upstream.fin()
check(one.end(), (b"the answer", "fin"))
over((one, upstream))
record = arrives(at, CLIENT="127.0.0.1", CLIENT_PORT=str(at), USER="alice", COMMAND="CONNECT",
                 DST="localhost", DST_PORT=str(port), REACHED="127.0.0.1",
                 REPLY="0", BYTES_UP="8", BYTES_DOWN="10", END="closed", CLOSED_BY="upstream")
own = "MESSAGE_ID", "PRIORITY", "SYSLOG_IDENTIFIER", "_UID", "_PID", "_TRANSPORT"
check([record[name] for name in own],
      ["676b8ea6ab824ca18b7b99a8399ac688", "5", "stdsocks", say("id", "-u", "stdsocks").strip(),
       str(pid), "journal"])
message = (f"127.0.0.1:{at} user alice CONNECT localhost:{port} at 127.0.0.1: "
           "closed by upstream, ")
assert record["MESSAGE"].startswith(message), record
at = answered(GREETING + request("127.0.0.1", 4712), CHOSEN + b"\x05\x02")
record = arrives(at, END="refused", RULE="/etc/stdsocks/stdsocks.conf:6", REPLY="2")
assert "; to allow it: allow from 127.0.0.1 " in record["MESSAGE"], record
denied = at, int(record["_PID"]), record["MESSAGE"].partition("; to allow it: ")[2]
# The name of a user imitates a suggested rule.
at = answered(login(b"x; to allow it: allow"), b"\x05\x02\x01\x01")
record = arrives(at, END="login-failed", USER="x; to allow it: allow")
rows = [json.loads(line) for line in say("stdsocksctl", "log", "--json").splitlines()]
for port, pid, remedy in denied, (at, int(record["_PID"]), None):
    (row,) = (row for row in rows if (row["client_port"], row["pid"]) == (port, pid))
    check(row.get("remedy"), remedy)
arrives(answered(GREETING + request("127.0.0.1", 9), CHOSEN + b"\x05\x05"), END="refused",
        ERRNO="111")
arrives(answered(bytes.fromhex("04010009 7f000001") + b"bob\0", b"\0\x5b"), USERID="bob", REPLY="5")
at = answered(GREETING + request("127.0.0.1", 21, 2), CHOSEN + b"\x05\0\0\x01\x7f\0\0\x01")
arrives(at, COMMAND="BIND", BOUND="127.0.0.1", END="refused", REPLY="4")
a = Association()
at, server = a.client.sock.getsockname()[1], udp()
a.sock.sendto(b"no header", a.relay)
a.send(server, b"question")
server.sendto(b"the answer", server.recvfrom(100)[1])
check(a.recv()[2], b"the answer")
a.client.close()
arrives(at, COMMAND="UDP ASSOCIATE", BOUND="127.0.0.1", BOUND_PORT=str(a.relay[1]), BYTES_UP="8",
        BYTES_DOWN="10", DATAGRAMS_UP="1",
        DATAGRAMS_DOWN="1", DROPPED="1", DROPPED_FOR="malformed 1", END="closed",
        CLOSED_BY="client")
with open("/etc/stdsocks/stdsocks.conf", "a", encoding="ascii") as configuration:
    configuration.write("user no-such\nsandbox best-effort\n")
arrives(answered(GREETING + request("127.0.0.1", 9), CHOSEN + b"\x05\x05"),
        SANDBOX="started as root and cannot become no-such: no such user")
check({name for name in seen if name.startswith("STDSOCKS_") or name in ("ERRNO", "MESSAGE_ID")},
      set(sys.argv[1:]))
PY
}

@test "journal: the record of each of 300 simultaneous connections arrives once" {
    python_inside <<'PY'
PORT = 4713  # a closed port
clients = [client() for _ in range(300)]
for one in clients:
    one.send(GREETING + request("127.0.0.1", PORT))
ports = {str(one.sock.getsockname()[1]) for one in clients}
for one in clients:
    one.sock.settimeout(50)  # a busy machine needs some time for hundreds of processes
    check(one.recv(4), CHOSEN + b"\x05\x05")
    one.end()
    one.close()
found = records(f"STDSOCKS_DST_PORT={PORT}", count=300)
check({record["STDSOCKS_CLIENT_PORT"] for record in found}, ports)
check(len({record["_PID"] for record in found}), 300)
PY
}

@test "journal: clients without a valid greeting leave a record only with LogLevelMax=info" {
    python_inside <<'PY'
found = strangers(20)
assert len(found) <= 3, found  # on a busy machine, journald may not find the unit of a process
check(found[-1]["PRIORITY"], "5")
PY
    drop_in stdsocks@.service <<<$'[Service]\nLogLevelMax=info'
    python_inside <<'PY'
found = strangers(20)
ends = sorted(record["STDSOCKS_END"] for record in found)
check(ends, ["client-gone"] * 10 + ["not-socks5"] * 10 + ["refused"])
check([record["PRIORITY"] for record in found], ["6"] * 20 + ["5"])
rows = [json.loads(line) for line in say("stdsocksctl", "log", "--json").splitlines()]
pids = {record["_PID"] for record in found}
check(sorted(row["end"] for row in rows if str(row["pid"]) in pids), ends)
PY
}

@test "journal: journalctl finds records by one field, by several, and by one of several" {
    configure 'auth none password' 'users /etc/stdsocks/users' 'allow to any' \
        'timeout refused-login none'
    secrets stdsocks:stdsocks 600 carol:secret
    python_inside <<'PY'
clients = {
    "carol": (login(b"carol", b"secret"), b"\x05\x02\x01\x00\x05\x05"),
    "anonymous": (GREETING, b"\x05\x00\x05\x05"),
    "wrong": (login(b"carol"), b"\x05\x02\x01\x01"),
}
ports = {(name, port): str(answered(sent + request("127.0.0.1", port), reply))
         for name, (sent, reply) in clients.items() for port in (4720, 4721)}
carol, anonymous, wrong = ([(name, 4720), (name, 4721)] for name in clients)
DST_4720, DST_4721 = "STDSOCKS_DST_PORT=4720", "STDSOCKS_DST_PORT=4721"
USER, LOGIN_FAILED = "STDSOCKS_USER=carol", "STDSOCKS_END=login-failed"
uid = "_UID=" + say("id", "-u", "stdsocks").strip()
NOT_SERVED = "MESSAGE_ID=dabd9aa38022419e8b57bfe5028c7661"
for matches, expected in (
    ((USER, DST_4721), carol[1:]),
    ((USER,), carol + wrong),
    ((USER, LOGIN_FAILED), wrong),
    ((DST_4720,), [carol[0], anonymous[0]]),
    ((DST_4720, DST_4721), carol + anonymous),
    ((DST_4720, "+", LOGIN_FAILED), [carol[0], anonymous[0], *wrong]),
    (("-t", "stdsocks", NOT_SERVED, "ERRNO=111", DST_4721), [carol[1], anonymous[1]]),
    ((uid, USER, "STDSOCKS_REPLY=5"), carol),
):
    found = records(*matches, count=len(expected))
    check({record["STDSOCKS_CLIENT_PORT"] for record in found}, {ports[key] for key in expected})
check(say("journalctl", "-q", "STDSOCKS_USER=caro"), "")
PY
}

@test "journal: journalctl -x explains each kind of record with its fields filled in" {
    local kinds=()
    mapfile -t kinds < <(sed -n 's/^#define RECORD_ID_[A-Z_]* *"\([0-9a-f]*\)"$/\1/p' \
        "$ROOT/src/record/record.h")
    ((${#kinds[@]} == 3))
    changed
    python_inside "${kinds[@]}" <<'PY'
def explained(at, *lines):
    """Check that -x explains a client's record with these lines, and replaces the name of each
    field. Returns the message ID."""
    record = record_of(at)
    text = say("journalctl", "-q", "-x", BEGAN, f"STDSOCKS_CLIENT_PORT={at}")
    for line in ("Defined-By: stdsocks", "Documentation: man:stdsocks(8)", *lines):
        assert f"-- {line}" in text, f"no {line!r} in {text}"
    assert "@" not in text, text
    names = set(re.findall(r"(?<!\()\b(?:STDSOCKS_[A-Z_]+|ERRNO)\b(?!\))", text))
    assert not names, f"{names} in {text}"
    return record["MESSAGE_ID"]

one, upstream = served()
at, port = one.sock.getsockname()[1], upstream.sock.getsockname()[1]
one.send(b"12345")
upstream.recv(5)
one.close()
check(upstream.end(), (b"", "fin"))
upstream.close()
ids = [explained(at, "Subject: A SOCKS client was served",
                 "The client 127.0.0.1 requested CONNECT and was served.",
                 f"The destination was 127.0.0.1 port {port}.",
                 "5 bytes were sent to the destination and 0 bytes to the client.",
                 'The end reason is "closed"; the side that ended the connection is client.')]
at = answered(GREETING + request("127.0.0.1", 9), CHOSEN + b"\x05\x05")
ids.append(explained(at, "Subject: A SOCKS client was not served",
                     "The client 127.0.0.1 was not served.", 'The end reason is "refused"; '))
at = answered(b"\x05\x01\x02", b"\x05\xff")  # this record has few fields
check(explained(at, 'The end reason is "no-method"; '), ids[1])
os.makedirs("/run/systemd/system/stdsocks@.service.d")
with open("/run/systemd/system/stdsocks@.service.d/few.conf", "w", encoding="ascii") as drop_in:
    drop_in.write("[Service]\nLimitNOFILE=5\n")
say("systemctl", "daemon-reload")
at = answered(GREETING + request("127.0.0.1", 9), CHOSEN + b"\x05\x01")
ids.append(explained(at, "Subject: A SOCKS connection failed because of this host",
                     "stdsocks could not serve 127.0.0.1, because a system call failed, a"))
check(ids, sys.argv[1:])
PY
}

@test "journal: every byte in a user name or destination is escaped and can be searched for" {
    configure 'auth none password' 'users /etc/stdsocks/users' 'allow to any' \
        'timeout refused-login none'
    secrets stdsocks:stdsocks 600 alice:secret
    python_inside <<'PY'
every = bytes(range(256))
# No name is a valid host name, so none is looked up.
names = [every[:255], every[1:], b"\xff" * 255, b"\n" * 255, b"\0", b" \0-", b" \xff-", b" \"\\",
         b" x\nMESSAGE=forged\nPRIORITY=0\n_PID=1", b" @STDSOCKS_CLIENT@ %s%n",
         b" MESSAGE\n\x01\0\0\0\0\0\0\0x\n", "caf\u00e9 \u202e".encode(), b"\xc3\x28 \xed\xa0\x80"]
PORT = 4730
ports = {}
for name in names:
    ports["USER", name] = answered(login(name), b"\x05\x02\x01\x01")
    ports["DST", name] = answered(GREETING + request_name(name, PORT), CHOSEN + b"\x05\x04")
users = records("STDSOCKS_END=login-failed", count=len(names))
hosts = records(f"STDSOCKS_DST_PORT={PORT}", count=len(names))
for field, found in ("USER", users), ("DST", hosts):
    for record in found:
        for name, value in record.items():
            assert isinstance(value, str) and value.isascii() and value.isprintable(), (name, value)
        check(record["PRIORITY"], "5")
    check({record["STDSOCKS_CLIENT_PORT"]: record[f"STDSOCKS_{field}"] for record in found},
          {str(ports[field, name]): escaped(name) for name in names})
for record in hosts:
    fields = "STDSOCKS_END", "STDSOCKS_REPLY", "STDSOCKS_CLIENT"
    check([record[name] for name in fields], ["refused", "4", "127.0.0.1"])
    dst = record["STDSOCKS_DST"]
    text = f' CONNECT "{dst}":{PORT}: refused, host unreachable (not a host name)'
    assert text in record["MESSAGE"], record
# journalctl finds a record by the escaped name.
for name in names:
    for field, match in ("USER", "STDSOCKS_END=login-failed"), ("DST", f"STDSOCKS_DST_PORT={PORT}"):
        found = records(f"STDSOCKS_{field}={escaped(name)}", match)
        check(found[0]["STDSOCKS_CLIENT_PORT"], str(ports[field, name]))
# journalctl prints a line of printable characters for each.
text = say("journalctl", "-q", "-a", f"STDSOCKS_DST_PORT={PORT}")
assert text.isascii() and text.replace("\n", "").isprintable(), "not printable"
check(len(text.splitlines()), len(names))
assert "@STDSOCKS_CLIENT@ %s%n" in say("journalctl", "-q", "-x",
                                       "STDSOCKS_DST= @STDSOCKS_CLIENT@ %s%n")
PY
}

@test "journal: fail2ban's filter finds each failed login, and no forged address or record" {
    need fail2ban-regex
    local matches
    FAIL2BAN=$PEERS/fail2ban/usr/lib/python3/dist-packages
    export FAIL2BAN
    read -ra matches < <(sed -n 's/^#.*journalmatch="\(.*\)".*/\1/p' \
        "$ROOT/units/stdsocks.fail2ban" | sed "s/=993 /=$(inside id -u stdsocks) /")
    configure 'auth none password' 'users /etc/stdsocks/users' 'allow to any' \
        'timeout refused-login none'
    secrets stdsocks:stdsocks 600 alice:secret
    python_inside "${matches[@]}" >"$BATS_TEST_TMPDIR/journal" <<'PY'
from guesses import FORGED, NAMES
logged = f"MESSAGE={FORGED}\nSYSLOG_IDENTIFIER=stdsocks\nSTDSOCKS_END=login-failed\n"
subprocess.run(["logger", "--journald"], input=logged, text=True, check=True)
for number, name in enumerate(NAMES, 2):
    one = client(source=f"127.0.0.{number}")
    one.send(login(name))
    check(one.recv(4), b"\x05\x02\x01\x01")
    one.end()
    one.close()
answered(GREETING + request("127.0.0.1", 9), CHOSEN + b"\x05\x05")
records(*sys.argv[1:], count=len(NAMES))
print(say("journalctl", "-q", "-o", "short", BEGAN, *sys.argv[1:]))
PY
    "$PYTHON" - "$BATS_TEST_TMPDIR/journal" <<'PY'
import sys
from guesses import NAMES, banned
from socks import check
check(banned(sys.argv[1]), sorted(f"127.0.0.{number}" for number in range(2, 2 + len(NAMES))))
PY
}

@test "log --follow: shows new records through rotation and vacuuming, and ends with its reader" {
    ask() { # PORT
        local request='\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01\x00'
        inside bash -c "exec 3<>/dev/tcp/127.0.0.1/1080
            printf '$request\\x$(printf %02x "$1")' >&3; cat <&3 >/dev/null"
    }
    inside /usr/local/bin/stdsocksctl log --follow --json -n 0 >"$(log follow)" 3>&- &
    # Connects until the first record is shown.
    seen() { ask 9; grep -q '"dst_port":9,' "$(log follow)"; }
    eventually seen
    inside journalctl -q --rotate
    inside journalctl -q --vacuum-size=1
    ask 10
    wait_line "$(log follow)" '"dst_port":10,'
    kill $!
    # It ends without another record if its reader ends.
    inside bash -c '/usr/local/bin/stdsocksctl log -f -n 1 | head -n 1' | grep -q .
    inside timeout 20 bash -c \
        '/usr/local/bin/stdsocksctl log -f -n 1 2>&1 > >(head -n 1 >/dev/null); :'
}

@test "log: a user who may not read the journal gets the name of the group to join" {
    local groups
    groups=$(inside getent group systemd-journal | cut -d : -f 3)
    inside journalctl -q --sync
    become() { inside setpriv --reuid 65534 --regid 65534 "$@" 2>&1; }
    run -77 become --clear-groups /usr/local/bin/stdsocksctl log
    [[ $output == *systemd-journal* ]] || fail "$output"
    run -0 become --groups "$groups" /usr/local/bin/stdsocksctl report
    [[ $output == *connections* && $output != *systemd-journal* ]] || fail "$output"
}

#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The privileges that systemd leaves to a connection's process, as installed and with
# stdsocks-hardened.conf.

bats_require_minimum_version 1.5.0
load helper
load systemd/booted

prelude <<'PY'
import socket, struct, sys

from booted import Association, client, login, pid_of, record_of, say, served, status_of, through
from booted import works
from datagrams import at, parse_address, udp
from socks import DEADLINE_S, Endpoint, accept, check, listener, open_through, reply_of
PY

HARDENED=/usr/local/share/doc/stdsocks/stdsocks-hardened.conf

# The scores of systemd-analyze security in tenths, by systemd's version: as installed, and
# hardened.
SCORES=([252]='72 14' [257]='70 14')

# with installed|hardened [DIRECTIVE]... - configure the unit with or without the drop-in, and with
# these additional directives, until the end of the test.
with() {
    {
        [[ $1 == installed ]] || inside cat "$HARDENED"
        printf '%s\n' '[Service]' "${@:2}"
    } | drop_in stdsocks@.service
}

# in_table TEXT - print the lines with this text in the table of the cost of directives.
in_table() {
    sed -n '/<!-- from here: make bench-systemd/,/<!-- to here/p' "$ROOT/tests/bench/units.md" |
        grep -F -- "$1"
}

# has_score TENTHS - check that the score of systemd-analyze is at most TENTHS, and if EXACTLY is
# set, not less.
has_score() {
    local output analyze=(systemd-analyze security --offline=true --no-pager stdsocks@.service)
    output=$(inside "${analyze[@]}" --threshold="$1") || fail "more than $1: $output" || return
    [[ -z ${EXACTLY:-} ]] || ! inside "${analyze[@]}" --threshold=$(($1 - 1)) || fail "less than $1"
}

@test "hardening: the scores of systemd-analyze are those of its version, or of the newest" {
    local version versions scores EXACTLY=yes
    version=$(inside systemd-analyze --version | sed -n 's/^systemd \([0-9]*\).*/\1/p')
    versions=("${!SCORES[@]}")
    [[ ${SCORES[version]:-} ]] || { EXACTLY='' && version=${versions[-1]}; }
    read -ra scores <<<"${SCORES[version]}"
    has_score "${scores[0]}"
    with hardened
    has_score "${scores[1]}"
}

@test "hardening: tests/bench/units.md has the scores of its version of systemd" {
    local words='of systemd ([0-9]+),.* shipped ([0-9])\.([0-9]), hardened ([0-9])\.([0-9])[.,]'
    [[ $(in_table 'systemd-analyze security') =~ $words ]]
    [[ ${SCORES[BASH_REMATCH[1]]} == \
        "${BASH_REMATCH[2]}${BASH_REMATCH[3]} ${BASH_REMATCH[4]}${BASH_REMATCH[5]}" ]]
}

@test "hardening: tests/bench/units.md has the cost of each directive of unit and drop-in" {
    local line count=0
    while read -r line; do
        in_table "| \`${line%%=*}=" | grep -E '\| [0-9]+\.[0-9]+ \|$' ||
            fail "no row for $line" || return
        count=$((count + 1))
    done < <(grep -hE '^[A-Z][A-Za-z]*=' "$ROOT"/units/stdsocks-hardened.conf \
        "$ROOT"/units/stdsocks@.service |
        grep -vE '^(Description|Documentation|ExecStart|Standard(Input|Output|Error))=')
    ((count > 30))
}

@test "hardening: systemd-analyze verify knows every directive of the units and the drop-in" {
    with hardened
    run -0 --separate-stderr inside systemd-analyze verify --man=no stdsocks.socket
    [[ -z $stderr ]] || fail "$stderr"
}

@test "hardening: as installed, the process becomes stdsocks and keeps no capability" {
    python_inside <<'PY'
pair = served()
works(pair)
words = status_of(pid_of(pair[0]))
check(int(words["CapBnd"], 16), 1 << 2 | 1 << 6 | 1 << 7)
check([words[name] for name in ("NoNewPrivs", "Seccomp", "CapPrm", "CapEff", "CapAmb")],
      ["1", "2", "0" * 16, "0" * 16, "0" * 16])
check((words["Groups"].split(), words["Uid"].split()), ([],
                                                        [say("id", "-u", "stdsocks").strip()] * 4))
PY
}

# all_commands - check that CONNECT, UDP ASSOCIATE, BIND, RESOLVE, and CONNECT of version 4 are
# served over IPv4 and IPv6, by address and by name, with complete records.
all_commands() {
    configure 'allow to any' 'command connect bind udp resolve' 'version 4 5'
    python_inside <<'PY'
def recorded(one, *names):
    """Close a client's connection, and check its record. Returns these fields."""
    host, port = one.sock.getsockname()[:2]
    one.close()
    record = record_of(port, host=host)
    check(record["_UID"], say("id", "-u", "stdsocks").strip())
    check([record[f"STDSOCKS_{name}"] for name in ("REPLY", "END")], ["0", "closed"])
    return [record[f"STDSOCKS_{name}"] for name in names]


for here in "127.0.0.1", "::1":
    for there, host in ("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("127.0.0.1", "upstream.test"):
        one = client(here)
        upstream = through(one, host, there)
        works((one, upstream))
        one.fin()
        upstream.close()
        check(recorded(one, "CLIENT", "COMMAND", "DST", "BYTES_UP"), [here, "CONNECT", host, "11"])

for here, other in ("127.0.0.1", "::1"), ("::1", "127.0.0.1"):
    a = Association(here)
    for there in here, other:
        a.echo(udp(there), b"x" * 1000)
    server = udp()
    a.echo(server, b"x" * 1000, to=(b"upstream.test", at(server)[1]))
    port = str(a.relay[1])
    check(recorded(a.client, "COMMAND", "DST", "DST_PORT", "BOUND", "BOUND_PORT", "BYTES_UP",
                   "DATAGRAMS_UP", "BYTES_DOWN", "DATAGRAMS_DOWN", "DROPPED"),
          ["UDP ASSOCIATE", "0.0.0.0", "0", here, port, "3000", "3", "3012", "3", "0"])

for remote in "127.0.0.1", "::1":
    one = client()
    bound = parse_address(open_through(one, remote, 21, command=2)[3:])[:2]
    check(bound[0], remote)
    inbound = Endpoint(socket.create_connection(bound, DEADLINE_S))
    host, port = inbound.sock.getsockname()[:2]
    check(parse_address(reply_of(one)[3:])[:2], (host, port))
    works((one, inbound))
    one.fin()
    inbound.close()
    check(recorded(one, "COMMAND", "DST", "DST_PORT", "BOUND", "BOUND_PORT", "REACHED",
                   "REACHED_PORT", "BYTES_UP", "BYTES_DOWN"),
          ["BIND", remote, "21", remote, str(bound[1]), host, str(port), "11", "11"])

one = client()
check(open_through(one, "upstream.test", 0, command=0xF0),
      b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
check(recorded(one, "COMMAND", "DST", "REACHED"), ["RESOLVE", "upstream.test", "127.0.0.1"])

for address, name in (bytes([127, 0, 0, 1]), b""), (bytes([0, 0, 0, 1]), b"upstream.test\0"):
    with listener() as listening:
        one = client()
        port = listening.getsockname()[1]
        one.send(b"\x04\x01" + struct.pack(">H", port) + address + b"joe\0" + name)
        check(one.recv(2), b"\x00\x5a")
        one.recv(6)
        upstream = accept(listening)
    works((one, upstream))
    one.fin()
    upstream.close()
    check(recorded(one, "COMMAND", "DST", "DST_PORT", "USERID", "BYTES_UP"),
          ["CONNECT", name[:-1].decode() or "127.0.0.1", str(port), "joe", "11"])
PY
}

@test "hardening: as installed, all commands and version 4 are served and recorded" {
    all_commands
}

@test "hardening: with the drop-in, all commands and version 4 are served and recorded" {
    with hardened
    all_commands
}

@test "hardening: with the drop-in, both systemd and the process itself confine the process" {
    with hardened
    python_inside <<'PY'
pair = served()
works(pair)
pid = pid_of(pair[0])
words = status_of(pid)
check([words[name] for name in ("NoNewPrivs", "Seccomp", "CapBnd", "CapPrm")],
      ["1", "2", "0" * 16, "0" * 16])
check(words["Uid"].split(), [say("id", "-u", "stdsocks").strip()] * 4)
# The filters of two stages, and those of systemd.
assert int(words["Seccomp_filters"]) > int(status_of(1)["Seccomp_filters"]) + 2, words
with open(f"/proc/{pid}/mountinfo", encoding="ascii") as lines:
    mounts = {line.split()[4]: line.split(" - ")[0].split()[5] for line in lines}
assert mounts["/"].startswith("ro,"), mounts["/"]
for path in "/home", "/root", "/tmp", "/var/tmp", "/dev", "/proc":
    assert path in mounts, f"{path} is the host's"
PY
}

@test "hardening: the kernel can be asked for routes; without AF_NETLINK, requests are denied" {
    # asks FIELD... - send a request whose decision depends on the route. Checks its record.
    asks() {
        python_inside "$@" <<'PY'
one = client()
port = one.sock.getsockname()[1]
check(open_through(one, "203.0.113.9", 80)[1], 2)
one.close()
record = record_of(port)
check([record.get(field) for field in ("STDSOCKS_RULE", "ERRNO")],
      [word or None for word in sys.argv[1:]])
PY
    }
    configure 'allow to loopback'
    asks 'end of the rules' ''
    with hardened
    asks 'end of the rules' ''
    with hardened RestrictAddressFamilies=~AF_NETLINK
    asks '' 97
}

@test "hardening: with the drop-in, the record names the user of a client on AF_UNIX" {
    drop_in stdsocks.socket <<<$'[Socket]\nListenStream=/run/stdsocks.socket'
    with hardened
    inside systemctl restart stdsocks.socket
    inside setpriv --reuid=www-data --regid=www-data --clear-groups "$PYTHON" - <<'PY'
import socket

client = socket.socket(socket.AF_UNIX)
client.connect("/run/stdsocks.socket")
client.sendall(b"\x05\x01\x00" + b"\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x07")  # to a closed port
assert client.recv(1) == b"\x05"
while client.recv(100):
    pass
PY
    recorded() { inside journalctl -q STDSOCKS_DST_PORT=7 STDSOCKS_USER=www-data | grep .; }
    eventually recorded
}

# passwords installed|hardened - check that the right password is accepted and another one is not,
# with a passwords file, a checkpassword program and a credential.
passwords() {
    local -A file=([installed]='stdsocks:stdsocks 600' [hardened]='root:stdsocks 640')
    logs_in() {
        configure 'allow to any' 'timeout refused-login none' "$@"
        python_inside <<'PY'
for secret, answer in (b"wonderland", b"\x01\x00"), (b"looking-glass", b"\x01\x01"):
    one = client()
    one.send(login(b"alice", secret))
    check(one.recv(4), b"\x05\x02" + answer)
    one.close()
PY
    }
    with "$1"
    # shellcheck disable=SC2086 # owner and mode
    secrets ${file[$1]} alice:wonderland
    logs_in 'users /etc/stdsocks/users' || fail 'a file'
    # shellcheck disable=SC2086
    secrets ${file[$1]} "alice:$(openssl passwd -6 wonderland)"
    logs_in 'checkpassword /usr/local/bin/stdsocks-checkpassword /etc/stdsocks/users' ||
        fail 'a program'
    with "$1" LoadCredential=users:/etc/stdsocks/users
    secrets root:root 600 alice:wonderland
    logs_in 'users credential:users' || fail 'a credential'
}

@test "hardening: as installed, passwords come from a file, a credential or a program" {
    passwords installed
}

@test "hardening: with the drop-in, passwords come from a file, a credential or a program" {
    passwords hardened
}

@test "hardening: as installed, a checkpassword program runs as stdsocks" {
    put_there /opt/who <<<$'#!/bin/sh\n[ "$(id -un)" = stdsocks ]'
    inside chmod 755 /opt/who
    configure 'allow to any' 'checkpassword /opt/who'
    python_inside <<'PY'
one = client()
one.send(login(b"alice", b"any"))
check(one.recv(4), b"\x05\x02\x01\x00")
PY
}

@test "hardening: \"source mark\" needs CAP_NET_RAW, with the drop-in and without" {
    marks() { # REPLY - checks the reply to a CONNECT with "source mark"
        python_inside "$1" <<'PY'
with listener() as listening:
    check(open_through(client(), "127.0.0.1", listening.getsockname()[1])[1], int(sys.argv[1]))
PY
    }
    configure 'allow to any' 'source mark 7'
    marks 1
    with installed CapabilityBoundingSet=CAP_NET_RAW
    marks 0
    with hardened
    marks 1
    with hardened CapabilityBoundingSet=CAP_NET_RAW AmbientCapabilities=CAP_NET_RAW
    marks 0
}

#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# What systemd takes away from a connection's process, as installed and with stdsocks-hardened.conf: on one booted for it.

bats_require_minimum_version 1.5.0
load helper
load net/world
load systemd/booted

HARDENED=/usr/local/share/doc/stdsocks/stdsocks-hardened.conf
DROP_INS=/etc/systemd/system/stdsocks@.service.d

setup_file() {
    boot_file
    inside systemd-sysusers
    inside mkdir -p /etc/stdsocks
    inside sh -c 'echo 127.0.0.1 upstream.test >>/etc/hosts'
}

teardown_file() {
    stop_file
}

teardown() {
    shown_when_failed
}

# with [hardened] [DIRECTIVE] - from now on the unit is as installed, or has these drop-ins.
with() {
    inside systemctl stop stdsocks.socket
    inside rm -rf "$DROP_INS"
    inside mkdir "$DROP_INS"
    [[ ${1:-} != hardened ]] || inside install -m 644 "$HARDENED" "$DROP_INS/hardened.conf"
    [[ -z ${2:-} ]] || printf '[Service]\n%s\n' "$2" | inside tee "$DROP_INS/more.conf" >/dev/null
    inside systemctl daemon-reload
    inside systemctl start stdsocks.socket
}

# configure LINE... - of stdsocks.conf
configure() {
    printf '%s\n' 'allow to any' "$@" | inside tee /etc/stdsocks/stdsocks.conf >/dev/null
}

# secrets OWNER MODE <LINES - the file of users
secrets() {
    inside tee /etc/stdsocks/users >/dev/null
    inside chown "$1" /etc/stdsocks/users
    inside chmod "$2" /etc/stdsocks/users
}

# logs_in - alice's password is right and another one is wrong.
logs_in() {
    python_inside <<'PY'
for secret, answer in (b"wonderland", b"\x01\x00"), (b"looking-glass", b"\x01\x01"):
    one = client()
    one.send(b"\x05\x01\x02" + b"\x01\x05alice" + bytes([len(secret)]) + secret)
    check(one.recv(4), b"\x05\x02" + answer)
    one.close()
PY
}

# recorded FIELD FIELD - the journal has a record with both.
recorded() {
    inside journalctl -q -o cat "$@" | grep .
}

# in_table TEXT - it stands in the README's table of what directives cost.
in_table() {
    sed -n '/<!-- from here: make bench-systemd/,/<!-- to here/p' "$ROOT/README.md" | grep -F -- "$1"
}

# score_of WHAT - as the README says it, times ten: what --threshold takes.
score_of() {
    in_table 'systemd-analyze security' | sed -n "s/.*$1 \([0-9]*\)\.\([0-9]\)[,.].*/\1\2/p"
}

# exposed_by TENTHS - systemd-analyze finds the unit exposed by so much, and by no tenth less.
exposed_by() {
    local said analyze=(systemd-analyze security --offline=true --no-pager stdsocks@.service)
    said=$(inside "${analyze[@]}" --threshold="$1") || fail "more than $1: $said" || return
    ! inside "${analyze[@]}" --threshold=$(($1 - 1)) || fail "less than $1"
}

# need_its_systemd - the scores of another version are others.
need_its_systemd() {
    local version
    version=$(systemd-analyze --version | sed -n 's/^systemd \([0-9]*\).*/\1/p')
    in_table "security\` of systemd $version," || lacks "the README's version of systemd"
}

@test "hardening: the score of the unit as installed is the README's, exactly" {
    need_its_systemd
    with
    exposed_by "$(score_of shipped)"
}

@test "hardening: the score with the drop-in is the README's, exactly" {
    need_its_systemd
    with hardened
    exposed_by "$(score_of hardened)"
}

@test "hardening: the README has a figure for each directive of the unit and of the drop-in" {
    local line count=0
    while read -r line; do
        in_table "| \`${line%%=*}=" | grep -E '\| [0-9]+\.[0-9]+ \|$' || fail "no row for $line" || return
        count=$((count + 1))
    done < <(grep -hE '^[A-Z][A-Za-z]*=' "$ROOT"/units/stdsocks-hardened.conf "$ROOT"/units/stdsocks@.service |
        grep -vE '^(Description|Documentation|ExecStart|Standard(Input|Output|Error))=')
    ((count > 30))
}

@test "hardening: the units and the drop-in have no line that systemd does not know" {
    with hardened
    run -0 --separate-stderr inside systemd-analyze verify --man=no stdsocks.socket
    [[ -z $stderr ]] || fail "$stderr"
}

@test "hardening: as installed, the process begins with no capability but those to become another user" {
    with
    configure
    python_inside <<'PY'
one, upstream = served()
one.send(b"x")
check(upstream.recv(1), b"x")
words = status_of(pid_of(one))
check(int(words["CapBnd"], 16), 1 << 2 | 1 << 6 | 1 << 7)
check((words["CapPrm"], words["Groups"].split()), ("0" * 16, []))
check(words["Uid"].split(), [say("id", "-u", "stdsocks").strip()] * 4)
PY
}

@test "hardening: with the drop-in, clients are served over IPv4 and IPv6, by address and by name" {
    with hardened
    configure
    python_inside <<'PY'
for here in "127.0.0.1", "::1":
    for there, host in ("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("127.0.0.1", "upstream.test"):
        with listener(there) as listening:
            client = Peer(socket.create_connection((here, 1080), DEADLINE_S))
            check(open_through(client, host, listening.getsockname()[1])[:3], b"\x05\x00\x00")
            upstream = accept(listening)
        client.send(b"up")
        check(upstream.recv(2), b"up")
        upstream.send(b"down")
        check(client.recv(4), b"down")
        client.close()
        check(upstream.end(), (b"", "fin"))
        upstream.close()
PY
    eventually recorded STDSOCKS_DST=upstream.test STDSOCKS_END=closed
    [[ -z $(failed_units) ]] || fail "$(failed_units)"
}

# all_commands - UDP ASSOCIATE, BIND, RESOLVE, and CONNECT of version 4 are served, and their records say all that there is to say.
all_commands() {
    configure 'command connect bind udp resolve' 'version 4 5'
    inside systemctl reset-failed
    python_inside <<'PY'
def recorded(one, *names):
    """Of a client that has left, its record: these fields of it, among those that every one has."""
    host, port = one.sock.getsockname()[:2]
    one.close()
    ask = "journalctl", "-q", "-o", "json", f"STDSOCKS_CLIENT={host}", f"STDSOCKS_CLIENT_PORT={port}"
    eventually(lambda: say(*ask), "its record")
    record = json.loads(say(*ask))
    check(record["_UID"], say("id", "-u", "stdsocks").strip())
    check([record[f"STDSOCKS_{name}"] for name in ("REPLY", "END")], ["0", "closed"])
    return [record[f"STDSOCKS_{name}"] for name in names]


for here, other in ("127.0.0.1", "::1"), ("::1", "127.0.0.1"):
    a = Association(here)
    for there in here, other:
        a.echo(udp(there), b"x" * 1000)
    server = udp()
    a.echo(server, b"x" * 1000, to=(b"upstream.test", at(server)[1]))
    port = str(a.relay[1])
    check(recorded(a.client, "COMMAND", "DST", "DST_PORT", "BOUND", "BOUND_PORT", "BYTES_UP", "DATAGRAMS_UP", "BYTES_DOWN", "DATAGRAMS_DOWN", "DROPPED"),
          ["UDP ASSOCIATE", "0.0.0.0", "0", here, port, "3000", "3", "3012", "3", "0"])

for peer in "127.0.0.1", "::1":
    one = client()
    where = place(open_through(one, peer, 21, command=2)[3:])[:2]
    check(where[0], peer)
    caller = Peer(socket.create_connection(where, DEADLINE_S))
    host, port = caller.sock.getsockname()[:2]
    check(place(reply_of(one)[3:])[:2], (host, port))
    works((one, caller))
    one.fin()
    caller.close()
    check(recorded(one, "COMMAND", "DST", "DST_PORT", "BOUND", "BOUND_PORT", "REACHED", "REACHED_PORT", "BYTES_UP", "BYTES_DOWN"),
          ["BIND", peer, "21", peer, str(where[1]), host, str(port), "11", "11"])

one = client()
check(open_through(one, "upstream.test", 0, command=0xF0), b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
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
    check(recorded(one, "COMMAND", "DST", "DST_PORT", "USERID", "BYTES_UP"), ["CONNECT", name[:-1].decode() or "127.0.0.1", str(port), "joe", "11"])
PY
    [[ -z $(failed_units) ]] || fail "$(failed_units)"
}

@test "hardening: as installed, all commands and version 4 are served, over IPv4 and IPv6, with their records" {
    with
    all_commands
}

@test "hardening: with the drop-in, all commands and version 4 are served, over IPv4 and IPv6, with their records" {
    with hardened
    all_commands
}

@test "hardening: with the drop-in, the process is locked in by itself and by systemd" {
    with hardened
    configure
    python_inside <<'PY'
one, upstream = served()
one.send(b"x")
check(upstream.recv(1), b"x")
pid = pid_of(one)
words = status_of(pid)
check([words[name] for name in ("NoNewPrivs", "Seccomp", "CapBnd", "CapPrm")], ["1", "2", "0" * 16, "0" * 16])
check(words["Uid"].split(), [say("id", "-u", "stdsocks").strip()] * 4)
# Two stages of its own, and those of systemd.
assert int(words["Seccomp_filters"]) > int(status_of(1)["Seccomp_filters"]) + 2, words["Seccomp_filters"]
with open(f"/proc/{pid}/mountinfo", encoding="ascii") as lines:
    mounts = {line.split()[4]: line.split(" - ")[0].split()[5] for line in lines}
assert mounts["/"].startswith("ro,"), mounts["/"]
for place in "/home", "/root", "/tmp", "/var/tmp", "/dev", "/proc":
    assert place in mounts, f"{place} is the host's"
PY
}

@test "hardening: with the drop-in, a client of a Unix socket has its own name" {
    local drop_ins=/etc/systemd/system/stdsocks.socket.d
    inside mkdir -p "$drop_ins"
    printf '[Socket]\nListenStream=/run/stdsocks.socket\n' | inside tee "$drop_ins/unix.conf" >/dev/null
    with hardened
    configure
    inside setpriv --reuid=www-data --regid=www-data --clear-groups "$PYTHON" - <<'PY'
import socket

client = socket.socket(socket.AF_UNIX)
client.connect("/run/stdsocks.socket")
client.sendall(b"\x05\x01\x00" + b"\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x07")  # nothing listens there
assert client.recv(1) == b"\x05"
while client.recv(100):
    pass
PY
    eventually recorded STDSOCKS_DST_PORT=7 STDSOCKS_USER=www-data
    inside rm -r "$drop_ins"
}

@test "hardening: with the drop-in, passwords are read from a file that stdsocks can read" {
    with hardened
    configure 'users /etc/stdsocks/users'
    secrets root:stdsocks 640 <<<alice:wonderland
    logs_in
}

@test "hardening: with the drop-in, passwords are read from a credential" {
    with hardened LoadCredential=users:/etc/stdsocks/users
    configure 'users credential:users'
    secrets root:root 600 <<<alice:wonderland
    logs_in
}

@test "hardening: with the drop-in, a checkpassword program runs" {
    with hardened
    configure 'checkpassword /usr/local/bin/stdsocks-checkpassword /etc/stdsocks/users'
    secrets root:stdsocks 640 <<<"alice:$(openssl passwd -6 wonderland)"
    logs_in
}

@test "hardening: as installed, passwords are read from a file that only stdsocks can read" {
    with
    configure 'users /etc/stdsocks/users'
    secrets stdsocks:stdsocks 600 <<<alice:wonderland
    logs_in
}

@test "hardening: as installed, passwords are read from a credential" {
    with '' LoadCredential=users:/etc/stdsocks/users
    configure 'users credential:users'
    secrets root:root 600 <<<alice:wonderland
    logs_in
}

@test "hardening: as installed, a checkpassword program is not root either" {
    with
    inside tee /opt/who >/dev/null <<'END'
#!/bin/sh
[ "$(id -un)" = stdsocks ]
END
    inside chmod 755 /opt/who
    configure 'checkpassword /opt/who'
    python_inside <<'PY'
one = client()
one.send(b"\x05\x01\x02" + b"\x01\x05alice\x03any")
check(one.recv(4), b"\x05\x02\x01\x00")
PY
}

# marks - a connection with a mark is served, or answered with the reply of number $1.
marks() {
    python_inside "$1" <<'PY'
with listener() as listening:
    check(open_through(client(), "127.0.0.1", listening.getsockname()[1])[1], int(sys.argv[1]))
PY
}

@test "hardening: a mark takes one more capability, with the drop-in and without" {
    configure 'source mark 7'
    with
    marks 1
    with '' CapabilityBoundingSet=CAP_NET_ADMIN
    marks 0
    with hardened
    marks 1
    with hardened $'CapabilityBoundingSet=CAP_NET_ADMIN\nAmbientCapabilities=CAP_NET_ADMIN'
    marks 0
}

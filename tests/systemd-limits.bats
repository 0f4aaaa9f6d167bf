#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The limits of one connection and of all of them, and the drop-ins.

load helper
load systemd/booted

prelude <<'PY'
import os, select, signal, socket, subprocess

from booted import Association, answered, client, configure, eventually, instances, login, over
from booted import pid_of, record_of, say, served, shown, through, unit_of, works
from datagrams import UDP_ASSOCIATE, at, parse_address, udp
from socks import CHOSEN, DEADLINE_S, GREETING, Endpoint, accept, check, dial, listener
from socks import open_through
from socks import pattern, request

def attacked(*answers):
    """A client whose checker exceeds a limit gets one of these answers, and two other connections
    still work. Returns these two."""
    others = [served() for _ in range(2)]
    configure("checkpassword /etc/stdsocks/checker")
    one = client()
    one.send(login(b"mallory"))
    answer = one.end()[0]
    assert answer in answers, answer
    for pair in others:
        works(pair)
    return others
PY

export BATS_TEST_TIMEOUT=180
# shellcheck disable=SC2034 # booted.bash reads it
CALLS=(bpf)
DROP_INS=/usr/local/share/doc/stdsocks/drop-ins

# need_limits - skip the test if the container cannot limit memory and processes.
need_limits() {
    inside sh -c 'cd /sys/fs/cgroup && { test -w memory/memory.limit_in_bytes &&
        test -w pids/tasks || grep -qw memory cgroup.controllers; }' 2>/dev/null ||
        lacks 'write permission for cgroups of memory and pids'
}

@test "systemd limits: MaxConnectionsPerSource= counts the live connections of an address" {
    inside sed 's/^#\(MaxConnectionsPerSource\)=.*/\1=3/' $DROP_INS/connections.conf |
        drop_in stdsocks.socket
    python_inside <<'PY'
pairs = [served() for _ in range(3)]
check(client().end(), (b"", "fin"))
works(served("127.0.0.2"))
# Connections that have ended or were killed are not counted.
units = [unit_of(pair[0]) for pair in pairs]
over(pairs[0])
say("systemctl", "kill", "--signal=KILL", units[1])
eventually(lambda: not {*units[:2]} & {*instances()}, "two units end")
pairs = [pairs[2], served(), served()]
for pair in pairs:
    works(pair)
check(client().end(), (b"", "fin"))
PY
}

@test "systemd limits: each connection has its limits, and its slice has limits for all of them" {
    python_inside <<'PY'
pair = served()
unit = unit_of(pair[0])
check([shown(unit, name) for name in ("MemoryMax", "TasksMax", "OOMScoreAdjust", "Slice")],
      [str(64 << 20), "16", "500", "stdsocks.slice"])
with open(f"/proc/{pid_of(pair[0])}/oom_score_adj", encoding="ascii") as score:
    check(score.read(), "500\n")
with open(f"/proc/{pid_of(pair[0])}/cgroup", encoding="ascii") as groups:
    assert f"/stdsocks.slice/{unit}\n" in groups.read()
for name in "MemoryHigh", "MemoryMax", "TasksMax":
    assert shown("stdsocks.slice", name).isdigit(), name
PY
}

# checker <SCRIPT - write a checkpassword program.
checker() {
    changed
    put_there /etc/stdsocks/checker
    inside chmod 755 /etc/stdsocks/checker
}

@test "systemd limits: a connection that runs out of memory ends alone" {
    need_limits
    checker <<'END'
#!/usr/bin/python3
enough = bytearray(200 << 20)
END
    python_inside <<'PY'
attacked(b"\5\2", b"\5\2\1\1")
configure("")
PY
    # The handler itself gets too little memory to start.
    drop_in stdsocks@.service <<<$'[Service]\nMemoryMax=100K'
    python_inside <<<'check(client().end()[0], b"")'
    drop_in_none stdsocks@.service
    python_inside <<<'works(served())'
}

@test "systemd limits: a connection gets 16 processes, and all of them end with it" {
    need_limits
    checker <<'END'
#!/usr/bin/python3
import os
import time

pids = []
try:
    while len(pids) < 100:
        if not (pid := os.fork()):
            os.setsid()
            time.sleep(600)
        pids.append(str(pid))
except BlockingIOError:
    pass
print(*pids, file=open("/dev/shm/pids", "w", encoding="ascii"))
os._exit(1)
END
    python_inside <<'PY'
others = attacked(b"\5\2\1\1")
eventually(lambda: len(instances()) == 2, "its unit ends")
with open("/dev/shm/pids", encoding="ascii") as file:
    pids = file.read().split()
check(len(pids), 16 - 2)  # the handler, and the program itself
check([pid for pid in pids if os.path.exists(f"/proc/{pid}")], [])
for pair in others:
    works(pair)
PY
}

# associates [LINE]... - serve UDP ASSOCIATE with these lines in the unit and a name server that
# never answers, until the end of the test.
associates() {
    configure 'allow to any at any' 'command udp'
    inside sh -c 'echo nameserver 127.0.0.1 >/etc/resolv.conf'
    printf '%s\n' '[Service]' "$@" | drop_in stdsocks@.service
}

@test "systemd limits: an association goes on and counts drops while lookups use all descriptors" {
    need_limits
    associates LimitNOFILE=14
    inside sh -c 'echo options timeout:2 attempts:1 >>/etc/resolv.conf'
    python_inside <<'PY'
silent_server, server = udp("127.0.0.1", 53), udp()
a = Association()
pid, port = pid_of(a.client), at(server)[1]
descriptors = lambda: len(os.listdir(f"/proc/{pid}/fd"))
a.echo(server, to=(b"upstream.test", port))
check(descriptors(), 10)
for number in range(4):
    a.send((b"silent%d.test" % number, port))
eventually(lambda: descriptors() == 14, "two lookups")
a.echo(server)
a.echo(server, to=(b"upstream.test", port))
eventually(lambda: descriptors() == 10, "the lookups without an answer end")
a.send((b"silent4.test", port))
eventually(lambda: descriptors() == 12, "a lookup")
a.echo(server)
port = a.client.sock.getsockname()[1]
a.client.close()
check(record_of(port, "COMMAND", "END", "DROPPED_FOR", "DATAGRAMS_DOWN"),
      ["UDP ASSOCIATE", "closed", "unresolved 5", "4"])
PY
}

@test "systemd limits: an association needs one process, also for names" {
    need_limits
    associates TasksMax=1
    python_inside <<'PY'
silent_server, server = udp("127.0.0.1", 53), udp()
a = Association()
a.send((b"silent.test", 9))
check(silent_server.recv(512)[12:25], b"\x06silent\x04test\0")
a.echo(server, to=(b"upstream.test", at(server)[1]))
PY
}

@test "systemd limits: a fully loaded association needs at most a quarter of its memory limit" {
    need_limits
    associates
    python_inside <<'PY'
silent_server = udp("127.0.0.1", 53)
a = Association()
unit, pid = unit_of(a.client), pid_of(a.client)
servers = udp(), udp("::1")
sources = [a.echo(server) for server in servers]
for number in range(1024):  # the maximum of destinations
    a.send((f"127.1.{number >> 8}.{number & 255}", 9))
for _ in range(20):  # fills all its sockets in both directions
    os.kill(pid, signal.SIGSTOP)
    for server, source in zip(servers, sources):
        for _ in range(40):
            a.send(server, bytes(60000))
            server.sendto(bytes(60000), source)
    os.kill(pid, signal.SIGCONT)
    for sock in a.sock, *servers:
        while select.select([sock], [], [], 0.05)[0]:
            sock.recv(1 << 17)
idle = len(os.listdir(f"/proc/{pid}/fd"))
for number in range(64):
    a.send((b"silent%d.test" % number, 9), bytes(60000))
    a.echo(servers[0])
check(len(os.listdir(f"/proc/{pid}/fd")), idle + 128)
group = shown(unit, "ControlGroup")
paths = (f"/sys/fs/cgroup/memory{group}/memory.max_usage_in_bytes",
         f"/sys/fs/cgroup{group}/memory.peak")
(peak,) = (int(open(path, encoding="ascii").read()) for path in paths if os.path.exists(path))
assert 1 << 20 < peak < 16 << 20, peak
a.client.close()
PY
}

@test "systemd limits: a Unix socket beside the port serves the members of its group" {
    inside cat $DROP_INS/unix.conf | drop_in stdsocks.socket
    inside systemctl restart stdsocks.socket
    configure 'allow user root from unix to any' 'allow from loopback to any'
    python_inside <<'PY'
one = dial("/run/stdsocks.socket")
works((one, through(one)))
works(served())
check(say("stat", "-c", "%a %U %G", "/run/stdsocks.socket"), "660 root stdsocks\n")
PY
    inside systemctl stop stdsocks.socket
    inside test ! -e /run/stdsocks.socket
    inside systemctl start stdsocks.socket
}

@test "systemd limits: a client on AF_VSOCK is served by rules without a client" {
    inside "$PYTHON" - 2>/dev/null <<'PY' || skip 'missing: vsock_loopback in this kernel'
import socket
with socket.socket(socket.AF_VSOCK) as one, socket.socket(socket.AF_VSOCK) as two:
    one.bind((1, socket.VMADDR_PORT_ANY)); one.listen(); two.connect(one.getsockname())
PY
    # CID 1 is this host.
    inside sed 's/vsock::/vsock:1:/' $DROP_INS/vsock.conf | drop_in stdsocks.socket
    inside systemctl restart stdsocks.socket
    python_inside <<'PY'
one = Endpoint.__new__(Endpoint)
one.sock = socket.socket(socket.AF_VSOCK)
one.sock.settimeout(DEADLINE_S)
one.sock.connect((1, 1080))
works((one, through(one)))
PY
    recorded() { inside journalctl -q STDSOCKS_CLIENT=other STDSOCKS_END=closed | grep other; }
    eventually recorded
}

@test "systemd limits: systemd-analyze verify accepts every drop-in" {
    local name
    changed
    inside mkdir -p /run/systemd/system/stdsocks.socket.d /run/systemd/system/stdsocks@.service.d \
        /run/systemd/system/stdsocks-prefork.service.d
    for name in connections shared-address unix vsock; do
        inside cp $DROP_INS/$name.conf /run/systemd/system/stdsocks.socket.d/
    done
    for name in addresses credentials; do
        inside cp $DROP_INS/$name.conf /run/systemd/system/stdsocks@.service.d/
    done
    for name in prefork-connections prefork-shared-address prefork-tcp; do
        inside cp $DROP_INS/$name.conf /run/systemd/system/stdsocks-prefork.service.d/
    done
    for name in $(inside ls $DROP_INS); do
        inside sh -c "ls /run/systemd/system/*/$name" >/dev/null ||
            fail "$name is not tested" || return
    done
    run inside systemd-analyze verify --man=no stdsocks.socket stdsocks-prefork.socket
    echo "$output"
    ((status == 0)) && [[ -z $output ]]
}

# need_bpf - skip the test if units cannot count bytes and filter addresses.
need_bpf() {
    inside systemd-run --quiet --property=IPAccounting=yes --unit=counted sleep 5
    [[ $(inside systemctl show -p IPIngressBytes --value counted) =~ ^[0-9]+$ ]] ||
        lacks 'BPF for cgroups'
    inside systemctl stop counted
}

@test "systemd limits: IPAddressAllow= of the service filters destinations, IPAccounting= counts" {
    need_bpf
    inside sed 's/^IPAddressAllow=.*/IPAddressAllow=127.0.0.1/' $DROP_INS/addresses.conf |
        drop_in stdsocks@.service
    python_inside <<'PY'
pair = served()
unit = unit_of(pair[0])
before = int(shown(unit, "IPEgressBytes")), int(shown(unit, "IPIngressBytes"))
pair[0].send(pattern(1 << 20))
check(pair[1].recv(1 << 20), pattern(1 << 20))
pair[1].send(pattern(1 << 10))
check(pair[0].recv(1 << 10), pattern(1 << 10))
after = int(shown(unit, "IPEgressBytes")), int(shown(unit, "IPIngressBytes"))
assert 1 << 20 <= after[0] - before[0] < 5 << 19, (before, after)
assert 1 << 10 <= after[1] - before[1] < 1 << 20, (before, after)
# The relay socket belongs to the service, so the filter applies to datagrams of clients, too. A
# handler keeps connecting after its client has gone, so the connect timeout is short.
configure("command connect udp\ntimeout connect 1s\nallow to any at any")
a = Association()
a.echo(udp())
a.client.close()
with socket.create_connection(("127.0.0.1", 1080), DEADLINE_S, ("127.0.0.2", 0)) as one:
    a.client, a.sock = Endpoint(one), udp("127.0.0.2")
    a.relay = parse_address(open_through(a.client, "0.0.0.0", 0, command=UDP_ASSOCIATE)[3:])[:2]
    server = udp()
    a.send(server)
    assert not select.select([server], [], [], 0.5)[0], "a client's datagram has passed"
# Another destination is not reached, although the rules allow it.
with listener("127.0.0.2") as listening:
    one = client()
    one.send(GREETING + request(*listening.getsockname()))
    check(one.recv(4)[:2], CHOSEN)
    listening.settimeout(0.5)
    try:
        listening.accept()
        raise AssertionError("127.0.0.2 was reached")
    except TimeoutError:
        pass
PY
}

@test "systemd limits: IPAddressAllow= of the socket filters clients, IPAccounting= counts" {
    need_bpf
    inside sed 's/^IPAddressAllow=.*/IPAddressAllow=127.0.0.1/; s/^\[Service]/[Socket]/' \
        $DROP_INS/addresses.conf |
        drop_in stdsocks.socket
    inside systemctl restart stdsocks.socket
    python_inside <<'PY'
pair = served()
before = int(shown("stdsocks.socket", "IPIngressBytes"))
pair[0].send(pattern(1 << 20))
check(pair[1].recv(1 << 20), pattern(1 << 20))
after = int(shown("stdsocks.socket", "IPIngressBytes"))
assert 1 << 20 <= after - before < 5 << 19, (before, after)
try:
    socket.create_connection(("127.0.0.1", 1080), 0.5, ("127.0.0.2", 0))
    raise AssertionError("127.0.0.2 can connect")
except TimeoutError:
    pass
PY
}

@test "systemd limits: credentials, also encrypted ones, are readable by no other user" {
    secrets root:root 600 alice:secret
    configure 'users credential:users' 'allow to any'
    logs_in() {
        python_inside <<'PY'
with listener() as listening:
    one = client()
    one.send(login(b"alice", b"secret") + request(*listening.getsockname()))
    check(one.recv(6), b"\5\2\1\0\5\0")
    upstream = accept(listening)
folder = f"/run/credentials/{unit_of(one)}"
check(os.listdir(folder), ["users"])
for user in "nobody", "stdsocks":
    assert subprocess.run(["setpriv", f"--reuid={user}", "--clear-groups", "cat",
                           f"{folder}/users"], capture_output=True).returncode
answered(login(b"alice"), b"\5\2\1\1")
PY
    }
    inside cat $DROP_INS/credentials.conf | drop_in stdsocks@.service
    logs_in
    drop_in_none stdsocks@.service
    inside systemd-creds encrypt --with-key=host --name=users /etc/stdsocks/users \
        /etc/stdsocks/users.cred
    inside rm /etc/stdsocks/users
    inside sed '/^LoadCredential=/d; s/^#\(LoadCredentialEncrypted\)/\1/' \
        $DROP_INS/credentials.conf |
        drop_in stdsocks@.service
    logs_in
}

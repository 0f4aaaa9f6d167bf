#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# What make install has installed, on a real systemd that was booted for it.

load helper
load net/world
load systemd/booted

setup_file() {
    boot_file
    # As the README has it.
    inside systemd-sysusers
    inside systemctl daemon-reload
    inside journalctl --update-catalog
    inside systemctl start stdsocks.socket
    inside mkdir -p /etc/stdsocks
    echo 'allow to any' | inside tee /etc/stdsocks/stdsocks.conf >/dev/null
}

teardown_file() {
    stop_file
}

teardown() {
    shown_when_failed
}

@test "systemd: a client is served over IPv4 and over IPv6" {
    python_inside <<'PY'
for host in "127.0.0.1", "::1":
    with listener() as listening:
        client = Peer(socket.create_connection((host, 1080), DEADLINE_S))
        open_through(client, "127.0.0.1", listening.getsockname()[1])
        upstream = accept(listening)
        client.send(b"up")
        check(upstream.recv(2), b"up")
        upstream.send(b"down")
        check(client.recv(4), b"down")
        client.close()
        upstream.close()
PY
}

@test "systemd: an instance is the user stdsocks, locked in, and a line of systemctl" {
    python_inside <<'PY'
one, upstream = served()
one.send(b"x")
check(upstream.recv(1), b"x")
(unit,) = instances()
assert unit.endswith(f"-127.0.0.1:1080-127.0.0.1:{one.sock.getsockname()[1]}.service"), unit
pid = say("systemctl", "show", "--property=MainPID", "--value", unit).strip()
with open(f"/proc/{pid}/status", encoding="ascii") as lines:
    words = dict(line.rstrip("\n").split(":\t", 1) for line in lines)
check([words[name] for name in ("NoNewPrivs", "Seccomp", "CapPrm", "CapEff", "CapAmb")], ["1", "2", "0" * 16, "0" * 16, "0" * 16])
check(words["Uid"].split(), [say("id", "-u", "stdsocks").strip()] * 4)
one.close()
upstream.close()
PY
}

@test "systemd: no failed unit is left when clients go early, reset, or send rubbish" {
    python_inside <<'PY'
for n in range(60):
    one = client()
    if n % 3 == 0:
        one.reset()
    elif n % 3 == 1:
        one.send(b"GET / HTTP/1.1\r\n\r\n")
        check(one.end()[0], b"\x05\xff")
        one.close()
    else:
        one.close()
PY
    none_runs() { [[ -z $(inside systemctl list-units --plain --no-legend 'stdsocks@*') ]]; }
    eventually none_runs
    [[ -z $(failed_units) ]] || fail "$(failed_units)"
}

@test "systemd: a burst of a thousand connections leaves the socket listening, and all are answered" {
    python_inside <<'PY'
clients = [client() for _ in range(1000)]
for one in clients:
    one.send(GREETING)
for one in clients:
    one.sock.settimeout(50)  # a busy machine takes its time for a thousand processes
    check(one.recv(2), CHOSEN)
    one.close()
PY
    inside systemctl is-active --quiet stdsocks.socket
    [[ -z $(failed_units) ]] || fail "$(failed_units)"
}

@test "systemd: killing one connection ends it and no other" {
    python_inside <<'PY'
pairs = [served() for _ in range(3)]
port = pairs[1][0].sock.getsockname()[1]
(unit,) = (unit for unit in instances() if unit.endswith(f":{port}.service"))
say("systemctl", "kill", "--signal=KILL", unit)
check([end.end()[0] for end in pairs[1]], [b"", b""])
for one, upstream in pairs[0], pairs[2]:
    one.send(b"still")
    check(upstream.recv(5), b"still")
    one.close()
    upstream.close()
PY
    [[ -z $(failed_units) ]] || fail "$(failed_units)"
}

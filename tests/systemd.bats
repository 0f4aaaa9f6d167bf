#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The installed units under systemd.

load helper
load systemd/booted

prelude <<'PY'
import contextlib, json, os, re, socket, struct, sys, threading

from booted import answered, client, configure, eventually, instances, over, pid_of, record_of, say
from booted import served, shown, unit_of, works
from socks import CHOSEN, GREETING, accept, check, meanwhile, pattern, request, request_name
PY

export BATS_TEST_TIMEOUT=600 # two thousand processes, on a busy machine
export WAIT_S=60

# The container has no BPF, for which PID 1 would fork at each accept and take twice the time.

@test "systemd: an instance is named after both addresses of its connection" {
    python_inside <<'PY'
one, upstream = served()
works((one, upstream))
port = one.sock.getsockname()[1]
assert unit_of(one).endswith(f"-127.0.0.1:1080-127.0.0.1:{port}.service"), unit_of(one)
PY
}

@test "systemd: without a configuration file the built-in rules deny loopback" {
    changed
    inside rm /etc/stdsocks/stdsocks.conf
    python_inside <<'PY'
port = answered(GREETING + request("127.0.0.1", 9), CHOSEN + b"\x05\x02")
end, rule = record_of(port, "END", "RULE")
assert end == "refused" and "built-in" in rule, (end, rule)
PY
}

@test "systemd: no failed unit is left by clients that close early, reset or send garbage" {
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
}

@test "systemd: a connection leaves one record in the journal and no message of PID 1" {
    python_inside <<'PY'
def lines(name, value):
    # With a match on the command line, journalctl omits the first entry after the cursor.
    output = say("journalctl", "--quiet", "--output=json", f"--after-cursor={cursor}")
    entries = map(json.loads, output.splitlines())
    return [entry["MESSAGE"] for entry in entries if entry.get(name) == value]

cursor = say("journalctl", "--lines=0", "--show-cursor").split("-- cursor: ")[1].strip()
for _ in range(20):
    over(served())
records = lambda: lines("SYSLOG_IDENTIFIER", "stdsocks")
eventually(lambda: len(records()) >= 20 and not instances(), "20 records")
say("journalctl", "--sync")
check(len(records()), 20)
check([line for line in lines("_PID", "1") if "stdsocks@" in line], [])
PY
}

@test "systemd: a client that is gone before PID 1 accepts leaves nothing, and the next is served" {
    kill -STOP "$(leader)"
    python_inside <<'PY'
for n in range(100):
    one = client()
    if n % 2:
        one.send(GREETING)
    one.reset()
PY
    kill -CONT "$(leader)"
    python_inside <<<'works(served())'
}

@test "systemd: a handler that is killed or crashes ends alone and leaves no core dump" {
    # Core dumps are enabled: another program leaves one.
    drop_in stdsocks@.service <<<$'[Service]\nLimitCORE=infinity\nWorkingDirectory=/tmp'
    inside systemd-run --quiet --wait --property=LimitCORE=infinity \
        --property=WorkingDirectory=/tmp \
        --unit=control sh -c 'kill -SEGV $$$$' || true # systemd replaces $$ by $
    eventually inside journalctl -q --grep=code=dumped,.status=11/SEGV -u control
    inside systemctl reset-failed
    local signals=(KILL ABRT SEGV)
    ! sanitized || signals=(KILL ABRT) # a sanitizer handles SIGSEGV
    python_inside "${signals[@]}" <<'PY'
for name in sys.argv[1:]:
    pairs = [served() for _ in range(3)]
    unit = unit_of(pairs[1][0])
    say("systemctl", "kill", f"--signal={name}", unit)
    check([end.end()[0] for end in pairs[1]], [b"", b""])
    for pair in pairs[0], pairs[2]:
        works(pair)
        over(pair)
    pattern = r"code=(\w+), status=\d+/(\w+)"
    ended = eventually(lambda: re.search(pattern, say("journalctl", "-q", "-u", unit)),
                       f"SIG{name}")
    check(ended.groups(), ("killed", name))
PY
}

# Takes over 5 s: 100 connections keep PID 1 busy during three installations.
@test "systemd: an upgrade breaks none of 100 transfers, and new connections run the new program" {
    # Each installation makes a new file, and daemon-reexec restarts PID 1.
    upgrade() {
        make -s -C "$ROOT" -o all BUILD="${STDSOCKS%/stdsocks}" DESTDIR="/proc/$(leader)/root" \
            install >/dev/null
        inside systemctl "$1"
    }
    local transfers output line how
    exec {output}< <(
        python_inside 2>&1 3>&- <<'PY'
import itertools

PIECE = pattern(1 << 14)
upgraded = threading.Event()

def send(source):
    while not upgraded.wait(0.05):  # limits the load of 100 transfers
        source.send(PIECE)
    source.fin()

def receive(target):
    """Check all pieces up to FIN."""
    count = 0
    while target.sock.recv(1, socket.MSG_PEEK):
        check(target.recv(len(PIECE)), PIECE)
        count += 1
    assert count > 1, count

def inode(pid):
    return os.stat(f"/proc/{pid}/exe").st_ino

pairs = [served() for _ in range(100)]
first = pid_of(pairs[0][0])
old = inode(first)
with contextlib.ExitStack() as transfers:
    for ends in pairs:
        for end, function in itertools.product(ends, (send, receive)):
            transfers.enter_context(meanwhile(function, end))
    print("transferring", flush=True)
    while not os.path.exists("/run/upgraded"):
        pair = served()  # connections during the upgrade are served
        works(pair)
        over(pair)
    pair = served()
    check(inode(pid_of(pair[0])), os.stat("/usr/local/bin/stdsocks").st_ino)
    check(inode(first), old)
    assert old != os.stat("/usr/local/bin/stdsocks").st_ino
    upgraded.set()
PY
    )
    transfers=$!
    read -r line <&"$output" || true # fails if the script has ended
    [[ $line == transferring ]] || fail "$line$(cat <&"$output")"
    for how in daemon-reload daemon-reexec daemon-reload; do
        upgrade "$how"
    done
    inside touch /run/upgraded
    wait "$transfers" || fail "$(cat <&"$output")"
}

# Takes over 5 s: 2,000 is the limit of the installed socket, and PID 1 starts 500 processes a
# second. All clients have one address, of which the socket permits 500 connections.
@test "systemd: 2,000 simultaneous connections are served, and one more is refused until one ends" {
    [[ $(inside systemctl show --property MaxConnectionsPerSource --value stdsocks.socket) == 500 ]]
    inside cat /usr/local/share/doc/stdsocks/drop-ins/shared-address.conf | drop_in stdsocks.socket
    INSIDE_S=560 python_inside <<'PY'
import resource

resource.setrlimit(resource.RLIMIT_NOFILE, (10000, 10000))
COUNT = 2000
LONG_S = 250
with socket.create_server(("127.0.0.1", 0), backlog=COUNT) as listening:
    listening.settimeout(LONG_S)
    clients = []
    for n in range(COUNT):
        one = client()
        one.sock.settimeout(LONG_S)
        one.send(GREETING + request("127.0.0.1", listening.getsockname()[1]))
        clients.append(one)
    for one in clients:
        check(one.recv(5), CHOSEN + b"\x05\x00\x00")
        one.recv(7)
    # Each client sends its number, and gets an answer that depends on it.
    for n, one in enumerate(clients):
        one.send(struct.pack(">I", n))
    upstreams = {}
    for _ in clients:
        upstream = accept(listening)
        (n,) = struct.unpack(">I", upstream.recv(4))
        assert n not in upstreams
        upstreams[n] = upstream
        upstream.send(struct.pack(">I", n * 3))
    for n, one in enumerate(clients):
        check(one.recv(4), struct.pack(">I", n * 3))
check(shown("stdsocks.socket", "NConnections"), str(COUNT))
check(client().end(), (b"", "fin"))
check(shown("stdsocks.socket", "NRefused"), "1")
# After one has ended, another is served.
over((clients.pop(), upstreams.pop(COUNT - 1)))
eventually(lambda: shown("stdsocks.socket", "NConnections") == str(COUNT - 1), "one ends")
works(served())
works((clients[0], upstreams[0]))
# All end at once, and the journal gets all records with their fields.
port = upstreams[0].sock.getsockname()[1]
for one in clients + list(upstreams.values()):
    one.close()
eventually(lambda: shown("stdsocks.socket", "NConnections") == "0", "all end", LONG_S)
say("journalctl", "--sync")
records = say("journalctl", "--quiet", "--output=cat", "--output-fields=STDSOCKS_END",
              f"STDSOCKS_DST_PORT={port}", "STDSOCKS_REPLY=0")
check(len(records.splitlines()), COUNT)
PY
}

# unpacked PACKAGE... - copy packages that tests/deps has unpacked to the container, or skip the
# test.
unpacked() {
    local package
    for package; do
        [[ -d $PEERS/$package ]] || lacks "$package" || return
        tar -C "$PEERS/$package" -c . |
            inside tar -C / -x --keep-directory-symlink --no-same-owner || return
    done
}

@test "systemd: the stub of systemd-resolved gives all names of a zone their addresses" {
    unpacked libsystemd-shared systemd-resolved nsd
    changed
    python_inside <<'PY'
from zone import NSD_CONF, Zone, addresses, plain

RESOLVE = 0xF0
UNITS = "systemd-resolved.service", "nsd-test.service"


def resolved(name):
    """Returns the address that RESOLVE finds, or the reply."""
    one = client()
    one.send(GREETING + request_name(name.encode(), 0, RESOLVE))
    check(one.recv(2), CHOSEN)
    reply = one.recv(4)
    size = {1: 4, 4: 16}[reply[3]]
    found = socket.inet_ntop(socket.AF_INET if size == 4 else socket.AF_INET6, one.recv(size))
    one.close()
    return plain(found) if reply[1] == 0 else reply[1]


def put(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


zone = Zone()
put("/run/zone", zone.text())
put("/run/nsd.conf", NSD_CONF.format(address="127.0.0.2"))
put("/run/systemd/resolved.conf.d/test.conf",
    "[Resolve]\nDNS=127.0.0.2\nFallbackDNS=\nDNSSEC=no\nLLMNR=no\nMulticastDNS=no\n"
    "ResolveUnicastSingleLabel=yes\n")
put("/etc/resolv.conf", "nameserver 127.0.0.53\n")
say("systemd-sysusers", "--inline", 'u systemd-resolve - "systemd-resolved"')
say("systemctl", "daemon-reload")
say("systemd-run", f"--unit={UNITS[1]}", "/usr/sbin/nsd", "-d", "-c", "/run/nsd.conf")
# Without another interface than lo, it sends no queries.
say("ip", "link", "add", "link0", "type", "veth", "peer", "name", "link1")
say("ip", "address", "add", "192.0.2.1/32", "dev", "link0")
for name in "link0", "link1":
    say("ip", "link", "set", name, "up")
say("systemctl", "start", UNITS[0])
configure("command connect resolve")
eventually(lambda: resolved("here4.test") == "127.0.0.1", "nsd answers")
check(zone.explained_wrong("/usr/local/bin/stdsocks"), [])
for name in zone.names[::10]:
    wanted = addresses(zone.wanted.get(name, ()))
    found = resolved(name)
    assert found in wanted if wanted else found == 4, (name, found, wanted)
say("systemctl", "stop", *UNITS)
say("ip", "link", "delete", "link0")
PY
}

# leaves_nothing bats|boot - boot a container, kill bats or boot, and check that nothing is left.
leaves_nothing() {
    local folder=$BATS_TEST_TMPDIR/$1 boot booted_folder name
    local -A pids
    mkdir "$folder"
    export BOOTED=$folder/booted
    BATS_FILE_TMPDIR=$folder bash -c 'source "$1/helper.bash"; source "$1/systemd/booted.bash"
        boot_file; exec sleep 60' - "$ROOT/tests" 3>&- &
    pids[bats]=$!
    disown # bash shall not report its end
    eventually booted
    pids[boot]=$(cat "$BOOTED.boot")
    booted_folder=$(head -n 1 "$BOOTED.log")
    name=${booted_folder##*/}
    leftovers() {
        compgen -G "$booted_folder" || compgen -G "/sys/fs/cgroup/*/$name" ||
            compgen -G "/sys/fs/cgroup/$name"
    }
    [[ $booted_folder && $(leftovers) ]]
    kill -KILL "${pids[$1]}"
    # shellcheck disable=SC2317 # eventually calls it
    ended() { ! grep -qs boot "/proc/${pids[boot]}/cmdline" && [[ -z $(leftovers) ]]; }
    eventually ended
    kill -KILL "${pids[bats]}" 2>/dev/null || true
}

@test "systemd: the booted test system leaves nothing behind if bats or boot is killed" {
    local bats boot
    leaves_nothing bats &
    bats=$!
    leaves_nothing boot &
    boot=$!
    wait "$bats"
    wait "$boot"
}

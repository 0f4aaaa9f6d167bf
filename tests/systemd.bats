#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# What make install has installed, on a real systemd that was booted for it.

load helper
load systemd/booted

prelude <<'PY'
import contextlib, json, os, re, socket, struct, sys, threading

from booted import asked, client, eventually, instances, over, pid_of, record_of, say, served
from booted import shown, unit_of, works
from socks import CHOSEN, GREETING, accept, check, meanwhile, pattern, request
PY

export BATS_TEST_TIMEOUT=600 # two thousand processes, on a busy machine
export WAIT_S=60

# Without BPF: for the sake of it PID 1 forks at each accept, which takes twice the time.

@test "systemd: an instance is a line of systemctl, named after both ends of its connection" {
    python_inside <<'PY'
one, upstream = served()
works((one, upstream))
assert unit_of(one).endswith(f"-127.0.0.1:1080-127.0.0.1:{one.sock.getsockname()[1]}.service"), unit_of(one)
PY
}

@test "systemd: without a configuration file the built-in rules decide, and none of them allows loopback" {
    changed
    inside rm /etc/stdsocks/stdsocks.conf
    python_inside <<'PY'
port = asked(GREETING + request("127.0.0.1", 9), CHOSEN + b"\x05\x02")
end, rule = record_of(port, "END", "RULE")
assert end == "refused" and "built-in" in rule, (end, rule)
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
}

@test "systemd: a connection is one record in the journal, and PID 1 says nothing of it" {
    python_inside <<'PY'
def lines(name, value):
    # With a match of journalctl's own, the first one after the cursor is left out.
    said = say("journalctl", "--quiet", "--output=json", f"--after-cursor={cursor}")
    return [entry["MESSAGE"] for entry in map(json.loads, said.splitlines()) if entry.get(name) == value]

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

@test "systemd: a client that has gone before PID 1 looks leaves nothing behind, and the next one is served" {
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

@test "systemd: one that is killed, crashes or aborts ends alone, without a core dump" {
    # So that there would be one, as there is of a program that does not mind.
    drop_in stdsocks@.service <<<$'[Service]\nLimitCORE=infinity\nWorkingDirectory=/tmp'
    inside systemd-run --quiet --wait --property=LimitCORE=infinity --property=WorkingDirectory=/tmp \
        --unit=control sh -c 'kill -SEGV $$$$' || true # systemd's way to write $$
    eventually inside journalctl -q --grep=code=dumped,.status=11/SEGV -u control
    inside systemctl reset-failed
    local signals=(KILL ABRT SEGV)
    ! sanitized || signals=(KILL ABRT) # a sanitizer catches the other one
    python_inside "${signals[@]}" <<'PY'
for name in sys.argv[1:]:
    pairs = [served() for _ in range(3)]
    unit = unit_of(pairs[1][0])
    say("systemctl", "kill", f"--signal={name}", unit)
    check([end.end()[0] for end in pairs[1]], [b"", b""])
    for pair in pairs[0], pairs[2]:
        works(pair)
        over(pair)
    ended = eventually(lambda: re.search(r"code=(\w+), status=\d+/(\w+)", say("journalctl", "-q", "-u", unit)), f"the end by {name}")
    check(ended.groups(), ("killed", name))
PY
}

# This takes longer than 5 s: a hundred connections keep PID 1 busy while it is installed anew three times.
@test "systemd: an upgrade under a hundred transfers breaks none of them, and those that come are of the new one" {
    # Each of three is a new file, and for daemon-reexec PID 1 is, too.
    upgrade() {
        make -s -C "$ROOT" -o all BUILD="${STDSOCKS%/stdsocks}" DESTDIR="/proc/$(leader)/root" install >/dev/null
        inside systemctl "$1"
    }
    local transfers said line how
    exec {said}< <(
        python_inside 2>&1 3>&- <<'PY'
import itertools

PIECE = pattern(1 << 14)
upgraded = threading.Event()

def send(source):
    while not upgraded.wait(0.05):  # a hundred of them leave the machine something to do
        source.send(PIECE)
    source.fin()

def receive(sink):
    """Pieces, until it is over; each in its place."""
    count = 0
    while sink.sock.recv(1, socket.MSG_PEEK):
        check(sink.recv(len(PIECE)), PIECE)
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
        pair = served()  # none that comes meanwhile is lost
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
    read -r line <&"$said" || true # nothing if the script has ended
    [[ $line == transferring ]] || fail "$line$(cat <&"$said")"
    for how in daemon-reload daemon-reexec daemon-reload; do
        upgrade "$how"
    done
    inside touch /run/upgraded
    wait "$transfers" || fail "$(cat <&"$said")"
}

# This takes longer than 5 s: it is the limit that the socket is installed with, and PID 1 starts 500 processes a second.
@test "systemd: 2,000 connections at a time, come at once, are served, one more is refused, and then the next is served" {
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
    # Each one's number, and back what only its own upstream can know.
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
# One ends, and there is room.
over((clients.pop(), upstreams.pop(COUNT - 1)))
eventually(lambda: shown("stdsocks.socket", "NConnections") == str(COUNT - 1), "an end")
works(served())
works((clients[0], upstreams[0]))
# All at once: the journal gets all records, and no field is missing, as where it is said in another way.
where = upstreams[0].sock.getsockname()[1]
for one in clients + list(upstreams.values()):
    one.close()
eventually(lambda: shown("stdsocks.socket", "NConnections") == "0", "the end of all", LONG_S)
say("journalctl", "--sync")
records = say("journalctl", "--quiet", "--output=cat", "--output-fields=STDSOCKS_END", f"STDSOCKS_DST_PORT={where}", "STDSOCKS_REPLY=0")
check(len(records.splitlines()), COUNT)
PY
}

# leaves_nothing bats|boot - of a system that was booted, and whose bats or boot is killed, nothing is left.
leaves_nothing() {
    local folder=$BATS_TEST_TMPDIR/$1 boot place
    local -A pids
    mkdir "$folder"
    export BOOTED=$folder/booted
    BATS_FILE_TMPDIR=$folder bash -c 'source "$1/helper.bash"; source "$1/systemd/booted.bash"; boot_file; exec sleep 60' \
        - "$ROOT/tests" 3>&- &
    pids[bats]=$!
    disown # its end is no news
    eventually booted
    pids[boot]=$(cat "$BOOTED.boot")
    place=$(head -n 1 "$BOOTED.log")
    places() { compgen -G "$place" || compgen -G "/sys/fs/cgroup/*/${place##*/}" || compgen -G "/sys/fs/cgroup/${place##*/}"; }
    [[ $place && $(places) ]]
    kill -KILL "${pids[$1]}"
    # shellcheck disable=SC2317 # eventually calls it
    ended() { ! grep -qs boot "/proc/${pids[boot]}/cmdline" && [[ -z $(places) ]]; }
    eventually ended
    kill -KILL "${pids[bats]}" 2>/dev/null || true
}

@test "systemd: the booted system ends and leaves nothing if bats is killed, and if boot is killed" {
    local bats boot
    leaves_nothing bats &
    bats=$!
    leaves_nothing boot &
    boot=$!
    wait "$bats"
    wait "$boot"
}

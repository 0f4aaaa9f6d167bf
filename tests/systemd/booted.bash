# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# A booted systemd for a whole suite: boot_file in setup_file, stop_file in teardown_file, inside COMMAND in between.

# boot_file - boot, and wait until all that was to start has started; or say why that cannot be.
boot_file() {
    need systemd-nspawn nsenter setpriv || return
    ((EUID == 0)) || lacks 'root' || return
    export BOOTED=$BATS_FILE_TMPDIR/booted
    # The end of bats, even a violent one, is the end of all that is booted.
    setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc \
        "$ROOT/tests/systemd/boot" "${STDSOCKS%/stdsocks}" >"$BOOTED.log" 2>&1 3>&- &
    echo $! >"$BOOTED.unshare"
    disown # its end is no news
    eventually inside systemctl is-active --quiet booted.target || { cat "$BOOTED.log"; return 1; }
}

stop_file() {
    [[ ! -s $BOOTED.unshare ]] || kill -KILL "$(cat "$BOOTED.unshare")" 2>/dev/null || true
}

# leader - the PID of the booted systemd, as seen from here: nspawn's child, and that is unshare's.
leader() {
    local nspawn
    nspawn=$(cat "/proc/$(cat "$BOOTED.unshare")/task/"*/children 2>/dev/null)
    [[ $nspawn ]] && cut -d ' ' -f 1 "/proc/${nspawn%% *}/task/${nspawn%% *}/children" 2>/dev/null
}

# inside COMMAND... - run it there.
inside() {
    local pid
    pid=$(leader)
    [[ $pid ]] || return 1
    nsenter --target "$pid" --all -- "$@"
}

# python_inside <SCRIPT - with socks.py and what stands below at hand, and 80 seconds, there.
python_inside() {
    {
        cat <<'END'
from socks import *


def say(*command):
    """What a command says, which succeeds."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def instances():
    return [line.split()[0] for line in say("systemctl", "list-units", "--plain", "--no-legend", "stdsocks@*").splitlines()]


def client():
    return Peer(socket.create_connection(("127.0.0.1", 1080), DEADLINE_S))


def served():
    """A client whose connection stands, and the upstream's end of it."""
    with listener() as listening:
        one = client()
        open_through(one, "127.0.0.1", listening.getsockname()[1])
        return one, accept(listening)
END
        cat
    } | inside timeout 80 env PYTHONPATH=/opt/stdsocks-tests "$PYTHON" - "$@"
}

# failed_units - none, is what is wanted.
failed_units() {
    inside systemctl --failed --no-legend --plain
}

# shown_when_failed - what the booted system has to say.
shown_when_failed() {
    [[ -n ${BATS_TEST_COMPLETED:-} ]] || inside journalctl --no-pager -n 60 || cat "$BOOTED.log"
}

# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# Starts a test in a world of its own: a machine within the machine, whose network leads nowhere.

# need_world - skip the test where there can be no world.
need_world() {
    need ip unshare
    ((EUID == 0)) || lacks 'root' || return
    [[ -e $BATS_FILE_TMPDIR/can-unshare ]] || unshare --net --mount --pid --fork true 2>/dev/null ||
        lacks 'permission to unshare namespaces' || return
    : >"$BATS_FILE_TMPDIR/can-unshare"
}

# need_wire - skip the test where packets cannot be taken in hand.
need_wire() {
    [[ -c /dev/net/tun ]] || lacks '/dev/net/tun'
}

# world <SCRIPT - run the script as PID 1 of new network, mount and PID namespaces, with all of
# socks.py and world.py at hand, and $WORLD_S seconds, 60 if that is not set. When it ends, nothing of its world is left: no
# process, no network, no mount.
world() {
    {
        echo 'from socks import *'
        echo 'from world import *'
        cat
    } >"$BATS_TEST_TMPDIR/script.py"
    # Compiled once a run, outside the tree.
    PYTHONPATH=$TOOLS:$ROOT/tests/net PYTHONDONTWRITEBYTECODE='' PYTHONPYCACHEPREFIX=$BATS_RUN_TMPDIR/compiled \
        STDSOCKS=$STDSOCKS WORLD=$BATS_TEST_TMPDIR timeout --kill-after=1 "${WORLD_S:-60}" \
        unshare --net --mount --pid --fork --kill-child --mount-proc "$PYTHON" -S "$BATS_TEST_TMPDIR/script.py"
}

# wired <SCRIPT - world, with a name server's code at hand, and "wire" to a far network.
wired() {
    need_wire || return
    {
        echo 'from dns import Server'
        echo 'from wire import Wire, drop, icmp'
        echo 'wire = Wire()'
        cat
    } | world
}

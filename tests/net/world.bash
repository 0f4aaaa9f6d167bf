# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# Starts a test in a world of its own: a machine within the machine, whose network leads nowhere.

# The namespaces of a world. A user who is not root becomes root of a user namespace, which has the
# subordinate user ids of that user (subuid(5)), so that handlers can become the user stdsocks there.
NAMESPACES=(--net --mount --pid --fork --kill-child --mount-proc)
((EUID == 0)) || NAMESPACES+=(--map-root-user --map-auto)

# need_world - skip the test where there can be no world.
need_world() {
    need ip unshare
    [[ -e $BATS_FILE_TMPDIR/can-unshare ]] || unshare "${NAMESPACES[@]}" true 2>/dev/null ||
        lacks 'permission to unshare namespaces (users other than root need subordinate user ids)' || return
    : >"$BATS_FILE_TMPDIR/can-unshare"
}

# need_wire - skip the test where packets cannot be taken in hand.
need_wire() {
    [[ -c /dev/net/tun && -w /dev/net/tun ]] || lacks 'write permission for /dev/net/tun'
}

# world <SCRIPT - run the script behind the prelude as PID 1 of new network, mount and PID namespaces, for at
# most $WORLD_S seconds (60). When it ends, nothing of its world is left: no process, no network, no mount.
world() {
    {
        echo 'import world' # makes the world
        printf '%s\n' "${PRELUDE-}"
        cat
    } >"$BATS_TEST_TMPDIR/script.py"
    # Compiled once a run, outside the tree.
    PYTHONPATH=$TOOLS:$ROOT/tests/net PYTHONDONTWRITEBYTECODE='' PYTHONPYCACHEPREFIX=$BATS_RUN_TMPDIR/compiled \
        STDSOCKS=$STDSOCKS WORLD=$BATS_TEST_TMPDIR timeout --kill-after=1 "${WORLD_S:-60}" \
        unshare "${NAMESPACES[@]}" "$PYTHON" -S "$BATS_TEST_TMPDIR/script.py"
}

# wired <SCRIPT - world, where a device for packets is needed.
wired() {
    need_wire || return
    world
}

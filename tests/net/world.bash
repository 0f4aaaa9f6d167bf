# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# Runs a test's script in a "world": network, mount and PID namespaces without a route to outside.

# A user other than root becomes root of a user namespace with the subordinate user ids of that user
# (subuid(5)), so that handlers can become the user stdsocks.
NAMESPACES=(--net --mount --pid --fork --kill-child --mount-proc)
((EUID == 0)) || NAMESPACES+=(--map-root-user --map-auto)

# need_world - skip the test if namespaces cannot be created.
need_world() {
    need ip unshare
    [[ -e $BATS_FILE_TMPDIR/can-unshare ]] || unshare "${NAMESPACES[@]}" true 2>/dev/null ||
        lacks 'permission to unshare namespaces (other users than root need subordinate user ids)' \
            ||
        return
    : >"$BATS_FILE_TMPDIR/can-unshare"
}

# need_wire - skip the test if TUN devices cannot be opened.
need_wire() {
    [[ -c /dev/net/tun && -w /dev/net/tun ]] || lacks 'write permission for /dev/net/tun'
}

# world <SCRIPT - run the prelude and the script as PID 1 of new network, mount and PID namespaces,
# for at most $WORLD_S seconds (60). Its processes, network and mounts end with it.
world() {
    {
        echo 'import world' # sets the namespaces up
        printf '%s\n' "${PRELUDE-}"
        cat
    } >"$BATS_TEST_TMPDIR/script.py"
    # The modules are compiled once a run, outside the tree.
    PYTHONPATH=$TOOLS:$ROOT/tests/net PYTHONDONTWRITEBYTECODE='' \
        PYTHONPYCACHEPREFIX=$BATS_RUN_TMPDIR/compiled STDSOCKS=$STDSOCKS PEERS=$PEERS \
        WORLD=$BATS_TEST_TMPDIR \
        timeout --kill-after=1 "${WORLD_S:-60}" \
        unshare "${NAMESPACES[@]}" "$PYTHON" -S "$BATS_TEST_TMPDIR/script.py"
}

# wired <SCRIPT - as world, for a script that opens a TUN device.
wired() {
    need_wire || return
    world
}

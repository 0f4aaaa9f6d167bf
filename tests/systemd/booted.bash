# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# A booted systemd for a whole suite: "inside COMMAND" runs a command there. A suite that loads this file has it booted,
# with stdsocks.socket listening on port 1080; the array CALLS holds system calls that are possible there, too, and the
# array CONFIGURATION the lines of stdsocks.conf at the start of each test.

CALLS=()
CONFIGURATION=('allow to any')

setup_file() {
    boot_and_start
}

# can_boot - setup_file cannot skip tests, so it does nothing if not; then setup skips each.
can_boot() {
    ((EUID == 0)) && type -p systemd-nspawn nsenter setpriv >/dev/null
}

setup() {
    need systemd-nspawn nsenter setpriv || return
    need_root
}

boot_and_start() {
    can_boot || return 0
    boot_file "${CALLS[@]}" || return
    inside systemd-sysusers
    inside journalctl --update-catalog
    configure "${CONFIGURATION[@]}"
    inside systemctl daemon-reload
    inside systemctl start stdsocks.socket
}

teardown_file() {
    stop_file
}

# After each test all connections end, nothing has failed, and what the test has configured is taken back.
teardown() {
    local status=0
    [[ -s ${BOOTED:-}.boot ]] || return 0
    [[ -z ${BATS_TEST_COMPLETED:-} ]] || all_well || status=1
    [[ -n ${BATS_TEST_COMPLETED:-}${BATS_TEST_SKIPPED:-} && $status == 0 ]] || shown
    if [[ -e $BATS_TEST_TMPDIR/changed ]]; then
        configure "${CONFIGURATION[@]}"
        # shellcheck disable=SC2016 # for the shell inside
        inside sh -c 'cd /run/systemd/system
            changed=$(ls -d stdsocks*.d 2>/dev/null) || exit 0
            rm -r $changed
            systemctl daemon-reload
            systemctl reset-failed
            case $changed in *stdsocks.socket.d*) systemctl restart stdsocks.socket ;; esac'
    fi
    return $status
}

# boot_file [CALL]... - boot, where these system calls are possible, too, and wait until all that was to start has started; or say why that cannot be.
boot_file() {
    export BOOTED=$BATS_FILE_TMPDIR/booted
    # The end of bats, even a violent one, is the end of all that is booted.
    setpriv --pdeathsig TERM "$ROOT/tests/systemd/boot" "${STDSOCKS%/stdsocks}" "$@" >"$BOOTED.log" 2>&1 3>&- &
    echo $! >"$BOOTED.boot"
    disown # its end is no news
    eventually booted || { cat "$BOOTED.log"; return 1; }
    leader >"$BOOTED.leader"
}

booted() {
    inside systemctl is-active --quiet booted.target 2>/dev/null
}

# stop_file - end the booted system, and fail if a part of it stays.
stop_file() {
    [[ -s ${BOOTED:-}.boot ]] || return 0
    kill -TERM "$(cat "$BOOTED.boot")" 2>/dev/null || true # it may have failed
    WAIT_S=90 eventually test ! -e "/proc/$(cat "$BOOTED.boot")" || return
    ! grep 'left behind' "$BOOTED.log"
}

# leader - the PID of the booted systemd, as seen from here: the last child of boot is unshare, then come boot again,
# which becomes nspawn, and its child.
leader() {
    local pid pids
    pid=$(cat "$BOOTED.boot")
    for _ in unshare nspawn systemd; do
        read -ra pids < <(cat "/proc/$pid/task/"*/children 2>/dev/null)
        ((${#pids[@]})) || return
        pid=${pids[-1]}
    done
    echo "$pid"
}

# inside COMMAND... - run it there.
inside() {
    local pid
    pid=$(cat "$BOOTED.leader" 2>/dev/null || leader)
    [[ $pid ]] || return 1
    # Not the umask of a run that measures coverage: a configuration that others can write to is refused.
    (umask 022 && exec nsenter --target "$pid" --all -- "$@")
}

# put_there PATH <TEXT - a file there, and the folders that it takes.
put_there() {
    inside install -D -m 644 /dev/stdin "$1"
}

# changed - there is something to be taken back after the test; a variable would not leave the subshell of a pipe.
changed() {
    [[ -z ${BATS_TEST_TMPDIR:-} ]] || : >"$BATS_TEST_TMPDIR/changed"
}

# configure LINE... - the lines of stdsocks.conf, for the connections that come from now on, to the end of the test.
configure() {
    changed
    printf '%s\n' "$@" | put_there /etc/stdsocks/stdsocks.conf
}

# secrets OWNER MODE LINE... - the file of users, /etc/stdsocks/users
secrets() {
    printf '%s\n' "${@:3}" | put_there /etc/stdsocks/users
    inside chown "$1" /etc/stdsocks/users
    inside chmod "$2" /etc/stdsocks/users
}

# drop_in UNIT <TEXT - the only drop-in of stdsocks.socket or stdsocks@.service, to the end of the test.
drop_in() {
    changed
    put_there "/run/systemd/system/$1.d/test.conf"
    inside systemctl daemon-reload
}

drop_in_none() {
    inside rm -rf "/run/systemd/system/$1.d"
    inside systemctl daemon-reload
}

# python_inside <SCRIPT - run the script behind the prelude there, for at most $INSIDE_S seconds (80).
python_inside() {
    {
        printf '%s\n' "${PRELUDE-}"
        cat
    } | inside timeout "${INSIDE_S:-80}" env PATH="/usr/local/bin:$PATH" PYTHONDONTWRITEBYTECODE= PYTHONPATH=/opt/stdsocks-tests "$PYTHON" - "$@"
}

# all_well - the socket listens, nobody is connected, and nothing has failed.
all_well() {
    eventually none_runs || return
    inside systemctl is-active --quiet stdsocks.socket || fail 'the socket does not listen' || return
    nothing_failed
}

none_runs() {
    [[ -z $(inside systemctl list-units --plain --no-legend 'stdsocks*@*') ]]
}

nothing_failed() {
    local units
    units=$(inside systemctl --failed --no-legend --plain)
    [[ -z $units ]] || fail "failed: $units"
}

# shown - what the booted system has to say: the end of it is shown, all of it is kept.
shown() {
    local kept=$BUILT/failed/${BATS_TEST_FILENAME##*/}.$BATS_TEST_NUMBER
    mkdir -p "$kept"
    cp "$BOOTED.log" "$kept/console"
    inside journalctl --no-pager -o short-precise >"$kept/journal" || true
    inside systemctl --no-pager --all list-units >"$kept/units" || true
    printf -- '--- journal; all of it, the console and the units are in %s\n' "$kept"
    tail -n 60 "$kept/journal"
}

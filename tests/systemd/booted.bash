# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# Boots a container with systemd for a suite that loads this file, with the unit SOCKET listening on
# port 1080. "inside COMMAND" runs a command in it. The array CALLS has additional system calls for
# it, and the array CONFIGURATION the lines of stdsocks.conf at the start of each test.

SOCKET=stdsocks.socket
CALLS=()
CONFIGURATION=('allow to any')

setup_file() {
    boot_and_start
}

# can_boot - succeed if containers can be booted. If not, setup_file does nothing, and setup
# skips each test.
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
    inside systemd-tmpfiles --create /usr/local/lib/tmpfiles.d/stdsocks.conf
    inside journalctl --update-catalog
    configure "${CONFIGURATION[@]}"
    inside systemctl daemon-reload
    inside systemctl start "$SOCKET"
}

teardown_file() {
    stop_file
}

# After each test, all connections must end and no unit may have failed. Its configuration is
# undone.
teardown() {
    local status=0
    [[ -s ${BOOTED:-}.boot ]] || return 0
    [[ -z ${BATS_TEST_COMPLETED:-} ]] || is_clean || status=1
    [[ -n ${BATS_TEST_COMPLETED:-}${BATS_TEST_SKIPPED:-} && $status == 0 ]] || show_logs
    if [[ -e $BATS_TEST_TMPDIR/changed ]]; then
        configure "${CONFIGURATION[@]}"
        # shellcheck disable=SC2016 # for the shell in the container
        inside sh -c 'cd /run/systemd/system
            changed=$(ls -d stdsocks*.d 2>/dev/null) || exit 0
            rm -r $changed
            systemctl daemon-reload
            systemctl reset-failed
            case $changed in *.socket.d*) systemctl restart "$1" ;; esac' - "$SOCKET"
    fi
    return $status
}

# boot_file [CALL]... - boot the container and wait until it has started. On an error, print
# the console.
boot_file() {
    export BOOTED=$BATS_FILE_TMPDIR/booted
    # The container ends if bats is killed.
    setpriv --pdeathsig TERM "$ROOT/tests/systemd/boot" "${STDSOCKS%/stdsocks}" "$@" \
        >"$BOOTED.log" 2>&1 3>&- &
    echo $! >"$BOOTED.boot"
    disown # bash shall not report its end
    eventually booted || { cat "$BOOTED.log"; return 1; }
    leader >"$BOOTED.leader"
}

booted() {
    inside systemctl is-active --quiet booted.target 2>/dev/null
}

# stop_file - end the container, and fail if it leaves anything behind.
stop_file() {
    [[ -s ${BOOTED:-}.boot ]] || return 0
    kill -TERM "$(cat "$BOOTED.boot")" 2>/dev/null || true # it may have failed
    WAIT_S=90 eventually test ! -e "/proc/$(cat "$BOOTED.boot")" || return
    ! grep 'left behind' "$BOOTED.log"
}

# leader - print the PID of the container's systemd: the last child of boot is unshare, its child
# executes nspawn, and the child of that is systemd.
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

# inside COMMAND... - run a command in the container.
inside() {
    local pid
    pid=$(cat "$BOOTED.leader" 2>/dev/null || leader)
    [[ $pid ]] || return 1
    # "make coverage" sets a umask with which the configuration would be refused.
    (umask 022 && exec nsenter --target "$pid" --all -- "$@")
}

# put_there PATH <TEXT - write a file in the container, and create its directories.
put_there() {
    inside install -D -m 644 /dev/stdin "$1"
}

# changed - make teardown undo the configuration. It is a file because a variable would not leave
# the subshell of a pipe.
changed() {
    [[ -z ${BATS_TEST_TMPDIR:-} ]] || : >"$BATS_TEST_TMPDIR/changed"
}

# configure LINE... - write stdsocks.conf, until the end of the test.
configure() {
    changed
    printf '%s\n' "$@" | put_there /etc/stdsocks/stdsocks.conf
}

# secrets OWNER MODE LINE... - write the passwords file, /etc/stdsocks/users.
secrets() {
    printf '%s\n' "${@:3}" | put_there /etc/stdsocks/users
    inside chown "$1" /etc/stdsocks/users
    inside chmod "$2" /etc/stdsocks/users
}

# drop_in UNIT <TEXT - write the only drop-in of a unit of stdsocks, until the end of the test.
drop_in() {
    changed
    put_there "/run/systemd/system/$1.d/test.conf"
    inside systemctl daemon-reload
}

drop_in_none() {
    inside rm -rf "/run/systemd/system/$1.d"
    inside systemctl daemon-reload
}

# python_inside <SCRIPT - run the prelude and the script in the container, for at most $INSIDE_S
# seconds (80).
python_inside() {
    {
        printf '%s\n' "${PRELUDE-}"
        cat
    } | inside timeout "${INSIDE_S:-80}" env PATH="/usr/local/bin:$PATH" \
        PYTHONDONTWRITEBYTECODE='' PYTHONPATH=/opt/stdsocks-tests "$PYTHON" - "$@"
}

# is_clean - succeed if the socket listens, no connection is left and no unit has failed.
is_clean() {
    eventually none_runs || return
    inside systemctl is-active --quiet "$SOCKET" || fail 'the socket is not active' || return
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

# show_logs - print the end of the container's journal, and keep all of it, the console and the
# units.
show_logs() {
    local kept=$BUILT/failed/${BATS_TEST_FILENAME##*/}.$BATS_TEST_NUMBER
    mkdir -p "$kept"
    cp "$BOOTED.log" "$kept/console"
    inside journalctl --no-pager -o short-precise >"$kept/journal" || true
    inside systemctl --no-pager --all list-units >"$kept/units" || true
    printf -- '--- journal; the whole journal, the console and the units are in %s\n' "$kept"
    tail -n 60 "$kept/journal"
}

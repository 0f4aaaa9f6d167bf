# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# A booted systemd for a whole suite: boot_file in setup_file, stop_file in teardown_file, inside COMMAND in between.

# boot_file [CALL]... - boot, where these system calls are possible, too, and wait until all that was to start has started; or say why that cannot be.
boot_file() {
    need systemd-nspawn nsenter setpriv || return
    ((EUID == 0)) || lacks 'root' || return
    export BOOTED=$BATS_FILE_TMPDIR/booted
    # The end of bats, even a violent one, is the end of all that is booted.
    setpriv --pdeathsig TERM "$ROOT/tests/systemd/boot" "${STDSOCKS%/stdsocks}" "$@" >"$BOOTED.log" 2>&1 3>&- &
    echo $! >"$BOOTED.boot"
    disown # its end is no news
    eventually booted || { cat "$BOOTED.log"; return 1; }
}

booted() {
    inside systemctl is-active --quiet booted.target 2>/dev/null
}

# stop_file - end the booted system, and fail if a part of it stays.
stop_file() {
    [[ -s $BOOTED.boot ]] || return 0
    kill -TERM "$(cat "$BOOTED.boot")" 2>/dev/null || true # it may have failed
    WAIT_S=90 eventually test ! -e "/proc/$(cat "$BOOTED.boot")"
    ! grep 'left behind' "$BOOTED.log"
}

# children PID
children() {
    cat "/proc/$1/task/"*/children 2>/dev/null
}

# leader - the PID of the booted systemd, as seen from here: the last child of boot is unshare, then come boot again,
# which becomes nspawn, and its child.
leader() {
    local pid pids
    pid=$(cat "$BOOTED.boot")
    for _ in unshare nspawn systemd; do
        read -ra pids < <(children "$pid")
        ((${#pids[@]})) || return
        pid=${pids[-1]}
    done
    echo "$pid"
}

# inside COMMAND... - run it there.
inside() {
    local pid
    pid=$(leader)
    [[ $pid ]] || return 1
    # Not the umask of a run that measures coverage: a configuration that others can write to is refused.
    (umask 022 && nsenter --target "$pid" --all -- "$@")
}

# serve_there - as the README has it: port 1080, and everybody may go everywhere.
serve_there() {
    inside systemd-sysusers
    inside systemctl daemon-reload
    inside journalctl --update-catalog
    inside systemctl start stdsocks.socket
    put_there /etc/stdsocks/stdsocks.conf <<<'allow to any'
}

# put_there PATH <TEXT - a file there, and the folders that it takes.
put_there() {
    inside mkdir -p "${1%/*}"
    inside tee "$1" >/dev/null
}

# drop_in UNIT <TEXT - one drop-in of a unit, from now on; drop_in_none UNIT takes it away again.
drop_in() {
    put_there "/run/systemd/system/$1.d/test.conf"
    inside systemctl daemon-reload
}

drop_in_none() {
    inside rm -rf "/run/systemd/system/$1.d"
    inside systemctl daemon-reload
}

# python_inside <SCRIPT - with socks.py and booted.py at hand, and $INSIDE_S seconds, 80 if that is not set, there.
python_inside() {
    {
        echo 'from socks import *'
        echo 'from booted import *'
        cat
    } | inside timeout "${INSIDE_S:-80}" env PYTHONPATH=/opt/stdsocks-tests "$PYTHON" - "$@"
}

none_runs() {
    [[ -z $(inside systemctl list-units --plain --no-legend 'stdsocks@*') ]]
}

# all_well - the socket listens, nobody is connected, and nothing has failed.
all_well() {
    eventually none_runs || return
    inside systemctl is-active --quiet stdsocks.socket || fail 'the socket does not listen' || return
    [[ -z $(failed_units) ]] || fail "failed: $(failed_units)"
}

# failed_units - none, is what is wanted.
failed_units() {
    inside systemctl --failed --no-legend --plain
}

# shown_when_failed - what the booted system has to say: the end of it is shown, all of it is kept.
shown_when_failed() {
    [[ -z ${BATS_TEST_COMPLETED:-} && -z ${BATS_TEST_SKIPPED:-} ]] || return 0
    local kept=$BUILT/failed/${BATS_TEST_FILENAME##*/}.$BATS_TEST_NUMBER
    mkdir -p "$kept"
    cp "$BOOTED.log" "$kept/console"
    inside journalctl --no-pager -o short-precise >"$kept/journal" || true
    inside systemctl --no-pager --all list-units >"$kept/units" || true
    printf -- '--- journal; all of it, the console and the units are in %s\n' "$kept"
    tail -n 60 "$kept/journal"
}

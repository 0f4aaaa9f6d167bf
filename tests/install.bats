#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# What make install puts where, and that what it puts there is right.

bats_require_minimum_version 1.5.0
load helper

# make_into FOLDER TARGET [VARIABLE=VALUE]... - with the build that is being tested.
make_into() {
    local folder=$1
    shift
    make -C "$ROOT" --no-print-directory BUILD="${STDSOCKS%/stdsocks}" DESTDIR="$folder" "$@" 3>&-
}

installed_files() {
    (cd "$1" && find . -type f -printf '%m %p\n' | sort -k 2)
}

setup() {
    PLACE=$BATS_TEST_TMPDIR/root
}

@test "install: every file is where it belongs, with its mode" {
    make_into "$PLACE" -o all install
    diff <(installed_files "$PLACE") - <<'END'
755 ./usr/local/bin/stdsocks
755 ./usr/local/bin/stdsocks-checkpassword
755 ./usr/local/bin/stdsocksctl
644 ./usr/local/lib/systemd/catalog/stdsocks.catalog
644 ./usr/local/lib/systemd/system/stdsocks.slice
644 ./usr/local/lib/systemd/system/stdsocks.socket
644 ./usr/local/lib/systemd/system/stdsocks@.service
644 ./usr/local/lib/sysusers.d/stdsocks.conf
644 ./usr/local/share/bash-completion/completions/stdsocksctl
644 ./usr/local/share/doc/stdsocks/drop-ins/addresses.conf
644 ./usr/local/share/doc/stdsocks/drop-ins/connections.conf
644 ./usr/local/share/doc/stdsocks/drop-ins/credentials.conf
644 ./usr/local/share/doc/stdsocks/drop-ins/unix.conf
644 ./usr/local/share/doc/stdsocks/drop-ins/vsock.conf
755 ./usr/local/share/doc/stdsocks/s6.run
644 ./usr/local/share/doc/stdsocks/stdsocks-hardened.conf
644 ./usr/local/share/doc/stdsocks/stdsocks.inetd
644 ./usr/local/share/doc/stdsocks/stdsocks.xinetd
755 ./usr/local/share/doc/stdsocks/tcpserver.run
644 ./usr/local/share/man/man5/stdsocks.conf.5
644 ./usr/local/share/man/man8/stdsocks-checkpassword.8
644 ./usr/local/share/man/man8/stdsocks.8
644 ./usr/local/share/man/man8/stdsocksctl.8
END
    cmp "$STDSOCKS" "$PLACE/usr/local/bin/stdsocks"
}

@test "install: PREFIX and UNITDIR are heard, also inside the files" {
    make_into "$PLACE" -o all install PREFIX=/opt/socks UNITDIR=/etc/systemd/system
    grep -qxF 'ExecStart=/opt/socks/bin/stdsocks' "$PLACE/etc/systemd/system/stdsocks@.service"
    grep -qE 'server *= /opt/socks/bin/stdsocks$' "$PLACE/opt/socks/share/doc/stdsocks/stdsocks.xinetd"
    grep -qF ' /opt/socks/bin/stdsocks stdsocks' "$PLACE/opt/socks/share/doc/stdsocks/stdsocks.inetd"
    grep -qE ' 1080 /opt/socks/bin/stdsocks$' "$PLACE/opt/socks/share/doc/stdsocks/tcpserver.run"
    run ! grep -rI @BINDIR@ "$PLACE"
}

@test "install: uninstall takes away what install brought, and nothing else" {
    mkdir -p "$PLACE/usr/local/bin"
    echo mine >"$PLACE/usr/local/bin/mine"
    make_into "$PLACE" -o all install
    make_into "$PLACE" uninstall
    [[ $(installed_files "$PLACE") == '644 ./usr/local/bin/mine' ]]
}

@test "install: the units are clean for systemd-analyze verify" {
    need systemd-analyze
    make_into / -o all install PREFIX="$PLACE" SYSCONFDIR="$PLACE"
    run env SYSTEMD_UNIT_PATH="$PLACE/lib/systemd/system:" \
        systemd-analyze verify --man=no "$PLACE/lib/systemd/system/stdsocks.socket"
    echo "$output"
    ((status == 0))
    [[ -z $output ]]
}

@test "install: systemd-sysusers makes the user that the handler becomes" {
    need systemd-sysusers
    make_into "$PLACE" -o all install
    mkdir -p "$PLACE/etc"
    systemd-sysusers --root="$PLACE"
    grep -q '^stdsocks:' "$PLACE/etc/passwd"
    "$STDSOCKS" -f /dev/null --check | grep '^user: stdsocks '
}

@test "install: the catalog has one entry for each MESSAGE_ID of the source" {
    need journalctl
    make_into "$PLACE" -o all install
    local ids entries
    ids=$(grep -ohE '"[0-9a-f]{32}"' "$ROOT"/src/record/record.c | tr -d '"' | sort)
    entries=$(sed -n 's/^-- //p' "$PLACE/usr/local/lib/systemd/catalog/stdsocks.catalog" | sort)
    [[ -n $ids && $ids == "$entries" ]]
    journalctl --root="$PLACE" --update-catalog
    journalctl --root="$PLACE" --dump-catalog "${ids%%$'\n'*}" | grep -q '^Subject: '
}

# This takes longer than 5 s on a busy machine: it is a whole build of the handler.
@test "install: two builds of the same source are the same bytes" {
    local flags=()
    case $(<"${STDSOCKS%/stdsocks}/flags") in
    *fsanitize*) flags=("SANITIZE=address,undefined") ;;
    gcc*) flags=(LIBC=system) ;;
    esac
    make -C "$ROOT" --no-print-directory -j2 BUILD="$BATS_TEST_TMPDIR/again" "${flags[@]}" "$BATS_TEST_TMPDIR/again/stdsocks" 3>&-
    cmp "$STDSOCKS" "$BATS_TEST_TMPDIR/again/stdsocks"
}

#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The Makefile: make install, make uninstall and make clean, and the variables that they take.

bats_require_minimum_version 1.5.0
load helper

# make_into FOLDER ARGUMENT... - run make with DESTDIR=FOLDER and the build under test.
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

@test "install: copies each file to its place, with its mode" {
    make_into "$PLACE" -o all install
    diff <(installed_files "$PLACE") - <<'END'
755 ./usr/local/bin/stdsocks
755 ./usr/local/bin/stdsocks-checkpassword
755 ./usr/local/bin/stdsocksctl
644 ./usr/local/lib/systemd/catalog/stdsocks.catalog
644 ./usr/local/lib/systemd/system/stdsocks-prefork.service
644 ./usr/local/lib/systemd/system/stdsocks-prefork.socket
644 ./usr/local/lib/systemd/system/stdsocks.slice
644 ./usr/local/lib/systemd/system/stdsocks.socket
644 ./usr/local/lib/systemd/system/stdsocks@.service
644 ./usr/local/lib/sysusers.d/stdsocks.conf
644 ./usr/local/lib/tmpfiles.d/stdsocks.conf
644 ./usr/local/share/bash-completion/completions/stdsocksctl
644 ./usr/local/share/doc/stdsocks/drop-ins/addresses.conf
644 ./usr/local/share/doc/stdsocks/drop-ins/connections.conf
644 ./usr/local/share/doc/stdsocks/drop-ins/credentials.conf
644 ./usr/local/share/doc/stdsocks/drop-ins/prefork-connections.conf
644 ./usr/local/share/doc/stdsocks/drop-ins/prefork-shared-address.conf
644 ./usr/local/share/doc/stdsocks/drop-ins/prefork-tcp.conf
644 ./usr/local/share/doc/stdsocks/drop-ins/shared-address.conf
644 ./usr/local/share/doc/stdsocks/drop-ins/unix.conf
644 ./usr/local/share/doc/stdsocks/drop-ins/vsock.conf
755 ./usr/local/share/doc/stdsocks/s6.run
644 ./usr/local/share/doc/stdsocks/stdsocks-hardened.conf
644 ./usr/local/share/doc/stdsocks/stdsocks.fail2ban
644 ./usr/local/share/doc/stdsocks/stdsocks.inetd
644 ./usr/local/share/doc/stdsocks/stdsocks.nft
644 ./usr/local/share/doc/stdsocks/stdsocks.xinetd
755 ./usr/local/share/doc/stdsocks/tcpserver.run
644 ./usr/local/share/man/man5/stdsocks.conf.5
644 ./usr/local/share/man/man8/stdsocks-checkpassword.8
644 ./usr/local/share/man/man8/stdsocks.8
644 ./usr/local/share/man/man8/stdsocksctl.8
END
    cmp "$STDSOCKS" "$PLACE/usr/local/bin/stdsocks"
}

@test "install: PREFIX and UNITDIR move the files, and change the paths inside them" {
    make_into "$PLACE" -o all install PREFIX=/opt/socks UNITDIR=/etc/systemd/system
    local doc=$PLACE/opt/socks/share/doc/stdsocks
    grep -qxF 'ExecStart=/opt/socks/bin/stdsocks' "$PLACE/etc/systemd/system/stdsocks@.service"
    grep -qE 'server *= /opt/socks/bin/stdsocks$' "$doc/stdsocks.xinetd"
    grep -qF ' /opt/socks/bin/stdsocks stdsocks' "$doc/stdsocks.inetd"
    grep -qE ' 1080 /opt/socks/bin/stdsocks$' "$doc/tcpserver.run"
    run ! grep -rI @BINDIR@ "$PLACE"
}

@test "install: PREFIX, UNITDIR, MANDIR and DESTDIR can be set in the environment" {
    PREFIX=/opt/socks UNITDIR=/etc/systemd/system MANDIR=/man DESTDIR=$PLACE MAKEFLAGS='' \
        make -C "$ROOT" -o all BUILD="${STDSOCKS%/stdsocks}" install
    grep -qxF 'ExecStart=/opt/socks/bin/stdsocks' "$PLACE/etc/systemd/system/stdsocks@.service"
    [[ -e $PLACE/man/man8/stdsocks.8 && ! -e $PLACE/usr ]]
}

@test "install: CC, CPPFLAGS, CFLAGS, LDFLAGS and SYSCONFDIR can be set in the environment" {
    local commands build=$BATS_TEST_TMPDIR/new
    commands=$(CC=some-cc CPPFLAGS=-Dnew CFLAGS=-O7 LDFLAGS=-Lnew SYSCONFDIR=/opt/etc MAKEFLAGS='' \
        make -C "$ROOT" -n V=1 BUILD="$build" "$build/stdsocks")
    grep -qE '^some-cc .*"/opt/etc".* -Dnew .* -O7 -c -o .*/main.o src/stdsocks/main.c$' \
        <<<"$commands"
    grep -qE '^some-cc .* -O7 .* -Lnew -o .*/stdsocks ' <<<"$commands"
}

@test "install: make builds all programs by default, with each C library" {
    local libc commands build=$BATS_TEST_TMPDIR/new
    for libc in musl system; do
        commands=$(MAKEFLAGS='' make -C "$ROOT" -n LIBC=$libc BUILD="$build")
        grep -qF -- "-o $build/stdsocks " <<<"$commands"
        grep -qF -- "-o $build/stdsocks-checkpassword " <<<"$commands"
        grep -qF -- "-o $build/stdsocksctl " <<<"$commands"
    done
}

# source_tree - copy the Makefiles to $TREE, and make files that "make clean" must not delete.
source_tree() {
    TREE=$BATS_TEST_TMPDIR/tree
    mkdir -p "$TREE/src/wire" "$TREE/tests" "$BATS_TEST_TMPDIR/other"
    cp "$ROOT/Makefile" "$TREE/"
    cp "$ROOT/tests/Makefile" "$TREE/tests/"
    touch "$TREE/src/wire/addr.c" "$BATS_TEST_TMPDIR/other/file"
}

@test "install: make refuses a folder BUILD that contains sources" {
    local build
    source_tree
    for build in . '' .. src ./src/wire "$TREE" "$TREE/tests"; do
        run ! make -C "$TREE" BUILD="$build" clean
        [[ $output == *"BUILD=\"$build\" contains sources; use another folder"* ]]
        [[ -e $TREE/src/wire/addr.c && -e $TREE/Makefile ]]
    done
    run ! make -C "$TREE" -n BUILD=/ clean
}

@test "install: make clean refuses a folder in which nothing was built" {
    source_tree
    run ! make -C "$TREE" BUILD=../other clean
    [[ $output == *'make clean: nothing was built in BUILD=../other'* ]]
    [[ -e $BATS_TEST_TMPDIR/other/file ]]
    touch "$BATS_TEST_TMPDIR/other/flags"
    make -C "$TREE" BUILD=../other clean
    [[ -z $(ls "$BATS_TEST_TMPDIR/other") ]]
}

@test "install: make clean keeps the programs that check-deps unpacked" {
    source_tree
    mkdir -p "$TREE/build/peers/tor" "$TREE/build/tests"
    make -C "$TREE" clean
    make -C "$TREE" clean
    [[ $(cd "$TREE/build" && echo *) == peers && -d $TREE/build/peers/tor ]]
}

@test "install: uninstall removes the installed files and no others" {
    mkdir -p "$PLACE/usr/local/bin"
    echo mine >"$PLACE/usr/local/bin/mine"
    make_into "$PLACE" -o all install
    make_into "$PLACE" uninstall
    [[ $(installed_files "$PLACE") == '644 ./usr/local/bin/mine' ]]
}

@test "install: systemd-analyze verify accepts the units" {
    need systemd-analyze
    make_into / -o all install PREFIX="$PLACE" SYSCONFDIR="$PLACE"
    local unit
    for unit in stdsocks.socket stdsocks-prefork.socket stdsocks-prefork.service; do
        run env SYSTEMD_UNIT_PATH="$PLACE/lib/systemd/system:" \
            systemd-analyze verify --man=no "$PLACE/lib/systemd/system/$unit"
        echo "$output"
        ((status == 0))
        [[ -z $output ]]
    done
}

@test "install: systemd-sysusers creates the user stdsocks" {
    need systemd-sysusers
    make_into "$PLACE" -o all install
    mkdir -p "$PLACE/etc"
    systemd-sysusers --root="$PLACE"
    grep -q '^stdsocks:' "$PLACE/etc/passwd"
    "$STDSOCKS" -f /dev/null --check | grep '^user: stdsocks '
}

@test "install: systemd-tmpfiles creates files that only the user stdsocks can lock" {
    need systemd-tmpfiles
    need_root
    make_into "$PLACE" -o all install
    mkdir -p "$PLACE/etc"
    systemd-sysusers --root="$PLACE"
    systemd-tmpfiles --root="$PLACE" --create "$PLACE/usr/local/lib/tmpfiles.d/stdsocks.conf"
    diff <(stat -c '%A %u %n' "$PLACE"/run/stdsocks{,/*} | sed "s| $PLACE| |") - <<END
drwxr-xr-x 0 /run/stdsocks
$(for n in 0 1 2 3; do
        echo "-rw------- $(sed -n 's/^stdsocks:x:\([0-9]*\):.*/\1/p' "$PLACE/etc/passwd")" \
            "/run/stdsocks/slots-$n"
    done)
END
    (($(stat -c %s "$PLACE/run/stdsocks/slots-0") >= 16))
}

@test "install: the catalog has an entry for each MESSAGE_ID of the source" {
    need journalctl
    make_into "$PLACE" -o all install
    local ids entries
    ids=$(grep -ohE '"[0-9a-f]{32}"' "$ROOT"/src/*/*.h | tr -d '"' | sort)
    entries=$(sed -n 's/^-- //p' "$PLACE/usr/local/lib/systemd/catalog/stdsocks.catalog" | sort)
    [[ -n $ids && $ids == "$entries" ]]
    journalctl --root="$PLACE" --update-catalog
    journalctl --root="$PLACE" --dump-catalog "${ids%%$'\n'*}" | grep -q '^Subject: '
}

# Builds the whole handler, which takes longer than 5 s on a busy machine.
@test "install: two builds of the same source are identical" {
    local flags=() again=$BATS_TEST_TMPDIR/again
    case $(<"${STDSOCKS%/stdsocks}/flags") in
    *fsanitize*) flags=("SANITIZE=address,undefined") ;;
    gcc*) flags=(LIBC=system) ;;
    esac
    make -C "$ROOT" --no-print-directory -j2 BUILD="$again" "${flags[@]}" "$again/stdsocks" 3>&-
    cmp "$STDSOCKS" "$again/stdsocks"
}

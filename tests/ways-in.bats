#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Each super-server can start the handler, and sees it exit with status 0.

load helper

prelude <<'PY'
import contextlib, glob, re, time

from socks import CHOSEN, DEADLINE_S, GREETING, accept, check, dial, listener, request
PY

# answers PROXY - a connection has a process title; the client of an HTTP request and of a failing
# CONNECT get only SOCKS messages.
answers() {
    PROXY=$1 python <<'PY'
with listener() as listening:
    port = listening.getsockname()[1]
    client = dial()
    client.send(GREETING + request("127.0.0.1", port))
    check(client.recv(4), CHOSEN + b"\x05\x00")
    upstream = accept(listening)
title = re.compile(rb"stdsocks: \S+( \S+)? -> 127\.0\.0\.1:%d\0+" % port)

def titles():
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        with contextlib.suppress(OSError), open(path, "rb") as file:
            yield file.read()

deadline_s = time.monotonic() + DEADLINE_S
while not any(map(title.fullmatch, titles())):
    assert time.monotonic() < deadline_s, "no process has the title"
    time.sleep(0.02)
upstream.close()
client.close()

client = dial()
client.send(b"GET / HTTP/1.0\r\n\r\n")
check(client.end(), (b"\x05\xff", "fin"))

with listener() as closed:
    port = closed.getsockname()[1]
client = dial()
client.send(GREETING + request("127.0.0.1", port))
check(client.end(), (CHOSEN + b"\x05\x05\x00\x01" + bytes(6), "fin"))
PY
}

# works NAME REGEX [PROXY] - through the proxy at "HOST PORT" or "/PATH", by default at $PORT, curl
# gets the bytes that the server has sent, a connection has a process title, and two bad requests
# are refused. The log of NAME then has four lines that match REGEX, with exit status 0 as its only
# group.
works() {
    local page=$BATS_TEST_TMPDIR/page address=${3:-127.0.0.1 $PORT} url
    url=socks5://${address/ /:}
    [[ $address != ::1* ]] || url="socks5://[::1]:$PORT"
    [[ $address != /* ]] || url=socks5://localhost$address
    curl -sS --max-time "$WAIT_S" --proxy "$url" -o "$page" "http://127.0.0.1:$WEB/100000"
    wait_line "$(log web)" "^GET bytes=100000 sha256=$(sha256sum <"$page" | cut -c 1-64)\$"
    answers "$address"
    logged() {
        (($(grep -cE -- "$2" "$(log "$1")") >= 4))
    }
    eventually logged "$1" "$2"
    [[ $(sed -nE "s/.*$2.*/\1/p" "$(log "$1")" | sort | uniq -c) =~ ^\ *4\ 0$ ]]
}

# prefork DURATION - make the super-server start the handler with this idle-exit.
prefork() {
    printf '#!/bin/sh\nexec "%s" -o "allow to any" -o "prefork idle-exit %s" "$@"\n' \
        "$PROGRAM" "$1" >"$STDSOCKS"
}

# works_again NAME REGEX - several connections are served in prefork mode. Then the service exits,
# and the next connections start it again. The log of NAME has a line that matches REGEX for each
# exit, with exit status 0 as its only group.
works_again() {
    local count
    exited() {
        (($(grep -cE -- "$2" "$(log "$1")") == count))
    }
    for count in 1 2 3; do
        PROXY="127.0.0.1 $PORT" python <<'PY'
with listener() as upstream:
    clients = []
    for _ in range(20):
        client = dial()
        client.send(GREETING + request("127.0.0.1", upstream.getsockname()[1]))
        check(client.recv(12)[:5], CHOSEN + b"\x05\x00\x00")
        clients.append(client)
    for client in clients:
        client.close()
PY
        answers "127.0.0.1 $PORT"
        eventually exited "$1" "$2"
    done
    [[ $(sed -nE "s/.*$2.*/\1/p" "$(log "$1")" | sort | uniq -c) =~ ^\ *3\ 0$ ]]
}

# filled UNIT - print this file of units/ with this test's program, port and user.
filled() {
    sed "s|@BINDIR@/stdsocks|$STDSOCKS|; s|1080|$PORT|; s|user  *= stdsocks|user = $(id -un)|
        s|10000 stdsocks|10000 $(id -un)|" "$ROOT/units/$1"
}

# The super-servers start the handler without options, so a script adds the rule.
setup() {
    printf '#!/bin/sh\nexec "%s" -o "allow to any" "$@"\n' "$STDSOCKS" >"$BATS_TEST_TMPDIR/stdsocks"
    chmod +x "$BATS_TEST_TMPDIR/stdsocks"
    PROGRAM=$STDSOCKS
    STDSOCKS=$BATS_TEST_TMPDIR/stdsocks
    web
    PORT=$(free_port)
}

@test "ways in: systemd-socket-activate --accept --inetd serves, as Accept=yes does" {
    need systemd-socket-activate curl
    start activate systemd-socket-activate --accept --inetd -l "127.0.0.1:$PORT" "$STDSOCKS"
    wait_listening "$PORT"
    works activate 'Child [0-9]+ died with code ([0-9]+)'
}

@test "ways in: xinetd serves, with the client's socket as standard error" {
    need xinetd curl
    filled stdsocks.xinetd |
        sed "s|log_on_success .*|log_on_success = PID EXIT|
            s|log_on_failure .*|log_type = FILE $(log exits)|" >"$BATS_TEST_TMPDIR/xinetd.conf"
    start xinetd env -i "PATH=$PATH" xinetd -dontfork -f "$BATS_TEST_TMPDIR/xinetd.conf" -pidfile \
        "$BATS_TEST_TMPDIR/pid"
    wait_listening "$PORT"
    works exits 'EXIT: socks status=([0-9]+) '
}

@test "ways in: openbsd-inetd serves, with the client's socket as standard error" {
    need inetd curl
    filled stdsocks.inetd >"$BATS_TEST_TMPDIR/inetd.conf"
    start inetd env -i "PATH=$PATH" inetd -d "$BATS_TEST_TMPDIR/inetd.conf"
    wait_listening "$PORT"
    works inetd 'reaped, status ([0-9]+)'
}

@test "ways in: xinetd with wait = yes starts prefork mode, and again after an idle exit" {
    need xinetd
    prefork 300ms
    filled stdsocks.xinetd |
        sed "s|wait  *= no|wait = yes|; s|log_on_success .*|log_on_success = PID EXIT|
            s|log_on_failure .*|log_type = FILE $(log exits)|" >"$BATS_TEST_TMPDIR/xinetd.conf"
    start xinetd xinetd -dontfork -f "$BATS_TEST_TMPDIR/xinetd.conf" -pidfile \
        "$BATS_TEST_TMPDIR/pid"
    wait_listening "$PORT"
    works_again exits 'EXIT: socks status=([0-9]+) '
}

@test "ways in: openbsd-inetd with wait starts prefork mode, and again after an idle exit" {
    need inetd
    prefork 300ms
    filled stdsocks.inetd |
        sed -n "s|^#\($PORT .* wait\) stdsocks|\1 $(id -un)|p" >"$BATS_TEST_TMPDIR/inetd.conf"
    start inetd inetd -d "$BATS_TEST_TMPDIR/inetd.conf"
    wait_listening "$PORT"
    works_again inetd 'reaped, status ([0-9]+)'
}

@test "ways in: systemd-socket-activate -l starts prefork mode, which SIGTERM ends" {
    need systemd-socket-activate
    prefork none
    start activate systemd-socket-activate -l "127.0.0.1:$PORT" "$STDSOCKS"
    wait_listening "$PORT"
    answers "127.0.0.1 $PORT"
    kill "${RUNNING[activate]}"
    wait "${RUNNING[activate]}"
}

@test "ways in: s6-ipcserver-socketbinder starts prefork mode, which SIGTERM ends" {
    need s6-ipcserver-socketbinder
    prefork none
    start s6 s6-ipcserver-socketbinder "$BATS_TEST_TMPDIR/socks" "$STDSOCKS"
    wait_path "$BATS_TEST_TMPDIR/socks"
    answers "$BATS_TEST_TMPDIR/socks"
    kill "${RUNNING[s6]}"
    wait "${RUNNING[s6]}"
}

# tcpserver PACKAGE ADDRESS - start the run file with the tcpserver of this package and option -v,
# which logs exit statuses.
tcpserver() {
    local program=$PEERS/$1/usr/bin/tcpserver
    need "$program" curl
    filled tcpserver.run |
        sed "s|envuidgid stdsocks tcpserver|env UID=$(id -u) GID=$(id -g) $program -v|
        s|4096 0 |4096 $2 |" >"$BATS_TEST_TMPDIR/run"
    ((EUID == 0)) || sed -i 's| -U | |' "$BATS_TEST_TMPDIR/run" # only root can change its user
    start tcpserver sh "$BATS_TEST_TMPDIR/run"
    wait_listening "$PORT"
}

@test "ways in: tcpserver serves" {
    tcpserver ucspi-tcp 127.0.0.1
    works tcpserver 'tcpserver: end [0-9]+ status ([0-9]+)'
}

@test "ways in: tcpserver with IPv6 serves on ::1" {
    tcpserver ucspi-tcp-ipv6 ::1
    works tcpserver 'tcpserver: end [0-9]+ status ([0-9]+)' "::1 $PORT"
}

@test "ways in: s6-ipcserver serves on an AF_UNIX socket" {
    need s6-ipcserver curl
    start s6 s6-ipcserver -v "$BATS_TEST_TMPDIR/socks" "$STDSOCKS"
    wait_path "$BATS_TEST_TMPDIR/socks"
    works s6 'end pid [0-9]+ .*exitcode ([0-9]+)' "$BATS_TEST_TMPDIR/socks"
}

# socat does not log the exit of every child, so a shell does, which ignores socat's SIGTERM.
through_socat() {
    need socat curl
    printf '#!/bin/sh\ntrap : TERM\n"%s"\necho "exit $?" >>"%s"\n' "$STDSOCKS" "$(log exits)" \
        >"$BATS_TEST_TMPDIR/run"
    chmod +x "$BATS_TEST_TMPDIR/run"
    start socat socat "TCP-LISTEN:$PORT,bind=127.0.0.1,reuseaddr,fork" \
        "EXEC:$BATS_TEST_TMPDIR/run$1"
    wait_listening "$PORT"
    works exits 'exit ([0-9]+)'
}

@test "ways in: socat EXEC serves on a socket pair" {
    through_socat ''
}

@test "ways in: socat EXEC,pipes serves on two pipes" {
    through_socat ,pipes
}

@test "ways in: socat EXEC,nofork serves if a shell holds the socket, too" {
    through_socat ,nofork
}

@test "ways in: a shell's pipe serves, and its end becomes the half-close" {
    need xxd
    upstream answer-after-eof
    port=$(printf '\\x%02x\\x%02x' $((UPSTREAM / 256)) $((UPSTREAM % 256)))
    printf '\5\1\0\5\1\0\1\x7f\0\0\1%bquestion' "$port" |
        timeout "$WAIT_S" "$STDSOCKS" >"$BATS_TEST_TMPDIR/answer"
    [[ ${PIPESTATUS[*]} == '0 0' ]]
    # RFC 1928 s3 and s6: the method, and the reply with the local address of the connection.
    [[ $(head -c 10 "$BATS_TEST_TMPDIR/answer" | xxd -p) == 0500050000017f000001 ]]
    [[ $(tail -c +13 "$BATS_TEST_TMPDIR/answer") == \
        "bytes=8 sha256=$(printf question | sha256sum | cut -c 1-64)" ]]
}

@test "ways in: the exit status is 0 if the client had gone before the start" {
    launch
    for end in reset close; do
        kill -STOP "${RUNNING[launch]}"
        python <<PY
dial().$end()
PY
        kill -CONT "${RUNNING[launch]}"
        ended
        launch
    done
}

@test "ways in: the client does not get the trace if standard error is its socket" {
    launch -2
    answers "$PROXY"
    ended
}

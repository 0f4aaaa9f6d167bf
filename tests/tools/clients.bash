# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# What the suites of real clients share: the handler, servers, what they and the records were told, and a machine with
# addresses that no client takes for its own.

SERVER=10.9.8.7

# nginx serves $BATS_TEST_TMPDIR/www on $NGINX, on both loopback addresses, and $LISTENS elsewhere.
serve_files() {
    need nginx
    NGINX=$(free_port)
    mkdir -p "$BATS_TEST_TMPDIR/www"
    cat >"$BATS_TEST_TMPDIR/nginx.conf" <<CONF
daemon off;
master_process off;
pid $BATS_TEST_TMPDIR/nginx.pid;
error_log stderr;
events {}
http {
    log_format line '\$server_protocol \$status \$request_uri \$http_host';
    access_log $(log access) line;
    types { text/html html; application/javascript js; image/svg+xml svg; }
    client_body_temp_path $BATS_TEST_TMPDIR/body;
    proxy_temp_path $BATS_TEST_TMPDIR/proxy;
    fastcgi_temp_path $BATS_TEST_TMPDIR/fastcgi;
    uwsgi_temp_path $BATS_TEST_TMPDIR/uwsgi;
    scgi_temp_path $BATS_TEST_TMPDIR/scgi;
    server {
        listen 127.0.0.1:$NGINX $1;
        listen [::1]:$NGINX $1;
        root $BATS_TEST_TMPDIR/www;
        ${2:-}
    }
}
CONF
    : >"$(log access)"
    start nginx nginx -c "$BATS_TEST_TMPDIR/nginx.conf" -p "$BATS_TEST_TMPDIR" -e stderr
    wait_listening "$NGINX"
}

# machine - from here on what is started runs in a network of the test's own that leads nowhere, and so does
# "${CLIENT[@]}" COMMAND. $SERVER is there, and is no interface's: to those many clients go directly. Its name,
# web.test, is known to what is started, the handler, and to no client.
machine() {
    need_world
    printf '127.0.0.1 localhost\n%s web.test\n' "$SERVER" >"$BATS_TEST_TMPDIR/hosts"
    start machine unshare --net --mount sh -ec "
        ip link set lo up
        ip route add local $SERVER dev lo src 127.0.0.1
        mount --bind '$BATS_TEST_TMPDIR/hosts' /etc/hosts
        echo ready
        exec sleep 120"
    wait_line "$(log machine)" '^ready$'
    # shellcheck disable=SC2034 # start reads it
    WITHIN=(nsenter --net --mount --target "${RUNNING[machine]}")
    CLIENT=(nsenter --net --target "${RUNNING[machine]}")
}

# serve [OPTION]... - the handler, with these options more, at $PROXY_HOST and $PROXY_PORT.
serve() {
    HANDLER+=("$@")
    launch
    read -r PROXY_HOST PROXY_PORT <<<"$PROXY"
    export PROXY_HOST PROXY_PORT
}

# config NAME <TEXT - a file for a client; $CONFIG is its path.
config() {
    CONFIG=$BATS_TEST_TMPDIR/$1
    cat >"$CONFIG"
}

# asked REGEX - the only destination in all records so far, as the handler understood it.
asked() {
    ended
    [[ $(sed -nE 's/^STDSOCKS_DST=//p' "$LOG" | sort -u) == "$1" ]]
}

# served METHOD BYTES DIGEST - web.py says so.
served() {
    wait_line "$(log web)" "^$1 bytes=$2 sha256=$3\$"
}

# logged COUNT REGEX - nginx has so many such lines in its access log.
logged() {
    # shellcheck disable=SC2317 # eventually calls it
    counted() {
        (($(grep -cE -- "$2" "$(log access)") == $1))
    }
    eventually counted "$@"
}

all_over() {
    (($(grep -cx STDSOCKS_COMMAND=CONNECT "$LOG") == $1 && $(grep -c '^exit ' "$LOG") == $(grep -c '^start ' "$LOG")))
}

# ended_well - no handler has failed, and nobody was refused.
ended_well() {
    ! grep -E '^(signal |exit |STDSOCKS_REPLY=)' "$LOG" | grep -vxE 'exit [0-9]+ 0|STDSOCKS_REPLY=0' >&2
}

# in_version VERSION - all requests were of this one.
in_version() {
    local requests
    requests=$(sed -nE 's/^client sends (SOCKS 4 |)request:$/\1/p' "$LOG" | sort -u)
    [[ $requests == "$([[ $1 == 5 ]] || echo 'SOCKS 4 ')" ]]
}

# spoke VERSION DESTINATION COUNT - so many CONNECTs have ended well; all were asked for in this version, and for
# this destination.
spoke() {
    eventually all_over "$3"
    ended_well || return
    if grep '^STDSOCKS_END=' "$LOG" | grep -vx STDSOCKS_END=closed >&2; then
        return 1
    fi
    in_version "$1"
    [[ $(sed -n '/^STDSOCKS_COMMAND=CONNECT$/{n;s/STDSOCKS_DST=//p}' "$LOG" | sort -u) == "$2" ]]
}

# talks COMMAND... - what it is given comes back from a server that returns whatever comes.
talks() {
    head -c 300000 /dev/urandom >"$BATS_TEST_TMPDIR/data"
    "${CLIENT[@]}" timeout 30 "$@" <"$BATS_TEST_TMPDIR/data" >"$BATS_TEST_TMPDIR/answer"
    cmp "$BATS_TEST_TMPDIR/data" "$BATS_TEST_TMPDIR/answer" >&2
}

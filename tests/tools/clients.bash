# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# What the suites of real clients share: the handler, servers, checks of their logs and of the
# records, and a network with addresses that no client takes for its own.

SERVER=10.9.8.7
SERVES=(-o 'version 4 5' -o 'command connect resolve')
export NODE_PATH=$PEERS/npm/node_modules

# need_module MODULE PACKAGE - need, for a module of Python. The suites' own socks.py is not found.
need_module() {
    env -u PYTHONPATH "$PYTHON" -c "import $1" || lacks "$2"
}

# need_npm PACKAGE - need, for a package of npm's.
need_npm() {
    need node
    [[ -d $NODE_PATH/$1 ]] || lacks "npm's $1"
}

# random NAME BYTES - write a file of random bytes, $BATS_TEST_TMPDIR/NAME.
random() {
    head -c "$2" /dev/urandom >"$BATS_TEST_TMPDIR/$1"
}

# digest_of FILE - print its SHA-256 digest.
digest_of() {
    sha256sum <"$1" | cut -c 1-64
}

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
    need_root
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

# serve [OPTION]... - start the handler with $SERVES and these options, at $PROXY_HOST and
# $PROXY_PORT; its log is empty.
serve() {
    launch -- "${SERVES[@]}" "$@"
    read -r PROXY_HOST PROXY_PORT <<<"$PROXY"
    export PROXY_HOST PROXY_PORT
}

# row WORD... - begin a row of a test's table: print it, and empty the logs of the handler and of
# the servers.
row() {
    echo "row: $*"
    for name in "${LAUNCH:-launch}" web access; do
        : >"$(log "$name")"
    done
}

# config NAME <TEXT - a file for a client; $CONFIG is its path.
config() {
    CONFIG=$BATS_TEST_TMPDIR/$1
    cat >"$CONFIG"
}

# socks_conf PROTOCOL [LINE] - $SOCKS_CONF for Dante's client: all goes by this protocol.
socks_conf() {
    config socks.conf <<CONF
${2:-}
route {
    from: 0.0.0.0/0 to: 0.0.0.0/0 via: $PROXY_HOST port = $PROXY_PORT
    proxyprotocol: $1
    protocol: tcp udp
    command: connect bind udpassociate
}
route {
    from: 0.0.0.0/0 to: . via: $PROXY_HOST port = $PROXY_PORT
    proxyprotocol: $1
}
CONF
    export SOCKS_CONF=$CONFIG
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

# ended_well - no handler has failed, and nobody was refused.
ended_well() {
    ! grep -E '^(signal |exit |STDSOCKS_REPLY=)' "$LOG" | grep -vxE 'exit [0-9]+ 0|STDSOCKS_REPLY=0' >&2
}

# in_version VERSION - all requests were of this one.
in_version() {
    local requests='SOCKS 4 '
    [[ $1 == 4* ]] || requests=''
    [[ $(sed -nE 's/^client sends (SOCKS 4 |)request:$/\1/p' "$LOG" | sort -u) == "$requests" ]]
}

# spoke VERSION DESTINATION COUNT [COMMAND] - wait until COUNT sessions of COMMAND, by default
# CONNECT, have ended; check that every session has ended well and sent a request in this version of
# SOCKS, and those of COMMAND for DESTINATION.
spoke() {
    local command=${4:-CONNECT}
    # shellcheck disable=SC2317 # eventually calls it
    all_over() {
        (($(grep -cx "STDSOCKS_COMMAND=$command" "$LOG") == $1)) &&
            (($(grep -c '^exit ' "$LOG") == $(grep -c '^start ' "$LOG")))
    }
    eventually all_over "$3"
    (($(grep -c '^STDSOCKS_COMMAND=' "$LOG") == $(grep -c '^start ' "$LOG")))
    ended_well || return
    if grep '^STDSOCKS_END=' "$LOG" | grep -vx STDSOCKS_END=closed >&2; then
        return 1
    fi
    in_version "$1"
    [[ $(sed -n "/^STDSOCKS_COMMAND=$command\$/{n;s/STDSOCKS_DST=//p}" "$LOG" | sort -u) == "$2" ]]
}

# talks COMMAND... - 300 KB that the command reads come back from a server that returns everything.
talks() {
    random data 300000
    "${CLIENT[@]}" timeout 30 "$@" <"$BATS_TEST_TMPDIR/data" >"$BATS_TEST_TMPDIR/answer"
    cmp "$BATS_TEST_TMPDIR/data" "$BATS_TEST_TMPDIR/answer" >&2
}

# fetches URL COMMAND... - the command prints the 300 KB that web.py serves at URL.
fetches() {
    "${CLIENT[@]}" "${@:2}" "$1" >"$BATS_TEST_TMPDIR/page"
    served GET 300000 "$(digest_of "$BATS_TEST_TMPDIR/page")"
}

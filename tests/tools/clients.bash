# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# For the suites of real clients: starts the handler and servers, checks their logs and the records,
# and makes a network whose addresses no client takes for local ones.

SERVER=10.9.8.7
SERVES=(-o 'version 4 5' -o 'command connect resolve')
export NODE_PATH=$PEERS/npm/node_modules

# need_module MODULE PACKAGE - need for a Python module. PYTHONPATH is unset because tools/ has a
# socks.py.
need_module() {
    env -u PYTHONPATH "$PYTHON" -c "import $1" || lacks "$2"
}

# need_npm PACKAGE - need for a package of npm.
need_npm() {
    need node
    [[ -d $NODE_PATH/$1 ]] || lacks "npm's $1"
}

# random NAME BYTES - write random bytes to $BATS_TEST_TMPDIR/NAME.
random() {
    head -c "$2" /dev/urandom >"$BATS_TEST_TMPDIR/$1"
}

# digest_of FILE - print its SHA-256 digest.
digest_of() {
    sha256sum <"$1" | cut -c 1-64
}

# certificate HOST - make $BATS_TEST_TMPDIR/key and $BATS_TEST_TMPDIR/certificate for this host.
certificate() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
        -addext "subjectAltName=DNS:$1" \
        -keyout "$BATS_TEST_TMPDIR/key" -out "$BATS_TEST_TMPDIR/certificate" 2>/dev/null
}

# serve_files LISTEN [DIRECTIVES] - start nginx on port $NGINX of both loopback addresses, for files
# in $BATS_TEST_TMPDIR/www. LISTEN are parameters of "listen"; DIRECTIVES belong to the server.
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

# isolate - run what start starts, and "${CLIENT[@]}" COMMAND, in a network namespace of the test.
# Many clients bypass the proxy for addresses of interfaces; $SERVER is local, but on no interface.
# Its name, web.test, is in the /etc/hosts of what start starts, but not of the clients.
isolate() {
    need_world
    need_root
    printf '127.0.0.1 localhost\n%s web.test\n' "$SERVER" >"$BATS_TEST_TMPDIR/hosts"
    start namespace unshare --net --mount sh -ec "
        ip link set lo up
        ip route add local $SERVER dev lo src 127.0.0.1
        mount --bind '$BATS_TEST_TMPDIR/hosts' /etc/hosts
        echo ready
        exec sleep 120"
    wait_line "$(log namespace)" '^ready$'
    # shellcheck disable=SC2034 # start reads it
    WITHIN=(nsenter --net --mount --target "${RUNNING[namespace]}")
    CLIENT=(nsenter --net --target "${RUNNING[namespace]}")
}

# serve [OPTION]... - start the handler with $SERVES and these options, at $PROXY_HOST:$PROXY_PORT.
serve() {
    launch -- "${SERVES[@]}" "$@"
    read -r PROXY_HOST PROXY_PORT <<<"$PROXY"
    export PROXY_HOST PROXY_PORT
}

# row WORD... - begin a row of a test's table: print it, and empty the logs.
row() {
    echo "row: $*"
    for name in "${LAUNCH:-launch}" web access; do
        : >"$(log "$name")"
    done
}

# config NAME <TEXT - write a file for a client; $CONFIG is its path.
config() {
    CONFIG=$BATS_TEST_TMPDIR/$1
    cat >"$CONFIG"
}

# socks_conf PROTOCOL [LINE] - write $SOCKS_CONF for Dante's client, with this protocol for all.
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

# requested DESTINATION - check that all records so far have this destination.
requested() {
    ended
    [[ $(sed -nE 's/^STDSOCKS_DST=//p' "$LOG" | sort -u) == "$1" ]]
}

# served METHOD BYTES DIGEST - wait until web.py has logged this body.
served() {
    wait_line "$(log web)" "^$1 bytes=$2 sha256=$3\$"
}

# logged COUNT REGEX - wait until nginx's access log has COUNT lines that match.
logged() {
    # shellcheck disable=SC2317 # eventually calls it
    counted() {
        (($(grep -cE -- "$2" "$(log access)") == $1))
    }
    eventually counted "$@"
}

# all_served - check that all handlers so far have exited with 0 and sent no failure reply.
all_served() {
    ! grep -E '^(signal |exit |STDSOCKS_REPLY=)' "$LOG" |
        grep -vxE 'exit [0-9]+ 0|STDSOCKS_REPLY=0' >&2
}

# in_version VERSION - check that all requests had this version.
in_version() {
    local requests='SOCKS 4 '
    [[ $1 == 4* ]] || requests=''
    [[ $(sed -nE 's/^client sends (SOCKS 4 |)request:$/\1/p' "$LOG" | sort -u) == "$requests" ]]
}

# sessions VERSION DESTINATION COUNT [COMMAND] - wait until COUNT sessions of COMMAND (CONNECT) have
# ended. Check that all sessions were served, in this version of SOCKS, and those of COMMAND for
# DESTINATION.
sessions() {
    local command=${4:-CONNECT}
    # shellcheck disable=SC2317 # eventually calls it
    all_ended() {
        (($(grep -cx "STDSOCKS_COMMAND=$command" "$LOG") == $1)) &&
            (($(grep -c '^exit ' "$LOG") == $(grep -c '^start ' "$LOG")))
    }
    eventually all_ended "$3"
    (($(grep -c '^STDSOCKS_COMMAND=' "$LOG") == $(grep -c '^start ' "$LOG")))
    all_served || return
    if grep '^STDSOCKS_END=' "$LOG" | grep -vx STDSOCKS_END=closed >&2; then
        return 1
    fi
    in_version "$1"
    [[ $(sed -n "/^STDSOCKS_COMMAND=$command\$/{n;s/STDSOCKS_DST=//p}" "$LOG" | sort -u) == "$2" ]]
}

# echoed COMMAND... - send 300 KB through the command to an echo server, and compare its output.
echoed() {
    random data 300000
    "${CLIENT[@]}" timeout 30 "$@" <"$BATS_TEST_TMPDIR/data" >"$BATS_TEST_TMPDIR/answer"
    cmp "$BATS_TEST_TMPDIR/data" "$BATS_TEST_TMPDIR/answer" >&2
}

# fetches URL COMMAND... - run the command with URL, and compare its output with web.py's 300 KB.
fetches() {
    "${CLIENT[@]}" "${@:2}" "$1" >"$BATS_TEST_TMPDIR/page"
    served GET 300000 "$(digest_of "$BATS_TEST_TMPDIR/page")"
}

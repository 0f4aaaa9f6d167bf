# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# What the suites of real clients share: a web server, and what it and the records were told.

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

#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Real clients, the libraries that take an unknowing program through, and those of three languages.

load helper
load tools/clients

setup() {
    launch
    read -r PROXY_HOST PROXY_PORT <<<"$PROXY"
}

@test "clients: proxychains4: 5 connect: takes an unknowing curl to a name" {
    need proxychains4 curl
    web
    cat >"$BATS_TEST_TMPDIR/proxychains.conf" <<CONF
strict_chain
proxy_dns
[ProxyList]
socks5 $PROXY
CONF
    digest=$(proxychains4 -q -f "$BATS_TEST_TMPDIR/proxychains.conf" \
        curl -sS --max-time 20 "http://localhost:$WEB/100000" | sha256sum)
    served GET 100000 "${digest%% *}"
    ended
}

# Fifty parts, half of them images and half scripts; each that arrives counts in the title. Chromium's
# own errands pass the proxy by, to names that do not resolve.
@test "clients: chromium: 5 connect: a page with fifty parts, without a window" {
    need chromium
    serve_files ''
    {
        echo '<!doctype html><title>0</title><script>loaded = 0; function arrived() { document.title = ++loaded }</script>'
        for part in {1..25}; do
            echo "<img src=$part.svg onload=arrived()><script src=$part.js onload=arrived()></script>"
            echo '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>' >"$BATS_TEST_TMPDIR/www/$part.svg"
            echo "/* $part */" >"$BATS_TEST_TMPDIR/www/$part.js"
        done
    } >"$BATS_TEST_TMPDIR/www/index.html"
    page=$(chromium --headless --no-sandbox --disable-gpu --disable-quic --disable-dev-shm-usage \
        --no-first-run --disable-background-networking --disable-component-update --disable-sync \
        --user-data-dir="$BATS_TEST_TMPDIR/profile" \
        --proxy-server="socks5://$PROXY_HOST:$PROXY_PORT" --proxy-bypass-list='<-loopback>;*.com' \
        --host-resolver-rules='MAP * ~NOTFOUND, EXCLUDE 127.0.0.1' \
        --dump-dom "http://localhost:$NGINX/index.html" 2>>"$(log chromium)")
    [[ $page == *'<title>50</title>'* ]]
    logged 50 '^HTTP/1.1 200 /[0-9]+\.(js|svg) '
    asked localhost
}

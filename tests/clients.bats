#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Real clients to real servers, through the handler under launch.

load helper
load tools/clients

GB=1000000000
ZERO=00000000000000000000000000000000
GB_DIGEST=e61756bbcbfe5f6f70ffcdf933e41ef55db7ba2923ab85feeb50eef860520f9f # of so many bytes of AES-128-CTR, its key and counter zero

setup() {
    launch
    read -r PROXY_HOST PROXY_PORT <<<"$PROXY"
}

fetch() {
    curl -sS --max-time 60 "$@"
}

@test "clients: curl: 5 connect: from an IPv4 literal" {
    need curl
    web
    digest=$(fetch --socks5 "$PROXY_HOST:$PROXY_PORT" "http://127.0.0.1:$WEB/100000" | sha256sum)
    served GET 100000 "${digest%% *}"
    asked 127.0.0.1
}

@test "clients: curl: 5 connect: from an IPv6 literal" {
    need curl
    web ::1
    digest=$(fetch --socks5 "$PROXY_HOST:$PROXY_PORT" "http://[::1]:$WEB/100000" | sha256sum)
    served GET 100000 "${digest%% *}"
    asked ::1
}

@test "clients: curl: 5 connect: from a name" {
    need curl
    web
    digest=$(fetch --socks5-hostname "$PROXY_HOST:$PROXY_PORT" "http://localhost:$WEB/100000" | sha256sum)
    served GET 100000 "${digest%% *}"
    asked localhost
}

@test "clients: curl: 5 connect: HTTP/2 without TLS" {
    need curl
    serve_files http2
    head -c 300000 /dev/urandom >"$BATS_TEST_TMPDIR/www/file"
    fetch --http2-prior-knowledge --socks5 "$PROXY_HOST:$PROXY_PORT" "http://127.0.0.1:$NGINX/file" |
        cmp - "$BATS_TEST_TMPDIR/www/file" >&2
    logged 1 "^HTTP/2.0 200 /file 127.0.0.1:$NGINX\$"
    asked 127.0.0.1
}

@test "clients: curl: 5 connect: three files over one HTTP/2 connection with TLS, from a name" {
    need curl openssl
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost \
        -keyout "$BATS_TEST_TMPDIR/key" -out "$BATS_TEST_TMPDIR/certificate" 2>/dev/null
    serve_files 'http2 ssl' \
        "ssl_certificate $BATS_TEST_TMPDIR/certificate; ssl_certificate_key $BATS_TEST_TMPDIR/key;"
    head -c 300000 /dev/urandom >"$BATS_TEST_TMPDIR/www/file"
    url=https://localhost:$NGINX/file
    fetch --http2 --cacert "$BATS_TEST_TMPDIR/certificate" --socks5-hostname "$PROXY_HOST:$PROXY_PORT" \
        "$url?1" "$url?2" "$url?3" | cmp - <(cat "$BATS_TEST_TMPDIR"/www/file{,,}) >&2
    logged 3 "^HTTP/2.0 200 /file.[123] localhost:$NGINX\$"
    (($(grep -c '^start ' "$LOG") == 1))
    asked localhost
}

@test "clients: curl: 5 connect: 1 GB down" {
    need curl openssl
    web
    digest=$(fetch --socks5 "$PROXY_HOST:$PROXY_PORT" "http://127.0.0.1:$WEB/$GB" | openssl dgst -sha256 -r)
    served GET "$GB" "${digest%% *}"
    ended
    (($(sed -n 's/^STDSOCKS_BYTES_DOWN=//p' "$LOG") > GB))
}

@test "clients: curl: 5 connect: 1 GB up" {
    need curl openssl
    web
    # A stream cipher's output is as good as random, quickly made, and always the same.
    openssl enc -aes-128-ctr -K "$ZERO" -iv "$ZERO" -in /dev/zero 2>/dev/null | head -c "$GB" |
        fetch --socks5 "$PROXY_HOST:$PROXY_PORT" -T - -H "Content-Length: $GB" -H Transfer-Encoding: -H Expect: \
            "http://127.0.0.1:$WEB/"
    served PUT "$GB" "$GB_DIGEST"
    ended
    (($(sed -n 's/^STDSOCKS_BYTES_UP=//p' "$LOG") > GB))
}

# The two nc's: what goes in is digested at upstream's end of input, and the digest comes back.
question_through() {
    upstream answer-after-eof
    head -c 500000 /dev/urandom >"$BATS_TEST_TMPDIR/question"
    answer=$("$@" 127.0.0.1 "$UPSTREAM" <"$BATS_TEST_TMPDIR/question")
    [[ $answer == "bytes=500000 sha256=$(sha256sum <"$BATS_TEST_TMPDIR/question" | cut -c 1-64)" ]]
    ended DST=127.0.0.1 DST_PORT="$UPSTREAM" CLOSED_BY=client END=closed
}

@test "clients: ncat: 5 connect: half-closes and gets the answer" {
    need ncat
    question_through ncat --proxy-type socks5 --proxy "$PROXY_HOST:$PROXY_PORT"
}

@test "clients: nc (netcat-openbsd): 5 connect: half-closes and gets the answer" {
    need nc.openbsd
    question_through nc.openbsd -N -X 5 -x "$PROXY_HOST:$PROXY_PORT"
}

@test "clients: git: 5 connect: a clone over HTTP, from a name" {
    need git
    serve_files ''
    repository=$BATS_TEST_TMPDIR/www/repository
    git init -q "$repository"
    head -c 2000000 /dev/urandom >"$repository/file"
    git -C "$repository" add file
    git -C "$repository" -c user.name=test -c user.email=test@localhost commit -qm 'add a file'
    git -C "$repository" update-server-info
    git -c http.proxy="socks5h://$PROXY_HOST:$PROXY_PORT" clone -q "http://localhost:$NGINX/repository/.git" "$BATS_TEST_TMPDIR/clone"
    git -C "$BATS_TEST_TMPDIR/clone" fsck --strict
    cmp "$repository/file" "$BATS_TEST_TMPDIR/clone/file"
    asked localhost
}

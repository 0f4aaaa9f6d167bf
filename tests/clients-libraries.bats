#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Libraries that redirect programs without SOCKS support, libraries for three languages, a browser,
# an HTTP proxy, and a packet redirector. The titles are rows of the table of clients-table.

load helper
load net/world
load tools/clients

setup() {
    isolate
    serve
}

# carries VERSION HOST DESTINATION COMMAND... - run curl and nc, without SOCKS options, under
# COMMAND: they receive, echo and send 300 KB. Check that the requests are for DESTINATION.
carries() {
    row "$*"
    local version=$1 host=$2 destination=$3
    shift 3
    need curl nc.openbsd
    [[ ${WEB:-} ]] || web "$SERVER"
    [[ ${UPSTREAM:-} ]] || upstream --listen "$SERVER" echo
    fetches "http://$host:$WEB/300000" "$@" curl -sS --max-time 20
    echoed "$@" nc.openbsd -N "$host" "$UPSTREAM"
    "${CLIENT[@]}" "$@" curl -sS --max-time 20 -T "$BATS_TEST_TMPDIR/data" "http://$host:$WEB/"
    served PUT 300000 "$(digest_of "$BATS_TEST_TMPDIR/data")"
    sessions "$version" "$destination" 3
    ended BYTES_UP=300000 BYTES_DOWN=300000
}

@test "clients: proxychains4: 4, 4a, 5 connect: redirects curl and nc, 300 KB each way" {
    need proxychains4
    for words in "4 $SERVER" '4a web.test' '5 web.test'; do
        read -r version host <<<"$words"
        config proxychains <<CONF
strict_chain
proxy_dns
[ProxyList]
socks${version%a} $PROXY
CONF
        carries "$version" "$host" "$host" proxychains4 -q -f "$CONFIG"
    done
}

@test "clients: tsocks: 4, 5 connect: redirects curl and nc, 300 KB each way" {
    need tsocks
    for version in 4 5; do
        config tsocks <<CONF
server = $PROXY_HOST
server_port = $PROXY_PORT
server_type = $version
CONF
        export TSOCKS_CONF_FILE=$CONFIG
        carries "$version" "$SERVER" "$SERVER" tsocks
    done
}

torsocks_conf() {
    need torsocks
    config torsocks <<CONF
TorAddress $PROXY_HOST
TorPort $PROXY_PORT
CONF
    export TORSOCKS_CONF_FILE=$CONFIG
}

@test "clients: torsocks: 5 connect: redirects curl and nc to a name, 300 KB each way" {
    torsocks_conf
    # torsocks resolves the name with RESOLVE, and connects to the address.
    carries 5 web.test "$SERVER" torsocks
    (($(grep -cx STDSOCKS_COMMAND=RESOLVE "$LOG") == 3))
}

@test "clients: torsocks: 5 resolve: redirects Python's lookups of an address and a name" {
    torsocks_conf
    "${CLIENT[@]}" torsocks "$PYTHON" - >"$BATS_TEST_TMPDIR/found" <<PY
import socket
print(socket.gethostbyname("web.test"), socket.gethostbyaddr("$SERVER")[0])
PY
    [[ $(<"$BATS_TEST_TMPDIR/found") == "$SERVER web.test" ]]
    ended
    (($(grep -cx 'STDSOCKS_COMMAND=RESOLVE_PTR' "$LOG") == 1))
}

# Dante's client sends no names in version 4.
@test "clients: socksify (dante-client): 4, 5 connect: redirects curl and nc, 300 KB each way" {
    need socksify
    socks_conf socks_v4
    carries 4 "$SERVER" "$SERVER" socksify
    socks_conf socks_v5 'resolveprotocol: fake'
    carries 5 web.test web.test socksify
}

@test "clients: socksify (dante-client): 5 connect: takes the proxy from the environment" {
    need socksify
    export SOCKS_CONF=/dev/null SOCKS5_SERVER=$PROXY_HOST:$PROXY_PORT
    carries 5 "$SERVER" "$SERVER" socksify
}

# -- Libraries. Each script connects, sends its standard input, and prints what it receives.

# echoes VERSION DESTINATION COMMAND... <SCRIPT - run the script with COMMAND; it connects to
# DESTINATION with this version of SOCKS.
echoes() {
    row "$*"
    config script
    [[ ${UPSTREAM:-} ]] || upstream --listen "$SERVER" echo
    HOST=$2 echoed env -u PYTHONPATH "${@:3}" "$CONFIG"
    sessions "$1" "$2" 1
    ended BYTES_UP=300000 BYTES_DOWN=300000
}

# The end of the Python scripts; sock is connected.
PYTHON_TALK='
import sys, threading

def send():
    sock.sendall(sys.stdin.buffer.read())
    sock.shutdown(socket.SHUT_WR)

threading.Thread(target=send).start()
while piece := sock.recv(65536):
    sys.stdout.buffer.write(piece)
'

# pysocks VERSION DESTINATION - echoes with PySocks, and with the login $NAME and $SECRET if set.
pysocks() {
    echoes "$1" "$2" "$PYTHON" <<PY
import os, socket, socks
sock = socks.socksocket()
login = os.environ.get("NAME"), os.environ.get("SECRET")
sock.set_proxy(socks.SOCKS${1%a}, "$PROXY_HOST", $PROXY_PORT, "$1" != "4", *login)
sock.connect((os.environ["HOST"], int(os.environ["UPSTREAM"])))
$PYTHON_TALK
PY
}

@test "clients: python3-socks: 4, 4a, 5 connect: 300 KB each way" {
    need_module socks python3-socks
    pysocks 4 "$SERVER"
    pysocks 4a web.test
    pysocks 5 web.test
}

@test "clients: python3-socks: 5 connect: with a password, 300 KB each way" {
    need_module socks python3-socks
    printf 'alice:secret\n' >"$BATS_TEST_TMPDIR/users"
    chmod 600 "$BATS_TEST_TMPDIR/users"
    serve -o "users $BATS_TEST_TMPDIR/users"
    NAME=alice SECRET=secret pysocks 5 web.test
    ended USER=alice
}

# The beginning of the scripts that use python_socks; $KIND is a name of ProxyType.
PYTHON_SOCKS='
import os
import python_socks

def connect(module):
    kind = python_socks.ProxyType[os.environ["KIND"]]
    where = os.environ["PROXY_HOST"], int(os.environ["PROXY_PORT"])
    proxy = module.Proxy.create(kind, *where, rdns=True)
    return proxy.connect(os.environ["HOST"], int(os.environ["UPSTREAM"]))
'

@test "clients: python3-python-socks: 4, 5 connect: with blocking sockets, 300 KB each way" {
    need_module python_socks.async_.asyncio python3-python-socks
    for words in "4 $SERVER" '5 web.test'; do
        # shellcheck disable=SC2086 # two words
        KIND=SOCKS${words%% *} echoes $words "$PYTHON" <<PY
import socket
import python_socks.sync
$PYTHON_SOCKS
sock = connect(python_socks.sync)
$PYTHON_TALK
PY
    done
}

@test "clients: python3-python-socks: 4a, 5 connect: with asyncio, to a name, 300 KB each way" {
    need_module python_socks.async_.asyncio python3-python-socks
    for version in 4a 5; do
        KIND=SOCKS${version%a} echoes "$version" web.test "$PYTHON" <<PY
import asyncio, sys
import python_socks.async_.asyncio
$PYTHON_SOCKS

async def send(writer):
    writer.write(sys.stdin.buffer.read())
    await writer.drain()
    writer.write_eof()

async def main():
    reader, writer = await asyncio.open_connection(sock=await connect(python_socks.async_.asyncio))
    data, _ = await asyncio.gather(reader.read(), send(writer))
    sys.stdout.buffer.write(data)

asyncio.run(main())
PY
    done
}

@test "clients: socks (npm socks): 4, 4a, 5 connect: 300 KB each way" {
    need_npm socks
    for words in "4 $SERVER" '4a web.test' '5 web.test'; do
        read -r version host <<<"$words"
        echoes "$version" "$host" node <<JS
const { SocksClient } = require("socks");
SocksClient.createConnection({
    proxy: { host: process.env.PROXY_HOST, port: +process.env.PROXY_PORT, type: ${version%a} },
    command: "connect",
    destination: { host: process.env.HOST, port: +process.env.UPSTREAM },
}).then(({ socket }) => process.stdin.pipe(socket).pipe(process.stdout));
JS
    done
}

@test "clients: socks-proxy-agent (npm socks-proxy-agent): 4, 4a, 5 connect: http.get of 300 KB" {
    need_npm socks-proxy-agent
    web "$SERVER"
    config script <<'JS'
const { SocksProxyAgent } = require("socks-proxy-agent");
const [proxy, url] = process.argv.slice(2);
const agent = new SocksProxyAgent(proxy);
require("http").get(url, { agent }, (answer) => answer.pipe(process.stdout));
JS
    for words in "4 socks4 $SERVER" '4a socks4a web.test' '5 socks5h web.test'; do
        row "$words"
        read -r version scheme host <<<"$words"
        through=$scheme://$PROXY_HOST:$PROXY_PORT
        fetches "http://$host:$WEB/300000" timeout 30 node "$CONFIG" "$through"
        sessions "$version" "$host" 1
    done
}

# -- Programs with SOCKS support

# Requests that chromium makes on its own bypass the proxy, and their names do not resolve.
@test "clients: chromium: 4, 5 connect: loads a page with fifty parts, headless" {
    need chromium
    serve_files ''
    {
        echo '<!doctype html><script>parts = []</script>'
        for part in {1..50}; do
            echo "<script src=$part.js></script>"
            head -c 4500 /dev/urandom | base64 -w 0 >"$BATS_TEST_TMPDIR/$part"
            echo "parts.push('$(<"$BATS_TEST_TMPDIR/$part")')" >"$BATS_TEST_TMPDIR/www/$part.js"
        done
        echo '<pre id=all></pre><script>all.textContent = parts.join("")</script>'
    } >"$BATS_TEST_TMPDIR/www/index.html"
    for words in '4 127.0.0.1' '5 localhost'; do
        row "$words"
        read -r version host <<<"$words"
        TMPDIR=$BATS_TEST_TMPDIR "${CLIENT[@]}" chromium --headless --no-sandbox --disable-gpu \
            --disable-quic --disable-dev-shm-usage --no-first-run --disable-background-networking \
            --disable-component-update --disable-sync --user-data-dir="$BATS_TEST_TMPDIR/$version" \
            --proxy-server="socks$version://$PROXY_HOST:$PROXY_PORT" \
            --proxy-bypass-list='<-loopback>;*.com' \
            --host-resolver-rules='MAP * ~NOTFOUND, EXCLUDE 127.0.0.1' \
            --dump-dom "http://$host:$NGINX/index.html" 2>>"$(log chromium)" |
            sed -n 's,.*<pre id="all">\(.*\)</pre>.*,\1,p' >"$BATS_TEST_TMPDIR/page"
        cmp "$BATS_TEST_TMPDIR/page" <(cat "$BATS_TEST_TMPDIR"/{1..50} - <<<'') >&2
        logged 50 '^HTTP/1.1 200 /[0-9]+\.js '
        requested "$host"
        in_version "$version"
    done
}

# forwards DIRECTIVE - start privoxy on port $PRIVOXY, with this directive for all requests.
forwards() {
    need privoxy curl
    PRIVOXY=$(free_port)
    config privoxy <<CONF
listen-address 127.0.0.1:$PRIVOXY
$1 / $PROXY_HOST:$PROXY_PORT .
CONF
    start privoxy privoxy --no-daemon "$CONFIG"
    wait_listening "$PRIVOXY"
}

@test "clients: privoxy: 4, 4a, 5 connect: serves curl with forward-socks4, -socks4a, -socks5" {
    web "$SERVER"
    for words in "4 $SERVER" '4a web.test' '5 web.test'; do
        row "$words"
        read -r version host <<<"$words"
        forwards "forward-socks$version"
        fetches "http://$host:$WEB/300000" curl -sS --max-time 30 -x "127.0.0.1:$PRIVOXY"
        stop privoxy
        sessions "$version" "$host" 1
    done
}

# privoxy sends the HTTP request together with its own, of 15 bytes after a greeting of 3. The reply
# is delayed here: iptables drops SYN until the handler has received more than these 18 bytes.
@test "clients: privoxy: 5 connect: forward-socks5t sends data before the reply" {
    need iptables ss
    web "$SERVER"
    forwards forward-socks5t
    "${CLIENT[@]}" iptables -A INPUT -p tcp -d "$SERVER" --syn -j DROP
    start curl curl -sS --max-time 30 -o "$BATS_TEST_TMPDIR/page" -x "127.0.0.1:$PRIVOXY" \
        "http://web.test:$WEB/300000"
    has_data() {
        (($("${CLIENT[@]}" ss -Htni "sport = :$PROXY_PORT" |
            sed -nE 's/.* bytes_received:([0-9]+).*/\1/p') > 18))
    }
    eventually has_data
    (($(grep -c '^stdsocks sends reply' "$LOG") == 0))
    "${CLIENT[@]}" iptables -F
    wait_line "$(log web)" '^GET'
    wait "${RUNNING[curl]}"
    served GET 300000 "$(digest_of "$BATS_TEST_TMPDIR/page")"
    stop privoxy
    sessions 5 web.test 1
}

# Connections to $SERVER are redirected to redsocks, except those of the handler.
@test "clients: redsocks: 4, 5 connect: redirects curl and nc, 300 KB each way" {
    need redsocks iptables
    redsocks_port=$(free_port)
    "${CLIENT[@]}" iptables -t nat -A OUTPUT -p tcp -d "$SERVER" -m owner ! --uid-owner stdsocks \
        -j REDIRECT --to-ports "$redsocks_port"
    for version in 4 5; do
        config redsocks <<CONF
base { log_debug = off; log_info = off; log = "stderr"; daemon = off; redirector = iptables; }
redsocks {
    local_ip = 127.0.0.1; local_port = $redsocks_port;
    ip = $PROXY_HOST; port = $PROXY_PORT; type = socks$version;
}
CONF
        start redsocks redsocks -c "$CONFIG"
        wait_listening "$redsocks_port"
        carries "$version" "$SERVER" "$SERVER" env
    done
}

#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Libraries that take an unknowing program through the handler, libraries of three languages, a browser, an
# HTTP proxy, and a redirector of packets. "clients: CLIENT: VERSION COMMAND: ..." is a row of the README's table.

load helper
load net/world
load tools/clients

export NODE_PATH=$PEERS/npm/node_modules

setup() {
    machine
    serve -o 'version 4 5' -o 'command connect resolve'
}

# carries VERSION HOST DESTINATION COMMAND... - COMMAND takes an unknowing curl and an unknowing nc to HOST, which the
# handler is asked for as DESTINATION: 300 KB come, go, and do both at a time.
carries() {
    local version=$1 host=$2 destination=$3 digest
    shift 3
    need curl nc.openbsd "$1"
    web "$SERVER"
    upstream --listen "$SERVER" echo
    digest=$("${CLIENT[@]}" "$@" curl -sS --max-time 20 "http://$host:$WEB/300000" | sha256sum)
    served GET 300000 "${digest%% *}"
    talks "$@" nc.openbsd -N "$host" "$UPSTREAM"
    digest=$(sha256sum <"$BATS_TEST_TMPDIR/data")
    "${CLIENT[@]}" "$@" curl -sS --max-time 20 -T "$BATS_TEST_TMPDIR/data" "http://$host:$WEB/"
    served PUT 300000 "${digest%% *}"
    spoke "$version" "$destination" 3
    ended BYTES_UP=300000 BYTES_DOWN=300000
}

proxychains() {
    config proxychains <<CONF
strict_chain
proxy_dns
[ProxyList]
$1 $PROXY
CONF
}

@test "clients: proxychains4: 4 connect: an unknowing curl and nc, 300 KB each way" {
    proxychains socks4
    carries 4 "$SERVER" "$SERVER" proxychains4 -q -f "$CONFIG"
}

@test "clients: proxychains4: 4a connect: an unknowing curl and nc, to a name, 300 KB each way" {
    proxychains socks4
    carries 4 web.test web.test proxychains4 -q -f "$CONFIG"
}

@test "clients: proxychains4: 5 connect: an unknowing curl and nc, to a name, 300 KB each way" {
    proxychains socks5
    carries 5 web.test web.test proxychains4 -q -f "$CONFIG"
}

tsocks_conf() {
    config tsocks <<CONF
server = $PROXY_HOST
server_port = $PROXY_PORT
server_type = $1
CONF
    export TSOCKS_CONF_FILE=$CONFIG
}

@test "clients: tsocks: 4 connect: an unknowing curl and nc, 300 KB each way" {
    tsocks_conf 4
    carries 4 "$SERVER" "$SERVER" tsocks
}

@test "clients: tsocks: 5 connect: an unknowing curl and nc, 300 KB each way" {
    tsocks_conf 5
    carries 5 "$SERVER" "$SERVER" tsocks
}

torsocks_conf() {
    config torsocks <<CONF
TorAddress $PROXY_HOST
TorPort $PROXY_PORT
CONF
    export TORSOCKS_CONF_FILE=$CONFIG
}

@test "clients: torsocks: 5 connect: an unknowing curl and nc, to a name, 300 KB each way" {
    torsocks_conf
    # The name is asked for by itself, and the connection by the address that was told.
    carries 5 web.test "$SERVER" torsocks
    (($(grep -cx STDSOCKS_COMMAND=RESOLVE "$LOG") == 3))
}

@test "clients: torsocks: 5 resolve: an unknowing python finds an address and a name" {
    need torsocks
    torsocks_conf
    [[ $("${CLIENT[@]}" torsocks "$PYTHON" -c "from socket import *
print(gethostbyname('web.test'), gethostbyaddr('$SERVER')[0])") == "$SERVER web.test" ]]
    ended
    (($(grep -cx 'STDSOCKS_COMMAND=RESOLVE_PTR' "$LOG") == 1))
}

# socks_conf PROTOCOL [LINE]...
socks_conf() {
    config socks.conf <<CONF
${2:-}
route {
    from: 0.0.0.0/0 to: 0.0.0.0/0 via: $PROXY_HOST port = $PROXY_PORT
    proxyprotocol: $1
}
route {
    from: 0.0.0.0/0 to: . via: $PROXY_HOST port = $PROXY_PORT
    proxyprotocol: $1
}
CONF
    export SOCKS_CONF=$CONFIG
}

# Of version 4 it knows no names.
@test "clients: socksify (dante-client): 4 connect: an unknowing curl and nc, 300 KB each way" {
    socks_conf socks_v4
    carries 4 "$SERVER" "$SERVER" socksify
}

@test "clients: socksify (dante-client): 5 connect: an unknowing curl and nc, to a name, 300 KB each way" {
    socks_conf socks_v5 "resolveprotocol: fake"
    carries 5 web.test web.test socksify
}

@test "clients: socksify (dante-client): 5 connect: without a configuration, the proxy from the environment" {
    export SOCKS_CONF=/dev/null SOCKS5_SERVER=$PROXY_HOST:$PROXY_PORT
    carries 5 "$SERVER" "$SERVER" socksify
}

# -- Libraries. Each script connects, sends what it reads, and prints what comes back.

# echoes VERSION DESTINATION COMMAND... <SCRIPT - it does, with COMMAND to run it.
echoes() {
    config script
    upstream --listen "$SERVER" echo
    talks env -u PYTHONPATH "${@:3}" "$CONFIG"
    spoke "$1" "$2" 1
    ended BYTES_UP=300000 BYTES_DOWN=300000
}

# pysocks VERSION DESTINATION HOST TYPE RDNS - with $NAME and $SECRET, if they are set
pysocks() {
    env -u PYTHONPATH "$PYTHON" -c 'import socks' || lacks python3-socks
    HOST=$3 echoes "$1" "$2" "$PYTHON" <<PY
import os, sys, threading, socks
sock = socks.socksocket()
sock.set_proxy(socks.$4, os.environ["PROXY_HOST"], int(os.environ["PROXY_PORT"]), $5,
    os.environ.get("NAME"), os.environ.get("SECRET"))
sock.connect((os.environ["HOST"], int(os.environ["UPSTREAM"])))


def send():
    sock.sendall(sys.stdin.buffer.read())
    sock.shutdown(socks.socket.SHUT_WR)


threading.Thread(target=send).start()
while piece := sock.recv(65536):
    sys.stdout.buffer.write(piece)
PY
}

@test "clients: python3-socks: 4 connect: 300 KB each way" {
    pysocks 4 "$SERVER" "$SERVER" SOCKS4 False
}

@test "clients: python3-socks: 4a connect: to a name, 300 KB each way" {
    pysocks 4 web.test web.test SOCKS4 True
}

@test "clients: python3-socks: 5 connect: to a name, 300 KB each way" {
    pysocks 5 web.test web.test SOCKS5 True
}

@test "clients: python3-socks: 5 connect: with a password, 300 KB each way" {
    printf 'alice:secret\n' >"$BATS_TEST_TMPDIR/users"
    chmod 600 "$BATS_TEST_TMPDIR/users"
    serve -o "users $BATS_TEST_TMPDIR/users"
    export NAME=alice SECRET=secret
    pysocks 5 web.test web.test SOCKS5 True
    ended USER=alice
}

# python_socks VERSION DESTINATION <SCRIPT - with the script's proxy().
python_socks() {
    "$PYTHON" -c 'import python_socks.async_.asyncio' || lacks python3-python-socks
    {
        cat <<PY
import asyncio, os, socket, sys, threading
from python_socks import ProxyType


def connect(module):
    proxy = module.Proxy.create(ProxyType.SOCKS$1, os.environ["PROXY_HOST"], int(os.environ["PROXY_PORT"]), rdns=True)
    return proxy.connect("$2", int(os.environ["UPSTREAM"]))


PY
        cat
    } | echoes "$1" "$2" "$PYTHON"
}

python_socks_sync() {
    python_socks "$@" <<'PY'
from python_socks import sync

sock = connect(sync)


def send():
    sock.sendall(sys.stdin.buffer.read())
    sock.shutdown(socket.SHUT_WR)


threading.Thread(target=send).start()
while piece := sock.recv(65536):
    sys.stdout.buffer.write(piece)
PY
}

python_socks_async() {
    python_socks "$@" <<'PY'
from python_socks.async_ import asyncio as asynchronous


async def send(writer):
    writer.write(sys.stdin.buffer.read())
    await writer.drain()
    writer.write_eof()


async def main():
    reader, writer = await asyncio.open_connection(sock=await connect(asynchronous))
    data, _ = await asyncio.gather(reader.read(), send(writer))
    sys.stdout.buffer.write(data)


asyncio.run(main())
PY
}

@test "clients: python3-python-socks: 4 connect: blocking, 300 KB each way" {
    python_socks_sync 4 "$SERVER"
}

@test "clients: python3-python-socks: 4a connect: with asyncio, to a name, 300 KB each way" {
    python_socks_async 4 web.test
}

@test "clients: python3-python-socks: 5 connect: blocking, to a name, 300 KB each way" {
    python_socks_sync 5 web.test
}

@test "clients: python3-python-socks: 5 connect: with asyncio, to a name, 300 KB each way" {
    python_socks_async 5 web.test
}

# npm_socks TYPE DESTINATION
npm_socks() {
    need node
    [[ -d $NODE_PATH/socks ]] || lacks "npm's socks"
    echoes "$1" "$2" node <<JS
const { SocksClient } = require("socks");
SocksClient.createConnection({
    proxy: { host: process.env.PROXY_HOST, port: +process.env.PROXY_PORT, type: $1 },
    command: "connect",
    destination: { host: "$2", port: +process.env.UPSTREAM },
}).then(({ socket }) => process.stdin.pipe(socket).pipe(process.stdout));
JS
}

@test "clients: socks (npm socks): 4 connect: 300 KB each way" {
    npm_socks 4 "$SERVER"
}

@test "clients: socks (npm socks): 4a connect: to a name, 300 KB each way" {
    npm_socks 4 web.test
}

@test "clients: socks (npm socks): 5 connect: to a name, 300 KB each way" {
    npm_socks 5 web.test
}

# agent URL VERSION HOST - http.get through socks-proxy-agent.
agent() {
    need node
    [[ -d $NODE_PATH/socks-proxy-agent ]] || lacks "npm's socks-proxy-agent"
    web "$SERVER"
    config script <<JS
const { SocksProxyAgent } = require("socks-proxy-agent");
require("http").get("http://$3:$WEB/300000", { agent: new SocksProxyAgent("$1://$PROXY_HOST:$PROXY_PORT") },
    (answer) => answer.pipe(process.stdout));
JS
    digest=$("${CLIENT[@]}" timeout 30 node "$CONFIG" | sha256sum)
    served GET 300000 "${digest%% *}"
    spoke "$2" "$3" 1
}

@test "clients: socks-proxy-agent (npm socks-proxy-agent): 4 connect: http.get of 300 KB" {
    agent socks4 4 "$SERVER"
}

@test "clients: socks-proxy-agent (npm socks-proxy-agent): 4a connect: http.get of 300 KB from a name" {
    agent socks4a 4 web.test
}

@test "clients: socks-proxy-agent (npm socks-proxy-agent): 5 connect: http.get of 300 KB from a name" {
    agent socks5h 5 web.test
}

# -- Programs that know of SOCKS.

# browses VERSION HOST - chromium shows a page, whose fifty parts hold 300 KB. Its own errands pass the proxy by, to
# names that do not resolve.
browses() {
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
    "${CLIENT[@]}" chromium --headless --no-sandbox --disable-gpu --disable-quic --disable-dev-shm-usage \
        --no-first-run --disable-background-networking --disable-component-update --disable-sync \
        --user-data-dir="$BATS_TEST_TMPDIR/profile" \
        --proxy-server="socks$1://$PROXY_HOST:$PROXY_PORT" --proxy-bypass-list='<-loopback>;*.com' \
        --host-resolver-rules='MAP * ~NOTFOUND, EXCLUDE 127.0.0.1' \
        --dump-dom "http://$2:$NGINX/index.html" 2>>"$(log chromium)" |
        sed -n 's,.*<pre id="all">\(.*\)</pre>.*,\1,p' >"$BATS_TEST_TMPDIR/page"
    cmp "$BATS_TEST_TMPDIR/page" <(cat "$BATS_TEST_TMPDIR"/{1..50} - <<<'') >&2
    logged 50 '^HTTP/1.1 200 /[0-9]+\.js '
    asked "$2"
    in_version "$1"
}

@test "clients: chromium: 4 connect: headless, a page with fifty parts" {
    browses 4 127.0.0.1
}

@test "clients: chromium: 5 connect: headless, a page with fifty parts, from a name" {
    browses 5 localhost
}

# forwards DIRECTIVE HOST - privoxy takes curl there so: 300 KB come.
forwards() {
    need privoxy curl
    web "$SERVER"
    privoxy_port=$(free_port)
    config privoxy <<<"listen-address 127.0.0.1:$privoxy_port
$1 / $PROXY_HOST:$PROXY_PORT ."
    start privoxy privoxy --no-daemon "$CONFIG"
    wait_listening "$privoxy_port"
    digest=$("${CLIENT[@]}" curl -sS --max-time 30 -x "127.0.0.1:$privoxy_port" "http://$2:$WEB/300000" | sha256sum)
    served GET 300000 "${digest%% *}"
    stop privoxy
}

@test "clients: privoxy: 4 connect: curl through forward-socks4" {
    forwards forward-socks4 "$SERVER"
    spoke 4 "$SERVER" 1
}

@test "clients: privoxy: 4a connect: curl through forward-socks4a, to a name" {
    forwards forward-socks4a web.test
    spoke 4 web.test 1
}

@test "clients: privoxy: 5 connect: curl through forward-socks5, to a name" {
    forwards forward-socks5 web.test
    spoke 5 web.test 1
}

# privoxy sends what it was asked for right behind its own request, of 15 bytes after the greeting of 3. The reply
# has to wait here: the server hears nothing before more than that has come.
@test "clients: privoxy: 5 connect: curl through forward-socks5t, and its data comes before the reply" {
    need privoxy curl iptables ss
    web "$SERVER"
    privoxy_port=$(free_port)
    config privoxy <<CONF
listen-address 127.0.0.1:$privoxy_port
forward-socks5t / $PROXY_HOST:$PROXY_PORT .
CONF
    start privoxy privoxy --no-daemon "$CONFIG"
    wait_listening "$privoxy_port"
    "${CLIENT[@]}" iptables -A INPUT -p tcp -d "$SERVER" --syn -j DROP
    start curl curl -sS --max-time 30 -o "$BATS_TEST_TMPDIR/page" -x "127.0.0.1:$privoxy_port" "http://web.test:$WEB/300000"
    early() {
        (($("${CLIENT[@]}" ss -Htni "sport = :$PROXY_PORT" | sed -nE 's/.* bytes_received:([0-9]+).*/\1/p') > 18))
    }
    eventually early
    (($(grep -c '^stdsocks sends reply' "$LOG") == 0))
    "${CLIENT[@]}" iptables -F
    wait_line "$(log web)" '^GET'
    wait "${RUNNING[curl]}"
    digest=$(sha256sum <"$BATS_TEST_TMPDIR/page")
    served GET 300000 "${digest%% *}"
    stop privoxy
    spoke 5 web.test 1
}

# redirected PROTOCOL - connections to $SERVER go to redsocks, but for the handler's own.
redirected() {
    need redsocks iptables
    redsocks_port=$(free_port)
    config redsocks <<CONF
base { log_debug = off; log_info = off; log = "stderr"; daemon = off; redirector = iptables; }
redsocks { local_ip = 127.0.0.1; local_port = $redsocks_port; ip = $PROXY_HOST; port = $PROXY_PORT; type = $1; }
CONF
    start redsocks redsocks -c "$CONFIG"
    wait_listening "$redsocks_port"
    "${CLIENT[@]}" iptables -t nat -A OUTPUT -p tcp -d "$SERVER" -m owner ! --uid-owner stdsocks -j REDIRECT --to-ports "$redsocks_port"
}

@test "clients: redsocks: 4 connect: an unknowing curl and nc are redirected, 300 KB each way" {
    redirected socks4
    carries 4 "$SERVER" "$SERVER" env
}

@test "clients: redsocks: 5 connect: an unknowing curl and nc are redirected, 300 KB each way" {
    redirected socks5
    carries 5 "$SERVER" "$SERVER" env
}

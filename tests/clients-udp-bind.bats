#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Clients of BIND and UDP ASSOCIATE. The titles are rows of the table of clients: clients-table.

load helper
load net/world
load tools/clients

# shellcheck disable=SC2034 # serve reads it
SERVES=(-o 'version 4 5' -o 'command connect bind udp')

setup() {
    isolate
    serve
    export SERVER
}

# recorded COMMAND DESTINATION COUNT - wait for COUNT of these records; all sessions were served.
recorded() {
    counted_records() {
        (($(sed -n "/^STDSOCKS_COMMAND=$1\$/{n;p}" "$LOG" | grep -cx "STDSOCKS_DST=$2") == $3))
    }
    eventually counted_records "$@"
    all_served
}

# -- BIND

@test "clients: socksify (dante-client): 4, 5 bind: active FTP gets and puts 300 KB" {
    need socksify
    need tnftp
    need_module pyftpdlib python3-pyftpdlib
    local folder=$BATS_TEST_TMPDIR/ftp port
    port=$(free_port)
    mkdir "$folder"
    random ftp/file 300000
    start ftpd "$PYTHON" -m pyftpdlib -i "$SERVER" -p "$port" -d "$folder" --write
    wait_listening "$port"
    cd "$BATS_TEST_TMPDIR"
    for version in 4 5; do
        row "$version"
        socks_conf "socks_v$version"
        "${CLIENT[@]}" timeout 30 socksify tnftp -A -n -v "$SERVER" "$port" >"$(log ftp)" 2>&1 <<FTP
user anonymous nobody
binary
get file file-$version
put file-$version again-$version
quit
FTP
        cmp "file-$version" "$folder/file" >&2
        cmp "$folder/again-$version" "$folder/file" >&2
        (($(grep -c 'Active data connection established' "$(log ftp)") == 2))
        recorded BIND "$SERVER" 2
    done
}

# binds COMMAND... <SCRIPT - run the script with COMMAND, and check the data that it prints and the
# record. The script requests BIND and writes the bound address to $BOUND. A remote host, $SERVER,
# connects to this address and echoes all data. The script sends its standard input and prints the
# data that returns.
binds() {
    row "$*"
    config script
    : >"$BATS_TEST_TMPDIR/bound"
    export BOUND=$BATS_TEST_TMPDIR/bound
    cat >"$BATS_TEST_TMPDIR/remote.py" <<'PY'
import os, socket, time
while not (line := open(os.environ["BOUND"]).read()).endswith("\n"):
    time.sleep(0.01)
host, port = line.split()
sock = socket.create_connection((host, int(port)), 20, (os.environ["SERVER"], 0))
while piece := sock.recv(65536):
    sock.sendall(piece)
sock.shutdown(socket.SHUT_WR)
PY
    start remote "$PYTHON" "$BATS_TEST_TMPDIR/remote.py"
    echoed "$@" "$CONFIG"
    recorded BIND "$SERVER" 1
}

# Sends the next piece when the previous one has returned.
# shellcheck disable=SC2016 # variables of Perl
PERL_TALK='
sub report {
    open(my $bound, ">", $ENV{BOUND}) or die;
    print $bound "@_\n";
}

sub talk {
    my ($sock) = @_;
    while (my $length = sysread(STDIN, my $piece, 8192)) {
        syswrite($sock, $piece) == $length or die "write: $!\n";
        for (my $left = $length; $left > 0;) {
            my $count = sysread($sock, my $back, $left) or die "read: $!\n";
            syswrite(STDOUT, $back);
            $left -= $count;
        }
    }
}
'

# Its accept() parses the second reply of version 4 as one of version 5.
@test "clients: IO-Socket-Socks (libio-socket-socks-perl): 5 bind: 300 KB in each direction" {
    need perl
    perl -MIO::Socket::Socks -e1 || lacks libio-socket-socks-perl
    binds perl <<PERL
use strict;
use IO::Socket::Socks;
my \$sock = IO::Socket::Socks->new(SocksVersion => 5, ProxyAddr => "$PROXY_HOST",
    ProxyPort => $PROXY_PORT, BindAddr => "$SERVER", BindPort => 1) or die "BIND: \$SOCKS_ERROR\n";
my (\$host, \$port) = \$sock->dst;
report(\$host, \$port);
\$sock->accept or die "accept: \$SOCKS_ERROR\n";
talk(\$sock);
$PERL_TALK
PERL
}

@test "clients: Net-SOCKS (libnet-socks-perl): 4, 5 bind: 300 KB in each direction" {
    need perl
    perl -MNet::SOCKS -e1 || lacks libnet-socks-perl
    for words in '4 somebody' 5; do
        read -r version user <<<"$words"
        binds perl <<PERL
use strict;
use Net::SOCKS;
my \$proxy = Net::SOCKS->new(socks_addr => "$PROXY_HOST", socks_port => $PROXY_PORT,
    protocol_version => $version, user_id => "$user");
my (undef, \$host, \$port) = \$proxy->bind(peer_addr => "$SERVER", peer_port => 1);
my \$status = \$proxy->param("status_num");
\$status == SOCKS_OKAY or die "BIND: ", Net::SOCKS::status_message(\$status), "\n";
report(\$host, \$port);
my \$sock = \$proxy->accept or die "accept\n";
talk(\$sock);
$PERL_TALK
PERL
    done
}

@test "clients: socks (npm socks): 4, 5 bind: 300 KB in each direction" {
    need_npm socks
    for version in 4 5; do
        binds node <<JS
const { SocksClient } = require("socks");
const client = new SocksClient({
    proxy: { host: process.env.PROXY_HOST, port: +process.env.PROXY_PORT, type: $version },
    command: "bind",
    destination: { host: process.env.SERVER, port: 1 },
});
client.on("bound", ({ remoteHost: { host, port } }) =>
    require("fs").writeFileSync(process.env.BOUND, \`\${host} \${port}\n\`));
client.on("established", ({ socket }) => process.stdin.pipe(socket).pipe(process.stdout));
client.on("error", (error) => { throw error; });
client.connect();
JS
    done
}

# -- UDP ASSOCIATE.

# One datagram at a time, of many lengths; each must come back unchanged.
DATAGRAMS='
def talk(sock, where):
    sock.settimeout(10)
    for length in (*range(0, 1400, 7), 4000, 9000, 60000):
        data = os.urandom(length)
        sock.sendto(data, where)
        back, source = sock.recvfrom(65536)
        assert back == data, f"{length} bytes: {len(back)} came back"
        assert source == where, source
    print("all came back")
'

# returned COMMAND... <SCRIPT - start an echo server on port $UDP of $SERVER, and run the script,
# which sends datagrams there and prints "all came back".
returned() {
    config script
    cat >"$BATS_TEST_TMPDIR/udp.py" <<'PY'
import os, socket
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind((os.environ["SERVER"], 0))
print(sock.getsockname()[1], flush=True)
while True:
    data, source = sock.recvfrom(65536)
    sock.sendto(data, source)
PY
    start udp "$PYTHON" "$BATS_TEST_TMPDIR/udp.py"
    wait_line "$(log udp)" '^[0-9]+$'
    UDP=$(head -n 1 "$(log udp)")
    export UDP
    [[ $("${CLIENT[@]}" timeout 60 env -u PYTHONPATH "$@" "$CONFIG") == 'all came back' ]]
    recorded 'UDP ASSOCIATE' '.*' 1
}

@test "clients: socksify (dante-client): 5 udp: redirects 200 datagrams of up to 60000 bytes" {
    need socksify
    socks_conf socks_v5
    returned socksify "$PYTHON" <<PY
import os, socket
$DATAGRAMS
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
talk(sock, (os.environ["SERVER"], int(os.environ["UDP"])))
PY
}

@test "clients: python3-socks: 5 udp: 200 datagrams of up to 60000 bytes echoed" {
    need_module socks python3-socks
    returned "$PYTHON" <<PY
import os, socket, socks
$DATAGRAMS
sock = socks.socksocket(socket.AF_INET, socket.SOCK_DGRAM)
sock.set_proxy(socks.SOCKS5, os.environ["PROXY_HOST"], int(os.environ["PROXY_PORT"]))
talk(sock, (os.environ["SERVER"], int(os.environ["UDP"])))
sock.close()
PY
}

@test "clients: socks (npm socks): 5 udp: 200 datagrams of up to 60000 bytes echoed" {
    need_npm socks
    returned node <<'JS'
const { SocksClient } = require("socks");
const { randomBytes } = require("crypto");
const where = { host: process.env.SERVER, port: +process.env.UDP };
const lengths = [...Array(200).keys()].map((count) => 7 * count).concat(4000, 9000, 60000);
const sock = require("dgram").createSocket("udp4");
const client = new SocksClient({
    proxy: { host: process.env.PROXY_HOST, port: +process.env.PROXY_PORT, type: 5 },
    command: "associate",
    destination: { host: "0.0.0.0", port: 0 },
});
client.on("error", (error) => { throw error; });
client.on("established", ({ socket, remoteHost }) => {
    let sent;
    const next = () => {
        if (!lengths.length) {
            console.log("all came back");
            process.exit(0);
        }
        sent = randomBytes(lengths.shift());
        const frame = SocksClient.createUDPFrame({ remoteHost: where, data: sent });
        sock.send(frame, remoteHost.port, remoteHost.host);
    };
    sock.on("message", (message) => {
        const { remoteHost, data } = SocksClient.parseUDPFrame(message);
        if (!data.equals(sent) || remoteHost.host !== where.host || remoteHost.port !== where.port)
            throw new Error(`sent ${sent.length} bytes, received ${data.length}`);
        next();
    });
    next();
});
client.connect();
JS
}

# wait_bound PORT - wait until a UDP socket has this port.
wait_bound() {
    eventually "${CLIENT[@]}" grep -q "$(printf ':%04X ' "$1")" /proc/net/udp
}

# serve_names ADDRESS PORT - start a name server with an address for name.test.
serve_names() {
    need dnsmasq
    start dnsmasq dnsmasq --keep-in-foreground --conf-file=/dev/null --listen-address="$1" \
        --port="$2" --bind-interfaces --no-resolv --no-hosts --address=/name.test/192.0.2.9 \
        --pid-file= --user=root --log-queries --log-facility=-
    wait_line "$(log dnsmasq)" 'started'
}

# Not dig, which uses sendmmsg(2); Dante's library does not redirect that.
@test "clients: socksify (dante-client): 5 udp: redirects the query of kdig" {
    need socksify
    need kdig
    serve_names "$SERVER" 53
    socks_conf socks_v5
    local query=(kdig +notcp +retry=0 +time=10 @"$SERVER" name.test A +short)
    [[ $("${CLIENT[@]}" timeout 30 socksify "${query[@]}") == 192.0.2.9 ]]
    wait_line "$(log dnsmasq)" 'query\[A\] name.test'
    recorded 'UDP ASSOCIATE' '.*' 1
}

# redsocks answers from $SERVER:53, so the name server cannot be bound there. iptables sends
# datagrams of dig to redsocks, and those of the handler to the name server.
@test "clients: redsocks: 5 udp: redirects the queries of dig" {
    need redsocks iptables dig setpriv
    local server port
    server=$(free_port)
    port=$(free_port)
    serve_names 127.0.0.1 "$server"
    config redsocks <<CONF
base { log_debug = off; log_info = off; log = "stderr"; daemon = off; redirector = iptables; }
redudp { local_ip = 127.0.0.1; local_port = $port; ip = $PROXY_HOST; port = $PROXY_PORT; }
CONF
    start redsocks redsocks -c "$CONFIG"
    wait_bound "$port"
    "${CLIENT[@]}" sh -ec "
        ip rule add fwmark 1 lookup 100
        ip route add local default dev lo table 100
        iptables -t mangle -A OUTPUT -p udp -d $SERVER --dport 53 \
            -m owner --uid-owner daemon -j MARK --set-mark 1
        iptables -t mangle -A PREROUTING -p udp -m mark --mark 1 \
            -j TPROXY --on-ip 127.0.0.1 --on-port $port
        iptables -t nat -A OUTPUT -p udp -d $SERVER --dport 53 -m mark ! --mark 1 \
            -j DNAT --to-destination 127.0.0.1:$server"
    local query=(setpriv --reuid=daemon --clear-groups dig +notcp +tries=1 +time=10 @"$SERVER")
    for name in {a,b,c}.name.test; do
        [[ $("${CLIENT[@]}" timeout 30 "${query[@]}" "$name" A +short) == 192.0.2.9 ]]
    done
    (($(grep -c 'query\[A\] [abc].name.test' "$(log dnsmasq)") == 3))
    stop redsocks
    recorded 'UDP ASSOCIATE' '.*' 3
}

@test "clients: socksify (dante-client): 5 udp: redirects ngtcp2's HTTP/3 client, 300 KB" {
    need socksify
    need gtlsclient gtlsserver openssl
    local folder=$BATS_TEST_TMPDIR/www port
    port=$(free_port)
    mkdir "$folder" "$BATS_TEST_TMPDIR/got"
    random www/file 300000
    certificate web.test
    start quic gtlsserver -q -d "$folder" "$SERVER" "$port" \
        "$BATS_TEST_TMPDIR/key" "$BATS_TEST_TMPDIR/certificate"
    wait_bound "$port"
    socks_conf socks_v5
    "${CLIENT[@]}" timeout 30 socksify gtlsclient -q --download="$BATS_TEST_TMPDIR/got" \
        --exit-on-all-streams-close "$SERVER" "$port" https://web.test/file >&2
    cmp "$folder/file" "$BATS_TEST_TMPDIR/got/file" >&2
    recorded 'UDP ASSOCIATE' '.*' 1
}

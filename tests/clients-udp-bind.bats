#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Real clients of BIND and UDP ASSOCIATE. With AGAINST=danted they are put through that server, to see that a
# test holds for another one; what the handler's records say is not asked then.

load helper
load net/world
load tools/clients

export NODE_PATH=$PEERS/npm/node_modules

setup() {
    machine
    if [[ ${AGAINST:-stdsocks} == danted ]]; then
        danted_serves
    else
        serve -o 'version 4 5' -o 'command connect bind udp'
    fi
    export SERVER
}

danted_serves() {
    config danted.conf <<CONF
logoutput: stderr
internal: 127.0.0.1 port = 1080
external: 127.0.0.1
socksmethod: none
clientmethod: none
user.privileged: root
user.unprivileged: nobody
client pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }
socks pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }
CONF
    start danted danted -f "$CONFIG"
    export PROXY_HOST=127.0.0.1 PROXY_PORT=1080
    wait_listening 1080
}

# recorded COMMAND DESTINATION COUNT - so many records say so, and all went well.
recorded() {
    [[ ${AGAINST:-stdsocks} == stdsocks ]] || return 0
    counted_records() {
        (($(sed -n "/^STDSOCKS_COMMAND=$1\$/{n;p}" "$LOG" | grep -cx "STDSOCKS_DST=$2") == $3))
    }
    eventually counted_records "$@"
    ended_well
}

# socks_conf PROTOCOL - socksify's, for everything.
socks_conf() {
    config socks.conf <<CONF
route {
    from: 0.0.0.0/0 to: 0.0.0.0/0 via: $PROXY_HOST port = $PROXY_PORT
    proxyprotocol: $1
    protocol: tcp udp
    command: connect bind udpassociate
}
CONF
    export SOCKS_CONF=$CONFIG
}

# -- BIND: somebody calls back.

# ftp_active PROTOCOL - ftp gets and puts a file, and the server opens both connections.
ftp_active() {
    need socksify tnftp
    "$PYTHON" -c 'import pyftpdlib' || lacks python3-pyftpdlib
    local folder=$BATS_TEST_TMPDIR/ftp port
    port=$(free_port)
    mkdir "$folder"
    head -c 300000 /dev/urandom >"$folder/file"
    start ftpd "$PYTHON" -m pyftpdlib -i "$SERVER" -p "$port" -d "$folder" --write
    wait_listening "$port"
    socks_conf "$1"
    cd "$BATS_TEST_TMPDIR" || return
    "${CLIENT[@]}" timeout 30 socksify tnftp -A -n -v "$SERVER" "$port" >"$(log ftp)" 2>&1 <<FTP
user anonymous nobody
binary
get file
put file again
quit
FTP
    cmp file "$folder/file" >&2
    cmp file "$folder/again" >&2
    (($(grep -c 'Active data connection established' "$(log ftp)") == 2))
    recorded BIND "$SERVER" 2
}

@test "clients: socksify (dante-client): 4 bind: an unknowing ftp in active mode gets and puts 300 KB" {
    ftp_active socks_v4
}

@test "clients: socksify (dante-client): 5 bind: an unknowing ftp in active mode gets and puts 300 KB" {
    ftp_active socks_v5
}

# called COMMAND... <SCRIPT - a client that asks for BIND, prints where on descriptor 3, and then sends what it
# reads and prints what comes back. Who calls comes from $SERVER, and returns what it is told.
called() {
    config script
    : >"$BATS_TEST_TMPDIR/bound"
    export BOUND=$BATS_TEST_TMPDIR/bound
    start caller "$PYTHON" -c '
import os, socket, time
while not (line := open(os.environ["BOUND"]).read()).endswith("\n"):
    time.sleep(0.01)
host, port = line.split()
sock = socket.create_connection((host, int(port)), 20, (os.environ["SERVER"], 0))
while piece := sock.recv(65536):
    sock.sendall(piece)
sock.shutdown(socket.SHUT_WR)
'
    talks "$@" "$CONFIG"
    recorded BIND "$SERVER" 1
}

perl_io() {
    need perl
    perl -MIO::Socket::Socks -e1 || lacks libio-socket-socks-perl
    called perl <<PERL
use strict;
use IO::Socket::Socks;
my \$sock = IO::Socket::Socks->new(SocksVersion => $1, ProxyAddr => \$ENV{PROXY_HOST}, ProxyPort => \$ENV{PROXY_PORT},
    BindAddr => \$ENV{SERVER}, BindPort => 1) or die "BIND: \$SOCKS_ERROR\n";
my (\$host, \$port) = \$sock->dst;
told(\$host, \$port);
\$sock->accept or die "accept: \$SOCKS_ERROR\n";
talk(\$sock);
$PERL_TALK
PERL
}

# A piece goes when the one before has come back.
# shellcheck disable=SC2016 # Perl's
PERL_TALK='
sub told {
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

# Its accept() takes the second reply of version 4 for one of version 5.
@test "clients: IO-Socket-Socks (libio-socket-socks-perl): 5 bind: 300 KB each way with who calls" {
    perl_io 5
}

perl_net() {
    need perl
    perl -MNet::SOCKS -e1 || lacks libnet-socks-perl
    called perl <<PERL
use strict;
use Net::SOCKS;
my \$proxy = Net::SOCKS->new(socks_addr => \$ENV{PROXY_HOST}, socks_port => \$ENV{PROXY_PORT}, protocol_version => $1,
    user_id => "$2");
my (undef, \$host, \$port) = \$proxy->bind(peer_addr => \$ENV{SERVER}, peer_port => 1);
\$proxy->param("status_num") == SOCKS_OKAY or die "BIND: ", Net::SOCKS::status_message(\$proxy->param("status_num")), "\n";
told(\$host, \$port);
my \$sock = \$proxy->accept or die "accept\n";
talk(\$sock);
$PERL_TALK
PERL
}

@test "clients: Net-SOCKS (libnet-socks-perl): 4 bind: 300 KB each way with who calls" {
    perl_net 4 somebody
}

@test "clients: Net-SOCKS (libnet-socks-perl): 5 bind: 300 KB each way with who calls" {
    perl_net 5
}

npm_bind() {
    need node
    [[ -d $NODE_PATH/socks ]] || lacks "npm's socks"
    called node <<JS
const { SocksClient } = require("socks");
const client = new SocksClient({
    proxy: { host: process.env.PROXY_HOST, port: +process.env.PROXY_PORT, type: $1 },
    command: "bind",
    destination: { host: process.env.SERVER, port: 1 },
});
client.on("bound", ({ remoteHost }) => require("fs").writeFileSync(process.env.BOUND, \`\${remoteHost.host} \${remoteHost.port}\n\`));
client.on("established", ({ socket }) => process.stdin.pipe(socket).pipe(process.stdout));
client.on("error", (error) => { throw error; });
client.connect();
JS
}

@test "clients: socks (npm socks): 4 bind: 300 KB each way with who calls" {
    npm_bind 4
}

@test "clients: socks (npm socks): 5 bind: 300 KB each way with who calls" {
    npm_bind 5
}

# -- UDP ASSOCIATE.

# returns_datagrams - $UDP of $SERVER returns each datagram to where it came from.
returns_datagrams() {
    start udp "$PYTHON" -c '
import os, socket
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind((os.environ["SERVER"], 0))
print(sock.getsockname()[1], flush=True)
while True:
    data, whence = sock.recvfrom(65536)
    sock.sendto(data, whence)
'
    wait_line "$(log udp)" '^[0-9]+$'
    UDP=$(head -n 1 "$(log udp)")
    export UDP
}

# Of each length once, up to what no interface cuts, and a datagram at a time: none may be lost, and each is compared.
DATAGRAMS='
def talk(sock, where):
    sock.settimeout(10)
    for length in (*range(0, 1400, 7), 4000, 9000, 60000):
        data = os.urandom(length)
        sock.sendto(data, where)
        back, whence = sock.recvfrom(65536)
        assert back == data, f"{length} bytes: {len(back)} came back"
        assert whence == where, whence
    print("all came back")
'

# returned COMMAND... <SCRIPT - the script says so.
returned() {
    config script
    returns_datagrams
    [[ $("${CLIENT[@]}" timeout 60 env -u PYTHONPATH "$@" "$CONFIG") == 'all came back' ]]
    recorded 'UDP ASSOCIATE' '.*' 1
}

@test "clients: socksify (dante-client): 5 udp: an unknowing python sends and gets 200 datagrams of up to 60000 bytes" {
    need socksify
    socks_conf socks_v5
    returned socksify "$PYTHON" <<PY
import os, socket
$DATAGRAMS
talk(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), (os.environ["SERVER"], int(os.environ["UDP"])))
PY
}

@test "clients: python3-socks: 5 udp: 200 datagrams of up to 60000 bytes, there and back" {
    env -u PYTHONPATH "$PYTHON" -c 'import socks' || lacks python3-socks
    returned "$PYTHON" <<PY
import os, socket, socks
$DATAGRAMS
sock = socks.socksocket(socket.AF_INET, socket.SOCK_DGRAM)
sock.set_proxy(socks.SOCKS5, os.environ["PROXY_HOST"], int(os.environ["PROXY_PORT"]))
talk(sock, (os.environ["SERVER"], int(os.environ["UDP"])))
sock.close()
PY
}

@test "clients: socks (npm socks): 5 udp: 200 datagrams of up to 60000 bytes, there and back" {
    need node
    [[ -d $NODE_PATH/socks ]] || lacks "npm's socks"
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
        sock.send(SocksClient.createUDPFrame({ remoteHost: where, data: sent }), remoteHost.port, remoteHost.host);
    };
    sock.on("message", (message) => {
        const { remoteHost, data } = SocksClient.parseUDPFrame(message);
        if (!data.equals(sent) || remoteHost.host !== where.host || remoteHost.port !== where.port)
            throw new Error(`${sent.length} bytes went, ${data.length} came`);
        next();
    });
    next();
});
client.connect();
JS
}

# answers_names ADDRESS PORT - a name server there knows name.test.
answers_names() {
    need dnsmasq
    start dnsmasq dnsmasq --keep-in-foreground --conf-file=/dev/null --listen-address="$1" --port="$2" --bind-interfaces \
        --no-resolv --no-hosts --address=/name.test/192.0.2.9 --pid-file= --user=root --log-queries --log-facility=-
    wait_line "$(log dnsmasq)" 'started'
}

# dig sends with sendmmsg(2), of which Dante's library knows nothing.
@test "clients: socksify (dante-client): 5 udp: an unknowing kdig asks a name server" {
    need socksify kdig
    answers_names "$SERVER" 53
    socks_conf socks_v5
    [[ $("${CLIENT[@]}" timeout 30 socksify kdig +notcp +retry=0 +time=10 @"$SERVER" name.test A +short) == 192.0.2.9 ]]
    wait_line "$(log dnsmasq)" 'query\[A\] name.test'
    recorded 'UDP ASSOCIATE' '.*' 1
}

# redsocks answers from the address and port that were asked, so the name server cannot have them itself: what is not
# dig's, the handler's, is led to where it is.
@test "clients: redsocks: 5 udp: an unknowing dig is redirected to a name server" {
    need redsocks iptables dig setpriv
    local server port
    server=$(free_port)
    port=$(free_port)
    answers_names 127.0.0.1 "$server"
    config redsocks <<CONF
base { log_debug = off; log_info = off; log = "stderr"; daemon = off; redirector = iptables; }
redudp { local_ip = 127.0.0.1; local_port = $port; ip = $PROXY_HOST; port = $PROXY_PORT; }
CONF
    start redsocks redsocks -c "$CONFIG"
    eventually "${CLIENT[@]}" grep -q "$(printf ':%04X ' "$port")" /proc/net/udp
    "${CLIENT[@]}" sh -ec "
        ip rule add fwmark 1 lookup 100
        ip route add local default dev lo table 100
        iptables -t mangle -A OUTPUT -p udp -d $SERVER --dport 53 -m owner --uid-owner daemon -j MARK --set-mark 1
        iptables -t mangle -A PREROUTING -p udp -m mark --mark 1 -j TPROXY --on-ip 127.0.0.1 --on-port $port
        iptables -t nat -A OUTPUT -p udp -d $SERVER --dport 53 -m mark ! --mark 1 -j DNAT --to-destination 127.0.0.1:$server"
    for name in {a,b,c}.name.test; do
        [[ $("${CLIENT[@]}" timeout 30 setpriv --reuid=daemon --clear-groups dig +notcp +tries=1 +time=10 @"$SERVER" "$name" A +short) == 192.0.2.9 ]]
    done
    (($(grep -c 'query\[A\] [abc].name.test' "$(log dnsmasq)") == 3))
    stop redsocks
    recorded 'UDP ASSOCIATE' '.*' 3
}

@test "clients: socksify (dante-client): 5 udp: an unknowing HTTP/3 client, ngtcp2's, fetches 300 KB over QUIC" {
    need socksify gtlsclient gtlsserver openssl
    local folder=$BATS_TEST_TMPDIR/www port
    port=$(free_port)
    mkdir "$folder" "$BATS_TEST_TMPDIR/got"
    head -c 300000 /dev/urandom >"$folder/file"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=web.test \
        -keyout "$BATS_TEST_TMPDIR/key" -out "$BATS_TEST_TMPDIR/certificate" 2>/dev/null
    start quic gtlsserver -q -d "$folder" "$SERVER" "$port" "$BATS_TEST_TMPDIR/key" "$BATS_TEST_TMPDIR/certificate"
    eventually "${CLIENT[@]}" grep -q "$(printf ':%04X ' "$port")" /proc/net/udp
    socks_conf socks_v5
    "${CLIENT[@]}" timeout 30 socksify gtlsclient -q --download="$BATS_TEST_TMPDIR/got" --exit-on-all-streams-close \
        "$SERVER" "$port" https://web.test/file >&2
    cmp "$folder/file" "$BATS_TEST_TMPDIR/got/file" >&2
    recorded 'UDP ASSOCIATE' '.*' 1
}

#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Real clients of BIND and UDP ASSOCIATE.

load helper
load net/world
load tools/clients

# shellcheck disable=SC2034 # serve reads it
SERVES=(-o 'version 4 5' -o 'command connect bind udp')

setup() {
    machine
    serve
    export SERVER
}

# recorded COMMAND DESTINATION COUNT - so many records say so, and all went well.
recorded() {
    counted_records() {
        (($(sed -n "/^STDSOCKS_COMMAND=$1\$/{n;p}" "$LOG" | grep -cx "STDSOCKS_DST=$2") == $3))
    }
    eventually counted_records "$@"
    ended_well
}

# -- BIND: somebody calls back.

@test "clients: socksify (dante-client): 4, 5 bind: an unknowing ftp in active mode gets and puts 300 KB" {
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

# called COMMAND... <SCRIPT - a client that asks for BIND, writes the bound address to $BOUND, and
# then sends what it reads and prints what comes back. Its peer connects from $SERVER, and returns
# what it receives.
called() {
    row "$*"
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
    need perl
    perl -MIO::Socket::Socks -e1 || lacks libio-socket-socks-perl
    called perl <<PERL
use strict;
use IO::Socket::Socks;
my \$sock = IO::Socket::Socks->new(SocksVersion => 5, ProxyAddr => "$PROXY_HOST",
    ProxyPort => $PROXY_PORT, BindAddr => "$SERVER", BindPort => 1) or die "BIND: \$SOCKS_ERROR\n";
my (\$host, \$port) = \$sock->dst;
told(\$host, \$port);
\$sock->accept or die "accept: \$SOCKS_ERROR\n";
talk(\$sock);
$PERL_TALK
PERL
}

@test "clients: Net-SOCKS (libnet-socks-perl): 4, 5 bind: 300 KB each way with who calls" {
    need perl
    perl -MNet::SOCKS -e1 || lacks libnet-socks-perl
    for words in '4 somebody' 5; do
        read -r version user <<<"$words"
        called perl <<PERL
use strict;
use Net::SOCKS;
my \$proxy = Net::SOCKS->new(socks_addr => "$PROXY_HOST", socks_port => $PROXY_PORT,
    protocol_version => $version, user_id => "$user");
my (undef, \$host, \$port) = \$proxy->bind(peer_addr => "$SERVER", peer_port => 1);
my \$status = \$proxy->param("status_num");
\$status == SOCKS_OKAY or die "BIND: ", Net::SOCKS::status_message(\$status), "\n";
told(\$host, \$port);
my \$sock = \$proxy->accept or die "accept\n";
talk(\$sock);
$PERL_TALK
PERL
    done
}

@test "clients: socks (npm socks): 4, 5 bind: 300 KB each way with who calls" {
    need_npm socks
    for version in 4 5; do
        called node <<JS
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

# returned COMMAND... <SCRIPT - the script prints that all came back from $UDP of $SERVER, which
# returns each datagram.
returned() {
    config script
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

@test "clients: socks (npm socks): 5 udp: 200 datagrams of up to 60000 bytes, there and back" {
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

# wait_bound PORT - wait until a UDP socket has this port.
wait_bound() {
    eventually "${CLIENT[@]}" grep -q "$(printf ':%04X ' "$1")" /proc/net/udp
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
    need socksify
    need kdig
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
    wait_bound "$port"
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
    need socksify
    need gtlsclient gtlsserver openssl
    local folder=$BATS_TEST_TMPDIR/www port
    port=$(free_port)
    mkdir "$folder" "$BATS_TEST_TMPDIR/got"
    random www/file 300000
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=web.test \
        -keyout "$BATS_TEST_TMPDIR/key" -out "$BATS_TEST_TMPDIR/certificate" 2>/dev/null
    start quic gtlsserver -q -d "$folder" "$SERVER" "$port" "$BATS_TEST_TMPDIR/key" "$BATS_TEST_TMPDIR/certificate"
    wait_bound "$port"
    socks_conf socks_v5
    "${CLIENT[@]}" timeout 30 socksify gtlsclient -q --download="$BATS_TEST_TMPDIR/got" --exit-on-all-streams-close \
        "$SERVER" "$port" https://web.test/file >&2
    cmp "$folder/file" "$BATS_TEST_TMPDIR/got/file" >&2
    recorded 'UDP ASSOCIATE' '.*' 1
}

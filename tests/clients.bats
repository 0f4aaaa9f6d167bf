#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Real clients to real servers, through the handler under launch.

load helper
load net/world
load tools/clients

GB=1000000000
ZERO=00000000000000000000000000000000
GB_DIGEST=e61756bbcbfe5f6f70ffcdf933e41ef55db7ba2923ab85feeb50eef860520f9f # of so many bytes of AES-128-CTR, its key and counter zero

setup() {
    serve -o 'version 4 5'
}

# serve ARGUMENT... - start the handler with them; it listens on $PROXY_HOST and $PROXY_PORT.
serve() {
    launch -- "$@"
    read -r PROXY_HOST PROXY_PORT <<<"$PROXY"
}

# came COUNT VERSION DST - so many connections came and have ended in order, each in this version of SOCKS
# and to this destination as the handler understood it.
came() {
    local message='client sends request:'
    [[ $2 != 4* ]] || message='client sends SOCKS 4 request:'
    gone() {
        (($(grep -cE '^exit [0-9]+ 0$' "$LOG") == $1))
    }
    eventually gone "$1"
    (($(grep -c '^start ' "$LOG") == $1 && $(grep -cxF "$message" "$LOG") == $1))
    asked "$3"
}

# random NAME BYTES - a file of so many, $BATS_TEST_TMPDIR/NAME.
random() {
    head -c "$2" /dev/urandom >"$BATS_TEST_TMPDIR/$1"
}

digest_of() {
    sha256sum <"$1" | cut -c 1-64
}

fetch() {
    curl -sS --max-time 60 "$@"
}

# down_and_up HOST OPTION... - curl with these options gets and puts 300 KB, over one connection.
down_and_up() {
    local url=http://$1:$WEB
    shift
    random up 300000
    fetch "$@" -o "$BATS_TEST_TMPDIR/down" "$url/300000" --next \
        -sS --max-time 60 "$@" -T "$BATS_TEST_TMPDIR/up" "$url/"
    served GET 300000 "$(digest_of "$BATS_TEST_TMPDIR/down")"
    served PUT 300000 "$(digest_of "$BATS_TEST_TMPDIR/up")"
}

@test "clients: curl: 4 connect: --socks4, down and up" {
    need curl
    web
    down_and_up localhost --socks4 "$PROXY_HOST:$PROXY_PORT"
    came 1 4 127.0.0.1
}

@test "clients: curl: 4a connect: --socks4a, down and up" {
    need curl
    web
    down_and_up localhost --socks4a "$PROXY_HOST:$PROXY_PORT"
    came 1 4a localhost
}

@test "clients: curl: 5 connect: --socks5, down and up" {
    need curl
    web
    down_and_up 127.0.0.1 --socks5 "$PROXY_HOST:$PROXY_PORT"
    came 1 5 127.0.0.1
}

@test "clients: curl: 5 connect: --socks5 to IPv6" {
    need curl
    web ::1
    down_and_up '[::1]' --socks5 "$PROXY_HOST:$PROXY_PORT"
    came 1 5 ::1
}

@test "clients: curl: 5 connect: --socks5-hostname" {
    need curl
    web
    down_and_up localhost --socks5-hostname "$PROXY_HOST:$PROXY_PORT"
    came 1 5 localhost
}

@test "clients: curl: 5 connect: with a password, and not without" {
    need curl
    web
    (umask 077 && echo 'alice:secret' >"$BATS_TEST_TMPDIR/users")
    serve -o 'auth password' -o "users $BATS_TEST_TMPDIR/users"
    down_and_up localhost --proxy "socks5h://alice:secret@$PROXY_HOST:$PROXY_PORT"
    came 1 5 localhost
    ended USER=alice
    run fetch --proxy "socks5h://alice:other@$PROXY_HOST:$PROXY_PORT" "http://localhost:$WEB/1"
    ((status == 97)) # CURLE_PROXY
    run fetch --proxy "socks5h://$PROXY_HOST:$PROXY_PORT" "http://localhost:$WEB/1"
    ((status == 97))
}

@test "clients: curl: 5 connect: at a Unix path" {
    need curl
    web
    launch -l "$BATS_TEST_TMPDIR/socks"
    down_and_up localhost --proxy "socks5h://localhost$BATS_TEST_TMPDIR/socks"
    came 1 5 localhost
    ended CLIENT=unix
}

@test "clients: curl: 5 connect: --preproxy, tinyproxy behind it" {
    need curl tinyproxy
    web
    TINYPROXY=$(free_port)
    printf '%s\n' "Port $TINYPROXY" 'Listen 127.0.0.1' 'Allow 127.0.0.1' >"$BATS_TEST_TMPDIR/tinyproxy.conf"
    start tinyproxy tinyproxy -d -c "$BATS_TEST_TMPDIR/tinyproxy.conf"
    wait_listening "$TINYPROXY"
    down_and_up localhost --preproxy "socks5h://$PROXY_HOST:$PROXY_PORT" --proxy "http://localhost:$TINYPROXY" -p
    came 1 5 localhost
    ended DST_PORT="$TINYPROXY"
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

@test "clients: curl: 5 connect: HTTP/2 with TLS, three files over one connection" {
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

# there_and_back HOST COMMAND... - what goes in comes back and, after the half-close, upstream's count and
# digest of it. The command's last arguments are HOST and a port.
there_and_back() {
    upstream echo-then-answer
    random question 500000
    "${@:2}" "$1" "$UPSTREAM" <"$BATS_TEST_TMPDIR/question" >"$BATS_TEST_TMPDIR/answer"
    {
        cat "$BATS_TEST_TMPDIR/question"
        echo "bytes=500000 sha256=$(digest_of "$BATS_TEST_TMPDIR/question")"
    } | cmp - "$BATS_TEST_TMPDIR/answer" >&2
    ended DST_PORT="$UPSTREAM" END=closed BYTES_UP=500000
}

@test "clients: ncat: 4 connect: there and back, with a half-close" {
    need ncat
    there_and_back 127.0.0.1 ncat --proxy-type socks4 --proxy "$PROXY_HOST:$PROXY_PORT"
    came 1 4 127.0.0.1
}

@test "clients: ncat: 4a connect: there and back, with a half-close" {
    need ncat
    there_and_back localhost ncat --proxy-type socks4 --proxy-dns remote --proxy "$PROXY_HOST:$PROXY_PORT"
    came 1 4a localhost
}

@test "clients: ncat: 5 connect: there and back, with a half-close" {
    need ncat
    there_and_back localhost ncat --proxy-type socks5 --proxy-dns remote --proxy "$PROXY_HOST:$PROXY_PORT"
    came 1 5 localhost
}

@test "clients: nc (netcat-openbsd): 4 connect: -X 4, there and back, with a half-close" {
    need nc.openbsd
    there_and_back localhost nc.openbsd -N -X 4 -x "$PROXY_HOST:$PROXY_PORT"
    came 1 4 127.0.0.1
}

@test "clients: nc (netcat-openbsd): 5 connect: -X 5, there and back, with a half-close" {
    need nc.openbsd
    there_and_back localhost nc.openbsd -N -X 5 -x "$PROXY_HOST:$PROXY_PORT"
    came 1 5 localhost
}

# through_socat ADDRESS HOST PORT
through_socat() {
    socat -t 30 - "$1:$PROXY_HOST:$2:$3,socksport=$PROXY_PORT"
}

@test "clients: socat: 4 connect: SOCKS4, there and back, with a half-close" {
    need socat
    there_and_back localhost through_socat SOCKS4
    came 1 4 127.0.0.1
}

@test "clients: socat: 4a connect: SOCKS4A, there and back, with a half-close" {
    need socat
    there_and_back localhost through_socat SOCKS4A
    came 1 4a localhost
}

@test "clients: connect-proxy: 4 connect: there and back, with a half-close" {
    need connect-proxy
    there_and_back localhost connect-proxy -4 -S "$PROXY_HOST:$PROXY_PORT"
    came 1 4 127.0.0.1
}

@test "clients: connect-proxy: 4a connect: there and back, with a half-close" {
    need connect-proxy
    there_and_back localhost connect-proxy -4 -R remote -S "$PROXY_HOST:$PROXY_PORT"
    came 1 4a localhost
}

@test "clients: connect-proxy: 5 connect: there and back, with a half-close" {
    need connect-proxy
    there_and_back localhost connect-proxy -5 -S "$PROXY_HOST:$PROXY_PORT"
    came 1 5 localhost
}

# serve_ssh PROXYCOMMAND - sshd on a free port of 127.0.0.1, for one key; ssh_config has the host "peer",
# which is reached by this command. sshd wants a user of its own and a folder in /run: both are there
# in its own mount namespace only, as is all that it knows of this machine's users.
serve_ssh() {
    local file=$BATS_TEST_TMPDIR sshd
    need_world
    need ssh ssh-keygen sshd
    sshd=$(command -v sshd)
    SSHD=$(free_port)
    ssh-keygen -q -t ed25519 -N '' -f "$file/host_key"
    ssh-keygen -q -t ed25519 -N '' -f "$file/key"
    echo "peer $(<"$file/host_key.pub")" >"$file/known_hosts"
    printf '%s\n' "root:x:0:0::$file:/bin/sh" 'sshd:x:101:65534::/run/sshd:/bin/false' >"$file/passwd"
    printf '%s\n' 'root:*:1::::::' 'sshd:*:1::::::' >"$file/shadow"
    cat >"$file/sshd_config" <<CONF
ListenAddress 127.0.0.1:$SSHD
PidFile $file/sshd.pid
HostKey $file/host_key
AuthorizedKeysFile $file/key.pub
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
Subsystem sftp internal-sftp
CONF
    cat >"$file/ssh_config" <<CONF
Host peer
    HostName localhost
    HostKeyAlias peer
    Port $SSHD
    User root
    BatchMode yes
    IdentityFile $file/key
    IdentitiesOnly yes
    UserKnownHostsFile $file/known_hosts
    StrictHostKeyChecking yes
    ProxyCommand $1
CONF
    start sshd unshare --mount sh -ec "mount --bind '$file/passwd' /etc/passwd
        mount --bind '$file/shadow' /etc/shadow
        mount -t tmpfs -o mode=755 tmpfs /run
        mkdir /run/sshd
        exec '$sshd' -D -e -f '$file/sshd_config'"
    wait_listening "$SSHD"
}

# copies PROXYCOMMAND OPTION... - scp with these options takes a file to the peer and another name back.
copies() {
    serve_ssh "$1"
    random file 500000
    scp -q -F "$BATS_TEST_TMPDIR/ssh_config" "${@:2}" "$BATS_TEST_TMPDIR/file" "peer:$BATS_TEST_TMPDIR/there"
    cmp "$BATS_TEST_TMPDIR/file" "$BATS_TEST_TMPDIR/there"
    scp -q -F "$BATS_TEST_TMPDIR/ssh_config" "${@:2}" "peer:$BATS_TEST_TMPDIR/there" "$BATS_TEST_TMPDIR/back"
    cmp "$BATS_TEST_TMPDIR/file" "$BATS_TEST_TMPDIR/back"
}

# echoes PROXYCOMMAND - a command there says back what it is told, until its end of input.
echoes() {
    serve_ssh "$1"
    random file 500000
    ssh -F "$BATS_TEST_TMPDIR/ssh_config" peer 'cat; echo end' <"$BATS_TEST_TMPDIR/file" >"$BATS_TEST_TMPDIR/back"
    echo end >>"$BATS_TEST_TMPDIR/file"
    cmp "$BATS_TEST_TMPDIR/file" "$BATS_TEST_TMPDIR/back"
}

@test "clients: ssh (openssh-client): 4 connect: through a command there and back, by nc as ProxyCommand" {
    need nc.openbsd
    echoes "nc.openbsd -X 4 -x $PROXY_HOST:$PROXY_PORT 127.0.0.1 %p"
    came 1 4 127.0.0.1
}

@test "clients: ssh (openssh-client): 5 connect: through a command there and back, by nc as ProxyCommand" {
    need nc.openbsd
    echoes "nc.openbsd -X 5 -x $PROXY_HOST:$PROXY_PORT %h %p"
    came 1 5 localhost
}

@test "clients: ssh (openssh-client): 4a connect: through a command there and back, by connect-proxy as ProxyCommand" {
    need connect-proxy
    echoes "connect-proxy -4 -R remote -S $PROXY_HOST:$PROXY_PORT %h %p"
    came 1 4a localhost
}

@test "clients: scp (openssh-client): 5 connect: there and back over SFTP, by connect-proxy as ProxyCommand" {
    need connect-proxy scp
    copies "connect-proxy -5 -S $PROXY_HOST:$PROXY_PORT %h %p"
    came 2 5 localhost
}

@test "clients: scp (openssh-client): 5 connect: -O, there and back by its own protocol, by nc as ProxyCommand" {
    need nc.openbsd scp
    copies "nc.openbsd -X 5 -x $PROXY_HOST:$PROXY_PORT %h %p" -O
    came 2 5 localhost
}

# git_repository FOLDER - of one file of 2 MB.
git_repository() {
    git init -q "$1"
    head -c 2000000 /dev/urandom >"$1/file"
    git -C "$1" add file
    git -C "$1" -c user.name=test -c user.email=test@localhost commit -qm 'add a file'
}

# git_clone REPOSITORY URL OPTION... - and what was cloned is what is there.
git_clone() {
    git "${@:3}" clone -q "$2" "$BATS_TEST_TMPDIR/clone"
    git -C "$BATS_TEST_TMPDIR/clone" fsck --strict
    cmp "$1/file" "$BATS_TEST_TMPDIR/clone/file"
}

# clones SCHEME VERSION HOST - git takes a repository from there over HTTP.
clones() {
    need git
    serve_files ''
    repository=$BATS_TEST_TMPDIR/www/repository
    git_repository "$repository"
    git -C "$repository" update-server-info
    git_clone "$repository" "http://$3:$NGINX/repository/.git" -c http.proxy="$1://$PROXY_HOST:$PROXY_PORT"
    spoke "$2" "$3" "$(grep -c '^start ' "$LOG")"
}

@test "clients: git: 4 connect: a clone over HTTP" {
    clones socks4 4 127.0.0.1
}

@test "clients: git: 4a connect: a clone over HTTP, from a name" {
    clones socks4a 4 localhost
}

@test "clients: git: 5 connect: a clone over HTTP, from a name" {
    clones socks5h 5 localhost
}

@test "clients: git: 5 connect: a clone and a push over ssh, by nc as ProxyCommand" {
    need git nc.openbsd
    serve_ssh "nc.openbsd -X 5 -x $PROXY_HOST:$PROXY_PORT %h %p"
    git_repository "$BATS_TEST_TMPDIR/repository"
    export GIT_SSH_COMMAND="ssh -F $BATS_TEST_TMPDIR/ssh_config"
    git_clone "$BATS_TEST_TMPDIR/repository" "peer:$BATS_TEST_TMPDIR/repository"
    git -C "$BATS_TEST_TMPDIR/clone" push -q origin HEAD:pushed
    [[ $(git -C "$BATS_TEST_TMPDIR/repository" rev-parse pushed) == $(git -C "$BATS_TEST_TMPDIR/clone" rev-parse HEAD) ]]
    came 2 5 localhost
}

# deb_repository - a package without dependencies, "parcel", with a file of 300 KB, is served by nginx.
deb_repository() {
    local tree=$BATS_TEST_TMPDIR/parcel www=$BATS_TEST_TMPDIR/www
    serve_files ''
    mkdir -p "$tree/DEBIAN" "$tree/usr/share/parcel"
    printf '%s\n' 'Package: parcel' 'Version: 1' 'Architecture: all' 'Maintainer: test <test@localhost>' \
        'Description: a file' >"$tree/DEBIAN/control"
    head -c 300000 /dev/urandom >"$tree/usr/share/parcel/file"
    dpkg-deb --root-owner-group -b "$tree" "$www/parcel.deb" >&2
    {
        dpkg-deb -f "$www/parcel.deb"
        echo 'Filename: ./parcel.deb'
        echo "Size: $(stat -c %s "$www/parcel.deb")"
        echo "SHA256: $(digest_of "$www/parcel.deb")"
    } >"$www/Packages"
}

# This machine's apt neither configures the test's nor is told of it: all folders are below another root.
@test "clients: apt: 5 connect: Acquire::http::proxy socks5h://, update, download and install" {
    need apt-get dpkg-deb
    ((EUID == 0)) || lacks 'root'
    deb_repository
    local root=$BATS_TEST_TMPDIR/root
    mkdir -p "$root"/{etc/apt/{apt.conf,preferences}.d,var/{cache/apt/archives/partial,lib/apt/lists/partial,lib/dpkg/{info,updates},log/apt}}
    : >"$root/var/lib/dpkg/status"
    echo "deb [trusted=yes] http://localhost:$NGINX ./" >"$root/etc/apt/sources.list"
    cat >"$BATS_TEST_TMPDIR/apt.conf" <<CONF
Dir "$root/";
Dir::State::status "$root/var/lib/dpkg/status";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::http::proxy "socks5h://$PROXY_HOST:$PROXY_PORT";
DPkg::Options { "--root=$root"; "--log=$root/var/log/dpkg.log"; };
CONF
    export APT_CONFIG=$BATS_TEST_TMPDIR/apt.conf
    apt-get -q update
    (cd "$BATS_TEST_TMPDIR" && apt-get -q download parcel)
    cmp "$BATS_TEST_TMPDIR"/parcel_1_all.deb "$BATS_TEST_TMPDIR/www/parcel.deb"
    apt-get -q -y install parcel
    cmp "$BATS_TEST_TMPDIR/parcel/usr/share/parcel/file" "$root/usr/share/parcel/file"
    logged 2 "^HTTP/1.1 200 /./parcel.deb localhost:$NGINX\$"
    asked localhost
}

@test "clients: tor-resolve (tor): 4a resolve: the address of a name" {
    need tor-resolve
    serve -o 'version 4 5' -o 'command connect resolve'
    [[ $(timeout 20 tor-resolve -4 localhost "$PROXY_HOST:$PROXY_PORT") == 127.0.0.1 ]]
    came 1 4a localhost
}

@test "clients: tor-resolve (tor): 5 resolve: the address of a name, and the name of an address" {
    need tor-resolve
    serve -o 'command connect resolve'
    [[ $(timeout 20 tor-resolve -5 localhost "$PROXY_HOST:$PROXY_PORT") =~ ^(127.0.0.1|::1)$ ]]
    came 1 5 localhost
    serve -o 'command connect resolve'
    [[ $(timeout 20 tor-resolve -x 127.0.0.1 "$PROXY_HOST:$PROXY_PORT") == localhost ]]
    came 1 5 127.0.0.1
}

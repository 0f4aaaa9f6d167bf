#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Clients from Debian, which connect to servers through the handler (CONNECT and RESOLVE). The
# titles are rows of the table of clients: clients-table.

load helper
load net/world
load tools/clients

GB=1000000000
ZERO=00000000000000000000000000000000
# The digest of 1 GB of AES-128-CTR with key and counter zero.
GB_DIGEST=e61756bbcbfe5f6f70ffcdf933e41ef55db7ba2923ab85feeb50eef860520f9f

setup() {
    serve
}

fetch() {
    curl -sS --max-time 60 "$@"
}

# down_and_up HOST OPTION... - get and put 300 KB over one connection with curl and these options.
down_and_up() {
    local url=http://$1:$WEB
    shift
    random up 300000
    fetch "$@" -o "$BATS_TEST_TMPDIR/down" "$url/300000" --next \
        -sS --max-time 60 "$@" -T "$BATS_TEST_TMPDIR/up" "$url/"
    served GET 300000 "$(digest_of "$BATS_TEST_TMPDIR/down")"
    served PUT 300000 "$(digest_of "$BATS_TEST_TMPDIR/up")"
}

@test "clients: curl: 4, 4a, 5 connect: 300 KB down and up over one connection" {
    need curl
    web ::
    for words in '4 localhost 127.0.0.1 socks4' '4a localhost localhost socks4a' \
        '5 127.0.0.1 127.0.0.1 socks5' '5 [::1] ::1 socks5' \
        '5 localhost localhost socks5-hostname'; do
        row "$words"
        read -r version host destination option <<<"$words"
        down_and_up "$host" "--$option" "$PROXY_HOST:$PROXY_PORT"
        sessions "$version" "$destination" 1
    done
}

@test "clients: curl: 5 connect: logs in with a password, and fails without one" {
    need curl
    web
    (umask 077 && echo 'alice:secret' >"$BATS_TEST_TMPDIR/users")
    serve -o 'auth password' -o "users $BATS_TEST_TMPDIR/users"
    down_and_up localhost --proxy "socks5h://alice:secret@$PROXY_HOST:$PROXY_PORT"
    sessions 5 localhost 1
    ended USER=alice
    run fetch --proxy "socks5h://alice:other@$PROXY_HOST:$PROXY_PORT" "http://localhost:$WEB/1"
    ((status == 97)) # CURLE_PROXY
    run fetch --proxy "socks5h://$PROXY_HOST:$PROXY_PORT" "http://localhost:$WEB/1"
    ((status == 97))
}

@test "clients: curl: 5 connect: to an AF_UNIX socket" {
    need curl
    web
    launch -l "$BATS_TEST_TMPDIR/socks" -- "${SERVES[@]}"
    down_and_up localhost --proxy "socks5h://localhost$BATS_TEST_TMPDIR/socks"
    sessions 5 localhost 1
    ended CLIENT=unix
}

@test "clients: curl: 5 connect: --preproxy, with tinyproxy as the second proxy" {
    need curl tinyproxy
    web
    TINYPROXY=$(free_port)
    config tinyproxy.conf < <(printf '%s\n' "Port $TINYPROXY" 'Listen 127.0.0.1' 'Allow 127.0.0.1')
    start tinyproxy tinyproxy -d -c "$CONFIG"
    wait_listening "$TINYPROXY"
    down_and_up localhost --preproxy "socks5h://$PROXY_HOST:$PROXY_PORT" \
        --proxy "http://localhost:$TINYPROXY" -p
    sessions 5 localhost 1
    ended DST_PORT="$TINYPROXY"
}

@test "clients: curl: 5 connect: HTTP/2 without TLS" {
    need curl
    serve_files http2
    random www/file 300000
    fetch --http2-prior-knowledge --socks5 "$PROXY_HOST:$PROXY_PORT" \
        "http://127.0.0.1:$NGINX/file" | cmp - "$BATS_TEST_TMPDIR/www/file" >&2
    logged 1 "^HTTP/2.0 200 /file 127.0.0.1:$NGINX\$"
    requested 127.0.0.1
}

@test "clients: curl: 5 connect: HTTP/2 with TLS, three files over one connection" {
    need curl openssl
    certificate localhost
    serve_files 'http2 ssl' \
        "ssl_certificate $BATS_TEST_TMPDIR/certificate; ssl_certificate_key $BATS_TEST_TMPDIR/key;"
    random www/file 300000
    url=https://localhost:$NGINX/file
    fetch --http2 --cacert "$BATS_TEST_TMPDIR/certificate" \
        --socks5-hostname "$PROXY_HOST:$PROXY_PORT" "$url?1" "$url?2" "$url?3" |
        cmp - <(cat "$BATS_TEST_TMPDIR"/www/file{,,}) >&2
    logged 3 "^HTTP/2.0 200 /file.[123] localhost:$NGINX\$"
    (($(grep -c '^start ' "$LOG") == 1))
    requested localhost
}

# These two tests take the time to hash and copy 1 GB four times each.
@test "clients: curl: 5 connect: 1 GB down" {
    need curl openssl
    web
    digest=$(fetch --socks5 "$PROXY_HOST:$PROXY_PORT" "http://127.0.0.1:$WEB/$GB" |
        openssl dgst -sha256 -r)
    served GET "$GB" "${digest%% *}"
    ended
    (($(sed -n 's/^STDSOCKS_BYTES_DOWN=//p' "$LOG") > GB))
}

@test "clients: curl: 5 connect: 1 GB up" {
    need curl openssl
    web
    # The output of a stream cipher is fast, looks random, and is always the same.
    openssl enc -aes-128-ctr -K "$ZERO" -iv "$ZERO" -in /dev/zero 2>/dev/null | head -c "$GB" |
        fetch --socks5 "$PROXY_HOST:$PROXY_PORT" -T - -H "Content-Length: $GB" \
            -H Transfer-Encoding: -H Expect: "http://127.0.0.1:$WEB/"
    served PUT "$GB" "$GB_DIGEST"
    ended
    (($(sed -n 's/^STDSOCKS_BYTES_UP=//p' "$LOG") > GB))
}

# echo_test VERSION HOST DESTINATION COMMAND... - send 500 KB through the command, whose last
# arguments are HOST and a port, to an echo server, which adds their count and digest after the
# half-close. Check that the client requests DESTINATION.
echo_test() {
    row "$*"
    random question 500000
    "${@:4}" "$2" "$UPSTREAM" <"$BATS_TEST_TMPDIR/question" >"$BATS_TEST_TMPDIR/answer"
    {
        cat "$BATS_TEST_TMPDIR/question"
        echo "bytes=500000 sha256=$(digest_of "$BATS_TEST_TMPDIR/question")"
    } | cmp - "$BATS_TEST_TMPDIR/answer" >&2
    ended DST_PORT="$UPSTREAM" END=closed BYTES_UP=500000
    sessions "$1" "$3" 1
}

@test "clients: ncat: 4, 4a, 5 connect: 500 KB echoed, then a half-close" {
    need ncat
    upstream echo-then-answer
    echo_test 4 127.0.0.1 127.0.0.1 ncat --proxy-type socks4 --proxy "$PROXY_HOST:$PROXY_PORT"
    for version in 4a 5; do
        echo_test "$version" localhost localhost ncat --proxy-type "socks${version%a}" \
            --proxy-dns remote --proxy "$PROXY_HOST:$PROXY_PORT"
    done
}

@test "clients: nc (netcat-openbsd): 4, 5 connect: 500 KB echoed, then a half-close" {
    need nc.openbsd
    upstream echo-then-answer
    echo_test 4 localhost 127.0.0.1 nc.openbsd -N -X 4 -x "$PROXY_HOST:$PROXY_PORT"
    echo_test 5 localhost localhost nc.openbsd -N -X 5 -x "$PROXY_HOST:$PROXY_PORT"
}

# through_socat ADDRESS HOST PORT
through_socat() {
    socat -t 30 - "$1:$PROXY_HOST:$2:$3,socksport=$PROXY_PORT"
}

@test "clients: socat: 4, 4a connect: 500 KB echoed, then a half-close" {
    need socat
    upstream echo-then-answer
    echo_test 4 localhost 127.0.0.1 through_socat SOCKS4
    echo_test 4a localhost localhost through_socat SOCKS4A
}

@test "clients: connect-proxy: 4, 4a, 5 connect: 500 KB echoed, then a half-close" {
    need connect-proxy
    upstream echo-then-answer
    echo_test 4 localhost 127.0.0.1 connect-proxy -4 -S "$PROXY_HOST:$PROXY_PORT"
    echo_test 4a localhost localhost connect-proxy -4 -R remote -S "$PROXY_HOST:$PROXY_PORT"
    echo_test 5 localhost localhost connect-proxy -5 -S "$PROXY_HOST:$PROXY_PORT"
}

# serve_ssh - start sshd on a free port of 127.0.0.1, with one authorized key. ssh_config has the
# host "server". The user and the folder in /run that sshd needs exist in its mount namespace only.
serve_ssh() {
    need_root
    local file=$BATS_TEST_TMPDIR sshd program path
    need_world
    need ssh ssh-keygen sshd
    sshd=$(command -v sshd)
    SSHD=$(free_port)
    ssh-keygen -q -t ed25519 -N '' -f "$file/host_key"
    ssh-keygen -q -t ed25519 -N '' -f "$file/key"
    echo "server $(<"$file/host_key.pub")" >"$file/known_hosts"
    printf '%s\n' "root:x:0:0::$file:/bin/sh" \
        'sshd:x:101:65534::/run/sshd:/bin/false' >"$file/passwd"
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
    # Since OpenSSH 9.8 and 10.0, sshd executes these programs. An unpacked package has other paths.
    for program in Session Auth; do
        path=${sshd%/sbin/sshd}/lib/openssh/sshd-${program,}
        [[ ! -x $path ]] || echo "Sshd${program}Path $path" >>"$file/sshd_config"
    done
    cat >"$file/ssh_config" <<CONF
Host server
    HostName localhost
    HostKeyAlias server
    Port $SSHD
    User root
    BatchMode yes
    IdentityFile $file/key
    IdentitiesOnly yes
    UserKnownHostsFile $file/known_hosts
    StrictHostKeyChecking yes
CONF
    start sshd unshare --mount sh -ec "mount --bind '$file/passwd' /etc/passwd
        mount --bind '$file/shadow' /etc/shadow
        mount -t tmpfs -o mode=755 tmpfs /run
        mkdir -m 755 /run/sshd
        exec '$sshd' -D -e -f '$file/sshd_config'"
    wait_listening "$SSHD"
}

@test "clients: ssh (openssh-client): 4, 4a, 5 connect: 500 KB echoed through a ProxyCommand" {
    need nc.openbsd connect-proxy
    serve_ssh
    random file 500000
    proxy=$PROXY_HOST:$PROXY_PORT
    for words in "4 127.0.0.1 nc.openbsd -X 4 -x $proxy 127.0.0.1 %p" \
        "4a localhost connect-proxy -4 -R remote -S $proxy %h %p" \
        "5 localhost nc.openbsd -X 5 -x $proxy %h %p"; do
        row "$words"
        read -r version destination command <<<"$words"
        ssh -F "$BATS_TEST_TMPDIR/ssh_config" -o "ProxyCommand $command" server 'cat; echo end' \
            <"$BATS_TEST_TMPDIR/file" >"$BATS_TEST_TMPDIR/back"
        cmp "$BATS_TEST_TMPDIR/back" <(cat "$BATS_TEST_TMPDIR/file" - <<<end) >&2
        sessions "$version" "$destination" 1
    done
}

@test "clients: scp (openssh-client): 5 connect: 500 KB in both directions, over SFTP and with -O" {
    need nc.openbsd connect-proxy scp
    serve_ssh
    random file 500000
    for words in "-s connect-proxy -5 -S $PROXY_HOST:$PROXY_PORT %h %p" \
        "-O nc.openbsd -X 5 -x $PROXY_HOST:$PROXY_PORT %h %p"; do
        row "$words"
        read -r protocol command <<<"$words"
        copy=(scp -q -F "$BATS_TEST_TMPDIR/ssh_config" "$protocol" -o "ProxyCommand $command")
        "${copy[@]}" "$BATS_TEST_TMPDIR/file" "server:$BATS_TEST_TMPDIR/there"
        cmp "$BATS_TEST_TMPDIR/file" "$BATS_TEST_TMPDIR/there"
        "${copy[@]}" "server:$BATS_TEST_TMPDIR/there" "$BATS_TEST_TMPDIR/back"
        cmp "$BATS_TEST_TMPDIR/file" "$BATS_TEST_TMPDIR/back"
        sessions 5 localhost 2
    done
}

# git_repository FOLDER - create a repository with a file of 2 MB.
git_repository() {
    git init -q "$1"
    head -c 2000000 /dev/urandom >"$1/file"
    git -C "$1" add file
    git -C "$1" -c user.name=test -c user.email=test@localhost commit -qm 'add a file'
}

# git_clone REPOSITORY URL OPTION... - clone from URL, and compare with the repository.
git_clone() {
    rm -rf "$BATS_TEST_TMPDIR/clone"
    git "${@:3}" clone -q "$2" "$BATS_TEST_TMPDIR/clone"
    git -C "$BATS_TEST_TMPDIR/clone" fsck --strict
    cmp "$1/file" "$BATS_TEST_TMPDIR/clone/file"
}

@test "clients: git: 4, 4a, 5 connect: clones over HTTP" {
    need git
    serve_files ''
    repository=$BATS_TEST_TMPDIR/www/repository
    git_repository "$repository"
    git -C "$repository" update-server-info
    for words in '4 socks4 127.0.0.1' '4a socks4a localhost' '5 socks5h localhost'; do
        row "$words"
        read -r version scheme host <<<"$words"
        git_clone "$repository" "http://$host:$NGINX/repository/.git" \
            -c http.proxy="$scheme://$PROXY_HOST:$PROXY_PORT"
        sessions "$version" "$host" "$(grep -c '^start ' "$LOG")"
    done
}

@test "clients: git: 5 connect: clones and pushes over ssh with nc as ProxyCommand" {
    need git nc.openbsd
    serve_ssh
    git_repository "$BATS_TEST_TMPDIR/repository"
    command="nc.openbsd -X 5 -x $PROXY_HOST:$PROXY_PORT %h %p"
    export GIT_SSH_COMMAND="ssh -F $BATS_TEST_TMPDIR/ssh_config -o 'ProxyCommand $command'"
    git_clone "$BATS_TEST_TMPDIR/repository" "server:$BATS_TEST_TMPDIR/repository"
    git -C "$BATS_TEST_TMPDIR/clone" push -q origin HEAD:pushed
    [[ $(git -C "$BATS_TEST_TMPDIR/repository" rev-parse pushed) == \
        $(git -C "$BATS_TEST_TMPDIR/clone" rev-parse HEAD) ]]
    sessions 5 localhost 2
}

# deb_repository - build "parcel", a package with a file of 300 KB, and serve it with nginx.
deb_repository() {
    local tree=$BATS_TEST_TMPDIR/parcel www=$BATS_TEST_TMPDIR/www
    serve_files ''
    mkdir -p "$tree/DEBIAN" "$tree/usr/share/parcel"
    printf '%s\n' 'Package: parcel' 'Version: 1' 'Architecture: all' 'Description: a file' \
        'Maintainer: test <test@localhost>' >"$tree/DEBIAN/control"
    head -c 300000 /dev/urandom >"$tree/usr/share/parcel/file"
    dpkg-deb --root-owner-group -b "$tree" "$www/parcel.deb" >&2
    {
        dpkg-deb -f "$www/parcel.deb"
        echo 'Filename: ./parcel.deb'
        echo "Size: $(stat -c %s "$www/parcel.deb")"
        echo "SHA256: $(digest_of "$www/parcel.deb")"
    } >"$www/Packages"
}

# All folders of apt are below another root, so that this host's configuration is neither used nor
# changed.
@test "clients: apt: 5 connect: Acquire::http::proxy socks5h://, update, download and install" {
    need apt-get dpkg-deb
    need_root
    deb_repository
    local root=$BATS_TEST_TMPDIR/root
    mkdir -p "$root"/etc/apt/{apt.conf,preferences}.d \
        "$root"/var/{{cache/apt/archives,lib/apt/lists}/partial,lib/dpkg/{info,updates},log/apt}
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
    requested localhost
}

@test "clients: tor-resolve (tor): 4a, 5 resolve: finds the address of a name" {
    need tor-resolve
    for words in '4a 127.0.0.1' '5 127.0.0.1|::1'; do
        row "$words"
        read -r version address <<<"$words"
        found=$(timeout 20 tor-resolve "-${version%a}" localhost "$PROXY_HOST:$PROXY_PORT")
        [[ $found =~ ^($address)$ ]]
        sessions "$version" localhost 1 RESOLVE
    done
}

@test "clients: tor-resolve (tor): 5 resolve: finds the name of an address" {
    need tor-resolve
    [[ $(timeout 20 tor-resolve -x 127.0.0.1 "$PROXY_HOST:$PROXY_PORT") == localhost ]]
    sessions 5 127.0.0.1 1 RESOLVE_PTR
}

#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# stdsocks-checkpassword: the logins that it accepts and rejects, and its errors.

# shellcheck disable=SC2154 # run sets stderr and stderr_lines
bats_require_minimum_version 1.5.0
load helper

CHECKPASSWORD=$(realpath -m "${CHECKPASSWORD:-$ROOT/build/stdsocks-checkpassword}")
STRONG=(yescrypt gost-yescrypt scrypt bcrypt bcrypt-a sha512crypt)

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    umask 027
    need mkpasswd htpasswd
}

# hash METHOD PASSWORD - print a hash with the smallest cost of the method.
hash() {
    local rounds=()
    case $1 in
    yescrypt | gost-yescrypt) rounds=(-R 1) ;;
    scrypt) rounds=(-R 6) ;;
    bcrypt*) rounds=(-R 4) ;;
    sha*crypt) rounds=(-R 1000) ;;
    apr1) htpasswd -nbm x "$2" | sed -n 's/^x://p' && return ;;
    sha1) htpasswd -nbs x "$2" | sed -n 's/^x://p' && return ;;
    esac
    printf '%s\n' "$2" | mkpasswd -s -m "$1" "${rounds[@]}"
}

# user NAME METHOD PASSWORD - add a user to the file, and write the message with this login.
user() {
    printf '%s:%s\n' "$1" "$(hash "$2" "$3")" >>passwd
    message "$1" "$3"
}

# message NAME PASSWORD - write the message for descriptor 3.
message() {
    printf '%s\0' "$1" "$2" 2026-11-22T12:00:00Z >message
}

# check_login [ARGUMENT]... - run the program with the file $MESSAGE ("message") as descriptor 3, or
# without descriptor 3 if $MESSAGE is "-"; with $PRELOAD.
check_login() {
    local file=${MESSAGE:-message}
    if [[ $file == - ]]; then
        "$CHECKPASSWORD" "$@" 3>&-
    else
        LD_PRELOAD=${PRELOAD:-} "$CHECKPASSWORD" "$@" 3<"$file"
    fi
}

# exits STATUS NAME PASSWORD [ARGUMENT]... - check the exit status, and that there is no output.
exits() {
    local status=0 said
    message "$2" "$3"
    said=$(check_login passwd "${@:4}" 2>&1) || status=$?
    ((status == $1)) || fail "status $status for ${2@Q} ${3@Q}; output: $said" || return
    [[ -z $said ]] || fail "output: $said"
}

# trouble STATUS PATTERN [ARGUMENT]... - check the exit status, and the error, a line with advice.
trouble() {
    run "-$1" --separate-stderr check_login "${@:3}"
    [[ $stderr =~ $2 ]] || fail "error: $stderr" || return
    ((${#stderr_lines[@]} == 1 && ${#lines[@]} == 0)) || fail "error: $stderr; $output" || return
    [[ $stderr == 'stdsocks-checkpassword: '* && $stderr == *'; '* ]] || fail "no advice: $stderr"
}

# unserved PATTERN - check that a login exits with 111, and that --check reports the same error.
unserved() {
    message alice secret
    trouble 111 "$1" passwd
    local error=${stderr#'stdsocks-checkpassword: '}
    run -1 --separate-stderr "$CHECKPASSWORD" --check passwd
    [[ ${stderr_lines[0]} == "$error" && -z $output ]] || fail "login: $error; --check: $stderr"
}

# letters N - print a letter N times.
letters() {
    head -c "$1" /dev/zero | tr '\0' a
}

# build_probe - build probe.so, to be preloaded. It writes a line to the file $PROBE for each call
# of crypt, when PROGRAM is executed, and when the process ends: whether the password $WATCHED is in
# memory or in /proc/self, and whether the process could dump core.
WATCHED=correct-horse-battery
build_probe() {
    need gcc
    ! grep -qF __asan_init "$CHECKPASSWORD" || skip 'a sanitized build takes no preloaded library'
    local i letters=
    # The library itself must not contain the password.
    for ((i = 0; i < ${#WATCHED}; i++)); do
        letters+="'${WATCHED:i:1}' ^ 85, "
    done
    gcc -std=c11 -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -shared -fPIC "-DLETTERS=$letters" \
        -o probe.so -x c - <<'END'
#include <crypt.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static volatile const char watched[] = {LETTERS};

static int is_in(const char *at, const char *end)
{
	for (; at + sizeof watched <= end; at++) {
		size_t i = 0;
		while (i < sizeof watched && at[i] == (watched[i] ^ 85))
			i++;
		if (i == sizeof watched)
			return 1;
	}
	return 0;
}

static int in_memory(void)
{
	static char line[512];
	unsigned long from, to;
	char mode[5];
	int found = 0;
	FILE *maps = fopen("/proc/self/maps", "r");
	while (maps && fgets(line, sizeof line, maps))
		if (sscanf(line, "%lx-%lx %4s", &from, &to, mode) == 3 && !strncmp(mode, "rw", 2))
			found |= is_in((const char *)from, (const char *)to);
	if (!maps)
		return -1;
	fclose(maps);
	return found;
}

static int in_file(const char *path)
{
	static char text[65536];
	FILE *file = fopen(path, "r");
	if (!file)
		return -1;
	size_t len = fread(text, 1, sizeof text, file);
	fclose(file);
	return len > 0 ? is_in(text, text + len) : -1;
}

static void report(const char *event, const char *setting)
{
	struct rlimit core;
	FILE *out = fopen(getenv("PROBE"), "a");
	if (!out)
		abort();
	getrlimit(RLIMIT_CORE, &core);
	fprintf(out, "%s memory=%d cmdline=%d environ=%d core=%lu dumpable=%d %s\n", event,
		in_memory(), in_file("/proc/self/cmdline"), in_file("/proc/self/environ"),
		(unsigned long)core.rlim_max, prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), setting);
	fclose(out);
}

char *crypt_rn(const char *phrase, const char *setting, void *data, int size)
{
	char *(*real)(const char *, const char *, void *, int) = dlsym(RTLD_NEXT, "crypt_rn");
	report("crypt", setting);
	return real(phrase, setting, data, size);
}

int crypt_checksalt(const char *setting)
{
	int (*real)(const char *) = dlsym(RTLD_NEXT, "crypt_checksalt");
	return getenv("CRYPT_IS_OLD") ? CRYPT_SALT_OK : real(setting);
}

int execvp(const char *file, char *const argv[])
{
	int (*real)(const char *, char *const[]) = dlsym(RTLD_NEXT, "execvp");
	report("exec", "");
	unsetenv("LD_PRELOAD");
	return real(file, argv);
}

__attribute__((destructor)) static void end(void)
{
	report("exit", "");
}
END
}

# probed STATUS NAME PASSWORD [ARGUMENT]... - check the exit status, and write probe.log.
probed() {
    local status=0
    rm -f probe.log
    message "$2" "$3"
    PROBE=$PWD/probe.log PRELOAD=$PWD/probe.so check_login passwd "${@:4}" || status=$?
    ((status == $1)) || fail "status $status for $2"
}

@test "checkpassword: prints --help and --version on standard output" {
    run -0 --separate-stderr "$CHECKPASSWORD" --help
    [[ ${lines[0]} == 'usage: stdsocks-checkpassword '* && -z ${stderr:-} ]]
    ! awk 'length > 80' <<<"$output" | grep . || fail 'wider than a terminal'
    run -0 --separate-stderr "$CHECKPASSWORD" --version
    [[ $output =~ ^stdsocks-checkpassword\ [0-9]+\.[0-9]+\.[0-9]+$ && -z ${stderr:-} ]]
    # shellcheck disable=SC2016 # sh's parameter
    run -111 sh -c '"$1" --help >/dev/full' sh "$CHECKPASSWORD"
}

@test "checkpassword: exits with 2 if the command line or the message is malformed" {
    local words text
    user alice bcrypt secret
    trouble 2 'missing FILE' ''
    for words in '' -- '--chec passwd' --check '--check passwd true' '-passwd true'; do
        # shellcheck disable=SC2086 # words
        trouble 2 'missing FILE' $words || return
    done
    MESSAGE=- trouble 2 'descriptor 3: Bad file descriptor;' passwd
    MESSAGE=. trouble 2 'descriptor 3: Is a directory;' passwd
    for text in '' alice 'alice\0' 'alice\0secret' 'alice\0secret\0' 'alice\0secret\0now' \
        '\0' '\0\0' 'alice\0secret\0now\0more' 'alice\0secret\0now\0more\0' \
        'alice\0secret\0now\0\0' \
        'alice\0secret\0\0\0' 'alice\0secret\0tail\0now\0' 'alice\0\0secret\0now\0' '\0\0\0\0'; do
        # shellcheck disable=SC2059 # a format with escapes
        printf "$text" >message
        trouble 2 'descriptor 3: no message NAME NUL PASSWORD NUL TIMESTAMP NUL' passwd
    done
}

@test "checkpassword: accepts any timestamp, and a message in several pieces" {
    user alice bcrypt secret
    printf 'alice\0secret\0\0' >message
    run -0 check_login passwd
    printf 'alice\0secret\0\xff\n:\0' >message
    run -0 check_login passwd
    { printf ali && "$BASH" -c : && printf 'ce\0sec' && "$BASH" -c : && printf 'ret\0now\0'; } |
        "$CHECKPASSWORD" passwd 3<&0
}

@test "checkpassword: accepts the right password with every strong hash method" {
    local method
    for method in "${STRONG[@]}"; do
        user "$method" "$method" "pass $method"
    done
    htpasswd -bB -C 4 passwd htpasswd 'pass htpasswd'
    for method in "${STRONG[@]}" htpasswd; do
        exits 0 "$method" "pass $method"
        exits 1 "$method" 'pass another'
    done
    printf '# locked\ncarol:!\n' >>passwd
    MESSAGE=- run -0 check_login --check passwd
    [[ -z $output ]]
}

@test "checkpassword: rejects other names, and the password or hash of another user" {
    local name
    user alice bcrypt secret
    user bob sha512crypt hidden
    for name in '' a alic alicea Alice 'alice ' ' alice' 'alice:x' '#' bob$'\n' $'\xff'; do
        exits 1 "$name" secret
        exits 1 "$name" ''
    done
    exits 1 alice hidden
    exits 1 bob secret
    exits 1 alice "$(sed -n 's/^alice://p' passwd)"
}

@test "checkpassword: rejects every proper prefix, extension and change of a password" {
    local method
    # shellcheck disable=SC2016 # no variables
    local password='pass wörd:$6$' methods=(yescrypt bcrypt sha512crypt)
    # The other hashes are slow with sanitizers, which do not instrument the crypt library.
    ! grep -qF __asan_init "$CHECKPASSWORD" || methods=(bcrypt)
    for method in "${methods[@]}"; do
        user "$method" "$method" "$password"
        exits 0 "$method" "$password"
    done
    python "$CHECKPASSWORD" "$password" "${methods[@]}" <<'END'
import os, sys

program, password, names = sys.argv[1], os.fsencode(sys.argv[2]), sys.argv[3:]

def status(name, secret):
    reader, writer = os.pipe()
    os.write(writer, name.encode() + b'\0' + secret + b'\0now\0')
    os.close(writer)
    pid = os.posix_spawn(program, [program, 'passwd'], os.environ,
                         file_actions=[(os.POSIX_SPAWN_DUP2, reader, 3)])
    os.close(reader)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

others = [password[:i] for i in range(len(password))]
others += [password[i:] for i in range(1, len(password))]
others += [password + bytes([byte]) for byte in (1, 2, 4, 8, 10, 13, 16, 32, 48, 64, 97, 128, 255)]
others += [password[:i] + bytes([byte ^ 1 << bit]) + password[i + 1:]
           for i, byte in enumerate(password) for bit in range(8) if byte ^ 1 << bit]
others += [password * 2, password.upper(), password[::-1]]
for name in names:
    assert status(name, password) == 0, name
    for other in others:
        assert status(name, other) == 1, (name, other)
END
}

@test "checkpassword: rejects weak hashes, locked users and the empty password" {
    local method kind
    for method in sha256crypt sunmd5 md5crypt bsdicrypt descrypt nt apr1 sha1; do
        user "$method" "$method" secret
    done
    # shellcheck disable=SC2016 # no variable
    printf 'plain:secret\nempty:\nfailed:*0\nx2:%s\n' \
        "$(hash bcrypt secret | sed 's/^.2b/$2x/')" >>passwd
    for kind in '!' '!!' '*' '!*' '*LK*'; do
        printf 'locked%s:%s%s\nbare%s:%s\n' "$kind" "$kind" "$(hash bcrypt secret)" "$kind" "$kind"
    done >locked
    cat locked >>passwd
    user blank-6 sha512crypt ''
    user blank-2 bcrypt ''
    while IFS=: read -r method kind; do
        exits 1 "$method" secret
        exits 1 "$method" ''
        exits 1 "$method" "$kind"
    done < <(cat passwd)
    user alice bcrypt secret
    exits 0 alice secret
    mv locked passwd
    run -0 "$CHECKPASSWORD" --check passwd
    [[ -z $output ]]
}

@test "checkpassword: accepts comments, empty lines, CRs, more fields, and no last newline" {
    local alice bob carol
    alice=$(hash bcrypt one) bob=$(hash sha512crypt two) carol=$(hash yescrypt three)
    printf '# users\n\n  \t\r\n\r\n #x:y\n\talice:%s\r\nbob:%s:19000:0:99999:7:::\n' \
        "$alice" "$bob" >passwd
    printf '#dave:%s\ncarol:%s' "$alice" "$carol" >>passwd
    exits 0 $'\talice' one
    exits 0 bob two
    exits 0 carol three
    exits 1 '#dave' one
    printf 'carol:%s\r' "$carol" >passwd
    exits 0 carol three
    printf 'carol:%s\rx\n' "$carol" >passwd
    exits 1 carol three
}

@test "checkpassword: accepts names of 255 bytes, passwords of 511 (bcrypt: 72), messages of 1024" {
    local long
    long=$(letters 255)
    user "$long" yescrypt "$long"
    exits 0 "$long" "$long"
    exits 1 "${long}a" "$long"
    exits 1 "${long:1}" "$long"
    user most sha512crypt "$(letters 511)"
    exits 0 most "$(letters 511)"
    exits 1 most "$(letters 510)"
    exits 1 most "$(letters 512)"
    printf 'most\0%s\0%s\0' "$(letters 511)" "$(letters 506)" >message # 1024 in all
    run -0 check_login passwd
    printf 'most\0%s\0%s\0' "$(letters 511)" "$(letters 507)" >message
    trouble 2 'at most 1024 bytes' passwd
    letters 1000000 >message
    trouble 2 'at most 1024 bytes' passwd
    # bcrypt ignores the bytes after the 72nd, so longer passwords are rejected.
    user whole bcrypt "$(letters 72)"
    user cut bcrypt "$(letters 73)"
    exits 0 whole "$(letters 72)"
    exits 1 whole "$(letters 71)"
    exits 1 whole "$(letters 73)"
    exits 1 cut "$(letters 73)"
}

@test "checkpassword: exits with 111 if others can access the file, or it is unusable" {
    local mode
    unserved 'passwd: No such file or directory; '
    user alice bcrypt secret
    for mode in 644 604 642 602 646 666; do
        chmod "$mode" passwd
        unserved 'passwd: all users can read or write it; run chmod o-rw passwd'
    done
    for mode in 600 640 400 660; do
        chmod "$mode" passwd
        exits 0 alice secret
    done
    rm passwd
    mkdir passwd
    unserved 'passwd: not a regular file; '
    rmdir passwd
    mkfifo -m 600 passwd
    unserved 'passwd: not a regular file; '
    rm passwd
    printf '# alice:x\n\n' >passwd
    unserved 'passwd: no user in the file; '
    truncate -s 0 passwd
    unserved 'passwd: no user in the file; '
    truncate -s 16777217 passwd
    unserved 'passwd: file too large; use at most 16777216 bytes'
    ((EUID)) || return 0 # root reads every file
    rm passwd
    user alice bcrypt secret
    chmod 0 passwd
    unserved 'passwd: Permission denied; '
}

@test "checkpassword: exits with 111 for every login if a line is invalid" {
    local line
    user alice bcrypt secret
    cp passwd right
    while IFS='|' read -r line what; do
        # shellcheck disable=SC2059 # a format with escapes
        { cat right && printf "$line"; } >passwd
        unserved "passwd:2: $what; "
        message bob x
        trouble 111 "passwd:2: $what; " passwd
    done <<END
secret\n|no colon in line
:secret\n|no name before the colon
\0|NUL byte in line
bob:\0secret|NUL byte in line
#\0\n|NUL byte in line
$(letters 256):x|name too long
alice:secret|duplicate name, as in line 1
END
    ! [[ $stderr == *secret* ]] || fail 'the error shows a line that may be a password'
}

@test "checkpassword: exits with 111 if a hash is malformed, and 1 if it is cut or extended" {
    local broken method whole
    # shellcheck disable=SC2016 # no variables
    for broken in '$y$' '$y$garbage' '$6$rounds=1$aa$' '$2b$04$' '$2b$99$aaaaaaaaaaaaaaaaaaaaaa'; do
        printf 'alice:%s\n' "$broken" >passwd
        message alice secret
        trouble 111 'passwd:1: cannot compute the hash; ' passwd
        message bob secret
        trouble 111 'passwd:1: cannot compute the hash; ' passwd
        exits 1 alice ''
    done
    for method in yescrypt bcrypt sha512crypt; do
        whole=$(hash "$method" secret)
        for broken in "${whole::-1}" "${whole::-2}" "${whole::-5}" "${whole::-11}" \
            "${whole}x" "$whole "; do
            printf 'alice:%s\n' "$broken" >passwd
            exits 1 alice secret
        done
    done
}

@test "checkpassword: executes PROGRAM with its arguments and streams if the password is right" {
    user alice bcrypt secret
    # shellcheck disable=SC2016 # variables of PROGRAM
    local script='printf "%s|" "$0" "$@" "$HERE"; test ! -e /proc/self/fd/3 && echo closed; exit 7'
    HERE=kept run -7 --separate-stderr check_login passwd sh -c "$script" '' 'a b' '' --check
    [[ $output == '|a b||--check|kept|closed' && -z $stderr ]] || fail "output: $output; $stderr"
    # shellcheck disable=SC2119 # no arguments
    [[ $(check_login passwd cat <<<hello) == hello ]]
    exits 1 alice wrong touch made
    exits 1 bob secret touch made
    exits 1 alice '' touch made
    [[ ! -e made ]]
    chmod 644 passwd
    message alice secret
    trouble 111 "all users" passwd touch made
    printf 'alice\0secret\0' >message
    trouble 2 descriptor passwd touch made
    [[ ! -e made ]]
}

@test "checkpassword: exits with 111 if PROGRAM cannot be executed" {
    user alice bcrypt secret
    trouble 111 '\./missing: No such file or directory; ' passwd ./missing
    # A folder of PATH that the user cannot search would be another error.
    PATH=/usr/bin trouble 111 'no-such-program: No such file or directory; ' passwd no-such-program
    trouble 111 '\./passwd: Permission denied; ' passwd ./passwd
    trouble 111 ': No such file or directory; ' passwd ''
}

@test "checkpassword: hashes once for a rejected name, always with the same setting" {
    local name first used
    build_probe
    user alice bcrypt secret
    user bob sha512crypt secret
    user carol yescrypt secret
    printf 'locked:!%s\nweak:%s\n' "$(hash bcrypt secret)" "$(hash md5crypt secret)" >>passwd
    for name in alice bob carol; do
        probed 1 "$name" wrong
        used=$(sed -n 's/^crypt .* //p' probe.log)
        [[ $used == "$(sed -n "s/^$name://p" passwd)" ]] || fail "$name: $used" || return
    done
    for name in locked weak '' a b c nobody "$(letters 300)"; do
        probed 1 "$name" secret
        first=$(sed -n 's/^crypt .* //p' probe.log)
        probed 1 "$name" another
        used=$(sed -n 's/^crypt .* //p' probe.log)
        [[ $used && $used == "$first" ]] || fail "$name: $used after $first" || return
        grep -qxE "(alice|bob|carol):${used//\$/\\$}" passwd || fail "$name: $used" || return
        echo "$used" >>all
    done
    (($(sort -u all | wc -l) == 3)) || fail 'the hashes of some users are never used'
    for name in alice nobody locked; do
        probed 1 "$name" ''
        run ! grep -q ^crypt probe.log
        probed 1 "$name" "$(letters 512)"
        run ! grep -q ^crypt probe.log
    done
}

@test "checkpassword: shows the password in no argument, variable or core dump, and erases it" {
    build_probe
    user alice sha512crypt "$WATCHED"
    user bob bcrypt "$WATCHED"
    user carol yescrypt "$WATCHED"
    calls() {
        cut -d ' ' -f -6 probe.log | paste -sd ' '
    }
    # Only root can read the environment of a process that is not dumpable, even its own.
    local name nowhere="cmdline=0 environ=$((EUID ? -1 : 0)) core=0 dumpable=0"
    for name in alice bob carol; do
        probed 0 "$name" "$WATCHED"
        [[ $(calls) == "crypt memory=1 $nowhere exit memory=0 $nowhere" ]] || fail "$(calls)"
        probed 0 "$name" "$WATCHED" cp -f /proc/self/cmdline /proc/self/environ .
        [[ $(calls) == "crypt memory=1 $nowhere exec memory=0 $nowhere" ]] || fail "$(calls)"
        [[ -s cmdline && -s environ ]]
        run ! grep -qaF "$WATCHED" cmdline environ
        probed 111 "$name" "$WATCHED" ./missing
        [[ $(calls) == *"exit memory=0 $nowhere" ]] || fail "$(calls)" || return
        probed 1 "$name" "$WATCHED-"
        [[ $(calls) == *"exit memory=0 $nowhere" ]] || fail "$(calls)" || return
    done
    printf '%s\0' alice "$WATCHED" >message # malformed
    trouble 2 'descriptor 3: no message NAME' passwd
    run ! grep -qF "$WATCHED" <<<"$stderr"
    PROBE=$PWD/probe.log PRELOAD=$PWD/probe.so run -2 check_login passwd
    [[ $(calls) == *"exit memory=0 $nowhere" ]] || fail "$(calls)"
}

@test "checkpassword: exits with 111 if the crypt library is too old to detect weak hashes" {
    build_probe
    user alice bcrypt secret
    export CRYPT_IS_OLD=1 PROBE=$PWD/probe.log
    PRELOAD=$PWD/probe.so trouble 111 'install libxcrypt 4\.4\.21$' passwd
}

@test "checkpassword: --check reports each error with its line and advice, but no password" {
    local line
    {
        printf 'alice:%s\n' "$(hash yescrypt secret)"
        printf 'secret\nbob:secret\nbob:!\n:secret\n# fine\ncarol:\n'
        printf 'dave:%s\n' "$(hash descrypt secret)"
        printf 'erin:%s\n' "$(hash bcrypt secret | cut -c -50)"
        printf 'frank:%sy%ssecret\n' '$' '$'
        printf 'alice:%s' "$(hash bcrypt secret)"
    } >passwd
    chmod 644 passwd
    run -1 --separate-stderr "$CHECKPASSWORD" --check passwd
    [[ $(printf '%s\n' "${stderr_lines[@]%%;*}") == "passwd: all users can read or write it
passwd:2: no colon in line
passwd:3: unsupported kind of hash
passwd:4: duplicate name, as in line 3
passwd:5: no name before the colon
passwd:7: unsupported kind of hash
passwd:8: unsupported kind of hash
passwd:9: incomplete hash
passwd:10: incomplete hash
passwd:11: duplicate name, as in line 1" ]] || fail "$stderr"
    for line in "${stderr_lines[@]}"; do
        [[ $line == *'; '* ]] || fail "no advice: $line" || return
    done
    [[ $stderr != *secret* && -z $output ]]
}

@test "checkpassword: the manual page has every status, option and limit" {
    local word page=$ROOT/man/stdsocks-checkpassword.8
    for word in '^\.It 0$' '^\.It 1$' '^\.It 2$' '^\.It 111$' 'Fl -check' 'Fl -help' 'Fl -version' \
        '1024 bytes' '255 bytes' '511 bytes' '72 bytes' '16 MB'; do
        grep -qE -- "$word" "$page" || fail "the page lacks $word" || return
    done
}

#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# stdsocks-checkpassword: the logins that it accepts and rejects, and its message if it cannot tell.

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

# hash METHOD PASSWORD - print its hash, as cheap a one as the method has.
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

# user NAME METHOD PASSWORD - one more line of the file; descriptor 3 will say its login.
user() {
    printf '%s:%s\n' "$1" "$(hash "$2" "$3")" >>passwd
    message "$1" "$3"
}

# message NAME PASSWORD - what descriptor 3 will say.
message() {
    printf '%s\0' "$1" "$2" 2026-11-22T12:00:00Z >message
}

# asked FILE [ARGUMENT]... - run it on that, or on $SAID; on no descriptor 3 if that is -; with $PRELOAD.
asked() {
    local said=${SAID:-message}
    if [[ $said == - ]]; then
        "$CHECKPASSWORD" "$@" 3>&-
    else
        LD_PRELOAD=${PRELOAD:-} "$CHECKPASSWORD" "$@" 3<"$said"
    fi
}

# answer STATUS NAME PASSWORD [ARGUMENT]... - this is the status, and it says nothing itself.
answer() {
    local status=0 said
    message "$2" "$3"
    said=$(asked passwd "${@:4}" 2>&1) || status=$?
    ((status == $1)) || fail "status $status for ${2@Q} ${3@Q}; said: $said" || return
    [[ -z $said ]] || fail "said: $said"
}

# trouble STATUS PATTERN [ARGUMENT]... - this is the status, and one line says why, with advice.
trouble() {
    run "-$1" --separate-stderr asked "${@:3}"
    [[ $stderr =~ $2 ]] || fail "said: $stderr" || return
    ((${#stderr_lines[@]} == 1 && ${#lines[@]} == 0)) || fail "said: $stderr; $output" || return
    [[ $stderr == 'stdsocks-checkpassword: '* && $stderr == *'; '* ]] || fail "no advice: $stderr"
}

# unserved PATTERN - with this file every login is status 111, and --check reports the same mistake.
unserved() {
    message alice secret
    trouble 111 "$1" passwd
    local said=${stderr#'stdsocks-checkpassword: '}
    run -1 --separate-stderr "$CHECKPASSWORD" --check passwd
    [[ ${stderr_lines[0]} == "$said" && -z $output ]] || fail "served: $said; checked: $stderr"
}

# letters N - print a letter N times.
letters() {
    head -c "$1" /dev/zero | tr '\0' a
}

# build_witness - build witness.so. Preloaded, it writes into the file WITNESS a line for each call
# of crypt, and a line when PROGRAM is executed or the process ends, with what could be learnt then:
# whether $WATCHED is anywhere in memory, is in /proc/self, or may be in a core dump.
WATCHED=correct-horse-battery
build_witness() {
    need gcc
    ! grep -qF __asan_init "$CHECKPASSWORD" || skip 'a sanitized build has no preloaded witness'
    local i letters=
    # It must not itself hold what it looks for.
    for ((i = 0; i < ${#WATCHED}; i++)); do
        letters+="'${WATCHED:i:1}' ^ 85, "
    done
    gcc -std=c11 -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -shared -fPIC "-DLETTERS=$letters" \
        -o witness.so -x c - <<'END'
#include <crypt.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
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
		if (sscanf(line, "%lx-%lx %4s", &from, &to, mode) == 3 && mode[0] == 'r' && mode[1] == 'w')
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

static void tell(const char *event, const char *setting)
{
	struct rlimit core;
	FILE *out = fopen(getenv("WITNESS"), "a");
	if (!out)
		abort();
	getrlimit(RLIMIT_CORE, &core);
	fprintf(out, "%s memory=%d cmdline=%d environ=%d core=%lu dumpable=%d %s\n", event, in_memory(),
		in_file("/proc/self/cmdline"), in_file("/proc/self/environ"),
		(unsigned long)core.rlim_max, prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), setting);
	fclose(out);
}

char *crypt_rn(const char *phrase, const char *setting, void *data, int size)
{
	char *(*real)(const char *, const char *, void *, int) = dlsym(RTLD_NEXT, "crypt_rn");
	tell("crypt", setting);
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
	tell("exec", "");
	unsetenv("LD_PRELOAD");
	return real(file, argv);
}

__attribute__((destructor)) static void end(void)
{
	tell("exit", "");
}
END
}

# witnessed STATUS NAME PASSWORD [ARGUMENT]... - the same as answer, with the witness, in witness.log.
witnessed() {
    local status=0
    rm -f witness.log
    message "$2" "$3"
    WITNESS=$PWD/witness.log PRELOAD=$PWD/witness.so asked passwd "${@:4}" || status=$?
    ((status == $1)) || fail "status $status for $2"
}

@test "checkpassword: --help and --version go to standard output" {
    run -0 --separate-stderr "$CHECKPASSWORD" --help
    [[ ${lines[0]} == 'usage: stdsocks-checkpassword '* && -z ${stderr:-} ]]
    ! awk 'length > 80' <<<"$output" | grep . || fail 'wider than a terminal'
    run -0 --separate-stderr "$CHECKPASSWORD" --version
    [[ $output =~ ^stdsocks-checkpassword\ [0-9]+\.[0-9]+\.[0-9]+$ && -z ${stderr:-} ]]
    # shellcheck disable=SC2016 # sh's parameter
    run -111 sh -c '"$1" --help >/dev/full' sh "$CHECKPASSWORD"
}

@test "checkpassword: status 2 when the command line or the message is wrong" {
    local words said
    user alice bcrypt secret
    trouble 2 'missing FILE' ''
    for words in '' -- '--chec passwd' --check '--check passwd true' '-passwd true'; do
        # shellcheck disable=SC2086 # words
        trouble 2 'missing FILE' $words || return
    done
    SAID=- trouble 2 'descriptor 3: Bad file descriptor;' passwd
    SAID=. trouble 2 'descriptor 3: Is a directory;' passwd
    for said in '' alice 'alice\0' 'alice\0secret' 'alice\0secret\0' 'alice\0secret\0now' '\0' '\0\0' \
        'alice\0secret\0now\0more' 'alice\0secret\0now\0more\0' 'alice\0secret\0now\0\0' \
        'alice\0secret\0\0\0' 'alice\0secret\0tail\0now\0' 'alice\0\0secret\0now\0' '\0\0\0\0'; do
        # shellcheck disable=SC2059 # the escapes are what it is for
        printf "$said" >message
        trouble 2 'descriptor 3: no message NAME NUL PASSWORD NUL TIMESTAMP NUL' passwd
    done
}

@test "checkpassword: the timestamp may be anything, and the message may come in pieces" {
    user alice bcrypt secret
    printf 'alice\0secret\0\0' >message
    run -0 asked passwd
    printf 'alice\0secret\0\xff\n:\0' >message
    run -0 asked passwd
    { printf ali && "$BASH" -c : && printf 'ce\0sec' && "$BASH" -c : && printf 'ret\0now\0'; } |
        "$CHECKPASSWORD" passwd 3<&0
}

@test "checkpassword: the right password is accepted with every strong kind of hash" {
    local method
    for method in "${STRONG[@]}"; do
        user "$method" "$method" "pass $method"
    done
    htpasswd -bB -C 4 passwd htpasswd 'pass htpasswd'
    for method in "${STRONG[@]}" htpasswd; do
        answer 0 "$method" "pass $method"
        answer 1 "$method" 'pass another'
    done
    printf '# locked\ncarol:!\n' >>passwd
    SAID=- run -0 asked --check passwd
    [[ -z $output ]]
}

@test "checkpassword: another name, and the password or hash of another user, are rejected" {
    local name
    user alice bcrypt secret
    user bob sha512crypt hidden
    for name in '' a alic alicea Alice 'alice ' ' alice' 'alice:x' '#' bob$'\n' $'\xff'; do
        answer 1 "$name" secret
        answer 1 "$name" ''
    done
    answer 1 alice hidden
    answer 1 bob secret
    answer 1 alice "$(sed -n 's/^alice://p' passwd)"
}

@test "checkpassword: every proper prefix, extension and change of a password is refused" {
    local method
    # shellcheck disable=SC2016 # no variables
    local password='pass wörd:$6$' methods=(yescrypt bcrypt sha512crypt)
    # Slow, and for these none the wiser: the hash is the library's.
    ! grep -qF __asan_init "$CHECKPASSWORD" || methods=(bcrypt)
    for method in "${methods[@]}"; do
        user "$method" "$method" "$password"
        answer 0 "$method" "$password"
    done
    python "$CHECKPASSWORD" "$password" "${methods[@]}" <<'END'
import os, sys

program, password, names = sys.argv[1], os.fsencode(sys.argv[2]), sys.argv[3:]

def status(name, said):
    heard, say = os.pipe()
    os.write(say, name.encode() + b'\0' + said + b'\0now\0')
    os.close(say)
    pid = os.posix_spawn(program, [program, 'passwd'], os.environ,
                         file_actions=[(os.POSIX_SPAWN_DUP2, heard, 3)])
    os.close(heard)
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

@test "checkpassword: a weak hash, a locked user and the empty password are rejected" {
    local method kind
    for method in sha256crypt sunmd5 md5crypt bsdicrypt descrypt nt apr1 sha1; do
        user "$method" "$method" secret
    done
    # shellcheck disable=SC2016 # no variable
    printf 'plain:secret\nempty:\nfailed:*0\nx2:%s\n' "$(hash bcrypt secret | sed 's/^.2b/$2x/')" >>passwd
    for kind in '!' '!!' '*' '!*' '*LK*'; do
        printf 'locked%s:%s%s\nbare%s:%s\n' "$kind" "$kind" "$(hash bcrypt secret)" "$kind" "$kind"
    done >locked
    cat locked >>passwd
    user blank-6 sha512crypt ''
    user blank-2 bcrypt ''
    while IFS=: read -r method kind; do
        answer 1 "$method" secret
        answer 1 "$method" ''
        answer 1 "$method" "$kind"
    done < <(cat passwd)
    user alice bcrypt secret
    answer 0 alice secret
    mv locked passwd
    run -0 "$CHECKPASSWORD" --check passwd
    [[ -z $output ]]
}

@test "checkpassword: lines may be comments, empty, from DOS, or without an end, and have more fields" {
    local alice bob carol
    alice=$(hash bcrypt one) bob=$(hash sha512crypt two) carol=$(hash yescrypt three)
    printf '# users\n\n  \t\r\n\r\n #x:y\n\talice:%s\r\nbob:%s:19000:0:99999:7:::\n#dave:%s\ncarol:%s' \
        "$alice" "$bob" "$alice" "$carol" >passwd
    answer 0 $'\talice' one
    answer 0 bob two
    answer 0 carol three
    answer 1 '#dave' one
    printf 'carol:%s\r' "$carol" >passwd
    answer 0 carol three
    printf 'carol:%s\rx\n' "$carol" >passwd
    answer 1 carol three
}

@test "checkpassword: a name has 255 bytes, a password 511 (bcrypt: 72), and a message 1024" {
    local long
    long=$(letters 255)
    user "$long" yescrypt "$long"
    answer 0 "$long" "$long"
    answer 1 "${long}a" "$long"
    answer 1 "${long:1}" "$long"
    user most sha512crypt "$(letters 511)"
    answer 0 most "$(letters 511)"
    answer 1 most "$(letters 510)"
    answer 1 most "$(letters 512)"
    printf 'most\0%s\0%s\0' "$(letters 511)" "$(letters 506)" >message # 1024 in all
    run -0 asked passwd
    printf 'most\0%s\0%s\0' "$(letters 511)" "$(letters 507)" >message
    trouble 2 'at most 1024 bytes' passwd
    letters 1000000 >message
    trouble 2 'at most 1024 bytes' passwd
    # bcrypt does not look at a byte behind 72: such a password is rejected.
    user whole bcrypt "$(letters 72)"
    user cut bcrypt "$(letters 73)"
    answer 0 whole "$(letters 72)"
    answer 1 whole "$(letters 71)"
    answer 1 whole "$(letters 73)"
    answer 1 cut "$(letters 73)"
}

@test "checkpassword: status 111 when the file can be used by everybody, or not at all" {
    local mode
    unserved 'passwd: No such file or directory; '
    user alice bcrypt secret
    for mode in 644 604 642 602 646 666; do
        chmod "$mode" passwd
        unserved 'passwd: all users can read or write it; run chmod o-rw passwd'
    done
    for mode in 600 640 400 660; do
        chmod "$mode" passwd
        answer 0 alice secret
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

@test "checkpassword: status 111 for every login when a line is wrong" {
    local line
    user alice bcrypt secret
    cp passwd right
    while IFS='|' read -r line what; do
        # shellcheck disable=SC2059 # the escapes are what it is for
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
    ! [[ $stderr == *secret* ]] || fail 'a line that may be a password is shown'
}

@test "checkpassword: status 111 when the hash cannot be made, 1 when it is cut or extended" {
    local broken method whole
    # shellcheck disable=SC2016 # no variables
    for broken in '$y$' '$y$garbage' '$6$rounds=1$aa$' '$2b$04$' '$2b$99$aaaaaaaaaaaaaaaaaaaaaa'; do
        printf 'alice:%s\n' "$broken" >passwd
        message alice secret
        trouble 111 'passwd:1: cannot compute the hash; ' passwd
        message bob secret
        trouble 111 'passwd:1: cannot compute the hash; ' passwd
        answer 1 alice ''
    done
    for method in yescrypt bcrypt sha512crypt; do
        whole=$(hash "$method" secret)
        for broken in "${whole::-1}" "${whole::-2}" "${whole::-5}" "${whole::-11}" "${whole}x" "$whole "; do
            printf 'alice:%s\n' "$broken" >passwd
            answer 1 alice secret
        done
    done
}

@test "checkpassword: executes PROGRAM, with its arguments and streams, if the password is right" {
    user alice bcrypt secret
    # shellcheck disable=SC2016 # PROGRAM's variables
    HERE=kept run -7 --separate-stderr asked passwd sh -c \
        'printf "%s|" "$0" "$@" "$HERE"; test ! -e /proc/self/fd/3 && echo closed; exit 7' '' 'a b' '' --check
    [[ $output == '|a b||--check|kept|closed' && -z $stderr ]] || fail "said: $output; $stderr"
    # shellcheck disable=SC2119 # no arguments
    [[ $(asked passwd cat <<<hello) == hello ]]
    answer 1 alice wrong touch made
    answer 1 bob secret touch made
    answer 1 alice '' touch made
    [[ ! -e made ]]
    chmod 644 passwd
    message alice secret
    trouble 111 "all users" passwd touch made
    printf 'alice\0secret\0' >message
    trouble 2 descriptor passwd touch made
    [[ ! -e made ]]
}

@test "checkpassword: status 111 when PROGRAM cannot be executed" {
    user alice bcrypt secret
    trouble 111 '\./missing: No such file or directory; ' passwd ./missing
    # A folder of PATH that the user cannot search is another reason.
    PATH=/usr/bin trouble 111 'no-such-program: No such file or directory; ' passwd no-such-program
    trouble 111 '\./passwd: Permission denied; ' passwd ./passwd
    trouble 111 ': No such file or directory; ' passwd ''
}

@test "checkpassword: a rejected name costs one hash, always the same for that name" {
    local name first used
    build_witness
    user alice bcrypt secret
    user bob sha512crypt secret
    user carol yescrypt secret
    printf 'locked:!%s\nweak:%s\n' "$(hash bcrypt secret)" "$(hash md5crypt secret)" >>passwd
    for name in alice bob carol; do
        witnessed 1 "$name" wrong
        used=$(sed -n 's/^crypt .* //p' witness.log)
        [[ $used == "$(sed -n "s/^$name://p" passwd)" ]] || fail "$name: $used" || return
    done
    for name in locked weak '' a b c nobody "$(letters 300)"; do
        witnessed 1 "$name" secret
        first=$(sed -n 's/^crypt .* //p' witness.log)
        witnessed 1 "$name" another
        used=$(sed -n 's/^crypt .* //p' witness.log)
        [[ $used && $used == "$first" ]] || fail "$name: $used after $first" || return
        grep -qxF -e "alice:$used" -e "bob:$used" -e "carol:$used" passwd || fail "$name: $used" || return
        echo "$used" >>all
    done
    (($(sort -u all | wc -l) == 3)) || fail 'not everybody stands in'
    for name in alice nobody locked; do
        witnessed 1 "$name" ''
        run ! grep -q ^crypt witness.log
        witnessed 1 "$name" "$(letters 512)"
        run ! grep -q ^crypt witness.log
    done
}

@test "checkpassword: the password is in no argument, variable or core dump, and gone at the end" {
    build_witness
    user alice sha512crypt "$WATCHED"
    user bob bcrypt "$WATCHED"
    user carol yescrypt "$WATCHED"
    # Only root can read the environment of a process that is not dumpable, even its own.
    local name nowhere="cmdline=0 environ=$((EUID ? -1 : 0)) core=0 dumpable=0"
    for name in alice bob carol; do
        witnessed 0 "$name" "$WATCHED"
        [[ $(cut -d ' ' -f -6 witness.log) == "crypt memory=1 $nowhere"$'\n'"exit memory=0 $nowhere" ]] ||
            fail "$(cat witness.log)" || return
        witnessed 0 "$name" "$WATCHED" cp -f /proc/self/cmdline /proc/self/environ .
        [[ $(cut -d ' ' -f -6 witness.log) == "crypt memory=1 $nowhere"$'\n'"exec memory=0 $nowhere" ]] ||
            fail "$(cat witness.log)" || return
        [[ -s cmdline && -s environ ]]
        run ! grep -qaF "$WATCHED" cmdline environ
        witnessed 111 "$name" "$WATCHED" ./missing
        [[ $(sed '$!d' witness.log) == "exit memory=0 $nowhere "* ]] || fail "$(cat witness.log)" || return
        witnessed 1 "$name" "$WATCHED-"
        [[ $(sed '$!d' witness.log) == "exit memory=0 $nowhere "* ]] || fail "$(cat witness.log)" || return
    done
    printf '%s\0' alice "$WATCHED" >message # malformed
    trouble 2 'descriptor 3: no message NAME' passwd
    run ! grep -qF "$WATCHED" <<<"$stderr"
    WITNESS=$PWD/witness.log PRELOAD=$PWD/witness.so run -2 asked passwd
    [[ $(sed '$!d' witness.log) == "exit memory=0 $nowhere "* ]] || fail "$(cat witness.log)"
}

@test "checkpassword: status 111 with a crypt library that cannot tell strong from weak" {
    build_witness
    user alice bcrypt secret
    export CRYPT_IS_OLD=1 WITNESS=$PWD/witness.log
    PRELOAD=$PWD/witness.so trouble 111 'install libxcrypt 4\.4\.21$' passwd
}

@test "checkpassword: --check names each mistake, with its line and advice, and no password" {
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

@test "checkpassword: its page has every status, option and limit" {
    local word page=$ROOT/man/stdsocks-checkpassword.8
    for word in '^\.It 0$' '^\.It 1$' '^\.It 2$' '^\.It 111$' 'Fl -check' 'Fl -help' 'Fl -version' \
        '1024 bytes' '255 bytes' '511 bytes' '72 bytes' '16 MB'; do
        grep -qE -- "$word" "$page" || fail "not in the page: $word" || return
    done
}

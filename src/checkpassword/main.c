/* SPDX-License-Identifier: ISC */
/* stdsocks-checkpassword: is this the password of this user? The interface is that of
 * checkpassword, https://cr.yp.to/checkpwd/interface.html; the users are a file's lines, NAME:HASH.
 * Knows: the file, crypt(3). Does not know: SOCKS, the users of the system. */
#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define SELF       "stdsocks-checkpassword"
#define MESSAGE_FD 3

/* In bytes. The old interface has 512; RFC 1929 has 255 for a name and 255 for a password. */
#define MESSAGE_MAX  1024
#define NAME_LEN_MAX 255
#define PASSWORD_MAX (CRYPT_MAX_PASSPHRASE_SIZE - 1)
#define BCRYPT_MAX   72 /* it ignores what follows: 73 bytes would let in whoever knows 72 */
#define FILE_MAX     16777216L

/* Exit statuses. */
enum { RIGHT = 0, REFUSED = 1, MISTAKEN = 1, MISUSE = 2, TROUBLE = 111 };

static const char help[] =
	"usage: " SELF " FILE [PROGRAM [ARG]...]\n"
	"       " SELF " --check FILE\n"
	"       " SELF " --help | --version\n"
	"\n"
	"Reads NAME NUL PASSWORD NUL TIMESTAMP NUL from descriptor 3 until its end and\n"
	"looks in FILE, which has lines NAME:HASH as mkpasswd and htpasswd -B write them.\n"
	"If the password is right, PROGRAM is executed, or the exit status is 0.\n"
	"\n"
	"  --check       name each mistake in FILE, and exit\n"
	"  --help        show this\n"
	"  --version     show the version\n"
	"\n"
	"Exit status: 0 right; 1 refused, or FILE has mistakes; 2 misuse; 111 trouble.\n"
	"See " SELF "(8).\n";

/* The password and what was made of it. It is at file scope, for every way out wipes it. */
static struct {
	char message[MESSAGE_MAX + 1];
	struct crypt_data crypt;
} secret;

struct user {
	const char *name;
	const char *hash;
	size_t line;
	bool usable;       /* its hash is of a kind that may let somebody in */
	struct user *next; /* the next usable one */
};

struct users {
	const char *path;
	bool checking;
	size_t mistakes;
	void *by_name; /* a tree of all entries, tsearch(3) */
	struct user *first, *last;
	size_t usable; /* how many are in the list */
};

static _Noreturn void leave(int status)
{
	explicit_bzero(&secret, sizeof secret);
	exit(status);
}

__attribute__((format(printf, 2, 3))) static _Noreturn void die(int status, const char *format, ...)
{
	va_list values;
	va_start(values, format);
	fputs(SELF ": ", stderr);
	vfprintf(stderr, format, values);
	fputc('\n', stderr);
	va_end(values);
	leave(status);
}

/* Tells of a mistake in the file, on line 0 in all of it: every one if the file is checked, else
 * the first. It must not quote the line: that may be a password. */
__attribute__((format(printf, 3, 4))) static void mistake(
	struct users *u, size_t line, const char *format, ...)
{
	if (u->mistakes++ > 0 && !u->checking)
		return;

	va_list values;
	va_start(values, format);
	fprintf(stderr, "%s%s:", u->checking ? "" : SELF ": ", u->path);
	if (line > 0)
		fprintf(stderr, "%zu:", line);
	fputc(' ', stderr);
	vfprintf(stderr, format, values);
	fputc('\n', stderr);
	va_end(values);
}

/* NULL when it cannot be made: the hash is not whole, or memory ran out. crypt(3) does not tell. */
static const char *hashed(const char *password, const struct user *e)
{
	return crypt_rn(password, e->hash, &secret.crypt, sizeof secret.crypt);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct user *)a)->name, ((const struct user *)b)->name);
}

static void check_hash(struct users *u, const struct user *e)
{
	if (e->hash[0] == '!' || e->hash[0] == '*') /* locked, as in shadow(5) */
		return;
	if (!e->usable) {
		mistake(u, e->line,
			"the hash is of no kind that is accepted; use mkpasswd or htpasswd -B");
		return;
	}
	const char *whole = hashed("", e);
	if (!whole || strlen(whole) != strlen(e->hash))
		mistake(u, e->line, "the hash is not whole; use mkpasswd or htpasswd -B");
}

/* False when the name is there already; else name and hash are kept. */
static bool add_user(struct users *u, const char *name, const char *hash, size_t line)
{
	struct user *e = malloc(sizeof *e);
	struct user *const *known = NULL;
	if (e) {
		*e = (struct user){.name = name, .hash = hash, .line = line};
		e->usable =
			strlen(hash) < CRYPT_OUTPUT_SIZE && crypt_checksalt(hash) == CRYPT_SALT_OK;
		known = tsearch(e, &u->by_name, compare_names);
	}
	if (!known)
		die(TROUBLE, "%s; give it more memory", strerror(ENOMEM));
	if (*known != e) {
		mistake(u, line, "the name is that of line %zu; remove one of them",
			(*known)->line);
		free(e);
		return false;
	}
	if (u->checking)
		check_hash(u, e);
	if (!e->usable)
		return true;
	u->usable++;
	if (u->last)
		u->last->next = e;
	else
		u->first = e;
	u->last = e;
	return true;
}

/* Takes the text over, which has len bytes and a NUL after them. */
static void add_line(struct users *u, char *text, size_t len, size_t line)
{
	bool has_nul = memchr(text, '\0', len) != NULL;
	if (len > 0 && text[len - 1] == '\n')
		text[--len] = '\0';
	if (len > 0 && text[len - 1] == '\r')
		text[--len] = '\0';
	char first = text[strspn(text, " \t")];
	char *hash = strchr(text, ':');

	if (has_nul) {
		mistake(u, line, "a NUL byte; remove it");
	} else if (first == '\0' || first == '#') {
		; /* nothing */
	} else if (!hash) {
		mistake(u, line, "no colon; write NAME:HASH, or # before a comment");
	} else if (hash == text) {
		mistake(u, line, "no name before the colon; write NAME:HASH");
	} else if (hash - text > NAME_LEN_MAX) {
		mistake(u, line, "the name has more than %d bytes; shorten it", NAME_LEN_MAX);
	} else {
		*hash++ = '\0';
		hash[strcspn(hash, ":")] = '\0'; /* the other fields of shadow(5) */
		if (add_user(u, text, hash, line))
			return;
	}
	free(text);
}

/* NULL when there is nothing to read. */
static FILE *open_users(struct users *u)
{
	struct stat st;
	/* A FIFO that nobody writes to must not stop us. */
	int fd = open(u->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;

	if (!file || fstat(fd, &st) < 0)
		mistake(u, 0, "%s; name a file that uid %u can read", strerror(errno), geteuid());
	else if (!S_ISREG(st.st_mode))
		mistake(u, 0, "not a regular file; name one");
	else if (st.st_size > FILE_MAX)
		mistake(u, 0, "more than %ld bytes; shorten it", FILE_MAX);
	else if (st.st_mode & (S_IROTH | S_IWOTH))
		mistake(u, 0, "everybody can read or write it; chmod o-rw %s", u->path);
	if (file && u->mistakes > 0 && !u->checking) {
		fclose(file);
		return NULL;
	}
	return file;
}

/* The users stay allocated: the process is short. */
static void read_users(struct users *u)
{
	FILE *file = open_users(u);
	if (!file)
		return;
	/* Before 4.4.21 it called every kind strong that it knew. */
	if (crypt_checksalt("$1$saltsalt$") == CRYPT_SALT_OK)
		mistake(u, 0, "the crypt library takes MD5 for strong; install libxcrypt 4.4.21");

	char *text = NULL;
	size_t cap = 0;
	ssize_t len;
	for (size_t line = 1; (len = getline(&text, &cap, file)) >= 0; line++) {
		add_line(u, text, (size_t)len, line);
		text = NULL;
		cap = 0;
	}
	if (!feof(file))
		mistake(u, 0, "%s; name a file that can be read", strerror(errno));
	else if (!u->by_name)
		mistake(u, 0, "no user in it; add one with mkpasswd or htpasswd -B");
	free(text);
	fclose(file);
}

/* Name and password are in the secret message, where the timestamp follows. */
static void read_message(const char **ret_name, const char **ret_password)
{
	size_t len = 0, nuls = 0;
	ssize_t n;
	do {
		n = read(MESSAGE_FD, secret.message + len, sizeof secret.message - len);
		if (n > 0)
			len += (size_t)n;
	} while (len <= MESSAGE_MAX && (n > 0 || (n < 0 && errno == EINTR)));
	if (n < 0)
		die(MISUSE, "descriptor 3: %s; see " SELF " --help", strerror(errno));
	close(MESSAGE_FD);

	for (size_t i = 0; i < len; i++)
		nuls += secret.message[i] == '\0';
	/* More NULs would be in a password: right up to the first of them must not be right. */
	if (len > MESSAGE_MAX || nuls != 3 || secret.message[len - 1] != '\0')
		die(MISUSE,
			"descriptor 3: no NAME NUL PASSWORD NUL TIMESTAMP NUL of at most %d bytes; "
			"see " SELF " --help",
			MESSAGE_MAX);
	*ret_name = secret.message;
	*ret_password = secret.message + strlen(secret.message) + 1;
}

static const struct user *find_user(const struct users *u, const char *name)
{
	struct user key = {.name = name};
	struct user *const *found = tfind(&key, &u->by_name, compare_names);
	return found && (*found)->usable ? *found : NULL;
}

/* Somebody to hash against for a name that cannot get in: always the same one for the same name,
 * lest asking twice tells them apart where the costs of the hashes differ. */
static const struct user *stand_in(const struct users *u, const char *name)
{
	const struct user *e = u->first;
	size_t n = 0;
	for (; *name; name++)
		n += (unsigned char)*name;
	for (n = u->usable ? n % u->usable : 0; n > 0; n--)
		e = e->next;
	return e;
}

/* In a time that depends on their lengths only, which are no secret. */
static bool is_same(const char *a, const char *b)
{
	size_t len = strlen(a);
	volatile unsigned difference = len != strlen(b);
	if (difference)
		return false;
	for (size_t i = 0; i < len; i++)
		difference |= (unsigned)(a[i] ^ b[i]);
	return difference == 0;
}

static bool is_right(const struct users *u, const char *name, const char *password)
{
	size_t len = strlen(password);
	const struct user *known = find_user(u, name);
	const struct user *e = known ? known : stand_in(u, name);

	if (len == 0 || len > PASSWORD_MAX ||
		!e) /* of no user, so it tells nothing about this one */
		return false;
	const char *hash = hashed(password, e);
	if (!hash)
		die(TROUBLE, "%s:%zu: the hash cannot be made; try --check, or give it more memory",
			u->path, e->line);
	if (len > BCRYPT_MAX && strncmp(e->hash, "$2", 2) == 0)
		return false;
	return is_same(hash, e->hash) && known;
}

/* Nobody else is to see the password: no dump of this process, no debugger. */
static void hide(void)
{
	const struct rlimit none = {0, 0};
	if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		die(TROUBLE, "core dumps: %s; allow setrlimit and prctl", strerror(errno));
}

int main(int argc, char **argv)
{
	const char *first = argc > 1 ? argv[1] : "-", *name, *password;
	struct users users = {.path = first};

	hide();
	if (strcmp(first, "--help") == 0)
		leave(fputs(help, stdout) >= 0 && fflush(stdout) == 0 ? RIGHT : TROUBLE);
	if (strcmp(first, "--version") == 0)
		leave(puts(SELF " " VERSION) >= 0 && fflush(stdout) == 0 ? RIGHT : TROUBLE);
	if (strcmp(first, "--check") == 0 && argc == 3) {
		users = (struct users){.path = argv[2], .checking = true};
		read_users(&users);
		leave(users.mistakes > 0 ? MISTAKEN : RIGHT);
	}
	if (first[0] == '-' || first[0] == '\0')
		die(MISUSE, "FILE is expected, or --check FILE; see " SELF " --help");

	read_message(&name, &password);
	read_users(&users);
	if (users.mistakes > 0)
		leave(TROUBLE);
	if (!is_right(&users, name, password))
		leave(REFUSED);
	if (argc == 2)
		leave(RIGHT);
	explicit_bzero(&secret, sizeof secret);
	execvp(argv[2], argv + 2);
	die(TROUBLE, "%s: %s; name a program that can be executed", argv[2], strerror(errno));
}

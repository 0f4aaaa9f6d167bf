/* SPDX-License-Identifier: ISC */
/* stdsocks-checkpassword: verifies a name and a password with a file of lines NAME:HASH. The
 * interface is that of checkpassword: https://cr.yp.to/checkpwd/interface.html */
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

/* Bytes. The interface has 512 for a message; RFC 1929 has 255 for a name and 255 for a password.
 */
#define MESSAGE_MAX  1024
#define NAME_LEN_MAX 255
#define PASSWORD_MAX (CRYPT_MAX_PASSPHRASE_SIZE - 1)
#define BCRYPT_MAX   72 /* bcrypt ignores further bytes, so a longer password is refused */
#define FILE_MAX     16777216L

/* Exit statuses of the interface, and EXIT_INVALID of --check. */
enum { EXIT_RIGHT = 0, EXIT_REFUSED = 1, EXIT_INVALID = 1, EXIT_MISUSE = 2, EXIT_TEMPORARY = 111 };

static const char help[] =
	"usage: " SELF " FILE [PROGRAM [ARG]...]\n"
	"       " SELF " --check FILE\n"
	"       " SELF " --help | --version\n"
	"\n"
	"Read NAME NUL PASSWORD NUL TIMESTAMP NUL from descriptor 3, up to its end, and\n"
	"verify the password with FILE. Its lines are NAME:HASH, as mkpasswd and\n"
	"htpasswd -B write them. If the password is right, execute PROGRAM, or exit\n"
	"with status 0.\n"
	"\n"
	"  --check       check FILE, print all errors, and exit\n"
	"  --help        print this help\n"
	"  --version     print the version\n"
	"\n"
	"Exit status: 0 right; 1 refused, or errors in FILE; 2 misuse; 111 failure.\n"
	"See " SELF "(8).\n";

/* The password, and data derived from it. leave() erases them. */
static struct {
	char message[MESSAGE_MAX + 1];
	struct crypt_data crypt;
} secret;

struct user {
	const char *name;
	const char *hash;
	size_t line;
	bool usable;       /* the hash is of an accepted kind */
	struct user *next; /* the next usable user */
};

struct users {
	const char *path;
	bool checking;
	size_t errors;
	void *by_name; /* a tree of all entries, tsearch(3) */
	struct user *first;
	size_t usable; /* the number of users in the list */
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

/* Prints an error in a line of the file, or in the file if line is 0: all errors with --check,
 * otherwise only the first one. The message must not quote the line, which may be a password. */
__attribute__((format(printf, 3, 4))) static void report(
	struct users *u, size_t line, const char *format, ...)
{
	if (u->errors++ > 0 && !u->checking)
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

/* Returns NULL if the user's hash is incomplete or memory is exhausted; crypt(3) does not
 * distinguish the two. */
static const char *hash_password(const char *password, const struct user *e)
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
		report(u, e->line, "unsupported kind of hash; use mkpasswd or htpasswd -B");
		return;
	}
	const char *complete = hash_password("", e);
	if (!complete || strlen(complete) != strlen(e->hash))
		report(u, e->line, "incomplete hash; use mkpasswd or htpasswd -B");
}

/* Adds a user, who keeps name and hash. Returns false if the name exists. */
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
		die(EXIT_TEMPORARY, "%s; increase the memory limit", strerror(ENOMEM));
	if (*known != e) {
		report(u, line, "duplicate name, as in line %zu; remove one of the lines",
			(*known)->line);
		free(e);
		return false;
	}
	if (u->checking)
		check_hash(u, e);
	if (!e->usable)
		return true;
	u->usable++;
	e->next = u->first;
	u->first = e;
	return true;
}

/* Parses a line of len bytes and a NUL. Frees the text, or keeps it for a user. */
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
		report(u, line, "NUL byte in line; remove it");
	} else if (first == '\0' || first == '#') {
		; /* an empty line or a comment */
	} else if (!hash) {
		report(u, line, "no colon in line; use NAME:HASH, or begin a comment with #");
	} else if (hash == text) {
		report(u, line, "no name before the colon; use NAME:HASH");
	} else if (hash - text > NAME_LEN_MAX) {
		report(u, line, "name too long; use at most %d bytes", NAME_LEN_MAX);
	} else {
		*hash++ = '\0';
		hash[strcspn(hash, ":")] = '\0'; /* shadow(5) has more fields */
		if (add_user(u, text, hash, line))
			return;
	}
	free(text);
}

/* Returns NULL after an error. */
static FILE *open_users(struct users *u)
{
	struct stat st;
	/* O_NONBLOCK: a FIFO without a writer would block. */
	int fd = open(u->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;

	if (!file || fstat(fd, &st) < 0)
		report(u, 0, "%s; use a file that UID %u can read", strerror(errno), geteuid());
	else if (!S_ISREG(st.st_mode))
		report(u, 0, "not a regular file; use one");
	else if (st.st_size > FILE_MAX)
		report(u, 0, "file too large; use at most %ld bytes", FILE_MAX);
	else if (st.st_mode & (S_IROTH | S_IWOTH))
		report(u, 0, "all users can read or write it; run chmod o-rw %s", u->path);
	if (file && u->errors > 0 && !u->checking) {
		fclose(file);
		return NULL;
	}
	return file;
}

/* The users are not freed: the process exits soon. */
static void read_users(struct users *u)
{
	FILE *file = open_users(u);
	if (!file)
		return;
	/* Before 4.4.21, crypt_checksalt(3) did not reject weak kinds. */
	if (crypt_checksalt("$1$saltsalt$") == CRYPT_SALT_OK)
		report(u, 0, "the crypt library accepts MD5; install libxcrypt 4.4.21");

	char *text = NULL;
	size_t cap = 0;
	ssize_t len;
	for (size_t line = 1; (len = getline(&text, &cap, file)) >= 0; line++) {
		add_line(u, text, (size_t)len, line);
		text = NULL;
		cap = 0;
	}
	if (!feof(file))
		report(u, 0, "%s; use a file that can be read", strerror(errno));
	else if (!u->by_name)
		report(u, 0, "no user in the file; add one with mkpasswd or htpasswd -B");
	free(text);
	fclose(file);
}

/* Reads the message. The name and the password are in secret.message. */
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
		die(EXIT_MISUSE, "descriptor 3: %s; see " SELF " --help", strerror(errno));
	close(MESSAGE_FD);

	for (size_t i = 0; i < len; i++)
		nuls += secret.message[i] == '\0';
	/* With more NULs, one would be in the password: its beginning must not be accepted. */
	if (len > MESSAGE_MAX || nuls != 3 || secret.message[len - 1] != '\0')
		die(EXIT_MISUSE,
			"descriptor 3: no message NAME NUL PASSWORD NUL TIMESTAMP NUL of at most "
			"%d bytes; see " SELF " --help",
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

/* Returns a user whose hash is computed for an unknown name, so that the time does not show that
 * the name is unknown. The costs of hashes differ, so each name always gets the same user. */
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

/* Compares in a time that depends only on the lengths, which are not secret. */
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

	if (len == 0 || len > PASSWORD_MAX || !e) /* for any name, so this shows nothing of it */
		return false;
	const char *hash = hash_password(password, e);
	if (!hash)
		die(EXIT_TEMPORARY,
			"%s:%zu: cannot compute the hash; run --check, or increase the memory "
			"limit",
			u->path, e->line);
	if (len > BCRYPT_MAX && strncmp(e->hash, "$2", 2) == 0)
		return false;
	return is_same(hash, e->hash) && known;
}

/* Protects the password: disables core dumps and ptrace. */
static void disable_dumps(void)
{
	const struct rlimit none = {0, 0};
	if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		die(EXIT_TEMPORARY, "cannot disable core dumps: %s; allow setrlimit and prctl",
			strerror(errno));
}

int main(int argc, char **argv)
{
	const char *first = argc > 1 ? argv[1] : "-", *name, *password;
	struct users users = {.path = first};

	disable_dumps();
	if (strcmp(first, "--help") == 0)
		leave(fputs(help, stdout) >= 0 && fflush(stdout) == 0 ? EXIT_RIGHT
								      : EXIT_TEMPORARY);
	if (strcmp(first, "--version") == 0)
		leave(puts(SELF " " VERSION) >= 0 && fflush(stdout) == 0 ? EXIT_RIGHT
									 : EXIT_TEMPORARY);
	if (strcmp(first, "--check") == 0 && argc == 3) {
		users = (struct users){.path = argv[2], .checking = true};
		read_users(&users);
		leave(users.errors > 0 ? EXIT_INVALID : EXIT_RIGHT);
	}
	if (first[0] == '-' || first[0] == '\0')
		die(EXIT_MISUSE, "missing FILE, or --check FILE; see " SELF " --help");

	read_message(&name, &password);
	read_users(&users);
	if (users.errors > 0)
		leave(EXIT_TEMPORARY);
	if (!is_right(&users, name, password))
		leave(EXIT_REFUSED);
	if (argc == 2)
		leave(EXIT_RIGHT);
	explicit_bzero(&secret, sizeof secret);
	execvp(argv[2], argv + 2);
	die(EXIT_TEMPORARY, "%s: %s; use a program that can be executed", argv[2], strerror(errno));
}

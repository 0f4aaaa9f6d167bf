/* SPDX-License-Identifier: ISC */
#include "stdsocks/slots.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/clock.h"
#include "policy/limit.h"
#include "policy/siphash.h"
#include "stdsocks/outcome.h"
#include "stdsocks/reply.h"
#include "wire/large.h"

/* The offset of a slot's byte is the key, and then the number of the slot in this file. */
#define NUMBER_BITS 12
_Static_assert(LIMIT_KEY_BITS + NUMBER_BITS == 63, "an offset of a file has 63 bits");
_Static_assert(LIMIT_MAX == SLOTS_FILES << NUMBER_BITS, "each slot has a byte");

/* Files in memory have these seals, and no others do. */
#define SEALS (F_SEAL_GROW | F_SEAL_SHRINK)

#define ADVICE "; run \"systemd-tmpfiles --create stdsocks.conf\" to create it, or lift the limit"

static int files[SLOTS_FILES] = {-1, -1, -1, -1}, shared[SLOTS_FILES] = {-1, -1, -1, -1};

/* The beginning of the first file. It makes keys unpredictable. */
static uint8_t secret[SIPHASH_SECRET_LEN];

static const char *path_of(unsigned i)
{
	static char path[] = SLOTS_DIRECTORY "/slots-0";

	path[sizeof path - 2] = (char)('0' + i);
	return path;
}

/* -- The files. */

/* Returns 0, or -errno and in *ret_path the path of the file. */
static int open_paths(const char **ret_path)
{
	for (unsigned i = 0; i < SLOTS_FILES; i++) {
		*ret_path = path_of(i);
		files[i] = open(*ret_path, O_RDWR | O_CLOEXEC | O_NOCTTY);
		if (files[i] < 0)
			return -errno;
	}
	return 0;
}

static int read_secret(const char **ret_path)
{
	const ssize_t n = pread(files[0], secret, sizeof secret, 0);

	*ret_path = path_of(0);
	return n < 0 ? -errno : n < (ssize_t)sizeof secret ? -ENODATA : 0;
}

static bool has_only_default(const struct limit *limit)
{
	return limit->from == 0 && !limit_has_users(limit);
}

static int open_files(const struct limit *limit, const char **ret_path)
{
	const bool is_open = files[0] >= 0; /* by the zygote */

	if (is_open || (!limit_has_from(limit) && !limit_has_users(limit)))
		return 0;
	const int error = open_paths(ret_path);
	return error < 0 ? error : read_secret(ret_path);
}

static struct refusal refusal_of(int error, const char *path)
{
	static char text[192] LARGE;
	struct writer w = writer_on(text, sizeof text - 1);

	if (error == 0)
		return (struct refusal){.reason = NULL};
	writer_str(&w, "cannot count connections with ");
	writer_str(&w, path);
	writer_str(&w, ADVICE);
	return (struct refusal){.reason = text, .error = -error};
}

struct refusal slots_open(const struct config *config)
{
	const char *path = NULL;
	const int error = open_files(&config->limit, &path);

	return refusal_of(error, path);
}

struct refusal slots_open_for_prefork(struct config *config)
{
	struct limit *limit = &config->limit;
	const bool uses_shared = has_only_default(limit) && shared[0] >= 0;
	const char *path = NULL;

	if (limit->from == 0)
		limit->from = LIMIT_FROM_DEFAULT;
	if (!uses_shared)
		return slots_open(config);
	memcpy(files, shared, sizeof files);
	const int error = read_secret(&path);
	return refusal_of(error, path);
}

/* Returns the path of a file that other users can open, or NULL. */
static const char *find_open_to_others(void)
{
	struct stat status;

	for (unsigned i = 0; i < SLOTS_FILES; i++)
		if (files[i] >= 0 && fstat(files[i], &status) == 0 &&
			status.st_mode & (S_IRWXG | S_IRWXO))
			return path_of(i);
	return NULL;
}

/* Returns false. */
static bool report(struct writer *errors, const char *path, const char *what, const char *advice)
{
	writer_str(errors, path);
	writer_str(errors, ": ");
	writer_str(errors, what);
	writer_str(errors, advice);
	writer_u8(errors, '\n');
	return false;
}

bool slots_check(const struct config *config, bool is_root, struct writer *errors)
{
	struct limit limit = config->limit;
	const char *path = NULL;

	if (has_only_default(&limit) && is_root && access(SLOTS_DIRECTORY, F_OK) == 0)
		limit.from = LIMIT_FROM_DEFAULT; /* in prefork mode */
	const int error = open_files(&limit, &path);
	if (error == -ENODATA)
		return report(errors, path, "it has fewer than 16 bytes",
			"; write random bytes to it that clients do not know");
	if (error < 0)
		return report(errors, path, strerror(-error), ADVICE);
	path = find_open_to_others();
	return !path || report(errors, path, "other users can lock it", "; run chmod 600");
}

/* -- Files in memory. */

void slots_create_shared(void)
{
	uint8_t random[SIPHASH_SECRET_LEN];

	if (shared[0] >= 0 || access(SLOTS_DIRECTORY, F_OK) == 0)
		return;
	for (unsigned i = 0; i < SLOTS_FILES; i++) {
		const int fd = memfd_create("stdsocks-slots", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		/* Without the secret, slots_open() fails. */
		if (i == 0 && getrandom(random, sizeof random, 0) == sizeof random &&
			write(fd, random, sizeof random) < 0)
			errno = 0;
		fcntl(fd, F_ADD_SEALS, SEALS);
		shared[i] = fd;
	}
}

void slots_move_shared(int first)
{
	for (unsigned i = 0; i < SLOTS_FILES; i++) {
		const int fd = shared[i] >= 0 && shared[i] < first
			? fcntl(shared[i], F_DUPFD_CLOEXEC, first)
			: -1;
		if (fd < 0)
			continue;
		close(shared[i]);
		shared[i] = fd;
	}
}

unsigned slots_inherit_shared(int first)
{
	for (int i = 0; i < SLOTS_FILES; i++)
		if (fcntl(first + i, F_GET_SEALS) != SEALS)
			return 0;
	for (int i = 0; i < SLOTS_FILES; i++)
		shared[i] = first + i;
	slots_keep_shared(false);
	return SLOTS_FILES;
}

void slots_keep_shared(bool is_kept)
{
	for (unsigned i = 0; i < SLOTS_FILES; i++)
		if (shared[i] >= 0)
			fcntl(shared[i], F_SETFD, is_kept ? 0 : FD_CLOEXEC);
}

/* -- The slots. */

static int lock(uint64_t key, unsigned slot)
{
	/* With the key, limits of a few connections use all files, too. */
	const int fd = files[(slot + key) % SLOTS_FILES];
	const struct flock byte = {.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = (off_t)(key << NUMBER_BITS | slot / SLOTS_FILES),
		.l_len = 1};

	if (fcntl(fd, F_SETLK, &byte) == 0)
		return 0;
	return errno == EACCES ? -EAGAIN : -errno;
}

/* Takes one of the slots of a key. Tries them in a random order until one is free: in an order that
 * all processes share, each would try those of all others. Returns 0; -EAGAIN if no slot is free;
 * or another -errno. */
static int take(uint64_t key, unsigned limit, int64_t seed)
{
	const uint64_t random = siphash(secret, &seed, sizeof seed);
	/* Steps of an odd size reach each number below a power of two once. */
	const unsigned first = (unsigned)random, step = (unsigned)(random >> 32) | 1;
	unsigned count = 1;

	while (count < limit)
		count *= 2;
	for (unsigned i = 0; i < count; i++) {
		const unsigned slot = (first + i * step) % count;
		const int error = slot < limit ? lock(key, slot) : -EAGAIN;
		if (error != -EAGAIN)
			return error;
	}
	return -EAGAIN;
}

static void count_toward(struct session *s, const char *name, uint64_t key, unsigned limit)
{
	static char text[64] LARGE;
	struct writer w = writer_on(text, sizeof text - 1);
	const int error = take(key, limit, s->input->start_us);

	if (error == 0)
		return;
	writer_str(&w, error == -EAGAIN ? "" : "cannot count connections for ");
	writer_str(&w, name);
	writer_decimal(&w, limit, 1);
	s->limit = text;
	s->limit_error = error == -EAGAIN ? 0 : -error;
}

void slots_take_for_client(struct session *s)
{
	const struct addr *client = &s->input->client->remote;
	const unsigned limit = s->config->limit.from;

	if (!limit_has_from(&s->config->limit) || client->kind == ADDR_NONE ||
		s->input->refusal.reason)
		return;
	count_toward(s, "limit from ", limit_client_key(client, secret), limit);
	if (!s->limit)
		return;
	s->record.why = s->limit; /* if the client sends no request */
	s->deadline_us =
		clock_earlier(s->deadline_us, clock_after(s->input->start_us, SLOTS_HANDSHAKE_US));
}

enum record_end slots_admit(struct session *s)
{
	const char *user = s->record.user;
	const size_t len = s->record.user_len;
	const unsigned limit =
		s->is_authenticated ? limit_of_user(&s->config->limit, user, len) : 0;

	if (!s->limit && limit > 0)
		count_toward(s, "limit user ", limit_user_key(user, len, secret), limit);
	if (!s->limit)
		return RECORD_ONGOING;
	if (s->limit_error)
		return reply_fail(s, s->limit_error, s->limit);
	return reply_refuse(s, SOCKS5_NOT_ALLOWED, 0, s->limit);
}

/* SPDX-License-Identifier: ISC */
/* Fuzzes text/hosts with a name or an address and a table: compares the results with those of a
 * search that has the whole table and splits it into lines and words.
 *
 * Input: the lengths of the first two parts of the table (a byte each), the length of the name or
 * address and its text, then the table. */
#include "text/hosts.h"

#include "fuzz.h"

enum { RESULTS_MAX = 400, TEXT_MAX = 1000 };

struct results {
	size_t count;
	struct result {
		enum addr_kind kind;
		uint8_t len;
		uint8_t bytes[ADDR_NAME_MAX];
	} at[RESULTS_MAX];
};

static void add(struct results *results, const struct addr *a)
{
	struct result *result = &results->at[results->count++];

	INVARIANT(results->count <= RESULTS_MAX);
	result->kind = a->kind;
	result->len = a->len;
	memcpy(result->bytes, a->bytes, a->len);
}

static void search_part(
	struct hosts *hosts, const uint8_t *text, size_t len, struct results *results)
{
	uint8_t *copy = fuzz_copy(text, len);
	struct reader r = reader_of(copy, len);
	struct addr a;

	while (hosts_next(hosts, &r, &a)) {
		INVARIANT(a.port == 0 && r.at <= r.len);
		add(results, &a);
	}
	INVARIANT(r.at == r.len && !r.ended);
	free(copy);
}

static void search_parts(const struct addr *key, struct reader text, const size_t part_lens[2],
	struct results *results)
{
	struct hosts hosts = hosts_search(key);

	results->count = 0;
	for (unsigned i = 0; i < 3; i++) {
		const size_t left = text.len - text.at;
		const size_t len = i < 2 && part_lens[i] < left ? part_lens[i] : left;
		search_part(&hosts, reader_bytes(&text, len), len, results);
	}
	search_part(&hosts, (const uint8_t *)"\n", 1, results);
}

/* Returns the next word and moves *at behind it; NULL if there is none. */
static const char *take_word(const char **at, const char *end, size_t *ret_len)
{
	static const char blanks[] = " \t\r\v\f";

	while (*at < end && memchr(blanks, **at, sizeof blanks - 1))
		(*at)++;
	const char *word = *at;
	while (*at < end && !memchr(blanks, **at, sizeof blanks - 1))
		(*at)++;
	*ret_len = (size_t)(*at - word);
	return *ret_len > 0 ? word : NULL;
}

/* Sets *ret_addr to the address that a word spells. */
static bool is_address(const char *word, size_t len, struct addr *ret_addr)
{
	char text[TEXT_MAX + 1];

	memcpy(text, word, len);
	text[len] = '\0';
	if (memchr(word, '\0', len) || len > ADDR_NAME_MAX)
		return false;
	const struct addr a = fuzz_address(text, 0);
	*ret_addr = addr_unmapped(&a);
	return a.kind != ADDR_NAME;
}

static bool is_same_name(const struct addr *key, const char *word, size_t len)
{
	size_t key_len = key->len;

	if (key_len > 0 && key->bytes[key_len - 1] == '.')
		key_len--;
	if (len != key_len)
		return false;
	for (size_t i = 0; i < len; i++) {
		uint8_t a = (uint8_t)word[i], b = key->bytes[i];
		if (a >= 'A' && a <= 'Z')
			a += 'a' - 'A';
		if (b >= 'A' && b <= 'Z')
			b += 'a' - 'A';
		if (a != b)
			return false;
	}
	return true;
}

static void search_line(
	const struct addr *key, const char *at, const char *end, struct results *results)
{
	struct addr a, unmapped = addr_unmapped(key);
	size_t len;
	const char *word = take_word(&at, end, &len);

	if (!word || !is_address(word, len, &a))
		return;
	if (key->kind != ADDR_NAME) {
		word = take_word(&at, end, &len);
		if (!word || len > ADDR_NAME_MAX || !addr_is_same_host(&a, &unmapped))
			return;
		a = addr_of(ADDR_NAME, word, (uint8_t)len, 0);
		add(results, &a);
		return;
	}
	while ((word = take_word(&at, end, &len))) {
		if (is_same_name(key, word, len)) {
			add(results, &a);
			return;
		}
	}
}

static void search_lines(
	const struct addr *key, const uint8_t *bytes, size_t len, struct results *results)
{
	const char *text = (const char *)bytes, *end = text + len;

	results->count = 0;
	while (text < end) {
		const struct words_line line = fuzz_take_line(&text, end, 1);
		const char *comment = memchr(line.text, '#', line.len);
		search_line(key, line.text, comment ? comment : line.text + line.len, results);
	}
}

static void check_same(const struct results *a, const struct results *b)
{
	INVARIANT(a->count == b->count);
	for (size_t i = 0; i < a->count; i++) {
		INVARIANT(a->at[i].kind == b->at[i].kind);
		INVARIANT(fuzz_same(a->at[i].bytes, a->at[i].len, b->at[i].bytes, b->at[i].len));
	}
}

/* Returns the name or the address that the input spells. */
static struct addr take_key(struct reader *in)
{
	char text[ADDR_NAME_MAX + 1];
	const uint8_t len = reader_u8(in);
	const uint8_t *bytes = reader_bytes(in, len);

	if (!bytes)
		return addr_of(ADDR_NAME, "a", 1, 0);
	memcpy(text, bytes, len);
	text[len] = '\0';
	const struct addr a = fuzz_address(text, 1);
	return a.kind == ADDR_NAME ? addr_of(ADDR_NAME, bytes, len, 1) : a;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct results want, found;
	struct reader in = reader_of(data, size);
	const size_t part_lens[] = {reader_u8(&in), reader_u8(&in)};
	const struct addr key = take_key(&in);
	const size_t len = in.len - in.at;

	if (len > TEXT_MAX)
		return 0;
	search_lines(&key, data + in.at, len, &want);
	search_parts(&key, reader_of(data + in.at, len), part_lens, &found);
	check_same(&want, &found);
	return 0;
}

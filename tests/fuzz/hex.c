/* SPDX-License-Identifier: ISC */
/* Fuzzes text/hex: hex text in parts, and bytes that are converted to hex text and back.
 *
 * Input: the length of each part except the last (two bytes), the text. If the two bytes are equal,
 * the text is also used as bytes, which is much slower. */
#include "fuzz.h"
#include "text/annotate.h"

enum { TEXT_MAX = 600, LINE_MAX_ = 128 };

/* The result of a text. */
struct result {
	struct hex hex;
	bool valid;
	size_t len;
	char bytes[TEXT_MAX];
};

static void read_piece(struct result *r, const uint8_t *text, size_t len)
{
	uint8_t *copy = fuzz_copy(text, len);
	struct writer w = writer_on(r->bytes + r->len, len); /* "at most len" */

	r->valid = hex_read(&r->hex, (const char *)copy, len, &w);
	INVARIANT(!w.full);
	INVARIANT(r->valid == (r->hex.state != HEX_BAD));
	INVARIANT(r->valid || (r->hex.what && r->hex.what[0]));
	r->len += w.len;
	free(copy);
}

static struct result read_all(const uint8_t *text, size_t len, size_t first, size_t second)
{
	struct result r = {.hex = hex_start(), .valid = true, .len = 0};
	first %= len + 1;
	second %= len - first + 1;

	read_piece(&r, text, first);
	if (r.valid)
		read_piece(&r, text + first, second);
	if (r.valid)
		read_piece(&r, text + first + second, len - first - second);
	return r;
}

static void is_same(const struct result *a, const struct result *b)
{
	INVARIANT(fuzz_same(a->bytes, a->len, b->bytes, b->len));
	INVARIANT(a->valid == b->valid && a->hex.state == b->hex.state);
	INVARIANT(a->hex.line == b->hex.line && a->hex.column == b->hex.column);
	INVARIANT(a->hex.what == b->hex.what);
}

/* The position is that of the error, and further text changes nothing. */
static void is_bad_for_good(struct result *r, const uint8_t *text, size_t len)
{
	size_t lines = 1;
	struct hex before = r->hex;
	struct writer w = writer_on(NULL, 0);

	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	INVARIANT(r->hex.line <= lines && r->hex.column <= len + 1);
	INVARIANT(!hex_read(&r->hex, "00 \"", 4, &w) && !hex_end(&r->hex));
	INVARIANT(!w.full && w.len == 0);
	INVARIANT(r->hex.line == before.line && r->hex.column == before.column &&
		r->hex.what == before.what);
}

/* Uses the input as bytes: in lines of hex digits, and as one text in quotes. */
static void check_round_trip(const uint8_t *bytes, size_t len)
{
	static char text[(TEXT_MAX / 16 + 1) * LINE_MAX_];
	struct writer w = writer_on(text, sizeof text);

	annotate_data(&w, bytes, len);
	INVARIANT(fuzz_is_hex_of(&w, bytes, len) && fuzz_is_harmless(text, w.len, true));
	w = writer_on(text, sizeof text);
	writer_u8(&w, '"');
	writer_escaped(&w, bytes, len);
	writer_u8(&w, '"');
	INVARIANT(fuzz_is_hex_of(&w, bytes, len) && fuzz_is_harmless(text, w.len, true));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader in = reader_of(data, size);
	const size_t first = reader_u8(&in), second = reader_u8(&in), len = in.len - in.at;
	const uint8_t *text = data + in.at;

	if (len > TEXT_MAX)
		return 0;
	struct result whole = read_all(text, len, len, 0),
		      pieces = read_all(text, len, first, second);
	is_same(&whole, &pieces);
	if (!whole.valid)
		is_bad_for_good(&whole, text, len);
	else if (!hex_end(&whole.hex))
		INVARIANT(whole.hex.state == HEX_BAD && whole.hex.what && whole.hex.what[0]);
	else
		INVARIANT(hex_end(&whole.hex)); /* a second call has the same result */
	if (first == second)
		check_round_trip(text, len);
	return 0;
}

/* SPDX-License-Identifier: ISC */
/* Takes inputs that are known to a harness, without a fuzzer: built by any compiler for any C
 * library. Usage: replay FILE..., each with an input a line, in hex text (text/hex.h). Knows: hex
 * text. Does not know: the harness. */
#include "fuzz.h"
#include "text/hex.h"

enum { LINE_MAX_ = 16384 };

/* The inputs of a file: how many. */
static unsigned replay(FILE *file)
{
	static char line[LINE_MAX_], bytes[LINE_MAX_];
	unsigned inputs = 0;

	while (fgets(line, sizeof line, file)) {
		struct writer w = writer_on(bytes, sizeof bytes);
		struct hex h = hex_start();
		if (!hex_read(&h, line, strlen(line), &w) || !hex_end(&h)) {
			fprintf(stderr, "input %u, column %zu: %s\n", inputs + 1, h.column, h.what);
			exit(64);
		}
		if (line[0] == '#')
			continue;
		uint8_t *copy = fuzz_copy(bytes, w.len); /* ends where the input does */
		LLVMFuzzerTestOneInput(copy, w.len);
		free(copy);
		inputs++;
	}
	return inputs;
}

int main(int argc, char **argv)
{
	unsigned inputs = 0;

	for (int i = 1; i < argc; i++) {
		FILE *file = fopen(argv[i], "r");
		if (!file) {
			perror(argv[i]);
			return 71;
		}
		inputs += replay(file);
		fclose(file);
	}
	printf("%u inputs\n", inputs);
	return inputs == 0;
}

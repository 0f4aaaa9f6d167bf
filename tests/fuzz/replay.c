/* SPDX-License-Identifier: ISC */
/* Runs a fuzz target with stored inputs and without a fuzzer, so that it can be built with any
 * compiler and C library. Usage: replay FILE... Each line of a file is an input in hex text
 * (text/hex.h), or a comment that begins with '#'. */
#include "fuzz.h"
#include "text/hex.h"

enum { LINE_MAX_ = 16384 };

/* Runs the target with the inputs of a file. Returns their number. */
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
		uint8_t *copy = fuzz_copy(bytes, w.len); /* a sanitizer detects reads after it */
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

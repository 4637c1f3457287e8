/* What must hold for every input: stops the fuzzer when it doesn't. */
#pragma once

#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>

#define FUZZ_ASSERT(condition)                                             \
	do {                                                               \
		if (!(condition)) {                                        \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, \
				#condition);                               \
			abort();                                           \
		}                                                          \
	} while (0)

/* libFuzzer calls it with every input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

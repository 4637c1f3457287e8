/* libFuzzer's calls, which fuzz_driver.c has as well. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Changes data by chance; returns how long it is then. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t len_bytes, size_t max_bytes);
/* A target that knows its input has one: called in its place. */
__attribute__((weak)) size_t LLVMFuzzerCustomMutator(uint8_t *data,
						     size_t len_bytes,
						     size_t max_bytes,
						     unsigned seed);

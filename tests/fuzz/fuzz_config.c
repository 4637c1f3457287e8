/*
 * store.conf, and the sizes and durations in it: what is read can be written,
 * and reads as the same; what is refused says why.
 */
#include <string.h>

#include "config.h"

#include "fuzz_assert.h"

static void check_config(const struct store_config *config)
{
	struct store_config again;
	struct failure failure = { 0 };
	char *text = config_format(config), *twice, value[64];
	const char *key;
	size_t i;

	FUZZ_ASSERT(text);
	FUZZ_ASSERT(config_parse(text, "again", &again, &failure) == 0);
	for (i = 0; (key = config_key(i)); i++) {
		FUZZ_ASSERT(config_get(config, key, value, sizeof(value),
				       NULL) == 0);
		FUZZ_ASSERT(config_set(&again, key, value, &failure) == 0);
	}
	twice = config_format(&again);
	FUZZ_ASSERT(twice && strcmp(text, twice) == 0);
	free(text);
	free(twice);
}

static void set_one(const char *text)
{
	struct store_config config;
	struct failure failure = { 0 };
	const char *key;
	uint64_t number;
	size_t i;

	config_defaults(&config);
	for (i = 0; (key = config_key(i)); i++) {
		failure = (struct failure){ 0 };
		if (config_set(&config, key, text, &failure) < 0)
			FUZZ_ASSERT(failure.code == FAILURE_USAGE);
	}
	check_config(&config);
	failure = (struct failure){ 0 };
	if (size_parse(text, &number, &failure) < 0)
		FUZZ_ASSERT(failure.code == FAILURE_USAGE);
	failure = (struct failure){ 0 };
	if (duration_parse(text, &number, &failure) < 0)
		FUZZ_ASSERT(failure.code == FAILURE_USAGE);
	else
		FUZZ_ASSERT(number <= INT64_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	struct store_config config;
	struct failure failure = { 0 };
	char *text = malloc(len_bytes + 1);

	FUZZ_ASSERT(text);
	memcpy(text, data, len_bytes);
	text[len_bytes] = '\0';
	if (config_parse(text, "store.conf", &config, &failure) == 0) {
		check_config(&config);
	} else {
		FUZZ_ASSERT(failure.code == FAILURE_USAGE);
		FUZZ_ASSERT(strncmp(failure.message, "line ", 5) == 0);
	}
	set_one(text);
	free(text);
	return 0;
}

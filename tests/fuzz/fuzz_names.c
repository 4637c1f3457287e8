/*
 * What users type and see: STORE:BRANCH@SNAPSHOT, times, sizes, paths as JSON.
 * The first byte chooses.
 */
#include <string.h>

#include "human.h"
#include "path_text.h"
#include "target.h"

#include "fuzz_assert.h"

static void target(const char *text)
{
	static struct target target;
	struct failure failure = { 0 };

	if (target_parse(text, "default", &target, &failure) < 0) {
		FUZZ_ASSERT(failure.code == FAILURE_USAGE);
		return;
	}
	FUZZ_ASSERT(strlen(target.store) > 0);
	FUZZ_ASSERT(strlen(target.branch) + strlen(target.snapshot) <=
		    strlen(text));
	FUZZ_ASSERT(!strchr(target.branch, '@'));
}

/* RFC 3339 in whole milliseconds, both ways. */
static void moment(const char *text)
{
	char told[64];
	int64_t ns, again;

	if (!human_parse_rfc3339(text, &ns))
		return;
	human_rfc3339(ns, told, sizeof(told));
	FUZZ_ASSERT(human_parse_rfc3339(told, &again) && again == ns);
}

static void number(const uint8_t *data, size_t len_bytes)
{
	uint64_t numbers[2] = { 0, 0 };
	char text[64];
	int style;

	memcpy(numbers, data,
	       len_bytes < sizeof(numbers) ? len_bytes : sizeof(numbers));
	human_size(numbers[0], text, sizeof(text));
	FUZZ_ASSERT(strlen(text) >= 2 && strlen(text) <= 5);
	human_duration(numbers[0], text, sizeof(text));
	FUZZ_ASSERT(strlen(text) > 0);
	human_ago((int64_t)numbers[0], (int64_t)numbers[1], text, sizeof(text));
	FUZZ_ASSERT(strlen(text) > 0 && !strchr(text, '-'));
	human_rfc3339((int64_t)numbers[0], text, sizeof(text));
	FUZZ_ASSERT(strlen(text) == 24);
	for (style = TIME_STYLE_RELATIVE; style <= TIME_STYLE_UNIX; style++) {
		human_time((int64_t)numbers[0], (int64_t)numbers[1],
			   (enum time_style)style, text, sizeof(text));
		FUZZ_ASSERT(strlen(text) > 0);
	}
}

/* No terminal gets a control character, however a file is called (A25). */
static void path(const char *text)
{
	json_t *json = path_json(text);
	char *again, *shown = NULL;
	size_t shown_bytes = 0, i;
	FILE *out = open_memstream(&shown, &shown_bytes);

	FUZZ_ASSERT(json && out);
	again = path_of_json(json_string_value(json));
	FUZZ_ASSERT(again && strcmp(again, text) == 0);
	path_print(json_string_value(json), out);
	FUZZ_ASSERT(fclose(out) == 0);
	for (i = 0; i < shown_bytes; i++)
		FUZZ_ASSERT((uint8_t)shown[i] >= ' ' && shown[i] != 0x7f);
	free(shown);
	free(again);
	json_decref(json);
	/* What is no text of ours does no harm. */
	free(path_of_json(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	char *text;

	if (len_bytes == 0)
		return 0;
	text = malloc(len_bytes);
	FUZZ_ASSERT(text);
	memcpy(text, data + 1, len_bytes - 1);
	text[len_bytes - 1] = '\0';
	switch (data[0] % 4) {
	case 0:
		target(text);
		break;
	case 1:
		moment(text);
		break;
	case 2:
		number(data + 1, len_bytes - 1);
		break;
	default:
		path(text);
		break;
	}
	free(text);
	return 0;
}

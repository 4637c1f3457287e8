/*
 * Rule files: what is read can be written, reads as the same again, and can be
 * asked; what is refused says where, within the text.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "rules.h"

#include "fuzz_assert.h"

static void ask(const struct rules *rules)
{
	static const struct {
		const char *path;
		mode_t mode;
	} files[] = {
		{ "", S_IFDIR | 0755 },
		{ "a", S_IFREG | 0755 },
		{ "src/pc/main.8", S_IFREG | 0644 },
		{ "aaaaaaaaaaaaaaaa/bbbbbbbbbbbb.cc", S_IFLNK | 0777 },
		{ "\xff\xfe/\xc3\xa4.\n", S_IFDIR | 01777 },
	};
	static const struct rules_asker asker = { .uid = 1, .gid = 2 };
	const struct rule *rule;
	struct rules_subject subject;
	size_t i;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		rules_subject_init(&subject, files[i].path, files[i].mode, 1, 1,
				   &asker);
		if (rules_match(rules, &subject, &rule) < 0)
			continue;
		FUZZ_ASSERT(rule >= rules_at(rules, 0));
		FUZZ_ASSERT(rule <= rules_at(rules, rules_count(rules) - 1));
		FUZZ_ASSERT((rule->place == RULE_PLACE_DIRECTORY) ==
			    (rule->directory != NULL));
	}
}

static void refused(const struct failure *failure, const uint8_t *data,
		    size_t len_bytes)
{
	size_t lines = 1, i, column;
	unsigned line;

	for (i = 0; i < len_bytes; i++)
		lines += data[i] == '\n';
	FUZZ_ASSERT(failure->code == FAILURE_USAGE);
	FUZZ_ASSERT(sscanf(failure->message, "%u:%zu: ", &line, &column) == 2);
	FUZZ_ASSERT(line >= 1 && line <= lines);
	FUZZ_ASSERT(column >= 1 && column <= len_bytes + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	struct failure failure = { .code = FAILURE_NONE };
	struct rules *rules = NULL, *again = NULL;
	char *text, *twice;

	if (rules_parse((const char *)data, len_bytes, "f", "/s", &rules,
			&failure) < 0) {
		FUZZ_ASSERT(!rules);
		refused(&failure, data, len_bytes);
		return 0;
	}
	text = rules_format(rules);
	FUZZ_ASSERT(text);
	FUZZ_ASSERT(rules_parse(text, strlen(text), "g", "/t", &again, NULL) ==
		    0);
	FUZZ_ASSERT(rules_count(again) == rules_count(rules));
	twice = rules_format(again);
	FUZZ_ASSERT(twice && strcmp(text, twice) == 0);
	ask(rules);
	free(text);
	free(twice);
	rules_free(rules);
	rules_free(again);
	return 0;
}

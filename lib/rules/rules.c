/*
 * Rule files: their life, their words, and the way back to text. Parsing is
 * in rules_parse.c, matching in rules_match.c.
 */
#include "rules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "rules_impl.h"

static const char *const kind_names[] = {
	[RULE_KIND_OR] = NULL,	       [RULE_KIND_AND] = NULL,
	[RULE_KIND_ALL] = "all",       [RULE_KIND_MODE] = "mode",
	[RULE_KIND_EXT] = "ext",       [RULE_KIND_FREGEX] = "fregex",
	[RULE_KIND_DREGEX] = "dregex", [RULE_KIND_REGEX] = "regex",
	[RULE_KIND_PATH] = "path",
};

static const char *const place_words[] = {
	[RULE_PLACE_DIRECTORY] = NULL,
	[RULE_PLACE_STORE] = "@store",
	[RULE_PLACE_SCRATCH] = "@scratch",
	[RULE_PLACE_NOCOMPRESS] = "@nocompress",
	[RULE_PLACE_READONLY] = "@readonly",
	[RULE_PLACE_HIDE] = "@hide",
};

const char *rule_kind_name(enum rule_kind kind)
{
	return kind_names[kind];
}

const char *rule_place_word(enum rule_place place)
{
	return place_words[place];
}

static int read_file(int fd, char *text, size_t text_bytes, size_t *out_bytes)
{
	size_t done = 0;

	while (done < text_bytes) {
		ssize_t n = read(fd, text + done, text_bytes - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	*out_bytes = done;
	return 0;
}

int rules_load(const char *path, const char *base_directory,
	       struct rules **out_rules, struct failure *failure)
{
	/* One more than allowed, to see that there is more. */
	AUTO_FREE char *text = malloc(RULES_FILE_BYTES_MAX + 1);
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int rc = fd < 0 ? -errno : 0;
	size_t text_bytes = 0;
	struct stat st;

	if (!text)
		return failure_errno(failure, -ENOMEM, path,
				     "can't read the rule file");
	if (rc == 0 && fstat(fd, &st) < 0)
		rc = -errno;
	if (rc == 0 && !S_ISREG(st.st_mode))
		return failure_set(failure, FAILURE_USAGE, path,
				   "is no regular file, so no rule file");
	if (rc == 0)
		rc = read_file(fd, text, RULES_FILE_BYTES_MAX + 1, &text_bytes);
	if (rc < 0)
		return failure_errno(failure, rc, path,
				     "can't read the rule file");
	if (text_bytes > RULES_FILE_BYTES_MAX)
		return failure_set(failure, FAILURE_USAGE, path,
				   "is larger than 1 MiB, so no rule file");
	return rules_parse(text, text_bytes, path, base_directory, out_rules,
			   failure);
}

void rule_test_free(struct rule_test *test)
{
	if (!test)
		return;
	rule_test_free(test->left);
	rule_test_free(test->right);
	if (test->expression)
		regfree(test->expression);
	free(test->expression);
	free(test->setting);
	free(test->value);
	free(test);
}

void rules_free(struct rules *rules)
{
	size_t i;

	if (!rules)
		return;
	for (i = 0; i < rules->count; i++) {
		rule_test_free(rules->rules[i].test);
		free(rules->rules[i].directory);
	}
	free(rules->rules);
	free(rules);
}

size_t rules_count(const struct rules *rules)
{
	return rules->count;
}

const struct rule *rules_at(const struct rules *rules, size_t index)
{
	return index < rules->count ? &rules->rules[index] : NULL;
}

int rules_quote_path(const char *path, char *text, size_t text_bytes)
{
	bool plain = !strchr("@'#", path[0]) && !strpbrk(path, " \t\r");
	size_t used = 0;
	const char *c;

	if (!*path || strchr(path, '\n'))
		return -EINVAL;
	/* The longest: each byte twice, two quotes, the NUL. */
	for (c = path; *c && used + 5 <= text_bytes; c++) {
		if (!plain && c == path)
			text[used++] = '\'';
		if (!plain && *c == '\'')
			text[used++] = '\'';
		text[used++] = *c;
	}
	if (*c || used + 2 > text_bytes)
		return -ENAMETOOLONG;
	if (!plain)
		text[used++] = '\'';
	text[used] = '\0';
	return 0;
}

static void format_test(FILE *out, const struct rule_test *test)
{
	const char *name = rule_kind_name(test->kind);
	const struct rule_test *side[2] = { test->left, test->right };
	size_t i;

	if (name) {
		fprintf(out, "%s<%s>", name, test->setting);
		return;
	}
	for (i = 0; i < 2; i++) {
		bool inner = !rule_kind_name(side[i]->kind);

		fprintf(out, "%s", inner ? "(" : "");
		format_test(out, side[i]);
		fprintf(out, "%s", inner ? ")" : "");
		if (i == 0)
			fprintf(out, " %s ",
				test->kind == RULE_KIND_OR ? "||" : "&&");
	}
}

char *rules_format(const struct rules *rules)
{
	char *text = NULL, *quoted = NULL;
	size_t size_bytes = 0, i;
	FILE *out = open_memstream(&text, &size_bytes);
	bool whole = out != NULL;

	for (i = 0; whole && i < rules->count; i++) {
		const struct rule *rule = &rules->rules[i];
		const char *word = rule_place_word(rule->place);
		size_t room = word ? 1 : 2 * strlen(rule->directory) + 8;

		quoted = malloc(room);
		whole = quoted && (word || rules_quote_path(rule->directory,
							    quoted, room) == 0);
		if (whole) {
			fprintf(out, "%s ", word ? word : quoted);
			format_test(out, rule->test);
			fprintf(out, "\n");
		}
		free(quoted);
	}
	if (out && fclose(out) != 0)
		whole = false;
	if (!whole) {
		free(text);
		return NULL;
	}
	return text;
}

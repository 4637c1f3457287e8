/*
 * The language of rule files:
 *
 *	config   = (rule NL)*
 *	rule     = place complex
 *	place    = path | '@' word
 *	complex  = simple (('||' | '&&') complex)?
 *	simple   = kind '<' setting '>' | '(' complex ')'
 *
 * by recursive descent, a function for each line above, so || and && group to
 * the right. Blanks part tokens; a '#' where a token may begin is a comment.
 * Nothing is kept of a file with a mistake.
 */
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "rules_impl.h"

#define SETTING_BYTES_MAX 1024
#define PLACES "@store, @scratch, @nocompress, @readonly or @hide"

struct parser {
	const char *text;
	size_t text_bytes, at, line_begin;
	unsigned line;
	unsigned tests, opened; /* of this rule: those and its '(' */
	const char *file_name, *base_directory;
	struct rules *rules;
	size_t room;
	struct failure *failure;
};

/* Past the end, and at the end of a line: '\n'. */
static char peek(const struct parser *parser, size_t ahead)
{
	size_t at = parser->at + ahead;

	return at < parser->text_bytes ? parser->text[at] : '\n';
}

static bool at_blank(const struct parser *parser)
{
	char c = peek(parser, 0);

	return c == ' ' || c == '\t' || c == '\r';
}

static void skip_blanks(struct parser *parser)
{
	while (at_blank(parser))
		parser->at++;
	if (peek(parser, 0) == '#')
		while (peek(parser, 0) != '\n')
			parser->at++;
}

static int refuse_at(struct parser *parser, size_t at, const char *format, ...)
	PRINTF_LIKE(3, 4);

static int refuse_at(struct parser *parser, size_t at, const char *format, ...)
{
	char reason[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	return failure_set(parser->failure, FAILURE_USAGE, parser->file_name,
			   "%u:%zu: %s", parser->line,
			   at - parser->line_begin + 1, reason);
}

/* What stands at the parser's place, in words. */
static void describe(const struct parser *parser, char *text, size_t text_bytes)
{
	unsigned char first = (unsigned char)peek(parser, 0);
	size_t count = 1;

	if (parser->at >= parser->text_bytes) {
		snprintf(text, text_bytes, "the end of the file");
		return;
	}
	if (first == '\n') {
		snprintf(text, text_bytes, "the end of the line");
		return;
	}
	if (first == ' ' || first == '\t' || first == '\r') {
		snprintf(text, text_bytes, "a blank");
		return;
	}
	if (first < 0x20 || first == 0x7f) {
		snprintf(text, text_bytes, "the byte 0x%02x", first);
		return;
	}
	while (count < 24 && (isalnum(first) || first == '@') &&
	       isalnum((unsigned char)peek(parser, count)))
		count++;
	/* All of a character that is more than a byte. */
	while (first >= 0xc0 && count < 4 &&
	       ((unsigned char)peek(parser, count) & 0xc0) == 0x80)
		count++;
	snprintf(text, text_bytes, "'%.*s'", (int)count,
		 parser->text + parser->at);
}

static int expected(struct parser *parser, const char *what)
{
	char found[64];

	describe(parser, found, sizeof(found));
	return refuse_at(parser, parser->at, "expected %s, found %s", what,
			 found);
}

static int no_memory(struct parser *parser)
{
	return failure_errno(parser->failure, -ENOMEM, parser->file_name,
			     "can't parse the rule file");
}

/* Reads a setting up to its '>', which it takes too. */
static int parse_setting(struct parser *parser, struct rule_test *test)
{
	size_t begin = parser->at;

	for (; peek(parser, 0) != '>'; parser->at++) {
		if (peek(parser, 0) == '\\' && peek(parser, 1) != '\n')
			parser->at++;
		if (peek(parser, 0) == '\n')
			return expected(parser, "'>' behind the setting");
	}
	if (parser->at - begin > SETTING_BYTES_MAX)
		return refuse_at(parser, begin,
				 "expected at most %d bytes between < and >, "
				 "found %zu",
				 SETTING_BYTES_MAX, parser->at - begin);
	test->setting = strndup(parser->text + begin, parser->at - begin);
	if (!test->setting)
		return no_memory(parser);
	parser->at++;
	return 0;
}

static int check_mode(struct parser *parser, size_t begin,
		      const struct rule_test *test)
{
	const char *setting = test->setting;

	if (setting[0] && strchr("ALfdrwxe", setting[0]) && !setting[1])
		return 0;
	parser->at = begin;
	if (setting[0] && strchr("ALfdrwxe", setting[0])) {
		parser->at++;
		return expected(parser, "'>' behind one letter of mode");
	}
	return expected(parser, "one of A L f d r w x e");
}

static int check_ext(struct parser *parser, size_t begin,
		     struct rule_test *test)
{
	const char *from = test->setting;
	char *to = calloc(1, strlen(from) + 1);

	if (!to)
		return no_memory(parser);
	test->value = to;
	if (!*from) {
		parser->at = begin;
		return expected(parser, "an extension");
	}
	for (; *from; from++) {
		if (*from == '\\' && from[1])
			from++;
		if (*from == '.' || *from == '/') {
			parser->at = begin + (size_t)(from - test->setting);
			return expected(parser, "what follows a name's last "
						"dot");
		}
		*to++ = *from;
	}
	return 0;
}

/* begin: where the setting is. Leaves parser->at only when it returns 0. */
static int check_setting(struct parser *parser, size_t begin,
			 struct rule_test *test)
{
	struct regex_error error = { 0 };
	int rc;

	switch (test->kind) {
	case RULE_KIND_ALL:
		if (!*test->setting)
			return 0;
		parser->at = begin;
		return expected(parser, "'>', as all takes no setting");
	case RULE_KIND_MODE:
		return check_mode(parser, begin, test);
	case RULE_KIND_EXT:
		return check_ext(parser, begin, test);
	case RULE_KIND_FREGEX:
	case RULE_KIND_DREGEX:
	case RULE_KIND_REGEX:
	case RULE_KIND_PATH:
		rc = rules_regex_compile(test->setting, &test->expression,
					 &error);
		if (rc == -ENOMEM)
			return no_memory(parser);
		return rc < 0 ? refuse_at(parser, begin + error.at, "%s",
					  error.text) :
				0;
	case RULE_KIND_OR:
	case RULE_KIND_AND:
		break;
	}
	abort(); /* these two have no setting */
}

static int parse_concrete(struct parser *parser, struct rule_test *test)
{
	size_t length = 0, begin;
	int kind, rc;

	while (isalnum((unsigned char)peek(parser, length)))
		length++;
	for (kind = RULE_KIND_ALL; kind <= RULE_KIND_PATH; kind++) {
		const char *name = rule_kind_name((enum rule_kind)kind);

		if (strlen(name) == length &&
		    memcmp(name, parser->text + parser->at, length) == 0)
			break;
	}
	if (length == 0 || kind > RULE_KIND_PATH)
		return expected(parser, "all, mode, ext, fregex, dregex, "
					"regex, path or '('");
	test->kind = (enum rule_kind)kind;
	parser->at += length;
	if (peek(parser, 0) != '<')
		return expected(parser, "'<'");
	begin = ++parser->at;
	rc = parse_setting(parser, test);
	return rc < 0 ? rc : check_setting(parser, begin, test);
}

static int parse_complex(struct parser *parser, struct rule_test **out_test);

static int parse_simple(struct parser *parser, struct rule_test **out_test)
{
	bool parenthesis;
	unsigned *count;
	int rc;

	skip_blanks(parser);
	parenthesis = peek(parser, 0) == '(';
	count = parenthesis ? &parser->opened : &parser->tests;
	if ((*count)++ == RULE_TESTS_MAX)
		return refuse_at(parser, parser->at,
				 "expected at most %d %s in a rule, found one "
				 "more",
				 RULE_TESTS_MAX, parenthesis ? "'('" : "tests");
	if (!parenthesis) {
		*out_test = calloc(1, sizeof(**out_test));
		return *out_test ? parse_concrete(parser, *out_test) :
				   no_memory(parser);
	}
	parser->at++;
	rc = parse_complex(parser, out_test);
	if (rc < 0)
		return rc;
	skip_blanks(parser);
	if (peek(parser, 0) != ')')
		return expected(parser, "'||', '&&' or ')'");
	parser->at++;
	return 0;
}

/* What was built hangs at *out_test even when it fails: the rule frees it. */
static int parse_complex(struct parser *parser, struct rule_test **out_test)
{
	struct rule_test *test;
	int rc = parse_simple(parser, out_test);
	char c;

	if (rc < 0)
		return rc;
	skip_blanks(parser);
	c = peek(parser, 0);
	if (c != '|' && c != '&')
		return 0;
	if (peek(parser, 1) != c) {
		parser->at++;
		return expected(parser, c == '|' ? "'||'" : "'&&'");
	}
	parser->at += 2;
	test = calloc(1, sizeof(*test));
	if (!test)
		return no_memory(parser);
	test->kind = c == '|' ? RULE_KIND_OR : RULE_KIND_AND;
	test->left = *out_test;
	*out_test = test;
	return parse_complex(parser, &test->right);
}

/* Takes a word, or one in single quotes where '' stands for a quote. */
static int parse_word(struct parser *parser, char *word, size_t word_bytes)
{
	bool quoted = peek(parser, 0) == '\'';
	size_t begin = parser->at, used = 0;

	parser->at += quoted;
	for (;; parser->at++) {
		if (peek(parser, 0) == '\n' || (!quoted && at_blank(parser)))
			break;
		if (quoted && peek(parser, 0) == '\'') {
			if (peek(parser, 1) != '\'')
				break;
			parser->at++;
		}
		if (used + 1 == word_bytes)
			return refuse_at(parser, begin,
					 "expected a path of less than %zu "
					 "bytes",
					 word_bytes);
		word[used++] = peek(parser, 0);
	}
	word[used] = '\0';
	if (quoted && peek(parser, 0) != '\'')
		return expected(parser, "a quote behind the path");
	parser->at += quoted;
	if (used == 0) {
		parser->at = begin;
		return expected(parser, "a path");
	}
	return at_blank(parser) ? 0 : expected(parser, "a blank and a rule");
}

/* Adds the parts of path to an absolute one, without // and "."; false when
 * it gets too long. */
static bool add_parts(char *directory, const char *path)
{
	size_t used = strlen(directory);

	while (*path) {
		size_t part = strcspn(path, "/");

		if (part > 0 && !(part == 1 && path[0] == '.')) {
			if (used + part + 2 > PATH_MAX)
				return false;
			directory[used++] = '/';
			memcpy(directory + used, path, part);
			used += part;
		}
		path += part + (path[part] == '/');
	}
	directory[used] = '\0';
	return true;
}

static int parse_path(struct parser *parser, struct rule *rule)
{
	char word[PATH_MAX], directory[PATH_MAX] = "";
	size_t begin = parser->at;
	int rc = parse_word(parser, word, sizeof(word));

	if (rc < 0)
		return rc;
	if ((word[0] != '/' && !add_parts(directory, parser->base_directory)) ||
	    !add_parts(directory, word))
		return refuse_at(parser, begin,
				 "expected a path of less than %d bytes",
				 PATH_MAX);
	rule->place = RULE_PLACE_DIRECTORY;
	rule->directory = strdup(directory[0] ? directory : "/");
	return rule->directory ? 0 : no_memory(parser);
}

static int parse_place(struct parser *parser, struct rule *rule)
{
	size_t length = 1;
	int place;

	if (peek(parser, 0) != '@')
		return parse_path(parser, rule);
	while (isalnum((unsigned char)peek(parser, length)))
		length++;
	for (place = RULE_PLACE_STORE; place <= RULE_PLACE_HIDE; place++) {
		const char *word = rule_place_word((enum rule_place)place);

		if (strlen(word) == length &&
		    memcmp(word, parser->text + parser->at, length) == 0)
			break;
	}
	if (place > RULE_PLACE_HIDE)
		return expected(parser, PLACES " (a path is ./@NAME)");
	rule->place = (enum rule_place)place;
	parser->at += length;
	return at_blank(parser) ? 0 : expected(parser, "a blank and a rule");
}

/* The next place in the array, zeroed; it counts when it is whole. */
static struct rule *next_rule(struct parser *parser)
{
	struct rules *rules = parser->rules;
	struct rule *larger;

	if (rules->count == parser->room) {
		parser->room = parser->room ? 2 * parser->room : 8;
		larger = reallocarray(rules->rules, parser->room,
				      sizeof(*larger));
		if (!larger)
			return NULL;
		rules->rules = larger;
	}
	memset(&rules->rules[rules->count], 0, sizeof(*larger));
	return &rules->rules[rules->count++];
}

static int parse_rule(struct parser *parser)
{
	struct rule *rule = next_rule(parser);
	int rc;

	if (!rule)
		return no_memory(parser);
	rule->line = parser->line;
	parser->tests = parser->opened = 0;
	rc = parse_place(parser, rule);
	if (rc == 0)
		rc = parse_complex(parser, &rule->test);
	if (rc < 0)
		return rc;
	skip_blanks(parser);
	if (peek(parser, 0) != '\n')
		return expected(parser, "'||', '&&' or the end of the line");
	return 0;
}

static int parse_config(struct parser *parser)
{
	int rc;

	while (parser->at < parser->text_bytes) {
		skip_blanks(parser);
		if (peek(parser, 0) != '\n') {
			rc = parse_rule(parser);
			if (rc < 0)
				return rc;
		}
		parser->at++;
		parser->line++;
		parser->line_begin = parser->at;
	}
	return 0;
}

/* A NUL would end every string of a rule before its time. */
static int refuse_nul(struct parser *parser)
{
	const char *text = parser->text;
	const char *nul = memchr(text, '\0', parser->text_bytes);
	size_t at;

	if (!nul)
		return 0;
	for (at = 0; text + at < nul; at++) {
		if (text[at] != '\n')
			continue;
		parser->line++;
		parser->line_begin = at + 1;
	}
	parser->at = at;
	return expected(parser, "text");
}

int rules_parse(const char *text, size_t text_bytes, const char *file_name,
		const char *base_directory, struct rules **out_rules,
		struct failure *failure)
{
	struct parser parser = {
		.text = text,
		.text_bytes = text_bytes,
		.line = 1,
		.file_name = file_name,
		.base_directory = base_directory,
		.failure = failure,
	};
	int rc;

	assert(base_directory[0] == '/');
	parser.rules = calloc(1, sizeof(*parser.rules));
	if (!parser.rules)
		return no_memory(&parser);
	rc = text_bytes ? refuse_nul(&parser) : 0;
	if (rc == 0)
		rc = parse_config(&parser);
	if (rc < 0) {
		rules_free(parser.rules);
		return rc;
	}
	*out_rules = parser.rules;
	return 0;
}

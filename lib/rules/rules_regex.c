/*
 * Expressions of rules: those of Plan 9's regexp(2), on top of <regex.h>.
 *
 * An expression is checked here first, with the place of each mistake, and
 * written anew for regcomp, so that
 *   R1  nothing that regexp(2) refuses is taken for something else,
 *   R2  what it takes for a plain character is one: { and }, and \ before
 *       any other character than an operator. Hence no intervals and no back
 *       references either, whose cost would know no bounds,
 *   R3  what the two read differently is refused: a \ between [ and ].
 *   R4  regcomp is done soon. It copies what + stands behind, so ((a+)+)+ grows
 *       as 2^n: the size that results is counted and bounded, and of a** just
 *       one * is left. For each ^ and $ it copies what follows, over again
 *       where that is repeated: a way through the expression has few of them,
 *       and none is within what is repeated.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "rules_impl.h"

#define DEPTH_MAX 32
#define SIZE_MAX_CHARACTERS 2048
#define ANCHORS_MAX 8

/* An open '(', or all of the expression. */
struct group {
	size_t opened;
	size_t size;
	unsigned anchors; /* ^ and $ in this branch */
	unsigned most;	  /* ... in an earlier one */
};

struct scan {
	const char *text;
	size_t at;
	char *out; /* for regcomp */
	size_t out_bytes;
	bool operand;	       /* something stands before this */
	bool repeated;	       /* and ends with one of * + ? */
	size_t last_size;      /* its size */
	unsigned last_anchors; /* ^ and $ in it */
	struct group groups[DEPTH_MAX];
	unsigned depth;
	struct regex_error *error;
};

static int refuse(struct scan *scan, size_t at, const char *format, ...)
	PRINTF_LIKE(3, 4);

static int refuse(struct scan *scan, size_t at, const char *format, ...)
{
	va_list arguments;

	scan->error->at = at;
	va_start(arguments, format);
	vsnprintf(scan->error->text, sizeof(scan->error->text), format,
		  arguments);
	va_end(arguments);
	return -EINVAL;
}

static void emit(struct scan *scan, char c)
{
	scan->out[scan->out_bytes++] = c;
}

/* An operand of this size, with so many anchors, ends here. */
static int operand(struct scan *scan, size_t size, unsigned anchors)
{
	struct group *group = &scan->groups[scan->depth];

	scan->operand = true;
	scan->repeated = false;
	scan->last_size = size;
	scan->last_anchors = anchors;
	group->size += size;
	group->anchors += anchors;
	if (group->size > SIZE_MAX_CHARACTERS) /* R4 */
		return refuse(scan, scan->at - 1,
			      "the expression is too large, repeated as it "
			      "is");
	if (group->anchors > ANCHORS_MAX) /* R4 */
		return refuse(scan, scan->at - 1,
			      "expected at most %d '^' and '$' behind one "
			      "another",
			      ANCHORS_MAX);
	return 0;
}

static int escaped(struct scan *scan)
{
	char c = scan->text[scan->at + 1];

	if (!c)
		return refuse(scan, scan->at,
			      "expected a character after '\\', found the "
			      "end of the expression");
	if (strchr(".*+?[](){}|\\^$", c))
		emit(scan, '\\');
	emit(scan, c); /* R2 */
	scan->at += 2;
	return operand(scan, 1, 0);
}

/* At "[:", "[." or "[=" inside of brackets: takes it up to its end. */
static int class_in_brackets(struct scan *scan, size_t begin)
{
	const char *text = scan->text;
	char sign = text[scan->at + 1];

	emit(scan, text[scan->at++]);
	emit(scan, text[scan->at++]);
	for (; text[scan->at]; emit(scan, text[scan->at++])) {
		if (text[scan->at] != sign || text[scan->at + 1] != ']')
			continue;
		emit(scan, text[scan->at++]);
		emit(scan, text[scan->at++]);
		return 0;
	}
	return refuse(scan, begin, "expected ']' for this '['");
}

static int brackets(struct scan *scan)
{
	const char *text = scan->text;
	size_t begin = scan->at;
	int rc;

	emit(scan, text[scan->at++]);
	if (text[scan->at] == '^')
		emit(scan, text[scan->at++]);
	if (text[scan->at] == ']')
		emit(scan, text[scan->at++]);
	while (text[scan->at] && text[scan->at] != ']') {
		if (text[scan->at] == '\\' && text[scan->at + 1] == '>')
			scan->at++;	    /* how a setting spells > */
		if (text[scan->at] == '\\') /* R3 */
			return refuse(scan, scan->at,
				      "expected no '\\' between [ and ]: put "
				      "] first and - last, write \\\\ "
				      "outside");
		if (text[scan->at] == '[' && text[scan->at + 1] &&
		    strchr(":.=", text[scan->at + 1])) {
			rc = class_in_brackets(scan, begin);
			if (rc < 0)
				return rc;
		} else {
			emit(scan, text[scan->at++]);
		}
	}
	if (!text[scan->at])
		return refuse(scan, begin, "expected ']' for this '['");
	emit(scan, text[scan->at++]);
	return operand(scan, 1, 0);
}

static int open_group(struct scan *scan)
{
	if (scan->depth + 1 == DEPTH_MAX)
		return refuse(scan, scan->at, "more than %d '(' are open",
			      DEPTH_MAX - 1);
	scan->depth++;
	scan->groups[scan->depth] = (struct group){ .opened = scan->at };
	scan->operand = false;
	emit(scan, scan->text[scan->at++]);
	return 0;
}

/* At the end of a branch: the one with the most anchors counts. */
static void end_branch(struct group *group)
{
	if (group->anchors > group->most)
		group->most = group->anchors;
	group->anchors = 0;
}

static int close_group(struct scan *scan)
{
	struct group *group = &scan->groups[scan->depth];

	if (scan->depth == 0)
		return refuse(scan, scan->at,
			      "expected no ')': there is no '(' for it");
	if (!scan->operand)
		return refuse(scan, scan->at,
			      "expected an expression, found ')'");
	end_branch(group);
	scan->depth--;
	emit(scan, scan->text[scan->at++]);
	return operand(scan, group->size + 1, group->most);
}

/* a+* is a*, and so is every mixture. */
static void repeat_again(struct scan *scan, char sign)
{
	char *last = &scan->out[scan->out_bytes - 1];

	if (*last != sign)
		*last = '*';
	scan->at++;
}

static int repeat(struct scan *scan)
{
	char sign = scan->text[scan->at];
	size_t size = scan->last_size;
	int rc;

	if (!scan->operand)
		return refuse(scan, scan->at,
			      "expected something to repeat, found '%c'", sign);
	if (scan->last_anchors > 0) /* R4 */
		return refuse(scan, scan->at,
			      "expected no '^' or '$' in what '%c' repeats",
			      sign);
	if (scan->repeated) {
		repeat_again(scan, sign);
		return 0;
	}
	emit(scan, sign);
	scan->at++;
	/* The operand is counted once by now; a + makes a copy of it. */
	scan->groups[scan->depth].size -= size;
	rc = operand(scan, sign == '+' ? 2 * size + 1 : size + 1, 0);
	scan->repeated = true;
	return rc;
}

static int branch(struct scan *scan)
{
	if (!scan->operand)
		return refuse(scan, scan->at,
			      "expected an expression, found '|'");
	end_branch(&scan->groups[scan->depth]);
	scan->operand = false;
	emit(scan, scan->text[scan->at++]);
	return 0;
}

static int step(struct scan *scan)
{
	char c = scan->text[scan->at];

	switch (c) {
	case '\\':
		return escaped(scan);
	case '[':
		return brackets(scan);
	case ']':
		return refuse(scan, scan->at,
			      "expected no ']': there is no '[' for it");
	case '(':
		return open_group(scan);
	case ')':
		return close_group(scan);
	case '*':
	case '+':
	case '?':
		return repeat(scan);
	case '|':
		return branch(scan);
	case '{':
	case '}':
		emit(scan, '\\'); /* R2 */
		break;
	default:
		break;
	}
	emit(scan, c);
	scan->at++;
	return operand(scan, 1, c == '^' || c == '$');
}

static int translate(struct scan *scan)
{
	int rc = 0;

	while (rc == 0 && scan->text[scan->at])
		rc = step(scan);
	if (rc < 0)
		return rc;
	if (scan->depth > 0)
		return refuse(scan, scan->groups[scan->depth].opened,
			      "expected ')' for this '('");
	if (!scan->operand)
		return refuse(scan, scan->at,
			      "expected an expression, found its end");
	emit(scan, '\0');
	return 0;
}

int rules_regex_compile(const char *setting, regex_t **out_regex,
			struct regex_error *out_error)
{
	struct scan scan = { .text = setting, .error = out_error };
	AUTO_FREE char *out = malloc(2 * strlen(setting) + 1);
	AUTO_FREE regex_t *regex = calloc(1, sizeof(*regex));
	char reason[100];
	int rc;

	if (!out || !regex)
		return -ENOMEM;
	scan.out = out;
	rc = translate(&scan);
	if (rc < 0)
		return rc;
	rc = regcomp(regex, out, REG_EXTENDED | REG_NOSUB);
	if (rc == REG_ESPACE)
		return -ENOMEM;
	if (rc != 0) {
		regerror(rc, regex, reason, sizeof(reason));
		return refuse(&scan, 0, "is no regular expression: %s", reason);
	}
	*out_regex = TAKE_PTR(regex);
	return 0;
}

/* Splits STORE[:BRANCH][@SNAPSHOT]; see target.h for the rule. */
#include "target.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static bool is_directory(const char *text, size_t len_bytes)
{
	char path[4096];
	struct stat st;

	if (len_bytes == 0 || len_bytes >= sizeof(path))
		return false;
	memcpy(path, text, len_bytes);
	path[len_bytes] = '\0';
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Can rest be [:BRANCH][@SNAPSHOT]? */
static bool is_suffix(const char *rest)
{
	const char *at = strchr(rest, '@');

	if (*rest != '\0' && *rest != ':' && *rest != '@')
		return false;
	if (strchr(rest, '/'))
		return false;
	if (at && strchr(at + 1, '@'))
		return false;
	return *rest != ':' || !strchr(rest + 1, ':') ||
	       (at && strchr(rest + 1, ':') > at);
}

/* Bytes of text that name the store. */
static size_t store_length(const char *text)
{
	size_t len_bytes = strlen(text), cut = len_bytes;
	const char *name;

	for (;;) {
		if (is_suffix(text + cut) && is_directory(text, cut))
			return cut;
		while (cut > 0 && text[cut - 1] != ':' && text[cut - 1] != '@')
			cut--;
		if (cut == 0)
			break;
		cut--;
	}
	/* Nothing is there: split where it would be. */
	name = strrchr(text, '/');
	name = name ? name + 1 : text;
	return (size_t)(name - text) + strcspn(name, ":@");
}

static int too_long(const char *text, struct failure *failure)
{
	return failure_set(failure, FAILURE_USAGE, text, "is too long");
}

static int split_suffix(const char *suffix, struct target *target,
			struct failure *failure)
{
	size_t len_bytes;

	if (*suffix == ':') {
		len_bytes = strcspn(suffix + 1, "@");
		if (len_bytes == 0)
			return failure_set(failure, FAILURE_USAGE, target->text,
					   "no branch is named after ':'");
		if (len_bytes >= sizeof(target->branch))
			return too_long(target->text, failure);
		memcpy(target->branch, suffix + 1, len_bytes);
		suffix += 1 + len_bytes;
	}
	if (*suffix == '@') {
		len_bytes = strlen(suffix + 1);
		if (len_bytes == 0)
			return failure_set(failure, FAILURE_USAGE, target->text,
					   "no snapshot is named after '@'");
		if (len_bytes >= sizeof(target->snapshot))
			return too_long(target->text, failure);
		memcpy(target->snapshot, suffix + 1, len_bytes);
	}
	return 0;
}

int target_parse(const char *text, const char *default_store,
		 struct target *out_target, struct failure *failure)
{
	bool has_store = *text != '\0' && *text != ':' && *text != '@';
	size_t len_bytes = has_store ? store_length(text) : 0;
	const char *store = has_store ? text : default_store;

	memset(out_target, 0, sizeof(*out_target));
	if (!store) {
		failure_set(failure, FAILURE_USAGE, *text ? text : NULL,
			    "no store is named");
		failure_hint(failure,
			     "name one as STORE%s, with --store, or "
			     "in COWD_STORE",
			     text);
		return -EINVAL;
	}
	if (strlen(text) + (has_store ? 0 : strlen(store)) >=
	    sizeof(out_target->text))
		return too_long(text, failure);
	if (!has_store)
		memcpy(out_target->text, store, strlen(store));
	memcpy(out_target->text + strlen(out_target->text), text, strlen(text));
	if (!has_store)
		len_bytes = strlen(store);
	if (len_bytes >= sizeof(out_target->store))
		return too_long(text, failure);
	memcpy(out_target->store, store, len_bytes);
	/* As tab completion leaves it. */
	while (len_bytes > 1 && out_target->store[len_bytes - 1] == '/')
		out_target->store[--len_bytes] = '\0';
	return split_suffix(has_store ? text + store_length(text) : text,
			    out_target, failure);
}

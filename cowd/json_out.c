/* Small helpers over jansson, and the error document. */
#include "json_out.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "human.h"

json_t *json_text(const char *text)
{
	json_t *value = json_string(text);
	char *copy, *c;

	if (value || !text)
		return value ? value : json_null();
	copy = strdup(text);
	for (c = copy; c && *c; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	value = json_string(copy);
	free(copy);
	return value;
}

json_t *json_text_or_null(const char *text)
{
	return text && *text ? json_text(text) : json_null();
}

json_t *json_size(uint64_t size_bytes)
{
	return json_integer(size_bytes > INT64_MAX ? INT64_MAX :
						     (json_int_t)size_bytes);
}

json_t *json_time(int64_t ns)
{
	char text[64];

	if (ns == 0)
		return json_null();
	human_rfc3339(ns, text, sizeof(text));
	return json_string(text);
}

json_t *json_id(uint32_t id)
{
	char text[16];

	if (id == 0)
		return json_null();
	snprintf(text, sizeof(text), "%08x", id);
	return json_string(text);
}

const char *json_text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

uint64_t json_number_at(const json_t *object, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(object, key));

	return value < 0 ? 0 : (uint64_t)value;
}

bool json_flag_at(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

int64_t json_time_at(const json_t *object, const char *key)
{
	int64_t ns;

	return human_parse_rfc3339(json_text_at(object, key), &ns) ? ns : 0;
}

int json_print(const json_t *value, bool compact, FILE *out)
{
	size_t flags = compact ? JSON_COMPACT : JSON_INDENT(2);

	if (json_dumpf(value, out, flags) < 0 || fputc('\n', out) == EOF ||
	    fflush(out) != 0)
		return -EIO;
	return 0;
}

void json_print_failure(const struct failure *failure, FILE *out)
{
	json_t *error = json_pack("{s:s, s:s, s:i, s:o, s:o, s:o}", "schema",
				  "cowd/error/1", "code",
				  failure_slug(failure->code), "exit",
				  failure_exit_code(failure->code), "message",
				  json_text(failure->message), "hint",
				  json_text_or_null(failure->hint), "object",
				  json_text_or_null(failure->object));

	if (error)
		(void)json_print(error, true, out);
	json_decref(error);
}

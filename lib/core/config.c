/* store.conf: one table of keys drives parsing, checking and writing. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <ini.h>
#include <stdio.h>
#include <string.h>

#define MS UINT64_C(1000000) /* of nanoseconds */

enum value_type { VALUE_COMPRESS, VALUE_SIZE, VALUE_DURATION, VALUE_COUNT };

static const struct key {
	const char *name;
	enum value_type type;
	size_t offset;
	uint64_t least, most;
	const char *help;
} keys[] = {
	{ "compress", VALUE_COMPRESS, offsetof(struct store_config, compress),
	  0, 0,
	  "idle: cold data in the background; inline: on the way in; "
	  "off" },
	{ "cache", VALUE_SIZE, offsetof(struct store_config, cache_bytes),
	  8 << 20, UINT64_C(16) << 30, "memory for the block map" },
	{ "reserve", VALUE_SIZE, offsetof(struct store_config, reserve_bytes),
	  0, UINT64_C(1) << 40,
	  "space kept free on the host, so that deleting always works" },
	{ "checkpoint.log", VALUE_SIZE,
	  offsetof(struct store_config, checkpoint_log_bytes), 1 << 20,
	  UINT64_C(4) << 30, "longest log to replay after a crash" },
	{ "checkpoint.every", VALUE_DURATION,
	  offsetof(struct store_config, checkpoint_every_ns),
	  UINT64_C(100000000), UINT64_C(3600000000000),
	  "time between checkpoints of the index" },
	{ "trash.keep", VALUE_DURATION,
	  offsetof(struct store_config, trash_keep_ns), 0, INT64_MAX,
	  "how long deleted snapshots can be brought back" },
	{ "snapshot.every", VALUE_DURATION,
	  offsetof(struct store_config, snapshot_every_ns), 0, INT64_MAX,
	  "automatic snapshots of what changed; off: none" },
	{ "keep.last", VALUE_COUNT, offsetof(struct store_config, keep_last), 0,
	  UINT32_MAX, "automatic snapshots kept: the newest N" },
	{ "keep.hourly", VALUE_COUNT,
	  offsetof(struct store_config, keep_hourly), 0, UINT32_MAX,
	  "... the last of each of N hours" },
	{ "keep.daily", VALUE_COUNT, offsetof(struct store_config, keep_daily),
	  0, UINT32_MAX, "... of each of N days" },
	{ "keep.weekly", VALUE_COUNT,
	  offsetof(struct store_config, keep_weekly), 0, UINT32_MAX,
	  "... of each of N weeks" },
	{ "keep.monthly", VALUE_COUNT,
	  offsetof(struct store_config, keep_monthly), 0, UINT32_MAX,
	  "... of each of N months; all zero: keep all" },
};

#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

static const char *const compress_names[] = {
	[COMPRESS_MODE_IDLE] = "idle",
	[COMPRESS_MODE_INLINE] = "inline",
	[COMPRESS_MODE_OFF] = "off",
};

void config_defaults(struct store_config *config)
{
	*config = (struct store_config){
		.compress = COMPRESS_MODE_IDLE,
		.cache_bytes = 48 << 20,
		.reserve_bytes = 64 << 20,
		.checkpoint_log_bytes = 256 << 20,
		.checkpoint_every_ns = UINT64_C(5000000000),
		.trash_keep_ns = UINT64_C(86400000000000),
	};
}

/* A decimal number with an optional fraction, times a unit. */
static int scaled(const char *number, const char *end, uint64_t unit,
		  uint64_t *out)
{
	unsigned __int128 value = 0;
	uint64_t fraction = 0, scale = 1;
	bool point = false;
	const char *c;

	if (number == end || *number == '.')
		return -EINVAL;
	for (c = number; c < end; c++) {
		if (*c == '.' && !point) {
			point = true;
		} else if (*c < '0' || *c > '9') {
			return -EINVAL;
		} else if (!point) {
			value = value * 10 + (unsigned)(*c - '0');
			if (value > UINT64_MAX)
				return -ERANGE;
		} else if (scale < 1000000) {
			fraction = fraction * 10 + (unsigned)(*c - '0');
			scale *= 10;
		}
	}
	value = value * unit + (unsigned __int128)fraction * unit / scale;
	if (value > UINT64_MAX)
		return -ERANGE;
	*out = (uint64_t)value;
	return 0;
}

static int bad(const char *text, int rc, const char *what, const char *example,
	       struct failure *failure)
{
	failure_set(failure, FAILURE_USAGE, text,
		    rc == -ERANGE ? "this %s is too large" : "is no %s", what);
	failure_hint(failure, "write it as %s", example);
	return -EINVAL;
}

int size_parse(const char *text, uint64_t *out_bytes, struct failure *failure)
{
	static const char units[] = "KMGTPE";
	size_t digits = strspn(text, "0123456789.");
	const char *suffix = text + digits;
	uint64_t unit = 1;
	const char *found;
	int rc = 0;

	if (*suffix) {
		char letter = *suffix == 'k' ? 'K' : *suffix;
		const char *tail = suffix + 1;

		found = strchr(units, letter);
		if (strcmp(suffix, "B") == 0)
			unit = 1;
		else if (!found)
			rc = -EINVAL;
		else if (strcmp(tail, "") == 0 || strcmp(tail, "iB") == 0 ||
			 strcmp(tail, "B") == 0)
			unit = UINT64_C(1) << (10 * (found - units + 1));
		else
			rc = -EINVAL;
	}
	if (rc == 0)
		rc = scaled(text, suffix, unit, out_bytes);
	return rc < 0 ? bad(text, rc, "size", "4096, 64K, 1.5G or 2TiB",
			    failure) :
			0;
}

int duration_parse(const char *text, uint64_t *out_ns, struct failure *failure)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		{ "ms", MS },
		{ "s", UINT64_C(1000000000) },
		{ "m", UINT64_C(60000000000) },
		{ "h", UINT64_C(3600000000000) },
		{ "d", UINT64_C(86400000000000) },
		{ "w", UINT64_C(604800000000000) },
	};
	const char *suffix = text + strspn(text, "0123456789.");
	size_t i;
	int rc = -EINVAL;

	if (strcmp(text, "off") == 0 || strcmp(text, "0") == 0) {
		*out_ns = 0;
		return 0;
	}
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(suffix, units[i].name) == 0)
			rc = scaled(text, suffix, units[i].ns, out_ns);
	if (rc == 0 && *out_ns > INT64_MAX - MS)
		rc = -ERANGE;
	/* What store.conf has room for: 0.5ms must not become "off". */
	if (rc == 0)
		*out_ns = (*out_ns + MS - 1) / MS * MS;
	return rc < 0 ? bad(text, rc, "duration", "10s, 5m, 1h, 7d, 2w or off",
			    failure) :
			0;
}

static const struct key *find_key(const char *name, struct failure *failure)
{
	size_t i;

	for (i = 0; i < KEY_COUNT; i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	failure_set(failure, FAILURE_USAGE, name, "there is no such setting");
	failure_hint(failure, "cowd config show STORE lists them");
	return NULL;
}

static int set_compress(struct store_config *config, const char *value,
			struct failure *failure)
{
	int mode;

	for (mode = COMPRESS_MODE_IDLE; mode <= COMPRESS_MODE_OFF; mode++) {
		if (strcmp(compress_names[mode], value) != 0)
			continue;
		config->compress = (enum compress_mode)mode;
		return 0;
	}
	return failure_set(failure, FAILURE_USAGE, value,
			   "compress is one of idle, inline, off");
}

int config_set(struct store_config *config, const char *name, const char *value,
	       struct failure *failure)
{
	const struct key *key = find_key(name, failure);
	char *field;
	uint64_t number = 0;
	uint32_t count;
	int rc = 0;

	if (!key)
		return -EINVAL;
	field = (char *)config + key->offset;
	if (key->type == VALUE_COMPRESS)
		return set_compress(config, value, failure);
	if (key->type == VALUE_DURATION)
		rc = duration_parse(value, &number, failure);
	else if (key->type == VALUE_SIZE)
		rc = size_parse(value, &number, failure);
	else if (strspn(value, "0123456789") != strlen(value) ||
		 scaled(value, value + strlen(value), 1, &number) < 0)
		rc = failure_set(failure, FAILURE_USAGE, value, "is no number");
	if (rc < 0)
		return rc;
	if (number < key->least || number > key->most) {
		return failure_set(failure, FAILURE_USAGE, value,
				   "%s must be between %" PRIu64 " and %" PRIu64
				   "%s",
				   name, key->least, key->most,
				   key->type == VALUE_SIZE     ? " bytes" :
				   key->type == VALUE_DURATION ? " ns" :
								 "");
	}
	count = (uint32_t)number;
	if (key->type == VALUE_COUNT)
		memcpy(field, &count, sizeof(count));
	else
		memcpy(field, &number, sizeof(number));
	return 0;
}

static uint64_t value_of(const struct store_config *config,
			 const struct key *key)
{
	const char *field = (const char *)config + key->offset;
	uint64_t number;
	uint32_t count;

	if (key->type == VALUE_COMPRESS)
		return 0;
	if (key->type == VALUE_COUNT) {
		memcpy(&count, field, sizeof(count));
		return count;
	}
	memcpy(&number, field, sizeof(number));
	return number;
}

int config_check(const struct store_config *config, struct failure *failure)
{
	size_t i;

	for (i = 0; i < KEY_COUNT; i++) {
		uint64_t number = value_of(config, &keys[i]);

		if (number < keys[i].least || number > keys[i].most)
			return failure_set(failure, FAILURE_USAGE, keys[i].name,
					   "can't be %" PRIu64, number);
	}
	return 0;
}

static void write_size(uint64_t bytes, char *text, size_t text_bytes)
{
	static const char *const units[] = { "", "KiB", "MiB", "GiB", "TiB" };
	size_t unit = 0;

	while (bytes && bytes % 1024 == 0 && unit < 4) {
		bytes /= 1024;
		unit++;
	}
	snprintf(text, text_bytes, "%" PRIu64 "%s", bytes, units[unit]);
}

static void write_duration(uint64_t ns, char *text, size_t text_bytes)
{
	static const struct {
		uint64_t ns;
		const char *name;
	} units[] = {
		{ UINT64_C(86400000000000), "d" },
		{ UINT64_C(3600000000000), "h" },
		{ UINT64_C(60000000000), "m" },
		{ UINT64_C(1000000000), "s" },
		{ UINT64_C(1000000), "ms" },
	};
	size_t i;

	if (ns == 0) {
		snprintf(text, text_bytes, "off");
		return;
	}
	for (i = 0; i < 4 && ns % units[i].ns; i++)
		;
	snprintf(text, text_bytes, "%" PRIu64 "%s", ns / units[i].ns,
		 units[i].name);
}

static void write_value(const struct store_config *config,
			const struct key *key, char *text, size_t text_bytes)
{
	const char *field = (const char *)config + key->offset;
	uint64_t number;
	uint32_t count;

	memcpy(&number, field,
	       sizeof(number) <= sizeof(*config) - key->offset ?
		       sizeof(number) :
		       sizeof(count));
	memcpy(&count, field, sizeof(count));
	switch (key->type) {
	case VALUE_COMPRESS:
		snprintf(text, text_bytes, "%s",
			 compress_names[config->compress]);
		return;
	case VALUE_SIZE:
		write_size(number, text, text_bytes);
		return;
	case VALUE_DURATION:
		write_duration(number, text, text_bytes);
		return;
	case VALUE_COUNT:
		snprintf(text, text_bytes, "%" PRIu32, count);
		return;
	}
	abort();
}

int config_get(const struct store_config *config, const char *name, char *text,
	       size_t text_bytes, struct failure *failure)
{
	const struct key *key = find_key(name, failure);

	if (!key)
		return -EINVAL;
	write_value(config, key, text, text_bytes);
	return 0;
}

const char *config_key(size_t index)
{
	return index < KEY_COUNT ? keys[index].name : NULL;
}

const char *config_key_help(size_t index)
{
	return index < KEY_COUNT ? keys[index].help : NULL;
}

struct parse_context {
	struct store_config config;
	struct failure *failure;
	int rc;
};

static int take_line(void *context, const char *section, const char *name,
		     const char *value)
{
	struct parse_context *parse = context;
	char key[128];

	snprintf(key, sizeof(key), "%s%s%s", section, *section ? "." : "",
		 name);
	parse->rc = config_set(&parse->config, key, value, parse->failure);
	return parse->rc == 0;
}

int config_parse(const char *text, const char *file_name,
		 struct store_config *out_config, struct failure *failure)
{
	struct parse_context parse = { .failure = failure };
	char cause[256] = "";
	int line;

	config_defaults(&parse.config);
	line = ini_parse_string(text, take_line, &parse);
	if (line == 0) {
		*out_config = parse.config;
		return 0;
	}
	if (failure) {
		snprintf(cause, sizeof(cause), "%.100s%s%.100s",
			 failure->object, failure->object[0] ? ": " : "",
			 failure->code ? failure->message : "not KEY = VALUE");
		failure->code = FAILURE_NONE;
	}
	return failure_set(failure, FAILURE_USAGE, file_name, "line %d: %s",
			   line, cause);
}

char *config_format(const struct store_config *config)
{
	size_t size_bytes = 0, i;
	char *text = NULL, value[64];
	FILE *out = open_memstream(&text, &size_bytes);

	if (!out)
		return NULL;
	fprintf(out, "; Settings of this store. Read when it is opened; "
		     "change them with 'cowd config set'.\n");
	for (i = 0; i < KEY_COUNT; i++) {
		write_value(config, &keys[i], value, sizeof(value));
		fprintf(out, "\n; %s\n%s = %s\n", keys[i].help, keys[i].name,
			value);
	}
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

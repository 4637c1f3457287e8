/* cowd df, gc, compact, stats. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "json_out.h"
#include "table.h"

static const struct column df_columns[] = {
	{ "WHAT", "what", COLUMN_TEXT, true },
	{ "SIZE", "bytes", COLUMN_SIZE, true },
	{ "NOTE", "note", COLUMN_TEXT, true },
	{ .name = NULL },
};

/* The one object of df as rows of a table. */
static json_t *df_rows(struct cli *cli, const json_t *result)
{
	static const struct {
		const char *what, *key, *note;
	} lines[] = {
		{ "branches", "branches_unique_bytes",
		  "only one branch needs it" },
		{ "snapshots", "snapshots_unique_bytes",
		  "only one snapshot needs it" },
		{ "shared", "shared_bytes", "two or more need it" },
		{ "trash", "trash_bytes", "deleted, freed by 'cowd gc'" },
		{ "metadata", "metadata_bytes", "index and log" },
		{ "dead", "dead_bytes", "freed by 'cowd compact'" },
		{ "TOTAL", "total_bytes", NULL },
	};
	json_t *rows = json_array();
	char note[64], available[32];
	size_t i;

	table_size(cli, json_number_at(result, "available_bytes"), available,
		   sizeof(available));
	snprintf(note, sizeof(note), "%s available to it", available);
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		json_array_append_new(
			rows,
			json_pack("{s:s, s:O, s:s}", "what", lines[i].what,
				  "bytes",
				  json_object_get(result, lines[i].key), "note",
				  lines[i].note ? lines[i].note : note));
	}
	return rows;
}

/* The store of a command that takes nothing else, and the method's result. */
static int call_store(struct cli *cli, const char *method, json_t *params,
		      struct target *target, json_t **out_result)
{
	int rc = cli_target(cli, 0, target);

	if (rc == 0)
		rc = cli_only_store(cli, target);
	if (rc < 0) {
		json_decref(params);
		return rc;
	}
	return call_method(cli, target, method, params, out_result);
}

int cmd_df(struct cli *cli)
{
	struct target target;
	json_t *result = NULL, *rows;
	int rc = call_store(cli, "df", json_object(), &target, &result);

	if (rc < 0)
		return rc;
	if (!cli_print_json(cli, result)) {
		rows = df_rows(cli, result);
		rc = table_print(cli, df_columns, rows);
		json_decref(rows);
	}
	json_decref(result);
	return rc;
}

int cmd_gc(struct cli *cli)
{
	const char *age = option_value(cli, OPTION_TRASH_OLDER_THAN);
	uint64_t age_ns = 0, snapshots, branches;
	struct target target;
	json_t *result = NULL;
	char size[32];
	int rc = age ? duration_parse(age, &age_ns, &cli->failure) : 0;

	if (rc == 0)
		rc = call_store(cli, "gc",
				json_pack("{s:o}", "older_than_ns",
					  json_size(age_ns)),
				&target, &result);
	if (rc < 0)
		return rc;
	snapshots = json_number_at(result, "snapshots_purged");
	branches = json_number_at(result, "branches_purged");
	table_size(cli, json_number_at(result, "freed_bytes"), size,
		   sizeof(size));
	if (!cli_print_json(cli, result)) {
		cli_say(cli,
			"%s %s: %" PRIu64 " snapshot%s and %" PRIu64
			" branch%s purged from the trash\n",
			option_given(cli, OPTION_DRY_RUN) ? "would free" :
							    "freed",
			size, snapshots, snapshots == 1 ? "" : "s", branches,
			branches == 1 ? "" : "es");
	}
	json_decref(result);
	return 0;
}

/* "30%" or "30". */
static int percent_parse(struct cli *cli, const char *text, int *out_percent)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (end == text || (*end && strcmp(end, "%") != 0) || value < 1 ||
	    value > 100)
		return failure_set(&cli->failure, FAILURE_USAGE, text,
				   "is no percentage between 1%% and 100%%");
	*out_percent = (int)value;
	return 0;
}

int cmd_compact(struct cli *cli)
{
	const char *threshold = option_value(cli, OPTION_THRESHOLD);
	bool is_dry = option_given(cli, OPTION_DRY_RUN);
	char moved[32], freed[32];
	struct target target;
	json_t *result = NULL;
	int percent = 30;
	int rc = threshold ? percent_parse(cli, threshold, &percent) : 0;

	if (rc == 0)
		rc = call_store(cli, "compact",
				json_pack("{s:i}", "threshold_percent",
					  percent),
				&target, &result);
	if (rc < 0)
		return rc;
	table_size(cli, json_number_at(result, "moved_bytes"), moved,
		   sizeof(moved));
	table_size(cli, json_number_at(result, "freed_bytes"), freed,
		   sizeof(freed));
	if (!cli_print_json(cli, result))
		cli_say(cli, "%s %" PRIu64 " segments, %s moved, %s freed\n",
			is_dry ? "would rewrite" : "rewrote",
			json_number_at(result, "segments"), moved, freed);
	json_decref(result);
	return 0;
}

/* Label values escape backslash, quote and newline. */
static void print_label(const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			fputs("\\n", stdout);
		else
			printf("%s%c",
			       *text == '\\' || *text == '"' ? "\\" : "",
			       *text);
	}
}

/* A value of now, or a time in seconds. */
static void print_gauge(const char *path, const char *name, double value)
{
	printf("# TYPE cowd_%s gauge\ncowd_%s{store=\"", name, name);
	print_label(path);
	printf("\"} %.17g\n", value);
}

static void print_scrub_gauges(const json_t *result)
{
	const json_t *scrub = json_object_get(result, "scrub");
	const char *path =
		json_text_at(json_object_get(result, "store"), "path");
	const char *state = json_text_at(scrub, "state");

	print_gauge(path, "scrub_errors",
		    (double)json_number_at(scrub, "finding_count"));
	print_gauge(path, "scrub_running", strcmp(state, "running") == 0);
	print_gauge(path, "scrub_checked_bytes",
		    (double)json_number_at(scrub, "checked_bytes"));
	print_gauge(path, "scrub_total_bytes",
		    (double)json_number_at(scrub, "total_bytes"));
	/* 0: the last one did not come to its end. */
	print_gauge(path, "scrub_last_timestamp_seconds",
		    strcmp(state, "finished") == 0 ?
			    (double)json_time_at(scrub, "ended") / 1e9 :
			    0);
}

static void print_prometheus(const json_t *result)
{
	const json_t *counters = json_object_get(result, "counters");
	const char *path =
		json_text_at(json_object_get(result, "store"), "path");
	const json_t *value;
	const char *key;

	json_object_foreach((json_t *)counters, key, value)
	{
		size_t len_bytes = strlen(key);
		bool is_time = len_bytes > 3 &&
			       strcmp(key + len_bytes - 3, "_ns") == 0;

		if (is_time)
			len_bytes -= 3;
		printf("# TYPE cowd_%.*s%s_total counter\ncowd_%.*s%s_total"
		       "{store=\"",
		       (int)len_bytes, key, is_time ? "_seconds" : "",
		       (int)len_bytes, key, is_time ? "_seconds" : "");
		print_label(path);
		if (is_time)
			printf("\"} %.9f\n",
			       (double)json_integer_value(value) / 1e9);
		else
			printf("\"} %" JSON_INTEGER_FORMAT "\n",
			       json_integer_value(value));
	}
	print_scrub_gauges(result);
}

static double rate(const json_t *now, const json_t *before, const char *key,
		   double seconds)
{
	uint64_t value = json_number_at(now, key);
	uint64_t old = before ? json_number_at(before, key) : 0;

	return value < old ? 0 : (double)(value - old) / seconds;
}

static void print_rates(const json_t *now, const json_t *before, double seconds)
{
	const char *const per_mib[] = { "read_bytes", "base_read_bytes",
					"write_bytes", "stored_bytes" };
	double mib[4], flushes, flush_ms;
	size_t i;

	for (i = 0; i < 4; i++)
		mib[i] = rate(now, before, per_mib[i], seconds) / 1048576.0;
	flushes = rate(now, before, "flushes", seconds);
	flush_ms = flushes > 0 ? rate(now, before, "sync_ns", seconds) /
					 flushes / 1e6 :
				 0;
	printf("%9.1f %9.1f %10.1f %9.1f %9.1f %10.1f %8.1f %8.1f\n",
	       rate(now, before, "reads", seconds), mib[0], mib[1],
	       rate(now, before, "writes", seconds), mib[2], mib[3],
	       rate(now, before, "syncs", seconds), flush_ms);
	fflush(stdout);
}

static void print_totals(struct cli *cli, const json_t *counters)
{
	const json_t *value;
	const char *key;
	char text[64];

	json_object_foreach((json_t *)counters, key, value)
	{
		size_t len_bytes = strlen(key);
		uint64_t number = json_number_at(counters, key);

		if (len_bytes > 6 && strcmp(key + len_bytes - 6, "_bytes") == 0)
			table_size(cli, number, text, sizeof(text));
		else
			snprintf(text, sizeof(text), "%" PRIu64, number);
		printf("%-16s %12s\n", key, text);
	}
}

static int positive(struct cli *cli, const char *text, double *out_value)
{
	char *end;

	*out_value = strtod(text, &end);
	if (end == text || *end || !(*out_value > 0) || *out_value > 1e6)
		return failure_set(&cli->failure, FAILURE_USAGE, text,
				   "is no positive number");
	return 0;
}

static int watch(struct cli *cli, const struct target *target, double seconds,
		 double count)
{
	struct timespec nap = {
		.tv_sec = (time_t)seconds,
		.tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9),
	};
	json_t *now = NULL, *before = NULL;
	double i;
	int rc = 0;

	if (!cli_is_json(cli) && !option_given(cli, OPTION_NO_HEADING))
		printf("%9s %9s %10s %9s %9s %10s %8s %8s\n", "r/s", "rMiB/s",
		       "baseMiB/s", "w/s", "wMiB/s", "storeMiB/s", "fsync/s",
		       "f_ms");
	for (i = -1; rc == 0 && i < count && !cli_interrupted; i++) {
		json_decref(before);
		before = now;
		now = NULL;
		if (before)
			nanosleep(&nap, NULL);
		rc = call_method(cli, target, "stats", json_object(), &now);
		if (rc < 0)
			break;
		if (cli_is_json(cli))
			(void)json_print(now, true, stdout);
		else if (before)
			print_rates(json_object_get(now, "counters"),
				    json_object_get(before, "counters"),
				    seconds);
	}
	json_decref(before);
	json_decref(now);
	return rc;
}

int cmd_stats(struct cli *cli)
{
	const char *format = option_value(cli, OPTION_FORMAT);
	double seconds = 0, count = 1e18;
	struct target target;
	json_t *result = NULL;
	int rc = cli_target(cli, 0, &target);

	if (rc == 0)
		rc = cli_only_store(cli, &target);
	if (rc == 0 && format && strcmp(format, "prometheus") != 0 &&
	    strcmp(format, "table") != 0)
		rc = failure_set(&cli->failure, FAILURE_USAGE, format,
				 "--format is table or prometheus");
	if (rc == 0 && cli->argument_count > 1)
		rc = positive(cli, cli->arguments[1], &seconds);
	if (rc == 0 && cli->argument_count > 2)
		rc = positive(cli, cli->arguments[2], &count);
	if (rc < 0)
		return rc;
	if (cli_is_json(cli) && format)
		return failure_set(&cli->failure, FAILURE_USAGE, format,
				   "--format and --json exclude each other");
	if (cli->argument_count > 1 && option_given(cli, OPTION_JSON)) {
		failure_set(&cli->failure, FAILURE_USAGE, "--json",
			    "an interval makes many documents");
		failure_hint(&cli->failure, "use --json-lines");
		return -EINVAL;
	}
	if (cli->argument_count > 1)
		return watch(cli, &target, seconds, count);
	rc = call_method(cli, &target, "stats", json_object(), &result);
	if (rc < 0)
		return rc;
	if (format && strcmp(format, "prometheus") == 0)
		print_prometheus(result);
	else if (!cli_print_json(cli, result))
		print_totals(cli, json_object_get(result, "counters"));
	json_decref(result);
	return 0;
}

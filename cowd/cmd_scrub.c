/* cowd scrub start, status, pause, resume, cancel. */
#include <inttypes.h>
#include <string.h>

#include "command.h"
#include "human.h"
#include "json_out.h"
#include "table.h"

static const struct column finding_columns[] = {
	{ "KIND", "kind", COLUMN_TEXT, true },
	{ "BRANCH", "branch", COLUMN_TEXT, true },
	{ "SNAPSHOT", "snapshot", COLUMN_TEXT, true },
	{ "OTHERS", "others", COLUMN_NUMBER, true },
	{ "PATH", "path", COLUMN_TEXT, true },
	{ "OFFSET", "offset", COLUMN_NUMBER, true },
	{ "LENGTH", "length", COLUMN_SIZE, true },
	{ "SEGMENT", "segment", COLUMN_NUMBER, true },
	{ "BLOCK", "block", COLUMN_NUMBER, true },
	{ "BLOCKS", "blocks", COLUMN_NUMBER, false },
	{ "INODE", "inode", COLUMN_NUMBER, false },
	{ "TEXT", "text", COLUMN_TEXT, true },
	{ .name = NULL },
};

/* "finished 3 days ago, 2.9G checked, 0 errors" */
void scrub_print_line(const struct cli *cli, const json_t *scrub)
{
	const char *state = json_text_at(scrub, "state");
	uint64_t checked = json_number_at(scrub, "checked_bytes");
	uint64_t total = json_number_at(scrub, "total_bytes");
	uint64_t errors = json_number_at(scrub, "finding_count");
	int64_t started = json_time_at(scrub, "started");
	int64_t ended = json_time_at(scrub, "ended");
	char text[64], size[32], of[32];

	if (strcmp(state, "none") == 0) {
		printf("never\n");
		return;
	}
	human_ago(ended ? ended : started, human_now_ns(), text, sizeof(text));
	printf("%s, %s %s, ", state, ended ? "ended" : "started", text);
	table_size(cli, checked, size, sizeof(size));
	table_size(cli, total, of, sizeof(of));
	if (ended)
		printf("%s checked, ", size);
	else
		printf("%s of %s (%u%%), ", size, of,
		       total ? (unsigned)((double)(checked < total ? checked :
								     total) *
					  100.0 / (double)total) :
			       0);
	if (strcmp(state, "running") == 0) {
		table_size(cli, json_number_at(scrub, "speed_bytes"), size,
			   sizeof(size));
		human_duration(json_number_at(scrub, "eta_seconds") *
				       UINT64_C(1000000000),
			       text, sizeof(text));
		printf("%s/s, ETA %s, ", size,
		       json_is_null(json_object_get(scrub, "eta_seconds")) ?
			       "unknown" :
			       text);
	}
	printf("%" PRIu64 " error%s%s%s\n", errors, errors == 1 ? "" : "s",
	       *json_text_at(scrub, "reason") ? ": " : "",
	       json_text_at(scrub, "reason"));
}

static int print_state(struct cli *cli, const json_t *result)
{
	const json_t *findings = json_object_get(result, "findings");
	uint64_t kept = json_array_size(findings);
	uint64_t all = json_number_at(result, "finding_count");
	int rc = 0;

	if (option_given(cli, OPTION_QUIET))
		return 0;
	printf("scrub: ");
	scrub_print_line(cli, result);
	if (kept)
		rc = table_print(cli, finding_columns, findings);
	if (all > kept)
		printf("and %" PRIu64 " more\n", all - kept);
	return rc;
}

/* The exit code of status, if it is damaged. */
static int report(struct cli *cli, json_t *result)
{
	bool is_damaged = json_number_at(result, "finding_count") > 0;
	int rc = 0;

	if (!cli_print_json(cli, result))
		rc = print_state(cli, result);
	json_decref(result);
	if (rc < 0)
		return rc;
	return is_damaged ? failure_exit_code(FAILURE_CORRUPT) : 0;
}

static int call(struct cli *cli, const char *method, json_t *params)
{
	struct target target;
	json_t *result = NULL;
	int rc = cli_target(cli, 0, &target);

	if (rc == 0)
		rc = cli_only_store(cli, &target);
	if (rc < 0) {
		json_decref(params);
		return rc;
	}
	rc = call_method(cli, &target, method, params, &result);
	return rc < 0 ? rc : report(cli, result);
}

static int call_with_rate(struct cli *cli, const char *method)
{
	const char *rate = option_value(cli, OPTION_RATE);
	json_t *params =
		json_pack("{s:b}", "wait", option_given(cli, OPTION_WAIT));
	uint64_t rate_bytes = 0;
	int rc = rate ? size_parse(rate, &rate_bytes, &cli->failure) : 0;

	if (rc == 0 && rate && rate_bytes > INT64_MAX)
		rc = failure_set(&cli->failure, FAILURE_USAGE, rate,
				 "is too much");
	if (rc < 0) {
		json_decref(params);
		return rc;
	}
	if (rate)
		json_object_set_new(params, "rate_bytes",
				    json_size(rate_bytes));
	return call(cli, method, params);
}

int cmd_scrub_start(struct cli *cli)
{
	return call_with_rate(cli, "scrub.start");
}

int cmd_scrub_resume(struct cli *cli)
{
	return call_with_rate(cli, "scrub.resume");
}

int cmd_scrub_status(struct cli *cli)
{
	return call(cli, "scrub.status", json_object());
}

int cmd_scrub_pause(struct cli *cli)
{
	return call(cli, "scrub.pause", json_object());
}

int cmd_scrub_cancel(struct cli *cli)
{
	return call(cli, "scrub.cancel", json_object());
}

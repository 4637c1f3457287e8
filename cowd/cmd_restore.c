/* cowd restore: paths of a snapshot come back. */
#include <inttypes.h>
#include <string.h>

#include "command.h"
#include "json_out.h"
#include "table.h"

static int find_sides(struct cli *cli, struct target *from, struct target *to)
{
	int rc = cli_target(cli, 0, from);

	if (rc == 0)
		rc = cli_need_snapshot(cli, from);
	if (rc == 0 && cli->argument_count > 2)
		rc = failure_set(&cli->failure, FAILURE_USAGE,
				 cli->arguments[2], "paths go after --");
	*to = *from;
	to->snapshot[0] = '\0';
	if (rc < 0 || cli->argument_count < 2)
		return rc;
	rc = cli_target(cli, 1, to);
	if (rc == 0)
		rc = cli_no_snapshot(cli, to);
	if (rc == 0 && strcmp(from->store, to->store) != 0)
		rc = failure_set(&cli->failure, FAILURE_USAGE, to->text,
				 "is another store");
	return rc;
}

int cmd_restore(struct cli *cli)
{
	json_t *paths = cli_take_paths(cli), *result;
	struct target from, to;
	const char *kept;
	char size[32];
	int rc = find_sides(cli, &from, &to);

	if (rc == 0 && !json_is_array(paths)) {
		rc = failure_set(&cli->failure, FAILURE_USAGE, NULL,
				 "no path is named");
		failure_hint(&cli->failure, "cowd restore %s -- PATH...",
			     from.text);
	}
	if (rc < 0) {
		json_decref(paths);
		return rc;
	}
	rc = call_method(
		cli, &from, "restore",
		json_pack("{s:s?, s:s, s:s?, s:o, s:b}", "from_branch",
			  name_or_null(from.branch), "snapshot", from.snapshot,
			  "branch", name_or_null(to.branch), "paths", paths,
			  "live", option_given(cli, OPTION_LIVE), "dry_run",
			  option_given(cli, OPTION_DRY_RUN)),
		&result);
	if (rc < 0)
		return rc;
	table_size(cli, json_number_at(result, "written_bytes"), size,
		   sizeof(size));
	if (!cli_print_json(cli, result)) {
		if (option_given(cli, OPTION_DRY_RUN))
			cli_say(cli, "would be restored from %s\n", from.text);
		else
			cli_say(cli,
				"restored from %s: %" PRIu64 " made, %" PRIu64
				" changed, %" PRIu64 " removed; %s of data\n",
				from.text, json_number_at(result, "created"),
				json_number_at(result, "changed"),
				json_number_at(result, "removed"), size);
		kept = json_string_value(json_object_get(result, "kept_as"));
		if (kept)
			cli_say(cli, "the state before is kept as @%s\n", kept);
	}
	json_decref(result);
	return 0;
}

/* cowd commit: what changed goes into a copy of base. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "command.h"
#include "json_out.h"
#include "table.h"

static void list_plan(struct cli *cli, const json_t *result)
{
	const json_t *change, *path;
	size_t i;

	json_array_foreach(json_object_get(result, "changes"), i, change)
		cli_say(cli, "%-11s%s\n",
			json_string_value(json_object_get(change, "action")),
			json_string_value(json_object_get(change, "path")));
	json_array_foreach(json_object_get(result, "conflicts"), i, path)
		cli_say(cli, "conflict   %s\n", json_string_value(path));
}

int cmd_commit(struct cli *cli)
{
	const char *to = option_value(cli, OPTION_TO);
	AUTO_FREE char *path = to ? cli_absolute(to) : NULL;
	struct target target;
	json_t *result;
	char size[32];
	int rc = cli_target(cli, 0, &target);

	if (rc == 0 && !to)
		rc = failure_set(&cli->failure, FAILURE_USAGE, NULL,
				 "--to DIR says where to");
	if (rc == 0 && !path)
		rc = failure_errno(&cli->failure, -ENOMEM, NULL,
				   "can't commit");
	if (rc == 0)
		rc = cli_not_in_store(cli, path);
	if (rc == 0)
		rc = call_method(
			cli, &target, "commit",
			json_pack("{s:s?, s:s?, s:s, s:b, s:b}", "branch",
				  name_or_null(target.branch), "snapshot",
				  name_or_null(target.snapshot), "to", path,
				  "force", option_given(cli, OPTION_FORCE),
				  "dry_run", option_given(cli, OPTION_DRY_RUN)),
			&result);
	if (rc < 0)
		return rc;
	table_size(cli, json_number_at(result, "written_bytes"), size,
		   sizeof(size));
	if (!cli_print_json(cli, result)) {
		if (option_given(cli, OPTION_DRY_RUN))
			list_plan(cli, result);
		cli_say(cli,
			"%s %s to %s: %" PRIu64 " written (%s), %" PRIu64
			" removed\n",
			target.text,
			option_given(cli, OPTION_DRY_RUN) ?
				"would be committed" :
				"committed",
			to, json_number_at(result, "written"), size,
			json_number_at(result, "removed"));
	}
	json_decref(result);
	return 0;
}

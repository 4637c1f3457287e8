/* cowd revoke: what is open on a mount gets errors from now on. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "command.h"
#include "json_out.h"
#include "mountinfo.h"

/* The store, and the mountpoint (path) if the argument is one. */
static int find_store(struct cli *cli, struct target *target, char *path,
		      bool *out_is_path)
{
	const char *text = cli->argument_count ? cli->arguments[0] : "";
	char source[PATH_MAX + 600];

	*out_is_path = *text && find_mountpoint(cli, text, path) == 0 &&
		       mount_source(path, source, sizeof(source));
	memset(&cli->failure, 0, sizeof(cli->failure));
	return *out_is_path ?
		       target_parse(source, NULL, target, &cli->failure) :
		       cli_target(cli, 0, target);
}

static void say(struct cli *cli, const json_t *result)
{
	const json_t *mount;
	size_t i;

	json_array_foreach(json_object_get(result, "mounts"), i, mount)
	{
		uint64_t handles = json_number_at(mount, "handles");

		cli_say(cli, "%s: %" PRIu64 " handle%s %s\n",
			json_text_at(mount, "mountpoint"), handles,
			handles == 1 ? "" : "s",
			option_given(cli, OPTION_DRY_RUN) ? "would be revoked" :
							    "revoked");
	}
}

int cmd_revoke(struct cli *cli)
{
	struct target target;
	char path[PATH_MAX];
	json_t *result = NULL;
	bool is_path;
	int rc = find_store(cli, &target, path, &is_path);

	if (rc == 0 && !is_path)
		rc = cli_no_snapshot(cli, &target);
	if (rc < 0)
		return rc;
	rc = daemon_call(cli, target.store, "revoke",
			 json_pack("{s:s?, s:b}", "target",
				   is_path ? path : name_or_null(target.branch),
				   "dry_run",
				   option_given(cli, OPTION_DRY_RUN)),
			 &result);
	if (rc == -ENOENT)
		return failure_set(&cli->failure, FAILURE_NOT_FOUND,
				   target.text, "is not mounted");
	if (rc < 0)
		return rc;
	if (!cli_print_json(cli, result))
		say(cli, result);
	json_decref(result);
	return 0;
}

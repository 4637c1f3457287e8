/* cowd which: what serves a path, named in its tree or below a mountpoint. */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "json_out.h"
#include "mountinfo.h"
#include "path_text.h"
#include "table.h"

#define SNAPSHOTS ".snapshots/"

/* "below .snapshots/NAME": of that snapshot. */
static void take_snapshot(struct target *target, char **path)
{
	size_t len_bytes;

	if (target->snapshot[0] ||
	    strncmp(*path, SNAPSHOTS, strlen(SNAPSHOTS)) != 0)
		return;
	len_bytes = strcspn(*path + strlen(SNAPSHOTS), "/");
	if (len_bytes == 0 || len_bytes >= sizeof(target->snapshot))
		return;
	*path += strlen(SNAPSHOTS);
	memcpy(target->snapshot, *path, len_bytes);
	target->snapshot[len_bytes] = '\0';
	*path += len_bytes;
	*path += **path == '/';
}

bool cli_path_in_mount(struct cli *cli, const char *text, struct target *target,
		       char out_path[PATH_MAX])
{
	AUTO_FREE char *copy = strdup(text), *other = strdup(text);
	char above[PATH_MAX], full[2 * PATH_MAX], at[2 * PATH_MAX];
	char source[PATH_MAX + 600];
	char *slash, *path;

	/* The last name may be a symlink: it is asked for, not its target. */
	if (!copy || !other || !realpath(dirname(copy), above))
		return false;
	path = basename(other);
	if (strcmp(path, ".") == 0 || strcmp(path, "..") == 0 ||
	    strcmp(path, "/") == 0) {
		if (!realpath(text, full))
			return false;
	} else {
		snprintf(full, sizeof(full), "%s/%s",
			 strcmp(above, "/") == 0 ? "" : above, path);
	}
	for (snprintf(at, sizeof(at), "%s", full);;) {
		if (mount_source(at, source, sizeof(source)) &&
		    target_parse(source, NULL, target, &cli->failure) == 0)
			break;
		slash = strrchr(at, '/');
		if (!slash || slash == at)
			return false;
		*slash = '\0';
	}
	path = full + strlen(at);
	path += *path == '/';
	take_snapshot(target, &path);
	snprintf(out_path, PATH_MAX, "%s", path);
	return true;
}

static void print_which(const json_t *which)
{
	const json_t *layer = json_object_get(which, "layer");
	const char *by = json_text_at(which, "served_by");

	path_print(json_text_at(which, "path"), stdout);
	if (strcmp(by, "delta") == 0) {
		printf(": delta\n");
		return;
	}
	printf(": layer %s%s, ", json_text_at(layer, "name"),
	       strcmp(by, "both") == 0 ? " and delta" : "");
	printf("%s", json_text_at(layer, "path"));
	path_print(json_text_at(which, "layer_path"), stdout);
	putchar('\n');
}

static int which_in(struct cli *cli, const struct target *target, json_t *paths)
{
	json_t *result, *which;
	size_t i;
	int rc = call_method(cli, target, "which",
			     json_pack("{s:s?, s:s?, s:o}", "branch",
				       name_or_null(target->branch), "snapshot",
				       name_or_null(target->snapshot), "paths",
				       paths),
			     &result);

	if (rc < 0)
		return rc;
	if (!cli_print_json(cli, result))
		json_array_foreach(json_object_get(result, "paths"), i, which)
			print_which(which);
	json_decref(result);
	return 0;
}

static bool same_target(const struct target *a, const struct target *b)
{
	return strcmp(a->store, b->store) == 0 &&
	       strcmp(a->branch, b->branch) == 0 &&
	       strcmp(a->snapshot, b->snapshot) == 0;
}

/* Paths below mountpoints: all of one. */
static int find_paths(struct cli *cli, struct target *target, json_t *paths)
{
	AUTO_FREE struct target *other = malloc(sizeof(*other));
	char path[PATH_MAX];
	unsigned i;

	for (i = 0; other && i < cli->argument_count; i++) {
		const char *text = cli->arguments[i];

		if (!cli_path_in_mount(cli, text, i ? other : target, path)) {
			failure_set(&cli->failure, FAILURE_NOT_FOUND, text,
				    "is in no mount of cowd");
			failure_hint(&cli->failure,
				     "of a store that is not mounted: cowd "
				     "which STORE -- PATH");
			return -ENOENT;
		}
		if (i > 0 && !same_target(target, other))
			return failure_set(&cli->failure, FAILURE_USAGE, text,
					   "is in another mount than the first "
					   "path");
		json_array_append_new(paths, path_json(path));
	}
	return other ? 0 : -ENOMEM;
}

int cmd_which(struct cli *cli)
{
	json_t *paths = cli_take_paths(cli);
	struct target target;
	int rc;

	if (json_is_array(paths)) {
		rc = cli->argument_count > 1 ?
			     failure_set(&cli->failure, FAILURE_USAGE,
					 cli->arguments[1],
					 "one store, then -- and paths") :
			     cli_target(cli, 0, &target);
	} else {
		paths = json_array();
		rc = find_paths(cli, &target, paths);
	}
	if (rc == 0 && json_array_size(paths) == 0)
		rc = failure_set(&cli->failure, FAILURE_USAGE, NULL,
				 "no path is named");
	if (rc == 0)
		return which_in(cli, &target, paths);
	json_decref(paths);
	return rc;
}

/* Looking at a store that a crash, or a fault, has left. */
#include "look.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fsck.h"

static void check_setting(struct world *world, struct store *store, size_t at)
{
	struct store_config config;
	size_t i, first = 0;

	if (!world->setting_count)
		return;
	store_get_config(store, &config);
	for (i = 0; i < world->setting_count; i++)
		if (world->settings[i].synced_at <= at)
			first = i + 1;
	if (!first)
		return;
	for (i = first - 1; i < world->setting_count; i++)
		if (world->settings[i].value == config.checkpoint_log_bytes &&
		    world->settings[i].visible_from <= at)
			return;
	world_wrong(world, "store.conf is not what was saved");
}

static int open_head(struct world *world, struct store *store)
{
	struct view *view;
	struct tree *tree;
	int rc;

	if (!world->is_tree)
		return 0;
	rc = view_open_branch(store, "main", &view, &world->failure);
	if (rc == 0)
		rc = tree_open(view, &tree, &world->failure);
	if (rc == 0)
		tree_close(tree);
	return rc;
}

/* Opens, looks, closes. */
bool look(struct world *world, struct digest *out_digest, bool exact, size_t at)
{
	struct store *store;
	int rc;

	world->failure = (struct failure){ 0 };
	rc = store_open(world->store_path, NULL, &store, &world->failure);
	if (rc < 0)
		return false;
	digest_take(store, exact, out_digest);
	check_setting(world, store, at);
	rc = open_head(world, store);
	if (rc < 0)
		world_wrong(world, "the head can't be opened: %s",
			    world->failure.message);
	rc = store_close(store);
	if (rc < 0)
		world_wrong(world, "closing failed: %d", rc);
	return true;
}

/* Is there nothing but space that nobody uses? */
static bool only_leaks(const char *report)
{
	const char *at;

	for (at = report; (at = strstr(at, "[P")); at++)
		if (strncmp(at, "[P7-LEAK]", 9) != 0)
			return false;
	return true;
}

/* The judge has nothing to say. */
void judge(struct world *world, bool leaks, const char *how, const char *when)
{
	struct fsck_options options = { .path = world->store_path,
					.temporary = world->directory };
	struct fsck_result result;
	char *report = NULL;
	size_t len = 0;
	int rc;

	options.out = open_memstream(&report, &len);
	check(options.out, "an allocation");
	rc = fsck_run(&options, &result);
	fclose(options.out);
	if (leaks && only_leaks(report))
		rc = result.exit_code = 0;
	if (rc != 0 || result.exit_code != 0)
		world_wrong(world, "%s: fsck %s: %d, %d %s\n%s", how, when, rc,
			    result.exit_code, result.message, report);
	free(report);
}

void keep_state(struct world *world)
{
	const char *keep = getenv("CRASH_KEEP");
	char command[400];

	if (!keep)
		return;
	snprintf(command, sizeof(command), "cp -a '%s' '%s/%u-%d'",
		 world->run_path, keep, world->violations, (int)getpid());
	if (system(command) != 0)
		fprintf(stderr, "can't keep the state\n");
}

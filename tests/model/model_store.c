/* Of all model tests: the store, its branches and snapshots, chance. */
#include <string.h>

#include "logging.h"
#include "model.h"
#include "replay.h"

bool model_shares;
struct model_branch branches[BRANCHES_MAX];
struct model_snapshot snapshots[SNAPSHOTS_MAX];
struct store *store;
struct failure failure;
const struct actor actor;
char store_path[128], base_path[128];
static char directory[64];
static uint64_t random_state;

uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

uint64_t below(uint64_t limit)
{
	return limit ? next_random() % limit : 0;
}

struct view *open_branch(int nr)
{
	struct view *view;

	memset(&failure, 0, sizeof(failure));
	CHECK(view_open_branch(store, branches[nr].name, &view, &failure) == 0);
	return view;
}

int pick_branch(void)
{
	int nr;

	do
		nr = (int)below(BRANCHES_MAX);
	while (!branches[nr].live);
	return nr;
}

int pick_snapshot(void)
{
	int tries, nr;

	for (tries = 0; tries < 50; tries++) {
		nr = (int)below(SNAPSHOTS_MAX);
		if (snapshots[nr].live)
			return nr;
	}
	return -1;
}

static void set_config(void)
{
	struct store_config config;

	store_get_config(store, &config);
	config.cache_bytes = 8 << 20;
	config.checkpoint_log_bytes = UINT64_C(1) << (20 + below(6));
	config.checkpoint_every_ns = 100000000 * (1 + below(20));
	config.compress = (enum compress_mode)below(3);
	config.reserve_bytes = 0;
	CHECK(store_configure(store, &config, &failure) == 0);
}

/* As who repairs a damaged index: the copy and the log give the newest. */
static void restore_backup(void)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "rm -f '%s/index.db-wal' && cp '%s/index.bak' '%s/index.db'",
		 store_path, store_path, store_path);
	CHECK(system(command) == 0);
}

void do_reopen(bool abandon)
{
	if (abandon)
		store_abandon(store);
	if (abandon && below(3) == 0)
		restore_backup();
	if (!abandon)
		CHECK(store_close(store) == 0);
	else
		replay_before_open(store_path);
	memset(&failure, 0, sizeof(failure));
	CHECK(store_open(store_path, NULL, &store, &failure) == 0);
	set_config();
}

void do_upkeep(void)
{
	struct compact_result compact;

	if (below(2))
		do_gc(below(2) ? 0 : INT64_MAX / 2);
	else
		CHECK(space_compact(store, (unsigned)below(60), false, NULL,
				    NULL, &compact, &failure) == 0);
}

void check_everything(void)
{
	struct view *view;
	int nr;

	for (nr = 0; nr < BRANCHES_MAX; nr++) {
		if (!branches[nr].live)
			continue;
		view = open_branch(nr);
		compare_all(view, &branches[nr].image);
		view_put(view);
	}
	for (nr = 0; nr < SNAPSHOTS_MAX; nr++) {
		if (!snapshots[nr].live && !snapshots[nr].trash)
			continue;
		CHECK(view_open_snapshot(store, snapshots[nr].id, &view,
					 &failure) == 0);
		compare_all(view, &snapshots[nr].image);
		view_put(view);
	}
}

void check_and_reopen(void)
{
	check_everything();
	do_reopen(true);
	check_everything();
	do_reopen(false);
	check_everything();
}

void begin(uint64_t seed)
{
	const char *parent = getenv("TMPDIR");

	random_state = seed * 0x9e3779b97f4a7c15 + 1;
	snprintf(directory, sizeof(directory), "%s/cowd-model-XXXXXX",
		 parent ? parent : "/tmp");
	CHECK(mkdtemp(directory));
	snprintf(store_path, sizeof(store_path), "%s/store", directory);
	snprintf(base_path, sizeof(base_path), "%s/base", directory);
	log_set_level(LOG_LEVEL_ERROR);
}

void make_first_branch(struct store_create_params *params)
{
	config_defaults(&params->config);
	CHECK(store_create(params, &failure) == 0);
	CHECK(store_open(store_path, NULL, &store, &failure) == 0);
	set_config();
	branches[0].live = true;
	snprintf(branches[0].name, sizeof(branches[0].name), "main");
}

void finish(void)
{
	char command[256];

	CHECK(store_close(store) == 0);
	snprintf(command, sizeof(command), "rm -rf '%s'", directory);
	if (system(command) != 0)
		fprintf(stderr, "model: can't remove %s\n", directory);
}

/*
 * Leaves a store as kill -9 does, with a log that the index does not have.
 *
 *   make_log STORE STEPS [BYTE]: each step writes 64 KiB of BYTE + step at its
 *   place, takes a snapshot, and is synced.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "history.h"
#include "logging.h"
#include "store.h"

enum { STEP_BYTES = 65536 };

static struct failure failure;

static int step(struct store *store, struct view *view, unsigned nr,
		unsigned byte)
{
	static const struct actor actor;
	uint8_t data[STEP_BYTES];
	char name[32];
	struct snapshot_info info;
	int rc;

	memset(data, (int)(byte + nr), sizeof(data));
	data[0] = 1; /* no two blocks of a step need be alike */
	rc = file_write(view_image(view), (uint64_t)nr * STEP_BYTES, data,
			sizeof(data));
	snprintf(name, sizeof(name), "step%u", nr);
	if (rc == 0)
		rc = history_snapshot(store, "main", name, "",
				      SNAPSHOT_KIND_MANUAL, &actor, &info,
				      &failure);
	return rc < 0 ? rc : store_sync(store);
}

int main(int argc, char **argv)
{
	struct store *store;
	struct view *view;
	unsigned i;

	log_set_level(LOG_LEVEL_ERROR);
	if (argc < 3 || store_open(argv[1], NULL, &store, &failure) < 0 ||
	    view_open_branch(store, "main", &view, &failure) < 0)
		return 1;
	for (i = 0; i < strtoul(argv[2], NULL, 10); i++)
		if (step(store, view, i,
			 argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 1) <
		    0)
			return 2;
	view_put(view);
	store_abandon(store);
	return 0;
}

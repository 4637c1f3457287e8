/*
 * Prints a hash of what each head and each snapshot of an image store shows,
 * and what is said of it.
 *
 *   content STORE
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "file.h"
#include "history.h"
#include "logging.h"
#include "store.h"

enum { AT_ONCE = 1 << 20 };

static struct failure failure;
static uint8_t data[AT_ONCE];

/* 0 and what stands for it: it can't be read. */
static uint64_t hash_of(struct file *file)
{
	XXH3_state_t *state = XXH3_createState();
	struct file_info info;
	uint64_t at = 0, hash;
	size_t got = 1;

	file_get_info(file, &info);
	(void)XXH3_64bits_reset(state);
	while (got > 0 && at < info.size_bytes) {
		if (file_read(file, at, data, AT_ONCE, &got) < 0) {
			XXH3_freeState(state);
			return 0;
		}
		(void)XXH3_64bits_update(state, data, got);
		at += got;
	}
	hash = XXH3_64bits_digest(state);
	XXH3_freeState(state);
	return hash;
}

static int print_view(struct view *view, const char *kind, const char *name,
		      uint64_t a, uint64_t b)
{
	printf("%s %s %016" PRIx64 " %" PRIu64 " %" PRIu64 "\n", kind, name,
	       hash_of(view_image(view)), a, b);
	view_put(view);
	return 0;
}

static int print_branches(struct store *store)
{
	struct branch_info *list = NULL;
	struct view *view;
	size_t count, i;
	int rc = history_branches(store, true, &list, &count);

	for (i = 0; rc == 0 && i < count; i++) {
		if (list[i].deleted_ns)
			continue;
		rc = view_open_branch(store, list[i].name, &view, &failure);
		if (rc == 0)
			rc = print_view(view, "branch", list[i].name,
					list[i].id, 0);
	}
	free(list);
	return rc;
}

static int print_snapshots(struct store *store)
{
	struct snapshot_info *list = NULL;
	struct view *view;
	size_t count, i;
	int rc = history_snapshots(store, NULL, true, &list, &count, &failure);

	for (i = 0; rc == 0 && i < count; i++) {
		rc = view_open_snapshot(store, list[i].id, &view, &failure);
		if (rc == 0)
			rc = print_view(view, "snapshot", list[i].name,
					list[i].id, list[i].size_bytes);
	}
	free(list);
	return rc;
}

int main(int argc, char **argv)
{
	struct store *store;
	int rc;

	log_set_level(LOG_LEVEL_ERROR);
	rc = argc == 2 ? store_open(argv[1], NULL, &store, &failure) : -1;
	if (rc == 0)
		rc = print_branches(store);
	if (rc == 0)
		rc = print_snapshots(store);
	if (rc == 0)
		rc = store_close(store);
	if (rc < 0)
		fprintf(stderr, "content: %s %s\n", failure.object,
			failure.message);
	return rc < 0;
}

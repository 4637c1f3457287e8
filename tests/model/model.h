/* What the model and its operations share. */
#pragma once

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "file.h"
#include "history.h"
#include "space.h"
#include "store.h"

enum {
	SIZE_MAX_BYTES = 5 << 20,
	BASE_BYTES = (3 << 20) + 1234,
	BRANCHES_MAX = 6,
	SNAPSHOTS_MAX = 24,
	IO_MAX_BYTES = 300000,
};

/* What a view must show, as the program that runs has it in memory. */
struct image {
	uint8_t *data; /* of malloc */
	size_t size;
};

struct model_branch {
	bool live;
	char name[32];
	struct image image;
};

struct model_snapshot {
	bool live, trash;
	uint32_t id;
	uint64_t operation; /* that put it into the trash */
	char name[STORE_NAME_BYTES_MAX + 1];
	int branch;
	struct image image;
};

#define CHECK(expression)                                                    \
	do {                                                                 \
		if (!(expression)) {                                         \
			fprintf(stderr, "%s: line %d: %s\n", __FILE__,       \
				__LINE__, #expression);                      \
			fprintf(stderr, "failure: %s: %s\n", failure.object, \
				failure.message);                            \
			abort();                                             \
		}                                                            \
	} while (0)

extern bool model_shares; /* blocks may be used in several places */
extern struct model_branch branches[BRANCHES_MAX];
extern struct model_snapshot snapshots[SNAPSHOTS_MAX];
extern struct store *store;
extern const struct actor actor;
extern struct failure failure;
extern char store_path[128], base_path[128];

/* Each program's own. */
void copy_image(struct image *to, const struct image *from);
void compare_all(struct view *view, const struct image *image);
void compare_some(struct view *view, const struct image *image);

/* model_store.c */
void begin(uint64_t seed);
/* Sets the configuration of the parameters. */
void make_first_branch(struct store_create_params *params);
uint64_t next_random(void);
uint64_t below(uint64_t limit);
struct view *open_branch(int nr);
int pick_branch(void);
int pick_snapshot(void);
void do_reopen(bool abandon);
void do_upkeep(void);
void check_everything(void);
void check_and_reopen(void);
/* Closes and removes the store. */
void finish(void);

/* Operations on history; they pick what they work on. */
void do_snapshot(int branch);
void do_rollback(int branch);
void do_undo_rollback(int branch);
void do_clone(int from);
void do_delete_snapshot(void);
void do_undelete_snapshot(void);
void do_delete_branch(void);
/* Ends with a look at the space: every block has a user. */
void do_gc(int64_t min_age_ns);
void keep_one_branch(void);

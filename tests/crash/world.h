/*
 * A store that a workload works on, and what it may look like afterwards:
 * one digest for each operation, and from when on it counts. The same
 * workloads run for the recorder and under injected faults.
 */
#pragma once

#include "crash.h"
#include "digest.h"
#include "file.h"
#include "history.h"
#include "recorder.h"
#include "store.h"
#include "tree.h"

enum { IMAGE_BYTES_MAX = 5 << 20 };

/* A state that a store may be found in. Counts are of changes. */
struct state {
	struct digest digest;
	const char *step;
	bool in_parts;	     /* several records lead to it */
	size_t visible_from; /* not before */
	size_t done_at;	     /* killed then or later: at least this one */
	size_t synced_at;    /* the same of power; SIZE_MAX: never */
};

struct world {
	/* DIRECTORY/run/store, DIRECTORY/base, DIRECTORY/layer... */
	char directory[64], run_path[80], store_path[96], base_path[80];
	int run_fd;
	bool is_tree, created;
	struct store *store;
	struct view *view;
	struct file *file; /* of an image */
	struct tree *tree;
	struct failure failure;

	/* What the image of main must read as. */
	uint8_t *expected;
	uint64_t expected_bytes;
	bool expects;
	/* What it may read as in the midst of a step. */
	struct digest *between;
	size_t between_count;

	struct state *states;
	size_t state_count;
	size_t step_begin;
	unsigned step_nr;
	bool in_parts;
	const char *step_name;
	size_t created_at; /* from here on there is a store */
	/* What store.conf may say, as states are. */
	struct setting {
		uint64_t value;
		size_t visible_from, synced_at;
	} settings[8];
	size_t setting_count;

	struct recorder *recorder;
	struct trace trace;

	/* Under faults: */
	struct sweep *sweep; /* NULL: there are none */
	bool active;	     /* the engine is at work, not the test */
	bool over;	     /* the workload can't go on */

	unsigned violations;
	const char *name; /* of the workload */
	char where[128];  /* for messages */
};

typedef void workload(struct world *world);

void world_init(struct world *world);
void world_fini(struct world *world);
/* Empties the run directory and forgets states. */
void world_reset(struct world *world);

/* Frees what it recorded. */
void world_forget(struct world *world);

/* A violation: counted and printed. */
void world_wrong(struct world *world, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* --- for workloads --- */

/*
 * One operation: does it, and notes what the store looks like. durable: when
 * it returns, it survives a power cut, with all before it.
 */
#define STEP(world, durable, call)             \
	do {                                   \
		if (!step_begin(world, #call)) \
			break;                 \
	} while (step_end(world, (call), durable))

/* The same, but a crash may leave it half done: architecture.md, 6. */
#define STEP_IN_PARTS(world, durable, call) \
	do {                                \
		(world)->in_parts = true;   \
		STEP(world, durable, call); \
		(world)->in_parts = false;  \
	} while (0)

/* Of the newest state; NULL: there is none yet. */
const struct digest *last_digest(const struct world *world);
size_t world_changes(const struct world *world);
/* Bytes of a seed; never zero, a little compressible. */
void world_fill(uint8_t *data, size_t len, unsigned seed);

bool step_begin(struct world *world, const char *name);
/* True: try again. */
bool step_end(struct world *world, int rc, bool durable);

/* Opens and closes; each is a step. */
void do_create(struct world *world, uint64_t size_bytes, bool with_base);
void do_create_tree(struct world *world);
void do_open(struct world *world);
void do_close(struct world *world);
/* The same, and no step. */
NODISCARD int world_close(struct world *world);
void do_abandon(struct world *world);

/* On main's image. */
void do_write(struct world *world, uint64_t offset, size_t len, unsigned seed);
void do_zero(struct world *world, uint64_t offset, size_t len);
void do_resize(struct world *world, uint64_t size_bytes);
void do_sync(struct world *world);
void do_checkpoint(struct world *world);
/* What the background thread would do. */
void do_background(struct world *world);
/* Saves another store.conf. */
void do_configure(struct world *world, uint64_t log_bytes);
/* The tail moves close to the end of its segment. */
void do_fill_segment(struct world *world, unsigned left_blocks);
uint32_t snapshot_id(struct world *world, const char *name);

struct named_workload {
	const char *name;
	workload *run;
};
extern const struct named_workload image_workloads[], tree_workloads[];
extern const size_t image_workload_count, tree_workload_count;
/* All of them, one after the other; NULL at the end. */
const struct named_workload *workload_at(size_t nr);
/* On a store that a crash left: goes on for a while. */
workload second_life_image, second_life_tree;

/* --- the clock and the seam --- */

void world_advance_clock(int64_t seconds);
void world_attach(struct world *world);
void world_detach(struct world *world);

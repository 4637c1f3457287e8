/* A store that a workload works on, and what it may look like afterwards. */
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "items.h"
#include "store_impl.h"
#include "sweep.h"

enum { BASE_BYTES = 300000 };

void world_wrong(struct world *world, const char *format, ...)
{
	va_list arguments;

	world->violations++;
	fprintf(stderr, "VIOLATION: %s: %s: ", world->name, world->where);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
}

void world_fill(uint8_t *data, size_t len, unsigned seed)
{
	struct chance chance;
	size_t i;

	chance_seed(&chance, seed);
	for (i = 0; i < len; i++) /* it compresses, a little */
		data[i] = (uint8_t)(1 + chance_below(&chance, 15));
}

static void make_layer(const char *path)
{
	char name[128];
	uint8_t data[20000];
	int fd, i;

	check(mkdir(path, 0755) == 0, "making a layer");
	for (i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "%s/d%d", path, i / 2);
		if (i % 2 == 0)
			check(mkdir(name, 0755) == 0, "making a directory");
		snprintf(name, sizeof(name), "%s/d%d/f%d", path, i / 2, i);
		world_fill(data, sizeof(data), (unsigned)i + 100);
		fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		check(fd >= 0 && write(fd, data, (size_t)i * 4000) == i * 4000,
		      "making a file of a layer");
		close(fd);
	}
	snprintf(name, sizeof(name), "%s/link", path);
	check(symlink("d0/f0", name) == 0, "making a link of a layer");
}

static void make_base(struct world *world)
{
	static const char *const layers[] = { "layer1", "layer2" };
	uint8_t *data = check_memory(malloc(BASE_BYTES));
	char path[96];
	int fd = open(world->base_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	world_fill(data, BASE_BYTES, 99);
	check(fd >= 0 && write(fd, data, BASE_BYTES) == BASE_BYTES,
	      "writing the base");
	close(fd);
	free(data);
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", world->directory,
			 layers[i]);
		make_layer(path);
	}
}

void world_init(struct world *world)
{
	*world = (struct world){ .name = "", .where = "" };
	snprintf(world->directory, sizeof(world->directory),
		 "%s/cowd-crash-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	check(mkdtemp(world->directory), "making a directory");
	snprintf(world->run_path, sizeof(world->run_path), "%s/run",
		 world->directory);
	snprintf(world->store_path, sizeof(world->store_path), "%s/store",
		 world->run_path);
	snprintf(world->base_path, sizeof(world->base_path), "%s/base",
		 world->directory);
	check(mkdir(world->run_path, 0700) == 0, "making a directory");
	world->run_fd =
		open(world->run_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	check(world->run_fd >= 0, "opening a directory");
	make_base(world);
	world->expected = check_memory(calloc(1, IMAGE_BYTES_MAX));
}

void world_forget(struct world *world)
{
	for (size_t i = 0; i < world->state_count; i++)
		digest_free(&world->states[i].digest);
	free(world->states);
	for (size_t i = 0; i < world->between_count; i++)
		digest_free(&world->between[i]);
	free(world->between);
	world->states = NULL;
	world->between = NULL;
	world->state_count = world->between_count = 0;
	trace_fini(&world->trace);
}

void world_reset(struct world *world)
{
	world_forget(world);
	disk_empty_directory(world->run_fd);
	world->is_tree = world->created = world->expects = false;
	world->expected_bytes = 0;
	world->step_nr = 0;
	world->setting_count = 0;
	world->over = world->active = false;
}

void world_fini(struct world *world)
{
	int fd = open(world->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	world_forget(world);
	close(world->run_fd);
	disk_empty_directory(fd);
	close(fd);
	check(rmdir(world->directory) == 0, "removing the directory");
	free(world->expected);
}

/* --- steps --- */

size_t world_changes(const struct world *world)
{
	return world->recorder ? recorder_count(world->recorder) : 0;
}

static void add_state(struct world *world, const struct digest *digest,
		      bool durable)
{
	struct state *state;
	size_t now = world_changes(world);

	world->states = check_memory(
		realloc(world->states,
			(world->state_count + 1) * sizeof(*world->states)));
	state = &world->states[world->state_count++];
	state->step = world->step_name;
	state->in_parts = world->in_parts;
	state->visible_from = world->step_begin;
	state->done_at = now;
	state->synced_at = durable ? now : SIZE_MAX;
	digest_copy(&state->digest, digest);
}

static void drop_between(struct world *world)
{
	for (size_t i = 0; i < world->between_count; i++)
		digest_free(&world->between[i]);
	world->between_count = 0;
}

bool step_begin(struct world *world, const char *name)
{
	if (world->over)
		return false;
	world->step_nr++;
	world->step_name = name;
	snprintf(world->where, sizeof(world->where), "step %u, %.90s",
		 world->step_nr, name);
	world->step_begin = world_changes(world);
	world->failure = (struct failure){ 0 };
	world->active = true;
	return true;
}

const struct digest *last_digest(const struct world *world)
{
	return world->state_count ?
		       &world->states[world->state_count - 1].digest :
		       NULL;
}

/* What was expected while there was no fault. */
static void check_expected(struct world *world, const struct digest *now)
{
	struct digest want;

	if (!world->expects || !world->view)
		return;
	digest_copy(&want, now);
	digest_put_content(&want, "main", world->expected,
			   world->expected_bytes);
	if (want.hash != now->hash)
		world_wrong(world, "main does not hold what was written");
	digest_free(&want);
}

/* After a step that had no fault to face. */
static void note(struct world *world, int rc, bool durable,
		 const struct digest *now)
{
	struct state *last = NULL;
	size_t i;

	if (rc < 0)
		world_wrong(world, "failed: %d %s %s", rc,
			    world->failure.object, world->failure.message);
	if (world->sweep)
		sweep_note_step(world, now);
	if (world->state_count)
		last = &world->states[world->state_count - 1];
	if (!now) { /* creation, or a close */
		if (last && durable)
			last->synced_at = world_changes(world);
		return;
	}
	if (now->failed)
		world_wrong(world, "something can't be read");
	check_expected(world, now);
	for (i = 0; i < world->between_count; i++)
		add_state(world, &world->between[i], false);
	/* The same state again, but durable. */
	if (last && !world->between_count && last->digest.hash == now->hash) {
		if (durable && last->synced_at == SIZE_MAX)
			last->synced_at = world_changes(world);
	} else {
		add_state(world, now, durable);
	}
}

bool step_end(struct world *world, int rc, bool durable)
{
	bool faults = world->sweep && !world->sweep->is_reference;
	struct digest now;
	bool again = false, look;

	world->active = false;
	/* Until the fault comes it is the run without one. */
	look = world->store && (!faults || world->sweep->fired || rc < 0);
	if (look)
		digest_take(world->store, !world->sweep, &now);
	if (faults)
		again = sweep_step_end(world, rc, durable, look ? &now : NULL);
	else
		note(world, rc, durable, look ? &now : NULL);
	if (!again)
		drop_between(world);
	if (look)
		digest_free(&now);
	return again;
}

/* --- opening and closing --- */

static struct store_config quiet(void)
{
	struct store_config config;

	config_defaults(&config);
	config.compress = COMPRESS_MODE_OFF;
	config.reserve_bytes = 0;
	config.checkpoint_every_ns = UINT64_C(3600000000000);
	return config;
}

void do_create(struct world *world, uint64_t size_bytes, bool with_base)
{
	struct store_create_params params = {
		.path = world->store_path,
		.base_path = with_base ? world->base_path : NULL,
		.size_bytes = size_bytes,
		.config = quiet(),
	};

	STEP(world, true, store_create(&params, &world->failure));
	world->created = !world->over;
	world->created_at = world_changes(world);
	memset(world->expected, 0, IMAGE_BYTES_MAX);
	if (with_base)
		world_fill(world->expected, BASE_BYTES, 99);
	world->expects = true;
	world->expected_bytes = size_bytes ? size_bytes : BASE_BYTES;
	if (size_bytes && size_bytes < BASE_BYTES)
		memset(world->expected + size_bytes, 0,
		       BASE_BYTES - size_bytes);
}

void do_create_tree(struct world *world)
{
	char layer[96];
	const char *const layers[] = { layer };
	struct store_create_params params = {
		.path = world->store_path,
		.layer_paths = layers,
		.layer_count = 1,
		.config = quiet(),
	};

	world->is_tree = true;
	snprintf(layer, sizeof(layer), "one=%s/layer1", world->directory);
	STEP(world, true, store_create(&params, &world->failure));
	world->created = !world->over;
	world->created_at = world_changes(world);
}

static int open_view(struct world *world)
{
	int rc = view_open_branch(world->store, "main", &world->view,
				  &world->failure);

	if (rc == 0 && world->is_tree) {
		rc = tree_open(world->view, &world->tree, &world->failure);
		world->view = NULL;
	} else if (rc == 0) {
		world->file = view_image(world->view);
	}
	return rc;
}

static void put_view(struct world *world)
{
	if (world->tree)
		tree_close(world->tree);
	if (world->view)
		view_put(world->view);
	world->tree = NULL;
	world->view = NULL;
	world->file = NULL;
}

static int open_all(struct world *world)
{
	int rc = store_open(world->store_path, NULL, &world->store,
			    &world->failure);

	if (rc < 0) {
		world->store = NULL;
		return rc;
	}
	rc = open_view(world);
	if (rc < 0) {
		store_abandon(world->store);
		world->store = NULL;
	}
	return rc;
}

void do_open(struct world *world)
{
	STEP(world, true, open_all(world));
}

int world_close(struct world *world)
{
	int rc;

	put_view(world);
	rc = store_close(world->store);
	world->store = NULL;
	return rc;
}

void do_close(struct world *world)
{
	if (world->store)
		STEP(world, true, world_close(world));
}

void do_abandon(struct world *world)
{
	if (!world->store)
		return;
	if (world->tree)
		tree_abandon(world->tree);
	world->tree = NULL;
	put_view(world);
	store_abandon(world->store);
	world->store = NULL;
}

const struct named_workload *workload_at(size_t nr)
{
	if (nr < image_workload_count)
		return &image_workloads[nr];
	nr -= image_workload_count;
	return nr < tree_workload_count ? &tree_workloads[nr] : NULL;
}

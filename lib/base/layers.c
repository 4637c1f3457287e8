/*
 * The stack of layers: opening, counting, and what was seen to change.
 *
 * I1: a layer's descriptor is O_PATH for its whole life: nothing can be
 *     written through it (rule 1), and where its path leads to later does
 *     not matter.
 */
#include "layers.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#include "layers_impl.h"
#include "logging.h"

enum { NUMBER_BITS = 40, OPEN_MIN = 4, OPEN_TRIES = 100 };

uint64_t base_number(uint32_t layer, uint64_t st_ino)
{
	uint64_t top = UINT64_C(1) << (NUMBER_BITS - 1);
	uint64_t number = st_ino;

	if (st_ino >= top)
		number = top |
			 (XXH3_64bits(&st_ino, sizeof(st_ino)) & (top - 1));
	return (uint64_t)layer << NUMBER_BITS | number;
}

bool base_number_is_hash(uint64_t number)
{
	return number >> NUMBER_BITS && (number >> (NUMBER_BITS - 1) & 1);
}

uint32_t base_number_layer(uint64_t number)
{
	return (uint32_t)(number >> NUMBER_BITS);
}

int64_t base_time_ns(int64_t seconds, int64_t nanoseconds)
{
	int64_t ns;

	/* A hostile file system may hold any time. */
	if (__builtin_mul_overflow(seconds, INT64_C(1000000000), &ns) ||
	    __builtin_add_overflow(ns, nanoseconds, &ns))
		return seconds < 0 ? INT64_MIN : INT64_MAX;
	return ns;
}

int open_beneath(int dir_fd, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC | O_NOFOLLOW),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
			   RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};
	int tries;

	/* -EAGAIN: a rename happened meanwhile, and it can't be told whether
	 * the way led outside. */
	for (tries = 0; tries < OPEN_TRIES; tries++) {
		long fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));

		if (fd >= 0)
			return (int)fd;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	return -EAGAIN;
}

static unsigned bound(unsigned most)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur / 4 > most)
		return most;
	return limit.rlim_cur / 4 < OPEN_MIN ? OPEN_MIN :
					       (unsigned)(limit.rlim_cur / 4);
}

static struct layers_shared *shared_new(void)
{
	struct layers_shared *shared = calloc(1, sizeof(*shared));

	if (!shared)
		return NULL;
	shared->refs = 1;
	shared->open_directories_max = bound(BASE_OPEN_DIRECTORIES_MAX);
	shared->open_files_max = bound(BASE_OPEN_FILES_MAX);
	mutex_init(&shared->dirs_lock);
	mutex_init(&shared->files_lock);
	mutex_init(&shared->changes_lock);
	mutex_init(&shared->seen_lock);
	return shared;
}

static void shared_put(struct layers_shared *shared)
{
	if (!shared ||
	    __atomic_sub_fetch(&shared->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	mutex_fini(&shared->dirs_lock);
	mutex_fini(&shared->files_lock);
	mutex_fini(&shared->changes_lock);
	mutex_fini(&shared->seen_lock);
	free(shared->seen);
	free(shared);
}

static int open_one(struct layer *layer, const struct layer_spec *spec,
		    const struct layers *beside, struct failure *failure)
{
	const char *path = spec->path ? spec->path : spec->expected->path;
	AUTO_FREE struct base_fingerprint *found = calloc(1, sizeof(*found));
	int rc;

	layer->id = spec->id;
	layer->path = strdup(path);
	if (!layer->path || !found)
		return failure_errno(failure, -ENOMEM, path,
				     "can't open the layer");
	if (spec->expected && layer_is_snapshot(spec->expected))
		return layer_snapshot_open(spec, beside, layer, failure);
	rc = layer_open(path, spec->expected, &layer->fd, failure);
	if (rc < 0)
		return rc;
	rc = layer_identify(layer->fd, found);
	if (rc < 0)
		return failure_errno(failure, rc, path, "can't read the layer");
	layer->device = found->device;
	layer->sync = base_sync_flag(layer->fd);
	snprintf(found->path, sizeof(found->path), "%s", path);
	return spec->expected ? layer_compare(spec->expected, found, failure) :
				0;
}

static int check_specs(const struct layer_spec *specs, size_t count,
		       struct failure *failure)
{
	bool seen[LAYER_ID_MAX + 1] = { false };
	size_t i;

	if (count == 0 || count > LAYERS_MAX)
		return failure_set(failure, FAILURE_USAGE, NULL,
				   "a base has 1 to %d layers, not %zu",
				   LAYERS_MAX, count);
	for (i = 0; i < count; i++) {
		uint32_t id = specs[i].id;

		if (id == 0 || id > LAYER_ID_MAX || seen[id])
			return failure_set(failure, FAILURE_CORRUPT,
					   specs[i].path,
					   "the layer's id %" PRIu32
					   " is not valid or there twice",
					   id);
		seen[id] = true;
	}
	return 0;
}

/* Takes the reference of shared over. */
static int open_stack(struct layers_shared *shared, const struct layers *beside,
		      const struct layer_spec *specs, size_t count,
		      struct layers **out_layers, struct failure *failure)
{
	struct layers *layers = NULL;
	int rc = check_specs(specs, count, failure);
	size_t i;

	if (rc == 0 && shared)
		layers = calloc(1, sizeof(*layers) +
					   count * sizeof(layers->layer[0]));
	if (!layers) {
		shared_put(shared);
		return rc < 0 ? rc :
				failure_errno(failure, -ENOMEM, NULL,
					      "can't open the layers");
	}
	layers->refs = 1;
	layers->shared = shared;
	layers->count = count;
	for (i = 0; i < count; i++)
		layers->layer[i].fd = -1;
	for (i = 0; rc == 0 && i < count; i++)
		rc = open_one(&layers->layer[i], &specs[i], beside, failure);
	if (rc < 0) {
		layers_put(layers);
		return rc;
	}
	*out_layers = layers;
	return 0;
}

int layers_open(const struct layer_spec *specs, size_t count,
		struct layers **out_layers, struct failure *failure)
{
	return open_stack(shared_new(), NULL, specs, count, out_layers,
			  failure);
}

int layers_open_beside(struct layers *other, const struct layer_spec *specs,
		       size_t count, struct layers **out_layers,
		       struct failure *failure)
{
	__atomic_add_fetch(&other->shared->refs, 1, __ATOMIC_RELAXED);
	return open_stack(other->shared, other, specs, count, out_layers,
			  failure);
}

struct layers *layers_get(struct layers *layers)
{
	__atomic_add_fetch(&layers->refs, 1, __ATOMIC_RELAXED);
	return layers;
}

void layers_put(struct layers *layers)
{
	size_t i;

	if (!layers ||
	    __atomic_sub_fetch(&layers->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	for (i = 0; i < layers->count; i++) {
		if (layers->layer[i].fd >= 0)
			close(layers->layer[i].fd);
		free(layers->layer[i].path);
	}
	shared_put(layers->shared);
	free(layers);
}

size_t layers_count(const struct layers *layers)
{
	return layers->count;
}

uint32_t layers_id(const struct layers *layers, size_t nr)
{
	assert(nr < layers->count);
	return layers->layer[nr].id;
}

const char *layers_path(const struct layers *layers, size_t nr)
{
	assert(nr < layers->count);
	return layers->layer[nr].path;
}

void layers_changes(struct layers *layers, struct layers_changes *out_changes)
{
	mutex_lock(&layers->shared->changes_lock);
	*out_changes = layers->shared->changes;
	mutex_unlock(&layers->shared->changes_lock);
}

int base_stale(struct base_node *node)
{
	return base_node_changed(node, node->layer_nr);
}

/* What is met again and again is told of once. */
int base_node_changed(struct base_node *node, unsigned layer_nr)
{
	const struct layer *layer = &node->layers->layer[layer_nr];
	struct layers_shared *shared = node->layers->shared;
	struct layers_changes *changes = &shared->changes;
	char path[PATH_MAX];
	bool is_news;

	base_node_path(node, path, sizeof(path));
	mutex_lock(&shared->changes_lock);
	is_news = changes->layer != layer->id ||
		  strcmp(changes->path, path) != 0;
	if (is_news) {
		changes->count++;
		changes->layer = layer->id;
		memcpy(changes->path, path, sizeof(path));
	}
	mutex_unlock(&shared->changes_lock);
	if (is_news)
		log_message(LOG_LEVEL_ERROR,
			    "base %s: %s is not what it was: it must not "
			    "change under a store; put it back as it was. "
			    "If the store has nothing of it, another mount "
			    "shows it as it is, and -o base=follow at once",
			    layer->path, path);
	return -ESTALE;
}

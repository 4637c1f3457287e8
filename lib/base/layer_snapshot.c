/*
 * A layer that is a snapshot of another store: shown by that store's daemon,
 * and known by the store's UUID and the snapshot's id.
 *
 * I1: a descriptor is all that there is of it: who serves it ends with the
 *     last one, however this process ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "layers.h"
#include "layers_impl.h"

size_t layer_store_bytes(const struct base_fingerprint *fingerprint)
{
	/* Names of snapshots have none. */
	const char *at = strrchr(fingerprint->path, '@');

	return at ? (size_t)(at - fingerprint->path) :
		    strlen(fingerprint->path);
}

int layer_snapshot_compare(const struct base_fingerprint *expected,
			   const struct base_fingerprint *found,
			   struct failure *failure)
{
	const char *difference = NULL;

	if (expected->kind != found->kind)
		difference = layer_is_snapshot(expected) ?
				     "the layer is a snapshot of a store, and "
				     "this is a directory" :
				     "the layer is a directory, and this is a "
				     "snapshot of a store";
	else if (expected->device != found->device ||
		 expected->sample_hash != found->sample_hash)
		difference = "the layer is a snapshot of another store";
	else if (expected->inode != found->inode)
		difference = "the layer is another snapshot of this store";
	if (!difference)
		return 0;
	failure_set(failure, FAILURE_BASE_CHANGED, found->path, "%s",
		    difference);
	failure_hint(failure, "name the one that the store was made over");
	return -ESTALE;
}

/* It must ask who serves it: what the kernel remembers is there still. */
static int ask(int fd)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_INO,
		  &stx) == 0)
		return 0;
	return errno == ENOTCONN || errno == ECONNABORTED ? -EIO : -errno;
}

static const struct layer *find(const struct layers *layers, uint32_t id)
{
	size_t i;

	for (i = 0; i < layers->count; i++)
		if (layers->layer[i].id == id)
			return &layers->layer[i];
	return NULL;
}

int layers_served(const struct layers *layers, uint32_t id)
{
	const struct layer *one = id ? find(layers, id) : NULL;
	size_t i;
	int rc = 0;

	if (id)
		return !one ? -ENOENT : one->is_snapshot ? ask(one->fd) : 0;
	for (i = 0; i < layers->count && rc == 0; i++)
		if (layers->layer[i].is_snapshot)
			rc = ask(layers->layer[i].fd);
	return rc;
}

int layer_snapshot_open(const struct layer_spec *spec,
			const struct layers *beside, struct layer *layer,
			struct failure *failure)
{
	const struct layer *other = beside ? find(beside, spec->id) : NULL;
	struct stat st;
	int rc;

	layer->is_snapshot = true;
	if (other && ask(other->fd) == 0) {
		layer->fd = fcntl(other->fd, F_DUPFD_CLOEXEC, 3);
		rc = layer->fd < 0 ? -errno : 0;
	} else if (spec->source) {
		rc = spec->source->open(spec->expected, &layer->fd, failure);
	} else {
		return failure_set(failure, FAILURE_UNSUPPORTED,
				   spec->expected->path,
				   "snapshots of other stores can't be opened "
				   "here");
	}
	if (rc == 0 && fstat(layer->fd, &st) < 0)
		rc = -errno;
	if (rc < 0)
		return failure_errno(failure, rc, spec->expected->path,
				     "can't open the layer");
	layer->device = st.st_dev;
	layer->sync = base_sync_flag(layer->fd);
	return 0;
}

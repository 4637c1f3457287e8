/* Directories that are to become layers, and where they may be. */
#include "new_layer.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "history.h"
#include "layers.h"
#include "store.h"

/* What follows "NAME=", or NULL: there is no name. */
static const char *after_name(const char *spec)
{
	const char *equals = strchr(spec, '='), *slash = strchr(spec, '/');
	struct stat st;

	if (!equals || equals == spec || (slash && slash < equals) ||
	    lstat(spec, &st) == 0) /* so it is called */
		return NULL;
	return equals + 1;
}

const char *layer_spec_path(const char *spec)
{
	const char *path = after_name(spec);

	return path ? path : spec;
}

static bool is_known(const char *name, const struct base_row *known,
		     size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (strcmp(known[i].name, name) == 0)
			return true;
	return false;
}

/* What the path ends with, if that will do. */
static void choose_name(const struct base_row *known, size_t count,
			struct base_row *row)
{
	const char *slash = strrchr(row->fingerprint.path, '/');
	struct failure ignored = { .code = FAILURE_NONE };
	size_t nr = count + 1;

	snprintf(row->name, sizeof(row->name), "%s",
		 slash && slash[1] ? slash + 1 : "root");
	while (history_check_name(row->name, &ignored) < 0 ||
	       is_known(row->name, known, count))
		snprintf(row->name, sizeof(row->name), "layer%zu", nr++);
}

static int take_name(const char *spec, const char *path,
		     const struct base_row *known, size_t count,
		     struct base_row *row, struct failure *failure)
{
	size_t len_bytes = (size_t)(path - spec) - 1;

	if (len_bytes >= sizeof(row->name))
		return failure_set(failure, FAILURE_USAGE, spec,
				   "the name of a layer has at most %d bytes",
				   STORE_NAME_BYTES_MAX);
	memcpy(row->name, spec, len_bytes);
	row->name[len_bytes] = '\0';
	if (is_known(row->name, known, count)) {
		failure_set(failure, FAILURE_EXISTS, row->name,
			    "a layer of this name exists");
		failure_hint(failure, "give it another one: NAME=%s", path);
		return -EEXIST;
	}
	if (history_check_name(row->name, failure) == 0)
		return 0;
	if (failure && !failure->object[0])
		snprintf(failure->object, sizeof(failure->object), "%.500s",
			 spec);
	return -EINVAL;
}

static bool is_store(const char *path)
{
	char probe[PATH_MAX + 16];

	snprintf(probe, sizeof(probe), "%s/index.db", path);
	if (access(probe, F_OK) < 0)
		return false;
	snprintf(probe, sizeof(probe), "%s/segments", path);
	return access(probe, F_OK) == 0;
}

/* Calls test for the directory and all above it. */
static bool any_above(const char *path, bool (*test)(const char *, void *),
		      void *context, char *out_found)
{
	char *slash;

	if (!realpath(path, out_found))
		return false;
	for (;;) {
		if (test(out_found, context))
			return true;
		slash = strrchr(out_found, '/');
		if (!slash || !slash[1])
			return false;
		slash[slash == out_found] = '\0';
	}
}

static bool test_store(const char *path, void *context)
{
	(void)context;
	return is_store(path);
}

bool new_layer_in_store(const char *path, char *out_store)
{
	return any_above(path, test_store, NULL, out_store);
}

static bool test_layer(const char *path, void *context)
{
	const struct base_fingerprint *f = context;
	struct stat st;

	return stat(path, &st) == 0 && st.st_ino == f->inode &&
	       st.st_dev == f->device;
}

int new_layer_check_outside(const struct base_row *row, const char *place,
			    const char *store_path, struct failure *failure)
{
	struct base_fingerprint f = row->fingerprint;
	char found[PATH_MAX];

	if (!any_above(place, test_layer, &f, found))
		return 0;
	failure_set(failure, FAILURE_USAGE, f.path, "contains the store %s",
		    store_path);
	failure_hint(failure, "a store must be outside of the directories "
			      "below it: choose another place for it");
	return -EINVAL;
}

int new_layer_check_mountpoint(const struct base_row *row,
			       const char *mountpoint, struct failure *failure)
{
	struct base_fingerprint f = row->fingerprint;
	char found[PATH_MAX];

	if (!any_above(mountpoint, test_layer, &f, found))
		return 0;
	failure_set(failure, FAILURE_USAGE, mountpoint,
		    "the mountpoint is inside the layer %s: %.400s", row->name,
		    f.path);
	failure_hint(failure, "choose a directory outside of the layers: what "
			      "is mounted would be in its own view");
	return -EINVAL;
}

bool new_layer_same(const struct base_row *a, const struct base_row *b)
{
	const struct base_fingerprint *f = &a->fingerprint,
				      *g = &b->fingerprint;

	/* Device numbers change when the host starts; copies of a file system
	 * have equal inodes and times. */
	return f->inode == g->inode && f->sample_hash == g->sample_hash &&
	       (f->device == g->device || strcmp(f->path, g->path) == 0);
}

int new_layer_take(const char *spec, const struct base_row *known, size_t count,
		   struct base_row *out_row, bool *out_named,
		   struct failure *failure)
{
	const char *path = layer_spec_path(spec);
	char store[PATH_MAX];
	int rc;

	if (!*path)
		return failure_set(failure, FAILURE_USAGE, spec,
				   "the path is empty");
	rc = layer_fingerprint_take(path, &out_row->fingerprint, failure);
	if (rc < 0) {
		if (rc == -ENOENT && strchr(path, '@'))
			failure_hint(failure, "to build on a snapshot, mount "
					      "it, and name the mountpoint");
		else if (rc == -ENOENT || rc == -ENOTDIR)
			failure_hint(failure, "a layer is a directory that "
					      "exists");
		return rc;
	}
	*out_named = path != spec;
	if (new_layer_in_store(out_row->fingerprint.path, store)) {
		failure_set(failure, FAILURE_USAGE, path,
			    strcmp(store, out_row->fingerprint.path) == 0 ?
				    "is itself a store: %s" :
				    "lies inside the store %s",
			    store);
		failure_hint(failure,
			     "to go on from a store, mount it, or "
			     "clone it: cowd clone %s NEWBRANCH",
			     store);
		return -EINVAL;
	}
	if (!*out_named) {
		choose_name(known, count, out_row);
		return 0;
	}
	return take_name(spec, path, known, count, out_row, failure);
}

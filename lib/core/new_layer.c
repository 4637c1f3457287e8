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
#include "store_impl.h"

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
	char *at;

	snprintf(row->name, sizeof(row->name), "%s",
		 slash && slash[1] ? slash + 1 : "root");
	/* STORE@SNAPSHOT */
	at = layer_is_snapshot(&row->fingerprint) ? strrchr(row->name, '@') :
						    NULL;
	if (at)
		*at = '-';
	while (history_check_name(row->name, &ignored) < 0 ||
	       is_known(row->name, known, count))
		snprintf(row->name, sizeof(row->name), "layer%zu", nr++);
}

static int take_name(const char *spec, const char *path,
		     const struct base_row *known, size_t count,
		     struct base_row *row, struct failure *failure)
{
	size_t len_bytes = (size_t)(path - spec) - 1, i;

	if (len_bytes >= sizeof(row->name))
		return failure_set(failure, FAILURE_USAGE, spec,
				   "the name of a layer has at most %d bytes",
				   STORE_NAME_BYTES_MAX);
	memcpy(row->name, spec, len_bytes);
	row->name[len_bytes] = '\0';
	/* A layer that is added again may be called what it is called. */
	for (i = 0; i < count; i++)
		if (strcmp(known[i].name, row->name) == 0 &&
		    !new_layer_same(&known[i], row))
			break;
	if (i < count) {
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

	if (layer_is_snapshot(&f) || !any_above(place, test_layer, &f, found))
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

	if (layer_is_snapshot(&f) ||
	    !any_above(mountpoint, test_layer, &f, found))
		return 0;
	failure_set(failure, FAILURE_USAGE, mountpoint,
		    "the mountpoint is inside the layer %s: %.400s", row->name,
		    f.path);
	failure_hint(failure, "choose a directory outside of the layers: what "
			      "is mounted would be in its own view");
	return -EINVAL;
}

/* Of printable characters that a name may have. */
static void hold_tag(const char *store_path, const uint8_t *uuid, char *tag,
		     size_t tag_bytes)
{
	const char *slash = strrchr(store_path, '/');
	char *c;

	snprintf(tag, tag_bytes, "layer-of-%.200s-%02x%02x%02x%02x",
		 slash ? slash + 1 : store_path, uuid[0], uuid[1], uuid[2],
		 uuid[3]);
	for (c = tag; *c; c++)
		if (*c <= ' ' || *c > '~' || strchr("@:,%", *c))
			*c = '_';
}

int new_layer_hold(const struct base_row *row,
		   const struct snapshot_source *source, const char *store_path,
		   const uint8_t *uuid, bool on, struct failure *failure)
{
	char tag[STORE_NAME_BYTES_MAX + 1];

	if (!layer_is_snapshot(&row->fingerprint) || !source || !source->hold)
		return 0;
	hold_tag(store_path, uuid, tag, sizeof(tag));
	return source->hold(&row->fingerprint, tag, on, failure);
}

void new_layer_info(const struct base_row *row, struct layer_info *out_info)
{
	const struct base_fingerprint *f = &row->fingerprint;

	memset(out_info, 0, sizeof(*out_info));
	out_info->id = row->layer;
	snprintf(out_info->name, sizeof(out_info->name), "%s", row->name);
	snprintf(out_info->path, sizeof(out_info->path), "%s", f->path);
	if (!layer_is_snapshot(f))
		return;
	out_info->snapshot = (uint32_t)f->inode;
	out_info->store_uuid[0] = f->device;
	out_info->store_uuid[1] = f->sample_hash;
}

bool new_layer_same(const struct base_row *a, const struct base_row *b)
{
	const struct base_fingerprint *f = &a->fingerprint,
				      *g = &b->fingerprint;

	/* Device numbers change when the host starts; copies of a file system
	 * have equal inodes and times. */
	return f->kind == g->kind && f->inode == g->inode &&
	       f->sample_hash == g->sample_hash &&
	       (f->device == g->device || strcmp(f->path, g->path) == 0);
}

static int check_no_store(const char *path, const char *found,
			  struct failure *failure)
{
	char store[PATH_MAX];

	if (!new_layer_in_store(found, store))
		return 0;
	failure_set(failure, FAILURE_USAGE, path,
		    strcmp(store, found) == 0 ? "is itself a store: %s" :
						"lies inside the store %s",
		    store);
	failure_hint(failure, "a layer may be one of its snapshots: %s@NAME",
		     store);
	return -EINVAL;
}

/* A layer that can be found again is known by its name, too. */
static bool may_be_snapshot(const char *path)
{
	const char *slash = strrchr(path, '/');
	struct stat st;

	return strchr(slash ? slash : path, '@') && lstat(path, &st) < 0;
}

/* Nobody could ask it: we have it open. STORE[:BRANCH]@SNAPSHOT. */
static int check_other_store(const struct store *store, const char *text,
			     struct failure *failure)
{
	AUTO_FREE char *path = strdup(text);
	struct stat st, own;
	char *c;

	if (!path)
		return -ENOMEM;
	if (stat(store->path, &own) < 0)
		return failure_errno(failure, -errno, store->path,
				     "can't look at the store");
	for (c = path + strlen(path); c > path; c--) {
		if (*c != '@' && *c != ':')
			continue;
		*c = '\0';
		if (stat(path, &st) < 0 || st.st_ino != own.st_ino ||
		    st.st_dev != own.st_dev)
			continue;
		failure_set(failure, FAILURE_USAGE, text,
			    "is a snapshot of this very store");
		failure_hint(failure,
			     "to go on from it: cowd clone %s "
			     "NEWBRANCH",
			     text);
		return -EINVAL;
	}
	return 0;
}

int new_layer_find(const struct store *store, const char *spec,
		   const struct snapshot_source *source,
		   struct base_fingerprint *out_fingerprint,
		   struct failure *failure)
{
	const char *path = layer_spec_path(spec);
	uint64_t uuid[2];
	int rc;

	if (!*path)
		return failure_set(failure, FAILURE_USAGE, spec,
				   "the path is empty");
	if (source && may_be_snapshot(path)) {
		if (store) {
			rc = check_other_store(store, path, failure);
			if (rc < 0)
				return rc;
			store_uuid_halves(store, uuid);
		}
		return source->find(path, store ? uuid : NULL, out_fingerprint,
				    failure);
	}
	rc = layer_fingerprint_take(path, out_fingerprint, failure);
	if (rc == -ENOENT || rc == -ENOTDIR)
		failure_hint(failure, "a layer is a directory that exists, or "
				      "STORE@SNAPSHOT");
	return rc < 0 ? rc :
			check_no_store(path, out_fingerprint->path, failure);
}

int new_layer_name(const char *spec, const struct base_row *known, size_t count,
		   struct base_row *row, bool *out_named,
		   struct failure *failure)
{
	const char *path = layer_spec_path(spec);

	*out_named = path != spec;
	if (*out_named)
		return take_name(spec, path, known, count, row, failure);
	choose_name(known, count, row);
	return 0;
}

/*
 * The set of holes, and its changes: what the set says, the file says too when
 * the call returns.
 *
 * A name taken out is a line of its own, "-/a/b", so that a build that removes
 * ten thousand files and makes them again costs a line for each; when such
 * lines outnumber the names, and at the end, the file is written anew.
 */
#include "holes.h"

#include <errno.h>
#include <string.h>

#include "holes_impl.h"
#include "logging.h"

#define DEAD_LINES_MIN 64

struct hole *hole_set_find(struct hole *set, const char *path,
			   size_t path_bytes)
{
	struct hole *hole;

	HASH_FIND(hh, set, path, path_bytes, hole);
	return hole;
}

static int set_add(struct hole **set, const char *path, char *origin)
{
	size_t path_bytes = strlen(path);
	struct hole *hole = calloc(1, sizeof(*hole) + path_bytes + 1);

	if (!hole)
		return -ENOMEM;
	memcpy(hole->path, path, path_bytes + 1);
	hole->origin = origin;
	HASH_ADD_KEYPTR(hh, *set, hole->path, path_bytes, hole);
	if (hole->hh.tbl)
		return 0;
	free(hole);
	return -ENOMEM;
}

int hole_set_add(struct hole **set, const char *path)
{
	return set_add(set, path, NULL);
}

int hole_set_put(struct hole **set, const char *path, const char *origin)
{
	struct hole *hole = hole_set_find(*set, path, strlen(path));
	AUTO_FREE char *copy = origin ? strdup(origin) : NULL;
	int rc;

	if (origin && !copy)
		return -ENOMEM;
	if (hole) {
		free(hole->origin);
		hole->origin = TAKE_PTR(copy);
		return 0;
	}
	rc = set_add(set, path, copy);
	if (rc == 0)
		copy = NULL;
	return rc;
}

void hole_set_delete(struct hole **set, struct hole *hole)
{
	HASH_DEL(*set, hole);
	free(hole->origin);
	free(hole);
}

void hole_set_clear(struct hole **set)
{
	struct hole *hole, *next;

	HASH_ITER(hh, *set, hole, next)
	hole_set_delete(set, hole);
}

int holes_open(const char *path, const char *owner, struct holes **out_holes,
	       struct failure *failure)
{
	struct holes *holes = calloc(1, sizeof(*holes));
	int rc;

	if (!holes)
		return failure_errno(failure, -ENOMEM, path,
				     "can't open the holefile");
	mutex_init(&holes->lock);
	mutex_lock(&holes->lock);
	holes->pack_at = DEAD_LINES_MIN;
	rc = holes_file_open(&holes->file, path, owner, &holes->set, failure);
	mutex_unlock(&holes->lock);
	if (rc < 0) {
		holes_close(holes);
		return rc;
	}
	*out_holes = holes;
	return 0;
}

static int pack_locked(struct holes *holes) REQUIRES(holes->lock)
{
	int rc = holes_file_rewrite(&holes->file, holes->set);

	/* What is there says the same, at greater length. */
	if (rc < 0)
		log_message(LOG_LEVEL_WARNING, "%s: can't pack it: %s",
			    holes->file.path, strerror(-rc));
	return rc;
}

void holes_close(struct holes *holes)
{
	if (!holes)
		return;
	mutex_lock(&holes->lock);
	if (holes->file.dead_count > 0 && !holes->file.broken)
		(void)!pack_locked(holes);
	holes_file_close(&holes->file);
	hole_set_clear(&holes->set);
	mutex_unlock(&holes->lock);
	mutex_fini(&holes->lock);
	free(holes);
}

/* Without the slash in front; NULL if it can't be a name. */
static const char *plain(const char *path)
{
	path += *path == '/';
	return hole_path_valid(path) ? path : NULL;
}

static int add_locked(struct holes *holes, const char *path)
	REQUIRES(holes->lock)
{
	const struct hole *known =
		hole_set_find(holes->set, path, strlen(path));
	int rc;

	if (known && !known->origin)
		return 0;
	if (known) { /* rare: it goes without a line of its own */
		rc = holes_file_append(&holes->file, HOLE_LINE_ADDED, path);
		return rc < 0 ? rc : hole_set_put(&holes->set, path, NULL);
	}
	/* In memory first, as that can be taken back for sure. */
	rc = hole_set_add(&holes->set, path);
	if (rc < 0)
		return rc;
	rc = holes_file_append(&holes->file, HOLE_LINE_ADDED, path);
	if (rc < 0)
		hole_set_delete(&holes->set,
				hole_set_find(holes->set, path, strlen(path)));
	return rc;
}

int holes_add(struct holes *holes, const char *path)
{
	int rc;

	path = plain(path);
	if (!path)
		return -EINVAL;
	mutex_lock(&holes->lock);
	rc = add_locked(holes, path);
	mutex_unlock(&holes->lock);
	return rc;
}

static int remove_locked(struct holes *holes, const char *path)
	REQUIRES(holes->lock)
{
	struct hole *hole = hole_set_find(holes->set, path, strlen(path));
	int rc;

	if (!hole)
		return 0;
	rc = holes_file_append(&holes->file, HOLE_LINE_REMOVED, path);
	if (rc < 0)
		return rc;
	hole_set_delete(&holes->set, hole);
	holes->file.dead_count += 2;
	if (holes->file.dead_count > holes->pack_at + HASH_COUNT(holes->set))
		holes->pack_at = pack_locked(holes) < 0 ? 2 * holes->pack_at :
							  DEAD_LINES_MIN;
	return 0;
}

int holes_remove(struct holes *holes, const char *path)
{
	int rc;

	path = plain(path);
	if (!path)
		return -EINVAL;
	mutex_lock(&holes->lock);
	rc = remove_locked(holes, path);
	mutex_unlock(&holes->lock);
	return rc;
}

static bool hole_is_at(struct hole *set, const char *path, size_t path_bytes)
{
	const struct hole *hole = hole_set_find(set, path, path_bytes);

	return hole && !hole->origin;
}

bool holes_has(struct holes *holes, const char *path)
{
	bool has;

	path = plain(path);
	if (!path)
		return false;
	mutex_lock(&holes->lock);
	has = hole_is_at(holes->set, path, strlen(path));
	mutex_unlock(&holes->lock);
	return has;
}

bool holes_masks(struct holes *holes, const char *path)
{
	size_t end = 0;
	bool masks = false;

	path = plain(path);
	if (!path)
		return false;
	mutex_lock(&holes->lock);
	while (!masks && path[end]) {
		end += path[end] == '/';
		end += strcspn(path + end, "/");
		masks = hole_is_at(holes->set, path, end);
	}
	mutex_unlock(&holes->lock);
	return masks;
}

size_t holes_count(struct holes *holes)
{
	const struct hole *hole;
	size_t count = 0;

	mutex_lock(&holes->lock);
	for (hole = holes->set; hole; hole = hole->hh.next)
		count += !hole->origin;
	mutex_unlock(&holes->lock);
	return count;
}

int holes_each(struct holes *holes,
	       int (*visit)(void *context, const char *path), void *context)
{
	struct hole *hole;
	int rc = 0;

	mutex_lock(&holes->lock);
	for (hole = holes->set; hole && rc == 0; hole = hole->hh.next)
		if (!hole->origin)
			rc = visit(context, hole->path);
	mutex_unlock(&holes->lock);
	return rc;
}

int holes_sync(struct holes *holes)
{
	int rc;

	mutex_lock(&holes->lock);
	rc = holes_file_sync(&holes->file);
	mutex_unlock(&holes->lock);
	return rc;
}

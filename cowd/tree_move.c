/*
 * A tree when its head moves, and what the kernel keeps of it.
 *
 * I1: nothing that was open before a move reaches the state after it: the
 *     nodes of the old head are put while no request runs (the gate is held
 *     from begin to end), and their ids never lead anywhere again.
 * I2: the kernel is told without the gate, and never by a request's thread.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "logging.h"
#include "tree_front.h"

static int write_pages(struct errand *errand)
{
	AUTO_CLOSE int fd =
		mount_open_root(errand->mount, O_RDONLY | O_DIRECTORY);

	errand->unreachable = fd < 0;
	if (fd < 0)
		return fd;
	return syncfs(fd) < 0 ? -errno : 0;
}

int front_write_back(struct mount *mount)
{
	struct errand errand = { .run = write_pages, .mount = mount };

	return errand_run(&errand);
}

/* Ids of what is open, of malloc, to be told of without a lock. */
static fuse_ino_t *open_ids(struct mount *mount, size_t *out_count)
{
	struct front_node *node, *next;
	size_t count = 0;
	fuse_ino_t *ids;

	mutex_lock(&mount->lock);
	ids = calloc(HASH_COUNT(mount->tree->nodes) + 1, sizeof(*ids));
	HASH_ITER(hh, mount->tree->nodes, node, next)
	if (ids && node->opens > 0)
		ids[count++] = node->id;
	mutex_unlock(&mount->lock);
	*out_count = ids ? count : 0;
	return ids;
}

static void drop_pages_of_open(struct mount *mount)
{
	size_t count, i;
	AUTO_FREE fuse_ino_t *ids = open_ids(mount, &count);

	for (i = 0; i < count; i++)
		fuse_lowlevel_notify_inval_inode(mount->session, ids[i], 0, 0);
}

int front_flush(struct mount *mount)
{
	struct errand errand = { .run = write_pages, .mount = mount };
	int rc;

	if (mount->options.read_only || mount->snapshot_id)
		return 0;
	rc = errand_run(&errand);
	if (!errand.unreachable)
		return rc;
	/* Unmounted lazily: what is dropped is written before. */
	drop_pages_of_open(mount);
	return 0;
}

/* Names of the root, before and after: all that the kernel may know wrong. */
static struct tree_listing *names_of_root(struct mount *mount)
{
	struct tree *tree = mount->tree->head->tree;
	struct tree_listing *listing = NULL;

	if (tree && tree_list(tree_root(tree), &listing) < 0)
		listing = NULL;
	return listing;
}

void front_begin_move(struct mount *mount, bool revoke)
{
	struct front *front = mount->tree;

	(void)revoke; /* readers, too: their files may be gone */
	if (front_open_view(mount, &front->next_view) < 0)
		front->next_view = NULL;
	pthread_rwlock_wrlock(&mount->gate); /* I1 */
	front->old_names = names_of_root(mount);
	front_revoke_head(mount);
}

static void forget_names(struct mount *mount, struct tree_listing *listing)
{
	size_t i;

	for (i = 0; listing && i < listing->count; i++)
		fuse_lowlevel_notify_inval_entry(
			mount->session, FUSE_ROOT_ID, listing->entries[i].name,
			strlen(listing->entries[i].name));
	if (listing)
		tree_listing_free(listing);
}

void front_end_move(struct mount *mount)
{
	struct front *front = mount->tree;
	struct tree_listing *old_names, *new_names;
	int rc = -ESTALE;

	if (front->next_view)
		rc = front_renew_head(mount, front->next_view);
	front->next_view = NULL;
	old_names = front->old_names;
	front->old_names = NULL;
	new_names = names_of_root(mount);
	pthread_rwlock_unlock(&mount->gate);
	if (rc < 0)
		(void)!log_errno(rc, "%s: the tree can't be shown any more",
				 mount->mountpoint);
	/* I2. Dirty pages of what was revoked are tried, and fail. */
	(void)!front_write_back(mount);
	drop_pages_of_open(mount);
	fuse_lowlevel_notify_inval_inode(mount->session, FUSE_ROOT_ID, 0, 0);
	forget_names(mount, old_names);
	forget_names(mount, new_names);
}

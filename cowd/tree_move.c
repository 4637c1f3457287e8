/*
 * A tree when its head moves, and what the kernel keeps of it.
 *
 * I1: nothing that was open before a move reaches the state after it: the
 *     nodes of the old head are put while no request runs (the gate is held
 *     from begin to end), and their ids never lead anywhere again.
 * I2: the kernel is told without the gate, and never by a request's thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "logging.h"
#include "mount_wire.h"
#include "tree_front.h"

static size_t count_handles(const struct front *front)
{
	const struct front_handle *handle;
	size_t count = 0;

	for (handle = front->handles; handle; handle = handle->next)
		count++;
	return count;
}

/* Ids of what is open, of malloc, to be told of without a lock. Some may come
 * several times. */
static fuse_ino_t *open_ids(struct mount *mount, bool only_writers,
			    size_t *out_count)
{
	const struct front_handle *handle;
	size_t count = 0;
	fuse_ino_t *ids;

	mutex_lock(&mount->lock);
	ids = calloc(count_handles(mount->tree) + 1, sizeof(*ids));
	for (handle = mount->tree->handles; handle; handle = handle->next)
		if (ids && (handle->writable || !only_writers))
			ids[count++] = handle->node->id;
	mutex_unlock(&mount->lock);
	*out_count = ids ? count : 0;
	return ids;
}

/* A file of the mount by its id, as the kernel's handles have it. Only root
 * may do so. */
static int open_id(struct mount *mount, int root_fd, fuse_ino_t id)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + 12];
	} by = { .handle = { .handle_bytes = 12, .handle_type = 0x81 } };
	uint32_t words[3] = { (uint32_t)(id >> 32), (uint32_t)id, 0 };
	const struct front_node *node;
	int fd;

	mutex_lock(&mount->lock);
	HASH_FIND(hh, mount->tree->nodes, &id, sizeof(id), node);
	if (node)
		words[2] = (uint32_t)node->slot->generation;
	mutex_unlock(&mount->lock);
	memcpy(by.handle.f_handle, words, sizeof(words));
	fd = open_by_handle_at(root_fd, &by.handle,
			       O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/* fsync would wait for the inode lock that lseek holds. */
static int write_file(struct mount *mount, int root_fd, fuse_ino_t id)
{
	AUTO_CLOSE int fd = open_id(mount, root_fd, id);

	if (fd < 0) /* closed meanwhile, which wrote it */
		return fd == -ESTALE ? 0 : fd;
	return sync_file_range(fd, 0, 0,
			       SYNC_FILE_RANGE_WAIT_BEFORE |
				       SYNC_FILE_RANGE_WRITE |
				       SYNC_FILE_RANGE_WAIT_AFTER) < 0 ?
		       -errno :
		       0;
}

/* What nobody has open for writing is clean. syncfs alone does not wait for
 * pages of FUSE on newer kernels; but it tells the times. */
static int write_pages(struct errand *errand)
{
	struct mount *mount = errand->mount;
	AUTO_CLOSE int fd = mount_open_root(mount, O_RDONLY | O_DIRECTORY);
	AUTO_FREE fuse_ino_t *ids = NULL;
	size_t count = 0, i;
	int rc = 0;

	errand->unreachable = fd < 0;
	if (fd < 0)
		return fd;
	ids = open_ids(mount, true, &count);
	for (i = 0; i < count && rc == 0; i++)
		rc = write_file(mount, fd, ids[i]);
	errand->unreachable = rc == -EPERM || rc == -EOPNOTSUPP;
	if (rc == 0 && errand->with_times && syncfs(fd) < 0)
		rc = -errno;
	return rc;
}

int front_write_back(struct mount *mount)
{
	struct errand errand = { .run = write_pages, .mount = mount };

	return errand_run(&errand);
}

static void drop_pages_of_open(struct mount *mount)
{
	size_t count, i;
	AUTO_FREE fuse_ino_t *ids = open_ids(mount, false, &count);

	for (i = 0; i < count; i++)
		fuse_lowlevel_notify_inval_inode(mount->session, ids[i], 0, 0);
}

int front_flush(struct mount *mount)
{
	struct errand errand = {
		.run = write_pages,
		.mount = mount,
		.with_times = true,
	};
	int rc;

	if (mount->options.read_only || mount->snapshot_id)
		return 0;
	rc = errand_run(&errand);
	if (!errand.unreachable)
		return rc;
	/* Unmounted lazily, or without root: what is dropped is written. */
	drop_pages_of_open(mount);
	return 0;
}

/* Names of the root, before and after: all that the kernel may know wrong. For
 * kernels that can't forget all names at once. */
static struct tree_listing *names_of_root(struct mount *mount)
{
	struct tree *tree = mount->tree->head->tree;
	struct tree_listing *listing = NULL;
	struct tree_node *root;

	if (!tree || front_root(mount, tree, &root) < 0)
		return NULL;
	if (tree_list(root, &listing) < 0)
		listing = NULL;
	tree_node_put(root, 1);
	return listing;
}

void front_begin_move(struct mount *mount, bool revoke)
{
	struct front *front = mount->tree;

	(void)revoke; /* readers, too: their files may be gone */
	front->forgets_names = wire_forget_names(mount) == 0;
	if (front_open_view(mount, &front->next_view) < 0)
		front->next_view = NULL;
	pthread_rwlock_wrlock(&mount->gate); /* I1 */
	if (!front->forgets_names)
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
	struct tree_listing *old_names, *new_names = NULL;
	int rc = -ESTALE;

	if (front->next_view)
		rc = front_renew_head(mount, front->next_view);
	front->next_view = NULL;
	old_names = front->old_names;
	front->old_names = NULL;
	if (!front->forgets_names)
		new_names = names_of_root(mount);
	pthread_rwlock_unlock(&mount->gate);
	if (rc < 0)
		(void)!log_errno(rc, "%s: the tree can't be shown any more",
				 mount->mountpoint);
	/* I2. Dirty pages of what was revoked are tried, and fail. */
	(void)!front_write_back(mount);
	drop_pages_of_open(mount);
	fuse_lowlevel_notify_inval_inode(mount->session, FUSE_ROOT_ID, 0, 0);
	if (front->forgets_names)
		(void)!wire_forget_names(mount); /* that were learnt since */
	forget_names(mount, old_names);
	forget_names(mount, new_names);
}

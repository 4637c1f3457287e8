/*
 * Directories of base that are open: a descriptor for each directory of a
 * layer that was used lately, so that a look-up is one system call.
 *
 * I1: descriptors are O_PATH, opened beneath the layer's root by names of
 *     nodes, never through a symlink or into a mount: what is called by one
 *     name in such a directory is in base.
 * I2: a slot that somebody uses is not closed. A user holds the node.
 * I3: at most open_directories_max slots, but for those in use at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#include "layers.h"
#include "layers_impl.h"

static struct layers_shared *shared_of(const struct base_node *node)
{
	return node->layers->shared;
}

/* With a user more, as the most recently used; NULL: not open. */
static struct dir_slot *use_locked(struct layers_shared *shared,
				   struct base_node *node, unsigned layer_nr)
	REQUIRES(shared->dirs_lock)
{
	struct dir_slot *slot = directory_of(node)->slots;

	while (slot && slot->layer_nr != layer_nr)
		slot = slot->next_of_node;
	if (!slot)
		return NULL;
	slot->users++;
	if (shared->dirs != slot) {
		DL_DELETE(shared->dirs, slot);
		DL_PREPEND(shared->dirs, slot);
	}
	return slot;
}

static void unlink_locked(struct layers_shared *shared, struct dir_slot *slot)
	REQUIRES(shared->dirs_lock)
{
	struct dir_slot **link = &directory_of(slot->node)->slots;

	assert(slot->users == 0); /* I2 */
	while (*link != slot)
		link = &(*link)->next_of_node;
	*link = slot->next_of_node;
	DL_DELETE(shared->dirs, slot);
	shared->dir_count--;
}

static void slot_free(struct dir_slot *slot)
{
	if (!slot)
		return;
	close(slot->fd);
	free(slot);
}

/* One that is over the bound, for the caller to free; NULL: none. */
static struct dir_slot *evict_locked(struct layers_shared *shared)
	REQUIRES(shared->dirs_lock)
{
	struct dir_slot *slot;

	if (shared->dir_count <= shared->open_directories_max) /* I3 */
		return NULL;
	for (slot = shared->dirs->prev; slot->users; slot = slot->prev)
		if (slot == shared->dirs)
			return NULL;
	unlink_locked(shared, slot);
	return slot;
}

/* The nearest directory above that is open; the root of a layer always is. */
static struct base_node *nearest_open(struct base_node *node, unsigned layer_nr,
				      struct base_dir *out_dir)
{
	struct layers_shared *shared = shared_of(node);
	struct base_node *above = node->parent;

	out_dir->slot = NULL;
	mutex_lock(&shared->dirs_lock);
	for (; above->parent; above = above->parent) {
		out_dir->slot = use_locked(shared, above, layer_nr);
		if (out_dir->slot)
			break;
	}
	mutex_unlock(&shared->dirs_lock);
	out_dir->fd = out_dir->slot ? out_dir->slot->fd :
				      node->layers->layer[layer_nr].fd;
	return above;
}

/* The way from above (not in it) down to node (its last). */
static int way_down(struct base_node *above, struct base_node *node,
		    struct base_node ***out_way, size_t *out_count)
{
	struct base_node *at;
	struct base_node **way;
	size_t count = 0;

	for (at = node; at != above; at = at->parent)
		count++;
	assert(count > 0);
	way = calloc(count, sizeof(struct base_node *));
	if (!way)
		return -ENOMEM;
	*out_way = way;
	*out_count = count;
	for (at = node; at != above; at = at->parent)
		way[--count] = at;
	return 0;
}

/* As many steps of the way as fit in one path; returns how many. */
static size_t next_piece(struct base_node *const *way, size_t count,
			 char path[PATH_MAX])
{
	size_t len = 0;
	size_t i;

	for (i = 0; i < count; i++) {
		size_t name_bytes = strlen(way[i]->name);

		if (len + 1 + name_bytes + 1 > PATH_MAX)
			break;
		if (i > 0)
			path[len++] = '/';
		memcpy(path + len, way[i]->name, name_bytes);
		len += name_bytes;
	}
	path[len] = '\0';
	return i;
}

static int walk(int from_fd, struct base_node *const *way, size_t count)
{
	AUTO_CLOSE int fd = -1;
	char path[PATH_MAX];

	while (count > 0) {
		size_t steps = next_piece(way, count, path);
		int next = open_beneath(fd < 0 ? from_fd : fd, path,
					O_PATH | O_DIRECTORY); /* I1 */

		if (next < 0)
			return next;
		if (fd >= 0)
			close(fd);
		fd = next;
		way += steps;
		count -= steps;
	}
	return take_fd(&fd);
}

static int open_directory(struct base_node *node, unsigned layer_nr)
{
	AUTO_FREE struct base_node **way = NULL;
	struct base_dir from;
	struct base_node *above = nearest_open(node, layer_nr, &from);
	size_t count;
	int fd = way_down(above, node, &way, &count);

	if (fd == 0)
		fd = walk(from.fd, way, count);
	base_dir_put(above, &from);
	/* It was a directory when the node was made. */
	if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
		return base_node_changed(node, layer_nr);
	return fd;
}

/* Another thread may have been faster: its slot is used, and fresh not. */
static struct dir_slot *insert_locked(struct layers_shared *shared,
				      struct dir_slot *fresh,
				      struct dir_slot **out_unused)
	REQUIRES(shared->dirs_lock)
{
	struct base_directory *directory = directory_of(fresh->node);
	struct dir_slot *slot =
		use_locked(shared, fresh->node, fresh->layer_nr);

	if (slot) {
		*out_unused = fresh;
		return slot;
	}
	fresh->users = 1;
	fresh->next_of_node = directory->slots;
	directory->slots = fresh;
	DL_PREPEND(shared->dirs, fresh);
	shared->dir_count++;
	*out_unused = evict_locked(shared);
	return fresh;
}

static int get_new(struct base_node *directory, unsigned layer_nr,
		   struct dir_slot **out_slot)
{
	struct layers_shared *shared = shared_of(directory);
	struct dir_slot *fresh = calloc(1, sizeof(*fresh));
	struct dir_slot *unused;

	if (!fresh)
		return -ENOMEM;
	fresh->node = directory;
	fresh->layer_nr = layer_nr;
	fresh->fd = open_directory(directory, layer_nr);
	if (fresh->fd < 0) {
		int rc = fresh->fd;

		free(fresh);
		return rc;
	}
	mutex_lock(&shared->dirs_lock);
	*out_slot = insert_locked(shared, fresh, &unused);
	mutex_unlock(&shared->dirs_lock);
	slot_free(unused);
	return 0;
}

int base_dir_get(struct base_node *directory, unsigned layer_nr,
		 struct base_dir *out_dir)
{
	struct layers_shared *shared = shared_of(directory);
	struct dir_slot *slot;
	int rc = 0;

	if (!directory->parent) {
		out_dir->slot = NULL;
		out_dir->fd = directory->layers->layer[layer_nr].fd;
		return 0;
	}
	mutex_lock(&shared->dirs_lock);
	slot = use_locked(shared, directory, layer_nr);
	mutex_unlock(&shared->dirs_lock);
	if (!slot)
		rc = get_new(directory, layer_nr, &slot);
	if (rc < 0)
		return rc;
	out_dir->slot = slot;
	out_dir->fd = slot->fd;
	return 0;
}

void base_dir_put(struct base_node *directory, struct base_dir *dir)
{
	struct layers_shared *shared = shared_of(directory);
	struct dir_slot *unused = NULL;

	if (!dir->slot)
		return;
	mutex_lock(&shared->dirs_lock);
	if (--dir->slot->users == 0)
		unused = evict_locked(shared);
	mutex_unlock(&shared->dirs_lock);
	slot_free(unused);
}

void base_dir_forget(struct base_node *directory)
{
	struct layers_shared *shared = shared_of(directory);
	struct dir_slot *gone = NULL;
	struct dir_slot *slot;

	mutex_lock(&shared->dirs_lock);
	while ((slot = directory_of(directory)->slots) != NULL) {
		unlink_locked(shared, slot);
		slot->next_of_node = gone;
		gone = slot;
	}
	mutex_unlock(&shared->dirs_lock);
	while ((slot = gone) != NULL) {
		gone = slot->next_of_node;
		slot_free(slot);
	}
}

int base_open_listing(int dir_fd)
{
	int flags = O_RDONLY | O_DIRECTORY;
	int fd = open_beneath(dir_fd, ".", flags | O_NOATIME);

	/* Only for the owner and root. */
	return fd == -EPERM ? open_beneath(dir_fd, ".", flags) : fd;
}

/* What is open on the mounts of trees. */
#include <fcntl.h>
#include <string.h>

#include "tree_front.h"

static const char *mode_of(const struct front_handle *handle)
{
	switch (handle->flags & O_ACCMODE) {
	case O_RDONLY:
		return "r";
	case O_WRONLY:
		return "w";
	default:
		return "rw";
	}
}

static json_t *handle_json(const struct mount *mount,
			   const struct front_handle *handle)
{
	const struct front_node *node = handle->node;

	return json_pack(
		"{s:s, s:s, s:I, s:i, s:i, s:s, s:o, s:I, s:b}", "mountpoint",
		mount->mountpoint, "branch", mount->branch, "number",
		(json_int_t)handle->nr, "pid", (int)handle->pid, "uid",
		(int)handle->uid, "mode", mode_of(handle), "inode",
		node->node ?
			json_integer((json_int_t)tree_node_inode(node->node)) :
			json_null(),
		"snapshot_id",
		(json_int_t)(node->slot->snapshot_id ? node->slot->snapshot_id :
						       mount->snapshot_id),
		"revoked", node->node == NULL);
}

void mounts_handles(struct mounts *mounts, const char *target, json_t *list)
{
	const struct front_handle *handle;
	struct mount *mount;

	mutex_lock(&mounts->lock);
	for (mount = mounts->first; mount; mount = mount->next) {
		if (!mount->tree ||
		    (target && strcmp(target, mount->mountpoint) != 0 &&
		     strcmp(target, mount->branch) != 0))
			continue;
		mutex_lock(&mount->lock);
		for (handle = mount->tree->handles; handle;
		     handle = handle->next)
			json_array_insert_new(list, 0,
					      handle_json(mount, handle));
		mutex_unlock(&mount->lock);
	}
	mutex_unlock(&mounts->lock);
}

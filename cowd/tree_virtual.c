/*
 * Nodes and requests of the virtual directory. See tree_virtual.h.
 */
#include "tree_virtual.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stat_time.h"
#include "tree_path.h"

/* What does not change is believed for long. */
#define NODE_TIMEOUT_S 86400.0

static fuse_ino_t place_id(enum virtual_place place)
{
	return (fuse_ino_t)FRONT_VIRTUAL_SLOT << FRONT_SLOT_SHIFT | place;
}

/* 0: it is a node's. */
static enum virtual_place place_of(fuse_ino_t id)
{
	uint64_t number = id & FRONT_INODE_MASK;

	return front_is_virtual(id) && number < VIRTUAL_PLACES_END ?
		       (enum virtual_place)number :
		       (enum virtual_place)0;
}

/* --- nodes --- */

static void node_free(struct virtual_node *node)
{
	free(node->key);
	free(node->text);
	free(node);
}

void virtual_close(struct front *front)
{
	struct virtual_node *node, *next;

	HASH_ITER(hh, front->virtual_nodes, node, next)
	{
		HASH_DEL(front->virtual_nodes, node);
		node_free(node);
	}
}

static struct virtual_node *find_node(struct front *front, fuse_ino_t id)
{
	struct virtual_node *node;

	HASH_FIND(hh, front->virtual_nodes, &id, sizeof(id), node);
	return node;
}

static struct virtual_node *find_same(struct front *front, const char *key,
				      const char *text)
{
	struct virtual_node *node = front->virtual_nodes;

	while (node &&
	       (strcmp(node->key, key) != 0 || strcmp(node->text, text) != 0))
		node = node->hh.next;
	return node;
}

static struct virtual_node *new_node(struct front *front, const char *key,
				     const struct virtual_entry *entry)
{
	struct virtual_node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->key = strdup(key);
	node->text = strdup(entry->text);
	if (!node->key || !node->text) {
		node_free(node);
		return NULL;
	}
	node->id = (fuse_ino_t)FRONT_VIRTUAL_SLOT << FRONT_SLOT_SHIFT |
		   (VIRTUAL_FIRST_NODE + front->next_virtual++);
	node->mode = entry->mode;
	node->time_ns = stat_time_now_ns();
	HASH_ADD(hh, front->virtual_nodes, id, sizeof(node->id), node);
	return node;
}

void virtual_forget(struct mount *mount, fuse_ino_t id, uint64_t count)
{
	struct front *front = mount->tree;
	struct virtual_node *node;

	mutex_lock(&mount->lock);
	node = find_node(front, id);
	if (node) {
		node->lookups -= count < node->lookups ? count : node->lookups;
		if (node->lookups == 0) {
			HASH_DEL(front->virtual_nodes, node);
			node_free(node);
		}
	}
	mutex_unlock(&mount->lock);
}

/* --- attributes --- */

static void fill_directory(enum virtual_place place, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = place;
	/* By its number anybody would come past the directories above. */
	st->st_mode = S_IFDIR | (place == VIRTUAL_INO ? 0500 : 0555);
	st->st_nlink = 2;
	st->st_uid = geteuid();
	st->st_gid = getegid();
	st->st_blksize = BLOCK_BYTES;
	/* The kernel's copy of a listing is old when this is newer. */
	st->st_mtim = stat_time(stat_time_now_ns());
	st->st_ctim = st->st_mtim;
}

static void fill_node(const struct virtual_node *node, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = node->id;
	st->st_mode = node->mode;
	st->st_nlink = 1;
	st->st_uid = geteuid();
	st->st_gid = getegid();
	st->st_size = (off_t)strlen(node->text);
	st->st_blksize = BLOCK_BYTES;
	st->st_atim = stat_time(node->time_ns);
	st->st_mtim = st->st_ctim = st->st_atim;
}

static void reply_directory(fuse_req_t req, enum virtual_place place)
{
	struct fuse_entry_param entry = { .ino = place_id(place) };

	fill_directory(place, &entry.attr);
	fuse_reply_entry(req, &entry);
}

void virtual_reply_root(fuse_req_t req)
{
	reply_directory(req, VIRTUAL_ROOT);
}

void virtual_getattr(fuse_req_t req, fuse_ino_t id)
{
	struct mount *mount = front_mount(req);
	enum virtual_place place = place_of(id);
	const struct virtual_node *node;
	struct stat st;

	if (place) {
		fill_directory(place, &st);
		fuse_reply_attr(req, &st, 0);
		return;
	}
	mutex_lock(&mount->lock);
	node = find_node(mount->tree, id);
	if (node)
		fill_node(node, &st);
	mutex_unlock(&mount->lock);
	if (node)
		fuse_reply_attr(req, &st, NODE_TIMEOUT_S);
	else
		fuse_reply_err(req, ESTALE);
}

/* --- names --- */

bool virtual_is_name(struct mount *mount, fuse_ino_t parent, const char *name)
{
	struct front_node *root;
	struct tree_node *node;
	struct tree_attr attr;
	int rc;

	if (parent != FUSE_ROOT_ID || !mount->options.cowddir[0] ||
	    strcmp(name, mount->options.cowddir) != 0)
		return false;
	if (front_begin(mount, FUSE_ROOT_ID, &root) < 0)
		return true;
	rc = tree_lookup(root->node, name, &node, &attr);
	if (rc == 0)
		tree_node_put(node, 1);
	front_end(mount, root);
	return rc < 0;
}

static void reply_text(fuse_req_t req, enum virtual_place place,
		       const struct virtual_entry *entry)
{
	struct mount *mount = front_mount(req);
	struct fuse_entry_param param = { .attr_timeout = NODE_TIMEOUT_S };
	struct virtual_node *node;
	char key[NAME_MAX + 32];

	snprintf(key, sizeof(key), "%d/%s", place, entry->name);
	mutex_lock(&mount->lock);
	node = find_same(mount->tree, key, entry->text);
	if (!node)
		node = new_node(mount->tree, key, entry);
	if (node) {
		node->lookups++;
		param.ino = node->id;
		fill_node(node, &param.attr);
	}
	mutex_unlock(&mount->lock);
	if (!node)
		fuse_reply_err(req, ENOMEM);
	else if (fuse_reply_entry(req, &param) == -ENOENT)
		virtual_forget(mount, param.ino, 1);
}

static void lookup_entry(fuse_req_t req, enum virtual_place place,
			 const char *name)
{
	struct virtual_list list;
	int rc = virtual_list(req, place, name, &list);

	if (rc < 0)
		fuse_reply_err(req, front_errno(rc));
	else if (list.count == 0)
		fuse_reply_err(req, ENOENT);
	else if (S_ISDIR(list.entries[0].mode))
		reply_directory(req, list.entries[0].place);
	else
		reply_text(req, place, &list.entries[0]);
	if (rc == 0)
		virtual_list_free(&list);
}

/* As front_reply_entry, but the name is asked for again each time. */
static void reply_node(fuse_req_t req, struct front_slot *slot,
		       struct tree_node *tree_node)
{
	struct mount *mount = front_mount(req);
	struct fuse_entry_param entry;
	struct front_node *node;
	int rc = front_know(mount, slot, tree_node, &node);

	if (rc == 0) {
		rc = front_fill_entry(mount, node, NULL, &entry);
		if (rc < 0)
			front_forget(mount, node->id, 1);
	}
	if (rc < 0) {
		fuse_reply_err(req, front_errno(rc));
		return;
	}
	entry.entry_timeout = 0;
	if (fuse_reply_entry(req, &entry) == -ENOENT)
		front_forget(mount, entry.ino, 1);
}

/* From the root of the mount; of malloc. -ENOENT: it is not below that. */
static int directory_path(const struct front_node *root, struct tree_node *node,
			  char **out_path)
{
	AUTO_FREE char *above = NULL;
	AUTO_FREE char *path = NULL;
	size_t len_bytes;
	int rc = tree_directory_path(root->node, &above);

	if (rc == 0)
		rc = tree_directory_path(node, &path);
	if (rc < 0)
		return rc;
	len_bytes = strlen(above);
	if (strncmp(path, above, len_bytes) != 0 ||
	    (len_bytes && path[len_bytes] && path[len_bytes] != '/'))
		return -ENOENT;
	return asprintf(out_path, "../../%s",
			path + len_bytes + (path[len_bytes] == '/')) < 0 ?
		       -ENOMEM :
		       0;
}

/* A directory has one place; the kernel would move it here. */
static void reply_directory_link(fuse_req_t req, const struct front_node *root,
				 struct tree_node *node, const char *name)
{
	struct virtual_entry entry = { .name = (char *)(uintptr_t)name,
				       .mode = S_IFLNK | 0777 };
	int rc = directory_path(root, node, &entry.text);

	if (rc == 0)
		reply_text(req, VIRTUAL_INO, &entry);
	else
		fuse_reply_err(req, front_errno(rc));
	if (rc == 0)
		free(entry.text);
}

struct wanted {
	struct tree *tree;
	uint64_t inode;
	struct tree_node *node;
};

static int take_if_wanted(void *context, const char *path, uint64_t inode,
			  uint32_t kind)
{
	struct wanted *wanted = context;
	struct tree_attr attr;

	(void)kind;
	if (inode != wanted->inode)
		return 0;
	return tree_find_path(wanted->tree, path, &wanted->node, &attr) == 0;
}

/* What base has and nobody has looked at is found by its name only. */
static int find_number(struct tree *tree, uint64_t inode,
		       struct tree_node **out_node)
{
	struct wanted wanted = { .tree = tree, .inode = inode };
	int rc = tree_node_find(tree, inode, out_node);

	if (rc != -ESTALE)
		return rc;
	rc = tree_walk_names(tree, take_if_wanted, &wanted);
	*out_node = wanted.node;
	return rc == 0 && !wanted.node ? -ENOENT : rc;
}

static void lookup_inode(fuse_req_t req, const char *name)
{
	struct mount *mount = front_mount(req);
	uint64_t inode = virtual_number(name);
	struct front_node *root;
	struct tree_node *node;
	struct tree_attr attr;
	int rc;

	if (!inode || front_begin(mount, FUSE_ROOT_ID, &root) < 0) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	rc = find_number(root->slot->tree, inode, &node);
	if (rc == 0) {
		rc = tree_get_attr(node, &attr);
		if (rc == 0 && attr.nlink == 0)
			rc = -ENOENT;
		if (rc < 0)
			tree_node_put(node, 1);
	}
	if (rc < 0) {
		fuse_reply_err(req, front_errno(rc));
	} else if (S_ISDIR(attr.mode)) {
		reply_directory_link(req, root, node, name);
		tree_node_put(node, 1);
	} else {
		reply_node(req, root->slot, node);
	}
	front_end(mount, root);
}

/* Whose it is, and only then. */
static void lookup_handle(fuse_req_t req, const char *name)
{
	struct mount *mount = front_mount(req);
	uid_t uid = fuse_req_ctx(req)->uid;
	struct front_handle *handle;
	struct front_node *node = NULL;

	front_enter(mount);
	mutex_lock(&mount->lock);
	handle = front_find_handle(mount, virtual_number(name));
	if (handle && handle->node->node && (uid == 0 || uid == handle->uid)) {
		node = handle->node;
		node->users++;
	}
	mutex_unlock(&mount->lock);
	if (node) {
		reply_node(req, node->slot, tree_node_get(node->node));
		front_unpin(mount, node);
	} else {
		fuse_reply_err(req, ENOENT);
	}
	front_leave(mount);
}

void virtual_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	enum virtual_place place = place_of(parent);

	if (!place)
		fuse_reply_err(req, ENOTDIR);
	else if (strcmp(name, ".") == 0)
		reply_directory(req, place);
	else if (strcmp(name, "..") == 0 && place == VIRTUAL_ROOT)
		front_lookup(req, FUSE_ROOT_ID, ".");
	else if (strcmp(name, "..") == 0)
		reply_directory(req, VIRTUAL_ROOT);
	else if (place == VIRTUAL_INO)
		lookup_inode(req, name);
	else if (place == VIRTUAL_FD)
		lookup_handle(req, name);
	else
		lookup_entry(req, place, name);
}

/* --- content --- */

/* Of malloc. NULL: there is no such node, or no memory. */
static char *text_of(fuse_req_t req, fuse_ino_t id, mode_t type)
{
	struct mount *mount = front_mount(req);
	const struct virtual_node *node;
	char *text = NULL;

	mutex_lock(&mount->lock);
	node = find_node(mount->tree, id);
	if (node && (node->mode & S_IFMT) == type)
		text = strdup(node->text);
	mutex_unlock(&mount->lock);
	return text;
}

void virtual_readlink(fuse_req_t req, fuse_ino_t id)
{
	AUTO_FREE char *text = text_of(req, id, S_IFLNK);

	if (text)
		fuse_reply_readlink(req, text);
	else
		fuse_reply_err(req, EINVAL);
}

void virtual_open(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	(void)id;
	if ((fi->flags & O_ACCMODE) != O_RDONLY || (fi->flags & O_TRUNC)) {
		fuse_reply_err(req, EROFS);
		return;
	}
	fi->fh = 0;
	fi->keep_cache = 1;
	fuse_reply_open(req, fi);
}

void virtual_read(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset)
{
	AUTO_FREE char *text = text_of(req, id, S_IFREG);
	size_t at = (size_t)offset, bytes = text ? strlen(text) : 0;

	if (!text) {
		fuse_reply_err(req, EIO);
		return;
	}
	at = at < bytes ? at : bytes;
	fuse_reply_buf(req, text + at, bytes - at < size ? bytes - at : size);
}

/* All of it is data. */
void virtual_lseek(fuse_req_t req, fuse_ino_t id, off_t offset, int whence)
{
	AUTO_FREE char *text = text_of(req, id, S_IFREG);
	off_t bytes = text ? (off_t)strlen(text) : 0;

	if (offset >= bytes)
		fuse_reply_err(req, ENXIO);
	else
		fuse_reply_lseek(req, whence == SEEK_DATA ? offset : bytes);
}

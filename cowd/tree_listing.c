/*
 * Listings, with and without attributes.
 *
 * A listing belongs to the directory's node, not to a handle, as the kernel
 * does without OPENDIR: names keep their cookies, so that a reader goes on in
 * a newer listing where it was in the older one. From the beginning a new one
 * is made; at its end it is let go. No more than FRONT_LISTINGS_MAX are kept.
 *
 * The kernel keeps what it reads, and counts as all of it what one reader
 * began and another one ended. If the directory was changed in between, that
 * is a mixture; then it has to begin again.
 */
#include <stdlib.h>
#include <string.h>

#include "history.h"
#include "tree_virtual.h"

/* Places of what is in no tree_listing. */
#define DOT_COOKIE UINT64_C(1)
#define DOTDOT_COOKIE UINT64_C(2)
#define LAST_COOKIE UINT64_C(0x7fffffffffffffff)

struct reply {
	fuse_req_t req;
	struct mount *mount;
	struct front_node *directory; /* NULL: .snapshots */
	bool plus;
	char *data;
	size_t size, used;
};

struct front_listing *front_take_listing(struct mount *mount,
					 struct front_node *node)
{
	struct front_listing *listing = node->listing;

	node->listing = NULL;
	if (listing)
		mount->tree->listed[node->listed_at] = NULL;
	return listing;
}

void front_listing_put(struct mount *mount, struct front_listing *listing)
{
	unsigned users = 1;

	if (!listing)
		return;
	mutex_lock(&mount->lock);
	users = --listing->users;
	mutex_unlock(&mount->lock);
	if (users > 0)
		return;
	tree_listing_free(listing->listing);
	free(listing);
}

/* The node has it from now on, in the place of whose turn it is. */
static struct front_listing *keep(struct mount *mount, struct front_node *node,
				  struct front_listing *listing)
	REQUIRES(mount->lock)
{
	struct front *front = mount->tree;
	unsigned at = front->next_listed++ % FRONT_LISTINGS_MAX;
	struct front_listing *old = NULL;

	if (front->listed[at])
		old = front_take_listing(mount, front->listed[at]);
	front->listed[at] = node;
	node->listed_at = at;
	node->listing = listing;
	listing->users++;
	return old;
}

static int new_listing(struct mount *mount, struct front_node *node,
		       struct front_listing **out_listing)
{
	struct front_listing *listing = calloc(1, sizeof(*listing));
	struct front_listing *replaced, *pushed_out;
	int rc = listing ? tree_list(node->node, &listing->listing) : -ENOMEM;

	if (rc < 0) {
		free(listing);
		return rc;
	}
	listing->users = 1;
	mutex_lock(&mount->lock);
	replaced = front_take_listing(mount, node);
	pushed_out = keep(mount, node, listing);
	mutex_unlock(&mount->lock);
	front_listing_put(mount, replaced);
	front_listing_put(mount, pushed_out);
	*out_listing = listing;
	return 0;
}

static int get_listing(struct mount *mount, struct front_node *node,
		       bool from_beginning, struct front_listing **out_listing)
{
	struct front_listing *listing = NULL;

	mutex_lock(&mount->lock);
	if (!from_beginning && node->listing) {
		listing = node->listing;
		listing->users++;
	}
	mutex_unlock(&mount->lock);
	if (!listing)
		return new_listing(mount, node, out_listing);
	*out_listing = listing;
	return 0;
}

static void drop_listing(struct mount *mount, struct front_node *node)
{
	struct front_listing *listing;

	mutex_lock(&mount->lock);
	listing = front_take_listing(mount, node);
	mutex_unlock(&mount->lock);
	front_listing_put(mount, listing);
}

/* Only the number and the kind: no look-up, also with attributes. */
static bool add_plain(struct reply *reply, const char *name, uint64_t inode,
		      uint32_t kind, uint64_t cookie)
{
	struct fuse_entry_param entry = {
		.attr = { .st_ino = inode, .st_mode = kind << 12 },
	};
	size_t room = reply->size - reply->used;
	char *at = reply->data + reply->used;
	size_t bytes =
		reply->plus ? fuse_add_direntry_plus(reply->req, at, room, name,
						     &entry, (off_t)cookie) :
			      fuse_add_direntry(reply->req, at, room, name,
						&entry.attr, (off_t)cookie);

	if (bytes > room)
		return false; /* it did not fit */
	reply->used += bytes;
	return true;
}

/* With what a look-up would tell, and a look-up more. */
static bool add_known(struct reply *reply, const struct tree_entry *entry,
		      struct tree_node *tree_node, const struct tree_attr *attr)
{
	size_t room = reply->size - reply->used, bytes;
	struct fuse_entry_param param;
	struct front_node *node;

	if (front_know(reply->mount, reply->directory->slot, tree_node, &node) <
	    0)
		return false;
	if (front_fill_entry(reply->mount, node, attr, &param) < 0)
		bytes = room + 1;
	else
		bytes = fuse_add_direntry_plus(reply->req,
					       reply->data + reply->used, room,
					       entry->name, &param,
					       (off_t)entry->cookie);
	if (bytes > room) {
		front_forget(reply->mount, node->id, 1);
		return false;
	}
	reply->used += bytes;
	return true;
}

static bool add_entry(struct reply *reply, const struct tree_entry *entry)
{
	struct front_slot *slot = reply->directory->slot;
	struct tree_node *node;
	struct tree_attr attr;

	if (front_is_snapdir(reply->mount, reply->directory->id, entry->name))
		return true; /* hidden by ours */
	/* What went away meanwhile is still told, as without attributes. */
	if (!reply->plus ||
	    tree_lookup(reply->directory->node, entry->name, &node, &attr) < 0)
		return add_plain(reply, entry->name,
				 front_shown_inode(slot, entry->inode),
				 entry->kind, entry->cookie);
	return add_known(reply, entry, node, &attr);
}

static uint64_t parent_inode(const struct front_node *directory)
{
	struct tree_node *parent;
	struct tree_attr attr;
	uint64_t inode = ROOT_INODE;

	if (tree_parent(directory->node, &parent, &attr) == 0) {
		inode = front_shown_inode(directory->slot, attr.inode);
		tree_node_put(parent, 1);
	}
	return inode;
}

static void fill(struct reply *reply, const struct tree_listing *listing,
		 uint64_t offset)
{
	const struct mount *mount = reply->mount;
	struct front_node *directory = reply->directory;
	uint64_t inode = front_shown_inode(directory->slot,
					   tree_node_inode(directory->node));
	size_t i;

	if (offset < DOT_COOKIE &&
	    !add_plain(reply, ".", inode, S_IFDIR >> 12, DOT_COOKIE))
		return;
	if (offset < DOTDOT_COOKIE &&
	    !add_plain(reply, "..", parent_inode(directory), S_IFDIR >> 12,
		       DOTDOT_COOKIE))
		return;
	i = offset < LAST_COOKIE ? tree_listing_after(listing, offset) :
				   listing->count;
	for (; i < listing->count; i++)
		if (!add_entry(reply, &listing->entries[i]))
			return;
	if (offset < LAST_COOKIE && mount->options.snapdir == SNAPDIR_VISIBLE &&
	    front_is_snapdir(mount, directory->id, FRONT_SNAPDIR_NAME))
		(void)!add_plain(reply, FRONT_SNAPDIR_NAME, FRONT_SNAPDIR,
				 S_IFDIR >> 12, LAST_COOKIE);
}

/* From the beginning: has the kernel kept a part of what the directory held
 * before it was changed? */
static bool begins_mixture(struct mount *mount, struct front_node *node)
{
	struct tree_attr attr;
	bool mixture = false;

	if (tree_get_attr(node->node, &attr) < 0)
		return false;
	mutex_lock(&mount->lock);
	if (node->half_read)
		mixture = node->half_read_ns != attr.ctime_ns;
	if (!node->half_read || mixture)
		node->half_read_ns = attr.ctime_ns;
	node->half_read = true;
	mutex_unlock(&mount->lock);
	return mixture;
}

static void came_to_end(struct mount *mount, struct front_node *node)
{
	mutex_lock(&mount->lock);
	node->half_read = false;
	mutex_unlock(&mount->lock);
	drop_listing(mount, node);
}

static int fill_directory(struct reply *reply, fuse_ino_t id, uint64_t offset)
{
	struct mount *mount = reply->mount;
	struct front_listing *listing;
	int rc = front_begin(mount, id, &reply->directory);

	if (rc < 0)
		return rc;
	/* Pages of a directory are dropped without waiting for requests. */
	if (offset == 0 && begins_mixture(mount, reply->directory))
		fuse_lowlevel_notify_inval_inode(mount->session, id, 0, 0);
	rc = get_listing(mount, reply->directory, offset == 0, &listing);
	if (rc == 0) {
		fill(reply, listing->listing, offset);
		if (reply->used == 0) /* nobody goes on from here */
			came_to_end(mount, reply->directory);
		front_listing_put(mount, listing);
	}
	front_end(mount, reply->directory);
	return rc;
}

/* Cookies are numbers of snapshots, which rise, and 2 more. */
static int fill_snapshots(struct reply *reply, uint64_t offset)
{
	struct mount *mount = reply->mount;
	char branch[STORE_NAME_BYTES_MAX + 1];
	AUTO_FREE struct snapshot_info *list = NULL;
	size_t count = 0, i;
	int rc;

	if (offset < DOT_COOKIE)
		add_plain(reply, ".", FRONT_SNAPDIR, S_IFDIR >> 12, DOT_COOKIE);
	if (offset < DOTDOT_COOKIE)
		add_plain(reply, "..", ROOT_INODE, S_IFDIR >> 12,
			  DOTDOT_COOKIE);
	mount_branch(mount, branch);
	rc = history_snapshots(mount->store, branch, false, &list, &count,
			       NULL);
	for (i = 0; i < count && rc == 0; i++) {
		uint64_t id = list[i].id;

		if (DOTDOT_COOKIE + id > offset &&
		    !add_plain(reply, list[i].name,
			       ROOT_INODE ^ id << FRONT_SLOT_SHIFT,
			       S_IFDIR >> 12, DOTDOT_COOKIE + id))
			break;
	}
	return rc;
}

/* Cookies are places in the list: what comes or goes meanwhile may be missed
 * or told twice, as in /proc. */
static int fill_virtual(struct reply *reply, fuse_ino_t id, uint64_t offset)
{
	enum virtual_place place = (enum virtual_place)(id & FRONT_INODE_MASK);
	struct virtual_list list;
	size_t i;
	int rc;

	if (offset < DOT_COOKIE)
		add_plain(reply, ".", place, S_IFDIR >> 12, DOT_COOKIE);
	if (offset < DOTDOT_COOKIE)
		add_plain(reply, "..",
			  place == VIRTUAL_ROOT ? ROOT_INODE : VIRTUAL_ROOT,
			  S_IFDIR >> 12, DOTDOT_COOKIE);
	rc = virtual_list(reply->req, place, NULL, &list);
	if (rc < 0)
		return rc;
	i = offset > DOTDOT_COOKIE ? (size_t)(offset - DOTDOT_COOKIE) : 0;
	for (; i < list.count; i++)
		if (!add_plain(
			    reply, list.entries[i].name, VIRTUAL_FIRST_NODE + i,
			    list.entries[i].mode >> 12, DOTDOT_COOKIE + i + 1))
			break;
	virtual_list_free(&list);
	return 0;
}

static void list(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset,
		 bool plus)
{
	struct reply reply = {
		.req = req,
		.mount = front_mount(req),
		.plus = plus,
		.data = malloc(size),
		.size = size,
	};
	int rc;

	if (!reply.data)
		rc = -ENOMEM;
	else if (id == FRONT_SNAPDIR)
		rc = fill_snapshots(&reply, (uint64_t)offset);
	else if (front_is_virtual(id))
		rc = fill_virtual(&reply, id, (uint64_t)offset);
	else
		rc = fill_directory(&reply, id, (uint64_t)offset);
	if (rc < 0 && reply.used == 0)
		fuse_reply_err(req, front_errno(rc));
	else
		fuse_reply_buf(req, reply.data, reply.used);
	free(reply.data);
}

void front_readdir(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset,
		   struct fuse_file_info *fi)
{
	(void)fi;
	list(req, id, size, offset, false);
}

void front_readdirplus(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset,
		       struct fuse_file_info *fi)
{
	(void)fi;
	list(req, id, size, offset, true);
}

void front_opendir(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	struct mount *mount = front_mount(req);

	if (mount->tree->no_opendir) {
		fuse_reply_err(req, ENOSYS);
		return;
	}
	fi->fh = 0;
	fi->cache_readdir = !front_is_fixed(id);
	fi->keep_cache = fi->cache_readdir;
	fuse_reply_open(req, fi);
}

void front_releasedir(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	(void)id, (void)fi;
	fuse_reply_err(req, 0);
}

/*
 * One operation that changes names or inodes: all of it is one batch of items.
 *
 * I1: base is looked at before change_begin, since the store waits from then
 *     on; what data's writers change meanwhile is read again after it.
 * I2: an inode of base gets its ORIGIN item, and its directories theirs, with
 *     its first item: it is found again by its number.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "tree_impl.h"

/* Where an object of base is: of the inode, or of a directory above it. */
struct origin_note {
	uint64_t inode;
	uint64_t parent;
	struct base_node *base;
	struct base_stat seen;
	struct origin_note *next;
};

#define NS_PER_S INT64_C(1000000000)

void change_init(struct change *change, struct tree *tree)
{
	struct timespec now;

	memset(change, 0, sizeof(*change));
	change->tree = tree;
	view_edit_wait(tree->view);
	/* The clock that the kernel, too, takes times from: by a finer one
	 * what it tells of a file seems to be before what we tell. */
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	change->now_ns = (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t change_time(const struct change *change, const struct inode_item *item)
{
	int64_t last_ns = item->ctime_ns;
	bool in_this_tick = last_ns > change->now_ns &&
			    last_ns - change->now_ns < NS_PER_S;

	return in_this_tick ? last_ns : change->now_ns;
}

static int has_origin(struct tree *tree, uint64_t inode)
{
	const struct item_key key = { .inode = inode,
				      .type = ITEM_TYPE_ORIGIN };
	struct item_copy *copy = NULL;
	int rc = view_item_get(tree->view, &key, &copy);

	free(copy);
	if (rc == -ENOENT)
		return 0;
	return rc < 0 ? rc : 1;
}

static int add_note(struct origin_note **notes, struct base_node *base,
		    const struct base_stat *seen)
{
	struct origin_note *note = calloc(1, sizeof(*note));

	if (!note)
		return -ENOMEM;
	note->inode = seen->inode;
	note->seen = *seen;
	note->base = base_node_get(base);
	note->parent = ROOT_INODE;
	if (*notes) /* what was added before is in this directory */
		(*notes)->parent = seen->inode;
	note->next = *notes;
	*notes = note;
	return 0;
}

/* Of the object and of all directories above it that have none (I2). */
static int note_origins(struct tree *tree, struct base_node *base,
			uint64_t inode, struct origin_note **notes)
{
	struct base_stat seen;
	int rc = 0;

	for (; base_node_parent(base); base = base_node_parent(base)) {
		/* The first is known by the number that it has here. */
		if (*notes)
			inode = base_node_number(base);
		rc = has_origin(tree, inode);
		if (rc > 0 && *notes)
			(*notes)->parent = inode;
		if (rc == 0)
			rc = base_stat(base, &seen);
		if (rc != 0)
			return rc < 0 ? rc : 0;
		seen.inode = inode;
		rc = add_note(notes, base, &seen);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int change_touch(struct change *change, struct tree_node *node,
		 struct touched **out_touched)
{
	struct touched *touched = change->touched;
	unsigned i;
	int rc;

	for (i = 0; i < change->count; i++, touched++)
		if (touched->node == node) {
			*out_touched = touched;
			return 0;
		}
	rc = node_load(node, &touched->item);
	if (rc == 0 && atomic_load(&node->stored) == STORED_NO &&
	    !node->remembered)
		rc = node_parent(node, &touched->item.parent, NULL);
	change->count++;
	touched->node = node;
	if (rc == 0 && node->base && !node->has_origin && !node->remembered)
		rc = note_origins(change->tree, node->base, node->inode,
				  &touched->origins);
	*out_touched = touched;
	return rc;
}

int change_begin(struct change *change)
{
	unsigned i;
	int rc = view_edit_begin(change->tree->view, &change->edit);

	if (rc < 0)
		return rc;
	for (i = 0; i < change->count; i++) /* I1 */
		view_edit_refresh(&change->edit, change->touched[i].node->inode,
				  &change->touched[i].item);
	return 0;
}

void change_directory(struct change *change, struct touched *directory)
{
	int64_t time_ns = change_time(change, &directory->item);

	if (time_ns == directory->item.ctime_ns) /* each state has its own */
		time_ns++;
	directory->item.mtime_ns = time_ns;
	directory->item.ctime_ns = time_ns;
	directory->put = true;
}

void change_count_directory(struct touched *parent, int by)
{
	if (parent->item.nlink > 1)
		parent->item.nlink += (uint32_t)by;
}

static void put_name(struct change *change, const struct tree_node *parent,
		     const char *name, const struct dirent_item *dirent)
{
	const struct item_key key = {
		.inode = parent->inode,
		.type = ITEM_TYPE_DIRENT,
		.name = name,
		.name_bytes = strlen(name),
	};
	uint8_t payload[DIRENT_ITEM_BYTES];

	view_edit_put(&change->edit, &key, payload,
		      dirent ? dirent_item_encode(dirent, payload) : 0);
}

void change_put_name(struct change *change, const struct tree_node *parent,
		     const char *name, uint64_t inode, uint32_t kind)
{
	const struct dirent_item dirent = { inode, (uint8_t)kind };

	put_name(change, parent, name, &dirent);
}

void change_drop_name(struct change *change, const struct tree_node *parent,
		      const char *name, bool hidden)
{
	const struct dirent_item whiteout = { 0, 0 };

	put_name(change, parent, name, hidden ? &whiteout : NULL);
}

static void put_orphan(struct change *change, uint64_t inode, bool is_orphan)
{
	const uint64_t number = htobe64(inode);
	const struct item_key key = {
		.type = ITEM_TYPE_ORPHAN,
		.name = (const char *)&number,
		.name_bytes = sizeof(number),
	};

	view_edit_put(&change->edit, &key, "\1", is_orphan ? 1 : 0);
}

void change_put_orphan(struct change *change, uint64_t inode)
{
	put_orphan(change, inode, true);
}

static void put_origin(struct change *change, const struct origin_note *note)
{
	const struct item_key key = { .inode = note->inode,
				      .type = ITEM_TYPE_ORIGIN };
	const struct stat *st = &note->seen.stat;
	const char *name = base_node_name(note->base);
	/* A merged directory is the one that its number is of. */
	const struct origin_item origin = {
		.layer = base_number_layer(note->inode),
		.parent = note->parent,
		.base_inode = note->seen.base_inode,
		.size_bytes = (uint64_t)st->st_size,
		.mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 +
			    st->st_mtim.tv_nsec,
		.ctime_ns = (int64_t)st->st_ctim.tv_sec * 1000000000 +
			    st->st_ctim.tv_nsec,
		.kind = st->st_mode >> MODE_KIND_SHIFT,
		.name = name,
		.name_bytes = strlen(name),
	};
	uint8_t payload[ORIGIN_ITEM_BYTES_MAX];

	view_edit_put(&change->edit, &key, payload,
		      origin_item_encode(&origin, payload));
}

static void put_touched(struct change *change, const struct touched *touched)
{
	const struct origin_note *note;

	for (note = touched->origins; note; note = note->next)
		put_origin(change, note);
	view_edit_put_inode(&change->edit, touched->node->inode,
			    &touched->item);
	if (touched->orphan)
		put_orphan(change, touched->node->inode, true);
	else if (touched->node->orphan && touched->item.nlink > 0)
		put_orphan(change, touched->node->inode, false);
}

enum { XATTRS_AT_ONCE = 200 };

struct drop {
	struct view_edit *edit;
	unsigned count;
};

static int drop_xattr(void *context, const struct item_key *key,
		      const void *payload, size_t payload_bytes)
{
	struct drop *drop = context;

	(void)payload;
	(void)payload_bytes;
	view_edit_put(drop->edit, key, NULL, 0);
	return ++drop->count < XATTRS_AT_ONCE ? 0 : -EAGAIN;
}

static int put_removed(struct change *change, struct touched *touched)
{
	const struct tree_node *node = touched->node;
	struct item_key key = { .inode = node->inode, .type = ITEM_TYPE_INODE };
	struct drop drop = { &change->edit, 0 };
	int rc = gone_new(node, &touched->item, !node->orphan, &touched->gone);

	if (rc < 0)
		return rc;
	if (node->orphan)
		put_orphan(change, node->inode, false);
	if (atomic_load(&node->stored) != STORED_YES)
		return 0; /* its names were all that could be known of it */
	if (touched->item.flags & INODE_FLAG_XATTRS)
		rc = view_items_scan(change->tree->view, node->inode,
				     ITEM_TYPE_XATTR, drop_xattr, &drop);
	touched->xattr_count = drop.count;
	view_edit_put(&change->edit, &key, NULL, 0);
	key.type = ITEM_TYPE_TARGET;
	if (S_ISLNK(touched->item.mode) && node->inode < INODE_NEW_END)
		view_edit_put(&change->edit, &key, NULL, 0);
	return rc == -EAGAIN ? 0 : rc;
}

/* The nodes as they are from now on. */
static void committed(struct touched *touched)
{
	struct tree_node *node = touched->node;

	if (touched->put) {
		atomic_store(&node->stored, STORED_YES);
		node->has_origin = true;
		node->orphan = touched->item.nlink == 0 &&
			       (touched->orphan || node->orphan);
	}
	if (!touched->remove)
		return;
	node->orphan = false;
	node->remembered = touched->gone;
	touched->gone = NULL;
	if (touched->xattr_count == XATTRS_AT_ONCE) /* there may be more */
		node_forget_xattrs(node);
}

int change_commit(struct change *change)
{
	unsigned i;
	int rc = 0;

	for (i = 0; i < change->count && rc == 0; i++) {
		struct touched *touched = &change->touched[i];

		if (touched->remove)
			rc = put_removed(change, touched);
		else if (touched->put)
			put_touched(change, touched);
	}
	if (rc < 0) {
		view_edit_abort(&change->edit);
		return rc;
	}
	rc = view_edit_commit(&change->edit);
	for (i = 0; i < change->count && rc == 0; i++)
		committed(&change->touched[i]);
	return rc;
}

void change_fini(struct change *change)
{
	unsigned i;

	for (i = 0; i < change->count; i++) {
		struct origin_note *note, *next;

		gone_free(change->touched[i].gone);
		for (note = change->touched[i].origins; note; note = next) {
			next = note->next;
			base_node_put(note->base);
			free(note);
		}
	}
}

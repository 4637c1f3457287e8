/* Extended attributes: items over those of base. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "tree_impl.h"

/* 1: no item speaks of it. *out_copy is the caller's. */
static int find_item(struct tree_node *node, const struct inode_item *item,
		     const char *name, struct item_copy **out_copy,
		     struct xattr_item *out_xattr)
{
	const struct item_key key = {
		.inode = node->inode,
		.type = ITEM_TYPE_XATTR,
		.name = name,
		.name_bytes = strlen(name),
	};
	int rc;

	*out_copy = NULL;
	if (!(item->flags & INODE_FLAG_XATTRS))
		return 1;
	rc = node->remembered ?
		     gone_get_xattr(node->remembered, name, out_copy) :
		     view_item_get(node->tree->view, &key, out_copy);
	if (rc == -ENOENT)
		return 1;
	if (rc == 0)
		rc = xattr_item_decode((*out_copy)->payload,
				       (*out_copy)->payload_bytes, out_xattr);
	if (rc == 0 && out_xattr->kind == XATTR_KIND_HIDDEN)
		rc = -ENODATA;
	return rc;
}

static int check_xattr_name(const char *name)
{
	size_t len_bytes = strlen(name);

	return len_bytes == 0 || len_bytes > ITEM_NAME_BYTES_MAX ? -ERANGE : 0;
}

static int get_locked(struct tree_node *node, const char *name, void *value,
		      size_t value_bytes, size_t *out_bytes)
{
	struct item_copy *copy = NULL;
	struct xattr_item xattr;
	struct inode_item item;
	int rc = check_xattr_name(name);

	if (rc == 0)
		rc = node_load(node, &item);
	if (rc == 0)
		rc = find_item(node, &item, name, &copy, &xattr);
	if (rc == 0) {
		*out_bytes = xattr.value_bytes;
		if (value_bytes > 0 && xattr.value_bytes > value_bytes)
			rc = -ERANGE;
		else if (value_bytes > 0 && xattr.value_bytes > 0)
			memcpy(value, xattr.value, xattr.value_bytes);
	} else if (rc == 1) {
		rc = node->base ? base_get_xattr(node->base, name, value,
						 value_bytes, out_bytes) :
				  -ENODATA;
	}
	free(copy);
	return rc;
}

int tree_get_xattr(struct tree_node *node, const char *name, void *value,
		   size_t value_bytes, size_t *out_bytes)
{
	struct tree *tree = node->tree;
	int rc;

	pthread_rwlock_rdlock(&tree->names_lock);
	rc = get_locked(node, name, value, value_bytes, out_bytes);
	pthread_rwlock_unlock(&tree->names_lock);
	return rc;
}

/* Does base have it? */
static int has_below(struct tree_node *node, const char *name, bool *out_has)
{
	size_t len_bytes;
	int rc = -ENODATA;

	if (node->base)
		rc = base_get_xattr(node->base, name, NULL, 0, &len_bytes);
	*out_has = rc == 0;
	return rc == -ENODATA || rc == -ENOTSUP ? 0 : rc;
}

/* It lives on in who has it open only. */
static int change_gone(const struct change *change, struct tree_node *node,
		       const char *name, const void *payload,
		       size_t payload_bytes)
{
	struct inode_item *item = &node->remembered->item;
	int rc = gone_set_xattr(node->remembered, name, payload, payload_bytes);

	if (rc == 0) {
		item->flags |= INODE_FLAG_XATTRS;
		item->ctime_ns = change->now_ns;
	}
	return rc;
}

static int change_xattr(struct change *change, struct tree_node *node,
			const char *name, const void *payload,
			size_t payload_bytes)
{
	const struct item_key key = {
		.inode = node->inode,
		.type = ITEM_TYPE_XATTR,
		.name = name,
		.name_bytes = strlen(name),
	};
	struct touched *touched;
	int rc;

	if (node->remembered)
		return change_gone(change, node, name, payload, payload_bytes);
	rc = change_touch(change, node, &touched);
	if (rc == 0)
		rc = change_begin(change);
	if (rc < 0)
		return rc;
	view_edit_put(&change->edit, &key, payload, payload_bytes);
	touched->item.flags |= INODE_FLAG_XATTRS;
	touched->item.ctime_ns = change_time(change, &touched->item);
	touched->put = true;
	return change_commit(change);
}

/* Is it what is there? Then ext4 leaves the inode alone, too. */
static bool is_same(struct tree_node *node, const char *name, const void *value,
		    size_t value_bytes, size_t there_bytes)
{
	uint8_t *there = malloc(there_bytes + 1);
	bool same = false;

	if (there && there_bytes == value_bytes &&
	    get_locked(node, name, there, there_bytes + 1, &there_bytes) == 0)
		same = there_bytes == value_bytes &&
		       memcmp(there, value, value_bytes) == 0;
	free(there);
	return same;
}

static int put_locked(struct change *change, struct tree_node *node,
		      const char *name, const void *value, size_t value_bytes)
{
	const struct xattr_item xattr = { XATTR_KIND_VALUE, value,
					  value_bytes };
	uint8_t *payload = malloc(1 + value_bytes);
	int rc;

	if (!payload)
		return -ENOMEM;
	rc = change_xattr(change, node, name, payload,
			  xattr_item_encode(&xattr, payload));
	free(payload);
	return rc;
}

static int set_locked(struct change *change, struct tree_node *node,
		      const char *name, const void *value, size_t value_bytes,
		      int flags)
{
	size_t there_bytes = 0;
	int rc = get_locked(node, name, NULL, 0, &there_bytes);

	if (rc < 0 && rc != -ENODATA && rc != -ENOTSUP)
		return rc;
	if ((flags & XATTR_CREATE) && rc == 0)
		return -EEXIST;
	if ((flags & XATTR_REPLACE) && rc < 0)
		return -ENODATA;
	if (rc == 0 && is_same(node, name, value, value_bytes, there_bytes))
		return 0;
	return put_locked(change, node, name, value, value_bytes);
}

int tree_set_xattr(struct tree_node *node, const char *name, const void *value,
		   size_t value_bytes, int flags)
{
	struct tree *tree = node->tree;
	struct change change;
	int rc;

	if (value_bytes > ITEM_XATTR_BYTES_MAX)
		return -E2BIG;
	view_edit_wait_for_room(tree->view);
	change_init(&change, tree);
	pthread_rwlock_wrlock(&tree->names_lock);
	rc = set_locked(&change, node, name, value, value_bytes, flags);
	pthread_rwlock_unlock(&tree->names_lock);
	change_fini(&change);
	return rc;
}

static int remove_locked(struct change *change, struct tree_node *node,
			 const char *name)
{
	const struct xattr_item hidden = { .kind = XATTR_KIND_HIDDEN };
	uint8_t payload[1];
	bool below = false;
	size_t there;
	int rc = get_locked(node, name, NULL, 0, &there);

	if (rc == 0)
		rc = has_below(node, name, &below);
	if (rc < 0)
		return rc;
	return change_xattr(change, node, name, payload,
			    below ? xattr_item_encode(&hidden, payload) : 0);
}

int tree_remove_xattr(struct tree_node *node, const char *name)
{
	struct tree *tree = node->tree;
	struct change change;
	int rc;

	change_init(&change, tree);
	pthread_rwlock_wrlock(&tree->names_lock);
	rc = remove_locked(&change, node, name);
	pthread_rwlock_unlock(&tree->names_lock);
	change_fini(&change);
	return rc;
}

struct names {
	char *bytes;
	size_t used_bytes, capacity_bytes;
	struct tree_node *node;
	const struct inode_item *item;
};

static int add_name(struct names *names, const char *name, size_t name_bytes)
{
	size_t needed = names->used_bytes + name_bytes + 1;

	if (needed > names->capacity_bytes) {
		char *bytes = realloc(names->bytes, needed * 2);

		if (!bytes)
			return -ENOMEM;
		names->bytes = bytes;
		names->capacity_bytes = needed * 2;
	}
	memcpy(names->bytes + names->used_bytes, name, name_bytes);
	names->bytes[needed - 1] = '\0';
	names->used_bytes = needed;
	return 0;
}

static int visit_name(void *context, const struct item_key *key,
		      const void *payload, size_t payload_bytes)
{
	struct xattr_item xattr;
	int rc = xattr_item_decode(payload, payload_bytes, &xattr);

	if (rc < 0 || xattr.kind == XATTR_KIND_HIDDEN)
		return rc;
	return add_name(context, key->name, key->name_bytes);
}

/* Those of base that no item speaks of. */
static int add_below(struct names *names)
{
	size_t len_bytes = 0, at;
	char *below = NULL;
	int rc = base_list_xattr(names->node->base, NULL, 0, &len_bytes);

	if (rc == 0 && len_bytes > 0) {
		below = malloc(len_bytes);
		rc = below ? base_list_xattr(names->node->base, below,
					     len_bytes, &len_bytes) :
			     -ENOMEM;
	}
	for (at = 0; rc == 0 && below && at < len_bytes;
	     at += strlen(below + at) + 1) {
		struct item_copy *copy;
		struct xattr_item xattr;
		int found = find_item(names->node, names->item, below + at,
				      &copy, &xattr);

		free(copy);
		if (found == 1)
			rc = add_name(names, below + at, strlen(below + at));
		else if (found < 0 && found != -ENODATA)
			rc = found;
	}
	free(below);
	return rc == -ENOTSUP ? 0 : rc;
}

static int list_locked(struct names *names)
{
	struct tree_node *node = names->node;
	struct inode_item item;
	int rc = node_load(node, &item);

	names->item = &item;
	if (rc < 0)
		return rc;
	if (node->remembered)
		rc = gone_visit_xattrs(node->remembered, node->inode,
				       visit_name, names);
	else if (item.flags & INODE_FLAG_XATTRS)
		rc = view_items_scan(node->tree->view, node->inode,
				     ITEM_TYPE_XATTR, visit_name, names);
	if (rc == 0 && node->base)
		rc = add_below(names);
	return rc;
}

int tree_list_xattr(struct tree_node *node, char *names_, size_t names_bytes,
		    size_t *out_bytes)
{
	struct tree *tree = node->tree;
	struct names names = { .node = node };
	int rc;

	pthread_rwlock_rdlock(&tree->names_lock);
	rc = list_locked(&names);
	pthread_rwlock_unlock(&tree->names_lock);
	if (rc == 0) {
		*out_bytes = names.used_bytes;
		if (names_bytes > 0 && names.used_bytes > names_bytes)
			rc = -ERANGE;
		else if (names_bytes > 0 && names.used_bytes > 0)
			memcpy(names_, names.bytes, names.used_bytes);
	}
	free(names.bytes);
	return rc;
}

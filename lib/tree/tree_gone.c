/*
 * What is still known of an inode that was deleted while somebody uses its
 * node, but has no data open: a fifo, symlink or directory that the kernel
 * holds. Nothing of it is stored, so it lives in memory: what it is, its
 * target, its xattrs. It can be changed as before, and goes with the node.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <utlist.h>

#include "tree_impl.h"

/* An xattr item, with which an empty payload says that there is none. */
struct gone_xattr {
	struct gone_xattr *next;
	size_t payload_bytes;
	uint8_t *payload; /* behind the name */
	char name[];
};

static int put(struct gone_xattr **list, const char *name, size_t name_bytes,
	       const void *payload, size_t payload_bytes)
{
	struct gone_xattr *xattr =
		malloc(sizeof(*xattr) + name_bytes + 1 + payload_bytes);

	if (!xattr)
		return -ENOMEM;
	memcpy(xattr->name, name, name_bytes);
	xattr->name[name_bytes] = '\0';
	xattr->payload = (uint8_t *)xattr->name + name_bytes + 1;
	xattr->payload_bytes = payload_bytes;
	if (payload_bytes > 0)
		memcpy(xattr->payload, payload, payload_bytes);
	LL_PREPEND(*list, xattr);
	return 0;
}

static int keep_xattr(void *context, const struct item_key *key,
		      const void *payload, size_t payload_bytes)
{
	struct gone *gone = context;

	return put(&gone->xattrs, key->name, key->name_bytes, payload,
		   payload_bytes);
}

static int keep_target(struct gone *gone, const struct tree_node *node)
{
	const struct item_key key = { .inode = node->inode,
				      .type = ITEM_TYPE_TARGET };
	struct item_copy *copy = NULL;
	int rc = view_item_get(node->tree->view, &key, &copy);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	gone->target =
		strndup((const char *)copy->payload, copy->payload_bytes);
	free(copy);
	return gone->target ? 0 : -ENOMEM;
}

int gone_new(const struct tree_node *node, const struct inode_item *item,
	     bool is_used, struct gone **out_gone)
{
	struct gone *gone = calloc(1, sizeof(*gone));
	int rc = 0;

	if (!gone)
		return -ENOMEM;
	gone->item = *item;
	gone->item.nlink = 0;
	if (is_used && (item->flags & INODE_FLAG_XATTRS))
		rc = view_items_scan(node->tree->view, node->inode,
				     ITEM_TYPE_XATTR, keep_xattr, gone);
	if (rc == 0 && is_used && S_ISLNK(item->mode) && !node->base)
		rc = keep_target(gone, node);
	if (rc < 0) {
		gone_free(gone);
		return rc;
	}
	*out_gone = gone;
	return 0;
}

void gone_free(struct gone *gone)
{
	struct gone_xattr *xattr, *next;

	if (!gone)
		return;
	LL_FOREACH_SAFE(gone->xattrs, xattr, next)
	free(xattr);
	free(gone->target);
	free(gone);
}

static struct gone_xattr *find(const struct gone *gone, const char *name)
{
	struct gone_xattr *xattr;

	LL_FOREACH(gone->xattrs, xattr)
	if (strcmp(xattr->name, name) == 0)
		return xattr;
	return NULL;
}

int gone_get_xattr(const struct gone *gone, const char *name,
		   struct item_copy **out_copy)
{
	const struct gone_xattr *xattr = find(gone, name);
	struct item_copy *copy;

	if (!xattr || xattr->payload_bytes == 0)
		return -ENOENT;
	copy = calloc(1, sizeof(*copy) + xattr->payload_bytes);
	if (!copy)
		return -ENOMEM;
	copy->payload_bytes = xattr->payload_bytes;
	copy->payload = (uint8_t *)(copy + 1);
	memcpy(copy->payload, xattr->payload, xattr->payload_bytes);
	*out_copy = copy;
	return 0;
}

int gone_set_xattr(struct gone *gone, const char *name, const void *payload,
		   size_t payload_bytes)
{
	struct gone_xattr *old = find(gone, name);
	int rc = put(&gone->xattrs, name, strlen(name), payload, payload_bytes);

	if (rc == 0 && old) {
		LL_DELETE(gone->xattrs, old);
		free(old);
	}
	return rc;
}

int gone_visit_xattrs(const struct gone *gone, uint64_t inode,
		      view_items_visit *visit, void *context)
{
	const struct gone_xattr *xattr;
	int rc = 0;

	LL_FOREACH(gone->xattrs, xattr)
	{
		const struct item_key key = {
			.inode = inode,
			.type = ITEM_TYPE_XATTR,
			.name = xattr->name,
			.name_bytes = strlen(xattr->name),
		};

		if (xattr->payload_bytes > 0)
			rc = visit(context, &key, xattr->payload,
				   xattr->payload_bytes);
		if (rc < 0)
			return rc;
	}
	return 0;
}

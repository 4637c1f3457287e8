/*
 * Extended attributes. Who may do what is the kernel's business, but for the
 * names of trusted ones, which it lets everybody list; names of no known kind
 * are refused as ext4 does.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "tree_front.h"

static bool is_acl(const char *name)
{
	return strcmp(name, FRONT_ACL_ACCESS) == 0 ||
	       strcmp(name, FRONT_ACL_DEFAULT) == 0;
}

/* Is there such a kind of xattr, and does the name go on behind it? */
static int check_kind(const char *name)
{
	static const char *const kinds[] = { "user.", "trusted.", "security." };
	size_t i;

	for (i = 0; i < 3; i++)
		if (strncmp(name, kinds[i], strlen(kinds[i])) == 0)
			return name[strlen(kinds[i])] ? 0 : -EINVAL;
	return is_acl(name) ? 0 : -EOPNOTSUPP;
}

static void reply_value(fuse_req_t req, int rc, const char *value, size_t size,
			size_t bytes)
{
	if (rc < 0)
		fuse_reply_err(req, front_errno(rc));
	else if (size == 0)
		fuse_reply_xattr(req, bytes);
	else
		fuse_reply_buf(req, value, bytes);
}

void front_getxattr(fuse_req_t req, fuse_ino_t id, const char *name,
		    size_t size)
{
	struct mount *mount = front_mount(req);
	AUTO_FREE char *value = malloc(size ? size : 1);
	struct front_node *node;
	size_t bytes = 0;
	int rc = value ? 0 : -ENOMEM;

	if (rc == 0)
		rc = check_kind(name);
	if (rc == 0 && front_is_fixed(id))
		rc = -ENODATA;
	if (rc == 0)
		rc = front_begin(mount, id, &node);
	if (rc < 0) {
		fuse_reply_err(req, -rc);
		return;
	}
	rc = tree_get_xattr(node->node, name, value, size, &bytes);
	reply_value(req, rc, value, size, bytes);
	front_end(mount, node);
}

void front_setxattr(fuse_req_t req, fuse_ino_t id, const char *name,
		    const char *value, size_t size, int flags)
{
	struct mount *mount = front_mount(req);
	struct front_node *node;
	int rc = check_kind(name);

	if (front_is_fixed(id) || mount->options.read_only)
		rc = -EROFS;
	else if (rc == 0 && (flags & ~(XATTR_CREATE | XATTR_REPLACE)))
		rc = -EINVAL;
	if (rc == 0)
		rc = front_begin(mount, id, &node);
	if (rc < 0) {
		fuse_reply_err(req, -rc);
		return;
	}
	rc = is_acl(name) ?
		     front_acl_set(req, node->node, name, value, size, flags) :
		     tree_set_xattr(node->node, name, value, size, flags);
	rc = front_changed(mount, rc, false);
	fuse_reply_err(req, front_errno(rc));
	front_end(mount, node);
}

size_t front_filter_names(char *names, size_t bytes)
{
	size_t from, kept = 0, len_bytes;

	for (from = 0; from < bytes; from += len_bytes) {
		len_bytes = strnlen(names + from, bytes - from) + 1;
		if (strncmp(names + from, "trusted.", 8) == 0)
			continue;
		memmove(names + kept, names + from, len_bytes);
		kept += len_bytes;
	}
	return kept;
}

/* All names, of malloc. */
static int list_all(struct front_node *node, char **out_names,
		    size_t *out_bytes)
{
	size_t bytes = 0;
	char *names;
	int rc = tree_list_xattr(node->node, NULL, 0, &bytes);

	while (rc == 0) {
		names = malloc(bytes + 1);
		if (!names)
			return -ENOMEM;
		*out_bytes = 0;
		if (bytes > 0)
			rc = tree_list_xattr(node->node, names, bytes,
					     out_bytes);
		if (rc == 0) {
			*out_names = names;
			return 0;
		}
		free(names);
		if (rc == -ERANGE) /* there are more by now */
			rc = tree_list_xattr(node->node, NULL, 0, &bytes);
	}
	return rc;
}

void front_listxattr(fuse_req_t req, fuse_ino_t id, size_t size)
{
	struct mount *mount = front_mount(req);
	AUTO_FREE char *names = NULL;
	struct front_node *node;
	size_t bytes = 0;
	int rc;

	if (front_is_fixed(id)) {
		reply_value(req, 0, "", size, 0);
		return;
	}
	if (front_begin(mount, id, &node) < 0) {
		fuse_reply_err(req, ESTALE);
		return;
	}
	rc = list_all(node, &names, &bytes);
	if (rc == 0 && fuse_req_ctx(req)->uid != 0)
		bytes = front_filter_names(names, bytes);
	if (rc == 0 && size > 0 && bytes > size)
		rc = -ERANGE;
	reply_value(req, rc, names, size, bytes);
	front_end(mount, node);
}

void front_removexattr(fuse_req_t req, fuse_ino_t id, const char *name)
{
	struct mount *mount = front_mount(req);
	struct front_node *node;
	int rc = check_kind(name);

	if (front_is_fixed(id) || mount->options.read_only)
		rc = -EROFS;
	if (rc == 0)
		rc = front_begin(mount, id, &node);
	if (rc < 0) {
		fuse_reply_err(req, -rc);
		return;
	}
	rc = tree_remove_xattr(node->node, name);
	if (rc == -ENODATA && is_acl(name))
		rc = 0; /* as ext4: it is what was wanted */
	rc = front_changed(mount, rc, false);
	fuse_reply_err(req, front_errno(rc));
	front_end(mount, node);
}

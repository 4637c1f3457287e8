/*
 * POSIX access control lists. The kernel checks them; a file system keeps the
 * list and the mode alike, and hands a directory's default list down.
 *
 * A list is kept as Linux writes it: a version, and entries of tag, permission
 * and id in rising order. One that says no more than a mode is no list.
 */
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "tree_front.h"

typedef struct posix_acl_xattr_entry acl_entry;
typedef struct posix_acl_xattr_header acl_header;

/* Entries of a list, which are in its own bytes. */
struct list {
	acl_entry *entries;
	size_t count;
};

static bool is_named(unsigned tag)
{
	return tag == ACL_USER || tag == ACL_GROUP;
}

static acl_entry *find(const struct list *list, unsigned tag)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		if (le16toh(list->entries[i].e_tag) == tag)
			return &list->entries[i];
	return NULL;
}

/* The order of tags, of which each but the named ones comes once; a mask if
 * there are named ones. */
static bool is_valid(const struct list *list)
{
	unsigned last = 0, tag;
	bool named = false;
	size_t i;

	for (i = 0; i < list->count; i++) {
		tag = le16toh(list->entries[i].e_tag);
		if (tag < last || (tag == last && !is_named(tag)) ||
		    (tag != ACL_USER_OBJ && tag != ACL_USER &&
		     tag != ACL_GROUP_OBJ && tag != ACL_GROUP &&
		     tag != ACL_MASK && tag != ACL_OTHER) ||
		    (le16toh(list->entries[i].e_perm) & ~7))
			return false;
		named |= is_named(tag);
		last = tag;
	}
	return find(list, ACL_USER_OBJ) && find(list, ACL_GROUP_OBJ) &&
	       find(list, ACL_OTHER) && (!named || find(list, ACL_MASK));
}

static int parse(void *bytes, size_t len_bytes, struct list *out_list)
{
	const acl_header *header = bytes;

	if (len_bytes < sizeof(*header) ||
	    (len_bytes - sizeof(*header)) % sizeof(acl_entry) ||
	    le32toh(header->a_version) != POSIX_ACL_XATTR_VERSION)
		return -EINVAL;
	out_list->entries = (acl_entry *)((char *)bytes + sizeof(*header));
	out_list->count = (len_bytes - sizeof(*header)) / sizeof(acl_entry);
	return is_valid(out_list) ? 0 : -EINVAL;
}

/* What takes the group's place in a mode. */
static acl_entry *group_class(const struct list *list)
{
	acl_entry *mask = find(list, ACL_MASK);

	return mask ? mask : find(list, ACL_GROUP_OBJ);
}

static mode_t permissions(const acl_entry *entry)
{
	return le16toh(entry->e_perm);
}

static mode_t mode_of(const struct list *list)
{
	return permissions(find(list, ACL_USER_OBJ)) << 6 |
	       permissions(group_class(list)) << 3 |
	       permissions(find(list, ACL_OTHER));
}

static void set(acl_entry *entry, mode_t bits)
{
	entry->e_perm = htole16((uint16_t)(bits & 7));
}

static void set_mode(const struct list *list, mode_t mode)
{
	set(find(list, ACL_USER_OBJ), mode >> 6);
	set(group_class(list), mode >> 3);
	set(find(list, ACL_OTHER), mode);
}

/* A list in memory of malloc. -ENODATA: there is none. */
static int load(struct tree_node *node, const char *name, void **out_bytes,
		size_t *out_len_bytes, struct list *out_list)
{
	size_t len_bytes = 0;
	void *bytes;
	/* Most have none, or a short one. */
	char small[200];
	int rc = tree_get_xattr(node, name, small, sizeof(small), &len_bytes);

	if (rc == -EOPNOTSUPP)
		return -ENODATA;
	if (rc < 0 && rc != -ERANGE)
		return rc;
	bytes = malloc(rc < 0 ? FRONT_ACL_BYTES_MAX : sizeof(small));
	if (!bytes)
		return -ENOMEM;
	if (rc == 0)
		memcpy(bytes, small, len_bytes);
	else
		rc = tree_get_xattr(node, name, bytes, FRONT_ACL_BYTES_MAX,
				    &len_bytes);
	/* One of base that makes no sense counts for nothing. */
	if (rc == 0 && parse(bytes, len_bytes, out_list) < 0)
		rc = -ENODATA;
	if (rc < 0) {
		free(bytes);
		return rc;
	}
	*out_bytes = bytes;
	*out_len_bytes = len_bytes;
	return 0;
}

static void give(struct front_inherited *inherited, const char *name,
		 const void *list, size_t list_bytes)
{
	inherited->given[inherited->given_count++] = (struct tree_given){
		.name = name,
		.value = list,
		.value_bytes = list_bytes,
	};
}

/* Directories hand the list on as it is. */
static int give_for_children(struct front_inherited *inherited,
			     const void *bytes, size_t len_bytes)
{
	inherited->for_children = malloc(len_bytes);
	if (!inherited->for_children)
		return -ENOMEM;
	memcpy(inherited->for_children, bytes, len_bytes);
	give(inherited, FRONT_ACL_DEFAULT, inherited->for_children, len_bytes);
	return 0;
}

int front_acl_inherit(struct tree_node *parent, mode_t mode, mode_t umask_bits,
		      struct front_inherited *out_inherited)
{
	struct list list;
	void *bytes;
	size_t len_bytes;
	int rc = load(parent, FRONT_ACL_DEFAULT, &bytes, &len_bytes, &list);

	memset(out_inherited, 0, sizeof(*out_inherited));
	out_inherited->mode = mode & ~umask_bits;
	if (rc < 0)
		return rc == -ENODATA ? 0 : rc;
	out_inherited->access = bytes;
	if (S_ISDIR(mode)) {
		rc = give_for_children(out_inherited, bytes, len_bytes);
		if (rc < 0)
			return rc;
	}
	/* The list bounds what is asked for, and is bounded by it. */
	mode = (mode & ~(mode_t)0777) | (mode & mode_of(&list));
	set_mode(&list, mode);
	out_inherited->mode = mode;
	if (list.count > 3)
		give(out_inherited, FRONT_ACL_ACCESS, bytes, len_bytes);
	return 0;
}

void front_inherited_fini(struct front_inherited *inherited)
{
	free(inherited->access);
	free(inherited->for_children);
}

int front_acl_chmod(struct tree_node *node, mode_t mode)
{
	struct list list;
	void *bytes;
	size_t len_bytes;
	int rc = load(node, FRONT_ACL_ACCESS, &bytes, &len_bytes, &list);

	if (rc < 0)
		return rc == -ENODATA ? 0 : rc;
	if (mode_of(&list) != (mode & 0777)) {
		set_mode(&list, mode);
		rc = tree_set_xattr(node, FRONT_ACL_ACCESS, bytes, len_bytes,
				    0);
	}
	free(bytes);
	return rc;
}

bool front_keeps_setgid(fuse_req_t req, gid_t gid)
{
	const struct fuse_ctx *context = fuse_req_ctx(req);
	gid_t groups[256];
	int count, i;

	if (context->uid == 0 || context->gid == gid)
		return true;
	count = fuse_req_getgroups(req, 256, groups);
	for (i = 0; i < count && i < 256; i++)
		if (groups[i] == gid)
			return true;
	return false;
}

static int set_access(fuse_req_t req, struct tree_node *node,
		      const struct list *list, const void *value,
		      size_t value_bytes, int flags)
{
	struct tree_attr attr;
	mode_t mode;
	int rc = tree_get_attr(node, &attr);

	if (rc < 0)
		return rc;
	mode = (attr.mode & 07000) | mode_of(list);
	if (!front_keeps_setgid(req, attr.gid))
		mode &= ~(mode_t)S_ISGID;
	if (list->count > 3) {
		rc = tree_set_xattr(node, FRONT_ACL_ACCESS, value, value_bytes,
				    flags);
	} else {
		rc = tree_remove_xattr(node, FRONT_ACL_ACCESS);
		rc = rc == -ENODATA ? 0 : rc;
	}
	if (rc < 0 || mode == (attr.mode & 07777))
		return rc;
	attr.mode = mode;
	return tree_set_attr(node, TREE_SET_MODE, &attr, NULL);
}

int front_acl_set(fuse_req_t req, struct tree_node *node, const char *name,
		  const void *value, size_t value_bytes, int flags)
{
	AUTO_FREE void *copy = malloc(value_bytes + 1);
	struct list list;
	int rc = 0;

	if (!copy)
		return -ENOMEM;
	memcpy(copy, value, value_bytes);
	if (parse(copy, value_bytes, &list) < 0)
		return -EINVAL;
	if (strcmp(name, FRONT_ACL_ACCESS) == 0)
		rc = set_access(req, node, &list, value, value_bytes, flags);
	else
		rc = tree_set_xattr(node, name, value, value_bytes, flags);
	return rc;
}

/*
 * Inodes that differ, and the names that they have in both trees: a directory
 * knows its place; a file with one name is looked for where base has it, and
 * in the directory that its item names; other names may be anywhere.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tree_diff_impl.h"

static int add_modified(struct differ *differ, const struct modified *modified,
			const struct place *directory, const char *name)
{
	AUTO_FREE char *path = directory ? place_path(directory, name) :
					   strdup(".");

	return !path ? -ENOMEM :
		       differ_add(differ,
				  &(struct tree_diff_entry){
					  .kind = TREE_DIFF_MODIFIED,
					  .changes = modified->changes,
					  .path = path,
					  .type_from = modified->kind,
					  .type_to = modified->kind,
					  .size_from = modified->size_from,
					  .size_to = modified->size_to,
					  .stored_bytes =
						  modified->stored_bytes,
				  });
}

static int modified_directory(struct differ *differ,
			      const struct modified *modified)
{
	struct place *place;
	int rc = place_find(&differ->to, modified->inode, &place);

	if (rc < 0 || place->state != PLACE_THERE || place->moved)
		return rc; /* a name of it tells */
	return add_modified(differ, modified, place->parent, place->name);
}

/* A name of an inode that is looked for, in a directory that is there. */
static int found_name(struct differ *differ, struct modified *modified,
		      const struct place *directory, const char *name)
{
	AUTO_FREE char *path = place_path(directory, name);

	if (!path)
		return -ENOMEM;
	if (differ_comes(differ, path))
		return 0;
	modified->names_left--;
	return add_modified(differ, modified, directory, name);
}

/* Where its only name is most likely: where base has it, if it is there. */
static int try_origin(struct differ *differ, struct modified *modified)
{
	const struct item_key key = { .inode = modified->inode,
				      .type = ITEM_TYPE_ORIGIN };
	struct item_copy *copy = NULL;
	struct origin_item origin;
	struct diff_object object = { 0 };
	struct place *directory;
	char name[ITEM_NAME_BYTES_MAX + 1];
	int rc = view_item_get(differ->to.tree->view, &key, &copy);

	if (rc == 0)
		rc = origin_item_decode(copy->payload, copy->payload_bytes,
					&origin);
	if (rc == 0) {
		memcpy(name, origin.name, origin.name_bytes);
		name[origin.name_bytes] = '\0';
	}
	free(copy);
	if (rc == 0)
		rc = place_find(&differ->to, origin.parent, &directory);
	if (rc == 0 && directory->state == PLACE_THERE) {
		rc = object_by_name(&differ->to, directory, name, &object);
		if (rc == 0 && object.node->inode == modified->inode)
			rc = found_name(differ, modified, directory, name);
		object_fini(&object);
	}
	return rc == -ENOENT || rc == -ESTALE || rc == -ENOTDIR ? 0 : rc;
}

/* Names that both trees have, at most. */
static uint32_t names_left(const struct differ *differ,
			   const struct diff_object *from,
			   const struct diff_object *to)
{
	uint64_t inode = to->node->inode;
	uint32_t gone = change_names_count(&differ->gone, inode);
	uint32_t come = change_names_count(&differ->come, inode);
	uint32_t old, new;

	if (to->node->kind == KIND_DIRECTORY)
		return gone == 0 && come == 0;
	old = from->item.nlink > gone ? from->item.nlink - gone : 0;
	new = to->item.nlink > come ? to->item.nlink - come : 0;
	return old < new ? old : new;
}

static int compare_inode(struct differ *differ, uint64_t inode)
{
	struct diff_object from = { 0 }, to = { 0 };
	struct modified *modified = calloc(1, sizeof(*modified));
	struct inode_item item;
	int rc = modified ?
			 view_inode_get(differ->to.tree->view, inode, &item) :
			 -ENOMEM;

	if (rc == -ENOENT)
		rc = view_inode_get(differ->from.tree->view, inode, &item);
	if (rc == 0)
		rc = object_by_number(&differ->to, inode,
				      item.mode >> MODE_KIND_SHIFT, &to);
	if (rc == 0)
		rc = object_by_number(&differ->from, inode,
				      item.mode >> MODE_KIND_SHIFT, &from);
	if (rc == 0)
		rc = differ_compare(differ, &from, &to, modified);
	if (rc == 0)
		modified->names_left = names_left(differ, &from, &to);
	object_fini(&from);
	object_fini(&to);
	if (rc == 0 && modified->names_left > 0 &&
	    differ_tells(differ, modified->changes)) {
		HASH_ADD(hh, differ->modified, inode, sizeof(modified->inode),
			 modified);
		if (modified->hh.tbl)
			return 0;
		rc = -ENOMEM;
	}
	free(modified);
	return rc == -ENOENT ? 0 : rc;
}

int differ_compare_inodes(struct differ *differ)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < differ->inodes.count && rc == 0; i++)
		rc = compare_inode(differ, differ->inodes.list[i].inode);
	return rc;
}

struct search {
	struct differ *differ;
	struct place *directory;
};

static int see_hinted(void *context, const struct item_key *key,
		      const void *payload, size_t payload_bytes)
{
	struct search *search = context;
	char name[ITEM_NAME_BYTES_MAX + 1];
	struct modified *modified;
	struct dirent_item dirent;
	int rc = dirent_item_decode(payload, payload_bytes, &dirent);

	if (rc < 0 || dirent.inode == 0)
		return rc;
	HASH_FIND(hh, search->differ->modified, &dirent.inode,
		  sizeof(dirent.inode), modified);
	if (!modified || !modified->one_name || modified->names_left == 0)
		return 0;
	memcpy(name, key->name, key->name_bytes);
	name[key->name_bytes] = '\0';
	return found_name(search->differ, modified, search->directory, name);
}

/* In the directory that its item names. */
static int try_hint(struct differ *differ, struct modified *modified)
{
	struct search search = { .differ = differ };
	int rc;

	if (modified->parent == 0)
		return 0;
	rc = place_find(&differ->to, modified->parent, &search.directory);
	if (rc < 0 || search.directory->state != PLACE_THERE ||
	    search.directory->searched)
		return rc;
	search.directory->searched = true;
	return view_items_scan(differ->to.tree->view, modified->parent,
			       ITEM_TYPE_DIRENT, see_hinted, &search);
}

static int see_any(void *context, struct place *directory, const char *name,
		   uint64_t inode, uint32_t kind)
{
	struct differ *differ = context;
	struct modified *modified;

	(void)kind;
	HASH_FIND(hh, differ->modified, &inode, sizeof(inode), modified);
	return modified && modified->names_left > 0 ?
		       found_name(differ, modified, directory, name) :
		       0;
}

int differ_name_modified(struct differ *differ)
{
	struct modified *modified;
	bool more = false;
	int rc = 0;

	for (modified = differ->modified; modified && rc == 0;
	     modified = modified->hh.next) {
		if (modified->kind == KIND_DIRECTORY) {
			rc = modified_directory(differ, modified);
			modified->names_left = 0;
			continue;
		}
		if (modified->one_name)
			rc = try_origin(differ, modified);
		if (rc == 0 && modified->one_name && modified->names_left > 0)
			rc = try_hint(differ, modified);
		more |= modified->names_left > 0;
	}
	/* Several names may be anywhere. */
	return rc == 0 && more ? side_walk(&differ->to, see_any, differ) : rc;
}

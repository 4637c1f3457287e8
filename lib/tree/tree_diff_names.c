/* What became of names: renamed, replaced, deleted, added. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tree_diff_impl.h"

static int by_inode(const void *a_, const void *b_)
{
	const struct change_name *a = a_, *b = b_;

	if (a->inode != b->inode)
		return a->inode < b->inode ? -1 : 1;
	return strcmp(a->path, b->path);
}

static int by_path(const void *a_, const void *b_)
{
	return strcmp(((const struct change_name *)a_)->path,
		      ((const struct change_name *)b_)->path);
}

static void sort_names(struct change_names *names,
		       int (*order)(const void *, const void *))
{
	if (names->count > 0)
		qsort(names->list, names->count, sizeof(*names->list), order);
}

static int add_renamed(struct differ *differ, struct change_name *gone,
		       struct change_name *come)
{
	struct diff_object from = { 0 }, to = { 0 };
	struct modified modified;
	int rc = object_by_name(&differ->from, gone->directory, gone->name,
				&from);

	if (rc == 0)
		rc = object_by_name(&differ->to, come->directory, come->name,
				    &to);
	if (rc == 0)
		rc = differ_compare(differ, &from, &to, &modified);
	object_fini(&from);
	object_fini(&to);
	gone->done = come->done = true;
	/* Layers came and went: it is where it was. */
	if (rc < 0 || strcmp(gone->path, come->path) == 0)
		return rc;
	return differ_add(differ, &(struct tree_diff_entry){
					  .kind = TREE_DIFF_RENAMED,
					  .changes = modified.changes,
					  .path = come->path,
					  .path_from = gone->path,
					  .type_from = gone->kind,
					  .type_to = come->kind,
					  .size_from = gone->size_bytes,
					  .size_to = come->size_bytes,
					  .stored_bytes = modified.stored_bytes,
				  });
}

/* Of one inode, names in order; both are sorted by inode. */
int differ_find_renamed(struct differ *differ)
{
	size_t i = 0, j = 0;
	int rc = 0;

	sort_names(&differ->gone, by_inode);
	sort_names(&differ->come, by_inode);
	while (rc == 0 && i < differ->gone.count && j < differ->come.count) {
		struct change_name *gone = &differ->gone.list[i];
		struct change_name *come = &differ->come.list[j];

		i += gone->inode <= come->inode;
		j += come->inode <= gone->inode;
		if (gone->inode == come->inode)
			rc = add_renamed(differ, gone, come);
	}
	return rc;
}

static int add_replaced(struct differ *differ, struct change_name *gone,
			struct change_name *come)
{
	struct diff_object from = { 0 }, to = { 0 };
	struct modified modified = { 0 };
	struct tree_diff_entry entry = {
		.kind = gone->kind == come->kind ? TREE_DIFF_MODIFIED :
						   TREE_DIFF_TYPE,
		.path = come->path,
		.type_from = gone->kind,
		.type_to = come->kind,
		.size_from = gone->size_bytes,
		.size_to = come->size_bytes,
		.stored_bytes = come->stored_bytes,
	};
	int rc = 0;

	gone->done = come->done = true;
	if (entry.kind == TREE_DIFF_TYPE)
		return differ_add(differ, &entry);
	rc = object_by_name(&differ->from, gone->directory, gone->name, &from);
	if (rc == 0)
		rc = object_by_name(&differ->to, come->directory, come->name,
				    &to);
	if (rc == 0)
		rc = differ_compare(differ, &from, &to, &modified);
	object_fini(&from);
	object_fini(&to);
	entry.changes = modified.changes;
	if (rc < 0 || !differ_tells(differ, modified.changes))
		return rc;
	return differ_add(differ, &entry);
}

int differ_find_replaced(struct differ *differ)
{
	size_t i = 0, j = 0;
	int rc = 0;

	sort_names(&differ->gone, by_path);
	sort_names(&differ->come, by_path);
	while (rc == 0 && i < differ->gone.count && j < differ->come.count) {
		struct change_name *gone = &differ->gone.list[i];
		struct change_name *come = &differ->come.list[j];
		int order = strcmp(gone->path, come->path);

		if (order == 0 && !gone->done && !come->done)
			rc = add_replaced(differ, gone, come);
		i += order <= 0;
		j += order >= 0;
	}
	return rc;
}

static int add_left(struct differ *differ, const struct change_names *names,
		    bool come)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < names->count && rc == 0; i++) {
		const struct change_name *name = &names->list[i];
		struct tree_diff_entry entry = {
			.kind = come ? TREE_DIFF_ADDED : TREE_DIFF_DELETED,
			.path = name->path,
		};

		if (name->done)
			continue;
		if (come) {
			entry.type_to = name->kind;
			entry.size_to = name->size_bytes;
			entry.stored_bytes = name->stored_bytes;
		} else {
			entry.type_from = name->kind;
			entry.size_from = name->size_bytes;
		}
		rc = differ_add(differ, &entry);
	}
	return rc;
}

int differ_add_left(struct differ *differ)
{
	int rc = add_left(differ, &differ->gone, false);

	return rc < 0 ? rc : add_left(differ, &differ->come, true);
}

bool differ_comes(const struct differ *differ, const char *path)
{
	const struct change_name wanted = { .path = (char *)(uintptr_t)path };

	return differ->come.count > 0 &&
	       bsearch(&wanted, differ->come.list, differ->come.count,
		       sizeof(wanted), by_path);
}

uint32_t change_names_count(const struct change_names *names, uint64_t inode)
{
	size_t low = 0, high = names->count;
	uint32_t count = 0;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (names->list[middle].inode < inode)
			low = middle + 1;
		else
			high = middle;
	}
	while (low < names->count && names->list[low++].inode == inode)
		count++;
	return count;
}

void change_names_fini(struct change_names *names)
{
	size_t i;

	for (i = 0; i < names->count; i++)
		free(names->list[i].path);
	free(names->list);
}

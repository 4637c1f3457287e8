/*
 * Method diff over directories: the paths that differ between two states.
 *
 * A page is bounded; who wants more asks again with "after".
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ops_impl.h"
#include "path_text.h"
#include "tree_diff.h"

enum { PAGE_CHANGES = 65536 };

struct tree_page {
	struct call *call;
	json_t *changes;
	char *after;  /* NULL: from the beginning */
	char **paths; /* only these and what is below; none: all */
	size_t path_count;
	char *last;   /* path of the last change */
	bool is_full; /* there are more */
	uint64_t counts[TREE_DIFF_TYPE + 1];
	uint64_t stored_bytes;
};

static const char *const statuses[] = {
	[TREE_DIFF_ADDED] = "added",	   [TREE_DIFF_MODIFIED] = "modified",
	[TREE_DIFF_DELETED] = "deleted",   [TREE_DIFF_RENAMED] = "renamed",
	[TREE_DIFF_TYPE] = "type_changed",
};

static json_t *type_json(uint32_t type)
{
	switch (type << 12) {
	case S_IFREG:
		return json_string("file");
	case S_IFDIR:
		return json_string("directory");
	case S_IFLNK:
		return json_string("symlink");
	case S_IFIFO:
		return json_string("fifo");
	case S_IFSOCK:
		return json_string("socket");
	case S_IFCHR:
		return json_string("character_device");
	case S_IFBLK:
		return json_string("block_device");
	default:
		return json_null();
	}
}

static json_t *changed_json(unsigned changes)
{
	static const struct {
		unsigned change;
		const char *name;
	} names[] = {
		{ TREE_DIFF_DATA, "data" },   { TREE_DIFF_MODE, "mode" },
		{ TREE_DIFF_OWNER, "owner" }, { TREE_DIFF_XATTRS, "xattrs" },
		{ TREE_DIFF_TIMES, "times" },
	};
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (changes & names[i].change)
			json_array_append_new(list, json_string(names[i].name));
	return list;
}

static json_t *size_json(uint32_t type, uint64_t size_bytes)
{
	return type << 12 == S_IFREG ? json_size(size_bytes) : json_null();
}

static json_t *entry_json(const struct tree_diff_entry *entry)
{
	return json_pack(
		"{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "path",
		path_json(entry->path), "status", statuses[entry->kind],
		"path_from",
		entry->path_from ? path_json(entry->path_from) : json_null(),
		"changed", changed_json(entry->changes), "type_from",
		type_json(entry->type_from), "type_to",
		type_json(entry->type_to), "size_from_bytes",
		size_json(entry->type_from, entry->size_from), "size_to_bytes",
		size_json(entry->type_to, entry->size_to), "stored_bytes",
		json_size(entry->stored_bytes));
}

static bool is_below(const char *path, const char *directory)
{
	size_t len_bytes = strlen(directory);

	return len_bytes == 0 || (strncmp(path, directory, len_bytes) == 0 &&
				  (path[len_bytes] == '/' || !path[len_bytes]));
}

static bool is_wanted(const struct tree_page *page,
		      const struct tree_diff_entry *entry)
{
	size_t i;

	for (i = 0; i < page->path_count; i++)
		if (is_below(entry->path, page->paths[i]) ||
		    (entry->path_from &&
		     is_below(entry->path_from, page->paths[i])))
			return true;
	return page->path_count == 0;
}

static int visit(void *context, const struct tree_diff_entry *entry)
{
	struct tree_page *page = context;
	json_t *value;

	if (page->after && strcmp(entry->path, page->after) <= 0)
		return 0;
	if (!is_wanted(page, entry))
		return 0;
	if (json_array_size(page->changes) >= PAGE_CHANGES &&
	    strcmp(entry->path, page->last) != 0) {
		page->is_full = true;
		return 1;
	}
	value = entry_json(entry);
	free(page->last);
	page->last = strdup(entry->path);
	if (!value || !page->last ||
	    json_array_append_new(page->changes, value) < 0)
		return -ENOMEM;
	page->counts[entry->kind]++;
	page->stored_bytes += entry->stored_bytes;
	return 0;
}

/* From the root, without what means nothing. */
static void trim(char *path)
{
	char *from = path;
	size_t len_bytes;

	while (*from == '/' || (from[0] == '.' && from[1] == '/'))
		from++;
	len_bytes = strlen(from);
	while (len_bytes > 0 && from[len_bytes - 1] == '/')
		len_bytes--;
	memmove(path, from, len_bytes);
	path[len_bytes] = '\0';
	if (strcmp(path, ".") == 0)
		path[0] = '\0';
}

static int read_paths(struct tree_page *page)
{
	const json_t *list = json_object_get(page->call->params, "paths");
	const char *after = call_text(page->call, "after");
	size_t i, count = json_array_size(list);

	page->paths = calloc(count + 1, sizeof(*page->paths));
	page->after = after ? path_of_json(after) : NULL;
	if (!page->paths || (after && !page->after))
		return -ENOMEM;
	for (i = 0; i < count; i++) {
		char *path = path_of_json(
			json_string_value(json_array_get(list, i)));

		if (!path)
			return -ENOMEM;
		trim(path);
		page->paths[page->path_count++] = path;
	}
	return 0;
}

static int put_page(struct call *call, const struct tree_page *page)
{
	const uint64_t *counts = page->counts;
	int rc = call_put(call, "extents", json_null());

	if (rc == 0)
		rc = call_put(call, "changes", json_incref(page->changes));
	if (rc == 0)
		rc = call_put(
			call, "summary",
			json_pack(
				"{s:o, s:o, s:o, s:o, s:o, s:o}", "added",
				json_size(counts[TREE_DIFF_ADDED]), "modified",
				json_size(counts[TREE_DIFF_MODIFIED]),
				"deleted", json_size(counts[TREE_DIFF_DELETED]),
				"renamed", json_size(counts[TREE_DIFF_RENAMED]),
				"type_changed",
				json_size(counts[TREE_DIFF_TYPE]),
				"stored_bytes", json_size(page->stored_bytes)));
	return rc < 0 ? rc :
			call_put(call, "next",
				 page->is_full ? path_json(page->last) :
						 json_null());
}

static int run(struct call *call, struct tree *from, struct tree *to)
{
	struct tree_page page = { .call = call, .changes = json_array() };
	size_t i;
	int rc = page.changes ? read_paths(&page) : -ENOMEM;

	if (rc == 0)
		rc = tree_diff(from, to, call_flag(call, "times"), visit,
			       &page);
	if (rc < 0)
		rc = failure_errno(call->failure, rc, NULL, "can't compare");
	else
		rc = put_page(call, &page);
	for (i = 0; i < page.path_count; i++)
		free(page.paths[i]);
	free(page.paths);
	free(page.after);
	free(page.last);
	json_decref(page.changes);
	return rc;
}

static int open_reader(struct call *call, const char *branch, uint32_t id,
		       struct tree **out_tree)
{
	struct view *view;
	int rc = call_open_view(call, branch, id, &view);

	return rc < 0 ? rc : tree_open_reader(view, out_tree, call->failure);
}

int call_tree_diff(struct call *call, uint32_t from_id, const char *branch,
		   uint32_t to_id)
{
	struct tree *from, *to;
	int rc = open_reader(call, branch, to_id, &to);

	if (rc < 0)
		return rc;
	rc = from_id ? open_reader(call, NULL, from_id, &from) :
		       tree_open_base(to, &from, call->failure);
	if (rc == 0) {
		rc = run(call, from, to);
		tree_close(from);
	}
	tree_close(to);
	return rc;
}

/* All that a user can see in a store, as text. */
#include "digest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "crash.h"
#include "file.h"
#include "history.h"
#include "store_layers.h"
#include "tree.h"

enum { READ_BYTES = 1 << 20, NAMES_BYTES = 1 << 16, XATTR_BYTES = 1 << 16 };

struct text {
	bool exact;
	char *bytes;
	size_t len;
	bool failed;
};

static void say(struct text *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void say(struct text *text, const char *format, ...)
{
	va_list arguments;
	char *line = NULL;
	int len;

	va_start(arguments, format);
	len = vasprintf(&line, format, arguments);
	va_end(arguments);
	check(len >= 0, "an allocation");
	text->bytes =
		check_memory(realloc(text->bytes, text->len + (size_t)len + 1));
	memcpy(text->bytes + text->len, line, (size_t)len + 1);
	text->len += (size_t)len;
	free(line);
}

static void say_failed(struct text *text, const char *what, int rc)
{
	say(text, "%s failed: %s\n", what, strerror(-rc));
	text->failed = true;
}

static void add_part(struct digest *digest, const char *kind, const char *name,
		     struct text *text)
{
	struct digest_part *part;

	digest->parts = check_memory(realloc(
		digest->parts, (digest->count + 1) * sizeof(*digest->parts)));
	part = &digest->parts[digest->count++];
	check(asprintf(&part->key, "%s %s", kind, name) >= 0, "an allocation");
	part->text = text->bytes ? text->bytes : check_memory(strdup(""));
	digest->failed |= text->failed;
}

static void find_hash(struct digest *digest)
{
	digest->hash = digest->failed;
	for (size_t i = 0; i < digest->count; i++) {
		const struct digest_part *part = &digest->parts[i];

		digest->hash = XXH3_64bits_withSeed(
			part->key, strlen(part->key), digest->hash);
		digest->hash = XXH3_64bits_withSeed(
			part->text, strlen(part->text), digest->hash);
	}
}

/* --- an image, or a file of a tree --- */

static void say_content(struct text *text, const char *path, struct file *file,
			uint64_t size_bytes)
{
	uint8_t *data = check_memory(malloc(size_bytes + 1));
	uint64_t at = 0;

	while (at < size_bytes) {
		size_t n = 0, want = size_bytes - at < READ_BYTES ?
					     (size_t)(size_bytes - at) :
					     READ_BYTES;
		int rc = file_read(file, at, data + at, want, &n);

		if (rc < 0 || n == 0) {
			say_failed(text, "reading", rc);
			break;
		}
		at += n;
	}
	say(text, "%scontent %" PRIu64 " %016" PRIx64 "\n", path, at,
	    at == size_bytes ? (uint64_t)XXH3_64bits(data, at) : 0);
	free(data);
}

static void say_image(struct text *text, struct view *view)
{
	struct file *file = view_image(view);
	struct file_info info;

	file_get_info(file, &info);
	say(text, "mode %o uid %u gid %u\n", info.mode, info.uid, info.gid);
	say_content(text, "", file, info.size_bytes);
}

/* --- a tree --- */

static void say_xattrs(struct text *text, struct tree_node *node,
		       const char *path)
{
	char *names = check_memory(malloc(NAMES_BYTES));
	char *value = check_memory(malloc(XATTR_BYTES));
	size_t names_bytes = 0, value_bytes = 0, at;
	int rc = tree_list_xattr(node, names, NAMES_BYTES, &names_bytes);

	if (rc < 0 && rc != -ENODATA)
		say_failed(text, "listing xattrs", rc);
	for (at = 0; rc == 0 && at < names_bytes;
	     at += strlen(names + at) + 1) {
		rc = tree_get_xattr(node, names + at, value, XATTR_BYTES,
				    &value_bytes);
		if (rc < 0)
			say_failed(text, names + at, rc);
		else
			say(text, "%s: xattr %s %zu %016" PRIx64 "\n", path,
			    names + at, value_bytes,
			    (uint64_t)XXH3_64bits(value, value_bytes));
	}
	free(names);
	free(value);
}

static void say_file(struct text *text, struct tree_node *node,
		     const char *path, uint64_t size_bytes)
{
	struct file *file;
	int rc = tree_file_open(node, false, &file);

	if (rc < 0) {
		say_failed(text, "opening", rc);
		return;
	}
	say_content(text, path, file, size_bytes);
	tree_file_close(node);
}

static void say_node(struct text *text, struct tree_node *node,
		     const char *path);

static int by_name(const void *a, const void *b)
{
	const struct tree_entry *left = a, *right = b;

	return strcmp(left->name, right->name);
}

static void say_directory(struct text *text, struct tree_node *node,
			  const char *path)
{
	struct tree_listing *listing;
	int rc = tree_list(node, &listing);

	if (rc < 0) {
		say_failed(text, "listing", rc);
		return;
	}
	qsort(listing->entries, listing->count, sizeof(*listing->entries),
	      by_name);
	for (size_t i = 0; i < listing->count; i++) {
		const char *name = listing->entries[i].name;
		struct tree_node *child;
		struct tree_attr attr;
		char *below = NULL;

		check(asprintf(&below, "%s/%s", path, name) >= 0, "memory");
		rc = tree_lookup(node, name, &child, &attr);
		if (rc < 0) {
			say_failed(text, below, rc);
		} else {
			say_node(text, child, below);
			tree_node_put(child, 1);
		}
		free(below);
	}
	tree_listing_free(listing);
}

static void say_node(struct text *text, struct tree_node *node,
		     const char *path)
{
	struct tree_attr attr;
	char target[4096];
	int rc = tree_get_attr(node, &attr);

	if (rc < 0) {
		say_failed(text, path, rc);
		return;
	}
	say(text, "%s: mode %o uid %u gid %u rdev %" PRIx64 " raw %d\n", path,
	    attr.mode, attr.uid, attr.gid, attr.rdev, attr.raw);
	if (text->exact)
		say(text,
		    "%s: inode %" PRIx64 "\n%s: mtime %" PRId64
		    " ctime %" PRId64 "\n",
		    path, attr.inode, path, attr.mtime_ns, attr.ctime_ns);
	/* Of directories they depend on how many layers there are. */
	if (!S_ISDIR(attr.mode))
		say(text,
		    "%s: nlink %u\n%s: blocks %" PRIu64 "\n%s: size %" PRIu64
		    "\n",
		    path, attr.nlink, path, attr.blocks, path, attr.size_bytes);
	say_xattrs(text, node, path);
	if (S_ISDIR(attr.mode)) {
		say_directory(text, node, path);
	} else if (S_ISREG(attr.mode)) {
		say_file(text, node, path, attr.size_bytes);
	} else if (S_ISLNK(attr.mode)) {
		rc = tree_readlink(node, target, sizeof(target));
		if (rc < 0)
			say_failed(text, "readlink", rc);
		else
			say(text, "%s -> %s\n", path, target);
	}
}

static void say_tree(struct text *text, struct view *view)
{
	struct failure failure = { 0 };
	struct tree *tree;
	int rc = tree_open_reader(view, &tree, &failure);

	if (rc < 0) {
		say_failed(text, failure.message, rc);
		return;
	}
	say_node(text, tree_root(tree), "");
	tree_close(tree);
}

/* --- a store --- */

static void take_view(struct store *store, struct view *view, struct text *text)
{
	if (store_is_tree(store)) {
		say_tree(text, view);
	} else {
		say_image(text, view);
		view_put(view);
	}
}

static void take_branch(struct store *store, bool exact, struct digest *digest,
			const char *name)
{
	struct failure failure = { 0 };
	struct text text = { .exact = exact };
	struct view *view;
	int rc = view_open_branch(store, name, &view, &failure);

	if (rc < 0)
		say_failed(&text, failure.message, rc);
	else
		take_view(store, view, &text);
	add_part(digest, "head", name, &text);
}

static void take_snapshot(struct store *store, bool exact,
			  struct digest *digest,
			  const struct snapshot_info *info)
{
	struct failure failure = { 0 };
	struct text text = { .exact = exact };
	struct view *view;
	int rc = view_open_snapshot(store, info->id, &view, &failure);

	if (rc < 0)
		say_failed(&text, failure.message, rc);
	else
		take_view(store, view, &text);
	add_part(digest, "snapshot", info->name, &text);
}

static void say_holds(struct store *store, struct text *text, uint32_t id)
{
	struct hold_info *holds = NULL;
	size_t count = 0, i;
	int rc = history_holds(store, id, &holds, &count);

	if (rc < 0)
		say_failed(text, "holds", rc);
	for (i = 0; i < count; i++)
		say(text, "  hold %s\n", holds[i].tag);
	free(holds);
}

static void take_snapshots(struct store *store, struct digest *digest,
			   struct text *text)
{
	struct failure failure = { 0 };
	struct snapshot_info *list = NULL;
	size_t count = 0, i;
	int rc = history_snapshots(store, NULL, true, &list, &count, &failure);

	if (rc < 0)
		say_failed(text, "listing snapshots", rc);
	for (i = 0; i < count; i++) {
		const struct snapshot_info *info = &list[i];

		if (info->state == SNAPSHOT_STATE_DELETING)
			continue;
		say(text,
		    "snapshot %s of %s state %d kind %d size %" PRIu64
		    " refer %" PRIu64 " note %s\n",
		    info->name, info->branch, info->state, info->kind,
		    info->size_bytes, info->refer_bytes, info->note);
		say_holds(store, text, info->id);
		take_snapshot(store, text->exact, digest, info);
	}
	free(list);
}

static void take_branches(struct store *store, struct digest *digest,
			  struct text *text)
{
	struct branch_info *list = NULL;
	size_t count = 0, i;
	int rc = history_branches(store, true, &list, &count);

	if (rc < 0)
		say_failed(text, "listing branches", rc);
	for (i = 0; i < count; i++) {
		const struct branch_info *info = &list[i];

		if (info->name[0] == '.')
			continue;
		say(text, "branch %s parent %s deleted %d snapshots %u\n",
		    info->name, text->exact ? info->parent : "-",
		    info->deleted_ns != 0, info->snapshot_count);
		if (!info->deleted_ns)
			take_branch(store, text->exact, digest, info->name);
	}
	free(list);
}

static void say_operations(struct store *store, struct text *text)
{
	struct operation_info *list = NULL;
	size_t count = 0, i;
	int rc = history_operations(store, 100, &list, &count);

	if (rc < 0)
		say_failed(text, "listing operations", rc);
	for (i = 0; i < count; i++) {
		say(text, "operation %d undone %d undoes %d", list[i].kind,
		    list[i].undone, list[i].undoes != 0);
		if (text->exact)
			say(text, " id %" PRIu64 " %s", list[i].id,
			    list[i].text);
		say(text, "\n");
	}
	free(list);
}

void digest_take(struct store *store, bool exact, struct digest *out_digest)
{
	struct text text = { .exact = exact };

	*out_digest = (struct digest){ 0 };
	take_snapshots(store, out_digest, &text);
	take_branches(store, out_digest, &text);
	say_operations(store, &text);
	add_part(out_digest, "history", "", &text);
	find_hash(out_digest);
}

void digest_copy(struct digest *to, const struct digest *from)
{
	*to = *from;
	to->parts = check_memory(calloc(from->count + 1, sizeof(*to->parts)));
	for (size_t i = 0; i < from->count; i++) {
		to->parts[i].key = check_memory(strdup(from->parts[i].key));
		to->parts[i].text = check_memory(strdup(from->parts[i].text));
	}
}

void digest_put_content(struct digest *digest, const char *branch,
			const uint8_t *data, uint64_t size_bytes)
{
	char key[300];

	snprintf(key, sizeof(key), "head %s", branch);
	for (size_t i = 0; i < digest->count; i++) {
		struct digest_part *part = &digest->parts[i];
		char *line;
		struct text text = { 0 };

		if (strcmp(part->key, key) != 0)
			continue;
		line = strstr(part->text, "content ");
		say(&text, "%.*scontent %" PRIu64 " %016" PRIx64 "\n",
		    (int)(line - part->text), part->text, size_bytes,
		    (uint64_t)XXH3_64bits(data, size_bytes));
		free(part->text);
		part->text = text.bytes;
	}
	find_hash(digest);
}

void digest_free(struct digest *digest)
{
	for (size_t i = 0; i < digest->count; i++) {
		free(digest->parts[i].key);
		free(digest->parts[i].text);
	}
	free(digest->parts);
	*digest = (struct digest){ 0 };
}

static const char *text_of(const struct digest *digest, const char *key)
{
	for (size_t i = 0; i < digest->count; i++)
		if (strcmp(digest->parts[i].key, key) == 0)
			return digest->parts[i].text;
	return NULL;
}

static bool has_line(const char *text, const char *line, size_t len)
{
	const char *found = text;

	while (text && (found = memmem(found, strlen(found), line, len)))
		if (found == text || found[-1] == '\n')
			return true;
		else
			found++;
	return false;
}

static bool lines_are_of(const char *text, const char *before,
			 const char *after)
{
	while (*text) {
		size_t len = strcspn(text, "\n") + 1;

		if (!has_line(before, text, len) && !has_line(after, text, len))
			return false;
		text += len;
	}
	return true;
}

bool digest_is_between(const struct digest *have, const struct digest *before,
		       const struct digest *after)
{
	size_t i;

	for (i = 0; i < have->count; i++) {
		const char *key = have->parts[i].key;
		const char *text = have->parts[i].text;
		const char *old = text_of(before, key);
		const char *new = text_of(after, key);

		if ((old && strcmp(text, old) == 0) ||
		    (new &&strcmp(text, new) == 0))
			continue;
		if (!lines_are_of(text, old, new))
			return false;
	}
	for (i = 0; i < before->count; i++)
		if (text_of(after, before->parts[i].key) &&
		    !text_of(have, before->parts[i].key))
			return false;
	return true;
}

bool digest_agrees(const struct digest *have, const struct digest *want)
{
	size_t i;

	for (i = 0; i < have->count; i++) {
		const char *text = have->parts[i].text;
		const char *other = text_of(want, have->parts[i].key);

		if (!other ||
		    (strcmp(text, other) != 0 && !strstr(text, " failed: ")))
			return false;
	}
	return have->count == want->count;
}

/* The lines of one that the other has not. */
static void diff_lines(const char *text, const char *other, char sign)
{
	while (*text) {
		size_t len = strcspn(text, "\n") + 1;
		char *line = check_memory(strndup(text, len));

		if (!other || !strstr(other, line))
			fprintf(stderr, "    %c %s", sign, line);
		free(line);
		text += len;
	}
}

void digest_diff(const struct digest *have, const struct digest *want)
{
	size_t i;

	for (i = 0; i < have->count; i++) {
		const char *other = text_of(want, have->parts[i].key);

		if (other && strcmp(other, have->parts[i].text) == 0)
			continue;
		fprintf(stderr, "  %s\n", have->parts[i].key);
		if (other)
			diff_lines(other, have->parts[i].text, '-');
		diff_lines(have->parts[i].text, other, '+');
	}
	for (i = 0; i < want->count; i++)
		if (!text_of(have, want->parts[i].key))
			fprintf(stderr, "  - %s\n", want->parts[i].key);
}

/*
 * Method commit: what a state of a tree has otherwise than base is written
 * into a directory, which is a copy of base that may be changed.
 *
 * I1: nothing is written to a layer, nor to what is in one or has one in it,
 *     whatever is asked for.
 * I2: nothing is changed before every path was looked at: it must be as base
 *     has it, or as it will be, unless force is given.
 * I3: what is there is written first, then what is gone is removed, then
 *     directories get their times. A commit that was cut off is repeated: it
 *     finds what it did, and does the rest.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commit_target.h"
#include "layer_places.h"
#include "ops_impl.h"
#include "path_text.h"
#include "store_layers.h"
#include "tree_path.h"

enum { LISTED_MAX = 10000 };

/* Where a file with several names was written. */
struct first_name {
	uint64_t inode;
	const char *path; /* of its place */
	UT_hash_handle hh;
};

struct commit {
	struct call *call;
	const char *to; /* the directory */
	struct commit_target target;
	struct layer_places places;
	struct first_name *names;
	json_t *changes, *conflicts;
	uint64_t written, removed, conflict_count;
	const char *conflict; /* the first */
};

static int fail(const struct commit *commit, int rc, const char *path)
{
	json_t *text = path_json(path);

	failure_errno(commit->call->failure, rc, json_string_value(text),
		      "can't commit");
	json_decref(text);
	return rc;
}

static bool starts_with(const char *path, const char *directory)
{
	size_t len_bytes = strlen(directory);

	return strncmp(path, directory, len_bytes) == 0 &&
	       (path[len_bytes] == '/' || !path[len_bytes] ||
		directory[len_bytes - 1] == '/');
}

/* I1 */
static int check_not_base(const struct commit *commit)
{
	struct failure *failure = commit->call->failure;
	AUTO_FREE char *to = realpath(commit->to, NULL);
	struct stat st, layer_st;
	size_t count, i;
	const struct base_row *rows =
		store_layer_rows(commit->call->store, &count);

	if (!to || fstat(commit->target.root_fd, &st) < 0)
		return failure_errno(failure, -errno, commit->to,
				     "can't commit");
	for (i = 0; i < count; i++) {
		const char *layer = rows[i].fingerprint.path;
		bool same = stat(layer, &layer_st) == 0 &&
			    layer_st.st_dev == st.st_dev &&
			    layer_st.st_ino == st.st_ino;

		if (!same && !starts_with(to, layer) && !starts_with(layer, to))
			continue;
		failure_set(failure, FAILURE_USAGE, commit->to,
			    "%s a layer of this store: nothing is ever written "
			    "to what a store is over",
			    same || starts_with(to, layer) ? "is, or is in," :
							     "has in it");
		failure_hint(failure, "commit to a copy of it: cp -a '%s' COPY",
			     layer);
		return -EINVAL;
	}
	return 0;
}

/* Its own mounts would change under it. */
static int check_not_mount(const struct commit *commit)
{
	json_t *mounts = commit->call->mounts ?
				 mounts_list(commit->call->mounts) :
				 json_array();
	json_t *mount;
	struct stat st, at;
	int rc = 0;
	size_t i;

	if (fstat(commit->target.root_fd, &st) < 0)
		rc = -errno;
	json_array_foreach(mounts, i, mount)
	{
		const char *path =
			json_string_value(json_object_get(mount, "mountpoint"));

		if (rc == 0 && path && stat(path, &at) == 0 &&
		    at.st_dev == st.st_dev)
			rc = failure_set(commit->call->failure, FAILURE_USAGE,
					 commit->to,
					 "is on a mount of this store");
	}
	json_decref(mounts);
	return rc;
}

/* --- looking --- */

static int add_conflict(struct commit *commit, const char *path)
{
	if (commit->conflict_count++ == 0)
		commit->conflict = strdup(path);
	if (json_array_size(commit->conflicts) < LISTED_MAX)
		json_array_append_new(commit->conflicts, path_json(path));
	return commit->conflict ? 0 : -ENOMEM;
}

static int list_change(struct commit *commit, const char *path,
		       const char *action)
{
	if (!commit->call->dry_run ||
	    json_array_size(commit->changes) >= LISTED_MAX)
		return 0;
	return json_array_append_new(commit->changes,
				     json_pack("{s:o, s:s}", "path",
					       path_json(path), "action",
					       action)) < 0 ?
		       -ENOMEM :
		       0;
}

/* 0: it has the path; *out_same: and the target the same. */
static int compare(const struct commit *commit, struct tree *tree,
		   const char *path, bool *out_same)
{
	struct tree_node *node;
	struct tree_attr attr;
	int rc = tree_find_path(tree, path, &node, &attr);

	*out_same = false;
	if (rc < 0)
		return rc == -ENOTDIR ? -ENOENT : rc;
	rc = commit_compare(&commit->target, path, node, &attr, out_same);
	tree_node_put(node, 1);
	return rc == -ENOENT ? 0 : rc;
}

/* What goes with a directory, and neither state knows. */
static int find_strangers(struct commit *commit, const char *path)
{
	AUTO_CLOSE int parent_fd = -1;
	struct dirent *entry;
	const char *name;
	DIR *directory;
	bool same;
	int fd, rc = commit_parent(&commit->target, path, &parent_fd, &name);

	if (rc < 0)
		return rc;
	fd = openat(parent_fd, name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	directory = fd < 0 ? NULL : fdopendir(fd);
	if (!directory)
		return errno == ENOTDIR || errno == ELOOP ? 0 : -errno;
	while (rc == 0 && (entry = readdir(directory))) {
		AUTO_FREE char *below = NULL;

		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0 ||
		    strcmp(entry->d_name, COMMIT_TEMPORARY) == 0)
			continue;
		if (asprintf(&below, "%s/%s", path, entry->d_name) < 0)
			rc = -ENOMEM;
		if (rc == 0)
			rc = compare(commit, commit->places.from, below, &same);
		if (rc == -ENOENT || (rc == 0 && !same))
			rc = compare(commit, commit->places.to, below, &same);
		if (rc == -ENOENT || (rc == 0 && !same))
			rc = add_conflict(commit, below);
		if (rc == 0 && entry->d_type == DT_DIR)
			rc = find_strangers(commit, below);
	}
	closedir(directory);
	return rc;
}

/* Done already, to be done, or in conflict. */
static int look_at(struct commit *commit, struct place *place)
{
	bool is_old = false, is_new = false, exists;
	struct stat st;
	int rc = commit_stat(&commit->target, place->path, &st);
	int in_old, in_new;

	if (rc < 0 && rc != -ENOENT)
		return rc;
	exists = rc == 0;
	in_old = compare(commit, commit->places.from, place->path, &is_old);
	in_new = compare(commit, commit->places.to, place->path, &is_new);
	if ((in_old < 0 && in_old != -ENOENT) ||
	    (in_new < 0 && in_new != -ENOENT))
		return in_old < 0 && in_old != -ENOENT ? in_old : in_new;
	place->there = place->there && in_new == 0;
	/* Written, or never another. */
	place->done = exists ? is_new && (!is_old || !place->data) :
			       in_new == -ENOENT;
	if (exists && !is_old && !is_new)
		rc = add_conflict(commit, place->path);
	else if (!exists && in_old == 0 && place->there && !place->gone)
		rc = add_conflict(commit, place->path);
	else
		rc = 0;
	if (rc == 0 && exists && place->gone && S_ISDIR(st.st_mode))
		rc = find_strangers(commit, place->path);
	return rc;
}

static bool is_covered(struct commit *commit, const struct place *place)
{
	const char *slash = place->path;

	while ((slash = strchr(slash, '/'))) {
		AUTO_FREE char *above =
			strndup(place->path, (size_t)(slash++ - place->path));
		struct place *known = NULL;

		if (above)
			HASH_FIND_STR(commit->places.list, above, known);
		if (known && known->gone)
			return true;
	}
	return false;
}

static int look_at_all(struct commit *commit)
{
	struct place *place, *next;
	int rc = 0;

	HASH_ITER(hh, commit->places.list, place, next)
	{
		if (place->gone || !is_covered(commit, place))
			rc = look_at(commit, place);
		if (rc < 0)
			return fail(commit, rc, place->path);
	}
	return 0;
}

/* --- doing --- */

static int write_object(struct commit *commit, const struct place *place,
			struct tree_node *node, const struct tree_attr *attr)
{
	struct first_name *name = NULL;
	int rc;

	if (S_ISSOCK(attr->mode))
		return 0; /* nobody listens in a copy */
	if (attr->nlink > 1 && !S_ISDIR(attr->mode))
		HASH_FIND(hh, commit->names, &attr->inode, sizeof(attr->inode),
			  name);
	rc = list_change(commit, place->path,
			 S_ISDIR(attr->mode) ? "directory" :
			 name		     ? "link" :
					       "write");
	commit->written += !S_ISDIR(attr->mode);
	if (rc == 0 && !commit->call->dry_run)
		rc = name ? commit_link(&commit->target, name->path,
					place->path) :
			    commit_write(&commit->target, place->path, node,
					 attr);
	if (rc < 0 || name || attr->nlink < 2 || S_ISDIR(attr->mode))
		return rc;
	name = calloc(1, sizeof(*name));
	if (!name)
		return -ENOMEM;
	name->inode = attr->inode;
	name->path = place->path;
	HASH_ADD(hh, commit->names, inode, sizeof(name->inode), name);
	return 0;
}

/* Data is there: it may have other attributes. */
static int write_attributes(struct commit *commit, const struct place *place,
			    struct tree_node *node,
			    const struct tree_attr *attr)
{
	int rc = place->data ? 0 :
			       list_change(commit, place->path, "attributes");

	return rc < 0 || commit->call->dry_run ?
		       rc :
		       commit_attributes(&commit->target, place->path, node,
					 attr);
}

static int write_place(struct commit *commit, struct place *place)
{
	struct tree_node *node;
	struct tree_attr attr;
	bool linked;
	int rc;

	if (!place->there)
		return 0;
	rc = tree_find_path(commit->places.to, place->path, &node, &attr);
	if (rc < 0)
		return rc;
	linked = attr.nlink > 1 && place->data;
	if (S_ISDIR(attr.mode) && place->done)
		rc = 0; /* its attributes come last */
	else if (place->done && !linked)
		rc = write_attributes(commit, place, node, &attr);
	else
		rc = write_object(commit, place, node, &attr);
	tree_node_put(node, 1);
	return rc;
}

/* What a directory took the place of goes first, with what is in it. */
static int make_way(struct commit *commit, const struct place *place)
{
	struct tree_node *node;
	struct tree_attr attr;
	int rc;

	if (!place->gone || !place->there || place->done ||
	    commit->call->dry_run)
		return 0;
	rc = tree_find_path(commit->places.to, place->path, &node, &attr);
	if (rc < 0)
		return rc;
	tree_node_put(node, 1);
	return S_ISDIR(attr.mode) ?
		       commit_remove(&commit->target, place->path) :
		       0;
}

static int remove_place(struct commit *commit, const struct place *place)
{
	int rc;

	if (!place->gone || place->there || place->done ||
	    is_covered(commit, place))
		return 0;
	rc = list_change(commit, place->path, "remove");
	commit->removed++;
	return rc < 0 || commit->call->dry_run ?
		       rc :
		       commit_remove(&commit->target, place->path);
}

static int finish_directory(struct commit *commit, const struct place *place)
{
	struct tree_node *node;
	struct tree_attr attr;
	int rc;

	if (!place->there || commit->call->dry_run)
		return 0;
	rc = tree_find_path(commit->places.to, place->path, &node, &attr);
	if (rc < 0)
		return rc;
	if (S_ISDIR(attr.mode))
		rc = commit_attributes(&commit->target, place->path, node,
				       &attr);
	tree_node_put(node, 1);
	return rc;
}

/* I3 */
static int change_all(struct commit *commit)
{
	struct place *place, *next, *last = NULL;
	int rc;

	HASH_ITER(hh, commit->places.list, place, next)
	{
		rc = make_way(commit, place);
		if (rc == 0)
			rc = write_place(commit, place);
		if (rc < 0)
			return fail(commit, rc, place->path);
		last = place;
	}
	HASH_ITER(hh, commit->places.list, place, next)
	{
		rc = remove_place(commit, place);
		if (rc < 0)
			return fail(commit, rc, place->path);
	}
	for (place = last; place; place = place->hh.prev) {
		rc = finish_directory(commit, place);
		if (rc < 0)
			return fail(commit, rc, place->path);
	}
	if (!commit->call->dry_run && syncfs(commit->target.root_fd) < 0)
		return fail(commit, -errno, ".");
	return 0;
}

static int refuse_conflicts(const struct commit *commit)
{
	struct call *call = commit->call;
	json_t *text;

	if (commit->conflict_count == 0 || call->dry_run ||
	    call_flag(call, "force"))
		return 0;
	text = path_json(commit->conflict);
	failure_set(call->failure, FAILURE_EXISTS, commit->to,
		    "%llu paths are neither as base has them nor as they will "
		    "be, such as '%s'; nothing was changed",
		    (unsigned long long)commit->conflict_count,
		    json_string_value(text));
	failure_hint(call->failure, "-n lists them; --force overwrites them");
	json_decref(text);
	return -EEXIST;
}

static int run(struct commit *commit)
{
	int rc = layer_places_find(&commit->places);

	if (rc < 0)
		return fail(commit, rc, commit->to);
	rc = look_at_all(commit);
	if (rc == 0)
		rc = refuse_conflicts(commit);
	return rc < 0 ? rc : change_all(commit);
}

static int open_target(struct commit *commit)
{
	int rc;

	if (*commit->to != '/')
		return failure_set(commit->call->failure, FAILURE_USAGE,
				   commit->to, "the path must be absolute");
	commit->target.root_fd =
		open(commit->to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (commit->target.root_fd < 0)
		return failure_errno(commit->call->failure, -errno, commit->to,
				     "can't open it");
	rc = check_not_base(commit);
	return rc < 0 ? rc : check_not_mount(commit);
}

static void commit_fini(struct commit *commit)
{
	struct first_name *name, *next;

	HASH_ITER(hh, commit->names, name, next)
	{
		HASH_DEL(commit->names, name);
		free(name);
	}
	layer_places_fini(&commit->places);
	if (commit->target.root_fd >= 0)
		close(commit->target.root_fd);
	free(commit->target.buffer);
	free((char *)commit->conflict);
	json_decref(commit->changes);
	json_decref(commit->conflicts);
}

static int put_result(struct commit *commit)
{
	struct call *call = commit->call;
	int rc = call_put(call, "to", json_text(commit->to));

	if (rc == 0)
		rc = call_put(call, "changes", json_incref(commit->changes));
	if (rc == 0)
		rc = call_put(call, "conflicts",
			      json_incref(commit->conflicts));
	if (rc == 0)
		rc = call_put(call, "conflict_count",
			      json_size(commit->conflict_count));
	if (rc == 0)
		rc = call_put(call, "written", json_size(commit->written));
	if (rc == 0)
		rc = call_put(call, "removed", json_size(commit->removed));
	if (rc == 0)
		rc = call_put(call, "written_bytes",
			      json_size(commit->target.written_bytes));
	return rc < 0 ? rc : call_put_dry_run(call);
}

static int commit_trees(struct commit *commit)
{
	struct call *call = commit->call;
	int rc = call_open_tree(call, &commit->places.to);

	if (rc < 0)
		return rc;
	rc = tree_open_base(commit->places.to, &commit->places.from,
			    call->failure);
	if (rc == 0) {
		rc = run(commit);
		tree_close(commit->places.from);
	}
	tree_close(commit->places.to);
	return rc;
}

static int commit_method(struct call *call)
{
	struct commit commit = {
		.call = call,
		.to = call_text(call, "to"),
		.target = { .root_fd = -1,
			    .buffer = malloc(COMMIT_BUFFER_BYTES) },
		.places = { .expand = true },
		.changes = json_array(),
		.conflicts = json_array(),
	};
	int rc = commit.target.buffer && commit.changes && commit.conflicts ?
			 open_target(&commit) :
			 -ENOMEM;

	if (rc == 0)
		rc = commit_trees(&commit);
	if (rc == 0)
		rc = put_result(&commit);
	commit_fini(&commit);
	return rc;
}

const struct method methods_commit[] = {
	{ "commit", "branch:s snapshot:s to:S force:b", commit_method },
	{ .name = NULL },
};

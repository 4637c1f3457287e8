/*
 * Method export of directories: a state of a tree as a directory or a tar
 * file, with owners, times, xattrs and hard links. libarchive writes both.
 *
 * Both get their name when they are durable; a directory that could not be
 * finished is left under its temporary one.
 */
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "export_impl.h"
#include "file.h"
#include "store_layers.h"

static int fail(const struct export *export, int rc, const char *what)
{
	return failure_errno(export->call->failure, rc, export->path,
			     "can't %s", what);
}

static int archive_fail(const struct export *export)
{
	int error = archive_errno(export->archive);

	failure_set(export->call->failure,
		    error == ENOSPC ? FAILURE_NO_SPACE : FAILURE_FAILED,
		    export->path, "can't export: %s",
		    archive_error_string(export->archive));
	return error > 0 ? -error : -EIO;
}

int export_checked(const struct export *export, int result)
{
	/* A warning is about what the target can't keep. */
	return result < ARCHIVE_WARN ? archive_fail(export) : 0;
}

static void set_time(struct archive_entry *entry, int64_t ns,
		     void (*set)(struct archive_entry *, time_t, long))
{
	int64_t seconds = ns / 1000000000, rest = ns % 1000000000;

	set(entry, (time_t)(rest < 0 ? seconds - 1 : seconds),
	    (long)(rest < 0 ? rest + 1000000000 : rest));
}

static int add_xattrs(struct export *export, struct tree_node *node,
		      struct archive_entry *entry)
{
	AUTO_FREE char *names = NULL;
	size_t names_bytes, at, len_bytes;
	int rc = tree_list_xattr(node, NULL, 0, &names_bytes);

	if (rc < 0 || names_bytes == 0)
		return rc == -ENOTSUP ? 0 : rc;
	names = malloc(names_bytes);
	if (!names)
		return -ENOMEM;
	rc = tree_list_xattr(node, names, names_bytes, &names_bytes);
	for (at = 0; rc == 0 && at < names_bytes;
	     at += strlen(names + at) + 1) {
		rc = tree_get_xattr(node, names + at, export->buffer,
				    COPY_BYTES, &len_bytes);
		if (rc == 0)
			archive_entry_xattr_add_entry(
				entry, names + at, export->buffer, len_bytes);
	}
	return rc;
}

/* Runs of data; the rest of the size are holes, or zeros in a tar. */
static int write_runs(struct export *export, struct file *file,
		      uint64_t size_bytes)
{
	uint64_t at = 0;
	int rc = 0;

	while (rc == 0 && at < size_bytes) {
		size_t len_bytes;

		if (export->is_dir) {
			rc = file_seek(file, at, true, &at);
			if (rc == -ENXIO)
				return 0;
		}
		if (rc == 0)
			rc = file_read(file, at, export->buffer, COPY_BYTES,
				       &len_bytes);
		if (rc < 0 || len_bytes == 0)
			return rc;
		if (export->is_dir)
			rc = export_checked(
				export, (int)archive_write_data_block(
						export->archive, export->buffer,
						len_bytes, (la_int64_t)at));
		else if (archive_write_data(export->archive, export->buffer,
					    len_bytes) < 0)
			rc = archive_fail(export);
		at += len_bytes;
		export->written_bytes += len_bytes;
	}
	return rc;
}

static int write_data(struct export *export, struct tree_node *node,
		      uint64_t size_bytes)
{
	struct file *file;
	int rc = tree_file_open(node, false, &file);

	if (rc < 0)
		return rc;
	rc = write_runs(export, file, size_bytes);
	tree_file_close(node);
	return rc;
}

/* Its first name, if it has been written under one. */
static int link_of(struct export *export, const struct tree_attr *attr,
		   const char *path, const char **out_link)
{
	struct written *written;

	*out_link = NULL;
	if (S_ISDIR(attr->mode) || attr->nlink < 2)
		return 0;
	HASH_FIND(hh, export->written, &attr->inode, sizeof(attr->inode),
		  written);
	if (written) {
		*out_link = written->path;
		return 0;
	}
	written = calloc(1, sizeof(*written));
	if (!written)
		return -ENOMEM;
	written->inode = attr->inode;
	written->path = strdup(path);
	HASH_ADD(hh, export->written, inode, sizeof(written->inode), written);
	return written->path ? 0 : -ENOMEM;
}

static int fill_entry(struct export *export, struct tree_node *node,
		      const struct tree_attr *attr, const char *path,
		      struct archive_entry *entry)
{
	char target[PATH_MAX + 1];
	const char *link;
	int rc = link_of(export, attr, path, &link);

	archive_entry_set_pathname(entry, path);
	archive_entry_set_mode(entry, (mode_t)attr->mode);
	archive_entry_set_uid(entry, attr->uid);
	archive_entry_set_gid(entry, attr->gid);
	archive_entry_set_rdev(entry, (dev_t)attr->rdev);
	set_time(entry, attr->mtime_ns, archive_entry_set_mtime);
	set_time(entry, attr->atime_ns, archive_entry_set_atime);
	archive_entry_set_size(entry, S_ISREG(attr->mode) && !link ?
					      (la_int64_t)attr->size_bytes :
					      0);
	if (rc == 0 && link) {
		archive_entry_set_hardlink(entry, link);
		return 0;
	}
	if (rc == 0 && S_ISLNK(attr->mode)) {
		rc = tree_readlink(node, target, sizeof(target));
		if (rc == 0)
			archive_entry_set_symlink(entry, target);
	}
	if (export->is_opaque)
		archive_entry_xattr_add_entry(entry, "trusted.overlay.opaque",
					      "y", 1);
	return rc < 0 ? rc : add_xattrs(export, node, entry);
}

int export_object(struct export *export, struct tree_node *node,
		  const struct tree_attr *attr, const char *path)
{
	struct archive_entry *entry;
	bool has_data;
	int rc;

	if (S_ISSOCK(attr->mode))
		return 0; /* nobody listens in a copy */
	entry = archive_entry_new();
	if (!entry)
		return -ENOMEM;
	rc = fill_entry(export, node, attr, path, entry);
	has_data = S_ISREG(attr->mode) && !archive_entry_hardlink(entry);
	if (rc == 0)
		rc = export_checked(
			export, archive_write_header(export->archive, entry));
	if (rc == 0 && has_data)
		rc = write_data(export, node, attr->size_bytes);
	if (rc == 0)
		rc = export_checked(
			export, archive_write_finish_entry(export->archive));
	archive_entry_free(entry);
	export->object_count += rc == 0;
	return rc;
}

int export_below(struct export *export, struct tree_node *node,
		 const char *path)
{
	struct tree_listing *listing;
	size_t i;
	int rc = tree_list(node, &listing);

	if (rc < 0)
		return rc;
	for (i = 0; i < listing->count && rc == 0; i++) {
		const char *name = listing->entries[i].name;
		AUTO_FREE char *below = NULL;
		struct tree_node *child;
		struct tree_attr seen;

		if (asprintf(&below, "%s/%s", path, name) < 0) {
			rc = -ENOMEM;
			break;
		}
		rc = tree_lookup(node, name, &child, &seen);
		if (rc < 0)
			break;
		rc = export_subtree(export, child, &seen, below);
		tree_node_put(child, 1);
	}
	tree_listing_free(listing);
	return rc;
}

int export_subtree(struct export *export, struct tree_node *node,
		   const struct tree_attr *attr, const char *path)
{
	int rc = export_object(export, node, attr, path);

	return rc < 0 || !S_ISDIR(attr->mode) ?
		       rc :
		       export_below(export, node, path);
}

const char *export_root(const struct export *export)
{
	return export->is_dir ? export->temporary : ".";
}

static int open_archive(struct export *export)
{
	int result;

	if (export->is_dir) {
		export->archive = archive_write_disk_new();
		if (!export->archive)
			return -ENOMEM;
		return export_checked(export,
				      archive_write_disk_set_options(
					      export->archive,
					      ARCHIVE_EXTRACT_OWNER |
						      ARCHIVE_EXTRACT_PERM |
						      ARCHIVE_EXTRACT_TIME |
						      ARCHIVE_EXTRACT_XATTR |
						      ARCHIVE_EXTRACT_ACL));
	}
	export->archive = archive_write_new();
	if (!export->archive)
		return -ENOMEM;
	result = archive_write_set_format_pax(export->archive);
	/* Who may not read the tree shall not read it here. */
	export->fd =
		open(export->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		     (mode_t)call_number(export->call, "mode", 0600) & 0666);
	if (export->fd < 0)
		return -errno;
	if (result >= ARCHIVE_WARN)
		result = archive_write_open_fd(export->archive, export->fd);
	return export_checked(export, result);
}

static int publish(struct export *export)
{
	AUTO_CLOSE int fd = -1;
	bool force = call_flag(export->call, "force") && !export->is_dir;

	fd = open(export->temporary, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || (export->is_dir ? syncfs(fd) : fsync(fd)) < 0)
		return fail(export, -errno, "write it to disk");
	if (renameat2(AT_FDCWD, export->temporary, AT_FDCWD, export->path,
		      force ? 0 : RENAME_NOREPLACE) < 0)
		return fail(export, -errno, "put it in its place");
	return 0;
}

static void export_fini(struct export *export)
{
	struct written *written, *next;

	if (export->archive)
		archive_write_free(export->archive);
	HASH_ITER(hh, export->written, written, next)
	{
		HASH_DEL(export->written, written);
		free(written->path);
		free(written);
	}
	if (export->fd >= 0)
		close(export->fd);
	free(export->buffer);
}

static int run(struct export *export, struct tree *tree)
{
	struct tree_attr attr;
	int rc = tree_get_attr(tree_root(tree), &attr);

	export->buffer = malloc(COPY_BYTES);
	if (rc == 0 && !export->buffer)
		rc = -ENOMEM;
	if (rc == 0)
		rc = open_archive(export);
	if (rc == 0)
		rc = export->from ? export_layer(export, tree) :
				    export_subtree(export, tree_root(tree),
						   &attr, export_root(export));
	if (rc == 0)
		rc = export_checked(export,
				    archive_write_close(export->archive));
	if (rc == 0)
		rc = publish(export);
	if (rc < 0 && !export->is_dir)
		unlink(export->temporary);
	return rc < 0 ? fail(export, rc, "export") : 0;
}

/* What the layer is to be put upon. */
static int open_since(struct export *export, struct tree *to)
{
	struct call *call = export->call;
	const char *since = call_text(call, "since");
	struct snapshot_info *info;
	struct view *view;
	int rc;

	if (!since)
		return 0;
	if (strcmp(since, "base") == 0)
		return tree_open_base(to, &export->from, call->failure);
	info = malloc(sizeof(*info));
	rc = info ? call_find_snapshot(call, call_text(call, "branch"), since,
				       info) :
		    -ENOMEM;
	if (rc == 0)
		rc = call_open_view(call, NULL, info->id, &view);
	free(info);
	return rc < 0 ? rc :
			tree_open_reader(view, &export->from, call->failure);
}

static int export_both(struct export *export, struct tree *tree)
{
	int rc = open_since(export, tree);

	if (rc == 0 && !export->call->dry_run)
		rc = run(export, tree);
	if (export->from)
		tree_close(export->from);
	return rc;
}

static int check_options(struct export *export)
{
	struct call *call = export->call;
	const char *format = call_text(call, "format");
	const char *whiteouts = call_text(call, "whiteouts");
	int rc;

	export->is_dir = format && strcmp(format, "dir") == 0;
	if (!export->is_dir && (!format || strcmp(format, "tar") != 0)) {
		rc = failure_set(call->failure, FAILURE_USAGE, NULL,
				 "there is no image to export");
		failure_hint(call->failure, "a tree: -O dir or -O tar");
		return rc;
	}
	if (whiteouts && !call_text(call, "since"))
		return failure_set(call->failure, FAILURE_USAGE, NULL,
				   "there are whiteouts in a layer only: "
				   "--since SNAPSHOT");
	export->is_overlay = whiteouts && strcmp(whiteouts, "overlay") == 0;
	if (whiteouts && !export->is_overlay && strcmp(whiteouts, "oci") != 0)
		return failure_set(call->failure, FAILURE_USAGE, whiteouts,
				   "whiteouts are those of oci or overlay");
	return 0;
}

/* Rule 1: nothing is written to base. */
static int check_not_base(const struct export *export)
{
	AUTO_FREE char *copy = strdup(export->path);
	AUTO_FREE char *above = copy ? realpath(dirname(copy), NULL) : NULL;
	size_t count, i;
	const struct base_row *rows =
		store_layer_rows(export->call->store, &count);

	for (i = 0; above && i < count; i++) {
		const char *layer = rows[i].fingerprint.path;
		size_t len_bytes = strlen(layer);

		if (strncmp(above, layer, len_bytes) == 0 &&
		    (above[len_bytes] == '/' || !above[len_bytes]))
			return failure_set(export->call->failure, FAILURE_USAGE,
					   export->path,
					   "lies inside the layer %s", layer);
	}
	return copy ? 0 : -ENOMEM;
}

static int check_target(struct export *export)
{
	struct stat st;

	if (*export->path != '/')
		return failure_set(export->call->failure, FAILURE_USAGE,
				   export->path, "the path must be absolute");
	if (lstat(export->path, &st) == 0 &&
	    (export->is_dir || !call_flag(export->call, "force")))
		return failure_set(export->call->failure, FAILURE_EXISTS,
				   export->path, "exists already");
	if ((size_t)snprintf(export->temporary, sizeof(export->temporary),
			     "%s.cowd-part",
			     export->path) >= sizeof(export->temporary))
		return -ENAMETOOLONG;
	if (lstat(export->temporary, &st) == 0)
		return failure_set(export->call->failure, FAILURE_EXISTS,
				   export->temporary,
				   "is left from an export, or one runs");
	return 0;
}

int call_export_tree(struct call *call)
{
	struct export *export = calloc(1, sizeof(*export));
	struct tree *tree;
	int rc = export ? 0 : -ENOMEM;

	if (rc < 0)
		return rc;
	export->call = call;
	export->fd = -1;
	export->path = call_text(call, "path");
	rc = check_options(export);
	if (rc == 0)
		rc = check_target(export);
	if (rc == 0)
		rc = check_not_base(export);
	if (rc == 0)
		rc = call_open_tree(call, &tree);
	if (rc == 0) {
		rc = export_both(export, tree);
		tree_close(tree);
	}
	if (rc == 0)
		rc = call_put(call, "path", json_text(export->path));
	if (rc == 0)
		rc = call_put(call, "size_bytes", json_null());
	if (rc == 0)
		rc = call_put(call, "written_bytes",
			      json_size(export->written_bytes));
	if (rc == 0)
		rc = call_put(call, "branch",
			      json_text_or_null(call_text(call, "branch")));
	if (rc == 0)
		rc = call_put(call, "snapshot",
			      json_text_or_null(call_text(call, "snapshot")));
	export_fini(export);
	free(export);
	return rc < 0 ? rc : call_put_dry_run(call);
}

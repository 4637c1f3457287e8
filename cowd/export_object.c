/*
 * One object of a tree into an archive of libarchive, with owner, times,
 * xattrs and hard links; and all that is below one.
 */
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "export_impl.h"
#include "file.h"

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

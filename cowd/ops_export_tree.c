/*
 * Method export of directories: a state of a tree as a directory or a tar
 * file, with owners, times, xattrs and hard links. libarchive writes both.
 *
 * Both get their name when they are durable; a directory that could not be
 * finished is left under its temporary one.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "export_impl.h"
#include "store_layers.h"

static int fail(const struct export *export, int rc, const char *what)
{
	return failure_errno(export->call->failure, rc, export->path,
			     "can't %s", what);
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

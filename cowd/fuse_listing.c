/*
 * Listings of the root and of .snapshots.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuse_impl.h"
#include "history.h"

struct entry {
	fuse_ino_t node;
	mode_t mode;
	char *name;
};

struct directory {
	size_t count;
	struct entry *entries;
};

static void free_directory(struct directory *directory)
{
	size_t i;

	for (i = 0; directory && i < directory->count; i++)
		free(directory->entries[i].name);
	if (directory)
		free(directory->entries);
	free(directory);
}

static int add_entry(struct directory *directory, const char *name,
		     fuse_ino_t node, mode_t mode)
{
	struct entry *grown =
		realloc(directory->entries,
			(directory->count + 1) * sizeof(struct entry));
	char *copy = strdup(name);

	if (grown)
		directory->entries = grown;
	if (!grown || !copy) {
		free(copy);
		return -ENOMEM;
	}
	grown[directory->count++] = (struct entry){ node, mode, copy };
	return 0;
}

static int list_snapshots(struct mount *mount, struct directory *directory)
{
	char branch[STORE_NAME_BYTES_MAX + 1];
	struct snapshot_info *list = NULL;
	size_t count = 0, i;
	int rc;

	mount_branch(mount, branch);
	rc = history_snapshots(mount->store, branch, false, &list, &count,
			       NULL);
	for (i = 0; i < count && rc == 0; i++)
		rc = add_entry(directory, list[i].name,
			       SNAPSHOT_NODE + (fuse_ino_t)list[i].id, S_IFREG);
	free(list);
	return rc;
}

/* The listing as of opendir: stable under change, seekable. */
void image_opendir(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	struct mount *mount = image_mount(req);
	struct directory *directory = calloc(1, sizeof(*directory));
	int rc = directory ? 0 : -ENOMEM;

	if (node != FUSE_ROOT_ID && node != SNAPDIR_NODE)
		rc = -ENOTDIR;
	if (rc == 0)
		rc = add_entry(directory, ".", node, S_IFDIR);
	if (rc == 0)
		rc = add_entry(directory, "..", FUSE_ROOT_ID, S_IFDIR);
	if (rc == 0 && node == FUSE_ROOT_ID)
		rc = add_entry(directory, mount->options.name, IMAGE_NODE,
			       S_IFREG);
	if (rc == 0 && node == FUSE_ROOT_ID &&
	    mount->options.snapdir == SNAPDIR_VISIBLE)
		rc = add_entry(directory, SNAPDIR_NAME, SNAPDIR_NODE, S_IFDIR);
	if (rc == 0 && node == SNAPDIR_NODE)
		rc = list_snapshots(mount, directory);
	if (rc < 0) {
		free_directory(directory);
		fuse_reply_err(req, image_errno(rc));
		return;
	}
	fi->fh = (uintptr_t)directory;
	if (fuse_reply_open(req, fi) == -ENOENT) /* interrupted */
		free_directory(directory);
}

/* An offset is the number of the next entry; any number may come. */
void image_readdir(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
		   struct fuse_file_info *fi)
{
	const struct directory *directory =
		(struct directory *)(uintptr_t)fi->fh;
	AUTO_FREE char *data = malloc(size);
	size_t used = 0, i;

	(void)node;
	if (!data) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	for (i = (size_t)offset; i < directory->count; i++) {
		const struct entry *entry = &directory->entries[i];
		struct stat st = { .st_ino = entry->node,
				   .st_mode = entry->mode };
		size_t bytes = fuse_add_direntry(req, data + used, size - used,
						 entry->name, &st,
						 (off_t)(i + 1));

		if (bytes > size - used)
			break; /* it did not fit */
		used += bytes;
	}
	fuse_reply_buf(req, data, used);
}

void image_releasedir(fuse_req_t req, fuse_ino_t node,
		      struct fuse_file_info *fi)
{
	(void)node;
	free_directory((struct directory *)(uintptr_t)fi->fh);
	fuse_reply_err(req, 0);
}

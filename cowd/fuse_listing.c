/*
 * Listings of the root and of .snapshots.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuse_impl.h"
#include "history.h"

struct directory {
	size_t used, count;
	char *entries; /* of fuse_add_direntry */
};

static int add_entry(fuse_req_t req, struct directory *directory,
		     const char *name, fuse_ino_t node, mode_t mode)
{
	struct stat st = { .st_ino = node, .st_mode = mode };
	size_t bytes = fuse_add_direntry(req, NULL, 0, name, NULL, 0);
	char *grown = realloc(directory->entries, directory->used + bytes);

	if (!grown)
		return -ENOMEM;
	directory->entries = grown;
	fuse_add_direntry(req, grown + directory->used, bytes, name, &st,
			  (off_t)(directory->used + bytes));
	directory->used += bytes;
	return 0;
}

static int list_snapshots(fuse_req_t req, struct directory *directory)
{
	struct mount *mount = image_mount(req);
	struct snapshot_info *list = NULL;
	size_t count = 0, i;
	int rc = history_snapshots(mount->store, mount->branch, false, &list,
				   &count, NULL);

	for (i = 0; i < count && rc == 0; i++)
		rc = add_entry(req, directory, list[i].name,
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
		rc = add_entry(req, directory, ".", node, S_IFDIR);
	if (rc == 0)
		rc = add_entry(req, directory, "..", FUSE_ROOT_ID, S_IFDIR);
	if (rc == 0 && node == FUSE_ROOT_ID)
		rc = add_entry(req, directory, mount->options.name, IMAGE_NODE,
			       S_IFREG);
	if (rc == 0 && node == FUSE_ROOT_ID &&
	    mount->options.snapdir == SNAPDIR_VISIBLE)
		rc = add_entry(req, directory, SNAPDIR_NAME, SNAPDIR_NODE,
			       S_IFDIR);
	if (rc == 0 && node == SNAPDIR_NODE)
		rc = list_snapshots(req, directory);
	if (rc < 0) {
		if (directory)
			free(directory->entries);
		free(directory);
		fuse_reply_err(req, image_errno(rc));
		return;
	}
	fi->fh = (uintptr_t)directory;
	fuse_reply_open(req, fi);
}

/* An entry's size is told by its name. */
static size_t entry_bytes(const struct directory *directory, size_t at)
{
	uint32_t name_bytes;

	memcpy(&name_bytes, directory->entries + at + 16, 4);
	return (24 + name_bytes + 7) & ~(size_t)7;
}

/* The offset may be any that somebody gave to lseek: what begins no entry
 * goes on with the next. */
void image_readdir(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
		   struct fuse_file_info *fi)
{
	struct directory *directory = (struct directory *)(uintptr_t)fi->fh;
	size_t begin = 0, end;

	(void)node;
	while (begin < directory->used && begin < (uint64_t)offset)
		begin += entry_bytes(directory, begin);
	end = begin; /* only whole entries fit */
	while (end < directory->used &&
	       end + entry_bytes(directory, end) - begin <= size)
		end += entry_bytes(directory, end);
	fuse_reply_buf(req, directory->entries + begin, end - begin);
}

void image_releasedir(fuse_req_t req, fuse_ino_t node,
		      struct fuse_file_info *fi)
{
	struct directory *directory = (struct directory *)(uintptr_t)fi->fh;

	(void)node;
	free(directory->entries);
	free(directory);
	fuse_reply_err(req, 0);
}

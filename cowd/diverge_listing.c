/*
 * Listings: what the layers have, a name once, as it was when the directory
 * was opened.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "diverge_front.h"

struct listed {
	ino_t inode;
	mode_t kind; /* S_IFMT bits, as readdir has them */
	UT_hash_handle hh;
	char name[];
};

/* In the order of the hash table, which is that of insertion. */
struct listing {
	struct listed *names;
	struct listed **entries;
	size_t count;
	ino_t inode, parent;	       /* of "." and ".." */
	struct diverge_handle *handle; /* so that it can be asked when gone */
};

static void listing_free(struct listing *listing)
{
	struct listed *listed, *next;

	if (!listing)
		return;
	HASH_ITER(hh, listing->names, listed, next)
	{
		HASH_DEL(listing->names, listed);
		free(listed);
	}
	free(listing->entries);
	free(listing);
}

static bool is_shown(fuse_req_t req, const struct diverge *diverge,
		     const char *path, const char *name)
{
	struct diverge_found found = DIVERGE_FOUND_NONE;
	char below[PATH_MAX];
	bool shown = true;

	if (strncmp(name, DIVERGE_COPY_NAME, strlen(DIVERGE_COPY_NAME)) == 0)
		return false;
	if (diverge_join(path, name, below) < 0)
		return false;
	if (diverge->holes && holes_has(diverge->holes, below))
		return false;
	if (req && diverge->hides) {
		shown = diverge_see(req, below, &found) == 0;
		diverge_found_close(&found);
	}
	return shown;
}

static int add_name(struct listing *listing, const struct diverge *diverge,
		    unsigned layer, const struct dirent *entry)
{
	size_t name_bytes = strlen(entry->d_name);
	struct listed *listed;

	HASH_FIND(hh, listing->names, entry->d_name, name_bytes, listed);
	if (listed)
		return 0;
	listed = calloc(1, sizeof(*listed) + name_bytes + 1);
	if (!listed)
		return -ENOMEM;
	memcpy(listed->name, entry->d_name, name_bytes + 1);
	listed->inode = diverge_inode(diverge, layer, entry->d_ino);
	listed->kind = DTTOIF(entry->d_type);
	HASH_ADD_KEYPTR(hh, listing->names, listed->name, name_bytes, listed);
	listing->count++;
	return 0;
}

static int add_layer(fuse_req_t req, struct listing *listing,
		     const struct diverge *diverge, const char *path,
		     const struct diverge_found *found)
{
	int fd = openat(found->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int rc = 0;

	if (!directory) {
		rc = -errno;
		if (fd >= 0)
			close(fd);
		return rc;
	}
	while (rc == 0 && (errno = 0, entry = readdir(directory)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0 ||
		    !is_shown(req, diverge, path, entry->d_name))
			continue;
		rc = add_name(listing, diverge, found->layer, entry);
	}
	if (rc == 0)
		rc = -errno;
	closedir(directory);
	return rc;
}

/* req NULL: hidden names, too. */
static int list(fuse_req_t req, struct diverge *diverge, const char *path,
		struct listing *listing)
{
	AUTO_FOUND struct diverge_found found = DIVERGE_FOUND_NONE;
	int rc = diverge_find(diverge, path, &found);
	unsigned layer;

	if (rc == -ENOENT)
		return rc;
	if (rc == 0 && !S_ISDIR(found.st.st_mode))
		rc = -ENOTDIR;
	while (rc == 0) {
		rc = add_layer(req, listing, diverge, path, &found);
		layer = found.layer;
		diverge_found_close(&found);
		if (rc == 0)
			rc = diverge_find_next(diverge, path, layer, &found);
	}
	return rc == -ENOENT ? 0 : rc;
}

static int listing_new(fuse_req_t req, struct diverge *diverge,
		       const char *path, struct listing **out_listing)
{
	struct listing *listing = calloc(1, sizeof(*listing));
	struct listed *listed;
	size_t i = 0;
	int rc = listing ? list(req, diverge, path, listing) : -ENOMEM;

	if (rc == 0) {
		listing->entries =
			calloc(listing->count + 1, sizeof(*listing->entries));
		if (!listing->entries)
			rc = -ENOMEM;
	}
	if (rc < 0) {
		listing_free(listing);
		return rc;
	}
	for (listed = listing->names; listed; listed = listed->hh.next)
		listing->entries[i++] = listed;
	*out_listing = listing;
	return 0;
}

int diverge_check_empty(struct diverge *diverge, const char *path)
{
	struct listing *listing = NULL;
	int rc = listing_new(NULL, diverge, path, &listing);

	if (rc == 0 && listing->count > 0)
		rc = -ENOTEMPTY;
	listing_free(listing);
	return rc;
}

/* What the kernel was told of the directory, of the one that it is in, and of
 * what is in it. */
static void note_inodes(struct diverge *diverge,
			const struct diverge_node *node,
			struct listing *listing)
{
	ino_t known;
	size_t i;

	mutex_lock(&diverge->lock);
	listing->inode = node->shown_inode;
	mutex_unlock(&diverge->lock);
	listing->parent = diverge_parent_inode(diverge, node);
	if (!listing->inode)
		listing->inode = node->id;
	if (!listing->parent)
		listing->parent = FUSE_ROOT_ID;
	for (i = 0; i < listing->count; i++) {
		known = diverge_known_inode(diverge, node,
					    listing->entries[i]->name);
		if (known)
			listing->entries[i]->inode = known;
	}
}

static void close_listing(struct diverge *diverge, struct listing *listing)
{
	diverge_handle_free(diverge, listing->handle);
	listing_free(listing);
}

static int keep_open(struct diverge_request *request, struct listing *listing)
{
	AUTO_FOUND struct diverge_found found = DIVERGE_FOUND_NONE;
	struct diverge_handle *handle = calloc(1, sizeof(*handle));
	int rc = handle ? diverge_find_node(request, &found) : -ENOMEM;

	if (rc < 0) {
		free(handle);
		return rc;
	}
	handle->fd = take_fd(&found.fd);
	handle->layer = found.layer;
	diverge_node_add_handle(request->diverge, request->node, handle);
	listing->handle = handle;
	return 0;
}

void diverge_opendir(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	struct listing *listing = NULL;
	struct diverge_request request;
	int rc = diverge_begin(&request, req, id, NULL, false);

	if (rc == 0) {
		rc = request.has_path ? listing_new(req, request.diverge,
						    request.path, &listing) :
					-ENOENT;
		if (rc == 0)
			note_inodes(request.diverge, request.node, listing);
		if (rc == 0)
			rc = keep_open(&request, listing);
		diverge_end(&request);
	}
	if (rc < 0) {
		listing_free(listing);
		fuse_reply_err(req, -rc);
		return;
	}
	fi->fh = (uint64_t)(uintptr_t)listing;
	if (fuse_reply_open(req, fi) == -ENOENT)
		close_listing(request.diverge, listing);
}

/* A piece of a listing that is being put together. */
struct piece {
	fuse_req_t req;
	const struct diverge_request *request; /* NULL: names only */
	const struct listing *listing;
	char *buffer;
	size_t size, used;
};

/* Of the place in a listing: 0 is ".", 1 "..", then the entries. */
static const char *name_at(const struct listing *listing, size_t at,
			   struct stat *st)
{
	const struct listed *listed = at < 2 ? NULL : listing->entries[at - 2];

	st->st_ino = listed ? listed->inode :
		     at	    ? listing->parent :
			      listing->inode;
	st->st_mode = listed ? listed->kind : S_IFDIR;
	return listed ? listed->name : at ? ".." : ".";
}

/* With what is known of it, unless it is gone by now. */
static bool add_known(struct piece *piece, const char *name, size_t at,
		      struct fuse_entry_param *entry)
{
	const struct diverge_request *request = piece->request;
	struct diverge_node *node = NULL;
	char path[PATH_MAX];
	size_t room = piece->size - piece->used, bytes;

	if (at < 2 || !request->has_path ||
	    diverge_join(request->path, name, path) < 0 ||
	    diverge_fill_entry(piece->req, request->node, path, &node, entry) <
		    0)
		node = NULL;
	bytes = fuse_add_direntry_plus(piece->req, piece->buffer + piece->used,
				       room, name, entry, (off_t)at + 1);
	if (bytes <= room)
		piece->used += bytes;
	else if (node)
		diverge_node_put(request->diverge, node, 1);
	return bytes <= room;
}

static bool add_entry(struct piece *piece, size_t at)
{
	struct fuse_entry_param entry = { .ino = 0 };
	const char *name = name_at(piece->listing, at, &entry.attr);
	size_t room = piece->size - piece->used, bytes;

	if (piece->request)
		return add_known(piece, name, at, &entry);
	bytes = fuse_add_direntry(piece->req, piece->buffer + piece->used, room,
				  name, &entry.attr, (off_t)at + 1);
	if (bytes <= room)
		piece->used += bytes;
	return bytes <= room;
}

static void reply_piece(fuse_req_t req, const struct diverge_request *request,
			size_t size, off_t offset,
			const struct fuse_file_info *fi)
{
	const struct listing *listing =
		(const struct listing *)(uintptr_t)fi->fh;
	AUTO_FREE char *buffer = malloc(size);
	struct piece piece = { req, request, listing, buffer, size, 0 };
	size_t at = offset < 0 ? 0 : (size_t)offset;

	if (!buffer) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	while (at < listing->count + 2 && add_entry(&piece, at))
		at++;
	fuse_reply_buf(req, buffer, piece.used);
}

void diverge_readdir(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset,
		     struct fuse_file_info *fi)
{
	(void)id;
	reply_piece(req, NULL, size, offset, fi);
}

void diverge_readdirplus(fuse_req_t req, fuse_ino_t id, size_t size,
			 off_t offset, struct fuse_file_info *fi)
{
	struct diverge_request request;
	int rc = diverge_begin(&request, req, id, NULL, false);

	if (rc < 0) {
		fuse_reply_err(req, -rc);
		return;
	}
	reply_piece(req, &request, size, offset, fi);
	diverge_end(&request);
}

void diverge_releasedir(fuse_req_t req, fuse_ino_t id,
			struct fuse_file_info *fi)
{
	(void)id;
	close_listing(diverge_of(req), (struct listing *)(uintptr_t)fi->fh);
	fuse_reply_err(req, 0);
}

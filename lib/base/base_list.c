/*
 * Listing a directory of the merged base, layer by layer. What an upper layer
 * has hides the same name below; only then are names kept.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "layers.h"
#include "layers_impl.h"
#include "name_set.h"

struct walk {
	struct base_node *directory;
	base_visit *visit;
	void *context;
	struct name_set seen;
	const struct layer *layer;
	int dir_fd;
	dev_t device;		/* of the directory */
	bool is_first, is_last; /* layer of those that are merged */
	bool asks_numbers;	/* a directory may be known by one below */
};

/* 0: vanished meanwhile. */
static int kind_of(const struct walk *walk, const struct dirent *entry,
		   uint32_t *out_kind)
{
	struct base_stat stat;
	int rc;

	*out_kind = entry->d_type;
	if (entry->d_type != DT_UNKNOWN)
		return 0;
	rc = base_look(walk->layer, walk->dir_fd, entry->d_name, &stat);
	if (rc == 0)
		*out_kind = (stat.stat.st_mode & S_IFMT) >> 12;
	return rc == -ENOENT ? 0 : rc;
}

/* The number that a look-up tells. 0: vanished meanwhile. */
static int number_of(const struct walk *walk, const struct dirent *entry,
		     uint32_t kind, uint64_t *out_number)
{
	struct base_node *node;
	struct base_stat stat;
	int rc;

	*out_number = base_number(walk->layer->id,
				  base_inode_of(walk->layer, walk->device,
						entry->d_ino));
	if (kind != DT_DIR || !walk->asks_numbers)
		return 0;
	rc = base_lookup(walk->directory, entry->d_name, &node, &stat);
	if (rc < 0) {
		*out_number = 0;
		return rc == -ENOENT ? 0 : rc;
	}
	*out_number = stat.inode;
	base_node_put(node);
	return 0;
}

static int visit_entry(struct walk *walk, const struct dirent *entry)
{
	const char *name = entry->d_name;
	bool is_new = true;
	uint64_t number;
	uint32_t kind;
	int rc;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return 0;
	/* Some file systems have them; they can't be looked up here. */
	if (strlen(name) > NAME_MAX)
		return 0;
	if (!walk->is_first && name_set_has(&walk->seen, name))
		return 0;
	rc = kind_of(walk, entry, &kind);
	if (rc < 0 || kind == DT_UNKNOWN)
		return rc;
	if (!walk->is_last)
		rc = name_set_add(&walk->seen, name, &is_new);
	if (rc < 0 || !is_new)
		return rc;
	rc = number_of(walk, entry, kind, &number);
	if (rc < 0 || number == 0)
		return rc;
	return walk->visit(walk->context, name, number, kind);
}

static int list_entries(struct walk *walk, DIR *listing)
{
	const struct dirent *entry;
	int rc = 0;

	while (rc == 0) {
		errno = 0;
		entry = readdir(listing);
		if (!entry)
			return -errno;
		rc = visit_entry(walk, entry);
	}
	return rc;
}

static int list_layer(struct walk *walk)
{
	int fd = base_open_listing(walk->dir_fd);
	DIR *listing;
	struct stat st;
	int rc;

	if (fd < 0)
		return fd;
	listing = fstat(fd, &st) == 0 ? fdopendir(fd) : NULL;
	walk->device = st.st_dev;
	if (!listing) {
		rc = -errno;
		close(fd);
		return rc;
	}
	rc = list_entries(walk, listing);
	closedir(listing);
	return rc;
}

/* Is one of those below of a lower id? */
static bool any_lower(const struct layers *layers, unsigned nr, uint64_t below)
{
	for (; below; below &= below - 1)
		if (layers->layer[__builtin_ctzll(below)].id <
		    layers->layer[nr].id)
			return true;
	return false;
}

static int list_merged(struct walk *walk, struct base_node *directory)
{
	uint64_t left = directory_of(directory)->merged;
	int rc = 0;

	for (walk->is_first = true; rc == 0 && left; left &= left - 1) {
		unsigned nr = (unsigned)__builtin_ctzll(left);
		struct base_dir dir;

		rc = base_dir_get(directory, nr, &dir);
		if (rc == -EXDEV) {
			rc = 0; /* mounted on since; nothing to see */
			continue;
		}
		if (rc < 0)
			break;
		walk->layer = &directory->layers->layer[nr];
		walk->dir_fd = dir.fd;
		walk->is_last = !(left & (left - 1));
		walk->asks_numbers =
			any_lower(directory->layers, nr, left & (left - 1));
		rc = list_layer(walk);
		walk->is_first = false;
		base_dir_put(directory, &dir);
	}
	return rc;
}

int base_list(struct base_node *directory, base_visit *visit, void *context)
{
	struct walk walk = { .directory = directory,
			     .visit = visit,
			     .context = context };
	int rc;

	if (!node_is_directory(directory))
		return -ENOTDIR;
	rc = list_merged(&walk, directory);
	name_set_fini(&walk.seen);
	return rc;
}

/*
 * Objects of the merged base by their place: parent, name and the layers that
 * have it.
 *
 * I1: a node holds its parent, the root holds the stack.
 * I2: in every layer of merged the node was a directory with nothing mounted
 *     on it when it was looked up; the lowest ones are cut off by the first
 *     layer where it is something else.
 * I3: its number and base_inode are those that it has in the layer of merged
 *     with the lowest id, unless base_node_set_number says otherwise.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "layers.h"
#include "layers_impl.h"

/* linux/magic.h does not have it. */
#define ZFS_SUPER_MAGIC 0x2fc12fc1

static uint8_t kind_of(const struct stat *st)
{
	return (uint8_t)((st->st_mode & S_IFMT) >> 12);
}

/* Fills all but merged. */
static struct base_node *node_new(struct layers *layers,
				  struct base_node *parent, const char *name,
				  unsigned layer_nr,
				  const struct base_stat *stat)
{
	size_t front_bytes = S_ISDIR(stat->stat.st_mode) ?
				     offsetof(struct base_directory, node) :
				     0;
	size_t name_bytes = strlen(name) + 1;
	char *memory = malloc(front_bytes + offsetof(struct base_node, name) +
			      name_bytes);
	struct base_node *node;

	if (!memory)
		return NULL;
	memset(memory, 0, front_bytes + offsetof(struct base_node, name));
	node = (struct base_node *)(void *)(memory + front_bytes);
	node->layers = layers;
	node->parent = parent ? base_node_get(parent) : NULL; /* I1 */
	node->refs = 1;
	node->layer_nr = (uint8_t)layer_nr;
	node->kind = kind_of(&stat->stat);
	node->mounted_over = stat->mounted_over;
	memcpy(node->name, name, name_bytes);
	return node;
}

struct base_node *base_node_get(struct base_node *node)
{
	__atomic_add_fetch(&node->refs, 1, __ATOMIC_RELAXED);
	return node;
}

/* Not by recursion: a tree may be deep. */
void base_node_put(struct base_node *node)
{
	while (node &&
	       __atomic_sub_fetch(&node->refs, 1, __ATOMIC_ACQ_REL) == 0) {
		struct base_node *parent = node->parent;

		if (node_is_directory(node))
			base_dir_forget(node);
		if (!parent)
			layers_put(node->layers); /* I1 */
		if (node_is_directory(node))
			free(directory_of(node));
		else
			free(node);
		node = parent;
	}
}

const char *base_node_name(const struct base_node *node)
{
	return node->name;
}

struct base_node *base_node_parent(struct base_node *node)
{
	return node->parent;
}

uint32_t base_node_layer(const struct base_node *node)
{
	return node->layers->layer[node->layer_nr].id;
}

struct layers *base_node_layers(struct base_node *node)
{
	return node->layers;
}

uint64_t base_node_number(const struct base_node *directory)
{
	return __atomic_load_n(&const_directory_of(directory)->number,
			       __ATOMIC_RELAXED);
}

void base_node_set_number(struct base_node *directory, uint64_t number)
{
	__atomic_store_n(&directory_of(directory)->number, number,
			 __ATOMIC_RELAXED);
}

bool base_node_has_layer(const struct base_node *directory, uint32_t layer)
{
	const struct layers *layers = directory->layers;
	uint64_t left = const_directory_of(directory)->merged;

	for (; left; left &= left - 1)
		if (layers->layer[__builtin_ctzll(left)].id == layer)
			return true;
	return false;
}

void base_node_path(struct base_node *node, char *path, size_t path_bytes)
{
	static const char cut[] = "...";
	size_t at = path_bytes - 1; /* filled from the end */

	assert(path_bytes > sizeof(cut));
	path[at] = '\0';
	if (!node->parent)
		path[--at] = '/';
	for (; node->parent; node = node->parent) {
		size_t name_bytes = strlen(node->name);

		if (name_bytes + 1 + sizeof(cut) > at) {
			at -= sizeof(cut) - 1;
			memcpy(path + at, cut, sizeof(cut) - 1);
			break;
		}
		at -= name_bytes;
		memcpy(path + at, node->name, name_bytes);
		path[--at] = '/';
	}
	memmove(path, path + at, path_bytes - at);
}

static struct timespec time_of(struct statx_timestamp t)
{
	return (struct timespec){ .tv_sec = t.tv_sec, .tv_nsec = t.tv_nsec };
}

/* out_stat is all zeros. */
static void from_statx(const struct statx *stx, struct base_stat *out_stat)
{
	struct stat *st = &out_stat->stat;

	st->st_dev = makedev(stx->stx_dev_major, stx->stx_dev_minor);
	st->st_ino = stx->stx_ino;
	st->st_mode = stx->stx_mode;
	st->st_nlink = stx->stx_nlink;
	st->st_uid = stx->stx_uid;
	st->st_gid = stx->stx_gid;
	st->st_rdev = makedev(stx->stx_rdev_major, stx->stx_rdev_minor);
	st->st_size = (off_t)stx->stx_size;
	st->st_blksize = (blksize_t)stx->stx_blksize;
	st->st_blocks = (blkcnt_t)stx->stx_blocks;
	st->st_atim = time_of(stx->stx_atime);
	st->st_mtim = time_of(stx->stx_mtime);
	st->st_ctim = time_of(stx->stx_ctime);
	if (stx->stx_mask & STATX_BTIME)
		out_stat->btime_ns = base_time_ns(stx->stx_btime.tv_sec,
						  stx->stx_btime.tv_nsec);
}

int base_sync_flag(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return AT_STATX_SYNC_AS_STAT;
	switch ((unsigned long)fs.f_type) {
	case BTRFS_SUPER_MAGIC:
	case EROFS_SUPER_MAGIC_V1:
	case EXT4_SUPER_MAGIC:
	case F2FS_SUPER_MAGIC:
	case ISOFS_SUPER_MAGIC:
	case OVERLAYFS_SUPER_MAGIC:
	case SQUASHFS_MAGIC:
	case TMPFS_MAGIC:
	case XFS_SUPER_MAGIC:
	case ZFS_SUPER_MAGIC:
		return AT_STATX_DONT_SYNC;
	default:
		return AT_STATX_SYNC_AS_STAT;
	}
}

/* What a listing says of a name: this is below what is mounted on it. */
static int listed_below_mount(int dir_fd, const char *name, ino_t *out_inode,
			      bool *is_directory)
{
	int fd = base_open_listing(dir_fd);
	DIR *listing = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int rc = -ENOENT;

	if (!listing) {
		rc = fd < 0 ? fd : -errno;
		if (fd >= 0)
			close(fd);
		return rc;
	}
	while (rc < 0 && (entry = readdir(listing)) != NULL) {
		if (strcmp(entry->d_name, name) == 0) {
			*out_inode = entry->d_ino;
			if (entry->d_type != DT_UNKNOWN)
				*is_directory = entry->d_type == DT_DIR;
			rc = 0;
		}
	}
	closedir(listing);
	return rc;
}

/*
 * The place of a mount, without what is in it. What can't even be asked for
 * its attributes (a dead FUSE mount, or one of another user) has none.
 */
static int hide_mount(const struct layer *layer, int dir_fd, const char *name,
		      struct base_stat *stat)
{
	struct stat *st = &stat->stat;
	bool is_known = st->st_mode != 0;
	bool is_directory = !is_known || S_ISDIR(st->st_mode);
	int rc = listed_below_mount(dir_fd, name, &st->st_ino, &is_directory);

	stat->mounted_over = true;
	st->st_dev = layer->device;
	st->st_mode = (is_directory ? S_IFDIR : S_IFREG) |
		      (is_known ? st->st_mode & ~(mode_t)S_IFMT : 0555);
	st->st_nlink = is_directory ? 2 : 1;
	st->st_rdev = 0;
	st->st_size = 0;
	st->st_blocks = 0;
	return rc;
}

/* 1: something is mounted there; out_stat tells of that, or nothing. */
static int look(const struct layer *layer, int dir_fd, const char *name,
		struct base_stat *out_stat)
{
	struct statx stx;
	int rc, fd;

	memset(out_stat, 0, sizeof(*out_stat));
	if (statx(dir_fd, name,
		  AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | layer->sync |
			  (name[0] ? 0 : AT_EMPTY_PATH),
		  STATX_BASIC_STATS | STATX_BTIME, &stx) == 0) {
		from_statx(&stx, out_stat);
		if (stx.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT)
			return !!(stx.stx_attributes & STATX_ATTR_MOUNT_ROOT);
		return out_stat->stat.st_dev != layer->device;
	}
	rc = -errno;
	if (rc == -ENOENT || !name[0])
		return rc;
	fd = open_beneath(dir_fd, name, O_PATH);
	if (fd >= 0)
		close(fd);
	return fd == -EXDEV ? 1 : rc;
}

int base_look(const struct layer *layer, int dir_fd, const char *name,
	      struct base_stat *out_stat)
{
	bool is_root = dir_fd == layer->fd && !name[0];
	int rc = look(layer, dir_fd, name, out_stat);

	if (rc == 1)
		rc = is_root ? 0 : hide_mount(layer, dir_fd, name, out_stat);
	out_stat->layer = layer->id;
	out_stat->base_inode = out_stat->stat.st_ino;
	out_stat->inode =
		is_root ?
			1 :
			base_number(layer->id,
				    base_inode_of(layer, out_stat->stat.st_dev,
						  out_stat->stat.st_ino));
	return rc;
}

/* Nobody counts what several layers have in a directory: as on file systems
 * that don't count, it has one link. */
static void hide_links(struct base_node *node, struct stat *st)
{
	uint64_t merged;

	if (!node_is_directory(node))
		return;
	merged = directory_of(node)->merged;
	if (merged & (merged - 1))
		st->st_nlink = 1;
}

int base_root(struct layers *layers, struct base_node **out_node,
	      struct base_stat *out_stat)
{
	struct base_stat stat;
	struct base_node *node;
	int rc = base_look(&layers->layer[0], layers->layer[0].fd, "", &stat);

	if (rc < 0)
		return rc;
	node = node_new(layers, NULL, "", 0, &stat);
	if (!node)
		return -ENOMEM;
	layers_get(layers); /* I1 */
	directory_of(node)->merged = UINT64_MAX >> (LAYERS_MAX - layers->count);
	directory_of(node)->number = stat.inode;
	directory_of(node)->base_inode = stat.base_inode;
	hide_links(node, &stat.stat);
	*out_node = node;
	*out_stat = stat;
	return 0;
}

static int look_in_layer(struct base_node *parent, unsigned layer_nr,
			 const char *name, struct base_stat *out_stat)
{
	struct base_dir dir;
	int rc = base_dir_get(parent, layer_nr, &dir);

	if (rc < 0)
		return rc == -EXDEV ? -ENOENT : rc;
	rc = base_look(&parent->layers->layer[layer_nr], dir.fd, name,
		       out_stat);
	base_dir_put(parent, &dir);
	return rc;
}

static int check_name(const char *name)
{
	size_t name_bytes = strlen(name);

	if (name_bytes > NAME_MAX)
		return -ENAMETOOLONG;
	if (name_bytes == 0 || memchr(name, '/', name_bytes) ||
	    strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return -EINVAL;
	return 0;
}

/* What is found of one name, layer by layer. */
struct merge {
	struct base_stat top;
	unsigned top_nr;
	uint64_t merged; /* directories only */
	uint32_t lowest; /* id of one of them */
	uint64_t number, base_inode;
};

static void merge_directory(struct merge *merge, unsigned layer_nr,
			    const struct base_stat *stat)
{
	if (!stat->mounted_over)
		merge->merged |= UINT64_C(1) << layer_nr; /* I2 */
	if (merge->lowest && stat->layer > merge->lowest)
		return;
	merge->lowest = stat->layer; /* I3 */
	merge->number = stat->inode;
	merge->base_inode = stat->base_inode;
}

static struct base_node *merged_node(struct base_node *parent, const char *name,
				     struct merge *merge)
{
	struct base_node *node = node_new(parent->layers, parent, name,
					  merge->top_nr, &merge->top);
	struct base_directory *directory;

	if (!node || !node_is_directory(node))
		return node;
	directory = directory_of(node);
	directory->merged = merge->merged;
	directory->number = merge->top.inode = merge->number;
	directory->base_inode = merge->top.base_inode = merge->base_inode;
	hide_links(node, &merge->top.stat);
	return node;
}

/* Looks into the layers of which asked has a bit. */
static int lookup(struct base_node *parent, const char *name, uint64_t asked,
		  struct base_node **out_node, struct base_stat *out_stat)
{
	struct merge merge = { .merged = 0 };
	struct base_stat below, *stat = &merge.top;
	struct base_node *node;

	for (; asked; asked &= asked - 1) {
		unsigned nr = (unsigned)__builtin_ctzll(asked);
		int rc = look_in_layer(parent, nr, name, stat);

		if (rc == -ENOENT)
			continue;
		if (rc < 0)
			return rc;
		if (stat == &merge.top)
			merge.top_nr = nr;
		if (!S_ISDIR(stat->stat.st_mode))
			break; /* I2 */
		merge_directory(&merge, nr, stat);
		stat = &below;
	}
	if (stat == &merge.top && !asked)
		return -ENOENT;
	node = merged_node(parent, name, &merge);
	if (!node)
		return -ENOMEM;
	*out_node = node;
	*out_stat = merge.top;
	return 0;
}

int base_lookup(struct base_node *parent, const char *name,
		struct base_node **out_node, struct base_stat *out_stat)
{
	int rc = check_name(name);

	if (rc < 0)
		return rc;
	if (!node_is_directory(parent))
		return -ENOTDIR;
	return lookup(parent, name, directory_of(parent)->merged, out_node,
		      out_stat);
}

int base_lookup_in(struct base_node *parent, const char *name, uint32_t layer,
		   struct base_node **out_node, struct base_stat *out_stat)
{
	const struct layers *layers = parent->layers;
	int rc = check_name(name);
	struct base_node *node;
	struct base_stat stat;
	uint64_t asked;
	size_t nr = 0;

	if (rc < 0)
		return rc;
	if (!node_is_directory(parent))
		return -ENOTDIR;
	while (nr < layers->count && layers->layer[nr].id != layer)
		nr++;
	if (nr == layers->count)
		return -ENOENT;
	asked = directory_of(parent)->merged & (UINT64_MAX << nr);
	rc = lookup(parent, name, asked, &node, &stat);
	if (rc < 0)
		return rc;
	if (node->layer_nr != nr) {
		base_node_put(node);
		return -ENOENT;
	}
	*out_node = node;
	*out_stat = stat;
	return 0;
}

int base_stat(struct base_node *node, struct base_stat *out_stat)
{
	const struct layer *layer = &node->layers->layer[node->layer_nr];
	struct base_stat stat;
	int rc = node->parent ? look_in_layer(node->parent, node->layer_nr,
					      node->name, &stat) :
				base_look(layer, layer->fd, "", &stat);

	if (rc == -ENOENT || (rc == 0 && kind_of(&stat.stat) != node->kind))
		return base_node_changed(node, node->layer_nr);
	if (rc < 0)
		return rc;
	if (node_is_directory(node)) {
		hide_links(node, &stat.stat);
		stat.inode = base_node_number(node);
		stat.base_inode = directory_of(node)->base_inode;
	}
	*out_stat = stat;
	return 0;
}

/*
 * Extended attributes and targets of symlinks of base. Attributes are read
 * through an O_PATH descriptor and /proc, which works for all kinds of
 * objects and opens none of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "layers.h"
#include "layers_impl.h"

/* An O_PATH descriptor, until unpin. */
struct pin {
	int fd;
	struct base_dir dir; /* of the directory itself, else of its parent */
};

static struct base_node *place_of(struct base_node *node)
{
	return node_is_directory(node) ? node : node->parent;
}

static void unpin(struct base_node *node, struct pin *pin)
{
	if (pin->fd != pin->dir.fd)
		close(pin->fd);
	base_dir_put(place_of(node), &pin->dir);
}

static int open_object(struct base_node *node, int dir_fd)
{
	AUTO_CLOSE int fd = open_beneath(dir_fd, node->name, O_PATH);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if ((st.st_mode & S_IFMT) >> 12 != node->kind)
		return -ENOENT; /* another object */
	return take_fd(&fd);
}

/* -ENXIO: a mount hides it. */
static int pin(struct base_node *node, struct pin *out_pin)
{
	int rc;

	if (node->mounted_over)
		return -ENXIO;
	rc = base_dir_get(place_of(node), node->layer_nr, &out_pin->dir);
	if (rc < 0)
		return rc == -EXDEV ? -ENXIO : rc;
	out_pin->fd = out_pin->dir.fd;
	if (node_is_directory(node))
		return 0;
	out_pin->fd = open_object(node, out_pin->dir.fd);
	if (out_pin->fd >= 0)
		return 0;
	rc = out_pin->fd;
	base_dir_put(place_of(node), &out_pin->dir);
	if (rc == -EXDEV)
		return -ENXIO;
	/* O_NOFOLLOW with O_PATH opens symlinks: -ELOOP is none. */
	return rc == -ENOENT ? base_node_changed(node, node->layer_nr) : rc;
}

static void proc_path(const struct pin *pin, char path[32])
{
	snprintf(path, 32, "/proc/self/fd/%d", pin->fd);
}

/* The object exists: what does not is /proc. */
static int result(ssize_t n, size_t *out_bytes)
{
	if (n < 0)
		return errno == ENOENT ? -ENOTSUP : -errno;
	*out_bytes = (size_t)n;
	return 0;
}

int base_get_xattr(struct base_node *node, const char *name, void *value,
		   size_t value_bytes, size_t *out_bytes)
{
	char path[32];
	struct pin object;
	int rc = pin(node, &object);

	if (rc < 0)
		return rc == -ENXIO ? -ENODATA : rc;
	proc_path(&object, path);
	rc = result(getxattr(path, name, value, value_bytes), out_bytes);
	unpin(node, &object);
	return rc;
}

int base_list_xattr(struct base_node *node, char *names, size_t names_bytes,
		    size_t *out_bytes)
{
	char path[32];
	struct pin object;
	int rc = pin(node, &object);

	if (rc == -ENXIO) {
		*out_bytes = 0;
		return 0;
	}
	if (rc < 0)
		return rc;
	proc_path(&object, path);
	rc = result(listxattr(path, names, names_bytes), out_bytes);
	unpin(node, &object);
	return rc;
}

int base_readlink(struct base_node *node, char *target, size_t target_bytes)
{
	struct base_dir dir;
	ssize_t n;
	int rc;

	if (node->kind != S_IFLNK >> 12)
		return -EINVAL;
	rc = base_dir_get(node->parent, node->layer_nr, &dir);
	if (rc < 0)
		return rc == -EXDEV ? base_node_changed(node, node->layer_nr) :
				      rc;
	n = readlinkat(dir.fd, node->name, target, target_bytes);
	rc = n < 0 ? -errno : 0;
	base_dir_put(node->parent, &dir);
	if (rc == -ENOENT || rc == -EINVAL)
		return base_node_changed(node, node->layer_nr);
	if (rc < 0)
		return rc;
	if ((size_t)n >= target_bytes)
		return -ERANGE;
	target[n] = '\0';
	return 0;
}

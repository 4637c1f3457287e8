/*
 * Layers: the directories of rules from top to bottom, and the base.
 *
 * I1: nothing is opened outside of a layer: no symlink, "..", or mount is
 *     followed on the way.
 * I2: the base of `cowd diverge` is never changed: where the kernel can, its
 *     descriptor is of a mount of its own that is read-only.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "diverge_front.h"
#include "logging.h"

int diverge_join(const char *parent, const char *name, char *path)
{
	int length = snprintf(path, PATH_MAX, "%s%s%s", parent,
			      *parent ? "/" : "", name);

	return length < PATH_MAX ? 0 : -ENAMETOOLONG;
}

struct diverge_fd_path diverge_fd_path(int fd)
{
	struct diverge_fd_path path;

	snprintf(path.text, sizeof(path.text), "/proc/self/fd/%d", fd);
	return path;
}

/* I1 */
static int open_beneath(int dir_fd, const char *path, int flags)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_NOFOLLOW | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
			   RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};
	int tries = 8;
	long fd;

	do
		fd = syscall(SYS_openat2, dir_fd, *path ? path : ".", &how,
			     sizeof(how));
	while (fd < 0 && (errno == EAGAIN || errno == EINTR) && --tries > 0);
	return fd < 0 ? -errno : (int)fd;
}

/* Where the layer has what the mount has at path. */
static int layer_path(const struct diverge *diverge, unsigned layer,
		      const char *path, char *own)
{
	if (diverge_is_fixed(diverge, layer))
		return holes_base_path(diverge->holes, path, own);
	snprintf(own, PATH_MAX, "%s", path);
	return 0;
}

int diverge_layer_open(const struct diverge *diverge, unsigned layer,
		       const char *path, int flags)
{
	char own[PATH_MAX];
	int rc = layer_path(diverge, layer, path, own);

	return rc < 0 ? rc :
			open_beneath(diverge->layers[layer].fd, own, flags);
}

int diverge_layer_parent(const struct diverge *diverge, unsigned layer,
			 const char *path, const char **out_name)
{
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX];

	snprintf(parent, sizeof(parent), "%.*s",
		 slash ? (int)(slash - path) : 0, path);
	*out_name = slash ? slash + 1 : path;
	return diverge_layer_open(diverge, layer, parent, O_PATH | O_DIRECTORY);
}

/*
 * A directory without what is mounted in it: the mount that is about to be
 * made may be. Without root its own mount is used, and what is mounted there
 * is not entered.
 */
static int open_layer(const char *path, bool fixed)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY |
					       MOUNT_ATTR_NOATIME,
				   .attr_clr = MOUNT_ATTR__ATIME };
	AUTO_CLOSE int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int tree_fd;

	if (fd < 0)
		return -errno;
	tree_fd = open_tree(
		fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (tree_fd < 0)
		return take_fd(&fd);
	/* I2. Not given by older kernels; nothing here relies on it. */
	if (fixed &&
	    mount_setattr(tree_fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		log_message(LOG_LEVEL_INFO, "%s: its mount stays writable: %s",
			    path, strerror(errno));
	return tree_fd;
}

static int add_layer(struct diverge *diverge, const char *path, bool fixed,
		     struct failure *failure)
{
	struct diverge_layer *layer = &diverge->layers[diverge->layer_count];
	struct stat st;
	int fd = open_layer(path, fixed);

	if (fd < 0)
		return failure_errno(failure, fd, path,
				     "can't open the directory");
	diverge->layer_count++;
	layer->fd = fd;
	layer->path = strdup(path);
	if (!layer->path || fstat(fd, &st) < 0)
		return failure_errno(failure, layer->path ? -errno : -ENOMEM,
				     path, "can't use the directory");
	layer->device = st.st_dev;
	return 0;
}

static bool is_below(const char *path, const char *directory)
{
	size_t length = strlen(directory);

	return strncmp(path, directory, length) == 0 &&
	       (path[length] == '/' || !path[length] || length == 1);
}

/* The directory of a rule: it is made if it is missing, as those below it. */
static int make_directories(const char *path)
{
	AUTO_FREE char *copy = strdup(path);
	char *slash = copy;

	if (!copy)
		return -ENOMEM;
	while (slash) {
		slash = strchr(slash + 1, '/');
		if (slash)
			*slash = '\0';
		if (mkdir(copy, 0777) < 0 && errno != EEXIST)
			return -errno;
		if (slash)
			*slash = '/';
	}
	return 0;
}

static int find_layer(const struct diverge *diverge, const char *path)
{
	unsigned i;

	for (i = 0; i < diverge->layer_count; i++)
		if (strcmp(diverge->layers[i].path, path) == 0)
			return (int)i;
	return -1;
}

static int add_directory(struct diverge *diverge, const char *directory,
			 unsigned line, const char *mountpoint,
			 unsigned *out_layer, struct failure *failure)
{
	char path[PATH_MAX];
	int rc = make_directories(directory), known;

	if (rc == 0 && !realpath(directory, path))
		rc = -errno;
	if (rc < 0)
		return failure_errno(failure, rc, directory,
				     "can't make the directory of the rule in "
				     "line %u",
				     line);
	if (is_below(path, mountpoint)) {
		failure_set(failure, FAILURE_USAGE, directory,
			    "the directory of the rule in line %u is in the "
			    "mountpoint",
			    line);
		failure_hint(failure, "choose one outside of %s", mountpoint);
		return -EINVAL;
	}
	known = find_layer(diverge, path);
	*out_layer = known >= 0 ? (unsigned)known : diverge->layer_count;
	return known >= 0 ? 0 : add_layer(diverge, path, false, failure);
}

static int add_rule(struct diverge *diverge,
		    const struct diverge_params *params, size_t index,
		    struct failure *failure)
{
	const struct rule *rule = rules_at(diverge->rules, index);
	unsigned *layer = &diverge->layer_of_rule[index];
	int rc;

	switch (rule->place) {
	case RULE_PLACE_DIRECTORY:
		return add_directory(diverge, rule->directory, rule->line,
				     params->mountpoint, layer, failure);
	case RULE_PLACE_SCRATCH:
		if (diverge->scratch < 0) {
			rc = add_layer(diverge, params->scratch, false,
				       failure);
			if (rc < 0)
				return rc;
			diverge->scratch = (int)diverge->layer_count - 1;
		}
		*layer = (unsigned)diverge->scratch;
		return 0;
	case RULE_PLACE_HIDE:
		diverge->hides = true;
		return 0;
	case RULE_PLACE_READONLY:
		diverge->protects = true;
		return 0;
	case RULE_PLACE_NOCOMPRESS:
		diverge->keeps_raw = true;
		return 0;
	case RULE_PLACE_STORE:
		return 0;
	}
	abort();
}

bool diverge_has_scratch(const struct rules *rules)
{
	size_t i;

	for (i = 0; i < rules_count(rules); i++)
		if (rules_at(rules, i)->place == RULE_PLACE_SCRATCH)
			return true;
	return false;
}

int diverge_layers_open(struct diverge *diverge,
			const struct diverge_params *params,
			struct failure *failure)
{
	size_t count = rules_count(diverge->rules), i;
	int rc = 0;

	diverge->scratch = -1;
	diverge->layers = calloc(count + 1, sizeof(*diverge->layers));
	diverge->layer_of_rule =
		calloc(count + 1, sizeof(*diverge->layer_of_rule));
	if (!diverge->layers || !diverge->layer_of_rule)
		return failure_errno(failure, -ENOMEM, NULL, "can't mount");
	for (i = 0; i < count && rc == 0; i++)
		rc = add_rule(diverge, params, i, failure);
	if (rc == 0)
		rc = add_layer(diverge, params->mountpoint,
			       diverge->holes != NULL, failure);
	return rc;
}

void diverge_layers_close(struct diverge *diverge)
{
	while (diverge->layer_count > 0) {
		diverge->layer_count--;
		free(diverge->layers[diverge->layer_count].path);
		close(diverge->layers[diverge->layer_count].fd);
	}
	free(diverge->layers);
	free(diverge->layer_of_rule);
}

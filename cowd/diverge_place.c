/*
 * What the layers show under a name, and which of them gets what is made: the
 * first rule that matches says so.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "diverge_front.h"
#include "logging.h"

enum { GROUPS_MAX = 256 };

void diverge_found_close(struct diverge_found *found)
{
	if (found->fd >= 0)
		close(found->fd);
	found->fd = -1;
}

/* Of a store no rule is for what cowd adds to the root. */
static bool is_apart(const struct diverge *diverge, const char *path)
{
	const char *const names[] = { ".snapshots", diverge->options->cowddir };
	size_t length = strcspn(path, "/"), i;

	for (i = 0; !diverge->holes && i < sizeof(names) / sizeof(names[0]);
	     i++)
		if (strlen(names[i]) == length &&
		    strncmp(path, names[i], length) == 0)
			return true;
	return false;
}

/* What a rule sees of it: in a snapshot that what it was then. NULL: nothing
 * that rules are for. */
static const char *path_for_rules(const struct diverge *diverge,
				  const char *path)
{
	const char *slash = strchr(path, '/');

	if (!is_apart(diverge, path))
		return *path ? path : NULL;
	if (strncmp(path, ".snapshots/", 11) != 0)
		return NULL;
	slash = strchr(slash + 1, '/');
	return slash ? slash + 1 : NULL;
}

static int open_found(const struct diverge *diverge, unsigned layer,
		      const char *path, struct diverge_found *found)
{
	int fd = diverge_layer_open(diverge, layer, path, O_PATH);
	int rc = 0;

	if (fd < 0)
		return fd;
	if (fstat(fd, &found->st) < 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	found->fd = fd;
	found->layer = layer;
	return 0;
}

/* From this layer down. What is no directory hides all that is below. */
static int find_from(const struct diverge *diverge, const char *path,
		     unsigned first, struct diverge_found *found)
{
	unsigned i;
	int rc;

	for (i = first; i < diverge->layer_count; i++) {
		rc = open_found(diverge, i, path, found);
		if (rc == -ENOTDIR || rc == -ELOOP)
			return -ENOENT;
		if (rc != -ENOENT)
			return rc;
	}
	return -ENOENT;
}

int diverge_find(const struct diverge *diverge, const char *path,
		 struct diverge_found *found)
{
	if (diverge->holes && holes_masks(diverge->holes, path))
		return -ENOENT;
	return find_from(diverge, path,
			 is_apart(diverge, path) ? diverge_base(diverge) : 0,
			 found);
}

int diverge_find_next(const struct diverge *diverge, const char *path,
		      unsigned above, struct diverge_found *found)
{
	int rc = find_from(diverge, path, above + 1, found);

	if (rc == 0 && !S_ISDIR(found->st.st_mode)) {
		diverge_found_close(found);
		rc = -ENOENT;
	}
	return rc;
}

int diverge_base_has(const struct diverge *diverge, const char *path,
		     mode_t *out_kind)
{
	const char *name;
	AUTO_CLOSE int fd = diverge_layer_parent(diverge, diverge_base(diverge),
						 path, &name);
	struct stat st;

	*out_kind = 0;
	if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
		return 0;
	if (fd < 0)
		return fd;
	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
		return errno == ENOENT ? 0 : -errno;
	*out_kind = st.st_mode & S_IFMT;
	return 0;
}

static bool is_append_only(int fd)
{
	struct statx stx;

	return fd >= 0 && statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &stx) == 0 &&
	       (stx.stx_attributes & STATX_ATTR_APPEND);
}

/* fd -1: it is about to be made. */
static int match(fuse_req_t req, const char *path, const struct stat *st,
		 int fd, bool exists, size_t *out_index)
{
	const struct diverge *diverge = diverge_of(req);
	const struct fuse_ctx *context = fuse_req_ctx(req);
	struct rules_asker asker = { .uid = context->uid, .gid = context->gid };
	struct rules_subject subject;
	const struct rule *rule;
	gid_t groups[GROUPS_MAX];
	int count, rc;

	path = path_for_rules(diverge, path);
	if (!path)
		return -ENOENT;
	if (context->uid != 0 && context->uid != st->st_uid) {
		count = fuse_req_getgroups(req, GROUPS_MAX, groups);
		asker.groups = groups;
		asker.group_count = count < 0		? 0 :
				    count <= GROUPS_MAX ? (size_t)count :
							  GROUPS_MAX;
	}
	rules_subject_init(&subject, path, st->st_mode, st->st_uid, st->st_gid,
			   &asker);
	subject.exists = exists;
	subject.append_only = is_append_only(fd);
	rc = rules_match(diverge->rules, &subject, &rule);
	if (rc == 0)
		*out_index = (size_t)(rule - rules_at(diverge->rules, 0));
	return rc;
}

/*
 * What is made in a scratch directory is scratch, unless a rule is for it. One
 * that another layer has, too, is in the scratch layer for the sake of what is
 * in it there.
 */
static bool is_in_scratch(const struct diverge *diverge, const char *path)
{
	AUTO_FOUND struct diverge_found found = DIVERGE_FOUND_NONE;
	AUTO_FOUND struct diverge_found next = DIVERGE_FOUND_NONE;
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX];

	if (diverge->scratch < 0 || !slash)
		return false;
	snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
	return diverge_find(diverge, parent, &found) == 0 &&
	       found.layer == (unsigned)diverge->scratch &&
	       diverge_find_next(diverge, parent, found.layer, &next) ==
		       -ENOENT;
}

static int place_unmatched(const struct diverge *diverge, const char *path,
			   unsigned *out_layer)
{
	if (is_in_scratch(diverge, path)) {
		*out_layer = (unsigned)diverge->scratch;
		return 0;
	}
	*out_layer = diverge_base(diverge);
	return diverge_is_fixed(diverge, *out_layer) ? -EROFS : 0;
}

int diverge_place(fuse_req_t req, const char *path, const struct stat *st,
		  bool exists, unsigned *out_layer)
{
	const struct diverge *diverge = diverge_of(req);
	size_t index = 0;
	int rc = is_apart(diverge, path) ?
			 -ENOENT :
			 match(req, path, st, -1, exists, &index);

	if (rc == -ENOENT)
		return place_unmatched(diverge, path, out_layer);
	if (rc < 0)
		return rc;
	switch (rules_at(diverge->rules, index)->place) {
	case RULE_PLACE_DIRECTORY:
	case RULE_PLACE_SCRATCH:
		*out_layer = diverge->layer_of_rule[index];
		return 0;
	case RULE_PLACE_STORE:
	case RULE_PLACE_NOCOMPRESS:
		*out_layer = diverge_base(diverge);
		return diverge_is_fixed(diverge, *out_layer) ? -EROFS : 0;
	case RULE_PLACE_READONLY:
	case RULE_PLACE_HIDE:
		return -EROFS;
	}
	abort();
}

static bool has_place(fuse_req_t req, const char *path,
		      const struct diverge_found *found, enum rule_place place)
{
	const struct diverge *diverge = diverge_of(req);
	size_t index = 0;

	return match(req, path, &found->st, found->fd, true, &index) == 0 &&
	       rules_at(diverge->rules, index)->place == place;
}

void diverge_keep_raw(fuse_req_t req, const char *path,
		      const struct diverge_found *found)
{
	const struct diverge *diverge = diverge_of(req);
	AUTO_CLOSE int fd = -1;
	int flags = 0;

	if (!diverge->keeps_raw || found->layer != diverge_base(diverge) ||
	    !S_ISREG(found->st.st_mode) ||
	    !has_place(req, path, found, RULE_PLACE_NOCOMPRESS))
		return;
	fd = diverge_layer_open(diverge, found->layer, path,
				O_RDONLY | O_NONBLOCK);
	if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 ||
	    (flags & FS_NOCOMP_FL))
		return;
	flags |= FS_NOCOMP_FL;
	if (ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0)
		log_message(LOG_LEVEL_WARNING,
			    "%s: can't be kept from compression: %s", path,
			    strerror(errno));
}

bool diverge_is_hidden(fuse_req_t req, const char *path,
		       const struct diverge_found *found)
{
	return diverge_of(req)->hides &&
	       has_place(req, path, found, RULE_PLACE_HIDE);
}

int diverge_check_change(fuse_req_t req, const char *path,
			 const struct diverge_found *found)
{
	return diverge_of(req)->protects && has_place(req, path, found,
						      RULE_PLACE_READONLY) ?
		       -EROFS :
		       0;
}

int diverge_see(fuse_req_t req, const char *path, struct diverge_found *found)
{
	int rc = diverge_find(diverge_of(req), path, found);

	if (rc == 0 && diverge_is_hidden(req, path, found)) {
		diverge_found_close(found);
		rc = -ENOENT;
	}
	return rc;
}

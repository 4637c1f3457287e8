/*
 * Removing names. What base has stays there, and is masked by a hole.
 *
 * I1: the hole is on disk before the plain file goes, so that a crash never
 *     brings back what base has; and what is made anew is there before its
 *     hole goes.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "diverge_front.h"
#include "logging.h"

static int unlink_in(const struct diverge *diverge, unsigned layer,
		     const char *path, int flags)
{
	const char *name;
	AUTO_CLOSE int fd = diverge_layer_parent(diverge, layer, path, &name);

	if (fd < 0)
		return fd;
	return unlinkat(fd, name, flags) < 0 ? -errno : 0;
}

/* Whatever it is, unless it is a directory that is not empty. */
static int unlink_any(const struct diverge *diverge, unsigned layer,
		      const char *path)
{
	int rc = unlink_in(diverge, layer, path, 0);

	if (rc == -EISDIR || rc == -EPERM)
		rc = unlink_in(diverge, layer, path, AT_REMOVEDIR);
	return rc == -ENOENT || rc == -ENOTDIR || rc == -ELOOP ? 0 : rc;
}

static int remove_from_layers(const struct diverge *diverge, const char *path,
			      bool is_directory)
{
	unsigned i;
	int rc;

	for (i = 0; i < diverge->layer_count; i++) {
		if (diverge_is_fixed(diverge, i))
			continue;
		rc = unlink_in(diverge, i, path,
			       is_directory ? AT_REMOVEDIR : 0);
		/* What is of another kind was not to be seen. */
		if (rc == -EISDIR || rc == -ENOTDIR || rc == -ENOENT ||
		    rc == -ELOOP)
			continue;
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Does one of the layers have something of another kind below it, which would
 * come to light? Only where holes can hide it. */
static bool hides_other_kind(const struct diverge *diverge, const char *path,
			     mode_t kind)
{
	unsigned i;

	for (i = 0; diverge->holes && i < diverge_base(diverge); i++) {
		AUTO_CLOSE int fd =
			diverge_layer_open(diverge, i, path, O_PATH);
		struct stat st;

		if (fd >= 0 && fstat(fd, &st) == 0 &&
		    S_ISDIR(st.st_mode) != S_ISDIR(kind))
			return true;
	}
	return false;
}

static int mask(struct diverge *diverge, const char *path, bool is_directory,
		bool needed)
{
	int rc = 0;

	if (!diverge->holes)
		return 0;
	if (is_directory)
		return holes_remove_directory(diverge->holes, path, needed);
	if (needed)
		rc = holes_add(diverge->holes, path);
	return rc == 0 && needed ? holes_sync(diverge->holes) : rc;
}

int diverge_remove(fuse_req_t req, const char *path,
		   const struct diverge_found *found)
{
	struct diverge *diverge = diverge_of(req);
	bool is_directory = S_ISDIR(found->st.st_mode);
	unsigned layer;
	int rc = diverge_check_change(req, path, found);

	/* It was never moved by a rule, and none is for it. */
	if (rc == 0 && diverge_is_fixed(diverge, found->layer))
		rc = diverge_place(req, path, &found->st, true, &layer);
	if (rc == 0 && is_directory)
		rc = diverge_check_empty(diverge, path);
	if (rc == 0)
		rc = diverge_remove_rest(diverge, path, found->st.st_mode);
	if (rc == 0)
		diverge_touch_parent(req, path);
	return rc;
}

int diverge_remove_rest(struct diverge *diverge, const char *path, mode_t kind)
{
	bool is_directory = S_ISDIR(kind), needed;
	mode_t base_kind = 0;
	int rc = 0;

	if (diverge->holes)
		rc = diverge_base_has(diverge, path, &base_kind);
	if (rc < 0)
		return rc;
	needed = base_kind || hides_other_kind(diverge, path, kind);
	rc = mask(diverge, path, is_directory, needed); /* I1 */
	if (rc < 0)
		return rc;
	rc = remove_from_layers(diverge, path, is_directory);
	if (rc < 0 && needed && holes_remove(diverge->holes, path) < 0)
		log_message(LOG_LEVEL_ERROR, "%s: stays masked", path);
	if (rc == 0)
		log_message(LOG_LEVEL_INFO, "%s: removed%s", path,
			    needed ? ", and masked" : "");
	return rc;
}

int diverge_clear_masked(struct diverge *diverge, const char *path)
{
	unsigned i;
	int rc = 0;

	if (!diverge->holes || !holes_has(diverge->holes, path))
		return 0;
	for (i = 0; i < diverge_base(diverge) && rc == 0; i++)
		rc = unlink_any(diverge, i, path);
	return rc == -ENOTEMPTY ? -EEXIST : rc;
}

int diverge_unmask(struct diverge *diverge, const char *path, mode_t kind)
{
	mode_t base_kind = 0;
	int rc;

	if (!diverge->holes || !holes_has(diverge->holes, path))
		return 0;
	if (S_ISDIR(kind)) {
		rc = diverge_base_has(diverge, path, &base_kind);
		/* An empty one, whatever base has there. */
		if (rc < 0 || S_ISDIR(base_kind))
			return rc < 0 ? rc :
					holes_set_origin(diverge->holes, path,
							 "");
	}
	rc = holes_remove(diverge->holes, path);
	return rc < 0 ? rc : holes_sync(diverge->holes);
}

static void remove_name(fuse_req_t req, fuse_ino_t parent, const char *name,
			bool is_directory)
{
	AUTO_FOUND struct diverge_found found = DIVERGE_FOUND_NONE;
	struct diverge_request request;
	int rc = diverge_begin(&request, req, parent, name, true);

	if (rc == 0) {
		rc = diverge_see(req, request.path, &found);
		if (rc == 0 && S_ISDIR(found.st.st_mode) != is_directory)
			rc = is_directory ? -ENOTDIR : -EISDIR;
		if (rc == 0)
			rc = diverge_remove(req, request.path, &found);
		if (rc == 0)
			diverge_node_drop_name(request.diverge, request.node,
					       name);
		diverge_end(&request);
	}
	fuse_reply_err(req, -rc);
}

void diverge_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_name(req, parent, name, false);
}

void diverge_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_name(req, parent, name, true);
}

/* Extended attributes: those of the plain files. */
#include <errno.h>
#include <stdlib.h>
#include <sys/xattr.h>

#include "diverge_front.h"
#include "tree_front.h"

enum { NAMES_BYTES_MAX = 65536 }; /* XATTR_LIST_MAX */

/* With a descriptor in found, for as long as that is open. */
static int find(fuse_req_t req, fuse_ino_t id, struct diverge_found *found,
		struct diverge_fd_path *out_path)
{
	struct diverge_request request;
	int rc = diverge_begin(&request, req, id, NULL, false);

	if (rc == 0) {
		rc = diverge_find_node(&request, found);
		diverge_end(&request);
	}
	if (rc == 0)
		*out_path = diverge_fd_path(found->fd);
	return rc;
}

static void reply(fuse_req_t req, ssize_t bytes, const char *value, size_t size)
{
	if (bytes < 0)
		fuse_reply_err(req, (int)-bytes);
	else if (size == 0)
		fuse_reply_xattr(req, (size_t)bytes);
	else if ((size_t)bytes > size)
		fuse_reply_err(req, ERANGE);
	else
		fuse_reply_buf(req, value, (size_t)bytes);
}

void diverge_getxattr(fuse_req_t req, fuse_ino_t id, const char *name,
		      size_t size)
{
	AUTO_FOUND struct diverge_found found = DIVERGE_FOUND_NONE;
	AUTO_FREE char *value = malloc(size ? size : 1);
	struct diverge_fd_path path;
	ssize_t bytes = value ? find(req, id, &found, &path) : -ENOMEM;

	if (bytes == 0) {
		bytes = getxattr(path.text, name, value, size);
		if (bytes < 0)
			bytes = -errno;
	}
	reply(req, bytes, value, size);
}

/* We are root, perhaps, and who asks is not. */
void diverge_listxattr(fuse_req_t req, fuse_ino_t id, size_t size)
{
	AUTO_FOUND struct diverge_found found = DIVERGE_FOUND_NONE;
	AUTO_FREE char *names = malloc(NAMES_BYTES_MAX);
	struct diverge_fd_path path;
	ssize_t bytes = names ? find(req, id, &found, &path) : -ENOMEM;

	if (bytes == 0) {
		bytes = listxattr(path.text, names, NAMES_BYTES_MAX);
		if (bytes < 0)
			bytes = -errno;
	}
	if (bytes > 0 && fuse_req_ctx(req)->uid != 0)
		bytes = (ssize_t)front_filter_names(names, (size_t)bytes);
	reply(req, bytes, names, size);
}

/* value NULL: it is removed. */
static void set(fuse_req_t req, fuse_ino_t id, const char *name,
		const char *value, size_t size, int flags)
{
	AUTO_FOUND struct diverge_found found = DIVERGE_FOUND_NONE;
	struct diverge_request request;
	struct diverge_fd_path path;
	int rc = diverge_begin(&request, req, id, NULL, true);

	if (rc == 0) {
		rc = diverge_find_node(&request, &found);
		if (rc == 0 && request.has_path)
			rc = diverge_make_own(req, request.node, request.path,
					      INT64_MAX, &found);
		if (rc == 0 && diverge_is_fixed(request.diverge, found.layer))
			rc = -EROFS;
		path = diverge_fd_path(found.fd);
		if (rc == 0 &&
		    (value ? setxattr(path.text, name, value, size, flags) :
			     removexattr(path.text, name)) < 0)
			rc = -errno;
		diverge_end(&request);
	}
	fuse_reply_err(req, -rc);
}

void diverge_setxattr(fuse_req_t req, fuse_ino_t id, const char *name,
		      const char *value, size_t size, int flags)
{
	set(req, id, name, value, size, flags);
}

void diverge_removexattr(fuse_req_t req, fuse_ino_t id, const char *name)
{
	set(req, id, name, NULL, 0, 0);
}

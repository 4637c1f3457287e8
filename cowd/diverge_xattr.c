/* Extended attributes: those of the plain files. */
#include <errno.h>
#include <stdlib.h>
#include <sys/xattr.h>

#include "diverge_front.h"

/* value NULL: the names. */
static void get(fuse_req_t req, fuse_ino_t id, const char *name, size_t size)
{
	AUTO_FOUND struct diverge_found found = DIVERGE_FOUND_NONE;
	AUTO_FREE char *value = size ? malloc(size) : NULL;
	struct diverge_request request;
	struct diverge_fd_path path;
	ssize_t bytes = 0;
	int rc = diverge_begin(&request, req, id, NULL, false);

	if (rc == 0) {
		rc = diverge_find_node(&request, &found);
		diverge_end(&request);
	}
	if (rc == 0 && size && !value)
		rc = -ENOMEM;
	if (rc == 0) {
		path = diverge_fd_path(found.fd);
		bytes = name ? getxattr(path.text, name, value, size) :
			       listxattr(path.text, value, size);
		if (bytes < 0)
			rc = -errno;
	}
	if (rc < 0)
		fuse_reply_err(req, -rc);
	else if (size == 0)
		fuse_reply_xattr(req, (size_t)bytes);
	else
		fuse_reply_buf(req, value, (size_t)bytes);
}

void diverge_getxattr(fuse_req_t req, fuse_ino_t id, const char *name,
		      size_t size)
{
	get(req, id, name, size);
}

void diverge_listxattr(fuse_req_t req, fuse_ino_t id, size_t size)
{
	get(req, id, NULL, size);
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

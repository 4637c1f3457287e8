/*
 * Parts of a mounted tree shown elsewhere (bind=SUB=DST): mounts that the
 * kernel makes, which begin and end with the one they are of.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "logging.h"
#include "mount_impl.h"
#include "mountinfo.h"

struct bind {
	char *from, *to; /* in one piece */
	bool read_only;
};

static int parse(const char *text, struct bind *bind)
{
	size_t len_bytes;

	bind->from = strdup(text);
	bind->to = bind->from ? strchr(bind->from, '=') : NULL;
	if (!bind->to) {
		free(bind->from);
		return -ENOMEM;
	}
	*bind->to++ = '\0';
	len_bytes = strlen(bind->to);
	bind->read_only = len_bytes > 3 &&
			  strcmp(bind->to + len_bytes - 3, ":ro") == 0;
	if (bind->read_only)
		bind->to[len_bytes - 3] = '\0';
	return 0;
}

int mount_binds_check(const struct mount_options *options,
		      struct failure *failure)
{
	const json_t *text;
	struct bind bind;
	size_t i;
	int rc = 0;

	if (json_array_size(options->binds) > 0 && geteuid() != 0)
		return failure_set(failure, FAILURE_USAGE, "bind",
				   "this mount option is for root");
	if (json_array_size(options->binds) > 0 && options->rules[0])
		return failure_set(failure, FAILURE_USAGE, "bind",
				   "this mount option can't be used together "
				   "with rules");
	json_array_foreach(options->binds, i, text)
	{
		if (rc == 0)
			rc = parse(json_string_value(text), &bind);
		if (rc < 0)
			continue;
		if (!*bind.from || *bind.to != '/')
			rc = failure_set(failure, FAILURE_USAGE,
					 json_string_value(text),
					 "is not SUB=DST, with an absolute "
					 "path DST");
		free(bind.from);
	}
	return rc;
}

/* No symlink of the tree leads out of it. */
static int open_part(struct mount *mount, const char *path)
{
	const struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	AUTO_CLOSE int root_fd = mount_open_root(mount, O_PATH | O_DIRECTORY);
	int fd;

	if (root_fd < 0)
		return root_fd;
	path += strspn(path, "/");
	fd = (int)syscall(SYS_openat2, root_fd, *path ? path : ".", &how,
			  sizeof(how));
	return fd < 0 ? -errno : fd;
}

/* Flags of a mount are set anew, all of them. */
static int make_read_only(const char *path)
{
	const unsigned long keep = MS_NOSUID | MS_NODEV | MS_NOEXEC |
				   MS_NOATIME;
	struct statvfs vfs;

	if (statvfs(path, &vfs) < 0)
		return -errno;
	return mount(NULL, path, NULL,
		     MS_BIND | MS_REMOUNT | MS_RDONLY | (vfs.f_flag & keep),
		     NULL) < 0 ?
		       -errno :
		       0;
}

static int make(struct mount *mount_, const struct bind *bind)
{
	AUTO_CLOSE int fd = open_part(mount_, bind->from);
	char from[64];
	int rc;

	if (fd < 0)
		return fd;
	snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
	if (mount(from, bind->to, NULL, MS_BIND, NULL) < 0)
		return -errno;
	rc = bind->read_only ? make_read_only(bind->to) : 0;
	if (rc < 0)
		umount2(bind->to, MNT_DETACH);
	return rc;
}

struct sought {
	const char *path;
	dev_t device; /* of what is topmost there */
};

static int note_device(void *context, const struct mountinfo *info)
{
	struct sought *sought = context;

	if (strcmp(info->mountpoint, sought->path) == 0)
		sought->device = info->device;
	return 0;
}

/* Somebody may have unmounted it by hand, or mounted over it. */
static bool is_there(struct mount *mount, const struct bind *bind)
{
	char resolved[PATH_MAX];
	struct sought sought = { .path = bind->to };

	if (realpath(bind->to, resolved))
		sought.path = resolved;
	return mountinfo_each(note_device, &sought) == 0 && sought.device &&
	       sought.device == atomic_load(&mount->device);
}

static int unbind(struct mount *mount, size_t count, bool lazy,
		  struct failure *failure)
{
	struct bind bind;
	int rc = 0;

	while (count-- > 0 && rc == 0) {
		rc = parse(json_string_value(
				   json_array_get(mount->options.binds, count)),
			   &bind);
		if (rc < 0)
			return rc;
		if (is_there(mount, &bind) &&
		    umount2(bind.to, lazy ? MNT_DETACH : 0) < 0)
			rc = failure_errno(failure, -errno, bind.to,
					   "can't unmount what is bound here");
		free(bind.from);
	}
	return rc;
}

int mount_bind(struct mount *mount, struct failure *failure)
{
	size_t count = json_array_size(mount->options.binds), i;
	struct bind bind;
	int rc = 0;

	for (i = 0; i < count && rc == 0; i++) {
		rc = parse(json_string_value(
				   json_array_get(mount->options.binds, i)),
			   &bind);
		if (rc < 0)
			break;
		rc = make(mount, &bind);
		if (rc < 0) {
			failure_errno(failure, rc, bind.to,
				      "can't show %s here", bind.from);
			(void)!unbind(mount, i, true, NULL);
		}
		free(bind.from);
	}
	return rc;
}

int mount_unbind(struct mount *mount, bool lazy, struct failure *failure)
{
	return unbind(mount, json_array_size(mount->options.binds), lazy,
		      failure);
}

void mount_bind_again(struct mount *mount)
{
	struct failure failure = { .code = FAILURE_NONE };

	if (json_array_size(mount->options.binds) == 0)
		return;
	if (mount_unbind(mount, true, &failure) < 0 ||
	    mount_bind(mount, &failure) < 0)
		log_message(LOG_LEVEL_ERROR, "%s: %s", failure.object,
			    failure.message);
}

/*
 * One mount: from what was asked for to a session that the kernel knows.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "history.h"
#include "logging.h"
#include "mount_impl.h"
#include "mount_wire.h"
#include "read_turn.h"
#include "store_layers.h"

int mount_new(struct mounts *mounts, struct mount **out_mount)
{
	struct mount *mount = calloc(1, sizeof(*mount));
	pthread_rwlockattr_t attributes;

	if (!mount)
		return -ENOMEM;
	mount->owner = mounts;
	mount->store = mounts->store;
	mount->front = &image_front;
	mutex_init(&mount->lock);
	pthread_rwlockattr_init(&attributes);
	/* A stream of requests must not keep a revoke waiting. */
	pthread_rwlockattr_setkind_np(
		&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&mount->gate, &attributes);
	pthread_rwlockattr_destroy(&attributes);
	*out_mount = mount;
	return 0;
}

void mount_free(struct mount *mount)
{
	if (!mount)
		return;
	mount_refuse_waiting(mount);
	if (mount->session)
		fuse_session_destroy(mount->session);
	mount->front->close(mount);
	if (mount->view)
		view_put(mount->view);
	read_turn_free(mount->turn);
	mount_options_fini(&mount->options);
	free(mount->options_text);
	pthread_rwlock_destroy(&mount->gate);
	mutex_fini(&mount->lock);
	free(mount);
}

static int check_empty(const char *path, struct failure *failure)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	bool empty = true;

	if (!directory)
		return failure_errno(failure, -errno, path,
				     "can't read the mountpoint");
	while (empty && (entry = readdir(directory)) != NULL)
		empty = strcmp(entry->d_name, ".") == 0 ||
			strcmp(entry->d_name, "..") == 0;
	closedir(directory);
	if (empty)
		return 0;
	failure_set(failure, FAILURE_BUSY, path, "the mountpoint is not empty");
	failure_hint(failure, "choose an empty directory, or mount over it "
			      "with -o nonempty");
	return -EBUSY;
}

bool mount_is_below(const char *path, const char *directory)
{
	size_t len_bytes = strlen(directory);

	return strncmp(path, directory, len_bytes) == 0 &&
	       (path[len_bytes] == '/' || path[len_bytes] == '\0' ||
		len_bytes == 1);
}

static int check_mountpoint(struct mount *mount, const char *path,
			    const char *store_path, struct failure *failure)
{
	struct stat st;
	int rc;

	if (!realpath(path, mount->mountpoint)) {
		rc = -errno;
		if (rc != -ENOENT)
			return failure_errno(failure, rc, path,
					     "can't use the mountpoint");
		failure_set(failure, FAILURE_FAILED, path,
			    "the mountpoint does not exist");
		failure_hint(failure, "mkdir %s", path);
		return rc;
	}
	if (stat(mount->mountpoint, &st) < 0)
		return failure_errno(failure, -errno, path,
				     "can't use the mountpoint");
	if (!S_ISDIR(st.st_mode)) {
		failure_set(failure, FAILURE_USAGE, path,
			    "the mountpoint is not a directory");
		failure_hint(failure, "the image appears as a file inside the "
				      "mountpoint");
		return -ENOTDIR;
	}
	if (mount_is_below(mount->mountpoint, store_path)) {
		failure_set(failure, FAILURE_USAGE, path,
			    "the mountpoint is inside the store");
		failure_hint(failure, "choose a directory outside of %s",
			     store_path);
		return -EINVAL;
	}
	rc = store_check_mountpoint(mount->store, path, failure);
	if (rc < 0 || mount->options.nonempty)
		return rc;
	return check_empty(mount->mountpoint, failure);
}

static void default_name(struct mount *mount, const struct store_status *status)
{
	const char *slash = strrchr(status->base_path, '/');

	if (mount->options.name[0])
		return;
	if (slash && slash[1])
		snprintf(mount->options.name, sizeof(mount->options.name),
			 "%.255s", slash + 1);
	else
		snprintf(mount->options.name, sizeof(mount->options.name),
			 "%.250s.img", mount->branch);
}

static int open_view(struct mount *mount, const struct mount_params *params,
		     struct failure *failure)
{
	struct snapshot_info *list = NULL;
	size_t count = 0, i;
	int rc;

	if (!params->snapshot_id) {
		snprintf(mount->branch, sizeof(mount->branch), "%s",
			 params->branch);
		return view_open_branch(mount->store, params->branch,
					&mount->view, failure);
	}
	rc = history_snapshots(mount->store, NULL, false, &list, &count,
			       failure);
	for (i = 0; i < count; i++) {
		if (list[i].id != params->snapshot_id)
			continue;
		snprintf(mount->branch, sizeof(mount->branch), "%s",
			 list[i].branch);
		snprintf(mount->snapshot, sizeof(mount->snapshot), "%s",
			 list[i].name);
	}
	free(list);
	if (rc < 0)
		return rc;
	mount->snapshot_id = params->snapshot_id;
	return view_open_snapshot(mount->store, params->snapshot_id,
				  &mount->view, failure);
}

static int check_blkdev(struct mount *mount, const struct store_status *status,
			struct failure *failure)
{
	if (!mount->options.blkdev)
		return 0;
	if (geteuid() != 0 || strcmp(status->base_kind, "device") != 0)
		return failure_set(failure, FAILURE_USAGE, "blkdev",
				   "this mount option is for root, and for a "
				   "store whose base is a block device");
	if (!mount->options.fsname[0])
		snprintf(mount->options.fsname, sizeof(mount->options.fsname),
			 "%s", status->base_path);
	return 0;
}

static int check_name(struct mount *mount, struct failure *failure)
{
	if (!mount->options.name[0] || !store_is_tree(mount->store))
		return 0;
	failure_set(failure, FAILURE_USAGE, "name",
		    "this mount option names an image, and the store is a "
		    "directory tree");
	failure_hint(failure, "leave it out");
	return -EINVAL;
}

static int check_options(struct mount *mount, const struct store_status *status,
			 struct failure *failure)
{
	struct mount_options *options = &mount->options;
	int rc = mount_binds_check(options, failure);

	if (rc < 0)
		return rc;
	options->read_only |= mount->snapshot_id != 0;
	if (mount->front == &tree_front) {
		if (options->rellinks)
			mount_options_warn(options, "rellinks",
					   "symlinks are shown as they are");
		if (options->from_code[0] || options->to_code[0])
			mount_options_warn(options, "iconv",
					   "names are bytes, and stay so");
		return check_blkdev(mount, status, failure);
	}
	if (options->subdir[0])
		mount_options_warn(options, "subdir",
				   "an image has no directories");
	if (options->follow_base)
		mount_options_warn(options, "base",
				   "an image must not change underneath");
	if (options->rellinks)
		mount_options_warn(options, "rellinks",
				   "an image has no symlinks");
	if (options->from_code[0] || options->to_code[0])
		mount_options_warn(options, "iconv",
				   "an image has one name only, see name=");
	return check_blkdev(mount, status, failure);
}

int mount_build(struct mount *mount, const struct mount_params *params,
		struct failure *failure)
{
	struct store_status status;
	char source[4800];
	int rc;

	rc = open_view(mount, params, failure);
	if (rc < 0)
		return rc;
	store_status(mount->store, &status);
	if (store_is_tree(mount->store))
		mount->front = &tree_front;
	snprintf(source, sizeof(source), "%s:%s%s%s", status.path,
		 mount->branch, mount->snapshot_id ? "@" : "", mount->snapshot);
	mount->options_text = strdup(params->options ? params->options : "");
	if (!mount->options_text)
		return failure_errno(failure, -ENOMEM, NULL, "can't mount");
	rc = mount_options_parse(&mount->options, params->options, failure);
	if (rc == 0)
		rc = check_name(mount, failure);
	if (rc == 0)
		rc = check_options(mount, &status, failure);
	if (rc == 0)
		rc = mount_options_finish(&mount->options, source,
					  mount->front == &tree_front, failure);
	if (rc < 0)
		return rc;
	if (mount->front == &image_front)
		default_name(mount, &status);
	rc = mount_check_rules(mount, failure);
	if (rc == 0)
		rc = check_mountpoint(mount, params->mountpoint, status.path,
				      failure);
	if (rc == 0)
		rc = mount_check_user(mount, failure);
	if (rc == 0 && mount->front->open)
		rc = mount->front->open(mount, failure);
	return rc;
}

int mount_start(struct mount *mount, struct failure *failure)
{
	mount->session = fuse_session_new(&mount->options.arguments,
					  mount->front->requests,
					  sizeof(*mount->front->requests),
					  mount);
	if (!mount->session)
		return failure_set(failure, FAILURE_FAILED, mount->mountpoint,
				   "libfuse refused the mount options");
	if (fuse_session_mount(mount->session, mount->mountpoint) != 0) {
		failure_set(failure, FAILURE_FAILED, mount->mountpoint,
			    "the kernel refused the mount");
		failure_hint(failure, "is /dev/fuse there, and (without root) "
				      "fusermount3 installed and the "
				      "mountpoint yours?");
		return -EINVAL;
	}
	/* Without it all works, and slower. */
	if (mount->front == &tree_front && wire_attach(mount) < 0)
		log_message(LOG_LEVEL_WARNING, "%s: libfuse's own I/O is used",
			    mount->mountpoint);
	return 0;
}

/*
 * Writing objects of a tree into a directory of the host.
 *
 * I1: no name is followed that is a symlink, and none leads out (openat2);
 *     all else is one name in a directory that is open.
 * I2: what a name stood for is replaced by a rename, when what takes its
 *     place is durable. Only a directory that is in the way goes before.
 */
#include "commit_target.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "file.h"

static int open_beneath(int root_fd, const char *path, int *out_fd)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
			   RESOLVE_NO_MAGICLINKS,
	};

	*out_fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
	return *out_fd < 0 ? -errno : 0;
}

int commit_parent(const struct commit_target *target, const char *path,
		  int *out_fd, const char **out_name)
{
	const char *slash = strrchr(path, '/');
	AUTO_FREE char *above = slash ? strndup(path, (size_t)(slash - path)) :
					strdup(".");

	if (!above)
		return -ENOMEM;
	*out_name = slash ? slash + 1 : path;
	return open_beneath(target->root_fd, above, out_fd);
}

int commit_stat(const struct commit_target *target, const char *path,
		struct stat *out_stat)
{
	AUTO_CLOSE int fd = -1;
	const char *name;
	int rc = commit_parent(target, path, &fd, &name);

	if (rc < 0)
		return rc == -ENOTDIR || rc == -ELOOP ? -ENOENT : rc;
	return fstatat(fd, name, out_stat, AT_SYMLINK_NOFOLLOW) < 0 ? -errno :
								      0;
}

static int64_t ns_of(const struct timespec *time)
{
	return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

static struct timespec time_of(int64_t ns)
{
	int64_t rest = ns % 1000000000;

	rest += rest < 0 ? 1000000000 : 0;
	return (struct timespec){ .tv_sec = (ns - rest) / 1000000000,
				  .tv_nsec = (long)rest };
}

static int same_symlink(const struct commit_target *target, const char *path,
			struct tree_node *node, bool *out_same)
{
	char have[PATH_MAX + 1], want[PATH_MAX + 1];
	AUTO_CLOSE int fd = -1;
	const char *name;
	ssize_t len_bytes;
	int rc = commit_parent(target, path, &fd, &name);

	if (rc == 0)
		rc = tree_readlink(node, want, sizeof(want));
	if (rc < 0)
		return rc;
	len_bytes = readlinkat(fd, name, have, sizeof(have) - 1);
	if (len_bytes < 0)
		return -errno;
	have[len_bytes] = '\0';
	*out_same = strcmp(have, want) == 0;
	return 0;
}

int commit_compare(const struct commit_target *target, const char *path,
		   struct tree_node *node, const struct tree_attr *attr,
		   bool *out_same)
{
	struct stat st;
	int rc = commit_stat(target, path, &st);

	*out_same = false;
	if (rc < 0)
		return rc;
	if ((st.st_mode & S_IFMT) != (attr->mode & S_IFMT))
		return 0;
	if (S_ISLNK(st.st_mode))
		return same_symlink(target, path, node, out_same);
	*out_same = !S_ISREG(st.st_mode) ||
		    ((uint64_t)st.st_size == attr->size_bytes &&
		     ns_of(&st.st_mtim) == attr->mtime_ns);
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		*out_same = st.st_rdev == (dev_t)attr->rdev;
	return 0;
}

/* --- attributes --- */

static bool listed(const char *names, size_t names_bytes, const char *name)
{
	size_t at;

	for (at = 0; at < names_bytes; at += strlen(names + at) + 1)
		if (strcmp(names + at, name) == 0)
			return true;
	return false;
}

/* Those that the tree does not have. */
static void remove_xattrs(const char *path, const char *wanted,
			  size_t wanted_bytes)
{
	ssize_t have_bytes = llistxattr(path, NULL, 0);
	AUTO_FREE char *have = have_bytes > 0 ? malloc((size_t)have_bytes) :
						NULL;
	ssize_t at;

	if (have)
		have_bytes = llistxattr(path, have, (size_t)have_bytes);
	for (at = 0; have && at < have_bytes;
	     at += (ssize_t)strlen(have + at) + 1)
		if (!listed(wanted, wanted_bytes, have + at))
			(void)lremovexattr(path, have + at);
}

static int set_xattrs(struct commit_target *target, const char *path,
		      struct tree_node *node)
{
	AUTO_FREE char *names = NULL;
	size_t names_bytes, at, len_bytes;
	int rc = tree_list_xattr(node, NULL, 0, &names_bytes);

	if (rc < 0)
		return rc == -ENOTSUP ? 0 : rc;
	names = malloc(names_bytes + 1);
	if (!names)
		return -ENOMEM;
	if (names_bytes)
		rc = tree_list_xattr(node, names, names_bytes, &names_bytes);
	if (rc == 0)
		remove_xattrs(path, names, names_bytes);
	for (at = 0; rc == 0 && at < names_bytes;
	     at += strlen(names + at) + 1) {
		rc = tree_get_xattr(node, names + at, target->buffer,
				    COMMIT_BUFFER_BYTES, &len_bytes);
		if (rc == 0 && lsetxattr(path, names + at, target->buffer,
					 len_bytes, 0) < 0)
			rc = -errno;
	}
	return rc;
}

static int set_attributes(struct commit_target *target, int fd,
			  const char *name, struct tree_node *node,
			  const struct tree_attr *attr)
{
	const struct timespec times[2] = { time_of(attr->atime_ns),
					   time_of(attr->mtime_ns) };
	AUTO_FREE char *path = NULL;
	int rc;

	if (asprintf(&path, "/proc/self/fd/%d/%s", fd, name) < 0)
		return -ENOMEM;
	if (fchownat(fd, name, attr->uid, attr->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISLNK(attr->mode) &&
	    fchmodat(fd, name, (mode_t)attr->mode & 07777, 0) < 0)
		return -errno;
	rc = set_xattrs(target, path, node);
	if (rc < 0)
		return rc;
	return utimensat(fd, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

int commit_attributes(struct commit_target *target, const char *path,
		      struct tree_node *node, const struct tree_attr *attr)
{
	AUTO_CLOSE int fd = -1;
	const char *name;
	int rc = commit_parent(target, path, &fd, &name);

	return rc < 0 ? rc : set_attributes(target, fd, name, node, attr);
}

/* --- removing --- */

static int remove_at(int parent_fd, const char *name)
{
	struct dirent *entry;
	DIR *directory;
	int fd, rc = 0;

	if (unlinkat(parent_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	fd = openat(parent_fd, name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	directory = fdopendir(fd);
	if (!directory) {
		close(fd);
		return -ENOMEM;
	}
	while (rc == 0 && (entry = readdir(directory)))
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			rc = remove_at(fd, entry->d_name);
	closedir(directory);
	if (rc == 0 && unlinkat(parent_fd, name, AT_REMOVEDIR) < 0)
		rc = -errno;
	return rc;
}

int commit_remove(const struct commit_target *target, const char *path)
{
	AUTO_CLOSE int fd = -1;
	const char *name;
	int rc = commit_parent(target, path, &fd, &name);

	if (rc == -ENOENT || rc == -ENOTDIR)
		return 0;
	return rc < 0 ? rc : remove_at(fd, name);
}

/* --- writing --- */

static int write_runs(struct commit_target *target, struct file *file, int fd,
		      uint64_t size_bytes)
{
	uint64_t at = 0, end;
	size_t len_bytes, done;
	ssize_t n;
	int rc;

	while (at < size_bytes) {
		rc = file_seek(file, at, true, &at);
		if (rc == 0)
			rc = file_seek(file, at, false, &end);
		if (rc == 0)
			rc = file_read(file, at, target->buffer,
				       end - at < COMMIT_BUFFER_BYTES ?
					       (size_t)(end - at) :
					       COMMIT_BUFFER_BYTES,
				       &len_bytes);
		if (rc < 0 || len_bytes == 0)
			return rc == -ENXIO ? 0 : rc;
		for (done = 0; done < len_bytes; done += (size_t)n) {
			n = pwrite(fd, target->buffer + done, len_bytes - done,
				   (off_t)(at + done));
			if (n < 0)
				return -errno;
		}
		at += len_bytes;
		target->written_bytes += len_bytes;
	}
	return 0;
}

static int write_data(struct commit_target *target, int parent_fd,
		      struct tree_node *node, const struct tree_attr *attr)
{
	AUTO_CLOSE int fd = openat(parent_fd, COMMIT_TEMPORARY,
				   O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
				   0600);
	struct file *file;
	int rc;

	if (fd < 0)
		return -errno;
	rc = tree_file_open(node, false, &file);
	if (rc < 0)
		return rc;
	rc = write_runs(target, file, fd, attr->size_bytes);
	tree_file_close(node);
	if (rc == 0 && ftruncate(fd, (off_t)attr->size_bytes) < 0)
		rc = -errno;
	if (rc == 0)
		rc = set_attributes(target, parent_fd, COMMIT_TEMPORARY, node,
				    attr);
	return rc < 0 ? rc : fsync(fd) < 0 ? -errno : 0;
}

static int make_special(struct commit_target *target, int fd,
			struct tree_node *node, const struct tree_attr *attr)
{
	char text[PATH_MAX + 1];
	int rc = 0;

	if (S_ISLNK(attr->mode)) {
		rc = tree_readlink(node, text, sizeof(text));
		if (rc == 0 && symlinkat(text, fd, COMMIT_TEMPORARY) < 0)
			rc = -errno;
	} else if (mknodat(fd, COMMIT_TEMPORARY, (mode_t)attr->mode,
			   (dev_t)attr->rdev) < 0) {
		rc = -errno;
	}
	return rc < 0 ?
		       rc :
		       set_attributes(target, fd, COMMIT_TEMPORARY, node, attr);
}

/* I2 */
static int replace(int fd, const char *name)
{
	struct stat st;
	int rc = 0;

	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(st.st_mode))
		rc = remove_at(fd, name);
	if (rc == 0 && renameat(fd, COMMIT_TEMPORARY, fd, name) < 0)
		rc = -errno;
	return rc;
}

static int make_directory(int fd, const char *name)
{
	struct stat st;
	int rc;

	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (S_ISDIR(st.st_mode))
			return 0;
		rc = remove_at(fd, name);
		if (rc < 0)
			return rc;
	}
	return mkdirat(fd, name, 0700) < 0 ? -errno : 0;
}

int commit_write(struct commit_target *target, const char *path,
		 struct tree_node *node, const struct tree_attr *attr)
{
	AUTO_CLOSE int fd = -1;
	const char *name;
	int rc = commit_parent(target, path, &fd, &name);

	if (rc < 0)
		return rc;
	if (S_ISDIR(attr->mode)) /* its attributes come last */
		return make_directory(fd, name);
	rc = remove_at(fd, COMMIT_TEMPORARY); /* of one that was killed */
	if (rc == 0)
		rc = S_ISREG(attr->mode) ? write_data(target, fd, node, attr) :
					   make_special(target, fd, node, attr);
	if (rc == 0)
		rc = replace(fd, name);
	if (rc < 0)
		(void)unlinkat(fd, COMMIT_TEMPORARY, 0);
	return rc;
}

int commit_link(struct commit_target *target, const char *first,
		const char *path)
{
	AUTO_CLOSE int first_fd = -1;
	AUTO_CLOSE int fd = -1;
	const char *first_name, *name;
	int rc = commit_parent(target, first, &first_fd, &first_name);

	if (rc == 0)
		rc = commit_parent(target, path, &fd, &name);
	if (rc == 0)
		rc = remove_at(fd, COMMIT_TEMPORARY);
	if (rc == 0 &&
	    linkat(first_fd, first_name, fd, COMMIT_TEMPORARY, 0) < 0)
		rc = -errno;
	if (rc == 0)
		rc = replace(fd, name);
	/* Renaming one name of a file to another does nothing. */
	(void)unlinkat(fd, COMMIT_TEMPORARY, 0);
	return rc;
}

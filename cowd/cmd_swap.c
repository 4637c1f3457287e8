/*
 * cowd swap: two files of a mount exchange their contents, and keep their
 * metadata, as exchangedata of Mac OS X did.
 *
 * The names are exchanged, which is one step, and then the metadata is given
 * back: so no data is moved, and inode numbers go with the contents. What dies
 * in between leaves contents exchanged and metadata, too.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "command.h"
#include "json_out.h"
#include "path_text.h"

enum { XATTR_BYTES_MAX = 65536 };

/* One of the two. */
struct side {
	const char *name;
	int fd; /* O_PATH */
	char path[64];
	struct stat st;
	char *xattrs; /* names, each with its NUL */
	size_t xattrs_bytes;
	char **values; /* as many */
	size_t *values_bytes;
	size_t count;
};

static int read_value(struct side *side, const char *name)
{
	char *value = malloc(XATTR_BYTES_MAX);
	ssize_t n = value ? getxattr(side->path, name, value, XATTR_BYTES_MAX) :
			    -1;

	if (n < 0) {
		free(value);
		return -errno;
	}
	side->values[side->count] = value;
	side->values_bytes[side->count++] = (size_t)n;
	return 0;
}

static int read_xattrs(struct side *side)
{
	size_t at;
	ssize_t n;
	int rc = 0;

	side->xattrs = malloc(XATTR_BYTES_MAX);
	if (!side->xattrs)
		return -ENOMEM;
	n = listxattr(side->path, side->xattrs, XATTR_BYTES_MAX);
	if (n < 0)
		return errno == ENOTSUP ? 0 : -errno;
	side->xattrs_bytes = (size_t)n;
	side->values = calloc((size_t)n + 1, sizeof(*side->values));
	side->values_bytes = calloc((size_t)n + 1, sizeof(*side->values_bytes));
	if (!side->values || !side->values_bytes)
		return -ENOMEM;
	for (at = 0; at < (size_t)n && rc == 0;
	     at += strlen(side->xattrs + at) + 1)
		rc = read_value(side, side->xattrs + at);
	return rc;
}

static int take(struct cli *cli, const char *name, struct side *side)
{
	int rc;

	side->name = name;
	side->fd = open(name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (side->fd < 0 || fstat(side->fd, &side->st) < 0)
		return failure_errno(&cli->failure, -errno, name, "can't swap");
	if (!S_ISREG(side->st.st_mode))
		return failure_set(&cli->failure, FAILURE_USAGE, name,
				   "is no regular file");
	if (side->st.st_nlink != 1)
		return failure_set(&cli->failure, FAILURE_BUSY, name,
				   "has other names, which would keep the "
				   "content");
	snprintf(side->path, sizeof(side->path), "/proc/self/fd/%d", side->fd);
	rc = read_xattrs(side);
	return rc < 0 ? failure_errno(&cli->failure, rc, name,
				      "can't read its xattrs") :
			0;
}

static void drop(struct side *side)
{
	size_t i;

	for (i = 0; i < side->count; i++)
		free(side->values[i]);
	free(side->values);
	free(side->values_bytes);
	free(side->xattrs);
	if (side->fd >= 0)
		close(side->fd);
}

static bool has_name(const struct side *side, const char *name)
{
	size_t at;

	for (at = 0; at < side->xattrs_bytes;
	     at += strlen(side->xattrs + at) + 1)
		if (strcmp(side->xattrs + at, name) == 0)
			return true;
	return false;
}

static int give_xattrs(const struct side *from, const struct side *to)
{
	size_t at, nr = 0;

	for (at = 0; at < to->xattrs_bytes; at += strlen(to->xattrs + at) + 1)
		if (!has_name(from, to->xattrs + at) &&
		    removexattr(to->path, to->xattrs + at) < 0)
			return -errno;
	for (at = 0; at < from->xattrs_bytes;
	     at += strlen(from->xattrs + at) + 1, nr++)
		if (setxattr(to->path, from->xattrs + at, from->values[nr],
			     from->values_bytes[nr], 0) < 0)
			return -errno;
	return 0;
}

/* What one was, the other's inode becomes; the time of modification tells of
 * the content, and stays with it. */
static int give(const struct side *from, const struct side *to)
{
	const struct timespec times[2] = { from->st.st_atim,
					   { .tv_nsec = UTIME_OMIT } };
	int rc;

	if (fchownat(to->fd, "", from->st.st_uid, from->st.st_gid,
		     AT_EMPTY_PATH) < 0)
		return -errno;
	rc = give_xattrs(from, to);
	if (rc == 0 && chmod(to->path, from->st.st_mode & 07777) < 0)
		rc = -errno;
	if (rc == 0 && utimensat(AT_FDCWD, to->path, times, 0) < 0)
		rc = -errno;
	return rc;
}

static int swap(struct cli *cli, const struct side *a, const struct side *b)
{
	int rc;

	if (a->st.st_dev != b->st.st_dev)
		return failure_set(&cli->failure, FAILURE_USAGE, b->name,
				   "is in another mount than the first");
	if (a->st.st_ino == b->st.st_ino)
		return failure_set(&cli->failure, FAILURE_USAGE, b->name,
				   "is the same file");
	if (option_given(cli, OPTION_DRY_RUN))
		return 0;
	if (renameat2(AT_FDCWD, a->name, AT_FDCWD, b->name, RENAME_EXCHANGE) <
	    0)
		return failure_errno(&cli->failure, -errno, a->name,
				     "can't swap with %s", b->name);
	rc = give(a, b);
	if (rc == 0)
		rc = give(b, a);
	return rc < 0 ? failure_errno(&cli->failure, rc, a->name,
				      "contents are swapped, and some of the "
				      "metadata, too") :
			0;
}

int cmd_swap(struct cli *cli)
{
	struct side a = { .fd = -1 }, b = { .fd = -1 };
	json_t *result;
	int rc = take(cli, cli->arguments[0], &a);

	if (rc == 0)
		rc = take(cli, cli->arguments[1], &b);
	if (rc == 0)
		rc = swap(cli, &a, &b);
	drop(&a);
	drop(&b);
	if (rc < 0)
		return rc;
	result = json_pack("{s:s, s:o, s:b}", "schema", "cowd/swap/1", "paths",
			   json_pack("[o, o]", path_json(cli->arguments[0]),
				     path_json(cli->arguments[1])),
			   "dry_run", option_given(cli, OPTION_DRY_RUN));
	if (!cli_print_json(cli, result) && option_given(cli, OPTION_DRY_RUN))
		cli_say(cli, "would swap %s and %s\n", cli->arguments[0],
			cli->arguments[1]);
	json_decref(result);
	return 0;
}

/*
 * The holefile on disk.
 *
 * I1  Whoever changes it holds the lock of the file that the name leads to: a
 *     new file is locked before it takes the name, and who got a lock looks
 *     whether the name still leads there.
 * I2  A file that is somebody else's, or not a holefile, is not changed.
 * I3  Its end is at size_bytes: a line that could not be written whole is cut
 *     off again, or the file is broken from then on.
 * A crash leaves lines that were written, perhaps one without its end, which
 * the next session drops; or NAME.new, which the next rewrite replaces.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "holes_impl.h"
#include "logging.h"

#define FILE_BYTES_MAX ((off_t)1 << 30)

static int write_all(int fd, const char *data, size_t len_bytes, off_t at)
{
	while (len_bytes > 0) {
		ssize_t n = pwrite(fd, data, len_bytes, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len_bytes -= (size_t)n;
		at += n;
	}
	return 0;
}

static int read_all(int fd, char *data, size_t len_bytes)
{
	size_t done = 0;

	while (done < len_bytes) {
		ssize_t n =
			pread(fd, data + done, len_bytes - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO; /* it shrank, though it is locked */
		done += (size_t)n;
	}
	return 0;
}

static int sync_fd(int fd, bool data_only)
{
	while ((data_only ? fdatasync(fd) : fsync(fd)) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int take_lock(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
}

/* "file" and the directory it is in. */
static int open_directory(struct holes_file *file, const char *path)
{
	AUTO_FREE char *parent = strdup(path);
	char *slash;

	file->path = strdup(path);
	if (!parent || !file->path)
		return -ENOMEM;
	slash = strrchr(parent, '/');
	file->name = slash ? file->path + (slash - parent) + 1 : file->path;
	if (!*file->name)
		return -EISDIR;
	if (strlen(file->name) > 251) /* with ".new" it must be a name */
		return -ENAMETOOLONG;
	if (slash)
		slash[slash == parent] = '\0';
	file->directory_fd =
		open(slash ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return file->directory_fd < 0 ? -errno : 0;
}

/* Where all may write, a file may be there only to be written to by us. */
static int check_file(const struct holes_file *file, const struct stat *st,
		      struct failure *failure)
{
	struct stat directory;

	if (!S_ISREG(st->st_mode) || st->st_nlink > 1)
		return failure_set(failure, FAILURE_USAGE, file->path,
				   "is no regular file with just one name, so "
				   "no holefile");
	if (st->st_size > FILE_BYTES_MAX)
		return failure_set(failure, FAILURE_USAGE, file->path,
				   "is too large for a holefile");
	if (fstat(file->directory_fd, &directory) < 0)
		return failure_errno(failure, -errno, file->path,
				     "can't look at its directory");
	if (st->st_uid == geteuid() || !(directory.st_mode & S_IWOTH))
		return 0;
	failure_set(failure, FAILURE_USAGE, file->path,
		    "belongs to another user, in a directory where all may "
		    "write");
	failure_hint(failure, "give a holefile of your own: -h FILE");
	return -EINVAL;
}

/* The owner that the first line names; "" without one. Caller frees. */
static char *read_owner(int fd)
{
	char line[4096], *text = calloc(1, sizeof(line));
	enum hole_line_kind kind;
	ssize_t n = pread(fd, line, sizeof(line), 0);
	const char *end = n > 0 ? memchr(line, '\n', (size_t)n) : NULL;

	if (text &&
	    (!end ||
	     hole_line_decode(line, (size_t)(end - line), &kind, text) < 0 ||
	     kind != HOLE_LINE_OWNER))
		text[0] = '\0';
	return text;
}

static int refuse_busy(const struct holes_file *file, int fd,
		       struct failure *failure)
{
	AUTO_FREE char *owner = read_owner(fd);

	failure_set(failure, FAILURE_BUSY, file->path,
		    "the holefile is in use by the session of %s",
		    owner && *owner ? owner : "another mount");
	failure_hint(failure, "end that one first, or give this one a "
			      "holefile of its own: -h FILE");
	return -EBUSY;
}

/* One try: -EAGAIN when the name leads elsewhere by now (I1). */
static int open_locked(struct holes_file *file, struct failure *failure)
{
	AUTO_CLOSE int fd = openat(
		file->directory_fd, file->name,
		O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	struct stat st, named;
	int rc;

	if (fd < 0 && errno == ELOOP)
		return failure_set(failure, FAILURE_USAGE, file->path,
				   "is a symbolic link, so no holefile");
	if (fd < 0 || fstat(fd, &st) < 0)
		return failure_errno(failure, -errno, file->path,
				     "can't open the holefile");
	rc = check_file(file, &st, failure);
	if (rc < 0)
		return rc;
	rc = take_lock(fd);
	if (rc == -EBUSY)
		return refuse_busy(file, fd, failure);
	if (rc < 0)
		return failure_errno(failure, rc, file->path,
				     "can't lock the holefile");
	if (fstatat(file->directory_fd, file->name, &named,
		    AT_SYMLINK_NOFOLLOW) < 0 ||
	    named.st_ino != st.st_ino || named.st_dev != st.st_dev)
		return -EAGAIN;
	file->fd = take_fd(&fd);
	return 0;
}

struct loading {
	struct holes_file *file;
	struct hole **set;
	bool marked; /* the first line is one of ours */
	unsigned line;
	struct failure *failure;
};

static int refuse_line(struct loading *loading)
{
	if (loading->marked)
		return failure_set(loading->failure, FAILURE_CORRUPT,
				   loading->file->path,
				   "line %u of the holefile is damaged",
				   loading->line);
	return failure_set(loading->failure, FAILURE_USAGE, loading->file->path,
			   "is no holefile: line %u is no path below the mount",
			   loading->line);
}

static int refuse_owner(struct loading *loading, const char *owner)
{
	failure_set(loading->failure, FAILURE_EXISTS, loading->file->path,
		    "this holefile holds the names removed from %s, not from "
		    "%s",
		    owner, loading->file->owner);
	failure_hint(loading->failure,
		     "give this mount a holefile of its own: -h FILE; or, if "
		     "these names are meant, remove the first line of it");
	return -EEXIST;
}

static int take_name(struct loading *loading, enum hole_line_kind kind,
		     const char *path)
{
	struct hole *hole = hole_set_find(*loading->set, path, strlen(path));

	if (kind == HOLE_LINE_ORIGIN ||
	    (hole && hole->origin && kind == HOLE_LINE_ADDED)) {
		loading->file->dead_count += hole ? 1 : 0;
		return hole_set_put(loading->set, path,
				    kind == HOLE_LINE_ADDED ?
					    NULL :
					    path + strlen(path) + 1);
	}
	if (kind == HOLE_LINE_ADDED && !hole)
		return hole_set_add(loading->set, path);
	loading->file->dead_count++;
	if (kind == HOLE_LINE_REMOVED && hole) {
		loading->file->dead_count++;
		hole_set_delete(loading->set, hole);
	}
	return 0;
}

static int take_line(struct loading *loading, const char *line,
		     size_t len_bytes)
{
	AUTO_FREE char *text = malloc(len_bytes + 2);
	static const char other[] = "# cowd holes ";
	enum hole_line_kind kind;
	int rc;

	if (!text)
		return -ENOMEM;
	rc = hole_line_decode(line, len_bytes, &kind, text);
	if (loading->line == 1 && kind == HOLE_LINE_OWNER)
		loading->marked = true;
	if (rc < 0 || (kind == HOLE_LINE_OWNER && loading->line > 1))
		return refuse_line(loading);
	switch (kind) {
	case HOLE_LINE_OWNER:
		return strcmp(text, loading->file->owner) == 0 ?
			       0 :
			       refuse_owner(loading, text);
	case HOLE_LINE_EMPTY:
		if (loading->line == 1 && len_bytes >= sizeof(other) - 1 &&
		    memcmp(line, other, sizeof(other) - 1) == 0)
			return failure_set(loading->failure,
					   FAILURE_UNSUPPORTED,
					   loading->file->path,
					   "is a holefile of a newer cowd");
		return 0;
	case HOLE_LINE_ADDED:
	case HOLE_LINE_REMOVED:
	case HOLE_LINE_ORIGIN:
		return take_name(loading, kind, text);
	}
	abort();
}

static int load_text(struct loading *loading, const char *text, size_t bytes,
		     bool *out_torn)
{
	const char *end = text + bytes, *newline;
	int rc = 0;

	*out_torn = false;
	while (rc == 0 && text < end) {
		newline = memchr(text, '\n', (size_t)(end - text));
		loading->line++;
		if (!newline && loading->marked) {
			log_message(LOG_LEVEL_WARNING,
				    "%s: line %u was not written whole, and "
				    "is dropped",
				    loading->file->path, loading->line);
			*out_torn = true;
			break;
		}
		if (!newline)
			newline = end; /* by hand */
		rc = take_line(loading, text, (size_t)(newline - text));
		text = newline + 1;
	}
	return rc;
}

static int load(struct holes_file *file, struct hole **set,
		struct failure *failure)
{
	struct loading loading = { .file = file,
				   .set = set,
				   .failure = failure };
	AUTO_FREE char *text = NULL;
	struct stat st;
	bool torn = false;
	int rc;

	if (fstat(file->fd, &st) < 0)
		return -errno;
	file->size_bytes = st.st_size;
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return -ENOMEM;
	rc = read_all(file->fd, text, (size_t)st.st_size);
	if (rc == 0)
		rc = load_text(&loading, text, (size_t)st.st_size, &torn);
	if (rc < 0)
		return rc;
	return torn || !loading.marked || file->dead_count > 0 ?
		       holes_file_rewrite(file, *set) :
		       0;
}

int holes_file_open(struct holes_file *file, const char *path,
		    const char *owner, struct hole **set,
		    struct failure *failure)
{
	int tries = 16, rc;

	*file = (struct holes_file){ .directory_fd = -1, .fd = -1 };
	rc = open_directory(file, path);
	file->owner = strdup(owner);
	if (rc == 0 && !file->owner)
		rc = -ENOMEM;
	if (rc < 0)
		return failure_errno(failure, rc, path,
				     "can't open the holefile");
	do
		rc = open_locked(file, failure);
	while (rc == -EAGAIN && --tries > 0);
	if (rc == 0)
		rc = load(file, set, failure);
	if (rc < 0) {
		/* As it was found: nothing is to be packed at the end. */
		file->dead_count = 0;
		hole_set_clear(set);
		/* Keeps what was said before. */
		return failure_errno(failure, rc, path,
				     "can't use the holefile");
	}
	return 0;
}

int holes_file_append(struct holes_file *file, enum hole_line_kind kind,
		      const char *path)
{
	AUTO_FREE char *line = malloc(HOLE_LINE_BYTES(strlen(path)));

	if (!line)
		return file->broken ? -EIO : -ENOMEM;
	return holes_file_append_text(file, line,
				      hole_line_encode(kind, path, line));
}

int holes_file_append_text(struct holes_file *file, const char *text,
			   size_t text_bytes)
{
	int rc;

	if (file->broken)
		return -EIO;
	rc = write_all(file->fd, text, text_bytes, file->size_bytes);
	if (rc == 0)
		file->size_bytes += (off_t)text_bytes;
	else if (ftruncate(file->fd, file->size_bytes) < 0)
		file->broken = true; /* I3 */
	return rc < 0 ? log_errno(rc, "%s: can't write the holefile",
				  file->path) :
			0;
}

static int write_lines(FILE *out, const struct holes_file *file,
		       const struct hole *set)
{
	const struct hole *hole = NULL;
	const char *text = file->owner;

	do {
		const char *origin = hole && hole->origin ? hole->origin : "";
		AUTO_FREE char *line =
			malloc(HOLE_LINE_BYTES(strlen(text) + strlen(origin)));
		size_t len_bytes;

		if (!line)
			return -ENOMEM;
		len_bytes =
			hole && hole->origin ?
				hole_line_encode_origin(text, origin, line) :
				hole_line_encode(hole ? HOLE_LINE_ADDED :
							HOLE_LINE_OWNER,
						 text, line);
		if (fwrite(line, 1, len_bytes, out) != len_bytes)
			return -ENOMEM;
		hole = hole ? hole->hh.next : set;
		text = hole ? hole->path : NULL;
	} while (hole);
	return 0;
}

/* All of the new file's text. Caller frees. */
static int new_text(const struct holes_file *file, const struct hole *set,
		    char **out_text, size_t *out_bytes)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, out_bytes);
	int rc = out ? write_lines(out, file, set) : -ENOMEM;

	if (out && fclose(out) != 0)
		rc = -ENOMEM;
	if (rc < 0)
		free(text);
	else
		*out_text = text;
	return rc;
}

/* A locked file of that text, which has no other name yet than NAME.new. */
static int write_new(const struct holes_file *file, const char *new_name,
		     const char *text, size_t text_bytes, int *out_fd)
{
	AUTO_CLOSE int fd = -1;
	struct stat st;
	int rc;

	if (fstat(file->fd, &st) < 0)
		return -errno;
	(void)unlinkat(file->directory_fd, new_name, 0);
	fd = openat(file->directory_fd, new_name,
		    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	/* As far as we may: it is ours in any case. */
	if (fchown(fd, st.st_uid, st.st_gid) < 0 ||
	    fchmod(fd, st.st_mode & 0777) < 0)
		log_message(LOG_LEVEL_INFO, "%s: owner and mode changed",
			    file->path);
	rc = take_lock(fd);
	if (rc == 0)
		rc = write_all(fd, text, text_bytes, 0);
	if (rc == 0)
		rc = sync_fd(fd, true);
	if (rc == 0)
		*out_fd = take_fd(&fd);
	return rc;
}

int holes_file_rewrite(struct holes_file *file, struct hole *set)
{
	AUTO_FREE char *text = NULL;
	char new_name[256];
	size_t text_bytes = 0;
	int fd = -1, rc;

	if (file->broken)
		return -EIO;
	snprintf(new_name, sizeof(new_name), "%s.new", file->name);
	rc = new_text(file, set, &text, &text_bytes);
	if (rc == 0)
		rc = write_new(file, new_name, text, text_bytes, &fd);
	if (rc == 0 && renameat(file->directory_fd, new_name,
				file->directory_fd, file->name) < 0)
		rc = -errno;
	if (rc < 0) {
		(void)unlinkat(file->directory_fd, new_name, 0);
		if (fd >= 0)
			close(fd);
		return rc;
	}
	close(file->fd); /* I1: the new one is locked */
	file->fd = fd;
	file->size_bytes = (off_t)text_bytes;
	file->dead_count = 0;
	rc = sync_fd(file->directory_fd, false);
	if (rc < 0)
		file->broken = true;
	return rc;
}

int holes_file_sync(struct holes_file *file)
{
	int rc = file->broken ? -EIO : sync_fd(file->fd, true);

	if (rc == 0 || file->broken)
		return rc;
	file->broken = true;
	return log_errno(rc, "%s: can't sync the holefile", file->path);
}

void holes_file_close(struct holes_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	if (file->directory_fd >= 0)
		close(file->directory_fd);
	free(file->path);
	free(file->owner);
	*file = (struct holes_file){ .directory_fd = -1, .fd = -1 };
}

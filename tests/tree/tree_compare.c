/*
 * Whether two trees are the same: names, content, attributes, xattrs, and
 * which names share an inode. Subject's own promises are looked at as well:
 * d_type and d_ino say what lstat says, and an inode keeps its number.
 */
#include "tree_model.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <uthash.h>

enum { DIFFERENCES_MOST = 10, XATTR_MOST = 16384 };

/* Which inode of subject is which of reference. The birth tells an inode of
 * reference from a later one with its number. */
struct pair {
	struct key {
		uint64_t inode;
		int64_t birth_ns;
	} key;
	uint64_t other;
	UT_hash_handle hh;
};

struct names {
	size_t count, room;
	struct entry {
		char *name;
		uint64_t inode;
		unsigned char type;
	} * entries;
	uint64_t dot, dot_dot;
};

struct comparison {
	struct world *world;
	char path[PATH_MAX];
	struct pair *by_subject; /* in this comparison */
	uint64_t entry_count;
	int differences;
	bool live; /* reference is the live one, not a copy */
};

static struct pair *by_reference; /* over all comparisons */

static void differ(struct comparison *comparison, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void differ(struct comparison *comparison, const char *format, ...)
{
	va_list arguments;

	if (comparison->differences++ >= DIFFERENCES_MOST)
		return;
	printf("differs: %s: ", comparison->path);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
}

static int64_t ns_of(struct timespec time)
{
	return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

void compare_forget(void)
{
	struct pair *pair;
	struct pair *next;

	HASH_ITER(hh, by_reference, pair, next)
	{
		HASH_DEL(by_reference, pair);
		free(pair);
	}
}

static struct pair *pair_find(struct pair **table, struct key key,
			      uint64_t other)
{
	struct pair *pair;

	HASH_FIND(hh, *table, &key, sizeof(key), pair);
	if (pair)
		return pair;
	pair = calloc(1, sizeof(*pair));
	if (!pair)
		abort();
	pair->key = key;
	pair->other = other;
	HASH_ADD(hh, *table, key, sizeof(key), pair);
	return pair;
}

/* One inode here is one there; true: first time in this comparison. */
static bool check_link(struct comparison *comparison, int fd, const char *name,
		       const struct stat *mine, const struct stat *other)
{
	struct key subject = { .inode = mine->st_ino };
	struct key reference = { .inode = other->st_ino };
	struct statx times = { .stx_mask = 0 };
	unsigned before = HASH_COUNT(comparison->by_subject);
	struct pair *pair;

	pair = pair_find(&comparison->by_subject, subject, other->st_ino);
	if (pair->other != other->st_ino)
		differ(comparison,
		       "inode %" PRIu64 " is two of reference (%" PRIu64
		       ", %" PRIu64 ")",
		       subject.inode, pair->other, (uint64_t)other->st_ino);
	if (comparison->live &&
	    !(comparison->world->without & FEATURE_INODES) &&
	    !statx(fd, name, AT_SYMLINK_NOFOLLOW, STATX_BTIME, &times)) {
		reference.birth_ns =
			times.stx_btime.tv_sec * INT64_C(1000000000) +
			times.stx_btime.tv_nsec;
		pair = pair_find(&by_reference, reference, mine->st_ino);
		if (pair->other != mine->st_ino)
			differ(comparison, "was inode %" PRIu64 ", is %" PRIu64,
			       pair->other, (uint64_t)mine->st_ino);
		pair->other = mine->st_ino;
	}
	return HASH_COUNT(comparison->by_subject) != before;
}

static void check_stat(struct comparison *comparison, const struct stat *mine,
		       const struct stat *other)
{
	const struct world *world = comparison->world;
	int64_t apart_ns = ns_of(mine->st_mtim) - ns_of(other->st_mtim);
	int64_t allowed_ns = INT64_C(2000000000) + (int64_t)world->slowest_ns;
	bool is_dir = S_ISDIR(mine->st_mode);
	/* What goes through a fifo moves its times; of FUSE the kernel does
	 * not. */
	bool by_others = S_ISFIFO(mine->st_mode);

	if (mine->st_mode != other->st_mode)
		differ(comparison, "mode %o, want %o", mine->st_mode,
		       other->st_mode);
	if (mine->st_uid != other->st_uid || mine->st_gid != other->st_gid)
		differ(comparison, "owner %u:%u, want %u:%u", mine->st_uid,
		       mine->st_gid, other->st_uid, other->st_gid);
	if (mine->st_nlink != other->st_nlink &&
	    !(is_dir && (world->without & FEATURE_DIR_LINKS)))
		differ(comparison, "%" PRIu64 " links, want %" PRIu64,
		       (uint64_t)mine->st_nlink, (uint64_t)other->st_nlink);
	if (!is_dir && mine->st_size != other->st_size)
		differ(comparison, "size %" PRId64 ", want %" PRId64,
		       (int64_t)mine->st_size, (int64_t)other->st_size);
	if ((S_ISCHR(mine->st_mode) || S_ISBLK(mine->st_mode)) &&
	    mine->st_rdev != other->st_rdev)
		differ(comparison, "rdev %" PRIx64 ", want %" PRIx64,
		       (uint64_t)mine->st_rdev, (uint64_t)other->st_rdev);
	if (!(world->without & FEATURE_MTIME) && !by_others &&
	    llabs(apart_ns) > allowed_ns)
		differ(comparison,
		       "mtime %" PRId64 ".%09ld, want %" PRId64 ".%09ld",
		       (int64_t)mine->st_mtim.tv_sec, mine->st_mtim.tv_nsec,
		       (int64_t)other->st_mtim.tv_sec, other->st_mtim.tv_nsec);
}

static void check_data(struct comparison *comparison, int mine_dir,
		       int other_dir, const char *name)
{
	static unsigned char mine[1 << 16];
	static unsigned char other[1 << 16];
	int mine_fd = openat(mine_dir, name, O_RDONLY | O_CLOEXEC);
	int other_fd = openat(other_dir, name, O_RDONLY | O_CLOEXEC);
	int64_t at = 0;
	ssize_t got;
	ssize_t want;

	if (mine_fd < 0 || other_fd < 0) {
		differ(comparison, "can't be opened: %m");
	} else {
		do {
			got = read(mine_fd, mine, sizeof(mine));
			want = read(other_fd, other, sizeof(other));
			if (got != want ||
			    (got > 0 && memcmp(mine, other, (size_t)got))) {
				differ(comparison,
				       "content at %" PRId64
				       ": %zd bytes, want %zd",
				       at, got, want);
				break;
			}
			at += got;
		} while (got > 0);
	}
	if (mine_fd >= 0)
		close(mine_fd);
	if (other_fd >= 0)
		close(other_fd);
}

static void check_target(struct comparison *comparison, int mine_dir,
			 int other_dir, const char *name)
{
	char mine[PATH_MAX] = "";
	char other[PATH_MAX] = "";
	ssize_t got = readlinkat(mine_dir, name, mine, sizeof(mine) - 1);
	ssize_t want = readlinkat(other_dir, name, other, sizeof(other) - 1);

	if (got != want || strcmp(mine, other))
		differ(comparison, "leads to '%s', want '%s'", mine, other);
}

/* All names and values, in any order. */
static uint64_t xattrs_of(int dir, const char *name, int64_t *out_count)
{
	static char names[XATTR_MOST];
	static char value[XATTR_MOST];
	char path[PATH_MAX];
	uint64_t sum = 0;
	ssize_t bytes;
	ssize_t at;

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir, name);
	bytes = llistxattr(path, names, sizeof(names));
	*out_count = bytes < 0 ? -errno : 0;
	for (at = 0; at < bytes; at += (ssize_t)strlen(names + at) + 1) {
		ssize_t got = lgetxattr(path, names + at, value, sizeof(value));

		if (got < 0)
			*out_count = -1000 - errno;
		else
			++*out_count;
		sum += sum_of(names + at, strlen(names + at),
			      sum_of(value, got < 0 ? 0 : (size_t)got, 0));
	}
	return sum;
}

static void check_xattrs(struct comparison *comparison, int mine_dir,
			 int other_dir, const char *name)
{
	int64_t got;
	int64_t want;
	uint64_t mine;
	uint64_t other;

	if (comparison->world->without & FEATURE_XATTR)
		return;
	mine = xattrs_of(mine_dir, name, &got);
	other = xattrs_of(other_dir, name, &want);
	if (got != want || mine != other)
		differ(comparison,
		       "other xattrs (%" PRId64 ", want %" PRId64 ")", got,
		       want);
}

static int by_name(const void *one, const void *two)
{
	const struct entry *a = one;
	const struct entry *b = two;

	return strcmp(a->name, b->name);
}

static void names_add(struct names *names, const struct dirent *found)
{
	if (!strcmp(found->d_name, ".")) {
		names->dot = found->d_ino;
		return;
	}
	if (!strcmp(found->d_name, "..")) {
		names->dot_dot = found->d_ino;
		return;
	}
	if (names->count == names->room) {
		names->room = names->room ? names->room * 2 : 32;
		names->entries = reallocarray(names->entries, names->room,
					      sizeof(*names->entries));
		if (!names->entries)
			abort();
	}
	names->entries[names->count++] = (struct entry){ strdup(found->d_name),
							 found->d_ino,
							 found->d_type };
}

/* Takes over fd. */
static int names_read(int fd, struct names *names)
{
	DIR *list = fdopendir(fd);
	struct dirent *found;

	*names = (struct names){ .count = 0 };
	if (!list)
		return -errno;
	errno = 0;
	while ((found = readdir(list)))
		names_add(names, found);
	if (errno) {
		int rc = -errno;

		closedir(list);
		return rc;
	}
	closedir(list);
	if (names->count)
		qsort(names->entries, names->count, sizeof(*names->entries),
		      by_name);
	return 0;
}

static void names_free(struct names *names)
{
	size_t i;

	for (i = 0; i < names->count; i++)
		free(names->entries[i].name);
	free(names->entries);
}

static void compare_dirs(struct comparison *comparison, int mine, int other,
			 uint64_t parent);

static void compare_entry(struct comparison *comparison, int mine_dir,
			  int other_dir, const struct entry *entry,
			  uint64_t parent)
{
	const unsigned without = comparison->world->without;
	const char *name = entry->name;
	struct stat mine;
	struct stat other;

	if (fstatat(mine_dir, name, &mine, AT_SYMLINK_NOFOLLOW) ||
	    fstatat(other_dir, name, &other, AT_SYMLINK_NOFOLLOW)) {
		differ(comparison, "is listed, and not there: %m");
		return;
	}
	comparison->entry_count++;
	if (!(without & FEATURE_ACCOUNTS) && entry->inode != mine.st_ino)
		differ(comparison, "d_ino %" PRIu64 ", st_ino %" PRIu64,
		       entry->inode, (uint64_t)mine.st_ino);
	if (!(without & FEATURE_ACCOUNTS) &&
	    (mode_t)DTTOIF(entry->type) != (mine.st_mode & S_IFMT))
		differ(comparison, "d_type %d of mode %o", entry->type,
		       mine.st_mode);
	check_stat(comparison, &mine, &other);
	if ((mine.st_mode ^ other.st_mode) & S_IFMT)
		return;
	if (!check_link(comparison, other_dir, name, &mine, &other))
		return;
	check_xattrs(comparison, mine_dir, other_dir, name);
	if (S_ISREG(mine.st_mode))
		check_data(comparison, mine_dir, other_dir, name);
	if (S_ISLNK(mine.st_mode))
		check_target(comparison, mine_dir, other_dir, name);
	if (S_ISDIR(mine.st_mode))
		compare_dirs(comparison,
			     openat(mine_dir, name, O_RDONLY | O_DIRECTORY),
			     openat(other_dir, name, O_RDONLY | O_DIRECTORY),
			     parent);
}

static void check_dots(struct comparison *comparison, const struct names *names,
		       int dir, uint64_t parent)
{
	struct stat st;

	if ((comparison->world->without & FEATURE_DOTS) || fstat(dir, &st))
		return;
	if (names->dot != st.st_ino)
		differ(comparison, "'.' is inode %" PRIu64 ", want %" PRIu64,
		       names->dot, (uint64_t)st.st_ino);
	if (parent && names->dot_dot != parent)
		differ(comparison, "'..' is inode %" PRIu64 ", want %" PRIu64,
		       names->dot_dot, parent);
}

/* Merges the two sorted lists. */
static void compare_names(struct comparison *comparison, struct names *mine,
			  struct names *other, int mine_dir, int other_dir,
			  uint64_t inode)
{
	size_t used = strlen(comparison->path);
	size_t i = 0;
	size_t j = 0;

	while (i < mine->count || j < other->count) {
		int order = i == mine->count  ? 1 :
			    j == other->count ? -1 :
						strcmp(mine->entries[i].name,
						       other->entries[j].name);
		const char *name = order <= 0 ? mine->entries[i].name :
						other->entries[j].name;

		snprintf(comparison->path + used,
			 sizeof(comparison->path) - used, "/%s", name);
		if (order < 0)
			differ(comparison, "should not be there");
		else if (order > 0)
			differ(comparison, "is missing");
		else
			compare_entry(comparison, mine_dir, other_dir,
				      &mine->entries[i], inode);
		comparison->path[used] = '\0';
		i += order <= 0;
		j += order >= 0;
	}
	for (i = 1; i < mine->count; i++)
		if (!strcmp(mine->entries[i - 1].name, mine->entries[i].name))
			differ(comparison, "'%s' is listed twice",
			       mine->entries[i].name);
}

/* Takes over the descriptors. */
static void compare_dirs(struct comparison *comparison, int mine, int other,
			 uint64_t parent)
{
	struct names mine_names = { .count = 0 };
	struct names other_names = { .count = 0 };
	struct stat st = { .st_ino = 0 };
	int rc = -ENOENT;

	if (mine >= 0 && other >= 0) {
		fstat(mine, &st);
		rc = names_read(dup(mine), &mine_names);
		if (!rc)
			rc = names_read(dup(other), &other_names);
	}
	if (rc)
		differ(comparison, "can't be listed: %s", strerror(-rc));
	else {
		check_dots(comparison, &mine_names, mine, parent);
		if (!parent)
			check_xattrs(comparison, mine, other, ".");
		compare_names(comparison, &mine_names, &other_names, mine,
			      other, st.st_ino);
	}
	names_free(&mine_names);
	names_free(&other_names);
	if (mine >= 0)
		close(mine);
	if (other >= 0)
		close(other);
}

bool compare_trees(struct world *world, const char *subject,
		   const char *reference, bool live)
{
	struct comparison comparison = { .world = world, .live = live };
	struct stat mine;
	struct stat other;
	struct pair *pair;
	struct pair *next;

	snprintf(comparison.path, sizeof(comparison.path), ".");
	world->compare_count++;
	if (stat(subject, &mine) || stat(reference, &other)) {
		differ(&comparison, "no root: %m");
		return false;
	}
	check_stat(&comparison, &mine, &other);
	compare_dirs(&comparison, open(subject, O_RDONLY | O_DIRECTORY),
		     open(reference, O_RDONLY | O_DIRECTORY), 0);
	HASH_ITER(hh, comparison.by_subject, pair, next)
	{
		HASH_DEL(comparison.by_subject, pair);
		free(pair);
	}
	if (live)
		world->entry_count = comparison.entry_count;
	if (comparison.differences > DIFFERENCES_MOST)
		printf("differs: and %d more\n",
		       comparison.differences - DIFFERENCES_MOST);
	return comparison.differences == 0;
}

static void check_times(struct comparison *comparison, const struct stat *mine,
			const struct stat *other, int64_t since_ns)
{
	bool changed = ns_of(mine->st_ctim) >= since_ns;
	bool changes = ns_of(other->st_ctim) >= since_ns;

	if (changed != changes)
		differ(comparison, "ctime is %s, want it %s",
		       changed ? "new" : "old", changes ? "new" : "old");
}

bool compare_path(struct world *world, const char *path, int64_t touched_ns)
{
	struct comparison comparison = { .world = world };
	struct stat mine = { .st_mode = 0 };
	struct stat other = { .st_mode = 0 };
	int got = fstatat(world->subject.root_fd, path, &mine,
			  AT_SYMLINK_NOFOLLOW) ?
			  errno :
			  0;
	int want = fstatat(world->reference.root_fd, path, &other,
			   AT_SYMLINK_NOFOLLOW) ?
			   errno :
			   0;

	snprintf(comparison.path, sizeof(comparison.path), "%s", path);
	if (got != want)
		differ(&comparison, "lstat: %s, want: %s", strerror(got),
		       strerror(want));
	if (!got && !want) {
		check_stat(&comparison, &mine, &other);
		if (touched_ns && !(world->without & FEATURE_CTIME) &&
		    !S_ISFIFO(mine.st_mode))
			check_times(&comparison, &mine, &other, touched_ns);
	}
	return comparison.differences == 0;
}

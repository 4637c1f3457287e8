/*
 * Pass 1: the directory, and what is in it. Names only: no file is opened
 * for what it holds.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "place.h"

enum file_role {
	FILE_ROLE_STRAY,
	FILE_ROLE_OURS,
	FILE_ROLE_LEFT_OVER,
	FILE_ROLE_JOURNAL,
	FILE_ROLE_SOCKET,
	FILE_ROLE_FOLDER,
};

static const struct {
	const char *name;
	enum file_role role;
} known[] = {
	{ "index.db", FILE_ROLE_OURS },
	{ "index.db-wal", FILE_ROLE_OURS },
	{ "index.bak", FILE_ROLE_OURS },
	{ "store.conf", FILE_ROLE_OURS },
	{ "reserve.tmp", FILE_ROLE_OURS },
	{ "lock", FILE_ROLE_OURS },
	{ "daemon.log", FILE_ROLE_OURS },
	{ "scrub.state", FILE_ROLE_OURS },
	{ "index.bak.tmp", FILE_ROLE_LEFT_OVER },
	{ "index.db.new", FILE_ROLE_LEFT_OVER },
	{ "store.conf.tmp", FILE_ROLE_LEFT_OVER },
	{ "scrub.state.tmp", FILE_ROLE_LEFT_OVER },
	{ "index.db-journal", FILE_ROLE_JOURNAL },
	{ "cowd.sock", FILE_ROLE_SOCKET },
	{ "segments", FILE_ROLE_FOLDER },
};

static enum file_role role_of(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].name, name) == 0)
			return known[i].role;
	return FILE_ROLE_STRAY;
}

/* A file that is ours: regular, and with one name. */
static int check_ours(struct check *check, const char *name,
		      const struct stat *st)
{
	struct problem_where where = { .file = name };

	if (!S_ISREG(st->st_mode)) {
		bool fix = problem(check, PROBLEM_FILE_KIND, &where, NULL);

		/* A directory that is not empty would stay. */
		return fix ? change_remove(check, CHANGE_PLACE_STORE, name) : 0;
	}
	if (st->st_nlink != 1 && problem(check, PROBLEM_FILE_NAMES, &where,
					 "%u names", (unsigned)st->st_nlink))
		return change_copy(check, CHANGE_PLACE_STORE, name);
	return 0;
}

static int check_entry(struct check *check, const char *name,
		       const struct stat *st)
{
	struct problem_where where = { .file = name };

	switch (role_of(name)) {
	case FILE_ROLE_OURS:
		return check_ours(check, name, st);
	case FILE_ROLE_LEFT_OVER:
		problem(check, PROBLEM_LEFT_OVER, &where, NULL);
		return 0;
	case FILE_ROLE_JOURNAL:
		if (problem(check, PROBLEM_JOURNAL, &where, NULL))
			return change_remove(check, CHANGE_PLACE_STORE, name);
		return 0;
	case FILE_ROLE_STRAY:
		problem(check, PROBLEM_STRAY_FILE, &where, NULL);
		return 0;
	case FILE_ROLE_SOCKET:
	case FILE_ROLE_FOLDER:
		return 0;
	}
	return 0;
}

static int check_segment(struct check *check, const char *name,
			 const struct stat *st)
{
	struct problem_where where = { .file = name };

	where.segment = place_segment_of(name);
	if (strcmp(name, "spare.tmp") == 0)
		return 0;
	if (where.segment == 0) {
		problem(check,
			strcmp(name, "next.tmp") == 0 ? PROBLEM_LEFT_OVER :
							PROBLEM_STRAY_FILE,
			&where, "in segments/");
		return 0;
	}
	if (!S_ISREG(st->st_mode)) {
		problem(check, PROBLEM_SEGMENT_KIND, &where, NULL);
		return 0;
	}
	if (st->st_nlink != 1 && problem(check, PROBLEM_FILE_NAMES, &where,
					 "%u names", (unsigned)st->st_nlink))
		return change_copy(check, CHANGE_PLACE_SEGMENTS, name);
	return 0;
}

typedef int entry_check(struct check *check, const char *name,
			const struct stat *st);

static int check_folder(struct check *check, int folder_fd, entry_check *look)
{
	int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	uint64_t seen = 0;
	struct stat st;
	int rc = 0;

	if (!folder) {
		rc = -errno;
		if (fd >= 0)
			close(fd);
		return check_failed(check, rc, "the store can't be listed");
	}
	while (rc == 0 && (errno = 0, entry = readdir(folder))) {
		const char *name = entry->d_name;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			rc = check_failed(check, -errno, "%s", name);
		else
			rc = look(check, name, &st);
		if (rc == 0)
			rc = check_progress(check, ++seen, 0);
	}
	if (rc == 0 && errno)
		rc = check_failed(check, -errno, "the store can't be listed");
	closedir(folder);
	return rc;
}

static int check_mode(struct check *check, int fd, const char *name,
		      enum change_place place)
{
	struct problem_where where = { .file = name };
	struct stat st;

	if (fstat(fd, &st) < 0)
		return check_failed(check, -errno, "the store");
	if (!(st.st_mode & 022) ||
	    !problem(check, PROBLEM_DIRECTORY_MODE, &where, "mode %04o",
		     (unsigned)st.st_mode & 07777U))
		return 0;
	return change_mode(check, place, ".", st.st_mode & 07755);
}

int pass1_store(struct check *check)
{
	int rc = check_mode(check, check->dir_fd, ".", CHANGE_PLACE_STORE);

	if (rc == 0)
		rc = check_mode(check, check->segments_fd, "segments",
				CHANGE_PLACE_SEGMENTS);
	if (rc == 0)
		rc = check_folder(check, check->dir_fd, check_entry);
	if (rc == 0)
		rc = check_folder(check, check->segments_fd, check_segment);
	return rc;
}

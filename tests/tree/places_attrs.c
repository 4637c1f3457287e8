/* Rows of tree_places: attributes, xattrs, ACLs. */
#include "tree_places.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define ACL_ACCESS "system.posix_acl_access"
#define ACL_DEFAULT "system.posix_acl_default"

/* Everything of "file" is as it was, but for ctime. */
static bool data_is_whole(void)
{
	return kit_is("file") && stat_of("file").st_mtim.tv_sec == KIT_TIME;
}

static bool is_fuse(const char *path)
{
	enum { MAGIC = 0x65735546 };
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == MAGIC;
}

static int change_mode(void)
{
	TRY(chmod("file", 0604));
	CHECK(stat_of("hard").st_mode == (S_IFREG | 0604));
	CHECK(data_is_whole());
	TRY(chmod("full", 0700));
	TRY(chmod("link", 0611)); /* what it leads to */
	CHECK(stat_of("file").st_mode == (S_IFREG | 0611));
	TRY(chmod("fifo", 0600));
	TRY(chmod("null", 0600));
	CHECK(stat_of("null").st_mode == (S_IFCHR | 0600));
	return 0;
}

static int change_mode_by_other(void)
{
	become_other();
	TRY(chmod("file", 0777));
	return 0;
}

static int change_mode_by_handle(void)
{
	int fd = open("file", O_RDONLY);

	TRY(fd);
	TRY(fchmod(fd, 04711));
	CHECK(stat_of("file").st_mode == (S_IFREG | 04711));
	return 0;
}

static int change_owner(void)
{
	TRY(chown("file", 1, 2));
	CHECK(stat_of("hard").st_uid == 1 && stat_of("hard").st_gid == 2);
	CHECK(data_is_whole());
	TRY(chown("file", -1U, 3));
	CHECK(stat_of("file").st_uid == 1 && stat_of("file").st_gid == 3);
	TRY(lchown("link", 5, 6));
	CHECK(stat_of("link").st_uid == 5 && stat_of("file").st_uid == 1);
	TRY(chown("full", 7, 8));
	CHECK(stat_of("full").st_uid == 7 && exists("full/deep/er"));
	return 0;
}

static int change_owner_clears_bits(void)
{
	TRY(chown("other", 1, 1));
	CHECK(stat_of("other").st_mode == (S_IFREG | 0755));
	return 0;
}

static int change_owner_by_other(void)
{
	become_other();
	TRY(chown("file", KIT_USER, -1U));
	return 0;
}

static int write_clears_bits(void)
{
	int fd;

	CHECK(chmod("other", 06777) == 0 || errno == EROFS);
	become_other();
	fd = open("other", O_WRONLY);
	TRY(fd);
	TRY(pwrite(fd, "x", 1, 0));
	CHECK(stat_of("other").st_mode == (S_IFREG | 0777));
	return 0;
}

static int truncate_clears_bits(void)
{
	CHECK(chmod("other", 06777) == 0 || errno == EROFS);
	become_other();
	TRY(truncate("other", 1));
	CHECK(stat_of("other").st_mode == (S_IFREG | 0777));
	return 0;
}

static int change_times(void)
{
	struct timespec times[2] = { { 1000000000, 111 }, { -5, 999999999 } };
	struct stat st;

	TRY(utimensat(AT_FDCWD, "file", times, 0));
	st = stat_of("hard");
	CHECK(st.st_atim.tv_sec == 1000000000 && st.st_atim.tv_nsec == 111);
	CHECK(st.st_mtim.tv_sec == -5 && st.st_mtim.tv_nsec == 999999999);
	CHECK(kit_is("file"));
	times[1] = (struct timespec){ 42, 0 };
	TRY(utimensat(AT_FDCWD, "link", times, AT_SYMLINK_NOFOLLOW));
	CHECK(stat_of("link").st_mtim.tv_sec == 42);
	CHECK(stat_of("file").st_mtim.tv_sec == -5);
	return 0;
}

static int change_times_to_now(void)
{
	struct timespec times[2] = { { 0, UTIME_OMIT }, { 0, UTIME_NOW } };
	time_t now = time(NULL);
	time_t before = stat_of("full").st_atim.tv_sec;

	TRY(utimensat(AT_FDCWD, "full", times, 0));
	CHECK(labs(stat_of("full").st_mtim.tv_sec - now) < 10);
	CHECK(stat_of("full").st_atim.tv_sec == before);
	times[0].tv_nsec = UTIME_NOW;
	times[1].tv_nsec = UTIME_OMIT;
	TRY(utimensat(AT_FDCWD, "file", times, 0));
	CHECK(labs(stat_of("file").st_atim.tv_sec - now) < 10);
	CHECK(stat_of("file").st_mtim.tv_sec == KIT_TIME);
	return 0;
}

static int change_times_by_other(void)
{
	struct timespec times[2] = { { 1, 0 }, { 1, 0 } };

	become_other();
	TRY(utimensat(AT_FDCWD, "file", times, 0));
	return 0;
}

static bool is_later(const char *path, struct timespec than)
{
	struct timespec at = stat_of(path).st_ctim;

	return at.tv_sec > than.tv_sec ||
	       (at.tv_sec == than.tv_sec && at.tv_nsec > than.tv_nsec);
}

/* ctime goes on with each change, and mtime with those of data. */
static int times_follow(void)
{
	struct timespec last = stat_of("file").st_ctim;

	usleep(20000);
	TRY(chmod("file", 0600));
	CHECK(is_later("file", last));
	last = stat_of("file").st_ctim;
	usleep(20000);
	TRY(setxattr("file", "user.time", "", 0, 0));
	CHECK(is_later("file", last));
	last = stat_of("file").st_ctim;
	usleep(20000);
	TRY(link("file", "third"));
	CHECK(is_later("file", last));
	last = stat_of("file").st_ctim;
	usleep(20000);
	TRY(rename("third", "full/third"));
	CHECK(is_later("file", last));
	CHECK(stat_of("file").st_mtim.tv_sec == KIT_TIME);
	/* With a writeback cache the kernel keeps the times of a FUSE file by
	 * itself, and does not move them if the size stays what it was. */
	if (is_fuse("."))
		return 0;
	last = stat_of("file").st_ctim;
	usleep(20000);
	TRY(truncate("file", KIT_BYTES));
	CHECK(is_later("file", last));
	CHECK(stat_of("file").st_mtim.tv_sec >= last.tv_sec);
	return 0;
}

static int change_owner_to_nobody(void)
{
	static const char *const names[] = { "file", "full", "link", "fifo" };
	struct timespec last;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		last = stat_of(names[i]).st_ctim;
		usleep(20000);
		TRY(lchown(names[i], -1U, -1U));
		CHECK(is_later(names[i], last));
	}
	return 0;
}

static int get_xattr(void)
{
	char value[64] = "";

	TRY(getxattr("file", "user.x", value, sizeof(value)));
	CHECK(!strcmp(value, "one"));
	CHECK(getxattr("hard", "user.x", NULL, 0) == 3);
	CHECK(getxattr("file", "user.x", value, 2) < 0 && errno == ERANGE);
	TRY(getxattr("file", "user.none", value, sizeof(value)));
	return 0;
}

static int list_xattr(void)
{
	char names[64] = "";

	CHECK(listxattr("file", NULL, 0) == 7);
	CHECK(listxattr("file", names, sizeof(names)) == 7);
	CHECK(!strcmp(names, "user.x"));
	CHECK(listxattr("full", names, sizeof(names)) == 0);
	TRY(listxattr("file", names, 3));
	return 0;
}

static int set_xattr(void)
{
	char value[4000];

	TRY(setxattr("file", "user.x", "other", 5, 0));
	CHECK(getxattr("hard", "user.x", value, sizeof(value)) == 5);
	TRY(setxattr("file", "user.new", "", 0, XATTR_CREATE));
	CHECK(getxattr("file", "user.new", value, sizeof(value)) == 0);
	memset(value, 'v', sizeof(value));
	TRY(setxattr("full", "user.big", value, 3000, 0));
	CHECK(getxattr("full", "user.big", value, sizeof(value)) == 3000);
	TRY(setxattr("full", "user.big", value, 3, XATTR_REPLACE));
	CHECK(getxattr("full", "user.big", value, sizeof(value)) == 3);
	TRY(setxattr("file", "trusted.t", "t", 1, 0));
	TRY(lsetxattr("link", "trusted.t", "t", 1, 0));
	CHECK(getxattr("file", "trusted.t", value, 1) == 1);
	CHECK(data_is_whole());
	return 0;
}

static int set_xattr_create(void)
{
	TRY(setxattr("file", "user.x", "", 0, XATTR_CREATE));
	return 0;
}

static int set_xattr_replace(void)
{
	TRY(setxattr("file", "user.none", "", 0, XATTR_REPLACE));
	return 0;
}

static int set_xattr_of_link(void)
{
	TRY(lsetxattr("link", "user.x", "", 0, 0));
	return 0;
}

static int set_xattr_by_other(void)
{
	become_other();
	TRY(setxattr("file", "user.x", "", 0, 0));
	return 0;
}

static int set_xattr_trusted_by_other(void)
{
	become_other();
	TRY(setxattr("file", "trusted.x", "", 0, 0));
	return 0;
}

static int set_xattr_by_handle(void)
{
	struct stat st;
	int fd = open("other", O_RDWR);
	char value[4];

	TRY(fd);
	TRY(unlink("other"));
	TRY(fsetxattr(fd, "user.h", "hand", 4, 0));
	CHECK(fgetxattr(fd, "user.h", value, 4) == 4);
	CHECK(fstat(fd, &st) == 0 && st.st_nlink == 0);
	return 0;
}

/* What has no name any more is what it was for those who hold it. */
static int use_held_after_unlink(void)
{
	int dir = open("empty", O_RDONLY);
	int fifo = open("fifo", O_RDWR | O_NONBLOCK);
	int link = open("link", O_PATH | O_NOFOLLOW);
	char text[100] = "";

	CHECK(dir >= 0 && (fifo >= 0 || errno == EROFS) && link >= 0);
	TRY(fsetxattr(fifo, "trusted.t", "before", 6, 0));
	TRY(rmdir("empty"));
	TRY(unlink("fifo"));
	TRY(unlink("link"));
	CHECK(readlinkat(link, "", text, sizeof(text) - 1) > 0);
	CHECK(!strcmp(text, "file"));
	CHECK(fgetxattr(fifo, "trusted.t", text, sizeof(text)) == 6);
	CHECK(fremovexattr(fifo, "trusted.t") == 0);
	CHECK(fgetxattr(fifo, "trusted.t", text, 6) < 0 && errno == ENODATA);
	CHECK(fsetxattr(dir, "user.d", "kept", 4, XATTR_CREATE) == 0);
	CHECK(flistxattr(dir, text, sizeof(text)) == 7);
	CHECK(fgetxattr(dir, "user.d", text, sizeof(text)) == 4);
	CHECK(fchmod(dir, 0700) == 0 && fsync(dir) == 0);
	return 0;
}

static int remove_xattr(void)
{
	char value[4];

	TRY(removexattr("hard", "user.x"));
	CHECK(getxattr("file", "user.x", value, 4) < 0 && errno == ENODATA);
	CHECK(listxattr("file", NULL, 0) == 0);
	CHECK(setxattr("file", "user.x", "two", 3, XATTR_CREATE) == 0);
	CHECK(getxattr("file", "user.x", value, 4) == 3);
	return 0;
}

static int remove_xattr_missing(void)
{
	TRY(removexattr("file", "user.none"));
	return 0;
}

struct acl {
	unsigned version;
	struct {
		unsigned short tag, permissions;
		unsigned id;
	} entries[5];
};

/* KIT_USER may read and write. */
static const struct acl acl = { .version = 2,
				.entries = { { 1, 6, -1U },
					     { 2, 6, KIT_USER },
					     { 4, 0, -1U },
					     { 16, 6, -1U },
					     { 32, 0, -1U } } };

static int set_acl(void)
{
	struct acl got;

	TRY(setxattr("secret", ACL_ACCESS, &acl, sizeof(acl), 0));
	CHECK(getxattr("secret", ACL_ACCESS, &got, sizeof(got)) == sizeof(got));
	CHECK(stat_of("secret").st_mode == (S_IFREG | 0660)); /* the mask */
	become_other();
	CHECK(text_is("secret", "three"));
	return 0;
}

static int set_acl_default(void)
{
	struct acl got;

	TRY(setxattr("full", ACL_DEFAULT, &acl, sizeof(acl), 0));
	CHECK(write_file("full/heir", "x"));
	CHECK(getxattr("full/heir", ACL_ACCESS, &got, sizeof(got)) ==
	      sizeof(got));
	CHECK(stat_of("full/heir").st_mode == (S_IFREG | 0640));
	CHECK(mkdir("full/dir", 0777) == 0);
	CHECK(getxattr("full/dir", ACL_DEFAULT, &got, sizeof(got)) ==
	      sizeof(got));
	return 0;
}

static int get_attributes_by_handle(void)
{
	struct stat st;
	int fd = open("file", O_RDONLY);

	TRY(fd);
	TRY(fstat(fd, &st));
	CHECK(st.st_size == KIT_BYTES && st.st_nlink == 2);
	CHECK(st.st_ino == stat_of("file").st_ino);
	CHECK(st.st_dev == stat_of(".").st_dev);
	return 0;
}

static int get_more_attributes(void)
{
	struct statx stx;

	TRY(statx(AT_FDCWD, "file", AT_SYMLINK_NOFOLLOW,
		  STATX_BASIC_STATS | STATX_BTIME, &stx));
	CHECK((stx.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS);
	CHECK(stx.stx_size == KIT_BYTES && stx.stx_nlink == 2);
	return 0;
}

const struct row places_attr_rows[] = {
	{ "chmod", change_mode, WRITES(0) },
	{ "chmod by another user", change_mode_by_other, WRITES(EPERM) },
	{ "fchmod", change_mode_by_handle, WRITES(0) },
	{ "chown", change_owner, WRITES(0) },
	{ "chown clears setuid", change_owner_clears_bits, WRITES(0) },
	{ "chown by another user", change_owner_by_other, WRITES(EPERM) },
	{ "write clears setuid", write_clears_bits, { 0, 0, 0, ANY_RESULT } },
	{ "truncate clears setuid",
	  truncate_clears_bits,
	  { 0, 0, 0, ANY_RESULT } },
	{ "utimens", change_times, WRITES(0) },
	{ "utimens now and omit", change_times_to_now, WRITES(0) },
	{ "utimens by another user", change_times_by_other, WRITES(EPERM) },
	{ "ctime and mtime", times_follow, WRITES(0) },
	{ "chown to nobody else", change_owner_to_nobody, WRITES(0) },
	{ "getxattr", get_xattr, READS(ENODATA) },
	{ "listxattr", list_xattr, READS(ERANGE) },
	{ "setxattr", set_xattr, WRITES(0) },
	{ "setxattr CREATE", set_xattr_create, WRITES(EEXIST) },
	{ "setxattr REPLACE", set_xattr_replace, WRITES(ENODATA) },
	{ "setxattr of a link", set_xattr_of_link, WRITES(EPERM) },
	{ "setxattr by another user", set_xattr_by_other, WRITES(EACCES) },
	{ "setxattr trusted by another user", set_xattr_trusted_by_other,
	  WRITES(EPERM) },
	{ "fsetxattr after unlink", set_xattr_by_handle, WRITES(0) },
	{ "held after unlink", use_held_after_unlink, WRITES(0) },
	{ "removexattr", remove_xattr, WRITES(0) },
	{ "removexattr of what is missing", remove_xattr_missing,
	  WRITES(ENODATA) },
	{ "ACL", set_acl, WRITES(0) },
	{ "ACL for new files", set_acl_default, WRITES(0) },
	{ "fstat", get_attributes_by_handle, READS(0) },
	{ "statx", get_more_attributes, READS(0) },
	{ .name = NULL },
};

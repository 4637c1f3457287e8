/* tree_posix: who may do what, and what a change of owner or data takes. */
#include "tree_posix.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

static void somebody(void)
{
	act_as(SOMEBODY, SOMEBODY, 0);
}

/* chmod and chown by those who may not. */
static void owner_only(void)
{
	WORKS(mkdir("dir", 0777));
	touch("dir/roots", 0666);
	touch("dir/mine", 0644);
	WORKS(chown("dir/mine", SOMEBODY, SOMEBODY));
	WORKS(chmod("dir", 0777));
	somebody();
	FAILS(EPERM, chmod("dir/roots", 0777));
	FAILS(EPERM, chmod("dir", 0755));
	FAILS(EPERM, chown("dir/roots", SOMEBODY, (gid_t)-1));
	FAILS(EPERM, chown("dir/roots", (uid_t)-1, SOMEBODY));
	FAILS(EPERM, chown("dir/mine", ANOTHER, (gid_t)-1));
	FAILS(EPERM, chown("dir/mine", (uid_t)-1, THEIR_GROUP));
	FAILS(EPERM, lchown("dir/mine", 0, 0));
	WORKS(chown("dir/mine", SOMEBODY, SOMEBODY));
	WORKS(chown("dir/mine", (uid_t)-1, (gid_t)-1));
	WORKS(chmod("dir/mine", 0600));
	act_as(SOMEBODY, SOMEBODY, THEIR_GROUP);
	WORKS(chown("dir/mine", (uid_t)-1, THEIR_GROUP));
	IS(at("dir/mine").st_gid == THEIR_GROUP);
	act_as(ANOTHER, SOMEBODY, 0);
	FAILS(EPERM, chmod("dir/mine", 0644));
	FAILS(EACCES, open("dir/mine", O_RDONLY));
	act_as_root();
}

static void numbers_of_owners(void)
{
	touch("file", 0644);
	WORKS(symlink("file", "link"));
	WORKS(chown("file", 0xfffffffe, 0xfffffffe));
	IS(at("file").st_uid == 0xfffffffe && at("file").st_gid == 0xfffffffe);
	WORKS(chown("file", (uid_t)-1, 12));
	IS(at("file").st_uid == 0xfffffffe && at("file").st_gid == 12);
	WORKS(chown("link", 5, 6));
	WORKS(lchown("link", 7, 8));
	IS(at("file").st_uid == 5 && at("link").st_uid == 7);
	IS(at("link").st_gid == 8);
	FAILS(EOPNOTSUPP,
	      fchmodat(AT_FDCWD, "link", 0600, AT_SYMLINK_NOFOLLOW));
}

/* What is lost by a change of owner. */
static void chown_takes_bits(void)
{
	touch("file", 06777);
	WORKS(chown("file", 1, 1));
	IS(mode_of("file") == 0777);
	WORKS(chmod("file", 06777));
	WORKS(chown("file", (uid_t)-1, (gid_t)-1));
	IS(mode_of("file") == 0777);
	WORKS(chmod("file", 02745)); /* mandatory locking, of old */
	WORKS(chown("file", 2, 2));
	IS(mode_of("file") == 02745);
	WORKS(mkdir("dir", 0755));
	WORKS(chmod("dir", 06777));
	WORKS(chown("dir", 1, 1));
	IS(mode_of("dir") == 06777);
	touch("mine", 0755);
	WORKS(chown("mine", SOMEBODY, SOMEBODY));
	WORKS(chmod("mine", 06755));
	act_as(SOMEBODY, SOMEBODY, THEIR_GROUP);
	WORKS(chown("mine", (uid_t)-1, THEIR_GROUP));
	IS(mode_of("mine") == 0755);
	act_as_root();
	WORKS(chmod("mine", 06755));
	WORKS(chown("mine", SOMEBODY, (gid_t)-1));
	IS(mode_of("mine") == 0755);
}

static void chmod_takes_setgid(void)
{
	touch("file", 0755);
	WORKS(mkdir("dir", 0755));
	WORKS(chown("file", SOMEBODY, THEIR_GROUP));
	WORKS(chown("dir", SOMEBODY, THEIR_GROUP));
	somebody();
	WORKS(chmod("file", 02755));
	IS(mode_of("file") == 0755);
	WORKS(chmod("file", 04755));
	IS(mode_of("file") == 04755);
	WORKS(chmod("dir", 02755));
	IS(mode_of("dir") == 0755);
	WORKS(chmod("file", 01755));
	IS(mode_of("file") == 01755);
	act_as(SOMEBODY, SOMEBODY, THEIR_GROUP);
	WORKS(chmod("file", 02755));
	IS(mode_of("file") == 02755);
	act_as_root();
}

static void change(const char *how)
{
	int fd = open("file", O_RDWR);

	if (!strcmp(how, "write"))
		WORKS(pwrite(fd, "x", 1, 0));
	else if (!strcmp(how, "ftruncate"))
		WORKS(ftruncate(fd, 2));
	else if (!strcmp(how, "truncate"))
		WORKS(truncate("file", 3));
	else if (!strcmp(how, "fallocate"))
		WORKS(fallocate(fd, 0, 0, 10000));
	else if (!strcmp(how, "open"))
		close(open("file", O_RDWR | O_TRUNC));
	close(fd);
}

/* A write of who is not root takes setuid, and setgid of what can be run. */
static void write_takes_bits(void)
{
	static const char *const ways[] = { "write", "ftruncate", "truncate",
					    "open", "fallocate" };
	size_t i;

	touch("file", 0777);
	WORKS(chmod(".", 0777));
	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		WORKS(chmod("file", 06777));
		somebody();
		change(ways[i]);
		look(mode_of("file") == 0777, ways[i], __FILE__, __LINE__);
		act_as_root();
		WORKS(chmod("file", 02767));
		somebody();
		change(ways[i]);
		act_as_root();
		WORKS(chmod("file", 06777));
		change(ways[i]);
		look(mode_of("file") == 06777, ways[i], __FILE__, __LINE__);
	}
}

static void write_takes_capability(void)
{
	static const unsigned char value[20] = { 1, 0, 0, 2, 0, 4 };
	char got[20];

	touch("file", 0777);
	WORKS(setxattr("file", "security.capability", value, 20, 0));
	change("write");
	FAILS(ENODATA, getxattr("file", "security.capability", got, 20));
	WORKS(setxattr("file", "security.capability", value, 20, 0));
	WORKS(chown("file", 1, 1));
	FAILS(ENODATA, getxattr("file", "security.capability", got, 20));
	WORKS(setxattr("file", "security.capability", value, 20, 0));
	change("truncate");
	FAILS(ENODATA, getxattr("file", "security.capability", got, 20));
}

static void sticky_directories(void)
{
	WORKS(mkdir("bits", 0777));
	WORKS(chmod("bits", 01777));
	touch("bits/roots", 0666);
	touch("bits/mine", 0666);
	touch("bits/theirs", 0666);
	WORKS(mkdir("bits/dir", 0777));
	WORKS(chown("bits/mine", SOMEBODY, SOMEBODY));
	WORKS(chown("bits/theirs", ANOTHER, ANOTHER));
	somebody();
	FAILS(EPERM, unlink("bits/roots"));
	FAILS(EPERM, unlink("bits/theirs"));
	FAILS(EPERM, rename("bits/theirs", "bits/new"));
	FAILS(EPERM, rename("bits/mine", "bits/theirs"));
	FAILS(EPERM, rmdir("bits/dir"));
	FAILS(EPERM, rename("bits/dir", "bits/new"));
	WORKS(rename("bits/mine", "bits/mine2"));
	WORKS(unlink("bits/mine2"));
	act_as_root();
	WORKS(chown("bits", SOMEBODY, SOMEBODY));
	somebody();
	WORKS(unlink("bits/theirs"));
	WORKS(rename("bits/dir", "bits/new"));
	act_as_root();
}

static void directories_guard(void)
{
	WORKS(mkdir("shut", 0755));
	WORKS(mkdir("shut/sub", 0777));
	touch("shut/file", 0666);
	WORKS(chmod("shut", 0700));
	WORKS(mkdir("fixed", 0755));
	touch("fixed/file", 0666);
	touch("mine", 0666);
	WORKS(chown("mine", SOMEBODY, SOMEBODY));
	somebody();
	FAILS(EACCES, open("shut/file", O_RDONLY));
	FAILS(EACCES, open("shut/gone", O_RDONLY));
	FAILS(EACCES, mkdir("shut/sub/new", 0755));
	FAILS(EACCES, chmod("shut/file", 0600));
	FAILS(EACCES, open("shut", O_RDONLY));
	FAILS(EACCES, chdir("shut"));
	FAILS(EACCES, access("shut/file", F_OK) ? -1 : (errno = EACCES, -1));
	FAILS(EACCES, unlink("fixed/file"));
	FAILS(EACCES, mkdir("fixed/new", 0755));
	FAILS(EACCES, mkfifo("fixed/new", 0755));
	FAILS(EACCES, symlink("x", "fixed/new"));
	FAILS(EACCES, link("mine", "fixed/new"));
	FAILS(EACCES, rename("mine", "fixed/new"));
	FAILS(EACCES, rename("fixed/file", "fixed/new"));
	FAILS(EACCES, open("fixed/new", O_CREAT | O_RDWR, 0644));
	WORKS(open("fixed/file", O_CREAT | O_RDWR, 0644));
	FAILS(EACCES, rmdir("shut"));
	act_as_root();
	WORKS(chmod("shut", 0711));
	somebody();
	WORKS(open("shut/file", O_RDONLY));
	FAILS(EACCES, open("shut", O_RDONLY));
	act_as_root();
	WORKS(chmod("shut", 0744));
	somebody();
	WORKS(open("shut", O_RDONLY));
	FAILS(EACCES, open("shut/file", O_RDONLY));
	act_as_root();
}

/* Which of the three classes counts: the first one that fits. */
static void classes(void)
{
	touch("file", 0644);
	WORKS(chown("file", SOMEBODY, THEIR_GROUP));
	WORKS(chmod("file", 0077));
	somebody();
	FAILS(EACCES, open("file", O_RDONLY));
	FAILS(EACCES, truncate("file", 0));
	act_as_root();
	WORKS(chmod("file", 0707));
	act_as(ANOTHER, THEIR_GROUP, 0);
	FAILS(EACCES, open("file", O_RDONLY));
	act_as(ANOTHER, ANOTHER, THEIR_GROUP);
	FAILS(EACCES, open("file", O_WRONLY));
	act_as(ANOTHER, ANOTHER, 0);
	WORKS(open("file", O_RDWR));
	act_as_root();
	WORKS(chmod("file", 0060));
	act_as(ANOTHER, ANOTHER, THEIR_GROUP);
	WORKS(open("file", O_RDWR));
	FAILS(EACCES, faccessat(AT_FDCWD, "file", X_OK, AT_EACCESS));
	act_as_root();
	FAILS(EACCES, access("file", X_OK));
	WORKS(access("file", R_OK | W_OK));
}

static void times_of_others(void)
{
	struct timespec times[2] = { { 5, 0 }, { 6, 0 } };

	touch("read", 0644);
	touch("write", 0666);
	somebody();
	FAILS(EPERM, utimensat(AT_FDCWD, "write", times, 0));
	FAILS(EACCES, utimensat(AT_FDCWD, "read", NULL, 0));
	WORKS(utimensat(AT_FDCWD, "write", NULL, 0));
	times[0].tv_nsec = times[1].tv_nsec = UTIME_OMIT;
	WORKS(utimensat(AT_FDCWD, "read", times, 0));
	times[0].tv_nsec = UTIME_NOW;
	FAILS(EPERM, utimensat(AT_FDCWD, "write", times, 0));
	times[1].tv_nsec = UTIME_NOW;
	WORKS(utimensat(AT_FDCWD, "write", times, 0));
	act_as_root();
}

static void moves_of_directories(void)
{
	/* ".." changes: the directory itself must be writable. */
	WORKS(mkdir("a", 0777));
	WORKS(mkdir("b", 0777));
	WORKS(chmod("a", 0777));
	WORKS(chmod("b", 0777));
	WORKS(mkdir("a/dir", 0755));
	somebody();
	FAILS(EACCES, rename("a/dir", "b/dir"));
	WORKS(rename("a/dir", "a/new"));
	act_as_root();
}

static void devices_of_others(void)
{
	WORKS(chmod(".", 0777));
	somebody();
	FAILS(EPERM, mknod("char", S_IFCHR | 0644, makedev(1, 3)));
	FAILS(EPERM, mknod("block", S_IFBLK | 0644, makedev(1, 3)));
	WORKS(mknod("file", S_IFREG | 0644, 0));
	WORKS(mknod("whiteout", S_IFCHR, makedev(0, 0)));
	WORKS(mkfifo("fifo", 0644));
	act_as_root();
}

const struct check posix_owner_checks[] = {
	{ "owner only", owner_only },
	{ "numbers of owners", numbers_of_owners },
	{ "chown takes bits", chown_takes_bits },
	{ "chmod takes setgid", chmod_takes_setgid },
	{ "write takes bits", write_takes_bits },
	{ "write takes capability", write_takes_capability },
	{ "sticky directories", sticky_directories },
	{ "directories guard", directories_guard },
	{ "classes", classes },
	{ "times of others", times_of_others },
	{ "moves of directories", moves_of_directories },
	{ "devices of others", devices_of_others },
	{ 0 },
};

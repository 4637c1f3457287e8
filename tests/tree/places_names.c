/* Rows of tree_places: making, linking, renaming and removing names. */
#include "tree_places.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

static int create(void)
{
	time_t before = time(NULL);
	int fd;

	umask(027);
	fd = open("new", O_WRONLY | O_CREAT | O_EXCL, 0666);
	TRY(fd);
	CHECK(write(fd, "text", 4) == 4 && close(fd) == 0);
	CHECK(text_is("new", "text"));
	CHECK(stat_of("new").st_mode == (S_IFREG | 0640));
	CHECK(stat_of("new").st_nlink == 1);
	CHECK(stat_of(".").st_mtim.tv_sec >= before);
	return 0;
}

static int create_in_directory(void)
{
	TRY(open("full/deep/er/new", O_WRONLY | O_CREAT, 0644));
	CHECK(exists("full/deep/er/new") && exists("full/deep/file"));
	CHECK(text_is("full/file", "four"));
	return 0;
}

static int create_existing(void)
{
	TRY(open("file", O_WRONLY | O_CREAT, 0));
	CHECK(kit_is("file"));
	return 0;
}

static int create_exclusive(void)
{
	TRY(open("file", O_WRONLY | O_CREAT | O_EXCL, 0));
	return 0;
}

static int create_read_only_mode(void)
{
	int fd = open("new", O_RDWR | O_CREAT, 0);

	TRY(fd);
	CHECK(write(fd, "x", 1) == 1);
	return 0;
}

static int create_through_dangling(void)
{
	TRY(open("dangling", O_WRONLY | O_CREAT, 0644));
	CHECK(exists("nothing"));
	return 0;
}

static int create_in_group(void)
{
	TRY(open("group/new", O_WRONLY | O_CREAT, 0644));
	CHECK(stat_of("group/new").st_gid == KIT_USER);
	TRY(mkdir("group/dir", 0755));
	CHECK(stat_of("group/dir").st_gid == KIT_USER);
	CHECK(stat_of("group/dir").st_mode == (S_IFDIR | 02755));
	return 0;
}

static int create_by_other(void)
{
	become_other();
	CHECK(mkdir("bits/mine", 0700) == 0 || errno == EROFS);
	TRY(open("full/new", O_WRONLY | O_CREAT, 0644));
	return 0;
}

static int create_unnamed(void)
{
	char path[64];
	int fd = open(".", O_TMPFILE | O_RDWR, 0600);

	if (fd < 0 && errno == EOPNOTSUPP)
		return place_now() == PLACE_SNAPSHOT ? EROFS : 0;
	TRY(fd);
	CHECK(write(fd, "unnamed", 7) == 7);
	CHECK(stat_of(".").st_nlink >= 1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	TRY(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	CHECK(text_is("named", "unnamed") && stat_of("named").st_nlink == 1);
	return 0;
}

static int create_long(void)
{
	char name[300];

	memset(name, 'n', 255);
	name[255] = '\0';
	TRY(mkdir(name, 0755));
	CHECK(exists(name));
	memcpy(name, "\xff\xfe\n ", 4);
	TRY(mknod(name, S_IFREG | 0644, 0));
	CHECK(exists(name));
	return 0;
}

static int make_directory(void)
{
	nlink_t links = stat_of(".").st_nlink;

	umask(022);
	TRY(mkdir("dir", 0777));
	CHECK(stat_of("dir").st_mode == (S_IFDIR | 0755));
	CHECK(stat_of("dir").st_nlink == 2);
	CHECK(links == 1 || stat_of(".").st_nlink == links + 1);
	CHECK(write_file("dir/file", "x") && text_is("dir/file", "x"));
	return 0;
}

static int make_directory_existing(void)
{
	TRY(mkdir("full", 0755));
	return 0;
}

static int make_nodes(void)
{
	TRY(mknod("a", S_IFIFO | 0644, 0));
	TRY(mknod("b", S_IFSOCK | 0644, 0));
	TRY(mknod("c", S_IFCHR | 0644, makedev(300, 70000)));
	TRY(mknod("d", S_IFBLK | 0600, makedev(7, 9)));
	TRY(mknod("e", S_IFREG | 0644, 0));
	TRY(mknod("f", S_IFCHR | 0644, 0)); /* a plain object, no whiteout */
	CHECK(S_ISFIFO(stat_of("a").st_mode) && S_ISSOCK(stat_of("b").st_mode));
	CHECK(stat_of("c").st_rdev == makedev(300, 70000));
	CHECK(S_ISBLK(stat_of("d").st_mode));
	CHECK(stat_of("d").st_rdev == makedev(7, 9));
	CHECK(S_ISREG(stat_of("e").st_mode) && stat_of("e").st_size == 0);
	CHECK(S_ISCHR(stat_of("f").st_mode));
	return 0;
}

static int make_device_by_other(void)
{
	become_other();
	TRY(mknod("bits/device", S_IFCHR | 0644, makedev(1, 3)));
	return 0;
}

static int make_symlink(void)
{
	char target[4096] = "";
	char got[4096] = "";

	memset(target, 't', 4000);
	TRY(symlink(target, "new"));
	CHECK(readlink("new", got, sizeof(got)) == 4000 &&
	      !memcmp(got, target, 4000));
	CHECK(stat_of("new").st_size == 4000);
	CHECK(stat_of("new").st_mode == (S_IFLNK | 0777));
	return 0;
}

static int make_symlink_existing(void)
{
	TRY(symlink("x", "link"));
	return 0;
}

static int read_link(void)
{
	char got[16] = "";

	TRY(readlink("link", got, sizeof(got)));
	CHECK(!strcmp(got, "file"));
	CHECK(readlink("link", got, 2) == 2);
	TRY(readlink("file", got, sizeof(got)));
	return 0;
}

static int link_file(void)
{
	ino_t inode = stat_of("file").st_ino;

	TRY(link("file", "full/third"));
	CHECK(stat_of("file").st_nlink == 3 && stat_of("hard").st_nlink == 3);
	CHECK(stat_of("full/third").st_ino == inode && kit_is("full/third"));
	TRY(unlink("file"));
	CHECK(stat_of("hard").st_nlink == 2 && kit_is("hard"));
	CHECK(stat_of("hard").st_ino == inode);
	return 0;
}

static int link_written(void)
{
	int fd = open("hard", O_WRONLY);
	char byte = 0;

	TRY(fd);
	TRY(pwrite(fd, "!", 1, 7777));
	close(fd);
	fd = open("file", O_RDONLY);
	CHECK(pread(fd, &byte, 1, 7777) == 1 && byte == '!');
	CHECK(stat_of("file").st_ino == stat_of("hard").st_ino);
	CHECK(stat_of("file").st_nlink == 2);
	return 0;
}

static int link_others(void)
{
	TRY(link("link", "link2"));
	CHECK(stat_of("link2").st_ino == stat_of("link").st_ino);
	TRY(link("fifo", "fifo2"));
	CHECK(stat_of("fifo2").st_nlink == 2);
	TRY(link("null", "null2"));
	return 0;
}

static int link_existing(void)
{
	TRY(link("file", "other"));
	return 0;
}

static int link_directory(void)
{
	TRY(link("full", "full2"));
	return 0;
}

static int unlink_file(void)
{
	TRY(unlink("other"));
	CHECK(!exists("other"));
	CHECK(open("other", O_RDONLY) < 0 && errno == ENOENT);
	CHECK(mkdir("other", 0755) == 0 && rmdir("other") == 0);
	CHECK(write_file("other", "again") && text_is("other", "again"));
	CHECK(stat_of("other").st_mode == (S_IFREG | 0644));
	return 0;
}

static int unlink_missing(void)
{
	TRY(unlink("nothing"));
	return 0;
}

static int unlink_directory(void)
{
	TRY(unlink("empty"));
	return 0;
}

static int unlink_others(void)
{
	TRY(unlink("link"));
	TRY(unlink("fifo"));
	TRY(unlink("socket"));
	TRY(unlink("null"));
	CHECK(!exists("link") && !exists("fifo") && !exists("socket"));
	CHECK(!exists("null") && exists("file"));
	return 0;
}

static int unlink_open(void)
{
	char data[8] = "";
	struct stat st;
	int fd = open("other", O_RDWR);
	DIR *dir;
	struct dirent *found;

	TRY(fd);
	TRY(unlink("other"));
	CHECK(fstat(fd, &st) == 0 && st.st_nlink == 0 && st.st_size == 3);
	CHECK(pread(fd, data, 8, 0) == 3 && !strcmp(data, "two"));
	CHECK(pwrite(fd, "three", 5, 3) == 5 && fsync(fd) == 0);
	CHECK(ftruncate(fd, 6) == 0 && fchmod(fd, 0600) == 0);
	CHECK(fchown(fd, 1, 2) == 0);
	CHECK(fstat(fd, &st) == 0 && st.st_size == 6 && st.st_uid == 1);
	CHECK(pread(fd, data, 8, 0) == 6 && !memcmp(data, "twothr", 6));
	dir = opendir(".");
	CHECK(dir);
	while ((found = readdir(dir)))
		CHECK(strncmp(found->d_name, ".fuse", 5) != 0);
	closedir(dir);
	return 0;
}

static int unlink_sticky(void)
{
	CHECK(write_file("bits/root", "") || errno == EROFS);
	become_other();
	TRY(unlink("bits/root"));
	return 0;
}

static int remove_directory(void)
{
	nlink_t links = stat_of(".").st_nlink;

	TRY(rmdir("empty"));
	CHECK(!exists("empty"));
	CHECK(links == 1 || stat_of(".").st_nlink == links - 1);
	CHECK(mkdir("empty", 0700) == 0);
	CHECK(write_file("empty/file", "x"));
	return 0;
}

static int remove_full(void)
{
	TRY(rmdir("full"));
	return 0;
}

static int remove_emptied(void)
{
	TRY(unlink("full/file"));
	TRY(unlink("full/deep/file"));
	TRY(rmdir("full/deep/er"));
	TRY(rmdir("full/deep"));
	TRY(rmdir("full"));
	CHECK(!exists("full") && !exists("full/file"));
	CHECK(mkdir("full", 0755) == 0 && !exists("full/file"));
	CHECK(!exists("full/deep") && rmdir("full") == 0);
	return 0;
}

static int remove_file_as_directory(void)
{
	TRY(rmdir("file"));
	return 0;
}

static int remove_open_directory(void)
{
	struct stat st;
	int fd = open("empty", O_RDONLY);

	TRY(fd);
	TRY(rmdir("empty"));
	CHECK(fstat(fd, &st) == 0);
	CHECK(openat(fd, "x", O_CREAT | O_WRONLY, 0644) < 0 && errno == ENOENT);
	return 0;
}

static int rename_file(void)
{
	struct stat before = stat_of("other");
	struct stat after;

	TRY(rename("other", "full/moved"));
	after = stat_of("full/moved");
	CHECK(!exists("other") && text_is("full/moved", "two"));
	CHECK(after.st_ino == before.st_ino && after.st_mode == before.st_mode);
	CHECK(after.st_mtim.tv_sec == before.st_mtim.tv_sec);
	TRY(rename("full/moved", "other"));
	CHECK(text_is("other", "two") && !exists("full/moved"));
	return 0;
}

static int rename_over(void)
{
	ino_t inode = stat_of("other").st_ino;

	TRY(rename("other", "file"));
	CHECK(text_is("file", "two") && stat_of("file").st_ino == inode);
	CHECK(kit_is("hard") && stat_of("hard").st_nlink == 1);
	CHECK(!exists("other"));
	return 0;
}

static int rename_to_same(void)
{
	TRY(rename("file", "hard")); /* does nothing */
	CHECK(exists("file") && stat_of("hard").st_nlink == 2);
	return 0;
}

static int rename_directory(void)
{
	ino_t inode = stat_of("full").st_ino;

	TRY(rename("full", "moved"));
	CHECK(!exists("full") && stat_of("moved").st_ino == inode);
	CHECK(text_is("moved/file", "four"));
	CHECK(text_is("moved/deep/file", "five") && exists("moved/deep/er"));
	CHECK(stat_of("moved/deep/..").st_ino == inode);
	CHECK(write_file("moved/deep/er/new", "x"));
	CHECK(mkdir("full", 0755) == 0 && !exists("full/file"));
	CHECK(rmdir("full") == 0);
	return 0;
}

static int rename_directory_away(void)
{
	nlink_t links = stat_of(".").st_nlink;
	ino_t above = stat_of("empty").st_ino;

	TRY(rename("full/deep", "empty/deep"));
	CHECK(text_is("empty/deep/file", "five") && !exists("full/deep"));
	CHECK(stat_of("empty/deep/..").st_ino == above);
	CHECK(stat_of(".").st_nlink == links);
	CHECK(text_is("full/file", "four"));
	CHECK(stat_of("empty").st_nlink == 3 || stat_of("empty").st_nlink == 1);
	return 0;
}

static int rename_directory_over_empty(void)
{
	TRY(rename("full", "empty"));
	CHECK(text_is("empty/file", "four") && !exists("full"));
	return 0;
}

static int rename_directory_over_full(void)
{
	TRY(rename("empty", "full"));
	return 0;
}

static int rename_directory_over_emptied(void)
{
	TRY(unlink("full/deep/file"));
	TRY(rename("full/deep/er", "er"));
	TRY(rename("empty", "full/deep"));
	CHECK(exists("full/deep") && !exists("full/deep/file"));
	CHECK(!exists("full/deep/er") && !exists("empty"));
	return 0;
}

static int rename_directory_over_file(void)
{
	TRY(rename("empty", "file"));
	return 0;
}

static int rename_file_over_directory(void)
{
	TRY(rename("file", "empty"));
	return 0;
}

static int rename_beneath_itself(void)
{
	TRY(rename("full", "full/deep/full"));
	return 0;
}

static int rename_missing(void)
{
	TRY(rename("nothing", "new"));
	return 0;
}

static int rename_no_replace(void)
{
	TRY(renameat2(AT_FDCWD, "file", AT_FDCWD, "other", RENAME_NOREPLACE));
	return 0;
}

static int rename_no_replace_new(void)
{
	TRY(renameat2(AT_FDCWD, "file", AT_FDCWD, "new", RENAME_NOREPLACE));
	CHECK(kit_is("new") && !exists("file"));
	return 0;
}

static int exchange(void)
{
	ino_t file = stat_of("file").st_ino;
	ino_t full = stat_of("full").st_ino;

	TRY(renameat2(AT_FDCWD, "file", AT_FDCWD, "full", RENAME_EXCHANGE));
	CHECK(kit_is("full") && stat_of("full").st_ino == file);
	CHECK(text_is("file/file", "four") && stat_of("file").st_ino == full);
	CHECK(text_is("file/deep/file", "five"));
	TRY(renameat2(AT_FDCWD, "other", AT_FDCWD, "file/file",
		      RENAME_EXCHANGE));
	CHECK(text_is("other", "four") && text_is("file/file", "two"));
	return 0;
}

static int exchange_missing(void)
{
	TRY(renameat2(AT_FDCWD, "file", AT_FDCWD, "new", RENAME_EXCHANGE));
	return 0;
}

static int rename_whiteout(void)
{
	TRY(renameat2(AT_FDCWD, "other", AT_FDCWD, "new", RENAME_WHITEOUT));
	CHECK(text_is("new", "two") && S_ISCHR(stat_of("other").st_mode));
	CHECK(stat_of("other").st_rdev == 0);
	return 0;
}

static int rename_others(void)
{
	TRY(rename("link", "full/link"));
	TRY(rename("fifo", "full/fifo"));
	TRY(rename("socket", "full/socket"));
	TRY(rename("null", "full/null"));
	CHECK(S_ISLNK(stat_of("full/link").st_mode));
	CHECK(S_ISSOCK(stat_of("full/socket").st_mode));
	CHECK(stat_of("full/null").st_rdev == 0x103 && !exists("null"));
	return 0;
}

const struct row places_name_rows[] = {
	{ "create", create, WRITES(0) },
	{ "create deep in directories", create_in_directory, WRITES(0) },
	{ "create what is there", create_existing, WRITES(0) },
	{ "create O_EXCL", create_exclusive, WRITES(EEXIST) },
	{ "create with mode 0", create_read_only_mode, WRITES(0) },
	{ "create through a dangling link", create_through_dangling,
	  WRITES(0) },
	{ "create in a setgid directory", create_in_group, WRITES(0) },
	{ "create by another user", create_by_other, WRITES(EACCES) },
	{ "create O_TMPFILE", create_unnamed, WRITES(0) },
	{ "create long and odd names", create_long, WRITES(0) },
	{ "mkdir", make_directory, WRITES(0) },
	{ "mkdir of what is there", make_directory_existing, WRITES(EEXIST) },
	{ "mknod", make_nodes, WRITES(0) },
	{ "mknod of a device by another user", make_device_by_other,
	  WRITES(EPERM) },
	{ "symlink", make_symlink, WRITES(0) },
	{ "symlink over what is there", make_symlink_existing, WRITES(EEXIST) },
	{ "readlink", read_link, READS(EINVAL) },
	{ "link", link_file, WRITES(0) },
	{ "write to one of two links", link_written, WRITES(0) },
	{ "link of other kinds", link_others, WRITES(0) },
	{ "link over what is there", link_existing, WRITES(EEXIST) },
	{ "link of a directory", link_directory, WRITES(EPERM) },
	{ "unlink", unlink_file, WRITES(0) },
	{ "unlink what is missing", unlink_missing, WRITES(ENOENT) },
	{ "unlink of a directory", unlink_directory, WRITES(EISDIR) },
	{ "unlink other kinds", unlink_others, WRITES(0) },
	{ "unlink while open", unlink_open, WRITES(0) },
	{ "unlink in a sticky directory",
	  unlink_sticky,
	  { EPERM, EPERM, EPERM, ANY_RESULT } },
	{ "rmdir", remove_directory, WRITES(0) },
	{ "rmdir of a full one", remove_full, WRITES(ENOTEMPTY) },
	{ "rmdir with only whiteouts inside", remove_emptied, WRITES(0) },
	{ "rmdir of a file", remove_file_as_directory, WRITES(ENOTDIR) },
	{ "rmdir while open", remove_open_directory, WRITES(0) },
	{ "rename", rename_file, WRITES(0) },
	{ "rename over a file", rename_over, WRITES(0) },
	/* The kernel asks nobody, unless the mount is read-only. */
	{ "rename to another link of it",
	  rename_to_same,
	  { 0, 0, 0, ANY_RESULT } },
	{ "rename a directory", rename_directory, WRITES(0) },
	{ "rename a directory elsewhere", rename_directory_away, WRITES(0) },
	{ "rename a directory over an empty one", rename_directory_over_empty,
	  WRITES(0) },
	{ "rename a directory over a full one", rename_directory_over_full,
	  WRITES(ENOTEMPTY) },
	{ "rename a directory over whiteouts", rename_directory_over_emptied,
	  WRITES(0) },
	{ "rename a directory over a file", rename_directory_over_file,
	  WRITES(ENOTDIR) },
	{ "rename a file over a directory", rename_file_over_directory,
	  WRITES(EISDIR) },
	{ "rename beneath itself", rename_beneath_itself, WRITES(EINVAL) },
	{ "rename what is missing", rename_missing, WRITES(ENOENT) },
	{ "rename NOREPLACE", rename_no_replace, WRITES(EEXIST) },
	{ "rename NOREPLACE to a new name", rename_no_replace_new, WRITES(0) },
	{ "rename EXCHANGE", exchange, WRITES(0) },
	{ "rename EXCHANGE with nothing", exchange_missing, WRITES(ENOENT) },
	{ "rename WHITEOUT", rename_whiteout, WRITES(0) },
	{ "rename other kinds", rename_others, WRITES(0) },
	{ .name = NULL },
};

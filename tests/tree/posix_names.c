/* tree_posix: names: making, linking, renaming, removing them. */
#include "tree_posix.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

extern int renameat2(int from_dir, const char *from, int to_dir, const char *to,
		     unsigned flags);

static int rename_with(const char *from, const char *to, unsigned flags)
{
	return renameat2(AT_FDCWD, from, AT_FDCWD, to, flags);
}

static void links_are_counted(void)
{
	char name[20];
	int fd = make("file", 0644, "text");
	struct stat st;
	int i;

	for (i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		WORKS(link("file", name));
	}
	IS(at("file").st_nlink == 301 && at("l7").st_ino == at("file").st_ino);
	for (i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		WORKS(unlink(name));
	}
	IS(at("file").st_nlink == 1);
	WORKS(unlink("file"));
	IS(!fstat(fd, &st) && st.st_nlink == 0 && st.st_size == 4);
	FAILS(ENOENT, link("file", "again"));
	FAILS(ENOENT, linkat(fd, "", AT_FDCWD, "again", AT_EMPTY_PATH));
	close(fd);
	i = (int)at(".").st_nlink;
	WORKS(mkdir("dir", 0755));
	WORKS(mkdir("dir/sub", 0755));
	IS(at("dir").st_nlink == 3 && at("dir/sub").st_nlink == 2);
	IS((int)at(".").st_nlink == i + 1);
	WORKS(rename("dir/sub", "sub"));
	IS(at("dir").st_nlink == 2 && (int)at(".").st_nlink == i + 2);
	WORKS(rmdir("sub"));
	WORKS(rename("dir", "sub"));
	IS((int)at(".").st_nlink == i + 1);
}

static void links_of_links(void)
{
	touch("file", 0644);
	WORKS(symlink("file", "link"));
	WORKS(link("link", "itself"));
	IS(S_ISLNK(at("itself").st_mode) && at("link").st_nlink == 2);
	WORKS(linkat(AT_FDCWD, "link", AT_FDCWD, "there", AT_SYMLINK_FOLLOW));
	IS(at("there").st_ino == at("file").st_ino);
	FAILS(EINVAL, linkat(AT_FDCWD, "link", AT_FDCWD, "x", 0x40000));
	WORKS(unlink("link"));
	IS(S_ISREG(at("file").st_mode) && at("itself").st_nlink == 1);
}

static void modes_of_new_objects(void)
{
	umask(022);
	WORKS(mkdir("dir", 0777));
	WORKS(mkfifo("fifo", 0666));
	WORKS(mknod("node", S_IFREG | 0777, 0));
	close(open("file", O_CREAT | O_WRONLY, 0666));
	IS(mode_of("dir") == 0755 && mode_of("fifo") == 0644);
	IS(mode_of("node") == 0755 && mode_of("file") == 0644);
	umask(0);
	WORKS(mkdir("sticky", 01777));
	close(open("bits", O_CREAT | O_WRONLY, 07777));
	IS(mode_of("sticky") == 01777 && mode_of("bits") == 07777);
	WORKS(mkdir("set", 06755));
	IS(mode_of("set") == 0755 || mode_of("set") == 06755);
	WORKS(symlink("x", "link"));
	IS(mode_of("link") == 0777);
	umask(0777);
	close(open("none", O_CREAT | O_WRONLY, 0666));
	IS(mode_of("none") == 0);
}

static void owners_of_new_objects(void)
{
	WORKS(chmod(".", 0777));
	act_as(SOMEBODY, ANOTHER, 0);
	touch("file", 0644);
	WORKS(mkdir("dir", 0755));
	WORKS(symlink("x", "link"));
	WORKS(mkfifo("fifo", 0644));
	WORKS(mknod("socket", S_IFSOCK | 0644, 0));
	act_as_root();
	IS(at("file").st_uid == SOMEBODY && at("file").st_gid == ANOTHER);
	IS(at("dir").st_uid == SOMEBODY && at("dir").st_gid == ANOTHER);
	IS(at("link").st_uid == SOMEBODY && at("link").st_gid == ANOTHER);
	IS(at("fifo").st_uid == SOMEBODY && at("socket").st_gid == ANOTHER);
	WORKS(mkdir("group", 0777));
	WORKS(chown("group", 0, THEIR_GROUP));
	WORKS(chmod("group", 02777));
	act_as(SOMEBODY, ANOTHER, 0);
	touch("group/file", 0644);
	WORKS(mkdir("group/dir", 0755));
	WORKS(symlink("x", "group/link"));
	WORKS(mkfifo("group/fifo", 0644));
	/* Who isn't in the group gets no setgid file of it. */
	close(open("group/bits", O_CREAT | O_WRONLY, 02775));
	act_as_root();
	IS(at("group/file").st_gid == THEIR_GROUP);
	IS(at("group/dir").st_gid == THEIR_GROUP);
	IS(mode_of("group/dir") == 02755);
	IS(at("group/link").st_gid == THEIR_GROUP);
	IS(at("group/fifo").st_gid == THEIR_GROUP);
	IS(mode_of("group/bits") == 0775);
	close(open("group/root", O_CREAT | O_WRONLY, 02775));
	IS(mode_of("group/root") == 02775);
}

static void rename_replaces(void)
{
	int fd = make("to", 0644, "old");
	struct stat st;
	ino_t inode;

	close(make("from", 0600, "new"));
	inode = at("from").st_ino;
	WORKS(rename("from", "to"));
	IS(at("to").st_ino == inode && holds("to", "new"));
	IS(!fstat(fd, &st) && st.st_nlink == 0);
	close(fd);
	FAILS(ENOENT, open("from", O_RDONLY));
	WORKS(rename("to", "to"));
	WORKS(link("to", "same"));
	WORKS(rename("to", "same"));
	IS(at("to").st_ino == inode && at("same").st_nlink == 2);
	WORKS(symlink("to", "link"));
	touch("file", 0644);
	WORKS(rename("file", "link"));
	IS(S_ISREG(at("link").st_mode) && holds("to", "new"));
	WORKS(symlink("gone", "link2"));
	WORKS(rename("link2", "to"));
	IS(S_ISLNK(at("to").st_mode) && holds("same", "new"));
	WORKS(mkfifo("fifo", 0644));
	WORKS(rename("fifo", "same"));
	IS(S_ISFIFO(at("same").st_mode));
}

static void rename_directories(void)
{
	WORKS(mkdir("a", 0755));
	WORKS(mkdir("a/b", 0755));
	WORKS(mkdir("a/b/c", 0755));
	touch("a/b/c/file", 0644);
	WORKS(mkdir("to", 0755));
	WORKS(rename("a/b", "to/b"));
	IS(S_ISREG(at("to/b/c/file").st_mode));
	IS(at("to/b/..").st_ino == at("to").st_ino);
	FAILS(EINVAL, rename("to", "to/b/c/to"));
	WORKS(rename("to/b/", "x/"));
	IS(S_ISREG(at("x/c/file").st_mode));
	WORKS(mkdir("empty", 0755));
	WORKS(rename("x", "empty"));
	IS(S_ISREG(at("empty/c/file").st_mode) && !at("x").st_mode);
	touch("file", 0644);
	FAILS(ENOTDIR, rename("file", "new/"));
	FAILS(ENOTDIR, rename("empty", "file"));
	FAILS(ENOTDIR, rename("file/", "new"));
	WORKS(symlink("empty", "link"));
	FAILS(ENOTDIR, rename("link/", "new"));
	WORKS(rename("link", "new"));
	IS(S_ISLNK(at("new").st_mode));
}

static void rename_flags(void)
{
	close(make("a", 0644, "a"));
	close(make("b", 0644, "b"));
	WORKS(mkdir("dir", 0755));
	touch("dir/file", 0644);
	FAILS(EEXIST, rename_with("a", "b", RENAME_NOREPLACE));
	FAILS(EEXIST, rename_with("a", "a", RENAME_NOREPLACE));
	FAILS(EEXIST, rename_with("a", "dir", RENAME_NOREPLACE));
	FAILS(ENOENT, rename_with("gone", "b", RENAME_NOREPLACE));
	WORKS(rename_with("a", "c", RENAME_NOREPLACE));
	WORKS(rename_with("b", "c", RENAME_EXCHANGE));
	IS(holds("b", "a") && holds("c", "b"));
	WORKS(rename_with("b", "dir", RENAME_EXCHANGE));
	IS(holds("dir", "a") && S_ISREG(at("b/file").st_mode));
	FAILS(ENOENT, rename_with("b", "gone", RENAME_EXCHANGE));
	FAILS(ENOENT, rename_with("gone", "b", RENAME_EXCHANGE));
	FAILS(EINVAL,
	      rename_with("b", "c", RENAME_EXCHANGE | RENAME_NOREPLACE));
	FAILS(EINVAL, rename_with("b", "c", RENAME_EXCHANGE | RENAME_WHITEOUT));
	FAILS(EINVAL, rename_with("b", "c", 1U << 7));
	FAILS(EINVAL, rename_with("b", "b/file", RENAME_EXCHANGE));
	FAILS(EINVAL, rename_with("b/file", "b", RENAME_EXCHANGE));
	WORKS(mkdir("b/in", 0755));
	WORKS(mkdir("other", 0755));
	WORKS(rename_with("b/in", "other", RENAME_EXCHANGE));
	IS(at("b/in/..").st_ino == at("b").st_ino && at("b").st_nlink == 3);
	WORKS(rename_with("b/in", "c", RENAME_EXCHANGE));
	IS(at("b").st_nlink == 2 && S_ISDIR(at("c").st_mode));
	WORKS(rename_with("dir", "d", RENAME_WHITEOUT));
	IS(S_ISCHR(at("dir").st_mode) && at("dir").st_rdev == makedev(0, 0));
	IS(holds("d", "a"));
	WORKS(unlink("dir"));
	touch("e", 0644);
	FAILS(EEXIST,
	      rename_with("d", "e", RENAME_WHITEOUT | RENAME_NOREPLACE));
	WORKS(rename_with("d", "f", RENAME_WHITEOUT | RENAME_NOREPLACE));
	IS(S_ISCHR(at("d").st_mode));
}

static void open_but_removed(void)
{
	char data[10] = "";
	int fd = make("file", 0644, "text");
	int other;
	struct stat st;
	char path[40];

	other = open("file", O_RDONLY);
	WORKS(unlink("file"));
	IS(pwrite(fd, "more", 4, 4) == 4);
	IS(pread(other, data, 8, 0) == 8 && !strcmp(data, "textmore"));
	WORKS(fchmod(fd, 0400));
	WORKS(fchown(fd, 7, 8));
	WORKS(ftruncate(fd, 3));
	IS(!fstat(other, &st) && st.st_size == 3 && st.st_uid == 7 &&
	   (st.st_mode & 07777) == 0400 && st.st_nlink == 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	close(other);
	other = open(path, O_RDWR);
	WORKS(other);
	IS(pread(other, data, 8, 0) == 3);
	close(make("file", 0644, "new"));
	close(fd);
	IS(pread(other, data, 8, 0) == 3 && !memcmp(data, "tex", 3));
	IS(holds("file", "new"));
	WORKS(fsync(other));
	close(other);
}

static void unnamed_files(void)
{
	char path[64];
	int fd = open(".", O_TMPFILE | O_RDWR, 0640);
	struct stat st;

	WORKS(fd);
	IS(!fstat(fd, &st) && st.st_nlink == 0 &&
	   st.st_mode == (S_IFREG | 0640));
	IS(write(fd, "text", 4) == 4);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	WORKS(linkat(AT_FDCWD, path, AT_FDCWD, "a", AT_SYMLINK_FOLLOW));
	WORKS(linkat(fd, "", AT_FDCWD, "b", AT_EMPTY_PATH));
	IS(holds("a", "text") && at("b").st_nlink == 2);
	close(fd);
	fd = open(".", O_TMPFILE | O_RDWR | O_EXCL, 0600);
	WORKS(fd);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	FAILS(ENOENT, linkat(AT_FDCWD, path, AT_FDCWD, "c", AT_SYMLINK_FOLLOW));
	close(fd);
	FAILS(EINVAL, open(".", O_TMPFILE | O_RDONLY, 0600));
	FAILS(ENOTDIR, open("a", O_TMPFILE | O_RDWR, 0600));
	FAILS(ENOENT, open("gone", O_TMPFILE | O_RDWR, 0600));
	WORKS(chmod(".", 0755));
	act_as(SOMEBODY, SOMEBODY, 0);
	FAILS(EACCES, open(".", O_TMPFILE | O_RDWR, 0600));
	act_as_root();
}

static void odd_names(void)
{
	char name[3] = "xy";
	int byte, count = 0;
	struct dirent *entry;
	DIR *dir;

	WORKS(mkdir("all", 0755));
	WORKS(chdir("all"));
	for (byte = 1; byte < 256; byte++) {
		name[0] = (char)byte;
		if (byte != '/')
			touch(name, 0600);
	}
	dir = opendir(".");
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.' || entry->d_name[1] == 'y';
	closedir(dir);
	IS(count == 254);
	touch("...", 0644);
	touch("-", 0644);
	touch(" ", 0644);
	touch("\xc3\xa4", 0644);
	touch("a\xcc\x88", 0644);
	touch("\xc3\x84", 0644);
	IS(at("\xc3\xa4").st_ino != at("a\xcc\x88").st_ino);
	IS(at("\xc3\xa4").st_ino != at("\xc3\x84").st_ino);
	FAILS(EBUSY, rename("-", "."));
	FAILS(ENOENT, unlink("\xc4"));
}

const struct check posix_name_checks[] = {
	{ "links are counted", links_are_counted },
	{ "links of links", links_of_links },
	{ "modes of new objects", modes_of_new_objects },
	{ "owners of new objects", owners_of_new_objects },
	{ "rename replaces", rename_replaces },
	{ "rename directories", rename_directories },
	{ "rename flags", rename_flags },
	{ "open but removed", open_but_removed },
	{ "unnamed files", unnamed_files },
	{ "odd names", odd_names },
	{ 0 },
};

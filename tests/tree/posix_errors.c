/* tree_posix: which error each call of names gives for which fault. */
#include "tree_posix.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

/* All calls that take one path, and make or change what is there. */
static int do_chmod(const char *path)
{
	return chmod(path, 0644);
}

static int do_chown(const char *path)
{
	return chown(path, 1, 1);
}

static int do_lchown(const char *path)
{
	return lchown(path, 1, 1);
}

static int do_mkdir(const char *path)
{
	return mkdir(path, 0755);
}

static int do_mkfifo(const char *path)
{
	return mkfifo(path, 0644);
}

static int do_mknod(const char *path)
{
	return mknod(path, S_IFCHR | 0644, makedev(1, 3));
}

static int do_symlink(const char *path)
{
	return symlink("target", path);
}

static int do_create(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	return fd < 0 ? -1 : close(fd);
}

static int do_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -1 : close(fd);
}

static int do_truncate(const char *path)
{
	return truncate(path, 100);
}

static int do_utimes(const char *path)
{
	return utimensat(AT_FDCWD, path, NULL, 0);
}

static int do_link_from(const char *path)
{
	return link(path, "new");
}

static int do_link_to(const char *path)
{
	return link("file", path);
}

static int do_rename_from(const char *path)
{
	return rename(path, "new");
}

static int do_rename_to(const char *path)
{
	return rename("file", path);
}

static int do_stat(const char *path)
{
	struct stat st;

	return stat(path, &st);
}

static int do_readlink(const char *path)
{
	char target[100];

	return readlink(path, target, sizeof(target)) < 0 ? -1 : 0;
}

static int do_access(const char *path)
{
	return access(path, F_OK);
}

static int do_statfs(const char *path)
{
	struct statfs vfs;

	return statfs(path, &vfs);
}

static int do_set_xattr(const char *path)
{
	return setxattr(path, "user.a", "b", 1, 0);
}

static const struct call {
	const char *name;
	int (*act)(const char *path);
	/* It makes the name; it looks at a link itself. */
	bool makes, is_of_link;
} calls[] = {
	{ "chmod", do_chmod, false, false },
	{ "chown", do_chown, false, false },
	{ "lchown", do_lchown, false, true },
	{ "mkdir", do_mkdir, true, true },
	{ "mkfifo", do_mkfifo, true, true },
	{ "mknod", do_mknod, true, true },
	{ "symlink", do_symlink, true, true },
	{ "create", do_create, true, false },
	{ "open", do_open, false, false },
	{ "truncate", do_truncate, false, false },
	{ "utimensat", do_utimes, false, false },
	{ "link from", do_link_from, false, true },
	{ "link to", do_link_to, true, true },
	{ "rename from", do_rename_from, false, true },
	{ "rename to", do_rename_to, true, true },
	{ "unlink", unlink, false, true },
	{ "rmdir", rmdir, false, true },
	{ "stat", do_stat, false, false },
	{ "readlink", do_readlink, false, true },
	{ "access", do_access, false, false },
	{ "statfs", do_statfs, false, false },
	{ "setxattr", do_set_xattr, false, false },
};
enum { CALLS = sizeof(calls) / sizeof(calls[0]) };

static void each_fails(const struct call *call, int error, const char *path)
{
	char text[200];
	int rc;

	errno = 0;
	rc = call->act(path);
	snprintf(text, sizeof(text), "%s of %.20s fails with %s", call->name,
		 path, strerrorname_np(error));
	look(rc == -1 && errno == error, text, __FILE__, __LINE__);
}

static void all_fail(int error, const char *path)
{
	size_t i;

	for (i = 0; i < CALLS; i++)
		each_fails(&calls[i], error, path);
}

static void name_too_long(void)
{
	char below[300];

	touch("file", 0644);
	all_fail(ENAMETOOLONG, name_of(256));
	snprintf(below, sizeof(below), "%s/x", name_of(256));
	all_fail(ENAMETOOLONG, below);
	WORKS(mkdir(name_of(255), 0755));
	WORKS(rmdir(name_of(255)));
	WORKS(link("file", name_of(255)));
	WORKS(rename(name_of(255), name_of(254)));
	WORKS(unlink(name_of(254)));
	WORKS(symlink(name_of(255), "link"));
	WORKS(unlink("link"));
}

static void path_too_long(void)
{
	touch("file", 0644);
	all_fail(ENAMETOOLONG, path_of(4096, "/x"));
	WORKS(chmod(path_of(4095, "/file"), 0600));
	WORKS(mkdir(path_of(4095, "/dir"), 0755));
	WORKS(rename(path_of(4095, "/dir"), path_of(4095, "/to")));
	WORKS(rmdir(path_of(4095, "/to")));
}

static void link_too_long(void)
{
	char target[5000];

	WORKS(symlink(path_of(4095, "x"), "link"));
	IS(readlink("link", target, sizeof(target)) == 4095);
	IS(at("link").st_size == 4095);
	FAILS(ENAMETOOLONG, symlink(path_of(4096, "x"), "more"));
	FAILS(ENOENT, symlink("", "more"));
	IS(readlink("link", target, 5) == 5);
	FAILS(EINVAL, readlink("link", target, 0));
	FAILS(EEXIST, symlink("a", "link"));
	FAILS(EEXIST, symlink("a", "."));
	FAILS(ENOENT, symlink("a", "new/"));
}

static void not_directories(void)
{
	touch("file", 0644);
	WORKS(mkfifo("fifo", 0644));
	WORKS(symlink("file", "link"));
	all_fail(ENOTDIR, "file/x");
	all_fail(ENOTDIR, "fifo/x");
	all_fail(ENOTDIR, "link/x");
	FAILS(ENOTDIR, rmdir("file"));
	FAILS(ENOTDIR, rmdir("fifo"));
	FAILS(ENOTDIR, rmdir("link"));
	FAILS(ENOTDIR, open("file", O_RDONLY | O_DIRECTORY));
	FAILS(ENOTDIR, do_stat("file/"));
	FAILS(ENOTDIR, do_stat("file/."));
	FAILS(ENOTDIR, unlink("file/"));
	FAILS(EISDIR, do_create("new/"));
}

static void missing(void)
{
	size_t i;

	touch("file", 0644);
	for (i = 0; i < CALLS; i++) {
		each_fails(&calls[i], ENOENT, "gone/x");
		each_fails(&calls[i], ENOENT, "");
		if (!calls[i].makes)
			each_fails(&calls[i], ENOENT, "gone");
	}
	WORKS(symlink("gone", "dangling"));
	for (i = 0; i < CALLS; i++)
		if (!calls[i].makes && !calls[i].is_of_link)
			each_fails(&calls[i], ENOENT, "dangling");
	FAILS(ENOENT, rename("gone", "gone"));
	FAILS(ENOENT, link("gone", "file"));
}

static void loops(void)
{
	char name[20], to[20];
	size_t i;

	touch("file", 0644);
	WORKS(symlink("b", "a"));
	WORKS(symlink("a", "b"));
	all_fail(ELOOP, "a/x");
	for (i = 0; i < CALLS; i++)
		if (!calls[i].is_of_link)
			each_fails(&calls[i], ELOOP, "a");
	FAILS(ELOOP, open("a", O_RDONLY | O_NOFOLLOW));
	/* 40 are followed, no more. */
	for (i = 0; i < 42; i++) {
		snprintf(name, sizeof(name), "l%zu", i);
		snprintf(to, sizeof(to), i ? "l%zu" : "file", i - 1);
		WORKS(symlink(to, name));
	}
	WORKS(do_stat("l39"));
	FAILS(ELOOP, do_stat("l40"));
}

/* What is there already, of any kind. */
static void there_already(void)
{
	static const char *const kinds[] = { "dir",  "fifo",   "link",
					     "file", "socket", "device" };
	size_t i;

	touch("file", 0644);
	touch("other", 0644);
	WORKS(mkdir("dir", 0755));
	WORKS(mkfifo("fifo", 0644));
	WORKS(symlink("gone", "link"));
	WORKS(mknod("socket", S_IFSOCK | 0644, 0));
	WORKS(mknod("device", S_IFBLK | 0644, makedev(7, 99)));
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		FAILS(EEXIST, mkdir(kinds[i], 0755));
		FAILS(EEXIST, mkfifo(kinds[i], 0644));
		FAILS(EEXIST, do_mknod(kinds[i]));
		FAILS(EEXIST, symlink("x", kinds[i]));
		FAILS(EEXIST, link("other", kinds[i]));
		FAILS(EEXIST, open(kinds[i], O_CREAT | O_EXCL | O_RDWR, 0644));
	}
	FAILS(EEXIST, mkdir("dir/", 0755));
	FAILS(EEXIST, mkdir(".", 0755));
	FAILS(EEXIST, mkdir("..", 0755));
	FAILS(EEXIST, mkdir("link/", 0755));
}

static void not_empty(void)
{
	WORKS(mkdir("full", 0755));
	WORKS(mkdir("full/sub", 0755));
	WORKS(mkdir("empty", 0755));
	touch("file", 0644);
	FAILS(ENOTEMPTY, rmdir("full"));
	FAILS(ENOTEMPTY, rmdir("full/sub/.."));
	FAILS(EINVAL, rmdir("full/sub/."));
	FAILS(EINVAL, rmdir("empty/."));
	FAILS(ENOTEMPTY, rmdir("empty/.."));
	FAILS(ENOTEMPTY, rename("empty", "full"));
	FAILS(EISDIR, rename("file", "full"));
	FAILS(EISDIR, rename("file", "empty"));
	FAILS(ENOTDIR, rename("empty", "file"));
	FAILS(EISDIR, unlink("empty"));
	FAILS(EISDIR, unlink("full/."));
	FAILS(EINVAL, rename("full", "full/sub/new"));
	FAILS(EINVAL, rename("full", "full/new"));
	FAILS(ENOTEMPTY, rename("full/sub", "full"));
	FAILS(EBUSY, rename("full/.", "new"));
	FAILS(EBUSY, rename("full", "empty/."));
	FAILS(EBUSY, rename("full/..", "new"));
	WORKS(rmdir("full/sub"));
	WORKS(rename("empty", "full"));
	WORKS(rmdir("full/"));
}

static void directories_are_not_files(void)
{
	WORKS(mkdir("dir", 0755));
	FAILS(EISDIR, open("dir", O_WRONLY));
	FAILS(EISDIR, open("dir", O_RDWR));
	FAILS(EISDIR, open("dir", O_RDONLY | O_TRUNC));
	FAILS(EISDIR, open("dir", O_RDONLY | O_CREAT, 0644));
	FAILS(EISDIR, truncate("dir", 0));
	FAILS(EPERM, link("dir", "new"));
	FAILS(EINVAL, truncate("dir/..", -1));
	WORKS(rename("dir", "new/"));
	IS(S_ISDIR(at("new").st_mode));
}

static void bad_numbers(void)
{
	int fd = make("file", 0644, "text");
	struct timespec times[2] = { { 1, 1000000000 }, { 1, 0 } };

	FAILS(EINVAL, truncate("file", -1));
	FAILS(EINVAL, ftruncate(fd, -1));
	FAILS(EINVAL, utimensat(AT_FDCWD, "file", times, 0));
	times[0].tv_nsec = -1;
	FAILS(EINVAL, utimensat(AT_FDCWD, "file", times, 0));
	FAILS(EINVAL, lseek(fd, -1, SEEK_SET));
	FAILS(EINVAL, lseek(fd, -5, SEEK_END));
	FAILS(EINVAL, lseek(fd, 0, 99));
	FAILS(EINVAL, pread(fd, times, 1, -1));
	FAILS(EINVAL, pwrite(fd, times, 1, -1));
	FAILS(EINVAL, mknod("node", S_IFMT | 0644, 0));
	FAILS(EPERM, mknod("node", S_IFDIR | 0644, 0));
	FAILS(EFAULT, open((const char *)-1L, O_RDONLY));
	FAILS(EFAULT, write(fd, (void *)-1L, 10));
	FAILS(EFAULT, pread(fd, (void *)-1L, 4, 0));
	FAILS(EFAULT, mkdir((const char *)-1L, 0755));
	close(fd);
	fd = open("file", O_RDONLY);
	FAILS(EINVAL, ftruncate(fd, 0));
	FAILS(EBADF, write(fd, "x", 1));
	close(fd);
	fd = open("file", O_WRONLY);
	FAILS(EBADF, read(fd, times, 1));
	close(fd);
	FAILS(EBADF, fchmod(fd, 0));
	IS(holds("file", "text"));
}

static void odd_files(void)
{
	char byte;

	WORKS(mknod("socket", S_IFSOCK | 0644, 0));
	WORKS(mknod("none", S_IFCHR | 0644, makedev(255, 250)));
	WORKS(mknod("block", S_IFBLK | 0644, makedev(255, 250)));
	WORKS(mkfifo("fifo", 0644));
	FAILS(ENXIO, open("socket", O_RDONLY));
	FAILS(ENXIO, open("socket", O_RDWR));
	FAILS(ENXIO, open("none", O_RDWR));
	FAILS(ENXIO, open("block", O_RDWR));
	FAILS(ENXIO, open("fifo", O_WRONLY | O_NONBLOCK));
	FAILS(EINVAL, truncate("fifo", 0));
	FAILS(EINVAL, truncate("socket", 0));
	FAILS(EINVAL, readlink("fifo", &byte, 1));
	IS(at("none").st_rdev == makedev(255, 250));
	IS(S_ISBLK(at("block").st_mode) && S_ISSOCK(at("socket").st_mode));
	WORKS(link("fifo", "fifo2"));
	WORKS(link("none", "none2"));
	IS(at("none").st_nlink == 2);
	WORKS(rename("socket", "socket2"));
	WORKS(unlink("none"));
	WORKS(mknod("big", S_IFCHR | 0600, makedev(4095, 1048575)));
	IS(at("big").st_rdev == makedev(4095, 1048575));
}

/* A text that runs can't be written, and the other way round. */
static void busy_text(void)
{
	int fds[2];
	char byte = 0;
	int fd;
	pid_t pid;

	WORKS(pipe(fds));
	fd = open("/bin/cat", O_RDONLY);
	WORKS(fd);
	{
		int out = make("cat", 0755, "");
		char data[65536];
		ssize_t got;

		while ((got = read(fd, data, sizeof(data))) > 0)
			IS(write(out, data, (size_t)got) == got);
		close(fd);
		FAILS(ETXTBSY, execl("./cat", "cat", NULL));
		close(out);
	}
	pid = fork();
	if (pid == 0) {
		dup2(fds[0], 0);
		close(fds[1]);
		dup2(open("out", O_WRONLY | O_CREAT, 0644), 1);
		execl("./cat", "cat", NULL);
		_exit(9);
	}
	IS(write(fds[1], "x", 1) == 1);
	while (at("out").st_size == 0 && byte++ < 100)
		tick();
	FAILS(ETXTBSY, open("cat", O_WRONLY));
	FAILS(ETXTBSY, open("cat", O_RDWR | O_TRUNC));
	FAILS(ETXTBSY, truncate("cat", 0));
	WORKS(rename("cat", "moved"));
	FAILS(ETXTBSY, open("moved", O_WRONLY));
	WORKS(unlink("moved"));
	close(fds[0]);
	close(fds[1]);
}

const struct check posix_error_checks[] = {
	{ "name too long", name_too_long },
	{ "path too long", path_too_long },
	{ "link too long", link_too_long },
	{ "not a directory", not_directories },
	{ "missing", missing },
	{ "loops", loops },
	{ "there already", there_already },
	{ "not empty", not_empty },
	{ "directories are not files", directories_are_not_files },
	{ "bad numbers", bad_numbers },
	{ "odd files", odd_files },
	{ "busy text", busy_text },
	{ 0 },
};

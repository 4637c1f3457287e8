/* tree_posix: which times an operation moves, and which it leaves. */
#include "tree_posix.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

enum { OLD = 1000000000, NS_PER_S = 1000000000, TICK_NS = 10000000 };

/* Moved since `before` was taken: letters of a, m, c. */
struct before {
	const char *path;
	struct stat st;
};

static struct before before(const char *path)
{
	struct before it = { path, at(path) };

	tick();
	return it;
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static void moved(const struct before *it, const char *letters, int line)
{
	struct stat now = at(it->path);
	/* A look at it may move atime, and need not. */
	bool a = *letters == 'a' && !same_time(now.st_atim, it->st.st_atim);
	bool m = !same_time(now.st_mtim, it->st.st_mtim);
	bool c = !same_time(now.st_ctim, it->st.st_ctim);
	char got[4];
	char text[100];

	snprintf(got, sizeof(got), "%s%s%s", a ? "a" : "", m ? "m" : "",
		 c ? "c" : "");
	snprintf(text, sizeof(text), "times of %s moved: '%s', want '%s'",
		 it->path, got, letters);
	errno = 0;
	look(!strcmp(got, letters), text, __FILE__, line);
}
#define MOVES(path, letters, call)                \
	do {                                      \
		struct before it_ = before(path); \
		WORKS(call);                      \
		moved(&it_, letters, __LINE__);   \
	} while (0)

static void of_attributes(void)
{
	int fd = make("file", 0644, "text");
	struct timespec omit[2] = { { 0, UTIME_OMIT }, { 0, UTIME_OMIT } };
	struct timespec old[2] = { { OLD, 1 }, { OLD, 999999999 } };

	MOVES("file", "c", chmod("file", 0600));
	MOVES("file", "c", fchmod(fd, 0600));
	MOVES("file", "c", chown("file", 1, 1));
	MOVES("file", "c", chown("file", 1, 1));
	MOVES("file", "c", fchown(fd, 2, 2));
	MOVES("file", "c", setxattr("file", "user.a", "b", 1, 0));
	MOVES("file", "c", removexattr("file", "user.a"));
	MOVES("file", "c", link("file", "link"));
	MOVES("file", "c", rename("link", "link2"));
	MOVES("file", "c", unlink("link2"));
	MOVES("file", "amc", utimensat(AT_FDCWD, "file", old, 0));
	IS(at("file").st_mtim.tv_nsec == 999999999);
	IS(at("file").st_atim.tv_nsec == 1);
	MOVES("file", "", utimensat(AT_FDCWD, "file", omit, 0));
	old[0].tv_nsec = UTIME_OMIT;
	old[1].tv_sec = 5;
	MOVES("file", "mc", utimensat(AT_FDCWD, "file", old, 0));
	MOVES("file", "amc", utimensat(AT_FDCWD, "file", NULL, 0));
	IS(same_time(at("file").st_atim, at("file").st_mtim));
	MOVES("file", "", rename("file", "file"));
	close(fd);
}

static void of_data(void)
{
	int fd = make("file", 0644, "text");
	char data[10];

	MOVES("file", "mc", pwrite(fd, "x", 1, 0));
	MOVES("file", "", pwrite(fd, "x", 0, 0));
	MOVES("file", "mc", ftruncate(fd, 100));
	MOVES("file", "mc", truncate("file", 50));
	MOVES("file", "mc", ftruncate(fd, 50));
	MOVES("file", "mc", fallocate(fd, 0, 0, 10000));
	MOVES("file", "mc",
	      fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			4096));
	MOVES("file", "mc", close(open("file", O_WRONLY | O_TRUNC)));
	MOVES("file", "mc", close(open("file", O_WRONLY | O_TRUNC)));
	MOVES("file", "", close(open("file", O_WRONLY)));
	MOVES("file", "", fsync(fd));
	IS(pwrite(fd, "text", 4, 0) == 4);
	MOVES("file", "", fsync(fd));
	FAILS(EBADF, close(-1));
	MOVES("file", "", pread(fd, data, 4, 0));
	close(fd);
}

static void of_directories(void)
{
	struct before sub;

	WORKS(mkdir("dir", 0755));
	WORKS(mkdir("to", 0755));
	touch("file", 0644);
	touch("dir/there", 0644);
	MOVES("dir", "mc", close(open("dir/new", O_CREAT | O_WRONLY, 0644)));
	MOVES("dir", "", close(open("dir/new", O_CREAT | O_WRONLY, 0644)));
	MOVES("dir", "", close(open("dir/new", O_TRUNC | O_WRONLY)));
	MOVES("dir", "mc", mkdir("dir/sub", 0755));
	MOVES("dir", "mc", symlink("x", "dir/link"));
	MOVES("dir", "mc", mkfifo("dir/fifo", 0644));
	MOVES("dir", "mc", link("file", "dir/hard"));
	MOVES("dir", "mc", rename("dir/hard", "dir/renamed"));
	MOVES("dir", "mc", rename("dir/renamed", "to/renamed"));
	MOVES("to", "mc", rename("to/renamed", "dir/renamed"));
	MOVES("dir", "mc", rename("dir/sub", "to/sub"));
	sub = before("to/sub");
	WORKS(rename("to/sub", "dir/sub"));
	sub.path = "dir/sub";
	moved(&sub, "c", __LINE__);
	MOVES("to", "mc", rename("dir/sub", "to/sub"));
	MOVES("dir", "mc", unlink("dir/fifo"));
	MOVES("to", "mc", rmdir("to/sub"));
	MOVES("dir", "", chmod("dir/there", 0600));
	MOVES("dir", "c", chmod("dir", 0700));
	MOVES(".", "mc", rename("dir", "moved"));
}

static void of_failures(void)
{
	touch("file", 0644);
	WORKS(mkdir("dir", 0755));
	touch("dir/file", 0644);
	WORKS(chmod(".", 0755));
	act_as(SOMEBODY, SOMEBODY, 0);
	{
		struct before file = before("file");
		struct before dir = before("dir");

		FAILS(EPERM, chmod("file", 0777));
		FAILS(EPERM, chown("file", SOMEBODY, SOMEBODY));
		FAILS(EACCES, truncate("file", 5));
		FAILS(EACCES, unlink("dir/file"));
		FAILS(EEXIST, mkdir("dir/file", 0755));
		FAILS(EACCES, rmdir("dir"));
		FAILS(EACCES, rename("dir/file", "file"));
		moved(&file, "", __LINE__);
		moved(&dir, "", __LINE__);
	}
	act_as_root();
	{
		struct before dir = before("dir");

		FAILS(ENOTEMPTY, rmdir("dir"));
		FAILS(EEXIST, link("file", "dir/file"));
		FAILS(EISDIR, rename("file", "dir"));
		moved(&dir, "", __LINE__);
	}
}

static void of_links(void)
{
	struct timespec old[2] = { { OLD, 7 }, { OLD + 1, 8 } };
	char target[10];

	touch("file", 0644);
	WORKS(symlink("file", "link"));
	MOVES("file", "", lchown("link", 1, 1));
	MOVES("link", "c", lchown("link", 1, 1));
	MOVES("link", "", chmod("link", 0600));
	MOVES("link", "amc",
	      utimensat(AT_FDCWD, "link", old, AT_SYMLINK_NOFOLLOW));
	IS(at("link").st_mtim.tv_sec == OLD + 1);
	MOVES("file", "amc", utimensat(AT_FDCWD, "link", old, 0));
	MOVES("file", "", readlink("link", target, 10));
	WORKS(rename("link", "new"));
	IS(at("new").st_ctim.tv_sec > OLD + 1);
}

static void of_maps(void)
{
	int fd = make("file", 0644, "text");
	char *map;
	struct before it;

	WORKS(ftruncate(fd, 8192));
	map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	IS(map != MAP_FAILED);
	it = before("file");
	map[0] = 'x';
	WORKS(msync(map, 8192, MS_SYNC));
	moved(&it, "mc", __LINE__);
	munmap(map, 8192);
	close(fd);
}

static void far_away(void)
{
	static const time_t all[] = { 0,	   1,	       -1,
				      0x7fffffff,  0x80000000, 0xffffffff,
				      0x100000000, -0x7fffffff };
	struct timespec times[2];
	size_t i;

	touch("file", 0644);
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		times[0] = times[1] = (struct timespec){ all[i], 123456789 };
		WORKS(utimensat(AT_FDCWD, "file", times, 0));
		IS(same_time(at("file").st_mtim, times[1]));
		IS(same_time(at("file").st_atim, times[0]));
	}
}

static void of_birth(void)
{
	struct statx stx, again;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	touch("file", 0644);
	WORKS(statx(AT_FDCWD, "file", 0, STATX_BTIME | STATX_BASIC_STATS,
		    &stx));
	if (!(stx.stx_mask & STATX_BTIME)) {
		not_here("no time of birth");
		return;
	}
	IS(stx.stx_btime.tv_sec - now.tv_sec <= 2);
	tick();
	WORKS(chmod("file", 0600));
	WORKS(rename("file", "new"));
	WORKS(statx(AT_FDCWD, "new", 0, STATX_BTIME, &again));
	IS(again.stx_btime.tv_nsec == stx.stx_btime.tv_nsec);
}

static bool in_this_order(struct timespec a, struct timespec b)
{
	return a.tv_sec < b.tv_sec ||
	       (a.tv_sec == b.tv_sec && a.tv_nsec <= b.tv_nsec) ||
	       (a.tv_sec - b.tv_sec) * NS_PER_S + a.tv_nsec - b.tv_nsec <
		       TICK_NS;
}

/* What is done later has no earlier time, however it is done: but within a
 * tick of the clock that the kernel looks at. */
static void in_order(void)
{
	struct timespec last = { 0, 0 }, now;
	char name[20];
	int i;

	for (i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		if (i % 4 == 0)
			touch(name, 0644);
		else if (i % 4 == 1)
			close(make(name, 0644, "text"));
		else if (i % 4 == 2)
			WORKS(mkdir(name, 0755));
		else
			WORKS(truncate("f1", i));
		clock_gettime(CLOCK_REALTIME, &now);
		if (i % 4 == 3)
			snprintf(name, sizeof(name), "f1");
		IS(in_this_order(last, at(name).st_mtim));
		IS(in_this_order(at(name).st_mtim, now));
		last = at(name).st_mtim;
	}
}

const struct check posix_time_checks[] = {
	{ "times of attributes", of_attributes },
	{ "times of data", of_data },
	{ "times of directories", of_directories },
	{ "times of failures", of_failures },
	{ "times of links", of_links },
	{ "times of maps", of_maps },
	{ "times far away", far_away },
	{ "times of birth", of_birth },
	{ "times in order", in_order },
	{ 0 },
};

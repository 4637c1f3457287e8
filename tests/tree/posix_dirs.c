/* tree_posix: reading directories, being in them, and watching them. */
#include "tree_posix.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { MANY = 1000 };

static void make_many(void)
{
	char name[20];
	int i;

	WORKS(mkdir("dir", 0755));
	for (i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "dir/n%d", i);
		touch(name, 0644);
	}
}

/* Counts how often each n%d comes; returns how many entries there were. */
static int read_all(DIR *dir, unsigned char *seen)
{
	struct dirent *entry;
	int count = 0;

	memset(seen, 0, MANY * 2);
	while ((entry = readdir(dir))) {
		count++;
		if (entry->d_name[0] == 'n')
			seen[strtol(entry->d_name + 1, NULL, 10)]++;
	}
	return count;
}

static bool each_is(const unsigned char *seen, int from, int to, int times)
{
	for (; from < to; from++)
		if (seen[from] != times)
			return false;
	return true;
}

static void listing(void)
{
	unsigned char seen[MANY * 2];
	struct dirent *entry;
	DIR *dir;

	make_many();
	WORKS(symlink("x", "dir/l"));
	WORKS(mkfifo("dir/f", 0644));
	WORKS(mkdir("dir/d", 0755));
	dir = opendir("dir");
	IS(read_all(dir, seen) == MANY + 5 && each_is(seen, 0, MANY, 1));
	rewinddir(dir);
	while ((entry = readdir(dir))) {
		bool dots = entry->d_name[0] == '.';
		const char *name = entry->d_name;

		if (*name == 'l')
			IS(entry->d_type == DT_LNK);
		if (*name == 'f')
			IS(entry->d_type == DT_FIFO);
		if (*name == 'd' || dots)
			IS(entry->d_type == DT_DIR);
		if (*name == 'n')
			IS(entry->d_type == DT_REG);
		IS(fchdir(dirfd(dir)) == 0 && entry->d_ino == at(name).st_ino);
	}
	closedir(dir);
}

static void seeking(void)
{
	unsigned char seen[MANY * 2];
	long places[MANY + 10];
	char first[MANY + 10][256];
	struct dirent *entry;
	int count = 0;
	DIR *dir;

	make_many();
	dir = opendir("dir");
	for (;;) {
		places[count] = telldir(dir);
		entry = readdir(dir);
		if (!entry)
			break;
		snprintf(first[count++], sizeof(first[0]), "%s", entry->d_name);
	}
	IS(count == MANY + 2);
	while (count > 0) {
		count -= 1 + count / 10;
		if (count < 0)
			break;
		seekdir(dir, places[count]);
		entry = readdir(dir);
		IS(entry && !strcmp(entry->d_name, first[count]));
	}
	rewinddir(dir);
	IS(read_all(dir, seen) == MANY + 2);
	touch("dir/n1500", 0644);
	rewinddir(dir);
	IS(read_all(dir, seen) == MANY + 3 && seen[1500] == 1);
	closedir(dir);
}

/* What is there all the time comes once, whatever else changes. */
static void listing_while_it_changes(void)
{
	unsigned char seen[MANY * 2];
	struct dirent *entry;
	char name[30];
	int i = 0;
	DIR *dir;

	make_many();
	dir = opendir("dir");
	memset(seen, 0, sizeof(seen));
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] != 'n')
			continue;
		seen[strtol(entry->d_name + 1, NULL, 10)]++;
		if (i >= MANY / 2)
			continue;
		snprintf(name, sizeof(name), "dir/n%d", i);
		WORKS(unlink(name));
		snprintf(name, sizeof(name), "dir/n%d", MANY + i++);
		touch(name, 0644);
	}
	IS(each_is(seen, MANY / 2, MANY, 1));
	rewinddir(dir);
	read_all(dir, seen);
	IS(each_is(seen, 0, MANY / 2, 0));
	IS(each_is(seen, MANY / 2, MANY * 3 / 2, 1));
	closedir(dir);
}

static void removing_while_listing(void)
{
	struct dirent *entry;
	DIR *dir;

	make_many();
	dir = opendir("dir");
	while ((entry = readdir(dir)))
		if (entry->d_name[0] == 'n')
			WORKS(unlinkat(dirfd(dir), entry->d_name, 0));
	closedir(dir);
	WORKS(rmdir("dir"));
}

static void removed_directory(void)
{
	char path[4096];
	DIR *dir;
	int fd, file;

	WORKS(mkdir("dir", 0755));
	fd = open("dir", O_RDONLY | O_DIRECTORY);
	WORKS(fchdir(fd));
	WORKS(rmdir("../dir"));
	FAILS(ENOENT, open("new", O_CREAT | O_RDWR, 0644));
	FAILS(ENOENT, mkdir("new", 0755));
	FAILS(ENOENT, mkdirat(fd, "new", 0755));
	FAILS(ENOENT, symlink("x", "new"));
	FAILS(ENOENT, open("gone", O_RDONLY));
	IS(getcwd(path, sizeof(path)) == NULL && errno == ENOENT);
	IS(at(".").st_nlink == 0);
	WORKS(fchmod(fd, 0700));
	file = open("..", O_RDONLY);
	WORKS(file);
	FAILS(ENOENT, linkat(file, "x", fd, "y", 0));
	dir = fdopendir(fd);
	IS(dir && !readdir(dir));
	closedir(dir);
	close(file);
}

static void dots(void)
{
	WORKS(mkdir("a", 0755));
	WORKS(mkdir("a/b", 0755));
	IS(at("a/b/..").st_ino == at("a").st_ino);
	IS(at("a/.").st_ino == at("a").st_ino);
	IS(at("a/b/../../a/b").st_ino == at("a/b").st_ino);
	FAILS(EINVAL, rmdir("a/b/."));
	FAILS(EBUSY, rename("a/b/.", "c"));
	WORKS(chdir("a/b"));
	WORKS(rename("../b", "../../c"));
	IS(at("../c").st_ino == at(".").st_ino);
	WORKS(rename("../c", "../a/c"));
	IS(at("../c").st_ino == at(".").st_ino);
	IS(at("../../a").st_ino == at("..").st_ino);
}

/* The events since the last call, as "mask:name " each. */
static const char *events(int fd)
{
	static char text[2000];
	char data[8192] __attribute__((aligned(8)));
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	ssize_t got, i;

	text[0] = '\0';
	while (poll(&wait, 1, 50) == 1) {
		got = read(fd, data, sizeof(data));
		for (i = 0; i < got;) {
			struct inotify_event *event = (void *)(data + i);
			size_t used = strlen(text);

			snprintf(text + used, sizeof(text) - used, "%x:%s ",
				 event->mask, event->len ? event->name : "");
			i += (ssize_t)(sizeof(*event) + event->len);
		}
	}
	return text;
}

static void watched(void)
{
	int fd = inotify_init1(IN_NONBLOCK);
	int watch = inotify_add_watch(fd, ".", IN_ALL_EVENTS & ~IN_ACCESS);
	int file;

	WORKS(watch);
	file = open("f", O_CREAT | O_RDWR, 0644);
	IS(!strcmp(events(fd), "100:f 20:f "));
	IS(write(file, "x", 1) == 1);
	IS(!strcmp(events(fd), "2:f "));
	WORKS(fchmod(file, 0600));
	IS(!strcmp(events(fd), "4:f "));
	close(file);
	IS(!strcmp(events(fd), "8:f "));
	WORKS(rename("f", "g"));
	IS(!strcmp(events(fd), "40:f 80:g "));
	WORKS(mkdir("d", 0755));
	WORKS(rmdir("d"));
	IS(!strcmp(events(fd), "40000100:d 40000200:d "));
	WORKS(truncate("g", 5));
	IS(!strcmp(events(fd), "2:g "));
	WORKS(unlink("g"));
	IS(!strcmp(events(fd), "200:g "));
	WORKS(mkdir("self", 0755));
	(void)events(fd);
	watch = inotify_add_watch(fd, "self", IN_DELETE_SELF);
	WORKS(watch);
	WORKS(rmdir("self"));
	IS(strstr(events(fd), "400:"));
	close(fd);
}

static void watched_files_end(void)
{
	int fd = inotify_init1(IN_NONBLOCK);

	touch("f", 0644);
	WORKS(inotify_add_watch(fd, "f", IN_DELETE_SELF | IN_ATTRIB));
	WORKS(unlink("f"));
	IS(strstr(events(fd), "400:"));
	touch("f", 0644);
	touch("g", 0644);
	WORKS(inotify_add_watch(fd, "f", IN_DELETE_SELF));
	WORKS(rename("g", "f"));
	IS(strstr(events(fd), "400:"));
	close(fd);
}

static void space(void)
{
	struct statvfs vfs;

	WORKS(statvfs(".", &vfs));
	IS(vfs.f_namemax == 255 && vfs.f_bsize >= 512);
	IS(vfs.f_bfree <= vfs.f_blocks && vfs.f_bavail <= vfs.f_bfree);
	IS(pathconf(".", _PC_NAME_MAX) == 255);
	IS(pathconf(".", _PC_PATH_MAX) == 4096);
}

const struct check posix_directory_checks[] = {
	{ "listing", listing },
	{ "seeking", seeking },
	{ "listing while it changes", listing_while_it_changes },
	{ "removing while listing", removing_while_listing },
	{ "removed directory", removed_directory },
	{ "dots", dots },
	{ "watched", watched },
	{ "watched files end", watched_files_end },
	{ "space", space },
	{ 0 },
};

/* Rows of tree_places: looking up, opening, reading, locks. */
#include "tree_places.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

static int lookup(void)
{
	struct stat st;

	TRY(lstat("file", &st));
	CHECK(S_ISREG(st.st_mode) && st.st_size == KIT_BYTES);
	CHECK(st.st_ino == stat_of("hard").st_ino && st.st_nlink == 2);
	CHECK(st.st_blksize > 0 && st.st_blocks > 0);
	CHECK(st.st_mtim.tv_sec == KIT_TIME);
	CHECK(st.st_mtim.tv_nsec == 123456789);
	CHECK(S_ISFIFO(stat_of("fifo").st_mode));
	CHECK(S_ISSOCK(stat_of("socket").st_mode));
	CHECK(S_ISCHR(stat_of("null").st_mode));
	CHECK(stat_of("null").st_rdev == 0x103);
	CHECK(stat_of("bits").st_mode == (S_IFDIR | 01777));
	CHECK(stat_of("other").st_mode == (S_IFREG | 04755));
	CHECK(stat_of("link").st_size == 4);
	return 0;
}

static int lookup_missing(void)
{
	struct stat st;

	TRY(lstat("nothing", &st));
	return 0;
}

static int lookup_beneath_file(void)
{
	struct stat st;

	TRY(lstat("file/below", &st));
	return 0;
}

static int lookup_loop(void)
{
	struct stat st;

	TRY(stat("loop", &st));
	return 0;
}

static int lookup_long(void)
{
	char name[300];
	struct stat st;

	memset(name, 'n', 256);
	name[255] = '\0';
	CHECK(lstat(name, &st) < 0 && errno == ENOENT);
	name[255] = 'n';
	name[256] = '\0';
	TRY(lstat(name, &st));
	return 0;
}

static int lookup_through_link(void)
{
	struct stat st;

	TRY(stat("todir/deep/er/../file", &st));
	CHECK(text_is("todir/deep/file", "five"));
	return 0;
}

static int access_read(void)
{
	TRY(access("file", R_OK));
	TRY(access("run", X_OK));
	CHECK(access("file", X_OK) < 0 && errno == EACCES);
	return 0;
}

static int access_write(void)
{
	TRY(access("file", W_OK));
	return 0;
}

static int access_other(void)
{
	become_other();
	CHECK(access("file", R_OK) == 0);
	TRY(access("secret", R_OK));
	return 0;
}

static int open_other(void)
{
	become_other();
	TRY(open("secret", O_RDONLY));
	return 0;
}

static int open_other_writes(void)
{
	become_other();
	TRY(open("file", O_WRONLY));
	return 0;
}

static int open_read(void)
{
	char data[4];
	int fd = open("file", O_RDONLY);

	TRY(fd);
	CHECK(write(fd, "x", 1) < 0 && errno == EBADF);
	CHECK(pread(fd, data, 4, KIT_BYTES) == 0);
	CHECK(pread(fd, data, 4, KIT_BYTES - 2) == 2);
	CHECK(pread(fd, data, 4, -1) < 0 && errno == EINVAL);
	CHECK(kit_is("file") && kit_is("hard") && kit_is("link"));
	return 0;
}

static int open_write(void)
{
	char byte;
	int fd = open("file", O_WRONLY);

	TRY(fd);
	CHECK(read(fd, &byte, 1) < 0 && errno == EBADF);
	return 0;
}

static int open_both_ways(void)
{
	TRY(open("file", O_RDWR));
	return 0;
}

static int open_append(void)
{
	int fd = open("file", O_WRONLY | O_APPEND);

	TRY(fd);
	TRY(pwrite(fd, "end", 3, 0));
	CHECK(stat_of("file").st_size == KIT_BYTES + 3);
	return 0;
}

static int open_truncate(void)
{
	int fd = open("file", O_WRONLY | O_TRUNC);

	TRY(fd);
	CHECK(stat_of("hard").st_size == 0);
	TRY(write(fd, "short", 5));
	close(fd);
	CHECK(text_is("hard", "short"));
	return 0;
}

static int open_sync(void)
{
	int fd = open("file", O_WRONLY | O_SYNC);

	TRY(fd);
	TRY(write(fd, "s", 1));
	return 0;
}

static int open_directory(void)
{
	int fd = open("full", O_RDONLY | O_DIRECTORY);

	TRY(fd);
	CHECK(openat(fd, "file", O_RDONLY) >= 0);
	return 0;
}

static int open_file_as_directory(void)
{
	TRY(open("file", O_RDONLY | O_DIRECTORY));
	return 0;
}

static int open_directory_writing(void)
{
	TRY(open("full", O_RDWR));
	return 0;
}

static int open_link_itself(void)
{
	TRY(open("link", O_RDONLY | O_NOFOLLOW));
	return 0;
}

static int open_path(void)
{
	struct stat st;
	int fd = open("link", O_PATH | O_NOFOLLOW);

	TRY(fd);
	CHECK(fstat(fd, &st) == 0 && S_ISLNK(st.st_mode));
	return 0;
}

static int open_fifo_writing(void)
{
	TRY(open("fifo", O_WRONLY | O_NONBLOCK));
	return 0;
}

static int open_socket(void)
{
	TRY(open("socket", O_RDONLY));
	return 0;
}

static int open_device(void)
{
	char byte;
	int fd = open("null", O_RDONLY);

	TRY(fd);
	CHECK(read(fd, &byte, 1) == 0);
	return 0;
}

static int open_direct(void)
{
	unsigned char *data = aligned_alloc(4096, 4096);
	int fd = open("file", O_RDONLY | O_DIRECT);

	TRY(fd);
	CHECK(data && pread(fd, data, 4096, 4096) == 4096);
	CHECK(data[0] == kit_byte(4096) && data[999] == kit_byte(5095));
	free(data);
	return 0;
}

static int fifo_carries(void)
{
	char data[8] = "";
	int in = open("fifo", O_RDONLY | O_NONBLOCK);
	int out = open("fifo", O_WRONLY | O_NONBLOCK);

	TRY(in);
	TRY(out);
	CHECK(write(out, "through", 7) == 7);
	CHECK(read(in, data, 7) == 7 && !strcmp(data, "through"));
	return 0;
}

static int execute(void)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		execl("./run", "run", NULL);
		_exit(errno);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status) == 7 ? 0 : WEXITSTATUS(status);
}

static int read_directory(void)
{
	int fd = open("full", O_RDONLY);
	char byte;

	TRY(fd);
	TRY(read(fd, &byte, 1));
	return 0;
}

static int list(void)
{
	DIR *dir = opendir(".");
	struct dirent *found;
	int count = 0;
	ino_t parent = stat_of("..").st_ino;

	CHECK(dir);
	while ((found = readdir(dir))) {
		struct stat st = stat_of(found->d_name);

		count++;
		CHECK(st.st_mode != 0);
		CHECK((mode_t)DTTOIF(found->d_type) == (st.st_mode & S_IFMT));
		CHECK(found->d_ino == st.st_ino ||
		      !strcmp(found->d_name, ".."));
		CHECK(strcmp(found->d_name, "..") != 0 ||
		      found->d_ino == parent);
	}
	CHECK(count == 18);
	rewinddir(dir);
	while (readdir(dir))
		count--;
	CHECK(count == 0);
	closedir(dir);
	return 0;
}

static int list_and_seek(void)
{
	DIR *dir = opendir(".");
	char after[256];
	struct dirent *found;
	long place = 0;
	int i;

	CHECK(dir);
	for (i = 0; i < 7; i++)
		CHECK(readdir(dir));
	place = telldir(dir);
	found = readdir(dir);
	CHECK(found);
	snprintf(after, sizeof(after), "%s", found->d_name);
	while (readdir(dir))
		;
	seekdir(dir, place);
	found = readdir(dir);
	CHECK(found && !strcmp(found->d_name, after));
	closedir(dir);
	return 0;
}

static int map_read(void)
{
	int fd = open("file", O_RDONLY);
	unsigned char *map =
		mmap(NULL, KIT_BYTES, PROT_READ, MAP_SHARED, fd, 0);

	TRY(fd);
	CHECK(map != MAP_FAILED);
	CHECK(map[0] == kit_byte(0) && map[5050] == kit_byte(5050));
	CHECK(map[KIT_BYTES - 1] == kit_byte(KIT_BYTES - 1));
	return 0;
}

static int sync_file(void)
{
	int fd = open("file", O_RDONLY);

	TRY(fd);
	TRY(fsync(fd));
	TRY(fdatasync(fd));
	return 0;
}

static int sync_directory(void)
{
	int fd = open("full", O_RDONLY);

	TRY(fd);
	TRY(fsync(fd));
	return 0;
}

static int fields_of_statfs(void)
{
	struct statvfs st;

	TRY(statvfs("file", &st));
	CHECK(st.f_bsize > 0 && st.f_frsize > 0 && st.f_blocks > 0);
	CHECK(st.f_bfree <= st.f_blocks && st.f_bavail <= st.f_bfree);
	CHECK(st.f_bavail > 0 && st.f_namemax == 255);
	CHECK(st.f_files > 0 && st.f_ffree > 0);
	return 0;
}

/* The lock of one process keeps another one out. */
static int locks(void)
{
	struct flock lock = { .l_type = F_RDLCK, .l_len = 10 };
	int fd = open("file", O_RDONLY);
	int status = 0;
	pid_t pid;

	TRY(fd);
	TRY(fcntl(fd, F_SETLK, &lock));
	TRY(flock(fd, LOCK_EX | LOCK_NB));
	pid = fork();
	if (pid == 0) {
		int mine = open("file", O_RDONLY);

		lock.l_type = F_WRLCK;
		_exit(flock(mine, LOCK_SH | LOCK_NB) < 0 &&
				      errno == EWOULDBLOCK &&
				      fcntl(mine, F_GETLK, &lock) == 0 &&
				      lock.l_type == F_RDLCK ?
			      0 :
			      1);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
	return 0;
}

static int open_by_handle(void)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} one = { .handle = { .handle_bytes = MAX_HANDLE_SZ } };
	int mount_id = 0;
	int root = open(".", O_RDONLY | O_DIRECTORY);
	struct stat st;
	int fd;

	TRY(name_to_handle_at(AT_FDCWD, "full/file", &one.handle, &mount_id,
			      0));
	fd = open_by_handle_at(root, &one.handle, O_RDONLY);
	TRY(fd);
	CHECK(fstat(fd, &st) == 0 && st.st_ino == stat_of("full/file").st_ino);
	return 0;
}

const struct row places_open_rows[] = {
	{ "look up", lookup, READS(0) },
	{ "look up what is missing", lookup_missing, READS(ENOENT) },
	{ "look up beneath a file", lookup_beneath_file, READS(ENOTDIR) },
	{ "look up in a loop", lookup_loop, READS(ELOOP) },
	{ "look up a long name", lookup_long, READS(ENAMETOOLONG) },
	{ "look up through a link", lookup_through_link, READS(0) },
	{ "access", access_read, READS(0) },
	/* A snapshot is part of a mount that can be written to. */
	{ "access W_OK", access_write, { 0, 0, 0, ANY_RESULT } },
	{ "access of another user", access_other, READS(EACCES) },
	{ "open by another user", open_other, READS(EACCES) },
	{ "open for writing by another user", open_other_writes,
	  WRITES(EACCES) },
	{ "open O_RDONLY", open_read, READS(0) },
	{ "open O_WRONLY", open_write, WRITES(0) },
	{ "open O_RDWR", open_both_ways, WRITES(0) },
	{ "open O_APPEND", open_append, WRITES(0) },
	{ "open O_TRUNC", open_truncate, WRITES(0) },
	{ "open O_SYNC", open_sync, WRITES(0) },
	{ "open O_DIRECTORY", open_directory, READS(0) },
	{ "open O_DIRECTORY of a file", open_file_as_directory,
	  READS(ENOTDIR) },
	{ "open O_RDWR of a directory", open_directory_writing,
	  WRITES(EISDIR) },
	{ "open O_NOFOLLOW of a link", open_link_itself, READS(ELOOP) },
	{ "open O_PATH of a link", open_path, READS(0) },
	{ "open a fifo without a reader", open_fifo_writing, READS(ENXIO) },
	{ "open a socket", open_socket, READS(ENXIO) },
	{ "open a device", open_device, READS(0) },
	{ "open O_DIRECT", open_direct, READS(0) },
	{ "fifo", fifo_carries, READS(0) },
	{ "execute", execute, READS(0) },
	{ "read a directory as a file", read_directory, READS(EISDIR) },
	{ "readdir", list, READS(0) },
	{ "readdir and seek", list_and_seek, READS(0) },
	{ "mmap for reading", map_read, READS(0) },
	{ "fsync", sync_file, READS(0) },
	{ "fsync of a directory", sync_directory, READS(0) },
	{ "statfs", fields_of_statfs, READS(0) },
	{ "locks", locks, READS(0) },
	{ "open by handle", open_by_handle, READS(0) },
	{ .name = NULL },
};

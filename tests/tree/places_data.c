/* Rows of tree_places: writing in all ways. */
#include "tree_places.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* The kit's content, but for a range of one byte; size 0: the kit's. */
static bool differs_only(const char *name, size_t begin, size_t end,
			 unsigned char byte, size_t size)
{
	static unsigned char data[1 << 17];
	int fd = open(name, O_RDONLY);
	ssize_t got = fd < 0 ? -1 : read(fd, data, sizeof(data));
	ssize_t i;

	if (fd >= 0)
		close(fd);
	if (got != (ssize_t)(size ? size : KIT_BYTES))
		return false;
	for (i = 0; i < got; i++) {
		size_t at = (size_t)i;
		unsigned char want = at >= begin && at < end ? byte :
				     at < KIT_BYTES	     ? kit_byte(at) :
							       0;

		if (data[i] != want)
			return false;
	}
	return true;
}

static int write_one(void)
{
	int fd = open("file", O_WRONLY);

	TRY(fd);
	CHECK(pwrite(fd, "!", 1, 4095) == 1);
	CHECK(differs_only("hard", 4095, 4096, '!', 0));
	CHECK(fsync(fd) == 0 && differs_only("hard", 4095, 4096, '!', 0));
	CHECK(stat_of("file").st_mtim.tv_sec > KIT_TIME);
	return 0;
}

static int write_beyond(void)
{
	int fd = open("file", O_WRONLY);

	TRY(fd);
	CHECK(pwrite(fd, "!", 1, 99999) == 1);
	CHECK(differs_only("file", 99999, 100000, '!', 100000));
	return 0;
}

static int write_all_over(void)
{
	char data[KIT_BYTES];
	int fd = open("file", O_WRONLY);

	memset(data, '#', sizeof(data));
	TRY(fd);
	CHECK(write(fd, data, sizeof(data)) == sizeof(data));
	CHECK(differs_only("file", 0, KIT_BYTES, '#', 0));
	return 0;
}

static int write_many_handles(void)
{
	int one = open("file", O_WRONLY);
	int two = open("hard", O_RDWR);
	int three;
	char byte = 0;

	TRY(one);
	TRY(two);
	three = dup(one);
	CHECK(pwrite(one, "1", 1, 100) == 1);
	CHECK(pread(two, &byte, 1, 100) == 1 && byte == '1');
	CHECK(close(one) == 0 && pwrite(three, "3", 1, 100) == 1);
	CHECK(close(three) == 0);
	CHECK(pread(two, &byte, 1, 100) == 1 && byte == '3');
	CHECK(close(two) == 0 && differs_only("file", 100, 101, '3', 0));
	return 0;
}

static int write_moved(void)
{
	int fd = open("file", O_WRONLY);

	TRY(fd);
	TRY(rename("file", "full/moved"));
	CHECK(pwrite(fd, "m", 1, 1) == 1 && close(fd) == 0);
	CHECK(differs_only("full/moved", 1, 2, 'm', 0));
	CHECK(differs_only("hard", 1, 2, 'm', 0));
	return 0;
}

static int write_direct(void)
{
	static unsigned char page[4096] __attribute__((aligned(4096)));
	int fd = open("file", O_WRONLY | O_DIRECT);

	memset(page, '%', sizeof(page));
	TRY(fd);
	CHECK(pwrite(fd, page, sizeof(page), 4096) == sizeof(page));
	CHECK(differs_only("file", 4096, 8192, '%', 0));
	return 0;
}

static int truncate_down(void)
{
	TRY(truncate("file", 5050));
	CHECK(stat_of("hard").st_size == 5050);
	TRY(truncate("file", KIT_BYTES));
	CHECK(differs_only("hard", 5050, KIT_BYTES, 0, 0));
	return 0;
}

static int truncate_up(void)
{
	int fd = open("file", O_RDWR);

	TRY(fd);
	TRY(ftruncate(fd, 123456));
	CHECK(differs_only("file", KIT_BYTES, 123456, 0, 123456));
	return 0;
}

static int truncate_to_nothing(void)
{
	TRY(truncate("file", 0));
	CHECK(stat_of("file").st_size == 0 && stat_of("file").st_blocks == 0);
	CHECK(stat_of("file").st_mtim.tv_sec > KIT_TIME);
	CHECK(truncate("file", KIT_BYTES) == 0);
	CHECK(differs_only("file", 0, KIT_BYTES, 0, 0));
	return 0;
}

static int truncate_negative(void)
{
	TRY(truncate("file", -1));
	return 0;
}

static int truncate_directory(void)
{
	TRY(truncate("full", 0));
	return 0;
}

static int map_write(void)
{
	int fd = open("file", O_RDWR);
	int other = open("file", O_RDONLY);
	unsigned char *map;
	unsigned char byte = 0;

	TRY(fd);
	map = mmap(NULL, KIT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED && map[9000] == kit_byte(9000));
	map[9000] = 'M';
	CHECK(msync(map, KIT_BYTES, MS_SYNC) == 0);
	CHECK(pread(other, &byte, 1, 9000) == 1 && byte == 'M');
	CHECK(munmap(map, KIT_BYTES) == 0);
	CHECK(differs_only("hard", 9000, 9001, 'M', 0));
	CHECK(stat_of("file").st_mtim.tv_sec > KIT_TIME);
	return 0;
}

/* A mapping from before the first write sees it. */
static int map_sees_write(void)
{
	int reader = open("file", O_RDONLY);
	unsigned char *map =
		mmap(NULL, KIT_BYTES, PROT_READ, MAP_SHARED, reader, 0);
	unsigned char *own = mmap(NULL, KIT_BYTES, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE, reader, 0);
	int fd;

	CHECK(map != MAP_FAILED && map[10] == kit_byte(10));
	CHECK(own != MAP_FAILED);
	own[20] = 'p';
	fd = open("file", O_WRONLY);
	TRY(fd);
	CHECK(pwrite(fd, "w", 1, 10) == 1);
	CHECK(map[10] == 'w' && map[20] == kit_byte(20));
	CHECK(differs_only("file", 10, 11, 'w', 0));
	return 0;
}

static int allocate(void)
{
	int fd = open("file", O_WRONLY);

	TRY(fd);
	TRY(fallocate(fd, 0, 0, 50000));
	CHECK(differs_only("file", KIT_BYTES, 50000, 0, 50000));
	TRY(fallocate(fd, FALLOC_FL_KEEP_SIZE, 50000, 50000));
	CHECK(stat_of("file").st_size == 50000);
	return 0;
}

static int punch(void)
{
	int fd = open("file", O_WRONLY);

	TRY(fd);
	TRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 3000,
		      6000));
	CHECK(differs_only("hard", 3000, 9000, 0, 0));
	return 0;
}

static int zero_range(void)
{
	int fd = open("file", O_WRONLY);

	TRY(fd);
	TRY(fallocate(fd, FALLOC_FL_ZERO_RANGE, 8000, 12000));
	CHECK(differs_only("file", 8000, 20000, 0, 20000));
	return 0;
}

static int seek(void)
{
	int fd = open("file", O_RDONLY);

	TRY(fd);
	CHECK(lseek(fd, 0, SEEK_DATA) == 0);
	CHECK(lseek(fd, 0, SEEK_HOLE) == KIT_BYTES);
	CHECK(lseek(fd, 0, SEEK_END) == KIT_BYTES);
	TRY((int)lseek(fd, KIT_BYTES, SEEK_DATA));
	return 0;
}

static int copy_range(void)
{
	int in = open("file", O_RDONLY);
	int out;
	off_t from = 0;
	size_t done = 0;

	CHECK(in >= 0);
	out = open("copy", O_WRONLY | O_CREAT, 0644);
	TRY(out);
	while (done < KIT_BYTES) {
		ssize_t got = copy_file_range(in, &from, out, NULL,
					      KIT_BYTES - done, 0);

		TRY(got);
		CHECK(got > 0);
		done += (size_t)got;
	}
	CHECK(kit_is("copy") && kit_is("file"));
	CHECK(pwrite(out, "c", 1, 0) == 1);
	CHECK(differs_only("copy", 0, 1, 'c', 0) && kit_is("file"));
	return 0;
}

static int send_file(void)
{
	int in = open("file", O_RDONLY);
	int out = open("full/copy", O_WRONLY | O_CREAT, 0644);

	TRY(out);
	CHECK(sendfile(out, in, NULL, KIT_BYTES) == KIT_BYTES);
	CHECK(kit_is("full/copy"));
	return 0;
}

static int append_from_two(void)
{
	int one = open("file", O_WRONLY | O_APPEND);
	int two = open("hard", O_WRONLY | O_APPEND);

	TRY(one);
	TRY(two);
	CHECK(write(one, "==", 2) == 2 && write(two, "==", 2) == 2);
	CHECK(write(one, "==", 2) == 2);
	CHECK(differs_only("file", KIT_BYTES, KIT_BYTES + 6, '=',
			   KIT_BYTES + 6));
	return 0;
}

static int unknown_ioctl(void)
{
	int fd = open("file", O_RDONLY);

	TRY(fd);
	TRY(ioctl(fd, _IO('~', 250), 0));
	return 0;
}

static int sync_all(void)
{
	int fd = open("file", O_RDWR);

	TRY(fd);
	CHECK(write(fd, "s", 1) == 1 && fdatasync(fd) == 0);
	CHECK(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE) == 0);
	CHECK(syncfs(fd) == 0 && differs_only("file", 0, 1, 's', 0));
	return 0;
}

const struct row places_data_rows[] = {
	{ "write a byte", write_one, WRITES(0) },
	{ "write beyond the end", write_beyond, WRITES(0) },
	{ "write all of it", write_all_over, WRITES(0) },
	{ "write by many handles", write_many_handles, WRITES(0) },
	{ "write after rename", write_moved, WRITES(0) },
	{ "write O_DIRECT", write_direct, WRITES(0) },
	{ "truncate down and up", truncate_down, WRITES(0) },
	{ "ftruncate up", truncate_up, WRITES(0) },
	{ "truncate to nothing", truncate_to_nothing, WRITES(0) },
	{ "truncate to less than nothing", truncate_negative, READS(EINVAL) },
	{ "truncate a directory", truncate_directory, WRITES(EISDIR) },
	{ "mmap for writing", map_write, WRITES(0) },
	{ "mmap sees the first write", map_sees_write, WRITES(0) },
	{ "fallocate", allocate, WRITES(0) },
	{ "punch a hole", punch, WRITES(0) },
	{ "zero a range", zero_range, WRITES(0) },
	{ "seek data and holes", seek, READS(ENXIO) },
	{ "copy_file_range", copy_range, WRITES(0) },
	{ "sendfile", send_file, WRITES(0) },
	{ "append by two handles", append_from_two, WRITES(0) },
	{ "an unknown ioctl", unknown_ioctl, READS(ENOTTY) },
	{ "sync", sync_all, WRITES(0) },
	{ .name = NULL },
};

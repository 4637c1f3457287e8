/* tree_posix: bytes of files: append, holes, allocation, limits. */
#include "tree_posix.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { K = 1024, M = 1024 * 1024 };

static bool all_are(int fd, off_t from, off_t to, char byte)
{
	char data[4 * K];

	while (from < to) {
		size_t want = sizeof(data);
		ssize_t i, got;

		if ((off_t)want > to - from)
			want = (size_t)(to - from);
		got = pread(fd, data, want, from);
		if (got <= 0)
			return false;
		for (i = 0; i < got; i++)
			if (data[i] != byte)
				return false;
		from += got;
	}
	return true;
}

static bool fill(int fd, off_t from, off_t to, char byte)
{
	size_t bytes = (size_t)(to - from);
	char *data = malloc(bytes);
	bool done;

	memset(data, byte, bytes);
	done = pwrite(fd, data, bytes, from) == (ssize_t)bytes;
	free(data);
	return done;
}

static off_t size_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? -1 : st.st_size;
}

static blkcnt_t blocks_of(int fd)
{
	struct stat st;

	fsync(fd);
	return fstat(fd, &st) ? -1 : st.st_blocks;
}

enum { WRITERS = 4, LINES = 500, LINE_BYTES = 100 };

static void append_lines(char letter)
{
	int fd = open("file", O_WRONLY | O_APPEND);
	char line[LINE_BYTES];
	int i;

	memset(line, letter, sizeof(line));
	line[LINE_BYTES - 1] = '\n';
	for (i = 0; i < LINES; i++)
		if (write(fd, line, sizeof(line)) != LINE_BYTES)
			_exit(1);
	_exit(0);
}

static void append_is_atomic(void)
{
	char *data = malloc(WRITERS * LINES * LINE_BYTES);
	int i, j, status;
	int fd = make("file", 0644, "");

	for (i = 0; i < WRITERS; i++)
		if (fork() == 0)
			append_lines((char)('a' + i));
	for (i = 0; i < WRITERS; i++)
		IS(wait(&status) > 0 && status == 0);
	IS(size_of(fd) == WRITERS * LINES * LINE_BYTES);
	IS(read(fd, data, WRITERS * LINES * LINE_BYTES) ==
	   WRITERS * LINES * LINE_BYTES);
	for (i = 0; i < WRITERS * LINES; i++)
		for (j = 1; j < LINE_BYTES - 1; j++)
			if (data[i * LINE_BYTES + j] != data[i * LINE_BYTES]) {
				IS(!"a line is one writer's");
				i = WRITERS * LINES;
				break;
			}
	free(data);
	close(fd);
}

static void append(void)
{
	int fd = make("file", 0644, "text");
	int more = open("file", O_WRONLY | O_APPEND);
	int flags;

	IS(pwrite(more, "x", 1, 0) == 1); /* as Linux does: at the end */
	IS(holds("file", "textx"));
	WORKS(ftruncate(fd, 2));
	IS(write(more, "y", 1) == 1 && holds("file", "tey"));
	IS(lseek(more, 0, SEEK_CUR) == 3);
	flags = fcntl(fd, F_GETFL);
	WORKS(fcntl(fd, F_SETFL, flags | O_APPEND));
	IS(lseek(fd, 0, SEEK_SET) == 0 && write(fd, "z", 1) == 1);
	IS(holds("file", "teyz"));
	WORKS(ftruncate(more, 1));
	IS(holds("file", "t"));
	close(fd);
	close(more);
}

static void holes(void)
{
	int fd = make("file", 0644, "");

	IS(fill(fd, M, M + 64 * K, 'a'));
	IS(size_of(fd) == M + 64 * K && all_are(fd, 0, M, '\0'));
	WORKS(ftruncate(fd, 4 * M));
	WORKS(fsync(fd));
	IS(lseek(fd, 0, SEEK_DATA) == M);
	IS(lseek(fd, M + 5, SEEK_DATA) == M + 5);
	IS(lseek(fd, M, SEEK_HOLE) == M + 64 * K);
	IS(lseek(fd, 0, SEEK_HOLE) == 0);
	FAILS(ENXIO, lseek(fd, 2 * M, SEEK_DATA));
	IS(lseek(fd, 3 * M, SEEK_HOLE) == 3 * M);
	FAILS(ENXIO, lseek(fd, 4 * M, SEEK_HOLE));
	FAILS(ENXIO, lseek(fd, 4 * M, SEEK_DATA));
	FAILS(ENXIO, lseek(fd, -1, SEEK_DATA));
	IS(lseek(fd, 0, SEEK_END) == 4 * M);
	IS(blocks_of(fd) < 1024);
	WORKS(ftruncate(fd, M + 10));
	WORKS(ftruncate(fd, 2 * M));
	IS(all_are(fd, M, M + 10, 'a') && all_are(fd, M + 10, 2 * M, '\0'));
	close(fd);
}

static void seek_sees_unwritten_pages(void)
{
	int fd = make("file", 0644, "");

	WORKS(ftruncate(fd, 4 * M));
	IS(fill(fd, 2 * M, 2 * M + 4 * K, 'a'));
	IS(lseek(fd, 0, SEEK_DATA) == 2 * M);
	IS(lseek(fd, 2 * M, SEEK_HOLE) == 2 * M + 4 * K);
	IS(fill(fd, 5 * M, 5 * M + 1, 'b'));
	IS(lseek(fd, 3 * M, SEEK_DATA) == 5 * M);
	IS(lseek(fd, 5 * M, SEEK_HOLE) == 5 * M + 1);
	close(fd);
}

static void allocation(void)
{
	const int keep = FALLOC_FL_KEEP_SIZE;
	int fd = make("file", 0644, "");

	WORKS(fallocate(fd, 0, 0, M));
	IS(size_of(fd) == M && all_are(fd, 0, M, '\0'));
	WORKS(fallocate(fd, keep, 0, 2 * M));
	IS(size_of(fd) == M);
	IS(fill(fd, 0, M, 'a'));
	WORKS(fallocate(fd, FALLOC_FL_PUNCH_HOLE | keep, 100 * K + 1, 9 * K));
	IS(all_are(fd, 0, 100 * K + 1, 'a'));
	IS(all_are(fd, 100 * K + 1, 109 * K + 1, '\0'));
	IS(all_are(fd, 109 * K + 1, M, 'a'));
	WORKS(fallocate(fd, FALLOC_FL_PUNCH_HOLE | keep, M - 10, M));
	IS(size_of(fd) == M && all_are(fd, M - 10, M, '\0'));
	WORKS(fallocate(fd, FALLOC_FL_ZERO_RANGE, 200 * K + 3, 20 * K));
	IS(all_are(fd, 200 * K + 3, 220 * K + 3, '\0'));
	IS(all_are(fd, 220 * K + 3, 300 * K, 'a'));
	WORKS(fallocate(fd, FALLOC_FL_ZERO_RANGE | keep, M, M));
	IS(size_of(fd) == M);
	WORKS(fallocate(fd, FALLOC_FL_ZERO_RANGE, M - 5, K));
	IS(size_of(fd) == M - 5 + K);
	FAILS(EINVAL, fallocate(fd, 0, 0, 0));
	FAILS(EINVAL, fallocate(fd, 0, -1, 5));
	FAILS(EOPNOTSUPP, fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 5));
	FAILS(EFBIG, fallocate(fd, 0, 0x7fffffffffffffff, 1));
	close(fd);
	fd = open("file", O_RDONLY);
	FAILS(EBADF, fallocate(fd, 0, 0, 5));
	close(fd);
	fd = open(".", O_RDONLY);
	FAILS(EBADF, fallocate(fd, 0, 0, 5));
	close(fd);
}

static void shifts(void)
{
	int fd = make("file", 0644, "");

	IS(fill(fd, 0, 64 * K, 'a') && fill(fd, 64 * K, 128 * K, 'b'));
	if (fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, 64 * K) < 0) {
		IS(errno == EOPNOTSUPP);
		not_here("no collapse");
	} else {
		IS(size_of(fd) == 64 * K && all_are(fd, 0, 64 * K, 'b'));
		WORKS(fallocate(fd, FALLOC_FL_INSERT_RANGE, 0, 64 * K));
		IS(size_of(fd) == 128 * K && all_are(fd, 0, 64 * K, '\0'));
		IS(all_are(fd, 64 * K, 128 * K, 'b'));
	}
	close(fd);
}

/* A last byte far out: EFBIG, or it is there, and only that is stored. */
static bool ends_at(int fd, off_t last)
{
	char byte = 0;

	if (pwrite(fd, "x", 1, last) < 0)
		return errno == EFBIG;
	IS(fsync(fd) == 0 && size_of(fd) == last + 1);
	IS(pread(fd, &byte, 1, last) == 1 && byte == 'x');
	IS(lseek(fd, 0, SEEK_DATA) > last - M && blocks_of(fd) < 256);
	IS(pread(fd, &byte, 1, last / 2) == 1 && byte == '\0');
	WORKS(ftruncate(fd, 0));
	return true;
}

static void too_big(void)
{
	struct rlimit limit = { 100 * K, 100 * K };
	int fd = make("file", 0644, "");

	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &limit);
	FAILS(EFBIG, ftruncate(fd, 100 * K + 1));
	FAILS(EFBIG, truncate("file", 100 * K + 1));
	FAILS(EFBIG, pwrite(fd, "x", 1, 100 * K));
	IS(pwrite(fd, "xyz", 3, 100 * K - 2) == 2);
	FAILS(EFBIG, fallocate(fd, 0, 0, 100 * K + 1));
	WORKS(ftruncate(fd, 100 * K));
	IS(size_of(fd) == 100 * K);
	close(fd);
}

static void far_out(void)
{
	int fd = make("file", 0644, "");
	int shift;

	for (shift = 31; shift < 62; shift++) {
		IS(ends_at(fd, (INT64_C(1) << shift) - 1));
		IS(ends_at(fd, INT64_C(1) << shift));
	}
	close(fd);
}

static void vectors(void)
{
	char a[4] = "", b[7] = "";
	struct iovec out[2] = { { (char *)"abc", 3 }, { (char *)"defghi", 6 } };
	struct iovec in[2] = { { a, 3 }, { b, 6 } };
	int fd = make("file", 0644, "");

	IS(pwritev(fd, out, 2, 4000) == 9 && size_of(fd) == 4009);
	IS(preadv(fd, in, 2, 4000) == 9);
	IS(!strcmp(a, "abc") && !strcmp(b, "defghi"));
	IS(preadv(fd, in, 2, 4008) == 1 && preadv(fd, in, 2, 5000) == 0);
	FAILS(EINVAL, preadv(fd, in, 2, -5));
	IS(pwritev2(fd, out, 1, -1, RWF_APPEND) == 3 && size_of(fd) == 4012);
	IS(pwritev2(fd, out, 1, 0, RWF_DSYNC) == 3);
	close(fd);
}

static void between_files(void)
{
	int from = make("from", 0644, "");
	int to = make("to", 0644, "");
	int fds[2];
	off_t at_from, at_to;

	IS(fill(from, 0, M, 'a'));
	at_from = 5;
	at_to = 4097;
	IS(copy_file_range(from, &at_from, to, &at_to, 200 * K, 0) == 200 * K);
	IS(at_from == 5 + 200 * K && at_to == 4097 + 200 * K);
	IS(size_of(to) == at_to && all_are(to, 0, 4097, '\0') &&
	   all_are(to, 4097, at_to, 'a'));
	at_from = M - 10;
	IS(copy_file_range(from, &at_from, to, &at_to, 100, 0) == 10);
	IS(copy_file_range(from, &at_from, to, &at_to, 100, 0) == 0);
	at_from = 0;
	at_to = 100;
	FAILS(EINVAL, copy_file_range(from, &at_from, from, &at_to, 200, 0));
	FAILS(EINVAL, copy_file_range(from, &at_from, to, &at_to, 200, 1));
	WORKS(ftruncate(to, 0));
	at_from = 0;
	IS(sendfile(to, from, &at_from, 100 * K) == 100 * K);
	IS(all_are(to, 0, 100 * K, 'a'));
	WORKS(pipe(fds));
	at_from = 0;
	IS(splice(from, &at_from, fds[1], NULL, 60 * K, 0) == 60 * K);
	at_to = M;
	IS(splice(fds[0], NULL, to, &at_to, 60 * K, 0) == 60 * K);
	IS(all_are(to, M, M + 60 * K, 'a') && size_of(to) == M + 60 * K);
	close(from);
	close(to);
}

static void direct(void)
{
	int fd = open("file", O_RDWR | O_CREAT | O_DIRECT, 0644);
	int cached = open("file", O_RDWR);
	char *data = aligned_alloc(4 * K, 64 * K);

	if (fd < 0) {
		not_here("no O_DIRECT");
		return;
	}
	memset(data, 'a', 64 * K);
	IS(pwrite(fd, data, 64 * K, 0) == 64 * K);
	IS(all_are(cached, 0, 64 * K, 'a'));
	IS(fill(cached, 4 * K, 8 * K, 'b'));
	IS(pread(fd, data, 64 * K, 0) == 64 * K);
	IS(data[4 * K - 1] == 'a' && data[4 * K] == 'b' && data[8 * K] == 'a');
	memset(data, 'c', 64 * K);
	IS(pwrite(fd, data, 4 * K, 4 * K) == 4 * K);
	IS(all_are(cached, 4 * K, 8 * K, 'c'));
	IS(pread(fd, data, 64 * K, 64 * K) == 0);
	WORKS(ftruncate(fd, 64 * K - 100));
	IS(pread(fd, data, 64 * K, 0) == 64 * K - 100);
	free(data);
	close(fd);
	close(cached);
}

static void syncs(void)
{
	int fd = open("file", O_RDWR | O_CREAT | O_SYNC, 0644);
	int dir = open(".", O_RDONLY | O_DIRECTORY);

	IS(write(fd, "text", 4) == 4);
	WORKS(fsync(fd));
	WORKS(fdatasync(fd));
	WORKS(sync_file_range(fd, 0, 4, SYNC_FILE_RANGE_WRITE));
	WORKS(fsync(dir));
	WORKS(syncfs(dir));
	WORKS(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	IS(holds("file", "text"));
	WORKS(mkfifo("fifo", 0644));
	close(fd);
	fd = open("fifo", O_RDWR);
	FAILS(EINVAL, fsync(fd));
	close(fd);
	close(dir);
}

const struct check posix_data_checks[] = {
	{ "append", append },
	{ "append is atomic", append_is_atomic },
	{ "holes", holes },
	{ "seek sees unwritten pages", seek_sees_unwritten_pages },
	{ "allocation", allocation },
	{ "shifts", shifts },
	{ "too big", too_big },
	{ "far out", far_out },
	{ "vectors", vectors },
	{ "between files", between_files },
	{ "direct", direct },
	{ "syncs", syncs },
	{ 0 },
};

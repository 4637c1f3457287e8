/* Operations of tree_model on what is in files. */
#include "tree_model.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { PIECE_MAX = 300000 };

/* Many small files, a few that are larger. */
static uint64_t draw_place(struct world *world)
{
	switch (random_below(world, 12)) {
	case 0:
		return random_below(world, FILE_BYTES_MAX - PIECE_MAX);
	case 1:
		return random_below(world, 64) * 4096;
	case 2:
		return random_below(world, 200000);
	default:
		return random_below(world, 12000);
	}
}

static uint64_t draw_bytes(struct world *world)
{
	switch (random_below(world, 12)) {
	case 0:
		return random_below(world, PIECE_MAX);
	case 1:
		return random_below(world, 16) * 4096;
	default:
		return random_below(world, 6000);
	}
}

static void choose_range(struct world *world, struct op *op)
{
	pick(world, PICK_FILE, op->path);
	op->offset = draw_place(world);
	op->bytes = draw_bytes(world);
}

/* O_NONBLOCK: it may be a fifo. */
static int open_file(const char *path, int flags)
{
	return open(path, flags | O_NONBLOCK | O_CLOEXEC);
}

static struct answer run_write(struct side *side, const struct op *op)
{
	int fd = open_file(op->path, O_WRONLY | (op->salt % 8 ? 0 : O_APPEND));
	struct answer answer = answer_of(fd < 0 ? -1 : 0);
	unsigned char *data = fd < 0 ? NULL : malloc(PIECE_MAX);
	struct stat st;

	if (!data)
		return answer;
	fill(data, op->bytes, op->salt);
	answer = answer_of(pwrite(fd, data, op->bytes, (off_t)op->offset));
	/* A device can't be synced. */
	if (op->salt % 32 == 1 && side->syncs && !fstat(fd, &st) &&
	    S_ISREG(st.st_mode) && fsync(fd))
		answer = answer_of(-1);
	if (close(fd))
		answer = answer_of(-1);
	free(data);
	return answer;
}

static struct answer run_read(struct side *side, const struct op *op)
{
	int fd = open_file(op->path, O_RDONLY);
	struct answer answer = answer_of(fd < 0 ? -1 : 0);
	unsigned char *data = fd < 0 ? NULL : malloc(PIECE_MAX);

	(void)side;
	if (!data)
		return answer;
	answer = answer_of(pread(fd, data, op->bytes, (off_t)op->offset));
	if (answer.value > 0)
		answer.sum = sum_of(data, (size_t)answer.value, 0);
	free(data);
	close(fd);
	return answer;
}

static struct answer run_truncate(struct side *side, const struct op *op)
{
	(void)side;
	return answer_of(truncate(op->path, (off_t)op->offset));
}

/* Through a shared mapping, within the file's size. */
static struct answer run_map(struct side *side, const struct op *op)
{
	int fd = open_file(op->path, O_RDWR);
	struct answer answer = answer_of(fd < 0 ? -1 : 0);
	struct stat st = { .st_size = 0 };
	unsigned char *map = MAP_FAILED;
	uint64_t bytes = op->bytes;

	if (fd < 0)
		return answer;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) &&
	    (uint64_t)st.st_size > op->offset) {
		if (bytes > (uint64_t)st.st_size - op->offset)
			bytes = (uint64_t)st.st_size - op->offset;
		map = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE,
			   MAP_SHARED, fd, 0);
		answer = answer_of(map == MAP_FAILED ? -1 : (int64_t)bytes);
	}
	if (map != MAP_FAILED) {
		answer.sum = sum_of(map + op->offset, bytes, 0);
		fill(map + op->offset, bytes, op->salt);
		if (op->salt % 8 == 0 && side->syncs &&
		    msync(map, (size_t)st.st_size,
			  op->salt % 16 ? MS_SYNC : MS_ASYNC))
			answer = answer_of(-1);
		munmap(map, (size_t)st.st_size);
	}
	close(fd);
	return answer;
}

static void choose_space(struct world *world, struct op *op)
{
	static const int flags[] = {
		0,
		FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_ZERO_RANGE,
		FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_PUNCH_HOLE,
	};

	choose_range(world, op);
	op->flags = (unsigned)flags[random_below(world, 7)];
}

static struct answer run_space(struct side *side, const struct op *op)
{
	int fd = open_file(op->path, O_WRONLY);
	struct answer answer = answer_of(fd < 0 ? -1 : 0);

	(void)side;
	if (fd < 0)
		return answer;
	answer = answer_of(fallocate(fd, (int)op->flags, (off_t)op->offset,
				     (off_t)op->bytes));
	close(fd);
	return answer;
}

static void choose_copy(struct world *world, struct op *op)
{
	choose_range(world, op);
	pick(world, PICK_FILE, op->path2);
	op->offset2 = draw_place(world);
}

static struct answer copy(int in, int out, const struct op *op)
{
	off_t from = (off_t)op->offset;
	off_t to = (off_t)op->offset2;
	uint64_t done = 0;

	while (done < op->bytes) {
		ssize_t got = copy_file_range(in, &from, out, &to,
					      op->bytes - done, 0);

		if (got < 0)
			return answer_of(-1);
		if (got == 0)
			break;
		done += (uint64_t)got;
	}
	return answer_of((int64_t)done);
}

static struct answer run_copy(struct side *side, const struct op *op)
{
	int in = open_file(op->path, O_RDONLY);
	int out = in < 0 ? -1 : open_file(op->path2, O_WRONLY);
	struct answer answer = answer_of(in < 0 || out < 0 ? -1 : 0);

	(void)side;
	if (in >= 0 && out >= 0)
		answer = copy(in, out, op);
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	return answer;
}

/* ext4 itself is at times wrong while it allocates blocks. */
static bool on_ext4(int fd)
{
	enum { MAGIC = 0xef53 };
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == MAGIC;
}

/* Holes may be told or not, but never where there is data. */
static struct answer run_seek(struct side *side, const struct op *op)
{
	int fd = open_file(op->path, O_RDONLY);
	struct answer answer = answer_of(fd < 0 ? -1 : 0);
	struct stat st = { .st_mode = 0 };
	off_t at = 0;

	if (fd < 0)
		return answer;
	if (!side->syncs || on_ext4(fd) || fstat(fd, &st) ||
	    !S_ISREG(st.st_mode)) {
		close(fd);
		return answer;
	}
	for (;;) {
		off_t data = lseek(fd, at, SEEK_DATA);
		unsigned char byte = 0;

		if (data < 0)
			break;
		at = lseek(fd, data, SEEK_HOLE);
		/* The byte before data, and that at the hole, are zeros. */
		if (at < 0 || at <= data ||
		    (data > 0 && pread(fd, &byte, 1, data - 1) != 1) || byte ||
		    pread(fd, &byte, 1, at) < 0 || byte) {
			answer.value = -ESPIPE; /* never right */
			break;
		}
	}
	close(fd);
	return answer;
}

const struct op_kind data_ops[] = {
	{ "write", 110, 0, SIZE_SAME, choose_range, run_write },
	{ "read", 40, 0, SIZE_SAME, choose_range, run_read },
	{ "truncate", 35, 0, SIZE_SAME, choose_range, run_truncate },
	{ "write through a mapping", 25, 0, SIZE_SAME, choose_range, run_map },
	{ "fallocate", 30, FEATURE_PUNCH, SIZE_SAME, choose_space, run_space },
	{ "copy_file_range", 20, 0, SIZE_SAME, choose_copy, run_copy },
	{ "seek data and holes", 10, FEATURE_PUNCH, SIZE_SAME, choose_range,
	  run_seek },
	{ .name = NULL },
};

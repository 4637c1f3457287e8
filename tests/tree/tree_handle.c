/* Operations of tree_model through descriptors that stay open over others:
 * after rename, unlink, and for files that never had a name. */
#include "tree_model.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { PIECE_MAX = 40000 };

static void choose_slot(struct world *world, struct op *op)
{
	int tries;

	for (tries = 0; tries < 4; tries++) {
		op->slot = (int)random_below(world, HANDLE_COUNT);
		if (world->reference.handle[op->slot] >= 0)
			break;
	}
	op->offset = random_below(world, random_chance(world, 10) ?
						 FILE_BYTES_MAX - PIECE_MAX :
						 12000);
	op->bytes = random_below(world,
				 random_chance(world, 10) ? PIECE_MAX : 5000);
}

static void choose_open(struct world *world, struct op *op)
{
	op->slot = (int)random_below(world, HANDLE_COUNT);
	pick(world, random_chance(world, 90) ? PICK_FILE : PICK_DIR, op->path);
	op->flags = random_chance(world, 80) ? O_RDWR : O_RDONLY;
	if (random_chance(world, 15))
		op->flags |= O_APPEND;
}

static void forget(struct side *side, int slot)
{
	if (side->handle[slot] >= 0)
		close(side->handle[slot]);
	side->handle[slot] = -1;
}

static struct answer run_open(struct side *side, const struct op *op)
{
	int fd = open(op->path, op->flags | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return answer_of(-1);
	forget(side, op->slot);
	side->handle[op->slot] = fd;
	return answer_of(0);
}

static void choose_tmpfile(struct world *world, struct op *op)
{
	op->slot = (int)random_below(world, HANDLE_COUNT);
	pick(world, PICK_DIR, op->path);
	op->flags = random_chance(world, 20) ? O_EXCL : 0;
}

static struct answer run_tmpfile(struct side *side, const struct op *op)
{
	int fd = open(op->path,
		      (int)(O_TMPFILE | O_RDWR | O_CLOEXEC | op->flags),
		      op->mode);

	if (fd < 0)
		return answer_of(-1);
	forget(side, op->slot);
	side->handle[op->slot] = fd;
	return answer_of(0);
}

static struct answer run_close(struct side *side, const struct op *op)
{
	int rc = 0;

	if (side->handle[op->slot] >= 0)
		rc = close(side->handle[op->slot]);
	side->handle[op->slot] = -1;
	return answer_of(rc);
}

static struct answer run_write(struct side *side, const struct op *op)
{
	unsigned char *data = malloc(PIECE_MAX);
	struct answer answer;

	if (!data)
		abort();
	fill(data, op->bytes, op->salt);
	answer = answer_of(pwrite(side->handle[op->slot], data, op->bytes,
				  (off_t)op->offset));
	free(data);
	return answer;
}

static struct answer run_read(struct side *side, const struct op *op)
{
	unsigned char *data = malloc(PIECE_MAX);
	struct answer answer;

	if (!data)
		abort();
	answer = answer_of(pread(side->handle[op->slot], data, op->bytes,
				 (off_t)op->offset));
	if (answer.value > 0)
		answer.sum = sum_of(data, (size_t)answer.value, 0);
	free(data);
	return answer;
}

static struct answer run_truncate(struct side *side, const struct op *op)
{
	return answer_of(ftruncate(side->handle[op->slot], (off_t)op->offset));
}

static struct answer run_chmod(struct side *side, const struct op *op)
{
	return answer_of(fchmod(side->handle[op->slot], op->mode));
}

static struct answer run_sync(struct side *side, const struct op *op)
{
	struct stat st;

	/* Of reference it would only cost time; a fifo can't be synced. */
	if (!side->syncs && !fstat(side->handle[op->slot], &st) &&
	    (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
		return answer_of(0);
	return answer_of(op->salt % 2 ? fsync(side->handle[op->slot]) :
					fdatasync(side->handle[op->slot]));
}

static struct answer run_stat(struct side *side, const struct op *op)
{
	struct stat st = { .st_mode = 0 };
	struct answer answer = answer_of(fstat(side->handle[op->slot], &st));

	if (S_ISDIR(st.st_mode))
		st.st_size = 0;
	answer.sum = mix(st.st_mode ^ ((uint64_t)st.st_uid << 32)) ^
		     mix(st.st_gid ^ ((uint64_t)st.st_size << 8)) ^
		     (S_ISDIR(st.st_mode) ? 0 : mix(st.st_nlink << 16));
	return answer;
}

static struct answer run_times(struct side *side, const struct op *op)
{
	return answer_of(futimens(side->handle[op->slot], op->times));
}

static void choose_times(struct world *world, struct op *op)
{
	choose_slot(world, op);
	op->times[0].tv_sec = (time_t)random_below(world, 1000000000);
	op->times[1].tv_sec = (time_t)random_below(world, 1000000000);
}

static struct answer run_xattr(struct side *side, const struct op *op)
{
	unsigned char value[100];

	fill(value, sizeof(value), op->salt);
	return answer_of(fsetxattr(side->handle[op->slot], "user.handle", value,
				   op->salt % 100, 0));
}

static void choose_link(struct world *world, struct op *op)
{
	choose_slot(world, op);
	pick_new(world, op->path);
}

static struct answer run_link(struct side *side, const struct op *op)
{
	char from[64];

	snprintf(from, sizeof(from), "/proc/self/fd/%d",
		 side->handle[op->slot]);
	return answer_of(
		linkat(AT_FDCWD, from, AT_FDCWD, op->path, AT_SYMLINK_FOLLOW));
}

const struct op_kind handle_ops[] = {
	{ "open", 50, 0, SIZE_SAME, choose_open, run_open },
	{ "open O_TMPFILE", 12, FEATURE_TMPFILE, SIZE_SAME, choose_tmpfile,
	  run_tmpfile },
	{ "close a handle", 15, 0, SIZE_SAME, choose_slot, run_close },
	{ "write by handle", 50, 0, SIZE_SAME, choose_slot, run_write },
	{ "read by handle", 25, 0, SIZE_SAME, choose_slot, run_read },
	{ "truncate by handle", 15, 0, SIZE_SAME, choose_slot, run_truncate },
	{ "chmod by handle", 10, 0, SIZE_SAME, choose_slot, run_chmod },
	{ "sync by handle", 10, 0, SIZE_SAME, choose_slot, run_sync },
	{ "stat by handle", 25, 0, SIZE_SAME, choose_slot, run_stat },
	{ "utimens by handle", 8, 0, SIZE_SAME, choose_times, run_times },
	{ "setxattr by handle", 8, FEATURE_XATTR, SIZE_SAME, choose_slot,
	  run_xattr },
	{ "link by handle", 20, 0, SIZE_GROWS, choose_link, run_link },
	{ .name = NULL },
};

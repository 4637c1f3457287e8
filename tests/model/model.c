/*
 * Model test: random operations on a store and on plain memory, compared; D11
 * and D14 of the data losses that others had.
 *
 *   model [SEED [OPERATIONS]]
 *
 * Every snapshot and branch must equal its model byte for byte, at random
 * moments and at the end. Abandoned stores (as kill -9 leaves them) must
 * have every acknowledged write. Prints the seed, so that a failure can be
 * repeated.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model.h"

static uint8_t *buffer, *base_bytes;
static uint64_t counts[16];

void copy_image(struct image *to, const struct image *from)
{
	if (!to->data)
		to->data = malloc(SIZE_MAX_BYTES);
	memcpy(to->data, from->data, from->size);
	to->size = from->size;
}

static void fill(uint8_t *data, size_t len)
{
	uint64_t kind = below(4), value = next_random();
	size_t i;

	for (i = 0; i < len; i++) {
		if (kind == 0)
			data[i] = 0;
		else if (kind == 1)
			data[i] = (uint8_t)(value >> (i % 7 * 8));
		else
			data[i] =
				(uint8_t)((value = value * 6364136223846793005 +
						   1442695040888963407) >>
					  56);
	}
}

static void random_range(size_t size, size_t *offset, size_t *len)
{
	uint64_t shape = below(4);

	*offset = below(size + 1);
	*len = shape == 0 ? below(IO_MAX_BYTES) :
	       shape == 1 ? 4096 :
			    below(9000);
	if (below(2))
		*offset &= ~(size_t)4095;
	if (below(2))
		*len = (*len + 4095) & ~(size_t)4095;
	if (*offset + *len > SIZE_MAX_BYTES)
		*len = SIZE_MAX_BYTES - *offset;
}

static void compare(struct file *file, const struct image *image, size_t offset,
		    size_t len)
{
	size_t got, i,
		want = offset >= image->size	  ? 0 :
		       len > image->size - offset ? image->size - offset :
						    len;
	int rc = file_read(file, offset, buffer, len, &got);

	CHECK(rc == 0);
	CHECK(got == want);
	if (memcmp(buffer, image->data + offset, want) == 0)
		return;
	for (i = 0; buffer[i] == image->data[offset + i]; i++)
		;
	fprintf(stderr, "model: first difference at %zu (block %zu)\n",
		offset + i, (offset + i) / 4096);
	abort();
}

void compare_all(struct view *view, const struct image *image)
{
	struct file *file = view_image(view);
	struct file_info info;
	size_t at;

	file_get_info(file, &info);
	CHECK(info.size_bytes == image->size);
	for (at = 0; at < image->size; at += IO_MAX_BYTES)
		compare(file, image, at, IO_MAX_BYTES);
}

void compare_some(struct view *view, const struct image *image)
{
	compare(view_image(view), image, 0, 100000);
}

static void do_write(int nr)
{
	struct image *image = &branches[nr].image;
	struct view *view = open_branch(nr);
	size_t offset, len;

	random_range(image->size, &offset, &len);
	fill(buffer, len);
	CHECK(file_write(view_image(view), offset, buffer, len) == 0);
	if (len && offset + len > image->size) {
		memset(image->data + image->size, 0,
		       offset + len - image->size);
		image->size = offset + len;
	}
	memcpy(image->data + offset, buffer, len);
	view_put(view);
}

static void do_read(int nr)
{
	struct view *view = open_branch(nr);
	size_t offset, len;

	random_range(branches[nr].image.size, &offset, &len);
	compare(view_image(view), &branches[nr].image, offset, len);
	view_put(view);
}

static void do_zero(int nr)
{
	struct image *image = &branches[nr].image;
	struct view *view = open_branch(nr);
	size_t offset, len;

	random_range(image->size, &offset, &len);
	CHECK(file_zero(view_image(view), offset, len) == 0);
	if (offset < image->size)
		memset(image->data + offset, 0,
		       len > image->size - offset ? image->size - offset : len);
	view_put(view);
}

static void do_resize(int nr)
{
	struct image *image = &branches[nr].image;
	struct view *view = open_branch(nr);
	size_t size = below(SIZE_MAX_BYTES);

	if (below(2))
		size = image->size > 5000 ? image->size - below(5000) : size;
	CHECK(file_resize(view_image(view), size) == 0);
	if (size > image->size)
		memset(image->data + image->size, 0, size - image->size);
	image->size = size;
	view_put(view);
}

/* From a branch or a snapshot into a branch; within a branch apart. */
static void do_share(int nr)
{
	struct image *to = &branches[nr].image;
	int snapshot = below(3) ? pick_snapshot() : -1, from_nr = pick_branch();
	const struct image *from = snapshot < 0 ? &branches[from_nr].image :
						  &snapshots[snapshot].image;
	struct view *view = open_branch(nr), *source;
	size_t from_at, to_at, len, rest;
	uint64_t done = 1;

	if (snapshot < 0)
		source = open_branch(from_nr);
	else
		CHECK(view_open_snapshot(store, snapshots[snapshot].id, &source,
					 &failure) == 0);
	random_range(from->size, &from_at, &len);
	to_at = below(2) ? from_at : below(to->size + 1) & ~(size_t)4095;
	len = below(3) ? len : SIZE_MAX_BYTES;
	len = len > from->size - from_at ? from->size - from_at : len;
	len = len > SIZE_MAX_BYTES - to_at ? SIZE_MAX_BYTES - to_at : len;
	if (from == to && from_at < to_at + len && to_at < from_at + len)
		len = 0;
	for (rest = len; rest > 0 && done > 0; rest -= done)
		CHECK(file_share(view_image(source), from_at + len - rest,
				 view_image(view), to_at + len - rest, rest,
				 &done) == 0);
	CHECK(rest == 0);
	if (len && to_at > to->size)
		memset(to->data + to->size, 0, to_at - to->size);
	memcpy(to->data + to_at, from->data + from_at, len);
	if (len && to_at + len > to->size)
		to->size = to_at + len;
	view_put(source);
	view_put(view);
}

static void do_seek(int nr)
{
	const struct image *image = &branches[nr].image;
	struct view *view = open_branch(nr);
	uint64_t offset = below(image->size + 1), data, i;
	int rc = file_seek(view_image(view), offset, true, &data);

	CHECK(rc == 0 || rc == -ENXIO);
	if (rc < 0)
		data = image->size;
	for (i = offset; i < data; i++)
		CHECK(image->data[i] == 0); /* holes read as zeros */
	view_put(view);
}

static void step(void)
{
	uint64_t dice = below(1000);

	if (dice < 360)
		do_write(pick_branch());
	else if (dice < 420)
		do_share(pick_branch());
	else if (dice < 780)
		do_read(pick_branch());
	else if (dice < 840)
		do_zero(pick_branch());
	else if (dice < 870)
		do_resize(pick_branch());
	else if (dice < 900)
		do_seek(pick_branch());
	else if (dice < 930)
		do_snapshot(pick_branch());
	else if (dice < 950)
		do_rollback(pick_branch());
	else if (dice < 958)
		do_undo_rollback(pick_branch());
	else if (dice < 966)
		do_clone(pick_branch());
	else if (dice < 984)
		do_delete_snapshot();
	else if (dice < 986)
		do_undelete_snapshot();
	else if (dice < 991)
		do_delete_branch();
	else if (dice < 993)
		do_upkeep();
	else if (dice < 995)
		do_reopen(true);
	else if (dice < 996)
		do_reopen(false);
	else if (dice < 998)
		CHECK(store_checkpoint(store) == 0);
	else
		CHECK(store_sync(store) == 0);
	counts[dice / 100]++;
}

static void make_base(void)
{
	int fd = open(base_path, O_RDWR | O_CREAT | O_EXCL, 0600);
	size_t at;

	base_bytes = calloc(1, SIZE_MAX_BYTES);
	for (at = 0; at < BASE_BYTES; at += 65536)
		if (below(4)) {
			size_t len = BASE_BYTES - at < 65536 ? BASE_BYTES - at :
							       65536;

			fill(base_bytes + at, len);
			CHECK(pwrite(fd, base_bytes + at, len, (off_t)at) ==
			      (ssize_t)len);
		}
	CHECK(ftruncate(fd, BASE_BYTES) == 0);
	close(fd);
}

static void make_store(void)
{
	struct store_create_params params = {
		.path = store_path,
		.base_path = base_path,
		.size_bytes = below(2) ? 0 : BASE_BYTES + 70000,
	};
	struct image image = { base_bytes, BASE_BYTES };

	make_first_branch(&params);
	if (params.size_bytes)
		image.size = params.size_bytes;
	copy_image(&branches[0].image, &image);
}

/* What nothing refers to is free, shared as it was. */
static void zero_all(void)
{
	struct space_usage usage;
	int nr = pick_branch();
	struct view *view = open_branch(nr);

	CHECK(file_zero(view_image(view), 0, SIZE_MAX_BYTES) == 0);
	view_put(view);
	do_gc(0);
	CHECK(space_usage(store, &usage, NULL, NULL, &failure) == 0);
	CHECK(usage.shared_bytes == 0);
	CHECK(usage.branches_unique_bytes == 0);
}

int main(int argc, char **argv)
{
	uint64_t operations = argc > 2 ? strtoull(argv[2], NULL, 10) : 20000;
	uint64_t i;

	model_shares = true;
	begin(argc > 1 ? strtoull(argv[1], NULL, 10) : 1);
	buffer = malloc(SIZE_MAX_BYTES);
	make_base();
	make_store();
	for (i = 0; i < operations; i++) {
		memset(&failure, 0, sizeof(failure));
		step();
		if (i % 5000 == 4999)
			check_everything();
	}
	check_and_reopen();
	keep_one_branch();
	zero_all();
	finish();
	printf("model: seed %s, %" PRIu64 " operations: equal\n",
	       argc > 1 ? argv[1] : "1", operations);
	return 0;
}

/*
 * What operations cost as data and history grow: the engine alone, no FUSE.
 *
 *   cost DIRECTORY [IMAGE_GIB [SNAPSHOTS]]
 *
 * Maps one block in every window of a sparse image, then takes snapshots
 * (one block written before each), rolls back, clones, reads at random and
 * reopens; prints medians of the first and the last hundred.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "file.h"
#include "history.h"
#include "slot.h"
#include "store.h"

#define CHECK(expression)                                                    \
	do {                                                                 \
		if (!(expression)) {                                         \
			fprintf(stderr, "cost: line %d: %s: %s\n", __LINE__, \
				#expression, failure.message);               \
			exit(1);                                             \
		}                                                            \
	} while (0)

static struct failure failure;
static const struct actor actor;
static struct store *store;
static struct view *view;
static uint64_t windows;

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int by_value(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return left < right ? -1 : left > right;
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), by_value);
	return values[count / 2];
}

static void write_window(uint64_t nr, uint64_t value)
{
	uint64_t block[BLOCK_BYTES / 8] = { nr + 1, value + 1 };

	CHECK(file_write(view_image(view), nr * WINDOW_BYTES, block,
			 sizeof(block)) == 0);
}

/* Random 4 KiB reads of mapped blocks, per second. */
static double read_rate(void)
{
	unsigned seed = 1, i, count = 20000;
	uint8_t block[BLOCK_BYTES];
	double begin = now_ms();
	size_t got;

	for (i = 0; i < count; i++) {
		uint64_t nr = (uint64_t)rand_r(&seed) % windows;

		CHECK(file_read(view_image(view), nr * WINDOW_BYTES, block,
				sizeof(block), &got) == 0);
	}
	return count / (now_ms() - begin) * 1e3;
}

static void open_store(const char *path)
{
	double begin = now_ms();

	CHECK(store_open(path, NULL, &store, &failure) == 0);
	printf("open                              %9.2f ms\n",
	       now_ms() - begin);
	CHECK(view_open_branch(store, "main", &view, &failure) == 0);
}

static void reopen(const char *path)
{
	double begin = now_ms();

	view_put(view);
	CHECK(store_close(store) == 0);
	printf("close                             %9.2f ms\n",
	       now_ms() - begin);
	open_store(path);
}

static void take_snapshots(unsigned count)
{
	double *ms = calloc(count, sizeof(*ms));
	unsigned i;

	CHECK(ms);
	for (i = 0; i < count; i++) {
		char name[32];
		double begin;

		write_window(i % windows, i);
		snprintf(name, sizeof(name), "s%u", i);
		begin = now_ms();
		CHECK(history_snapshot(store, "main", name, NULL,
				       SNAPSHOT_KIND_MANUAL, &actor, NULL,
				       &failure) == 0);
		ms[i] = now_ms() - begin;
	}
	printf("snapshot, median of the last 100  %9.3f ms\n",
	       median(ms + count - 100, 100));
	printf("snapshot, median of the first 100 %9.3f ms\n", median(ms, 100));
	free(ms);
}

static void roll_and_clone(unsigned snapshots)
{
	double roll[100], clone[100];
	unsigned i;

	for (i = 0; i < 100; i++) {
		struct snapshot_info info;
		struct rollback_result result;
		char name[32];
		double begin;

		snprintf(name, sizeof(name), "s%u", i * snapshots / 100);
		CHECK(history_find_snapshot(store, NULL, name, &info,
					    &failure) == 0);
		begin = now_ms();
		CHECK(history_rollback(store, "main", info.id, NULL, &actor,
				       &result, &failure) == 0);
		roll[i] = now_ms() - begin;
		snprintf(name, sizeof(name), "c%u", i);
		begin = now_ms();
		CHECK(history_clone(store, NULL, info.id, name, &actor, NULL,
				    &failure) == 0);
		clone[i] = now_ms() - begin;
		write_window(i, i);
	}
	printf("rollback, median                  %9.3f ms\n",
	       median(roll, 100));
	printf("clone, median                     %9.3f ms\n",
	       median(clone, 100));
}

int main(int argc, char **argv)
{
	uint64_t gib = argc > 2 ? strtoull(argv[2], NULL, 10) : 1, nr;
	unsigned snapshots = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) :
					1000;
	struct store_create_params params = { 0 };
	char path[4096];
	double begin;

	if (argc < 2 || snapshots < 200) {
		fprintf(stderr,
			"usage: cost DIRECTORY [IMAGE_GIB [SNAPSHOTS]]\n");
		return 2;
	}
	snprintf(path, sizeof(path), "%s/store", argv[1]);
	params.path = path;
	params.size_bytes = gib << 30;
	config_defaults(&params.config);
	windows = params.size_bytes / WINDOW_BYTES;
	CHECK(store_create(&params, &failure) == 0);
	open_store(path);
	begin = now_ms();
	for (nr = 0; nr < windows; nr++)
		write_window(nr, 0);
	printf("%" PRIu64 " windows mapped in          %9.0f ms\n", windows,
	       now_ms() - begin);
	reopen(path);
	printf("random reads, no snapshot, cold   %9.0f /s\n", read_rate());
	printf("random reads, no snapshot         %9.0f /s\n", read_rate());
	take_snapshots(snapshots);
	reopen(path);
	printf("random reads, %6u snapshots, cold %7.0f /s\n", snapshots,
	       read_rate());
	printf("random reads, %6u snapshots    %9.0f /s\n", snapshots,
	       read_rate());
	roll_and_clone(snapshots);
	reopen(path);
	view_put(view);
	CHECK(store_close(store) == 0);
	return 0;
}

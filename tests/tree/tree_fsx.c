/*
 * tree_fsx [OPTION...] FILE
 *
 * Works on one file in all the ways there are to change it and to look at it,
 * and knows from a copy in memory what must be there. What FILE holds at the
 * beginning counts, so that it may be a file of a base. All is drawn from a
 * seed; the operations before a failure are printed.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEPT = 60, LINE = 100, DIRECT_ALIGN = 4096, WHOLE_EVERY = 200 };

struct world {
	const char *path;
	int fd, direct_fd;   /* -1: no O_DIRECT */
	unsigned char *want; /* what the file holds; room bytes */
	unsigned char *got;  /* aligned for O_DIRECT */
	size_t size, room;
	uint64_t random, seed, op_count, op_nr;
	size_t piece_most;
	unsigned direct_percent;
	bool no_space, no_copy, no_map, no_tail, verbose;
};

static char lines[KEPT][LINE];

static uint64_t draw(struct world *world, uint64_t limit)
{
	uint64_t value = world->random += 0x9e3779b97f4a7c15;

	value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
	value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
	return limit ? (value ^ (value >> 31)) % limit : 0;
}

static void note(struct world *world, const char *what, size_t at, size_t bytes)
{
	char *line = lines[world->op_nr % KEPT];

	snprintf(line, LINE, "%" PRIu64 " %s [%zu, %zu) size %zu", world->op_nr,
		 what, at, at + bytes, world->size);
	if (world->verbose)
		puts(line);
}

static void die(const struct world *world, const char *format, ...)
	__attribute__((format(printf, 2, 3), noreturn));

static void die(const struct world *world, const char *format, ...)
{
	uint64_t nr = world->op_nr < KEPT ? 0 : world->op_nr - KEPT + 1;
	int error = errno;
	va_list arguments;

	for (; nr <= world->op_nr; nr++)
		if (*lines[nr % KEPT])
			printf("  %s\n", lines[nr % KEPT]);
	printf("WRONG: ");
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf(" (errno: %s); seed %" PRIu64 "\n", strerror(error),
	       world->seed);
	exit(1);
}

static void compare(const struct world *world, const unsigned char *got,
		    size_t at, size_t bytes)
{
	size_t i;

	if (!memcmp(got, world->want + at, bytes))
		return;
	for (i = 0; got[i] == world->want[at + i]; i++)
		;
	errno = 0;
	die(world, "at %zu: %02x, want %02x", at + i, got[i],
	    world->want[at + i]);
}

static void check_size(const struct world *world)
{
	struct stat st;

	if (fstat(world->fd, &st))
		die(world, "fstat");
	if ((size_t)st.st_size != world->size)
		die(world, "size %zu, want %zu", (size_t)st.st_size,
		    world->size);
}

/* At times the boundaries of blocks, at times anything. */
static size_t draw_place(struct world *world, size_t limit)
{
	size_t place = (size_t)draw(world, limit);

	if (draw(world, 4) == 0)
		place -= place % 4096;
	return place;
}

static void draw_range(struct world *world, size_t *at, size_t *bytes)
{
	*at = draw_place(world, world->room - 1);
	*bytes = (size_t)draw(world, world->piece_most) + 1;
	if (draw(world, 4) == 0)
		*bytes = (*bytes + 4095) / 4096 * 4096;
	if (*bytes > world->room - *at)
		*bytes = world->room - *at;
}

/* The descriptor to use, and a range that O_DIRECT takes. */
static int draw_fd(struct world *world, size_t *at, size_t *bytes)
{
	if (world->direct_fd < 0 || *bytes < DIRECT_ALIGN ||
	    draw(world, 100) >= world->direct_percent)
		return world->fd;
	*at -= *at % DIRECT_ALIGN;
	*bytes -= *bytes % DIRECT_ALIGN;
	return world->direct_fd;
}

/* The model: zeros between its end and at. */
static void grow(struct world *world, size_t end)
{
	if (end <= world->size)
		return;
	memset(world->want + world->size, 0, end - world->size);
	world->size = end;
}

static void op_read(struct world *world, size_t at, size_t bytes)
{
	int fd = draw_fd(world, &at, &bytes);
	size_t there = at >= world->size	? 0 :
		       bytes > world->size - at ? world->size - at :
						  bytes;
	ssize_t got;

	note(world, fd == world->fd ? "read" : "read direct", at, bytes);
	got = pread(fd, world->got, bytes, (off_t)at);
	if (got < 0 || (size_t)got != there)
		die(world, "read %zd bytes, want %zu", got, there);
	compare(world, world->got, at, there);
}

static void op_write(struct world *world, size_t at, size_t bytes)
{
	int fd = draw_fd(world, &at, &bytes);
	size_t i;

	note(world, fd == world->fd ? "write" : "write direct", at, bytes);
	grow(world, at + bytes);
	for (i = 0; i < bytes; i++)
		world->want[at + i] = (unsigned char)(world->op_nr + i % 253);
	memcpy(world->got, world->want + at, bytes);
	if (pwrite(fd, world->got, bytes, (off_t)at) != (ssize_t)bytes)
		die(world, "write");
}

static void op_truncate(struct world *world, size_t at, size_t bytes)
{
	(void)bytes;
	note(world, "truncate", at, 0);
	if (draw(world, 2) ? truncate(world->path, (off_t)at) :
			     ftruncate(world->fd, (off_t)at))
		die(world, "truncate");
	grow(world, at);
	world->size = at;
}

static void op_map(struct world *world, size_t at, size_t bytes)
{
	bool writes = draw(world, 2);
	size_t begin = at - at % 4096;
	unsigned char *map;
	size_t i;

	if (world->no_map || world->size == 0)
		return;
	if (at >= world->size)
		at = begin = 0;
	if (bytes > world->size - at)
		bytes = world->size - at;
	note(world, writes ? "map and write" : "map and read", at, bytes);
	map = mmap(NULL, at + bytes - begin,
		   PROT_READ | (writes ? PROT_WRITE : 0), MAP_SHARED, world->fd,
		   (off_t)begin);
	if (map == MAP_FAILED)
		die(world, "mmap");
	compare(world, map + (at - begin), at, bytes);
	for (i = 0; writes && i < bytes; i++)
		world->want[at + i] = (unsigned char)(world->op_nr * 3 + i);
	if (writes)
		memcpy(map + (at - begin), world->want + at, bytes);
	if (writes && draw(world, 4) == 0 &&
	    msync(map, at + bytes - begin, MS_SYNC))
		die(world, "msync");
	/* What is behind the end of the file must not come back; after an
	 * O_DIRECT write it does, on ext4 too. */
	if (writes && world->direct_fd < 0 && !world->no_tail &&
	    at + bytes == world->size && world->size % 4096 && draw(world, 2))
		map[at + bytes - begin] = 0xee;
	munmap(map, at + bytes - begin);
}

static void op_space(struct world *world, size_t at, size_t bytes)
{
	static const struct {
		int mode;
		const char *name;
		bool zeros, grows;
	} kinds[] = {
		{ FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, "punch", true,
		  false },
		{ FALLOC_FL_ZERO_RANGE, "zero", true, true },
		{ FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, "zero, keep size",
		  true, false },
		{ 0, "allocate", false, true },
		{ FALLOC_FL_KEEP_SIZE, "allocate, keep size", false, false },
	};
	size_t kind = (size_t)draw(world, 5);
	size_t end = at + bytes;

	if (world->no_space)
		return;
	note(world, kinds[kind].name, at, bytes);
	if (fallocate(world->fd, kinds[kind].mode, (off_t)at, (off_t)bytes))
		die(world, "fallocate");
	if (kinds[kind].grows)
		grow(world, end);
	if (end > world->size)
		end = world->size;
	if (kinds[kind].zeros && at < end)
		memset(world->want + at, 0, end - at);
}

static void op_copy(struct world *world, size_t at, size_t bytes)
{
	size_t to = draw_place(world, world->room - 1);
	off_t from_at = (off_t)at;
	off_t to_at = (off_t)to;
	size_t done = 0;

	if (world->no_copy || at >= world->size)
		return;
	if (bytes > world->size - at)
		bytes = world->size - at;
	if (bytes > world->room - to)
		bytes = world->room - to;
	if (to < at + bytes && at < to + bytes)
		return; /* no copies onto itself */
	note(world, "copy from", at, bytes);
	while (done < bytes) {
		ssize_t got = copy_file_range(world->fd, &from_at, world->fd,
					      &to_at, bytes - done, 0);

		if (got <= 0)
			die(world, "copy to %zu: %zd of %zu", to, got, bytes);
		done += (size_t)got;
	}
	grow(world, to + bytes);
	memcpy(world->want + to, world->want + at, bytes);
}

/* From at on: what is said to be a hole is zeros, and what is not zeros is
 * said to be data. */
static void op_seek(struct world *world, size_t at, size_t bytes)
{
	off_t data;
	off_t hole;
	size_t i;

	(void)bytes;
	note(world, "seek", at, 0);
	data = lseek(world->fd, (off_t)at, SEEK_DATA);
	if (data < 0 && errno != ENXIO)
		die(world, "SEEK_DATA");
	if (at < world->size && data >= 0 &&
	    ((size_t)data < at || (size_t)data >= world->size))
		die(world, "SEEK_DATA from %zu: %zd", at, (ssize_t)data);
	for (i = at; i < (data < 0 ? world->size : (size_t)data); i++)
		if (world->want[i])
			die(world, "data at %zu in a hole from %zu to %zd", i,
			    at, (ssize_t)data);
	hole = lseek(world->fd, (off_t)at, SEEK_HOLE);
	if (at < world->size ? hole < (off_t)at || hole > (off_t)world->size :
			       hole >= 0 || errno != ENXIO)
		die(world, "SEEK_HOLE from %zu: %zd", at, (ssize_t)hole);
}

static void op_sync(struct world *world, size_t at, size_t bytes)
{
	(void)bytes;
	if (draw(world, 4))
		return;
	note(world, "sync", 0, 0);
	if (at % 2 ? fsync(world->fd) : fdatasync(world->fd))
		die(world, "fsync");
}

static void open_all(struct world *world)
{
	world->fd = open(world->path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (world->fd < 0)
		die(world, "open");
	world->direct_fd = -1;
	if (!world->direct_percent)
		return;
	world->direct_fd = open(world->path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (world->direct_fd < 0)
		die(world, "open O_DIRECT");
}

static void op_open(struct world *world, size_t at, size_t bytes)
{
	(void)bytes;
	note(world, "close and open", 0, 0);
	if (close(world->fd) ||
	    (world->direct_fd >= 0 && close(world->direct_fd)))
		die(world, "close");
	open_all(world);
	if (at % 4 == 0)
		posix_fadvise(world->fd, 0, 0, POSIX_FADV_DONTNEED);
}

static void op_whole(struct world *world, size_t at, size_t bytes)
{
	size_t done = 0;

	(void)at, (void)bytes;
	note(world, "all", 0, world->size);
	while (done < world->size) {
		size_t piece = world->size - done;
		ssize_t got;

		if (piece > 65536)
			piece = 65536;
		got = pread(world->fd, world->got, piece, (off_t)done);
		if (got != (ssize_t)piece)
			die(world, "read");
		compare(world, world->got, done, piece);
		done += piece;
	}
}

static const struct {
	void (*run)(struct world *world, size_t at, size_t bytes);
	unsigned weight;
} ops[] = {
	{ op_read, 20 },  { op_write, 25 }, { op_truncate, 8 }, { op_map, 15 },
	{ op_space, 12 }, { op_copy, 6 },   { op_seek, 8 },	{ op_sync, 2 },
	{ op_open, 3 },	  { op_whole, 1 },
};

static void one(struct world *world)
{
	uint64_t at = draw(world, 100);
	size_t place;
	size_t bytes;
	size_t i;

	for (i = 0; at >= ops[i].weight; i++)
		at -= ops[i].weight;
	draw_range(world, &place, &bytes);
	ops[i].run(world, place, bytes);
	check_size(world);
	if (world->op_nr % WHOLE_EVERY == 0)
		op_whole(world, 0, 0);
}

/* What the file holds already. */
static void load(struct world *world)
{
	struct stat st;
	size_t done = 0;

	if (fstat(world->fd, &st))
		die(world, "fstat");
	if ((size_t)st.st_size > world->room)
		world->room = (size_t)st.st_size;
	world->want = calloc(1, world->room + 1);
	world->got = aligned_alloc(
		DIRECT_ALIGN, (world->room / DIRECT_ALIGN + 2) * DIRECT_ALIGN);
	if (!world->want || !world->got)
		die(world, "memory");
	world->size = (size_t)st.st_size;
	while (done < world->size) {
		ssize_t got = pread(world->fd, world->want + done,
				    world->size - done, (off_t)done);

		if (got <= 0)
			die(world, "read");
		done += (size_t)got;
	}
}

static void usage(void)
{
	fprintf(stderr,
		"tree_fsx [OPTION...] FILE\n"
		"  --seed N    (1)\n"
		"  --ops N     (10000)\n"
		"  --bytes N   how large it may get (262144)\n"
		"  --piece N   how much at once (65536)\n"
		"  --direct N  that many of 100 with O_DIRECT (0)\n"
		"  --no-space --no-copy --no-map --no-tail --verbose\n");
	exit(2);
}

static void parse(struct world *world, int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", 1, NULL, 's' },    { "ops", 1, NULL, 'o' },
		{ "bytes", 1, NULL, 'b' },   { "piece", 1, NULL, 'p' },
		{ "direct", 1, NULL, 'd' },  { "no-space", 0, NULL, 'S' },
		{ "no-copy", 0, NULL, 'C' }, { "no-map", 0, NULL, 'M' },
		{ "no-tail", 0, NULL, 'T' }, { "verbose", 0, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		uint64_t number = optarg ? strtoull(optarg, NULL, 0) : 0;

		if (option == 's')
			world->seed = number;
		else if (option == 'o')
			world->op_count = number;
		else if (option == 'b')
			world->room = number;
		else if (option == 'p')
			world->piece_most = number;
		else if (option == 'd')
			world->direct_percent = (unsigned)number;
		else if (option == 'v')
			world->verbose = true;
		else if (option == 'S')
			world->no_space = true;
		else if (option == 'C')
			world->no_copy = true;
		else if (option == 'T')
			world->no_tail = true;
		else if (option == 'M')
			world->no_map = true;
		else
			usage();
	}
	if (argc - optind != 1 || world->room < 2 || !world->piece_most)
		usage();
	world->path = argv[optind];
}

int main(int argc, char **argv)
{
	struct world world = { .seed = 1,
			       .op_count = 10000,
			       .room = 262144,
			       .piece_most = 65536 };

	setvbuf(stdout, NULL, _IOLBF, 0);
	parse(&world, argc, argv);
	world.random = world.seed * 0x5851f42d4c957f2d;
	open_all(&world);
	load(&world);
	for (world.op_nr = 1; world.op_nr <= world.op_count; world.op_nr++)
		one(&world);
	op_open(&world, 0, 0);
	op_whole(&world, 0, 0);
	printf("same: seed %" PRIu64 ", %" PRIu64 " operations\n", world.seed,
	       world.op_count);
	return 0;
}

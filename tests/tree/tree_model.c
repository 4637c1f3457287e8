/*
 * tree_model [OPTION...] SUBJECT REFERENCE
 *
 * Random operations on two directories, the one under test and a plain one on
 * ext4. Every single answer must be the same, and so must the trees be: names,
 * content, attributes, xattrs, links. A seed always does the same operations,
 * as they are drawn from it and from the names in reference.
 */
#include "tree_model.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINES_KEPT = 40, LINE_BYTES = 800, KINDS_MOST = 64 };

static const struct {
	const char *name;
	unsigned feature;
} features[] = {
	{ "acl", FEATURE_ACL },
	{ "devices", FEATURE_DEVICES },
	{ "dirlinks", FEATURE_DIR_LINKS },
	{ "exchange", FEATURE_EXCHANGE },
	{ "inodes", FEATURE_INODES },
	{ "mtime", FEATURE_MTIME },
	{ "ctime", FEATURE_CTIME },
	{ "punch", FEATURE_PUNCH },
	{ "tmpfile", FEATURE_TMPFILE },
	{ "users", FEATURE_USERS },
	{ "whiteout", FEATURE_WHITEOUT },
	{ "xattr", FEATURE_XATTR | FEATURE_ACL },
	{ "dots", FEATURE_DOTS },
	{ "dirents", FEATURE_ACCOUNTS },
};

static char lines[LINES_KEPT][LINE_BYTES];
static const struct op_kind *kinds[KINDS_MOST];
static size_t kind_count;
static unsigned weight_sum;

static void usage(void)
{
	fprintf(stderr,
		"tree_model [OPTION...] SUBJECT REFERENCE\n"
		"  --seed N      what to do (1)\n"
		"  --ops N       how many operations (10000)\n"
		"  --start DIR   reference begins as a copy of it, and subject\n"
		"                too, if it is empty\n"
		"  --every N     compare the whole trees that often (1000)\n"
		"  --hook CMD    run it then: see tree_hook.c\n"
		"  --state DIR   for copies of reference (REFERENCE.state)\n"
		"  --entries N   about how many objects at most (400)\n"
		"  --without A,B what subject need not do: acl ctime devices\n"
		"                dirents dirlinks dots exchange inodes mtime\n"
		"                punch tmpfile users whiteout xattr\n"
		"  --verbose     print each operation\n");
	exit(2);
}

static void escape(const char *path, char *out, size_t room)
{
	size_t used = 0;

	for (; *path && used + 5 < room; path++) {
		unsigned char byte = (unsigned char)*path;

		if (byte < ' ' || byte > '~' || byte == '\\')
			used += (size_t)snprintf(out + used, room - used,
						 "\\%03o", byte);
		else
			out[used++] = *path;
	}
	out[used] = '\0';
}

/* The file of an operation by handle, as it is called now. */
static void name_of_handle(const struct world *world, const struct op *op,
			   char *path)
{
	const char *root = world->reference.root;
	char link[64];
	char target[PATH_MAX];
	ssize_t bytes;

	snprintf(link, sizeof(link), "/proc/self/fd/%d",
		 world->reference.handle[op->slot]);
	bytes = readlink(link, target, sizeof(target) - 1);
	if (bytes <= (ssize_t)strlen(root))
		return;
	target[bytes] = '\0';
	snprintf(path, PATH_MAX, "= %s", target + strlen(root) + 1);
}

static const char *note(const struct world *world, const char *name,
			const struct op *op)
{
	char *line = lines[world->op_nr % LINES_KEPT];
	char by_handle[PATH_MAX] = "";
	char path[140];
	char path2[140];

	if (!*op->path)
		name_of_handle(world, op, by_handle);
	escape(*op->path ? op->path : by_handle, path, sizeof(path));
	escape(op->path2, path2, sizeof(path2));
	snprintf(line, LINE_BYTES,
		 "%" PRIu64 " %s%s '%s' '%s' %s [%" PRIu64 " +%" PRIu64
		 "] flags %x mode %o ids %d:%d umask %o slot %d",
		 world->op_nr, name, op->as_other ? " (other user)" : "", path,
		 path2, op->name, op->offset, op->bytes, op->flags, op->mode,
		 (int)op->uid, (int)op->gid, op->umask, op->slot);
	if (world->verbose)
		puts(line);
	return line;
}

static void show_past(const struct world *world)
{
	uint64_t nr = world->op_nr < LINES_KEPT ? 1 :
						  world->op_nr - LINES_KEPT + 1;

	printf("the last operations (seed %" PRIu64 "):\n", world->seed);
	for (; nr <= world->op_nr; nr++)
		printf("  %s\n", lines[nr % LINES_KEPT]);
}

static int64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void collect(const struct world *world, const struct op_kind *table)
{
	for (; table->name; table++) {
		if (table->needs & world->without)
			continue;
		if (kind_count == KINDS_MOST)
			abort();
		kinds[kind_count++] = table;
		weight_sum += table->weight;
	}
}

/* A full tree shrinks, an empty one grows. */
static bool fits(struct world *world, const struct op_kind *kind)
{
	switch (kind->size) {
	case SIZE_SAME:
		return true;
	case SIZE_GROWS:
		return world->entry_count < world->entries_most ||
		       random_chance(world, 15);
	case SIZE_SHRINKS:
		return world->entry_count > world->entries_most * 3 / 4 ||
		       random_chance(world, 3);
	}
	abort();
}

static const struct op_kind *draw_kind(struct world *world)
{
	for (;;) {
		uint64_t at = random_below(world, weight_sum);
		size_t i = 0;

		while (at >= kinds[i]->weight)
			at -= kinds[i++]->weight;
		if (fits(world, kinds[i]))
			return kinds[i];
	}
}

static void count_entries(struct world *world, const struct op_kind *kind,
			  int64_t value)
{
	uint64_t gone = kind->size == SIZE_SHRINKS && value >= 0 ?
				(value ? (uint64_t)value : 1) :
				0;

	world->entry_count -= gone < world->entry_count ? gone :
							  world->entry_count;
	if (kind->size == SIZE_GROWS && value >= 0)
		world->entry_count++;
}

static void draw_common(struct world *world, struct op *op)
{
	static const unsigned modes[] = { 0666,	 0644,	0600,  0777, 0755,
					  01777, 02755, 04755, 0,    0444 };
	static const unsigned masks[] = { 022, 022, 0, 077, 027 };

	op->path[0] = op->path2[0] = op->name[0] = '\0';
	op->offset = op->offset2 = op->bytes = 0;
	op->flags = 0;
	op->device = 0;
	op->slot = 0;
	op->uid = op->gid = 0;
	op->times[0] = op->times[1] = (struct timespec){ .tv_sec = 0 };
	op->salt = random_next(world);
	op->mode = modes[random_below(world, 10)];
	op->umask = masks[random_below(world, 5)];
	op->as_other = random_chance(world, 12) &&
		       !(world->without & FEATURE_USERS);
}

static struct answer run_on(struct world *world, struct side *side,
			    const struct op_kind *kind, const struct op *op)
{
	int64_t begin = now_ns(CLOCK_MONOTONIC);
	struct answer answer;
	uint64_t took;

	if (fchdir(side->root_fd))
		return (struct answer){ .value = -errno, .sum = 1 };
	umask(op->umask);
	if (op->as_other && (setegid(OTHER_USER) || seteuid(OTHER_USER)))
		abort();
	answer = kind->run(side, op);
	if (op->as_other && (seteuid(0) || setegid(0)))
		abort();
	umask(0);
	took = (uint64_t)(now_ns(CLOCK_MONOTONIC) - begin);
	if (took > world->slowest_ns)
		world->slowest_ns = took;
	return answer;
}

static bool compare_around(struct world *world, const struct op *op,
			   int64_t touched_ns)
{
	const char *const paths[] = { op->path, op->path2 };
	char parent[PATH_MAX];
	bool same = true;
	size_t i;

	for (i = 0; i < 2; i++) {
		/* A symlink's target may lead out. */
		if (!*paths[i] || paths[i][0] == '/')
			continue;
		same &= compare_path(world, paths[i], touched_ns);
		parent_of(paths[i], parent);
		same &= compare_path(world, parent, touched_ns);
	}
	return same;
}

static bool one_operation(struct world *world)
{
	static struct op op;
	const struct op_kind *kind = draw_kind(world);
	struct answer got;
	struct answer want;
	int64_t touched_ns = 0;
	const char *line;

	draw_common(world, &op);
	kind->choose(world, &op);
	line = note(world, kind->name, &op);
	if (random_below(world, 128) == 0) {
		usleep(12000); /* all clocks tick */
		touched_ns = now_ns(CLOCK_REALTIME_COARSE);
	}
	want = run_on(world, &world->reference, kind, &op);
	got = run_on(world, &world->subject, kind, &op);
	count_entries(world, kind, want.value);
	if (got.value != want.value || got.sum != want.sum) {
		printf("differs: %s\n  answers %" PRId64 " (%s), want %" PRId64
		       " (%s)%s\n",
		       line, got.value,
		       got.value < 0 ? strerror((int)-got.value) : "ok",
		       want.value,
		       want.value < 0 ? strerror((int)-want.value) : "ok",
		       got.sum != want.sum ? ", other data" : "");
		return false;
	}
	if (touched_ns || random_chance(world, 40))
		return compare_around(world, &op, touched_ns);
	return true;
}

static bool compare_now(struct world *world)
{
	return compare_trees(world, world->subject.root, world->reference.root,
			     true);
}

static bool run_all(struct world *world)
{
	uint64_t step = world->op_count / 10 ? world->op_count / 10 : 1;

	if (!compare_now(world))
		return false;
	while (world->op_nr < world->op_count) {
		world->op_nr++;
		if (!one_operation(world))
			return false;
		if (world->op_nr % world->every == 0) {
			if (!compare_now(world))
				return false;
			if (world->hook &&
			    (!hook_run(world) || !compare_now(world)))
				return false;
		}
		if (world->op_nr % step == 0) {
			printf("%" PRIu64 " operations, %" PRIu64 " objects\n",
			       world->op_nr, world->entry_count);
			fflush(stdout);
		}
	}
	return compare_now(world);
}

/* Or is not there yet. */
static bool is_empty(const char *path)
{
	if (rmdir(path) && errno != ENOENT)
		return false;
	return mkdir(path, 0755) == 0;
}

/* Reference begins as a copy of start, or of what is in subject. */
static bool begin(struct world *world)
{
	static char state[PATH_MAX];
	const char *from = world->start ? world->start : world->subject.root;

	if (!world->state) {
		snprintf(state, sizeof(state), "%s.state",
			 world->reference.root);
		world->state = state;
	}
	if (mkdir(world->state, 0700) && errno != EEXIST)
		return false;
	if (world->start && is_empty(world->subject.root) &&
	    !copy_tree(world->start, world->subject.root))
		return false;
	if (!is_empty(world->reference.root)) {
		printf("%s is not an empty directory\n", world->reference.root);
		return false;
	}
	if (!copy_tree(from, world->reference.root))
		return false;
	world->subject.root = realpath(world->subject.root, NULL);
	world->reference.root = realpath(world->reference.root, NULL);
	world->state = realpath(world->state, NULL);
	if (!world->subject.root || !world->reference.root || !world->state)
		return false;
	world->subject.root_fd = open(world->subject.root, O_RDONLY);
	world->reference.root_fd = open(world->reference.root, O_RDONLY);
	umask(0);
	return world->subject.root_fd >= 0 && world->reference.root_fd >= 0;
}

static unsigned features_of(char *words)
{
	unsigned set = 0;
	char *word;

	while ((word = strsep(&words, ","))) {
		unsigned feature = 0;
		size_t i;

		for (i = 0; i < sizeof(features) / sizeof(features[0]); i++)
			if (!strcmp(features[i].name, word))
				feature = features[i].feature;
		if (!feature && *word)
			usage();
		set |= feature;
	}
	return set;
}

static void parse(struct world *world, int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", 1, NULL, 's' },    { "ops", 1, NULL, 'o' },
		{ "start", 1, NULL, 'b' },   { "every", 1, NULL, 'e' },
		{ "hook", 1, NULL, 'h' },    { "state", 1, NULL, 'd' },
		{ "entries", 1, NULL, 'n' }, { "without", 1, NULL, 'w' },
		{ "verbose", 0, NULL, 'v' }, { NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 's')
			world->seed = strtoull(optarg, NULL, 0);
		else if (option == 'o')
			world->op_count = strtoull(optarg, NULL, 0);
		else if (option == 'b')
			world->start = optarg;
		else if (option == 'e')
			world->every = strtoull(optarg, NULL, 0);
		else if (option == 'h')
			world->hook = optarg;
		else if (option == 'd')
			world->state = optarg;
		else if (option == 'n')
			world->entries_most = strtoull(optarg, NULL, 0);
		else if (option == 'w')
			world->without |= features_of(optarg);
		else if (option == 'v')
			world->verbose = true;
		else
			usage();
	}
	if (argc - optind != 2 || !world->every)
		usage();
	world->subject.root = argv[optind];
	world->reference.root = argv[optind + 1];
}

int main(int argc, char **argv)
{
	struct world world = {
		.seed = 1, .op_count = 10000, .every = 1000, .entries_most = 400
	};
	bool same;
	int i;

	world.subject.syncs = true;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (i = 0; i < HANDLE_COUNT; i++)
		world.subject.handle[i] = world.reference.handle[i] = -1;
	parse(&world, argc, argv);
	if (geteuid() != 0)
		world.without |= FEATURE_USERS | FEATURE_DEVICES;
	world.random = mix(world.seed);
	if (!begin(&world))
		return 2;
	collect(&world, name_ops);
	collect(&world, data_ops);
	collect(&world, meta_ops);
	collect(&world, handle_ops);
	same = run_all(&world);
	if (!same)
		show_past(&world);
	printf("%s: seed %" PRIu64 ", %" PRIu64 " operations, %" PRIu64
	       " comparisons, %" PRIu64 " hooks\n",
	       same ? "same" : "DIFFERENT", world.seed, world.op_nr,
	       world.compare_count, world.hook_count);
	handles_close(&world);
	return same ? 0 : 1;
}

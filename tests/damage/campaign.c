/*
 * The damage campaign. Small stores of every sort (over an image and over a
 * directory; closed, and with a log that the index does not have) are damaged,
 * field by field as docs/format.md has them, file by file, and by chance.
 *
 * For each case: the core opens it and reads everything: what is shown is
 * right, or an error. cowd-fsck -n changes nothing, and finds something unless
 * the damage has no effect; -y repairs; a second run finds nothing; then all
 * is right, unreadable, or was told to be lost, and nothing that could be read
 * before is lost by a damaged block elsewhere.
 *
 *   campaign table [STEP]           every STEP-th case of the table
 *   campaign random SEED COUNT
 *   campaign one table|random NR    tells what happens
 *   campaign --lenient ...          what -n misses, or a repair leaves, is
 *                                   counted only
 *
 * A row of the index that was changed with SQL has no wrong checksum: it may
 * be another truth, which nobody can tell from the first. Then what is refused
 * or can't be read must be found, and repairs must hold.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fsck.h"
#include "judge.h"
#include "logging.h"
#include "plan.h"

#include "fuzz_assert.h"

enum { VARIANTS = 4, WORKERS_MAX = 8, SECONDS_A_CASE = 60, TEXT_BYTES = 600 };

static struct fuzz_store stores[VARIANTS];
static struct facts truth[VARIANTS];
static bool is_loud, is_lenient;

/* Between the workers. */
static struct shared {
	uint64_t cases, opened, errors, found, repaired, without_effect;
	uint64_t unrepaired, row_wrong, complaints, violations;
	uint64_t current[WORKERS_MAX];
} * shared;

static struct source {
	bool is_table;
	uint64_t seed, count, step;
} source;

#define COUNT(what) __atomic_fetch_add(&shared->what, 1, __ATOMIC_RELAXED)

static bool get_plan(uint64_t nr, struct plan *plan)
{
	if (source.is_table)
		return plan_of_table(stores, VARIANTS, nr * source.step, plan);
	plan_random(stores, VARIANTS, source.seed + nr, plan);
	return nr < source.count;
}

static void violation(uint64_t nr, const struct plan *plan, const char *what,
		      const char *detail)
{
	char text[TEXT_BYTES];

	plan_text(plan, text, sizeof(text));
	COUNT(violations);
	printf("VIOLATION %s %" PRIu64 " (%s): %s%s%s\n",
	       source.is_table ? "table" : "random",
	       source.is_table ? nr * source.step : source.seed + nr, text,
	       what, *detail ? ": " : "", detail);
	fflush(stdout);
}

/* About what cowd-fsck makes of it. */
static void complaint(uint64_t nr, const struct plan *plan, const char *what,
		      const char *detail)
{
	COUNT(complaints);
	if (!is_lenient)
		violation(nr, plan, what, detail);
}

static void damage_again(const struct plan *plan)
{
	fuzz_store_put_back(&stores[plan->variant]);
	plan_apply(plan, &stores[plan->variant]);
}

static int run_fsck(const struct fuzz_store *store, enum fsck_mode mode,
		    enum fsck_rebuild rebuild, struct fsck_result *result)
{
	const struct fsck_options options = {
		.path = store->path,
		.mode = mode,
		.rebuild = rebuild,
		.temporary = store->directory,
		.out = is_loud ? stdout : NULL,
		.verbose = is_loud,
	};

	return fsck_run(&options, result);
}

/* Nothing that fsck knows to belong there changed. */
static uint64_t files_sum(const struct fuzz_store *store)
{
	static uint8_t bytes[4 << 20];
	uint64_t sum = 0;
	char path[192];
	unsigned i;
	int fd;

	for (i = 0; i < store->file_count; i++) {
		ssize_t n = 0;

		snprintf(path, sizeof(path), "%s/%s", store->path,
			 store->files[i].name);
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd >= 0) {
			n = read(fd, bytes, sizeof(bytes));
			close(fd);
		}
		sum = block_checksum(sum, bytes, n > 0 ? (size_t)n : 0) +
		      (fd < 0);
	}
	return sum;
}

/* What can be seen by the core. */
static int look(uint64_t nr, const struct plan *plan, struct facts *seen,
		struct verdict *verdict)
{
	const struct fuzz_store *store = &stores[plan->variant];
	int rc = facts_learn(store->path, seen);

	memset(verdict, 0, sizeof(*verdict));
	if (rc < 0)
		return rc;
	COUNT(opened);
	facts_compare(&truth[plan->variant], seen, verdict);
	if (verdict->errors)
		COUNT(errors);
	if (is_loud)
		printf("core: %zu right, %zu errors, %zu missing, %zu wrong, "
		       "%s\n",
		       verdict->right, verdict->errors, verdict->missing,
		       verdict->wrong, verdict->text);
	if (plan_is_small(plan, store) && (verdict->wrong || verdict->missing))
		violation(nr, plan, "the core shows what is not so",
			  verdict->text);
	else if (verdict->wrong || verdict->missing)
		COUNT(row_wrong);
	return 0;
}

static bool all_right(int rc, const struct verdict *v)
{
	return rc == 0 && !v->errors && !v->missing && !v->wrong;
}

static void after_repair(uint64_t nr, const struct plan *plan,
			 const struct facts *before, int before_rc,
			 const struct fsck_result *repair)
{
	const struct fuzz_store *store = &stores[plan->variant];
	struct verdict verdict;
	struct facts after;
	char text[160];
	int rc = facts_learn(store->path, &after);

	if (rc < 0) {
		complaint(nr, plan, "it can't be opened after the repair",
			  facts_failure.message);
		return;
	}
	facts_compare(&truth[plan->variant], &after, &verdict);
	if (is_loud)
		printf("after: %zu right, %zu errors, %zu missing, %zu wrong, "
		       "%s\n",
		       verdict.right, verdict.errors, verdict.missing,
		       verdict.wrong, verdict.text);
	if (plan_is_small(plan, store) && verdict.wrong && !repair->lost_count)
		violation(nr, plan, "the repair made wrong what it shows",
			  verdict.text);
	if (plan_is_small(plan, store) && verdict.missing &&
	    !repair->lost_count)
		violation(nr, plan, "the repair lost something silently",
			  verdict.text);
	if (plan_is_data_only(plan, store) && before_rc == 0 &&
	    facts_lost(&truth[plan->variant], before, &after, text))
		violation(nr, plan, "the repair lost what could be read", text);
	facts_free(&after);
}

static void judge_fsck(uint64_t nr, const struct plan *plan,
		       const struct facts *before, int before_rc,
		       const struct verdict *verdict)
{
	const struct fuzz_store *store = &stores[plan->variant];
	struct fsck_result first, repair, second;
	uint64_t sum;

	damage_again(plan);
	sum = files_sum(store);
	run_fsck(store, FSCK_MODE_NO, FSCK_REBUILD_NO, &first);
	if (files_sum(store) != sum)
		violation(nr, plan, "fsck -n changed something", "");
	if (first.exit_code == 0 &&
	    (plan_has_rows(plan) ? before_rc < 0 || verdict->errors :
				   !all_right(before_rc, verdict)))
		complaint(nr, plan, "fsck -n finds nothing",
			  before_rc < 0 ? facts_failure.message :
					  verdict->text);
	if (first.exit_code == 0) {
		COUNT(without_effect);
		return;
	}
	COUNT(found);
	run_fsck(store, FSCK_MODE_YES, FSCK_REBUILD_NO, &repair);
	if (repair.exit_code & ~FSCK_EXIT_FIXED) {
		COUNT(unrepaired); /* it says so; what else could it do? */
		return;
	}
	run_fsck(store, FSCK_MODE_NO, FSCK_REBUILD_NO, &second);
	if (second.exit_code != 0) {
		complaint(nr, plan, "a second run finds something",
			  second.message);
		return;
	}
	COUNT(repaired);
	after_repair(nr, plan, before, before_rc, &repair);
}

static void judge(uint64_t nr, const struct plan *plan)
{
	struct verdict verdict;
	struct facts seen;
	int rc;

	COUNT(cases);
	damage_again(plan);
	rc = look(nr, plan, &seen, &verdict);
	if (is_loud)
		printf("core: opening: %d\n", rc);
	judge_fsck(nr, plan, &seen, rc, &verdict);
	facts_free(&seen);
}

/* --- workers */

static void move_to(struct fuzz_store *store, unsigned worker)
{
	char path[sizeof(store->path)], segments[sizeof(store->path) + 16];

	snprintf(path, sizeof(path), "%.63s/w%u", store->directory, worker);
	snprintf(segments, sizeof(segments), "%s/segments", path);
	(void)!mkdir(path, 0700);
	(void)!mkdir(segments, 0700);
	memcpy(store->path, path, sizeof(path));
}

static void work(unsigned worker, unsigned workers, uint64_t from)
{
	struct plan plan;
	uint64_t nr;
	unsigned i;

	for (i = 0; i < VARIANTS; i++)
		move_to(&stores[i], worker);
	for (nr = from; get_plan(nr, &plan); nr += workers) {
		shared->current[worker] = nr;
		alarm(SECONDS_A_CASE);
		judge(nr, &plan);
	}
	shared->current[worker] = UINT64_MAX;
	fflush(stdout);
	_exit(0);
}

static pid_t start(unsigned worker, unsigned workers, uint64_t from)
{
	pid_t pid;

	fflush(stdout);
	shared->current[worker] = from;
	pid = fork();
	FUZZ_ASSERT(pid >= 0);
	if (pid == 0)
		work(worker, workers, from);
	return pid;
}

/* A worker that crashed or hung has found something. */
static void run_all(unsigned workers)
{
	pid_t pids[WORKERS_MAX];
	unsigned left = workers, i;
	struct plan plan;
	char text[64];
	int status;

	for (i = 0; i < workers; i++)
		pids[i] = start(i, workers, i);
	while (left > 0) {
		pid_t pid = wait(&status);

		FUZZ_ASSERT(pid > 0);
		for (i = 0; i < workers && pids[i] != pid; i++)
			;
		if (i == workers)
			continue;
		if (shared->current[i] == UINT64_MAX) {
			left--;
			continue;
		}
		FUZZ_ASSERT(get_plan(shared->current[i], &plan));
		snprintf(text, sizeof(text), "status %d, signal %d",
			 WIFEXITED(status) ? WEXITSTATUS(status) : -1,
			 WIFSIGNALED(status) ? WTERMSIG(status) : 0);
		violation(shared->current[i], &plan, "it crashed, or hung",
			  text);
		pids[i] = start(i, workers, shared->current[i] + workers);
	}
}

static void make_stores(void)
{
	struct store *store;
	unsigned i;

	for (i = 0; i < VARIANTS; i++) {
		if (i < 2) {
			fuzz_store_new(&stores[i], i == 1);
		} else { /* the same, closed */
			stores[i] = stores[i - 2];
			fuzz_store_put_back(&stores[i]);
			FUZZ_ASSERT(store_open(stores[i].path, NULL, &store,
					       NULL) == 0);
			FUZZ_ASSERT(store_close(store) == 0);
			fuzz_store_take(&stores[i]);
		}
		fuzz_store_put_back(&stores[i]);
		FUZZ_ASSERT(facts_learn(stores[i].path, &truth[i]) == 0);
		FUZZ_ASSERT(truth[i].count > 50);
	}
}

static int one(const char *nr)
{
	struct plan plan;
	char text[TEXT_BYTES];

	source.step = source.count = 1;
	source.seed = source.is_table ? 0 : strtoull(nr, NULL, 10);
	is_loud = true;
	if (!get_plan(source.is_table ? strtoull(nr, NULL, 10) : 0, &plan))
		return 2;
	plan_text(&plan, text, sizeof(text));
	printf("%s: %s\n", stores[plan.variant].path, text);
	judge(source.is_table ? strtoull(nr, NULL, 10) : 0, &plan);
	return shared->violations > 0;
}

static int usage(void)
{
	fprintf(stderr,
		"usage: campaign [--lenient] table [STEP] | random SEED "
		"COUNT | one table|random NR\n");
	return 2;
}

int main(int argc, char **argv)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (argc > 1 && strcmp(argv[1], "--lenient") == 0) {
		is_lenient = true;
		argc--;
		argv++;
	}
	if (argc < 2)
		return usage();
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	FUZZ_ASSERT(shared != MAP_FAILED);
	make_stores();
	if (strcmp(argv[1], "one") == 0 && argc == 4) {
		source.is_table = strcmp(argv[2], "table") == 0;
		return one(argv[3]);
	}
	source.is_table = strcmp(argv[1], "table") == 0;
	source.step =
		argc > 2 && source.is_table ? strtoull(argv[2], NULL, 10) : 1;
	if (!source.is_table) {
		if (argc < 4)
			return usage();
		source.seed = strtoull(argv[2], NULL, 10);
		source.count = strtoull(argv[3], NULL, 10);
	}
	if (source.step == 0)
		return usage();
	run_all(cores > WORKERS_MAX ? WORKERS_MAX :
		cores > 0	    ? (unsigned)cores :
				      1);
	printf("%s: %" PRIu64 " cases: %" PRIu64 " opened by the core, %" PRIu64
	       " with errors, %" PRIu64 " beyond what checksums tell; fsck: "
	       "%" PRIu64 " without effect, %" PRIu64 " found, %" PRIu64
	       " repaired, %" PRIu64 " left with a message, %" PRIu64
	       " complaints; %" PRIu64 " violations\n",
	       argv[1], shared->cases, shared->opened, shared->errors,
	       shared->row_wrong, shared->without_effect, shared->found,
	       shared->repaired, shared->unrepaired, shared->complaints,
	       shared->violations);
	return shared->violations > 0;
}

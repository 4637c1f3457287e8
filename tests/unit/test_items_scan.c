/*
 * Scans: rows, items that a checkpoint saves, and newer ones are one sorted
 * list, compared with plain arrays.
 */
#include "core_items.h"

enum { INODES = 3, NAMES = 9, KEYS = INODES * NAMES, STATES = 8 };

/* In the order of keys; some begin as others do. */
static const char *const names[NAMES] = { "a",	 "a\001", "aa", "aaa", "ab",
					  "ab0", "b",	  "ba", "c" };

/* What a branch or a snapshot shows: a number for each key, 0: absent. */
struct shown {
	bool live;
	uint32_t snapshot; /* 0: the head of a branch */
	char branch[8];
	unsigned numbers[KEYS];
};

struct expected {
	const unsigned *numbers;
	uint64_t inode; /* 0: all */
	size_t nr;	/* of the next key */
};

static void skip_others(struct expected *expected)
{
	while (expected->nr < KEYS &&
	       (expected->numbers[expected->nr] == 0 ||
		(expected->inode &&
		 expected->nr / NAMES + 20 != expected->inode)))
		expected->nr++;
}

static int compare(void *context, const uint8_t *key, size_t key_bytes,
		   const struct item_copy *copy)
{
	struct expected *expected = context;
	uint8_t bytes[ITEM_KEY_BYTES_MAX];
	char text[16];

	skip_others(expected);
	assert_true(expected->nr < KEYS);
	assert_int_equal(key_bytes,
			 text_key(20 + expected->nr / NAMES,
				  names[expected->nr % NAMES], bytes));
	assert_memory_equal(key, bytes, key_bytes);
	snprintf(text, sizeof(text), "%u", expected->numbers[expected->nr]);
	assert_int_equal(copy->payload_bytes, 1 + strlen(text));
	assert_memory_equal(copy->payload + 1, text, strlen(text));
	expected->nr++;
	return 0;
}

static void check(struct view *view, const unsigned *numbers)
{
	uint8_t prefix[ITEM_PREFIX_BYTES];
	uint64_t inode;

	for (inode = 20; inode < 20 + INODES; inode++) {
		struct expected expected = { numbers, inode, 0 };

		item_key_prefix(inode, ITEM_TYPE_XATTR, prefix);
		assert_int_equal(items_scan(view->store, view->path, prefix,
					    sizeof(prefix), compare, &expected),
				 0);
		skip_others(&expected);
		assert_int_equal(expected.nr, KEYS);
	}
}

static struct view *open_shown(struct store_world *world,
			       const struct shown *shown)
{
	struct view *view;

	if (!shown->snapshot)
		return open_view(world, shown->branch);
	assert_ok(world, view_open_snapshot(world->store, shown->snapshot,
					    &view, &world->failure));
	return view;
}

static void check_all(struct store_world *world, const struct shown *shown)
{
	size_t i;

	for (i = 0; i < STATES; i++) {
		struct view *view;

		if (!shown[i].live)
			continue;
		view = open_shown(world, &shown[i]);
		check(view, shown[i].numbers);
		view_put(view);
	}
}

static void change(struct store_world *world, struct shown *shown)
{
	static unsigned next = 1;
	struct view *view = open_shown(world, shown);
	unsigned count = 1 + (unsigned)rand() % 6;
	struct batch edits = { 0 };
	char text[16];

	while (count-- > 0) {
		size_t nr = (size_t)rand() % KEYS;

		shown->numbers[nr] = rand() % 3 ? next++ : 0;
		snprintf(text, sizeof(text), "%u", shown->numbers[nr]);
		add_text(&edits, 20 + nr / NAMES, names[nr % NAMES],
			 shown->numbers[nr] ? text : NULL);
	}
	assert_int_equal(commit_edits(view, &edits), 0);
	view_put(view);
}

/* A snapshot of the branch, or a clone of it. */
static void keep(struct store_world *world, struct shown *shown, size_t from)
{
	static unsigned next = 1;
	struct snapshot_info info;
	char name[8];
	size_t nr;

	for (nr = 0; nr < STATES && shown[nr].live; nr++)
		;
	if (nr == STATES || shown[from].snapshot)
		return;
	shown[nr] = shown[from];
	snprintf(name, sizeof(name), "n%u", next++);
	if (rand() % 2) {
		memcpy(shown[nr].branch, name, sizeof(name));
		clone_branch(world, shown[from].branch, 0, shown[nr].branch);
		return;
	}
	assert_ok(world,
		  history_snapshot(world->store, shown[from].branch, name, NULL,
				   SNAPSHOT_KIND_MANUAL, &world_actor, &info,
				   &world->failure));
	shown[nr].snapshot = info.id;
}

/* A checkpoint's steps, one at a time, so that a scan comes between them. */
static void go_on(struct store *store, unsigned *step)
{
	if (*step == 0) {
		mutex_lock(&store->order_lock);
		items_begin_save_locked(store);
		mutex_unlock(&store->order_lock);
	} else if (*step == 1) {
		assert_int_equal(items_save(store), 0);
	} else {
		items_end_save(store);
	}
	*step = (*step + 1) % 3;
}

static void test_scans_show_what_plain_arrays_hold(void **state)
{
	struct store_world *world = *state;
	struct shown shown[STATES] = { { .live = true, .branch = "main" } };
	unsigned round, step = 0;

	srand(1);
	for (round = 0; round < 1500; round++) {
		size_t nr = (size_t)rand() % STATES;
		int dice = rand() % 10;

		if (!shown[nr].live)
			continue;
		if (dice < 6 && !shown[nr].snapshot)
			change(world, &shown[nr]);
		else if (dice == 6 && rand() % 4 == 0)
			keep(world, shown, nr);
		else if (dice == 7)
			go_on(world->store, &step);
		if (round % 10 == 9)
			check_all(world, shown);
	}
	while (step)
		go_on(world->store, &step);
	assert_int_equal(store_checkpoint(world->store), 0);
	check_all(world, shown);
	world_crash(world);
	check_all(world, shown);
}

static void test_a_prefix_may_be_a_key_itself(void **state)
{
	struct store_world *world = *state;
	unsigned numbers[KEYS] = { 0 };
	uint8_t key[ITEM_KEY_BYTES_MAX];
	size_t key_bytes = text_key(20, "a", key), saved;

	put_text(world, 20, "a", "1");
	put_text(world, 20, "ab", "5");
	put_text(world, 20, "b", "7");
	numbers[0] = 1;
	numbers[4] = 5;
	for (saved = 0; saved < 2; saved++) {
		struct expected expected = { numbers, 20, 0 };

		assert_int_equal(items_scan(world->store, world->view->path,
					    key, key_bytes, compare, &expected),
				 0);
		assert_int_equal(expected.nr, 5);
		assert_int_equal(store_checkpoint(world->store), 0);
	}
}

/* --- a checkpoint in the midst --- */

enum { MANY = 1500 };

struct walk {
	struct store_world *world;
	unsigned count;
	unsigned stop_at; /* 0: at the end */
};

static void many_name(unsigned nr, char name[16])
{
	snprintf(name, 16, "name%06u", nr);
}

/* Of every third the second version is newer. */
static const char *many_text(unsigned nr)
{
	return nr % 3 ? "first" : "second";
}

static int walk(void *context, const uint8_t *key, size_t key_bytes,
		const struct item_copy *copy)
{
	struct walk *walk = context;
	uint8_t expected[ITEM_KEY_BYTES_MAX];
	char name[16];

	many_name(walk->count, name);
	assert_int_equal(key_bytes, text_key(20, name, expected));
	assert_memory_equal(key, expected, key_bytes);
	assert_memory_equal(copy->payload + 1, many_text(walk->count),
			    strlen(many_text(walk->count)));
	walk->count++;
	if (walk->count % 311 == 5)
		assert_int_equal(store_checkpoint(walk->world->store), 0);
	/* What the next checkpoint will move; behind us, and before us. */
	put_text(walk->world, 19, name, "other");
	many_name(walk->count < MANY - 9 ? walk->count + 9 : 0, name);
	put_text(walk->world, 20, name,
		 many_text(walk->count < MANY - 9 ? walk->count + 9 : 0));
	return walk->count == walk->stop_at ? -EINTR : 0;
}

static void put_many(struct store_world *world)
{
	struct batch edits = { 0 };
	char name[16];
	unsigned i;

	for (i = 0; i < MANY; i++) {
		many_name(i, name);
		add_text(&edits, 20, name, "first");
	}
	assert_int_equal(commit_edits(world->view, &edits), 0);
	assert_int_equal(store_checkpoint(world->store), 0);
	for (i = 0; i < MANY; i += 3) {
		many_name(i, name);
		add_text(&edits, 20, name, "second");
	}
	assert_int_equal(commit_edits(world->view, &edits), 0);
}

/* I1 */
static void test_a_checkpoint_in_the_midst_changes_nothing(void **state)
{
	struct store_world *world = *state;
	struct walk context = { .world = world };
	uint8_t prefix[ITEM_PREFIX_BYTES];

	put_many(world);
	item_key_prefix(20, ITEM_TYPE_XATTR, prefix);
	assert_int_equal(items_scan(world->store, world->view->path, prefix,
				    sizeof(prefix), walk, &context),
			 0);
	assert_int_equal(context.count, MANY);
	context = (struct walk){ .world = world, .stop_at = 700 };
	assert_int_equal(items_scan(world->store, world->view->path, prefix,
				    sizeof(prefix), walk, &context),
			 -EINTR);
	assert_int_equal(context.count, 700);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_scans_show_what_plain_arrays_hold),
		WORLD_TEST(test_a_prefix_may_be_a_key_itself),
		WORLD_TEST(test_a_checkpoint_in_the_midst_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

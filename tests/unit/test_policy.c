/* Which automatic snapshots the keep.* rules keep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "policy.h"

#define S INT64_C(1000000000)
#define HOUR (3600 * S)
#define DAY (24 * HOUR)
/* 2026-11-18 00:00 UTC, a Wednesday. */
#define START (INT64_C(1794960000) * S)

enum { MOST = 64 };

struct world {
	struct snapshot_info *list;
	size_t count;
	struct store_config config;
	bool keep[MOST];
};

static int setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	world->list = calloc(MOST, sizeof(*world->list));
	config_defaults(&world->config);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	free(world->list);
	free(world);
	return 0;
}

static struct snapshot_info *add(struct world *world, int64_t created_ns)
{
	struct snapshot_info *info = &world->list[world->count++];

	info->id = (uint32_t)world->count;
	info->kind = SNAPSHOT_KIND_AUTO;
	info->state = SNAPSHOT_STATE_LIVE;
	info->created_ns = created_ns;
	return info;
}

/* kept: one letter for each snapshot, K or -. */
static void assert_kept(struct world *world, const char *kept)
{
	char text[MOST + 1];
	size_t i;

	policy_prune(world->list, world->count, &world->config,
		     START + 1000 * DAY, world->keep);
	for (i = 0; i < world->count; i++)
		text[i] = world->keep[i] ? 'K' : '-';
	text[i] = '\0';
	assert_string_equal(text, kept);
}

static void test_without_rules_all_are_kept(void **state)
{
	struct world *world = *state;
	int i;

	for (i = 0; i < 4; i++)
		add(world, START + i * DAY);
	assert_kept(world, "KKKK");
}

static void test_keep_last_keeps_the_newest(void **state)
{
	struct world *world = *state;
	int i;

	for (i = 0; i < 5; i++)
		add(world, START + i * S);
	world->config.keep_last = 2;
	assert_kept(world, "---KK");
	world->config.keep_last = 100;
	assert_kept(world, "KKKKK");
}

static void test_hourly_keeps_the_last_of_each_hour_that_has_any(void **state)
{
	struct world *world = *state;

	add(world, START);
	add(world, START + HOUR - 1);
	add(world, START + HOUR);
	add(world, START + 9 * HOUR);
	add(world, START + 9 * HOUR + 5 * S);
	world->config.keep_hourly = 2;
	assert_kept(world, "--K-K");
	world->config.keep_hourly = 3;
	assert_kept(world, "-KK-K");
}

static void test_rules_add_up(void **state)
{
	struct world *world = *state;
	int i;

	for (i = 0; i < 6; i++)
		add(world, START + i * DAY / 2);
	world->config.keep_daily = 2;
	assert_kept(world, "---K-K");
	world->config.keep_last = 2;
	assert_kept(world, "---KKK");
}

static void test_weeks_begin_on_monday_and_months_on_the_first(void **state)
{
	struct world *world = *state;

	add(world, START);	      /* Wed 18 */
	add(world, START + 4 * DAY);  /* Sun 22 */
	add(world, START + 5 * DAY);  /* Mon 23 */
	add(world, START + 12 * DAY); /* Mon 30 */
	add(world, START + 13 * DAY); /* Tue, 1 December */
	world->config.keep_weekly = 9;
	assert_kept(world, "-KK-K");
	world->config.keep_weekly = 0;
	world->config.keep_monthly = 9;
	assert_kept(world, "---KK");
}

static void test_only_idle_automatic_ones_go(void **state)
{
	struct world *world = *state;

	add(world, START)->kind = SNAPSHOT_KIND_MANUAL;
	add(world, START + 1)->kind = SNAPSHOT_KIND_ROLLBACK;
	add(world, START + 2)->hold_count = 1;
	add(world, START + 3)->clone_count = 1;
	add(world, START + 4)->state = SNAPSHOT_STATE_TRASH;
	add(world, START + 5);
	add(world, START + 6);
	add(world, START + 2000 * DAY); /* the clock was wrong */
	world->config.keep_last = 1;
	assert_kept(world, "KKKKK--K");
}

static void test_manual_ones_do_not_use_up_a_rule(void **state)
{
	struct world *world = *state;

	add(world, START);
	add(world, START + 1);
	add(world, START + 2)->kind = SNAPSHOT_KIND_MANUAL;
	world->config.keep_last = 1;
	assert_kept(world, "-KK");
}

static void test_an_empty_list(void **state)
{
	struct world *world = *state;

	world->config.keep_last = 1;
	assert_kept(world, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_without_rules_all_are_kept,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_keep_last_keeps_the_newest,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_hourly_keeps_the_last_of_each_hour_that_has_any,
			setup, teardown),
		cmocka_unit_test_setup_teardown(test_rules_add_up, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			test_weeks_begin_on_monday_and_months_on_the_first,
			setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_only_idle_automatic_ones_go, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_manual_ones_do_not_use_up_a_rule, setup, teardown),
		cmocka_unit_test_setup_teardown(test_an_empty_list, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

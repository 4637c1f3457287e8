/* Waiting awake for what comes at once: linger.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "linger.h"

struct world {
	struct linger linger;
	int ends[2];
};

static int begin(void **state)
{
	static struct world world;

	linger_init(&world.linger);
	world.linger.never = false;
	assert_int_equal(pipe(world.ends), 0);
	*state = &world;
	return 0;
}

static int end(void **state)
{
	struct world *world = *state;

	close(world->ends[0]);
	close(world->ends[1]);
	return 0;
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The shortest of several: others may be in the way. */
static int64_t shortest_ns(struct world *world, unsigned trust)
{
	int64_t shortest = INT64_MAX, begin_ns, took;

	for (int i = 0; i < 20; i++) {
		world->linger = (struct linger){ .trust = trust, .pause = 16 };
		begin_ns = now_ns();
		linger_wait(&world->linger, world->ends[0]);
		took = now_ns() - begin_ns;
		shortest = took < shortest ? took : shortest;
	}
	return shortest;
}

static void test_what_is_there_ends_it_at_once(void **state)
{
	struct world *world = *state;

	assert_int_equal(write(world->ends[1], "x", 1), 1);
	assert_true(shortest_ns(world, 8) < 90000);
}

static void test_it_waits_a_moment_and_no_longer(void **state)
{
	struct world *world = *state;
	int64_t took = shortest_ns(world, 8);

	assert_true(took >= 100000);
	assert_true(took < 10000000);
}

static void test_without_trust_it_is_left_out(void **state)
{
	assert_true(shortest_ns(*state, 0) < 90000);
}

static void test_what_does_not_pay_is_done_ever_less_often(void **state)
{
	struct world *world = *state;
	unsigned i, tried = 0;

	for (i = 0; i < 10000; i++) {
		linger_wait(&world->linger, world->ends[0]);
		tried += world->linger.left_out == 0;
	}
	assert_int_not_equal(tried, 0);
	assert_true(tried < 20);
}

static void *write_late(void *context)
{
	const struct world *world = context;

	usleep(1); /* and some 50 us more */
	return write(world->ends[1], "x", 1) == 1 ? NULL : context;
}

static void test_what_is_waited_for_earns_trust(void **state)
{
	struct world *world = *state;
	unsigned earned = 0, i;
	pthread_t writer;
	char byte;

	for (i = 0; i < 2000 && earned == 0; i++) {
		world->linger = (struct linger){ .trust = 1 };
		pthread_create(&writer, NULL, write_late, world);
		linger_wait(&world->linger, world->ends[0]);
		earned = world->linger.trust > 1;
		pthread_join(writer, NULL);
		assert_int_equal(read(world->ends[0], &byte, 1), 1);
	}
	assert_int_equal(earned, 1);
}

static void test_what_is_there_earns_none(void **state)
{
	struct world *world = *state;

	assert_int_equal(write(world->ends[1], "x", 1), 1);
	for (unsigned i = 0; i < 100; i++)
		linger_wait(&world->linger, world->ends[0]);
	assert_int_equal(world->linger.trust, 0);
}

static void test_one_processor_leaves_it_out(void **state)
{
	struct world *world = *state;
	cpu_set_t before, one;
	int cpu = 0;

	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	while (!CPU_ISSET(cpu, &before))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	linger_init(&world->linger);
	assert_true(world->linger.never);
	linger_wait(&world->linger, world->ends[0]);
	assert_int_equal(world->linger.pause, 0);
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_what_is_there_ends_it_at_once, begin, end),
		cmocka_unit_test_setup_teardown(
			test_it_waits_a_moment_and_no_longer, begin, end),
		cmocka_unit_test_setup_teardown(
			test_without_trust_it_is_left_out, begin, end),
		cmocka_unit_test_setup_teardown(
			test_what_does_not_pay_is_done_ever_less_often, begin,
			end),
		cmocka_unit_test_setup_teardown(
			test_what_is_waited_for_earns_trust, begin, end),
		cmocka_unit_test_setup_teardown(test_what_is_there_earns_none,
						begin, end),
		cmocka_unit_test_setup_teardown(
			test_one_processor_leaves_it_out, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

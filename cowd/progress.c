/* How far long work is: drawn, printed or told to programs. */
#include "progress.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "json_out.h"

#define NS_PER_S INT64_C(1000000000)

enum { BAR_WIDTH = 28 };

static volatile sig_atomic_t is_asked;

static void on_ask(int number)
{
	(void)number;
	is_asked = 1;
}

static int64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

void progress_begin(struct progress *progress)
{
	struct sigaction action = { .sa_handler = on_ask,
				    .sa_flags = SA_RESTART };

	progress->started_ns = monotonic_ns();
	progress->shown_ns = 0;
	progress->is_drawn = false;
	sigaction(SIGUSR1, &action, NULL);
}

static int64_t interval_ns(bool is_json)
{
	const char *text = getenv("COWD_PROGRESS_FPS");
	long fps = text ? strtol(text, NULL, 10) : 0;

	if (is_json || !text)
		return is_json ? NS_PER_S : NS_PER_S / 10;
	return fps > 0 && fps <= 60 ? NS_PER_S / fps : INT64_MAX;
}

static int64_t seconds_left(const struct progress *progress, int64_t now_ns,
			    uint64_t done, uint64_t total)
{
	double passed = (double)(now_ns - progress->started_ns) / 1e9;

	if (done == 0 || done >= total)
		return 0;
	return (int64_t)(passed * (double)(total - done) / (double)done);
}

static void print_json(const struct progress *progress, int64_t now_ns,
		       uint64_t done, uint64_t total)
{
	json_t *line = json_pack(
		"{s:s, s:s, s:f, s:o, s:o, s:o}", "schema", "cowd/progress/1",
		"operation", progress->operation, "percent",
		total ? 100.0 * (double)done / (double)total : 0.0, "done",
		json_size(done), "total", json_size(total), "eta_seconds",
		json_size(
			(uint64_t)seconds_left(progress, now_ns, done, total)));

	(void)json_print(line, true, stderr);
	json_decref(line);
}

static void print_line(const struct progress *progress, int64_t now_ns,
		       uint64_t done, uint64_t total)
{
	unsigned percent =
		total ? (unsigned)((double)done * 100.0 / (double)total) : 0;
	unsigned filled = percent * BAR_WIDTH / 100, i;
	char bar[BAR_WIDTH + 1];

	for (i = 0; i < BAR_WIDTH; i++)
		bar[i] = i < filled ? '=' : i == filled ? '>' : ' ';
	bar[BAR_WIDTH] = '\0';
	fprintf(stderr, "%s [%s] %u%%  ETA %lld s", progress->operation, bar,
		percent > 100 ? 100 : percent,
		(long long)seconds_left(progress, now_ns, done, total));
}

int progress_report(void *context, uint64_t done, uint64_t total)
{
	struct progress *progress = context;
	int64_t now_ns = monotonic_ns();

	if (*progress->interrupted)
		return -EINTR;
	if (is_asked) {
		is_asked = 0;
		if (progress->is_drawn)
			fputs("\r\033[K", stderr);
		print_line(progress, now_ns, done, total);
		fputc('\n', stderr);
	}
	if (now_ns - progress->started_ns < NS_PER_S / 2 ||
	    now_ns - progress->shown_ns < interval_ns(progress->is_json) ||
	    progress->is_quiet)
		return 0;
	if (progress->is_json) {
		print_json(progress, now_ns, done, total);
	} else if (isatty(STDERR_FILENO)) {
		fputs("\r", stderr);
		print_line(progress, now_ns, done, total);
		fputs("\033[K", stderr);
		fflush(stderr);
		progress->is_drawn = true;
	}
	progress->shown_ns = now_ns;
	return 0;
}

void progress_end(struct progress *progress)
{
	if (progress->is_drawn)
		fputs("\r\033[K", stderr);
	signal(SIGUSR1, SIG_IGN);
}

/* Formatting for people; no state, no output of its own. */
#include "human.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_PER_S INT64_C(1000000000)

void human_size(uint64_t size_bytes, char *text, size_t text_bytes)
{
	static const char units[] = "BKMGTPE";
	unsigned __int128 tenths;
	size_t unit = 0;

	while (unit < 6 && (size_bytes >> (10 * unit)) >= 1024)
		unit++;
	tenths = ((unsigned __int128)size_bytes * 10 +
		  ((UINT64_C(1) << (10 * unit)) >> 1)) >>
		 (10 * unit);
	if (tenths >= 10240 && unit < 6) { /* 1023.97K is 1M */
		unit++;
		tenths = 10;
	}
	if (unit == 0 || tenths % 10 == 0 || tenths >= 1000)
		snprintf(text, text_bytes, "%" PRIu64 "%c",
			 (uint64_t)((tenths + 5) / 10), units[unit]);
	else
		snprintf(text, text_bytes, "%" PRIu64 ".%u%c",
			 (uint64_t)(tenths / 10), (unsigned)(tenths % 10),
			 units[unit]);
}

static const struct {
	int64_t seconds;
	const char *name;
} spans[] = {
	{ 31557600, "year" }, { 2629800, "month" }, { 604800, "week" },
	{ 86400, "day" },     { 3600, "hour" },	    { 60, "minute" },
	{ 1, "second" },
};

/* "2 minutes" of the largest unit that fits twice, or is the only one. */
static void span_text(int64_t seconds, char *text, size_t text_bytes)
{
	size_t i = 0;
	int64_t count;

	while (i < 6 &&
	       seconds < spans[i].seconds * (spans[i].seconds > 60 ? 2 : 1))
		i++;
	count = seconds / spans[i].seconds;
	snprintf(text, text_bytes, "%" PRId64 " %s%s", count, spans[i].name,
		 count == 1 ? "" : "s");
}

void human_ago(int64_t then_ns, int64_t now_ns, char *text, size_t text_bytes)
{
	bool is_past = then_ns <= now_ns;
	/* A damaged store has times that are further apart than 2^63. */
	uint64_t apart_ns = is_past ? (uint64_t)now_ns - (uint64_t)then_ns :
				      (uint64_t)then_ns - (uint64_t)now_ns;
	int64_t seconds = (int64_t)(apart_ns / (uint64_t)NS_PER_S);
	char span[48];

	if (seconds == 0) {
		snprintf(text, text_bytes, "now");
		return;
	}
	span_text(seconds, span, sizeof(span));
	snprintf(text, text_bytes, is_past ? "%s ago" : "in %s", span);
}

void human_time(int64_t then_ns, int64_t now_ns, enum time_style style,
		char *text, size_t text_bytes)
{
	time_t seconds = (time_t)(then_ns / NS_PER_S);
	struct tm tm;

	switch (style) {
	case TIME_STYLE_RELATIVE:
		human_ago(then_ns, now_ns, text, text_bytes);
		return;
	case TIME_STYLE_UNIX:
		snprintf(text, text_bytes, "%lld", (long long)seconds);
		return;
	case TIME_STYLE_ISO:
		if (!localtime_r(&seconds, &tm) ||
		    strftime(text, text_bytes, "%Y-%m-%dT%H:%M:%S%z", &tm) == 0)
			snprintf(text, text_bytes, "-");
		return;
	}
	abort();
}

void human_duration(uint64_t ns, char *text, size_t text_bytes)
{
	if (ns < UINT64_C(10000))
		snprintf(text, text_bytes, "%" PRIu64 " ns", ns);
	else if (ns < UINT64_C(1000000))
		snprintf(text, text_bytes, "%" PRIu64 " us", ns / 1000);
	else if (ns < UINT64_C(1000000000))
		snprintf(text, text_bytes, "%" PRIu64 " ms", ns / 1000000);
	else if (ns < UINT64_C(60000000000))
		snprintf(text, text_bytes, "%.1f s", (double)ns / 1e9);
	else
		span_text((int64_t)(ns / (uint64_t)NS_PER_S), text, text_bytes);
}

void human_rfc3339(int64_t ns, char *text, size_t text_bytes)
{
	int64_t whole = ns / NS_PER_S, rest = ns % NS_PER_S;
	char stamp[32];
	time_t seconds;
	struct tm tm;

	if (rest < 0) {
		whole--;
		rest += NS_PER_S;
	}
	seconds = (time_t)whole;
	gmtime_r(&seconds, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, text_bytes, "%s.%03dZ", stamp, (int)(rest / 1000000));
}

bool human_parse_rfc3339(const char *text, int64_t *out_ns)
{
	int milliseconds = 0;
	int64_t ns;
	struct tm tm = { 0 };
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

	if (!end)
		return false;
	if (*end == '.' &&
	    (sscanf(end, ".%3dZ", &milliseconds) != 1 || strlen(end) != 5))
		return false;
	if (end[strlen(end) - 1] != 'Z')
		return false;
	return !__builtin_mul_overflow((int64_t)timegm(&tm), NS_PER_S, &ns) &&
	       !__builtin_add_overflow(ns, milliseconds * INT64_C(1000000),
				       out_ns);
}

int64_t human_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* Places and names as text that may be shown, and the line of progress. */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "check.h"

/* Bytes and code point of the character that begins here; 0: no UTF-8. */
static unsigned decode(const unsigned char *c, size_t len_bytes,
		       uint32_t *out_point)
{
	unsigned count = c[0] < 0x80		     ? 1 :
			 c[0] >= 0xc2 && c[0] < 0xe0 ? 2 :
			 c[0] >= 0xe0 && c[0] < 0xf0 ? 3 :
			 c[0] >= 0xf0 && c[0] < 0xf5 ? 4 :
						       0;
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t point = count == 1 ? c[0] : c[0] & (0x7fU >> count);
	unsigned i;

	if (count == 0 || count > len_bytes)
		return 0;
	for (i = 1; i < count; i++) {
		if ((c[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (c[i] & 0x3fU);
	}
	if (point < least[count] || point > 0x10ffff ||
	    (point >= 0xd800 && point < 0xe000))
		return 0;
	*out_point = point;
	return count;
}

/* Would it do something to a terminal, or to the order of what is read? */
static bool is_control(uint32_t point)
{
	return point < 0x20 || (point >= 0x7f && point < 0xa0) ||
	       point == 0x61c || (point >= 0x200b && point <= 0x200f) ||
	       (point >= 0x2028 && point <= 0x202e) ||
	       (point >= 0x2066 && point <= 0x2069) || point == 0xfeff;
}

void report_escape(const char *from, size_t len_bytes, char *text,
		   size_t text_bytes)
{
	const unsigned char *c = (const unsigned char *)from;
	size_t used = 0, i = 0;

	if (len_bytes == SIZE_MAX)
		len_bytes = strlen(from);
	while (i < len_bytes) {
		uint32_t point = 0;
		unsigned k, count = decode(c + i, len_bytes - i, &point);
		bool plain = count > 0 && !is_control(point) && point != '\\';
		unsigned bytes = count > 0 ? count : 1;
		size_t need = plain ? bytes : 4 * (size_t)bytes;

		if (used + need >= text_bytes)
			break;
		if (plain)
			memcpy(text + used, c + i, bytes);
		for (k = 0; !plain && k < bytes; k++)
			snprintf(text + used + 4 * (size_t)k, 5, "\\%03o",
				 c[i + k]);
		used += need;
		i += bytes;
	}
	text[used] = '\0';
}

static void add(char *text, size_t text_bytes, const char *format, ...)
	PRINTF_LIKE(3, 4);
static void add(char *text, size_t text_bytes, const char *format, ...)
{
	size_t used = strlen(text);
	va_list arguments;

	if (used > 0 && used + 2 < text_bytes) {
		memcpy(text + used, ", ", 3);
		used += 2;
	}
	va_start(arguments, format);
	vsnprintf(text + used, text_bytes - used, format, arguments);
	va_end(arguments);
}

void report_place(const struct problem_where *where, char *text,
		  size_t text_bytes)
{
	char branch[512] = "", name[512] = "";

	text[0] = '\0';
	if (where->branch)
		report_escape(where->branch, SIZE_MAX, branch, sizeof(branch));
	if (where->snapshot)
		report_escape(where->snapshot, SIZE_MAX, name, sizeof(name));
	if (where->branch || where->snapshot)
		add(text, text_bytes, "%s%s%s", branch,
		    where->snapshot ? "@" : "", name);
	if (where->file) {
		report_escape(where->file, SIZE_MAX, name, sizeof(name));
		add(text, text_bytes, "%s", name);
	}
	if (where->path) {
		report_escape(where->path, SIZE_MAX, name, sizeof(name));
		add(text, text_bytes, "%s", name);
	}
	if (where->inode)
		add(text, text_bytes, "inode %" PRIu64, where->inode);
	if (where->has_offset)
		add(text, text_bytes, "offset %" PRIu64, where->offset_bytes);
	if (where->line || where->gen)
		add(text, text_bytes, "line %" PRIu32 " generation %" PRIu32,
		    where->line, where->gen);
	if (where->segment && where->block)
		add(text, text_bytes, "segment %08" PRIx32 " block %" PRIu32,
		    where->segment, where->block);
	else if (where->segment)
		add(text, text_bytes, "segment %08" PRIx32, where->segment);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) +
	       (uint64_t)now.tv_nsec;
}

static void write_line(struct check *check, FILE *out, uint64_t done,
		       uint64_t total, uint64_t elapsed_ns)
{
	const struct pass *pass = check->report.pass;
	double part = total > 0 ? (double)done / (double)total : 0;
	double left = part > 0.001 ?
			      (double)elapsed_ns / 1e9 * (1 - part) / part :
			      -1;

	fprintf(out, "pass %u: %s: %3.0f%%", pass->number, pass->title,
		100 * part);
	if (left >= 0)
		fprintf(out, ", %.0f s left", left);
}

/* UINT64_MAX: takes the line away. */
void report_progress(struct check *check, uint64_t done, uint64_t total)
{
	const struct fsck_options *options = check->options;
	struct report *report = &check->report;
	uint64_t now;

	if (done == UINT64_MAX) {
		if (report->line_shown)
			fputs("\r\033[K", options->progress);
		report->line_shown = false;
		return;
	}
	now = now_ns();
	if (report->pass_started_ns == 0)
		report->pass_started_ns = now;
	if (options->tell && *options->tell) {
		*options->tell = 0;
		write_line(check, stderr, done, total,
			   now - report->pass_started_ns);
		fputc('\n', stderr);
	}
	if (now - report->shown_ns < UINT64_C(200000000) ||
	    now - report->pass_started_ns < UINT64_C(500000000))
		return;
	report->shown_ns = now;
	if (options->progress) {
		fputs("\r\033[K", options->progress);
		write_line(check, options->progress, done, total,
			   now - report->pass_started_ns);
		fflush(options->progress);
		report->line_shown = true;
	}
	if (options->progress_pipe) {
		fprintf(options->progress_pipe,
			"%u %" PRIu64 " %" PRIu64 " %s\n", report->pass->number,
			done, total, check->path);
		fflush(options->progress_pipe);
	}
}

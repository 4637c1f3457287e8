/*
 * The report, as text or as one JSON document that is written piece by piece,
 * so that its length costs no memory.
 */
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"

enum { CHANGES_MAX = 100 }; /* of one problem in JSON */

int report_begin(struct check *check)
{
	struct report *report = &check->report;
	FILE *out = check->options->out;
	char path[PATH_MAX];

	report->counts = calloc(problem_row_count, sizeof(*report->counts));
	if (!report->counts)
		return -ENOMEM;
	if (!out)
		return 0;
	if (check->options->json) {
		fprintf(out, "{\"schema\": \"%s\", \"problems\": [",
			"cowd/fsck/1");
		return 0;
	}
	report_escape(check->path, SIZE_MAX, path, sizeof(path));
	fprintf(out, "cowd-fsck %s: %s, not in use\n", COWD_VERSION, path);
	return 0;
}

void report_fini(struct check *check)
{
	free(check->report.counts);
	check->report.counts = NULL;
	json_decref(check->report.pending);
	check->report.pending = NULL;
}

void report_pass_begin(struct check *check, const struct pass *pass)
{
	check->report.pass = pass;
	check->report.titled = false;
	check->report.pass_found_count = 0;
	check->report.pass_started_ns = 0;
}

/* The object before goes out when the next one comes. */
static void flush_pending(struct check *check)
{
	struct report *report = &check->report;
	FILE *out = check->options->out;
	char *text;

	if (!report->pending)
		return;
	text = json_dumps(report->pending, JSON_ENSURE_ASCII);
	if (text && out)
		fprintf(out, "%s\n  %s", report->json_began ? "," : "", text);
	report->json_began = true;
	free(text);
	json_decref(report->pending);
	report->pending = NULL;
}

void report_pass_end(struct check *check)
{
	struct report *report = &check->report;
	FILE *out = check->options->out;

	report_progress(check, UINT64_MAX, UINT64_MAX);
	if (!out || check->options->json)
		return;
	if (!report->titled)
		fprintf(out, "Pass %u: %-48s ok\n", report->pass->number,
			report->pass->title);
	fflush(out);
}

static void write_title(struct check *check)
{
	struct report *report = &check->report;

	if (report->titled || !report->pass)
		return;
	report->titled = true;
	fprintf(check->options->out, "Pass %u: %s\n", report->pass->number,
		report->pass->title);
}

static const char *outcome(struct check *check, const struct problem_row *row,
			   bool fix)
{
	if (check->options->mode == FSCK_MODE_NO)
		return row->class == PROBLEM_CLASS_LOSES ? "-y would" :
							   "-p would";
	if (fix)
		return "done";
	return row->class == PROBLEM_CLASS_LOSES ? "left; -y would" : "left";
}

static void write_outcome(struct check *check, const struct problem_row *row,
			  bool fix)
{
	FILE *out = check->options->out;

	if (row->class == PROBLEM_CLASS_NOTE)
		return;
	if (row->class == PROBLEM_CLASS_NONE)
		fputs("      can't be repaired\n", out);
	else if (row->loses)
		fprintf(out, "      %s: %s; lost: %s\n",
			outcome(check, row, fix), row->fix, row->loses);
	else
		fprintf(out, "      %s: %s\n", outcome(check, row, fix),
			row->fix);
}

static void write_text(struct check *check, const struct problem_row *row,
		       const struct problem_where *where, const char *detail,
		       bool fix)
{
	uint64_t count = ++check->report.counts[row - problem_rows];
	FILE *out = check->options->out;
	char place[1024], shown[1024];

	check->report.show_changes = check->options->verbose ||
				     count <= REPORT_CODE_LINES_MAX;
	if (!check->report.show_changes) {
		if (count == REPORT_CODE_LINES_MAX + 1)
			fprintf(out, "  more of [%s]: -v lists them\n",
				row->code);
		return;
	}
	report_place(where, place, sizeof(place));
	report_escape(detail, SIZE_MAX, shown, sizeof(shown));
	fprintf(out, "  %s%s%s%s%s  [%s]\n", place, place[0] ? ": " : "",
		row->text, shown[0] ? ": " : "", shown, row->code);
	if (check->options->mode != FSCK_MODE_ASK)
		write_outcome(check, row, fix);
}

static json_t *text_or_null(const char *text)
{
	char shown[4096];

	if (!text || !text[0])
		return json_null();
	report_escape(text, SIZE_MAX, shown, sizeof(shown));
	return json_string(shown);
}

static json_t *number_or_null(uint64_t number, bool known)
{
	return known ? json_integer((json_int_t)number) : json_null();
}

static void keep_json(struct check *check, const struct problem_row *row,
		      const struct problem_where *where, const char *detail,
		      bool fix)
{
	json_t *object = json_object();

	flush_pending(check);
	json_object_set_new(object, "number", json_integer(row->number));
	json_object_set_new(object, "code", json_string(row->code));
	json_object_set_new(object, "severity",
			    json_string(problem_severity_slug(row->severity)));
	json_object_set_new(object, "fixable",
			    json_string(problem_class_slug(row->class)));
	json_object_set_new(object, "fixed",
			    json_boolean(fix &&
					 check->options->mode != FSCK_MODE_NO));
	json_object_set_new(object, "message", json_string(row->text));
	json_object_set_new(object, "detail", text_or_null(detail));
	json_object_set_new(object, "fix", text_or_null(row->fix));
	json_object_set_new(object, "loses", text_or_null(row->loses));
	json_object_set_new(object, "file", text_or_null(where->file));
	json_object_set_new(object, "branch", text_or_null(where->branch));
	json_object_set_new(object, "snapshot", text_or_null(where->snapshot));
	json_object_set_new(object, "path", text_or_null(where->path));
	json_object_set_new(object, "inode",
			    number_or_null(where->inode, where->inode != 0));
	json_object_set_new(object, "offset_bytes",
			    number_or_null(where->offset_bytes,
					   where->has_offset));
	json_object_set_new(object, "segment",
			    number_or_null(where->segment,
					   where->segment != 0));
	json_object_set_new(object, "block",
			    number_or_null(where->block, where->segment != 0));
	json_object_set_new(object, "changes", json_array());
	check->report.pending = object;
}

void report_problem(struct check *check, const struct problem_row *row,
		    const struct problem_where *where, const char *detail,
		    bool fix)
{
	if (!check->options->out)
		return;
	report_progress(check, UINT64_MAX, UINT64_MAX);
	if (check->options->json) {
		keep_json(check, row, where, detail, fix);
		return;
	}
	write_title(check);
	write_text(check, row, where, detail, fix);
}

void report_change(struct check *check, const char *format, ...)
{
	struct report *report = &check->report;
	char text[512], shown[600];
	va_list arguments;

	if (!check->options->out)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	report_escape(text, SIZE_MAX, shown, sizeof(shown));
	if (report->pending) {
		json_t *list = json_object_get(report->pending, "changes");

		if (json_array_size(list) < CHANGES_MAX)
			json_array_append_new(list, json_string(shown));
	} else if (!check->options->json && report->show_changes &&
		   (check->options->verbose ||
		    check->options->mode == FSCK_MODE_NO)) {
		fprintf(check->options->out, "        %s\n", shown);
	}
}

void report_say(struct check *check, const char *format, ...)
{
	va_list arguments;

	if (!check->options->out || check->options->json)
		return;
	va_start(arguments, format);
	vfprintf(check->options->out, format, arguments);
	va_end(arguments);
}

static void end_json(struct check *check)
{
	const struct fsck_result *result = check->result;
	json_t *summary;
	char *text, *inner;

	flush_pending(check);
	summary = json_pack("{s:{s:o,s:o},s:b,s:b,s:I,s:I,s:I,s:I,s:I,s:i}",
			    "store", "path", text_or_null(check->path), "uuid",
			    text_or_null(result->uuid), "clean",
			    result->found_count == 0, "dry_run",
			    check->options->mode == FSCK_MODE_NO, "found",
			    (json_int_t)result->found_count, "fixed",
			    (json_int_t)result->fixed_count, "left",
			    (json_int_t)result->left_count, "lost",
			    (json_int_t)result->lost_count, "notes",
			    (json_int_t)result->note_count, "exit",
			    result->exit_code);
	text = summary ? json_dumps(summary, JSON_ENSURE_ASCII) : NULL;
	inner = text ? text + 1 : "}"; /* without its brace */
	fprintf(check->options->out, "\n], %s\n", inner);
	free(text);
	json_decref(summary);
}

void report_end(struct check *check)
{
	const struct fsck_result *result = check->result;
	FILE *out = check->options->out;

	if (!out)
		return;
	if (check->options->json)
		end_json(check);
	else if (result->exit_code & (FSCK_EXIT_FAILED | FSCK_EXIT_CANCELLED))
		fputs("not finished\n", out);
	else if (result->found_count == 0)
		fputs("no problems\n", out);
	else if (check->options->mode == FSCK_MODE_NO)
		fprintf(out, "%" PRIu64 " problems, nothing was changed\n",
			result->found_count);
	else
		fprintf(out,
			"%" PRIu64 " problems, %" PRIu64 " repaired, %" PRIu64
			" left\n",
			result->found_count, result->fixed_count,
			result->left_count);
	fflush(out);
}

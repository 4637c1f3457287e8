/* One run: the place, the passes, and what they leave to be put in place. */
#include "fsck.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "backup.h"
#include "check.h"
#include "install.h"
#include "place.h"
#include "stored.h"
#include "twin.h"

const struct pass check_passes[] = {
	{ 1, "directory and files", 0, true, pass1_store },
	{ 2, "index", 0, true, pass2_index },
	{ 2, "log", 0, true, pass_log },
	{ 3, "lines, branches and snapshots", FSCK_PART_INDEX, true,
	  pass3_history },
	{ 4, "names and inodes", FSCK_PART_INDEX, false, pass4_names },
	{ 5, "windows", FSCK_PART_INDEX, false, pass5_windows },
	{ 6, "segments", FSCK_PART_CHUNKS, false, pass6_segments },
	{ 7, "space", FSCK_PART_INDEX, false, pass7_space },
	{ 8, "base", FSCK_PART_BASE, false, pass8_base },
	{ 0, NULL, 0, false, NULL },
};

int check_failed(struct check *check, int rc, const char *format, ...)
{
	struct fsck_result *result = check->result;
	va_list arguments;
	size_t used;

	if (result->message[0])
		return rc;
	va_start(arguments, format);
	vsnprintf(result->message, sizeof(result->message), format, arguments);
	va_end(arguments);
	used = strlen(result->message);
	/* These say it themselves. */
	if (rc != -EBUSY && rc != -EACCES && rc != -EPROTONOSUPPORT)
		snprintf(result->message + used, sizeof(result->message) - used,
			 ": %s", strerror(-rc));
	return rc;
}

void check_hint(struct check *check, const char *format, ...)
{
	struct fsck_result *result = check->result;
	va_list arguments;

	if (result->hint[0])
		return;
	va_start(arguments, format);
	vsnprintf(result->hint, sizeof(result->hint), format, arguments);
	va_end(arguments);
}

int check_progress(struct check *check, uint64_t done, uint64_t total)
{
	const struct fsck_options *options = check->options;

	if (options->progress || options->progress_pipe || options->tell)
		report_progress(check, done, total);
	return options->stop && *options->stop ? -EINTR : 0;
}

static bool wanted(const struct check *check, const struct pass *pass)
{
	unsigned parts = check->options->parts;

	if (check->options->quick && !pass->quick)
		return false;
	if (parts == 0 || pass->parts == 0)
		return true;
	return (parts & pass->parts) != 0;
}

static int run_passes(struct check *check)
{
	const struct pass *pass;
	int rc = 0;

	for (pass = check_passes; rc == 0 && pass->title; pass++) {
		/* Without an index there is nothing to look at. */
		if (!wanted(check, pass) || (pass->number > 2 && !check->work))
			continue;
		if (check->misled) {
			report_say(check,
				   "Pass %u: %-48s left out until then\n",
				   pass->number, pass->title);
			continue;
		}
		report_pass_begin(check, pass);
		rc = pass->run(check);
		if (rc == 0)
			rc = check_progress(check, 1, 1);
		if (rc == 0 && check->work)
			rc = work_commit(check);
		if (rc == 0)
			report_pass_end(check);
	}
	return rc;
}

static void set_exit_code(struct check *check, int rc)
{
	struct fsck_result *result = check->result;

	if (rc == -EINTR) {
		result->exit_code = FSCK_EXIT_CANCELLED;
	} else if (rc < 0) {
		result->exit_code = FSCK_EXIT_FAILED;
		if (!result->message[0])
			check_failed(check, rc, "fsck can't go on");
	} else {
		result->exit_code =
			(result->fixed_count ? FSCK_EXIT_FIXED : 0) |
			(result->left_count ? FSCK_EXIT_LEFT : 0);
	}
}

static int run(struct check *check, bool *out_began)
{
	int rc = place_open(check, check->options->path);

	if (rc == 0)
		rc = work_init(check);
	if (rc == 0)
		rc = report_begin(check);
	*out_began = rc == 0;
	if (rc == 0)
		rc = run_passes(check);
	twin_close(check);
	stored_end(check);
	if (rc == 0 && check->options->mode != FSCK_MODE_NO &&
	    (check->install || check->changes.count > 0))
		rc = install_run(check);
	return rc;
}

int fsck_run(const struct fsck_options *options, struct fsck_result *result)
{
	struct check *check = calloc(1, sizeof(*check));
	bool began = false;
	int rc;

	memset(result, 0, sizeof(*result));
	if (!check) {
		result->exit_code = FSCK_EXIT_FAILED;
		return result->exit_code;
	}
	check->options = options;
	check->result = result;
	check->dir_fd = check->segments_fd = check->lock_fd = -1;
	check->temporary_fd = check->backup_fd = -1;
	changes_init(&check->changes);
	rc = run(check, &began);
	set_exit_code(check, rc);
	if (began)
		report_end(check);
	report_fini(check);
	backup_close(check);
	work_fini(check);
	past_free(&check->past);
	changes_fini(&check->changes);
	place_close(check);
	free(check);
	return result->exit_code;
}

/* Methods scrub.*, and what status and stats tell of the scrub. */
#include <errno.h>
#include <stdlib.h>

#include "ops_impl.h"
#include "scrub.h"

static const char *state_name(const struct scrub_status *status)
{
	switch (status->state) {
	case SCRUB_STATE_NONE:
		return "none";
	case SCRUB_STATE_RUNNING:
		return status->is_active ? "running" : "interrupted";
	case SCRUB_STATE_PAUSED:
		return "paused";
	case SCRUB_STATE_CANCELLED:
		return "cancelled";
	case SCRUB_STATE_FINISHED:
		return "finished";
	case SCRUB_STATE_FAILED:
		return "failed";
	}
	abort();
}

/* null: unknown. */
static json_t *eta_json(const struct scrub_status *status)
{
	uint64_t left = status->total_bytes > status->checked_bytes ?
				status->total_bytes - status->checked_bytes :
				0;

	return status->is_active && status->speed_bytes ?
		       json_size(left / status->speed_bytes) :
		       json_null();
}

static json_t *status_json(const struct scrub_status *status)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			 "state", state_name(status), "started",
			 json_time(status->started_ns), "ended",
			 json_time(status->ended_ns), "checked_bytes",
			 json_size(status->checked_bytes), "total_bytes",
			 json_size(status->total_bytes), "rate_bytes",
			 status->rate_bytes ? json_size(status->rate_bytes) :
					      json_null(),
			 "speed_bytes", json_size(status->speed_bytes),
			 "eta_seconds", eta_json(status), "finding_count",
			 json_size(status->finding_count), "reason",
			 json_text_or_null(status->reason));
}

json_t *scrub_json(struct store *store)
{
	struct scrub_status status;

	scrub_get_status(store, &status);
	return status_json(&status);
}

/* What is in no file has what is wrong in the place of its path. */
static json_t *finding_json(const struct scrub_finding *f)
{
	bool is_file = f->inode != 0;

	return json_pack(
		"{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
		"s:b}",
		"kind", scrub_kind_name(f->kind), "branch",
		json_text_or_null(f->branch), "snapshot",
		json_text_or_null(f->snapshot), "others", json_size(f->others),
		"inode", is_file ? json_size(f->inode) : json_null(), "path",
		is_file ? json_text_or_null(f->path) : json_null(), "offset",
		is_file ? json_size(f->offset_bytes) : json_null(), "length",
		is_file ? json_size(f->len_bytes) : json_null(), "segment",
		f->segment ? json_size(f->segment) : json_null(), "block",
		f->segment ? json_size(f->block) : json_null(), "blocks",
		f->segment ? json_size(f->blocks) : json_null(), "text",
		is_file ? json_null() : json_text_or_null(f->path), "old",
		f->is_old);
}

static int put_state(struct call *call)
{
	struct scrub_finding *findings;
	json_t *array, *all = scrub_json(call->store);
	size_t count, i;
	int rc = scrub_findings(call->store, &findings, &count);

	if (rc < 0 || !all || json_object_update(call->result, all) < 0) {
		json_decref(all);
		return rc < 0 ? rc : -ENOMEM;
	}
	json_decref(all);
	array = json_array();
	for (i = 0; i < count; i++)
		json_array_append_new(array, finding_json(&findings[i]));
	free(findings);
	rc = call_put(call, "findings", array);
	return rc < 0 ? rc : call_put_dry_run(call);
}

/* Without a daemon nobody else would do it. */
static int wait_for_end(struct call *call)
{
	int rc = 0;

	if (!call->mounts || call_flag(call, "wait"))
		rc = scrub_wait(call->store, call_progress, call->context);
	if (rc != -EINTR)
		return rc;
	failure_set(call->failure, FAILURE_INTERRUPTED, NULL,
		    call->mounts ? "the scrub goes on" :
				   "the scrub was interrupted");
	if (!call->mounts)
		failure_hint(call->failure,
			     "cowd scrub resume goes on where it was");
	return rc;
}

static int check_rate(struct call *call)
{
	return call_number(call, "rate_bytes", 0) < 0 ?
		       failure_set(call->failure, FAILURE_USAGE, NULL,
				   "a rate is not negative") :
		       0;
}

static int scrub_start_op(struct call *call)
{
	int rc = check_rate(call);

	if (rc == 0 && !call->dry_run)
		rc = scrub_start(call->store,
				 (uint64_t)call_number(call, "rate_bytes", 0),
				 call->failure);
	if (rc == 0 && !call->dry_run)
		rc = wait_for_end(call);
	return rc < 0 ? rc : put_state(call);
}

static int scrub_resume_op(struct call *call)
{
	int rc = check_rate(call);

	if (rc == 0 && !call->dry_run)
		rc = scrub_resume(call->store,
				  (uint64_t)call_number(call, "rate_bytes", -1),
				  call->failure);
	if (rc == 0 && !call->dry_run)
		rc = wait_for_end(call);
	return rc < 0 ? rc : put_state(call);
}

static int scrub_pause_op(struct call *call)
{
	int rc = call->dry_run ? 0 : scrub_pause(call->store, call->failure);

	return rc < 0 ? rc : put_state(call);
}

static int scrub_cancel_op(struct call *call)
{
	int rc = call->dry_run ? 0 : scrub_cancel(call->store, call->failure);

	return rc < 0 ? rc : put_state(call);
}

const struct method methods_scrub[] = {
	{ "scrub.start", "rate_bytes:i wait:b", scrub_start_op },
	{ "scrub.status", "", put_state },
	{ "scrub.pause", "", scrub_pause_op },
	{ "scrub.resume", "rate_bytes:i wait:b", scrub_resume_op },
	{ "scrub.cancel", "", scrub_cancel_op },
	{ .name = NULL },
};

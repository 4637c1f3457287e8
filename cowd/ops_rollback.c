/* Methods rollback, undo and log. */
#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "human.h"
#include "ops_impl.h"

json_t *operation_id_json(uint64_t id)
{
	char text[32];

	if (id == 0)
		return json_null();
	snprintf(text, sizeof(text), "op-%" PRIu64, id);
	return json_string(text);
}

static int put_duration(struct call *call, int64_t started_ns)
{
	int64_t ns = human_now_ns() - started_ns;

	return call_put(call, "duration_ms",
			json_size(ns > 0 ? (uint64_t)ns / 1000000 : 0));
}

/* What a rollback would be, or has been. */
static int put_rollback(struct call *call, const struct branch_info *branch,
			const struct snapshot_info *to,
			const struct rollback_result *result)
{
	bool has_kept = !call->dry_run && result->kept;
	int rc = call_put(call, "branch", json_text(branch->name));

	if (rc == 0)
		rc = call_put(call, "to", json_text(to->name));
	if (rc == 0)
		rc = call_put(call, "kept_as",
			      has_kept ? json_text(result->kept_as.name) :
					 json_null());
	if (rc == 0)
		rc = call_put(
			call, "since",
			has_kept ? json_text_or_null(result->kept_as.parent) :
				   json_null());
	if (rc == 0)
		rc = call_put(call, "changed",
			      json_boolean(call->dry_run ? branch->changed :
							   result->kept));
	if (rc == 0)
		rc = call_put(call, "changed_bytes",
			      json_size(branch->written_bytes));
	if (rc == 0)
		rc = call_put(call, "operation",
			      operation_id_json(result->operation_id));
	return rc < 0 ? rc : call_put_dry_run(call);
}

static int begin_move(struct call *call, const char *branch)
{
	int rc = call_before_move(call, branch, call_flag(call, "live"));

	if (rc == -EBUSY)
		failure_hint(call->failure,
			     "close or unmount it, or use --live: open "
			     "handles then answer with I/O errors");
	return rc;
}

static int rollback_to(struct call *call, const struct snapshot_info *to,
		       struct rollback_result *result)
{
	int64_t started_ns = human_now_ns();
	const char *name = call_text(call, "branch");
	struct branch_info branch;
	int rc;

	rc = history_find_branch(call->store, name ? name : to->branch, &branch,
				 call->failure);
	if (rc == 0)
		rc = begin_move(call, branch.name);
	if (rc < 0)
		return rc;
	/* The flush before it may have written more. */
	rc = history_find_branch(call->store, branch.name, &branch,
				 call->failure);
	if (rc == 0 && !call->dry_run)
		rc = history_rollback(call->store, branch.name, to->id,
				      call_text(call, "note"), &call->actor,
				      result, call->failure);
	call_moved(call, branch.name);
	if (rc == 0)
		rc = put_rollback(call, &branch, to, result);
	return rc < 0 ? rc : put_duration(call, started_ns);
}

static int rollback(struct call *call)
{
	AUTO_FREE struct snapshot_info *to = calloc(1, sizeof(*to));
	AUTO_FREE struct rollback_result *result = calloc(1, sizeof(*result));
	int rc = to && result ? call_snapshot(call, to) : -ENOMEM;

	return rc < 0 ? rc : rollback_to(call, to, result);
}

static bool is_automatic(const struct operation_info *info)
{
	return (info->kind == OPERATION_SNAPSHOT_CREATE ||
		info->kind == OPERATION_SNAPSHOT_DELETE) &&
	       strstr(info->text, "@auto-");
}

/* 0 for the newest, unless that is the policy's own work: then the newest
 * that a person did. */
static int choose_operation(struct call *call, uint64_t *out_id)
{
	AUTO_FREE struct operation_info *list = NULL;
	size_t count, i;
	int64_t number = call_number(call, "operation", 0);
	int rc;

	*out_id = (uint64_t)number;
	if (number < 0)
		return failure_set(call->failure, FAILURE_USAGE, NULL,
				   "operations have positive numbers");
	if (number > 0)
		return 0;
	rc = history_operations(call->store, 1000, &list, &count);
	if (rc < 0)
		return failure_errno(call->failure, rc, NULL,
				     "can't read the log");
	for (i = 0; i < count; i++) {
		if (list[i].undone || list[i].undoes)
			continue;
		if (is_automatic(&list[i]))
			continue;
		*out_id = list[i].id;
		break;
	}
	return 0;
}

static bool moves_a_head(const struct undo_result *result)
{
	return result->undone.kind == OPERATION_ROLLBACK ||
	       result->undone.kind == OPERATION_RESTORE ||
	       result->undone.kind == OPERATION_RESIZE;
}

static int put_undo(struct call *call, const struct undo_result *result)
{
	int rc = call_put(call, "undone", operation_id_json(result->undone.id));

	if (rc == 0)
		rc = call_put(call, "text", json_text(result->undone.text));
	if (rc == 0)
		rc = call_put(call, "branch",
			      json_text_or_null(result->branch));
	if (rc == 0)
		rc = call_put(call, "operation",
			      call->dry_run ?
				      json_null() :
				      operation_id_json(result->operation_id));
	return rc < 0 ? rc : call_put_dry_run(call);
}

static int undo(struct call *call)
{
	int64_t started_ns = human_now_ns();
	AUTO_FREE struct undo_result *result = calloc(1, sizeof(*result));
	bool moves;
	uint64_t id;
	int rc = result ? choose_operation(call, &id) : -ENOMEM;

	if (rc == 0)
		rc = history_undo(call->store, id, true, &call->actor, result,
				  call->failure);
	if (rc < 0)
		return rc;
	id = result->undone.id;
	moves = moves_a_head(result) && result->branch[0];
	if (moves)
		rc = begin_move(call, result->branch);
	if (rc == 0 && !call->dry_run) {
		rc = history_undo(call->store, id, false, &call->actor, result,
				  call->failure);
		if (moves)
			call_moved(call, result->branch);
	}
	if (rc == 0)
		rc = put_undo(call, result);
	return rc < 0 ? rc : put_duration(call, started_ns);
}

static const char *kind_name(enum operation_kind kind)
{
	switch (kind) {
	case OPERATION_SNAPSHOT_CREATE:
		return "snapshot_create";
	case OPERATION_SNAPSHOT_DELETE:
		return "snapshot_delete";
	case OPERATION_SNAPSHOT_RESTORE:
		return "snapshot_restore";
	case OPERATION_SNAPSHOT_RENAME:
		return "snapshot_rename";
	case OPERATION_HOLD:
		return "hold";
	case OPERATION_RELEASE:
		return "release";
	case OPERATION_ROLLBACK:
		return "rollback";
	case OPERATION_CLONE:
		return "clone";
	case OPERATION_BRANCH_DELETE:
		return "branch_delete";
	case OPERATION_BRANCH_RESTORE:
		return "branch_restore";
	case OPERATION_BRANCH_RENAME:
		return "branch_rename";
	case OPERATION_RESIZE:
		return "resize";
	case OPERATION_PURGE:
		return "purge";
	case OPERATION_RESTORE:
		return "restore";
	case OPERATION_LAYER_ADD:
		return "layer_add";
	case OPERATION_LAYER_REMOVE:
		return "layer_remove";
	}
	abort();
}

static json_t *user_json(uint32_t uid)
{
	struct passwd entry, *found = NULL;
	char buffer[4096], number[16];

	if (getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found) == 0 &&
	    found)
		return json_text(found->pw_name);
	snprintf(number, sizeof(number), "%u", uid);
	return json_string(number);
}

static json_t *operation_json(const struct operation_info *info)
{
	return json_pack("{s:o, s:s, s:o, s:o, s:i, s:o, s:o, s:b}", "id",
			 operation_id_json(info->id), "kind",
			 kind_name(info->kind), "time",
			 json_time(info->time_ns), "user", user_json(info->uid),
			 "uid", (int)info->uid, "text", json_text(info->text),
			 "undoes", operation_id_json(info->undoes), "undone",
			 info->undone);
}

static int log_list(struct call *call)
{
	AUTO_FREE struct operation_info *list = NULL;
	int64_t most = call_number(call, "count", 20);
	json_t *array;
	size_t count, i;
	int rc;

	if (most < 0)
		return failure_set(call->failure, FAILURE_USAGE, NULL,
				   "a count can't be negative");
	rc = history_operations(call->store, (size_t)most, &list, &count);
	if (rc < 0)
		return failure_errno(call->failure, rc, NULL,
				     "can't read the log");
	array = json_array();
	for (i = 0; i < count; i++)
		json_array_append_new(array, operation_json(&list[i]));
	return call_put(call, "operations", array);
}

const struct method methods_rollback[] = {
	{ "rollback", "branch:s snapshot:S note:s live:b", rollback },
	{ "undo", "operation:i live:b", undo },
	{ "log", "count:i", log_list },
	{ .name = NULL },
};

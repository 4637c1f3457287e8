/*
 * Dispatch of methods, and the checks that all of them share: a method
 * never sees a parameter that its list doesn't name or of another type.
 */
#include "ops.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "ops_impl.h"

static const struct method *find_method(const char *name)
{
	static const struct method *const tables[] = {
		methods_snapshot, methods_branch, methods_rollback,
		methods_space,	  methods_store,  methods_diff,
		methods_export,	  methods_source, methods_which,
		methods_restore,  methods_commit, methods_inode,
		methods_unionfs,  methods_tree,	  methods_mount,
		methods_layer,	  methods_scrub,
	};
	const struct method *method;
	size_t i;

	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (method = tables[i]; method->name; method++)
			if (strcmp(method->name, name) == 0)
				return method;
	return NULL;
}

/* The type letter of a parameter in the method's list, 0: none. */
static char type_of(const char *parameters, const char *name)
{
	size_t len_bytes = strlen(name);
	const char *c = parameters;

	while (*c) {
		if (strncmp(c, name, len_bytes) == 0 && c[len_bytes] == ':')
			return c[len_bytes + 1];
		c += strcspn(c, " ");
		c += strspn(c, " ");
	}
	return strcmp(name, "dry_run") == 0 ? 'b' : 0;
}

static bool is_text_list(const json_t *value)
{
	size_t i;

	for (i = 0; i < json_array_size(value); i++)
		if (!json_is_string(json_array_get(value, i)))
			return false;
	return json_is_array(value);
}

static bool suits(const json_t *value, char type)
{
	switch (type) {
	case 's':
		return json_is_string(value) || json_is_null(value);
	case 'S':
		return json_is_string(value);
	case 'b':
		return json_is_boolean(value) || json_is_null(value);
	case 'i':
		return json_is_integer(value) || json_is_null(value);
	case 'I':
		return json_is_integer(value);
	case 'a':
		return is_text_list(value);
	case 'l':
		return json_is_null(value) || is_text_list(value);
	default:
		return false;
	}
}

static int check_params(const struct method *method, json_t *params,
			struct failure *failure)
{
	const char *name, *c = method->parameters;
	json_t *value;

	if (params && !json_is_object(params))
		return failure_set(failure, FAILURE_USAGE, method->name,
				   "parameters are an object");
	json_object_foreach(params, name, value)
	{
		char type = type_of(method->parameters, name);

		if (!type)
			return failure_set(failure, FAILURE_USAGE, name,
					   "%s has no such parameter",
					   method->name);
		if (!suits(value, type))
			return failure_set(failure, FAILURE_USAGE, name,
					   "%s: this parameter is of another "
					   "type",
					   method->name);
	}
	while (*c) {
		size_t len_bytes = strcspn(c, ":");
		char key[64], type = c[len_bytes + 1];

		assert(len_bytes < sizeof(key)); /* methods are ours */
		memcpy(key, c, len_bytes);
		key[len_bytes] = '\0';
		if (strchr("SIa", type) && !json_object_get(params, key))
			return failure_set(failure, FAILURE_USAGE, key,
					   "%s needs this parameter",
					   method->name);
		c += strcspn(c, " ");
		c += strspn(c, " ");
	}
	return 0;
}

/* "snapshot.list" makes "cowd/snapshot-list/1". */
static json_t *new_result(struct store *store, const char *method)
{
	AUTO_FREE struct store_status *status = calloc(1, sizeof(*status));
	char schema[128], *c;

	if (!status)
		return NULL;
	store_status(store, status);
	snprintf(schema, sizeof(schema), "cowd/%s/1", method);
	for (c = schema; *c; c++)
		if (*c == '.')
			*c = '-';
	return json_pack("{s:s, s:{s:o, s:s}}", "schema", schema, "store",
			 "path", json_text(status->path), "uuid", status->uuid);
}

int ops_call(struct ops_context *context, const char *method_name,
	     json_t *params, json_t **out_result, struct failure *failure)
{
	const struct method *method = find_method(method_name);
	struct call call = {
		.context = context,
		.store = context->store,
		.mounts = context->mounts,
		.actor = { .uid = context->uid },
		.params = params,
		.failure = failure,
		.dry_run = json_is_true(json_object_get(params, "dry_run")),
	};
	int rc;

	if (!method)
		return failure_set(failure, FAILURE_USAGE, method_name,
				   "no such method");
	rc = check_params(method, params, failure);
	if (rc < 0)
		return rc;
	call.result = new_result(context->store, method_name);
	if (!call.result)
		return failure_errno(failure, -ENOMEM, method_name,
				     "can't answer");
	rc = method->run(&call);
	if (rc < 0) {
		json_decref(call.result);
		/* A cause that the method could not name. */
		return failure_errno(failure, rc, NULL, "%s", method_name);
	}
	*out_result = call.result;
	return 0;
}

const char *call_text(const struct call *call, const char *name)
{
	return json_string_value(json_object_get(call->params, name));
}

bool call_flag(const struct call *call, const char *name)
{
	return json_is_true(json_object_get(call->params, name));
}

int64_t call_number(const struct call *call, const char *name, int64_t fallback)
{
	const json_t *value = json_object_get(call->params, name);

	return json_is_integer(value) ? json_integer_value(value) : fallback;
}

int call_put(struct call *call, const char *name, json_t *value)
{
	if (json_object_set_new(call->result, name, value) < 0)
		return failure_errno(call->failure, -ENOMEM, NULL,
				     "can't answer");
	return 0;
}

int call_progress(void *context, uint64_t done, uint64_t total)
{
	const struct ops_context *ops = context;

	return ops->progress ?
		       ops->progress(ops->progress_context, done, total) :
		       0;
}

int call_branch(struct call *call, struct branch_info *out_branch)
{
	return history_find_branch(call->store, call_text(call, "branch"),
				   out_branch, call->failure);
}

int call_find_snapshot(struct call *call, const char *branch, const char *text,
		       struct snapshot_info *out_info)
{
	struct failure ignored = { .code = FAILURE_NONE };
	struct branch_info info;
	int rc;

	/* "latest" and "~2" count within one branch; a name or an id may be
	 * of the branch's past, on another one. */
	if (branch) {
		rc = history_find_branch(call->store, branch, &info,
					 call->failure);
		if (rc < 0)
			return rc;
		rc = history_find_snapshot(call->store, branch, text, out_info,
					   &ignored);
		if (rc == 0)
			return 0;
	}
	if (*text != '~' && strcmp(text, "latest") != 0)
		branch = NULL;
	return history_find_snapshot(call->store, branch, text, out_info,
				     call->failure);
}

int call_snapshot(struct call *call, struct snapshot_info *out_info)
{
	return call_find_snapshot(call, call_text(call, "branch"),
				  call_text(call, "snapshot"), out_info);
}

int call_flush(struct call *call, const char *branch)
{
	return call->mounts ?
		       mounts_flush(call->mounts, branch, call->failure) :
		       0;
}

int call_before_move(struct call *call, const char *branch, bool live)
{
	if (!call->mounts)
		return 0;
	if (call->dry_run)
		return live ? 0 :
			      mounts_check_move(call->mounts, branch,
						call->failure);
	return mounts_begin_move(call->mounts, branch, live, call->failure);
}

void call_moved(struct call *call, const char *branch)
{
	if (call->mounts && !call->dry_run)
		mounts_end_move(call->mounts, branch);
}

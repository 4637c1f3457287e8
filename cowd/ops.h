/*
 * Every command as a call with JSON parameters and a JSON result. The
 * daemon serves these over the control socket; without a daemon the command
 * line opens the store and makes the same call itself.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "failure.h"
#include "store.h"

struct layer_info;
struct mounts;

struct ops_context {
	struct store *store;
	struct mounts *mounts; /* NULL: no daemon, nothing is mounted */
	uid_t uid;	       /* who asks */
	/* Long work reports here; NULL when nobody listens. Nonzero stops. */
	int (*progress)(void *context, uint64_t done, uint64_t total);
	void *progress_context;
};

/*
 * method: "snapshot.create", "rollback", ... (docs/json.md). params: an
 * object, borrowed. *out_result: a new object with its "schema", owned by
 * the caller. Unknown methods and wrong parameters are usage failures.
 */
NODISCARD int ops_call(struct ops_context *context, const char *method,
		       json_t *params, json_t **out_result,
		       struct failure *failure);

/* A layer as in docs/json.md. */
json_t *layer_json(const struct layer_info *info);

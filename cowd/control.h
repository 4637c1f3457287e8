/*
 * The control socket: STORE/cowd.sock, JSON objects ended by NUL as Varlink
 * has them. docs/json.md lists the methods.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "failure.h"
#include "mounts.h"
#include "store.h"

struct control;

/* Listens and serves; requests go to ops_call. directory_fd: the store. */
NODISCARD int control_start(const char *store_path, struct store *store,
			    struct mounts *mounts, struct control **out_control,
			    struct failure *failure);
/* When no request runs and nothing is mounted, no request is read any more:
 * whoever sends one knows that it was not. Else false. */
bool control_stop_if_idle(struct control *control);
/* Lets running requests end, closes all connections, removes the socket. */
void control_stop(struct control *control);

/* -ENOENT or -ECONNREFUSED: no daemon has the store open. */
NODISCARD int control_connect(const char *store_path, int *out_fd);

typedef int control_progress(void *context, uint64_t done, uint64_t total);
/*
 * One call. The result is a new reference. A failure of the other side comes
 * back in *failure; a daemon that went away is a failure of its own. -ENOENT
 * and no failure: it was ending, and never read the request.
 */
NODISCARD int control_call(int fd, const char *method, json_t *params,
			   control_progress *progress, void *context,
			   json_t **out_result, struct failure *failure);

/* STORE[:BRANCH][@SNAPSHOT], as typed by a user. */
#pragma once

#include "failure.h"
#include "store.h"

enum { TARGET_SNAPSHOT_BYTES_MAX = 8192 };

struct target {
	char text[3 * 4096]; /* as typed, for messages */
	char store[4096];
	char branch[STORE_NAME_BYTES_MAX + 1]; /* "": not named */
	/* "": not named; a list or a range where a command takes them */
	char snapshot[TARGET_SNAPSHOT_BYTES_MAX + 1];
};

/*
 * The store's path may itself hold ':' and '@': the longest prefix that is
 * a directory is taken for it. A text that begins with ':' or '@', or is
 * empty, means default_store. Errors: usage.
 */
NODISCARD int target_parse(const char *text, const char *default_store,
			   struct target *out_target, struct failure *failure);

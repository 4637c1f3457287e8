/* Which store the index is of, and where its log stands. */
#pragma once

#include "scope.h"

struct check;

/* Fills what struct check has of meta. -EUCLEAN: the index is no use: it is
 * of another store, or does not say where the log goes on. */
NODISCARD int identity_check(struct check *check);

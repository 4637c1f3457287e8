/* index.bak, looked at where it is. */
#pragma once

#include <sqlite3.h>

#include "scope.h"

struct check;

/* Looks for what is wrong with it (pass 2). */
NODISCARD int backup_check(struct check *check);
/* To read from; NULL: there is none that can be used. */
sqlite3 *backup_connection(struct check *check);
void backup_close(struct check *check);

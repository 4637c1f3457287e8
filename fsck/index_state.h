/* Is a database an index of ours? For index.db and index.bak alike. */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scope.h"

struct index_state {
	bool damaged;	  /* its pages, or a table that is missing */
	bool disordered;  /* only indexes that don't agree with their tables */
	bool unmarked;	  /* application_id or user_version is not ours */
	bool newer;	  /* of a cowd that knows more */
	bool lacks_index; /* of SQL, or it is another one */
	bool extra;	  /* objects that are not ours */
	char detail[256];
};

/* thorough: every page. Returns a negative errno only for what is no matter
 * of the database's bytes. */
NODISCARD int index_state_look(sqlite3 *connection, bool thorough,
			       struct index_state *out_state);

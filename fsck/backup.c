/*
 * index.bak. It is opened where it is, immutable: without a lock, and without
 * a journal beside it.
 */
#include "backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "check.h"
#include "index_impl.h"
#include "index_state.h"
#include "place.h"

/* -ENOENT; -EUCLEAN: no regular file, or no database. */
static int open_backup(struct check *check)
{
	char uri[64];

	if (check->backup)
		return 0;
	check->backup_fd =
		place_open_file(check->dir_fd, "index.bak", O_RDONLY);
	if (check->backup_fd < 0)
		return check->backup_fd;
	snprintf(uri, sizeof(uri), "file:/proc/self/fd/%d?immutable=1",
		 check->backup_fd);
	if (sqlite3_open_v2(uri, &check->backup,
			    SQLITE_OPEN_READONLY | SQLITE_OPEN_URI |
				    SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK)
		return -EUCLEAN;
	connection_harden(check->backup);
	return sqlite3_exec(check->backup, "PRAGMA cell_size_check=ON", NULL,
			    NULL, NULL) == SQLITE_OK ?
		       0 :
		       -EUCLEAN;
}

void backup_close(struct check *check)
{
	sqlite3_close_v2(check->backup);
	check->backup = NULL;
	if (check->backup_fd >= 0)
		close(check->backup_fd);
	check->backup_fd = -1;
}

sqlite3 *backup_connection(struct check *check)
{
	struct index_state state;

	/* Then it is what we work on. */
	if (check->replaced || open_backup(check) < 0 ||
	    index_state_look(check->backup, false, &state) < 0)
		return NULL;
	return state.damaged || state.newer ? NULL : check->backup;
}

int backup_check(struct check *check)
{
	struct problem_where where = { .file = "index.bak" };
	struct index_state state = { 0 };
	int rc = open_backup(check);

	if (rc == -ENOENT) {
		problem(check, PROBLEM_BACKUP_MISSING, NULL, NULL);
		return 0;
	}
	if (check->backup_fd == -EUCLEAN) /* pass 1 has told it */
		return 0;
	if (rc == 0)
		rc = index_state_look(check->backup, true, &state);
	if (rc == 0 && !state.damaged && !state.disordered && !state.unmarked &&
	    !state.newer && !state.extra && !state.lacks_index)
		return 0;
	if (rc < 0 && rc != -EUCLEAN)
		return check_failed(check, rc, "index.bak");
	if (problem(check, PROBLEM_BACKUP_DAMAGED, &where, "%s",
		    rc == 0 ? state.detail : "it is no database"))
		check->install = true;
	return 0;
}

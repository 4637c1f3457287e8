/*
 * Pass 4: names and inodes of trees, without a look at base. An image store is
 * a tree with one file.
 */
#include "check.h"
#include "pass4.h"

int pass4_names(struct check *check)
{
	struct viewers viewers;
	int rc = viewers_load(&viewers, &check->past);

	if (rc == 0)
		rc = pass4_items(check, &viewers);
	if (rc == 0 && !check->misled)
		rc = pass4_links(check, &viewers);
	if (rc == 0)
		rc = work_run(check, "DROP TABLE links", "");
	viewers_free(&viewers);
	return rc;
}

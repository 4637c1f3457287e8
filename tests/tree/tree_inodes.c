/* The inode number of each path, kept in a file and compared later: they stay
 * the same over snapshots and rollbacks. */
#include "tree_model.h"

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPEN_DIRS = 16, SAID_MOST = 10 };

static FILE *list;
static size_t prefix_bytes;

/* Records end in NUL: names may have newlines. */
static int note(const char *path, const struct stat *st, int type,
		struct FTW *where)
{
	(void)type, (void)where;
	fprintf(list, "%" PRIu64 " .%s", (uint64_t)st->st_ino,
		path + prefix_bytes);
	fputc('\0', list);
	return 0;
}

bool inodes_save(const char *root, const char *file)
{
	list = fopen(file, "we");
	if (!list)
		return false;
	prefix_bytes = strlen(root);
	if (nftw(root, note, OPEN_DIRS, FTW_PHYS)) {
		printf("differs: %s: can't be walked: %m\n", root);
		fclose(list);
		return false;
	}
	return fclose(list) == 0;
}

bool inodes_compare(const char *root, const char *file)
{
	FILE *saved = fopen(file, "re");
	char path[2 * PATH_MAX];
	char *line = NULL;
	size_t room = 0;
	int differences = 0;
	struct stat st;

	if (!saved)
		return false;
	while (getdelim(&line, &room, '\0', saved) > 0) {
		char *name;
		uint64_t inode = strtoull(line, &name, 10);

		snprintf(path, sizeof(path), "%s/%s", root, name + 1);
		if (!strcmp(name + 1,
			    ".")) /* its root has a number of its own */
			continue;
		if (lstat(path, &st))
			st.st_ino = 0;
		/* Below .snapshots they have more bits: in one mount no two
		 * states of a file may be one to those who compare numbers. */
		if (strstr(root, "/.snapshots/"))
			st.st_ino &= (UINT64_C(1) << 48) - 1;
		if (st.st_ino != inode && differences++ < SAID_MOST)
			printf("differs: %s: inode %" PRIu64 ", was %" PRIu64
			       "\n",
			       path, (uint64_t)st.st_ino, inode);
	}
	free(line);
	fclose(saved);
	return differences == 0;
}

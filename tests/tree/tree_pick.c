/*
 * Which paths tree_model works on: a random way down in reference. The choice
 * depends on the names alone, not on the order in which they are listed, so
 * that a seed does the same everywhere.
 */
#include "tree_model.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { DEPTH_MAX = 7, TRIES = 4 };

struct choice {
	char name[256];
	uint64_t rank;
	bool found;
};

static unsigned kind_of(unsigned char type)
{
	switch (type) {
	case DT_DIR:
		return PICK_DIR;
	case DT_REG:
		return PICK_FILE;
	case DT_LNK:
		return PICK_LINK;
	default:
		return PICK_SPECIAL;
	}
}

static void offer(struct choice *choice, const char *name, uint64_t salt)
{
	uint64_t rank = sum_of(name, strlen(name), salt);

	if (choice->found && rank >= choice->rank)
		return;
	choice->found = true;
	choice->rank = rank;
	snprintf(choice->name, sizeof(choice->name), "%s", name);
}

/* One entry of these kinds, and one directory, of the directory at path. */
static void look(struct world *world, const char *path, unsigned kinds,
		 struct choice *entry, struct choice *dir)
{
	uint64_t salt = random_next(world);
	int fd = openat(world->reference.root_fd, path,
			O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *found;

	*entry = (struct choice){ .found = false };
	*dir = (struct choice){ .found = false };
	while (list && (found = readdir(list))) {
		unsigned kind = kind_of(found->d_type);

		if (!strcmp(found->d_name, ".") || !strcmp(found->d_name, ".."))
			continue;
		if (kind & kinds)
			offer(entry, found->d_name, salt);
		if (kind == PICK_DIR)
			offer(dir, found->d_name, salt + 1);
	}
	if (list)
		closedir(list);
}

static void append(char *path, const char *name)
{
	size_t used = strlen(path);

	if (!strcmp(path, "."))
		used = 0;
	snprintf(path + used, PATH_MAX - used, "%s%s", used ? "/" : "", name);
}

static bool descend(struct world *world, unsigned kinds, char *path)
{
	struct choice entry;
	struct choice dir;
	int depth;

	snprintf(path, PATH_MAX, ".");
	for (depth = 0; depth < DEPTH_MAX; depth++) {
		look(world, path, kinds, &entry, &dir);
		if (entry.found && (!dir.found || random_chance(world, 45))) {
			append(path, entry.name);
			return true;
		}
		if (!dir.found)
			return false;
		append(path, dir.name);
	}
	return false;
}

void pick(struct world *world, unsigned kinds, char *path)
{
	int i;

	/* Now and then something else than what is wanted, or the root. */
	if (random_chance(world, 3))
		kinds = PICK_ANY;
	if ((kinds & PICK_DIR) && random_chance(world, 2)) {
		snprintf(path, PATH_MAX, ".");
		return;
	}
	for (i = 0; i < TRIES; i++)
		if (descend(world, kinds, path))
			return;
	pick_new(world, path);
}

/* Names that are few, so that they meet, and some that are difficult. */
static void draw_name(struct world *world, char *name)
{
	static const char *const odd[] = { "a b",
					   "-f",
					   "new\nline",
					   "\xff\xfe",
					   "\xc3\xa4",
					   ".hidden",
					   "...",
					   "*",
					   ".wh.n1",
					   "~",
					   ".fuse_hidden0001" };
	unsigned kind = (unsigned)random_below(world, 100);
	uint64_t nr = random_below(world, 30);
	size_t length = 255;

	if (kind < 90) {
		snprintf(name, 256, "n%d", (int)nr);
	} else if (kind < 96) {
		snprintf(name, 256, "%s",
			 odd[nr % (sizeof(odd) / sizeof(odd[0]))]);
	} else {
		if (nr % 4 == 0)
			length = 254;
		memset(name, 'a' + (int)(nr % 3), length);
		name[length] = '\0';
	}
}

void pick_new(struct world *world, char *path)
{
	char name[300];
	int i;

	snprintf(path, PATH_MAX, ".");
	if (random_chance(world, 85))
		for (i = 0; i < 2; i++)
			if (descend(world, PICK_DIR, path))
				break;
	if (strlen(path) > 1500)
		snprintf(path, PATH_MAX, ".");
	draw_name(world, name);
	if (random_chance(world, 1)) { /* too long */
		memset(name, 'x', 256);
		name[256] = '\0';
	}
	append(path, name);
	if (random_chance(world, 1))
		append(path, "");
}

void parent_of(const char *path, char *parent)
{
	char *slash;

	snprintf(parent, PATH_MAX, "%s", path);
	slash = strrchr(parent, '/');
	if (slash)
		*slash = '\0';
	else
		snprintf(parent, PATH_MAX, ".");
}

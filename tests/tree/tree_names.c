/* Operations of tree_model on names: making, linking, renaming, removing,
 * listing. */
#include "tree_model.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

struct answer answer_of(int64_t rc)
{
	return (struct answer){ .value = rc < 0 ? -errno : rc };
}

/* Mostly a new name, at times one that is there. */
static void pick_target(struct world *world, char *path)
{
	if (random_chance(world, 85))
		pick_new(world, path);
	else
		pick(world, PICK_ANY, path);
}

static void choose_create(struct world *world, struct op *op)
{
	static const int flags[] = {
		O_CREAT | O_EXCL,     O_CREAT, O_CREAT | O_TRUNC,
		O_CREAT | O_APPEND,   O_TRUNC, O_CREAT | O_NOFOLLOW,
		O_CREAT | O_DIRECTORY
	};

	pick_target(world, op->path);
	op->flags = flags[random_below(world, 7)];
	op->bytes = random_below(world, 3) ? random_below(world, 9000) : 0;
}

static struct answer run_create(struct side *side, const struct op *op)
{
	unsigned char data[9000];
	struct answer answer;
	int fd = open(op->path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | op->flags,
		      op->mode);

	(void)side;
	answer = answer_of(fd < 0 ? -1 : 0);
	if (fd < 0)
		return answer;
	fill(data, op->bytes, op->salt);
	if (op->bytes)
		answer = answer_of(write(fd, data, op->bytes));
	if (close(fd))
		answer = answer_of(-1);
	return answer;
}

static void choose_new(struct world *world, struct op *op)
{
	pick_target(world, op->path);
}

static struct answer run_mkdir(struct side *side, const struct op *op)
{
	(void)side;
	return answer_of(mkdir(op->path, op->mode));
}

static void choose_node(struct world *world, struct op *op)
{
	static const unsigned types[] = { S_IFIFO, S_IFIFO, S_IFSOCK, S_IFREG };

	pick_target(world, op->path);
	op->mode |= types[random_below(world, 4)];
}

static void choose_device(struct world *world, struct op *op)
{
	pick_target(world, op->path);
	op->mode |= random_chance(world, 50) ? S_IFCHR : S_IFBLK;
	/* Numbers that no driver has: somebody may open it. */
	op->device = makedev(240 + (unsigned)random_below(world, 14),
			     (unsigned)random_below(world, 300));
	if (random_chance(world, 10)) {
		op->device = 0;
		op->mode = (op->mode & 07777) | S_IFCHR;
	}
}

static struct answer run_node(struct side *side, const struct op *op)
{
	(void)side;
	return answer_of(mknod(op->path, op->mode, op->device));
}

/* No "..": a link must not lead out of the tree. */
static void choose_symlink(struct world *world, struct op *op)
{
	char path[PATH_MAX];
	const char *name;

	pick_target(world, op->path);
	pick(world, PICK_ANY, path);
	name = strrchr(path, '/');
	switch (random_below(world, 5)) {
	case 0:
		snprintf(op->path2, PATH_MAX, "/nonexistent/%d",
			 (int)random_below(world, 10));
		break;
	case 1:
		memset(op->path2, 'y', 1 + random_below(world, 4000));
		break;
	case 2:
		snprintf(op->path2, PATH_MAX, "%s", path);
		break;
	default:
		snprintf(op->path2, PATH_MAX, "%s", name ? name + 1 : path);
		break;
	}
}

static struct answer run_symlink(struct side *side, const struct op *op)
{
	(void)side;
	return answer_of(symlink(op->path2, op->path));
}

static void choose_link(struct world *world, struct op *op)
{
	pick(world, PICK_FILE | PICK_LINK | PICK_SPECIAL, op->path);
	pick_target(world, op->path2);
	op->flags = random_chance(world, 20) ? AT_SYMLINK_FOLLOW : 0;
}

static struct answer run_link(struct side *side, const struct op *op)
{
	(void)side;
	return answer_of(linkat(AT_FDCWD, op->path, AT_FDCWD, op->path2,
				(int)op->flags));
}

static void choose_unlink(struct world *world, struct op *op)
{
	pick(world, PICK_FILE | PICK_LINK | PICK_SPECIAL, op->path);
}

static struct answer run_unlink(struct side *side, const struct op *op)
{
	(void)side;
	return answer_of(unlink(op->path));
}

static void choose_dir(struct world *world, struct op *op)
{
	pick(world, PICK_DIR, op->path);
}

static struct answer run_rmdir(struct side *side, const struct op *op)
{
	(void)side;
	return answer_of(rmdir(op->path));
}

static void choose_rename(struct world *world, struct op *op)
{
	unsigned kind = (unsigned)random_below(world, 10);

	pick(world, PICK_ANY, op->path);
	if (kind < 6)
		pick_new(world, op->path2);
	else if (kind < 8)
		pick(world, PICK_ANY, op->path2);
	else
		pick(world, random_chance(world, 50) ? PICK_DIR : PICK_FILE,
		     op->path2);
	if (kind == 5) /* beneath itself */
		snprintf(op->path2, PATH_MAX, "%.2000s/n1", op->path);
	op->flags = random_chance(world, 15) ? RENAME_NOREPLACE : 0;
}

static void choose_exchange(struct world *world, struct op *op)
{
	pick(world, PICK_ANY, op->path);
	pick(world, PICK_ANY, op->path2);
	op->flags = RENAME_EXCHANGE;
	if (random_chance(world, 3))
		op->flags |= RENAME_NOREPLACE;
}

static void choose_whiteout(struct world *world, struct op *op)
{
	struct stat st;

	choose_rename(world, op);
	op->flags = RENAME_WHITEOUT;
	/* ext4 moves the times of the directory that it is in even if it fails
	 * as another one is not empty. */
	if (fstatat(world->reference.root_fd, op->path2, &st,
		    AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(st.st_mode))
		op->flags |= RENAME_NOREPLACE;
}

static struct answer run_rename(struct side *side, const struct op *op)
{
	(void)side;
	return answer_of(
		renameat2(AT_FDCWD, op->path, AT_FDCWD, op->path2, op->flags));
}

static void choose_remove_tree(struct world *world, struct op *op)
{
	do
		pick(world, PICK_DIR, op->path);
	while (!strcmp(op->path, "."));
}

static int by_bytes(const struct dirent **one, const struct dirent **two)
{
	return strcmp((*one)->d_name, (*two)->d_name);
}

static int is_entry(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
}

/* What rm -r does; how many objects were removed. In the order of names, and
 * beyond what can't be removed: the first such error. */
static int64_t remove_tree(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dirent **list = NULL;
	int all = fd < 0 ? -1 : scandirat(fd, ".", &list, is_entry, by_bytes);
	int64_t count = 0;
	int first = 0;
	int i;

	for (i = 0; i < all; i++) {
		int64_t rc = unlinkat(fd, list[i]->d_name, 0) == 0 ?
				     1 :
				     remove_tree(fd, list[i]->d_name);

		if (rc < 0 && !first)
			first = errno;
		count += rc < 0 ? 0 : rc;
		free(list[i]);
	}
	free(list);
	if (fd >= 0)
		close(fd);
	if (unlinkat(dir_fd, name, all < 0 ? 0 : AT_REMOVEDIR) == 0)
		return count + 1;
	if (first)
		errno = first;
	return -1;
}

static struct answer run_remove_tree(struct side *side, const struct op *op)
{
	(void)side;
	return answer_of(remove_tree(AT_FDCWD, op->path));
}

static void choose_any(struct world *world, struct op *op)
{
	pick(world, PICK_ANY, op->path);
	if (random_chance(world, 10))
		pick_new(world, op->path);
}

static struct answer run_readlink(struct side *side, const struct op *op)
{
	char target[PATH_MAX];
	ssize_t bytes = readlink(op->path, target, sizeof(target));
	struct answer answer = answer_of(bytes);

	(void)side;
	if (bytes > 0)
		answer.sum = sum_of(target, (size_t)bytes, 0);
	return answer;
}

/* Reads a directory, goes back to some place in it and reads the rest again:
 * the names and their number. */
static struct answer run_readdir(struct side *side, const struct op *op)
{
	DIR *list = opendir(op->path);
	struct answer answer = answer_of(list ? 0 : -1);
	struct dirent *found;
	uint64_t rest = 0;
	uint64_t again = 0;
	long place = list ? telldir(list) : 0;
	int64_t at = (int64_t)(op->salt % 20);

	(void)side;
	if (!list)
		return answer;
	while ((found = readdir(list))) {
		uint64_t sum = sum_of(found->d_name, strlen(found->d_name), 0);

		answer.sum += sum;
		if (answer.value >= at)
			rest += sum;
		if (++answer.value == at) {
			place = telldir(list);
			rest = 0;
		}
	}
	if (answer.value < at)
		rest = answer.sum;
	seekdir(list, place);
	while ((found = readdir(list)))
		again += sum_of(found->d_name, strlen(found->d_name), 0);
	if (again != rest)
		answer.value = -ESPIPE; /* never right */
	closedir(list);
	return answer;
}

const struct op_kind name_ops[] = {
	{ "create", 90, 0, SIZE_GROWS, choose_create, run_create },
	{ "mkdir", 40, 0, SIZE_GROWS, choose_new, run_mkdir },
	{ "mknod", 12, 0, SIZE_GROWS, choose_node, run_node },
	{ "mknod device", 6, FEATURE_DEVICES, SIZE_GROWS, choose_device,
	  run_node },
	{ "symlink", 20, 0, SIZE_GROWS, choose_symlink, run_symlink },
	{ "link", 30, 0, SIZE_GROWS, choose_link, run_link },
	{ "unlink", 45, 0, SIZE_SHRINKS, choose_unlink, run_unlink },
	{ "rmdir", 25, 0, SIZE_SHRINKS, choose_dir, run_rmdir },
	{ "rename", 80, 0, SIZE_SAME, choose_rename, run_rename },
	{ "exchange", 12, FEATURE_EXCHANGE, SIZE_SAME, choose_exchange,
	  run_rename },
	{ "rename leaving a whiteout", 4, FEATURE_WHITEOUT, SIZE_GROWS,
	  choose_whiteout, run_rename },
	{ "rm -r", 6, 0, SIZE_SHRINKS, choose_remove_tree, run_remove_tree },
	{ "readlink", 8, 0, SIZE_SAME, choose_any, run_readlink },
	{ "readdir", 20, 0, SIZE_SAME, choose_dir, run_readdir },
	{ .name = NULL },
};

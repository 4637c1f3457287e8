/* Operations of tree_model on attributes: mode, owner, times, xattrs, ACLs. */
#include "tree_model.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define ACL_ACCESS "system.posix_acl_access"
#define ACL_DEFAULT "system.posix_acl_default"

static void choose_chmod(struct world *world, struct op *op)
{
	static const unsigned modes[] = { 0,	 0644,	0755,  0600,  0777,
					  0700,	 0711,	0555,  01777, 02775,
					  04755, 06755, 02644, 07777 };

	pick(world, PICK_ANY, op->path);
	op->mode = modes[random_below(world, 14)];
}

static struct answer run_chmod(struct side *side, const struct op *op)
{
	(void)side;
	return answer_of(chmod(op->path, op->mode));
}

static void choose_chown(struct world *world, struct op *op)
{
	static const unsigned ids[] = { 0, 1, OTHER_USER, 65534, -1U };

	pick(world, PICK_ANY, op->path);
	op->uid = ids[random_below(world, 5)];
	op->gid = ids[random_below(world, 5)];
	op->flags = random_chance(world, 70) ? AT_SYMLINK_NOFOLLOW : 0;
}

static struct answer run_chown(struct side *side, const struct op *op)
{
	(void)side;
	return answer_of(
		fchownat(AT_FDCWD, op->path, op->uid, op->gid, (int)op->flags));
}

static void draw_time(struct world *world, struct timespec *time)
{
	time->tv_sec = (time_t)random_below(world, 2000000000);
	time->tv_nsec = (long)random_below(world, 1000000000);
	switch (random_below(world, 8)) {
	case 0:
		time->tv_nsec = UTIME_NOW;
		break;
	case 1:
		time->tv_nsec = UTIME_OMIT;
		break;
	case 2:
		time->tv_sec = -time->tv_sec; /* before 1970 */
		break;
	default:
		break;
	}
}

static void choose_times(struct world *world, struct op *op)
{
	pick(world, PICK_ANY, op->path);
	draw_time(world, &op->times[0]);
	draw_time(world, &op->times[1]);
	op->flags = random_chance(world, 70) ? AT_SYMLINK_NOFOLLOW : 0;
}

static struct answer run_times(struct side *side, const struct op *op)
{
	(void)side;
	return answer_of(
		utimensat(AT_FDCWD, op->path, op->times, (int)op->flags));
}

/* Small enough, all together, for an inode of ext4. */
static void draw_xattr(struct world *world, struct op *op)
{
	static const char *const names[XATTR_NAME_COUNT] = {
		"user.a",	  "user.b.c", "user.\xc3\xa4", "trusted.a",
		"security.other", "user.",    "nothing.a"
	};
	size_t used;

	snprintf(op->name, sizeof(op->name), "%s",
		 names[random_below(world, XATTR_NAME_COUNT)]);
	used = strlen(op->name);
	if (random_chance(world, 5) && used + 100 < sizeof(op->name)) {
		memset(op->name + used, 'l', 100);
		op->name[used + 100] = '\0';
	}
	op->bytes = random_below(world, 3) ? random_below(world, 250) : 0;
}

static void choose_set_xattr(struct world *world, struct op *op)
{
	static const int flags[] = { 0, 0, 0, XATTR_CREATE, XATTR_REPLACE };

	pick(world, PICK_ANY, op->path);
	draw_xattr(world, op);
	op->flags = (unsigned)flags[random_below(world, 5)];
}

/* With a writeback cache the kernel keeps the ctime of a FUSE file by itself,
 * and moves it even if a call changes nothing: such are not made here. */
static bool is_there(const char *path, const char *name, const void *value,
		     size_t value_bytes)
{
	char there[256];
	ssize_t bytes = lgetxattr(path, name, there, sizeof(there));

	return bytes >= 0 && (size_t)bytes == value_bytes &&
	       memcmp(there, value, value_bytes) == 0;
}

static struct answer run_set_xattr(struct side *side, const struct op *op)
{
	unsigned char value[256];

	(void)side;
	fill(value, sizeof(value), op->salt);
	if (op->flags != XATTR_CREATE &&
	    is_there(op->path, op->name, value, op->bytes))
		return answer_of(0);
	return answer_of(lsetxattr(op->path, op->name, value, op->bytes,
				   (int)op->flags));
}

static struct answer run_get_xattr(struct side *side, const struct op *op)
{
	unsigned char value[256];
	size_t bytes = op->salt % 3 ? sizeof(value) : op->bytes;
	ssize_t got = lgetxattr(op->path, op->name, value, bytes);
	struct answer answer = answer_of(got);

	(void)side;
	if (got > 0 && bytes > 0)
		answer.sum = sum_of(value, (size_t)got, 0);
	return answer;
}

static struct answer run_remove_xattr(struct side *side, const struct op *op)
{
	(void)side;
	return answer_of(lremovexattr(op->path, op->name));
}

/* In any order. */
static struct answer run_list_xattr(struct side *side, const struct op *op)
{
	char names[8192];
	ssize_t got = llistxattr(op->path, names, sizeof(names));
	struct answer answer = answer_of(got);
	ssize_t at;

	(void)side;
	for (at = 0; at < got; at += (ssize_t)strlen(names + at) + 1)
		answer.sum += sum_of(names + at, strlen(names + at), 0);
	if (op->salt % 4 == 0)
		answer = answer_of(llistxattr(op->path, names, op->bytes));
	return answer;
}

static void choose_acl(struct world *world, struct op *op)
{
	bool is_default = random_chance(world, 40);

	pick(world, is_default ? PICK_DIR : PICK_DIR | PICK_FILE, op->path);
	snprintf(op->name, sizeof(op->name), "%s",
		 is_default ? ACL_DEFAULT : ACL_ACCESS);
	op->flags = random_chance(world, 20); /* remove it */
}

struct acl_entry {
	uint16_t tag, permissions;
	uint32_t id;
};

static struct answer run_acl(struct side *side, const struct op *op)
{
	struct {
		uint32_t version;
		struct acl_entry entries[5];
	} acl = { .version = 2,
		  .entries = { { 1, op->salt & 7, -1U },
			       { 2, (op->salt >> 3) & 7, OTHER_USER },
			       { 4, (op->salt >> 6) & 7, -1U },
			       { 16, (op->salt >> 9) & 7, -1U },
			       { 32, (op->salt >> 12) & 7, -1U } } };

	(void)side;
	if (op->flags && getxattr(op->path, op->name, NULL, 0) < 0)
		return answer_of(-1);
	if (op->flags)
		return answer_of(removexattr(op->path, op->name));
	if (is_there(op->path, op->name, &acl, sizeof(acl)))
		return answer_of(0);
	return answer_of(setxattr(op->path, op->name, &acl, sizeof(acl), 0));
}

static void choose_any(struct world *world, struct op *op)
{
	pick(world, PICK_ANY, op->path);
	draw_xattr(world, op);
	op->flags = (unsigned)random_below(world, 8); /* R_OK ... */
}

static struct answer run_access(struct side *side, const struct op *op)
{
	(void)side;
	return answer_of(
		faccessat(AT_FDCWD, op->path, (int)op->flags, AT_EACCESS));
}

const struct op_kind meta_ops[] = {
	{ "chmod", 40, 0, SIZE_SAME, choose_chmod, run_chmod },
	{ "chown", 30, 0, SIZE_SAME, choose_chown, run_chown },
	{ "utimens", 40, 0, SIZE_SAME, choose_times, run_times },
	{ "setxattr", 40, FEATURE_XATTR, SIZE_SAME, choose_set_xattr,
	  run_set_xattr },
	{ "getxattr", 12, FEATURE_XATTR, SIZE_SAME, choose_any, run_get_xattr },
	{ "removexattr", 20, FEATURE_XATTR, SIZE_SAME, choose_any,
	  run_remove_xattr },
	{ "listxattr", 8, FEATURE_XATTR, SIZE_SAME, choose_any,
	  run_list_xattr },
	{ "ACL", 15, FEATURE_ACL, SIZE_SAME, choose_acl, run_acl },
	{ "access", 15, 0, SIZE_SAME, choose_any, run_access },
	{ .name = NULL },
};

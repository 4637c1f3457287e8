/*
 * cowd mount -o remount: other flags for what is mounted, without the daemon.
 * The kernel keeps them; what the daemon was told at the mount stays.
 */
#include <errno.h>
#include <mntent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#include "command.h"
#include "json_out.h"
#include "mountinfo.h"

struct flag {
	const char *name;
	unsigned long mask, value;
};

static const struct flag flags[] = {
	{ "ro", MS_RDONLY, MS_RDONLY },
	{ "rw", MS_RDONLY, 0 },
	{ "nosuid", MS_NOSUID, MS_NOSUID },
	{ "suid", MS_NOSUID, 0 },
	{ "nodev", MS_NODEV, MS_NODEV },
	{ "dev", MS_NODEV, 0 },
	{ "noexec", MS_NOEXEC, MS_NOEXEC },
	{ "exec", MS_NOEXEC, 0 },
	{ "sync", MS_SYNCHRONOUS, MS_SYNCHRONOUS },
	{ "async", MS_SYNCHRONOUS, 0 },
	{ "dirsync", MS_DIRSYNC, MS_DIRSYNC },
	{ "noatime", MS_NOATIME, MS_NOATIME },
	{ "atime", MS_NOATIME, 0 },
	{ "nodiratime", MS_NODIRATIME, MS_NODIRATIME },
	{ "diratime", MS_NODIRATIME, 0 },
	{ "relatime", MS_RELATIME, MS_RELATIME },
	{ "strictatime", MS_STRICTATIME | MS_RELATIME, MS_STRICTATIME },
	{ "remount", 0, 0 },
};

bool remount_wanted(const char *options)
{
	AUTO_FREE char *copy = strdup(options ? options : "");
	char *next = copy, *one;

	while (copy && (one = strsep(&next, ",")) != NULL)
		if (strcmp(one, "remount") == 0)
			return true;
	return false;
}

static unsigned long flags_now(const struct statvfs *st)
{
	return (st->f_flag & ST_RDONLY ? MS_RDONLY : 0) |
	       (st->f_flag & ST_NOSUID ? MS_NOSUID : 0) |
	       (st->f_flag & ST_NODEV ? MS_NODEV : 0) |
	       (st->f_flag & ST_NOEXEC ? MS_NOEXEC : 0) |
	       (st->f_flag & ST_SYNCHRONOUS ? MS_SYNCHRONOUS : 0) |
	       (st->f_flag & ST_NOATIME ? MS_NOATIME : 0) |
	       (st->f_flag & ST_NODIRATIME ? MS_NODIRATIME : 0) |
	       (st->f_flag & ST_RELATIME ? MS_RELATIME : 0);
}

/* As the kernel lists it; fstab says again what was said at the mount. */
static bool in_force(const char *mountpoint, const char *option)
{
	FILE *mounts = setmntent("/proc/self/mounts", "r");
	const struct mntent *entry;
	bool found = false;

	/* Of several on one place the last is on top. */
	while (mounts && (entry = getmntent(mounts)) != NULL)
		if (strcmp(entry->mnt_dir, mountpoint) == 0)
			found = hasmntopt(entry, option) ||
				(strncmp(option, "fsname=", 7) == 0 &&
				 strcmp(option + 7, entry->mnt_fsname) == 0);
	if (mounts)
		endmntent(mounts);
	return found;
}

static void apply(const char *mountpoint, char *options, unsigned long *now)
{
	char *one;
	size_t i;

	while ((one = strsep(&options, ",")) != NULL) {
		for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
			if (strcmp(one, flags[i].name) == 0)
				break;
		if (i < sizeof(flags) / sizeof(flags[0]))
			*now = (*now & ~flags[i].mask) | flags[i].value;
		else if (*one && !in_force(mountpoint, one))
			fprintf(stderr,
				"cowd: warning: %s stays as it was: unmount "
				"and mount again to change it\n",
				one);
	}
}

/* The daemon refuses writes to what it was to show read-only. */
static int check_writable(struct cli *cli, const char *store,
			  const char *mountpoint)
{
	json_t *result = NULL, *mount;
	bool read_only = false;
	size_t i;
	int rc = daemon_call(cli, store, "mounts", json_object(), &result);

	if (rc < 0)
		return rc == -ENOENT ?
			       failure_set(&cli->failure, FAILURE_FAILED,
					   mountpoint, "no daemon serves %s",
					   store) :
			       rc;
	json_array_foreach(json_object_get(result, "mounts"), i, mount)
		read_only |=
		strcmp(json_text_at(mount, "mountpoint"), mountpoint) == 0 &&
		json_flag_at(mount, "read_only");
	json_decref(result);
	if (!read_only)
		return 0;
	failure_set(&cli->failure, FAILURE_FAILED, mountpoint,
		    "was mounted read-only, or shows a snapshot");
	failure_hint(&cli->failure,
		     "cowd umount %s, then mount the branch with -o rw",
		     mountpoint);
	return -EROFS;
}

int remount(struct cli *cli, const char *store, const char *mountpoint,
	    const char *options)
{
	AUTO_FREE char *copy = strdup(options);
	char source[4096];
	unsigned long now;
	struct statvfs st;
	int rc = 0;

	if (!copy)
		return -ENOMEM;
	if (!mount_source(mountpoint, source, sizeof(source)) ||
	    statvfs(mountpoint, &st) < 0)
		return failure_set(&cli->failure, FAILURE_NOT_FOUND, mountpoint,
				   "is not mounted by cowd");
	now = flags_now(&st);
	apply(mountpoint, copy, &now);
	if ((st.f_flag & ST_RDONLY) && !(now & MS_RDONLY))
		rc = check_writable(cli, store, mountpoint);
	if (rc < 0 || option_given(cli, OPTION_DRY_RUN))
		return rc;
	if (mount(NULL, mountpoint, NULL, MS_REMOUNT | now, NULL) < 0) {
		rc = -errno;
		failure_errno(&cli->failure, rc, mountpoint,
			      "can't change how it is mounted");
		if (rc == -EPERM)
			failure_hint(&cli->failure, "only root can");
		if (rc == -EBUSY)
			failure_hint(&cli->failure,
				     "a file is open for writing there");
	}
	return rc;
}

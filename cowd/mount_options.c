/*
 * The -o string, by a table: every option that FUSE file systems have known
 * works, or is accepted with a warning that tells why it does nothing.
 */
#include "mount_options.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct row;
typedef int take_value(struct mount_options *options, const struct row *row,
		       const char *value);

/* value of take: "" for an option without one. */
struct row {
	const char *name; /* "uid=" with a value, "noforget" without */
	take_value *take;
	size_t at;	 /* of a flag, number or text in the options */
	size_t at_bytes; /* of a text */
	const char *why; /* it has no effect */
};

static int take_nothing(struct mount_options *options, const struct row *row,
			const char *value)
{
	(void)options, (void)row, (void)value;
	return 0;
}

void mount_options_warn(struct mount_options *options, const char *name,
			const char *why)
{
	int name_bytes = (int)strcspn(name, "=");
	char text[400];

	snprintf(text, sizeof(text),
		 "the mount option '%.*s' has no effect: "
		 "%s",
		 name_bytes, name, why);
	json_array_append_new(options->warnings, json_string(text));
}

static int take_dropped(struct mount_options *options, const struct row *row,
			const char *value)
{
	(void)value;
	mount_options_warn(options, row->name, row->why);
	return 0;
}

static int take_flag(struct mount_options *options, const struct row *row,
		     const char *value)
{
	(void)value;
	*(bool *)((char *)options + row->at) = true;
	return 0;
}

static int take_unset(struct mount_options *options, const struct row *row,
		      const char *value)
{
	(void)value;
	*(bool *)((char *)options + row->at) = false;
	return 0;
}

static int number(const char *value, int base, unsigned *out)
{
	char *end;
	unsigned long parsed;

	errno = 0;
	parsed = strtoul(value, &end, base);
	if (*value < '0' || *value > '9' || *end || errno ||
	    parsed > UINT32_MAX)
		return -EINVAL;
	*out = (unsigned)parsed;
	return 0;
}

static int take_number(struct mount_options *options, const struct row *row,
		       const char *value)
{
	return number(value, 10, (unsigned *)((char *)options + row->at));
}

/* Seconds with a fraction; a point, whatever the user's language has. */
static int take_seconds(struct mount_options *options, const struct row *row,
			const char *value)
{
	locale_t plain = newlocale(LC_ALL_MASK, "C", NULL);
	double seconds = -1;
	char *end = (char *)value;

	if (plain) {
		seconds = strtod_l(value, &end, plain);
		freelocale(plain);
	}
	if (*end || end == value || !isfinite(seconds) || seconds < 0 ||
	    seconds > UINT32_MAX)
		return -EINVAL;
	if (!row->why)
		*(double *)((char *)options + row->at) = seconds;
	else
		mount_options_warn(options, row->name, row->why);
	return 0;
}

static int take_text(struct mount_options *options, const struct row *row,
		     const char *value)
{
	if (!*value || strlen(value) >= row->at_bytes)
		return -EINVAL;
	snprintf((char *)options + row->at, row->at_bytes, "%s", value);
	return 0;
}

static int take_name(struct mount_options *options, const struct row *row,
		     const char *value)
{
	return strchr(value, '/') || value[0] == '.' ?
		       -EINVAL :
		       take_text(options, row, value);
}

static int take_snapdir(struct mount_options *options, const struct row *row,
			const char *value)
{
	(void)row;
	if (strcmp(value, "hidden") == 0)
		options->snapdir = SNAPDIR_HIDDEN;
	else if (strcmp(value, "visible") == 0)
		options->snapdir = SNAPDIR_VISIBLE;
	else if (strcmp(value, "off") == 0)
		options->snapdir = SNAPDIR_OFF;
	else
		return -EINVAL;
	return 0;
}

static int take_union(struct mount_options *options, const struct row *row,
		      const char *value)
{
	(void)row;
	options->reveal = strcmp(value, "reveal") == 0;
	return options->reveal || strcmp(value, "hide") == 0 ? 0 : -EINVAL;
}

static int take_base(struct mount_options *options, const struct row *row,
		     const char *value)
{
	(void)row;
	if (strcmp(value, "follow") != 0)
		return -EINVAL;
	options->follow_base = true;
	return 0;
}

static int take_bind(struct mount_options *options, const struct row *row,
		     const char *value)
{
	(void)row;
	if (!strchr(value, '='))
		return -EINVAL;
	return json_array_append_new(options->binds, json_string(value)) < 0 ?
		       -EINVAL : /* no UTF-8 */
		       0;
}

static int take_cowddir(struct mount_options *options, const struct row *row,
			const char *value)
{
	if (strcmp(value, "off") == 0) {
		options->cowddir[0] = '\0';
		return 0;
	}
	if (value[0] != '.' || strchr(value, '/') || strcmp(value, ".") == 0 ||
	    strcmp(value, "..") == 0 || strcmp(value, ".snapshots") == 0)
		return -EINVAL;
	return take_text(options, row, value);
}

static int take_uid(struct mount_options *options, const struct row *row,
		    const char *value)
{
	(void)row;
	options->override_uid = true;
	return number(value, 10, &options->uid);
}

static int take_gid(struct mount_options *options, const struct row *row,
		    const char *value)
{
	(void)row;
	options->override_gid = true;
	return number(value, 10, &options->gid);
}

static int take_umask(struct mount_options *options, const struct row *row,
		      const char *value)
{
	(void)row;
	options->override_mode = true;
	return number(value, 8, &options->umask) < 0 || options->umask > 0777 ?
		       -EINVAL :
		       0;
}

static int take_modules(struct mount_options *options, const struct row *row,
			const char *value)
{
	(void)options, (void)row;
	for (;;) {
		size_t name_bytes = strcspn(value, ":");

		if ((name_bytes != 6 || strncmp(value, "subdir", 6) != 0) &&
		    (name_bytes != 5 || strncmp(value, "iconv", 5) != 0))
			return -EINVAL;
		if (!value[name_bytes])
			return 0;
		value += name_bytes + 1;
	}
}

int mount_options_add(struct mount_options *options, const char *text)
{
	if (fuse_opt_add_arg(&options->arguments, "-o") < 0 ||
	    fuse_opt_add_arg(&options->arguments, text) < 0)
		return -ENOMEM;
	return 0;
}

/* Goes to libfuse, and so to the kernel, as it is. */
static int take_passed(struct mount_options *options, const struct row *row,
		       const char *value)
{
	AUTO_FREE char *text = NULL;

	if (asprintf(&text, "%s%s", row->name, value) < 0)
		return -ENOMEM;
	return mount_options_add(options, text);
}

static int take_noatime(struct mount_options *options, const struct row *row,
			const char *value)
{
	options->keep_atime = false;
	return take_passed(options, row, value);
}

/* Only root may: fusermount3 would leave it out, but says so to nobody. */
static int take_unsafe(struct mount_options *options, const struct row *row,
		       const char *value)
{
	if (geteuid() == 0)
		return take_flag(options, row, value);
	mount_options_warn(options, row->name, "only root may mount with it");
	return 0;
}

#define OPTION(option, function)                 \
	{                                        \
		.name = option, .take = function \
	}
#define IGNORED(option) OPTION(option, take_nothing)
#define PASSED(option) OPTION(option, take_passed)
#define MEMBER(option, function, member)                                \
	{                                                               \
		.name = option, .take = function,                       \
		.at = offsetof(struct mount_options, member),           \
		.at_bytes = sizeof(((struct mount_options *)0)->member) \
	}
#define FLAG(option, member) MEMBER(option, take_flag, member)
#define CLEAR(option, member) MEMBER(option, take_unset, member)
#define DROPPED(option, reason)                                     \
	{                                                           \
		.name = option, .take = take_dropped, .why = reason \
	}

static const struct row rows[] = {
	/* cowd's own */
	MEMBER("name=", take_name, name),
	OPTION("snapdir=", take_snapdir),
	MEMBER("rules=", take_text, rules),
	OPTION("union=", take_union),
	OPTION("bind=", take_bind),
	MEMBER("cowddir=", take_cowddir, cowddir),
	OPTION("base=", take_base),
	MEMBER("max_threads=", take_number, max_threads),

	/* of every file system */
	FLAG("ro", read_only),
	CLEAR("rw", read_only),
	MEMBER("suid", take_unsafe, suid),
	CLEAR("nosuid", suid),
	MEMBER("dev", take_unsafe, dev),
	CLEAR("nodev", dev),
	PASSED("noexec"),
	FLAG("sync", sync),
	CLEAR("async", sync),
	FLAG("dirsync", dirsync),
	OPTION("noatime", take_noatime),
	FLAG("atime", keep_atime),
	FLAG("relatime", keep_atime),
	FLAG("strictatime", keep_atime),
	PASSED("context="),
	PASSED("fscontext="),
	PASSED("defcontext="),
	PASSED("rootcontext="),

	/* for mount(8), fstab and systemd; or what the kernel does anyway */
	IGNORED("nofail"),
	IGNORED("_netdev"),
	IGNORED("auto"),
	IGNORED("noauto"),
	IGNORED("user"),
	IGNORED("user="),
	IGNORED("nouser"),
	IGNORED("users"),
	IGNORED("group"),
	IGNORED("owner"),
	IGNORED("defaults"),
	IGNORED("comment="),
	IGNORED("branch="),
	IGNORED("store="),
	IGNORED("snapshot="),
	PASSED("exec"),
	IGNORED("diratime"),
	IGNORED("nodiratime"),
	IGNORED("norelatime"),
	IGNORED("nostrictatime"),
	IGNORED("lazytime"),
	IGNORED("nolazytime"),
	IGNORED("iversion"),
	IGNORED("noiversion"),
	IGNORED("mand"),
	IGNORED("nomand"),
	IGNORED("silent"),
	IGNORED("loud"),
	IGNORED("symfollow"),
	IGNORED("nosymfollow"),

	/* FUSE's, who may reach it and how it is called */
	FLAG("allow_other", allow_other),
	FLAG("allow_root", allow_root),
	PASSED("default_permissions"),
	FLAG("nonempty", nonempty),
	MEMBER("fsname=", take_text, fsname),
	MEMBER("subtype=", take_text, subtype),
	FLAG("blkdev", blkdev),
	PASSED("auto_unmount"),
	PASSED("debug"),

	/* FUSE's, what files look like */
	OPTION("uid=", take_uid),
	OPTION("gid=", take_gid),
	OPTION("umask=", take_umask),
	IGNORED("use_ino"),	/* they always are cowd's own */
	IGNORED("readdir_ino"), /* the same as stat has */
	IGNORED("hard_remove"), /* nothing is renamed, ever */

	/* FUSE's, caches: the kernel's are told of each change */
	MEMBER("entry_timeout=", take_seconds, entry_timeout_s),
	MEMBER("negative_timeout=", take_seconds, negative_timeout_s),
	MEMBER("attr_timeout=", take_seconds, attr_timeout_s),
	{ .name = "ac_attr_timeout=",
	  .take = take_seconds,
	  .why = "pages are dropped when the content changes, not by their "
		 "age" },
	IGNORED("kernel_cache"),
	IGNORED("auto_cache"),
	IGNORED("noauto_cache"),
	FLAG("direct_io", direct_io),
	CLEAR("writeback_cache", no_writeback),
	FLAG("no_writeback_cache", no_writeback),

	/* FUSE's, requests */
	MEMBER("max_read=", take_number, max_read),
	MEMBER("max_readahead=", take_number, max_readahead),
	MEMBER("max_write=", take_number, max_write),
	MEMBER("max_background=", take_number, max_background),
	MEMBER("congestion_threshold=", take_number, congestion_threshold),
	CLEAR("async_read", sync_read),
	FLAG("sync_read", sync_read),

	/* FUSE's, modules: of trees only */
	OPTION("modules=", take_modules),
	MEMBER("subdir=", take_text, subdir),
	FLAG("rellinks", rellinks),
	CLEAR("norellinks", rellinks),
	MEMBER("from_code=", take_text, from_code),
	MEMBER("to_code=", take_text, to_code),

	/* Those of unionfs-fuse */
	IGNORED("cow"),
	IGNORED("hide_meta_files"), /* there are none in the tree */
	IGNORED("preserve_branch"), /* nothing goes from one to another */
	IGNORED("statfs_omit_ro"),  /* df tells of the store only */
	DROPPED("max_files=", "the daemon takes as many as it may"),
	DROPPED("relaxed_permissions",
		"the kernel checks them; uid=, gid= and umask= change them"),
	DROPPED("chroot=",
		"layers are found by their paths here; base= tells of others"),
	DROPPED("debug_file=", "daemon.log of the store has it, see debug"),
	DROPPED("noinitgroups", "groups are the kernel's business"),
	DROPPED("stats", "cowd stats tells them"),

	DROPPED("large_read", "reads are always as large as they can be"),
	DROPPED("big_writes", "writes are always as large as they can be"),
	DROPPED("intr", "a request can always be interrupted"),
	DROPPED("intr_signal=", "a request is interrupted without a signal"),
	DROPPED("remember=", "inode numbers stay the same for ever"),
	DROPPED("noforget", "inode numbers stay the same for ever"),
	DROPPED("nopath", "nothing is found by its path"),
	DROPPED("clone_fd", "it makes nothing faster here"),
	DROPPED("max_idle_threads=", "threads are few, and stay"),
	DROPPED("splice_read", "all bytes are looked at"),
	DROPPED("splice_write", "all bytes are looked at"),
	DROPPED("splice_move", "all bytes are looked at"),
	DROPPED("async_dio", "the kernel decides"),
	DROPPED("auto_inval_data", "the daemon is the only writer"),
	DROPPED("readdirplus=", "the kernel decides when it pays"),
	DROPPED("time_gran=", "times are exact to the nanosecond"),
	DROPPED("no_remote_lock", "locks are the kernel's"),
	DROPPED("no_remote_flock", "locks are the kernel's"),
	DROPPED("no_remote_posix_lock", "locks are the kernel's"),
	DROPPED("allow_root_only", "allow_root is what works"),
	DROPPED("daemon_timeout=", "the daemon waits for the disk only"),
	DROPPED("excl_create", "creating is always exclusive if asked for"),
	DROPPED("local", "macOS has it"),
	DROPPED("noappledouble", "macOS has it"),
	DROPPED("noapplexattr", "macOS has it"),
	DROPPED("nobrowse", "macOS has it"),
	DROPPED("volname=", "macOS has it"),
	/* The opposites, which are as it is. */
	IGNORED("no_splice_read"),
	IGNORED("no_splice_write"),
	IGNORED("no_splice_move"),
	IGNORED("no_async_dio"),
	IGNORED("no_auto_inval_data"),
};

static const struct row *find_row(const char *name, size_t name_bytes)
{
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strlen(rows[i].name) == name_bytes &&
		    strncmp(rows[i].name, name, name_bytes) == 0)
			return &rows[i];
	return NULL;
}

static int take_option(struct mount_options *options, const char *text,
		       struct failure *failure)
{
	size_t name_bytes = strcspn(text, "=");
	const char *value = text[name_bytes] ? text + ++name_bytes : "";
	const struct row *row = find_row(text, name_bytes);
	int rc;

	if (strncmp(text, "x-", 2) == 0 || strncmp(text, "X-", 2) == 0)
		return 0;
	if (!row) {
		failure_set(failure, FAILURE_USAGE, text,
			    find_row(text, strcspn(text, "=")) ?
				    "this mount option has no value" :
				    "unknown mount option");
		failure_hint(failure,
			     "cowd(8) lists the options of cowd mount");
		return -EINVAL;
	}
	rc = row->take(options, row, value);
	if (rc == -EINVAL)
		failure_set(failure, FAILURE_USAGE, value,
			    "is no value for the option '%.*s'",
			    (int)strcspn(text, "="), text);
	else if (rc < 0)
		failure_errno(failure, rc, NULL, "can't mount");
	return rc;
}

int mount_options_parse(struct mount_options *options, const char *text,
			struct failure *failure)
{
	AUTO_FREE char *copy = strdup(text ? text : "");
	char *next = copy, *one;
	int rc = 0;

	memset(options, 0, sizeof(*options));
	options->entry_timeout_s = MOUNT_NOT_GIVEN_S;
	options->negative_timeout_s = MOUNT_NOT_GIVEN_S;
	options->attr_timeout_s = MOUNT_NOT_GIVEN_S;
	memcpy(options->cowddir, ".cowd", sizeof(".cowd"));
	options->warnings = json_array();
	options->binds = json_array();
	if (!copy || !options->warnings || !options->binds ||
	    fuse_opt_add_arg(&options->arguments, "cowd") < 0)
		return failure_errno(failure, -ENOMEM, NULL, "can't mount");
	while (rc == 0 && (one = strsep(&next, ",")) != NULL)
		if (*one)
			rc = take_option(options, one, failure);
	return rc;
}

void mount_options_fini(struct mount_options *options)
{
	fuse_opt_free_args(&options->arguments);
	json_decref(options->warnings);
	json_decref(options->binds);
}

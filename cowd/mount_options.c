/* The -o string: cowd's own options, and those for the kernel. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mount_impl.h"

/* For mount(8), fstab and systemd; they mean nothing to the mount itself. */
static const char *const ignored[] = {
	"nofail", "_netdev", "auto", "noauto", "user", "nouser", "users",
	"defaults", "rw", "group", "owner", "branch", "store", "snapshot",
	"large_read", "intr", "async", "relatime", "atime", "exec",
	"allow_root_only",
	/* What mount(8) has for every file system, and FUSE has not. */
	"diratime", "nodiratime", "norelatime", "strictatime", "nostrictatime",
	"lazytime", "nolazytime", "iversion", "noiversion", "mand", "nomand",
	"silent", "loud", "symfollow", "nosymfollow"
};

/* Passed on to the kernel as they are. */
static const char *const passed[] = {
	"ro",	       "suid",	     "nosuid", "dev",	  "nodev",
	"noexec",      "noatime",    "sync",   "dirsync", "default_permissions",
	"allow_other", "allow_root", "blkdev",
};

static bool in_list(const char *const *list, size_t count, const char *name,
		    size_t name_bytes)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (strlen(list[i]) == name_bytes &&
		    strncmp(list[i], name, name_bytes) == 0)
			return true;
	return false;
}

static int number(const char *value, int base, unsigned *out)
{
	char *end;
	unsigned long parsed = strtoul(value, &end, base);

	if (*value == '\0' || *end || parsed > UINT32_MAX)
		return -EINVAL;
	*out = (unsigned)parsed;
	return 0;
}

static int take_value(struct mount_options *options, const char *name,
		      const char *value)
{
	unsigned parsed;

	if (strcmp(name, "name") == 0) {
		if (!*value || strchr(value, '/') || value[0] == '.' ||
		    strlen(value) >= sizeof(options->name))
			return -EINVAL;
		snprintf(options->name, sizeof(options->name), "%s", value);
		return 0;
	}
	if (strcmp(name, "snapdir") == 0) {
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
	if (number(value, strcmp(name, "umask") == 0 ? 8 : 10, &parsed) < 0)
		return -EINVAL;
	if (strcmp(name, "uid") == 0) {
		options->override_uid = true;
		options->uid = parsed;
	} else if (strcmp(name, "gid") == 0) {
		options->override_gid = true;
		options->gid = parsed;
	} else if (strcmp(name, "umask") == 0 && parsed <= 0777) {
		options->umask = parsed;
	} else {
		return -EINVAL;
	}
	return 0;
}

static bool has_value(const char *name)
{
	static const char *const names[] = { "name", "snapdir", "uid", "gid",
					     "umask" };

	return in_list(names, 5, name, strlen(name));
}

static int add(struct mount_options *options, const char *text)
{
	if (fuse_opt_add_arg(&options->arguments, "-o") < 0 ||
	    fuse_opt_add_arg(&options->arguments, text) < 0)
		return -ENOMEM;
	return 0;
}

static int take_option(struct mount_options *options, char *text,
		       struct failure *failure)
{
	char *value = strchr(text, '=');
	size_t name_bytes = value ? (size_t)(value - text) : strlen(text);

	if (strncmp(text, "x-", 2) == 0 ||
	    in_list(ignored, sizeof(ignored) / sizeof(ignored[0]), text,
		    name_bytes))
		return 0;
	if (strcmp(text, "nonempty") == 0) {
		options->nonempty = true;
		return 0;
	}
	if (in_list(passed, sizeof(passed) / sizeof(passed[0]), text,
		    strlen(text))) {
		options->read_only |= strcmp(text, "ro") == 0;
		options->allow_other |= strncmp(text, "allow_", 6) == 0;
		return strcmp(text, "allow_root") == 0 ?
			       add(options, "allow_other") :
			       add(options, text);
	}
	if (value) {
		*value = '\0';
		if (has_value(text)) {
			if (take_value(options, text, value + 1) == 0)
				return 0;
			return failure_set(failure, FAILURE_USAGE, value + 1,
					   "is no value for the option '%s'",
					   text);
		}
	}
	failure_set(failure, FAILURE_USAGE, text, "unknown mount option");
	failure_hint(failure, "cowd(8) lists the options of cowd mount");
	return -EINVAL;
}

int mount_options_parse(struct mount_options *options, const char *text,
			bool force_read_only, const char *source,
			struct failure *failure)
{
	AUTO_FREE char *copy = strdup(text ? text : "");
	char *next = copy, *one, fsname[4400], *c;
	int rc = 0;

	memset(options, 0, sizeof(*options));
	if (!copy)
		return failure_errno(failure, -ENOMEM, NULL, "can't mount");
	if (fuse_opt_add_arg(&options->arguments, "cowd") < 0)
		rc = -ENOMEM;
	snprintf(fsname, sizeof(fsname), "fsname=%s", source);
	for (c = fsname; *c; c++)
		if (*c == ',')
			*c = '_'; /* it would end the option */
	if (rc == 0)
		rc = add(options, fsname);
	if (rc == 0)
		rc = add(options, "subtype=cowd");
	while (rc == 0 && (one = strsep(&next, ",")) != NULL)
		if (*one)
			rc = take_option(options, one, failure);
	if (rc == 0 && force_read_only && !options->read_only) {
		options->read_only = true;
		rc = add(options, "ro");
	}
	/* Others must meet the permissions of the files. */
	if (rc == 0 && options->allow_other)
		rc = add(options, "default_permissions");
	if (rc == -ENOMEM)
		failure_errno(failure, rc, NULL, "can't mount");
	return rc;
}

void mount_options_fini(struct mount_options *options)
{
	fuse_opt_free_args(&options->arguments);
}

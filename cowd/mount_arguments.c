/* What the options of a mount become for libfuse and the kernel. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mount_options.h"
#include "scope.h"

/* The daemon is the only writer and invalidates by itself. */
#define LONG_TIMEOUT_S 86400.0
/* Unless base changes underneath, and is followed. */
#define FOLLOW_TIMEOUT_S 1.0

/* libfuse keeps all but root and the owner out, request by request: what the
 * kernel remembers it would tell anybody. */
static void set_timeouts(struct mount_options *options)
{
	double most_s = options->allow_root  ? 0 :
			options->follow_base ? FOLLOW_TIMEOUT_S :
					       LONG_TIMEOUT_S;

	if (options->entry_timeout_s == MOUNT_NOT_GIVEN_S)
		options->entry_timeout_s = most_s;
	if (options->negative_timeout_s == MOUNT_NOT_GIVEN_S)
		options->negative_timeout_s = most_s;
	if (options->attr_timeout_s == MOUNT_NOT_GIVEN_S)
		options->attr_timeout_s = most_s;
}

static int add_name(struct mount_options *options, const char *option,
		    const char *name)
{
	AUTO_FREE char *text = NULL;
	char *c;

	if (asprintf(&text, "%s=%s", option, name) < 0)
		return -ENOMEM;
	for (c = text; *c; c++)
		if (*c == ',')
			*c = '_'; /* it would end the option */
	return mount_options_add(options, text);
}

static int add_flags(struct mount_options *options, bool check_permissions)
{
	const struct {
		bool given;
		const char *name;
	} flags[] = {
		{ options->read_only, "ro" },
		{ options->suid, "suid" },
		{ options->dev, "dev" },
		{ options->sync, "sync" },
		{ options->dirsync, "dirsync" },
		{ options->blkdev, "blkdev" },
		{ options->allow_other, "allow_other" },
		{ options->allow_root, "allow_root" },
		/* Others must meet the permissions of the files. */
		{ check_permissions || options->allow_other ||
			  options->allow_root,
		  "default_permissions" },
	};
	size_t i;
	int rc = 0;

	for (i = 0; i < sizeof(flags) / sizeof(flags[0]) && rc == 0; i++)
		if (flags[i].given)
			rc = mount_options_add(options, flags[i].name);
	return rc;
}

int mount_options_finish(struct mount_options *options, const char *source,
			 bool check_permissions, struct failure *failure)
{
	char number_text[32];
	int rc;

	if (options->allow_other && options->allow_root)
		return failure_set(failure, FAILURE_USAGE, "allow_root",
				   "this mount option can't be used together "
				   "with allow_other");
	set_timeouts(options);
	/* With it the kernel would not believe us a file's size. */
	if (options->follow_base)
		options->no_writeback = true;
	rc = add_name(options, "fsname",
		      options->fsname[0] ? options->fsname : source);
	if (rc == 0)
		rc = add_name(options, "subtype",
			      options->subtype[0] ? options->subtype : "cowd");
	if (rc == 0 && options->max_read) {
		snprintf(number_text, sizeof(number_text), "%u",
			 options->max_read);
		rc = add_name(options, "max_read", number_text);
	}
	if (rc == 0)
		rc = add_flags(options, check_permissions);
	return rc < 0 ? failure_errno(failure, rc, NULL, "can't mount") : 0;
}

/*
 * mount.cowd: what mount(8) runs for `mount -t cowd` and fstab.
 *
 *   mount.cowd DEVICE DIRECTORY [-sfnv] [-N NAMESPACE] [-t TYPE] [-o OPTIONS]
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

/* Options that mount(8), fstab and systemd use for themselves. */
static bool is_for_mount(const char *option)
{
	static const char *const ignored[] = {
		"auto",	 "noauto", "nofail", "_netdev", "user",	    "users",
		"owner", "nouser", "group",  "sloppy",	"defaults", NULL,
	};
	size_t i;

	for (i = 0; ignored[i]; i++)
		if (strcmp(option, ignored[i]) == 0)
			return true;
	return strncmp(option, "x-", 2) == 0 || strncmp(option, "X-", 2) == 0 ||
	       strncmp(option, "comment=", 8) == 0 ||
	       strncmp(option, "user=", 5) == 0;
}

/* The value of "key=value", or NULL. */
static const char *value_of(const char *option, const char *key)
{
	size_t len_bytes = strlen(key);

	return strncmp(option, key, len_bytes) == 0 &&
			       option[len_bytes] == '=' ?
		       option + len_bytes + 1 :
		       NULL;
}

struct fstab {
	const char *branch, *snapshot, *base; /* parts of the text */
	char *rest; /* for the daemon; the caller frees */
};

static int split_options(char *text, struct fstab *fstab)
{
	size_t size_bytes = 0;
	FILE *out = open_memstream(&fstab->rest, &size_bytes);
	char *next = text, *one;

	if (!out)
		return -errno;
	while ((one = strsep(&next, ",")) != NULL) {
		if (value_of(one, "branch"))
			fstab->branch = value_of(one, "branch");
		else if (value_of(one, "snapshot"))
			fstab->snapshot = value_of(one, "snapshot");
		else if (value_of(one, "base"))
			fstab->base = value_of(one, "base");
		else if (*one && !is_for_mount(one))
			fprintf(out, "%s%s", ftell(out) > 0 ? "," : "", one);
	}
	return fclose(out) == 0 ? 0 : -errno;
}

static int usage(struct cli *cli)
{
	failure_set(&cli->failure, FAILURE_USAGE, NULL,
		    "a store and a directory are needed");
	failure_hint(&cli->failure, "mount.cowd STORE DIRECTORY [-o OPTIONS]");
	return cli_report(cli);
}

static int mount_it(struct cli *cli, const char *store, const char *directory,
		    char *options)
{
	static const struct command mount = { .name = "mount" };
	struct fstab fstab = { .rest = NULL };
	AUTO_FREE char *target = NULL;
	char *arguments[3];
	int rc = split_options(options, &fstab);

	if (rc == 0 &&
	    asprintf(&target, "%s%s%s%s%s", store, fstab.branch ? ":" : "",
		     fstab.branch ? fstab.branch : "",
		     fstab.snapshot ? "@" : "",
		     fstab.snapshot ? fstab.snapshot : "") < 0)
		rc = -ENOMEM;
	if (rc < 0)
		failure_errno(&cli->failure, rc, store, "can't mount");
	arguments[0] = target;
	arguments[1] = strdup(directory);
	arguments[2] = NULL;
	cli->command = &mount;
	cli->arguments = arguments;
	cli->argument_count = 2;
	cli->values[OPTION_BASE] = fstab.base;
	cli->values[OPTION_MOUNT_OPTIONS] =
		fstab.rest && *fstab.rest ? fstab.rest : NULL;
	if (rc == 0)
		rc = cmd_mount(cli);
	free(arguments[1]);
	free(fstab.rest);
	return rc < 0 ? cli_report(cli) : 0;
}

int mount_helper_main(int argc, char **argv)
{
	AUTO_FREE struct cli *cli = calloc(1, sizeof(*cli));
	AUTO_FREE char *options = strdup("");
	bool is_fake = false;
	int code;

	if (!cli || !options)
		return failure_exit_code(FAILURE_FAILED);
	cli->counts[OPTION_QUIET] = 1;
	while ((code = getopt(argc, argv, "sfnvN:t:o:")) != -1) {
		if (code == '?')
			return failure_exit_code(FAILURE_USAGE);
		if (code == 'v')
			cli->counts[OPTION_QUIET] = 0;
		is_fake |= code == 'f';
		if (code == 'o') {
			char *joined = NULL;

			if (asprintf(&joined, "%s%s%s", options,
				     *options ? "," : "", optarg) < 0)
				return failure_exit_code(FAILURE_FAILED);
			free(options);
			options = joined;
		}
	}
	if (argc - optind != 2)
		return usage(cli);
	return is_fake ? 0 :
			 mount_it(cli, argv[optind], argv[optind + 1], options);
}

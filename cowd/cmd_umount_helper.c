/*
 * umount.fuse.cowd: what umount(8) runs for a mount of cowd, so that the
 * store is closed and its base let go of when umount(8) returns.
 *
 *   umount.fuse.cowd DIRECTORY [-flnrv] [-N NAMESPACE] [-t TYPE]
 */
#include <getopt.h>

#include "command.h"

int umount_helper_main(int argc, char **argv)
{
	static const struct command umount = { .name = "umount" };
	AUTO_FREE struct cli *cli = calloc(1, sizeof(*cli));
	int code;

	if (!cli)
		return failure_exit_code(FAILURE_FAILED);
	while ((code = getopt(argc, argv, "flnrvN:t:")) != -1) {
		if (code == '?')
			return failure_exit_code(FAILURE_USAGE);
		cli->counts[OPTION_LAZY] |= code == 'l';
		cli->counts[OPTION_VERBOSE] |= code == 'v';
	}
	cli->command = &umount;
	cli->arguments = argv + optind;
	cli->argument_count = (unsigned)(argc - optind);
	if (cli->argument_count != 1) {
		failure_set(&cli->failure, FAILURE_USAGE, NULL,
			    "one directory is needed");
		return cli_report(cli);
	}
	return cmd_umount(cli) < 0 ? cli_report(cli) : 0;
}

/*
 * A core dump would hold what is in users' files. What an exec begins may dump
 * core again: dumpable is not inherited, the limit is.
 */
#include "harden.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static bool wants_core(void)
{
	const char *wish = getenv("COWD_CORE");

	return wish && strcmp(wish, "1") == 0;
}

void harden_process(void)
{
	if (!wants_core())
		prctl(PR_SET_DUMPABLE, 0);
}

void harden_daemon(void)
{
	const struct rlimit none = { 0, 0 };

	harden_process();
	if (!wants_core())
		setrlimit(RLIMIT_CORE, &none);
	/* Without root, fusermount3 needs its privileges to unmount. */
	if (geteuid() == 0)
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

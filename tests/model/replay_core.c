/* The core does it when it opens the store. */
#include "replay.h"

void replay_before_open(const char *store_path)
{
	(void)store_path;
}

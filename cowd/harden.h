/* What a process gives up before it sees users' data. */
#pragma once

#include <stdbool.h>

/* No core dumps, unless COWD_CORE=1 is set: every command. */
void harden_process(void);
/* Nor by what it starts, and root's never gets new privileges. */
void harden_daemon(void);

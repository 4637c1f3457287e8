/*
 * How the daemon of a store calls the process that lays rules over a mount:
 *
 *   cowd-rules MOUNTPOINT RULES OPTIONS SOURCE STORE
 *
 * It goes to the background, and a struct failure to this descriptor.
 */
#pragma once

#define RULES_PROGRAM "cowd-rules"

enum { RULES_READY_FD = 3, RULES_ARGUMENTS = 6 };

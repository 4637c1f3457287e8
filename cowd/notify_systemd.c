/* With libsystemd. */
#include <systemd/sd-daemon.h>

#include "notify.h"

void notify_systemd(const char *state)
{
	(void)sd_notify(0, state);
}

/* Telling systemd how the service does; nothing when it didn't ask. */
#pragma once

void notify_systemd(const char *state);

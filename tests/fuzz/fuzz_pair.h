/* Two ends that pass whole messages on, as /dev/fuse does. Apart from all else,
 * as <sys/socket.h> has a struct linger, too. */
#pragma once

/* Reading from fds[1] does not wait. */
void pair_new(int fds[2]);

/* Directories for what is dropped at the unmount. */
#pragma once

#include "failure.h"

/*
 * Makes an empty directory below parent, which is made, too, and locks it:
 * *out_fd holds the lock. What dead sessions left there is removed. path:
 * PATH_MAX bytes.
 */
NODISCARD int scratch_open(const char *parent, char *path, int *out_fd,
			   struct failure *failure);
/* Removes it with all that is in it, and the parent if it is empty. */
void scratch_close(const char *path, int fd);

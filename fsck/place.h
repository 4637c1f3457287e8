/* The store as a place: its directory, its lock, its files by name. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "change.h"
#include "scope.h"

struct check;

/*
 * Opens the directory and locks the store, for reading if nothing is to be
 * written. Told by check_failed(): it is no store, somebody else's, in use.
 */
NODISCARD int place_open(struct check *check, const char *path);
void place_close(struct check *check);

/* A regular file, whatever names it has; never a link's target. -EUCLEAN:
 * something else. */
NODISCARD int place_open_file(int dir_fd, const char *name, int flags);
/* The descriptor of a directory. */
int place_folder(const struct check *check, enum change_place place);
/* "0000001f.seg" -> 31; 0: no name of a segment. */
uint32_t place_segment_of(const char *name);

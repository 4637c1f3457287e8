/*
 * Changes of files other than the index: queued by passes, made at the end.
 * What is to be written waits in the temporary directory.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "scope.h"

struct check;

enum change_place { CHANGE_PLACE_STORE, CHANGE_PLACE_SEGMENTS };

enum change_kind {
	CHANGE_KIND_WRITE,  /* bytes within a file that is there */
	CHANGE_KIND_CREATE, /* the same, of a new file */
	CHANGE_KIND_REMOVE, /* the name */
	CHANGE_KIND_COPY,   /* a file of its own instead of one of several
			     * names */
	CHANGE_KIND_MODE,   /* of the directory: name "." */
};

struct change {
	enum change_kind kind;
	enum change_place place;
	char name[NAME_MAX + 1];
	mode_t mode;
	uint64_t offset_bytes, len_bytes;
	uint64_t spool_offset_bytes;
};

struct changes {
	struct change *list;
	size_t count, capacity;
	int spool_fd; /* -1: nothing is spooled */
	uint64_t spool_bytes;
};

void changes_init(struct changes *changes);
void changes_fini(struct changes *changes);

/* Each tells the change that it queues; data is copied. */
NODISCARD int change_write(struct check *check, enum change_place place,
			   const char *name, uint64_t offset_bytes,
			   const void *data, size_t len_bytes);
NODISCARD int change_create(struct check *check, enum change_place place,
			    const char *name, const void *data,
			    size_t len_bytes);
NODISCARD int change_remove(struct check *check, enum change_place place,
			    const char *name);
NODISCARD int change_copy(struct check *check, enum change_place place,
			  const char *name);
NODISCARD int change_mode(struct check *check, enum change_place place,
			  const char *name, mode_t mode);

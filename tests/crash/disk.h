/*
 * A small file system in memory: what a store's directory holds at an
 * instant, in pages that copies share, and the calls that change it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DISK_PAGE_BYTES = 4096, DISK_NAME_BYTES = 40, DISK_SECTOR_BYTES = 512 };

/* A call that changed a disk, or made some of it durable. */
enum disk_call {
	DISK_CALL_WRITE,
	DISK_CALL_TRUNCATE,
	DISK_CALL_PUNCH,
	DISK_CALL_NAME,	  /* node gets name in dir */
	DISK_CALL_RENAME, /* in dir, from name to new_name */
	DISK_CALL_UNNAME,
	DISK_CALL_SYNC,	     /* of node: what was before `begin` */
	DISK_CALL_SYNC_NAMES /* of dir */
};

struct disk_change {
	enum disk_call kind;
	unsigned node, dir;
	bool directory; /* NAME: of a directory */
	char name[DISK_NAME_BYTES], new_name[DISK_NAME_BYTES];
	uint64_t offset, len;
	uint8_t *data;	   /* of a write; owned by the trace */
	size_t begin;	   /* of a sync: changes before it are meant */
	size_t durable_at; /* which sync did it; SIZE_MAX: none */
	bool is_lost;	   /* a sync of it failed: no later one does it */
};

static inline void strcpy_name(char to[DISK_NAME_BYTES], const char *from)
{
	size_t i;

	for (i = 0; i + 1 < DISK_NAME_BYTES && from[i]; i++)
		to[i] = from[i];
	to[i] = '\0';
}

struct disk;

struct disk *disk_new(void);
struct disk *disk_copy(const struct disk *disk);
void disk_free(struct disk *disk);
/* Nodes are numbered by who makes changes; the root of names is node 0. */
void disk_apply(struct disk *disk, const struct disk_change *change);
/* Only the bytes [begin, end) of a write. */
void disk_apply_part(struct disk *disk, const struct disk_change *change,
		     uint64_t begin, uint64_t end);
/* A write whose bytes did not come, but the length did. */
void disk_extend(struct disk *disk, const struct disk_change *change);
uint64_t disk_hash(const struct disk *disk);
/* Makes the real directory, which exists, hold exactly what the disk does. */
void disk_put(const struct disk *disk, int directory_fd);
void disk_empty_directory(int directory_fd);

/* What a real directory holds; place is called for each node. */
typedef void disk_place(void *context, unsigned node, uint64_t real_inode,
			bool directory);
struct disk *disk_take(int directory_fd, unsigned *out_nodes, disk_place *place,
		       void *context);
/* The node at a path below the root, or UINT_MAX. */
unsigned disk_find(const struct disk *disk, const char *path);
unsigned disk_find_in(const struct disk *disk, unsigned dir, const char *name);

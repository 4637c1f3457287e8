/* Inside of holes: the set, its file, and the lines in it. */
#pragma once

#include "holes.h"
#include "hash.h"
#include "mutex.h"

struct hole {
	UT_hash_handle hh;
	char *origin; /* NULL: a hole; else the directory of base, or "" */
	char path[];  /* without a slash in front */
};

/* The file. Its functions are called with holes->lock held. */
struct holes_file {
	int directory_fd;
	int fd;		  /* locked */
	char *path;	  /* for messages */
	const char *name; /* within the directory; points into path */
	char *owner;
	off_t size_bytes;
	size_t dead_count; /* lines that say nothing any more */
	bool broken;	   /* a write or a sync failed for good */
};

struct holes {
	struct mutex lock;
	/* under lock: */
	struct hole *set;
	struct holes_file file;
	size_t pack_at; /* dead lines that are too many */
};

enum hole_line_kind {
	HOLE_LINE_EMPTY,   /* or a comment */
	HOLE_LINE_OWNER,   /* text: the owner */
	HOLE_LINE_ADDED,   /* text: a path */
	HOLE_LINE_REMOVED, /* the hole of an earlier line is gone */
	HOLE_LINE_ORIGIN,  /* text: a path, NUL, its origin */
};

/* Room for the longest line of a text: each byte as \ooo, '-', '/', newline,
 * NUL. */
#define HOLE_LINE_BYTES(text_bytes) (4 * (size_t)(text_bytes) + 32)

/* Writes a line with its newline and a NUL, and returns its length. */
size_t hole_line_encode(enum hole_line_kind kind, const char *text, char *line);
/* The same of HOLE_LINE_ORIGIN; room for both texts. */
size_t hole_line_encode_origin(const char *path, const char *origin,
			       char *line);
/*
 * Reads one without its newline; text has room for len_bytes + 2. -EINVAL for
 * a wrong escape, a control character, or what is no path.
 */
NODISCARD int hole_line_decode(const char *line, size_t len_bytes,
			       enum hole_line_kind *out_kind, char *text);
/* Is it a path below a mount's root, without a slash in front? */
bool hole_path_valid(const char *path);

/* The set: plain operations on it, no file. */
struct hole *hole_set_find(struct hole *set, const char *path,
			   size_t path_bytes);
NODISCARD int hole_set_add(struct hole **set, const char *path);
/* Whatever the set says of the path. origin NULL: a hole. */
NODISCARD int hole_set_put(struct hole **set, const char *path,
			   const char *origin);
void hole_set_delete(struct hole **set, struct hole *hole);
void hole_set_clear(struct hole **set);

/* Opens, locks and loads; afterwards the first line is ours. */
NODISCARD int holes_file_open(struct holes_file *file, const char *path,
			      const char *owner, struct hole **set,
			      struct failure *failure);
/* Appends one line, or nothing. */
NODISCARD int holes_file_append(struct holes_file *file,
				enum hole_line_kind kind, const char *path);
/* Appends whole lines by one write. */
NODISCARD int holes_file_append_text(struct holes_file *file, const char *text,
				     size_t text_bytes);
/* Replaces the file by one with just these names; the lock moves along. */
NODISCARD int holes_file_rewrite(struct holes_file *file, struct hole *set);
NODISCARD int holes_file_sync(struct holes_file *file);
void holes_file_close(struct holes_file *file);

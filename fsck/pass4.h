/* The parts of pass 4. */
#pragma once

#include <stdint.h>

#include "scope.h"
#include "viewers.h"

struct check;

/* What a version says of an inode, as the table `links` has it. */
enum link_kind {
	LINK_KIND_INODE,  /* value: nlink, or -1: absent; extra: mode; other:
			  * parent */
	LINK_KIND_NAME,	  /* value: names more or fewer; other: the directory */
	LINK_KIND_ENTRY,  /* of a directory. value: as above; extra: of these,
			  * directories */
	LINK_KIND_ORPHAN, /* value: more or fewer */
};

struct link_event {
	uint32_t place, gen;
	enum link_kind kind;
	int64_t value, extra;
	uint64_t other;
};

/* Every item by itself; good ones become events in `links`. */
NODISCARD int pass4_items(struct check *check, const struct viewers *viewers);
/* Puts the events of each inode together. */
NODISCARD int pass4_links(struct check *check, const struct viewers *viewers);

/* --- repairs, at (line, gen) --- */

/* Makes an inode anew that names lead to. directory: it has entries. */
NODISCARD int pass4_make_inode(struct check *check, uint64_t inode,
			       uint32_t line, uint32_t gen, uint32_t names,
			       bool directory);
/* Gives an inode of a head a name in lost+found. nlink: of a directory. */
NODISCARD int pass4_find_place(struct check *check, uint64_t inode,
			       uint32_t line, uint32_t gen, uint32_t nlink);

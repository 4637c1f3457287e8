/* What exports of trees share: ops_export_tree.c needs ops_export_layer.c, and
 * both export_object.c. */
#pragma once

#include <archive.h>
#include <limits.h>
#include <uthash.h>

#include "ops_impl.h"
#include "tree.h"

enum { COPY_BYTES = 1 << 20 };

/* The path under which a file with several names was written. */
struct written {
	uint64_t inode;
	char *path;
	UT_hash_handle hh;
};

struct export
{
	struct call *call;
	const char *path;
	char temporary[PATH_MAX + 16];
	bool is_dir;
	int fd; /* of a tar file */
	struct archive *archive;
	struct written *written;
	uint8_t *buffer;
	uint64_t object_count, written_bytes;
	/* Of a layer. */
	struct tree *from; /* what it is to be put upon; NULL: no layer */
	bool is_overlay;   /* overlayfs' whiteouts, not those of OCI */
	bool is_opaque;	   /* the directory that is written next */
};

/* Where the root is, for libarchive. */
const char *export_root(const struct export *export);
/* The result of a call of libarchive. */
NODISCARD int export_checked(const struct export *export, int result);
/* One object, without what is in it; and with all of it. */
NODISCARD int export_object(struct export *export, struct tree_node *node,
			    const struct tree_attr *attr, const char *path);
NODISCARD int export_subtree(struct export *export, struct tree_node *node,
			     const struct tree_attr *attr, const char *path);
/* What is in a directory. */
NODISCARD int export_below(struct export *export, struct tree_node *node,
			   const char *path);
/* ops_export_layer.c: what `to` has otherwise than export->from. */
NODISCARD int export_layer(struct export *export, struct tree *to);

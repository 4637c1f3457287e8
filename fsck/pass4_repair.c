/* Repairs of trees: an inode that is gone, and one that nobody finds. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "item_row.h"
#include "pass4.h"
#include "window_format.h"

enum { ROOT_NR = 1, IMAGE_NR = 2 };

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static struct inode_item make_item(uint32_t mode, uint32_t nlink)
{
	int64_t now = now_ns();

	return (struct inode_item){
		.mode = mode,
		.uid = geteuid(),
		.gid = getegid(),
		.nlink = nlink,
		.atime_ns = now,
		.mtime_ns = now,
		.ctime_ns = now,
		.btime_ns = now,
		.parent = ROOT_NR,
	};
}

/* Where the file ends, by its newest window that the view sees. */
static int find_size(struct check *check, uint64_t inode, uint32_t line,
		     uint32_t gen, uint64_t *out_bytes)
{
	AUTO_FREE struct slot *slots = calloc(WINDOW_BLOCKS, sizeof(*slots));
	AUTO_STATEMENT sqlite3_stmt *rows = NULL;
	int rc = !slots ? -ENOMEM :
			  work_query(check, &rows,
				     "SELECT window, line, gen, slots FROM "
				     "windows WHERE inode = ? ORDER BY "
				     "window DESC, line DESC, gen DESC",
				     "i", (int64_t)inode);

	*out_bytes = 0;
	while (rc == 0 && (rc = work_step(check, rows)) > 0) {
		struct window_key key = { .inode = inode };
		size_t bytes, count = 0;
		const void *blob = work_blob(rows, 3, &bytes);

		rc = 0;
		key.window = (uint64_t)sqlite3_column_int64(rows, 0);
		if (!blob || !work_u32(rows, 1, &key.line) ||
		    !work_u32(rows, 2, &key.gen) ||
		    past_limit(&check->past, line, gen, key.line) < key.gen ||
		    window_decode(check->seed, &key, blob, bytes, slots,
				  &count) < 0 ||
		    count == 0)
			continue;
		*out_bytes = (key.window * WINDOW_BLOCKS +
			      slots[count - 1].first + slots[count - 1].count) *
			     FORMAT_BLOCK_BYTES;
		return 0;
	}
	return rc;
}

/* The kind that names tell; 0: none does. */
static int kind_of(struct check *check, uint64_t inode, uint32_t *out_mode)
{
	AUTO_STATEMENT sqlite3_stmt *rows = NULL;
	struct item_key target = { .inode = inode, .type = ITEM_TYPE_TARGET };
	uint8_t key[ITEM_KEY_BYTES_MAX];
	int rc = work_query(check, &rows, "SELECT 1 FROM items WHERE key = ?",
			    "b", key, item_key_encode(&target, key));

	if (rc == 0)
		rc = work_step(check, rows);
	*out_mode = rc > 0 ? S_IFLNK | 0777 : S_IFREG | 0600;
	return rc < 0 ? rc : 0;
}

/* Another version of it, if there is one: attributes that it had once. */
static int other_version(struct check *check, uint64_t inode,
			 struct inode_item *out)
{
	const struct item_key key = { .inode = inode, .type = ITEM_TYPE_INODE };
	AUTO_STATEMENT sqlite3_stmt *rows = NULL;
	uint8_t bytes[ITEM_KEY_BYTES_MAX];
	size_t key_bytes = item_key_encode(&key, bytes);
	int rc = work_query(check, &rows,
			    "SELECT line, gen, value FROM items WHERE key = ? "
			    "ORDER BY line DESC, gen DESC",
			    "b", bytes, key_bytes);

	while (rc == 0 && (rc = work_step(check, rows)) > 0) {
		struct item_identity identity = { .key = bytes,
						  .key_bytes = key_bytes };
		size_t len;
		const uint8_t *value = work_blob(rows, 2, &len);

		rc = 0;
		if (value && work_u32(rows, 0, &identity.line) &&
		    work_u32(rows, 1, &identity.gen) &&
		    item_value_verify(check->seed, &identity, value, len) ==
			    0 &&
		    inode_item_decode(value + ITEM_CHECKSUM_BYTES,
				      len - ITEM_CHECKSUM_BYTES, out) == 0)
			return 1;
	}
	return rc;
}

int pass4_make_inode(struct check *check, uint64_t inode, uint32_t line,
		     uint32_t gen, uint32_t names, bool directory)
{
	struct inode_item item;
	uint32_t mode = S_IFDIR | 0755;
	int rc = other_version(check, inode, &item);

	if (rc == 0) {
		if (!directory)
			rc = kind_of(check, inode, &mode);
		item = make_item(mode, directory ? 1 : names);
		if (rc == 0 && S_ISREG(mode))
			rc = find_size(check, inode, line, gen,
				       &item.size_bytes);
		if (item.size_bytes > 0)
			item.flags |= INODE_FLAG_MAPPED;
	} else if (rc > 0) {
		item.nlink = S_ISDIR(item.mode) ? 1 : names;
	}
	return rc < 0 ? rc : item_row_put_inode(check, inode, line, gen, &item);
}

/* Names are in a directory that has an item. */
static int ensure_root(struct check *check, uint32_t line, uint32_t gen)
{
	struct inode_item root;
	int rc = item_row_inode(check, ROOT_NR, line, gen, &root);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	root = make_item(S_IFDIR | 0755, 2);
	return item_row_put_inode(check, ROOT_NR, line, gen, &root);
}

/* The directory lost+found of a head; made if there is none. */
static int find_folder(struct check *check, uint32_t line, uint32_t gen,
		       uint64_t *out_inode)
{
	static const char name[] = "lost+found";
	const struct item_key key = { .inode = ROOT_NR,
				      .type = ITEM_TYPE_DIRENT,
				      .name = name,
				      .name_bytes = sizeof(name) - 1 };
	AUTO_FREE struct item_row *row = malloc(sizeof(*row));
	struct inode_item root, item;
	struct dirent_item dirent;
	int64_t next = 0;
	int rc = row ? item_row_find(check, &key, line, gen, row) : -ENOMEM;

	if (rc > 0 && row->payload_bytes > 0 &&
	    dirent_item_decode(row->payload, row->payload_bytes, &dirent) ==
		    0 &&
	    dirent.kind == S_IFDIR >> 12) {
		*out_inode = dirent.inode;
		return 0;
	}
	if (rc >= 0)
		rc = item_row_inode(check, ROOT_NR, line, gen, &root);
	if (rc == 0)
		root = make_item(S_IFDIR | 0755, 1);
	if (rc >= 0)
		rc = work_meta(check, "next_inode", &next);
	if (rc < 0)
		return rc;
	root.nlink += root.nlink > 1;
	item = make_item(S_IFDIR | 0700, 2);
	*out_inode = (uint64_t)next;
	rc = work_meta_put(check, "next_inode", next + 1);
	if (rc == 0)
		rc = item_row_put_inode(check, ROOT_NR, line, gen, &root);
	if (rc == 0)
		rc = item_row_put_inode(check, *out_inode, line, gen, &item);
	if (rc == 0)
		rc = item_row_put_name(check, ROOT_NR, name, line, gen,
				       *out_inode, S_IFDIR);
	return rc;
}

struct found {
	uint64_t inode;
	uint32_t line, gen;
	uint32_t nlink;
};

static int put_in(struct check *check, uint64_t folder, const char *name,
		  const struct found *found)
{
	uint32_t line = found->line, gen = found->gen;
	struct inode_item item, parent;
	int rc = item_row_inode(check, found->inode, line, gen, &item);

	if (rc <= 0)
		return rc;
	rc = item_row_inode(check, folder, line, gen, &parent);
	if (rc > 0 && S_ISDIR(item.mode) && parent.nlink > 1) {
		parent.nlink++;
		rc = item_row_put_inode(check, folder, line, gen, &parent);
	}
	if (rc < 0)
		return rc;
	item.parent = S_ISDIR(item.mode) ? folder : item.parent;
	item.nlink = S_ISDIR(item.mode) ? found->nlink : 1;
	rc = item_row_put_inode(check, found->inode, line, gen, &item);
	return rc < 0 ? rc :
			item_row_put_name(check, folder, name, line, gen,
					  found->inode, item.mode);
}

int pass4_find_place(struct check *check, uint64_t inode, uint32_t line,
		     uint32_t gen, uint32_t nlink)
{
	const struct found found = { inode, line, gen, nlink };
	uint64_t folder = ROOT_NR;
	char name[32];
	int rc;

	if (inode == IMAGE_NR) {
		rc = ensure_root(check, line, gen);
		return rc < 0 ? rc : put_in(check, ROOT_NR, "image", &found);
	}
	rc = find_folder(check, line, gen, &folder);
	snprintf(name, sizeof(name), "#%" PRIu64, inode);
	return rc < 0 ? rc : put_in(check, folder, name, &found);
}

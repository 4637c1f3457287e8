/* The table of fields, and damage by chance. */
#include "plan.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chunk_format.h"
#include "io.h"

#include "fuzz_assert.h"

struct field {
	const char *name;
	unsigned at, len;
};

static const struct field segment_fields[] = {
	{ "segment.magic", 0, 8 },
	{ "segment.version", 8, 4 },
	{ "segment.id", 12, 4 },
	{ "segment.uuid", 16, 16 },
	{ "segment.seed", 32, 8 },
	{ "segment.incompatible", 40, 8 },
	{ "segment.first_lsn", 48, 8 },
	{ "segment.reserved", 56, 8 },
	{ "segment.checksum", 64, 8 },
	{ "segment.rest", 72, 4024 },
	{ .name = NULL },
};

static const struct field block_fields[] = {
	{ "block.magic", 0, 4 },      { "block.segment", 4, 4 },
	{ "block.epoch", 8, 4 },      { "block.block", 12, 4 },
	{ "block.first_lsn", 16, 8 }, { "block.durable_lsn", 24, 8 },
	{ "block.checksum", 32, 8 },  { .name = NULL },
};

static const struct field record_fields[] = {
	{ "record.checksum", 0, 8 },  { "record.lsn", 8, 8 },
	{ "record.unsynced", 16, 4 }, { "record.bytes", 20, 2 },
	{ "record.type", 22, 2 },     { .name = NULL },
};

/* Of payloads, by type; 24 is where a payload begins. */
static const struct field payload_fields[][16] = {
	[RECORD_TYPE_RAW] = { { "raw.line", 24, 4 },
			      { "raw.gen", 28, 4 },
			      { "raw.inode", 32, 8 },
			      { "raw.first", 40, 8 },
			      { "raw.segment", 48, 4 },
			      { "raw.block", 52, 2 },
			      { "raw.count", 54, 2 },
			      { "raw.stored", 56, 2 },
			      { "raw.reserved", 58, 6 },
			      { "raw.sum", 64, 8 } },
	[RECORD_TYPE_LZ4] = { { "lz4.line", 24, 4 },
			      { "lz4.gen", 28, 4 },
			      { "lz4.inode", 32, 8 },
			      { "lz4.first", 40, 8 },
			      { "lz4.segment", 48, 4 },
			      { "lz4.block", 52, 2 },
			      { "lz4.count", 54, 2 },
			      { "lz4.stored", 56, 2 },
			      { "lz4.sum", 64, 8 } },
	[RECORD_TYPE_ZERO] = { { "zero.line", 24, 4 },
			       { "zero.gen", 28, 4 },
			       { "zero.inode", 32, 8 },
			       { "zero.first", 40, 8 },
			       { "zero.count", 48, 8 } },
	[RECORD_TYPE_RESIZE] = { { "resize.line", 24, 4 },
				 { "resize.gen", 28, 4 },
				 { "resize.inode", 32, 8 },
				 { "resize.size", 40, 8 } },
	[RECORD_TYPE_ATTRIBUTES] = { { "attr.mode", 40, 4 },
				     { "attr.uid", 44, 4 },
				     { "attr.mtime", 64, 8 } },
	[RECORD_TYPE_HISTORY] = { { "history.op", 24, 2 },
				  { "history.name_bytes", 26, 2 },
				  { "history.old_bytes", 28, 2 },
				  { "history.note_bytes", 30, 2 },
				  { "history.branch", 36, 4 },
				  { "history.operation", 40, 8 },
				  { "history.undoes", 48, 8 },
				  { "history.snapshot", 64, 4 },
				  { "history.line", 68, 4 },
				  { "history.from_line", 72, 4 },
				  { "history.from_gen", 76, 4 },
				  { "history.gen", 80, 4 },
				  { "history.state", 88, 4 },
				  { "history.size", 96, 8 },
				  { "history.name", 104, 1 } },
	[RECORD_TYPE_MOVE] = { { "move.inode", 24, 8 },
			       { "move.window", 32, 8 },
			       { "move.segment", 40, 4 } },
	[RECORD_TYPE_JUMP] = { { "jump.segment", 24, 4 },
			       { "jump.block", 28, 4 } },
	[RECORD_TYPE_ITEMS] = { { "items.line", 24, 4 },
				{ "items.gen", 28, 4 },
				{ "items.flags", 32, 4 },
				{ "items.bytes", 36, 4 },
				{ "items.key_bytes", 40, 2 },
				{ "items.payload_bytes", 44, 4 },
				{ "items.key", 48, 9 } },
	[RECORD_TYPE_SYNCED] = { { .name = NULL } },
	[RECORD_TYPE_SHARE] = { { "share.line", 24, 4 },
				{ "share.gen", 28, 4 },
				{ "share.inode", 32, 8 },
				{ "share.window", 40, 8 },
				{ "share.runs", 48, 4 },
				{ "share.first", 56, 2 },
				{ "share.count", 58, 2 },
				{ "share.kind", 60, 1 },
				{ "share.block", 62, 2 },
				{ "share.segment", 64, 4 },
				{ "share.sum", 72, 8 } },
};
enum { PAYLOAD_TYPES = sizeof(payload_fields) / sizeof(payload_fields[0]) };

static const struct field chunk_fields[] = {
	{ "chunk.magic", 0, 4 },
	{ "chunk.raw_blocks", 4, 2 },
	{ "chunk.reserved", 6, 2 },
	{ "chunk.lz4_bytes", 8, 4 },
	{ "chunk.reserved2", 12, 4 },
	{ "chunk.data", 16, 64 },
	{ .name = NULL },
};

/* Of a page of 8192 bytes: of the first one 0..100 is the file's header. */
static const struct field file_fields[] = {
	{ "sqlite.magic", 0, 16 },
	{ "sqlite.page_size", 16, 2 },
	{ "sqlite.versions", 18, 2 },
	{ "sqlite.fractions", 20, 4 },
	{ "sqlite.change", 24, 4 },
	{ "sqlite.pages", 28, 4 },
	{ "sqlite.freelist", 32, 4 },
	{ "sqlite.free_pages", 36, 4 },
	{ "sqlite.cookie", 40, 4 },
	{ "sqlite.format", 44, 4 },
	{ "sqlite.vacuum", 52, 4 },
	{ "sqlite.encoding", 56, 4 },
	{ "sqlite.user_version", 60, 4 },
	{ "sqlite.incremental", 64, 4 },
	{ "sqlite.application", 68, 4 },
	{ "sqlite.schema", 100, 64 },
	{ .name = NULL },
};

static const struct field page_fields[] = {
	{ "page.type", 0, 1 },	    { "page.free", 1, 2 },
	{ "page.cells", 3, 2 },	    { "page.content", 5, 2 },
	{ "page.fragments", 7, 1 }, { "page.right", 8, 4 },
	{ "page.pointers", 12, 8 }, { "page.whole", 0, 8192 },
	{ .name = NULL },
};

/* --- enumeration: the nr-th case of the table */

struct walk {
	const struct fuzz_store *store;
	struct plan *plan;
	uint64_t left; /* cases to be passed over */
	bool found;
};

static void one(struct walk *walk, enum damage_how how, unsigned file,
		uint64_t at, size_t len, const char *name)
{
	static const char *const hows[] = { "flip",   "zero", "ones",	"top",
					    "noise",  "swap", "cut",	"grow",
					    "remove", "copy", "rotate", "row" };
	struct damage *damage = &walk->plan->list[0];

	if (walk->found || walk->left-- > 0)
		return;
	walk->found = true;
	walk->plan->count = 1;
	*damage = (struct damage){ .how = how,
				   .file = file,
				   .at = at,
				   .len = len,
				   .random = at * 31 + len };
	snprintf(damage->text, sizeof(damage->text), "%s %s, %.40s at %llu",
		 hows[how], name, walk->store->files[file].name,
		 (unsigned long long)at);
}

static void all_fields(struct walk *walk, const struct field *fields,
		       unsigned file, uint64_t at, size_t room)
{
	for (; fields->name; fields++) {
		enum damage_how how;

		for (how = DAMAGE_FLIP; how <= DAMAGE_TOP; how++)
			if (fields->at + fields->len <= room)
				one(walk, how, file, at + fields->at,
				    fields->len, fields->name);
	}
}

static bool is_segment(const struct fuzz_store *store, unsigned file)
{
	return strncmp(store->files[file].name, "segments/", 9) == 0;
}

/* The first and the last one of each type; headers of their blocks. */
static void all_records(struct walk *walk)
{
	const struct fuzz_store *store = walk->store;
	size_t first[PAYLOAD_TYPES], last[PAYLOAD_TYPES], i, type;
	bool seen[PAYLOAD_TYPES] = { false };

	for (i = 0; i < store->record_count; i++) {
		const struct stored_record *r = &store->records[i];
		const uint8_t *bytes = store->files[r->file].bytes;

		type = bytes[r->at_bytes + 22];
		if (type >= PAYLOAD_TYPES)
			continue;
		if (!seen[type])
			first[type] = i;
		last[type] = i;
		seen[type] = true;
		if (r->place.offset == RECORD_BLOCK_HEADER_BYTES)
			all_fields(walk, block_fields, r->file,
				   r->at_bytes - RECORD_BLOCK_HEADER_BYTES, 40);
	}
	for (type = 1; type < PAYLOAD_TYPES; type++)
		for (i = 0; seen[type] && i < 2; i++) {
			const struct stored_record *r =
				&store->records[i ? last[type] : first[type]];

			all_fields(walk, record_fields, r->file, r->at_bytes,
				   r->len_bytes);
			all_fields(walk, payload_fields[type], r->file,
				   r->at_bytes, r->len_bytes);
		}
}

/* The first chunks that are compressed, and some raw blocks. */
static void all_chunks(struct walk *walk, unsigned file)
{
	const struct stored_file *f = &walk->store->files[file];
	unsigned lz4 = 0, others = 0;
	uint16_t raw_blocks;
	uint32_t lz4_bytes;
	uint64_t at;

	for (at = 4096; at + 4096 <= f->len_bytes; at += 4096) {
		if (chunk_header_decode(f->bytes + at, f->len_bytes - at,
					&raw_blocks, &lz4_bytes) == 0) {
			if (lz4++ < 3)
				all_fields(walk, chunk_fields, file, at, 4096);
		} else if (others++ < 8) {
			one(walk, DAMAGE_FLIP, file, at + 1000, 1, "data");
			one(walk, DAMAGE_ZERO, file, at, 4096, "data");
			one(walk, DAMAGE_NOISE, file, at, 4096, "data");
			one(walk, DAMAGE_SWAP, file, at, 4096, "data");
		}
	}
}

static void all_pages(struct walk *walk, unsigned file)
{
	const struct stored_file *f = &walk->store->files[file];
	uint64_t at;

	all_fields(walk, file_fields, file, 0, f->len_bytes);
	for (at = 8192; at + 8192 <= f->len_bytes; at += 8192)
		all_fields(walk, page_fields, file, at, 8192);
}

static void whole_files(struct walk *walk)
{
	const struct fuzz_store *store = walk->store;
	unsigned i;

	for (i = 0; i < store->file_count; i++) {
		size_t len = store->files[i].len_bytes;

		one(walk, DAMAGE_REMOVE, i, 0, 0, "file");
		one(walk, DAMAGE_CUT, i, 0, 0, "file");
		one(walk, DAMAGE_CUT, i, len / 2, 0, "file");
		one(walk, DAMAGE_CUT, i, len / 8192 * 4096, 0, "file");
		one(walk, DAMAGE_CUT, i, len ? len - 1 : 0, 0, "file");
		one(walk, DAMAGE_GROW, i, 4096, 0, "file");
		one(walk, DAMAGE_COPY, i, 0, 0, "file");
		one(walk, DAMAGE_ROTATE, i, 0, 0, "file");
		one(walk, DAMAGE_ZERO, i, 0, len, "file");
		one(walk, DAMAGE_NOISE, i, 0, len, "file");
	}
}

static void all_rows(struct walk *walk)
{
	unsigned table, row, column, width;
	char name[64];

	for (table = 0; table < 10; table++)
		for (row = 0; row < 6; row++)
			for (column = 0; column < 14; column++)
				for (width = 1; width <= 8; width *= 2) {
					snprintf(name, sizeof(name),
						 "table %u, row %u, column %u",
						 table, row, column);
					if (walk->found)
						return;
					one(walk, DAMAGE_ROW, 0,
					    row | column << 8, width, name);
					walk->plan->list[0].other = table;
				}
}

static void all_cases(struct walk *walk)
{
	const struct fuzz_store *store = walk->store;
	unsigned i;

	for (i = 0; i < store->file_count && !walk->found; i++) {
		const char *name = store->files[i].name;

		if (is_segment(store, i)) {
			all_fields(walk, segment_fields, i, 0,
				   store->files[i].len_bytes);
			all_chunks(walk, i);
		} else if (strcmp(name, "index.db") == 0 ||
			   strcmp(name, "index.bak") == 0) {
			all_pages(walk, i);
		}
	}
	all_records(walk);
	whole_files(walk);
	all_rows(walk);
}

bool plan_of_table(const struct fuzz_store *stores, unsigned variants,
		   uint64_t nr, struct plan *out_plan)
{
	struct walk walk = { .plan = out_plan, .left = nr };
	unsigned i;

	for (i = 0; i < variants && !walk.found; i++) {
		walk.store = &stores[i];
		memset(out_plan, 0, sizeof(*out_plan));
		out_plan->variant = i;
		all_cases(&walk);
	}
	return walk.found;
}

/* --- by chance */

static uint64_t next(uint64_t *state)
{
	uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static unsigned pick_file(const struct fuzz_store *store, uint64_t *state)
{
	unsigned tries, file = 0;

	/* Twice as often a segment as anything else. */
	for (tries = 0; tries < 3; tries++) {
		file = (unsigned)(next(state) % store->file_count);
		if (is_segment(store, file))
			break;
	}
	return file;
}

static void random_damage(const struct fuzz_store *store, uint64_t *state,
			  struct damage *d)
{
	static const enum damage_how hows[] = {
		DAMAGE_FLIP, DAMAGE_FLIP, DAMAGE_FLIP,	DAMAGE_FLIP,
		DAMAGE_ONES, DAMAGE_ZERO, DAMAGE_NOISE, DAMAGE_NOISE,
		DAMAGE_SWAP, DAMAGE_CUT,  DAMAGE_COPY,	DAMAGE_ROW,
	};
	const uint8_t *bytes;
	size_t len, tries;

	d->how = hows[next(state) % (sizeof(hows) / sizeof(hows[0]))];
	d->file = pick_file(store, state);
	d->random = next(state);
	len = store->files[d->file].len_bytes;
	bytes = store->files[d->file].bytes;
	d->len = (size_t)1 << next(state) % 14;
	if (d->how == DAMAGE_FLIP || d->how == DAMAGE_ONES)
		d->len = 1 + next(state) % 8;
	if (d->how == DAMAGE_ROW) {
		d->other = (unsigned)(next(state) % 10);
		d->at = next(state) & 0xffff;
		d->len = (size_t)1 << next(state) % 4;
	} else {
		/* Where something is, if possible. */
		for (tries = 0; len && tries < 40; tries++) {
			d->at = next(state) % len;
			if (bytes[d->at])
				break;
		}
	}
	snprintf(d->text, sizeof(d->text), "how %d, %.40s at %llu, %zu bytes",
		 d->how,
		 d->how == DAMAGE_ROW ? "row" : store->files[d->file].name,
		 (unsigned long long)d->at, d->len);
}

void plan_random(const struct fuzz_store *stores, unsigned variants,
		 uint64_t seed, struct plan *out_plan)
{
	uint64_t state = seed;
	unsigned i;

	memset(out_plan, 0, sizeof(*out_plan));
	out_plan->variant = (unsigned)(next(&state) % variants);
	out_plan->count = next(&state) % 4 ? 1 :
					     2 + (unsigned)(next(&state) % 3);
	for (i = 0; i < out_plan->count; i++)
		random_damage(&stores[out_plan->variant], &state,
			      &out_plan->list[i]);
}

/* --- what is done */

static int open_file(const struct fuzz_store *store, unsigned file)
{
	char path[192];

	snprintf(path, sizeof(path), "%s/%s", store->path,
		 store->files[file].name);
	return open(path, O_RDWR | O_CLOEXEC);
}

static void change_bytes(int fd, const struct damage *d)
{
	uint64_t state = d->random;
	uint8_t *bytes = calloc(1, d->len + 1);
	ssize_t n;
	size_t i;

	FUZZ_ASSERT(bytes);
	n = pread(fd, bytes, d->len, (off_t)d->at);
	for (i = 0; n > 0 && i < (size_t)n; i++) {
		if (d->how == DAMAGE_ZERO)
			bytes[i] = 0;
		else if (d->how == DAMAGE_ONES)
			bytes[i] = 0xff;
		else if (d->how == DAMAGE_NOISE)
			bytes[i] = (uint8_t)next(&state);
	}
	if (n > 0 && d->how == DAMAGE_FLIP)
		bytes[d->random % (size_t)n] ^= (uint8_t)(1U << d->random % 8);
	if (n > 0 && d->how == DAMAGE_TOP)
		bytes[n - 1] ^= 0x80;
	if (n > 0)
		FUZZ_ASSERT(pwrite(fd, bytes, (size_t)n, (off_t)d->at) == n);
	free(bytes);
}

static void swap_blocks(int fd, const struct damage *d)
{
	uint8_t one[4096], two[4096];
	struct stat st;
	uint64_t count;
	off_t a, b;

	FUZZ_ASSERT(fstat(fd, &st) == 0);
	count = (uint64_t)st.st_size / sizeof(one);
	if (count < 2)
		return;
	a = (off_t)(d->at / sizeof(one) % count * sizeof(one));
	b = (off_t)(d->random % count * sizeof(one));
	if (pread(fd, one, sizeof(one), a) != sizeof(one) ||
	    pread(fd, two, sizeof(two), b) != sizeof(two))
		return;
	FUZZ_ASSERT(pwrite(fd, two, sizeof(two), a) == sizeof(two));
	FUZZ_ASSERT(pwrite(fd, one, sizeof(one), b) == sizeof(one));
}

static void change_name(const struct fuzz_store *store, const struct damage *d)
{
	const struct stored_file *from = &store->files[d->file];
	unsigned to =
		(unsigned)((d->file + 1 + d->random % 3) % store->file_count);
	char path[192], other[192], third[192];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", store->path, from->name);
	snprintf(other, sizeof(other), "%s/%s", store->path,
		 store->files[to].name);
	snprintf(third, sizeof(third), "%s/third", store->path);
	if (d->how == DAMAGE_REMOVE) {
		unlink(path);
	} else if (d->how == DAMAGE_ROTATE) {
		(void)!rename(path, third);
		(void)!rename(other, path);
		(void)!rename(third, other);
	} else {
		fd = open(other, O_WRONLY | O_TRUNC | O_CLOEXEC);
		if (fd < 0)
			return;
		FUZZ_ASSERT(io_write_all(fd, from->bytes, from->len_bytes, 0) ==
			    0);
		close(fd);
	}
}

static void apply(const struct damage *d, const struct fuzz_store *store)
{
	struct stat st;
	int fd;

	if (d->how == DAMAGE_ROW) {
		fuzz_store_change_row(store, d->other, (uint32_t)d->at,
				      d->random, (unsigned)d->len);
		return;
	}
	if (d->how == DAMAGE_REMOVE || d->how == DAMAGE_COPY ||
	    d->how == DAMAGE_ROTATE) {
		change_name(store, d);
		return;
	}
	fd = open_file(store, d->file);
	if (fd < 0)
		return;
	if (d->how == DAMAGE_SWAP)
		swap_blocks(fd, d);
	else if (d->how == DAMAGE_CUT)
		(void)!ftruncate(fd, (off_t)d->at);
	else if (d->how == DAMAGE_GROW && fstat(fd, &st) == 0)
		(void)!ftruncate(fd, st.st_size + (off_t)d->at);
	else
		change_bytes(fd, d);
	close(fd);
}

void plan_apply(const struct plan *plan, const struct fuzz_store *store)
{
	unsigned i;

	for (i = 0; i < plan->count; i++)
		apply(&plan->list[i], store);
}

bool plan_is_small(const struct plan *plan, const struct fuzz_store *store)
{
	const struct damage *d = &plan->list[0];

	return plan->count == 1 && d->how <= DAMAGE_NOISE && d->len <= 64 &&
	       is_segment(store, d->file);
}

bool plan_has_rows(const struct plan *plan)
{
	unsigned i;

	for (i = 0; i < plan->count; i++)
		if (plan->list[i].how == DAMAGE_ROW)
			return true;
	return false;
}

/* Is the block one of records, or the header? */
bool plan_is_data_only(const struct plan *plan, const struct fuzz_store *store)
{
	const struct damage *d = &plan->list[0];
	struct record_block_header header;
	const struct stored_file *f = &store->files[d->file];
	uint64_t at = d->at / 4096 * 4096;

	return plan->count == 1 && d->how <= DAMAGE_NOISE &&
	       is_segment(store, d->file) && at > 0 &&
	       d->at + d->len <= at + 4096 && at + 4096 <= f->len_bytes &&
	       record_block_decode(store->seed, f->bytes + at, 4096, &header) <
		       0;
}

void plan_text(const struct plan *plan, char *text, size_t text_bytes)
{
	size_t used =
		(size_t)snprintf(text, text_bytes, "store %u", plan->variant);
	unsigned i;

	for (i = 0; i < plan->count && used < text_bytes; i++)
		used += (size_t)snprintf(text + used, text_bytes - used, "; %s",
					 plan->list[i].text);
}

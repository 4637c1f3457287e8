/*
 * The store's uuid and seed stand in meta and in every segment. Where they
 * differ, rows tell which seed is right: their checksums were made with it.
 */
#include "identity.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "io.h"
#include "item_format.h"
#include "place.h"

struct identity {
	bool known;
	uint8_t uuid[FORMAT_UUID_BYTES];
	uint64_t seed;
};

static bool same(const struct identity *a, const struct identity *b)
{
	return a->seed == b->seed &&
	       memcmp(a->uuid, b->uuid, sizeof(a->uuid)) == 0;
}

static int read_header(struct check *check, const char *name,
		       struct segment_header *out_header)
{
	AUTO_CLOSE int fd = place_open_file(check->segments_fd, name, O_RDONLY);
	uint8_t block[FORMAT_BLOCK_BYTES];
	ssize_t n;

	if (fd < 0)
		return -EUCLEAN;
	n = io_read_full(fd, block, sizeof(block), 0);
	if (n < 0)
		return -EUCLEAN;
	return segment_header_decode(block, (size_t)n, out_header);
}

/* What the segments say; one that is known and right is enough. */
static int ask_segments(struct check *check, const struct identity *wanted,
			struct identity *out)
{
	int fd = openat(check->segments_fd, ".",
			O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int rc = 0;

	if (!folder)
		return check_failed(check, -errno, "segments/");
	out->known = false;
	while (rc == 0 && (entry = readdir(folder))) {
		struct segment_header header;

		if (!place_segment_of(entry->d_name))
			continue;
		rc = read_header(check, entry->d_name, &header);
		if (rc == 0) {
			out->known = true;
			out->seed = header.seed;
			memcpy(out->uuid, header.uuid, sizeof(out->uuid));
			if (wanted->known && same(wanted, out))
				break;
		} else if (rc == -EUCLEAN) {
			rc = 0; /* another pass tells it */
		} else {
			check_failed(check, rc,
				     "segment %s was written by a "
				     "newer cowd",
				     entry->d_name);
		}
	}
	closedir(folder);
	return rc;
}

int identity_of_segments(struct check *check)
{
	const struct identity nobody = { 0 };
	struct identity found = { 0 };
	int rc = ask_segments(check, &nobody, &found);

	if (rc < 0)
		return rc;
	if (!found.known)
		return -EUCLEAN;
	memcpy(check->uuid, found.uuid, sizeof(check->uuid));
	check->seed = found.seed;
	return 0;
}

static int from_meta(struct check *check, struct identity *out)
{
	AUTO_STATEMENT sqlite3_stmt *statement = NULL;
	int64_t seed = 0;
	size_t bytes = 0;
	int rc = work_query(check, &statement,
			    "SELECT value FROM meta WHERE key = 'uuid'", "");

	if (rc == 0)
		rc = work_step(check, statement);
	if (rc < 0)
		return rc;
	if (rc > 0) {
		const void *blob = work_blob(statement, 0, &bytes);

		if (blob && bytes == sizeof(out->uuid))
			memcpy(out->uuid, blob, bytes);
	}
	out->known = rc > 0 && bytes == sizeof(out->uuid);
	rc = work_meta(check, "seed", &seed);
	out->seed = (uint64_t)seed;
	if (rc == -ENOENT)
		out->known = false;
	return rc == -ENOENT ? 0 : rc;
}

/* Does a row of the index have a checksum of this seed? */
static bool fits(struct check *check, uint64_t seed)
{
	AUTO_STATEMENT sqlite3_stmt *statement = NULL;
	bool found = false;
	int rc = work_query(check, &statement,
			    "SELECT key, line, gen, value FROM items LIMIT 64",
			    "");

	while (rc == 0 && !found && (rc = work_step(check, statement)) > 0) {
		struct item_identity identity = { 0 };
		const void *value;
		size_t bytes;

		rc = 0;
		identity.key = work_blob(statement, 0, &identity.key_bytes);
		value = work_blob(statement, 3, &bytes);
		found = identity.key && value &&
			work_u32(statement, 1, &identity.line) &&
			work_u32(statement, 2, &identity.gen) &&
			item_value_verify(seed, &identity, value, bytes) == 0;
	}
	return found;
}

static int repair(struct check *check, struct identity *identity,
		  const struct identity *right)
{
	int rc;

	if (!problem(check, PROBLEM_INDEX_META, NULL,
		     "uuid and seed, as the segments have them"))
		return -EUCLEAN;
	*identity = *right;
	rc = work_repair(check, "INSERT OR REPLACE INTO meta VALUES('uuid', ?)",
			 "b", right->uuid, sizeof(right->uuid));
	return rc < 0 ? rc : work_meta_put(check, "seed", (int64_t)right->seed);
}

static int find(struct check *check, struct identity *identity)
{
	struct identity other = { 0 };
	int rc = from_meta(check, identity);

	if (rc == 0)
		rc = ask_segments(check, identity, &other);
	if (rc < 0)
		return rc;
	if (!identity->known && !other.known)
		return -EUCLEAN;
	if (!other.known || (identity->known && same(identity, &other)))
		return 0;
	if (!fits(check, other.seed)) /* F-6: an index of another store */
		return -EUCLEAN;
	return repair(check, identity, &other);
}

static int get_u32(struct check *check, const char *key, uint32_t *out)
{
	int64_t value = 0;
	int rc = work_meta(check, key, &value);

	if (rc == -ENOENT || (rc == 0 && (value < 0 || value > UINT32_MAX)))
		rc = -EUCLEAN;
	*out = (uint32_t)value;
	return rc;
}

static int read_position(struct check *check)
{
	struct log_position *p = &check->position;
	const struct {
		const char *key;
		uint32_t *value;
	} values[] = {
		{ "log_segment", &p->segment },
		{ "log_block", &p->block },
		{ "log_offset", &p->offset },
		{ "log_tail_segment", &p->tail_segment },
		{ "log_tail_block", &p->tail_block },
		{ "log_epoch", &p->epoch },
	};
	int64_t lsn = 0, clean = 0;
	size_t i;
	int rc = work_meta(check, "log_next_lsn", &lsn);

	for (i = 0; rc == 0 && i < sizeof(values) / sizeof(values[0]); i++)
		rc = get_u32(check, values[i].key, values[i].value);
	if (rc < 0)
		return rc == -ENOENT ? -EUCLEAN : rc;
	p->next_lsn = (uint64_t)lsn;
	rc = work_meta(check, "clean", &clean);
	check->clean = rc == 0 && clean == 1;
	if (rc < 0 && rc != -ENOENT)
		return rc;
	if (p->segment == 0 || p->block == 0 || p->block >= SEGMENT_BLOCKS ||
	    p->offset < RECORD_BLOCK_HEADER_BYTES ||
	    p->offset > FORMAT_BLOCK_BYTES || p->tail_segment < p->segment ||
	    p->tail_block > SEGMENT_BLOCKS || lsn < 1)
		return -EUCLEAN;
	return 0;
}

int identity_check(struct check *check)
{
	struct identity identity = { 0 };
	int rc = find(check, &identity);
	const uint8_t *u = identity.uuid;

	if (rc < 0)
		return rc;
	memcpy(check->uuid, identity.uuid, sizeof(check->uuid));
	check->seed = identity.seed;
	snprintf(check->result->uuid, sizeof(check->result->uuid),
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
		 "%02x%02x%02x%02x%02x%02x",
		 u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9],
		 u[10], u[11], u[12], u[13], u[14], u[15]);
	return read_position(check);
}

bool identity_fits(struct check *check, const uint8_t uuid[FORMAT_UUID_BYTES])
{
	struct identity any = { 0 }, found = { 0 };

	if (ask_segments(check, &any, &found) < 0)
		return false;
	return !found.known ||
	       memcmp(found.uuid, uuid, sizeof(found.uuid)) == 0;
}

/* Windows as runs: neighbouring slots of consecutive places share a run. */
#include "window_format.h"

#include <errno.h>
#include <string.h>
#include <xxhash.h>

#include "le.h"

struct disk_window {
	struct le64 checksum; /* of all that follows, seeded with the key */
	struct le32 version;
	struct le32 run_count;
};

struct disk_run {
	struct le16 first;
	struct le16 count;
	uint8_t kind;
	uint8_t lz4;
	struct le16 block;
	struct le32 segment;
	struct le32 birth;
};

static uint64_t key_checksum(uint64_t seed, const struct window_key *key,
			     const uint8_t *bytes, size_t len_bytes)
{
	struct {
		struct le64 inode, window;
		struct le32 line, gen;
	} disk = {
		le64_put(key->inode),
		le64_put(key->window),
		le32_put(key->line),
		le32_put(key->gen),
	};

	return XXH3_64bits_withSeed(bytes, len_bytes,
				    XXH3_64bits_withSeed(&disk, sizeof(disk),
							 seed));
}

/* How many slots from here on share one run. */
static size_t run_length(const struct slot *slots, size_t slot_count)
{
	const struct slot *head = slots;
	size_t i;

	if (head->kind == SLOT_KIND_ZERO)
		return 1;
	for (i = 1; i < slot_count; i++) {
		const struct slot *slot = &slots[i];

		if (slot->kind != head->kind ||
		    slot->first != head->first + i ||
		    slot->segment != head->segment ||
		    slot->birth != head->birth)
			break;
		if (head->kind == SLOT_KIND_RAW &&
		    slot->block != head->block + i)
			break;
		if (head->kind == SLOT_KIND_LZ4 &&
		    (slot->block != head->block || slot->sum != head->sum ||
		     slot_stored_blocks(slot) != slot_stored_blocks(head) ||
		     slot_skip(slot) != slot_skip(head) + i))
			break;
	}
	return i;
}

static uint8_t *put_sum(uint8_t *next, uint64_t sum)
{
	struct le64 disk = le64_put(sum);

	memcpy(next, &disk, sizeof(disk));
	return next + sizeof(disk);
}

/* One run of length slots; returns where the next begins. */
static uint8_t *put_run(const struct slot *head, size_t length, uint8_t *next)
{
	struct disk_run run = {
		.first = le16_put(head->first),
		.count = le16_put(head->kind == SLOT_KIND_ZERO ?
					  head->count :
					  (uint16_t)length),
		.kind = head->kind,
		.lz4 = head->lz4,
		.block = le16_put(head->block),
		.segment = le32_put(head->segment),
		.birth = le32_put(head->birth),
	};
	size_t i;

	memcpy(next, &run, sizeof(run));
	next += sizeof(run);
	if (head->kind == SLOT_KIND_LZ4)
		next = put_sum(next, head->sum);
	for (i = 0; head->kind == SLOT_KIND_RAW && i < length; i++)
		next = put_sum(next, head[i].sum);
	return next;
}

size_t slot_runs_encode(const struct slot *slots, size_t slot_count,
			uint8_t *out, uint32_t *out_run_count)
{
	uint8_t *next = out;
	uint32_t run_count = 0;
	size_t i, length;

	for (i = 0; i < slot_count; i += length, run_count++) {
		length = run_length(&slots[i], slot_count - i);
		next = put_run(&slots[i], length, next);
	}
	*out_run_count = run_count;
	return (size_t)(next - out);
}

size_t slot_runs_fit(const struct slot *slots, size_t slot_count,
		     size_t room_bytes)
{
	const size_t run_bytes = sizeof(struct disk_run);
	size_t i, length, sums;

	for (i = 0; i < slot_count; i += length) {
		length = run_length(&slots[i], slot_count - i);
		sums = slots[i].kind == SLOT_KIND_RAW ? length :
		       slots[i].kind == SLOT_KIND_LZ4 ? 1 :
							0;
		if (run_bytes + sums * sizeof(struct le64) > room_bytes) {
			if (slots[i].kind != SLOT_KIND_RAW ||
			    room_bytes < run_bytes)
				return i;
			return i +
			       (room_bytes - run_bytes) / sizeof(struct le64);
		}
		room_bytes -= run_bytes + sums * sizeof(struct le64);
	}
	return slot_count;
}

size_t window_encode(uint64_t seed, const struct window_key *key,
		     const struct slot *slots, size_t slot_count, uint8_t *out)
{
	struct disk_window header = { .version = le32_put(FORMAT_VERSION) };
	uint32_t run_count;
	size_t len_bytes = sizeof(header);

	len_bytes += slot_runs_encode(slots, slot_count, out + len_bytes,
				      &run_count);
	header.run_count = le32_put(run_count);
	memcpy(out, &header, sizeof(header));
	header.checksum =
		le64_put(key_checksum(seed, key, out + sizeof(header.checksum),
				      len_bytes - sizeof(header.checksum)));
	memcpy(out, &header, sizeof(header));
	return len_bytes;
}

static bool run_valid(const struct slot *head, unsigned count, unsigned begin)
{
	if (count == 0 || head->first < begin || head->first >= WINDOW_BLOCKS ||
	    count > WINDOW_BLOCKS - (unsigned)head->first)
		return false; /* F-32 */
	if (head->kind == SLOT_KIND_ZERO ||
	    head->kind == SLOT_KIND_LOST) /* F-33 */
		return head->segment == 0 && head->block == 0 && head->lz4 == 0;
	if (head->segment == 0 || head->block == 0 ||
	    head->block >= SEGMENT_BLOCKS)
		return false;		 /* F-33 */
	if (head->kind == SLOT_KIND_RAW) /* F-33 */
		return head->lz4 == 0 &&
		       count <= SEGMENT_BLOCKS - (unsigned)head->block;
	return head->kind == SLOT_KIND_LZ4 && slot_skip(head) + count <= 16 &&
	       slot_stored_blocks(head) <=
		       SEGMENT_BLOCKS - (unsigned)head->block; /* F-34 */
}

static uint64_t sum_at(const uint8_t *bytes)
{
	struct le64 sum;

	memcpy(&sum, bytes, sizeof(sum));
	return le64_get(sum);
}

/* Appends the slots of one run; returns how many bytes of sums it took. */
static size_t run_expand(const struct slot *head, unsigned count,
			 const uint8_t *sums, size_t sums_bytes,
			 struct slot *slots, size_t *slot_count)
{
	size_t need = head->kind == SLOT_KIND_RAW ?
			      count * sizeof(struct le64) :
		      head->kind == SLOT_KIND_LZ4 ? sizeof(struct le64) :
						    0;
	unsigned i;

	if (need > sums_bytes)
		return SIZE_MAX; /* F-31 */
	if (head->kind == SLOT_KIND_ZERO) {
		slots[*slot_count] = *head;
		slots[(*slot_count)++].count = (uint16_t)count;
		return 0;
	}
	for (i = 0; i < count; i++) {
		struct slot *slot = &slots[(*slot_count)++];

		*slot = *head;
		slot->first = (uint16_t)(head->first + i);
		slot->count = 1;
		if (head->kind == SLOT_KIND_RAW) {
			slot->block = (uint16_t)(head->block + i);
			slot->sum = sum_at(sums + i * sizeof(struct le64));
		} else if (head->kind == SLOT_KIND_LZ4) {
			slot->lz4 = (uint8_t)(head->lz4 + (i << 4));
			slot->sum = sum_at(sums);
		}
	}
	return need;
}

int slot_runs_decode(const uint8_t *bytes, size_t len_bytes, uint32_t run_count,
		     struct slot *slots, size_t *out_slot_count,
		     size_t *out_bytes)
{
	const uint8_t *next = bytes, *end = bytes + len_bytes;
	size_t slot_count = 0, taken;
	uint32_t i;
	unsigned begin = 0;

	for (i = 0; i < run_count; i++) {
		struct disk_run run;
		struct slot head = { 0 };
		unsigned count;

		if ((size_t)(end - next) < sizeof(run))
			return -EUCLEAN; /* F-31 */
		memcpy(&run, next, sizeof(run));
		next += sizeof(run);
		head.first = le16_get(run.first);
		head.kind = run.kind;
		head.lz4 = run.lz4;
		head.block = le16_get(run.block);
		head.segment = le32_get(run.segment);
		head.birth = le32_get(run.birth);
		count = le16_get(run.count);
		if (!run_valid(&head, count, begin))
			return -EUCLEAN; /* F-32, F-33, F-34 */
		taken = run_expand(&head, count, next, (size_t)(end - next),
				   slots, &slot_count);
		if (taken == SIZE_MAX)
			return -EUCLEAN; /* F-31 */
		next += taken;
		begin = head.first + count;
	}
	*out_slot_count = slot_count;
	*out_bytes = (size_t)(next - bytes);
	return 0;
}

int window_decode(uint64_t seed, const struct window_key *key,
		  const void *bytes, size_t len_bytes, struct slot *slots,
		  size_t *out_slot_count)
{
	const uint8_t *start = bytes;
	struct disk_window header;
	size_t slot_count, used_bytes;
	int rc;

	if (len_bytes < sizeof(header) || len_bytes > WINDOW_ROW_BYTES_MAX)
		return -EUCLEAN; /* F-30 */
	memcpy(&header, start, sizeof(header));
	if (le64_get(header.checksum) !=
	    key_checksum(seed, key, start + sizeof(header.checksum),
			 len_bytes - sizeof(header.checksum)))
		return -EUCLEAN; /* F-30 */
	if (le32_get(header.version) != FORMAT_VERSION)
		return -EUCLEAN; /* F-30 */
	rc = slot_runs_decode(start + sizeof(header),
			      len_bytes - sizeof(header),
			      le32_get(header.run_count), slots, &slot_count,
			      &used_bytes);
	if (rc < 0)
		return rc;
	if (used_bytes != len_bytes - sizeof(header))
		return -EUCLEAN; /* F-31 */
	*out_slot_count = slot_count;
	return 0;
}

/* Encoding of history records. */
#include "history_format.h"

#include <errno.h>
#include <string.h>

enum { STATE_MAX = 2 }; /* of snapshots and branches; kinds of snapshots */

struct disk_history {
	struct le16 op;
	struct le16 name_bytes;
	struct le16 old_name_bytes;
	struct le16 note_bytes;
	struct le32 uid;
	struct le32 branch;
	struct le64 operation;
	struct le64 undoes;
	struct le64 time_ns;
	struct le32 snapshot;
	struct le32 line;
	struct le32 from_line;
	struct le32 from_gen;
	struct le32 gen;
	struct le32 kept_snapshot;
	struct le32 state;
	struct le32 reserved;
	struct le64 size_bytes;
};

size_t history_record_encode(const struct history_record *history, uint8_t *out)
{
	size_t name = strlen(history->name);
	size_t old_name = strlen(history->old_name);
	size_t note = strlen(history->note);
	struct disk_history disk = {
		.op = le16_put((uint16_t)history->op),
		.name_bytes = le16_put((uint16_t)name),
		.old_name_bytes = le16_put((uint16_t)old_name),
		.note_bytes = le16_put((uint16_t)note),
		.uid = le32_put(history->uid),
		.branch = le32_put(history->branch),
		.operation = le64_put(history->operation),
		.undoes = le64_put(history->undoes),
		.time_ns = le64_put((uint64_t)history->time_ns),
		.snapshot = le32_put(history->snapshot),
		.line = le32_put(history->line),
		.from_line = le32_put(history->from_line),
		.from_gen = le32_put(history->from_gen),
		.gen = le32_put(history->gen),
		.kept_snapshot = le32_put(history->kept_snapshot),
		.state = le32_put(history->state),
		.size_bytes = le64_put(history->size_bytes),
	};

	memcpy(out, &disk, sizeof(disk));
	out += sizeof(disk);
	memcpy(out, history->name, name);
	memcpy(out + name, history->old_name, old_name);
	memcpy(out + name + old_name, history->note, note);
	return sizeof(disk) + name + old_name + note;
}

static int string_decode(const uint8_t **next, size_t len_bytes, char *out,
			 size_t out_bytes)
{
	if (len_bytes >= out_bytes || memchr(*next, 0, len_bytes))
		return -EUCLEAN; /* F-22 */
	memcpy(out, *next, len_bytes);
	out[len_bytes] = '\0';
	*next += len_bytes;
	return 0;
}

/*
 * Does the operation make sense by itself? Ids come from counters that only
 * grow: so a line is younger than its parent, and lines make no cycle.
 */
static bool history_valid(const struct history_record *h)
{
	switch (h->op) {
	case HISTORY_OP_SNAPSHOT:
	case HISTORY_OP_SNAPSHOT_STATE:
	case HISTORY_OP_BRANCH_STATE:
		return h->state <= STATE_MAX;
	case HISTORY_OP_ROLLBACK:
	case HISTORY_OP_CLONE:
		return h->from_line != 0 && h->line > h->from_line &&
		       h->gen > h->from_gen;
	case HISTORY_OP_LAYERS:
		return h->state <= LAYERS_STATE_REMOVED;
	case HISTORY_OP_RESIZE:
		return h->size_bytes <= INT64_MAX;
	case HISTORY_OP_SNAPSHOT_RENAME:
	case HISTORY_OP_HOLD:
	case HISTORY_OP_RELEASE:
	case HISTORY_OP_BRANCH_RENAME:
		return true;
	}
	return false;
}

int history_record_decode(const struct record *record,
			  struct history_record *out_history)
{
	struct history_record *h = out_history;
	struct disk_history disk;
	const uint8_t *next;
	size_t name, old_name, note;

	if (record->payload_bytes < sizeof(disk))
		return -EUCLEAN; /* F-21 */
	memcpy(&disk, record->payload, sizeof(disk));
	name = le16_get(disk.name_bytes);
	old_name = le16_get(disk.old_name_bytes);
	note = le16_get(disk.note_bytes);
	if (record->payload_bytes < sizeof(disk) + name + old_name + note)
		return -EUCLEAN; /* F-21 */
	if (le16_get(disk.op) < HISTORY_OP_SNAPSHOT ||
	    le16_get(disk.op) > HISTORY_OP_LAYERS)
		return -EUCLEAN; /* F-21 */
	h->op = (enum history_op)le16_get(disk.op);
	h->uid = le32_get(disk.uid);
	h->operation = le64_get(disk.operation);
	h->undoes = le64_get(disk.undoes);
	h->time_ns = (int64_t)le64_get(disk.time_ns);
	h->branch = le32_get(disk.branch);
	h->snapshot = le32_get(disk.snapshot);
	h->line = le32_get(disk.line);
	h->from_line = le32_get(disk.from_line);
	h->from_gen = le32_get(disk.from_gen);
	h->gen = le32_get(disk.gen);
	h->kept_snapshot = le32_get(disk.kept_snapshot);
	h->state = le32_get(disk.state);
	h->size_bytes = le64_get(disk.size_bytes);
	next = record->payload + sizeof(disk);
	if (string_decode(&next, name, h->name, sizeof(h->name)) < 0 ||
	    string_decode(&next, old_name, h->old_name, sizeof(h->old_name)) <
		    0 ||
	    string_decode(&next, note, h->note, sizeof(h->note)) < 0)
		return -EUCLEAN; /* F-22 */
	if (!history_valid(h))
		return -EUCLEAN; /* F-24 */
	return 0;
}

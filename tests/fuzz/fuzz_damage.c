/*
 * What a script does to the files of a store. A step:
 *
 *   0 op       low 3 bits: enum step; then 2 bits: how many bytes a number has
 *   1 which    file, table
 *   2 where    32 bits: offset, record, row and column
 *   6 value    16 bits: an extreme, or itself
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz_assert.h"
#include "fuzz_mutate.h"
#include "fuzz_seal.h"
#include "fuzz_store.h"

enum { STEPS_MAX = 16 };

enum step_kind {
	STEP_XOR,
	STEP_PUT,
	STEP_CUT,
	STEP_SWAP,   /* of two blocks */
	STEP_RECORD, /* sealed again */
	STEP_ROW,
	STEP_FILE,   /* goes, or becomes another */
	STEP_HEADER, /* of a segment or of a record block; sealed again */
};

struct step {
	enum step_kind kind;
	unsigned width, which;
	uint32_t where;
	uint16_t value;
};

static uint64_t number(const struct step *step)
{
	static const uint64_t extremes[16] = {
		0,
		1,
		2,
		0xff,
		0x7fff,
		0xffff,
		0x7fffffff,
		0x80000000,
		0xffffffff,
		INT64_MAX,
		(uint64_t)INT64_MIN,
		UINT64_MAX,
		UINT64_C(1) << 62,
		UINT64_C(1) << 48,
		16384,
		511,
	};

	return step->value < 16	    ? extremes[step->value] :
	       step->value & 0x8000 ? -(uint64_t)(step->value & 0x7fff) :
				      step->value;
}

static int open_file(const struct fuzz_store *store, unsigned which,
		     struct stat *out_st)
{
	char path[192];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", store->path,
		 store->files[which % store->file_count].name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		FUZZ_ASSERT(fstat(fd, out_st) == 0);
	return fd;
}

static void xor_or_put(int fd, const struct step *step, uint64_t size_bytes)
{
	uint64_t value = number(step), at;
	uint8_t byte;

	if (size_bytes == 0)
		return;
	at = step->where % size_bytes;
	if (step->kind == STEP_PUT) {
		(void)!pwrite(fd, &value, step->width, (off_t)at);
		return;
	}
	if (pread(fd, &byte, 1, (off_t)at) != 1)
		return;
	byte ^= step->value & 0xff ? (uint8_t)step->value : 1;
	(void)!pwrite(fd, &byte, 1, (off_t)at);
}

static void swap_blocks(int fd, const struct step *step, uint64_t size_bytes)
{
	uint8_t one[4096], two[4096];
	uint64_t count = size_bytes / sizeof(one);
	off_t a, b;

	if (count == 0)
		return;
	a = (off_t)(step->where % count * sizeof(one));
	b = (off_t)(step->value % count * sizeof(one));
	if (pread(fd, one, sizeof(one), a) != sizeof(one) ||
	    pread(fd, two, sizeof(two), b) != sizeof(two))
		return;
	(void)!pwrite(fd, two, sizeof(two), a);
	(void)!pwrite(fd, one, sizeof(one), b);
}

static void change_bytes(const struct fuzz_store *store,
			 const struct step *step)
{
	struct stat st;
	int fd = open_file(store, step->which, &st);

	if (fd < 0)
		return;
	if (step->kind == STEP_CUT)
		(void)!ftruncate(fd, step->where % (st.st_size + 1));
	else if (step->kind == STEP_SWAP)
		swap_blocks(fd, step, (uint64_t)st.st_size);
	else
		xor_or_put(fd, step, (uint64_t)st.st_size);
	close(fd);
}

static void change_record(const struct fuzz_store *store,
			  const struct step *step)
{
	const struct stored_record *record =
		&store->records[(step->where & 0xffff) % store->record_count];
	uint8_t bytes[FORMAT_BLOCK_BYTES];
	uint64_t value = number(step);
	size_t at = 8 + (step->where >> 16) % (record->len_bytes - 8);
	struct stat st;
	int fd = open_file(store, record->file, &st);

	if (fd < 0)
		return;
	if (pread(fd, bytes, record->len_bytes, (off_t)record->at_bytes) ==
	    (ssize_t)record->len_bytes) {
		memcpy(bytes + at, &value,
		       step->width < record->len_bytes - at ?
			       step->width :
			       record->len_bytes - at);
		seal_record(&record->place, bytes, record->len_bytes);
		(void)!pwrite(fd, bytes, record->len_bytes,
			      (off_t)record->at_bytes);
	}
	close(fd);
}

static void change_header(const struct fuzz_store *store,
			  const struct step *step)
{
	const struct stored_record *record =
		&store->records[(step->where & 0xffff) % store->record_count];
	off_t at = step->value & 1 ?
			   0 :
			   (off_t)(record->at_bytes - record->at_bytes % 4096);
	uint8_t block[FORMAT_BLOCK_BYTES];
	uint64_t value = number(step);
	struct stat st;
	int fd = open_file(store, record->file, &st);

	if (fd < 0)
		return;
	if (pread(fd, block, sizeof(block), at) == sizeof(block)) {
		memcpy(block + (step->where >> 16) % (at ? 32 : 64), &value,
		       step->width);
		if (at)
			seal_record_block(store->seed, block);
		else
			seal_segment_header(block);
		(void)!pwrite(fd, block, sizeof(block), at);
	}
	close(fd);
}

static void change_name(const struct fuzz_store *store, const struct step *step)
{
	char path[192], other[192];

	snprintf(path, sizeof(path), "%s/%s", store->path,
		 store->files[step->which % store->file_count].name);
	snprintf(other, sizeof(other), "%s/%s", store->path,
		 store->files[step->where % store->file_count].name);
	switch (step->value % 4) {
	case 0:
		unlink(path);
		break;
	case 1:
		(void)!rename(path, other);
		break;
	case 2:
		unlink(path);
		(void)!link(other, path);
		break;
	default:
		unlink(path);
		(void)!symlink(store->base, path);
		break;
	}
}

/* A record block in another place is none: with the last ones all that speaks
 * of the end of the log may be gone, and what is left be a torn tail. */
static bool hides_records(const struct fuzz_store *store,
			  const struct step *step)
{
	const struct stored_file *file =
		&store->files[step->which % store->file_count];
	size_t count = file->len_bytes / FORMAT_BLOCK_BYTES;

	return count > 0 &&
	       (memcmp(file->bytes + step->where % count * FORMAT_BLOCK_BYTES,
		       "CREC", 4) == 0 ||
		memcmp(file->bytes + step->value % count * FORMAT_BLOCK_BYTES,
		       "CREC", 4) == 0);
}

/* True: see fuzz_store_damage. */
static bool play(const struct fuzz_store *store, const uint8_t *bytes)
{
	struct step step = {
		.kind = (enum step_kind)(bytes[0] & 7),
		.width = 1U << (bytes[0] >> 3 & 3),
		.which = bytes[1],
		.where = (uint32_t)bytes[2] | (uint32_t)bytes[3] << 8 |
			 (uint32_t)bytes[4] << 16 | (uint32_t)bytes[5] << 24,
		.value = (uint16_t)(bytes[6] | bytes[7] << 8),
	};
	bool is_segment =
		strncmp(store->files[step.which % store->file_count].name,
			"seg", 3) == 0;

	switch (step.kind) {
	case STEP_RECORD:
		change_record(store, &step);
		return false;
	case STEP_HEADER:
		change_header(store, &step);
		return false;
	case STEP_ROW:
		fuzz_store_change_row(store, step.which, step.where,
				      number(&step), step.width);
		return false;
	case STEP_FILE:
		change_name(store, &step);
		return false;
	case STEP_CUT:
		change_bytes(store, &step);
		return false;
	case STEP_XOR:
	case STEP_PUT:
		change_bytes(store, &step);
		return is_segment;
	case STEP_SWAP:
		change_bytes(store, &step);
		return is_segment && !hides_records(store, &step);
	}
	return false;
}

bool fuzz_store_damage(const struct fuzz_store *store, const uint8_t *script,
		       size_t script_bytes)
{
	bool by_accident = true;
	size_t at;

	for (at = 0; at + SCRIPT_STEP_BYTES <= script_bytes &&
		     at < STEPS_MAX * SCRIPT_STEP_BYTES;
	     at += SCRIPT_STEP_BYTES)
		by_accident &= play(store, script + at);
	return by_accident;
}

size_t fuzz_store_mutate(uint8_t *data, size_t len_bytes, size_t max_bytes,
			 unsigned seed)
{
	size_t count = len_bytes ? (len_bytes - 1) / SCRIPT_STEP_BYTES : 0, nr;
	uint8_t *step;

	if (len_bytes == 0)
		data[0] = (uint8_t)(seed >> 8);
	len_bytes = 1 + count * SCRIPT_STEP_BYTES;
	nr = count ? (seed >> 4) % count : 0;
	step = data + 1 + nr * SCRIPT_STEP_BYTES;
	switch (count == 0 ? 0 : seed % 8) {
	case 0: /* one more, of small numbers */
		if (count == STEPS_MAX ||
		    len_bytes + SCRIPT_STEP_BYTES > max_bytes)
			return len_bytes;
		step = data + len_bytes;
		memset(step, 0, SCRIPT_STEP_BYTES);
		step[0] = (uint8_t)(seed >> 8 & 0x1f);
		step[1] = (uint8_t)(seed >> 13);
		LLVMFuzzerMutate(step + 2, 4, 4);
		step[6] = (uint8_t)(seed >> 21 & 15);
		return len_bytes + SCRIPT_STEP_BYTES;
	case 1:
		memmove(step, step + SCRIPT_STEP_BYTES,
			len_bytes - 1 - (nr + 1) * SCRIPT_STEP_BYTES);
		return len_bytes - SCRIPT_STEP_BYTES;
	case 2:
		data[0] ^= 1;
		return len_bytes;
	case 3:
		step[6] = (uint8_t)(seed >> 20 & 15);
		step[7] = 0;
		return len_bytes;
	default:
		LLVMFuzzerMutate(step, SCRIPT_STEP_BYTES, SCRIPT_STEP_BYTES);
		return len_bytes;
	}
}

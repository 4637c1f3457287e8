/* What tells one base from another. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#include "base_impl.h"
#include "io.h"

enum { SAMPLE_COUNT = 64, SAMPLE_BYTES = 4096, HASH_STEP_BYTES = 1 << 20 };

/* Evenly spread, first and last included. */
static int hash_samples(int fd, uint64_t size_bytes, uint64_t *out_hash)
{
	uint8_t sample[SAMPLE_BYTES];
	XXH3_state_t state;
	uint64_t last = size_bytes > SAMPLE_BYTES ? size_bytes - SAMPLE_BYTES :
						    0;
	int i;

	/* Else the reset believes what seed the stack happens to hold. */
	memset(&state, 0, sizeof(state));
	XXH3_64bits_reset_withSeed(&state, size_bytes);
	for (i = 0; i < SAMPLE_COUNT; i++) {
		uint64_t at = last / (SAMPLE_COUNT - 1) * (uint64_t)i;
		ssize_t n = io_read_full(fd, sample, sizeof(sample),
					 i == SAMPLE_COUNT - 1 ? last : at);

		if (n < 0)
			return (int)n;
		XXH3_64bits_update(&state, sample, (size_t)n);
	}
	*out_hash = XXH3_64bits_digest(&state);
	return 0;
}

static int hash_all(int fd, uint64_t *out_hash)
{
	AUTO_FREE uint8_t *data = malloc(HASH_STEP_BYTES);
	XXH3_state_t state;
	uint64_t at = 0;
	ssize_t n;

	if (!data)
		return -ENOMEM;
	XXH3_64bits_reset(&state);
	while ((n = io_read_full(fd, data, HASH_STEP_BYTES, at)) > 0) {
		XXH3_64bits_update(&state, data, (size_t)n);
		at += (uint64_t)n;
	}
	*out_hash = XXH3_64bits_digest(&state);
	return n < 0 ? (int)n : 0;
}

int fingerprint_stat(int fd, struct base_fingerprint *out_fingerprint)
{
	struct base_fingerprint *f = out_fingerprint;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	memset(f, 0, sizeof(*f));
	if (S_ISBLK(st.st_mode)) {
		f->kind = BASE_KIND_DEVICE;
		f->device = st.st_rdev;
		if (ioctl(fd, BLKGETSIZE64, &f->size_bytes) < 0)
			return -errno;
		return 0;
	}
	f->kind = BASE_KIND_FILE;
	f->device = st.st_dev;
	f->inode = st.st_ino;
	f->size_bytes = (uint64_t)st.st_size;
	f->mtime_ns =
		st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
	return 0;
}

int fingerprint_take(int fd, bool full_hash,
		     struct base_fingerprint *out_fingerprint)
{
	struct base_fingerprint *f = out_fingerprint;
	int rc = fingerprint_stat(fd, f);

	if (rc < 0)
		return rc;
	rc = hash_samples(fd, f->size_bytes, &f->sample_hash);
	if (rc == 0 && full_hash) {
		f->has_full_hash = true;
		rc = hash_all(fd, &f->full_hash);
	}
	return rc;
}

void fingerprint_difference(const struct base_fingerprint *expected,
			    const struct base_fingerprint *found, char *text,
			    size_t text_bytes)
{
	text[0] = '\0';
	if (expected->kind != found->kind) {
		snprintf(text, text_bytes, "it was a %s and is a %s now",
			 expected->kind == BASE_KIND_FILE ? "file" :
							    "block device",
			 found->kind == BASE_KIND_FILE ? "file" :
							 "block device");
	} else if (expected->size_bytes != found->size_bytes) {
		snprintf(text, text_bytes,
			 "its size was %" PRIu64 " and is %" PRIu64 " now",
			 expected->size_bytes, found->size_bytes);
	} else if (expected->sample_hash != found->sample_hash) {
		snprintf(text, text_bytes, "its content differs");
	} else if (expected->mtime_ns != found->mtime_ns) {
		snprintf(text, text_bytes,
			 "it was modified (its time of "
			 "modification differs)");
	} else if (expected->has_full_hash && found->has_full_hash &&
		   expected->full_hash != found->full_hash) {
		snprintf(text, text_bytes, "its content differs");
	}
}

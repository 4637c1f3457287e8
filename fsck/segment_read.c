/* Segments as files: found, opened without following links, read. */
#include "segment_read.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"
#include "log.h"

void segment_reader_init(struct segment_reader *reader, int directory_fd,
			 const uint8_t uuid[FORMAT_UUID_BYTES], uint64_t seed)
{
	memset(reader, 0, sizeof(*reader));
	reader->directory_fd = directory_fd;
	memcpy(reader->uuid, uuid, FORMAT_UUID_BYTES);
	reader->seed = seed;
	reader->fd = -1;
}

void segment_reader_fini(struct segment_reader *reader)
{
	if (reader->fd >= 0)
		close(reader->fd);
	reader->fd = -1;
	reader->segment = 0;
}

int segment_reader_open(struct segment_reader *reader, uint32_t segment)
{
	struct stat st;
	char name[16];

	if (reader->segment == segment && segment != 0)
		return 0;
	segment_reader_fini(reader);
	if (segment == 0)
		return -ENOENT;
	log_segment_name(segment, name);
	reader->fd = openat(reader->directory_fd, name,
			    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (reader->fd < 0)
		return errno == ELOOP || errno == ENXIO ? -ENOENT : -errno;
	if (fstat(reader->fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode)) {
		segment_reader_fini(reader);
		return -ENOENT;
	}
	reader->len_bytes = (uint64_t)st.st_size;
	reader->segment = segment;
	return 0;
}

int segment_read(struct segment_reader *reader, struct location at, void *data,
		 uint32_t blocks)
{
	size_t len_bytes = (size_t)blocks * FORMAT_BLOCK_BYTES;
	ssize_t n;
	int rc = segment_reader_open(reader, at.segment);

	if (rc < 0)
		return rc;
	n = io_read_full(reader->fd, data, len_bytes,
			 (uint64_t)at.block * FORMAT_BLOCK_BYTES);
	if (n < 0)
		return (int)n;
	memset((uint8_t *)data + n, 0, len_bytes - (size_t)n);
	return 0;
}

int segment_read_header(struct segment_reader *reader, uint32_t segment)
{
	uint8_t block[FORMAT_BLOCK_BYTES];
	struct segment_header header;
	struct location at = { segment, 0 };
	int rc = segment_read(reader, at, block, 1);

	if (rc < 0)
		return rc;
	rc = segment_header_decode(block,
				   reader->len_bytes < sizeof(block) ?
					   (size_t)reader->len_bytes :
					   sizeof(block),
				   &header);
	if (rc < 0)
		return rc;
	if (header.segment != segment || header.seed != reader->seed ||
	    memcmp(header.uuid, reader->uuid, sizeof(header.uuid)) != 0)
		return -EUCLEAN; /* F-6 */
	return 0;
}

static uint32_t id_of(const char *name)
{
	char again[16];
	unsigned id;

	if (strlen(name) != 12 || sscanf(name, "%8x.seg", &id) != 1)
		return 0;
	log_segment_name(id, again);
	return strcmp(name, again) == 0 ? id : 0;
}

static int by_id(const void *a, const void *b)
{
	const uint32_t *left = a, *right = b;

	return *left < *right ? -1 : *left > *right;
}

static int collect(DIR *directory, uint32_t **ids, size_t *count)
{
	size_t capacity = 0;
	const struct dirent *entry;

	while ((entry = readdir(directory)) != NULL) {
		uint32_t id = id_of(entry->d_name);

		if (id == 0)
			continue;
		if (*count == capacity) {
			void *grown;

			capacity = capacity ? capacity * 2 : 64;
			grown = realloc(*ids, capacity * sizeof(**ids));
			if (!grown)
				return -ENOMEM;
			*ids = grown;
		}
		(*ids)[(*count)++] = id;
	}
	return 0;
}

int segment_list(int directory_fd, uint32_t **out_ids, size_t *out_count)
{
	int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	uint32_t *ids = NULL;
	size_t count = 0;
	int rc;

	if (!directory) {
		rc = -errno;
		if (fd >= 0)
			close(fd);
		return rc;
	}
	rc = collect(directory, &ids, &count);
	closedir(directory);
	if (rc < 0) {
		free(ids);
		return rc;
	}
	if (count)
		qsort(ids, count, sizeof(*ids), by_id);
	*out_ids = ids;
	*out_count = count;
	return 0;
}

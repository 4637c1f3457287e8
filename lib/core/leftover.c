/*
 * Segments that a crash left behind: their rows were gone from the index, and
 * their files would have gone after the next backup of it (release.c, I3).
 *
 * I1: only what is behind nobody's back: older than where blocks are handed
 *     out, without a row and not met by the replay; with this store's header.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io.h"
#include "leftover.h"

/* The id in "00000001.seg", 0: it is no such name. */
static uint32_t id_of(const char *name)
{
	char again[16];
	unsigned long id = strtoul(name, NULL, 16);

	if (id == 0 || id > UINT32_MAX)
		return 0;
	log_segment_name((uint32_t)id, again);
	return strcmp(name, again) == 0 ? (uint32_t)id : 0;
}

static bool is_ours(struct store *store, const char *name, uint32_t id)
{
	AUTO_CLOSE int fd = io_open_own(store->segments_fd, name, O_RDONLY);
	uint8_t block[FORMAT_BLOCK_BYTES];
	struct segment_header header;

	return fd >= 0 &&
	       io_read_full(fd, block, sizeof(block), 0) == sizeof(block) &&
	       segment_header_decode(block, sizeof(block), &header) == 0 &&
	       header.segment == id && header.seed == store->seed &&
	       memcmp(header.uuid, store->uuid, sizeof(header.uuid)) == 0;
}

static bool has_row(struct store *store, uint32_t id)
{
	bool found;

	mutex_lock(&store->space.lock);
	found = space_map_segment(&store->space, id) != NULL;
	mutex_unlock(&store->space.lock);
	return found;
}

static void list(struct store *store, DIR *directory)
	REQUIRES(store->maintenance_lock)
{
	struct rowless *dead = &store->rowless;
	struct log_position position;
	const struct dirent *entry;

	log_get_position(store->log, &position);
	while (dead->count < ROWLESS_MAX && (entry = readdir(directory))) {
		uint32_t id = id_of(entry->d_name);

		if (id != 0 && id < position.segment && !has_row(store, id) &&
		    is_ours(store, entry->d_name, id))
			dead->ids[dead->count++] = id;
	}
}

int leftovers_find(struct store *store)
{
	int fd = openat(store->segments_fd, ".",
			O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);

	if (!directory) {
		int rc = -errno;

		if (fd >= 0)
			close(fd);
		return rc;
	}
	mutex_lock(&store->maintenance_lock);
	list(store, directory);
	mutex_unlock(&store->maintenance_lock);
	closedir(directory);
	return 0;
}

/*
 * cowd-fsck on a store whose files were damaged, by accident or on purpose
 * (A17, A25): it ends, it writes nothing that it was not asked to, and after an
 * accident in a segment what can be read is right, or was told to be lost. With
 * FUZZ_TWICE in the environment: a second run finds nothing that the first one
 * repaired. FUZZ_REPORT shows what it says. Input: see fuzz_open.c.
 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "fsck.h"

#include "fuzz_assert.h"
#include "fuzz_known.h"
#include "fuzz_mutate.h"
#include "fuzz_store.h"

static struct fuzz_store stores[2]; /* over an image; over a directory */
static struct known_views views[2];

static uint64_t hash_file(int dir_fd, const char *name)
{
	static uint8_t bytes[1 << 20];
	int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
	uint64_t sum = XXH3_64bits(name, strlen(name));
	ssize_t n = -1;

	while (fd >= 0 && (n = read(fd, bytes, sizeof(bytes))) > 0)
		sum = XXH3_64bits_withSeed(bytes, (size_t)n, sum);
	if (fd >= 0)
		close(fd);
	return sum + (uint64_t)n;
}

/* Of all names and bytes in the directory, in any order. */
static uint64_t hash_directory(int parent_fd, const char *path)
{
	int fd = openat(parent_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	uint64_t sum = 0;

	FUZZ_ASSERT(directory);
	while ((entry = readdir(directory)))
		if (entry->d_type != DT_DIR && strcmp(entry->d_name, "lock"))
			sum += hash_file(fd, entry->d_name);
		else if (strcmp(entry->d_name, "segments") == 0)
			sum += 3 * hash_directory(fd, entry->d_name);
	closedir(directory);
	return sum;
}

static void check(const struct fuzz_store *store, enum fsck_mode mode,
		  struct fsck_result *result)
{
	const struct fsck_options options = {
		.path = store->path,
		.mode = mode,
		.temporary = store->directory,
		.out = getenv("FUZZ_REPORT") ? stderr : NULL,
	};
	int code;

	memset(result, 0, sizeof(*result));
	code = fsck_run(&options, result);
	FUZZ_ASSERT(code == result->exit_code);
	FUZZ_ASSERT((code & ~(FSCK_EXIT_FIXED | FSCK_EXIT_LEFT |
			      FSCK_EXIT_FAILED)) == 0);
	FUZZ_ASSERT(!(code & FSCK_EXIT_FAILED) || result->message[0]);
	FUZZ_ASSERT(code & FSCK_EXIT_FAILED ||
		    !!(code & FSCK_EXIT_FIXED) == (result->fixed_count > 0));
}

static void check_all(const struct fuzz_store *store,
		      const struct known_views *known, bool by_accident)
{
	static struct fsck_result result;
	uint64_t before = hash_directory(AT_FDCWD, store->path);
	struct store *opened;

	check(store, FSCK_MODE_NO, &result);
	FUZZ_ASSERT(!(result.exit_code & FSCK_EXIT_FIXED));
	FUZZ_ASSERT(before == hash_directory(AT_FDCWD, store->path));
	check(store, FSCK_MODE_YES, &result);
	/* What a repair loses it has told. */
	by_accident &= result.lost_count == 0;
	if (getenv("FUZZ_TWICE") &&
	    !(result.exit_code & (FSCK_EXIT_LEFT | FSCK_EXIT_FAILED))) {
		check(store, FSCK_MODE_NO, &result);
		FUZZ_ASSERT(result.exit_code == 0);
	}
	if (!by_accident || store_open(store->path, NULL, &opened, NULL) < 0)
		return;
	known_views_compare(known, opened);
	store_abandon(opened);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	bool is_tree = len_bytes > 0 && data[0] & 1, by_accident;
	static struct fsck_result result;

	if (!stores[is_tree].file_count) {
		known_views_learn(&views[is_tree], &stores[is_tree], is_tree);
		fuzz_store_put_back(&stores[is_tree]);
		check(&stores[is_tree], FSCK_MODE_NO, &result);
		FUZZ_ASSERT(result.exit_code == 0);
	}
	if (len_bytes == 0)
		return 0;
	fuzz_store_put_back(&stores[is_tree]);
	by_accident =
		fuzz_store_damage(&stores[is_tree], data + 1, len_bytes - 1);
	check_all(&stores[is_tree], &views[is_tree], by_accident);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len_bytes,
			       size_t max_bytes, unsigned seed)
{
	return fuzz_store_mutate(data, len_bytes, max_bytes, seed);
}

/* A small file system in memory, in pages that copies share. */
#include "disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "crash.h"

struct page {
	unsigned references;
	bool is_hashed;
	uint64_t hash;
	uint8_t bytes[DISK_PAGE_BYTES];
};

struct node {
	uint64_t size;
	size_t page_count; /* room in pages */
	struct page **pages;
};

struct entry {
	unsigned dir, node;
	bool directory;
	char name[DISK_NAME_BYTES];
};

struct disk {
	struct node *nodes;
	size_t node_count;
	struct entry *entries;
	size_t entry_count;
};

struct disk *disk_new(void)
{
	return check_memory(calloc(1, sizeof(struct disk)));
}

struct disk *disk_copy(const struct disk *disk)
{
	struct disk *copy = disk_new();
	size_t i, j;

	copy->node_count = disk->node_count;
	copy->nodes =
		check_memory(calloc(disk->node_count + 1, sizeof(struct node)));
	for (i = 0; i < disk->node_count; i++) {
		struct node *node = &copy->nodes[i];

		*node = disk->nodes[i];
		node->pages = check_memory(
			calloc(node->page_count + 1, sizeof(struct page *)));
		for (j = 0; j < node->page_count; j++) {
			node->pages[j] = disk->nodes[i].pages[j];
			if (node->pages[j])
				node->pages[j]->references++;
		}
	}
	copy->entry_count = disk->entry_count;
	copy->entries = check_memory(
		calloc(disk->entry_count + 1, sizeof(struct entry)));
	if (disk->entry_count)
		memcpy(copy->entries, disk->entries,
		       disk->entry_count * sizeof(struct entry));
	return copy;
}

static void drop_page(struct node *node, size_t nr)
{
	struct page *page = nr < node->page_count ? node->pages[nr] : NULL;

	if (page && --page->references == 0)
		free(page);
	if (page)
		node->pages[nr] = NULL;
}

static void drop_pages(struct node *node)
{
	for (size_t i = 0; i < node->page_count; i++)
		drop_page(node, i);
}

void disk_free(struct disk *disk)
{
	if (!disk)
		return;
	for (size_t i = 0; i < disk->node_count; i++) {
		drop_pages(&disk->nodes[i]);
		free(disk->nodes[i].pages);
	}
	free(disk->nodes);
	free(disk->entries);
	free(disk);
}

static struct node *node_of(struct disk *disk, unsigned nr)
{
	if (nr >= disk->node_count) {
		size_t count = nr + 16;

		disk->nodes = check_memory(
			realloc(disk->nodes, count * sizeof(struct node)));
		memset(disk->nodes + disk->node_count, 0,
		       (count - disk->node_count) * sizeof(struct node));
		disk->node_count = count;
	}
	return &disk->nodes[nr];
}

/* The page to be changed: of this disk alone. */
static struct page *own_page(struct node *node, size_t nr)
{
	struct page *page;

	if (nr >= node->page_count) {
		size_t count = nr < 64 ? 64 : nr * 2;

		node->pages = check_memory(
			realloc(node->pages, count * sizeof(struct page *)));
		memset(node->pages + node->page_count, 0,
		       (count - node->page_count) * sizeof(struct page *));
		node->page_count = count;
	}
	page = node->pages[nr];
	if (!page || page->references > 1) {
		struct page *own = check_memory(calloc(1, sizeof(*own)));

		if (page) {
			memcpy(own->bytes, page->bytes, DISK_PAGE_BYTES);
			page->references--;
		}
		own->references = 1;
		node->pages[nr] = page = own;
	}
	page->is_hashed = false;
	return page;
}

static void put_bytes(struct node *node, uint64_t offset, const uint8_t *data,
		      uint64_t len)
{
	while (len > 0) {
		size_t in_page = offset % DISK_PAGE_BYTES;
		size_t part = DISK_PAGE_BYTES - in_page;
		struct page *page;

		if (part > len)
			part = (size_t)len;
		page = own_page(node, offset / DISK_PAGE_BYTES);
		if (data)
			memcpy(page->bytes + in_page, data, part);
		else
			memset(page->bytes + in_page, 0, part);
		data = data ? data + part : NULL;
		offset += part;
		len -= part;
	}
}

/* Zeros, without pages where that can be. */
static void put_zeros(struct node *node, uint64_t offset, uint64_t end)
{
	while (offset < end) {
		uint64_t next =
			(offset / DISK_PAGE_BYTES + 1) * DISK_PAGE_BYTES;
		size_t nr = offset / DISK_PAGE_BYTES;

		if (next > end)
			next = end;
		if (nr >= node->page_count)
			return;
		if (next - offset == DISK_PAGE_BYTES)
			drop_page(node, nr);
		else if (node->pages[nr])
			put_bytes(node, offset, NULL, next - offset);
		offset = next;
	}
}

static void set_size(struct node *node, uint64_t size)
{
	if (size < node->size)
		put_zeros(node, size, node->size);
	node->size = size;
}

static struct entry *entry_of(const struct disk *disk, unsigned dir,
			      const char *name)
{
	for (size_t i = 0; i < disk->entry_count; i++)
		if (disk->entries[i].dir == dir &&
		    strcmp(disk->entries[i].name, name) == 0)
			return &disk->entries[i];
	return NULL;
}

static void set_name(struct disk *disk, unsigned dir, const char *name,
		     unsigned node, bool directory)
{
	struct entry *entry = entry_of(disk, dir, name);

	if (!entry) {
		disk->entries = check_memory(
			realloc(disk->entries, (disk->entry_count + 1) *
						       sizeof(struct entry)));
		entry = &disk->entries[disk->entry_count++];
	}
	*entry = (struct entry){ dir, node, directory, "" };
	strcpy_name(entry->name, name);
	(void)node_of(disk, node);
}

static void drop_name(struct disk *disk, unsigned dir, const char *name,
		      unsigned node)
{
	struct entry *entry = entry_of(disk, dir, name);

	if (entry && entry->node == node)
		*entry = disk->entries[--disk->entry_count];
}

void disk_apply_part(struct disk *disk, const struct disk_change *change,
		     uint64_t begin, uint64_t end)
{
	struct node *node = node_of(disk, change->node);

	put_bytes(node, change->offset + begin, change->data + begin,
		  end - begin);
	if (node->size < change->offset + end)
		node->size = change->offset + end;
}

void disk_extend(struct disk *disk, const struct disk_change *change)
{
	struct node *node = node_of(disk, change->node);

	if (node->size < change->offset + change->len)
		node->size = change->offset + change->len;
}

void disk_apply(struct disk *disk, const struct disk_change *change)
{
	struct node *node = node_of(disk, change->node);
	uint64_t end = change->offset + change->len;

	switch (change->kind) {
	case DISK_CALL_WRITE:
		disk_apply_part(disk, change, 0, change->len);
		break;
	case DISK_CALL_TRUNCATE:
		set_size(node, change->len);
		break;
	case DISK_CALL_PUNCH:
		put_zeros(node, change->offset,
			  end < node->size ? end : node->size);
		break;
	case DISK_CALL_NAME:
		set_name(disk, change->dir, change->name, change->node,
			 change->directory);
		break;
	case DISK_CALL_RENAME:
		drop_name(disk, change->dir, change->name, change->node);
		set_name(disk, change->dir, change->new_name, change->node,
			 false);
		break;
	case DISK_CALL_UNNAME:
		drop_name(disk, change->dir, change->name, change->node);
		break;
	case DISK_CALL_SYNC:
	case DISK_CALL_SYNC_NAMES:
		break;
	}
}

static bool is_zero(const struct page *page)
{
	static const uint8_t zeros[DISK_PAGE_BYTES];

	return !page || memcmp(page->bytes, zeros, DISK_PAGE_BYTES) == 0;
}

static uint64_t node_hash(const struct node *node)
{
	uint64_t hash = node->size * 0x9e3779b97f4a7c15;

	for (size_t i = 0; i < node->page_count; i++) {
		struct page *page = node->pages[i];

		if (!page)
			continue;
		if (!page->is_hashed)
			page->hash = is_zero(page) ?
					     0 :
					     XXH3_64bits(page->bytes,
							 DISK_PAGE_BYTES);
		page->is_hashed = true;
		if (page->hash)
			hash += XXH3_64bits_withSeed(&page->hash, 8, i + 1);
	}
	return hash;
}

/* Of names and what they lead to, whatever the order. */
uint64_t disk_hash(const struct disk *disk)
{
	uint64_t hash = 0;

	for (size_t i = 0; i < disk->entry_count; i++) {
		const struct entry *entry = &disk->entries[i];
		uint64_t seed = entry->directory ?
					entry->node :
					node_hash(&disk->nodes[entry->node]);

		hash += XXH3_64bits_withSeed(entry->name, strlen(entry->name),
					     seed + entry->dir);
	}
	return hash;
}

void disk_empty_directory(int directory_fd)
{
	int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fdopendir(fd);
	struct dirent *entry;

	check(directory, "opening a directory to be emptied");
	while ((entry = readdir(directory))) {
		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(directory_fd, entry->d_name, 0) < 0) {
			int below = openat(directory_fd, entry->d_name,
					   O_RDONLY | O_DIRECTORY | O_CLOEXEC);

			disk_empty_directory(below);
			close(below);
			check(unlinkat(directory_fd, entry->d_name,
				       AT_REMOVEDIR) == 0,
			      "removing a directory");
		}
	}
	closedir(directory);
}

static void put_file(const struct node *node, int directory_fd,
		     const char *name)
{
	int fd = openat(directory_fd, name,
			O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	check(fd >= 0 && ftruncate(fd, (off_t)node->size) == 0,
	      "making a file of a state");
	for (size_t i = 0; i < node->page_count; i++) {
		uint64_t at = i * DISK_PAGE_BYTES;
		size_t len = DISK_PAGE_BYTES;

		if (is_zero(node->pages[i]) || at >= node->size)
			continue;
		if (at + len > node->size)
			len = (size_t)(node->size - at);
		check(pwrite(fd, node->pages[i]->bytes, len, (off_t)at) ==
			      (ssize_t)len,
		      "writing a file of a state");
	}
	close(fd);
}

static void put_below(const struct disk *disk, unsigned dir, int directory_fd)
{
	for (size_t i = 0; i < disk->entry_count; i++) {
		const struct entry *entry = &disk->entries[i];
		int fd;

		if (entry->dir != dir)
			continue;
		if (!entry->directory) {
			put_file(&disk->nodes[entry->node], directory_fd,
				 entry->name);
			continue;
		}
		check(mkdirat(directory_fd, entry->name, 0700) == 0,
		      "making a directory of a state");
		fd = openat(directory_fd, entry->name,
			    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		put_below(disk, entry->node, fd);
		close(fd);
	}
}

void disk_put(const struct disk *disk, int directory_fd)
{
	disk_empty_directory(directory_fd);
	put_below(disk, 0, directory_fd);
}

struct take {
	struct disk *disk;
	unsigned nodes;
	disk_place *place;
	void *context;
};

static void take_file(struct node *node, int fd, uint64_t size)
{
	uint8_t bytes[DISK_PAGE_BYTES];
	off_t at = 0;

	node->size = size;
	while ((at = lseek(fd, at, SEEK_DATA)) >= 0) {
		ssize_t n;

		at -= at % DISK_PAGE_BYTES;
		n = pread(fd, bytes, sizeof(bytes), at);
		check(n > 0, "reading a file of a directory");
		put_bytes(node, (uint64_t)at, bytes, (uint64_t)n);
		at += DISK_PAGE_BYTES;
	}
}

static void take_below(struct take *take, unsigned dir, int directory_fd)
{
	DIR *directory = fdopendir(dup(directory_fd));
	struct dirent *entry;

	check(directory, "reading a directory");
	rewinddir(directory);
	while ((entry = readdir(directory))) {
		unsigned node = take->nodes;
		struct stat st;
		int fd;

		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		take->nodes++;
		fd = openat(directory_fd, entry->d_name, O_RDONLY | O_CLOEXEC);
		check(fd >= 0 && fstat(fd, &st) == 0, "opening a file");
		set_name(take->disk, dir, entry->d_name, node,
			 S_ISDIR(st.st_mode));
		take->place(take->context, node, st.st_ino,
			    S_ISDIR(st.st_mode));
		if (S_ISDIR(st.st_mode))
			take_below(take, node, fd);
		else
			take_file(node_of(take->disk, node), fd,
				  (uint64_t)st.st_size);
		close(fd);
	}
	closedir(directory);
}

struct disk *disk_take(int directory_fd, unsigned *out_nodes, disk_place *place,
		       void *context)
{
	struct take take = { disk_new(), 1, place, context };
	struct stat st;

	check(fstat(directory_fd, &st) == 0, "stat of a directory");
	place(context, 0, st.st_ino, true);
	take_below(&take, 0, directory_fd);
	*out_nodes = take.nodes;
	return take.disk;
}

unsigned disk_find_in(const struct disk *disk, unsigned dir, const char *name)
{
	const struct entry *entry = entry_of(disk, dir, name);

	return entry ? entry->node : UINT_MAX;
}

unsigned disk_find(const struct disk *disk, const char *path)
{
	char name[DISK_NAME_BYTES];
	unsigned node = 0;

	while (*path && node != UINT_MAX) {
		size_t len = strcspn(path, "/");

		if (len > 0) {
			check(len < sizeof(name), "the length of a name");
			memcpy(name, path, len);
			name[len] = '\0';
			node = disk_find_in(disk, node, name);
		}
		path += len + (path[len] == '/');
	}
	return node;
}

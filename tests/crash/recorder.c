/*
 * From events of the seam to changes of a disk.
 *
 * Files are known by their inode numbers, as names change; SQLite's by their
 * paths.
 */
#include "recorder.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crash.h"

struct known {
	uint64_t real_inode;
	unsigned node;
	bool directory;
};

struct recorder {
	pthread_mutex_t lock;
	char directory[128];
	struct trace trace;
	struct disk *now; /* names only: what leads where */
	struct known *known;
	size_t known_count;
	unsigned node_count;
};

/* When the sync that this thread is in began. */
static _Thread_local size_t sync_begin;

void trace_fini(struct trace *trace)
{
	for (size_t i = 0; i < trace->count; i++)
		free(trace->changes[i].data);
	free(trace->changes);
	disk_free(trace->initial);
	*trace = (struct trace){ 0 };
}

static void know(void *context, unsigned node, uint64_t real_inode,
		 bool directory)
{
	struct recorder *recorder = context;

	recorder->known = check_memory(
		realloc(recorder->known, (recorder->known_count + 1) *
						 sizeof(*recorder->known)));
	recorder->known[recorder->known_count++] =
		(struct known){ real_inode, node, directory };
}

struct recorder *recorder_begin(const char *directory)
{
	struct recorder *recorder = check_memory(calloc(1, sizeof(*recorder)));
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	check(fd >= 0 && strlen(directory) < sizeof(recorder->directory),
	      "opening what is to be recorded");
	pthread_mutex_init(&recorder->lock, NULL);
	strncpy(recorder->directory, directory,
		sizeof(recorder->directory) - 1);
	recorder->trace.initial =
		disk_take(fd, &recorder->node_count, know, recorder);
	recorder->now = disk_copy(recorder->trace.initial);
	close(fd);
	return recorder;
}

static unsigned node_of_fd(const struct recorder *recorder, int fd)
{
	struct stat st;
	size_t i;

	if (fstat(fd, &st) < 0)
		return UINT_MAX;
	for (i = recorder->known_count; i-- > 0;)
		if (recorder->known[i].real_inode == st.st_ino)
			return recorder->known[i].node;
	return UINT_MAX;
}

/* The directory and the name in it; UINT_MAX: not below ours. */
static unsigned place_of(const struct recorder *recorder,
			 const struct io_event *event, const char *name,
			 char out_name[DISK_NAME_BYTES])
{
	const char *slash = strrchr(name, '/'), *below = name;
	size_t len = strlen(recorder->directory);
	unsigned dir = 0;
	char parent[PATH_MAX];

	if (event->dir_fd != AT_FDCWD) {
		dir = node_of_fd(recorder, event->dir_fd);
	} else {
		if (strncmp(name, recorder->directory, len) != 0 ||
		    name[len] != '/')
			return UINT_MAX;
		below = name + len + 1;
	}
	if (slash && slash > below && dir != UINT_MAX) {
		memcpy(parent, below, (size_t)(slash - below));
		parent[slash - below] = '\0';
		dir = dir == 0 ? disk_find(recorder->now, parent) :
				 disk_find_in(recorder->now, dir, parent);
	}
	if (slash && slash >= below)
		below = slash + 1;
	check(strlen(below) < DISK_NAME_BYTES, "the length of a name");
	strcpy_name(out_name, below);
	return dir;
}

static unsigned node_of(const struct recorder *recorder,
			const struct io_event *event)
{
	char name[DISK_NAME_BYTES];
	unsigned dir;

	if (event->fd >= 0)
		return node_of_fd(recorder, event->fd);
	dir = place_of(recorder, event, event->name, name);
	return dir == UINT_MAX ? dir : disk_find_in(recorder->now, dir, name);
}

static struct disk_change *add(struct recorder *recorder, enum disk_call kind)
{
	struct trace *trace = &recorder->trace;

	if (trace->count == trace->capacity) {
		trace->capacity = trace->capacity ? trace->capacity * 2 : 256;
		trace->changes = check_memory(
			realloc(trace->changes,
				trace->capacity * sizeof(*trace->changes)));
	}
	trace->changes[trace->count] =
		(struct disk_change){ .kind = kind, .durable_at = SIZE_MAX };
	return &trace->changes[trace->count++];
}

static unsigned new_node(struct recorder *recorder, unsigned dir,
			 const char *name, bool directory, uint64_t real_inode)
{
	struct disk_change *change = add(recorder, DISK_CALL_NAME);

	change->dir = dir;
	change->node = recorder->node_count++;
	change->directory = directory;
	strcpy_name(change->name, name);
	know(recorder, change->node, real_inode, directory);
	disk_apply(recorder->now, change);
	return change->node;
}

static void opened(struct recorder *recorder, const struct io_event *event,
		   int64_t fd)
{
	char name[DISK_NAME_BYTES];
	unsigned dir = place_of(recorder, event, event->name, name), node;
	struct disk_change *change;
	struct stat st;

	if (dir == UINT_MAX || !(event->flags & (O_CREAT | O_TRUNC)))
		return;
	node = disk_find_in(recorder->now, dir, name);
	if (node == UINT_MAX) {
		check(event->dir_fd == AT_FDCWD ? stat(event->name, &st) == 0 :
						  fstat((int)fd, &st) == 0,
		      "stat of a new file");
		node = new_node(recorder, dir, name, false, st.st_ino);
	}
	if (event->flags & O_TRUNC) {
		change = add(recorder, DISK_CALL_TRUNCATE);
		change->node = node;
	}
}

static void named(struct recorder *recorder, const struct io_event *event)
{
	char name[DISK_NAME_BYTES];
	unsigned dir = place_of(recorder, event, event->name, name);
	struct disk_change *change;
	struct stat st;

	if (dir == UINT_MAX)
		return;
	if (event->op == IO_OP_MAKE_DIRECTORY) {
		check(fstatat(event->dir_fd, event->name, &st, 0) == 0,
		      "stat of a new directory");
		new_node(recorder, dir, name, true, st.st_ino);
		return;
	}
	change = add(recorder, event->op == IO_OP_RENAME ? DISK_CALL_RENAME :
							   DISK_CALL_UNNAME);
	change->dir = dir;
	change->node = disk_find_in(recorder->now, dir, name);
	check(change->node != UINT_MAX, "finding a name that was changed");
	strcpy_name(change->name, name);
	if (event->op == IO_OP_RENAME) {
		place_of(recorder, event, event->new_name, name);
		strcpy_name(change->new_name, name);
	}
	disk_apply(recorder->now, change);
}

static void data_changed(struct recorder *recorder,
			 const struct io_event *event, uint64_t len)
{
	unsigned node = node_of(recorder, event);
	struct disk_change *change;

	if (node == UINT_MAX)
		return;
	change = add(recorder, event->op == IO_OP_WRITE ? DISK_CALL_WRITE :
			       event->op == IO_OP_TRUNCATE ?
							  DISK_CALL_TRUNCATE :
							  DISK_CALL_PUNCH);
	change->node = node;
	change->offset = event->offset;
	change->len = len;
	if (event->op == IO_OP_WRITE) {
		change->data = check_memory(malloc(len + 1));
		memcpy(change->data, event->data, len);
	}
}

static void synced(struct recorder *recorder, const struct io_event *event,
		   bool failed)
{
	bool names = event->op == IO_OP_SYNC_DIRECTORY;
	char name[DISK_NAME_BYTES];
	struct disk_change *change;
	unsigned node;

	if (names)
		node = event->name ?
			       place_of(recorder, event, event->name, name) :
			       node_of_fd(recorder, event->dir_fd);
	else
		node = node_of(recorder, event);
	if (node == UINT_MAX)
		return;
	change = add(recorder, names ? DISK_CALL_SYNC_NAMES : DISK_CALL_SYNC);
	change->node = change->dir = node;
	change->begin = failed ? recorder->trace.count - 1 : sync_begin;
	change->is_lost = failed;
}

void recorder_ask(struct recorder *recorder, const struct io_event *event)
{
	if (event->op == IO_OP_SYNC || event->op == IO_OP_SYNC_DIRECTORY)
		sync_begin = recorder_count(recorder);
}

void recorder_refused(struct recorder *recorder, const struct io_event *event)
{
	/* After a journal's failure a file system stops; names don't get lost
	 * alone. */
	if (event->op != IO_OP_SYNC)
		return;
	pthread_mutex_lock(&recorder->lock);
	synced(recorder, event, true);
	pthread_mutex_unlock(&recorder->lock);
}

void recorder_tell(struct recorder *recorder, const struct io_event *event,
		   int64_t result)
{
	if (result < 0)
		return;
	pthread_mutex_lock(&recorder->lock);
	switch (event->op) {
	case IO_OP_OPEN:
		opened(recorder, event, result);
		break;
	case IO_OP_WRITE:
		data_changed(recorder, event, (uint64_t)result);
		break;
	case IO_OP_TRUNCATE:
	case IO_OP_PUNCH:
		data_changed(recorder, event, event->len);
		break;
	case IO_OP_SYNC:
	case IO_OP_SYNC_DIRECTORY:
		synced(recorder, event, false);
		break;
	case IO_OP_MAKE_DIRECTORY:
	case IO_OP_REMOVE_DIRECTORY:
	case IO_OP_RENAME:
	case IO_OP_UNLINK:
		named(recorder, event);
		break;
	case IO_OP_READ:
	case IO_OP_ALLOCATE: /* no byte changes */
		break;
	}
	pthread_mutex_unlock(&recorder->lock);
}

size_t recorder_count(const struct recorder *recorder)
{
	return __atomic_load_n(&recorder->trace.count, __ATOMIC_RELAXED);
}

static bool is_data(const struct disk_change *change)
{
	return change->kind == DISK_CALL_WRITE ||
	       change->kind == DISK_CALL_TRUNCATE ||
	       change->kind == DISK_CALL_PUNCH;
}

static bool is_name(const struct disk_change *change)
{
	return change->kind == DISK_CALL_NAME ||
	       change->kind == DISK_CALL_RENAME ||
	       change->kind == DISK_CALL_UNNAME;
}

/* Which sync made what durable. */
static void find_durable(struct trace *trace)
{
	size_t i, j;

	for (i = 0; i < trace->count; i++) {
		const struct disk_change *sync = &trace->changes[i];

		if (is_data(sync) || is_name(sync))
			continue;
		for (j = 0; j < sync->begin; j++) {
			struct disk_change *change = &trace->changes[j];
			bool meant = sync->kind == DISK_CALL_SYNC ?
					     is_data(change) &&
						     change->node ==
							     sync->node :
					     is_name(change) &&
						     change->dir == sync->dir;

			if (!meant || change->durable_at != SIZE_MAX)
				continue;
			if (sync->is_lost)
				change->is_lost = true;
			else if (!change->is_lost)
				change->durable_at = i;
		}
	}
}

void recorder_end(struct recorder *recorder, struct trace *out_trace)
{
	find_durable(&recorder->trace);
	*out_trace = recorder->trace;
	disk_free(recorder->now);
	free(recorder->known);
	pthread_mutex_destroy(&recorder->lock);
	free(recorder);
}

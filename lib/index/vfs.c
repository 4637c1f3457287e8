/*
 * SQLite's files through the seam: a VFS over the default one. Whatever
 * SQLite asks for is asked of the hook first; without one every call is
 * handed on, and nothing else.
 *
 * It has no shared memory and no mapping: index.db-shm can't come to be (I3
 * of index.c).
 *
 * The WAL of the index (index_vfs_hold) keeps its blocks when it is emptied,
 * and on a full disk what finds no room in it waits in memory:
 *
 * I4: what waits is behind all that is in the file, and nothing is moved into
 *     the database before it is in the file and synced. So a crash leaves an
 *     earlier commit.
 */
#include "vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include "held.h"
#include "io_hook.h"

struct vfs_file {
	sqlite3_file base;
	const char *path; /* SQLite keeps it until xClose */
	/* With the first sync of a new journal goes one of its directory. */
	bool sync_directory;
	bool is_database;
	const atomic_uint_fast64_t *keep_bytes; /* of a WAL that may wait */
	struct held held;
	sqlite3_file *real; /* behind this structure */
};

enum {
	WAL_HEADER_BYTES = 32,
	PIECE_BYTES = 1 << 16, /* SQLite takes a write modulo 128 KiB */
	SLACK_BYTES = 1 << 16,
};

static struct vfs_file *vfs_file(sqlite3_file *file)
{
	return (struct vfs_file *)file;
}

static struct io_event file_event(const struct vfs_file *file, enum io_op op,
				  uint64_t offset, uint64_t len)
{
	return (struct io_event){
		.op = op,
		.fd = -1,
		.dir_fd = AT_FDCWD,
		.name = file->path,
		.offset = offset,
		.len = len,
	};
}

/* What the hook refused; SQLite may ask errno for the rest. */
static int refused(int rc, int code)
{
	errno = -rc;
	return code;
}

/* A quota is a full disk, which SQLite does not know. */
static int or_full(const struct vfs_file *file, int code)
{
	int last = 0;

	if (code != SQLITE_IOERR_WRITE)
		return code;
	(void)file->real->pMethods->xFileControl(
		file->real, SQLITE_FCNTL_LAST_ERRNO, &last);
	return last == EDQUOT || last == ENOSPC ? SQLITE_FULL : code;
}

/* The hook may interrupt, as a signal would: SQLite asks again by itself. */
static int ask(struct io_event *event)
{
	int rc;

	do
		rc = io_ask(event);
	while (rc == -EINTR);
	return rc;
}

static int told(const struct io_event *event, int code, int64_t done)
{
	io_tell(event, code == SQLITE_OK ? done : -EIO);
	return code;
}

static int vfs_close(sqlite3_file *base)
{
	struct vfs_file *file = vfs_file(base);

	held_fini(&file->held);
	return file->real->pMethods->xClose(file->real);
}

static int read_file(struct vfs_file *file, void *data, int len_bytes,
		     sqlite3_int64 offset)
{
	struct io_event event = file_event(file, IO_OP_READ, (uint64_t)offset,
					   (uint64_t)len_bytes);
	int rc = ask(&event);

	/* A read that is cut short is gone on with. */
	if (rc < 0)
		return refused(rc, SQLITE_IOERR_READ);
	return told(&event,
		    file->real->pMethods->xRead(file->real, data, len_bytes,
						offset),
		    len_bytes);
}

static int vfs_read(sqlite3_file *base, void *data, int len_bytes,
		    sqlite3_int64 offset)
{
	struct vfs_file *file = vfs_file(base);
	uint64_t begin = (uint64_t)offset, end = begin + (uint64_t)len_bytes;
	size_t done = 0;
	int code;

	if (!held_has(&file->held, end - 1))
		return read_file(file, data, len_bytes, offset);
	if (begin < file->held.begin) {
		done = (size_t)(file->held.begin - begin);
		code = read_file(file, data, (int)done, offset);
		if (code != SQLITE_OK)
			return code;
	}
	done += held_get(&file->held, begin + done, (char *)data + done,
			 (size_t)len_bytes - done);
	memset((char *)data + done, 0, (size_t)len_bytes - done);
	return done < (size_t)len_bytes ? SQLITE_IOERR_SHORT_READ : SQLITE_OK;
}

static int write_file(struct vfs_file *file, const void *data, int len_bytes,
		      sqlite3_int64 offset)
{
	struct io_event event = file_event(file, IO_OP_WRITE, (uint64_t)offset,
					   (uint64_t)len_bytes);
	int rc, code;

	event.data = data;
	rc = ask(&event);
	if (rc < 0)
		return refused(rc, rc == -ENOSPC || rc == -EDQUOT ?
					   SQLITE_FULL :
					   SQLITE_IOERR_WRITE);
	code = told(&event,
		    file->real->pMethods->xWrite(file->real, data,
						 (int)event.len, offset),
		    (int64_t)event.len);
	/* One that is cut short is gone on with, too. */
	if (code == SQLITE_OK && event.len < (uint64_t)len_bytes)
		code = write_file(file, (const char *)data + event.len,
				  len_bytes - (int)event.len,
				  offset + (sqlite3_int64)event.len);
	return or_full(file, code);
}

static int vfs_write(sqlite3_file *base, const void *data, int len_bytes,
		     sqlite3_int64 offset)
{
	struct vfs_file *file = vfs_file(base);
	int code = SQLITE_FULL;

	if (!held_has(&file->held, (uint64_t)offset))
		code = write_file(file, data, len_bytes, offset);
	if (code == SQLITE_FULL && file->keep_bytes &&
	    held_put(&file->held, (uint64_t)offset, data, (size_t)len_bytes) ==
		    0)
		code = SQLITE_OK; /* I4 */
	return code;
}

static int truncate_file(struct vfs_file *file, sqlite3_int64 len_bytes)
{
	struct io_event event =
		file_event(file, IO_OP_TRUNCATE, 0, (uint64_t)len_bytes);
	int rc = ask(&event);

	if (rc < 0)
		return refused(rc, SQLITE_IOERR_TRUNCATE);
	return told(&event,
		    file->real->pMethods->xTruncate(file->real, len_bytes), 0);
}

/* A WAL whose header is zeros has nothing in it. */
static int empty_wal(struct vfs_file *file)
{
	static const char zeros[WAL_HEADER_BYTES];
	uint64_t keep = atomic_load(file->keep_bytes);
	struct stat st;
	int code;

	if (keep == 0 || stat(file->path, &st) < 0)
		return truncate_file(file, 0);
	code = st.st_size > 0 ? write_file(file, zeros, sizeof(zeros), 0) :
				SQLITE_OK;
	if (code == SQLITE_OK &&
	    (uint64_t)st.st_blocks * 512 > keep + SLACK_BYTES)
		code = truncate_file(file, (sqlite3_int64)keep);
	return code;
}

static int vfs_truncate(sqlite3_file *base, sqlite3_int64 len_bytes)
{
	struct vfs_file *file = vfs_file(base);
	sqlite3_int64 now = -1;

	if (file->keep_bytes && len_bytes == 0)
		return empty_wal(file);
	/* It would take the blocks behind its end (room.c) away. */
	if (file->is_database &&
	    file->real->pMethods->xFileSize(file->real, &now) == SQLITE_OK &&
	    now == len_bytes)
		return SQLITE_OK;
	return truncate_file(file, len_bytes);
}

/* What waits finds room now, or waits on. */
static int write_held(struct vfs_file *file)
{
	int code = SQLITE_OK;

	while (code == SQLITE_OK && file->held.len_bytes > 0) {
		size_t step = file->held.len_bytes < PIECE_BYTES ?
				      file->held.len_bytes :
				      PIECE_BYTES;

		code = write_file(file, file->held.bytes, (int)step,
				  (sqlite3_int64)file->held.begin);
		if (code == SQLITE_OK)
			held_drop(&file->held, step);
	}
	return code == SQLITE_FULL ? SQLITE_OK : code;
}

static int sync_file(struct vfs_file *file, int flags)
{
	struct io_event event = file_event(file, IO_OP_SYNC, 0, 0);
	struct io_event directory =
		file_event(file, IO_OP_SYNC_DIRECTORY, 0, 0);
	int rc = ask(&event), code;

	if (rc == 0 && file->sync_directory)
		rc = ask(&directory);
	if (rc < 0)
		return refused(rc, SQLITE_IOERR_FSYNC);
	code = told(&event, file->real->pMethods->xSync(file->real, flags), 0);
	if (code == SQLITE_OK && file->sync_directory) {
		io_tell(&directory, 0);
		file->sync_directory = false;
	}
	return code;
}

/* SQLite may think that all is well; index_vfs_flush() knows better (I4). */
static int vfs_sync(sqlite3_file *base, int flags)
{
	struct vfs_file *file = vfs_file(base);
	int code = write_held(file);

	if (code != SQLITE_OK || file->held.len_bytes > 0)
		return code;
	return sync_file(file, flags);
}

static int vfs_file_size(sqlite3_file *base, sqlite3_int64 *out_bytes)
{
	struct vfs_file *file = vfs_file(base);
	sqlite3_int64 end =
		(sqlite3_int64)(file->held.begin + file->held.len_bytes);
	int code = file->real->pMethods->xFileSize(file->real, out_bytes);

	if (code == SQLITE_OK && file->held.len_bytes > 0 && *out_bytes < end)
		*out_bytes = end;
	return code;
}

static int vfs_lock(sqlite3_file *base, int level)
{
	struct vfs_file *file = vfs_file(base);

	return file->real->pMethods->xLock(file->real, level);
}

static int vfs_unlock(sqlite3_file *base, int level)
{
	struct vfs_file *file = vfs_file(base);

	return file->real->pMethods->xUnlock(file->real, level);
}

static int vfs_check_lock(sqlite3_file *base, int *out_reserved)
{
	struct vfs_file *file = vfs_file(base);

	return file->real->pMethods->xCheckReservedLock(file->real,
							out_reserved);
}

static int vfs_control(sqlite3_file *base, int op, void *argument)
{
	struct vfs_file *file = vfs_file(base);

	return file->real->pMethods->xFileControl(file->real, op, argument);
}

static int vfs_sector_bytes(sqlite3_file *base)
{
	struct vfs_file *file = vfs_file(base);

	return file->real->pMethods->xSectorSize(file->real);
}

static int vfs_characteristics(sqlite3_file *base)
{
	struct vfs_file *file = vfs_file(base);

	return file->real->pMethods->xDeviceCharacteristics(file->real);
}

static const sqlite3_io_methods methods = {
	.iVersion = 1,
	.xClose = vfs_close,
	.xRead = vfs_read,
	.xWrite = vfs_write,
	.xTruncate = vfs_truncate,
	.xSync = vfs_sync,
	.xFileSize = vfs_file_size,
	.xLock = vfs_lock,
	.xUnlock = vfs_unlock,
	.xCheckReservedLock = vfs_check_lock,
	.xFileControl = vfs_control,
	.xSectorSize = vfs_sector_bytes,
	.xDeviceCharacteristics = vfs_characteristics,
};

static sqlite3_vfs *real_of(sqlite3_vfs *vfs)
{
	return vfs->pAppData;
}

/* The call that it becomes. */
static int open_flags(int flags)
{
	int result = flags & SQLITE_OPEN_READWRITE ? O_RDWR : O_RDONLY;

	if (flags & SQLITE_OPEN_CREATE)
		result |= O_CREAT;
	if (flags & SQLITE_OPEN_EXCLUSIVE)
		result |= O_EXCL;
	return result;
}

static int vfs_open(sqlite3_vfs *vfs, sqlite3_filename path, sqlite3_file *base,
		    int flags, int *out_flags)
{
	const int journals = SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL |
			     SQLITE_OPEN_SUPER_JOURNAL;
	struct vfs_file *file = vfs_file(base);
	struct io_event event = { .op = IO_OP_OPEN,
				  .fd = -1,
				  .dir_fd = AT_FDCWD,
				  .name = path,
				  .flags = open_flags(flags) };
	int rc = path ? ask(&event) : 0, code;

	*file = (struct vfs_file){
		.path = path,
		.sync_directory = (flags & SQLITE_OPEN_CREATE) &&
				  (flags & journals),
		.is_database = flags & SQLITE_OPEN_MAIN_DB,
		.real = (sqlite3_file *)(file + 1),
	};
	if (rc < 0)
		return refused(rc, SQLITE_CANTOPEN);
	code = real_of(vfs)->xOpen(real_of(vfs), path, file->real, flags,
				   out_flags);
	if (path)
		told(&event, code, 0);
	if (code == SQLITE_OK)
		file->base.pMethods = &methods;
	return code;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int sync_directory)
{
	struct io_event event = {
		.op = IO_OP_UNLINK, .fd = -1, .dir_fd = AT_FDCWD, .name = path
	};
	struct io_event directory = event;
	int rc = ask(&event), code;

	directory.op = IO_OP_SYNC_DIRECTORY;
	if (rc == 0 && sync_directory)
		rc = ask(&directory);
	if (rc < 0)
		return refused(rc, SQLITE_IOERR_DELETE);
	code = told(&event,
		    real_of(vfs)->xDelete(real_of(vfs), path, sync_directory),
		    0);
	if (code == SQLITE_OK && sync_directory)
		io_tell(&directory, 0);
	return code;
}

static int vfs_access(sqlite3_vfs *vfs, const char *path, int flags,
		      int *out_result)
{
	return real_of(vfs)->xAccess(real_of(vfs), path, flags, out_result);
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *path, int len_bytes,
			 char *out_path)
{
	return real_of(vfs)->xFullPathname(real_of(vfs), path, len_bytes,
					   out_path);
}

static int vfs_random(sqlite3_vfs *vfs, int len_bytes, char *out_bytes)
{
	return real_of(vfs)->xRandomness(real_of(vfs), len_bytes, out_bytes);
}

static int vfs_sleep(sqlite3_vfs *vfs, int microseconds)
{
	return real_of(vfs)->xSleep(real_of(vfs), microseconds);
}

static int vfs_time(sqlite3_vfs *vfs, double *out_days)
{
	return real_of(vfs)->xCurrentTime(real_of(vfs), out_days);
}

static int vfs_last_error(sqlite3_vfs *vfs, int len_bytes, char *out_text)
{
	return real_of(vfs)->xGetLastError(real_of(vfs), len_bytes, out_text);
}

static sqlite3_vfs shim = {
	.iVersion = 1,
	.zName = INDEX_VFS_NAME,
	.xOpen = vfs_open,
	.xDelete = vfs_delete,
	.xAccess = vfs_access,
	.xFullPathname = vfs_full_path,
	.xRandomness = vfs_random,
	.xSleep = vfs_sleep,
	.xCurrentTime = vfs_time,
	.xGetLastError = vfs_last_error,
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int registered;

static void register_shim(void)
{
	sqlite3_vfs *real = sqlite3_vfs_find(NULL);

	registered = -ENOMEM;
	if (!real)
		return;
	shim.pAppData = real;
	shim.mxPathname = real->mxPathname;
	shim.szOsFile = (int)sizeof(struct vfs_file) + real->szOsFile;
	if (sqlite3_vfs_register(&shim, 0) == SQLITE_OK)
		registered = 0;
}

int index_vfs_register(void)
{
	pthread_once(&once, register_shim);
	return registered;
}

static struct vfs_file *wal_of(sqlite3 *connection)
{
	sqlite3_file *file = NULL;

	if (sqlite3_file_control(connection, "main",
				 SQLITE_FCNTL_JOURNAL_POINTER,
				 &file) != SQLITE_OK ||
	    !file || file->pMethods != &methods)
		return NULL;
	return vfs_file(file);
}

int index_vfs_hold(sqlite3 *connection, const atomic_uint_fast64_t *keep_bytes)
{
	struct vfs_file *file = wal_of(connection);
	int keep = 1;

	if (!file)
		return -ENOENT;
	file->keep_bytes = keep_bytes;
	(void)sqlite3_file_control(connection, "main", SQLITE_FCNTL_PERSIST_WAL,
				   &keep);
	return 0;
}

int index_vfs_flush(sqlite3 *connection)
{
	struct vfs_file *file = wal_of(connection);
	int code;

	if (!file || file->held.len_bytes == 0)
		return 0;
	code = write_held(file);
	if (code == SQLITE_OK && file->held.len_bytes > 0)
		return -ENOSPC;
	if (code == SQLITE_OK)
		code = sync_file(file, SQLITE_SYNC_NORMAL);
	return code == SQLITE_OK ? 0 : -EIO;
}

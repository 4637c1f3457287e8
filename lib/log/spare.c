/*
 * A segment that is set aside for a full disk: an empty file with real blocks
 * for a few record blocks, which nobody else can have.
 *
 * When a record finds no room the log goes on in it. So what frees space can
 * be logged though others have filled the file system to the last block. From
 * then on the log is lean: records use what was set aside, data is refused,
 * until there is room for another one.
 *
 * I1: it is empty until a rename makes it a segment: nothing in it can pass
 *     for a record.
 *
 * A crash leaves it for the next opening, under its name or as the tail.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"
#include "log_impl.h"
#include "logging.h"

enum { SPARE_BLOCKS = 32 };

#define SPARE_BYTES ((uint64_t)SPARE_BLOCKS * FORMAT_BLOCK_BYTES)

bool log_no_room(int rc)
{
	return rc == -ENOSPC || rc == -EDQUOT;
}

/* I1: one that an earlier opening left. */
static bool is_whole(const struct log *log)
{
	struct stat st;

	return fstatat(log->params.directory_fd, LOG_SPARE_NAME, &st,
		       AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode) && st.st_nlink == 1 && st.st_size == 0 &&
	       st.st_uid == geteuid() &&
	       (uint64_t)st.st_blocks * 512 >= SPARE_BYTES;
}

static int make(struct log *log)
{
	int dir_fd = log->params.directory_fd, rc = 0;
	AUTO_CLOSE int fd = -1;

	(void)!io_unlink(dir_fd, LOG_SPARE_NAME);
	fd = io_open(dir_fd, LOG_SPARE_NAME, O_WRONLY | O_CREAT | O_EXCL);
	if (fd < 0)
		return fd;
	rc = io_allocate(fd, 0, SPARE_BYTES);
	if (rc == 0)
		rc = io_sync(fd);
	if (rc < 0)
		(void)!io_unlink(dir_fd, LOG_SPARE_NAME);
	return rc;
}

static void give_up(struct log *log)
{
	mutex_lock(&log->lock);
	if (log->spare_ready)
		(void)!io_unlink(log->params.directory_fd, LOG_SPARE_NAME);
	log->spare_ready = log->lean = false;
	mutex_unlock(&log->lock);
}

int log_keep_spare(struct log *log, bool wanted)
{
	bool ready;
	int rc;

	if (!wanted) {
		give_up(log);
		return 0;
	}
	mutex_lock(&log->lock);
	ready = log->spare_ready;
	mutex_unlock(&log->lock);
	if (ready || log->spare_unsupported)
		return 0;
	rc = is_whole(log) ? 0 : make(log);
	if (rc < 0 && !log_no_room(rc)) {
		/* Without it all is as on a file system that can't do it. */
		log->spare_unsupported = true;
		log_message(LOG_LEVEL_NOTICE,
			    "log: no blocks can be set aside for a full disk");
	}
	mutex_lock(&log->lock);
	log->spare_ready = rc == 0;
	log->lean = log_no_room(rc);
	mutex_unlock(&log->lock);
	return log_no_room(rc) ? -ENOSPC : 0;
}

bool log_is_lean(struct log *log)
{
	bool lean;

	mutex_lock(&log->lock);
	lean = log->lean;
	mutex_unlock(&log->lock);
	return lean;
}

uint64_t log_spare_blocks(const struct log *log)
{
	uint64_t blocks = log->spare_ready ? SPARE_BLOCKS : 0;

	if (log->spare_segment == log->position.tail_segment &&
	    log->position.tail_block < SPARE_BLOCKS)
		blocks += SPARE_BLOCKS - log->position.tail_block;
	return blocks;
}

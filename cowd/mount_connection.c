/* What is agreed on with the kernel when a session begins, for all mounts. */
#include <fcntl.h>

#include "mount_impl.h"

enum { REQUEST_BYTES_MAX = 1 << 20 };

void mount_set_connection(const struct mount_options *options,
			  struct fuse_conn_info *connection)
{
	connection->want &=
		~(unsigned)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
			    FUSE_CAP_SPLICE_MOVE);
	if (options->sync_read)
		connection->want &= ~(unsigned)FUSE_CAP_ASYNC_READ;
	if (!options->read_only && !options->direct_io &&
	    !options->no_writeback)
		connection->want |= connection->capable &
				    FUSE_CAP_WRITEBACK_CACHE;
	connection->max_readahead = REQUEST_BYTES_MAX;
	if (options->max_readahead)
		connection->max_readahead = options->max_readahead;
	connection->max_write = REQUEST_BYTES_MAX;
	/* libfuse takes no less than a page, nor more than it has room for. */
	if (options->max_write && options->max_write < REQUEST_BYTES_MAX)
		connection->max_write = options->max_write;
	connection->max_read = options->max_read;
	if (options->max_background)
		connection->max_background = options->max_background;
	if (options->congestion_threshold)
		connection->congestion_threshold =
			options->congestion_threshold;
	connection->time_gran = 1;
}

bool mount_write_is_sync(const struct mount *mount,
			 const struct fuse_file_info *fi)
{
	/* Of pages the kernel asks for by FSYNC. */
	return (mount->options.direct_io || mount->options.no_writeback) &&
	       (mount->options.sync || (fi->flags & O_DSYNC));
}

/*
 * Data of small files, told before it is asked for. To open a file is to read
 * it, most often: of the requests for that the OPEN alone is left. Neither the
 * READ comes then nor, as nothing was read from us, the question for the time
 * of access when somebody looks at the attributes afterwards.
 *
 * I1: the kernel has no dirty page of the file, and waits for none: nobody had
 *     it open since the kernel knows it, and whoever opens it or changes its
 *     size now waits for us (front_opening). So nothing newer is overwritten,
 *     and the kernel needs no answer from us to take the pages.
 */
#include <stdlib.h>

#include "file.h"
#include "tree_front.h"

enum { SMALL_BYTES = 32 << 10 };

void front_send_small(struct mount *mount, struct front_node *node,
		      struct file *file)
{
	const struct mount_options *options = &mount->options;
	struct fuse_bufvec data = FUSE_BUFVEC_INIT(0);
	AUTO_FREE char *bytes = NULL;
	struct file_info info;
	size_t len_bytes = 0;

	/* Who reads is to be seen, or nothing is to be kept. */
	if (options->keep_atime || options->direct_io)
		return;
	file_get_info(file, &info);
	if (info.size_bytes == 0 || info.size_bytes > SMALL_BYTES)
		return;
	bytes = malloc(info.size_bytes);
	if (!bytes ||
	    file_read(file, 0, bytes, info.size_bytes, &len_bytes) < 0 ||
	    len_bytes != info.size_bytes)
		return;
	data.buf[0].mem = bytes;
	data.buf[0].size = len_bytes;
	/* Where the kernel does not want it, it asks. */
	(void)fuse_lowlevel_notify_store(mount->session, node->id, 0, &data,
					 FUSE_BUF_NO_SPLICE); /* I1 */
}

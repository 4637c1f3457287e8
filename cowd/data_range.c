/* fallocate(2) on a file of the store. */
#include "data_range.h"

#include <errno.h>
#include <fcntl.h>

int data_change_range(struct file *file, int mode, uint64_t offset_bytes,
		      uint64_t len_bytes)
{
	const int known = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE |
			  FALLOC_FL_ZERO_RANGE;
	struct file_info info;
	int rc = 0;

	if (mode & ~known)
		return -EOPNOTSUPP;
	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		rc = file_zero(file, offset_bytes, len_bytes);
	file_get_info(file, &info);
	if (rc == 0 && !(mode & FALLOC_FL_KEEP_SIZE) &&
	    offset_bytes + len_bytes > info.size_bytes)
		rc = file_resize(file, offset_bytes + len_bytes);
	return rc;
}

/* What stat tells of an image, and of the directories that it is in. */
#include <string.h>
#include <unistd.h>

#include "fuse_impl.h"
#include "stat_time.h"

/* umask= takes the place of the permissions, as in every FUSE system. */
static mode_t shown_mode(const struct mount *mount, mode_t mode)
{
	return mount->options.override_mode ? 0777 & ~mount->options.umask :
					      mode;
}

void image_fill_directory(const struct mount *mount, fuse_ino_t node,
			  struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = node;
	st->st_mode = S_IFDIR | shown_mode(mount, 0755);
	st->st_nlink = 2;
	st->st_uid = mount->options.override_uid ? mount->options.uid :
						   geteuid();
	st->st_gid = mount->options.override_gid ? mount->options.gid :
						   getegid();
}

void image_fill_file(const struct mount *mount, fuse_ino_t node,
		     struct file *file, struct stat *st)
{
	bool image = node_is_image(node);
	struct file_info info;

	file_get_info(file, &info);
	memset(st, 0, sizeof(*st));
	st->st_ino = image ? IMAGE_NODE : node;
	st->st_mode = S_IFREG | shown_mode(mount, info.mode);
	if (!image || mount->snapshot_id)
		st->st_mode &= (mode_t)~0222;
	st->st_nlink = 1;
	st->st_uid = mount->options.override_uid ? mount->options.uid :
						   info.uid;
	st->st_gid = mount->options.override_gid ? mount->options.gid :
						   info.gid;
	st->st_size = (off_t)info.size_bytes;
	st->st_blksize = BLOCK_BYTES;
	st->st_blocks = (blkcnt_t)((info.size_bytes + 511) / 512);
	st->st_mtim = stat_time(info.mtime_ns);
	st->st_ctim = stat_time(info.ctime_ns);
	st->st_atim = stat_time(info.atime_ns);
}

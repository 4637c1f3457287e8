/*
 * The image when its head moves: what is open for reading, and mapped, shows
 * the new state; what is open for writing is revoked.
 */
#include <string.h>

#include "fuse_impl.h"

void image_begin_move(struct mount *mount, bool revoke)
{
	struct file_info info;

	if (revoke)
		image_revoke(mount);
	file_get_info(view_image(mount->view), &info);
	mount->size_before = info.size_bytes;
}

void image_end_move(struct mount *mount)
{
	struct file_info info;

	file_get_info(view_image(mount->view), &info);
	/* Nobody reaches it by name: readers get errors, not another's size. */
	if (info.size_bytes != mount->size_before && image_tell_size(mount) < 0)
		image_revoke(mount);
	image_drop_pages(mount);
	fuse_lowlevel_notify_inval_entry(mount->session, FUSE_ROOT_ID,
					 mount->options.name,
					 strlen(mount->options.name));
}

void image_grown(struct mount *mount)
{
	(void)!image_tell_growth(mount);
	fuse_lowlevel_notify_inval_inode(mount->session, image_node(mount), -1,
					 0);
}

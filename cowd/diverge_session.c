/*
 * A session: what the kernel is told at the start, the table of requests, and
 * serving them until the unmount.
 *
 * Not here: access (the kernel checks permissions), locks and flock (the
 * kernel's own), poll and bmap (there is none).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "diverge_front.h"
#include "logging.h"
#include "mount_impl.h"

enum { THREADS = 4 };

static void diverge_init(void *userdata, struct fuse_conn_info *connection)
{
	const struct diverge *diverge = userdata;

	mount_set_connection(diverge->options, connection);
	/* Plain files may change below: what is written goes there at once,
	 * pages are dropped when a file has another time or size. */
	connection->want |= connection->capable &
			    (FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_DONT_MASK |
			     FUSE_CAP_POSIX_ACL | FUSE_CAP_AUTO_INVAL_DATA |
			     FUSE_CAP_PARALLEL_DIROPS);
	/* What is forgotten at once would be asked for again. */
	if (diverge->options->entry_timeout_s == 0 ||
	    diverge->options->attr_timeout_s == 0)
		connection->want &= ~(unsigned)FUSE_CAP_READDIRPLUS;
	/* A daemon of root may write without taking setuid away: the kernel
	 * has to ask for it. */
	connection->want &= ~(unsigned)(FUSE_CAP_HANDLE_KILLPRIV |
					FUSE_CAP_WRITEBACK_CACHE);
}

static const struct fuse_lowlevel_ops requests = {
	.init = diverge_init,
	.lookup = diverge_lookup,
	.forget = diverge_forget,
	.forget_multi = diverge_forget_multi,
	.getattr = diverge_getattr,
	.setattr = diverge_setattr,
	.readlink = diverge_readlink,
	.mknod = diverge_mknod,
	.mkdir = diverge_mkdir,
	.unlink = diverge_unlink,
	.rmdir = diverge_rmdir,
	.symlink = diverge_symlink,
	.rename = diverge_rename,
	.link = diverge_link,
	.open = diverge_open,
	.create = diverge_create,
	.read = diverge_read,
	.write_buf = diverge_write_buf,
	.flush = diverge_flush,
	.release = diverge_release,
	.fsync = diverge_fsync,
	.opendir = diverge_opendir,
	.readdir = diverge_readdir,
	.readdirplus = diverge_readdirplus,
	.releasedir = diverge_releasedir,
	.fsyncdir = diverge_fsyncdir,
	.statfs = diverge_statfs,
	.setxattr = diverge_setxattr,
	.getxattr = diverge_getxattr,
	.listxattr = diverge_listxattr,
	.removexattr = diverge_removexattr,
	.fallocate = diverge_fallocate,
	.lseek = diverge_lseek,
	.copy_file_range = diverge_copy_file_range,
};

static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void run(struct diverge *diverge)
{
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	unsigned threads = diverge->options->max_threads;

	if (!config) {
		(void)fuse_session_loop(diverge->session);
		return;
	}
	fuse_loop_cfg_set_max_threads(config, threads ? threads : THREADS);
	(void)fuse_session_loop_mt(diverge->session, config);
	fuse_loop_cfg_destroy(config);
}

static int mount_it(struct diverge *diverge,
		    const struct diverge_params *params,
		    struct failure *failure)
{
	diverge->session = fuse_session_new(&params->options->arguments,
					    &requests, sizeof(requests),
					    diverge);
	if (!diverge->session)
		return failure_set(failure, FAILURE_FAILED, params->mountpoint,
				   "libfuse refused the mount options");
	if (fuse_set_signal_handlers(diverge->session) != 0)
		return failure_set(failure, FAILURE_FAILED, params->mountpoint,
				   "can't wait for signals");
	if (fuse_session_mount(diverge->session, params->mountpoint) != 0) {
		failure_set(failure, FAILURE_FAILED, params->mountpoint,
			    "the kernel refused the mount");
		failure_hint(failure, "is /dev/fuse there, and (without root) "
				      "fusermount3 installed and the "
				      "mountpoint yours?");
		return -EINVAL;
	}
	return 0;
}

static int serve(struct diverge *diverge, const struct diverge_params *params,
		 void (*ready)(void *context), void *context,
		 struct failure *failure)
{
	int rc = mount_it(diverge, params, failure);

	if (rc == 0) {
		log_message(LOG_LEVEL_NOTICE, "%s: mounted",
			    params->mountpoint);
		ready(context);
		run(diverge);
		fuse_session_unmount(diverge->session);
		log_message(LOG_LEVEL_NOTICE, "%s: unmounted",
			    params->mountpoint);
	}
	if (diverge->session) {
		fuse_remove_signal_handlers(diverge->session);
		fuse_session_destroy(diverge->session);
	}
	return rc;
}

int diverge_options(struct mount_options *options, const char *text,
		    const char *source, double timeout_s,
		    struct failure *failure)
{
	int rc = mount_options_parse(options, text, failure);

	if (rc < 0)
		return rc;
	if (options->entry_timeout_s < 0)
		options->entry_timeout_s = timeout_s;
	if (options->attr_timeout_s < 0)
		options->attr_timeout_s = timeout_s;
	options->no_writeback = true;
	return mount_options_finish(options, source, true, failure);
}

int diverge_serve(const struct diverge_params *params,
		  void (*ready)(void *context), void *context,
		  struct failure *failure)
{
	AUTO_FREE struct diverge *diverge = calloc(1, sizeof(*diverge));
	int rc;

	if (!diverge)
		return failure_errno(failure, -ENOMEM, NULL, "can't mount");
	diverge->rules = params->rules;
	diverge->holes = params->holes;
	diverge->options = params->options;
	diverge->strict = params->strict;
	pthread_rwlock_init(&diverge->names, NULL);
	raise_limit();
	umask(0); /* each request has one of its own */
	rc = diverge_nodes_init(diverge);
	if (rc < 0)
		failure_errno(failure, rc, NULL, "can't mount");
	else
		rc = diverge_layers_open(diverge, params, failure);
	if (rc == 0)
		rc = serve(diverge, params, ready, context, failure);
	diverge_layers_close(diverge);
	diverge_nodes_fini(diverge);
	pthread_rwlock_destroy(&diverge->names);
	return rc;
}

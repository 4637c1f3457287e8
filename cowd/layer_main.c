/*
 * cowd-layer: what a store asks about a snapshot of another one (see
 * layer_source.h).
 *
 * open mounts the snapshot where nobody looks, opens its root, and takes the
 * mount out of the table at once: from then on the descriptor is all that
 * there is of it. Whatever happens to who asked, the descriptor is closed.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "daemon.h"
#include "json_out.h"
#include "layer_source.h"

/* Stores below each other. */
enum { DEPTH_MAX = 16 };

static bool uuid_at(const json_t *object, uint64_t out_uuid[2])
{
	return layer_uuid_parse(json_text_at(object, "uuid"), out_uuid);
}

static bool same_uuid(const uint64_t a[2], const uint64_t b[2])
{
	return a[0] == b[0] && a[1] == b[1];
}

static bool is_store(const char *path)
{
	char probe[PATH_MAX + 16];

	snprintf(probe, sizeof(probe), "%s/index.db", path);
	return access(probe, F_OK) == 0;
}

/* What its store says of a snapshot; id 0: by name, or "": of the store. */
static int ask(struct cli *cli, const struct target *target, uint32_t id,
	       json_t **out_result)
{
	return call_method(cli, target, "snapshot.source",
			   json_pack("{s:s?, s:s?, s:I}", "branch",
				     name_or_null(target->branch), "snapshot",
				     id ? NULL : name_or_null(target->snapshot),
				     "id", (json_int_t)id),
			   out_result);
}

/* Is the store over own_uuid? What can't be asked is found out by mounting. */
static int check_over(struct cli *cli, const json_t *over,
		      const uint64_t own_uuid[2], unsigned depth)
{
	const json_t *layer;
	size_t i;
	int rc = 0;

	json_array_foreach(over, i, layer)
	{
		AUTO_FREE struct target *target = calloc(1, sizeof(*target));
		const char *path = json_text_at(layer, "path");
		const char *at = strrchr(path, '@');
		struct failure before = cli->failure;
		json_t *result = NULL;
		uint64_t uuid[2];

		if (!uuid_at(layer, uuid) || !target || !at)
			return -EIO;
		if (same_uuid(uuid, own_uuid) || depth == DEPTH_MAX)
			return -ELOOP;
		snprintf(target->store, sizeof(target->store), "%.*s",
			 (int)(at - path), path);
		if (ask(cli, target, 0, &result) == 0)
			rc = check_over(cli, json_object_get(result, "over"),
					own_uuid, depth + 1);
		json_decref(result);
		cli->failure = before;
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int check_loop(struct cli *cli, const struct target *target,
		      const json_t *result, const uint64_t own_uuid[2])
{
	uint64_t uuid[2];
	int rc;

	if (!own_uuid[0] && !own_uuid[1])
		return 0;
	if (uuid_at(json_object_get(result, "store"), uuid) &&
	    same_uuid(uuid, own_uuid)) {
		failure_set(&cli->failure, FAILURE_USAGE, target->text,
			    "is a snapshot of this very store");
		failure_hint(&cli->failure,
			     "to go on from it: cowd clone %s NEWBRANCH",
			     target->text);
		return -EINVAL;
	}
	rc = check_over(cli, json_object_get(result, "over"), own_uuid, 1);
	if (rc == -ELOOP)
		return failure_set(&cli->failure, FAILURE_USAGE, target->text,
				   "its store is over a snapshot of this "
				   "store: none can be above itself");
	return rc < 0 ? failure_errno(&cli->failure, rc, target->text,
				      "can't tell what it is over") :
			0;
}

static int check_target(struct cli *cli, const struct target *target)
{
	struct stat st;

	if (stat(target->store, &st) < 0) {
		failure_set(&cli->failure, FAILURE_FAILED, target->text,
			    "the layer does not exist: there is neither such "
			    "a directory nor the store %s",
			    target->store);
		return -ENOENT;
	}
	if (is_store(target->store) || errno == EACCES)
		return 0;
	return failure_set(&cli->failure, FAILURE_NO_STORE, target->text,
			   "%s is no store", target->store);
}

static int check_tree(struct cli *cli, const struct target *target,
		      const json_t *result)
{
	if (json_flag_at(result, "tree"))
		return 0;
	failure_set(&cli->failure, FAILURE_USAGE, target->text,
		    "is a snapshot of an image, and a layer is a directory");
	failure_hint(&cli->failure,
		     "an image's snapshot is gone on with by: cowd clone %s "
		     "NEWBRANCH",
		     target->text);
	return -EINVAL;
}

static int fill(const struct target *target, const json_t *result,
		struct base_fingerprint *f)
{
	const json_t *snapshot = json_object_get(result, "snapshot");
	const char *name = json_text_at(snapshot, "name");
	uint64_t uuid[2];
	char *store = realpath(target->store, NULL);
	int n = store ? snprintf(f->path, sizeof(f->path), "%s@%s", store,
				 name) :
			-1;

	free(store);
	if (n < 0 || (size_t)n >= sizeof(f->path))
		return -ENAMETOOLONG;
	if (!*name || !uuid_at(json_object_get(result, "store"), uuid))
		return -EIO;
	f->kind = BASE_KIND_SNAPSHOT;
	f->device = uuid[0];
	f->sample_hash = uuid[1];
	f->inode = strtoul(json_text_at(snapshot, "id"), NULL, 16);
	return 0;
}

static int find(struct cli *cli, char **arguments, struct layer_reply *reply)
{
	AUTO_FREE struct target *target = malloc(sizeof(*target));
	json_t *result = NULL;
	uint64_t own_uuid[2];
	int rc;

	if (!target || !layer_uuid_parse(arguments[1], own_uuid))
		return -EINVAL;
	rc = target_parse(arguments[0], NULL, target, &cli->failure);
	if (rc == 0)
		rc = check_target(cli, target);
	if (rc == 0)
		rc = cli_need_snapshot(cli, target);
	if (rc == 0)
		rc = ask(cli, target, 0, &result);
	if (rc < 0)
		return rc;
	rc = check_tree(cli, target, result);
	if (rc == 0)
		rc = check_loop(cli, target, result, own_uuid);
	if (rc == 0)
		rc = fill(target, result, &reply->found);
	json_decref(result);
	return rc;
}

static int gone(struct cli *cli, const struct target *target)
{
	failure_set(&cli->failure, FAILURE_BASE_CHANGED, target->text,
		    "the snapshot that the layer was is not in this store");
	failure_hint(&cli->failure,
		     "a store that was moved is given with --base "
		     "NAME=STORE@SNAPSHOT; another snapshot of this name is "
		     "another layer");
	return -ESTALE;
}

/* PATH UUID ID: as a target, by the name that the snapshot has now. */
static int find_known(struct cli *cli, char **arguments, struct target *target)
{
	const char *at = strrchr(arguments[0], '@');
	uint64_t uuid[2], found[2];
	json_t *result = NULL;
	int rc;

	if (!at || !layer_uuid_parse(arguments[1], uuid))
		return -EINVAL;
	memset(target, 0, sizeof(*target));
	snprintf(target->text, sizeof(target->text), "%s", arguments[0]);
	snprintf(target->store, sizeof(target->store), "%.*s",
		 (int)(at - arguments[0]), arguments[0]);
	if (!is_store(target->store) && errno == ENOENT) {
		failure_set(&cli->failure, FAILURE_FAILED, target->text,
			    "the store of this layer does not exist");
		failure_hint(&cli->failure, "bring it back; one that was moved "
					    "is given with --base");
		return -ENOENT;
	}
	rc = ask(cli, target, (uint32_t)strtoul(arguments[2], NULL, 10),
		 &result);
	if (rc < 0 && cli->failure.code == FAILURE_NOT_FOUND) {
		memset(&cli->failure, 0, sizeof(cli->failure));
		return gone(cli, target);
	}
	if (rc < 0)
		return rc;
	if (!uuid_at(json_object_get(result, "store"), found) ||
	    !same_uuid(uuid, found))
		rc = gone(cli, target);
	snprintf(target->snapshot, sizeof(target->snapshot), "%s",
		 json_text_at(json_object_get(result, "snapshot"), "name"));
	json_decref(result);
	return rc;
}

/* --- a mount that nobody sees --- */

static int make_place(char path[PATH_MAX], struct failure *failure)
{
	const char *const places[] = { "/run", getenv("XDG_RUNTIME_DIR"),
				       "/tmp" };
	char made[PATH_MAX];
	size_t i;

	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (!places[i])
			continue;
		snprintf(made, sizeof(made), "%s/cowd-layer-XXXXXX", places[i]);
		if (!mkdtemp(made))
			continue;
		if (realpath(made, path))
			return 0;
		(void)!rmdir(made);
	}
	return failure_errno(failure, -errno, "/tmp",
			     "can't make a directory to mount a layer on");
}

static int end_mount(struct cli *cli, const struct target *target,
		     const char *place)
{
	json_t *result = NULL;
	int rc = daemon_call(cli, target->store, "umount",
			     json_pack("{s:s, s:b}", "target", place, "lazy",
				       true),
			     &result);

	json_decref(result);
	return rc;
}

static int open_mounted(struct cli *cli, const struct target *target,
			const char *place, int *out_fd)
{
	AUTO_CLOSE int fd =
		open(place, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct statfs fs;
	int rc = fd < 0 ? -errno : 0;

	if (rc == 0 && fstatfs(fd, &fs) < 0)
		rc = -errno;
	/* The daemon may live in another namespace of mounts. */
	if (rc == 0 && fs.f_type != FUSE_SUPER_MAGIC)
		rc = failure_set(&cli->failure, FAILURE_FAILED, target->text,
				 "what its daemon mounts is not seen here");
	if (rc < 0)
		return failure_errno(&cli->failure, rc, target->text,
				     "can't open the layer");
	*out_fd = take_fd(&fd);
	return 0;
}

static int open_layer(struct cli *cli, char **arguments, int *out_fd)
{
	AUTO_FREE struct target *target = malloc(sizeof(*target));
	/* Of its own it would show what is no part of the snapshot. */
	struct daemon_params params = { .options = "ro,snapdir=off,"
						   "cowddir=off" };
	char place[PATH_MAX];
	int rc = target ? find_known(cli, arguments, target) : -ENOMEM;
	int ended;

	if (rc == 0)
		rc = make_place(place, &cli->failure);
	if (rc < 0)
		return rc;
	params.store_path = target->store;
	params.snapshot = target->snapshot;
	params.mountpoint = place;
	rc = cli_mount(cli, &params);
	if (rc == 0) {
		rc = open_mounted(cli, target, place, out_fd);
		ended = end_mount(cli, target, place);
		rc = rc < 0 ? rc : ended;
	}
	(void)!rmdir(place);
	return rc;
}

/* A hold that is there, or not there any more, is fine. */
static int hold(struct cli *cli, char **arguments, bool on)
{
	AUTO_FREE struct target *target = malloc(sizeof(*target));
	enum failure_code fine = on ? FAILURE_EXISTS : FAILURE_NOT_FOUND;
	json_t *result = NULL;
	int rc = target ? find_known(cli, arguments, target) : -ENOMEM;

	if (rc == 0)
		rc = call_method(
			cli, target, on ? "snapshot.hold" : "snapshot.release",
			json_pack("{s:n, s:[s], s:s}", "branch", "snapshots",
				  target->snapshot, "tag", arguments[3]),
			&result);
	json_decref(result);
	return rc < 0 && cli->failure.code == fine ? 0 : rc;
}

static int run(struct cli *cli, int argc, char **argv,
	       struct layer_reply *reply, int *out_fd)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (argc == 4 && strcmp(what, "find") == 0)
		return find(cli, argv + 2, reply);
	if (argc == 5 && strcmp(what, "open") == 0)
		return open_layer(cli, argv + 2, out_fd);
	if (argc == 6 && strcmp(what, "hold") == 0)
		return hold(cli, argv + 2, true);
	if (argc == 6 && strcmp(what, "release") == 0)
		return hold(cli, argv + 2, false);
	return -EINVAL;
}

static int answer(const struct layer_reply *reply, int fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = "" };
	struct iovec part = { (void *)reply, sizeof(*reply) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	if (fd >= 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	}
	return sendmsg(LAYER_FD, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int layer_main(int argc, char **argv)
{
	AUTO_FREE struct layer_reply *reply = calloc(1, sizeof(*reply));
	AUTO_FREE struct cli *cli = calloc(1, sizeof(*cli));
	AUTO_CLOSE int fd = -1;

	if (!reply || !cli)
		return failure_exit_code(FAILURE_FAILED);
	cli->counts[OPTION_QUIET] = 1;
	reply->rc = run(cli, argc, argv, reply, &fd);
	if (reply->rc < 0)
		failure_errno(&cli->failure, reply->rc,
			      argc > 2 ? argv[2] : NULL,
			      "can't use the snapshot");
	reply->failure = cli->failure;
	return answer(reply, fd) < 0 ? 1 : 0;
}

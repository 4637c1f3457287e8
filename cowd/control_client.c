/* The command line's side of the control socket. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control.h"
#include "control_wire.h"

/* Anybody may have taken such a name: who is it? */
static int check_server(int fd, int directory_fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	struct stat st;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ||
	    fstat(directory_fd, &st) < 0)
		return -errno;
	return peer.uid == 0 || peer.uid == st.st_uid ? 0 : -EACCES;
}

/* Where the daemon found no room for a name (bind_without_name). */
static int connect_without_name(int directory_fd, int *out_fd)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address;
	socklen_t len_bytes;
	int rc = wire_abstract_address(directory_fd, &address, &len_bytes);

	if (fd < 0)
		return -errno;
	if (rc < 0)
		return rc;
	if (connect(fd, (struct sockaddr *)&address, len_bytes) < 0)
		return -ENOENT;
	rc = check_server(fd, directory_fd);
	if (rc < 0)
		return rc;
	*out_fd = take_fd(&fd);
	return 0;
}

int control_connect(const char *store_path, int *out_fd)
{
	AUTO_CLOSE int directory_fd =
		open(store_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSE int fd = -1;
	struct sockaddr_un address;
	struct stat st;
	int rc;

	if (directory_fd < 0)
		return -errno;
	/* A socket that somebody else put there is not our daemon's. */
	if (fstatat(directory_fd, "cowd.sock", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ?
			       connect_without_name(directory_fd, out_fd) :
			       -errno;
	if (!S_ISSOCK(st.st_mode))
		return -ENOENT;
	if (st.st_uid != geteuid() && geteuid() != 0)
		return -EACCES;
	rc = wire_address(directory_fd, &address);
	if (rc < 0)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	*out_fd = take_fd(&fd);
	return 0;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static int take_error(const json_t *parameters, struct failure *failure)
{
	const char *object = text_of(parameters, "object");
	const char *hint = text_of(parameters, "hint");
	enum failure_code code = failure_from_slug(text_of(parameters, "code"));
	int rc = failure_set(failure, code, object[0] ? object : NULL, "%s",
			     text_of(parameters, "message"));

	if (hint[0])
		failure_hint(failure, "%s", hint);
	return rc < 0 ? rc : -EIO;
}

static int gone(int rc, struct failure *failure)
{
	/* It was ending, and did not look at the request any more. */
	if (rc == -ECONNRESET)
		return -ENOENT;
	failure_errno(failure, rc == -EPIPE ? -ECONNRESET : rc, NULL,
		      "the daemon went away in the middle of the command");
	failure_hint(failure, "the store is intact; run the command again, "
			      "and see 'cowd log STORE' for what was done");
	return rc;
}

/* Replies until one that doesn't continue. */
static int take_replies(struct wire *wire, control_progress *progress,
			void *context, json_t **out_result,
			struct failure *failure)
{
	for (;;) {
		json_t *reply, *parameters;
		int rc = wire_receive(wire, &reply);

		if (rc < 0)
			return gone(rc, failure);
		parameters = json_object_get(reply, "parameters");
		if (json_object_get(reply, "error")) {
			rc = take_error(parameters, failure);
			json_decref(reply);
			return rc;
		}
		if (!json_is_true(json_object_get(reply, "continues"))) {
			*out_result = json_incref(parameters);
			json_decref(reply);
			return 0;
		}
		if (progress) {
			rc = progress(
				context,
				(uint64_t)json_integer_value(
					json_object_get(parameters, "done")),
				(uint64_t)json_integer_value(
					json_object_get(parameters, "total")));
		}
		json_decref(reply);
		if (rc)
			return failure_set(failure, FAILURE_INTERRUPTED, NULL,
					   "interrupted");
	}
}

int control_call(int fd, const char *method, json_t *params,
		 control_progress *progress, void *context, json_t **out_result,
		 struct failure *failure)
{
	char name[128];
	struct wire wire;
	json_t *request;
	int rc;

	snprintf(name, sizeof(name), "org.cowd.%s", method);
	request = json_pack("{s:s, s:O, s:b}", "method", name, "parameters",
			    params, "more", progress != NULL);
	if (!request)
		return failure_errno(failure, -ENOMEM, NULL,
				     "can't ask the daemon");
	wire_init(&wire, fd, WIRE_REPLY_BYTES_MAX);
	rc = wire_send(&wire, request);
	json_decref(request);
	if (rc < 0)
		rc = gone(rc == -EPIPE ? -ECONNRESET : rc, failure);
	else
		rc = take_replies(&wire, progress, context, out_result,
				  failure);
	wire_fini(&wire);
	return rc;
}

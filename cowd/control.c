/*
 * The daemon's side of the control socket: a thread per connection, bounded
 * in number, size and time; the peer must be root or the store's owner.
 */
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control_wire.h"
#include "json_out.h"
#include "logging.h"
#include "mutex.h"
#include "ops.h"

enum { CONNECTIONS_MAX = 64, IDLE_TIMEOUT_S = 60 };

struct control {
	struct store *store;
	struct mounts *mounts;
	int directory_fd, listen_fd;
	int stop_pipe[2];
	pthread_t thread;
	struct mutex lock;
	pthread_cond_t changed;
	int connections[CONNECTIONS_MAX]; /* descriptors, -1: free */
	unsigned count;
	unsigned busy; /* requests that were read, and not answered yet */
	bool stopping; /* no other request is read */
};

struct connection {
	struct control *control;
	struct wire wire;
	uid_t uid;
	bool more; /* the client wants progress */
};

static int send_progress(void *context, uint64_t done, uint64_t total)
{
	struct connection *connection = context;
	struct pollfd poll_fd = { .fd = connection->wire.fd,
				  .events = POLLRDHUP };
	json_t *reply;
	int rc = 0;

	/* A client that is gone doesn't want the rest. */
	if (poll(&poll_fd, 1, 0) > 0 &&
	    (poll_fd.revents & (POLLRDHUP | POLLHUP | POLLERR)))
		return 1;
	if (!connection->more)
		return 0;
	reply = json_pack("{s:{s:I, s:I}, s:b}", "parameters", "done",
			  (json_int_t)done, "total", (json_int_t)total,
			  "continues", 1);
	if (reply)
		rc = wire_send(&connection->wire, reply);
	json_decref(reply);
	return rc < 0;
}

static json_t *error_reply(const struct failure *failure)
{
	/* A path need not be UTF-8, and a text that was cut may end in the
	 * middle of a character: there must be an answer all the same. */
	return json_pack("{s:s, s:{s:s, s:o, s:o, s:o, s:i}}", "error",
			 "org.cowd.Error", "parameters", "code",
			 failure_slug(failure->code), "message",
			 json_text(failure->message), "hint",
			 json_text(failure->hint), "object",
			 json_text(failure->object), "exit",
			 failure_exit_code(failure->code));
}

static const char interface[] =
	"interface org.cowd\n\n"
	"# Methods and their parameters: docs/json.md of cowd.\n"
	"error Error (code: string, message: string, hint: string, "
	"object: string, exit: int)\n";

/* What every Varlink service answers. */
static json_t *describe(const char *method)
{
	if (strcmp(method, "org.varlink.service.GetInfo") == 0)
		return json_pack("{s:{s:s, s:s, s:s, s:s, s:[s]}}",
				 "parameters", "vendor", "cowd", "product",
				 "cowd", "version", COWD_VERSION, "url", "",
				 "interfaces", "org.cowd");
	if (strcmp(method, "org.varlink.service.GetInterfaceDescription") == 0)
		return json_pack("{s:{s:s}}", "parameters", "description",
				 interface);
	return NULL;
}

static json_t *answer(struct connection *connection, json_t *request)
{
	static const char prefix[] = "org.cowd.";
	const char *method =
		json_string_value(json_object_get(request, "method"));
	json_t *params = json_object_get(request, "parameters");
	struct ops_context context = {
		.store = connection->control->store,
		.mounts = connection->control->mounts,
		.uid = connection->uid,
		.progress = send_progress,
		.progress_context = connection,
	};
	struct failure failure = { 0 };
	json_t *result = NULL, *reply = NULL, *none;
	int rc;

	connection->more = json_is_true(json_object_get(request, "more"));
	if (method)
		reply = describe(method);
	if (reply)
		return reply;
	if (!method || strncmp(method, prefix, strlen(prefix)) != 0 ||
	    (params && !json_is_object(params))) {
		failure_set(&failure, FAILURE_USAGE, method,
			    "is no method of cowd");
		return error_reply(&failure);
	}
	none = params ? json_incref(params) : json_object();
	rc = ops_call(&context, method + strlen(prefix), none, &result,
		      &failure);
	json_decref(none);
	if (rc < 0) {
		failure_errno(&failure, rc, NULL, "the command failed");
		return error_reply(&failure);
	}
	return json_pack("{s:o}", "parameters", result);
}

/*
 * Waits for a request; false: it is not read. Who sent it sees that by the
 * connection's reset, and knows that nothing was done.
 */
static bool begin_request(struct connection *connection)
{
	struct control *control = connection->control;
	ssize_t n = 1;
	bool begun;
	char byte;

	while (connection->wire.used == 0 &&
	       (n = recv(connection->wire.fd, &byte, 1, MSG_PEEK)) < 0 &&
	       errno == EINTR)
		;
	mutex_lock(&control->lock);
	/* Who is silent for too long is no reason to go on living. */
	begun = n > 0 && !control->stopping;
	control->busy += begun;
	mutex_unlock(&control->lock);
	return begun;
}

static void end_request(struct connection *connection)
{
	struct control *control = connection->control;

	mutex_lock(&control->lock);
	control->busy--;
	mutex_unlock(&control->lock);
	/* The last mount may have gone meanwhile. */
	mounts_check_idle(control->mounts);
}

bool control_stop_if_idle(struct control *control)
{
	bool stopping;

	mutex_lock(&control->lock);
	control->stopping |= control->busy == 0 &&
			     mounts_count(control->mounts) == 0;
	stopping = control->stopping;
	mutex_unlock(&control->lock);
	return stopping;
}

/* One request and its answer; below 0: the connection is over. */
static int serve_request(struct connection *connection)
{
	struct failure failure = { 0 };
	json_t *request, *reply;
	int rc = wire_receive(&connection->wire, &request);

	if (rc == -EBADMSG || rc == -EMSGSIZE) {
		failure_set(&failure, FAILURE_USAGE, NULL,
			    rc == -EMSGSIZE ? "the message is too long" :
					      "the message is no JSON object");
		reply = error_reply(&failure);
		(void)!wire_send(&connection->wire, reply);
		json_decref(reply);
	}
	if (rc < 0)
		return rc;
	reply = answer(connection, request);
	rc = reply && !json_is_true(json_object_get(request, "oneway")) ?
		     wire_send(&connection->wire, reply) :
		     0;
	json_decref(request);
	json_decref(reply);
	return rc;
}

static void serve_requests(struct connection *connection)
{
	int rc = 0;

	while (rc >= 0 && begin_request(connection)) {
		rc = serve_request(connection);
		end_request(connection);
	}
}

static void *serve(void *context)
{
	struct connection *connection = context;
	struct control *control = connection->control;
	int i, fd = connection->wire.fd;

	serve_requests(connection);
	mutex_lock(&control->lock);
	for (i = 0; i < CONNECTIONS_MAX; i++)
		if (control->connections[i] == fd)
			control->connections[i] = -1;
	close(fd);
	control->count--;
	pthread_cond_broadcast(&control->changed);
	mutex_unlock(&control->lock);
	wire_fini(&connection->wire);
	free(connection);
	return NULL;
}

static bool peer_allowed(int fd, uid_t *out_uid)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return false;
	*out_uid = peer.uid;
	if (peer.uid == 0 || peer.uid == geteuid())
		return true;
	log_message(LOG_LEVEL_WARNING, "control socket: uid %u, pid %d refused",
		    (unsigned)peer.uid, (int)peer.pid);
	return false;
}

static int free_place(struct control *control) REQUIRES(control->lock)
{
	int i;

	for (i = 0; i < CONNECTIONS_MAX; i++)
		if (control->connections[i] < 0)
			return i;
	return -1;
}

static bool start_connection(struct control *control, int fd, uid_t uid)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	struct timeval timeout = { .tv_sec = IDLE_TIMEOUT_S };
	pthread_attr_t attributes;
	pthread_t thread;
	int place, rc = -1;

	if (!connection)
		return false;
	connection->control = control;
	connection->uid = uid;
	wire_init(&connection->wire, fd, WIRE_REQUEST_BYTES_MAX);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	mutex_lock(&control->lock);
	place = control->stopping ? -1 : free_place(control);
	if (place >= 0)
		rc = pthread_create(&thread, &attributes, serve, connection);
	if (rc == 0) {
		control->connections[place] = fd;
		control->count++;
	}
	mutex_unlock(&control->lock);
	pthread_attr_destroy(&attributes);
	if (rc != 0)
		free(connection);
	return rc == 0;
}

static void *accept_all(void *context)
{
	struct control *control = context;
	struct pollfd fds[2] = {
		{ .fd = control->listen_fd, .events = POLLIN },
		{ .fd = control->stop_pipe[0], .events = POLLIN },
	};

	while (poll(fds, 2, -1) >= 0 || errno == EINTR) {
		uid_t uid;
		int fd;

		if (fds[1].revents)
			break;
		fd = accept4(control->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			continue;
		if (!peer_allowed(fd, &uid) ||
		    !start_connection(control, fd, uid))
			close(fd);
	}
	return NULL;
}

/* A new name wants room on some file systems, where others have left none. */
static int bind_without_name(struct control *control)
{
	struct sockaddr_un address;
	socklen_t len_bytes;
	int rc = wire_abstract_address(control->directory_fd, &address,
				       &len_bytes);

	if (rc == 0 && bind(control->listen_fd, (struct sockaddr *)&address,
			    len_bytes) < 0)
		rc = -errno;
	return rc;
}

static int listen_at(struct control *control)
{
	struct sockaddr_un address;
	mode_t mask;
	int rc = wire_address(control->directory_fd, &address);

	if (rc < 0)
		return rc;
	control->listen_fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (control->listen_fd < 0)
		return -errno;
	/* We hold the store's lock: a socket that is there is a dead one's. */
	unlinkat(control->directory_fd, "cowd.sock", 0);
	mask = umask(0177);
	rc = bind(control->listen_fd, (struct sockaddr *)&address,
		  sizeof(address)) < 0 ?
		     -errno :
		     0;
	umask(mask);
	if (rc == -ENOSPC || rc == -EDQUOT)
		rc = bind_without_name(control);
	if (rc == 0 && listen(control->listen_fd, CONNECTIONS_MAX) < 0)
		rc = -errno;
	return rc;
}

static void control_free(struct control *control)
{
	if (control->listen_fd >= 0)
		close(control->listen_fd);
	if (control->stop_pipe[0] >= 0)
		close(control->stop_pipe[0]);
	if (control->stop_pipe[1] >= 0)
		close(control->stop_pipe[1]);
	if (control->directory_fd >= 0)
		close(control->directory_fd);
	mutex_fini(&control->lock);
	pthread_cond_destroy(&control->changed);
	free(control);
}

int control_start(const char *store_path, struct store *store,
		  struct mounts *mounts, struct control **out_control,
		  struct failure *failure)
{
	struct control *control = calloc(1, sizeof(*control));
	int i, rc = 0;

	if (!control)
		return failure_errno(failure, -ENOMEM, store_path,
				     "can't start the control socket");
	control->store = store;
	control->mounts = mounts;
	control->listen_fd = control->stop_pipe[0] = control->stop_pipe[1] = -1;
	for (i = 0; i < CONNECTIONS_MAX; i++)
		control->connections[i] = -1;
	mutex_init(&control->lock);
	pthread_cond_init(&control->changed, NULL);
	control->directory_fd =
		open(store_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (control->directory_fd < 0 ||
	    pipe2(control->stop_pipe, O_CLOEXEC) < 0)
		rc = -errno;
	if (rc == 0)
		rc = listen_at(control);
	if (rc == 0)
		rc = -pthread_create(&control->thread, NULL, accept_all,
				     control);
	if (rc < 0) {
		control_free(control);
		return failure_errno(failure, rc, store_path,
				     "can't start the control socket");
	}
	*out_control = control;
	return 0;
}

void control_stop(struct control *control)
{
	int i;

	if (!control)
		return;
	(void)!write(control->stop_pipe[1], "", 1);
	pthread_join(control->thread, NULL);
	mutex_lock(&control->lock);
	control->stopping = true;
	for (i = 0; i < CONNECTIONS_MAX; i++)
		if (control->connections[i] >= 0)
			shutdown(control->connections[i], SHUT_RD);
	while (control->count > 0)
		pthread_cond_wait(&control->changed, &control->lock.handle);
	mutex_unlock(&control->lock);
	unlinkat(control->directory_fd, "cowd.sock", 0);
	control_free(control);
}

/*
 * Asks a process of its own about another store: it may have to start that
 * store's daemon, which a process with threads can't do, and what it began it
 * ends, even if we are killed meanwhile.
 */
#include "layer_source.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

void layer_uuid_text(const uint64_t uuid[2], char text[LAYER_UUID_BYTES])
{
	snprintf(text, LAYER_UUID_BYTES,
		 "%08" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%04" PRIx64
		 "-%012" PRIx64,
		 uuid[0] >> 32, uuid[0] >> 16 & 0xffff, uuid[0] & 0xffff,
		 uuid[1] >> 48, uuid[1] & 0xffffffffffff);
}

bool layer_uuid_parse(const char *text, uint64_t out_uuid[2])
{
	static const char digits[] = "0123456789abcdef";
	const char *digit;
	unsigned count = 0;

	out_uuid[0] = out_uuid[1] = 0;
	for (; *text; text++) {
		if (*text == '-')
			continue;
		digit = strchr(digits, *text);
		if (!digit || count == 32)
			return false;
		out_uuid[count / 16] = out_uuid[count / 16] << 4 |
				       (uint64_t)(digit - digits);
		count++;
	}
	return count == 32 || count == 0;
}

static int spawn(char *const *arguments, int fd, pid_t *out_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int rc;

	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fd, LAYER_FD);
	posix_spawnattr_init(&attributes);
	/* ^C is for who waits for it: it ends what it began. */
	posix_spawnattr_setflags(&attributes,
				 POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
	posix_spawnattr_setsigmask(&attributes, &none);
	rc = -posix_spawn(out_pid, "/proc/self/exe", &actions, &attributes,
			  arguments, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return rc;
}

/* *out_fd: -1, it sent none. */
static int receive(int socket_fd, struct layer_reply *reply, int *out_fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = "" };
	struct iovec part = { reply, sizeof(*reply) };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof(control.bytes) };
	const struct cmsghdr *header;
	ssize_t n;

	*out_fd = -1;
	do
		n = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	header = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
	if (header && header->cmsg_type == SCM_RIGHTS)
		memcpy(out_fd, CMSG_DATA(header), sizeof(*out_fd));
	return n == (ssize_t)sizeof(*reply) ? 0 : -EIO;
}

/* out_fd: NULL if none is wanted. */
static int ask(char *const *arguments, struct layer_reply *reply, int *out_fd,
	       struct failure *failure)
{
	const char *object = arguments[2];
	AUTO_CLOSE int fd = -1;
	int ends[2], status, rc;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return failure_errno(failure, -errno, object,
				     "can't ask the store");
	rc = spawn(arguments, ends[1], &pid);
	close(ends[1]);
	if (rc == 0) {
		rc = receive(ends[0], reply, &fd);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	close(ends[0]);
	if (rc == 0 && reply->rc == 0 && out_fd && fd < 0)
		rc = -EIO;
	if (rc < 0)
		return failure_errno(failure, rc, object,
				     "can't ask the store");
	if (reply->rc < 0) {
		if (failure && failure->code == FAILURE_NONE)
			*failure = reply->failure;
		return reply->rc;
	}
	if (out_fd)
		*out_fd = take_fd(&fd);
	return 0;
}

static int find(const char *text, const uint64_t own_uuid[2],
		struct base_fingerprint *out_fingerprint,
		struct failure *failure)
{
	AUTO_FREE struct layer_reply *reply = calloc(1, sizeof(*reply));
	char own[LAYER_UUID_BYTES] = "";
	char *const arguments[] = { (char *)LAYER_PROGRAM, (char *)"find",
				    (char *)text, own, NULL };
	int rc;

	if (!reply)
		return failure_errno(failure, -ENOMEM, text, "can't look");
	if (own_uuid)
		layer_uuid_text(own_uuid, own);
	rc = ask(arguments, reply, NULL, failure);
	if (rc == 0)
		*out_fingerprint = reply->found;
	return rc;
}

/* tag: NULL without one. */
static int ask_of(const char *what, const struct base_fingerprint *snapshot,
		  const char *tag, int *out_fd, struct failure *failure)
{
	AUTO_FREE struct layer_reply *reply = calloc(1, sizeof(*reply));
	const uint64_t halves[2] = { snapshot->device, snapshot->sample_hash };
	char uuid[LAYER_UUID_BYTES], id[16];
	char *const arguments[] = {
		(char *)LAYER_PROGRAM,
		(char *)what,
		(char *)snapshot->path,
		uuid,
		id,
		(char *)tag,
		NULL,
	};

	if (!reply)
		return failure_errno(failure, -ENOMEM, snapshot->path,
				     "can't ask the store");
	layer_uuid_text(halves, uuid);
	snprintf(id, sizeof(id), "%" PRIu64, snapshot->inode);
	return ask(arguments, reply, out_fd, failure);
}

static int open_snapshot(const struct base_fingerprint *expected, int *out_fd,
			 struct failure *failure)
{
	return ask_of("open", expected, NULL, out_fd, failure);
}

static int hold(const struct base_fingerprint *snapshot, const char *tag,
		bool on, struct failure *failure)
{
	return ask_of(on ? "hold" : "release", snapshot, tag, NULL, failure);
}

const struct snapshot_source layer_source = {
	.find = find,
	.open = open_snapshot,
	.hold = hold,
};
const struct snapshot_source layer_source_passing = {
	.find = find,
	.open = open_snapshot,
};

/* Messages on the control socket: one JSON object, one NUL. */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <sys/socket.h>

#include "scope.h"

/* What a daemon takes from anybody, and a command from its daemon: lists of
 * all snapshots are long. */
enum { WIRE_REQUEST_BYTES_MAX = 1 << 20, WIRE_REPLY_BYTES_MAX = 1 << 30 };

struct wire {
	int fd;
	char *buffer;
	size_t used, capacity, bytes_max;
};

/* fd is borrowed; bytes_max: of a message that is received. */
void wire_init(struct wire *wire, int fd, size_t bytes_max);
void wire_fini(struct wire *wire);
/*
 * The next message, an object, as a new reference. -EPIPE: the other side
 * closed; -ECONNRESET: it closed, and never read what it had been sent;
 * -EMSGSIZE: longer than allowed; -EBADMSG: not a JSON object; -EAGAIN: the
 * socket's time-out passed.
 */
NODISCARD int wire_receive(struct wire *wire, json_t **out_message);
NODISCARD int wire_send(struct wire *wire, const json_t *message);
/* A name without a file, for when there is no room for one. Who connects to it
 * asks whose it is. */
NODISCARD int wire_abstract_address(int directory_fd, void *address_un,
				    socklen_t *out_len_bytes);
/* STORE/cowd.sock through a path that fits into sun_path. */
NODISCARD int wire_address(int directory_fd, void *address_un);

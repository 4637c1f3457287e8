/*
 * What comes in by the control socket (A11): messages as a peer sends them, in
 * pieces of any length. Memory is bounded whatever they are.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control_wire.h"

#include "fuzz_assert.h"

enum { MESSAGE_BYTES_MAX = 2048 };

/* The first byte says how long the pieces are. */
static void send_pieces(struct wire *wire, int fd, const uint8_t *data,
			size_t len_bytes)
{
	size_t piece = len_bytes ? data[0] * 8U + 1 : 1, n;
	json_t *message;
	int rc = 0;

	while (len_bytes > 0 && rc != -EMSGSIZE) {
		n = piece < len_bytes ? piece : len_bytes;
		FUZZ_ASSERT(send(fd, data, n, MSG_NOSIGNAL) == (ssize_t)n);
		data += n;
		len_bytes -= n;
		while ((rc = wire_receive(wire, &message)) == 0) {
			FUZZ_ASSERT(json_is_object(message));
			FUZZ_ASSERT(wire_send(wire, message) == 0);
			json_decref(message);
		}
		FUZZ_ASSERT(rc == -EBADMSG || rc == -EMSGSIZE || rc == -EAGAIN);
		FUZZ_ASSERT(wire->capacity <= MESSAGE_BYTES_MAX);
		FUZZ_ASSERT(wire->used <= wire->capacity);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	struct wire wire;
	int fds[2], rc;
	json_t *message;
	char drain[65536];

	FUZZ_ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) ==
		    0);
	wire_init(&wire, fds[0], MESSAGE_BYTES_MAX);
	send_pieces(&wire, fds[1], data, len_bytes);
	while (recv(fds[1], drain, sizeof(drain), 0) > 0)
		;
	close(fds[1]);
	do {
		rc = wire_receive(&wire, &message);
		if (rc == 0)
			json_decref(message);
	} while (rc == 0 || rc == -EBADMSG);
	FUZZ_ASSERT(rc == -EPIPE || rc == -ECONNRESET || rc == -EMSGSIZE);
	wire_fini(&wire);
	close(fds[0]);
	return 0;
}

/* Framing of control messages. */
#include "control_wire.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

void wire_init(struct wire *wire, int fd, size_t bytes_max)
{
	*wire = (struct wire){ .fd = fd, .bytes_max = bytes_max };
}

void wire_fini(struct wire *wire)
{
	free(wire->buffer);
	wire->buffer = NULL;
	wire->used = wire->capacity = 0;
}

static int grow(struct wire *wire)
{
	size_t capacity = wire->capacity ? wire->capacity * 2 : 65536;
	char *grown;

	if (wire->capacity == wire->bytes_max)
		return -EMSGSIZE;
	if (capacity > wire->bytes_max)
		capacity = wire->bytes_max;
	grown = realloc(wire->buffer, capacity);
	if (!grown)
		return -ENOMEM;
	wire->buffer = grown;
	wire->capacity = capacity;
	return 0;
}

static int parse(struct wire *wire, size_t len_bytes, json_t **out_message)
{
	json_t *message = json_loadb(wire->buffer, len_bytes,
				     JSON_REJECT_DUPLICATES, NULL);

	wire->used -= len_bytes + 1;
	memmove(wire->buffer, wire->buffer + len_bytes + 1, wire->used);
	if (!json_is_object(message)) {
		json_decref(message);
		return -EBADMSG;
	}
	*out_message = message;
	return 0;
}

int wire_receive(struct wire *wire, json_t **out_message)
{
	size_t searched = 0;

	for (;;) {
		char *end = wire->used > searched ?
				    memchr(wire->buffer + searched, 0,
					   wire->used - searched) :
				    NULL;
		ssize_t n;
		int rc;

		if (end)
			return parse(wire, (size_t)(end - wire->buffer),
				     out_message);
		searched = wire->used;
		rc = wire->used == wire->capacity ? grow(wire) : 0;
		if (rc < 0)
			return rc;
		n = recv(wire->fd, wire->buffer + wire->used,
			 wire->capacity - wire->used, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == ECONNRESET && wire->used > 0)
			return -EPIPE;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EPIPE;
		wire->used += (size_t)n;
	}
}

int wire_send(struct wire *wire, const json_t *message)
{
	AUTO_FREE char *text = json_dumps(message, JSON_COMPACT);
	size_t done = 0, len_bytes;

	if (!text)
		return -ENOMEM;
	len_bytes = strlen(text) + 1; /* the NUL ends it */
	while (done < len_bytes) {
		ssize_t n = send(wire->fd, text + done, len_bytes - done,
				 MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return 0;
}

int wire_abstract_address(int directory_fd, void *address_un,
			  socklen_t *out_len_bytes)
{
	struct sockaddr_un *address = address_un;
	struct stat st;
	int n;

	if (fstat(directory_fd, &st) < 0)
		return -errno;
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	n = snprintf(address->sun_path + 1, sizeof(address->sun_path) - 1,
		     "cowd/%x/%" PRIx64, (unsigned)st.st_dev,
		     (uint64_t)st.st_ino);
	*out_len_bytes = (socklen_t)offsetof(struct sockaddr_un, sun_path) + 1 +
			 (socklen_t)n;
	return 0;
}

int wire_address(int directory_fd, void *address_un)
{
	struct sockaddr_un *address = address_un;
	int n;

	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	n = snprintf(address->sun_path, sizeof(address->sun_path),
		     "/proc/self/fd/%d/cowd.sock", directory_fd);
	return n < 0 || (size_t)n >= sizeof(address->sun_path) ? -ENAMETOOLONG :
								 0;
}

/* A socket pair that keeps messages apart. */
#include "fuzz_pair.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "fuzz_assert.h"

void pair_new(int fds[2])
{
	int size = 4 << 20;

	FUZZ_ASSERT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
			       fds) == 0);
	setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	FUZZ_ASSERT(fcntl(fds[1], F_SETFL, O_NONBLOCK) == 0);
}

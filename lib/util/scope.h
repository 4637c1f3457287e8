/* Scope cleanup: locals that own memory or descriptors release them. */
#pragma once

#include <stdlib.h>
#include <unistd.h>

#define NODISCARD __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))

static inline void scope_free(void *pointer_to_pointer)
{
	void **pointer = pointer_to_pointer;

	free(*pointer);
	*pointer = NULL;
}

static inline void scope_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define AUTO_FREE __attribute__((cleanup(scope_free)))
#define AUTO_CLOSE __attribute__((cleanup(scope_close)))

/* Ownership leaves the scope: the value is returned, the local forgets it. */
#define TAKE_PTR(pointer)                              \
	__extension__({                                \
		__typeof__(pointer) taken = (pointer); \
		(pointer) = NULL;                      \
		taken;                                 \
	})

static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

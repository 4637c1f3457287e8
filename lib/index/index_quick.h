/*
 * Is the index sound as a database? Looked at beside the one connection that
 * uses it: nobody waits for that.
 */
#pragma once

#include <stddef.h>

#include "scope.h"

struct index;
struct index_quick;

/* directory: of the store, or any path that leads to it. */
NODISCARD int index_quick_open(const char *directory,
			       struct index_quick **out_quick);
/*
 * 0: it is. -EUCLEAN: it is not, and text says what was found first. -EINTR:
 * interrupted. As often as commits come in between a complaint, which may then
 * be of a page that was half old, it is looked at again: -EAGAIN at the end.
 */
NODISCARD int index_quick_run(struct index_quick *quick, struct index *index,
			      char *text, size_t text_bytes);
/* From another thread. */
void index_quick_interrupt(struct index_quick *quick);
void index_quick_close(struct index_quick *quick);

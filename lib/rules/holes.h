/*
 * Holes: names below a mount that were removed although a layer below still
 * has them, and the file that keeps them from one session to the next.
 *
 * The file is text, a name on each line, from the mount's root: "/a/b.c". What
 * can't stand in a line is escaped as in C ("\n", "\\", "\033"). A first line
 * "# cowd holes 1 OWNER" says whose it is. While it is open the file is locked
 * (an OFD lock), and a change is in it when the call returns: killing the
 * process loses nothing, losing power what was not synced.
 *
 * Functions may be called by several threads; paths may begin with a slash or
 * not, and have no empty, "." or ".." part (-EINVAL).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "failure.h"

struct holes;

/*
 * Opens a holefile, made if it is missing, and loads what it holds. owner says
 * in one line whose names they are, for example the mountpoint; a file
 * without a first line of ours, written by hand, becomes the owner's.
 * -EBUSY when another session has it open, -EEXIST when it is another
 * owner's, -EINVAL when it can't be a holefile, -EUCLEAN when it is damaged:
 * none of these changes it. Or the errno of opening it.
 */
NODISCARD int holes_open(const char *path, const char *owner,
			 struct holes **out_holes, struct failure *failure);
/* Packs the file if names were taken out of it, and gives the lock back. Does
 * not sync. NULL is fine. */
void holes_close(struct holes *holes);

/* Masks a name. Nothing happens if it is masked by now. After an error the
 * name is not masked; -EIO once the file can't be trusted any more. */
NODISCARD int holes_add(struct holes *holes, const char *path);
/* Takes the hole of just this name away, if there is one: holes below it
 * stay. After an error it is masked as before. */
NODISCARD int holes_remove(struct holes *holes, const char *path);

/*
 * A directory of the base under another name, or one made anew where the base
 * has one, whose names it does not show: origin "". Such a line takes the place
 * of the hole of that name. In the file: "=/new<tab>/old".
 */
NODISCARD int holes_set_origin(struct holes *holes, const char *path,
			       const char *origin);
/* A directory that was removed: all that is noted below it goes, and its own
 * name is a hole (masked) or not. One write, as the next. */
NODISCARD int holes_remove_directory(struct holes *holes, const char *path,
				     bool masked);
/*
 * A directory that was renamed: what is noted below it moves along, and what
 * was below the new name goes. origin: of the new name, NULL for none; masked:
 * the old name is a hole from now on.
 */
NODISCARD int holes_rename_directory(struct holes *holes, const char *from,
				     const char *to, const char *origin,
				     bool masked);
/* Where the base has what the mount has there: PATH_MAX bytes, "" for its root.
 * -ENOENT: nowhere, it is masked or made anew. -ENAMETOOLONG. */
NODISCARD int holes_base_path(struct holes *holes, const char *path,
			      char *base_path);

/* Is there a hole of this name? false for what can't be a name. */
bool holes_has(struct holes *holes, const char *path);
/* ... of this name, or of a directory that it is in? */
bool holes_masks(struct holes *holes, const char *path);

size_t holes_count(struct holes *holes);
/* Calls visit for each name ("a/b.c"), in no order, until one returns other
 * than 0, and returns that. visit may not call functions of holes. */
int holes_each(struct holes *holes,
	       int (*visit)(void *context, const char *path), void *context);

/* All changes made before survive a power cut. After an error no later sync
 * succeeds either: -EIO. */
NODISCARD int holes_sync(struct holes *holes);

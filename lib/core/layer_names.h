/* What a branch has changed keeps its name when its layers change. */
#pragma once

#include "failure.h"
#include "item_format.h"

struct base_stat;
struct view;

/*
 * Before the stack of this head changes: every inode of base that has an item
 * and is where base has it, gets that name from the store, too. So what comes
 * above can't hide it, and what goes can't take it away. Directories on the
 * way get items, with the attributes that they have now. Nothing that is seen
 * changes by that. -EBUSY: somebody else has the head open.
 */
NODISCARD int layer_names_keep(struct view *view, struct failure *failure);

/* What an object of base is, as an item. */
void inode_item_of_base(const struct base_stat *seen,
			struct inode_item *out_item);

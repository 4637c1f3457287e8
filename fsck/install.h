/* Puts a repair in place: first the undo file, then all changes. */
#pragma once

#include "scope.h"

struct check;

/* The working copy is closed by this. */
NODISCARD int install_run(struct check *check);

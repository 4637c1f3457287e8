/*
 * uthash that does not end the process when memory is out: after HASH_ADD the
 * element's hh.tbl is NULL then, and it is in no table.
 */
#pragma once

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

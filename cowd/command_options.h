/* Lists of options for the table of commands, each ended by a name of NULL. */
#pragma once

#include "options.h"

extern const struct option_spec options_create[];
extern const struct option_spec options_mount[];
extern const struct option_spec options_umount[];
extern const struct option_spec options_snapshot_create[];
extern const struct option_spec options_snapshot_list[];
extern const struct option_spec options_delete[];
extern const struct option_spec options_prune[];
extern const struct option_spec options_rollback[];
extern const struct option_spec options_log[];
extern const struct option_spec options_undo[];
extern const struct option_spec options_resize[];
extern const struct option_spec options_tree[];
extern const struct option_spec options_diff[];
extern const struct option_spec options_layer_add[];
extern const struct option_spec options_restore[];
extern const struct option_spec options_commit[];
extern const struct option_spec options_export[];
extern const struct option_spec options_gc[];
extern const struct option_spec options_compact[];
extern const struct option_spec options_scrub[];
extern const struct option_spec options_stats[];
extern const struct option_spec options_help[];

/* What brings an abandoned store's index to the end of the log. */
#pragma once

/* Called before the store is opened again. */
void replay_before_open(const char *store_path);

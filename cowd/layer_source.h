/*
 * Snapshots of other stores as layers: each question to another store is asked
 * by a process of its own,
 *
 *   cowd-layer find TEXT OWN-UUID
 *   cowd-layer open PATH UUID ID
 *   cowd-layer hold PATH UUID ID TAG
 *   cowd-layer release PATH UUID ID TAG
 *
 * which sends a struct layer_reply, and for open a descriptor, to LAYER_FD.
 */
#pragma once

#include "layers.h"

#define LAYER_PROGRAM "cowd-layer"

enum { LAYER_FD = 3, LAYER_UUID_BYTES = 37 };

struct layer_reply {
	int rc;
	struct failure failure;
	struct base_fingerprint found;
};

/* The second one leaves no holds: the store above goes with its daemon. */
extern const struct snapshot_source layer_source, layer_source_passing;

/* The entry of that process. */
int layer_main(int argc, char **argv);

/* As text, and back; "" is 0, 0. false: it is none. */
void layer_uuid_text(const uint64_t uuid[2], char text[LAYER_UUID_BYTES]);
bool layer_uuid_parse(const char *text, uint64_t out_uuid[2]);

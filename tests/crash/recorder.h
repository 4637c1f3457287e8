/*
 * Writes down what a store does to its directory: the disk as it was, and
 * every change since, in the order in which the calls returned.
 */
#pragma once

#include "disk.h"
#include "io_hook.h"

struct trace {
	struct disk *initial;
	struct disk_change *changes;
	size_t count, capacity;
};

void trace_fini(struct trace *trace);

struct recorder;

/* Records what happens below a directory, which is taken as it is. */
struct recorder *recorder_begin(const char *directory);
/* The hook's halves; a refused call is told by recorder_refused. */
void recorder_ask(struct recorder *recorder, const struct io_event *event);
void recorder_tell(struct recorder *recorder, const struct io_event *event,
		   int64_t result);
/* A sync that failed: what it was for is never durable by a later one. */
void recorder_refused(struct recorder *recorder, const struct io_event *event);
/* How many changes there are so far. */
size_t recorder_count(const struct recorder *recorder);
/* Gives the trace, with what made each change durable. */
void recorder_end(struct recorder *recorder, struct trace *out_trace);

/*
 * store.conf: what an admin may edit. INI, parsed with libinih; unknown keys
 * are refused with their line, so that a typing error is not a silent
 * default.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "failure.h"

enum compress_mode {
	COMPRESS_MODE_IDLE,   /* cold segments, in the background */
	COMPRESS_MODE_INLINE, /* on the way in */
	COMPRESS_MODE_OFF,
};

struct store_config {
	enum compress_mode compress; /* compress = idle|inline|off */
	uint64_t cache_bytes;	     /* cache = 48MiB (8 MiB .. 16 GiB) */
	uint64_t reserve_bytes;	     /* reserve = 64MiB kept free on the host */
	uint64_t checkpoint_log_bytes; /* checkpoint.log = 256MiB */
	uint64_t checkpoint_every_ns;  /* checkpoint.every = 5s */
	uint64_t trash_keep_ns;	       /* trash.keep = 24h */
	uint64_t snapshot_every_ns;    /* snapshot.every = off (0) | 10s | 1h */
	uint32_t keep_last;	       /* keep.last, ...: 0 keeps none by */
	uint32_t keep_hourly;	       /*  that rule; all zero: keep all */
	uint32_t keep_daily;
	uint32_t keep_weekly;
	uint32_t keep_monthly;
};

void config_defaults(struct store_config *config);

/* Parses the text of a store.conf; what it doesn't name keeps its default.
 * file_name is for messages. */
NODISCARD int config_parse(const char *text, const char *file_name,
			   struct store_config *out_config,
			   struct failure *failure);

/* The text of a store.conf with a comment for every key. Caller frees. */
char *config_format(const struct store_config *config);

/* One key ("snapshot.every"). get writes its canonical text. */
NODISCARD int config_set(struct store_config *config, const char *key,
			 const char *value, struct failure *failure);
NODISCARD int config_get(const struct store_config *config, const char *key,
			 char *text, size_t text_bytes,
			 struct failure *failure);
/* Is every value one that a store.conf may have? Usage failure. */
NODISCARD int config_check(const struct store_config *config,
			   struct failure *failure);
/* Names of all keys, in order; NULL past the end. */
const char *config_key(size_t index);
const char *config_key_help(size_t index);

/* "64K", "64KiB", "64kB", "1.5G" to bytes; "10s", "5m", "1h", "7d", "2w",
 * "off" to nanoseconds. Usage failure otherwise, and on overflow. */
NODISCARD int size_parse(const char *text, uint64_t *out_bytes,
			 struct failure *failure);
NODISCARD int duration_parse(const char *text, uint64_t *out_ns,
			     struct failure *failure);

/* Sizes, times and numbers as people read them, and as they type them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "0B", "512B", "1.2G": as lsblk writes them (1024-based, one digit after
 * the point below ten units of it). */
void human_size(uint64_t size_bytes, char *text, size_t text_bytes);

enum time_style { TIME_STYLE_RELATIVE, TIME_STYLE_ISO, TIME_STYLE_UNIX };

/* "2 minutes ago", "in 5 seconds", "now". */
void human_ago(int64_t then_ns, int64_t now_ns, char *text, size_t text_bytes);
/* In the given style; ISO is local time with its offset from UTC. */
void human_time(int64_t then_ns, int64_t now_ns, enum time_style style,
		char *text, size_t text_bytes);
/* "4 ms", "1.5 s", "2 minutes". */
void human_duration(uint64_t ns, char *text, size_t text_bytes);

/* RFC 3339 in UTC with milliseconds, both ways. parse returns false for
 * anything else. */
void human_rfc3339(int64_t ns, char *text, size_t text_bytes);
bool human_parse_rfc3339(const char *text, int64_t *out_ns);

int64_t human_now_ns(void);

/* JSON values the way docs/json.md promises them. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "failure.h"

/* A string; bytes that are no UTF-8 become '?'. NULL and "" become null in
 * the second one. */
json_t *json_text(const char *text);
json_t *json_text_or_null(const char *text);
json_t *json_size(uint64_t size_bytes);
/* RFC 3339 in UTC; 0 is null. */
json_t *json_time(int64_t ns);
/* 8 hexadecimal digits; 0 is null. */
json_t *json_id(uint32_t id);

/* Fields of objects, with a default for what is missing or null. */
const char *json_text_at(const json_t *object, const char *key);
uint64_t json_number_at(const json_t *object, const char *key);
bool json_flag_at(const json_t *object, const char *key);
int64_t json_time_at(const json_t *object, const char *key);

/* One document and a newline. compact: on one line. Returns 0 or -EIO. */
int json_print(const json_t *value, bool compact, FILE *out);
/* The error document, on one line. */
void json_print_failure(const struct failure *failure, FILE *out);

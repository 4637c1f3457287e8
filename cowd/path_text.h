/*
 * Paths are bytes: how they are written in JSON and for people.
 */
#pragma once

#include <jansson.h>
#include <stdio.h>

/* UTF-8 as it is, but for a backslash, "\\", and bytes that are not part of
 * it, "\ooo" in octal. NULL: no memory. */
json_t *path_json(const char *path);
/* The bytes again; of malloc. NULL: no memory. */
char *path_of_json(const char *text);
/* As git writes it: in quotes with escapes if it holds control characters,
 * '"', '\\' or what is no UTF-8. text: as path_json wrote it. */
void path_print(const char *text, FILE *out);

/* A word that somebody may have meant. */
#pragma once

#include <stddef.h>

/* The nearest of the names that differs by little, or NULL. */
const char *nearest_word(const char *word, const char *(*name)(size_t));

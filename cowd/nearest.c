/* Which word was meant. */
#include "nearest.h"

#include <stdint.h>
#include <string.h>

/* Steps to make one word of the other: change, insert, remove a letter, or
 * swap two neighbours. */
static unsigned distance(const char *a, const char *b)
{
	enum { MOST = 32 };
	unsigned rows[MOST + 1][MOST + 1];
	size_t a_len = strlen(a), b_len = strlen(b), i, j;

	if (a_len > MOST || b_len > MOST)
		return UINT32_MAX;
	for (i = 0; i <= a_len; i++)
		rows[i][0] = (unsigned)i;
	for (j = 0; j <= b_len; j++)
		rows[0][j] = (unsigned)j;
	for (i = 1; i <= a_len; i++) {
		for (j = 1; j <= b_len; j++) {
			unsigned best =
				rows[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			if (rows[i - 1][j] + 1 < best)
				best = rows[i - 1][j] + 1;
			if (rows[i][j - 1] + 1 < best)
				best = rows[i][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1] &&
			    rows[i - 2][j - 2] + 1 < best)
				best = rows[i - 2][j - 2] + 1;
			rows[i][j] = best;
		}
	}
	return rows[a_len][b_len];
}

const char *nearest_word(const char *word, const char *(*name)(size_t))
{
	size_t len_bytes = strlen(word), i;
	unsigned best = len_bytes > 5 ? 3 : len_bytes > 2 ? 2 : 1;
	const char *nearest = NULL;

	for (i = 0; name(i); i++) {
		unsigned steps = distance(word, name(i));

		if (steps < best || (steps == best && !nearest)) {
			best = steps;
			nearest = name(i);
		}
	}
	return nearest;
}

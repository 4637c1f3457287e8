/* Lines of a holefile: what is read is written, and reads as the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "holes_impl.h"

#include "fuzz_assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	enum hole_line_kind kind, again_kind;
	char *text, *line, *again;
	const char *origin = "";
	size_t line_bytes;

	if (memchr(data, '\n', len_bytes))
		return 0;
	text = malloc(len_bytes + 2);
	FUZZ_ASSERT(text);
	if (hole_line_decode((const char *)data, len_bytes, &kind, text) < 0 ||
	    kind == HOLE_LINE_EMPTY) {
		free(text);
		return 0;
	}
	FUZZ_ASSERT(strlen(text) <= len_bytes);
	FUZZ_ASSERT(kind == HOLE_LINE_OWNER || hole_path_valid(text));
	if (kind == HOLE_LINE_ORIGIN)
		origin = text + strlen(text) + 1;
	FUZZ_ASSERT(!*origin || hole_path_valid(origin));
	line = malloc(HOLE_LINE_BYTES(strlen(text) + strlen(origin)));
	FUZZ_ASSERT(line);
	line_bytes = kind == HOLE_LINE_ORIGIN ?
			     hole_line_encode_origin(text, origin, line) :
			     hole_line_encode(kind, text, line);
	FUZZ_ASSERT(memchr(line, '\n', line_bytes) == line + line_bytes - 1);
	again = malloc(line_bytes + 1);
	FUZZ_ASSERT(again);
	FUZZ_ASSERT(hole_line_decode(line, line_bytes - 1, &again_kind,
				     again) == 0);
	FUZZ_ASSERT(again_kind == kind && strcmp(again, text) == 0);
	FUZZ_ASSERT(kind != HOLE_LINE_ORIGIN ||
		    strcmp(again + strlen(again) + 1, origin) == 0);
	free(text);
	free(line);
	free(again);
	return 0;
}

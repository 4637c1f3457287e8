/* Paths as text, both ways. */
#include "path_text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of the character that begins here; 0: it is no UTF-8. */
static size_t character_bytes(const char *text)
{
	const unsigned char *c = (const unsigned char *)text;
	size_t count = c[0] < 0x80		   ? 1 :
		       c[0] >= 0xc2 && c[0] < 0xe0 ? 2 :
		       c[0] >= 0xe0 && c[0] < 0xf0 ? 3 :
		       c[0] >= 0xf0 && c[0] < 0xf5 ? 4 :
						     0;
	size_t i;

	for (i = 1; i < count; i++)
		if ((c[i] & 0xc0) != 0x80)
			return 0;
	/* Too long a form, surrogates, above U+10FFFF. */
	if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] >= 0xa0) ||
	    (c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] >= 0x90))
		return 0;
	return count;
}

json_t *path_json(const char *path)
{
	char *text = malloc(4 * strlen(path) + 1), *to = text;
	json_t *value;

	if (!text)
		return NULL;
	while (*path) {
		size_t count = character_bytes(path);

		if (*path == '\\') {
			*to++ = '\\';
		} else if (count == 0) {
			to += snprintf(to, 5, "\\%03o", (unsigned char)*path++);
			continue;
		}
		memcpy(to, path, count);
		to += count;
		path += count;
	}
	*to = '\0';
	value = json_string(text);
	free(text);
	return value;
}

static bool is_octal(const char *text)
{
	return text[0] >= '0' && text[0] <= '3' && text[1] >= '0' &&
	       text[1] <= '7' && text[2] >= '0' && text[2] <= '7';
}

char *path_of_json(const char *text)
{
	char *path = malloc(strlen(text) + 1), *to = path;

	while (path && *text) {
		if (*text == '\\' && is_octal(text + 1)) {
			*to++ = (char)((text[1] - '0') * 64 +
				       (text[2] - '0') * 8 + text[3] - '0');
			text += 4;
			continue;
		}
		text += text[0] == '\\' && text[1] == '\\';
		*to++ = *text++;
	}
	if (path)
		*to = '\0';
	return path;
}

void path_print(const char *text, FILE *out)
{
	static const char letters[] = "abtnvfr"; /* \007 to \015 */
	const char *c;
	bool quote = false;

	for (c = text; *c; c++)
		quote |= (unsigned char)*c < ' ' || strchr("\"\\\177", *c);
	if (quote)
		putc('"', out);
	for (c = text; *c; c++) {
		if (*c >= '\a' && *c <= '\r')
			fprintf(out, "\\%c", letters[*c - '\a']);
		else if ((unsigned char)*c < ' ' || *c == '\177')
			fprintf(out, "\\%03o", (unsigned char)*c);
		else
			fprintf(out, *c == '"' ? "\\%c" : "%c", *c);
	}
	if (quote)
		putc('"', out);
}

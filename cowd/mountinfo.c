/* Reading /proc/self/mountinfo. */
#include "mountinfo.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "scope.h"

/* It writes blanks and backslashes as \ooo. */
static void unescape(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' &&
		    text[2] >= '0' && text[2] <= '7' && text[3] >= '0' &&
		    text[3] <= '7') {
			*to++ = (char)((text[1] - '0') * 64 +
				       (text[2] - '0') * 8 + text[3] - '0');
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

static bool parse(const char *line, struct mountinfo *info)
{
	const char *rest = strstr(line, " - ");
	unsigned major_nr, minor_nr;
	char type[64], root[3];

	if (!rest ||
	    sscanf(line, "%*d %*d %u:%u %2s", &major_nr, &minor_nr, root) !=
		    3 ||
	    sscanf(line, "%*d %*d %*s %*s %4095s", info->mountpoint) != 1 ||
	    sscanf(rest, " - %63s %4695s", type, info->source) != 2)
		return false;
	unescape(info->mountpoint);
	unescape(info->source);
	info->device = makedev(major_nr, minor_nr);
	info->is_whole = strcmp(root, "/") == 0;
	info->is_cowd = strcmp(type, "fuse.cowd") == 0 ||
			strcmp(type, "fuseblk.cowd") == 0;
	return true;
}

int mountinfo_each(mountinfo_visit *visit, void *context)
{
	AUTO_FREE struct mountinfo *info = malloc(sizeof(*info));
	FILE *file = fopen("/proc/self/mountinfo", "re");
	AUTO_FREE char *line = NULL;
	size_t line_bytes = 0;
	int rc = info && file ? 0 : -ENOMEM;

	while (rc == 0 && getline(&line, &line_bytes, file) > 0)
		if (parse(line, info))
			rc = visit(context, info);
	if (file)
		fclose(file);
	return rc < 0 ? rc : 0;
}

struct sought {
	const char *path;
	char *source;
	size_t source_bytes;
	bool found;
	dev_t device;
};

/* The last one counts: it is the topmost. */
static int note_source(void *context, const struct mountinfo *info)
{
	struct sought *sought = context;

	if (strcmp(info->mountpoint, sought->path) != 0)
		return 0;
	sought->found = info->is_cowd;
	sought->device = info->device;
	snprintf(sought->source, sought->source_bytes, "%s", info->source);
	return 0;
}

bool mount_source(const char *path, char *source, size_t source_bytes)
{
	struct sought sought = { .path = path,
				 .source = source,
				 .source_bytes = source_bytes };

	return mountinfo_each(note_source, &sought) == 0 && sought.found;
}

dev_t mount_top_device(const char *path)
{
	char ignored[1];
	struct sought sought = { .path = path,
				 .source = ignored,
				 .source_bytes = sizeof(ignored) };

	return mountinfo_each(note_source, &sought) == 0 && sought.found ?
		       sought.device :
		       0;
}

/*
 * Directories that were removed, renamed or made anew: what is noted below
 * them, and where base has them. A change of several lines is one write, then
 * a sync; in memory it is done behind that.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "holes_impl.h"
#include "logging.h"

/* Lines to be written, and the set as it will be. */
struct edit {
	struct holes *holes;
	FILE *out;
	char *text;
	size_t text_bytes;
	struct hole *added; /* to be put */
	struct hole *gone;  /* to be deleted */
	int rc;
};

static void edit_line(struct edit *edit, enum hole_line_kind kind,
		      const char *path, const char *origin)
{
	AUTO_FREE char *line = malloc(
		HOLE_LINE_BYTES(strlen(path) + (origin ? strlen(origin) : 0)));
	size_t len_bytes;

	if (edit->rc < 0)
		return;
	if (!line) {
		edit->rc = -ENOMEM;
		return;
	}
	len_bytes = origin ? hole_line_encode_origin(path, origin, line) :
			     hole_line_encode(kind, path, line);
	if (fwrite(line, 1, len_bytes, edit->out) != len_bytes)
		edit->rc = -ENOMEM;
}

/* origin NULL: a hole. */
static void edit_put(struct edit *edit, const char *path, const char *origin)
{
	edit_line(edit, HOLE_LINE_ADDED, path, origin);
	if (edit->rc == 0)
		edit->rc = hole_set_put(&edit->added, path, origin);
}

static void edit_drop(struct edit *edit, const char *path)
{
	edit_line(edit, HOLE_LINE_REMOVED, path, NULL);
	if (edit->rc == 0)
		edit->rc = hole_set_put(&edit->gone, path, NULL);
}

static void edit_begin(struct edit *edit, struct holes *holes)
{
	*edit = (struct edit){ .holes = holes };
	edit->out = open_memstream(&edit->text, &edit->text_bytes);
	edit->rc = edit->out ? 0 : -ENOMEM;
}

static void edit_apply(struct edit *edit) REQUIRES(edit->holes->lock)
{
	struct holes *holes = edit->holes;
	struct hole *hole, *known;

	for (hole = edit->gone; hole; hole = hole->hh.next) {
		known = hole_set_find(holes->set, hole->path,
				      strlen(hole->path));
		if (known)
			hole_set_delete(&holes->set, known);
		holes->file.dead_count += 2;
	}
	for (hole = edit->added; hole && edit->rc == 0; hole = hole->hh.next)
		edit->rc = hole_set_put(&holes->set, hole->path, hole->origin);
	/* The file says what memory does not: nothing may be added to it. */
	if (edit->rc < 0)
		holes->file.broken = true;
}

static int edit_end(struct edit *edit) REQUIRES(edit->holes->lock)
{
	if (edit->out && fclose(edit->out) != 0 && edit->rc == 0)
		edit->rc = -ENOMEM;
	if (edit->rc == 0 && edit->text_bytes > 0) {
		edit->rc = holes_file_append_text(&edit->holes->file,
						  edit->text, edit->text_bytes);
		if (edit->rc == 0)
			edit_apply(edit);
		if (edit->rc == 0)
			edit->rc = holes_file_sync(&edit->holes->file);
	}
	free(edit->text);
	hole_set_clear(&edit->added);
	hole_set_clear(&edit->gone);
	return edit->rc;
}

/* What of path is below the directory: "b" of "a/b" in "a"; else NULL. */
static const char *rest_below(const char *path, const char *directory)
{
	size_t length = strlen(directory);

	return strncmp(path, directory, length) == 0 && path[length] == '/' ?
		       path + length + 1 :
		       NULL;
}

static void drop_at(struct edit *edit, const char *path)
	REQUIRES(edit->holes->lock)
{
	if (hole_set_find(edit->holes->set, path, strlen(path)))
		edit_drop(edit, path);
}

static void drop_below(struct edit *edit, const char *directory)
	REQUIRES(edit->holes->lock)
{
	const struct hole *hole;

	for (hole = edit->holes->set; hole; hole = hole->hh.next)
		if (rest_below(hole->path, directory))
			edit_drop(edit, hole->path);
}

static void move_below(struct edit *edit, const char *from, const char *to)
	REQUIRES(edit->holes->lock)
{
	const struct hole *hole;

	for (hole = edit->holes->set; hole; hole = hole->hh.next) {
		const char *rest = rest_below(hole->path, from);
		AUTO_FREE char *path = NULL;

		if (!rest)
			continue;
		edit_drop(edit, hole->path);
		if (asprintf(&path, "%s/%s", to, rest) < 0)
			edit->rc = -ENOMEM;
		else
			edit_put(edit, path, hole->origin);
	}
}

static const char *plain(const char *path)
{
	path += *path == '/';
	return hole_path_valid(path) ? path : NULL;
}

int holes_set_origin(struct holes *holes, const char *path, const char *origin)
{
	struct edit edit;
	int rc;

	path = plain(path);
	if (!path || (*origin && !hole_path_valid(origin)))
		return -EINVAL;
	mutex_lock(&holes->lock);
	edit_begin(&edit, holes);
	edit_put(&edit, path, origin);
	rc = edit_end(&edit);
	mutex_unlock(&holes->lock);
	return rc;
}

int holes_remove_directory(struct holes *holes, const char *path, bool masked)
{
	struct edit edit;
	int rc;

	path = plain(path);
	if (!path)
		return -EINVAL;
	mutex_lock(&holes->lock);
	edit_begin(&edit, holes);
	drop_below(&edit, path);
	if (masked)
		edit_put(&edit, path, NULL);
	else
		drop_at(&edit, path);
	rc = edit_end(&edit);
	mutex_unlock(&holes->lock);
	return rc;
}

int holes_rename_directory(struct holes *holes, const char *from,
			   const char *to, const char *origin, bool masked)
{
	struct edit edit;
	int rc;

	from = plain(from);
	to = plain(to);
	if (!from || !to || (origin && *origin && !hole_path_valid(origin)))
		return -EINVAL;
	mutex_lock(&holes->lock);
	edit_begin(&edit, holes);
	drop_below(&edit, to);
	move_below(&edit, from, to);
	if (origin)
		edit_put(&edit, to, origin);
	else
		drop_at(&edit, to);
	if (masked)
		edit_put(&edit, from, NULL);
	else
		drop_at(&edit, from);
	rc = edit_end(&edit);
	mutex_unlock(&holes->lock);
	return rc;
}

static int base_path_locked(struct holes *holes, const char *path,
			    char *base_path) REQUIRES(holes->lock)
{
	size_t begin = 0, used = 0;
	bool there = true;

	base_path[0] = '\0';
	while (path[begin]) {
		size_t end = begin + strcspn(path + begin, "/");
		const struct hole *hole = hole_set_find(holes->set, path, end);

		if (hole && hole->origin) {
			used = (size_t)snprintf(base_path, PATH_MAX, "%s",
						hole->origin);
			there = *hole->origin;
		} else if (hole) {
			there = false;
		} else if (there) {
			used += (size_t)snprintf(base_path + used,
						 PATH_MAX - used, "%s%.*s",
						 used ? "/" : "",
						 (int)(end - begin),
						 path + begin);
		}
		if (used >= PATH_MAX)
			return -ENAMETOOLONG;
		begin = end + (path[end] == '/');
	}
	return there ? 0 : -ENOENT;
}

int holes_base_path(struct holes *holes, const char *path, char *base_path)
{
	int rc;

	mutex_lock(&holes->lock);
	rc = base_path_locked(holes, path, base_path);
	mutex_unlock(&holes->lock);
	return rc;
}

/*
 * A layer: what differs between two states of a tree, so that put upon the
 * older one it makes the newer one. What is gone is a whiteout: a file
 * .wh.NAME as OCI images have it, or a character device 0:0 as overlayfs.
 *
 * I1: a directory that took the place of something else is written whole and
 *     opaque: nothing of what was there is seen in it.
 * I2: a file with several names is written with all of them, so that they
 *     are links of each other wherever the layer is put.
 * I3: the directories above are written before what is in them.
 */
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "export_impl.h"
#include "layer_places.h"
#include "tree_path.h"

#define OCI_WHITEOUT ".wh."
#define OCI_OPAQUE ".wh..wh..opq"

struct layer {
	struct export *export;
	struct layer_places places;
};

/* Names that mean something else to who reads the layer. */
static int check_name(void *context, const char *path,
		      const struct tree_attr *attr)
{
	const struct layer *layer = context;
	struct failure *failure = layer->export->call->failure;
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	int rc = 0;

	if (layer->export->is_overlay) {
		if (S_ISCHR(attr->mode) && attr->rdev == 0)
			rc = failure_set(failure, FAILURE_UNSUPPORTED, path,
					 "is a device 0:0, which stands for "
					 "a whiteout");
		return rc;
	}
	if (strncmp(name, OCI_WHITEOUT, strlen(OCI_WHITEOUT)) != 0)
		return 0;
	rc = failure_set(failure, FAILURE_UNSUPPORTED, path,
			 "its name would stand for a whiteout");
	failure_hint(failure, "--whiteouts overlay");
	return rc;
}

/* --- writing --- */

static char *archive_path(const struct layer *layer, const char *path)
{
	const char *root = export_root(layer->export);
	char *text = NULL;

	if (strcmp(path, ".") == 0)
		return strdup(root);
	return asprintf(&text, "%s/%s", root, path) < 0 ? NULL : text;
}

static int write_marker(struct layer *layer, const char *path, bool is_device)
{
	struct archive *archive = layer->export->archive;
	struct archive_entry *entry = archive_entry_new();
	AUTO_FREE char *whole = archive_path(layer, path);
	int rc = entry && whole ? 0 : -ENOMEM;

	if (rc == 0) {
		archive_entry_set_pathname(entry, whole);
		archive_entry_set_mode(entry, is_device ? S_IFCHR : S_IFREG);
		archive_entry_set_rdev(entry, 0);
		archive_entry_set_size(entry, 0);
		archive_entry_set_mtime(entry, 0, 0);
		rc = export_checked(layer->export,
				    archive_write_header(archive, entry));
	}
	if (rc == 0)
		rc = export_checked(layer->export,
				    archive_write_finish_entry(archive));
	archive_entry_free(entry);
	return rc;
}

static int write_whiteout(struct layer *layer, const char *path)
{
	const char *slash = strrchr(path, '/');
	AUTO_FREE char *marker = NULL;

	if (layer->export->is_overlay)
		return write_marker(layer, path, true);
	if (asprintf(&marker, "%.*s%s%s", slash ? (int)(slash + 1 - path) : 0,
		     path, OCI_WHITEOUT, slash ? slash + 1 : path) < 0)
		return -ENOMEM;
	return write_marker(layer, marker, false);
}

/* I1 */
static int write_whole(struct layer *layer, const struct place *place,
		       struct tree_node *node, const struct tree_attr *attr,
		       const char *path)
{
	struct export *export = layer->export;
	AUTO_FREE char *marker = NULL;
	int rc;

	export->is_opaque = place->gone && export->is_overlay;
	rc = export_object(export, node, attr, path);
	export->is_opaque = false;
	if (rc == 0 && place->gone && !export->is_overlay) {
		if (asprintf(&marker, "%s/%s", place->path, OCI_OPAQUE) < 0)
			return -ENOMEM;
		rc = write_marker(layer, marker, false);
	}
	return rc < 0 ? rc : export_below(export, node, path);
}

static int write_there(struct layer *layer, const struct place *place)
{
	AUTO_FREE char *path = archive_path(layer, place->path);
	struct tree_node *node;
	struct tree_attr attr;
	int rc = path ? tree_find_path(layer->places.to, place->path, &node,
				       &attr) :
			-ENOMEM;

	if (rc < 0)
		return rc;
	if (S_ISDIR(attr.mode) && (place->whole || place->gone)) {
		rc = write_whole(layer, place, node, &attr, path);
	} else {
		rc = check_name(layer, place->path, &attr);
		/* A socket is left out, not what was there before. */
		if (rc == 0 && S_ISSOCK(attr.mode) && place->gone)
			rc = write_whiteout(layer, place->path);
		else if (rc == 0)
			rc = export_object(layer->export, node, &attr, path);
	}
	tree_node_put(node, 1);
	return rc;
}

/* I3; what a directory above has done already is not done again. */
static int write_above(struct layer *layer, const struct place *place,
		       bool *out_covered)
{
	const char *slash = place->path;
	int rc = 0;

	*out_covered = false;
	while (rc == 0 && (slash = strchr(slash, '/'))) {
		AUTO_FREE char *above =
			strndup(place->path, (size_t)(slash++ - place->path));
		struct place *known =
			above ? layer_places_get(&layer->places, above) : NULL;

		if (!known)
			return -ENOMEM;
		if (known->gone || (known->whole && place->there)) {
			*out_covered = true;
			return 0;
		}
		if (known->done)
			continue;
		known->done = known->there = true;
		rc = write_there(layer, known);
	}
	return rc;
}

static int write_place(struct layer *layer, struct place *place)
{
	bool covered;
	int rc = write_above(layer, place, &covered);

	if (rc < 0 || covered || place->done)
		return rc;
	place->done = true;
	return place->there ? write_there(layer, place) :
			      write_whiteout(layer, place->path);
}

int export_layer(struct export *export, struct tree *to)
{
	struct layer layer = {
		.export = export,
		.places = { .from = export->from,
			    .to = to,
			    .check = check_name,
			    .context = &layer },
	};
	struct place *place, *next;
	int rc = layer_places_find(&layer.places);

	/* Places that are added on the way are done when they are. */
	HASH_ITER(hh, layer.places.list, place, next)
	{
		rc = rc < 0 ? rc : write_place(&layer, place);
	}
	layer_places_fini(&layer.places);
	return rc;
}

/*
 * What is in the virtual directory: lists made anew each time they are asked
 * for. Nothing here waits for a mount, nor asks one.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "history.h"
#include "json_out.h"
#include "mountinfo.h"
#include "store_layers.h"
#include "tree_virtual.h"

uint64_t virtual_number(const char *name)
{
	char *end;
	uint64_t number;

	if (*name < '1' || *name > '9')
		return 0;
	errno = 0;
	number = strtoull(name, &end, 10);
	return *end || errno ? 0 : number;
}

void virtual_list_free(struct virtual_list *list)
{
	size_t i;

	for (i = 0; i < list->count; i++) {
		free(list->entries[i].name);
		free(list->entries[i].text);
	}
	free(list->entries);
}

/* Takes over text. */
static int add(struct virtual_list *list, const char *name, mode_t mode,
	       char *text)
{
	struct virtual_entry *entries = reallocarray(
		list->entries, list->count + 1, sizeof(*list->entries));
	char *copy = strdup(name);

	if (entries)
		list->entries = entries;
	if (!entries || !copy) {
		free(copy);
		free(text);
		return -ENOMEM;
	}
	entries[list->count++] = (struct virtual_entry){
		.name = copy,
		.mode = mode,
		.text = text,
	};
	return 0;
}

static int add_link(struct virtual_list *list, const char *name, char *target)
{
	return target ? add(list, name, S_IFLNK | 0777, target) : -ENOMEM;
}

static bool is_wanted(const char *only, const char *name)
{
	return !only || strcmp(only, name) == 0;
}

/* --- TOC.json --- */

static json_t *layers_of(struct store *store, const char *branch)
{
	AUTO_FREE struct layer_info *list = NULL;
	json_t *array = json_array();
	size_t count = 0, i;

	if (store_layers_list(store, branch, &list, &count, NULL) < 0)
		return array;
	/* Not where they are: that is nobody's business in a mount. */
	for (i = 0; i < count; i++)
		if (list[i].position)
			json_array_append_new(array,
					      json_pack("{s:i, s:o, s:i}", "id",
							(int)list[i].id, "name",
							json_text(list[i].name),
							"position",
							(int)list[i].position));
	return array;
}

static json_t *branches_of(struct store *store)
{
	AUTO_FREE struct branch_info *list = NULL;
	json_t *array = json_array();
	size_t count = 0, i;

	if (history_branches(store, false, &list, &count) < 0)
		return array;
	for (i = 0; i < count; i++)
		json_array_append_new(
			array,
			json_pack("{s:o, s:o, s:o, s:o}", "name",
				  json_text(list[i].name), "created",
				  json_time(list[i].created_ns), "refer_bytes",
				  json_size(list[i].refer_bytes),
				  "written_bytes",
				  json_size(list[i].written_bytes)));
	return array;
}

static json_t *snapshots_of(struct store *store, const char *branch)
{
	AUTO_FREE struct snapshot_info *list = NULL;
	json_t *array = json_array();
	size_t count = 0, i;

	if (history_snapshots(store, branch, false, &list, &count, NULL) < 0)
		return array;
	for (i = 0; i < count; i++)
		json_array_append_new(
			array,
			json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "id",
				  json_id(list[i].id), "name",
				  json_text(list[i].name), "created",
				  json_time(list[i].created_ns), "refer_bytes",
				  json_size(list[i].refer_bytes),
				  "written_bytes",
				  json_size(list[i].written_bytes), "note",
				  json_text_or_null(list[i].note)));
	return array;
}

/* Of malloc. */
static char *contents(struct mount *mount)
{
	AUTO_FREE struct store_status *status = calloc(1, sizeof(*status));
	char branch[STORE_NAME_BYTES_MAX + 1], *text, *whole = NULL;
	json_t *toc;

	if (!status)
		return NULL;
	mount_branch(mount, branch);
	store_status(mount->store, status);
	toc = json_pack("{s:s, s:s, s:o, s:o, s:b, s:o, s:o, s:o}", "schema",
			"cowd/toc/1", "uuid", status->uuid, "branch",
			json_text(branch), "snapshot",
			json_text_or_null(mount->snapshot), "read_only",
			mount->options.read_only, "layers",
			layers_of(mount->store, branch), "branches",
			branches_of(mount->store), "snapshots",
			snapshots_of(mount->store, branch));
	text = json_dumps(toc, JSON_INDENT(2));
	json_decref(toc);
	if (text && asprintf(&whole, "%s\n", text) < 0)
		whole = NULL;
	free(text);
	return whole;
}

static int list_root(struct mount *mount, const char *only,
		     struct virtual_list *list)
{
	static const char *const names[] = {
		[VIRTUAL_FD] = "fd",	 [VIRTUAL_INO] = "ino",
		[VIRTUAL_VOL] = "vol",	 [VIRTUAL_DEV] = "dev",
		[VIRTUAL_SNAP] = "snap",
	};
	int place, rc = 0;

	for (place = VIRTUAL_FD; place < VIRTUAL_PLACES_END && rc == 0;
	     place++) {
		if (!is_wanted(only, names[place]))
			continue;
		rc = add(list, names[place], S_IFDIR | 0555, NULL);
		if (rc == 0)
			list->entries[list->count - 1].place =
				(enum virtual_place)place;
	}
	if (rc == 0 && is_wanted(only, "TOC.json")) {
		char *text = only ? contents(mount) : strdup("");

		rc = text ? add(list, "TOC.json", S_IFREG | 0444, text) :
			    -ENOMEM;
	}
	return rc;
}

/* --- the others --- */

static int list_handles(fuse_req_t req, struct virtual_list *list)
{
	struct mount *mount = front_mount(req);
	uid_t uid = fuse_req_ctx(req)->uid;
	const struct front_handle *handle;
	char name[24];
	int rc = 0;

	mutex_lock(&mount->lock);
	for (handle = mount->tree->handles; handle && rc == 0;
	     handle = handle->next) {
		if (!handle->node->node || (uid != 0 && uid != handle->uid))
			continue;
		snprintf(name, sizeof(name), "%" PRIu64, handle->nr);
		rc = add(list, name, S_IFREG, NULL);
	}
	mutex_unlock(&mount->lock);
	return rc;
}

static int list_snapshots(struct mount *mount, const char *only,
			  struct virtual_list *list)
{
	char branch[STORE_NAME_BYTES_MAX + 1], *target;
	AUTO_FREE struct snapshot_info *all = NULL;
	size_t count = 0, i;
	int rc;

	if (mount->options.snapdir == SNAPDIR_OFF || mount->snapshot_id)
		return 0;
	mount_branch(mount, branch);
	rc = history_snapshots(mount->store, branch, false, &all, &count, NULL);
	for (i = 0; i < count && rc == 0; i++) {
		if (!is_wanted(only, all[i].name))
			continue;
		if (asprintf(&target, "../../.snapshots/%s", all[i].name) < 0)
			return -ENOMEM;
		rc = add_link(list, all[i].name, target);
	}
	return rc;
}

struct volumes {
	struct mount *mount;
	const char *only;
	struct virtual_list *list;
};

static bool has_name(const struct virtual_list *list, const char *name)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		if (strcmp(list->entries[i].name, name) == 0)
			return true;
	return false;
}

static int add_volume(void *context, const struct mountinfo *info)
{
	struct volumes *volumes = context;
	struct mount *mount = volumes->mount;
	char name[24], *target = NULL;

	snprintf(name, sizeof(name), "%lu", (unsigned long)info->device);
	if (!info->is_cowd || !info->is_whole ||
	    has_name(volumes->list, name) || !is_wanted(volumes->only, name))
		return 0;
	if (info->device == atomic_load(&mount->device))
		target = strdup("../ino");
	else if (asprintf(&target, "%s/.cowd/ino", info->mountpoint) < 0)
		return -ENOMEM;
	return add_link(volumes->list, name, target);
}

/* Called as the store's path ends, with the branch and snapshot; the second of
 * a name with its device's number, too. */
static int add_device(void *context, const struct mountinfo *info)
{
	struct volumes *volumes = context;
	const char *slash = strrchr(info->source, '/');
	char name[NAME_MAX + 1], *c;
	char *target;

	if (!info->is_cowd || !info->is_whole)
		return 0;
	snprintf(name, sizeof(name), "%.*s", NAME_MAX - 24,
		 slash ? slash + 1 : info->source);
	if (has_name(volumes->list, name))
		snprintf(name + strlen(name), 24, "#%lu",
			 (unsigned long)info->device);
	for (c = name; *c; c++)
		*c = *c == '/' ? '_' : *c;
	target = strdup(info->mountpoint);
	return add_link(volumes->list, name, target);
}

/* Names depend on those before them: the one is found among all. */
static void keep_only(struct virtual_list *list, const char *only)
{
	size_t i, kept = 0;

	for (i = 0; i < list->count; i++) {
		if (is_wanted(only, list->entries[i].name)) {
			list->entries[kept++] = list->entries[i];
			continue;
		}
		free(list->entries[i].name);
		free(list->entries[i].text);
	}
	list->count = kept;
}

int virtual_list(fuse_req_t req, enum virtual_place place, const char *only,
		 struct virtual_list *out_list)
{
	struct mount *mount = front_mount(req);
	struct volumes volumes = { mount, only, out_list };
	int rc = 0;

	memset(out_list, 0, sizeof(*out_list));
	switch (place) {
	case VIRTUAL_ROOT:
		rc = list_root(mount, only, out_list);
		break;
	case VIRTUAL_FD:
		rc = list_handles(req, out_list);
		break;
	case VIRTUAL_VOL:
		rc = mountinfo_each(add_volume, &volumes);
		break;
	case VIRTUAL_DEV:
		rc = mountinfo_each(add_device, &volumes);
		break;
	case VIRTUAL_SNAP:
		rc = list_snapshots(mount, only, out_list);
		break;
	case VIRTUAL_INO: /* as many as the tree has: not listed */
	case VIRTUAL_PLACES_END:
	case VIRTUAL_FIRST_NODE:
		break;
	}
	if (rc < 0)
		virtual_list_free(out_list);
	else
		keep_only(out_list, only);
	return rc;
}

/* cowd create. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base.h"
#include "command.h"
#include "json_out.h"
#include "layer_source.h"
#include "ops.h"
#include "store_layers.h"
#include "table.h"
#include "volatile_store.h"

_Static_assert((int)CLI_BASES_MAX == (int)LAYERS_MAX,
	       "as many as can be merged");

static int mixture(struct cli *cli, const char *spec, bool has_directories)
{
	failure_set(&cli->failure, FAILURE_USAGE, spec,
		    has_directories ? "is no directory, and another base is" :
				      "is an image, and not the only base");
	failure_hint(&cli->failure, "give one image or block device, or "
				    "directories, topmost first");
	return -EINVAL;
}

/* One of DIR=RW:DIR=RO, which takes the place of a --base. */
static int take_branch(struct cli *cli, char *branch)
{
	unsigned nr = cli->counts[OPTION_BASE];
	char *kind = strrchr(branch, '=');

	if (kind && (strcmp(kind, "=RW") == 0 || strcmp(kind, "=RO") == 0))
		*kind++ = '\0';
	else
		kind = NULL;
	if (kind && strcmp(kind, "RW") == 0 && nr > 0) {
		failure_set(&cli->failure, FAILURE_USAGE, branch,
			    "only the first branch can be written to");
		failure_hint(&cli->failure,
			     "what is written goes into the store: it is "
			     "above all branches");
		return -EINVAL;
	}
	if (nr < CLI_BASES_MAX)
		cli->bases[nr] = branch;
	cli->counts[OPTION_BASE]++;
	return 0;
}

/* text is cut into pieces, and is to live on. */
static int take_branches(struct cli *cli, char *text)
{
	char *branch;
	int rc = 0;

	if (text && option_given(cli, OPTION_BASE))
		return failure_set(&cli->failure, FAILURE_USAGE, "--branches",
				   "takes the place of --base");
	while (rc == 0 && (branch = strsep(&text, ":")) != NULL)
		rc = take_branch(cli, branch);
	return rc;
}

/* Of a store, which is there or should be. */
static bool is_snapshot(struct cli *cli, const char *spec)
{
	AUTO_FREE struct target *target = malloc(sizeof(*target));
	struct failure before = cli->failure;
	bool is = target &&
		  target_parse(layer_spec_path(spec), NULL, target,
			       &cli->failure) == 0 &&
		  target->snapshot[0];

	cli->failure = before;
	return is;
}

/* An image, or layers? What is missing is looked for by those who open it. */
static int take_bases(struct cli *cli, struct store_create_params *params)
{
	unsigned count = cli->counts[OPTION_BASE], i, directories = 0;
	const char *file = NULL;
	struct stat st;

	if (count > CLI_BASES_MAX)
		return failure_set(&cli->failure, FAILURE_USAGE, "--base",
				   "at most %d directories can be merged",
				   CLI_BASES_MAX);
	for (i = 0; i < count; i++) {
		if (!*cli->bases[i])
			return failure_set(&cli->failure, FAILURE_USAGE,
					   "--base", "the path is empty");
		if (stat(layer_spec_path(cli->bases[i]), &st) < 0) {
			directories += is_snapshot(cli, cli->bases[i]);
			continue;
		}
		if (S_ISDIR(st.st_mode))
			directories++;
		else
			file = cli->bases[i];
	}
	if (file && count > 1)
		return mixture(cli, file, directories > 0);
	if (directories || count > 1) {
		params->source = option_given(cli, OPTION_VOLATILE) ?
					 &layer_source_passing :
					 &layer_source;
		params->layer_paths = cli->bases;
		params->layer_count = count;
	} else if (count) {
		params->base_path = cli->bases[0];
	}
	return 0;
}

/* What only images have. */
static int check_layers(struct cli *cli)
{
	struct failure *failure = &cli->failure;

	if (option_given(cli, OPTION_SIZE)) {
		failure_set(failure, FAILURE_USAGE, "--size",
			    "a store over directories has no size");
		failure_hint(failure, "leave it out: a tree grows as far as "
				      "the file system of the store");
		return -EINVAL;
	}
	if (option_given(cli, OPTION_BASE_ID)) {
		failure_set(failure, FAILURE_USAGE, "--base-id",
			    "is for images");
		failure_hint(failure, "leave it out: each file of a directory "
				      "is checked when it is used");
		return -EINVAL;
	}
	return 0;
}

static int check_words(struct cli *cli, const struct target *target,
		       const struct store_create_params *params)
{
	const char *base_id = option_value(cli, OPTION_BASE_ID);
	struct failure *failure = &cli->failure;

	if (!option_given(cli, OPTION_BASE) &&
	    !option_given(cli, OPTION_SIZE)) {
		failure_set(failure, FAILURE_USAGE, target->text,
			    "neither a base nor a size is given");
		failure_hint(failure, "cowd create STORE --base IMAGE, --base "
				      "DIR, or --size SIZE for an empty one");
		return -EINVAL;
	}
	if (option_value(cli, OPTION_BRANCH) && target->branch[0])
		return failure_set(failure, FAILURE_USAGE, target->text,
				   "names the branch, and so does --branch");
	if (base_id && !params->full_hash && strcmp(base_id, "quick") != 0)
		return failure_set(failure, FAILURE_USAGE, base_id,
				   "--base-id is quick or full");
	return 0;
}

static int create_params(struct cli *cli, const struct target *target,
			 struct store_create_params *params)
{
	const char *size = option_value(cli, OPTION_SIZE);
	const char *compress = option_value(cli, OPTION_COMPRESS);
	const char *base_id = option_value(cli, OPTION_BASE_ID);
	struct failure *failure = &cli->failure;
	int rc;

	*params = (struct store_create_params){
		.path = target->store,
		.branch = option_value(cli, OPTION_BRANCH),
		.full_hash = base_id && strcmp(base_id, "full") == 0,
	};
	if (!params->branch)
		params->branch = name_or_null(target->branch);
	config_defaults(&params->config);
	rc = check_words(cli, target, params);
	if (rc == 0)
		rc = take_bases(cli, params);
	if (rc == 0 && params->layer_count)
		rc = check_layers(cli);
	if (rc == 0 && size)
		rc = size_parse(size, &params->size_bytes, failure);
	if (rc == 0 && size && params->size_bytes == 0)
		rc = failure_set(failure, FAILURE_USAGE, size,
				 "a size of 0 is no size");
	if (rc == 0 && compress)
		rc = config_set(&params->config, "compress", compress, failure);
	return rc;
}

static const char *const compress_modes[] = { "idle", "inline", "off" };

/* Takes the references of store, base and size; NULL base: JSON null. */
static json_t *create_json(const struct store_create_params *params,
			   json_t *store, json_t *base, const char *branch,
			   json_t *size, bool is_dry)
{
	return json_pack("{s:s, s:o, s:o?, s:{s:s, s:o}, s:i, s:s, s:s, s:b}",
			 "schema", "cowd/create/1", "store", store, "base",
			 base, "branch", "name", branch, "size_bytes", size,
			 "block_bytes", BLOCK_BYTES, "compress",
			 compress_modes[params->config.compress], "checksum",
			 "xxh3", "dry_run", is_dry);
}

static int image_json(struct cli *cli, struct store_create_params *params,
		      json_t **out_base)
{
	const struct base_fingerprint *print;
	struct base *base;
	int rc = base_open(params->base_path, false, &base, &cli->failure);

	if (rc < 0)
		return rc;
	print = base_fingerprint(base);
	if (!params->size_bytes)
		params->size_bytes = print->size_bytes;
	*out_base = json_pack(
		"{s:o, s:s, s:o, s:[]}", "path", json_text(print->path), "kind",
		print->kind == BASE_KIND_DEVICE ? "device" : "file",
		"size_bytes", json_size(print->size_bytes), "layers");
	base_close(base);
	return 0;
}

static int layers_json(struct cli *cli,
		       const struct store_create_params *params,
		       json_t **out_base)
{
	json_t *array = json_array();
	struct layer_info *list;
	size_t i;
	int rc = store_create_layers(params, &list, &cli->failure);

	if (rc < 0) {
		json_decref(array);
		return rc;
	}
	for (i = 0; i < params->layer_count; i++)
		json_array_append_new(array, layer_json(&list[i]));
	*out_base = json_pack("{s:o, s:s, s:n, s:o}", "path",
			      json_text(list[0].path), "kind", "directory",
			      "size_bytes", "layers", array);
	free(list);
	return 0;
}

/* "DIR", or "3 directories". */
static const char *base_text(const json_t *base, char *text, size_t text_bytes)
{
	size_t layers = json_array_size(json_object_get(base, "layers"));

	if (layers > 1)
		snprintf(text, text_bytes, "%zu directories", layers);
	else
		snprintf(text, text_bytes, "%s",
			 base ? json_text_at(base, "path") : "zeros");
	return text;
}

/* What can be known without making anything. */
static int create_dry(struct cli *cli, struct store_create_params *params)
{
	json_t *base = NULL, *result;
	char size[32], text[4096];
	int rc = 0;

	if (access(params->path, F_OK) == 0)
		return failure_set(&cli->failure, FAILURE_EXISTS, params->path,
				   "exists already");
	if (params->layer_count)
		rc = layers_json(cli, params, &base);
	else if (params->base_path)
		rc = image_json(cli, params, &base);
	if (rc < 0)
		return rc;
	table_size(cli, params->size_bytes, size, sizeof(size));
	base_text(base, text, sizeof(text));
	result = create_json(params,
			     json_pack("{s:o, s:n}", "path",
				       json_text(params->path), "uuid"),
			     base, params->branch ? params->branch : "main",
			     params->layer_count ?
				     json_null() :
				     json_size(params->size_bytes),
			     true);
	if (!cli_print_json(cli, result))
		cli_say(cli, "would create store %s over %s%s%s\n",
			params->path, text, params->layer_count ? "" : ", ",
			params->layer_count ? "" : size);
	json_decref(result);
	return 0;
}

static json_t *created_json(const struct store_create_params *params,
			    const json_t *status)
{
	const json_t *branch =
		json_array_get(json_object_get(status, "branches"), 0);

	return create_json(params,
			   json_incref(json_object_get(status, "store")),
			   json_incref(json_object_get(status, "base")),
			   json_text_at(branch, "name"),
			   json_incref(json_object_get(branch, "size_bytes")),
			   false);
}

static void say_created(struct cli *cli, const struct target *target,
			const json_t *made)
{
	const json_t *base = json_object_get(made, "base");
	const json_t *branch = json_object_get(made, "branch");
	bool has_size = !json_is_null(json_object_get(branch, "size_bytes"));
	char size[32], text[4096];

	table_size(cli, json_number_at(branch, "size_bytes"), size,
		   sizeof(size));
	cli_say(cli, "created store %s over %s (%s%s%s, compress %s)\n",
		target->store,
		base_text(json_is_null(base) ? NULL : base, text, sizeof(text)),
		json_is_null(base) ? "no base" : json_text_at(base, "kind"),
		has_size ? ", " : "", has_size ? size : "",
		json_text_at(made, "compress"));
	cli_say(cli, "branch %s is ready:  cowd mount %s MOUNTPOINT\n",
		json_text_at(branch, "name"), target->store);
}

int cli_create_volatile(struct cli *cli, char *path, size_t path_bytes)
{
	struct store_create_params params = { .path = path };
	int rc;

	if (!option_given(cli, OPTION_BASE)) {
		failure_set(&cli->failure, FAILURE_USAGE, "--volatile",
			    "no base is given");
		failure_hint(&cli->failure,
			     "cowd mount --volatile --base DIR MOUNTPOINT");
		return -EINVAL;
	}
	config_defaults(&params.config);
	/* What is free is memory, and somebody else's. */
	params.config.reserve_bytes = 0;
	rc = take_bases(cli, &params);
	if (rc == 0)
		rc = volatile_path(path, path_bytes, &cli->failure);
	return rc < 0 ? rc : store_create(&params, &cli->failure);
}

/* Of the branch that unionfs-fuse wrote to. */
static int import_whiteouts(struct cli *cli, const struct target *target)
{
	json_t *result;
	int rc = call_method(cli, target, "unionfs.import", json_object(),
			     &result);

	if (rc == 0)
		json_decref(result);
	return rc;
}

int cmd_create(struct cli *cli)
{
	const char *list = option_value(cli, OPTION_BRANCHES);
	AUTO_FREE char *branches = list ? strdup(list) : NULL;
	struct store_create_params params;
	json_t *status = NULL, *made;
	struct target target;
	int rc = cli_target(cli, 0, &target);

	if (rc == 0)
		rc = cli_no_snapshot(cli, &target);
	if (rc == 0)
		rc = take_branches(cli, branches);
	if (rc == 0)
		rc = create_params(cli, &target, &params);
	if (rc == 0)
		rc = cli_not_in_store(cli, target.store);
	if (rc == 0 && params.base_path)
		rc = cli_not_in_store(cli, params.base_path);
	if (rc == 0 && option_given(cli, OPTION_DRY_RUN))
		return create_dry(cli, &params);
	if (rc == 0)
		rc = store_create(&params, &cli->failure);
	if (rc < 0 && !cli->failure.object[0])
		snprintf(cli->failure.object, sizeof(cli->failure.object),
			 "%.500s", target.text);
	if (rc == 0 && branches)
		rc = import_whiteouts(cli, &target);
	if (rc == 0)
		rc = call_method(cli, &target, "status", json_object(),
				 &status);
	if (rc < 0)
		return rc;
	made = created_json(&params, status);
	json_decref(status);
	if (!cli_print_json(cli, made))
		say_created(cli, &target, made);
	json_decref(made);
	return 0;
}

/* cowd layer ... */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "json_out.h"
#include "table.h"

static const struct column layer_columns[] = {
	{ "NAME", "name", COLUMN_TEXT, true },
	{ "POSITION", "place", COLUMN_TEXT, true },
	{ "STATE", "state", COLUMN_TEXT, true },
	{ "PATH", "path", COLUMN_TEXT, true },
	{ "ID", "id", COLUMN_NUMBER, false },
	{ "BRANCHES", "branches", COLUMN_NUMBER, false },
	{ "CHANGED", "changed_files", COLUMN_NUMBER, false },
	{ "REASON", "reason", COLUMN_TEXT, false },
	{ .name = NULL },
};

/* A layer that no head sees may be needed by a snapshot. */
static void add_places(json_t *layers)
{
	json_t *layer;
	char place[16];
	size_t i;

	json_array_foreach(layers, i, layer)
	{
		snprintf(place, sizeof(place), "%u",
			 (unsigned)json_number_at(layer, "position"));
		json_object_set_new(
			layer, "place",
			json_string(
				json_number_at(layer, "position") ? place :
				json_number_at(layer, "branches") ? "-" :
								    "unused"));
	}
}

int cmd_layer_list(struct cli *cli)
{
	struct target target;
	json_t *result = NULL, *layers;
	int rc = cli_target(cli, 0, &target);

	if (rc == 0)
		rc = cli_no_snapshot(cli, &target);
	if (rc == 0)
		rc = call_method(cli, &target, "layer.list",
				 json_pack("{s:s?}", "branch",
					   name_or_null(target.branch)),
				 &result);
	if (rc < 0)
		return rc;
	layers = json_object_get(result, "layers");
	if (!cli_print_json(cli, result)) {
		add_places(layers);
		rc = table_print(cli, layer_columns, layers);
	}
	json_decref(result);
	return rc;
}

/* [TARGET] WORD: the word is the last one. */
static int target_and_word(struct cli *cli, struct target *target,
			   const char **out_word)
{
	unsigned last = cli->argument_count - 1;
	int rc;

	*out_word = cli->arguments[last];
	rc = cli_target(cli, last ? 0 : cli->argument_count, target);
	return rc < 0 ? rc : cli_no_snapshot(cli, target);
}

/* With a path that holds for the daemon too; of malloc. */
static char *absolute_spec(const char *spec)
{
	const char *path = layer_spec_path(spec);
	AUTO_FREE char *whole = *path ? cli_absolute(path) : strdup("");
	char *absolute;

	if (!whole ||
	    asprintf(&absolute, "%.*s%s", (int)(path - spec), spec, whole) < 0)
		return NULL;
	return absolute;
}

int cmd_layer_add(struct cli *cli)
{
	AUTO_FREE char *spec = NULL;
	const json_t *layer, *branch;
	struct target target;
	const char *word;
	json_t *result = NULL;
	int rc = target_and_word(cli, &target, &word);

	if (rc == 0) {
		spec = absolute_spec(word);
		rc = spec ? 0 : -ENOMEM;
	}
	if (rc == 0)
		rc = call_method(
			cli, &target, "layer.add",
			json_pack("{s:s?, s:s, s:s?, s:b}", "branch",
				  name_or_null(target.branch), "layer", spec,
				  "below", option_value(cli, OPTION_BELOW),
				  "bottom", option_given(cli, OPTION_BOTTOM)),
			&result);
	if (rc < 0)
		return rc;
	layer = json_object_get(result, "layer");
	branch = json_object_get(result, "branch");
	if (!cli_print_json(cli, result))
		cli_say(cli, "%s:%s %s the layer %s, %s, at position %u\n",
			target.store, json_string_value(branch),
			option_given(cli, OPTION_DRY_RUN) ? "would see" :
							    "sees",
			json_text_at(layer, "name"),
			json_text_at(layer, "path"),
			(unsigned)json_number_at(layer, "position"));
	json_decref(result);
	return 0;
}

int cmd_layer_remove(struct cli *cli)
{
	struct target target;
	const char *word;
	json_t *result = NULL;
	int rc = target_and_word(cli, &target, &word);

	if (rc == 0)
		rc = call_method(cli, &target, "layer.remove",
				 json_pack("{s:s?, s:s}", "branch",
					   name_or_null(target.branch), "layer",
					   word),
				 &result);
	if (rc < 0)
		return rc;
	if (!cli_print_json(cli, result))
		cli_say(cli, "%s:%s %s the layer %s no more\n", target.store,
			json_text_at(result, "branch"),
			option_given(cli, OPTION_DRY_RUN) ? "would see" :
							    "sees",
			json_text_at(json_object_get(result, "layer"), "name"));
	json_decref(result);
	return 0;
}

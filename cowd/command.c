/* The table of commands, finding one in it, and help. */
#include "command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command_options.h"
#include "nearest.h"

#define STORE "[STORE]"
#define TARGET "[STORE][:BRANCH]"
#define SNAPSHOT "[STORE][:BRANCH]@SNAPSHOT"

static const struct command commands[] = {
	{ "create", "STORE", "make a store over a base, or over zeros", 0, 1,
	  options_create, cmd_create },
	{ "mount", TARGET "[@SNAPSHOT] MOUNTPOINT",
	  "show a branch, or a snapshot read-only, as a file", 1, 2,
	  options_mount, cmd_mount },
	{ "diverge", "MOUNTPOINT", "lay plain files over a directory, by rules",
	  1, 1, cmd_diverge_options, cmd_diverge },
	{ "umount", "MOUNTPOINT|" TARGET, "end a mount, or all of a branch", 0,
	  1, options_umount, cmd_umount },
	{ "revoke", "MOUNTPOINT|" TARGET, "make what is open on it fail", 0, 1,
	  NULL, cmd_revoke },
	{ "snapshot create", TARGET "[@NAME]...",
	  "keep the present state under a name", 0, ANY_NUMBER,
	  options_snapshot_create, cmd_snapshot_create },
	{ "snapshot list", TARGET, "list snapshots", 0, 1,
	  options_snapshot_list, cmd_snapshot_list },
	{ "snapshot show", SNAPSHOT "...", "all about a snapshot", 0,
	  ANY_NUMBER, NULL, cmd_snapshot_show },
	{ "snapshot rename", SNAPSHOT " NEWNAME", "give it another name", 1, 2,
	  NULL, cmd_snapshot_rename },
	{ "snapshot delete", SNAPSHOT "[,SNAPSHOT|FROM%TO]...",
	  "move snapshots to the trash", 0, ANY_NUMBER, options_delete,
	  cmd_snapshot_delete },
	{ "snapshot hold", "TAG " SNAPSHOT "...",
	  "protect snapshots from deletion", 1, ANY_NUMBER, NULL,
	  cmd_snapshot_hold },
	{ "snapshot release", "TAG " SNAPSHOT "...", "end a hold", 1,
	  ANY_NUMBER, NULL, cmd_snapshot_release },
	{ "snapshot holds", TARGET "[@SNAPSHOT]", "list holds", 0, 1, NULL,
	  cmd_snapshot_holds },
	{ "snapshot prune", TARGET,
	  "delete automatic snapshots that no rule keeps", 0, 1, options_prune,
	  cmd_snapshot_prune },
	{ "rollback", SNAPSHOT, "continue a branch from a snapshot", 0, 1,
	  options_rollback, cmd_rollback },
	{ "undo", STORE " [OPERATION]",
	  "revert the last operation, or the given one", 0, 2, options_undo,
	  cmd_undo },
	{ "log", STORE, "list operations, newest first", 0, 1, options_log,
	  cmd_log },
	{ "clone", TARGET "[@SNAPSHOT] NEWBRANCH",
	  "make a branch from a snapshot or a head", 1, 2, NULL, cmd_clone },
	{ "branch list", STORE, "list branches", 0, 1, NULL, cmd_branch_list },
	{ "branch show", TARGET, "all about a branch", 0, 1, NULL,
	  cmd_branch_show },
	{ "branch rename", TARGET " NEWNAME", "give it another name", 1, 2,
	  NULL, cmd_branch_rename },
	{ "branch delete", "[STORE]:BRANCH...", "move branches to the trash", 0,
	  ANY_NUMBER, options_delete, cmd_branch_delete },
	{ "branch resize", TARGET " [+|-]SIZE", "the same as resize", 1, 2,
	  options_resize, cmd_resize },
	{ "resize", TARGET " [+|-]SIZE", "change the size of a branch's image",
	  1, 2, options_resize, cmd_resize },
	{ "layer list", TARGET, "list the directories below a tree", 0, 1, NULL,
	  cmd_layer_list },
	{ "layer add", TARGET " [NAME=]DIR|STORE@SNAPSHOT",
	  "let a branch see a directory", 1, 2, options_layer_add,
	  cmd_layer_add },
	{ "layer remove", TARGET " NAME",
	  "let a branch see a directory no more", 1, 2, NULL,
	  cmd_layer_remove },
	{ "status", STORE, "health; exit 3: look at it, 16: damaged", 0, 1,
	  NULL, cmd_status },
	{ "df", STORE, "what uses the space", 0, 1, NULL, cmd_df },
	{ "tree", STORE, "draw snapshots and branches", 0, 1, options_tree,
	  cmd_tree },
	{ "diff", "base|" TARGET "[@SNAPSHOT] [TARGET] [-- PATH...]",
	  "paths or extents that differ between two states", 0, ANY_NUMBER,
	  options_diff, cmd_diff },
	{ "restore", SNAPSHOT " " TARGET " -- PATH...",
	  "bring paths of a snapshot back", 0, ANY_NUMBER, options_restore,
	  cmd_restore },
	{ "commit", TARGET "[@SNAPSHOT]",
	  "write what changed into a copy of the base", 0, 1, options_commit,
	  cmd_commit },
	{ "which", "PATH...|" TARGET "[@SNAPSHOT] -- PATH...",
	  "the layer that serves a path, or the store's delta", 0, ANY_NUMBER,
	  NULL, cmd_which },
	{ "path", TARGET "[@SNAPSHOT]|MOUNTPOINT INODE...",
	  "the names that lead to an inode number", 2, ANY_NUMBER, NULL,
	  cmd_path },
	{ "lsof", "MOUNTPOINT|" TARGET, "list what is open on mounts of trees",
	  0, 1, NULL, cmd_lsof },
	{ "caps", "MOUNTPOINT|" TARGET,
	  "what the kernel offers to a mount, and what of it is used", 0, 1,
	  NULL, cmd_caps },
	{ "swap", "PATH PATH", "exchange the contents of two files of a mount",
	  2, 2, NULL, cmd_swap },
	{ "export", TARGET "[@SNAPSHOT] FILE",
	  "write a sparse image file, or a tree", 1, 2, options_export,
	  cmd_export },
	{ "gc", STORE, "empty the trash and free what nothing refers to", 0, 1,
	  options_gc, cmd_gc },
	{ "compact", STORE, "rewrite segments that are mostly dead", 0, 1,
	  options_compact, cmd_compact },
	{ "scrub start", STORE, "read all stored data and verify it", 0, 1,
	  options_scrub, cmd_scrub_start },
	{ "scrub status", STORE, "how far it is, and what is damaged", 0, 1,
	  NULL, cmd_scrub_status },
	{ "scrub pause", STORE, "stop it until it is resumed", 0, 1, NULL,
	  cmd_scrub_pause },
	{ "scrub resume", STORE, "go on where it was paused or interrupted", 0,
	  1, options_scrub, cmd_scrub_resume },
	{ "scrub cancel", STORE, "end it", 0, 1, NULL, cmd_scrub_cancel },
	{ "stats", STORE " [INTERVAL [COUNT]]",
	  "counters since the store was opened", 0, 3, options_stats,
	  cmd_stats },
	{ "config get", STORE " KEY", "print a setting", 1, 2, NULL,
	  cmd_config_get },
	{ "config set", STORE " KEY=VALUE...", "change settings", 1, ANY_NUMBER,
	  NULL, cmd_config_set },
	{ "config show", STORE, "list all settings", 0, 1, NULL,
	  cmd_config_show },
	{ "completion", "bash|zsh|fish", "print a completion script", 1, 1,
	  NULL, cmd_completion },
	{ "version", "", "print the version", 0, 0, NULL, cmd_version },
	{ "help", "[COMMAND]", "describe a command", 0, 2, options_help,
	  cmd_help },
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static const struct {
	const char *alias, *name;
} aliases[] = {
	{ "snap", "snapshot" },
	{ "ls", "list" },
	{ "rm", "delete" },
	{ "mv", "rename" },
};

const struct command *command_at(size_t index)
{
	return index < COMMAND_COUNT ? &commands[index] : NULL;
}

static const char *unalias(const char *word)
{
	size_t i;

	for (i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (strcmp(aliases[i].alias, word) == 0)
			return aliases[i].name;
	return word;
}

static const char *const groups[] = { "snapshot", "branch", "layer", "config",
				      "scrub" };

#define GROUP_COUNT (sizeof(groups) / sizeof(groups[0]))

/* All that may follow `cowd`. */
static const char *name_at(size_t index)
{
	if (index < COMMAND_COUNT)
		return commands[index].name;
	index -= COMMAND_COUNT;
	return index < GROUP_COUNT ? groups[index] : NULL;
}

static bool is_group(const char *word)
{
	size_t i;

	for (i = 0; i < GROUP_COUNT; i++)
		if (strcmp(groups[i], word) == 0)
			return true;
	return false;
}

static void hint_group(const char *group, struct failure *failure)
{
	char verbs[512] = "";
	size_t i, len_bytes = strlen(group), used = 0;

	for (i = 0; i < COMMAND_COUNT; i++) {
		const char *name = commands[i].name;

		if (strncmp(name, group, len_bytes) == 0 &&
		    name[len_bytes] == ' ' && used < sizeof(verbs))
			used += (size_t)snprintf(verbs + used,
						 sizeof(verbs) - used, "%s%s",
						 used ? ", " : "",
						 name + len_bytes + 1);
	}
	failure_hint(failure, "cowd %s takes one of: %s", group, verbs);
}

static const struct command *unknown_command(const char *group,
					     const char *word,
					     struct failure *failure)
{
	const char *nearest;
	char full[160];

	snprintf(full, sizeof(full), "%s%s%.64s", group ? group : "",
		 group ? " " : "", word);
	nearest = nearest_word(full, name_at);
	failure_set(failure, FAILURE_USAGE, full, "no such command");
	if (nearest)
		failure_hint(failure, "did you mean 'cowd %s'?", nearest);
	else if (group)
		hint_group(group, failure);
	else
		failure_hint(failure, "cowd help lists the commands");
	return NULL;
}

const struct command *command_find(char **words, unsigned word_count,
				   unsigned *out_words, struct failure *failure)
{
	const char *first, *second;
	char name[128];
	size_t i;

	if (word_count == 0) {
		failure_set(failure, FAILURE_USAGE, NULL, "no command");
		failure_hint(failure, "cowd help lists the commands");
		return NULL;
	}
	first = unalias(words[0]);
	second = word_count > 1 ? unalias(words[1]) : "";
	if (is_group(first) && !*second) {
		failure_set(failure, FAILURE_USAGE, first,
			    "this needs a second word");
		hint_group(first, failure);
		return NULL;
	}
	if (strcmp(first, "layer") == 0 && strcmp(second, "delete") == 0)
		second = "remove";
	*out_words = is_group(first) ? 2 : 1;
	snprintf(name, sizeof(name), *out_words == 2 ? "%.60s %.60s" : "%.60s",
		 first, second);
	for (i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return unknown_command(*out_words == 2 ? first : NULL,
			       *out_words == 2 ? second : first, failure);
}

static void print_options(const struct option_spec *specs,
			  const struct option_spec *hidden_by, FILE *out)
{
	for (; specs && specs->name; specs++) {
		char left[64];
		bool has_letter =
			specs->letter &&
			!options_hides_letter(hidden_by, specs->letter);

		if (!specs->help)
			continue;
		snprintf(left, sizeof(left), "%c%c%s --%s%s%s",
			 has_letter ? '-' : ' ',
			 has_letter ? specs->letter : ' ',
			 has_letter ? "," : " ", specs->name,
			 specs->argument ? " " : "",
			 specs->argument ? specs->argument : "");
		fprintf(out, "  %-28s %s\n", left, specs->help);
	}
}

void command_help(const struct command *command, FILE *out)
{
	fprintf(out, "usage: cowd %s [OPTIONS]%s%s\n\n%s.\n", command->name,
		*command->synopsis ? " " : "", command->synopsis,
		command->help);
	if (command->options && command->options[0].help) {
		fprintf(out, "\nOptions:\n");
		print_options(command->options, NULL, out);
	}
	fprintf(out, "\nOptions of every command:\n");
	print_options(options_global, command->options, out);
}

void command_help_all(FILE *out)
{
	size_t i;

	fprintf(out, "usage: cowd COMMAND [OPTIONS] [ARGUMENTS]\n\n"
		     "Copy-on-write overlays of images and directory trees, "
		     "with snapshots.\n\n"
		     "Commands:\n");
	for (i = 0; i < COMMAND_COUNT; i++)
		fprintf(out, "  %-18s %s\n", commands[i].name,
			commands[i].help);
	fprintf(out, "\nTARGET is STORE[:BRANCH][@SNAPSHOT]; SNAPSHOT may be "
		     "'latest', '~2' (the second\nnewest) or the first "
		     "digits of an id.\n\nOptions of every command:\n");
	print_options(options_global, NULL, out);
	fprintf(out, "\n'cowd COMMAND --help' describes a command, cowd(8) "
		     "all of them.\n");
}

const char *command_group(const char *word)
{
	return is_group(unalias(word)) ? unalias(word) : NULL;
}

static bool is_in(const struct command *command, const char *name)
{
	size_t len_bytes = strlen(name);

	return strncmp(command->name, name, len_bytes) == 0 &&
	       (command->name[len_bytes] == ' ' ||
		command->name[len_bytes] == '\0');
}

void command_help_group(const char *group, FILE *out)
{
	size_t i;

	fprintf(out,
		"usage: cowd %s COMMAND [OPTIONS] [ARGUMENTS]\n\n"
		"Commands:\n",
		group);
	for (i = 0; i < COMMAND_COUNT; i++)
		if (is_in(&commands[i], group))
			fprintf(out, "  %-18s %s\n", commands[i].name,
				commands[i].help);
	fprintf(out, "\n'cowd %s COMMAND --help' describes a command.\n",
		group);
}

static json_t *options_json(const struct option_spec *spec,
			    const struct option_spec *hidden_by)
{
	json_t *list = json_array();

	for (; spec && spec->name; spec++) {
		bool has_letter =
			spec->letter &&
			!options_hides_letter(hidden_by, spec->letter);

		if (spec->help) {
			json_array_append_new(
				list,
				json_pack("{s:s, s:o, s:s?, s:s}", "name",
					  spec->name, "letter",
					  has_letter ?
						  json_stringn(&spec->letter,
							       1) :
						  json_null(),
					  "argument", spec->argument, "help",
					  spec->help));
		}
	}
	return list;
}

json_t *command_json(const char *name)
{
	const struct option_spec *own = NULL;
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < COMMAND_COUNT; i++) {
		const struct command *one = &commands[i];

		if (name && !is_in(one, name))
			continue;
		own = name ? one->options : NULL;
		json_array_append_new(
			list,
			json_pack("{s:s, s:s, s:s, s:o}", "name", one->name,
				  "arguments", one->synopsis, "help", one->help,
				  "options", options_json(one->options, NULL)));
	}
	return json_pack("{s:s, s:o, s:o}", "schema", "cowd/help/1", "commands",
			 list, "global_options",
			 options_json(options_global,
				      json_array_size(list) == 1 ? own : NULL));
}

static void dump(const char *command, const struct option_spec *spec, FILE *out)
{
	for (; spec && spec->name; spec++)
		if (spec->help)
			fprintf(out, "%s\t--%s\t%s%c\t%s\n", command,
				spec->name, spec->letter ? "-" : "",
				spec->letter ? spec->letter : ' ',
				spec->argument ? spec->argument : "");
}

void command_dump_options(FILE *out)
{
	size_t i;

	dump("global", options_global, out);
	for (i = 0; i < COMMAND_COUNT; i++) {
		fprintf(out, "%s\t\t\t%s\n", commands[i].name,
			commands[i].synopsis);
		dump(commands[i].name, commands[i].options, out);
	}
}

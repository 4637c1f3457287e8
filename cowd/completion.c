/* Completion scripts for shells, made from the table of commands. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

/* Without what a shell might take for itself; help texts have little. */
static void print_quoted(FILE *out, const char *text)
{
	for (; *text; text++)
		if (*text == '\'')
			fputs("'\\''", out);
		else
			fputc(*text, out);
}

static void print_words(FILE *out, const struct option_spec *own)
{
	const struct option_spec *spec;

	for (spec = own; spec && spec->name; spec++)
		if (spec->help)
			fprintf(out, " --%s", spec->name);
	for (spec = options_global; spec->name; spec++)
		fprintf(out, " --%s", spec->name);
}

static bool is_first_of_group(size_t index)
{
	const char *name = command_at(index)->name;
	size_t len_bytes = strcspn(name, " ");

	return index == 0 ||
	       strncmp(command_at(index - 1)->name, name, len_bytes + 1) != 0;
}

static void print_first_words(FILE *out)
{
	const struct command *command;
	size_t i;

	for (i = 0; (command = command_at(i)) != NULL; i++)
		if (!strchr(command->name, ' ') || is_first_of_group(i))
			fprintf(out, "%s%.*s", i ? " " : "",
				(int)strcspn(command->name, " "),
				command->name);
}

static void print_second_words(FILE *out, const char *group)
{
	const struct command *command;
	size_t i, len_bytes = strlen(group);

	for (i = 0; (command = command_at(i)) != NULL; i++)
		if (strncmp(command->name, group, len_bytes) == 0 &&
		    command->name[len_bytes] == ' ')
			fprintf(out, " %s", command->name + len_bytes + 1);
}

static const char *const groups[] = { "snapshot", "branch", "layer", "config",
				      "scrub" };

enum { GROUP_COUNT = 5 };

/* What follows an option that takes one of a few words. */
static const struct {
	enum option_id id;
	const char *words;
} values[] = {
	{ OPTION_COMPRESS, "idle inline off" },
	{ OPTION_BASE_ID, "quick full" },
	{ OPTION_TIME, "relative iso unix" },
	{ OPTION_COLOR, "auto always never" },
	{ OPTION_FORMAT, "raw dir tar table prometheus" },
	{ OPTION_WHITEOUTS, "oci overlay" },
	{ OPTION_LEVEL, "1 2 3 4 5" },
};

static bool has_flag(const struct option_spec *spec, char letter)
{
	for (; spec && spec->name; spec++)
		if (spec->letter == letter && !spec->argument)
			return true;
	return false;
}

/* A letter that is a flag of some command, as -f, takes no word along. */
static bool is_flag(char letter)
{
	const struct command *command;
	size_t i;

	for (i = 0; (command = command_at(i)) != NULL; i++)
		if (has_flag(command->options, letter))
			return true;
	return has_flag(options_global, letter);
}

static void print_valued(FILE *out, const struct option_spec *spec)
{
	for (; spec && spec->name; spec++) {
		if (!spec->argument)
			continue;
		fprintf(out, "|--%s", spec->name);
		if (spec->letter && !is_flag(spec->letter))
			fprintf(out, "|-%c", spec->letter);
	}
}

static void print_bash_values(FILE *out, const struct option_spec *spec)
{
	size_t i;

	for (; spec && spec->name; spec++) {
		for (i = 0; i < sizeof(values) / sizeof(values[0]); i++)
			if (values[i].id == spec->id)
				fprintf(out,
					"\t--%s) _cowd_words '%s'; return "
					";;\n",
					spec->name, values[i].words);
	}
}

/*
 * What is the same whatever the table says. bash cuts words at ':' and '@',
 * unless the user took those out of COMP_WORDBREAKS; an answer replaces only
 * what follows ':', but the '@' as well.
 */
static const char bash_head[] =
	"_cowd_words() {\n"
	"\tmapfile -t COMPREPLY < <(compgen -W \"$1\" -- \"$cur\")\n"
	"}\n"
	"_cowd_names() {\n"
	"\tlocal name tail=${word##*[:@]} part=${COMP_WORDS[COMP_CWORD]}\n"
	"\tpart=${part%\"$tail\"}\n"
	"\t[[ $part != : ]] || part=\n"
	"\t[[ $word != *@* || $COMP_WORDBREAKS != *@* ]] || part=@\n"
	"\twhile IFS= read -r name; do\n"
	"\t\t[[ $name != \"$tail\"* ]] || COMPREPLY+=(\"$part$name\")\n"
	"\tdone < <(command cowd \"$@\" -H -o NAME 2>/dev/null)\n"
	"}\n"
	"_cowd() {\n"
	"\tlocal line=${COMP_LINE:0:COMP_POINT} word cur words=() w skip=\n"
	"\tlocal previous=\n"
	"\tword=${line##*[[:blank:]]} cur=$word COMPREPLY=()\n"
	"\tread -ra line <<<\"${line%\"$word\"}\"\n"
	"\tfor w in \"${line[@]:1}\"; do\n"
	"\t\tprevious=$w\n"
	"\t\tif [[ $skip ]]; then\n\t\t\tskip=\n\t\t\tcontinue\n\t\tfi\n"
	"\t\tcase $w in\n";

static const char bash_words[] =
	"\t\t-*) ;;\n\t\tls) words+=(list) ;;\n"
	"\t\trm) words+=(delete) ;;\n\t\tmv) words+=(rename) ;;\n"
	"\t\tsnap) words+=(snapshot) ;;\n"
	"\t\t*) words+=(\"$w\") ;;\n\t\tesac\n\tdone\n"
	"\tlocal name=${words[0]:-} options= count=${#words[@]}\n"
	"\tcase $previous in\n";

static const char bash_tail[] =
	"\tesac\n"
	"\tcase $word in\n"
	"\t-*) _cowd_words \"$options\" ;;\n"
	"\t*@*) _cowd_names snapshot list \"${word%%@*}\" ;;\n"
	"\t*:*) _cowd_names branch list \"${word%%:*}\" ;;\n"
	"\t*)\n\t\tcompopt -o filenames\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\") ;;\n"
	"\tesac\n}\ncomplete -F _cowd cowd\n";

static void print_bash(FILE *out)
{
	const struct command *command;
	size_t i;

	fprintf(out,
		"# bash completion of cowd, by 'cowd completion bash'\n%s"
		"\t\t-s",
		bash_head);
	print_valued(out, options_global);
	for (i = 0; (command = command_at(i)) != NULL; i++)
		print_valued(out, command->options);
	fprintf(out, ") skip=yes ;;\n%s", bash_words);
	print_bash_values(out, options_global);
	for (i = 0; (command = command_at(i)) != NULL; i++)
		print_bash_values(out, command->options);
	fprintf(out, "\tesac\n"
		     "\tif ((count == 0)) && [[ $cur != -* ]]; then\n"
		     "\t\t_cowd_words '");
	print_first_words(out);
	fprintf(out, "'\n\t\treturn\n\tfi\n\tcase $name in\n");
	for (i = 0; i < GROUP_COUNT; i++) {
		fprintf(out,
			"\t%s)\n\t\tif ((count == 1)) && "
			"[[ $cur != -* ]]; then\n\t\t\t_cowd_words '",
			groups[i]);
		print_second_words(out, groups[i]);
		fprintf(out, "'\n\t\t\treturn\n\t\tfi\n"
			     "\t\tname+=\" ${words[1]:-}\" ;;\n");
	}
	fprintf(out, "\tcompletion) _cowd_words 'bash zsh fish'; return ;;\n"
		     "\thelp) _cowd_words '");
	print_first_words(out);
	fprintf(out, "'; return ;;\n\tesac\n\tcase $name in\n");
	for (i = 0; (command = command_at(i)) != NULL; i++) {
		fprintf(out, "\t'%s') options='", command->name);
		print_words(out, command->options);
		fprintf(out, "' ;;\n");
	}
	fprintf(out, "\t*) options='");
	print_words(out, NULL);
	fprintf(out, "' ;;\n%s", bash_tail);
}

static void print_zsh_options(FILE *out, const struct option_spec *spec)
{
	for (; spec && spec->name; spec++) {
		const char *c = spec->help;

		if (!c)
			continue;
		fprintf(out, " \\\n\t\t\t'--%s%s[", spec->name,
			spec->argument ? "=" : "");
		for (; *c; c++) {
			fprintf(out, "%s",
				*c == '\'' ? "'\\''" :
				*c == '['  ? "\\[" :
				*c == ']'  ? "\\]" :
				*c == ':'  ? "\\:" :
					     (char[]){ *c, '\0' });
		}
		fprintf(out, "]%s%s%s'", spec->argument ? ":" : "",
			spec->argument ? spec->argument : "",
			spec->argument ? ":" : "");
	}
}

static void print_zsh(FILE *out)
{
	const struct command *command;
	size_t i;

	fprintf(out, "#compdef cowd\n# made by 'cowd completion zsh'\n"
		     "_cowd() {\n\tlocal name=$words[2]\n"
		     "\tif ((CURRENT == 2)); then\n\t\tcompadd -- ");
	print_first_words(out);
	fprintf(out, "\n\t\treturn\n\tfi\n\tcase $name in\n");
	for (i = 0; i < GROUP_COUNT; i++) {
		fprintf(out,
			"\t%s%s)\n\t\tif ((CURRENT == 3)); then\n"
			"\t\t\tcompadd --",
			groups[i], i == 0 ? "|snap" : "");
		print_second_words(out, groups[i]);
		fprintf(out,
			"\n\t\t\treturn\n\t\tfi\n"
			"\t\tname=\"%s $words[3]\"\n\t\tshift 1 words\n"
			"\t\t((CURRENT--)) ;;\n",
			groups[i]);
	}
	fprintf(out, "\tesac\n\tshift 1 words\n\t((CURRENT--))\n"
		     "\tcase $name in\n");
	for (i = 0; (command = command_at(i)) != NULL; i++) {
		fprintf(out, "\t'%s')\n\t\t_arguments", command->name);
		print_zsh_options(out, command->options);
		print_zsh_options(out, options_global);
		fprintf(out, " \\\n\t\t\t'*:file:_files' ;;\n");
	}
	fprintf(out, "\tesac\n}\n_cowd \"$@\"\n");
}

static void print_fish_options(FILE *out, const struct option_spec *spec,
			       const struct option_spec *hidden_by,
			       const char *condition)
{
	for (; spec && spec->name; spec++) {
		if (!spec->help)
			continue;
		fprintf(out, "complete -c cowd%s -l %s", condition, spec->name);
		if (spec->letter &&
		    !options_hides_letter(hidden_by, spec->letter))
			fprintf(out, " -s %c", spec->letter);
		fprintf(out, "%s -d '", spec->argument ? " -r" : "");
		print_quoted(out, spec->help);
		fprintf(out, "'\n");
	}
}

static void print_fish(FILE *out)
{
	const struct command *command;
	char condition[160];
	size_t i;

	fprintf(out,
		"# fish completion of cowd, made by 'cowd completion fish'\n");
	for (i = 0; i < GROUP_COUNT; i++)
		fprintf(out,
			"complete -c cowd -n __fish_use_subcommand -f -a %s\n",
			groups[i]);
	for (i = 0; (command = command_at(i)) != NULL; i++) {
		const char *space = strchr(command->name, ' ');
		int group_len = (int)strcspn(command->name, " ");

		if (space) {
			fprintf(out,
				"complete -c cowd -n "
				"'__fish_seen_subcommand_from %.*s' -f -a %s "
				"-d '",
				group_len, command->name, space + 1);
		} else {
			fprintf(out,
				"complete -c cowd -n __fish_use_subcommand -f "
				"-a %s -d '",
				command->name);
		}
		print_quoted(out, command->help);
		fprintf(out, "'\n");
		snprintf(condition, sizeof(condition),
			 " -n '__fish_seen_subcommand_from %.*s%s%s'",
			 group_len, command->name,
			 space ? "; and __fish_seen_subcommand_from " : "",
			 space ? space + 1 : "");
		print_fish_options(out, command->options, NULL, condition);
	}
	print_fish_options(out, options_global, NULL, "");
}

static int print_script(struct cli *cli, const char *shell, FILE *out)
{
	if (strcmp(shell, "bash") == 0)
		print_bash(out);
	else if (strcmp(shell, "zsh") == 0)
		print_zsh(out);
	else if (strcmp(shell, "fish") == 0)
		print_fish(out);
	else
		return failure_set(&cli->failure, FAILURE_USAGE, shell,
				   "completion is for bash, zsh or fish");
	return 0;
}

int cmd_completion(struct cli *cli)
{
	const char *shell = cli->arguments[0];
	AUTO_FREE char *script = NULL;
	size_t len_bytes = 0;
	json_t *json;
	FILE *out;
	int rc;

	if (!cli_is_json(cli))
		return print_script(cli, shell, stdout);
	out = open_memstream(&script, &len_bytes);
	if (!out)
		return -errno;
	rc = print_script(cli, shell, out);
	if (fclose(out) != 0 && rc == 0)
		rc = -errno;
	if (rc < 0)
		return rc;
	json = json_pack("{s:s, s:s, s:s}", "schema", "cowd/completion/1",
			 "shell", shell, "script", script);
	cli_print_json(cli, json);
	json_decref(json);
	return 0;
}

/* Completion scripts for shells, made from the table of commands. */
#include <errno.h>
#include <string.h>

#include "command.h"

/* Without what a shell might take for itself; help texts have little. */
static void print_quoted(const char *text)
{
	for (; *text; text++)
		if (*text == '\'')
			fputs("'\\''", stdout);
		else
			fputc(*text, stdout);
}

static void print_words(const struct option_spec *own)
{
	const struct option_spec *spec;

	for (spec = own; spec && spec->name; spec++)
		if (spec->help)
			printf(" --%s", spec->name);
	for (spec = options_global; spec->name; spec++)
		printf(" --%s", spec->name);
}

static bool is_first_of_group(size_t index)
{
	const char *name = command_at(index)->name;
	size_t len_bytes = strcspn(name, " ");

	return index == 0 ||
	       strncmp(command_at(index - 1)->name, name, len_bytes + 1) != 0;
}

static void print_first_words(void)
{
	const struct command *command;
	size_t i;

	for (i = 0; (command = command_at(i)) != NULL; i++)
		if (!strchr(command->name, ' ') || is_first_of_group(i))
			printf("%s%.*s", i ? " " : "",
			       (int)strcspn(command->name, " "), command->name);
}

static void print_second_words(const char *group)
{
	const struct command *command;
	size_t i, len_bytes = strlen(group);

	for (i = 0; (command = command_at(i)) != NULL; i++)
		if (strncmp(command->name, group, len_bytes) == 0 &&
		    command->name[len_bytes] == ' ')
			printf(" %s", command->name + len_bytes + 1);
}

static const char *const groups[] = { "snapshot", "branch", "config" };

enum { GROUP_COUNT = 3 };

static void print_bash(void)
{
	const struct command *command;
	size_t i;

	printf("# bash completion of cowd, made by 'cowd completion bash'\n"
	       "_cowd() {\n"
	       "\tlocal cur=${COMP_WORDS[COMP_CWORD]} words=() w\n"
	       "\tfor w in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
	       "\t\t[[ $w == -* ]] || words+=(\"$w\")\n"
	       "\tdone\n"
	       "\tlocal name=\"${words[0]}\" options=\n"
	       "\tcase $name in\n\tsnap) name=snapshot ;;\n\tesac\n"
	       "\tif ((${#words[@]} == 0)) && [[ $cur != -* ]]; then\n"
	       "\t\tmapfile -t COMPREPLY < <(compgen -W '");
	print_first_words();
	printf("' -- \"$cur\")\n\t\treturn\n\tfi\n\tcase $name in\n");
	for (i = 0; i < GROUP_COUNT; i++) {
		printf("\t%s)\n\t\tif ((${#words[@]} == 1)) && "
		       "[[ $cur != -* ]]; then\n"
		       "\t\t\tmapfile -t COMPREPLY < <(compgen -W '",
		       groups[i]);
		print_second_words(groups[i]);
		printf("' -- \"$cur\")\n\t\t\treturn\n\t\tfi\n"
		       "\t\tname+=\" ${words[1]}\" ;;\n");
	}
	printf("\tesac\n\tcase $name in\n");
	for (i = 0; (command = command_at(i)) != NULL; i++) {
		printf("\t'%s') options='", command->name);
		print_words(command->options);
		printf("' ;;\n");
	}
	printf("\tesac\n\tif [[ $cur == -* ]]; then\n"
	       "\t\tmapfile -t COMPREPLY < <(compgen -W \"$options\" -- "
	       "\"$cur\")\n"
	       "\telse\n\t\tcompopt -o filenames\n"
	       "\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
	       "\tfi\n}\ncomplete -F _cowd cowd\n");
}

static void print_zsh_options(const struct option_spec *spec)
{
	for (; spec && spec->name; spec++) {
		const char *c = spec->help;

		if (!c)
			continue;
		printf(" \\\n\t\t\t'--%s%s[", spec->name,
		       spec->argument ? "=" : "");
		for (; *c; c++)
			printf("%s", *c == '\'' ? "'\\''" :
				     *c == '['	? "\\[" :
				     *c == ']'	? "\\]" :
				     *c == ':'	? "\\:" :
						  (char[]){ *c, '\0' });
		printf("]%s%s%s'", spec->argument ? ":" : "",
		       spec->argument ? spec->argument : "",
		       spec->argument ? ":" : "");
	}
}

static void print_zsh(void)
{
	const struct command *command;
	size_t i;

	printf("#compdef cowd\n# made by 'cowd completion zsh'\n"
	       "_cowd() {\n\tlocal name=$words[2]\n"
	       "\tif ((CURRENT == 2)); then\n\t\tcompadd -- ");
	print_first_words();
	printf("\n\t\treturn\n\tfi\n\tcase $name in\n");
	for (i = 0; i < GROUP_COUNT; i++) {
		printf("\t%s%s)\n\t\tif ((CURRENT == 3)); then\n"
		       "\t\t\tcompadd --",
		       groups[i], i == 0 ? "|snap" : "");
		print_second_words(groups[i]);
		printf("\n\t\t\treturn\n\t\tfi\n"
		       "\t\tname=\"%s $words[3]\"\n\t\tshift 1 words\n"
		       "\t\t((CURRENT--)) ;;\n",
		       groups[i]);
	}
	printf("\tesac\n\tshift 1 words\n\t((CURRENT--))\n"
	       "\tcase $name in\n");
	for (i = 0; (command = command_at(i)) != NULL; i++) {
		printf("\t'%s')\n\t\t_arguments", command->name);
		print_zsh_options(command->options);
		print_zsh_options(options_global);
		printf(" \\\n\t\t\t'*:file:_files' ;;\n");
	}
	printf("\tesac\n}\n_cowd \"$@\"\n");
}

static void print_fish_options(const struct option_spec *spec,
			       const struct option_spec *hidden_by,
			       const char *condition)
{
	for (; spec && spec->name; spec++) {
		if (!spec->help)
			continue;
		printf("complete -c cowd%s -l %s", condition, spec->name);
		if (spec->letter &&
		    !options_hides_letter(hidden_by, spec->letter))
			printf(" -s %c", spec->letter);
		printf("%s -d '", spec->argument ? " -r" : "");
		print_quoted(spec->help);
		printf("'\n");
	}
}

static void print_fish(void)
{
	const struct command *command;
	char condition[160];
	size_t i;

	printf("# fish completion of cowd, made by 'cowd completion fish'\n");
	for (i = 0; i < GROUP_COUNT; i++)
		printf("complete -c cowd -n __fish_use_subcommand -f -a %s\n",
		       groups[i]);
	for (i = 0; (command = command_at(i)) != NULL; i++) {
		const char *space = strchr(command->name, ' ');
		int group_len = (int)strcspn(command->name, " ");

		if (space)
			printf("complete -c cowd -n "
			       "'__fish_seen_subcommand_from %.*s' -f -a %s "
			       "-d '",
			       group_len, command->name, space + 1);
		else
			printf("complete -c cowd -n __fish_use_subcommand -f "
			       "-a %s -d '",
			       command->name);
		print_quoted(command->help);
		printf("'\n");
		snprintf(condition, sizeof(condition),
			 " -n '__fish_seen_subcommand_from %.*s%s%s'",
			 group_len, command->name,
			 space ? "; and __fish_seen_subcommand_from " : "",
			 space ? space + 1 : "");
		print_fish_options(command->options, NULL, condition);
	}
	print_fish_options(options_global, NULL, "");
}

int cmd_completion(struct cli *cli)
{
	const char *shell = cli->arguments[0];

	if (strcmp(shell, "bash") == 0)
		print_bash();
	else if (strcmp(shell, "zsh") == 0)
		print_zsh();
	else if (strcmp(shell, "fish") == 0)
		print_fish();
	else
		return failure_set(&cli->failure, FAILURE_USAGE, shell,
				   "completion is for bash, zsh or fish");
	return 0;
}

/*
 * The global options, and getopt_long driven by the tables. A letter that a
 * command uses for itself (mount -o, -f) hides the global one, whose long
 * name stays.
 */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <string.h>

#include "command.h"
#include "nearest.h"

const struct option_spec options_global[] = {
	{ OPTION_STORE, 's', "store", "PATH",
	  "store of a TARGET that names none (default: $COWD_STORE, ./.cowd)" },
	{ OPTION_JSON, 0, "json", NULL,
	  "one JSON document on stdout, errors as JSON on stderr" },
	{ OPTION_JSON_LINES, 0, "json-lines", NULL,
	  "as --json, one object per line" },
	{ OPTION_OUTPUT, 'o', "output", "COLUMNS",
	  "columns of a table, NAME,...; +NAME adds one" },
	{ OPTION_NO_HEADING, 'H', "no-heading", NULL,
	  "no heading, columns separated by tabs" },
	{ OPTION_BYTES, 'b', "bytes", NULL, "exact bytes" },
	{ OPTION_SORT, 0, "sort", "COLUMN",
	  "sort a table by a column; -COLUMN descends" },
	{ OPTION_TIME, 0, "time", "STYLE", "relative, iso or unix" },
	{ OPTION_COLOR, 0, "color", "WHEN", "auto, always or never" },
	{ OPTION_DRY_RUN, 'n', "dry-run", NULL,
	  "say what would happen, change nothing" },
	{ OPTION_YES, 'y', "yes", NULL, "do not ask" },
	{ OPTION_FORCE, 'f', "force", NULL, "override a refusal that says so" },
	{ OPTION_QUIET, 'q', "quiet", NULL, "print errors only" },
	{ OPTION_VERBOSE, 'v', "verbose", NULL, "say more; may be repeated" },
	{ OPTION_HELP, 'h', "help", NULL, "describe the command" },
	{ OPTION_VERSION, 'V', "version", NULL, "print the version" },
	{ .name = NULL },
};

enum { OPTIONS_MAX = 64, CODE_FIRST = 256 };

struct getopt_tables {
	struct option longs[OPTIONS_MAX];
	const struct option_spec *specs[OPTIONS_MAX];
	char letters[3 * OPTIONS_MAX];
	size_t count, letter_count;
};

bool options_hides_letter(const struct option_spec *own, char letter)
{
	for (; own && own->name; own++)
		if (own->letter == letter)
			return true;
	return false;
}

static bool has_name(const struct option_spec *own, const char *name)
{
	for (; own && own->name; own++)
		if (strcmp(own->name, name) == 0)
			return true;
	return false;
}

static void add(struct getopt_tables *tables, const struct option_spec *spec,
		bool with_letter)
{
	size_t i = tables->count;

	if (i + 1 >= OPTIONS_MAX)
		return;
	tables->specs[i] = spec;
	tables->longs[i] = (struct option){
		.name = spec->name,
		.has_arg = spec->argument ? required_argument : no_argument,
		.val = CODE_FIRST + (int)i,
	};
	tables->count = i + 1;
	if (!with_letter)
		return;
	tables->letters[tables->letter_count++] = spec->letter;
	if (spec->argument)
		tables->letters[tables->letter_count++] = ':';
}

static const struct option_spec *spec_of(const struct getopt_tables *tables,
					 int code)
{
	size_t i;

	if (code >= CODE_FIRST)
		return tables->specs[code - CODE_FIRST];
	for (i = 0; i < tables->count; i++) {
		const struct option_spec *spec = tables->specs[i];

		if (spec->letter == code)
			return spec; /* a command's own come first */
	}
	return NULL;
}

/* For nearest_word, which takes a plain function. */
static const struct getopt_tables *nearest_tables;

static const char *long_name(size_t index)
{
	return index < nearest_tables->count ?
		       nearest_tables->specs[index]->name :
		       NULL;
}

static int unknown(struct cli *cli, const struct getopt_tables *tables,
		   const char *word, int code)
{
	const char *command = cli->command ? cli->command->name : "";
	const char *nearest = NULL;
	char name[128];

	if (code == ':')
		failure_set(&cli->failure, FAILURE_USAGE, word,
			    "this option needs an argument");
	else if (strncmp(word, "--", 2) != 0)
		failure_set(&cli->failure, FAILURE_USAGE, NULL,
			    "unknown option -%c", optopt);
	else
		failure_set(&cli->failure, FAILURE_USAGE, word,
			    strchr(word, '=') ?
				    "unknown option, or one without argument" :
				    "unknown or ambiguous option");
	if (code == '?' && strncmp(word, "--", 2) == 0) {
		size_t len_bytes = strcspn(word + 2, "=");

		if (len_bytes < sizeof(name)) {
			memcpy(name, word + 2, len_bytes);
			name[len_bytes] = '\0';
			nearest_tables = tables;
			nearest = nearest_word(name, long_name);
		}
	}
	if (code == '?' && optopt >= '0' && optopt <= '9')
		failure_hint(&cli->failure,
			     "what begins with '-' and is no option goes "
			     "after --, as in: cowd resize STORE -- -1G");
	else if (nearest)
		failure_hint(&cli->failure, "did you mean --%s?", nearest);
	else
		failure_hint(&cli->failure, "cowd %s%s--help", command,
			     *command ? " " : "");
	return -EINVAL;
}

int options_parse(struct cli *cli, const struct option_spec *own, int argc,
		  char **argv, bool permute, int *out_first)
{
	struct getopt_tables tables = { .count = 0 };
	const struct option_spec *spec;
	int code;

	tables.letters[tables.letter_count++] = permute ? ':' : '+';
	if (!permute)
		tables.letters[tables.letter_count++] = ':';
	for (spec = own; spec && spec->name; spec++)
		add(&tables, spec, spec->letter != 0);
	for (spec = options_global; spec->name; spec++)
		if (!has_name(own, spec->name))
			add(&tables, spec,
			    spec->letter &&
				    !options_hides_letter(own, spec->letter));
	optind = 0;
	opterr = 0;
	for (;;) {
		int at = optind ? optind : 1;

		code = getopt_long(argc, argv, tables.letters, tables.longs,
				   NULL);
		if (code == -1)
			break;
		if (code == '?' || code == ':')
			return unknown(cli, &tables,
				       argv[optind > at ? optind - 1 : at],
				       code);
		spec = spec_of(&tables, code);
		if (spec->id == OPTION_BASE &&
		    cli->counts[OPTION_BASE] < CLI_BASES_MAX)
			cli->bases[cli->counts[OPTION_BASE]] = optarg;
		if (spec->id == OPTION_BIND &&
		    cli->counts[OPTION_BIND] < CLI_BASES_MAX)
			cli->binds[cli->counts[OPTION_BIND]] = optarg;
		cli->counts[spec->id]++;
		if (spec->argument)
			cli->values[spec->id] = optarg;
	}
	*out_first = optind;
	return 0;
}

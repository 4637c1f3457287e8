/* The command cowd-fsck: its options, its questions, its signals. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <jansson.h>
#include <libgen.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fsck.h"

static volatile sig_atomic_t stopped, asked_for_progress;

static void on_signal(int number)
{
	if (number == SIGUSR1)
		asked_for_progress = 1;
	else
		stopped = 1;
}

static void set_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal,
				    .sa_flags = SA_RESTART };

	sigaction(SIGUSR1, &action, NULL);
	action.sa_flags = 0;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static const char usage[] =
	"Usage: cowd-fsck [OPTION...] STORE\n"
	"Checks a store that is not in use, and repairs it.\n"
	"\n"
	"  -n, --dry-run            change nothing, say what would be changed\n"
	"                           (the default without a terminal)\n"
	"  -p, -a                   repair what loses nothing\n"
	"  -y, --yes                repair all that can be repaired\n"
	"  -f, --force              look at everything, called as fsck.cowd, too\n"
	"      --check PARTS        index, chunks, base or all, with commas\n"
	"      --undo-file FILE     save there what is changed, as it was\n"
	"      --undo FILE          put back what is in it, and end\n"
	"      --heal-from PATH     may have copies of what is damaged: an image,\n"
	"                           an archive, a tree, another store\n"
	"      --rebuild-index[=segments]\n"
	"                           make the index anew, of index.bak and the log,\n"
	"                           or of the segments alone\n"
	"      --json               one JSON document\n"
	"  -v, --verbose            every problem, and every change\n"
	"  -q, --quiet              only what is wrong\n"
	"  -C FD                    progress for fsck(8); 0: on the terminal\n"
	"      --list-problems      the problems that are known\n"
	"  -h, --help   -V, --version\n";

enum long_option {
	OPTION_CHECK = 256,
	OPTION_JSON,
	OPTION_LIST,
	OPTION_HEAL,
	OPTION_REBUILD,
	OPTION_UNDO_FILE,
	OPTION_UNDO
};

static const struct option options_known[] = {
	{ "dry-run", no_argument, NULL, 'n' },
	{ "yes", no_argument, NULL, 'y' },
	{ "force", no_argument, NULL, 'f' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ "check", required_argument, NULL, OPTION_CHECK },
	{ "heal-from", required_argument, NULL, OPTION_HEAL },
	{ "rebuild-index", optional_argument, NULL, OPTION_REBUILD },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "undo-file", required_argument, NULL, OPTION_UNDO_FILE },
	{ "undo", required_argument, NULL, OPTION_UNDO },
	{ "list-problems", no_argument, NULL, OPTION_LIST },
	{ NULL, 0, NULL, 0 },
};

struct arguments {
	struct fsck_options fsck;
	bool mode_given, force, quiet;
	long progress_fd; /* -1: not given */
	bool done;	  /* --help and the like */
	const char *undo_file, *undo;
	FILE *undo_from;
};

static int wrong(const char *what, const char *value)
{
	fprintf(stderr, "cowd-fsck: %s%s%s\n  hint: cowd-fsck --help\n", what,
		value ? ": " : "", value ? value : "");
	return FSCK_EXIT_USAGE;
}

static int set_mode(struct arguments *arguments, enum fsck_mode mode)
{
	if (arguments->mode_given && arguments->fsck.mode != mode)
		return wrong("only one of -n, -p and -y can be", NULL);
	arguments->mode_given = true;
	arguments->fsck.mode = mode;
	return 0;
}

static int set_parts(struct arguments *arguments, char *text)
{
	static const struct {
		const char *name;
		unsigned parts;
	} known[] = {
		{ "index", FSCK_PART_INDEX },
		{ "chunks", FSCK_PART_INDEX | FSCK_PART_CHUNKS },
		{ "base", FSCK_PART_BASE },
		{ "all", FSCK_PART_ALL },
	};
	char *word, *rest = text;

	while ((word = strsep(&rest, ","))) {
		unsigned parts = 0;
		size_t i;

		for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			if (strcmp(known[i].name, word) == 0)
				parts = known[i].parts;
		if (!parts)
			return wrong("there is no such part", word);
		arguments->fsck.parts |= parts;
	}
	return 0;
}

static int set_progress(struct arguments *arguments, const char *text)
{
	char *end;

	errno = 0;
	arguments->progress_fd = strtol(text, &end, 10);
	if (errno || end == text || *end || arguments->progress_fd < 0 ||
	    arguments->progress_fd > 1 << 20)
		return wrong("-C wants the number of a descriptor", text);
	return 0;
}

static int add_source(struct arguments *arguments, const char *path)
{
	struct fsck_options *fsck = &arguments->fsck;

	if (fsck->heal_count == FSCK_HEAL_MAX)
		return wrong("--heal-from is given too often", NULL);
	/* Not noticed otherwise unless something is damaged. */
	if (access(path, R_OK) < 0)
		return wrong("--heal-from can't be read", path);
	fsck->heal_from[fsck->heal_count++] = path;
	return 0;
}

static int set_rebuild(struct arguments *arguments, const char *text)
{
	if (text && strcmp(text, "segments") != 0)
		return wrong("the index can be rebuilt of 'segments' alone",
			     text);
	arguments->fsck.rebuild = text ? FSCK_REBUILD_SEGMENTS :
					 FSCK_REBUILD_INDEX;
	return 0;
}

static int take_option(struct arguments *arguments, int option)
{
	switch (option) {
	case 'n':
		return set_mode(arguments, FSCK_MODE_NO);
	case 'a':
	case 'p':
		return set_mode(arguments, FSCK_MODE_SAFE);
	case 'y':
		return set_mode(arguments, FSCK_MODE_YES);
	case 'f':
		arguments->force = true;
		return 0;
	case 'v':
		arguments->fsck.verbose = true;
		return 0;
	case 'q':
	case 'T':
	case 'M':
		arguments->quiet |= option == 'q';
		return 0;
	case 'C':
		return set_progress(arguments, optarg);
	case OPTION_CHECK:
		return set_parts(arguments, optarg);
	case OPTION_HEAL:
		return add_source(arguments, optarg);
	case OPTION_REBUILD:
		return set_rebuild(arguments, optarg);
	case OPTION_JSON:
		arguments->fsck.json = true;
		return 0;
	case OPTION_UNDO_FILE:
		arguments->undo_file = optarg;
		return 0;
	case OPTION_UNDO:
		arguments->undo = optarg;
		return 0;
	case OPTION_LIST:
		fsck_print_problems(stdout);
		arguments->done = true;
		return 0;
	case 'h':
		fputs(usage, stdout);
		arguments->done = true;
		return 0;
	case 'V':
		printf("cowd-fsck %s\n", COWD_VERSION);
		arguments->done = true;
		return 0;
	default:
		return wrong("there is no such option, or it lacks its value",
			     NULL);
	}
}

static int parse(struct arguments *arguments, int argc, char **argv)
{
	int option, rc = 0;

	opterr = 0;
	while (rc == 0 && !arguments->done &&
	       (option = getopt_long(argc, argv, "napyfvqhVTMC:", options_known,
				     NULL)) != -1)
		rc = take_option(arguments, option);
	if (rc || arguments->done)
		return rc;
	if (optind + 1 != argc)
		return wrong(optind < argc ? "one store at a time" :
					     "which store?",
			     NULL);
	arguments->fsck.path = argv[optind];
	return 0;
}

static bool ask(void *context, const char *question)
{
	bool *all = context;
	char line[64];

	if (*all)
		return true;
	printf("      %s? [y]es, [n]o, [a]ll: ", question);
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin)) {
		stopped = 1;
		return false;
	}
	*all = line[0] == 'a' || line[0] == 'A';
	return *all || line[0] == 'y' || line[0] == 'Y';
}

/* Root acts as whom the store belongs to: what is in it can't use root. */
static int become_owner(const char *path)
{
	struct stat st;

	if (geteuid() != 0 || stat(path, &st) < 0 || st.st_uid == 0)
		return 0;
	if (setgroups(0, NULL) < 0 ||
	    setresgid(st.st_gid, st.st_gid, st.st_gid) < 0 ||
	    setresuid(st.st_uid, st.st_uid, st.st_uid) < 0) {
		fprintf(stderr, "cowd-fsck: can't become uid %u: %s\n",
			(unsigned)st.st_uid, strerror(errno));
		return FSCK_EXIT_FAILED;
	}
	return 0;
}

static void set_modes(struct arguments *arguments, const char *name, bool *all)
{
	struct fsck_options *fsck = &arguments->fsck;
	bool terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);

	if (!arguments->mode_given && terminal && !fsck->json)
		fsck->mode = FSCK_MODE_ASK;
	/* At boot a store is only looked at as far as a mount would. */
	fsck->quick = strcmp(name, "fsck.cowd") == 0 &&
		      fsck->mode == FSCK_MODE_SAFE && !arguments->force;
	fsck->ask = ask;
	fsck->context = all;
	fsck->stop = &stopped;
	fsck->tell = &asked_for_progress;
	fsck->out = stdout;
	if (arguments->progress_fd > 0)
		fsck->progress_pipe = fdopen((int)arguments->progress_fd, "w");
	else if (isatty(STDERR_FILENO) && !arguments->quiet)
		fsck->progress = stderr;
}

/* As docs/json.md has it for every command. */
static void tell_failure_json(const struct arguments *arguments,
			      const struct fsck_result *result)
{
	json_t *error = json_pack("{s:s, s:s, s:i, s:s, s:s*, s:s}", "schema",
				  "cowd/error/1", "code", "failed", "exit",
				  result->exit_code, "message", result->message,
				  "hint", result->hint[0] ? result->hint : NULL,
				  "object", arguments->fsck.path);

	if (error)
		json_dumpf(error, stderr, JSON_ENSURE_ASCII);
	fputc('\n', stderr);
	json_decref(error);
}

static void tell_failure(const struct arguments *arguments,
			 const struct fsck_result *result)
{
	if (!result->message[0])
		return;
	if (arguments->fsck.json) {
		tell_failure_json(arguments, result);
		return;
	}
	fprintf(stderr, "cowd-fsck: %s: %s\n", arguments->fsck.path,
		result->message);
	if (result->hint[0])
		fprintf(stderr, "  hint: %s\n", result->hint);
}

static void tell_undone(const struct arguments *arguments,
			const struct fsck_result *result)
{
	if (arguments->fsck.json && result->exit_code == 0)
		printf("{\"schema\": \"%s\", \"restored\": %llu}\n",
		       "cowd/fsck-undo/1",
		       (unsigned long long)result->fixed_count);
}

static int open_failed(const char *path)
{
	fprintf(stderr, "cowd-fsck: %s: %s\n", path, strerror(errno));
	return FSCK_EXIT_FAILED;
}

/* A new file, outside of the store, and by whoever called us. */
static int open_undo_file(struct arguments *arguments)
{
	char *copy = strdup(arguments->undo_file);
	struct stat store, folder;
	int fd;

	if (!copy || stat(dirname(copy), &folder) < 0) {
		free(copy);
		return open_failed(arguments->undo_file);
	}
	free(copy);
	if (stat(arguments->fsck.path, &store) == 0 &&
	    store.st_dev == folder.st_dev && store.st_ino == folder.st_ino)
		return wrong("the undo file can't be in the store",
			     arguments->undo_file);
	fd = open(arguments->undo_file,
		  O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return open_failed(arguments->undo_file);
	arguments->fsck.undo_file = fdopen(fd, "w+");
	return 0;
}

static int open_files(struct arguments *arguments)
{
	if (arguments->undo && arguments->undo_file)
		return wrong("--undo makes no undo file", NULL);
	if (arguments->undo) {
		arguments->undo_from = fopen(arguments->undo, "re");
		if (!arguments->undo_from)
			return open_failed(arguments->undo);
	}
	return arguments->undo_file ? open_undo_file(arguments) : 0;
}

/* What nothing was written to is no undo file. */
static void close_undo_file(const struct arguments *arguments)
{
	FILE *file = arguments->fsck.undo_file;
	struct stat st;

	if (file && fstat(fileno(file), &st) == 0 && st.st_size == 0)
		(void)unlink(arguments->undo_file);
	if (file)
		fclose(file);
}

int main(int argc, char **argv)
{
	struct arguments arguments = { .progress_fd = -1 };
	struct rlimit no_core = { 0, 0 };
	struct fsck_result result = { 0 };
	bool all = false;
	int rc;

	setlocale(LC_ALL, "");
	rc = parse(&arguments, argc, argv);
	if (rc || arguments.done)
		return rc;
	setrlimit(RLIMIT_CORE, &no_core);
	set_modes(&arguments, basename(argv[0]), &all);
	rc = open_files(&arguments);
	if (rc == 0)
		rc = become_owner(arguments.fsck.path);
	if (rc)
		return rc;
	set_signals();
	if (arguments.undo_from)
		rc = fsck_undo(&arguments.fsck, arguments.undo_from, &result);
	else
		rc = fsck_run(&arguments.fsck, &result);
	close_undo_file(&arguments);
	tell_failure(&arguments, &result);
	if (arguments.undo_from)
		tell_undone(&arguments, &result);
	if (fflush(stdout) != 0 || ferror(stdout))
		rc |= FSCK_EXIT_FAILED;
	return rc;
}

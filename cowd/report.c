/* How a command that failed says so. */
#include "command.h"
#include "json_out.h"

/* Words of the user reach the terminal without its control codes. */
static void print_clean(const char *text, FILE *out)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		fputc(c < ' ' || c == 127 ? '?' : c, out);
	}
}

int cli_report(const struct cli *cli)
{
	const struct failure *failure = &cli->failure;
	int code = failure_exit_code(failure->code);

	fflush(stdout);
	if (cli_is_json(cli)) {
		json_print_failure(failure, stderr);
	} else {
		fputs("cowd: ", stderr);
		if (failure->object[0]) {
			print_clean(failure->object, stderr);
			fputs(": ", stderr);
		}
		print_clean(failure->message, stderr);
		if (failure->hint[0]) {
			fputs("\n  hint: ", stderr);
			print_clean(failure->hint, stderr);
		}
		fputc('\n', stderr);
	}
	if (failure->code == FAILURE_INTERRUPTED && cli_interrupted)
		code = 128 + cli_interrupted;
	return code ? code : failure_exit_code(FAILURE_FAILED);
}

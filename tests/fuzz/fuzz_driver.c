/*
 * Plays a fuzz target without libFuzzer, so that every build and every compiler
 * can: each input of the corpus, then mutations of these by chance.
 *
 *   fuzz_NAME [--runs N] [--seconds N] [--seed N] [FILE | LIST.hex]...
 *
 * A list has one input to a line, as hex; '#' begins a comment.
 *
 * An input that makes the target stop (a failed FUZZ_ASSERT, a sanitizer, a
 * hang) is written to the standard error as a line of such a list.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fuzz_assert.h"
#include "fuzz_mutate.h"

enum {
	INPUT_BYTES_MAX = 16384,
	INPUTS_MAX = 1024,
	HANG_S = 60,
	EXTREMES = 11,
};

/* What a target may have, and the sanitizers. */
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);
__attribute__((weak)) void __sanitizer_set_death_callback(void (*)(void));

struct input {
	size_t len_bytes;
	uint8_t *bytes;
};

static struct input corpus[INPUTS_MAX];
static size_t corpus_count;
static const uint8_t *current;
static size_t current_bytes;
static uint64_t random_state = UINT64_C(0x9e3779b97f4a7c15);

static uint64_t chance(uint64_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % limit;
}

/* Only what a handler of signals may call. */
static void tell_input(void)
{
	static const char digits[] = "0123456789abcdef";
	static char line[2 * INPUT_BYTES_MAX + 1];
	size_t i, used = 0;

	if (!current)
		return;
	(void)!write(STDERR_FILENO, "input:\n", 7);
	for (i = 0; i < current_bytes; i++) {
		line[used++] = digits[current[i] >> 4];
		line[used++] = digits[current[i] & 15];
	}
	line[used++] = '\n';
	(void)!write(STDERR_FILENO, line, used);
	current = NULL;
}

static void on_signal(int signal_nr)
{
	static const char hang[] = "fuzz: this input takes for ever\n";

	if (signal_nr == SIGALRM)
		(void)!write(STDERR_FILENO, hang, sizeof(hang) - 1);
	tell_input();
	signal(signal_nr == SIGALRM ? SIGABRT : signal_nr, SIG_DFL);
	raise(signal_nr == SIGALRM ? SIGABRT : signal_nr);
}

static void run(const uint8_t *bytes, size_t len_bytes)
{
	/* In memory of its own size: a sanitizer sees who reads behind it. */
	uint8_t *copy = malloc(len_bytes ? len_bytes : 1);

	FUZZ_ASSERT(copy);
	memcpy(copy, bytes, len_bytes);
	current = bytes;
	current_bytes = len_bytes;
	alarm(HANG_S);
	LLVMFuzzerTestOneInput(copy, len_bytes);
	alarm(0);
	current = NULL;
	free(copy);
}

static void keep(const uint8_t *bytes, size_t len_bytes)
{
	struct input *input = &corpus[corpus_count];

	if (corpus_count == INPUTS_MAX)
		return;
	input->bytes = malloc(len_bytes ? len_bytes : 1);
	FUZZ_ASSERT(input->bytes);
	memcpy(input->bytes, bytes, len_bytes);
	input->len_bytes = len_bytes;
	corpus_count++;
}

static void take_file(const char *path)
{
	static uint8_t bytes[INPUT_BYTES_MAX];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, bytes, sizeof(bytes));

	if (n < 0)
		fprintf(stderr, "fuzz: %s: %s\n", path, strerror(errno));
	else
		keep(bytes, (size_t)n);
	if (fd >= 0)
		close(fd);
}

static void take_line(const char *line)
{
	static uint8_t bytes[INPUT_BYTES_MAX];
	size_t n = 0;

	while (n < sizeof(bytes) && sscanf(line, "%2hhx", &bytes[n]) == 1) {
		line += 2;
		n++;
	}
	keep(bytes, n);
}

static void take(const char *path)
{
	const char *dot = strrchr(path, '.');
	bool is_list = dot && strcmp(dot, ".hex") == 0;
	FILE *list = is_list ? fopen(path, "r") : NULL;
	char *line = NULL;
	size_t capacity = 0;

	if (!list) {
		take_file(path);
		return;
	}
	while (getline(&line, &capacity, list) > 0)
		if (*line != '#')
			take_line(line);
	free(line);
	fclose(list);
}

/* One small change, as libFuzzer's name it. */
static size_t change(uint8_t *bytes, size_t len_bytes, size_t max_bytes)
{
	static const uint64_t extremes[EXTREMES] = {
		0,	    1,	       127,	   255,
		0x7fff,	    0xffff,    0x7fffffff, 0x80000000,
		UINT32_MAX, INT64_MAX, UINT64_MAX
	};
	size_t at = len_bytes ? chance(len_bytes) : 0, n, i;
	uint64_t value;

	switch (chance(7)) {
	case 0: /* a byte more, or several alike */
		n = 1 + chance(chance(8) ? 4 : 64);
		if (len_bytes + n > max_bytes)
			return len_bytes;
		memmove(bytes + at + n, bytes + at, len_bytes - at);
		for (i = 0; i < n; i++)
			bytes[at + i] = (uint8_t)chance(256);
		return len_bytes + n;
	case 1:
		n = 1 + chance(chance(8) ? 4 : 64);
		if (n > len_bytes - at)
			return len_bytes;
		memmove(bytes + at, bytes + at + n, len_bytes - at - n);
		return len_bytes - n;
	case 2: /* a number at its end */
		value = extremes[chance(EXTREMES)];
		n = (size_t)1 << chance(4);
		if (n <= len_bytes - at)
			memcpy(bytes + at, &value, n);
		return len_bytes;
	case 3: /* of elsewhere in it */
		n = 1 + chance(16);
		i = len_bytes ? chance(len_bytes) : 0;
		if (n <= len_bytes - at && n <= len_bytes - i)
			memmove(bytes + at, bytes + i, n);
		return len_bytes;
	case 4:
		if (len_bytes)
			bytes[at] = (uint8_t)(bytes[at] + chance(5) - 2);
		return len_bytes;
	case 5:
		if (len_bytes)
			bytes[at] = (uint8_t)chance(256);
		return len_bytes;
	default:
		if (len_bytes)
			bytes[at] ^= (uint8_t)(1U << chance(8));
		return len_bytes;
	}
}

size_t LLVMFuzzerMutate(uint8_t *data, size_t len_bytes, size_t max_bytes)
{
	unsigned count = 1 + (unsigned)chance(4);

	while (count-- > 0)
		len_bytes = change(data, len_bytes, max_bytes);
	return len_bytes;
}

static void run_mutation(void)
{
	static uint8_t bytes[INPUT_BYTES_MAX];
	const struct input *input = &corpus[chance(corpus_count)];
	size_t len_bytes = input->len_bytes;
	unsigned count = 1 + (unsigned)chance(3);

	memcpy(bytes, input->bytes, len_bytes);
	while (count-- > 0)
		len_bytes = LLVMFuzzerCustomMutator ?
				    LLVMFuzzerCustomMutator(
					    bytes, len_bytes, sizeof(bytes),
					    (unsigned)chance(UINT32_MAX)) :
				    LLVMFuzzerMutate(bytes, len_bytes,
						     sizeof(bytes));
	run(bytes, len_bytes);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static void handle_signals(void)
{
	static const int all[] = { SIGABRT, SIGALRM, SIGSEGV, SIGBUS, SIGFPE };
	size_t i;

	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(tell_input);
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!__sanitizer_set_death_callback || all[i] == SIGALRM ||
		    all[i] == SIGABRT)
			signal(all[i], on_signal);
}

int main(int argc, char **argv)
{
	uint64_t runs = 0, seconds = 1000000, seed = 1, done = 0;
	int64_t begin_ms;
	size_t i;
	int word;

	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	handle_signals();
	for (word = 1; word < argc; word++) {
		if (strcmp(argv[word], "--runs") == 0 && word + 1 < argc)
			runs = strtoull(argv[++word], NULL, 10);
		else if (strcmp(argv[word], "--seconds") == 0 &&
			 word + 1 < argc)
			seconds = strtoull(argv[++word], NULL, 10);
		else if (strcmp(argv[word], "--seed") == 0 && word + 1 < argc)
			seed = strtoull(argv[++word], NULL, 10);
		else
			take(argv[word]);
	}
	for (i = 0; i < corpus_count; i++)
		run(corpus[i].bytes, corpus[i].len_bytes);
	keep((const uint8_t *)"", 0);
	random_state ^= seed * UINT64_C(0xbf58476d1ce4e5b9);
	begin_ms = now_ms();
	while (done < runs && now_ms() - begin_ms < (int64_t)(seconds * 1000)) {
		run_mutation();
		done++;
	}
	printf("%zu inputs, %" PRIu64 " mutations\n", corpus_count - 1, done);
	for (i = 0; i < corpus_count; i++)
		free(corpus[i].bytes);
	return 0;
}

/*
 * tree_places base DIR       makes what is the base's, before there is a store
 * tree_places delta MOUNT    makes and changes what is the delta's
 * tree_places run MOUNT [SNAPSHOT]   the rows; SNAPSHOT was taken after delta
 * tree_places list           the table
 *
 * Each row runs in a process and a directory of its own, once in each place:
 * what is in base only, in the delta only, in both, and all three of them in a
 * snapshot. On a plain file system all places are alike, and SNAPSHOT is a
 * read-only bind mount of a copy.
 */
#include "tree_places.h"

#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { BROKEN = 255, SECONDS_MOST = 30, DELTA_AT = 5000, DELTA_BYTES = 100 };

static const struct row *const tables[] = { places_open_rows, places_data_rows,
					    places_name_rows,
					    places_attr_rows };
static const char *const place_names[] = { "base", "delta", "both" };
static enum place place;
static bool is_changed; /* the kit is in both */

enum place place_now(void)
{
	return place;
}

int broken(const char *file, int line, const char *condition)
{
	printf("    %s:%d: not so: %s (%m)\n", strrchr(file, '/') + 1, line,
	       condition);
	fflush(stdout);
	return BROKEN;
}

unsigned char kit_byte(size_t at)
{
	if (is_changed && at >= DELTA_AT && at < DELTA_AT + DELTA_BYTES)
		return 'D';
	return (unsigned char)('a' + at % 23);
}

bool kit_is(const char *name)
{
	unsigned char data[KIT_BYTES + 1];
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, data, sizeof(data));
	ssize_t i;

	if (fd >= 0)
		close(fd);
	if (got != KIT_BYTES)
		return false;
	for (i = 0; i < got; i++)
		if (data[i] != kit_byte((size_t)i))
			return false;
	return true;
}

struct stat stat_of(const char *path)
{
	struct stat st;

	memset(&st, 0, sizeof(st));
	if (lstat(path, &st))
		st.st_mode = 0;
	return st;
}

bool exists(const char *path)
{
	return stat_of(path).st_mode != 0;
}

void become_other(void)
{
	if (setgroups(0, NULL) || setgid(KIT_USER) || setuid(KIT_USER))
		abort();
}

bool write_file(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	size_t bytes = strlen(text);
	bool done = fd >= 0 && write(fd, text, bytes) == (ssize_t)bytes;

	return fd >= 0 && close(fd) == 0 && done;
}

bool text_is(const char *name, const char *text)
{
	char data[4096] = "";
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, data, sizeof(data) - 1);

	if (fd >= 0)
		close(fd);
	return got == (ssize_t)strlen(text) && !strcmp(data, text);
}

static void must(bool done, const char *what)
{
	if (done)
		return;
	printf("can't make %s: %m\n", what);
	exit(2);
}

static void make_file(void)
{
	unsigned char data[KIT_BYTES];
	int fd = open("file", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	size_t i;

	for (i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)('a' + i % 23);
	must(fd >= 0 && write(fd, data, sizeof(data)) == KIT_BYTES, "file");
	must(!fsetxattr(fd, "user.x", "one", 3, 0), "an xattr");
	must(!close(fd) && !link("file", "hard"), "hard");
}

static void make_socket(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX,
				       .sun_path = "socket" };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(fd >= 0 && !bind(fd, (struct sockaddr *)&address, sizeof(address)),
	     "socket");
	close(fd);
}

static void make_kit(void)
{
	const struct timespec times[2] = { { KIT_TIME, 5 },
					   { KIT_TIME, 123456789 } };
	static const char *const old[] = { "file", "empty", "link", "fifo",
					   "full" };
	size_t i;

	make_file();
	must(write_file("other", "two") && !chmod("other", 04755), "other");
	must(write_file("secret", "three") && !chmod("secret", 0600), "secret");
	must(write_file("run", "#!/bin/sh\nexit 7\n") && !chmod("run", 0755),
	     "run");
	must(!mkdir("empty", 0755) && !mkdir("full", 0755) &&
		     !mkdir("full/deep", 0755) && !mkdir("full/deep/er", 0755),
	     "directories");
	must(write_file("full/file", "four") &&
		     write_file("full/deep/file", "five"),
	     "files");
	must(!mkdir("bits", 0755) && !chmod("bits", 01777), "bits");
	must(!mkdir("group", 0755) && !chown("group", 0, KIT_USER) &&
		     !chmod("group", 02775),
	     "group");
	must(!symlink("file", "link") && !symlink("nothing", "dangling") &&
		     !symlink("loop", "loop") && !symlink("full", "todir"),
	     "links");
	must(!mkfifo("fifo", 0644), "fifo");
	must(!mknod("null", S_IFCHR | 0666, makedev(1, 3)), "null");
	make_socket();
	for (i = 0; i < sizeof(old) / sizeof(old[0]); i++)
		must(!utimensat(AT_FDCWD, old[i], times, AT_SYMLINK_NOFOLLOW),
		     "times");
}

/* Everything gets a delta, and looks as before: but for some bytes. */
static void change_kit(void)
{
	static const char *const all[] = {
		"file",	 "other", "secret", "run",   "empty",	 "full/file",
		"full",	 "bits",  "group",  "link",  "dangling", "loop",
		"todir", "fifo",  "null",   "socket"
	};
	char data[DELTA_BYTES];
	struct stat st;
	int fd = open("file", O_WRONLY | O_CLOEXEC);
	size_t i;

	memset(data, 'D', sizeof(data));
	must(fd >= 0 && pwrite(fd, data, sizeof(data), DELTA_AT) == DELTA_BYTES,
	     "a change");
	close(fd);
	must(write_file("empty/new", "") && !unlink("empty/new"), "a file");
	must(write_file("full/new", "") && !unlink("full/new"), "a file");
	must(!unlink("full/deep/file") && write_file("full/deep/file", "five"),
	     "a file instead of base's");
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct timespec times[2];

		st = stat_of(all[i]);
		times[0] = st.st_atim;
		times[1] = st.st_mtim;
		if (!strcmp(all[i], "file"))
			times[1] = (struct timespec){ KIT_TIME, 123456789 };
		must(!lchown(all[i], 1, 1) &&
			     !lchown(all[i], st.st_uid, st.st_gid) &&
			     (S_ISLNK(st.st_mode) ||
			      !chmod(all[i], st.st_mode & 07777)) &&
			     !utimensat(AT_FDCWD, all[i], times,
					AT_SYMLINK_NOFOLLOW),
		     all[i]);
	}
}

static void enter(const char *root, size_t part, size_t row, bool create)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", root, place_names[part]);
	must(!create || !mkdir(path, 0755) || errno == EEXIST, path);
	snprintf(path, sizeof(path), "%s/%s/%zu", root, place_names[part], row);
	must(!create || !mkdir(path, 0755), path);
	must(!chdir(path), path);
}

static const struct row *row_at(size_t nr)
{
	size_t i;

	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		const struct row *row;

		for (row = tables[i]; row->name; row++)
			if (nr-- == 0)
				return row;
	}
	return NULL;
}

static bool is_right(int got, int want, int live)
{
	/* In a snapshot what is wrong anyway may be told first. */
	return got == want || want == ANY_RESULT ||
	       (place == PLACE_SNAPSHOT && want == EROFS && live &&
		got == live);
}

static const char *text_of(int error)
{
	return error == BROKEN ? "broken" :
	       error == 0      ? "ok" :
				 strerrorname_np(error);
}

/* One cell of the table. */
static bool run_cell(const char *root, size_t part, size_t nr, bool listed)
{
	const struct row *row = row_at(nr);
	int want = row->expected[place];
	int status = 0;
	int got;
	pid_t pid;

	fflush(stdout);
	is_changed = part == PLACE_BOTH;
	pid = fork();
	if (pid == 0) {
		alarm(SECONDS_MOST);
		enter(root, part, nr, false);
		umask(022);
		exit(row->act());
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return false;
	got = WIFEXITED(status) ? WEXITSTATUS(status) : BROKEN;
	if (WIFSIGNALED(status))
		printf("    signal %d\n", WTERMSIG(status));
	if (is_right(got, want, row->expected[PLACE_BASE]) && !listed)
		return true;
	printf("%s: %s (%zu), %s%s: %s, want %s\n",
	       is_right(got, want, row->expected[PLACE_BASE]) ? "ok" : "WRONG",
	       row->name, nr, place == PLACE_SNAPSHOT ? "snapshot of " : "",
	       place_names[part], text_of(got),
	       want == ANY_RESULT ? "any" : text_of(want));
	return is_right(got, want, row->expected[PLACE_BASE]);
}

static int run(const char *root, const char *snapshot, const char *only)
{
	size_t wrong = 0;
	size_t cells = 0;
	size_t part;
	size_t nr;

	for (nr = 0; row_at(nr); nr++) {
		if (only && strcmp(row_at(nr)->name, only) != 0)
			continue;
		for (part = 0; part < PLACE_SNAPSHOT; part++, cells++) {
			place = (enum place)part;
			wrong += !run_cell(root, part, nr, only != NULL);
		}
		place = PLACE_SNAPSHOT;
		for (part = 0; snapshot && part < PLACE_SNAPSHOT;
		     part++, cells++)
			wrong += !run_cell(snapshot, part, nr, only != NULL);
	}
	printf("%zu operations, %zu cells, %zu wrong\n", nr, cells, wrong);
	return wrong ? 1 : 0;
}

static void prepare(const char *root, size_t part, bool changes)
{
	size_t nr;

	for (nr = 0; row_at(nr); nr++) {
		enter(root, part, nr, !changes);
		if (changes)
			change_kit();
		else
			make_kit();
	}
}

static int list(void)
{
	size_t nr;
	size_t i;

	for (nr = 0; row_at(nr); nr++) {
		printf("%-40s", row_at(nr)->name);
		for (i = 0; i < PLACE_COUNT; i++) {
			int want = row_at(nr)->expected[i];

			printf(" %s",
			       want == ANY_RESULT ? "any" : text_of(want));
		}
		printf("\n");
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!strcmp(verb, "list"))
		return list();
	if (geteuid() != 0) {
		printf("skipped: needs root\n");
		return 77;
	}
	umask(022);
	if (!strcmp(verb, "base") && argc == 3) {
		prepare(argv[2], PLACE_BASE, false);
		prepare(argv[2], PLACE_BOTH, false);
		return 0;
	}
	if (!strcmp(verb, "delta") && argc == 3) {
		prepare(argv[2], PLACE_DELTA, false);
		prepare(argv[2], PLACE_BOTH, true);
		return 0;
	}
	if (!strcmp(verb, "run") && argc >= 3 && argc <= 5)
		return run(argv[2], argc > 3 && *argv[3] ? argv[3] : NULL,
			   argc > 4 ? argv[4] : NULL);
	fprintf(stderr, "tree_places base DIR | delta MOUNT | list\n"
			"tree_places run MOUNT [SNAPSHOT [ROW]]\n");
	return 2;
}

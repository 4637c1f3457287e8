/* tree_posix: several processes at once; what is atomic for each of them. */
#include "tree_posix.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern int renameat2(int from_dir, const char *from, int to_dir, const char *to,
		     unsigned flags);

enum { PROCESSES = 4, ROUNDS = 100, TURNS = 300 };

/* What all of them see. */
struct shared {
	int ready;
	int done;
	int count;
};
static struct shared *shared;

static void begin_race(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	IS(shared != MAP_FAILED);
}

static void meet(int round)
{
	__atomic_add_fetch(&shared->ready, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&shared->ready, __ATOMIC_SEQ_CST) <
	       (round + 1) * PROCESSES)
		usleep(50);
}

/* Runs it PROCESSES times at once, each with its number: all exit with 0. */
static void race(int (*run)(int nr))
{
	char text[20];
	int nr, status;

	fflush(stdout);
	for (nr = 0; nr < PROCESSES; nr++) {
		pid_t pid = fork();

		if (pid == 0) {
			alarm(50);
			_exit(run(nr));
		}
		IS(pid > 0);
	}
	for (nr = 0; nr < PROCESSES; nr++) {
		IS(wait(&status) > 0 && WIFEXITED(status));
		errno = 0;
		snprintf(text, sizeof(text), "exit %d", WEXITSTATUS(status));
		look(WEXITSTATUS(status) == 0, text, __FILE__, __LINE__);
	}
}

static int wins(int way, int nr, const char *name)
{
	char own[20];
	int fd;

	snprintf(own, sizeof(own), "own%d", nr);
	switch (way % 5) {
	case 0:
		fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0644);
		return fd >= 0 ? close(fd) == 0 : -(errno != EEXIST);
	case 1:
		return mkdir(name, 0755) == 0 ? 1 : -(errno != EEXIST);
	case 2:
		return symlink(own, name) == 0 ? 1 : -(errno != EEXIST);
	case 3:
		return link(own, name) == 0 ? 1 : -(errno != EEXIST);
	default:
		return renameat2(AT_FDCWD, own, AT_FDCWD, name,
				 RENAME_NOREPLACE) == 0 ?
			       1 :
			       -(errno != EEXIST);
	}
}

static int try_to_win(int nr)
{
	char name[20], own[20];
	int round, won, fd;

	snprintf(own, sizeof(own), "own%d", nr);
	for (round = 0; round < ROUNDS; round++) {
		fd = open(own, O_CREAT | O_WRONLY, 0644);
		close(fd);
		snprintf(name, sizeof(name), "name%d", round);
		meet(round);
		won = wins(round, nr, name);
		if (won < 0)
			return 1;
		__atomic_add_fetch(&shared->count, won, __ATOMIC_SEQ_CST);
	}
	return 0;
}

static void one_makes_it(void)
{
	begin_race();
	race(try_to_win);
	IS(shared->count == ROUNDS);
}

static int take_away(int nr)
{
	char name[20];
	int round;

	(void)nr;
	for (round = 0; round < ROUNDS; round++) {
		snprintf(name, sizeof(name), "name%d", round);
		meet(round);
		if ((round % 2 ? rmdir(name) : unlink(name)) == 0)
			__atomic_add_fetch(&shared->count, 1, __ATOMIC_SEQ_CST);
		else if (errno != ENOENT)
			return 1;
	}
	return 0;
}

static void one_takes_it_away(void)
{
	char name[20];
	int round;

	for (round = 0; round < ROUNDS; round++) {
		snprintf(name, sizeof(name), "name%d", round);
		if (round % 2)
			WORKS(mkdir(name, 0755));
		else
			touch(name, 0644);
	}
	begin_race();
	race(take_away);
	IS(shared->count == ROUNDS);
}

/* 0, or in what way it is not. */
static int check_whole(const char *name)
{
	char data[5000];
	int fd = open(name, O_RDONLY);
	ssize_t got, i;

	if (fd < 0)
		return errno;
	got = read(fd, data, sizeof(data));
	close(fd);
	if (got != 4000)
		return got < 0 ? 11 : got == 0 ? 12 : 13;
	for (i = 1; i < got; i++)
		if (data[i] != data[0])
			return 14;
	return 0;
}

static int replace_or_read(int nr)
{
	char data[4000], own[20];
	int turn, fd;

	snprintf(own, sizeof(own), "own%d", nr);
	for (turn = 0; turn < TURNS; turn++) {
		if (nr % 2) {
			int rc = check_whole("name");

			if (rc)
				return rc;
			continue;
		}
		memset(data, 'a' + turn % 26, sizeof(data));
		fd = open(own, O_CREAT | O_WRONLY | O_TRUNC, 0644);
		if (write(fd, data, sizeof(data)) != sizeof(data))
			return 2;
		close(fd);
		if (rename(own, "name"))
			return 3;
	}
	return 0;
}

/* A reader finds the old or the new one, never none, never a part. */
static void rename_is_atomic(void)
{
	char data[4001];

	memset(data, 'x', sizeof(data));
	data[4000] = '\0';
	close(make("name", 0644, data));
	begin_race();
	race(replace_or_read);
	IS(at("name").st_nlink == 1);
}

static int exchange_or_look(int nr)
{
	struct stat a, b;
	int turn;

	for (turn = 0; turn < TURNS; turn++) {
		if (nr == 0) {
			if (renameat2(AT_FDCWD, "a", AT_FDCWD, "b",
				      RENAME_EXCHANGE))
				return 1;
			continue;
		}
		if (lstat("a", &a) || lstat("b", &b))
			return 2;
		if (!S_ISREG(a.st_mode) && !S_ISDIR(a.st_mode))
			return 3;
	}
	return 0;
}

static void exchange_is_atomic(void)
{
	touch("a", 0644);
	WORKS(mkdir("b", 0755));
	begin_race();
	race(exchange_or_look);
	IS(S_ISREG(at("a").st_mode) != S_ISREG(at("b").st_mode));
}

static int fill_or_remove(int nr)
{
	int turn;

	for (turn = 0; turn < TURNS; turn++) {
		if (nr % 2) {
			int fd = open("dir/file", O_CREAT | O_WRONLY, 0644);

			if (fd < 0 && errno != ENOENT)
				return 1;
			if (fd >= 0)
				close(fd);
			if (unlink("dir/file") && errno != ENOENT)
				return 2;
		} else {
			if (rmdir("dir") && errno != ENOENT &&
			    errno != ENOTEMPTY)
				return 3;
			if (mkdir("dir", 0755) && errno != EEXIST)
				return 4;
		}
	}
	return 0;
}

static void directories_come_and_go(void)
{
	nlink_t links = at(".").st_nlink;

	begin_race();
	race(fill_or_remove);
	unlink("dir/file");
	rmdir("dir");
	IS(at("dir").st_mode == 0 && at(".").st_nlink == links);
}

static int move_around(int nr)
{
	char from[20], to[20];
	int turn;

	for (turn = 0; turn < TURNS; turn++) {
		snprintf(from, sizeof(from), "%c/x%d", 'a' + turn % 3, nr);
		snprintf(to, sizeof(to), "%c/x%d", 'a' + (turn + 1) % 3, nr);
		if (rename(from, to))
			return 1;
		/* The directories themselves move, too. */
		if (nr == 0 && turn % 10 == 0 &&
		    (rename("a/sub", "b/sub") || rename("b/sub", "a/sub")))
			return 2;
		if (lstat(to, &(struct stat){ 0 }))
			return 3;
	}
	return 0;
}

static void moves_between_directories(void)
{
	char name[20];
	int nr;

	WORKS(mkdir("a", 0755));
	WORKS(mkdir("b", 0755));
	WORKS(mkdir("c", 0755));
	WORKS(mkdir("a/sub", 0755));
	for (nr = 0; nr < PROCESSES; nr++) {
		snprintf(name, sizeof(name), "a/x%d", nr);
		if (nr % 2)
			WORKS(mkdir(name, 0755));
		else
			touch(name, 0644);
	}
	begin_race();
	race(move_around);
	IS(at("a").st_nlink == 2 + 1 + PROCESSES / 2);
	IS(at("b").st_nlink == 2 && at("c").st_nlink == 2);
}

static int link_and_unlink(int nr)
{
	char name[20];
	int turn;

	for (turn = 0; turn < TURNS; turn++) {
		snprintf(name, sizeof(name), "l%d", nr);
		if (link("file", name))
			return 1;
		if (turn < TURNS - 1 && unlink(name))
			return 2;
	}
	return 0;
}

static void links_add_up(void)
{
	close(make("file", 0644, "text"));
	begin_race();
	race(link_and_unlink);
	IS(at("file").st_nlink == 1 + PROCESSES);
	IS(holds("l2", "text"));
}

static int count_up(int nr)
{
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open("file", O_RDWR);
	int turn, value;

	for (turn = 0; turn < TURNS; turn++) {
		all.l_type = F_WRLCK;
		if (nr % 2 ? fcntl(fd, F_SETLKW, &all) :
			     fcntl(fd, F_OFD_SETLKW, &all))
			return 1;
		if (pread(fd, &value, sizeof(value), 0) != sizeof(value))
			return 2;
		value++;
		if (pwrite(fd, &value, sizeof(value), 0) != sizeof(value))
			return 3;
		all.l_type = F_UNLCK;
		if (nr % 2 ? fcntl(fd, F_SETLK, &all) :
			     fcntl(fd, F_OFD_SETLK, &all))
			return 4;
	}
	return 0;
}

static void locks_keep_apart(void)
{
	int value = 0;
	int fd = make("file", 0644, "");

	IS(pwrite(fd, &value, sizeof(value), 0) == sizeof(value));
	begin_race();
	race(count_up);
	IS(pread(fd, &value, sizeof(value), 0) == sizeof(value));
	IS(value == PROCESSES * TURNS);
	close(fd);
}

static int write_own_part(int nr)
{
	int fd = open("file", O_RDWR);
	int *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	int turn;

	if (map == MAP_FAILED)
		return 1;
	for (turn = 0; turn < TURNS; turn++) {
		__atomic_add_fetch(&map[0], 1, __ATOMIC_SEQ_CST);
		map[1 + nr] = turn;
		if (pwrite(fd, &turn, sizeof(turn), 512 + 4L * nr) !=
		    sizeof(turn))
			return 2;
		if (turn % 50 == 0 &&
		    (nr % 2 ? fsync(fd) : msync(map, 4096, MS_SYNC)))
			return 3;
	}
	return 0;
}

/* Parts of one block, by mapping and by calls, with write-back in between. */
static void parts_of_one_block(void)
{
	int data[1024];
	int fd = make("file", 0644, "");
	int nr;

	WORKS(ftruncate(fd, 4096));
	begin_race();
	race(write_own_part);
	IS(pread(fd, data, 4096, 0) == 4096);
	IS(data[0] == PROCESSES * TURNS);
	for (nr = 0; nr < PROCESSES; nr++) {
		IS(data[1 + nr] == TURNS - 1);
		IS(data[128 + nr] == TURNS - 1);
	}
	close(fd);
}

const struct check posix_race_checks[] = {
	{ "one makes it", one_makes_it },
	{ "one takes it away", one_takes_it_away },
	{ "rename is atomic", rename_is_atomic },
	{ "exchange is atomic", exchange_is_atomic },
	{ "directories come and go", directories_come_and_go },
	{ "moves between directories", moves_between_directories },
	{ "links add up", links_add_up },
	{ "locks keep apart", locks_keep_apart },
	{ "parts of one block", parts_of_one_block },
	{ 0 },
};

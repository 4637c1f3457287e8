/* tree_posix: locks of records and of files, and leases. */
#include "tree_posix.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

static int lock(int fd, int command, short type, off_t start, off_t length)
{
	struct flock lock = { .l_type = type,
			      .l_whence = SEEK_SET,
			      .l_start = start,
			      .l_len = length };

	return fcntl(fd, command, &lock);
}

/* Who holds what would be in the way of a lock for writing; F_UNLCK: nobody. */
static struct flock in_the_way(int fd, off_t start, off_t length)
{
	struct flock lock = { .l_type = F_WRLCK,
			      .l_whence = SEEK_SET,
			      .l_start = start,
			      .l_len = length };

	IS(fcntl(fd, F_GETLK, &lock) == 0);
	return lock;
}

static void child_sees_locks(void)
{
	int fd = open("file", O_RDWR);
	struct flock found = in_the_way(fd, 0, 0);

	IS(found.l_type == F_WRLCK && found.l_start == 10);
	IS(found.l_len == 10 && found.l_pid == getppid());
	FAILS(EAGAIN, lock(fd, F_SETLK, F_WRLCK, 15, 1));
	FAILS(EAGAIN, lock(fd, F_SETLK, F_RDLCK, 0, 0));
	WORKS(lock(fd, F_SETLK, F_RDLCK, 30, 5));
	FAILS(EAGAIN, lock(fd, F_SETLK, F_WRLCK, 30, 5));
	WORKS(lock(fd, F_SETLK, F_WRLCK, 20, 10));
	WORKS(lock(fd, F_SETLK, F_WRLCK, 0, 10));
}

static void child_sees_none(void)
{
	int fd = open("file", O_RDWR);

	IS(in_the_way(fd, 0, 0).l_type == F_UNLCK);
}

static void child_sees_pieces(void)
{
	int fd = open("file", O_RDWR);

	IS(in_the_way(fd, 0, 100).l_len == 10);
	IS(in_the_way(fd, 10, 100).l_start == 30);
	IS(in_the_way(fd, 11, 5).l_type == F_UNLCK);
}

static void record_locks(void)
{
	int fd = make("file", 0644, "text");
	int other;

	WORKS(lock(fd, F_SETLK, F_WRLCK, 10, 10));
	WORKS(lock(fd, F_SETLK, F_RDLCK, 30, 0));
	IS(in_child(child_sees_locks));
	WORKS(lock(fd, F_SETLK, F_WRLCK, 0, 100));
	WORKS(lock(fd, F_SETLK, F_UNLCK, 10, 20));
	IS(in_child(child_sees_pieces));
	/* Any close of the file lets go of all of them. */
	other = open("file", O_RDONLY);
	FAILS(EBADF, lock(other, F_SETLK, F_WRLCK, 0, 1));
	close(other);
	IS(in_child(child_sees_none));
	FAILS(EINVAL, lock(fd, F_SETLK, F_WRLCK, -1, 10));
	WORKS(lock(fd, F_SETLK, F_WRLCK, 0x7ffffffffffffffe, 1));
	close(fd);
}

static void child_locks_and_ends(void)
{
	int fd = open("file", O_RDWR);

	WORKS(lock(fd, F_SETLK, F_WRLCK, 0, 0));
	tick();
	tick();
	tick();
}

static void child_waits(void)
{
	int fd = open("file", O_RDWR);

	WORKS(lock(fd, F_SETLKW, F_WRLCK, 0, 1));
}

static void locks_wait(void)
{
	int fd = make("file", 0644, "");
	int status = 1;
	pid_t pid = fork();

	if (pid == 0) {
		child_locks_and_ends();
		_exit(0);
	}
	while (in_the_way(fd, 0, 1).l_type == F_UNLCK)
		;
	WORKS(lock(fd, F_SETLKW, F_WRLCK, 0, 1));
	waitpid(pid, NULL, 0);
	pid = fork();
	if (pid == 0) {
		alarm(20);
		child_waits();
		_exit(0);
	}
	tick();
	IS(waitpid(pid, &status, WNOHANG) == 0);
	WORKS(lock(fd, F_SETLK, F_UNLCK, 0, 1));
	IS(waitpid(pid, &status, 0) == pid && status == 0);
	close(fd);
}

/* Two that wait for each other: one is told. */
static void deadlock(void)
{
	int fd = make("file", 0644, "");
	int status;
	pid_t pid;

	WORKS(lock(fd, F_SETLK, F_WRLCK, 0, 1));
	pid = fork();
	if (pid == 0) {
		alarm(10);
		lock(fd, F_SETLK, F_WRLCK, 1, 1);
		lock(fd, F_SETLKW, F_WRLCK, 0, 1);
		_exit(0);
	}
	while (in_the_way(fd, 1, 1).l_type == F_UNLCK)
		tick();
	tick();
	tick();
	FAILS(EDEADLK, lock(fd, F_SETLKW, F_WRLCK, 1, 1));
	WORKS(lock(fd, F_SETLK, F_UNLCK, 0, 0));
	IS(waitpid(pid, &status, 0) == pid && status == 0);
	close(fd);
}

static void on_signal(int nr)
{
	(void)nr;
}

static void signals_end_waits(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = make("file", 0644, "");
	int other = open("file", O_RDWR);

	WORKS(lock(fd, F_OFD_SETLK, F_WRLCK, 0, 0));
	sigaction(SIGALRM, &action, NULL);
	alarm(1);
	FAILS(EINTR, fcntl(other, F_OFD_SETLKW, &all));
	alarm(1);
	FAILS(EINTR, fcntl(other, F_SETLKW, &all));
	WORKS(flock(fd, LOCK_EX));
	alarm(1);
	FAILS(EINTR, flock(other, LOCK_EX));
	alarm(20);
	close(fd);
	close(other);
}

static void locks_of_descriptions(void)
{
	int fd = make("file", 0644, "");
	int other = open("file", O_RDWR);
	int copy = dup(fd);
	struct flock found = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	WORKS(lock(fd, F_OFD_SETLK, F_WRLCK, 0, 10));
	FAILS(EAGAIN, lock(other, F_OFD_SETLK, F_RDLCK, 0, 1));
	IS(!fcntl(other, F_OFD_GETLK, &found) && found.l_pid == -1);
	FAILS(EAGAIN, lock(fd, F_SETLK, F_WRLCK, 0, 1));
	WORKS(lock(copy, F_OFD_SETLK, F_WRLCK, 5, 10));
	close(fd);
	FAILS(EAGAIN, lock(other, F_OFD_SETLK, F_RDLCK, 0, 1));
	close(copy);
	WORKS(lock(other, F_OFD_SETLK, F_WRLCK, 0, 0));
	close(other);
}

static void locks_of_files(void)
{
	int fd = make("file", 0644, "");
	int other = open("file", O_RDONLY);
	int copy = dup(fd);

	WORKS(flock(fd, LOCK_EX));
	FAILS(EAGAIN, flock(other, LOCK_SH | LOCK_NB));
	WORKS(flock(copy, LOCK_SH | LOCK_NB));
	WORKS(flock(other, LOCK_SH | LOCK_NB));
	FAILS(EAGAIN, flock(other, LOCK_EX | LOCK_NB));
	close(fd);
	FAILS(EAGAIN, flock(other, LOCK_EX | LOCK_NB));
	close(copy);
	WORKS(flock(other, LOCK_EX | LOCK_NB));
	/* They know nothing of locks of records. */
	fd = open("file", O_RDWR);
	WORKS(lock(fd, F_SETLK, F_WRLCK, 0, 0));
	FAILS(EINVAL, flock(fd, 77));
	WORKS(rename("file", "new"));
	FAILS(EAGAIN, flock(fd, LOCK_EX | LOCK_NB));
	WORKS(link("new", "two"));
	close(other);
	other = open("two", O_RDWR);
	WORKS(flock(fd, LOCK_EX | LOCK_NB));
	FAILS(EAGAIN, flock(other, LOCK_EX | LOCK_NB));
	close(fd);
	close(other);
	fd = open(".", O_RDONLY);
	other = open(".", O_RDONLY);
	WORKS(flock(fd, LOCK_EX));
	FAILS(EAGAIN, flock(other, LOCK_EX | LOCK_NB));
	close(fd);
	close(other);
}

static void leases(void)
{
	int fd = make("file", 0644, "");

	close(fd);
	signal(SIGIO, SIG_IGN);
	fd = open("file", O_RDONLY);
	if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0) {
		not_here("no leases");
		close(fd);
		return;
	}
	IS(fcntl(fd, F_GETLEASE) == F_RDLCK);
	FAILS(EAGAIN, open("file", O_WRONLY | O_NONBLOCK));
	WORKS(fcntl(fd, F_SETLEASE, F_UNLCK));
	WORKS(open("file", O_WRONLY | O_NONBLOCK));
	FAILS(EAGAIN, fcntl(fd, F_SETLEASE, F_RDLCK));
	close(fd);
}

const struct check posix_lock_checks[] = {
	{ "record locks", record_locks },
	{ "locks wait", locks_wait },
	{ "deadlock", deadlock },
	{ "signals end waits", signals_end_waits },
	{ "locks of descriptions", locks_of_descriptions },
	{ "locks of files", locks_of_files },
	{ "leases", leases },
	{ 0 },
};

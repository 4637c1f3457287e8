/* tree_posix: opening: flags, handles, paths that are held, what runs. */
#include "tree_posix.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void flags_of_open(void)
{
	int fd;

	close(make("file", 0644, "text"));
	WORKS(mkdir("dir", 0755));
	WORKS(symlink("file", "link"));
	WORKS(symlink("gone", "dangling"));
	WORKS(symlink("dir", "todir"));
	FAILS(EEXIST, open("link", O_CREAT | O_EXCL | O_RDWR, 0644));
	FAILS(EEXIST, open("dangling", O_CREAT | O_EXCL | O_RDWR, 0644));
	FAILS(EEXIST, open("dir", O_CREAT | O_EXCL | O_RDWR, 0644));
	FAILS(ELOOP, open("link", O_RDONLY | O_NOFOLLOW));
	FAILS(ELOOP, open("dangling", O_CREAT | O_NOFOLLOW | O_RDWR, 0644));
	FAILS(ENOTDIR, open("todir", O_RDONLY | O_NOFOLLOW | O_DIRECTORY));
	WORKS(fd = open("dangling", O_CREAT | O_RDWR, 0600));
	close(fd);
	IS(S_ISREG(at("gone").st_mode) && S_ISLNK(at("dangling").st_mode));
	WORKS(fd = open("file", O_RDWR | O_TRUNC));
	IS(at("file").st_size == 0);
	close(fd);
	WORKS(fd = open("new", O_RDWR | O_CREAT, 0));
	IS(write(fd, "x", 1) == 1);
	close(fd);
	WORKS(chmod("new", 0444));
	WORKS(chown("new", SOMEBODY, SOMEBODY));
	act_as(SOMEBODY, SOMEBODY, 0);
	FAILS(EACCES, open("new", O_RDONLY | O_TRUNC));
	FAILS(EACCES, open("new", O_WRONLY));
	WORKS(fd = open("new", O_RDONLY | O_NOATIME));
	close(fd);
	FAILS(EPERM, open("file", O_RDONLY | O_NOATIME));
	act_as_root();
	IS(at("new").st_size == 1);
}

static void held_paths(void)
{
	char text[10] = "";
	char path[40];
	struct stat st;
	int fd, other;

	close(make("file", 0644, "text"));
	WORKS(symlink("file", "link"));
	WORKS(fd = open("file", O_PATH));
	FAILS(EBADF, read(fd, text, 1));
	FAILS(EBADF, fchmod(fd, 0600));
	FAILS(EBADF, ftruncate(fd, 0));
	IS(!fstat(fd, &st) && st.st_size == 4);
	WORKS(rename("file", "moved"));
	IS(!fstat(fd, &st) && st.st_nlink == 1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	WORKS(chmod(path, 0600));
	IS(mode_of("moved") == 0600);
	WORKS(other = open(path, O_RDONLY));
	IS(read(other, text, 9) == 4 && !strcmp(text, "text"));
	close(other);
	WORKS(linkat(fd, "", AT_FDCWD, "two", AT_EMPTY_PATH));
	IS(at("two").st_nlink == 2);
	WORKS(unlink("two"));
	WORKS(unlink("moved"));
	IS(!fstat(fd, &st) && st.st_nlink == 0);
	close(fd);
	WORKS(fd = open("link", O_PATH | O_NOFOLLOW));
	IS(readlinkat(fd, "", text, 9) == 4);
	IS(!fstat(fd, &st) && S_ISLNK(st.st_mode));
	WORKS(fchownat(fd, "", 1, 1, AT_EMPTY_PATH));
	IS(at("link").st_uid == 1);
	close(fd);
}

static int open_how(const char *path, uint64_t resolve)
{
	struct open_how how = { .flags = O_RDONLY, .resolve = resolve };

	return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
}

static void ways_to_resolve(void)
{
	touch("file", 0644);
	WORKS(mkdir("dir", 0755));
	WORKS(symlink("file", "link"));
	WORKS(symlink("../file", "dir/up"));
	WORKS(open_how("file", RESOLVE_BENEATH));
	FAILS(EXDEV, open_how("../file", RESOLVE_BENEATH));
	FAILS(ELOOP, open_how("link", RESOLVE_NO_SYMLINKS));
	WORKS(open_how("dir/up", RESOLVE_BENEATH));
	WORKS(open_how("/file", RESOLVE_IN_ROOT));
	WORKS(open_how("dir/up", RESOLVE_NO_XDEV));
	FAILS(EINVAL, open_how("file", UINT64_C(1) << 40));
}

static void handles(void)
{
	struct {
		struct file_handle head;
		char bytes[MAX_HANDLE_SZ];
	} handle = { .head.handle_bytes = MAX_HANDLE_SZ };
	int mount_id, fd, dir;
	char text[10] = "";

	close(make("file", 0644, "text"));
	WORKS(dir = open(".", O_RDONLY | O_DIRECTORY));
	if (name_to_handle_at(AT_FDCWD, "file", &handle.head, &mount_id, 0)) {
		IS(errno == EOPNOTSUPP);
		not_here("no handles");
		return;
	}
	WORKS(mkdir("dir", 0755));
	WORKS(rename("file", "dir/moved"));
	WORKS(fd = open_by_handle_at(dir, &handle.head, O_RDONLY));
	IS(read(fd, text, 9) == 4 && !strcmp(text, "text"));
	close(fd);
	WORKS(unlink("dir/moved"));
	FAILS(ESTALE, open_by_handle_at(dir, &handle.head, O_RDONLY));
	handle.head.handle_bytes = 0;
	FAILS(EOVERFLOW,
	      name_to_handle_at(AT_FDCWD, "dir", &handle.head, &mount_id, 0));
	handle.head.handle_bytes = MAX_HANDLE_SZ;
	WORKS(name_to_handle_at(AT_FDCWD, "dir", &handle.head, &mount_id, 0));
	WORKS(fd = open_by_handle_at(dir, &handle.head, O_RDONLY));
	IS(faccessat(fd, "..", F_OK, 0) == 0);
	close(fd);
	close(dir);
}

static void child_reads_fifo(void)
{
	char text[10] = "";
	int fd = open("fifo", O_RDONLY);

	IS(read(fd, text, 9) == 4 && !strcmp(text, "text"));
	IS(read(fd, text, 9) == 0);
}

static void fifos(void)
{
	int fd;
	pid_t pid;
	int status = 1;

	WORKS(mkfifo("fifo", 0600));
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		IS(in_child(child_reads_fifo));
		_exit(0);
	}
	WORKS(fd = open("fifo", O_WRONLY));
	IS(write(fd, "text", 4) == 4);
	close(fd);
	IS(waitpid(pid, &status, 0) == pid && status == 0);
	signal(SIGPIPE, SIG_IGN);
	WORKS(fd = open("fifo", O_RDWR | O_NONBLOCK));
	WORKS(rename("fifo", "moved"));
	IS(write(fd, "x", 1) == 1);
	IS(at("moved").st_size == 0);
	close(fd);
}

static void sockets(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int server = socket(AF_UNIX, SOCK_STREAM, 0);
	int client = socket(AF_UNIX, SOCK_STREAM, 0);
	const struct sockaddr *name = (const struct sockaddr *)&address;

	snprintf(address.sun_path, sizeof(address.sun_path), "socket");
	WORKS(bind(server, name, sizeof(address)));
	IS(S_ISSOCK(at("socket").st_mode));
	FAILS(ECONNREFUSED, connect(client, name, sizeof(address)));
	WORKS(listen(server, 1));
	WORKS(rename("socket", "moved"));
	FAILS(ENOENT, connect(client, name, sizeof(address)));
	WORKS(link("moved", "socket"));
	WORKS(connect(client, name, sizeof(address)));
	FAILS(EADDRINUSE,
	      bind(socket(AF_UNIX, SOCK_STREAM, 0), name, sizeof(address)));
	WORKS(chmod("socket", 0));
	act_as(SOMEBODY, SOMEBODY, 0);
	FAILS(EACCES,
	      connect(socket(AF_UNIX, SOCK_STREAM, 0), name, sizeof(address)));
	act_as_root();
	close(server);
	close(client);
}

static bool copy(const char *from, const char *to)
{
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT, 0755);
	char data[65536];
	ssize_t got = 0;

	while (in >= 0 && (got = read(in, data, sizeof(data))) > 0)
		if (write(out, data, (size_t)got) != got)
			got = -1;
	close(in);
	return out >= 0 && close(out) == 0 && got == 0;
}

static int exit_of(const char *program, const char *argument)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		execl(program, program, argument, NULL);
		_exit(errno == EACCES ? 126 : 127);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ?
		       WEXITSTATUS(status) :
		       -1;
}

static void programs(void)
{
	close(make("script", 0755, "#!/bin/sh\nexit 7\n"));
	close(make("args", 0755, "#!./script\n"));
	close(make("nothing", 0644, "#!/bin/sh\nexit 7\n"));
	IS(copy("/bin/true", "true") && copy("/bin/false", "false"));
	IS(exit_of("./script", NULL) == 7);
	IS(exit_of("./args", NULL) == 7);
	IS(exit_of("./true", NULL) == 0 && exit_of("./false", NULL) == 1);
	IS(exit_of("./nothing", NULL) == 126);
	WORKS(rename("false", "true"));
	IS(exit_of("./true", NULL) == 1);
	WORKS(chmod("true", 0111));
	act_as(SOMEBODY, SOMEBODY, 0);
	IS(exit_of("./true", NULL) == 1);
	FAILS(EACCES, open("true", O_RDONLY));
	act_as_root();
}

const struct check posix_open_checks[] = {
	{ "flags of open", flags_of_open },
	{ "held paths", held_paths },
	{ "ways to resolve", ways_to_resolve },
	{ "handles", handles },
	{ "fifos", fifos },
	{ "sockets", sockets },
	{ "programs", programs },
	{ 0 },
};

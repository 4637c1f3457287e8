/* tree_posix: mappings and what else sees their file. */
#include "tree_posix.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, BYTES = 16 * PAGE };

static int new_file(void)
{
	char data[BYTES];
	int fd = make("file", 0644, "");

	memset(data, 'a', sizeof(data));
	IS(pwrite(fd, data, BYTES, 0) == BYTES);
	return fd;
}

static char *map(int fd, int protection, int flags)
{
	char *at = mmap(NULL, BYTES, protection, flags, fd, 0);

	IS(at != MAP_FAILED);
	return at;
}

static char byte_at(int fd, off_t offset)
{
	char byte = 0;

	IS(pread(fd, &byte, 1, offset) == 1);
	return byte;
}

static void maps_and_reads_agree(void)
{
	int fd = new_file();
	int other = open("file", O_RDONLY);
	char *shared = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	char *reader = map(other, PROT_READ, MAP_SHARED);
	char *own = map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	shared[100] = 'x';
	IS(byte_at(other, 100) == 'x' && reader[100] == 'x');
	IS(pwrite(fd, "y", 1, 5000) == 1);
	IS(shared[5000] == 'y' && reader[5000] == 'y' && own[5000] == 'y');
	own[5000] = 'z';
	IS(shared[5000] == 'y' && byte_at(fd, 5000) == 'y');
	WORKS(msync(shared, BYTES, MS_SYNC));
	IS(byte_at(fd, 100) == 'x');
	close(fd);
	shared[200] = 'w'; /* a mapping outlives its descriptor */
	IS(byte_at(other, 200) == 'w');
	WORKS(unlink("file"));
	shared[300] = 'v';
	IS(reader[300] == 'v');
	munmap(shared, BYTES);
	munmap(reader, BYTES);
	munmap(own, BYTES);
	close(other);
}

static sigjmp_buf after_fault;

static void on_fault(int nr)
{
	(void)nr;
	siglongjmp(after_fault, 1);
}

static bool faults(volatile char *at)
{
	if (sigsetjmp(after_fault, 1))
		return true;
	(void)*at;
	return false;
}

static void ends_of_maps(void)
{
	int fd = new_file();
	char *shared = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);

	signal(SIGBUS, on_fault);
	WORKS(ftruncate(fd, PAGE + 100));
	IS(!faults(shared + PAGE) && faults(shared + 2 * PAGE));
	IS(shared[PAGE + 99] == 'a' && shared[PAGE + 100] == '\0');
	/* What is stored into the last page behind the end is not looked at:
	 * FUSE shows it when the file grows again. */
	WORKS(ftruncate(fd, BYTES));
	IS(byte_at(fd, PAGE + 200) == '\0');
	IS(shared[2 * PAGE] == '\0' && !faults(shared + BYTES - 1));
	WORKS(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			PAGE));
	IS(shared[0] == '\0' && shared[PAGE] == 'a');
	munmap(shared, BYTES);
	close(fd);
}

static void rights_of_maps(void)
{
	int fd = new_file();
	int reader = open("file", O_RDONLY);
	int writer = open("file", O_WRONLY);

	errno = 0;
	IS(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, reader, 0) == MAP_FAILED &&
	   errno == EACCES);
	IS(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, writer, 0) == MAP_FAILED &&
	   errno == EACCES);
	IS(mmap(NULL, PAGE, PROT_WRITE, MAP_PRIVATE, reader, 0) != MAP_FAILED);
	IS(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 5) == MAP_FAILED &&
	   errno == EINVAL);
	close(fd);
	close(reader);
	close(writer);
	fd = open(".", O_RDONLY);
	IS(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED &&
	   errno == ENODEV);
	close(fd);
}

static void maps_of_holes(void)
{
	int fd = make("file", 0644, "");
	char *shared;

	WORKS(ftruncate(fd, BYTES));
	shared = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	shared[5 * PAGE + 7] = 'x';
	IS(lseek(fd, 0, SEEK_DATA) == (off_t)5 * PAGE);
	WORKS(msync(shared, BYTES, MS_SYNC));
	munmap(shared, BYTES);
	close(fd);
	fd = open("file", O_RDONLY);
	IS(byte_at(fd, 5 * PAGE + 7) == 'x' && byte_at(fd, 5 * PAGE) == '\0');
	close(fd);
}

static void writes_from_own_map(void)
{
	int fd = new_file();
	char *shared = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);

	memset(shared, 'b', PAGE);
	IS(pwrite(fd, shared, PAGE, 8L * PAGE) == PAGE);
	IS(shared[8 * PAGE] == 'b' && shared[9 * PAGE] == 'a');
	IS(pread(fd, shared + PAGE, PAGE, 8L * PAGE) == PAGE);
	IS(shared[PAGE] == 'b');
	IS(pwrite(fd, shared, PAGE, 0) == PAGE && shared[0] == 'b');
	munmap(shared, BYTES);
	close(fd);
}

const struct check posix_map_checks[] = {
	{ "maps and reads agree", maps_and_reads_agree },
	{ "ends of maps", ends_of_maps },
	{ "rights of maps", rights_of_maps },
	{ "maps of holes", maps_of_holes },
	{ "writes from own map", writes_from_own_map },
	{ 0 },
};

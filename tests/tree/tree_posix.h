/*
 * tree_posix: what POSIX and Linux say of files, call by call, for any mounted
 * file system. A check runs as root in a process and a directory of its own,
 * and goes on after what is wrong.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct check {
	const char *name;
	void (*run)(void);
};

extern const struct check posix_name_checks[], posix_error_checks[],
	posix_owner_checks[], posix_time_checks[], posix_lock_checks[],
	posix_data_checks[], posix_map_checks[], posix_xattr_checks[],
	posix_directory_checks[], posix_open_checks[], posix_race_checks[];

enum { SOMEBODY = 65533, ANOTHER = 65532, THEIR_GROUP = 65531 };

/* One line of output if condition does not hold. */
void look(bool condition, const char *text, const char *file, int line);
#define IS(condition) look((condition), #condition, __FILE__, __LINE__)
/* The call returns something else than -1. */
#define WORKS(call) look((call) != -1, #call, __FILE__, __LINE__)
/* The call returns -1 with this errno. */
#define FAILS(error, call)                                                \
	do {                                                              \
		errno = 0;                                                \
		look((call) == -1 && errno == (error), #error ": " #call, \
		     __FILE__, __LINE__);                                 \
	} while (0)
/* What can't be tried on this machine. */
void not_here(const char *why);

/* From now on this process has other rights, until it is root again. */
void act_as(uid_t uid, gid_t gid, gid_t more);
void act_as_root(void);
/* A process of its own: true if it exits with 0. */
bool in_child(void (*run)(void));

/* A new file with that text; a descriptor open for both. */
int make(const char *path, mode_t mode, const char *text);
/* A new file, closed. */
void touch(const char *path, mode_t mode);
bool holds(const char *path, const char *text);
struct stat at(const char *path);
mode_t mode_of(const char *path);
/* Names of that many bytes; in a static buffer, of which there are four. */
const char *name_of(size_t bytes);
/* A path to "." that is that long. */
const char *path_of(size_t bytes, const char *end);
/* Long enough for a clock of the kernel to go on. */
void tick(void);

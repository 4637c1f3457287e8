/*
 * Defaults of `cowd diverge`, and making its files. P is often /tmp, where
 * anybody may have been before: a name that exists is used only if it is what
 * it should be, no symbolic link, and ours (I1). P/rules appears with all of
 * its text, or not at all (I2).
 */
#include "diverge.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "rules.h"

#define DEFAULT_PATH "/tmp"
#define DEFAULT_LEVEL 3

static int take_path(const char *path, const char *option, char *text,
		     struct failure *failure)
{
	if (!*path)
		return failure_set(failure, FAILURE_USAGE, option,
				   "the path is empty");
	if (strlen(path) >= PATH_MAX)
		return failure_errno(failure, -ENAMETOOLONG, option,
				     "can't use the path");
	memcpy(text, path, strlen(path) + 1);
	return 0;
}

/* P/name. */
static int take_below(const char *parent, const char *name, char *text,
		      struct failure *failure)
{
	size_t length = strlen(parent);
	int written;

	while (length > 1 && parent[length - 1] == '/')
		length--;
	written = snprintf(text, PATH_MAX, "%.*s%s%s", (int)length, parent,
			   parent[length - 1] == '/' ? "" : "/", name);
	return written < PATH_MAX ? 0 :
				    failure_errno(failure, -ENAMETOOLONG, "-p",
						  "can't use the path");
}

static int plan_rules(const struct diverge_options *options,
		      struct diverge_plan *plan, struct failure *failure)
{
	char quoted[2 * PATH_MAX];
	int rc;

	if (options->rule_file)
		return take_path(options->rule_file, "-f", plan->rule_file,
				 failure);
	rc = take_below(plan->default_path, "rules", plan->rule_file, failure);
	if (rc == 0)
		rc = take_below(plan->default_path, "files", plan->files,
				failure);
	if (rc < 0)
		return rc;
	rc = rules_quote_path(plan->files, quoted, sizeof(quoted));
	if (rc < 0)
		return failure_errno(failure, rc, "-p",
				     "no rule can have this path");
	snprintf(plan->rules_text, sizeof(plan->rules_text), "%s all<>\n",
		 quoted);
	return 0;
}

static int plan_holes(const struct diverge_options *options,
		      struct diverge_plan *plan, struct failure *failure)
{
	if (options->hole_file)
		return take_path(options->hole_file, "-h", plan->hole_file,
				 failure);
	return take_below(plan->default_path[0] ? plan->default_path :
						  DEFAULT_PATH,
			  "holes", plan->hole_file, failure);
}

static int plan_level(const char *level, struct diverge_plan *plan,
		      struct failure *failure)
{
	plan->level = DEFAULT_LEVEL;
	if (!level)
		return 0;
	if (level[0] < '1' || level[0] > '5' || level[1])
		return failure_set(failure, FAILURE_USAGE, level,
				   "the level -d is one of 1, 2, 3, 4, 5");
	plan->level = (unsigned)(level[0] - '0');
	return 0;
}

int diverge_plan(const struct diverge_options *options,
		 struct diverge_plan *out_plan, struct failure *failure)
{
	AUTO_FREE struct diverge_plan *plan = calloc(1, sizeof(*plan));
	const char *path = options->default_path;
	int rc = 0;

	if (!plan)
		return failure_errno(failure, -ENOMEM, NULL, "can't begin");
	if (!path && !options->rule_file)
		path = DEFAULT_PATH;
	if (path)
		rc = take_path(path, "-p", plan->default_path, failure);
	if (rc == 0)
		rc = plan_rules(options, plan, failure);
	if (rc == 0)
		rc = plan_holes(options, plan, failure);
	if (rc == 0)
		rc = plan_level(options->level, plan, failure);
	if (rc == 0)
		*out_plan = *plan;
	return rc;
}

enum log_level diverge_log_level(unsigned level)
{
	return (enum log_level)(level + LOG_LEVEL_NOTICE - DEFAULT_LEVEL);
}

/* I1. The descriptor is that of the object itself. */
static int check_ours(int parent_fd, int fd, mode_t kind, const char *path,
		      struct failure *failure)
{
	struct stat parent, st;

	if (fstat(parent_fd, &parent) < 0 || fstat(fd, &st) < 0)
		return failure_errno(failure, -errno, path, "can't look at it");
	if ((st.st_mode & S_IFMT) != kind)
		return failure_set(
			failure, FAILURE_EXISTS, path, "is there, and is no %s",
			kind == S_IFDIR ? "directory" : "regular file");
	if (st.st_uid == geteuid() || !(parent.st_mode & S_IWOTH))
		return 0;
	failure_set(failure, FAILURE_EXISTS, path,
		    "belongs to another user, in a directory where all may "
		    "write");
	failure_hint(failure, "choose a directory of your own: -p DIR");
	return -EEXIST;
}

static int prepare_files(int parent_fd, const char *path,
			 struct failure *failure)
{
	AUTO_CLOSE int fd = -1;

	if (mkdirat(parent_fd, "files", 0777) < 0 && errno != EEXIST)
		return failure_errno(failure, -errno, path, "can't make it");
	fd = openat(parent_fd, "files", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return failure_errno(failure, -errno, path, "can't open it");
	return check_ours(parent_fd, fd, S_IFDIR, path, failure);
}

/* Gives the file the name "rules" unless there is one: -EEXIST. */
static int name_rules(int parent_fd, const char *temporary)
{
	if (renameat2(parent_fd, temporary, parent_fd, "rules",
		      RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	/* File systems that can't do that can link. */
	if (linkat(parent_fd, temporary, parent_fd, "rules", 0) < 0)
		return -errno;
	(void)unlinkat(parent_fd, temporary, 0);
	return 0;
}

/* A whole file with that text, then the name (I2). */
static int write_rules(int parent_fd, const char *text)
{
	char temporary[64];
	AUTO_CLOSE int fd = -1;
	size_t text_bytes = strlen(text);
	int rc = 0;

	snprintf(temporary, sizeof(temporary), ".cowd-rules.%d", (int)getpid());
	fd = openat(parent_fd, temporary,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	if (fd < 0)
		return -errno;
	while (rc == 0 && text_bytes > 0) {
		ssize_t n = write(fd, text, text_bytes);

		if (n < 0 && errno != EINTR)
			rc = -errno;
		if (n > 0) {
			text += n;
			text_bytes -= (size_t)n;
		}
	}
	if (rc == 0 && fsync(fd) < 0)
		rc = -errno;
	if (rc == 0)
		rc = name_rules(parent_fd, temporary);
	if (rc < 0)
		(void)unlinkat(parent_fd, temporary, 0);
	return rc;
}

static int prepare_rules(int parent_fd, const struct diverge_plan *plan,
			 bool *out_found, struct failure *failure)
{
	AUTO_CLOSE int fd =
		openat(parent_fd, "rules", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	int rc;

	if (fd < 0 && errno == ENOENT) {
		rc = write_rules(parent_fd, plan->rules_text);
		if (rc == 0)
			*out_found = false;
		if (rc != -EEXIST)
			return rc < 0 ? failure_errno(failure, rc,
						      plan->rule_file,
						      "can't write it") :
					0;
		fd = openat(parent_fd, "rules",
			    O_PATH | O_NOFOLLOW | O_CLOEXEC);
	}
	if (fd < 0)
		return failure_errno(failure, -errno, plan->rule_file,
				     "can't open it");
	rc = check_ours(parent_fd, fd, S_IFREG, plan->rule_file, failure);
	if (rc == 0)
		*out_found = true;
	return rc;
}

int diverge_prepare(const struct diverge_plan *plan, bool *out_found_rules,
		    struct failure *failure)
{
	const char *path = plan->default_path;
	AUTO_CLOSE int fd = -1;
	int rc;

	if (!*path) {
		*out_found_rules = true;
		return 0;
	}
	if (mkdir(path, 0777) < 0 && errno != EEXIST)
		return failure_errno(failure, -errno, path,
				     "can't make the directory");
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return failure_errno(failure, -errno, path,
				     "can't open the directory");
	if (!plan->files[0]) {
		*out_found_rules = true;
		return 0;
	}
	rc = prepare_files(fd, plan->files, failure);
	return rc < 0 ? rc : prepare_rules(fd, plan, out_found_rules, failure);
}

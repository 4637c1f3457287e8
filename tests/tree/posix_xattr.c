/* tree_posix: extended attributes and access control lists. */
#include "tree_posix.h"

#include <fcntl.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define ACCESS "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"

static int set(const char *path, const char *name, const char *value)
{
	return setxattr(path, name, value, strlen(value), 0);
}

static bool value_is(const char *path, const char *name, const char *value)
{
	char got[300];
	ssize_t bytes = lgetxattr(path, name, got, sizeof(got));

	return bytes == (ssize_t)strlen(value) &&
	       !memcmp(got, value, (size_t)bytes);
}

static bool lists(const char *path, const char *name)
{
	char names[4000];
	ssize_t bytes = llistxattr(path, names, sizeof(names)), i;

	for (i = 0; i < bytes; i += (ssize_t)strlen(names + i) + 1)
		if (!strcmp(names + i, name))
			return true;
	return false;
}

static void values(void)
{
	char data[70000];
	char got[10];

	touch("file", 0644);
	memset(data, 'x', sizeof(data));
	WORKS(set("file", "user.a", "one"));
	IS(value_is("file", "user.a", "one"));
	WORKS(set("file", "user.a", ""));
	IS(value_is("file", "user.a", "") && lists("file", "user.a"));
	IS(getxattr("file", "user.a", NULL, 0) == 0);
	WORKS(setxattr("file", "user.a", "two\0three", 9, XATTR_REPLACE));
	IS(getxattr("file", "user.a", NULL, 0) == 9);
	FAILS(ERANGE, getxattr("file", "user.a", got, 8));
	FAILS(EEXIST, setxattr("file", "user.a", "x", 1, XATTR_CREATE));
	FAILS(ENODATA, setxattr("file", "user.b", "x", 1, XATTR_REPLACE));
	FAILS(EINVAL, setxattr("file", "user.b", "x", 1, 4));
	FAILS(ENODATA, getxattr("file", "user.b", got, 10));
	FAILS(ENODATA, removexattr("file", "user.b"));
	FAILS(E2BIG, setxattr("file", "user.b", data, 65537, 0));
	WORKS(setxattr("file", "user.big", data, 3000, 0));
	IS(getxattr("file", "user.big", data, sizeof(data)) == 3000);
	WORKS(removexattr("file", "user.a"));
	FAILS(ENODATA, removexattr("file", "user.a"));
	IS(!lists("file", "user.a") && lists("file", "user.big"));
	WORKS(rename("file", "new"));
	WORKS(link("new", "link"));
	IS(lists("link", "user.big"));
	FAILS(ENODATA, getxattr("link", "user.a", got, 10));
	IS(listxattr("link", NULL, 0) == 9);
	FAILS(ERANGE, listxattr("link", got, 8));
	FAILS(ENOENT, set("gone", "user.a", "x"));
}

static void names(void)
{
	char name[300] = "user.";

	touch("file", 0644);
	memset(name + 5, 'n', 251);
	FAILS(ERANGE, set("file", name, "x"));
	name[255] = '\0';
	WORKS(set("file", name, "x"));
	IS(lists("file", name));
	FAILS(EOPNOTSUPP, set("file", "user", "x"));
	FAILS(EOPNOTSUPP, set("file", "nothing.a", "x"));
	FAILS(EOPNOTSUPP, set("file", "system.other", "x"));
	FAILS(EINVAL, set("file", "user.", "x"));
	FAILS(ERANGE, set("file", "", "x"));
	WORKS(set("file", "user.\xc3\xa4 =\n", "x"));
	IS(lists("file", "user.\xc3\xa4 =\n"));
	WORKS(set("file", "trusted.a", "x"));
	WORKS(set("file", "security.a", "x"));
	IS(lists("file", "trusted.a") && lists("file", "security.a"));
}

static void many(void)
{
	char name[20];
	char text[20];
	int i;

	touch("file", 0644);
	for (i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "user.n%d", i);
		snprintf(text, sizeof(text), "v%d", i);
		WORKS(set("file", name, text));
	}
	for (i = 0; i < 50; i += 2) {
		snprintf(name, sizeof(name), "user.n%d", i);
		WORKS(removexattr("file", name));
	}
	for (i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "user.n%d", i);
		IS(lists("file", name) == (i % 2 == 1));
	}
}

/* Which kinds of objects may have which kinds of xattrs, set by whom. */
static void kinds(void)
{
	char got[10];

	touch("file", 0644);
	WORKS(symlink("file", "link"));
	WORKS(mkfifo("fifo", 0666));
	WORKS(mknod("null", S_IFCHR | 0666, makedev(1, 3)));
	WORKS(mkdir("dir", 0755));
	WORKS(set("dir", "user.a", "x"));
	FAILS(EPERM, lsetxattr("link", "user.a", "x", 1, 0));
	FAILS(ENODATA, lgetxattr("link", "user.a", got, 10));
	FAILS(EPERM, set("fifo", "user.a", "x"));
	FAILS(EPERM, set("null", "user.a", "x"));
	WORKS(lsetxattr("link", "trusted.a", "x", 1, 0));
	IS(value_is("link", "trusted.a", "x"));
	FAILS(ENODATA, getxattr("link", "trusted.a", got, 10));
	WORKS(set("fifo", "trusted.a", "x"));
	WORKS(set("null", "trusted.a", "x"));
	WORKS(set("link", "user.a", "x"));
	IS(value_is("file", "user.a", "x"));
	WORKS(set("file", "trusted.a", "x"));
	WORKS(chmod("dir", 01777));
	act_as(SOMEBODY, SOMEBODY, 0);
	IS(getxattr("file", "user.a", got, 10) == 1);
	FAILS(EACCES, set("file", "user.a", "y"));
	FAILS(EACCES, removexattr("file", "user.a"));
	FAILS(ENODATA, getxattr("file", "trusted.a", got, 10));
	FAILS(EPERM, set("file", "trusted.a", "y"));
	FAILS(EPERM, set("file", "security.a", "y"));
	IS(!lists("file", "trusted.a") && lists("file", "user.a"));
	FAILS(EPERM, set("dir", "user.a", "y")); /* sticky */
	act_as_root();
	WORKS(chmod("file", 0600));
	act_as(SOMEBODY, SOMEBODY, 0);
	FAILS(EACCES, getxattr("file", "user.a", got, 10));
	act_as_root();
}

static void of_removed_files(void)
{
	int fd = make("file", 0644, "");
	char got[10];

	WORKS(fsetxattr(fd, "user.a", "one", 3, 0));
	WORKS(unlink("file"));
	IS(fgetxattr(fd, "user.a", got, 10) == 3);
	WORKS(fsetxattr(fd, "user.b", "two", 3, 0));
	IS(flistxattr(fd, NULL, 0) == 14);
	WORKS(fremovexattr(fd, "user.a"));
	close(fd);
	touch("file", 0644);
	IS(listxattr("file", NULL, 0) == 0);
}

/* A list as the calls have it, and how many entries are in use. */
struct acl {
	struct {
		struct posix_acl_xattr_header header;
		struct posix_acl_xattr_entry entries[8];
	} bytes;
	size_t count;
};

static size_t bytes_of(const struct acl *acl)
{
	return sizeof(acl->bytes.header) +
	       acl->count * sizeof(acl->bytes.entries[0]);
}

static void add(struct acl *acl, unsigned tag, unsigned bits, unsigned id)
{
	struct posix_acl_xattr_entry *entry = &acl->bytes.entries[acl->count++];

	acl->bytes.header.a_version = POSIX_ACL_XATTR_VERSION;
	entry->e_tag = (uint16_t)tag;
	entry->e_perm = (uint16_t)bits;
	entry->e_id = id;
}

/* Modes of owner, somebody, group, mask, others. */
static struct acl acl_of(unsigned owner, unsigned named, unsigned group,
			 unsigned mask, unsigned other)
{
	struct acl acl = { .count = 0 };

	add(&acl, ACL_USER_OBJ, owner, (unsigned)-1);
	add(&acl, ACL_USER, named, SOMEBODY);
	add(&acl, ACL_GROUP_OBJ, group, (unsigned)-1);
	add(&acl, ACL_MASK, mask, (unsigned)-1);
	add(&acl, ACL_OTHER, other, (unsigned)-1);
	return acl;
}

static int give(const char *path, const char *name, const struct acl *acl)
{
	return setxattr(path, name, &acl->bytes, bytes_of(acl), 0);
}

/* The permissions of the entry with the tag; -1: none. */
static int bits_of(const char *path, const char *name, unsigned tag)
{
	struct acl acl;
	ssize_t bytes = getxattr(path, name, &acl.bytes, sizeof(acl.bytes));
	size_t i;

	if (bytes < 4)
		return -1;
	for (i = 0; i < ((size_t)bytes - 4) / 8; i++)
		if (acl.bytes.entries[i].e_tag == tag)
			return acl.bytes.entries[i].e_perm;
	return -1;
}

static bool has_acls(void)
{
	struct acl acl = acl_of(7, 6, 5, 7, 0);

	touch("probe", 0644);
	if (give("probe", ACCESS, &acl) == 0)
		return true;
	not_here("no ACLs");
	return false;
}

static void acl_and_mode(void)
{
	struct acl acl = acl_of(7, 6, 5, 6, 0);
	struct acl plain = { .count = 0 };

	if (!has_acls())
		return;
	touch("file", 0640);
	WORKS(give("file", ACCESS, &acl));
	IS(mode_of("file") == 0760);
	WORKS(chmod("file", 0444));
	IS(bits_of("file", ACCESS, ACL_MASK) == 4);
	IS(bits_of("file", ACCESS, ACL_USER_OBJ) == 4);
	IS(bits_of("file", ACCESS, ACL_GROUP_OBJ) == 5);
	IS(bits_of("file", ACCESS, ACL_OTHER) == 4);
	IS(bits_of("file", ACCESS, ACL_USER) == 6);
	act_as(SOMEBODY, SOMEBODY, 0);
	WORKS(open("file", O_RDONLY));
	FAILS(EACCES, open("file", O_RDWR));
	act_as_root();
	WORKS(chmod("file", 0060));
	act_as(SOMEBODY, SOMEBODY, 0);
	WORKS(open("file", O_RDWR));
	FAILS(EPERM, give("file", ACCESS, &acl));
	act_as_root();
	add(&plain, ACL_USER_OBJ, 6, (unsigned)-1);
	add(&plain, ACL_GROUP_OBJ, 4, (unsigned)-1);
	add(&plain, ACL_OTHER, 0, (unsigned)-1);
	WORKS(give("file", ACCESS, &plain));
	IS(mode_of("file") == 0640 && !lists("file", ACCESS));
	WORKS(give("file", ACCESS, &acl));
	WORKS(removexattr("file", ACCESS));
	IS(bits_of("file", ACCESS, ACL_MASK) == -1);
	FAILS(EACCES, give("file", DEFAULT, &acl));
	WORKS(symlink("file", "link"));
	FAILS(EOPNOTSUPP,
	      lsetxattr("link", ACCESS, &acl.bytes, bytes_of(&acl), 0));
}

static void acl_is_checked(void)
{
	struct acl acl = acl_of(7, 6, 5, 6, 0);

	if (!has_acls())
		return;
	touch("file", 0640);
	acl.bytes.entries[4].e_tag = 77;
	FAILS(EINVAL, give("file", ACCESS, &acl));
	acl = acl_of(7, 6, 5, 6, 0);
	acl.count = 4;
	FAILS(EINVAL, give("file", ACCESS, &acl));
	acl = acl_of(7, 6, 5, 6, 9);
	FAILS(EINVAL, give("file", ACCESS, &acl));
	acl = acl_of(7, 6, 5, 6, 0);
	acl.bytes.header.a_version = 1;
	FAILS(EOPNOTSUPP, give("file", ACCESS, &acl));
	FAILS(EINVAL, setxattr("file", ACCESS, "abc", 3, 0));
	IS(mode_of("file") == 0640);
}

static void acl_is_inherited(void)
{
	struct acl acl = acl_of(7, 6, 5, 7, 1);

	if (!has_acls())
		return;
	WORKS(mkdir("dir", 0755));
	WORKS(give("dir", DEFAULT, &acl));
	IS(mode_of("dir") == 0755);
	umask(077);
	touch("dir/made", 0600);
	close(open("dir/file", O_CREAT | O_RDWR, 0666));
	IS(mode_of("dir/file") == 0660);
	IS(bits_of("dir/file", ACCESS, ACL_USER) == 6);
	IS(bits_of("dir/file", ACCESS, ACL_MASK) == 6);
	IS(bits_of("dir/file", ACCESS, ACL_GROUP_OBJ) == 5);
	WORKS(mkdir("dir/sub", 0777));
	IS(mode_of("dir/sub") == 0771);
	IS(bits_of("dir/sub", DEFAULT, ACL_USER) == 6);
	WORKS(mkdir("dir/sub/more", 0700));
	IS(bits_of("dir/sub/more", DEFAULT, ACL_MASK) == 7);
	IS(bits_of("dir/sub/more", ACCESS, ACL_MASK) == 0);
	WORKS(mkfifo("dir/fifo", 0666));
	IS(mode_of("dir/fifo") == 0660);
	WORKS(symlink("x", "dir/link"));
	IS(mode_of("dir/link") == 0777);
	close(open("dir", O_TMPFILE | O_RDWR, 0666));
	WORKS(removexattr("dir", DEFAULT));
	close(open("dir/plain", O_CREAT | O_RDWR, 0666));
	IS(mode_of("dir/plain") == 0600 && !lists("dir/plain", ACCESS));
	act_as(SOMEBODY, SOMEBODY, 0);
	WORKS(open("dir/file", O_RDWR));
	FAILS(EACCES, open("dir/sub/more", O_RDONLY));
	act_as_root();
}

static void acl_takes_setgid(void)
{
	struct acl acl = acl_of(7, 6, 5, 7, 1);

	if (!has_acls())
		return;
	touch("file", 0755);
	WORKS(chown("file", SOMEBODY, THEIR_GROUP));
	WORKS(chmod("file", 02755));
	act_as(SOMEBODY, SOMEBODY, 0);
	WORKS(give("file", ACCESS, &acl));
	act_as_root();
	IS(mode_of("file") == 0771);
	WORKS(chmod("file", 02755));
	WORKS(give("file", ACCESS, &acl));
	IS(mode_of("file") == 02771);
}

const struct check posix_xattr_checks[] = {
	{ "values of xattrs", values },
	{ "names of xattrs", names },
	{ "many xattrs", many },
	{ "kinds of xattrs", kinds },
	{ "xattrs of removed files", of_removed_files },
	{ "acl and mode", acl_and_mode },
	{ "acl is checked", acl_is_checked },
	{ "acl is inherited", acl_is_inherited },
	{ "acl takes setgid", acl_takes_setgid },
	{ 0 },
};

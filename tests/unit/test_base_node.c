/* The merged base by look-up: order, depth, numbers, mounts, A1, A2, A6. */
#include <linux/magic.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/vfs.h>

#include "layers_world.h"

enum { EXCHANGES = 10000 };

static void test_topmost_layer_that_has_a_name_decides(void **state)
{
	struct layers_world *world = *state;

	world_write(world, "3/all", "3");
	world_write(world, "2/all", "2");
	world_write(world, "1/all", "1");
	world_write(world, "3/low", "3");
	world_write(world, "2/low", "2");
	world_write(world, "3/lowest", "3");
	world_open(world, "123");
	assert_int_equal(world_layer(world, "all"), 1);
	assert_int_equal(world_layer(world, "low"), 2);
	assert_int_equal(world_layer(world, "lowest"), 3);
	assert_int_equal(world_layer(world, "none"), -ENOENT);
}

static void test_order_given_at_open_decides(void **state)
{
	struct layers_world *world = *state;

	world_write(world, "3/all", "3");
	world_write(world, "2/all", "2");
	world_write(world, "1/all", "1");
	world_open(world, "312");
	assert_int_equal(world_layer(world, "all"), 3);
	world_close(world);
	world_open(world, "21");
	assert_int_equal(world_layer(world, "all"), 2);
}

static void test_directories_merge_at_every_depth(void **state)
{
	struct layers_world *world = *state;
	struct base_node *node;
	struct base_stat stat;

	world_mkdir(world, "1/a");
	world_mkdir(world, "1/a/b");
	world_mkdir(world, "2/a");
	world_mkdir(world, "2/a/b");
	world_mkdir(world, "2/a/b/c");
	world_mkdir(world, "3/a");
	world_mkdir(world, "3/a/b");
	world_mkdir(world, "3/a/b/c");
	world_write(world, "1/a/b/one", "");
	world_write(world, "2/a/b/c/two", "");
	world_write(world, "3/a/b/c/three", "");
	world_open(world, "123");
	assert_int_equal(world_layer(world, "a/b/one"), 1);
	assert_int_equal(world_layer(world, "a/b/c"), 2);
	assert_int_equal(world_layer(world, "a/b/c/two"), 2);
	assert_int_equal(world_layer(world, "a/b/c/three"), 3);
	node = world_node(world, "a/b", &stat);
	assert_int_equal(stat.layer, 1);
	assert_int_equal(stat.inode,
			 base_number(1, world_inode(world, "1/a/b")));
	assert_int_equal(stat.stat.st_nlink, 1); /* nobody counts them */
	base_node_put(node);
}

static void test_file_hides_directory_and_ends_the_merge(void **state)
{
	struct layers_world *world = *state;

	world_mkdir(world, "1/x");
	world_write(world, "1/x/one", "");
	world_write(world, "2/x", "a file");
	world_mkdir(world, "3/x");
	world_write(world, "3/x/three", "");
	world_open(world, "123");
	assert_int_equal(world_layer(world, "x/one"), 1);
	assert_int_equal(world_layer(world, "x/three"), -ENOENT);
	world_close(world);
	world_open(world, "231");
	assert_int_equal(world_layer(world, "x"), 2);
	assert_int_equal(world_layer(world, "x/one"), -ENOTDIR);
}

static void test_older_stack_is_looked_into_by_layer(void **state)
{
	struct layers_world *world = *state;
	struct base_node *node, *below;
	struct base_stat stat;

	world_write(world, "1/d", "hides");
	world_mkdir(world, "2/d");
	world_mkdir(world, "3/d");
	world_write(world, "3/d/f", "");
	world_open(world, "123");
	assert_int_equal(base_lookup_in(world->top, "d", 2, &node, &stat), 0);
	assert_int_equal(stat.layer, 2);
	assert_int_equal(base_node_layer(node), 2);
	assert_int_equal(base_lookup(node, "f", &below, &stat), 0);
	assert_int_equal(stat.layer, 3);
	base_node_put(below);
	assert_int_equal(base_lookup_in(node, "f", 2, &below, &stat), -ENOENT);
	assert_int_equal(base_lookup_in(node, "f", 1, &below, &stat), -ENOENT);
	assert_int_equal(base_lookup_in(node, "f", 9, &below, &stat), -ENOENT);
	base_node_put(node);
}

static void test_names_that_lead_elsewhere_are_refused(void **state)
{
	struct layers_world *world = *state;
	char name[NAME_MAX + 2];
	struct base_node *node;
	struct base_stat stat;
	static const char *const bad[] = { "", ".", "..", "/", "a/..", "1/" };
	size_t i;

	world_open(world, "123");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(base_lookup(world->top, bad[i], &node, &stat),
				 -EINVAL);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(base_lookup(world->top, name, &node, &stat),
			 -ENAMETOOLONG);
	name[NAME_MAX] = '\0';
	assert_int_equal(base_lookup(world->top, name, &node, &stat), -ENOENT);
}

static void test_names_are_bytes_up_to_255(void **state)
{
	struct layers_world *world = *state;
	char name[NAME_MAX + 1], path[NAME_MAX + 3];
	struct base_node *node;
	struct base_stat stat;
	size_t i;

	for (i = 0; i < NAME_MAX; i++)
		name[i] = (char)(i == '/' || i == 0 ? 0xff : i);
	name[NAME_MAX] = '\0';
	snprintf(path, sizeof(path), "1/%s", name);
	world_write(world, path, "bytes");
	world_open(world, "123");
	assert_int_equal(base_lookup(world->top, name, &node, &stat), 0);
	assert_string_equal(base_node_name(node), name);
	assert_int_equal(stat.stat.st_size, 5);
	base_node_put(node);
}

static void test_stat_tells_what_the_layer_has(void **state)
{
	struct layers_world *world = *state;
	struct base_stat stat, again;
	struct base_node *node;
	struct stat st;

	world_write(world, "2/f", "12345");
	assert_int_equal(fchmodat(world->fd, "2/f", 04755, 0), 0);
	world_open(world, "123");
	assert_int_equal(fstatat(world->fd, "2/f", &st, 0), 0);
	node = world_node(world, "f", &stat);
	assert_int_equal(stat.stat.st_mode, S_IFREG | 04755);
	assert_int_equal(stat.stat.st_dev, st.st_dev);
	assert_int_equal(stat.stat.st_ino, st.st_ino);
	assert_int_equal(stat.stat.st_size, 5);
	assert_int_equal(stat.stat.st_blocks, st.st_blocks);
	assert_int_equal(stat.stat.st_uid, st.st_uid);
	assert_memory_equal(&stat.stat.st_mtim, &st.st_mtim,
			    sizeof(st.st_mtim));
	assert_memory_equal(&stat.stat.st_ctim, &st.st_ctim,
			    sizeof(st.st_ctim));
	assert_false(stat.mounted_over);
	assert_int_equal(base_stat(node, &again), 0);
	assert_memory_equal(&again, &stat, sizeof(stat));
	base_node_put(node);
	assert_int_equal(base_stat(world->top, &again), 0);
	assert_int_equal(again.inode, 1);
	assert_int_equal(again.stat.st_ino, world_inode(world, "1"));
}

static void test_number_keeps_layer_and_small_inodes(void **state)
{
	uint64_t big = UINT64_C(1) << 39;

	(void)state;
	assert_true(base_number(1, 2) == (UINT64_C(1) << 40 | 2));
	assert_true(base_number(255, big - 1) ==
		    (UINT64_C(255) << 40 | (big - 1)));
	assert_true(base_number(3, big) >> 39 == 7);
	assert_true(base_number(3, big) != base_number(3, big + 1));
	assert_true(base_number(3, UINT64_MAX) >> 39 == 7);
}

static void test_symlinks_are_never_followed(void **state)
{
	struct layers_world *world = *state;
	struct base_node *node, *below;
	struct base_stat stat;

	world_mkdir(world, "1/dir");
	world_write(world, "1/dir/f", "");
	world_mkdir(world, "3/in");
	world_write(world, "3/in/f", "");
	assert_int_equal(symlinkat("dir", world->fd, "1/in"), 0);
	assert_int_equal(symlinkat("/etc", world->fd, "1/out"), 0);
	world_open(world, "123");
	node = world_node(world, "in", &stat);
	assert_true(S_ISLNK(stat.stat.st_mode));
	assert_int_equal(base_lookup(node, "f", &below, &stat), -ENOTDIR);
	base_node_put(node);
	node = world_node(world, "out", &stat);
	assert_true(S_ISLNK(stat.stat.st_mode));
	assert_int_equal(base_lookup(node, "passwd", &below, &stat), -ENOTDIR);
	base_node_put(node);
}

static void test_special_files_are_only_looked_at(void **state)
{
	struct layers_world *world = *state;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int socket_fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct base_stat stat;
	struct base_node *node;
	struct base_file *file;

	assert_int_equal(mkfifoat(world->fd, "1/fifo", 0666), 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/1/socket",
		 world->root);
	assert_int_equal(bind(socket_fd, (struct sockaddr *)&address,
			      sizeof(address)),
			 0);
	close(socket_fd);
	world_open(world, "123");
	node = world_node(world, "fifo", &stat);
	assert_true(S_ISFIFO(stat.stat.st_mode));
	assert_int_equal(base_file_open(node, &stat, &file), -EINVAL);
	base_node_put(node);
	node = world_node(world, "socket", &stat);
	assert_true(S_ISSOCK(stat.stat.st_mode));
	assert_int_equal(base_file_open(node, &stat, &file), -EINVAL);
	base_node_put(node);
}

static void test_device_numbers_are_told(void **state)
{
	struct layers_world *world = *state;
	struct base_stat stat;
	struct base_node *node;

	if (geteuid() != 0)
		skip();
	if (mknodat(world->fd, "1/dev", S_IFCHR | 0600, (dev_t)(300 << 8 | 5)) <
	    0)
		skip(); /* not allowed here */
	world_open(world, "123");
	node = world_node(world, "dev", &stat);
	assert_true(S_ISCHR(stat.stat.st_mode));
	assert_int_equal(stat.stat.st_rdev, 300 << 8 | 5);
	base_node_put(node);
}

static void test_kind_that_changed_is_stale(void **state)
{
	struct layers_world *world = *state;
	struct layers_changes changes;
	struct base_node *node, *below;
	struct base_stat stat;

	world_mkdir(world, "2/d");
	world_mkdir(world, "2/d/e");
	world_open(world, "123");
	node = world_node(world, "d/e", &stat);
	assert_int_equal(unlinkat(world->fd, "2/d/e", AT_REMOVEDIR), 0);
	assert_int_equal(base_stat(node, &stat), -ESTALE);
	assert_int_equal(base_lookup(node, "x", &below, &stat), -ESTALE);
	world_write(world, "2/d/e", "a file");
	assert_int_equal(base_stat(node, &stat), -ESTALE);
	layers_changes(world->layers, &changes);
	assert_int_equal(changes.count, 1);
	assert_int_equal(changes.layer, 2);
	assert_string_equal(changes.path, "/d/e");
	base_node_put(node);
}

static void test_path_is_told_and_cut_in_front(void **state)
{
	struct layers_world *world = *state;
	struct base_node *node;
	struct base_stat stat;
	char path[16];

	world_mkdir(world, "1/directory");
	world_mkdir(world, "1/directory/b");
	world_write(world, "1/directory/b/f", "");
	world_open(world, "1");
	node = world_node(world, "directory/b/f", &stat);
	base_node_path(node, path, sizeof(path));
	assert_string_equal(path, ".../b/f");
	base_node_path(base_node_parent(base_node_parent(node)), path,
		       sizeof(path));
	assert_string_equal(path, "/directory");
	base_node_path(world->top, path, sizeof(path));
	assert_string_equal(path, "/");
	base_node_put(node);
}

static void test_daemon_without_permission_is_told(void **state)
{
	struct layers_world *world = *state;
	struct base_node *node;
	struct base_stat stat;
	int rc;

	world_mkdir(world, "1/closed");
	world_write(world, "1/closed/f", "");
	world_open(world, "1");
	node = world_node(world, "closed", &stat);
	assert_int_equal(fchmodat(world->fd, "1/closed", 0, 0), 0);
	if (geteuid() == 0)
		assert_int_equal(seteuid(65534), 0);
	rc = base_stat(node, &stat);
	if (rc == 0) { /* the world itself is 0700 but for its owner */
		struct base_node *below;

		rc = base_lookup(node, "f", &below, &stat);
	}
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(rc, -EACCES);
	base_node_put(node);
}

/* A mount namespace of our own, which dies with us. */
static void make_mounts_private(struct layers_world *world)
{
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		skip();
	close(world->fd); /* it is in the other one */
	world->fd = open(world->root, O_RDONLY | O_DIRECTORY);
	assert_true(world->fd >= 0);
}

static void test_mounts_read_as_empty(void **state)
{
	struct layers_world *world = *state;
	struct base_node *node, *below;
	struct base_stat stat;
	struct base_file *file;
	char path[WORLD_PATH], from[WORLD_PATH], byte = 'x';
	ino_t directory, regular;

	make_mounts_private(world);
	world_mkdir(world, "1/m");
	world_mkdir(world, "2/m");
	world_write(world, "1/m/hidden", "");
	world_write(world, "2/m/below", "");
	world_write(world, "1/f", "of base");
	world_write(world, "outside", "of another");
	world_mkdir(world, "1/same");
	directory = world_inode(world, "1/m");
	regular = world_inode(world, "1/f");
	snprintf(path, sizeof(path), "%s/1/m", world->root);
	assert_int_equal(mount("none", path, "tmpfs", 0, NULL), 0);
	world_write(world, "1/m/mounted", "");
	snprintf(path, sizeof(path), "%s/1/f", world->root);
	snprintf(from, sizeof(from), "%s/outside", world->root);
	assert_int_equal(mount(from, path, NULL, MS_BIND, NULL), 0);
	snprintf(path, sizeof(path), "%s/1/same", world->root);
	assert_int_equal(mount(world->root, path, NULL, MS_BIND, NULL), 0);
	world_open(world, "12");
	node = world_node(world, "m", &stat);
	assert_true(stat.mounted_over);
	assert_true(S_ISDIR(stat.stat.st_mode));
	assert_int_equal(stat.inode, base_number(1, directory));
	assert_int_equal(base_lookup(node, "mounted", &below, &stat), -ENOENT);
	assert_int_equal(base_lookup(node, "hidden", &below, &stat), -ENOENT);
	assert_int_equal(base_lookup(node, "below", &below, &stat), 0);
	base_node_put(below);
	base_node_put(node);
	/* A bind of the same file system has the same device number. */
	assert_int_equal(world_layer(world, "same/outside"), -ENOENT);
	node = world_node(world, "f", &stat);
	assert_true(stat.mounted_over);
	assert_int_equal(stat.stat.st_size, 0);
	assert_int_equal(stat.inode, base_number(1, regular));
	assert_int_equal(base_file_open(node, &stat, &file), 0);
	assert_int_equal(base_file_read(file, 0, &byte, 1), 0);
	assert_int_equal(byte, 0);
	base_file_close(file);
	base_node_put(node);
	umount2(path, MNT_DETACH);
	snprintf(path, sizeof(path), "%s/1/f", world->root);
	umount2(path, MNT_DETACH);
	snprintf(path, sizeof(path), "%s/1/m", world->root);
	umount2(path, MNT_DETACH);
}

static void test_mount_that_comes_later_is_not_entered(void **state)
{
	struct layers_world *world = *state;
	struct base_node *node, *deep, *below;
	struct base_stat stat;
	char path[WORLD_PATH];

	make_mounts_private(world);
	world_mkdir(world, "1/m");
	world_mkdir(world, "1/m/d");
	world_open(world, "1");
	node = world_node(world, "m", &stat);
	deep = world_node(world, "m/d", &stat);
	base_node_put(node); /* with its descriptor, as deep has its own */
	snprintf(path, sizeof(path), "%s/1/m", world->root);
	assert_int_equal(mount("none", path, "tmpfs", 0, NULL), 0);
	world_mkdir(world, "1/m/d");
	world_write(world, "1/m/d/mounted", "");
	assert_int_equal(base_lookup(deep, "mounted", &below, &stat), -ENOENT);
	base_node_put(deep);
	umount2(path, MNT_DETACH);
}

/* A FUSE mount that nobody answers: who asks it waits for ever. */
static void test_mount_that_hangs_or_is_dead_is_not_asked(void **state)
{
	struct layers_world *world = *state;
	int fuse_fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	char path[WORLD_PATH], options[64];
	struct base_node *node;
	struct base_stat stat;
	struct statfs fs;
	ino_t inode;

	make_mounts_private(world);
	if (fuse_fd < 0 || fstatfs(world->fd, &fs) < 0 ||
	    (fs.f_type != EXT4_SUPER_MAGIC && fs.f_type != TMPFS_MAGIC))
		skip();
	world_mkdir(world, "1/m");
	world_open(world, "1");
	inode = world_inode(world, "1/m");
	snprintf(path, sizeof(path), "%s/1/m", world->root);
	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=40000,user_id=0,group_id=0", fuse_fd);
	assert_int_equal(mount("none", path, "fuse", 0, options), 0);
	alarm(30);
	node = world_node(world, "m", &stat);
	assert_true(stat.mounted_over);
	assert_int_equal(stat.inode, base_number(1, inode));
	base_node_put(node);
	close(fuse_fd);
	node = world_node(world, "m", &stat);
	assert_true(stat.mounted_over);
	assert_true(S_ISDIR(stat.stat.st_mode));
	assert_int_equal(stat.inode, base_number(1, inode));
	base_node_put(node);
	/* Not even its attributes are for others. */
	assert_int_equal(chmod(world->root, 0755), 0);
	assert_int_equal(seteuid(65534), 0);
	node = world_node(world, "m", &stat);
	assert_int_equal(seteuid(0), 0);
	assert_true(stat.mounted_over);
	assert_int_equal(stat.stat.st_mode, S_IFDIR | 0555);
	assert_int_equal(stat.inode, base_number(1, inode));
	base_node_put(node);
	alarm(0);
	assert_int_equal(umount2(path, MNT_DETACH), 0);
}

/* What needs it says so; the rest works. */
static void test_daemon_without_proc_reads_data(void **state)
{
	struct layers_world *world = *state;
	struct base_file *file;
	struct base_node *node;
	struct base_stat stat;
	char bytes[4];
	size_t value_bytes;

	make_mounts_private(world);
	world_write(world, "1/f", "data");
	world_open(world, "1");
	assert_int_equal(mount("none", "/proc", "tmpfs", 0, NULL), 0);
	file = world_file(world, "f");
	assert_int_equal(base_file_read(file, 0, bytes, 4), 0);
	assert_memory_equal(bytes, "data", 4);
	base_file_close(file);
	node = world_node(world, "f", &stat);
	assert_int_equal(base_list_xattr(node, NULL, 0, &value_bytes),
			 -ENOTSUP);
	base_node_put(node);
	assert_int_equal(umount("/proc"), 0);
}

struct attack {
	struct layers_world *world;
	int done; /* atomic */
};

static void *exchange(void *context)
{
	struct attack *attack = context;
	int i;

	for (i = 0; i < EXCHANGES; i++) {
		(void)renameat2(attack->world->fd, "1/d", attack->world->fd,
				"1/l", RENAME_EXCHANGE);
		(void)renameat2(attack->world->fd, "1/d/sub", attack->world->fd,
				"1/d/link", RENAME_EXCHANGE);
	}
	__atomic_store_n(&attack->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* Whatever the attacker does, no byte but of base. */
static void read_one(struct layers_world *world, const char *path,
		     unsigned *inside)
{
	struct base_file *file = NULL;
	struct base_node *node = NULL;
	struct base_stat stat;
	char byte;
	int rc = world_find(world, path, &node, &stat);

	if (rc < 0)
		return;
	if (S_ISREG(stat.stat.st_mode) &&
	    base_file_open(node, &stat, &file) == 0 &&
	    base_file_read(file, 0, &byte, 1) == 0) {
		assert_int_equal(byte, 'i');
		(*inside)++;
	}
	base_file_close(file);
	base_node_put(node);
}

static void test_renames_in_a_loop_never_lead_outside(void **state)
{
	struct layers_world *world = *state;
	struct attack attack = { .world = world };
	unsigned inside = 0;
	pthread_t thread;

	world_mkdir(world, "outside");
	world_mkdir(world, "outside/sub");
	world_write(world, "outside/f", "outside");
	world_write(world, "outside/sub/f", "outside");
	world_mkdir(world, "1/d");
	world_mkdir(world, "1/d/sub");
	world_write(world, "1/d/f", "inside");
	world_write(world, "1/d/sub/f", "inside");
	assert_int_equal(symlinkat("../outside", world->fd, "1/l"), 0);
	assert_int_equal(symlinkat("../../outside/sub", world->fd, "1/d/link"),
			 0);
	world_open(world, "1");
	assert_int_equal(pthread_create(&thread, NULL, exchange, &attack), 0);
	while (!__atomic_load_n(&attack.done, __ATOMIC_ACQUIRE)) {
		read_one(world, "d/f", &inside);
		read_one(world, "l/f", &inside);
		read_one(world, "d/sub/f", &inside);
		read_one(world, "d/link/f", &inside);
	}
	pthread_join(thread, NULL);
	assert_true(inside > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_number_keeps_layer_and_small_inodes),
#define WORLD_TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
		WORLD_TEST(test_topmost_layer_that_has_a_name_decides),
		WORLD_TEST(test_order_given_at_open_decides),
		WORLD_TEST(test_directories_merge_at_every_depth),
		WORLD_TEST(test_file_hides_directory_and_ends_the_merge),
		WORLD_TEST(test_older_stack_is_looked_into_by_layer),
		WORLD_TEST(test_names_that_lead_elsewhere_are_refused),
		WORLD_TEST(test_names_are_bytes_up_to_255),
		WORLD_TEST(test_stat_tells_what_the_layer_has),
		WORLD_TEST(test_symlinks_are_never_followed),
		WORLD_TEST(test_special_files_are_only_looked_at),
		WORLD_TEST(test_device_numbers_are_told),
		WORLD_TEST(test_kind_that_changed_is_stale),
		WORLD_TEST(test_path_is_told_and_cut_in_front),
		WORLD_TEST(test_daemon_without_permission_is_told),
		WORLD_TEST(test_renames_in_a_loop_never_lead_outside),
		WORLD_TEST(test_mounts_read_as_empty),
		WORLD_TEST(test_mount_that_hangs_or_is_dead_is_not_asked),
		WORLD_TEST(test_daemon_without_proc_reads_data),
		WORLD_TEST(test_mount_that_comes_later_is_not_entered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

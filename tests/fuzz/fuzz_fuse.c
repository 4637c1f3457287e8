/*
 * Requests on a mounted tree as they come from /dev/fuse (A23): any node,
 * offset, size, mode and name, in any order, through mount_wire.c and libfuse.
 * Each is as long as it says and its names end, as the kernel sees to it;
 * handles are those that were given out. Each request is answered once.
 *
 * Input: the flags of INIT, then requests of a byte for the operation, one for
 * the node, one for how many bytes follow, and these: the body.
 */
#include <linux/fuse.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "mount_impl.h"
#include "mount_wire.h"
#include "store_layers.h"
#include "wire_statx.h"

#include "fuzz_assert.h"
#include "fuzz_mutate.h"
#include "fuzz_pair.h"
#include "fuzz_store.h"

enum { BODY_BYTES = 4096, NODES_MAX = 64, HANDLES_MAX = 16 };
enum { REQUESTS_MAX = 200, SIZE_MAX_BYTES = 128 << 10 };

static const struct operation {
	uint32_t opcode;
	int struct_bytes;
	int fh_at;   /* -1: has none */
	int size_at; /* -1: has none */
	int node_at; /* of another node; -1 */
	bool answered;
} operations[] = {
	{ FUSE_LOOKUP, 0, -1, -1, -1, true },
	{ FUSE_FORGET, 8, -1, -1, -1, false },
	{ FUSE_GETATTR, 16, 8, -1, -1, true },
	{ FUSE_SETATTR, 88, 8, -1, -1, true },
	{ FUSE_READLINK, 0, -1, -1, -1, true },
	{ FUSE_SYMLINK, 0, -1, -1, -1, true },
	{ FUSE_MKNOD, 16, -1, -1, -1, true },
	{ FUSE_MKDIR, 8, -1, -1, -1, true },
	{ FUSE_UNLINK, 0, -1, -1, -1, true },
	{ FUSE_RMDIR, 0, -1, -1, -1, true },
	{ FUSE_RENAME, 8, -1, -1, 0, true },
	{ FUSE_LINK, 8, -1, -1, 0, true },
	{ FUSE_OPEN, 8, -1, -1, -1, true },
	{ FUSE_READ, 40, 0, 16, -1, true },
	{ FUSE_WRITE, 40, 0, 16, -1, true },
	{ FUSE_STATFS, 0, -1, -1, -1, true },
	{ FUSE_RELEASE, 24, 0, -1, -1, true },
	{ FUSE_FSYNC, 16, 0, -1, -1, true },
	{ FUSE_SETXATTR, 8, -1, 0, -1, true },
	{ FUSE_GETXATTR, 8, -1, 0, -1, true },
	{ FUSE_LISTXATTR, 8, -1, 0, -1, true },
	{ FUSE_REMOVEXATTR, 0, -1, -1, -1, true },
	{ FUSE_OPENDIR, 8, -1, -1, -1, true },
	{ FUSE_READDIR, 40, -1, 16, -1, true },
	{ FUSE_RELEASEDIR, 24, -1, -1, -1, true },
	{ FUSE_FSYNCDIR, 16, -1, -1, -1, true },
	{ FUSE_ACCESS, 8, -1, -1, -1, true },
	{ FUSE_CREATE, 16, -1, -1, -1, true },
	{ FUSE_BATCH_FORGET, 8, -1, 0, -1, false },
	{ FUSE_FALLOCATE, 32, 0, -1, -1, true },
	{ FUSE_READDIRPLUS, 40, -1, 16, -1, true },
	{ FUSE_RENAME2, 16, -1, -1, 0, true },
	{ FUSE_LSEEK, 24, 0, -1, -1, true },
	{ FUSE_COPY_FILE_RANGE, 56, 0, -1, -1, true },
	{ FUSE_IOCTL, 32, 0, 24, -1, true },
	{ FUSE_TMPFILE, 16, -1, -1, -1, true },
	{ WIRE_STATX_OPCODE, 16, -1, -1, -1, true },
	{ 60, 0, -1, -1, -1, true }, /* there is none */
};
enum { OPERATIONS = sizeof(operations) / sizeof(operations[0]) };

struct opened {
	uint64_t fh, node;
};

static struct fuzz_store made;
static int fds[2]; /* ours; the kernel's */
static struct mount *mount;
static uint64_t nodes[NODES_MAX], unique;
static struct opened handles[HANDLES_MAX];
static size_t node_count, handle_count;

int __wrap_fuse_session_fd(struct fuse_session *session);
int __wrap_fuse_session_fd(struct fuse_session *session)
{
	(void)session;
	return fds[0];
}

static void idle(void *context)
{
	(void)context;
}

static void know_node(uint64_t node)
{
	if (node && node_count < NODES_MAX)
		nodes[node_count++] = node;
}

static void know_handle(uint64_t fh, uint64_t node)
{
	FUZZ_ASSERT(handle_count < HANDLES_MAX);
	handles[handle_count++] = (struct opened){ fh, node };
}

/* What the kernel keeps of an answer. */
static void take_answer(uint32_t opcode, uint64_t node, const uint8_t *bytes,
			size_t len_bytes)
{
	struct fuse_entry_out entry = { 0 };
	struct fuse_open_out out = { 0 };

	if (opcode == FUSE_OPEN && len_bytes >= sizeof(out)) {
		memcpy(&out, bytes, sizeof(out));
		know_handle(out.fh, node);
	}
	if (opcode != FUSE_LOOKUP && opcode != FUSE_CREATE &&
	    opcode != FUSE_MKDIR && opcode != FUSE_MKNOD &&
	    opcode != FUSE_SYMLINK && opcode != FUSE_LINK &&
	    opcode != FUSE_TMPFILE)
		return;
	if (len_bytes < sizeof(entry))
		return;
	memcpy(&entry, bytes, sizeof(entry));
	know_node(entry.nodeid);
	if (len_bytes >= sizeof(entry) + sizeof(out)) {
		memcpy(&out, bytes + sizeof(entry), sizeof(out));
		know_handle(out.fh, entry.nodeid);
	}
}

/* How many answers there are to the request; notifications have no number. */
static unsigned take_answers(uint32_t opcode, uint64_t node)
{
	static uint8_t bytes[(1 << 20) + 8192];
	struct fuse_out_header header;
	unsigned count = 0;
	ssize_t n;

	while ((n = read(fds[1], bytes, sizeof(bytes))) > 0) {
		FUZZ_ASSERT((size_t)n >= sizeof(header));
		memcpy(&header, bytes, sizeof(header));
		FUZZ_ASSERT(header.len == (size_t)n);
		if (header.unique == 0)
			continue;
		FUZZ_ASSERT(header.unique == unique);
		FUZZ_ASSERT(header.error <= 0 && header.error > -1000);
		count++;
		if (header.error == 0)
			take_answer(opcode, node, bytes + sizeof(header),
				    (size_t)n - sizeof(header));
	}
	return count;
}

static unsigned ask(uint32_t opcode, uint64_t node, uint32_t uid,
		    const uint8_t *body, size_t body_bytes)
{
	static uint8_t bytes[sizeof(struct fuse_in_header) + BODY_BYTES];
	struct fuse_in_header header = {
		.len = (uint32_t)(sizeof(header) + body_bytes),
		.opcode = opcode,
		.unique = ++unique,
		.nodeid = node,
		.uid = uid,
		.gid = uid,
		.pid = (uint32_t)getpid(),
	};
	struct fuse_buf buffer = { .mem = NULL };
	struct pollfd answer = { .fd = fds[1], .events = POLLIN };

	memcpy(bytes, &header, sizeof(header));
	memcpy(bytes + sizeof(header), body, body_bytes);
	FUZZ_ASSERT(write(fds[1], bytes, header.len) == (ssize_t)header.len);
	FUZZ_ASSERT(fuse_session_receive_buf(mount->session, &buffer) ==
		    (int)header.len);
	fuse_session_process_buf(mount->session, &buffer);
	free(buffer.mem);
	/* That may be answered by another thread. */
	if (opcode == FUSE_LSEEK)
		FUZZ_ASSERT(poll(&answer, 1, 20000) == 1);
	return take_answers(opcode, node);
}

static uint32_t get_u32(const uint8_t *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

static void put_u32(uint8_t *bytes, uint32_t value)
{
	memcpy(bytes, &value, sizeof(value));
}

/* No more than there is behind, nor than the kernel would ask for. */
static void bound_size(const struct operation *operation, uint8_t *body,
		       size_t behind_bytes)
{
	uint8_t *at = body + operation->size_at;
	uint32_t most = SIZE_MAX_BYTES;

	if (operation->opcode == FUSE_WRITE)
		most = (uint32_t)behind_bytes;
	else if (operation->opcode == FUSE_BATCH_FORGET)
		most = (uint32_t)(behind_bytes /
				  sizeof(struct fuse_forget_one));
	else if (operation->opcode == FUSE_SETXATTR) /* behind its name */
		most = behind_bytes > 256 ? (uint32_t)behind_bytes - 256 : 0;
	else if (operation->opcode == FUSE_IOCTL)
		most = (uint32_t)behind_bytes;
	if (get_u32(at) > most)
		put_u32(at, most ? get_u32(at) % most : 0);
	if (operation->opcode == FUSE_IOCTL && get_u32(at + 4) > 4096)
		put_u32(at + 4, 4096);
}

/* False: it can't come now. */
static bool set_handles(const struct operation *operation, uint8_t selector,
			uint8_t *body, uint64_t *node)
{
	const struct opened *opened =
		handle_count ? &handles[selector % handle_count] : NULL;
	bool optional = operation->opcode == FUSE_GETATTR ||
			operation->opcode == FUSE_SETATTR;
	uint32_t flag = operation->opcode == FUSE_GETATTR ? FUSE_GETATTR_FH :
							    FATTR_FH;

	if (operation->fh_at < 0)
		return true;
	if (optional && (!opened || !(get_u32(body) & flag))) {
		put_u32(body, get_u32(body) & ~flag);
		return true;
	}
	if (!opened)
		return false;
	*node = opened->node;
	memcpy(body + operation->fh_at, &opened->fh, sizeof(opened->fh));
	if (operation->opcode == FUSE_COPY_FILE_RANGE) {
		opened = &handles[body[16] % handle_count];
		memcpy(body + 16, &opened->node, sizeof(opened->node));
		memcpy(body + 24, &opened->fh, sizeof(opened->fh));
	}
	return true;
}

static uint64_t pick_node(uint8_t selector, const uint8_t *raw)
{
	uint64_t node;

	if (selector < 200)
		return node_count ? nodes[selector % node_count] : FUSE_ROOT_ID;
	if (selector < 220)
		return selector - 199U;
	memcpy(&node, raw, sizeof(node));
	/* Of a slot that may be. */
	return selector < 240 ? node & ((UINT64_C(1) << 48) - 1) : node;
}

static void request(uint8_t nr, uint8_t selector, const uint8_t *data,
		    size_t len_bytes)
{
	const struct operation *operation = &operations[nr % OPERATIONS];
	/* Zeros behind it end every name. */
	uint8_t body[BODY_BYTES] = { 0 };
	size_t body_bytes = (size_t)operation->struct_bytes + len_bytes + 520;
	uint64_t node, other;
	unsigned answers;

	memcpy(body, data, len_bytes);
	node = pick_node(selector, body);
	if (operation->node_at >= 0) {
		other = pick_node(body[operation->node_at], body + 8);
		memcpy(body + operation->node_at, &other, sizeof(other));
	}
	if (!set_handles(operation, selector, body, &node))
		return;
	if (operation->size_at >= 0)
		bound_size(operation, body,
			   body_bytes - (size_t)operation->struct_bytes);
	if ((operation->opcode == FUSE_OPEN ||
	     operation->opcode == FUSE_CREATE ||
	     operation->opcode == FUSE_TMPFILE) &&
	    handle_count == HANDLES_MAX)
		return;
	answers = ask(operation->opcode, node, nr & 0x80 ? 1000 : 0, body,
		      body_bytes);
	FUZZ_ASSERT(answers == (operation->answered ? 1 : 0));
	if (operation->opcode == FUSE_RELEASE)
		handles[selector % handle_count] = handles[handle_count - 1];
	handle_count -= operation->opcode == FUSE_RELEASE;
}

static void begin(uint32_t flags, struct store **out_store,
		  struct mounts **out_mounts)
{
	struct fuse_init_in init = {
		.major = 7,
		.minor = 36,
		.max_readahead = 131072,
		.flags = flags,
	};
	uint8_t body[sizeof(init)];

	fuzz_store_put_back(&made);
	FUZZ_ASSERT(store_open(made.path, NULL, out_store, NULL) == 0);
	FUZZ_ASSERT(mounts_new(*out_store, idle, NULL, out_mounts) == 0);
	FUZZ_ASSERT(mount_new(*out_mounts, &mount) == 0);
	pair_new(fds);
	snprintf(mount->branch, sizeof(mount->branch), "main");
	mount->front = &tree_front;
	FUZZ_ASSERT(view_open_branch(*out_store, "main", &mount->view, NULL) ==
		    0);
	FUZZ_ASSERT(mount_options_parse(&mount->options, NULL, NULL) == 0);
	FUZZ_ASSERT(mount_options_finish(&mount->options, "fuzz", true, NULL) ==
		    0);
	FUZZ_ASSERT(mount->front->open(mount, NULL) == 0);
	mount->session = fuse_session_new(&mount->options.arguments,
					  mount->front->requests,
					  sizeof(*mount->front->requests),
					  mount);
	FUZZ_ASSERT(mount->session && wire_attach(mount) == 0);
	node_count = handle_count = 0;
	know_node(FUSE_ROOT_ID);
	memcpy(body, &init, sizeof(init));
	FUZZ_ASSERT(ask(FUSE_INIT, 0, 0, body, sizeof(body)) == 1);
}

static void wait_for_threads(struct mounts *mounts)
{
	unsigned users;

	do {
		mutex_lock(&mounts->lock);
		users = mounts->users;
		mutex_unlock(&mounts->lock);
	} while (users > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	struct mounts *mounts;
	struct store *store;
	unsigned count = 0;
	uint32_t flags;
	size_t n;

	if (!made.file_count)
		fuzz_store_new(&made, true);
	if (len_bytes < sizeof(flags))
		return 0;
	begin(get_u32(data), &store, &mounts);
	data += sizeof(flags);
	len_bytes -= sizeof(flags);
	while (len_bytes >= 3 && count++ < REQUESTS_MAX) {
		n = data[2] < len_bytes - 3 ? data[2] : len_bytes - 3;
		request(data[0], data[1], data + 3, n);
		data += 3 + n;
		len_bytes -= 3 + n;
	}
	wait_for_threads(mounts);
	mount_free(mount);
	mounts_free(mounts);
	close(fds[1]);
	store_abandon(store);
	return 0;
}

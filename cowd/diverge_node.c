/*
 * Nodes: what the kernel knows, as parents and names.
 *
 * I1: a parent stays as long as a node below it, so that every node has a
 *     path, or, once its name is gone, none.
 * I2: a name leads to one node at most: that of who looked it up last.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "diverge_front.h"

/* The key of a name. */
struct diverge_name {
	fuse_ino_t parent;
	char text[];
};

static size_t key_bytes(const char *name)
{
	return offsetof(struct diverge_name, text) + strlen(name);
}

static struct diverge_name *new_name_of(const struct diverge_node *parent,
					const char *text)
{
	struct diverge_name *name = malloc(key_bytes(text) + 1);

	if (name) {
		name->parent = parent->id;
		memcpy(name->text, text, strlen(text) + 1);
	}
	return name;
}

static struct diverge_node *find_named(struct diverge *diverge,
				       const struct diverge_node *parent,
				       const char *text) REQUIRES(diverge->lock)
{
	struct diverge_name *name = new_name_of(parent, text);
	struct diverge_node *node = NULL;

	if (name)
		HASH_FIND(by_name, diverge->named, name, key_bytes(text), node);
	free(name);
	return node;
}

static void set_name(struct diverge *diverge, struct diverge_node *node,
		     struct diverge_node *parent, struct diverge_name *name)
	REQUIRES(diverge->lock)
{
	node->parent = parent;
	node->name = name;
	parent->references++; /* I1 */
	HASH_ADD_KEYPTR(by_name, diverge->named, node->name,
			key_bytes(name->text), node);
}

/* Returns the parent, of which a reference is to be put. */
static struct diverge_node *take_name(struct diverge *diverge,
				      struct diverge_node *node)
	REQUIRES(diverge->lock)
{
	struct diverge_node *parent = node->parent;

	if (!parent)
		return NULL;
	HASH_DELETE(by_name, diverge->named, node);
	free(node->name);
	node->name = NULL;
	node->parent = NULL;
	return parent;
}

static void put_locked(struct diverge *diverge, struct diverge_node *node,
		       uint64_t count) REQUIRES(diverge->lock)
{
	while (node) {
		struct diverge_node *parent;

		node->references -= count < node->references ? count :
							       node->references;
		if (node->references > 0)
			return;
		parent = take_name(diverge, node);
		HASH_DELETE(by_id, diverge->nodes, node);
		free(node);
		node = parent;
		count = 1;
	}
}

static struct diverge_node *new_node(struct diverge *diverge, mode_t kind)
	REQUIRES(diverge->lock)
{
	struct diverge_node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->id = diverge->next_id++;
	node->kind = kind;
	node->references = 1;
	HASH_ADD(by_id, diverge->nodes, id, sizeof(node->id), node);
	return node;
}

int diverge_nodes_init(struct diverge *diverge)
{
	mutex_init(&diverge->lock);
	mutex_lock(&diverge->lock);
	diverge->next_id = FUSE_ROOT_ID;
	diverge->root = new_node(diverge, S_IFDIR); /* for ever */
	mutex_unlock(&diverge->lock);
	return diverge->root ? 0 : -ENOMEM;
}

void diverge_nodes_fini(struct diverge *diverge)
{
	struct diverge_node *node, *next;

	HASH_CLEAR(by_name, diverge->named);
	HASH_ITER(by_id, diverge->nodes, node, next)
	{
		while (node->handles) {
			struct diverge_handle *handle = node->handles;

			node->handles = handle->next;
			close(handle->fd);
			free(handle);
		}
		HASH_DELETE(by_id, diverge->nodes, node);
		free(node->name);
		free(node);
	}
	mutex_fini(&diverge->lock);
}

int diverge_node_get(struct diverge *diverge, fuse_ino_t id,
		     struct diverge_node **out_node)
{
	struct diverge_node *node;

	mutex_lock(&diverge->lock);
	HASH_FIND(by_id, diverge->nodes, &id, sizeof(id), node);
	if (node)
		node->references++;
	mutex_unlock(&diverge->lock);
	if (!node)
		return -ESTALE;
	*out_node = node;
	return 0;
}

void diverge_node_put(struct diverge *diverge, struct diverge_node *node,
		      uint64_t count)
{
	mutex_lock(&diverge->lock);
	put_locked(diverge, node, count);
	mutex_unlock(&diverge->lock);
}

int diverge_node_path(struct diverge *diverge, const struct diverge_node *node,
		      char *path)
{
	size_t at = PATH_MAX - 1;
	int rc = 0;

	path[at] = '\0';
	mutex_lock(&diverge->lock);
	while (node != diverge->root && rc == 0) {
		size_t length = node->parent ? strlen(node->name->text) : 0;

		if (!node->parent)
			rc = -ENOENT;
		else if (length + 1 > at)
			rc = -ENAMETOOLONG;
		if (rc < 0)
			break;
		if (path[at])
			path[--at] = '/';
		at -= length;
		memcpy(path + at, node->name->text, length);
		node = node->parent;
	}
	mutex_unlock(&diverge->lock);
	memmove(path, path + at, PATH_MAX - at);
	return rc;
}

int diverge_node_know(struct diverge *diverge, struct diverge_node *parent,
		      const char *name, mode_t kind,
		      struct diverge_node **out_node)
{
	struct diverge_name *key = new_name_of(parent, name);
	struct diverge_node *node = NULL, *put = NULL;

	mutex_lock(&diverge->lock);
	if (key)
		node = find_named(diverge, parent, name);
	if (node && node->kind != kind) {
		/* Somebody put another thing there. */
		put = take_name(diverge, node);
		node = NULL;
	}
	if (node) {
		node->references++;
	} else if (key) {
		node = new_node(diverge, kind);
		if (node)
			set_name(diverge, node, parent, TAKE_PTR(key));
	}
	put_locked(diverge, put, 1);
	mutex_unlock(&diverge->lock);
	free(key);
	if (!node)
		return -ENOMEM;
	*out_node = node;
	return 0;
}

void diverge_node_drop_name(struct diverge *diverge,
			    struct diverge_node *parent, const char *name)
{
	struct diverge_node *node;

	mutex_lock(&diverge->lock);
	node = find_named(diverge, parent, name);
	if (node)
		put_locked(diverge, take_name(diverge, node), 1);
	mutex_unlock(&diverge->lock);
}

int diverge_node_rename(struct diverge *diverge, struct diverge_node *parent,
			const char *name, struct diverge_node *new_parent,
			const char *new_name)
{
	struct diverge_name *key = new_name_of(new_parent, new_name);
	struct diverge_node *node, *replaced;

	if (!key)
		return -ENOMEM;
	mutex_lock(&diverge->lock);
	replaced = find_named(diverge, new_parent, new_name);
	if (replaced)
		put_locked(diverge, take_name(diverge, replaced), 1);
	node = find_named(diverge, parent, name);
	if (node) {
		struct diverge_node *old = take_name(diverge, node);

		set_name(diverge, node, new_parent, TAKE_PTR(key));
		put_locked(diverge, old, 1);
	}
	mutex_unlock(&diverge->lock);
	free(key);
	return 0;
}

int diverge_node_exchange(struct diverge *diverge, struct diverge_node *parent,
			  const char *name, struct diverge_node *other_parent,
			  const char *other_name)
{
	struct diverge_name *key = new_name_of(parent, name);
	struct diverge_name *other_key = new_name_of(other_parent, other_name);
	struct diverge_node *node, *other;

	mutex_lock(&diverge->lock);
	node = find_named(diverge, parent, name);
	other = find_named(diverge, other_parent, other_name);
	if (key && other_key && node && other && node != other) {
		/* Both parents keep a name, and so their references. */
		(void)take_name(diverge, node);
		(void)take_name(diverge, other);
		parent->references--;
		other_parent->references--;
		set_name(diverge, node, other_parent, TAKE_PTR(other_key));
		set_name(diverge, other, parent, TAKE_PTR(key));
	}
	mutex_unlock(&diverge->lock);
	free(key);
	free(other_key);
	return 0;
}

ino_t diverge_inode(const struct diverge *diverge, unsigned layer, ino_t inode)
{
	dev_t device = diverge->layers[layer].device;
	uint64_t nr = 0;

	/* One number for each file system, 0 for that of the base. */
	if (device != diverge->layers[diverge_base(diverge)].device)
		for (nr = 1; diverge->layers[nr - 1].device != device;)
			nr++;
	return (ino_t)(inode ^ nr << 48);
}

ino_t diverge_shown_inode(struct diverge *diverge, struct diverge_node *node,
			  const struct diverge_found *found)
{
	ino_t inode;

	mutex_lock(&diverge->lock);
	/* It stays, also when what is changed is copied. */
	if (node->shown_inode == 0)
		node->shown_inode = node == diverge->root ?
					    FUSE_ROOT_ID :
					    diverge_inode(diverge, found->layer,
							  found->st.st_ino);
	inode = node->shown_inode;
	mutex_unlock(&diverge->lock);
	return inode;
}

int diverge_begin(struct diverge_request *request, fuse_req_t req,
		  fuse_ino_t id, const char *name, bool exclusive)
{
	struct diverge *diverge = diverge_of(req);
	char directory[PATH_MAX];
	int rc = diverge_node_get(diverge, id, &request->node);

	if (rc < 0)
		return rc;
	request->diverge = diverge;
	if (exclusive)
		pthread_rwlock_wrlock(&diverge->names);
	else
		pthread_rwlock_rdlock(&diverge->names);
	rc = diverge_node_path(diverge, request->node,
			       name ? directory : request->path);
	request->has_path = rc == 0;
	if (rc == 0 && name)
		rc = strlen(name) > NAME_MAX ?
			     -ENAMETOOLONG :
			     diverge_join(directory, name, request->path);
	/* A file without a name has handles still. */
	if (rc == -ENOENT && !name)
		rc = 0;
	if (rc < 0)
		diverge_end(request);
	return rc;
}

void diverge_end(struct diverge_request *request)
{
	pthread_rwlock_unlock(&request->diverge->names);
	diverge_node_put(request->diverge, request->node, 1);
}

ino_t diverge_known_inode(struct diverge *diverge,
			  const struct diverge_node *parent, const char *name)
{
	const struct diverge_node *node;
	ino_t inode;

	mutex_lock(&diverge->lock);
	node = find_named(diverge, parent, name);
	inode = node ? node->shown_inode : 0;
	mutex_unlock(&diverge->lock);
	return inode;
}

/*
 * Nodes: what the kernel knows, by names, and by what they are.
 *
 * I1: a parent stays as long as a name below it, so that every node has a
 *     path, or, once its names are gone, none.
 * I2: a name leads to one node at most.
 * I3: names of one file are names of one node, as its pages and attributes are
 *     to be the same by all of them; but not of base's files, which are
 *     copied one by one when they are changed. Which file it is, is forgotten
 *     when neither a name nor a handle keeps its number from being another's.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "diverge_front.h"

struct name_key {
	fuse_ino_t parent;
	char text[NAME_MAX + 1];
};

struct diverge_name {
	struct diverge_node *node, *parent;
	struct diverge_name *next; /* of the node */
	UT_hash_handle hh;
	struct name_key key; /* the text as long as it is */
};

static size_t key_bytes(const char *text)
{
	return offsetof(struct name_key, text) + strlen(text);
}

static struct diverge_name *find_named(const struct diverge *diverge,
				       const struct diverge_node *parent,
				       const char *text) REQUIRES(diverge->lock)
{
	struct name_key key = { .parent = parent->id };
	struct diverge_name *name;

	if (strlen(text) > NAME_MAX)
		return NULL;
	memcpy(key.text, text, strlen(text) + 1);
	HASH_FIND(hh, diverge->named, &key, key_bytes(text), name);
	return name;
}

static int add_name(struct diverge *diverge, struct diverge_node *node,
		    struct diverge_node *parent, const char *text)
	REQUIRES(diverge->lock)
{
	struct diverge_name *name = calloc(
		1, offsetof(struct diverge_name, key) + key_bytes(text) + 1);

	if (!name)
		return -ENOMEM;
	name->node = node;
	name->parent = parent;
	name->key.parent = parent->id;
	memcpy(name->key.text, text, strlen(text) + 1);
	name->next = node->names;
	node->names = name;
	parent->references++; /* I1 */
	HASH_ADD_KEYPTR(hh, diverge->named, &name->key, key_bytes(text), name);
	return 0;
}

static void unlist_name(struct diverge_name *name)
{
	struct diverge_name **link = &name->node->names;

	while (*link != name)
		link = &(*link)->next;
	*link = name->next;
}

static void list_name(struct diverge_name *name, struct diverge_node *node)
{
	name->node = node;
	name->next = node->names;
	node->names = name;
}

static void set_object(struct diverge *diverge, struct diverge_node *node,
		       const struct diverge_object *object)
	REQUIRES(diverge->lock)
{
	if (node->has_object)
		HASH_DELETE(by_object, diverge->objects, node);
	node->has_object = object != NULL;
	if (!object)
		return;
	node->object = *object;
	HASH_ADD(by_object, diverge->objects, object, sizeof(node->object),
		 node);
}

/* I3 */
static void forget_object(struct diverge *diverge, struct diverge_node *node)
	REQUIRES(diverge->lock)
{
	if (!node->names && !node->handles)
		set_object(diverge, node, NULL);
}

/* Returns the parent, of which a reference is to be put. */
static struct diverge_node *take_name(struct diverge *diverge,
				      struct diverge_name *name)
	REQUIRES(diverge->lock)
{
	struct diverge_node *parent = name->parent;

	HASH_DELETE(hh, diverge->named, name);
	unlist_name(name);
	forget_object(diverge, name->node);
	free(name);
	return parent;
}

static void put_locked(struct diverge *diverge, struct diverge_node *node,
		       uint64_t count) REQUIRES(diverge->lock)
{
	struct diverge_node *parent, *next;

	for (; node; node = next, count = 1) {
		node->references -= count < node->references ? count :
							       node->references;
		if (node->references > 0)
			return;
		next = NULL;
		while (node->names) {
			parent = take_name(diverge, node->names);
			/* Directories have one name; of others the parents are
			 * held by what is looked at. */
			if (node->names)
				put_locked(diverge, parent, 1);
			else
				next = parent;
		}
		set_object(diverge, node, NULL);
		HASH_DELETE(by_id, diverge->nodes, node);
		free(node);
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

static void free_node(struct diverge *diverge, struct diverge_node *node)
{
	while (node->handles) {
		struct diverge_handle *handle = node->handles;

		node->handles = handle->next;
		close(handle->fd);
		free(handle);
	}
	while (node->names) {
		struct diverge_name *name = node->names;

		node->names = name->next;
		free(name);
	}
	HASH_DELETE(by_id, diverge->nodes, node);
	free(node);
}

void diverge_nodes_fini(struct diverge *diverge)
{
	struct diverge_node *node, *next;

	HASH_CLEAR(hh, diverge->named);
	HASH_CLEAR(by_object, diverge->objects);
	HASH_ITER(by_id, diverge->nodes, node, next)
	free_node(diverge, node);
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

/* By the nr-th of its names. */
static int path_by_name(struct diverge *diverge,
			const struct diverge_node *node, unsigned nr,
			char *path)
{
	size_t at = PATH_MAX - 1;
	int rc = 0;

	path[at] = '\0';
	mutex_lock(&diverge->lock);
	while (node != diverge->root && rc == 0) {
		const struct diverge_name *name = node->names;
		size_t length;

		for (; name && nr > 0; nr--)
			name = name->next;
		length = name ? strlen(name->key.text) : 0;
		if (!name)
			rc = -ENOENT;
		else if (length + 1 > at)
			rc = -ENAMETOOLONG;
		if (rc < 0)
			break;
		if (path[at])
			path[--at] = '/';
		at -= length;
		memcpy(path + at, name->key.text, length);
		node = name->parent;
	}
	mutex_unlock(&diverge->lock);
	memmove(path, path + at, PATH_MAX - at);
	return rc;
}

/* How many names it has, if one of them may be gone, and another way lead to
 * it; else 0. */
static unsigned doubtful_names(struct diverge *diverge,
			       const struct diverge_node *node,
			       struct diverge_object *object)
{
	const struct diverge_name *name;
	unsigned count = 0;

	mutex_lock(&diverge->lock);
	for (name = node->names; name; name = name->next)
		count++;
	if (!node->has_object || (count == 1 && !node->handles))
		count = 0;
	*object = node->object;
	mutex_unlock(&diverge->lock);
	return count;
}

int diverge_node_path(struct diverge *diverge, const struct diverge_node *node,
		      char *path)
{
	struct diverge_object object;
	unsigned count = doubtful_names(diverge, node, &object), nr;

	if (!count)
		return path_by_name(diverge, node, 0, path);
	for (nr = 0; nr < count; nr++) {
		AUTO_FOUND struct diverge_found found = DIVERGE_FOUND_NONE;

		if (path_by_name(diverge, node, nr, path) == 0 &&
		    diverge_find(diverge, path, &found) == 0 &&
		    found.st.st_ino == object.inode &&
		    found.st.st_dev == object.device)
			return 0;
	}
	return -ENOENT;
}

/* What the name leads to, or NULL: the name is gone then. object NULL: it may
 * be anything of that kind. */
static struct diverge_node *match_name(struct diverge *diverge,
				       struct diverge_name *name, mode_t kind,
				       const struct diverge_object *object,
				       struct diverge_node *other)
	REQUIRES(diverge->lock)
{
	struct diverge_node *node = name->node;
	bool same = object && node->has_object &&
		    memcmp(&node->object, object, sizeof(*object)) == 0;

	if (node->kind == kind && (!other || other == node)) {
		if (!object || same)
			return node;
		/* It was copied. Where nothing is, which is where the base may
		 * be changed, somebody put another file there. */
		if (diverge->holes && !name->next && node->names == name) {
			set_object(diverge, node, object);
			return node;
		}
	}
	put_locked(diverge, take_name(diverge, name), 1);
	return NULL;
}

/* base_inode: of a directory that a base has which may be changed; another one
 * may have taken its place there, as by a rollback. */
static struct diverge_node *know_locked(struct diverge *diverge,
					struct diverge_node *parent,
					const char *text, mode_t kind,
					const struct diverge_object *object,
					ino_t base_inode)
	REQUIRES(diverge->lock)
{
	struct diverge_name *name = find_named(diverge, parent, text);
	struct diverge_node *node = NULL, *found = NULL;

	if (name && base_inode && name->node->base_inode &&
	    name->node->base_inode != base_inode) {
		put_locked(diverge, take_name(diverge, name), 1);
		name = NULL;
	}
	if (object)
		HASH_FIND(by_object, diverge->objects, object, sizeof(*object),
			  found);
	if (found && found->kind != kind) {
		set_object(diverge, found, NULL);
		found = NULL;
	}
	if (name)
		node = match_name(diverge, name, kind, object, found);
	if (node) {
		node->references++;
		node->base_inode = base_inode;
		return node;
	}
	node = found;
	if (node)
		node->references++;
	else
		node = new_node(diverge, kind);
	if (!node)
		return NULL;
	if (add_name(diverge, node, parent, text) < 0) {
		put_locked(diverge, node, 1);
		return NULL;
	}
	if (object && !found)
		set_object(diverge, node, object);
	node->base_inode = base_inode;
	return node;
}

/* I3 */
static const struct diverge_object *object_of(const struct diverge *diverge,
					      const struct diverge_found *found,
					      struct diverge_object *object)
{
	memset(object, 0, sizeof(*object));
	object->device = found->st.st_dev;
	object->inode = found->st.st_ino;
	return S_ISDIR(found->st.st_mode) ||
			       diverge_is_fixed(diverge, found->layer) ?
		       NULL :
		       object;
}

int diverge_node_know(struct diverge *diverge, struct diverge_node *parent,
		      const char *name, const struct diverge_found *found,
		      struct diverge_node **out_node)
{
	struct diverge_object object;
	const struct diverge_object *known = object_of(diverge, found, &object);
	bool is_changing = !diverge->holes && S_ISDIR(found->st.st_mode) &&
			   found->layer == diverge_base(diverge);
	struct diverge_node *node;

	mutex_lock(&diverge->lock);
	node = know_locked(diverge, parent, name, found->st.st_mode & S_IFMT,
			   known, is_changing ? found->st.st_ino : 0);
	mutex_unlock(&diverge->lock);
	if (!node)
		return -ENOMEM;
	*out_node = node;
	return 0;
}

void diverge_node_note_copy(struct diverge *diverge, struct diverge_node *node,
			    const struct diverge_found *found)
{
	struct diverge_object object;
	const struct diverge_object *known = object_of(diverge, found, &object);
	const struct diverge_node *other;

	mutex_lock(&diverge->lock);
	HASH_FIND(by_object, diverge->objects, &object, sizeof(object), other);
	if (known && !other)
		set_object(diverge, node, known);
	mutex_unlock(&diverge->lock);
}

void diverge_node_drop_name(struct diverge *diverge,
			    struct diverge_node *parent, const char *text)
{
	struct diverge_name *name;

	mutex_lock(&diverge->lock);
	name = find_named(diverge, parent, text);
	if (name)
		put_locked(diverge, take_name(diverge, name), 1);
	mutex_unlock(&diverge->lock);
}

int diverge_node_rename(struct diverge *diverge, struct diverge_node *parent,
			const char *text, struct diverge_node *new_parent,
			const char *new_text, bool is_copy)
{
	struct diverge_name *name, *replaced;
	int rc = 0;

	mutex_lock(&diverge->lock);
	replaced = find_named(diverge, new_parent, new_text);
	if (replaced)
		put_locked(diverge, take_name(diverge, replaced), 1);
	name = find_named(diverge, parent, text);
	if (name) {
		struct diverge_node *node = name->node;

		/* Its other names lead to the file that stays. */
		if (!is_copy || (node->names == name && !name->next))
			rc = add_name(diverge, node, new_parent, new_text);
		put_locked(diverge, take_name(diverge, name), 1);
	}
	mutex_unlock(&diverge->lock);
	return rc;
}

void diverge_node_exchange(struct diverge *diverge, struct diverge_node *parent,
			   const char *text, struct diverge_node *other_parent,
			   const char *other_text)
{
	struct diverge_name *name, *other;
	struct diverge_node *node;

	mutex_lock(&diverge->lock);
	name = find_named(diverge, parent, text);
	other = find_named(diverge, other_parent, other_text);
	if (name && other && name->node != other->node) {
		node = name->node;
		unlist_name(name);
		unlist_name(other);
		list_name(name, other->node);
		list_name(other, node);
	} else if (name || other) {
		name = name ? name : other;
		put_locked(diverge, take_name(diverge, name), 1);
	}
	mutex_unlock(&diverge->lock);
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
	const struct diverge_name *known;
	ino_t inode;

	mutex_lock(&diverge->lock);
	known = find_named(diverge, parent, name);
	inode = known ? known->node->shown_inode : 0;
	mutex_unlock(&diverge->lock);
	return inode;
}

ino_t diverge_parent_inode(struct diverge *diverge,
			   const struct diverge_node *node)
{
	ino_t inode;

	mutex_lock(&diverge->lock);
	inode = node->names ? node->names->parent->shown_inode : 0;
	mutex_unlock(&diverge->lock);
	return inode;
}

void diverge_node_add_handle(struct diverge *diverge, struct diverge_node *node,
			     struct diverge_handle *handle)
{
	mutex_lock(&diverge->lock);
	handle->node = node;
	handle->next = node->handles;
	node->handles = handle;
	node->references++;
	mutex_unlock(&diverge->lock);
}

void diverge_node_remove_handle(struct diverge *diverge,
				struct diverge_handle *handle)
{
	struct diverge_node *node = handle->node;
	struct diverge_handle **link = &node->handles;

	mutex_lock(&diverge->lock);
	while (*link != handle)
		link = &(*link)->next;
	*link = handle->next;
	forget_object(diverge, node);
	put_locked(diverge, node, 1);
	mutex_unlock(&diverge->lock);
}

/*
 * Pass 4, second part: what all versions together say of an inode.
 *
 * The events of an inode stand in the order of lines and generations. The
 * state behind each is that before it, and a line begins with the state that
 * the line it left had then. So what any branch or snapshot sees is found
 * once for all that see the same, however many they are. What nobody sees
 * may be in pieces: a checkpoint drops its rows one by one.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "item_row.h"
#include "pass4.h"

enum { ROOT_NR = 1, LAYER_SHIFT = 40 };

/* Of the inode, from one event on to the next of its line. */
struct link_state {
	int64_t names, entries, folders;
	uint64_t directories; /* sum of those with its names: of one, which */
	int64_t orphans;
	bool exists;
	int64_t nlink;
	uint32_t mode;
	uint64_t parent;
};

struct link_check {
	struct check *check;
	const struct viewers *viewers;
	uint64_t inode;
	struct link_event *events;
	struct link_state *states;
	size_t count, capacity;
	struct marked_line *marks;
	struct mark_span {
		size_t first, end;
	} * spans; /* of each mark */
	size_t mark_count, *stack;
};

static void apply(struct link_state *state, const struct link_event *event)
{
	switch (event->kind) {
	case LINK_KIND_INODE:
		state->exists = event->value >= 0;
		state->nlink = event->value;
		state->mode = (uint32_t)event->extra;
		state->parent = event->other;
		return;
	case LINK_KIND_NAME:
		state->names += event->value;
		state->directories += (uint64_t)event->value * event->other;
		return;
	case LINK_KIND_ENTRY:
		state->entries += event->value;
		state->folders += event->extra;
		return;
	case LINK_KIND_ORPHAN:
		state->orphans += event->value;
		return;
	}
}

static int resize(void *list_pointer, size_t count, size_t item_bytes)
{
	void **list = list_pointer;
	void *bigger = reallocarray(*list, count, item_bytes);

	if (!bigger)
		return -ENOMEM;
	*list = bigger;
	return 0;
}

static int grow(struct link_check *links)
{
	size_t capacity = links->capacity ? 2 * links->capacity : 64;
	int rc;

	if (links->count < links->capacity)
		return 0;
	rc = resize(&links->events, capacity, sizeof(*links->events));
	if (rc == 0)
		rc = resize(&links->states, capacity, sizeof(*links->states));
	if (rc == 0)
		rc = resize(&links->marks, capacity, sizeof(*links->marks));
	if (rc == 0)
		rc = resize(&links->spans, capacity, sizeof(*links->spans));
	if (rc == 0)
		rc = resize(&links->stack, capacity, sizeof(*links->stack));
	if (rc == 0)
		links->capacity = capacity;
	return rc;
}

static const struct past_line *line_at(const struct link_check *links,
				       uint32_t place)
{
	return &links->check->past.lines[links->viewers->by_place[place]];
}

/* The lines that have events, and where theirs are. */
static void find_marks(struct link_check *links)
{
	size_t i;

	links->mark_count = 0;
	for (i = 0; i < links->count; i++) {
		const struct link_event *event = &links->events[i];

		if (i > 0 && links->events[i - 1].place == event->place) {
			links->spans[links->mark_count - 1].end = i + 1;
			continue;
		}
		links->marks[links->mark_count] =
			(struct marked_line){ event->place, event->gen };
		links->spans[links->mark_count++] =
			(struct mark_span){ i, i + 1 };
	}
}

/* The state with which a marked line begins. */
static struct link_state begin_state(struct link_check *links, size_t mark,
				     size_t *depth)
{
	const struct past *past = &links->check->past;
	uint32_t place = links->marks[mark].place;
	const struct past_line *line = line_at(links, place);

	while (*depth > 0 &&
	       place >= line_at(links,
				links->marks[links->stack[*depth - 1]].place)
				->end)
		--*depth;
	for (size_t level = *depth; level-- > 0;) {
		size_t below = links->stack[level];
		uint32_t limit = past_limit(
			past, line->id, 0,
			line_at(links, links->marks[below].place)->id);
		size_t low = links->spans[below].first;
		size_t high = links->spans[below].end;

		while (low < high) {
			size_t middle = (low + high) / 2;

			if (links->events[middle].gen <= limit)
				low = middle + 1;
			else
				high = middle;
		}
		if (low > links->spans[below].first)
			return links->states[low - 1];
	}
	return (struct link_state){ 0 };
}

static int fix_names(struct link_check *links, struct link_state *state,
		     const struct problem_where *where)
{
	struct check *check = links->check;
	int rc;

	if (!problem(check, PROBLEM_NO_INODE, where, NULL))
		return 0;
	rc = pass4_make_inode(check, links->inode, where->line, where->gen,
			      (uint32_t)(state->names > 0 ? state->names : 1),
			      state->entries > 0);
	state->exists = false; /* what it is now, the next run looks at */
	return rc;
}

static int set_inode(struct link_check *links, const struct link_state *state,
		     const struct problem_where *where)
{
	struct inode_item item;
	int rc = item_row_inode(links->check, links->inode, where->line,
				where->gen, &item);

	if (rc <= 0)
		return rc;
	item.nlink = (uint32_t)state->nlink;
	item.parent = state->parent;
	return item_row_put_inode(links->check, links->inode, where->line,
				  where->gen, &item);
}

static int check_count(struct link_check *links, struct link_state *state,
		       const struct problem_where *where)
{
	bool folder = S_ISDIR(state->mode);
	int64_t right = folder ? 2 + state->folders : state->names;

	/* Of directories of several layers nobody counts. */
	if (folder && state->nlink <= 1)
		return 0;
	if (state->nlink == right ||
	    !problem(links->check, PROBLEM_LINK_COUNT, where,
		     "%" PRId64 ", not %" PRId64, state->nlink, right))
		return 0;
	state->nlink = right;
	return set_inode(links, state, where);
}

static int check_parent(struct link_check *links, struct link_state *state,
			const struct problem_where *where)
{
	if (!S_ISDIR(state->mode) || state->names != 1 ||
	    state->parent == state->directories ||
	    !problem(links->check, PROBLEM_PARENT, where,
		     "%" PRIu64 ", not %" PRIu64, state->parent,
		     state->directories))
		return 0;
	state->parent = state->directories;
	return set_inode(links, state, where);
}

static int check_orphan(struct link_check *links, struct link_state *state,
			const struct problem_where *where)
{
	char name[ITEM_ORPHAN_NAME_BYTES];
	const struct item_key key = { .type = ITEM_TYPE_ORPHAN,
				      .name = name,
				      .name_bytes = sizeof(name) };
	size_t i;

	if (!problem(links->check, PROBLEM_ORPHAN, where, NULL))
		return 0;
	for (i = 0; i < sizeof(name); i++)
		name[i] = (char)(links->inode >> (56 - 8 * i));
	state->orphans = 0;
	return item_row_put(links->check, &key, where->line, where->gen, NULL,
			    0);
}

static int name_in(struct link_check *links, const struct past_branch *head,
		   const struct link_state *state)
{
	int64_t nlink = state->nlink > 1 ? 2 + state->folders : state->nlink;
	struct problem_where where = { .branch = head->name,
				       .inode = links->inode };

	if (!problem(links->check, PROBLEM_NAMELESS, &where, NULL))
		return 0;
	return pass4_find_place(links->check, links->inode, head->line,
				head->gen, (uint32_t)nlink);
}

/* Heads of lines that left then and have no versions of their own. */
static int name_in_children(struct link_check *links,
			    const struct link_state *state,
			    const struct problem_where *where, uint32_t to,
			    bool *out_any)
{
	const struct past *past = &links->check->past;
	const struct viewers *viewers = links->viewers;
	uint32_t place = past_find_line(past, where->line)->begin;
	size_t i = viewers_find(viewers, place, where->gen), mark;
	int rc = 0;

	for (; rc == 0 && i < viewers->count; i++) {
		const struct viewer *viewer = &viewers->list[i];
		const struct past_line *child;
		const struct past_branch *head;

		if (viewer->place != place || viewer->gen >= to)
			break;
		if (!viewer->child)
			continue;
		child = &past->lines[viewer->child - 1];
		head = past_find_branch(past, child->head);
		for (mark = 0; mark < links->mark_count; mark++)
			if (links->marks[mark].place == child->begin)
				head = NULL;
		if (!head)
			continue;
		*out_any = true;
		rc = name_in(links, head, state);
	}
	return rc;
}

/* In a head it gets a name; a snapshot stays what it is. */
static int check_nameless(struct link_check *links, struct link_state *state,
			  const struct problem_where *where, uint32_t to)
{
	const struct past *past = &links->check->past;
	const struct past_line *line = past_find_line(past, where->line);
	const struct past_branch *head = past_find_branch(past, line->head);
	bool any = false;
	int rc = name_in_children(links, state, where, to, &any);

	if (rc < 0)
		return rc;
	if (head && head->gen >= where->gen && head->gen < to) {
		state->names = 1;
		state->nlink = state->nlink > 1 ? 2 + state->folders : 1;
		return name_in(links, head, state);
	}
	if (!any)
		problem(links->check, PROBLEM_NAMELESS_KEPT, where, NULL);
	return 0;
}

static int check_state(struct link_check *links, struct link_state *state,
		       const struct problem_where *where, uint32_t to)
{
	bool made = links->inode >> LAYER_SHIFT == 0;
	int rc = 0;

	if (!state->exists)
		return state->names > 0 || state->entries > 0 ?
			       fix_names(links, state, where) :
			       0;
	if (state->orphans > 0 && state->names > 0)
		rc = check_orphan(links, state, where);
	if (rc < 0 || !made || links->inode == ROOT_NR)
		return rc;
	if (state->names == 0)
		return state->orphans > 0 ?
			       0 :
			       check_nameless(links, state, where, to);
	rc = check_count(links, state, where);
	return rc == 0 ? check_parent(links, state, where) : rc;
}

/* The states of a line, from one generation to the next. */
static int check_line(struct link_check *links, size_t mark,
		      struct link_state state)
{
	const struct mark_span *span = &links->spans[mark];
	const struct viewers *viewers = links->viewers;
	uint32_t place = links->marks[mark].place;
	size_t i;
	int rc = 0;

	for (i = span->first; rc == 0 && i < span->end; i++) {
		struct problem_where where = { .inode = links->inode };
		uint32_t gen = links->events[i].gen, to = UINT32_MAX;

		apply(&state, &links->events[i]);
		links->states[i] = state;
		if (i + 1 < span->end) {
			to = links->events[i + 1].gen;
			if (to == gen)
				continue;
		}
		if (!viewers_any(viewers, place, gen, to, links->marks,
				 links->mark_count))
			continue;
		where.line = line_at(links, place)->id;
		where.gen = gen;
		rc = check_state(links, &state, &where, to);
		links->states[i] = state;
	}
	return rc;
}

static int check_inode(struct link_check *links)
{
	size_t i, depth = 0;
	int rc = 0;

	if (links->inode == 0)
		return 0;
	find_marks(links);
	for (i = 0; rc == 0 && i < links->mark_count; i++) {
		struct link_state state = begin_state(links, i, &depth);

		links->stack[depth++] = i;
		rc = check_line(links, i, state);
	}
	return rc;
}

int pass4_links(struct check *check, const struct viewers *viewers)
{
	struct link_check links = { .check = check, .viewers = viewers };
	AUTO_STATEMENT sqlite3_stmt *rows = NULL;
	int rc = work_query(check, &rows,
			    "SELECT inode, place, gen, kind, value, extra, "
			    "other FROM links ORDER BY inode, place, gen, kind",
			    "");

	while (rc == 0 && (rc = work_step(check, rows)) > 0) {
		uint64_t inode = (uint64_t)sqlite3_column_int64(rows, 0);

		rc = 0;
		if (inode != links.inode) {
			rc = check_inode(&links);
			links.inode = inode;
			links.count = 0;
		}
		if (rc == 0)
			rc = grow(&links);
		if (rc < 0)
			break;
		links.events[links.count++] = (struct link_event){
			.place = (uint32_t)sqlite3_column_int64(rows, 1),
			.gen = (uint32_t)sqlite3_column_int64(rows, 2),
			.kind = (enum link_kind)sqlite3_column_int(rows, 3),
			.value = sqlite3_column_int64(rows, 4),
			.extra = sqlite3_column_int64(rows, 5),
			.other = (uint64_t)sqlite3_column_int64(rows, 6),
		};
		if (links.count == 1)
			rc = check_progress(check, 2, 3);
	}
	if (rc == 0 && links.count > 0)
		rc = check_inode(&links);
	free(links.events);
	free(links.states);
	free(links.marks);
	free(links.spans);
	free(links.stack);
	return rc;
}

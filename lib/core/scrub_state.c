/*
 * STORE/scrub.state: what a scrub has found, and how far it came, as text (see
 * docs/format.md, section 12).
 *
 * Nothing depends on it: a file that is damaged, or of another version, is as
 * none. It is written beside and renamed, so a crash leaves one or the other.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "io.h"
#include "scrub_impl.h"

enum {
	STATE_VERSION = 1,
	TRAILER_BYTES = 21, /* "sum ", 16 digits, a newline */
	/* Four numbers' worth, and each name byte as three. */
	STATE_BYTES_MAX = 4096 + SCRUB_FINDINGS_MAX * 4096,
};

static const char state_name[] = "scrub.state";
static const char temporary_name[] = "scrub.state.tmp";

void scrub_record_fini(struct scrub_record *record)
{
	free(record->findings);
	*record = (struct scrub_record){ .state = SCRUB_STATE_NONE };
}

/* Is a before b? By place; what has none comes by file. */
static bool is_before(const struct scrub_finding *a,
		      const struct scrub_finding *b)
{
	if (a->segment != b->segment)
		return a->segment < b->segment;
	if (a->block != b->block)
		return a->block < b->block;
	if (a->inode != b->inode)
		return a->inode < b->inode;
	return a->offset_bytes < b->offset_bytes;
}

static bool is_same(const struct scrub_finding *a,
		    const struct scrub_finding *b)
{
	return !is_before(a, b) && !is_before(b, a) && a->kind == b->kind;
}

static void remove_at(struct scrub_record *record, size_t i)
{
	memmove(&record->findings[i], &record->findings[i + 1],
		(record->count - i - 1) * sizeof(record->findings[0]));
	record->count--;
}

static int make_room(struct scrub_record *record)
{
	size_t capacity = record->capacity ? record->capacity * 2 : 8;
	void *grown;

	if (record->count < record->capacity)
		return 0;
	grown = realloc(record->findings,
			capacity * sizeof(record->findings[0]));
	if (!grown)
		return -ENOMEM;
	record->findings = grown;
	record->capacity = capacity;
	return 0;
}

int scrub_record_add(struct scrub_record *record,
		     const struct scrub_finding *finding)
{
	size_t i;
	int rc;

	for (i = 0; i < record->count; i++) {
		if (!is_same(&record->findings[i], finding))
			continue;
		if (!record->findings[i].is_old)
			return 0;
		record->old_count -= record->old_count > 0;
		remove_at(record, i);
		break;
	}
	record->finding_count++;
	if (record->count >= SCRUB_FINDINGS_MAX)
		return 0;
	rc = make_room(record);
	if (rc < 0)
		return rc;
	for (i = record->count;
	     i > 0 && is_before(finding, &record->findings[i - 1]); i--)
		record->findings[i] = record->findings[i - 1];
	record->findings[i] = *finding;
	record->count++;
	return 0;
}

void scrub_record_seen(struct scrub_record *record, uint32_t segment)
{
	size_t i, kept = 0, left = 0;

	for (i = 0; i < record->count; i++) {
		const struct scrub_finding *finding = &record->findings[i];

		if (finding->is_old && finding->segment <= segment)
			continue;
		left += finding->is_old;
		if (kept != i)
			record->findings[kept] = *finding;
		kept++;
	}
	record->count = kept;
	record->old_count = left; /* of more than were kept: unknown where */
}

/* --- text */

static void put_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c <= ' ' || c == '%' || c >= 0x7f)
			fprintf(out, "%%%02x", c);
		else
			fputc(c, out);
	}
}

static void put_finding(FILE *out, const struct scrub_finding *f)
{
	fprintf(out,
		"finding %d %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu64
		" %" PRIu64 " %" PRIu64 " %" PRIu32 " %d =",
		f->kind, f->segment, f->block, f->blocks, f->inode,
		f->offset_bytes, f->len_bytes, f->others, f->is_old);
	put_text(out, f->branch);
	fputs(" =", out);
	put_text(out, f->snapshot);
	fputs(" =", out);
	put_text(out, f->path);
	fputc('\n', out);
}

static int encode(const struct scrub_record *r, char **out_text,
		  size_t *out_bytes)
{
	FILE *out = open_memstream(out_text, out_bytes);
	size_t i;

	if (!out)
		return -ENOMEM;
	fprintf(out,
		"cowd-scrub %d\nstate %d\ntimes %" PRId64 " %" PRId64
		"\nbytes %" PRIu64 " %" PRIu64 " %" PRIu64 "\nplace %d %" PRIu32
		" %" PRIu32 "\ncounts %" PRIu64 " %" PRIu64 "\nreason =",
		STATE_VERSION, r->state, r->started_ns, r->ended_ns,
		r->checked_bytes, r->total_bytes, r->rate_bytes, r->index_done,
		r->segment, r->end_segment, r->finding_count, r->old_count);
	put_text(out, r->reason);
	fputc('\n', out);
	for (i = 0; i < r->count; i++)
		put_finding(out, &r->findings[i]);
	fflush(out);
	fprintf(out, "sum %016" PRIx64 "\n",
		XXH3_64bits(*out_text, *out_bytes));
	return fclose(out) == 0 ? 0 : -ENOMEM;
}

int scrub_state_save(int directory_fd, const struct scrub_record *record)
{
	AUTO_FREE char *text = NULL;
	AUTO_CLOSE int fd = -1;
	size_t len_bytes;
	int rc = encode(record, &text, &len_bytes);

	if (rc < 0)
		return rc;
	fd = io_open_own(directory_fd, temporary_name,
			 O_WRONLY | O_CREAT | O_TRUNC);
	if (fd < 0)
		return fd;
	rc = io_write_all(fd, text, len_bytes, 0);
	if (rc == 0)
		rc = io_sync_data(fd);
	if (rc == 0)
		rc = io_rename(directory_fd, temporary_name, state_name);
	if (rc < 0)
		(void)!io_unlink(directory_fd, temporary_name);
	return rc;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A word that begins with '='; moves behind it. */
static int take_text(const char **at, char *text, size_t text_bytes)
{
	const char *c = *at;
	size_t n = 0;

	while (*c == ' ')
		c++;
	if (*c++ != '=')
		return -EUCLEAN;
	while (*c && *c != ' ' && *c != '\n') {
		int high, low;

		if (n + 1 >= text_bytes)
			return -EUCLEAN;
		if (*c != '%') {
			text[n++] = *c++;
			continue;
		}
		high = hex_digit(c[1]);
		low = high < 0 ? -1 : hex_digit(c[2]);
		if (low < 0 || high * 16 + low == 0)
			return -EUCLEAN;
		text[n++] = (char)(high * 16 + low);
		c += 3;
	}
	text[n] = '\0';
	*at = c;
	return 0;
}

static int take_finding(const char *line, struct scrub_record *record)
{
	struct scrub_finding f = { .kind = SCRUB_KIND_DATA };
	int kind, is_old, used = 0, rc;
	uint64_t count = record->finding_count, old = record->old_count;

	if (sscanf(line,
		   "finding %d %" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNu64
		   " %" SCNu64 " %" SCNu64 " %" SCNu32 " %d %n",
		   &kind, &f.segment, &f.block, &f.blocks, &f.inode,
		   &f.offset_bytes, &f.len_bytes, &f.others, &is_old,
		   &used) != 9 ||
	    kind < SCRUB_KIND_DATA || kind > SCRUB_KIND_INDEX)
		return -EUCLEAN;
	f.kind = (enum scrub_kind)kind;
	f.is_old = is_old != 0;
	line += used;
	rc = take_text(&line, f.branch, sizeof(f.branch));
	if (rc == 0)
		rc = take_text(&line, f.snapshot, sizeof(f.snapshot));
	if (rc == 0)
		rc = take_text(&line, f.path, sizeof(f.path));
	if (rc == 0)
		rc = scrub_record_add(record, &f);
	record->finding_count = count; /* it is in the file already */
	record->old_count = old;
	return rc;
}

static int decode(const char *text, struct scrub_record *r)
{
	int version, state, index_done, used = 0, rc;
	const char *line;

	if (sscanf(text,
		   "cowd-scrub %d state %d times %" SCNd64 " %" SCNd64
		   " bytes %" SCNu64 " %" SCNu64 " %" SCNu64
		   " place %d %" SCNu32 " %" SCNu32 " counts %" SCNu64
		   " %" SCNu64 " reason %n",
		   &version, &state, &r->started_ns, &r->ended_ns,
		   &r->checked_bytes, &r->total_bytes, &r->rate_bytes,
		   &index_done, &r->segment, &r->end_segment, &r->finding_count,
		   &r->old_count, &used) != 12 ||
	    version != STATE_VERSION || state < SCRUB_STATE_NONE ||
	    state > SCRUB_STATE_FAILED)
		return -EUCLEAN;
	r->state = (enum scrub_state)state;
	r->index_done = index_done != 0;
	line = text + used;
	rc = take_text(&line, r->reason, sizeof(r->reason));
	while (rc == 0 && *line == '\n' && line[1]) {
		line++;
		rc = take_finding(line, r);
		line += strcspn(line, "\n");
	}
	return rc;
}

int scrub_state_load(int directory_fd, struct scrub_record *record)
{
	AUTO_CLOSE int fd = io_open_own(directory_fd, state_name, O_RDONLY);
	AUTO_FREE char *text = NULL;
	char trailer[TRAILER_BYTES + 1], *last;
	ssize_t n;
	int rc;

	*record = (struct scrub_record){ .state = SCRUB_STATE_NONE };
	if (fd < 0)
		return 0;
	text = malloc(STATE_BYTES_MAX + 1);
	if (!text)
		return -ENOMEM;
	n = io_read_full(fd, text, STATE_BYTES_MAX, 0);
	if (n < 0)
		return 0;
	text[n] = '\0';
	last = n > TRAILER_BYTES ? text + n - TRAILER_BYTES : text;
	snprintf(trailer, sizeof(trailer), "sum %016" PRIx64 "\n",
		 XXH3_64bits(text, (size_t)(last - text)));
	if (strcmp(last, trailer) != 0)
		return 0;
	*last = '\0';
	rc = decode(text, record);
	if (rc < 0)
		scrub_record_fini(record);
	return rc == -ENOMEM ? rc : 0;
}

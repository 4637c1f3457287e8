/* The table of problems, and what becomes of one that was found. */
#include "problem.h"

#include <stdarg.h>
#include <stdio.h>

#include "check.h"

#define NOTE PROBLEM_SEVERITY_NOTE, PROBLEM_CLASS_NOTE
#define WARNING PROBLEM_SEVERITY_WARNING
#define ERROR PROBLEM_SEVERITY_ERROR
#define SAFE PROBLEM_CLASS_SAFE
#define LOSES PROBLEM_CLASS_LOSES
#define NONE PROBLEM_CLASS_NONE

const struct problem_row problem_rows[] = {
	{ PROBLEM_DIRECTORY_MODE, "P1-MODE", ERROR, SAFE,
	  "others than its owner may write to the directory",
	  "take the permission away", NULL },
	{ PROBLEM_FILE_NAMES, "P1-NAMES", ERROR, SAFE,
	  "the file has another name elsewhere", "make a file of its own of it",
	  NULL },
	{ PROBLEM_FILE_KIND, "P1-KIND", ERROR, SAFE,
	  "something else stands where a regular file belongs",
	  "remove it; what a link leads to stays", NULL },
	{ PROBLEM_SEGMENT_KIND, "P1-SEGMENT", ERROR, NONE,
	  "something else stands where a segment belongs", NULL, NULL },
	{ PROBLEM_STRAY_FILE, "P1-STRAY", NOTE,
	  "is no file of a store, and is left alone", NULL, NULL },
	{ PROBLEM_LEFT_OVER, "P1-LEFTOVER", NOTE,
	  "was left by a crash; the next opening sees to it", NULL, NULL },
	{ PROBLEM_JOURNAL, "P1-JOURNAL", ERROR, SAFE,
	  "a journal that is not cowd's would be played into the index",
	  "remove it", NULL },

	{ PROBLEM_INDEX_MISSING, "P2-MISSING", ERROR, SAFE,
	  "there is no index.db", "use index.bak, and the log after it", NULL },
	{ PROBLEM_INDEX_DAMAGED, "P2-DAMAGED", ERROR, SAFE,
	  "the index can't be used", "use index.bak, and the log after it",
	  NULL },
	{ PROBLEM_INDEX_ORDER, "P2-ORDER", ERROR, SAFE,
	  "indexes of the database don't agree with its tables",
	  "make them anew", NULL },
	{ PROBLEM_INDEX_VERSION, "P2-VERSION", ERROR, SAFE,
	  "the database is not marked as an index of this version",
	  "mark it, as its schema is the right one", NULL },
	{ PROBLEM_INDEX_SCHEMA, "P2-SCHEMA", ERROR, SAFE,
	  "an index of the database is missing, or another one", "make it anew",
	  NULL },
	{ PROBLEM_INDEX_EXTRA, "P2-EXTRA", ERROR, LOSES,
	  "the database has something that is not cowd's", "drop it",
	  "what somebody put there" },
	{ PROBLEM_INDEX_META, "P2-META", ERROR, SAFE,
	  "a value of the store is missing or can't be",
	  "set it to what follows from all else", NULL },
	{ PROBLEM_INDEX_MODE, "P2-WAL", ERROR, SAFE,
	  "the database is not in WAL mode", "set the mode", NULL },
	{ PROBLEM_BACKUP_DAMAGED, "P2-BACKUP", WARNING, SAFE,
	  "index.bak is damaged, and no help if index.db were", "make it anew",
	  NULL },
	{ PROBLEM_BACKUP_MISSING, "P2-NOBACKUP", NOTE,
	  "there is no index.bak; the next mount makes one", NULL, NULL },

	{ PROBLEM_LOG_REPLAY, "P2-REPLAY", NOTE,
	  "the log has what the index has not; the next mount replays it", NULL,
	  NULL },
	{ PROBLEM_LOG_TORN, "P2-TORN", NOTE,
	  "the log ends in the midst of what was never synced", NULL, NULL },
	{ PROBLEM_LOG_DAMAGED, "P2-LOG", ERROR, LOSES,
	  "the log is damaged, and the store does not open",
	  "apply what can be read before and behind it, and begin the log anew",
	  "changes whose records are damaged" },
	{ PROBLEM_LOG_RECORD, "P2-RECORD", ERROR, LOSES,
	  "a record of the log can't be applied, and the store does not open",
	  "leave it out", "what the record says" },
	{ PROBLEM_LOG_GENERATION, "P2-RECGEN", ERROR, SAFE,
	  "a record of the log is not of a head, and the store does not open",
	  "apply it where it says", NULL },
	{ PROBLEM_INDEX_REBUILD, "P2-REBUILD", WARNING, SAFE,
	  "the index is to be made anew", "use index.bak, and the log after it",
	  NULL },
	{ PROBLEM_INDEX_SEGMENTS, "P2-SEGMENTS", ERROR, LOSES,
	  "the index is to be made of the segments alone",
	  "put together what they say",
	  "names and attributes of trees that no record holds any more, and older "
	  "entries of the operation log" },

	{ PROBLEM_LINE, "P3-LINE", ERROR, SAFE,
	  "a line is missing, or its row can't be",
	  "put it back as the operation log or index.bak has it", NULL },
	{ PROBLEM_LINE_LOST, "P3-LINELOST", ERROR, LOSES,
	  "a line is missing, or its row can't be, and nothing tells how it "
	  "was",
	  "make it anew, over base", "what its views saw of older lines" },
	{ PROBLEM_LINE_UNKNOWN, "P3-ROWS", ERROR, SAFE,
	  "there is data of a line that nobody knows",
	  "make a branch 'lost-N' of it", NULL },
	{ PROBLEM_BRANCH, "P3-BRANCH", ERROR, SAFE,
	  "a value of the branch can't be", "set it to what is harmless",
	  NULL },
	{ PROBLEM_BRANCH_NAME, "P3-BRANCHNAME", ERROR, SAFE,
	  "the branch's name can't be, or another one has it",
	  "give it a name with its number", NULL },
	{ PROBLEM_BRANCH_HEAD, "P3-HEAD", ERROR, SAFE,
	  "the branch writes to a generation that others see",
	  "let it go on in a new one", NULL },
	{ PROBLEM_BRANCH_SHARED, "P3-HEADS", ERROR, SAFE,
	  "the branch writes to the line of another branch",
	  "let it go on in a line of its own", NULL },
	{ PROBLEM_BRANCH_NONE, "P3-NOBRANCH", ERROR, SAFE, "there is no branch",
	  "make one of the newest line", NULL },
	{ PROBLEM_BRANCH_LOST, "P3-BRANCHLOST", ERROR, LOSES,
	  "the branch's row does not say where its head is",
	  "let it go on from the newest line without one",
	  "the branch as it was, if that is another line" },
	{ PROBLEM_SNAPSHOT, "P3-SNAPSHOT", ERROR, SAFE,
	  "a value of the snapshot can't be", "set it to what is harmless",
	  NULL },
	{ PROBLEM_SNAPSHOT_NAME, "P3-SNAPNAME", ERROR, SAFE,
	  "the snapshot's name can't be, or another one has it",
	  "give it a name with its number", NULL },
	{ PROBLEM_SNAPSHOT_LOST, "P3-SNAPLOST", ERROR, LOSES,
	  "the snapshot's row does not say what it shows", "remove it",
	  "the snapshot" },
	{ PROBLEM_HOLD, "P3-HOLD", ERROR, SAFE,
	  "a hold of no snapshot, or its row can't be", "remove it", NULL },
	{ PROBLEM_OPERATION, "P3-OPERATION", ERROR, LOSES,
	  "an entry of the operation log can't be read", "remove it",
	  "its line in 'cowd log', and its undo" },
	{ PROBLEM_COUNTER, "P3-COUNTER", ERROR, SAFE,
	  "a counter would give out numbers that are in use",
	  "move it behind them", NULL },

	{ PROBLEM_ITEM, "P4-ITEM", ERROR, LOSES,
	  "a piece of metadata does not fit its checksum, or can't be",
	  "put it back as index.bak has it, or keep what can be read, or "
	  "remove it",
	  "what was changed of it since, or the piece" },
	{ PROBLEM_NO_INODE, "P4-NOINODE", ERROR, LOSES,
	  "names lead to an inode that is not there",
	  "make it anew of its data, or of an older version",
	  "its owner, mode and times, and where exactly it ends" },
	{ PROBLEM_LINK_COUNT, "P4-NLINK", ERROR, SAFE,
	  "the count of names is wrong", "set it", NULL },
	{ PROBLEM_NAMELESS, "P4-NONAME", ERROR, SAFE, "an inode has no name",
	  "give it one in lost+found", NULL },
	{ PROBLEM_NAMELESS_KEPT, "P4-KEPT", NOTE,
	  "an inode of a snapshot has no name; it goes with the snapshot", NULL,
	  NULL },
	{ PROBLEM_PARENT, "P4-PARENT", ERROR, SAFE,
	  "a directory tells another one as its parent", "set it", NULL },
	{ PROBLEM_ORPHAN, "P4-ORPHAN", ERROR, SAFE,
	  "an inode with a name is marked to be deleted at the next opening",
	  "take the mark away", NULL },

	{ PROBLEM_WINDOW_ROW, "P5-ROW", ERROR, SAFE,
	  "the row that says where the file's blocks are is damaged",
	  "put it back as index.bak and the log have it", NULL },
	{ PROBLEM_WINDOW_LOST, "P5-ROWLOST", ERROR, LOSES,
	  "the row that says where the file's blocks are is damaged, and nothing "
	  "tells how it was",
	  "let all that it covers, 2 MiB, be unreadable",
	  "what this version of the file has there" },
	{ PROBLEM_WINDOW_GEN, "P5-GEN", ERROR, SAFE,
	  "a version is newer than the head that wrote it",
	  "let the head go on from there", NULL },
	{ PROBLEM_WINDOW_BIRTH, "P5-BIRTH", ERROR, SAFE,
	  "blocks are younger than the version that has them",
	  "take them for old ones, which are never freed too early", NULL },
	{ PROBLEM_WINDOW_INODE, "P5-INODE", ERROR, LOSES,
	  "there is data of an inode that nobody knows", "drop it",
	  "data that no file shows" },

	{ PROBLEM_SEGMENT_HEADER, "P6-HEADER", ERROR, SAFE,
	  "the segment's header is damaged, or another one's",
	  "write the header that it should have", NULL },
	{ PROBLEM_SEGMENT_MISSING, "P6-MISSING", ERROR, SAFE,
	  "a segment of which nothing is needed is missing", "forget it",
	  NULL },
	{ PROBLEM_SEGMENT_LOST, "P6-LOST", ERROR, LOSES,
	  "a segment is missing, and with it what is stored in it",
	  "forget it; what was in it becomes unreadable",
	  "all blocks that are stored in it" },
	{ PROBLEM_BLOCK_HEALED, "P6-HEAL", ERROR, SAFE,
	  "a stored block is damaged, and there is another copy of it",
	  "write the copy in its place", NULL },
	{ PROBLEM_BLOCK_LOST, "P6-BLOCK", ERROR, LOSES,
	  "stored blocks are damaged, and no other copy was found",
	  "let reading them be an error, until they are written again",
	  "what was in these blocks" },

	{ PROBLEM_SPACE_FREE, "P7-FREE", ERROR, SAFE,
	  "blocks that are in use are marked as free", "mark them as used",
	  NULL },
	{ PROBLEM_SPACE_SHARED, "P7-SHARED", ERROR, SAFE,
	  "blocks that several files use are not marked so", "mark them",
	  NULL },
	{ PROBLEM_SPACE_LEAK, "P7-LEAK", WARNING, SAFE,
	  "blocks that nobody uses are marked as used", "mark them as free",
	  NULL },
	{ PROBLEM_SPACE_METADATA, "P7-RECORDS", WARNING, SAFE,
	  "the number of record blocks is wrong", "set it", NULL },
	{ PROBLEM_SPACE_USED, "P7-USED", ERROR, SAFE,
	  "blocks behind those that were handed out are in use",
	  "set the number", NULL },
	{ PROBLEM_SPACE_SEALED, "P7-SEALED", ERROR, SAFE,
	  "the mark that nothing more goes into the segment is wrong", "set it",
	  NULL },
	{ PROBLEM_SPACE_ROW, "P7-ROW", ERROR, SAFE,
	  "what the index says of a segment's space can't be",
	  "find it out from all else", NULL },
	{ PROBLEM_SPACE_UNKNOWN, "P7-UNKNOWN", ERROR, SAFE,
	  "a segment is in use of which the index knows nothing",
	  "find out what is used of it", NULL },

	{ PROBLEM_BASE_ROW, "P8-ROW", ERROR, SAFE,
	  "what the store was made over is missing in the index, or can't be",
	  "put it back as index.bak has it", NULL },
	{ PROBLEM_BASE_LOST, "P8-ROWLOST", ERROR, NONE,
	  "what the store was made over is missing in the index, and nothing "
	  "tells it",
	  NULL, NULL },
	{ PROBLEM_BASE_MISSING, "P8-MISSING", ERROR, NONE,
	  "base can't be opened", NULL, NULL },
	{ PROBLEM_BASE_CHANGED, "P8-CHANGED", ERROR, NONE,
	  "base is not what the store was made over", NULL, NULL },
	{ PROBLEM_BASE_SNAPSHOT, "P8-STORE", NOTE,
	  "is a snapshot of another store, which is to be checked by itself",
	  NULL, NULL },
};

const unsigned problem_row_count =
	sizeof(problem_rows) / sizeof(problem_rows[0]);

const struct problem_row *problem_row(enum problem_number number)
{
	unsigned i;

	for (i = 0; i < problem_row_count; i++)
		if (problem_rows[i].number == number)
			return &problem_rows[i];
	return NULL;
}

const char *problem_class_slug(enum problem_class class)
{
	switch (class) {
	case PROBLEM_CLASS_NOTE:
		return "note";
	case PROBLEM_CLASS_SAFE:
		return "safe";
	case PROBLEM_CLASS_LOSES:
		return "with-loss";
	case PROBLEM_CLASS_NONE:
		return "no";
	}
	return "";
}

const char *problem_severity_slug(enum problem_severity severity)
{
	switch (severity) {
	case PROBLEM_SEVERITY_NOTE:
		return "note";
	case PROBLEM_SEVERITY_WARNING:
		return "warning";
	case PROBLEM_SEVERITY_ERROR:
		return "error";
	}
	return "";
}

void fsck_print_problems(FILE *out)
{
	unsigned i;

	for (i = 0; i < problem_row_count; i++) {
		const struct problem_row *row = &problem_rows[i];

		fprintf(out, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", (int)row->number,
			row->code, problem_severity_slug(row->severity),
			problem_class_slug(row->class), row->text,
			row->fix ? row->fix : "-",
			row->loses ? row->loses : "-");
	}
}

static bool ask(struct check *check, const struct problem_row *row)
{
	const struct fsck_options *options = check->options;
	char question[512];

	snprintf(question, sizeof(question), "%c%s%s%s",
		 row->fix[0] - 'a' + 'A', row->fix + 1,
		 row->loses ? "; lost: " : "", row->loses ? row->loses : "");
	return options->ask && options->ask(options->context, question);
}

/* May it be repaired in this run? With -n in the working copy only. */
static bool may_fix(struct check *check, const struct problem_row *row)
{
	if (row->class == PROBLEM_CLASS_NOTE ||
	    row->class == PROBLEM_CLASS_NONE)
		return false;
	switch (check->options->mode) {
	case FSCK_MODE_NO:
	case FSCK_MODE_YES:
		return true;
	case FSCK_MODE_SAFE:
		return row->class == PROBLEM_CLASS_SAFE;
	case FSCK_MODE_ASK:
		return ask(check, row);
	}
	return false;
}

/* What is left of these looks like damage elsewhere. */
static bool misleads(const struct problem_row *row)
{
	static const enum problem_number numbers[] = {
		PROBLEM_LINE,	     PROBLEM_LINE_LOST, PROBLEM_LINE_UNKNOWN,
		PROBLEM_BRANCH_LOST, PROBLEM_ITEM,
	};
	size_t i;

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (numbers[i] == row->number)
			return true;
	return false;
}

bool problem(struct check *check, enum problem_number number,
	     const struct problem_where *where, const char *format, ...)
{
	static const struct problem_where nowhere;
	const struct problem_row *row = problem_row(number);
	struct fsck_result *result = check->result;
	char detail[512] = "";
	va_list arguments;
	bool fix;

	if (format) {
		va_start(arguments, format);
		vsnprintf(detail, sizeof(detail), format, arguments);
		va_end(arguments);
	}
	if (check->options->mode == FSCK_MODE_ASK)
		report_problem(check, row, where ? where : &nowhere, detail,
			       false);
	fix = may_fix(check, row);
	check->misled |= !fix && misleads(row);
	if (row->class == PROBLEM_CLASS_NOTE) {
		result->note_count++;
	} else {
		if (result->found_count++ == 0)
			result->first_number = row->number;
		if (fix && check->options->mode != FSCK_MODE_NO)
			result->fixed_count++;
		else
			result->left_count++;
		result->lost_count += fix && row->class == PROBLEM_CLASS_LOSES;
	}
	if (check->options->mode != FSCK_MODE_ASK)
		report_problem(check, row, where ? where : &nowhere, detail,
			       fix);
	return fix;
}

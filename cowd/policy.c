/*
 * The store's own policy (store.conf): snapshot.every, keep.*, trash.keep.
 * State is read from the store each time, so a daemon that is started anew
 * goes on where the last one stopped.
 */
#include "policy.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "human.h"
#include "logging.h"
#include "space.h"

#define NS_PER_S INT64_C(1000000000)

enum { TRASH_CHECK_S = 60 };

enum period { PERIOD_HOUR, PERIOD_DAY, PERIOD_WEEK, PERIOD_MONTH };

/* A number that two times share exactly when they are in one period. */
static int64_t period_nr(enum period period, int64_t ns)
{
	time_t seconds = (time_t)(ns / NS_PER_S);
	struct tm tm;

	switch (period) {
	case PERIOD_HOUR:
		return seconds / 3600;
	case PERIOD_DAY:
		return seconds / 86400;
	case PERIOD_WEEK: /* 1970-01-01 was a Thursday */
		return (seconds / 86400 + 3) / 7;
	case PERIOD_MONTH:
		gmtime_r(&seconds, &tm);
		return (int64_t)tm.tm_year * 12 + tm.tm_mon;
	}
	abort();
}

static bool is_candidate(const struct snapshot_info *info, int64_t now_ns)
{
	return info->kind == SNAPSHOT_KIND_AUTO &&
	       info->state == SNAPSHOT_STATE_LIVE && info->hold_count == 0 &&
	       info->clone_count == 0 && info->created_ns <= now_ns;
}

/* Keeps the newest of each of the latest `most` periods that have any. */
static void keep_periods(const struct snapshot_info *list, size_t count,
			 enum period period, uint32_t most, bool *keep_flags)
{
	int64_t last_nr = 0;
	uint32_t kept = 0;
	size_t i;

	for (i = count; i-- > 0 && kept < most;) {
		int64_t nr = period_nr(period, list[i].created_ns);

		if (list[i].kind != SNAPSHOT_KIND_AUTO ||
		    list[i].state != SNAPSHOT_STATE_LIVE)
			continue;
		if (kept > 0 && nr == last_nr)
			continue;
		keep_flags[i] = true;
		last_nr = nr;
		kept++;
	}
}

void policy_prune(const struct snapshot_info *list, size_t count,
		  const struct store_config *config, int64_t now_ns,
		  bool *keep_flags)
{
	bool keeps_all = !config->keep_last && !config->keep_hourly &&
			 !config->keep_daily && !config->keep_weekly &&
			 !config->keep_monthly;
	uint32_t last = config->keep_last;
	size_t i;

	for (i = 0; i < count; i++)
		keep_flags[i] = keeps_all || !is_candidate(&list[i], now_ns);
	for (i = count; i-- > 0 && last > 0;) {
		if (list[i].kind != SNAPSHOT_KIND_AUTO ||
		    list[i].state != SNAPSHOT_STATE_LIVE)
			continue;
		keep_flags[i] = true;
		last--;
	}
	keep_periods(list, count, PERIOD_HOUR, config->keep_hourly, keep_flags);
	keep_periods(list, count, PERIOD_DAY, config->keep_daily, keep_flags);
	keep_periods(list, count, PERIOD_WEEK, config->keep_weekly, keep_flags);
	keep_periods(list, count, PERIOD_MONTH, config->keep_monthly,
		     keep_flags);
}

int policy_unique_name(struct store *store, const char *prefix, int64_t now_ns,
		       char *name, size_t name_bytes)
{
	time_t seconds = (time_t)(now_ns / NS_PER_S);
	struct snapshot_info *info = malloc(sizeof(*info));
	char stamp[64];
	unsigned nr;
	struct tm tm;
	int rc = 0;

	if (!info)
		return -ENOMEM;
	gmtime_r(&seconds, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H-%M-%S", &tm);
	snprintf(name, name_bytes, "%s%s", prefix, stamp);
	for (nr = 2; rc == 0 && nr < 1000; nr++) {
		struct failure ignored = { .code = FAILURE_NONE };

		rc = history_find_snapshot(store, NULL, name, info, &ignored);
		if (rc == 0)
			snprintf(name, name_bytes, "%s%s-%u", prefix, stamp,
				 nr);
	}
	free(info);
	return rc == -ENOENT ? 0 : -EEXIST;
}

static void complain(const struct failure *failure, const char *what)
{
	log_message(LOG_LEVEL_WARNING, "%s: %s%s%s", what, failure->object,
		    failure->object[0] ? ": " : "", failure->message);
}

static void prune_branch(struct store *store, const char *branch,
			 const struct store_config *config, int64_t now_ns)
{
	struct failure failure = { .code = FAILURE_NONE };
	struct actor actor = { .uid = getuid() };
	AUTO_FREE struct snapshot_info *list = NULL;
	AUTO_FREE bool *keep = NULL;
	size_t count, i;

	if (history_snapshots(store, branch, false, &list, &count, &failure) <
	    0) {
		complain(&failure, "pruning snapshots");
		return;
	}
	keep = calloc(count + 1, sizeof(*keep));
	if (!keep)
		return;
	policy_prune(list, count, config, now_ns, keep);
	for (i = 0; i < count; i++) {
		if (keep[i])
			continue;
		failure.code = FAILURE_NONE;
		/* Held or opened in this moment: the next round asks again. */
		if (history_delete_snapshot(store, list[i].id, false, &actor,
					    &failure) < 0 &&
		    failure.code != FAILURE_HELD &&
		    failure.code != FAILURE_NOT_FOUND)
			complain(&failure, "pruning snapshots");
	}
}

static int stop_at_first(void *context, const struct diff_extent *extent)
{
	(void)context, (void)extent;
	return 1;
}

/*
 * Does the head read otherwise than its newest snapshot? The branch's own
 * flag says yes too often: after that snapshot was touched, for example.
 */
static bool has_changed(struct store *store, const char *name,
			const struct snapshot_info *latest)
{
	struct failure ignored = { .code = FAILURE_NONE };
	struct branch_info info;

	if (history_find_branch(store, name, &info, &ignored) < 0 ||
	    !info.changed)
		return false;
	if (latest->id && latest->size_bytes != info.size_bytes)
		return true;
	return history_diff(store, latest->id, name, 0, stop_at_first, NULL,
			    &ignored) != 0;
}

static int take(struct store *store, const char *branch, int64_t now_ns,
		struct failure *failure)
{
	struct actor actor = { .uid = getuid() };
	char name[STORE_NAME_BYTES_MAX + 1];
	int rc = policy_unique_name(store, "auto-", now_ns, name, sizeof(name));

	if (rc == 0)
		rc = history_snapshot(store, branch, name, NULL,
				      SNAPSHOT_KIND_AUTO, &actor, NULL,
				      failure);
	if (rc == 0)
		log_message(LOG_LEVEL_INFO, "%s@%s: automatic snapshot", branch,
			    name);
	return rc;
}

static void snapshot_branch(struct store *store, struct mounts *mounts,
			    const struct branch_info *branch,
			    const struct store_config *config, int64_t now_ns)
{
	AUTO_FREE struct snapshot_info *latest = calloc(1, sizeof(*latest));
	struct failure failure = { .code = FAILURE_NONE };
	int64_t last_ns = branch->created_ns;
	int rc;

	/* What the kernel still holds back counts as a change too. */
	if (!latest ||
	    (!branch->changed && mounts_writers(mounts, branch->name) == 0))
		return;
	rc = history_find_snapshot(store, branch->name, "latest", latest,
				   &failure);
	failure.code = FAILURE_NONE;
	if (rc == 0)
		last_ns = latest->created_ns;
	if (now_ns - last_ns < (int64_t)config->snapshot_every_ns)
		return;
	rc = mounts_flush(mounts, branch->name, &failure);
	if (rc == 0 && !has_changed(store, branch->name, latest))
		return;
	if (rc == 0)
		rc = take(store, branch->name, now_ns, &failure);
	if (rc < 0) {
		failure_errno(&failure, rc, branch->name, "failed");
		complain(&failure, "automatic snapshot");
		return;
	}
	prune_branch(store, branch->name, config, now_ns);
}

static bool trash_is_due(struct store *store, uint64_t keep_ns, int64_t now_ns)
{
	struct failure ignored = { .code = FAILURE_NONE };
	AUTO_FREE struct snapshot_info *snapshots = NULL;
	AUTO_FREE struct branch_info *branches = NULL;
	size_t count, i;

	if (history_snapshots(store, NULL, true, &snapshots, &count, &ignored) <
	    0)
		return false;
	for (i = 0; i < count; i++)
		if (snapshots[i].deleted_ns &&
		    now_ns - snapshots[i].deleted_ns >= (int64_t)keep_ns)
			return true;
	if (history_branches(store, true, &branches, &count) < 0)
		return false;
	for (i = 0; i < count; i++)
		if (branches[i].deleted_ns &&
		    now_ns - branches[i].deleted_ns >= (int64_t)keep_ns)
			return true;
	return false;
}

/* At most once a minute: its state is the only one that isn't the store's. */
static void empty_trash(struct store *store, const struct store_config *config,
			int64_t now_ns)
{
	static int64_t checked_ns;
	struct failure failure = { .code = FAILURE_NONE };
	struct actor actor = { .uid = getuid() };
	struct gc_result result;

	if (now_ns >= checked_ns &&
	    now_ns - checked_ns < TRASH_CHECK_S * NS_PER_S)
		return;
	checked_ns = now_ns;
	if (!trash_is_due(store, config->trash_keep_ns, now_ns))
		return;
	if (space_gc(store, (int64_t)config->trash_keep_ns, false, &actor, NULL,
		     NULL, &result, &failure) < 0)
		complain(&failure, "emptying the trash");
	else {
		log_message(
			LOG_LEVEL_INFO,
			"trash: %u snapshots and %u branches purged, %" PRIu64
			" bytes freed",
			result.snapshots_purged, result.branches_purged,
			result.freed_bytes);
	}
}

void policy_run(struct store *store, struct mounts *mounts)
{
	AUTO_FREE struct branch_info *branches = NULL;
	int64_t now_ns = human_now_ns();
	struct store_config config;
	size_t count, i;

	store_get_config(store, &config);
	if (config.snapshot_every_ns > 0 &&
	    history_branches(store, false, &branches, &count) == 0)
		for (i = 0; i < count; i++)
			snapshot_branch(store, mounts, &branches[i], &config,
					now_ns);
	empty_trash(store, &config, now_ns);
}

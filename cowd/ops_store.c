/* Methods status, stats and config.*. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "human.h"
#include "ops_impl.h"
#include "store_layers.h"

static const char *health_name(enum store_health health)
{
	switch (health) {
	case STORE_HEALTH_GOOD:
		return "healthy";
	case STORE_HEALTH_ATTENTION:
		return "attention";
	case STORE_HEALTH_DAMAGED:
		return "damaged";
	}
	abort();
}

static json_t *base_json(const struct store_status *status)
{
	if (!status->base_path[0])
		return json_null();
	return json_pack("{s:o, s:s, s:o, s:b, s:b, s:o, s:[]}", "path",
			 json_text(status->base_path), "kind",
			 status->base_kind, "size_bytes",
			 json_size(status->base_size_bytes), "changed",
			 status->base_changed, "being_written",
			 status->base_being_written, "checked",
			 json_time(status->base_checked_ns), "layers");
}

/* As the branch sees them that is meant when none is named. */
static int put_layers(struct call *call, const struct store_status *status)
{
	struct failure ignored = { .code = FAILURE_NONE };
	struct branch_info *list = NULL, branch;
	json_t *layers = NULL;
	size_t count = 0;
	int rc = history_find_branch(call->store, NULL, &branch, &ignored);

	if (rc == -ENOENT) {
		rc = history_branches(call->store, false, &list, &count);
		if (rc == 0 && count)
			branch = list[0];
		free(list);
	}
	if (rc == 0)
		rc = layers_json(call, branch.name, &layers);
	if (rc < 0)
		return rc;
	return call_put(call, "base",
			json_pack("{s:o, s:s, s:n, s:b, s:b, s:o, s:o}", "path",
				  json_text(status->base_path), "kind",
				  status->base_kind, "size_bytes", "changed",
				  status->base_changed, "being_written", false,
				  "checked", json_time(status->base_checked_ns),
				  "layers", layers));
}

static json_t *log_json(const struct store_status *status)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "records",
			 json_size(status->log_records), "durable_records",
			 json_size(status->durable_records),
			 "checkpoint_record", json_size(status->checkpoint_lsn),
			 "recovered_records",
			 json_size(status->recovered_records), "recovery_ms",
			 json_size(status->recovery_ns / 1000000));
}

static json_t *room_json(const struct store_status *status)
{
	return json_pack("{s:o, s:o, s:b}", "free_bytes",
			 json_size(status->host_free_bytes), "reserve_bytes",
			 json_size(status->reserve_bytes), "set_aside",
			 status->room_set_aside);
}

static json_t *daemon_json(struct call *call)
{
	return call->mounts ? json_pack("{s:i}", "pid", getpid()) : json_null();
}

static int put_branches(struct call *call, const json_t *mounts)
{
	json_t *array = json_array();
	struct listing listing;
	size_t i;
	int rc = listing_load(call, NULL, false, false, &listing);

	if (rc < 0) {
		json_decref(array);
		return rc;
	}
	for (i = 0; i < listing.branch_count; i++)
		json_array_append_new(array, branch_json(&listing,
							 &listing.branches[i],
							 mounts));
	listing_free(&listing);
	return call_put(call, "branches", array);
}

static int status(struct call *call)
{
	AUTO_FREE struct store_status *now = calloc(1, sizeof(*now));
	json_t *mounts;
	int rc;

	if (!now)
		return -ENOMEM;
	store_status(call->store, now);
	mounts = call->mounts ? mounts_list(call->mounts) : json_array();
	rc = call_put(call, "health", json_string(health_name(now->health)));
	if (rc == 0)
		rc = call_put(call, "reason", json_text_or_null(now->reason));
	if (rc == 0)
		rc = call_put(call, "read_only", json_boolean(now->read_only));
	if (rc == 0)
		rc = call_put(call, "format", json_size(now->format_version));
	if (rc == 0)
		rc = call_put(call, "daemon", daemon_json(call));
	if (rc == 0)
		rc = store_is_tree(call->store) ?
			     put_layers(call, now) :
			     call_put(call, "base", base_json(now));
	if (rc == 0)
		rc = put_branches(call, mounts);
	if (rc == 0)
		rc = call_put(call, "mounts", json_incref(mounts));
	if (rc == 0)
		rc = call_put(call, "log", log_json(now));
	if (rc == 0)
		rc = call_put(call, "room", room_json(now));
	if (rc == 0)
		rc = call_put(call, "dirty_bytes", json_size(now->dirty_bytes));
	if (rc == 0)
		rc = call_put(call, "cache_bytes", json_size(now->cache_bytes));
	if (rc == 0)
		rc = call_put(call, "scrub", scrub_json(call->store));
	if (rc == 0)
		rc = call_put(call, "deleting_snapshots",
			      json_size(now->deleting_snapshots));
	json_decref(mounts);
	return rc;
}

static int stats(struct call *call)
{
	struct store_counters c = { .reads = 0 };
	const struct {
		const char *name;
		const uint64_t *value;
	} fields[] = {
		{ "reads", &c.reads },
		{ "read_bytes", &c.read_bytes },
		{ "base_read_bytes", &c.base_read_bytes },
		{ "writes", &c.writes },
		{ "write_bytes", &c.write_bytes },
		{ "stored_bytes", &c.stored_bytes },
		{ "zero_bytes", &c.zero_bytes },
		{ "syncs", &c.syncs },
		{ "flushes", &c.flushes },
		{ "sync_ns", &c.sync_ns },
		{ "window_loads", &c.window_loads },
		{ "window_hits", &c.window_hits },
		{ "checkpoints", &c.checkpoints },
		{ "checkpoint_ns", &c.checkpoint_ns },
		{ "moved_bytes", &c.moved_bytes },
		{ "punched_bytes", &c.punched_bytes },
		{ "checksum_errors", &c.checksum_errors },
		{ "lost_reads", &c.lost_reads },
	};
	json_t *counters = json_object();
	size_t i;
	int rc;

	store_counters(call->store, &c);
	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		json_object_set_new(counters, fields[i].name,
				    json_size(*fields[i].value));
	rc = call_put(call, "time", json_time(human_now_ns()));
	if (rc == 0)
		rc = call_put(call, "daemon", daemon_json(call));
	if (rc == 0)
		rc = call_put(call, "scrub", scrub_json(call->store));
	return rc < 0 ? json_decref(counters),
	       rc : call_put(call, "counters", counters);
}

static int put_setting(struct call *call, json_t *array,
		       const struct store_config *config, const char *key,
		       const char *help)
{
	struct store_config defaults;
	char text[128], plain[128];
	int rc = config_get(config, key, text, sizeof(text), call->failure);

	config_defaults(&defaults);
	if (rc == 0)
		rc = config_get(&defaults, key, plain, sizeof(plain),
				call->failure);
	if (rc == 0)
		json_array_append_new(array,
				      json_pack("{s:s, s:s, s:s, s:s}", "key",
						key, "value", text, "default",
						plain, "help", help));
	return rc;
}

static const char *help_of(const char *key)
{
	size_t i;

	for (i = 0; config_key(i); i++)
		if (strcmp(config_key(i), key) == 0)
			return config_key_help(i);
	return "";
}

static int config_show(struct call *call)
{
	const char *key = call_text(call, "key");
	json_t *array = json_array();
	struct store_config config;
	size_t i;
	int rc = 0;

	store_get_config(call->store, &config);
	if (key)
		rc = put_setting(call, array, &config, key, help_of(key));
	for (i = 0; rc == 0 && !key && config_key(i); i++)
		rc = put_setting(call, array, &config, config_key(i),
				 config_key_help(i));
	if (rc < 0) {
		json_decref(array);
		return rc;
	}
	return call_put(call, "settings", array);
}

static int apply_assignment(struct call *call, struct store_config *config,
			    const char *text, json_t *array)
{
	AUTO_FREE char *copy = strdup(text);
	char *value;
	int rc;

	if (!copy)
		return -ENOMEM;
	value = strchr(copy, '=');
	if (!value) {
		failure_set(call->failure, FAILURE_USAGE, text,
			    "is no KEY=VALUE");
		failure_hint(call->failure, "for example: snapshot.every=1h");
		return -EINVAL;
	}
	*value++ = '\0';
	rc = config_set(config, copy, value, call->failure);
	return rc < 0 ? rc :
			put_setting(call, array, config, copy, help_of(copy));
}

static int config_change(struct call *call)
{
	const json_t *texts = json_object_get(call->params, "settings");
	json_t *array = json_array();
	struct store_config config;
	const json_t *text;
	size_t i;
	int rc = 0;

	store_get_config(call->store, &config);
	json_array_foreach(texts, i, text) if (rc == 0) rc =
		apply_assignment(call, &config, json_string_value(text), array);
	if (rc == 0 && !call->dry_run)
		rc = store_configure(call->store, &config, call->failure);
	if (rc < 0) {
		json_decref(array);
		return rc;
	}
	rc = call_put(call, "settings", array);
	return rc < 0 ? rc : call_put_dry_run(call);
}

const struct method methods_store[] = {
	{ "status", "", status },
	{ "stats", "", stats },
	{ "config.show", "", config_show },
	{ "config.get", "key:S", config_show },
	{ "config.set", "settings:a", config_change },
	{ .name = NULL },
};

/*
 * Methods as somebody who may talk to the daemon calls them (A11): any JSON,
 * any method, any parameters, on a store over an image or a directory. Each
 * gives a result with its schema, or a failure that says what is wrong. The
 * first byte chooses the store, the rest are requests with a NUL between.
 *
 * What leads out of the store's directory is left out, as is mounting.
 */
#include <string.h>
#include <unistd.h>

#include "ops.h"

#include "fuzz_assert.h"
#include "fuzz_store.h"

enum { REQUESTS_MAX = 8 };

static struct fuzz_store stores[2];

/* No text in it is a path to elsewhere. */
static bool is_harmless(json_t *value)
{
	const char *key;
	json_t *member;
	size_t i;

	if (json_is_string(value))
		return !strchr(json_string_value(value), '/') &&
		       !strstr(json_string_value(value), "..");
	json_object_foreach(value, key,
			    member) if (!is_harmless(member)) return false;
	json_array_foreach(value, i,
			   member) if (!is_harmless(member)) return false;
	return true;
}

static void call(struct ops_context *context, json_t *request)
{
	const char *method =
		json_string_value(json_object_get(request, "method"));
	json_t *params = json_object_get(request, "parameters"), *result = NULL;
	struct failure failure = { .code = FAILURE_NONE };

	if (!method || !is_harmless(request) || strcmp(method, "mount") == 0)
		return;
	/* As slow as it was asked to be. */
	if (json_is_true(json_object_get(params, "wait")))
		return;
	params = params ? json_incref(params) : json_object();
	if (json_is_object(params) &&
	    ops_call(context, method, params, &result, &failure) == 0)
		FUZZ_ASSERT(json_is_string(json_object_get(result, "schema")));
	else
		FUZZ_ASSERT(
			!json_is_object(params) ||
			(failure.code != FAILURE_NONE && failure.message[0]));
	json_decref(result);
	json_decref(params);
}

static void call_all(struct store *store, const char *text, size_t len_bytes)
{
	struct ops_context context = { .store = store, .uid = 7 };
	const char *end = text + len_bytes, *next;
	unsigned count = 0;

	for (; text < end && count++ < REQUESTS_MAX; text = next + 1) {
		json_t *request;

		next = memchr(text, 0, (size_t)(end - text));
		if (!next)
			next = end;
		request = json_loadb(text, (size_t)(next - text),
				     JSON_REJECT_DUPLICATES, NULL);
		if (json_is_object(request))
			call(&context, request);
		json_decref(request);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	bool is_tree = len_bytes > 0 && data[0] & 1;
	struct store *store;

	if (!stores[is_tree].file_count)
		fuzz_store_new(&stores[is_tree], is_tree);
	if (len_bytes == 0)
		return 0;
	FUZZ_ASSERT(chdir(stores[is_tree].directory) == 0);
	fuzz_store_put_back(&stores[is_tree]);
	FUZZ_ASSERT(store_open(stores[is_tree].path, NULL, &store, NULL) == 0);
	call_all(store, (const char *)data + 1, len_bytes - 1);
	(void)!store_close(store);
	return 0;
}

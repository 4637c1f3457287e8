/* What follows -o, as a user or a line of fstab has it. */
#include <string.h>

#include "mount_options.h"

#include "fuzz_assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	static struct mount_options options;
	struct failure failure = { 0 };
	char *text = malloc(len_bytes + 1);
	int rc;

	FUZZ_ASSERT(text);
	memcpy(text, data, len_bytes);
	text[len_bytes] = '\0';
	memset(&options, 0, sizeof(options));
	rc = mount_options_parse(&options, text, &failure);
	if (rc == 0)
		rc = mount_options_finish(&options, "source", len_bytes % 2,
					  &failure);
	FUZZ_ASSERT(rc == 0 || failure.code != FAILURE_NONE);
	FUZZ_ASSERT(memchr(options.name, 0, sizeof(options.name)));
	FUZZ_ASSERT(memchr(options.subdir, 0, sizeof(options.subdir)));
	mount_options_fini(&options);
	free(text);
	return 0;
}

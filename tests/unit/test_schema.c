/* The schema in C is schema.sql. argv[1] or SCHEMA_SQL: where that is. */
#include "index_world.h"

#ifndef SCHEMA_SQL
#define SCHEMA_SQL "lib/index/schema.sql"
#endif

static const char *schema_path = SCHEMA_SQL;

static void test_the_schema_is_that_of_schema_sql(void **state)
{
	size_t lines = 0, found = 0;
	AUTO_FREE char *line = NULL;
	size_t size = 0;
	FILE *file = fopen(schema_path, "re");

	(void)state;
	assert_non_null(file);
	while (getline(&line, &size, file) > 0) {
		line[strcspn(line, ";\n")] = '\0';
		if (!*line)
			continue;
		lines++;
		for (size_t i = 0; i < schema_object_count; i++)
			found += strcmp(line, schema_objects[i].sql) == 0;
	}
	fclose(file);
	assert_int_equal(lines, schema_object_count);
	assert_int_equal(found, lines);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_schema_is_that_of_schema_sql),
	};

	if (argc > 1)
		schema_path = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}

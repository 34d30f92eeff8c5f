/*
 * The status of the processes, for people and for programs.
 */
#include "daemon/status_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static const char text[] =
    "role=waybilld pid=10 generation=2 uptime=90061 state=running "
    "version=0.1\n"
    "role=keeper index=0 generation=2 pid=11 uptime=59 restarts=1 "
    "state=ready mints=7 vault=up\n"
    "role=proxy index=0 generation=1 pid=12 uptime=3600 restarts=2 "
    "state=draining sessions=3\n"
    "role=proxy index=0 generation=2 pid=0 uptime=0 restarts=0 "
    "state=resting sessions=4 note=\"\n";

static char *
printed(void (*print)(const char *, FILE *), const char *from)
{
	char *out;
	size_t len;
	FILE *f = open_memstream(&out, &len);

	assert_non_null(f);
	print(from, f);
	fclose(f);
	return out;
}

static void
table_lines_up_and_adds_up(void **state)
{
	char *out = printed(status_print_table, text);

	(void)state;
	assert_string_equal(out,
	    "ROLE      NO GEN     PID    UPTIME RESTARTS STATE     DETAILS\n"
	    "waybilld       2      10    1d 01h          running   "
	    "version=0.1\n"
	    "keeper     0   2      11   0:00:59        1 ready     mints=7 "
	    "vault=up\n"
	    "proxy      0   1      12   1:00:00        2 draining  "
	    "sessions=3\n"
	    "proxy      0   2       0   0:00:00        0 resting   "
	    "sessions=4 note=\"\n"
	    "total restarts=3 mints=7 sessions=7\n");
	free(out);
}

static void
json_has_numbers_and_texts(void **state)
{
	char *out = printed(status_print_json, text);

	(void)state;
	assert_string_equal(out,
	    "{\"waybilld\": {\"role\": \"waybilld\", \"pid\": 10, "
	    "\"generation\": 2, \"uptime\": 90061, \"state\": \"running\", "
	    "\"version\": \"0.1\"},\n"
	    " \"processes\": [\n"
	    "  {\"role\": \"keeper\", \"index\": 0, \"generation\": 2, "
	    "\"pid\": 11, \"uptime\": 59, \"restarts\": 1, \"state\": "
	    "\"ready\", \"mints\": 7, \"vault\": \"up\"},\n"
	    "  {\"role\": \"proxy\", \"index\": 0, \"generation\": 1, "
	    "\"pid\": 12, \"uptime\": 3600, \"restarts\": 2, \"state\": "
	    "\"draining\", \"sessions\": 3},\n"
	    "  {\"role\": \"proxy\", \"index\": 0, \"generation\": 2, "
	    "\"pid\": 0, \"uptime\": 0, \"restarts\": 0, \"state\": "
	    "\"resting\", \"sessions\": 4, \"note\": \"\\\"\"}],\n"
	    " \"total\": {\"restarts\": 3, \"mints\": 7, \"sessions\": "
	    "7}}\n");
	free(out);
}

/* A child's own words are printed as they come, whatever they are. */
static void
odd_words_do_no_harm(void **state)
{
	static const char *const odd[] = { "", "\n", "=", "a", "a=\nb\n=c\n",
		"x=99999999999999999999999\ny=9999999999999999999",
		"a=007\n\nb==c" };

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		free(printed(status_print_table, odd[i]));
		free(printed(status_print_json, odd[i]));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_lines_up_and_adds_up),
		cmocka_unit_test(json_has_numbers_and_texts),
		cmocka_unit_test(odd_words_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

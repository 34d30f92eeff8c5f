/*
 * Fuzzes waybill.conf: whatever the text, it is either a configuration or
 * mistakes are named; and the next text is read from its start.
 */
#include "conf/conf_reading.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

/* A system whose name needs no resolver. */
int
gethostname(char *name, size_t size)
{
	snprintf(name, size, "fuzz.example.net");
	return 0;
}

static void
must_read_back(const struct conf *conf)
{
	int fd = conf_snapshot_write(conf);
	struct conf *again;

	MUST(fd >= 0);
	again = conf_snapshot_read(fd, CONF_FOR_PROXY);
	MUST(again != NULL);
	conf_free(again);
	close(fd);
}

/* No place inside of a string or comment may be left from the text before. */
static void
must_begin_anew(void)
{
	char *said = NULL;
	size_t len;
	FILE *out = open_memstream(&said, &len);

	MUST(out != NULL);
	MUST(conf_read_text("next", "nonsense = 1", out) == NULL);
	fclose(out);
	MUST(strstr(said, "next:1: unknown option 'nonsense'") != NULL);
	free(said);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *said = NULL;
	struct conf *conf;
	size_t len;
	FILE *out = open_memstream(&said, &len);

	MUST(text != NULL && out != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	conf = conf_read_text("fuzz", text, out);
	fclose(out);
	MUST(conf != NULL || len > 0);
	if (conf != NULL)
		must_read_back(conf);
	must_begin_anew();
	conf_free(conf);
	free(said);
	free(text);
	return 0;
}

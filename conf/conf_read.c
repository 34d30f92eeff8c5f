/*
 * Reading waybill.conf from its file: text, parser, checks, and all mistakes
 * at once.
 */
#include "conf/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/conf_defaults.h"
#include "conf/conf_reading.h"

enum { FILE_LONGEST = 1 << 20 };

struct conf *
conf_read_text(const char *file, const char *text, FILE *out)
{
	struct conf_reading reading = { .file = file, .conf = conf_new() };
	struct conf *conf = NULL;

	if (reading.conf == NULL) {
		fprintf(out, "%s: no memory\n", file);
		return NULL;
	}
	if (conf_parse(&reading, text))
		conf_check(&reading);
	conf_mistakes_print(&reading, out);
	if (reading.error_count == 0) {
		conf = reading.conf;
		reading.conf = NULL;
	}
	conf_reading_free(&reading);
	return conf;
}

/* The file's text with its NUL, or NULL with what is wrong in *why. */
static char *
read_all(int fd, const char **why)
{
	char *text = malloc(FILE_LONGEST + 1);
	size_t len = 0;
	ssize_t n = 0;

	*why = "no memory";
	if (text == NULL)
		return NULL;
	while (len < FILE_LONGEST &&
	    (n = read(fd, text + len, FILE_LONGEST - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	if (n < 0)
		*why = strerror(errno);
	else if (len == FILE_LONGEST)
		*why = "larger than 1 MiB; is it a configuration?";
	else if (memchr(text, '\0', len) != NULL)
		*why = "a NUL octet is in it; is it a text?";
	else
		return text;
	free(text);
	return NULL;
}

/* The text of file, or NULL after a message to out. */
static char *
open_and_read(const char *file, FILE *out)
{
	const char *why;
	char *text;
	int fd;

	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		fprintf(out, "%s: cannot be read: %s; give its path with -c\n",
		    file, strerror(errno));
		return NULL;
	}
	text = read_all(fd, &why);
	close(fd);
	if (text == NULL)
		fprintf(out, "%s: cannot be read: %s\n", file, why);
	return text;
}

struct conf *
conf_read_to(const char *file, FILE *out)
{
	char *text = open_and_read(file, out);
	struct conf *conf = NULL;

	if (text != NULL)
		conf = conf_read_text(file, text, out);
	free(text);
	return conf;
}

char *
conf_read_run_dir(const char *file, FILE *out)
{
	char *text = open_and_read(file, out), *run_dir = NULL;
	struct conf_reading reading = { .file = file };

	if (text == NULL)
		return NULL;
	reading.conf = conf_new();
	if (reading.conf != NULL && conf_parse(&reading, text))
		run_dir = strdup(reading.conf->run_dir);
	else
		conf_mistakes_print(&reading, out);
	conf_reading_free(&reading);
	free(text);
	return run_dir;
}

struct conf *
conf_read(const char *file)
{
	return conf_read_to(file, stderr);
}

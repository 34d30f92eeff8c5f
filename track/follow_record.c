/*
 * Where the reading of a log stands, kept durably: a file of one line a
 * member, replaced as a whole.
 */
#include "track/follow_record.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/codec.h"

#define HEAD "waybill-feed 1\n"

enum { TEXT_MAX = 2048 };

static int
write_text(int fd, const char *text, size_t len)
{
	ssize_t n;

	for (; len > 0; text += n, len -= (size_t)n) {
		n = write(fd, text, len);
		if (n < 0)
			return -1;
	}
	return fsync(fd);
}

/* The name is durable only when its directory is. */
static int
sync_directory(const char *path)
{
	char directory[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int fd, result;

	if (slash == NULL)
		strcpy(directory, ".");
	else if (slash == path)
		strcpy(directory, "/");
	else
		snprintf(directory, sizeof(directory), "%.*s",
		    (int)(slash - path), path);
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	result = fsync(fd);
	close(fd);
	return result;
}

static int
replace(const char *path, const char *text, size_t len)
{
	char beside[PATH_MAX];
	int fd, result, saved;

	if ((size_t)snprintf(beside, sizeof(beside), "%s.new", path) >=
	    sizeof(beside)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	result = write_text(fd, text, len);
	saved = errno;
	if (close(fd) != 0 && result == 0) {
		result = -1;
		saved = errno;
	}
	if (result == 0)
		return rename(beside, path) == 0 ? sync_directory(path) : -1;
	unlink(beside);
	errno = saved;
	return -1;
}

int
follow_record_write(const char *path, const struct follow_record *record)
{
	char text[TEXT_MAX], first[2 * FOLLOW_FINGERPRINT + 1] = "-";
	int len;

	if (record->has_first)
		codec_hex_encode(record->first, FOLLOW_FINGERPRINT, first);
	len = snprintf(text, sizeof(text),
	    HEAD "device %" PRIu64 "\ninode %" PRIu64 "\noffset %" PRIu64
		 "\nfirst %s\ncursor %s\n",
	    record->device, record->inode, record->offset, first,
	    record->cursor);
	return replace(path, text, (size_t)len);
}

static bool
get_number(const char **at, const char *name, uint64_t *number)
{
	size_t len = strlen(name);
	char *end;

	if (strncmp(*at, name, len) != 0 || !isdigit((unsigned char)(*at)[len]))
		return false;
	errno = 0;
	*number = strtoull(*at + len, &end, 10);
	*at = end;
	if (errno != 0 || **at != '\n')
		return false;
	(*at)++;
	return true;
}

/* One line after name, without its end. */
static bool
get_text(const char **at, const char *name, char *out, size_t size)
{
	size_t len = strlen(name), text;

	if (strncmp(*at, name, len) != 0)
		return false;
	*at += len;
	text = strcspn(*at, "\n");
	if ((*at)[text] != '\n' || text >= size)
		return false;
	memcpy(out, *at, text);
	out[text] = '\0';
	*at += text + 1;
	return true;
}

static int
nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
read_first(const char *hex, struct follow_record *record)
{
	if (strcmp(hex, "-") == 0)
		return true;
	if (strlen(hex) != 2 * FOLLOW_FINGERPRINT)
		return false;
	for (size_t i = 0; i < FOLLOW_FINGERPRINT; i++) {
		int high = nibble(hex[2 * i]), low = nibble(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		record->first[i] = (uint8_t)(high << 4 | low);
	}
	record->has_first = true;
	return true;
}

static bool
read_text(const char *at, struct follow_record *record)
{
	char first[2 * FOLLOW_FINGERPRINT + 1];

	if (strncmp(at, HEAD, strlen(HEAD)) != 0)
		return false;
	at += strlen(HEAD);
	return get_number(&at, "device ", &record->device) &&
	    get_number(&at, "inode ", &record->inode) &&
	    get_number(&at, "offset ", &record->offset) &&
	    get_text(&at, "first ", first, sizeof(first)) &&
	    read_first(first, record) &&
	    get_text(&at, "cursor ", record->cursor, sizeof(record->cursor)) &&
	    *at == '\0';
}

int
follow_record_read(const char *path, struct follow_record *record)
{
	char text[TEXT_MAX];
	size_t len = 0;
	ssize_t n = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	memset(record, 0, sizeof(*record));
	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	while (len < sizeof(text) - 1 &&
	    (n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	close(fd);
	if (n < 0)
		return -1;
	text[len] = '\0';
	if (strlen(text) == len && read_text(text, record))
		return 0;
	memset(record, 0, sizeof(*record));
	errno = EBADMSG;
	return -1;
}

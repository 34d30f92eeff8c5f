/*
 * The comments of waybill.conf. libconfuse 3.3 takes them, but counts lines
 * that are not there for each, and our messages would name the wrong line.
 */
#include "conf/conf_comments.h"

#include <string.h>

/* Returns where what begins at text, with a quote, ends. */
static char *
skip_string(char *text)
{
	char quote = *text++;

	while (*text != '\0' && *text != quote)
		text += text[0] == '\\' && text[1] != '\0' ? 2 : 1;
	return *text == '\0' ? text : text + 1;
}

/* An unquoted word may hold slashes; # ends it. */
static char *
skip_word(char *text)
{
	size_t len = strcspn(text, " \t\r\n\"'{}()=+,#");

	return text + (len == 0 ? 1 : len);
}

/* Where the comment at text ends; text itself where none begins or none ends.
 */
static char *
comment_end(char *text)
{
	char *end;

	if (text[0] == '#' || (text[0] == '/' && text[1] == '/'))
		return text + strcspn(text, "\n");
	if (text[0] != '/' || text[1] != '*')
		return text;
	end = strstr(text + 2, "*/");
	return end == NULL ? text : end + 2;
}

void
conf_blank_comments(char *text)
{
	char *end;

	for (; *text != '\0'; text = end) {
		end = comment_end(text);
		if (end == text) {
			end = *text == '"' || *text == '\'' ? skip_string(text)
							    : skip_word(text);
			continue;
		}
		for (; text < end; text++)
			if (*text != '\n' && *text != '\r')
				*text = ' ';
	}
}

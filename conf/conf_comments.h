/*
 * The comments of waybill.conf: # and // to the end of the line, and C's.
 */
#ifndef CONF_COMMENTS_H
#define CONF_COMMENTS_H

/*
 * Put blanks in the place of all comments outside of strings; line ends stay.
 * A comment that nothing closes is left, for the parser to refuse.
 */
void conf_blank_comments(char *text);

#endif

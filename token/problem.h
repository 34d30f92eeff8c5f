/*
 * Why the command failed: its exit status, and words for the user that say
 * what to do about it.
 */
#ifndef TOKEN_PROBLEM_H
#define TOKEN_PROBLEM_H

/* Exit statuses; waybill(1) lists them. */
enum problem_exit {
	PROBLEM_NONE = 0,
	PROBLEM_REFUSED = 1, /* no such message, or the server said no */
	PROBLEM_USAGE = 2,   /* command line or configuration */
	PROBLEM_SERVER = 3   /* cannot be reached, trusted or logged in to */
};

struct problem {
	enum problem_exit exit;
	char text[1024];
};

/*
 * Set what went wrong; a problem that is there already stays. Returns -1, for
 * the caller to return. Text of a peer must have been through text_clean().
 */
int problem_set(struct problem *, enum problem_exit, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif

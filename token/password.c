/*
 * The user's password: from a file, a command, or a prompt.
 */
#include "token/password.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

/* A signal that came while the terminal did not echo. */
static volatile sig_atomic_t caught;

/*
 * Read the first line of fd. Returns its length, -1 for an error (errno), and
 * -2 where it is too long.
 */
static int
read_first_line(int fd, char out[PASSWORD_MAX + 1])
{
	size_t len = 0;
	ssize_t n;

	for (;;) {
		n = read(fd, out + len, PASSWORD_MAX + 1 - len);
		if (n < 0 && errno == EINTR && caught == 0)
			continue;
		if (n < 0)
			return -1;
		for (size_t i = len; i < len + (size_t)n; i++) {
			if (out[i] != '\n')
				continue;
			len = i > 0 && out[i - 1] == '\r' ? i - 1 : i;
			explicit_bzero(out + len, PASSWORD_MAX + 1 - len);
			return (int)len;
		}
		len += (size_t)n;
		if (len > PASSWORD_MAX)
			return -2;
		if (n == 0) {
			explicit_bzero(out + len, PASSWORD_MAX + 1 - len);
			return (int)len;
		}
	}
}

static int
check_line(int len, const char *whence, struct problem *p)
{
	if (len == -2)
		return problem_set(p, PROBLEM_USAGE,
		    "the password from %s is longer than %d octets", whence,
		    PASSWORD_MAX);
	if (len < 0)
		return problem_set(p, PROBLEM_USAGE, "cannot read %s: %s",
		    whence, strerror(errno));
	if (len == 0)
		return problem_set(
		    p, PROBLEM_USAGE, "the password from %s is empty", whence);
	return 0;
}

static int
from_file(const char *file, char *out, struct problem *p)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	int rc;

	if (fd < 0 || fstat(fd, &st) != 0)
		rc = problem_set(p, PROBLEM_USAGE, "password_file %s: %s", file,
		    strerror(errno));
	else if (S_ISREG(st.st_mode) && (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		rc = problem_set(p, PROBLEM_USAGE,
		    "password_file %s is open to others (mode %03o): "
		    "chmod 600 %s",
		    file, (unsigned)st.st_mode & 0777, file);
	else
		rc = check_line(read_first_line(fd, out), file, p);
	if (fd >= 0)
		close(fd);
	return rc;
}

/* A command that cannot write its output to the end says that it failed. */
static void
skip_the_rest(int fd)
{
	char rest[4096];
	ssize_t n;

	do {
		n = read(fd, rest, sizeof(rest));
	} while (n > 0 || (n < 0 && errno == EINTR));
	explicit_bzero(rest, sizeof(rest));
}

static int
from_command(const char *command, char *out, struct problem *p)
{
	FILE *pipe = popen(command, "re");
	int len, status;

	if (pipe == NULL)
		return problem_set(p, PROBLEM_USAGE,
		    "cannot run password_command: %s", strerror(errno));
	/* Not through stdio, which would keep a copy. */
	len = read_first_line(fileno(pipe), out);
	skip_the_rest(fileno(pipe));
	status = pclose(pipe);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return problem_set(
		    p, PROBLEM_USAGE, "password_command failed: %s", command);
	return check_line(len, "password_command", p);
}

static void
catch_signal(int number)
{
	caught = number;
}

static void
catch_signals(struct sigaction old[3], bool restore)
{
	static const int numbers[3] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction catching = { .sa_handler = catch_signal };

	for (size_t i = 0; i < 3; i++) {
		if (restore)
			sigaction(numbers[i], &old[i], NULL);
		else
			sigaction(numbers[i], &catching, &old[i]);
	}
}

static int
from_terminal(const struct options *o, char *out, struct problem *p)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	struct termios before, silent;
	struct sigaction old[3];
	int len;

	if (fd < 0 || tcgetattr(fd, &before) != 0) {
		if (fd >= 0)
			close(fd);
		return problem_set(p, PROBLEM_USAGE,
		    "no terminal to ask for a password: set password_file or "
		    "password_command in %s",
		    o->file);
	}
	silent = before;
	silent.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	caught = 0;
	catch_signals(old, false);
	tcsetattr(fd, TCSAFLUSH, &silent);
	dprintf(fd, "Password of %s at %s: ", o->user, o->server);
	len = read_first_line(fd, out);
	tcsetattr(fd, TCSAFLUSH, &before);
	dprintf(fd, "\n");
	close(fd);
	catch_signals(old, true);
	if (caught != 0)
		raise(caught);
	return check_line(len, "the terminal", p);
}

int
password_get(
    const struct options *o, char out[PASSWORD_MAX + 1], struct problem *p)
{
	int rc;

	if (o->password_file != NULL)
		rc = from_file(o->password_file, out, p);
	else if (o->password_command != NULL)
		rc = from_command(o->password_command, out, p);
	else
		rc = from_terminal(o, out, p);
	if (rc != 0)
		explicit_bzero(out, PASSWORD_MAX + 1);
	return rc;
}

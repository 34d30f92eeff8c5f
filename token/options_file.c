/*
 * The user's configuration file, by libconfuse.
 */
#include "token/options_file.h"

#include <confuse.h>
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* libconfuse's own complaint, which its caller cannot hand to a function. */
static char complaint[512];

static void
note_complaint(cfg_t *cfg, const char *format, va_list args)
{
	size_t used;

	if (complaint[0] != '\0')
		return;
	snprintf(complaint, sizeof(complaint), "%s:%d: ",
	    cfg != NULL && cfg->filename != NULL ? cfg->filename : "?",
	    cfg != NULL ? cfg->line : 0);
	used = strlen(complaint);
	vsnprintf(complaint + used, sizeof(complaint) - used, format, args);
}

static const char *
home(void)
{
	const char *dir = getenv("HOME");
	const struct passwd *pw;

	if (dir != NULL && dir[0] == '/')
		return dir;
	pw = getpwuid(getuid());
	return pw != NULL ? pw->pw_dir : "/";
}

static char *
usual_file(void)
{
	const char *dir = getenv("XDG_CONFIG_HOME");
	char *file = NULL;
	int rc;

	/* A relative one is to be ignored, the XDG specification says. */
	if (dir != NULL && dir[0] == '/')
		rc = asprintf(&file, "%s/waybill/waybill.conf", dir);
	else
		rc = asprintf(&file, "%s/.config/waybill/waybill.conf", home());
	return rc < 0 ? NULL : file;
}

static char *
expand_PATH(const char *value)
{
	char *path = NULL;

	if (strncmp(value, "~/", 2) != 0)
		return strdup(value);
	return asprintf(&path, "%s%s", home(), value + 1) < 0 ? NULL : path;
}

static char *
expand_TEXT(const char *value)
{
	return strdup(value);
}

/* What the file says, or the default; "" is none. */
static void
fill(struct options *o, cfg_t *cfg)
{
	/* A source of the password on the command line is the only one. */
	if (o->password_file != NULL || o->password_command != NULL) {
		cfg_setstr(cfg, "password_file", "");
		cfg_setstr(cfg, "password_command", "");
	}
#define OPTIONS_FILL(kind, name, ...)                                          \
	if (o->name == NULL && cfg_getstr(cfg, #name) != NULL &&               \
	    cfg_getstr(cfg, #name)[0] != '\0')                                 \
		o->name = expand_##kind(cfg_getstr(cfg, #name));
	OPTIONS_LIST(OPTIONS_FILL)
#undef OPTIONS_FILL
	if (cfg_getbool(cfg, "verify") == cfg_false)
		o->no_verify = true;
}

/*
 * None of ours: services and sudo run with a HOME that is somebody else's,
 * and a delegate needs no file.
 */
static bool
is_missing(const char *path)
{
	struct stat st;

	return errno == ENOENT || (errno == EACCES && stat(path, &st) == -1);
}

static int
parse(struct options *o, bool must_exist, cfg_t *cfg, struct problem *p)
{
	FILE *file = fopen(o->file, "re");
	struct stat st;
	int rc, failed;

	/* libconfuse ends the program where it cannot read what is open. */
	if (file != NULL && fstat(fileno(file), &st) == 0 &&
	    S_ISDIR(st.st_mode)) {
		fclose(file);
		file = NULL;
		errno = EISDIR;
	}
	failed = errno;
	if (file == NULL && !must_exist && is_missing(o->file))
		return 0;
	if (file == NULL)
		return problem_set(p, PROBLEM_USAGE,
		    "cannot read the configuration %s: %s", o->file,
		    strerror(failed));
	/* libconfuse names a stream "FILE" in its complaints. */
	free(cfg->filename);
	cfg->filename = strdup(o->file);
	complaint[0] = '\0';
	rc = cfg_parse_fp(cfg, file);
	fclose(file);
	if (rc == CFG_SUCCESS)
		return 0;
	return problem_set(p, PROBLEM_USAGE, "%s",
	    complaint[0] != '\0' ? complaint : "cannot read the configuration");
}

int
options_file_read(struct options *o, struct problem *p)
{
	cfg_opt_t known[] = {
#define OPTIONS_CFG(kind, name, line, argument, value, what)                   \
	CFG_STR(#name, value, CFGF_NONE),
		OPTIONS_LIST(OPTIONS_CFG)
#undef OPTIONS_CFG
		    CFG_BOOL("verify", cfg_true, CFGF_NONE),
		CFG_END()
	};
	bool must_exist = o->file != NULL;
	cfg_t *cfg = cfg_init(known, CFGF_NONE);
	int rc = -1;

	if (!must_exist)
		o->file = usual_file();
	if (cfg == NULL || o->file == NULL) {
		problem_set(p, PROBLEM_USAGE, "no memory");
	} else {
		cfg_set_error_function(cfg, note_complaint);
		rc = parse(o, must_exist, cfg, p);
	}
	if (rc == 0)
		fill(o, cfg);
	cfg_free(cfg);
	return rc;
}

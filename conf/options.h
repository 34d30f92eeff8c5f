/*
 * Every option of waybill.conf, once: its kind, name, default, bounds and one
 * line for the manual. struct conf, the parser, the snapshot and the check of
 * the manual are all expanded from these lists.
 *
 *	O(KIND, name, default, low, high, words, what it is)
 *
 * TEXT	a string; high is its longest length, low 1 forbids an empty one
 * LIST	strings; high is the greatest number of them
 * NUMBER	an integer from low to high
 * TIME	"5 s", "10 min", "2 h", "10 days": milliseconds, low and high too
 * OCTETS	"64 k", "10 M": octets
 * FLAG	true or false
 * WORD	one of words, separated by "|": stored as its place, from 0
 *
 * Defaults are written as in the file; words is "" but for WORD. A trailing
 * "_" keeps a name from being a keyword of C and is no part of it.
 */
#ifndef CONF_OPTIONS_H
#define CONF_OPTIONS_H

#define CONF_YEAR_MS 31536000000LL

#define CONF_OPTIONS_TOP(O)                                                    \
	O(TEXT, hostname, "", 0, 255, "",                                      \
	    "name in greeting, ENVID, Received and SASL; the system's if "     \
	    "empty")                                                           \
	O(TEXT, run_dir, "/run/waybill", 1, 80, "",                            \
	    "directory of the sockets that the processes meet over")           \
	O(NUMBER, workers, "0", 0, 256, "",                                    \
	    "proxy processes; 0: one a processor")                             \
	O(TIME, drain_timeout, "60 s", 0, CONF_YEAR_MS, "",                    \
	    "how long running sessions may go on after SIGTERM")               \
	O(TEXT, user_proxy, "_waybill", 1, 32, "",                             \
	    "who waybill-proxy runs as")                                       \
	O(TEXT, user_auth, "_waybill-auth", 1, 32, "",                         \
	    "who waybill-auth runs as")                                        \
	O(TEXT, user_keeper, "_waybill-vault", 1, 32, "",                      \
	    "who waybill-keeper runs as")                                      \
	O(TEXT, user_feed, "_waybill-feed", 1, 32, "",                         \
	    "who waybill-feed runs as; it tells the keeper what the MSA's "    \
	    "log says")                                                        \
	O(TEXT, user_track, "_waybill-track", 1, 32, "",                       \
	    "who waybill-track runs as; it asks the keeper where a message "   \
	    "stands")

#define CONF_OPTIONS_LISTEN(O)                                                 \
	O(LIST, address, "*", 1, 16, "",                                       \
	    "addresses to listen on; * is every IPv4 and IPv6 address")        \
	O(NUMBER, port, "587", 0, 65535, "", "TCP port; 0: any free one")      \
	O(WORD, tls, "starttls", 0, 0, "starttls|implicit",                    \
	    "TLS by the STARTTLS command, or at once (port 465)")

#define CONF_OPTIONS_TLS(O)                                                    \
	O(TEXT, certificate, "", 1, 4000, "",                                  \
	    "PEM file: certificate and chain")                                 \
	O(TEXT, key, "", 1, 4000, "", "PEM file: private key")                 \
	O(WORD, min_version, "1.2", 0, 0, "1.2|1.3", "oldest TLS accepted")    \
	O(TEXT, ciphers, "", 0, 1000, "",                                      \
	    "OpenSSL cipher list of TLS 1.2; OpenSSL's own if empty")

#define CONF_OPTIONS_AUTH(O)                                                   \
	O(TEXT, service, "smtp", 1, 64, "", "SASL service name")               \
	O(TEXT, realm, "", 0, 255, "", "SASL realm of users that name none")   \
	O(LIST, mechanisms, "PLAIN, LOGIN, SCRAM-SHA-1, SCRAM-SHA-256", 1, 32, \
	    "", "mechanisms offered, where libsasl2 has them")                 \
	O(NUMBER, workers, "4", 1, 1024, "", "auth processes at start")        \
	O(NUMBER, workers_max, "64", 1, 1024, "",                              \
	    "auth processes while the backend is slow")                        \
	O(LIST, sasl, "pwcheck_method=auxprop|auxprop_plugin=sasldb", 0, 64,   \
	    "", "libsasl2 options, each name=value")                           \
	O(TIME, timeout, "30 s", 1000, 600000, "",                             \
	    "how long a step of the backend may take")                         \
	O(TIME, idle_timeout, "2 min", 1000, 600000, "",                       \
	    "how long a client may think about a challenge")                   \
	O(FLAG, fold_case, "false", 0, 0, "",                                  \
	    "ASCII letters of a user name are one in either case")             \
	O(NUMBER, failures, "3", 1, 100, "", "failures that end a session")    \
	O(TIME, penalty_max, "15 s", 0, 600000, "",                            \
	    "longest delay of an address that keeps failing")                  \
	O(NUMBER, exchanges_per_address, "32", 1, 100000, "",                  \
	    "open exchanges of one client address in a worker")

#define CONF_OPTIONS_MSA(O)                                                    \
	O(TEXT, address, "127.0.0.1", 1, 255, "",                              \
	    "address or name of the MSA")                                      \
	O(NUMBER, port, "10587", 1, 65535, "", "its TCP port")                 \
	O(WORD, tls, "none", 0, 0, "none|starttls|implicit", "TLS to the MSA") \
	O(FLAG, verify, "true", 0, 0, "", "verify its certificate and name")   \
	O(TEXT, tls_name, "", 0, 255, "",                                      \
	    "name in its certificate; address if empty")                       \
	O(TEXT, ca_file, "", 0, 4000, "",                                      \
	    "PEM file of the authorities trusted; the system's if empty")      \
	O(WORD, identity, "none", 0, 0, "none|xclient",                        \
	    "how the MSA learns who the client is")                            \
	O(FLAG, show_login, "false", 0, 0, "",                                 \
	    "with identity none: the login stands in Received")                \
	O(TIME, idle_timeout, "5 s", 0, 600000, "",                            \
	    "a silent session gives its MSA connection back after this")       \
	O(TIME, probe_interval, "60 s", 1000, 86400000, "",                    \
	    "how often the MSA is asked what it can do")                       \
	O(TIME, connect_timeout, "30 s", 100, 600000, "", "TCP and TLS")       \
	O(TIME, greeting_timeout, "5 min", 100, 3600000, "", "its 220")        \
	O(TIME, ehlo_timeout, "5 min", 100, 3600000, "",                       \
	    "its reply to EHLO, STARTTLS, XCLIENT")                            \
	O(TIME, mail_timeout, "5 min", 100, 3600000, "", "its reply to MAIL")  \
	O(TIME, rcpt_timeout, "5 min", 100, 3600000, "", "its reply to RCPT")  \
	O(TIME, data_timeout, "2 min", 100, 3600000, "", "its reply to DATA")  \
	O(TIME, block_timeout, "3 min", 100, 3600000, "",                      \
	    "that it takes the next block of a message")                       \
	O(TIME, end_timeout, "10 min", 100, 7200000, "",                       \
	    "its reply to the end of a message")                               \
	O(TIME, queue_lifetime, "5 days", 0, CONF_YEAR_MS, "",                 \
	    "how long it keeps trying")

#define CONF_OPTIONS_MSA_LOG(O)                                                \
	O(TEXT, file, "", 1, 4000, "", "the MSA's log")                        \
	O(WORD, format, "postfix", 0, 0, "postfix|exim|json", "who writes it") \
	O(TEXT, syslog_name, "postfix", 1, 64, "",                             \
	    "how the names of Postfix's programs begin in the log")            \
	O(LIST, filters, "", 0, 64, "",                                        \
	    "addresses of content filters that give messages back")            \
	O(TEXT, state, "/var/lib/waybill/feed/main", 1, 4000, "",              \
	    "file that keeps how far the log is read")                         \
	O(TIME, wait, "60 s", 0, 3600000, "",                                  \
	    "how long lines of an unknown queue id wait for it to be known")

#define CONF_OPTIONS_TRACKING(O)                                               \
	O(WORD, default_, "on", 0, 0, "off|on", "track who did not choose")    \
	O(WORD, certifier, "derived", 0, 0, "derived|random",                  \
	    "A from the account's secret, or drawn for each message")          \
	O(TIME, retention, "10 days", 86400000, CONF_YEAR_MS, "",              \
	    "how long a message is remembered")                                \
	O(WORD, without_vault, "submit", 0, 0, "submit|defer",                 \
	    "while the keeper does not answer: submit untracked, or 451")      \
	O(LIST, remember, "message-id, recipients, subject", 0, 3, "",         \
	    "what a record holds")                                             \
	O(FLAG, announce, "true", 0, 0, "",                                    \
	    "the reply to a message ends with its ENVID")                      \
	O(TEXT, server, "", 0, 255, "",                                        \
	    "name of the tracking server in mtqp URIs; hostname if empty")     \
	O(FLAG, reveal_aliases, "false", 0, 0, "",                             \
	    "show the addresses that an alias leads to")                       \
	O(FLAG, reveal_hosts, "false", 0, 0, "", "show inner hosts")           \
	O(LIST, inner_hosts,                                                   \
	    "127.0.0.0/8, ::1/128, 10.0.0.0/8, 172.16.0.0/12, "                \
	    "192.168.0.0/16, 169.254.0.0/16, fe80::/10, fc00::/7",             \
	    0, 1000, "", "networks and domains whose hosts are inner")         \
	O(TIME, mint_timeout, "2 s", 10, 60000, "", "wait for an ENVID and B") \
	O(TIME, settle_timeout, "2 s", 10, 60000, "",                          \
	    "wait for the record of a message before its reply is passed on")  \
	O(NUMBER, mints_unfinished, "100", 1, 1000000, "",                     \
	    "transactions of an account without a message, after which "       \
	    "without_vault decides about its mail")

#define CONF_OPTIONS_TRACK(O)                                                  \
	O(LIST, address, "*", 1, 16, "",                                       \
	    "addresses to listen on; * is every IPv4 and IPv6 address")        \
	O(NUMBER, port, "1038", 0, 65535, "", "TCP port; 0: any free one")     \
	O(WORD, tls, "required", 0, 0, "required|offered",                     \
	    "no secret is heard without TLS, or TLS as the client wishes")     \
	O(LIST, certificates, "", 0, 64, "",                                   \
	    "PEM files, each with chain and key, beside the one of tls")       \
	O(NUMBER, sessions, "1000", 1, 10000000, "", "sessions")               \
	O(NUMBER, sessions_per_address, "50", 1, 10000000, "",                 \
	    "sessions of one client address (/64 of IPv6)")                    \
	O(TIME, idle_timeout, "10 min", 600000, 86400000, "",                  \
	    "the next command of a client")                                    \
	O(NUMBER, commands, "1000", 1, 10000000, "", "commands of a session")  \
	O(NUMBER, bad_commands, "10", 1, 100000, "",                           \
	    "commands in error that end a session")                            \
	O(NUMBER, refused, "50", 1, 1000000, "",                               \
	    "questions of a session that may be refused")                      \
	O(TIME, keeper_timeout, "5 s", 10, 60000, "",                          \
	    "wait for the keeper's answer")

#define CONF_OPTIONS_VAULT(O)                                                  \
	O(WORD, engine, "rocksdb", 0, 0, "rocksdb", "store of the vault")      \
	O(TEXT, path, "/var/lib/waybill/vault", 1, 4000, "", "its directory")  \
	O(TEXT, keys, "/var/lib/waybill/keys", 1, 4000, "",                    \
	    "directory of the master keys")                                    \
	O(OCTETS, min_free, "64 M", 0, 1LL << 50, "",                          \
	    "free disk below which nothing is written")

#define CONF_OPTIONS_LIMITS(O)                                                 \
	O(NUMBER, sessions, "20000", 1, 10000000, "", "sessions of a worker")  \
	O(NUMBER, sessions_per_address, "1000", 1, 10000000, "",               \
	    "sessions of one client address (/64 of IPv6) in a worker")        \
	O(NUMBER, recipients, "1000", 1, 100000, "",                           \
	    "recipients of one message")                                       \
	O(NUMBER, bad_commands, "20", 1, 100000, "",                           \
	    "commands in error that end a session")                            \
	O(TIME, handshake_timeout, "30 s", 100, 600000, "", "TLS handshake")   \
	O(TIME, login_timeout, "60 s", 100, 3600000, "",                       \
	    "from connection to login, exchanges and their delays apart")      \
	O(TIME, command_timeout, "5 min", 100, 7200000, "",                    \
	    "the next command of a client")                                    \
	O(TIME, data_timeout, "3 min", 100, 7200000, "",                       \
	    "the next block of a message of a client")                         \
	O(TIME, message_timeout, "1 h", 1000, 86400000, "",                    \
	    "a whole message of a client, from the reply to DATA")             \
	O(TIME, session_max, "24 h", 60000, CONF_YEAR_MS, "",                  \
	    "longest session, and life of its ticket")                         \
	O(WORD, bare_newline, "normalize", 0, 0, "normalize|reject",           \
	    "bare CR and LF in a message")

#define CONF_OPTIONS_LOG(O)                                                    \
	O(WORD, target, "stderr", 0, 0, "stderr|syslog|file", "where to")      \
	O(TEXT, file, "", 0, 4000, "", "with target file: its path")           \
	O(WORD, format, "text", 0, 0, "text|json", "how a line looks")         \
	O(WORD, level, "info", 0, 0, "error|warning|info|debug",               \
	    "least important line written")

/*
 * Sections: S(member, name, list of options). "msa.log" is the section log
 * inside of msa.
 */
#define CONF_SECTIONS(S)                                                       \
	S(tls, "tls", CONF_OPTIONS_TLS)                                        \
	S(auth, "auth", CONF_OPTIONS_AUTH)                                     \
	S(msa, "msa", CONF_OPTIONS_MSA)                                        \
	S(tracking, "tracking", CONF_OPTIONS_TRACKING)                         \
	S(vault, "vault", CONF_OPTIONS_VAULT)                                  \
	S(limits, "limits", CONF_OPTIONS_LIMITS)                               \
	S(log, "log", CONF_OPTIONS_LOG)                                        \
	S(track, "track", CONF_OPTIONS_TRACK)                                  \
	S(msa_log, "msa.log", CONF_OPTIONS_MSA_LOG)

#endif

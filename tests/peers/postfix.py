"""A real Postfix of its own beside whatever is installed: unpacked, never
installed, delivering to Maildirs under its own directory.

Mail for FAILS is taken and then bounces, mail for WAITS stays in the queue,
mail for a domain in `routes` goes to another server on loopback, and for all
other domains but example.test RCPT is refused."""

import email
import email.policy
import os
import pwd
import re
import shutil
import signal
import subprocess

from .base import (Peer, PeerFailed, answers, check_passable, free_port,
                   is_alive, libraries, need_root, unpacked, wait_until)

# Users and groups that every Debian has; all of them must differ.
MAIL_OWNER, SETGID_GROUP, DEFAULT_USER = "mail", "operator", "nobody"

DOMAIN = "example.test"
# Mail that fails after it was taken, and mail that waits in the queue.
FAILS, WAITS = "fails.test", "waits.test"
LOCAL = "local.test"		# what local(8) delivers


class Postfix(Peer):
    """Postfix as the MSA.

    users      mailboxes user@example.test; others are unknown (550)
    domain     another one than example.test
    xclient    hosts that may send XCLIENT ("" for nobody)
    xforward   hosts that may send XFORWARD
    tls        None, "starttls" (offered and demanded) or "implicit"
    cert, key  for tls
    settings   more lines for main.cf, as a dictionary
    smtpd      options of the smtpd in master.cf, as a dictionary
    routes     domains and the loopback ports that their mail goes to
    aliases    addresses and the addresses behind each, comma-separated
    local      aliases of local(8): names @LOCAL and what is behind them
    filtered   the port of a content filter, which gives the mail back to
               port .back
    """

    name = "Postfix"
    start_timeout = 20.0

    def __init__(self, directory, users=("alice", "bob", "carol"),
                 xclient="127.0.0.1", xforward="127.0.0.1", tls=None,
                 cert=None, key=None, settings=None, smtpd=None, port=None,
                 routes=None, aliases=None, local=None, filtered=None,
                 domain=DOMAIN):
        super().__init__(directory, port)
        self.users, self.domain = users, domain
        self.routes, self.aliases = routes or {}, aliases or {}
        self.local, self.filtered = local or {}, filtered
        self.back = free_port() if filtered else None
        self.tls = tls
        self.settings = settings or {}
        self.smtpd = dict(smtpd or {})
        self.conf = self.dir / "etc"
        self.log = self.dir / "mail.log"
        self.mail = self.dir / "mail"
        if tls:
            self.settings = {
                "smtpd_tls_cert_file": cert, "smtpd_tls_key_file": key,
                "smtpd_tls_security_level": "encrypt", **self.settings}
        if tls == "implicit":
            self.smtpd["smtpd_tls_wrappermode"] = "yes"
            self.wants = None
        self.xclient, self.xforward = xclient, xforward

    def prepare(self):
        need_root("Postfix")
        check_passable(self.dir)
        self.tree = unpacked("postfix")
        self.conf.mkdir()
        self.write_main()
        self.write_master()
        shutil.copy(self.tree / "usr/share/postfix/dynamicmaps.cf", self.conf)
        shutil.copy(self.tree / "etc/postfix/postfix-files", self.conf)
        owner = pwd.getpwnam(MAIL_OWNER)
        (self.dir / "queue").mkdir()
        (self.dir / "data").mkdir()
        os.chown(self.dir / "data", owner.pw_uid, -1)
        nobody = pwd.getpwnam(DEFAULT_USER)
        self.mail.mkdir()
        os.chown(self.mail, nobody.pw_uid, nobody.pw_gid)
        (self.conf / "mailboxes").write_text("".join(
            f"{user}@{self.domain} {user}/\n" for user in self.users))
        (self.conf / "transport").write_text(
            f"{FAILS} fail:\n{WAITS} smtp:[127.0.0.1]:1\n" + "".join(
                f"{domain} smtp:[127.0.0.1]:{port}\n"
                for domain, port in self.routes.items()))
        (self.conf / "aliases").write_text("".join(
            f"{address} {behind}\n"
            for address, behind in self.aliases.items()))
        (self.conf / "local").write_text("".join(
            f"{name} {behind}\n" for name, behind in self.local.items()))
        self.postfix("check")

    def write_main(self):
        nobody = pwd.getpwnam(DEFAULT_USER)
        usr = self.tree / "usr"
        values = {
            "compatibility_level": "3.6",
            "queue_directory": self.dir / "queue",
            "data_directory": self.dir / "data",
            "command_directory": usr / "sbin",
            "daemon_directory": usr / "lib/postfix/sbin",
            "shlib_directory": usr / "lib/postfix",
            "meta_directory": self.conf,
            "manpage_directory": usr / "share/man",
            "sendmail_path": usr / "sbin/sendmail",
            "mailq_path": usr / "sbin/sendmail",
            "newaliases_path": usr / "sbin/sendmail",
            "html_directory": "no", "readme_directory": "no",
            "mail_owner": MAIL_OWNER, "setgid_group": SETGID_GROUP,
            "default_privs": DEFAULT_USER,
            "import_environment": "MAIL_CONFIG LD_LIBRARY_PATH="
                                  + libraries(self.tree) + " TZ LANG=C",
            "maillog_file": self.log,
            "maillog_file_prefixes": self.dir,
            "inet_interfaces": "127.0.0.1", "inet_protocols": "ipv4",
            "myhostname": "msa." + self.domain, "mydomain": self.domain,
            "mydestination": LOCAL if self.local else "",
            "mynetworks": "127.0.0.0/8", "local_recipient_maps": "",
            "alias_maps":
            f"texthash:{self.conf}/local" if self.local else "",
            "alias_database": "",
            "local_transport":
            "local" if self.local else "error:no local mail",
            "virtual_alias_maps": f"texthash:{self.conf}/aliases",
            "content_filter":
            f"smtp:[127.0.0.1]:{self.filtered}" if self.filtered else "",
            "virtual_mailbox_domains": self.domain,
            "virtual_mailbox_maps": f"texthash:{self.conf}/mailboxes",
            "virtual_mailbox_base": self.mail,
            "virtual_uid_maps": f"static:{nobody.pw_uid}",
            "virtual_gid_maps": f"static:{nobody.pw_gid}",
            "virtual_minimum_uid": "1",
            "virtual_mailbox_limit": "0", "mailbox_size_limit": "0",
            "message_size_limit": "209715200",
            # Nothing leaves the machine, whatever a test submits.
            "transport_maps": f"texthash:{self.conf}/transport",
            "default_transport": "error:5.7.1 this test sends nothing out",
            "relay_transport": "error:5.7.1 this test sends nothing out",
            "smtpd_relay_restrictions":
            "permit_mynetworks, permit_sasl_authenticated, reject",
            # A login that comes with XCLIENT counts only if SASL is on.
            "smtpd_sasl_auth_enable": "yes",
            "smtpd_sasl_exceptions_networks": "127.0.0.0/8",
            "smtpd_authorized_xclient_hosts": self.xclient,
            "smtpd_authorized_xforward_hosts": self.xforward,
            "smtpd_peername_lookup": "no", "smtp_dns_support_level":
            "disabled", "enable_long_queue_ids": "yes",
            "smtputf8_enable": "yes",
            # Messages stay as they came, so that tests can compare them.
            "local_header_rewrite_clients": "",
            "smtpd_client_connection_count_limit": "0",
            "smtpd_client_connection_rate_limit": "0",
            "smtpd_recipient_limit": "2000", "line_length_limit": "4096",
            "bounce_notice_recipient": f"bob@{self.domain}",
            **self.settings}
        (self.conf / "main.cf").write_text("".join(
            f"{name} = {value}\n" for name, value in values.items()))

    def write_master(self):
        """Debian's table, chroot off, the pipes to other programs cut."""
        dist = self.tree / "usr/share/postfix/master.cf.dist"
        lines = []
        for line in dist.read_text().splitlines():
            if re.match(r"(maildrop|uucp|ifmail|bsmtp|scalemail|mailman)\s",
                        line):
                break
            if line.startswith("#") or not line.strip():
                continue
            words = line.split(None, 7)
            if words[0] == "smtp" and words[1] == "inet":
                words[0] = f"{self.host}:{self.port}"
                words[7] += "".join(f" -o {name}={value}" for name, value
                                    in self.smtpd.items())
            if not line.startswith((" ", "\t")):
                words[4] = "n"
                line = " ".join(words)
            lines.append(line)
        lines.append("fail unix - n n - - pipe user=nobody argv=/bin/false")
        if self.filtered:
            lines.append(f"{self.host}:{self.back} inet n - n - - smtpd "
                         "-o content_filter= -o smtpd_tls_security_level=none "
                         "-o receive_override_options=no_address_mappings")
        (self.conf / "master.cf").write_text("\n".join(lines) + "\n")

    def environment(self):
        return {"PATH": f"{self.tree}/usr/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
                "MAIL_CONFIG": str(self.conf), "LANG": "C",
                "LD_LIBRARY_PATH": libraries(self.tree)}

    def postfix(self, *words):
        """Run the postfix command.  It shows its errors to a terminal
        only, so what fails is run once more under script(1)."""
        program = [self.tree / "usr/sbin/postfix", "-c", self.conf, *words]
        if self.run(program).returncode == 0:
            return
        done = self.run(["script", "-qec", " ".join(map(str, program)),
                         "/dev/null"])
        raise PeerFailed(f"postfix {words[0]}:\n{done.stdout}\n"
                         f"{self.log_tail()}")

    def run(self, words):
        return subprocess.run(
            words, env=self.environment(), text=True, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)

    def command(self):
        return [self.tree / "usr/lib/postfix/sbin/master", "-c", self.conf,
                "-d"]

    def ready(self):
        return answers(self.port, self.host, self.wants)

    def stopped(self, group):
        wait_until(lambda: not is_alive(group), what="the end of Postfix")
        super().stopped(group)

    def signal_reload(self):
        self.process.send_signal(signal.SIGHUP)

    def flush(self):
        """Try again whatever is deferred."""
        self.postfix("flush")

    def queue_is_empty(self):
        return not any(path.is_file() for part in (
            "maildrop", "incoming", "active", "deferred", "hold")
            for path in (self.dir / "queue" / part).rglob("*"))

    def messages(self, user):
        """What is in a user's mailbox, oldest first, as raw octets."""
        new = self.mail / user / "new"
        if not new.is_dir():
            return []
        files = sorted(new.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        return [path.read_bytes() for path in files]

    def wait_message(self, user, message_id=None, timeout=15.0):
        """The first message of a user (or the one with this Message-ID),
        parsed; its raw octets are in the attribute `raw`."""
        def look():
            for raw in self.messages(user):
                found = email.message_from_bytes(
                    raw, policy=email.policy.default)
                found.raw = raw
                if message_id in (None, found["Message-ID"]):
                    return found
            return None
        try:
            return wait_until(look, timeout, f"mail for {user}")
        except PeerFailed as error:
            raise PeerFailed(f"{error}:\n{self.log_tail()}") from error

    def log_lines(self, pattern=""):
        """The lines of its log that match a regular expression."""
        if not self.log.exists():
            return []
        text = self.log.read_text(errors="replace")
        return [line for line in text.splitlines()
                if re.search(pattern, line)]

    def queue_file_envelope(self, queue_id):
        """What postcat says of a queued message (hold it first)."""
        done = self.run([self.tree / "usr/sbin/postcat", "-c", self.conf,
                         "-qv", queue_id])
        return done.stdout

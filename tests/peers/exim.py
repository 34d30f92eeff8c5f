"""A real Exim of its own, unpacked and never installed: an MSA with DSN and
without MTRK that says `250 OK id=...`, delivering to files of its own, and to
other servers on loopback for the domains in `routes`."""

import grp
import os
import pwd
import shutil
import subprocess

from .base import (Peer, PeerFailed, check_passable, free_port, need_root,
                   unpacked, wait_until)

USER = "mail"
LOG_GROUP = "adm"		# as Debian has it

CONFIGURATION = """\
exim_user = {user}
exim_group = {user}
exim_path = {program}
keep_environment = LD_LIBRARY_PATH
spool_directory = {dir}/spool
log_file_path = {dir}/log/%slog
primary_hostname = exim.example.test
qualify_domain = {domain}
daemon_smtp_ports = {ports}
local_interfaces = 127.0.0.1
domainlist ours = {domain}
domainlist routed = {domains}
acl_smtp_rcpt = check_recipient
acl_smtp_data = take
{tls}
dsn_advertise_hosts = *
smtputf8_advertise_hosts = *
host_lookup =
rfc1413_hosts =
message_size_limit = 200M
smtp_accept_max = 0
smtp_accept_queue_per_connection = 0
{settings}
begin acl
check_recipient:
  accept domains = +routed
  accept domains = +ours
         verify = recipient
  deny message = sending nothing out
take:
  accept
begin routers
filter:
  driver = manualroute
  condition = ${{if and{{{{!eq{{{filtered}}}{{0}}}}{{eq{{$interface_port}}{{{port}}}}}}}}}
  no_verify
  self = send
  route_list = * 127.0.0.1
  transport = scan
routed:
  driver = manualroute
  domains = +routed
  self = send
  route_list = * 127.0.0.1
  transport = route
aliases:
  driver = redirect
  domains = +ours
  data = ${{lookup{{$local_part}}lsearch{{{dir}/aliases}}}}
mailbox:
  driver = accept
  domains = +ours
  local_parts = {users}
  transport = file
begin transports
scan:
  driver = smtp
  port = {filtered}
  allow_localhost
  connection_max_messages = 1
  hosts_avoid_tls = *
route:
  driver = smtp
  port = ${{lookup{{$domain}}lsearch{{{dir}/routes}}}}
  allow_localhost
  connection_max_messages = 1
  tls_verify_certificates =
file:
  driver = appendfile
  file = {dir}/mail/${{local_part_data}}
  user = {user}
  group = {user}
  envelope_to_add
begin retry
*  *  {retry}
"""
TLS = """\
tls_advertise_hosts = *
tls_certificate = {cert}
tls_privatekey = {key}
"""


class Exim(Peer):
    """Exim as the MSA; mailboxes are mbox files under dir/mail.

    routes     domains and the loopback ports that their mail goes to
    aliases    local parts and what is behind each, comma-separated
    filtered   the port of a content filter, which gives the mail back to
               port .back
    cert, key  for STARTTLS
    domain     of its mailboxes
    retry      the rule by which deferred mail is tried again
    """

    name = "Exim"

    def __init__(self, directory, users=("alice", "bob", "carol"),
                 settings="", port=None, routes=None, aliases=None,
                 filtered=None, cert=None, key=None, retry="F,1h,1m",
                 domain="example.test"):
        super().__init__(directory, port)
        self.users, self.domain = users, domain
        self.settings = settings
        self.routes, self.aliases = routes or {}, aliases or {}
        self.filtered, self.retry = filtered, retry
        self.cert, self.key = cert, key
        self.back = free_port() if filtered else None
        self.log = self.dir / "log" / "mainlog"
        self.program = self.dir / "exim4"

    def prepare(self):
        need_root("Exim")
        check_passable(self.dir)
        self.tree = unpacked("exim")
        # The user it runs as is compiled in and exists only where Exim is
        # installed; the copy names one that every Debian has.
        binary = (self.tree / "usr/sbin/exim4").read_bytes()
        name = b"Debian-exim\0"
        self.program.write_bytes(
            binary.replace(name, USER.encode().ljust(len(name), b"\0")))
        self.program.chmod(0o755)
        # It starts itself again as that user, who may not see the tree.
        for lib in self.tree.glob("usr/lib/**/*.so*"):
            shutil.copy(lib, self.dir)
        owner = pwd.getpwnam(USER)
        for part in ("spool", "log", "mail"):
            (self.dir / part).mkdir()
            os.chown(self.dir / part, owner.pw_uid, owner.pw_gid)
        os.chown(self.dir / "log", owner.pw_uid,
                 grp.getgrnam(LOG_GROUP).gr_gid)
        (self.dir / "log").chmod(0o2755)
        for name, rows in (("routes", self.routes),
                           ("aliases", self.aliases)):
            (self.dir / name).write_text("".join(
                f"{key}: {value}\n" for key, value in rows.items()))
        self.write_conf()

    def write_conf(self):
        ports = [self.port] + ([self.back] if self.back else [])
        tls = "tls_advertise_hosts ="
        if self.cert:
            for name, path in (("cert", self.cert), ("key", self.key)):
                shutil.copy(path, self.dir / name)
                shutil.chown(self.dir / name, USER)
            tls = TLS.format(cert=self.dir / "cert", key=self.dir / "key")
        self.conf = self.dir / "exim.conf"
        self.conf.write_text(CONFIGURATION.format(
            user=USER, program=self.program, dir=self.dir, port=self.port,
            ports=" : ".join(map(str, ports)), tls=tls, retry=self.retry,
            domains=" : ".join(self.routes), domain=self.domain,
            filtered=self.filtered or 0, settings=self.settings,
            users=" : ".join(self.users)))
        self.conf.chmod(0o644)

    def environment(self):
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C",
                "LD_LIBRARY_PATH": str(self.dir)}

    def command(self):
        return [self.program, "-C", self.conf, "-bdf", "-q1m",
                "-oP", self.dir / "spool" / "pid"]

    def run(self, *words):
        """Another of its programs, in the same configuration."""
        done = subprocess.run(
            [self.program, "-C", self.conf, *words], text=True,
            env=self.environment(), check=False, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise PeerFailed(f"exim {words}: {done.stdout}")
        return done.stdout

    def flush(self):
        """Try again whatever is deferred."""
        self.run("-qff")

    def queue_is_empty(self):
        return not list((self.dir / "spool" / "input").glob("**/*-H"))

    def signal_reload(self):
        """Nothing: each of its processes opens the log anew."""

    def mailbox(self, user):
        """The text of a user's mbox file ("" when there is none)."""
        try:
            return (self.dir / "mail" / user).read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def wait_message(self, user, text, timeout=15.0):
        """The mailbox once it holds text."""
        return wait_until(
            lambda: text in self.mailbox(user) and self.mailbox(user),
            timeout, f"mail for {user}")

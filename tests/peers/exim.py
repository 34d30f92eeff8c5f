"""A real Exim of its own, unpacked and never installed: an MSA with DSN and
without MTRK that says `250 OK id=...`, delivering to files of its own."""

import os
import pwd
import shutil

from .base import Peer, check_passable, need_root, unpacked, wait_until

USER = "mail"

CONFIGURATION = """\
exim_user = {user}
exim_group = {user}
exim_path = {program}
keep_environment = LD_LIBRARY_PATH
spool_directory = {dir}/spool
log_file_path = {dir}/log/%slog
primary_hostname = exim.example.test
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
domainlist ours = example.test
acl_smtp_rcpt = check_recipient
acl_smtp_data = take
tls_advertise_hosts =
dsn_advertise_hosts = *
smtputf8_advertise_hosts = *
host_lookup =
rfc1413_hosts =
message_size_limit = 200M
{settings}
begin acl
check_recipient:
  accept domains = +ours
         verify = recipient
  deny message = sending nothing out
take:
  accept
begin routers
mailbox:
  driver = accept
  domains = +ours
  local_parts = {users}
  transport = file
begin transports
file:
  driver = appendfile
  file = {dir}/mail/${{local_part_data}}
  user = {user}
  group = {user}
  envelope_to_add
begin retry
*  *  F,1h,1m
"""


class Exim(Peer):
    """Exim as the MSA; mailboxes are mbox files under dir/mail."""

    name = "Exim"

    def __init__(self, directory, users=("alice", "bob", "carol"),
                 settings="", port=None):
        super().__init__(directory, port)
        self.users = users
        self.settings = settings
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
        self.conf = self.dir / "exim.conf"
        self.conf.write_text(CONFIGURATION.format(
            user=USER, program=self.program, dir=self.dir, port=self.port,
            settings=self.settings, users=" : ".join(self.users)))
        self.conf.chmod(0o644)

    def environment(self):
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C",
                "LD_LIBRARY_PATH": str(self.dir)}

    def command(self):
        return [self.program, "-C", self.conf, "-bdf", "-q1m",
                "-oP", self.dir / "spool" / "pid"]

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

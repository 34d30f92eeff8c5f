"""INetSim as an MSA that advertises MTRK: it takes any parameter unchecked
and logs every command line it gets."""

import grp
import os
import pathlib
import pwd
import re
import shutil
import signal

from .base import Peer, check_passable, need_root, unpacked, wait_until

# It wants a group named inetsim; this one every Debian has, and the program
# is told so before it starts, so that the machine stays as it was.
USER, GROUP = "nobody", "nogroup"
START = ('require INetSim; INetSim::Config::setConfigParameter('
         f'"Default_RunAsGroup", "{GROUP}", "default"); INetSim::main()')

EXTENSIONS = ("8BITMIME", "SIZE 102400000", "ENHANCEDSTATUSCODES", "DSN",
              "MTRK")


class INetSim(Peer):
    """INetSim's SMTP service; commands() is what it received."""

    name = "INetSim"
    start_timeout = 30.0
    # It hears SIGTERM only two seconds after its start, and keeps nothing.
    stop_signal = signal.SIGKILL

    def __init__(self, directory, extensions=EXTENSIONS, port=None):
        super().__init__(directory, port)
        self.extensions = extensions
        self.log = self.dir / "log" / "main.log"
        self.service_log = self.dir / "log" / "service.log"

    def prepare(self):
        need_root("INetSim")
        check_passable(self.dir)
        self.tree = unpacked("inetsim")
        uid = pwd.getpwnam(USER).pw_uid
        gid = grp.getgrnam(GROUP).gr_gid
        shutil.copytree(self.tree / "usr/share/inetsim/data",
                        self.dir / "data")
        for part in ("log", "report", "data", "data/smtp"):
            path = self.dir / part
            path.mkdir(exist_ok=True)
            os.chown(path, uid, gid)
            path.chmod(0o770)
        lines = ["start_service smtp", f"service_bind_address {self.host}",
                 f"smtp_bind_port {self.port}",
                 "smtp_fqdn_hostname msa.example.test",
                 "create_reports no", f"service_run_as_user {USER}"]
        lines += [f"smtp_service_extension {word}" for word in
                  self.extensions]
        (self.dir / "inetsim.conf").write_text("\n".join(lines) + "\n")

    def perl_path(self):
        wanted = {path.parent for path in self.tree.glob("usr/**/*.pm")}
        bases = {base for base in self.tree.glob("usr/**/perl*")
                 if base.is_dir()}
        bases |= {base for base in self.tree.glob("usr/lib/*/perl5/*")
                  if base.is_dir()}
        return [str(base) for base in sorted(bases)
                if any(base in (path, *path.parents) for path in wanted)]

    def command(self):
        words = ["perl"]
        for base in self.perl_path():
            words += ["-I", base]
        return words + ["-e", START, "--",
                        "--config", self.dir / "inetsim.conf",
                        "--log-dir", self.dir / "log",
                        "--data-dir", self.dir / "data",
                        "--report-dir", self.dir / "report",
                        "--user", USER, "--session", "1",
                        "--pidfile", self.dir / "pid"]

    def log_text(self):
        try:
            return self.service_log.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def commands(self, verb=None):
        """Every command line received, verbatim, oldest first."""
        lines = re.findall(r"\brecv: (.*)$", self.log_text(), re.M)
        return [line for line in lines if verb is None or
                line.upper().startswith(verb.upper())]

    def wait_command(self, verb, count=1, timeout=10.0):
        """The commands with this verb, once there are `count` of them."""
        return wait_until(
            lambda: len(self.commands(verb)) >= count and self.commands(verb),
            timeout, f"{verb} at INetSim")

    def messages(self):
        """The text of its mbox: all that it took."""
        return "".join(path.read_text(errors="replace") for path in
                       sorted(pathlib.Path(self.dir / "data" / "smtp")
                              .glob("*.mbox")))

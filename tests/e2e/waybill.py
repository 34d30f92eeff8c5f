"""The real daemons under test, each Waybill in a directory of its own.

    def test_something(start_waybill, strict_hop):
        waybill = start_waybill(strict_hop, tracking={"certifier": "random"})
        waybill.submit("alice", "bob@example.test", "Subject: x\\r\\n\\r\\nhi\\r\\n")
        message = strict_hop.wait_messages(1)[0]
        waybill.check_certifier(message["parameters"])

Waybill(directory, msa, **options)
    msa      a peer with .host and .port, or None for a port nobody serves
    options  sections of waybill.conf as dictionaries (auth, tracking, vault,
             limits, log, msa_section, tls), top for what stands outside
             of sections; values are strings, numbers, booleans, lists, or
             dictionaries for what is nested.
             track={} starts the tracker; feed="postfix" or "exim" follows
             the log of msa, with the options of a dictionary feed_section.
             users={"alice": "secret", ...} become the private sasldb;
             authority and names for the certificate; env for waybilld.

It writes waybill.conf, starts sbin/waybilld from WAYBILL_BUILD (default
build), and start() returns once the daemon says that it is ready.  Started
by root, its children run as users that every Debian has.

    .ports["submission"]   STARTTLS       .ports["submissions"]  implicit TLS
    .lines(event=...)      log lines as dictionaries: what stands before the
                           first key is "program" and "pid"
    .wait_line(...)        the first such line, waited for
    .children("keeper")    pids by role: keeper, proxy, auth
    .login("alice")        an smtplib client, in TLS and logged in
    .submit(...)           one message; the reply to its end
    .cli("token", id)      the waybill command as alice: parsed JSON
    .track(id)             waybill track: exit status and parsed JSON
    .wait_track(test, id)  the first such JSON that passes the test
    .history(id)           the events that XMTRK SHOW tells
    .ctl("status")         waybillctl
    .stop()                SIGTERM; raises Unclean if a process stays behind
                           or the log holds a sanitizer's report
    .kill()                SIGKILL to waybilld alone
"""

import atexit
import base64
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from peers import (Authority, PeerFailed, Sasldb, clients,  # noqa: E402
                   free_port, room, session_members, wait_until)
from peers.base import Peer, ROOT, closed_part  # noqa: E402

HOSTNAME = "submit.example.test"
USERS = {"alice": "alice's secret", "carol": "carol's secret"}

# Distinct users that every Debian has, for a daemon started by root.
RUN_AS = {"user_proxy": "nobody", "user_auth": "games",
          "user_keeper": "backup", "user_feed": "news",
          "user_track": "uucp"}

SANITIZER = re.compile(r"ERROR: \w+Sanitizer|runtime error: |"
                       r"WARNING: \w+Sanitizer")
FIELD = re.compile(r'([\w.-]+)=("(?:[^"\\]|\\.)*"|\S*)')


class Unclean(AssertionError):
    """The daemons left something behind."""


def build_directory():
    path = pathlib.Path(os.environ.get("WAYBILL_BUILD", ROOT / "build"))
    return path if path.is_absolute() else ROOT / path


OPEN_BUILDS = {}


def open_build(build):
    """Where the programs can be reached by the users that they run as: a
    checkout of root's is often closed to them."""
    if os.geteuid() != 0 or not closed_part(build):
        return build
    if build not in OPEN_BUILDS:
        copy = room("build")
        atexit.register(shutil.rmtree, copy, ignore_errors=True)
        for part in ("sbin", "bin", "libexec"):
            if (build / part).is_dir():
                shutil.copytree(build / part, copy / part)
        OPEN_BUILDS[build] = copy
    return OPEN_BUILDS[build]


def unescape(value):
    if not value.startswith('"'):
        return value
    return re.sub(r"\\(x[0-9A-Fa-f]{2}|.)", lambda match:
                  chr(int(match.group(1)[1:], 16))
                  if match.group(1)[0] == "x" else match.group(1),
                  value[1:-1])


def parse_line(line):
    """A text log line as a dictionary; {} if it is none."""
    match = re.match(r"(\S+) ([\w-]+)\[(\d+)\]: (.*)", line)
    if not match:
        return {}
    found = {key: unescape(value) for key, value in
             FIELD.findall(match.group(4))}
    return {"time": match.group(1), "program": match.group(2),
            "pid": int(match.group(3)), **found}


def conf_value(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "{" + ", ".join(map(conf_value, value)) + "}"
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def conf_option(name, value):
    if isinstance(value, dict):
        return conf_section(name, value)
    return f"{name} = {conf_value(value)}\n"


def conf_section(name, options, title=None):
    head = f'{name} "{title}"' if title else name
    return "".join([head, " {\n",
                    *("\t" + conf_option(key, value)
                      for key, value in options.items()), "}\n"])


class Waybill(Peer):
    """See the module's text."""

    name = "waybilld"
    start_timeout = 30.0
    stop_timeout = 30.0

    def __init__(self, directory, msa=None, users=None, authority=None,
                 names=(HOSTNAME, "localhost"), env=None, top=None,
                 tls=None, build=None, track=None, feed=None, **sections):
        super().__init__(directory)
        self.users = USERS if users is None else users
        self.build = open_build(pathlib.Path(build or build_directory()))
        self.env = env or {}
        self.msa = msa
        self.names = names
        self.tls = dict(tls or {})
        self.top = {"hostname": HOSTNAME, "run_dir": self.dir / "run",
                    "workers": 1, "drain_timeout": "5 s", **(top or {})}
        if os.geteuid() == 0:
            self.top = {**RUN_AS, **self.top}
        self.sections = sections
        self.track_section, self.feed = track, feed
        self.ports = {"submission": free_port(), "submissions": free_port()}
        if track is not None:
            self.ports["track"] = free_port()
        self.authority = authority
        self.conf = self.dir / "waybill.conf"
        self.log = self.dir / "output"
        self.seen = 0
        self.crashed = []

    # Configuration

    def prepare(self):
        if not self.program("sbin/waybilld").exists():
            raise PeerFailed(f"{self.program('sbin/waybilld')} is not built: "
                             "run make")
        if self.authority is None:
            self.authority = Authority(self.dir / "ca")
        self.certificate(self.names)
        self.sasldb = Sasldb(self.dir / "sasldb", HOSTNAME)
        for user, password in self.users.items():
            self.sasldb.add(user, password)
        (self.dir / "feed").mkdir()
        if os.geteuid() == 0:
            shutil.chown(self.dir / "feed", self.top["user_feed"])
        self.write_conf()

    def certificate(self, names):
        """Make the server's certificate (again)."""
        stem = f"waybill-{self.dir.name}"
        made = self.authority.issue(stem, names)
        for path, name in zip(made, ("server.pem", "server.key")):
            shutil.copy(path, self.dir / name)
        self.tls.setdefault("certificate", self.dir / "server.pem")
        self.tls.setdefault("key", self.dir / "server.key")

    def write_conf(self):
        """Write waybill.conf from what this object says now."""
        self.conf.write_text(self.conf_text())

    def conf_text(self):
        section = self.sections.get
        port = self.msa.port if self.msa else 9
        host = self.msa.host if self.msa else "127.0.0.1"
        sasl = ["pwcheck_method=auxprop", "auxprop_plugin=sasldb",
                f"sasldb_path={self.sasldb.path}"]
        parts = [f"{key} = {conf_value(value)}\n"
                 for key, value in self.top.items()]
        for title, tls in (("submission", "starttls"),
                           ("submissions", "implicit")):
            parts.append(conf_section("listen", {
                "address": self.addresses(), "port": self.ports[title],
                "tls": tls}, title))
        parts += [
            conf_section("tls", self.tls),
            conf_section("auth", {"workers": 2, "workers_max": 8,
                                  "sasl": sasl, "penalty_max": "0",
                                  **section("auth", {})}),
            conf_section("msa", {"address": host, "port": port,
                                 **section("msa_section", {}),
                                 **self.feed_section()}, "main"),
            conf_section("tracking", section("tracking", {})),
            conf_section("vault", {"path": self.dir / "vault",
                                   "keys": self.dir / "keys",
                                   **section("vault", {})}),
            conf_section("limits", section("limits", {})),
            conf_section("log", {"level": "debug", **section("log", {})})]
        if self.track_section is not None:
            parts.append(conf_section("track", {
                "address": "127.0.0.1", "port": self.ports["track"],
                **self.track_section}))
        return "".join(parts)

    def feed_section(self):
        if self.feed is None:
            return {}
        return {"log": {"file": self.msa.log, "format": self.feed,
                        "state": self.dir / "feed" / "main",
                        **self.sections.get("feed_section", {})}}

    def addresses(self):
        return ["127.0.0.1", "::1"] if socket.has_ipv6 and \
            has_loopback6() else ["127.0.0.1"]

    # The processes

    def program(self, path):
        return self.build / path

    def command(self):
        return [self.program("sbin/waybilld"), "-c", self.conf]

    def environment(self):
        return {**os.environ, **self.env}

    @property
    def address(self):
        return f"localhost:{self.ports['submission']}"

    def launch(self):
        self.seen = self.log.stat().st_size if self.log.exists() else 0
        super().launch()

    def ready(self):
        return any(line.get("event") == "ready" and
                   line["program"] == "waybilld"
                   for line in self.fresh_lines())

    def fresh_lines(self):
        """Log lines since the last start."""
        with open(self.log, encoding="utf-8", errors="replace") as log:
            log.seek(self.seen)
            return [found for found in map(parse_line, log) if found]

    def children(self, role=None):
        """Pids of waybilld's children, oldest first."""
        found = []
        for pid in session_members(self.pid) if self.process else []:
            name = process_name(pid)
            if pid != self.pid and role in (None, name.rpartition("-")[2]):
                found.append(pid)
        return sorted(found)

    def wait_children(self, role, count, timeout=15.0):
        return wait_until(
            lambda: len(self.children(role)) == count and
            self.children(role), timeout, f"{count} x {role}")

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def kill(self):
        """End waybilld alone, as a crash would; its pid."""
        process, self.process = self.process, None
        process.kill()
        process.wait()
        self.crashed.append(process.pid)
        return process.pid

    def stop(self):
        process = self.process
        self.await_orphans()
        if process is None:
            return
        self.process = None
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(self.stop_timeout)
            hung = False
        except subprocess.TimeoutExpired:
            hung = True
        left = [f"{pid} ({process_name(pid)})"
                for pid in session_members(process.pid)]
        if hung:
            process.kill()
            process.wait()
        self.stopped(process.pid)
        self.check_clean(process, hung, left)

    def await_orphans(self):
        """The children of a killed waybilld end by themselves."""
        for session in self.crashed:
            try:
                wait_until(lambda: not session_members(session),
                           self.stop_timeout)
            except PeerFailed:
                left = [process_name(pid)
                        for pid in session_members(session)]
                self.stopped(session)
                raise Unclean(f"{left} outlived a killed waybilld:\n"
                              f"{self.log_tail()}") from None
        self.crashed = []

    def check_clean(self, process, hung, left):
        if hung:
            raise Unclean(f"waybilld did not end on SIGTERM, nor did {left}:"
                          f"\n{self.log_tail()}")
        if left:
            raise Unclean(f"waybilld left {left} behind:\n{self.log_tail()}")
        if process.returncode != 0:
            raise Unclean(f"waybilld ended with status {process.returncode}:"
                          f"\n{self.log_tail()}")
        text = self.log.read_text(errors="replace")
        match = SANITIZER.search(text)
        if match:
            raise Unclean("a sanitizer reported:\n" +
                          text[match.start():match.start() + 6000])

    # The log

    def lines(self, **wanted):
        """Log lines with these fields; a value may be a compiled re."""
        def fits(line):
            return all(want.search(line.get(key, ""))
                       if isinstance(want, re.Pattern)
                       else line.get(key) == str(want)
                       for key, want in wanted.items())
        if not self.log.exists():
            return []
        text = self.log.read_text(errors="replace")
        return [line for line in map(parse_line, text.splitlines())
                if line and fits(line)]

    def wait_line(self, timeout=10.0, count=1, **wanted):
        try:
            return wait_until(
                lambda: len(self.lines(**wanted)) >= count and
                self.lines(**wanted)[count - 1], timeout,
                f"log line {wanted}")
        except PeerFailed as error:
            raise PeerFailed(f"{error}:\n{self.log_tail()}") from error

    # Clients

    def context(self):
        return ssl.create_default_context(cafile=str(self.authority.ca))

    def connect(self, implicit=False, timeout=30):
        """An smtplib client in TLS, not logged in."""
        if implicit:
            client = smtplib.SMTP_SSL("localhost", self.ports["submissions"],
                                      local_hostname="client.example.test",
                                      context=self.context(),
                                      timeout=timeout)
            client.ehlo()
            return client
        client = smtplib.SMTP("localhost", self.ports["submission"],
                              "client.example.test", timeout=timeout)
        client.starttls(context=self.context())
        client.ehlo()
        return client

    def login(self, user="alice", implicit=False, timeout=30,
              mechanism="PLAIN", password=None):
        """An smtplib client that is logged in; smtplib's exceptions."""
        client = self.connect(implicit, timeout)
        client.user = user
        client.password = password or self.users[user]
        if mechanism.startswith("SCRAM"):
            step = clients.Scram(mechanism, user, client.password)
        else:
            step = {"PLAIN": client.auth_plain,
                    "LOGIN": client.auth_login}[mechanism]
        client.auth(mechanism, step)
        return client

    def submit(self, user, to, text, sender=None, mail=(), rcpt=(),
               client=None):
        """Submit one message as smtplib does; the last reply's text.

        Raises smtplib's exceptions.  text is str or bytes.
        """
        own = client is None
        client = client or self.login(user)
        data = text.encode() if isinstance(text, str) else text
        try:
            code, reply = client.mail(sender or f"{user}@example.test",
                                      list(mail))
            if code != 250:
                raise smtplib.SMTPSenderRefused(code, reply, sender)
            refused = {}
            for one in [to] if isinstance(to, str) else to:
                code, reply = client.rcpt(one, list(rcpt))
                if code not in (250, 251):
                    refused[one] = (code, reply)
            if refused:
                raise smtplib.SMTPRecipientsRefused(refused)
            code, reply = client.data(data)
            if code != 250:
                raise smtplib.SMTPDataError(code, reply)
            return reply.decode()
        finally:
            if own:
                quietly_quit(client)

    def client_conf(self, user="alice"):
        """A configuration file of the waybill command for a user."""
        secret = self.dir / f"{user}.password"
        secret.write_text(self.users[user] + "\n")
        secret.chmod(0o600)
        path = self.dir / f"{user}.conf"
        options = {"server": "localhost", "tls": "starttls", "user": user,
                   "password_file": secret, "ca_file": self.authority.ca}
        path.write_text(f"port = {self.ports['submission']}\n" + "".join(
            f"{key} = {conf_value(value)}\n"
            for key, value in options.items()))
        path.chmod(0o600)
        return path

    def run_cli(self, *words, user="alice", **more):
        """The waybill command as it ends: a CompletedProcess."""
        return subprocess.run(
            [self.program("bin/waybill"), "-c", self.client_conf(user),
             *map(str, words)], stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
            check=False, env=self.environment(), **more)

    def cli(self, *words, user="alice"):
        """The waybill command with --json, which must succeed."""
        done = self.run_cli("--json", *words, user=user)
        if done.returncode != 0:
            raise PeerFailed(f"waybill {words}: status {done.returncode}: "
                             f"{done.stderr}\n{self.log_tail()}")
        return json.loads(done.stdout)

    def track(self, name, *words, user="alice"):
        """waybill track at this tracker: exit status and parsed JSON."""
        done = self.run_cli("--json", "--connect",
                            f"127.0.0.1:{self.ports['track']}", "track",
                            *words, name, user=user)
        if done.stdout == "":
            raise PeerFailed(f"waybill track {name}: status "
                             f"{done.returncode}: {done.stderr}\n"
                             f"{self.log_tail()}")
        return done.returncode, json.loads(done.stdout.splitlines()[-1])

    def wait_track(self, test, name, timeout=20.0, user="alice"):
        """Ask until the answer passes the test; the answer."""
        seen = []

        def look():
            status, told = self.track(name, user=user)
            seen[:] = [status, told]
            return told if test(told) else None
        try:
            return wait_until(look, timeout, f"the end of {name}")
        except PeerFailed as error:
            raise PeerFailed(f"{error}; the last answer was {seen}\n"
                             f"{self.log_tail()}") from error

    def history(self, name, user="alice"):
        """The events that XMTRK SHOW tells."""
        return self.cli("show", name, user=user)["events"]

    def check_certifier(self, parameters, user="alice"):
        """The A fetched for this MAIL's ENVID hashes to its MTRK; A."""
        token = self.cli("token", parameters["ENVID"], user=user)
        secret = base64.b64decode(token["secret"], validate=True)
        proof = certifier_of(secret)
        sent = parameters["MTRK"].partition(":")[0]
        assert proof == sent == token["certifier"], (proof, sent, token)
        return secret

    def ctl(self, *words):
        return subprocess.run(
            [self.program("bin/waybillctl"), "-c", self.conf, *words],
            stdin=subprocess.DEVNULL, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=60, check=False,
            env=self.environment())


def certifier_of(secret):
    """base64(SHA-1(A)), unpadded (RFC 3885 3.1)."""
    return base64.b64encode(hashlib.sha1(secret).digest()).decode()[:27]


def process_name(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "gone"


def has_loopback6():
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            return False
    return True


def quietly_quit(client):
    try:
        client.quit()
    except (smtplib.SMTPException, OSError):
        client.close()

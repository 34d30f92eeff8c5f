#!/usr/bin/python3
"""`make run` and `make demo`: a whole Waybill on loopback, in front of a
private Postfix, with one message taken through it by a stock client, and
tracked until it is known what became of it.

usage: tests/demo.py run|demo [MSA=HOST:PORT] [TO=ADDRESS] [FROM=ADDRESS]

run stays in the foreground until Ctrl-C; demo checks each step, stops
everything and exits 0 or 1.  Nothing leaves the machine unless MSA is given.
"""

import base64
import getpass
import os
import pathlib
import secrets
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import tempfile
import time

TESTS = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(TESTS), str(TESTS / "e2e")]

from peers import (Authority, PeerFailed, PeerMissing, Postfix,  # noqa: E402
                   StrictHop, free_port, wait_until)
from peers.base import closed_part, find_program  # noqa: E402
from waybill import Waybill, certifier_of  # noqa: E402

ROOT = TESTS.parent
SUBMISSION, SUBMISSIONS, TRACK, MSA_PORT = 10587, 10465, 11038, 10025
USER = "alice"
SENDER, RECIPIENT = "alice@example.test", "bob@example.test"
MISSPELT = "bbo@example.test"
# Postfix takes it, and finds out on delivery that there is no such user.
TAKES_ANY = {"smtpd_reject_unlisted_recipient": "no"}


class Failed(Exception):
    """A step of the demonstration did not come out as promised."""


class Given:
    """The MSA that MSA=host:port names."""

    name = "the given MSA"

    def __init__(self, text):
        self.host, _, port = text.rpartition(":")
        if not self.host or not port.isdigit():
            raise Failed(f"MSA={text}: write it as MSA=host:port")
        self.host, self.port = self.host.strip("[]"), int(port)

    def stop(self):
        """It was here before us."""


def say(text=""):
    print(text, flush=True)


def step(title):
    say(f"\n== {title}")


def show(text):
    for line in text.strip().splitlines():
        say(f"   {line}")


def port_near(wanted):
    """The port that the manual names, or a free one."""
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", wanted))
        return wanted
    except OSError:
        return free_port()


def remove_directory(name):
    path = ROOT / name
    if path.is_symlink():
        shutil.rmtree(path.resolve(), ignore_errors=True)
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


def fresh_directory(name):
    """An empty ./run (or build/demo).  Where other users cannot reach the
    checkout, as in root's home, it is a link to a place where they can."""
    path = ROOT / name
    remove_directory(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0 and closed_part(path.parent):
        real = tempfile.mkdtemp(prefix="waybill-", dir="/tmp")
        path.symlink_to(real)
        path = pathlib.Path(real)
    else:
        path.mkdir()
    path.chmod(0o755)
    return path


class Tracked(Waybill):
    """A Waybill whose tracking server the clients find."""

    def client_conf(self, user=USER):
        path = super().client_conf(user)
        with open(path, "a", encoding="utf-8") as conf:
            conf.write(f'connect = "{self.tracker}"\n')
        return path

    @property
    def tracker(self):
        return f"127.0.0.1:{self.ports['track']}"


class Demonstration:
    """What runs, and the steps taken with it."""

    def __init__(self, mode, options):
        self.mode = mode
        self.options = options
        # At somebody's own MSA the message goes to who starts this.
        local = f"{getpass.getuser()}@localhost"
        given = "MSA" in options
        self.recipient = options.get("TO", local if given else RECIPIENT)
        self.sender = options.get("FROM",
                                  self.recipient if given else SENDER)
        self.password = secrets.token_urlsafe(9)
        self.dir = fresh_directory("run" if mode == "run" else "build/demo")
        self.recipients = [self.recipient] if given else [self.recipient,
                                                          MISSPELT]
        # Nobody's servers are asked but ours.
        self.alone = ["--no-follow"] if given else []
        self.running = []

    def started(self, peer):
        self.running.append(peer)
        return peer.start()

    def waybill_before(self, msa, name, **options):
        waybill = Tracked(self.dir / name, msa, authority=self.authority,
                          users={USER: self.password}, track={},
                          log={"level": "info"}, **options)
        if name == "waybill":
            waybill.ports = {"submission": port_near(SUBMISSION),
                             "submissions": port_near(SUBMISSIONS),
                             "track": port_near(TRACK)}
        return self.started(waybill)

    # Steps

    def start(self):
        self.authority = Authority(self.dir / "ca", "Waybill demonstration")
        if self.options.get("MSA"):
            self.msa = Given(self.options["MSA"])
            step(f"The MSA is yours, at {self.options['MSA']}")
            show(f"one message goes to {self.recipient}; TO=ADDRESS and "
                 "FROM=ADDRESS choose others")
        else:
            step("Starting a private Postfix as the MSA "
                 "(it delivers to files and sends nothing out)")
            self.msa = self.started(Postfix(
                self.dir / "postfix", port=port_near(MSA_PORT),
                settings=TAKES_ANY))
            show(f"it listens on {self.msa.address}, its log is "
                 f"{self.msa.log}")
        step("Starting Waybill in front of it")
        feed = "postfix" if isinstance(self.msa, Postfix) else None
        self.waybill = self.waybill_before(self.msa, "waybill", feed=feed)
        ports = self.waybill.ports
        show(f"submission (STARTTLS) on localhost:{ports['submission']}, "
             f"submissions (TLS) on localhost:{ports['submissions']}\n"
             f"tracking (MTQP) on {self.waybill.tracker}"
             + (", and a feed that reads Postfix's log" if feed else ""))

    def submit(self, waybill, recipients, subject):
        """One message by swaks; its Message-ID."""
        message_id = f"<{secrets.token_hex(8)}@client.example.test>"
        words = ["swaks", "--server", "localhost", "--port",
                 str(waybill.ports["submission"]), "--tls",
                 "--tls-verify", "--tls-ca-path", str(self.authority.ca),
                 "--auth", "PLAIN", "--auth-user", USER,
                 "--auth-password", self.password,
                 "--helo", "client.example.test",
                 "--from", self.sender, "--to", ",".join(recipients),
                 "--header", f"Subject: {subject}",
                 "--header", f"Message-Id: {message_id}",
                 "--body", "Where is this message now?"]
        done = subprocess.run([find_program("swaks"), *words[1:]], text=True,
                              stdin=subprocess.DEVNULL, check=False,
                              stdout=subprocess.PIPE, timeout=60,
                              stderr=subprocess.STDOUT)
        said = [line for line in done.stdout.splitlines()
                if line.startswith("<~  250")]
        if done.returncode != 0:
            raise Failed("swaks could not submit the message (if the MSA "
                         f"refused an address, give TO= and FROM=):\n"
                         f"{done.stdout}")
        show(f"swaks was told: {said[-1][4:].strip() if said else '250'}")
        return message_id

    def round_trip(self):
        step(f"Submitting a message from {self.sender} to "
             f"{' and '.join(self.recipients)} with swaks, as any mail "
             "client would")
        message_id = self.submit(self.waybill, self.recipients, "Hello, Bob")
        if isinstance(self.msa, Postfix):
            self.msa.wait_message("bob", message_id)
            show("and it is in Bob's mailbox: "
                 f"{self.dir}/postfix/mail/bob/new")
        step("What the sender can look up: waybill list")
        self.waybill_command("list")
        step("The secret that lets its holder track this one message: "
             "waybill token")
        self.waybill_command("token", message_id)
        token = self.waybill.cli("token", message_id)
        if certifier_of(decoded(token["secret"])) != token["certifier"]:
            raise Failed(f"the certifier is not SHA-1 of A: {token}")
        return token

    def waybill_command(self, *words, status=0):
        done = self.waybill.run_cli(*words)
        show(f"$ waybill {' '.join(words)}")
        self.check_end(done, f"waybill {words[0]}", status)

    def check_end(self, done, name, status):
        show(done.stdout + done.stderr)
        if status != 0:
            show(f"(exit status {done.returncode})")
        if done.returncode != status:
            raise Failed(f"{name} ended with status {done.returncode}, not "
                         f"{status}:\n{done.stderr}")

    def track(self, token):
        """What became of it, as soon as that is known; the exit status."""
        step("What became of it: waybill track")
        if not isinstance(self.msa, Postfix):
            show("(what the MSA said; section msa without log { } knows no "
                 "more)")
            status, _ = self.waybill.track(token["envid"], *self.alone)
            if status not in (0, 2):
                raise Failed(f"waybill track ended with status {status}")
            self.waybill_command("track", *self.alone, "last", status=status)
            return status
        told = self.waybill.wait_track(lambda answer: answer["settled"],
                                       token["envid"])
        self.waybill_command("track", "last", status=1)
        self.check_answer(told)
        return 1

    def check_answer(self, told):
        rows = {row["to"]: row for row in told["recipients"]}
        actions = {to: row["action"] for to, row in rows.items()}
        if actions != {RECIPIENT: "delivered", MISSPELT: "failed"}:
            raise Failed(f"the tracking server says {actions}")
        reason = rows[MISSPELT].get("reply", "")
        logged = self.msa.log_lines(f"to=<{MISSPELT}>.*status=bounced")
        if not reason or not any(reason in line for line in logged):
            raise Failed(f"the reason is {reason!r}, Postfix logged {logged}")

    def track_as_delegate(self, uri, status):
        """Whoever has the URI: no account, no configuration."""
        words = [self.waybill.program("bin/waybill"), "--connect",
                 self.waybill.tracker, "track", *self.alone, "-"]
        show("$ SSL_CERT_FILE=CA waybill --connect "
             f"{self.waybill.tracker} {' '.join(words[3:])} < uri")
        done = subprocess.run(words, input=uri + "\n", text=True,
                              stdout=subprocess.PIPE, timeout=60,
                              stderr=subprocess.PIPE, check=False,
                              env={"SSL_CERT_FILE": str(self.authority.ca)})
        self.check_end(done, "waybill track of a delegate", status)

    def delegate_and_revoke(self, token, status):
        step("Somebody else may look, too: waybill delegate")
        done = self.waybill.run_cli("delegate", token["envid"])
        show("$ waybill delegate last > uri")
        self.check_end(done, "waybill delegate", 0)
        step("Who has that URI needs no account and no configuration")
        uri = done.stdout.strip()
        self.track_as_delegate(uri, status)
        step("Until its sender takes it back: waybill revoke")
        self.waybill_command("revoke", token["envid"])
        self.track_as_delegate(uri, 3)

    def check_postfix_knows_envid(self, token):
        """A report of Postfix names the ENVID that Waybill put in."""
        step("Postfix's own report of the recipient that failed must name "
             "the same ENVID")
        report = wait_until(lambda: next(
            (raw for raw in self.msa.messages("alice")
             if token["envid"].encode() in raw), None),
            15, "the report with the ENVID")
        line = next(line for line in report.decode().splitlines()
                    if line.lower().startswith("original-envelope-id"))
        show(line)
        if line.partition(":")[2].strip() != token["envid"]:
            raise Failed(f"the report says {line!r}, not {token['envid']}")

    def check_mtrk_hop(self):
        """An MSA with MTRK receives B; B is the hash of the A we fetch."""
        step("The same before an MSA that has MTRK and checks every "
             "parameter (RFC 3885)")
        hop = self.started(StrictHop(self.dir / "hop"))
        waybill = self.waybill_before(hop, "waybill2")
        message_id = self.submit(waybill, [self.recipient], "Tracked")
        message = hop.wait_messages(1)[0]
        got = message["parameters"]
        show(f"the MSA received MAIL FROM:{message['mail']} "
             f"ENVID={got.get('ENVID')} MTRK={got.get('MTRK')}")
        if "MTRK" not in got or hop.violations():
            raise Failed(f"the MSA saw {hop.violations() or 'no MTRK'}")
        token = waybill.cli("token", message_id)
        proof = certifier_of(decoded(token["secret"]))
        show(f"the sender fetched   A = {token['secret']}")
        show(f"base64(SHA-1(A))       = {proof}")
        sent = got["MTRK"].partition(":")[0]
        if proof != sent or token["envid"] != got["ENVID"]:
            raise Failed(f"the MSA received {sent}, A hashes to {proof}")
        show("which is what the MSA received: only who holds A can ask "
             "for this message")

    def stay(self):
        waybill = self.waybill
        port = waybill.ports["submission"]
        program = waybill.program("bin/waybill")
        step("Running.  Ctrl-C stops everything")
        show(f"""\
server    localhost, port {port} (STARTTLS) or \
{waybill.ports['submissions']} (TLS)
user      {USER}
password  {self.password}
CA        {self.authority.ca}
log       {waybill.log}

submit    swaks --server localhost --port {port} --tls --auth PLAIN \\
          --auth-user {USER} --auth-password {self.password} \\
          --from {self.sender} --to {self.recipient}
look      alias waybill='{program} -c {waybill.client_conf()}'
          waybill list
          waybill track --watch last
delegate  waybill delegate last > uri
          SSL_CERT_FILE={self.authority.ca} \\
          {program} --connect {waybill.tracker} track - < uri
          waybill revoke last""")
        while True:
            time.sleep(0.5)
            for peer in self.running:
                if peer.process and peer.process.poll() is not None:
                    raise Failed(f"{peer.name} ended by itself:\n"
                                 f"{peer.log_tail()}")

    def stop(self):
        problems = []
        for peer in reversed(self.running):
            try:
                peer.stop()
            except (AssertionError, PeerFailed) as problem:
                problems.append(str(problem))
        if problems:
            raise Failed("\n".join(problems))

    def logs(self):
        return "\n".join(f"-- end of {peer.name}'s log "
                         f"({peer.log})\n{peer.log_tail()}"
                         for peer in self.running)


def decoded(text):
    return base64.b64decode(text, validate=True)


def run(demonstration):
    mode = demonstration.mode
    try:
        demonstration.start()
        token = demonstration.round_trip()
        if mode == "run":
            demonstration.track(token)
            demonstration.stay()
        demonstration.check_mtrk_hop()
        if isinstance(demonstration.msa, Postfix):
            demonstration.check_postfix_knows_envid(token)
        status = demonstration.track(token)
        demonstration.delegate_and_revoke(token, status)
    except PeerFailed as problem:
        # The rest of it is the log, which follows anyway.
        first = str(problem).split("\n", 1)[0]
        say(f"\nFAILED: {first}\n\n{demonstration.logs()}")
        return 1
    except (Failed, AssertionError, smtplib.SMTPException, OSError,
            subprocess.TimeoutExpired) as problem:
        say(f"\nFAILED: {problem}\n\n{demonstration.logs()}")
        return 1
    return 0


def parse_words(words):
    if not words or words[0] not in ("run", "demo"):
        raise Failed(__doc__.strip())
    options = {}
    for word in words[1:]:
        name, equals, value = word.partition("=")
        if name not in ("MSA", "TO", "FROM") or not equals:
            raise Failed(f"{word} is not understood\n{__doc__.strip()}")
        if value:
            options[name] = value
    return words[0], options


def interrupted(*_):
    raise KeyboardInterrupt


def main():
    signal.signal(signal.SIGTERM, interrupted)
    try:
        mode, options = parse_words(sys.argv[1:])
        if os.geteuid() != 0 and not options.get("MSA"):
            raise Failed("the private Postfix needs root to start.  Run\n"
                         f"    sudo make {mode}\nor give an MSA that is "
                         f"there:\n    make {mode} MSA=host:port")
        demonstration = Demonstration(mode, options)
    except Failed as problem:
        say(str(problem))
        return 1
    status = 1
    try:
        status = run(demonstration)
    except KeyboardInterrupt:
        say("\nStopping.")
        status = 0 if mode == "run" else 130
    except PeerMissing as missing:
        say(f"\nFAILED: {missing}")
    finally:
        try:
            demonstration.stop()
        except Failed as problem:
            say(f"\nFAILED at the end: {problem}")
            status = 1
    if mode == "demo":
        if status == 0:
            remove_directory("build/demo")
        say("\nDEMO: everything came out as promised" if status == 0 else
            "\nDEMO FAILED")
    return status


if __name__ == "__main__":
    sys.exit(main())

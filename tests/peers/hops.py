"""StrictHop and RawMsa as seen from a test: start them, change how they
behave while they run, read what they were sent.

    with StrictHop(room() / "hop") as hop:
        hop.behave(replies={".": "451 4.3.0 not now"})
        ...
        assert hop.violations() == []
        message = hop.wait_messages(1)[0]
        message["parameters"]["MTRK"], message["raw"]

The record's events: ready, open, read (octets), command (line; read: the
number of the read in which it arrived, so commands of one write share it),
violation (why), message, cut (lost within a message, whose last octets are in
tail; RawMsa only), close.  Each has session (1, 2, ...) and t (time.time()).
"""

import base64
import json
import os
import sys

from .base import Peer, PeerFailed, ROOT, wait_until


class Hop(Peer):
    """What StrictHop and RawMsa have in common.

    options    further words for the command line
    tls        "none", "starttls", "implicit", with cert and key
    behaviour  the first behaviour, see behaviour.py
    """

    module = None

    def __init__(self, directory, *options, tls="none", cert=None, key=None,
                 behaviour=None, port=None, host="127.0.0.1"):
        super().__init__(directory, port, host)
        self.options = list(options)
        self.record = self.dir / "record"
        self.behaviour = self.dir / "behaviour.json"
        self.first = behaviour
        if tls != "none":
            self.options += ["--tls", tls, "--cert", cert, "--key", key]

    def prepare(self):
        if self.first:
            self.behave(**self.first)

    def command(self):
        return [sys.executable, "-m", f"peers.{self.module}",
                "--host", self.host, "--port", self.port,
                "--record", self.record, "--behaviour", self.behaviour,
                *self.options]

    def environment(self):
        return {**os.environ, "PYTHONPATH": str(ROOT / "tests"),
                "PYTHONDONTWRITEBYTECODE": "1"}

    def launch(self):
        self.starts = len(self.events("ready"))
        super().launch()

    def ready(self):
        return len(self.events("ready")) > self.starts

    def behave(self, **values):
        """From the next connection on; with no arguments: as usual."""
        new = self.behaviour.with_suffix(".new")
        new.write_text(json.dumps(values))
        new.rename(self.behaviour)

    def events(self, kind=None):
        """What happened so far, or the events of one kind."""
        if not self.record.exists():
            return []
        found = []
        with open(self.record, encoding="utf-8") as lines:
            for line in lines:
                if not line.endswith("\n"):
                    break
                event = json.loads(line)
                if "data" in event:
                    event["raw"] = base64.b64decode(event["data"])
                if kind in (None, event["event"]):
                    found.append(event)
        return found

    def commands(self, verb=None, session=None):
        """The command events, all or of one verb or session."""
        return [event for event in self.events("command")
                if (verb is None or event["line"].upper().split()[:1] ==
                    [verb.upper()]) and session in (None, event["session"])]

    def violations(self):
        return [event["why"] for event in self.events("violation")]

    forgiven = 0

    def forgive(self):
        """The violations so far were wanted."""
        self.forgiven = len(self.violations())

    def unforgiven(self):
        return self.violations()[self.forgiven:]

    def messages(self):
        """Message events; raw holds the octets (RawMsa: still stuffed)."""
        return self.events("message")

    def wait_messages(self, count, timeout=15.0):
        try:
            return wait_until(
                lambda: len(self.messages()) >= count and self.messages(),
                timeout, f"message {count}")
        except PeerFailed as error:
            events = "\n".join(map(str, self.events()[-20:]))
            raise PeerFailed(f"{error}; {self.name} saw:\n{events}\n"
                             f"{self.log_tail()}") from error

    def wait_event(self, kind, count=1, timeout=10.0):
        return wait_until(
            lambda: len(self.events(kind)) >= count and self.events(kind),
            timeout, f"{kind} at {self.name}")


class StrictHop(Hop):
    """The strict MTRK hop on aiosmtpd.  options: --with CAPABILITY,
    --without CAPABILITY, --orcpt-optional, --client-ca FILE."""

    name = "StrictHop"
    module = "strict_hop"


class RawMsa(Hop):
    """The scripted MSA that checks nothing.  options: --discard."""

    name = "RawMsa"
    module = "raw_msa"

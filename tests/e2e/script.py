"""A Waybill whose MSA's log a test writes itself, line by line."""

import itertools
import subprocess
import time

from outcome import TEXT
from peers import RawMsa, wait_until
from waybill import Waybill

COUNTER = itertools.count(1)


def stamp(when=None):
    return time.strftime("%b %e %H:%M:%S", time.localtime(when))


class Script:
    """feed: does waybilld follow the log?  more is for the Waybill."""

    def __init__(self, space, authority, feed=True, **more):
        self.msa = RawMsa(space / "raw")
        self.log = self.msa.log = space / "mail.log"
        self.log.write_text("")
        self.log.chmod(0o644)
        self.waybill = Waybill(space / "waybill", self.msa, track={},
                               authority=authority,
                               feed="postfix" if feed else None, **more)
        self.peers = (self.msa, self.waybill)
        self.state = space / "state"

    def __iter__(self):
        return iter(self.peers)

    def new_id(self):
        """A queue id that the MSA names next time."""
        queue_id = f"4QZ{next(COUNTER):07d}"
        self.msa.behave(queue_id=queue_id)
        return queue_id

    def send(self, queue_id=None, to="bob@example.test"):
        """Submit one message: its queue id and Message-ID."""
        if queue_id is None:
            queue_id = self.new_id()
        else:
            self.msa.behave(queue_id=queue_id)
        message_id = f"<{queue_id}.{next(COUNTER)}@client.example.test>"
        self.waybill.submit("alice", to, TEXT.format(
            to=to, subject="x", id=message_id))
        return queue_id, message_id

    def write(self, *lines):
        """Add lines as they stand."""
        with open(self.log, "ab") as log:
            log.write("".join(line + "\n" for line in lines).encode(
                "utf-8", "surrogateescape"))

    def say(self, *texts, program="postfix/smtp[77]", when=None):
        """Add lines of syslog's text."""
        self.write(*(f"{stamp(when)} msa {program}: {text}"
                     for text in texts))

    def deliver(self, queue_id, text="250 2.0.0 Ok", when=None):
        self.say(delivery(queue_id, text), when=when)

    def texts(self, message_id):
        """What the history says, in order."""
        return [event.get("text") for event in
                self.waybill.history(message_id)]

    def wait_texts(self, message_id, *texts, timeout=20.0):
        return wait_until(lambda: self.texts(message_id) == list(texts),
                          timeout, f"history {texts} of {message_id}")

    def sentinel(self, write=None):
        """One more message and its line, which are seen: so all before it
        was read."""
        queue_id, message_id = self.send()
        (write or self.deliver)(queue_id)
        wait_until(lambda: self.waybill.history(message_id), 20,
                   "the last line")

    def door(self):
        return self.waybill.dir / "run" / "keeper-feed"

    def command(self, *words, msa="main"):
        return [self.waybill.program("bin/waybill-feed"), "--socket",
                self.door(), "--msa", msa, *map(str, words)]

    def feed(self, *words, given=None, **more):
        """waybill-feed by hand, to its end."""
        return run_feed(self.command(*words, **more), given)


def run_feed(command, given=None):
    given = {"input": given} if given is not None else \
        {"stdin": subprocess.DEVNULL}
    return subprocess.run(command, timeout=60, check=False, text=True,
                          errors="surrogateescape", stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, **given)


def delivery(queue_id, text="250 2.0.0 Ok", to="bob@example.test",
             status="sent", dsn="2.0.0"):
    return (f"{queue_id}: to=<{to}>, relay=mx.example.org[192.0.2.1]:25, "
            f"delay=0.1, delays=0/0/0.1/0, dsn={dsn}, status={status} "
            f"({text})")

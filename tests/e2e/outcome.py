"""A house for tests of what becomes of mail: an MSA with a log, a second MTA
behind it, and a Waybill in front that follows the log and is asked."""

import itertools

from peers import Exim, Postfix, free_port
from waybill import Waybill

TEXT = "From: alice@example.test\r\nTo: {to}\r\nSubject: {subject}\r\n" \
       "Message-ID: {id}\r\n\r\nhello\r\n"
NEXT, LATER = "next.test", "later.test"
ALIASES = {"one": "bob@example.test",
           "many": "bob@example.test, carol@example.test",
           "half": "bob@example.test, gone@example.test",
           "away": "bob@" + NEXT}
COUNTER = itertools.count(1)


def make_postfix(space, authority, **more):
    """A Postfix as MSA, and an Exim behind it."""
    hop = Exim(space / "hop", domain=NEXT,
               **tls_files(authority, "hop.next.test"))
    routes = {NEXT: hop.port, LATER: free_port(), "example.org": 1}
    settings = {"smtp_tls_security_level": "may", "smtp_tls_loglevel": "1",
                "smtpd_reject_unlisted_recipient": "no",
                "smtp_connection_cache_on_demand": "no",
                **more.pop("settings", {})}
    return Postfix(
        space / "msa", routes=routes, settings=settings,
        aliases={f"{name}@example.test": behind
                 for name, behind in ALIASES.items()},
        local={"both": "bob@example.test, carol@example.test"}, **more), hop


def make_exim(space, authority, **more):
    """The other way round."""
    hop = Postfix(space / "hop", domain=NEXT, tls="starttls",
                  **tls_files(authority, "hop.next.test"))
    routes = {NEXT: hop.port, LATER: free_port(), "example.org": 1}
    return Exim(space / "msa", routes=routes, aliases=ALIASES, **more), hop


MAKERS = {"postfix": make_postfix, "exim": make_exim}


def tls_files(authority, name):
    cert, key = authority.issue(name, [name])[:2]
    return {"cert": cert, "key": key}


class House:
    """kind is postfix or exim; more goes to the MSA."""

    def __init__(self, kind, space, authority, waybill=None, **more):
        self.kind = kind
        self.msa, self.hop = MAKERS[kind](space, authority, **more)
        self.waybill = Waybill(
            space / "waybill", self.msa, authority=authority, feed=kind,
            **{"track": {}, **(waybill or {})})
        self.peers = (self.hop, self.msa, self.waybill)

    def __iter__(self):
        return iter(self.peers)

    def send(self, *to, subject="Parcel"):
        """Submit one message; its Message-ID."""
        message_id = f"<{next(COUNTER)}.out@client.example.test>"
        self.waybill.submit("alice", to, TEXT.format(
            to=", ".join(to), subject=subject, id=message_id))
        return message_id

    def wait(self, message_id, action, count=1, timeout=20.0):
        """Each of the message's recipients, once all are in this state."""
        return self.waybill.wait_track(
            lambda told: len(told["recipients"]) == count and all(
                row["action"] == action for row in told["recipients"]),
            message_id, timeout)["recipients"]

    def wait_settled(self, message_id, timeout=20.0):
        """The rows by recipient, once nothing is under way."""
        told = self.waybill.wait_track(
            lambda told: all(row["settled"] for row in told["recipients"]),
            message_id, timeout)
        return {row["to"]: row for row in told["recipients"]}

    def status(self, message_id):
        """The exit status of waybill track."""
        return self.waybill.track(message_id)[0]

    def actions(self, message_id):
        """The actions of the history, in order."""
        return [event["action"] for event in
                self.waybill.history(message_id)]

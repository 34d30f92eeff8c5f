"""A tracking client written from RFC 3887 and RFC 3886 alone: it sends what
a test wants, octet for octet, takes nothing that the RFCs do not allow, and
keeps a transcript.

    with Mtqp(port) as client:              greeted: client.greeting
        client.starttls("h.example", context)
        reply = client.ask("TRACK envid secret")
        reply.status, reply.tokens, reply.text, reply.raw
        reply.body                          dots taken away, CRLF kept
    parts = read_answer(reply.body)         checked against RFC 3886
    parts[0].envid, .mta, .arrival, .recipients[0]["Action"]
"""

import base64
import dataclasses
import email
import email.policy
import email.utils
import re
import socket
import ssl

LINE_MAX = 998
STATUS = re.compile(r"(\+OK\+|\+OK|-TEMP|-ERR|-BAD)((?:/[A-Za-z0-9_-]+)*)"
                    r"(?:[ \t]+([\t\x20-\x7e]*))?\Z")

MESSAGE_FIELDS = ["Original-Envelope-Id", "Reporting-MTA", "Arrival-Date"]
RECIPIENT_FIELDS = ["Original-Recipient", "Final-Recipient", "Action",
                    "Status", "Remote-MTA", "Last-Attempt-Date",
                    "Will-Retry-Until"]
REQUIRED = set(RECIPIENT_FIELDS[:4])
ACTIONS = {"failed", "delayed", "delivered", "expanded", "relayed",
           "transferred", "opaque"}


class Gone(Exception):
    """The server closed the connection."""


def b64(octets):
    return base64.b64encode(octets).decode()


@dataclasses.dataclass
class Reply:
    raw: bytes
    status: str
    tokens: list
    text: str
    body: bytes = b""

    @property
    def lines(self):
        """The body's lines, without their ends."""
        return self.body.decode().splitlines()

    @property
    def options(self):
        """Of a greeting: {option: parameters}, in upper case."""
        return {line.split()[0].upper(): line.upper().split()[1:]
                for line in self.lines}


class Mtqp:
    """One session.  What goes wrong with the form is an AssertionError, an
    end where none was due is Gone."""

    def __init__(self, port, host="127.0.0.1", timeout=30, source=None,
                 greet=True):
        self.sock = socket.create_connection(
            (host, port), timeout,
            source_address=(source, 0) if source else None)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.cut = False	# it ended without TLS's own end
        self.transcript = []
        self.greeting = self.reply() if greet else None

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.close()

    def close(self):
        self.sock.close()

    # Octets

    def send(self, data):
        """Octets as they are."""
        self.transcript += [("C", line) for line in
                            data.decode("latin-1").split("\r\n") if line]
        self.sock.sendall(data)

    def fill(self):
        try:
            data = self.sock.recv(65536)
        except (ConnectionError, ssl.SSLEOFError) as end:
            self.cut = True
            raise Gone(repr(self.buffer)) from end
        if not data:
            raise Gone(repr(self.buffer))
        self.buffer += data

    def line(self):
        """One line with its CRLF."""
        while b"\n" not in self.buffer:
            self.fill()
        line, _, self.buffer = self.buffer.partition(b"\n")
        assert line.endswith(b"\r"), line
        line = line[:-1]
        assert len(line) <= LINE_MAX, len(line)
        assert b"\r" not in line and b"\0" not in line
        self.transcript.append(("S", line.decode("latin-1")))
        return line

    def reply(self):
        first = self.line()
        match = STATUS.match(first.decode("ascii"))
        assert match, first
        raw, body = first + b"\r\n", b""
        while match[1] == "+OK+":
            line = self.line()
            raw += line + b"\r\n"
            if line == b".":
                break
            assert not line.startswith(b".") or line.startswith(b".."), line
            body += line.removeprefix(b".") + b"\r\n"
        return Reply(raw, match[1], match[2].split("/")[1:], match[3] or "",
                     body)

    def closed(self):
        """Wait for the end; what still came before it."""
        try:
            while True:
                self.fill()
        except Gone:
            rest, self.buffer = self.buffer, b""
            return rest

    # Commands

    def say(self, *lines):
        """Lines in one write."""
        self.send("".join(f"{line}\r\n" for line in lines).encode("latin-1"))

    def ask(self, *lines):
        """Lines in one write; the reply, or the replies to several."""
        self.say(*lines)
        replies = [self.reply() for _ in lines]
        return replies[0] if len(lines) == 1 else replies

    def track(self, envid, secret):
        return self.ask(f"TRACK {envid} {secret}")

    def secure(self, context, name):
        """The handshake, and the fresh greeting that nobody asked for."""
        assert self.buffer == b""
        self.sock = context.wrap_socket(self.sock, server_hostname=name,
                                        suppress_ragged_eofs=False)
        self.transcript.append(("-", "TLS"))
        self.greeting = self.reply()
        return self.greeting

    def starttls(self, name, context):
        reply = self.ask(f"STARTTLS {name}")
        assert (reply.status, reply.tokens) == ("+OK", []), reply.raw
        return self.secure(context, name)

    def quit(self):
        reply = self.ask("QUIT")
        rest = self.closed()
        self.close()
        assert (rest, self.cut) == (b"", False)
        return reply


# Answers (RFC 3886)


@dataclasses.dataclass
class Part:
    envid: str
    mta: str
    arrival: object
    recipients: list


def blocks_of(part):
    """A tracking-status as lists of (name, value), block by block."""
    inner = part.get_payload()
    inner = inner[0] if isinstance(inner, list) else inner
    yield list(inner.items())
    for block in inner.get_payload().split("\n\n"):
        if block.strip():
            yield list(email.message_from_string(block).items())


def check_order(names, order):
    known = [name for name in names if name in order]
    assert known == [name for name in order if name in known]
    assert all(name in order or name.startswith("X-") for name in names)


def check_dates(fields):
    for name, value in fields:
        if name.endswith("-Date") or name == "Will-Retry-Until":
            when = email.utils.parsedate_to_datetime(value)
            assert when.utcoffset() is not None


def check_recipient(fields):
    names = [name for name, _ in fields]
    values = dict(fields)
    assert REQUIRED <= set(names)
    check_order(names, RECIPIENT_FIELDS)
    check_dates(fields)
    action = values["Action"]
    assert action in ACTIONS
    status = re.match(r"[245]\.\d{1,3}\.\d{1,3}( \(|$)", values["Status"])
    assert status
    assert values["Status"].startswith("2.1.9") == (action == "relayed")
    for name in REQUIRED - {"Action", "Status"}:
        assert re.match(r"(rfc822|utf-8);\s", values[name])
    if "Remote-MTA" in values:
        assert re.match(r"dns;\s\S", values["Remote-MTA"])
        assert "Last-Attempt-Date" in values
    if action not in ("delayed", "opaque"):
        assert "Last-Attempt-Date" in values
    if action != "delayed":
        assert "Will-Retry-Until" not in values


def read_answer(body):
    """An answer's parts, each rule of RFC 3886 section 3 checked."""
    text = body if isinstance(body, str) else \
        body.decode("ascii").replace("\r\n", "\n")
    assert text.isascii()
    assert all(len(line) <= LINE_MAX for line in text.splitlines())
    answer = email.message_from_string(text)
    assert answer.get_content_type() == "multipart/related"
    assert answer.get_param("type") == "message/tracking-status"
    assert answer.get_content_charset() is None
    assert not answer.defects
    parts = answer.get_payload()
    assert parts and isinstance(parts, list)
    return [read_part(part) for part in parts]


def read_part(part):
    assert part.get_content_type() == "message/tracking-status"
    assert not part.defects
    message, *recipients = blocks_of(part)
    assert [name for name, _ in message] == MESSAGE_FIELDS
    check_dates(message)
    assert recipients
    for fields in recipients:
        check_recipient(fields)
    envid, mta, arrival = (value for _, value in message)
    assert re.match(r"dns;\s\S", mta)
    return Part(envid, mta.partition("; ")[2],
                email.utils.parsedate_to_datetime(arrival),
                [dict(fields) for fields in recipients])


# Transcripts

DATE = re.compile(r"[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{4} "
                  r"\d\d:\d\d:\d\d [+-]\d{4}|"
                  r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def transcript_text(transcript, **names):
    """A transcript for a golden file: each value among names is replaced by
    its name in <>, and so is every date; lines are unfolded for that."""
    text = "".join(f"{who}: {line}".rstrip() + "\n"
                   for who, line in transcript)
    text = re.sub(r"\nS: [ \t]+", " ", text)
    for name, value in names.items():
        text = text.replace(value, f"<{name}>")
    text = re.sub(r"queued as [^\s)]+", "queued as <queue>", text)
    return DATE.sub("<date>", text)

"""The golden answers of the tracking server, read by Python's email: what a
parser that shares no code with ours makes of them (RFC 3886, RFC 3887)."""

import email
import email.utils
import pathlib
import re

import pytest

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden" / "mtqp"
MESSAGE_FIELDS = ["Original-Envelope-Id", "Reporting-MTA", "Arrival-Date"]
RECIPIENT_FIELDS = ["Original-Recipient", "Final-Recipient", "Action",
                    "Status", "Remote-MTA", "Last-Attempt-Date",
                    "Will-Retry-Until"]
REQUIRED = set(RECIPIENT_FIELDS[:4])
ACTIONS = {"failed", "delayed", "delivered", "expanded", "relayed",
           "transferred", "opaque"}


def report_files():
    return sorted(GOLDEN.glob("report-*.txt"))


def bodies_of(transcript):
    """The multi-line answers of a transcript, dots taken away again."""
    body = None
    for line in transcript.read_text().splitlines():
        if not line.startswith("S:"):
            continue
        line = line[3:]
        if body is None:
            if line.startswith("+OK+") and "/MTQP" not in line:
                body = []
        elif line == ".":
            yield "\n".join(body) + "\n"
            body = None
        else:
            body.append(line[1:] if line.startswith(".") else line)
    assert body is None, f"{transcript}: an answer without its end"


def answers():
    for path in report_files():
        yield pytest.param(path.read_text(), id=path.stem)
    for path in sorted(GOLDEN.glob("session-*.txt")):
        for number, body in enumerate(bodies_of(path)):
            yield pytest.param(body, id=f"{path.stem}-{number}")


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


@pytest.mark.parametrize("text", answers())
def test_email_parses_every_golden_answer(text):
    assert text.isascii()
    assert all(len(line) <= 998 for line in text.splitlines())
    answer = email.message_from_string(text)
    assert answer.get_content_type() == "multipart/related"
    assert answer.get_param("type") == "message/tracking-status"
    assert answer.get_content_charset() is None
    assert not answer.defects
    parts = answer.get_payload()
    assert parts
    for part in parts:
        assert part.get_content_type() == "message/tracking-status"
        assert not part.defects
        message, *recipients = blocks_of(part)
        assert [name for name, _ in message] == MESSAGE_FIELDS
        check_dates(message)
        assert recipients
        for fields in recipients:
            check_recipient(fields)


def test_there_are_golden_answers():
    assert len(report_files()) >= 10
    bodies = [body for path in GOLDEN.glob("session-*.txt")
              for body in bodies_of(path)]
    assert len(bodies) >= 2

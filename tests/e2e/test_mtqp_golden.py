"""The golden answers of the tracking server, read by Python's email: what a
parser that shares no code with ours makes of them (RFC 3886, RFC 3887)."""

import pathlib

import pytest

from mtqp_client import read_answer

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden" / "mtqp"


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


@pytest.mark.parametrize("text", answers())
def test_email_parses_every_golden_answer(text):
    read_answer(text)


def test_there_are_golden_answers():
    assert len(report_files()) >= 10
    bodies = [body for path in GOLDEN.glob("session-*.txt")
              for body in bodies_of(path)]
    assert len(bodies) >= 2

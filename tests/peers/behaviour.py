"""How a scripted MSA (mis)behaves, read again at each connection, and the
record it keeps of every session.

A behaviour is a JSON object; every member may be left out.  A STAGE is a
verb in upper case, "banner" for the greeting, or "." for the terminator.

  capabilities  the EHLO lines after the host name
  replies       {STAGE: REPLY or [REPLY, ...]}: said instead of the usual
                one; of a list each is used once and the last for ever; null
                is the usual one.  A REPLY is a string, whose lines are
                separated by \\n; CRLF is added to each
  delay         {STAGE: seconds} before the reply
  close         [STAGE, ...] where the connection ends without a reply
  close_after   [STAGE, ...] where it ends after the reply
  silent        [STAGE, ...] that are never answered
  pieces        {STAGE: octets} a write: the reply leaves in small pieces
  queue_id      said in the reply to the terminator
"""

import asyncio
import json
import pathlib
import time


class Behaviour:
    """One connection's view of the behaviour file."""

    used = {}		# how often each stage was answered, all connections

    def __init__(self, path, defaults=None):
        values = dict(defaults or {})
        if path and pathlib.Path(path).exists():
            values.update(json.loads(pathlib.Path(path).read_text()))
        self.values = values

    def get(self, name, default=None):
        return self.values.get(name, default)

    def marked(self, name, stage):
        return stage in self.get(name, ())

    def reply(self, stage):
        """The scripted reply for a stage, or None for the usual one."""
        wanted = self.get("replies", {}).get(stage)
        if not isinstance(wanted, list):
            return wanted
        count = Behaviour.used.get(stage, 0)
        Behaviour.used[stage] = count + 1
        return wanted[min(count, len(wanted) - 1)] if wanted else None

    async def pause(self, stage):
        """The delay; and silence, which has no end but the peer's."""
        await asyncio.sleep(self.get("delay", {}).get(stage, 0))
        if self.marked("silent", stage):
            await asyncio.sleep(86400)

    async def write(self, writer, stage, data):
        size = self.get("pieces", {}).get(stage)
        for start in range(0, len(data), size or len(data) or 1):
            writer.write(data[start:start + (size or len(data))])
            await writer.drain()
            if size:
                await asyncio.sleep(0.002)


def reply_octets(text):
    """A reply as it goes over the wire."""
    return b"".join(line.encode("utf-8") + b"\r\n"
                    for line in text.split("\n"))


class Recorder:
    """Appends events as JSON lines; each names its session and its time."""

    def __init__(self, path):
        self.file = open(path, "a+", encoding="utf-8", buffering=1)
        # After a restart the sessions go on from where they were.
        self.file.seek(0)
        self.sessions = sum('"event": "open"' in line for line in self.file)

    def session(self):
        self.sessions += 1
        return self.sessions

    def write(self, session, event, **more):
        self.file.write(json.dumps(
            {"session": session, "event": event, "t": time.time(), **more})
            + "\n")


class Tap:
    """Knows in which read() each consumed octet arrived."""

    def __init__(self, recorder, session):
        self.recorder = recorder
        self.session = session
        self.ends = []		# stream offset after each read
        self.taken = 0

    def received(self, data):
        self.ends.append((self.ends[-1] if self.ends else 0) + len(data))
        self.recorder.write(self.session, "read", read=len(self.ends),
                            octets=len(data))

    def consumed(self, data):
        """The number of the read in which data began and ended."""
        begin, self.taken = self.taken, self.taken + len(data)
        return self.read_of(begin), self.read_of(self.taken - 1)

    def read_of(self, offset):
        for number, end in enumerate(self.ends, 1):
            if offset < end:
                return number
        return len(self.ends)

    def pending(self):
        return bool(self.ends) and self.ends[-1] > self.taken

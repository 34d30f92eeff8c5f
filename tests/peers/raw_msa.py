"""A scripted MSA on bare streams: it believes everything, says what it is
told to say (see behaviour.py) and records each octet it was sent.

Run as  python3 -m peers.raw_msa --port N --record FILE  from tests/.
"""

import argparse
import asyncio
import base64
import ssl

from .behaviour import Behaviour, Recorder, Tap, reply_octets

CAPABILITIES = ["PIPELINING", "SIZE 209715200", "8BITMIME", "DSN",
                "ENHANCEDSTATUSCODES", "SMTPUTF8"]
USUAL = {"banner": "220 raw.example.test ESMTP", "HELO": "250 raw",
         "QUIT": "221 2.0.0 Bye", "DATA": "354 Go on",
         "STARTTLS": "220 2.0.0 Go on", "XCLIENT": "220 raw ESMTP"}


class Closed(Exception):
    """The behaviour ends the connection here."""


class Session:
    """One connection."""

    def __init__(self, options, recorder, reader, writer):
        self.reader, self.writer = reader, writer
        self.recorder = recorder
        self.number = recorder.session()
        self.behaviour = Behaviour(options.behaviour,
                                   {"capabilities": CAPABILITIES})
        self.tap = Tap(recorder, self.number)
        self.buffer = b""
        self.options = options
        self.store = not options.discard

    async def fill(self):
        data = await self.reader.read(1 << 16)
        if not data:
            raise Closed
        self.tap.received(data)
        self.buffer += data

    async def line(self):
        while b"\n" not in self.buffer:
            await self.fill()
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line + b"\n"

    async def answer(self, stage, usual=None):
        """Say what the behaviour wants here; returns what was said."""
        await self.behaviour.pause(stage)
        if self.behaviour.marked("close", stage):
            raise Closed
        text = self.behaviour.reply(stage) or usual or \
            USUAL.get(stage, "250 2.0.0 Ok")
        await self.behaviour.write(self.writer, stage, reply_octets(text))
        if self.behaviour.marked("close_after", stage):
            raise Closed
        return text

    async def message(self):
        """Until CRLF.CRLF and nothing else; as it came, dots and all."""
        kept, size, last = [], 0, b"\r\n"
        while True:
            window = last + self.buffer
            end = window.find(b"\r\n.\r\n")
            if end >= 0:
                taken = window[len(last):end + 2]
                rest = window[end + 5:]
                self.tap.consumed(self.buffer[:len(self.buffer) - len(rest)])
                self.buffer = rest
            else:
                # The terminator may lie across two reads.
                taken = self.buffer[:-4] if len(self.buffer) > 4 else b""
                self.buffer = self.buffer[len(taken):]
                if taken:
                    self.tap.consumed(taken)
            size += len(taken)
            if self.store:
                kept.append(taken)
            if end >= 0:
                return b"".join(kept), size
            last = (last + taken)[-4:]
            try:
                await self.fill()
            except Closed:
                self.recorder.write(self.number, "cut", size=size,
                                    tail=(last + self.buffer)[-8:].decode(
                                        "latin-1"))
                raise

    async def command(self, line):
        words = line.split(None, 1)
        verb = words[0].decode("latin-1").upper() if words else ""
        read, _ = self.tap.consumed(line)
        self.recorder.write(self.number, "command", read=read,
                            line=line.rstrip(b"\r\n").decode("latin-1"))
        usual = None
        if verb == "EHLO":
            lines = ["raw.example.test", *self.behaviour.get("capabilities")]
            usual = "\n".join([f"250-{word}" for word in lines[:-1]] +
                              [f"250 {lines[-1]}"])
        said = await self.answer(verb, usual)
        if verb == "QUIT":
            raise Closed
        if verb == "STARTTLS" and said.startswith("220"):
            await self.writer.start_tls(self.options.context)
        if verb == "DATA" and said.startswith("354"):
            await self.take_message()

    async def take_message(self):
        data, size = await self.message()
        queue_id = self.behaviour.get("queue_id") or f"R{self.number:06d}"
        self.recorder.write(self.number, "message", size=size,
                            data=base64.b64encode(data).decode())
        await self.answer(".", f"250 2.0.0 Ok: queued as {queue_id}")

    async def run(self):
        self.recorder.write(self.number, "open")
        error = None
        try:
            await self.answer("banner")
            while True:
                await self.command(await self.line())
        except Closed:
            pass
        except (ConnectionError, ssl.SSLError) as failure:
            error = str(failure)
        unfinished = self.buffer[:4096].decode("latin-1") or None
        self.recorder.write(self.number, "close", error=error,
                            unfinished=unfinished)
        self.writer.close()


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--record", required=True)
    parser.add_argument("--behaviour", help="JSON file, see behaviour.py")
    parser.add_argument("--discard", action="store_true",
                        help="do not record messages, only their size")
    parser.add_argument("--tls", choices=("none", "starttls", "implicit"),
                        default="none")
    parser.add_argument("--cert")
    parser.add_argument("--key")
    options = parser.parse_args()
    options.context = None
    if options.cert:
        options.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        options.context.load_cert_chain(options.cert, options.key)
    recorder = Recorder(options.record)
    outer = options.context if options.tls == "implicit" else None
    server = await asyncio.start_server(
        lambda reader, writer: Session(options, recorder, reader,
                                       writer).run(),
        options.host, options.port, ssl=outer, backlog=1024)
    recorder.write(0, "ready")
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())

"""An MSA on aiosmtpd that advertises MTRK, refuses whatever the RFCs do not
allow, and records every session (RFC 3885, 3461).

Run as  python3 -m peers.strict_hop --port N --record FILE  from tests/.
"""

import argparse
import asyncio
import base64
import re
import ssl
import sys

from aiosmtpd.smtp import SMTP

from .behaviour import Behaviour, Recorder, Tap, reply_octets
from .strict import Refused, Rules, is_xtext

CAPABILITIES = ["PIPELINING", "SIZE 209715200", "8BITMIME", "SMTPUTF8",
                "ENHANCEDSTATUSCODES", "DSN", "MTRK"]
LAST_IN_GROUP = ("EHLO", "HELO", "DATA", "QUIT", "STARTTLS", "XCLIENT")
XCLIENT_NAMES = ("NAME", "ADDR", "PORT", "PROTO", "HELO", "LOGIN",
                 "DESTADDR", "DESTPORT")


class Handler:
    """aiosmtpd's view of what becomes of a message."""

    async def handle_DATA(self, server, session, envelope):
        return await server.take_message(envelope)


class Hop(SMTP):
    """One connection."""

    line_length_limit = 1 << 16
    command_size_limit = 1 << 16

    def __init__(self, options, recorder, tls=None):
        self.command_size_limits.default_factory = lambda: 1 << 16
        super().__init__(Handler(), data_size_limit=None,
                         enable_SMTPUTF8=True, hostname="hop.example.test",
                         ident="ESMTP strict", tls_context=tls,
                         loop=asyncio.get_running_loop())
        self.options = options
        self.recorder = recorder
        self.number = None
        self.go_ahead = None
        self.mail_parameters = {}
        self.recipients = []
        self.stage = "banner"
        for verb, method in list(self._smtp_methods.items()):
            self._smtp_methods[verb] = self.scripted(verb, method)

    def connection_made(self, transport):
        if self.number is None:
            self.number = self.recorder.session()
            self.behaviour = Behaviour(self.options.behaviour, {
                "capabilities": self.options.capabilities})
            self.recorder.write(self.number, "open")
        self.tap = Tap(self.recorder, self.number)
        super().connection_made(transport)
        self.tap_reader(self._reader)

    def tap_reader(self, reader):
        """Note what aiosmtpd takes from its stream, and in which read."""
        readuntil = reader.readuntil

        async def noted(separator=b"\n"):
            line = await readuntil(separator)
            reads = self.tap.consumed(line)
            if separator == b"\n":
                self.note_command(line, reads)
            return line

        reader.readuntil = noted

    def data_received(self, data):
        self.tap.received(data)
        super().data_received(data)

    def connection_lost(self, error):
        self.recorder.write(self.number, "close",
                            error=str(error) if error else None)
        super().connection_lost(error)

    def note_command(self, line, reads):
        text = line.decode("utf-8", "surrogateescape")
        first = reads[0] if reads[0] == reads[1] else list(reads)
        self.recorder.write(self.number, "command", read=first,
                            line=text.rstrip("\r\n").encode(
                                "utf-8", "backslashreplace").decode())
        self.line = line
        if not line.endswith(b"\r\n"):
            self.violation("a command ends with a bare LF")
        verb = text.split()[0].upper() if text.split() else ""
        offered = {word.split()[0].upper() for word in
                   self.behaviour.get("capabilities") if word}
        if self.tap.pending() and (verb in LAST_IN_GROUP or
                                   "PIPELINING" not in offered):
            self.violation(f"pipelined after {verb}")

    def violation(self, why):
        self.recorder.write(self.number, "violation", why=why)

    def scripted(self, verb, method):
        """The verb's handler, unless the behaviour has other plans."""
        async def handler(argument):
            self.stage = verb
            await self.behaviour.pause(verb)
            if self.behaviour.marked("close", verb):
                self.hang_up()
                return
            reply = self.behaviour.reply(verb)
            if reply is None or reply.startswith("354"):
                self.go_ahead = reply
                await method(argument)
            else:
                await self.push(reply)
            if self.behaviour.marked("close_after", verb):
                self.hang_up()
        return handler

    def hang_up(self):
        if self.transport is not None:
            self.transport.close()

    async def push(self, status):
        if isinstance(status, bytes):
            status = status.decode()
        stage, text = self.stage, status
        if stage == "banner":
            text = self.behaviour.reply("banner") or status
            await self.behaviour.pause("banner")
        if stage == "DATA" and status.startswith("354"):
            text = self.go_ahead or status
        if "\n" in text or self.behaviour.get("pieces"):
            await self.behaviour.write(self._writer, stage,
                                       reply_octets(text))
        else:
            await super().push(text)

    async def smtp_EHLO(self, hostname):
        if not hostname:
            await self.push("501 5.5.4 EHLO needs a name")
            return
        self.forget()
        self.session.extended_smtp = True
        self.session.host_name = hostname
        words = list(self.behaviour.get("capabilities"))
        if self.tls_context and not self._tls_protocol:
            words.append("STARTTLS")
        lines = [self.hostname, *words]
        await self.push("\n".join(
            [f"250-{line}" for line in lines[:-1]] + [f"250 {lines[-1]}"]))

    def forget(self):
        self._set_rset_state()
        self.mail_parameters = {}
        self.recipients = []

    async def smtp_RSET(self, arg):
        self.forget()
        await self.push("250 2.0.0 Ok")

    def rules(self):
        return Rules(self.behaviour.get("capabilities"),
                     not self.options.orcpt_optional)

    async def smtp_MAIL(self, arg):
        if await self.check_helo_needed("EHLO"):
            return
        if self.envelope.mail_from is not None:
            self.violation("nested MAIL")
            await self.push("503 5.5.1 Nested MAIL")
            return
        try:
            rules = self.rules()
            rules.check_line(self.line)
            path, self.mail_parameters = rules.mail(arg)
        except Refused as refused:
            self.violation(str(refused))
            await self.push(refused.reply)
            return
        self.envelope.mail_from = path
        await self.push("250 2.1.0 Ok")

    async def smtp_RCPT(self, arg):
        if self.envelope.mail_from is None:
            await self.push("503 5.5.1 MAIL first")
            return
        try:
            rules = self.rules()
            rules.check_line(self.line)
            path, parameters = rules.rcpt(arg, self.mail_parameters)
        except Refused as refused:
            self.violation(str(refused))
            await self.push(refused.reply)
            return
        if path.startswith("<unknown"):
            await self.push(f"550 5.1.1 {path}: user unknown")
            return
        self.envelope.rcpt_tos.append(path)
        self.recipients.append({"path": path, "parameters": parameters})
        await self.push("250 2.1.5 Ok")

    async def smtp_XCLIENT(self, arg):
        names = self.offered_attributes("XCLIENT")
        if not names:
            self.violation("XCLIENT was not offered")
            await self.push("550 5.7.0 insufficient authorization")
            return
        words = (arg or "").split(" ")
        bad = [word for word in words
               if word.partition("=")[0].upper() not in names or
               not is_xtext(word.partition("=")[2])]
        if bad or len(self.line) > 512 or self.envelope.mail_from is not None:
            self.violation(f"XCLIENT {bad or len(self.line)}")
            await self.push("501 5.5.4 Bad XCLIENT")
            return
        self.forget()
        self.session.host_name = None
        await self.push(f"220 {self.hostname} ESMTP strict")

    async def smtp_XFORWARD(self, arg):
        names = self.offered_attributes("XFORWARD")
        bad = [word for word in (arg or "").split(" ")
               if word.partition("=")[0].upper() not in names]
        if bad:
            self.violation(f"XFORWARD {bad}")
        await self.push("501 5.5.4 Bad XFORWARD" if bad else "250 2.0.0 Ok")

    def offered_attributes(self, verb):
        for line in self.behaviour.get("capabilities"):
            if line.upper().startswith(verb):
                return line.upper().split()[1:] or XCLIENT_NAMES
        return ()

    async def take_message(self, envelope):
        """The terminator is here: record, then answer as scripted."""
        self.stage = "."
        content = envelope.original_content
        if re.search(rb"\r(?!\n)|(?<!\r)\n", content):
            self.violation("bare CR or LF in the message")
        queue_id = self.behaviour.get("queue_id") or \
            f"Q{self.number:04d}{self.recorder.sessions:04d}"
        reply = self.behaviour.reply(".") or \
            f"250 2.0.0 Ok: queued as {queue_id}"
        self.recorder.write(
            self.number, "message", mail=envelope.mail_from,
            parameters=self.mail_parameters, recipients=self.recipients,
            data=base64.b64encode(content).decode(), reply=reply,
            taken=reply.startswith("2"))
        self.mail_parameters, self.recipients = {}, []
        await self.behaviour.pause(".")
        if self.behaviour.marked("close", "."):
            self.transport.abort()
            raise ConnectionResetError
        if self.behaviour.marked("close_after", "."):
            asyncio.get_running_loop().call_later(0.05, self.hang_up)
        return reply


def tls_context(options):
    if not options.cert:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(options.cert, options.key)
    if options.client_ca:
        context.load_verify_locations(options.client_ca)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--record", required=True)
    parser.add_argument("--behaviour", help="JSON file, see behaviour.py")
    parser.add_argument("--with", dest="extra", action="append", default=[],
                        metavar="CAPABILITY")
    parser.add_argument("--without", action="append", default=[],
                        metavar="CAPABILITY")
    parser.add_argument("--orcpt-optional", action="store_true")
    parser.add_argument("--tls", choices=("none", "starttls", "implicit"),
                        default="none")
    parser.add_argument("--cert")
    parser.add_argument("--key")
    parser.add_argument("--client-ca")
    options = parser.parse_args()
    without = {word.upper() for word in options.without}
    options.capabilities = [
        line for line in CAPABILITIES + options.extra
        if line.split()[0].upper() not in without]
    return options


async def main():
    options = parse_options()
    recorder = Recorder(options.record)
    tls = tls_context(options)
    if options.tls != "none" and tls is None:
        sys.exit("strict_hop: --tls needs --cert and --key")
    inner = tls if options.tls == "starttls" else None
    outer = tls if options.tls == "implicit" else None
    server = await asyncio.get_running_loop().create_server(
        lambda: Hop(options, recorder, inner), options.host, options.port,
        ssl=outer, backlog=1024)
    recorder.write(0, "ready")
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())

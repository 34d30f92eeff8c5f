"""An MTRK hop that passes mail on to the next submission server, where it
logs in as a user: ENVID and ORCPT as they came, MTRK with its timeout less
what the message spent here (RFC 3885 3.1).  It answers the end of a message
with what the next server said to it.

Run as  python3 -m peers.relay_hop --port N --record FILE --name HOST
--next HOST:PORT --ca FILE --user NAME --password-file FILE  from tests/.
"""

import argparse
import asyncio
import pathlib
import smtplib
import ssl
import sys

from .behaviour import Recorder
from .hops import Hop as HopPeer
from .strict_hop import CAPABILITIES, Hop

SPENT = 7		# seconds that a message counts as having been here


def decremented(mtrk):
    """MTRK's value for the next hop, or None where its time is over."""
    certifier, colon, seconds = mtrk.partition(":")
    if not colon:
        return certifier
    left = int(seconds) - SPENT
    return f"{certifier}:{left}" if left > 0 else None


def mail_words(parameters):
    words = []
    if parameters.get("ENVID"):
        words.append(f"ENVID={parameters['ENVID']}")
    mtrk = decremented(parameters["MTRK"]) if parameters.get("MTRK") else None
    if mtrk:
        words.append(f"MTRK={mtrk}")
    return words


def rcpt_words(parameters):
    return [f"{name}={parameters[name]}" for name in ("ORCPT", "NOTIFY")
            if parameters.get(name)]


def pass_on(options, mail, parameters, recipients, content):
    """Submit to the next server; its last reply."""
    host, _, port = options.next.rpartition(":")
    context = ssl.create_default_context(cafile=options.ca)
    with smtplib.SMTP(host, int(port), options.name, timeout=30) as client:
        client.starttls(context=context)
        client.ehlo()
        client.login(options.user, options.password)
        code, text = client.mail(mail.strip("<>"), mail_words(parameters))
        for one in recipients:
            if code == 250:
                code, text = client.rcpt(one["path"].strip("<>"),
                                         rcpt_words(one["parameters"]))
        if code == 250:
            code, text = client.data(content)
    return f"{code} {text.decode(errors='replace')}"


class Relay(Hop):
    def __init__(self, options, recorder):
        super().__init__(options, recorder)
        self.hostname = options.name

    async def take_message(self, envelope):
        arguments = (self.options, envelope.mail_from, self.mail_parameters,
                     self.recipients, envelope.original_content)
        own = await super().take_message(envelope)
        if not own.startswith("250"):
            return own
        try:
            said = await asyncio.get_running_loop().run_in_executor(
                None, pass_on, *arguments)
        except (OSError, smtplib.SMTPException) as problem:
            said = f"451 4.4.1 {problem}"
        self.recorder.write(self.number, "passed", reply=said)
        return own if said.startswith("250") else said.replace("\n", " ")


class RelayHop(HopPeer):
    """The hop as a peer: RelayHop(directory, name, waybill, user)."""

    name = "RelayHop"
    module = "relay_hop"

    def __init__(self, directory, name, waybill, user="alice", **more):
        self.waybill = waybill
        self.hop_name = name
        self.user = user
        super().__init__(directory, **more)

    def prepare(self):
        super().prepare()
        password = self.dir / "password"
        password.write_text(self.waybill.users[self.user])
        self.options += [
            "--name", self.hop_name, "--ca", self.waybill.authority.ca,
            "--next", self.waybill.address, "--user", self.user,
            "--password-file", password]


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    for name in ("port", "record", "name", "next", "ca", "user"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--password-file", required=True, type=pathlib.Path)
    parser.add_argument("--behaviour")
    options = parser.parse_args()
    options.password = options.password_file.read_text()
    options.capabilities = CAPABILITIES
    options.orcpt_optional = False
    return options


async def main():
    options = parse_options()
    recorder = Recorder(options.record)
    server = await asyncio.get_running_loop().create_server(
        lambda: Relay(options, recorder), options.host, int(options.port))
    recorder.write(0, "ready")
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

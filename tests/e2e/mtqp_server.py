"""A Waybill with a tracking server, and what that answers: for the tests of
what its clients see."""

import pytest

from mtqp_client import Mtqp, b64
from peers import StrictHop
from waybill import HOSTNAME, Waybill

CLEAR = f"+OK+/MTQP {HOSTNAME} ready\r\nSTARTTLS required\r\n.\r\n".encode()
OFFERED = f"+OK+/MTQP {HOSTNAME} ready\r\nSTARTTLS\r\n.\r\n".encode()
SECURED = f"+OK/MTQP {HOSTNAME} ready\r\n".encode()
OK = b"+OK\r\n"
BYE = b"+OK goodbye\r\n"
NOINFO = b"-ERR/noinfo nothing is known of it\r\n"
NOT_NOW = b"-TEMP/unavailable try again later\r\n"
WANTS = b"-BAD TRACK wants an envelope id and a secret\r\n"
NO_COMMAND = b"-BAD no such command\r\n"
BAD_ENVID = b"-BAD the envelope id is malformed\r\n"
BAD_SECRET = b"-BAD the secret is not base64\r\n"
BAD_LENGTH = b"-BAD a secret has 16 to 128 octets\r\n"
BAD_OCTETS = b"-BAD a command is printable ASCII\r\n"
TOO_LONG = b"-BAD a line has at most 998 octets\r\n"
MANY = {"bad_commands": 100000, "commands": 100000, "refused": 10000}
SECRET = b64(bytes(range(16)))
PLAIN = ("--without", "MTRK")


class Server:
    """A Waybill whose tracking server is asked, and the hop behind it."""

    def __init__(self, waybill, hop):
        self.waybill, self.hop = waybill, hop
        self.port = waybill.ports["track"]
        self.number = 0

    def connect(self, **more):
        return Mtqp(self.port, **more)

    def secure(self, name=HOSTNAME, **more):
        client = self.connect(**more)
        client.starttls(name, self.waybill.context())
        return client

    def send(self, to="bob@example.test", mail=(), **more):
        self.number += 1
        before = len(self.hop.messages())
        self.waybill.submit(
            "alice", to, f"Message-ID: <{self.number}@x.test>\r\n\r\nhi\r\n",
            mail=mail, **more)
        self.hop.wait_messages(before + 1)

    def submit(self, to="bob@example.test", mail=(), **more):
        """A message; its ENVID and the secret that its user may fetch."""
        self.send(to, mail, **more)
        token = self.waybill.cli("token", f"<{self.number}@x.test>")
        return token["envid"], token["secret"]

    def tracker(self):
        return self.waybill.children("track")[0]


@pytest.fixture(scope="module", name="plain")
def fixture_plain(module_space, authority):
    """In front of an MSA that knows no MTRK: messages stay queued, as far as
    is known."""
    with StrictHop(module_space / "plain", *PLAIN) as hop, Waybill(
            module_space / "wbp", hop, authority=authority,
            track=MANY) as waybill:
        yield Server(waybill, hop)
        assert hop.violations() == []


@pytest.fixture(name="start_server")
def fixture_start_server(start_waybill, start_peer, space):
    """start_server(*hop options, **waybill options)"""
    def start(*words, **options):
        hop = start_peer(StrictHop(space / "hop", *words))
        return Server(start_waybill(hop, **{"track": {}, **options}), hop)
    return start

"""A keeper alone, and a client of its proxy's door, for tests.

    with Keeper(directory) as keeper:           starts waybill-keeper
        asker = keeper.connect()                as waybill-proxy would
        minted = asker.mint(keeper.ticket("alice"))
        asker.settle(keeper.record("alice", minted))
        asker.token(keeper.ticket("alice"), minted.envid).secret

Keeper(directory, **options) takes the options that keeper_snapshot_test sets,
and strace=True, which leaves a trace in the directory.  It plays waybilld: the
control channel is descriptor 3, a snapshot, a ticket key and a listening
socket go along.  keeper.kill() is SIGKILL; keeper.start() starts again on the
same vault."""

import base64
import collections
import fcntl
import hashlib
import hmac
import os
import pathlib
import signal
import socket
import struct
import subprocess
import time

from waybill import build_directory

HEAD = struct.Struct(">IHHQ")
MESSAGES = {"CHILD_START": 1, "CHILD_READY": 2, "CHILD_DRAIN": 3,
            "CHILD_STATUS": 4, "CHILD_STATUS_IS": 5, "CHILD_SNAPSHOT": 6,
            "CHILD_SNAPSHOT_IS": 7, "CHILD_ACCEPT_CLOCK": 8,
            "CHILD_ACCEPT_CLOCK_IS": 9,
            "MINT": 60, "MINTED": 61, "DESCRIBE": 62, "SETTLE": 63,
            "SETTLED": 64, "FORGET": 65, "LIST": 66, "LISTED": 67,
            "SHOW": 68, "SHOWN": 69, "TOKEN": 70, "TOKEN_IS": 71,
            "REVOKE": 72, "REVOKED": 73, "SETTLE_AGAIN": 74,
            "SETTLE_NEXT": 75, "EVENTS": 80, "EVENTS_ARE": 81, "STATUS": 82,
            "STATUS_IS": 83}
OK, REFUSED, LIMITED, UNAVAILABLE, NOT_FOUND, NO_SECRET = range(6)
UNKNOWN, ACCEPTED = range(2)
MTRK_SENT, ENVID_SENT, CLIENT_ENVID, CLIENT_MTRK, UNTRACKED = 1, 2, 4, 8, 16
DOORS = PROXY, FEED, TRACKER = "", "-feed", "-tracker"
STORED, UNKNOWN_ID, NOT_NOW, FULL = range(4)
OPAQUE, DELAYED, RELAYED, TRANSFERRED, DELIVERED, EXPANDED, FAILED = range(7)
WAIT = 20.0

Minted = collections.namedtuple("Minted",
                                "status handle envid certifier timeout")
Token = collections.namedtuple("Token",
                               "status revoked envid secret certifier expires")
Row = collections.namedtuple(
    "Row", "envid time message_id recipient recipients subject size outcome")


class Ended(Exception):
    """The keeper ended the channel."""


def octets(data):
    data = data.encode() if isinstance(data, str) else data
    return struct.pack(">I", len(data)) + data


def frame(kind, number, body=b""):
    kind = MESSAGES.get(kind, kind)
    return HEAD.pack(len(body), kind, 0, number) + body


class Reader:
    """A body, read as common/wire.h reads it."""

    def __init__(self, data):
        self.data = data

    def take(self, count):
        assert count <= len(self.data), "the answer is too short"
        part, self.data = self.data[:count], self.data[count:]
        return part

    def number(self, count):
        return int.from_bytes(self.take(count), "big")

    def octets(self):
        return self.take(self.number(4))

    def text(self):
        return self.octets().decode()

    def end(self):
        assert self.data == b"", "the answer is too long"


def read_minted(body):
    r = Reader(body)
    minted = Minted(r.number(1), r.take(16), r.text(), r.text(), r.number(4))
    r.end()
    return minted


def read_token(body):
    r = Reader(body)
    token = Token(r.number(1), r.number(1), r.text(), r.octets(), r.text(),
                  r.number(8))
    r.end()
    return token


def read_rows(body):
    r = Reader(body)
    status, _more, count = r.number(1), r.number(1), r.number(2)
    rows = [Row(r.text(), r.number(8), r.text(), r.text(), r.number(4),
                r.text(), r.number(8), r.number(1)) for _ in range(count)]
    r.end()
    return status, rows


def mint_body(ticket, envid="", certifier=None, untracked=0, timeout=0):
    return (ticket + octets(envid) + bytes([untracked, certifier is not None])
            + (certifier or bytes(20)) + struct.pack(">I", timeout))


def record_body(ticket, minted, message_id="<1@x>", outcome=ACCEPTED,
                flags=MTRK_SENT | ENVID_SENT, envid=None, queue_id="4XyZ"):
    recipients = [("bob@example.org", 250, "Ok"),
                  ("eve@example.org", 250, "Ok")]
    return (ticket + minted.handle + octets(envid or minted.envid)
            + bytes([flags]) + bytes(20) + struct.pack(">I", 0)
            + bytes([outcome])
            + struct.pack(">Q", int(time.time() * 1000))
            + octets("alice@example.com") + octets(message_id)
            + octets("a subject") + struct.pack(">Q", 1234) + octets("main")
            + struct.pack(">H", 250) + octets("2.0.0 Ok: queued as 4XyZ")
            + octets(queue_id) + struct.pack(">I", len(recipients))
            + b"".join(octets(a) + struct.pack(">H", code) + octets(reply)
                       for a, code, reply in recipients))


def skip_record(body):
    """Where what follows a status and a record begins in an answer."""
    r = Reader(body)
    r.take(1 + 16)
    r.octets()
    r.take(1 + 20 + 4 + 1 + 8)
    for _ in range(3):
        r.octets()
    r.take(8)
    r.octets()
    r.take(2)
    for _ in range(2):
        r.octets()
    for _ in range(r.number(4)):
        r.octets()
        r.take(2)
        r.octets()
    return len(body) - len(r.data)


def event_body(when, action=DELIVERED, to="bob@example.org", text="ok"):
    """An event of a recipient, as the log told it; when in ms."""
    return (struct.pack(">QBB", when, 1, action) + octets("2.0.0")
            + octets(to) + octets(to) + octets("mx.example.org")
            + octets("192.0.2.1") + octets(text) + octets("")
            + struct.pack(">Q", 0))


def status_item(queue_id, when, **more):
    return b"\0" + octets(queue_id) + event_body(when, **more)


def join_item(queue_id, other, when):
    return b"\1" + octets(queue_id) + struct.pack(">Q", when) + octets(other)


def end_item(queue_id, when):
    return b"\2" + octets(queue_id) + struct.pack(">Q", when)


def read_history(r):
    """Time, action and text of each event."""
    found = []
    for _ in range(r.number(4)):
        when, _source, action = r.number(8), r.number(1), r.number(1)
        texts = [r.text() for _ in range(7)]
        r.number(8)
        found.append((when, action, texts[5]))
    r.end()
    return found


class Asker:
    """One connection to a door."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(WAIT)
        self.socket.connect(str(path))
        self.buffer = b""
        self.last = 0

    def send(self, kind, body):
        """Ask; returns the question's number."""
        self.last += 1
        self.socket.sendall(frame(kind, self.last, body))
        return self.last

    def read(self):
        """The next frame: type, number, body."""
        while True:
            if len(self.buffer) >= HEAD.size:
                length, kind, _, number = HEAD.unpack_from(self.buffer)
                if len(self.buffer) >= HEAD.size + length:
                    body = self.buffer[HEAD.size:HEAD.size + length]
                    self.buffer = self.buffer[HEAD.size + length:]
                    return kind, number, body
            try:
                data = self.socket.recv(1 << 16)
            except ConnectionError as gone:
                raise Ended from gone
            if not data:
                raise Ended
            self.buffer += data

    def ask(self, kind, body, answer):
        number = self.send(kind, body)
        got, its, body = self.read()
        assert (got, its) == (MESSAGES[answer], number)
        return body

    def mint(self, ticket, **more):
        return read_minted(self.ask("MINT", mint_body(ticket, **more),
                                    "MINTED"))

    def settle(self, record):
        return self.ask("SETTLE", record, "SETTLED")[0]

    def settle_next(self, record):
        """Settle; the mint of the next message."""
        body = self.ask("SETTLE_NEXT", record, "SETTLED")
        assert body[0] == OK
        return read_minted(body[1:])

    def describe(self, record):
        self.send("DESCRIBE", record)

    def forget(self, ticket, minted):
        self.send("FORGET", ticket + minted.handle + b"\0")

    def list(self, ticket, since=0, limit=100, after=""):
        return read_rows(self.ask(
            "LIST", ticket + struct.pack(">QH", since, limit)
            + octets(after), "LISTED"))

    def show(self, ticket, name):
        """The status alone."""
        return self.ask("SHOW", ticket + octets(name) + octets("192.0.2.1"),
                        "SHOWN")[0]

    def token(self, ticket, name):
        return read_token(self.ask(
            "TOKEN", ticket + octets(name) + octets("192.0.2.1"),
            "TOKEN_IS"))

    def history(self, ticket, name):
        """The events that SHOW tells."""
        body = self.ask("SHOW", ticket + octets(name) + octets(""), "SHOWN")
        return read_history(Reader(body[skip_record(body) + 1:]))

    def revoke(self, ticket, name):
        """The status alone."""
        return self.ask("REVOKE", ticket + octets(name)
                        + octets("192.0.2.1"), "REVOKED")[0]

    def feed(self, *items, msa="main"):
        """The result of each item."""
        body = octets(msa) + struct.pack(">H", len(items)) + b"".join(items)
        answer = Reader(self.ask("EVENTS", body, "EVENTS_ARE"))
        results = list(answer.take(answer.number(2)))
        answer.end()
        return results

    def track(self, envid, certifier):
        """The whole body of the answer; its first octet is the status."""
        return self.ask("STATUS", octets(envid) + base64.b64decode(
            certifier + "="), "STATUS_IS")

    def is_ended(self):
        """Does the keeper end this channel without an answer?"""
        try:
            self.read()
        except Ended:
            return True
        return False

    def close(self):
        self.socket.close()


class Keeper:
    def __init__(self, directory, strace=False, **options):
        self.directory = pathlib.Path(directory)
        self.strace = strace
        self.options = {"hostname": "mail.example.com", "min_free": 0,
                        "mints_unfinished": 1000000,
                        "path": self.directory / "vault",
                        "keys": self.directory / "keys", **options}
        self.key = os.urandom(32)
        self.log = self.directory / "log"
        self.process = None
        self.control = None
        self.starts = 0

    def __enter__(self):
        return self.start()

    def __exit__(self, *ignored):
        self.kill()

    def ticket(self, account, session=1, life=3600, key=None):
        account = account.encode()
        expires = int(time.time()) + life
        text = struct.pack(">QQ", session, expires) + account
        mac = hmac.new(key or self.key, text, hashlib.sha256).digest()
        return struct.pack(">QQ", session, expires) + octets(account) + mac

    def record(self, account, minted, **more):
        return record_body(self.ticket(account), minted, **more)

    def snapshot(self):
        """The octets of a snapshot with this keeper's options."""
        file = self.directory / "snapshot"
        subprocess.run(
            [build_directory() / "tests/secrets/keeper_snapshot_test", file,
             *(f"{name}={value}" for name, value in self.options.items())],
            check=True)
        return file.read_bytes()

    @staticmethod
    def memfd(data):
        fd = os.memfd_create("test", os.MFD_ALLOW_SEALING)
        os.write(fd, data)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS,
                    fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW
                    | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL)
        return fd

    def command(self):
        program = [str(build_directory() / "libexec/waybill-keeper")]
        if not self.strace:
            return program
        return ["strace", "-f", "-y", "-xx", "-s", "4096", "-o",
                str(self.directory / "trace"), "-e",
                "trace=fdatasync,fsync,write,writev,sendmsg,sendto,"
                "clock_nanosleep",
                *program]

    def launch(self, theirs):
        """Start the program with its control channel as descriptor 3."""
        shell = ["bash", "-c", 'exec 3<&"$1"; shift; exec "$@"', "-",
                 str(theirs.fileno())]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                shell + self.command(), stderr=log,
                stdin=subprocess.DEVNULL, pass_fds=(theirs.fileno(),))

    @staticmethod
    def open_door(path):
        door = socket.socket(socket.AF_UNIX)
        door.bind(str(path))
        door.listen(128)
        return door

    def start(self):
        ours, theirs = socket.socketpair(socket.AF_UNIX,
                                         socket.SOCK_SEQPACKET)
        self.starts += 1
        self.path = self.directory / f"door{self.starts}"
        doors = {name: self.open_door(self.path.with_name(
            f"{self.path.name}{name}")) for name in DOORS}
        self.launch(theirs)
        theirs.close()
        self.control = ours
        self.control.settimeout(WAIT)
        names = {"snapshot": self.memfd(self.snapshot()),
                 "ticket-key": self.memfd(self.key),
                 **{f"door.keeper.{name}": door.fileno()
                    for name, door in zip(("proxy", "feed", "tracker"),
                                          doors.values())}}
        body = struct.pack(">IIH", 1, 0, len(names)) + b"".join(
            octets(name) for name in names)
        socket.send_fds(ours, [frame("CHILD_START", 0, body)],
                        list(names.values()))
        for name, fd in names.items():
            if not name.startswith("door."):
                os.close(fd)
        for door in doors.values():
            door.close()
        return self.wait_ready()

    def wait_ready(self):
        packet = self.control.recv(65536)
        if not packet:
            self.process.wait(WAIT)
            raise Ended(self.log.read_text())
        assert HEAD.unpack_from(packet)[1] == MESSAGES["CHILD_READY"]
        return self

    def order(self, kind, answer, body=b"", fds=()):
        """An order of waybilld's; the body of its answer."""
        socket.send_fds(self.control, [frame(kind, 7, body)], list(fds))
        packet = self.control.recv(1 << 17)
        assert HEAD.unpack_from(packet)[1] == MESSAGES[answer]
        return packet[HEAD.size:]

    def status(self):
        body = self.order("CHILD_STATUS", "CHILD_STATUS_IS")
        text = Reader(body).text()
        return dict(pair.split("=", 1) for pair in text.split())

    def drain(self, ms=5000):
        """The order to leave; returns the exit status."""
        self.control.send(frame("CHILD_DRAIN", 0, struct.pack(">Q", ms)))
        return self.process.wait(WAIT)

    def connect(self, door=PROXY):
        return Asker(self.path.with_name(f"{self.path.name}{door}"))

    def pid(self):
        """The keeper's own, below strace."""
        if not self.strace:
            return self.process.pid
        children = pathlib.Path(
            f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return int(children.read_text().split()[0])

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            os.kill(self.pid(), signal.SIGKILL)
            self.process.wait(WAIT)
        if self.control is not None:
            self.control.close()

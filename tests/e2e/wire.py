"""A mail client and an MSA that a test drives octet by octet: what is written
together leaves together, and nothing is said that the test did not want.

    client = Wire(waybill, "alice")             logged in, in TLS
    client.send("MAIL FROM:<a@b>", "RCPT TO:<c@d>")     one write
    client.reply()                              (250, "2.1.0 Ok")
    client.ask("RSET")                          both at once

    with HandMsa(script) as msa: ...            script(conn) a connection
"""

import base64
import pathlib
import socket
import threading

from peers.strict import xtext_decode
from waybill import certifier_of

EHLO = "EHLO client.example.test"


def resident(pid):
    """What a process holds in memory (VmRSS), in KiB."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0])


def sanitized(waybill):
    """Is it built with a sanitizer, whose own memory counts, too?"""
    program = waybill.program("libexec/waybill-proxy")
    return b"__asan_init" in program.read_bytes()


class Gone(Exception):
    """The other side closed the connection."""


class Lines:
    """A socket with a buffer, in lines ending in CRLF."""

    def __init__(self, sock):
        self.sock = sock
        self.buffer = b""

    def fill(self):
        try:
            data = self.sock.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            raise Gone(repr(self.buffer))
        self.buffer += data

    def line(self):
        """One line without its end."""
        while b"\n" not in self.buffer:
            self.fill()
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.rstrip(b"\r").decode("utf-8", "surrogateescape")

    def raw(self, data):
        self.sock.sendall(data)

    def send(self, *lines):
        """Lines in one write."""
        self.raw("".join(f"{line}\r\n" for line in lines)
                 .encode("utf-8", "surrogateescape"))

    def closed(self):
        """Wait for the end; what still came before it."""
        try:
            while True:
                self.fill()
        except Gone:
            rest, self.buffer = self.buffer, b""
            return rest

    def close(self):
        self.sock.close()


class Wire(Lines):
    """A client.  user None: greeted and in TLS, but silent so far."""

    def __init__(self, waybill, user="alice", implicit=True, source=None,
                 timeout=30, host="127.0.0.1"):
        port = waybill.ports["submissions" if implicit else "submission"]
        sock = socket.create_connection(
            (host, port), timeout,
            source_address=(source, 0) if source else None)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        context = waybill.context()
        if implicit:
            sock = context.wrap_socket(sock, server_hostname="localhost")
        super().__init__(sock)
        assert self.reply()[0] == 220
        if not implicit:
            self.ask(EHLO)
            assert self.ask("STARTTLS")[0] == 220
            self.sock = context.wrap_socket(sock,
                                            server_hostname="localhost")
        self.offers = []
        if user:
            self.ehlo()
            self.login(user, waybill.users[user])

    def ehlo(self):
        """Say EHLO; what is offered, a dictionary."""
        self.offers = [line[4:] for line in self.whole(EHLO)][1:]
        return {words[0]: " ".join(words[1:]) for words in
                (line.split() for line in self.offers)}

    def login(self, user, password):
        token = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        code, text = self.ask(f"AUTH PLAIN {token}")
        assert code == 235, text

    def lines_of_reply(self):
        lines = [self.line()]
        while lines[-1][3:4] == "-":
            lines.append(self.line())
        return lines

    def reply(self):
        """(code, text): the text of all lines, joined by newlines."""
        lines = self.lines_of_reply()
        assert len({line[:3] for line in lines}) == 1, lines
        return int(lines[0][:3]), "\n".join(line[4:] for line in lines)

    def codes(self, count):
        return [self.reply()[0] for _ in range(count)]

    def codes_of(self, *lines):
        """The codes of commands said one after the other."""
        return [self.ask(line)[0] for line in lines]

    def ask(self, line):
        self.send(line)
        return self.reply()

    def whole(self, line):
        self.send(line)
        return self.lines_of_reply()

    def begin(self, sender="alice@example.test", to="bob@example.test",
              mail="", rcpt=""):
        """MAIL, RCPT and DATA, each of which must be taken."""
        for line, want in ((f"MAIL FROM:<{sender}>{mail}", 250),
                           (f"RCPT TO:<{to}>{rcpt}", 250), ("DATA", 354)):
            code, text = self.ask(line)
            assert code == want, (line, code, text)

    def message(self, data, **envelope):
        """A whole message, octets with their dots stuffed already, and
        without the terminator; the reply to it."""
        self.begin(**envelope)
        self.raw(data + b".\r\n")
        return self.reply()

    def quit(self):
        code = self.ask("QUIT")[0]
        self.close()
        return code


class HandMsa:
    """An MSA whose every connection is served by a function of the test's,
    in a thread.  The function is given a Lines; it may use answer()."""

    host = "127.0.0.1"
    name = "HandMsa"

    def __init__(self, script, receive_buffer=None):
        self.script = script
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if receive_buffer:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF,
                                     receive_buffer)
        self.listener.bind((self.host, 0))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        self.conns = []
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.conns.append(sock)
            threading.Thread(target=self.serve, args=(sock,),
                             daemon=True).start()

    def serve(self, sock):
        try:
            self.script(Lines(sock))
        except (Gone, OSError):
            pass
        sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for sock in self.conns:
            sock.close()


OFFERS = ("PIPELINING", "SIZE 209715200", "8BITMIME", "DSN",
          "ENHANCEDSTATUSCODES", "MTRK")


def answer_until(conn, verb, offers=OFFERS):
    """Greet, and answer as an MSA does until a command with this verb; that
    command."""
    conn.send("220 hand.example.test ESMTP")
    while True:
        line = conn.line()
        word = line.split()[0].upper() if line.split() else ""
        if word == verb:
            return line
        if word == "EHLO":
            said = ["hand.example.test", *offers]
            conn.send(*[f"250-{text}" for text in said[:-1]],
                      f"250 {said[-1]}")
        elif word == "QUIT":
            conn.send("221 2.0.0 Bye")
            raise Gone("QUIT")
        else:
            conn.send("250 2.0.0 Ok")


def told(lines):
    """An XMTRK answer: [(word, {key: value})], values decoded from xtext,
    without the line that ends it."""
    found = []
    for line in lines[:-1]:
        word, *pairs = line.removeprefix("250-2.0.0 ").split(" ")
        found.append((word, {key: xtext_decode(value) for key, value in
                             (pair.split("=", 1) for pair in pairs)}))
    return found


def token_of(client, name):
    """What XMTRK TOKEN says of an ENVID or Message-ID, in one dictionary."""
    lines = client.whole(f"XMTRK TOKEN {name}")
    assert lines[-1].startswith("250 "), lines
    return {key: value for _, pairs in told(lines)
            for key, value in pairs.items()}


def check_token(client, parameters):
    """A of this MAIL's ENVID hashes to the certifier of its MTRK."""
    token = token_of(client, parameters["ENVID"])
    secret = base64.b64decode(token["secret"], validate=True)
    assert certifier_of(secret) == parameters["MTRK"].partition(":")[0]
    return token


def mail_parameters(line):
    """The parameters of a MAIL command, as RawMsa recorded it."""
    words = line.split("> ", 1)[1].split(" ") if "> " in line else []
    return dict(word.partition("=")[::2] for word in words)

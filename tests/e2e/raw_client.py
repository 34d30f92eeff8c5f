"""A mail client that says exactly what a test wants, octet for octet, and
reads replies whole (RFC 5321 4.2)."""

import base64
import hashlib
import socket
import ssl

from peers import clients


class RawClient:
    """One connection to host and port, from source if given; TLS at once
    with a context."""

    def __init__(self, port, host="127.0.0.1", source=None, timeout=30,
                 context=None, greet=True, session=None):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.sock = socket.socket(family)
        self.sock.settimeout(timeout)
        self.buffer = b""
        if source:
            self.sock.bind((source, 0))
        self.sock.connect((host, port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            self.secure(context, session)
        self.greeting = self.reply() if greet else None

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.close()

    def close(self):
        self.sock.close()

    def secure(self, context, session=None):
        """The TLS handshake."""
        self.sock = context.wrap_socket(
            self.sock, server_hostname="localhost", session=session)
        self.buffer = b""

    def send(self, data):
        self.sock.sendall(data.encode() if isinstance(data, str) else data)

    def reply(self):
        """The next reply: its lines joined by \\n; "" at the end."""
        lines = []
        while True:
            line = self.line()
            lines.append(line)
            if line[3:4] != "-":
                return "\n".join(lines)

    def line(self):
        while b"\n" not in self.buffer:
            got = self.receive()
            if not got:
                break
            self.buffer += got
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.rstrip(b"\r").decode("utf-8", "replace")

    def receive(self):
        try:
            return self.sock.recv(65536)
        except (ConnectionError, ssl.SSLEOFError, ssl.SSLError) as error:
            if isinstance(error, socket.timeout):
                raise
            return b""

    def say(self, *commands):
        """Send commands in one write; the last one's reply."""
        self.send("".join(command + "\r\n" for command in commands))
        return [self.reply() for _ in commands][-1]

    def ended(self):
        """Does the server close now, and say nothing more?"""
        return self.line() == ""

    def starttls(self, context, session=None):
        assert self.say("EHLO client.example.test").startswith("250")
        assert self.say("STARTTLS").startswith("220 ")
        self.secure(context, session)
        return self

    def hello(self):
        """EHLO; the keywords as a dictionary."""
        reply = self.say("EHLO client.example.test")
        assert reply.startswith("250"), reply
        words = [line[4:].split() for line in reply.split("\n")[1:]]
        return {one[0].upper(): one[1:] for one in words}


def b64(data):
    return base64.b64encode(data.encode() if isinstance(data, str)
                            else data).decode()


def plain(user, password, authorize=""):
    return b64(f"{authorize}\0{user}\0{password}")


def scram(client, mechanism, user, password):
    """A whole SCRAM exchange; the last reply."""
    step = clients.Scram(mechanism, user, password)
    reply = client.say(f"AUTH {mechanism} {b64(step())}")
    while reply.startswith("334"):
        challenge = base64.b64decode(reply[4:])
        reply = client.say(b64(step(challenge)))
    return reply


def fingerprint(sock):
    """SHA-256 of the certificate that the server showed."""
    return hashlib.sha256(sock.getpeercert(binary_form=True)).hexdigest()

"""A submission server that says whatever a test wants, for what the waybill
command must bear of servers: FalseServer(certificate, key, script).

    script   a dictionary: what a command line begins with -> the reply, as
             text with LF line ends, bytes sent as they are, or a function of
             the line that returns either; None closes the connection.

A thread a connection; every line that came is in .lines.  Leave the "with"
block to stop it.
"""

import base64
import socket
import ssl
import threading

SCRIPT = {
    "greeting": "220 false.example.test ESMTP",
    "EHLO": "250-false.example.test\n250-STARTTLS\n250-AUTH PLAIN LOGIN\n"
            "250 XMTRK",
    "STARTTLS": "220 2.0.0 Go ahead",
    "AUTH PLAIN": "235 2.7.0 Welcome",
    "QUIT": "221 2.0.0 Bye",
}


def wire(reply):
    if isinstance(reply, bytes):
        return reply
    return reply.replace("\n", "\r\n").encode() + b"\r\n"


class FalseServer:
    def __init__(self, certificate, key, implicit=False, **script):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.implicit = implicit
        self.script = {**SCRIPT, **{name.replace("_", " "): reply
                                    for name, reply in script.items()}}
        self.lines = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *ignored):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)

    def serve(self):
        while True:
            try:
                peer = self.listener.accept()[0]
            except OSError:
                return
            peer.settimeout(20)
            try:
                self.talk(peer)
            except OSError:
                pass
            finally:
                peer.close()

    def answer(self, line):
        """The reply of the longest key that the line begins with."""
        fitting = [key for key in self.script
                   if line.upper().startswith(key)]
        if not fitting:
            return "500 5.5.1 What?"
        reply = self.script[max(fitting, key=len)]
        return reply(line) if callable(reply) else reply

    def talk(self, peer):
        if self.implicit:
            peer = self.context.wrap_socket(peer, server_side=True)
        peer.sendall(wire(self.script["greeting"]))
        reader = peer.makefile("rb")
        while True:
            line = reader.readline().decode(errors="replace").rstrip("\r\n")
            if not line:
                break
            self.lines.append(line)
            reply = self.answer(line)
            if reply is None:
                break
            peer.sendall(wire(reply))
            if line == "STARTTLS" and wire(reply).startswith(b"220"):
                peer = self.context.wrap_socket(peer, server_side=True)
                reader = peer.makefile("rb")
        peer.close()


def xtext(text):
    return "".join(chr(octet) if 33 <= octet <= 126 and octet not in b"+="
                   else f"+{octet:02X}" for octet in text.encode())


def rows(word, *records, more=False):
    """The reply to XMTRK that holds these dictionaries."""
    lines = [f"250-2.0.0 {word}" + "".join(
        f" {key}={xtext(str(value))}" for key, value in record.items())
        for record in records]
    end = f"250 2.0.0 end count={len(lines)}" + (" more=yes" if more else "")
    return "\n".join([*lines, end])


def plain(user, password):
    return "AUTH PLAIN " + base64.b64encode(
        f"\0{user}\0{password}".encode()).decode()

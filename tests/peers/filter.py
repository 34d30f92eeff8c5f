"""A content filter after the queue: it takes what an MTA gives it, adds a
header field and gives it back to another port of the same MTA, whose reply it
repeats.  It runs in a thread of the test.

    ContentFilter(amavis=True) words the reply as amavisd does."""

import smtplib
import socketserver
import threading

from .base import PeerFailed, free_port

SAYS = {"EHLO": "250-filter.example.test\r\n250-8BITMIME\r\n250-DSN\r\n"
                "250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES",
        "HELO": "250 filter.example.test", "DATA": "354 Go on",
        "QUIT": "221 2.0.0 Bye"}


class Session(socketserver.StreamRequestHandler):
    """One connection from the MTA."""

    def handle(self):
        self.mail, self.rcpt = None, []
        self.say("220 filter.example.test ESMTP")
        for line in self.rfile:
            if not self.obey(line.decode("utf-8", "surrogateescape").rstrip()):
                break

    def say(self, text):
        self.wfile.write(text.encode("utf-8", "surrogateescape") + b"\r\n")

    def obey(self, line):
        verb = line[:4].upper()
        if verb == "MAIL":
            self.mail, self.rcpt = line, []
        elif verb == "RCPT":
            self.rcpt.append(line)
        self.say(SAYS.get(verb, "250 2.0.0 Ok"))
        if verb == "DATA":
            self.say(self.server.give_back(self.mail, self.rcpt,
                                           b"".join(self.message())))
        return verb != "QUIT"

    def message(self):
        for line in self.rfile:
            if line == b".\r\n":
                return
            yield line


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 100
    back = None
    amavis = False

    def give_back(self, mail, rcpt, data):
        """Hand the message on, still dot-stuffed; the reply."""
        with smtplib.SMTP("127.0.0.1", self.back, timeout=20) as client:
            client.ehlo("filter.example.test")
            for command in [mail, *rcpt]:
                code, text = client.docmd(command)
                if code // 100 != 2:
                    return f"{code} {text.decode()}"
            client.docmd("DATA")
            client.send(b"X-Filtered: yes\r\n" + data + b".\r\n")
            code, text = client.getreply()
            reply = f"{code} {text.decode()}"
        if not self.amavis:
            return reply
        return f"250 2.0.0 from MTA(smtp:[127.0.0.1]:{self.back}): {reply}"


class ContentFilter:
    name = "filter"

    def __init__(self, amavis=False):
        self.port = free_port()
        self.amavis = amavis
        self.server = self.thread = None

    def start(self):
        self.server = Server(("127.0.0.1", self.port), Session)
        self.server.amavis = self.amavis
        self.thread = threading.Thread(target=self.server.serve_forever,
                                       kwargs={"poll_interval": 0.05})
        self.thread.start()
        return self

    def give_back_to(self, port):
        self.server.back = port

    def log_tail(self):
        return f"(gives back to port {self.server and self.server.back})"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)
        if self.thread.is_alive():
            raise PeerFailed("the content filter did not stop")

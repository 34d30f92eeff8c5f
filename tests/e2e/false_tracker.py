"""Tracking servers (RFC 3887) and a name server that say whatever a test
wants, for what `waybill track` must bear.  Written from the RFC alone.

FalseTracker(certificate, key, answers, **script)
    answers  a dictionary: (envid, secret in base64) -> the answer without
             its status line and dots, or a list of them, one for each time
             (the last one stays).
    script   greeting, secured (the greeting inside TLS), STARTTLS, TRACK:
             what to send instead, as bytes; or a function of the connection
             that sends by itself; None closes.

FalseDns(records) answers by UDP; records is a dictionary: (name, "A") ->
    addresses, (name, "SRV") -> [(priority, weight, port, target)];
    "servfail" for the list makes it fail, "silent" keeps it quiet.

A thread a connection; .lines holds every line that came, .secured tells for
each whether it came inside TLS.  Leave the "with" block to stop them.
"""

import socket
import ssl
import struct
import threading

OPTIONS = b"+OK+/MTQP false tracker\r\nSTARTTLS required\r\n.\r\n"
SECURED = b"+OK/MTQP false tracker, secured\r\n"


def stuffed(text):
    """A multi-line response."""
    lines = text.split("\n")
    if lines and lines[-1] == "":
        lines.pop()
    return b"+OK+ here it is\r\n" + b"".join(
        (b"." if line.startswith(".") else b"") + line.encode() + b"\r\n"
        for line in lines) + b".\r\n"


def recipient(address, action, status="2.0.0", **fields):
    """A group of a tracking-status."""
    fields = {"Original-Recipient": f"rfc822; {address}",
              "Final-Recipient": f"rfc822; {address}",
              "Action": action, "Status": status,
              **{name.replace("_", "-"): value
                 for name, value in fields.items()}}
    return "".join(f"{name}: {value}\n" for name, value in fields.items())


def part(envid, mta, *recipients,
         arrival="Mon, 1 Jan 2024 15:15:15 +0000"):
    return (f"Original-Envelope-Id: {envid}\n"
            f"Reporting-MTA: dns; {mta}\nArrival-Date: {arrival}\n\n"
            + "\n".join(recipients))


def report(*parts, boundary="=_1"):
    body = "".join(f"--{boundary}\nContent-Type: message/tracking-status\n\n"
                   f"{one}\n" for one in parts)
    return (f'Content-Type: multipart/related; boundary="{boundary}";\n'
            f' type="message/tracking-status"\n\n{body}--{boundary}--\n')


class Server:
    """What both have in common: a socket, a thread, an end."""

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *ignored):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.thread.join(10)


class FalseTracker(Server):
    def __init__(self, certificate, key, answers=(), address="127.0.0.1",
                 port=0, **script):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.answers = {name: list(answer) if isinstance(answer, list)
                        else [answer] for name, answer in dict(answers).items()}
        self.script = {"greeting": OPTIONS, "secured": SECURED,
                       "STARTTLS": b"+OK go\r\n", **script}
        self.lines = []
        self.secured = []
        self.connections = 0
        self.listener = socket.create_server(
            (address, port), family=socket.AF_INET6 if ":" in address
            else socket.AF_INET)
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def tracked(self):
        return [line for line in self.lines if line.startswith("TRACK ")]

    def serve(self):
        while True:
            try:
                peer = self.listener.accept()[0]
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.converse, args=(peer,),
                             daemon=True).start()

    def converse(self, peer):
        peer.settimeout(30)
        try:
            self.talk(peer)
        except (OSError, ValueError):
            pass
        finally:
            peer.close()

    def send(self, peer, name):
        """False where the script ends the connection."""
        reply = self.script[name]
        if callable(reply):
            reply(peer)
            return False
        if reply is None:
            return False
        peer.sendall(reply)
        return True

    def talk(self, peer):
        if not self.send(peer, "greeting"):
            return
        reader = peer.makefile("rb")
        secured = False
        while line := reader.readline().decode().rstrip("\r\n"):
            self.lines.append(line)
            self.secured.append(secured)
            verb = line.split(" ")[0]
            if verb == "STARTTLS":
                if not self.send(peer, "STARTTLS"):
                    return
                if self.script["STARTTLS"].startswith(b"+OK"):
                    peer = self.context.wrap_socket(peer, server_side=True)
                    reader = peer.makefile("rb")
                    secured = True
                    if not self.send(peer, "secured"):
                        return
            elif verb == "TRACK" and "TRACK" in self.script:
                if not self.send(peer, "TRACK"):
                    return
            elif verb == "TRACK":
                peer.sendall(self.answer(line))
            elif verb == "QUIT":
                peer.sendall(b"+OK bye\r\n")
                return
            else:
                peer.sendall(b"-BAD what?\r\n")

    def answer(self, line):
        left = self.answers.get(tuple(line.split(" ")[1:]))
        if left is None:
            return b"-ERR/noinfo nothing of that\r\n"
        return stuffed(left.pop(0) if len(left) > 1 else left[0])


TYPES = {"A": 1, "AAAA": 28, "SRV": 33}


def dns_name(name):
    return b"".join(bytes([len(label)]) + label.encode()
                    for label in name.split(".") if label) + b"\0"


def record_data(kind, value):
    if kind == "A":
        return socket.inet_aton(value)
    priority, weight, port, target = value
    return struct.pack("!HHH", priority, weight, port) + dns_name(target)


class FalseDns(Server):
    def __init__(self, records):
        self.records = records
        self.asked = []
        self.listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.listener.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.over = False

    def __exit__(self, *ignored):
        self.over = True
        self.listener.sendto(b"", self.listener.getsockname())
        super().__exit__()

    def serve(self):
        while not self.over:
            try:
                question, peer = self.listener.recvfrom(4096)
            except OSError:
                return
            if len(question) > 12:
                reply = self.answer(question)
                if reply is not None:
                    self.listener.sendto(reply, peer)

    def answer(self, question):
        at, labels = 12, []
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode())
            at += question[at] + 1
        end = at + 5
        name = ".".join(labels).lower()
        number = struct.unpack("!H", question[at + 1:at + 3])[0]
        kind = {value: key for key, value in TYPES.items()}.get(number, "?")
        self.asked.append((name, kind))
        values = self.records.get((name, kind), [])
        known = any(key[0] == name for key in self.records)
        if values == "silent":
            return None
        code = 2 if values == "servfail" else 0 if known else 3
        values = [] if code else values
        head = question[:2] + struct.pack("!HHHHH", 0x8180 | code, 1,
                                          len(values), 0, 0)
        return head + question[12:end] + b"".join(
            b"\xc0\x0c" + struct.pack("!HHIH", number, 1, 60, len(data))
            + data for data in (record_data(kind, value)
                                for value in values))

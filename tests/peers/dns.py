"""A real name server, dnsmasq, that knows what a test tells it and asks
nobody else (RFC 1035, RFC 2782).

    with NameServer(room() / "dns", records) as dns: ... dns.address

records: Srv(host, target, port, priority, weight), whose name is that of the
tracking server of host; Address(name, address, ...).  dns.change(records)
restarts it with others; dns.asked("SRV") are the names it was asked for.
"""

import dataclasses
import re
import socket

from .base import Peer, find_program, free_port, tail

SERVICE = "_mtqp._tcp"


@dataclasses.dataclass
class Srv:
    host: str
    target: str		# "" for the root: there is no such service
    port: int = 0
    priority: int = 0
    weight: int = 0

    def option(self):
        words = [f"{SERVICE}.{self.host}"]
        if self.target:
            words += [self.target, self.port, self.priority, self.weight]
        return "srv-host=" + ",".join(map(str, words))


@dataclasses.dataclass
class Address:
    name: str
    address: str
    address6: str = ""

    def option(self):
        return "host-record=" + ",".join(
            word for word in (self.name, self.address, self.address6) if word)


class NameServer(Peer):
    name = "dnsmasq"

    def __init__(self, directory, records=(), domain="example.test"):
        super().__init__(directory, free_port_both())
        self.records = list(records)
        self.domain = domain
        self.conf = self.dir / "dnsmasq.conf"
        self.started = 0

    def prepare(self):
        self.program = find_program("dnsmasq")

    def launch(self):
        lines = ["keep-in-foreground", "no-resolv", "no-hosts", "no-poll",
                 "bind-interfaces", "listen-address=127.0.0.1",
                 f"port={self.port}", "log-facility=-", "log-queries",
                 "pid-file=", "user=", f"local=/{self.domain}/",
                 "cache-size=0", *(one.option() for one in self.records)]
        self.conf.write_text("\n".join(lines) + "\n")
        self.started = self.text().count("started, version")
        super().launch()

    def command(self):
        return [self.program, f"--conf-file={self.conf}"]

    def text(self):
        output = self.dir / "output"
        return output.read_text(errors="replace") if output.exists() else ""

    def ready(self):
        return self.text().count("started, version") > self.started and \
            not can_bind(self.port)

    def change(self, *records):
        self.stop()
        self.records = list(records)
        self.start()

    def asked(self, kind):
        """The names that it was asked for, in their order."""
        return [name.lower() for name in re.findall(
            rf"query\[{kind}\] (\S+) from", self.text())]

    def log_tail(self):
        return tail(self.dir / "output")


def can_bind(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port_both():
    """A port that is free for TCP and UDP."""
    while not can_bind(port := free_port()):
        pass
    return port

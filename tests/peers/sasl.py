"""Private SASL password stores: a sasldb file, a saslauthd, and an IMAP
server that takes its time, as a backend for saslauthd."""

import pathlib
import socket
import subprocess
import sys

from .base import (Peer, PeerFailed, ROOT, answers, find_program,
                   need_root)


class Sasldb:
    """A sasldb file of its own; users are made with saslpasswd2."""

    def __init__(self, path, realm):
        self.path = pathlib.Path(path)
        self.realm = realm

    def add(self, user, password):
        done = subprocess.run(
            [find_program("saslpasswd2"), "-f", self.path, "-c", "-p",
             "-u", self.realm, user],
            input=password, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, check=False)
        if done.returncode != 0 or not self.path.exists():
            raise PeerFailed(f"saslpasswd2 for {user}: {done.stdout}")
        # Whoever runs the auth workers must read it; it is a test's.
        self.path.chmod(0o644)
        return self

    def remove(self, user):
        subprocess.run([find_program("saslpasswd2"), "-f", self.path, "-d",
                        "-u", self.realm, user], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Saslauthd(Peer):
    """A saslauthd of its own; clients use the socket at self.path.

    mechanism "sasldb" checks the system's /etc/sasldb2 and nothing else
    (Debian's saslauthd has no option for the file); "rimap" asks the
    IMAP server at `backend`, an ImapBackend.
    """

    name = "saslauthd"

    def __init__(self, directory, backend=None, threads=5):
        super().__init__(directory, port=1)
        self.backend = backend
        self.threads = threads
        # The socket's path must stay below 108 octets.
        self.path = self.dir / "mux"

    def command(self):
        words = [find_program("saslauthd"), "-d", "-m", self.dir, "-n",
                 self.threads, "-r"]
        if self.backend:
            return words + ["-a", "rimap", "-O",
                            f"{self.backend.host}/{self.backend.port}"]
        return words + ["-a", "sasldb"]

    def prepare(self):
        need_root("saslauthd")
        self.dir.chmod(0o755)

    def ready(self):
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.path))
            except OSError:
                return False
        return True

    def verify(self, user, password, service="smtp", realm=""):
        """Ask it as libsasl2 would: 'OK' or 'NO' and its reason."""
        words = [user, password, service, realm]
        packet = b"".join(len(word.encode()).to_bytes(2, "big") +
                          word.encode() for word in words)
        with socket.socket(socket.AF_UNIX) as conn:
            conn.settimeout(30)
            conn.connect(str(self.path))
            conn.sendall(packet)
            answer = b"".join(iter(lambda: conn.recv(1024), b""))
        return answer[2:].decode()


class ImapBackend(Peer):
    """An IMAP server that knows LOGIN only and answers after `delay`
    seconds: what a slow directory looks like from saslauthd."""

    name = "imap backend"
    wants = b"* OK"

    def __init__(self, directory, users, delay=0.0):
        super().__init__(directory)
        self.users = users
        self.delay = delay

    def command(self):
        pairs = [f"{user}={word}" for user, word in self.users.items()]
        return [sys.executable, ROOT / "tests" / "peers" / "slow_imap.py",
                "--port", self.port, "--delay", self.delay, *pairs]

    def ready(self):
        return answers(self.port, self.host, self.wants)

"""Stock clients as they are run from a shell (swaks, curl, gsasl), and
SCRAM for smtplib (RFC 5802, 7677)."""

import base64
import hashlib
import hmac
import secrets
import subprocess

from .base import find_program


def run(*words, text=None, timeout=60):
    """A CompletedProcess with both outputs in stdout."""
    return subprocess.run([find_program(words[0]), *map(str, words[1:])],
                          input=text if text is not None else "",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=timeout, check=False)


def swaks(port, ca, user, password, *more, implicit=False, mechanism="PLAIN",
          sender="alice@example.test", to="bob@example.test",
          server="localhost"):
    """swaks in verified TLS; more are its further options."""
    return run("swaks", "--server", server, "--port", port,
               "--tls-on-connect" if implicit else "--tls",
               "--tls-verify", "--tls-ca-path", ca,
               "--auth", mechanism, "--auth-user", user,
               "--auth-password", password, "--from", sender, "--to", to,
               "--helo", "client.example.test", *more)


def curl(port, ca, user, password, message, *more, implicit=False,
         mechanism="PLAIN", sender="alice@example.test",
         to="bob@example.test", server="localhost"):
    """curl -T with a message from a file's path."""
    scheme = "smtps" if implicit else "smtp"
    recipients = []
    for one in [to] if isinstance(to, str) else to:
        recipients += ["--mail-rcpt", one]
    return run("curl", "--silent", "--show-error", "--verbose",
               f"{scheme}://{server}:{port}/client.example.test",
               "--ssl-reqd", "--cacert", ca, "--user", f"{user}:{password}",
               "--login-options", f"AUTH={mechanism}", "--mail-from", sender,
               *recipients, "--upload-file", message, *more)


def gsasl(port, ca, user, password, mechanism, server="localhost"):
    """Log in by STARTTLS and leave; status 0 if it was let in."""
    return run("gsasl", "--smtp", f"--connect={server}:{port}",
               f"--mechanism={mechanism}", "--authentication-id", user,
               "--authorization-id", "", "--password", password,
               "--x509-ca-file", ca, "--no-cb", "--quiet",
               "--application-data")


class Scram:
    """The client's side of SCRAM without channel binding, for
    smtplib.SMTP.auth(mechanism, Scram(mechanism, user, password))."""

    def __init__(self, mechanism, user, password):
        self.hash = {"SCRAM-SHA-1": "sha1",
                     "SCRAM-SHA-256": "sha256"}[mechanism]
        self.password = password.encode()
        name = user.replace("=", "=3D").replace(",", "=2C")
        self.first = f"n={name},r={secrets.token_urlsafe(18)}"
        self.signature = None

    def __call__(self, challenge=None):
        if challenge is None:
            return "n,," + self.first
        text = challenge.decode() if isinstance(challenge, bytes) \
            else challenge
        fields = dict(part.split("=", 1) for part in text.split(","))
        return self.check(fields) if "v" in fields else \
            self.prove(text, fields)

    def digest(self, key, data):
        return hmac.new(key, data, self.hash).digest()

    def prove(self, text, fields):
        salted = hashlib.pbkdf2_hmac(self.hash, self.password,
                                     base64.b64decode(fields["s"]),
                                     int(fields["i"]))
        last = f"c=biws,r={fields['r']}"
        message = ",".join([self.first, text, last]).encode()
        key = self.digest(salted, b"Client Key")
        stored = hashlib.new(self.hash, key).digest()
        signed = self.digest(stored, message)
        self.signature = self.digest(self.digest(salted, b"Server Key"),
                                     message)
        proof = bytes(a ^ b for a, b in zip(key, signed))
        return f"{last},p={base64.b64encode(proof).decode()}"

    def check(self, fields):
        """The server must know the password too."""
        if base64.b64decode(fields["v"]) != self.signature:
            raise ValueError("the server's signature is wrong")
        return ""

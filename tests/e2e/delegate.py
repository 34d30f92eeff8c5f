"""Somebody who tracks with nothing but the waybill binary and a URI, and what
the false tracking servers of such a test have in common."""

import json
import os
import subprocess

from false_tracker import FalseDns, part, recipient, report
from waybill import build_directory

ENVID = "x1@h.example"
SECRET = "AAECAwQFBgcICQoLDA0ODw=="
NAME = (ENVID, SECRET)
FIRST, HOP, FAR = "t.example.test", "hop.example.test", "far.example.test"
URI = f"mtqp://{FIRST}/track/{ENVID}/{SECRET}"
TRIED = {"Last_Attempt_Date": "Mon, 1 Jan 2024 15:15:18 +0000"}
TRACK = f"TRACK {ENVID} {SECRET}"


def sent_to(host, address="bob@d.example"):
    return recipient(address, "transferred", "2.4.0",
                     Remote_MTA=f"dns; {host}", **TRIED)


def says(mta, *groups, envid=ENVID):
    return report(part(envid, mta, *groups))


class Delegate:
    """Somebody who has nothing but the binary and a URI."""

    def __init__(self, home, authority):
        self.env = {"PATH": os.environ["PATH"], "HOME": str(home),
                    "SSL_CERT_FILE": str(authority.ca), "TZ": "UTC",
                    **{name: value for name, value in os.environ.items()
                       if "SAN_OPTIONS" in name}}
        self.binary = build_directory() / "bin/waybill"

    def start(self, *words, **more):
        return subprocess.Popen(
            [self.binary, *words], env=self.env, text=True,
            errors="replace", stdout=subprocess.PIPE,
            **{"stdin": subprocess.DEVNULL, "stderr": subprocess.PIPE,
               **more})

    def run(self, *words, given=None):
        done = subprocess.run(
            [self.binary, *words], env=self.env, text=True, timeout=60,
            errors="replace", stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            check=False, **({"stdin": subprocess.DEVNULL} if given is None
                            else {"input": given}))
        for stream in (done.stdout, done.stderr):
            assert SECRET.rstrip("=") not in stream
            assert "\x1b" not in stream and "Sanitizer" not in stream
        return done

    def track(self, server, *words):
        return self.run("--connect", f"127.0.0.1:{server.port}", "track",
                        *words, URI)

    def json(self, server, *words):
        done = self.track(server, "--json", *words)
        assert done.stdout.count("\n") == 1, done.stderr
        return done.returncode, json.loads(done.stdout)


def complains(done, *words, status=3):
    assert done.returncode == status, (done.stdout, done.stderr)
    assert done.stdout == ""
    assert done.stderr.startswith("waybill: ")
    for word in words:
        assert word in done.stderr


def services(**ports):
    """DNS in which each host has its tracking server on a port of ours."""
    hosts = {"first": FIRST, "hop": HOP, "far": FAR}
    return FalseDns({("a.test", "A"): ["127.0.0.1"], **{
        (f"_mtqp._tcp.{hosts[name]}", "SRV"): [(0, 0, port, "a.test")]
        for name, port in ports.items()}})

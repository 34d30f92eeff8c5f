"""waybill-track as its operator sees it: what it logs and counts, what its
sessions cost, and how it ends.  test_mtqp.py tells what its clients see."""

import os
import signal
import socket
import time

import pytest

from mtqp_client import Mtqp, b64
from peers import StrictHop, is_alive, wait_until
from waybill import HOSTNAME
from wire import resident, sanitized

PLAIN = ("--without", "MTRK")
NOINFO = b"-ERR/noinfo nothing is known of it\r\n"
WRONG = b64(bytes(range(40, 60)))
FREE = {"commands": 100000, "refused": 10000, "sessions": 2000,
        "sessions_per_address": 2000}


@pytest.fixture(name="tracked")
def fixture_tracked(start_waybill, start_peer, space):
    """tracked(to, **options): a Waybill with a tracker, and the ENVID and
    secret of a message to those recipients."""
    def start(to="bob@example.test", **options):
        hop = start_peer(StrictHop(space / "hop", *PLAIN))
        waybill = start_waybill(hop, **{"track": FREE, **options})
        waybill.submit("alice", to, "Message-ID: <1@x.test>\r\n\r\nhi\r\n")
        hop.wait_messages(1)
        token = waybill.cli("token", "<1@x.test>")
        return waybill, token["envid"], token["secret"]
    return start


def secure(waybill):
    client = Mtqp(waybill.ports["track"])
    client.starttls(HOSTNAME, waybill.context())
    return client


def counted(waybill):
    """The tracker's own words about itself, as numbers by name."""
    text = waybill.ctl("status").stdout
    line = next(one for one in text.splitlines() if "turned_away=" in one)
    return dict(word.split("=") for word in line.split() if "=" in word)


class TestLog:
    def test_it_says_who_asked_and_nothing_secret(self, tracked):
        waybill, envid, secret = tracked()
        with secure(waybill) as client:
            assert client.track(envid, secret).status == "+OK+"
            assert client.track("guessed@example.test", WRONG).raw == NOINFO
            assert client.track(WRONG.rstrip("=") + "@x", secret).raw == NOINFO
            client.quit()
        end = waybill.wait_line(event="end", program="waybill-track")
        assert (end["client"], end["commands"]) == ("127.0.0.1", "5")
        assert (end["found"], end["noinfo"], end["bad"]) == ("1", "2", "0")
        assert end["tls"].startswith("TLSv1.")
        found, first, second = waybill.lines(event="track")
        assert (found["result"], found["envid"]) == ("found", envid)
        assert found["session"] == first["session"] == end["session"]
        for line in (first, second):
            assert line["result"] == "noinfo" and "envid" not in line
        log = waybill.log.read_text()
        for private in (secret, WRONG, "guessed@example.test"):
            assert private.rstrip("=") not in log

    def test_it_counts(self, tracked):
        waybill, envid, secret = tracked(track={
            **FREE, "sessions_per_address": 2})
        with secure(waybill) as one, secure(waybill):
            assert Mtqp(waybill.ports["track"]).greeting.status == "-TEMP"
            one.track(envid, secret)
            one.track(envid, WRONG)
            one.track(envid, WRONG)
            counts = counted(waybill)
            assert (counts["sessions"], counts["turned_away"]) == ("2", "1")
            assert (counts["tracked"], counts["refused"]) == ("1", "2")
            assert (counts["unavailable"], counts["keeper"]) == ("0", "up")
        wait_until(lambda: counted(waybill)["sessions"] == "0", 10)
        assert counted(waybill)["sessions_total"] == "2"


class TestCost:
    def test_a_thousand_idle_sessions(self, tracked):
        waybill, _, _ = tracked()
        if sanitized(waybill):
            pytest.skip("a sanitizer's memory counts, too")
        pid, = waybill.children("track")
        secure(waybill).quit()
        before = resident(pid)
        idle = [Mtqp(waybill.ports["track"]) for _ in range(1000)]
        clear = (resident(pid) - before) / 1000
        for client in idle[:200]:
            client.starttls(HOSTNAME, waybill.context())

        def in_tls():
            return (resident(pid) - before - clear * 800) / 200

        assert clear < 6
        # What was busy a moment ago gives its buffers back within seconds.
        wait_until(lambda: in_tls() < 28, 15, "28 KiB a session in TLS")
        print(f"[{clear:.2f} KiB a session in clear, {in_tls():.2f} in TLS]")
        for client in idle:
            client.close()

    def test_a_slow_reader_gets_all_of_it(self, tracked):
        """Though it has said QUIT, and the answers are many."""
        waybill, envid, secret = tracked(
            to=[f"r{i}@example.test" for i in range(500)])
        with secure(waybill) as client:
            size = len(client.track(envid, secret).raw)
        slow = secure(waybill)
        slow.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        slow.say(*[f"TRACK {envid} {secret}"] * 40, "QUIT")
        time.sleep(12)		# longer than what is closed may linger
        for _ in range(40):
            assert len(slow.reply().raw) == size
        assert slow.reply().status == "+OK"
        assert slow.closed() == b""


class TestEnd:
    def test_quiet_sessions_end_soon_with_their_generation(self, tracked):
        waybill, _, _ = tracked(top={"drain_timeout": "60 s"})
        old, = waybill.children("track")
        idle = [Mtqp(waybill.ports["track"]), secure(waybill)]
        waybill.reload()
        wait_until(lambda: not is_alive(old), 20, "the end of the old one")
        for client in idle:
            assert client.closed() == b""
        with secure(waybill) as client:
            assert client.ask("COMMENT").status == "+OK"

    def test_who_has_just_come_is_served_to_the_end(self, tracked):
        waybill, envid, secret = tracked(top={"drain_timeout": "60 s"})
        old, = waybill.children("track")
        client = Mtqp(waybill.ports["track"])
        os.kill(old, signal.SIGTERM)
        waybill.wait_line(event="drain", program="waybill-track")
        client.starttls(HOSTNAME, waybill.context())
        assert client.track(envid, secret).status == "+OK+"
        assert client.ask("QUIT").status == "+OK"
        wait_until(lambda: not is_alive(old), 20, "the end of the old one")

    def test_what_was_asked_is_answered_before_the_end(self, tracked):
        waybill, envid, secret = tracked(
            top={"drain_timeout": "60 s"},
            track={**FREE, "keeper_timeout": "30 s"})
        old, = waybill.children("track")
        keeper, = waybill.children("keeper")
        with secure(waybill) as client, secure(waybill) as wrong:
            os.kill(keeper, signal.SIGSTOP)
            try:
                client.say(f"TRACK {envid} {secret}", "COMMENT and")
                wrong.say(f"TRACK {envid} {WRONG}")
                time.sleep(0.3)
                os.kill(old, signal.SIGTERM)
                waybill.wait_line(event="drain", program="waybill-track")
            finally:
                os.kill(keeper, signal.SIGCONT)
            assert client.reply().status == "+OK+"
            assert client.reply().status == "+OK"
            assert client.closed() == b""
            assert wrong.reply().raw == NOINFO
            assert wrong.closed() == b""
        wait_until(lambda: not is_alive(old), 20, "the end of the old one")

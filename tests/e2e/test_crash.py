"""Any process killed under load: what got 250 is at the MSA, nothing that did
not end is there as a shorter message, and every MTRK that the MSA saw has
its A."""

import collections
import os
import signal
import smtplib
import threading
import time

import pytest

from peers import PeerFailed, wait_until
from wire import Gone, Wire, check_token

CLIENTS = 4
BODY = b"".join(b"line %d of a message that is long enough\r\n" % number
                for number in range(150))


class Load:
    """Clients that submit until they are told to stop.

    taken    names of the messages that got 250
    failed   what else happened, counted
    """

    def __init__(self, waybill, messages_a_session=5, pause=0.0):
        self.waybill = waybill
        self.messages_a_session = messages_a_session
        self.pause = pause
        self.taken, self.sent = set(), set()
        self.failed = collections.Counter()
        self.enough = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(number,),
                                         daemon=True)
                        for number in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        count = 0
        while not self.enough.is_set():
            try:
                client = Wire(self.waybill, ("alice", "carol")[number % 2],
                              timeout=20)
                for _ in range(self.messages_a_session):
                    count += 1
                    self.one(client, f"c{number}-{count}")
                    if self.enough.wait(self.pause):
                        break
                client.quit()
            except (Gone, OSError, AssertionError, smtplib.SMTPException,
                    ValueError) as error:
                self.failed[type(error).__name__] += 1
                time.sleep(0.05)

    def one(self, client, name):
        text = f"Message-ID: <{name}@load.test>\r\nSubject: {name}\r\n\r\n"
        client.begin()
        self.sent.add(name)
        client.raw(text.encode() + BODY)
        client.raw(f"END {name}\r\n.\r\n".encode())
        code, said = client.reply()
        assert code == 250, said
        self.taken.add(name)

    def wait(self, count, timeout=60):
        """Until this many more messages were taken."""
        want = len(self.taken) + count
        try:
            wait_until(lambda: len(self.taken) >= want, timeout)
        except PeerFailed as error:
            raise PeerFailed(f"{len(self.taken)} of {want} taken, "
                             f"{self.failed}") from error

    def stop(self):
        self.enough.set()
        for thread in self.threads:
            thread.join(40)
        assert not any(thread.is_alive() for thread in self.threads)


def stored(hop):
    """Names of the messages that the MSA took; each must be whole."""
    names = collections.Counter()
    for message in hop.messages():
        raw = message["raw"]
        name = raw.partition(b"\r\nSubject: ")[2].partition(b"\r\n")[0]
        assert raw.endswith(BODY + b"END " + name + b"\r\n"), raw[-200:]
        names[name.decode()] += 1
    return names


def check(waybill, hop, load):
    """What must hold, whatever happened."""
    names = stored(hop)
    missing = load.taken - set(names)
    assert not missing
    assert set(names) <= load.sent
    clients = [Wire(waybill, user) for user in ("alice", "carol")]
    for message in hop.messages():
        name = message["raw"].partition(b"\r\nSubject: c")[2][:1]
        client = clients[int(name) % 2]
        if "MTRK" not in message["parameters"]:
            continue
        envid = message["parameters"]["ENVID"]
        wait_until(lambda: client.ask(f"XMTRK TOKEN {envid}")[0] == 250, 20,
                   f"A of {envid}")
        check_token(client, message["parameters"])
    for client in clients:
        client.quit()
    tracked = [message["parameters"] for message in hop.messages()
               if "MTRK" in message["parameters"]]
    assert len(tracked) > 100
    last = hop.messages()[-1]["raw"].partition(b"\r\nSubject: c")[2][:1]
    if "MTRK" in hop.messages()[-1]["parameters"]:
        waybill.check_certifier(hop.messages()[-1]["parameters"],
                                ("alice", "carol")[int(last) % 2])


def kill(waybill, role):
    """SIGKILL to the oldest of a role; another one comes."""
    before = waybill.wait_children(role, len(waybill.children(role)))
    os.kill(before[0], signal.SIGKILL)
    wait_until(lambda: len(waybill.children(role)) >= len(before) and
               before[0] not in waybill.children(role), 20, f"a new {role}")


@pytest.mark.parametrize("role, certifier", [
    ("keeper", "derived"), ("keeper", "random"), ("auth", "derived"),
    ("proxy", "derived"), ("proxy", "random")])
def test_a_killed_child_loses_no_message(start_waybill, strict_hop, role,
                                         certifier):
    waybill = start_waybill(strict_hop, top={"workers": 2},
                            tracking={"certifier": certifier})
    load = Load(waybill)
    try:
        for _ in range(3):
            load.wait(40)
            kill(waybill, role)
        load.wait(80)
    finally:
        load.stop()
    if role == "keeper":
        assert not load.failed		# mail does not wait for it
    check(waybill, strict_hop, load)
    restarts = waybill.lines(event="process", role=role, state="ready")
    assert len(restarts) >= 4


def test_a_killed_waybilld_is_started_again_at_once(start_waybill,
                                                    strict_hop):
    waybill = start_waybill(strict_hop, top={"workers": 2,
                                             "drain_timeout": "1 s"})
    load = Load(waybill)
    try:
        for _ in range(2):
            load.wait(40)
            waybill.kill()
            waybill.start()
        load.wait(60)
    finally:
        load.stop()
    check(waybill, strict_hop, load)


def test_sigterm_loses_no_message_that_got_250(start_waybill, strict_hop):
    waybill = start_waybill(strict_hop, top={"workers": 2,
                                             "drain_timeout": "500 ms"})
    load = Load(waybill)
    try:
        for _ in range(2):
            load.wait(50)
            waybill.stop()
            waybill.start()
        load.wait(30)
    finally:
        load.stop()
    check(waybill, strict_hop, load)


def test_a_session_may_finish_before_sigterm_ends_it(start_waybill,
                                                     strict_hop):
    waybill = start_waybill(strict_hop, top={"drain_timeout": "20 s"})
    busy, idle = Wire(waybill), Wire(waybill, "carol")
    busy.begin()
    waybill.process.terminate()
    waybill.wait_line(event="drain")
    busy.raw(b"Message-ID: <drain@load.test>\r\n\r\nx\r\n.\r\n")
    assert busy.reply()[0] == 250
    with pytest.raises((OSError, Gone)):
        Wire(waybill)
    assert busy.quit() == 221
    assert idle.ask("NOOP")[0] in (250, 421)
    idle.close()
    assert len(strict_hop.messages()) == 1


def test_who_stays_too_long_gets_421(start_waybill, strict_hop):
    waybill = start_waybill(strict_hop, top={"drain_timeout": "300 ms"})
    client, cut = Wire(waybill), Wire(waybill, "carol")
    cut.begin()
    cut.raw(b"Subject: cut\r\n\r\nhalf")
    waybill.process.terminate()
    assert client.closed().startswith(b"421 4.3.2")
    assert cut.closed().startswith(b"421 4.3.2")
    assert strict_hop.messages() == []


def test_sighup_under_load_drops_no_session(start_waybill, strict_hop):
    waybill = start_waybill(strict_hop, top={"workers": 2,
                                             "drain_timeout": "30 s"})
    load = Load(waybill, messages_a_session=12)
    try:
        for generation in (2, 3, 4):
            load.wait(40)
            waybill.reload()
            waybill.wait_line(event="reloaded", generation=generation,
                              timeout=20)
        load.wait(60)
    finally:
        load.stop()
    assert not load.failed
    check(waybill, strict_hop, load)

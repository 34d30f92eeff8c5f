"""Feed, keeper and tracker killed again and again under load, the log rotated
meanwhile: afterwards every history is what Postfix's or Exim's log says."""

import grp
import itertools
import os
import queue
import re
import signal
import smtplib
import threading
import time

import pytest

import msa_logs
from outcome import TEXT
from peers import (ContentFilter, Exim, PeerFailed, Postfix, RawMsa,
                   wait_until)

MESSAGES = {"postfix": 200, "exim": 80}		# Exim forks for each
THREADS, KILLS = 4, 20
RELAY = "relay.test"
ALIASES = {"one": "bob@example.test",
           "many": f"bob@example.test, x@{RELAY}",
           "half": "carol@example.test, gone@example.test"}
RECIPIENTS = [["bob@example.test"], ["one@example.test"],
              ["many@example.test"], ["half@example.test"], [f"bob@{RELAY}"],
              ["carol@example.test", f"x@{RELAY}", "one@example.test"]]


class Load:
    """Clients that try until the server says yes."""

    def __init__(self, waybill, count):
        self.waybill = waybill
        self.work = queue.Queue()
        for number in range(count):
            self.work.put(number)
        self.accepted = []
        self.threads = [threading.Thread(target=self.run)
                        for _ in range(THREADS)]

    def run(self):
        for attempt in itertools.count():
            try:
                number = self.work.get_nowait()
            except queue.Empty:
                return
            name = f"<{number}.{attempt}.{threading.get_ident()}@storm>"
            to = RECIPIENTS[number % len(RECIPIENTS)]
            try:
                self.waybill.submit("alice", to, TEXT.format(
                    to=to[0], subject=number, id=name))
                self.accepted.append(name)
            except (smtplib.SMTPException, OSError):
                self.work.put(number)
                time.sleep(0.05)

    def start(self):
        for thread in self.threads:
            thread.start()

    def is_over(self):
        return not any(thread.is_alive() for thread in self.threads)

    def join(self):
        for thread in self.threads:
            thread.join()


def kill_one(waybill, role):
    pids = wait_until(lambda: waybill.children(role), 30, role)
    try:
        os.kill(pids[0], signal.SIGKILL)
    except ProcessLookupError:
        pass


def ask(waybill):
    """A user who asks in between, and takes no for an answer."""
    try:
        waybill.track("last")
    except PeerFailed:
        pass


def rotate(msa, number):
    """As logrotate does, but with no moment in which there is no log that the
    MSA may open: what it could not write there, nobody could know.  Postfix's
    own new log is closed to all but root."""
    old = msa.log.stat()
    fresh = msa.log.with_name("fresh")
    os.close(os.open(fresh, os.O_CREAT | os.O_WRONLY, 0o600))
    os.chown(fresh, old.st_uid, grp.getgrnam("adm").gr_gid)
    fresh.chmod(0o640)
    os.link(msa.log, msa.log.with_name(f"{msa.log.name}.{number}"))
    fresh.rename(msa.log)
    msa.signal_reload()


def storm(waybill, msa, over):
    """The kills, and two rotations on the way; how many there were."""
    count = 0
    for role in itertools.cycle(["feed", "keeper", "feed", "track"]):
        if count >= KILLS or (over() and count >= KILLS // 2):
            return count
        kill_one(waybill, role)
        count += 1
        if count % 8 == 0:
            rotate(msa, count)
        ask(waybill)
        time.sleep(0.2)


def whole_log(msa):
    parts = sorted(msa.log.parent.glob(f"{msa.log.name}.*"),
                   key=lambda path: int(path.suffix[1:])) + [msa.log]
    return "".join(path.read_text() for path in parts if path.exists())


def rows_of(client, name):
    """XMTRK SHOW: the queue id, and the events as dictionaries."""
    code, text = client.docmd(f"XMTRK SHOW {name}")
    assert code == 250, text
    queue_id, events = None, []
    for line in text.decode().splitlines():
        word, *pairs = line.split(" ")[1:]
        values = {key: re.sub(r"\+([0-9A-F]{2})", lambda hexa: chr(
            int(hexa[1], 16)), value) for key, _, value in
            (pair.partition("=") for pair in pairs)}
        if word == "event":
            events.append(values)
        if word == "end":
            assert values.get("more") is None
        queue_id = values.get("queue", queue_id)
    return queue_id, events


def compare(waybill, names, log):
    """Those whose history is not what the log says."""
    client = waybill.login("alice")
    wrong = {}
    for name in names:
        queue_id, events = rows_of(client, name)
        has, wants = log.told(events), log.history(queue_id)
        assert wants, f"the log says nothing of {queue_id}"
        if has != wants:
            wrong[name] = (queue_id, has, wants)
    client.quit()
    return wrong


def wait_right(waybill, names, log, timeout=60.0):
    end = time.monotonic() + timeout
    while True:
        wrong = compare(waybill, names, log)
        if not wrong:
            return
        assert time.monotonic() < end, \
            f"{len(wrong)} of them are wrong, as {next(iter(wrong.items()))}"
        names = list(wrong)
        time.sleep(0.5)


def empty_queue(msa, timeout=60.0):
    """Whatever was deferred while the MTA was told of its new log, too."""
    end = time.monotonic() + timeout
    while not msa.queue_is_empty():
        assert time.monotonic() < end, msa.log_tail()
        msa.flush()
        time.sleep(0.5)


def make_postfix(space, hop, filtered):
    return Postfix(
        space / "msa", routes={RELAY: hop.port}, filtered=filtered,
        aliases={f"{name}@example.test": behind
                 for name, behind in ALIASES.items()},
        settings={"smtpd_reject_unlisted_recipient": "no"})


def make_exim(space, hop, filtered):
    return Exim(space / "msa", routes={RELAY: hop.port}, filtered=filtered,
                aliases=ALIASES)


MAKERS = {"postfix": (make_postfix, msa_logs.Postfix),
          "exim": (make_exim, msa_logs.Exim)}


@pytest.mark.parametrize("kind,filtered", [
    ("postfix", False), ("postfix", True), ("exim", True)])
def test_every_history_is_what_the_log_says(space, start_peer, start_waybill,
                                            kind, filtered):
    make, read = MAKERS[kind]
    scan = ContentFilter()
    if filtered:
        start_peer(scan)
    hop = start_peer(RawMsa(space / "hop", "--discard"))
    msa = start_peer(make(space, hop, scan.port if filtered else None))
    if filtered:
        scan.give_back_to(msa.back)
    waybill = start_waybill(msa, track={}, feed=kind, tracking={
        "without_vault": "defer", "reveal_aliases": True,
        "reveal_hosts": True})
    load = Load(waybill, MESSAGES[kind])
    load.start()
    try:
        kills = storm(waybill, msa, load.is_over)
    finally:
        load.join()
    assert kills >= KILLS // 2
    assert len(load.accepted) == MESSAGES[kind]
    empty_queue(msa)
    wait_right(waybill, load.accepted, read(whole_log(msa), [scan.port]))

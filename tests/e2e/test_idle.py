"""Clients that say nothing, or half of something: every wait has an end, ten
thousand of them keep nobody out, and cost little memory (RFC 5321 4.5.3.2)."""

import contextlib
import os
import resource
import socket
import time

import pytest

from peers import wait_until
from raw_client import RawClient, plain
from test_bad_input import resident, steady
from waybill import USERS, Waybill, has_loopback6

ALICE = plain("alice", USERS["alice"])
MANY = 10000
SPARE = 600		# descriptors for everything else


def connect(waybill, state="idle", **more):
    """A session in a state: clear, open, idle, exchange or mail."""
    if state == "clear":
        return RawClient(waybill.ports["submission"], **more)
    client = RawClient(waybill.ports["submissions"],
                       context=waybill.context(), **more)
    client.hello()
    if state == "exchange":
        assert client.say("AUTH PLAIN") == "334 "
    elif state != "open":
        assert client.say("AUTH PLAIN " + ALICE).startswith("235")
    if state in ("mail", "data"):
        assert client.say("MAIL FROM:<alice@example.test>").startswith("250")
    if state == "data":
        assert client.say("RCPT TO:<bob@example.test>").startswith("250")
        assert client.say("DATA").startswith("354")
    return client


@pytest.mark.parametrize("state, limit", [
    ("clear", "login_timeout"), ("open", "login_timeout"),
    ("idle", "command_timeout"), ("mail", "command_timeout"),
    ("data", "data_timeout")])
def test_half_a_line_and_silence_is_421(start_waybill, strict_hop, state,
                                        limit):
    waybill = start_waybill(strict_hop, limits={limit: "1 s"})
    with connect(waybill, state) as client:
        client.send("NOO")
        start = time.monotonic()
        assert client.reply().startswith("421 4.4.2")
        assert client.ended()
        assert time.monotonic() - start < 15
    # It was that limit: a client that talks meets none of the others.
    with connect(waybill, "open") as client:
        assert client.say("NOOP").startswith("250")
    assert strict_hop.messages() == []


def test_silence_is_judged_by_commands_not_octets(start_waybill):
    """An octet now and then does not buy more time."""
    waybill = start_waybill(limits={"command_timeout": "1 s"})
    with connect(waybill) as client:
        start = time.monotonic()
        reply = ""
        client.sock.settimeout(0.2)
        while not reply and time.monotonic() - start < 15:
            try:
                client.send("x")
                reply = client.reply()
            except TimeoutError:
                continue
        assert reply.startswith("421 4.4.2")
    # And a client that goes on is not ended.
    with connect(waybill) as client:
        for _ in range(6):
            time.sleep(0.3)
            assert client.say("NOOP").startswith("250")


def test_login_has_one_limit_for_all_commands(start_waybill):
    """NOOP does not buy more time before the login."""
    waybill = start_waybill(limits={"login_timeout": "1 s"})
    for state in ("clear", "open"):
        with connect(waybill, state) as client:
            start = time.monotonic()
            reply = "250"
            while reply.startswith("250") and time.monotonic() - start < 15:
                client.send("NOOP\r\n")
                reply = client.reply()
                time.sleep(0.05)
            assert reply.startswith("421 4.4.2")


def test_exchanges_do_not_count_for_the_login_limit(start_waybill):
    waybill = start_waybill(limits={"login_timeout": "2 s"})
    with connect(waybill, "exchange") as client:
        time.sleep(2.2)
        assert client.say("*").startswith("501")
        assert client.say("AUTH PLAIN " + ALICE).startswith("235")
        # And none is there for who has logged in.
        time.sleep(0.5)
        assert client.say("NOOP").startswith("250")


@contextlib.contextmanager
def files(count):
    """Leave to open many files, or the test is skipped."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        if os.geteuid() != 0:
            pytest.skip(f"only {hard} files may be open")
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))
        except (OSError, ValueError):
            pytest.skip(f"only {hard} files may be open")
    else:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))
    try:
        yield
    finally:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def open_silent(waybill, count):
    """Connections that say nothing; from many addresses."""
    found = []
    for number in range(count):
        sock = socket.socket()
        sock.bind((f"127.1.{number // 250}.{1 + number % 250}", 0))
        sock.settimeout(30)
        sock.connect(("127.0.0.1", waybill.ports["submission"]))
        found.append(sock)
    return found


def wait_greetings(held):
    """Each of them is let in, and told so."""
    for number, sock in enumerate(held):
        sock.settimeout(180)
        assert sock.recv(100).startswith(b"220 "), number


def test_ten_thousand_silent_connections_keep_nobody_out(
        start_waybill, strict_hop, record_property, capsys):
    with files(MANY + SPARE):
        # On a busy machine they may come slowly; none shall leave early.
        waybill = start_waybill(strict_hop, top={"workers": 2},
                                limits={"login_timeout": "10 min"},
                                log={"level": "info"})
        workers = waybill.children("proxy")
        before = sum(map(resident, workers))
        held = open_silent(waybill, MANY)
        try:
            wait_greetings(held)
            per_session = (sum(map(resident, workers)) - before) / MANY
            with capsys.disabled():
                print(f" [{per_session:.2f} KiB a silent connection]",
                      end="")
            record_property("KiB a silent connection", per_session)
            start = time.monotonic()
            waybill.submit("alice", "bob@example.test",
                           "Subject: among many\r\n\r\nhere\r\n")
            assert time.monotonic() - start < 10
            assert len(strict_hop.wait_messages(1)) == 1
        finally:
            for sock in held:
                sock.close()
        assert waybill.children("proxy") == workers
        assert per_session < 8


def test_idle_tls_sessions_give_their_memory_back(start_waybill, capsys):
    """Logged in, a message behind them, silent: no MSA connection, few KiB;
    after they left, the next ones need no more."""
    count = 300
    waybill = start_waybill(limits={"sessions_per_address": 2000})
    worker, = waybill.children("proxy")

    def hold():
        held = []
        for _ in range(count):
            client = RawClient(waybill.ports["submissions"],
                               context=context)
            client.say("EHLO client.example.test")
            # What is big for a while must not stay.
            assert client.say("x" * 40000).startswith("500")
            held.append(client)
        return held

    context = waybill.context()
    before = resident(worker)
    held = hold()
    time.sleep(2.5)		# buffers stay for two seconds
    wait_until(lambda: steady(worker), what="silence")
    first = resident(worker)
    with capsys.disabled():
        print(f" [{(first - before) / count:.2f} KiB an idle TLS session]",
              end="")
    for client in held:
        client.close()
    wait_until(lambda: steady(worker), what="silence")
    for client in hold():
        client.close()
    time.sleep(2.5)
    assert (first - before) / count < 48
    assert resident(worker) < first + 2048


def test_silent_sessions_hold_no_msa_connection(start_waybill, strict_hop):
    waybill = start_waybill(strict_hop, msa_section={"idle_timeout": "300 ms"})
    held = [connect(waybill) for _ in range(20)]
    port = strict_hop.port
    wait_until(lambda: not connections_to(port), 15,
               "the end of all MSA connections")
    for client in held:
        assert client.say("MAIL FROM:<alice@example.test>").startswith("250")
        client.close()


def connections_to(port):
    """Established TCP connections to a local port."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        return [line for line in list(table)[1:]
                if line.split()[2].endswith(f":{port:04X}") and
                line.split()[3] == "01"]


@pytest.mark.parametrize("host", ["127.0.0.1"] +
                         (["::1"] if has_loopback6() else []))
def test_sessions_of_one_address_are_limited(start_waybill, host):
    waybill = start_waybill(limits={"sessions_per_address": 5})
    port = waybill.ports["submission"]
    held = [RawClient(port, host) for _ in range(5)]
    for _ in range(3):
        with RawClient(port, host) as client:
            assert client.greeting.startswith("421 4.7.0")
            assert client.ended()
    # Another address is let in, and so is this one when one has left.
    with RawClient(port, source="127.0.0.9") as client:
        assert client.greeting.startswith("220")
    held.pop().close()
    wait_until(lambda: greeted(port, host), what="room for one more")
    line = waybill.wait_line(event="refused", client=host)
    assert "sessions_per_address" in line["reason"]
    for client in held:
        client.close()


def greeted(port, host):
    with RawClient(port, host) as client:
        return client.greeting.startswith("220")


def test_sessions_of_a_worker_are_limited(start_waybill):
    waybill = start_waybill(limits={"sessions": 3})
    port = waybill.ports["submission"]
    held = [RawClient(port, source=f"127.0.0.{n}") for n in range(2, 5)]
    with RawClient(port, source="127.0.0.5") as client:
        assert client.greeting.startswith("421 4.7.0")
    held.pop().close()
    wait_until(lambda: greeted(port, "127.0.0.1"), what="room for one more")
    for client in held:
        client.close()


class FewFiles(Waybill):
    """Its processes may open no more than 100 files each."""

    def command(self):
        return ["/bin/sh", "-c", 'ulimit -n 100; exec "$@"', "sh",
                *super().command()]


def test_no_descriptor_left_is_survived(space, authority):
    """Who cannot be let in waits in the queue until somebody leaves."""
    with FewFiles(space / "wb", authority=authority) as waybill, \
            contextlib.ExitStack() as stack:
        worker, = waybill.children("proxy")
        port = waybill.ports["submission"]
        socks = [stack.enter_context(
            socket.create_connection(("127.0.0.1", port), 30))
            for _ in range(120)]
        waybill.wait_line(event="accept")
        assert socks[0].recv(100).startswith(b"220 ")
        # The last one is let in as soon as others have left.
        for sock in socks[:-1]:
            sock.close()
        assert socks[-1].recv(100).startswith(b"220 ")
        assert waybill.children("proxy") == [worker]


def test_idle_workers_use_no_processor(start_waybill):
    waybill = start_waybill(top={"workers": 2})
    held = [connect(waybill, "open") for _ in range(20)]
    wait_until(lambda: all(steady(pid) for pid in waybill.children()),
               what="silence")
    for client in held:
        assert client.say("NOOP").startswith("250")
        client.close()

"""Commands that no mail client sends: a clear reply to each, bounded memory,
and the session goes on or ends as it must (RFC 5321 4.2, 4.5.3)."""

import os
import socket
import threading
import time

import pytest

from peers import Authority, StrictHop, wait_until
from raw_client import RawClient, b64, plain
from waybill import USERS, Waybill

ALICE = plain("alice", USERS["alice"])
MAX_LINE = 4096


@pytest.fixture(scope="module", name="msa")
def fixture_msa(module_space):
    with StrictHop(module_space / "hop") as hop:
        yield hop
        assert hop.unforgiven() == []


@pytest.fixture(scope="module", name="waybill")
def fixture_waybill(module_space, msa):
    """One Waybill that forgives many errors in a session."""
    waybill = Waybill(module_space / "wb", msa,
                      authority=Authority(module_space / "ca"),
                      limits={"bad_commands": 1000})
    with waybill:
        yield waybill
        # Whatever was sent to it, nobody had to be started again.
        assert waybill.log.read_text().count("role=proxy") == 2


def connect(waybill, state="idle", **more):
    """A session in a state: clear, open, idle or mail."""
    if state == "clear":
        client = RawClient(waybill.ports["submission"], **more)
    else:
        client = RawClient(waybill.ports["submissions"],
                           context=waybill.context(), **more)
    client.hello()
    if state in ("idle", "mail"):
        assert client.say("AUTH PLAIN " + ALICE).startswith("235")
    if state == "mail":
        assert client.say("MAIL FROM:<alice@example.test>").startswith("250")
    return client


def resident(pid):
    """Memory of its own, in KiB: what is shared counts for nobody.  A
    sanitizer keeps what was freed, so that there is nothing to measure."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as table:
        if "libasan" in table.read():
            return 0
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as table:
        for line in table:
            if line.startswith("Private_Dirty"):
                return int(line.split()[1])
    return 0


STATES = ["clear", "open", "idle", "mail"]
UNKNOWN = ["FOO", "MAILFROM:<a@b>", "X" * 500, "GET / HTTP/1.1", "",
           " ", " NOOP", "N\u00d6\u00d6P", "EHLO\u00a0x", "EXPN list",
           "ETRN example.test", "XCLIENT ADDR=192.0.2.1",
           "XFORWARD NAME=x", "BURL imap://x LAST"]


@pytest.mark.parametrize("state", STATES)
def test_unknown_verbs_are_500(waybill, state):
    wanted = "530 5.7.0" if state == "clear" else "500 5.5.1"
    with connect(waybill, state) as client:
        for line in UNKNOWN:
            assert client.say(line).startswith(wanted), line
        assert client.say("NOOP").startswith("250 2.0.0")


@pytest.mark.parametrize("state, line, reply", [
    ("clear", "AUTH PLAIN", "530 5.7.0"), ("clear", "DATA", "530 5.7.0"),
    ("open", "MAIL FROM:<a@b.test>", "530 5.7.0"),
    ("open", "DATA", "530 5.7.0"), ("open", "XMTRK LIST", "530 5.7.0"),
    ("open", "STARTTLS", "503 5.5.1"), ("idle", "STARTTLS", "503 5.5.1"),
    ("idle", "RCPT TO:<b@b.test>", "503 5.5.1"), ("idle", "DATA", "503"),
    ("idle", "AUTH PLAIN", "503 5.5.1"), ("mail", "DATA", "503 5.5.1"),
    ("mail", "MAIL FROM:<a@b.test>", "503 5.5.1"),
    ("mail", "AUTH PLAIN", "503 5.5.1"), ("mail", "XMTRK LIST", "503 5.5.1"),
    ("idle", "DATA now", "503"), ("mail", "DATA now", "501 5.5.4"),
    ("idle", "RSET now", "501 5.5.4"), ("idle", "QUIT now", "501 5.5.4"),
    ("open", "EHLO", "501 5.5.4"), ("open", "HELO", "501 5.5.4"),
    ("open", "EHLO two words", "501 5.5.4"), ("idle", "VRFY", "501 5.5.4"),
    ("open", "EHLO " + "x" * 300, "501 5.5.4"),
    ("open", "EHLO under_score.test", "250"), ("open", "EHLO [::1", "501"),
    ("open", "RSET", "250 2.0.0"), ("clear", "RSET", "530 5.7.0")])
def test_verbs_out_of_order_or_misused(waybill, state, line, reply):
    with connect(waybill, state) as client:
        assert client.say(line).startswith(reply)
        assert client.say("NOOP").startswith("250 2.0.0")


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("octet", [0, 1, 7, 8, 11, 13, 27, 127])
def test_controls_in_commands_are_refused(waybill, state, octet):
    with connect(waybill, state) as client:
        for line in (b"NOOP %c", b"%cNOOP", b"NO%cOP"):
            client.send(line % octet + b"\r\n")
            assert client.reply().startswith("500 5.5.2"), line
        assert client.say("NOOP").startswith("250")


def test_a_nul_hides_nothing(waybill):
    """What stands behind it must not be forgotten, nor run."""
    with connect(waybill) as client:
        client.send(b"NOOP\0\r\nMAIL FROM:<alice@example.test>\0\r\n"
                    b"MAIL FROM:<al\0ice@example.test>\r\nNOOP\r\n")
        assert [client.reply()[:9] for _ in range(4)] == \
            ["500 5.5.2"] * 3 + ["250 2.0.0"]


def test_8_bit_where_it_may_not_be(waybill):
    with connect(waybill) as client:
        for line in (b"MAIL FROM:<\xe4lice@example.test>",
                     b"MAIL FROM:<alice@example.test> ENVID=\xe4",
                     b"MAIL FROM:<alice@example.test> S\xcfZE=1",
                     b"MAIL FROM:<\xff\xfe@example.test> SMTPUTF8",
                     b"MAIL FROM:<\xc0\xaf@example.test> SMTPUTF8"):
            client.send(line + b"\r\n")
            assert client.reply()[0] == "5", line
        assert client.say("MAIL FROM:<alice@example.test>").startswith("250")
        client.send(b"RCPT TO:<b\xf6b@example.test>\r\n")
        assert client.reply()[0] == "5"
        assert client.say("RSET").startswith("250")


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("octets", [MAX_LINE + 1, 8192, 70000, 1 << 20])
def test_overlong_lines_cost_a_500_and_no_more(waybill, state, octets):
    with connect(waybill, state) as client:
        client.send(b"NOOP " + b"x" * (octets - 7) + b"\r\nNOOP\r\n")
        assert client.reply() == "500 5.5.2 Line too long"
        assert client.reply().startswith("250 2.0.0")


@pytest.mark.parametrize("state", STATES)
def test_a_line_of_4096_octets_is_taken(waybill, state):
    with connect(waybill, state) as client:
        client.send(b"NOOP " + b"x" * (MAX_LINE - 7) + b"\r\n")
        assert client.reply().startswith("250")


def test_the_end_of_an_overlong_line_is_no_command(waybill):
    """However it is cut: QUIT at its end does not quit."""
    with connect(waybill) as client:
        for size in (MAX_LINE - 5, MAX_LINE - 4, MAX_LINE, 16384, 65536):
            client.send(b"x" * size)
            time.sleep(0.01)
            client.send(b"QUIT\r\nNOOP\r\n")
            assert client.reply().startswith("500"), size
            assert client.reply().startswith("250"), size


def test_a_megabyte_without_newline_is_not_kept(waybill):
    worker, = waybill.children("proxy")
    with connect(waybill, "open") as client:
        before = resident(worker)
        for _ in range(32):
            client.send(b"x" * (1 << 20))
        assert resident(worker) - before < 2048
        client.send(b"\r\n")
        assert client.reply() == "500 5.5.2 Line too long"


def test_one_octet_at_a_time(waybill, msa):
    text = ("MAIL FROM:<alice@example.test>\r\nRCPT TO:<bob@example.test>"
            "\r\nDATA\r\n")
    count = len(msa.messages())
    with connect(waybill) as client:
        for line in text.splitlines(keepends=True):
            for octet in line:
                client.send(octet)
            assert client.reply()[0] in "23"
        for octet in "Subject: x\r\n\r\n..slow\r\n.\r\n":
            client.send(octet)
        assert client.reply().startswith("250")
    assert b"\r\n.slow\r\n" in msa.wait_messages(count + 1)[-1]["raw"]


def test_bare_newlines_end_commands_but_no_message(waybill):
    with connect(waybill) as client:
        client.send(b"NOOP\nNOOP\n")
        assert client.reply()[0] in "25" and client.reply()[0] in "25"


def test_the_limit_of_bad_commands(start_waybill):
    waybill = start_waybill(limits={"bad_commands": 5})
    for state in ("clear", "open", "idle"):
        with connect(waybill, state) as client:
            for _ in range(4):
                assert client.say("FOO")[0] == "5"
            assert client.say("NOOP").startswith("250")
            assert client.say("x" * 5000)[0] == "5"
            assert client.reply().startswith("421 4.7.0")
            assert client.ended()
    # The same in one write: what stands behind is not run.
    with connect(waybill) as client:
        client.send("FOO\r\n" * 50)
        replies = [client.reply()[:3] for _ in range(6)]
        assert replies == ["500"] * 5 + ["421"]
        assert client.ended()


def test_a_login_pays_for_earlier_errors(start_waybill):
    waybill = start_waybill(limits={"bad_commands": 5})
    with connect(waybill, "open") as client:
        for _ in range(4):
            client.say("FOO")
        assert client.say("AUTH PLAIN " + ALICE).startswith("235")
        for _ in range(4):
            assert client.say("FOO").startswith("500")
        assert client.say("QUIT").startswith("221")


def test_cancelled_exchanges_are_errors_too(start_waybill):
    """Else a client could hold a session without a login for ever."""
    waybill = start_waybill(limits={"bad_commands": 5})
    with connect(waybill, "open") as client:
        for _ in range(5):
            assert client.say("AUTH PLAIN").startswith("334")
            assert client.say("*").startswith("501")
        assert client.reply().startswith("421 4.7.0")


def test_a_client_that_reads_no_replies_is_bounded(waybill):
    """It may send a hundred thousand commands: the worker keeps neither
    them nor their replies."""
    worker, = waybill.children("proxy")
    before = resident(worker)
    with connect(waybill, "open", timeout=120) as client:
        stuck = threading.Event()

        def flood():
            try:
                for _ in range(200):
                    client.send(b"HELP\r\n" * 5000)
            except OSError:
                pass
            stuck.set()

        thread = threading.Thread(target=flood, daemon=True)
        thread.start()
        # Others are served meanwhile.
        with connect(waybill) as other:
            assert other.say("NOOP").startswith("250")
        wait_until(lambda: stuck.is_set() or steady(worker), 30)
        assert resident(worker) - before < 4096
        client.sock.shutdown(socket.SHUT_RDWR)
        thread.join(30)


def steady(pid):
    """Has it stopped working?"""
    def used():
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])
    before = used()
    time.sleep(0.5)
    return used() - before <= 1


def test_many_commands_in_one_write_are_all_answered(waybill):
    """In clear: a TLS object is not for two threads."""
    with connect(waybill, "clear") as client:
        count = 20000
        thread = threading.Thread(
            target=client.send, args=(b"NOOP\r\n" * count,), daemon=True)
        thread.start()
        replies = [client.reply() for _ in range(count)]
        assert set(replies) == {"250 2.0.0 OK"}
        thread.join()
    with connect(waybill) as client:
        client.send(b"NOOP\r\n" * 2000)
        replies = [client.reply() for _ in range(2000)]
        assert set(replies) == {"250 2.0.0 OK"}


def test_binary_noise_harms_nobody(waybill):
    """Whatever comes, in clear or in TLS, the worker stays."""
    worker, = waybill.children("proxy")
    for seed in range(30):
        noise = os.urandom(3000 + seed * 400)
        for state in ("clear", "open", "idle"):
            with connect(waybill, state) as client:
                try:
                    client.send(noise + b"\r\nQUIT\r\n")
                    while client.line():
                        pass
                except OSError:
                    pass
    assert waybill.children("proxy") == [worker]


def test_clients_that_reset_at_any_point(waybill):
    """RST instead of a farewell, at every step up to the message."""
    worker, = waybill.children("proxy")
    steps = ["EHLO client.example.test", "AUTH PLAIN", ALICE,
             "MAIL FROM:<alice@example.test>", "RCPT TO:<bob@example.test>",
             "DATA", "Subject: half a mess"]
    for count in range(len(steps) + 1):
        for answered in (True, False):
            client = RawClient(waybill.ports["submissions"],
                               context=waybill.context())
            for step in steps[:count]:
                client.send(step + "\r\n")
                if answered and step != steps[-1]:
                    client.reply()
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                   b"\1\0\0\0\0\0\0\0")
            client.close()
    with connect(waybill) as client:
        assert client.say("NOOP").startswith("250")
    assert waybill.children("proxy") == [worker]


def test_error_replies_carry_enhanced_codes(waybill):
    """RFC 2034: one on every 4xx and 5xx, its class the same."""
    lines = ["FOO", "MAIL", "MAIL FROM", "MAIL FROM:<", "MAIL FROM:<a@b> X",
             "MAIL FROM:<a@b.test> SIZE=x", "RCPT TO:<a@b> X", "DATA",
             "VRFY",
             "AUTH X", "XMTRK", "XMTRK FOO", "STARTTLS x", "x" * 5000]
    for state in STATES:
        with connect(waybill, state) as client:
            for line in lines:
                reply = client.say(line)
                for part in reply.split("\n"):
                    code, enhanced = part[:3], part[4:].split()[0]
                    assert enhanced.split(".")[0] == code[0], part
                    assert len(enhanced.split(".")) == 3, part


def test_replies_name_no_secret(waybill):
    with connect(waybill, "open") as client:
        reply = client.say("AUTH PLAIN " + b64("\0alice\0s3cret") + "\0")
        assert "alice" not in reply and "s3cret" not in reply

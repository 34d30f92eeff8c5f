"""The message itself (RFC 5321 4.5.2, 2.3.8): streamed in bounded memory,
ended by CRLF.CRLF alone, whole or not at all, its header as it was."""

import re
import socket
import struct
import threading
import time

import pytest

from peers import RawMsa, StrictHop, wait_until
from waybill import Waybill
from wire import HandMsa, Wire, answer_until, resident, sanitized

EVIL = (b"MAIL FROM:<evil@example.test>\r\nRCPT TO:<victim@example.test>\r\n"
        b"DATA\r\nSubject: smuggled\r\n\r\nx\r\n")
# What is no end of a message, whatever others have taken it for.
FALSE_ENDS = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n",
              b"\r\n.\r", b"\r\n\0.\r\n", b"\r\r\n.\n", b"\n\n.\n\n",
              b"\r\n.\r\r\n", b"\r\n. \r\n", b"\r\n.\x0c\r\n"]


@pytest.fixture(scope="module", name="hop")
def fixture_hop(module_space):
    with StrictHop(module_space / "hop") as peer:
        yield peer
        assert peer.violations() == []


@pytest.fixture(scope="module", name="waybill")
def fixture_waybill(module_space, authority, hop):
    with Waybill(module_space / "wb", hop, authority=authority) as running:
        yield running


@pytest.fixture(name="client")
def fixture_client(waybill):
    wire = Wire(waybill)
    yield wire
    wire.close()


def without_received(raw):
    """A message as the MSA got it, less the field that we put before it."""
    match = re.match(rb"Received: (?:.*\r\n)(?:[ \t].*\r\n)*", raw)
    assert match, raw[:200]
    return raw[match.end():]


def canonical(data):
    """What the MSA must see of a client's octets, dots not stuffed."""
    lines = data.split(b"\r\n")
    lines = [line[1:] if line[:1] == b"." else line for line in lines]
    return re.sub(rb"\r\n|\r|\n", b"\r\n", b"\r\n".join(lines))


def test_one_worker_moves_100_megabytes_in_bounded_memory(start_waybill,
                                                          start_peer, space):
    msa = start_peer(RawMsa(space / "raw", "--discard"))
    waybill = start_waybill(msa)
    client = Wire(waybill)
    proxy = waybill.children("proxy")[0]
    assert client.message(b"Subject: first\r\n\r\nx\r\n")[0] == 250
    before, most = resident(proxy), 0
    block = (b".." + b"x" * 76 + b"\r\n") * 13107		# 1 MiB
    client.begin()
    client.raw(b"Subject: large\r\nMessage-ID: <large@client.test>\r\n\r\n")
    for _ in range(100):
        client.raw(block)
        most = max(most, resident(proxy))
    assert client.ask(".")[0] == 250
    client.quit()
    size = msa.wait_messages(2)[1]["size"]
    assert 100 * len(block) < size < 100 * len(block) + 4096
    assert sanitized(waybill) or \
        most - before < 4 << 10, (before, most)
    line = waybill.wait_line(event="message", message_id="<large@client.test>")
    assert 98 * len(block) < int(line["size"]) < 100 * len(block)


def test_a_slow_msa_pauses_the_client(start_waybill):
    go_on = threading.Event()
    got = bytearray()

    def script(conn):
        answer_until(conn, "DATA")
        conn.send("354 go")
        go_on.wait(60)
        while not (conn.buffer.endswith(b"\r\n.\r\n")):
            got.extend(conn.buffer[:-5])
            conn.buffer = conn.buffer[-5:]
            conn.fill()
        got.extend(conn.buffer)
        conn.buffer = b""
        conn.send("250 2.0.0 Ok: queued as SLOW")
        conn.closed()

    with HandMsa(script, receive_buffer=16384) as msa:
        waybill = start_waybill(msa)
        client = Wire(waybill)
        proxy = waybill.children("proxy")[0]
        client.begin()
        before = resident(proxy)
        block = (b"y" * 78 + b"\r\n") * 6553		# 512 KiB
        client.raw(b"Subject: slow\r\n\r\n")
        sent, stuck = 0, threading.Event()

        def push():
            nonlocal sent
            for _ in range(128):
                client.raw(block)
                sent += 1
            client.raw(b".\r\n")
            stuck.set()

        pusher = threading.Thread(target=push, daemon=True)
        pusher.start()
        last = [-1]

        def stands_still():
            now, last[0] = last[0], sent
            time.sleep(0.3)
            return now == sent
        wait_until(stands_still, 20, "a pause")
        assert not stuck.is_set() and sent < 100
        assert sanitized(waybill) or \
            resident(proxy) - before < 4 << 10
        go_on.set()
        assert client.reply()[0] == 250
        pusher.join(20)
        assert got.count(b"\r\n" + b"y" * 78) == 128 * 6553
        client.quit()


@pytest.mark.parametrize("end", FALSE_ENDS)
def test_nothing_is_smuggled(client, hop, end):
    """The same message in one piece, and parted within the false end."""
    data = b"Subject: one\r\nMessage-ID: <%d@c.test>\r\n\r\nbefore" + end + \
        EVIL + b"after\r\n"
    begin = data.index(end)
    before = len(hop.messages())
    splits = [None, begin + 1, begin + len(end) - 1, begin + len(end)]
    for number, split in enumerate(splits):
        body = data % number
        client.begin()
        if split:
            client.raw(body[:split])
            time.sleep(0.01)
            body = body[split:]
        client.raw(body + b".\r\n")
        assert client.reply()[0] == 250
    got = hop.wait_messages(before + len(splits))[before:]
    assert len(got) == len(splits)
    for number, message in enumerate(got):
        assert without_received(message["raw"]) == canonical(data % number)
    assert all(b"victim" not in str(message["recipients"]).encode()
               for message in got)
    assert client.ask("NOOP")[0] == 250


def test_dots_go_through_as_they_are(client, hop):
    lines = [b".", b"..", b"...", b".x", b"", b" .", b"x."]
    stuffed = [b"." + line if line[:1] == b"." else line for line in lines]
    head = b"Message-ID: <dots@c.test>\r\n\r\n"
    count = len(hop.messages())
    assert client.message(head + b"\r\n".join(stuffed) + b"\r\n")[0] == 250
    raw = hop.wait_messages(count + 1)[count]["raw"]
    assert without_received(raw) == head + b"\r\n".join(lines) + b"\r\n"


@pytest.mark.parametrize("bare", [b"a\nb", b"a\rb", b"a\n.\nb", b"\n"])
def test_bare_newlines_may_be_refused(start_waybill, raw_msa, bare):
    waybill = start_waybill(raw_msa, limits={"bare_newline": "reject"})
    client = Wire(waybill)
    head = b"Subject: x\r\n\r\n"
    client.begin()
    client.raw(head + bare + b"\r\n" + b"more\r\n" * 30000 + b".\r\n")
    code, text = client.reply()
    assert (code, text[:3]) == (550, "5.6")
    assert client.message(head + b"good\r\n")[0] == 250
    client.quit()
    messages = raw_msa.wait_messages(1)
    assert len(messages) == 1 and b"good" in messages[0]["raw"]
    assert waybill.lines(event="message", code=550)


@pytest.mark.parametrize("together", [True, False])
def test_data_before_its_reply_ends_the_session(start_waybill, raw_msa,
                                                together):
    raw_msa.behave(delay={"DATA": 0.3})
    waybill = start_waybill(raw_msa)
    client = Wire(waybill)
    client.send("MAIL FROM:<a@b.test>", "RCPT TO:<c@d.test>")
    assert client.codes(2) == [250, 250]
    text = b"Subject: early\r\n\r\nx\r\n.\r\nQUIT\r\n"
    if together:
        client.raw(b"DATA\r\n" + text)
    else:
        client.send("DATA")
        time.sleep(0.05)
        client.raw(text)
    replies = client.closed()
    assert b"554 5.5.0" in replies and b"250" not in replies
    raw_msa.wait_event("close", 2)
    assert raw_msa.messages() == []
    assert waybill.lines(event="pipelining")


@pytest.mark.parametrize("lines, behaviour", [
    (["MAIL FROM:<a@b.test>", "RCPT TO:<c@d.test>"],
     {"replies": {"DATA": "554 5.5.1 No valid recipients"}}),
    (["MAIL FROM:<a@b.test>", "RCPT TO:<c@d.test>"], {"close": ["DATA"]}),
    (["MAIL FROM:<a@b.test>", "RCPT TO:<c@d.test>"], {"close": ["RCPT"]}),
    (["MAIL FROM:<a@b.test>"], {}), ([], {})],
    ids=["refused", "lost", "lost before", "no recipient", "no sender"])
def test_a_message_is_never_read_as_commands(start_waybill, raw_msa, lines,
                                             behaviour):
    """Whoever wrote the message would speak with the user's voice."""
    raw_msa.behave(**behaviour)
    waybill = start_waybill(raw_msa)
    client = Wire(waybill)
    for line in lines:
        client.ask(line)
    client.raw(b"DATA\r\nRSET\r\n" + EVIL + b".\r\n")
    replies = client.closed()
    assert b"554 5.5.0" in replies and b"250" not in replies
    assert b"354" not in replies
    assert not [event for event in raw_msa.commands("MAIL")
                if "evil" in event["line"]]
    waybill.wait_line(event="pipelining", user="alice")


@pytest.mark.parametrize("how", ["closes", "resets", "timeout"])
@pytest.mark.parametrize("text", [
    b"Subject: cut\r\n\r\nhalf a mess", b"Subject: cut\r\n\r\nline\r\n.",
    b"Subject: cut\r\n\r\nline\r\n.\r", b"Subject: cut\r\n\r\nline\n.\n",
    b"Subject: cut\r\n\r\n" + b"z" * 500000 + b"\r\n", b""],
    ids=["line", "dot", "dot-cr", "bare", "large", "nothing"])
def test_a_client_lost_in_the_middle_sends_nothing(lost, how, text):
    waybill, msa = lost
    before = len(msa.events("open"))
    client = Wire(waybill)
    client.begin()
    client.raw(text)
    if how == "resets":
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                               struct.pack("ii", 1, 0))
    if how == "timeout":
        assert client.closed().startswith(b"421 ")
    client.close()
    session = before + 1
    wait_until(lambda: [event for event in msa.events("close")
                        if event["session"] >= session],
               what="the end of the MSA's connection")
    assert msa.messages() == []
    assert not [event for event in msa.events()
                if event["session"] >= session and
                "QUIT" in event.get("line", "") + event.get("tail", "")]


@pytest.fixture(scope="module", name="lost")
def fixture_lost(module_space, authority):
    with RawMsa(module_space / "lost") as msa:
        with Waybill(module_space / "wblost", msa, authority=authority,
                     limits={"data_timeout": "300 ms"},
                     msa_section={"probe_interval": "1 h"}) as waybill:
            msa.wait_event("close")		# the probe
            yield waybill, msa


@pytest.mark.parametrize("refused", [False, True])
def test_a_message_that_trickles_is_cut_in_the_end(start_waybill, refused):
    def script(conn):
        answer_until(conn, "DATA")
        conn.send("354 go")
        if refused:
            conn.send("552 5.3.4 Too much")
        ends.append(conn.closed())

    ends = []
    with HandMsa(script) as msa:
        waybill = start_waybill(msa, limits={"message_timeout": "1 s"})
        client = Wire(waybill)
        client.begin()
        client.raw(b"Message-ID: <slow@c.test>\r\n\r\n")
        client.sock.settimeout(0.05)
        said = b""
        while not said:
            client.raw(b"x")
            try:
                said = client.sock.recv(4096)
            except TimeoutError:
                pass
        assert said.startswith(b"421 4.4.2 ")
        wait_until(lambda: ends, what="the MSA's connection to end")
        assert b"\r\n.\r\n" not in ends[0] and b"QUIT" not in ends[0]
        line = waybill.wait_line(event="message_cut")
        assert "421 4.4.2" in line["reply"]


def test_the_log_knows_the_tls_of_a_client_that_left(client, waybill):
    client.begin()
    client.raw(b"Message-ID: <gone@c.test>\r\n\r\nbye\r\n.\r\n")
    client.close()
    line = waybill.wait_line(event="message", message_id="<gone@c.test>")
    assert line["tls"] == "TLSv1.3"


def test_a_missing_message_id_is_added(client, waybill, hop):
    count = len(hop.messages())
    text = b"From: a@b.test\r\nSubject: none\r\n\r\nbody\r\n"
    assert client.message(text)[0] == 250
    raw = without_received(hop.wait_messages(count + 1)[count]["raw"])
    match = re.search(rb"Message-ID: (<[^>]+@submit\.example\.test>)\r\n", raw)
    assert raw == text[:text.index(b"\r\n\r\n") + 2] + match.group() + \
        text[text.index(b"\r\n\r\n") + 2:]
    shown = client.whole(f"XMTRK SHOW {match.group(1).decode()}")
    assert shown[0].startswith("250-") and any("none" in line
                                               for line in shown)
    line = waybill.wait_line(event="message",
                             message_id=match.group(1).decode())
    assert line["queue_id"]


@pytest.mark.parametrize("head", [
    b"Message-ID:\r\n <folded@c.test>\r\nSubject: a\r\n  b\r\n\tc\r\n",
    b"Message-ID: <first@c.test>\r\nMessage-ID: <second@c.test>\r\n"
    b"Subject: 1\r\nsubject: 2\r\nDate: x\r\nDate: y\r\n",
    b"mEsSaGe-Id : <odd@c.test>\r\nX-Long: " + b"w" * 65000 + b"\r\n",
    b"Message-ID: <many@c.test>\r\n" + b"X-Fold: start\r\n" +
    b" folded line\r\n" * 5000,
    b"Message-ID: <eight@c.test>\r\nSubject: \xff\xfe\xe4\r\n",
    b"Subject: " + b"=?utf-8?q?" + b"x" * 65000 + b"?=\r\n"
    b"Message-ID: <subject@c.test>\r\n",
], ids=["folded", "twice", "long", "many", "eight", "subject"])
def test_headers_survive_byte_for_byte(client, hop, head):
    count = len(hop.messages())
    text = head + b"\r\nbody\r\n"
    for part in range(0, len(text), 60001):
        if part == 0:
            client.begin(mail="")
        client.raw(text[part:part + 60001])
    assert client.ask(".")[0] == 250
    raw = hop.wait_messages(count + 1)[count]["raw"]
    assert without_received(raw) == text
    wanted = re.search(rb"<[^>]+@c.test>", head).group().decode()
    assert client.ask(f"XMTRK SHOW {wanted}")[0] == 250


def test_a_message_without_header_or_body(client, hop):
    count = len(hop.messages())
    for text in (b"", b"\r\n", b"no header\r\n", b"Subject: only\r\n"):
        assert client.message(text)[0] == 250
    got = [without_received(message["raw"])
           for message in hop.wait_messages(count + 4)[count:]]
    assert all(raw.count(b"Message-ID: <") == 1 for raw in got)
    assert got[2].endswith(b"\r\n\r\nno header\r\n")


def early_msa(early, after):
    """Says `early` once `after` octets of a message have come."""
    def script(conn):
        answer_until(conn, "DATA")
        conn.send("354 go")
        while len(conn.buffer) < after:
            conn.fill()
        conn.send(early)
        ends.append(conn.closed())
    ends = []
    return HandMsa(script), ends


@pytest.mark.parametrize("early, want", [
    ("552 5.3.4 Too much", (552, "5.3.4 Too much")),
    ("452 4.3.1 No room", (452, "4.3.1 No room")),
    ("554-5.7.1 no\r\n554 5.7.1 thanks", (554, "5.7.1 no\n5.7.1 thanks")),
    ("421 4.3.2 Bye", (451, "4.3.2 Bye")),
    ("250 2.0.0 Ok: taken too early", (451, None)),
    ("gibberish", (451, None))])
def test_an_early_reply_is_passed_on_at_the_end(start_waybill, early, want):
    msa, ends = early_msa(early, 100000)
    with msa:
        waybill = start_waybill(msa)
        client = Wire(waybill)
        client.begin()
        client.raw(b"Subject: early\r\n\r\n" + (b"x" * 78 + b"\r\n") * 20000)
        client.sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.reply()			# not before our own end
        client.sock.settimeout(20)
        code, text = client.ask(".")
        assert code == want[0], text
        assert want[1] in (None, text)
        wait_until(lambda: ends, what="the MSA's connection to end")
        assert not ends[0].endswith(b"\r\n.\r\n")
        assert client.ask("MAIL FROM:<a@b.test>")[0] == 250
        client.quit()
        line = waybill.wait_line(event="message")
        assert line["code"] == str(want[0])


def test_the_client_that_leaves_behind_its_end_still_sends(client, hop):
    count = len(hop.messages())
    client.begin()
    client.raw(b"Message-ID: <left@c.test>\r\n\r\nbye\r\n.\r\n")
    client.close()
    raw = hop.wait_messages(count + 1)[count]["raw"]
    assert without_received(raw).endswith(b"\r\n\r\nbye\r\n")

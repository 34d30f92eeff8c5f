"""Verbs, parameters and what EHLO offers, through the real daemons to an MSA
that records what it was sent (RFC 5321, 1870, 3461, 6152, 6409, 6531)."""

import time

import pytest

from peers import RawMsa, StrictHop, wait_until
from waybill import Waybill
from wire import EHLO, Wire

OURS = {"PIPELINING", "MTRK", "XMTRK"}


@pytest.fixture(scope="module", name="hop")
def fixture_hop(module_space):
    with RawMsa(module_space / "raw") as peer:
        yield peer


@pytest.fixture(scope="module", name="waybill")
def fixture_waybill(module_space, authority, hop):
    with Waybill(module_space / "wb", hop, authority=authority,
                 limits={"recipients": 5, "bad_commands": 50}) as running:
        yield running


@pytest.fixture(name="client")
def fixture_client(waybill, hop):
    hop.behave()
    wire = Wire(waybill)
    yield wire
    wire.close()


def look_again(waybill):
    """A session whose connection to the MSA sees what it offers now."""
    wire = Wire(waybill)
    wire.ask("MAIL FROM:<>")
    wire.quit()


def envelope(hop, count):
    """The last MAIL and RCPT lines that the MSA got."""
    return [event["line"] for event in hop.events("command")
            if event["line"][:4] in ("MAIL", "RCPT")][-count:]


def test_ehlo_offers_what_the_msa_has(waybill, hop):
    wire = Wire(waybill, None)
    wait_until(lambda: "SIZE" in wire.ehlo(), what="the first probe")
    before = wire.ehlo()
    wire.login("alice", waybill.users["alice"])
    after = wire.ehlo()
    wire.quit()
    assert before.pop("AUTH").split()[0]
    assert before == after
    assert set(after) == OURS | {"SIZE", "8BITMIME", "SMTPUTF8", "DSN",
                                 "ENHANCEDSTATUSCODES"}
    assert 209715200 - 8192 <= int(after["SIZE"]) < 209715200
    assert hop.commands("EHLO")


def test_changes_of_the_msa_are_noted(waybill, hop):
    hop.behave(capabilities=["8BITMIME", "CHUNKING", "BINARYMIME",
                             "XNONSENSE", "VRFY", "ETRN", "AUTH PLAIN"])
    look_again(waybill)
    wire = Wire(waybill, None)
    wait_until(lambda: "SIZE" not in wire.ehlo(), what="the change")
    assert set(wire.ehlo()) == OURS | {"8BITMIME", "AUTH"}
    assert waybill.lines(event="msa_capabilities", offers="8BITMIME AUTH "
                         "CHUNKING BINARYMIME")
    hop.behave()
    look_again(waybill)
    wait_until(lambda: "SIZE" in wire.ehlo(), what="the change back")
    wire.quit()


def test_before_the_first_probe_only_our_own_is_offered(start_waybill):
    waybill = start_waybill(None)
    wire = Wire(waybill, None)
    assert set(wire.ehlo()) == OURS | {"AUTH"}
    wire.quit()


@pytest.mark.parametrize("verb", ["MAIL FROM:<a@b.test>", "RCPT TO:<a@b.test>",
                                  "DATA", "XMTRK LIST", "VRFY x"])
def test_nothing_without_login(waybill, verb):
    wire = Wire(waybill, None)
    wire.ehlo()
    assert wire.ask(verb)[0] == 530
    assert wire.quit() == 221


def test_verbs_in_and_out_of_order(client):
    for line, want in [
            ("NOOP", 250), ("noop whatever", 250), ("HELP", 214),
            ("HELP MAIL", 214), ("VRFY bob", 252), ("VRFY", 501),
            ("RSET", 250), ("RSET now", 501), ("RCPT TO:<a@b.test>", 503),
            ("DATA", 503), ("AUTH PLAIN AGEAYg==", 503), ("STARTTLS", 503),
            ("EXPN all", 500), ("TURN", 500), ("", 500),
            ("mail from:<a@b.test>", 250), ("MAIL FROM:<a@b.test>", 503),
            ("XMTRK LIST", 503), ("DATA", 503), ("DATA now", 501),
            ("NOOP", 250), ("VRFY bob", 252), ("HELP", 214),
            ("rcpt to:<c@d.test>", 250), ("RSET", 250), ("DATA", 503)]:
        code, text = client.ask(line)
        assert code == want, (line, code, text)
    assert client.quit() == 221


@pytest.mark.parametrize("line, want", [
    ("MAIL", 501), ("MAIL FROM", 501), ("MAIL FROM:", 501),
    ("MAIL FROM:a@b.test", 501), ("MAIL FROM:<a@b.test", 501),
    ("MAIL TO:<a@b.test>", 501), ("MAIL FROM:<a b@c.test>", 501),
    ("MAIL FROM:<@b.test>", 501), ("MAIL FROM:<a@>", 501),
    ("MAIL FROM:<a@b.test>SIZE=1", 501),
    ("MAIL FROM:<a@b.test> NONSENSE", 555),
    ("MAIL FROM:<a@b.test> NONSENSE=1", 555),
    ("MAIL FROM:<a@b.test> SIZE", 501), ("MAIL FROM:<a@b.test> SIZE=", 501),
    ("MAIL FROM:<a@b.test> SIZE=-1", 501),
    ("MAIL FROM:<a@b.test> SIZE=1x", 501),
    ("MAIL FROM:<a@b.test> SIZE=1 SIZE=1", 501),
    ("MAIL FROM:<a@b.test> SIZE=999999999999", 552),
    ("MAIL FROM:<a@b.test> SIZE=209715200", 552),
    ("MAIL FROM:<a@b.test> BODY=BINARYMIME", 504),
    ("MAIL FROM:<a@b.test> BODY=", 501),
    ("MAIL FROM:<a@b.test> SMTPUTF8=1", 501),
    ("MAIL FROM:<\u00e4@b.test>", 550),
    ("MAIL FROM:<a@b.test> RET=ALL", 501),
    ("MAIL FROM:<a@b.test> ENVID=", 501),
    ("MAIL FROM:<a@b.test> ENVID=a+b", 501),
    ("MAIL FROM:<a@b.test> ENVID=" + "x" * 101, 501),
    ("MAIL FROM:<a@b.test> MTRK=eD72e8cRib6kzdkkE9IFMiKt+FA:60", 501),
    ("MAIL FROM:<a@b.test> MTRK=eD72e8cRib6kzdkkE9IFMiKt+FA ENVID=1", 501),
    ("MAIL FROM:<a@b.test> MTRK=short ENVID=1@b.test", 501),
    ("MAIL FROM:<a@b.test> NOTIFY=NEVER", 555),
    ("MAIL FROM:<a@b.test> AUTH=+", 501),
])
def test_mail_is_read_strictly(client, hop, line, want):
    sent = len(hop.commands("MAIL"))
    code, text = client.ask(line)
    assert code == want, text
    assert text.startswith("5.")
    assert len(hop.commands("MAIL")) == sent
    assert client.ask("MAIL FROM:<>")[0] == 250


@pytest.mark.parametrize("line, want", [
    ("RCPT", 501), ("RCPT TO:", 501), ("RCPT TO:<>", 501),
    ("RCPT TO:<a@b@c.test>", 501), ("RCPT FROM:<a@b.test>", 501),
    ("RCPT TO:<a@b.test> SIZE=1", 555), ("RCPT TO:<a@b.test> X=1", 555),
    ("RCPT TO:<a@b.test> NOTIFY=", 501),
    ("RCPT TO:<a@b.test> NOTIFY=NEVER,DELAY", 501),
    ("RCPT TO:<a@b.test> NOTIFY=DELAY NOTIFY=DELAY", 501),
    ("RCPT TO:<a@b.test> ORCPT=x@b.test", 501),
    ("RCPT TO:<a@b.test> ORCPT=rfc822;" + "x" * 500 + "@b.test", 501),
    ("RCPT TO:<\u00e4@b.test>", 553),
])
def test_rcpt_is_read_strictly(client, hop, line, want):
    client.ask("MAIL FROM:<a@b.test>")
    code, text = client.ask(line)
    assert code == want, text
    assert client.ask("RCPT TO:<a@b.test>")[0] == 250
    assert len(envelope(hop, 2)) == 2 and "MAIL" in envelope(hop, 2)[0]


@pytest.mark.parametrize("mail, rcpt", [
    ("<a@b.test> BODY=8BITMIME RET=HDRS ENVID=x+2By",
     '<"c d"@e.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Other+40f.test'),
    ("<> BODY=7BIT RET=FULL ENVID=Q1@b.test",
     "<a@[192.0.2.1]> NOTIFY=NEVER ORCPT=x400;+2Fc"),
    ("<\u00e4@b.test> SMTPUTF8 ENVID=Q2@b.test",
     "<\u00f6@b.test> ORCPT=rfc822;a@b.test"),
])
def test_good_parameters_arrive_as_they_were(client, hop, mail, rcpt):
    assert client.ask(f"mail from:{mail}")[0] == 250
    assert client.ask(f"RCPT TO:{rcpt}")[0] == 250
    got = [line.encode("latin-1").decode() for line in envelope(hop, 2)]
    words = got[0].removeprefix("MAIL FROM:").split(" ")
    assert sorted(words) == sorted(mail.split(" "))
    assert got[1] == f"RCPT TO:{rcpt}"


def test_size_covers_what_is_added(client, hop):
    assert client.ask("MAIL FROM:<a@b.test> SIZE=1000")[0] == 250
    size = int(envelope(hop, 1)[0].split("SIZE=")[1].split()[0])
    assert 1000 < size < 10000


@pytest.mark.parametrize("without, mail, rcpt", [
    ("DSN", " RET=FULL", ""), ("DSN", "", " NOTIFY=DELAY"),
    ("8BITMIME", " BODY=8BITMIME", ""),
    ("SMTPUTF8", " SMTPUTF8", "")])
def test_what_this_connection_lacks_is_451(waybill, hop, without, mail, rcpt):
    wire = Wire(waybill, None)
    wait_until(lambda: without in wire.ehlo(), what=without)
    capabilities = ["PIPELINING", "SIZE 209715200", "8BITMIME", "DSN",
                    "SMTPUTF8"]
    hop.behave(capabilities=[word for word in capabilities
                             if word != without])
    seen = len(waybill.lines(event="msa_lacks", extension=without))
    wire.login("alice", waybill.users["alice"])
    code = wire.ask(f"MAIL FROM:<a@b.test>{mail}")[0]
    if rcpt:
        assert code == 250
        code = wire.ask(f"RCPT TO:<c@d.test>{rcpt}")[0]
    assert code == 451
    waybill.wait_line(event="msa_lacks", extension=without, count=seen + 1)
    wire.ask("RSET")
    assert wire.ask("MAIL FROM:<a@b.test>")[0] == 250
    assert wire.ask("RCPT TO:<c@d.test>")[0] == 250
    hop.behave()
    look_again(waybill)
    wire.quit()


def test_overlong_line_costs_the_line_and_not_the_session(client):
    fits = "NOOP " + "x" * (4096 - 7)
    assert client.ask(fits)[0] == 250
    code, text = client.ask(fits + "x")
    assert (code, text[:5]) == (500, "5.5.2")
    client.raw(b"MAIL FROM:<" + b"y" * 300000)
    client.raw(b"@b.test>\r\nNOOP\r\n")
    assert client.codes(2) == [500, 250]
    client.ask("MAIL FROM:<a@b.test>")
    assert client.ask("RCPT TO:<" + "z" * 5000 + "@b.test>")[0] == 500
    assert client.ask("RCPT TO:<a@b.test>")[0] == 250


def test_too_many_recipients(client, hop):
    client.ask("MAIL FROM:<a@b.test>")
    codes = [client.ask(f"RCPT TO:<r{n}@b.test>")[0] for n in range(7)]
    assert codes == [250] * 5 + [452] * 2
    assert client.ask("DATA")[0] == 354
    assert client.ask("x\r\n.")[0] == 250
    assert "r4" in envelope(hop, 1)[0]


def test_ehlo_ends_the_transaction(client, hop):
    client.ask("MAIL FROM:<a@b.test>")
    before = len(hop.commands("RSET"))
    assert client.ask(EHLO)[0] == 250
    assert len(hop.commands("RSET")) == before + 1
    assert client.ask("RCPT TO:<c@d.test>")[0] == 503
    assert client.ask("MAIL FROM:<a@b.test>")[0] == 250


def test_helo_knows_no_parameters(waybill):
    wire = Wire(waybill)
    assert wire.whole("HELO client.example.test")[0].startswith("250 ")
    assert wire.ask("MAIL FROM:<a@b.test> SIZE=1")[0] == 555
    assert wire.ask("MAIL FROM:<a@b.test>")[0] == 250
    wire.quit()


def test_lines_to_the_msa_stay_within_2048(start_waybill, start_peer, space):
    hop = start_peer(StrictHop(space / "strict", "--orcpt-optional"))
    waybill = start_waybill(hop)
    client = Wire(waybill)
    wait_until(lambda: "DSN" in client.ehlo(), what="the probe")
    mail = " ENVID=" + "e" * 90 + "@b.test RET=HDRS BODY=8BITMIME SIZE=10000"
    assert client.ask(f"MAIL FROM:<{'a' * 64}@b.test>{mail}")[0] == 250
    taken = 0
    for local in (10, 64, 300, 450, 480, 490, 600, 900):
        to = f"<{'+' * local}@b.test>"
        taken += client.ask(f"RCPT TO:{to} NOTIFY=SUCCESS,FAILURE")[0] == 250
    assert taken >= 2
    client.send("DATA")
    assert client.reply()[0] == 354
    assert client.ask(".")[0] == 250
    message = hop.wait_messages(1)[0]
    assert len(message["recipients"]) == taken
    assert max(len(event["line"]) for event in hop.commands()) <= 2046
    short = message["recipients"][0]["parameters"]
    assert short["ORCPT"] == "rfc822;" + "+2B" * 10 + "@b.test"
    client.quit()


def test_orcpt_of_an_internationalised_recipient(start_waybill, strict_hop):
    waybill = start_waybill(strict_hop)
    client = Wire(waybill)
    wait_until(lambda: "SMTPUTF8" in client.ehlo(), what="the probe")
    client.begin(mail=" SMTPUTF8", to="b\u00f6b@example.test")
    assert client.ask("Subject: x\r\n\r\nx\r\n.")[0] == 250
    message = strict_hop.wait_messages(1)[0]
    assert message["recipients"][0]["parameters"]["ORCPT"] == \
        "utf-8;b\u00f6b@example.test"
    client.quit()


def test_idle_sessions_hold_no_connection_to_the_msa(start_waybill, raw_msa):
    waybill = start_waybill(raw_msa, msa_section={"idle_timeout": "200 ms"})
    raw_msa.wait_event("close")		# the probe
    client = Wire(waybill)
    wait_until(lambda: len(raw_msa.commands("QUIT")) == 2,
               what="QUIT of the idle connection")
    dialled = len(raw_msa.events("open"))
    time.sleep(0.3)
    assert len(raw_msa.events("open")) == dialled
    assert client.message(b"Subject: x\r\n\r\nx\r\n")[0] == 250
    assert len(raw_msa.events("open")) == dialled + 1
    client.quit()


def test_the_msa_is_dialled_at_login(start_waybill, raw_msa):
    waybill = start_waybill(raw_msa)
    raw_msa.wait_event("close")
    client = Wire(waybill)
    raw_msa.wait_event("open", 2)
    client.ask("MAIL FROM:<a@b.test>")
    assert len(raw_msa.events("open")) == 2
    client.quit()

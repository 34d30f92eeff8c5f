"""What is rare: records that grow too long, an MSA that announces nothing it
could be told, and how log lines name the session."""

import pytest

from wire import Wire, told

TEXT = b"Subject: x\r\nMessage-ID: <%b@client.test>\r\n\r\nx\r\n"
HOST = ".".join(["h" * 60] * 3) + ".test"


def test_a_record_too_long_is_cut_and_not_dropped(start_waybill, raw_msa):
    """More recipients than a record has room for, each with a long reply:
    the replies go first, then the last recipients."""
    count = 5000
    raw_msa.behave(replies={"RCPT": "250 2.1.5 " + "y" * 240})
    waybill = start_waybill(raw_msa, limits={"recipients": count},
                            tracking={"settle_timeout": "20 s"})
    client = Wire(waybill, timeout=120)
    names = [f"{n:05d}{'u' * 55}@{HOST}" for n in range(count)]
    client.send("MAIL FROM:<alice@example.test>")
    assert client.reply()[0] == 250
    for part in range(0, count, 500):
        client.send(*[f"RCPT TO:<{name}>" for name in
                      names[part:part + 500]])
        assert client.codes(500) == [250] * 500
    assert client.ask("DATA")[0] == 354
    client.raw(TEXT % b"many" + b".\r\n")
    assert client.reply()[0] == 250
    assert waybill.wait_line(event="message")["vault"] == "stored"
    kept = [pairs["to"] for word, pairs in
            told(client.whole("XMTRK SHOW <many@client.test>"))
            if word == "recipient"]
    assert 3500 < len(kept) < count and kept == names[:len(kept)]
    assert client.ask("XMTRK TOKEN <many@client.test>")[0] == 250
    client.quit()
    assert waybill.run_cli("show", "<many@client.test>").returncode == 0


def test_long_replies_are_cut_before_recipients(start_waybill, raw_msa):
    count = 4000
    raw_msa.behave(replies={"RCPT": "250 2.1.5 " + "y" * 240})
    waybill = start_waybill(raw_msa, limits={"recipients": count},
                            tracking={"settle_timeout": "20 s"})
    client = Wire(waybill, timeout=120)
    names = [f"r{n}@example.test" for n in range(count)]
    client.send("MAIL FROM:<alice@example.test>",
                *[f"RCPT TO:<{name}>" for name in names], "DATA")
    assert client.codes(count + 2) == [250] * (count + 1) + [354]
    client.raw(TEXT % b"replies" + b".\r\n")
    assert client.reply()[0] == 250
    assert waybill.wait_line(event="message")["vault"] == "stored"
    shown = [pairs for word, pairs in
             told(client.whole("XMTRK SHOW <replies@client.test>"))
             if word == "recipient"]
    assert [pairs["to"] for pairs in shown] == names
    assert shown[0]["text"].startswith("2.1.5 yyy")
    assert shown[-1]["code"] == "250" and shown[-1]["text"] == ""
    client.quit()


def test_an_untracked_message_names_its_session(start_waybill, strict_hop):
    waybill = start_waybill(strict_hop, vault={"min_free": "1000000 G"})
    client = Wire(waybill)
    assert client.message(TEXT % b"bare")[0] == 250
    client.quit()
    login = waybill.lines(event="login")[0]
    line = waybill.wait_line(event="untracked", session=login["session"])
    assert line["user"] == "alice" and line["reason"]
    assert "msg" not in line


def test_a_refused_xforward_is_logged_with_its_session(start_waybill,
                                                       raw_msa):
    raw_msa.behave(capabilities=["PIPELINING", "DSN", "XFORWARD IDENT"],
                   replies={"XFORWARD": "550-5.7.0 not\n550 5.7.0 you"})
    waybill = start_waybill(raw_msa)
    client = Wire(waybill)
    assert client.message(TEXT % b"ident")[0] == 250
    client.quit()
    login = waybill.lines(event="login")[0]
    waybill.wait_line(event="msa_refused", session=login["session"],
                      reply="550 5.7.0 you")


@pytest.mark.parametrize("offer", ["XCLIENT", "XCLIENT NAME HELO"])
def test_xclient_that_names_nobody_is_no_identity(start_waybill, raw_msa,
                                                  offer):
    raw_msa.behave(capabilities=["PIPELINING", offer])
    waybill = start_waybill(raw_msa, msa_section={"identity": "xclient"})
    client = Wire(waybill)
    assert client.ask("MAIL FROM:<alice@example.test>")[0] == 451
    client.quit()
    line = waybill.wait_line(event="msa_unavailable")
    assert "XCLIENT" in line["reason"]
    assert raw_msa.commands("MAIL") == []


@pytest.mark.parametrize("how", [
    {"close": ["XFORWARD"]}, {"silent": ["XFORWARD"]},
    {"replies": {"XFORWARD": "354 what"}},
    {"replies": {"XFORWARD": "421 4.3.2 Bye"}, "close_after": ["XFORWARD"]}],
    ids=["closes", "silent", "unfit", "421"])
def test_an_msa_lost_at_xforward_costs_one_mail(start_waybill, raw_msa, how):
    """Without PIPELINING MAIL waits for the reply to XFORWARD, and the client
    knows nothing of that."""
    offers = ["DSN", "XFORWARD IDENT"]
    raw_msa.behave(capabilities=offers, **how)
    waybill = start_waybill(raw_msa, msa_section={"mail_timeout": "300 ms"})
    client = Wire(waybill, timeout=10)
    assert client.ask("MAIL FROM:<alice@example.test>")[0] == 451
    assert client.ask("NOOP")[0] == 250
    raw_msa.behave(capabilities=offers)
    assert client.message(TEXT % b"again")[0] == 250
    assert client.quit() == 221

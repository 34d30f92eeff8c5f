"""PIPELINING for real (RFC 2920): what the client sent together goes to the
MSA together, or one by one where it cannot take more; replies come back in
order, whole, the MSA's and ours."""

import threading

import pytest

from peers import RawMsa, StrictHop, wait_until
from waybill import Waybill
from wire import EHLO, HandMsa, Wire, answer_until, resident, sanitized

ONE_BY_ONE = ["SIZE 209715200", "8BITMIME", "DSN", "ENHANCEDSTATUSCODES"]


@pytest.fixture(scope="module", name="hop")
def fixture_hop(module_space):
    with RawMsa(module_space / "raw") as peer:
        yield peer


@pytest.fixture(scope="module", name="waybill")
def fixture_waybill(module_space, authority, hop):
    with Waybill(module_space / "wb", hop, authority=authority) as running:
        yield running


@pytest.fixture(name="client")
def fixture_client(waybill, hop):
    hop.behave()
    wire = Wire(waybill)
    yield wire
    wire.close()


def last_session(hop):
    """The commands of the session that saw a MAIL last, but for EHLO."""
    session = hop.commands("MAIL")[-1]["session"]
    return [event for event in hop.commands(session=session)
            if not event["line"].startswith("EHLO")]


def test_one_write_in_is_one_write_out(client, hop):
    client.send("MAIL FROM:<a@b.test>",
                *[f"RCPT TO:<r{n}@d.test>" for n in range(20)], "DATA")
    assert client.codes(22) == [250] * 21 + [354]
    assert client.ask("Subject: x\r\n\r\nx\r\n.")[0] == 250
    commands = last_session(hop)
    assert [event["line"].split()[0] for event in commands] == \
        ["MAIL"] + ["RCPT"] * 20 + ["DATA"]
    assert len({event["read"] for event in commands}) == 1
    assert [event["line"][9:].split(">")[0] for event in commands[1:-1]] == \
        [f"r{n}@d.test" for n in range(20)]


def test_two_messages_in_a_row_in_as_few_writes(client, hop):
    client.send("MAIL FROM:<a@b.test>", "RCPT TO:<c@d.test>", "DATA")
    assert client.codes(3) == [250, 250, 354]
    client.send("Subject: 1", "", "one", ".", "MAIL FROM:<a@b.test>",
                "RCPT TO:<e@f.test>", "DATA")
    assert client.codes(4) == [250, 250, 250, 354]
    client.send("Subject: 2", "", "two", ".", "QUIT")
    assert client.codes(2) == [250, 221]
    assert client.closed() == b""
    commands = last_session(hop)
    assert len({event["read"] for event in commands[3:6]}) == 1
    texts = [message["raw"] for message in hop.messages()[-2:]]
    assert [b"one" in text for text in texts] == [True, False]
    assert [b"two" in text for text in texts] == [False, True]


def test_one_by_one_where_the_msa_lacks_it(waybill, hop):
    hop.behave(capabilities=ONE_BY_ONE, delay={"RCPT": 0.02, "MAIL": 0.02})
    client = Wire(waybill)
    assert "PIPELINING" in client.ehlo()
    client.send("MAIL FROM:<a@b.test>",
                *[f"RCPT TO:<r{n}@d.test>" for n in range(5)], "DATA")
    assert client.codes(7) == [250] * 6 + [354]
    assert client.ask("x\r\n.")[0] == 250
    commands = last_session(hop)
    assert len({event["read"] for event in commands}) == len(commands) == 7
    client.quit()


def test_a_strict_hop_without_pipelining_sees_none(start_waybill, start_peer,
                                                   space):
    hop = start_peer(StrictHop(space / "strict", "--without", "PIPELINING",
                               "--with", "XFORWARD NAME ADDR IDENT"))
    client = Wire(start_waybill(hop))
    for _ in range(2):
        client.send("MAIL FROM:<a@b.test>", "RCPT TO:<c@d.test>",
                    "RCPT TO:<unknown@d.test>", "RSET",
                    "MAIL FROM:<a@b.test>", "RCPT TO:<e@f.test>", "DATA")
        assert client.codes(7) == [250, 250, 550, 250, 250, 250, 354]
        assert client.ask("x\r\n.")[0] == 250
    client.quit()
    assert hop.violations() == []
    assert len(hop.commands("XFORWARD")) == 4


def test_replies_are_matched_whole_and_in_order(start_waybill, raw_msa):
    raw_msa.behave(replies={
        "MAIL": "250-2.1.0 first\n250-2.1.0 second\n250 2.1.0 third",
        "RCPT": ["250 2.1.5 one", "550-5.1.1 two\n550-5.1.1 is\n550 5.1.1 not",
                 "250 2.1.5 three", "452 4.5.3 four", "251 five", "250 six"]})
    waybill = start_waybill(raw_msa)
    client = Wire(waybill)
    client.send("MAIL FROM:<a@b.test>", "RCPT TO:<r1@d.test>",
                "RCPT TO:<not an address>", "RCPT TO:<r2@d.test>",
                "NOOP", "RCPT TO:<r3@d.test>", "RCPT TO:<r4@d.test>",
                "RCPT TO:<r5@d.test> NONSENSE=1", "VRFY x",
                "RCPT TO:<r5@d.test>", "DATA")
    got = [client.reply() for _ in range(11)]
    assert got[0] == (250, "2.1.0 first\n2.1.0 second\n2.1.0 third")
    assert [code for code, _ in got] == [250, 250, 501, 550, 250, 250, 452,
                                         555, 252, 251, 354]
    assert got[1][1] == "2.1.5 one"
    assert got[3][1] == "5.1.1 two\n5.1.1 is\n5.1.1 not"
    assert got[5][1] == "2.1.5 three" and got[6][1] == "4.5.3 four"
    code, text = client.ask("Message-ID: <order@client.test>\r\n\r\nx\r\n.")
    assert code == 250, text
    line = waybill.wait_line(event="message",
                             message_id="<order@client.test>")
    assert (line["accepted"], line["refused"]) == ("3", "2")
    client.quit()


def test_replies_that_come_in_pieces(waybill, hop):
    hop.behave(pieces={"RCPT": 3, "MAIL": 1, "DATA": 2, ".": 5},
               replies={"RCPT": "250-2.1.5 a\n250 2.1.5 b"})
    client = Wire(waybill)
    client.send("MAIL FROM:<a@b.test>", "RCPT TO:<c@d.test>",
                "RCPT TO:<e@f.test>", "DATA")
    got = [client.reply() for _ in range(4)]
    assert [code for code, _ in got] == [250, 250, 250, 354]
    assert got[2][1] == "2.1.5 a\n2.1.5 b"
    assert client.ask("x\r\n.")[0] == 250
    client.quit()


def test_five_hundred_recipients_in_one_write(start_waybill, strict_hop):
    waybill = start_waybill(strict_hop)
    client = Wire(waybill)
    names = [("unknown" if n % 7 == 3 else "r") + str(n) for n in range(500)]
    client.send("MAIL FROM:<a@b.test>",
                *[f"RCPT TO:<{name}@d.test>" for name in names], "DATA")
    want = [550 if name.startswith("unknown") else 250 for name in names]
    got = [client.reply() for _ in range(502)]
    assert [code for code, _ in got] == [250, *want, 354]
    assert all(names[n] in got[n + 1][1] for n in range(500)
               if want[n] == 550)
    assert client.ask("x\r\n.")[0] == 250
    assert len(strict_hop.wait_messages(1)[0]["recipients"]) == \
        want.count(250)
    client.quit()


def test_mail_refused_with_all_behind_it(start_waybill, raw_msa):
    raw_msa.behave(replies={"MAIL": ["550 5.7.1 not you", "250 2.1.0 Ok"],
                            "RCPT": ["503 5.5.1 no"] * 30 + ["250 Ok"],
                            "DATA": ["503 5.5.1 no", "354 go"]})
    client = Wire(start_waybill(raw_msa))
    client.send("MAIL FROM:<a@b.test>",
                *[f"RCPT TO:<r{n}@d.test>" for n in range(30)], "DATA")
    assert client.reply() == (550, "5.7.1 not you")
    assert set(client.codes(31)) == {503}
    assert client.message(b"Subject: x\r\n\r\nx\r\n")[0] == 250
    client.quit()


def test_mail_refused_one_by_one_costs_no_session(waybill, hop):
    hop.behave(capabilities=ONE_BY_ONE,
               replies={"MAIL": "550 5.7.1 not you"})
    client = Wire(waybill)
    client.send("MAIL FROM:<a@b.test>",
                *[f"RCPT TO:<r{n}@d.test>" for n in range(60)], "DATA")
    assert client.codes(62) == [550] + [503] * 61
    assert client.ask("NOOP")[0] == 250
    client.quit()


@pytest.mark.parametrize("data", ["554 5.5.1 No valid recipients", None])
def test_all_recipients_refused_and_data_pipelined(waybill, hop, data):
    """The MSA may say 354 all the same (RFC 2920 3.1)."""
    hop.behave(replies={"RCPT": "550 5.1.1 no", "DATA": data,
                        ".": "554 5.5.1 No valid recipients"})
    client = Wire(waybill)
    client.send("MAIL FROM:<a@b.test>", "RCPT TO:<c@d.test>",
                "RCPT TO:<e@f.test>", "DATA")
    assert client.codes(4) == [250, 550, 550, 554 if data else 354]
    if not data:
        assert client.ask(".")[0] == 554
    else:
        assert client.ask("RSET")[0] == 250
    hop.behave()
    assert client.ask("MAIL FROM:<a@b.test>")[0] == 250
    client.quit()


def test_mail_refused_and_354_all_the_same(start_waybill, raw_msa):
    """No transaction, and yet the MSA waits for a message: nobody else may
    take the client's next words for one."""
    raw_msa.behave(replies={"MAIL": "550 5.7.1 not you"})
    client = Wire(start_waybill(raw_msa))
    client.send("MAIL FROM:<a@b.test>", "RCPT TO:<c@d.test>", "DATA")
    assert client.codes(3) == [550, 250, 451]
    raw_msa.behave()
    assert client.message(b"Subject: x\r\n\r\nx\r\n")[0] == 250
    client.quit()
    assert len(raw_msa.messages()) == 1


def test_rset_and_quit_behind_a_transaction(client, hop):
    client.send("MAIL FROM:<a@b.test>", "RCPT TO:<c@d.test>", "RSET",
                "MAIL FROM:<e@f.test>", "RCPT TO:<g@h.test>", EHLO, "NOOP",
                "MAIL FROM:<i@j.test>", "QUIT")
    codes = client.codes(9)
    assert codes == [250] * 8 + [221]
    assert client.closed() == b""
    wait_until(lambda: last_session(hop)[-1]["line"] == "QUIT", what="QUIT")
    assert [event["line"].split()[0] for event in last_session(hop)] == \
        ["MAIL", "RCPT", "RSET", "MAIL", "RCPT", "RSET", "MAIL", "QUIT"]


def test_our_replies_wait_for_the_msa(waybill, hop):
    hop.behave(delay={"MAIL": 0.4})
    client = Wire(waybill)
    client.send("MAIL FROM:<a@b.test>", "NOOP", "RCPT TO:<nonsense")
    client.sock.settimeout(0.15)
    with pytest.raises(TimeoutError):
        client.reply()
    client.sock.settimeout(20)
    assert client.codes(3) == [250, 250, 501]
    client.quit()


def test_a_flood_behind_a_silent_msa_is_bounded(start_waybill):
    go_on = threading.Event()

    def script(conn):
        answer_until(conn, "MAIL")
        go_on.wait(30)
        conn.send("250 2.1.0 Ok")
        conn.closed()

    with HandMsa(script) as msa:
        waybill = start_waybill(msa)
        client = Wire(waybill)
        proxy = waybill.children("proxy")[0]
        client.ask("NOOP")
        before = resident(proxy)
        client.send("MAIL FROM:<a@b.test>")
        flood = b"NOOP\r\n" * 10000
        total = 0
        client.sock.settimeout(1)
        try:
            while total < 64 << 20:
                client.raw(flood)
                total += len(flood)
        except TimeoutError:
            pass
        assert total < 64 << 20
        assert sanitized(waybill) or resident(proxy) - before < 8 << 10
        go_on.set()
        client.sock.settimeout(20)
        assert set(client.codes(1000)) == {250}
        client.close()


def test_a_flood_of_refused_mails_is_no_burden(start_waybill):
    """Each is refused before the next is read: no deep stack."""
    waybill = start_waybill(None, tracking={"default": "off"},
                            msa_section={"address": "no-such-host.invalid"})
    proxy = waybill.children("proxy")
    client = Wire(waybill)
    client.send(*["MAIL FROM:<a@b.test>"] * 4000)
    assert set(client.codes(4000)) == {451}
    assert client.quit() == 221
    assert waybill.children("proxy") == proxy

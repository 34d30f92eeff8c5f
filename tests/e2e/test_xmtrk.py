"""XMTRK on the submission port (docs/xmtrk.md): a user's own messages and
secrets, and nobody else's."""

import base64
import re
import time

import pytest

from peers import StrictHop
from waybill import Waybill, certifier_of
from wire import Wire, told, token_of

TEXT = b"Subject: %b\r\nMessage-ID: <%b@client.test>\r\n\r\nx\r\n"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"
COUNT = 25


@pytest.fixture(scope="module", name="hop")
def fixture_hop(module_space):
    with StrictHop(module_space / "hop") as peer:
        yield peer


@pytest.fixture(scope="module", name="waybill")
def fixture_waybill(module_space, authority, hop):
    with Waybill(module_space / "wb", hop, authority=authority,
                 limits={"bad_commands": 1000}) as running:
        client = Wire(running)
        for number in range(COUNT):
            name = b"m%d" % number
            assert client.message(TEXT % (name, name))[0] == 250
        client.quit()
        yield running


@pytest.fixture(name="client")
def fixture_client(waybill):
    wire = Wire(waybill)
    yield wire
    wire.close()


def rows(client, *words):
    """(rows, whether more are left) of a LIST."""
    lines = client.whole(" ".join(("XMTRK LIST", *words)))
    assert re.fullmatch(r"250 2\.0\.0 end count=\d+( more=yes)?", lines[-1])
    assert f"count={len(lines) - 1}" in lines[-1]
    assert all(word == "message" for word, _ in told(lines))
    return [pairs for _, pairs in told(lines)], "more=yes" in lines[-1]


def test_only_for_who_is_logged_in(waybill):
    for implicit in (True, False):
        wire = Wire(waybill, None, implicit)
        assert "XMTRK" in wire.ehlo()
        for words in ("LIST", "TOKEN x@y.test", "NONSENSE"):
            assert wire.ask(f"XMTRK {words}")[0] == 530
        wire.quit()


def test_not_inside_a_transaction(client):
    assert client.ask("MAIL FROM:<a@b.test>")[0] == 250
    assert client.ask("XMTRK LIST")[0] == 503
    assert client.ask("RCPT TO:<a@b.test>")[0] == 250
    assert client.ask("XMTRK LIST")[0] == 503
    assert client.ask("RSET")[0] == 250
    assert client.ask("XMTRK LIST LIMIT=1")[0] == 250


@pytest.mark.parametrize("words", [
    "", "NONSENSE", "LIST x", "LIST LIMIT=0", "LIST LIMIT=1001",
    "LIST LIMIT=x", "LIST LIMIT=1 LIMIT=1", "LIST SINCE=yesterday",
    "LIST AFTER=", "LIST WHAT=1", "SHOW", "SHOW a b", "SHOW +", "TOKEN",
    "TOKEN +4", "SHOW <half@b.test", "REVOKEE x"])
def test_what_makes_no_sense_is_501(client, words):
    code, text = client.ask(f"XMTRK {words}")
    assert (code, text[:5]) == (501, "5.5.4"), text


def test_list_is_newest_first(client):
    found, more = rows(client)
    ours = [row for row in found if row["id"].startswith("<m")]
    assert [row["id"] for row in ours] == \
        [f"<m{number}@client.test>" for number in reversed(range(COUNT))]
    assert not more
    for row in ours:
        assert re.fullmatch(TIME, row["time"])
        assert row["state"] == "accepted" and row["recipients"] == "1"
        assert row["to"] == "bob@example.test"
        assert row["subject"] == row["id"][1:].partition("@")[0]
        assert 40 < int(row["size"]) < 80


def test_list_in_pages(client):
    whole = [row["envid"] for row in rows(client)[0]]
    paged, after, more = [], [], True
    while more:
        found, more = rows(client, "LIMIT=7", *after)
        assert found and len(found) <= 7
        paged += [row["envid"] for row in found]
        after = [f"AFTER={paged[-1]}"]
    assert paged == whole
    assert rows(client, f"AFTER={whole[-1]}") == ([], False)


def test_list_since(client):
    found = rows(client)[0]
    at = found[9]["time"]
    since = rows(client, f"SINCE={at}")[0]
    assert since == [row for row in found if row["time"] >= at]
    assert len(since) >= 10
    later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 99))
    assert rows(client, f"SINCE={later}") == ([], False)
    assert rows(client, "since=2001-01-01T00:00:00+02:00",
                "limit=1000")[0] == found


def test_another_user_sees_none_of_it(waybill, client):
    other = Wire(waybill, "carol")
    assert rows(other) == ([], False)
    envid = rows(client)[0][0]["envid"]
    nobody = "A" * 22 + "@submit.example.test"
    assert other.ask(f"XMTRK LIST AFTER={envid}") == \
        other.ask(f"XMTRK LIST AFTER={nobody}")
    other.quit()


def test_show_tells_each_recipient(client, hop):
    client.send("MAIL FROM:<alice@example.test>", "RCPT TO:<b@example.test>",
                "RCPT TO:<unknown@example.test>", "RCPT TO:<c@example.test>",
                "DATA")
    assert client.codes(5) == [250, 250, 550, 250, 354]
    client.raw(TEXT % (b"to three", b"three") + b".\r\n")
    assert client.reply()[0] == 250
    shown = told(client.whole("XMTRK SHOW <three@client.test>"))
    message = {key: value for word, pairs in shown if word == "message"
               for key, value in pairs.items()}
    sent = hop.messages()[-1]
    assert message["envid"] == sent["parameters"]["ENVID"]
    assert message["subject"] == "to three"
    assert message["from"] == "alice@example.test"
    assert (message["tracked"], message["mtrk"]) == ("yes", "yes")
    assert message["queue"] == sent["reply"].split()[-1]
    assert [(pairs["to"], pairs["code"]) for word, pairs in shown
            if word == "recipient"] == [
                ("b@example.test", "250"), ("unknown@example.test", "550"),
                ("c@example.test", "250")]
    assert [pairs for word, pairs in shown if word == "reply"] == [
        {"code": "250", "text": sent["reply"][4:]}]
    assert client.whole(f"XMTRK SHOW {message['envid']}") == \
        client.whole("xmtrk show <three@client.test>")


def test_where_it_stands_is_shown_from_the_start(client):
    """The MSA takes MTRK, so its own name is what to ask next."""
    assert client.message(TEXT % (b"passed", b"passed"))[0] == 250
    shown = told(client.whole("XMTRK SHOW <passed@client.test>"))
    states = [pairs for word, pairs in shown if word == "status"]
    assert len(states) == 1
    assert states[0]["to"] == "bob@example.test"
    assert states[0]["action"] == "transferred"
    assert states[0]["mta"] == "hop.example.test"
    assert not [word for word, _ in shown if word == "event"]


def test_token_by_either_name(client, waybill):
    row = rows(client)[0][0]
    token = token_of(client, row["envid"])
    assert token == token_of(client, row["id"])
    secret = base64.b64decode(token["secret"])
    assert certifier_of(secret) == token["certifier"]
    assert token["envid"] == row["envid"]
    assert token["uri"].startswith("mtqp://submit.example.test/track/")
    assert re.fullmatch(TIME, token["expires"])
    line = waybill.wait_line(event=re.compile("token"),
                             envid=row["envid"])
    assert "alice" in line.values() and "127.0.0.1" in line.values()
    log = waybill.log.read_text()
    assert token["secret"] not in log
    assert secret.hex() not in log.lower()


def test_a_message_id_twice_is_the_newer_one(client, hop):
    for subject in (b"older", b"newer"):
        assert client.message(TEXT % (subject, b"twice"))[0] == 250
    shown = told(client.whole("XMTRK SHOW <twice@client.test>"))
    assert shown[0][1]["subject"] == "newer"
    assert shown[0][1]["envid"] == hop.messages()[-1]["parameters"]["ENVID"]


@pytest.mark.parametrize("name", [
    "<none@client.test>", "AAAAAAAAAAAAAAAAAAAAAA@submit.example.test",
    "anything", "x" * 100, "<" + "y" * 900 + "@z.test>"])
def test_no_such_message_is_one_answer(client, name):
    for verb in ("SHOW", "TOKEN"):
        code, text = client.ask(f"XMTRK {verb} {name}")
        assert (code, text) == (550, "5.5.0 No such message of yours")


def test_lines_stay_within_512_octets(client):
    subject = ("=?utf-8?q?" + "\u00e4" * 120 + "?= + = %").encode()
    name = b"long-" + b"i" * 700
    recipients = ["r" * 60 + f"{n}@" + "d" * 60 + ".test" for n in range(30)]
    assert client.ask("MAIL FROM:<" + "s" * 60 + "@example.test>")[0] == 250
    for one in recipients:
        assert client.ask(f"RCPT TO:<{one}>")[0] == 250
    assert client.ask("DATA")[0] == 354
    client.raw(TEXT % (subject, name) + b".\r\n")
    assert client.reply()[0] == 250
    envid = rows(client, "LIMIT=1")[0][0]["envid"]
    for words in ("LIST", f"SHOW {envid}", f"TOKEN {envid}"):
        lines = client.whole(f"XMTRK {words}")
        assert max(map(len, lines)) <= 510
    row = rows(client, "LIMIT=1")[0][0]
    assert row["recipients"] == "30" and "subject" in row["cut"]


def test_questions_one_after_the_other_in_one_write(client):
    first = rows(client, "LIMIT=1")[0][0]
    client.send("XMTRK LIST LIMIT=2", "NOOP", f"XMTRK TOKEN {first['envid']}",
                "XMTRK SHOW <none@client.test>", "NOOP")
    assert client.codes(5) == [250, 250, 250, 550, 250]


def test_it_works_while_the_msa_is_down(waybill, hop, client):
    hop.stop()
    try:
        found = rows(client)[0]
        assert len(found) >= COUNT
        assert token_of(client, found[-1]["envid"])["secret"]
        done = waybill.run_cli("list")
        assert done.returncode == 0 and found[0]["envid"] in done.stdout
    finally:
        hop.start()
    assert client.message(TEXT % (b"up", b"up"))[0] == 250


def test_revoke_is_confirmed_once_and_again(client):
    assert client.message(TEXT % (b"gone", b"gone"))[0] == 250
    for _ in range(2):
        word, fields = told(client.whole(
            "XMTRK REVOKE <gone@client.test>"))[0]
        assert word == "revoked" and fields["mtrk"] in ("yes", "no")
    assert told(client.whole("XMTRK SHOW <gone@client.test>"))[0][1][
        "tracked"] == "revoked"
    assert client.ask("XMTRK REVOKE <none@client.test>") == (
        550, "5.5.0 No such message of yours")

"""Tracking on (RFC 3885, 3888): what is added by what the MSA offers, what
the client brought, A for every MTRK that was seen, and a keeper that is slow
or dead, which never costs mail."""

import base64
import os
import re
import signal
import time

import pytest

from peers import RawMsa, wait_until
from waybill import Waybill, certifier_of
from wire import (HandMsa, Wire, answer_until, check_token, mail_parameters,
                  told, token_of)

TEXT = b"Subject: x\r\nMessage-ID: <%b@client.test>\r\n\r\nx\r\n"
ENVID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{21}@submit\.example\.test\Z")
B = "eD72e8cRib6kzdkkE9IFMiKt+FA"
BOTH = ["PIPELINING", "DSN", "MTRK"]


@pytest.fixture(scope="module", name="msa")
def fixture_msa(module_space):
    with RawMsa(module_space / "raw") as peer:
        yield peer


@pytest.fixture(scope="module", name="waybill")
def fixture_waybill(module_space, authority, msa):
    with Waybill(module_space / "wb", msa, authority=authority) as running:
        yield running


def last(msa, verb):
    return msa.commands(verb)[-1]["line"]


# A for every certifier

@pytest.mark.parametrize("certifier", ["derived", "random"])
def test_every_certifier_has_its_secret(start_waybill, strict_hop, certifier):
    waybill = start_waybill(strict_hop, tracking={"certifier": certifier})
    clients = {user: Wire(waybill, user) for user in ("alice", "carol")}
    for number in range(20):
        for client in clients.values():
            assert client.message(TEXT % b"%d" % number)[0] == 250
    secrets, seen = set(), strict_hop.wait_messages(40)
    for number, message in enumerate(seen):
        parameters = message["parameters"]
        assert ENVID.match(parameters["ENVID"])
        assert re.fullmatch(r"[A-Za-z0-9/]{27}:864000", parameters["MTRK"])
        token = check_token(clients[("alice", "carol")[number % 2]],
                            parameters)
        secrets.add(token["secret"])
    assert len(secrets) == 40
    assert {len(base64.b64decode(secret)) for secret in secrets} == {32}
    waybill.check_certifier(seen[0]["parameters"])
    waybill.check_certifier(seen[1]["parameters"], "carol")
    for client in clients.values():
        client.quit()


@pytest.mark.parametrize("certifier", ["derived", "random"])
def test_secrets_outlive_the_processes(start_waybill, strict_hop, certifier):
    waybill = start_waybill(strict_hop, tracking={"certifier": certifier})
    client = Wire(waybill)
    for number in range(5):
        assert client.message(TEXT % b"%d" % number)[0] == 250
    client.ask("MAIL FROM:<alice@example.test>")	# never ends
    client.quit()
    waybill.stop()
    waybill.start()
    client = Wire(waybill)
    assert client.message(TEXT % b"later")[0] == 250
    seen = strict_hop.wait_messages(6)
    for message in seen:
        check_token(client, message["parameters"])
    assert len({message["parameters"]["ENVID"] for message in seen}) == 6
    client.quit()


def test_inetsim_gets_what_it_asked_for(start_waybill, inetsim):
    waybill = start_waybill(inetsim)
    client = Wire(waybill)
    wait_until(lambda: "DSN" in client.ehlo(), what="the probe")
    assert client.message(TEXT % b"inetsim", mail=" RET=HDRS")[0] == 250
    mail = mail_parameters(inetsim.wait_command("MAIL")[0])
    assert mail["RET"] == "HDRS"
    check_token(client, mail)
    assert "ORCPT=rfc822;bob@example.test" in inetsim.wait_command("RCPT")[0]
    client.quit()


# By what the MSA offers

@pytest.mark.parametrize("offers, mail, rcpt", [
    (["DSN", "MTRK"], {"ENVID", "MTRK"}, "ORCPT=rfc822;bob@example.test"),
    (["MTRK"], {"ENVID", "MTRK"}, "ORCPT=rfc822;bob@example.test"),
    (["DSN"], {"ENVID"}, "ORCPT=rfc822;bob@example.test"),
    ([], set(), "")])
def test_what_is_added_is_what_the_msa_knows(waybill, msa, offers, mail,
                                             rcpt):
    msa.behave(capabilities=["PIPELINING", *offers])
    client = Wire(waybill)
    name = "by-" + "-".join(offers)
    code, text = client.message(TEXT % name.encode())
    assert code == 250
    assert set(mail_parameters(last(msa, "MAIL"))) == mail
    assert last(msa, "RCPT").partition("> ")[2] == rcpt
    # With none of them, too, the user finds the message.
    token = token_of(client, f"<{name}@client.test>")
    assert text.endswith(f"[{token['envid']}]")
    secret = base64.b64decode(token["secret"])
    assert certifier_of(secret) == token["certifier"]
    client.quit()


# What the client brought

def own(waybill, msa, parameters, rcpt="", name="own"):
    """Send with these parameters; MAIL's at the MSA, the client, the text."""
    msa.behave(capabilities=BOTH)
    client = Wire(waybill)
    wait_until(lambda: "MTRK" in client.ehlo(), what="the probe")
    code, text = client.message(TEXT % name.encode(), mail=parameters,
                                rcpt=rcpt)
    assert code == 250, text
    return mail_parameters(last(msa, "MAIL")), client, text


def test_the_clients_envid_is_kept_and_tracked(waybill, msa):
    mail, client, text = own(waybill, msa, " ENVID=Mine+2B1@client.test")
    assert mail["ENVID"] == "Mine+2B1@client.test"
    assert text.endswith("[Mine+2B1@client.test]")
    token = token_of(client, "Mine+2B2B1@client.test")
    assert token["envid"] == "Mine+2B1@client.test"
    assert token["certifier"] == mail["MTRK"].partition(":")[0]
    client.quit()


def test_an_envid_that_is_not_unique_is_remembered_only(waybill, msa):
    mail, client, _ = own(waybill, msa, " ENVID=not-unique", name="nu")
    assert mail == {"ENVID": "not-unique"}
    shown = told(client.whole("XMTRK SHOW <nu@client.test>"))
    assert shown[0][1]["tracked"] == "no"
    assert client.ask("XMTRK TOKEN <nu@client.test>")[0] == 550
    client.quit()


def test_the_clients_mtrk_is_not_replaced(waybill, msa):
    mail, client, _ = own(waybill, msa, f" MTRK={B}:7200 ENVID=its@c.test",
                          name="its")
    assert mail == {"ENVID": "its@c.test", "MTRK": f"{B}:7200"}
    shown = told(client.whole("XMTRK SHOW <its@client.test>"))
    assert shown[0][1]["tracked"] == "client"
    assert client.ask("XMTRK TOKEN its@c.test")[0] == 550
    client.quit()


def test_the_clients_mtrk_passes_where_tracking_is_off(start_waybill,
                                                       raw_msa):
    waybill = start_waybill(raw_msa, tracking={"default": "off"})
    mail, client, _ = own(waybill, raw_msa, f" ENVID=off@c.test MTRK={B}")
    assert mail == {"ENVID": "off@c.test", "MTRK": B}
    client.message(TEXT % b"none")
    assert mail_parameters(last(raw_msa, "MAIL")) == {}
    assert "ORCPT" not in last(raw_msa, "RCPT")
    client.quit()


def test_the_clients_orcpt_is_kept_to_the_octet(waybill, msa):
    own(waybill, msa, "", " ORCPT=RFC822;Bob+2Bx@Example.TEST")[1].quit()
    assert last(msa, "RCPT").endswith("ORCPT=RFC822;Bob+2Bx@Example.TEST")


def test_the_same_envid_again_is_another_message(waybill, msa):
    for name in ("again-1", "again-2"):
        mail, client, _ = own(waybill, msa, " ENVID=again@c.test", name=name)
        token = token_of(client, f"<{name}@client.test>")
        assert token["certifier"] == mail["MTRK"].partition(":")[0]
        client.quit()


def test_another_users_envid_hides_and_reveals_nothing(waybill, msa):
    mail, client, _ = own(waybill, msa, "", name="hers")
    other = Wire(waybill, "carol")
    unknown = other.ask("XMTRK TOKEN AAAAAAAAAAAAAAAAAAAAAA@"
                        "submit.example.test")
    assert unknown[0] == 550
    for name in (mail["ENVID"], "<hers@client.test>"):
        assert other.ask(f"XMTRK TOKEN {name}") == unknown
        assert other.ask(f"XMTRK SHOW {name}") == unknown
    assert other.message(TEXT % b"his",
                         mail=f" ENVID={mail['ENVID']}")[0] == 250
    his = token_of(other, "<his@client.test>")
    hers = token_of(client, "<hers@client.test>")
    assert his["envid"] == hers["envid"] == mail["ENVID"]
    assert his["secret"] != hers["secret"]
    assert token_of(client, mail["ENVID"])["secret"] == hers["secret"]
    assert hers["certifier"] == mail["MTRK"].partition(":")[0]
    for one in (client, other):
        one.quit()


# What the client is told

def test_the_envid_is_announced_within_512_octets(start_waybill, raw_msa):
    waybill = start_waybill(raw_msa)
    for size, fits in ((1, True), (400, True), (460, False), (600, False)):
        said = "250-2.0.0 first\n250 2.0.0 Ok " + "x" * size
        raw_msa.behave(capabilities=BOTH, replies={".": said})
        client = Wire(waybill)
        text = client.message(TEXT % b"announce")[1]
        client.quit()
        envid = mail_parameters(last(raw_msa, "MAIL"))["ENVID"]
        want = said.replace("250-", "").replace("250 ", "")
        assert text == want + (f" [{envid}]" if fits else "")


def test_nothing_is_announced_where_it_is_not_wanted(start_waybill, raw_msa):
    waybill = start_waybill(raw_msa, tracking={"announce": False})
    client = Wire(waybill)
    assert client.message(TEXT % b"x")[1].endswith("queued as R000002")
    client.quit()


@pytest.mark.parametrize("rule", ["submit", "defer"])
def test_mints_without_a_message_are_capped(start_waybill, raw_msa, rule):
    """Tracking never costs mail: without_vault decides about the rest."""
    raw_msa.behave(capabilities=BOTH)
    waybill = start_waybill(raw_msa, tracking={"mints_unfinished": 5,
                                               "without_vault": rule})
    client = Wire(waybill)
    codes = []
    for _ in range(8):
        codes.append(client.ask("MAIL FROM:<a@b.test>")[0])
        assert client.ask("RSET")[0] == 250
    assert codes == [250] * 5 + [250 if rule == "submit" else 451] * 3
    tracked = ["MTRK=" in event["line"]
               for event in raw_msa.commands("MAIL")]
    assert tracked == [True] * 5 + [False] * (3 if rule == "submit" else 0)
    waybill.wait_line(event="untracked")
    other = Wire(waybill, "carol")		# is not concerned
    for number in range(8):
        assert other.message(TEXT % b"%d" % number)[0] == 250
    for one in (client, other):
        one.quit()


# A record with too much to hold

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


# A keeper that is slow or dead

QUICK = {"mint_timeout": "300 ms", "settle_timeout": "300 ms"}


@pytest.fixture(name="stopped")
def fixture_stopped():
    """stopped(waybill) halts its keeper; the pid."""
    halted = []

    def halt(waybill):
        pid = waybill.children("keeper")[0]
        os.kill(pid, signal.SIGSTOP)
        halted.append(pid)
        return pid

    yield halt
    for pid in halted:
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass


def kill_keeper(waybill):
    """SIGKILL, and wait until another one is there."""
    pid = waybill.children("keeper")[0]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: waybill.children("keeper") not in ([], [pid]), 20,
               "another keeper")


@pytest.mark.parametrize("policy", ["submit", "defer"])
def test_no_answer_to_a_mint(start_waybill, strict_hop, stopped, policy):
    waybill = start_waybill(strict_hop, tracking={"without_vault": policy,
                                                  **QUICK})
    client = Wire(waybill)
    keeper = stopped(waybill)
    begun = time.monotonic()
    for number in range(6):
        if policy == "submit":
            code, text = client.message(TEXT % b"dead%d" % number)
            assert code == 250 and "[" not in text
        else:
            code, text = client.ask("MAIL FROM:<a@b.test>")
            assert code == 451 and text.startswith("4.3.0")
    # Three waits, then no more of them but one a second.
    assert time.monotonic() - begun < 10
    waybill.wait_line(event="keeper_silent")
    os.kill(keeper, signal.SIGCONT)
    count = len(strict_hop.messages())
    assert count == (6 if policy == "submit" else 0)
    assert all("MTRK" not in message["parameters"]
               for message in strict_hop.messages())

    def tracked():
        if client.ask("MAIL FROM:<a@b.test>")[0] != 250:
            return False
        assert client.codes_of("RCPT TO:<c@d.test>", "DATA") == [250, 354]
        assert client.ask("Subject: x\r\n\r\nx\r\n.")[0] == 250
        return "MTRK" in strict_hop.messages()[-1]["parameters"]
    wait_until(tracked, 15, "tracking again")
    check_token(client, strict_hop.messages()[-1]["parameters"])
    assert len(waybill.lines(event="untracked")) + len(waybill.lines(
        event="message", vault="no")) >= (6 if policy == "submit" else 0)
    client.quit()


# A session's next mint comes with the answer to the record of the last

def sent(client, msa, name):
    """One message; what the MSA was told with it."""
    assert client.message(TEXT % name)[0] == 250
    return msa.messages()[-1]["parameters"]


@pytest.mark.parametrize("certifier", ["derived", "random"])
def test_the_next_message_waits_for_no_mint(start_waybill, strict_hop,
                                            stopped, certifier):
    """With the keeper halted only the record is waited for, not the mint."""
    waybill = start_waybill(strict_hop, tracking={"certifier": certifier,
                                                  **QUICK})
    client = Wire(waybill)
    seen = [sent(client, strict_hop, b"ahead%d" % i) for i in range(2)]
    keeper = stopped(waybill)
    seen.append(sent(client, strict_hop, b"ahead2"))
    assert "MTRK" in seen[2]
    # Who used it up waits like anybody else, and goes without.
    assert "MTRK" not in sent(client, strict_hop, b"behind")
    os.kill(keeper, signal.SIGCONT)
    wait_until(lambda: client.ask("XMTRK SHOW <ahead2@client.test>")[0] == 250,
               20, "the record")
    for parameters in seen:
        check_token(client, parameters)
    assert len({parameters["ENVID"] for parameters in seen}) == 3
    client.quit()


def test_a_mint_ahead_is_not_for_the_clients_own(start_waybill, strict_hop):
    waybill = start_waybill(strict_hop)
    client = Wire(waybill)
    for i in range(2):
        sent(client, strict_hop, b"ours%d" % i)
    own_words = f"ENVID=own@client.test MTRK={B}:86400"
    assert client.ask(f"MAIL FROM:<a@b.test> {own_words}")[0] == 250
    assert client.codes_of("RCPT TO:<c@d.test>", "DATA") == [250, 354]
    assert client.ask("Subject: x\r\n\r\nx\r\n.")[0] == 250
    parameters = strict_hop.messages()[-1]["parameters"]
    assert parameters["ENVID"] == "own@client.test"
    assert parameters["MTRK"] == f"{B}:86400"
    # It was kept for this one.
    check_token(client, sent(client, strict_hop, b"ours2"))
    client.quit()


def unfinished_is_free(waybill, limit):
    """May as many transactions begin as if nothing had been asked?"""
    client = Wire(waybill)
    for _ in range(limit):
        assert client.ask("MAIL FROM:<a@b.test>")[0] == 250
        assert client.ask("RSET")[0] == 250
    client.quit()
    return waybill.lines(event="untracked") == []


@pytest.mark.parametrize("how", ["quit", "silence"])
def test_a_mint_ahead_that_is_not_used_is_forgotten(start_waybill, strict_hop,
                                                    how):
    waybill = start_waybill(strict_hop, tracking={"mints_unfinished": 8})
    held = [Wire(waybill) for _ in range(2)]
    for client in held:
        for i in range(2):
            sent(client, strict_hop, b"unused%d" % i)
    if how == "quit":
        for client in held:
            client.quit()
    time.sleep(6 if how == "silence" else 1)
    assert unfinished_is_free(waybill, 7)
    if how == "silence":
        for client in held:
            check_token(client, sent(client, strict_hop, b"awake"))
            client.quit()


def test_a_killed_keeper_costs_no_mint(start_waybill, strict_hop):
    """MAIL behind the dot, and the keeper is killed: another one answers."""
    waybill = start_waybill(strict_hop, tracking={"without_vault": "defer"})
    client = Wire(waybill)
    for i in range(3):
        sent(client, strict_hop, b"once%d" % i)
        client.begin()
        client.raw(TEXT % b"dot%d" % i + b".\r\nMAIL FROM:<a@b.test>\r\n")
        os.kill(waybill.children("keeper")[0], signal.SIGKILL)
        assert client.reply()[0] == 250
        assert client.reply()[0] == 250
        assert client.codes_of("RCPT TO:<c@d.test>", "DATA") == [250, 354]
        assert client.ask("Subject: x\r\n\r\nx\r\n.")[0] == 250
        assert "MTRK" in strict_hop.messages()[-1]["parameters"]
    client.quit()


def mints(waybill):
    return int(re.search(r"\bmints=(\d+)", waybill.ctl("status").stdout)[1])


def test_an_old_mint_ahead_is_not_used(start_waybill, strict_hop):
    """An ENVID tells its time: it is not one of long before."""
    waybill = start_waybill(strict_hop)
    client = Wire(waybill)
    for i in range(2):
        sent(client, strict_hop, b"fresh%d" % i)
    first = mints(waybill)
    time.sleep(5.5)
    check_token(client, sent(client, strict_hop, b"stale"))
    # one in place of the old one, and one ahead again
    assert mints(waybill) == first + 2
    client.quit()


@pytest.mark.parametrize("policy", ["submit", "defer"])
def test_a_full_disk(start_waybill, strict_hop, policy):
    """Below min_free nothing is written, and mail goes on."""
    waybill = start_waybill(strict_hop, vault={"min_free": "1000000 G"},
                            tracking={"without_vault": policy})
    client = Wire(waybill)
    if policy == "submit":
        for _ in range(3):
            code, text = client.message(TEXT % b"full")
            assert code == 250 and "[" not in text
        assert "MTRK" not in strict_hop.wait_messages(3)[2]["parameters"]
    else:
        assert client.ask("MAIL FROM:<a@b.test>")[0] == 451
        assert client.ask("MAIL FROM:<a@b.test>")[1].startswith("4.3.0")
    waybill.wait_line(event="untracked")
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


@pytest.mark.parametrize("policy", ["submit", "defer"])
def test_a_keeper_killed_before_mail(start_waybill, strict_hop, policy):
    waybill = start_waybill(strict_hop, tracking={"without_vault": policy})
    client = Wire(waybill)
    assert client.message(TEXT % b"before")[0] == 250
    kill_keeper(waybill)
    code, text = client.message(TEXT % b"behind")
    assert code == 250 and "[" in text		# it was back in time
    for message in strict_hop.wait_messages(2):
        check_token(client, message["parameters"])
    client.quit()


@pytest.mark.parametrize("certifier", ["derived", "random"])
def test_a_keeper_killed_between_mint_and_settle(start_waybill, strict_hop,
                                                 certifier):
    waybill = start_waybill(strict_hop, tracking={"certifier": certifier})
    client = Wire(waybill)
    for number in range(3):
        client.begin()
        kill_keeper(waybill)
        client.raw(TEXT % b"between%d" % number + b".\r\n")
        code, text = client.reply()
        assert code == 250 and "[" in text
    messages = strict_hop.wait_messages(3)
    for number, message in enumerate(messages):
        wait_until(lambda name=f"<between{number}@client.test>":
                   client.ask(f"XMTRK SHOW {name}")[0] == 250, 20,
                   "the record")
        check_token(client, message["parameters"])
    client.quit()


@pytest.mark.parametrize("how", [signal.SIGCONT, signal.SIGKILL])
def test_no_answer_to_a_settle(start_waybill, strict_hop, stopped, how):
    """The reply passes after settle_timeout; the record is written later."""
    waybill = start_waybill(strict_hop, tracking=QUICK)
    client = Wire(waybill)
    client.begin()
    keeper = stopped(waybill)
    begun = time.monotonic()
    client.raw(TEXT % b"late" + b".\r\n")
    code, text = client.reply()
    waited = time.monotonic() - begun
    assert code == 250 and "[" in text
    assert 0.25 < waited < 5
    assert waybill.wait_line(event="message")["vault"] == "no"
    os.kill(keeper, how)
    wait_until(lambda: client.ask("XMTRK SHOW <late@client.test>")[0] == 250,
               20, "the record")
    check_token(client, strict_hop.wait_messages(1)[0]["parameters"])
    listed = told(client.whole("XMTRK LIST"))
    assert [pairs["state"] for _, pairs in listed] == ["accepted"]
    client.quit()


def test_the_record_is_written_if_the_client_has_left(start_waybill,
                                                      strict_hop, stopped):
    waybill = start_waybill(strict_hop, tracking=QUICK)
    client = Wire(waybill)
    client.begin()
    keeper = stopped(waybill)
    client.raw(TEXT % b"gone" + b".\r\n")
    client.close()
    strict_hop.wait_messages(1)
    os.kill(keeper, signal.SIGCONT)
    client = Wire(waybill)
    wait_until(lambda: client.ask("XMTRK SHOW <gone@client.test>")[0] == 250,
               20, "the record")
    client.quit()


def test_a_proxy_killed_between_end_and_reply(start_waybill):
    """The keeper writes what it was told of: outcome unknown."""
    ended = []

    def script(conn):
        answer_until(conn, "DATA")
        conn.send("354 go")
        while not conn.buffer.endswith(b"\r\n.\r\n"):
            conn.fill()
        ended.append(True)
        conn.closed()

    with HandMsa(script) as msa:
        waybill = start_waybill(msa)
        client = Wire(waybill)
        client.begin()
        client.raw(TEXT % b"killed" + b".\r\n")
        wait_until(lambda: ended, what="the end at the MSA")
        pid = waybill.children("proxy")[0]
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: waybill.children("proxy") not in ([], [pid]), 20,
                   "another proxy")
        waybill.wait_line(event="process", state="ready", role="proxy",
                          count=2)
        client = Wire(waybill)
        wait_until(lambda: client.ask(
            "XMTRK SHOW <killed@client.test>")[0] == 250, 10, "the record")
        shown = client.whole("XMTRK SHOW <killed@client.test>")
        assert told(shown)[0][1]["state"] == "unknown"
        assert client.ask("XMTRK TOKEN <killed@client.test>")[0] == 250
        client.quit()

"""The MSA's side: TLS, who it is told the client is, and what becomes of the
client when it is down, slow, silent, rude or gone (RFC 5321 3.8, 4.5.3.2,
RFC 8314, Postfix XCLIENT_README)."""

import re
import time

import pytest

from peers import Authority, Postfix, RawMsa, StrictHop, wait_until
from waybill import Waybill, has_loopback6
from wire import OFFERS, HandMsa, Wire, answer_until

TEXT = b"Subject: x\r\nMessage-ID: <%b@client.test>\r\n\r\nx\r\n"
QUICK = {f"{name}_timeout": "300 ms" for name in (
    "connect", "greeting", "ehlo", "mail", "rcpt", "data", "block", "end")}


@pytest.fixture(scope="module", name="msa_ca")
def fixture_msa_ca(module_space):
    """The MSA's authority, and who else calls itself one."""
    return (Authority(module_space / "msaca", "MSA CA"),
            Authority(module_space / "other", "Other CA"))


def tls_hop(space, msa_ca, tls, **names):
    cert, key = msa_ca[0].issue(f"hop-{space.name}", **names)
    return StrictHop(space / "hop", tls=tls, cert=cert, key=key)


# TLS to the MSA

@pytest.mark.parametrize("tls", ["starttls", "implicit"])
@pytest.mark.parametrize("name", ["", "msa.example.test"])
def test_tls_with_the_right_certificate(start_waybill, start_peer, space,
                                        msa_ca, tls, name):
    hop = start_peer(tls_hop(space, msa_ca, tls, names=["msa.example.test"]))
    waybill = start_waybill(hop, msa_section={
        "tls": tls, "ca_file": msa_ca[0].ca, "tls_name": name})
    client = Wire(waybill)
    assert client.message(TEXT % b"tls")[0] == 250
    client.quit()
    waybill.check_certifier(hop.wait_messages(1)[0]["parameters"])


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
@pytest.mark.parametrize("fault, says", [
    ("ca", "certificate"), ("name", "certificate"), ("expired", "expired")])
def test_tls_with_a_wrong_certificate(start_waybill, start_peer, space,
                                      msa_ca, tls, fault, says):
    hop = start_peer(tls_hop(space, msa_ca, tls,
                             days=-1 if fault == "expired" else 10))
    waybill = start_waybill(hop, msa_section={
        "tls": tls, "ca_file": msa_ca[fault == "ca"].ca,
        "tls_name": "elsewhere.example.test" if fault == "name" else ""})
    client = Wire(waybill)
    assert client.ask("MAIL FROM:<a@b.test>")[0] == 451
    assert client.ask("MAIL FROM:<a@b.test>")[0] == 451
    client.quit()
    line = waybill.wait_line(event="msa_unavailable")
    assert says in line["reason"] and "TLS" in line["reason"]
    assert waybill.lines(event="msa_down")
    assert hop.messages() == [] and hop.commands("MAIL") == []


def test_tls_unverified_where_it_is_wanted_so(start_waybill, start_peer,
                                              space, msa_ca):
    hop = start_peer(tls_hop(space, msa_ca, "starttls"))
    waybill = start_waybill(hop, msa_section={"tls": "starttls",
                                              "verify": False})
    client = Wire(waybill)
    assert client.message(TEXT % b"tls")[0] == 250
    client.quit()


def test_starttls_not_offered_is_no_reason_to_go_without(start_waybill,
                                                         strict_hop):
    waybill = start_waybill(strict_hop, msa_section={"tls": "starttls"})
    client = Wire(waybill)
    assert client.ask("MAIL FROM:<a@b.test>")[0] == 451
    client.quit()
    waybill.wait_line(event="msa_unavailable", reason=re.compile("STARTTLS"))
    assert strict_hop.commands("MAIL") == []


def test_clear_text_behind_the_220_of_starttls_is_refused(start_waybill):
    def script(conn):
        answer_until(conn, "STARTTLS", ("PIPELINING", "STARTTLS"))
        conn.send("220 2.0.0 Go on", "250-injected", "250 MTRK")
        conn.closed()

    with HandMsa(script) as msa:
        waybill = start_waybill(msa, msa_section={"tls": "starttls",
                                                  "verify": False})
        client = Wire(waybill)
        assert client.ask("MAIL FROM:<a@b.test>")[0] == 451
        client.quit()
        waybill.wait_line(event="msa_unavailable",
                          reason=re.compile("clear text"))


# Who the client is

@pytest.mark.parametrize("show", [False, True])
def test_received_names_the_client(start_waybill, strict_hop, show):
    waybill = start_waybill(strict_hop, msa_section={"show_login": show})
    client = Wire(waybill, source="127.0.0.3")
    assert client.message(TEXT % b"received")[0] == 250
    client.quit()
    message = strict_hop.wait_messages(1)[0]
    field = re.match(rb"Received: .*\r\n(?:[ \t].*\r\n)*", message["raw"])
    text = re.sub(r"\s+", " ", field.group().decode())
    assert text.startswith("Received: from client.example.test "
                           "(unknown [127.0.0.3])")
    assert " by submit.example.test " in text
    assert " with ESMTPSA " in text
    assert f" id <{message['parameters']['ENVID']}>" in text
    assert ("alice" in text) == show
    assert message["raw"].count(b"Received:") == 1


@pytest.mark.skipif(not has_loopback6(), reason="no IPv6")
@pytest.mark.parametrize("identity", ["none", "xclient"])
def test_an_ipv6_client_is_named_as_such(start_waybill, start_peer, space,
                                         identity):
    hop = start_peer(StrictHop(space / "hop", "--with",
                               "XCLIENT ADDR HELO LOGIN"))
    waybill = start_waybill(hop, msa_section={"identity": identity})
    client = Wire(waybill, host="::1")
    assert client.message(TEXT % b"six")[0] == 250
    client.quit()
    message = hop.wait_messages(1)[0]
    if identity == "xclient":
        assert hop.commands("XCLIENT")[0]["line"].endswith(" ADDR=IPV6:::1")
    else:
        assert b"(unknown [IPv6:::1])" in message["raw"].partition(b"\r\n")[0]
    assert waybill.wait_line(event="message")["client"] == "::1"


@pytest.fixture(scope="module", name="xclient")
def fixture_xclient(module_space, authority, postfix):
    with Waybill(module_space / "wbx", postfix, authority=authority,
                 msa_section={"identity": "xclient"}) as waybill:
        yield waybill


def test_xclient_tells_postfix_client_and_login(xclient, postfix):
    for user, source in (("alice", "127.0.0.4"), ("carol", "127.0.0.5")):
        name = f"x-{user}"
        client = Wire(xclient, user, source=source)
        assert client.message(TEXT % name.encode(),
                              sender=f"{user}@example.test")[0] == 250
        client.quit()
        message = postfix.wait_message("bob", f"<{name}@client.test>")
        line = xclient.wait_line(event="message",
                                 message_id=f"<{name}@client.test>")
        logged = postfix.log_lines(rf"{line['queue_id']}: client=")[0]
        assert f"client=unknown[{source}]" in logged
        assert f"sasl_username={user}" in logged
        received = message.get_all("Received")
        assert len(received) == 1
        assert "from client.example.test (unknown" in received[0]
        assert f"[{source}]" in received[0]


def test_postfix_without_xclient_sees_the_proxy(start_waybill, postfix):
    waybill = start_waybill(postfix)
    client = Wire(waybill, source="127.0.0.6")
    code, text = client.message(TEXT % b"none")
    assert code == 250 and "queued as" in text
    client.quit()
    message = postfix.wait_message("bob", "<none@client.test>")
    received = message.get_all("Received")
    assert len(received) == 2 and "[127.0.0.6]" in received[1]
    line = waybill.wait_line(event="message", message_id="<none@client.test>")
    assert f"queued as {line['queue_id']}" in text
    assert "client=unknown[127.0.0.1]" in \
        postfix.log_lines(rf"{line['queue_id']}: client=")[0]


def test_postfix_that_does_not_announce_xclient(start_waybill, start_peer,
                                                module_space):
    postfix = start_peer(Postfix(module_space / "shut", xclient=""))
    waybill = start_waybill(postfix, msa_section={"identity": "xclient"})
    client = Wire(waybill)
    code, text = client.ask("MAIL FROM:<alice@example.test>")
    assert code == 451 and "reached" not in text
    assert text.startswith("4.3.5 ")
    client.quit()
    line = waybill.wait_line(event="msa_unavailable")
    assert "XCLIENT" in line["reason"] and line["session"]
    assert len(waybill.lines(event="msa_unavailable")) == 1
    assert postfix.log_lines(r"client=") == []


@pytest.mark.parametrize("reply", [
    "550 5.7.0 insufficient authorization", "501 5.5.4 Bad syntax",
    "421 4.3.2 not now", "250 2.0.0 not what was due"])
def test_xclient_announced_and_refused(start_waybill, raw_msa, reply):
    raw_msa.behave(capabilities=["PIPELINING", "XCLIENT NAME ADDR LOGIN"],
                   replies={"XCLIENT": reply})
    waybill = start_waybill(raw_msa, msa_section={"identity": "xclient"})
    client = Wire(waybill)
    assert client.ask("MAIL FROM:<alice@example.test>")[0] == 451
    line = waybill.wait_line(event="msa_unavailable")
    assert "XCLIENT" in line["reason"] and reply[:3] in line["reason"]
    assert raw_msa.commands("MAIL") == []
    client.quit()


def test_xclient_says_announced_attributes_only(start_waybill, start_peer,
                                                space):
    hop = start_peer(StrictHop(space / "hop", "--with",
                               "XCLIENT NAME ADDR PROTO HELO LOGIN"))
    waybill = start_waybill(hop, msa_section={"identity": "xclient"},
                            users={"a+b c": "secret", "alice": "x"})
    client = Wire(waybill, "a+b c", source="127.0.0.7")
    assert client.message(TEXT % b"x")[0] == 250
    client.quit()
    session = hop.wait_messages(1)[0]["session"]
    lines = [event["line"] for event in hop.commands(session=session)]
    told = [line for line in lines if line.startswith("XCLIENT")]
    words = " ".join(told).split()
    assert "LOGIN=a+2Bb+20c" in words and "ADDR=127.0.0.7" in words
    assert words[-1] == "ADDR=127.0.0.7"
    assert not any(word.startswith(("PORT", "DEST")) for word in words)
    where = lines.index(told[-1])
    assert lines[where + 1] == "EHLO client.example.test"
    assert hop.messages()[0]["raw"].startswith(b"Subject:")


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


def test_xforward_carries_the_envid(start_waybill, raw_msa):
    raw_msa.behave(capabilities=["PIPELINING", "DSN",
                                 "XFORWARD NAME ADDR IDENT"])
    waybill = start_waybill(raw_msa)
    client = Wire(waybill)
    for _ in range(2):
        assert client.message(TEXT % b"ident")[0] == 250
    client.quit()
    told = [event["line"] for event in raw_msa.commands("XFORWARD")]
    sent = re.findall(r"ENVID=(\S+)", " ".join(
        event["line"] for event in raw_msa.commands("MAIL")))
    assert told == [f"XFORWARD IDENT={envid}" for envid in sent]
    assert len(set(sent)) == 2


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


# What is said of a message

def test_one_log_line_a_message_with_all_of_it(start_waybill, strict_hop):
    waybill = start_waybill(strict_hop)
    client = Wire(waybill)
    client.send("MAIL FROM:<alice@example.test>", "RCPT TO:<b@example.test>",
                "RCPT TO:<unknown@example.test>", "RCPT TO:<c@example.test>",
                "DATA")
    assert client.codes(5) == [250, 250, 550, 250, 354]
    client.raw(TEXT % b"line" + b".\r\n")
    assert client.reply()[0] == 250
    client.quit()
    message = strict_hop.wait_messages(1)[0]
    lines = waybill.lines(event="message")
    assert len(lines) == 1
    login = waybill.lines(event="login")[0]
    want = {"session": login["session"], "user": "alice", "tls": "TLSv1.3",
            "client": "127.0.0.1", "from": "alice@example.test",
            "accepted": "2", "refused": "1", "size": str(len(TEXT % b"line")),
            "envid": message["parameters"]["ENVID"], "mtrk": "yes",
            "vault": "stored", "message_id": "<line@client.test>",
            "code": "250", "queue_id": message["reply"].split()[-1],
            "reply": message["reply"][4:]}
    assert {key: lines[0].get(key) for key in want} == want


def test_too_large_is_552(start_waybill, raw_msa):
    raw_msa.behave(capabilities=["PIPELINING", "SIZE 100000"],
                   replies={".": "552 5.3.4 Message too big for me"})
    waybill = start_waybill(raw_msa)
    client = Wire(waybill)
    wait_until(lambda: "SIZE" in client.ehlo(), what="the probe")
    limit = int(client.ehlo()["SIZE"])
    assert 90000 < limit < 100000
    assert client.ask(f"MAIL FROM:<a@b.test> SIZE={limit + 1}")[0] == 552
    assert client.ask(f"MAIL FROM:<a@b.test> SIZE={limit}")[0] == 250
    assert int(re.search(r"SIZE=(\d+)", raw_msa.commands("MAIL")[-1]["line"])
               .group(1)) <= 100000
    client.ask("RSET")
    assert client.message(TEXT % b"big") == \
        (552, "5.3.4 Message too big for me")
    assert waybill.wait_line(event="message")["code"] == "552"
    client.quit()


# An MSA that fails

def test_down_and_up_again(start_waybill, raw_msa):
    raw_msa.stop()
    waybill = start_waybill(raw_msa)
    client = Wire(waybill)
    for _ in range(3):
        code, text = client.ask("MAIL FROM:<a@b.test>")
        assert code == 451 and text.startswith("4.4.1")
    assert client.ask("RCPT TO:<a@b.test>")[0] == 503
    assert client.ask("XMTRK LIST")[0] == 250
    raw_msa.start()
    assert client.message(TEXT % b"up")[0] == 250
    waybill.wait_line(event="msa_up")
    wait_until(lambda: "SIZE" in client.ehlo(), what="its offers")
    raw_msa.stop()
    wait_until(lambda: client.ask("MAIL FROM:<a@b.test>")[0] == 451,
               what="its end to be noticed")
    client.quit()


STAGES = ["banner", "EHLO", "MAIL", "RCPT", "DATA", "."]
FAILURES = {"close": {"close": True}, "silent": {"silent": True},
            "421": {"reply": "421 4.3.2 Shutting down", "close_after": True},
            "garbage": {"reply": "what do you want?"},
            "nul": {"reply": "250 \0"},
            "2-3": {"reply": "250-first\n251 second"},
            "3xx": {"reply": "334 what"}}


def failing(stage, how):
    """A behaviour that fails at a stage."""
    values = {}
    for name in ("close", "silent", "close_after"):
        if how.get(name):
            values[name] = [stage]
    if "reply" in how:
        values["replies"] = {stage: how["reply"]}
    return values


@pytest.fixture(scope="module", name="quick")
def fixture_quick(module_space, authority):
    """A Waybill of little patience, and its MSA."""
    with RawMsa(module_space / "rude") as msa:
        with Waybill(module_space / "wbq", msa, authority=authority,
                     msa_section={**QUICK, "probe_interval": "1 h"},
                     limits={"bad_commands": 1000}) as waybill:
            msa.wait_event("close")		# the probe
            yield waybill, msa


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("how", FAILURES)
def test_each_failure_at_each_stage_is_4xx(quick, stage, how):
    """The client is told 451 where it happened, and goes on."""
    waybill, msa = quick
    msa.behave(**failing(stage, FAILURES[how]))
    client = Wire(waybill)
    lines = ["MAIL FROM:<a@b.test>", "RCPT TO:<c@d.test>", "DATA"]
    fails = max(STAGES.index(stage) - 2, 0)
    for number, line in enumerate(lines):
        code, text = client.ask(line)
        if number >= fails:
            assert code == 451, (line, code, text)
            break
        assert code == (354 if line == "DATA" else 250), (line, code, text)
    else:
        client.raw(TEXT % b"fails" + b".\r\n")
        code, text = client.reply()
        assert code == 451, text
    msa.behave()
    if stage not in ("banner", "EHLO", "MAIL"):
        client.ask("RSET")
    count = len(msa.messages())
    assert client.message(TEXT % b"works")[0] == 250
    assert len(msa.messages()) == count + 1
    assert client.quit() == 221


class ClosingMsa(HandMsa):
    """Serves, but hangs up at a command as often as .closes says."""

    def __init__(self, verb, last_words, offers):
        self.verb, self.last_words, self.offers = verb, last_words, offers
        self.closes = 0
        self.lines = []
        super().__init__(self.talk)

    def talk(self, conn):
        line = answer_until(conn, self.verb, self.offers)
        while True:
            if self.closes > 0 and line.startswith(self.verb):
                self.closes -= 1
                conn.send(*self.last_words)
                return
            self.lines.append(line)
            conn.send("354 go" if line == "DATA" else "250 2.0.0 Ok")
            if line == "DATA":
                while not conn.buffer.endswith(b"\r\n.\r\n"):
                    conn.fill()
                conn.buffer = b""
                conn.send("250 2.0.0 Ok: queued as AGAIN")
            line = conn.line()


def idle_client(waybill, msa):
    """A client whose connection to the MSA is ready and waits."""
    client = Wire(waybill)
    assert client.ask("MAIL FROM:<first@b.test>")[0] == 250
    assert client.ask("RSET")[0] == 250
    msa.lines.clear()
    return client


PATIENT = {"probe_interval": "1 h", "idle_timeout": "1 min"}
ENVELOPE = ["MAIL FROM:<a@b.test>", "RCPT TO:<c@d.test>", "DATA"]


@pytest.mark.parametrize("words", [(), ("421 4.4.2 Idle for too long",)],
                         ids=["silent", "421"])
@pytest.mark.parametrize("verb, offers", [
    ("MAIL", OFFERS), ("MAIL", ("DSN",)), ("XFORWARD", ("XFORWARD IDENT",)),
    ("XFORWARD", ("PIPELINING", "XFORWARD IDENT"))])
@pytest.mark.parametrize("together", [True, False])
def test_a_connection_closed_at_mail_is_dialled_again(
        start_waybill, words, verb, offers, together):
    with ClosingMsa(verb, words, offers) as msa:
        waybill = start_waybill(msa, msa_section=PATIENT)
        waybill.wait_line(event="msa_capabilities")
        client = idle_client(waybill, msa)
        msa.closes = 1
        if together:
            client.send(*ENVELOPE)
            codes = client.codes(3)
        else:
            codes = client.codes_of(*ENVELOPE)
        assert codes == [250, 250, 354]
        client.raw(TEXT % b"again" + b".\r\n")
        assert client.reply()[0] == 250
        client.quit()
        assert len([one for one in msa.lines if one.startswith("RCPT")]) == 1
        assert len(waybill.lines(event="msa_redial")) == 1
        waybill.wait_line(event="message", queue_id="AGAIN")


def test_it_is_dialled_again_once_only(start_waybill):
    with ClosingMsa("MAIL", (), OFFERS) as msa:
        waybill = start_waybill(msa, msa_section=PATIENT)
        waybill.wait_line(event="msa_capabilities")
        client = idle_client(waybill, msa)
        msa.closes = 2
        client.send(*ENVELOPE)
        assert client.codes(3) == [451] * 3
        assert msa.closes == 0
        assert client.message(TEXT % b"third")[0] == 250
        client.quit()


def test_words_for_one_msa_do_not_go_to_one_that_differs(start_waybill):
    with ClosingMsa("MAIL", (), OFFERS) as msa:
        waybill = start_waybill(msa, msa_section=PATIENT)
        waybill.wait_line(event="msa_capabilities")
        client = idle_client(waybill, msa)
        msa.closes, msa.offers = 1, ("PIPELINING",)
        client.send(*ENVELOPE)
        assert client.codes(3) == [451] * 3
        assert msa.lines == []
        client.quit()


@pytest.mark.parametrize("again", ["EHLO client.example.test", "RSET"])
def test_an_msa_that_cannot_reset_gets_no_other_message(
        start_waybill, raw_msa, again):
    raw_msa.behave(replies={"RSET": "452 4.3.1 Not now"})
    waybill = start_waybill(raw_msa, msa_section=PATIENT)
    client = Wire(waybill)
    assert client.ask("MAIL FROM:<a@b.test>")[0] == 250
    client.ask(again)
    assert client.message(TEXT % b"reset")[0] == 250
    client.quit()
    waybill.wait_line(event="msa_refused", reply="452 4.3.1 Not now")
    sessions = [event["session"] for event in raw_msa.commands("MAIL")]
    assert len(sessions) == 2 and sessions[0] != sessions[1]


def test_data_answered_by_250_is_no_success(quick):
    waybill, msa = quick
    msa.behave(replies={"DATA": "250 2.0.0 Ok"})
    client = Wire(waybill)
    client.send("MAIL FROM:<a@b.test>", "RCPT TO:<c@d.test>", "DATA")
    assert client.codes(3) == [250, 250, 451]
    client.quit()
    msa.behave()


def test_a_slow_msa_costs_the_client_no_time_of_its_own(start_waybill,
                                                        raw_msa):
    raw_msa.behave(delay={"RCPT": 0.9, "MAIL": 0.9})
    waybill = start_waybill(raw_msa, limits={"command_timeout": "600 ms"})
    client = Wire(waybill)
    assert client.ask("MAIL FROM:<a@b.test>")[0] == 250
    time.sleep(0.3)
    assert client.ask("RCPT TO:<c@d.test>")[0] == 250
    time.sleep(0.3)
    assert client.ask("NOOP")[0] == 250
    assert client.closed().startswith(b"421 4.4.2")


def test_mail_straight_after_a_lost_transaction(quick):
    waybill, msa = quick
    msa.behave(close=["RCPT"])
    client = Wire(waybill)
    client.send("MAIL FROM:<a@b.test>", "RCPT TO:<c@d.test>",
                "RCPT TO:<e@f.test>", "DATA")
    codes = client.codes(4)
    assert codes[1:] == [451] * 3
    msa.behave()
    assert client.message(TEXT % b"straight")[0] == 250
    client.quit()


@pytest.mark.parametrize("octets", [0, 300000])
def test_gone_in_the_middle_of_data(start_waybill, octets):
    def script(conn):
        answer_until(conn, "DATA")
        conn.send("354 go")
        while len(conn.buffer) < octets:
            conn.fill()

    with HandMsa(script) as msa:
        waybill = start_waybill(msa)
        client = Wire(waybill)
        for _ in range(2):
            client.begin()
            time.sleep(0.05)
            client.raw(TEXT % b"gone" + b"x" * 78 + b"\r\n" * 10)
            client.raw((b"y" * 78 + b"\r\n") * 10000)
            assert client.ask(".")[0] == 451
        client.quit()
        # It may have been noticed before the end was sent, or behind it.
        waybill.wait_line(event="message", code=re.compile("^(451|0)$"),
                          count=2)


def test_gone_behind_the_end_is_remembered_as_unknown(start_waybill):
    def script(conn):
        answer_until(conn, "DATA")
        conn.send("354 go")
        while not conn.buffer.endswith(b"\r\n.\r\n"):
            conn.fill()

    with HandMsa(script) as msa:
        waybill = start_waybill(msa)
        client = Wire(waybill)
        code, text = client.message(TEXT % b"unknown")
        assert code == 451, text
        shown = client.whole("XMTRK SHOW <unknown@client.test>")
        assert any("state=unknown" in line for line in shown)
        assert client.ask("XMTRK TOKEN <unknown@client.test>")[0] == 250
        client.quit()


def test_a_refused_message_is_forgotten(start_waybill, raw_msa):
    raw_msa.behave(replies={".": "554 5.7.1 spam"})
    client = Wire(start_waybill(raw_msa))
    assert client.message(TEXT % b"spam") == (554, "5.7.1 spam")
    assert client.ask("XMTRK SHOW <spam@client.test>")[0] == 550
    client.quit()


def test_an_msa_that_knows_no_ehlo(start_waybill, raw_msa):
    raw_msa.behave(replies={"EHLO": "502 5.5.1 What?"})
    waybill = start_waybill(raw_msa)
    client = Wire(waybill)
    assert client.message(TEXT % b"helo")[0] == 250
    assert raw_msa.commands("HELO")
    mail = raw_msa.commands("MAIL")[0]["line"]
    assert mail == "MAIL FROM:<alice@example.test>"
    client.quit()


def test_a_slow_msa_is_waited_for(quick):
    waybill, msa = quick
    msa.behave(delay={stage: 0.2 for stage in STAGES})
    client = Wire(waybill)
    assert client.message(TEXT % b"slow")[0] == 250
    client.quit()
    msa.behave()

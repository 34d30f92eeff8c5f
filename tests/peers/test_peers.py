"""Each peer starts, takes a message, shows what it was sent, and is gone
after stop()."""

import shutil
import smtplib
import socket
import ssl
import time

import pytest

from peers import clients, postfix
from peers import (Authority, ContentFilter, Exim, INetSim, ImapBackend,
                   PeerFailed, PeerMissing, Postfix, RawMsa, Saslauthd,
                   Sasldb, StrictHop, room, wait_until)

CERTIFIER = "VheLhqV/rCKJmplkGFwsyW59pYk"
TEXT = "Subject: hello\r\nMessage-ID: <1@example.test>\r\n\r\n.dot\r\nbye\r\n"
ENVELOPE = ("alice@example.test", "bob@example.test")


@pytest.fixture(name="space")
def fixture_space():
    path = room("test")
    yield path
    shutil.rmtree(path)


def started(peer):
    try:
        return peer.start()
    except PeerMissing as missing:
        pytest.skip(str(missing))


def submit(port, text=TEXT, mail=(), rcpt=()):
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
        client.ehlo("client.example.test")
        return client.sendmail(*ENVELOPE, text, mail, rcpt)


def talk(port, *lines):
    """Say EHLO, then lines in one write; the reply to each."""
    with socket.create_connection(("127.0.0.1", port), 20) as conn:
        replies = conn.makefile("rb")
        replies.readline()
        conn.sendall(b"EHLO client.example.test\r\n")
        while replies.readline()[3:4] == b"-":
            pass
        conn.sendall(b"".join(line.encode() + b"\r\n" for line in lines))
        return [replies.readline().decode().strip() for _ in lines]


def test_postfix_delivers_and_is_gone(space):
    with started(Postfix(space / "pf")) as msa:
        submit(msa.port, mail=["ENVID=one@example.test"])
        message = msa.wait_message("bob", "<1@example.test>")
        assert message.raw.endswith(b"\n.dot\nbye\n")
        assert msa.log_lines("status=sent")
        port = msa.port
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), 2)


def test_postfix_refuses_unknown_users(space):
    with started(Postfix(space / "pf", users=("alice",))) as msa:
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            submit(msa.port)
        assert refused.value.recipients["bob@example.test"][0] == 550


def test_postfix_reports_a_failure_with_its_envid(space):
    with started(Postfix(space / "pf")) as msa:
        with smtplib.SMTP("127.0.0.1", msa.port) as client:
            for domain in (postfix.FAILS, postfix.WAITS):
                client.sendmail(ENVELOPE[0], f"x@{domain}", TEXT,
                                ["ENVID=one@example.test"])
        report = msa.wait_message("alice").raw
        assert b"Original-Envelope-Id: one@example.test" in report
        wait_until(lambda: msa.log_lines("status=deferred"))


def test_postfix_with_xclient_logs_the_real_client(space):
    with started(Postfix(space / "pf")) as msa:
        with smtplib.SMTP("127.0.0.1", msa.port) as client:
            client.ehlo()
            code, _ = client.docmd(
                "XCLIENT LOGIN=alice HELO=there ADDR=192.0.2.7")
            assert code == 220
            client.ehlo_resp = client.helo_resp = None
            client.sendmail(*ENVELOPE, TEXT)
        msa.wait_message("bob")
        assert msa.log_lines(r"client=unknown\[192\.0\.2\.7\]")


def test_postfix_without_xclient_does_not_offer_it(space):
    with started(Postfix(space / "pf", xclient="")) as msa:
        with smtplib.SMTP("127.0.0.1", msa.port) as client:
            client.ehlo()
            assert not client.has_extn("xclient")
            assert client.docmd("XCLIENT LOGIN=alice")[0] == 550


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_postfix_with_tls(space, tls):
    authority = Authority(space / "ca")
    cert, key = authority.issue("msa")
    context = ssl.create_default_context(cafile=str(authority.ca))
    with started(Postfix(space / "pf", tls=tls, cert=cert, key=key)) as msa:
        if tls == "implicit":
            client = smtplib.SMTP_SSL("127.0.0.1", msa.port, context=context)
        else:
            client = smtplib.SMTP("127.0.0.1", msa.port)
            client.starttls(context=context)
        client.sendmail(*ENVELOPE, TEXT)
        client.quit()
        msa.wait_message("bob")


def test_exim_delivers(space):
    with started(Exim(space / "exim")) as msa:
        submit(msa.port)
        assert "<1@example.test>" in msa.wait_message("bob", "bye")


@pytest.mark.parametrize("amavis", [False, True])
@pytest.mark.parametrize("mta", [Postfix, Exim])
def test_a_content_filter_gives_back_what_it_took(space, mta, amavis):
    scan = ContentFilter(amavis).start()
    try:
        with started(mta(space / "mta", filtered=scan.port)) as msa:
            scan.give_back_to(msa.back)
            submit(msa.port)
            text = "<1@example.test>" if mta is Postfix else "X-Filtered"
            assert "X-Filtered: yes" in str(msa.wait_message("bob", text))
    finally:
        scan.stop()


def test_mail_goes_from_one_to_the_other(space):
    with started(Exim(space / "exim")) as hop, started(Postfix(
            space / "pf", routes={"next.test": hop.port},
            aliases={"bob@example.test": "bob@next.test"})) as msa:
        submit(msa.port)
        line = wait_until(lambda: msa.log_lines("to=<bob@next.test>"))[0]
        assert "status=bounced" in line and "sending nothing out" in line


def test_inetsim_logs_mtrk(space):
    with started(INetSim(space / "sim")) as msa:
        mail = ["ENVID=one@example.test", f"MTRK={CERTIFIER}:864000"]
        submit(msa.port, mail=mail)
        line = msa.wait_command("MAIL")[0]
        assert line.upper().startswith("MAIL FROM:<ALICE@EXAMPLE.TEST> ")
        assert line.endswith(" ".join(mail))
        assert "<1@example.test>" in msa.messages()


@pytest.mark.parametrize("peer", [StrictHop, RawMsa])
def test_hop_records_a_session(space, peer):
    with peer(space / "hop") as hop:
        submit(hop.port, mail=["ENVID=one@example.test"])
        message = hop.wait_messages(1)[0]
        stuffed = b".dot" if peer is StrictHop else b"..dot"
        assert message["raw"].endswith(b"\r\n" + stuffed + b"\r\nbye\r\n")
        assert hop.commands("MAIL")[0]["session"] == 1
        assert hop.violations() == []


@pytest.mark.parametrize("peer", [StrictHop, RawMsa])
def test_hop_knows_what_came_in_one_read(space, peer):
    with peer(space / "hop") as hop:
        with socket.create_connection(("127.0.0.1", hop.port)) as conn:
            lines = conn.makefile("rb")
            lines.readline()
            conn.sendall(b"EHLO x\r\n")
            while lines.readline()[3:4] == b"-":
                pass
            conn.sendall(b"MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\n")
            assert lines.readline()[:3] == lines.readline()[:3] == b"250"
            conn.sendall(b"DATA\r\n")
            assert lines.readline()[:3] == b"354"
        reads = [event["read"] for event in hop.commands(session=1)]
        assert reads == [1, 2, 2, 3]


BAD_MAIL = {
    "a padded certifier": f"ENVID=a@b.c MTRK={CERTIFIER}=:864000",
    "a short certifier": "ENVID=a@b.c MTRK=abcdef",
    "a certifier with stray bits": f"ENVID=a@b.c MTRK={CERTIFIER[:-1]}l",
    "a timeout of ten digits": f"ENVID=a@b.c MTRK={CERTIFIER}:1234567890",
    "no ENVID": f"MTRK={CERTIFIER}",
    "an ENVID without host": f"ENVID=abc MTRK={CERTIFIER}",
    "an ENVID that is not xtext": "ENVID=a+b@c",
    "an ENVID of 101 characters": "ENVID=" + 99 * "a" + "@b",
    "ENVID twice": "ENVID=a@b ENVID=a@b",
    "two blanks": "SIZE=1  BODY=7BIT",
    "a SIZE in words": "SIZE=big",
    "an unknown BODY": "BODY=9BIT",
    "an unknown parameter": "HOLDFOR=100",
    "RET without sense": "RET=SOME",
    "a line of 2049 octets": "ENVID=a@b" + 2049 * " ",
}


@pytest.mark.parametrize("name", BAD_MAIL)
def test_strict_hop_refuses_mail_with(space, name):
    with StrictHop(space / "hop") as hop:
        replies = talk(
            hop.port, f"MAIL FROM:<a@b.test> {BAD_MAIL[name]}")
        assert replies[0][0] == "5", replies
        assert len(hop.violations()) == 1


BAD_RCPT = {
    "no ORCPT": "",
    "ORCPT without type": " ORCPT=bob@example.test",
    "ORCPT that is not xtext": " ORCPT=rfc822;b+b@example.test",
    "NOTIFY=NEVER and more": " ORCPT=rfc822;b@c NOTIFY=NEVER,DELAY",
    "utf-8 in a transaction without SMTPUTF8": " ORCPT=utf-8;b\u00f6@c",
}


@pytest.mark.parametrize("name", BAD_RCPT)
def test_strict_hop_refuses_rcpt_with(space, name):
    with StrictHop(space / "hop") as hop:
        replies = talk(
            hop.port,
            f"MAIL FROM:<a@b.test> ENVID=a@b.c MTRK={CERTIFIER}:864000",
            f"RCPT TO:<b@c.test>{BAD_RCPT[name]}")
        assert replies[0].startswith("250") and replies[1][0] == "5", replies
        assert len(hop.violations()) == 1


def test_strict_hop_takes_what_is_allowed(space):
    with StrictHop(space / "hop") as hop:
        replies = talk(
            hop.port,
            "mail from:<\"a b\"@c.test> SIZE=10 BODY=8BITMIME RET=HDRS "
            f"ENVID=a+2Bb@c MTRK={CERTIFIER}:864000 SMTPUTF8",
            "RCPT TO:<b@c.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b+3Db@c",
            "RCPT TO:<\u00f6@c.test> ORCPT=utf-8;\u00f6@c.test", "RSET",
            "MAIL FROM:<>",
            "RCPT TO:<b@c.test> ORCPT=utf-8;\\x{F6}@c.test")
        assert all(reply.startswith("250") for reply in replies), replies
        assert hop.violations() == []


def test_strict_hop_sees_pipelining_it_did_not_offer(space):
    with StrictHop(space / "hop", "--without", "PIPELINING") as hop:
        talk(hop.port, "MAIL FROM:<a@b.test>", "RCPT TO:<b@c.test>")
        assert hop.violations() == ["pipelined after MAIL"]


@pytest.mark.parametrize("peer", [StrictHop, RawMsa])
def test_hop_misbehaves_on_demand(space, peer):
    with peer(space / "hop") as hop:
        hop.behave(replies={"MAIL": ["451 4.3.0 first", None]},
                   delay={"RCPT": 0.3}, close=["."])
        with pytest.raises(smtplib.SMTPSenderRefused):
            submit(hop.port)
        begin = time.monotonic()
        with pytest.raises(smtplib.SMTPServerDisconnected):
            submit(hop.port)
        assert time.monotonic() - begin >= 0.3
        hop.behave(capabilities=["DSN"], queue_id="Q" * 200,
                   replies={"DATA": "354-go\n354 on"})
        submit(hop.port)
        assert len(hop.wait_messages(2)) == 2


@pytest.mark.parametrize("peer", [StrictHop, RawMsa])
@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_hop_with_tls(space, peer, tls):
    authority = Authority(space / "ca")
    cert, key = authority.issue("msa", names=["localhost"])
    context = ssl.create_default_context(cafile=str(authority.ca))
    if tls == "starttls":
        behaviour = {"capabilities": ["STARTTLS"]} if peer is RawMsa else None
    else:
        behaviour = None
    with peer(space / "hop", tls=tls, cert=cert, key=key,
              behaviour=behaviour) as hop:
        if tls == "implicit":
            client = smtplib.SMTP_SSL("localhost", hop.port, context=context)
        else:
            client = smtplib.SMTP("localhost", hop.port)
            client.starttls(context=context)
        client.sendmail(*ENVELOPE, TEXT)
        client.quit()
        assert len(hop.wait_messages(1)) == 1


def test_saslauthd_asks_a_slow_backend(space):
    users = {"alice": "sec ret", "bob": 'q"uo\\te'}
    with ImapBackend(space / "imap", users, delay=0.3) as backend:
        with started(Saslauthd(space / "sa", backend)) as server:
            begin = time.monotonic()
            assert server.verify("alice", "sec ret").startswith("OK")
            assert server.verify("bob", 'q"uo\\te').startswith("OK")
            assert time.monotonic() - begin >= 0.6
            assert server.verify("alice", "wrong").startswith("NO")


def test_sasldb_holds_a_user(space):
    database = Sasldb(space / "db", "example.test")
    assert database.add("alice", "secret").path.exists()


def test_a_failed_start_shows_the_log(space):
    with pytest.raises(PeerFailed, match="ended with status"):
        RawMsa(space / "hop", "--no-such-option").start()


def test_stock_clients_talk_to_postfix(space):
    authority = Authority(space / "ca")
    cert, key = authority.issue("msa")
    message = space / "message"
    message.write_text("Subject: by curl\r\n\r\nhello\r\n")
    with started(Postfix(space / "pf", tls="starttls", cert=cert,
                         key=key)) as msa:
        done = clients.swaks(msa.port, authority.ca, "alice", "secret",
                             "--auth-optional")
        assert done.returncode == 0, done.stdout
        done = clients.curl(msa.port, authority.ca, "", "", message)
        assert done.returncode == 0, done.stdout
        wait_until(lambda: len(msa.messages("bob")) == 2)


def test_scram_follows_the_rfc():
    # RFC 7677 section 3.
    scram = clients.Scram("SCRAM-SHA-256", "user", "pencil")
    scram.first = "n=user,r=rOprNGfwEbeRWgbNEkqO"
    answer = scram(b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                   b"s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
    assert answer.endswith("p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    assert scram("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=") == ""

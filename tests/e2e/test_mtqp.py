"""waybill-track as its clients see it: every reply octet for octet, and what
it answers to whom (RFC 3887, RFC 3886)."""

import os
import pathlib
import ssl
import warnings

import pytest

from mtqp_client import Gone, b64, read_answer, transcript_text
from mtqp_server import (BAD_ENVID, BAD_LENGTH, BAD_OCTETS, BAD_SECRET, BYE,
                         CLEAR, MANY, NO_COMMAND, NOINFO, OFFERED, OK, PLAIN,
                         SECRET, SECURED, TOO_LONG, WANTS,
                         fixture_plain, fixture_start_server)  # noqa: F401
from peers import wait_until
from waybill import HOSTNAME, certifier_of, has_loopback6
from wire import resident

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden" / "mtqp"
OTHER = "track.other.test"


def golden(name, transcript, **names):
    """Compare with the golden file; GOLDEN=write makes it."""
    text = transcript_text(transcript, **names)
    path = GOLDEN / f"live-{name}.txt"
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text()


class TestReplies:
    def test_greetings(self, plain):
        with plain.connect() as client:
            assert client.greeting.raw == CLEAR
            assert client.greeting.options == {"STARTTLS": ["REQUIRED"]}
            client.starttls(HOSTNAME, plain.waybill.context())
            assert client.greeting.raw == SECURED
            assert client.quit().raw == BYE

    def test_a_session_as_it_should_be(self, plain):
        envid, secret = plain.submit()
        with plain.connect() as client:
            client.ask("COMMENT in clear")
            assert client.track(envid, secret).tokens == ["tls-required"]
            client.starttls(HOSTNAME, plain.waybill.context())
            reply = client.track(envid, secret)
            assert client.track(envid, SECRET).raw == NOINFO
            client.quit()
        golden("queued", client.transcript, envid=envid, secret=secret)
        part, = read_answer(reply.body)
        assert (part.envid, part.mta) == (envid, HOSTNAME)
        recipient, = part.recipients
        assert recipient["Action"] == "delayed"
        assert recipient["Original-Recipient"] == "rfc822; bob@example.test"
        assert "Remote-MTA" not in recipient
        assert "Last-Attempt-Date" not in recipient

    def test_mistakes_of_a_client(self, plain):
        with plain.connect() as client:
            client.ask("NOOP", "EHLO client.test", "QUIT now", "TRACK",
                       "TRACK a@b", "STARTTLS", "STARTTLS localhost",
                       "STARTTLS other.example.test", "STARTTLS a.b c.d",
                       f"TRACK a@b {SECRET}", " QUIT", "comment x")
            client.starttls(HOSTNAME.upper(), plain.waybill.context())
            client.ask(f"STARTTLS {HOSTNAME}", "STARTTLS", "TRACK",
                       "TRACK a@b =", "TRACK ab AAECAwQFBgcICQoLDA0ODw==",
                       "TRACK a@b AAEC", "HELP", "COMMENT")
            client.quit()
        golden("mistakes", client.transcript)

    def test_letter_case_and_space_do_not_matter(self, plain):
        envid, secret = plain.submit()
        with plain.connect() as client:
            assert client.ask("cOmMeNt").raw == OK
            assert client.ask(f"StartTLS \t {HOSTNAME.title()} ").status == \
                "+OK"
            client.secure(plain.waybill.context(), HOSTNAME)
            wanted = client.track(envid, secret)
            for line in (f"track\t{envid} \t {secret}",
                         f"Track {envid} {secret}  ",
                         f"TRACK <{envid}> {secret.rstrip('=')}"):
                assert client.ask(line).raw == wanted.raw
            assert client.ask("quit").raw == BYE

    def test_answers_come_in_the_order_of_the_commands(self, plain):
        envid, secret = plain.submit()
        with plain.secure() as client:
            track = f"TRACK {envid} {secret}"
            wrong = f"TRACK {envid} {SECRET}"
            replies = client.ask("COMMENT 1", track, wrong, track, "COMMENT",
                                 wrong, "NOOP", track, "QUIT")
            found = replies[1].raw
            assert found.startswith(b"+OK+ ")
            assert [reply.raw for reply in replies] == [
                OK, found, NOINFO, found, OK, NOINFO, NO_COMMAND, found, BYE]
            assert client.closed() == b""

    def test_starttls_may_end_a_batch(self, plain):
        with plain.connect() as client:
            replies = client.ask("COMMENT 1", "COMMENT 2",
                                 f"STARTTLS {HOSTNAME}")
            assert [reply.raw for reply in replies] == [
                OK, OK, b"+OK begin TLS now\r\n"]
            client.secure(plain.waybill.context(), HOSTNAME)
            assert client.greeting.raw == SECURED

    @pytest.mark.parametrize("more", [
        "COMMENT injected", f"TRACK a@b {SECRET}", "x", "QUIT"])
    def test_octets_behind_starttls_end_the_session(self, plain, more):
        with plain.connect() as client:
            client.send(f"STARTTLS {HOSTNAME}\r\n{more}\r\n".encode())
            assert client.reply().raw == \
                b"-BAD STARTTLS comes last in a batch\r\n"
            assert client.closed() == b""

    def test_octets_behind_starttls_are_not_taken_for_tls(self, plain):
        """What comes later in clear is no handshake, nor a command."""
        with plain.connect() as client:
            assert client.ask(f"STARTTLS {HOSTNAME}").status == "+OK"
            client.send(b"TRACK a@b AAECAwQFBgcICQoLDA0ODw==\r\n")
            assert b"noinfo" not in client.closed()

    def test_one_octet_at_a_time(self, plain):
        envid, secret = plain.submit()
        with plain.secure() as client:
            wanted = client.track(envid, secret).raw
            for octet in f"TRACK {envid} {secret}\r\nQUIT\r\n".encode():
                client.send(bytes([octet]))
            assert client.reply().raw == wanted
            assert client.reply().raw == BYE

    def test_lines_have_a_length(self, plain):
        with plain.secure() as client:
            for length, reply in ((998, OK), (999, TOO_LONG), (1000, TOO_LONG),
                                  (1001, TOO_LONG), (5000, TOO_LONG)):
                line = "COMMENT ".ljust(length, "x")
                assert client.ask(line).raw == reply
                assert client.ask(line, "COMMENT")[1].raw == OK

    def test_a_megabyte_without_an_end(self, plain):
        before = resident(plain.tracker())
        with plain.secure() as client:
            for _ in range(1024):
                client.send(b"x" * 1024)
            client.send(b"\r\n")
            assert client.reply().raw == TOO_LONG
            assert client.ask("COMMENT").raw == OK
            assert resident(plain.tracker()) < before + 4096

    def test_line_ends(self, plain):
        with plain.secure() as client:
            client.send(b"COMMENT bare\nCOMMENT\r\n")
            assert client.reply().raw == b"-BAD a line ends with CR and LF\r\n"
            assert client.reply().raw == OK
            client.send(b"COMMENT a\rb\r\nCOMMENT \r\r\nCOMMENT\r\n")
            assert client.reply().raw == BAD_OCTETS
            assert client.reply().raw == BAD_OCTETS
            assert client.reply().raw == OK
            client.send(b"\r\n\r\n  \r\n")
            assert [client.reply().raw for _ in range(3)] == [NO_COMMAND] * 3

    def test_a_half_line_is_no_command(self, plain):
        client = plain.secure()
        client.send(b"TRACK a@b AAEC")
        client.sock.unwrap().close()
        with plain.secure() as client:
            assert client.quit().raw == BYE


class TestParameters:
    """What TRACK may be given (RFC 3887 4, RFC 3885 3.1, 3.2)."""

    def test_base64_of_any_length(self, plain):
        octets = os.urandom(4096)
        lengths = [n for n in range(4097) if not 16 <= n <= 128 or
                   n in (16, 17, 18, 64, 126, 127, 128)]
        with plain.secure() as client:
            for at in range(0, len(lengths), 64):
                group = lengths[at:at + 64]
                lines = [f"TRACK a@b {b64(octets[:n])}" for n in group]
                for n, line, reply in zip(group, lines, client.ask(*lines)):
                    wanted = WANTS if n == 0 else TOO_LONG \
                        if len(line) > 998 else BAD_LENGTH \
                        if not 16 <= n <= 128 else NOINFO
                    assert reply.raw == wanted, n

    @pytest.mark.parametrize("secret", [
        "=", "====", "AAECAwQFBgcICQoLDA0ODw=", "AAECAwQFBgcICQoLDA0ODw===",
        "AAECAwQFBgcICQoLDA0ODx==", "AAECAwQFBgcICQoLDA0ODx",
        "AAECAwQFBgcICQoLDA0OD-==", "AAECAwQF=BgcICQoLDA0ODw==",
        "AAECAwQFBgcICQoLDA0ODw==A", "A" * 25, "%41AECAwQFBgcICQoLDA0ODw=="])
    def test_what_is_no_base64(self, plain, secret):
        with plain.secure() as client:
            assert client.track("a@b", secret).raw == BAD_SECRET

    @pytest.mark.parametrize("envid, reply", [
        ("<>", BAD_ENVID), ("<", BAD_ENVID), ("@", BAD_ENVID),
        ("a@", BAD_ENVID), ("@b", BAD_ENVID), ("ab", BAD_ENVID),
        ("<a@b", NOINFO), ("<a@b>", NOINFO), ("<<a@b>>", NOINFO),
        ("a+40b@c", NOINFO), ("a+2B@c", NOINFO), ("+3Ca@b+3E", NOINFO),
        ("a+00@b", NOINFO), ("+FF+FE@b", NOINFO), ("a+0D+0A@b", NOINFO),
        ("a+@b", BAD_ENVID), ("a+4@b", BAD_ENVID), ("a+2b@c", BAD_ENVID),
        ("a+ZZ@b", BAD_ENVID), ("a=b@c", BAD_ENVID), ("a@b@c", NOINFO),
        ("a" * 98 + "@b", NOINFO), ("a" * 99 + "@b", BAD_ENVID),
        ("a" * 900 + "@b", BAD_ENVID), ("a b@c", WANTS),
        ("a\tb@c", WANTS)])
    def test_envids(self, plain, envid, reply):
        with plain.secure() as client:
            got = client.ask(f"TRACK {envid} {SECRET}", "COMMENT")
            assert [one.raw for one in got] == [reply, OK]

    @pytest.mark.parametrize("octet", [0, 1, 8, 11, 27, 127, 128, 0xa0, 255])
    def test_octets_that_are_not_printable(self, plain, octet):
        with plain.secure() as client:
            client.send(b"TRACK a" + bytes([octet]) + b"@b " +
                        SECRET.encode() + b"\r\nCOMMENT\r\n")
            assert client.reply().raw == BAD_OCTETS
            assert client.reply().raw == OK


# RFC 3885's A and its certifier, as the project's facts have them.
VECTORS = [
    (bytes(range(16)), "VheLhqV/rCKJmplkGFwsyW59pYk"),
    (bytes(range(128)), "5kNLxAH5hgPX7aUEeQyYxnOF1TU"),
    (bytes(15) + b"\x17", "eD72e8cRib6kzdkkE9IFMiKt+FA")]


class TestWhoIsTold:
    def test_all_refusals_are_one(self, start_server):
        server = start_server(track=MANY)
        envid, secret = server.submit()
        other, others = server.submit()
        gone, revoked = server.submit()
        assert server.waybill.cli("revoke", gone)
        carol = server.waybill.submit(
            "carol", "bob@example.test", "Message-ID: <c@x>\r\n\r\nhi\r\n")
        carols = server.waybill.cli("token", "<c@x>", user="carol")
        with server.secure() as client:
            assert client.track(envid, secret).status == "+OK+"
            assert client.track(carols["envid"],
                                carols["secret"]).status == "+OK+", carol
            for pair in ((envid, SECRET), (envid, others), (other, secret),
                         (gone, revoked), (gone, secret),
                         (carols["envid"], secret),
                         ("A" * 22 + f"@{HOSTNAME}", secret),
                         ("unknown@example.test", SECRET),
                         (envid.swapcase(), secret),
                         (envid.partition("@")[0] + "@other.test", secret)):
                assert client.track(*pair).raw == NOINFO, pair

    @pytest.mark.parametrize("secret, certifier", VECTORS,
                             ids=["16", "128", "xtext"])
    def test_the_client_keeps_a(self, start_server, secret, certifier):
        server = start_server()
        assert certifier_of(secret) == certifier
        server.send(mail=[f"MTRK={certifier}:86400",
                          "ENVID=Its+2BOwn@client.test"])
        with server.secure() as client:
            reply = client.track("Its+2BOwn@client.test", b64(secret))
            part, = read_answer(reply.body)
            assert part.envid == "Its+Own@client.test"
            assert part.recipients[0]["Action"] == "transferred"
            assert part.recipients[0]["Remote-MTA"] == "dns; hop.example.test"
            unpadded = b64(secret).rstrip("=")
            assert client.track("+49ts+2BOwn@client.test",
                                unpadded).raw == reply.raw
            for pair in (("Its+2BOwn@client.test", b64(secret[1:] + b"x")),
                         ("its+2BOwn@client.test", b64(secret)),
                         ("ItsOwn@client.test", b64(secret))):
                assert client.track(*pair).raw == NOINFO
            client.quit()
        if len(secret) > 16:
            golden("own-certifier", client.transcript)

    @pytest.mark.parametrize("shown", [False, True])
    def test_inner_hops_are_named_by_wish_only(self, start_server, shown):
        server = start_server(tracking={
            "inner_hosts": ["hop.example.test"], "reveal_hosts": shown})
        envid, secret = server.submit()
        with server.secure() as client:
            reply = client.track(envid, secret)
        recipient, = read_answer(reply.body)[0].recipients
        assert (b"hop.example.test" in reply.body) == shown
        assert recipient["Action"] == \
            ("transferred" if shown else "delayed")

    def test_a_message_of_many(self, start_server):
        server = start_server(*PLAIN)
        names = [f"r{i}@example.test" for i in range(100)]
        envid, secret = server.submit(to=names)
        with server.secure() as client:
            part, = read_answer(client.track(envid, secret).body)
        assert [one["Final-Recipient"] for one in part.recipients] == \
            [f"rfc822; {name}" for name in names]

    def test_recipients_beyond_ascii(self, start_server):
        server = start_server(*PLAIN)
        login = server.waybill.login("alice")
        login.command_encoding = "utf-8"
        envid, secret = server.submit(to="j\u00f6rg@ex\u00e4mple.test",
                                      mail=["SMTPUTF8"], client=login)
        with server.secure() as client:
            part, = read_answer(client.track(envid, secret).body)
        recipient, = part.recipients
        assert recipient["Original-Recipient"] == \
            recipient["Final-Recipient"] == \
            r"utf-8; j\x{F6}rg@ex\x{E4}mple.test"


class TestTls:
    def test_offered_is_not_required(self, start_server):
        server = start_server(*PLAIN, track={"tls": "offered"})
        envid, secret = server.submit()
        with server.connect() as client:
            assert client.greeting.raw == OFFERED
            clear = client.track(envid, secret).raw
            assert clear.startswith(b"+OK+ ")
            client.starttls(HOSTNAME, server.waybill.context())
            assert client.track(envid, secret).raw == clear
            client.quit()
        golden("offered", client.transcript, envid=envid, secret=secret)

    def test_the_certificate_is_the_one_asked_for(self, start_server,
                                                  authority, space):
        cert, key = authority.issue("other-domain", [OTHER, "*.wild.test"])
        both = space / "both.pem"
        both.write_text(cert.read_text() + key.read_text())
        server = start_server(*PLAIN, track={"certificates": [both]})
        envid, secret = server.submit()
        for name, shown in ((HOSTNAME, HOSTNAME), (OTHER, OTHER),
                            (OTHER.upper(), OTHER), ("a.wild.test", OTHER),
                            (HOSTNAME, HOSTNAME)):
            with server.secure(name) as client:
                names = [value for _, value in
                         client.sock.getpeercert()["subjectAltName"]]
                assert shown in names
                assert client.greeting.raw == SECURED
                assert client.track(envid, secret).status == "+OK+"
        with server.connect() as client:
            for name in ("wild.test", "a.b.wild.test", "other.test",
                         f"x.{HOSTNAME}", "127.0.0.1", "a..b", "-a.test"):
                reply = client.ask(f"STARTTLS {name}")
                assert reply.raw.startswith(b"-BAD/bad-fqdn "), name

    def test_a_new_certificate_counts_from_the_reload_on(self, start_server,
                                                         authority, space):
        server = start_server(*PLAIN)
        with server.connect() as client:
            assert client.ask(f"STARTTLS {OTHER}").tokens == ["bad-fqdn"]
        cert, key = authority.issue("new-domain", [OTHER])
        both = space / "both.pem"
        both.write_text(cert.read_text() + key.read_text())
        server.waybill.track_section["certificates"] = [both]
        server.waybill.write_conf()
        server.waybill.reload()

        def taken():
            try:
                with server.connect() as client:
                    return client.ask(f"STARTTLS {OTHER}").status == "+OK"
            except (Gone, OSError):
                return False
        wait_until(taken, 20, "the new certificate")

    @pytest.mark.skipif(not has_loopback6(), reason="no IPv6 here")
    def test_over_ipv6(self, start_server):
        server = start_server(*PLAIN, track={"address": ["127.0.0.1", "::1"]})
        envid, secret = server.submit()
        for host in ("127.0.0.1", "::1"):
            with server.secure(host=host) as client:
                assert client.track(envid, secret).status == "+OK+"

    def test_no_old_tls(self, plain):
        context = plain.waybill.context()
        with warnings.catch_warnings(action="ignore"):
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        with plain.connect() as client:
            client.ask(f"STARTTLS {HOSTNAME}")
            with pytest.raises((ssl.SSLError, OSError)):
                client.secure(context, HOSTNAME)

    def test_a_handshake_that_does_not_come(self, start_server):
        server = start_server(*PLAIN, limits={"handshake_timeout": "1 s"})
        with server.connect() as client:
            client.ask(f"STARTTLS {HOSTNAME}")
            assert client.closed() == b""

    def test_a_handshake_that_is_none(self, plain):
        with plain.connect() as client:
            client.ask(f"STARTTLS {HOSTNAME}")
            client.send(os.urandom(4096))
            client.closed()
        with plain.secure() as client:
            assert client.quit().raw == BYE

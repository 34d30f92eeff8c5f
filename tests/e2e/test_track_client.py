"""waybill track against tracking servers that are not Waybill, or lie."""

import fcntl
import json
import os
import resource
import socket
import struct
import subprocess
import termios
import time

import pytest

from delegate import (ENVID, FIRST, HOP, NAME, SECRET, TRACK, TRIED, URI, FAR,
                      Delegate, complains, says)
from false_server import FalseServer, rows
from false_tracker import SECURED, FalseDns, FalseTracker, recipient

PASSWORD = "only a test"


@pytest.fixture(scope="module", name="certificate")
def fixture_certificate(authority):
    return authority.issue("tracker", [FIRST, HOP, FAR], [])


@pytest.fixture(name="delegate")
def fixture_delegate(tmp_path, authority):
    return Delegate(tmp_path, authority)


@pytest.mark.parametrize("groups, status, state", [
    ([recipient("b@d", "delivered")], 0, "arrived"),
    ([recipient("b@d", "relayed", "2.1.9")], 0, "arrived"),
    ([recipient("b@d", "expanded")], 0, "arrived"),
    ([recipient("b@d", "failed", "5.1.1")], 1, "failed"),
    ([recipient("b@d", "delayed", "4.0.0")], 2, "underway"),
    ([recipient("b@d", "opaque", "2.0.0")], 3, "unknown"),
    ([recipient("b@d", "vanished", "2.0.0")], 3, "unknown"),
    ([recipient("b@d", "DeliVered"), recipient("c@d", "delayed", "4.0.0")],
     2, "underway"),
    ([recipient("b@d", "failed", "5.0.0"),
      recipient("c@d", "delayed", "4.0.0")], 1, "failed"),
    ([recipient("b@d", "delivered"), recipient("c@d", "opaque", "2.0.0")],
     3, "unknown")])
def test_exit_status_tells_the_state(delegate, certificate, groups, status,
                                     state):
    with FalseTracker(*certificate, {NAME: says(FIRST, *groups)}) as server:
        done = delegate.track(server)
        code, value = delegate.json(server)
    assert (done.returncode, code) == (status, status)
    assert value["state"] == state
    assert done.stderr == ""
    assert len(value["recipients"]) == len(groups)


def test_shows_a_line_per_recipient_and_a_time_line(delegate, certificate):
    answer = says(
        FIRST, recipient("carol@d.example", "failed",
                         "5.1.1 (550 no \x1b[31m such user)",
                         Remote_MTA="dns; mx.d.example", **TRIED),
        recipient("bob@d.example", "relayed", "2.1.9",
                  Remote_MTA="dns; mx.d.example",
                  Last_Attempt_Date="Mon, 1 Jan 2024 15:15:16 +0000",
                  X_Waybill_Reply="250 2.0.0 Ok", X_Waybill_TLS="TLSv1.3"))
    with FalseTracker(*certificate, {NAME: answer}) as server:
        done = delegate.track(server)
        code, value = delegate.json(server)
    shown = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert shown == [
        f"envelope id {ENVID}", f"asked {FIRST}", "",
        "RECIPIENT STATE CODE SERVER WHAT IT SAID",
        "carol@d.example not delivered 5.1.1 mx.d.example "
        "550 no ?[31m such user",
        "bob@d.example accepted by the recipient's server 2.1.9 "
        "mx.d.example (TLSv1.3) 250 2.0.0 Ok", "",
        "TIME RECIPIENT WHAT HAPPENED SERVER WHAT IT SAID",
        f"2024-01-01 15:15:15 received {FIRST}",
        "2024-01-01 15:15:16 bob@d.example accepted by the recipient's "
        "server mx.d.example (TLSv1.3) 250 2.0.0 Ok",
        "2024-01-01 15:15:18 carol@d.example not delivered mx.d.example "
        "550 no ?[31m such user"]
    assert code == done.returncode == 1
    assert value["servers"] == [{"server": FIRST, "answered": True}]
    assert value["recipients"][1] == {
        "to": "bob@d.example", "final": "bob@d.example", "state": "arrived",
        "settled": True, "action": "relayed", "status": "2.1.9",
        "told_by": FIRST, "remote_mta": "mx.d.example",
        "reply": "250 2.0.0 Ok", "tls": "TLSv1.3",
        "last_attempt": "2024-01-01T15:15:16.000Z"}
    assert [line["action"] for line in value["events"]] == \
        ["received", "relayed", "failed"]


REASON = ("550 5.1.1 <carol@d.example>: Recipient address rejected: User "
          "unknown in virtual mailbox table")


def on_terminal(delegate, server, columns):
    """What waybill track shows on a terminal of so many columns."""
    control, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ,
                struct.pack("4H", 24, columns, 0, 0))
    with subprocess.Popen(
            [delegate.binary, "--connect", f"127.0.0.1:{server.port}",
             "track", URI], env=delegate.env, stdin=subprocess.DEVNULL,
            stdout=terminal):
        os.close(terminal)
        shown = b""
        try:
            while more := os.read(control, 4096):
                shown += more
        except OSError:
            pass
    os.close(control)
    return shown.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [0, 40, 80, 100, 200])
def test_a_terminal_shows_all_of_the_reason(delegate, certificate, columns):
    answer = says(FIRST, recipient("jürgen@d.example", "failed", "5.1.1",
                                   Remote_MTA="dns; mx.d.example",
                                   X_Waybill_Reply=REASON, **TRIED))
    with FalseTracker(*certificate, {NAME: answer}) as server:
        shown = on_terminal(delegate, server, columns)
        piped = delegate.track(server).stdout
    assert " ".join(shown.split()).count(REASON) == 2
    assert max(map(len, shown.splitlines())) <= (columns or 80)
    assert sum(line.endswith(REASON) for line in piped.splitlines()) == 2
    if columns == 80:
        assert """
RECIPIENT         STATE          CODE   SERVER
    WHAT IT SAID
jürgen@d.example  not delivered  5.1.1  mx.d.example
    550 5.1.1 <carol@d.example>: Recipient address rejected: User unknown in
    virtual mailbox table
""" in shown


def test_a_lenient_reader_takes_what_the_rfc_shows(delegate, certificate):
    text = ("Content-Type: multipart/related; boundary=%%%%; "
            "type=tracking-status\n\n--%%%%\n"
            "Content-Type: message/tracking-status\n\n"
            f"Original-Envelope-Id: <{ENVID}>\nReporting-MTA: dns;{FIRST}\n\n"
            "Final-Recipient: rfc822;b@d\nOriginal-Recipient: rfc822;b@d\n"
            "Action: failed\nStatus 5.2.2 (full)\n\n--%%%%--\n")
    with FalseTracker(*certificate, {NAME: text}) as server:
        code, value = delegate.json(server)
    assert code == 1
    assert value["recipients"][0]["status"] == "5.2.2"


@pytest.mark.parametrize("given, words", [
    (URI + "\n", ["-"]), (f"  {URI}\r\nmore\n", []), (URI, ["-"])])
def test_reads_the_uri_from_standard_input(delegate, certificate, given,
                                           words):
    answer = says(FIRST, recipient("b@d", "delivered"))
    with FalseTracker(*certificate, {NAME: answer}) as server:
        done = delegate.run("--connect", f"127.0.0.1:{server.port}", "track",
                            *words, given=given)
    assert done.returncode == 0, done.stderr
    assert server.tracked() == [TRACK]


def test_a_uri_does_not_stay_among_the_processes(delegate, certificate):
    with FalseTracker(*certificate, greeting=lambda peer: peer.recv(1)) \
            as server:
        child = delegate.start("--connect", f"127.0.0.1:{server.port}",
                               "track", URI)
        end = time.monotonic() + 10
        while server.connections == 0 and time.monotonic() < end:
            time.sleep(0.02)
        with open(f"/proc/{child.pid}/cmdline", encoding="ascii") as line:
            shown = line.read()
        child.kill()
        child.communicate()
    assert "track" in shown
    assert SECRET not in shown and ENVID not in shown


@pytest.mark.parametrize("words", [
    ["track"], ["track", "-"], ["track", f"mtqp://{FIRST}/{ENVID}/{SECRET}"],
    ["track", f"mtqp://{FIRST}/track/{ENVID}/AAEC"],
    ["track", f"mtqp://{FIRST}/track/noenvid/{SECRET}"],
    ["track", f"mtqp://u@{FIRST}/track/{ENVID}/{SECRET}"],
    ["track", f"mtqp:///track/{ENVID}/{SECRET}"],
    ["track", f"mtqp://{FIRST}:99999/track/{ENVID}/{SECRET}"],
    ["track", ENVID, URI], ["track", "--interval", "0", URI],
    ["track", "--timeout", "x", URI], ["track", "--bogus", URI],
    ["track", "--no-tls", URI], ["track", "--track-tls", "no", URI],
    ["track", "--limit", "3", URI], ["track", ENVID],
    ["track", "--connect", "a:b", URI], ["track", "--connect", ":1", URI],
    ["track", "--connect", "", "--resolver", "no address", URI]])
def test_mistakes_of_the_user_have_a_status_of_their_own(delegate, words):
    complains(delegate.run(*words), status=64)


@pytest.mark.parametrize("words", [
    [URI], ["show", URI], ["token", URI], ["delegate", URI],
    ["list", URI], ["list", "--watch"], ["show", "--no-tls", "x@y"]])
def test_only_track_takes_what_is_for_track(delegate, words):
    complains(delegate.run("--user", "alice", *words), status=2)


class TestByName:
    """The user's own messages, whose secret the own server knows."""

    TOKEN = {"envid": ENVID, "secret": SECRET, "certifier": "c" * 27,
             "uri": URI}

    @pytest.fixture(name="user")
    def fixture_user(self, delegate, tmp_path, authority):
        password = tmp_path / "password"
        password.write_text(PASSWORD + "\n")
        password.chmod(0o600)
        local = authority.issue("submission", ["localhost"])

        def run(tracker, token, *words):
            with FalseServer(
                    *local, XMTRK_LIST=rows("message", {"envid": ENVID}),
                    XMTRK_TOKEN=token) as server:
                done = delegate.run(
                    "--server", "127.0.0.1", "--port", str(server.port),
                    "--user", "alice", "--password-file", password,
                    "--connect", f"127.0.0.1:{tracker.port}", "track",
                    *words)
            return done, [line[6:] for line in server.lines
                          if line.startswith("XMTRK")]
        return run

    @pytest.mark.parametrize("name, asked", [
        (ENVID, [f"TOKEN {ENVID}"]), ("<a@b>", ["TOKEN <a@b>"]),
        ("last", ["LIST LIMIT=1", f"TOKEN {ENVID}"])])
    def test_asks_for_the_secret_first(self, user, certificate, name, asked):
        answer = says(FIRST, recipient("b@d", "delivered"))
        with FalseTracker(*certificate, {NAME: answer}) as tracker:
            done, lines = user(tracker, rows("token", self.TOKEN), name)
        assert done.returncode == 0, done.stderr
        assert lines == asked
        assert tracker.tracked() == [TRACK]

    def test_the_own_server_is_asked_where_it_names_none(self, user,
                                                         authority):
        token = {key: self.TOKEN[key] for key in ("envid", "secret")}
        answer = says("x", recipient("b@d", "delivered"))
        own = authority.issue("own", ["localhost"])
        with FalseTracker(*own, {NAME: answer}) as tracker:
            done, _ = user(tracker, rows("token", token), ENVID)
        assert done.returncode == 0, done.stderr
        assert tracker.lines[0] == "STARTTLS 127.0.0.1"

    def test_without_a_tracking_server_says_what_to_do(self, user,
                                                       certificate):
        with FalseTracker(*certificate) as tracker:
            untracked, _ = user(tracker, rows("token", self.TOKEN), ENVID)
        down, _ = user(tracker, rows("token", self.TOKEN), ENVID)
        for done, why in ((untracked, "knows nothing of it"),
                          (down, "Connection refused")):
            assert done.returncode == 3 and done.stdout == ""
            lines = done.stderr.splitlines()
            assert len(lines) == 2 and why in lines[0]
            assert f'"waybill show {ENVID}" tells' in lines[1]
            assert SECRET not in done.stderr

    @pytest.mark.parametrize("token, words", [
        ("550 5.5.0 no such message", ["no such message"]),
        (rows("token", {**TOKEN, "uri": "http://x/"}), ["mtqp URI"]),
        (rows("token", {"envid": ENVID}), ["no secret"]),
        (rows("token", {"envid": ENVID, "secret": "!"}), ["no secret"])])
    def test_what_cannot_be_tracked_is_unknown(self, user, certificate,
                                               token, words):
        with FalseTracker(*certificate) as tracker:
            done, _ = user(tracker, token, ENVID)
        complains(done, *words)
        assert tracker.connections == 0


class TestFinding:
    """Which machine is asked (RFC 3887 2, RFC 2782)."""

    ANSWER = {NAME: says(FIRST, recipient("b@d", "delivered"))}

    def test_srv_by_priority_then_the_next(self, delegate, certificate):
        with FalseTracker(*certificate, self.ANSWER) as server, \
                FalseTracker(*certificate) as last, \
                FalseDns({("a.test", "A"): ["127.0.0.1"],
                          ("_mtqp._tcp." + FIRST, "SRV"): [
                              (30, 9, last.port, "a.test"),
                              (20, 9, server.port, "a.test"),
                              (1, 0, 1, "a.test"),
                              (2, 0, 1, "nowhere.test")]}) as dns:
            done = delegate.run("--resolver", dns.address, "track", URI)
        assert done.returncode == 0, done.stderr
        assert server.lines[0] == f"STARTTLS {FIRST}"
        assert last.connections == 0

    def test_without_srv_the_host_itself_on_1038(self, delegate, certificate):
        with FalseTracker(*certificate, self.ANSWER, "127.0.0.38", 1038), \
                FalseDns({(FIRST, "A"): ["127.0.0.38"]}) as dns:
            done = delegate.run("--resolver", dns.address, "track", URI)
        assert done.returncode == 0, done.stderr
        assert dns.asked[0] == ("_mtqp._tcp." + FIRST, "SRV")

    def test_a_port_in_the_uri_skips_srv(self, delegate, certificate):
        with FalseTracker(*certificate, self.ANSWER) as server, \
                FalseDns({(FIRST, "A"): ["127.0.0.1"]}) as dns:
            done = delegate.run("--resolver", dns.address, "track",
                                URI.replace(FIRST, f"{FIRST}:{server.port}"))
        assert done.returncode == 0, done.stderr
        assert not any(kind == "SRV" for _, kind in dns.asked)

    @pytest.mark.parametrize("records, words", [
        ({("_mtqp._tcp." + FIRST, "SRV"): [(0, 0, 0, ".")],
          (FIRST, "A"): ["127.0.0.1"]}, ["nobody tracks its messages"]),
        ({("_mtqp._tcp." + FIRST, "SRV"): "servfail"},
         ["cannot find the tracking server"]),
        ({("_mtqp._tcp." + FIRST, "SRV"): "silent"},
         ["cannot find the tracking server", "Timeout"]),
        ({}, ["cannot find the tracking server"])])
    def test_what_is_not_found_ends_soon(self, delegate, records, words):
        start = time.monotonic()
        with FalseDns(records) as dns:
            complains(delegate.run("--resolver", dns.address, "track",
                                   "--timeout", "3", URI), *words)
        assert time.monotonic() - start < 10


class TestTls:
    ANSWER = {NAME: says(FIRST, recipient("b@d", "delivered"))}

    def test_stripping_does_not_get_the_secret(self, delegate, certificate):
        with FalseTracker(*certificate, self.ANSWER,
                          greeting=b"+OK+/MTQP\r\nX-STARTTLS\r\n.\r\n") \
                as server:
            done = delegate.track(server)
        complains(done, "offers no TLS", "in between")
        assert server.lines == []

    def test_in_the_clear_only_by_wish_and_with_a_warning(self, delegate,
                                                          certificate):
        with FalseTracker(*certificate, self.ANSWER,
                          greeting=b"+OK/MTQP\r\n") as server:
            done = delegate.track(server, "--track-tls", "offered")
        assert done.returncode == 0
        assert "WARNING" in done.stderr and "without TLS" in done.stderr
        assert server.tracked() == [TRACK]

    def test_what_is_offered_is_taken(self, delegate, certificate):
        with FalseTracker(*certificate, self.ANSWER) as server:
            done = delegate.track(server, "--track-tls", "offered")
            never = delegate.track(server, "--track-tls", "offered",
                                   "--no-tls")
        assert done.returncode == 0 and done.stderr == ""
        assert server.secured == [False, True, True]
        complains(never, "requires TLS")

    @pytest.mark.parametrize("reply, word", [
        (b"+OK go\r\n+OK/MTQP injected\r\n", "in between"),
        (b"-BAD/bad-fqdn not me\r\n", "no certificate for that name"),
        (b"-ERR/unsupported\r\n", "refused STARTTLS")])
    def test_starttls_that_goes_wrong(self, delegate, certificate, reply,
                                      word):
        with FalseTracker(*certificate, self.ANSWER, STARTTLS=reply) \
                as server:
            complains(delegate.track(server), word)
        assert server.tracked() == []

    def test_the_greeting_inside_tls_counts(self, delegate, certificate):
        with FalseTracker(*certificate, self.ANSWER,
                          secured=b"-ERR/MTQP/unavailable \x07no\r\n") \
                as server:
            complains(delegate.track(server),
                      "does not serve now: -ERR/MTQP/unavailable ?no")
        assert server.tracked() == []

    def test_the_certificate_must_be_good(self, delegate, authority):
        other = authority.issue("not-first", ["other.example.test"], [])
        old = authority.issue("old-first", [FIRST], [], days=-1)
        with FalseTracker(*other, self.ANSWER) as server:
            complains(delegate.track(server), f"is not for {FIRST} but for "
                      "other.example.test")
            wild = delegate.track(server, "--no-verify")
            tracked = len(server.tracked())
        assert wild.returncode == 0 and "WARNING" in wild.stderr
        assert tracked == 1
        with FalseTracker(*old, self.ANSWER) as server:
            complains(delegate.track(server), "certificate has expired")
            del delegate.env["SSL_CERT_FILE"]
            complains(delegate.track(server), "not trusted here",
                      "SSL_CERT_FILE")
        assert server.tracked() == []

    def test_a_ca_file_adds_to_the_systems(self, delegate, certificate,
                                           authority):
        del delegate.env["SSL_CERT_FILE"]
        with FalseTracker(*certificate, self.ANSWER) as server:
            done = delegate.track(server, "--ca-file", authority.ca)
        assert done.returncode == 0, done.stderr

    def test_a_name_without_a_dot_has_no_tls(self, delegate, certificate):
        with FalseTracker(*certificate, self.ANSWER) as server:
            complains(delegate.run(
                "track", URI.replace(FIRST, f"localhost:{server.port}")),
                "full domain name")


def endless(line):
    """An answer that goes on for ever."""
    def flood(peer):
        peer.sendall(b"+OK+\r\nContent-Type: multipart/related; boundary=x;"
                     b' type="message/tracking-status"\r\n\r\n')
        while True:
            peer.sendall(line * 100)
    return flood


def trickle(peer):
    peer.sendall(b"+OK+\r\n")
    while True:
        peer.sendall(b"x\r\n")
        time.sleep(0.3)


@pytest.mark.parametrize("script, words", [
    ({"greeting": b"SSH-2.0-OpenSSH_9.2\r\n"}, ["does not speak MTQP"]),
    ({"greeting": b"+OK POP3 ready\r\n"}, ["does not speak MTQP"]),
    ({"greeting": b"+OK" + b"x" * 100000}, ["cannot understand"]),
    ({"greeting": b"+OK\0/MTQP\r\n"}, ["cannot understand"]),
    ({"greeting": None}, ["closed by the server"]),
    ({"greeting": b"+OK+/MTQP\r\n" + b"X\r\n" * 100000}, ["too long"]),
    ({"greeting": b"-TEMP/MTQP/admin \x1b[2J\r\n"}, ["/admin ?[2J"]),
    ({"greeting": lambda peer: peer.recv(1)}, ["took too long"]),
    ({"TRACK": None}, ["closed by the server"]),
    ({"TRACK": b"+OK nothing\r\n"}, ["cannot understand"]),
    ({"TRACK": b"+OK+\r\n.\r\n"}, ["cannot understand"]),
    ({"TRACK": b"+OK+\r\n\0\xff\r\n.\r\n"}, ["cannot understand"]),
    ({"TRACK": b"+OK+\r\n" + b"y" * 5000 + b"\r\n.\r\n"},
     ["cannot understand"]),
    ({"TRACK": b"-ERR/noinfo\r\n"}, ["knows nothing of it"]),
    ({"TRACK": b"-TEMP/NOINFO\r\n"}, ["knows nothing of it"]),
    ({"TRACK": b"-ERR/insecure\r\n"}, ["wants better TLS"]),
    ({"TRACK": b"-BAD what \x1b[31m?\r\n"}, ["refused to answer"]),
    ({"TRACK": b"-TEMP/admin\r\n"}, ["cannot tell now"]),
    ({"TRACK": b"-ERR " + SECRET.encode() + b"\r\n"}, ["refused to answer: -ERR ******"]),
    ({"TRACK": endless(b"--x\r\nContent-Type: message/tracking-status\r\n"
                       b"\r\n")}, ["too long"]),
    ({"TRACK": endless(b"Final-Recipient: rfc822; a@b\r\n\r\n" * 20)},
     ["too long"]),
    ({"TRACK": trickle}, ["took too long"])])
def test_servers_that_misbehave(delegate, certificate, script, words):
    start = time.monotonic()
    with FalseTracker(*certificate, **script) as server:
        done = delegate.track(server, "--timeout", "6")
    complains(done, *words)
    assert time.monotonic() - start < 15


def test_memory_has_a_bound(delegate, certificate):
    """The largest answer that is taken, all of it recipients."""
    group = recipient("a" * 60 + "@d.example", "delivered")
    many = says(FIRST, *(group.replace("a@", f"{n}@")
                         for n in range(19000)))
    with FalseTracker(*certificate, {NAME: many}) as server:
        done = delegate.track(server, "--json")
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["recipients"]) == 19000
    if "asan" not in str(delegate.binary):
        used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        assert used < 300 * 1024


def test_nobody_listens(delegate):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    complains(delegate.run("--connect", f"127.0.0.1:{port}", "track", URI),
              f"cannot connect to the tracking server {FIRST}",
              "Connection refused")


def test_lf_alone_ends_lines_as_well(delegate, certificate):
    body = says(FIRST, recipient("b@d", "delivered")).encode()
    with FalseTracker(*certificate, greeting=b"+OK+/MTQP\nSTARTTLS\n.\n",
                      secured=SECURED.replace(b"\r", b""),
                      TRACK=b"+OK+\n" + body + b".\n") as server:
        done = delegate.track(server)
    assert done.returncode == 0, done.stderr

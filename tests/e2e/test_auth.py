"""AUTH (RFC 4954) through waybill-auth: every mechanism, what is malformed,
what a backend that is slow or gone does to others, and what failures cost."""

import base64
import concurrent.futures
import contextlib
import os
import pathlib
import re
import signal
import socket
import time

import pytest

from peers import (Authority, ImapBackend, PeerMissing, Saslauthd, clients,
                   wait_until)
from raw_client import RawClient, b64, plain, scram
from waybill import USERS, Waybill, has_loopback6

ALICE = plain("alice", USERS["alice"])
CAROL = plain("carol", USERS["carol"])
WRONG = plain("alice", "wrong")
SCRAM = ["SCRAM-SHA-1", "SCRAM-SHA-256"]
FAIL2BAN = pathlib.Path(__file__).resolve().parents[2] / "contrib" / \
    "fail2ban" / "waybill.conf"


@pytest.fixture(scope="module", name="waybill")
def fixture_waybill(module_space):
    """One Waybill for the tests that need nothing special; many failures
    are not to slow it down."""
    waybill = Waybill(module_space / "wb",
                      authority=Authority(module_space / "ca"),
                      auth={"failures": 100},
                      limits={"bad_commands": 100})
    with waybill:
        yield waybill


def connect(waybill, source=None, **more):
    """In TLS, and EHLO said."""
    client = RawClient(waybill.ports["submissions"], source=source,
                       context=waybill.context(), **more)
    client.hello()
    return client


def saslauthd_conf(path, *mechanisms):
    return {"mechanisms": list(mechanisms or ("PLAIN", "LOGIN")),
            "sasl": ["pwcheck_method=saslauthd", f"saslauthd_path={path}"]}


# Mechanisms

@pytest.mark.parametrize("mechanism", SCRAM)
def test_scram_takes_the_right_password_alone(waybill, mechanism):
    with connect(waybill) as client:
        assert scram(client, mechanism, "alice",
                     "wrong").startswith("535 5.7.8")
        assert scram(client, mechanism, "nobody",
                     "wrong").startswith("535 5.7.8")
        assert scram(client, mechanism.lower().upper(), "alice",
                     USERS["alice"]).startswith("235 2.7.0")


@pytest.mark.parametrize("mechanism", SCRAM)
def test_scram_without_an_initial_response(waybill, mechanism):
    step = clients.Scram(mechanism, "alice", USERS["alice"])
    with connect(waybill) as client:
        reply = client.say(f"AUTH {mechanism}")
        assert reply == "334 "
        reply = client.say(b64(step()))
        while reply.startswith("334"):
            reply = client.say(b64(step(base64.b64decode(reply[4:]))))
        assert reply.startswith("235")


def test_scram_tampered_with(waybill):
    """A nonce that is not the server's continues nothing."""
    step = clients.Scram("SCRAM-SHA-256", "alice", USERS["alice"])
    with connect(waybill) as client:
        reply = client.say(f"AUTH SCRAM-SHA-256 {b64(step())}")
        last = step(base64.b64decode(reply[4:])).replace("r=", "r=x", 1)
        assert client.say(b64(last))[:3] in ("501", "535")
        assert client.say("NOOP").startswith("250")


def test_plain_in_every_form(waybill):
    for first, then in ((ALICE, []), (None, [ALICE])):
        with connect(waybill) as client:
            reply = client.say("AUTH PLAIN" + (f" {first}" if first else ""))
            for response in then:
                assert reply == "334 "
                reply = client.say(response)
            assert reply.startswith("235 2.7.0")
    with connect(waybill) as client:
        assert client.say(f"auth plain {ALICE}").startswith("235")


def test_login_in_every_form(waybill):
    user, password = b64("alice"), b64(USERS["alice"])
    for first in ("AUTH LOGIN", f"AUTH LOGIN {user}"):
        with connect(waybill) as client:
            reply = client.say(first)
            if first == "AUTH LOGIN":
                assert base64.b64decode(reply[4:]) == b"Username:"
                reply = client.say(user)
            assert base64.b64decode(reply[4:]) == b"Password:"
            assert client.say(password).startswith("235")


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_stock_clients_log_in_and_are_refused(waybill, mechanism):
    port, ca = waybill.ports["submission"], waybill.authority.ca
    done = clients.swaks(port, ca, "alice", USERS["alice"],
                         "--quit-after", "AUTH", mechanism=mechanism)
    assert done.returncode == 0 and "235 2.7.0" in done.stdout, done.stdout
    done = clients.swaks(port, ca, "alice", "wrong", "--quit-after", "AUTH",
                         mechanism=mechanism)
    assert done.returncode != 0 and "535 5.7.8" in done.stdout, done.stdout
    done = clients.run("curl", "-sS", "-v", "--ssl-reqd", "--cacert", ca,
                       f"smtp://localhost:{port}", "-u", "alice:wrong",
                       "--login-options", f"AUTH={mechanism}")
    assert done.returncode == 67 and "535 5.7.8" in done.stdout, done.stdout


def test_the_list_is_as_configured(start_waybill):
    names = ["SCRAM-SHA-256", "PLAIN"]
    waybill = start_waybill(auth={"mechanisms": names})
    with connect(waybill) as client:
        assert client.hello()["AUTH"] == names
        assert client.say(f"AUTH LOGIN {b64('alice')}").startswith("504")
        assert client.say("AUTH CRAM-MD5").startswith("504 5.5.4")
        assert client.say("AUTH PLAIN " + ALICE).startswith("235")
    # A change reaches the sessions that come after a reload.
    waybill.sections["auth"] = {"mechanisms": ["LOGIN"]}
    waybill.write_conf()
    waybill.reload()
    waybill.wait_line(event="reloaded")
    with connect(waybill) as client:
        assert client.hello()["AUTH"] == ["LOGIN"]
        assert client.say("AUTH PLAIN " + ALICE).startswith("504")


# What is wrong

@pytest.mark.parametrize("line, reply", [
    ("AUTH", "501 5.5.4"), ("AUTH ", "501 5.5.4"),
    ("AUTH NONSUCH", "504 5.5.4"), ("AUTH EXTERNAL =", "504 5.5.4"),
    ("AUTH ANONYMOUS =", "504 5.5.4"), ("AUTH GSSAPI", "504 5.5.4"),
    ("AUTH " + "X" * 300, "504 5.5.4"), ("AUTH PLAIN,LOGIN", "504 5.5.4"),
    ("AUTH PLAIN !", "501 5.5.2"), ("AUTH PLAIN A", "501 5.5.2"),
    ("AUTH PLAIN QUFB=", "501 5.5.2"), ("AUTH PLAIN =QUF", "501 5.5.2"),
    ("AUTH PLAIN QQ", "501 5.5.2"), ("AUTH PLAIN QR==", "501 5.5.2"),
    ("AUTH PLAIN QUFB QUFB", "501 5.5.2"), ("AUTH PLAIN ==", "501 5.5.2"),
    ("AUTH PLAIN QU\u00e4B", "501 5.5.2")])
def test_malformed_auth_is_refused(waybill, line, reply):
    with connect(waybill) as client:
        assert client.say(line).startswith(reply)
        assert client.say("AUTH PLAIN " + ALICE).startswith("235")


@pytest.mark.parametrize("response, reply", [
    ("*", "501"), ("!", "501 5.5.2"), ("=", "501 5.5.2"),
    ("QUFB=", "501 5.5.2"), ("* ", "501 5.5.2"), (" *", "501 5.5.2"),
    ("QUFB\0", "501 5.5.2"), (b64("alice\0secret"), "5"),
    (b64("\0alice\0a\0b"), "5"), (b64("\0\0"), "5"), ("", "5"),
    (b64("\0alice\0" + "x" * 9000), "5"), (b64("\0" + "x" * 9000 + "\0y"),
                                           "5")])
def test_malformed_responses_end_the_exchange_alone(waybill, response, reply):
    with connect(waybill) as client:
        assert client.say("AUTH PLAIN") == "334 "
        assert client.say(response).startswith(reply)
        assert client.say("AUTH PLAIN " + ALICE).startswith("235")


def test_equals_sign_is_an_empty_response(waybill):
    with connect(waybill) as client:
        # It is a response, so that it is judged, not asked for again.
        reply = client.say("AUTH PLAIN =")
        assert reply[:3] in ("501", "535"), reply
        assert client.say("AUTH PLAIN " + ALICE).startswith("235")


@pytest.mark.parametrize("octets, good", [(12288, True), (12289, False),
                                          (40000, False), (300000, False)])
def test_responses_of_12288_octets(waybill, octets, good):
    with connect(waybill) as client:
        assert client.say("AUTH PLAIN") == "334 "
        reply = client.say("A" * octets)
        if good:    # nonsense, but of a good length
            assert reply[:3] in ("501", "535"), reply
            assert not reply.startswith("500"), reply
        else:
            assert reply.startswith("500 5.5.6"), reply
        assert client.say("NOOP").startswith("250 2.0.0")
        assert client.say("AUTH PLAIN " + ALICE).startswith("235")


def test_order_of_things(waybill):
    with RawClient(waybill.ports["submissions"],
                   context=waybill.context()) as client:
        assert client.say("AUTH PLAIN " + ALICE).startswith("503 5.5.1")
        client.hello()
        for line in ("MAIL FROM:<alice@example.test>",
                     "RCPT TO:<bob@example.test>", "DATA", "VRFY bob",
                     "XMTRK LIST"):
            assert client.say(line).startswith("530 5.7.0"), line
        assert client.say("AUTH PLAIN " + ALICE).startswith("235")
        assert client.say("AUTH PLAIN " + ALICE).startswith("503 5.5.1")
        assert client.say("AUTH SCRAM-SHA-1").startswith("503 5.5.1")
        # RFC 4954 4: EHLO again changes nothing about that.
        assert "AUTH" not in client.hello()
        assert client.say("AUTH PLAIN " + ALICE).startswith("503 5.5.1")
        assert client.say("VRFY bob").startswith("252")


def test_helo_will_do(waybill):
    with RawClient(waybill.ports["submissions"],
                   context=waybill.context()) as client:
        assert client.say("HELO client.example.test").startswith("250 ")
        assert client.say("AUTH PLAIN " + ALICE).startswith("235")


def test_commands_pipelined_behind_auth_wait(waybill):
    with connect(waybill) as client:
        client.send(f"AUTH PLAIN {WRONG}\r\nNOOP\r\nAUTH PLAIN\r\n"
                    f"{ALICE}\r\nNOOP\r\nAUTH PLAIN {ALICE}\r\n")
        codes = [client.reply()[:3] for _ in range(6)]
        assert codes == ["535", "250", "334", "235", "250", "503"]


def test_responses_octet_by_octet(waybill):
    with connect(waybill) as client:
        for line in ("AUTH LOGIN", b64("alice"), b64(USERS["alice"])):
            for octet in line + "\r\n":
                client.send(octet)
            reply = client.reply()
        assert reply.startswith("235")


def test_no_password_is_in_the_log(waybill):
    with connect(waybill) as client:
        client.say("AUTH PLAIN " + plain("alice", "hunter2hunter2"))
        scram(client, "SCRAM-SHA-256", "alice", "hunter2hunter2")
        client.say("AUTH LOGIN")
        client.say(b64("alice"))
        client.say(b64("hunter2hunter2"))
        client.say("AUTH PLAIN " + ALICE)
    text = waybill.log.read_text(errors="replace")
    for secret in ("hunter2hunter2", b64("hunter2hunter2")[:-2],
                   USERS["alice"], ALICE):
        assert secret not in text


# Failures

def test_three_failures_end_the_session(start_waybill):
    waybill = start_waybill()
    with connect(waybill) as client:
        assert client.say("AUTH PLAIN " + WRONG).startswith("535 5.7.8")
        assert scram(client, "SCRAM-SHA-1", "alice",
                     "wrong").startswith("535")
        assert client.say("NOOP").startswith("250")
        assert client.say("AUTH PLAIN " + WRONG).startswith("535 5.7.8")
        assert client.ended()
    lines = waybill.lines(event="auth_failed")
    assert [line["client"] for line in lines] == ["127.0.0.1"] * 3
    assert [line["user"].partition("@")[0] for line in lines] == \
        ["alice"] * 3
    assert [line["mech"] for line in lines] == ["PLAIN", "SCRAM-SHA-1",
                                                "PLAIN"]
    assert len({line["session"] for line in lines}) == 1


def test_unknown_users_and_wrong_passwords_look_alike(waybill):
    with connect(waybill) as client:
        wrong = client.say("AUTH PLAIN " + WRONG)
        unknown = client.say("AUTH PLAIN " + plain("nobody", "wrong"))
    assert wrong == unknown


def timed(function, *words):
    start = time.monotonic()
    result = function(*words)
    return time.monotonic() - start, result


def test_failures_slow_the_address_and_not_the_account(start_waybill):
    """Counted across workers, dead ones too; another address logs in at
    once."""
    waybill = start_waybill(top={"workers": 2},
                            auth={"penalty_max": "2 s", "failures": 2})
    for _ in range(3):
        with connect(waybill, "127.0.0.2") as client:
            client.say("AUTH PLAIN " + WRONG)
            client.say("AUTH PLAIN " + WRONG)
        replace_proxies(waybill)
    lines = waybill.lines(event="auth_failed", client="127.0.0.2")
    assert [int(line["failures"]) for line in lines] == list(range(1, 7))
    assert len({line["pid"] for line in lines}) == 3
    # Whoever comes from there waits, though the password is right.
    with connect(waybill, "127.0.0.2") as client:
        spent, reply = timed(client.say, "AUTH PLAIN " + CAROL)
        assert reply.startswith("235")
        assert spent > 1.9
    # The same account from elsewhere does not.
    with connect(waybill, "127.0.0.3") as client:
        spent, reply = timed(client.say, "AUTH PLAIN " + ALICE)
        assert reply.startswith("235") and spent < 1.9
    if has_loopback6():
        with connect(waybill, host="::1") as client:
            spent, reply = timed(client.say, "AUTH PLAIN " + ALICE)
            assert reply.startswith("235") and spent < 1.9


def replace_proxies(waybill):
    """All of them, at once, as after a crash."""
    old = set(waybill.children("proxy"))
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    for pid in wait_until(
            lambda: len(set(waybill.children("proxy")) - old) == len(old) and
            set(waybill.children("proxy")) - old, what="new proxies"):
        waybill.wait_line(event="process", state="ready", child=pid)


@pytest.mark.skipif(not has_loopback6(), reason="no IPv6 here")
def test_failures_over_ipv6_are_counted(start_waybill):
    waybill = start_waybill()
    with connect(waybill, host="::1") as client:
        client.say("AUTH PLAIN " + WRONG)
    with connect(waybill, host="::1") as client:
        client.say("AUTH PLAIN " + WRONG)
    assert [(line["client"], line["failures"]) for line in
            waybill.lines(event="auth_failed")] == [("::1", "1"),
                                                    ("::1", "2")]


def ban_pattern():
    """The filter's regular expression as fail2ban would use it."""
    text = FAIL2BAN.read_text(encoding="ascii")
    found = re.search(r"^failregex\s*=\s*(.*)$", text, re.M).group(1)
    return re.compile(found.replace("%(__prefix_line)s", "").replace(
        "<HOST>", r"(?P<host>[0-9a-fA-F.:]+)"))


def test_failures_are_fit_for_fail2ban(start_waybill):
    """The ban rule finds the address, and nobody can write another one."""
    waybill = start_waybill(auth={"failures": 100})
    pattern = ban_pattern()
    forged = 'x" client=192.0.2.9 reply="535 5.7.8'
    users = ["alice", "nobody", forged, "a\nevent=auth_failed client=192.0.2."
             "9 reply=535", "o'hara \u00fc"]
    with connect(waybill, "127.0.0.4") as client:
        for user in users:
            assert client.say("AUTH PLAIN " + plain(
                user, "wrong")).startswith("5")
        client.say("AUTH PLAIN " + ALICE)
    waybill.wait_line(event="auth_failed", count=len(users))
    matches = [match.group("host") for match in map(
        pattern.search, waybill.log.read_text().splitlines()) if match]
    assert matches == ["127.0.0.4"] * len(users)


def test_a_backend_that_is_down_bans_nobody(start_waybill, space):
    waybill = start_waybill(auth=saslauthd_conf(space / "nobody" / "mux"))
    with connect(waybill) as client:
        for _ in range(4):
            assert client.say("AUTH PLAIN " + ALICE).startswith("454 4.7.0")
        assert client.say("NOOP").startswith("250")
    log = waybill.log.read_text()
    assert not any(map(ban_pattern().search, log.splitlines()))
    assert "saslauthd" in log


# Backends

@pytest.fixture(name="saslauthd")
def fixture_saslauthd(start_peer, space):
    """saslauthd(delay) with an IMAP server of that delay behind it."""
    def start(delay=0.0, threads=5):
        backend = start_peer(ImapBackend(space / "imap", USERS, delay))
        try:
            return start_peer(Saslauthd(space / "sa", backend, threads))
        except PeerMissing as missing:
            pytest.skip(str(missing))
    return start


def test_saslauthd_verifies_and_comes_back(start_waybill, saslauthd):
    daemon = saslauthd()
    waybill = start_waybill(auth=saslauthd_conf(daemon.path))
    with connect(waybill) as client:
        assert client.say("AUTH PLAIN " + WRONG).startswith("535")
        client.say("AUTH LOGIN")
        client.say(b64("alice"))
        assert client.say(b64(USERS["alice"])).startswith("235")
    daemon.stop()
    with connect(waybill) as client:
        assert client.say("AUTH PLAIN " + ALICE).startswith("454 4.7.0")
        daemon.start()
        assert client.say("AUTH PLAIN " + ALICE).startswith("235")


def test_scram_that_nobody_can_verify_is_warned_of(start_waybill, saslauthd):
    daemon = saslauthd()
    waybill = start_waybill(auth=saslauthd_conf(
        daemon.path, "PLAIN", "SCRAM-SHA-256"))
    line = waybill.wait_line(level="warning", msg=re.compile(
        "SCRAM-SHA-256.*(auxprop|saslauthd)"))
    assert "PLAIN" not in line["msg"]
    with connect(waybill) as client:
        assert client.say("AUTH PLAIN " + ALICE).startswith("235")


def test_no_warning_where_scram_can_be_verified(waybill):
    assert not waybill.lines(level="warning", msg=re.compile("SCRAM"))


def test_a_slow_backend_keeps_nobody_out(start_waybill, saslauthd):
    """Twenty logins of a second each, two workers: one by one that would
    take ten seconds and more for the last."""
    daemon = saslauthd(delay=1.0, threads=40)
    waybill = start_waybill(auth={**saslauthd_conf(daemon.path),
                                  "workers": 2, "workers_max": 24})
    held = [connect(waybill) for _ in range(20)]
    start = time.monotonic()
    for client in held:
        client.send(f"AUTH PLAIN {ALICE}\r\n")
    with connect(waybill) as client:
        assert client.say("AUTH PLAIN " + CAROL).startswith("235")
    spent = time.monotonic() - start
    for client in held:
        assert client.reply().startswith("235")
        client.close()
    assert spent < 8.0
    assert waybill.lines(event="auth-grows")
    assert len(waybill.children("auth")) > 2


def test_a_backend_slower_than_the_limit_is_454(start_waybill, saslauthd):
    daemon = saslauthd(delay=30.0)
    waybill = start_waybill(auth={**saslauthd_conf(daemon.path),
                                  "timeout": "1 s"})
    with connect(waybill) as client:
        spent, reply = timed(client.say, "AUTH PLAIN " + ALICE)
        assert reply.startswith("454 4.7.0")
        assert 0.9 < spent < 15
        assert client.say("NOOP").startswith("250")


def silent_client(waybill, number):
    """In the middle of AUTH, and will say nothing more."""
    source = f"127.0.{1 + number // 250}.{1 + number % 250}"
    client = connect(waybill, source, timeout=60)
    step = clients.Scram("SCRAM-SHA-256", "alice", USERS["alice"])
    first = [f"AUTH SCRAM-SHA-256 {b64(step())}", "AUTH PLAIN",
             f"AUTH LOGIN {b64('alice')}"][number % 3]
    assert client.say(first).startswith("334"), first
    return client


def test_a_thousand_silent_exchanges_keep_nobody_out(start_waybill):
    waybill = start_waybill(top={"workers": 2},
                            auth={"workers": 2, "workers_max": 2})
    with contextlib.ExitStack() as stack, \
            concurrent.futures.ThreadPoolExecutor(16) as pool:
        for client in pool.map(lambda n: silent_client(waybill, n),
                               range(1000)):
            stack.enter_context(client)
        spent, client = timed(connect, waybill)
        stack.enter_context(client)
        more, reply = timed(scram, client, "SCRAM-SHA-256", "carol",
                            USERS["carol"])
        assert reply.startswith("235")
        assert spent + more < 5.0


def test_exchanges_of_one_address_are_capped(start_waybill):
    """And a batch of refusals is no deep stack."""
    waybill = start_waybill(auth={"exchanges_per_address": 3})
    held = [connect(waybill) for _ in range(3)]
    for client in held:
        assert client.say("AUTH PLAIN") == "334 "
    with connect(waybill) as client:
        client.send("AUTH PLAIN\r\n" * 5000)
        assert all(client.reply().startswith("454 4.7.0")
                   for _ in range(5000))
        with connect(waybill, "127.0.0.2") as other:
            assert other.say("AUTH PLAIN " + ALICE).startswith("235")
        held.pop().close()
        wait_until(lambda: client.say("AUTH PLAIN " + ALICE)
                   .startswith("235"), what="room for one more")
    for client in held:
        assert client.say(ALICE).startswith("235")
        client.close()


def test_silence_in_an_exchange_ends(start_waybill):
    waybill = start_waybill(auth={"idle_timeout": "1 s"})
    with connect(waybill) as client:
        assert client.say("AUTH PLAIN") == "334 "
        spent, reply = timed(client.reply)
        assert reply.startswith("421 4.4.2") or reply.startswith("454")
        assert spent > 0.5


# Processes that die

def test_killed_auth_processes_end_their_exchanges_alone(start_waybill):
    """Each in turn, in the middle of exchanges; the sessions go on."""
    waybill = start_waybill(auth={"workers": 3})
    for _ in range(2):
        held = [connect(waybill) for _ in range(12)]
        steps = [clients.Scram("SCRAM-SHA-256", "alice", USERS["alice"])
                 for _ in held]
        challenges = [client.say(f"AUTH SCRAM-SHA-256 {b64(step())}")
                      for client, step in zip(held, steps)]
        assert all(one.startswith("334") for one in challenges)
        victim = waybill.children("auth")[0]
        os.kill(victim, signal.SIGKILL)
        replies = [client.say(b64(step(base64.b64decode(one[4:]))))[:3]
                   for client, step, one in zip(held, steps, challenges)]
        assert set(replies) <= {"334", "454"}, replies
        # All may go on: to the end, or from the start again.
        for client, reply in zip(held, replies):
            if reply == "334":
                assert client.say("").startswith("235")
            else:
                assert client.say("AUTH PLAIN " + ALICE).startswith("235")
            client.close()
        children = waybill.wait_children("auth", 3)
        assert victim not in children


def test_all_auth_processes_dead_is_454_and_then_good(start_waybill):
    waybill = start_waybill(auth={"timeout": "5 s"})
    with connect(waybill) as client:
        for pid in waybill.children("auth"):
            os.kill(pid, signal.SIGSTOP)
        client.send(f"AUTH PLAIN {ALICE}\r\n")
        time.sleep(0.2)
        for pid in waybill.children("auth"):
            os.kill(pid, signal.SIGKILL)
        # Asked of one that died: 454; of the next one: 235.
        assert client.reply()[:3] in ("454", "235")
    with connect(waybill) as client:
        wait_until(lambda: client.say("AUTH PLAIN " + ALICE)
                   .startswith(("235", "503")), what="a login again")


def test_a_killed_proxy_ends_its_own_sessions_alone(start_waybill):
    waybill = start_waybill(top={"workers": 3})
    pids = set(waybill.wait_children("proxy", 3))
    held = [connect(waybill) for _ in range(24)]
    for client in held:
        assert client.say("AUTH PLAIN") == "334 "
    victim = sorted(pids)[0]
    os.kill(victim, signal.SIGKILL)
    alive = 0
    for client in held:
        with contextlib.suppress(OSError):
            client.send(ALICE + "\r\n")
        reply = client.reply()
        assert reply == "" or reply.startswith("235"), reply
        alive += reply != ""
        client.close()
    assert alive > 0
    wait_until(lambda: len(waybill.children("proxy")) == 3 and
               victim not in waybill.children("proxy"),
               what="another worker")
    with connect(waybill) as client:
        assert client.say("AUTH PLAIN " + ALICE).startswith("235")


def test_clients_that_leave_in_an_exchange_leave_nothing(start_waybill):
    waybill = start_waybill(auth={"workers": 1})
    worker, = waybill.children("auth")
    before = len(os.listdir(f"/proc/{worker}/fd"))
    for number in range(60):
        client = connect(waybill)
        client.send("AUTH PLAIN\r\n" if number % 2 else
                    "AUTH SCRAM-SHA-1\r\n")
        if number % 3:
            client.reply()
        if number % 4 == 0:
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                   b"\1\0\0\0\0\0\0\0")
        client.close()
    wait_until(lambda: len(os.listdir(f"/proc/{worker}/fd")) <= before + 1,
               what="the exchanges' end")
    with connect(waybill) as client:
        assert client.say("AUTH PLAIN " + ALICE).startswith("235")

"""The waybill command against servers that are not Waybill, or lie."""

import base64
import json
import os
import pathlib
import pty
import select
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from false_server import FalseServer, plain, rows  # noqa: E402
from waybill import build_directory  # noqa: E402

ROW = {"envid": "x1@h.example", "time": "2026-11-22T02:09:09.123Z",
       "state": "accepted", "size": 1234, "recipients": 2,
       "to": "bob@d.example", "id": "<a@b>", "subject": "Grüße"}
TOKEN = {"envid": "x1@h.example", "secret": "AAEC", "certifier": "c" * 27,
         "expires": "2026-12-02T02:09:09.000Z",
         "uri": "mtqp://t.example/track/x1@h.example/AAEC"}
PASSWORD = "pass word+="


class Command:
    """The waybill command of one user of one server."""

    def __init__(self, directory, authority):
        self.dir = directory
        self.secret = directory / "password"
        self.secret.write_text(PASSWORD + "\n")
        self.secret.chmod(0o600)
        self.conf = directory / "client.conf"
        self.options = {"server": "127.0.0.1", "user": "alice",
                        "password_file": self.secret,
                        "ca_file": authority.ca}

    def write(self):
        self.conf.write_text("".join(
            f'{key} = "{value}"\n' for key, value in self.options.items()
            if value is not None))

    def line(self, port, *words):
        self.options["port"] = port
        self.write()
        return [build_directory() / "bin/waybill", "-c", self.conf, *words]

    def run(self, port, *words, **more):
        return subprocess.run(
            self.line(port, *words), stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
            check=False, **{"start_new_session": True, **more})


@pytest.fixture(name="command")
def fixture_command(tmp_path, authority):
    return Command(tmp_path, authority)


@pytest.fixture(scope="module", name="certificate")
def fixture_certificate(authority):
    return authority.issue("false-server", ["localhost"])


def base64_of(text):
    return base64.b64encode(text.encode()).decode()


def complains(done, status, *words):
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("waybill: ")
    for word in words:
        assert word in done.stderr
    assert PASSWORD not in done.stderr


@pytest.mark.parametrize("implicit", [False, True])
def test_logs_in_over_tls_only(command, certificate, implicit):
    command.options["tls"] = "implicit" if implicit else "starttls"
    with FalseServer(*certificate, implicit=implicit,
                     XMTRK=rows("message", ROW)) as server:
        done = command.run(server.port, "list")
    assert done.returncode == 0, done.stderr
    assert server.lines[-3:] == [plain("alice", PASSWORD),
                                 "XMTRK LIST LIMIT=25", "QUIT"]
    assert [line.split()[0] for line in server.lines[:-3]] == \
        (["EHLO"] if implicit else ["EHLO", "STARTTLS", "EHLO"])
    assert "x1@h.example  2026-" in done.stdout
    assert "bob@d.example +1  Grüße\n" in done.stdout


def test_falls_back_to_login(command, certificate):
    with FalseServer(*certificate,
                     EHLO="250-x\n250-STARTTLS\n250 AUTH CRAM-MD5 LOGIN",
                     AUTH_LOGIN="334 VXNlcm5hbWU6",
                     **{base64_of("alice").upper(): "334 UGFzc3dvcmQ6",
                        base64_of(PASSWORD).upper(): "235 2.7.0 Welcome"},
                     XMTRK=rows("message")) as server:
        done = command.run(server.port, "list", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"messages": [], "more": False}
    assert base64_of(PASSWORD) in server.lines


def test_json_of_a_listing(command, certificate):
    cut = {**ROW, "subject": "=?utf-8?q?Gr=C3=BC=C3=9Fe?= \x1b[2J",
           "cut": "subject,to"}
    with FalseServer(*certificate,
                     XMTRK=rows("message", ROW, cut)) as server:
        done = command.run(server.port, "list", "--json")
        shown = command.run(server.port, "list")
    assert json.loads(done.stdout) == {"messages": [
        ROW, {**ROW, "subject": "Grüße \x1b[2J", "cut": ["subject", "to"]}],
        "more": False}
    assert "\x1b" not in done.stdout + shown.stdout
    assert "Grüße ?[2J\n" in shown.stdout


def test_pages_until_the_limit(command, certificate):
    asked = []

    def page(line):
        words = dict(word.split("=", 1) for word in line.split()[2:])
        asked.append(words)
        first = int(words["AFTER"][1:].split("@")[0]) + 1 \
            if "AFTER" in words else 0
        count = int(words["LIMIT"])
        return rows("message", *({"envid": f"m{n}@h"} for n in
                                 range(first, min(first + count, 1200))),
                    more=first + count < 1200)

    with FalseServer(*certificate, XMTRK_LIST=page) as server:
        most = json.loads(command.run(server.port, "list", "--json",
                                      "--limit", "700").stdout)
        every = json.loads(command.run(server.port, "list", "--json",
                                       "--since", "2026-11-22T00:00:00Z",
                                       "--limit", "100000").stdout)
    assert [row["envid"] for row in most["messages"]] == \
        [f"m{n}@h" for n in range(700)]
    assert most["more"] is True
    assert [row["envid"] for row in every["messages"]] == \
        [f"m{n}@h" for n in range(1200)]
    assert every["more"] is False
    assert asked[0] == {"LIMIT": "500"}
    assert asked[1] == {"LIMIT": "200", "AFTER": "m499@h"}
    assert asked[2] == {"LIMIT": "500", "SINCE": "2026-11-22T00:00:00.000Z"}


@pytest.mark.parametrize("given, asked", [
    ("x1@h.example", ["TOKEN x1@h.example"]),
    ("<a+b@c>", ["TOKEN <a+2Bb@c>"]),
    ("a+b@c", ["TOKEN <a+2Bb@c>"]),
    ("last", ["LIST LIMIT=1", "TOKEN x1@h.example"])])
def test_names_of_a_message(command, certificate, given, asked):
    token = "\n".join(f"250-2.0.0 token {key}={value}"
                      for key, value in TOKEN.items())
    with FalseServer(*certificate, XMTRK_LIST=rows("message", ROW),
                     XMTRK_TOKEN=token + "\n250 2.0.0 end count=5") as server:
        done = command.run(server.port, "token", "--json", given)
        text = command.run(server.port, "token", given)
        uri = command.run(server.port, "delegate", given)
    assert json.loads(done.stdout) == TOKEN
    assert [line.split() for line in text.stdout.splitlines()] == \
        [list(pair) for pair in TOKEN.items()]
    assert uri.stdout == TOKEN["uri"] + "\n"
    assert "whoever has this URI" in uri.stderr
    assert TOKEN["secret"] not in uri.stderr
    assert [line[6:] for line in server.lines
            if line.startswith("XMTRK")] == 3 * asked


def test_a_name_without_brackets_is_tried_both_ways(command, certificate):
    with FalseServer(*certificate, XMTRK="550 5.5.0 No such \x1bmessage") \
            as server:
        done = command.run(server.port, "show", "a@b")
    complains(done, 1, "a@b: 550 5.5.0 No such ?message")
    assert server.lines[-3:] == ["XMTRK SHOW a@b", "XMTRK SHOW <a@b>", "QUIT"]


def test_shows_a_message(command, certificate):
    answer = """250-2.0.0 message envid=x1@h time=2026-11-22T02:09:09.123Z
250-2.0.0 message state=unknown size=12 from= tracked=client mtrk=no
250-2.0.0 recipient to=b@c code=250 text=2.1.5+20Ok
250-2.0.0 recipient to=+1B[2J code=550 text=5.1.1+20No+0Aone cut=text
250-2.0.0 reply code=250 text=2.0.0+20Ok:+20queued+20as+204X
250-2.0.0 weather sun=yes
250 2.0.0 end count=6"""
    with FalseServer(*certificate, XMTRK_SHOW=answer) as server:
        done = command.run(server.port, "show", "x1@h", "--json")
        text = command.run(server.port, "show", "x1@h").stdout
    assert json.loads(done.stdout) == {
        "envid": "x1@h", "time": "2026-11-22T02:09:09.123Z",
        "state": "unknown", "size": 12, "from": "", "tracked": "client",
        "mtrk": False,
        "recipients": [{"to": "b@c", "code": 250, "text": "2.1.5 Ok"},
                       {"to": "\x1b[2J", "code": 550,
                        "text": "5.1.1 No\none", "cut": ["text"]}],
        "status": [], "events": [],
        "reply": {"code": 250, "text": "2.0.0 Ok: queued as 4X"}}
    assert "b@c  250 2.1.5 Ok\n" in text
    assert "?[2J  550 5.1.1 No one\n" in text
    assert "\x1b" not in text


def test_shows_what_happened_since(command, certificate):
    answer = """250-2.0.0 message envid=x1@h time=2026-11-22T02:09:09.123Z
250-2.0.0 message state=accepted size=12 from= tracked=revoked mtrk=no
250-2.0.0 status time=2026-11-22T02:10:00.000Z action=relayed to=b@c
250-2.0.0 event time=2026-11-22T02:09:30.000Z action=delayed to=b@c text=+1B[2J
250-2.0.0 event time=2026-11-22T02:10:00.000Z action=relayed to=b@c mta=mx.c
250 2.0.0 end count=5"""
    with FalseServer(*certificate, XMTRK_SHOW=answer) as server:
        done = command.run(server.port, "show", "x1@h", "--json")
        text = command.run(server.port, "show", "x1@h").stdout
    shown = json.loads(done.stdout)
    assert [one["action"] for one in shown["events"]] == ["delayed",
                                                          "relayed"]
    assert shown["events"][1]["mta"] == "mx.c"
    assert shown["status"] == [{"time": "2026-11-22T02:10:00.000Z",
                                "action": "relayed", "to": "b@c"}]
    assert "\x1b" not in text
    shown = [" ".join(line.split()) for line in text.splitlines()]
    assert "b@c accepted by the recipient's server" in shown
    assert any(line.endswith("b@c waiting to be tried again ?[2J")
               for line in shown)
    assert any(line.endswith("b@c accepted by the recipient's server mx.c")
               for line in shown)
    assert "nobody can track it" in text


@pytest.mark.parametrize("script, status, words", [
    ({"greeting": "554 5.3.2 Go \x1b[31maway"}, 3, ["554 5.3.2 Go ?[31maway"]),
    ({"greeting": "SSH-2.0-OpenSSH_9.2"}, 3, ["does not speak SMTP"]),
    ({"greeting": b"220 " + b"x" * 100000}, 3, ["too long"]),
    ({"EHLO": "250 false.example.test"}, 3, ["no STARTTLS"]),
    ({"EHLO": "250-x\n250 STARTTLS"}, 3, ["neither AUTH PLAIN nor"]),
    ({"EHLO": None}, 3, ["lost the connection", "closed by the server"]),
    ({"STARTTLS": "454 4.7.0 Not now"}, 3, ["454 4.7.0 Not now"]),
    ({"STARTTLS": b"220 Go\r\n250 injected\r\n"}, 3, ["in between"]),
    ({"AUTH PLAIN": "535 5.7.8 Wrong"}, 3,
     ["535 5.7.8 Wrong", "Check user and password"]),
    ({"AUTH PLAIN": "454 4.7.0 Later"}, 3, ["454 4.7.0 Later"]),
    ({"XMTRK": "502 5.5.1 What?"}, 3, ["XMTRK", "is it Waybill?"]),
    ({"XMTRK": "451 4.3.0 The vault\n"[:-1]}, 1, ["451 4.3.0 The vault"]),
    ({"XMTRK": "421 4.3.2 Going down"}, 3, ["421 4.3.2"]),
    ({"XMTRK": "250 2.0.0 end count=1"}, 3, ["cannot understand"]),
    ({"XMTRK": "250-2.0.0 message\n550 5.5.0 x"}, 3, ["cannot understand"]),
    ({"XMTRK": "250 2.0.0 message envid=a@b"}, 3, ["cannot understand"]),
    ({"XMTRK": "250-2.0.0 message envid=+1"}, 3, ["cannot understand"]),
    ({"XMTRK": b"250-2.0.0 message\r\n" * 20001}, 3, ["too many lines"]),
    ({"XMTRK": b"550-x\r\n" * 1000}, 3, ["does not speak SMTP"]),
    ({"XMTRK": None}, 3, ["closed by the server"])])
def test_servers_that_misbehave(command, certificate, script, status, words):
    with FalseServer(*certificate, **script) as server:
        done = command.run(server.port, "list")
    complains(done, status, *words)
    if "XMTRK" not in script and "AUTH PLAIN" not in script:
        assert not any(line.startswith("AUTH") for line in server.lines)


@pytest.mark.parametrize("uri", ["mtqp://h/a\x1b[2J/b", "mtqp://h/a\n/b",
                                 "https://h/a/b", ""])
@pytest.mark.parametrize("more", [[], ["--json"]])
def test_delegates_nothing_but_a_uri(command, certificate, uri, more):
    with FalseServer(*certificate, XMTRK=rows(
            "token", {**TOKEN, "uri": uri})) as server:
        done = command.run(server.port, "delegate", "x1@h.example", *more)
    complains(done, 3, "mtqp URI")


def test_names_an_unknown_authority(command, certificate):
    command.options["ca_file"] = None
    with FalseServer(*certificate) as server:
        done = command.run(server.port, "list")
    complains(done, 3, "authority", "Set ca_file in", str(command.conf))
    assert not any(line.startswith("AUTH") for line in server.lines)


def test_names_a_certificate_of_somebody_else(command, authority, tmp_path):
    pair = authority.issue("other", ["mail.other.example"], [])
    with FalseServer(*pair) as server:
        done = command.run(server.port, "list")
        command.options["server_name"] = "mail.other.example"
        again = command.run(server.port, "list")
        wrong = command.run(server.port, "list", "--server-name",
                            "other.example")
    complains(done, 3, "is not for 127.0.0.1 but for mail.other.example",
              "set server_name in")
    complains(again, 3, "XMTRK")
    complains(wrong, 3, "is not for other.example")


def test_refuses_an_expired_certificate(command, authority):
    pair = authority.issue("expired", ["localhost"], days=-1)
    with FalseServer(*pair) as server:
        done = command.run(server.port, "list")
    complains(done, 3, "certificate has expired")


def test_verification_can_be_given_up_loudly(command, authority):
    pair = authority.issue("expired2", ["x.example"], [], days=-1)
    with FalseServer(*pair, XMTRK=rows("message")) as server:
        done = command.run(server.port, "list", "--no-verify")
    assert done.returncode == 0
    assert "WARNING: the certificate of 127.0.0.1 is not verified" in \
        done.stderr


def test_names_the_wrong_kind_of_tls(command, certificate):
    command.options["tls"] = "implicit"
    with FalseServer(*certificate) as server:
        done = command.run(server.port, "list")
    complains(done, 3, 'Is tls = "implicit" right for that port?')


def test_says_what_to_do_where_nobody_listens(command):
    done = command.run(1, "list")
    complains(done, 3, "cannot connect to 127.0.0.1 port 1: Connection "
              "refused. Is waybilld running?", str(command.conf))


def test_refuses_a_password_file_that_others_read(command, certificate):
    command.secret.chmod(0o640)
    with FalseServer(*certificate) as server:
        done = command.run(server.port, "list")
    complains(done, 2, "open to others (mode 640)", "chmod 600")
    assert not any(line.startswith("AUTH") for line in server.lines)


@pytest.mark.parametrize("options, words", [
    ({"password_file": "/nonexistent/x"}, ["/nonexistent/x"]),
    ({"password_file": "/dev/null"}, ["is empty"]),
    ({"password_file": None}, ["no terminal to ask", "password_command"]),
    ({"password_file": None, "password_command": "exit 3"},
     ["password_command failed: exit 3"]),
    ({"ca_file": "/nonexistent/ca.pem"}, ["ca_file /nonexistent/ca.pem"]),
    ({"tls": "none"}, ["never goes out without TLS"]),
    ({"user": None}, ["who are you?"])])
def test_mistakes_in_the_configuration(command, certificate, options, words):
    command.options.update(options)
    with FalseServer(*certificate) as server:
        complains(command.run(server.port, "list"), 2, *words)


def test_password_of_a_command(command, certificate):
    command.options["password_file"] = None
    command.options["password_command"] = \
        "printf 'p1\\\\r\\\\nmore\\\\n'; yes | head -1000000"
    with FalseServer(*certificate, XMTRK=rows("message")) as server:
        done = command.run(server.port, "list")
    assert done.returncode == 0, done.stderr
    assert plain("alice", "p1") in server.lines


def test_password_by_prompt_without_echo(command, certificate):
    command.options["password_file"] = None
    with FalseServer(*certificate, XMTRK=rows("message", ROW)) as server:
        pid, tty = pty.fork()
        if pid == 0:
            become(command.line(server.port, "list"))
        seen = read_tty(tty, b"Password of alice at 127.0.0.1: ")
        os.write(tty, b"typed secret\n")
        seen += read_tty(tty, None)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.close(tty)
    assert status == 0, seen
    assert b"typed secret" not in seen
    assert b"x1@h.example" in seen
    assert plain("alice", "typed secret") in server.lines


def become(words):
    """In a forked child, never to come back into pytest."""
    try:
        os.execv(words[0], list(map(str, words)))
    finally:
        os._exit(127)


def read_tty(tty, until):
    seen = b""
    while until is None or until not in seen:
        ready = select.select([tty], [], [], 20)[0]
        assert ready, seen
        try:
            octets = os.read(tty, 4096)
        except OSError:
            break
        if not octets:
            break
        seen += octets
    return seen


def test_unreadable_output_is_noticed(command, certificate):
    with FalseServer(*certificate, XMTRK=rows("message", ROW)) as server, \
            open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run(command.line(server.port, "list"), check=False,
                              stdin=subprocess.DEVNULL, stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 1
    assert "cannot write the output" in done.stderr

"""The waybill command against the real daemons: list, show, token, delegate,
and what it says when something is wrong."""

import base64
import json
import os
import pty
import re
import select
import subprocess
import time

import pytest

from waybill import certifier_of

TEXT = "From: alice@example.test\r\nTo: bob@example.test\r\n" \
       "Subject: {subject}\r\nMessage-ID: {id}\r\n\r\nhello\r\n"


@pytest.fixture(name="waybill")
def fixture_waybill(start_waybill, strict_hop):
    return start_waybill(strict_hop)


def send(waybill, number, user="alice", to="bob@example.test",
         subject="Parcel {}"):
    """Submit one message; its Message-ID."""
    message_id = f"<m+{number}=x@client.example.test>"
    waybill.submit(user, to, TEXT.format(subject=subject.format(number),
                                         id=message_id))
    return message_id


def complains(done, status, *words):
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("waybill: ")
    for word in words:
        assert word in done.stderr


def without_secrets(waybill, *texts):
    """The daemons' log holds none of these."""
    log = waybill.log.read_text(errors="replace")
    for text in texts:
        assert text not in log


def test_lists_newest_first(waybill):
    sent = [send(waybill, n) for n in range(3)]
    listed = waybill.cli("list")
    assert listed["more"] is False
    assert [row["id"] for row in listed["messages"]] == sent[::-1]
    row = listed["messages"][0]
    assert row["to"] == "bob@example.test"
    assert row["recipients"] == 1
    assert row["subject"] == "Parcel 2"
    assert row["state"] == "accepted"
    assert row["size"] > 50
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
                        row["time"])
    assert re.fullmatch(r"[\w-]{22}@submit\.example\.test", row["envid"])
    table = waybill.run_cli("list").stdout.splitlines()
    assert table[0].split() == ["ENVELOPE", "ID", "SENT", "STATE", "TO",
                                "SUBJECT"]
    assert len(table) == 4
    assert table[1].startswith(row["envid"])
    assert table[1].endswith("Parcel 2")


def test_lists_so_many_and_since(waybill):
    client = waybill.login("alice")
    for number in range(6):
        waybill.submit("alice", "bob@example.test", TEXT.format(
            subject=number, id=f"<{number}@x>"), client=client)
    time.sleep(1.1)
    border = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    waybill.submit("alice", "bob@example.test",
                   TEXT.format(subject="late", id="<late@x>"), client=client)
    client.quit()
    few = waybill.cli("list", "--limit", 2)
    assert [row["id"] for row in few["messages"]] == ["<late@x>", "<5@x>"]
    assert few["more"] is True
    late = waybill.cli("list", "--since", border)
    assert [row["id"] for row in late["messages"]] == ["<late@x>"]
    assert late["more"] is False
    assert len(waybill.cli("list", "--since", "1h")["messages"]) == 7


def test_pages_show_every_message_once(waybill):
    client = waybill.login("alice")
    for number in range(12):
        waybill.submit("alice", "bob@example.test", TEXT.format(
            subject=number, id=f"<{number}@x>"), client=client)
    seen, after = [], ""
    while True:
        code, text = client.docmd(f"XMTRK LIST LIMIT=5{after}")
        assert code == 250
        lines = text.decode().splitlines()
        seen += [re.search(r" id=(\S+)", line).group(1)
                 for line in lines[:-1]]
        assert lines[-1].startswith(f"2.0.0 end count={len(lines) - 1}")
        if "more=yes" not in lines[-1]:
            break
        after = " AFTER=" + re.search(r" envid=(\S+)", lines[-2]).group(1)
    client.quit()
    assert seen == [f"<{number}@x>" for number in range(11, -1, -1)]


def test_shows_what_the_msa_said(waybill):
    message_id = send(waybill, 1)
    shown = waybill.cli("show", message_id)
    assert shown["id"] == message_id
    assert shown["from"] == "alice@example.test"
    assert shown["tracked"] == "yes"
    assert shown["mtrk"] is True
    assert shown["msa"] == "main"
    assert [one["to"] for one in shown["recipients"]] == ["bob@example.test"]
    assert shown["recipients"][0]["code"] == 250
    assert shown["reply"]["code"] == 250
    text = waybill.run_cli("show", "last").stdout
    assert shown["envid"] in text
    assert "accepted by the mail server" in text


@pytest.mark.parametrize("name", ["envid", "id", "bare", "last"])
def test_token_by_any_name(waybill, strict_hop, name):
    message_id = send(waybill, 1)
    row = waybill.cli("list")["messages"][0]
    given = {"envid": row["envid"], "id": message_id,
             "bare": message_id.strip("<>"), "last": "last"}[name]
    token = waybill.cli("token", given)
    secret = base64.b64decode(token["secret"], validate=True)
    assert 16 <= len(secret) <= 128
    assert certifier_of(secret) == token["certifier"]
    passed = strict_hop.wait_messages(1)[0]["parameters"]
    assert passed["MTRK"].partition(":")[0] == token["certifier"]
    assert passed["ENVID"] == token["envid"] == row["envid"]
    assert token["uri"] == \
        f"mtqp://submit.example.test/track/{token['envid']}/" + \
        token["secret"].replace("/", "%2F")
    without_secrets(waybill, token["secret"], token["uri"])


def test_token_as_text(waybill):
    send(waybill, 1)
    token = waybill.cli("token", "last")
    done = waybill.run_cli("token", "last")
    assert dict(line.split() for line in done.stdout.splitlines()) == token
    assert done.stderr == ""


def test_delegate_prints_the_uri_and_a_warning(waybill):
    send(waybill, 1)
    token = waybill.cli("token", "last")
    done = waybill.run_cli("delegate", "last")
    assert done.stdout == token["uri"] + "\n"
    assert done.stderr.count("\n") == 1
    assert "whoever has this URI" in done.stderr
    assert token["secret"] not in done.stderr
    assert waybill.cli("delegate", "last") == {
        key: token[key] for key in ("envid", "expires", "uri")}


def test_every_token_is_logged_without_its_value(waybill):
    send(waybill, 1)
    token = waybill.cli("token", "last")
    line = waybill.wait_line(event="token", envid=token["envid"])
    assert "alice" in json.dumps(line)
    assert "127.0.0.1" in json.dumps(line) or "::1" in json.dumps(line)
    without_secrets(waybill, token["secret"])


def test_nothing_sent_yet(waybill):
    assert waybill.cli("list") == {"messages": [], "more": False}
    complains(waybill.run_cli("show", "last"), 1, "no message of yours")


def test_unknown_messages_and_those_of_others_are_one(waybill):
    message_id = send(waybill, 1, user="alice")
    envid = waybill.cli("list")["messages"][0]["envid"]
    known = [waybill.run_cli(verb, name, user="carol")
             for verb in ("show", "token") for name in (envid, message_id)]
    never = envid[:5] + ("A" if envid[5] != "A" else "B") + envid[6:]
    unknown = [waybill.run_cli(verb, name, user="carol")
               for verb in ("show", "token")
               for name in (never, "<never@x>")]
    for one, other in zip(known, unknown):
        complains(one, 1, "550 5.5.0")
        assert one.stderr.split(": ", 2)[2] == other.stderr.split(": ", 2)[2]
    assert waybill.cli("list", user="carol")["messages"] == []


def test_secret_that_the_client_kept(waybill):
    waybill.submit("alice", "bob@example.test",
                   TEXT.format(subject="own", id="<own@x>"),
                   mail=["ENVID=own-1@client.example.test",
                         "MTRK=VheLhqV/rCKJmplkGFwsyW59pYk:864000"])
    assert waybill.cli("show", "<own@x>")["tracked"] == "client"
    complains(waybill.run_cli("token", "<own@x>"), 1, "550 5.5.0",
              "secret is not here")


def test_wrong_password_exits_3(waybill):
    waybill.users["alice"], right = "wrong", waybill.users["alice"]
    complains(waybill.run_cli("list"), 3, "535", "Check user and password")
    waybill.users["alice"] = right
    assert waybill.cli("list")["messages"] == []


def test_wrong_authority_exits_3(waybill, tmp_path):
    other = type(waybill.authority)(tmp_path / "other-ca", "Another CA")
    complains(waybill.run_cli("list", "--ca-file", other.ca), 3,
              "authority", "Set ca_file in")
    loud = waybill.run_cli("list", "--no-verify", "--ca-file", other.ca)
    assert loud.returncode == 0
    assert "WARNING" in loud.stderr


def test_nobody_listens_exits_3(waybill):
    complains(waybill.run_cli("list", "--port", 1), 3, "Connection refused",
              "Is waybilld running?")


def test_unreadable_configuration_exits_2(waybill, space):
    program = waybill.program("bin/waybill")
    for conf, word in ((space / "missing.conf", "No such file"),
                       (space, "Is a directory")):
        done = subprocess.run([program, "-c", conf, "list"], text=True,
                              stdin=subprocess.DEVNULL, timeout=60,
                              stdout=subprocess.PIPE, check=False,
                              stderr=subprocess.PIPE)
        complains(done, 2, str(conf), word)


def test_implicit_tls(waybill):
    send(waybill, 1)
    done = waybill.run_cli("--tls", "implicit", "--port",
                           waybill.ports["submissions"], "--json", "list")
    assert len(json.loads(done.stdout)["messages"]) == 1


def test_password_by_prompt(waybill):
    send(waybill, 1)
    conf = waybill.client_conf()
    conf.write_text("".join(line for line in
                            conf.read_text().splitlines(True)
                            if "password_file" not in line))
    words = list(map(str, [waybill.program("bin/waybill"), "-c", conf,
                           "token", "last", "--json"]))
    pid, tty = pty.fork()
    if pid == 0:
        try:
            os.execv(words[0], words)
        finally:
            os._exit(127)
    seen = read_tty(tty, b"Password of alice at localhost: ")
    os.write(tty, waybill.users["alice"].encode() + b"\n")
    seen += read_tty(tty, None)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, seen
    os.close(tty)
    assert waybill.users["alice"].encode() not in seen
    assert json.loads(seen[seen.index(b"{"):]) == waybill.cli("token", "last")


def read_tty(tty, until):
    seen = b""
    while until is None or until not in seen:
        assert select.select([tty], [], [], 20)[0], seen
        try:
            octets = os.read(tty, 4096)
        except OSError:
            break
        if not octets:
            break
        seen += octets
    return seen


def test_long_subjects_are_cut_and_said_so(waybill):
    send(waybill, 1, subject="=?utf-8?q?" + "=C3=BC" * 60 + "?=")
    row = waybill.cli("list")["messages"][0]
    assert row["subject"].startswith("ü" * 10) or "subject" in row["cut"]
    assert waybill.cli("show", "last")["subject"].startswith("ü" * 10)


def test_control_characters_do_not_reach_the_terminal(waybill):
    send(waybill, 1, subject="\x1b]0;owned\x07 \x9b31m")
    for words in (["list"], ["show", "last"]):
        done = waybill.run_cli(*words)
        assert "owned" in done.stdout
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", done.stdout)


def test_a_message_id_borne_twice_means_the_newest(waybill):
    first = send(waybill, 1)
    older = waybill.cli("list")["messages"][0]["envid"]
    assert send(waybill, 1) == first
    newer = waybill.cli("list")["messages"][0]["envid"]
    assert newer != older
    assert waybill.cli("show", first)["envid"] == newer
    assert waybill.cli("token", first)["envid"] == newer
    assert waybill.cli("token", older)["envid"] == older


def test_xmtrk_has_its_place(waybill):
    client = waybill.connect()
    assert client.has_extn("xmtrk")
    assert client.docmd("XMTRK LIST")[0] == 530
    client.login("alice", waybill.users["alice"])
    for words in ("", "LIST LIMIT=0", "REVOKE", "SHOW", "TOKEN <a"):
        code, text = client.docmd(f"XMTRK {words}".strip())
        assert (code, text[:5]) == (501, b"5.5.4"), words
    client.mail("alice@example.test")
    assert client.docmd("XMTRK LIST")[0] == 503
    client.rset()
    assert client.docmd("XMTRK LIST") == (250, b"2.0.0 end count=0")
    client.quit()


def test_works_while_the_msa_is_down(waybill, strict_hop):
    send(waybill, 1)
    strict_hop.stop()
    assert len(waybill.cli("list")["messages"]) == 1
    assert waybill.cli("token", "last")["secret"]
    strict_hop.start()


def test_revoke_ends_it_and_says_so(waybill):
    message_id = send(waybill, 1)
    token = waybill.cli("token", message_id)
    assert "tracked" not in token
    complains(waybill.run_cli("revoke", "<never@x>"), 1, "550 5.5.0")
    complains(waybill.run_cli("revoke", token["envid"], user="carol"), 1,
              "550 5.5.0")
    assert waybill.cli("show", message_id)["tracked"] == "yes"
    done = waybill.run_cli("revoke", message_id)
    assert done.returncode == 0
    assert done.stdout.split() == ["revoked", token["envid"]]
    assert "go on answering" in done.stderr
    assert waybill.cli("revoke", "last") == {"envid": token["envid"],
                                             "mtrk": True}
    assert waybill.cli("show", message_id)["tracked"] == "revoked"
    assert waybill.cli("token", "last") == {**token, "tracked": "revoked"}
    complains(waybill.run_cli("delegate", "last"), 1, "revoked")
    assert waybill.wait_line(event="revoke", envid=token["envid"])

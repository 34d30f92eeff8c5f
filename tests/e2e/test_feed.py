"""waybill-feed by hand and under waybilld, on logs that the test writes:
order, restarts, rotation, strangers' queue ids."""

import json
import os
import signal
import subprocess
import time

import pytest

from peers import wait_until
from script import Script, delivery, run_feed, stamp


@pytest.fixture(name="start_script")
def fixture_start_script(space, start_peer, authority):
    def start(**more):
        script = Script(space, authority, **more)
        for peer in script:
            start_peer(peer)
        return script
    return start


@pytest.fixture(name="by_hand")
def fixture_by_hand(start_script):
    return start_script(feed=False)


@pytest.fixture(name="followed")
def fixture_followed(start_script):
    return start_script()


def test_by_hand_once_from_a_file(by_hand):
    queue_id, sent = by_hand.send()
    by_hand.deliver(queue_id)
    words = ("--file", by_hand.log, "--state", by_hand.state, "--once")
    for _ in range(2):
        done = by_hand.feed(*words)
        assert done.returncode == 0, done.stderr
        assert done.stdout == ""
        assert by_hand.texts(sent) == ["250 2.0.0 Ok"]
    by_hand.say(f"{queue_id}: removed", program="postfix/qmgr[3]")
    queue_id, other = by_hand.send()
    by_hand.deliver(queue_id, "later")
    assert by_hand.feed(*words).returncode == 0
    assert by_hand.texts(sent) == ["250 2.0.0 Ok"]
    assert by_hand.texts(other) == ["later"]


def test_without_a_state_what_is_known_counts_once(by_hand):
    queue_id, sent = by_hand.send()
    by_hand.deliver(queue_id)
    for _ in range(3):
        assert by_hand.feed("--file", by_hand.log, "--once").returncode == 0
    assert by_hand.texts(sent) == ["250 2.0.0 Ok"]


def test_by_hand_from_standard_input(by_hand):
    queue_id, sent = by_hand.send()
    by_hand.deliver(queue_id)
    for words in (["--stdin"], ["--stdin", "--once"]):
        done = by_hand.feed(*words, given=by_hand.log.read_text())
        assert done.returncode == 0, done.stderr
        assert by_hand.texts(sent) == ["250 2.0.0 Ok"]


@pytest.mark.parametrize("line", [
    "{when} host postfix/smtp[9]: {text}",
    "<22>{when} host postfix/smtp[9]: {text}",
    "{iso} host postfix/smtp[9]: {text}",
    "<22>1 {iso} host postfix/smtp 9 - - {text}",
    "<22>1 {iso} host postfix/smtp 9 - [x@1 y=\"z\"] {text}"])
def test_syslog_texts(by_hand, line):
    queue_id, sent = by_hand.send()
    now = time.time()
    given = line.format(when=stamp(now), text=delivery(queue_id), iso=time
                        .strftime("%Y-%m-%dT%H:%M:%S.123456+00:00",
                                  time.gmtime(now)))
    done = by_hand.feed("--stdin", given=given + "\n")
    assert done.returncode == 0, done.stderr
    event, = by_hand.waybill.history(sent)
    assert event["action"] == "relayed"
    assert event["time"].startswith(
        time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)))


def test_lines_as_json(by_hand):
    queue_id, sent = by_hand.send()
    line = {"event": "status", "time": time.strftime("%Y-%m-%dT%H:%M:%SZ",
                                                     time.gmtime()),
            "queue_id": queue_id, "recipient": "bob@example.test",
            "action": "delayed", "status": "4.2.2", "reply": "full"}
    done = by_hand.feed("--stdin", "--format", "json",
                        given=json.dumps(line) + "\n")
    assert done.returncode == 0, done.stderr
    assert by_hand.texts(sent) == ["full"]
    status, told = by_hand.waybill.track(sent)
    assert status == 2 and told["recipients"][0]["action"] == "delayed"


def journal(user, identifier, text):
    fields = {"__CURSOR": "s=1", "__REALTIME_TIMESTAMP":
              str(int(time.time() * 1000000)), "_UID": str(user),
              "_TRANSPORT": "syslog", "_PID": "9", "_HOSTNAME": "msa",
              "SYSLOG_IDENTIFIER": identifier, "SYSLOG_PID": "9",
              "MESSAGE": text}
    return "".join(f"{key}={value}\n" for key, value in fields.items()) + "\n"


def test_journal_of_root_and_of_the_mta_only(by_hand):
    queue_id, sent = by_hand.send()
    given = journal(1000, "postfix/smtp", delivery(queue_id, "forged")) + \
        journal(65534, "postfix/smtp", delivery(queue_id, "nobody's")) + \
        journal(0, "postfix/smtp", delivery(queue_id, "root's")) + \
        journal(8, "postfix/smtp", delivery(queue_id, "mail's"))
    done = by_hand.feed("--journal", "--journal-user", "mail", given=given)
    assert done.returncode == 0, done.stderr
    assert sorted(by_hand.texts(sent)) == ["mail's", "root's"]


def test_a_name_that_is_no_file_is_said(followed):
    waybill, log = followed.waybill, followed.log
    log.rename(log.with_name("mail.log.1"))
    log.mkdir()
    line = waybill.wait_line(event="log-unreadable", timeout=30)
    assert line["msg"] == f"{log}: it is no file"
    waybill.reload()
    waybill.wait_line(event="log-unreadable", count=2)
    log.rmdir()
    log.write_text("")
    log.chmod(0o644)
    followed.sentinel()
    waybill.wait_line(event="log-readable", timeout=30)


def test_print_needs_no_keeper(by_hand):
    by_hand.deliver("4QZZZZZZZ1", "250 \x1b[31m\udcff")
    done = run_feed([by_hand.waybill.program("bin/waybill-feed"), "--print",
                     "--once", "--file", by_hand.log])
    assert done.returncode == 0, done.stderr
    row, = [json.loads(line) for line in done.stdout.splitlines()]
    assert row["queue_id"] == "4QZZZZZZZ1"
    assert row["action"] == "relayed"
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("words", [
    [], ["--bogus"], ["--file", "/x"], ["--msa", "main", "--stdin"],
    ["--print"], ["--print", "--stdin", "--file", "/x"],
    ["--print", "--stdin", "--format", "sendmail"],
    ["--print", "--stdin", "--wait", "x"], ["--print", "--stdin", "more"]])
def test_usage(by_hand, words):
    program = by_hand.waybill.program("bin/waybill-feed")
    done = run_feed([program, *words] if words else [program, "--once"])
    assert done.returncode == 64
    assert "waybill-feed" in done.stderr


def test_no_keeper_is_said_and_waited_for(by_hand):
    queue_id, sent = by_hand.send()
    by_hand.deliver(queue_id)
    waybill = by_hand.waybill
    with subprocess.Popen(
            by_hand.command("--file", by_hand.log, "--once"),
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as feed:
        assert feed.wait(20) == 0
    waybill.stop()
    with subprocess.Popen(
            by_hand.command("--file", by_hand.log, "--state", by_hand.state),
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as feed:
        try:
            time.sleep(0.3)
            assert feed.poll() is None
            waybill.start()
            queue_id, other = by_hand.send()
            by_hand.deliver(queue_id, "later")
            by_hand.wait_texts(other, "later")
            assert by_hand.texts(sent) == ["250 2.0.0 Ok"]
        finally:
            feed.send_signal(signal.SIGTERM)
        assert feed.wait(10) == 0


def test_lines_before_our_own_settle(followed):
    queue_id = followed.new_id()
    followed.deliver(queue_id, "early")
    followed.say(f"{queue_id}: removed", program="postfix/qmgr[3]")
    followed.sentinel()
    _, sent = followed.send(queue_id)
    followed.wait_texts(sent, "early")
    assert followed.waybill.track(sent)[0] == 0


def test_ids_of_another_vault_are_nobody(followed):
    for number in range(3000):
        followed.deliver(f"5AB{number:07d}")
    queue_id, sent = followed.send()
    followed.deliver(queue_id)
    followed.wait_texts(sent, "250 2.0.0 Ok")


def test_an_id_that_was_removed_comes_back(followed):
    queue_id, first = followed.send()
    followed.deliver(queue_id, "first")
    followed.say(f"{queue_id}: removed", program="postfix/qmgr[3]")
    followed.wait_texts(first, "first")
    followed.sentinel()
    time.sleep(1.1)
    _, second = followed.send(queue_id, to="carol@example.test")
    followed.say(delivery(queue_id, "second", to="carol@example.test"))
    followed.wait_texts(second, "second")
    assert followed.texts(first) == ["first"]


@pytest.mark.parametrize("whole", [False, True])
def test_waybilld_starts_it_again_where_it_was(followed, whole):
    sent = []
    for number in range(3):
        queue_id, message_id = followed.send()
        followed.deliver(queue_id, f"no. {number}")
        followed.wait_texts(message_id, f"no. {number}")
        sent.append(message_id)
        if whole:
            followed.waybill.stop()
            followed.waybill.start()
        else:
            pid = followed.waybill.wait_children("feed", 1)[0]
            subprocess.run(["kill", "-9", str(pid)], check=True)
    for number, message_id in enumerate(sent):
        assert followed.texts(message_id) == [f"no. {number}"]


def test_reload_starts_a_new_one_after_the_old(followed):
    old = followed.waybill.wait_children("feed", 1)
    for number in range(3):
        followed.waybill.reload()
        wait_until(lambda: len(followed.waybill.children("feed")) == 1 and
                   followed.waybill.children("feed") != old, 20)
        old = followed.waybill.children("feed")
        queue_id, sent = followed.send()
        followed.deliver(queue_id, f"no. {number}")
        followed.wait_texts(sent, f"no. {number}")


def test_one_that_hangs_at_a_reload_makes_room(followed):
    old, = followed.waybill.wait_children("feed", 1)
    os.kill(old, signal.SIGSTOP)
    followed.waybill.reload()
    queue_id, sent = followed.send()
    followed.deliver(queue_id)
    followed.wait_texts(sent, "250 2.0.0 Ok", timeout=40)


def half_lines(followed, queue_id):
    line = f"{stamp()} msa postfix/smtp[7]: {delivery(queue_id)}\n"
    for part in (line[:20], line[20:90], line[90:]):
        with open(followed.log, "a", encoding="utf-8") as log:
            log.write(part)
        time.sleep(0.2)


def test_a_line_that_comes_in_parts(followed):
    queue_id, sent = followed.send()
    half_lines(followed, queue_id)
    followed.wait_texts(sent, "250 2.0.0 Ok")


def test_junk_between_lines(followed):
    queue_id, sent = followed.send()
    with open(followed.log, "ab") as log:
        log.write(bytes(range(256)) * 50 + b"\n" + b"x" * 2000000 + b"\n"
                  + b"\0" * 5000 + b"\r\n\n\n")
    followed.deliver(queue_id)
    followed.wait_texts(sent, "250 2.0.0 Ok")
    words = followed.waybill.ctl("status").stdout.split()
    assert any(word.startswith("ignored=") and word != "ignored=0"
               for word in words)

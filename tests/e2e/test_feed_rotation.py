"""Logs that are rotated by renaming and by truncation while they are read."""

import os
import signal
import threading

import pytest

from peers import wait_until
from script import Script, delivery, stamp


@pytest.fixture(name="script")
def fixture_script(space, start_peer, authority):
    script = Script(space, authority)
    for peer in script:
        start_peer(peer)
    return script


@pytest.fixture(name="frozen")
def fixture_frozen(script):
    """frozen() stops the feed; frozen(False) lets it go on."""
    pid = script.waybill.wait_children("feed", 1)[0]
    yield lambda freeze=True: os.kill(
        pid, signal.SIGSTOP if freeze else signal.SIGCONT)
    os.kill(pid, signal.SIGCONT)


def rename(script, to=".1"):
    old = script.log.with_name(script.log.name + to)
    script.log.rename(old)
    return old


def test_renamed_with_lines_left_unread(script, frozen):
    (one, first), (two, second) = script.send(), script.send()
    three, third = script.send()
    script.sentinel()
    frozen()
    script.deliver(one, "before")
    old = rename(script)
    script.deliver(two, "after")
    with open(old, "a", encoding="utf-8") as log:
        log.write(f"{stamp()} msa postfix/smtp[7]: "
                  f"{delivery(three, 'late')}\n")
    frozen(False)
    script.wait_texts(second, "after")
    script.wait_texts(first, "before")
    script.wait_texts(third, "late")


def test_still_written_to_under_its_old_name(script):
    (one, first), (two, second) = script.send(), script.send()
    script.sentinel()
    old = rename(script)
    script.deliver(two, "new")
    script.wait_texts(second, "new")
    with open(old, "a", encoding="utf-8") as log:
        log.write(f"{stamp()} msa postfix/smtp[7]: "
                  f"{delivery(one, 'late')}\n")
    script.wait_texts(first, "late")


def test_rotated_twice_while_nobody_read(script, frozen):
    sent = [script.send() for _ in range(3)]
    script.sentinel()
    frozen()
    script.deliver(sent[0][0], "oldest")
    rename(script, ".2")
    script.deliver(sent[1][0], "old")
    rename(script, ".1")
    script.deliver(sent[2][0], "new")
    frozen(False)
    script.wait_texts(sent[2][1], "new")
    script.wait_texts(sent[0][1], "oldest")


def test_truncated_and_shorter(script):
    sent = [script.send() for _ in range(4)]
    for queue_id, message_id in sent[:3]:
        script.deliver(queue_id)
        script.wait_texts(message_id, "250 2.0.0 Ok")
    script.sentinel()
    os.truncate(script.log, 0)
    script.deliver(sent[3][0], "anew")
    script.wait_texts(sent[3][1], "anew")
    for _, message_id in sent[:3]:
        assert script.texts(message_id) == ["250 2.0.0 Ok"]


def test_truncated_and_soon_longer_than_before(script, frozen):
    sent = [script.send() for _ in range(9)]
    script.deliver(sent[0][0])
    script.wait_texts(sent[0][1], "250 2.0.0 Ok")
    frozen()
    size = script.log.stat().st_size
    os.truncate(script.log, 0)
    script.deliver(sent[1][0], "x" * size)
    for queue_id, _ in sent[2:]:
        script.deliver(queue_id, "anew")
    assert script.log.stat().st_size > size
    frozen(False)
    for _, message_id in sent[2:]:
        script.wait_texts(message_id, "anew")
    script.wait_texts(sent[1][1], "x" * min(size, 512))
    assert script.texts(sent[0][1]) == ["250 2.0.0 Ok"]


def test_gone_and_back(script):
    queue_id, sent = script.send()
    script.sentinel()
    script.log.unlink()
    script.sentinel()
    script.deliver(queue_id, "back")
    script.wait_texts(sent, "back")


def test_renamed_often_under_load(script):
    sent = [script.send() for _ in range(60)]
    done = threading.Event()

    def rotate():
        turn = 0
        while not done.wait(0.1):
            turn += 1
            rename(script, f".{turn}")
            script.write()
    thread = threading.Thread(target=rotate)
    thread.start()
    try:
        for number, (queue_id, message_id) in enumerate(sent):
            script.deliver(queue_id, f"no. {number}")
            if number % 20 == 19:
                script.wait_texts(message_id, f"no. {number}")
    finally:
        done.set()
        thread.join()
    for number, (_, message_id) in enumerate(sent):
        script.wait_texts(message_id, f"no. {number}")
    wait_until(lambda: len(script.waybill.children("feed")) == 1)

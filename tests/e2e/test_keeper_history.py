"""The keeper's doors of log feed and tracker: events by queue id, stored once
whatever happens, and one message for a proof of its secret."""

import shutil
import struct
import threading
import time

import pytest

from keeper_client import (DELAYED, DELIVERED, FEED, NOT_FOUND, NOT_NOW, OK,
                           RELAYED, STORED, TRACKER, UNKNOWN_ID, Ended,
                           Keeper, Reader, end_item, frame, join_item, octets,
                           read_history, skip_record, status_item)
from peers import room, wait_until

WRONG = "VheLhqV/rCKJmplkGFwsyW59pYk"


@pytest.fixture(name="keeper")
def fixture_keeper():
    path = room("history")
    with Keeper(path) as keeper:
        yield keeper
    shutil.rmtree(path)


def now():
    return int(time.time() * 1000)


def settled(keeper, account="alice", message_id="<1@x>"):
    asker = keeper.connect()
    minted = asker.mint(keeper.ticket(account))
    assert asker.settle(keeper.record(account, minted,
                                      message_id=message_id)) == OK
    asker.close()
    return minted


def feeding(keeper):
    """A feed that is answered: a vault's first is told to come again."""
    feed = keeper.connect(FEED)
    wait_until(lambda: feed.feed(status_item("none", 1)) == [UNKNOWN_ID], 30)
    return feed


def test_events_reach_their_user_and_who_tracks(keeper):
    minted = settled(keeper)
    feed, asker = feeding(keeper), keeper.connect()
    when = now()
    items = [status_item("4XyZ", when, action=DELAYED, text="later"),
             join_item("4XyZ", "5ABC", when + 1),
             status_item("5ABC", when + 2, action=RELAYED, text="250 ok"),
             end_item("5ABC", when + 3), status_item("NONE", when)]
    for _ in range(3):
        assert feed.feed(*items) == [STORED] * 4 + [UNKNOWN_ID]
    told = [(when, DELAYED, "later"), (when + 2, RELAYED, "250 ok")]
    assert asker.history(keeper.ticket("alice"), "<1@x>") == told
    assert asker.history(keeper.ticket("bob"), minted.envid) == []
    answer = keeper.connect(TRACKER).track(minted.envid, minted.certifier)
    assert answer[0] == OK
    assert read_history(Reader(answer[skip_record(answer):])) == told
    assert b"a subject" not in answer and b"<1@x>" not in answer
    assert feed.feed(*items, msa="other") == [UNKNOWN_ID] * 5


def test_refusals_are_one_answer(keeper):
    minted, other = settled(keeper), settled(keeper, "bob", "<2@x>")
    gone = settled(keeper, "alice", "<3@x>")
    never = keeper.connect().mint(keeper.ticket("alice"))
    asker = keeper.connect()
    assert asker.revoke(keeper.ticket("bob"), gone.envid) == NOT_FOUND
    assert asker.revoke(keeper.ticket("alice"), gone.envid) == OK
    tracker = keeper.connect(TRACKER)
    answers = [tracker.track(*pair) for pair in (
        (minted.envid, WRONG), (minted.envid, other.certifier),
        (gone.envid, gone.certifier), (never.envid, never.certifier),
        ("A" * 22 + "@mail.example.com", minted.certifier),
        ("nothing", WRONG), ("", WRONG))]
    assert answers[0][0] == NOT_FOUND
    assert len(set(answers)) == 1
    assert tracker.track(minted.envid, minted.certifier)[0] == OK
    keeper.kill()
    keeper.start()
    tracker = keeper.connect(TRACKER)
    assert tracker.track(gone.envid, gone.certifier) == answers[0]
    assert tracker.track(minted.envid, minted.certifier)[0] == OK


@pytest.mark.parametrize("door,kind,good", [
    (FEED, "EVENTS", octets("main") + struct.pack(">H", 1)
     + status_item("4XyZ", 1)),
    (FEED, "EVENTS", octets("main") + struct.pack(">H", 1)
     + end_item("4XyZ", 1)),
    (TRACKER, "STATUS", octets("a@b") + bytes(20))])
def test_a_wrong_body_ends_the_channel(keeper, door, kind, good):
    bad = [good[:cut] for cut in range(len(good))] + [good + b"x"]
    for body in bad:
        asker = keeper.connect(door)
        asker.socket.sendall(frame(kind, 1, body))
        assert asker.is_ended(), body
        asker.close()
    asker = keeper.connect(door)
    asker.socket.sendall(frame(kind, 1, good))
    assert not asker.is_ended()


def test_killed_while_it_gathers_queue_ids_it_gathers_them_again(keeper):
    asker = keeper.connect()
    for number in range(500):
        minted = asker.mint(keeper.ticket("alice"))
        assert asker.settle(keeper.record(
            "alice", minted, message_id=f"<{number}@x>",
            queue_id=f"Q{number}")) == OK
    keeper.connect(FEED).send("EVENTS", octets("main") + struct.pack(">H", 0))
    keeper.kill()
    keeper.start()
    items = [status_item(f"Q{number}", now() + 1000, action=RELAYED)
             for number in range(500)]
    assert feeding(keeper).feed(*items) == [STORED] * 500


def feed_until_gone(keeper, start, seen):
    """One event after the other; note the time of each that was stored."""
    try:
        feed = feeding(keeper)
        for number in range(start, start + 10000):
            if feed.feed(status_item("4XyZ", number)) == [STORED]:
                seen.append(number)
    except (Ended, OSError):
        pass


def test_killed_under_load_no_event_is_lost_or_doubled(keeper):
    settled(keeper)
    first = now() + 5000
    for _ in range(3):
        seen = []
        thread = threading.Thread(target=feed_until_gone,
                                  args=(keeper, first, seen))
        thread.start()
        wait_until(lambda: len(seen) >= 100, 30)
        keeper.kill()
        thread.join()
        keeper.start()
        asker = keeper.connect()
        times = [event[0] for event in asker.history(
            keeper.ticket("alice"), "<1@x>")]
        assert times == list(range(first, first + len(times)))
        assert set(seen) <= set(times)
        asker.close()


def test_feeding_does_not_hold_mints_up(keeper):
    settled(keeper)
    feed, asker = feeding(keeper), keeper.connect()
    asker.mint(keeper.ticket("alice"))
    body = octets("main") + struct.pack(">H", 1000) + b"".join(
        status_item(f"unknown{i}", now()) for i in range(1000))
    for _ in range(5):
        feed.send("EVENTS", body)
    slowest = 0
    for _ in range(50):
        before = time.monotonic()
        assert asker.mint(keeper.ticket("alice")).status == OK
        slowest = max(slowest, time.monotonic() - before)
    assert slowest < 1
    for _ in range(5):
        _, _, answer = feed.read()
        assert answer[2:] == bytes([UNKNOWN_ID]) * 1000


def test_too_many_feeds_at_once_are_put_off(keeper):
    feed = feeding(keeper)
    body = octets("main") + struct.pack(">H", 1) + status_item("4XyZ", now())
    batch = b"".join(frame("EVENTS", i + 1, body) for i in range(400))
    feed.socket.sendall(batch)
    results = {feed.read()[2][2] for _ in range(400)}
    assert results <= {UNKNOWN_ID, NOT_NOW} and UNKNOWN_ID in results


def test_nothing_of_an_event_is_readable_in_the_vault(keeper):
    settled(keeper)
    feed = feeding(keeper)
    assert feed.feed(status_item("4XyZ", now(), action=DELIVERED,
                                 to="hidden@example.org",
                                 text="told in secret")) == [STORED]
    feed.close()
    keeper.drain()
    held = b"".join(path.read_bytes() for path in
                    (keeper.directory / "vault").iterdir())
    for private in (b"hidden@example", b"told in secret", b"4XyZ",
                    b"mx.example.org"):
        assert private not in held

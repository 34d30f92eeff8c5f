"""Mail that leaves the MSA's queue for a content filter and comes back under
another queue id: real Postfix and real Exim."""

import shutil

import pytest

from conftest import ended, started
from outcome import LATER, NEXT, House
from peers import ContentFilter, room, wait_until


@pytest.fixture(scope="module", name="house", params=[
    "postfix", "postfix-amavis", "exim", "exim-amavis"])
def fixture_house(request, authority):
    kind, _, amavis = request.param.partition("-")
    space, scan = room("out"), ContentFilter(bool(amavis))
    house = House(kind, space, authority, filtered=scan.port)
    house.scan = scan
    running = []
    try:
        for peer in (scan, *house):
            running.append(started(peer))
        scan.give_back_to(house.msa.back)
        yield house
    finally:
        for peer in reversed(running):
            ended(peer)
        shutil.rmtree(space)


def test_delivered_behind_it(house):
    sent = house.send("bob@example.test")
    row = house.wait(sent, "delivered")[0]
    assert row["to"] == row["final"] == "bob@example.test"
    assert house.actions(sent) == ["delivered"]
    text = sent if house.kind == "postfix" else "X-Filtered: yes"
    house.msa.wait_message("bob", text)


def test_passed_on_behind_it(house):
    sent = house.send(f"bob@{NEXT}")
    assert house.wait(sent, "relayed")[0]["settled"]
    assert house.actions(sent) == ["relayed"]


def test_refused_behind_it(house):
    sent = house.send(f"gone@{NEXT}", "bob@example.test")
    rows = house.wait_settled(sent)
    assert rows[f"gone@{NEXT}"]["action"] == "failed"
    assert rows["bob@example.test"]["action"] == "delivered"
    assert house.status(sent) == 1


def test_deferred_behind_it(house):
    sent = house.send(f"bob@{LATER}")
    wait_until(lambda: "delayed" in house.actions(sent))
    row = house.wait(sent, "delayed")[0]
    if house.kind == "exim":
        assert "refused" in row["reply"] or "retry time" in row["reply"]
    assert "127.0.0.1" not in str(row)


def test_an_alias_behind_it(house):
    sent = house.send("one@example.test")
    row = house.wait(sent, "delivered")[0]
    assert row["to"] == row["final"] == "one@example.test"


def test_an_alias_to_several_behind_it(house):
    sent = house.send("many@example.test")
    row = house.wait(sent, "expanded")[0]
    assert row["to"] == "many@example.test"
    assert "bob@" not in str(house.waybill.track(sent))


def test_several_recipients_are_not_mixed_up(house):
    sent = house.send("one@example.test", "carol@example.test",
                      f"bob@{NEXT}")
    rows = house.wait_settled(sent)
    assert {to: row["action"] for to, row in rows.items()} == {
        "one@example.test": "delivered", "carol@example.test": "delivered",
        f"bob@{NEXT}": "relayed"}


def test_the_filter_was_away(house):
    house.scan.stop()
    try:
        sent = house.send("carol@example.test")
        wait_until(lambda: "delayed" in house.actions(sent))
        assert house.wait(sent, "delayed")[0]["state"] == "underway"
    finally:
        house.scan.start()
        house.scan.give_back_to(house.msa.back)
    house.msa.flush()
    house.wait(sent, "delivered")
    assert house.actions(sent)[-1] == "delivered"

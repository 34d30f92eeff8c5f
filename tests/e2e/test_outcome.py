"""What became of a message: real Postfix and real Exim, their logs and their
queues, read by the feed and told by the tracker."""

import shutil

import pytest

from conftest import ended, started
from outcome import LATER, NEXT, House
from peers import Postfix, RawMsa, room, wait_until


@pytest.fixture(scope="module", name="house", params=["postfix", "exim"])
def fixture_house(request, authority):
    """One for all tests here that leave it as it was."""
    space = room("out")
    house = House(request.param, space, authority)
    running = []
    try:
        for peer in house:
            running.append(started(peer))
        yield house
    finally:
        for peer in reversed(running):
            ended(peer)
        shutil.rmtree(space)


def test_delivered_to_a_mailbox(house):
    sent = house.send("bob@example.test")
    row = house.wait(sent, "delivered")[0]
    assert row["state"] == "arrived" and row["settled"]
    assert row["to"] == row["final"] == "bob@example.test"
    assert row["status"].startswith("2.")
    assert row["told_by"] == "submit.example.test"
    assert house.status(sent) == 0
    assert house.actions(sent) == ["delivered"]


def test_relayed_to_another_server(house):
    sent = house.send(f"bob@{NEXT}")
    row = house.wait(sent, "relayed")[0]
    assert row["state"] == "arrived" and row["settled"]
    assert house.status(sent) == 0
    # It is on loopback, so it is one of ours, and its name is not told.
    assert "127.0.0.1" not in str(row)
    wait_until(lambda: house.hop.log.read_text().count(f"bob@{NEXT}"))


def test_both_at_once_and_each_for_itself(house):
    sent = house.send("bob@example.test", f"bob@{NEXT}", f"gone@{NEXT}")
    rows = house.wait_settled(sent)
    assert {to: row["action"] for to, row in rows.items()} == {
        "bob@example.test": "delivered", f"bob@{NEXT}": "relayed",
        f"gone@{NEXT}": "failed"}
    assert house.status(sent) == 1


def test_bounced_by_the_next_server(house):
    sent = house.send(f"gone@{NEXT}")
    row = house.wait(sent, "failed")[0]
    assert row["state"] == "failed" and row["settled"]
    assert row["status"].startswith("5.")
    # Postfix names the server, which is an inner one, within the reply.
    if house.kind == "exim":
        assert "550" in row["reply"]
    assert "127.0.0.1" not in str(row)
    assert house.status(sent) == 1
    assert house.actions(sent) == ["failed"]


def test_deferred_and_then_passed_on(house, space, start_peer):
    sent = house.send(f"bob@{LATER}")
    row = house.wait(sent, "delayed")[0]
    row = wait_until(lambda: house.actions(sent) and
                     house.waybill.track(sent)[1]["recipients"][0])
    assert row["state"] == "underway" and not row["settled"]
    assert row["status"].startswith("4.")
    # Postfix names the inner server that it did not reach only there.
    if house.kind == "exim":
        assert "refused" in row["reply"]
    assert "127.0.0.1" not in str(house.waybill.track(sent))
    assert "127.0.0.1" not in str(house.waybill.history(sent))
    assert house.status(sent) == 2
    start_peer(RawMsa(space / "later", port=house.msa.routes[LATER]))
    house.msa.flush()
    row = house.wait(sent, "relayed")[0]
    assert row["settled"] and house.status(sent) == 0
    actions = house.actions(sent)
    assert actions[-1] == "relayed"
    assert set(actions[:-1]) == {"delayed"}


def test_an_alias_to_one_is_one_row(house):
    sent = house.send("one@example.test")
    row = house.wait(sent, "delivered")[0]
    assert row["to"] == row["final"] == "one@example.test"
    assert "bob@" not in str(house.waybill.track(sent))
    assert "bob@" not in str(house.waybill.history(sent))


def test_two_that_become_one_mailbox(house):
    """Exim delivers once, names one of them, and has completed it."""
    rows = house.wait_settled(house.send("one@example.test",
                                         "bob@example.test"))
    told = sorted(row["action"] for row in rows.values())
    assert told in (["delivered", "delivered"], ["delivered", "opaque"])
    assert house.kind == "exim" or "opaque" not in told


def test_an_alias_to_somewhere_else(house):
    sent = house.send("away@example.test")
    row = house.wait(sent, "relayed")[0]
    assert row["to"] == "away@example.test"
    assert NEXT not in str(row["final"])


def test_an_alias_to_several_is_expanded(house):
    sent = house.send("many@example.test")
    row = house.wait(sent, "expanded")[0]
    assert row["to"] == row["final"] == "many@example.test"
    assert row["state"] == "arrived"
    assert "bob@" not in str(row) and "carol@" not in str(row)
    assert house.status(sent) == 0


def test_an_alias_of_which_a_branch_fails(house):
    sent = house.send("half@example.test")
    row = house.wait(sent, "expanded")[0]
    assert row["to"] == "half@example.test"
    assert "gone@" not in str(row)
    # The same words from both.
    house.waybill.wait_track(
        lambda told: told["recipients"][0].get("branches"), sent)
    words = "forwarded to several addresses, some failed"
    assert words in house.waybill.run_cli("show", sent).stdout
    assert words in house.waybill.run_cli(
        "--connect", f"127.0.0.1:{house.waybill.ports['track']}", "track",
        sent).stdout


def test_local_aliases_go_on_under_another_queue_id(house):
    if house.kind != "postfix":
        pytest.skip("local(8) is Postfix's")
    sent = house.send("both@local.test")
    row = house.wait(sent, "expanded")[0]
    assert row["to"] == row["final"] == "both@local.test"
    assert house.status(sent) == 0


def test_unknown_user_found_out_late(house):
    if house.kind != "postfix":
        pytest.skip("Exim refuses it at once")
    sent = house.send("gone@example.test")
    row = house.wait(sent, "failed")[0]
    assert row["status"] == "5.1.1"
    assert "unknown user" in row["reply"]
    assert house.status(sent) == 1


def test_a_delegate_sees_the_same(house):
    sent = house.send("bob@example.test")
    house.wait(sent, "delivered")
    uri = house.waybill.cli("delegate", sent)["uri"]
    status, told = house.waybill.track(uri)
    assert status == 0
    assert told["recipients"] == house.waybill.track(sent)[1]["recipients"]
    house.waybill.cli("revoke", sent)
    done = house.waybill.run_cli(
        "--connect", f"127.0.0.1:{house.waybill.ports['track']}", "track",
        uri)
    assert done.returncode == 3


@pytest.fixture(name="start_house")
def fixture_start_house(space, start_peer, authority):
    """start_house(kind, **more) starts a House; stopped after the test."""
    def start(kind, **more):
        house = House(kind, space, authority, **more)
        for peer in house:
            start_peer(peer)
        return house
    return start


SHORT = {"postfix": {"settings": {"maximal_queue_lifetime": "1s",
                                  "minimal_backoff_time": "1s",
                                  "maximal_backoff_time": "1s",
                                  "queue_run_delay": "1s"}},
         "exim": {"retry": "F,1s,1s"}}


@pytest.mark.parametrize("kind", ["postfix", "exim"])
def test_expired_in_the_queue(start_house, kind):
    house = start_house(kind, **SHORT[kind])
    sent = house.send(f"bob@{LATER}")
    house.wait(sent, "delayed")

    def has_failed():
        house.msa.flush()
        return "failed" in house.actions(sent)
    wait_until(has_failed, 30)
    row = house.wait(sent, "failed")[0]
    assert row["status"] in ("4.4.7", "5.4.7", "4.4.1")
    assert house.status(sent) == 1
    assert house.actions(sent)[-1] == "failed"


@pytest.mark.parametrize("kind", ["postfix", "exim"])
def test_expired_for_one_of_two(start_house, kind):
    house = start_house(kind, **SHORT[kind])
    sent = house.send("bob@example.test", f"bob@{LATER}")

    def has_failed():
        house.msa.flush()
        return "failed" in house.actions(sent)
    wait_until(has_failed, 30)
    rows = house.wait_settled(sent)
    assert {to: row["action"] for to, row in rows.items()} == {
        "bob@example.test": "delivered", f"bob@{LATER}": "failed"}
    assert house.status(sent) == 1


def bob(kind):
    """Behind an alias, as the log has it."""
    return "bob@example.test" if kind == "postfix" else "bob"


@pytest.mark.parametrize("kind", ["postfix", "exim"])
def test_what_is_hidden_and_what_is_shown(start_house, kind):
    house = start_house(kind, waybill={
        "tracking": {"reveal_aliases": True, "reveal_hosts": True}})
    relayed = house.send(f"bob@{NEXT}")
    row = house.wait(relayed, "relayed")[0]
    assert "127.0.0.1" in (row["remote_mta"], row.get("remote_address"))
    assert row["tls"].startswith("TLS")
    failed = house.send(f"gone@{NEXT}")
    assert "550" in house.wait(failed, "failed")[0]["reply"]
    one, many = (house.send("one@example.test"),
                 house.send("many@example.test"))
    assert house.wait(one, "delivered")[0]["final"] == bob(kind)
    rows = house.waybill.wait_track(
        lambda told: len(told["recipients"]) == 3, many)["recipients"]
    assert sorted((row["to"], row["final"], row["action"])
                  for row in rows) == [
        ("many@example.test", bob(kind), "delivered"),
        ("many@example.test", bob(kind).replace("bob", "carol"),
         "delivered"),
        ("many@example.test", "many@example.test", "expanded")]
    house.waybill.sections["tracking"] = {}
    house.waybill.write_conf()
    house.waybill.reload()
    # A session of the old generation may end before it has asked.
    house.waybill.wait_line(event="reloaded")
    house.waybill.wait_children("track", 1)
    wait_until(lambda: len(house.waybill.track(many)[1]["recipients"]) == 1,
               20)
    assert "127.0.0.1" not in str(house.waybill.track(relayed))
    assert "'bob" not in str(house.waybill.history(one))


def test_hosts_alone_may_be_shown(start_house):
    house = start_house("postfix", waybill={
        "tracking": {"inner_hosts": ["192.0.2.0/24"]}})
    sent = house.send(f"bob@{NEXT}")
    assert house.wait(sent, "relayed")[0]["remote_mta"] == "127.0.0.1"
    assert isinstance(house.msa, Postfix)

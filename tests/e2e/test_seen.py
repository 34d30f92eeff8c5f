"""What sender and delegate may see of a message (RFC 3885 4.2, RFC 3886
4.2): XMTRK SHOW and the tracking server tell the same, as much as the
operator allows; and the waybill command as a user and a delegate call it."""

import json
import subprocess
import time

import pytest

from peers import wait_until
from wire import Wire, told

TEXT = b"Subject: seen\r\nMessage-ID: <%b@client.test>\r\n\r\nx\r\n"
QUEUE = {"replies": {".": "250 2.0.0 Ok: queued as 7SEEN"}}
STEP = {"event": "status", "queue_id": "7SEEN", "action": "relayed",
        "status": "2.0.0", "original": "bob@example.test",
        "recipient": "box7@example.test", "remote_mta": "store.inner.example",
        "remote_address": "10.1.2.3", "reply": "250 2.0.0 Ok",
        "tls": "TLSv1.3 TLS_AES_256_GCM_SHA384"}
INNER = ["10.0.0.0/8", "inner.example"]


@pytest.fixture(name="followed")
def fixture_followed(start_waybill, raw_msa, space):
    """A Waybill with tracker and feed, and a log to write its steps to."""
    raw_msa.behave(capabilities=["PIPELINING", "DSN"], **QUEUE)
    log = space / "log.json"
    log.touch(mode=0o644)

    def write(step):
        step = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                **step}
        with log.open("a") as out:
            out.write(json.dumps(step) + "\n")

    def start(**tracking):
        waybill = start_waybill(
            raw_msa, track={}, feed="json", feed_section={"file": log},
            tracking={"inner_hosts": INNER, **tracking})
        client = Wire(waybill)
        assert client.message(TEXT % b"seen")[0] == 250
        client.quit()
        return waybill, write
    return start


def shown(waybill):
    client = Wire(waybill)
    lines = told(client.whole("XMTRK SHOW <seen@client.test>"))
    client.quit()
    return lines


def state_of(waybill):
    return [pairs for word, pairs in shown(waybill) if word == "status"]


def as_delegate(waybill, space, *words):
    """waybill track of the URI alone: no account, no configuration."""
    uri = waybill.cli("delegate", "last")["uri"]
    return subprocess.run(
        [waybill.program("bin/waybill"), "--connect",
         f"127.0.0.1:{waybill.ports['track']}", *words, "track"],
        input=uri + "\n", text=True, capture_output=True, timeout=60,
        check=False, env={"PATH": "/usr/bin:/bin", "HOME": str(space / "no"),
                          "SSL_CERT_FILE": str(waybill.authority.ca)})


@pytest.mark.parametrize("aliases", [False, True])
@pytest.mark.parametrize("hosts", [False, True])
def test_sender_and_delegate_see_the_same(followed, space, aliases, hosts):
    waybill, write = followed(reveal_aliases=aliases, reveal_hosts=hosts)
    write(STEP)
    wait_until(lambda: state_of(waybill)[0]["action"] == "relayed",
               what="the feed")
    state = state_of(waybill)
    assert len(state) == 1
    status, found = waybill.track("<seen@client.test>")
    done = as_delegate(waybill, space, "--json")
    assert status == done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == found
    assert len(found["recipients"]) == 1
    row, state = found["recipients"][0], state[0]
    assert row["to"] == state["to"] == "bob@example.test"
    assert row["action"] == state["action"] == "relayed"
    assert row["final"] == state.get("final", state["to"]) == (
        "box7@example.test" if aliases else "bob@example.test")
    assert row.get("remote_address") == state.get("address") == (
        "10.1.2.3" if hosts else None)
    assert state.get("mta") == ("store.inner.example" if hosts else None)
    seen = str(shown(waybill)) + json.dumps(found)
    assert ("box7" in seen) == aliases
    assert ("store.inner.example" in seen) == hosts
    assert ("10.1.2.3" in seen) == hosts


def test_a_watch_ends_with_the_last_recipient(followed, space):
    waybill, write = followed()
    write({**STEP, "action": "delayed", "status": "4.4.1",
           "reply": "timed out", "retry_until": "2099-01-01T00:00:00Z"})
    wait_until(lambda: "last_attempt" in state_of(waybill)[0],
               what="the feed")
    status, found = waybill.track("last")
    assert (status, found["state"]) == (2, "underway")
    done = as_delegate(waybill, space)
    assert done.returncode == 2
    assert "waiting to be tried again" in done.stdout
    assert "trying ends at 2099-01-01" in done.stdout
    watch = subprocess.Popen(
        [waybill.program("bin/waybill"), "-c", waybill.client_conf(),
         "--connect", f"127.0.0.1:{waybill.ports['track']}", "track",
         "--watch", "--interval", "1", "last"], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=waybill.environment())
    assert "RECIPIENT" in watch.stdout.readline()
    write(STEP)
    out, error = watch.communicate(timeout=60)
    assert watch.returncode == 0 and error == ""
    assert "accepted by the recipient's server" in out
    told_in_order = ["received", "accepted by the mail server",
                     "waiting to be tried again",
                     "accepted by the recipient's server"]
    history = out[out.rindex("WHAT HAPPENED"):]
    places = [history.index(words) for words in told_in_order]
    assert places == sorted(places)


def test_what_happened_is_told_in_the_order_it_must_have_been(followed):
    """A log tells seconds: what it saw is not before the submission."""
    waybill, write = followed()
    client = Wire(waybill)
    sent = [pairs for word, pairs in told(client.whole(
        "XMTRK SHOW <seen@client.test>")) if word == "message"][0]["time"]
    client.quit()
    write({**STEP, "time": sent[:19] + "Z"})
    found = waybill.wait_track(lambda one: one["state"] == "arrived", "last")
    assert [event["action"] for event in found["events"]] == [
        "received", "delayed", "relayed"]


def test_a_revoked_token_shows_nothing_to_its_delegate(followed, space):
    waybill, write = followed()
    write(STEP)
    waybill.wait_track(lambda one: one["state"] == "arrived", "last")
    assert as_delegate(waybill, space).returncode == 0
    uri = waybill.cli("delegate", "last")["uri"]
    waybill.cli("revoke", "last")
    done = subprocess.run(
        [waybill.program("bin/waybill"), "--connect",
         f"127.0.0.1:{waybill.ports['track']}", "track", "-"],
        input=uri, text=True, capture_output=True, timeout=60, check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(space / "no"),
             "SSL_CERT_FILE": str(waybill.authority.ca)})
    assert done.returncode == 3 and done.stdout == ""
    assert "knows nothing of it" in done.stderr
    state = state_of(waybill)
    assert state[0]["action"] == "relayed"

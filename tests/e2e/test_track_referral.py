"""waybill track across several tracking servers, and over time."""

import json
import os

import pytest

from delegate import (ENVID, FAR, FIRST, HOP, NAME, URI, Delegate, says,
                      sent_to, services, TRIED)
from false_tracker import FalseDns, FalseTracker, part, recipient, report


@pytest.fixture(scope="module", name="certificate")
def fixture_certificate(authority):
    return authority.issue("tracker", [FIRST, HOP, FAR], [])


@pytest.fixture(name="delegate")
def fixture_delegate(tmp_path, authority):
    return Delegate(tmp_path, authority)


class TestReferral:
    """Where the message was passed on (RFC 3886 3.3.3)."""

    def follow(self, delegate, dns, *words):
        done = delegate.run("--resolver", dns.address, "track", "--json",
                            "--timeout", "4", *words, URI)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    def test_follows_over_three_hops(self, delegate, certificate):
        with FalseTracker(*certificate, {NAME: says(FIRST, sent_to(HOP))}) \
                as first, \
                FalseTracker(*certificate, {NAME: says(HOP, sent_to(FAR))}) \
                as hop, \
                FalseTracker(*certificate, {NAME: says(
                    FAR, recipient("BOB@d.example", "delivered"))}) as far, \
                services(first=first.port, hop=hop.port, far=far.port) as dns:
            code, value = self.follow(delegate, dns)
            stay, not_followed = self.follow(delegate, dns, "--no-follow")
        assert code == 0
        assert [one["server"] for one in value["servers"]] == \
            [FIRST, HOP, FAR]
        assert len(value["recipients"]) == 1
        assert value["recipients"][0]["to"] == "bob@d.example"
        assert value["recipients"][0]["told_by"] == FAR
        assert [line["action"] for line in value["events"]].count(
            "transferred") == 2
        assert hop.lines[0] == f"STARTTLS {HOP}"
        assert stay == 2
        assert not_followed["recipients"][0]["action"] == "transferred"
        assert not_followed["settled"] is True
        assert hop.connections == 1

    def test_only_recipients_that_went_there_are_replaced(self, delegate,
                                                          certificate):
        answer = says(FIRST, sent_to(HOP), recipient("carol@d", "failed",
                                                     "5.1.1"),
                      sent_to(HOP, "dave@d"), sent_to(FAR, "erin@d"))
        lies = says(HOP, recipient("bob@d.example", "delivered"),
                    recipient("carol@d", "delivered"),
                    recipient("erin@d", "delivered"),
                    recipient("mallory@d", "delivered"))
        with FalseTracker(*certificate, {NAME: answer}) as first, \
                FalseTracker(*certificate, {NAME: lies}) as hop, \
                FalseTracker(*certificate, {NAME: says(
                    FAR, recipient("x@y", "delivered"), envid="y@h")}) \
                as far, \
                services(first=first.port, hop=hop.port, far=far.port) as dns:
            code, value = self.follow(delegate, dns)
        found = {one["to"]: one["state"] for one in value["recipients"]}
        assert found == {"bob@d.example": "arrived", "carol@d": "failed",
                         "dave@d": "unknown", "erin@d": "unknown"}
        problems = {one["to"]: one.get("problem")
                    for one in value["recipients"]}
        assert "does not speak of it" in problems["dave@d"]
        assert "another message" in problems["erin@d"]
        assert code == 1
        assert (hop.connections, far.connections) == (1, 1)

    def test_an_alias_behind_a_hop_becomes_several(self, delegate,
                                                   certificate):
        both = [recipient("bob@d.example", action, status).replace(
            "Final-Recipient: rfc822; bob", f"Final-Recipient: rfc822; {who}")
            for who, action, status in (("b1", "delivered", "2.0.0"),
                                        ("b2", "failed", "5.1.1"))]
        with FalseTracker(*certificate, {NAME: says(FIRST, sent_to(HOP))}) \
                as first, \
                FalseTracker(*certificate, {NAME: says(HOP, *both)}) as hop, \
                services(first=first.port, hop=hop.port) as dns:
            code, value = self.follow(delegate, dns)
        assert code == 1
        assert [(one["final"], one["state"])
                for one in value["recipients"]] == \
            [("b1@d.example", "arrived"), ("b2@d.example", "failed")]

    def test_a_chained_answer_needs_no_following(self, delegate, certificate):
        answer = report(part(ENVID, FIRST, sent_to(HOP)),
                        part(ENVID, HOP, recipient("bob@d.example",
                                                   "delivered")))
        with FalseTracker(*certificate, {NAME: answer}) as server:
            code, value = delegate.json(server)
        assert code == 0
        assert len(value["recipients"]) == len(value["servers"]) == 1
        assert value["recipients"][0]["told_by"] == HOP

    def test_a_circle_ends(self, delegate, certificate):
        with FalseTracker(*certificate, {NAME: says(FIRST, sent_to(HOP))}) \
                as first, \
                FalseTracker(*certificate, {NAME: says(
                    HOP, sent_to(FIRST.upper() + "."))}) as hop, \
                services(first=first.port, hop=hop.port) as dns:
            code, value = self.follow(delegate, dns)
        assert code == 3
        assert "circle" in value["recipients"][0]["problem"]
        assert (first.connections, hop.connections) == (1, 1)

    def test_hops_without_end_end(self, delegate, authority):
        wide = authority.issue("wide", ["*.example.test"], [])
        count = {"asked": 0}

        class Endless(FalseTracker):
            def answer(self, line):
                count["asked"] += 1
                self.answers = {NAME: [says(
                    "x", sent_to(f"h{count['asked']}.example.test"))]}
                return super().answer(line)

        with Endless(*wide) as server, FalseDns({
                ("a.test", "A"): ["127.0.0.1"], **{
                    (f"_mtqp._tcp.{name}.example.test", "SRV"):
                    [(0, 0, server.port, "a.test")]
                    for name in ["t", *(f"h{n}" for n in range(40))]}}) \
                as dns:
            code, value = self.follow(delegate, dns)
        assert code == 3
        assert "too many hops" in value["recipients"][0]["problem"]
        assert count["asked"] == 8

    def test_servers_without_end_end(self, delegate, authority):
        wide = authority.issue("wide2", ["*.example.test"], [])
        answer = says("x", *(sent_to(f"h{n}.example.test", f"r{n}@d")
                             for n in range(60)))
        with FalseTracker(*wide, {NAME: answer}) as server, FalseDns({
                ("a.test", "A"): ["127.0.0.1"], **{
                    (f"_mtqp._tcp.{name}.example.test", "SRV"):
                    [(0, 0, server.port, "a.test")]
                    for name in ["t", *(f"h{n}" for n in range(60))]}}) \
                as dns:
            code, value = self.follow(delegate, dns)
        assert code == 3
        assert server.connections == 16
        assert value["recipients"][59]["problem"] == "too many servers"

    @pytest.mark.parametrize("script, status, word", [
        ({"secured": lambda peer: peer.recv(1)}, 2, "took too long"),
        ({"greeting": b"-TEMP/MTQP/unavailable\r\n"}, 2, "does not serve"),
        ({"TRACK": b"-TEMP/unavailable x\r\n"}, 2, "cannot tell now"),
        ({"greeting": b"+OK/MTQP\r\n"}, 2, "offers no TLS"),
        ({}, 3, "knows nothing of it"),
        ({"TRACK": b"+OK+\r\nlies\r\n.\r\n"}, 3, "cannot understand")])
    def test_a_hop_that_does_not_tell(self, delegate, certificate, script,
                                      status, word):
        with FalseTracker(*certificate, {NAME: says(
                FIRST, sent_to(HOP), recipient("c@d", "delivered"))}) \
                as first, FalseTracker(*certificate, **script) as hop, \
                services(first=first.port, hop=hop.port) as dns:
            code, value = self.follow(delegate, dns)
        assert code == status
        assert word in value["recipients"][0]["problem"]
        assert value["recipients"][0]["action"] == "transferred"
        assert value["recipients"][1]["state"] == "arrived"
        assert value["servers"][1]["answered"] is False

    def test_a_hop_with_a_certificate_for_another(self, delegate, certificate,
                                                  authority):
        other = authority.issue("other-hop", ["other.example.test"], [])
        with FalseTracker(*certificate, {NAME: says(FIRST, sent_to(HOP))}) \
                as first, FalseTracker(*other, {NAME: says(
                    HOP, recipient("bob@d.example", "delivered"))}) as hop, \
                services(first=first.port, hop=hop.port) as dns:
            code, value = self.follow(delegate, dns)
        assert code == 2
        assert "is not for hop.example.test but for other.example.test" in \
            value["recipients"][0]["problem"]
        assert hop.tracked() == []

    @pytest.mark.parametrize("name", [
        "", "a b", "h\x1b[2J", "[127.0.0.1", "../x", "x" * 300, "-h.test",
        "h:25", "localhost"])
    def test_no_hop_of_a_bad_name_is_asked(self, delegate, certificate, name):
        with FalseTracker(*certificate, {NAME: says(FIRST, sent_to(name))}) \
                as first, services(first=first.port) as dns:
            code, value = self.follow(delegate, dns)
        assert code in (2, 3)
        assert value["recipients"][0]["problem"]


class TestWatch:
    WAITING = says(FIRST, recipient("b@d", "delayed", "4.0.0"),
                   recipient("c@d", "delivered"))
    TRIED = says(FIRST, recipient("b@d", "delayed", "4.4.1",
                                  Remote_MTA="dns; mx.d", **TRIED),
                 recipient("c@d", "delivered"))
    DONE = says(FIRST, recipient("b@d", "delivered"),
                recipient("c@d", "delivered"))

    def test_until_all_is_settled(self, delegate, certificate):
        answers = [self.WAITING, self.WAITING, self.TRIED, self.DONE]
        with FalseTracker(*certificate, {NAME: answers}) as server:
            done = delegate.track(server, "--watch", "--interval", "1")
        assert done.returncode == 0, done.stderr
        assert len(server.tracked()) == 4
        assert done.stdout.count("RECIPIENT  STATE") == 3
        assert done.stdout.index("no attempt known") < \
            done.stdout.index("waiting to be tried again") < \
            done.stdout.index(f"envelope id  {ENVID}")

    def test_json_has_a_line_per_change(self, delegate, certificate):
        answers = [self.WAITING, self.WAITING, self.DONE]
        with FalseTracker(*certificate, {NAME: answers}) as server:
            done = delegate.track(server, "--watch", "--interval", "1",
                                  "--json")
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert [line["state"] for line in lines] == ["underway", "arrived"]
        assert [line["settled"] for line in lines] == [False, True]
        assert done.returncode == 0

    def test_a_settled_message_is_asked_for_once(self, delegate, certificate):
        failed = says(FIRST, recipient("b@d", "failed", "5.1.1"))
        with FalseTracker(*certificate, {NAME: failed}) as server:
            done = delegate.track(server, "--watch")
        assert done.returncode == 1
        assert len(server.tracked()) == 1

    def test_outlasts_an_outage_but_not_an_end(self, delegate, certificate):
        replies = iter([b"-TEMP/unavailable\r\n", b"-ERR/noinfo\r\n"])
        waiting = [self.WAITING]

        class Server(FalseTracker):
            def answer(self, line):
                if waiting:
                    waiting.pop()
                    return super().answer(line)
                return next(replies)

        with Server(*certificate, {NAME: self.WAITING}) as server:
            done = delegate.track(server, "--watch", "--interval", "1")
        assert done.returncode == 3
        assert "asking again in 1 s" in done.stderr
        assert "knows nothing of it" in done.stderr
        assert len(server.tracked()) == 3

    def test_shows_progress_on_a_terminal(self, delegate, certificate):
        control, terminal = os.openpty()
        with FalseTracker(*certificate,
                          {NAME: [self.WAITING, self.DONE]}) as server:
            child = delegate.start(
                "--connect", f"127.0.0.1:{server.port}", "track", "--watch",
                "--interval", "1", URI, stderr=terminal)
            child.communicate(timeout=30)
        os.close(terminal)
        shown = b""
        try:
            while more := os.read(control, 4096):
                shown += more
        except OSError:
            pass
        os.close(control)
        assert b"1 of 2 settled, looking again in 1 s" in shown
        assert child.returncode == 0

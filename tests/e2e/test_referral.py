"""Where a message's tracking server is, and where it is asked on: a real name
server, and three servers of ours with hops between them (RFC 3887 2, 2.4,
RFC 2782, RFC 3886 3.3.3)."""

import json
import os
import random
import signal

import pytest

from delegate import FIRST, NAME, URI, Delegate, says
from false_tracker import FalseTracker, part, recipient, report
from mtqp_client import Mtqp, b64, read_answer
from peers import Postfix, free_port, wait_until
from peers.dns import Address, NameServer, Srv
from peers.relay_hop import SPENT, RelayHop
from waybill import certifier_of

A = "a.example.test"
ARRIVED = {NAME: says(FIRST, recipient("bob@d.example", "delivered"))}
FAILED = {NAME: says(FIRST, recipient("bob@d.example", "failed", "5.1.1"))}


@pytest.fixture(scope="module", name="certificate")
def fixture_certificate(authority):
    return authority.issue("referral", [FIRST], [])


@pytest.fixture(name="delegate")
def fixture_delegate(tmp_path, authority):
    return Delegate(tmp_path, authority)


@pytest.fixture(name="name_server")
def fixture_name_server(start_peer, space):
    return lambda *records: start_peer(NameServer(space / "dns", records))


def look(delegate, dns, *words, uri=URI):
    """waybill track for programs: status and what it says."""
    done = delegate.run("--resolver", dns.address, "track", "--json",
                        "--timeout", "5", *words, uri)
    return done.returncode, json.loads(done.stdout) if done.stdout else \
        done.stderr


def own_address():
    """An address of this machine that nobody else listens on."""
    return f"127.{random.randrange(1, 255)}.{random.randrange(256)}." \
           f"{random.randrange(1, 255)}"


class TestNameServer:
    def test_the_lowest_priority_is_asked_first(self, delegate, certificate,
                                                name_server):
        with FalseTracker(*certificate, ARRIVED) as good, \
                FalseTracker(*certificate, FAILED) as other:
            dns = name_server(Address(A, "127.0.0.1"),
                              Srv(FIRST, A, other.port, 20, 65535),
                              Srv(FIRST, A, good.port, 10, 0))
            assert look(delegate, dns)[0] == 0
            assert other.connections == 0
            dns.change(Address(A, "127.0.0.1"),
                       Srv(FIRST, A, good.port, 20, 65535),
                       Srv(FIRST, A, other.port, 10, 0))
            assert look(delegate, dns)[0] == 1
            assert good.connections == other.connections == 1

    def test_the_next_priority_is_asked_where_the_first_is_dead(
            self, delegate, certificate, name_server):
        with FalseTracker(*certificate, ARRIVED) as good:
            dns = name_server(Address(A, "127.0.0.1"),
                              Srv(FIRST, A, free_port(), 0, 1),
                              Srv(FIRST, "none.example.test", 1038, 5, 1),
                              Srv(FIRST, A, free_port(), 10, 1),
                              Srv(FIRST, A, good.port, 30, 1))
            code, value = look(delegate, dns)
        assert (code, value["state"]) == (0, "arrived")

    def test_weights_share_the_load(self, delegate, certificate, name_server):
        with FalseTracker(*certificate, ARRIVED) as one, \
                FalseTracker(*certificate, ARRIVED) as two:
            dns = name_server(Address(A, "127.0.0.1"),
                              Srv(FIRST, A, one.port, 5, 100),
                              Srv(FIRST, A, two.port, 5, 100))
            for _ in range(24):
                assert look(delegate, dns)[0] == 0
            assert one.connections + two.connections == 24
            assert min(one.connections, two.connections) >= 1
            dns.change(Address(A, "127.0.0.1"),
                       Srv(FIRST, A, one.port, 5, 65535),
                       Srv(FIRST, A, two.port, 5, 1))
            before = one.connections
            for _ in range(8):
                assert look(delegate, dns)[0] == 0
            assert one.connections >= before + 7

    def test_a_lone_dot_means_no(self, delegate, certificate, name_server):
        address = own_address()
        with FalseTracker(*certificate, ARRIVED, address=address,
                          port=1038) as server:
            dns = name_server(Srv(FIRST, ""), Address(FIRST, address))
            code, said = look(delegate, dns)
        assert code == 3
        assert "nobody tracks its messages" in said
        assert server.connections == 0

    def test_without_srv_the_host_itself_on_1038(self, delegate, certificate,
                                                 name_server):
        address = own_address()
        with FalseTracker(*certificate, ARRIVED, address=address,
                          port=1038) as server:
            dns = name_server(Address(FIRST, address))
            assert look(delegate, dns)[0] == 0
        assert server.connections == 1
        assert dns.asked("SRV") == [f"_mtqp._tcp.{FIRST}"]

    def test_of_two_addresses_the_one_that_answers(self, delegate,
                                                   certificate, name_server):
        with FalseTracker(*certificate, ARRIVED) as four:
            dns = name_server(Address(A, "127.0.0.1", "::1"),
                              Srv(FIRST, A, four.port))
            assert look(delegate, dns)[0] == 0
        with FalseTracker(*certificate, ARRIVED, address="::1") as six:
            dns.change(Address(A, "127.0.0.1", "::1"),
                       Srv(FIRST, A, six.port))
            assert look(delegate, dns)[0] == 0
            dns.change(Address(A, "", "::1"), Srv(FIRST, A, six.port))
            assert look(delegate, dns)[0] == 0
        assert six.connections == 2

    def test_a_port_in_the_uri_skips_srv(self, delegate, certificate,
                                         name_server):
        with FalseTracker(*certificate, ARRIVED) as server:
            dns = name_server(Address(FIRST, "127.0.0.1"),
                              Srv(FIRST, A, free_port()))
            uri = URI.replace(FIRST, f"{FIRST}:{server.port}")
            assert look(delegate, dns, uri=uri)[0] == 0
        assert dns.asked("SRV") == []

    def test_a_name_that_is_nowhere_is_found_out(self, delegate, name_server):
        code, said = look(delegate, name_server())
        assert code == 3
        assert FIRST in said


S1, S2, S3 = (f"submit{i}.example.test" for i in (1, 2, 3))
H1, H2 = "hop1.example.test", "hop2.example.test"
TEXT = "Message-ID: <{}@x.test>\r\nSubject: far\r\n\r\nhi\r\n"
SHOWN = {"reveal_hosts": True}


class Chain:
    """Mail from the first Waybill goes by a hop to the second, by another to
    the third, and from there to a Postfix; each of the three answers for
    what it took, and DNS tells where."""

    def __init__(self, start_waybill, start_peer, space, name_server):
        self.postfix = start_peer(Postfix(space / "pf", settings={
            "smtpd_reject_unlisted_recipient": "no"}))
        self.waybills = [start_waybill(
            self.postfix, name="w3", names=(S3, H2, "localhost"), track={},
            feed="postfix", tracking={"server": S3, **SHOWN})]
        self.hops = []
        for name, server, host in ((H2, S2, H1), (H1, S1, "unused.test")):
            hop = start_peer(RelayHop(space / name[:4], name,
                                      self.waybills[0]))
            self.hops.insert(0, hop)
            self.waybills.insert(0, start_waybill(
                hop, name=server[:7], names=(server, host, "localhost"),
                track={}, tracking={"server": server, **SHOWN}))
        self.dns = name_server(*self.records())

    def ports(self):
        return [waybill.ports["track"] for waybill in self.waybills]

    def records(self):
        one, two, three = self.ports()
        return [Address(A, "127.0.0.1"),
                Srv(S1, A, one, 5, 7),
                Srv(H1, A, free_port(), 10, 1), Srv(H1, A, two, 20, 0),
                Srv(H2, A, three, 1, 1), Srv(H2, A, free_port(), 1, 0),
                Srv(H2, "none.example.test", 1038, 0, 1)]

    def submit(self, name="one", to="bob@example.test", mail=()):
        self.waybills[0].submit("alice", to, TEXT.format(name), mail=mail)
        return f"<{name}@x.test>"

    def uri(self, name):
        done = self.waybills[0].run_cli("delegate", name)
        assert done.returncode == 0, done.stderr
        return next(word for word in done.stdout.split()
                    if word.startswith("mtqp://"))

    def wait_settled(self, delegate, uri, *words):
        def settled():
            code, value = look(delegate, self.dns, *words, uri=uri)
            return isinstance(value, dict) and value["settled"] and \
                (code, value)
        return wait_until(settled, 30, "the end of it")


@pytest.fixture(name="chain")
def fixture_chain(start_waybill, start_peer, space, name_server):
    return Chain(start_waybill, start_peer, space, name_server)


class TestThreeServers:
    def test_delivered_is_seen_from_the_first(self, chain, delegate):
        name = chain.submit()
        chain.postfix.wait_message("bob", name)
        uri = chain.uri(name)
        code, value = chain.wait_settled(delegate, uri)
        assert code == 0, value
        assert [one["server"] for one in value["servers"]] == [S1, H1, H2]
        row, = value["recipients"]
        assert (row["to"], row["action"]) == ("bob@example.test", "delivered")
        assert [event["action"] for event in value["events"]].count(
            "transferred") == 2
        assert set(chain.dns.asked("SRV")) == {
            f"_mtqp._tcp.{host}" for host in (S1, H1, H2)}

    def test_the_envelope_stays_what_it_was(self, chain):
        chain.submit()
        sent, passed = (hop.wait_messages(1)[0] for hop in chain.hops)
        first, second = sent["parameters"], passed["parameters"]
        assert first["ENVID"] == second["ENVID"]
        certifier, seconds = first["MTRK"].split(":")
        assert second["MTRK"] == f"{certifier}:{int(seconds) - SPENT}"
        for message in (sent, passed):
            assert message["recipients"][0]["parameters"]["ORCPT"] == \
                "rfc822;bob@example.test"

    def test_failed_far_away_is_failed_here(self, chain, delegate):
        name = chain.submit(to="nobody@example.test")
        code, value = chain.wait_settled(delegate, chain.uri(name))
        assert code == 1, value
        row, = value["recipients"]
        assert (row["action"], row["status"]) == ("failed", "5.1.1")

    def test_each_server_answers_by_itself(self, chain):
        secret = os.urandom(32)
        chain.submit(mail=["ENVID=mine@client.test",
                           f"MTRK={certifier_of(secret)}:86400"])
        chain.postfix.wait_message("bob", "<one@x.test>")
        said = []
        for waybill, name in zip(chain.waybills, (S1, H1, H2)):
            with Mtqp(waybill.ports["track"]) as client:
                client.starttls(name, waybill.context())
                reply = client.track("mine@client.test", b64(secret))
                answer, = read_answer(reply.body)
                said.append((answer.recipients[0]["Action"],
                             answer.recipients[0].get("Remote-MTA")))
        assert said[:2] == [("transferred", f"dns; {H1}"),
                            ("transferred", f"dns; {H2}")]
        assert said[2][0] in ("delayed", "delivered")

    def test_revoked_at_home_is_told_further_on(self, chain, delegate):
        name = chain.submit()
        chain.postfix.wait_message("bob", name)
        uri = chain.uri(name)
        assert chain.wait_settled(delegate, uri)[0] == 0
        done = chain.waybills[0].run_cli("revoke", name)
        assert done.returncode == 0, done.stderr
        code, said = look(delegate, chain.dns, uri=uri)
        assert code == 3
        assert "nothing" in said
        direct = uri.replace(S1, H1)
        assert look(delegate, chain.dns, uri=direct)[0] == 0

    def test_a_server_on_the_way_that_is_down(self, chain, delegate):
        name = chain.submit()
        chain.postfix.wait_message("bob", name)
        uri = chain.uri(name)
        assert chain.wait_settled(delegate, uri)[0] == 0
        chain.waybills[2].stop()
        code, value = look(delegate, chain.dns, uri=uri)
        assert code == 2
        row, = value["recipients"]
        assert row["action"] == "transferred"
        assert row["problem"]
        assert value["settled"] is False
        chain.waybills[2].start()
        assert chain.wait_settled(delegate, uri)[0] == 0

    def test_a_hanging_server_on_the_way(self, chain, delegate):
        name = chain.submit()
        chain.postfix.wait_message("bob", name)
        uri = chain.uri(name)
        assert chain.wait_settled(delegate, uri)[0] == 0
        tracker, = chain.waybills[1].children("track")
        os.kill(tracker, signal.SIGSTOP)
        try:
            code, value = look(delegate, chain.dns, uri=uri)
        finally:
            os.kill(tracker, signal.SIGCONT)
        assert code == 2
        assert "took too long" in value["recipients"][0]["problem"]
        assert chain.wait_settled(delegate, uri)[0] == 0


# The hop's name is that of StrictHop.
HOP = "hop.example.test"


class TestFalseHops:
    """A server of ours sends the client on to one that is not."""

    @pytest.fixture(name="sent")
    def fixture_sent(self, start_waybill, strict_hop):
        waybill = start_waybill(strict_hop, names=(S1, "localhost"),
                                track={}, tracking={"server": S1, **SHOWN})
        waybill.submit("alice", ["bob@example.test", "carol@example.test"],
                       TEXT.format("false"))
        done = waybill.run_cli("delegate", "<false@x.test>")
        uri = next(word for word in done.stdout.split()
                   if word.startswith("mtqp://"))
        token = waybill.cli("token", "<false@x.test>")
        return waybill, uri, (token["envid"], token["secret"])

    def ask(self, sent, delegate, name_server, server):
        waybill, uri, _ = sent
        dns = name_server(Address(A, "127.0.0.1"),
                          Srv(S1, A, waybill.ports["track"]),
                          Srv(HOP, A, server.port))
        code, value = look(delegate, dns, uri=uri)
        assert set(dns.asked("SRV")) == {f"_mtqp._tcp.{name}"
                                         for name in (S1, HOP)}
        return code, value

    def test_that_lies_about_others(self, sent, delegate, name_server,
                                    authority):
        certificate = authority.issue("false-hop", [HOP], [])
        lies = report(part(sent[2][0], HOP,
                           recipient("bob@example.test", "delivered"),
                           recipient("mallory@example.test", "delivered"),
                           recipient("eve@example.test", "transferred",
                                     Remote_MTA="dns; victim.example.test")))
        with FalseTracker(*certificate, {sent[2]: lies}) as server:
            code, value = self.ask(sent, delegate, name_server, server)
        found = {row["to"]: row["action"] for row in value["recipients"]}
        assert found == {"bob@example.test": "delivered",
                         "carol@example.test": "transferred"}
        assert code in (2, 3)

    def test_that_speaks_of_another_message(self, sent, delegate, name_server,
                                            authority):
        certificate = authority.issue("false-hop", [HOP], [])
        lies = report(part("other@example.test", HOP,
                           recipient("bob@example.test", "delivered")))
        with FalseTracker(*certificate, {sent[2]: lies}) as server:
            _, value = self.ask(sent, delegate, name_server, server)
        assert {row["action"] for row in value["recipients"]} == \
            {"transferred"}

    def test_with_a_certificate_for_another(self, sent, delegate, name_server,
                                            authority):
        other = authority.issue("other-hop", ["other.example.test"], [])
        with FalseTracker(*other) as server:
            code, value = self.ask(sent, delegate, name_server, server)
        assert server.tracked() == []
        assert "is not for hop.example.test" in \
            value["recipients"][0]["problem"]
        assert code == 2

    def test_that_says_nothing(self, sent, delegate, name_server, authority):
        certificate = authority.issue("false-hop", [HOP], [])
        with FalseTracker(*certificate, secured=lambda peer: peer.recv(1)) \
                as server:
            code, value = self.ask(sent, delegate, name_server, server)
        assert code == 2
        assert "took too long" in value["recipients"][0]["problem"]

    def test_with_an_answer_without_end(self, sent, delegate, name_server,
                                        authority):
        certificate = authority.issue("false-hop", [HOP], [])

        def endless(peer):
            peer.sendall(b"+OK+ as much as you like\r\nContent-Type: "
                         b"multipart/related; boundary=x;\r\n"
                         b" type=\"message/tracking-status\"\r\n\r\n")
            while True:
                peer.sendall(b"--x\r\nContent-Type: "
                             b"message/tracking-status\r\n\r\n" * 500)
        with FalseTracker(*certificate, TRACK=endless) as server:
            code, value = self.ask(sent, delegate, name_server, server)
        assert code in (2, 3)
        assert value["recipients"][0]["action"] == "transferred"
        assert value["recipients"][0]["problem"]

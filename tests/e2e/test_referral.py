"""Where a message's tracking server is, and where it is asked on: a real name
server, and three servers of ours with hops between them (RFC 3887 2, 2.4,
RFC 2782, RFC 3886 3.3.3)."""

import json
import random

import pytest

from delegate import FIRST, NAME, URI, Delegate, says
from false_tracker import FalseTracker, recipient
from peers import free_port
from peers.dns import Address, NameServer, Srv

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

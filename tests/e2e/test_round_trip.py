"""One message from every stock client, in each TLS mode and mechanism,
through the real daemons to each real MSA; and its A fetched afterwards."""

import pytest

from peers import ImapBackend, Postfix, Saslauthd, clients
from waybill import USERS

TEXT = ("From: alice@example.test\r\nTo: bob@example.test\r\n"
        "Subject: round trip\r\nMessage-ID: <{}@client.example.test>\r\n\r\n"
        ".one dot\r\nthe end\r\n")
SCRAM = ["SCRAM-SHA-1", "SCRAM-SHA-256"]


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", *SCRAM])
def test_smtplib_submits_to_a_strict_hop(start_waybill, strict_hop, implicit,
                                         mechanism):
    waybill = start_waybill(strict_hop)
    client = waybill.login("alice", implicit, mechanism=mechanism)
    reply = waybill.submit("alice", ["bob@example.test", "c@example.test"],
                           TEXT.format(1), client=client)
    client.quit()
    message = strict_hop.wait_messages(1)[0]
    assert message["raw"].endswith(b"\r\n.one dot\r\nthe end\r\n")
    assert f"[{message['parameters']['ENVID']}]" in reply
    assert [one["parameters"]["ORCPT"] for one in message["recipients"]] == [
        "rfc822;bob@example.test", "rfc822;c@example.test"]
    waybill.check_certifier(message["parameters"])


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_swaks_and_curl_submit(start_waybill, strict_hop, space, implicit,
                               mechanism):
    waybill = start_waybill(strict_hop)
    port = waybill.ports["submissions" if implicit else "submission"]
    login = (port, waybill.authority.ca, "alice", USERS["alice"])
    done = clients.swaks(*login, implicit=implicit, mechanism=mechanism)
    assert done.returncode == 0, done.stdout
    path = space / "message"
    path.write_text(TEXT.format(2), newline="")
    done = clients.curl(*login, path, implicit=implicit, mechanism=mechanism)
    assert done.returncode == 0, done.stdout
    for message in strict_hop.wait_messages(2):
        waybill.check_certifier(message["parameters"])


@pytest.mark.parametrize("mechanism", SCRAM)
def test_gsasl_logs_in(start_waybill, strict_hop, mechanism):
    waybill = start_waybill(strict_hop)
    port, ca = waybill.ports["submission"], waybill.authority.ca
    done = clients.gsasl(port, ca, "alice", USERS["alice"], mechanism)
    assert done.returncode == 0, done.stdout
    done = clients.gsasl(port, ca, "alice", "wrong", mechanism)
    assert done.returncode != 0, done.stdout


def test_inetsim_receives_mtrk(start_waybill, inetsim):
    waybill = start_waybill(inetsim)
    waybill.submit("alice", "bob@example.test", TEXT.format(3))
    line = inetsim.wait_command("MAIL")[0]
    waybill.check_certifier(dict(
        word.split("=", 1) for word in line.split() if "=" in word))


@pytest.mark.parametrize("certifier", ["derived", "random"])
def test_each_certifier_can_be_proved(start_waybill, strict_hop, certifier):
    waybill = start_waybill(strict_hop, tracking={"certifier": certifier})
    client = waybill.login("alice")
    for number in range(5):
        waybill.submit("alice", "bob@example.test", TEXT.format(number),
                       client=client)
    client.quit()
    secrets = {waybill.check_certifier(message["parameters"])
               for message in strict_hop.wait_messages(5)}
    assert len(secrets) == 5


def test_postfix_with_identity_none(start_waybill, postfix):
    waybill = start_waybill(postfix)
    waybill.submit("alice", "bob@example.test", TEXT.format("none"))
    message = postfix.wait_message("bob", "<none@client.example.test>")
    ours = message.get_all("Received")[-1]
    assert "ESMTPSA" in ours and "alice" not in ours.partition("for")[0]
    assert message.raw.endswith(b"\n.one dot\nthe end\n")
    listed = waybill.cli("list")["messages"]
    assert [one["id"] for one in listed] == ["<none@client.example.test>"]


def test_postfix_with_xclient_sees_the_client(start_waybill, postfix):
    waybill = start_waybill(postfix, msa_section={"identity": "xclient"})
    waybill.submit("alice", "bob@example.test", TEXT.format("xclient"))
    postfix.wait_message("bob", "<xclient@client.example.test>")
    assert postfix.log_lines("sasl_username=alice")


def test_an_msa_that_refuses_xclient_gets_no_mail(start_waybill, start_peer,
                                                  space):
    msa = start_peer(Postfix(space / "pf", xclient=""))
    waybill = start_waybill(msa, msa_section={"identity": "xclient"})
    client = waybill.login("alice")
    code, _ = client.mail("alice@example.test")
    assert code == 451
    client.quit()


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_tls_to_the_msa_is_verified(start_waybill, start_peer, space,
                                    authority, tls):
    cert, key = authority.issue("msa", names=["msa.example.test"],
                                addresses=["127.0.0.1"])
    msa = start_peer(Postfix(space / "pf", tls=tls, cert=cert, key=key))
    good = start_waybill(msa, msa_section={
        "tls": tls, "ca_file": authority.ca, "tls_name": "msa.example.test"})
    good.submit("alice", "bob@example.test", TEXT.format("tls"))
    msa.wait_message("bob", "<tls@client.example.test>")
    bad = start_waybill(msa, msa_section={
        "tls": tls, "ca_file": authority.ca, "tls_name": "other.test"})
    client = bad.login("alice")
    assert client.mail("alice@example.test")[0] == 451
    client.quit()


def test_saslauthd_verifies(start_waybill, start_peer, strict_hop, space):
    users = {"alice": USERS["alice"]}
    backend = start_peer(ImapBackend(space / "imap", users))
    server = start_peer(Saslauthd(space / "sa", backend))
    waybill = start_waybill(strict_hop, auth={
        "mechanisms": ["PLAIN", "LOGIN"],
        "sasl": ["pwcheck_method=saslauthd",
                 f"saslauthd_path={server.path}"]})
    for mechanism in ("PLAIN", "LOGIN"):
        client = waybill.login("alice", mechanism=mechanism)
        waybill.submit("alice", "bob@example.test", TEXT.format(mechanism),
                       client=client)
        client.quit()
    assert len(strict_hop.wait_messages(2)) == 2

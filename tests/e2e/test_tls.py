"""TLS towards mail clients: STARTTLS (RFC 3207), implicit TLS (RFC 8314),
the versions that are let in (RFC 8997), tickets, and what ends a session."""

import ctypes
import os
import re
import smtplib
import socket
import ssl
import subprocess
import time

import pytest

from peers import Authority, wait_until
from raw_client import RawClient, fingerprint, plain
from waybill import Waybill, has_loopback6

HOSTS = ["127.0.0.1"] + (["::1"] if has_loopback6() else [])
ALLOWED = {"EHLO client.example.test": "250", "HELO client.example.test":
           "250", "NOOP": "250", "NOOP ignored": "250", "HELP": "214",
           "HELP MAIL": "214"}
REFUSED = ["AUTH PLAIN " + plain("alice", "alice's secret"), "AUTH PLAIN",
           "MAIL FROM:<alice@example.test>", "RCPT TO:<bob@example.test>",
           "DATA", "RSET", "VRFY bob", "EXPN list", "XMTRK LIST", "BDAT 4",
           "ETRN x", "GET / HTTP/1.1", ""]


@pytest.fixture(scope="module", name="waybill")
def fixture_waybill(module_space):
    """One Waybill without an MSA for the tests that end no process."""
    authority = Authority(module_space / "ca")
    waybill = Waybill(module_space / "wb", authority=authority)
    with waybill:
        yield waybill


def starttls(waybill, context=None, host="127.0.0.1", **more):
    client = RawClient(waybill.ports["submission"], host, **more)
    return client.starttls(context or waybill.context())


def limited(waybill, version):
    """A client's context for one version, however old."""
    context = waybill.context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    return context


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("implicit", [False, True])
def test_both_ports_take_logins_on_both_families(waybill, host, implicit):
    if implicit:
        client = RawClient(waybill.ports["submissions"], host,
                           context=waybill.context())
    else:
        client = starttls(waybill, host=host)
    with client:
        assert "AUTH" in client.hello()
        assert client.say("AUTH PLAIN " + plain(
            "alice", "alice's secret")).startswith("235 2.7.0")
        assert client.say("QUIT").startswith("221 2.0.0")
        assert client.ended()
    assert waybill.wait_line(event="login", client=host)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2,
                                     ssl.TLSVersion.TLSv1_3])
def test_modern_tls_is_let_in(waybill, version):
    with starttls(waybill, limited(waybill, version)) as client:
        assert client.sock.version() == version.name.replace("_", ".")
        client.hello()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1,
                                     ssl.TLSVersion.TLSv1_1])
def test_old_tls_is_refused_in_its_own_words(waybill, version, implicit):
    context = limited(waybill, version)
    # The alert shows that it was the server who refused.
    with pytest.raises(ssl.SSLError, match="(?i)alert protocol version"):
        if implicit:
            RawClient(waybill.ports["submissions"], context=context)
        else:
            starttls(waybill, context)


def test_tls_1_3_alone_if_configured(start_waybill):
    waybill = start_waybill(tls={"min_version": "1.3"})
    with pytest.raises(ssl.SSLError):
        starttls(waybill, limited(waybill, ssl.TLSVersion.TLSv1_2))
    with starttls(waybill) as client:
        assert client.sock.version() == "TLSv1.3"


def test_ciphers_of_1_2_as_configured(start_waybill):
    name = "ECDHE-ECDSA-CHACHA20-POLY1305"
    waybill = start_waybill(tls={"ciphers": name})
    context = limited(waybill, ssl.TLSVersion.TLSv1_2)
    with starttls(waybill, context) as client:
        assert client.sock.cipher()[0] == name


@pytest.mark.parametrize("command", REFUSED)
def test_nothing_of_use_before_tls(waybill, command):
    with RawClient(waybill.ports["submission"]) as client:
        assert "AUTH" not in client.hello()
        assert client.say(command).startswith("530 5.7.0"), command
        assert client.say("NOOP").startswith("250")


@pytest.mark.parametrize("command", ALLOWED)
def test_what_is_allowed_before_tls(waybill, command):
    with RawClient(waybill.ports["submission"]) as client:
        assert client.say(command).startswith(ALLOWED[command])
        assert client.say("QUIT").startswith("221")
        assert client.ended()


def test_starttls_does_not_want_ehlo_or_take_arguments(waybill):
    with RawClient(waybill.ports["submission"]) as client:
        assert client.say("STARTTLS now").startswith("501 5.5.4")
        assert client.say("starttls").startswith("220")
        client.secure(waybill.context())
        assert "STARTTLS" not in client.hello()


def test_second_starttls_is_refused(waybill):
    with starttls(waybill) as client:
        assert client.say("STARTTLS").startswith("503")
        client.hello()
        assert client.say("STARTTLS").startswith("503")
        assert client.say("AUTH PLAIN " + plain(
            "alice", "alice's secret")).startswith("235")
        assert client.say("STARTTLS").startswith("503")
    with RawClient(waybill.ports["submissions"],
                   context=waybill.context()) as client:
        assert client.say("STARTTLS").startswith("503")


@pytest.mark.parametrize("behind", ["NOOP\r\n", "EHLO evil\r\n", "Q",
                                    "\r\n", "\0", "\x16\x03\x01"])
def test_octets_behind_starttls_end_the_session(waybill, behind):
    count = len(waybill.lines(event="injection"))
    with RawClient(waybill.ports["submission"]) as client:
        client.hello()
        client.send("STARTTLS\r\n" + behind)
        reply = client.line()
        assert not reply.startswith("220"), reply
        assert reply == "" or reply[0] in "45"
        assert client.ended()
    assert waybill.wait_line(event="injection", count=count + 1,
                             client="127.0.0.1")


def test_clear_text_after_220_never_counts(waybill):
    """Octets that come between the 220 and the handshake."""
    with RawClient(waybill.ports["submission"]) as client:
        client.hello()
        assert client.say("STARTTLS").startswith("220")
        client.send("EHLO evil\r\nNOOP\r\n")
        text = client.receive()
        assert b"250" not in text
        assert client.receive() == b""


def test_clear_text_on_the_tls_port_ends_it(waybill):
    with RawClient(waybill.ports["submissions"], greet=False) as client:
        client.send("EHLO client.example.test\r\n")
        assert b"220" not in client.receive()
        assert client.receive() == b""


def test_everything_is_forgotten_with_tls(waybill):
    """RFC 3207 4.2: EHLO again, and its answer is another."""
    with RawClient(waybill.ports["submission"]) as client:
        clear = client.hello()
        assert "STARTTLS" in clear and "AUTH" not in clear
        client.say("STARTTLS")
        client.secure(waybill.context())
        assert client.say("AUTH PLAIN " + plain(
            "alice", "alice's secret")).startswith("503 5.5.1")
        secure = client.hello()
        assert "STARTTLS" not in secure and "AUTH" in secure
        assert client.say("AUTH PLAIN " + plain(
            "alice", "alice's secret")).startswith("235")
        assert "AUTH" not in client.hello()


def test_goodbye_is_said_in_tls(waybill):
    """close_notify before the end (RFC 8314 3.4): without it the ssl
    module raises."""
    context = waybill.context()
    with RawClient(waybill.ports["submissions"], context=context) as client:
        client.send("QUIT\r\n")
        assert client.sock.recv(1000).startswith(b"221")
        client.sock.suppress_ragged_eofs = False
        assert client.sock.recv(1000) == b""


def test_half_a_record_costs_nothing(waybill):
    """A record that stays unfinished must not keep a worker busy."""
    worker = waybill.children("proxy")[0]
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = waybill.context().wrap_bio(incoming, outgoing,
                                     server_hostname="localhost")
    with socket.create_connection(
            ("127.0.0.1", waybill.ports["submissions"]), 30) as sock:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                sock.sendall(outgoing.read())
                incoming.write(sock.recv(65536))
        sock.sendall(outgoing.read())
        tls.write(b"NOOP " + b"x" * 2000 + b"\r\n")
        record = outgoing.read()
        sock.sendall(record[:1000])
        time.sleep(0.3)
        before = cpu_seconds(worker)
        time.sleep(1.0)
        assert cpu_seconds(worker) - before < 0.5
        sock.sendall(record[1000:])
        assert "250" in read_text(tls, incoming, sock, "250")


def read_text(tls, incoming, sock, wanted):
    text = ""
    while wanted not in text:
        try:
            text += tls.read(65536).decode()
        except ssl.SSLWantReadError:
            got = sock.recv(65536)
            if not got:
                break
            incoming.write(got)
    return text


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


# Tickets

def session_of(client):
    """The session that a later connection may resume; in TLS 1.3 the
    ticket comes with the first octets."""
    client.say("NOOP")
    return client.sock.session


def who_served(waybill, client):
    """The pid of the worker that has this connection."""
    client.say("NOOP")
    inode = socket_inode(client.sock.getpeername()[1],
                         client.sock.getsockname()[1])
    for pid in waybill.children("proxy"):
        if inode in open_sockets(pid):
            return pid
    raise AssertionError("no worker has it")


def socket_inode(*ports):
    """The inode of the end of a connection that has these ports."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        for line in list(table)[1:]:
            fields = line.split()
            found = [int(one.split(":")[1], 16) for one in fields[1:3]]
            if found == list(ports) and fields[3] == "01":
                return fields[9]
    return None


def open_sockets(pid):
    found = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            link = os.readlink(f"/proc/{pid}/fd/{fd}")
        except OSError:
            continue
        if link.startswith("socket:["):
            found.add(link[8:-1])
    return found


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2,
                                     ssl.TLSVersion.TLSv1_3])
def test_tickets_are_good_at_every_worker(start_waybill, version):
    waybill = start_waybill(top={"workers": 4})
    context = limited(waybill, version)
    port = waybill.ports["submissions"]
    served = set()
    with RawClient(port, context=context) as client:
        session = session_of(client)
        assert not client.sock.session_reused
    # Held open, so that the workers take turns.
    held = []
    for _ in range(40):
        client = RawClient(port, context=context, session=session)
        held.append(client)
        assert client.sock.session_reused
        session = session_of(client)
        served.add(who_served(waybill, client))
    for client in held:
        client.close()
    assert len(served) > 1, "all went to one worker: the test shows nothing"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2,
                                     ssl.TLSVersion.TLSv1_3])
def test_a_new_certificate_ends_old_tickets(start_waybill, version):
    waybill = start_waybill(top={"workers": 2})
    context = limited(waybill, version)
    port = waybill.ports["submissions"]
    old = RawClient(port, context=context)
    session = session_of(old)
    first = fingerprint(old.sock)
    waybill.certificate(["submit.example.test", "localhost"])
    waybill.reload()
    waybill.wait_line(event="reloaded")
    # The session that was there goes on; new ones see the new certificate.
    with RawClient(port, context=context, session=session) as client:
        assert not client.sock.session_reused
        assert fingerprint(client.sock) != first
        session = session_of(client)
        client.hello()
    with RawClient(port, context=context, session=session) as client:
        assert client.sock.session_reused
        client.hello()
    assert old.say("NOOP").startswith("250")
    old.close()


# Sockets

def steal_socket(pid, fd):
    """A copy of another process's socket (pidfd_getfd)."""
    pidfd = os.pidfd_open(pid)
    try:
        copy = ctypes.CDLL(None, use_errno=True).syscall(438, pidfd, fd, 0)
        if copy == -1:
            raise OSError(ctypes.get_errno(), "pidfd_getfd")
        return socket.socket(fileno=copy)
    finally:
        os.close(pidfd)


def tcp_sockets(pid):
    """Connected ones."""
    for entry in os.listdir(f"/proc/{pid}/fd"):
        try:
            if not os.readlink(f"/proc/{pid}/fd/{entry}").startswith(
                    "socket:"):
                continue
            sock = steal_socket(pid, int(entry))
        except PermissionError:
            pytest.skip("other processes' sockets cannot be looked at")
        except OSError:
            continue
        with sock:
            if sock.family != socket.AF_UNIX and not sock.getsockopt(
                    socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                yield sock


def test_no_socket_waits_for_acknowledgements(start_waybill, strict_hop):
    """TCP_NODELAY towards clients and towards the MSA."""
    waybill = start_waybill(strict_hop)
    worker, = waybill.children("proxy")
    with starttls(waybill) as client, RawClient(
            waybill.ports["submissions"], context=waybill.context()):
        client.hello()
        client.say("AUTH PLAIN " + plain("alice", "alice's secret"))
        assert client.say("MAIL FROM:<a@example.test>").startswith("250")
        found = {sock.getpeername()[1] == strict_hop.port:
                 sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                 for sock in tcp_sockets(worker)}
    assert set(found) == {True, False} and all(found.values())


# Certificates that are wrong

def check_conf(waybill, *more, before=()):
    """waybilld -t: status and what it says."""
    waybill.write_conf()
    done = subprocess.run([*before, *map(str, waybill.command()), *more],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, text=True, timeout=30,
                          check=False)
    return done.returncode, done.stdout


def break_missing(waybill):
    waybill.tls["certificate"] = waybill.dir / "nowhere.pem"
    return ["nowhere.pem", "No such file", "certificate"]


def break_key_missing(waybill):
    waybill.tls["key"] = waybill.dir / "nowhere.key"
    return ["nowhere.key", "No such file", "key"]


def break_swapped(waybill):
    waybill.tls["certificate"], waybill.tls["key"] = \
        waybill.tls["key"], waybill.tls["certificate"]
    return ["server.key", "BEGIN CERTIFICATE", "BEGIN PRIVATE KEY"]


def break_mismatch(waybill):
    _, key = waybill.authority.issue("other")
    waybill.tls["key"] = key
    return ["no pair"]


def break_directory(waybill):
    waybill.tls["key"] = waybill.dir
    return [str(waybill.dir), "key"]


def break_empty(waybill):
    path = waybill.dir / "empty.pem"
    path.write_text("")
    waybill.tls["certificate"] = path
    return ["empty.pem", "BEGIN CERTIFICATE"]


def break_locked(waybill):
    path = waybill.dir / "locked.key"
    subprocess.run(["openssl", "ec", "-aes128", "-passout", "pass:x", "-in",
                    waybill.tls["key"], "-out", path], check=True,
                   stderr=subprocess.DEVNULL)
    waybill.tls["key"] = path
    return ["locked.key", "pass phrase"]


@pytest.mark.parametrize("breaks", [
    break_missing, break_key_missing, break_swapped, break_mismatch,
    break_directory, break_empty, break_locked])
def test_wrong_files_are_named_with_a_cure(space, authority, breaks):
    waybill = Waybill(space / "wb", authority=authority)
    waybill.dir.mkdir()
    waybill.prepare()
    status, said = check_conf(waybill, "-t")
    assert status == 0, said
    words = breaks(waybill)
    # It does not start with it, either, and says the same.
    for more in (["-t"], []):
        status, said = check_conf(waybill, *more)
        assert status == 2, said
        assert f"{waybill.conf}:" in said
        for word in words:
            assert word in said, (word, said)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another")
@pytest.mark.parametrize("option", ["certificate", "key"])
def test_a_file_that_may_not_be_read_is_named(space, authority, option):
    waybill = Waybill(space / "wb", authority=authority)
    waybill.dir.mkdir()
    waybill.prepare()
    for path in waybill.dir.iterdir():
        path.chmod(0o755 if path.is_dir() else 0o644)
    waybill.tls[option].chmod(0o600)
    status, said = check_conf(waybill, "-t", before=[
        "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"])
    assert status == 2, said
    assert str(waybill.tls[option]) in said
    assert "Permission denied" in said and "mode" in said


def test_a_wrong_certificate_at_start_and_at_reload(start_waybill):
    """At reload the old one goes on, and the log says what is wrong."""
    waybill = start_waybill()
    good = (waybill.dir / "server.pem").read_text()
    (waybill.dir / "server.pem").write_text("nothing of use\n")
    waybill.reload()
    line = waybill.wait_line(event="configuration", msg=re.compile("server.pem"))
    assert line
    waybill.wait_line(event="reload-refused")
    with starttls(waybill) as client:
        client.hello()
    (waybill.dir / "server.pem").write_text(good)
    waybill.reload()
    waybill.wait_line(event="reloaded")
    with starttls(waybill) as client:
        client.hello()


def test_a_chain_is_sent_whole(waybill):
    """Verified against the root alone, as smtplib does."""
    with smtplib.SMTP_SSL("localhost", waybill.ports["submissions"],
                          context=waybill.context(), timeout=30) as client:
        assert client.noop()[0] == 250


def test_a_handshake_that_hangs_is_ended(start_waybill):
    waybill = start_waybill(limits={"handshake_timeout": "500 ms"})
    start = time.monotonic()
    with RawClient(waybill.ports["submissions"], greet=False) as client:
        assert client.receive() == b""
    with RawClient(waybill.ports["submission"]) as client:
        assert client.say("STARTTLS").startswith("220")
        assert client.receive() == b""
    assert time.monotonic() - start < 20
    assert wait_until(lambda: waybill.children("proxy"))

"""The keeper alone, asked at its proxy's door: what it must refuse, what a
crash must not lose, and what is durable before what is said."""

import base64
import hashlib
import os
import re
import shutil
import struct
import subprocess
import threading

import pytest

from keeper_client import (ACCEPTED, LIMITED, MESSAGES, NOT_FOUND, OK, PROXY,
                           REFUSED, UNKNOWN, Ended, FEED, TRACKER, Keeper,
                           Reader, frame, mint_body, read_minted, record_body)
from peers import room, wait_until


@pytest.fixture(name="start_keeper")
def fixture_start_keeper():
    path = room("keeper")
    keepers = []

    def start(name="one", **options):
        (path / name).mkdir(exist_ok=True)
        keepers.append(Keeper(path / name, **options))
        return keepers[-1].start()

    yield start
    for keeper in keepers:
        keeper.kill()
    shutil.rmtree(path)


def proves(asker, keeper, account, name, certifier):
    token = asker.token(keeper.ticket(account), name)
    hashed = base64.b64encode(hashlib.sha1(token.secret).digest())
    return (token.status == OK and token.certifier == certifier
            and hashed.decode().rstrip("=") == certifier)


def test_one_message_from_mint_to_token(start_keeper):
    keeper = start_keeper()
    asker = keeper.connect()
    minted = asker.mint(keeper.ticket("alice"))
    assert minted.status == OK and minted.timeout == 864000
    assert re.fullmatch(r"[\w][\w-]{21}@mail\.example\.com", minted.envid)
    assert re.fullmatch(r"[A-Za-z0-9/]{27}", minted.certifier)
    asker.describe(keeper.record("alice", minted, outcome=UNKNOWN))
    assert asker.settle(keeper.record("alice", minted)) == OK
    status, rows = asker.list(keeper.ticket("alice"))
    assert status == OK and [row.envid for row in rows] == [minted.envid]
    assert rows[0].recipients == 2 and rows[0].outcome == ACCEPTED
    assert asker.show(keeper.ticket("alice"), "<1@x>") == OK
    assert asker.show(keeper.ticket("bob"), "<1@x>") == NOT_FOUND
    assert proves(asker, keeper, "alice", "<1@x>", minted.certifier)
    log = keeper.log.read_text()
    assert "event=token" in log and minted.envid in log
    secret = asker.token(keeper.ticket("alice"), minted.envid).secret
    for form in (secret.hex(), base64.b64encode(secret).decode()[:40]):
        assert form not in log


@pytest.mark.parametrize("what", ["forged", "foreign", "expired", "renamed"])
def test_a_bad_ticket_gets_nothing(start_keeper, what):
    keeper = start_keeper()
    asker = keeper.connect()
    minted = asker.mint(keeper.ticket("alice"))
    good = keeper.ticket("alice")
    bad = {"forged": good[:-1] + bytes([good[-1] ^ 1]),
           "foreign": keeper.ticket("alice", key=os.urandom(32)),
           "expired": keeper.ticket("alice", life=-1),
           "renamed": good.replace(b"alice", b"alicf")}[what]
    refused = asker.mint(bad)
    assert refused == (REFUSED, bytes(16), "", "", 0)
    assert asker.settle(record_body(bad, minted)) == REFUSED
    assert asker.list(bad) == (REFUSED, [])
    assert asker.show(bad, minted.envid) == REFUSED
    token = asker.token(bad, minted.envid)
    assert token.status == REFUSED and token.secret == b""
    asker.describe(record_body(bad, minted, outcome=UNKNOWN))
    asker.forget(bad, minted)
    asker.close()
    other = keeper.connect()
    assert other.list(keeper.ticket("alice")) == (OK, [])


ALLOWED = {PROXY: {60, 62, 63, 65, 66, 68, 70, 72}, FEED: {80},
           TRACKER: {82}}
ASKED = set(MESSAGES.values()) | {0, 20, 21, 22, 23, 24, 40, 42, 43, 45, 99,
                                  65535}


@pytest.mark.parametrize("door", ALLOWED)
def test_what_is_not_in_a_doors_table_ends_the_channel(start_keeper, door):
    keeper = start_keeper()
    for kind in sorted(ASKED - ALLOWED[door]):
        asker = keeper.connect(door)
        asker.socket.sendall(frame(kind, 1))
        assert asker.is_ended(), kind
    assert keeper.connect().mint(keeper.ticket("alice")).status == OK
    assert keeper.process.poll() is None


def test_a_wrong_body_ends_the_channel(start_keeper):
    keeper = start_keeper()
    good = mint_body(keeper.ticket("alice"))
    minted = keeper.connect().mint(keeper.ticket("alice"))
    record = keeper.record("alice", minted)
    bad = [("MINT", good[:-1]), ("MINT", good + b"x"), ("MINT", b""),
           ("SETTLE", record[:-1]), ("SETTLE", record + b"x"),
           ("DESCRIBE", record[:40]), ("FORGET", record[:50]),
           ("LIST", good), ("SHOW", good), ("TOKEN", good),
           ("SETTLE", record[:-40] + b"\xff" * 40)]
    for kind, body in bad:
        asker = keeper.connect()
        asker.socket.sendall(frame(kind, 1, body))
        assert asker.is_ended(), (kind, body)
    for head in (struct.pack(">IHHQ", 1025, 60, 0, 1),
                 struct.pack(">IHHQ", 1 << 31, 63, 0, 1),
                 struct.pack(">IHHQ", 0, 60, 1, 1)):
        asker = keeper.connect()
        asker.socket.sendall(head)
        assert asker.is_ended(), head
    assert keeper.connect().mint(keeper.ticket("alice")).status == OK
    assert keeper.process.poll() is None


@pytest.mark.parametrize("door", ALLOWED)
def test_only_a_doors_own_user_is_let_in(start_keeper, door):
    if os.geteuid() != 0:
        pytest.skip("needs root to be somebody else")
    keeper = start_keeper()
    keeper.directory.chmod(0o755)
    code = ("import os,socket,sys\nos.setgid(65534);os.setuid(65534)\n"
            "s=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
            "s.settimeout(10)\nsys.exit(0 if s.recv(1)==b'' else 1)")
    path = keeper.path.with_name(keeper.path.name + door)
    path.chmod(0o777)
    done = subprocess.run(["/usr/bin/python3", "-c", code, path],
                          check=False)
    assert done.returncode == 0
    assert "door-refused" in keeper.log.read_text()


@pytest.mark.parametrize("random", [0, 1])
def test_killed_between_mint_and_settle(start_keeper, random):
    keeper = start_keeper(random=random)
    asker = keeper.connect()
    minted = [asker.mint(keeper.ticket("alice")) for _ in range(20)]
    for one in minted[:5]:
        asker.describe(keeper.record("alice", one, outcome=UNKNOWN))
    keeper.kill()
    keeper.start()
    asker = keeper.connect()
    for i, one in enumerate(minted):
        assert proves(asker, keeper, "alice", one.envid, one.certifier)
        record = keeper.record("alice", one, message_id=f"<{i}@x>")
        assert asker.settle(record) == OK
        assert asker.settle(record) == OK
        assert proves(asker, keeper, "alice", f"<{i}@x>", one.certifier)
    assert len(asker.list(keeper.ticket("alice"))[1]) == len(minted)


def load(keeper, seen, number):
    """Mint and settle until the keeper is gone; note every B that came."""
    account = f"user{number % 3}"
    try:
        asker = keeper.connect()
        while True:
            minted = asker.mint(keeper.ticket(account))
            seen.append([account, minted, False])
            if asker.settle(keeper.record(
                    account, minted,
                    message_id=f"<{minted.envid}>")) == OK:
                seen[-1][2] = True
    except (Ended, OSError):
        pass


@pytest.mark.parametrize("random", [0, 1])
def test_killed_under_load_every_certifier_is_proved(start_keeper, random):
    keeper = start_keeper(random=random)
    seen = [[] for _ in range(6)]
    for _ in range(3):
        before = sum(map(len, seen))
        threads = [threading.Thread(target=load, args=(keeper, mine, i))
                   for i, mine in enumerate(seen)]
        for thread in threads:
            thread.start()
        wait_until(lambda: sum(map(len, seen)) >= before + 150, 30)
        keeper.kill()
        for thread in threads:
            thread.join()
        keeper.start()
    asker = keeper.connect()
    assert len({one.envid for mine in seen for _, one, _ in mine}) == sum(
        map(len, seen))
    for account, one, settled in (entry for mine in seen for entry in mine):
        assert proves(asker, keeper, account, one.envid, one.certifier)
        if settled:
            assert asker.show(keeper.ticket(account),
                              f"<{one.envid}>") == OK


def test_a_lost_proxy_leaves_outcome_unknown(start_keeper):
    keeper = start_keeper()
    asker = keeper.connect()
    minted = asker.mint(keeper.ticket("alice"))
    asker.describe(keeper.record("alice", minted, outcome=UNKNOWN))
    asker.close()
    other = keeper.connect()
    ticket = keeper.ticket("alice")
    wait_until(lambda: other.list(ticket)[1])
    assert other.list(ticket)[1][0].outcome == UNKNOWN
    assert other.settle(keeper.record("alice", minted)) == OK
    assert [row.outcome for row in other.list(ticket)[1]] == [ACCEPTED]


def test_mints_without_messages_are_capped(start_keeper):
    keeper = start_keeper(mints_unfinished=10)
    asker = keeper.connect()
    got = [asker.mint(keeper.ticket("alice")).status for _ in range(15)]
    assert got == [OK] * 10 + [LIMITED] * 5
    assert asker.mint(keeper.ticket("bob")).status == OK


def test_listings_do_not_hold_mints_up(start_keeper):
    keeper = start_keeper()
    asker, lister = keeper.connect(), keeper.connect()
    for i in range(1200):
        minted = asker.mint(keeper.ticket("alice"))
        asker.send("SETTLE", keeper.record("alice", minted,
                                           message_id=f"<{i}@x>"))
        asker.read()
    body = keeper.ticket("alice") + struct.pack(">QH", 0, 1000) + bytes(4)
    for _ in range(8):
        lister.send("LIST", body)
    answered = []

    def read_lists():
        for _ in range(8):
            answered.append(lister.read()[0])

    thread = threading.Thread(target=read_lists)
    thread.start()
    mints = 0
    while len(answered) < 8:
        assert asker.mint(keeper.ticket("bob")).status == OK
        mints += 1
    thread.join()
    assert mints > 8


def test_orders_of_waybilld(start_keeper):
    keeper = start_keeper()
    asker = keeper.connect()
    minted = asker.mint(keeper.ticket("alice"))
    asker.settle(keeper.record("alice", minted))
    status = keeper.status()
    assert (status["mints"], status["settles"]) == ("1", "1")
    assert (status["accounts"], status["askers"]) == ("1", "1")
    keeper.options["hostname"] = "other.example.com"
    keeper.options["retention"] = 2 * 86400000
    fd = keeper.memfd(keeper.snapshot())
    name = struct.pack(">H", 1) + struct.pack(">I", 8) + b"snapshot"
    taken = keeper.order("CHILD_SNAPSHOT", "CHILD_SNAPSHOT_IS", name, [fd])
    os.close(fd)
    assert taken[0] == 1
    other = asker.mint(keeper.ticket("alice"))
    assert other.envid.endswith("@other.example.com")
    assert other.timeout == 2 * 86400
    assert proves(asker, keeper, "alice", minted.envid, minted.certifier)
    keeper.options["path"] = keeper.directory / "elsewhere"
    fd = keeper.memfd(keeper.snapshot())
    taken = keeper.order("CHILD_SNAPSHOT", "CHILD_SNAPSHOT_IS", name, [fd])
    os.close(fd)
    assert taken[0] == 0 and b"path" in taken
    keeper.options["path"] = keeper.directory / "vault"
    reader = Reader(keeper.order("CHILD_ACCEPT_CLOCK",
                                 "CHILD_ACCEPT_CLOCK_IS"))
    assert reader.number(1) == 1 and "not in doubt" in reader.text()
    asker.describe(keeper.record("alice", other, outcome=UNKNOWN,
                                 message_id="<2@x>"))
    asker.mint(keeper.ticket("alice"))
    assert keeper.drain(2000) == 0
    keeper.start()
    asker = keeper.connect()
    assert len(asker.list(keeper.ticket("alice"))[1]) == 2


def test_waybilld_gone_lets_the_last_proxy_finish(start_keeper):
    keeper = start_keeper()
    asker = keeper.connect()
    keeper.control.close()
    keeper.control = None
    minted = asker.mint(keeper.ticket("alice"))
    assert asker.settle(keeper.record("alice", minted)) == OK
    asker.close()
    assert keeper.process.wait(20) == 0


def test_a_refused_vault_is_named_in_one_line(start_keeper):
    keeper = start_keeper()
    keeper.drain()
    shutil.move(keeper.directory / "keys", keeper.directory / "moved")
    with pytest.raises(Ended) as refused:
        keeper.start()
    assert "event=vault-refused" in str(refused.value)
    assert "is missing" in str(refused.value)
    assert keeper.process.returncode == 1


@pytest.mark.parametrize("random", [0, 1])
def test_nothing_personal_is_readable_in_the_vault(start_keeper, random):
    keeper = start_keeper(random=random)
    asker = keeper.connect()
    minted = asker.mint(keeper.ticket("alice"))
    asker.settle(keeper.record("alice", minted, message_id="<secret.id@x>"))
    secret = asker.token(keeper.ticket("alice"), minted.envid).secret
    keeper.drain()
    files = [path.read_bytes() for path in
             (keeper.directory / "vault").iterdir()]
    held = b"".join(files)
    assert b"alice" in held
    for private in (b"secret.id@x", b"example.org", b"a subject", b"4XyZ",
                    secret, minted.handle, minted.envid[:22].encode()):
        assert private not in held
    keys = list((keeper.directory / "keys").glob("*.key"))
    assert len(keys) == 1
    for key in keys:
        assert key.read_bytes() not in held
        assert key.stat().st_mode & 0o777 == 0o600
    for path in (keeper.directory / "vault").iterdir():
        assert path.stat().st_mode & 0o077 == 0


def test_no_secret_can_be_dumped(start_keeper):
    keeper = start_keeper()
    limits = open(f"/proc/{keeper.process.pid}/limits").read()
    assert re.search(r"Max core file size\s+0\s+0", limits)


# What strace saw: ("sync", path), ("log",), ("say", types of the frames).
CALL = re.compile(r"^\d+ +(\w+)\((\d+)<(.*?)>(?:, (.*))?", re.S)


def unhex(text):
    return bytes.fromhex(text.replace("\\x", ""))


def frames_said(text):
    data = unhex("".join(re.findall(r'"((?:\\x[0-9a-f]{2})+)"', text)))
    kinds = []
    while len(data) >= 16:
        length, kind = struct.unpack_from(">IH", data)
        kinds.append(kind)
        data = data[16 + length:]
    return kinds


def events(trace):
    found = []
    for line in trace.read_text().splitlines():
        match = CALL.match(line)
        if not match:
            continue
        call, _, path, rest = match.groups()
        path = unhex(path).decode()
        if call in ("fdatasync", "fsync"):
            found.append(("sync", path))
        elif path.endswith(".log"):
            found.append(("log",))
        elif "socket" in path or "UNIX" in path:
            kinds = frames_said(rest or "")
            if kinds and kinds[0] >= 60:
                found.append(("say", kinds))
    return found


def synced_before(found, place):
    """Between the answer before and this one: log written, then synced."""
    start = max((i for i in range(place) if found[i][0] == "say"), default=0)
    part = found[start:place]
    logs = [i for i, event in enumerate(part) if event[0] == "log"]
    syncs = [i for i, event in enumerate(part)
             if event[0] == "sync" and event[1].endswith(".log")]
    assert start == 0 or len(syncs) <= 1, "one sync is enough"
    return bool(logs and syncs and syncs[-1] > logs[-1])


def traced(start_keeper, random):
    if shutil.which("strace") is None:
        pytest.skip("strace is missing")
    return start_keeper(strace=True, random=random)


@pytest.mark.parametrize("random", [0, 1])
def test_order_of_events(start_keeper, random):
    keeper = traced(start_keeper, random)
    asker = keeper.connect()
    for account in ("alice", "bob"):
        for _ in range(3):
            minted = asker.mint(keeper.ticket(account))
            assert asker.settle(keeper.record(account, minted)) == OK
    asker.close()
    keeper.drain()
    found = events(keeper.directory / "trace")
    said = [i for i, event in enumerate(found) if event[0] == "say"]
    kinds = [found[i][1] for i in said]
    assert kinds == [[61], [64]] * 6
    for number, place in enumerate(said):
        first = number in (0, 6)
        durable = synced_before(found, place)
        if number % 2 == 1:
            assert durable, "SETTLED left before its record was synced"
        elif first:
            assert durable, "MINTED left before the account's secret"
        elif random:
            assert durable, "MINTED left before its A"
        else:
            assert not durable, "a derived mint needs no sync"


@pytest.mark.parametrize("random", [0, 1])
def test_a_next_mint_leaves_behind_its_sync(start_keeper, random):
    keeper = traced(start_keeper, random)
    asker = keeper.connect()
    seen = [asker.mint(keeper.ticket("alice"))]
    for _ in range(5):
        seen.append(asker.settle_next(keeper.record("alice", seen[-1])))
    assert len({minted.envid for minted in seen}) == 6
    asker.close()
    keeper.drain()
    found = events(keeper.directory / "trace")
    said = [i for i, event in enumerate(found) if event[0] == "say"]
    assert [found[i][1] for i in said] == [[61]] + [[64]] * 5
    assert all(synced_before(found, place) for place in said)


def test_a_message_costs_one_sync_shared_by_all_that_wait(start_keeper):
    keeper = traced(start_keeper, 0)
    asker = keeper.connect()
    for i in range(4):
        asker.mint(keeper.ticket(f"user{i}"))
    minted = [asker.mint(keeper.ticket(f"user{i % 4}")) for i in range(40)]
    records = b"".join(
        frame("SETTLE", 100 + i, keeper.record(f"user{i % 4}", one,
                                               message_id=f"<{i}@x>"))
        for i, one in enumerate(minted))
    asker.socket.sendall(records)
    for _ in minted:
        assert asker.read()[0] == MESSAGES["SETTLED"]
    asker.close()
    keeper.drain()
    found = events(keeper.directory / "trace")
    settled = [i for i, event in enumerate(found)
               if event[0] == "say" and MESSAGES["SETTLED"] in event[1]]
    before = max(i for i in range(settled[0]) if found[i][0] == "say")
    part = found[before:settled[-1]]
    syncs = [event for event in part if event[0] == "sync"]
    assert 1 <= len(syncs) <= 4, part


@pytest.mark.parametrize("others", [0, 1])
def test_a_commit_of_many_is_put_off_while_others_are_sent(start_keeper,
                                                           others):
    """By a pause; another follows only where one has brought something."""
    keeper = traced(start_keeper, 0)
    asker = keeper.connect()
    minted = [asker.mint(keeper.ticket("alice")) for _ in range(8 + others)]
    for one in minted:
        asker.describe(keeper.record("alice", one, outcome=UNKNOWN))
    asker.socket.sendall(b"".join(
        frame("SETTLE", 100 + i, keeper.record("alice", one))
        for i, one in enumerate(minted[:8])))
    for _ in minted[:8]:
        assert asker.read()[0] == MESSAGES["SETTLED"]
    asker.close()
    keeper.drain()
    trace = (keeper.directory / "trace").read_text()
    assert len(re.findall(r"nanosleep\(.*tv_nsec=50000\}", trace)) == others

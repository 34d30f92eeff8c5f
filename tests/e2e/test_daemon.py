"""waybilld and waybillctl: start, restart, reload, stop, and bad input."""

import grp
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from peers import (ImapBackend, Postfix, Saslauthd, free_port,
                   wait_until)
from peers.base import ROOT
from waybill import USERS, Waybill

MESSAGE = "Subject: daemon\r\n\r\nhello\r\n"


def status(waybill):
    done = waybill.ctl("--json", "status")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def processes(waybill, role):
    return [one for one in status(waybill)["processes"]
            if one["role"] == role]


def wait_ready(waybill, role, count):
    return wait_until(
        lambda: (found := processes(waybill, role)) and
        len(found) == count and
        all(one["state"] == "ready" for one in found) and found,
        20, f"{count} x {role}")


def run_daemon(waybill, *words, user=None):
    """waybilld on its own, until it ends."""
    return subprocess.run(
        [waybill.program("sbin/waybilld"), "-c", waybill.conf, *words],
        stdin=subprocess.DEVNULL, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, timeout=60, check=False, user=user,
        env=waybill.environment())


def test_status_tells_every_process(start_waybill, strict_hop):
    waybill = start_waybill(strict_hop)
    found = status(waybill)
    assert found["waybilld"]["pid"] == waybill.pid
    assert found["waybilld"]["state"] == "running"
    assert sorted(one["role"] for one in found["processes"]) == [
        "auth", "auth", "keeper", "proxy"]
    for one in found["processes"]:
        assert one["state"] == "ready" and one["restarts"] == 0
        assert os.path.exists(f"/proc/{one['pid']}")
    client = waybill.login("alice")
    assert processes(waybill, "proxy")[0]["sessions"] == 1
    assert status(waybill)["total"]["sessions"] == 1
    client.quit()
    table = waybill.ctl("status")
    assert table.returncode == 0
    assert "waybilld" in table.stdout and "keeper" in table.stdout
    assert table.stdout.splitlines()[-1].startswith("total ")


def test_who_is_asked_does_not_take_the_processor_from_who_asks(
        start_waybill, strict_hop):
    waybill = start_waybill(strict_hop)
    policies = {one["role"]: os.sched_getscheduler(one["pid"])
                for one in status(waybill)["processes"]}
    assert policies == {"auth": os.SCHED_BATCH, "keeper": os.SCHED_BATCH,
                        "proxy": os.SCHED_OTHER}


@pytest.mark.parametrize("role", ["keeper", "auth", "proxy"])
def test_a_killed_child_is_started_again(start_waybill, strict_hop, role):
    waybill = start_waybill(strict_hop)
    before = waybill.children(role)
    os.kill(before[0], signal.SIGKILL)
    waybill.wait_line(event="exited", role=role, child=before[0], signal=9)
    waybill.wait_line(event="restart", role=role, in_ms=100)
    found = wait_ready(waybill, role, len(before))
    assert sum(one["restarts"] for one in found) == 1
    assert before[0] not in waybill.children(role)
    waybill.submit("alice", "bob@example.test", MESSAGE)


def test_restarts_back_off(start_waybill, strict_hop):
    waybill = start_waybill(strict_hop)
    for count, pause in enumerate((100, 200, 400), 1):
        os.kill(waybill.wait_children("proxy", 1)[0], signal.SIGKILL)
        waybill.wait_line(event="restart", role="proxy", restarts=count,
                          in_ms=pause)
    wait_ready(waybill, "proxy", 1)


def test_sessions_survive_a_reload(start_waybill, strict_hop):
    waybill = start_waybill(strict_hop)
    client = waybill.login("alice")
    old = waybill.children("proxy")
    keeper = waybill.children("keeper")
    waybill.top["workers"] = 2
    waybill.write_conf()
    waybill.reload()
    waybill.wait_line(event="reloaded", generation=2)
    waybill.submit("alice", "bob@example.test", MESSAGE, client=client)
    waybill.submit("alice", "bob@example.test", MESSAGE)
    assert waybill.children("keeper") == keeper
    new = [one for one in processes(waybill, "proxy")
           if one["generation"] == 2]
    assert len(new) == 2
    client.quit()
    wait_until(lambda: not set(old) & set(waybill.children("proxy")), 15,
               "the old proxy to leave")
    assert len(strict_hop.wait_messages(2)) == 2


def test_a_renewed_certificate_is_served_after_reload(start_waybill,
                                                      strict_hop):
    waybill = start_waybill(strict_hop)

    def serial():
        client = waybill.connect(implicit=True)
        found = client.sock.getpeercert()["serialNumber"]
        client.quit()
        return found

    before = serial()
    waybill.certificate(waybill.names)
    done = waybill.ctl("reload")
    assert done.returncode == 0, done.stderr
    wait_until(lambda: serial() != before, 15, "the new certificate")


def test_ports_move_at_reload_and_sessions_stay(start_waybill, strict_hop):
    waybill = start_waybill(strict_hop)
    client = waybill.login("alice")
    old = waybill.ports["submission"]
    waybill.ports["submission"] = free_port()
    waybill.write_conf()
    assert waybill.ctl("reload").returncode == 0
    waybill.submit("alice", "bob@example.test", MESSAGE)
    waybill.submit("alice", "bob@example.test", MESSAGE, client=client)
    client.quit()

    def refused():
        try:
            smtplib.SMTP("127.0.0.1", old, timeout=5).close()
        except OSError:
            return True
        return False
    wait_until(refused, 10, "the old port to close")


def test_impatient_reloads_end_well(start_waybill, strict_hop):
    waybill = start_waybill(strict_hop)
    for _ in range(5):
        waybill.reload()
        time.sleep(0.02)
    waybill.wait_line(event="reloaded", count=2)
    last = wait_until(lambda: len(waybill.children("proxy")) == 1 and
                      status(waybill), 15, "the old proxies to leave")
    generation = last["waybilld"]["generation"]
    serving = [one["role"] for one in last["processes"]
               if one["state"] == "ready" and
               one["generation"] == generation]
    assert sorted(serving) == ["auth", "auth", "keeper", "proxy"]
    wait_until(lambda: len(waybill.children("auth")) == 2, 15,
               "the old auth workers to leave")
    waybill.submit("alice", "bob@example.test", MESSAGE)


def test_the_log_file_is_opened_again_at_reload(start_waybill, strict_hop):
    waybill = start_waybill(strict_hop)
    path = waybill.dir / "waybill.log"
    waybill.sections["log"] = {"target": "file", "file": path}
    waybill.write_conf()
    assert waybill.ctl("reload").returncode == 0
    wait_until(lambda: "event=reloaded" in path.read_text(), 10, "the log")
    path.rename(waybill.dir / "waybill.log.1")
    assert waybill.ctl("reload").returncode == 0
    waybill.submit("alice", "bob@example.test", MESSAGE)
    wait_until(lambda: "waybill-proxy[" in path.read_text(), 10, "the log")
    # The keeper, too, though it is still the same one: that, and no more.
    keeper, = processes(waybill, "keeper")
    fds = pathlib.Path(f"/proc/{keeper['pid']}/fd")
    held = [os.readlink(fd) for fd in fds.iterdir()]
    assert str(path) in held
    assert not [name for name in held
                if "waybill.log.1" in name or "waybill-conf" in name]


def test_a_bad_configuration_changes_nothing(start_waybill, strict_hop):
    waybill = start_waybill(strict_hop)
    before = waybill.children()
    good = waybill.conf.read_text()
    waybill.conf.write_text(good + "wrokers = 1\nlog2 { }\n")
    done = waybill.ctl("reload")
    assert done.returncode == 1
    assert "did you mean workers?" in done.stderr
    assert "unknown option 'log2'" in done.stderr
    waybill.reload()
    waybill.wait_line(event="reload-refused", count=2)
    assert waybill.children() == before
    waybill.submit("alice", "bob@example.test", MESSAGE)
    waybill.conf.write_text(good)
    assert waybill.ctl("reload").returncode == 0


@pytest.mark.parametrize("change", ["vault", "run_dir", "port"])
def test_what_cannot_change_is_refused(start_waybill, strict_hop, change):
    waybill = start_waybill(strict_hop)
    before = waybill.children()
    if change == "vault":
        waybill.sections["vault"] = {"keys": waybill.dir / "other"}
    elif change == "run_dir":
        run_dir = waybill.top["run_dir"]
        waybill.top["run_dir"] = waybill.dir / "elsewhere"
    else:
        waybill.ports["submission"] = strict_hop.port
        waybill.sections["msa_section"] = {"port": strict_hop.port + 1}
    waybill.write_conf()
    waybill.reload()
    line = waybill.wait_line(event="reload-refused")
    assert re.search("restart needed|in use", line["msg"])
    assert waybill.children() == before
    if change == "run_dir":
        waybill.top["run_dir"] = run_dir
        waybill.write_conf()


def test_sigterm_waits_for_sessions_then_says_421(start_waybill, strict_hop):
    waybill = start_waybill(strict_hop, top={"drain_timeout": "2 s"})
    client = waybill.login("alice")
    start = time.monotonic()
    waybill.process.send_signal(signal.SIGTERM)
    waybill.wait_line(event="stopping")
    time.sleep(0.5)
    assert client.noop()[0] == 250
    with pytest.raises(OSError):
        waybill.connect(timeout=5)
    assert client.getreply()[0] == 421
    waybill.process.wait(15)
    assert waybill.process.returncode == 0
    assert 1.5 < time.monotonic() - start < 10
    ends = [line["role"] for line in waybill.lines(event="exited")]
    assert ends == ["proxy", "auth", "auth", "keeper"]


def who(pid):
    """Uid and groups of a process."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    found = dict(line.split(":", 1) for line in text.splitlines())
    return (int(found["Uid"].split()[0]),
            {int(gid) for gid in found["Groups"].split()})


@pytest.fixture(name="followed")
def fixture_followed(start_waybill, strict_hop):
    """With a tracker, and a feed that reads a log that says nothing."""
    return start_waybill(strict_hop, track={}, feed="postfix")


@pytest.mark.parametrize("role", ["track", "feed"])
def test_tracker_and_feed_are_started_again(followed, role):
    pid, = followed.wait_children(role, 1)
    wait_ready(followed, role, 1)
    os.kill(pid, signal.SIGKILL)
    followed.wait_line(event="exited", role=role, child=pid, signal=9)
    one, = wait_ready(followed, role, 1)
    assert one["restarts"] == 1 and one["pid"] != pid


def test_tracker_and_feed_are_users_of_their_own(followed):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    uids = {role: who(followed.wait_children(role, 1)[0])[0]
            for role in ("proxy", "keeper", "track", "feed")}
    assert uids["track"] == pwd.getpwnam(followed.top["user_track"]).pw_uid
    assert uids["feed"] == pwd.getpwnam(followed.top["user_feed"]).pw_uid
    assert len(set(uids.values())) == 4
    feed, = followed.children("feed")
    assert grp.getgrnam("adm").gr_gid in who(feed)[1]
    track, = followed.children("track")
    assert grp.getgrnam("adm").gr_gid not in who(track)[1]


def test_tracker_and_feed_follow_their_sections(start_waybill, strict_hop):
    waybill = start_waybill(strict_hop)
    assert not waybill.children("track") + waybill.children("feed")
    waybill.track_section, waybill.feed = {}, "postfix"
    waybill.ports["track"] = free_port()
    state = waybill.dir / "made" / "deep" / "main"
    waybill.sections["feed_section"] = {"state": state}
    waybill.write_conf()
    assert waybill.ctl("reload").returncode == 0
    wait_ready(waybill, "track", 1)
    wait_ready(waybill, "feed", 1)
    assert state.parent.stat().st_mode & 0o7777 == 0o700
    with socket.create_connection(
            ("127.0.0.1", waybill.ports["track"]), 5) as client:
        assert client.recv(100).startswith(b"+OK")
    before = waybill.children("track") + waybill.children("feed")
    assert waybill.ctl("reload").returncode == 0
    wait_until(lambda: len(
        now := waybill.children("track") + waybill.children("feed")) == 2 and
        not set(now) & set(before), 20, "others in their place")
    wait_ready(waybill, "feed", 1)
    waybill.track_section = waybill.feed = None
    waybill.write_conf()
    assert waybill.ctl("reload").returncode == 0
    wait_until(lambda: not waybill.children("track") +
               waybill.children("feed"), 15, "both to leave")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", waybill.ports["track"]), 5)
    waybill.submit("alice", "bob@example.test", MESSAGE)


def test_mail_goes_on_without_tracker_and_feed(start_waybill, strict_hop,
                                               space):
    """Their programs are not even there."""
    libexec = space / "libexec"
    libexec.mkdir()
    space.chmod(0o755)
    (space / "bin").mkdir()
    build = start_waybill(strict_hop).build
    for role in ("proxy", "auth", "keeper"):
        shutil.copy(build / "libexec" / f"waybill-{role}", libexec)
    (libexec / "waybill-feed").write_text("#!/bin/sh\nexit 3\n")
    (libexec / "waybill-feed").chmod(0o755)
    waybill = start_waybill(strict_hop, track={}, feed="postfix",
                            env={"WAYBILL_LIBEXEC": str(libexec)})
    waybill.wait_line(event="no-program")
    waybill.wait_line(event="exited", role="feed", status=3, count=2)
    waybill.submit("alice", "bob@example.test", MESSAGE)
    assert waybill.ctl("reload").returncode == 0
    waybill.submit("alice", "bob@example.test", MESSAGE)


def test_the_keeper_ends_after_tracker_and_feed(followed):
    wait_ready(followed, "track", 1)
    wait_ready(followed, "feed", 1)
    followed.stop()
    ends = [line["role"] for line in followed.lines(event="exited")]
    assert ends[-1] == "keeper"
    assert sorted(ends[:3]) == ["feed", "proxy", "track"]


def test_one_address_takes_the_port_from_any(start_waybill, strict_hop):
    waybill = start_waybill(strict_hop)
    narrow = waybill.addresses()
    waybill.addresses = lambda: ["*"]
    waybill.write_conf()
    assert waybill.ctl("reload").returncode == 0
    waybill.submit("alice", "bob@example.test", MESSAGE)
    waybill.addresses = lambda: narrow
    waybill.write_conf()
    done = waybill.ctl("reload")
    assert done.returncode == 0, done.stdout + done.stderr
    waybill.submit("alice", "bob@example.test", MESSAGE)


def test_a_run_dir_that_others_could_replace_is_refused(start_waybill,
                                                        strict_hop):
    waybill = start_waybill(strict_hop)
    waybill.stop()
    above = waybill.dir / "above"
    above.mkdir()
    above.chmod(0o777)
    waybill.top["run_dir"] = above / "run"
    waybill.write_conf()
    done = run_daemon(waybill)
    assert done.returncode == 1
    assert f"{above}, above run_dir," in done.stderr


def test_users_of_tracker_and_feed_must_be_there(start_waybill, strict_hop):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    waybill = start_waybill(strict_hop)
    waybill.top.update(user_feed="_nobody_of_it", user_track="_nor_of_it")
    waybill.write_conf()
    assert run_daemon(waybill, "-t").returncode == 0
    waybill.feed = "postfix"
    waybill.write_conf()
    done = run_daemon(waybill, "-t")
    assert done.returncode == 2
    assert 'no user "_nobody_of_it" for waybill-feed' in done.stderr


def test_stop_by_waybillctl(start_waybill, strict_hop):
    waybill = start_waybill(strict_hop)
    assert waybill.ctl("stop").returncode == 0
    assert waybill.process.wait(15) == 0
    done = waybill.ctl("status")
    assert done.returncode == 1
    assert "does not run" in done.stderr


def test_a_second_daemon_is_refused(start_waybill, strict_hop):
    waybill = start_waybill(strict_hop)
    done = run_daemon(waybill)
    assert done.returncode == 1
    assert "another waybilld runs" in done.stderr
    waybill.submit("alice", "bob@example.test", MESSAGE)


def test_killed_and_started_again_at_once(start_waybill, strict_hop):
    waybill = start_waybill(strict_hop)
    waybill.submit("alice", "bob@example.test", MESSAGE)
    client = waybill.login("alice")
    waybill.kill()
    waybill.start()
    waybill.submit("alice", "bob@example.test", MESSAGE)
    client.close()
    for message in strict_hop.wait_messages(2):
        waybill.check_certifier(message["parameters"])


def test_without_a_keeper_mail_flows(start_waybill, strict_hop):
    waybill = start_waybill(strict_hop)
    shutil.rmtree(waybill.dir / "keys")
    (waybill.dir / "keys").write_text("no directory\n")
    os.kill(waybill.children("keeper")[0], signal.SIGKILL)
    waybill.wait_line(event="restart", role="keeper", restarts=2)
    waybill.submit("alice", "bob@example.test", MESSAGE)
    message = strict_hop.wait_messages(1)[0]
    assert "MTRK" not in message["parameters"]


def test_auth_grows_while_its_backend_is_slow(start_waybill, start_peer,
                                              strict_hop, space):
    backend = start_peer(ImapBackend(space / "imap", USERS, delay=2.0))
    server = start_peer(Saslauthd(space / "sa", backend))
    waybill = start_waybill(strict_hop, auth={
        "mechanisms": ["PLAIN"], "workers": 1, "workers_max": 8,
        "sasl": ["pwcheck_method=saslauthd",
                 f"saslauthd_path={server.path}"]})

    def login(_):
        start = time.monotonic()
        waybill.login("alice").quit()
        return time.monotonic() - start

    with ThreadPoolExecutor(4) as pool:
        took = list(pool.map(login, range(4)))
    waybill.wait_line(event="auth-grows", **{"from": "1", "to": "2"})
    assert len(waybill.children("auth")) > 1
    assert max(took) < 7, took	 # one after the other they would take 8


def test_without_root_all_share_a_uid(space, authority, strict_hop):
    if os.geteuid() != 0:
        pytest.skip("every other test runs without root then")
    waybill = Waybill(space / "wb", strict_hop, authority=authority,
                      track={}, feed="postfix")
    waybill.dir.mkdir()
    waybill.prepare()
    for path in (waybill.dir, *waybill.dir.iterdir()):
        shutil.chown(path, "nobody")
    with open(waybill.log, "wb") as log:
        process = subprocess.Popen(
            [waybill.program("sbin/waybilld"), "-c", waybill.conf],
            stdin=subprocess.DEVNULL, stderr=log, user="nobody",
            start_new_session=True, env=waybill.environment())
    try:
        waybill.wait_line(event="ready", program="waybilld")
        waybill.wait_line(event="shared-uid", level="warning")
        waybill.submit("alice", "bob@example.test", MESSAGE)
        for role in ("track", "feed"):
            waybill.wait_line(event="process", state="ready", role=role)
    finally:
        process.terminate()
        assert process.wait(20) == 0


@pytest.mark.skipif(shutil.which("systemd-sysusers") is None,
                    reason="needs systemd-sysusers")
def test_contrib_makes_every_user(space):
    """Each user_ of the sample, and the feed in the group that may read
    logs: systemd leaves a line out that it does not like."""
    (space / "etc").mkdir()
    done = subprocess.run(
        ["systemd-sysusers", f"--root={space}",
         ROOT / "contrib/waybill.sysusers"], text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert "not a valid" not in done.stderr
    sample = (ROOT / "conf/waybill.conf.sample").read_text()
    users = re.findall(r'^#user_\w+ = "(\S+)"$', sample, re.MULTILINE)
    assert len(users) == 5
    made = (space / "etc/passwd").read_text()
    for user in users:
        assert f"\n{user}:" in "\n" + made
    groups = (space / "etc/group").read_text()
    assert re.search(r"^adm:.*:_waybill-feed$", groups, re.MULTILINE)
    directories = (ROOT / "contrib/waybill.tmpfiles").read_text()
    for path in ("/run/waybill", "/var/lib/waybill/vault",
                 "/var/lib/waybill/keys", "/var/lib/waybill/feed"):
        assert re.search(rf"^d {path} ", directories, re.MULTILINE)


def test_contrib_for_postfix(start_waybill, start_peer, space):
    """The lines of contrib/postfix in a real master.cf: who logged in at
    Waybill may send, and who comes without is refused."""
    text = (ROOT / "contrib/postfix/master.cf").read_text()
    port = free_port()
    options = dict(line.split("-o ", 1)[1].split("=", 1)
                   for line in text.splitlines() if line.startswith("  -o "))
    postfix = Postfix(space / "postfix", smtpd=options, port=port)
    start_peer(postfix)
    waybill = start_waybill(postfix, msa_section={"identity": "xclient"})
    waybill.submit("alice", "bob@example.test", MESSAGE)
    with smtplib.SMTP("127.0.0.1", port) as stranger:
        stranger.ehlo()
        assert not stranger.has_extn("auth")
        assert stranger.mail("eve@example.test")[0] == 250
        assert stranger.rcpt("bob@example.test")[0] == 554


class TestConfiguration:
    """waybilld -t, and a start, on bad configurations."""

    @pytest.fixture(name="waybill")
    def fixture_waybill(self, space, authority):
        waybill = Waybill(space / "wb", authority=authority)
        waybill.dir.mkdir(parents=True, exist_ok=True)
        waybill.prepare()
        return waybill

    def test_a_good_one(self, waybill):
        done = run_daemon(waybill, "-t")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"{waybill.conf}: configuration is good\n"

    def test_many_mistakes_are_all_named(self, waybill):
        text = waybill.conf.read_text().replace('workers = "1"',
                                                'workers = "many"')
        lines = len(text.splitlines())
        waybill.conf.write_text(text + "nonsense = 1\n"
                                "limits { sessions = -1 }\n"
                                "log { level = \"loud\" }\n")
        done = run_daemon(waybill, "-t")
        assert done.returncode == 2
        assert f"{waybill.conf}:{lines + 1}: unknown option" in done.stderr
        assert f"{waybill.conf}:{lines + 2}: sessions" in done.stderr
        assert f"{waybill.conf}:{lines + 3}: level" in done.stderr
        assert "workers = \"many\"" in done.stderr
        assert run_daemon(waybill).returncode == 2

    @pytest.mark.parametrize("name, content, said", [
        ("server.pem", "nonsense\n", "no PEM certificate"),
        ("server.key", "nonsense\n", "no PEM private key"),
        ("server.pem", None, "No such file"),
        ("server.key", None, "No such file"),
    ])
    def test_wrong_files(self, waybill, name, content, said):
        path = waybill.dir / name
        path.unlink()
        if content is not None:
            path.write_text(content)
        done = run_daemon(waybill, "-t")
        assert done.returncode == 2
        assert said in done.stderr and str(path) in done.stderr
        assert run_daemon(waybill).returncode == 2

    def test_a_key_of_another_certificate(self, waybill, authority):
        other = authority.issue("another", ("localhost",))[1]
        shutil.copy(other, waybill.dir / "server.key")
        done = run_daemon(waybill, "-t")
        assert done.returncode == 2
        assert "no pair" in done.stderr

    def test_an_unreadable_key(self, waybill):
        (waybill.dir / "server.key").chmod(0)
        done = run_daemon(waybill, "-t",
                          user="nobody" if os.geteuid() == 0 else None)
        assert done.returncode == 2
        assert "Permission denied" in done.stderr

    def test_a_user_that_does_not_exist(self, waybill):
        if os.geteuid() != 0:
            pytest.skip("only root changes users")
        waybill.top["user_auth"] = "nobody-here"
        waybill.write_conf()
        done = run_daemon(waybill, "-t")
        assert done.returncode == 2
        assert "systemd-sysusers" in done.stderr
        assert run_daemon(waybill).returncode == 1

    def test_a_port_in_use(self, waybill, strict_hop):
        waybill.ports["submission"] = strict_hop.port
        waybill.write_conf()
        done = run_daemon(waybill)
        assert done.returncode == 1
        assert "change the port" in done.stderr

    def test_unknown_options_of_the_command(self, waybill):
        done = run_daemon(waybill, "--nonsense")
        assert done.returncode == 2
        assert "usage:" in done.stderr
        done = waybill.ctl("nonsense")
        assert done.returncode == 2
        assert "usage:" in done.stderr

"""What waybill-track bears: too many clients, slow ones, silent ones, and the
deaths of the processes that it works with (RFC 3887 2.5, 11)."""

import os
import signal
import socket
import ssl
import threading
import time

import pytest

from mtqp_client import Gone
from mtqp_server import (BYE, CLEAR, MANY, NOINFO, NOT_NOW, OK, PLAIN, SECRET,
                         Server, fixture_plain,
                         fixture_start_server)  # noqa: F401
from peers import StrictHop, is_alive, wait_until
from waybill import HOSTNAME, Waybill
from wire import resident, sanitized


class TestLimits:
    def test_of_commands_errors_and_guesses(self, start_server):
        server = start_server(*PLAIN, track={
            "commands": 20, "bad_commands": 3, "refused": 2})
        with server.secure() as client:
            replies = client.ask("NOOP", "NOOP", "NOOP")
            assert replies[2].raw == \
                b"-BAD no such command; too many errors\r\n"
            assert client.closed() == b""
        with server.secure() as client:
            replies = client.ask(*[f"TRACK a@b {SECRET}"] * 2)
            assert [reply.raw for reply in replies] == [NOINFO] * 2
            assert client.closed() == b""
        with server.secure() as client:
            client.say(*["COMMENT"] * 40)
            replies = []
            with pytest.raises(Gone):
                while True:
                    replies.append(client.reply().raw)
            assert replies[-1].startswith(b"-TEMP/unavailable ")
            assert set(replies[:-1]) == {OK}
            assert len(replies) <= 21

    def test_of_sessions(self, start_server):
        server = start_server(*PLAIN, track={
            "sessions": 12, "sessions_per_address": 8})
        refusal = f"-TEMP/MTQP/unavailable {HOSTNAME} does not answer now\r\n"
        clients = [server.connect() for _ in range(8)]
        assert {client.greeting.raw for client in clients} == {CLEAR}
        with server.connect() as client:
            assert client.greeting.raw == refusal.encode()
            assert client.closed() == b""
        more = [server.connect(source="127.0.0.2") for _ in range(4)]
        assert {client.greeting.raw for client in more} == {CLEAR}
        with server.connect(source="127.0.0.3") as client:
            assert client.greeting.raw == refusal.encode()
        clients.pop().quit()
        wait_until(lambda: server.connect().greeting.raw == CLEAR, 5)
        for client in clients + more:
            client.close()

    def test_five_hundred_idle_clients(self, start_server):
        server = start_server(*PLAIN, track={
            **MANY, "sessions": 1000, "sessions_per_address": 1000})
        envid, secret = server.submit()
        before = resident(server.tracker())
        idle = [server.connect() for _ in range(250)]
        idle += [server.secure() for _ in range(250)]
        each = (resident(server.tracker()) - before) / 500
        with server.secure() as client:
            began = time.monotonic()
            for _ in range(100):
                assert client.track(envid, secret).status == "+OK+"
            assert time.monotonic() - began < 30
        assert idle[0].ask("COMMENT").raw == OK
        assert idle[499].ask("COMMENT").raw == OK
        assert server.waybill.lines(event="crash") == []
        print(f"{each:.0f} KiB an idle session")
        for client in idle:
            client.close()

    def test_who_does_not_read_costs_little(self, start_server):
        server = start_server(*PLAIN, track=MANY)
        envid, secret = server.submit(
            to=[f"r{i}@example.test" for i in range(200)])
        with server.secure() as reader:
            size = len(reader.track(envid, secret).raw)
        assert size > 20000
        before = resident(server.tracker())
        line = f"TRACK {envid} {secret}\r\n".encode()
        slow = server.secure()
        slow.sock.settimeout(2)
        with pytest.raises(OSError):
            for _ in range(5000):
                slow.sock.sendall(line * 20)
        if not sanitized(server.waybill):
            assert resident(server.tracker()) < before + 8192
        with server.secure() as reader:
            assert reader.track(envid, secret).status == "+OK+"
        slow.sock.settimeout(30)
        for _ in range(50):
            assert len(slow.reply().raw) == size
        slow.close()


class FewFiles(Waybill):
    def command(self):
        return ["/bin/sh", "-c", 'ulimit -n 200; exec "$@"', "sh",
                *super().command()]


class TestFailures:
    def test_clients_leave_descriptors_for_a_new_keeper(
            self, space, authority, start_peer):
        hop = start_peer(StrictHop(space / "hop", *PLAIN))
        server = Server(start_peer(FewFiles(
            space / "wb", hop, authority=authority, track={
                **MANY, "sessions_per_address": 1000})), hop)
        envid, secret = server.submit()
        busy = server.secure()
        idle = [server.connect(greet=False) for _ in range(300)]
        server.waybill.wait_line(program="waybill-track", event="accept")
        keeper, = server.waybill.children("keeper")
        os.kill(keeper, signal.SIGKILL)
        wait_until(lambda: busy.track(envid, secret).status == "+OK+", 10,
                   "an answer of the new keeper")
        assert len(server.waybill.lines(event="accept")) <= 20
        for client in [busy, *idle]:
            client.close()

    def test_a_queued_message_is_never_denied(self, start_server):
        """Whoever dies meanwhile: found, or try again later."""
        server = start_server(*PLAIN, track={
            **MANY, "keeper_timeout": "2 s"})
        envid, secret = server.submit()
        seen, stop = set(), threading.Event()

        def ask():
            while not stop.is_set():
                try:
                    with server.secure() as client:
                        while not stop.is_set():
                            seen.add(client.track(envid, secret).raw)
                except (Gone, OSError, AssertionError):
                    time.sleep(0.05)
        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for role in ("keeper", "track") * 3:
                time.sleep(0.5)
                pid, = server.waybill.wait_children(role, 1)
                os.kill(pid, signal.SIGKILL)
                wait_until(lambda: server.waybill.children(role) not in
                           ([], [pid]), 20, f"a new {role}")
            time.sleep(1)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        found = {reply for reply in seen if reply.startswith(b"+OK+")}
        assert len(found) == 1
        assert seen - found <= {NOT_NOW}

    def test_a_keeper_that_hangs(self, start_server):
        server = start_server(*PLAIN, track={
            **MANY, "keeper_timeout": "1 s"})
        envid, secret = server.submit()
        keeper, = server.waybill.children("keeper")
        with server.secure() as client:
            os.kill(keeper, signal.SIGSTOP)
            try:
                assert client.track(envid, secret).raw == NOT_NOW
                assert client.track(envid, SECRET).raw == NOT_NOW
                assert client.ask("COMMENT").raw == OK
            finally:
                os.kill(keeper, signal.SIGCONT)
            wait_until(lambda: client.track(envid, secret).status == "+OK+",
                       20, "an answer")
            assert client.track(envid, SECRET).raw == NOINFO

    def test_a_keeper_that_died(self, start_server):
        server = start_server(*PLAIN, track={
            **MANY, "keeper_timeout": "2 s"})
        envid, secret = server.submit()
        with server.secure() as client:
            for _ in range(3):
                keeper, = server.waybill.wait_children("keeper", 1)
                os.kill(keeper, signal.SIGKILL)
                reply = client.track(envid, secret)
                assert reply.raw == NOT_NOW or reply.status == "+OK+"
                wait_until(lambda: client.track(envid, secret).status ==
                           "+OK+", 20, "an answer")

    def test_killed_in_an_answer_it_is_started_again(self, start_server):
        server = start_server(*PLAIN, track=MANY)
        envid, secret = server.submit(
            to=[f"r{i}@example.test" for i in range(200)])
        client = server.secure()
        client.say(*[f"TRACK {envid} {secret}"] * 200)
        client.reply()
        tracker = server.tracker()
        os.kill(tracker, signal.SIGKILL)
        with pytest.raises((Gone, ssl.SSLError, OSError)):
            for _ in range(200):
                client.reply()
        client.close()
        wait_until(lambda: server.waybill.children("track") not in
                   ([], [tracker]), 20, "a new tracker")
        with server.secure() as client:
            assert client.track(envid, secret).status == "+OK+"

    def test_a_new_generation_leaves_the_sessions_alone(self, start_server):
        server = start_server(*PLAIN, track=MANY)
        envid, secret = server.submit()
        old = server.tracker()
        server.waybill.reload()
        wait_until(lambda: [pid for pid in server.waybill.children("track")
                            if pid != old], 20, "a new tracker")

        def answered():
            try:
                with server.secure() as client:
                    return client.track(envid, secret).status == "+OK+"
            except (Gone, OSError):
                return False
        wait_until(answered, 20, "an answer after the reload")
        wait_until(lambda: not is_alive(old), 30, "the end of the old one")

    def test_it_stops_with_clients_there(self, start_server):
        server = start_server(*PLAIN)
        clients = [server.connect(), server.secure()]
        server.waybill.stop()
        for client in clients:
            client.closed()

    def test_a_reset_at_any_time(self, plain):
        for wait in (0, 0.001, 0.01, 0.05):
            for secured in (False, True):
                client = plain.secure() if secured else plain.connect()
                client.send(f"TRACK a@b {SECRET}\r\n".encode() * 3)
                time.sleep(wait)
                client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                       b"\1\0\0\0\0\0\0\0")
                client.sock.close()
        with plain.secure() as client:
            assert client.quit().raw == BYE

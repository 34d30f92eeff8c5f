"""What is measured: Waybill, and what an operator could put in front of an
MSA instead, each a server on free loopback ports with the configuration of
its name in tests/bench/peers/."""

import grp
import os
import pathlib
import pwd
import re
import shutil
import socket
import subprocess
import time

import machine
from peers import Postfix, Sasldb, free_port
from peers.base import (Peer, PeerMissing, ROOT, answers, libraries,
                        need_root, tail)
from waybill import RUN_AS, Waybill

HOSTNAME = "submit.example.test"
USERS = {f"user{i}": "secret" for i in range(8)}
CONFIGURATIONS = pathlib.Path(__file__).resolve().parent / "peers"
UNPACKED = ROOT / "build" / "peers" / "bench"


def filled(name, **values):
    """A configuration with @NAME@ replaced by values."""
    text = (CONFIGURATIONS / name).read_text()
    return re.sub(r"@(\w+)@", lambda match: str(values[match[1].lower()]),
                  text)


def unpacked():
    if not (UNPACKED / ".complete").exists():
        done = subprocess.run([CONFIGURATIONS / "fetch"], text=True,
                              stdout=subprocess.PIPE, check=False,
                              stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise PeerMissing(done.stdout.strip())
    return UNPACKED


class Sink(Peer):
    """The MSA that takes everything; .count() tells how much."""

    name = "sink"

    def __init__(self, directory, build, processors=(machine.LOAD,)):
        super().__init__(directory)
        self.build, self.processors = build, processors

    def command(self):
        return machine.pinned([self.build / "bench" / "sink", self.port],
                              self.processors)

    def count(self):
        with socket.create_connection((self.host, self.port), 10) as conn:
            conn.sendall(b"COUNT\r\nQUIT\r\n")
            text = b"".join(iter(lambda: conn.recv(4096), b"")).decode()
        return int(re.search(r"\r\n250 (\d+) \d+\r\n", text)[1])


class Proxy(Peer):
    """What the subjects have in common: .ports by kind of TLS, and where
    their messages arrive."""

    clear = True			# offers STARTTLS
    processors = (machine.SERVER,)

    def __init__(self, directory, sink, certificate, **values):
        super().__init__(directory)
        self.sink, self.values = sink, values
        self.cert, self.key = certificate
        self.ports = {"starttls": self.port, "implicit": free_port()}

    def configuration(self, name, **more):
        """Its file, filled in; the path in its own directory."""
        text = filled(name, dir=self.dir, port=self.ports["starttls"],
                      ports=self.ports["implicit"], sink=self.sink.port,
                      certificate=self.cert, key=self.key,
                      **self.values, **more)
        path = self.dir / name
        path.write_text(text)
        return path

    def settle(self):
        """Wait until what was taken is dealt with."""

    def arrived(self):
        return self.sink.count()


class Unpacked(Proxy):
    """One of those that fetch unpacked."""

    def environment(self):
        return {**os.environ, "LD_LIBRARY_PATH": libraries(unpacked())}


class Nginx(Unpacked):
    name = "nginx"

    def prepare(self):
        user = "user nobody nogroup;" if os.geteuid() == 0 else ""
        self.conf = self.configuration("nginx.conf", tree=unpacked(),
                                       auth=free_port(), user=user)

    def command(self):
        return machine.pinned([UNPACKED / "usr/sbin/nginx", "-p", self.dir,
                               "-e", self.dir / "error.log",
                               "-c", self.conf])


class HAProxy(Unpacked):
    name = "haproxy"
    clear = False
    wants = None

    def prepare(self):
        both = self.dir / "both.pem"
        both.write_text(pathlib.Path(self.cert).read_text() +
                        pathlib.Path(self.key).read_text())
        user = "user nobody" if os.geteuid() == 0 else ""
        self.conf = self.configuration("haproxy.cfg", user=user, both=both)

    def ready(self):
        return answers(self.ports["implicit"], wants=None)

    def command(self):
        return machine.pinned([UNPACKED / "usr/sbin/haproxy", "-db", "-f",
                               self.conf])


class Dovecot(Proxy):
    """Its modules are looked for where Debian puts them, so it is given a
    view of its own of /usr."""

    name = "dovecot"

    def prepare(self):
        need_root("Dovecot")
        for name in ("base", "state", "mail"):
            (self.dir / name).mkdir()
        user = pwd.getpwnam("nobody")
        os.chown(self.dir / "mail", user.pw_uid, user.pw_gid)
        self.conf = self.configuration(
            "dovecot.conf", login_user="games", internal_user="backup",
            internal_group=grp.getgrgid(pwd.getpwnam("backup").pw_gid)[0],
            uid=user.pw_uid, gid=user.pw_gid)

    def command(self):
        script = (f"mount -t overlay overlay -o lowerdir={unpacked()}/usr:"
                  f"/usr /usr && exec dovecot -F -c '{self.conf}'")
        return machine.pinned(["unshare", "-m", "sh", "-c", script])


class DirectPostfix(Postfix):
    """No proxy: the load's own MSA."""

    name = "postfix"
    clear = True

    def __init__(self, directory, sink, certificate):
        del sink
        settings = dict(re.findall(
            r"^(\w+) = *(.*)$", filled("postfix.cf", dir=directory), re.M))
        super().__init__(directory, users=("bob",), tls="starttls",
                         cert=certificate[0], key=certificate[1],
                         settings=settings)
        self.ports = {"starttls": self.port}

    def prepare(self):
        super().prepare()
        (self.conf / "sasl").mkdir()	# where Debian's looks
        base = Sasldb(self.dir / "sasldb", HOSTNAME)
        for user, password in USERS.items():
            base.add(user, password)
        (self.conf / "sasl" / "smtpd.conf").write_text(
            "pwcheck_method: auxprop\nauxprop_plugin: sasldb\n"
            f"mech_list: PLAIN\nsasldb_path: {base.path}\n")

    def command(self):
        return machine.pinned(super().command())

    def settle(self):
        while not self.queue_is_empty():
            time.sleep(0.05)

    def arrived(self):
        return None


class BenchWaybill(Proxy, Waybill):
    """The real daemons, from the build that is measured."""

    name = "waybill"

    def __init__(self, directory, sink, certificate, workers=1,
                 processors=(machine.SERVER,), build=None):
        Waybill.__init__(self, directory, sink, users=USERS, build=build)
        self.sink, self.values = sink, {"workers": workers}
        self.cert, self.key = certificate
        self.processors = processors
        self.ports = {"starttls": free_port(), "implicit": free_port()}

    def prepare(self):
        base = Sasldb(self.dir / "sasldb", HOSTNAME)
        for user, password in USERS.items():
            base.add(user, password)
        users = RUN_AS if os.geteuid() == 0 else {}
        self.conf = self.configuration(
            "waybill.conf", sasldb=base.path,
            run_as="".join(f'{key} = "{value}"\n'
                           for key, value in users.items()))

    def command(self):
        return machine.pinned(
            [self.program("sbin/waybilld"), "-c", self.conf],
            self.processors)

    def log_tail(self):
        return tail(self.log)


ALL = {"waybill": BenchWaybill, "nginx": Nginx, "haproxy": HAProxy,
       "dovecot": Dovecot, "postfix": DirectPostfix}


def copied(certificate, directory):
    """A certificate where every server can read it."""
    pair = [directory / name for name in ("server.pem", "server.key")]
    for source, target in zip(certificate, pair):
        shutil.copy(source, target)
    return pair

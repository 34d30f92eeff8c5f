"""What all peers share: ports, processes that are stopped by pid, errors that
show the log, directories that other users may pass through."""

import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


class PeerFailed(RuntimeError):
    """A peer did not start or did not do what was asked."""


class PeerMissing(RuntimeError):
    """This machine cannot run the peer (no root, no package): skip."""


def need_root(what):
    if os.geteuid() != 0:
        raise PeerMissing(f"{what} can only be started by root")


# Below what the kernel gives to clients, which could take a port between its
# choice and its use; the same never twice, nor in two of pytest's workers.
WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
PORTS = range(12000 + WORKER % WORKERS, 32000, WORKERS)
DRAWN = set()


def free_port(host="127.0.0.1"):
    """A port nobody listens on now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        port = random.SystemRandom().choice(PORTS)
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
        if port not in DRAWN:
            DRAWN.add(port)
            return port


def wait_until(test, timeout=10.0, what="it"):
    """The first true value of test(); PeerFailed after timeout seconds."""
    end = time.monotonic() + timeout
    while True:
        value = test()
        if value:
            return value
        if time.monotonic() > end:
            raise PeerFailed(f"{what} did not happen in {timeout:g} s")
        time.sleep(0.02)


def answers(port, host="127.0.0.1", wants=b"220"):
    """Does what listens at port greet with `wants` (None: just accept)?"""
    try:
        with socket.create_connection((host, port), 2) as conn:
            if wants is None:
                return True
            conn.settimeout(5)
            got = conn.recv(512)
            if got.startswith(wants):
                conn.sendall(b"QUIT\r\n")
                return True
    except OSError:
        pass
    return False


def tail(path, lines=30):
    """The end of a log, for an error text."""
    try:
        text = pathlib.Path(path).read_text(errors="replace")
    except OSError:
        return "(no log)"
    return "\n".join(text.splitlines()[-lines:]) or "(the log is empty)"


def room(name="peer"):
    """A new short-named directory that every user may pass through.

    Unix sockets want short paths, and Postfix, Exim and the privilege
    separated daemon run as users who cannot enter pytest's directories.
    """
    path = pathlib.Path(tempfile.mkdtemp(prefix=f"wb-{name}-", dir="/tmp"))
    path.chmod(0o755)
    return path


def closed_part(path):
    """The directory on the way to path that other users cannot pass."""
    for part in [path, *path.parents]:
        if part.exists() and not part.stat().st_mode & 0o001:
            return part
    return None


def check_passable(path):
    """Raise PeerFailed if other users cannot get to path."""
    part = closed_part(path)
    if part:
        raise PeerFailed(f"{part} is closed to other users, so nothing can "
                         f"run in {path}; use peers.room()")


def unpacked(name):
    """The directory of a peer unpacked by fetch-peer, fetched if need be."""
    target = ROOT / "build" / "peers" / name
    if not (target / ".complete").exists():
        if not shutil.which("apt-get"):
            raise PeerMissing(f"{name} is not under {target}")
        done = subprocess.run([ROOT / "tests" / "peers" / "fetch-peer", name],
                              stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.STDOUT, check=False)
        if done.returncode != 0:
            raise PeerFailed(f"cannot fetch {name}: {done.stdout.strip()}")
    return target


def libraries(tree):
    """LD_LIBRARY_PATH for programs of an unpacked tree."""
    found = {str(lib.parent) for lib in tree.glob("**/*.so*")
             if "/perl" not in str(lib)}
    return ":".join(sorted(found))


def find_program(name):
    path = shutil.which(name, path=os.environ.get("PATH", "") +
                        ":/usr/sbin:/sbin")
    if not path:
        raise PeerMissing(f"{name} is missing: tests/install-packages check")
    return path


def is_alive(pid):
    """Is there a process with this pid that is not a zombie?"""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


class Peer:
    """A server started on a free loopback port and stopped by pid.

    Use it as a context manager, or call start() and stop().  A subclass
    sets self.name, gives command() and, if need be, prepare().
    """

    name = "peer"
    wants = b"220"
    start_timeout = 15.0
    stop_timeout = 10.0
    stop_signal = signal.SIGTERM

    def __init__(self, directory, port=None, host="127.0.0.1"):
        self.dir = pathlib.Path(directory)
        self.host = host
        self.port = port or free_port(host)
        self.log = self.dir / "log"
        self.process = None
        self.prepared = False

    def prepare(self):
        """Make its directory ready, before the first start."""

    def command(self):
        """The argument vector of a process that stays in the foreground."""
        raise NotImplementedError

    def environment(self):
        return dict(os.environ)

    def ready(self):
        return answers(self.port, self.host, self.wants)

    @property
    def pid(self):
        return self.process.pid if self.process else None

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    def start(self):
        """Start it; after stop(), again with the same state and port."""
        if not self.prepared:
            self.dir.mkdir(parents=True, exist_ok=True)
            self.prepare()
            self.prepared = True
        self.launch()
        try:
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def launch(self):
        with open(self.dir / "output", "ab") as output:
            self.process = subprocess.Popen(
                [str(word) for word in self.command()],
                cwd=self.dir, env=self.environment(),
                stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True)

    def wait_ready(self):
        end = time.monotonic() + self.start_timeout
        while not self.ready():
            code = self.process.poll()
            if code is not None:
                raise PeerFailed(f"{self.name} ended with status {code}:\n"
                                 f"{self.log_tail()}")
            if time.monotonic() > end:
                raise PeerFailed(f"{self.name} does not answer on "
                                 f"{self.address}:\n{self.log_tail()}")
            time.sleep(0.03)

    def log_tail(self):
        """The ends of what it printed and of its log."""
        parts = [tail(self.dir / "output")]
        if self.log.exists() and self.log != self.dir / "output":
            parts.append(tail(self.log))
        return "\n".join(parts)

    def stop(self):
        process, self.process = self.process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(self.stop_signal)
        try:
            process.wait(self.stop_timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self.stopped(process.pid)

    def stopped(self, group):
        """End what the stopped process left behind in its session."""
        for pid in session_members(group):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        wait_until(lambda: not session_members(group),
                   what=f"the end of {self.name}")

    def __enter__(self):
        return self if self.process else self.start()

    def __exit__(self, *ignored):
        self.stop()


def session_members(session):
    """The pids of the processes in a session (as setsid made it)."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            stat = pathlib.Path(f"/proc/{entry}/stat").read_text()
        except OSError:
            continue
        fields = stat.rpartition(")")[2].split()
        if fields[0] != "Z" and int(fields[3]) == session:
            found.append(int(entry))
    return found

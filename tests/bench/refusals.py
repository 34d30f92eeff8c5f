"""Does the time of a refusal tell why?  Ten thousand of each kind over TLS
sessions with the real tracking server, asked at random moments and in random
order; the times of each kind are compared with those of the first by Welch's
t and by ranks (Mann and Whitney)."""

import base64
import contextlib
import math
import random
import shutil
import string
import threading
import time

from mtqp_client import Mtqp
from peers import Authority, StrictHop, room, wait_until
from waybill import HOSTNAME, Waybill, certifier_of

EACH = 10000
SESSIONS = 40
MESSAGES = 20			# of each kind that needs some
GRID_MS = 50
REFUSAL = b"-ERR/noinfo"
LETTERS = string.ascii_letters + string.digits + "-_"


def random_secret():
    return base64.b64encode(random.randbytes(32)).decode()


def random_envid():
    local = "".join(random.choices(LETTERS, k=21))
    return f"{random.choice('ABCDEFGH')}{local}@{HOSTNAME}"


class Subjects:
    """The messages that are asked for: kind -> a pair (envid, secret)."""

    def __init__(self, waybill, hop):
        self.waybill, self.hop = waybill, hop
        self.real = [self.submit("real") for _ in range(MESSAGES)]
        self.revoked = [self.submit("revoked") for _ in range(MESSAGES)]
        for envid, _ in self.revoked:
            waybill.cli("revoke", envid)
        self.expired = [self.expire(i) for i in range(MESSAGES)]
        self.wait_expired()
        self.kinds = {
            "unknown": lambda: (random_envid(), random_secret()),
            "foreign": lambda: (f"{random.randrange(1 << 40)}@x.example",
                                random_secret()),
            "wrong_secret": lambda: (random.choice(self.real)[0],
                                     random_secret()),
            "revoked": lambda: random.choice(self.revoked),
            "expired": lambda: random.choice(self.expired)}

    def parameters(self):
        return self.hop.messages()[-1]["parameters"]

    def submit(self, name, mail=()):
        count = len(self.hop.messages())
        self.waybill.submit("alice", "bob@example.test",
                            f"Subject: {name}\r\n\r\nhi\r\n", mail=mail)
        self.hop.wait_messages(count + 1)
        envid = self.parameters()["ENVID"]
        if mail:
            return envid, None
        return envid, self.waybill.cli("token", envid)["secret"]

    def expire(self, number):
        """A client's own certifier, whose time is over in a second; the log
        says that nothing waits any more."""
        secret, queue_id = random.randbytes(32), f"4T3b{number:02d}WqRxz9vNB"
        self.hop.behave(queue_id=queue_id)
        envid, _ = self.submit("expired", [
            f"MTRK={certifier_of(secret)}:1",
            f"ENVID=expired{number}@client.example"])
        with open(self.hop.log, "a", encoding="ascii") as log:
            head = time.strftime("%b %e %T mail postfix/")
            log.write(f"{head}smtp[9]: {queue_id}: to=<bob@example.test>, "
                      "relay=mx.example.org[192.0.2.7]:25, delay=1, "
                      "delays=0/0/1/0, dsn=2.0.0, status=sent (250 Ok)\n"
                      f"{head}qmgr[7]: {queue_id}: removed\n")
        return envid, base64.b64encode(secret).decode()

    def wait_expired(self):
        with Mtqp(self.waybill.ports["track"]) as client:
            client.starttls(HOSTNAME, self.waybill.context())
            for pair in self.expired:
                wait_until(lambda: client.track(*pair).raw.startswith(
                    REFUSAL), 30, "expiry")


class Times:
    """What came of one kind: how long it took, and when on the grid."""

    def __init__(self):
        self.took, self.phase = [], []

    def add(self, asked, came):
        self.took.append((came - asked) * 1000)
        self.phase.append(came * 1000 % GRID_MS)


class Askers:
    """Sessions side by side that ask a common list of kinds."""

    def __init__(self, run, waybill, subjects):
        self.run, self.waybill, self.subjects = run, waybill, subjects
        self.work = list(subjects.kinds) * EACH
        self.total = len(self.work)
        random.shuffle(self.work)
        self.times = {kind: Times() for kind in subjects.kinds}
        self.other, self.problems = set(), []

    def ask(self):
        try:
            client = Mtqp(self.waybill.ports["track"])
            client.starttls(HOSTNAME, self.waybill.context())
            while not self.problems:
                self.ask_one(client, self.work.pop())
        except IndexError:
            client.quit()
        except Exception as problem:
            self.problems.append(problem)

    def ask_one(self, client, kind):
        line = "TRACK {} {}\r\n".format(*self.subjects.kinds[kind]()).encode()
        time.sleep(random.random() * GRID_MS / 1000)
        asked = time.monotonic()
        client.sock.sendall(line)
        reply = client.sock.recv(4096)
        self.times[kind].add(asked, time.monotonic())
        if not reply.startswith(REFUSAL):
            raise AssertionError(f"{kind}: {reply!r}")
        self.other.add(reply)

    def run_all(self):
        threads = [threading.Thread(target=self.ask)
                   for _ in range(SESSIONS)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            self.run.progress(self.total - len(self.work), self.total)
            time.sleep(0.2)
        if self.problems:
            raise self.problems[0]
        if len(self.other) != 1:
            raise AssertionError(f"different refusals: {self.other}")


# Statistics


def mean_and_variance(values):
    mean = math.fsum(values) / len(values)
    return mean, math.fsum((one - mean) ** 2 for one in values) / \
        (len(values) - 1)


def two_sided(z):
    return math.erfc(abs(z) / math.sqrt(2))


def welch(a, b):
    """Its p; with thousands of values t is normal."""
    (mean_a, var_a), (mean_b, var_b) = map(mean_and_variance, (a, b))
    return two_sided((mean_a - mean_b) /
                     math.sqrt(var_a / len(a) + var_b / len(b)))


def ranks(a, b):
    """The p of Mann and Whitney's test."""
    order = sorted([(value, 0) for value in a] + [(value, 1) for value in b])
    total = sum(place + 1 for place, (_, of) in enumerate(order) if of == 0)
    n, m = len(a), len(b)
    u = total - n * (n + 1) / 2
    return two_sided((u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12))


def bars(phases, width=5):
    """How replies fall on the grid: a share for each width ms of it."""
    counts = [0] * (GRID_MS // width)
    for phase in phases:
        counts[int(phase // width)] += 1
    return " ".join(f"{100 * count / len(phases):5.1f}" for count in counts)


def percentile(values, share):
    return sorted(values)[int(share * (len(values) - 1))]


def tell(run, times):
    first, tests = next(iter(times)), []
    run.note(f"{'kind':13} {'n':>6} {'mean':>8} {'p50':>8} {'p99':>8} "
             f"{'Welch p':>8} {'ranks p':>8} {'phase p':>8}   (ms; p against "
             f"{first})")
    for kind, one in times.items():
        mean, variance = mean_and_variance(one.took)
        error = 1.96 * math.sqrt(variance / len(one.took))
        run.result(f"refusals_{kind}_mean_ms", mean, mean - error, mean + error)
        found = [] if kind == first else [
            welch(times[first].took, one.took),
            ranks(times[first].took, one.took),
            ranks(times[first].phase, one.phase)]
        tests += found
        run.note(f"{kind:13} {len(one.took):6} {mean:8.3f} "
                 f"{percentile(one.took, 0.5):8.3f} "
                 f"{percentile(one.took, 0.99):8.3f} "
                 + " ".join(f"{p:8.3g}" for p in found))
    chance = 1 - (1 - min(tests)) ** len(tests)
    run.note(f"the smallest p of {len(tests)} is {min(tests):.3g}: where "
             f"nothing differs, {100 * chance:.0f} % of the runs have one "
             "as small")
    run.note(f"% of the replies in each 5 ms of the {GRID_MS} ms grid:")
    for kind, one in times.items():
        run.note(f"{kind:13} {bars(one.phase)}")


@contextlib.contextmanager
def servers(space):
    """A hop, and a Waybill with its tracking server before it."""
    authority = Authority(space / "ca")
    hop = StrictHop(space / "hop", "--without", "MTRK")
    hop.dir.mkdir()
    hop.log.touch()
    with hop:
        waybill = Waybill(
            space / "wb", hop, authority=authority,
            names=(HOSTNAME, "localhost"), log={"level": "info"}, feed="postfix",
            track={"commands": 1000000, "refused": 1000000})
        with waybill:
            yield waybill, hop


def refusals(run):
    space = room("bench")
    try:
        with servers(space) as (waybill, hop):
            subjects = Subjects(waybill, hop)
            askers = Askers(run, waybill, subjects)
            askers.run_all()
            tell(run, askers.times)
    finally:
        shutil.rmtree(space)

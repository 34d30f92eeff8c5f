"""Cases that compare Waybill with what an operator could put in front of an
MSA instead: the same load on each, turn by turn, so that what the machine
does meanwhile meets all of them."""

import contextlib
import os
import re
import shutil
import subprocess
import time

import machine
import subjects
from peers import Authority, PeerMissing, room

TURNS = 5
STARTS = 3			# of a server, its memory laid out anew
TURNS_OF_START = 3
ATTEMPTS = 3
SETTLED = 7			# seconds; an idle MSA connection is given back in 5
TELL = re.compile(r"(\w+)=([\d.]+)")


class LoadFailed(RuntimeError):
    """A reply was not what it should be."""


class Bench:
    """The sink, and the subjects that could be started."""

    def __init__(self, run, stack, **options):
        self.run, self.stack = run, stack
        self.space = room("bench")
        stack.callback(shutil.rmtree, self.space, ignore_errors=True)
        authority = Authority(self.space / "ca")
        self.certificate = subjects.copied(
            authority.issue("server", (subjects.HOSTNAME, "localhost")),
            self.space)
        self.sink = stack.enter_context(
            subjects.Sink(self.space / "sink", run.build))
        self.options = options
        self.subjects = {}

    def start(self, *names):
        wanted = os.environ.get("SUBJECTS", "").split() or names
        for name in names:
            if name not in wanted:
                continue
            try:
                self.subjects[name] = self.add(name)
            except PeerMissing as problem:
                self.run.note(f"{self.run.name}: without {name}: {problem}")
        return self

    def add(self, name, where=None, **options):
        return self.stack.enter_context(subjects.ALL[name](
            self.space / (where or name), self.sink, self.certificate,
            **options))

    def command(self, subject, kind, words, processors=(machine.LOAD,)):
        kind = kind or ("starttls" if subject.clear else "implicit")
        return machine.pinned(
            [self.run.build / "bench" / "load", str(subject.ports[kind]),
             f"tls={kind}", f"users={len(subjects.USERS)}",
             *(f"{name}={value}" for name, value in words.items())],
            processors)

    def load(self, subject, kind=None, processors=(machine.LOAD,), **words):
        """What one load came to: its own words, and the server's CPU."""
        arrived = subject.arrived()
        before = machine.cpu_seconds(subject.pid)
        done = subprocess.run(
            self.command(subject, kind, words, processors), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        subject.settle()
        after = machine.cpu_seconds(subject.pid)
        if done.returncode != 0:
            raise LoadFailed(f"{subject.name}: {done.stderr.strip()}")
        told = told_by(done.stdout)
        if arrived is not None and \
                subject.arrived() - arrived != told["messages"]:
            raise LoadFailed(f"{subject.name}: the sink has another count")
        return {**told, "cpu": after - before}

    def try_load(self, subject, **words):
        """A run with an error does not count; another is made."""
        for left in reversed(range(ATTEMPTS)):
            try:
                return self.load(subject, **words)
            except LoadFailed as problem:
                self.run.note(f"{self.run.name}: not counted: {problem}")
                if not left:
                    raise
        return None

    def turns(self, measure, turns=TURNS):
        """measure(subject) for each of them in turn: name -> figures.  A
        subject that fails is left out."""
        figures = {name: [] for name in self.subjects}
        total = turns * len(figures)
        for turn in range(turns):
            for at, (name, subject) in enumerate(self.subjects.items()):
                self.run.progress(turn * len(self.subjects) + at, total)
                if name not in figures:
                    continue
                try:
                    figures[name].append(measure(subject))
                except LoadFailed:
                    if name == "waybill":
                        raise
                    del figures[name]
        return figures


def told_by(text):
    return {name: float(value) for name, value in TELL.findall(text)}


@contextlib.contextmanager
def bench(run, *names):
    with contextlib.ExitStack() as stack:
        yield Bench(run, stack).start(*names)


def ratios(figures, one, other):
    """Turn by turn; those of one turn met the same machine.  Empty where the
    other missed a turn."""
    if len(figures.get(other, [])) != len(figures[one]):
        return []
    return [a / b for a, b in zip(figures[one], figures[other])]


def tell(run, name, unit, figures, against):
    """The figures of each subject, and the ratio that the case is for."""
    ratio = ratios(figures, "waybill", against)
    if ratio:
        run.result(f"{run.name}_{name}_vs_{against}", ratio)
    for subject, values in figures.items():
        run.result(f"{run.name}_{name}_{unit}_{subject}", values)
    run.compare(f"{run.name}: {name} {unit}", figures)


def add_to(figures, more):
    for name, values in more.items():
        figures.setdefault(name, []).extend(values)


EVERYONE = ("waybill", "nginx", "haproxy", "dovecot", "postfix")
SLOW = {"dovecot": 2, "postfix": 8}	# given that much less to do


def throughput(run, per, unit, clients, sessions, **words):
    """CPU of so much work; per(told) says how much it was."""
    def measure(subject):
        some = max(4, sessions // SLOW.get(subject.name, 1))
        told = bed.try_load(subject, clients=min(clients, some),
                            sessions=some, **words)
        return told["cpu"] / per(told)

    figures = {}
    for _ in range(STARTS):
        with bench(run, *EVERYONE) as bed:
            for subject in bed.subjects.values():	# warm: caches, accounts
                bed.try_load(subject, clients=4, sessions=16)
            add_to(figures, bed.turns(measure, TURNS_OF_START))
    tell(run, "cpu", unit, figures, "nginx")


def thousands(told):
    return told["messages"] / 1000


def short(run):
    """One message a session, 32 clients."""
    throughput(run, thousands, "s_per_1000", 32, 1600)


def long(run):
    """A hundred messages a session, 32 clients."""
    throughput(run, thousands, "s_per_1000", 32, 96, messages=100)


def pipelined(run):
    """The same, MAIL, RCPT and DATA in one write."""
    throughput(run, thousands, "s_per_1000", 32, 96, messages=100,
               pipelined=1)


LARGE = 10 << 20


def large(run):
    """Messages of 10 MB, 4 clients."""
    throughput(run, lambda told: told["messages"] * LARGE / 1e9, "s_per_gb",
               4, 48, size=LARGE)


def login(run):
    """Connect to AUTH done, one client.  HAProxy knows no STARTTLS, which
    costs its users two round trips less: Waybill is measured both ways."""
    with bench(run, *EVERYONE) as bed:
        for subject in bed.subjects.values():
            bed.try_load(subject, clients=1, sessions=20)
        figures = bed.turns(lambda subject: bed.try_load(
            subject, sessions=200)["login_p50_ms"])
        inside = bed.turns(lambda subject: bed.try_load(
            subject, sessions=200, kind="implicit")["login_p50_ms"]
            if "implicit" in subject.ports else 0)
    tell(run, "p50", "ms", figures, "haproxy")
    if inside.get("haproxy"):
        run.result("login_implicit_p50_vs_haproxy",
                   ratios(inside, "waybill", "haproxy"))


def latency(run):
    """A message of one client, from MAIL to the reply to its end: what it
    takes longer than through HAProxy, and what a sync takes here."""
    syncs = []

    def measure(subject):
        before = machine.sync_ms(subject.dir)
        told = bed.try_load(subject, sessions=4, messages=150)
        if subject.name == "waybill":
            syncs.append((before + machine.sync_ms(subject.dir)) / 2)
        return told["message_p50_ms"]

    with bench(run, "waybill", "haproxy", "nginx", "dovecot") as bed:
        for subject in bed.subjects.values():
            bed.try_load(subject, sessions=4, messages=20)
        figures = bed.turns(measure)
    added = [a - b for a, b in zip(figures["waybill"],
                                   figures.get("haproxy", []))]
    if added:
        run.result("added_latency_ms", added)
        run.result("added_latency_less_sync_ms",
                   [a - b for a, b in zip(added, syncs)])
    run.result("latency_fdatasync_ms", syncs)
    for name, values in figures.items():
        run.result(f"latency_message_p50_ms_{name}", values)
    run.compare("latency: message p50 ms", figures)


@contextlib.contextmanager
def idling(bed, subject, count, **words):
    """count sessions are logged in and stay; .communicate() goes on."""
    words = {"clients": 32, "seconds": 240, **words, "idle": count}
    held = subprocess.Popen(
        bed.command(subject, None, words), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE)
    try:
        if held.stdout.readline() != "idle\n":
            raise LoadFailed(f"{subject.name}: {held.communicate()[1]}")
        yield held
    finally:
        if held.poll() is None:
            held.kill()
        held.wait()


def go_on(subject, held):
    said, problem = held.communicate("go on\n")
    if held.returncode != 0:
        raise LoadFailed(f"{subject.name}: {problem.strip()}")
    return told_by(said)


def idle(run):
    """What a logged-in session that says nothing holds."""
    count = {"postfix": 100, "dovecot": 1000}

    def measure(subject):
        many = count.get(subject.name, 2000)
        bed.try_load(subject, clients=32, sessions=64)
        time.sleep(1)
        before = machine.memory_kib(subject.pid)
        with idling(bed, subject, many, sessions=0) as held:
            time.sleep(SETTLED)
            kib = (machine.memory_kib(subject.pid) - before) / many
            go_on(subject, held)
        return kib

    figures = {}
    for _ in range(STARTS):	# what a server held it seldom gives back
        with bench(run, *EVERYONE) as bed:
            add_to(figures, bed.turns(measure, 1))
    tell(run, "memory", "kib", figures, "haproxy")


CROWD = 10000


def busy(run):
    """How long the messages of 32 busy clients take (99 of 100 less) while
    10,000 others are logged in and idle, against none."""
    words = {"clients": 32, "sessions": 96, "messages": 50}
    alone, crowded = [], []
    with bench(run, "waybill") as bed:
        subject = bed.subjects["waybill"]
        bed.try_load(subject, **words)
        for turn in range(TURNS):
            run.progress(turn, TURNS)
            alone.append(bed.try_load(subject, **words)["message_p99_ms"])
            with idling(bed, subject, CROWD, **words) as held:
                time.sleep(SETTLED)
                crowded.append(go_on(subject, held)["message_p99_ms"])
    run.result("busy_p99_with_idle", [a / b for a, b in zip(crowded, alone)])
    run.result("busy_p99_ms_alone", alone)
    run.result("busy_p99_ms_crowded", crowded)
    run.compare("busy: message p99 ms", {"alone": alone, "crowded": crowded})


def two_workers(run):
    """Messages a CPU second of two workers on two processors, against one
    on the same.  The load shares the processors, so the CPU is what counts,
    and it must disturb both alike."""
    both = (machine.LOAD, machine.SERVER)

    def measure(subject):
        told = bed.try_load(subject, clients=32, sessions=96, messages=100)
        return told["messages"] / told["cpu"]

    with bench(run) as bed:
        bed.subjects = {
            "one": bed.add("waybill", "one", processors=both),
            "two": bed.add("waybill", "two", workers=2, processors=both)}
        for subject in bed.subjects.values():
            bed.try_load(subject, clients=32, sessions=32)
        figures = bed.turns(measure)
    run.result("two_workers", ratios(figures, "two", "one"))
    for name, values in figures.items():
        run.result(f"two_workers_messages_per_cpu_s_{name}", values)
    run.compare("two_workers: messages a CPU second", figures)

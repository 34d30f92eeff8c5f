"""What a server costs: the processor time and the memory of all its
processes, read from /proc; and the processors that server and load are
pinned to."""

import os
import pathlib
import statistics
import tempfile
import time

PROCESSORS = sorted(os.sched_getaffinity(0))
LOAD, SERVER = PROCESSORS[0], PROCESSORS[-1]
TICK = 1 / os.sysconf("SC_CLK_TCK")


def pinned(command, processors=(SERVER,)):
    """The command on these processors only; exec keeps the pid."""
    return ["taskset", "-c", ",".join(map(str, processors)), *command]


def stat_fields(pid):
    """What follows the name in /proc/PID/stat: [0] is field 3, the state."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def tree(root):
    """The pids of a server: its session and all that descend from it."""
    rows = {}
    for entry in os.listdir("/proc"):
        fields = stat_fields(entry) if entry.isdigit() else None
        if fields and fields[0] != "Z":
            rows[int(entry)] = (int(fields[1]), int(fields[3]))
    found = {pid for pid, (_, session) in rows.items()
             if session == root or pid == root}
    while True:
        more = {pid for pid, (parent, _) in rows.items()
                if parent in found} - found
        if not more:
            return found
        found |= more


def cpu_seconds(root):
    """User and system time of a server; its dead children's, too, which
    /proc has in ticks only."""
    pids = tree(root)
    dead = sum(sum(map(int, one[13:15]))
               for one in filter(None, map(stat_fields, pids)))
    return TICK * dead + sum(map(process_seconds, pids))


def process_seconds(pid):
    """By its CPU clock, as clock_getcpuclockid(3) numbers it."""
    try:
        return time.clock_gettime(~pid << 3 | 2)
    except OSError:
        return 0


def memory_kib(root):
    """What its processes hold: pages that several share count in part."""
    return sum(map(process_kib, tree(root)))


def process_kib(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in text.splitlines()
               if line.startswith(("Pss:", "SwapPss:")))


def sync_ms(directory, times=300):
    """The middle time of an fdatasync after a record's worth of a log."""
    took = []
    with tempfile.TemporaryFile(dir=directory) as log:
        for _ in range(times):
            os.write(log.fileno(), b"x" * 700)
            began = time.monotonic()
            os.fdatasync(log.fileno())
            took.append((time.monotonic() - began) * 1000)
    return statistics.median(took)

"""Cases that are programs in C: run several times, their words read."""

import re
import subprocess

import machine

TIMES = 5
LINES = 500000
PAIRS, USERS = 20032, 1000
MANY = 1000000			# accounts


def words_of(run, program, *arguments):
    done = subprocess.run(
        machine.pinned([run.build / "bench" / program, *map(str, arguments)]),
        text=True, check=False, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, timeout=400)
    if done.returncode != 0:
        raise RuntimeError(f"{program}: {done.stderr}")
    return done.stdout


def number(text, pattern):
    return float(re.search(pattern, text)[1])


def feed_lines(run):
    """Lines of a Postfix log read and joined in a second, on one core."""
    kinds = ("syslog", "rfc3339")
    for at, kind in enumerate(kinds):
        speeds = []
        for i in range(TIMES):
            run.progress(at * TIMES + i, len(kinds) * TIMES)
            text = words_of(run, "feed_bench", LINES,
                            *([kind] if kind == "rfc3339" else []))
            speeds.append(number(text, r"(\d+) lines/s"))
        run.result("feed_lines_per_s" if at == 0 else
                   f"feed_lines_{kind}_per_s", speeds)


PAIR_FIGURES = {"pairs_per_s": r": (\d+) a second,",
                "pairs_per_cpu_s": r"(\d+) a second of CPU",
                "longest_commit_ms": r"longest commit ([\d.]+) ms"}


def keeper(run):
    """Messages minted and settled, by the keeper alone, 64 in flight, with a
    million accounts; and what it costs to look for one, with a thousand."""
    run.progress(0, TIMES + 2)
    text = words_of(run, "keeper_bench", PAIRS, MANY, TIMES)
    for name, pattern in PAIR_FIGURES.items():
        run.result(f"keeper_{name}",
                   [float(one) for one in re.findall(pattern, text)])
    figures = {f"small_{name}": pattern
               for name, pattern in PAIR_FIGURES.items()}
    figures.update(list_us=r"LIST: (\d+) us",
                   show_nothing_us=r"SHOW of nothing: (\d+) us")
    found = {name: [] for name in figures}
    for i in range(TIMES):
        run.progress(i + 2, TIMES + 2)
        text = words_of(run, "keeper_bench", PAIRS, USERS, 1)
        for name, pattern in figures.items():
            found[name].append(number(text, pattern))
        for kind, value in re.findall(r"STATUS (\w+): ([\d.]+) us", text):
            found.setdefault(f"status_{kind}_us", []).append(float(value))
    for name, values in found.items():
        run.result(f"keeper_{name}", values)

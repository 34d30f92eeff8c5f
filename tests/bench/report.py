"""The tables of a run: what each subject needed, every figure with its least
and its greatest value, and where Waybill stands against its goals."""

# name: what it is to be, and where it is certainly missed
GOALS = {
    "short_cpu_vs_nginx": (0.9, 1.1),
    "long_cpu_vs_nginx": (1.0, 1.4),
    "pipelined_cpu_vs_nginx": (1.0, 1.5),
    "large_cpu_vs_nginx": (0.7, 0.9),
    "login_p50_vs_haproxy": (1.0, 1.3),
    "added_latency_less_sync_ms": (0.2, 0.7),
    "idle_memory_vs_haproxy": (0.9, 1.2),
    "busy_p99_with_idle": (1.1, 1.5),
    "two_workers": (0.95, 0.8),
    "keeper_pairs_per_s": (30000, 12000),
}


def verdict(name, value):
    goal, missed = GOALS[name]
    sign = 1 if goal < missed else -1
    if sign * value <= sign * goal:
        return "met"
    return "missed" if sign * value > sign * missed else "near"


def columns(rows):
    """Words in columns, the first to the left."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ["  ".join(word.rjust(width) if at else word.ljust(width)
                      for at, (word, width) in enumerate(zip(row, widths)))
            .rstrip() for row in rows]


def subjects_table(runs):
    """A row for each plotted case, a column for each subject."""
    rows = [(title, figures) for run in runs
            for title, figures in run.compared]
    names = list(dict.fromkeys(name for _, figures in rows
                               for name in figures))
    if not rows:
        return []
    return columns([["", *names]] + [
        [title, *(f"{middle(figures[name]):.4g}" if name in figures else "-"
                  for name in names)] for title, figures in rows]) + [""]


def middle(values):
    return sorted(values)[len(values) // 2]


def goals_table(results):
    rows = [[name, f"{value:.4g}", f"{low:.4g}", f"{high:.4g}",
             f"{GOALS[name][0]:g}", verdict(name, value)]
            for name, value, low, high in results if name in GOALS]
    if not rows:
        return []
    return columns([["against the goals", "value", "min", "max", "goal",
                     ""]] + rows) + [""]


def line(result):
    return "bench {} {:.6g} {:.6g} {:.6g}".format(*result)


def text(runs):
    results = [row for run in runs for row in run.results]
    return "\n".join(subjects_table(runs) + goals_table(results) +
                     list(map(line, results)) + [""] +
                     [note for run in runs for note in run.notes]) + "\n"

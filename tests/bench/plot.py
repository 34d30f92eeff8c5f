"""A bar for each subject, with a line from its least to its greatest value,
as SVG."""

import html
import statistics

WIDTH, LEFT, ROW, TOP = 640, 110, 34, 44
COLOURS = {"waybill": "#2b6cb0"}


def bar(at, name, values, scale):
    y = TOP + at * ROW
    value = statistics.median(values)
    low, high = (LEFT + scale * one for one in (min(values), max(values)))
    centre = y + 11
    return (f'<text x="{LEFT - 8}" y="{y + 16}" text-anchor="end">'
            f"{html.escape(name)}</text>"
            f'<rect x="{LEFT}" y="{y}" width="{scale * value:.1f}" '
            f'height="22" fill="{COLOURS.get(name, "#a0aec0")}"/>'
            f'<path d="M{low:.1f} {centre}H{high:.1f}" stroke="#1a202c"/>'
            f'<text x="{high + 8:.1f}" y="{y + 16}">{value:.4g}</text>')


def svg(title, figures):
    figures = {name: values for name, values in figures.items() if values}
    most = max(max(values) for values in figures.values()) or 1
    scale = (WIDTH - LEFT - 80) / most
    bars = "\n".join(bar(at, name, values, scale)
                     for at, (name, values) in enumerate(figures.items()))
    height = TOP + ROW * len(figures) + 10
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
            f'height="{height}" font-family="sans-serif" font-size="13">\n'
            f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>\n'
            f'<text x="10" y="24" font-size="15">{html.escape(title)}'
            f"</text>\n{bars}\n</svg>\n")

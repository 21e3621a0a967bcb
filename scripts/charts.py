"""Draw the picture and the chart of README and docs from measured figures.

    python scripts/charts.py

Reads bench/results, writes docs/assets/*.svg: the same input, the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

ROOT = Path(__file__).parent.parent
ASSETS = ROOT / "docs" / "assets"

STYLE = """<style>
text { font: 14px system-ui, sans-serif; fill: #24292f }
.small { font-size: 12px; fill: #57606a }
.bold { font-weight: 600 }
.ours { fill: #0a7d5a } .theirs { fill: #8c959f } .copy { fill: #c4ccd4 }
.box { fill: none; stroke: #8c959f } .main { stroke: #0a7d5a; stroke-width: 2 }
.line { stroke: #8c959f; fill: none }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .small { fill: #9da7b1 }
.ours { fill: #3fb98f } .copy { fill: #4b535d } .main { stroke: #3fb98f } }
</style>"""

Bar = tuple[str, str, float]
"""A label, a class of `STYLE`, and seconds."""


def main() -> None:
    """Write all drawings."""
    ASSETS.mkdir(parents=True, exist_ok=True)
    for name, drawing in drawings().items():
        (ASSETS / name).write_text(drawing, encoding="utf-8")


def drawings() -> dict[str, str]:
    """Every drawing by its file name."""
    return {"edits.svg": edits_chart(), "overview.svg": overview()}


def edits_chart() -> str:
    """Seconds that edits take here, in lerobot, and of copying the packets of the result."""
    groups = [
        ("Delete 2 of 20 episodes (2 cameras, AV1)", _edit("delete av1")),
        ("Split 20 episodes into train and val", _edit("split av1")),
        ("Merge 20 datasets of 50 MB", _edit("merge sessions")),
        ("Convert v2.1 to v3.0 (40 episodes, 125 MB)", _conversion()),
    ]
    longest = max(seconds for _, bars in groups for _, _, seconds in bars)
    left, width, height = 170, 400, 22
    parts, y = [], 10
    for title, bars in groups:
        parts.append(_text(10, y + 16, title, "bold"))
        y += 26
        for label, kind, seconds in bars:
            length = max(2.0, width * seconds / longest)
            parts.append(_text(left - 10, y + 14, label, "small", anchor="end"))
            parts.append(
                f'<rect class="{kind}" x="{left}" y="{y + 2}" width="{length:.1f}" height="16" rx="2"/>'
            )
            parts.append(
                _text(
                    left + length + 8, y + 15, f"{seconds:.{1 if seconds >= 10 else 2}f} s", "small"
                )
            )
            y += height
        y += 12
    return _svg(680, y, parts, "Seconds that edits take with roboreel and with lerobot")


def _edit(case: str) -> list[Bar]:
    cases = _results("edit")["cases"]
    return list(_bars(next(one for one in cases if one["case"] == case)["results"]))


def _conversion() -> list[Bar]:
    results = _results("peer")["results"]
    return list(_bars(one for one in results if one["direction"] == "whole process"))


def _bars(results: Any) -> Iterator[Bar]:
    medians = {one["contender"]: one["median"]["seconds"] for one in results}
    for contender, label, kind in (
        ("roboreel", "roboreel", "ours"),
        ("ffmpeg -c copy", "ffmpeg -c copy", "copy"),
        ("lerobot", "lerobot 0.6.1", "theirs"),
    ):
        if contender in medians:
            yield label, kind, medians[contender]


def _results(name: str) -> Any:
    return json.loads((ROOT / "bench/results" / f"{name}.json").read_bytes())


def overview() -> str:
    """What goes in and what comes out."""
    columns = (
        (10, ("Robot", "Hub", "v2.0, v2.1, v3.0", "many workers"), "box"),
        (470, ("v2.0, v2.1, v3.0", "NumPy batches", "PyTorch loaders", "reports as JSON"), "box"),
    )
    parts = []
    for x, words, kind in columns:
        for row, word in enumerate(words):
            y = 14 + row * 46
            parts.append(_box(x, y, 150, 34, kind))
            parts.append(_text(x + 75, y + 22, word, "", anchor="middle"))
            ends = (x + 150, 250) if x < 250 else (390, x)
            parts.append(
                _arrow(ends[0], y + 17, ends[1], 97) if x < 250 else _arrow(390, 97, x, y + 17)
            )
    parts.append(_box(250, 14, 140, 172, "box main"))
    parts.append(_text(320, 44, "roboreel", "bold", anchor="middle"))
    for row, word in enumerate(
        ("check, repair", "edit as a view", "copy packets,", "no re-encoding")
    ):
        parts.append(_text(320, 80 + row * 26, word, "small", anchor="middle"))
    return _svg(
        630, 200, parts, "Datasets go in, are checked and edited, and come out or are trained on"
    )


def _box(x: float, y: float, width: float, height: float, kind: str) -> str:
    return f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>'


def _arrow(x: float, y: float, to_x: float, to_y: float) -> str:
    middle = (x + to_x) / 2
    return f'<path class="line" d="M{x} {y} C{middle:g} {y} {middle:g} {to_y} {to_x} {to_y}"/>'


def _text(x: float, y: float, text: str, kind: str, *, anchor: str = "start") -> str:
    return f'<text x="{x:g}" y="{y:g}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(width: int, height: int, parts: Sequence[str], title: str) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
        f' role="img"><title>{escape(title)}</title>'
    )
    return "\n".join([head, STYLE, *parts, "</svg>", ""])


if __name__ == "__main__":
    main()

"""What values show of themselves at the prompt and in notebooks."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import roboreel
from roboreel.errors import Problem
from roboreel.summary.summary import Summary, by_rule, named, shortened, warned
from roboreel.testing import Camera, make_dataset
from tests.command import run_here


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cameras = {"observation.images.top": Camera(height=64), "wrist": Camera(height=32)}
    folder = tmp_path_factory.mktemp("made") / "set"
    return make_dataset(folder, version="v2.1", episodes=(12, 8, 10, 5), cameras=cameras)


@pytest.fixture
def dataset(made: Path) -> roboreel.Dataset:
    opened = roboreel.open(made)
    assert isinstance(opened, roboreel.Dataset)
    return opened


def test_a_dataset_shows_its_counts(dataset: roboreel.Dataset, made: Path) -> None:
    assert repr(dataset).splitlines() == [
        "Dataset 'set' (v2.1)",
        f"  path      {made}",
        "  episodes  4 episodes, 35 frames at 30 fps (1 s)",
        "  robot     so101_follower",
        "  cameras   top 160×64 h264, wrist 160×32 h264",
        "  features  observation.state (float32 6), action (float32 6), next.reward (float32),"
        " next.done (bool)",
        "  tasks     4: 'pick up the red cube', 'fold the towel', 'öffne die Schublade' and 1 more",
    ]


def test_a_view_shows_what_it_does_and_what_comes_of_it(dataset: roboreel.Dataset) -> None:
    view = dataset.delete([1]).trim({0: (2, None)}).rename({"action": "act"})
    lines = repr(view).splitlines()
    assert lines[0].endswith("of 'set' (v2.1)")
    assert [line.strip() for line in lines[1:5]] == [
        "edits     delete 1 of 4 episodes (1)",
        "trim 1 of 3 episodes (0)",
        "rename action → act",
        "episodes  3 episodes, 25 frames at 30 fps (1 s)",
    ]
    assert "act (float32 6)" in repr(view)
    assert "and 4 more edits" in repr(view.shuffle(seed=1).resample(15).remove("act"))


EDITS: dict[str, Any] = {
    "as it is": lambda d: d.as_view(),
    "delete 1": lambda d: d.delete([1]),
    "delete 2": lambda d: d.delete([2]),
    "keep": lambda d: d.keep([0, 2]),
    "trim": lambda d: d.trim({0: (1, None)}),
    "trim more": lambda d: d.trim({0: (2, None)}),
    "shuffle 1": lambda d: d.shuffle(seed=1),
    "shuffle 2": lambda d: d.shuffle(seed=2),
    "reorder": lambda d: d.reorder([3, 2, 1, 0]),
    "rename": lambda d: d.rename({"action": "act"}),
    "remove": lambda d: d.remove("action"),
    "add zeros": lambda d: d.add("extra", [0.0] * 35),
    "add ones": lambda d: d.add("extra", [1.0] * 35),
    "tasks": lambda d: d.set_tasks("one"),
    "other tasks": lambda d: d.set_tasks("two"),
    "resample": lambda d: d.resample(15),
    "encode": lambda d: d.encode({"wrist": roboreel.Encoding()}),
    "encode finer": lambda d: d.encode({"wrist": roboreel.Encoding(crf=20)}),
    "decode": lambda d: d.decode("wrist"),
    "recompute": lambda d: d.recompute(["action"]),
    "splits": lambda d: d.as_splits({"a": [0, 1], "b": [2, 3]}),
    "other splits": lambda d: d.as_splits({"a": [0], "b": [1, 2, 3]}),
    "target": lambda d: d.with_target("v3.0"),
    "merge": lambda d: roboreel.concat([d, d.delete([1])]),
    "merge others": lambda d: roboreel.concat([d, d.delete([2])]),
}


def test_different_views_look_different(dataset: roboreel.Dataset) -> None:
    shown = {name: repr(edit(dataset)) for name, edit in EDITS.items()}
    assert len(set(shown.values())) == len(EDITS)
    assert all(2 <= len(text.splitlines()) <= 10 for text in shown.values())
    assert all(len(line) < 120 for text in shown.values() for line in text.splitlines())
    again = {name: repr(edit(dataset)) for name, edit in EDITS.items()}
    assert again == shown


def test_views_that_no_file_can_hold_look_different(
    dataset: roboreel.Dataset, made: Path, tmp_path: Path
) -> None:
    videos = sorted(made.rglob("wrist/*.mp4"))
    first = roboreel.add_video(dataset.as_view(), "side", [str(path) for path in videos])
    assert "add camera side" in repr(first)
    assert repr(first) != repr(first.delete([0]))


@pytest.fixture
def reports(dataset: roboreel.Dataset, tmp_path: Path) -> dict[str, Any]:
    plan = roboreel.plan_write(
        dataset.delete([1]).encode({"wrist": roboreel.Encoding(vcodec="h264")}),
        out=tmp_path / "out",
    )
    return {
        "dataset": dataset,
        "view": dataset.delete([1]),
        "plan": plan,
        "report": roboreel.run(plan),
        "check": roboreel.check(dataset),
        "diff": roboreel.diff(dataset, tmp_path / "out"),
        "reader": roboreel.reader(dataset),
        "stats": roboreel.check_stats(dataset),
        "repair": roboreel.repair(dataset.url, dry_run=True),
    }


class _Table(HTMLParser):
    """The texts of a table's cells; fails if tags are not closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.cells: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in {"div", "b", "table", "tbody", "tr", "th", "td"}
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.cells.append(data)


def test_every_report_shows_a_few_lines_and_a_table(reports: dict[str, Any]) -> None:
    for name, value in reports.items():
        lines = repr(value).splitlines()
        assert 1 <= len(lines) <= 10, name
        table = _Table(value._repr_html_())
        assert table.cells[0] == lines[0]
        for line in lines[1:]:
            assert [cell for cell in table.cells if line.endswith(cell)], (name, line)


def test_a_plan_shows_files_bytes_frames_and_reasons(reports: dict[str, Any]) -> None:
    facts = dict(line.split(None, 1) for line in repr(reports["plan"]).splitlines()[1:])
    assert facts["result"] == "3 episodes, 27 frames"
    assert facts["files"] == "3 tables, 6 videos"
    assert facts["encoded"] == "27 frames of wrist"
    assert facts["read"].startswith("about ")
    assert facts["reasons"]


def test_a_report_shows_what_was_written(reports: dict[str, Any]) -> None:
    text = repr(reports["report"])
    assert "3 episodes, 27 frames" in text
    assert "27 packets copied, 27 frames re-encoded" in text


def test_html_is_escaped(tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "<b>&x", version="v2.1", episodes=(6, 4))
    html = roboreel.open(source)._repr_html_()
    assert "<b>&x" not in html.removeprefix("<div><b>")
    assert "Dataset '<b>&x' (v2.1)" in _Table(html).cells


def test_control_characters_are_shown_as_text() -> None:
    assert "\x1b" not in Summary("a\x1b[31m", [("b", "c\x1b[0m")]).text()


def test_long_values_are_cut() -> None:
    assert len(shortened("x" * 1000)) == 100
    assert named(range(6)) == "0, 1, 2, 3 and 2 more"
    assert named([]) == ""


def test_a_check_counts_by_rule_and_is_true_if_ok(tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "a", version="v2.1", episodes=(6, 4))
    sound = roboreel.check(source)
    assert sound
    sorted(source.rglob("*.mp4"))[0].unlink()
    broken = roboreel.check(source)
    assert not broken
    assert "errors    1: 1 × video.missing" in repr(broken)
    assert repr(broken).splitlines()[0].endswith("(v2.1): not ok")


def test_a_problem_is_one_line() -> None:
    problem = Problem(rule="video.short", severity="error", message="too short", episode=3)
    assert "\n" not in repr(problem)
    assert all(part in repr(problem) for part in ("error", "video.short", "too short", "3"))
    assert by_rule([problem, problem]) == "2: 2 × video.short"


def test_warnings_are_shown_as_they_read() -> None:
    def problem(message: str, column: str | None = None, **more: Any) -> Problem:
        given = {"rule": "r", "severity": "warning", "message": message, "column": column}
        return Problem(**{**given, **more})

    both = [problem("wrong", "a", action="do it"), problem("wrong", "b", action="do it")]
    assert warned(both) == ["wrong (a, b) → do it [r]"]
    assert warned([problem("fine", severity="note")]) == []
    many = [problem(str(number)) for number in range(5)]
    assert warned(many) == ["0 [r]", "1 [r]", "2 [r]", "… and 2 more: see .problems"]
    shown = Summary("title", [("a", "1")], ["<b> " + "x" * 200])
    assert shown.text().splitlines()[2] == "  - <b> " + "x" * 200
    assert shown.html().endswith(f"<div>&lt;b&gt; {'x' * 200}</div>")


def test_the_json_of_a_plan_is_that_of_a_dry_run(made: Path, tmp_path: Path) -> None:
    plan = roboreel.plan_convert(made, to="v3.0", out=tmp_path / "out")
    done = run_here("convert", made, "--to", "v3.0", "-o", tmp_path / "out", "--dry-run", "--json")
    assert json.loads(done.stdout) == json.loads(json.dumps(plan.to_json()))

"""What is told while a call works: in the words of users, within operations, to callbacks and in bars."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import roboreel
from roboreel import ProgressEvent
from roboreel.cli.shared.progress import progress_shown
from roboreel.cli.shared.reports import show_plan
from roboreel.executors.worker_options import ExecutorName
from roboreel.plan.plan import MeasureCamera
from roboreel.progress.bar import notebook_bar, shown_bar
from roboreel.progress.reporter import Reporter, begin_phase, reporting
from roboreel.progress.work_done import advance, telling
from roboreel.runner.plan_progress import PlanProgress, op_costs, op_frames
from roboreel.summary.words import duration, human_bytes
from roboreel.testing import Camera, make_dataset
from tests.oracle import tree_digest

INNER_WORDS = re.compile(r"\bops?\b|_|\d:\d|\bstretch|\bsurvey")
EXECUTORS: tuple[ExecutorName, ...] = ("serial", "thread", "process")


def _plan(tmp_path: Path, *, episodes: tuple[int, ...] = (6, 2, 4)) -> roboreel.Plan:
    cameras = {"top": Camera(height=32), "wrist": Camera(height=32)}
    source = make_dataset(tmp_path / "a", version="v2.0", episodes=episodes, cameras=cameras)
    (source / "README.md").write_text("mine", "utf-8")
    return roboreel.plan_convert(source, to="v2.1", out=tmp_path / "out")


def _costs(plan: roboreel.Plan) -> list[float]:
    return op_costs(plan, op_frames(plan))


def test_measuring_costs_by_frames_and_copying_by_bytes(tmp_path: Path) -> None:
    plan = _plan(tmp_path)
    costs = _costs(plan)
    measures = [isinstance(op, MeasureCamera) for op in plan.ops]
    measured = [cost for cost, is_one in zip(costs, measures, strict=True) if is_one]
    assert measured == [1e6 * frames + 1 for frames in (6, 2, 4)] * 2
    others = sum(costs) - sum(measured)
    assert others == pytest.approx(plan.input_bytes + measures.count(False))


def test_measuring_costs_by_the_frames_of_the_sample(tmp_path: Path) -> None:
    cameras = {"top": Camera(height=32)}
    source = make_dataset(tmp_path / "a", version="v2.0", episodes=(500, 50), cameras=cameras)
    view = roboreel.open(source).as_view()
    for every, frames in ((False, [int(500**0.75), 50]), (True, [500, 50])):
        again = view.recompute(["top"], cameras="all" if every else "sample")
        plan = roboreel.plan_write(again, out=tmp_path / "out")
        measures = [isinstance(op, MeasureCamera) for op in plan.ops]
        costs = [cost for cost, is_one in zip(_costs(plan), measures, strict=True) if is_one]
        assert costs == [1e6 * count + 1 for count in frames]


def test_what_an_earlier_run_did_is_not_counted(tmp_path: Path) -> None:
    plan, told = _plan(tmp_path), list[ProgressEvent]()
    costs, before = _costs(plan), {0, 2, 3}
    left = [number for number in range(len(plan.ops)) if number not in before]
    with reporting(Reporter(told.append, _steps(0.2))):
        progress = PlanProgress(plan=plan, done=before)
        for number in left:
            progress.finished(number)
    total = sum(costs[number] for number in left)
    first = costs[left[0]] / total
    assert told[0].fraction == pytest.approx(first)
    assert told[-1].fraction == 1.0
    assert "file 1 of 1" in {event.detail for event in told}


def test_measures_of_a_camera_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    show_plan(_plan(tmp_path), "text")
    lines = [
        line for line in capsys.readouterr().out.splitlines() if "statistics" in line.split()[:1]
    ]
    assert [line.split()[:4] for line in lines] == [
        ["statistics", "top", "all", "episodes"],
        ["statistics", "wrist", "all", "episodes"],
    ]


@pytest.mark.parametrize("executor", EXECUTORS)
def test_events_are_in_the_words_of_users_and_end_with_all(
    tmp_path: Path, executor: ExecutorName
) -> None:
    plan, told = _plan(tmp_path), list[ProgressEvent]()
    roboreel.run(plan, executor=executor, workers=2, progress=told.append)
    texts = [str(event) for event in told]
    assert not [text for text in texts if INNER_WORDS.search(text)]
    phases = dict.fromkeys(event.phase for event in told)
    assert {"writing tables", "copying videos of top", "copying other files"} <= phases.keys()
    assert "measuring camera statistics of wrist" in phases
    shares = [event.fraction for event in told if event.fraction is not None]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert all(event.done <= event.total for event in told)
    assert told[-1].phase == "checking the result"


def _moving(tmp_path: Path) -> roboreel.Plan:
    """A plan with one op of 60 frames that takes a while, as each frame is told."""
    source = make_dataset(
        tmp_path / "a", version="v2.1", episodes=(40, 20), cameras={"top": Camera(height=32)}
    )
    view = roboreel.open(source).encode({"top": roboreel.Encoding(vcodec="h264")})
    return roboreel.plan_write(view, out=tmp_path / "out")


@pytest.mark.parametrize("executor", EXECUTORS)
def test_events_move_within_an_operation(
    tmp_path: Path, executor: ExecutorName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roboreel.progress.work_done._INTERVAL_S", 0.0)
    monkeypatch.setattr("roboreel.progress.reporter._INTERVAL_S", 0.0)
    plan, told = _moving(tmp_path), list[ProgressEvent]()
    roboreel.run(plan, executor=executor, progress=told.append)
    seen = [event.done for event in told if event.phase == "encoding videos"]
    if executor == "process":  # its interval is that of a process of its own
        assert seen[-1] == 60
    else:
        assert seen == sorted(seen)
        assert len(set(seen)) >= 60
    assert {event.total for event in told if event.phase == "encoding videos"} == {60}


def test_workers_tell_at_most_five_times_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, told = iter(n * 0.01 for n in range(1000)), list[tuple[int, int]]()
    monkeypatch.setattr("roboreel.progress.work_done.time.monotonic", lambda: next(clock))
    with telling(lambda *seen: told.append(seen)):
        for _ in range(100):
            advance(frames=1, size_bytes=2)
    assert 4 <= len(told) <= 5
    assert told[-1][1] == 2 * told[-1][0]
    advance(frames=1)  # nobody listens
    assert len(told) <= 5


def test_bytes_are_those_without_progress(tmp_path: Path) -> None:
    plan = _plan(tmp_path)
    roboreel.run(plan, progress=False)
    before = tree_digest(tmp_path / "out")
    (tmp_path / "out").rename(tmp_path / "before")
    roboreel.run(plan, progress=lambda _: None, workers=2)
    assert tree_digest(tmp_path / "out") == before


@pytest.mark.sample(3)
@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("error", [ValueError("mine"), OSError(5, "mine"), KeyboardInterrupt()])
def test_an_exception_of_the_callback_ends_the_run(
    tmp_path: Path, executor: ExecutorName, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roboreel.progress.work_done._INTERVAL_S", 0.0)
    plan, calls = _moving(tmp_path), list[ProgressEvent]()
    before = tree_digest(tmp_path / "a")

    def stop(event: ProgressEvent) -> None:
        if event.done:
            calls.append(event)
            raise error

    with pytest.raises(type(error)) as caught:
        roboreel.run(plan, executor=executor, progress=stop)
    assert caught.value is error
    assert len(calls) == 1
    assert not (tmp_path / "out").exists()
    assert tree_digest(tmp_path / "a") == before
    report = roboreel.run(plan, leftovers="clean")
    assert report.frames == 60


def test_a_callback_must_be_one(tmp_path: Path) -> None:
    with pytest.raises(roboreel.UsageError, match="progress is 'bar', expected True "):
        roboreel.run(_plan(tmp_path), progress="bar")  # type: ignore[arg-type]  # what is refused
    assert not (tmp_path / "out").exists()


def test_check_tells_what_it_reads(tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "a", version="v3.0", episodes=(6, 4))
    told: list[ProgressEvent] = []
    roboreel.check(source, decode=True, progress=told.append)
    phases = list(dict.fromkeys(event.phase for event in told))
    assert phases[0] == "looking through tables"
    assert [one for one in phases if one.startswith("decoding frames of ")]
    assert {"reading tables", "reading video indexes", "comparing statistics"} <= {*phases}
    assert not [str(event) for event in told if INNER_WORDS.search(event.text.replace("_", " "))]


def test_planning_is_told_too(tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "a", version="v2.1", episodes=(6, 4))
    told: list[ProgressEvent] = []
    roboreel.convert(source, to="v3.0", out=tmp_path / "out", progress=told.append)
    assert told[0].text == "looking through tables, file 1 of 2"
    assert told[0].fraction == 0.0


def _steps(seconds: float) -> Callable[[], float]:
    """A clock that goes on by so much at every look."""
    times = iter(range(1_000_000))
    return lambda: next(times) * seconds


def test_speed_and_time_left() -> None:
    told: list[ProgressEvent] = []
    now = [0.0]
    reporter = Reporter(told.append, lambda: now[0])
    with reporting(reporter):
        phase = begin_phase("reading tables", total=100, unit="rows")
        now[0] = 2.0
        phase.add(40, frames=40)
    first, last = told
    assert (first.speed, first.time_left, first.seconds_left) == ("", "", None)
    assert last.text == "reading tables, row 41 of 100"
    assert last.frames_per_s == 20.0
    assert last.seconds_left == pytest.approx(3.0)
    assert str(last) == "reading tables, row 41 of 100, 20 frames/s, 3 s left"


def test_events_come_at_most_ten_times_a_second() -> None:
    told: list[ProgressEvent] = []
    with reporting(Reporter(told.append, _steps(0.01))):
        phase = begin_phase("reading tables", total=1000, unit="rows")
        for _ in range(1000):
            phase.add()
    assert 50 < len(told) <= 250


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (125, "2 min 5 s"), (12_000, "3 h 20 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1234567, "1.2 MB"), (3.2e11, "320 GB")]
)
def test_sizes(size: float, text: str) -> None:
    assert human_bytes(size) == text


def test_without_a_terminal_a_bar_is_a_line_per_phase(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    roboreel.run(_plan(tmp_path), progress=True)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(set(lines))
    assert "writing tables" in lines


class _Terminal:
    """A stream that claims to be a terminal."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        """Nothing is kept back."""

    def isatty(self) -> bool:
        return True


def _on_terminal(monkeypatch: pytest.MonkeyPatch) -> _Terminal:
    shown = _Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(sys, "stderr", shown)
    return shown


def test_a_bar_on_a_terminal_names_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _on_terminal(monkeypatch)
    with shown_bar() as show:
        show(ProgressEvent(phase="copying [b]videos", detail="episode 5 of 17", fraction=0.25))
        show(
            ProgressEvent(
                phase="copying [b]videos",
                detail="episode 6 of 17",
                fraction=0.5,
                bytes_per_s=3.5e7,
                seconds_left=65,
            )
        )
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.text)
    assert "copying [b]videos, episode 6 of 17" in plain
    assert "50% 35.0 MB/s, 1 min 5 s left" in plain


def test_a_command_shows_one_bar_and_none_if_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _on_terminal(monkeypatch)
    with progress_shown(quiet=True):
        begin_phase("reading tables")
    assert terminal.text == ""
    with progress_shown(quiet=False), progress_shown(quiet=False):
        begin_phase("reading tables")
    assert "reading tables" in terminal.text


class _Notebook:
    """What IPython gives a cell in a notebook."""

    def __init__(self) -> None:
        self.kernel = self
        self.shown: list[dict[str, str]] = []

    def display(self, content: dict[str, str], *, raw: bool, display_id: bool) -> _Notebook:
        assert raw
        assert display_id
        self.shown.append(content)
        return self

    def update(self, content: dict[str, str], *, raw: bool) -> None:
        assert raw
        self.shown.append(content)


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> _Notebook:
    shown = _Notebook()
    module: Any = SimpleNamespace(get_ipython=lambda: shown)
    monkeypatch.setitem(sys.modules, "IPython", module)
    monkeypatch.setitem(
        sys.modules,
        "IPython.display",
        SimpleNamespace(display=shown.display),
    )
    return shown


def test_a_bar_in_a_notebook_is_html_that_changes(tmp_path: Path, notebook: _Notebook) -> None:
    roboreel.run(_plan(tmp_path), progress=True)
    assert len(notebook.shown) > 3
    assert all("<progress" in one["text/html"] for one in notebook.shown)
    assert notebook.shown[0]["text/plain"].startswith("writing tables, episode")


def test_html_of_a_bar_is_sound() -> None:
    opened: list[str] = []
    texts: list[str] = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag != "br":
                opened.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert opened.pop() == tag

        def handle_data(self, data: str) -> None:
            texts.append(data)

    event = ProgressEvent(phase="copying videos of <b>&top", detail="episode 5 of 17", fraction=0.5)
    Parser().feed(notebook_bar(event))
    assert opened == []
    assert texts[0] == "copying videos of <b>&top, episode 5 of 17"
    assert texts[-1].strip() == "50%"


def test_phases_and_warnings_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = make_dataset(tmp_path / "a", version="v2.0", episodes=(6, 4))
    info = source / "meta" / "info.json"
    info.write_text(info.read_text("utf-8").replace('"total_frames": 10', '"total_frames": 11'))
    with caplog.at_level(logging.INFO, logger="roboreel"):
        report = roboreel.convert(source, to="v3.0", out=tmp_path / "out")
    said = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert ("INFO", "writing tables") in said
    assert len(said) == len(set(said))
    warned = [str(problem) for problem in report.problems if problem.severity == "warning"]
    assert warned
    assert {text for level, text in said if level == "WARNING"} >= {*warned}


def test_the_logger_is_quiet(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = make_dataset(tmp_path / "a", version="v2.0", episodes=(6, 4))
    handlers = logging.getLogger("roboreel.runs").handlers
    roboreel.convert(source, to="v3.0", out=tmp_path / "out")
    assert capfd.readouterr() == ("", "")
    assert [type(one) for one in handlers] == [logging.NullHandler]

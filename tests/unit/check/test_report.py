"""The report, the command, and what roboreel itself writes."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

import roboreel
from roboreel.cli.main import app
from roboreel.cli.text.output import typed_messages
from roboreel.format.rules import RULES
from roboreel.testing import FeatureSet, Version, make_dataset
from tests.command import run_here
from tests.mutate import (
    LFS_POINTER,
    edit_info,
    edit_lines,
    episode_table,
    episode_video,
    set_column,
)
from tests.unit.check.breaks import CAMERAS, TOP, column, in_each

VERSIONS: tuple[Version, ...] = ("v2.0", "v2.1", "v3.0")


class Done(NamedTuple):
    """What the command left."""

    exit_code: int
    stdout: str
    stderr: str


def command(*arguments: object) -> Done:
    """The command, run in this process."""
    done = CliRunner().invoke(app, ["check", *map(str, arguments)])
    return Done(done.exit_code, done.stdout, done.stderr)


def shell(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The command as a shell runs it: with its errors as messages and exit codes."""
    return run_here("check", *arguments)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    return make_dataset(tmp_path / "a", version="v2.1", episodes=(12, 11, 15), cameras=CAMERAS)


def test_a_clean_dataset_is_one_reassuring_line(made: Path) -> None:
    done = command(made)
    wanted = (
        f"checked {made}: v2.1, 3 episodes, 38 rows, 76 packets in 13 files: no problem found\n"
    )
    assert (done.exit_code, done.stdout, done.stderr) == (0, wanted, "")
    assert command(made, "--quiet").stdout == ""


def test_errors_come_first_and_many_of_one_rule_are_folded(made: Path) -> None:
    in_each(lambda episode: column(episode, "timestamp", lambda x: x + 0.05))(made)
    edit_info(made, total_frames=7)
    done = command(made)
    lines = done.stdout.splitlines()
    assert done.exit_code == 1
    assert lines[0] == "errors"
    assert lines[1].startswith("  the timestamps are up to")
    assert lines[2] == "    … and 2 more episodes"
    assert lines[3] == "warnings"
    assert [line for line in lines if "info.totals" in line]
    assert "3 errors" in lines[-1]
    assert max(map(len, lines)) < 400


def test_quiet_prints_errors_only(made: Path) -> None:
    edit_info(made, total_frames=7)
    assert (command(made, "-q").exit_code, command(made, "-q").stdout) == (0, "")
    episode_video(made, TOP, 1).write_bytes(LFS_POINTER)
    done = command(made, "-q")
    assert done.exit_code == 1
    assert done.stdout.splitlines()[0] == f"errors in {made}"
    assert "git-LFS pointer" in done.stdout
    assert "info.totals" not in done.stdout


def test_json_lists_every_problem(made: Path) -> None:
    in_each(lambda episode: column(episode, "timestamp", lambda x: x + 0.05))(made)
    done = command(made, "--json")
    found: dict[str, Any] = json.loads(done.stdout)
    assert (done.exit_code, done.stderr) == (1, "")
    assert found["ok"] is False
    assert found["version"] == "v2.1"
    assert (found["episodes"], found["rows"], found["packets"]) == (3, 38, 76)
    errors = [p for p in found["problems"] if p["severity"] == "error"]
    assert [(p["rule"], p["episode"]) for p in errors] == [
        ("table.timestamps", e) for e in range(3)
    ]
    assert found["errors"] == 3
    report = roboreel.check(made)
    assert typed_messages(report.to_json()) == found
    assert not report.ok


def test_what_cannot_be_opened_is_listed_without_a_traceback(made: Path) -> None:
    edit_info(made, features={"a": {"dtype": 1, "shape": [1]}, "b": {"dtype": "x", "shape": "y"}})
    done = command(made)
    assert (done.exit_code, done.stderr) == (1, "")
    assert done.stdout.count("dtype must be a string and shape a list") == 2
    report = roboreel.check(made)
    assert (report.version, report.episodes) == (None, 0)


def test_wrong_usage_is_told_from_a_folder_that_is_not_there(tmp_path: Path) -> None:
    done = shell()
    assert done.returncode == 2
    assert "SRC is missing" in done.stderr
    assert shell("--no-such-option").returncode == 2
    done = shell(tmp_path / "nowhere")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no such folder" in done.stderr
    with pytest.raises(roboreel.StorageError):
        roboreel.check(tmp_path / "nowhere")


def test_rules_are_printed_from_the_registry() -> None:
    lines = command("--rules").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(RULES)
    listed = json.loads(command("--rules", "--json").stdout)
    assert [(r["rule"], r["says"]) for r in listed] == [(r.id, r.says) for r in RULES.values()]


def test_an_open_dataset_is_checked_like_its_folder(made: Path) -> None:
    assert roboreel.check(roboreel.open(made)) == roboreel.check(made)


def test_rows_of_several_chunks_are_counted_over_their_ends(tmp_path: Path) -> None:
    """A column is read in chunks: an episode of three of them agrees with its statistics."""
    rows = 40_000
    root = make_dataset(tmp_path / "a", version="v2.1", episodes=(rows, 5), cameras={})
    assert roboreel.check(root).problems == ()
    path = episode_table(root, 0)
    values = np.arange(rows)
    values[30_000] = 7
    set_column(path, "index", pa.array(values))
    found = roboreel.check(root).problems
    assert [(p.rule, p.episode) for p in found if p.rule == "table.index"] == [("table.index", 0)]


@pytest.mark.sample(1)
@pytest.mark.parametrize("features", ["basic", "rich"])
@pytest.mark.parametrize("version", VERSIONS)
def test_what_roboreel_converts_is_clean(
    tmp_path: Path, version: Version, features: FeatureSet
) -> None:
    source = make_dataset(
        tmp_path / "source",
        version=version,
        episodes=(12, 1, 15),
        cameras=CAMERAS,
        features=features,
        tasks_per_episode=2,
    )
    assert roboreel.check(source, decode=True).problems == ()
    for target in VERSIONS:
        out = tmp_path / target
        roboreel.convert(source, to=target, out=out)
        assert roboreel.check(out, decode=True).problems == ()


def test_an_lfs_pointer_is_named_for_every_kind_of_file(made: Path) -> None:
    episode_table(made, 0).write_bytes(LFS_POINTER)
    episode_video(made, TOP, 1).write_bytes(LFS_POINTER)
    found = {(p.rule, p.episode) for p in roboreel.check(made).problems if "git-LFS" in p.message}
    assert found == {("table.readable", 0), ("video.readable", 1)}
    for name in ("meta/episodes.jsonl", "meta/info.json"):
        (made / name).write_bytes(LFS_POINTER)
        (problem,) = roboreel.check(made).problems
        assert (problem.rule, "git-LFS" in problem.message) == ("document.readable", True)


def test_the_worst_of_a_group_stands_for_all_in_text_and_json(made: Path) -> None:
    for episode, (rows, late) in enumerate(((12, 0.1), (11, 0.5), (15, 0.2))):
        times = pa.array(np.arange(rows, dtype=np.float32) / 30 + np.float32(late))
        set_column(episode_table(made, episode), "timestamp", times)
        frozen = pa.array([1.0] * rows, pa.float32())
        set_column(episode_table(made, episode), "next.reward", frozen)
    edit_lines(
        made / "meta/episodes.jsonl",
        lambda lines: [
            {**line, "length": line["length"] + off}
            for line, off in zip(lines, (1, 2, 7), strict=True)
        ],
    )
    report = roboreel.check(made)
    worst = {group.worst.rule: group.worst.episode for group in report.groups}
    assert (worst["table.timestamps"], worst["episode.length"]) == (1, 2)
    text = command(made).stdout
    assert "the timestamps are up to 0.5 s away from k / fps (k: frame number) (episode 1" in text
    assert "its declared length is 22, but its table has 15 rows (episode 2" in text
    groups = json.loads(command(made, "--json").stdout)["groups"]
    found = next(group for group in groups if group["rule"] == "table.timestamps")
    assert found["worst"]["episode"] == 1
    assert (found["count"], found["episodes"], found["severity"]) == (3, 3, "error")
    assert [g["worst"] for g in groups] == [
        typed_messages(g.worst.to_json()) for g in report.groups
    ]


def test_the_worst_video_of_a_group_stands_for_all(tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "a", version="v2.1", episodes=(12, 11, 15), cameras=CAMERAS)
    longer = make_dataset(tmp_path / "b", version="v2.1", episodes=(14, 19, 16), cameras=CAMERAS)
    for episode in range(3):
        shutil.copy(episode_video(longer, TOP, episode), episode_video(source, TOP, episode))
    worst = {group.worst.rule: group.worst.episode for group in roboreel.check(source).groups}
    assert worst["video.long"] == 1
    short = make_dataset(tmp_path / "c", version="v2.1", episodes=(10,), cameras=CAMERAS)
    for episode in range(3):
        shutil.copy(episode_table(longer, episode), episode_table(source, episode))
        shutil.copy(episode_video(short, TOP, 0), episode_video(source, TOP, episode))
    worst = {group.worst.rule: group.worst.episode for group in roboreel.check(source).groups}
    assert worst["video.short"] == 1


def test_the_worst_statistics_of_a_group_stand_for_all(tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "a", version="v2.1", episodes=(12, 11, 15), cameras=CAMERAS)
    edit_lines(source / "meta/episodes_stats.jsonl", _worse_in_the_second)
    worst = {
        (group.worst.rule, group.worst.column): group.worst.episode
        for group in roboreel.check(source).groups
    }
    assert worst["stats.agree", "action"] == 1
    assert worst["stats.order", "observation.state"] == 1
    assert worst["stats.count", "next.reward"] == 1
    assert worst["stats.camera-overflow", TOP] == 1


def _worse_in_the_second(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for line, off in zip(lines, (1, 9, 2), strict=True):
        stats = line["stats"]
        stats["action"]["mean"] = [value + off for value in stats["action"]["mean"]]
        stats["action"]["max"] = [value + off for value in stats["action"]["max"]]
        state = stats["observation.state"]
        state["min"] = [value + off for value in state["max"]]
        stats["next.reward"]["count"] = [stats["next.reward"]["count"][0] + off]
        camera = stats[TOP]
        camera["std"] = [[[0.0]]] * 3
        camera["q10"] = [[[value[0][0] - off / 100]] for value in camera["mean"]]
        camera["q90"] = [[[value[0][0] + off / 100]] for value in camera["mean"]]
    return lines

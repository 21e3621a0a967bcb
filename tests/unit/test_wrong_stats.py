"""Statistics that a known bug made wrong, or that contradict each other: how they are written and told."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import roboreel
from roboreel.cli.main import app
from roboreel.errors import Problem
from roboreel.format.causes import naming, remedy
from roboreel.testing import Camera, Version, make_dataset
from tests.mutate import copied, edit_json, edit_lines, set_column

LENGTHS = (12, 9, 15)
TOP, WRIST = "observation.images.top", "observation.images.wrist"
META = "meta/episodes/chunk-000/file-000.parquet"
OVERFLOW = "stats.camera-overflow"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cameras = {TOP: Camera(height=32), WRIST: Camera(height=32)}
    folder = tmp_path_factory.mktemp("sound")
    return make_dataset(folder / "a", version="v3.0", episodes=LENGTHS, cameras=cameras)


def zero_stds(root: Path, camera: str = TOP, episodes: Sequence[int] = (0, 1, 2)) -> None:
    """What lerobot 0.4.0 to 0.5.1 stores of episodes."""
    column = f"stats/{camera}/std"
    values = pq.read_table(root / META)[column]
    stds = values.to_pylist()
    for episode in episodes:
        stds[episode] = np.zeros_like(stds[episode]).tolist()
    set_column(root / META, column, pa.array(stds, values.type))


@pytest.fixture
def contradictory(sound: Path, tmp_path: Path) -> Path:
    """A dataset whose `stats.json` is right, and whose episodes have the bug."""
    root = copied(sound, tmp_path / "contradictory")
    zero_stds(root)
    return root


@pytest.fixture
def wrong(contradictory: Path, tmp_path: Path) -> Path:
    """A dataset as lerobot 0.4.4 writes it: `stats.json` is merged from the impossible ones."""
    root = copied(contradictory, tmp_path / "wrong")
    (root / "meta/stats.json").unlink()
    merged = roboreel.open(root).stats()
    stats = {n: {k: v.tolist() for k, v in parts.items()} for n, parts in merged.items()}
    (root / "meta/stats.json").write_text(json.dumps(stats), "utf-8")
    return root


def whole_std(root: Path, camera: str = TOP) -> Any:
    return roboreel.open(root).stats()[camera]["std"]


def told(problems: Sequence[roboreel.Problem]) -> list[roboreel.Problem]:
    return [problem for problem in problems if problem.rule == OVERFLOW]


Edit = Callable[[roboreel.Dataset], Any]
WHOLE: dict[str, Edit] = {
    "a copy": lambda d: d,
    "joined files": lambda d: d.with_target(regroup=True),
    "a rename": lambda d: d.rename({"observation.state": "observation.other"}),
    "v2.0": lambda d: d.with_target("v2.0"),
}


@pytest.mark.parametrize("edit", WHOLE.values(), ids=WHOLE)
def test_a_right_std_of_the_whole_dataset_stays(
    contradictory: Path, tmp_path: Path, edit: Edit
) -> None:
    right = whole_std(contradictory)
    report = roboreel.write(edit(roboreel.open(contradictory)), out=tmp_path / "out")
    np.testing.assert_allclose(whole_std(tmp_path / "out"), right, rtol=1e-9)
    (problem,) = told(report.problems)
    assert problem.severity == "warning"
    assert problem.column == TOP
    assert "3 of 3 episodes" in problem.message
    assert "stats.json" in str(problem.action)


def test_the_std_of_a_part_follows_that_of_the_whole(contradictory: Path, tmp_path: Path) -> None:
    sound = roboreel.open(contradictory).recompute([TOP], cameras="all").keep([0, 2])
    roboreel.write(sound, out=tmp_path / "right")
    roboreel.write(roboreel.open(contradictory).keep([0, 2]), out=tmp_path / "out")
    np.testing.assert_allclose(whole_std(tmp_path / "out"), whole_std(tmp_path / "right"), rtol=0.1)


def test_a_merge_weighs_a_source_by_its_right_std(
    contradictory: Path, sound: Path, tmp_path: Path
) -> None:
    for name, first in (("out", contradictory), ("right", sound)):
        view = roboreel.concat([roboreel.open(first), roboreel.open(sound)])
        roboreel.write(view, out=tmp_path / name)
    np.testing.assert_allclose(
        whole_std(tmp_path / "out"), whole_std(tmp_path / "right"), rtol=1e-9
    )


def test_a_version_without_a_place_for_it_gets_computed_ones(
    contradictory: Path, tmp_path: Path
) -> None:
    right = whole_std(contradictory)
    report = roboreel.convert(contradictory, to="v2.1", out=tmp_path / "out")
    assert report.measured == len(LENGTHS)
    np.testing.assert_allclose(whole_std(tmp_path / "out"), right, rtol=0.1)
    (problem,) = told(report.problems)
    assert "computed from their frames" in str(problem.action)
    assert told(roboreel.check(tmp_path / "out").problems) == []


def test_check_does_not_accuse_a_right_std_of_the_whole_dataset(
    contradictory: Path, wrong: Path
) -> None:
    assert [p.episode for p in told(roboreel.check(contradictory).problems)] == [0, 1, 2]
    assert [p.episode for p in told(roboreel.check(wrong).problems)] == [0, 1, 2, None]
    differences = roboreel.check_stats(contradictory).differences
    assert [one.episodes for one in differences if one.rule == OVERFLOW] == [(0, 1, 2)]


@pytest.mark.parametrize("version", ["v2.0", "v2.1", "v3.0"])
def test_wrong_ones_that_are_carried_are_told_with_the_remedy(
    wrong: Path, tmp_path: Path, version: Version
) -> None:
    plan = roboreel.plan_convert(wrong, to=version, out=tmp_path / "out")
    (problem,) = told(plan.problems)
    assert problem.severity == "warning"
    assert f"--recompute --features {TOP}" in str(problem.action)
    assert "0.4.0 to 0.5.1" in problem.message
    assert f"roboreel stats {tmp_path / 'out'} --recompute" in str(problem.action)
    assert told(roboreel.run(plan).problems) == [problem]


def test_the_remedy_at_a_url_writes_elsewhere() -> None:
    action = f"kept; {remedy([TOP])}"
    problem = Problem(rule=OVERFLOW, severity="warning", message="wrong", action=action)
    (named,) = naming("s3://bucket/out/", [problem])
    assert f"stats s3://bucket/out/ --recompute --features {TOP}" in str(named.action)
    assert "-o s3://bucket/out_stats'" in str(named.action)
    assert "--in-place" not in str(named.action)
    assert naming(None, [problem]) == (problem,)


def test_a_merge_tells_in_text_and_json(wrong: Path, sound: Path, tmp_path: Path) -> None:
    arguments = ["merge", str(sound), str(wrong), "-o", str(tmp_path / "out")]
    text = CliRunner().invoke(app, [*arguments, "--dry-run"])
    assert text.exit_code == 0
    assert "3 of 6 episodes" in text.stdout
    assert f"roboreel stats {tmp_path / 'out'} --recompute" in text.stdout
    report = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)
    assert [p["column"] for p in report["problems"] if p["rule"] == OVERFLOW] == [TOP]


def test_what_is_recomputed_or_left_out_is_not_told(wrong: Path, tmp_path: Path) -> None:
    dataset = roboreel.open(wrong)
    for at, view in enumerate((dataset.recompute([TOP]), dataset.remove(TOP))):
        assert told(roboreel.plan_write(view, out=tmp_path / f"{at}").problems) == []
    zero_stds(wrong, WRIST, episodes=[1])
    without = roboreel.open(wrong).delete([1])
    problems = told(roboreel.plan_write(without, out=tmp_path / "out").problems)
    assert [p.column for p in problems] == [TOP]


def test_python_warns_of_them_where_the_result_is_written(
    wrong: Path, contradictory: Path, tmp_path: Path
) -> None:
    dataset = roboreel.open(wrong)
    told = rf"out': the stored std of 2 of 2 .*\({TOP}\).*recompute before training"
    with pytest.warns(UserWarning, match=told) as found:
        report = roboreel.write(dataset.delete([0]), out=tmp_path / "out")
    assert [one.filename for one in found] == [__file__]
    assert repr(report).splitlines()[-1].removeprefix("  - ") in str(found[0].message)
    with pytest.warns(UserWarning, match="3 of 3"):
        roboreel.convert(wrong, to="v2.1", out=tmp_path / "older")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        roboreel.convert(contradictory, to="v2.1", out=tmp_path / "computed")


def test_sound_ones_are_not_told(sound: Path, tmp_path: Path) -> None:
    assert told(roboreel.plan_write(roboreel.open(sound), out=tmp_path / "out").problems) == []


def test_lines_of_v21_are_judged_too_and_name_no_release(wrong: Path, tmp_path: Path) -> None:
    roboreel.convert(wrong, to="v2.1", out=tmp_path / "v21")
    plan = roboreel.plan_convert(tmp_path / "v21", to="v3.0", out=tmp_path / "out")
    (problem,) = told(plan.problems)
    assert "overflowed at 256" in problem.message
    found = told(roboreel.check(tmp_path / "v21").problems)
    assert len(found) == 3
    assert all("lerobot" not in str(one) for one in (problem, *found))


def test_counts_of_pixels_are_told(sound: Path, tmp_path: Path) -> None:
    root = copied(sound, tmp_path / "a")
    column = f"stats/{TOP}/count"
    values = pq.read_table(root / META)[column]
    set_column(root / META, column, pa.array([[n * 32 * 48] for n in LENGTHS], values.type))
    plan = roboreel.plan_write(
        roboreel.concat([roboreel.open(sound), roboreel.open(root)]), out=tmp_path / "b"
    )
    (problem,) = [p for p in plan.problems if p.rule == "stats.count"]
    assert problem.column == TOP
    assert "3 of 6 episodes is larger than their number of rows" in problem.message
    assert "--recompute" in str(problem.action)


def test_diff_tells_statistics_of_the_whole_dataset_that_differ(
    contradictory: Path, wrong: Path
) -> None:
    report = roboreel.diff(contradictory, wrong)
    assert report.same
    (note,) = [note for note in report.notes if note.column == TOP]
    assert note.kind == "statistics"
    assert (note.column, note.episode) == (TOP, None)
    assert note.what.startswith("of the whole dataset: std 0.")
    assert roboreel.diff(wrong, wrong).notes == ()


def test_diff_tells_a_document_that_only_one_has(sound: Path, tmp_path: Path) -> None:
    root = copied(sound, tmp_path / "a")
    (root / "meta/stats.json").unlink()
    (note,) = roboreel.diff(sound, root).notes
    assert note.path == "meta/stats.json"
    assert "only the first" in note.what


def test_the_length_of_episodes_is_no_feature(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "a", version="v2.1", episodes=LENGTHS, cameras={})

    def change(lines: list[Any]) -> list[Any]:
        for line, length in zip(lines, LENGTHS, strict=True):
            values = {key: [length] for key in ("min", "max", "mean")}
            line["stats"]["length"] = {**values, "std": [0.0], "count": [1]}
        return lines

    edit_lines(root / "meta/episodes_stats.jsonl", change)
    plan = roboreel.plan_convert(root, to="v3.0", out=tmp_path / "out")
    (problem,) = [p for p in plan.problems if p.column == "length"]
    assert problem.severity == "note"
    assert "not a feature" in problem.message
    assert roboreel.check(root).problems == ()
    roboreel.run(plan)
    assert "length" not in roboreel.open(tmp_path / "out").stats()


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A v2.1 dataset with a `stats.json` of its own, as some trainers want it."""
    root = make_dataset(tmp_path / "own", version="v2.1", episodes=LENGTHS, cameras={})
    (root / "meta/stats.json").write_text(json.dumps({"action": {"mean": [1.5]}}), "utf-8")
    return root


def test_the_own_document_of_v21_is_kept_or_lost_by_name(own: Path, tmp_path: Path) -> None:
    dataset = roboreel.open(own)
    report = roboreel.write(dataset, out=tmp_path / "kept")
    assert report.losses == ()
    kept = (tmp_path / "kept/meta/stats.json").read_bytes()
    assert kept == (own / "meta/stats.json").read_bytes()
    others: dict[str, Any] = {
        "part": dataset.delete([0]),
        "renamed": dataset.rename({"action": "act"}),
        "trimmed": dataset.trim({0: (2, 9)}),
        "v3.0": dataset.with_target("v3.0"),
        "v2.0": dataset.with_target("v2.0"),
        "written": dataset.delete([0]).with_target(with_global_stats=True),
        "merged": roboreel.concat([dataset, dataset]),
    }
    for name, view in others.items():
        plan = roboreel.plan_write(view, out=tmp_path / name)
        found = [loss for loss in plan.losses if "meta/stats.json" in loss]
        assert len(found) == (2 if name == "merged" else 1), name


@pytest.mark.parametrize("version", ["v2.0", "v2.1", "v3.0"])
def test_v21_gets_a_document_of_the_whole_dataset_on_request(
    tmp_path: Path, version: Version
) -> None:
    root = make_dataset(tmp_path / "a", version=version, episodes=LENGTHS, cameras={TOP: Camera()})
    options = ["--to", "v2.1", "--with-global-stats", "-o"]
    for command in (["convert", str(root)], ["delete", str(root), "--episodes", "0"]):
        out = tmp_path / command[0]
        result = CliRunner().invoke(app, [*command, *options, str(out)])
        assert result.exit_code == 0, result.output
        stats = json.loads((out / "meta/stats.json").read_text("utf-8"))
        merged = roboreel.open(out).stats()
        assert stats.keys() == merged.keys()
        for name, parts in stats.items():
            assert list(parts) == ["mean", "std", "max", "min"]
            for key, value in parts.items():
                np.testing.assert_allclose(value, merged[name][key], rtol=1e-9, atol=1e-12)
        assert roboreel.check(out).problems == ()
    without = tmp_path / "without"
    roboreel.convert(root, to="v2.1", out=without)
    assert not (without / "meta/stats.json").exists()


def test_two_ways_to_write_one_document_are_refused(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "a", version="v2.0", episodes=(3,), cameras={})
    with pytest.raises(roboreel.UsageError, match="choose one"):
        roboreel.plan_convert(
            root, to="v2.1", out=tmp_path / "b", keep_old_stats=True, with_global_stats=True
        )


def plant_in_episodes(root: Path, feature: str, statistic: str, by: float) -> None:
    column = f"stats/{feature}/{statistic}"
    values = pq.read_table(root / META)[column]
    changed = [(np.asarray(value) + by).tolist() for value in values.to_pylist()]
    set_column(root / META, column, pa.array(changed, values.type))


def agreeing(report: roboreel.Report) -> roboreel.Problem:
    (problem,) = [p for p in report.problems if p.rule == "stats.agree"]
    assert problem.severity == "warning"
    assert problem.column == "action"
    return problem


def test_right_numbers_of_the_whole_dataset_are_kept(sound: Path, tmp_path: Path) -> None:
    root = copied(sound, tmp_path / "a")
    plant_in_episodes(root, "action", "mean", 5.0)
    report = roboreel.write(
        roboreel.open(root).rename({"observation.state": "observation.x"}), out=tmp_path / "b"
    )
    assert roboreel.open(tmp_path / "b").stats()["action"].keys() >= {"q01", "mean"}
    for key, value in roboreel.open(root).stats()["action"].items():
        np.testing.assert_array_equal(roboreel.open(tmp_path / "b").stats()["action"][key], value)
    problem = agreeing(report)
    assert "of the episodes contradict 'meta/stats.json' and the rows" in problem.message
    assert "--recompute --features action" in str(problem.action)


def test_wrong_numbers_of_the_whole_dataset_are_not_kept(sound: Path, tmp_path: Path) -> None:
    root = copied(sound, tmp_path / "a")
    right = roboreel.open(root).stats()["action"]
    edit_json(root / "meta/stats.json", lambda stats: stats["action"].update(mean=[9.0] * 6))
    problem = agreeing(roboreel.write(roboreel.open(root), out=tmp_path / "b"))
    assert problem.message.startswith("'meta/stats.json' contradicts")
    found = roboreel.open(tmp_path / "b").stats()["action"]
    np.testing.assert_allclose(found["mean"], right["mean"], rtol=1e-6)


def test_numbers_that_are_wrong_in_both_are_computed(sound: Path, tmp_path: Path) -> None:
    root = copied(sound, tmp_path / "a")
    right = roboreel.open(root).stats()["action"]
    plant_in_episodes(root, "action", "mean", 5.0)
    edit_json(root / "meta/stats.json", lambda stats: stats["action"].update(mean=[9.0] * 6))
    problem = agreeing(roboreel.write(roboreel.open(root), out=tmp_path / "b"))
    assert "computed from the rows" in str(problem.action)
    found = roboreel.open(tmp_path / "b").stats()["action"]
    for key in ("mean", "std", "min", "max"):
        np.testing.assert_allclose(found[key], right[key], rtol=1e-6, atol=1e-9)


def test_wrong_numbers_of_episodes_are_not_merged_into_a_part(sound: Path, tmp_path: Path) -> None:
    root = copied(sound, tmp_path / "a")
    plant_in_episodes(root, "action", "mean", 5.0)
    parts: dict[str, Edit] = {
        "deleted": lambda dataset: dataset.delete([1]),
        "merged": lambda dataset: roboreel.concat([dataset.keep([0, 2])]),
    }
    for name, edit in parts.items():
        roboreel.write(edit(roboreel.open(sound)), out=tmp_path / f"right {name}")
        problem = agreeing(roboreel.write(edit(roboreel.open(root)), out=tmp_path / name))
        assert "contradict 'meta/stats.json' and the rows" in problem.message
        found = roboreel.open(tmp_path / name).stats()["action"]
        right = roboreel.open(tmp_path / f"right {name}").stats()["action"]
        for key in ("mean", "std", "min", "max"):
            np.testing.assert_allclose(found[key], right[key], rtol=1e-6, atol=1e-9)


def test_a_wrong_document_of_the_whole_dataset_does_not_matter_to_a_part(
    sound: Path, tmp_path: Path
) -> None:
    root = copied(sound, tmp_path / "a")
    edit_json(root / "meta/stats.json", lambda stats: stats["action"].update(mean=[9.0] * 6))
    for name, view in (("a", roboreel.open(sound)), ("b", roboreel.open(root))):
        report = roboreel.write(view.delete([1]), out=tmp_path / f"{name} part")
        assert report.problems == ()
    a, b = (tmp_path / f"{name} part/meta/stats.json" for name in "ab")
    assert a.read_bytes() == b.read_bytes()


def test_a_version_without_the_document_is_told_of_it_too(sound: Path, tmp_path: Path) -> None:
    root = copied(sound, tmp_path / "a")
    plant_in_episodes(root, "action", "mean", 5.0)
    problem = agreeing(roboreel.convert(root, to="v2.1", out=tmp_path / "b"))
    assert "--recompute --features action" in str(problem.action)


def test_exact_quantiles_of_the_whole_dataset_are_kept(sound: Path, tmp_path: Path) -> None:
    roboreel.write(roboreel.open(sound).recompute(quantiles=(0.05,)), out=tmp_path / "exact")
    exact = roboreel.open(tmp_path / "exact")
    roboreel.write(exact.with_target(regroup=True), out=tmp_path / "out")
    found = roboreel.open(tmp_path / "out").stats()
    for name, parts in exact.stats().items():
        for key in [key for key in parts if key.startswith("q")]:
            np.testing.assert_allclose(found[name][key], parts[key], rtol=1e-6)
    roboreel.write(exact.delete([0]), out=tmp_path / "part")
    merged = roboreel.open(tmp_path / "part").stats()["action"]
    assert not np.allclose(merged["q10"], exact.stats()["action"]["q10"], rtol=1e-6)


def test_a_document_of_the_whole_dataset_that_cannot_be_read_stops_nothing(
    sound: Path, tmp_path: Path
) -> None:
    root = copied(sound, tmp_path / "a")
    (root / "meta/stats.json").write_text("{", "utf-8")
    roboreel.write(roboreel.open(root), out=tmp_path / "b")
    assert roboreel.check(tmp_path / "b").ok


def test_code_without_a_module_may_write(sound: Path, tmp_path: Path) -> None:
    exec(
        "roboreel.write(dataset.delete([0]), out=out)",
        {"roboreel": roboreel, "dataset": roboreel.open(sound), "out": tmp_path / "out"},
    )
    assert roboreel.open(tmp_path / "out").num_episodes == 2

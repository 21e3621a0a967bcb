"""An edit killed at any moment: the sources are as they were, the result whole or absent, resume exact."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import roboreel
from roboreel.cli.main import app
from roboreel.storage.staging.staging import staging_location
from roboreel.testing import Camera, make_dataset
from tests.crash.sweep import Share, swept
from tests.crash.victim import Edit, Moment, edit_killed_at, moments
from tests.oracle import read, tree_digest

CAMERAS = {"top": Camera(height=32), "wrist": Camera(height=32, gop=250, b_frames=2)}


def _made(folder: Path, name: str = "set") -> Path:
    source = make_dataset(
        folder / name,
        version="v3.0",
        episodes=(5, 1, 4),
        cameras=CAMERAS,
        video_episodes_per_file=2,
    )
    (source / "README.md").write_text("travels along")
    return source


def delete(source: Path, out: Path | None, leftovers: str) -> roboreel.Report:
    """Delete an episode; in place without `out`."""
    view = roboreel.open(source).delete([1])
    return roboreel.write(view, out=out, in_place=out is None, leftovers=leftovers)  # type: ignore[arg-type]


def merge(source: Path, out: Path | None, leftovers: str) -> roboreel.Report:
    """Put the dataset and its neighbour together."""
    parts = [roboreel.open(source), roboreel.open(source.parent / "other").delete([0])]
    return roboreel.write(roboreel.concat(parts), out=out, leftovers=leftovers)  # type: ignore[arg-type]


def _some(stops: dict[int, Moment]) -> dict[int, Moment]:
    """Every fifth moment, and all from the result's last checks on: each has a process of its own."""
    late = max(at for at, (_, _, path) in stops.items() if path.endswith("info.json"))
    chosen = list(stops)[::5] + [at for at in stops if at >= late]
    return {at: stops[at] for at in sorted(set(chosen))}


@swept(few=3, parts=3)
@pytest.mark.parametrize("edit", [delete, merge])
def test_killed_at_any_operation(tmp_path: Path, edit: Edit, share: Share) -> None:
    source, other = _made(tmp_path), _made(tmp_path, "other")
    out = tmp_path / "out"
    stops = moments(lambda: edit(source, out, "refuse"))
    before, undisturbed = [tree_digest(source), tree_digest(other)], tree_digest(out)
    for at, moment in share(_some(stops)).items():
        shutil.rmtree(out)
        assert edit_killed_at(at, edit, source, out) == -9, moment
        assert [tree_digest(source), tree_digest(other)] == before, moment
        if not out.exists() or staging_location(out).exists():
            report = edit(source, out, "resume")
            assert report.frames == roboreel.open(out).total_frames, moment
        roboreel.recover(out)  # clears up behind a run that was killed at the very last
        assert tree_digest(out) == undisturbed, moment
        assert sorted(p.name for p in tmp_path.iterdir()) == ["other", "out", "set"], moment


@swept(few=3, parts=3)
def test_killed_in_place_at_any_operation_and_resumed_edits_once(
    tmp_path: Path, share: Share
) -> None:
    original = _made(tmp_path / "original")
    source = tmp_path / "work" / "set"
    shutil.copytree(original, source)
    stops = moments(lambda: delete(source, None, "refuse"))
    whole, undisturbed = tree_digest(original), tree_digest(source)
    for at, moment in share(_some(stops)).items():
        shutil.rmtree(source.parent)
        shutil.copytree(original, source)
        assert edit_killed_at(at, delete, source, None) == -9, moment
        copies = [p for p in source.parent.glob("set*") if tree_digest(p) == whole]
        assert copies, f"the original is gone at {moment}"
        _resume_in_place(source, whole, undisturbed)
        roboreel.recover(source)
        assert tree_digest(source) == undisturbed, moment
        (kept,) = source.parent.glob("set.before-*")
        assert tree_digest(kept) == whole, moment
        assert sorted(p.name for p in source.parent.iterdir()) == ["set", kept.name], moment
    assert [episode.length for episode in read(source).episodes] == [5, 4]


def _resume_in_place(source: Path, whole: object, undisturbed: object) -> None:
    """What a user does; where nothing is left to resume, it is done, or is begun again."""
    if roboreel.recover(source) is not None:
        assert tree_digest(source) == undisturbed
        return
    try:
        report = delete(source, None, "resume")
    except roboreel.UsageError as refusal:
        found = tree_digest(source)
        if "there is no interrupted run to resume" not in str(refusal) or found not in (
            whole,
            undisturbed,
        ):
            raise
        if found == whole:
            delete(source, None, "refuse")
    else:
        assert report.episodes == 2


def test_the_command_finishes_a_replacement_that_was_killed(tmp_path: Path) -> None:
    source = _made(tmp_path)
    aside = shutil.copytree(source, tmp_path / "aside")
    stops = moments(lambda: delete(source, None, "refuse"))
    undisturbed = tree_digest(source)
    (at,) = (at for at, stop in stops.items() if stop == ("before", "replace", str(source)))
    for path in (source, *tmp_path.glob("set.before-*")):
        shutil.rmtree(path)
    shutil.copytree(aside, source)
    assert edit_killed_at(at, delete, source, None) == -9
    words = ["delete", str(source), "--episodes", "1", "--in-place"]
    for command in (["info", str(source)], ["check", str(source)], words):
        told = CliRunner().invoke(app, command)
        assert isinstance(told.exception, roboreel.StorageError)
        assert "set.before-" in str(told.exception)
        assert 'leftovers="resume"' in str(told.exception)
        assert not source.exists()
    done = CliRunner().invoke(app, [*words, "--resume"])
    assert done.exit_code == 0, done.output
    assert tree_digest(source) == undisturbed
    assert not staging_location(source).exists()


def test_nothing_to_resume_in_place_leaves_nothing_behind(tmp_path: Path) -> None:
    source = _made(tmp_path)
    before = tree_digest(source)
    with pytest.raises(roboreel.UsageError, match="there is no interrupted run to resume"):
        delete(source, None, "resume")
    assert tree_digest(source) == before
    assert list(tmp_path.iterdir()) == [source]


def test_another_edit_does_not_resume_what_one_left(tmp_path: Path) -> None:
    source, out = _made(tmp_path), tmp_path / "out"
    stops = moments(lambda: delete(source, out, "refuse"))
    shutil.rmtree(out)
    late = [at for at, (_, _, path) in stops.items() if path.endswith(".mp4")][-1]
    assert edit_killed_at(late, delete, source, out) == -9
    other = roboreel.open(source).delete([0])
    with pytest.raises(roboreel.UsageError, match="interrupted run left"):
        roboreel.write(other, out=out)
    with pytest.raises(roboreel.UsageError, match="the remains of a different run"):
        roboreel.write(other, out=out, leftovers="resume")
    roboreel.write(other, out=out, leftovers="clean")
    undisturbed = tmp_path / "undisturbed"
    roboreel.write(other, out=undisturbed)
    assert tree_digest(out) == tree_digest(undisturbed)
    assert [episode.length for episode in read(out).episodes] == [1, 4]

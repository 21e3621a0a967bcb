"""An edit killed at any moment: the sources are as they were, the result whole or absent, resume exact."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import roboreel
from roboreel.storage.staging import staging_place
from roboreel.testing import Camera, make_dataset
from tests.crash.victim import Edit, edit_killed_at, moments
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
    """Delete an episode and cut another; in place without `out`."""
    view = roboreel.open(source).delete([1]).trim({0: (1, 4)})
    return roboreel.write(view, out=out, in_place=out is None, leftovers=leftovers)  # type: ignore[arg-type]


def merge(source: Path, out: Path | None, leftovers: str) -> roboreel.Report:
    """Put the dataset and its neighbour together."""
    parts = [roboreel.open(source), roboreel.open(source.parent / "other").delete([0])]
    return roboreel.write(roboreel.concat(parts), out=out, leftovers=leftovers)  # type: ignore[arg-type]


@pytest.mark.parametrize("edit", [delete, merge])
def test_killed_before_or_after_any_operation(tmp_path: Path, edit: Edit) -> None:
    source, other = _made(tmp_path), _made(tmp_path, "other")
    out = tmp_path / "out"
    stops = moments(lambda: edit(source, out, "refuse"))
    before, undisturbed = [tree_digest(source), tree_digest(other)], tree_digest(out)
    for at, moment in stops.items():
        shutil.rmtree(out)
        assert edit_killed_at(at, edit, source, out) == -9, moment
        assert [tree_digest(source), tree_digest(other)] == before, moment
        if not out.exists() or staging_place(out).exists():
            report = edit(source, out, "resume")
            assert report.frames == roboreel.open(out).total_frames, moment
        roboreel.open(out)  # sweeps up behind a run that was killed at the very last
        assert tree_digest(out) == undisturbed, moment
        assert sorted(p.name for p in tmp_path.iterdir()) == ["other", "out", "set"], moment


def test_killed_in_place_before_or_after_any_operation(tmp_path: Path) -> None:
    original = _made(tmp_path / "original")
    source = tmp_path / "work" / "set"
    shutil.copytree(original, source)
    stops = moments(lambda: delete(source, None, "refuse"))
    whole, undisturbed = tree_digest(original), tree_digest(source)
    for at, moment in stops.items():
        shutil.rmtree(source.parent)
        shutil.copytree(original, source)
        assert edit_killed_at(at, delete, source, None) == -9, moment
        copies = [p for p in source.parent.glob("set*") if tree_digest(p) == whole]
        assert copies, f"the original is gone at {moment}"
        roboreel.open(source)  # whatever opens it finishes a replacement that had begun
        if tree_digest(source) == whole:
            delete(source, None, "resume")
        roboreel.open(source)
        assert tree_digest(source) == undisturbed, moment
        (kept,) = source.parent.glob("set.before-*")
        assert tree_digest(kept) == whole, moment
        assert sorted(p.name for p in source.parent.iterdir()) == ["set", kept.name], moment
    assert [episode.length for episode in read(source).episodes] == [3, 4]


def test_another_edit_does_not_resume_what_one_left(tmp_path: Path) -> None:
    source, out = _made(tmp_path), tmp_path / "out"
    stops = moments(lambda: delete(source, out, "refuse"))
    shutil.rmtree(out)
    late = [at for at, (_, _, path) in stops.items() if path.endswith(".mp4")][-1]
    assert edit_killed_at(late, delete, source, out) == -9
    other = roboreel.open(source).delete([0])
    with pytest.raises(roboreel.UsageError, match="resume|clean"):
        roboreel.write(other, out=out)
    report = roboreel.write(other, out=out, leftovers="resume")
    assert report.frames == 5
    assert [episode.length for episode in read(out).episodes] == [1, 4]
    undisturbed = tmp_path / "undisturbed"
    roboreel.write(other, out=undisturbed)
    assert tree_digest(out) == tree_digest(undisturbed)

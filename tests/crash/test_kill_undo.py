"""Putting an earlier version back, killed at any moment: both are whole, and the next run finishes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import roboreel
from roboreel.testing import make_dataset
from tests.crash.sweep import Share, swept
from tests.crash.victim import edit_killed_at, moments
from tests.oracle import tree_digest


def undo(source: Path, _out: Path | None, _leftovers: str) -> object:
    """Put the newest original back; what is there is kept."""
    return roboreel.undo(source)


def undo_for_good(source: Path, _out: Path | None, _leftovers: str) -> object:
    """Put the newest original back; what is there is removed."""
    return roboreel.undo(source, discard_present=True)


def thin_out(source: Path, _out: Path | None, _leftovers: str) -> object:
    """Remove every earlier version."""
    return roboreel.remove_kept(source, keep=0)


def _edited(folder: Path) -> Path:
    source = make_dataset(folder / "set", version="v3.0", episodes=(5, 1, 4), cameras={})
    roboreel.write(roboreel.open(source).delete([1]), in_place=True)
    return source


@swept(few=3, parts=2)
@pytest.mark.parametrize("act", [undo, undo_for_good])
def test_killed_while_an_original_is_put_back(tmp_path: Path, act: object, share: Share) -> None:
    made = _edited(tmp_path / "made")
    before, after = roboreel.kept_versions(made)[0].path, made
    old, new = tree_digest(Path(before)), tree_digest(after)
    work = tmp_path / "work"
    shutil.copytree(made.parent, work)
    assert callable(act)
    stops = moments(lambda: act(work / "set", None, ""))
    assert tree_digest(work / "set") == old
    for at, moment in share(stops).items():
        shutil.rmtree(work)
        shutil.copytree(made.parent, work)
        source = work / "set"
        assert edit_killed_at(at, act, source, None) == -9, moment
        if not source.exists() or tree_digest(source) != old:
            roboreel.undo(source)
        assert tree_digest(source) == old, moment
        kept = [tree_digest(Path(one.path)) for one in roboreel.kept_versions(source)]
        assert kept in ([new], [] if act is undo_for_good else [new]), moment
        roboreel.remove_kept(source, keep=0)
        assert roboreel.kept_versions(source) == ()


@swept(few=3, parts=2)
def test_killed_while_versions_are_removed(tmp_path: Path, share: Share) -> None:
    made = _edited(tmp_path / "made")
    whole = tree_digest(Path(roboreel.kept_versions(made)[0].path))
    work = tmp_path / "work"
    shutil.copytree(made.parent, work)
    stops = moments(lambda: thin_out(work / "set", None, ""))
    for at, moment in share(stops).items():
        shutil.rmtree(work)
        shutil.copytree(made.parent, work)
        source = work / "set"
        assert edit_killed_at(at, thin_out, source, None) == -9, moment
        for one in roboreel.kept_versions(source):
            assert tree_digest(Path(one.path)) == whole, moment
        roboreel.remove_kept(source, keep=0)
        roboreel.write(roboreel.open(source).delete([0]), in_place=True, discard_original=True)
        assert [path.name for path in work.iterdir()] == ["set"], moment

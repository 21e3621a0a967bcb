"""Files that are not where the path template says are found by one rule, or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import roboreel
from roboreel.testing import Camera, Version, make_dataset
from tests.mutate import copied

TOP, WRIST = "observation.images.top", "observation.images.wrist"
VERSIONS: tuple[Version, ...] = ("v2.0", "v2.1", "v3.0")
Move = Callable[[Path], object]


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bases")
    for version in VERSIONS:
        make_dataset(
            folder / version,
            version=version,
            episodes=(5, 3, 6),
            cameras={TOP: Camera(height=32), WRIST: Camera(height=32)},
            video_episodes_per_file=1 if version == "v3.0" else None,
            chunks_size=2 if version == "v3.0" else 1000,
        )
    return folder


def _renamed(old: str, new: str) -> Move:
    def move(root: Path) -> None:
        (root / new).parent.mkdir(parents=True, exist_ok=True)
        (root / old).rename(root / new)

    return move


def _each(pattern: str, name: Callable[[Path], str]) -> Move:
    """Move files, or rename folders, that a pattern gives."""

    def move(root: Path) -> None:
        for path in sorted(root.glob(pattern), reverse=True):
            target = path.parent / name(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)

    return move


def _fewer_zeros(path: Path) -> str:
    head, _, number = path.stem.replace("_", "-").rpartition("-")
    joint = "_" if "_" in path.stem else "-"
    return f"{head}{joint}{int(number)}{path.suffix}"


MOVES: dict[str, Move] = {
    "video/ for videos/": _renamed("videos", "video"),
    "data below another folder": _renamed("data", "tables"),
    "videos deeper": _renamed("videos", "media/of/robot"),
    "chunk-0 in videos": _each("videos/**/chunk-*", _fewer_zeros),
    "chunk-0 in data": _each("data/chunk-*", _fewer_zeros),
    "no zeros in names": _each("**/*-*/*_*.[mp]*", _fewer_zeros),
    "no zeros in names of v3.0": _each("[dv]*/**/file-*.*", _fewer_zeros),
    "no chunk folder in data": _each("data/chunk-000/*", lambda path: f"../{path.name}"),
}


@pytest.mark.sample(9)
@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES.keys())
@pytest.mark.parametrize("version", VERSIONS)
def test_files_elsewhere_are_read_and_reported(
    bases: Path, tmp_path: Path, version: Version, move: Move
) -> None:
    root = copied(bases / version, tmp_path / "a")
    move(root)
    dataset = roboreel.open(root)
    changed = {p.relative_to(root).as_posix() for p in root.rglob("*.*")} != {
        p.relative_to(bases / version).as_posix() for p in (bases / version).rglob("*.*")
    }
    reported = {problem.rule for problem in dataset.problems}
    assert reported == ({"info.path-template"} if changed else set())
    assert dataset.model.other_files == ()
    assert {p.rule for p in roboreel.check(root).problems} == reported
    assert roboreel.diff(bases / version, root).same


def test_files_of_v3_without_chunk_folders_are_ambiguous_where_there_are_several_chunks(
    bases: Path, tmp_path: Path
) -> None:
    root = copied(bases / "v3.0", tmp_path / "a")
    folder = root / f"videos/{TOP}"
    shutil.move(folder / "chunk-000/file-000.mp4", folder / "file-000.mp4")
    shutil.rmtree(folder / "chunk-001")
    with pytest.raises(roboreel.PlanError) as caught:
        roboreel.convert(root, to="v2.1", out=tmp_path / "out")
    assert {p.episode for p in caught.value.problems} == {0, 2}


@pytest.mark.parametrize("version", VERSIONS)
def test_another_chunk_or_a_backup_is_not_taken_for_a_missing_file(
    bases: Path, tmp_path: Path, version: Version
) -> None:
    root = copied(bases / version, tmp_path / "a")
    (missing,) = [
        path
        for path in sorted((root / "videos").rglob("*.mp4"))
        if TOP in path.parts
        and path.match("*000002.mp4" if version != "v3.0" else "*1/file-000.mp4")
    ]
    shutil.copytree(missing.parent, root / "backup" / TOP)
    missing.unlink()
    (found,) = [p for p in roboreel.check(root).problems if p.severity == "error"]
    assert found.episode == 2
    assert found.path == missing.relative_to(root).as_posix()


def test_what_two_files_could_be_is_taken_for_none(bases: Path, tmp_path: Path) -> None:
    root = copied(bases / "v2.1", tmp_path / "a")
    shutil.copytree(root / "data", root / "one")
    (root / "data").rename(root / "two")
    with pytest.raises(roboreel.PlanError, match=r"table\.missing"):
        roboreel.convert(root, to="v3.0", out=tmp_path / "out")

"""What nobody else may read, nobody else may read when it was converted, at no moment."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import roboreel
from roboreel.probes import cache
from roboreel.storage import disk
from roboreel.storage.local import LocalRoot
from roboreel.storage.modes import USUAL, limited
from roboreel.storage.staging.staging import Staging, staging_location
from roboreel.testing import Camera, make_dataset
from tests.crash.victim import edit_killed_at, moments
from tests.unit.inventories import age, surveyed

pytestmark = pytest.mark.skipif(
    os.name == "nt", reason="no permissions of this kind on this system"
)
CAMERAS = {"top": Camera(height=32)}


@pytest.fixture(autouse=True)
def _open_umask() -> Iterator[None]:
    """That of many: files are for all to read."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = make_dataset(tmp_path / "set", version="v2.1", episodes=(3, 2), cameras=CAMERAS)
    (source / "README.md").write_text("travels along")
    return source


def _set_modes(folder: Path, of_folders: int, of_files: int) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod(of_folders if path.is_dir() else of_files)


def _mode(path: Path) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)


def _modes(folder: Path, *, folders: bool) -> set[int]:
    paths = [path for path in (folder, *folder.rglob("*")) if path.is_dir() == folders]
    assert paths
    return {_mode(path) for path in paths}


def _readable(folder: Path) -> list[str]:
    """What others than the user can read of the files below a folder, by way of folders inside."""
    found = []
    for path in folder.rglob("*"):
        between = [above for above in path.parents if above.is_relative_to(folder)]
        if path.is_file() and all(_mode(above) & 0o011 for above in between):
            found += [path.name] if _mode(path) & 0o044 else []
    return found


@pytest.mark.parametrize("to", ["v2.0", "v2.1", "v3.0"])
def test_a_private_dataset_is_private_in_its_new_form(
    source: Path, tmp_path: Path, to: str
) -> None:
    _set_modes(source, 0o700, 0o600)
    out = tmp_path / "out"
    roboreel.write(roboreel.open(source).delete([0]).with_target(to), out=out)
    assert _mode(out) == 0o700
    assert _modes(out, folders=False) == {0o600}


def test_a_private_dataset_that_is_replaced_stays_private(source: Path) -> None:
    _set_modes(source, 0o700, 0o600)
    roboreel.convert(source, to="v3.0", in_place=True)
    assert _modes(source, folders=True) == {0o700}
    assert _modes(source, folders=False) == {0o600}


def test_a_dataset_of_a_group_that_is_replaced_stays_one(source: Path) -> None:
    _set_modes(source, 0o2770, 0o660)
    roboreel.convert(source, to="v3.0", in_place=True)
    assert _modes(source, folders=True) == {0o2770}
    assert _modes(source, folders=False) == {0o660}


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root gives away")
def test_a_dataset_of_another_group_stays_that_groups(source: Path) -> None:
    _set_modes(source, 0o750, 0o640)
    os.chown(source, -1, 12345)
    roboreel.convert(source, to="v3.0", in_place=True)
    assert (source.stat().st_gid, _mode(source)) == (12345, 0o750)


def test_a_group_that_cannot_be_set_gets_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_given: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "chown", refuse)
    disk.set_mode(tmp_path, 0o2775, group=tmp_path.stat().st_gid + 1)
    assert _mode(tmp_path) == 0o705
    disk.set_mode(tmp_path, 0o2775, group=tmp_path.stat().st_gid)
    assert _mode(tmp_path) == 0o2775


def test_a_dataset_that_its_owner_must_not_write_stays_one(source: Path) -> None:
    source.chmod(0o555)
    roboreel.convert(source, to="v3.0", in_place=True)
    assert _mode(source) == 0o555


def test_an_open_dataset_gives_an_open_one(source: Path, tmp_path: Path) -> None:
    roboreel.convert(source, to="v3.0", out=tmp_path / "out")
    assert _modes(tmp_path / "out", folders=True) == {0o755}
    assert _modes(tmp_path / "out", folders=False) == {0o644}


@pytest.mark.parametrize("encode", [False, True])
def test_what_is_made_of_one_private_file_is_private(
    source: Path, tmp_path: Path, encode: bool
) -> None:
    for video in (source / "videos").rglob("*.mp4"):
        video.chmod(0o640)
    (source / "data").chmod(0o700)
    (source / "README.md").chmod(0o604)
    view = roboreel.open(source).with_target("v3.0")
    if encode:
        view = view.encode({"top": roboreel.Encoding(vcodec="h264")})
    out = tmp_path / "out"
    roboreel.write(view, out=out)
    assert {_mode(path) for path in out.rglob("*.mp4")} == {0o640}
    assert {_mode(path) for path in (out / "data").rglob("*.parquet")} == {0o600}
    assert _mode(out / "README.md") == 0o604
    assert {_mode(path) for path in (out / "meta").rglob("*") if path.is_file()} == {0o644}


def test_of_several_sources_the_most_private_counts(source: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(source, tmp_path / "other"))
    _set_modes(other, 0o750, 0o640)
    source.chmod(0o705)
    roboreel.write(
        roboreel.concat([roboreel.open(source), roboreel.open(other)]), out=tmp_path / "out"
    )
    assert _mode(tmp_path / "out") == 0o700
    assert _modes(tmp_path / "out" / "meta", folders=False) == {0o640}


def test_an_empty_folder_keeps_what_its_owner_gave_it(source: Path, tmp_path: Path) -> None:
    for given, of_source, expected in (
        (0o2775, 0o755, 0o2775),
        (0o700, 0o755, 0o700),
        (0o755, 0o700, 0o700),
    ):
        out = tmp_path / f"out-{given}-{of_source}"
        out.mkdir()
        out.chmod(given)
        source.chmod(of_source)
        roboreel.convert(source, to="v3.0", out=out)
        assert _mode(out) == expected


def _convert(source: Path, out: Path | None, _leftovers: str) -> roboreel.Report:
    return roboreel.convert(source, to="v3.0", out=out, in_place=out is None)


@pytest.mark.slow
def test_at_no_moment_is_there_more_to_read(source: Path, tmp_path: Path) -> None:
    _set_modes(source, 0o700, 0o600)
    seen: list[str] = []

    def look(_when: str, _name: str, _path: str) -> None:
        seen.extend(path for top in tmp_path.iterdir() for path in _readable(top))

    os.umask(0o022)
    with disk.faults(look):
        _convert(source, tmp_path / "out", "")
        _convert(source, None, "")
    assert seen == []


def test_a_staging_folder_is_the_users_alone(source: Path, tmp_path: Path) -> None:
    staging = Staging(tmp_path / "out")
    staging.begin()
    staging.notes.append("ledger.jsonl", b"{}")
    assert _mode(staging.folder) == 0o700
    assert _mode(staging.folder / "lock") == _mode(staging.folder / "ledger.jsonl") == 0o600
    staging.discard()


def test_killed_between_the_renames_the_result_has_its_modes(source: Path, tmp_path: Path) -> None:
    whole = Path(shutil.copytree(source, tmp_path / "whole"))
    stops = moments(lambda: _convert(source, None, ""))
    (at,) = (at for at, stop in stops.items() if stop == ("after", "replace", str(source)))
    for killed in (at - 1, at):  # the second rename, not done and done
        shutil.rmtree(source)
        for path in tmp_path.glob("set.before-*"):
            shutil.rmtree(path)
        shutil.copytree(whole, source)
        _set_modes(source, 0o700, 0o600)
        assert edit_killed_at(killed, _convert, source, None) == -9
        roboreel.recover(source)
        assert not staging_location(source).exists()
        assert roboreel.open(source).version.value == "v3.0"
        assert _modes(source, folders=True) == {0o700}
        assert _modes(source, folders=False) == {0o600}


def test_the_umask_is_never_changed(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread could make a file just then, open for all."""

    def changed(_mask: int) -> int:
        raise AssertionError("the umask is that of all threads")

    monkeypatch.setattr(os, "umask", changed)
    roboreel.convert(source, to="v3.0", out=tmp_path / "out")
    roboreel.convert(source, to="v3.0", in_place=True)
    monkeypatch.undo()


def test_what_a_survey_keeps_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = make_dataset(tmp_path / "many", version="v2.1", episodes=(2,) * 40, cameras=CAMERAS)
    age(many)
    folder = tmp_path / "cache"
    monkeypatch.setenv("ROBOREEL_CACHE", str(folder))
    surveyed(many)
    assert {_mode(path) for path in (folder, folder / "surveys")} == {0o700}
    (kept,) = (folder / "surveys").iterdir()
    assert _mode(kept) == 0o600
    (folder / "surveys").chmod(0o755)  # as an earlier release left it
    surveyed(many)
    assert _mode(folder / "surveys") == 0o700


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root gives away")
def test_a_cache_of_another_user_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "cache"
    (folder / "surveys").mkdir(parents=True)
    os.chown(folder / "surveys", 12345, -1)
    monkeypatch.setenv("ROBOREEL_CACHE", str(folder))
    assert cache.cache_of(LocalRoot(tmp_path), files=1000) is None


@pytest.mark.parametrize(
    ("mode", "sources", "expected"),
    [
        (0o777, [], 0o777),
        (0o777, [0o700], 0o700),
        (0o777, [0o750], 0o770),
        (0o777, [0o711], 0o711),
        (0o777, [0o755, 0o770], 0o770),
        (0o2775, [0o755], 0o2775),
        (0o2775, [0o700], 0o2700),
    ],
)
def test_a_class_of_users_gets_no_more_than_each_source_gives(
    mode: int, sources: list[int], expected: int
) -> None:
    assert limited(mode, sources) == expected


def test_modes_of_a_replaced_folder_are_its_own() -> None:
    modes: Any = USUAL.in_folder([0o2775], exact=True).for_files([0o664, 0o660])
    assert (modes.folder, modes.file) == (0o2775, 0o660)


def _misdeclared(source: Path) -> None:
    info = source / "meta/info.json"
    info.write_text(info.read_text().replace('"video.codec": "h264"', '"video.codec": "hevc"'))


@pytest.mark.parametrize("in_place", [False, True])
def test_a_repaired_dataset_is_as_open_as_its_source(source: Path, in_place: bool) -> None:
    _misdeclared(source)
    _set_modes(source, 0o755, 0o644)
    out = source.parent / "out"
    report = roboreel.repair(source, out=None if in_place else out, in_place=in_place)
    assert "video.codec" in {step.rule for step in report.repaired}
    result = source if in_place else out
    assert _modes(result, folders=True) == {0o755}
    assert _modes(result, folders=False) == {0o644}


def test_a_repaired_dataset_is_as_private_as_its_source(source: Path, tmp_path: Path) -> None:
    _misdeclared(source)
    _set_modes(source, 0o755, 0o644)
    (source / "data").chmod(0o700)
    (source / "meta/info.json").chmod(0o640)
    out = tmp_path / "out"
    roboreel.repair(source, out=out)
    assert {_mode(path) for path in (out / "data").rglob("*.parquet")} == {0o600}
    assert _mode(out / "meta/info.json") == 0o640
    assert {_mode(path) for path in out.rglob("*.mp4")} == {0o644}


@pytest.mark.slow
def test_at_no_moment_of_a_repair_is_there_more_to_read(source: Path, tmp_path: Path) -> None:
    _misdeclared(source)
    _set_modes(source, 0o700, 0o600)
    seen: list[str] = []

    def look(_when: str, _name: str, _path: str) -> None:
        seen.extend(path for top in tmp_path.iterdir() for path in _readable(top))

    with disk.faults(look):
        roboreel.repair(source, out=tmp_path / "out")
    assert seen == []

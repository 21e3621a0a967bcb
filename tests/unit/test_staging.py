"""The folder beside an output: made, found again, published, put in an original's place, recovered."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import roboreel
from roboreel.errors import StorageError, UsageError
from roboreel.storage.disk import faults
from roboreel.storage.fs import open_output
from roboreel.storage.local import LocalRoot
from roboreel.storage.scratch import is_scratch
from roboreel.storage.staging.staging import Staging, recover, refuse_existing, staging_location
from roboreel.testing import make_dataset

NAME = "meta/info.json"
REPORT = {"what": "was done"}


def _begun(final: Path | str, *, in_place: bool = False) -> Staging:
    staging = Staging(final, in_place=in_place)
    staging.begin()
    return staging


def test_staging_becomes_its_final_folder(tmp_path: Path) -> None:
    staging = _begun(tmp_path / "new" / "set")
    staging.root.put(NAME, b"{}")
    assert not (tmp_path / "new" / "set").exists()
    staging.publish(REPORT)
    assert LocalRoot(tmp_path / "new" / "set").read(NAME) == b"{}"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["set"]
    staging.discard()
    assert LocalRoot(tmp_path / "new" / "set").read(NAME) == b"{}"


def test_where_files_cannot_be_locked_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("roboreel.storage.lock.fcntl")  # as on Windows
    with pytest.raises(StorageError, match="On Windows, run it in WSL"):
        _begun(tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


def test_staging_takes_the_place_of_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    staging = _begun(f"{tmp_path}/set/")
    staging.root.put(NAME, b"{}")
    staging.publish(REPORT)
    assert LocalRoot(tmp_path / "set").list() == (NAME,)


def test_published_folder_is_as_open_as_any(tmp_path: Path) -> None:
    _begun(tmp_path / "set").publish(REPORT)
    (tmp_path / "other").mkdir()
    assert (tmp_path / "set").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_discarded_staging_leaves_nothing(tmp_path: Path) -> None:
    staging = _begun(tmp_path / "set")
    staging.root.put(NAME, b"{}")
    staging.discard()
    assert list(tmp_path.iterdir()) == []
    staging.discard()


def test_what_came_to_be_in_between_is_not_overwritten(tmp_path: Path) -> None:
    staging = _begun(tmp_path / "set")
    staging.root.put(NAME, b"ours")
    LocalRoot(tmp_path / "set").put(NAME, b"theirs")
    with pytest.raises(UsageError, match="not empty"):
        staging.publish(REPORT)
    assert LocalRoot(tmp_path / "set").read(NAME) == b"theirs"
    assert staging.root.read(NAME) == b"ours"
    staging.release()


def test_existing_outputs_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    for name in ("file", "full", "link", "broken"):
        with pytest.raises(UsageError, match=f"{name}' exists"):
            refuse_existing(tmp_path / name)
        with pytest.raises(UsageError, match=f"{name}' exists"):
            Staging(tmp_path / name)
    refuse_existing(tmp_path / "empty")
    refuse_existing(tmp_path / "none")
    assert len(list(tmp_path.iterdir())) == 5


def test_staging_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot write beside"):
        Staging(tmp_path / "file" / "set")


def test_one_run_at_a_time(tmp_path: Path) -> None:
    first = _begun(tmp_path / "set")
    with pytest.raises(UsageError, match="another run of roboreel is using"):
        Staging(tmp_path / "set")
    other = _begun(tmp_path / "other")
    first.release()
    Staging(tmp_path / "set").discard()
    other.discard()
    assert list(tmp_path.iterdir()) == []


def test_what_others_put_into_the_folder_is_left_alone(tmp_path: Path) -> None:
    place = staging_location(tmp_path / "set")
    place.mkdir()
    (place / "thesis.tex").write_text("mine")
    staging = Staging(tmp_path / "set")
    with pytest.raises(UsageError, match=r"thesis\.tex.*did not write"):
        staging.begin()
    staging.discard()
    assert (place / "thesis.tex").read_text() == "mine"


def test_long_names_do_not_share_a_folder(tmp_path: Path) -> None:
    names = ["x" * 200 + end for end in "ab"]
    places = {staging_location(tmp_path / name) for name in names}
    assert len(places) == 2
    for name in names:
        _begun(tmp_path / name).publish(REPORT)
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def _original(tmp_path: Path) -> Path:
    LocalRoot(tmp_path / "set").put(NAME, b"old")
    return tmp_path / "set"


def _replacing(final: Path) -> Staging:
    staging = _begun(final, in_place=True)
    staging.root.put(NAME, b"new")
    return staging


def test_an_original_makes_room_and_is_kept(tmp_path: Path) -> None:
    final = _original(tmp_path)
    staging = _replacing(final)
    kept = staging.name_for_original()
    assert kept.startswith("set.before-2")
    staging.replace_original(kept, REPORT)
    staging.discard()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set", kept]
    assert (final / NAME).read_bytes() == b"new"
    assert (tmp_path / kept / NAME).read_bytes() == b"old"


def test_an_older_copy_keeps_its_name(tmp_path: Path) -> None:
    final = _original(tmp_path)
    staging = _replacing(final)
    taken = staging.name_for_original()
    (tmp_path / taken).mkdir()
    assert staging.name_for_original() not in (taken, "set")
    staging.release()


def test_an_original_that_was_given_up_goes(tmp_path: Path) -> None:
    final = _original(tmp_path)
    staging = _replacing(final)
    kept = staging.name_for_original()
    staging.replace_original(kept, REPORT)
    staging.remove_original(kept)
    staging.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_replacement_is_finished_by_the_next(tmp_path: Path) -> None:
    final = _original(tmp_path)
    staging = _replacing(final)
    kept = staging.name_for_original()
    staging.replace_original(kept, REPORT)
    final.rename(staging.root.path)  # as it is between the two renames
    staging.release()
    recovered = recover(final)
    assert recovered is not None
    assert (recovered.original, recovered.report) == (str(tmp_path / kept), REPORT)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set", kept]
    assert (final / NAME).read_bytes() == b"new"
    assert recover(final) is None


def test_a_run_at_work_is_not_recovered(tmp_path: Path) -> None:
    final = _original(tmp_path)
    staging = _replacing(final)
    kept = staging.name_for_original()
    staging.replace_original(kept, REPORT)
    final.rename(staging.root.path)
    assert recover(final) is None
    assert not final.exists()
    staging.release()


def test_a_result_that_waits_for_resume_stays(tmp_path: Path) -> None:
    final = _original(tmp_path)
    staging = _replacing(final)
    staging.release()
    assert recover(final) is None
    assert staging.root.read(NAME) == b"new"
    assert (final / NAME).read_bytes() == b"old"


def test_what_is_left_after_publishing_goes(tmp_path: Path) -> None:
    final = _original(tmp_path)
    staging_location(final).mkdir()
    (staging_location(final) / "ledger.jsonl").touch()
    assert recover(final) is None
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_name_that_no_folder_can_have_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be made: File name too long"):
        Staging(tmp_path / ("x" * 300))
    assert list(tmp_path.iterdir()) == []


def test_an_attempt_that_goes_on_after_its_run_changes_nothing(tmp_path: Path) -> None:
    staging = _begun(tmp_path / "set")
    late = open_output(staging.root.url, unfinished=staging.unfinished)

    def writes_on() -> None:
        with late.create("data/late.parquet") as output:
            output.file.write(b"late")
            staging.end_attempts()

    with pytest.raises(StorageError):
        writes_on()
    assert [name for name, _ in staging.files()] == []
    staging.root.put(NAME, b"{}")
    staging.publish(REPORT)
    with pytest.raises(StorageError):
        late.put("data/later.parquet", b"later")
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "set" / NAME]


def test_no_attempt_can_finish_a_file_once_documents_are_written(tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "source", episodes=(3, 4), cameras={})
    seen: list[list[str]] = []

    def look(moment: str, operation: str, path: str) -> None:
        if (moment, operation) == ("before", "create") and path.endswith(NAME):
            names = os.listdir(staging_location(tmp_path / "out"))
            seen.append([name for name in names if is_scratch(name)])

    with faults(look):
        roboreel.write(roboreel.open(source).delete([0]), out=tmp_path / "out")
    assert seen == [[]]

"""A large dataset opens again from the cache: as without it, and never as it was before a change."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import roboreel
from roboreel.dataset import opened_cache
from roboreel.format.model import Model
from roboreel.storage import mounts
from roboreel.storage.links import Listing
from roboreel.storage.local import LocalRoot
from roboreel.storage.scratch import scratch_beside
from roboreel.testing import Camera, Version, make_dataset
from tests.mutate import drop_columns, edit_info, edit_lines, set_column
from tests.unit.inventories import HOUR_NS, files, plain

VERSIONS: tuple[Version, ...] = ("v2.0", "v2.1", "v3.0")
CAMERA = "observation.images.top"
EPISODES_FILE = "meta/episodes/chunk-000/file-000.parquet"
Counter = Callable[[], int]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of each version; not to be changed."""
    base = tmp_path_factory.mktemp("made")
    for version in VERSIONS:
        cameras = {CAMERA: Camera(width=160, height=32)}
        make_dataset(base / version, version=version, episodes=(3, 1, 4), cameras=cameras)
    return base


@pytest.fixture(params=VERSIONS)
def dataset(made: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A dataset that may be changed, of each version."""
    return Path(shutil.copytree(made / request.param, tmp_path / "dataset"))


@pytest.fixture
def one(made: Path, tmp_path: Path) -> Path:
    """A v2.1 dataset that may be changed."""
    return Path(shutil.copytree(made / "v2.1", tmp_path / "dataset"))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, which small datasets use too."""
    monkeypatch.setenv("ROBOREEL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(opened_cache, "FEWEST_NAMES", 0)
    return tmp_path / "cache/opened"


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour has passed since the test wrote its files."""
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + HOUR_NS)


@pytest.fixture
def listings(monkeypatch: pytest.MonkeyPatch) -> Counter:
    """Tells how often a dataset was opened without the cache since the last question."""
    plainly, seen = LocalRoot.listing, []

    def counted(root: LocalRoot) -> Listing:
        seen.append(root.url)
        return plainly(root)

    monkeypatch.setattr(LocalRoot, "listing", counted)

    def tell() -> int:
        count = len([url for url in seen if "/cache/" not in url and not url.endswith("roboreel")])
        seen.clear()
        return count

    return tell


def described(dataset: roboreel.Dataset) -> Any:
    """Every field of an opened dataset, as plain values."""
    model = dataset.model
    table = model.episodes
    columns = [(name, table[name].to_pylist()) for name in table.column_names]
    assert type(dataset.files) is tuple
    assert {type(name) for name in dataset.files} == {str}
    amounts = [problem.amount for problem in model.problems]
    return [
        (item.name, plain(getattr(model, item.name)))
        for item in fields(Model)
        if item.name != "episodes"
    ] + [
        ("types", {type(getattr(model, item.name)) for item in fields(Model)}),
        ("episodes", plain(table.schema), columns),
        ("amounts", amounts, [type(amount) for amount in amounts]),
        ("rest", dataset.url, dataset.files, plain(dict(dataset.documents))),
    ]


def uncached(root: Path) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROBOREEL_CACHE", "off")
        return described(roboreel.open(root))


def opened(root: Path) -> Any:
    return described(roboreel.open(root))


def put_aside_videos(root: Path) -> None:
    shutil.rmtree(root / "videos")


def rename_files(root: Path) -> None:
    for path in [*(root / "data").rglob("*.parquet")]:
        path.rename(path.with_name(path.name.replace("0", "00", 1)))


def spoil_info(root: Path) -> None:
    more = {"total_frames": 7, "splits": {"train": "0:99"}, "mine": [1, 2.5, None, "ä"]}
    edit_info(root, fps=29.97, robot_type={"name": "x"}, chunks_size=-1, **more)


def add_files(root: Path) -> None:
    for name in (
        "notes.txt",
        "meta/modality.json",
        ".hidden/x",
        "data/chunk-000/ö\nx.bin",
        "a/b/c",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")
    (root / "empty/folder").mkdir(parents=True)


def drop_tasks(root: Path) -> None:
    for path in (root / "meta").glob("tasks.*"):
        path.unlink()


def extend_episodes(root: Path) -> None:
    if (root / EPISODES_FILE).is_file():
        path = root / EPISODES_FILE
        extra = pa.array([{"a": 1}, None, {"a": 3}])
        set_column(path, "mine", extra)
        set_column(path, "kind", pa.array(["x", "y", "x"]).dictionary_encode())
        set_column(path, "videos/gone/chunk_index", pa.array([0, 0, 0]))
        drop_columns(path, "tasks")
    else:
        added = [{"mine": {"a": 1}, "stats/x": 1}, {"mine": None}, {"kind": "x", "tasks": "one"}]
        edit_lines(
            root / "meta/episodes.jsonl",
            lambda rows: [row | more for row, more in zip(rows, added, strict=True)],
        )


def leave_as_it_is(root: Path) -> None:
    pass


MESSES = (
    leave_as_it_is, put_aside_videos, rename_files, spoil_info, add_files, drop_tasks,
    extend_episodes,
)  # fmt: skip


@pytest.mark.sample(3)
@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("mess", MESSES)
def test_a_dataset_opens_from_the_cache_as_without_it(
    dataset: Path, listings: Counter, mess: Callable[[Path], None]
) -> None:
    mess(dataset)
    plainly = uncached(dataset)
    assert opened(dataset) == plainly
    assert listings() == 2
    assert opened(dataset) == plainly
    assert listings() == 0


def test_all_fields_of_a_model_are_kept() -> None:
    kept = {"info", "tasks", "episodes", "problems", *opened_cache._FIELDS}
    assert kept == {item.name for item in fields(Model)}


@pytest.mark.usefixtures("later")
def test_videos_that_were_never_pulled_are_told_with_the_command(
    one: Path, listings: Counter
) -> None:
    record = {"form": 1, "repo_id": "a/b", "revision": "main", "commit": "c", "selections": []}
    (one / ".cache/huggingface").mkdir(parents=True)
    (one / ".cache/huggingface/roboreel.json").write_text(json.dumps(record))
    put_aside_videos(one)
    (first, again) = (roboreel.open(one).problems for _ in range(2))
    assert listings() == 1
    assert first == again
    assert "roboreel pull a/b@c -o" in str(again[-1].action)


def document_names(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in files(root) if "meta" in path.parts)


@pytest.mark.sample(1)
@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("change", ["written", "touched", "size", "replaced"])
def test_a_changed_document_is_read_again(dataset: Path, listings: Counter, change: str) -> None:
    for name in document_names(dataset):
        roboreel.open(dataset)
        path = dataset / name
        facts, content = path.stat(), path.read_bytes()
        if change == "written":  # under the stamp and size that it had, as by `cp -p`
            path.write_bytes(content)
            os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        elif change == "touched":
            os.utime(path)
        elif change == "size":
            path.write_bytes(content + b" " if path.suffix != ".parquet" else content)
        else:
            path.with_name("aside").write_bytes(content)
            path.with_name("aside").replace(path)
        listings()
        assert opened(dataset) == uncached(dataset), name
        assert listings() == 2, name


def folders(root: Path) -> Iterator[Path]:
    return (path for path in (root, *sorted(root.rglob("*"))) if path.is_dir())


def renamed(folder: Path) -> None:
    (folder / "new.bin").rename(folder / "other.bin")


def replaced(folder: Path) -> None:
    (folder / "aside").write_bytes(b"y")
    (folder / "aside").replace(folder / "other.bin")


CHANGES: tuple[Callable[[Path], object], ...] = (
    lambda folder: (folder / "new.bin").write_bytes(b"x"),
    renamed,
    replaced,
    lambda folder: (folder / "other.bin").unlink(),
    lambda folder: (folder / "more").mkdir(),
    lambda folder: (folder / "more").rmdir(),
)


@pytest.mark.usefixtures("later")
def test_a_name_that_comes_changes_or_goes_in_any_folder_is_noticed(
    dataset: Path, listings: Counter
) -> None:
    (dataset / "empty").mkdir()
    roboreel.open(dataset)
    for folder in [*folders(dataset)]:
        for change in CHANGES:
            listings()
            change(folder)
            found = roboreel.open(dataset)
            assert listings() == 1, folder
            assert found.files == tuple(sorted(str(p.relative_to(dataset)) for p in files(dataset)))
            roboreel.open(dataset)
            assert listings() == 0, folder


@pytest.mark.usefixtures("later")
def test_another_dataset_at_the_same_path_is_read(made: Path, tmp_path: Path) -> None:
    root = tmp_path / "dataset"
    for version in (*VERSIONS, *VERSIONS):
        shutil.copytree(made / version, root)
        assert opened(root) == uncached(root)
        root.rename(tmp_path / f"{len([*tmp_path.iterdir()])}")


@pytest.mark.usefixtures("later")
def test_a_link_to_the_folder_is_followed_to_where_it_leads_now(
    made: Path, tmp_path: Path, listings: Counter
) -> None:
    link = tmp_path / "link"
    for version in (*VERSIONS, *VERSIONS):
        link.unlink(missing_ok=True)
        link.symlink_to(made / version)
        assert opened(link) == uncached(link)
    assert listings() == 9


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("follow_links", [False, True])
def test_datasets_with_links_are_not_kept(one: Path, folder: Path, follow_links: bool) -> None:
    table = one / "data/chunk-000/episode_000000.parquet"
    table.rename(one / "aside.parquet")
    table.symlink_to(one / "aside.parquet")
    roboreel.open(one, follow_links=follow_links)
    assert not files(folder)


def test_what_was_written_just_now_is_not_kept(one: Path, folder: Path, listings: Counter) -> None:
    opened(one)
    opened(one)
    assert listings() == 2
    assert not files(folder)


@pytest.mark.usefixtures("later")
def test_a_document_that_changes_while_it_is_read_is_not_kept(
    one: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plainly = LocalRoot.read

    def read(root: LocalRoot, name: str) -> bytes:
        data = plainly(root, name)
        if name == "meta/episodes.jsonl":
            os.utime(one / name)
        return data

    monkeypatch.setattr(LocalRoot, "read", read)
    opened(one)
    assert not files(folder)


def damages(content: bytes) -> Iterator[bytes]:
    yield from (content[: len(content) * n // 7] for n in range(7))
    for at in range(0, len(content), max(1, len(content) // 20)):
        flipped = bytearray(content)
        flipped[at] ^= 1 << at % 8
        yield bytes(flipped)
    yield from (content + b"\0", b"\0" * len(content))


@pytest.mark.usefixtures("later")
def test_a_damaged_cache_is_ignored_and_written_again(one: Path, folder: Path) -> None:
    first = opened(one)
    (kept,) = files(folder)
    content = kept.read_bytes()
    for damaged in damages(content):
        kept.write_bytes(damaged)
        assert opened(one) == first
        assert kept.read_bytes() == content


@pytest.mark.usefixtures("later")
def test_a_cache_that_holds_something_else_is_ignored(
    one: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = opened(one)
    (kept,) = files(folder)
    content = kept.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(opened_cache, "_of_texts", lambda _: pa.table({"text": ["{}"]}))
        kept.unlink()
        assert opened(one) == first
    assert kept.read_bytes() != content
    assert opened(one) == first
    assert kept.read_bytes() == content


@pytest.mark.usefixtures("later")
def test_a_cache_that_other_code_wrote_is_ignored(
    one: Path, listings: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(one)
    code = opened_cache._code()
    assert code is not None
    monkeypatch.setattr(opened_cache, "_code", code.swapcase)
    listings()
    opened(one)
    assert listings() == 1


def test_all_packages_whose_code_opens_are_in_the_digest() -> None:
    assert {"dataset/", "errors.py", "format/", "storage/", "types.py"} < {*opened_cache._OPENING}


@pytest.mark.usefixtures("later")
def test_switched_off_nothing_is_written_and_nothing_read(
    one: Path, folder: Path, listings: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(folder / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "shared"))
    opened(one)
    monkeypatch.setenv("ROBOREEL_CACHE", "off")
    before = files(folder)
    opened(one)
    assert listings() == 2
    assert files(folder) == before


@pytest.mark.usefixtures("later")
def test_small_datasets_do_without(
    one: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opened_cache, "FEWEST_NAMES", 2000)
    opened(one)
    assert not folder.exists()


@pytest.mark.usefixtures("later")
def test_no_cache_is_put_into_the_dataset(one: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROBOREEL_CACHE", str(one / "meta"))
    before = files(one)
    opened(one)
    assert files(one) == before


@pytest.mark.usefixtures("later")
def test_a_folder_that_cannot_be_written_is_no_error(
    one: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ROBOREEL_CACHE", str(tmp_path / "file"))
    assert opened(one) == uncached(one)


@pytest.mark.usefixtures("later")
@pytest.mark.skipif(os.name == "nt", reason="permissions")
def test_what_is_kept_is_private(one: Path, folder: Path) -> None:
    opened(one)
    (kept,) = files(folder)
    modes = {path: path.stat().st_mode & 0o777 for path in (folder.parent, folder, kept)}
    assert modes == {folder.parent: 0o700, folder: 0o700, kept: 0o600}


@pytest.mark.usefixtures("later")
@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root gives away")
def test_a_cache_of_another_user_is_not_used(one: Path, folder: Path, listings: Counter) -> None:
    opened(one)
    os.chown(folder, 12345, -1)
    opened(one)
    assert listings() == 2


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("limit", ["MOST_DATASETS", "MOST_BYTES"])
def test_the_oldest_caches_make_room(
    one: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    opened(one)
    (kept,) = files(folder)
    most = {"MOST_DATASETS": 3, "MOST_BYTES": kept.stat().st_size + 2000}[limit]
    kept.unlink()
    monkeypatch.setattr(opened_cache, limit, most)
    now = time.time_ns()
    old = [folder / f"{number:032x}.opened" for number in range(4)]
    left, foreign = folder / scratch_beside("x"), folder / "notes.opened"
    for number, path in enumerate([*old, left, foreign]):
        path.write_bytes(b"x" * 1000)
        os.utime(path, ns=(now, now - (40 - number) * HOUR_NS))
    opened(one)
    assert {*files(folder)} == {kept, old[2], old[3], foreign}


@pytest.mark.usefixtures("later")
def test_a_cache_that_exceeds_the_limit_alone_takes_no_room_from_others(
    one: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.mkdir(parents=True)
    other = folder / f"{1:032x}.opened"
    other.write_bytes(b"x" * 50)
    monkeypatch.setattr(opened_cache, "MOST_BYTES", 100)
    opened(one)
    assert files(folder) == [other]


@pytest.mark.usefixtures("later")
def test_openings_at_the_same_time_do_not_break_each_other(
    one: Path, folder: Path, listings: Counter
) -> None:
    plainly = uncached(one)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(opened, [one] * 12))
    assert found == [plainly] * 12
    assert len(files(folder)) == 1
    listings()
    assert opened(one) == plainly
    assert listings() == 0


@pytest.mark.usefixtures("later")
def test_opening_changes_nothing_in_the_dataset(dataset: Path) -> None:
    def state() -> list[Any]:
        return [(p, p.stat().st_mtime_ns, p.stat().st_ctime_ns) for p in [*folders(dataset)]]

    before = state(), files(dataset)
    opened(dataset)
    opened(dataset)
    assert (state(), files(dataset)) == before


@pytest.mark.usefixtures("later")
def test_folders_of_mounted_programs_are_not_trusted(
    one: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = os.stat(one).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    listed = tmp_path / "mountinfo"
    monkeypatch.setattr(mounts, "_MOUNTS", str(listed))
    for kind, kept in (("fuse.s3fs", 0), ("ext4", 1)):
        listed.write_text(f"36 35 {number} / {one} rw shared:1 - {kind} source rw\n")
        opened(one)
        assert len(files(folder)) == kept


def test_listings_are_equal_whatever_their_folders() -> None:
    plainly = Listing(("a",))
    assert plainly == replace(plainly, folders={})

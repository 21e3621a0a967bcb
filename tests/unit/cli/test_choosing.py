"""How episodes, ranges and pairs are spelled, and what is told of other spellings."""

from __future__ import annotations

from pathlib import Path

import pytest

import roboreel
from roboreel.cli.edit.split import parts_in
from roboreel.cli.edit.video import size_in
from roboreel.cli.shared.choosing import episodes_in, frames_in, number_in, pairs_in
from roboreel.testing import make_dataset
from tests.mutate import edit_lines
from tests.unit.cli.conftest import Roboreel


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> roboreel.Dataset:
    folder = tmp_path_factory.mktemp("thirty") / "a"
    return roboreel.open(make_dataset(folder, version="v3.0", episodes=(1,) * 30, cameras={}))


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("3", [3]),
        ("3,11,20:26", [3, 11, 20, 21, 22, 23, 24, 25]),
        (" 3 , 4 ", [3, 4]),
        ("4 3", [4, 3]),
        ("28:", [28, 29]),
        (":2", [0, 1]),
        ("007", [7]),
    ],
)
def test_episodes(dataset: roboreel.Dataset, text: str, numbers: list[int]) -> None:
    assert episodes_in(text, dataset) == numbers


def test_an_open_range_means_the_episodes_that_are_there(
    tmp_path: Path,
) -> None:
    gapped = make_dataset(tmp_path / "a", version="v2.1", episodes=(1,) * 4, cameras={})
    edit_lines(
        gapped / "meta/episodes.jsonl",
        lambda lines: [
            {**line, "episode_index": number}
            for line, number in zip(lines, (0, 3, 4, 9), strict=True)
        ],
    )
    assert episodes_in("3:", roboreel.open(gapped)) == [3, 4, 9]


def test_episodes_of_a_file(dataset: roboreel.Dataset, tmp_path: Path) -> None:
    (tmp_path / "list").write_text("3, 4  # bad grasp\n\n# none\n20:22 7\n", "utf-8")
    assert episodes_in(f"@{tmp_path / 'list'}", dataset) == [3, 4, 20, 21, 7]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("20-26", r"write 20:27 for episodes 20 to 26"),
        ("1,20-26", r"'20-26' is not a range: write 20:27"),
        ("20..26", r"write 20:27"),
        ("5:5", r"'5:5' is an empty range: the end is not included"),
        ("9:3", r"'9:3' is an empty range"),
        (":", r"':' is not an episode or a range of episodes"),
        ("-3", r"'-3' is not an episode or a range of episodes"),
        ("1:5:2", r"'1:5:2' is not an episode or a range of episodes"),
        ("three", r"'three' is not an episode or a range of episodes"),
        ("1.5", r"'1.5' is not an episode or a range of episodes"),
        ("", r"'' contains no episode"),
        (",", r"',' contains no episode"),
        ("9" * 30, r"too large: expected at most 15 digits"),
    ],
)
def test_other_spellings_are_refused(dataset: roboreel.Dataset, text: str, says: str) -> None:
    with pytest.raises(roboreel.UsageError, match=says):
        episodes_in(text, dataset)


def test_a_range_beyond_the_end_is_told_with_its_first_numbers(dataset: roboreel.Dataset) -> None:
    numbers = episodes_in("28:999999999999", dataset)
    assert len(numbers) < 100
    with pytest.raises(
        roboreel.UsageError, match=r"no episode 30:\d+: the dataset has episodes 0 to 29"
    ):
        dataset.delete(numbers)
    with pytest.raises(roboreel.UsageError, match=r"no episode 500:\d+:"):
        dataset.delete(episodes_in("500:999999999999", dataset))


def test_a_list_without_its_at_sign(
    roboreel: Roboreel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make_dataset("a", episodes=(2, 2))
    Path("list").write_text("1")
    for line in ("delete a --episodes {} -o b", "split a --into one={},two=0 -o b"):
        told = roboreel(*line.format("list").split()).err
        assert "error: 'list' is a file: write @list" in told
        assert f"try: roboreel {line.format('@list')}" in told


def test_a_list_that_is_not_there(dataset: roboreel.Dataset, tmp_path: Path) -> None:
    with pytest.raises(roboreel.StorageError, match="No such file"):
        episodes_in(f"@{tmp_path / 'nowhere'}", dataset)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(roboreel.StorageError, match="is not text"):
        episodes_in(f"@{tmp_path / 'binary'}", dataset)
    (tmp_path / "empty").write_text("# nothing\n")
    with pytest.raises(roboreel.UsageError, match="contains no episode"):
        episodes_in(f"@{tmp_path / 'empty'}", dataset)


def test_frames() -> None:
    assert frames_in("10:200") == (10, 200)
    with pytest.raises(roboreel.UsageError, match="write 10:201 for frames 10 to 200"):
        frames_in("10-200")
    assert frames_in("10:") == (10, None)
    assert frames_in(":5") == (None, 5)
    for text in ("10", ":", "a:b", "-1:5", "1.0:2"):
        with pytest.raises(roboreel.UsageError, match="is not a range of frames"):
            frames_in(text)


def test_numbers_pairs_and_sizes() -> None:
    assert number_in("12") == 12
    assert pairs_in(["a=b", "c=d=e", "f="], "--x") == {"a": "b", "c": "d=e", "f": ""}
    assert size_in("640x480", "--size") == (640, 480)
    for text in ("", "-1", "1:2", "x"):
        with pytest.raises(roboreel.UsageError, match="is not an episode number"):
            number_in(text)
    for pairs, says in (
        (["a"], "expected old=new"),
        (["=b"], "expected old"),
        (["a=1", "a=2"], "twice"),
    ):
        with pytest.raises(roboreel.UsageError, match=says):
            pairs_in(pairs, "--x")
    for text in ("640", "0x480", "640x", "640*480", "640x480x3"):
        with pytest.raises(roboreel.UsageError, match="expected WIDTHxHEIGHT"):
            size_in(text, "--size")


def test_parts(dataset: roboreel.Dataset) -> None:
    assert parts_in("train=0.8,val=.2", dataset) == {"train": 0.8, "val": 0.2}
    assert parts_in("a=1.0", dataset) == {"a": 1.0}
    assert parts_in("a=1", dataset) == {"a": [1]}
    assert parts_in("a=0:3,7,b=10:12", dataset) == {"a": [0, 1, 2, 7], "b": [10, 11]}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0.8,0.2", r"expected NAME=0.8,NAME=0.2"),
        ("a=0.5,a=0.5", r"names the part 'a' twice"),
        ("a=,b=1", r"the part 'a' has no fraction and no episodes"),
        ("a=0.5,3,b=0.5", r"the part 'a' needs one fraction or a list of episodes, got 0.5, 3"),
        ("a=0-5", r"write 0:6"),
        ("a=80%", r"write percentages as fractions, a=0.8"),
    ],
)
def test_other_parts_are_refused(dataset: roboreel.Dataset, text: str, says: str) -> None:
    with pytest.raises(roboreel.UsageError, match=says):
        parts_in(text, dataset)

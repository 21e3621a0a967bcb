"""Files that travel along: by their own names, and refused where no folder can hold them all."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

import roboreel
from roboreel.errors import PlanError
from roboreel.plan.plan import CopyFile
from roboreel.testing import make_dataset
from tests.oracle import read


def _made(path: Path, **files: str) -> Path:
    """A dataset with files beside its own; `__` in a name stands for `/`, `_dot_` for `.`."""
    root = make_dataset(path, version="v2.1", episodes=(3, 2), cameras={})
    for name, text in files.items():
        place = root / name.replace("__", "/").replace("_dot_", ".")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return root


def _merged(*roots: Path) -> roboreel.Plan:
    view = roboreel.concat([roboreel.open(root) for root in roots])
    return roboreel.plan_write(view, out=roots[0].parent / "out")


COLLISIONS = {
    "file and folder": (
        "meta__notes",
        "meta__notes__mine",
        "'meta/notes' of .* is a file, and the",
    ),
    "capitals": ("README_dot_md", "Readme_dot_md", "'README.md' of .*a' and 'Readme.md' of .*b'"),
    "capitals of a folder": ("meta__Notes", "meta__notes__mine", "'meta/Notes' of .* and 'meta/n"),
    "sharp s": ("meta__stra\u00dfe", "meta__STRASSE", "and 'meta/STRASSE'"),
    "another form of a letter": (
        "meta__\u00e9",
        "meta__e\u0301",
        "several files would get the same name",
    ),
}


@pytest.mark.parametrize(("one", "other", "said"), COLLISIONS.values(), ids=COLLISIONS)
def test_files_of_several_datasets_that_collide_are_refused_by_the_plan(
    tmp_path: Path, one: str, other: str, said: str
) -> None:
    a, b = _made(tmp_path / "a", **{one: "1"}), _made(tmp_path / "b", **{other: "2"})
    for roots in ((a, b), (b, a)):
        with pytest.raises(PlanError, match="several files would get the same name") as caught:
            _merged(*roots)
        if roots == (a, b):
            assert caught.match(said)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_names_that_one_dataset_tells_apart_stay(tmp_path: Path) -> None:
    a = _made(tmp_path / "a", README="1", Readme="2", meta__notes__x="3")
    b = _made(tmp_path / "b", meta__Notes__y="4")
    names = {op.path for op in _merged(a, b).ops if isinstance(op, CopyFile)}
    assert names == {"README", "Readme", "meta/notes/x", "meta/Notes/y"}
    roboreel.convert(a, to="v3.0", out=tmp_path / "out")
    assert (tmp_path / "out/Readme").read_text() == "2"


@pytest.mark.parametrize("name", ["meta__episodes", "meta__tasks_dot_parquet__mine"])
def test_files_that_collide_with_documents_of_the_target_are_refused(
    tmp_path: Path, name: str
) -> None:
    root = _made(tmp_path / "a", **{name: "1"})
    with pytest.raises(PlanError, match="several files would get the same name"):
        roboreel.plan_convert(root, to="v3.0", out=tmp_path / "out")
    roboreel.convert(root, to="v2.0", out=tmp_path / "out")


def test_names_that_look_like_those_of_several_datasets_travel(tmp_path: Path) -> None:
    names = ["@README", "@0", "meta/@1"]
    a = _made(tmp_path / "a", **{name.replace("/", "__"): name for name in names})
    b = _made(tmp_path / "b")
    roboreel.convert(a, to="v3.0", out=tmp_path / "one")
    roboreel.run(_merged(a, b))
    for name in names:
        assert (tmp_path / "one" / name).read_text() == name
        assert (tmp_path / "out" / name).read_text() == name


def test_a_merge_tells_folder_names_and_never_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = ["jane/data", "joe/data", "data-2", "joe/more"]
    roots = [_made(tmp_path / place) for place in places]
    monkeypatch.chdir(roots[3])
    spelled = [*roots[:3], Path(), roots[0]]
    view = roboreel.concat([roboreel.open(root) for root in spelled])
    for version in ("v2.1", "v3.0"):
        out = tmp_path / f"out-{version}"
        roboreel.write(view.with_target(version), out=out)
        found = [episode.entry["source_dataset"] for episode in read(out).episodes]
        assert found[::2] == ["data", "data-3", "data-2", "more", "data"]
        parts = [str(tmp_path).encode(), b"jane", b"joe"]
        for path in out.rglob("*"):
            if path.is_file():
                assert not any(part in path.read_bytes() for part in parts), path
    table = pq.read_table(tmp_path / "out-v3.0/meta/episodes/chunk-000/file-000.parquet")
    assert set(table["source_dataset"].to_pylist()) == {"data", "data-2", "data-3", "more"}

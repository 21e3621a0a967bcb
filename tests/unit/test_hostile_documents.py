"""Documents that mean harm: paths, numbers, depths and texts. One clear problem, and nothing else."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import roboreel
from roboreel.cli.main import app
from roboreel.errors import DatasetError, Problem, RoboreelError, StorageError, visible
from roboreel.format.json_depth import is_deep
from roboreel.testing import Camera, make_dataset
from tests.mutate import edit_info, edit_json, edit_lines

CAMERA = "observation.images.top"
ESCAPES = "\x1b[31mred\x1b]0;title\x07\x9b2J\r\x08\u202egnp"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    cameras = {CAMERA: Camera(height=32)}
    return make_dataset(tmp_path / "in", version="v2.1", episodes=(3, 2), cameras=cameras)


@pytest.fixture
def source_v3(tmp_path: Path) -> Path:
    cameras = {CAMERA: Camera(height=32)}
    return make_dataset(tmp_path / "in3", version="v3.0", episodes=(3, 2), cameras=cameras)


def seen(text: str) -> list[str]:
    """Characters that a terminal might obey."""
    return [c for c in text if c != "\n" and (ord(c) < 32 or 127 <= ord(c) < 160 or c == "\u202e")]


# --- paths


@pytest.mark.sample(5)
@pytest.mark.parametrize(
    "template",
    ["../outside/{episode_index}.parquet", "/etc/passwd", "data/../../x", "{episode_index}\0", "",
     "~/x", "data/{video_key}/../../../x", "file:///etc/passwd", "data//{episode_index}", "\n"],
)  # fmt: skip
def test_templates_that_lead_elsewhere_lead_nowhere(
    source: Path, source_v3: Path, tmp_path: Path, template: str
) -> None:
    """Files are taken from the listing only, whatever a template says."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/0.parquet").write_bytes(b"not to be read")
    before = {path.name for path in tmp_path.iterdir()}
    for root in (source, source_v3):
        edit_info(root, data_path=template, video_path=template)
        out = tmp_path / f"out-{root.name}"
        try:
            report = roboreel.convert(root, to="v2.0", out=out)
        except RoboreelError as error:
            assert "0.parquet" not in str(error)  # noqa: PT017
            assert not seen(str(error))  # noqa: PT017
        else:
            assert report.frames == 5
    assert {path.name for path in tmp_path.iterdir()} <= before | {"out-in", "out-in3"}


@pytest.mark.parametrize(
    "template",
    ["{episode_index.__class__}", "{episode_index!r}", "{0}", "{}", "{x}", "{episode_index:99999999}",
     "{episode_index:>9999999}", "{", "}", "{episode_index:{chunk_index}}", "{video_key[0]}"],
)  # fmt: skip
def test_templates_compute_nothing(source: Path, template: str) -> None:
    edit_info(source, data_path=template)
    with pytest.raises(DatasetError, match=r"info\.path-template") as caught:
        roboreel.open(source)
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    "name", ["..", "../x", "a/../../x", "/x", "x/", "", "a\0b", ".", "observation.images.top/../.."]
)
@pytest.mark.parametrize("dtype", ["video", "float32"])
def test_feature_names_that_lead_out_are_refused(source: Path, name: str, dtype: str) -> None:
    spec = {"dtype": dtype, "shape": [2, 2, 3], "names": None}
    edit_json(source / "meta/info.json", lambda info: info["features"].update({name: spec}))
    with pytest.raises(DatasetError, match=r"feature\.declaration"):
        roboreel.open(source)


def test_camera_with_slashes_stays_below_the_output(source: Path, tmp_path: Path) -> None:
    name = "observation/images\n/top"
    edit_json(
        source / "meta/info.json",
        lambda info: info["features"].update({name: info["features"].pop(CAMERA)}),
    )
    folder = source / f"videos/chunk-000/{name}"
    folder.parent.mkdir(parents=True)
    (source / f"videos/chunk-000/{CAMERA}").rename(folder)
    roboreel.convert(source, to="v3.0", out=tmp_path / "out")
    assert (tmp_path / f"out/videos/{name}/chunk-000/file-000.mp4").is_file()
    back = roboreel.convert(tmp_path / "out", to="v2.1", out=tmp_path / "back")
    assert back.frames == 5


# --- numbers and kinds


NUMBERS: list[Any] = [
    -1,
    0.5,
    1e300,
    10**30,
    1 << 63,
    float("nan"),
    float("inf"),
    True,
    None,
    "1",
    [],
    {},
]


@pytest.mark.parametrize("value", NUMBERS, ids=repr)
@pytest.mark.parametrize("key", ["episode_index", "length"])
def test_numbers_of_episodes_are_held_to_be_numbers(source: Path, key: str, value: Any) -> None:
    edit_lines(source / "meta/episodes.jsonl", lambda lines: [{**lines[0], key: value}, lines[1]])
    with pytest.raises(DatasetError) as caught:
        roboreel.open(source)
    (problem,) = caught.value.problems
    assert problem.rule == "episode.entry"
    assert problem.path == "meta/episodes.jsonl, line 1"


@pytest.mark.sample(14)
@pytest.mark.parametrize("value", [*NUMBERS, 0, "x" * 10_000], ids=lambda v: repr(v)[:20])
@pytest.mark.parametrize(
    "key",
    ["codebase_version", "fps", "robot_type", "features", "chunks_size", "data_path", "video_path",
     "data_files_size_in_mb", "splits", "total_episodes", "storage_format", "anything"],
)  # fmt: skip
def test_any_kind_in_any_place_of_info_is_taken_or_refused(
    source: Path, tmp_path: Path, key: str, value: Any
) -> None:
    edit_info(source, **{key: value})
    try:
        report = roboreel.convert(source, to="v3.0", out=tmp_path / "out")
    except RoboreelError as error:
        assert 10 < len(str(error)) < 2000  # noqa: PT017
    else:
        assert report.frames == 5
        assert roboreel.open(tmp_path / "out").total_frames == 5


@pytest.mark.sample(16)
@pytest.mark.parametrize("value", NUMBERS, ids=repr)
@pytest.mark.parametrize("key", ["dtype", "shape", "names", "info"])
def test_any_kind_in_a_feature_is_taken_or_refused(
    source: Path, tmp_path: Path, key: str, value: Any
) -> None:
    def change(info: Any) -> None:
        info["features"][CAMERA][key] = value
        info["features"]["action"][key] = value

    edit_json(source / "meta/info.json", change)
    try:
        roboreel.convert(source, to="v3.0", out=tmp_path / "out")
    except RoboreelError as error:
        assert 10 < len(str(error)) < 5000  # noqa: PT017


@pytest.mark.parametrize("token", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_json_does_not_have_are_kept_where_they_mean_nothing(
    source: Path, tmp_path: Path, token: str
) -> None:
    text = (source / "meta/info.json").read_text("utf-8").rstrip().removesuffix("}")
    (source / "meta/info.json").write_text(f'{text}, "mine": {token}}}', "utf-8")
    roboreel.convert(source, to="v3.0", out=tmp_path / "out")
    assert f'"mine": {token.replace("1e999", "Infinity")}' in (
        tmp_path / "out/meta/info.json"
    ).read_text("utf-8")


# --- JSON itself


@pytest.mark.parametrize("document", ["meta/info.json", "meta/episodes.jsonl", "meta/tasks.jsonl"])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"[" * 100_000 + b"]" * 100_000, "more than 64 deep"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "more than 64 deep"),
        (b'{"a":[' * 500, "more than 64 deep"),
        (b"\xff\xfe{\0}\0", "not UTF-8"),
        (b'{"a": "\xc3("}', "not UTF-8"),
        (b"{\0}", "not JSON"),
        (b'{"a": 1', "not JSON"),
        (b"1" * 100_000, "the JSON cannot be read"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "a git-LFS pointer"),
        (b"null", "not a JSON object"),
        (b"[[]]", "not a JSON object"),
    ],
)  # fmt: skip
def test_what_is_no_json_is_told_in_one_line(
    source: Path, document: str, text: bytes, said: str
) -> None:
    """[`document.readable`]"""
    (source / document).write_bytes(text)
    with pytest.raises(DatasetError) as caught:
        roboreel.open(source)
    (problem,) = caught.value.problems
    assert problem.rule == "document.readable"
    assert said in problem.message
    assert str(problem.path).startswith(document)


@pytest.mark.parametrize(
    ("document", "deep"),
    [
        (b"[" * 64 + b"]" * 64, False),
        (b"[" * 65, True),
        (b'{"a":' * 65, True),
        (b"[1,2],[3]," * 5000, False),
        (b'["' + b"[" * 500 + b'"]', False),
        (b'["\\"' + b"[" * 500 + b'"]', False),
        (b'["]",' * 65, True),
        (b'["\\\\",' * 65, True),
        (b'["\\"]",' * 65, True),
        (b"", False),
    ],
)
def test_depth_is_that_of_brackets_outside_texts(document: bytes, deep: bool) -> None:
    assert is_deep(document) is deep


def test_keys_that_stand_twice_are_told(source: Path) -> None:
    """[`document.keys`]"""
    text = (source / "meta/info.json").read_text("utf-8").rstrip().removesuffix("}")
    (source / "meta/info.json").write_text(f'{text}, "fps": 15}}', "utf-8")
    dataset = roboreel.open(source)
    (found,) = [problem for problem in dataset.problems if problem.rule == "document.keys"]
    assert "'fps'" in found.message
    assert dataset.fps == 15


def test_long_lists_are_read_in_time_and_told_in_short(source: Path) -> None:
    lines = 150_000
    (source / "meta/episodes.jsonl").write_text('{"episode_index": -1}\n' * lines, "utf-8")
    begun = time.monotonic()
    with pytest.raises(DatasetError) as caught:
        roboreel.open(source)
    assert time.monotonic() - begun < 60
    assert len(str(caught.value)) < 5000
    assert len(caught.value.problems) == 100_001
    assert caught.value.problems[-1].message == "50000 more of this kind"


def test_many_tasks_that_no_list_has_are_added_in_time(source: Path) -> None:
    """A second for each hundred thousand, not an hour."""
    count = 30_000
    (source / "meta/episodes.jsonl").write_text(
        "".join(
            json.dumps({"episode_index": n, "tasks": [f"task {n}"], "length": 3}) + "\n"
            for n in range(count)
        ),
        "utf-8",
    )
    begun = time.monotonic()
    assert len(roboreel.open(source).tasks) == count + 2
    assert time.monotonic() - begun < 20


def test_huge_texts_are_told_in_short(source: Path) -> None:
    edit_info(source, codebase_version="x" * 10_000_000)
    with pytest.raises(DatasetError) as caught:
        roboreel.open(source)
    assert len(str(caught.value)) < 2000


# --- what a terminal would obey


def _everywhere(info: Any) -> None:
    info["robot_type"] = ESCAPES
    info["features"][f"x{ESCAPES}"] = {"dtype": f"float{ESCAPES}", "shape": [2], "names": [ESCAPES]}
    info["features"][CAMERA]["info"]["video.codec"] = ESCAPES
    info["splits"] = {ESCAPES: ESCAPES}
    info["total_tasks"] = ESCAPES
    info["data_files_size_in_mb"] = ESCAPES


@pytest.mark.parametrize("command", ["info", "info --json", "plan", "plan --json", "convert"])
def test_nothing_that_a_terminal_obeys_is_printed(
    source: Path, tmp_path: Path, command: str
) -> None:
    edit_json(source / "meta/info.json", _everywhere)
    for name in ("tasks", "episodes"):
        text = (source / f"meta/{name}.jsonl").read_text("utf-8")
        text = text.replace("pick up the red cube", json.dumps(ESCAPES)[1:-1])
        (source / f"meta/{name}.jsonl").write_text(text, "utf-8")
    (source / f"meta/{ESCAPES}").touch()
    (source / f"data/{ESCAPES}").touch()
    convert = ["convert", str(source), "--to", "v3.0", "--out", str(tmp_path / "out")]
    arguments = {
        "info": ["info", str(source)],
        "info --json": ["info", str(source), "--json"],
        "plan": [*convert, "--dry-run"],
        "plan --json": [*convert, "--dry-run", "--json"],
        "convert": convert,
    }[command]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert not seen(result.output)
    if "--json" in arguments:
        json.loads(result.stdout)
    else:
        assert "\\x1b[31mred" in result.output


def test_errors_show_no_character_that_a_terminal_obeys(source: Path) -> None:
    edit_info(source, codebase_version=ESCAPES, fps=ESCAPES)
    with pytest.raises(DatasetError) as caught:
        roboreel.open(source)
    assert not seen(str(caught.value))
    assert not seen(str(StorageError(ESCAPES)))
    problem = Problem(
        rule="x", severity="error", message=f"{ESCAPES}\n  - forged", column=ESCAPES, path=ESCAPES,
        action=ESCAPES,
    )  # fmt: skip
    assert not seen(str(problem))
    assert "\n" not in str(problem)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("größe → 你好 😀", "größe → 你好 😀"),
        ("a\nb", "a\\nb"),
        ("\x1b[0m", "\\x1b[0m"),
        ("\x9b\x7f\0\t\r", "\\x9b\\x7f\\x00\\t\\r"),
        ("\u202eabc\u2028", "\\u202eabc\\u2028"),
        ("\udcff\ud800", "\\udcff\\ud800"),
        ("a\u200db", "a\u200db"),
    ],
)
def test_visible_spells_out_what_is_not_seen(text: str, shown: str) -> None:
    assert visible(text) == shown

"""The public names, and what importing them costs."""

from __future__ import annotations

import dataclasses
import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

import pytest

import roboreel
from roboreel.edit.write_options import WriteKeywords
from roboreel.runner.run_options import RunKeywords
from roboreel.testing import make_dataset
from scripts import public_api
from tests.doc_blocks import blocks_of

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    "module", ["roboreel", "roboreel.sink", "roboreel.ray", "roboreel.testing"]
)
def test_names_and_signatures_are_those_pinned(module: str) -> None:
    assert public_api.section(module) == public_api.pinned_section(module), "scripts/public_api.py"


@pytest.mark.parametrize("module", public_api.MODULES)
def test_every_public_name_has_an_example(module: str) -> None:
    names = re.findall(r"^(?:class |def )?(\w+)", public_api.pinned_section(module), re.MULTILINE)
    pages = [*(ROOT / "docs").glob("*.md"), ROOT / "README.md"]
    blocks = [one for page in pages for one in blocks_of(page.read_text("utf-8"))]
    code = "\n".join(block.text for block in blocks if block.language == "python")
    assert len(names) > 2
    assert [name for name in names if not re.search(rf"\b{name}\b", code)] == []


@pytest.mark.parametrize("name", roboreel.__all__)
def test_every_public_name_is_there_after_every_other(name: str) -> None:
    for other in roboreel.__all__:
        getattr(roboreel, other)
    value = getattr(roboreel, name)
    assert name in dir(roboreel)
    assert type(value).__name__ != "module"


def _loaded(statement: str) -> set[str]:
    code = f"{statement}\nimport sys; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_loads_nothing_heavy() -> None:
    heavy = {"av", "typer", "click", "rich", "fsspec", "torch", "pandas", "datasets", "cv2", "PIL"}
    heavy |= {"torchcodec", "decord"}
    assert not _loaded("import roboreel") & heavy


def test_public_names_load_nothing_of_the_command() -> None:
    names = "[getattr(roboreel, name) for name in roboreel.__all__]"
    assert not _loaded(f"import roboreel; {names}") & {"av", "typer", "rich", "fsspec", "pandas"}


def test_errors_stand_below_one() -> None:
    errors = [getattr(roboreel, name) for name in roboreel.__all__ if name.endswith("Error")]
    assert all(issubclass(error, roboreel.RoboreelError) for error in errors)
    assert issubclass(roboreel.VideoError, roboreel.StorageError)


@pytest.mark.parametrize(
    ("options", "keywords"),
    [(roboreel.WriteOptions, WriteKeywords), (roboreel.RunOptions, RunKeywords)],
)
def test_keywords_for_type_checkers_are_the_fields(options: type, keywords: type) -> None:
    own = {name: type_ for name, type_ in get_type_hints(options).items() if name != "to"}
    assert own == get_type_hints(keywords)


@pytest.mark.parametrize(
    ("function", "options"),
    [
        (roboreel.convert, (roboreel.WriteOptions, roboreel.RunOptions)),
        (roboreel.plan_convert, (roboreel.WriteOptions,)),
        (roboreel.View.with_target, (roboreel.WriteOptions,)),
        (roboreel.write, (roboreel.RunOptions,)),
        (roboreel.run, (roboreel.RunOptions,)),
    ],
)
def test_help_lists_every_option(function: Callable[..., Any], options: tuple[type, ...]) -> None:
    shown = inspect.signature(function).parameters
    text = function.__doc__ or ""
    for field in (one for option in options for one in dataclasses.fields(option)):
        assert text.count(f"\n    {field.name}: ") == 1, field.name
        assert field.name in shown
    assert not [one for one in shown.values() if one.kind is one.VAR_KEYWORD]
    assert get_type_hints(function)["return"]


def test_unknown_options_are_refused() -> None:
    with pytest.raises(TypeError, match="no argument 'worker': did you mean workers"):
        roboreel.convert("x", to="v3.0", out="y", worker=2)  # type: ignore[call-arg]


def test_unknown_names_are_answered_with_the_known(tmp_path: Path) -> None:
    dataset = roboreel.open(make_dataset(tmp_path / "a"))
    with pytest.raises(
        TypeError, match=r"keep\(\) has no argument 'min_length': it takes episodes"
    ):
        dataset.keep(min_length=15)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"'delta_timestamps': did you mean offsets\?"):
        roboreel.reader(dataset, delta_timestamps={})  # type: ignore[call-arg]
    for features in (
        dataset.features,
        dataset.keep([0]).features,
        roboreel.reader(dataset).features,
    ):
        with pytest.raises(
            roboreel.errors.UnknownNameError, match=r"no feature 'nope': .*'action'"
        ):
            features["nope"]
    with pytest.raises(AttributeError, match=r"use roboreel.reader\(dataset\).lengths"):
        dataset.lengths  # type: ignore[attr-defined]  # noqa: B018

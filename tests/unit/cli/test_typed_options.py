"""Messages name options as Python has them; on the command line they read as they are typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer

import roboreel
from roboreel.cli.main import app
from roboreel.cli.text.typed_options import FLAGS, as_typed
from roboreel.errors import PlanError
from roboreel.testing import make_dataset
from tests.command import run_here


@pytest.mark.parametrize(
    ("python", "typed"),
    [
        ("pass allow_reencode=True to cut", "pass --allow-reencode to cut"),
        ('on_broken="skip" leaves it out', "--on-broken skip leaves it out"),
        ('allow_missing=["arm", "a b"]', "--allow-missing arm --allow-missing 'a b'"),
        ("allow_missing=[NAME]", "--allow-missing NAME"),
        ('leftovers="resume" or leftovers="clean"', "--resume or --clean"),
        ("with_uids=False", "--without-uids"),
        ("out=DST or in_place=True", "-o DST or --in-place"),
        ('rename={"a": "b"}', "--rename a=b"),
        ('rename={"a": "b", "c d": "e"}', "--rename a=b --rename 'c d=e'"),
        ('.encode({"a": Reencoding(size=(64, 48))})', "--resize 64x48"),
        ('.encode({"a": Encoding(size=(6, 4)), "b": Reencoding(size=(6, 4))})', "--resize 6x4"),
        ("workers=4", "--workers 4"),
        ('rest="test"', "--rest test"),
    ],
)
def test_options_read_as_they_are_typed(python: str, typed: str) -> None:
    assert as_typed(python) == typed


@pytest.mark.parametrize("text", ["a=b", "my_out=DST", "options.decode=True", "x == y", "rest=a"])
def test_other_text_stays(text: str) -> None:
    assert as_typed(text) == text


def test_every_flag_is_an_option_of_a_command() -> None:
    root: Any = typer.main.get_command(app)
    with root.make_context("roboreel", ["--help"], resilient_parsing=True) as context:
        commands = [root.get_command(context, name) for name in root.list_commands(context)]
    known = {option for one in commands for parameter in one.params for option in parameter.opts}
    assert set(FLAGS.values()) <= known


def test_python_and_the_command_name_their_own_option(tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "a", version="v2.1", episodes=(5, 4))
    next(iter(source.rglob("*.mp4"))).unlink()
    with pytest.raises(PlanError, match='on_broken="skip"'):
        roboreel.convert(source, to="v3.0", out=tmp_path / "b")
    run = run_here("convert", source, "--to", "v3.0", "-o", tmp_path / "b")
    assert "pass --on-broken skip" in " ".join(run.stderr.split())
    assert "on_broken" not in run.stderr


def test_json_names_options_too(tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "a", version="v2.1", episodes=(5,))
    for video in source.rglob("*.mp4"):
        video.unlink()
    found = json.loads(run_here("check", source, "--json").stdout)["problems"]
    actions = " ".join(one["action"] or "" for one in found)
    assert "_" not in actions.replace("observation.images.", "") or "=True" not in actions


@pytest.mark.parametrize(("rate", "typed"), [("30", "30"), ("Fraction(30000, 1001)", "30000/1001")])
def test_a_rate_is_typed_as_an_option(rate: str, typed: str) -> None:
    assert as_typed(f"Resample them with .resample({rate})") == f"Resample them with --fps {typed}"

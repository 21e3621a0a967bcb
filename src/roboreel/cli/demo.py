"""`roboreel demo`: the main job on a small dataset made on the spot."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from roboreel.cli.demo_record import record_demo
from roboreel.cli.shared.stopping import stoppable
from roboreel.cli.text.output import say
from roboreel.dataset.open import open_dataset
from roboreel.diffing import diff
from roboreel.errors import RunError, UsageError, counted
from roboreel.format.version import FormatVersion
from roboreel.ops.output import refuse_output
from roboreel.ops.write import convert
from roboreel.runner.run_report import Report
from roboreel.storage.names import is_url
from roboreel.summary.words import human_bytes

_EPISODES = (90, 60, 1, 75, 40)


def demo(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[record|messy] DIR",
            help="Write to this folder, which must not exist or must be empty. With `record`: record from"
            " synthetic cameras. With `messy`: make a v2.1 dataset with typical recording faults.",
        ),
    ],
) -> None:
    """Make a small dataset with two cameras, convert it to v3.0 and back, and compare; or record one.

    Examples:
        roboreel demo demo
        roboreel demo messy messy_demo
    """
    kinds = {"record": record_demo, "messy": _make_messy}
    run = kinds.get(words[0], _run)
    if len(words) != (1 if run is _run else 2):
        raise UsageError(
            "expected one folder: roboreel demo DIR, roboreel demo record DIR, or roboreel demo messy DIR"
        )
    if is_url(words[-1]):
        raise UsageError(f"the output '{words[-1]}' is a URL: give a folder")
    folder = Path(os.path.expanduser(words[-1]))
    with stoppable():
        run(folder)


def _run(folder: Path) -> None:
    from roboreel.testing import make_dataset

    refuse_output(str(folder))
    old, new = FormatVersion.V20, FormatVersion.V30
    source, there, back = (folder / name for name in (f"{old}", f"{new}", f"{old}-again"))
    try:
        make_dataset(source, version=old.value, episodes=_EPISODES)
    except OSError as error:
        raise RunError(f"the demo dataset cannot be written to '{source}': {error}") from error
    made = open_dataset(source)
    say(f"made       {source}: {made}")
    say(
        f"           {counted(len(made.cameras), 'camera')}, {human_bytes(made.size_bytes())}, real mp4"
        " files"
    )
    for out, report in (
        (there, convert(source, to=new, out=there)),
        (back, convert(there, to=old, out=back)),
    ):
        say(f"converted  {out}: {_done(report)}")
        _check(source, out)
    say()
    say("next: look at your own dataset, and see what a conversion would write")
    say("  roboreel info PATH")
    paths = [shlex.quote(str(path)) for path in (there, folder / FormatVersion.V21.value)]
    say(f"  roboreel convert {paths[0]} --to v2.1 -o {paths[1]} --dry-run")


def _make_messy(folder: Path) -> None:
    from roboreel.testing import make_messy_dataset

    refuse_output(str(folder))
    try:
        make_messy_dataset(folder)
    except OSError as error:
        raise RunError(f"the demo dataset cannot be written to '{folder}': {error}") from error
    say(
        f"made {folder}: v2.1, 6 episodes of an SO-101 with two cameras and typical recording faults"
    )
    say()
    say("next: see what is wrong with it, and repair it")
    quoted = shlex.quote(str(folder))
    say(f"  roboreel check {quoted}")
    say(f"  roboreel repair {quoted} -o {shlex.quote(str(folder) + '_repaired')}")


def _done(report: Report) -> str:
    return (
        f"{report.version}, {counted(report.frames, 'row')} and"
        f" {counted(report.packets_copied, 'packet')} copied,"
        f" {counted(report.frames_encoded, 'frame')} re-encoded, in {report.seconds:.2f} s"
    )


def _check(source: Path, out: Path) -> None:
    found = [str(difference) for difference in diff(source, out).differences]
    if found:
        raise RunError(
            f"the converted dataset '{out}' differs from '{source}': {'; '.join(found[:5])}"
        )
    say(f"verified   {out}: every row, task and packet equals that of {source}")

"""`roboreel merge` and `compact`: join datasets, and join small files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Annotated

import typer

from roboreel.checking.unreferenced import unreferenced
from roboreel.cli.edit.video import rate_in, size_in
from roboreel.cli.failures.advice import NoOutputError
from roboreel.cli.shared.choosing import pairs_in
from roboreel.cli.shared.opening import opened_all
from roboreel.cli.shared.shared_options import SourceArgument, choices
from roboreel.cli.shared.writing import Writing, carry_out, writes, writes_elsewhere
from roboreel.cli.text.output import emit_json, table, tell
from roboreel.dataset.dataset import Dataset
from roboreel.dataset.view_file import is_view_file
from roboreel.edit.concat import FeaturePolicy, concat
from roboreel.edit.view import View
from roboreel.errors import PlanError, counted, listed
from roboreel.format.model import DATA_PATH, video_path
from roboreel.ops.write import plan_write
from roboreel.plan.plan import Plan
from roboreel.summary.words import human_bytes

_FEW = 3
"""Most datasets of another frame rate that a warning names."""


@writes_elsewhere
def merge(
    options: Writing,
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SRC…",
            help="Datasets in order; each is a folder, user/name on the Hub, URL or view file.",
        ),
    ],
    features: Annotated[
        FeaturePolicy,
        typer.Option(
            "--features",
            metavar=choices(FeaturePolicy),
            help="If features differ: stop (strict), keep the features that all have (common), or fill"
            " with zeros and add a mask column (pad).",
        ),
    ] = "strict",
    rename: Annotated[
        list[str] | None,
        typer.Option(
            "--rename",
            metavar="OLD=NEW",
            help="Rename OLD to NEW in the datasets that have it. Repeatable.",
        ),
    ] = None,
    resize: Annotated[
        str | None,
        typer.Option(
            "--resize",
            "--size",
            metavar="WxH",
            help="Scale cameras whose frames have another size to this size, in pixels; this re-encodes"
            " them.",
        ),
    ] = None,
    fps: Annotated[
        str | None,
        typer.Option(
            "--fps",
            metavar="N",
            help="Resample every dataset to this rate in frames/s: 15, 29.97, 30000/1001; this re-encodes"
            " all videos. Required if the rates differ.",
        ),
    ] = None,
) -> None:
    """Merge datasets, one after another, even of different versions. The sources are not modified.

    Examples:
        roboreel merge monday tuesday -o week
        roboreel merge sessions/* --features common --to v3.0 -o all --workers 4
    """
    if options.out is None:
        raise NoOutputError(sources[0], in_place=False)
    names = pairs_in(rename or [], "--rename")
    rate = None if fps is None else rate_in(fps)
    size = None if resize is None else size_in(resize, "--resize")

    def plan_of() -> Plan:
        parts = opened_all(sources, options.view)
        if rate is not None:
            _warn_of_resampling(options, dict(zip(sources, parts, strict=True)), rate)
            parts = [part.resample(rate) for part in parts]
        view = concat(parts, features=features, rename=names)
        if size is not None:
            scaled = replace(options.reencoding, size=size)
            view = view.encode(dict.fromkeys(_of_other_size(view, size), scaled))
        view = view.written_as(options.write_options())
        plan = plan_write(view, out=options.out, workers=options.run_options)
        versions = sorted({source.model.info.version.value for source in view.sources})
        if options.to is None and len(versions) > 1 and options.form == "text":
            tell(
                f"note: of {', '.join(versions)}, {view.version} is written, the first one's: or give --to"
            )
        return plan

    carry_out(sources[0], options, plan_of)


@writes
def compact(
    options: Writing,
    source: SourceArgument,
    drop_unreferenced: Annotated[
        bool,
        typer.Option(
            "--drop-unreferenced",
            help="Leave out frames and files that no episode uses, such as discarded takes.",
        ),
    ] = False,
) -> None:
    """Join small files, up to the size limits. Without an output, counts the files.

    Examples:
        roboreel compact my_dataset -o compacted
        roboreel compact my_dataset --drop-unreferenced --in-place
    """
    if not options.is_asked:
        _show(options.opened(source), as_json=options.as_json)
        return
    if not is_view_file(source):
        found = unreferenced(options.opened(source))
        if found and not drop_unreferenced:
            raise PlanError(
                f"no episode uses {found} of '{source}', so the result would not have them: pass"
                " --drop-unreferenced to leave them out, or list them with `roboreel check`"
            )
        if found and not options.quiet:
            tell(f"left out: {found} that no episode uses")
    options.write_edited(source, View.as_view, regroup=True)


def _warn_of_resampling(options: Writing, parts: Mapping[str, View], rate: Fraction) -> None:
    """Say how videos that have the rate already can be copied, if few have another."""
    others = [source for source, part in parts.items() if part.fps != rate]
    videos = any(one.is_video for part in parts.values() for one in part.features.values())
    if videos and options.form == "text" and 0 < len(others) < len(parts) and len(others) <= _FEW:
        tell(
            f"warning: the videos of all {len(parts)} datasets are re-encoded, but only {listed(others)} had"
            f" to be: `roboreel resample` such a dataset alone and merge the result to copy the others"
        )


def _of_other_size(view: View, size: tuple[int, int]) -> list[str]:
    """The video cameras that some dataset declares with another size (width, height)."""
    shape = (size[1], size[0])
    declared = [one for source in view.sources for one in source.model.info.features.values()]
    other = [
        one for one in declared if one.is_video and shape not in (one.shape[:2], one.shape[1:])
    ]
    return list(dict.fromkeys(one.name for one in other))


def _show(dataset: Dataset, *, as_json: bool) -> None:
    groups = {"tables": _files(dataset, DATA_PATH)}
    groups |= {camera: _files(dataset, video_path(camera)) for camera in dataset.cameras}
    sizes = {
        name: [dataset.root.stat(p).size_bytes for p in paths] for name, paths in groups.items()
    }
    if as_json:
        emit_json(
            {name: {"files": len(all_), "size_bytes": sum(all_)} for name, all_ in sizes.items()}
        )
        return
    table(
        [(name, counted(len(all_), "file"), human_bytes(sum(all_))) for name, all_ in sizes.items()]
    )


def _files(dataset: Dataset, column: str) -> list[str]:
    """Names of the existing files in a column of the episodes."""
    named = set(dataset.episodes[column].drop_null().to_pylist())
    return sorted(named & set(dataset.files))

"""`roboreel encode` and `resample`: other encodings, another frame rate."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from typing import Annotated, Any

import typer

from roboreel.cli.edit.choosing import EpisodesOption, SourceArgument, episodes_in
from roboreel.cli.info import describe_features, feature_row
from roboreel.cli.output import emit_json, say, table
from roboreel.cli.writing import Writing, only_prints, write_edited, writes
from roboreel.dataset.dataset import Dataset
from roboreel.edit.encoding import Encoding
from roboreel.edit.view import View
from roboreel.errors import UsageError


@writes
def resample(
    options: Writing,
    source: SourceArgument,
    fps: Annotated[
        str | None, typer.Option("--fps", metavar="N", help="The rate: 15, 29.97, 30000/1001.")
    ] = None,
) -> None:
    """Take rows and frames at another rate, the nearest in time. Without --fps, say the rate."""
    if only_prints(options, [fps], "--fps"):
        _show_rate(options.opened(source), as_json=options.as_json)
        return
    rate = rate_in(fps or "")
    write_edited(source, options, lambda dataset: dataset.resample(rate))


@writes
def encode(
    options: Writing,
    source: SourceArgument,
    camera: Annotated[
        list[str] | None,
        typer.Option("--camera", metavar="NAME", help="A camera; by default all. Repeatable."),
    ] = None,
    vcodec: Annotated[
        str | None, typer.Option("--vcodec", help="Encoder: libsvtav1, h264, hevc, …")
    ] = None,
    pix_fmt: Annotated[str | None, typer.Option("--pix-fmt", help="Pixel format.")] = None,
    g: Annotated[
        int | None, typer.Option("--g", min=1, help="Frames from keyframe to keyframe.")
    ] = None,
    crf: Annotated[
        float | None, typer.Option("--crf", min=0, help="Quality: less is better, and larger.")
    ] = None,
    preset: Annotated[
        str | None, typer.Option("--preset", help="The encoder's own setting of speed.")
    ] = None,
    fast_decode: Annotated[
        int | None, typer.Option("--fast-decode", min=0, help="As the encoder has it.")
    ] = None,
    size: Annotated[
        str | None, typer.Option("--size", metavar="WxH", help="Scale pictures to this size.")
    ] = None,
    to_images: Annotated[
        bool, typer.Option("--to-images", help="Turn video into pictures in the tables.")
    ] = False,
    episodes: EpisodesOption = None,
) -> None:
    """Encode cameras anew: other settings, pictures into video, or video into pictures.

    Settings that are not given are lerobot's. The result holds --episodes, by default all. Without any
    setting, cameras and their encodings are listed.
    """
    given = _changes(
        vcodec=vcodec,
        pix_fmt=pix_fmt,
        g=g,
        crf=crf,
        preset=_preset(preset),
        fast_decode=fast_decode,
        size=None if size is None else size_in(size, "--size"),
    )
    asked = [camera, to_images, episodes, *given.values()]
    if only_prints(options, asked, "--vcodec, --crf, --to-images, …"):
        _show_cameras(options.opened(source), as_json=options.as_json)
        return
    if to_images and given:
        raise UsageError("--to-images writes PNG: settings of an encoder do not go with it")

    def edited(dataset: Dataset) -> View:
        view = dataset.as_view()
        if episodes is not None:
            view = view.keep(episodes_in(episodes, dataset))
        cameras = camera or [
            one.name
            for one in dataset.features.values()
            if one.is_video or (one.is_camera and not to_images)
        ]
        if not cameras:
            raise UsageError(f"'{source}' has no {'video camera' if to_images else 'camera'}")
        if to_images:
            return view.decode(*cameras)
        return view.encode(dict.fromkeys(cameras, replace(Encoding(), **given)))

    write_edited(source, options, edited)


def size_in(text: str, option: str) -> tuple[int, int]:
    """(width, height) in `640x480`.

    Raises:
        UsageError: it is no size.
    """
    found = re.fullmatch(r"([1-9]\d{0,4})[x×]([1-9]\d{0,4})", text)
    if found is None:
        raise UsageError(f"{option} '{text}': expected WIDTHxHEIGHT, such as 640x480")
    return int(found[1]), int(found[2])


def _changes(**settings: Any) -> dict[str, Any]:
    """The settings that were given, by the names of the fields of `Encoding`."""
    return {name: value for name, value in settings.items() if value is not None}


def _preset(text: str | None) -> int | str | None:
    return int(text) if text is not None and re.fullmatch(r"-?\d{1,3}", text) else text


def rate_in(text: str) -> Fraction:
    """The rate in `15`, `29.97` or `30000/1001`.

    Raises:
        UsageError: it is none.
    """
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise UsageError(
            f"--fps '{text}': expected a rate such as 15, 29.97 or 30000/1001"
        ) from error


def _show_rate(dataset: Dataset, *, as_json: bool) -> None:
    fps = dataset.fps
    if as_json:
        emit_json(
            {"fps": dataset.model.info.fps_value, "fps_exact": f"{fps.numerator}/{fps.denominator}"}
        )
        return
    say(f"{dataset.model.info.fps_value:g} fps")


def _show_cameras(dataset: Dataset, *, as_json: bool) -> None:
    cameras = [feature for feature in dataset.features.values() if feature.is_camera]
    if as_json:
        known = describe_features(dataset)
        emit_json({"cameras": {one.name: known[one.name] for one in cameras}})
        return
    if not cameras:
        say("no cameras")
    table([feature_row(feature) for feature in cameras])

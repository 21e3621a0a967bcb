"""`roboreel encode` and `resample`: other encodings, another frame rate."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Annotated, Any

import typer

from roboreel.cli.shared.choosing import EpisodesOption, episodes_in
from roboreel.cli.shared.shared_options import SourceArgument
from roboreel.cli.shared.writing import Writing, only_prints, writes
from roboreel.cli.text.feature_words import describe_features, feature_row
from roboreel.cli.text.output import emit_json, say, table
from roboreel.edit.features import features_of
from roboreel.edit.view import View
from roboreel.errors import UsageError, listed
from roboreel.format.encoding import Encoding


@writes
def resample(
    options: Writing,
    source: SourceArgument,
    fps: Annotated[
        str | None,
        typer.Option(
            "--fps", metavar="N", help="Change to this rate, in frames/s: 15, 29.97, 30000/1001."
        ),
    ] = None,
) -> None:
    """Change the frame rate; each output frame is the nearest input frame in time.

    Videos are re-encoded near the quality and bit rate of the source, or with the settings that
    you give (--vcodec, --crf, …). Without --fps, prints the rate.

    Examples:
        roboreel resample my_dataset --fps 15 -o my_dataset_15fps
        roboreel resample my_dataset --fps 30000/1001 --vcodec h264 -o ntsc
    """
    if only_prints(options, [fps], "--fps"):
        _show_rate(options.view(source), as_json=options.as_json)
        return
    rate = rate_in(fps or "")
    options.write_edited(source, lambda view: view.resample(rate))


@writes
def encode(
    options: Writing,
    source: SourceArgument,
    camera: Annotated[
        list[str] | None,
        typer.Option(
            "--camera", metavar="NAME", help="Re-encode only this camera. Repeatable. Default: all."
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            "--size", "--resize", metavar="WxH", help="Scale frames to this size, in pixels."
        ),
    ] = None,
    to_video: Annotated[
        bool,
        typer.Option(
            "--to-video",
            help="Turn images in the tables into video; other cameras stay as they are.",
        ),
    ] = False,
    to_images: Annotated[
        bool, typer.Option("--to-images", help="Turn video into images in the tables (PNG).")
    ] = False,
    episodes: EpisodesOption = None,
) -> None:
    """Re-encode cameras: change codec, quality or size, turn images into video, or video into images.

    The defaults are lerobot's: --vcodec libsvtav1, --pix-fmt yuv420p, --g 2, --crf 30, --preset 12,
    --fast-decode 0. The result contains only the chosen --episodes, by default all. With only an output,
    turns images into video (--to-video). Without any of these, lists the cameras and their encodings.

    Examples:
        roboreel encode my_dataset -o my_dataset_video
        roboreel encode my_dataset --vcodec h264 --crf 23 -o my_dataset_h264
    """
    given: dict[str, Any] = options.reencoding.given
    if size is not None:
        given["size"] = size_in(size, "--size")
    asked = [camera, to_images, to_video, episodes, *given.values()]
    if not any(asked) and not options.is_asked:
        _show_cameras(options.view(source), as_json=options.as_json)
        return
    _refuse_both_ways(to_images, to_video, given)
    only_images = to_video or not any(asked)

    def edited(view: View) -> View:
        if episodes is not None:
            view = view.keep(episodes_in(episodes, view))
        found = [one for one in features_of(view).values() if one.is_camera]
        if only_images:
            found = [one for one in found if not one.is_video]
        elif to_images:
            found = [one for one in found if one.is_video]
        cameras = camera or [one.name for one in found]
        if only_images:
            _refuse_no_images(source, view, cameras)
        if not cameras:
            raise UsageError(
                f"'{source}' has no {'video camera' if to_images else 'camera'} to re-encode"
            )
        if to_images:
            return view.decode(*cameras)
        return view.encode(dict.fromkeys(cameras, replace(Encoding(), **given)))

    options.write_edited(source, edited)


def _refuse_both_ways(to_images: bool, to_video: bool, given: Mapping[str, Any]) -> None:
    if to_images and to_video:
        raise UsageError("--to-images and --to-video are opposites: give only one of them")
    if to_images and given:
        raise UsageError(
            "--to-images writes PNG images: leave out video encoder settings such as --vcodec and --crf"
        )


def _refuse_no_images(source: str, view: View, cameras: Sequence[str]) -> None:
    """Raise `UsageError` where nothing, or a video, would be turned into video."""
    known = [one.name for one in features_of(view).values() if one.is_video]
    videos = [name for name in cameras or known if name in known]
    if not cameras and not videos:
        raise UsageError(f"'{source}' has no camera to re-encode")
    if videos:
        lacks = "" if cameras else f"'{source}' has no images to turn into video: "
        raise UsageError(
            f"{lacks}{listed(videos)} {'is' if len(videos) == 1 else 'are'} video already. To re-encode, give"
            " a setting such as --vcodec h264 or --crf 23"
        )


def size_in(text: str, option: str) -> tuple[int, int]:
    """(width, height) in `640x480`.

    Raises:
        UsageError: the text is not a size.
    """
    found = re.fullmatch(r"([1-9]\d{0,4})[x×]([1-9]\d{0,4})", text)
    if found is None:
        raise UsageError(f"{option} '{text}': expected WIDTHxHEIGHT, such as 640x480")
    return int(found[1]), int(found[2])


def rate_in(text: str) -> Fraction:
    """The rate in `15`, `29.97` or `30000/1001`.

    Raises:
        UsageError: the text is not a rate.

    """
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise UsageError(
            f"--fps '{text}': expected a rate such as 15, 29.97 or 30000/1001"
        ) from error


def _show_rate(view: View, *, as_json: bool) -> None:
    fps = view.new_fps or view.model.info.fps
    value = view.model.info.fps_value if view.new_fps is None else float(view.new_fps)
    if as_json:
        emit_json({"fps": value, "fps_exact": f"{fps.numerator}/{fps.denominator}"})
        return
    say(f"{value:g} fps")


def _show_cameras(view: View, *, as_json: bool) -> None:
    features = features_of(view)
    cameras = [feature for feature in features.values() if feature.is_camera]
    if as_json:
        known = describe_features(features)
        emit_json({"cameras": {one.name: known[one.name] for one in cameras}})
        return
    if not cameras:
        say("no cameras")
    table([feature_row(feature) for feature in cameras])

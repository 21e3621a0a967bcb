"""What to write a view as."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from roboreel.errors import UsageError
from roboreel.format.encoding import Reencoding
from roboreel.format.version import FormatVersion, parse_version

if TYPE_CHECKING:
    from roboreel.edit.view import Target, View

Timestamps: TypeAlias = Literal["regular", "keep"]
OnBroken: TypeAlias = Literal["fail", "skip"]
VideoBackend: TypeAlias = Literal["pyav", "torchcodec", "decord"]


def target_for(
    view: View,
    *,
    to: str | FormatVersion | None = None,
    data_file_mb: float | None = None,
    video_file_mb: float | None = None,
    timestamps: Timestamps | None = None,
    on_broken: OnBroken = "fail",
    reencode: bool = False,
    reencoding: Reencoding | None = None,
    drop_audio: bool = False,
    drop_unreadable: bool = False,
    allow_missing: Iterable[str] = (),
    video_backend: VideoBackend = "pyav",
    keep_old_stats: bool = False,
    with_global_stats: bool = False,
    regroup: bool | None = None,
) -> Target:
    """What to write, from what a user asks for.

    Args:
        view: what is to be written.
        to: the version; by default that of the view's first dataset.
        data_file_mb: soft limit of a table file in MiB.
        video_file_mb: soft limit of a video file in MiB.
        timestamps: what to do with irregular ones; by default they are kept where the version stays.
        on_broken: what to do with episodes that cannot be written.
        reencode: whether episodes that start inside a GOP may be encoded again.
        reencoding: how to encode what must be encoded again; by default near the source.
        drop_audio: whether to leave sound out.
        drop_unreadable: whether to leave out columns that lerobot cannot read.
        allow_missing: actions, states and cameras that may be left out without being removed by name,
            beside those that the view allows already.
        video_backend: what decodes videos for statistics.
        keep_old_stats: whether statistics of a v2.0 dataset as a whole are kept beside those per episode.
        with_global_stats: whether to write `meta/stats.json` in v2.1 too.
        regroup: whether to pack files anew; by default where a dataset has another version, or a limit is
            given.

    Raises:
        UsageError: a choice is unknown, or a limit is no positive number.
    """
    if timestamps is not None:
        _require("timestamps", timestamps, get_args(Timestamps))
    _require("on_broken", on_broken, get_args(OnBroken))
    _require("video_backend", video_backend, get_args(VideoBackend))
    version = view.target.version if to is None else parse_version(to)
    if keep_old_stats:
        _require_room_for_old_stats(view, version)
        if with_global_stats:
            raise UsageError(
                "keep_old_stats and with_global_stats both write 'meta/stats.json': choose one"
            )
    limits = (_limit("data_file_mb", data_file_mb), _limit("video_file_mb", video_file_mb))
    changes = any(source.model.info.version is not version for source in view.sources)
    if regroup is None:
        regroup = changes or limits != (None, None)
    return replace(
        view.target,
        version=version,
        data_file_mb=limits[0],
        video_file_mb=limits[1],
        timestamps=timestamps or ("regular" if changes else "keep"),
        on_broken=on_broken,
        reencode=reencode,
        reencoding=reencoding or Reencoding(),
        drop_audio=drop_audio,
        drop_unreadable=drop_unreadable,
        allow_missing=view.target.allow_missing | names_in("allow_missing", allow_missing),
        video_backend=video_backend,
        keep_old_stats=keep_old_stats,
        with_global_stats=with_global_stats,
        regroup=regroup,
    )


def _require_room_for_old_stats(view: View, version: FormatVersion) -> None:
    """Only beside statistics per episode in lines is the place of those of a whole v2.0 dataset free."""
    versions = {source.model.info.version for source in view.sources}
    if versions != {FormatVersion.V20} or version is not FormatVersion.V21 or len(view.sources) > 1:
        raise UsageError(
            f"old statistics can be kept from one dataset of {FormatVersion.V20} to {FormatVersion.V21}:"
            " elsewhere the result has its own in their place"
        )


def names_in(option: str, names: Iterable[str]) -> frozenset[str]:
    """The names in a list; a lone text, which would be taken letter by letter, is refused."""
    if isinstance(names, str):
        raise UsageError(f"{option} is '{names}', expected a list of names: ['{names}']")
    return frozenset(names)


def _limit(name: str, value: float | None) -> float | None:
    if value is not None and not 0 < value < float("inf"):
        raise UsageError(f"{name} is {value}, expected a positive number of MiB")
    return value


def _require(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UsageError(f"{name} is '{value}', expected one of {', '.join(choices)}")

"""What to write a view as: the options that every command, verb and function which writes shares."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, TypeAlias, TypedDict, TypeVar, cast, get_args, get_type_hints

from roboreel.errors import UsageError, require_keywords
from roboreel.format.encoding import Reencoding
from roboreel.format.version import FormatVersion, parse_version
from roboreel.types import Json

Timestamps: TypeAlias = Literal["regular", "keep"]
OnBroken: TypeAlias = Literal["fail", "skip"]
VideoBackend: TypeAlias = Literal["pyav", "torchcodec", "decord"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


_MOST_MB = 1e9


class WriteKeywords(TypedDict, total=False):
    """The fields of `WriteOptions` as keyword arguments, but for `to`, for type checkers (PEP 692)."""

    timestamps: Timestamps | None
    on_broken: OnBroken
    allow_reencode: bool
    reencoding: Reencoding
    drop_audio: bool
    drop_unreadable: bool
    allow_missing: Iterable[str]
    video_backend: VideoBackend
    keep_old_stats: bool
    with_global_stats: bool
    with_uids: bool | None
    data_file_mb: float | None
    video_file_mb: float | None
    regroup: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """What to write, and what may be done for it.

    Args:
        to: version to write; by default that of the first dataset.
        timestamps: `regular` writes irregular timestamps as k / fps and keeps the originals in
            `source_timestamp`; `keep` copies them. By default `keep` where the version stays.
        on_broken: `fail` refuses if an episode cannot be written; `skip` leaves such episodes out. If cameras
            have to be measured, the run refuses after it has measured the others: see `Plan.refused`.
        allow_reencode: re-encode episodes that start inside a GOP where the result has a file per episode.
        reencoding: how to encode these, and what `resample` encodes; by default near the quality and rate
            of the source.
        drop_audio: leave sound out of the videos.
        drop_unreadable: leave out columns that lerobot cannot read, such as pickled bytes.
        allow_missing: actions, states and cameras that the result may lack though nobody removed them by
            name: `concat(features="common")` leaves them out, or their files are missing.
        video_backend: what decodes videos for statistics: `pyav`, `torchcodec` or `decord`.
        keep_old_stats: from v2.0 to v2.1: keep `meta/stats.json` beside the new statistics.
        with_global_stats: write `meta/stats.json` in v2.1 too: the episodes' statistics merged, in v2.0's
            form. Other versions always have the file.
        with_uids: write each episode's uid, and the dataset, episode and rows that it comes from, into the
            table of episodes. By default where the table of a source has uids, and from a view file.
        data_file_mb: soft limit of a table file in MiB of compressed input (v3.0); by default the dataset's,
            else 100.
        video_file_mb: soft limit of a video file in MiB (v3.0); by default the dataset's, else 200.
        regroup: pack episodes into files again. False keeps files of the source's version grouped as they
            are, and copies those of which nothing changes byte for byte. By default True where the version
            changes, or a limit is given.

    Raises:
        UsageError: a choice is unknown, or a limit is not a positive number.
    """

    to: str | FormatVersion | None = None
    timestamps: Timestamps | None = None
    on_broken: OnBroken = "fail"
    allow_reencode: bool = False
    reencoding: Reencoding = Reencoding()  # noqa: RUF009 - frozen
    drop_audio: bool = False
    drop_unreadable: bool = False
    allow_missing: Iterable[str] = frozenset()
    video_backend: VideoBackend = "pyav"
    keep_old_stats: bool = False
    with_global_stats: bool = False
    with_uids: bool | None = None
    data_file_mb: float | None = None
    video_file_mb: float | None = None
    regroup: bool | None = None

    def __post_init__(self) -> None:
        if self.to is not None:
            object.__setattr__(self, "to", parse_version(self.to))
        if self.timestamps is not None:
            require_choice("timestamps", self.timestamps, get_args(Timestamps))
        require_choice("on_broken", self.on_broken, get_args(OnBroken))
        require_choice("video_backend", self.video_backend, get_args(VideoBackend))
        if self.reencoding.size is not None:
            raise UsageError("reencoding cannot have a size: scale cameras with View.encode")
        names = names_in("allow_missing", self.allow_missing)
        object.__setattr__(self, "allow_missing", names)
        for name in ("data_file_mb", "video_file_mb"):
            limit = getattr(self, name)
            if limit is not None and not 0 < limit < float("inf"):
                raise UsageError(f"{name} is {limit}, expected a positive number of MiB")
        if self.keep_old_stats and self.with_global_stats:
            raise UsageError(
                "keep_old_stats and with_global_stats both write 'meta/stats.json': choose one"
            )

    def to_json(self) -> dict[str, Json]:
        """The options that are not left as they are by default, as a JSON object."""
        found: dict[str, Json] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if value == one.default:
                continue
            if isinstance(value, Reencoding):
                value = value.given
            elif isinstance(value, FormatVersion):
                value = value.value
            found[one.name] = sorted(value) if one.name == "allow_missing" else value
        return found

    def resolved(self, before: WriteOptions, sources: Sequence[FormatVersion]) -> WriteOptions:
        """The options with a value for each that is left to the datasets.

        Args:
            before: the options that a view had until now: their version, and what may be missing, count on.
            sources: the versions of the view's datasets.

        Raises:
            UsageError: old statistics are to be kept where the result has no place for them.
        """
        to = before.to if self.to is None else self.to
        if self.keep_old_stats and (list(sources), to) != ([FormatVersion.V20], FormatVersion.V21):
            # only v2.1 leaves meta/stats.json free for the old v2.0 statistics
            raise UsageError(
                f"keep_old_stats is only for converting one dataset of {FormatVersion.V20} to"
                f" {FormatVersion.V21}: otherwise the result has its own instead"
            )
        changes = any(version is not to for version in sources)
        limited = (self.data_file_mb, self.video_file_mb) != (None, None)
        return replace(
            self,
            to=to,
            timestamps=self.timestamps or ("regular" if changes else "keep"),
            allow_missing=frozenset(before.allow_missing) | frozenset(self.allow_missing),
            regroup=changes or limited if self.regroup is None else self.regroup,
        )


def options_from_json(given: Mapping[str, Json]) -> WriteOptions:
    """The options in what `WriteOptions.to_json` gave.

    Raises:
        UsageError: an option is unknown, or has a value that it cannot have.
    """
    defaults = {one.name: one.default for one in fields(WriteOptions)}
    taken: dict[str, Any] = {}
    for name, value in given.items():
        if name not in defaults:
            raise UsageError(f"there is no option '{name[:40]}'")
        taken[name] = _option(name, value, defaults[name])
    return WriteOptions(**taken)


def _option(name: str, value: Json, default: object) -> Any:
    if name == "reencoding":
        known = {one.name for one in fields(Reencoding)}
        if isinstance(value, Mapping) and value.keys() <= known:
            return Reencoding(**value)
    elif name == "allow_missing":
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return frozenset(value)
    elif isinstance(default, bool) or name in ("regroup", "with_uids"):
        if isinstance(value, bool):
            return value
    elif name.endswith("_mb"):
        if type(value) in (int, float) and value < _MOST_MB:
            return value
    elif isinstance(value, str):
        return value
    raise UsageError(f"the option '{name}' cannot be {str(value)[:40]!r}")


def names_in(option: str, names: Iterable[str]) -> frozenset[str]:
    """The names in a list; a lone string, which would be read letter by letter, is refused."""
    if isinstance(names, str):
        raise UsageError(f"{option} is '{names}', expected a list of names: ['{names}']")
    return frozenset(names)


def require_choice(name: str, value: object, choices: Collection[str]) -> None:
    """Raise `UsageError` where an option has another value than these."""
    if value not in choices:
        raise UsageError(f"{name} is '{value}', expected one of {', '.join(choices)}")


def lists_options(*classes: type[Any]) -> Callable[[_Function], _Function]:
    """Decorate a function that takes the fields of these dataclasses as `**keywords`.

    Its signature and its docstring list them one by one, so that `help()` does. An unknown keyword is a
    `TypeError` that names the function.
    """

    def decorated(function: _Function) -> _Function:
        signature = inspect.signature(function)
        own = [one for one in signature.parameters.values() if one.kind is not one.VAR_KEYWORD]
        listed = [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=field.default,
                annotation=get_type_hints(one)[field.name],
            )
            for one in classes
            for field in fields(one)
            if field.name not in signature.parameters
        ]
        shown = signature.replace(parameters=[*own, *listed])
        known = [name for name in shown.parameters if name not in ("self", "cls")]

        @functools.wraps(function)
        def checked(*args: Any, **keywords: Any) -> Any:  # as the function has them
            require_keywords(function.__name__, keywords, known)
            return function(*args, **keywords)

        checked.__signature__ = shown  # type: ignore[attr-defined]
        kept = {name: one.annotation for name, one in shown.parameters.items() if name != "self"}
        checked.__annotations__ = {**kept, "return": signature.return_annotation}
        if function.__doc__:  # python -OO has none
            every = "".join(_described(one, {field.name for field in listed}) for one in classes)
            text = inspect.cleandoc(function.__doc__)
            checked.__doc__ = re.sub(r"^    \*\*\w+: .*\n", every, text, flags=re.MULTILINE)
        return cast(_Function, checked)

    return decorated


def _described(options: type[Any], names: Collection[str]) -> str:
    """The entries of a class's docstring for some of its fields, one after another."""
    text = (
        inspect.cleandoc(options.__doc__ or "").partition("Args:\n")[2].partition("\n\n")[0] + "\n"
    )
    entries = re.finditer(r"^    (\w+): .*\n(?:     .*\n)*", text, flags=re.MULTILINE)
    return "".join(entry[0] for entry in entries if entry[1] in names)

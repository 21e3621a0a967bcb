"""Features of a view: other names, fewer, more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from roboreel.edit.view_data import AnyView, LeftOut, Source, ViewData
from roboreel.errors import PlanError, UnknownNameError, UsageError, listed
from roboreel.format.feature import INDEX_DTYPES, Feature, Features, is_feature_name
from roboreel.format.model import LENGTH, with_features
from roboreel.types import Int64

_REMOVED = "removed on request"


def features_of(view: ViewData) -> Features:
    """The features that any of its sources has, by name, in order; as the first that has it declares each."""
    found = Features()
    for source in view.sources:
        for name, feature in source.model.info.features.items():
            found.setdefault(name, feature)
    return found


def names_of(view: ViewData) -> list[str]:
    """The names of the features that any of its sources has, in order."""
    return [*features_of(view)]


def renamed(view: AnyView, names: Mapping[str, str]) -> AnyView:
    """The view with features by other names: see `Verbs.rename`."""
    if not names:
        return view
    known = names_of(view)
    _require_known(view, names)
    _require_own(names)
    after = [names.get(name, name) for name in known]
    for old, new in names.items():
        _require_usable(new)
        if after.count(new) > 1 or new in INDEX_DTYPES:
            raise UsageError(f"'{old}' cannot be renamed to '{new}': that feature exists already")
    sources = tuple(_source_renamed(source, names) for source in view.sources)
    made = view.having(
        sources=sources,
        encodings={names.get(name, name): how for name, how in view.encodings.items()},
        images=frozenset(names.get(name, name) for name in view.images),
        masks={names.get(n, n): names.get(mask, mask) for n, mask in view.masks.items()},
        recomputed=frozenset(names.get(name, name) for name in view.recomputed),
    )
    return made.noting(view, "rename", names=dict(names))


def removed(
    view: AnyView, names: Iterable[str], reasons: Mapping[str, str] | None = None
) -> AnyView:
    """The view without features: see `Verbs.remove`.

    Args:
        view: the view.
        names: features to leave out.
        reasons: why, by name, where a rule leaves them out, and not the user by name.
    """
    gone = list(dict.fromkeys(names))
    if not gone:
        return view
    _require_known(view, gone)
    _require_own(gone)
    gone += [mask for name, mask in view.masks.items() if name in gone and mask not in gone]
    left = [name for name in names_of(view) if name not in gone and name not in INDEX_DTYPES]
    if not left:
        raise UsageError("no feature would be left")
    made = view.having(
        sources=tuple(_source_without(source, gone) for source in view.sources),
        encodings={name: how for name, how in view.encodings.items() if name not in gone},
        images=view.images - set(gone),
        masks={name: mask for name, mask in view.masks.items() if name not in gone},
        recomputed=view.recomputed - set(gone),
        left_out=(*view.left_out, *_left_out(view, gone, reasons)),
    )
    return made.noting(view, "remove", names=gone)


def added(view: AnyView, feature: Feature, column: pa.ChunkedArray) -> AnyView:
    """The view with one feature more: see `Verbs.add`.

    Args:
        view: the view.
        feature: its declaration.
        column: a value for each row of the view, in order.
    """
    require_free(view, feature.name)
    if view.new_fps is not None:
        raise UsageError(
            "add features before resampling, because they need a value for each original row"
        )
    lengths = view.lengths
    rows = int(lengths.sum())
    if len(column) != rows:
        raise UsageError(f"'{feature.name}' has {len(column)} values for {rows} rows")
    sources = tuple(
        _source_with(source, feature, _spread(view, number, column, lengths))
        for number, source in enumerate(view.sources)
    )
    declared = {"dtype": feature.dtype, "shape": list(feature.shape), "names": feature.names}
    noted = {"feature": feature.name, **declared}
    return view.having(sources=sources).noting(view, "add", {"values": column}, **noted)


def require_free(view: ViewData, name: str) -> None:
    """Raise `UsageError` where a name cannot be that of a new feature."""
    _require_usable(name)
    if name in INDEX_DTYPES:
        raise UsageError(f"'{name}' is an index column that every dataset has: it cannot be added")
    if name in names_of(view):
        raise UsageError(
            f"a feature '{name}' exists already: remove it first, or choose another name"
        )


def refuse_twins(columns: Sequence[str]) -> None:
    """Raise `PlanError` where a new name is that of a column which tables have and no document declares."""
    twice = sorted(name for name, times in Counter(columns).items() if times > 1)
    if twice:
        raise PlanError(
            f"tables have a column {listed(twice)} that info.json does not declare: choose another name,"
            " or declare it first with `convert`"
        )


def _require_known(view: ViewData, names: Iterable[str]) -> None:
    known = names_of(view)
    unknown = [name for name in names if name not in known]
    if unknown:
        there = [name for name in known if name not in INDEX_DTYPES]
        raise UnknownNameError(f"no feature {listed(unknown)}: the dataset has {listed(there)}")


def _require_own(names: Iterable[str]) -> None:
    fixed = [name for name in names if name in INDEX_DTYPES]
    if fixed:
        raise UsageError(
            f"every dataset has {listed(fixed)}: index columns cannot be removed or renamed"
        )


def _require_usable(name: object) -> None:
    if (
        not isinstance(name, str)
        or not is_feature_name(name)
        or "/" in name
        or name != name.strip()
        or not name.isprintable()
    ):
        raise UsageError(
            f"{name!r} cannot be the name of a feature, because columns and folders are named after it"
        )


def _in_files(source: Source) -> dict[str, str]:
    """The names that its features have in the files, by those in the view; of features that files have."""
    declared = source.dataset.model.info.features
    return {source.renamed.get(n, n): n for n in declared if n not in source.removed}


def _left_out(
    view: ViewData, gone: Sequence[str], reasons: Mapping[str, str] | None
) -> Iterator[LeftOut]:
    """What the result loses of its sources: not the features that were added to the view."""
    stored = {name for source in view.sources for name in _in_files(source)}
    own = {n: f for source in view.sources for n, f in source.model.info.features.items()}
    for name in gone:
        if name in stored:
            yield LeftOut(
                name=name,
                why=_REMOVED if reasons is None else reasons[name],
                is_asked=reasons is None,
                is_essential=own[name].is_essential,
            )


def _source_renamed(source: Source, names: Mapping[str, str]) -> Source:
    features: dict[str, Feature] = {}
    for name, feature in source.model.info.features.items():
        new = names.get(name, name)
        features[new] = replace(feature, name=new)
    in_files = {old: names.get(name, name) for name, old in _in_files(source).items()}
    return replace(
        source,
        model=with_features(source.model, features, names),
        renamed={old: new for old, new in in_files.items() if old != new},
        supplied={names.get(name, name): column for name, column in source.supplied.items()},
        external_videos={
            names.get(name, name): external_videos
            for name, external_videos in source.external_videos.items()
        },
        filled={names.get(name, name): type_ for name, type_ in source.filled.items()},
    )


def _source_without(source: Source, gone: Sequence[str]) -> Source:
    features = {n: f for n, f in source.model.info.features.items() if n not in gone}
    in_files = _in_files(source)
    return replace(
        source,
        model=with_features(source.model, features),
        renamed={old: new for old, new in source.renamed.items() if new not in gone},
        removed=source.removed | {in_files[name] for name in gone if name in in_files},
        supplied={name: c for name, c in source.supplied.items() if name not in gone},
        external_videos={
            name: external_videos
            for name, external_videos in source.external_videos.items()
            if name not in gone
        },
        filled={name: type_ for name, type_ in source.filled.items() if name not in gone},
    )


def _source_with(source: Source, feature: Feature, column: pa.ChunkedArray) -> Source:
    supplied = {**source.supplied, feature.name: column}
    return replace(declaring(source, feature), supplied=supplied)


def declaring(source: Source, feature: Feature) -> Source:
    """A source with one feature more, before the index columns."""
    declared = source.model.info.features
    own = {name: f for name, f in declared.items() if name not in INDEX_DTYPES}
    index = {name: f for name, f in declared.items() if name in INDEX_DTYPES}
    features = {**own, feature.name: feature, **index}
    return replace(source, model=with_features(source.model, features))


def _spread(
    view: ViewData, number: int, column: pa.ChunkedArray, lengths: Int64
) -> pa.ChunkedArray:
    """A value for each row of one source: those of the view's rows at their positions, null elsewhere."""
    slices, starts = view.slices, np.cumsum(lengths) - lengths
    own = view.sources[number].model.episodes[LENGTH].to_numpy()
    first = np.cumsum(own) - own
    here = np.flatnonzero(slices.source == number)
    spans = sorted(
        (int(first[slices.row[at]] + slices.start[at]), int(starts[at]), int(lengths[at]))
        for at in here.tolist()
    )
    chunks: list[pa.ChunkedArray] = []
    filled = 0
    for first_row, start, length in spans:
        if first_row < filled:
            raise UsageError("the view has a frame twice: add features before that")
        if first_row > filled:
            chunks.append(pa.chunked_array([pa.nulls(first_row - filled, column.type)]))
        chunks.append(column.slice(start, length))
        filled = first_row + length
    total = int(own.sum())
    if filled < total:
        chunks.append(pa.chunked_array([pa.nulls(total - filled, column.type)]))
    flat = [chunk for part in chunks for chunk in part.chunks]
    return pa.chunked_array(flat, column.type).combine_chunks() if flat else column

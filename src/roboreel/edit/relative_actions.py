"""Statistics of actions as seen from the state in which a chunk of them begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from roboreel.errors import UsageError
from roboreel.format.feature import Feature

ACTION, STATE = "action", "observation.state"
CHUNK = 50
KEPT = ("gripper",)


@dataclass(frozen=True, slots=True, kw_only=True)
class RelativeActions:
    """What a policy of relative actions learns from: `action[s + j] - state[s]`, `j` in a chunk.

    As in lerobot's `recompute_stats(relative_action=True)`: every chunk that is within an episode counts,
    and joints of which the name contains one of `kept` stay as they are. Names count as they are declared;
    where there are none, every joint is relative.
    """

    chunk: int = CHUNK
    """Frames of a chunk."""
    kept: tuple[str, ...] = KEPT


def relative_components(of: RelativeActions, features: Mapping[str, Feature]) -> tuple[bool, ...]:
    """Which components of the action become relative.

    Raises:
        UsageError: there is no action or state, or the state has fewer components than are needed.
    """
    for name in (ACTION, STATE):
        feature = features.get(name)
        if feature is None or not feature.is_numeric or len(feature.shape) != 1:
            raise UsageError(
                f"relative actions need the features '{ACTION}' and '{STATE}', vectors"
            )
    if of.chunk < 1:
        raise UsageError(f"the chunk size is {of.chunk}, expected 1 frame or more")
    width, known = prod(features[ACTION].shape), prod(features[STATE].shape)
    names = (features[ACTION].dimension_names or [])[:width]
    words = [word.lower() for word in of.kept if word]
    relative = [not any(word in name.lower() for word in words) for name in names]
    relative += [True] * (width - len(relative))
    if any(relative[known:]):
        raise UsageError(
            f"the action has {width} components, but the state has {known}: exclude the joints that"
            f" have no state"
        )
    return tuple(relative)

"""Where decoding of a file can start, known without reading its packets: see `AccessPoints`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from roboreel.storage.video.access import AccessPoints
from roboreel.storage.video.packets import PacketTable

_KEY, _RESETS, _STARTS_OVER = 1, 2, 4
Codes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class KeyAccess:
    """What `AccessPoints` tells of each packet of a file."""

    codes: Codes
    """(n,) by decode position: 1 for a keyframe, 2 if it resets a decoder, 4 if a used one starts over."""

    def resets(self, position: int) -> bool:
        """True where a decoder can start at a packet: see `AccessPoints.resets`."""
        return bool(self.codes[position] & _RESETS)

    def starts_over(self, position: int) -> bool:
        """True where a flushed decoder decodes as a new one does: see `AccessPoints.starts_over`."""
        return bool(self.codes[position] & _STARTS_OVER)

    @property
    def keyframe(self) -> npt.NDArray[np.bool_]:
        """(n,) True for the keyframes of the file."""
        return (self.codes & _KEY).astype(np.bool_)


def key_access(points: AccessPoints, table: PacketTable) -> KeyAccess:
    """Ask an open file about all its keyframes and its first packet; reads the beginning of each.

    Raises:
        StorageError: the file cannot be read.
        VideoError: a keyframe is damaged.
    """
    codes = table.keyframe.astype(np.uint8) * _KEY
    positions = table.keys.tolist() if table.keyframe[0] else [0, *table.keys.tolist()]
    for position in positions:
        codes[position] |= _RESETS * points.resets(position)
    for position in positions:  # afterwards: it counts sets that later keyframes bring as well
        codes[position] |= _STARTS_OVER * points.starts_over(position)
    return KeyAccess(codes)

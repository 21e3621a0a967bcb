"""Statistics of frames as they are recorded: the reference's sample of them, whose length comes last."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from roboreel.stats.camera_pixels import CameraPixels
from roboreel.stats.feature_stats import FeatureStats
from roboreel.stats.sampling import SamplingProfile, stride_of
from roboreel.storage import disk

_IN_MEMORY = 16 << 20
_ROW = np.dtype("<u4")


class RecordedPixels:
    """The pixels of one camera in one episode, until it is known which frames count.

    Which frames lerobot samples depends on the length of the episode. So of each frame what it would add is
    noted: how often each value occurs in the subsampled image (3 KB), or of depths the subsampled image.
    Some MB are kept in memory, the rest in a file without a name.
    """

    def __init__(
        self, profile: SamplingProfile, *, depth: bool, folder: str | os.PathLike[str]
    ) -> None:
        self._profile, self._depth = profile, depth
        self._file = disk.spooled_file(folder, _IN_MEMORY)
        self._last: npt.NDArray[np.generic] | None = None
        self._dtype: np.dtype[np.generic] = _ROW
        self._shape: tuple[int, ...] = ()
        self.frames = 0
        self.identical = self.longest_identical = 0
        """How many frames in a row were the same, now and at most."""

    def add(self, image: npt.NDArray[np.generic]) -> None:
        """Note a frame, (H, W, C); it is not kept."""
        stride = 1 if self._profile.every_pixel else stride_of(*image.shape[:2])
        small = image[::stride, ::stride].copy()  # the frame's own memory is used again
        same = self._last is not None and np.array_equal(small, self._last)
        self.identical = self.identical + 1 if same else 1
        self.longest_identical = max(self.longest_identical, self.identical)
        self._last = small
        self._note(self._row(small))

    def repeat(self) -> None:
        """Note the last frame again, as one that fills a gap."""
        assert self._last is not None
        self._note(self._row(self._last))

    def stats(self) -> FeatureStats | None:
        """What `CameraPixels` gives for the frames that count."""
        wanted = self._profile.frames(self.frames, video=True)
        chosen = range(self.frames) if wanted is None else wanted
        total = CameraPixels(self._profile, video=True, depth=self._depth)
        for row in self._rows(chosen):
            if self._depth:
                total.add(row)
            else:
                total.add_counts(row.astype(np.int64), images=1)
        return total.stats()

    def close(self) -> None:
        """Let go of the memory and the file."""
        self._file.close()

    def _row(self, small: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        if self._depth:
            return small
        one = CameraPixels(self._profile, video=True)
        one.add(small)
        assert one.counted is not None
        return one.counted.counts.astype(_ROW)

    def _note(self, row: npt.NDArray[np.generic]) -> None:
        self._dtype, self._shape = row.dtype, row.shape
        self._file.write(row.tobytes())
        self.frames += 1

    def _rows(self, chosen: Sequence[int]) -> Iterator[npt.NDArray[np.generic]]:
        size = int(np.prod(self._shape)) * self._dtype.itemsize
        for number in chosen:
            self._file.seek(number * size)
            yield np.frombuffer(self._file.read(size), self._dtype).reshape(self._shape)
        self._file.seek(0, os.SEEK_END)

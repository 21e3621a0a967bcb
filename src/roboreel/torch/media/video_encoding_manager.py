"""`VideoEncodingManager`: ends a recording however its block ends."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self


class VideoEncodingManager:
    """A context that finalizes a dataset, also after an error, which passes.

    Saved episodes are complete either way. Frames of an episode that was not saved are kept aside, with a
    warning.
    """

    def __init__(self, dataset: Any) -> None:
        """Take the dataset: a `LeRobotDataset` that records."""
        self.dataset = dataset

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.dataset.finalize()

"""Methods of lerobot's dataset class that record. They come with the recorder; here they say so."""

from __future__ import annotations

from typing import Any, NoReturn

from roboreel.torch.errors import ReadOnlyError


def _refuse(method: str) -> NoReturn:
    raise ReadOnlyError(
        f"Cannot call '{method}()' on a read-only dataset: roboreel does not record yet. Append episodes with"
        " lerobot, or with LeRobotDatasetMetadata.save_episode"
    )


class RecordingCalls:
    """The recording half of `LeRobotDataset`: a dataset that is open for reading refuses it."""

    writer: Any
    episode_buffer: dict[str, Any] | None = None
    """The current episode: none while a dataset is read."""
    image_writer: Any = None
    latest_episode: Any = None
    episodes_since_last_encoding = 0
    _batch_encoding_size: int

    @property
    def batch_encoding_size(self) -> int:
        """Episodes whose videos are encoded together when recording."""
        return self._batch_encoding_size

    @classmethod
    def create(cls, *args: Any, **kwargs: Any) -> Any:
        """Begin a new dataset; raises `ReadOnlyError`, a `RuntimeError`."""
        _refuse("create")

    @classmethod
    def resume(cls, *args: Any, **kwargs: Any) -> Any:
        """Go on with a dataset; raises `ReadOnlyError`, a `RuntimeError`."""
        _refuse("resume")

    def add_frame(self, frame: dict[str, Any]) -> None:
        """Add a frame to the current episode; raises `ReadOnlyError`, a `RuntimeError`."""
        _refuse("add_frame")

    def save_episode(
        self, episode_data: dict[str, Any] | None = None, parallel_encoding: bool = True
    ) -> None:
        """Save the current episode; raises `ReadOnlyError`, a `RuntimeError`."""
        _refuse("save_episode")

    def clear_episode_buffer(self, delete_images: bool = True) -> None:
        """Discard the current episode; raises `ReadOnlyError`, a `RuntimeError`."""
        _refuse("clear_episode_buffer")

    def start_image_writer(self, num_processes: int = 0, num_threads: int = 4) -> None:
        """Write images in other threads; raises `ReadOnlyError`, a `RuntimeError`."""
        _refuse("start_image_writer")

    def stop_image_writer(self) -> None:
        """Nothing is written."""

    def has_pending_frames(self) -> bool:
        """False: no frame waits to be saved."""
        return False

    def finalize(self) -> None:
        """Nothing is written."""

    def push_to_hub(self, *args: Any, **kwargs: Any) -> None:
        """Upload the dataset; raises `ReadOnlyError`, a `RuntimeError`."""
        raise ReadOnlyError(
            "Cannot call 'push_to_hub()': roboreel does not push yet. Upload the folder by `hf upload`"
        )

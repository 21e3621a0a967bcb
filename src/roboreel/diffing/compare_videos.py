"""Compare the cameras stored as video: their names, and every episode's frames."""

from __future__ import annotations

from roboreel.diffing.camera_files import CameraFiles
from roboreel.diffing.compare_frames import compare_frames
from roboreel.diffing.compare_packets import (
    EpisodePackets,
    StreamComparer,
    compare_packets,
    packets_of,
)
from roboreel.diffing.diff_report import Difference, DiffLedger
from roboreel.diffing.side import Side
from roboreel.errors import StorageError, counted


class VideoComparer:
    """Compares the videos of two datasets, camera by camera."""

    def __init__(self, first: Side, second: Side, ledger: DiffLedger, *, decode: bool) -> None:
        self._sides, self._ledger, self._decode = (first, second), ledger, decode

    def compare(self, episodes: int) -> None:
        """Compare the frames of the first `episodes` episodes."""
        here, there = (side.cameras for side in self._sides)
        for which, names, others in (("first", here, there), ("second", there, here)):
            for camera in [name for name in names if name not in others]:
                what = f"only the {which} has videos of this camera"
                self._ledger.add_difference(Difference(kind="cameras", what=what, column=camera))
        for camera in dict.fromkeys(c for side in self._sides for c in side.cameras_without_videos):
            if camera not in {*here, *there}:
                what = "declared as video, but the files are missing"
                self._ledger.add_note(Difference(kind="cameras", what=what, column=camera))
        for camera in [name for name in here if name in there]:
            files = CameraFiles(self._sides[0], camera), CameraFiles(self._sides[1], camera)
            try:
                self._camera(*files, episodes)
            finally:
                for each in files:
                    each.close()

    def _camera(self, first: CameraFiles, second: CameraFiles, episodes: int) -> None:
        broken = self._sides[0].broken | self._sides[1].broken
        streams = StreamComparer(first.camera, self._ledger, decode=self._decode)
        sound = []
        for episode in [each for each in range(episodes) if each not in broken]:
            pair = [self._needed(side, episode) for side in (first, second)]
            if pair[0] is None or pair[1] is None:
                continue
            sound.append(episode)
            streams.compare(episode, pair[0].frames, pair[1].frames)
            if not self._decode:
                self._packets(pair[0], pair[1], episode, first.camera)
        if self._decode:
            for episode, side, error in compare_frames(first, second, sound, self._ledger):
                self._broken(side, episode, error)
        report_misplaced(*self._sides, first.camera, self._ledger)

    def _needed(self, camera: CameraFiles, episode: int) -> EpisodePackets | None:
        try:
            found = packets_of(camera.frames(episode))
        except StorageError as error:
            self._broken(camera, episode, error)
            return None
        surplus = camera.surplus(episode)
        if surplus:
            what = f"{counted(surplus, 'frame')} more than rows in {camera.side.label}"
            note = Difference(kind="places", what=what, episode=episode, column=camera.camera)
            self._ledger.add_note(note, fold=f"surplus {camera.side.label}")
        return found

    def _packets(self, a: EpisodePackets, b: EpisodePackets, episode: int, camera: str) -> None:
        try:
            compare_packets(a, b, episode, camera, self._ledger)
        except StorageError as error:  # it names the file
            found = Difference(kind="broken", what=str(error), episode=episode, column=camera)
            self._ledger.add_difference(found)

    def _broken(self, camera: CameraFiles, episode: int, error: StorageError) -> None:
        what = f"cannot be read in {camera.side.label}: {error}"
        found = Difference(kind="broken", what=what, episode=episode, column=camera.camera)
        self._ledger.add_difference(found, fold=camera.side.label)


def report_misplaced(first: Side, second: Side, camera: str, ledger: DiffLedger) -> None:
    """Report episodes that are not where the documents say; it counts if only the second has the error."""
    for side in (first, second):
        for (episode, what), message in sorted(side.misplaced.items()):
            if what == camera:
                counts = side is second and (episode, what) not in first.misplaced
                found = Difference(
                    kind="places",
                    what=f"in {side.label}, {message}",
                    episode=episode,
                    column=camera or None,
                )
                ledger.add(found, counts=counts, fold=side.label)

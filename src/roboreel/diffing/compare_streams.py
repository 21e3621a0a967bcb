"""Compare what a decoder is told before the first packet: the parts of a sample entry that it needs."""

from __future__ import annotations

from roboreel.diffing.camera_files import Frames
from roboreel.diffing.diff_report import Difference, DiffLedger
from roboreel.storage.video.boxes import ENTRY_HEADER, boxes
from roboreel.storage.video.packets import SampleEntry

_LOOK = {"pasp", "clap", "colr"}
_CONFIG = {"avcC", "hvcC", "av1C", "vpcC", "esds", "glbl", "lvcC"}


class StreamsJudge:
    """Compares the streams of one camera's files, each pair of files once."""

    def __init__(self, camera: str, ledger: DiffLedger, *, decode: bool) -> None:
        self._camera, self._ledger, self._decode = camera, ledger, decode
        self._last: tuple[str, str] | None = None

    def compare(self, episode: int, a: Frames, b: Frames) -> None:
        """Compare the streams that hold an episode's frames."""
        if self._last == (a.path, b.path):
            return
        self._last = (a.path, b.path)
        what = stream_difference(a.table.entry, b.table.entry, decode=self._decode)
        if what:
            self._ledger.differs(self._found(episode, what), fold="entry")
        tracks = sorted(a.table.other_tracks), sorted(b.table.other_tracks)
        if tracks[0] != tracks[1]:
            sound = tracks[0].count("soun") != tracks[1].count("soun")
            what = f"tracks beside the video: {tracks[0]} against {tracks[1]}"
            self._ledger.judge(self._found(episode, what), counts=sound, fold="tracks")

    def _found(self, episode: int, what: str) -> Difference:
        return Difference(kind="streams", what=what, episode=episode, column=self._camera)


def stream_difference(a: SampleEntry, b: SampleEntry, *, decode: bool) -> str:
    """How two streams differ in what a decoder or player is told; empty where they do not.

    Args:
        a: the first's.
        b: the second's.
        decode: compare only how decoded pictures are shown: turned, cropped, stretched, coloured.
    """
    if a.matrix != b.matrix:
        return "the display matrix differs"
    parts = _parts(a), _parts(b)
    kinds = _LOOK if decode else _LOOK | _CONFIG
    for kind in sorted(kinds & (parts[0].keys() | parts[1].keys())):
        if parts[0].get(kind) != parts[1].get(kind):
            return f"box '{kind}' of the sample entry differs"
    if decode:
        return ""
    facts = [(entry.fourcc, entry.width, entry.height) for entry in (a, b)]
    return "" if facts[0] == facts[1] else f"{facts[0]} against {facts[1]}"


def _parts(entry: SampleEntry) -> dict[str, bytes]:
    """What a decoder or player needs, by kind of box: bit rates and names of writers do not count."""
    return {b.kind: entry.needs[b.start : b.stop] for b in boxes(entry.needs, ENTRY_HEADER)}

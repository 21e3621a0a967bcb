"""Episodes to stage, whose rows and frames say which they are, and what was made of them."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import roboreel
from roboreel import Encoding
from roboreel.format.encoding import encoder_settings
from roboreel.sink import EpisodeSink
from roboreel.storage.local import LocalRoot
from roboreel.storage.video.encode import encode_parts, frame_of
from roboreel.testing import draw_numbers, read_numbers
from roboreel.types import JsonObject

FPS = 10
WIDTH, HEIGHT = 160, 32
H264 = Encoding(vcodec="h264", g=4)
STATE: JsonObject = {"dtype": "float32", "shape": [3], "names": ["x", "y", "z"]}
CAMERA: JsonObject = {
    "dtype": "video",
    "shape": [HEIGHT, WIDTH, 3],
    "names": ["height", "width", "channels"],
}
FEATURES: dict[str, JsonObject] = {"observation.state": STATE, "cam": CAMERA}
NUMBERS: dict[str, JsonObject] = {"observation.state": STATE}

Frames = npt.NDArray[np.uint8]


def sink_in(folder: Path | str, **others: Any) -> EpisodeSink:
    """A sink with one camera."""
    given: dict[str, Any] = {"fps": FPS, "features": FEATURES, "robot_type": "arm"}
    return EpisodeSink(staging=folder, **{**given, "encoding": H264, **others})


def frames_of(episode: int, rows: int, first: int = 0) -> Frames:
    """(rows, H, W, 3) frames that show the episode and their own number."""
    drawn = [draw_numbers(episode, first + n, 0, WIDTH, HEIGHT) for n in range(rows)]
    return np.stack(drawn)


def states_of(episode: int, rows: int) -> npt.NDArray[np.float32]:
    """(rows, 3) values that no other episode has."""
    return (episode * 1000 + np.arange(rows * 3, dtype=np.float32)).reshape(rows, 3)


def put(sink: EpisodeSink, episode: int, rows: int = 3, *, key: Any = None, **others: Any) -> Any:
    """Stage an episode that says which it is."""
    own = ("rec", episode) if key is None else key
    given: dict[str, Any] = {"task": f"task {episode % 2}"}
    if "cam" in sink.features:
        given["videos"] = {"cam": frames_of(episode, rows)}
    return sink.write(own, {"observation.state": states_of(episode, rows)}, **{**given, **others})


def clip(path: Path, episode: int, rows: int, *, gop: int = 4, fps: int = FPS) -> Path:
    """A video file of an episode's frames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = (frame_of(frame) for frame in frames_of(episode, rows))
    encoder = encoder_settings(Encoding(vcodec="h264", g=gop))
    encode_parts(
        LocalRoot(path.parent), path.name, [frames], fps=Fraction(fps), encoder=encoder, size=None
    )
    return path


def shown(path: Path, camera: str = "cam") -> list[list[tuple[int, int]]]:
    """By episode of a dataset, the (episode, frame) that each of its frames shows."""
    read = roboreel.reader(roboreel.open(path))
    found: list[list[tuple[int, int]]] = []
    for start, stop in pairwise(read.bounds.tolist()):
        numbers = [read_numbers(read[at][camera]) for at in range(start, stop)]
        found.append([(one.episode, one.frame) for one in numbers])
    return found


def states(path: Path) -> list[npt.NDArray[np.float32]]:
    """By episode of a dataset, its states."""
    dataset = roboreel.open(path)
    read = roboreel.reader(dataset, columns=["observation.state"], cameras=[])
    bounds = read.bounds.tolist()
    return [
        np.stack([read[at]["observation.state"] for at in range(start, stop)])
        for start, stop in pairwise(bounds)
    ]


def tree(path: Path) -> dict[str, str]:
    """The digest of every file below a folder."""
    return {
        str(file.relative_to(path)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(path.rglob("*"))
        if file.is_file()
    }


def require_clean(path: Path) -> None:
    """Raise unless a check finds nothing: but for a note of frames that are only there to decode others."""
    report = roboreel.check(path)
    assert report.ok, report.problems
    assert {problem.rule for problem in report.problems} <= {"video.hidden"}, report.problems

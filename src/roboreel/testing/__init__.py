"""Small, complete datasets of every LeRobot version, for tests and experiments.

The writer shares no code with the rest of the package, so its datasets can verify what the rest reads and
converts. Every frame shows its own number (`draw_numbers`, `read_numbers`).

    from roboreel.testing import Camera, make_dataset

    path = make_dataset(folder, version="v3.0", episodes=(5, 1), cameras={"top": Camera(gop=250)})
"""

from roboreel.testing.cameras import Camera
from roboreel.testing.made_features import FeatureSet
from roboreel.testing.make_dataset import Version, make_dataset
from roboreel.testing.make_messy_dataset import make_messy_dataset
from roboreel.testing.numbered_frames import FrameNumbers, draw_numbers, read_numbers

__all__ = [
    "Camera",
    "FeatureSet",
    "FrameNumbers",
    "Version",
    "draw_numbers",
    "make_dataset",
    "make_messy_dataset",
    "read_numbers",
]

"""`MultiLeRobotDataset` under the names of lerobot 0.3.3: its interface has not changed since."""

from __future__ import annotations

from roboreel.torch.multi_dataset import MultiLeRobotDataset

__all__ = ["MultiLeRobotDataset"]

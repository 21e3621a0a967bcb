"""lerobot's package `datasets` has another name here: importing this module says which."""

raise ImportError(
    "lerobot.datasets is roboreel.torch here: from roboreel.torch import LeRobotDataset, and"
    " roboreel.torch.X for lerobot.datasets.X",
    name="roboreel.datasets",
)

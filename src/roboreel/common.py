"""lerobot's package `common` has another name here: importing this module says which."""

raise ImportError(
    "lerobot.common.datasets is roboreel.torch here: from roboreel.torch import LeRobotDataset. The interface"
    " of lerobot 0.3.3 is in roboreel.torch.v2",
    name="roboreel.common",
)

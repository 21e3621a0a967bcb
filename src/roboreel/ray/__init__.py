"""Datasets as Ray datasets: read them into Ray Data, and write what Ray Data makes (extra `ray`)."""

from roboreel.ray.export import RayExport, write_episodes
from roboreel.ray.ray_dataset import read_dataset

__all__ = ["RayExport", "read_dataset", "write_episodes"]

"""Reading and writing of documents and images: the public names of lerobot's `io_utils`."""

from __future__ import annotations

from roboreel.torch.items.to_torch import (
    UINT16_PIL_MODES,
    hf_transform_to_torch,
    item_to_torch,
    pil_to_chw_tensor,
)
from roboreel.torch.media.image_files import load_image_as_numpy
from roboreel.torch.metadata.document_io import (
    cast_stats_to_numpy,
    get_file_size_in_mb,
    get_parquet_file_size_in_mb,
    get_parquet_num_frames,
    load_episodes,
    load_info,
    load_stats,
    load_tasks,
    write_episodes,
    write_info,
    write_stats,
    write_tasks,
)

__all__ = [
    "UINT16_PIL_MODES",
    "cast_stats_to_numpy",
    "get_file_size_in_mb",
    "get_parquet_file_size_in_mb",
    "get_parquet_num_frames",
    "hf_transform_to_torch",
    "item_to_torch",
    "load_episodes",
    "load_image_as_numpy",
    "load_info",
    "load_stats",
    "load_tasks",
    "pil_to_chw_tensor",
    "write_episodes",
    "write_info",
    "write_stats",
    "write_tasks",
]

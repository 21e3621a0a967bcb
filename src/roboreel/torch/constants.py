"""Names and defaults of the format, under the names that lerobot's modules give them."""

from __future__ import annotations

from roboreel.format import v2, v30
from roboreel.format.feature import INDEX_DTYPES
from roboreel.format.model import INFO
from roboreel.format.v30_episodes import EPISODES_TEMPLATE
from roboreel.format.version import FormatVersion
from roboreel.hub.environment import lerobot_home
from roboreel.types import Json

CODEBASE_VERSION = FormatVersion.V30.value
DEFAULT_CHUNK_SIZE = 1000
DEFAULT_DATA_FILE_SIZE_IN_MB = v30.DEFAULT_DATA_FILE_MB
DEFAULT_VIDEO_FILE_SIZE_IN_MB = v30.DEFAULT_VIDEO_FILE_MB

INFO_PATH = INFO
STATS_PATH = v30.GLOBAL_STATS
EPISODES_DIR, DATA_DIR, VIDEO_DIR = "meta/episodes", "data", "videos"
CHUNK_FILE_PATTERN = "chunk-{chunk_index:03d}/file-{file_index:03d}"
IMAGE_FILE_PATTERN = "frame-{frame_index:06d}.png"
DEPTH_FILE_PATTERN = "frame-{frame_index:06d}.tiff"
DEFAULT_TASKS_PATH = v30.TASK_TABLE
DEFAULT_EPISODES_PATH = EPISODES_TEMPLATE
DEFAULT_DATA_PATH, DEFAULT_VIDEO_PATH = v30.DATA_TEMPLATE, v30.VIDEO_TEMPLATE
_IMAGE_FOLDER = "images/{image_key}/episode-{episode_index:06d}/"
DEFAULT_IMAGE_PATH = _IMAGE_FOLDER + IMAGE_FILE_PATTERN
DEFAULT_DEPTH_PATH = _IMAGE_FOLDER + DEPTH_FILE_PATTERN
LEGACY_EPISODES_PATH, LEGACY_TASKS_PATH = v2.EPISODES, v2.TASK_LIST
LEGACY_EPISODES_STATS_PATH = v2.EPISODE_STATS

DEFAULT_FEATURES: dict[str, dict[str, Json]] = {
    name: {"dtype": dtype, "shape": (1,), "names": None} for name, dtype in INDEX_DTYPES.items()
}

OBS_STR, OBS_PREFIX = "observation", "observation."
OBS_STATE, OBS_ENV_STATE = "observation.state", "observation.environment_state"
OBS_IMAGE, OBS_IMAGES = "observation.image", "observation.images"
OBS_LANGUAGE = "observation.language"
OBS_LANGUAGE_TOKENS = OBS_LANGUAGE + ".tokens"
OBS_LANGUAGE_ATTENTION_MASK = OBS_LANGUAGE + ".attention_mask"
ACTION, ACTION_PREFIX = "action", "action."
REWARD, TRUNCATED, DONE = "next.reward", "next.truncated", "next.done"
LANGUAGE_PERSISTENT, LANGUAGE_EVENTS = "language_persistent", "language_events"
LANGUAGE_COLUMNS = (LANGUAGE_PERSISTENT, LANGUAGE_EVENTS)

DEPTH_METER_UNIT, DEPTH_MILLIMETER_UNIT = "m", "mm"

HF_LEROBOT_HOME = lerobot_home()
HF_LEROBOT_HUB_CACHE = HF_LEROBOT_HOME / "hub"

"""Write episodes from many workers into a staging folder, and make them one dataset."""

from roboreel.sink.episode_key import EpisodeKey, Key
from roboreel.sink.episode_sink import EpisodeSink
from roboreel.sink.finalizing import FinalizeReport, finalize, open_staging
from roboreel.sink.frame_source import VideoSource
from roboreel.sink.stage_episode import StagedEpisode

__all__ = [
    "EpisodeKey",
    "EpisodeSink",
    "FinalizeReport",
    "Key",
    "StagedEpisode",
    "VideoSource",
    "finalize",
    "open_staging",
]

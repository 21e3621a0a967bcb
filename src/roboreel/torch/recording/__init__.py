"""lerobot's calls that record, over roboreel's `Recorder`."""

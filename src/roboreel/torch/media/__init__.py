"""Image and video files, and the settings of their encoders."""

"""Record episodes as a robot gives them: frames are encoded while recording, episodes committed whole."""

"""The LeRobot formats: documents to model to documents, without I/O."""

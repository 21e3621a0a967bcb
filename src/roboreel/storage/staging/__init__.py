"""The folder in which a result is made, its publication, and earlier versions beside it."""

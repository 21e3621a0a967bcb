"""Files on web servers and object stores."""

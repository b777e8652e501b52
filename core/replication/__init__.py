"""The second building: what changed here is journalled, shipped by rsync, applied there, and proved equal."""

"""The composition root: the command line, the box that opens every door, the set-up, the demo hospital."""

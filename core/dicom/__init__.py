"""DICOM at the door: our own Upper Layer on the accepting side, one thin file per service class, and what we send."""

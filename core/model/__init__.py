"""Values and decisions of a radiology department: pure Python, no library, no clock of its own."""

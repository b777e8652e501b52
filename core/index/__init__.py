"""The index: what Yelen knows, in SQLite. One writer thread owns every write; readers copy pages out."""

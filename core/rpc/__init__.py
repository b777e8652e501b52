"""The terminals' socket: JSON-RPC 2.0, one object per line, with pushes. See README.md."""

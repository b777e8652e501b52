"""The demo hospital: invented children, machines and a HIS that never existed."""

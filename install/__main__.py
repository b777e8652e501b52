"""`python -m install`: the `yelen` command where it has no script of its own, as in the demo's child processes."""

from install.cli import main

main()

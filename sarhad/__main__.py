"""`python -m sarhad`: the same as `sarhad`."""

from sarhad.cli import main

main()

"""`python -m animus_routes`."""

from animus_routes.cli import main

main()

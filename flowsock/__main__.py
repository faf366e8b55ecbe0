"""Run the command line by ``python -m flowsock``."""

from flowsock.cli import main

main()

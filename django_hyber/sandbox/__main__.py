"""`python -m django_hyber.sandbox`."""

import sys
from argparse import ArgumentParser

from django_hyber.sandbox.cli import add_arguments, serve


def main() -> None:
    """Serve in the foreground."""
    parser = ArgumentParser(prog="python -m django_hyber.sandbox", description="A local stand-in for Hyber.")
    add_arguments(parser)
    try:
        serve(vars(parser.parse_args()), sys.stdout)
    except (OSError, ValueError) as error:
        parser.exit(1, f"The sandbox cannot start: {error}\n")


if __name__ == "__main__":
    main()

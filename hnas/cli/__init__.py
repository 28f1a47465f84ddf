"""The command line: thin commands, each of which calls one public function."""

from hnas.cli.app import main

__all__ = ["main"]

"""``python -m hnas``: the command line."""

from hnas.cli import main

if __name__ == "__main__":
    main()

"""The command line from a checkout: `python cli.py discover --generator scenes`."""

from ganwalk.__main__ import main

if __name__ == "__main__":
    main()

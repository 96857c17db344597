"""The command line from a checkout: `python cli.py discover --generator scenes`."""

from ganwalk.commands import main

if __name__ == "__main__":
    main()

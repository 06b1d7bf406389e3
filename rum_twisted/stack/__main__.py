"""``python -m rum_twisted.stack``."""

from rum_twisted.stack.main import main

if __name__ == "__main__":
    main()

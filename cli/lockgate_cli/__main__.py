"""``python -m lockgate_cli`` is the ``lockgate`` command."""

from lockgate_cli.app import main

if __name__ == "__main__":
    main()

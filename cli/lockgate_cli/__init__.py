"""The ``lockgate`` command: it puts the rooms together into processes, and shows people what they did."""

"""``lockgate bench``: how fast the gates are, next to the same five hops without any, measured in one run on one machine."""

"""The demonstration: a whole gateway, three agents, and every kind of answer it gives, checked scene by scene."""

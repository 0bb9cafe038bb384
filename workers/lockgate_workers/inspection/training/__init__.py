"""How the shipped injection weights come about: rows of a corpus and examples written from phrases, windows, a linear fit."""

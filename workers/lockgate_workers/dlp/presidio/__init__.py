"""Presidio and Lockgate in one another: its recognisers in the DLP gate, ours in its analyzer, its operators, names by a language model.

Importing this package, or `entities`, `prose`, `names` and `operators` in it, imports nothing of Presidio or spaCy. That happens when
something is built that needs them, and without the extra ``ner`` it is refused with a sentence that says what to install.
"""

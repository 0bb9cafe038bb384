"""The wire contract of Lockgate: what is signed, what travels, what is proved.

Everything here is pure: no input or output, no clock, no randomness. The other rooms pass those in.
Importing this package loads nothing; import the module that holds the type you need.
"""

__version__ = "0.1.0"

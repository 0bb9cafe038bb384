"""The phrases as data files: attacks, honest texts, and carriers for both."""

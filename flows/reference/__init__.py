"""The reference part of the documentation, made from the code it describes: `python -m flows.reference`."""

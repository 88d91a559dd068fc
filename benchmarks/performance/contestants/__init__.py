"""One program per contestant, each with the same works; ``stage.py`` has what those in Python share."""

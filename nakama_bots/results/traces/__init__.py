"""Single calls and players of a run: which are kept, how they are written and explained."""

"""Single calls and players of a run: which are kept, and what is made of them."""

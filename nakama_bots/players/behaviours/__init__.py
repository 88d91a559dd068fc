"""Scripts of players: the base class, those that are bundled, and what runs them."""

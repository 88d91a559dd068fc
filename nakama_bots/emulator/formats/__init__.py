"""Wire formats, and the small languages in them."""

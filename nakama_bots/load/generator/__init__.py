"""How well the generator itself keeps up."""

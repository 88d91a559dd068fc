"""What breaks first when the load rises: figures over the number of players, rules, and a verdict. Pure."""

"""Which messages have to reach whom, and whether they did."""

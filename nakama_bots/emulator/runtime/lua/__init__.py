"""Runs unchanged Lua modules in Lua 5.1 (``lupa``): engine, sandbox, and the accessible library."""

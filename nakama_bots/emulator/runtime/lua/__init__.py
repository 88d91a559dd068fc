"""Lua modules as they are, in Lua 5.1 (``lupa``): the engine, the sandbox, and what modules may reach."""

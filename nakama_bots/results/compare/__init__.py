"""One run beside others."""

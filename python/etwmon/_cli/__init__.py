"""The command line. Needs the extra `cli`; only `etwmon.__main__` imports it."""

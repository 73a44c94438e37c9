"""The command line: one file per subcommand, each of which reads arguments, calls the library and shows its result."""

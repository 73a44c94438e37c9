"""Float networks from the files of other frameworks, one module per format."""

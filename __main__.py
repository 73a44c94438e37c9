"""``python -m spikeloom``: the command line."""

from .software.cli.main import main

raise SystemExit(main())

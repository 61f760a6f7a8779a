"""Every suite's fixtures: real servers, and waiting for facts."""

pytest_plugins = ["trunkline_common.testing.plugin"]

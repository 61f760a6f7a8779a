"""Every suite's fixtures: real servers, and waiting for facts."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["trunkline_common.testing.plugin"]

# How long an example takes says how loaded the machine is, and nothing else.
settings.register_profile("trunkline", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("trunkline")

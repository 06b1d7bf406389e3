"""One module at a time: no reactor, no socket, no sleep."""

from hypothesis import HealthCheck, settings

# However slow the machine is, no example takes too long; and they are the same each
# time: what fails, fails for everybody.
settings.register_profile(
    "rum",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("rum")

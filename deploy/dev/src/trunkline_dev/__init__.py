"""The local stack: private servers, the demo, and the runner of the test suites."""

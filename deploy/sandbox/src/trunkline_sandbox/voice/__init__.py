"""Twilio's voice API of 2010-04-01, as far as an outbound dialler uses it."""

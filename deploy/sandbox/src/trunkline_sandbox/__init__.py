"""Stand-ins for Twilio and Meta with faults to order and a log of their own."""

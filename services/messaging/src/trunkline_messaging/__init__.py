"""Sending messages: WhatsApp texts and the news of their delivery."""

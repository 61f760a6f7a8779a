"""Meta's WhatsApp Cloud API, as far as sending messages and hearing their statuses goes."""

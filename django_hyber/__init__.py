"""Viber, SMS, WhatsApp and Push through GMS Hyber, for Django."""

__version__ = "0.1.0"

"""Asyncio SDK for the Linksfield Topup/Mall APIs."""

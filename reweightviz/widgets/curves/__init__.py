"""Curves of training runs by domain."""

"""Fault drills: their schedule, their proxies, and a short one."""

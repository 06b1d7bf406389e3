"""Sheds load by itself, step by step, before memory or CPU run out.

What is done stands in `guard`, when in `ladder`, by which figures in `pressure`, and
who is to blame in `suspect`. Others do the work: they are reached through the small
interfaces of `interfaces`, and know nothing of this room.
"""

"""Tests of rendering: the files are decoded again and looked at, pixel by pixel."""

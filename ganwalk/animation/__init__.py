"""Latents → moving pictures: ways through keyframes, walks along directions on the way, and their frames."""

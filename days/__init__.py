"""The days of the course."""

from days.common.notebook import attach
from days.common.torchvision_import import watch_torchvision

watch_torchvision()
attach()

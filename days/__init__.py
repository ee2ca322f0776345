"""The days of the course."""

from days.common.notebook import attach
from days.common.torchvision_import import watch_torchvision
from days.common.triton_import import watch_triton

watch_torchvision()
watch_triton()
attach()

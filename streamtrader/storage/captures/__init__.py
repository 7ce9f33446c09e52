"""Raw captures as several programs write them, read line by line into one shape; the format is told by content."""

from streamtrader.storage.captures.line import CaptureLine, Role
from streamtrader.storage.captures.reader import FORMATS, LINE_BYTES_MOST, CaptureReader

__all__ = ["FORMATS", "LINE_BYTES_MOST", "CaptureLine", "CaptureReader", "Role"]

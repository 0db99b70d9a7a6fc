"""The pictures of a report: decoded images, tensors, probability maps, boxes and their differences."""

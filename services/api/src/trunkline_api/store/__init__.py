"""SQL of api by noun. A query never ends its session; where a business asks, it names the business."""

"""SQL of api by noun. No query ends its session; all that a business asks name the business."""

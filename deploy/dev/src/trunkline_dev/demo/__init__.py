"""`make demo`: a campaign from end to end on real servers, and whether it adds up."""
